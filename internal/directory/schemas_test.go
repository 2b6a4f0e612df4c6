package directory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// custom is one attribute for each rule that a schema can make.
var custom = []directory.Attribute{
	{Name: "nick", Title: "Nick", Type: directory.TextType, Min: 2, Max: 4},
	{Name: "code", Title: "Code", Type: directory.TextType, Pattern: "[A-Z]{2}[0-9]+"},
	{Name: "size", Title: "Size", Type: directory.TextType, Enum: []any{"S", "M"}, OneOf: []directory.Choice{{Const: "S", Title: "Small"}, {Const: "M", Title: "Medium"}}},
	{Name: "badge", Title: "Badge", Type: directory.TextType, Unique: true},
	{Name: "seat", Title: "Seat", Type: directory.IntegerType, Unique: true},
	{Name: "years", Title: "Years", Type: directory.IntegerType, Minimum: "0", Maximum: "99"},
	{Name: "rate", Title: "Rate", Type: directory.NumberType, Enum: []any{json.Number("1"), json.Number("2.5")}},
	{Name: "remote", Title: "Remote", Type: directory.BoolType},
	{Name: "tags", Title: "Tags", Type: directory.ArrayType, Items: &directory.Items{Type: directory.TextType, Enum: []any{"a", "b"}}},
	{Name: "floors", Title: "Floors", Type: directory.ArrayType, Items: &directory.Items{Type: directory.IntegerType}},
	{Name: "origin", Title: "Origin", Type: directory.TextType, Mutability: "IMMUTABLE"},
	{Name: "fixed", Title: "Fixed", Type: directory.TextType, Mutability: "READ_ONLY"},
	{Name: "site", Title: "Site", Type: directory.TextType, Default: "HQ"},
}

func (b bench) schema(id string, change directory.SchemaChange) {
	b.t.Helper()
	if err := b.EditSchema(b.t.Context(), me, org, id, change); err != nil {
		b.t.Fatalf("EditSchema: %v", err)
	}
}

func TestCustomAttributes(t *testing.T) {
	t.Parallel()
	number := func(s string) json.Number { return json.Number(s) }
	tests := []struct {
		name string
		v    any
		rule directory.Rule // "" when the value is good
	}{
		{"nick", "ann", ""}, {"nick", "x", directory.TooShort}, {"nick", "ännchen", directory.TooLong}, {"nick", number("12"), directory.WrongType},
		{"code", "DE12", ""}, {"code", "xDE12", directory.Pattern}, {"code", "DE12x", directory.Pattern},
		{"size", "M", ""}, {"size", "XL", directory.WrongValue},
		{"years", number("99"), ""}, {"years", number("100"), directory.WrongValue}, {"years", number("-1"), directory.WrongValue}, {"years", number("1.5"), directory.WrongType}, {"years", "5", directory.WrongType},
		{"rate", number("2.50"), ""}, {"rate", number("2"), directory.WrongValue},
		{"remote", true, ""}, {"remote", "true", directory.WrongType},
		{"tags", []any{"a", "b", "a"}, ""}, {"tags", []any{"a", "c"}, directory.WrongValue}, {"tags", []any{number("1")}, directory.WrongType}, {"tags", "a", directory.WrongType},
		{"floors", []any{number("1"), number("2")}, ""}, {"floors", []any{"1"}, directory.WrongType},
		{"shoe", "44", directory.Undefined}, {"nick", nil, ""},
	}
	b := newBench(t)
	b.schema("default", directory.SchemaChange{Set: custom})
	for i, test := range tests {
		d := draft(fmt.Sprintf("u%d@example.com", i))
		d.Profile[test.name] = test.v
		_, err := b.CreateAccount(t.Context(), me, org, d)
		var v directory.Violations
		errors.As(err, &v)
		if test.rule == "" && err != nil || test.rule != "" && (len(v) != 1 || v[0].Field != test.name || v[0].Rule != test.rule) {
			t.Errorf("%s = %v: %v, want %q", test.name, test.v, err, test.rule)
		}
	}
}

func TestDefaultsAndMutability(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.schema("default", directory.SchemaChange{Set: custom})
	d := draft("a@example.com")
	d.Profile["origin"], d.Profile["fixed"] = "here", "so"
	a := b.create(d)
	if a.Text("site") != "HQ" {
		t.Errorf("site = %q, want the default", a.Text("site"))
	}
	edit := func(profile map[string]any) error {
		_, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Profile: profile})
		return err
	}
	for name, rule := range map[string]directory.Rule{"origin": directory.Immutable, "fixed": directory.ReadOnly} {
		var v directory.Violations
		if err := edit(map[string]any{name: "other"}); !errors.As(err, &v) || v[0].Rule != rule || v[0].Field != name {
			t.Errorf("new value for %s: %v, want %s", name, err, rule)
		}
	}
	if err := edit(map[string]any{"origin": "here", "fixed": "so", "site": "Annex"}); err != nil {
		t.Errorf("the same values: %v", err)
	}
}

// TestUnique makes sure that unique values are so over creation, change,
// removal, change of the schema and user types.
func TestUnique(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.schema("default", directory.SchemaChange{Set: custom})
	with := func(login string, profile map[string]any) (*directory.Account, error) {
		d := draft(login)
		for k, v := range profile {
			d.Profile[k] = v
		}
		return b.CreateAccount(t.Context(), me, org, d)
	}
	taken := func(err error, field string) {
		t.Helper()
		var v directory.Violations
		if !errors.As(err, &v) || len(v) != 1 || v[0].Field != field || v[0].Rule != directory.Taken {
			t.Errorf("%v, want %s taken", err, field)
		}
	}
	a, err := with("a@example.com", map[string]any{"badge": "B1", "seat": json.Number("7")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = with("b@example.com", map[string]any{"badge": "b1"})
	taken(err, "badge")
	_, err = with("b@example.com", map[string]any{"seat": json.Number("7")})
	taken(err, "seat")
	other, err := with("b@example.com", map[string]any{"badge": "B2"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.EditAccount(t.Context(), me, org, other.ID, directory.Edit{Profile: map[string]any{"badge": "B1"}})
	taken(err, "badge")
	for _, op := range []directory.Operation{directory.Deactivate, directory.Activate} { // keeps its keys
		if _, err := b.Transition(t.Context(), me, org, a.ID, op); err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.EditAccount(t.Context(), me, org, other.ID, directory.Edit{Profile: map[string]any{"badge": "B1"}})
	taken(err, "badge")
	if _, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Profile: map[string]any{"badge": nil}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.EditAccount(t.Context(), me, org, other.ID, directory.Edit{Profile: map[string]any{"badge": "B1"}}); err != nil {
		t.Errorf("a value that was given up: %v", err)
	}

	// Not unique any more, twice the same, and not to be made unique again.
	open, closed := custom[3], custom[3]
	open.Unique = false
	b.schema("default", directory.SchemaChange{Set: []directory.Attribute{open}})
	if _, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Profile: map[string]any{"badge": "B1"}}); err != nil {
		t.Errorf("the same badge when it need not be unique: %v", err)
	}
	taken(b.EditSchema(t.Context(), me, org, "default", directory.SchemaChange{Set: []directory.Attribute{closed}}), "badge")
	if _, err := with("c@example.com", map[string]any{"badge": "B1"}); err != nil {
		t.Errorf("a refused change of the schema took effect: %v", err)
	}
}

// TestRemoveAttribute makes sure that values go with their attribute.
func TestRemoveAttribute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.schema("default", directory.SchemaChange{Set: custom})
	d := draft("a@example.com")
	d.Profile["badge"] = "B1"
	a := b.create(d)
	b.schema("default", directory.SchemaChange{Remove: []string{"badge"}})
	if got := b.get(a.ID); got.Profile["badge"] != nil || !got.Updated.Equal(a.Updated) {
		t.Errorf("account = %+v, want no badge", got)
	}
	b.schema("default", directory.SchemaChange{Set: custom[3:4]})
	again := draft("b@example.com")
	again.Profile["badge"] = "B1"
	b.create(again)
	names, err := b.CustomAttributes(t.Context(), org)
	if err != nil || len(names) != len(custom) || names[len(names)-1] != "badge" {
		t.Errorf("CustomAttributes = %v, %v, want badge at the end", names, err)
	}
}

func TestSchemaFlaws(t *testing.T) {
	t.Parallel()
	text := func(change func(*directory.Attribute)) directory.SchemaChange {
		a := directory.Attribute{Name: "x", Title: "X", Type: directory.TextType}
		change(&a)
		return directory.SchemaChange{Set: []directory.Attribute{a}}
	}
	yes, no, pattern := true, false, "["
	base := func(name string, c directory.BaseChange) directory.SchemaChange {
		return directory.SchemaChange{Base: map[string]directory.BaseChange{name: c}}
	}
	tests := map[string]directory.SchemaChange{
		"name of a base attribute": text(func(a *directory.Attribute) { a.Name = "login" }),
		"bad name":                 text(func(a *directory.Attribute) { a.Name = "a b" }),
		"no title":                 text(func(a *directory.Attribute) { a.Title = "" }),
		"unknown type":             text(func(a *directory.Attribute) { a.Type = "date" }),
		"no type":                  text(func(a *directory.Attribute) { a.Type = "" }),
		"array without items":      text(func(a *directory.Attribute) { a.Type = directory.ArrayType }),
		"array of arrays": text(func(a *directory.Attribute) {
			a.Type, a.Items = directory.ArrayType, &directory.Items{Type: directory.ArrayType}
		}),
		"unique array": text(func(a *directory.Attribute) {
			a.Type, a.Items, a.Unique = directory.ArrayType, &directory.Items{Type: directory.TextType}, true
		}),
		"min over max":              text(func(a *directory.Attribute) { a.Min, a.Max = 3, 2 }),
		"bad pattern":               text(func(a *directory.Attribute) { a.Pattern = "[" }),
		"enum of another type":      text(func(a *directory.Attribute) { a.Enum = []any{json.Number("1")} }),
		"enum twice":                text(func(a *directory.Attribute) { a.Enum = []any{"a", "a"} }),
		"oneOf of other values":     text(func(a *directory.Attribute) { a.Enum, a.OneOf = []any{"a"}, []directory.Choice{{Const: "b"}} }),
		"default of another type":   text(func(a *directory.Attribute) { a.Default = true }),
		"unknown mutability":        text(func(a *directory.Attribute) { a.Mutability = "SOMETIMES" }),
		"another type":              {Set: []directory.Attribute{{Name: "nick", Title: "N", Type: directory.BoolType}}},
		"unknown base attribute":    base("shoe", directory.BaseChange{}),
		"required title":            base("title", directory.BaseChange{Required: &yes}),
		"optional login":            base("login", directory.BaseChange{Required: &no}),
		"pattern for an e-mail":     base("email", directory.BaseChange{Pattern: &pattern}),
		"bad pattern for the login": base("login", directory.BaseChange{Pattern: &pattern}),
	}
	b := newBench(t)
	b.schema("default", directory.SchemaChange{Set: custom})
	before, err := b.Schema(t.Context(), org, "default")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range tests {
		var v directory.Violations
		if err := b.EditSchema(t.Context(), me, org, "default", change); !errors.As(err, &v) {
			t.Errorf("%s: %v, want Violations", name, err)
		}
	}
	after, err := b.Schema(t.Context(), org, "default")
	if err != nil || after.Schema.Version != before.Schema.Version {
		t.Errorf("version = %d, %v, want %d: nothing changed", after.Schema.Version, err, before.Schema.Version)
	}
	if err := b.EditSchema(t.Context(), me, org, "oscnone", directory.SchemaChange{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("EditSchema of an unknown one = %v, want NotFound", err)
	}
}

func TestBaseChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	no, anything := false, ".+"
	b.schema("default", directory.SchemaChange{Base: map[string]directory.BaseChange{
		"firstName": {Required: &no}, "login": {Pattern: &anything},
	}})
	_, err := b.CreateAccount(t.Context(), me, org, directory.Draft{Profile: map[string]any{
		"login": "plain", "email": "a@example.com", "lastName": "Lee",
	}})
	if err != nil {
		t.Errorf("a login that is no address, without first name: %v", err)
	}
	if _, err := b.FindAccount(t.Context(), org, "plain"); err != nil {
		t.Errorf("FindAccount: %v", err)
	}
}

// TestUserTypes covers the types and that each has its own schema.
func TestUserTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.schema("default", directory.SchemaChange{Set: custom[:1]})
	contractor, err := b.CreateUserType(ctx, directory.Actor{ID: "00uadmin"}, org, directory.UserType{Name: "contractor", DisplayName: "Contractor"})
	if err != nil || contractor.CreatedBy != "00uadmin" {
		t.Fatalf("CreateUserType = %+v, %v", contractor, err)
	}
	b.schema("default", directory.SchemaChange{Set: custom[1:2]})                         // does not propagate
	b.schema(directory.SchemaOf(contractor.ID), directory.SchemaChange{Set: custom[2:3]}) // its own
	profile := func(login string, names ...string) directory.Draft {
		d := draft(login)
		for _, name := range names {
			d.Profile[name] = map[string]string{"nick": "ann", "code": "DE1", "size": "S"}[name]
		}
		return d
	}
	d := profile("a@example.com", "nick", "size")
	if _, err := b.CreateAccount(ctx, me, org, d); !fault.Is(err, fault.Invalid) {
		t.Errorf("size for the default type: %v, want Invalid", err)
	}
	d.Type = contractor.ID
	a, err := b.CreateAccount(ctx, me, org, d)
	if err != nil || a.UserType() != contractor.ID {
		t.Fatalf("CreateAccount = %+v, %v", a, err)
	}
	d = profile("b@example.com")
	d.Type = "otynone"
	var missing *directory.Missing
	if _, err := b.CreateAccount(ctx, me, org, d); !errors.As(err, &missing) || missing.Noun != directory.UserTypeNoun {
		t.Errorf("unknown type: %v, want Missing", err)
	}
	// To another type: the profile must be good by its schema.
	to := directory.Edit{Type: "default", Replace: true, Profile: profile("a@example.com", "size").Profile}
	if _, err := b.EditAccount(ctx, me, org, a.ID, to); !fault.Is(err, fault.Invalid) {
		t.Errorf("to the default type with a size: %v, want Invalid", err)
	}
	var inUse *directory.TypeInUse
	if err := b.DeleteUserType(ctx, me, org, contractor.ID); !errors.As(err, &inUse) {
		t.Errorf("DeleteUserType in use = %v, want TypeInUse", err)
	}
	to.Profile = profile("a@example.com", "code").Profile
	moved, err := b.EditAccount(ctx, me, org, a.ID, to)
	if err != nil || moved.UserType() != directory.DefaultUserType {
		t.Fatalf("EditAccount = %+v, %v", moved, err)
	}
	if err := b.DeleteUserType(ctx, me, org, contractor.ID); err != nil {
		t.Errorf("DeleteUserType = %v", err)
	}
	if err := b.DeleteUserType(ctx, me, org, "default"); !errors.As(err, &inUse) {
		t.Errorf("DeleteUserType of the default one = %v, want TypeInUse", err)
	}
	for _, name := range []string{"", "1x", "a b", "USER"} {
		if _, err := b.CreateUserType(ctx, me, org, directory.UserType{Name: name, DisplayName: "X"}); err == nil {
			t.Errorf("CreateUserType(%q) is accepted", name)
		}
	}
	for i := range 9 {
		if _, err := b.CreateUserType(ctx, me, org, directory.UserType{Name: fmt.Sprintf("t%d", i), DisplayName: "X"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.CreateUserType(ctx, me, org, directory.UserType{Name: "t10", DisplayName: "X"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an eleventh type: %v, want Invalid", err)
	}
	types, err := b.UserTypes(ctx, org)
	if err != nil || len(types) != 10 || !types[0].Default() || types[0].CreatedBy == "" {
		t.Errorf("UserTypes = %v, %v, want 10, the default one first", types, err)
	}
}

// TestGroupSchema covers the custom attributes of groups.
func TestGroupSchema(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.schema(directory.GroupSchema, directory.SchemaChange{Set: custom})
	create := func(name, badge string) (*directory.Group, error) {
		return b.CreateGroup(t.Context(), me, org, map[string]any{"name": name, "badge": badge})
	}
	g, err := create("G", "B1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create("H", "b1"); !fault.Is(err, fault.Conflict) {
		t.Errorf("the same badge: %v, want Conflict", err)
	}
	if _, err := b.ReplaceGroup(t.Context(), me, org, g.ID, map[string]any{"name": "G", "badge": "B1"}); err != nil {
		t.Errorf("the group's own badge: %v", err)
	}
	if _, err := b.CreateGroup(t.Context(), me, org, map[string]any{"name": "I", "shoe": "44"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an undefined attribute: %v, want Invalid", err)
	}
	b.schema(directory.GroupSchema, directory.SchemaChange{Remove: []string{"badge"}})
	got, err := b.Group(t.Context(), org, g.ID)
	if err != nil || got.Profile["badge"] != nil {
		t.Errorf("group = %+v, %v, want no badge", got, err)
	}
}

// TestAsOf makes sure that the past can be seen in the log.
func TestAsOf(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old, changed := b.create(draft("a@example.com")), b.create(draft("b@example.com"))
	at := b.clock.Now()
	for _, title := range []string{"One", "Two"} {
		if _, err := b.EditAccount(t.Context(), me, org, changed.ID, directory.Edit{Profile: map[string]any{"title": title}}); err != nil {
			t.Fatal(err)
		}
	}
	added := b.create(draft("c@example.com"))
	b.clock.Step(time.Hour)
	then, err := b.AsOf(t.Context(), org, at)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*directory.Account{changed.ID: changed, added.ID: nil}
	if diff := cmp.Diff(want, then); diff != "" {
		t.Errorf("AsOf: - want + got\n%s", diff)
	}
	for id, want := range map[string]bool{old.ID: true, "00unobody": false} {
		if got, err := b.KnewAccount(t.Context(), org, id); got != want || err != nil {
			t.Errorf("KnewAccount(%s) = %v, %v, want %v", id, got, err, want)
		}
	}
	if err := b.Remove(t.Context(), me, org, old.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := b.KnewAccount(t.Context(), org, old.ID); !got || err != nil {
		t.Errorf("KnewAccount of one that is gone = %v, %v, want true", got, err)
	}
}
