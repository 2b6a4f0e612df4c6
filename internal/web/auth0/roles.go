package auth0

import (
	"errors"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) roleRoutes() []route {
	return []route{
		op("GET", "/roles", a.listRoles, "read:roles"),
		op("POST", "/roles", a.createRole, "create:roles"),
		op("GET", "/roles/{id}", a.getRole, "read:roles"),
		op("PATCH", "/roles/{id}", a.updateRole, "update:roles"),
		op("DELETE", "/roles/{id}", a.deleteRole, "delete:roles"),
		op("GET", "/roles/{id}/permissions", a.listRolePermissions, "read:roles"),
		op("POST", "/roles/{id}/permissions", a.addRolePermissions, "update:roles"),
		op("DELETE", "/roles/{id}/permissions", a.removeRolePermissions, "update:roles"),
		op("GET", "/roles/{id}/users", a.listRoleUsers, "read:users", "read:roles", "read:role_members"),
		op("POST", "/roles/{id}/users", a.assignRoleUsers, "update:roles", "create:role_members"),

		op("GET", "/users/{id}/roles", a.listUserRoles, "read:users", "read:roles", "read:role_members"),
		op("POST", "/users/{id}/roles", a.assignUserRoles, "update:users", "create:role_members"),
		op("DELETE", "/users/{id}/roles", a.removeUserRoles, "update:users", "delete:role_members"),
		op("GET", "/users/{id}/permissions", a.listUserPermissions, "read:users"),
		op("POST", "/users/{id}/permissions", a.addUserPermissions, "update:users"),
		op("DELETE", "/users/{id}/permissions", a.removeUserPermissions, "update:users"),
	}
}

// role is the wire form of a role, in the recorded order of keys.
func role(r *tenant.Role) web.Object {
	o := web.Object{{Key: "id", Value: r.ID}, {Key: "name", Value: r.Name}}
	if r.Description != "" {
		o = append(o, web.Field{Key: "description", Value: r.Description})
	}
	return o
}

var createRoleProperties = map[string]property{
	"name":        {typ: "string", min: 1, about: "Name of the role."},
	"description": {typ: "string", about: "Description of the role."},
}

var updateRoleProperties = map[string]property{
	"name":        {typ: "string", min: 1, about: "Name of this role."},
	"description": {typ: "string", about: "Description of this role."},
}

// listRoles is GET /roles. It serves pages beyond the first 1,000 records.
func (a *API) listRoles(w http.ResponseWriter, r *http.Request) error {
	s := style{unlimited: true}
	q := r.URL.Query()
	l, err := readListing(q, s)
	if err != nil {
		return err
	}
	p, err := a.tenant.Roles(r.Context(), q.Get("name_filter"), l.window())
	if err != nil {
		return err
	}
	return l.write(w, s, "roles", rowsOf(p, role), restOf(p, nil))
}

// createRole is POST /roles: 200 where others answer 201 (recorded).
func (a *API) createRole(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, createRoleProperties, "name")
	if err != nil {
		return err
	}
	created, err := a.tenant.CreateRole(r.Context(), actor(r), p.text("name"), p.text("description"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, role(created))
}

func (a *API) getRole(w http.ResponseWriter, r *http.Request) error {
	found, err := a.tenant.Role(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, role(found))
}

func (a *API) updateRole(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, updateRoleProperties)
	if err != nil {
		return err
	}
	e := tenant.RoleEdit{Name: p.given("name"), Description: p.given("description")}
	edited, err := a.tenant.EditRole(r.Context(), actor(r), r.PathValue("id"), e)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, role(edited))
}

// deleteRole is DELETE /roles/{id}: 200 and an empty object (recorded).
func (a *API) deleteRole(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DeleteRole(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{})
}

// member is the wire form of a user in lists of members, in the recorded order.
func member(m tenant.Member) web.Object {
	o := web.Object{{Key: "user_id", Value: m.Account.ID}}
	for _, key := range []string{"email", "picture", "name"} {
		if v := attribute(m.Account, key); v != nil {
			o = append(o, web.Field{Key: key, Value: v})
		}
	}
	return o
}

func (a *API) listRoleUsers(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.RoleUsers(r.Context(), r.PathValue("id"), l.window())
	if err != nil {
		return err
	}
	return l.write(w, s, "users", rowsOf(p, member), restOf(p, tenant.Member.Mark))
}

var roleUsersProperties = map[string]property{
	"users": {typ: "array", min: 1, about: "user_id's of the users to assign the role to.", items: &property{typ: "string", min: 1}},
}

// assignRoleUsers is POST /roles/{id}/users: 200 and an empty object (recorded).
func (a *API) assignRoleUsers(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, roleUsersProperties, "users")
	if err != nil {
		return err
	}
	if err := a.tenant.AssignUsers(r.Context(), actor(r), r.PathValue("id"), p.texts("users")); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{})
}

func (a *API) listUserRoles(w http.ResponseWriter, r *http.Request) error {
	s := style{unlimited: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.UserRoles(r.Context(), r.PathValue("id"), l.window())
	if err != nil {
		return err
	}
	return l.write(w, s, "roles", rowsOf(p, role), restOf(p, nil))
}

var assignRolesProperties = map[string]property{
	"roles": {typ: "array", min: 1, about: "List of roles IDs to associated with the user.", items: &property{typ: "string", min: 1}},
}

var removeRolesProperties = map[string]property{
	"roles": {typ: "array", min: 1, about: "List of roles IDs to remove from the user.", items: &property{typ: "string", min: 1}},
}

func (a *API) assignUserRoles(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, assignRolesProperties, "roles")
	if err != nil {
		return err
	}
	if err := a.tenant.AssignRoles(r.Context(), actor(r), r.PathValue("id"), p.texts("roles")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) removeUserRoles(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, removeRolesProperties, "roles")
	if err != nil {
		return err
	}
	if err := a.tenant.UnassignRoles(r.Context(), actor(r), r.PathValue("id"), p.texts("roles")); err != nil {
		return err
	}
	return noContent(w)
}

// permission is the wire form of a permission, in the recorded order of keys.
func permission(p tenant.PermissionDetails) web.Object {
	return web.Object{
		{Key: "permission_name", Value: p.Name},
		{Key: "description", Value: p.Description},
		{Key: "resource_server_name", Value: p.ServerName},
		{Key: "resource_server_identifier", Value: p.ResourceServer},
	}
}

// userPermission is a permission with whence the user has it.
func userPermission(p tenant.PermissionDetails) web.Object {
	source := func(id, name, kind string) web.Object {
		return web.Object{{Key: "source_id", Value: id}, {Key: "source_name", Value: name}, {Key: "source_type", Value: kind}}
	}
	var sources []web.Object
	if p.Direct {
		sources = append(sources, source("", "", "DIRECT"))
	}
	for _, r := range p.Roles {
		sources = append(sources, source(r.ID, r.Name, "ROLE"))
	}
	return append(permission(p), web.Field{Key: "sources", Value: sources})
}

func permissionsProperties(about string) map[string]property {
	pair := property{typ: "object", required: []string{"resource_server_identifier", "permission_name"}, members: map[string]property{
		"resource_server_identifier": {typ: "string", about: "Resource server (API) identifier that this permission is for."},
		"permission_name":            {typ: "string", about: "Name of this permission."},
	}}
	return map[string]property{"permissions": {typ: "array", min: 1, about: about, items: &pair}}
}

var (
	rolePermissionsProperties       = permissionsProperties("array of resource_server_identifier, permission_name pairs.")
	addUserPermissionsProperties    = permissionsProperties("List of permissions to add to this user.")
	removeUserPermissionsProperties = permissionsProperties("List of permissions to remove from this user.")
)

func readPermissions(r *http.Request, properties map[string]property) ([]tenant.Permission, error) {
	p, err := readPayload(r, properties, "permissions")
	if err != nil {
		return nil, err
	}
	var out []tenant.Permission
	for _, one := range p.objects("permissions") {
		out = append(out, tenant.Permission{ResourceServer: one.text("resource_server_identifier"), Name: one.text("permission_name")})
	}
	return out, nil
}

// knownPermission says which permission there is not (inferred).
func knownPermission(err error) error {
	if unknown := (*tenant.UnknownPermission)(nil); errors.As(err, &unknown) {
		return &apiError{http.StatusBadRequest, "The permission does not exist: '" + unknown.Name + "'", "", err}
	}
	return err
}

func (a *API) listRolePermissions(w http.ResponseWriter, r *http.Request) error {
	s := style{unlimited: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.RolePermissions(r.Context(), r.PathValue("id"), l.window())
	if err != nil {
		return err
	}
	return l.write(w, s, "permissions", rowsOf(p, permission), restOf(p, nil))
}

func (a *API) addRolePermissions(w http.ResponseWriter, r *http.Request) error {
	list, err := readPermissions(r, rolePermissionsProperties)
	if err != nil {
		return err
	}
	if err := a.tenant.AddRolePermissions(r.Context(), actor(r), r.PathValue("id"), list); err != nil {
		return knownPermission(err)
	}
	return web.WriteJSON(w, http.StatusCreated, web.Object{})
}

// removeRolePermissions answers 204, not 200 as described (recorded).
func (a *API) removeRolePermissions(w http.ResponseWriter, r *http.Request) error {
	list, err := readPermissions(r, rolePermissionsProperties)
	if err != nil {
		return err
	}
	if err := a.tenant.RemoveRolePermissions(r.Context(), actor(r), r.PathValue("id"), list); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) listUserPermissions(w http.ResponseWriter, r *http.Request) error {
	s := style{unlimited: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.UserPermissions(r.Context(), r.PathValue("id"), l.window())
	if err != nil {
		return err
	}
	return l.write(w, s, "permissions", rowsOf(p, userPermission), restOf(p, nil))
}

func (a *API) addUserPermissions(w http.ResponseWriter, r *http.Request) error {
	list, err := readPermissions(r, addUserPermissionsProperties)
	if err != nil {
		return err
	}
	if err := a.tenant.AddUserPermissions(r.Context(), actor(r), r.PathValue("id"), list); err != nil {
		return knownPermission(err)
	}
	return web.WriteJSON(w, http.StatusCreated, web.Object{})
}

func (a *API) removeUserPermissions(w http.ResponseWriter, r *http.Request) error {
	list, err := readPermissions(r, removeUserPermissionsProperties)
	if err != nil {
		return err
	}
	if err := a.tenant.RemoveUserPermissions(r.Context(), actor(r), r.PathValue("id"), list); err != nil {
		return err
	}
	return noContent(w)
}
