package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/secret"
)

func TestText(t *testing.T) {
	const pass = `p&ss "wörd"/+%41`
	tests := []struct {
		name, secret, in, want string
	}{
		{"plain", "hunter2", "the password is hunter2.", "the password is [masked]."},
		{"twice, touching", "hunter2", "hunter2hunter2", "[masked]"},
		{"absent", "hunter2", "nothing here", "nothing here"},
		{"short alone", "abc", "abc", "[masked]"},
		{"short inside", "abc", "abcdef", "abcdef"},
		{"short in base64, alone", "abc", "YWJj", "[masked]"},
		{"four characters inside", "abcd", "xabcdx", "x[masked]x"},
		{"three characters of six bytes", "äöü", "xäöüx", "xäöüx"},
		{"overlapping itself", "abab", "xabababx", "x[masked]x"},
		{"JSON", pass, `{"a":"p&ss \"wörd\"/+%41"}`, `{"a":"[masked]"}`},
		{"JSON with \\u", pass, `{"a":"p\u0026ss \u0022w\u00f6rd\u0022\/\u002b%41"}`, `{"a":"[masked]"}`},
		{"JSON, surrogates", "key🔑key", `"key\ud83d\udd11key"`, `"[masked]"`},
		{"JSON in JSON", `a"b"c`, `"{\"p\":\"a\\\"b\\\"c\"}"`, `"{\"p\":\"[masked]\"}"`},
		{"query", pass, "a=1&b=p%26ss+%22w%C3%B6rd%22%2F%2B%2541&c=2", "a=1&b=[masked]&c=2"},
		{"path, lower case hex", pass, "/x/p%26ss%20%22w%c3%b6rd%22%2f%2b%2541/y", "/x/[masked]/y"},
		{"path, all of it", "hunter2", "/%68%75%6e%74%65%72%32/", "/[masked]/"},
		{"HTML", pass, "<b>p&amp;ss &#34;w&ouml;rd&#x22;/+%41</b>", "<b>[masked]</b>"},
		{"hex", "hunter22", "x 68756e7465723232 y 68756E7465723232", "x [masked] y [masked]"},
		{"Basic", "hunter2", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:hunter2")), "Basic dXNlcj[masked]"},
		{"base64 inside a form", "???hunter>>>", "a=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("???hunter>>>"))), "a=[masked]"},
		{"end of escape kept", "hunter2", `\u0041hunter2\u0042`, `\u0041[masked]\u0042`},
		{"percent sign at the end", "100%safe%", "100%safe%41", "[masked]41"},
		{"space around", " hunter2 ", "x=hunter2;", "x=[masked];"},
		{"empty text", "hunter2", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := secret.NewRedactor(tt.secret)
			if got := r.Text(tt.in); got != tt.want {
				t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if got := string(r.Bytes([]byte(tt.in))); got != tt.want {
				t.Errorf("Bytes(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if got, want := r.Has(tt.in), tt.in != tt.want; got != want {
				t.Errorf("Has(%q) = %v, want %v", tt.in, got, want)
			}
		})
	}
}

func TestPEMLines(t *testing.T) {
	const line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"
	r := secret.NewRedactor("-----BEGIN PRIVATE KEY-----\n" + line + "\n-----END PRIVATE KEY-----\n")
	if got := r.Text("read " + line); got != "read [masked]" {
		t.Errorf("one line of a key = %q, want it masked", got)
	}
	if got := r.Text("-----BEGIN PRIVATE KEY-----"); got != "-----BEGIN PRIVATE KEY-----" {
		t.Errorf("the armour alone = %q, want it kept", got)
	}
}

func TestNoSecrets(t *testing.T) {
	r := secret.NewRedactor("", "")
	if r != nil {
		t.Fatalf("NewRedactor of empty secrets = %v, want nil", r)
	}
	text, in := "anything %41 \\u0041", []byte("bytes")
	v := map[string]any{"password": "x"}
	allocs := testing.AllocsPerRun(100, func() {
		if r.Text(text) != text || &r.Bytes(in)[0] != &in[0] || r.Has(text) || r.JSON(v).(map[string]any)["password"] != "x" {
			t.Error("the nil Redactor changed something")
		}
	})
	if allocs != 0 {
		t.Errorf("the nil Redactor allocates %v times", allocs)
	}
}

func TestJSON(t *testing.T) {
	r := secret.NewRedactor("hunter2", "123456", "no")
	in := map[string]any{
		"a":           []any{"x hunter2", "plain", json.Number("123456"), json.Number("12"), true, nil},
		"hunter2":     "key",
		"short":       "no",
		"not short":   "nothing",
		"password":    "other",
		"untouched":   map[string]any{"n": json.Number("1.10")},
		"credentials": map[string]any{"password": map[string]any{"value": "other"}},
	}
	before := fmt.Sprint(in)
	want := map[string]any{
		"a":           []any{"x [masked]", "plain", "[masked]", json.Number("12"), true, nil},
		"[masked]":    "key",
		"short":       "[masked]",
		"not short":   "nothing",
		"password":    "other",
		"untouched":   map[string]any{"n": json.Number("1.10")},
		"credentials": map[string]any{"password": map[string]any{"value": "other"}},
	}
	if diff := cmp.Diff(want, r.JSON(in)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	want["password"] = "[masked]"
	want["credentials"] = map[string]any{"password": map[string]any{"value": "[masked]"}}
	if diff := cmp.Diff(want, r.Display(in)); diff != "" {
		t.Errorf("Display (-want +got):\n%s", diff)
	}
	if after := fmt.Sprint(in); after != before {
		t.Errorf("the value given was changed:\n%s\n%s", before, after)
	}
}

func TestDisplayKeepsLinks(t *testing.T) {
	in := map[string]any{
		"_links":         map[string]any{"resetPassword": map[string]any{"href": "/x"}},
		"changePassword": true, "access_token": nil, "id_token": "",
	}
	if diff := cmp.Diff(any(in), (*secret.Redactor)(nil).Display(in)); diff != "" {
		t.Errorf("Display (-want +got):\n%s", diff)
	}
}

func TestShowHTTP(t *testing.T) {
	r := secret.NewRedactor("hunter2")
	got := r.Headers(map[string][]string{
		"Authorization": {"SSWS other"}, "Set-Cookie": {"a=b"}, "X-Api-Key": {"k"}, "X-Note": {"is hunter2"}, "Date": {"now"},
	})
	want := map[string][]string{
		"Authorization": {"[masked]"}, "Set-Cookie": {"[masked]"}, "X-Api-Key": {"[masked]"}, "X-Note": {"is [masked]"}, "Date": {"now"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Headers (-want +got):\n%s", diff)
	}
	for in, want := range map[string]string{
		"https://h/p?x=1&client_secret=zz&y=hunter2": "https://h/p?x=1&client_secret=[masked]&y=[masked]",
		"https://h/p?client%5Fsecret=zz":             "https://h/p?client%5Fsecret=[masked]",
		"https://u:p@h/hunter2":                      "https://[masked]@h/[masked]",
		"https://h/a@b":                              "https://h/a@b",
	} {
		if got := r.URL(in); got != want {
			t.Errorf("URL(%q) = %q, want %q", in, got, want)
		}
	}
}

type encoder struct {
	name string
	wrap func(*rand.Rand, string) string
}

// escapes leave most characters as they are; standard ones spell them in the
// usual way.
var standardEscapes = []encoder{
	{"query", func(_ *rand.Rand, s string) string { return url.QueryEscape(s) }},
	{"path", func(_ *rand.Rand, s string) string { return url.PathEscape(s) }},
	{"JSON", func(_ *rand.Rand, s string) string { return asJSON(s, false) }},
	{"JSON for HTML", func(_ *rand.Rand, s string) string { return asJSON(s, true) }},
}

var escapes = append([]encoder{
	{"percent, lower", func(_ *rand.Rand, s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, "%%%02x", s[i])
		}
		return b.String()
	}},
	{"percent, some", func(r *rand.Rand, s string) string {
		var b strings.Builder
		for i := range len(s) {
			if c := s[i]; r.IntN(2) == 0 || c == '%' || c >= 0x80 {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
		return b.String()
	}},
	{"JSON, \\u00", func(_ *rand.Rand, s string) string {
		var b strings.Builder
		for _, c := range s {
			if c < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, c)
			} else {
				b.WriteRune(c)
			}
		}
		return b.String()
	}},
	{"Go", func(_ *rand.Rand, s string) string { q := fmt.Sprintf("%q", s); return q[1 : len(q)-1] }},
	{"HTML", func(_ *rand.Rand, s string) string { return html.EscapeString(s) }},
}, standardEscapes...)

var base64s = []encoder{
	{"base64 std", inBase64(base64.StdEncoding)},
	{"base64 raw std", inBase64(base64.RawStdEncoding)},
	{"base64 url", inBase64(base64.URLEncoding)},
	{"base64 raw url", inBase64(base64.RawURLEncoding)},
}

// inBase64 puts text on either side, so that the secret begins anywhere.
func inBase64(enc *base64.Encoding) func(*rand.Rand, string) string {
	return func(r *rand.Rand, s string) string {
		return enc.EncodeToString([]byte(text(r, letters+":", r.IntN(5)) + s + text(r, letters+"}", r.IntN(5))))
	}
}

func asJSON(s string, escapeHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	enc.Encode(s)
	return strings.TrimSuffix(b.String()[1:], "\"\n")
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

var alphabets = []string{letters, letters + `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~ `, letters + "äßñ€日本🔑", "ab", "+/=%&\"\\<> "}

func text(r *rand.Rand, alphabet string, n int) string {
	runes := []rune(alphabet)
	out := make([]rune, n)
	for i := range out {
		out[i] = runes[r.IntN(len(runes))]
	}
	return string(out)
}

// TestNoFormSurvives puts random secrets through what the Redactor promises to
// see through: up to three escapes, below them base64 of the secret as it is, in
// a standard escape, or in base64 again.
func TestNoFormSurvives(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from []encoder) encoder { return from[r.IntN(len(from))] }
	for range 30_000 {
		s := text(r, alphabets[r.IntN(len(alphabets))], 4+r.IntN(30))
		if strings.Trim(s, " ") == "" || len(strings.TrimSpace(s)) < 4 {
			continue
		}
		var layers []encoder
		switch r.IntN(4) {
		case 0:
			layers = append(layers, pick(base64s))
		case 1:
			layers = append(layers, pick(standardEscapes), pick(base64s))
		case 2:
			if len(s) >= 8 {
				layers = append(layers, pick(base64s), pick(base64s))
			}
		}
		for range r.IntN(4) {
			layers = append(layers, pick(escapes))
		}
		encoded, names := s, ""
		for _, layer := range layers {
			encoded, names = layer.wrap(r, encoded), names+", then "+layer.name
		}
		whole := text(r, letters+" ", r.IntN(8)) + " " + encoded + " " + text(r, letters, r.IntN(8))
		got := secret.NewRedactor(s).Text(whole)
		if strings.Contains(got, encoded) || !strings.Contains(got, secret.Mask) {
			t.Fatalf("secret %q%s: %q came out as %q", s, names, whole, got)
		}
	}
}

// FuzzRedact checks that no common form of a secret survives in any
// surroundings.
func FuzzRedact(f *testing.F) {
	f.Add("hunter2", "a", "b")
	f.Add(`p"\&%+ é`, `{"x":"`, `"}`)
	f.Add("aaaa", "aa", "a")
	f.Add("%41%41", "%", "41")
	f.Add(`\\\\`, `\`, `"`)
	f.Fuzz(func(t *testing.T, s, before, after string) {
		r := secret.NewRedactor(s)
		if utf8.RuneCountInString(s) < 4 || strings.ContainsAny(s, "[]") || strings.Contains("masked", s) {
			r.Text(before + s + after) // must not panic
			return
		}
		forms := []string{s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s)}
		if utf8.ValidString(s) {
			forms = append(forms, asJSON(s, true), asJSON(s, false))
		}
		if len(s) >= 8 {
			forms = append(forms, hex.EncodeToString([]byte(s)))
		}
		for _, form := range forms {
			// The bars keep the surroundings from forming an escape with the
			// first or last byte of the form.
			in := before + "|" + form + "|" + after
			if got := r.Text(in); strings.Contains(got, form) || !strings.Contains(got, secret.Mask) {
				t.Errorf("secret %q as %q: %q came out as %q", s, form, in, got)
			}
		}
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			in := enc.EncodeToString([]byte(before + s + after))
			if got := r.Text(in); strings.Contains(got, in) || !strings.Contains(got, secret.Mask) {
				t.Errorf("secret %q in base64: %q came out as %q", s, in, got)
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	body := strings.Repeat(`{"id":"00u1","profile":{"firstName":"Ann","email":"ann@example.com"},"note":"a \"quoted\" word"},`, 20)
	for name, n := range map[string]int{"none": 0, "one": 1, "eight": 8} {
		secrets := make([]string, n)
		for i := range secrets {
			secrets[i] = fmt.Sprintf("S3cret-%d-%s", i, strings.Repeat("x", 24))
		}
		r := secret.NewRedactor(secrets...)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r.Text(body)
			}
		})
	}
}

func BenchmarkNewRedactor(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		secret.NewRedactor("S3cret-"+strings.Repeat("x", 24), `Pa"ss w&rd`)
	}
}

// TestInsideAnEscape: a match that begins or ends within the bytes of one
// escape takes all of it.
func TestInsideAnEscape(t *testing.T) {
	// The secret begins with the second byte of what \u00e9 stands for.
	r := secret.NewRedactor("\xa9abc", "xyz\xc3")
	for in, want := range map[string]string{
		`1\u00e9abc2`: "1[masked]2",
		`1xyz\u00e92`: "1[masked]2",
	} {
		if got := r.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}
