package extract

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// parse reads a section "from" that is written in dir.
func parse(dir, text string) (*From, error) {
	n, err := value.ParseYAML([]byte(text), "lanyard.yaml")
	if err != nil {
		return nil, err
	}
	return Parse(config.Section{Node: n, File: "lanyard.yaml", Dir: dir})
}

// open opens what a section "from" says.
func open(t testing.TB, env Env, dir, text string) Reader {
	t.Helper()
	r, err := tryOpen(t, env, dir, text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryOpen(t testing.TB, env Env, dir, text string) (Reader, error) {
	t.Helper()
	from, err := parse(dir, text)
	if err != nil {
		t.Fatal(err)
	}
	return Open(t.Context(), from, env)
}

// all reads a source: its rows, their places, and the error that ended it.
func all(ctx context.Context, r Reader) (rows []any, places []string, err error) {
	for l, err := range r.Rows(ctx) {
		if err != nil {
			return rows, places, err
		}
		rows = append(rows, map[string]any(l.Row))
		places = append(places, l.Place)
	}
	return rows, places, nil
}

// count reads a source and forgets it.
func count(t testing.TB, r Reader) int {
	t.Helper()
	n := 0
	for _, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func decode(t testing.TB, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// want compares rows with a JSON list.
func want(t testing.TB, got []any, text string) {
	t.Helper()
	if got == nil {
		got = []any{}
	}
	if diff := cmp.Diff(decode(t, text), any(got)); diff != "" {
		t.Errorf("the rows (-want +got):\n%s", diff)
	}
}

// wantFault checks the public text of an error.
func wantFault(t testing.TB, err error, text string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("the error is %v, want %s", err, text)
	}
	if got := f.Public(); got != text {
		t.Errorf("the error is\n  %s\nwant\n  %s", got, text)
	}
	if f.Remedy == "" {
		t.Errorf("%s has no remedy", text)
	}
}

func write(t testing.TB, dir, name, text string) { // name may be a whole path
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// heapWhile returns by how much the heap in use was larger than before, at most,
// when it was looked at every so many rows.
func heapWhile(t testing.TB, r Reader, every int) (rows int, grown uint64) {
	t.Helper()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for _, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if rows++; rows%every == 0 {
			if now := heap(); now > before+grown {
				grown = now - before
			}
		}
	}
	return rows, grown
}

// TestMistakes has every mistake of the sections at its place.
func TestMistakes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range strings.Split(string(data), "\n====\n") {
		text, expected, ok := strings.Cut(test, "\n----\n")
		if !ok {
			t.Fatalf("no ---- in\n%s", test)
		}
		_, err := parse(".", text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(strings.TrimSpace(expected), got); diff != "" {
			t.Errorf("%s\n(-want +got):\n%s", text, diff)
		}
	}
}

func TestOpenNothing(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.Context(), nil, Env{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("Open(nil) = %v", err)
	}
}

func TestOfFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.csv": "csv a.csv", "a": "csv a", "-": "csv the standard input", "a.JSON": "json a.JSON", "a.ndjson.gz": "json a.ndjson.gz", "a.jsonl": "json a.jsonl",
		"json:-": "json the standard input", "csv:a.json": "csv a.json", "table:people": "table people", "x:a": "csv x:a",
	} {
		f := OfFile(name)
		got := f.Kind() + " " + f.Table()
		switch o := f.origin.(type) {
		case *csvOrigin:
			got = f.Kind() + " " + o.describe()
		case *jsonOrigin:
			got = f.Kind() + " " + o.describe()
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestParsePlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "/a/b~1c/0": "/a/b~1c/0", "$": "", "$[*]": "", "$.a": "/a", "$.a.b[*]": "/a/b", "$['x y'][0].z": "/x y/0/z", "$[12]": "/12",
	} {
		if p, ok := parsePlace(text); !ok || p.String() != want {
			t.Errorf("%q is %q, %v; want %q", text, p, ok, want)
		}
	}
	for _, text := range []string{"a", "$a", "$.", "$..a", "$.*", "$[*].a", "$[?@.a]", "$['a", "$[-1]", "$[]", "$.a[1:2]", "/~"} {
		if p, ok := parsePlace(text); ok {
			t.Errorf("%q is %q", text, p)
		}
	}
}
