package openapi

import (
	"slices"

	"github.com/lanyard-id/lanyard/internal/value"
)

const (
	maxShapeVisits = 5000 // schemas that make up one shape
	maxProps       = 2000 // top-level properties of one body
)

// shape is what a schema says about an object's top level.
type shape struct {
	props    []string // declared properties, in document order
	required []string
	open     bool // other properties may come too, or we cannot tell
}

// shape reads a schema's top level. Without additionalProperties a schema that
// lists properties counts as closed: what it does not list is worth a remark.
func (r *reader) shape(schema node) shape {
	n, bad := r.deref(schema)
	if bad != nil || !n.isObject() {
		return shape{open: true}
	}
	s, ok := r.shapes[n]
	if !ok {
		f := shapeFinder{reader: r, open: map[node]bool{}}
		s, _ = f.find(n)
		if len(s.props) == 0 || len(s.props) > maxProps {
			s.props, s.open = nil, true
		}
		r.shapes[n] = s
	}
	return s
}

// shapeFinder computes one shape. Schemas refer to each other in circles (a
// base lists its variants, each variant extends the base); a schema met again
// while it is being read adds nothing to itself.
type shapeFinder struct {
	*reader
	open   map[node]bool
	visits int
}

// find returns a schema's shape; known is false when the schema adds nothing
// because it is being read already.
func (f *shapeFinder) find(schema node) (s shape, known bool) {
	n, bad := f.deref(schema)
	if f.visits++; bad != nil || !n.isObject() || f.visits > maxShapeVisits || !f.spend(1) {
		return shape{open: true}, true
	}
	if f.open[n] {
		return shape{}, false
	}
	f.open[n] = true
	defer delete(f.open, n)
	for name := range n.get("properties").pairs() {
		s.props = append(s.props, name)
	}
	s.required = n.get("required").texts() // none for draft 4's boolean
	more := n.get("additionalProperties")
	s.open = more.exists() && more.text() != "false" || n.get("patternProperties").exists()
	for part := range n.get("allOf").items() {
		p, _ := f.find(part)
		s.props, s.required, s.open = union(s.props, p.props), union(s.required, p.required), s.open || p.open
	}
	for _, choice := range []node{n.get("oneOf"), n.get("anyOf")} {
		f.choice(&s, choice)
	}
	f.spend(len(s.props) + len(s.required))
	return s, true
}

// choice adds a oneOf or anyOf: what any branch declares may come, what every
// branch requires must. A branch without properties of its own only narrows
// the schema it stands in, and opens one that declares nothing either.
func (f *shapeFinder) choice(s *shape, list node) {
	declares := len(s.props) > 0
	var required []string
	first := true
	for branch := range list.items() {
		b, known := f.find(branch)
		if !known {
			continue
		}
		s.props = union(s.props, b.props)
		s.open = s.open || b.open && !declares || len(b.props) == 0 && !declares
		if first {
			required, first = b.required, false
			continue
		}
		required = slices.DeleteFunc(required, func(name string) bool { return !slices.Contains(b.required, name) })
	}
	s.required = union(s.required, required)
}

// union appends what a lacks of b.
func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	have := make(map[string]bool, len(a))
	for _, s := range a {
		have[s] = true
	}
	for _, s := range b {
		if !have[s] {
			have[s] = true
			a = append(a, s)
		}
	}
	return a
}

// jsonType returns the first type of a schema that is not null, looking into
// allOf where it says none, "" when there is no telling. seen is nil at first.
func (r *reader) jsonType(schema node, seen map[node]bool) string {
	n, bad := r.deref(schema)
	if bad != nil || seen[n] || !r.spend(1) {
		return ""
	}
	t := n.get("type")
	if s := t.text(); s != "" {
		return s
	}
	for item := range t.items() {
		if s := item.text(); s != "" && s != "null" {
			return s
		}
	}
	for part := range n.get("allOf").items() {
		if seen == nil {
			seen = map[node]bool{}
		}
		seen[n] = true
		if s := r.jsonType(part, seen); s != "" {
			return s
		}
	}
	switch {
	case n.get("properties").exists():
		return "object"
	case n.get("items").exists():
		return "array"
	}
	return ""
}

// marked reports whether a schema says that its value is a secret.
func marked(schema node) bool {
	return schema.get("format").text() == "password" || schema.get("writeOnly").isTrue()
}

func pointerTo(token string) string { return value.Pointer{token}.String() }
