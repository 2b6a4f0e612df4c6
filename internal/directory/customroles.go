package directory

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// CustomRole is an admin role that the org has made itself out of permissions.
type CustomRole struct {
	Meta
	Label       string   `json:"label"`
	Description string   `json:"description"`
	Permissions []string `json:"permissions"`
}

// What is not found of custom roles.
const (
	CustomRoleNoun  Noun = "custom role"
	ResourceSetNoun Noun = "resource set"
)

func (r *CustomRole) Place() Place { return Place{Noun: CustomRoleNoun, Key: Fold(r.Label)} }

func (r *CustomRole) target() Target {
	return Target{Type: "CUSTOM_ROLE", ID: r.ID, DisplayName: r.Label}
}

// CreateCustomRole adds a custom role. A taken label is a *RoleError.
func (d *Directory) CreateCustomRole(ctx context.Context, actor Actor, realm, label, description string, permissions []string) (*CustomRole, error) {
	v := (&Attribute{Name: "label", Type: TextType, Required: true, Max: 255}).check(label)
	v = append(v, (&Attribute{Name: "description", Type: TextType, Required: true, Max: 1024}).check(description)...)
	if err := v.err(); err != nil {
		return nil, err
	}
	var role *CustomRole
	err := d.Store.Update(ctx, func(tx Tx) error {
		_, err := getByKey[CustomRole](tx, realm, Fold(label))
		if err == nil {
			return roleRefused(fault.Conflict, RoleLabelTaken, label, "there is a custom role %q already", label)
		}
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		role = &CustomRole{Meta: Meta{ID: d.IDs.Okta("cr0"), Realm: realm}, Label: label, Description: description, Permissions: permissions}
		return d.insertObject(tx, role, change{at: d.now(), actor: actor, kind: "iam.role.create", targets: []Target{role.target()}})
	})
	if err != nil {
		return nil, err
	}
	return role, nil
}

// CustomRole returns a custom role by its id or label.
func (d *Directory) CustomRole(ctx context.Context, realm, ref string) (role *CustomRole, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		role, err = findCustomRole(r, realm, ref)
		return err
	})
	return role, err
}

func findCustomRole(r Reader, realm, ref string) (*CustomRole, error) {
	role, err := get[CustomRole](r, realm, ref)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return role, err
	}
	role, err = getByKey[CustomRole](r, realm, Fold(ref))
	if fault.Is(err, fault.NotFound) {
		return nil, NotFound(CustomRoleNoun, ref)
	}
	return role, err
}

// CustomRoles returns the custom roles behind the id after, at most limit of
// them (0: all), in the order of their ids.
func (d *Directory) CustomRoles(ctx context.Context, realm, after string, limit int) (roles []*CustomRole, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		roles, err = all[CustomRole](r, RecordQuery{Realm: realm, After: after}, limit, nil)
		return err
	})
	return roles, err
}

// DeleteCustomRole removes a custom role and its assignments.
func (d *Directory) DeleteCustomRole(ctx context.Context, actor Actor, realm, ref string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		role, err := findCustomRole(tx, realm, ref)
		if err != nil {
			return err
		}
		assigned, err := all(tx, RecordQuery{Realm: realm}, 0, func(r *Role) bool { return r.CustomRole == role.ID })
		if err != nil {
			return err
		}
		now := d.now()
		for _, a := range assigned {
			others, err := rolesAssigned(tx, realm, a.Assignee)
			if err != nil {
				return err
			}
			if err := d.deleteObject(tx, a, privilege(a, actor, now, len(others) > 1)); err != nil {
				return err
			}
		}
		return d.deleteObject(tx, role, change{at: now, actor: actor, kind: "iam.role.delete", targets: []Target{role.target()}})
	})
}
