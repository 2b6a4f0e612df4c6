package scim

import (
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// patchCase is a case of patch.yaml.
type patchCase struct {
	Name, On, How, Error, Clause, Type string
	Do                                 []any
	Want                               *map[string]any
	Notes                              *int
}

// apply parses and applies operations.
func apply(typ *ResourceType, r Resource, ops []any, how Leniency) (Resource, []Note, error) {
	body := map[string]any{"schemas": []any{PatchMessage}, "Operations": ops}
	parsed, notes, err := ParsePatch(body, how)
	if err != nil {
		return nil, notes, err
	}
	out, more, err := typ.Patch(r, parsed, how)
	return out, append(notes, more...), err
}

func TestPatch(t *testing.T) {
	var cases []patchCase
	load(t, "patch.yaml", &cases)
	all, from := types(t), resources(t)
	if len(cases) < 150 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			before, ok := from[c.On]
			if !ok {
				t.Fatalf("no resource %s", c.On)
			}
			typ := typeOf(t, all, before)
			copied := value.Clone(before).(map[string]any)
			given := value.Clone(c.Do).([]any)
			got, notes, err := apply(typ, before, c.Do, preset(t, c.How))
			same(t, before, copied)
			same(t, c.Do, given)
			if c.Error != "" {
				checkError(t, err, c.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Want == nil {
				if !Same(before, got) {
					t.Errorf("Same says that it changed")
				}
				got["mark"] = true // got must be before itself
				if before["mark"] != true {
					t.Errorf("a copy came back although nothing changed")
				}
				delete(got, "mark")
				c.Want = &map[string]any{}
			}
			same(t, got, changed(before, *c.Want))
			if c.Notes != nil {
				checkNotes(t, notes, *c.Notes)
			} else if c.How == "" {
				for _, note := range notes {
					t.Logf("note: %s", note)
				}
			}
		})
	}
}

// A list that is required keeps one value at least, whatever takes them away.
func TestPatchKeepsRequiredLists(t *testing.T) {
	const urn = "urn:example:2.0:Crate"
	all, err := Standard().With(Definition{Name: "Crate", Endpoint: "/Crates", Schema: Schema{ID: urn, Attributes: []Attribute{
		{Name: "members", Type: Complex, MultiValued: true, Required: true, Sub: []Attribute{{Name: "value", Mutability: Immutable}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	crate := all.Named("Crate")
	r := Resource{"schemas": []any{urn}, "members": []any{map[string]any{"value": "a"}}}
	for _, op := range []map[string]any{
		{"op": "remove", "path": "members"},
		{"op": "remove", "path": `members[value eq "a"]`},
		{"op": "remove", "path": "members", "value": []any{map[string]any{"value": "a"}}},
		{"op": "replace", "path": "members", "value": []any{}},
		{"op": "replace", "path": "members", "value": nil},
		{"op": "replace", "value": map[string]any{"members": []any{}}},
	} {
		how := Leniency{RemoveByValue: true}
		_, _, err := apply(crate, r, []any{op}, how)
		checkError(t, err, "mutability")
		ops, _, err := ParsePatch(map[string]any{"schemas": []any{PatchMessage}, "Operations": []any{op}}, how)
		if err != nil {
			t.Fatal(err)
		}
		if change, _, ok := crate.Members(ops, how); ok {
			t.Errorf("%v: %+v without the crate", op, change)
		}
	}
	if _, _, err := apply(crate, r, []any{
		map[string]any{"op": "remove", "path": `members[value eq "a"]`},
		map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": "b"}}},
	}, Strict()); err != nil {
		t.Errorf("one taken away and one added: %v", err)
	}
}
