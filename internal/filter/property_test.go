package filter_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/filter/filtertest"
)

// rounds is how many expressions a property is tried on.
const rounds = 5000

// What a generated expression means is what was generated, however it is
// written, and writing it canonically keeps that.
func TestGeneratedSCIM(t *testing.T) {
	t.Parallel()
	for n := range uint64(rounds) {
		want, text := filtertest.Tree(n)
		got, _, err := filter.ParseSCIM(text, filter.SCIMOptions{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got, withoutPlaces); diff != "" {
			t.Fatalf("%s: - want + got\n%s", text, diff)
		}
		again, _, err := filter.ParseSCIM(got.String(), filter.SCIMOptions{})
		if diff := cmp.Diff(want, again, withoutPlaces); err != nil || diff != "" {
			t.Fatalf("%s, written %s: %v - want + got\n%s", text, got, err, diff)
		}
	}
}

// anybody answers each attribute from a small set of values, none and several
// among them.
func anybody(seed uint64) filter.Subject {
	values := [][]any{
		nil, {"work"}, {"bjensen"}, {"ann@example.org", "work"}, {json.Number("1")}, {json.Number("-2.5e-3"), json.Number("1000")},
		{true}, {false}, {time.Date(2011, 5, 13, 4, 42, 34, 0, time.UTC)}, {""},
	}
	pick := func(path string) *rand.Rand {
		return rand.New(rand.NewPCG(seed, uint64(len(path))+uint64(path[len(path)-1])))
	}
	return filter.Subject{
		Fold: lower,
		Get:  func(path string) []any { return values[pick(path).IntN(len(values))] },
		Each: func(path string) []filter.Subject {
			elements := make([]filter.Subject, pick(path).IntN(3))
			for i := range elements {
				elements[i] = anybody(seed + uint64(i) + 1)
			}
			return elements
		},
	}
}

// Truth values follow the laws of logic, whatever the terms say.
func TestMatchIsLogic(t *testing.T) {
	t.Parallel()
	matched := 0
	for n := range uint64(rounds) {
		x, _ := filtertest.Tree(2 * n)
		y, _ := filtertest.Tree(2*n + 1)
		s := anybody(n)
		is := func(e filter.Expr) bool { return filter.Match(e, s) }
		a, b := is(x), is(y)
		if a {
			matched++
		}
		for _, law := range []struct {
			name string
			e    filter.Expr
			want bool
		}{
			{"not", not(x), !a},
			{"and", and(x, y), a && b},
			{"or", or(x, y), a || b},
			{"De Morgan", not(and(not(x), not(y))), a || b},
			{"flat", filtertest.Flat(and(x, or(y, x))), a},
		} {
			if got := is(law.e); got != law.want {
				t.Fatalf("%s of %s and %s is %v, want %v", law.name, x, y, got, law.want)
			}
		}
	}
	if matched < rounds/10 || matched > rounds*9/10 {
		t.Errorf("%d of %d expressions are true: the values show nothing", matched, rounds)
	}
}

// What a store looks up or scans for never loses somebody who matches.
func TestPinnedAndNeededAreNecessary(t *testing.T) {
	t.Parallel()
	pinned, needed := 0, 0
	for n := range uint64(rounds) {
		e, _ := filtertest.Tree(n)
		for i := range uint64(5) {
			s := anybody(n + i)
			if !filter.Match(e, s) {
				continue
			}
			if want, ok := filter.Pinned(e, "userName"); ok {
				pinned++
				if !filter.Match(compare("userName", "eq", want), s) {
					t.Fatalf("%s matches without userName %q", e, want)
				}
			}
			if want := filter.Needed(e, func(path string) bool { return path == "userName" }); want != "" {
				needed++
				if !filter.Match(compare("userName", "co", want), s) {
					t.Fatalf("%s matches without %q in userName", e, want)
				}
			}
		}
	}
	if pinned == 0 || needed == 0 {
		t.Errorf("%d pinned, %d needed: nothing was tried", pinned, needed)
	}
}

// luceneText writes an expression as ParseLucene reads it.
func luceneText(e filter.Expr) string {
	switch e := e.(type) {
	case *filter.And:
		return luceneList(e.Terms, " AND ")
	case *filter.Or:
		return luceneList(e.Terms, " OR ")
	case *filter.Not:
		return "NOT (" + luceneText(e.Term) + ")"
	}
	c := e.(*filter.Compare)
	if c.Op == filter.Present {
		return "_exists_:" + luceneWord(c.Path)
	}
	field := ""
	if c.Path != filter.AnyField {
		field = luceneWord(c.Path) + ":"
	}
	switch v := c.Value.(type) {
	case filter.Range:
		return field + v.String()
	case filter.Pattern:
		parts := []string{""}
		for i := 0; i < len(v); i++ {
			if v[i] == '*' {
				parts = append(parts, "")
				continue
			}
			if v[i] == '\\' {
				i++
			}
			parts[len(parts)-1] += string(v[i : i+1])
		}
		for i, part := range parts {
			parts[i] = luceneWord(part)
		}
		return field + strings.Join(parts, "*")
	case string:
		word := luceneWord(v)
		return field + map[filter.Op]string{
			filter.Equal: lucenePhrase(v), filter.StartsWith: word + "*", filter.EndsWith: "*" + word, filter.Contains: "*" + word + "*",
		}[c.Op]
	case bool:
		return field + map[bool]string{true: "true", false: "false"}[v]
	case json.Number:
		return field + v.String()
	}
	return field
}

func luceneList(terms []filter.Expr, word string) string {
	texts := make([]string, len(terms))
	for i, t := range terms {
		texts[i] = "(" + luceneText(t) + ")"
	}
	return strings.Join(texts, word)
}

// luceneWord puts a backslash in front of everything that is no letter or digit,
// and of what would be an operator.
func luceneWord(text string) string {
	var b strings.Builder
	if text == "AND" || text == "OR" || text == "NOT" {
		b.WriteByte('\\')
	}
	for _, r := range text {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r > 0x7f
		if !plain {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func lucenePhrase(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// generatedLucene makes an expression of Auth0's search.
func generatedLucene(r *rand.Rand, depth int) filter.Expr {
	if depth > 0 && r.IntN(3) > 0 {
		if r.IntN(4) == 0 {
			return not(generatedLucene(r, depth-1))
		}
		terms := []filter.Expr{generatedLucene(r, depth-1), generatedLucene(r, depth-1)}
		if r.IntN(2) == 0 {
			return and(terms...)
		}
		return or(terms...)
	}
	of := func(from ...string) string { return from[r.IntN(len(from))] }
	field := of("name", "email.domain", "app_metadata.a b", "identities.user_id", "x-y", "AND", filter.AnyField)
	text := of("jane", "Jane Ann", `a"b\c`, "auth0|5", "2017-12", "é*?", "NOT", "a:b/c", "true", "-5", "+x y")
	switch r.IntN(8) {
	case 0:
		return compare(field, filter.StartsWith, text)
	case 1:
		return compare(field, filter.EndsWith, text+"usa")
	case 2:
		return compare(field, filter.Contains, "xyz"+text)
	case 3:
		return compare(field, filter.Like, filter.Pattern(of(`jane*smith`, `a*b*c*`, `*abc*\**`, `\\*\*`)))
	case 4:
		return compare(field, filter.Equal, r.IntN(2) == 0)
	case 5:
		if field == filter.AnyField { // where a minus is a NOT
			return compare(field, filter.Equal, json.Number("5"))
		}
		return compare(field, filter.Equal, json.Number(of("5", "-1.5", "1e3")))
	case 6:
		if field != filter.AnyField {
			limits := []filter.Bound{bound("1"), open("2017-12"), unlimited, {Unlimited: true, Open: true}, bound("a b]")}
			return within(field, limits[r.IntN(len(limits))], limits[r.IntN(len(limits))])
		}
	case 7:
		if field != filter.AnyField {
			return compare(field, filter.Present, nil)
		}
	}
	return compare(field, filter.Equal, text)
}

func TestGeneratedLucene(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 5))
	for range rounds {
		want := generatedLucene(r, 3)
		text := luceneText(want)
		got, err := filter.ParseLucene(text)
		if diff := cmp.Diff(want, got, withoutPlaces); err != nil || diff != "" {
			t.Fatalf("%s: %v - want + got\n%s", text, err, diff)
		}
	}
}

// A pattern fits what a slow and plain matcher says it fits.
func TestPatternAgreesWithBacktracking(t *testing.T) {
	t.Parallel()
	var fits func(pattern, text string) bool
	fits = func(pattern, text string) bool {
		switch {
		case pattern == "":
			return text == ""
		case pattern[0] == '*':
			return fits(pattern[1:], text) || text != "" && fits(pattern, text[1:])
		}
		return text != "" && pattern[0] == text[0] && fits(pattern[1:], text[1:])
	}
	r := rand.New(rand.NewPCG(7, 11))
	word := func(alphabet string, most int) string {
		b := make([]byte, r.IntN(most+1))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	matched := 0
	for range 4 * rounds {
		pattern, text := word("ab**", 6), word("ab", 8)
		subject := filter.Subject{Get: func(string) []any { return []any{text} }}
		got := filter.Match(compare("x", filter.Like, filter.Pattern(pattern)), subject)
		if want := fits(pattern, text); got != want {
			t.Fatalf("%q fits %q: %v, want %v", text, pattern, got, want)
		}
		if got {
			matched++
		}
	}
	if matched < rounds/10 {
		t.Errorf("only %d fitted", matched)
	}
}

// Hostile texts at the limits take no more time than others of their length.
func TestHostileTextsAreCheap(t *testing.T) {
	t.Parallel()
	const size = 16 << 10
	fill := func(piece string) string { return strings.Repeat(piece, size/len(piece)) }
	for _, piece := range []string{
		"(", ")", "not(", "not (", "a[", "a[not(", "[", `"`, `\`, `"\`, "a pr and ", "a pr or ", "a eq 1 and (", "a eq \"", " ", "urn:", "a.", "$",
		"a:(", "NOT ", "-", "NOT (", "a:[1 TO ", "*", "a:*", `\u0041`, "a:b*", "a:1 AND ", "_exists_:", "a:\"",
	} {
		text := fill(piece)
		begun := time.Now()
		_, _ = filter.Parse(text)
		_, _, _ = filter.ParseSCIM(text, lenient)
		_, _, _ = filter.ParsePath(text, lenient)
		_, _ = filter.ParseLucene(text)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%d bytes of %q take %v", size, piece, took)
		}
	}
	stars := &filter.Compare{Op: filter.Like, Value: filter.Pattern(fill("a*"))}
	subject := filter.Subject{Get: func(string) []any { return []any{fill("a")} }}
	begun := time.Now()
	filter.Match(stars, subject)
	if took := time.Since(begun); took > time.Second {
		t.Errorf("a pattern of %d bytes takes %v", size, took)
	}
}

// FuzzFilter makes sure that no text crashes or hangs the parsers, that what
// they accept can be walked and matched, and that SCIM's and Okta's trees can be
// written and read again.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`profile.array123 eq "feature" and (created gt "2021-01-01T00:00:00.000Z")`,
		`profile.lastName eq "Jones" or profile.lastName eq "One"`,
		`(((a pr)))`, `a eq "\ud800"`, `a eq 1e999999999`, `not (a pr) and emails[type eq "work" and not(value co "@x")]`,
		`emails[type eq "work" or primary eq True].value sw O`, user + `:name.familyName eq "x"`, "a  eq\t\"1\"",
	} {
		f.Add(seed)
	}
	for _, text := range filtertest.Texts(1, 50) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := filter.Parse(text)
		if accepted(t, text, e, err) {
			again, err := filter.Parse(e.String())
			roundTrip(t, text, e, again, err)
		}
		for _, o := range []filter.SCIMOptions{{}, lenient} {
			e, _, err := filter.ParseSCIM(text, o)
			if accepted(t, text, e, err) {
				again, _, err := filter.ParseSCIM(e.String(), filter.SCIMOptions{})
				roundTrip(t, text, e, again, err)
			}
		}
	})
}

func FuzzLucene(f *testing.F) {
	for _, seed := range []string{
		`email:"a@b.c" AND (user_id:auth0|5 OR blocked:true)`, `_exists_:x`, `NOT -a:b*c`, `a:{1 TO *]`, `n:(1 OR [3 TO "4"] AND NOT (*xyz* OR -y))`,
		`name:John\ Doe\u0041`, `"green apple" OR jo*`, `user_metadata.a:x*`, `a:1 && b:/x/~2^3`, "\\\x00*0", `\\*ä*\*`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := filter.ParseLucene(text)
		if accepted(t, text, e, err) {
			again, err := filter.ParseLucene(luceneText(e))
			roundTrip(t, text, e, again, err)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		`members`, `name.familyName`, `members[value eq "1"].displayName`, enterprise, user + `:emails[type eq work and not (primary eq True)].value`, `a[`, `[]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, o := range []filter.SCIMOptions{{}, lenient} {
			path, _, err := filter.ParsePath(text, o)
			if err != nil {
				callersFault(t, text, err)
				continue
			}
			again, _, err := filter.ParsePath(path.String(), filter.SCIMOptions{})
			if diff := cmp.Diff(path, again, withoutPlaces); !fault.Is(err, fault.TooLarge) && (err != nil || diff != "") {
				t.Errorf("%q, written %q: %v - want + got\n%s", text, path, err, diff)
			}
		}
	})
}

func callersFault(t *testing.T, text string, err error) {
	t.Helper()
	if fault.KindOf(err) == fault.Internal {
		t.Errorf("%q: %v, want an error that is the caller's", text, err)
	}
}

// accepted checks what every parser promises, and reports whether it accepted.
func accepted(t *testing.T, text string, e filter.Expr, err error) bool {
	t.Helper()
	if err != nil {
		callersFault(t, text, err)
		return false
	}
	terms := 0
	_ = filter.Walk(e, func(c *filter.Compare) error {
		terms++
		if c.At < 0 || c.At >= len(text) {
			t.Errorf("%q: term %v stands at %d", text, c, c.At)
		}
		return nil
	})
	if terms == 0 {
		t.Errorf("%q has no terms", text)
	}
	s := filter.Subject{Loose: true, Get: func(string) []any { return []any{"x", true, json.Number("1"), time.Time{}} }}
	s.Each = func(string) []filter.Subject { return []filter.Subject{s} }
	filter.Match(e, s)
	return true
}

// roundTrip compares a tree with what was read from its text. Escapes may have
// made that longer than a text may be.
func roundTrip(t *testing.T, text string, e, again filter.Expr, err error) {
	t.Helper()
	if fault.Is(err, fault.TooLarge) {
		return
	}
	if diff := cmp.Diff(e, again, withoutPlaces); err != nil || diff != "" {
		t.Errorf("%q, written %q: %v - want + got\n%s", text, e, err, diff)
	}
}
