package scim

import (
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Limits of a patch. Beyond them it is refused with a TooLarge error, and
// nothing of it is applied.
const (
	// MaxOperations bounds the operations of one patch. Okta removes members by
	// one operation each, up to 1,000 in a patch (scim-auth0.md 1.2 and 1.4).
	MaxOperations = 2000

	// MaxWork bounds the elements of multi-valued attributes that one patch
	// looks at, all operations together.
	MaxWork = 20_000_000
)

// The operations (RFC 7644 3.5.2).
const (
	OpAdd     = "add"
	OpReplace = "replace"
	OpRemove  = "remove"
)

// Operation is one operation of a PATCH, its path parsed. ParsePatch makes it.
type Operation struct {
	Op    string // OpAdd, OpReplace or OpRemove
	Path  string // as sent; "" when absent
	Value any    // nil when absent or null

	path *filter.Path // nil without a path
}

// ParsePatch reads the body of a PATCH (RFC 7644 3.5.2). It knows no resource
// type: paths are parsed and not resolved.
func ParsePatch(body map[string]any, how Leniency) ([]Operation, []Note, error) {
	var n notes
	if !names(body, PatchMessage) {
		if !how.Schemas {
			return nil, nil, Fail(InvalidSyntax, "schemas must name %s", PatchMessage)
		}
		n.add("the body's schemas do not name %s, which was assumed", PatchMessage)
	}
	list, ok := member(body, "Operations").([]any)
	if !ok || len(list) == 0 {
		return nil, n.list, Fail(InvalidSyntax, "Operations must be an array with at least one operation")
	}
	if len(list) > MaxOperations {
		return nil, n.list, Fail(TooLarge, "a patch may have %d operations, not %d", MaxOperations, len(list))
	}
	ops := make([]Operation, 0, len(list))
	for i, v := range list {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, n.list, Fail(InvalidSyntax, "operation %d must be an object", i+1)
		}
		op, err := parseOperation(object, i+1, how, &n)
		if err != nil {
			return nil, n.list, err
		}
		ops = append(ops, op)
	}
	return ops, n.list, nil
}

func parseOperation(object map[string]any, number int, how Leniency, n *notes) (Operation, error) {
	var op Operation
	word, _ := member(object, "op").(string)
	for _, known := range []string{OpAdd, OpReplace, OpRemove} {
		if strings.EqualFold(word, known) {
			op.Op = known
		}
	}
	switch {
	case op.Op == "":
		return op, Fail(InvalidSyntax, "the op of operation %d must be add, replace or remove", number)
	case op.Op != word:
		n.add("the operation %s was read as %s", word, op.Op)
	}
	switch path := member(object, "path").(type) {
	case nil:
	case string:
		if strings.TrimSpace(path) == "" {
			n.add("an empty path was read as none")
			break
		}
		parsed, relaxed, err := filter.ParsePath(path, how.Syntax)
		if err != nil {
			return op, Fail(InvalidPath, "%s", fault.Public(err))
		}
		for _, text := range relaxed {
			n.add("%s", text)
		}
		op.Path, op.path = path, &parsed
	default:
		return op, Fail(InvalidPath, "the path of operation %d must be a string", number)
	}
	op.Value = member(object, "value")
	if op.Value == nil && op.Op != OpRemove && !has(object, "value") {
		return op, Fail(InvalidValue, "operation %d needs a value", number)
	}
	return op, nil
}

// Patch applies the operations in their order, all or none, and returns the
// resource that comes out, meta as it was. When nothing changed it is current
// itself, as Same tells.
//
// Where the RFC leaves room: null for an attribute unassigns it; add
// and replace merge into a single complex value; replace through a value filter
// replaces whole elements; a remove whose filter matches nothing changes
// nothing, so that it can be repeated; readOnly and unknown attributes inside
// values are ignored. Elements of a multi-valued attribute are the same when
// their value and type are (RFC 7643 2.4), members of a group when their value
// is.
func (t *ResourceType) Patch(current Resource, ops []Operation, how Leniency) (Resource, []Note, error) {
	var n notes
	if len(ops) > MaxOperations {
		return nil, nil, Fail(TooLarge, "a patch may have %d operations, not %d", MaxOperations, len(ops))
	}
	p := newPatch(t, current, how, &n)
	for _, op := range ops {
		if err := p.apply(op); err != nil {
			return nil, n.list, err
		}
	}
	out, err := p.result()
	if err != nil {
		return nil, n.list, err
	}
	return out, n.list, nil
}

// Same reports whether a Patch or Replace left a resource as it was, meta not
// counted. It is quick when Patch changed nothing.
func Same(before, after Resource) bool {
	if len(before) != len(after) {
		return false
	}
	for name, v := range after {
		old, ok := before[name]
		if !ok || name != "meta" && !value.Equal(old, v) {
			return false
		}
	}
	return true
}

// patch is one PATCH being applied. It owns its copies of the maps from the
// root down to what it changes, and shares the rest with the current resource.
type patch struct {
	reader
	t       *ResourceType
	current Resource
	next    Resource
	owned   map[*node]bool  // extensions whose object in next is a copy
	lists   map[*node]*list // multi-valued attributes that were touched
	order   []*list         // the same, in the order of touching
	work    int
	changed bool
}

func newPatch(t *ResourceType, current Resource, how Leniency, n *notes) *patch {
	next := maps.Clone(current)
	if next == nil {
		next = Resource{}
	}
	return &patch{
		reader: reader{how, n}, t: t, current: current, next: next,
		owned: map[*node]bool{}, lists: map[*node]*list{},
	}
}

// apply applies one operation.
func (p *patch) apply(op Operation) error {
	if op.path == nil {
		if op.Path != "" {
			return Fail(InvalidPath, "the path %s was not parsed", quoted(op.Path))
		}
		return p.applyWhole(op)
	}
	at, dotted, ok := p.t.resolve(op.path.Name, p.how.DottedExtension)
	if ok && op.path.Sub != "" {
		if at.sub != nil || at.attr == nil {
			ok = false
		} else if at.sub = at.attr.named(op.path.Sub); at.sub == nil {
			ok = false
		}
	}
	if !ok {
		if p.how.UnknownPaths {
			p.notes.add("an operation on the unknown attribute %s was ignored", quoted(op.Path))
			return nil
		}
		return Fail(InvalidPath, "no schema of %s has the attribute of the path %s", p.t.Name, quoted(op.Path))
	}
	if dotted {
		p.notes.add("the dot behind the URN in the path %s was read as a colon", quoted(op.Path))
	}
	return p.at(op, at, op.path.Filter)
}

// applyWhole applies an operation without a path: its value holds attributes.
func (p *patch) applyWhole(op Operation) error {
	if op.Op == OpRemove {
		return Fail(NoTarget, "a remove operation needs a path")
	}
	object, ok := op.Value.(map[string]any)
	if !ok {
		return Fail(InvalidValue, "the value of an operation without path must be an object with attributes")
	}
	return p.object(op.Op, nil, object)
}

// object adds or replaces attributes: those of the resource itself, or of an
// extension.
func (p *patch) object(op string, ext *node, object map[string]any) error {
	scope := p.t.root
	if ext != nil {
		scope = ext
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		v := object[name]
		n := scope.named(name)
		var err error
		switch {
		case n != nil && n.Name != name && has(object, n.Name):
			err = Fail(InvalidSyntax, "%s is there twice, in different spellings", n.path)
		case n != nil && n.extension:
			err = p.extension(op, n, v)
		case n != nil && n.Mutability == ReadOnly:
			// Okta sends a group's id with its new name (scim-auth0.md 1.2).
		case n != nil:
			err = p.assign(op, place{ext: ext, attr: n}, v)
		default:
			err = p.key(op, scope, name, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func has(object map[string]any, name string) bool {
	_, ok := object[name]
	return ok
}

// key adds or replaces an attribute that is named by more than its plain name,
// or that is not known.
func (p *patch) key(op string, scope *node, name string, v any) error {
	if scope == p.t.root {
		// RFC 7644 3.5.2 speaks of adding an attribute by its fully qualified name.
		if at, _, ok := p.t.resolve(name, false); ok && at.sub == nil {
			switch {
			case at.attr == nil && at.ext == nil:
				if object, ok := v.(map[string]any); ok {
					return p.object(op, nil, object)
				}
				return Fail(InvalidValue, "%s must be an object", quoted(name))
			case at.attr == nil:
				return p.extension(op, at.ext, v)
			case at.attr.Mutability == ReadOnly:
				return nil
			}
			return p.assign(op, at, v)
		}
	}
	if !strings.ContainsAny(name, ".[") || scope != p.t.root {
		p.unknown(scope, name)
		return nil
	}
	if !p.how.DottedKeys {
		if strings.Contains(name, ":") {
			p.unknown(scope, name) // the URN of a schema that is not ours
			return nil
		}
		return Fail(InvalidPath, "%s is a path and no attribute name", quoted(name))
	}
	path, ok := p.asPath(name)
	if !ok {
		p.unknown(scope, name)
		return nil
	}
	p.notes.add("the attribute name %s was read as a path", quoted(name))
	return p.apply(Operation{Op: op, Path: name, Value: v, path: &path})
}

// asPath reads an attribute name as the path of something that can be written.
func (p *patch) asPath(name string) (filter.Path, bool) {
	path, _, err := filter.ParsePath(name, p.how.Syntax)
	if err != nil {
		return filter.Path{}, false
	}
	at, _, ok := p.t.resolve(path.Name, p.how.DottedExtension)
	return path, ok && at.attr != nil && at.leaf().Mutability != ReadOnly
}

// extension adds or replaces attributes of an extension, or unassigns all.
func (p *patch) extension(op string, ext *node, v any) error {
	if v == nil {
		return p.removeExtension(ext)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return wrongType(ext)
	}
	return p.object(op, ext, object)
}

func (p *patch) removeExtension(ext *node) error {
	if ext.Required {
		return Fail(Mutable, "%s is required", ext.path)
	}
	for _, n := range ext.subs {
		if n.Mutability == ReadOnly {
			continue
		}
		if err := p.unassign(place{ext: ext, attr: n}); err != nil {
			return err
		}
	}
	return nil
}

// at applies an operation to a place, with the filter that selects elements if
// there is one.
func (p *patch) at(op Operation, at place, selects filter.Expr) error {
	if at.attr == nil {
		return p.atSchema(op, at, selects)
	}
	if at.attr.Mutability == ReadOnly || at.sub != nil && at.sub.Mutability == ReadOnly {
		return Fail(Mutable, "%s is readOnly", at.leaf().path)
	}
	if op.Op == OpRemove && op.Value != nil {
		done, err := p.removeValue(op, at, selects)
		if done || err != nil {
			return err
		}
	}
	if selects != nil {
		if !at.attr.MultiValued {
			return Fail(InvalidPath, "%s has a single value, from which no filter can select", at.attr.path)
		}
		return p.selected(op, at, selects)
	}
	if op.Op == OpRemove {
		return p.remove(at)
	}
	if at.sub == nil {
		return p.assign(op.Op, at, op.Value)
	}
	if at.attr.MultiValued {
		return p.assignInAll(op.Op, at, op.Value)
	}
	return p.assign(op.Op, place{ext: at.ext, attr: at.attr}, map[string]any{at.sub.Name: op.Value})
}

// atSchema applies an operation whose path is the URN of a schema.
func (p *patch) atSchema(op Operation, at place, selects filter.Expr) error {
	switch {
	case selects != nil:
		return Fail(InvalidPath, "no filter can select from a schema")
	case at.ext == nil && op.Op == OpRemove:
		return Fail(Mutable, "the attributes of %s cannot be removed all at once", p.t.Schema.ID)
	case at.ext == nil:
		return p.applyWhole(Operation{Op: op.Op, Value: op.Value})
	case op.Op == OpRemove:
		return p.removeExtension(at.ext)
	}
	return p.extension(op.Op, at.ext, op.Value)
}

// assign adds or replaces the value of an attribute as a whole.
func (p *patch) assign(op string, at place, v any) error {
	n := at.attr
	if n.Name == "schemas" && at.ext == nil {
		p.notes.add("schemas follows from the attributes; the operation on it changed nothing")
		return nil
	}
	if n.MultiValued {
		return p.assignList(op, at, v)
	}
	if v = p.orNone(n, v); v == nil {
		return p.unassign(at)
	}
	if v == "" && n.Required {
		return required(n)
	}
	if n.Type == Complex {
		return p.merge(op, at, v)
	}
	w, _, err := p.single(n, v)
	if err != nil {
		return err
	}
	return p.write(at, w)
}

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

// merge adds to or replaces the sub-attributes of a single complex value; those
// that are not given stay (RFC 7644 3.5.2.3).
func (p *patch) merge(op string, at place, v any) error {
	n := at.attr
	object, ok := v.(map[string]any)
	if !ok {
		w, _, err := p.complex(n, v)
		if err != nil || w == nil {
			return err
		}
		object, _ = w.(map[string]any)
	}
	given, _, err := p.attributes(n, p.withoutBlanks(n, object), true)
	if err != nil {
		return err
	}
	old, _ := p.get(at).(map[string]any)
	if op == OpAdd {
		given = n.joined(old, given)
	}
	next, err := n.merged(old, given)
	if err != nil {
		return err
	}
	if len(next) == 0 {
		return p.unassign(at)
	}
	if err := n.complete(next); err != nil {
		return err
	}
	return p.write(at, next)
}

// withoutBlanks turns "" into null inside a complex value that is merged, where
// the client is allowed to mean that by it.
func (r reader) withoutBlanks(n *node, object map[string]any) map[string]any {
	out, same := object, true
	for name, v := range object {
		sub := n.named(name)
		if sub == nil || v == nil || r.orNone(sub, v) != nil {
			continue
		}
		if same {
			out, same = maps.Clone(object), false
		}
		out[name] = nil
	}
	return out
}

// merged returns a complex value with the given sub-attributes set, and those
// given as nil unassigned. Neither input is changed.
func (n *node) merged(old, given map[string]any) (map[string]any, error) {
	next := maps.Clone(old)
	if next == nil {
		next = make(map[string]any, len(given))
	}
	for name, v := range given {
		sub := n.byName[name]
		before, had := old[name]
		if sub.Mutability == Immutable && had && (v == nil || !value.Equal(before, v)) {
			return nil, immutable(sub)
		}
		if v == nil {
			delete(next, name)
			continue
		}
		next[name] = v
	}
	if old != nil && n.revalued(old, next) {
		next = n.writable(next)
	}
	return next, nil
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

// remove unassigns a place.
func (p *patch) remove(at place) error {
	switch {
	case at.sub == nil:
		if at.attr.Name == "schemas" && at.ext == nil {
			return required(at.attr)
		}
		return p.unassign(at)
	case at.attr.MultiValued:
		l := p.list(at)
		if err := p.spend(len(l.items)); err != nil {
			return err
		}
		return p.removeFrom(l, at, l.live())
	}
	old, _ := p.get(at).(map[string]any)
	if _, ok := old[at.sub.Name]; !ok {
		return nil
	}
	if at.sub.Required {
		return required(at.sub)
	}
	next, err := at.attr.merged(old, map[string]any{at.sub.Name: nil})
	if err != nil {
		return err
	}
	if len(next) == 0 {
		return p.unassign(place{ext: at.ext, attr: at.attr})
	}
	return p.write(at, next)
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

func required(n *node) error { return Fail(Mutable, "%s is required", n.path) }

// get returns the present value of the attribute of a place; not for
// multi-valued ones, which list returns.
func (p *patch) get(at place) any {
	return p.scope(at.ext)[at.attr.Name]
}

// scope returns the object that the attributes of ext are in, for reading.
func (p *patch) scope(ext *node) map[string]any {
	if ext == nil {
		return p.next
	}
	object, _ := p.next[ext.Name].(map[string]any)
	return object
}

// own returns the same for writing.
func (p *patch) own(ext *node) map[string]any {
	if ext == nil {
		return p.next
	}
	object := p.scope(ext)
	if !p.owned[ext] || object == nil {
		object = maps.Clone(object)
		if object == nil {
			object = map[string]any{}
		}
		p.next[ext.Name] = object
		p.owned[ext] = true
	}
	return object
}

// write writes the value of an attribute, unless it is there already.
func (p *patch) write(at place, v any) error {
	old, had := p.scope(at.ext)[at.attr.Name]
	if had && value.Equal(old, v) {
		return nil
	}
	if had && at.attr.Mutability == Immutable {
		return immutable(at.attr)
	}
	p.own(at.ext)[at.attr.Name] = v
	p.changed = true
	return nil
}

// unassign removes the value of an attribute.
func (p *patch) unassign(at place) error {
	if at.attr.MultiValued {
		l := p.list(at)
		if len(l.items) > 0 && at.attr.Required {
			return required(at.attr)
		}
		l.reset()
		return nil
	}
	if _, had := p.scope(at.ext)[at.attr.Name]; !had {
		return nil
	}
	switch {
	case at.attr.Required:
		return required(at.attr)
	case at.attr.Mutability == Immutable:
		return immutable(at.attr)
	}
	p.discard(at)
	return nil
}

func (p *patch) discard(at place) {
	p.changed = true
	scope := p.own(at.ext)
	delete(scope, at.attr.Name)
	if at.ext != nil && len(scope) == 0 {
		delete(p.next, at.ext.Name)
	}
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

// spend counts elements that are looked at.
func (p *patch) spend(elements int) error {
	if p.work += elements; p.work > MaxWork {
		return Fail(TooLarge, "the patch looks at more than %d values", MaxWork)
	}
	return nil
}

// result writes the lists back and returns the patched resource.
func (p *patch) result() (Resource, error) {
	for _, l := range p.order {
		if err := p.settle(l); err != nil {
			return nil, err
		}
	}
	if !p.changed {
		return p.current, nil
	}
	for _, s := range p.t.schemas[1:] {
		if s.node.Required && p.next[s.urn] == nil {
			return nil, required(s.node)
		}
	}
	p.next["schemas"] = p.t.schemasOf(p.next)
	return p.next, nil
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
