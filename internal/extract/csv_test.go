package extract

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	const ada = `[{"id":"1","name":"Ada"}]`
	utf16be := func(s string) string {
		b := []byte(utf16le(s))
		for i := 0; i < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
		return string(b)
	}
	for _, test := range []struct{ name, options, text, want string }{
		{"plain", "", "id,name\n1,Ada\n", ada},
		{"no line end at the end", "", "id,name\n1,Ada", ada},
		{"CR LF", "", "id,name\r\n1,Ada\r\n", ada},
		{"half a line end at the end", "", "id,name\r\n1,Ada\r", ada},
		{"mark of UTF-8", "", "\xef\xbb\xbfid,name\n1,Ada\n", ada},
		{"blank lines", "", "\n\nid,name\n\n1,Ada\n\r\n\n", ada},
		{"rows of nothing", "", "id,name\n,\n1,Ada\n,\n", ada},
		{"semicolons", "", "id;name\n1;Ada\n", ada},
		{"tabs", "", "id\tname\n1\tAda\n", ada},
		{"bars", "", "id|name\n1|Ada\n", ada},
		{"delimiter in quotes", "", "\"id\";\"a,b,c\"\n1;x\n", `[{"id":"1","a,b,c":"x"}]`},
		{"delimiter said", `, delimiter: ","`, "id;x,name\n1,Ada\n", `[{"id;x":"1","name":"Ada"}]`},
		{"tab said", `, delimiter: tab`, "id\tname\n1\tAda\n", ada},
		{"one column of lists", "", "\nids\n1;2\n", `[{"ids":"1;2"}]`},
		{"one column", "", "id\n1\n2\n", `[{"id":"1"},{"id":"2"}]`},
		{"blanks around headings", "", " id , name\n1,Ada\n", ada},
		{"blanks in values stay", "", "id,name\n 1 ,Ada \n", `[{"id":" 1 ","name":"Ada "}]`},
		{"quotes", "", "id,name\n1,\"Ada \"\"Byron\"\", Lady\"\n", `[{"id":"1","name":"Ada \"Byron\", Lady"}]`},
		{"quotes over lines", "", "id,name\n1,\"Ada\n\nLady\r\nByron\"\n2,Bob\n", `[{"id":"1","name":"Ada\n\nLady\r\nByron"},{"id":"2","name":"Bob"}]`},
		{"empty quotes", "", "id,name,last\n1,\"\",\"\"\n\"\",x,\n", `[{"id":"1","name":"","last":""},{"id":"","name":"x","last":""}]`},
		{"only headings", "", "id,name\n", `[]`},
		{"no header", ", columns: [id, name]", "1,Ada\n", ada},
		{"header said to be none", ", header: false, columns: [id, name]", "1,Ada\n", ada},
		{"columns that must be there", ", header: true, columns: [name]", "id,name\n1,Ada\n", ada},
		{"windows-1252", ", encoding: windows-1252", "id,name\n1,J\xfcrgen \x80\n", `[{"id":"1","name":"Jürgen €"}]`},
		{"latin1", ", encoding: latin1", "id,name\n1,J\xfcrgen\n", `[{"id":"1","name":"Jürgen"}]`},
		{"UTF-8 said", ", encoding: utf-8", "id,name\n1,Jürgen\n", `[{"id":"1","name":"Jürgen"}]`},
		{"UTF-16 LE with mark", "", "\xff\xfe" + utf16le("id,name\n1,Jürgen 😀\n"), `[{"id":"1","name":"Jürgen 😀"}]`},
		{"UTF-16 BE with mark", ", encoding: utf-16", "\xfe\xff" + utf16be("id,name\n1,Jürgen\n"), `[{"id":"1","name":"Jürgen"}]`},
		{"UTF-16 LE without mark", ", encoding: utf-16le", utf16le("id,name\n1,Ada\n"), ada},
		{"rows as expected", ", rows: 1", "id,name\n1,Ada\n", ada},
		{"trailer", ", trailer: END", "id,name\n1,Ada\nEND\n", ada},
		{"trailer with a number", ", trailer: END", "id,name\n1,Ada\nEND,1\n\n", ada},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "people.csv", test.text)
			r := open(t, Env{}, dir, "csv: {file: people.csv"+test.options+"}")
			if r.Identity() != "" {
				t.Error("it is known what was read before it was")
			}
			got, _, err := all(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			want(t, got, test.want)
			sum := sha256.Sum256([]byte(test.text))
			if want := "sha256:" + hex.EncodeToString(sum[:]); r.Identity() != want {
				t.Errorf("Identity = %s, want that of the bytes", r.Identity())
			}
		})
	}
}

// utf16le writes a text as UTF-16.
func utf16le(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.Write([]byte{byte(u), byte(u >> 8)})
	}
	return b.String()
}

// TestCSVLongUTF16 reads files whose characters do not end where buffers do, and a
// line that is longer than those.
func TestCSVLongUTF16(t *testing.T) {
	t.Parallel()
	const rows = 3 * readSize / len("1,😀\n")
	dir := t.TempDir()
	for shift := range 4 {
		heading := strings.Repeat("n", 1+shift)
		write(t, dir, "people.csv", "\xff\xfe"+utf16le("id,"+heading+"\n"+strings.Repeat("1,😀\n", rows)+"2,"+strings.Repeat("€", readSize)+"\n"))
		if n := count(t, open(t, Env{}, dir, "csv: people.csv")); n != rows+1 {
			t.Errorf("with the heading %s, %d of %d rows are read", heading, n, rows+1)
		}
	}
}

func TestCSVRefuses(t *testing.T) {
	t.Parallel()
	const again = "get it again"
	for _, test := range []struct{ name, options, text, want string }{
		{"empty", "", "", "people.csv:1: the file is empty; " + again},
		{"empty without header", ", columns: [a]", "", "people.csv:1: the file is empty; " + again},
		{"too many", "", "a,b\n1,2\n1,2,3\n", "people.csv:3: the line has 3 fields, and there are 2 columns; put values that hold \",\" between quotes"},
		{"too few", "", "a,b\n1\n2,3\n", "people.csv:2: the line has 1 field, and there are 2 columns; check that line; a value over several lines has to stand between quotes"},
		{"cut off", "", "a,b\n1,2\n1", "people.csv:3: the line has 1 field, and there are 2 columns; it is the last one: the file was cut off; get it again"},
		{"cut off in quotes", "", "a,b\n1,2\n1,\"x\ny", "people.csv:3 column 2: the file ends inside of a quoted field; a quote is missing, or the file was cut off; get it again"},
		{"quote in the middle", "", "a,b\n1,x\"y\n", "people.csv:2 column 2: a quote stands in a field that does not begin with one; put the whole value between quotes, and write each quote in it twice"},
		{"text behind a quote", "", "a,b\n\"1\"2,x\n", "people.csv:2 column 1: text stands behind the closing quote; write each quote in a value twice, and put a \",\" behind the closing one"},
		{"not UTF-8", "", "a,b\n1,2\n1,J\xfcrgen\n", "people.csv:3 column 2: this is not UTF-8; say how the file is written: encoding: windows-1252 (what Excel writes), latin1 or utf-16; or save it as UTF-8"},
		{"not UTF-8 over lines", "", "a,b\n1,\"x\nJ\xfcrgen\"\n", "people.csv:3: this is not UTF-8; say how the file is written: encoding: windows-1252 (what Excel writes), latin1 or utf-16; or save it as UTF-8"},
		{"zeros", "", "a,b\n1,x\x00\n", "people.csv:2 column 2: there is a zero byte in the text; the file is damaged, or is UTF-16: then set encoding: utf-16, utf-16le or utf-16be"},
		{"carriage returns", "", "a,b\r1,2\r3,4", "people.csv:1 column 2: a carriage return stands in the middle of a line; put the value between quotes; if lines end with a carriage return alone, save the file with other line ends"},
		{"carriage return beside quotes", "", "a,b\n\"1\",2\r3\n", "people.csv:2 column 2: a carriage return stands in the middle of a line; put the value between quotes"},
		{"heading twice", "", "a,b,a\n1,2,3\n", "people.csv:1 column 3: the heading \"a\" is that of column 1, too; give each column one heading; if the first line is a row already, set header: false and columns"},
		{"heading empty", "", "a,,b\n1,2,3\n", "people.csv:1 column 2: the heading is empty; give each column one heading; if the first line is a row already, set header: false and columns"},
		{"no headings", "", "1,ada@example.com\n", "people.csv:1 column 1: the first line looks like a row, not like headings; set header: false, and name the columns: columns: [id, firstName]"},
		{"no headings, address", "", "E1,ada@example.com\n", "people.csv:1 column 2: the first line looks like a row, not like headings; set header: false, and name the columns: columns: [id, firstName]"},
		{"column missing", ", header: true, columns: [a, c]", "a,b\n", "people.csv:1: there is no column \"c\"; the columns are a, b"},
		{"fewer rows than expected", ", rows: 2", "a,b\n1,2\n", "people.csv: the file has 1 row, and 2 were expected; it may have been cut off; get it again, or correct rows"},
		{"no trailer", ", trailer: END", "a,b\n1,2\n", "people.csv:2: the last line is not the trailer \"END\"; the file was cut off; get it again"},
		{"trailer with another number", ", trailer: END", "a,b\n1,2\nEND,7\n", "people.csv:3: the trailer promises 7 rows, and there are 1; the file lost rows; get it again"},
		{"rows below the trailer", ", trailer: END", "a,b\n1,2\nEND,1\n3,4\n", "people.csv:4: there are rows below the trailer; get the file again"},
		{"UTF-16 without mark", ", encoding: utf-16", "a,b\n", "people.csv:1: the file has no byte order mark: it has to be said as utf-16le or utf-16be; correct encoding, or leave it out"},
		{"other mark", ", encoding: latin1", "\xef\xbb\xbfa,b\n", "people.csv:1: the file begins with the mark of utf-8, and is said to be latin1; correct encoding, or leave it out"},
		{"half of a pair", ", encoding: utf-16le", "a\x00\n\x00\x00\xd8b\x00\n\x00", "the text is not UTF-16: it holds half of a character; check encoding, or get the file again"},
		{"half a unit", ", encoding: utf-16le", "a\x00\n\x00b", "the text is not UTF-16, or was cut off: it ends with half of a character; check encoding, or get the file again"},
		{"damaged gzip", "", "\x1f\x8bnot gzip at all", "people.csv: the compressed file is damaged or cut off; get it again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "people.csv", test.text)
			r := open(t, Env{}, dir, "csv: {file: people.csv"+test.options+"}")
			_, _, err := all(t.Context(), r)
			wantFault(t, err, test.want)
			if r.Identity() != "" {
				t.Error("what was not read to its end has an identity")
			}
		})
	}
}

func TestCSVPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "people.csv", "id,name\n1,\"a\nb\"\n\n2,x\n")
	r := open(t, Env{}, dir, "csv: people.csv")
	_, places, err := all(t.Context(), r)
	if diff := cmp.Diff([]string{"people.csv:2", "people.csv:5"}, places); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if want := filepath.Join(dir, "people.csv"); r.Describe() != want {
		t.Errorf("Describe = %s", r.Describe())
	}
}

func TestCSVFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := tryOpen(t, Env{}, dir, "csv: nobody.csv")
	wantFault(t, err, dir+"/nobody.csv: there is no such file; check the path; relative ones start at the folder of lanyard.yaml")
	_, err = tryOpen(t, Env{}, dir, "csv: .")
	wantFault(t, err, dir+": this is a folder; name a file in it")
	_, err = tryOpen(t, Env{}, dir, "csv: "+os.DevNull)
	wantFault(t, err, os.DevNull+": this is a pipe or a device, not a file; write what it gives into a file, or hand it over on the standard input: -")
	_, err = tryOpen(t, Env{}, dir, "csv: '-'")
	wantFault(t, err, "there is no standard input here; name a file")

	env := Env{Stdin: strings.NewReader("id\n1\n")}
	r, err := Open(t.Context(), OfFile("-"), env)
	if err != nil {
		t.Fatal(err)
	}
	got, places, err := all(t.Context(), r)
	if err != nil || places[0] != "standard input:2" || r.Describe() != "the standard input" {
		t.Errorf("%v %v %s", places, err, r.Describe())
	}
	want(t, got, `[{"id":"1"}]`)
	_, _, err = all(t.Context(), r)
	wantFault(t, err, "the standard input was read already; name a file")
}

func TestCSVCompressed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, "id,name\n1,Ada\n2,"+strings.Repeat("Bob", 5_000)+"\n")
	z.Close()
	write(t, dir, "people.csv.gz", b.String())
	r := open(t, Env{}, dir, "csv: people.csv.gz")
	if n := count(t, r); n != 2 {
		t.Errorf("%d rows", n)
	}
	sum := sha256.Sum256(b.Bytes())
	if want := "sha256:" + hex.EncodeToString(sum[:]); r.Identity() != want {
		t.Errorf("Identity = %s, want %s", r.Identity(), want)
	}
	for _, cut := range []int{1, 8, 9, b.Len() / 2} {
		write(t, dir, "people.csv.gz", b.String()[:b.Len()-cut])
		if _, _, err := all(t.Context(), r); !fault.Is(err, fault.Invalid) {
			t.Errorf("without its last %d bytes: %v", cut, err)
		}
	}
	write(t, dir, "people.csv.gz", b.String()+"more")
	if _, _, err := all(t.Context(), r); !fault.Is(err, fault.Invalid) {
		t.Errorf("with more behind it: %v", err)
	}
}

// TestFileThatChanges is about whoever writes a file while it is read.
func TestFileThatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "people.csv", "id\n"+strings.Repeat("1\n", 1_000))
	var last error
	for _, err := range open(t, Env{}, dir, "csv: people.csv").Rows(t.Context()) {
		if last = err; err == nil {
			if err := os.Chtimes(filepath.Join(dir, "people.csv"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !fault.Is(last, fault.Stale) {
		t.Errorf("the error is %v", last)
	}
}

func TestCSVStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "people.csv", "id\n"+strings.Repeat("1\n", 10_000))
	r := open(t, Env{}, dir, "csv: people.csv")
	n := 0
	for range r.Rows(t.Context()) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 || r.Identity() != "" {
		t.Errorf("%d rows, identity %q", n, r.Identity())
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	var last error
	for _, err := range r.Rows(ctx) {
		last = err
		n++
		cancel()
	}
	if !errors.Is(last, context.Canceled) || n > checkEvery+1 {
		t.Errorf("after %d rows: %v", n, last)
	}
	// A pipe that says nothing: only closing it ends the wait.
	in, out := io.Pipe()
	defer out.Close()
	ctx, cancel = context.WithCancel(t.Context())
	r, err := Open(ctx, OfFile("-"), Env{Stdin: in})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, _, err := all(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("a pipe ends with %v", err)
	}
}

// people writes rows of 30 columns, as an export of a personnel system has.
type people struct {
	rows, at int
	left     []byte
}

func (p *people) Read(b []byte) (int, error) {
	for len(p.left) == 0 {
		if p.at > p.rows {
			return 0, io.EOF
		}
		p.left = p.line(p.left[:0])
		p.at++
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}

func (p *people) line(b []byte) []byte {
	for i := range 30 {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case p.at == 0:
			b = append(b, "attribute"...)
		case i < 10:
			b = append(b, "value-"...)
			b = strconv.AppendInt(b, int64(p.at), 10)
		default:
			b = append(b, "the same "...)
		}
		if i >= 0 && p.at == 0 || i >= 10 {
			b = strconv.AppendInt(b, int64(i), 10)
		}
	}
	return append(b, '\n')
}

// TestCSVMemory reads some 18 MB, and twenty times as much is held to the same
// bound by LANYARD_ROWS=1000000.
func TestCSVMemory(t *testing.T) {
	rows := size(t, 50_000)
	r, err := Open(t.Context(), OfFile("-"), Env{Stdin: &people{rows: rows}})
	if err != nil {
		t.Fatal(err)
	}
	n, grown := heapWhile(t, r, rows/8)
	if n != rows || grown > 4<<20 {
		t.Errorf("%d of %d rows, the heap grew by %d KB", n, rows, grown>>10)
	}
}

// size is how many rows a test reads: LANYARD_ROWS, or otherwise.
func size(t testing.TB, otherwise int) int {
	text, ok := os.LookupEnv("LANYARD_ROWS")
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// BenchmarkCSV reads a file of 30 columns.
func BenchmarkCSV(b *testing.B) {
	const rows = 100_000
	var text bytes.Buffer
	if _, err := text.ReadFrom(&people{rows: rows}); err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	write(b, dir, "people.csv", text.String())
	r := open(b, Env{}, dir, "csv: people.csv")
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		count(b, r)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// FuzzCSV holds the scanner to encoding/csv: what both read must be the same
// but for line breaks in quotes, which encoding/csv rewrites, and what only one
// of them reads must have a reason.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n", "a,\"b\nc\"\r\n\n1,\"\"\"\"\n", "\"a", "a\"b", "\"a\"b", "a\rb", "\r", ",\n,", "\xff", "\x00", "a;b", "\"a\r\"\n", "\"\r\r\n\"",
	} {
		f.Add(seed, byte(','))
	}
	f.Fuzz(func(t *testing.T, text string, delimiter byte) {
		if !strings.Contains(delimiters, string(rune(delimiter))) {
			return
		}
		s := csvScanner{in: bufio.NewReaderSize(strings.NewReader(text), 16), name: "f", delimiter: delimiter}
		var ours [][]string
		var err error
		for err == nil {
			var fields []string
			if fields, err = s.next(); err == nil {
				ours = append(ours, slices.Clone(fields))
			}
		}
		theirs := csv.NewReader(strings.NewReader(text))
		theirs.Comma, theirs.FieldsPerRecord = rune(delimiter), -1
		others, theirErr := theirs.ReadAll()
		if errors.Is(err, io.EOF) {
			if theirErr != nil {
				t.Fatalf("%q is read as %q, encoding/csv says %v", text, ours, theirErr)
			}
			for _, record := range ours {
				for i := range record {
					record[i] = strings.ReplaceAll(record[i], "\r\n", "\n")
				}
			}
			if !cmp.Equal(ours, others) && !(len(ours) == 0 && len(others) == 0) {
				t.Fatalf("%q is read as %q, by encoding/csv as %q", text, ours, others)
			}
			return
		}
		var bad *badText
		msg := err.Error()
		if theirErr == nil && !errors.As(err, &bad) && !strings.Contains(msg, "zero byte") && !strings.Contains(msg, "carriage return") {
			t.Fatalf("%q is refused: %v; encoding/csv reads %q", text, err, others)
		}
	})
}
