package wirelog

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// mask returns an exchange as it may be kept.
func (r *Recorder) mask(e Exchange, secrets []string) Exchange {
	// What a filter compares with a secret may be quoted in the error that refuses it.
	secrets = append(slices.Clip(secrets), compared(e.Query, e.RequestBody)...)
	m := masker{redactor: secret.NewRedactor(secrets...), maxBody: r.options.MaxBody, maxMembers: r.options.MaxMembers}
	e.At = e.At.UTC().Truncate(time.Microsecond)
	e.Path = m.text(e.Path)
	e.Query = m.query(e.Query)
	e.Failure = m.text(e.Failure)
	e.Subject = m.text(e.Subject)
	e.RequestHeaders = m.headers(e.RequestHeaders)
	e.ResponseHeaders = m.headers(e.ResponseHeaders)
	why := make([]string, 0, len(e.Why))
	for _, line := range e.Why {
		why = append(why, m.text(line))
	}
	var shortened []string
	e.RequestBody, shortened = m.body(e.RequestBody)
	for _, s := range shortened {
		e.Shortened = true
		why = append(why, "In the log, "+s+" of the request.")
	}
	e.ResponseBody, shortened = m.body(e.ResponseBody)
	for _, s := range shortened {
		why = append(why, "In the log, "+s+" of the answer.")
	}
	e.Why = why
	return e
}

// masker masks what is secret in one exchange.
type masker struct {
	redactor            *secret.Redactor
	maxBody, maxMembers int
}

// text masks the exchange's own secrets and makes a text that every database
// keeps.
func (m *masker) text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(m.redactor.Text(s), "\uFFFD"), "\x00", "\uFFFD")
}

func (m *masker) headers(h map[string][]string) map[string][]string {
	if h == nil {
		return nil
	}
	return m.redactor.Headers(h)
}

// query masks an encoded query. A filter may compare with a secret.
func (m *masker) query(q string) string {
	fields := strings.Split(m.redactor.Query(q), "&")
	for i, f := range fields {
		name, v, ok := strings.Cut(f, "=")
		if !ok || !strings.EqualFold(name, "filter") {
			continue
		}
		if plain, err := url.QueryUnescape(v); err != nil || maskFilter(plain) != plain {
			fields[i] = name + "=" + secret.Mask // its encoding cannot be kept, so nothing of it is
		}
	}
	return m.text(strings.Join(fields, "&"))
}

// body masks a body. What it returns beside says in a few words each what was
// left out.
func (m *masker) body(text string) (masked string, shortened []string) {
	if text == "" {
		return "", nil
	}
	masked = text
	if v, err := value.Decode([]byte(text)); err == nil {
		shown := m.redactor.Display(m.paths(v))
		shown = m.elide(shown, "", &shortened)
		if !value.Equal(v, shown) { // otherwise the body stays as it was written
			if b, err := value.Encode(shown); err == nil {
				masked = string(b)
			}
		}
		masked = m.text(masked)
	} else {
		masked = maskLoose(m.text(text))
	}
	if len(masked) > m.maxBody {
		shortened = append(shortened, fmt.Sprintf("only the first %d of %d bytes were kept", m.maxBody, len(masked)))
		masked = cut(masked, m.maxBody)
	}
	return masked, shortened
}

// cut shortens a text without breaking a character.
func cut(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// paths masks what a SCIM message names by a path instead of a key: the value
// of a PATCH operation on a password, and filters that compare with one.
func (m *masker) paths(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = m.paths(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		hidden := false
		for name, item := range v {
			text, isText := item.(string)
			switch {
			case isText && strings.EqualFold(name, "path"):
				hidden = hidden || secretPath(text)
				out[name] = maskFilter(text)
			case isText && strings.EqualFold(name, "filter"):
				out[name] = maskFilter(text)
			case secretPath(name): // a key that is a path: "urn:…:User:password"
				out[name] = secret.MaskAll(item)
			default:
				out[name] = m.paths(item)
			}
		}
		if hidden {
			for name, item := range out {
				if strings.EqualFold(name, "value") {
					out[name] = secret.MaskAll(item)
				}
			}
		}
		return out
	}
	return v
}

// secretPath reports whether the last attribute that a path names is secret.
func secretPath(path string) bool {
	if i := strings.LastIndexAny(path, ":.]"); i >= 0 && i < len(path)-1 {
		path = path[i+1:]
	}
	name, _, _ := strings.Cut(path, "[")
	return secret.SecretName(name)
}

// comparison is a term of a filter: attribute, operator, literal. It also finds
// terms in a filter that does not parse.
var comparison = regexp.MustCompile(`(?i)([\w:.$-]+)(\s+(?:eq|ne|co|sw|ew|gt|ge|lt|le)\s+)("(?:[^"\\]|\\.)*"?|[^\s()\[\]]+)`)

// maskFilter masks what a filter compares with a secret attribute.
func maskFilter(text string) string {
	if !mayBeSecret(text) {
		return text
	}
	return comparison.ReplaceAllStringFunc(text, func(term string) string {
		part := comparison.FindStringSubmatch(term)
		if !secretPath(part[1]) {
			return term
		}
		return part[1] + part[2] + `"` + secret.Mask + `"`
	})
}

// compared returns what the filter of a query or of a search request compares with
// secret attributes.
func compared(query, body string) (secrets []string) {
	var filters []string
	if strings.Contains(query, "filter=") {
		if fields, err := url.ParseQuery(query); err == nil {
			filters = append(filters, fields["filter"]...)
		}
	}
	if strings.Contains(body, `"filter"`) && mayBeSecret(body) {
		v, _ := value.Decode([]byte(body))
		object, _ := v.(map[string]any)
		text, _ := object["filter"].(string)
		filters = append(filters, text)
	}
	for _, text := range filters {
		for _, part := range comparison.FindAllStringSubmatch(text, -1) {
			if secretPath(part[1]) {
				secrets = append(secrets, strings.Trim(part[3], `"`))
			}
		}
	}
	return secrets
}

// mayBeSecret reports whether any word of a text speaks of a secret.
func mayBeSecret(text string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" ()[]:.,{\"\t", c) }), secret.SecretName)
}

// pair is a member of JSON that may be broken, or a field of a form. The text may
// end before the value does.
var pair = regexp.MustCompile(`("?)([\w$.:-]+)("?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|[^\s&,;}"]+)`)

// maskLoose masks what stands under the name of a secret in a text that is no
// JSON: a body that broke off, a form, a page.
func maskLoose(text string) string {
	return pair.ReplaceAllStringFunc(text, func(found string) string {
		part := pair.FindStringSubmatch(found)
		if !secretPath(part[2]) {
			return found
		}
		masked := secret.Mask
		if strings.HasPrefix(part[4], `"`) {
			masked = `"` + masked + `"`
		}
		return part[1] + part[2] + part[3] + masked
	})
}

// elide leaves out lists with more members than are kept.
func (m *masker) elide(v any, name string, shortened *[]string) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = m.elide(item, name, shortened)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			if list, ok := item.([]any); ok && len(list) > m.maxMembers {
				*shortened = append(*shortened, fmt.Sprintf("%d elements of %q were left out", len(list), m.text(key)))
				continue
			}
			out[key] = m.elide(item, key, shortened)
		}
		return out
	}
	return v
}
