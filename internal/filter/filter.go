// Package filter reads the search expressions of identity APIs into one tree
// and matches it in memory.
//
// ParseSCIM reads the filters of RFC 7644 and ParsePath the paths of its PATCH
// operations. Parse reads the form that Okta took over from SCIM: attribute
// operator literal, joined by and, or and parentheses. ParseLucene reads what
// Auth0 documents of Lucene's syntax. Which attributes and operators an endpoint
// allows, what their types are and where the values come from is left to its
// façade: it walks the tree before it matches.
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
	Value any // string, bool, json.Number or nil (JSON null); nil for Present, Pattern for Like, Range for Within
	At    int // byte offset of the term in the text
}

func (*And) expr()     {}
func (*Or) expr()      {}
func (*Not) expr()     {}
func (*Has) expr()     {}
func (*Compare) expr() {}

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

// The comparisons that only Lucene has.
const (
	Like   Op = "like" // fits a Pattern
	Within Op = "in"   // lies in a Range
)

// Walk calls f for every comparison of an expression, in the order of the
// text, until f returns an error. What stands inside a value path is given as a
// copy with the path from outside: emails[type eq "work"] as emails.type.
func Walk(e Expr, f func(*Compare) error) error {
	switch e := e.(type) {
	case *Compare:
		return f(e)
	case *And:
		return walkAll(e.Terms, f)
	case *Or:
		return walkAll(e.Terms, f)
	case *Not:
		return Walk(e.Term, f)
	case *Has:
		return Walk(e.Term, func(c *Compare) error {
			outside := *c
			outside.Path = e.Path + "." + c.Path
			return f(&outside)
		})
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
// of scanning. An attribute inside a value path is named from outside:
// emails.value.
func Pinned(e Expr, path string) (string, bool) {
	switch e := e.(type) {
	case *Compare:
		if text, ok := e.Value.(string); ok && e.Op == Equal && e.Path == path {
			return text, true
		}
	case *Has:
		if inside, ok := strings.CutPrefix(path, e.Path+"."); ok {
			return Pinned(e.Term, inside)
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
		if of(e.Path) {
			return e.needed()
		}
	case *Has:
		return Needed(e.Term, func(path string) bool { return of(e.Path + "." + path) })
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

func (c *Compare) needed() string {
	switch v := c.Value.(type) {
	case string:
		if c.Op == Equal || c.Op == StartsWith || c.Op == Contains || c.Op == EndsWith {
			return v
		}
	case Pattern:
		longest := ""
		for _, literal := range v.literals() {
			if len(literal) > len(longest) {
				longest = literal
			}
		}
		return longest
	}
	return ""
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
