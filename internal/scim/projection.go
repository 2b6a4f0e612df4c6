package scim

import (
	"maps"
	"strings"

	"github.com/lanyard-id/lanyard/internal/filter"
)

// Projection says which attributes an answer holds (RFC 7644 3.9). The zero
// value holds what is returned by default.
type Projection struct {
	names   []string // as given
	exclude bool     // names are left out; otherwise they are what is asked for
}

// ParseProjection reads the parameters attributes and excludedAttributes, each
// item being a name or a list of names with commas between. Both together are
// an InvalidValue error. Names that no schema has select nothing, and a filter
// behind a name, as Microsoft's collection of tests has it, is ignored.
func ParseProjection(attributes, excluded []string) (Projection, error) {
	asked, left := split(attributes), split(excluded)
	switch {
	case len(asked) > 0 && len(left) > 0:
		return Projection{}, Fail(InvalidValue, "attributes and excludedAttributes cannot be used together")
	case len(left) > 0:
		return Projection{names: left, exclude: true}, nil
	}
	return Projection{names: asked}, nil
}

// split takes lists of names apart, and filters off the names.
func split(lists []string) []string {
	var names []string
	for _, list := range lists {
		depth, quoted, start := 0, false, 0
		for i := 0; i <= len(list); i++ {
			switch {
			case i < len(list) && list[i] == '"':
				quoted = depth > 0 && !quoted
			case quoted && i < len(list):
			case i < len(list) && list[i] == '[':
				depth++
			case i < len(list) && list[i] == ']':
				depth = max(0, depth-1)
			case i == len(list) || list[i] == ',' && depth == 0:
				name, _, _ := strings.Cut(list[start:i], "[")
				if name = strings.TrimSpace(name); name != "" {
					names = append(names, name)
				}
				start = i + 1
			}
		}
	}
	return names
}

// IsZero reports whether neither parameter was given.
func (p Projection) IsZero() bool { return len(p.names) == 0 }

// Wants reports whether an answer can hold an attribute of the top level (its
// schema name, or the URN of an extension) that is returned by default. False
// means that it need not be loaded.
func (p Projection) Wants(attribute string) bool {
	if len(p.names) == 0 {
		return true
	}
	for _, name := range p.names {
		part, whole := concerns(name, attribute)
		if p.exclude && whole {
			return false
		}
		if !p.exclude && part {
			return true
		}
	}
	return p.exclude
}

// concerns reports whether a name means part of an attribute of the top level,
// and whether it means all of it. It knows no schemas: a URN alone may be that
// of the core schema and so mean part of anything.
func concerns(name, attribute string) (part, whole bool) {
	if strings.EqualFold(name, attribute) {
		return true, true
	}
	if _, _, inside := afterURN(name, attribute); inside {
		return true, false // attribute.sub, or an attribute of an extension
	}
	urn, attr, sub := filter.SplitName(name)
	if urn == "" {
		return false, false
	}
	if strings.EqualFold(attr, attribute) {
		// It may be the attribute of an extension with the same name.
		core := strings.EqualFold(urn, UserSchema) || strings.EqualFold(urn, GroupSchema)
		return true, sub == "" && core && !strings.HasSuffix(name, ".") // a dot with nothing behind it names nothing
	}
	// The last part of a schema's URN is the name of a resource type.
	return attr != "" && 'A' <= attr[0] && attr[0] <= 'Z', false
}

// selection is what a projection means for one resource type.
type selection struct {
	whole map[*node]bool // named as a whole
	part  map[*node]bool // something below is named
}

func (t *ResourceType) selection(names []string) selection {
	s := selection{whole: map[*node]bool{}, part: map[*node]bool{}}
	for _, name := range names {
		at, _, ok := t.resolve(name, false)
		switch {
		case !ok:
			continue
		case at.leaf() == nil: // the URN of the core schema
			for _, n := range t.root.subs {
				if !n.extension {
					s.whole[n] = true
				}
			}
			continue
		case at.sub != nil:
			s.part[at.attr] = true
		}
		s.whole[at.leaf()] = true
		if at.ext != nil && at.attr != nil {
			s.part[at.ext] = true
		}
	}
	return s
}

// Project returns the part of a resource that an answer holds (RFC 7644 3.9,
// RFC 7643 7): attributes returned always stay, those returned never go, those
// returned on request are there when they are named. Parts that are not
// changed by this are shared with r.
func (t *ResourceType) Project(r Resource, p Projection) Resource {
	if len(p.names) == 0 {
		if !t.root.hidden {
			return r
		}
		return visible(t.root, r)
	}
	s := t.selection(p.names)
	if p.exclude {
		return s.without(t.root, r)
	}
	return s.only(t.root, r)
}

// visible returns the attributes below n that are returned by default.
func visible(n *node, object map[string]any) map[string]any {
	return project(n, object, func(sub *node, v any) any {
		if sub.Returned == Never || sub.Returned == OnRequest {
			return nil
		}
		return visibleValue(sub, v)
	})
}

func visibleValue(n *node, v any) any {
	if !n.hidden || n.Type != Complex {
		return v
	}
	return each(v, func(object map[string]any) map[string]any { return visible(n, object) })
}

// without returns the attributes below n that are returned by default and not
// named.
func (s selection) without(n *node, object map[string]any) map[string]any {
	return project(n, object, func(sub *node, v any) any {
		switch {
		case sub.Returned == Never, sub.Returned == OnRequest:
			return nil
		case sub.Returned == Always:
		case s.whole[sub]:
			return each(v, func(o map[string]any) map[string]any { return always(sub, o) })
		}
		if s.part[sub] {
			return each(v, func(o map[string]any) map[string]any { return s.without(sub, o) })
		}
		return visibleValue(sub, v)
	})
}

// only returns the attributes below n that are named or returned always.
func (s selection) only(n *node, object map[string]any) map[string]any {
	return project(n, object, func(sub *node, v any) any {
		switch {
		case sub.Returned == Never:
			return nil
		case s.whole[sub]:
			return visibleValue(sub, v)
		case s.part[sub]:
			return each(v, func(o map[string]any) map[string]any { return s.only(sub, o) })
		case sub.Returned == Always:
			return visibleValue(sub, v)
		}
		return nil
	})
}

// always returns the attributes below n that no exclusion takes away.
func always(n *node, object map[string]any) map[string]any {
	return project(n, object, func(sub *node, v any) any {
		if sub.Returned != Always {
			return nil
		}
		return v
	})
}

// project maps the attributes of an object, leaving out what becomes nil and
// what the schema does not know.
func project(n *node, object map[string]any, attribute func(*node, any) any) map[string]any {
	out := make(map[string]any, len(object))
	for name, v := range object {
		sub := n.byName[name]
		if sub == nil {
			continue
		}
		if w := attribute(sub, v); w != nil {
			out[name] = w
		}
	}
	if n.path == "" {
		return out
	}
	if len(out) == len(object) && maps.EqualFunc(out, object, sameScalar) {
		return object
	}
	return out
}

// sameScalar reports whether two values are certainly the same.
func sameScalar(a, b any) bool {
	switch a.(type) {
	case map[string]any, []any:
		return false
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

// each maps a complex value, or every element of several. Empty ones go; nil is
// returned when nothing is left, and for a value that is not complex.
func each(v any, f func(map[string]any) map[string]any) any {
	switch v := v.(type) {
	case map[string]any:
		if out := f(v); len(out) > 0 {
			return out
		}
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			object, ok := e.(map[string]any)
			if !ok {
				continue
			}
			if o := f(object); len(o) > 0 {
				out = append(out, o)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}
