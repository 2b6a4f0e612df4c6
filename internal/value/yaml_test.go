package value

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func fromYAML(t *testing.T, doc string) any {
	t.Helper()
	n, err := ParseYAML([]byte(doc), "doc.yaml")
	if err != nil {
		t.Fatalf("ParseYAML(%q): %v", doc, err)
	}
	return FromYAML(n)
}

func TestScalars(t *testing.T) {
	texts := []string{ // plain scalars that stay the text they are
		"2001-01-01", "2001-01-01T00:00:00Z", "12:30:45", "0777", "0o17", "0x1F", "0b11", "1_000", "+1", ".5", "5.", "-.5", "1.2.3",
		"1e", "e1", "--1", "01", "-01", "1.e", ".inf", "-.INF", ".NaN", "NaN", "yes", "no", "on", "off", "y", "n", "Yes", "tRue", "nil", "<",
		"=", "a b", "9007199254740993x", "1,000", "$inputs.x", "é",
	}
	for _, s := range texts {
		if diff := cmp.Diff(any(map[string]any{"k": s}), fromYAML(t, "k: "+s)); diff != "" {
			t.Errorf("plain %s (-want +got):\n%s", s, diff)
		}
	}
	numbers := map[string]string{ // and those that are numbers, digit by digit
		"0": "0", "-0": "-0", "7": "7", "-42": "-42", "9007199254740993": "9007199254740993", "1.10": "1.10", "-0.0": "-0.0",
		"123456789012345678901234567890": "123456789012345678901234567890", "1e3": "1e3", "1E+3": "1E+3", "1.5e-7": "1.5e-7",
		"1.e5": "1.0e5", "1.E5": "1.0E5", "1e999999999": "1e999999999", "0.1000000000000000055511151231257827": "0.1000000000000000055511151231257827",
	}
	for s, want := range numbers {
		got := fromYAML(t, "k: "+s)
		if diff := cmp.Diff(any(map[string]any{"k": json.Number(want)}), got); diff != "" {
			t.Errorf("number %s (-want +got):\n%s", s, diff)
		}
		if _, err := Encode(got); err != nil {
			t.Errorf("number %s cannot be written as JSON: %v", s, err)
		}
	}
	others := []struct {
		yaml string
		want any
	}{
		{"k:", nil}, {"k: null", nil}, {"k: ~", nil}, {"k: true", true}, {"k: false", false}, {"k: True", true},
		{`k: "true"`, "true"}, {"k: 'null'", "null"}, {`k: "1"`, "1"}, {"k: ''", ""}, {"k: !!str 1", "1"}, {"k: !!str true", "true"},
		{"k: !!str", ""}, {"k: |\n  1\n", "1\n"}, {"k: >-\n  true\n", "true"}, {`k: "a\u00e9\n"`, "aé\n"}, {"k: !custom x", "x"},
		{"k: []", []any{}}, {"k: {}", map[string]any{}}, {"k: [1, a, {b: c}]", []any{json.Number("1"), "a", map[string]any{"b": "c"}}},
	}
	for _, tt := range others {
		if diff := cmp.Diff(any(map[string]any{"k": tt.want}), fromYAML(t, tt.yaml)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.yaml, diff)
		}
	}
}

func TestYAMLDocuments(t *testing.T) {
	tests := []struct {
		name, doc string
		want      any
	}{
		{"JSON", `{"a": [1, "x", null]}`, map[string]any{"a": []any{json.Number("1"), "x", nil}}},
		{"keys that look like numbers", "200: ok\n'404': gone\ntrue: x", map[string]any{"200": "ok", "404": "gone", "true": "x"}},
		{"aliases", "a: &x {b: 1}\nc: *x\nd: [*x]", map[string]any{
			"a": map[string]any{"b": json.Number("1")}, "c": map[string]any{"b": json.Number("1")},
			"d": []any{map[string]any{"b": json.Number("1")}}}},
		{"an alias as a key", "a: &x k\n*x : 1", map[string]any{"a": "k", "k": json.Number("1")}},
		{"byte order mark", "\ufeffa: b", map[string]any{"a": "b"}},
		{"Windows lines", "a: b\r\nc: d\r\n", map[string]any{"a": "b", "c": "d"}},
		{"markers around one document", "---\na: b\n...\n", map[string]any{"a": "b"}},
		{"a scalar", "x", "x"},
		{"an empty document with a marker", "---\n", nil},
		{"many open brackets in text", "a: |\n  " + strings.Repeat("[[[[ ", 3000), map[string]any{"a": strings.Repeat("[[[[ ", 3000)}},
		{"a quoted merge key", `"<<": 1`, map[string]any{"<<": json.Number("1")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, fromYAML(t, tt.doc)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromYAMLOfNothing(t *testing.T) {
	if v := FromYAML(nil); v != nil {
		t.Errorf("FromYAML(nil) = %v", v)
	}
}

func TestParseYAMLRefuses(t *testing.T) {
	tests := []struct {
		name, doc, place, text string
		kind                   fault.Kind
	}{
		{"nothing", "", "f.yaml:1:1", "empty", fault.Invalid},
		{"comments only", "# nothing\n", "f.yaml:1:1", "empty", fault.Invalid},
		{"broken", "a: [1\nb: 2", "f.yaml:", "not well-formed", fault.Invalid},
		{"a tab as indentation", "a:\n\tb: 1", "f.yaml:2:1", "not well-formed", fault.Invalid},
		{"control characters", "a: \x00", "f.yaml", "control characters", fault.Invalid},
		{"not UTF-8", "a: \xff\xfe\xfd", "f.yaml", "not well-formed", fault.Invalid},
		{"an unknown alias", "a: *x", "f.yaml", "unknown anchor", fault.Invalid},
		{"two documents", "a: 1\n---\nb: 2", "f.yaml:2:1", "a second document", fault.Invalid},
		{"an empty second document", "a: 1\n---\n", "f.yaml:", "a second document", fault.Invalid},
		{"a broken second document", "a: 1\n---\n{", "f.yaml:", "not well-formed", fault.Invalid},
		{"garbage after the end", "a: 1\n...\n{", "f.yaml:", "not well-formed", fault.Invalid},
		{"a key twice", "a: 1\nb: 2\na: 3", "f.yaml:3:1", `the key "a" stands twice`, fault.Invalid},
		{"a key twice, written differently", "1: a\n\"1\": b", "f.yaml:2:1", `the key "1" stands twice`, fault.Invalid},
		{"a key twice by alias", "a: &x a\n*x : 1", "f.yaml:2:1", `the key "a" stands twice`, fault.Invalid},
		{"a key twice, deep", "r:\n  - {x: 1, x: 2}", "f.yaml:2:12", `the key "x" stands twice`, fault.Invalid},
		{"a list as a key", "? [a]\n: b", "f.yaml:1:3", "a key must be a string", fault.Invalid},
		{"a mapping as a key by alias", "a: &x {b: c}\n*x : 1", "f.yaml:2:1", "a key must be a string", fault.Invalid},
		{"a merge key", "a: &x {b: 1}\nc:\n  <<: *x", "f.yaml:3:3", "merge keys", fault.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := ParseYAML([]byte(tt.doc), "f.yaml")
			if !fault.Is(err, tt.kind) {
				t.Fatalf("ParseYAML = %v, %v; want kind %v", n, err, tt.kind)
			}
			if text := fault.Public(err); !strings.HasPrefix(text, tt.place) || !strings.Contains(text, tt.text) {
				t.Errorf("error %q, want place %q and %q", text, tt.place, tt.text)
			}
		})
	}
}

// Hostile documents: each must be refused, quickly, as too large.
func TestParseYAMLIsBounded(t *testing.T) {
	if testing.Short() && os.Getenv("CI") == "" {
		t.Skip("builds large documents")
	}
	most := MaxYAML - 16
	fill := func(s string) string { return strings.Repeat(s, most/len(s)) }
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		ref := fmt.Sprintf("*a%d", i-1)
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(ref+", ", 10), ", "))
	}
	var ladder strings.Builder
	for i := range 3000 {
		ladder.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, doc := range map[string]string{
		"50 MB":                       strings.Repeat("a: b\n", 10<<20),
		"open brackets":               fill("["),
		"open brackets between texts": fill(`["]",`),
		"open braces":                 fill("{a: "),
		"brackets, closed":            strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"dashes on one line":          fill("- "),
		"question marks on one line":  fill("? "),
		"dashes on many lines":        fill("-\n"),
		"colons":                      fill("a:"),
		"small objects":               "[" + fill(`{"a":1,"b":2},`) + "1]",
		"growing indentation":         ladder.String(),
		"an alias bomb":               bomb,
		"many aliases":                "a: &a x\nb: [" + strings.Repeat("*a,", maxAliases+1) + "]",
		"an alias of itself":          "a: &a [*a]",
		"an alias of its parent":      "a: &a {b: {c: *a}}",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, err := ParseYAML([]byte(doc), "f.yaml"); !fault.Is(err, fault.TooLarge) {
				t.Errorf("error %v, want one of kind TooLarge", err)
			}
			if took := time.Since(start); took > 20*time.Second { // most take milliseconds
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestParseYAMLAtTheLimitOfDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := ParseYAML([]byte(nested(MaxDepth)), "f"); err != nil {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
	if _, err := ParseYAML([]byte(nested(MaxDepth+2)), "f"); !fault.Is(err, fault.TooLarge) {
		t.Errorf("depth %d: %v, want kind TooLarge", MaxDepth+2, err)
	}
}

func FuzzParseYAML(f *testing.F) {
	for _, s := range []string{"a: 1", "[1, 2.5, x]", "a: &x [1]\nb: *x", "? a\n: b", "- |\n text\n- >\n folded", "a: 1\n---\nb: 2", "!!str 1",
		"{a: {b: [c, *d]}}", "a: &a [*a]", "<<: {a: b}", "\"\\u0041\"", "%YAML 1.2\n---\nx", "a:\n\tb", "1.e5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseYAML([]byte(s), "f.yaml")
		if err != nil {
			if n != nil || fault.KindOf(err) == fault.Internal {
				t.Fatalf("ParseYAML = %v, %v", n, err)
			}
			return
		}
		v := FromYAML(n)
		b, err := Encode(v)
		if err != nil {
			t.Fatalf("the value cannot be written as JSON: %v", err)
		}
		again, err := Decode(b)
		if err != nil {
			t.Fatalf("its JSON cannot be read: %v", err)
		}
		if len(b) < 1<<16 && !Equal(v, again) && !strings.ContainsRune(s, '\ufffd') {
			t.Fatalf("%#v became %s", v, b)
		}
	})
}
