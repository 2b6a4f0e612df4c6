package expr

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

func TestTypedCriteria(t *testing.T) {
	for section, cases := range readCases(t, "typed.yaml").(map[string]any) {
		for _, c := range list(t, cases) {
			t.Run(section+" "+c.str("if"), func(t *testing.T) {
				typ := Type{Name: section, Version: c.str("version")}
				if section == "other" {
					typ.Name = c.str("type")
				}
				crit, err := CompileCriterion(c.str("context"), c.str("if"), typ)
				if c.has("kind") {
					if c.str("kind") == "expression" || c.str("kind") == "type" || c.str("kind") == "context" {
						c["if"] = "" // the offset is into the context or the type
					}
					checkConditionError(t, c, err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := crit.String(); !strings.Contains(got, c.str("if")) {
					t.Errorf("String() = %q", got)
				}
				scope := testScope(t)
				scope.Response.Text = c.str("xml")
				checkResult(t, c, crit.Eval(scope))
			})
		}
	}
}

func TestRegexIsStoppedInTime(t *testing.T) {
	c, err := CompileCriterion("$inputs.text", "^(a+)+$", Type{Name: "regex"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := c.Eval(Data{Inputs: map[string]any{"text": strings.Repeat("a", 5000) + "!"}})
	if r.Pass || !strings.Contains(r.Reason, "took longer than 250ms") || strings.Contains(r.Reason, "aaaa") {
		t.Errorf("Eval = %+v", r)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestXPathWorkIsBounded(t *testing.T) {
	nested := strings.Repeat("<a>", 2000) + strings.Repeat("</a>", 2000)
	for _, path := range []string{"//*[//*[//*[. = 'x']]]", "count(//*[count(.//*) > 1999999]) > 0", "//a[.//a[.//a[.//a = 'x']]]"} {
		c, err := CompileCriterion("$inputs.xml", path, Type{Name: "xpath"})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if r := c.Eval(Data{Inputs: map[string]any{"xml": nested}}); r.Pass || !strings.Contains(r.Reason, "visits too many nodes") {
			t.Errorf("%s: %+v", path, r)
		}
		if took := time.Since(start); took > 20*time.Second { // takes about a second
			t.Errorf("%s took %v", path, took)
		}
	}
	c, err := CompileCriterion("$inputs.xml", "/a", Type{Name: "xpath"})
	if err != nil {
		t.Fatal(err)
	}
	for _, xml := range []string{strings.Repeat("<a>", 1_000_000), strings.Repeat(" ", maxXML+1)} {
		if r := c.Eval(Data{Inputs: map[string]any{"xml": xml}}); r.Pass || !strings.Contains(r.Reason, "too large") {
			t.Errorf("XML of %d bytes: %+v", len(xml), r)
		}
	}
	if r := c.Eval(Data{Inputs: map[string]any{"xml": strings.Repeat("<a>", 200_000) + strings.Repeat("</a>", 200_000)}}); !r.Pass {
		t.Errorf("deeply nested XML: %+v", r)
	}
}

func TestSelectors(t *testing.T) {
	scope := testScope(t)
	for _, c := range list(t, readCases(t, "selectors.yaml")) {
		t.Run(c.str("selector"), func(t *testing.T) {
			sel, err := CompileSelector(c.str("context"), c.str("selector"), Type{Name: c.str("type"), Version: c.str("version")})
			if c.has("kind") {
				checkConditionError(t, c, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if es := sel.Expressions(); len(es) == 0 || !strings.HasPrefix(c.str("context"), es[0].Raw) {
				t.Errorf("Expressions() = %v", es)
			}
			got, err := sel.Eval(scope)
			var u *Unresolved
			switch {
			case c.has("none"):
				if !errors.As(err, &u) {
					t.Errorf("Eval = %v, %v; want *Unresolved", got, err)
				}
			case c.has("fails"):
				if err == nil || errors.As(err, &u) || !strings.Contains(err.Error(), c.str("fails")) {
					t.Errorf("Eval = %v, %v; want %q", got, err, c.str("fails"))
				}
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(c["gives"], got); diff != "" {
					t.Errorf("Eval (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestReplace(t *testing.T) {
	const doc = `{"items":[{"id":1,"sub":{"id":2}},{"id":3}],"odd key":{"a/b~c":"x"}}`
	tests := []struct{ kind, target, root, v, want string }{
		{"jsonpath", "$.items[?@.id == 3].id", doc, `[4]`, `{"items":[{"id":1,"sub":{"id":2}},{"id":[4]}],"odd key":{"a/b~c":"x"}}`},
		{"jsonpath", "$..id", doc, `null`, `{"items":[{"id":null,"sub":{"id":null}},{"id":null}],"odd key":{"a/b~c":"x"}}`},
		{"jsonpath", "$..*", doc, `0`, `{"items":0,"odd key":0}`},
		{"jsonpath", "$['odd key'].*", doc, `1.10`, `{"items":[{"id":1,"sub":{"id":2}},{"id":3}],"odd key":{"a/b~c":1.10}}`},
		{"jsonpath", "$", doc, `"all"`, `"all"`},
		{"xpath", "/a/b", `"<a><b>1</b><b x='y'>2</b> </a>"`, `"<&\""`, `"<a><b>&lt;&amp;&#34;</b><b x=\"y\">&lt;&amp;&#34;</b> </a>"`},
		{"xpath", "/a/@x", `"<?xml version='1.0'?><a x='1' y='2'><!-- c --></a>"`, `5`, `"<?xml version=\"1.0\"?><a x=\"5\" y=\"2\"><!-- c --></a>"`},
		{"xpath", "/a/text()", `"<a><![CDATA[x]]></a>"`, `"]]><b/>"`, `"<a>]]&gt;&lt;b/&gt;</a>"`},
		{"xpath", "//b[. = 2]", `"<a><b>1<c/></b><b><c>2</c></b></a>"`, `{"k":[1]}`, `"<a><b>1<c></c></b><b>{&#34;k&#34;:[1]}</b></a>"`},
	}
	for _, tt := range tests {
		if err := CheckTarget(tt.kind, tt.target); err != nil {
			t.Errorf("CheckTarget(%s): %v", tt.target, err)
			continue
		}
		got, err := Replace(tt.kind, tt.target, decoded(t, tt.root), decoded(t, tt.v))
		if err != nil {
			t.Errorf("Replace(%s): %v", tt.target, err)
			continue
		}
		if diff := cmp.Diff(decoded(t, tt.want), got); diff != "" {
			t.Errorf("Replace(%s) (-want +got):\n%s", tt.target, diff)
		}
	}
}

func decoded(t testing.TB, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestReplaceRefuses(t *testing.T) {
	tests := []struct{ kind, target, root, want string }{
		{"jsonpath", "$.nope", `{}`, "selects nothing in the payload"},
		{"jsonpath", "$.a == 1", `{}`, "it compares"},
		{"jsonpath", "$.a{$inputs.x}", `{}`, "no JSONPath"},
		{"jsonpath", "", `{}`, "empty"},
		{"xpath", "/nope", `"<a/>"`, "selects nothing in the payload"},
		{"xpath", "count(/a)", `"<a/>"`, "computes a value"},
		{"xpath", "/a/comment()", `"<a><!-- x --></a>"`, "only elements, attributes and text"},
		{"xpath", "/a", `"<a>"`, "not well-formed XML"},
		{"xpath", "/a", `{}`, "XML text"},
		{"xpath", "1 to 3", `"<a/>"`, "expected an operator"},
		{"jsonpointer", "/a", `{}`, "no type"},
		{"jsonpath", "$" + strings.Repeat(".a", maxCondition), `{}`, "the limit is"},
	}
	for _, tt := range tests {
		if got, err := Replace(tt.kind, tt.target, decoded(t, tt.root), "v"); err == nil || !strings.Contains(fault.Public(err), tt.want) {
			t.Errorf("Replace(%.30s) = %v, %v; want %q", tt.target, got, err, tt.want)
		}
	}
}

func TestLimitsOfConditions(t *testing.T) {
	long := strings.Repeat(" ", maxCondition)
	deep := func(open, inner, closing string) string {
		return strings.Repeat(open, 30_000) + inner + strings.Repeat(closing, 30_000)
	}
	tests := []struct {
		name, condition string
		typ             string
		kind            ConditionErrorKind
	}{
		{"long", "true" + long, "", ErrLimit},
		{"long regex", "a" + long, "regex", ErrLimit},
		{"long jsonpath", "$" + long, "jsonpath", ErrLimit},
		{"long xpath", "a" + long, "xpath", ErrLimit},
		{"deep groups", deep("(", "true", ")"), "", ErrLimit},
		{"deep negations", deep("!(", "true", "")[:60_000], "", ErrLimit},
		{"deep filters", deep("$[?", "1", "]"), "jsonpath", ErrLimit},
		{"deep jsonpath groups", "$[?" + deep("(", "@", ")") + "]", "jsonpath", ErrJSONPath},
		{"deep jsonpath negations", "$[?" + strings.Repeat("!(", 20_000) + "]", "jsonpath", ErrJSONPath},
		{"deep jsonpath calls", "$[?" + strings.Repeat("length(", 9000) + "]", "jsonpath", ErrJSONPath},
		{"deep xpath groups", deep("(", "1", ")"), "xpath", ErrXPath},
		{"deep xpath filters", "a" + strings.Repeat("[a", 20_000), "xpath", ErrXPath},
	}
	for _, tt := range tests {
		_, err := CompileCriterion("$response.body", tt.condition, Type{Name: tt.typ})
		var ce *ConditionError
		if !errors.As(err, &ce) || ce.Kind != tt.kind {
			t.Errorf("%s: error %.200v, want kind %s", tt.name, err, tt.kind)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: the message has %d bytes", tt.name, len(err.Error()))
		}
	}
	// Long, flat and legal.
	for _, c := range []struct{ condition, typ string }{
		{strings.Repeat("true && ", 8000) + "true", ""},
		{strings.Repeat("$inputs.x == 1 || ", 3000) + "true", ""},
		{"$" + strings.Repeat(".a", 30_000), "jsonpath"},
		{"$" + strings.Repeat("[0]", 20_000), "jsonpath"},
		{strings.Repeat("-", 60_000) + "1", "xpath"},
		{strings.Repeat("(", 30_000) + strings.Repeat(")", 30_000), "regex"},
	} {
		crit, err := CompileCriterion("$response.body", c.condition, Type{Name: c.typ})
		if err != nil {
			t.Errorf("%.30q: %v", c.condition, err)
			continue
		}
		r := crit.Eval(Data{Response: &Response{Body: map[string]any{"a": "b"}, HasBody: true, Text: "<a><a/></a>"}})
		if len(r.Reason) > 1100 {
			t.Errorf("%.30q: the reason has %d bytes", c.condition, len(r.Reason))
		}
	}
}

func TestCriterionExpressions(t *testing.T) {
	tests := []struct {
		context, condition, typ string
		want                    []string
	}{
		{"", "$statusCode == 200 && ($inputs.a.b[0] < $response.body.x || !$inputs.a.b)", "", []string{"$statusCode", "$inputs.a.b", "$response.body", "$inputs.a.b"}},
		{"", "true", "", nil},
		{"$response.body", "$[?@.a == '{$inputs.a}' && @.b == {$steps.x.outputs.y#/0}]", "jsonpath", []string{"$response.body", "$inputs.a", "$steps.x.outputs.y#/0"}},
		{"$statusCode", "^2", "regex", []string{"$statusCode"}},
	}
	for _, tt := range tests {
		c, err := CompileCriterion(tt.context, tt.condition, Type{Name: tt.typ})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range c.Expressions() {
			got = append(got, e.Raw)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.condition, diff)
		}
	}
}

func TestResultTellsWhatItSaw(t *testing.T) {
	scope := testScope(t)
	c, err := CompileCriterion("", "$statusCode == 200 || $inputs.missing == 'x' || $response.body.items == $inputs.user", Type{})
	if err != nil {
		t.Fatal(err)
	}
	want := Result{
		Condition: "$statusCode == 200 || $inputs.missing == 'x' || $response.body.items == $inputs.user",
		Operands: []Operand{
			{Expression: "$statusCode", Value: number(201)},
			{Expression: "$inputs.missing", Missing: true},
			{Expression: "$response.body.items", Value: "(an array of 3)"},
			{Expression: "$inputs.user", Value: "Ada"},
		},
		Reason: "$statusCode == 200 is false: $statusCode is 201, and $inputs.missing has no value: the input missing was not given," +
			" and $response.body.items == $inputs.user is false: $response.body.items is an array and $inputs.user is a string",
	}
	if diff := cmp.Diff(want, c.Eval(scope)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReasonsHoldNoStrings(t *testing.T) {
	const secret = "hunter2-hunter2"
	scope := Data{Inputs: map[string]any{"s": secret, "o": map[string]any{secret: secret}}, Response: &Response{Body: secret, HasBody: true, Text: secret}}
	for _, c := range []struct{ context, condition, typ string }{
		{"", "$inputs.s == 'x'", ""}, {"", "!$inputs.s", ""}, {"", "$inputs.s > 5", ""}, {"", "$inputs.o.x.y == 1", ""}, {"", "$inputs.s.x == 1", ""},
		{"$inputs.s", "^x", "regex"}, {"$inputs.s", "^(({$inputs.s}", "regex"}, {"$inputs.s", "$.a", "jsonpath"}, {"$inputs.s", "$.{$inputs.s}", "jsonpath"},
		{"$inputs.s", "/a", "xpath"}, {"$response.body", "/a", "xpath"}, {"$inputs.s", "/a[{$inputs.s}(]", "xpath"}, {"$inputs.s", "/a[{$inputs.s}]", "xpath"},
	} {
		crit, err := CompileCriterion(c.context, c.condition, Type{Name: c.typ})
		if err != nil {
			t.Fatalf("%s: %v", c.condition, err)
		}
		r := crit.Eval(scope)
		if r.Pass || strings.Contains(r.Reason, secret) {
			t.Errorf("%s: pass %v, reason %q", c.condition, r.Pass, r.Reason)
		}
	}
}

func TestZeroValues(t *testing.T) {
	if r := (Criterion{}).Eval(Data{}); r.Pass || r.Reason == "" {
		t.Errorf("the zero Criterion: %+v", r)
	}
	if v, err := (Template{}).Eval(Data{}); v != "" || err != nil {
		t.Errorf("the zero Template: %v, %v", v, err)
	}
	if v, drop, err := (Value{}).Eval(Data{}, nil); v != nil || drop || err != nil {
		t.Errorf("the zero Value: %v, %v, %v", v, drop, err)
	}
	if v, ok := (Value{}).Static(); v != nil || !ok {
		t.Errorf("the zero Value is static: %v, %v", v, ok)
	}
}

// Compiled things are shared by all runs of a plan.
func TestConcurrentUse(t *testing.T) {
	var criteria []Criterion
	for _, c := range []struct{ context, condition, typ string }{
		{"", "$inputs.n >= 0 && $inputs.list[0].id == 1", ""},
		{"$inputs.text", "n{$inputs.n}$", "regex"},
		{"$inputs.list", "$[?@.id == 1 && {$inputs.n} >= 0]", "jsonpath"},
		{"$inputs.xml", "//b[position() = 2] = 2 and count(//b) = 2", "xpath"},
		{"$inputs.xml", "//b[. = 2 and {$inputs.n} > -1]", "xpath"},
	} {
		crit, err := CompileCriterion(c.context, c.condition, Type{Name: c.typ})
		if err != nil {
			t.Fatal(err)
		}
		criteria = append(criteria, crit)
	}
	sel, err := CompileSelector("$inputs.xml", "//b[{$inputs.one}]", Type{Name: "xpath"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				n := g*100 + i
				scope := Data{Inputs: map[string]any{
					"n": number(n), "one": number(1), "text": fmt.Sprintf("n%d", n), "xml": "<a><b>1</b><b>2</b></a>",
					"list": []any{map[string]any{"id": number(1)}}}}
				for _, c := range criteria {
					if r := c.Eval(scope); !r.Pass {
						t.Errorf("%s: %s", c, r.Reason)
					}
				}
				if v, err := sel.Eval(scope); v != "1" || err != nil {
					t.Errorf("selector: %v, %v", v, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestComparisonIsConsistent(t *testing.T) {
	values := []any{nil, true, false, number(0), number(1), number(-7), "", "1", "a", "A", "b", "ß", "K", "k", "ſ", "s", "10", "9", "İ", "i", []any{}, []any{number(1)}, map[string]any{}}
	for _, a := range values {
		for _, b := range values {
			if same(a, b) != same(b, a) {
				t.Errorf("same(%v, %v) is not symmetric", a, b)
			}
			order, ok := compare(a, b)
			back, okBack := compare(b, a)
			if ok != okBack || ok && (order < 0) != (back > 0) {
				t.Errorf("compare(%v, %v) = %d, back %d", a, b, order, back)
			}
			if ok && (order == 0) != same(a, b) {
				t.Errorf("compare(%v, %v) = %d, but same is %v", a, b, order, same(a, b))
			}
		}
		if !same(a, value.Clone(a)) {
			t.Errorf("%v does not equal itself", a)
		}
	}
}
