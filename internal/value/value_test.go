package value

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func decode(t testing.TB, s string) any {
	t.Helper()
	v, err := Decode([]byte(s))
	if err != nil {
		t.Fatalf("Decode(%s): %v", s, err)
	}
	return v
}

func TestDecode(t *testing.T) {
	tests := []struct {
		in   string
		want any
	}{
		{`null`, nil},
		{` true `, true},
		{`"a\u00e9\n"`, "aé\n"},
		{`9007199254740993`, json.Number("9007199254740993")},
		{`1.10`, json.Number("1.10")},
		{`-0`, json.Number("-0")},
		{`1E400`, json.Number("1E400")},
		{`[]`, []any{}},
		{`{"a":[1,{"b":null}]}`, map[string]any{"a": []any{json.Number("1"), map[string]any{"b": nil}}}},
		{`"[[[[\"]]]"`, `[[[["]]]`},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, decode(t, tt.in)); diff != "" {
			t.Errorf("Decode(%s) (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name, in string
		kind     fault.Kind
	}{
		{"nothing", "", fault.Invalid},
		{"blanks", " \n", fault.Invalid},
		{"half", `{"a":`, fault.Invalid},
		{"two values", `1 2`, fault.Invalid},
		{"rest", `{} ]`, fault.Invalid},
		{"leading zero", `01`, fault.Invalid},
		{"NaN", `NaN`, fault.Invalid},
		{"comment", `1 // one`, fault.Invalid},
		{"too deep", nested(MaxDepth + 1), fault.TooLarge},
		{"much too deep", strings.Repeat("[", 10_000_000), fault.TooLarge},
		{"too deep in objects", strings.Repeat(`{"a":`, MaxDepth+1), fault.TooLarge},
	}
	for _, tt := range tests {
		if v, err := Decode([]byte(tt.in)); !fault.Is(err, tt.kind) {
			t.Errorf("%s: Decode = %v, %v; want kind %v", tt.name, v, err, tt.kind)
		}
	}
	if _, err := Decode([]byte(nested(MaxDepth))); err != nil {
		t.Errorf("Decode at the limit of depth: %v", err)
	}
}

func TestEncode(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"b":1,"a":[true,null,"<&>"],"c":{"z":1.10,"y":9007199254740993}}`, `{"a":[true,null,"<&>"],"b":1,"c":{"y":9007199254740993,"z":1.10}}`},
		{`"é😀"`, `"é😀"`},
		{`{}`, `{}`},
		{`[]`, `[]`},
	}
	for _, tt := range tests {
		got, err := Encode(decode(t, tt.in))
		if err != nil || string(got) != tt.want {
			t.Errorf("Encode(%s) = %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	if b, err := Encode(json.Number("1.")); err == nil {
		t.Errorf("Encode of a broken number = %s, want an error", b)
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		in   any
		want string
	}{
		{nil, "null"},
		{true, "true"},
		{false, "false"},
		{json.Number("1.10"), "1.10"},
		{"as it <is>", "as it <is>"},
		{"", ""},
		{[]any{"a", json.Number("1")}, `["a",1]`},
		{map[string]any{"b": nil, "a": "<"}, `{"a":"<","b":null}`},
	}
	for _, tt := range tests {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("Text(%#v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestClone(t *testing.T) {
	original := decode(t, `{"a":[1,{"b":"c"}],"n":null}`)
	clone := Clone(original)
	if diff := cmp.Diff(original, clone); diff != "" {
		t.Fatalf("Clone (-want +got):\n%s", diff)
	}
	inner := clone.(map[string]any)["a"].([]any)
	inner[0] = "changed"
	inner[1].(map[string]any)["b"] = "changed"
	if diff := cmp.Diff(decode(t, `{"a":[1,{"b":"c"}],"n":null}`), original); diff != "" {
		t.Errorf("changing the clone changed the original:\n%s", diff)
	}
}

func TestEqual(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{`null`, `null`, true},
		{`null`, `false`, false},
		{`0`, `false`, false},
		{`1`, `1.0`, true},
		{`1`, `1e0`, true},
		{`1`, `"1"`, false},
		{`"a"`, `"A"`, false},
		{`"a"`, `"a"`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`[1,2]`, `[1.0,2.0]`, true},
		{`[1,2]`, `[2,1]`, false},
		{`[1]`, `[1,1]`, false},
		{`[]`, `{}`, false},
		{`[]`, `null`, false},
		{`{"a":1,"b":2}`, `{"b":2.0,"a":1}`, true},
		{`{"a":1}`, `{"b":1}`, false},
		{`{"a":null}`, `{}`, false},
		{`{"a":null}`, `{"b":null}`, false},
		{`{"a":{"b":[1]}}`, `{"a":{"b":[1]}}`, true},
		{`{"a":1}`, `"a"`, false},
		{`"a"`, `{"a":1}`, false},
		{`1`, `[1]`, false},
	}
	for _, tt := range tests {
		a, b := decode(t, tt.a), decode(t, tt.b)
		if got := Equal(a, b); got != tt.want {
			t.Errorf("Equal(%s, %s) = %v", tt.a, tt.b, got)
		}
		if got := Equal(b, a); got != tt.want {
			t.Errorf("Equal(%s, %s) = %v", tt.b, tt.a, got)
		}
	}
}

func TestCompareNumbers(t *testing.T) {
	// Each list is in ascending order; numbers in one string are equal.
	for _, ascending := range [][]string{
		{"-1e400", "-2", "-1.5 -15e-1 -0.15e1", "-1", "-1e-400", "0 -0 0.0 0e9 -0.00E-99", "1e-400", "0.1", "1 1.0 1e0 10e-1 0.1e1 1E+0", "1.10 1.1", "2", "10 1e1", "1e400"},
		{"9007199254740992", "9007199254740993", "9007199254740993.0000000000000000001", "9007199254740994"},
		{"1e999999998", "1e999999999 10e999999998 0.1e1000000000", "2e999999999"},
		{"-1e999999999", "-1e999999998", "1e-999999999", "1e-999999998"},
		{"0.1", "0.1000000000000000055511151231257827"},
		{"1e-9999999999999999999999", "1", "1e9999999999999999999999"},
	} {
		for i, lower := range ascending {
			for j, upper := range ascending {
				want := min(1, max(-1, i-j))
				for _, a := range strings.Fields(lower) {
					for _, b := range strings.Fields(upper) {
						if got := CompareNumbers(json.Number(a), json.Number(b)); got != want {
							t.Errorf("CompareNumbers(%s, %s) = %d, want %d", a, b, got, want)
						}
					}
				}
			}
		}
	}
	for _, broken := range []json.Number{"", "abc", "1.x", "--1", "NaN"} {
		if CompareNumbers(broken, "0") != 0 || CompareNumbers(broken, "1") != -1 || CompareNumbers("-1", broken) != -1 {
			t.Errorf("%q does not compare as zero", broken)
		}
	}
}

func TestCompareNumbersAgreesWithBigRat(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() string {
		s := []string{"", "-"}[rng.IntN(2)] + fmt.Sprint(rng.IntN(30))
		if rng.IntN(2) == 0 {
			s += fmt.Sprintf(".%0*d", 1+rng.IntN(3), rng.IntN(30))
		}
		if rng.IntN(3) == 0 {
			s += fmt.Sprintf("e%d", rng.IntN(7)-3)
		}
		return s
	}
	for range 100_000 {
		a, b := random(), random()
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if got, want := CompareNumbers(json.Number(a), json.Number(b)), x.Cmp(y); got != want {
			t.Fatalf("CompareNumbers(%s, %s) = %d, want %d", a, b, got, want)
		}
	}
}

func BenchmarkCompareNumbers(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		CompareNumbers("9007199254740993", "200.5e3")
	}
}

// BenchmarkDecode reads an account as the directory keeps it, as Decode does and
// as encoding/json does. docs/decisions/2026-11-22-json-without-reflection.md
// has the figures.
func BenchmarkDecode(b *testing.B) {
	account := []byte(`{"id":"okta|acme|00u1a2b3c4d5e6f7g8h9","realm":"auth0","status":"ACTIVE","created":"2026-11-22T08:30:00.000Z",` +
		`"profile":{"email":"ada.lovelace@example.com","emailVerified":true,"firstName":"Ada","lastName":"Lovelace","displayName":"Ada Lovelace","loginsCount":12},` +
		`"resource":{"userName":"ada.lovelace@example.com","externalId":"00u1a2b3c4d5e6f7g8h9","active":true,` +
		`"name":{"givenName":"Ada","familyName":"Lovelace","formatted":"Ada \u201cCountess\u201d Lovelace"},` +
		`"emails":[{"value":"ada.lovelace@example.com","type":"work","primary":true}],"phoneNumbers":[{"value":"+44 20 7946 0123","type":"mobile"}],` +
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","department":"Engines","manager":{"value":"okta|acme|00u0"}}}}`)
	for name, decode := range map[string]func([]byte) (any, error){"one pass": Decode, "encoding-json": byReflection} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(account)))
			for b.Loop() {
				if _, err := decode(account); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-3,"x",null]}`, `"\ud800"`, `[[[[]]]]`, `1 2`, ` { "a" : -0.5E+1 , "a":[ ] } `, `{"é\u00e9":"\"\\"}`, `[01]`, `[1,]`, "\"\xff\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Decode([]byte(s))
		want, wantErr := byReflection([]byte(s))
		if (err == nil) != (wantErr == nil) || !cmp.Equal(v, want) {
			t.Fatalf("%q: %v, %v; encoding/json: %v, %v", s, v, err, want, wantErr)
		}
		if parsed, ok := parse(s); ok && (wantErr != nil || !cmp.Equal(parsed, want)) {
			t.Fatalf("%q: parsed as %v; encoding/json: %v, %v", s, parsed, want, wantErr)
		}
		if err != nil {
			return
		}
		b, err := Encode(v)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		again, err := Decode(b)
		if err != nil || !Equal(v, again) {
			t.Fatalf("%s became %s: %v", s, b, err)
		}
		if !Equal(v, Clone(v)) {
			t.Fatal("a clone differs")
		}
	})
}

// TestDecodeExact refuses what Decode takes and does not keep whole.
func TestDecodeExact(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":{"a":2},"c":[{"a":3}]}`: "",
		`{"a":1,"A":2}`:                     "",
		`{"a":1,"a":1}`:                     "an object has a name twice",
		`[{"b":{"a":null,"\u0061":1}}]`:     "an object has a name twice",
		`"\ud83d\ude00 \\ud83d \u00e4"`:     "",
		`"x\ud83d"`:                         "a text holds half of a surrogate pair",
		`"\ude00\ud83d"`:                    "a text holds half of a surrogate pair",
		`{"\\\ud83d\\ude00":1}`:             "a text holds half of a surrogate pair",
		`{"a":1`:                            "not well-formed JSON",
		strings.Repeat("[", MaxDepth+1):     "nested deeper than 512 levels",
		`{"a":1} {"a":1}`:                   "more than one JSON value",
	} {
		got, err := DecodeExact([]byte(text))
		if want != "" {
			if err == nil || fault.Public(err) != want {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
			continue
		}
		plain, _ := Decode([]byte(text))
		if err != nil || !Equal(got, plain) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, plain)
		}
	}
}
