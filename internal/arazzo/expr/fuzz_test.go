package expr

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/value"
)

func fuzzScope() Data {
	body := map[string]any{"a": []any{number(1), "x", nil, map[string]any{"b": true}}, "s": "text"}
	return Data{
		Inputs: map[string]any{"a": "x'\"\\", "n": number(5), "o": body}, Steps: map[string]map[string]any{"s": {"o": body}},
		Request:  &Request{URL: "u", Method: "GET"},
		Response: &Response{Status: 200, Header: map[string][]string{"H": {"v"}}, Body: body, HasBody: true, Text: "<a b='c'><d>1</d></a>"},
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"$url", "$inputs.a#/b", "$steps.s.outputs.o#/a/0", "$response.header.X-A", `$request.query.a\u0041`, "$sourceDescriptions.a.b c", "$components.parameters.x"} {
		f.Add(s)
	}
	scope := fuzzScope()
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(s) {
				t.Fatalf("Parse(%q): %#v", s, err)
			}
			return
		}
		if e.Raw != s || !LooksLikeExpression(s) || strings.ContainsAny(s, "{}") {
			t.Fatalf("Parse(%q) = %+v", s, e)
		}
		if _, err := Resolve(e, scope); err != nil && err.Error() == "" {
			t.Fatal("an error without a message")
		}
		// What is an expression alone is one in braces.
		tmpl, err := ParseTemplate("<{" + s + "}>")
		if err != nil || len(tmpl.Expressions()) != 1 || tmpl.Expressions()[0].Raw != s {
			t.Fatalf("ParseTemplate(<{%s}>) = %+v, %v", s, tmpl, err)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"", "a {$inputs.a} b", `x eq "{$inputs.n}" '{$url}'`, "{{$inputs.a}}", "{$inputs", "it's {$inputs.a}'s", "SSWS $inputs.a", `"\"{$inputs.a}"`} {
		f.Add(s)
	}
	scope := fuzzScope()
	f.Fuzz(func(t *testing.T, s string) {
		tmpl, err := ParseTemplate(s)
		spans := FindBare(s, func(name string) bool { return name == "$inputs.a" })
		for i, span := range spans {
			if span.Start >= span.End || span.Expr.Raw != s[span.Start:span.End] || i > 0 && span.Start < spans[i-1].End {
				t.Fatalf("FindBare(%q) = %v", s, spans)
			}
		}
		if err != nil {
			return
		}
		var joined strings.Builder
		for _, p := range tmpl.parts {
			if s[p.offset:p.offset+len(p.text)] != p.text {
				t.Fatalf("%q: part %q is not at %d", s, p.text, p.offset)
			}
			joined.WriteString(p.text)
		}
		if joined.String() != s {
			t.Fatalf("the parts of %q are %q", s, joined.String())
		}
		for _, q := range tmpl.QuotedExpressions() {
			if q.Quote != '"' && q.Quote != '\'' {
				t.Fatalf("quote %q", q.Quote)
			}
		}
		got, err := tmpl.Eval(scope)
		if literal, ok := tmpl.Literal(); ok && (err != nil || got != literal || literal != s) {
			t.Fatalf("the literal %q gives %v, %v", s, got, err)
		}
	})
}

func FuzzCondition(f *testing.F) {
	types := []string{"", "regex", "jsonpath", "xpath"}
	seeds := []string{"$statusCode == 200 && !($inputs.a != 'x''y' || $response.body.a[0]['k'] >= -1.5e3)", `^(a|b)+\d{2}$`, "$.a[?@.b == '{$inputs.a}']", "//a[@b = \"{$inputs.n}\"] and count(/*) > 0",
		`$inputs.a == "x"`, "{$url} == a", "$request.query.a.b[0] == 1", "-1 * (2 + 3) = . | ../b:c/text()", "$[", "'"}
	for i, s := range seeds {
		f.Add(s, byte(i))
	}
	scope := fuzzScope()
	f.Fuzz(func(t *testing.T, s string, kind byte) {
		if len(s) > 2000 {
			return
		}
		c, err := CompileCriterion("$response.body", s, Type{Name: types[int(kind)%len(types)]})
		if err != nil {
			var ce *ConditionError
			if !errors.As(err, &ce) || ce.Msg == "" || ce.Offset < 0 || ce.Offset > len(s) || !strings.HasPrefix(s[ce.Offset:], ce.Text) {
				t.Fatalf("%q: %#v", s, err)
			}
			return
		}
		r := c.Eval(scope)
		if r.Pass == (r.Reason != "") {
			t.Fatalf("%q: %+v", s, r)
		}
		if again := c.Eval(scope); again.Pass != r.Pass && !strings.Contains(r.Reason+again.Reason, "took longer") {
			t.Fatalf("%q: %+v, then %+v", s, r, again)
		}
		if utf8.ValidString(s) && !utf8.ValidString(r.Reason) {
			t.Fatalf("the reason is not UTF-8: %q", r.Reason)
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add(`{"a":["$inputs.a","{$inputs.n}"],"b":{"context":"$response.body","selector":"$.a","type":"jsonpath"}}`)
	f.Add(`"$inputs.opt"`)
	f.Add(`[{"context":"$inputs.o","selector":"/a","type":{"type":"jsonpointer","version":"rfc6901"}}]`)
	scope := fuzzScope()
	f.Fuzz(func(t *testing.T, s string) {
		in, err := value.Decode([]byte(s))
		if err != nil {
			return
		}
		v, err := Compile(in, Options{Selectors: true})
		if err != nil {
			return
		}
		got, drop, err := v.Eval(scope, func(e Expression) bool { return e.Name == "opt" })
		if static, ok := v.Static(); ok && (err != nil || drop || !value.Equal(static, in) || !value.Equal(got, in)) {
			t.Fatalf("the static value %s gives %v, %v, %v", s, got, drop, err)
		}
	})
}
