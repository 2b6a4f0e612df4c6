package provision

import (
	"encoding/json"
	"slices"
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
		key, literal, ok = cutFold(condition, " eq ")
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
	return p, nil
}

// cutFold is strings.Cut for a separator in any case.
func cutFold(s, separator string) (before, after string, found bool) {
	i := strings.Index(strings.ToLower(s), separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
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
		list, _ := v.([]any)
		i := p.find(list)
		if i < 0 {
			return nil
		}
		v = list[i]
	}
	if p.sub == "" {
		return v
	}
	o, _ := v.(map[string]any)
	return o[p.sub]
}

// set writes a value at the path; nil takes it away, and what is empty then.
func (p path) set(into map[string]any, v any) {
	switch {
	case p.key != "":
		p.setElement(into, v)
	case p.sub == "" && v == nil:
		delete(into, p.attribute)
	case p.sub == "":
		into[p.attribute] = v
	default:
		o, _ := into[p.attribute].(map[string]any)
		if o == nil {
			if v == nil {
				return
			}
			o = map[string]any{}
			into[p.attribute] = o
		}
		put(o, p.sub, v)
		if len(o) == 0 {
			delete(into, p.attribute)
		}
	}
}

func (p path) setElement(into map[string]any, v any) {
	list, _ := into[p.attribute].([]any)
	i := p.find(list)
	if i < 0 && v == nil {
		return
	}
	if i < 0 {
		list, i = append(list, map[string]any{}), len(list)
	}
	element, _ := list[i].(map[string]any)
	if element == nil {
		element = map[string]any{}
		list[i] = element
	}
	element[p.key] = p.equals
	put(element, p.sub, v)
	if p.empty(element) {
		list = slices.Delete(list, i, i+1)
	} else if p.key == "primary" {
		onlyPrimary(list, i)
	}
	if len(list) == 0 {
		delete(into, p.attribute)
		return
	}
	into[p.attribute] = list
}

// find returns the position of the element that a path means: the one that fits.
// A server that forgets the key, such as primary, must not get one element more
// with each update, so a list of one is taken as it is.
func (p path) find(list []any) int {
	i := slices.IndexFunc(list, func(e any) bool {
		o, _ := e.(map[string]any)
		return value.Equal(o[p.key], p.equals)
	})
	if i < 0 && len(list) == 1 && p.key == "primary" {
		return 0
	}
	return i
}

// empty reports whether an element says nothing beside its own key.
func (p path) empty(element map[string]any) bool {
	for name := range element {
		if name != p.key && name != "display" && name != "$ref" {
			return false
		}
	}
	return true
}

// onlyPrimary takes primary from all elements but one (RFC 7643 2.4).
func onlyPrimary(list []any, primary int) {
	for i, e := range list {
		if o, ok := e.(map[string]any); ok && i != primary && o["primary"] == true {
			delete(o, "primary")
		}
	}
}

func put(o map[string]any, name string, v any) {
	if v == nil {
		delete(o, name)
		return
	}
	o[name] = v
}
