package openapi

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

const (
	maxSecrets      = 256    // pointers of one body
	maxSecretDepth  = 8      // tokens of one pointer
	maxSecretVisits = 10_000 // schemas looked at for one body
)

// secretFinder lists where a body holds values that its schema marks as
// secret. Schemas refer to each other in large circles, and almost none of
// them leads to a secret; so it learns first, in one pass over the document,
// which references are worth following, and then walks only those.
type secretFinder struct {
	*resolver
	leads map[node]bool // targets of references from which a mark can be reached
	found map[node][]string
	any   bool
}

func newSecretFinder(r *resolver) *secretFinder {
	f := &secretFinder{resolver: r, leads: map[node]bool{}, found: map[node][]string{}}
	s := survey{resolver: r, from: map[node][]node{}, marks: map[node]bool{}, met: map[node]bool{{}: true}}
	s.walk(r.root, node{})
	for len(s.todo) > 0 {
		t := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		s.walk(t, t)
	}
	f.any = len(s.marks) > 0
	// Backwards from the marks along the references.
	var todo []node
	for t := range s.marks {
		todo = append(todo, t)
	}
	for len(todo) > 0 {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !f.leads[t] {
			f.leads[t] = true
			todo = append(todo, s.from[t]...)
		}
	}
	return f
}

// survey is the pass that finds marks and references. Everything is attributed
// to the innermost target of a reference that was walked from; the zero node
// stands for the rest of the document.
type survey struct {
	*resolver
	from  map[node][]node // target to those that refer to it
	marks map[node]bool
	met   map[node]bool
	todo  []node
}

func (s *survey) walk(n, owner node) {
	if !s.spend(1) {
		return
	}
	for key, v := range n.pairs() {
		switch key {
		case "$ref":
			if t := s.follow(v.text()); t.err == nil && !v.isObject() {
				s.from[t.node] = append(s.from[t.node], owner)
				if !s.met[t.node] {
					s.met[t.node] = true
					s.todo = append(s.todo, t.node)
				}
			}
		case "format":
			if v.text() == "password" {
				s.marks[owner] = true
			}
		case "writeOnly":
			if v.isTrue() {
				s.marks[owner] = true
			}
		}
		s.walk(v, owner)
	}
	for v := range n.items() {
		s.walk(v, owner)
	}
}

// in returns the pointers to the secrets of a body with the given schema,
// the shallow ones first. Of those inside circles only the first rounds are listed.
func (f *secretFinder) in(schema node) []string {
	if !f.any || !schema.exists() {
		return nil
	}
	list, ok := f.found[schema]
	if !ok {
		w := secretWalk{secretFinder: f, seen: map[place]bool{}, listed: map[string]bool{}}
		w.add(schema, nil)
		list = w.run()
		f.found[schema] = list
	}
	return list
}

func shallowFirst(a, b string) int {
	return cmp.Or(strings.Count(a, "/")-strings.Count(b, "/"), strings.Compare(a, b))
}

// secretWalk goes through one schema, breadth first.
type secretWalk struct {
	*secretFinder
	queue  []place
	seen   map[place]bool
	listed map[string]bool
	out    []string
}

// place is a schema and the pointer to the value that it describes.
type place struct {
	schema  node
	pointer string
	depth   int
}

func (w *secretWalk) add(schema node, at *place, tokens ...string) {
	if !schema.isObject() {
		return
	}
	p := place{schema: schema}
	if at != nil {
		p.pointer, p.depth = at.pointer+value.Pointer(tokens).String(), at.depth+len(tokens)
	}
	if p.depth <= maxSecretDepth && !w.seen[p] && len(w.seen) < maxSecretVisits && w.spend(1) {
		w.seen[p] = true
		w.queue = append(w.queue, p)
	}
}

func (w *secretWalk) run() []string {
	for len(w.queue) > 0 && len(w.out) < maxSecrets {
		p := w.queue[0]
		w.queue = w.queue[1:]
		if ref := p.schema.get("$ref"); ref.exists() && !ref.isObject() {
			if t := w.follow(ref.text()); t.err == nil && w.leads[t.node] {
				w.add(t.node, &p)
			}
			continue
		}
		if marked(p.schema) && !w.listed[p.pointer] {
			w.listed[p.pointer] = true
			w.out = append(w.out, p.pointer)
		}
		w.parts(&p)
	}
	slices.SortFunc(w.out, shallowFirst)
	return w.out
}

// parts adds the schemas inside one schema. "*" stands for any index or key.
func (w *secretWalk) parts(p *place) {
	for name, property := range p.schema.get("properties").pairs() {
		w.add(property, p, name)
	}
	w.add(p.schema.get("items"), p, "*")
	w.add(p.schema.get("additionalProperties"), p, "*")
	for item := range p.schema.get("prefixItems").items() {
		w.add(item, p, "*")
	}
	for _, keyword := range []string{"allOf", "oneOf", "anyOf"} {
		for part := range p.schema.get(keyword).items() {
			w.add(part, p)
		}
	}
	for _, keyword := range []string{"then", "else"} {
		w.add(p.schema.get(keyword), p)
	}
}
