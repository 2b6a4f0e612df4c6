package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

func TestInputs(t *testing.T) {
	for _, test := range []struct {
		name  string
		pairs []string
		file  string // content of --inputs; empty for none
		want  map[string]any
		fails string // the public text of the error, with FILE for the file's path
	}{
		{name: "none", want: map[string]any{}},
		{
			name:  "text",
			pairs: []string{"email=ada@example.com", "empty=", "equation=a=b", "spaced name= x "},
			want:  map[string]any{"email": "ada@example.com", "empty": "", "equation": "a=b", "spaced name": " x "},
		},
		{
			name:  "JSON keeps its digits",
			pairs: []string{"id:=9007199254740993", "price:=1.10", "list:=[1,\"a\",null]", "on:=true", "text:=\"=\""},
			want: map[string]any{
				"id": json.Number("9007199254740993"), "price": json.Number("1.10"),
				"list": []any{json.Number("1"), "a", nil}, "on": true, "text": "=",
			},
		},
		{name: "a colon elsewhere is part of the name", pairs: []string{"urn:x=1"}, want: map[string]any{"urn:x": "1"}},
		{name: "text that looks like JSON stays text", pairs: []string{"n=1"}, want: map[string]any{"n": "1"}},
		{
			name: "file", file: "\ufeff{\"a\": 1e2, \"b\": {\"a\": [true]}}",
			want: map[string]any{"a": json.Number("1e2"), "b": map[string]any{"a": []any{true}}},
		},
		{
			name: "a flag wins over the file", file: `{"a": 1, "b": 2}`, pairs: []string{"b=two"},
			want: map[string]any{"a": json.Number("1"), "b": "two"},
		},
		{name: "no value", pairs: []string{"hunter2"}, fails: "--input: an input without a value; write NAME=TEXT or NAME:=JSON"},
		{name: "no name", pairs: []string{"=hunter2"}, fails: "--input: an input without a name; write NAME=TEXT or NAME:=JSON"},
		{name: "no name for JSON", pairs: []string{":=1"}, fails: "--input: an input without a name; write NAME=TEXT or NAME:=JSON"},
		{
			name: "not JSON", pairs: []string{"pin:=hunter2"},
			fails: "--input pin: the value after := is not well-formed JSON; write pin=TEXT for plain text; in a shell, quote the JSON",
		},
		{
			name: "all at once", pairs: []string{"a=1", "a:=2", "b"},
			fails: "--input a: the input is given twice; give it once\n--input: an input without a value; write NAME=TEXT or NAME:=JSON",
		},
		{name: "not an object", file: `["hunter2"]`, fails: `FILE: the inputs are not an object; write {"name": value, ...}`},
		{name: "two values", file: `{} {}`, fails: "FILE: more than one JSON value; --inputs needs one JSON object"},
		{name: "syntax", file: "{\n  \"a\": hunter2\n}", fails: "FILE:2:8: not well-formed JSON; --inputs needs one JSON object"},
		{name: "twice", file: "{\"a\": 1,\n \"a\": 2}", fails: `FILE:2:4: the input "a" is given twice; keep one of the two`},
		{name: "too deep", file: `{"a":` + strings.Repeat("[", value.MaxDepth), fails: "FILE: nested deeper than 512 levels; --inputs needs one JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			flags := inputFlags{pairs: test.pairs}
			if test.file != "" {
				flags.file = filepath.Join(t.TempDir(), "inputs.json")
				if err := os.WriteFile(flags.file, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := flags.read(newTestIO("", nil).IO)
			if diff := cmp.Diff(strings.ReplaceAll(test.fails, "FILE", flags.file), fault.Public(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the value: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInputsFromStdin(t *testing.T) {
	got, err := inputFlags{file: "-"}.read(newTestIO(`{"a": "x"}`, nil).IO)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"a": "x"}, got); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	_, err = inputFlags{file: "-"}.read(newTestIO(`{"a"}`, nil).IO)
	if got := fault.Public(err); !strings.HasPrefix(got, "stdin:1:") {
		t.Errorf("error %q, want its place in stdin", got)
	}
}

func TestInputsFileProblems(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.json")
	_, err := inputFlags{file: missing}.read(newTestIO("", nil).IO)
	if got, want := fault.Public(err), missing+": there is no such file; --inputs needs the path of a JSON file"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	large := newTestIO(strings.Repeat(" ", maxInputs+1), nil)
	if _, err := (inputFlags{file: "-"}).read(large.IO); !fault.Is(err, fault.TooLarge) {
		t.Errorf("error %v, want one of kind %v", err, fault.TooLarge)
	}
}

// Whatever is written, an input is either refused or has a name and a value
// that can be written as JSON again.
func FuzzParseInput(f *testing.F) {
	for _, seed := range []string{"a=b", "a:=1", "a:=", ":=", "=", "", "a:={\"b\":[1e400]}", "a::=1", "a:=1 2", "\x00=\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pair string) {
		name, v, err := parseInput(pair)
		if err != nil {
			if fault.Public(err) == "" || fault.KindOf(err) == fault.Internal {
				t.Errorf("parseInput(%q) fails with %v, want a fault that says what to do", pair, err)
			}
			return
		}
		if name == "" {
			t.Errorf("parseInput(%q) gives an input without a name", pair)
		}
		if _, err := value.Encode(v); err != nil {
			t.Errorf("parseInput(%q) = %#v, which is no JSON value: %v", pair, v, err)
		}
	})
}

// A file of inputs never breaks the reader, and what it accepts is what the
// decoder reads.
func FuzzReadInputs(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":1,"a":2}`, `{`, `[]`, "\ufeff{}", `{"a":{"a":1,"a":2}}`, `{"a":1}x`, `{"\u0061":1,"a":2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readInputs(newTestIO(text, nil).IO, "-")
		if err != nil {
			return
		}
		want, err := value.Decode([]byte(strings.TrimPrefix(text, "\ufeff")))
		if err != nil || !value.Equal(any(got), want) {
			t.Errorf("readInputs(%q) = %v, want %v (%v)", text, got, want, err)
		}
	})
}
