package scim

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/value"
)

// list is a multi-valued attribute being patched. Elements that are dropped
// leave a nil behind until the end, so that positions, and the index over them,
// stay what they are: a patch of a thousand operations on a group of two hundred
// thousand members copies the members once.
type list struct {
	at      place
	n       *node
	before  []any
	items   []any
	shared  bool           // items is before, which is not ours to change
	index   map[string]int // the position of the first element of each key; nil until needed
	twice   bool           // some elements had the same key when the index was made
	rewrote bool           // some elements were rewritten, so that two may have become one
	changed bool
}

func newList(at place, v any) *list {
	l := &list{at: at, n: at.attr, shared: true}
	switch v := v.(type) {
	case nil:
	case []any:
		l.before = v
	default:
		l.before = []any{v}
	}
	l.items = l.before
	return l
}

// edit makes items ours.
func (l *list) edit() {
	if l.shared {
		l.items, l.shared = slices.Clone(l.items), false
	}
	l.changed = true
}

// indexed says that elements can be found by their value without a scan:
// the value identifies them, and there are enough for an index to pay.
func (l *list) indexed() bool {
	if !l.n.identified() || len(l.items) < 8 {
		return false
	}
	l.buildIndex()
	return !l.twice
}

// live returns the positions of all elements.
func (l *list) live() []int {
	var which []int
	for i, e := range l.items {
		if e != nil {
			which = append(which, i)
		}
	}
	return which
}

// reset leaves the list empty.
func (l *list) reset() {
	l.items, l.shared, l.index, l.twice, l.changed = nil, false, nil, false, true
}

// key returns what tells an element apart from others: its value and type
// (RFC 7643 2.4), the value alone where that identifies it, all of it where it
// has no value.
func (n *node) key(element any) string {
	object, ok := element.(map[string]any)
	if !ok {
		return n.fold(element)
	}
	if n.value == nil || object[n.value.Name] == nil {
		text, err := value.Encode(object)
		if err != nil {
			return ""
		}
		return "\x01" + string(text)
	}
	key := n.value.fold(object[n.value.Name])
	if n.identified() {
		return key
	}
	if kind := n.byName["type"]; kind != nil {
		key += "\x00" + kind.fold(object["type"])
	}
	return key
}

// fold writes a simple value such that equal ones give equal texts.
func (n *node) fold(v any) string {
	switch v := v.(type) {
	case string:
		if n.CaseExact {
			return v
		}
		return fold(v)
	case nil:
		return ""
	case json.Number:
		return string(v)
	}
	return value.Text(v)
}

func (l *list) buildIndex() {
	if l.index != nil {
		return
	}
	l.index = make(map[string]int, len(l.items))
	for i, e := range slices.Backward(l.items) {
		if e == nil {
			continue
		}
		key := l.n.key(e)
		if _, there := l.index[key]; there {
			l.twice = true
		}
		l.index[key] = i
	}
}

// find returns the position of the element with a key.
func (l *list) find(key string) (int, bool) {
	l.buildIndex()
	i, ok := l.index[key]
	if ok && (l.items[i] == nil || l.n.key(l.items[i]) != key) {
		return 0, false
	}
	return i, ok
}

// add adds an element, or its sub-attributes to the element that is the same,
// and returns its position.
func (l *list) add(element any) int {
	key := l.n.key(element)
	i, there := l.find(key)
	if !there {
		l.edit()
		l.items = append(l.items, element)
		i = len(l.items) - 1
		l.index[key] = i
		return i
	}
	old, complex := l.items[i].(map[string]any)
	given, _ := element.(map[string]any)
	if !complex || given == nil {
		return i
	}
	var next map[string]any
	for name, v := range given {
		before, had := old[name]
		if had && (value.Equal(before, v) || l.n.byName[name].Mutability == Immutable) {
			continue
		}
		if next == nil {
			next = maps.Clone(old)
		}
		next[name] = v
	}
	if next != nil {
		l.edit()
		l.items[i] = next
	}
	return i
}

// set replaces an element.
func (l *list) set(i int, element map[string]any) {
	l.edit()
	l.rewrote = true
	l.items[i] = element
	if l.index != nil {
		l.index[l.n.key(element)] = i
	}
}

// drop removes elements by their position.
func (l *list) drop(which []int) {
	if len(which) == 0 {
		return
	}
	l.edit()
	for _, i := range which {
		if l.index != nil && l.items[i] != nil {
			delete(l.index, l.n.key(l.items[i]))
		}
		l.items[i] = nil
	}
}

// byValue returns the positions of elements that are told apart by their value.
func (l *list) byValue(values []string) []int {
	var which []int
	for _, v := range values {
		if i, ok := l.find(l.n.value.fold(v)); ok {
			which = append(which, i)
		}
	}
	slices.Sort(which)
	return slices.Compact(which)
}

// dropLike removes the elements that have all the sub-attributes of one of the
// unwanted ones. Of members, only the value counts. It reports the comparisons
// that it makes to spend.
func (l *list) dropLike(unwanted []any, spend func(int) error) error {
	wanted := map[string][]any{}
	for _, u := range unwanted {
		key := l.n.loose(u)
		wanted[key] = append(wanted[key], u)
	}
	for i, e := range l.items {
		if e == nil {
			continue
		}
		like := wanted[l.n.loose(e)]
		if err := spend(len(like)); err != nil {
			return err
		}
		if slices.ContainsFunc(like, func(u any) bool { return l.n.identified() || l.n.covers(e, u) }) {
			l.drop([]int{i})
		}
	}
	return nil
}

// loose is a key that an element shares with all that it could cover.
func (n *node) loose(element any) string {
	object, ok := element.(map[string]any)
	if !ok {
		return n.fold(element)
	}
	if n.value == nil {
		return ""
	}
	return n.value.fold(object[n.value.Name])
}

// covers reports whether an element has all the sub-attributes of another.
func (n *node) covers(element, other any) bool {
	object, ok := element.(map[string]any)
	part, _ := other.(map[string]any)
	if !ok || part == nil {
		return n.fold(element) == n.fold(other)
	}
	for name, v := range part {
		if n.byName[name].fold(object[name]) != n.byName[name].fold(v) {
			return false
		}
	}
	return true
}

// preferOnly leaves element i as the only primary one.
func (l *list) preferOnly(only int) {
	for i, e := range l.items {
		if i == only || e == nil || !isPrimary(l.n, e) {
			continue
		}
		object, _ := e.(map[string]any)
		next := maps.Clone(object)
		next["primary"] = false
		l.edit()
		l.items[i] = next
	}
}

// compact returns the elements that are left. Those that became equal by being
// rewritten are one.
func (l *list) compact() []any {
	items := slices.DeleteFunc(l.items, func(e any) bool { return e == nil })
	if !l.rewrote {
		return items
	}
	seen := make(map[string]bool, len(items))
	return slices.DeleteFunc(items, func(e any) bool {
		text, err := value.Encode(e)
		if err != nil || !seen[string(text)] {
			seen[string(text)] = true
			return false
		}
		return true
	})
}
