package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of what a trace shows of one body; -o json has all of it.
const (
	maxLayoutBytes = 64 << 10
	maxLayoutLines = 60
	layoutWidth    = 100 // columns that a line may have before it is broken up
)

// layoutJSON lays a JSON text out for people: what fits on a line stays on one,
// the rest is broken up by member. Names keep their order and numbers their
// digits. What could be done next (_links) is folded. It returns false for a text that is not JSON or too long to be read.
func layoutJSON(raw []byte) ([]string, bool) {
	if len(raw) > maxLayoutBytes {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	n, err := readNode(dec)
	if err != nil {
		return nil, false
	}
	return n.lines(nil, "", ""), true
}

// node is a JSON value that remembers the order of its names.
type node struct {
	line    string // all of it on one line
	names   []string
	items   []*node
	closing string // of a list or an object
}

// hypermedia is the member in which Okta lists what could be done next (HAL):
// long, and not about what was done.
const hypermedia = `"_links": `

// readNode reads the next value.
func readNode(dec *json.Decoder) (*node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return &node{line: encode(token)}, nil
	}
	n := &node{closing: map[json.Delim]string{'{': "}", '[': "]"}[delim]}
	var parts []string
	for dec.More() {
		name := ""
		if delim == '{' {
			if token, err = dec.Token(); err != nil {
				return nil, err
			}
			name = encode(token) + ": "
		}
		item, err := readNode(dec)
		if err != nil {
			return nil, err
		}
		if name == hypermedia && len(item.items) > 0 {
			item = &node{line: "{...}"}
		}
		n.names, n.items = append(n.names, name), append(n.items, item)
		parts = append(parts, name+item.line)
	}
	if _, err := dec.Token(); err != nil { // the closing one
		return nil, err
	}
	n.line = delim.String() + strings.Join(parts, ", ") + n.closing
	return n, nil
}

// encode writes a scalar without escaping what HTML would want escaped.
func encode(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "?" // a token of the decoder can always be written
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// lines appends the node's lines; lead stands before the first one.
func (n *node) lines(out []string, indent, lead string) []string {
	if len(n.items) == 0 || utf8.RuneCountInString(indent+lead+n.line) <= layoutWidth {
		return append(out, indent+lead+n.line)
	}
	out = append(out, indent+lead+n.line[:1])
	for i, item := range n.items {
		out = item.lines(out, indent+"  ", n.names[i])
		if i < len(n.items)-1 {
			out[len(out)-1] += ","
		}
	}
	return append(out, indent+n.closing)
}

// uninteresting are the headers that say nothing about what happened: they
// speak to browsers, caches and the transport. Content-Type stays when a body is
// not JSON.
var uninteresting = []string{
	"Accept-Ch", "Accept-Ranges", "Age", "Alt-Svc", "Cache-Control", "Cf-Cache-Status", "Cf-Ray", "Connection", "Content-Length",
	"Content-Security-Policy", "Content-Security-Policy-Report-Only", "Date", "Expect-Ct", "Expires", "Keep-Alive", "Last-Modified",
	"Nel", "P3p", "Permissions-Policy", "Pragma", "Referrer-Policy", "Report-To", "Server", "Set-Cookie", "Strict-Transport-Security",
	"Transfer-Encoding", "Vary", "Via", "X-Content-Type-Options", "X-Frame-Options", "X-Robots-Tag", "X-Xss-Protection",
}

// told reports whether a trace shows a header.
func told(name string, isJSON bool) bool {
	if name == "Content-Type" {
		return !isJSON
	}
	return !slices.Contains(uninteresting, name)
}
