package scim

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Sort orders resources in place (RFC 7644 3.4.2.3), stably: missing values
// last, first when descending; multi-valued attributes by their primary or first
// value; texts by caseExact. A path that cannot be sorted by is an InvalidPath
// error, and nothing is moved.
func (t *ResourceType) Sort(resources []Resource, by string, descending bool) error {
	at, err := t.sortable(by)
	if err != nil {
		return err
	}
	type keyed struct {
		key      any
		resource Resource
	}
	all := make([]keyed, len(resources))
	for i, r := range resources {
		all[i] = keyed{at.sortKey(r), r}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		c := compareKeys(a.key, b.key)
		if descending {
			c = -c
		}
		return c
	})
	for i := range all {
		resources[i] = all[i].resource
	}
	return nil
}

// Sortable returns the error with which Sort refuses a path, nil if it does not.
func (t *ResourceType) Sortable(by string) error {
	_, err := t.sortable(by)
	return err
}

// sortable resolves a path to a simple attribute.
func (t *ResourceType) sortable(by string) (place, error) {
	at, _, ok := t.resolve(by, false)
	if !ok || at.attr == nil {
		return at, Fail(InvalidPath, "no schema of %s has the attribute %s", t.Name, quoted(by))
	}
	n := at.leaf()
	if n.Returned == Never {
		return at, Fail(InvalidPath, "%s cannot be sorted by", n.path)
	}
	if n.Type == Complex {
		if n.value == nil {
			return at, Fail(InvalidPath, "%s is complex: sort by one of its sub-attributes", n.path)
		}
		at.sub = n.value
	}
	return at, nil
}

// sortKey returns what a resource is sorted by at a place: nil when there is
// nothing, a folded text, a bool, a number or a time.
func (p place) sortKey(r Resource) any {
	object := r
	if p.ext != nil {
		object, _ = r[p.ext.Name].(map[string]any)
	}
	v := first(object[p.attr.Name])
	if p.sub != nil {
		inner, _ := v.(map[string]any)
		v = first(inner[p.sub.Name])
	}
	n := p.leaf()
	text, ok := v.(string)
	if !ok {
		return v
	}
	if n.Type == DateTime {
		if at, ok := parseTime(text); ok {
			return at
		}
	}
	if n.CaseExact {
		return text
	}
	return fold(text)
}

// first returns the primary value of several, or the first.
func first(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	for _, e := range list {
		if object, ok := e.(map[string]any); ok && object["primary"] == true {
			return e
		}
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

// compareKeys orders two sort keys; of one attribute, they have one type.
func compareKeys(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(rank(a == nil), rank(b == nil))
	}
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok {
			return cmp.Compare(rank(a), rank(b))
		}
	case json.Number:
		if b, ok := b.(json.Number); ok {
			return value.CompareNumbers(a, b)
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	}
	return 0
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}
