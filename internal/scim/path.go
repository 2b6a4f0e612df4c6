package scim

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
)

// place is an attribute that a name resolves to. Without attr it is the
// extension ext, or the resource itself.
type place struct {
	ext  *node // the extension that it is in; nil for the core schema
	attr *node
	sub  *node // nil for the attribute as a whole
}

// leaf returns the innermost attribute of the place.
func (p place) leaf() *node {
	switch {
	case p.sub != nil:
		return p.sub
	case p.attr != nil:
		return p.attr
	}
	return p.ext
}

// resolve finds the attribute that a name means (RFC 7644 3.10): attr,
// attr.sub, URN:attr, URN:attr.sub, or the URN of a schema. With dotted,
// URN.attr is read as URN:attr, and used says so.
func (t *ResourceType) resolve(name string, dotted bool) (p place, used, ok bool) {
	for _, s := range t.schemas {
		rest, separator, is := afterURN(name, s.urn)
		if !is {
			continue
		}
		if s.node != t.root {
			p.ext = s.node
		}
		if rest == "" {
			return p, false, true
		}
		if separator == '.' && !dotted {
			return place{}, false, false
		}
		p, ok = p.below(s.node, rest)
		return p, separator == '.', ok
	}
	p, ok = place{}.below(t.root, name)
	if ok && p.attr.extension {
		return place{}, false, false
	}
	return p, false, ok
}

// below finds attr or attr.sub among the attributes of n.
func (p place) below(n *node, name string) (place, bool) {
	attribute, sub, dot := strings.Cut(name, ".")
	if p.attr = n.named(attribute); p.attr == nil {
		return place{}, false
	}
	if !dot {
		return p, true
	}
	p.sub = p.attr.named(sub)
	return p, p.sub != nil
}

// afterURN takes the URN of a schema and the separator behind it off a name.
func afterURN(name, urn string) (rest string, separator byte, ok bool) {
	if len(name) < len(urn) || !strings.EqualFold(name[:len(urn)], urn) {
		return "", 0, false
	}
	rest = name[len(urn):]
	if rest == "" {
		return "", 0, true
	}
	if rest[0] != ':' && rest[0] != '.' || len(rest) == 1 {
		return "", 0, false
	}
	return rest[1:], rest[0], true
}

// ParseFilter reads a filter parameter with the client's leniency. What cannot
// be read is an InvalidFilter error, what is too long or too deep TooMany.
func ParseFilter(text string, how Leniency) (filter.Expr, []Note, error) {
	e, relaxed, err := filter.ParseSCIM(text, how.Syntax)
	switch {
	case fault.Is(err, fault.TooLarge):
		return nil, nil, Fail(TooMany, "the filter is too long: %s", fault.Public(err))
	case err != nil:
		return nil, nil, Fail(InvalidFilter, "the filter cannot be read: %s", fault.Public(err))
	}
	return e, asNotes(relaxed), nil
}
