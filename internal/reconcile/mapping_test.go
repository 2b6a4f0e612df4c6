package reconcile

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// customShape has attributes of every type beside the base ones.
func customShape(t *testing.T, more ...directory.Attribute) *directory.Shape {
	t.Helper()
	custom := append([]directory.Attribute{
		{Name: "remote", Type: directory.BoolType},
		{Name: "floor", Type: directory.IntegerType},
		{Name: "salary", Type: directory.NumberType},
		{Name: "skills", Type: directory.ArrayType, Items: &directory.Items{Type: directory.TextType}},
		{Name: "badge", Type: directory.TextType, Max: 4},
		{Name: "ours", Type: directory.TextType, Master: &directory.Master{Type: "OKTA"}},
		{Name: "theirs", Type: directory.TextType, Master: &directory.Master{Type: "PROFILE_MASTER"}},
	}, more...)
	shape, err := (&directory.Schema{Meta: directory.Meta{ID: directory.SchemaOf(directory.DefaultUserType)}, Custom: custom}).Shape()
	if err != nil {
		t.Fatal(err)
	}
	return shape
}

// TestTypes has texts, which are all that a source has, fit the types of the
// directory where nothing is lost.
func TestTypes(t *testing.T) {
	t.Parallel()
	shape := customShape(t)
	for _, c := range []struct {
		attribute, mapping string
		says               any
		want               any
		wrong, remedy      string
	}{
		{attribute: "remote", says: "TRUE", want: true},
		{attribute: "remote", says: "false", want: false},
		{attribute: "remote", says: "maybe", wrong: `remote has the wrong type ("maybe")`, remedy: "of type boolean"},
		{attribute: "floor", says: "12", want: json.Number("12")},
		{attribute: "floor", says: "1.5", wrong: "floor has the wrong type"},
		{attribute: "floor", says: "twelve", wrong: "floor has the wrong type"},
		{attribute: "salary", says: "-1.50", want: json.Number("-1.50")},
		{attribute: "salary", says: `{"a": 1}`, wrong: "salary has the wrong type"},
		{attribute: "skills", says: "a, b", wrong: "skills has the wrong type", remedy: `String.stringToArray(appuser.skills, ",")`},
		{attribute: "skills", mapping: `String.stringToArray(appuser.skills, ";")`, says: "a; b", want: []any{"a", "b"}},
		{attribute: "badge", says: " 12\u0301 ", want: "12\u0301"},
		{attribute: "badge", says: "12345", wrong: "badge is longer than 4 characters", remedy: "String.substring(appuser.badge, 0, 4)"},
		{attribute: "badge", mapping: "String.len(appuser.badge)", says: "xyz", want: "3"},
		{attribute: "badge", mapping: `appuser.badge == "1"`, says: "1", want: "true"},
		{attribute: "badge", says: "  ", want: nil},
		{attribute: "ours", says: "x", want: "x"},
	} {
		s := OktaSettings()
		s.Attributes = []string{c.attribute}
		if c.mapping != "" {
			s.Mapping = map[string]Mapping{c.attribute: {Value: c.mapping}}
		}
		r, err := s.Compile(shape)
		if err != nil {
			t.Fatal(err)
		}
		p := ada()
		p.Profile[c.attribute] = c.says
		got, err := r.profile(p, nil)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(asBadValue(err).remedy, c.remedy) {
				t.Errorf("%s of %q: %v", c.attribute, c.says, err)
			}
			continue
		}
		if err != nil || !cmp.Equal(got[c.attribute], c.want) {
			t.Errorf("%s of %q is %v: %v", c.attribute, c.says, got[c.attribute], err)
		}
	}
}

func ada() *Person {
	return &Person{ExternalID: "7", Presence: Present, Profile: map[string]any{
		"userName": "ada@example.com", "email": "ada@example.com", "firstName": "Ada", "lastName": "Byron",
	}}
}

// TestMasters leaves alone, once somebody is there, what the directory itself
// decides.
func TestMasters(t *testing.T) {
	t.Parallel()
	s := OktaSettings()
	s.Attributes = []string{"ours", "theirs"}
	r, err := s.Compile(customShape(t))
	if err != nil {
		t.Fatal(err)
	}
	p := ada()
	p.Profile["ours"], p.Profile["theirs"] = "new", "new"
	before, err := r.profile(p, nil)
	if err != nil || before["ours"] != "new" || before["theirs"] != "new" {
		t.Fatalf("a new person has %v: %v", before, err)
	}
	before["ours"], before["theirs"] = "old", "old"
	after, err := r.profile(p, before)
	if diff := cmp.Diff(map[string]any{"theirs": "new"}, after); err != nil || diff != "" {
		t.Errorf("what changes (-want +got):\n%s%v", diff, err)
	}
}

func TestRequired(t *testing.T) {
	t.Parallel()
	needed := directory.Attribute{Name: "office", Type: directory.TextType, Required: true}
	r, err := OktaSettings().Compile(customShape(t, needed))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.profile(ada(), nil); err == nil || !strings.Contains(err.Error(), "office is required, and nothing is mapped to it") {
		t.Errorf("a required attribute is not mapped: %v", err)
	}
	needed.Default = "Rome"
	if r, err = OktaSettings().Compile(customShape(t, needed)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.profile(ada(), nil); err != nil {
		t.Errorf("a required attribute has a default: %v", err)
	}
}

// TestNothingIsLost has null and what is not there mean the same for who is there,
// and leaves alone what nothing is mapped to.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	r := mustCompile(t, OktaSettings())
	before := map[string]any{"login": "ada@example.com", "email": "ada@example.com", "firstName": "Ada", "lastName": "Byron", "secondEmail": "a@b.c", "mobilePhone": "1", "title": "Countess"}
	p := ada()
	p.Profile["mobilePhone"] = nil
	after, err := r.profile(p, before)
	if diff := cmp.Diff(map[string]any{"secondEmail": nil, "mobilePhone": nil}, after); err != nil || diff != "" {
		t.Errorf("what changes (-want +got):\n%s%v", diff, err)
	}
}

func TestGuessesOfCustomAttributes(t *testing.T) {
	t.Parallel()
	s, _, err := FileSettings().Complete([]string{"id", "first", "last", "mail", "Badge", "SKILLS"}, customShape(t))
	if err != nil || s.Profile["badge"] != "Badge" || s.Profile["skills"] != "SKILLS" {
		t.Errorf("the columns are %v: %v", s.Profile, err)
	}
}
