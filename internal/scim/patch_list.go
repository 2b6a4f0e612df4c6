package scim

import (
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/value"
)

// assignList adds to or replaces a multi-valued attribute.
func (p *patch) assignList(op string, at place, v any) error {
	if v = p.orNone(at.attr, v); v == nil {
		v = []any{}
	}
	given, ok := v.([]any)
	if !ok {
		if op == OpReplace && !p.how.LoneValues {
			return Fail(InvalidValue, "%s must be an array", at.attr.path)
		}
		if op == OpReplace {
			p.notes.add("the single value for %s was read as an array", at.attr.path)
		}
		given = []any{v}
	}
	elements, _, err := p.elements(at.attr, given)
	if err != nil {
		return err
	}
	l := p.list(at)
	if op == OpReplace {
		if len(elements) == 0 && at.attr.Required {
			return required(at.attr)
		}
		if err := p.spend(len(l.items)); err != nil {
			return err
		}
		l.reset()
	}
	return p.addAll(l, elements)
}

func (p *patch) addAll(l *list, elements []any) error {
	if err := p.spend(len(elements)); err != nil {
		return err
	}
	for _, e := range elements {
		i := l.add(e)
		if err := p.prefer(l, i, e); err != nil {
			return err
		}
	}
	return nil
}

// prefer makes element i the only primary one, if what was written to it said
// that it is primary (RFC 7644 3.5.2).
func (p *patch) prefer(l *list, i int, written any) error {
	if !isPrimary(l.n, written) {
		return nil
	}
	if err := p.spend(len(l.items)); err != nil {
		return err
	}
	l.preferOnly(i)
	return nil
}

// assignInAll sets a sub-attribute in all elements (emails.type), and makes one
// when there are none.
func (p *patch) assignInAll(op string, at place, v any) error {
	l := p.list(at)
	if err := p.spend(len(l.items)); err != nil {
		return err
	}
	return p.setIn(op, l, at, l.live(), v)
}

// setIn sets a sub-attribute of some elements. Without any it adds an element
// that has it.
func (p *patch) setIn(op string, l *list, at place, which []int, v any) error {
	given, err := p.subValue(at, v)
	if err != nil {
		return err
	}
	if isPrimary(l.n, given) && len(which) > 1 {
		return Fail(InvalidValue, "only one value of %s can be primary", l.n.path)
	}
	if len(which) == 0 {
		return p.create(l, map[string]any{}, given)
	}
	for _, i := range which {
		if err := p.rewrite(op, l, i, given); err != nil {
			return err
		}
	}
	return nil
}

// subValue reads the value for a sub-attribute as an object that has only it.
func (p *patch) subValue(at place, v any) (map[string]any, error) {
	object := map[string]any{at.sub.Name: v}
	given, _, err := p.attributes(at.attr, p.withoutBlanks(at.attr, object), true)
	return given, err
}

// rewrite merges sub-attributes into element i.
func (p *patch) rewrite(op string, l *list, i int, given map[string]any) error {
	old, ok := l.items[i].(map[string]any)
	if !ok {
		return Fail(InvalidPath, "the values of %s have no sub-attributes", l.n.path)
	}
	if op == OpAdd {
		given = l.n.joined(old, given)
	}
	next, err := l.n.merged(old, given)
	if err != nil {
		return err
	}
	l.set(i, next)
	return p.prefer(l, i, given)
}

// joined returns what an add gives, with the values of multi-valued
// sub-attributes behind those that are there.
func (n *node) joined(old, given map[string]any) map[string]any {
	out := given
	for _, sub := range n.subs {
		before, had := old[sub.Name].([]any)
		more, has := given[sub.Name].([]any)
		if !sub.MultiValued || !had || !has {
			continue
		}
		all := slices.Clone(before)
		for _, v := range more {
			if !slices.ContainsFunc(all, func(w any) bool { return value.Equal(v, w) }) {
				all = append(all, v)
			}
		}
		out = maps.Clone(out)
		out[sub.Name] = all
	}
	return out
}

// create adds an element with the sub-attributes of base and of given.
func (p *patch) create(l *list, base, given map[string]any) error {
	next := maps.Clone(base)
	for name, v := range given {
		if v != nil {
			next[name] = v
		} else {
			delete(next, name)
		}
	}
	if len(given) == 0 || len(next) == 0 {
		return nil
	}
	if err := l.n.complete(next); err != nil {
		return err
	}
	return p.addAll(l, []any{next})
}

// selected applies an operation to the elements that a filter selects.
func (p *patch) selected(op Operation, at place, selects filter.Expr) error {
	test, err := p.t.compileElement(at.attr, selects)
	if err != nil {
		return Fail(InvalidPath, "%s", Describe(err).Detail)
	}
	l := p.list(at)
	which, err := p.matching(l, test, selects)
	if err != nil {
		return err
	}
	if op.Op == OpRemove {
		return p.removeFrom(l, at, which)
	}
	if len(which) == 0 {
		return p.selectedNone(op, l, at, selects)
	}
	if at.sub != nil {
		return p.setIn(op.Op, l, at, which, op.Value)
	}
	return p.replaceElements(op, l, which)
}

// matching returns the positions of the elements that a filter selects.
func (p *patch) matching(l *list, test func(any) bool, selects filter.Expr) ([]int, error) {
	if values, ok := l.n.valuesOf(selects); ok && l.indexed() {
		return l.byValue(values), p.spend(len(values))
	}
	if err := p.spend(len(l.items)); err != nil {
		return nil, err
	}
	var which []int
	for i, e := range l.items {
		if e != nil && test(e) {
			which = append(which, i)
		}
	}
	return which, nil
}

// selectedNone makes an element from the equalities of a filter that selected
// none (scim-auth0.md 1.1 and 1.3).
func (p *patch) selectedNone(op Operation, l *list, at place, selects filter.Expr) error {
	terms, ok := l.n.equalities(selects)
	if op.Op == OpReplace && !p.how.CreateMissing || !ok {
		return Fail(NoTarget, "the filter of the path %s matches no value", quoted(op.Path))
	}
	if op.Op == OpReplace {
		p.notes.add("the filter of the path %s matched no value, so one was made from it", quoted(op.Path))
	}
	if at.sub != nil {
		given, err := p.subValue(at, op.Value)
		if err != nil {
			return err
		}
		if given[at.sub.Name] == nil {
			return nil
		}
		return p.create(l, terms, given)
	}
	given, err := p.element(l, op.Value)
	if err != nil || given == nil {
		return err
	}
	return p.create(l, terms, given)
}

// element reads the value for one element of a multi-valued complex attribute.
func (p *patch) element(l *list, v any) (map[string]any, error) {
	if lone, ok := v.([]any); ok && len(lone) == 1 && p.how.LoneValues {
		p.notes.add("the array for one value of %s was read as that value", l.n.path)
		v = lone[0]
	}
	w, _, err := p.single(l.n, v)
	if err != nil {
		return nil, err
	}
	given, ok := w.(map[string]any)
	if w != nil && !ok {
		return nil, Fail(InvalidPath, "the values of %s have no sub-attributes", l.n.path)
	}
	return given, nil
}

// replaceElements replaces the selected elements, or merges into them when the
// operation adds.
func (p *patch) replaceElements(op Operation, l *list, which []int) error {
	if l.n.Type != Complex {
		return p.replaceSimple(op, l, which)
	}
	given, err := p.element(l, op.Value)
	if err != nil {
		return err
	}
	if given == nil {
		if op.Op == OpReplace {
			l.drop(which)
		}
		return nil
	}
	if isPrimary(l.n, given) && len(which) > 1 {
		return Fail(InvalidValue, "only one value of %s can be primary", l.n.path)
	}
	for _, i := range which {
		if op.Op == OpAdd {
			if err := p.rewrite(OpAdd, l, i, given); err != nil {
				return err
			}
			continue
		}
		next, err := l.n.successor(l.items[i], given)
		if err != nil {
			return err
		}
		l.set(i, next)
		if err := p.prefer(l, i, next); err != nil {
			return err
		}
	}
	return nil
}

// successor returns what replaces an element as a whole: its immutable
// sub-attributes stay.
func (n *node) successor(old any, given map[string]any) (map[string]any, error) {
	before, _ := old.(map[string]any)
	next := maps.Clone(given)
	for _, sub := range n.subs {
		v, had := before[sub.Name]
		if sub.Mutability != Immutable || !had {
			continue
		}
		if w, named := given[sub.Name]; named && !value.Equal(v, w) {
			return nil, immutable(sub)
		}
		next[sub.Name] = v
	}
	return next, nil
}

// replaceSimple replaces the selected values of an attribute without
// sub-attributes.
func (p *patch) replaceSimple(op Operation, l *list, which []int) error {
	w, _, err := p.single(l.n, op.Value)
	if err != nil {
		return err
	}
	if op.Op == OpReplace {
		l.drop(which)
	}
	if w == nil {
		return nil
	}
	return p.addAll(l, []any{w})
}

// removeFrom removes elements, or the sub-attribute of the place from them.
func (p *patch) removeFrom(l *list, at place, which []int) error {
	if len(which) == 0 {
		p.notes.add("there was nothing to remove from %s", l.n.path)
		return nil
	}
	if at.sub == nil {
		l.drop(which)
		return nil
	}
	if at.sub.Required {
		return required(at.sub)
	}
	for _, i := range which {
		old, _ := l.items[i].(map[string]any)
		if _, ok := old[at.sub.Name]; !ok {
			continue
		}
		next, err := l.n.merged(old, map[string]any{at.sub.Name: nil})
		if err != nil {
			return err
		}
		if len(next) == 0 {
			l.drop([]int{i})
			continue
		}
		l.set(i, next)
	}
	return nil
}

// removeValue takes care of a remove operation that has a value. It is done
// when the value said what to remove.
func (p *patch) removeValue(op Operation, at place, selects filter.Expr) (done bool, err error) {
	if !p.how.RemoveByValue {
		return true, Fail(InvalidValue, "a remove operation has no value: name what to remove by a filter in its path")
	}
	if selects != nil || at.sub != nil || !at.attr.MultiValued {
		p.notes.add("the value of the operation that removes %s was ignored", quoted(op.Path))
		return false, nil
	}
	unwanted, err := p.unwanted(at.attr, op.Value)
	if err != nil {
		return true, err
	}
	l := p.list(at)
	if err := p.spend(len(l.items) + len(unwanted)); err != nil {
		return true, err
	}
	return true, l.dropLike(unwanted, p.spend)
}

// unwanted reads the value of a remove operation as elements.
func (r reader) unwanted(n *node, v any) ([]any, error) {
	given, ok := v.([]any)
	if !ok {
		given = []any{v}
	}
	r.how.BareReference = true
	var quiet notes
	elements, _, err := reader{r.how, &quiet}.elements(n, given)
	if err != nil {
		return nil, err
	}
	r.notes.add("the value of the operation that removes %s was read as what to remove", n.path)
	return elements, nil
}

// list returns the elements of a multi-valued attribute for editing.
func (p *patch) list(at place) *list {
	l := p.lists[at.attr]
	if l == nil {
		l = newList(at, p.scope(at.ext)[at.attr.Name])
		p.lists[at.attr] = l
		p.order = append(p.order, l)
	}
	return l
}

// settle writes a list back when it differs from what it was.
func (p *patch) settle(l *list) error {
	if !l.changed {
		return nil
	}
	items := l.compact()
	if value.Equal(items, l.before) {
		return nil
	}
	if l.n.Mutability == Immutable && len(l.before) > 0 {
		return immutable(l.n)
	}
	if len(items) > 0 {
		p.own(l.at.ext)[l.n.Name] = items
		p.changed = true
		return nil
	}
	if len(l.before) == 0 {
		return nil
	}
	if l.n.Required {
		return required(l.n)
	}
	p.discard(l.at)
	return nil
}
