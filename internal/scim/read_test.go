package scim

import (
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// readCase is a case of read.yaml.
type readCase struct {
	Name, Type, How, Current, Error string
	Bare                            bool
	Body, Want                      map[string]any
	Notes                           *int
}

func TestRead(t *testing.T) {
	var cases []readCase
	load(t, "read.yaml", &cases)
	all, from := types(t), resources(t)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.Type == "" {
				c.Type = "User"
			}
			typ := all.Named(c.Type)
			if !c.Bare {
				c.Body["schemas"] = []any{typ.Schema.ID}
			}
			given := value.Clone(c.Body).(map[string]any)
			var got Resource
			var notes []Note
			var err error
			if c.Current == "" {
				got, notes, err = typ.Read(c.Body, preset(t, c.How))
			} else {
				current := value.Clone(from[c.Current]).(map[string]any)
				got, notes, err = typ.Replace(current, c.Body, preset(t, c.How))
				same(t, current, from[c.Current])
			}
			same(t, c.Body, given)
			if c.Error != "" {
				checkError(t, err, c.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, c.Want)
			if c.Notes != nil {
				checkNotes(t, notes, *c.Notes)
			}
		})
	}
}

// What a PUT does not name of a writeOnly attribute is not known to its client
// and stays.
func TestReplaceKeepsPassword(t *testing.T) {
	user := Standard().Named("User")
	current := Resource{"schemas": []any{UserSchema}, "userName": "a", "password": "p"}
	for body, want := range map[string]string{"": "p", "q": "q"} {
		in := map[string]any{"schemas": []any{UserSchema}, "userName": "a"}
		if body != "" {
			in["password"] = body
		}
		got, _, err := user.Replace(current, in, Strict())
		if err != nil {
			t.Fatal(err)
		}
		if got["password"] != want {
			t.Errorf("password %v after a PUT with %q; want %s", got["password"], body, want)
		}
	}
}

// Notes name attributes and never what is in them, and are bounded.
func TestNotesAreBounded(t *testing.T) {
	body := map[string]any{"schemas": []any{UserSchema}, "userName": "a"}
	for i := range 1000 {
		body[string(rune('a'+i%26))+string(number(i))] = "secret"
	}
	_, notes, err := Standard().Named("User").Read(body, Strict())
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) != maxNotes {
		t.Errorf("%d notes; want %d", len(notes), maxNotes)
	}
}

func TestNotesAreSaidOnce(t *testing.T) {
	var members []any
	for range 10 {
		members = append(members, map[string]any{"value": "a", "nope": "b"})
	}
	_, notes, err := Standard().Named("Group").Read(map[string]any{"schemas": []any{GroupSchema}, "displayName": "G", "members": members}, Strict())
	if err != nil {
		t.Fatal(err)
	}
	checkNotes(t, notes, 1)
}
