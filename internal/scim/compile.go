package scim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Filter is a filter resolved against a resource type. It is safe for
// concurrent use.
//
// Of a multi-valued attribute, any value may satisfy a comparison; ne is true
// when eq is not, so also when the attribute has no value; comparing with null
// asks whether it has one.
type Filter struct {
	expr    filter.Expr
	match   matcher
	lookups []lookup
	needs   map[string]bool
}

// matcher tests a resource, an element or a value.
type matcher func(v any) bool

// lookup is an equality that every match satisfies.
type lookup struct{ attribute, value string }

// Compile resolves a filter. An attribute that the type does not have, a literal
// that does not fit it and an operator that its type does not allow are
// InvalidFilter errors (RFC 7644 3.4.2.2): nothing is ever left out. Without an
// expression there is no Filter, which matches everything.
func (t *ResourceType) Compile(e filter.Expr) (*Filter, error) {
	if e == nil {
		return nil, nil
	}
	c := compiler{t: t, needs: map[string]bool{}}
	match, err := c.expr(t.root, e)
	if err != nil {
		return nil, err
	}
	return &Filter{expr: e, match: match, lookups: c.required(t.root, "", e, nil), needs: c.needs}, nil
}

// Expr returns the expression that the filter was compiled from.
func (f *Filter) Expr() filter.Expr { return f.expr }

// Match reports whether a resource satisfies the filter. A nil Filter matches all.
func (f *Filter) Match(r Resource) bool { return f == nil || f.match(r) }

// preferred lists the attributes that are most likely indexed, best first.
var preferred = []string{"id", "userName", "externalId", "displayName", "emails.value"}

// Lookup returns an equality that every match must satisfy, for an index. The
// attribute is written as in the schema ("userName", "emails.value"), the value
// as in the filter; whether case counts is the attribute's matter. Of several, id
// is preferred, then userName, externalId, displayName, emails.value, others.
func (f *Filter) Lookup() (attribute, value string, ok bool) {
	if f == nil || len(f.lookups) == 0 {
		return "", "", false
	}
	for _, name := range preferred {
		for _, l := range f.lookups {
			if l.attribute == name {
				return l.attribute, l.value, true
			}
		}
	}
	return f.lookups[0].attribute, f.lookups[0].value, true
}

// Needs reports whether Match reads an attribute of the top level ("members",
// the URN of an extension), so that it has to be loaded.
func (f *Filter) Needs(attribute string) bool { return f != nil && f.needs[attribute] }

// compileElement resolves a filter whose paths are relative to an element of n.
func (t *ResourceType) compileElement(n *node, e filter.Expr) (func(element any) bool, error) {
	c := compiler{t: t, needs: map[string]bool{}}
	return c.expr(n, e)
}

type compiler struct {
	t     *ResourceType
	needs map[string]bool
}

// expr compiles an expression over the attributes of a scope: the resource, or
// an element of a complex attribute.
func (c *compiler) expr(scope *node, e filter.Expr) (matcher, error) {
	switch e := e.(type) {
	case *filter.And:
		terms, err := c.terms(scope, e.Terms)
		return func(v any) bool {
			for _, term := range terms {
				if !term(v) {
					return false
				}
			}
			return true
		}, err
	case *filter.Or:
		terms, err := c.terms(scope, e.Terms)
		return func(v any) bool {
			for _, term := range terms {
				if term(v) {
					return true
				}
			}
			return false
		}, err
	case *filter.Not:
		term, err := c.expr(scope, e.Term)
		return func(v any) bool { return !term(v) }, err
	case *filter.Has:
		return c.has(scope, e)
	case *filter.Compare:
		return c.compare(scope, e)
	}
	return nil, Fail(InvalidFilter, "the filter has a part that SCIM does not")
}

func (c *compiler) terms(scope *node, in []filter.Expr) ([]matcher, error) {
	out := make([]matcher, len(in))
	for i, e := range in {
		var err error
		if out[i], err = c.expr(scope, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// find resolves a path in a scope. self says that the path is "value" and
// means the element itself, which has no sub-attributes.
func (c *compiler) find(scope *node, path string) (at place, self bool, err error) {
	var ok bool
	if scope == c.t.root {
		at, _, ok = c.t.resolve(path, false)
		ok = ok && at.attr != nil
	} else if scope.Type != Complex {
		self = strings.EqualFold(path, "value")
		at, ok = place{attr: scope}, self
	} else {
		at.attr = scope.named(path)
		ok = at.attr != nil
	}
	switch {
	case !ok:
		return at, self, Fail(InvalidFilter, "no schema of %s has the attribute %s", c.t.Name, quoted(path))
	case at.leaf().Returned == Never:
		return at, self, Fail(InvalidFilter, "%s cannot be filtered by", at.leaf().path)
	}
	if scope == c.t.root {
		name := at.attr.Name
		if at.ext != nil {
			name = at.ext.Name
		}
		c.needs[name] = true
	}
	return at, self, nil
}

// has compiles attribute[term]: one element satisfies the term on its own.
func (c *compiler) has(scope *node, e *filter.Has) (matcher, error) {
	at, self, err := c.find(scope, e.Path)
	if err != nil {
		return nil, err
	}
	n := at.leaf()
	if self || scope != c.t.root || n.Type != Complex && !n.MultiValued {
		return nil, Fail(InvalidFilter, "%s has no values that a filter could select from", n.path)
	}
	term, err := c.expr(n, e.Term)
	if err != nil {
		return nil, err
	}
	return reach(at, anyOf(term)), nil
}

// anyOf tests a value, or each of several.
func anyOf(test matcher) matcher {
	return func(v any) bool {
		list, ok := v.([]any)
		if !ok {
			return v != nil && test(v)
		}
		for _, e := range list {
			if e != nil && test(e) {
				return true
			}
		}
		return false
	}
}

// reach returns a matcher of the object that a place starts from, which tests
// what is at the place: nil when nothing is.
func reach(at place, test matcher) matcher {
	name := at.attr.Name
	if at.sub != nil {
		test = inside(at.sub.Name, test)
	}
	if at.ext == nil {
		return func(v any) bool {
			object, _ := v.(map[string]any)
			return test(object[name])
		}
	}
	urn := at.ext.Name
	return func(v any) bool {
		object, _ := v.(map[string]any)
		object, _ = object[urn].(map[string]any)
		return test(object[name])
	}
}

// inside tests a sub-attribute of a complex value, or of any of several.
func inside(name string, test matcher) matcher {
	return func(v any) bool {
		switch v := v.(type) {
		case map[string]any:
			return test(v[name])
		case []any:
			for _, e := range v {
				if object, ok := e.(map[string]any); ok && test(object[name]) {
					return true
				}
			}
		}
		return false
	}
}

// compare compiles attribute operator literal.
func (c *compiler) compare(scope *node, e *filter.Compare) (matcher, error) {
	at, self, err := c.find(scope, e.Path)
	if err != nil {
		return nil, err
	}
	test, negated := matcher(present), false
	switch {
	case e.Op == filter.Present:
	case e.Value == nil && e.Op == filter.Equal:
		negated = true
	case e.Value == nil && e.Op == filter.NotEqual:
	default:
		if at, err = implied(at); err != nil {
			return nil, err
		}
		op := e.Op
		if op == filter.NotEqual {
			op, negated = filter.Equal, true
		}
		if test, err = literal(at.leaf(), op, e.Value); err != nil {
			return nil, err
		}
	}
	test = anyOf(test)
	if !self {
		test = reach(at, test)
	}
	if negated {
		return func(v any) bool { return !test(v) }, nil
	}
	return test, nil
}

// implied adds the sub-attribute value to a place that is a multi-valued
// complex attribute: emails co "x" means emails.value co "x" (RFC 7644 3.4.2.2).
func implied(at place) (place, error) {
	n := at.leaf()
	if n.Type != Complex {
		return at, nil
	}
	if !n.MultiValued || n.value == nil || at.sub != nil {
		return at, Fail(InvalidFilter, "%s is complex: compare one of its sub-attributes", n.path)
	}
	at.sub = n.value
	return at, nil
}

// present reports whether a value is one: not empty, and for a complex value
// with something in it (RFC 7644 3.4.2.2, pr).
func present(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []any:
		return slices.ContainsFunc(v, present)
	case map[string]any:
		for _, e := range v {
			if present(e) {
				return true
			}
		}
		return false
	}
	return true
}

// literal compiles the comparison of one value of n with a literal.
func literal(n *node, op filter.Op, lit any) (matcher, error) {
	switch n.Type {
	case Boolean:
		return booleanTest(n, op, lit)
	case Integer, Decimal:
		return numberTest(n, op, lit)
	case DateTime:
		return timeTest(n, op, lit)
	}
	text, ok := lit.(string)
	if !ok {
		return nil, wrongLiteral(n)
	}
	if n.Type == Binary && op != filter.Equal {
		return nil, wrongOperator(n, op)
	}
	test, err := textTest(n, op, text)
	if err != nil {
		return nil, err
	}
	return func(v any) bool {
		s, ok := v.(string)
		return ok && test(s)
	}, nil
}

func wrongLiteral(n *node) error {
	return Fail(InvalidFilter, "%s must be compared with %s", n.path, kinds[n.Type])
}

func wrongOperator(n *node, op filter.Op) error {
	return Fail(InvalidFilter, "%s cannot be compared by %s", n.path, op)
}

func booleanTest(n *node, op filter.Op, lit any) (matcher, error) {
	want, ok := lit.(bool)
	if !ok {
		return nil, wrongLiteral(n)
	}
	if op != filter.Equal {
		return nil, wrongOperator(n, op)
	}
	return func(v any) bool { return v == want }, nil
}

func numberTest(n *node, op filter.Op, lit any) (matcher, error) {
	want, ok := lit.(json.Number)
	if !ok {
		return nil, wrongLiteral(n)
	}
	order, ok := orders[op]
	if !ok {
		return nil, wrongOperator(n, op)
	}
	return func(v any) bool {
		number, ok := v.(json.Number)
		return ok && order(value.CompareNumbers(number, want))
	}, nil
}

// timeTest compares times as times. By co, sw and ew they are compared as the
// text they are, as RFC 7644 3.4.2.2 excepts no type from those.
func timeTest(n *node, op filter.Op, lit any) (matcher, error) {
	text, ok := lit.(string)
	if !ok {
		return nil, wrongLiteral(n)
	}
	order, ok := orders[op]
	if !ok {
		test, err := textTest(n, op, text)
		return func(v any) bool {
			s, ok := v.(string)
			return ok && test(s)
		}, err
	}
	want, ok := parseTime(text)
	if !ok {
		return nil, wrongLiteral(n)
	}
	return func(v any) bool {
		at, ok := asTime(v)
		return ok && order(at.Compare(want))
	}, nil
}

func asTime(v any) (time.Time, bool) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, false
	}
	return parseTime(text)
}

// orders says which outcomes of a three-way comparison satisfy an operator.
var orders = map[filter.Op]func(int) bool{
	filter.Equal:          func(c int) bool { return c == 0 },
	filter.Greater:        func(c int) bool { return c > 0 },
	filter.GreaterOrEqual: func(c int) bool { return c >= 0 },
	filter.Less:           func(c int) bool { return c < 0 },
	filter.LessOrEqual:    func(c int) bool { return c <= 0 },
}

// textTest compares texts with the literal by the attribute's rule of case.
func textTest(n *node, op filter.Op, lit string) (func(string) bool, error) {
	if order, ok := orders[op]; ok && op != filter.Equal {
		if n.CaseExact {
			return func(s string) bool { return order(strings.Compare(s, lit)) }, nil
		}
		folded := fold(lit)
		return func(s string) bool { return order(strings.Compare(fold(s), folded)) }, nil
	}
	tests := foldTests
	if n.CaseExact {
		tests = exactTests
	} else if op != filter.Equal {
		lit = fold(lit)
	}
	test, ok := tests[op]
	if !ok {
		return nil, wrongOperator(n, op)
	}
	return func(s string) bool { return test(s, lit) }, nil
}

var (
	exactTests = map[filter.Op]func(s, lit string) bool{
		filter.Equal:      func(s, lit string) bool { return s == lit },
		filter.Contains:   strings.Contains,
		filter.StartsWith: strings.HasPrefix,
		filter.EndsWith:   strings.HasSuffix,
	}
	foldTests = map[filter.Op]func(s, lit string) bool{
		filter.Equal:      strings.EqualFold,
		filter.Contains:   containsFold,
		filter.StartsWith: hasPrefixFold,
		filter.EndsWith:   hasSuffixFold,
	}
)

// required collects the equalities that an expression over a scope, whose
// attributes start with prefix, cannot do without.
func (c *compiler) required(scope *node, prefix string, e filter.Expr, found []lookup) []lookup {
	switch e := e.(type) {
	case *filter.And:
		for _, term := range e.Terms {
			found = c.required(scope, prefix, term, found)
		}
	case *filter.Has:
		if at, _, err := c.find(scope, e.Path); err == nil {
			found = c.required(at.leaf(), at.leaf().path+".", e.Term, found)
		}
	case *filter.Compare:
		text, ok := e.Value.(string)
		if e.Op != filter.Equal || !ok {
			return found
		}
		at, self, err := c.find(scope, e.Path)
		if err != nil || self {
			return found
		}
		if at, err = implied(at); err == nil && at.leaf().text {
			found = append(found, lookup{at.leaf().path, text})
		}
	}
	return found
}

// valuesOf returns the values that a filter over the elements of n selects by,
// when it says value eq "x", or several such joined by or.
func (n *node) valuesOf(e filter.Expr) ([]string, bool) {
	switch e := e.(type) {
	case *filter.Compare:
		text, ok := e.Value.(string)
		if !ok || e.Op != filter.Equal || n.value == nil || n.named(e.Path) != n.value {
			return nil, false
		}
		return []string{text}, true
	case *filter.Or:
		var all []string
		for _, term := range e.Terms {
			more, ok := n.valuesOf(term)
			if !ok {
				return nil, false
			}
			all = append(all, more...)
		}
		return all, true
	}
	return nil, false
}

// equalities returns the sub-attributes that an element must have to satisfy a
// filter, when the filter is nothing but equalities joined by and.
func (n *node) equalities(e filter.Expr) (map[string]any, bool) {
	out := map[string]any{}
	if n.Type != Complex {
		return nil, false
	}
	terms := []filter.Expr{e}
	for len(terms) > 0 {
		term := terms[0]
		terms = terms[1:]
		switch term := term.(type) {
		case *filter.And:
			terms = append(slices.Clone(term.Terms), terms...)
		case *filter.Compare:
			sub := n.named(term.Path)
			if term.Op != filter.Equal || sub == nil || term.Value == nil || sub.Mutability == ReadOnly {
				return nil, false
			}
			if before, twice := out[sub.Name]; twice && !value.Equal(before, term.Value) {
				return nil, false
			}
			if sub.MultiValued {
				out[sub.Name] = []any{term.Value}
			} else {
				out[sub.Name] = term.Value
			}
		default:
			return nil, false
		}
	}
	return out, true
}
