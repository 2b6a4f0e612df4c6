package openapi

import "strings"

// escaper writes text so that it can stand in one place of a URL.
type escaper func(string) string

// What may stand beside the unreserved characters (RFC 3986 2.3).
const (
	none = ""
	// A path parameter with allowReserved, and the literal parts of a path
	// template: pchar (RFC 3986 3.3). A slash, ? or # in a value would move the
	// request to another path, so OpenAPI forbids them there (3.2 4.12.2).
	pathReserved = ":@!$&'()*+,;="
	// A query parameter with allowReserved: what RFC 3986 3.4 allows, without
	// & and +. Those two would end the value or turn into a space, which lets a
	// value add parameters of its own.
	queryReserved = ":/?@!$'()*,;="
	// A whole query given as one string.
	queryLiteral = queryReserved + "&+"
)

// escape percent-encodes every byte outside the unreserved characters: a
// value's "/" or "|" must not be read as structure by the other side.
func escape(s string) string { return escapeExcept(s, none, false) }

func escapePath(s string) string         { return escapeExcept(s, pathReserved, true) }
func escapeQuery(s string) string        { return escapeExcept(s, queryReserved, true) }
func escapeQueryLiteral(s string) string { return escapeExcept(s, queryLiteral, true) }
func escapePathLiteral(s string) string  { return escapeExcept(s, pathReserved+"/", true) }
func asIs(s string) string               { return s }

// escapeExcept keeps the named characters, and with triples also what is
// percent-encoded already (RFC 6570 3.2.3).
func escapeExcept(s, keep string, triples bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isUnreserved(c) || strings.IndexByte(keep, c) >= 0 || triples && isTriple(s[i:]) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isTriple(s string) bool { return len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2]) }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isToken reports whether s can be a method, a header's or a cookie's name
// (RFC 9110 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// hasControl reports characters that cannot stand in a header: they would end
// it and begin another (CR, LF), or be refused by the transport.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
