package okta

import (
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/web"
)

// selector is what a list parameter fields asks for: members by name, each with
// a selector of its own members. Nil selects everything.
type selector map[string]selector

// maxFields bounds what a client can make us read.
const maxFields = 4 << 10

// parseFields reads id,status,profile:(firstName,lastName). An empty text
// selects everything.
func parseFields(text string) (selector, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxFields {
		return nil, badFields()
	}
	s, rest, ok := parseSelector(text, 0)
	if !ok || rest != "" {
		return nil, badFields()
	}
	s["id"] = nil // always there
	return s, nil
}

func badFields() error { return invalid("fields", "fields: The field has an invalid value") }

// parseSelector reads a list up to its end or a closing parenthesis.
func parseSelector(text string, depth int) (s selector, rest string, ok bool) {
	const maxDepth = 4
	if depth > maxDepth {
		return nil, "", false
	}
	s = selector{}
	for {
		end := strings.IndexAny(text, ",:()")
		if end < 0 {
			end = len(text)
		}
		name := strings.TrimSpace(text[:end])
		if name == "" {
			return nil, "", false
		}
		text = text[end:]
		var inner selector
		if members, found := strings.CutPrefix(text, ":("); found {
			if inner, text, ok = parseSelector(members, depth+1); !ok || !strings.HasPrefix(text, ")") {
				return nil, "", false
			}
			text = text[1:]
		}
		s[name] = inner
		next, more := strings.CutPrefix(text, ",")
		if !more {
			return s, text, true
		}
		text = next
	}
}

// project returns the members of an object that are selected, in its own order.
func (s selector) project(o web.Object) web.Object {
	if s == nil {
		return o
	}
	o = slices.DeleteFunc(o, func(f web.Field) bool {
		_, ok := s[f.Key]
		return !ok
	})
	for i := range o {
		if inner, ok := o[i].Value.(web.Object); ok {
			o[i].Value = s[o[i].Key].project(inner)
		}
	}
	return o
}
