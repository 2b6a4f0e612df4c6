package value

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// appendJSON writes a value as Encode does, in one pass and without reflection:
// an import writes each person five times. It gives up on whatever is not plainly
// a value; encoding/json then finds out what to say of it.
func appendJSON(b []byte, v any, depth int) ([]byte, bool) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), true
	case bool:
		if v {
			return append(b, "true"...), true
		}
		return append(b, "false"...), true
	case string:
		return appendText(b, v), true
	case json.Number:
		p := parser{s: string(v)}
		_, ok := p.number()
		return append(b, v...), ok && p.at == len(v)
	case []any:
		return appendArray(b, v, depth)
	case map[string]any:
		return appendObject(b, v, depth)
	}
	return b, false
}

func appendArray(b []byte, list []any, depth int) ([]byte, bool) {
	if list == nil {
		return append(b, "null"...), true
	}
	if depth >= MaxDepth { // it may hold itself
		return b, false
	}
	b = append(b, '[')
	for i, one := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = appendJSON(b, one, depth+1); !ok {
			return b, false
		}
	}
	return append(b, ']'), true
}

func appendObject(b []byte, object map[string]any, depth int) ([]byte, bool) {
	if object == nil {
		return append(b, "null"...), true
	}
	if depth >= MaxDepth {
		return b, false
	}
	var space [64]string // most objects have fewer members, and cost no memory
	names := space[:0]
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
		var ok bool
		if b, ok = appendJSON(b, object[name], depth+1); !ok {
			return b, false
		}
	}
	return append(b, '}'), true
}

const hex = "0123456789abcdef"

// appendText writes a text in quotes, with the same escapes as encoding/json.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(append(b, s[start:i]...), `\ufffd`...)
				start = i + size
			case r == '\u2028', r == '\u2029': // ends of lines in JavaScript
				b = append(append(b, s[start:i]...), `\u202`...)
				b = append(b, hex[r&0xf])
				start = i + size
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
