package extract

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/value"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, options, text, want string }{
		{"list", "", `[{"id":"1","n":1.10},{"id":"2","n":null}]`, `[{"id":"1","n":1.10},{"id":"2","n":null}]`},
		{"empty list", "", " [ ] \n", `[]`},
		{"list over lines", "", "[\n  {\"id\": 1},\r\n\t{\"id\": [1, {\"x\": \"]}\\\"\"}]}\n]\n", `[{"id":1},{"id":[1,{"x":"]}\""}]}]`},
		{"lines", "", "{\"id\":1}\n\n{\"id\":2}", `[{"id":1},{"id":2}]`},
		{"lines said", ", format: lines", "{\"id\":1}\r\n", `[{"id":1}]`},
		{"pointer", ", items: /data/people", `{"before":[{"id":0}],"data":{"a":"x","people":[{"id":1}],"b":{"people":[{"id":9}]}},"after":{}}`, `[{"id":1}]`},
		{"path", `, items: "$.data[1]['the people'][*]"`, `{"data":[0,{"the people":[{"id":1}]},[]]}`, `[{"id":1}]`},
		{"escaped name", ", items: /a", `{"\u0061":[{"id":1}]}`, `[{"id":1}]`},
		{"UTF-8 mark", "", "\xef\xbb\xbf[{\"n\":\"Jürgen\"}]", `[{"n":"Jürgen"}]`},
		{"latin1", ", encoding: latin1", "[{\"n\":\"J\xfcrgen\"}]", `[{"n":"Jürgen"}]`},
		{"rows", ", rows: 1", `[{}]`, `[{}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "people.json", test.text)
			r := open(t, Env{}, dir, "json: {file: people.json"+test.options+"}")
			got, _, err := all(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			want(t, got, test.want)
			if !strings.HasPrefix(r.Identity(), "sha256:") {
				t.Errorf("Identity = %q", r.Identity())
			}
		})
	}
}

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	const cutOff = ": the file ends in the middle of a JSON value; it was cut off; get it again"
	for _, test := range []struct{ name, options, text, want string }{
		{"empty", "", " \n", "people.json:2: the file is empty; get it again; a list of nobody is written []"},
		{"no list", "", `"people"`, "people.json:1: there is no list here; say where it is: items: /people"},
		{"not there", ", items: /people", `{"persons":[]}`, `people.json:1: there is no "people" in the document; correct items`},
		{"not there in a list", ", items: /1", `[[]]`, `people.json:1: there is no "1" in the document; correct items`},
		{"not there in a text", ", items: /a/b", `{"a":"b"}`, `people.json:1: there is no "b" in the document; correct items`},
		{"list twice", ", items: /a", "{\"a\":[],\n\"a\":[{}]}", `people.json:2: the name "a" is there twice; which of the two counts cannot be known; correct the source`},
		{"name twice", "", "[{\"a\":1},\n{\"a\":1,\"a\":2}]", "people.json:2 items[1]: an object has a name twice; correct the source"},
		{"not objects", "", "[{},\n7]", `people.json:2 items[1]: this is not an object; each item must be one: {"id": "1", ...}`},
		{"cut off", "", "[{},\n{\"a\":", "people.json:2" + cutOff},
		{"cut off behind an item", "", "[{},\n{}", "people.json:2" + cutOff},
		{"cut off behind the list", ", items: /a", "{\"a\":[{}]\n", "people.json:2" + cutOff},
		{"cut off in a text", "", "[{\"a\":\"", "people.json:1" + cutOff},
		{"cut off line", "", "{\"a\":1}\n{\"a\":", "people.json:2" + cutOff},
		{"two documents", "", "[{}]\n[{}]", "people.json:2: something follows the JSON document; if each line is a document, set format: lines"},
		{"two on a line", "", "{} {}", "people.json:1: something follows the object on its line; write each object on a line of its own"},
		{"a document", "", "{\n\"people\":[]}", "people.json:2: the object that begins on line 1 goes on over several lines; if the file is one document, say where the list in it is: items: /people; else write each object on one line"},
		{"no comma", "", "[{}\n{}]", "people.json:2: this is not JSON: \"{\" stands where one of \",]\" is expected; correct the source"},
		{"comma too much", "", "[{},]", "people.json:1 items[1]: this is not JSON: a value is missing or broken off; correct the source"},
		{"HTML", "", "<html>", "people.json:1: there is no list here; say where it is: items: /people"},
		{"wrong inside", "", "[{\"a\":1},\n{\"a\":\n  tru}]", "people.json:3: this is not JSON: invalid character '}' in literal true (expecting 'e'); correct the source"},
		{"wrong number", "", "[{\"a\":01}]", "people.json:1: this is not JSON: invalid character '1' after object key:value pair; correct the source"},
		{"wrong in what is skipped", ", items: /b", "{\"a\":nul,\"b\":[]}", "people.json:1: this is not JSON: a value is missing or broken off; correct the source"},
		{"no name", ", items: /b", "{a:1}", "people.json:1: this is not JSON: a name is expected; correct the source"},
		{"not UTF-8", "", "[{},\n{\"n\":\"J\xfcrgen\"}]", "people.json:2 items[1]: this is not UTF-8; say how the file is written: encoding: windows-1252 (what Excel writes), latin1 or utf-16; or save it as UTF-8"},
		{"half a pair", "", `[{"n":"\ud800"}]`, "people.json:1 items[0]: a text holds half of a surrogate pair; correct the source"},
		{"rows", ", rows: 2", `[{}]`, "people.json: the file has 1 row, and 2 were expected; it may have been cut off; get it again, or correct rows"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "people.json", test.text)
			r := open(t, Env{}, dir, "json: {file: people.json"+test.options+"}")
			_, _, err := all(t.Context(), r)
			wantFault(t, err, test.want)
		})
	}
}

func TestJSONDeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range []string{
		`[{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}]`,
		`{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `,"b":[]}`,
	} {
		write(t, dir, "people.json", text)
		_, _, err := all(t.Context(), open(t, Env{}, dir, "json: {file: people.json, items: "+map[bool]string{true: "/b", false: "''"}[text[0] == '{']+"}"))
		if err == nil || !strings.Contains(err.Error(), "nested deeper") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestJSONPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "people.json", "[\n{}, {\n},\n{}]")
	write(t, dir, "people.ndjson", "{}\n\n{}\n")
	for name, want := range map[string][]string{
		"people.json":   {"people.json:2 items[0]", "people.json:2 items[1]", "people.json:4 items[2]"},
		"people.ndjson": {"people.ndjson:1", "people.ndjson:3"},
	} {
		r, err := Open(t.Context(), OfFile(dir+"/"+name), Env{})
		if err != nil {
			t.Fatal(err)
		}
		_, places, err := all(t.Context(), r)
		if diff := cmp.Diff(want, places); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

// document writes a document of many people, and of something else before them.
func document(rows int) io.Reader {
	in, out := io.Pipe()
	go func() { // until the reader has it all, or closes
		w := bufio.NewWriter(out)
		fmt.Fprint(w, `{"other":[`)
		for i := range rows {
			fmt.Fprintf(w, `{"n":%d},`, i)
		}
		fmt.Fprint(w, `null],"people":[`)
		for i := range rows {
			if i > 0 {
				fmt.Fprint(w, ",\n")
			}
			fmt.Fprintf(w, `{"id":"%d","name":{"givenName":"Ada","familyName":"Byron %d"},"n":%d,"department":"Engineering and more"}`, i, i, i)
		}
		fmt.Fprint(w, `]}`)
		w.Flush()
		out.Close()
	}()
	return in
}

func TestJSONMemory(t *testing.T) {
	rows := size(t, 25_000)
	r, err := Open(t.Context(), &From{KindJSON, &jsonOrigin{file: file{path: stdin}, items: value.Pointer{"people"}}}, Env{Stdin: document(rows)})
	if err != nil {
		t.Fatal(err)
	}
	n, grown := heapWhile(t, r, rows/8)
	if n != rows || grown > 4<<20 {
		t.Errorf("%d of %d rows, the heap grew by %d KB", n, rows, grown>>10)
	}
}

// BenchmarkJSON reads a list of people of a few attributes.
func BenchmarkJSON(b *testing.B) {
	text, err := io.ReadAll(document(50_000))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	write(b, dir, "people.json", string(text))
	r := open(b, Env{}, dir, "json: {file: people.json, items: /people}")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		count(b, r)
	}
}

// FuzzJSON holds the scanner to encoding/json: what it reads as a list must be
// that list, and what it refuses must have a reason.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`[{"a":1},{"b":"\"]"}]`, `[]`, `[{}`, `[{},]`, `[1]`, `[{}] x`, `[{"a":{"b":[1,2,{"c":null}]}}]`, "[\n{}\n,\n{}\n]", `[{"a":"\\"}]`, `[,]`, `[{"a" "b"}]`, "[\"", "{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var ours []any
		s := &jsonScanner{
			ctx: t.Context(), in: &reading{name: "f", ctx: t.Context()}, text: bufio.NewReaderSize(bytes.NewReader(text), 16), line: 1,
			yield: func(l Located) bool { ours = append(ours, map[string]any(l.Row)); return true },
		}
		err := s.read(jsonDocument, nil)
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var theirs []any
		theirErr := dec.Decode(&theirs)
		if _, more := dec.Token(); more != io.EOF && theirErr == nil {
			theirErr = fmt.Errorf("more than one value")
		}
		switch {
		case err == nil && theirErr != nil:
			t.Fatalf("%q is read as %v; encoding/json says %v", text, ours, theirErr)
		case err == nil && len(ours)+len(theirs) > 0 && !cmp.Equal(ours, theirs):
			t.Fatalf("%q is read as %v, by encoding/json as %v", text, ours, theirs)
		case err != nil && theirErr == nil && theirs != nil:
			for _, reason := range []string{"twice", "not UTF-8", "surrogate", "nested", "not an object"} {
				if strings.Contains(err.Error(), reason) {
					return
				}
			}
			t.Fatalf("%q is refused: %v; encoding/json reads %v", text, err, theirs)
		}
	})
}
