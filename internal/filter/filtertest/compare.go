package filtertest

import (
	"encoding/json"
	"slices"

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
