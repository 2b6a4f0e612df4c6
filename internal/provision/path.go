package provision

import (
	"encoding/json"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// path is where a mapped value goes within its schema: an attribute, a
// sub-attribute, or a sub-attribute of the element of a list in which key is
// equal to something. These are the forms of Okta's external names; PATCH paths,
// which can say more, are of package filter.
type path struct {
	attribute string
	key       string // of the element; empty: no list
	equals    any    // string or bool
	sub       string // empty: the attribute itself, or the element's "value"
}

// parsePath reads name, name.sub, name[key eq literal].sub, and the last one as
// Okta writes it: name.^[key==literal].sub.
func parsePath(text string) (path, error) {
	wrong := func() (path, error) {
		return path{}, fault.New(fault.Invalid, "%q is not the path of an attribute", text).
			Fix(`write title, name.givenName, or emails[type eq "work"].value`)
	}
	head, rest, filtered := strings.Cut(strings.Replace(text, ".^[", "[", 1), "[")
	if !filtered {
		name, sub, dotted := strings.Cut(head, ".")
		if !attributeName(name) || dotted && !attributeName(sub) {
			return wrong()
		}
		return path{attribute: name, sub: sub}, nil
	}
	condition, tail, closed := strings.Cut(rest, "]")
	sub, dotted := strings.CutPrefix(tail, ".")
	key, literal, ok := strings.Cut(condition, "==")
	if !ok {
		var comparison, operator string
		key, comparison, _ = strings.Cut(strings.TrimSpace(condition), " ")
		operator, literal, _ = strings.Cut(strings.TrimSpace(comparison), " ")
		ok = strings.EqualFold(operator, "eq")
	}
	key, literal = strings.TrimSpace(key), strings.TrimSpace(literal)
	if !closed || !ok || !attributeName(head) || !attributeName(key) || dotted && !attributeName(sub) || !dotted && tail != "" {
		return wrong()
	}
	p := path{attribute: head, key: key, sub: sub}
	switch {
	case literal == "true":
		p.equals = true
	case len(literal) > 1 && literal[0] == '"':
		var s string
		if json.Unmarshal([]byte(literal), &s) != nil {
			return wrong()
		}
		p.equals = s
	default:
		s := strings.Trim(literal, "'")
		if !attributeName(s) {
			return wrong()
		}
		p.equals = s
	}
	if p.sub == "" {
		p.sub = "value"
	}
	if p.sub == p.key {
		return wrong() // it would change which element it is
	}
	return p, nil
}

// attributeName reports whether s is a name by RFC 7643 2.1.
func attributeName(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '$' && i == 0
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '_' || c == '-')) {
			return false
		}
	}
	return s != ""
}

func (p path) sameElement(q path) bool {
	return p.attribute == q.attribute && p.key == q.key && p.equals == q.equals
}

// get returns the value at the path, nil when there is none.
func (p path) get(from map[string]any) any {
	v := from[p.attribute]
	if p.key != "" {
		v = p.element(v)
	}
	if p.sub == "" {
		return v
	}
	o, _ := v.(map[string]any)
	return o[p.sub]
}

// element returns the element of a list that the path means, nil for none.
func (p path) element(list any) any {
	elements, _ := list.([]any)
	for _, e := range elements {
		if o, ok := e.(map[string]any); ok && value.Equal(o[p.key], p.equals) {
			return o
		}
	}
	return nil
}

// set writes a value at the path of a body that is being made. A nil value stays
// visible as one, but for lists: an element has what has a value, and a list
// without elements is nil.
func (p path) set(into map[string]any, v any) {
	switch {
	case p.key != "" && v == nil:
		if _, ok := into[p.attribute]; !ok {
			into[p.attribute] = nil
		}
	case p.key != "":
		element, _ := p.element(into[p.attribute]).(map[string]any)
		if element == nil {
			element = map[string]any{p.key: p.equals}
			list, _ := into[p.attribute].([]any)
			into[p.attribute] = append(list, element)
		}
		element[p.sub] = v
	case p.sub == "":
		into[p.attribute] = v
	default:
		within(into, p.attribute)[p.sub] = v
	}
}

// within returns the object that is a member of another, making it.
func within(o map[string]any, name string) map[string]any {
	inner, ok := o[name].(map[string]any)
	if !ok {
		inner = map[string]any{}
		o[name] = inner
	}
	return inner
}
