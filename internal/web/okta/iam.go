package okta

import (
	"net/http"
	"net/url"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Page sizes below /iam (Okta OpenAPI; that of roles is inferred).
const assigneesPage = 100

func (a *API) iamRoutes() {
	a.route(basePath+"/iam/assignees/users", method{"GET", readRoles, a.listAssignees})
	a.route(basePath+"/iam/roles",
		method{"GET", readRoles, a.listCustomRoles},
		method{"POST", manageRoles, a.createCustomRole})
	a.route(basePath+"/iam/roles/{role}",
		method{"GET", readRoles, a.getCustomRole},
		method{"DELETE", manageRoles, a.deleteCustomRole})
	a.route(basePath+"/iam/roles/{role}/permissions", method{"GET", readRoles, a.listPermissions})
	a.route(basePath+"/iam/resource-sets", method{"GET", readRoles, a.listResourceSets})
}

// listAssignees is GET /iam/assignees/users: who has a role of its own. The link
// to the next page is in the body.
func (a *API) listAssignees(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, assigneesPage, assigneesPage)
	if err != nil {
		return err
	}
	if err := p.cursor("00u", "E0000029"); err != nil {
		return err
	}
	ids, err := a.Directory.Administrators(r.Context(), a.Realm, p.after, p.limit+1)
	if err != nil {
		return err
	}
	ids, last := cut(ids, p.limit, func(id string) string { return id })
	list := make([]web.Object, len(ids))
	for i, id := range ids {
		self := a.base(r) + "/api/v1/users/" + id
		list[i] = web.Object{
			{Key: "id", Value: id},
			{Key: "orn", Value: "orn:okta:directory:" + orgID(a.Realm) + ":users:" + id},
			{Key: "_links", Value: web.Object{link("self", self, ""), link("roles", self+"/roles", "")}},
		}
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "value", Value: list}, {Key: "_links", Value: p.nextInBody(r, last)}})
}

// nextInBody is the link to the next page as answers below /iam have it.
func (p *page) nextInBody(r *http.Request, last string) web.Object {
	links := web.Object{}
	if last == "" {
		return links
	}
	next := p.url + "?after=" + url.QueryEscape(last)
	if limit := r.URL.Query().Get("limit"); limit != "" {
		next += "&limit=" + url.QueryEscape(limit)
	}
	return append(links, link("next", next, ""))
}

// listCustomRoles is GET /iam/roles.
func (a *API) listCustomRoles(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, assigneesPage, assigneesPage)
	if err != nil {
		return err
	}
	if err := p.cursor("cr0", "E0000029"); err != nil {
		return err
	}
	roles, err := a.Directory.CustomRoles(r.Context(), a.Realm, p.after, p.limit+1)
	if err != nil {
		return err
	}
	roles, last := cut(roles, p.limit, func(r *directory.CustomRole) string { return r.ID })
	list := make([]web.Object, len(roles))
	for i, one := range roles {
		list[i] = customRole(a.base(r), one)
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "roles", Value: list}, {Key: "_links", Value: p.nextInBody(r, last)}})
}

// createCustomRole is POST /iam/roles. It answers 200.
func (a *API) createCustomRole(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	label, err := body.text("label")
	if err != nil {
		return err
	}
	description, err := body.text("description")
	if err != nil {
		return err
	}
	permissions, err := body.texts("permissions")
	if err != nil {
		return err
	}
	created, err := a.Directory.CreateCustomRole(r.Context(), actor(r), a.Realm, label, description, permissions)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, customRole(a.base(r), created))
}

func (a *API) getCustomRole(w http.ResponseWriter, r *http.Request) error {
	found, err := a.Directory.CustomRole(r.Context(), a.Realm, r.PathValue("role"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, customRole(a.base(r), found))
}

func (a *API) deleteCustomRole(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeleteCustomRole(r.Context(), actor(r), a.Realm, r.PathValue("role")); err != nil {
		return err
	}
	return noContent(w)
}

// listPermissions is GET /iam/roles/{roleIdOrLabel}/permissions.
func (a *API) listPermissions(w http.ResponseWriter, r *http.Request) error {
	found, err := a.Directory.CustomRole(r.Context(), a.Realm, r.PathValue("role"))
	if err != nil {
		return err
	}
	self := a.base(r) + "/api/v1/iam/roles/" + found.ID
	list := make([]web.Object, len(found.Permissions))
	for i, label := range found.Permissions {
		list[i] = web.Object{
			{Key: "label", Value: label},
			{Key: "created", Value: date(found.Created)},
			{Key: "lastUpdated", Value: date(found.Updated)},
			{Key: "_links", Value: web.Object{link("role", self, ""), link("self", self+"/permissions/"+url.PathEscape(label), "")}},
		}
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "permissions", Value: list}})
}

// listResourceSets is GET /iam/resource-sets. There are none but the built-in
// ones, which Okta does not list.
func (a *API) listResourceSets(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "resource-sets", Value: []web.Object{}}, {Key: "_links", Value: web.Object{}}})
}

// customRole is the wire form of a custom role (Okta OpenAPI).
func customRole(base string, r *directory.CustomRole) web.Object {
	self := base + "/api/v1/iam/roles/" + r.ID
	return web.Object{
		{Key: "id", Value: r.ID},
		{Key: "label", Value: r.Label},
		{Key: "description", Value: r.Description},
		{Key: "created", Value: date(r.Created)},
		{Key: "lastUpdated", Value: date(r.Updated)},
		{Key: "_links", Value: web.Object{link("permissions", self+"/permissions", ""), link("self", self, "")}},
	}
}
