package arazzo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/value"
)

// noNames declares nothing.
type noNames struct{}

func (noNames) declares(expr.Expression) bool { return false }
func (noNames) knows(string) bool             { return false }

// someNames declares the names in it.
type someNames map[string]bool

func (n someNames) declares(e expr.Expression) bool { return n[string(e.Root)+"."+e.Name] }
func (n someNames) knows(name string) bool          { return n[name] }

func rewrite(t *testing.T, context, condition, typ string, n names) rewriting {
	t.Helper()
	c := &Criterion{Context: Str{Value: context}, Condition: Str{Value: condition}, Type: ExprType{Type: typ}}
	return rewriteCriterion(c, n)
}

func TestRewriteComparison(t *testing.T) {
	declared := someNames{"$inputs.email": true, "$inputs.dryRun": true, "$inputs.limit": true}
	for _, test := range []struct{ context, condition, want string }{
		// The forms of the corpus.
		{"$response.body", "$.length > 0", "jsonpath $[0]"},
		{"$response.body", "$.length >= 2", "jsonpath $[1]"},
		{"$response.body", "$.length == 1", "jsonpath $[?length($) == 1 && $[0]]"},
		{"$response.body", "$.length != 0", "jsonpath $[0]"},
		{"$response.body", "$.length == 0", "simple $response.body != null && $response.body#/0 == null"},
		{"$response.body", "$.length < 3", "simple $response.body != null && $response.body#/2 == null"},
		{"$response.body", "$.length <= 3", "simple $response.body != null && $response.body#/3 == null"},
		{"$response.body", "$.ok == true", "jsonpath $[?$.ok == true]"},
		{"$response.body", "$.a == 'x' || $.b == \"y\"", "jsonpath $[?$.a == 'x' || $.b == 'y']"},
		{"$response.body", "$.a.b != null", "jsonpath $[?$.a.b != null && $.a.b]"},
		{"$response.body", "$.a == 1 && $.b != null", "jsonpath $[?$.a == 1 && $.b != null && $.b]"},
		{"$response.body", "$.items.length >= 2", "jsonpath $[?length($.items) >= 2]"},
		{"$response.body", "$.items.length != 2", "jsonpath $[?length($.items) < 2 || length($.items) > 2]"},
		{"$response.body", "$.items.length != 2 && $.ok == true", "jsonpath $[?(length($.items) < 2 || length($.items) > 2) && $.ok == true]"},
		{"$response.body", "$.items.length == 0", "jsonpath $[?length($.items) == 0]"},
		{"$response.body", "$.a == null", "simple $response.body != null && $response.body#/a == null"},
		{"$response.body", "$.status != 'done'", "simple $response.body != null && ($response.body#/status == null || $response.body#/status != 'done')"},
		{"$response.body", "($.a == 1 || $.b == 2) && $.c == 3", "jsonpath $[?($.a == 1 || $.b == 2) && $.c == 3]"},
		// Names that need brackets, indexes, quotes.
		{"$response.body", "$.content-type == 'x'", "jsonpath $[?$['content-type'] == 'x']"},
		{"$response.body", "$['a b'] == 'it\\'s'", "jsonpath $[?$['a b'] == 'it\\'s']"},
		{"$response.body", "$[0].id == 7", "jsonpath $[?$[0].id == 7]"},
		{"$response.body", "$.status == active", "jsonpath $[?$.status == 'active']"},
		// One atom that a filter cannot say takes all to the simple form.
		{"$response.body", "$.a == 'x' || $.next == null", "simple $response.body != null && ($response.body#/a == 'x' || $response.body#/next == null)"},
		{"$response.body", "$.length > 2 && $.length != 5",
			"simple $response.body#/2 != null && $response.body != null && ($response.body#/4 == null || $response.body#/5 != null)"},
		// Other contexts.
		{"$response.body#/data", "$.length == 0", "simple $response.body#/data != null && $response.body#/data/0 == null"},
		{"$steps.find.outputs.users", "$.length == 0", "simple $steps.find.outputs.users != null && $steps.find.outputs.users#/0 == null"},
		// Expressions as literals.
		{"$response.body", "$.email == '$inputs.email'", "jsonpath $[?$.email == '{$inputs.email}']"},
		{"$response.body", "$.email == $inputs.email", "simple $response.body#/email == $inputs.email"},
		{"$response.body", "$.a == null && $.email == '$inputs.email'", "simple $response.body != null && $response.body#/a == null && $response.body#/email == $inputs.email"},
		{"$response.body", "$.q == 'a $inputs.email'", "jsonpath $[?$.q == 'a {$inputs.email}']"},
		// The inputs as a whole.
		{"$inputs", "$.dryRun == true", "simple($inputs.dryRun) $inputs.dryRun == true"},
		{"$inputs", "$.dryRun != true && $.limit > 3", "simple($inputs.dryRun) ($inputs.dryRun == null || $inputs.dryRun != true) && $inputs.limit > 3"},
		{"$inputs", "$.email == null", "simple($inputs.email) $inputs.email == null"},
		// A real path in quotes that lacks braces.
		{"$response.body", "$.data[?(@.email == '$inputs.email')]", "jsonpath $.data[?(@.email == '{$inputs.email}')]"},
		// Not comparisons, or ones that mean nothing.
		{"$response.body", "$.items", ""},
		{"$response.body", "$[?@.a == 1]", ""},
		{"$response.body", "$..a == 1", ""},
		{"$response.body", "$.a = 1", ""},
		{"$response.body", "$.a === 1", ""},
		{"$response.body", "$.length > 'x'", "stuck"},
		{"$response.body", "$.a > null", "stuck"},
		{"$statusCode", "$.a == null", "stuck"},
		{"$inputs", "$.length > 0", "stuck"},
	} {
		t.Run(test.condition, func(t *testing.T) {
			r := rewrite(t, test.context, test.condition, "jsonpath", declared)
			got := ""
			switch {
			case r.stuck != "":
				got = "stuck"
			case len(r.found) > 0:
				got = r.typ.Name
				if r.context != test.context {
					got += "(" + r.context + ")"
				}
				got += " " + r.condition
			}
			if got != test.want {
				t.Errorf("rewriting %q of %s\n got %s\nwant %s", test.condition, test.context, got, test.want)
			}
		})
	}
}

func TestRewriteSimple(t *testing.T) {
	for _, test := range []struct{ condition, want, codes string }{
		{`$statusCode == 200`, `$statusCode == 200`, ""},
		{`$response.body#/s == "active"`, `$response.body#/s == 'active'`, "double-quoted-string"},
		{`$response.body#/s == "it's"`, `$response.body#/s == 'it''s'`, "double-quoted-string"},
		{`$response.body#/s == "a \"b\""`, `$response.body#/s == 'a "b"'`, "double-quoted-string"},
		{`$response.body#/s == completed`, `$response.body#/s == 'completed'`, "bare-word"},
		{`$response.body#/s == "a" || $response.body#/s == b`, `$response.body#/s == 'a' || $response.body#/s == 'b'`, "double-quoted-string bare-word"},
		{`$response.body#/s == True`, `$response.body#/s == true`, "bare-word"},
		{`{$statusCode} == 200`, `$statusCode == 200`, "bad-condition"},
		{`$statusCode = 200`, `$statusCode = 200`, ""},
	} {
		r := rewrite(t, "", test.condition, "", noNames{})
		var codes []string
		for _, f := range r.found {
			codes = append(codes, f.code)
		}
		if r.condition != test.want || strings.Join(codes, " ") != test.codes {
			t.Errorf("rewriting %s\n got %s %v\nwant %s [%s]", test.condition, r.condition, codes, test.want, test.codes)
		}
	}
}

// The property: a rewritten criterion passes exactly when the comparison, read
// directly, holds. The comparison is made up here together with its meaning,
// so that neither the parser nor the writer is trusted.

// meaning is a comparison as text and what it means of a body.
type meaning struct {
	text string
	of   func(body any) bool
	root bool // compares the length of the root
}

// generator makes comparisons and bodies.
type generator struct{ *rand.Rand }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) comparison(depth int) meaning {
	if depth > 0 && g.IntN(3) == 0 {
		a, b := g.comparison(depth-1), g.comparison(depth-1)
		root := a.root || b.root
		if g.IntN(2) == 0 {
			return meaning{"(" + a.text + ") && (" + b.text + ")", func(v any) bool { return a.of(v) && b.of(v) }, root}
		}
		return meaning{"(" + a.text + ") || (" + b.text + ")", func(v any) bool { return a.of(v) || b.of(v) }, root}
	}
	op := pick(g, "==", "!=", "<", "<=", ">", ">=")
	if g.IntN(3) == 0 {
		return g.lengthComparison(op)
	}
	path := pick(g, []string{"a"}, []string{"b", "c"}, []string{"0", "a"}, []string{"s"}, []string{"items", "1"})
	text := "$"
	for _, token := range path {
		if _, err := strconv.Atoi(token); err == nil {
			text += "[" + token + "]"
		} else {
			text += "." + token
		}
	}
	literal, source := g.literal()
	if _, ordered := literal.(json.Number); !ordered && op != "==" && op != "!=" {
		op = pick(g, "==", "!=")
	}
	return meaning{text: text + " " + op + " " + source, of: func(body any) bool {
		v, _ := value.Pointer(path).Get(body) // a missing path equals null
		switch op {
		case "==":
			return value.Equal(v, literal)
		case "!=":
			return !value.Equal(v, literal)
		}
		n, ok := v.(json.Number)
		return ok && holds(op, value.CompareNumbers(n, literal.(json.Number)))
	}}
}

func (g generator) lengthComparison(op string) meaning {
	n := g.IntN(4)
	if op == "<" && n == 0 {
		n = 1 // never true, and refused
	}
	path := pick(g, []string{}, []string{"items"})
	text := "$"
	if len(path) > 0 {
		text = "$.items"
	}
	return meaning{text: fmt.Sprintf("%s.length %s %d", text, op, n), root: len(path) == 0, of: func(body any) bool {
		v, _ := value.Pointer(path).Get(body)
		list, ok := v.([]any)
		if !ok {
			return false // no length: false, whatever the operator
		}
		return holds(op, len(list)-n) || op == "==" && len(list) == n || op == "!=" && len(list) != n
	}}
}

func holds(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return false
}

func (g generator) literal() (any, string) {
	switch g.IntN(6) {
	case 0:
		return nil, "null"
	case 1:
		return true, "true"
	case 2:
		return false, "false"
	case 3:
		n := g.IntN(3)
		return json.Number(strconv.Itoa(n)), strconv.Itoa(n)
	}
	return "x", pick(g, "'x'", `"x"`)
}

// body makes a value with the members that the comparisons ask for. Items of
// lists are never null: a simple condition cannot tell them from missing ones.
func (g generator) body(depth int) any {
	switch g.IntN(6) {
	case 0:
		return pick[any](g, nil, true, false, "x", json.Number("1"))
	case 1, 2:
		out := make([]any, g.IntN(4))
		for i := range out {
			if out[i] = g.body(depth - 1); out[i] == nil {
				out[i] = true
			}
		}
		return out
	}
	out := map[string]any{}
	for _, name := range []string{"a", "b", "c", "s"} {
		if g.IntN(2) == 0 {
			out[name] = pick[any](g, nil, true, false, "x", "y", json.Number("0"), json.Number("1"), json.Number("2"))
		}
	}
	if depth > 0 && g.IntN(2) == 0 {
		out["b"] = g.body(depth - 1)
	}
	if g.IntN(2) == 0 {
		items := make([]any, g.IntN(4))
		for i := range items {
			items[i] = pick[any](g, true, "x", json.Number("1"))
		}
		out["items"] = items
	}
	return out
}

func TestRewrittenComparisonMeansTheSame(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	fixed := []any{nil, []any{}, map[string]any{}, []any{true}, map[string]any{"a": nil}, map[string]any{"items": []any{}}, "x", json.Number("0"), false}
	passes, fails := 0, 0
	for range 4000 {
		m := g.comparison(2)
		r := rewrite(t, "$response.body", m.text, "jsonpath", noNames{})
		if r.stuck != "" || len(r.found) == 0 {
			t.Fatalf("%s was not rewritten: %q", m.text, r.stuck)
		}
		compiled, err := expr.CompileCriterion(r.context, r.condition, r.typ)
		if err != nil {
			t.Fatalf("%s became %s: %v", m.text, r.condition, err)
		}
		bodies := fixed
		for range 12 {
			bodies = append(bodies[:len(bodies):len(bodies)], g.body(2))
		}
		for _, body := range bodies {
			if _, isList := body.([]any); m.root && r.typ.Name == "simple" && !isList && body != nil {
				continue // a simple condition takes what has no items for empty
			}
			want := body != nil && m.of(body) // a null context fails (N48)
			got := compiled.Eval(expr.Data{Response: &expr.Response{Status: 200, Body: body, HasBody: true}})
			if got.Pass != want {
				text, _ := value.Encode(body)
				t.Fatalf("%s\nbecame %s %s\nof %s it gives %v, want %v (%s)", m.text, r.typ.Name, r.condition, text, got.Pass, want, got.Reason)
			}
			if want {
				passes++
			} else {
				fails++
			}
		}
	}
	if passes < 5000 || fails < 5000 {
		t.Errorf("the bodies are lopsided: %d pass, %d fail", passes, fails)
	}
}

func FuzzRewriteCriterion(f *testing.F) {
	f.Add("$response.body", "$.length > 0 && $.a == 'x'", "jsonpath")
	f.Add("$inputs", "$.a.length != 3 || ($.b >= \"q\")", "jsonpath")
	f.Add("", `$statusCode == "200" && $response.body#/a != b`, "")
	f.Add("$response.body", "^$inputs.email$", "regex")
	f.Fuzz(func(t *testing.T, context, condition, typ string) {
		declared := someNames{"$inputs.email": true, "$inputs.a": true}
		r := rewrite(t, context, condition, typ, declared)
		if len(r.found) == 0 || r.stuck != "" {
			return
		}
		again := rewrite(t, r.context, r.condition, r.typ.Name, declared)
		if len(again.found) > 0 && again.condition != r.condition {
			third := rewrite(t, again.context, again.condition, again.typ.Name, declared)
			if third.condition != again.condition {
				t.Errorf("%q %q %q keeps changing: %q, %q, %q", context, condition, typ, r.condition, again.condition, third.condition)
			}
		}
	})
}
