package scim

import (
	"maps"
	"slices"
)

// MemberChange is what a patch does to a group, with the order of its
// operations already worked out. The members afterwards are: those of before, or
// none if Clear; then without the ones in Remove; then with the ones in Add. An id
// in both was removed and added again, and keeps nothing of before. Add holds
// whole elements ({"value", "display", ...}) in the order of their arrival, an id
// once. An element of Add for a member that is there adds its sub-attributes to
// it; Immutable ones that are there stay.
type MemberChange struct {
	Clear  bool
	Remove []string
	Add    []Resource
	// Set holds other attributes to set (displayName, externalId); nil
	// unassigns one.
	Set map[string]any
}

// Empty reports whether the change changes nothing.
func (c MemberChange) Empty() bool {
	return !c.Clear && len(c.Remove) == 0 && len(c.Add) == 0 && len(c.Set) == 0
}

// Members works out the change to a group's members without the group: when
// the operations only add members, remove members by id or replace them all, and
// set simple single-valued attributes beside. In every other case, errors
// included, ok is false and the caller loads the group and calls Patch, which
// does the same or says what is wrong.
func (t *ResourceType) Members(ops []Operation, how Leniency) (change MemberChange, seen []Note, ok bool) {
	if t.members == nil || len(ops) > MaxOperations {
		return MemberChange{}, nil, false
	}
	var n notes
	m := memberPatch{reader: reader{how, &n}, t: t, set: map[string]any{}, added: map[string]int{}, removed: map[string]bool{}}
	for _, op := range ops {
		if !m.apply(op) {
			return MemberChange{}, nil, false
		}
	}
	return m.change(), n.list, true
}

// memberPatch folds operations on members into one change.
type memberPatch struct {
	reader
	t       *ResourceType
	clear   bool
	set     map[string]any
	add     []Resource     // nil where a later operation took it back
	added   map[string]int // key to position in add
	remove  []string
	removed map[string]bool
}

// apply folds one operation, or returns false when it needs the group.
func (m *memberPatch) apply(op Operation) bool {
	if op.path == nil {
		return op.Path == "" && m.applyWhole(op)
	}
	at, _, ok := m.t.resolve(op.path.Name, false)
	if !ok || at.ext != nil || at.attr == nil || at.sub != nil || op.path.Sub != "" {
		return false
	}
	if at.attr != m.t.members {
		return op.path.Filter == nil && m.assign(op.Op, at.attr, op.Value)
	}
	if op.path.Filter != nil {
		values, ok := at.attr.valuesOf(op.path.Filter)
		if !ok || op.Op != OpRemove || op.Value != nil {
			return false
		}
		for _, v := range values {
			m.drop(v)
		}
		return true
	}
	return m.members(op)
}

// applyWhole folds an operation without a path.
func (m *memberPatch) applyWhole(op Operation) bool {
	object, ok := op.Value.(map[string]any)
	if !ok || op.Op == OpRemove {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		n := m.t.root.byName[name]
		switch {
		case n == nil || n.Name != name:
			return false
		case n.Mutability == ReadOnly:
		case n == m.t.members:
			if !m.members(Operation{Op: op.Op, Value: object[name]}) {
				return false
			}
		case !m.assign(op.Op, n, object[name]):
			return false
		}
	}
	return true
}

// assign folds an operation on a simple single-valued attribute.
func (m *memberPatch) assign(op string, n *node, v any) bool {
	if n.MultiValued || n.Type == Complex || n.Mutability != ReadWrite {
		return false
	}
	if op == OpRemove && v != nil {
		return false
	}
	if v = m.orNone(n, v); v == nil || op == OpRemove {
		if n.Required {
			return false
		}
		m.set[n.Name] = nil
		return true
	}
	w, _, err := m.single(n, v)
	if err != nil || w == "" && n.Required {
		return false
	}
	m.set[n.Name] = w
	return true
}

// members folds an operation on the members as a whole.
func (m *memberPatch) members(op Operation) bool {
	n := m.t.members
	if op.Op == OpRemove {
		return m.removeMembers(op.Value)
	}
	v := m.orNone(n, op.Value)
	if v == nil {
		v = []any{}
	}
	given, ok := v.([]any)
	if !ok {
		if op.Op == OpReplace {
			return false
		}
		given = []any{v}
	}
	elements, _, err := m.elements(n, given)
	if err != nil {
		return false
	}
	if op.Op == OpReplace {
		m.reset()
	}
	for _, e := range elements {
		object, _ := e.(map[string]any)
		if _, ok := object[n.value.Name].(string); !ok {
			return false // only by value can it be said to be there already
		}
		m.join(object)
	}
	return true
}

func (m *memberPatch) removeMembers(v any) bool {
	if v == nil {
		m.reset()
		return true
	}
	if !m.how.RemoveByValue {
		return false
	}
	unwanted, err := m.unwanted(m.t.members, v)
	if err != nil {
		return false
	}
	for _, u := range unwanted {
		object, _ := u.(map[string]any)
		id, ok := object[m.t.members.value.Name].(string)
		if !ok {
			return false
		}
		m.drop(id)
	}
	return true
}

func (m *memberPatch) reset() {
	m.clear, m.add, m.remove = true, nil, nil
	clear(m.added)
	clear(m.removed)
}

// join folds the addition of a member.
func (m *memberPatch) join(element map[string]any) {
	key := m.t.members.key(element)
	i, ok := m.added[key]
	if !ok {
		m.added[key] = len(m.add)
		m.add = append(m.add, element)
		return
	}
	before := m.add[i]
	next := maps.Clone(before)
	for name, v := range element {
		if _, had := before[name]; had && m.t.members.byName[name].Mutability == Immutable {
			continue
		}
		next[name] = v
	}
	m.add[i] = next
}

// drop folds the removal of a member.
func (m *memberPatch) drop(id string) {
	key := m.t.members.value.fold(id)
	if i, ok := m.added[key]; ok {
		m.add[i] = nil
		delete(m.added, key)
	}
	if m.removed[key] || m.clear {
		return
	}
	m.removed[key] = true
	m.remove = append(m.remove, id)
}

func (m *memberPatch) change() MemberChange {
	c := MemberChange{
		Clear:  m.clear,
		Remove: m.remove,
		Add:    slices.DeleteFunc(m.add, func(e Resource) bool { return e == nil }),
	}
	if len(m.set) > 0 {
		c.Set = m.set
	}
	return c
}
