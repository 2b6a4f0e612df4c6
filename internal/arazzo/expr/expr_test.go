package expr

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// readCases reads a file of testdata.
func readCases(t testing.TB, name string) any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	root, err := value.ParseYAML(data, name)
	if err != nil {
		t.Fatal(err)
	}
	return value.FromYAML(root)
}

// testCase is one entry of a data file.
type testCase map[string]any

func list(t testing.TB, v any) []testCase {
	t.Helper()
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		t.Fatalf("want a list of cases, got %T", v)
	}
	out := make([]testCase, len(items))
	for i, item := range items {
		out[i] = item.(map[string]any)
	}
	return out
}

func (c testCase) str(key string) string {
	s, _ := c[key].(string)
	return s
}

func (c testCase) has(key string) bool {
	_, ok := c[key]
	return ok
}

func (c testCase) number(t testing.TB, key string) int {
	t.Helper()
	n, ok := c[key].(json.Number)
	if !ok {
		t.Fatalf("%s is no number: %v", key, c[key])
	}
	i, err := n.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return int(i)
}

// testScope is the scope of testdata/scope.yaml.
func testScope(t testing.TB) Data {
	t.Helper()
	root := readCases(t, "scope.yaml").(map[string]any)
	object := func(v any) map[string]any { m, _ := v.(map[string]any); return m }
	headers := func(v any) map[string][]string {
		out := map[string][]string{}
		for k, values := range object(v) {
			out[k] = []string{}
			for _, item := range values.([]any) {
				out[k] = append(out[k], item.(string))
			}
		}
		return out
	}
	d := Data{
		Self: root["self"].(string), Inputs: object(root["inputs"]), Outputs: object(root["outputs"]),
		Steps: map[string]map[string]any{}, Workflows: map[string]WorkflowData{}, Sources: map[string]SourceData{},
	}
	for id, outputs := range object(root["steps"]) {
		d.Steps[id] = object(outputs)
	}
	for id, w := range object(root["workflows"]) {
		d.Workflows[id] = WorkflowData{Inputs: object(object(w)["inputs"]), Outputs: object(object(w)["outputs"])}
	}
	for name, s := range object(root["sources"]) {
		d.Sources[name] = SourceData{URL: object(s)["url"].(string), Type: object(s)["type"].(string)}
	}
	req := object(root["request"])
	d.Request = &Request{URL: req["url"].(string), Method: req["method"].(string), Header: headers(req["header"]),
		Query: object(req["query"]), Path: object(req["path"]), Body: req["body"], HasBody: true}
	res := object(root["response"])
	d.Response = &Response{Status: testCase(res).number(t, "status"), Header: headers(res["header"]), Body: res["body"], HasBody: true}
	return d
}

func TestParse(t *testing.T) {
	root := readCases(t, "expressions.yaml").(map[string]any)
	for _, c := range list(t, root["valid"]) {
		t.Run(c.str("expr"), func(t *testing.T) {
			want := Expression{Raw: c.str("expr"), Root: Root(c.str("root")), Owner: c.str("owner"), Part: c.str("part"), Name: c.str("name")}
			if c.has("pointer") {
				p, err := value.ParsePointer(c.str("pointer"))
				if err != nil {
					t.Fatal(err)
				}
				want.Pointer, want.HasPointer = p, true
			}
			got, err := Parse(want.Raw)
			if err != nil {
				t.Fatalf("Parse(%q): %v", want.Raw, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", want.Raw, diff)
			}
			if got.String() != want.Raw {
				t.Errorf("String() = %q, want %q", got.String(), want.Raw)
			}
			if !LooksLikeExpression(want.Raw) {
				t.Errorf("LooksLikeExpression(%q) = false", want.Raw)
			}
		})
	}
	for _, c := range list(t, root["invalid"]) {
		t.Run("not "+c.str("expr"), func(t *testing.T) {
			got, err := Parse(c.str("expr"))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Parse(%q) = %+v, %v; want a *SyntaxError", c.str("expr"), got, err)
			}
			if syntax.Offset != c.number(t, "at") || !strings.Contains(syntax.Msg, c.str("want")) {
				t.Errorf("Parse(%q): offset %d, %q; want offset %d and %q", c.str("expr"), syntax.Offset, syntax.Msg, c.number(t, "at"), c.str("want"))
			}
			if !fault.Is(err, fault.Invalid) || fault.Public(err) != syntax.Error() {
				t.Errorf("the error is not public: %q", fault.Public(err))
			}
		})
	}
	for _, c := range list(t, root["looksLike"]) {
		if got := LooksLikeExpression(c.str("text")); got != c["like"] {
			t.Errorf("LooksLikeExpression(%q) = %v", c.str("text"), got)
		}
	}
}

func TestParseRefusesBrokenUTF8(t *testing.T) {
	for _, s := range []string{"$request.query.\xff", "$request.query.a\xc3", "$sourceDescriptions.a.\x80b"} {
		if e, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", s, e)
		}
	}
}

func TestLookup(t *testing.T) {
	scope := testScope(t)
	for _, c := range list(t, readCases(t, "lookups.yaml")) {
		t.Run(c.str("expr"), func(t *testing.T) {
			e, err := Parse(c.str("expr"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Resolve(e, scope)
			if c.has("missing") {
				var u *Unresolved
				if !errors.As(err, &u) || u.Expression.Raw != e.Raw {
					t.Fatalf("Resolve(%s) = %v, %v; want *Unresolved", e, got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c["value"], got); diff != "" {
				t.Errorf("Resolve(%s) (-want +got):\n%s", e, diff)
			}
		})
	}
}

func TestEmptyScopeHasNothing(t *testing.T) {
	root := readCases(t, "expressions.yaml").(map[string]any)
	for _, c := range list(t, root["valid"]) {
		e, err := Parse(c.str("expr"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := Resolve(e, Data{})
		var u *Unresolved
		if !errors.As(err, &u) || u.Reason == "" {
			t.Errorf("Resolve(%s) in an empty scope = %v, %v; want *Unresolved with a reason", e, v, err)
		}
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("the kind of %v is %v", err, fault.KindOf(err))
		}
	}
}

// bareScope is a Scope without the optional interfaces.
type bareScope struct{ v any }

func (s bareScope) Lookup(Expression) (any, bool) { return s.v, s.v != nil }

func TestScopeWithoutExplanations(t *testing.T) {
	e, _ := Parse("$inputs.a")
	_, err := Resolve(e, bareScope{})
	if want := "$inputs.a has no value: it is not known at this point of the run"; err == nil || err.Error() != want {
		t.Errorf("Resolve: %v, want %q", err, want)
	}
}

func TestTemplates(t *testing.T) {
	scope := testScope(t)
	for _, c := range list(t, readCases(t, "templates.yaml")) {
		t.Run(c.str("text"), func(t *testing.T) {
			text := c.str("text")
			tmpl, err := ParseTemplate(text)
			if c.has("error") {
				var syntax *SyntaxError
				if !errors.As(err, &syntax) {
					t.Fatalf("ParseTemplate: %v, want a *SyntaxError", err)
				}
				if syntax.Offset != c.number(t, "at") || !strings.Contains(syntax.Msg, c.str("error")) || syntax.Text != text {
					t.Errorf("ParseTemplate: %+v; want offset %d and %q", syntax, c.number(t, "at"), c.str("error"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tmpl.String() != text {
				t.Errorf("String() = %q", tmpl.String())
			}
			if e, whole := tmpl.Whole(); whole != c.has("whole") || whole && e.Raw != text {
				t.Errorf("Whole() = %v, %v", e, whole)
			}
			if literal, ok := tmpl.Literal(); ok != c.has("literal") || ok && literal != text {
				t.Errorf("Literal() = %q, %v", literal, ok)
			}
			if got := len(tmpl.Expressions()) > 0; got == c.has("literal") {
				t.Errorf("Expressions() = %v", tmpl.Expressions())
			}
			var quoted []any
			for _, q := range tmpl.QuotedExpressions() {
				quoted = append(quoted, q.Expression.Raw+" "+string(q.Quote))
			}
			want, _ := c["quoted"].([]any)
			if diff := cmp.Diff(want, quoted); diff != "" {
				t.Errorf("QuotedExpressions (-want +got):\n%s", diff)
			}
			got, err := tmpl.Eval(scope)
			if c.has("unresolved") {
				var u *Unresolved
				if !errors.As(err, &u) || !strings.Contains(u.Reason, c.str("unresolved")) {
					t.Errorf("Eval = %v, %v; want *Unresolved with %q", got, err, c.str("unresolved"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c["value"], got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	scope := testScope(t)
	for _, c := range list(t, readCases(t, "conditions.yaml")) {
		t.Run(c.str("if"), func(t *testing.T) {
			crit, err := CompileCriterion("", c.str("if"), Type{})
			if c.has("kind") {
				checkConditionError(t, c, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if crit.String() != c.str("if") {
				t.Errorf("String() = %q", crit.String())
			}
			checkResult(t, c, crit.Eval(scope))
		})
	}
}

func checkConditionError(t *testing.T, c testCase, err error) {
	t.Helper()
	var ce *ConditionError
	if !errors.As(err, &ce) {
		t.Fatalf("error %v, want a *ConditionError", err)
	}
	if string(ce.Kind) != c.str("kind") {
		t.Errorf("kind %q, want %q: %s", ce.Kind, c.str("kind"), ce.Msg)
	}
	if c.has("at") && ce.Offset != c.number(t, "at") {
		t.Errorf("offset %d, want %d: %s", ce.Offset, c.number(t, "at"), ce.Msg)
	}
	if c.has("text") && ce.Text != c.str("text") {
		t.Errorf("text %q, want %q", ce.Text, c.str("text"))
	}
	if !strings.Contains(ce.Msg, c.str("error")) {
		t.Errorf("message %q, want %q in it", ce.Msg, c.str("error"))
	}
	if source := c.str("if"); source != "" && !strings.HasPrefix(source[ce.Offset:], ce.Text) {
		t.Errorf("text %q does not stand at offset %d", ce.Text, ce.Offset)
	}
	if fault.Public(err) != ce.Msg {
		t.Errorf("public text %q, want %q", fault.Public(err), ce.Msg)
	}
}

func checkResult(t *testing.T, c testCase, r Result) {
	t.Helper()
	if r.Pass != c["pass"] {
		t.Errorf("pass %v, want %v: %s", r.Pass, c["pass"], r.Reason)
	}
	if r.Pass != (r.Reason == "") {
		t.Errorf("pass %v with reason %q", r.Pass, r.Reason)
	}
	if !strings.Contains(r.Reason, c.str("reason")) {
		t.Errorf("reason %q, want %q in it", r.Reason, c.str("reason"))
	}
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("the result is no JSON: %v", err)
	}
}
