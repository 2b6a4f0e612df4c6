// Package filter reads the search expressions of identity APIs into one tree
// and matches it in memory.
//
// Parse reads the form that Okta took over from SCIM: attribute operator
// literal, joined by and, or and parentheses. ParseLucene reads the part of
// Auth0's Lucene syntax that names fields and exact phrases. Which attributes
// and operators an endpoint allows, and where the values come from, is left to
// its façade: it walks the tree before it matches.
package filter

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Expr is a search expression: *And, *Or, *Not, *Has or *Compare.
type Expr interface {
	// String writes the expression in the grammar of SCIM.
	String() string

	expr()
}

// And is true when all of its terms are.
type And struct{ Terms []Expr }

// Or is true when one of its terms is.
type Or struct{ Terms []Expr }

// Not is true when its term is not.
type Not struct{ Term Expr }

// Has is true when one element of a multi-valued attribute satisfies the term
// on its own: emails[type eq "work" and value co "@x"].
type Has struct {
	Path string // "emails", as written
	Term Expr   // its paths are relative to the element
	At   int    // byte offset in the text
}

// Compare relates an attribute to a literal.
type Compare struct {
	Path  string // "profile.login", as written
	Op    Op
	Value any // string, bool, json.Number or nil (JSON null); nil for Present
	At    int // byte offset of the term in the text
}

func (*And) expr()     {}
func (*Or) expr()      {}
func (*Not) expr()     {}
func (*Has) expr()     {}
func (*Compare) expr() {}

func (e *And) String() string     { return "" }
func (e *Or) String() string      { return "" }
func (e *Not) String() string     { return "" }
func (e *Has) String() string     { return "" }
func (e *Compare) String() string { return "" }

// Op is a comparison.
type Op string

// The comparisons, named as in SCIM (RFC 7644 3.4.2.2).
const (
	Equal          Op = "eq"
	NotEqual       Op = "ne"
	Contains       Op = "co"
	StartsWith     Op = "sw"
	EndsWith       Op = "ew"
	Present        Op = "pr"
	Greater        Op = "gt"
	GreaterOrEqual Op = "ge"
	Less           Op = "lt"
	LessOrEqual    Op = "le"
)

// Walk calls f for every comparison of an expression, in the order of the
// text, until f returns an error.
func Walk(e Expr, f func(*Compare) error) error {
	switch e := e.(type) {
	case *Compare:
		return f(e)
	case *And:
		return walkAll(e.Terms, f)
	case *Or:
		return walkAll(e.Terms, f)
	}
	return nil
}

func walkAll(terms []Expr, f func(*Compare) error) error {
	for _, t := range terms {
		if err := Walk(t, f); err != nil {
			return err
		}
	}
	return nil
}

// Pinned returns the string that an attribute must equal for the expression to
// be true, when it says so in so many words. A store can then look up instead
// of scanning.
func Pinned(e Expr, path string) (string, bool) {
	switch e := e.(type) {
	case *Compare:
		if text, ok := e.Value.(string); ok && e.Op == Equal && e.Path == path {
			return text, true
		}
	case *And:
		for _, t := range e.Terms {
			if text, ok := Pinned(t, path); ok {
				return text, true
			}
		}
	}
	return "", false
}

// Needed returns the longest text that an attribute must have in it, perhaps in
// another case, for the expression to be true; "" when there is none. Only
// attributes that of accepts count. A store can narrow its scan by it.
func Needed(e Expr, of func(path string) bool) string {
	switch e := e.(type) {
	case *Compare:
		text, ok := e.Value.(string)
		if ok && of(e.Path) && (e.Op == Equal || e.Op == StartsWith || e.Op == Contains || e.Op == EndsWith) {
			return text
		}
	case *And:
		longest := ""
		for _, t := range e.Terms {
			if text := Needed(t, of); len(text) > len(longest) {
				longest = text
			}
		}
		return longest
	}
	return ""
}

// Subject is what an expression is matched against.
type Subject struct {
	// Get returns the values of an attribute: none when it is absent, several
	// when it is an array, any of which may match. A value is a string, bool,
	// json.Number or time.Time.
	Get func(path string) []any

	// Fold brings strings to the form in which they are compared, for instance
	// lower case. Nil compares them as they are. It is given the path because
	// some APIs ignore case for some attributes only.
	Fold func(path, text string) string

	// Each returns the elements of a multi-valued attribute, each a subject with
	// paths of its own. Nil says that there are none.
	Each func(path string) []Subject

	// Loose lets a literal match a value of another type that is written the same
	// way, as where an index and not the query knows the types: 5 and "5".
	Loose bool
}

// Match reports whether an expression is true of a subject.
func Match(e Expr, s Subject) bool {
	switch e := e.(type) {
	case *And:
		for _, t := range e.Terms {
			if !Match(t, s) {
				return false
			}
		}
		return true
	case *Or:
		for _, t := range e.Terms {
			if Match(t, s) {
				return true
			}
		}
		return false
	case *Compare:
		return e.match(s)
	}
	return false
}

func (c *Compare) match(s Subject) bool {
	values := s.Get(c.Path)
	switch {
	case c.Op == Present:
		return len(values) > 0
	case c.Op == NotEqual:
		for _, v := range values {
			if (&Compare{Path: c.Path, Op: Equal, Value: c.Value}).holds(v, s) {
				return false
			}
		}
		return true
	case c.Op == Equal && c.Value == nil:
		return len(values) == 0
	}
	for _, v := range values {
		if c.holds(v, s) {
			return true
		}
	}
	return false
}

// holds compares one value. Values of another type than the literal never match.
func (c *Compare) holds(v any, s Subject) bool {
	switch v := v.(type) {
	case string:
		want, ok := c.Value.(string)
		if !ok {
			return false
		}
		if s.Fold != nil {
			v, want = s.Fold(c.Path, v), s.Fold(c.Path, want)
		}
		return c.Op.text(v, want)
	case bool:
		want, ok := c.Value.(bool)
		return ok && c.Op == Equal && v == want
	case json.Number:
		want, ok := c.Value.(json.Number)
		return ok && c.Op.ordered(value.CompareNumbers(v, want))
	case time.Time:
		text, ok := c.Value.(string)
		if !ok {
			return false
		}
		want, ok := ParseTime(text)
		return ok && c.Op.ordered(v.Compare(want))
	}
	return false
}

func (o Op) text(v, want string) bool {
	switch o {
	case Contains:
		return strings.Contains(v, want)
	case StartsWith:
		return strings.HasPrefix(v, want)
	case EndsWith:
		return strings.HasSuffix(v, want)
	}
	return o.ordered(strings.Compare(v, want))
}

func (o Op) ordered(sign int) bool {
	switch o {
	case Equal:
		return sign == 0
	case Greater:
		return sign > 0
	case GreaterOrEqual:
		return sign >= 0
	case Less:
		return sign < 0
	case LessOrEqual:
		return sign <= 0
	}
	return false
}

// ParseTime reads a date as the APIs write them: RFC 3339 with or without a
// fraction, also with an offset that has no colon.
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// Order compares two attributes for sorting, by their first values: absent
// ones last, values of different types by type, texts without case.
func Order(a, b []any) int {
	switch {
	case len(a) == 0 || len(b) == 0:
		return len(b) - len(a)
	case rank(a[0]) != rank(b[0]):
		return rank(a[0]) - rank(b[0])
	}
	switch x := a[0].(type) {
	case string:
		return strings.Compare(strings.ToLower(x), strings.ToLower(b[0].(string)))
	case json.Number:
		return value.CompareNumbers(x, b[0].(json.Number))
	case time.Time:
		return x.Compare(b[0].(time.Time))
	case bool:
		y := b[0].(bool)
		if x == y {
			return 0
		}
		if y {
			return -1
		}
		return 1
	}
	return 0
}

func rank(v any) int {
	switch v.(type) {
	case bool:
		return 1
	case json.Number:
		return 2
	case time.Time:
		return 3
	case string:
		return 4
	}
	return 5
}
