package directory

import (
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// SourceApp is the kind of application that an identity source is.
const SourceApp = "custom_identity_source"

// sourceProfile is what a new identity source says of people (recorded, in this
// order; lengths: Okta OpenAPI 2026.06.3, IdentitySourceUserProfileForUpsert).
// homeAddress is described there too, but no recorded source has it: an org adds
// it like any other.
// Whether an attribute must be there is decided by who uses it: a bulk load may
// lack what a single person needs.
var sourceProfile = []Attribute{
	base("firstName", "First name", readOnlyBySelf, Attribute{Min: 1, Max: 50}),
	base("lastName", "Last name", readOnlyBySelf, Attribute{Min: 1, Max: 50}),
	base("mobilePhone", "Mobile phone", readOnlyBySelf, Attribute{Max: 100}),
	base("secondEmail", "Second email", readOnlyBySelf, Attribute{Format: "email", Min: 5, Max: 100}),
	base("userName", "Username", readOnlyBySelf, Attribute{Max: 100}),
	base("email", "Email", readOnlyBySelf, Attribute{Format: "email", Min: 5, Max: 100}),
}

// appProfile is what every other application says of people.
var appProfile = []Attribute{base("userName", "Username", readOnlyBySelf, Attribute{Max: 100})}

// appSchema is the Schema of the profile that people have in an application.
type appSchema struct {
	Schema
	Source bool `json:"source,omitempty"` // of an identity source, rather than of another application
}

func (s *appSchema) Place() Place { return Place{Noun: AppSchemaNoun, Parent: s.ID} }

func (s *appSchema) base() []Attribute {
	if s.Source {
		return sourceProfile
	}
	return appProfile
}

// storedAppSchema returns the schema of an application; version 0 is the one
// that nobody changed.
func storedAppSchema(r Reader, app *App) (*appSchema, error) {
	s, err := get[appSchema](r, app.Realm, app.ID)
	if fault.Is(err, fault.NotFound) {
		return &appSchema{Schema: Schema{Meta: Meta{ID: app.ID, Realm: app.Realm}}, Source: app.Name == SourceApp}, nil
	}
	return s, err
}

// AppShape returns what a profile in an application may hold, ready to check
// profiles. Its schema has the id of the application.
func (d *Directory) AppShape(r Reader, app *App) (*Shape, error) {
	s, err := storedAppSchema(r, app)
	if err != nil {
		return nil, err
	}
	shape, err := s.compileOver(s.base())
	if err != nil {
		return nil, err
	}
	if s.Version == 0 {
		shape.Schema.Created, shape.Schema.Updated = app.Created, app.Created
	}
	return shape, nil
}

// AppSchema returns the schema of the people of an application.
func (d *Directory) AppSchema(ctx context.Context, realm, appID string) (app *App, shape *Shape, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if app, err = get[App](r, realm, appID); err != nil {
			return err
		}
		shape, err = d.AppShape(r, app)
		return err
	})
	return app, shape, err
}

// EditAppSchema changes the custom attributes of the people of an application.
// What is said of people already stays until it is said again; base attributes
// cannot be changed. Violations under the attribute's name.
func (d *Directory) EditAppSchema(ctx context.Context, actor Actor, realm, appID string, edit SchemaChange) error {
	edit.Base = nil
	return d.Store.Update(ctx, func(tx Tx) error {
		app, err := get[App](tx, realm, appID)
		if err != nil {
			return err
		}
		before, err := storedAppSchema(tx, app)
		if err != nil {
			return err
		}
		schema, err := before.withOver(before.base(), edit)
		if err != nil {
			return err
		}
		after := &appSchema{Schema: *schema, Source: before.Source}
		if _, err := after.compileOver(after.base()); err != nil {
			return err
		}
		c := change{at: d.now(), actor: actor, kind: "directory.app_user_profile.update", targets: []Target{app.target()}}
		if before.Version == 0 {
			return d.insertObject(tx, after, c)
		}
		return d.updateObject(tx, before, after, c)
	})
}

// CheckGiven returns what is wrong with the attributes that a profile names; it
// may lack any. Names that the schema does not have are Undefined.
func (s *Shape) CheckGiven(profile map[string]any) Violations {
	v := s.checkProfile(profile)
	return slices.DeleteFunc(v, func(one Violation) bool { return one.Rule == Blank })
}

// Attributes returns all attributes, base ones first.
func (s *Shape) Attributes() []Attribute { return slices.Clone(s.attributes) }
