package filtertest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Flat joins lists in lists of the same kind, whose grouping has no meaning and
// which not every parser keeps.
func Flat(e filter.Expr) filter.Expr {
	switch e := e.(type) {
	case *filter.And:
		var terms []filter.Expr
		for _, t := range e.Terms {
			t = Flat(t)
			if inner, ok := t.(*filter.And); ok {
				terms = append(terms, inner.Terms...)
			} else {
				terms = append(terms, t)
			}
		}
		return &filter.And{Terms: terms}
	case *filter.Or:
		var terms []filter.Expr
		for _, t := range e.Terms {
			t = Flat(t)
			if inner, ok := t.(*filter.Or); ok {
				terms = append(terms, inner.Terms...)
			} else {
				terms = append(terms, t)
			}
		}
		return &filter.Or{Terms: terms}
	case *filter.Not:
		return &filter.Not{Term: Flat(e.Term)}
	case *filter.Has:
		return &filter.Has{Path: e.Path, Term: Flat(e.Term)}
	}
	return e
}

// Same reports whether two expressions say the same in the same order.
func Same(a, b filter.Expr) bool { return same(Flat(a), Flat(b)) }

func same(a, b filter.Expr) bool {
	switch a := a.(type) {
	case *filter.And:
		b, ok := b.(*filter.And)
		return ok && slices.EqualFunc(a.Terms, b.Terms, same)
	case *filter.Or:
		b, ok := b.(*filter.Or)
		return ok && slices.EqualFunc(a.Terms, b.Terms, same)
	case *filter.Not:
		b, ok := b.(*filter.Not)
		return ok && same(a.Term, b.Term)
	case *filter.Has:
		b, ok := b.(*filter.Has)
		return ok && a.Path == b.Path && same(a.Term, b.Term)
	case *filter.Compare:
		b, ok := b.(*filter.Compare)
		return ok && a.Path == b.Path && a.Op == b.Op && sameLiteral(a.Value, b.Value)
	}
	return false
}

func sameLiteral(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, ok := b.(json.Number)
	if isNumber && ok {
		return value.CompareNumbers(x, y) == 0
	}
	return a == b
}

// Equivalent reports whether two expressions are true together, for parsers that
// keep no tree but a sum of products. A comparison is true or false as a whole;
// emails.type and emails[type ...] are the same, and so are names that differ in
// the case of a first letter.
func Equivalent(a, b filter.Expr) bool {
	terms := map[string]bool{}
	collect(a, "", terms)
	collect(b, "", terms)
	keys := slices.Sorted(maps.Keys(terms))
	const most = 12 // more terms than these are not tried in all combinations
	for n := range 1 << min(len(keys), most) {
		for i, key := range keys {
			terms[key] = n>>(i%most)&1 == 1
			if i >= most { // not in step with the first ones
				terms[key] = (n*2654435761+i)>>7&1 == 1
			}
		}
		if holds(a, "", terms) != holds(b, "", terms) {
			return false
		}
	}
	return true
}

// term is what stands for a comparison in a table of truth values.
func term(c *filter.Compare, prefix string) string {
	parts := strings.Split(prefix+c.Path, ".")
	for i, part := range parts {
		if part != "" {
			parts[i] = strings.ToLower(part[:1]) + part[1:]
		}
	}
	literal := value.Text(c.Value)
	if n, ok := c.Value.(json.Number); ok {
		literal = canonical(n)
	}
	return strings.Join(parts, ".") + " " + string(c.Op) + " " + literal
}

// canonical writes equal numbers alike.
func canonical(n json.Number) string {
	if f, err := n.Float64(); err == nil {
		if short, err := json.Marshal(f); err == nil && value.CompareNumbers(n, json.Number(short)) == 0 {
			return string(short)
		}
	}
	return n.String()
}

func collect(e filter.Expr, prefix string, terms map[string]bool) {
	switch e := e.(type) {
	case *filter.And:
		for _, t := range e.Terms {
			collect(t, prefix, terms)
		}
	case *filter.Or:
		for _, t := range e.Terms {
			collect(t, prefix, terms)
		}
	case *filter.Not:
		collect(e.Term, prefix, terms)
	case *filter.Has:
		collect(e.Term, prefix+e.Path+".", terms)
	case *filter.Compare:
		terms[term(e, prefix)] = false
	}
}

func holds(e filter.Expr, prefix string, terms map[string]bool) bool {
	switch e := e.(type) {
	case *filter.And:
		return !slices.ContainsFunc(e.Terms, func(t filter.Expr) bool { return !holds(t, prefix, terms) })
	case *filter.Or:
		return slices.ContainsFunc(e.Terms, func(t filter.Expr) bool { return holds(t, prefix, terms) })
	case *filter.Not:
		return !holds(e.Term, prefix, terms)
	case *filter.Has:
		return holds(e.Term, prefix+e.Path+".", terms)
	case *filter.Compare:
		return terms[term(e, prefix)]
	}
	return false
}
