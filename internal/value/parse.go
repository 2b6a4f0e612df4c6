package value

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parse reads one JSON value as Decode does, in one pass and without
// reflection: directories read thousands of them for a page. It gives up on
// whatever is not plainly right; Decode then finds out what to say of it.
// Texts share memory with s. Why it is here, and what holds it to encoding/json,
// is in docs/decisions/2026-11-22-json-without-reflection.md.
func parse(s string) (any, bool) {
	p := parser{s: s}
	return p.parse()
}

type parser struct {
	s     string
	at    int
	exact bool   // DecodeExact: what would be lost is refused
	lost  string // what would be
}

func (p *parser) parse() (any, bool) {
	p.space()
	v, ok := p.value(0)
	if !ok {
		return nil, false
	}
	p.space()
	return v, p.at == len(p.s)
}

func (p *parser) space() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// take takes a character, with the blanks behind it, if it is next.
func (p *parser) take(c byte) bool {
	if p.at >= len(p.s) || p.s[p.at] != c {
		return false
	}
	p.at++
	p.space()
	return true
}

func (p *parser) value(depth int) (any, bool) {
	if p.at >= len(p.s) {
		return nil, false
	}
	switch c := p.s[p.at]; c {
	case '{', '[':
		if depth >= MaxDepth {
			return nil, false
		}
		p.at++
		p.space()
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case '"':
		return p.text()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	}
	return p.number()
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.s[p.at:], w) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) object(depth int) (any, bool) {
	out := map[string]any{}
	if p.take('}') {
		return out, true
	}
	for {
		if p.at >= len(p.s) || p.s[p.at] != '"' {
			return nil, false
		}
		name, ok := p.text()
		if !ok {
			return nil, false
		}
		p.space()
		if !p.take(':') {
			return nil, false
		}
		v, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		if _, twice := out[name]; twice && p.exact {
			p.lost = "an object has a name twice"
			return nil, false
		}
		out[name] = v
		p.space()
		if !p.take(',') {
			return out, p.close('}')
		}
	}
}

func (p *parser) array(depth int) (any, bool) {
	out := []any{}
	if p.close(']') {
		return out, true
	}
	for {
		v, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		out = append(out, v)
		p.space()
		if !p.take(',') {
			return out, p.close(']')
		}
	}
}

// close takes a closing bracket.
func (p *parser) close(c byte) bool {
	if p.at >= len(p.s) || p.s[p.at] != c {
		return false
	}
	p.at++
	return true
}

// text reads a string. One with anything to unescape or to repair is left to
// encoding/json.
func (p *parser) text() (string, bool) {
	start := p.at + 1
	plain := true
	for i := start; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.at = i + 1
			inner := p.s[start:i]
			if plain {
				return inner, true
			}
			if !strings.Contains(inner, `\`) && utf8.ValidString(inner) {
				return inner, true
			}
			if p.exact && hasHalfPair(inner) {
				p.lost = "a text holds half of a surrogate pair"
				return "", false
			}
			var out string
			err := json.Unmarshal([]byte(p.s[start-1:i+1]), &out)
			return out, err == nil
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return "", false
}

// number reads a number (RFC 8259 6).
func (p *parser) number() (any, bool) {
	start := p.at
	p.close('-')
	switch {
	case p.close('0'):
	case !p.digits():
		return nil, false
	}
	if p.close('.') && !p.digits() {
		return nil, false
	}
	if p.close('e') || p.close('E') {
		if !p.close('+') {
			p.close('-')
		}
		if !p.digits() {
			return nil, false
		}
	}
	return json.Number(p.s[start:p.at]), true
}

// digits reports whether it took at least one.
func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.s) && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

// hasHalfPair reports whether a text, as it is written, escapes one half of a
// surrogate pair without the other.
func hasHalfPair(s string) bool {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return false
		}
		r := unescaped(s[i:])
		switch {
		case !utf16.IsSurrogate(r):
			s = s[i+2:]
		case utf16.DecodeRune(r, unescaped(s[i+6:])) == utf8.RuneError:
			return true
		default:
			s = s[i+12:]
		}
	}
}

// unescaped reads the \uXXXX at the start of a text, 0 when there is none.
func unescaped(s string) rune {
	if len(s) < 6 || s[:2] != `\u` {
		return 0
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}
