package okta

import (
	"errors"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Page sizes of the users of an application.
const (
	appUsersPage    = 50
	maxAppUsersPage = 500
)

func (a *API) appUserRoutes() {
	a.route(appsPath+"/{id}/users",
		method{"GET", readApps, a.listAppUsers},
		method{"POST", manageApps, a.assignUser})
	a.route(appsPath+"/{id}/users/{user}",
		method{"GET", readApps, a.getAppUser},
		method{"POST", manageApps, a.updateAppUser},
		method{"DELETE", manageApps, a.unassignUser})
	a.route(basePath+"/users/{id}/appLinks", method{"GET", readUsers, a.dashboard})
}

// listAppUsers is GET /apps/{id}/users.
func (a *API) listAppUsers(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, appUsersPage, maxAppUsersPage)
	if err != nil {
		return err
	}
	if err := p.cursor("00u", "E0000029"); err != nil {
		return err
	}
	q := r.URL.Query()
	list, err := a.Directory.AppUsers(r.Context(), a.Realm, r.PathValue("id"), p.after, q.Get("q"), p.limit+1)
	if err != nil {
		return err
	}
	list, last := cut(list, p.limit, func(u directory.Assignment) string { return u.Account })
	p.links(w, last)
	return writeList(w, r, list, a.expandedAppUser)
}

// expandedAppUser is an assignment, with its user when expand=user asks for it.
func (a *API) expandedAppUser(r *http.Request, u directory.Assignment) web.Object {
	base := a.base(r)
	o := appUser(base, u.AppUser)
	if r.URL.Query().Get("expand") != "user" {
		return o
	}
	s := a.plainShape(r)
	s.links = true
	return embedIn(o, "user", user(base, u.Of, s))
}

// assignUser is POST /apps/{id}/users.
func (a *API) assignUser(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	id, err := body.text("id")
	if err != nil {
		return err
	}
	if id == "" {
		return invalid("id", "id: The field cannot be left blank")
	}
	draft, err := body.appUserDraft()
	if err != nil {
		return err
	}
	u, err := a.Directory.AssignUser(r.Context(), actor(r), a.Realm, r.PathValue("id"), id, draft)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appUser(a.base(r), u))
}

// appUserDraft reads credentials, profile and scope. Only that there is a
// password is taken from the credentials.
func (o object) appUserDraft() (directory.AppUserDraft, error) {
	var d directory.AppUserDraft
	credentials, err := o.object("credentials")
	if err != nil {
		return d, err
	}
	name, err := credentials.text("userName")
	if err != nil {
		return d, err
	}
	if name != "" {
		d.UserName = &name
	}
	password, err := credentials.object("password")
	if err != nil {
		return d, err
	}
	text, err := password.text("value")
	if err != nil {
		return d, err
	}
	d.Password = text != ""
	scope, err := o.text("scope")
	if err != nil {
		return d, err
	}
	d.Personal = scope == string(directory.UserScope)
	d.Profile, err = o.object("profile")
	return d, err
}

func (a *API) getAppUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.Directory.AppUser(r.Context(), a.Realm, r.PathValue("id"), userRef(r, "user"))
	if err != nil {
		return a.asCalled(r, "user", err)
	}
	return web.WriteJSON(w, http.StatusOK, a.expandedAppUser(r, u))
}

// updateAppUser is POST /apps/{id}/users/{userId}: what the body does not name
// stays.
func (a *API) updateAppUser(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	draft, err := body.appUserDraft()
	if err != nil {
		return err
	}
	u, err := a.Directory.EditAppUser(r.Context(), actor(r), a.Realm, r.PathValue("id"), userRef(r, "user"), draft)
	if err != nil {
		return a.asCalled(r, "user", err)
	}
	return web.WriteJSON(w, http.StatusOK, appUser(a.base(r), u))
}

// unassignUser is DELETE /apps/{id}/users/{userId}. sendEmail is accepted:
// there is nobody to send mail.
func (a *API) unassignUser(w http.ResponseWriter, r *http.Request) error {
	if _, err := flagParam(r, "sendEmail", false); err != nil {
		return err
	}
	if err := a.Directory.UnassignUser(r.Context(), actor(r), a.Realm, r.PathValue("id"), userRef(r, "user")); err != nil {
		return a.asCalled(r, "user", err)
	}
	return noContent(w)
}

// dashboard is GET /users/{id}/appLinks: what the user finds on the dashboard.
func (a *API) dashboard(w http.ResponseWriter, r *http.Request) error {
	account, err := a.Directory.FindAccount(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	links, err := a.Directory.AppLinks(r.Context(), account)
	if err != nil {
		return err
	}
	base := a.base(r)
	out := []web.Object{}
	for _, l := range links {
		for _, start := range startLinks(base, l.App) {
			out = append(out, dashboardLink(base, l, start, len(out)))
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func dashboardLink(base string, l directory.AppLink, start web.Object, order int) web.Object {
	return web.Object{
		{Key: "id", Value: l.User.Account},
		{Key: "label", Value: l.App.Label},
		{Key: "linkUrl", Value: start[1].Value},
		{Key: "logoUrl", Value: logoURL(base, l.App)},
		{Key: "appName", Value: l.App.Name},
		{Key: "appInstanceId", Value: l.App.ID},
		{Key: "appAssignmentId", Value: l.User.Assignment},
		{Key: "credentialsSetup", Value: l.User.HasPassword},
		{Key: "hidden", Value: hiddenOnWeb(l.App)},
		{Key: "sortOrder", Value: order},
	}
}

// hiddenOnWeb reports whether an application is left out of dashboards.
func hiddenOnWeb(app *directory.App) bool {
	visibility, _ := object(app.Document).object("visibility")
	hide, _ := visibility.object("hide")
	hidden, said := hide["web"].(bool)
	if !said {
		return app.Client != nil
	}
	return hidden
}

// readOptional reads a JSON object that may be left out.
func readOptional(r *http.Request) (object, error) {
	body, err := readObject(r)
	if errors.Is(err, web.ErrNoBody) {
		return object{}, nil
	}
	return body, err
}
