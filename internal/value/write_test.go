package value

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is written without reflection is what encoding/json writes.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{
		`null`, `{"b":[1,-0.5e3,true],"a":{"":"x"}}`, "\"\u2028\x80\\u0001\\\\<é>\x7f\"", `[[],{}]`, `"\b\f\n\r\t\""`, `"\ud800"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, v := range []any{s, map[string]any{s: s, "a": nil}, json.Number(s), decoded(s)} {
			got, ok := appendJSON(nil, v, 0)
			want, err := encodeByReflection(v)
			if ok && (err != nil || string(got) != string(want)) {
				t.Errorf("%#v is written as %s, want %s (%v)", v, got, want, err)
			}
		}
	})
}

func decoded(s string) any {
	v, err := Decode([]byte(s))
	if err != nil {
		return nil
	}
	return v
}

func TestEncodeWithoutReflection(t *testing.T) {
	v := map[string]any{"a": []any{"x", json.Number("1.10"), true, nil, map[string]any{}}, "": false, "n": []any(nil), "m": map[string]any(nil)}
	got, ok := appendJSON(nil, v, 0)
	if want := `{"":false,"a":["x",1.10,true,null,{}],"m":null,"n":null}`; !ok || string(got) != want {
		t.Errorf("%s, %v, want %s", got, ok, want)
	}
	for _, v := range []any{json.Number(""), json.Number("01"), json.Number("1 "), 1.5, []any{struct{}{}}, deep()} {
		if got, ok := appendJSON(nil, v, 0); ok {
			t.Errorf("%v is written as %s", v, got)
		}
	}
}

func deep() any {
	var v any
	for range MaxDepth + 1 {
		v = []any{v}
	}
	return v
}

func TestWithMembers(t *testing.T) {
	members := []Member{{"none", nil}, {"empty", map[string]any{}}, {"b", map[string]any{"x": "y"}}, {"c", map[string]any{"f": 1.5}}}
	for object, want := range map[string]string{
		`{}`:      `{"empty":{},"b":{"x":"y"},"c":{"f":1.5}}`,
		`{"a":1}`: `{"a":1,"empty":{},"b":{"x":"y"},"c":{"f":1.5}}`,
	} {
		if got, err := WithMembers([]byte(object), members...); err != nil || string(got) != want {
			t.Errorf("WithMembers(%s) = %s, %v, want %s", object, got, err, want)
		}
	}
	if _, err := WithMembers([]byte(`[]`), members...); err == nil {
		t.Error("a list takes members")
	}
	if _, err := WithMembers([]byte(`{}`), Member{"a", map[string]any{"f": func() {}}}); err == nil {
		t.Error("a function is written")
	}
}

func BenchmarkEncode(b *testing.B) {
	v := map[string]any{}
	for _, name := range strings.Fields("id userName email firstName lastName middleName title displayName city state zipCode department manager locale timezone") {
		v[name] = name + " of 12345"
		v[name+"2"] = name + " of 54321"
	}
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			if _, ok := appendJSON(nil, v, 0); !ok {
				b.Fatal("not written")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
