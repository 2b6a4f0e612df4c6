package provision

import (
	"bytes"
	"encoding/json"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// everyone is a Reader in which all people are in one group.
type everyone struct{ directory.Reader }

func (everyone) Groups(directory.GroupQuery) iter.Seq2[*directory.Group, error] {
	return func(yield func(*directory.Group, error) bool) {
		yield(&directory.Group{ID: "00g1", Type: directory.BuiltIn, Profile: map[string]any{"name": "Everyone"}}, nil)
	}
}

// mappingCase is a file of testdata/mapping.
type mappingCase struct {
	About    string         `json:"about"`
	Profile  map[string]any `json:"profile"`
	UserName string         `json:"userName"` // of the assignment; empty: the login
	AppUser  map[string]any `json:"appUser"`
	Only     []string       `json:"only"`   // rows of the default mapping; empty: all
	Delete   []string       `json:"delete"` // rows of the default mapping
	Replace  Mapping        `json:"replace"`
	Add      Mapping        `json:"add"`
	When     string         `json:"when"`
	KeepNull bool           `json:"keepNull"` // compare what is mapped and empty too

	Body  map[string]any    `json:"body"`
	Notes map[string]string `json:"notes"` // by row; others are not compared
	Error string            `json:"error"`
}

func (c mappingCase) mapping(t *testing.T) Mapping {
	m := defaults(t)
	m = slices.DeleteFunc(m, func(r Row) bool {
		return len(c.Only) > 0 && !slices.Contains(c.Only, r.Name) || slices.Contains(c.Delete, r.Name)
	})
	for _, r := range c.Replace {
		m[m.Find(r.Name)] = r
	}
	return append(m, c.Add...)
}

func defaults(t *testing.T) Mapping {
	t.Helper()
	m, err := DefaultMapping()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func person(profile map[string]any, userName string, own map[string]any) Person {
	a := &directory.Account{ID: "00uperson", Realm: "okta", Status: directory.Active, Profile: profile}
	if userName == "" {
		userName = a.Login()
	}
	return Person{Account: a, AppUser: &directory.AppUser{UserName: userName, Profile: own}}
}

func TestMapping(t *testing.T) {
	files, err := filepath.Glob("testdata/mapping/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c mappingCase
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.UseNumber()
			dec.DisallowUnknownFields()
			if err := dec.Decode(&c); err != nil {
				t.Fatal(err)
			}
			compiled, err := c.mapping(t).Compile()
			if err != nil {
				t.Fatal(err)
			}
			when := Creating
			if c.When == "update" {
				when = Updating
			}
			got, err := compiled.Resolve(everyone{}, person(c.Profile, c.UserName, c.AppUser), when)
			if c.Error != "" {
				if err == nil || fault.Public(err) != c.Error || !fault.Is(err, fault.Invalid) {
					t.Fatalf("the error is %v, want %s", err, c.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body := any(got.Mapped().Body)
			if !c.KeepNull {
				body = present(body)
			}
			if diff := cmp.Diff(any(c.Body), body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			for name, want := range c.Notes {
				i := slices.IndexFunc(got.Attributes, func(a Resolved) bool { return a.Name == name })
				if i < 0 || got.Attributes[i].Note != want {
					t.Errorf("the note of %s is not %q: %+v", name, want, got.Attributes)
				}
			}
		})
	}
}

// present is a body without what is mapped and has no value.
func present(v any) any {
	o, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for name, v := range o {
		v = present(v)
		if inner, ok := v.(map[string]any); v == nil || ok && len(inner) == 0 {
			continue
		}
		out[name] = v
	}
	return out
}

func TestMappingRefused(t *testing.T) {
	for _, test := range []struct {
		row  Row
		want string
	}{
		{Row{Name: "active", Path: "active", Namespace: CoreUser, Expression: "true", Apply: ApplyAlways}, "attribute active: active is never mapped: it follows from the assignment"},
		{Row{Name: "u", Path: "userName", Expression: "user.login", Apply: ApplyAlways}, "userName is never mapped"},
		{Row{Name: "title", Path: "title", Namespace: CoreUser, Expression: "'again'", Apply: ApplyAlways}, "another row has this name"},
		{Row{Name: "x", Path: "x", Namespace: CoreUser, Expression: "user.", Apply: ApplyAlways}, "attribute x: expression, character"},
		{Row{Name: "x", Path: "x", Namespace: CoreUser, Expression: "idpuser.x", Apply: ApplyAlways}, "there is no variable idpuser; use one of user, source, appuser"},
		{Row{Name: "x", Path: "x", Namespace: CoreUser, Expression: "1", Apply: "never"}, `a row applies "always" or "create", not "never"`},
		{Row{Path: "x", Namespace: CoreUser, Expression: "1", Apply: ApplyAlways}, "the row has no name"},
	} {
		_, err := append(defaults(t), test.row).Compile()
		if err == nil || !strings.Contains(fault.Public(err), test.want) || !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v, want %s", test.row, err, test.want)
		}
	}
}

func TestPath(t *testing.T) {
	for text, want := range map[string]path{
		"title":                              {attribute: "title"},
		"name.givenName":                     {attribute: "name", sub: "givenName"},
		`emails[type eq "work"].value`:       {attribute: "emails", key: "type", equals: "work", sub: "value"},
		`emails[type EQ "a]b"].value`:        {},
		`emails[primary eq true]`:            {attribute: "emails", key: "primary", equals: true, sub: "value"},
		"phoneNumbers.^[type==mobile].value": {attribute: "phoneNumbers", key: "type", equals: "mobile", sub: "value"},
		"phoneNumbers.^[type=='mobile']":     {attribute: "phoneNumbers", key: "type", equals: "mobile", sub: "value"},
		"":                                   {}, "a.b.c": {}, "a b": {}, "1a": {}, "a[": {}, "a[b]": {}, "a[b eq c": {}, `a[b eq "].c`: {}, "a[b eq c]d": {}, "a[b ne c].d": {},
	} {
		got, err := parsePath(text)
		if got != want || (err == nil) != (want != path{}) {
			t.Errorf("parsePath(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add(`emails[type eq "work"].value`)
	f.Add("phoneNumbers.^[type==mobile].value")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePath(text)
		if err != nil {
			return
		}
		o := map[string]any{}
		p.set(o, "x")
		if p.get(o) != "x" {
			t.Errorf("%q sets %v and reads %v", text, o, p.get(o))
		}
	})
}

func TestWarnings(t *testing.T) {
	m := append(defaults(t), Row{Name: "badge", Path: "badge", Expression: "1", Apply: ApplyAlways})
	got := m.Warnings()
	if len(got) != 4 {
		t.Fatalf("%d warnings, want 4: %q", len(got), got)
	}
	for i, name := range []string{"emailType: ", "primaryPhoneType: ", "addressType: ", "badge: the attribute has no external namespace"} {
		if !strings.HasPrefix(got[i], name) {
			t.Errorf("warning %d is %q", i, got[i])
		}
	}
}

// Whatever a person has and whichever rows are left: every value arrives where
// its row says, extensions are named exactly when they have a value, and an empty
// type is there only by one of the three rows.
func TestMappingProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := defaults(t)
	for n := range 2000 {
		profile := map[string]any{"login": "a@example.com"}
		for _, a := range directory.OktaProfile {
			if random.IntN(3) == 0 {
				profile[a.Name] = a.Name + " of " + string(rune('a'+n%26))
			}
		}
		m := slices.DeleteFunc(slices.Clone(all), func(Row) bool { return random.IntN(4) == 0 })
		compiled, err := m.Compile()
		if err != nil {
			t.Fatal(err)
		}
		got, err := compiled.Resolve(everyone{}, person(profile, "", nil), Creating)
		if err != nil {
			t.Fatal(err)
		}
		body := got.Mapped().Body
		extended, emptyTypes := false, 0
		for _, a := range got.Attributes {
			from := body
			if !a.core() {
				from, _ = body[a.Namespace].(map[string]any)
				extended = extended || a.Value != nil
			}
			if a.path.get(from) != a.Value {
				t.Fatalf("%s is %v in %v, want %v", a.Attribute(), a.path.get(from), body, a.Value)
			}
			if a.Value == "" {
				emptyTypes++
				if !a.emptyType() || !strings.Contains(a.Note, "delete the row") {
					t.Fatalf("%s is empty without being explained: %q", a.Name, a.Note)
				}
			}
		}
		if _, ok := body["active"]; ok || extended != slices.Contains(body["schemas"].([]any), any(EnterpriseUser)) {
			t.Fatalf("%v", body)
		}
		if notes := got.Mapped().Notes; len(notes) != emptyTypes {
			t.Fatalf("%d notes for %d empty types", len(notes), emptyTypes)
		}
	}
}
