package scim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/lanyard-id/lanyard/internal/filter"
)

// filterCase is a case of filter.yaml.
type filterCase struct {
	Filter, On, Error string
	Match             []string
	Lookup            []string
	True              *bool
}

func compileText(typ *ResourceType, text string) (*Filter, error) {
	e, _, err := ParseFilter(text, Strict())
	if err != nil {
		return nil, err
	}
	return typ.Compile(e)
}

func TestCompile(t *testing.T) {
	var file struct {
		Users map[string]Resource
		Cases []filterCase
	}
	load(t, "filter.yaml", &file)
	all := types(t)
	device := resources(t)["device"]
	for _, c := range file.Cases {
		t.Run(c.Filter, func(t *testing.T) {
			typ, among := all.Named("User"), file.Users
			if c.On == "device" {
				typ, among = all.Named("Device"), map[string]Resource{"device": device}
			}
			f, err := compileText(typ, c.Filter)
			if c.Error != "" {
				checkError(t, err, c.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, name := range slices.Sorted(maps.Keys(among)) {
				if f.Match(among[name]) {
					got = append(got, name)
				}
			}
			if c.True != nil {
				c.Match = nil
				if *c.True {
					c.Match = []string{"device"}
				}
			}
			if !slices.Equal(got, c.Match) {
				t.Errorf("matches %v; want %v", got, c.Match)
			}
			checkLookup(t, f, c)
		})
	}
}

// checkLookup compares what an index may use. Cases that say nothing about it
// have no lookup, or one that every match satisfies.
func checkLookup(t *testing.T, f *Filter, c filterCase) {
	t.Helper()
	attribute, value, ok := f.Lookup()
	if len(c.Lookup) == 2 && (attribute != c.Lookup[0] || value != c.Lookup[1]) {
		t.Errorf("Lookup %s %q; want %s", attribute, value, c.Lookup)
	}
	if ok && (strings.Contains(c.Filter, " or ") && !strings.Contains(c.Filter, " and ") || strings.Contains(c.Filter, "not (userName")) {
		t.Errorf("Lookup %s %q, which not every match satisfies", attribute, value)
	}
}

func TestFilterNeeds(t *testing.T) {
	user, group := Standard().Named("User"), Standard().Named("Group")
	for _, c := range []struct {
		typ       *ResourceType
		filter    string
		attribute string
		want      bool
	}{
		{group, `displayName eq "x"`, "members", false},
		{group, `displayName eq "x" and members.value eq "y"`, "members", true},
		{group, `members[value eq "y"]`, "members", true},
		{group, `not (members pr)`, "members", true},
		{user, EnterpriseSchema + `:department eq "y"`, EnterpriseSchema, true},
		{user, `userName eq "y"`, EnterpriseSchema, false},
	} {
		f, err := compileText(c.typ, c.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Needs(c.attribute); got != c.want {
			t.Errorf("%s: Needs(%s) = %v", c.filter, c.attribute, got)
		}
	}
}

func TestNoFilterMatchesAll(t *testing.T) {
	f, err := Standard().Named("User").Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Match(Resource{}) || f.Needs("members") {
		t.Error("no filter does not match everything, or needs something")
	}
	if _, _, ok := f.Lookup(); ok {
		t.Error("no filter has a lookup")
	}
}

// What only other languages have is refused, not left out.
func TestCompileRefusesOtherLanguages(t *testing.T) {
	for _, e := range []filter.Expr{
		&filter.Compare{Path: "userName", Op: filter.Like, Value: filter.Pattern("a*")},
		&filter.Compare{Path: "userName", Op: filter.Within, Value: filter.Range{}},
		&filter.Compare{Path: filter.AnyField, Op: filter.Equal, Value: "x"},
	} {
		if _, err := Standard().Named("User").Compile(e); err == nil {
			t.Errorf("%s was compiled", e)
		}
	}
}

// The two ways to compare without case must agree for every letter: an index
// folds, a match does not.
func TestFoldAgreesWithEqualFold(t *testing.T) {
	for r := range unicode.MaxRune {
		s := string(r)
		for _, other := range []string{string(unicode.ToUpper(r)), string(unicode.ToLower(r)), string(unicode.SimpleFold(r))} {
			if equal := strings.EqualFold(s, other); equal != (fold(s) == fold(other)) {
				t.Fatalf("%U and %q: EqualFold %v, fold %q and %q", r, other, equal, fold(s), fold(other))
			}
			if strings.EqualFold(s, other) && (!containsFold("x"+s+"y", fold(other)) || !hasPrefixFold(s+"y", fold(other)) || !hasSuffixFold("x"+s, fold(other))) {
				t.Fatalf("%U and %q: not found as a part", r, other)
			}
		}
	}
	if got := fold("already lower"); got != "already lower" {
		t.Error(got)
	}
}

// Laws of the operators that hold for every attribute and value.
func TestFilterLaws(t *testing.T) {
	var file struct {
		Users map[string]Resource
		Cases []filterCase
	}
	load(t, "filter.yaml", &file)
	user := Standard().Named("User")
	match := func(text string, r Resource) bool {
		f, err := compileText(user, text)
		if err != nil {
			t.Fatal(err)
		}
		return f.Match(r)
	}
	for _, c := range file.Cases {
		if c.Error != "" || c.On != "" {
			continue
		}
		for name, r := range file.Users {
			is := match(c.Filter, r)
			if match("not ("+c.Filter+")", r) == is {
				t.Errorf("%s: %q and its negation agree", name, c.Filter)
			}
			if match(fmt.Sprintf("(%s) and (%s)", c.Filter, c.Filter), r) != is || match(fmt.Sprintf("(%s) or (%s)", c.Filter, c.Filter), r) != is {
				t.Errorf("%s: %q with itself is something else", name, c.Filter)
			}
		}
	}
}
