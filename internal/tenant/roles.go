package tenant

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Role is a name for permissions. Users have roles, and members of an
// organization have them there.
type Role struct {
	directory.Meta

	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Permissions []Permission `json:"permissions,omitempty"`
}

// Place says where the role is found. Its name is unique.
func (r *Role) Place() directory.Place {
	return directory.Place{Noun: directory.TenantRoleNoun, Key: directory.Fold(r.Name)}
}

func (r *Role) target() directory.Target {
	return directory.Target{Type: "Role", ID: r.ID, DisplayName: r.Name}
}

// RoleEdit is a change to a role. Nil fields stay as they are.
type RoleEdit struct{ Name, Description *string }

// CreateRole adds a role. A name that is taken is a fault.Conflict with
// Violations.
func (t *Tenant) CreateRole(ctx context.Context, actor directory.Actor, name, description string) (*Role, error) {
	role := &Role{
		Meta: directory.Meta{ID: t.Directory.IDs.Auth0("rol"), Realm: t.Realm},
		Name: name, Description: description,
	}
	err := t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := free[Role](tx, t.Realm, role.Place().Key, "name", ""); err != nil {
			return err
		}
		return t.Directory.InsertObject(tx, role, t.event(actor, "auth0.role.create", role.target()))
	})
	if err != nil {
		return nil, err
	}
	return role, nil
}

// Role returns a role by its id.
func (t *Tenant) Role(ctx context.Context, id string) (*Role, error) { return get[Role](ctx, t, id) }

// Roles returns roles whose name has a text in it, compared without case; empty
// is all.
func (t *Tenant) Roles(ctx context.Context, name string, w Window) (p Page[*Role], err error) {
	name = directory.Fold(name)
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pageOf(r, directory.RecordQuery{Realm: t.Realm}, w, w.After.ID, func(role *Role) bool {
			return strings.Contains(directory.Fold(role.Name), name)
		})
		return err
	})
	return p, err
}

// EditRole changes a role.
func (t *Tenant) EditRole(ctx context.Context, actor directory.Actor, id string, e RoleEdit) (*Role, error) {
	return amend(ctx, t, id, t.event(actor, "auth0.role.update"), func(tx directory.Tx, role *Role) error {
		if e.Description != nil {
			role.Description = *e.Description
		}
		if e.Name == nil {
			return nil
		}
		role.Name = *e.Name
		return free[Role](tx, t.Realm, role.Place().Key, "name", id)
	})
}

// DeleteRole removes a role from the tenant, its users, and the members of
// organizations.
func (t *Tenant) DeleteRole(ctx context.Context, actor directory.Actor, id string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		role, err := directory.Get[Role](tx, t.Realm, id)
		if err != nil {
			return err
		}
		if _, err := tx.DeleteRecords(directory.RecordQuery{Realm: t.Realm, Noun: directory.RoleMemberNoun, Parent: id}); err != nil {
			return err
		}
		// The roles of members are not looked up by role: those that are gone are
		// left out when they are read, and no other role will have the id.
		return t.Directory.DeleteObject(tx, role, t.event(actor, "auth0.role.delete", role.target()))
	})
}

// roleMember says that a user has a role.
type roleMember struct {
	directory.Meta

	Role    string `json:"role"`
	Account string `json:"account"`
}

func (m *roleMember) Place() directory.Place {
	return directory.Place{
		Noun: directory.RoleMemberNoun, Parent: m.Role, Subject: m.Account, Key: memberKey(m.Role, m.Account),
	}
}

// AssignRoles gives roles to a user. Those that the user has stay.
func (t *Tenant) AssignRoles(ctx context.Context, actor directory.Actor, account string, roles []string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		for _, role := range roles {
			if err := t.assign(tx, actor, role, account); err != nil {
				return err
			}
		}
		return nil
	})
}

// AssignUsers gives a role to users.
func (t *Tenant) AssignUsers(ctx context.Context, actor directory.Actor, role string, accounts []string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		for _, account := range accounts {
			if err := t.assign(tx, actor, role, account); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tenant) assign(tx directory.Tx, actor directory.Actor, roleID, accountID string) error {
	account, err := tx.Account(t.Realm, accountID)
	if err != nil {
		return err
	}
	role, err := directory.Get[Role](tx, t.Realm, roleID)
	if err != nil {
		return err
	}
	_, err = directory.GetByKey[roleMember](tx, t.Realm, memberKey(roleID, accountID))
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	e := t.event(actor, "auth0.role.assign", userTarget(account), role.target())
	e.Target = accountID
	return t.Directory.InsertObject(tx, &roleMember{
		Meta: directory.Meta{ID: memberID(roleID, Mark{e.At, accountID}), Realm: t.Realm},
		Role: roleID, Account: accountID,
	}, e)
}

// UnassignRoles takes roles from a user; those that the user does not have are
// no error.
func (t *Tenant) UnassignRoles(ctx context.Context, actor directory.Actor, accountID string, roles []string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		account, err := tx.Account(t.Realm, accountID)
		if err != nil {
			return err
		}
		for _, role := range roles {
			m, err := directory.GetByKey[roleMember](tx, t.Realm, memberKey(role, accountID))
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			e := t.event(actor, "auth0.role.unassign", userTarget(account), directory.Target{Type: "Role", ID: role})
			e.Target = accountID
			if err := t.Directory.DeleteObject(tx, m, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// UserRoles returns the roles of a user, those in organizations excepted.
func (t *Tenant) UserRoles(ctx context.Context, account string, w Window) (p Page[*Role], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		list, err := t.userRoles(r, account)
		p = Cut(list, w)
		return err
	})
	return p, err
}

// userRoles returns all roles of a user, in the order of their ids.
func (t *Tenant) userRoles(r directory.Reader, account string) ([]*Role, error) {
	if _, err := r.Account(t.Realm, account); err != nil {
		return nil, err
	}
	members, err := directory.All[roleMember](r, directory.RecordQuery{Realm: t.Realm, Subject: account}, 0, nil)
	if err != nil {
		return nil, err
	}
	var out []*Role
	for _, m := range members {
		role, err := directory.Get[Role](r, t.Realm, m.Role)
		if err != nil {
			return nil, err
		}
		out = append(out, role)
	}
	slices.SortFunc(out, func(a, b *Role) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// RoleUsers returns the users that have a role, in the order in which they got it.
func (t *Tenant) RoleUsers(ctx context.Context, role string, w Window) (p Page[Member], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := directory.Get[Role](r, t.Realm, role); err != nil {
			return err
		}
		found, err := pageOf[roleMember](r, directory.RecordQuery{Realm: t.Realm, Parent: role}, w, memberID(role, w.After), nil)
		if err != nil {
			return err
		}
		p, err = convert(found, func(m *roleMember) (Member, error) { return t.member(r, m.Account, m.Created) })
		return err
	})
	return p, err
}
