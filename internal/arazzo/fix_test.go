package arazzo

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/value"
)

// The archives in testdata/fix hold a document before and after. A line
// "find: id=source,source ..." in the comment says what FindOperation knows.
func TestFix(t *testing.T) {
	files, err := filepath.Glob("testdata/fix/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			opt := FixOptions{FindOperation: findFrom(string(archive.Comment))}
			before, after := archive.Files[0].Data, archive.Files[1].Data
			got := mustFix(t, before, opt)
			if diff := cmp.Diff(string(after), string(got)); diff != "" {
				t.Errorf("Fix (-want +got):\n%s", diff)
			}
			if again := mustFix(t, got, opt); !bytes.Equal(again, got) {
				t.Errorf("fixing twice changed more:\n%s", cmp.Diff(string(got), string(again)))
			}
			checkReadCompat(t, before, got, opt)
		})
	}
}

func findFrom(comment string) func(string) []string {
	_, list, ok := strings.Cut(comment, "find: ")
	if !ok {
		return nil
	}
	known := map[string][]string{}
	for _, entry := range strings.Fields(list) {
		id, sources, _ := strings.Cut(entry, "=")
		known[id] = strings.Split(sources, ",")
	}
	return func(id string) []string { return known[id] }
}

func mustFix(t *testing.T, data []byte, opt FixOptions) []byte {
	t.Helper()
	d, diags := Parse("f.yaml", data)
	if HasErrors(diags) {
		t.Fatalf("the document does not parse: %v", diags)
	}
	text, _, err := Fix(d, opt)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checkReadCompat: ReadCompat gives the document that Fix writes, with the
// places of the original, and a warning for each place that was rewritten.
func checkReadCompat(t *testing.T, before, fixed []byte, opt FixOptions) {
	t.Helper()
	d, diags := ReadCompat("f.yaml", before, opt)
	if !bytes.Equal(d.Text, fixed) || !bytes.Equal(d.Original, before) {
		t.Error("ReadCompat read another text than Fix writes")
	}
	if diff := cmp.Diff(value.FromYAML(d.Root), value.FromYAML(mustParse(t, fixed).Root)); diff != "" {
		t.Errorf("ReadCompat read another document than Fix writes:\n%s", diff)
	}
	original := mustParse(t, before)
	for i, w := range d.Workflows {
		was := original.Workflows[i]
		if w.Pos != was.Pos || w.ID.Pos != was.ID.Pos {
			t.Errorf("the workflow %s is at %s, was at %s", w.ID.Value, w.Pos, was.Pos)
		}
		for k, s := range w.Steps {
			for n, p := range s.Parameters {
				if p.Pos != was.Steps[k].Parameters[n].Pos || p.Value.Pos != was.Steps[k].Parameters[n].Value.Pos {
					t.Errorf("the value of %s is at %s, was at %s", p.Name.Value, p.Value.Pos, was.Steps[k].Parameters[n].Value.Pos)
				}
			}
			for n, c := range s.SuccessCriteria {
				if c.Pos != was.Steps[k].SuccessCriteria[n].Pos {
					t.Errorf("the criterion %s is at %s, was at %s", c.Condition.Value, c.Pos, was.Steps[k].SuccessCriteria[n].Pos)
				}
			}
		}
	}
	for _, diag := range diags {
		if diag.Severity != Warning {
			t.Errorf("ReadCompat reports %s", diag)
		}
	}
	// What Check still finds in the rewritten document has its original place.
	for _, diag := range Check(d, CheckOptions{Dialect: Compat}) {
		if len(diag.Edits) > 0 {
			t.Errorf("a rewritten document still has something to rewrite: %s", diag)
		}
	}
}

func mustParse(t *testing.T, data []byte) *Document {
	t.Helper()
	d, diags := Parse("f.yaml", data)
	if d == nil {
		t.Fatal(diags)
	}
	return d
}

// A loose form inside what another one is rewritten to takes a second round.
func TestFixPlaces(t *testing.T) {
	text := `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: w
    inputs: {properties: {token: {type: string}}}
    steps:
      - {stepId: s, operationId: x, parameters: [{name: a, in: query, value: a $inputs.token}, {name: b, in: query, value: $inputs.nothing}]}
`
	d, diags := ReadCompat("f.yaml", []byte(text), FixOptions{})
	if len(diags) != 1 || diags[0].String() != `f.yaml:8:78: warning: $inputs.token without braces stays text and is not replaced by a value; write "a {$inputs.token}" [bare-expression-in-text]` {
		t.Errorf("ReadCompat reports %v", diags)
	}
	want := "f.yaml:8:124: the workflow declares no input nothing [unknown-input]"
	got := Check(d, CheckOptions{Dialect: Compat})
	if !slices.ContainsFunc(got, func(d Diagnostic) bool { return d.String() == want }) {
		t.Errorf("Check reports %v, want %s", got, want)
	}
}

func TestFixNothing(t *testing.T) {
	if _, _, err := Fix(nil, FixOptions{}); err == nil {
		t.Error("fixing no document gave no error")
	}
	text := []byte("arazzo: 1.0.1\ninfo: [\n")
	if d, diags := ReadCompat("f.yaml", text, FixOptions{}); d != nil || !HasErrors(diags) {
		t.Errorf("ReadCompat of malformed YAML gave %v, %v", d, diags)
	}
}

// The edits that diagnostics carry, made by an editor, are what Fix does.
func TestEditsOfDiagnostics(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/fix/criteria.txtar")
	if err != nil {
		t.Fatal(err)
	}
	d := mustParse(t, archive.Files[0].Data)
	var edits []Edit
	for _, diag := range Check(d, CheckOptions{Dialect: Compat}) {
		edits = append(edits, diag.Edits...)
	}
	text, _ := applyEdits(d.Text, edits)
	if diff := cmp.Diff(string(archive.Files[1].Data), string(text)); diff != "" {
		t.Errorf("edits (-want +got):\n%s", diff)
	}
	lines := strings.Split(string(d.Text), "\n")
	for _, e := range edits {
		if e.From.Line == e.To.Line {
			was := lines[e.From.Line-1][e.From.Col-1 : e.To.Col-1]
			if was != string(d.Text[e.Start:e.End]) {
				t.Errorf("the edit at %v speaks of %q by lines and of %q by bytes", e.From, was, d.Text[e.Start:e.End])
			}
		}
	}
}

func TestScalarsInPlace(t *testing.T) {
	// Every way to write a text, the value it has, and the text after each "X"
	// of the value became "(X)".
	for _, test := range []struct{ before, after string }{
		{"a: one X two", "a: one (X) two"},
		{"a: X", "a: (X)"},
		{"a: one X # comment", "a: one (X) # comment"},
		{"a: one\n  X\n  two", "a: one\n  (X)\n  two"},
		{"a: one\n\n  X", "a: one\n\n  (X)"},
		{"a: 'it''s X'", "a: 'it''s (X)'"},
		{"a: 'one\n  X\n\n  two'", "a: 'one\n  (X)\n\n  two'"},
		{`a: "\x41\u00e9\U0001F600 \"X\" \\"`, `a: "\x41\u00e9\U0001F600 \"(X)\" \\"`},
		{"a: \"one \\\n  X\"", "a: \"one \\\n  (X)\""},
		{"a: \"one\n  X\"", "a: \"one\n  (X)\""},
		{"a: |\n  one X\n    more X\n\n  last\n", "a: |\n  one (X)\n    more (X)\n\n  last\n"},
		{"a: |2-\n    X\n  b\n", "a: |2-\n    (X)\n  b\n"},
		{"a: |+ # comment\n  X\n\n\n", "a: |+ # comment\n  (X)\n\n\n"},
		{"a: >\n  one\n  X\n\n  two\n    kept X\n  three\n", "a: >\n  one\n  (X)\n\n  two\n    kept (X)\n  three\n"},
		{"a: >-\n\n  X", "a: >-\n\n  (X)"},
		{"a: [one X, two]", "a: [one (X), two]"},
		{"a: {b: X}", "a: {b: (X)}"},
		{"\"é\": \"é X\"", "\"é\": \"é (X)\""},
		{"a: &anchor X", "a: &anchor (X)"},
		{"a: !!str X", "a: !!str (X)"},
		{"a: !!str &b 'X'", "a: !!str &b '(X)'"},
		{"\xef\xbb\xbfa: é X", "\xef\xbb\xbfa: é (X)"},
		{"# é\r\na: X\r\nb: X\r\n", "# é\r\na: (X)\r\nb: (X)\r\n"},
		{"a: |\r\n  X\r\n  b X\r\n", "a: |\r\n  (X)\r\n  b (X)\r\n"},
	} {
		root, err := value.ParseYAML([]byte(test.before), "f")
		if err != nil {
			t.Fatalf("%q: %v", test.before, err)
		}
		s := newSource([]byte(test.before))
		var edits []Edit
		for _, n := range scalars(root) {
			var list []valueEdit
			for i := range n.Value {
				if n.Value[i] == 'X' {
					list = append(list, valueEdit{i, i, "("}, valueEdit{i + 1, i + 1, ")"})
				}
			}
			if list == nil {
				continue
			}
			sc, ok := s.scalar(n)
			if !ok {
				t.Errorf("%q: the scalar %q is not found in the text", test.before, n.Value)
				continue
			}
			for _, e := range list { // without the quotes that editScalar may add
				edits = append(edits, Edit{Start: sc.at[e.start], End: sc.at[e.end], Text: e.text})
			}
		}
		got, _ := applyEdits(s.text, edits)
		if string(got) != test.after {
			t.Errorf("editing %q\n got %q\nwant %q", test.before, got, test.after)
		}
	}
}

func TestPlainSafe(t *testing.T) {
	// Whatever may stand without quotes must read back as itself.
	for _, text := range []string{"a", "{a", "a {b}", "a: b", "a #b", "a#b", "a:", "- a", "? a", "*a", "&a", "a, b", "[a]", "'a'", "\"a", "%a", "@a", "`a", "a ", "!a", "|", ">a", "a:b", "$a == 'b'"} {
		for _, flow := range []bool{false, true} {
			if !plainSafe(text, flow) {
				continue
			}
			doc := "k: " + text + "\n"
			if flow {
				doc = "[{k: " + text + "}]\n"
			}
			root, err := value.ParseYAML([]byte(doc), "f")
			if err != nil {
				t.Errorf("plainSafe(%q, %v) is true, and %q gives %v", text, flow, doc, err)
				continue
			}
			if !slices.ContainsFunc(scalars(root), func(n *node) bool { return n.Value == text }) {
				t.Errorf("plainSafe(%q, %v) is true, and %q does not hold it", text, flow, doc)
			}
		}
	}
}

func TestPlacesInLongLines(t *testing.T) {
	long := strings.Repeat("é", 5000) + "\n" + strings.Repeat("ab", 3000) + "\nc"
	s := newSource([]byte(long))
	for _, test := range []struct{ line, col, offset int }{
		{1, 1, 0}, {1, 1024, 2046}, {1, 1025, 2048}, {1, 1026, 2050}, {1, 4999, 9996},
		{2, 1, 10001}, {2, 2049, 12049}, {2, 6000, 16000}, {3, 1, 16002},
	} {
		if got, ok := s.offset(test.line, test.col); !ok || got != test.offset {
			t.Errorf("offset(%d, %d) = %d, %v, want %d", test.line, test.col, got, ok, test.offset)
		}
		if line, col := s.place(test.offset); line != test.line || col != test.col {
			t.Errorf("place(%d) = %d, %d, want %d, %d", test.offset, line, col, test.line, test.col)
		}
	}
}

// TestFixCorpus: the published documents become strict ones without errors, and
// nothing but the loose forms changes.
func TestFixCorpus(t *testing.T) {
	for _, file := range corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fixed := mustFix(t, data, FixOptions{})
			d, diags := Parse("f.yaml", fixed)
			for _, diag := range append(diags, Check(d, CheckOptions{Dialect: Strict, Schema: true})...) {
				if diag.Severity == Error {
					t.Errorf("after Fix: %s", diag)
				}
			}
			if got, want := strings.Count(string(fixed), "\n"), strings.Count(string(data), "\n"); got != want {
				t.Errorf("the text has %d lines, had %d", got, want)
			}
			checkReadCompat(t, data, fixed, FixOptions{})
		})
	}
}

// TestFixRandomTexts writes random texts in random YAML styles and compares
// what Fix leaves in the document with the rewriting of the values themselves.
func TestFixRandomTexts(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"$inputs.a", "$inputs.b-c", "$inputs.nothing", "{$inputs.a}", "$", " ", "  ", "\n", "\n\n", "'", "''", `"`, `\`, ": ", ":", " #", "#",
		"{", "}", "[", "]", ",", "- ", "&x", "*x", "!", "|", ">", "%", "@", "`", "é", "😀", "\t", "a", "word", "SSWS ", "true", "\u0085", "\u2028", "\x01", "=", "$inputs.a#/x", "."}
	styles := []yaml.Style{0, 0, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle, yaml.TaggedStyle}
	known := someNames{"$inputs.a": true, "$inputs.b-c": true}
	edited, left := 0, 0
	for range 3000 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		if g.IntN(3) == 0 {
			list.Style = yaml.FlowStyle
		}
		for range 1 + g.IntN(4) {
			var text strings.Builder
			for range 1 + g.IntN(6) {
				text.WriteString(pieces[g.IntN(len(pieces))])
			}
			n := &yaml.Node{Kind: yaml.ScalarNode, Value: text.String(), Style: styles[g.IntN(len(styles))]}
			if n.Style == yaml.TaggedStyle {
				n.Tag = "!!str"
			}
			list.Content = append(list.Content, n)
		}
		payload, err := yaml.Marshal(list)
		if err != nil {
			continue
		}
		doc := "arazzo: 1.0.1\ninfo: {title: t, version: \"1\"}\nsourceDescriptions: [{name: api, url: a}]\nworkflows:\n" +
			"- workflowId: w\n  inputs: {properties: {a: {}, b-c: {}}}\n  steps:\n  - stepId: s\n    operationId: x\n    requestBody:\n      payload:\n        " +
			strings.ReplaceAll(strings.TrimRight(string(payload), "\n"), "\n", "\n        ") + "\n"
		d, _ := Parse("f.yaml", []byte(doc))
		if d == nil {
			continue
		}
		text, _, err := Fix(d, FixOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		fixed := mustParse(t, text)
		before := scalars(d.Workflows[0].Steps[0].Body.Payload.Node)
		after := scalars(fixed.Workflows[0].Steps[0].Body.Payload.Node)
		if len(before) != len(after) {
			t.Fatalf("%d texts became %d\n%s\n%s", len(before), len(after), doc, text)
		}
		for i, n := range before {
			want := n.Value
			if s, isText := value.FromYAML(n).(string); isText {
				edits, _ := bareExpressions(s, known, true)
				want = applyTo(s, edits)
			}
			switch after[i].Value {
			case want:
				if want != n.Value {
					edited++
				}
			case n.Value: // left alone, which Check reports
				left++
				diags := Check(fixed, CheckOptions{Dialect: Compat})
				if !slices.ContainsFunc(diags, func(d Diagnostic) bool { return d.Severity == Error }) {
					t.Errorf("%q was left alone in silence\n%s", n.Value, doc)
				}
			default:
				t.Fatalf("%q became %q, want %q\n%s\n%s", n.Value, after[i].Value, want, doc, text)
			}
		}
	}
	if edited < 1000 || left > edited/4 {
		t.Errorf("%d texts were rewritten, %d left alone", edited, left)
	}
}
