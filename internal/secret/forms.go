package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strings"
)

// minTwice is the length in bytes from which a secret is also looked for under
// two transformations, and in hex: of a shorter one these forms are so short
// that they would hit by chance.
const minTwice = 8

// insideForms returns the texts by which a secret shows inside longer text.
// Escaped spellings are not among them; the search undoes escapes.
func insideForms(s string) []pattern {
	out := []pattern{{text: s}}
	for _, form := range escapedForms(s) {
		for _, core := range base64Cores(form) {
			out = append(out, pattern{text: core, base64: true})
		}
	}
	if len(s) < minTwice {
		return out
	}
	lower := hex.EncodeToString([]byte(s))
	out = append(out, pattern{text: lower}, pattern{text: strings.ToUpper(lower)})
	for _, core := range base64Cores(s) {
		for _, twice := range base64Cores(core) {
			out = append(out, pattern{text: twice, base64: true})
		}
	}
	return out
}

// escapedForms returns s and the spellings of it that are often put through
// base64: in JSON (tokens, state parameters) and form-encoded (OAuth 2.0 client
// authentication, RFC 6749 2.3.1).
func escapedForms(s string) []string {
	out := []string{s}
	if isPlain(s) {
		return out
	}
	query := url.QueryEscape(s)
	for _, form := range [...]string{jsonEscape(s), htmlSafeJSON(s), query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(s)} {
		if form != s && form != out[len(out)-1] {
			out = append(out, form)
		}
	}
	return out
}

// wholeForms returns the texts that are nothing but the secret in some form.
func wholeForms(s string) []string {
	b := []byte(s)
	return append(escapedForms(s), html.EscapeString(s),
		base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)))
}

// isPlain reports whether no escaping changes s.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
		default:
			return false
		}
	}
	return true
}

func jsonEscape(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

func htmlSafeJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(b[1 : len(b)-1])
}

// base64Cores returns the characters that base64 gives for s whatever stands
// before and after it, for each of the three places in a group where s can
// begin, in both alphabets. The characters at the edges, which s shares with
// its neighbours, are left out; the search masks them with the core.
func base64Cores(s string) []string {
	var out []string
	for offset := range 3 {
		padded := string(make([]byte, offset)) + s
		encoded := base64.RawStdEncoding.EncodeToString([]byte(padded))
		from := (offset*8 + 5) / 6 // the first character without a bit of the prefix
		to := len(padded) * 8 / 6  // behind the last one whose six bits are all there
		core := encoded[from:to]
		out = append(out, core)
		if strings.ContainsAny(core, "+/") {
			out = append(out, strings.NewReplacer("+", "-", "/", "_").Replace(core))
		}
	}
	return out
}
