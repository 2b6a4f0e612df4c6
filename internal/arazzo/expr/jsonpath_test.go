package expr

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/theory/jsonpath"

	"github.com/lanyard-id/lanyard/internal/value"
)

// selected returns what path selects from doc.
func selected(t testing.TB, path string, doc any) []any {
	t.Helper()
	p, err := compileJSONPath(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	out := []any{}
	run := pathRun{root: doc}
	p.(*jsonPath).query.each(&run, doc, func(v any) bool { out = append(out, v); return true })
	if err := run.err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

func TestJSONPath(t *testing.T) {
	root := readCases(t, "jsonpath.yaml").(map[string]any)
	docs := root["docs"].(map[string]any)
	for _, c := range list(t, root["selects"]) {
		t.Run(c.str("path"), func(t *testing.T) {
			doc, ok := docs[c.str("in")]
			if !ok {
				t.Fatalf("there is no document %s", c.str("in"))
			}
			if c.has("error") {
				checkRefused(t, c)
				return
			}
			if diff := cmp.Diff(c["gives"], any(selected(t, c.str("path"), doc))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkPlaces(t, c.str("path"), doc)
		})
	}
	for _, c := range list(t, root["refuses"]) {
		t.Run("not "+c.str("path"), func(t *testing.T) { checkRefused(t, c) })
	}
}

func checkRefused(t *testing.T, c testCase) {
	t.Helper()
	_, err := compileQuery(c.str("path"), Type{Name: "jsonpath"})
	var ce *ConditionError
	if !errors.As(err, &ce) || ce.Kind != ErrJSONPath {
		t.Fatalf("%q: %v; want an error of kind jsonpath", c.str("path"), err)
	}
	if !strings.Contains(ce.Msg, c.str("error")) {
		t.Errorf("%q: %s; want %q in it", c.str("path"), ce.Msg, c.str("error"))
	}
	if !strings.HasPrefix(c.str("path")[ce.Offset:], ce.Text) {
		t.Errorf("%q: %q does not stand at offset %d", c.str("path"), ce.Text, ce.Offset)
	}
}

// checkPlaces checks that each located place leads to the selected value.
func checkPlaces(t *testing.T, path string, doc any) {
	t.Helper()
	p, err := compileJSONPath(path)
	if err != nil {
		t.Fatal(err)
	}
	places, err := p.(*jsonPath).locate(doc)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{}
	for _, place := range places {
		v, ok := place.Get(doc)
		if !ok {
			t.Fatalf("the place %s leads nowhere", place)
		}
		got = append(got, v)
	}
	if diff := cmp.Diff(selected(t, path, doc), got); diff != "" {
		t.Errorf("places (-selected +located):\n%s", diff)
	}
}

// oracle evaluates with theory/jsonpath, which passes the official suite. It
// reports false where that library panics.
func oracle(path string, doc any) (out []any, err error, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	p, err := jsonpath.Parse(path)
	if err != nil {
		return nil, err, true
	}
	return p.Select(doc), nil, true
}

// asSet writes values as sorted texts: the library's objects are in no order.
func asSet(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = value.Text(v)
	}
	slices.Sort(out)
	return out
}

// differs lists where we differ from the library on purpose.
var differs = map[string]string{
	"$[?@.id == 9007199254740993].n": "numbers are exact",
	"$[?@.id == 9007199254740992].n": "numbers are exact",
	"$[?@.id > 9007199254740992].n":  "numbers are exact",
	"$[?@.v == $[0].v].n":            "numbers inside structures are compared by magnitude",
	"$[?$.absent1 <= $.absent2]":     "nothing equals nothing, and <= includes equal (RFC 9535 table 11)",
	"$[?$.obj <= $.obj]":             "the same, where the document has no obj",
	"$[?$.obj <= $.arr]":             "the same, where the document has neither",
	"$[?$.arr >= $.arr]":             "the same, where the document has no arr",
}

func TestJSONPathAgreesWithTheLibrary(t *testing.T) {
	root := readCases(t, "jsonpath.yaml").(map[string]any)
	docs := root["docs"].(map[string]any)
	compared, different := 0, map[string]bool{}
	for _, c := range slices.Concat(list(t, root["selects"]), list(t, root["refuses"])) {
		path := c.str("path")
		_, ourErr := compileJSONPath(path)
		for name, doc := range docs {
			theirs, theirErr, ok := oracle(path, doc)
			if !ok {
				continue
			}
			if (ourErr == nil) != (theirErr == nil) {
				t.Errorf("%s: our error %v, theirs %v", path, ourErr, theirErr)
				break
			}
			if ourErr != nil {
				continue
			}
			compared++
			if diff := cmp.Diff(asSet(theirs), asSet(selected(t, path, doc))); diff != "" {
				different[path] = true
				if differs[path] == "" {
					t.Errorf("%s in %s (-library +ours):\n%s", path, name, diff)
				}
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d comparisons were made", compared)
	}
	for path, why := range differs {
		if !different[path] {
			t.Errorf("%s does not differ any more (%s)", path, why)
		}
	}
}

func TestJSONPathOrderIsStable(t *testing.T) {
	doc := map[string]any{}
	var want []any
	for i := range 50 {
		doc[fmt.Sprintf("k%02d", i)] = map[string]any{"v": number(i)}
		want = append(want, number(i))
	}
	for range 20 {
		if diff := cmp.Diff(want, selected(t, "$..v", doc)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

func TestJSONPathWorkIsBounded(t *testing.T) {
	if testing.Short() && os.Getenv("CI") == "" {
		t.Skip("works to the limit")
	}
	var doc any = "leaf"
	for range 200 {
		doc = []any{doc, doc} // shared, so it is small in memory and 2^200 to walk
	}
	wide := make([]any, 3000)
	for i := range wide {
		wide[i] = map[string]any{"a": number(i)}
	}
	scope := func(doc any) Data { return Data{Inputs: map[string]any{"doc": doc}} }
	for path, doc := range map[string]any{"$[?!@..x]": doc, "$..[?@..*..x]": doc, "$[?!$[?!$[?@.a == 'x']]]": wide} {
		start := time.Now()
		c, err := CompileCriterion("$inputs.doc", path, Type{Name: "jsonpath"})
		if err != nil {
			t.Fatal(err)
		}
		if r := c.Eval(scope(doc)); r.Pass || !strings.Contains(r.Reason, "visits too many values") {
			t.Errorf("%s: %+v", path, r)
		}
		if took := time.Since(start); took > 30*time.Second { // takes half a second
			t.Errorf("%s took %v", path, took)
		}
	}
	s, err := CompileSelector("$inputs.doc", "$..*", Type{Name: "jsonpath"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Eval(scope(doc)); err == nil || !strings.Contains(err.Error(), "visits too many values") {
		t.Errorf("$..*: error %v, want that it visits too many values", err)
	}
}

func FuzzJSONPath(f *testing.F) {
	f.Add("$..book[?@.price<10 && !@.x || match(@.a, 'b')].title")
	f.Add("$['a',\"b\",0,-1,1:2:-1,*,?count(@.*)==1.5e3]")
	f.Add("$.é[?length(value(@..a)) >= $.b['c'][0]]")
	f.Add(`$["\u00e9\ud83d\ude00\n"]`)
	doc, err := value.Decode([]byte(`{"a":[1,2,{"b":"x","c":null}],"b":{"a":"b","c":[true]},"é":[{"a":"ab"}],"book":[{"price":5,"title":"t"}]}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if len(path) > 500 || !utf8.ValidString(path) {
			return
		}
		ours, ourErr := compileJSONPath(path)
		theirs, theirErr, ok := oracle(path, doc)
		if ourErr == nil {
			if _, _, err := ours.find(subject{value: doc}); err != nil {
				return
			}
		}
		if !ok || knownDifference(path) {
			return
		}
		if ourErr != nil || len(theirs) > 10_000 { // the library takes more than the grammar allows
			return
		}
		if theirErr != nil {
			if !strings.Contains(theirErr.Error(), "out of range") { // of its integers
				t.Fatalf("%q is accepted; the library says: %v", path, theirErr)
			}
			return
		}
		if diff := cmp.Diff(asSet(theirs), asSet(selected(t, path, doc))); diff != "" {
			t.Fatalf("%q (-library +ours):\n%s", path, diff)
		}
	})
}

// knownDifference reports queries on which the library is known to deviate.
func knownDifference(path string) bool {
	return strings.ContainsAny(path, "<>") || strings.Contains(path, "match") || strings.Contains(path, "search")
}
