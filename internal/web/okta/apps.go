package okta

import (
	"errors"
	"net/http"
	"regexp"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The scopes of applications.
const (
	readApps     = "okta.apps.read"
	manageApps   = "okta.apps.manage"
	readGrants   = "okta.appGrants.read"
	manageGrants = "okta.appGrants.manage"
)

const appsPath = basePath + "/apps"

// Page sizes of applications.
const (
	appsPage    = 20
	maxAppsPage = 200
)

// appRoutes lists the paths of applications.
func (a *API) appRoutes() {
	a.route(appsPath,
		method{"GET", readApps, a.listApps},
		method{"POST", manageApps, a.createApp})
	a.route(appsPath+"/{id}",
		method{"GET", readApps, a.getApp},
		method{"PUT", manageApps, a.replaceApp},
		method{"DELETE", manageApps, a.deleteApp})
	a.route(appsPath+"/{id}/lifecycle/activate", method{"POST", manageApps, a.appStatus(directory.On)})
	a.route(appsPath+"/{id}/lifecycle/deactivate", method{"POST", manageApps, a.appStatus(directory.Off)})
	a.route(appsPath+"/{id}/policies/{policy}", method{"PUT", manageApps, a.setAppPolicy})
	a.appUserRoutes()
	a.appGroupRoutes()
	a.appGrantRoutes()
	a.appKeyRoutes()
	a.provisioningRoutes()
	a.appPartRoutes()
}

// createApp is POST /apps. It answers 200, not 201.
func (a *API) createApp(w http.ResponseWriter, r *http.Request) error {
	activate, err := flagParam(r, "activate", true)
	if err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	b, err := readApp(body)
	if err != nil {
		return err
	}
	draft, err := b.draft(activate)
	if err != nil {
		return err
	}
	if err := mayMakeApp(r, draft.Name); err != nil {
		return err
	}
	app, secret, err := a.Directory.CreateApp(r.Context(), actor(r), a.Realm, draft)
	if err != nil {
		return err
	}
	if err := a.startSource(r, app); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.application(a.base(r), app, secret))
}

// getApp is GET /apps/{id}.
func (a *API) getApp(w http.ResponseWriter, r *http.Request) error {
	user, err := expandedUser(r)
	if err != nil {
		return err
	}
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	out, err := a.expandedApps(r, []*directory.App{app}, user)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, out[0])
}

var userExpansion = regexp.MustCompile(`^user/([^/,]+)$`)

// expandedUser returns the id in expand=user/{id}, "" when there is none.
func expandedUser(r *http.Request) (string, error) {
	text := r.URL.Query().Get("expand")
	if text == "" {
		return "", nil
	}
	m := userExpansion.FindStringSubmatch(text)
	if m == nil {
		return "", invalid("RequestParams", "Expand query is malformed.")
	}
	return m[1], nil
}

// expandedApps is the wire form of applications, each with the assignment of a
// user where there is one. user is "" for none.
func (a *API) expandedApps(r *http.Request, apps []*directory.App, user string) ([]web.Object, error) {
	base := a.base(r)
	out := make([]web.Object, len(apps))
	for i, app := range apps {
		out[i] = a.application(base, app, "")
		if user == "" {
			continue
		}
		u, err := a.Directory.AppUser(r.Context(), a.Realm, app.ID, user)
		var lost *directory.Missing
		if errors.As(err, &lost) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[i] = embedIn(out[i], "user", appUser(base, u.AppUser))
	}
	return out, nil
}

// appFilter is the grammar of filter. user.id and group.id are answered from
// the assignments.
var appFilter = grammar{
	attributes: []string{"id", "status", "name", "label", "credentials.signing.kid", "settings.slo.enabled", "user.id", "group.id"},
	operators:  []filter.Op{filter.Equal},
}

// listApps is GET /apps. useOptimization, alwaysIncludeVpnSettings and
// includeNonDeleted are accepted; there is nothing to leave out or add.
func (a *API) listApps(w http.ResponseWriter, r *http.Request) error {
	user, err := expandedUser(r)
	if err != nil {
		return err
	}
	p, err := a.newPage(r, appsPage, maxAppsPage)
	if err != nil {
		return err
	}
	if err := p.cursor("0oa", "E0000029"); err != nil {
		return err
	}
	slices.Reverse(p.keep) // recorded: q before filter, unlike in other lists
	query, match, err := a.appSelection(r)
	if err != nil {
		return err
	}
	query.After = p.after
	match = withinReach(r, match, (*reach).app)
	list, err := a.Directory.Apps(r.Context(), query, p.limit+1, match)
	if err != nil {
		return err
	}
	list, last := cut(list, p.limit, func(app *directory.App) string { return app.ID })
	out, err := a.expandedApps(r, list, user)
	if err != nil {
		return err
	}
	p.links(w, last)
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) appSelection(r *http.Request) (directory.AppQuery, func(*directory.App) bool, error) {
	query := directory.AppQuery{Realm: a.Realm}
	term, text := r.URL.Query().Get("q"), r.URL.Query().Get("filter")
	var expr filter.Expr
	if text != "" {
		var err error
		if expr, err = appFilter.parse(text); err != nil {
			return query, nil, err
		}
		query.User, _ = filter.Pinned(expr, "user.id")
		query.Group, _ = filter.Pinned(expr, "group.id")
		if err := pinnedOnly(expr, query); err != nil {
			return query, nil, err
		}
	}
	return query, func(app *directory.App) bool {
		if term != "" && !startsWith(term, app.Name, app.Label) {
			return false
		}
		return expr == nil || filter.Match(expr, filter.Subject{
			Get: func(path string) []any { return a.appValues(app, query, path) },
		})
	}, nil
}

// pinnedOnly refuses conditions on assignments that do not select: an "or" of
// one and something else.
func pinnedOnly(expr filter.Expr, q directory.AppQuery) error {
	return filter.Walk(expr, func(c *filter.Compare) error {
		if c.Path == "user.id" && c.Value != q.User || c.Path == "group.id" && c.Value != q.Group {
			return problem("E0000031", c.Path+" can only be combined by and")
		}
		return nil
	})
}

// appValues are the values of an attribute for a filter.
func (a *API) appValues(app *directory.App, q directory.AppQuery, path string) []any {
	switch path {
	case "id":
		return []any{app.ID}
	case "status":
		return []any{string(app.Status)}
	case "name":
		return []any{app.Name}
	case "label":
		return []any{app.Label}
	case "user.id":
		return []any{q.User}
	case "group.id":
		return []any{q.Group}
	case "credentials.signing.kid":
		for _, f := range a.signing(app) {
			return []any{f.Value}
		}
	case "settings.slo.enabled":
		settings, _ := object(app.Document).object("settings")
		slo, _ := settings.object("slo")
		enabled, _ := slo["enabled"].(bool)
		return []any{enabled}
	}
	return nil
}

// replaceApp is PUT /apps/{id}. What is read-only in the body is ignored.
func (a *API) replaceApp(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	b, err := readApp(body)
	if err != nil {
		return err
	}
	chosen, err := b.oauthCredentials.text("client_secret")
	if err != nil {
		return err
	}
	edit := directory.AppEdit{ClientSecret: chosen, Change: func(app *directory.App) error {
		client, _, err := b.client(app.Client)
		if err != nil {
			return err
		}
		return b.apply(app, client)
	}}
	app, secret, err := a.Directory.EditApp(r.Context(), actor(r), a.Realm, r.PathValue("id"), edit)
	if err != nil {
		return err
	}
	if err := a.keepSource(r, app, body); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.application(a.base(r), app, secret))
}

func (a *API) deleteApp(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeleteApp(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) appStatus(status directory.State) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.Directory.SetAppStatus(r.Context(), actor(r), a.Realm, r.PathValue("id"), status); err != nil {
			return err
		}
		return empty(w)
	}
}

// setAppPolicy is PUT /apps/{id}/policies/{policyId}: the access policy that
// the application's link names from then on.
func (a *API) setAppPolicy(w http.ResponseWriter, r *http.Request) error {
	policy, err := a.Directory.Policy(r.Context(), a.Realm, r.PathValue("policy"))
	if err != nil {
		return err
	}
	edit := directory.AppEdit{Kind: "application.policy.sign_on.update", Change: func(app *directory.App) error {
		app.AccessPolicy = policy.ID
		return nil
	}}
	if _, _, err := a.Directory.EditApp(r.Context(), actor(r), a.Realm, r.PathValue("id"), edit); err != nil {
		return err
	}
	return noContent(w)
}
