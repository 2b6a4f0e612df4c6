package shape_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/shape"
	"github.com/lanyard-id/lanyard/internal/value"
)

var variables = []shape.Variable{{Name: "inputs", Levels: 1}, {Name: "steps", Levels: 3}, {Name: "items"}}

// data is what the variables hold.
const data = `{
	"inputs": {"domain": "example.com", "n": 3, "big": 12345678901234567890123, "long": 0.1000000000000000055511151231257827021181583404541015625,
		"price": 1.5, "none": null, "hired": "2026-01-31T00:00:00.000Z"},
	"steps": {"read-rows": {"outputs": {"rows": [1, 2]}}},
	"items": [
		{"id": "7", "active": true, "mail": "ADA@example.com", "last": "Lovelace", "roles": ["b", "a"]},
		{"id": "8", "active": false, "mail": "bob@example.com", "last": "Byron", "roles": []},
		{"id": "9", "active": true, "mail": "cyd@example.com", "last": "Cole", "roles": ["c"], "z": 1, "a": 2}
	]
}`

func decode(t *testing.T, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("Decode(%s): %v", text, err)
	}
	return v
}

func TestEval(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{`items.filter(i, i.active).map(i, i.id)`, `["7","9"]`},
		{`items.filter(i, i.active).map(i, {"externalId": i.id, "profile": {"email": i.mail.lowerAscii(), "lastName": i.last}})`,
			`[{"externalId":"7","profile":{"email":"ada@example.com","lastName":"Lovelace"}},{"externalId":"9","profile":{"email":"cyd@example.com","lastName":"Cole"}}]`},
		{`chunk(items.map(i, i.id), 2)`, `[["7","8"],["9"]]`},
		{`[1, 2, 3, 4].chunk(2)`, `[[1,2],[3,4]]`},
		{`chunk([], 200)`, `[]`},
		{`items.map(i, i.mail).join(", ")`, `"ADA@example.com, bob@example.com, cyd@example.com"`},
		{`items.sortBy(i, i.last).map(i, i.id)`, `["8","9","7"]`},
		{`items.exists(i, i.id == "8") && items.all(i, has(i.mail)) && size(items) == 3`, `true`},
		{`items.map(i, has(i.z) ? i.z : 0)`, `[0,0,1]`},
		{`items.map(i, i.roles).flatten().sort()`, `["a","b","c"]`},
		{`items[2].map(k, k)`, `["a","active","id","last","mail","roles","z"]`},
		{`{"b": 1, "a": 2}.map(k, k)`, `["a","b"]`},
		{`steps["read-rows"].outputs.rows`, `[1,2]`},
		{`inputs.big`, `12345678901234567890123`},
		{`[inputs.long, inputs.price]`, `[0.1000000000000000055511151231257827021181583404541015625,1.5]`},
		{`inputs.big > inputs.n && inputs.big == inputs.big && inputs.big != 5`, `true`},
		{`inputs.n + 1`, `4`},
		{`double(inputs.n) * inputs.price`, `4.5`},
		{`inputs.none == null`, `true`},
		{`inputs`, ``},
		{`String.toUpperCase(inputs.domain)`, `"EXAMPLE.COM"`},
		{`String.join("-", "a", "b", "c")`, `"a-b-c"`},
		{`String.len("Zoë") == 3 && String.startsWith(inputs.domain, "ex")`, `true`},
		{`String.substringBefore("ada@example.com", "@")`, `"ada"`},
		{`Arrays.flatten(1, [2, 3])`, `[1,2,3]`},
		{`Convert.toInt("42") + 1`, `43`},
		{`Time.fromIso8601ToUnix(inputs.hired)`, `"1769817600"`},
		{`timestamp(inputs.hired).getFullYear()`, `2026`},
		{`timestamp(inputs.hired) + duration("24h")`, `"2026-02-01T00:00:00Z"`},
		{`cel.bind(x, inputs.n, x + x)`, `6`},
		{`base64.encode(bytes("a"))`, `"YQ=="`},
		{`inputs.domain.matches("^ex.*m$")`, `true`},
		{`math.greatest([1, 5, 2])`, `5`},
		{`1.0 / 3.0`, `0.3333333333333333`},
	} {
		e, err := shape.Compile(test.text, variables)
		if err != nil {
			t.Errorf("Compile(%s): %v", test.text, err)
			continue
		}
		want := test.want
		vars := decode(t, data).(map[string]any)
		if want == "" {
			raw, err := value.Encode(vars["inputs"])
			if err != nil {
				t.Fatal(err)
			}
			want = string(raw)
		}
		for range 3 {
			got, err := e.Eval(vars)
			if err != nil {
				t.Errorf("%s: %v", test.text, err)
				break
			}
			raw, err := value.Encode(got)
			if err != nil || string(raw) != want {
				t.Errorf("%s = %s (%v), want %s", test.text, raw, err, want)
			}
		}
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text         string
		line, column int
		want         string
	}{
		{`items.filter(i, i.active`, 1, 25, "Syntax error"},
		{`itens.filter(i, i.active)`, 1, 1, "there is no variable or function itens"},
		{"items\n  .map(i, j.id)", 2, 11, "there is no variable or function j"},
		{`String.upper("a")`, 1, 1, "String"},
		{`now()`, 1, 4, "there is no variable or function now"},
		{`1 + "a"`, 1, 3, "no matching overload"},
		{`items.filter(i, "yes")`, 1, 13, ""},
		{`String.len(items) + "a"`, 1, 19, "no matching overload"},
		{strings.Repeat(" ", 17<<10), 1, 1, "longer than"},
	} {
		_, err := shape.Compile(test.text, variables)
		var at *shape.Error
		if !errors.As(err, &at) {
			t.Errorf("Compile(%.40s) = %v, want an Error", test.text, err)
			continue
		}
		if at.Line != test.line || at.Column != test.column || !strings.Contains(at.Msg, test.want) {
			t.Errorf("Compile(%.40s) = %d:%d %s, want %d:%d %s", test.text, at.Line, at.Column, at.Msg, test.line, test.column, test.want)
		}
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("Compile(%.40s) is %s, want invalid", test.text, fault.KindOf(err))
		}
	}
}

func TestEvalErrors(t *testing.T) {
	t.Parallel()
	numbers := make([]any, 1000)
	for i := range numbers {
		numbers[i] = decode(t, fmt.Sprint(i))
	}
	for _, test := range []struct {
		text string
		kind fault.Kind
		want string
	}{
		{`inputs.nobody`, fault.Invalid, "no such key: nobody"},
		{`inputs.big + 1`, fault.Invalid, "no such overload"},
		{`inputs.n / 0`, fault.Invalid, "division by zero"},
		{`9223372036854775807 + inputs.n`, fault.Invalid, "overflow"},
		{`1.0 / 0.0`, fault.Invalid, "no number"},
		{`{1: "a"}`, fault.Invalid, "must be a text"},
		{`b"abc"`, fault.Invalid, "bytes"},
		{`chunk([1], inputs.n - 3)`, fault.Invalid, "at least 1"},
		{`String.substring("abc", "x")`, fault.Invalid, "whole number"},
		{`items.map(a, items.map(b, items.map(c, items.map(d, 1))))`, fault.TooLarge, "steps"},
		{`items.map(a, items.map(b, items.map(c, chunk(items, 1))))`, fault.TooLarge, "steps"},
		{`items.all(a, items.all(b, true))`, fault.TooLarge, "steps"},
		{`items.exists(a, items.exists(b, 1000 in items))`, fault.TooLarge, "steps"},
		{`lists.range(1000).map(a, lists.range(1000)).size()`, fault.TooLarge, "steps"},
		{`cel.bind(a, "0123456789abcdef", cel.bind(b, a+a+a+a+a+a+a+a+a+a, cel.bind(c, b+b+b+b+b+b+b+b+b+b, cel.bind(d, c+c+c+c+c+c+c+c+c, d+d+d+d+d+d+d+d+d+d+d+d))))`, fault.TooLarge, "steps"},
	} {
		e, err := shape.Compile(test.text, variables)
		if err != nil {
			t.Errorf("Compile(%s): %v", test.text, err)
			continue
		}
		e.SetLimit(100_000)
		vars := decode(t, data).(map[string]any)
		vars["items"] = numbers
		_, err = e.Eval(vars)
		if fault.KindOf(err) != test.kind || !strings.Contains(fault.Public(err), test.want) {
			t.Errorf("%s: %v, want %s %s", test.text, err, test.kind, test.want)
		}
	}
}

// A result that would not fit is refused although making it costs little.
func TestResultIsBounded(t *testing.T) {
	t.Parallel()
	e, err := shape.Compile(`items.map(i, items)`, variables)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]any, 3000)
	if _, err := e.Eval(map[string]any{"items": list}); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("Eval = %v, want too large", err)
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		want  []string
		names []string
	}{
		{`items.filter(i, i.active).map(items, items.password)`, []string{"items"}, []string{"active", "password"}},
		{`inputs.a.b + steps["read-rows"].outputs.rows`, []string{"inputs.a.b", "steps.read-rows.outputs.rows"}, []string{"a", "b", "outputs", "read-rows", "rows"}},
		{`inputs[items[0].key]`, []string{"inputs", "items"}, []string{"key"}},
		{`has(inputs.token) ? [inputs.token] : []`, []string{"inputs.token"}, []string{"token"}},
		{`cel.bind(inputs, {"x": items}, inputs.x)`, []string{"items"}, []string{"x"}},
		{`String.len(inputs.a) + size({"k": inputs.b})`, []string{"inputs.a", "inputs.b"}, []string{"a", "b"}},
		{`1 + 2`, nil, nil},
	} {
		e, err := shape.Compile(test.text, variables)
		if err != nil {
			t.Errorf("Compile(%s): %v", test.text, err)
			continue
		}
		var got []string
		for _, path := range e.Reads() {
			got = append(got, path.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", test.text, diff)
		}
		if diff := cmp.Diff(test.names, e.Names()); diff != "" {
			t.Errorf("%s takes members (-want +got):\n%s", test.text, diff)
		}
	}
}

func FuzzShape(f *testing.F) {
	for _, seed := range []string{`items.filter(i, i.active)`, `chunk(items, 2)`, `{"a": inputs.n}`, `String.join(",", "a")`, `inputs.big == 1.5`, `items.map(i, i).sort()`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := shape.Compile(text, variables)
		if err != nil {
			return
		}
		v, err := e.Eval(decode(t, data).(map[string]any))
		if err != nil {
			return
		}
		if _, err := value.Encode(v); err != nil {
			t.Errorf("%s gives what JSON does not have: %v", text, err)
		}
	})
}

func BenchmarkMap(b *testing.B) {
	e, err := shape.Compile(`items.filter(i, i.active).map(i, {"externalId": i.id, "profile": {"email": String.toLowerCase(i.mail), "lastName": i.last}})`, variables)
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]any, 100_000)
	for i := range rows {
		rows[i] = map[string]any{"id": fmt.Sprint(i), "active": true, "mail": fmt.Sprintf("A%d@example.com", i), "last": "Lovelace"}
	}
	for b.Loop() {
		if _, err := e.Eval(map[string]any{"items": rows}); err != nil {
			b.Fatal(err)
		}
	}
}
