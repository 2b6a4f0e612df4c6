package tenant

import (
	"cmp"
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Permission is a scope of a resource server that a role or a user has.
type Permission struct {
	ResourceServer string `json:"resourceServer"` // its identifier
	Name           string `json:"name"`
}

// PermissionDetails is a permission with what the resource server says of it.
type PermissionDetails struct {
	Permission
	Description string
	ServerName  string
	Direct      bool    // of a user: given to the user itself
	Roles       []*Role // of a user: by which the user has it
}

// scope returns the description of a scope, and whether there is such a scope.
func (s *ResourceServer) scope(name string) (description string, ok bool) {
	for _, one := range s.Scopes {
		if one.Value == name {
			return one.Description, true
		}
	}
	return "", false
}

// UnknownPermission says that a resource server has no such scope. It is the
// cause of a fault.Invalid.
type UnknownPermission struct{ Permission }

func (e *UnknownPermission) Error() string { return "no permission " + e.Name }

// checkPermissions makes sure that there are permissions.
func (t *Tenant) checkPermissions(r directory.Reader, list []Permission) error {
	for _, p := range list {
		server, err := directory.GetByKey[ResourceServer](r, t.Realm, p.ResourceServer)
		if err != nil {
			return err
		}
		if _, ok := server.scope(p.Name); !ok {
			return fault.Wrap(fault.Invalid, &UnknownPermission{p}, "the resource server %s has no permission %q", p.ResourceServer, p.Name)
		}
	}
	return nil
}

// describe adds what the resource servers say of permissions. Those that there
// are no more, because the server or its scope is gone, are left out.
func (t *Tenant) describe(r directory.Reader, list []PermissionDetails) ([]PermissionDetails, error) {
	servers := map[string]*ResourceServer{}
	var out []PermissionDetails
	for _, p := range list {
		server, ok := servers[p.ResourceServer]
		if !ok {
			var err error
			if server, err = directory.GetByKey[ResourceServer](r, t.Realm, p.ResourceServer); err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
			servers[p.ResourceServer] = server
		}
		if server == nil {
			continue
		}
		if p.Description, ok = server.scope(p.Name); !ok {
			continue
		}
		p.ServerName = server.Name
		out = append(out, p)
	}
	return out, nil
}

// RolePermissions returns the permissions of a role.
func (t *Tenant) RolePermissions(ctx context.Context, role string, w Window) (p Page[PermissionDetails], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		found, err := directory.Get[Role](r, t.Realm, role)
		if err != nil {
			return err
		}
		var list []PermissionDetails
		for _, one := range found.Permissions {
			list = append(list, PermissionDetails{Permission: one})
		}
		list, err = t.describe(r, list)
		p = Cut(list, w)
		return err
	})
	return p, err
}

// AddRolePermissions gives permissions to a role. A resource server that does
// not exist is fault.NotFound, a permission that it does not have fault.Invalid
// with an *UnknownPermission.
func (t *Tenant) AddRolePermissions(ctx context.Context, actor directory.Actor, id string, list []Permission) error {
	_, err := amend(ctx, t, id, t.event(actor, "auth0.role.permissions.add"), func(tx directory.Tx, role *Role) error {
		if err := t.checkPermissions(tx, list); err != nil {
			return err
		}
		for _, p := range list {
			if !slices.Contains(role.Permissions, p) {
				role.Permissions = append(role.Permissions, p)
			}
		}
		return nil
	})
	return err
}

// RemoveRolePermissions takes permissions from a role; those that it does not
// have are no error.
func (t *Tenant) RemoveRolePermissions(ctx context.Context, actor directory.Actor, id string, list []Permission) error {
	_, err := amend(ctx, t, id, t.event(actor, "auth0.role.permissions.remove"), func(_ directory.Tx, role *Role) error {
		role.Permissions = slices.DeleteFunc(role.Permissions, func(p Permission) bool { return slices.Contains(list, p) })
		return nil
	})
	return err
}

// userPermission says that a user has a permission of its own.
type userPermission struct {
	directory.Meta
	Permission

	Account string `json:"account"`
}

func (p *userPermission) Place() directory.Place {
	return directory.Place{Noun: directory.UserPermissionNoun, Subject: p.Account, Key: permissionKey(p.Account, p.Permission)}
}

// permissionKey is unique: neither ids of users nor names of permissions have
// blanks in them.
func permissionKey(account string, p Permission) string {
	return account + " " + p.Name + " " + p.ResourceServer
}

// AddUserPermissions gives permissions to a user. Errors as of AddRolePermissions.
func (t *Tenant) AddUserPermissions(ctx context.Context, actor directory.Actor, id string, list []Permission) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		account, err := tx.Account(t.Realm, id)
		if err != nil {
			return err
		}
		if err := t.checkPermissions(tx, list); err != nil {
			return err
		}
		for _, p := range list {
			_, err := directory.GetByKey[userPermission](tx, t.Realm, permissionKey(id, p))
			if err == nil {
				continue
			}
			if !fault.Is(err, fault.NotFound) {
				return err
			}
			e := t.event(actor, "auth0.user.permission.add", userTarget(account))
			e.Target = id
			o := &userPermission{Meta: directory.Meta{ID: t.Directory.IDs.Auth0("prm"), Realm: t.Realm}, Permission: p, Account: id}
			if err := t.Directory.InsertObject(tx, o, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveUserPermissions takes permissions from a user; those that it does not
// have are no error.
func (t *Tenant) RemoveUserPermissions(ctx context.Context, actor directory.Actor, id string, list []Permission) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		account, err := tx.Account(t.Realm, id)
		if err != nil {
			return err
		}
		for _, p := range list {
			o, err := directory.GetByKey[userPermission](tx, t.Realm, permissionKey(id, p))
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			e := t.event(actor, "auth0.user.permission.remove", userTarget(account))
			e.Target = id
			if err := t.Directory.DeleteObject(tx, o, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// UserPermissions returns the permissions that a user has, its own and those of
// its roles, each once.
func (t *Tenant) UserPermissions(ctx context.Context, id string, w Window) (p Page[PermissionDetails], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		list, err := t.userPermissions(r, id)
		if err != nil {
			return err
		}
		list, err = t.describe(r, list)
		p = Cut(list, w)
		return err
	})
	return p, err
}

func (t *Tenant) userPermissions(r directory.Reader, id string) ([]PermissionDetails, error) {
	roles, err := t.userRoles(r, id)
	if err != nil {
		return nil, err
	}
	own, err := directory.All[userPermission](r, directory.RecordQuery{Realm: t.Realm, Subject: id}, 0, nil)
	if err != nil {
		return nil, err
	}
	found := map[Permission]*PermissionDetails{}
	entry := func(p Permission) *PermissionDetails {
		if found[p] == nil {
			found[p] = &PermissionDetails{Permission: p}
		}
		return found[p]
	}
	for _, one := range own {
		entry(one.Permission).Direct = true
	}
	for _, role := range roles {
		for _, p := range role.Permissions {
			e := entry(p)
			e.Roles = append(e.Roles, role)
		}
	}
	out := make([]PermissionDetails, 0, len(found))
	for _, e := range found {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b PermissionDetails) int {
		return cmp.Or(cmp.Compare(a.ResourceServer, b.ResourceServer), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}
