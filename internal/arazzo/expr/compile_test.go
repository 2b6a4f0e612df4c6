package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

func yamlValue(t testing.TB, text string) any {
	t.Helper()
	n, err := value.ParseYAML([]byte(text), "value.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return value.FromYAML(n)
}

func TestCompileEval(t *testing.T) {
	scope := testScope(t)
	optional := func(e Expression) bool { return strings.HasPrefix(e.Name, "opt") }
	tests := []struct{ name, value, want string }{
		{"scalars", "[1.10, true, null, text, '']", "[1.10, true, null, text, '']"},
		{"whole expressions keep their type", "{a: $inputs.big, b: $inputs.object, c: $inputs.nothing, d: [$inputs.yes]}",
			"{a: 9007199254740993, b: {a: {b: [x, 'y']}}, c: null, d: [true]}"},
		{"embedded expressions are text", "{a: 'n={$inputs.big}', b: '{$inputs.list}'}", "{a: n=9007199254740993, b: '[1,2,3]'}"},
		{"expressions in keys are text", "{$inputs.user: 1}", "{$inputs.user: 1}"},
		{"absent members and items are left out", "{a: $inputs.opt, b: [1, $inputs.opt, 2, $inputs.optional#/x], c: {d: $inputs.opt}}", "{b: [1, 2], c: {}}"},
		{"present optional values stay", "{a: $inputs.user}", "{a: Ada}"},
		{"selectors", "{a: {context: $response.body, selector: '$.items[0].id', type: jsonpath}}", "{a: 1}"},
		{"a selector with a version and an extension",
			"{a: {context: $steps.create.outputs.xml, selector: //no, type: {type: xpath, version: xpath-10}, x-note: n}}", "{a: '42'}"},
		{"a selector in an array", "[{context: $inputs.object, selector: /a/b/1, type: jsonpointer}]", "['y']"},
		{"a selector of an absent value", "{a: {context: $inputs.opt, selector: /a, type: jsonpointer}, b: 1}", "{b: 1}"},
		{"data that is no selector", "{a: {context: text, selector: x, type: y}}", "{a: {context: text, selector: x, type: y}}"},
		{"data with more keys than a selector", "{a: {context: $inputs.user, selector: x, type: y, more: 1}}", "{a: {context: Ada, selector: x, type: y, more: 1}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := Compile(yamlValue(t, tt.value), Options{Selectors: true})
			if err != nil {
				t.Fatal(err)
			}
			got, drop, err := v.Eval(scope, optional)
			if err != nil || drop {
				t.Fatalf("Eval: drop %v, error %v", drop, err)
			}
			if diff := cmp.Diff(yamlValue(t, tt.want), got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileWithoutSelectors(t *testing.T) {
	v, err := Compile(yamlValue(t, "{context: $inputs.user, selector: $.a, type: jsonpath}"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := v.Eval(testScope(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(yamlValue(t, "{context: Ada, selector: $.a, type: jsonpath}"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEvalDropsTheRoot(t *testing.T) {
	for _, text := range []string{"$inputs.opt", "{context: $inputs.opt, selector: /a, type: jsonpointer}"} {
		v, err := Compile(yamlValue(t, text), Options{Selectors: true})
		if err != nil {
			t.Fatal(err)
		}
		got, drop, err := v.Eval(Data{}, func(Expression) bool { return true })
		if got != nil || !drop || err != nil {
			t.Errorf("%s: Eval = %v, %v, %v; want it dropped", text, got, drop, err)
		}
	}
}

func TestEvalNamesTheLeaf(t *testing.T) {
	scope := testScope(t)
	tests := []struct{ value, pointer, expression string }{
		{"$inputs.missing", "", "$inputs.missing"},
		{"{a: [1, {b/c: $inputs.missing}]}", "/a/1/b~1c", "$inputs.missing"},
		{"{a: 'x {$inputs.missing}'}", "/a", "$inputs.missing"}, // also when absent: only whole leaves are left out
		{"{z: $inputs.zz, b: $inputs.missing}", "/b", "$inputs.missing"},
		{"{a: {context: $response.body, selector: $.nope, type: jsonpath}}", "/a", "$response.body"},
	}
	for _, tt := range tests {
		v, err := Compile(yamlValue(t, tt.value), Options{Selectors: true})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = v.Eval(scope, func(e Expression) bool { return e.Raw == "$response.body" })
		var leaf *LeafError
		var u *Unresolved
		if !errors.As(err, &leaf) || !errors.As(err, &u) {
			t.Fatalf("%s: %v; want a *LeafError around an *Unresolved", tt.value, err)
		}
		if leaf.Pointer.String() != tt.pointer || u.Expression.Raw != tt.expression {
			t.Errorf("%s: %s at %q; want %s at %q", tt.value, u.Expression, leaf.Pointer, tt.expression, tt.pointer)
		}
		if public := fault.Public(err); !strings.HasPrefix(public, tt.pointer) || !strings.Contains(public, u.Error()) {
			t.Errorf("%s: public text %q", tt.value, public)
		}
		if !strings.HasPrefix(err.Error(), tt.pointer) {
			t.Errorf("%s: error %q", tt.value, err)
		}
	}
}

func TestCompileReportsEveryMistake(t *testing.T) {
	_, err := Compile(yamlValue(t, "{a: '{$inputs}', b: [ok, {c: '{$response.body.x}'}], s: {context: $inputs.x, selector: $.a ==, type: jsonpath}, t: {context: $inputs.x, selector: $.a, type: 7}}"),
		Options{Selectors: true})
	var list *fault.List
	if !errors.As(err, &list) {
		t.Fatalf("Compile: %v, want a list", err)
	}
	var got []string
	for _, e := range list.Errors {
		var leaf *LeafError
		if !errors.As(e, &leaf) {
			t.Fatalf("%v is no *LeafError", e)
		}
		got = append(got, leaf.Pointer.String())
	}
	if diff := cmp.Diff([]string{"/a", "/b/1/c", "/s", "/t"}, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	for i, line := range strings.Split(fault.Public(err), "\n") {
		if !strings.HasPrefix(line, got[i]+": ") {
			t.Errorf("public line %q does not name %s", line, got[i])
		}
	}
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("kind %v", fault.KindOf(err))
	}
}

func TestEvalSharesNothing(t *testing.T) {
	scope := testScope(t)
	before := value.Clone(scope.Inputs)
	source := yamlValue(t, "{a: $inputs.object, b: {k: [fixed]}, c: [$inputs.list], d: {context: $inputs.object, selector: $.a, type: jsonpath}}")
	v, err := Compile(source, Options{Selectors: true})
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := v.Eval(scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := value.Clone(first)
	ruin(first)
	ruin(source)
	if static, ok := v.Static(); ok {
		t.Errorf("Static() = %v", static)
	}
	second, _, err := v.Eval(scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("changing a result changed the next one:\n%s", diff)
	}
	if diff := cmp.Diff(before, any(scope.Inputs)); diff != "" {
		t.Errorf("changing a result changed the scope:\n%s", diff)
	}
	o, err := CompileOutput("$inputs.object")
	if err != nil {
		t.Fatal(err)
	}
	out, err := o.Eval(scope)
	if err != nil {
		t.Fatal(err)
	}
	ruin(out)
	if diff := cmp.Diff(before, any(scope.Inputs)); diff != "" {
		t.Errorf("changing an output changed the scope:\n%s", diff)
	}
}

// ruin changes every structure in v.
func ruin(v any) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			ruin(v[i])
			v[i] = "ruined"
		}
	case map[string]any:
		for k := range v {
			ruin(v[k])
			v[k] = "ruined"
		}
	}
}

func TestStatic(t *testing.T) {
	tests := []struct {
		value  string
		static bool
	}{
		{"{a: [1, 'costs $5', '{$ref}'], b: null}", true},
		{"text", true},
		{"[]", true},
		{"$inputs.a", false},
		{"[['{$inputs.a}']]", false},
		{"{context: $inputs.x, selector: /a, type: jsonpointer}", false},
	}
	for _, tt := range tests {
		in := yamlValue(t, tt.value)
		v, err := Compile(in, Options{Selectors: true})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := v.Static()
		if ok != tt.static || ok && !cmp.Equal(got, in) {
			t.Errorf("%s: Static() = %v, %v", tt.value, got, ok)
		}
		if ok != (len(v.Expressions()) == 0) {
			t.Errorf("%s: static %v with expressions %v", tt.value, ok, v.Expressions())
		}
	}
}

func TestValueExpressions(t *testing.T) {
	v, err := Compile(yamlValue(t, "{b: $inputs.b, a: ['{$inputs.a} {$steps.x.outputs.y}'], c: {context: $response.body, selector: '$[{$inputs.n}]', type: jsonpath}}"), Options{Selectors: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range v.Expressions() {
		got = append(got, e.Raw)
	}
	if diff := cmp.Diff([]string{"$inputs.a", "$steps.x.outputs.y", "$inputs.b", "$response.body", "$inputs.n"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOutputs(t *testing.T) {
	scope := testScope(t)
	tests := []struct {
		output, want string
		expressions  int
	}{
		{"$response.body#/items/0", "{id: 1, name: One, tags: [x]}", 1},
		{"$statusCode", "201", 1},
		{"'user {$inputs.user} of {$method}'", "user Ada of POST", 2},
		{"plain", "plain", 0},
		{"''", "''", 0},
		{"{context: $response.body, selector: '$.items[*].name', type: jsonpath}", "[One, Two, \"it's \\\"q\\\"\"]", 1},
		{"{context: $response.body, selector: /count, type: {type: jsonpointer, version: rfc6901}}", "3", 1},
	}
	for _, tt := range tests {
		o, err := CompileOutput(yamlValue(t, tt.output))
		if err != nil {
			t.Fatalf("%s: %v", tt.output, err)
		}
		got, err := o.Eval(scope)
		if err != nil {
			t.Fatalf("%s: %v", tt.output, err)
		}
		if diff := cmp.Diff(yamlValue(t, tt.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.output, diff)
		}
		if n := len(o.Expressions()); n != tt.expressions {
			t.Errorf("%s has %d expressions, want %d", tt.output, n, tt.expressions)
		}
	}
	for _, text := range []string{"$inputs.missing", "'{$inputs.missing}'", "{context: $inputs.missing, selector: /a, type: jsonpointer}", "{context: $response.body, selector: $.no, type: jsonpath}"} {
		o, err := CompileOutput(yamlValue(t, text))
		if err != nil {
			t.Fatal(err)
		}
		var u *Unresolved
		if v, err := o.Eval(scope); !errors.As(err, &u) {
			t.Errorf("%s: Eval = %v, %v; want *Unresolved", text, v, err)
		}
	}
	for _, text := range []string{"'{$inputs}'", "7", "[$inputs.a]", "null", "{context: $inputs.x}", "{context: $inputs.x, selector: $.a}", "{selector: $.a, type: jsonpath}",
		"{context: $inputs.x, selector: $.a, type: {type: jsonpath}}", "{context: $inputs.x, selector: 5, type: jsonpath}", "{context: $inputs.x, selector: $.a, type: regex}"} {
		if o, err := CompileOutput(yamlValue(t, text)); !fault.Is(err, fault.Invalid) {
			t.Errorf("CompileOutput(%s) = %+v, %v; want an Invalid error", text, o, err)
		}
	}
}

func TestKeys(t *testing.T) {
	for text, want := range map[string]map[string]bool{
		"{a: 1, b: {c: 2}}":       {"a": true, "b": true},
		"{a: $inputs.x, b: text}": {"a": true, "b": true},
		"{}":                      {},
		"[a]":                     nil,
		"$inputs.x":               nil,
		"{context: $url, selector: /a, type: jsonpointer}": nil,
	} {
		v, err := Compile(yamlValue(t, text), Options{Selectors: true})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := v.Keys()
		if ok != (want != nil) || ok && !cmp.Equal(want, got) {
			t.Errorf("%s: Keys() = %v, %v; want %v", text, got, ok, want)
		}
	}
}

func TestStatus(t *testing.T) {
	for condition, want := range map[string]int{
		"$statusCode == 200": 200, " $statusCode==404 ": 404, "$statusCode == 200 || $statusCode == 201": 0, "$statusCode != 200": 0,
		"$statusCode == 2000": 0, "200 == $statusCode": 0,
	} {
		c, err := CompileCriterion("", condition, Type{})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Status(); got != want || ok != (want != 0) {
			t.Errorf("%s: Status() = %d, %v; want %d", condition, got, ok, want)
		}
	}
}

func TestFindBare(t *testing.T) {
	known := map[string]bool{
		"$inputs.token": true, "$inputs.first.name": true, "$inputs.a-b": true, "$steps.find.outputs.id": true, "$steps.find.outputs.id-2": true,
	}
	tests := []struct {
		text string
		want []string // the text of each span
	}{
		{"SSWS $inputs.token", []string{"$inputs.token"}},
		{"Bearer $inputs.token.", []string{"$inputs.token"}},
		{"Bearer $inputs.token-suffix", []string{"$inputs.token"}},
		{"Hello $inputs.first.name.x!", []string{"$inputs.first.name"}},
		{"$inputs.a-b-c $inputs.a-x-", []string{"$inputs.a-b", "$inputs.a-x"}},
		{`userName eq "$inputs.token"`, []string{"$inputs.token"}},
		{"email eq '$inputs.unknown.name' and x", []string{"$inputs.unknown.name"}},
		{"heads/$inputs.token/x", []string{"$inputs.token"}},
		{"$inputs.token $inputs.token", []string{"$inputs.token", "$inputs.token"}},
		{"$inputs.token$inputs.a-b", []string{"$inputs.token", "$inputs.a-b"}},
		{"id=$steps.find.outputs.id-2-3&x", []string{"$steps.find.outputs.id-2"}},
		{"id: $steps.other.outputs.x.", []string{"$steps.other.outputs.x"}},
		{"see $response.body, please", []string{"$response.body"}},
		{"see $response.body#/items/0/id.", []string{"$response.body#/items/0/id"}},
		{"see $inputs.token#/a/b)", []string{"$inputs.token#/a/b"}},
		{"loc $response.header.Location;", []string{"$response.header.Location"}},
		{"q $request.query.page-1 p", []string{"$request.query.page-1"}},
		{"status $statusCode.", []string{"$statusCode"}},
		{"$sourceDescriptions.api.url#/paths/~1users is text", nil}, // one whole expression
		{"{ $inputs.token }", []string{"$inputs.token"}},
		{"{$inputs.token} and $inputs.a-b", []string{"$inputs.a-b"}},
		{"{$inputs.token", []string{"$inputs.token"}},
		{"$inputs.token", nil},
		{"{$inputs.token}", nil},
		{"costs $5, $ref, $inputs, $inputs. and $self or $url or $method", nil},
		{"$components.parameters.x is none", nil},
		{"$statusCodes x", nil},
		{"$$inputs.token x", []string{"$inputs.token"}},
		{"größe $inputs.tokené", []string{"$inputs.token"}},
		{"", nil},
	}
	for _, tt := range tests {
		var got []string
		for _, s := range FindBare(tt.text, func(name string) bool { return known[name] }) {
			got = append(got, tt.text[s.Start:s.End])
			if s.Expr.Raw != tt.text[s.Start:s.End] {
				t.Errorf("%q: span %q has the expression %q", tt.text, tt.text[s.Start:s.End], s.Expr.Raw)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("FindBare(%q) (-want +got):\n%s", tt.text, diff)
		}
	}
	// Names of very many parts must not cost the square of their length.
	long := "x $inputs." + strings.Repeat("a.", 1_000_000) + "a"
	if got := FindBare(long, func(name string) bool { return name == "$inputs.a.a" }); len(got) != 1 || got[0].Expr.Name != "a.a" {
		t.Errorf("FindBare of a long name finds %d", len(got))
	}
	if v, err := Resolve(Expression{Root: RootInputs, Name: long}, Data{Inputs: map[string]any{"a": "b"}}); err == nil {
		t.Errorf("a long name is %v", v)
	}
	if got := FindBare("a $inputs.b.c", nil); len(got) != 1 || got[0].Expr.Name != "b.c" {
		t.Errorf("FindBare without known names: %v", got)
	}
}
