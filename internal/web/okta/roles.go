package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// roleRoutes lists the paths of admin roles: the same below users, groups and
// OAuth clients.
func (a *API) roleRoutes() {
	a.assigneeRoutes(basePath+"/users/{id}/roles", directory.UserAssignee)
	a.assigneeRoutes(basePath+"/groups/{id}/roles", directory.GroupAssignee)
	a.assigneeRoutes(clientsPath+"/{id}/roles", directory.ClientAssignee)
	a.iamRoutes()
}

func (a *API) assigneeRoutes(base string, typ directory.AssigneeType) {
	of := func(run assigneeHandler) web.Handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			who := directory.Assignee{ID: r.PathValue("id"), Type: typ}
			if typ == directory.UserAssignee {
				who.ID = userRef(r, "id")
			}
			if err := run(w, r, who); err != nil {
				return a.asCalled(r, "id", err)
			}
			return nil
		}
	}
	a.route(base,
		method{"GET", readRoles, of(a.listRoles)},
		method{"POST", manageRoles, of(a.assignRole)})
	a.route(base+"/{role}",
		method{"GET", readRoles, of(a.getRole)},
		method{"DELETE", manageRoles, of(a.unassignRole)})
	a.route(base+"/{role}/targets/groups", method{"GET", readRoles, of(a.listRoleGroups)})
	a.route(base+"/{role}/targets/groups/{group}",
		method{"PUT", manageRoles, of(a.addRoleGroup)},
		method{"DELETE", manageRoles, of(a.removeRoleGroup)})
	apps := base + "/{role}/targets/catalog/apps"
	a.route(apps, method{"GET", readRoles, of(a.listRoleApps)})
	for _, path := range []string{apps + "/{app}", apps + "/{app}/{instance}"} {
		a.route(path,
			method{"PUT", manageRoles, of(a.addRoleApp)},
			method{"DELETE", manageRoles, of(a.removeRoleApp)})
	}
}

// assigneeHandler answers a request about the roles of an account or group.
type assigneeHandler func(w http.ResponseWriter, r *http.Request, who directory.Assignee) error

// listRoles is GET /users/{id}/roles: all of them, without Link headers.
func (a *API) listRoles(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	roles, err := a.Directory.Roles(r.Context(), a.Realm, who)
	if err != nil {
		return err
	}
	out := make([]web.Object, len(roles))
	for i, one := range roles {
		out[i] = role(a.base(r), one)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// assignRole is POST /users/{id}/roles. It answers 201. disableNotifications is
// accepted: nobody is notified anyway.
func (a *API) assignRole(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	if _, err := web.Bool(r.URL.Query(), "disableNotifications", false); err != nil {
		return invalid("disableNotifications", "disableNotifications: must be true or false").because(err)
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var texts [3]string
	for i, name := range []string{"type", "role", "resource-set"} {
		if texts[i], err = body.text(name); err != nil {
			return err
		}
	}
	draft := directory.RoleDraft{Type: directory.RoleType(texts[0]), CustomRole: texts[1], ResourceSet: texts[2]}
	assigned, err := a.Directory.AssignRole(r.Context(), actor(r), a.Realm, who, draft)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if who.Type == directory.GroupAssignee {
		status = a.GroupRoleStatus
	}
	return web.WriteJSON(w, status, role(a.base(r), assigned))
}

func (a *API) getRole(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	found, err := a.Directory.Role(r.Context(), a.Realm, who, r.PathValue("role"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, role(a.base(r), found))
}

func (a *API) unassignRole(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	if err := a.Directory.UnassignRole(r.Context(), actor(r), a.Realm, who, r.PathValue("role")); err != nil {
		return err
	}
	return noContent(w)
}

// listRoleGroups lists the groups that a role is limited to.
func (a *API) listRoleGroups(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	groups, err := a.Directory.RoleGroups(r.Context(), a.Realm, who, r.PathValue("role"))
	if err != nil {
		return err
	}
	out, err := a.wireGroups(r, groups)
	if err != nil {
		return err
	}
	a.linkTargets(w, r)
	return web.WriteJSON(w, http.StatusOK, out)
}

// linkTargets adds the one link that lists of targets have. Recorded: whatever
// was asked for, it says limit=20, and after is a random token even there.
func (a *API) linkTargets(w http.ResponseWriter, r *http.Request) {
	token := "PGE" + a.Directory.IDs.Token(22) + "1"
	web.AddLink(w, "self", a.base(r)+r.URL.EscapedPath()+"?after="+token+"&limit=20")
}

func (a *API) addRoleGroup(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	if err := a.Directory.AddRoleGroup(r.Context(), actor(r), a.Realm, who, r.PathValue("role"), r.PathValue("group")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) removeRoleGroup(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	if err := a.Directory.RemoveRoleGroup(r.Context(), actor(r), a.Realm, who, r.PathValue("role"), r.PathValue("group")); err != nil {
		return err
	}
	return noContent(w)
}

// listRoleApps lists the applications that a role is limited to.
func (a *API) listRoleApps(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	apps, err := a.Directory.RoleApps(r.Context(), a.Realm, who, r.PathValue("role"))
	if err != nil {
		return err
	}
	out := make([]web.Object, len(apps))
	for i, app := range apps {
		out[i] = roleApp(a.base(r), app)
	}
	a.linkTargets(w, r)
	return web.WriteJSON(w, http.StatusOK, out)
}

func appTarget(r *http.Request) directory.AppTarget {
	return directory.AppTarget{Name: r.PathValue("app"), ID: r.PathValue("instance")}
}

func (a *API) addRoleApp(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	if err := a.Directory.AddRoleApp(r.Context(), actor(r), a.Realm, who, r.PathValue("role"), appTarget(r)); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) removeRoleApp(w http.ResponseWriter, r *http.Request, who directory.Assignee) error {
	if err := a.Directory.RemoveRoleApp(r.Context(), actor(r), a.Realm, who, r.PathValue("role"), appTarget(r)); err != nil {
		return err
	}
	return noContent(w)
}

// role is the wire form of a role, in the recorded order of keys. Roles on
// resource sets have some more (Okta OpenAPI).
func role(base string, r *directory.Role) web.Object {
	o := web.Object{{Key: "id", Value: r.RoleID}}
	if r.CustomRole != "" {
		o = append(o, web.Field{Key: "role", Value: r.CustomRole})
	}
	o = append(o,
		web.Field{Key: "label", Value: r.Label},
		web.Field{Key: "type", Value: r.Type},
		web.Field{Key: "status", Value: "ACTIVE"},
		web.Field{Key: "created", Value: date(r.Created)},
		web.Field{Key: "lastUpdated", Value: date(r.Updated)},
		web.Field{Key: "assignmentType", Value: r.AssigneeType})
	assignee := base + "/api/v1/users/" + r.Assignee
	switch r.AssigneeType {
	case directory.GroupAssignee:
		assignee = base + "/api/v1/groups/" + r.Assignee
	case directory.ClientAssignee:
		assignee = base + clientsPath + "/" + r.Assignee + "/roles"
	}
	links := web.Object{link("assignee", assignee, "")}
	if r.CustomRole != "" {
		o = append(o, web.Field{Key: "resource-set", Value: r.ResourceSet})
		iam := base + "/api/v1/iam"
		set := iam + "/resource-sets/" + r.ResourceSet
		links = append(links,
			link("resource-set", set, ""),
			link("role", iam+"/roles/"+r.CustomRole, ""),
			link("permissions", iam+"/roles/"+r.CustomRole+"/permissions", ""),
			link("member", set+"/bindings/"+r.CustomRole+"/members/"+r.RoleID, ""))
	}
	return append(o, web.Field{Key: "_links", Value: links})
}

// catalogued is what the catalogue says of an application.
type catalogued struct {
	displayName, description, updated, category, website, signOnMode string
	features                                                         []string
}

// catalogueApps are the applications of Okta's catalogue that recordings show
// as targets.
var catalogueApps = map[string]catalogued{
	"facebook": {
		"Facebook", "Giving people the power to share and make the world more open and connected.",
		"2021-03-18T17:37:56.000Z", "SOCIAL", "https://www.facebook.com/", "BROWSER_PLUGIN", nil,
	},
	"oidc_client": {
		"OpenID Connect Client", "OpenID Connect Client",
		"2017-06-20T02:25:02.000Z", "OAUTH2", "http://openid.net/specs/openid-connect-core-1_0.html", "OPENID_CONNECT",
		[]string{"DEFAULT_PUSH_STATUS_TO_PUSH"},
	},
}

// roleApp is the wire form of an application that a role is limited to:
// instances are short, and their name is the label.
func roleApp(base string, app directory.RoleApp) web.Object {
	if app.ID != "" {
		return web.Object{
			{Key: "name", Value: app.Label},
			{Key: "status", Value: app.Status},
			{Key: "id", Value: app.ID},
			{Key: "_links", Value: web.Object{link("self", base+"/api/v1/apps/"+app.ID, "")}},
		}
	}
	c, ok := catalogueApps[app.Name]
	if !ok {
		c = catalogued{displayName: app.Name, description: app.Name, updated: "2021-01-01T00:00:00.000Z", category: "OTHER", signOnMode: "BROWSER_PLUGIN"}
	}
	o := web.Object{
		{Key: "name", Value: app.Name},
		{Key: "displayName", Value: c.displayName},
		{Key: "description", Value: c.description},
		{Key: "status", Value: "ACTIVE"},
		{Key: "lastUpdated", Value: c.updated},
		{Key: "category", Value: c.category},
		{Key: "verificationStatus", Value: "OKTA_VERIFIED"},
		{Key: "website", Value: c.website},
		{Key: "signOnModes", Value: []string{c.signOnMode}},
	}
	if c.features != nil {
		o = append(o, web.Field{Key: "features", Value: c.features})
	}
	logo := web.Object{
		{Key: "name", Value: "medium"},
		{Key: "href", Value: base + "/assets/img/logos/default.png"},
		{Key: "type", Value: "image/png"},
	}
	return append(o, web.Field{Key: "_links", Value: web.Object{
		{Key: "logo", Value: []web.Object{logo}},
		link("self", base+"/api/v1/catalog/apps/"+app.Name, ""),
	}})
}

// roleRefusal words what is wrong with a role. Codes and texts of the first five
// are Okta's catalogue, that of a taken label is recorded; which of E0000090 and
// E0000263 a role that is assigned already gets is inferred (okta.md 9), as are
// the words of the others.
func roleRefusal(e *directory.RoleError) *apiError {
	switch e.Problem {
	case directory.RoleAssigned:
		return problem("E0000090")
	case directory.RoleOnRules:
		return &apiError{code: "E0000192", object: e.Detail}
	case directory.RoleOnMany:
		return &apiError{code: "E0000193", object: e.Detail}
	case directory.RoleOnAppGroup:
		return &apiError{code: "E0000194", object: e.Detail}
	case directory.RoleOnBuiltIn:
		return &apiError{code: "E0000211", object: e.Detail}
	case directory.RoleLabelTaken:
		return invalid("label", "label: There is already an admin role with this name.")
	case directory.RoleWithoutTargets:
		return problem("E0000091")
	case directory.RoleLastTarget:
		return invalid("targets", "The last target of a role cannot be removed. Remove the role instead.")
	}
	return invalid("type", "type: '"+e.Detail+"' is not the type of a role")
}
