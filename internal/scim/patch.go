package scim

import (
	"maps"
	"slices"
	"strings"

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
