package secret

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// minInside is the length in characters from which a secret is looked for
// inside longer text. A shorter one would blank out half of every text; it is
// masked where it stands alone.
const minInside = 4

// maxNesting is how many encodings may lie around a secret and it is still
// found: a JSON body inside a JSON log line inside a form field is three.
const maxNesting = 3

// Redactor masks a fixed set of secrets in text: as they are, and encoded.
//
// Encodings are handled in two ways. Escapes (JSON, percent, HTML), which leave
// most characters as they are and have many spellings, are undone: the text is
// searched again as it reads without them, with offsets kept. Transformations
// (base64, hex) are applied to the secrets: base64 has three forms of a text,
// depending on where in a group of three bytes it begins, so a secret is found
// in the middle of an encoded text as well.
//
// A Redactor is immutable and safe for concurrent use. The nil Redactor masks
// nothing and costs nothing.
type Redactor struct {
	short    map[string]bool // forms of secrets below minInside: masked as whole strings
	patterns []pattern       // sorted by head
	filter   [64]uint64      // bit set of hashed heads: most positions are dismissed by one look
	spaces   bool            // some pattern has a space, which forms write as +
}

type pattern struct {
	head   uint32 // the first four bytes
	text   string
	base64 bool
}

// NewRedactor returns a Redactor for the given secrets. Empty ones are ignored;
// with none left it returns nil.
func NewRedactor(secrets ...string) *Redactor {
	r := &Redactor{}
	seen := map[string]bool{}
	for _, s := range secrets {
		r.add(s, seen)
		if trimmed := strings.TrimSpace(s); trimmed != s {
			r.add(trimmed, seen)
		}
		for _, line := range keyLines(s) {
			r.add(line, seen)
		}
	}
	if r.patterns == nil && r.short == nil {
		return nil
	}
	slices.SortFunc(r.patterns, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(a.head, b.head), cmp.Compare(len(b.text), len(a.text)))
	})
	return r
}

func (r *Redactor) add(s string, seen map[string]bool) {
	if s == "" || seen[s] {
		return
	}
	seen[s] = true
	if utf8.RuneCountInString(s) < minInside {
		if r.short == nil {
			r.short = map[string]bool{}
		}
		for _, form := range wholeForms(s) {
			r.short[form] = true
		}
		return
	}
	r.spaces = r.spaces || strings.Contains(s, " ")
	for _, f := range insideForms(s) {
		if f.base64 && seen[f.text] {
			continue
		}
		seen[f.text] = true
		f.head = head(f.text)
		h := bucket(f.head)
		r.filter[h/64] |= 1 << (h % 64)
		r.patterns = append(r.patterns, f)
	}
}

// keyLines returns the lines of a PEM block or the like that are secret on
// their own: a log may show one of them.
func keyLines(s string) []string {
	if !strings.Contains(s, "\n") {
		return nil
	}
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			out = append(out, line)
		}
	}
	return out
}

func head(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// bucket maps a head to one of the filter's 4096 bits (Fibonacci hashing).
func bucket(head uint32) uint32 { return head * 0x9E3779B1 >> 20 }

// Text returns s with every secret in it replaced by "[masked]".
func (r *Redactor) Text(s string) string {
	if r == nil || s == "" {
		return s
	}
	if r.short[s] {
		return Mask
	}
	spans := r.find(s, maxNesting, false)
	if len(spans) == 0 {
		return s
	}
	return replace(s, spans)
}

// Bytes is Text for bytes. It returns b itself when there is nothing to mask.
func (r *Redactor) Bytes(b []byte) []byte {
	if r == nil || len(b) == 0 {
		return b
	}
	s := string(b)
	if masked := r.Text(s); masked != s {
		return []byte(masked)
	}
	return b
}

// Has reports whether s holds any of the secrets.
func (r *Redactor) Has(s string) bool {
	if r == nil || s == "" {
		return false
	}
	return r.short[s] || len(r.find(s, maxNesting, true)) > 0
}

// JSON returns v, a JSON value, with the secrets in its strings and property
// names masked. A number that is a secret becomes "[masked]". What holds no
// secret is shared with v, not copied.
func (r *Redactor) JSON(v any) any {
	if r == nil {
		return v
	}
	masked, _ := r.walk(v, false)
	return masked
}

// Display is JSON for eyes: it also masks what stands under a name that speaks
// of a secret (see SecretName). It works on a nil Redactor.
func (r *Redactor) Display(v any) any {
	masked, _ := r.walk(v, true)
	return masked
}

// Headers returns HTTP headers as they may be shown: secrets masked, and the
// values of Authorization, Set-Cookie and their kin whatever they are.
func (r *Redactor) Headers(h map[string][]string) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		masked := make([]string, len(values))
		for i, v := range values {
			if masked[i] = r.Text(v); SecretName(name) {
				masked[i] = Mask
			}
		}
		out[name] = masked
	}
	return out
}

// Query returns an encoded query or form as it may be shown: secrets masked,
// and the values of fields with names that speak of one. Order and encoding of
// the rest stay as they are.
func (r *Redactor) Query(q string) string {
	fields := strings.Split(q, "&")
	for i, f := range fields {
		name, value, ok := strings.Cut(f, "=")
		plain, _ := undo(name, percent)
		if ok && value != "" && SecretName(plain) {
			fields[i] = name + "=" + Mask
		}
	}
	return r.Text(strings.Join(fields, "&"))
}

// URL returns a URL as it may be shown: user information dropped, query masked
// as by Query.
func (r *Redactor) URL(u string) string {
	if scheme, rest, ok := strings.Cut(u, "://"); ok {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
			u = scheme + "://" + Mask + rest[at:]
		}
	}
	base, query, ok := strings.Cut(u, "?")
	if !ok {
		return r.Text(u)
	}
	return r.Text(base + "?" + r.Query(query))
}

// walk returns v masked, and whether that changed anything.
func (r *Redactor) walk(v any, byName bool) (any, bool) {
	switch v := v.(type) {
	case string:
		masked := r.Text(v)
		return masked, masked != v
	case json.Number:
		if len(v) >= minInside && r.Has(v.String()) {
			return Mask, true
		}
	case []any:
		return r.walkArray(v, byName)
	case map[string]any:
		return r.walkObject(v, byName)
	}
	return v, false
}

func (r *Redactor) walkArray(v []any, byName bool) (any, bool) {
	var out []any
	for i, item := range v {
		masked, changed := r.walk(item, byName)
		if changed && out == nil {
			out = slices.Clone(v)
		}
		if out != nil {
			out[i] = masked
		}
	}
	if out == nil {
		return v, false
	}
	return out, true
}

func (r *Redactor) walkObject(v map[string]any, byName bool) (any, bool) {
	var out map[string]any
	for name, item := range v {
		var masked any
		var changed bool
		if byName && SecretName(name) {
			masked, changed = MaskAll(item), true
		} else {
			// Okta's _links name operations (resetPassword), not secrets.
			masked, changed = r.walk(item, byName && name != "_links")
		}
		shown := r.Text(name)
		if !changed && shown == name {
			continue
		}
		if out == nil {
			out = maps.Clone(v)
		}
		if shown != name {
			delete(out, name)
		}
		out[shown] = masked
	}
	if out == nil {
		return v, false
	}
	return out, true
}

// MaskAll returns v, a JSON value, with every text and number in it masked. Booleans and null stay: they say
// whether there is a secret, not which.
func MaskAll(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return v
		}
		return Mask
	case json.Number:
		return Mask
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = MaskAll(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = MaskAll(item)
		}
		return out
	}
	return v
}
