package filter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
)

func not(term filter.Expr) filter.Expr { return &filter.Not{Term: term} }

func has(path string, term filter.Expr) *filter.Has { return &filter.Has{Path: path, Term: term} }

// withoutPlaces compares trees without the places of their terms.
var withoutPlaces = cmp.Options{cmpopts.IgnoreFields(filter.Compare{}, "At"), cmpopts.IgnoreFields(filter.Has{}, "At")}

var lenient = filter.SCIMOptions{ValuePathSuffix: true, Unquoted: true, Blanks: true}

const (
	user       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

func TestParseSCIM(t *testing.T) {
	t.Parallel()
	work := has("emails", and(compare("type", "eq", "work"), compare("value", "co", "@x")))
	tests := []struct {
		text string
		want filter.Expr
	}{
		// The examples of RFC 7644 3.4.2.2.
		{`userName eq "bjensen"`, compare("userName", "eq", "bjensen")},
		{`name.familyName co "O'Malley"`, compare("name.familyName", "co", "O'Malley")},
		{`userName sw "J"`, compare("userName", "sw", "J")},
		{user + `:userName sw "J"`, compare(user+":userName", "sw", "J")},
		{`title pr`, compare("title", "pr", nil)},
		{`meta.lastModified gt "2011-05-13T04:42:34Z"`, compare("meta.lastModified", "gt", "2011-05-13T04:42:34Z")},
		{`title pr and userType eq "Employee"`, and(compare("title", "pr", nil), compare("userType", "eq", "Employee"))},
		{`title pr or userType eq "Intern"`, or(compare("title", "pr", nil), compare("userType", "eq", "Intern"))},
		{`schemas eq "` + enterprise + `"`, compare("schemas", "eq", enterprise)},
		{`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`,
			and(compare("userType", "eq", "Employee"), or(compare("emails", "co", "example.com"), compare("emails.value", "co", "example.org")))},
		{`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
			and(compare("userType", "ne", "Employee"), not(or(compare("emails", "co", "example.com"), compare("emails.value", "co", "example.org"))))},
		{`userType eq "Employee" and emails[type eq "work" and value co "@x"]`, and(compare("userType", "eq", "Employee"), work)},
		{`emails[type eq "work" and value co "@x"] or ims[type eq "xmpp"]`, or(work, has("ims", compare("type", "eq", "xmpp")))},

		{`not(a eq "1")`, not(a)},
		{`NOT (a eq "1") AND b EQ "2" Or c PR`, or(and(not(a), b), c)},
		{`not (not (a eq "1"))`, not(not(a))},
		{`not eq "1"`, compare("not", "eq", "1")},
		{`and pr and or pr`, and(compare("and", "pr", nil), compare("or", "pr", nil))},
		{`a eq "1" or b eq "2" and not (c pr)`, or(a, and(b, not(c)))},
		{`(a eq "1" and b eq "2") and c pr`, and(and(a, b), c)},
		{`emails[not (type eq "work") or primary eq true]`, has("emails", or(not(compare("type", "eq", "work")), compare("primary", "eq", true)))},
		{enterprise + `:manager.$ref ew "/7"`, compare(enterprise+":manager.$ref", "ew", "/7")},
		{user + `:emails[type eq "work"]`, has(user+":emails", compare("type", "eq", "work"))},
		{`a eq "\"\\\/\b\u2019\ud83d\ude00"`, compare("a", "eq", "\"\\/\b\u2019\U0001f600")},
		{`a eq ""`, compare("a", "eq", "")},
		{`a eq null or a eq false or a eq -1.50e+3`, or(compare("a", "eq", nil), compare("a", "eq", false), compare("a", "eq", json.Number("-1.50e+3")))},
		{`a eq 9007199254740993`, compare("a", "eq", json.Number("9007199254740993"))},
		{`a-b_9.c-d eq 1`, compare("a-b_9.c-d", "eq", json.Number("1"))},
	}
	for _, test := range tests {
		got, notes, err := filter.ParseSCIM(test.text, filter.SCIMOptions{})
		if err != nil || len(notes) != 0 {
			t.Errorf("ParseSCIM(%q): %v, %q", test.text, err, notes)
			continue
		}
		if diff := cmp.Diff(test.want, got, withoutPlaces); diff != "" {
			t.Errorf("ParseSCIM(%q): - want + got\n%s", test.text, diff)
		}
		if relaxed, notes, err := filter.ParseSCIM(test.text, lenient); err != nil || len(notes) != 0 || !cmp.Equal(got, relaxed) {
			t.Errorf("ParseSCIM(%q) with every option = %v, %q, %v, want no difference", test.text, relaxed, notes, err)
		}
	}
}

func TestParseSCIMLenient(t *testing.T) {
	t.Parallel()
	const (
		unquoted = "A value without quotes was read as text in the filter."
		boolean  = "A boolean in capital letters was accepted in the filter."
		blanks   = "Blanks were accepted in the filter where RFC 7644 has none, or were missing where it has one."
		suffix   = "The sub-attribute after a value path of the filter was read as one more term inside it."
	)
	work, value := compare("type", "eq", "work"), compare("value", "eq", "x")
	tests := []struct {
		text string
		want filter.Expr
		note string
		only filter.SCIMOptions // what suffices
	}{
		{`emails[type eq "work"].value eq "x"`, has("emails", and(work, value)), suffix, filter.SCIMOptions{ValuePathSuffix: true}},
		{`emails[type eq "work" and primary eq true].value eq "x" and a eq "1"`,
			and(has("emails", and(work, compare("primary", "eq", true), value)), a), suffix, filter.SCIMOptions{ValuePathSuffix: true}},
		{`emails[type eq "work" or primary eq true].value pr`,
			has("emails", and(or(work, compare("primary", "eq", true)), compare("value", "pr", nil))), suffix, filter.SCIMOptions{ValuePathSuffix: true}},
		{`userName sw O`, compare("userName", "sw", "O"), unquoted, filter.SCIMOptions{Unquoted: true}},
		{`(userName eq a@b.c)`, compare("userName", "eq", "a@b.c"), unquoted, filter.SCIMOptions{Unquoted: true}},
		{`emails[type eq work]`, has("emails", work), unquoted, filter.SCIMOptions{Unquoted: true}},
		{`active eq False`, compare("active", "eq", false), boolean, filter.SCIMOptions{Unquoted: true}},
		{`a eq 01`, compare("a", "eq", "01"), unquoted, filter.SCIMOptions{Unquoted: true}},
		{"  a  eq\t\"1\" ", a, blanks, filter.SCIMOptions{Blanks: true}},
		{`( a eq "1" )`, a, blanks, filter.SCIMOptions{Blanks: true}},
		{`(a eq "1")and(b eq "2")`, and(a, b), blanks, filter.SCIMOptions{Blanks: true}},
		{`not  (a eq "1")`, not(a), blanks, filter.SCIMOptions{Blanks: true}},
		{`emails[ type eq "work" ]`, has("emails", work), blanks, filter.SCIMOptions{Blanks: true}},
		{`a eq"1"`, a, blanks, filter.SCIMOptions{Blanks: true}},
	}
	for _, test := range tests {
		got, notes, err := filter.ParseSCIM(test.text, test.only)
		if err != nil {
			t.Errorf("ParseSCIM(%q): %v", test.text, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, withoutPlaces); diff != "" {
			t.Errorf("ParseSCIM(%q): - want + got\n%s", test.text, diff)
		}
		if diff := cmp.Diff([]string{test.note}, notes); diff != "" {
			t.Errorf("ParseSCIM(%q): notes - want + got\n%s", test.text, diff)
		}
		if e, _, err := filter.ParseSCIM(test.text, filter.SCIMOptions{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseSCIM(%q) without options = %v, %v, want fault.Invalid", test.text, e, err)
		}
	}
}

// refusedSCIM are texts that no option makes a filter.
var refusedSCIM = []struct {
	text, want string
	kind       fault.Kind
}{
	{``, "character 1: an attribute is expected", fault.Invalid},
	{`userName`, "character 9: ", fault.Invalid},
	{`userName eq`, "character 12: ", fault.Invalid},
	{`userName eq `, "character 13: ", fault.Invalid},
	{`userName is "x"`, `character 10: "is" is not an operator`, fault.Invalid},
	{`userName eq 'x'`, "is not a value; texts and dates stand in double quotes", fault.Invalid},
	{`userName eq "x`, "character 13: a text is not closed", fault.Invalid},
	{`userName eq "\x"`, "wrong escape", fault.Invalid},
	{"userName eq \"a\nb\"", "wrong escape", fault.Invalid},
	{`userName pr and`, "character 16: ", fault.Invalid},
	{`userName pr xor a pr`, `unexpected "xor a pr"`, fault.Invalid},
	{`userName pr a pr`, `unexpected "a pr"`, fault.Invalid},
	{`userName pr)`, `unexpected ")"`, fault.Invalid},
	{`(userName pr`, "character 13: a parenthesis is not closed", fault.Invalid},
	{`(userName pr]`, `unexpected "]"; a ')' is missing`, fault.Invalid},
	{`emails[type pr`, "character 15: a bracket is not closed", fault.Invalid},
	{`emails[]`, "an attribute is expected", fault.Invalid},
	{`emails[type pr]value pr`, `unexpected "value pr"`, fault.Invalid},
	{`emails[type pr].value`, "character ", fault.Invalid},
	{`emails[type pr] eq "x"`, `unexpected "eq`, fault.Invalid},
	{`a[b[c pr]]`, "a value path cannot stand inside another", fault.Invalid},
	{`not userName pr`, `"userName" is not an operator`, fault.Invalid},
	{`not not (a pr)`, `"not" is not an operator`, fault.Invalid},
	{`not ()`, "an attribute is expected", fault.Invalid},
	{`9a pr`, "an attribute is expected", fault.Invalid},
	{`a..b pr`, "an attribute is expected", fault.Invalid},
	{`a.b.c pr`, "an attribute is expected", fault.Invalid},
	{`.a pr`, "an attribute is expected", fault.Invalid},
	{`a. pr`, "an attribute is expected", fault.Invalid},
	{`a: pr`, "an attribute is expected", fault.Invalid},
	{`a:b pr`, "an attribute is expected", fault.Invalid},
	{`:a pr`, "an attribute is expected", fault.Invalid},
	{`_a pr`, "an attribute is expected", fault.Invalid},
	{`"a" eq "a"`, "an attribute is expected", fault.Invalid},
	{`a eq {}`, "is not a value", fault.Invalid},
	{`a eq []`, "is not a value", fault.Invalid},
	{"a eq \"\xff\"", "not valid UTF-8", fault.Invalid},
	{strings.Repeat("(", 65), "nested deeper", fault.TooLarge},
	{strings.Repeat("not (", 65), "nested deeper", fault.TooLarge},
	{strings.Repeat("a pr or ", 1000) + "a pr", "more than 1000 terms", fault.TooLarge},
	{strings.Repeat(" ", 16<<10+1), "more than 16384 bytes", fault.TooLarge},
}

func TestParseSCIMRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range refusedSCIM {
		_, _, err := filter.ParseSCIM(test.text, filter.SCIMOptions{})
		if !fault.Is(err, test.kind) && !strings.HasPrefix(test.text, "  ") || !strings.Contains(fault.Public(err), test.want) {
			t.Errorf("ParseSCIM(%.40q) = %v, want %v: %s", test.text, err, test.kind, test.want)
		}
		unquoted := strings.Contains(test.text, "eq {")
		if e, _, err := filter.ParseSCIM(test.text, lenient); err == nil && !unquoted {
			t.Errorf("ParseSCIM(%.40q) with every option = %v, want an error", test.text, e)
		}
	}
}

// What Okta's APIs do not have stays refused there.
func TestParseIsStricterThanSCIM(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`not (a pr)`, `emails[type eq "work"]`, user + `:userName eq "x"`, `a eq O`, `emails[type eq "work"].value eq "x"`} {
		if e, err := filter.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, e)
		}
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	work := compare("type", "eq", "work")
	tests := []struct {
		text string
		want filter.Path
	}{
		{`members`, filter.Path{Name: "members"}},
		{`name.familyName`, filter.Path{Name: "name.familyName"}},
		{`addresses[type eq "work"]`, filter.Path{Name: "addresses", Filter: work}},
		{`members[value eq "2819c223"].displayName`, filter.Path{Name: "members", Filter: compare("value", "eq", "2819c223"), Sub: "displayName"}},
		{`emails[type eq "work" and not (value co "]")].$ref`,
			filter.Path{Name: "emails", Filter: and(work, not(compare("value", "co", "]"))), Sub: "$ref"}},
		{user + `:name.familyName`, filter.Path{Name: user + ":name.familyName"}},
		{user + `:emails[type eq "work"].value`, filter.Path{Name: user + ":emails", Filter: work, Sub: "value"}},
		{enterprise, filter.Path{Name: enterprise}},
		{enterprise + ".manager", filter.Path{Name: enterprise + ".manager"}}, // Microsoft's collection
		{"urn:example:2.0", filter.Path{Name: "urn:example:2.0"}},
	}
	for _, test := range tests {
		got, notes, err := filter.ParsePath(test.text, filter.SCIMOptions{})
		if err != nil || len(notes) != 0 {
			t.Errorf("ParsePath(%q): %v, %q", test.text, err, notes)
			continue
		}
		if diff := cmp.Diff(test.want, got, withoutPlaces); diff != "" {
			t.Errorf("ParsePath(%q): - want + got\n%s", test.text, diff)
		}
		if got.String() != test.text {
			t.Errorf("ParsePath(%q) is written %q", test.text, got)
		}
	}
	got, notes, err := filter.ParsePath(` emails[ primary eq True ].value`, lenient)
	want := filter.Path{Name: "emails", Filter: compare("primary", "eq", true), Sub: "value"}
	if diff := cmp.Diff(want, got, withoutPlaces); err != nil || len(notes) != 2 || diff != "" {
		t.Errorf("ParsePath with options: %v, %q, - want + got\n%s", err, notes, diff)
	}
}

func TestParsePathRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{``, "character 1: an attribute is expected"},
		{`.`, "an attribute is expected"},
		{`a.b.c`, "an attribute is expected"},
		{`name.`, "an attribute is expected"},
		{`members[`, "an attribute is expected"},
		{`members[]`, "an attribute is expected"},
		{`members[value]`, "exactly one blank"},
		{`members[value eq "1"`, "a bracket is not closed"},
		{`members[value eq "1"]display`, `unexpected "display"`},
		{`members[value eq "1"].`, "a sub-attribute is expected"},
		{`members[value eq "1"].a.b`, "a sub-attribute is expected"},
		{`members[value eq "1"][value eq "2"]`, `unexpected "[value`},
		{`members[value[x eq 1] eq "1"]`, "a value path cannot stand inside another"},
		{`members[value eq "1"].display eq "x"`, `unexpected "eq \"x\""`},
		{`urn:example:2.0[value eq "1"]`, "is not an attribute with elements"},
		{`urn:`, "an attribute is expected"},
		{`userName eq "x"`, `unexpected "eq \"x\""`},
		{"members\xff", "not valid UTF-8"},
		{strings.Repeat("a", 16<<10+1), "more than 16384 bytes"},
	} {
		_, _, err := filter.ParsePath(test.text, filter.SCIMOptions{})
		if err == nil || fault.KindOf(err) == fault.Internal || !strings.Contains(fault.Public(err), test.want) {
			t.Errorf("ParsePath(%.40q) = %v, want %s", test.text, err, test.want)
		}
	}
}

func TestSplitName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]string{
		"userName":                    {"", "userName", ""},
		"name.familyName":             {"", "name", "familyName"},
		user + ":userName":            {user, "userName", ""},
		user + ":name.familyName":     {user, "name", "familyName"},
		enterprise:                    {strings.TrimSuffix(enterprise, ":User"), "User", ""},
		enterprise + ".manager":       {strings.TrimSuffix(enterprise, ":User"), "User", "manager"},
		enterprise + ":manager.value": {enterprise, "manager", "value"},
	} {
		urn, attribute, sub := filter.SplitName(name)
		if got := [3]string{urn, attribute, sub}; got != want {
			t.Errorf("SplitName(%q) = %q, want %q", name, got, want)
		}
	}
}
