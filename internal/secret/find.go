package secret

import (
	"html"
	"iter"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// span is a range of bytes, end excluded.
type span struct{ from, to int }

// find returns where secrets stand in s, in no order, overlapping or not: as it
// is, and below up to depth layers of escapes. With first it stops at one.
func (r *Redactor) find(s string, depth int, first bool) []span {
	out := r.scan(s, first)
	if depth == 0 {
		return out
	}
	for _, u := range unescapers {
		if first && len(out) > 0 {
			break
		}
		if u.spaces && (!r.spaces || strings.IndexByte(s, '+') < 0) {
			continue
		}
		if text, ok := undo(s, u); ok {
			out = append(out, origins(s, u, r.find(text, depth-1, first))...)
		}
	}
	return out
}

// scan looks for every pattern at every position of s.
func (r *Redactor) scan(s string, first bool) []span {
	var out []span
	for i := 0; i+4 <= len(s); i++ {
		h := head(s[i:])
		b := bucket(h)
		if r.filter[b/64]&(1<<(b%64)) == 0 {
			continue
		}
		p := r.longest(h, s[i:])
		if p == nil {
			continue
		}
		m := span{i, i + len(p.text)}
		if p.base64 {
			m = base64Edges(s, m)
		}
		if n := len(out); n > 0 && m.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, m.to)
		} else {
			out = append(out, m)
		}
		if first {
			break
		}
	}
	return out
}

// longest returns the longest pattern that s begins with.
func (r *Redactor) longest(h uint32, s string) *pattern {
	i, ok := slices.BinarySearchFunc(r.patterns, h, func(p pattern, h uint32) int {
		switch {
		case p.head < h:
			return -1
		case p.head > h:
			return 1
		}
		return 0
	})
	for ; ok && i < len(r.patterns) && r.patterns[i].head == h; i++ {
		if strings.HasPrefix(s, r.patterns[i].text) {
			return &r.patterns[i]
		}
	}
	return nil
}

// base64Edges widens a match by the characters at its edges that carry some
// bits of the secret, and by padding.
func base64Edges(s string, m span) span {
	if m.from > 0 && isBase64(s[m.from-1]) {
		m.from--
	}
	if m.to < len(s) && isBase64(s[m.to]) {
		m.to++
	}
	for n := 0; n < 2 && m.to < len(s) && s[m.to] == '='; n++ {
		m.to++
	}
	return m
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_'
}

// replace puts the mask in place of each span; touching spans become one mask.
func replace(s string, spans []span) string {
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	b.Grow(len(s))
	done := 0
	for i := 0; i < len(spans); {
		m := spans[i]
		for i++; i < len(spans) && spans[i].from <= m.to; i++ {
			m.to = max(m.to, spans[i].to)
		}
		b.WriteString(s[done:m.from])
		b.WriteString(Mask)
		done = m.to
	}
	b.WriteString(s[done:])
	return b.String()
}

// unescaper undoes one kind of escape.
type unescaper struct {
	lead   string // the bytes an escape begins with
	decode func(s string) (r rune, raw byte, n int)
	spaces bool // matters only to secrets with spaces
}

// percent undoes percent-encoding.
var percent = unescaper{lead: "%", decode: unpercent}

// unescapers are the escapes that are undone. decode looks at the beginning of
// s and returns a rune, or a raw byte when r is negative, and the length of the
// escape; 0 when there is none.
var unescapers = [...]unescaper{
	{lead: `\`, decode: unbackslash},
	percent,
	{lead: "%+", decode: unform, spaces: true},
	{lead: "&", decode: unentity},
}

// escape is one escape found in a text.
type escape struct {
	at, n int  // its place and length
	r     rune // what it stands for; -1: the raw byte
	raw   byte
}

// width is the number of bytes that the escape stands for.
func (e escape) width() int {
	if e.r < 0 {
		return 1
	}
	return utf8.RuneLen(e.r)
}

// escapes yields each escape of one kind in s, in order.
func (u unescaper) escapes(s string) iter.Seq[escape] {
	return func(yield func(escape) bool) {
		for at := 0; ; {
			next := strings.IndexAny(s[at:], u.lead)
			if next < 0 {
				return
			}
			at += next
			r, raw, n := u.decode(s[at:])
			if n == 0 {
				at++
				continue
			}
			if !yield(escape{at, n, r, raw}) {
				return
			}
			at += n
		}
	}
}

// undo returns s without escapes of one kind, and whether there were any.
func undo(s string, u unescaper) (string, bool) {
	var out []byte
	done := 0
	for e := range u.escapes(s) {
		if out == nil {
			out = make([]byte, 0, len(s))
		}
		out = append(out, s[done:e.at]...)
		if e.r < 0 {
			out = append(out, e.raw)
		} else {
			out = utf8.AppendRune(out, e.r)
		}
		done = e.at + e.n
	}
	if out == nil {
		return s, false
	}
	return string(append(out, s[done:]...)), true
}

// origins maps spans of undo(s, u) to the spans of s they come from. It reads
// the escapes again instead of keeping their places: matches are rare, and the
// places of all escapes of a large text would take more room than the text.
func origins(s string, u unescaper, spans []span) []span {
	if len(spans) == 0 {
		return nil
	}
	type edge struct {
		offset *int
		end    bool
	}
	edges := make([]edge, 0, 2*len(spans))
	for i := range spans {
		edges = append(edges, edge{&spans[i].from, false}, edge{&spans[i].to, true})
	}
	slices.SortFunc(edges, func(a, b edge) int { return *a.offset - *b.offset })
	shift := 0 // from an offset behind the escapes read so far to its origin
	for e := range u.escapes(s) {
		from := e.at - shift
		to := from + e.width()
		for len(edges) > 0 && *edges[0].offset < to {
			switch at := edges[0].offset; {
			case *at <= from:
				*at += shift
			case edges[0].end: // inside the escape: take all of it
				*at = e.at + e.n
			default:
				*at = e.at
			}
			edges = edges[1:]
		}
		shift += e.n - e.width()
	}
	for _, edge := range edges {
		*edge.offset += shift
	}
	return spans
}

// unbackslash reads an escape of JSON (RFC 8259 7), and those of Go, JavaScript
// and Python that JSON lacks: \x41, \'.
func unbackslash(s string) (rune, byte, int) {
	if len(s) < 2 || s[0] != '\\' {
		return 0, 0, 0
	}
	switch s[1] {
	case '"', '\\', '/', '\'':
		return rune(s[1]), 0, 2
	case 'b':
		return '\b', 0, 2
	case 'f':
		return '\f', 0, 2
	case 'n':
		return '\n', 0, 2
	case 'r':
		return '\r', 0, 2
	case 't':
		return '\t', 0, 2
	case 'x':
		if n, ok := unhex(s, 2, 2); ok {
			return -1, byte(n), 4
		}
	case 'u':
		return unicodeEscape(s)
	}
	return 0, 0, 0
}

func unicodeEscape(s string) (rune, byte, int) {
	n, ok := unhex(s, 2, 4)
	if !ok {
		return 0, 0, 0
	}
	if utf16.IsSurrogate(n) && len(s) >= 12 && s[6:8] == `\u` {
		if low, ok := unhex(s, 8, 4); ok {
			if r := utf16.DecodeRune(n, low); r != utf8.RuneError {
				return r, 0, 12
			}
		}
	}
	if utf16.IsSurrogate(n) {
		n = utf8.RuneError
	}
	return n, 0, 6
}

// unpercent reads a percent-encoded byte (RFC 3986 2.1).
func unpercent(s string) (rune, byte, int) {
	if s[0] == '%' {
		if n, ok := unhex(s, 1, 2); ok {
			return -1, byte(n), 3
		}
	}
	return 0, 0, 0
}

// unform reads what unpercent does, and + as a space.
func unform(s string) (rune, byte, int) {
	if s[0] == '+' {
		return ' ', 0, 1
	}
	return unpercent(s)
}

// maxEntity is longer than any HTML character reference.
const maxEntity = 40

// unentity reads an HTML character reference.
func unentity(s string) (rune, byte, int) {
	if len(s) > maxEntity {
		s = s[:maxEntity]
	}
	end := strings.IndexByte(s, ';')
	if end < 0 {
		return 0, 0, 0
	}
	decoded := html.UnescapeString(s[:end+1])
	r, n := utf8.DecodeRuneInString(decoded)
	if decoded == s[:end+1] || n != len(decoded) {
		return 0, 0, 0
	}
	return r, 0, end + 1
}

// unhex reads n hexadecimal digits at s[from:].
func unhex(s string, from, n int) (v rune, ok bool) {
	if len(s) < from+n {
		return 0, false
	}
	for _, c := range []byte(s[from : from+n]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}
