package tenant

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Window says which part of a list a caller wants. Lists are in the order of
// creation. The zero value is the whole list.
type Window struct {
	After Mark // the end of the part before
	Skip  int  // leaves out so many
	Limit int  // at most so many; 0: all
	Total bool // the length of the whole list is wanted too
}

// Mark is a place in a list: when the object before it was made, and its id.
type Mark struct {
	At time.Time
	ID string
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	More  bool // there are others behind it
	Total int  // of the whole list, when the window asked for it
}

// convert makes a page of other things out of one.
func convert[T, U any](p Page[T], f func(T) (U, error)) (Page[U], error) {
	out := Page[U]{More: p.More, Total: p.Total, Items: make([]U, 0, len(p.Items))}
	for _, item := range p.Items {
		u, err := f(item)
		if err != nil {
			return Page[U]{}, err
		}
		out.Items = append(out.Items, u)
	}
	return out, nil
}

// pageOf reads the part of a list of objects that a window shows. Only those
// that match accepts (nil: all) count. after is the id of the object that the
// window's mark stands for, which the query puts it behind.
func pageOf[T any, P directory.Kept[T]](r directory.Reader, q directory.RecordQuery, w Window, after string, match func(P) bool) (Page[P], error) {
	q.After = after
	limit := 0
	if w.Limit > 0 && !w.Total {
		limit = w.Limit + 1 // one more shows that there are more
	}
	seen := 0
	items, err := directory.All(r, q, limit, func(o P) bool {
		if match != nil && !match(o) {
			return false
		}
		seen++
		return seen > w.Skip && (w.Limit == 0 || seen <= w.Skip+w.Limit+1)
	})
	p := Page[P]{Items: items}
	if w.Total {
		p.Total = seen
	}
	if w.Limit > 0 && len(items) > w.Limit {
		p.Items, p.More = items[:w.Limit], true
	}
	return p, err
}

// Cut returns the part of a list at hand that a window shows, its mark aside.
func Cut[T any](list []T, w Window) Page[T] {
	p := Page[T]{Total: len(list)}
	list = list[min(w.Skip, len(list)):]
	if w.Limit > 0 && len(list) > w.Limit {
		list, p.More = list[:w.Limit], true
	}
	p.Items = list
	return p
}
