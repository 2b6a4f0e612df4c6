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
