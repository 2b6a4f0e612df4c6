package value

import (
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Pointer is a parsed JSON Pointer (RFC 6901). The empty Pointer is the whole value.
type Pointer []string

// ParsePointer reads "/a~1b/0". There is no percent-decoding (N35).
func ParsePointer(s string) (Pointer, error) {
	if s == "" {
		return Pointer{}, nil
	}
	if s[0] != '/' {
		return nil, fault.New(fault.Invalid, "JSON Pointer %q does not start with /", s)
	}
	parts := strings.Split(s[1:], "/")
	for i, part := range parts {
		token, err := unescapeToken(part)
		if err != nil {
			return nil, err
		}
		parts[i] = token
	}
	return Pointer(parts), nil
}

func unescapeToken(s string) (string, error) {
	for i := 0; i < len(s); i++ {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return "", fault.New(fault.Invalid, "JSON Pointer token %q has a ~ that is neither ~0 nor ~1", s)
		}
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~"), nil
}

// String writes the pointer with ~0 and ~1 escapes.
func (p Pointer) String() string {
	var b strings.Builder
	for _, token := range p {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// Get returns the value at p, and whether there is one.
func (p Pointer) Get(v any) (any, bool) {
	for _, token := range p {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[token]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, ok := index(token, len(at))
			if !ok {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// Set returns root with the value at p replaced. A missing object member is
// created and "-" appends to an array; a missing parent, or an index past the
// end, is an error (A28). root is changed in place where it can be.
func (p Pointer) Set(root, v any) (any, error) {
	if len(p) == 0 {
		return v, nil
	}
	missing := func() error {
		return fault.New(fault.Invalid, "nothing to replace at %s: %q is not there", p, p[0])
	}
	switch at := root.(type) {
	case map[string]any:
		child, ok := at[p[0]]
		if !ok && len(p) > 1 {
			return nil, missing()
		}
		changed, err := p[1:].Set(child, v)
		if err != nil {
			return nil, err
		}
		at[p[0]] = changed
		return at, nil
	case []any:
		if p[0] == "-" && len(p) == 1 {
			return append(at, v), nil
		}
		i, ok := index(p[0], len(at))
		if !ok {
			return nil, missing()
		}
		changed, err := p[1:].Set(at[i], v)
		if err != nil {
			return nil, err
		}
		at[i] = changed
		return at, nil
	}
	return nil, fault.New(fault.Invalid, "nothing to replace at %s: the parent is neither object nor array", p)
}

// index reads an array index: digits without leading zeros, below n.
func index(token string, n int) (int, bool) {
	if token == "" || len(token) > 1 && token[0] == '0' {
		return 0, false
	}
	for i := 0; i < len(token); i++ {
		if token[i] < '0' || token[i] > '9' {
			return 0, false
		}
	}
	i, err := strconv.Atoi(token)
	return i, err == nil && i < n
}
