package directory

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// UserType is a sort of user with a schema of its own.
type UserType struct {
	Meta
	Name        string `json:"name"` // unique, and never changed
	DisplayName string `json:"displayName"`
	Description string `json:"description,omitempty"`
	CreatedBy   string `json:"createdBy"` // id of the actor
	UpdatedBy   string `json:"updatedBy"`
}

// DefaultUserType is the id of the user type that every realm has. It is stored
// only once it was changed.
const DefaultUserType = "oty0default0000001d7"

// systemActor is who made the default user type.
const systemActor = "spr0system00000001d7"

// maxUserTypes is how many user types a realm may have beside the default one
// (Okta OpenAPI: createUserType).
const maxUserTypes = 9

func (t *UserType) Place() Place { return Place{Noun: UserTypeNoun, Key: strings.ToLower(t.Name)} }

func (t *UserType) target() Target {
	return Target{Type: "UserType", ID: t.ID, DisplayName: t.DisplayName}
}

// Default reports whether it is the type that every realm has.
func (t *UserType) Default() bool { return t.ID == DefaultUserType }

// UserType returns a user type; "default" is the default one.
func (d *Directory) UserType(ctx context.Context, realm, id string) (t *UserType, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		t, err = userType(r, realm, id)
		return err
	})
	return t, err
}

func userType(r Reader, realm, id string) (*UserType, error) {
	if id != "default" && id != DefaultUserType {
		return get[UserType](r, realm, id)
	}
	owner, err := r.Realm(realm)
	if err != nil {
		return nil, err
	}
	t, err := get[UserType](r, realm, DefaultUserType)
	if fault.Is(err, fault.NotFound) {
		t, err = &UserType{
			Meta: Meta{ID: DefaultUserType, Realm: realm, Updated: owner.Created},
			Name: "user", DisplayName: "User", Description: "Okta user profile template with default permission settings",
			CreatedBy: systemActor, UpdatedBy: systemActor,
		}, nil
	}
	if err != nil {
		return nil, err
	}
	t.Created = owner.Created // whenever it was first changed
	return t, nil
}

// UserTypes returns the user types of a realm, the default one first.
func (d *Directory) UserTypes(ctx context.Context, realm string) (out []*UserType, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		first, err := userType(r, realm, DefaultUserType)
		if err != nil {
			return err
		}
		rest, err := all(r, RecordQuery{Realm: realm}, 0, func(t *UserType) bool { return !t.Default() })
		out = append([]*UserType{first}, rest...)
		return err
	})
	return out, err
}

// typeName is the form of names (Okta OpenAPI: UserType).
var typeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// CreateUserType adds a user type whose schema starts as a copy of the default
// type's.
func (d *Directory) CreateUserType(ctx context.Context, actor Actor, realm string, t UserType) (*UserType, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	t.Meta = Meta{ID: d.IDs.Okta("oty"), Realm: realm}
	t.CreatedBy, t.UpdatedBy = actor.ID, actor.ID
	err := d.Store.Update(ctx, func(tx Tx) error {
		first, err := userType(tx, realm, DefaultUserType)
		if err != nil {
			return err
		}
		others, err := all(tx, RecordQuery{Realm: realm}, 0, func(t *UserType) bool { return !t.Default() })
		if err != nil {
			return err
		}
		taken := func(other *UserType) bool { return strings.EqualFold(other.Name, t.Name) }
		switch {
		case taken(first), slices.ContainsFunc(others, taken):
			return Duplicate("name")
		case len(others) >= maxUserTypes:
			return Violations{{Field: "userTypes", Rule: TooMany, Limit: maxUserTypes + 1}}.err()
		}
		template, err := d.shape(tx, realm, SchemaOf(DefaultUserType))
		if err != nil {
			return err
		}
		schema := template.Schema
		schema.Meta = Meta{ID: SchemaOf(t.ID), Realm: realm}
		c := change{at: d.now(), actor: actor, kind: "directory.non_default_user_profile.create", targets: []Target{t.target()}}
		if err := d.insertObject(tx, &schema, c); err != nil {
			return err
		}
		return d.insertObject(tx, &t, c)
	})
	if err != nil {
		return nil, err
	}
	return &t, nil
}

func (t *UserType) check() error {
	var v Violations
	switch {
	case t.Name == "":
		v = append(v, Violation{Field: "name", Rule: Blank})
	case !typeName.MatchString(t.Name):
		v = append(v, Violation{Field: "name", Rule: WrongValue})
	}
	if t.DisplayName == "" {
		v = append(v, Violation{Field: "displayName", Rule: Blank})
	}
	return v.err()
}

// UserTypeEdit is a change to a user type. Nil fields stay as they are; a name
// may be given and must be the one the type has.
type UserTypeEdit struct{ Name, DisplayName, Description *string }

// EditUserType changes what people read of a user type.
func (d *Directory) EditUserType(ctx context.Context, actor Actor, realm, id string, e UserTypeEdit) (after *UserType, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := userType(tx, realm, id)
		if err != nil {
			return err
		}
		edited := *before
		if e.Name != nil && *e.Name != before.Name {
			return Violations{{Field: "name", Rule: WrongValue}}.err()
		}
		if e.DisplayName != nil {
			edited.DisplayName = *e.DisplayName
		}
		if e.Description != nil {
			edited.Description = *e.Description
		}
		if err := edited.check(); err != nil {
			return err
		}
		edited.UpdatedBy = actor.ID
		if err := d.saveUserType(tx, actor, before, &edited); err != nil {
			return err
		}
		edited.Created = before.Created
		after = &edited
		return nil
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

func (d *Directory) saveUserType(tx Tx, actor Actor, before, after *UserType) error {
	c := change{at: d.now(), actor: actor, kind: "directory.user_profile.update", targets: []Target{after.target()}}
	if before.Version == 0 {
		return d.insertObject(tx, after, c)
	}
	return d.updateObject(tx, before, after, c)
}

// TypeInUse says that a user type cannot be deleted: it is the default one, or
// accounts have it. It is the cause of a fault.Conflict.
type TypeInUse struct{ ID string }

func (e *TypeInUse) Error() string { return "user type " + e.ID + " is in use" }

// DeleteUserType removes a user type that no account has, with its schema.
func (d *Directory) DeleteUserType(ctx context.Context, actor Actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		t, err := userType(tx, realm, id)
		if err != nil {
			return err
		}
		used, err := inUse(tx, t)
		if err != nil {
			return err
		}
		if used {
			return fault.Wrap(fault.Conflict, &TypeInUse{t.ID}, "the user type %q is in use", t.Name)
		}
		if err := tx.DeleteRecord(realm, SchemaNoun, SchemaOf(t.ID)); err != nil {
			return err
		}
		return d.deleteObject(tx, t, change{at: d.now(), actor: actor, kind: "directory.user_profile.update", targets: []Target{t.target()}})
	})
}

func inUse(r Reader, t *UserType) (bool, error) {
	if t.Default() {
		return true, nil
	}
	for a, err := range r.Accounts(AccountQuery{Realm: t.Realm}) {
		if err != nil {
			return false, err
		}
		if a.UserType() == t.ID {
			return true, nil
		}
	}
	return false, nil
}
