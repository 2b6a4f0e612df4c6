package directory

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Schema is what an org defines of the profiles of one user type, or of groups:
// custom attributes, and the little that may be changed of the base ones. An
// org that never changed anything has no stored schema at all.
type Schema struct {
	Meta
	Custom []Attribute           `json:"custom,omitempty"`
	Base   map[string]BaseChange `json:"base,omitempty"` // by name of the attribute
}

// BaseChange is what may be changed of a base attribute of users; nil fields
// leave it as it is.
type BaseChange struct {
	Required    *bool        `json:"required,omitempty"` // firstName and lastName
	Pattern     *string      `json:"pattern,omitempty"`  // login
	Permissions []Permission `json:"permissions,omitempty"`
	Master      *Master      `json:"master,omitempty"`
}

// SchemaChange is a change to a schema. What it does not name stays.
type SchemaChange struct {
	Set    []Attribute // custom attributes, new or to be replaced
	Remove []string    // custom attributes; their values go with them
	Base   map[string]BaseChange
}

// GroupSchema is the id of the one schema of groups.
const GroupSchema = "oscgroup"

// SchemaOf returns the id of the schema of a user type: recorded traffic shows
// that they differ in the prefix only.
func SchemaOf(userType string) string { return "osc" + userType[min(len(userType), 3):] }

func (s *Schema) Place() Place { return Place{Noun: SchemaNoun} }

// baseAttributes are those that a schema starts from.
func (s *Schema) baseAttributes() []Attribute {
	if s.ID == GroupSchema {
		return oktaGroupProfile
	}
	return OktaProfile
}

// Shape is a schema made ready to check profiles. It is not changed once made.
type Shape struct {
	Schema     Schema
	attributes []Attribute // base ones first
	index      map[string]int
	unique     []string // names of attributes
	defaults   map[string]any
}

// Base returns the base attributes with what the org changed of them.
func (s *Shape) Base() []Attribute { return s.attributes[:len(s.attributes)-len(s.Schema.Custom)] }

// Custom returns the attributes that the org added, in the order of addition.
func (s *Shape) Custom() []Attribute { return s.attributes[len(s.attributes)-len(s.Schema.Custom):] }

// Attribute returns the definition of an attribute.
func (s *Shape) Attribute(name string) (Attribute, bool) {
	i, ok := s.index[name]
	if !ok {
		return Attribute{}, false
	}
	return s.attributes[i], true
}

// compile makes a schema ready.
func (s *Schema) compile() (*Shape, error) { return s.compileOver(s.baseAttributes()) }

// compileOver makes a schema with these base attributes ready.
func (s *Schema) compileOver(base []Attribute) (*Shape, error) {
	shape := &Shape{Schema: *s, index: map[string]int{}}
	for _, a := range base {
		shape.attributes = append(shape.attributes, s.Base[a.Name].apply(a))
	}
	shape.attributes = append(shape.attributes, s.Custom...)
	for i := range shape.attributes {
		a := &shape.attributes[i]
		shape.index[a.Name] = i
		if a.Unique {
			shape.unique = append(shape.unique, a.Name)
		}
		if a.Default != nil {
			if shape.defaults == nil {
				shape.defaults = map[string]any{}
			}
			shape.defaults[a.Name] = a.Default
		}
		if a.Pattern != "" {
			var err error
			if a.pattern, err = wholePattern(a.Pattern); err != nil {
				return nil, fault.Wrap(fault.Internal, err, "the pattern of %s cannot be read", a.Name)
			}
		}
	}
	return shape, nil
}

// wholePattern compiles a pattern that must match all of a value.
func wholePattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`^(?:` + pattern + `)$`)
}

// compiled returns the attribute with its pattern, which must be a good one, ready.
func (a Attribute) compiled() *Attribute {
	if a.Pattern != "" {
		a.pattern, _ = wholePattern(a.Pattern)
	}
	return &a
}

func (c BaseChange) apply(a Attribute) Attribute {
	if c.Required != nil {
		a.Required = *c.Required
		if !a.Required {
			a.Min = 0
		}
	}
	if c.Pattern != nil {
		a.Pattern = *c.Pattern
	}
	if c.Permissions != nil {
		a.Permissions = c.Permissions
	}
	if c.Master != nil {
		a.Master = c.Master
	}
	return a
}

// merge lays one change over another.
func (c BaseChange) merge(next BaseChange) BaseChange {
	if next.Required != nil {
		c.Required = next.Required
	}
	if next.Pattern != nil {
		c.Pattern = next.Pattern
	}
	if next.Permissions != nil {
		c.Permissions = next.Permissions
	}
	if next.Master != nil {
		c.Master = next.Master
	}
	return c
}

// shapes keeps schemas that are ready, so that a write reads one small record
// and compiles nothing. A copy is good as long as the stored version is its own.
type shapes struct {
	mu    sync.Mutex
	known map[[2]string]*Shape // by realm and id of the schema
}

func newShapes() *shapes { return &shapes{known: map[[2]string]*Shape{}} }

// shape returns the schema with an id, ready. Within a transaction that changes
// schemas it must not be used: what is undone later would stay in memory.
func (d *Directory) shape(r Reader, realm, id string) (*Shape, error) {
	record, err := r.Record(realm, SchemaNoun, id)
	if fault.Is(err, fault.NotFound) && (id == GroupSchema || id == SchemaOf(DefaultUserType)) {
		record, err = &Record{Realm: realm, ID: id}, nil
	}
	if err != nil {
		return nil, err
	}
	d.shapes.mu.Lock()
	defer d.shapes.mu.Unlock()
	key := [2]string{realm, id}
	if s := d.shapes.known[key]; s != nil && s.Schema.Version == record.Version {
		return s, nil
	}
	schema, err := schemaOf(record)
	if err != nil {
		return nil, err
	}
	s, err := schema.compile()
	if err != nil {
		return nil, err
	}
	d.shapes.known[key] = s
	return s, nil
}

// schemaOf reads a stored schema; version 0 is the one that nobody changed.
func schemaOf(r *Record) (*Schema, error) {
	if r.Version == 0 {
		return &Schema{Meta: Meta{ID: r.ID, Realm: r.Realm}}, nil
	}
	return read[Schema](r)
}

// Schema returns a schema by its id; "default" is that of the default user type.
func (d *Directory) Schema(ctx context.Context, realm, id string) (s *Shape, err error) {
	if id == "default" {
		id = SchemaOf(DefaultUserType)
	}
	err = d.Store.View(ctx, func(r Reader) error {
		owner, err := r.Realm(realm)
		if err != nil {
			return err
		}
		known, err := d.shape(r, realm, id)
		if err != nil {
			return err
		}
		own := *known
		if id == GroupSchema || id == SchemaOf(DefaultUserType) {
			own.Schema.Created = owner.Created // as old as the realm, whenever it was first changed
		}
		if own.Schema.Version == 0 {
			own.Schema.Updated = owner.Created
		}
		s = &own
		return nil
	})
	return s, err
}

// EditSchema changes a schema and what follows from it: values of attributes
// that are removed go, and attributes that become unique must be so already.
// Violations as for accounts, under the attribute's name.
func (d *Directory) EditSchema(ctx context.Context, actor Actor, realm, id string, change SchemaChange) error {
	if id == "default" {
		id = SchemaOf(DefaultUserType)
	}
	return d.Store.Update(ctx, func(tx Tx) error {
		before, err := d.shape(tx, realm, id)
		if err != nil {
			return err
		}
		schema, err := before.Schema.with(change)
		if err != nil {
			return err
		}
		after, err := schema.compile()
		if err != nil {
			return err
		}
		now := d.now()
		if err := d.saveSchema(tx, actor, &before.Schema, schema, now); err != nil {
			return err
		}
		if id == GroupSchema {
			return d.reshapeGroups(tx, before, after)
		}
		return d.reshapeAccounts(tx, realm, before, after)
	})
}

func (d *Directory) saveSchema(tx Tx, actor Actor, before, after *Schema, at time.Time) error {
	c := change{at: at, actor: actor, kind: "directory.user_profile.update", targets: []Target{after.target()}}
	if before.Version == 0 {
		return d.insertObject(tx, after, c)
	}
	return d.updateObject(tx, before, after, c)
}

func (s *Schema) target() Target { return Target{Type: "Schema", ID: s.ID} }

// with returns the schema with a change, or what is wrong with the change.
func (s *Schema) with(change SchemaChange) (*Schema, error) {
	return s.withOver(s.baseAttributes(), change)
}

// withOver is with for a schema with these base attributes.
func (s *Schema) withOver(base []Attribute, change SchemaChange) (*Schema, error) {
	after := *s
	after.Custom = slices.Clone(s.Custom)
	after.Base = maps.Clone(s.Base)
	after.Custom = slices.DeleteFunc(after.Custom, func(a Attribute) bool { return slices.Contains(change.Remove, a.Name) })
	var v Violations
	for _, a := range change.Set {
		at := slices.IndexFunc(after.Custom, func(old Attribute) bool { return old.Name == a.Name })
		if at >= 0 && a.Type == "" {
			a.Type = after.Custom[at].Type
		}
		a.complete()
		v = append(v, a.define(base)...)
		switch {
		case at < 0:
			after.Custom = append(after.Custom, a)
		case after.Custom[at].Type != a.Type:
			v = append(v, Violation{Field: a.Name, Rule: WrongType})
		default:
			after.Custom[at] = a
		}
	}
	for name, change := range change.Base {
		v = append(v, change.check(name)...)
		if after.Base == nil {
			after.Base = map[string]BaseChange{}
		}
		after.Base[name] = after.Base[name].merge(change)
	}
	return &after, v.err()
}

// complete fills what a new attribute need not say (recorded).
func (a *Attribute) complete() {
	if a.Mutability == "" {
		a.Mutability = "READ_WRITE"
	}
	if a.Scope == "" {
		a.Scope = "NONE"
	}
	if a.Master == nil {
		a.Master = &Master{Type: profileMaster}
	}
	if a.Permissions == nil {
		a.Permissions = []Permission{{Principal: "SELF", Action: readOnlyBySelf}}
	}
}

const profileMaster = "PROFILE_MASTER"

// attributeName is the form of names (Okta help: variable names).
var attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)

// define returns what is wrong with the definition of a custom attribute.
func (a *Attribute) define(base []Attribute) Violations {
	wrong := func(rule Rule) Violations { return Violations{{Field: a.Name, Rule: rule}} }
	types := []AttributeType{TextType, BoolType, NumberType, IntegerType, ArrayType}
	switch {
	case !attributeName.MatchString(a.Name):
		return wrong(WrongValue)
	case slices.ContainsFunc(base, func(b Attribute) bool { return b.Name == a.Name }):
		return wrong(Taken)
	case a.Title == "":
		return Violations{{Field: "title", Rule: Blank}}
	case !slices.Contains(types, a.Type):
		return wrong(WrongType)
	case (a.Type == ArrayType) != (a.Items != nil):
		return wrong(WrongType)
	case a.Items != nil && !slices.Contains([]AttributeType{TextType, NumberType, IntegerType}, a.Items.Type):
		return wrong(WrongType)
	case a.Unique && (a.Type == ArrayType || a.Type == BoolType):
		return wrong(WrongValue)
	case a.Min < 0, a.Max < 0, a.Max > 0 && a.Min > a.Max, !validBounds(a.Minimum, a.Maximum):
		return wrong(WrongValue)
	case !slices.Contains([]string{"READ_WRITE", "READ_ONLY", "WRITE_ONLY", "IMMUTABLE"}, a.Mutability):
		return wrong(WrongValue)
	case !slices.Contains([]string{"NONE", "SELF"}, a.Scope):
		return wrong(WrongValue)
	}
	if _, err := wholePattern(a.Pattern); err != nil {
		return wrong(WrongValue)
	}
	if !validEnum(a.Type, a.Enum, a.OneOf) || a.Items != nil && !validEnum(a.Items.Type, a.Items.Enum, a.Items.OneOf) {
		return wrong(WrongValue)
	}
	if a.Default != nil {
		return a.compiled().check(a.Default)
	}
	return nil
}

func validBounds(low, high json.Number) bool {
	return low == "" || high == "" || value.CompareNumbers(low, high) <= 0
}

// validEnum checks an enumeration: values of the attribute's type, none twice,
// and names, if any, for the same values in the same order.
func validEnum(t AttributeType, enum []any, names []Choice) bool {
	for i, v := range enum {
		if !t.holds(v) || slices.ContainsFunc(enum[:i], func(w any) bool { return sameScalar(v, w) }) {
			return false
		}
	}
	if len(names) == 0 {
		return true
	}
	return slices.EqualFunc(enum, names, func(v any, c Choice) bool { return sameScalar(v, c.Const) })
}

// check returns what is wrong with a change to a base attribute (Okta OpenAPI:
// updateUserProfile): whether the names are required, the pattern of logins,
// permissions and sources of all.
func (c BaseChange) check(name string) Violations {
	known := slices.IndexFunc(OktaProfile, func(a Attribute) bool { return a.Name == name })
	if known < 0 {
		return Violations{{Field: name, Rule: Undefined}}
	}
	mayBeOptional := name == "firstName" || name == "lastName"
	if c.Required != nil && *c.Required != OktaProfile[known].Required && !mayBeOptional {
		return Violations{{Field: name, Rule: WrongValue}}
	}
	if c.Pattern != nil {
		if _, err := wholePattern(*c.Pattern); err != nil || name != "login" {
			return Violations{{Field: name, Rule: WrongValue}}
		}
	}
	return nil
}
