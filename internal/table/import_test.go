package table_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/table"
)

// The sample people: what each column is taken for, and why.
func TestImportSampleUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("Sample Users")
	o := table.ImportOptions{Table: "Sample Users", File: "sampleUsers.csv", Key: "id"}
	preview := o
	preview.Preview = true
	if r := b.load(preview, sampleUsers(t)); r.Lines != 100 || len(r.Sample) != 5 || r.Inserted != 0 || r.Sample[0]["postcode"] != "04109" {
		t.Errorf("preview: %+v", r)
	}
	if found, _ := b.Table(t.Context(), "Sample Users"); found.Version != 1 || len(found.Columns) != 0 {
		t.Errorf("a preview changed the table: %+v", found)
	}
	r := b.load(o, sampleUsers(t))
	types := map[string]table.Type{}
	for _, g := range r.Columns {
		types[g.Column] = g.Type
	}
	want := map[string]table.Type{"active": table.Boolean, "street_number": table.Number, "dob": table.Date}
	for name, typ := range types {
		if expected := want[name]; typ != expected && (expected != "" || typ != table.Text) {
			t.Errorf("the column %s is taken for %s", name, typ)
		}
	}
	if why := r.Columns[0].Why; why != `"00001" in line 2 begins with a zero that would be lost` {
		t.Errorf("id is a text because %s", why)
	}
	if r.Inserted != 100 || r.Lines != 100 {
		t.Errorf("report: %+v", r)
	}
	o.Key, o.Mode = "", table.Merge
	if r = b.load(o, sampleUsers(t)); r.Counts != (table.Counts{Unchanged: 100}) {
		t.Errorf("the second time: %+v", r.Counts)
	}
	if found, _ := b.Table(t.Context(), "Sample Users"); found.Rows != 100 {
		t.Errorf("%d rows", found.Rows)
	}
}

func TestGuess(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cells string // separated by blanks; - is an empty one
		typ   table.Type
		why   string
	}{
		{"1 -2.50 0 0.5 -", table.Number, "all filled cells are numbers (4)"},
		{"1 02", table.Text, `"02" in line 3 begins with a zero`},
		{"1 1e5", table.Text, "may be a code"},
		{"1234567890123456", table.Text, "digits of a code"},
		{"true FALSE", table.Boolean, "all filled cells are true or false (2)"},
		{"true yes", table.Text, `"yes" in line 3 is no boolean`},
		{"1 0", table.Number, ""},
		{"2026-03-29 2024-02-29", table.Date, ""},
		{"2026-03-29 2025-02-29", table.Text, "2025-02-29"},
		{"03/04/2026 13/04/2026", table.Text, "more than one way"},
		{"3.4.26", table.Text, "more than one way"},
		{"2026-03-29T01:30:00Z 2026-03-29T01:30:00.5+01:00", table.Time, ""},
		{"2026-03-29T01:30:00", table.Text, "is no time"},
		{`{"a":1} [1]`, table.JSON, ""},
		{`{"a":1,"a":2}`, table.Text, "is no json"},
		{"+49 1", table.Text, `"+49" in line 2 is nothing else`},
		{"- -", table.Text, "nothing in it"},
		{"", table.Text, "no cell has anything in it"},
	} {
		b := newBench(t)
		text := "other,c\n"
		for _, cell := range strings.Fields(test.cells) {
			if cell == "-" {
				cell = ""
			}
			text += `x,"` + strings.ReplaceAll(cell, `"`, `""`) + "\"\n"
		}
		why := strings.Replace(test.why, "nothing in it", "no cell has anything in it", 1)
		r := b.load(table.ImportOptions{Table: "T", Preview: true}, text)
		if g := r.Columns[1]; g.Type != test.typ || !strings.Contains(g.Why, why) {
			t.Errorf("%s: %s because %s, want %s because %s", test.cells, g.Type, g.Why, test.typ, test.why)
		}
	}
}

// Every bad line is named, with its column and what to do, and nothing is written
// when one is bad.
func TestImportBadLines(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "id:text:key", "n:number", "day:date")
	b.insert("T", map[string]any{"id": "old"})
	text := "id,n,day\n" + // 1
		"a,1,2026-01-01\n" + // 2
		"b,x,2026-01-32\n" + // 3: two mistakes
		"\"c\nd\",1,\n" + // 4 and 5
		"e,1\n" + // 6: a cell is missing
		",1,\n" + // 7: no key
		"f,say \"no\",\n" + // 8: a quote inside
		"\"g\"x,1,\n" + // 9: behind the quote
		"\n" + // 10: nothing
		"a,2,\n" + // 11: the key of line 2
		"h,\xff,\n" + // 12
		"i,3,2026-01-02\n" // 13
	o := table.ImportOptions{Table: "T", File: "people.csv"}
	_, err := b.Import(t.Context(), "test", o, strings.NewReader(text))
	want := []string{
		`people.csv:3, column n: "x" is no number`, `people.csv:3, column day: "2026-01-32" is no date`, "people.csv:6: the line has 2 cells, the header 3",
		"people.csv:7, column id: the cell is empty", "people.csv:8: a quote stands inside", "people.csv:9: something stands behind the quote",
		`people.csv:12, column n`, `people.csv:11, column id: the key "a" stands in line 2 already`, "7 of 10 lines are bad; nothing was imported",
	}
	for _, part := range want {
		if !strings.Contains(public(err), part) {
			t.Errorf("the error lacks %q:\n%s", part, public(err))
		}
	}
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("error %v, want Invalid", err)
	}
	if got := b.content("T"); got != "id,n,day\nold,,\n" {
		t.Errorf("the table is %q", got)
	}
	o.SkipBad = true
	if r := b.load(o, text); r.Inserted != 3 || r.Skipped != 7 || len(r.Bad) != 8 {
		t.Errorf("with bad lines left out: %+v", r)
	}
	if got := b.content("T"); got != "id,n,day\nold,,\na,1,2026-01-01\n\"c\nd\",1,\ni,3,2026-01-02\n" {
		t.Errorf("the table is %q", got)
	}
	// The same once more: the keys are there.
	again := table.ImportOptions{Table: "T", File: "p"}
	_, err = b.Import(t.Context(), "test", again, strings.NewReader("id\nnew\na\n"))
	b.refused(err, fault.Conflict, `p:3, column id`)
	again.SkipBad = true
	r := b.load(again, "id\nnew\na\nold\n")
	if r.Inserted != 1 || r.Skipped != 2 || len(r.Bad) != 2 || r.Bad[0].Place != "p:3, column id" || r.Bad[1].Place != "p:4, column id" {
		t.Errorf("with keys that are there: %+v", r)
	}
	if got := b.content("T"); !strings.HasSuffix(got, "i,3,2026-01-02\nnew,,\n") {
		t.Errorf("the table is %q", got)
	}
}

// growing is a file to which somebody writes once it was read.
type growing struct {
	*strings.Reader
	more string
}

func (g *growing) Seek(offset int64, whence int) (int64, error) {
	if g.Len() == 0 {
		g.Reader = strings.NewReader(g.more)
	}
	return g.Reader.Seek(offset, whence)
}

func TestImportOfGrowingFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "id:text:key")
	b.insert("T", map[string]any{"id": "old"})
	_, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T"}, &growing{strings.NewReader("id\n1\n"), "id\n1\n2\n"})
	b.refused(err, fault.Stale, "grew")
	if got := b.content("T"); got != "id\nold\n" {
		t.Errorf("the table is %q", got)
	}
}

// What is appended to a table without rows takes the place of its sheet.
func TestAppendToEmptyTable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "id:text:key")
	b.insert("T", map[string]any{"id": "gone"})
	if _, err := b.Clear(t.Context(), "test", "T"); err != nil {
		t.Fatal(err)
	}
	if r := b.load(table.ImportOptions{Table: "T"}, "id\n1\n2\n"); r.Inserted != 2 || r.Removed != 0 {
		t.Errorf("the import says %+v", r)
	}
	b.load(table.ImportOptions{Table: "T"}, "id\n3\n")
	if got := b.content("T"); got != "id\n1\n2\n3\n" {
		t.Errorf("the table is %q", got)
	}
	b.noSheets()
}

// unheard is a store whose answer is lost when a table is given a sheet.
type unheard struct{ table.Store }

func (u unheard) Update(ctx context.Context, f func(table.Tx) error) error {
	lost := false
	err := u.Store.Update(ctx, func(tx table.Tx) error {
		before, err := tx.Table("t")
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		after, err := tx.Table("t")
		lost = err == nil && after.Sheet != before.Sheet
		return err
	})
	if err == nil && lost {
		return fault.New(fault.Unavailable, "the answer is lost")
	}
	return err
}

// A transaction may be kept although its caller was told that it failed. The rows that
// a table shows then are no waste.
func TestUnheardCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "id:text:key")
	b.Store = unheard{b.Store}
	_, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T", Mode: table.Replace}, strings.NewReader("id\n1\n"))
	b.refused(err, fault.Unavailable, "lost")
	if got := b.content("T"); got != "id\n1\n" {
		t.Errorf("the table is %q", got)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.MaxRows = 3
	b.create("T", "id:text:key", "n:number:required")
	for _, test := range []struct {
		o    table.ImportOptions
		text string
		kind fault.Kind
		part string
	}{
		{table.ImportOptions{Table: "T"}, "", fault.Invalid, "empty"},
		{table.ImportOptions{Table: "T"}, "\xff\xfei\x00d\x00", fault.Invalid, "UTF-16"},
		{table.ImportOptions{Table: "T"}, "PK\x03\x04", fault.Invalid, "workbook"},
		{table.ImportOptions{Table: "T"}, "id,n,idd\n", fault.Invalid, "did you mean id?"},
		{table.ImportOptions{Table: "T"}, "id\n1\n", fault.Invalid, `lacks the column "n"`},
		{table.ImportOptions{Table: "T"}, "id,n,ID\n", fault.Invalid, "twice"},
		{table.ImportOptions{Table: "T"}, "id,n\n1,\"2\n3,4\n", fault.Invalid, "line 2 is not closed"},
		{table.ImportOptions{Table: "T"}, "id,n\n1,1\n2,1\n3,1\n4,1\n", fault.TooLarge, "4 rows"},
		{table.ImportOptions{Table: "T", Mode: "merge"}, "id,n\n", fault.Invalid, "no mode"},
		{table.ImportOptions{Table: "T", Key: "n"}, "id,n\n", fault.Conflict, "columns already"},
		{table.ImportOptions{Table: "T", Delimiter: "|"}, "id|n\n", fault.Invalid, "delimiter"},
		{table.ImportOptions{Table: "New", Mode: table.Merge}, "id,n\n", fault.Invalid, "--key"},
		{table.ImportOptions{Table: "New", Key: "x"}, "id,n\n", fault.Invalid, "no column"},
		{table.ImportOptions{Table: "New"}, "id,\n", fault.Invalid, "column 2 has no name"},
		{table.ImportOptions{Table: "New"}, "id,Id\n", fault.Invalid, "twice"},
		{table.ImportOptions{Table: "a/b"}, "id\n", fault.Invalid, "slash"},
		{table.ImportOptions{Table: "New"}, "id\n\"" + strings.Repeat("x", 600<<10) + "\"\n", fault.Invalid, "bad"},
	} {
		_, err := b.Import(t.Context(), "test", test.o, strings.NewReader(test.text))
		if !fault.Is(err, test.kind) && test.part != "bad" || !strings.Contains(public(err), test.part) {
			t.Errorf("%q: %v, want %v with %q", test.text[:min(len(test.text), 40)], err, test.kind, test.part)
		}
	}
	if list, err := b.List(t.Context()); err != nil || len(list) != 1 || list[0].Rows != 0 {
		t.Errorf("something was written: %v, %v", list, err)
	}
}

func TestImportForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"BOM and CRLF", "\xef\xbb\xbfa,b\r\n1,2\r\n", "a,b\n1,2\n"},
		{"semicolons", "a;b\n\"x;y\";2,5\n", "a,b\n\"x;y\",\"2,5\"\n"},
		{"blank lines first", "\n\r\na;b\n1;2\n", "a,b\n1,2\n"},
		{"tabs", "a\tb\n1\t2\n", "a,b\n1,2\n"},
		{"CR", "a,b\r1,2\r3,4", "a,b\n1,2\n3,4\n"},
		{"headers of people", "First Name,\"e-mail, work\",3rd,Straße\n1,2,3,4\n", "First_Name,e-mail_work,_3rd,Straße\n1,2,3,4\n"},
		{"one column", "a\n\n\"\"\nx\n", "a\n\"\"\nx\n"},
		{"a formula of others stays", "a\n=1+1\n'=2\n", "a\n'=1+1\n''=2\n"},
		{"an export of ours", "a,b\n'=1+1,-5\n''x,7\n", "a,b\n'=1+1,-5\n''x,7\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.load(table.ImportOptions{Table: "T"}, test.text)
			if got := b.content("T"); got != test.want {
				t.Errorf("the table is %q, want %q", got, test.want)
			}
		})
	}
}

func TestImportModes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "id:text:key", "a", "b:text:required")
	b.load(table.ImportOptions{Table: "T"}, "id,a,b\n1,x,y\n2,x,y\n")
	r := b.load(table.ImportOptions{Table: "T", Mode: table.Merge}, "id,b\n2,new\n")
	if r.Counts != (table.Counts{Updated: 1}) || b.content("T") != "id,a,b\n1,x,y\n2,x,new\n" {
		t.Errorf("upsert: %+v, %q", r, b.content("T"))
	}
	_, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T", Mode: table.Merge}, strings.NewReader("id,a\n1,z\n3,q\n"))
	b.refused(err, fault.Invalid, `key "3", column b`)
	r = b.load(table.ImportOptions{Table: "T", Mode: table.Replace}, "id,b\n2,only\n")
	if r.Inserted != 1 || r.Removed != 2 || b.content("T") != "id,a,b\n2,,only\n" {
		t.Errorf("replace: %+v, %q", r, b.content("T"))
	}
	if err := b.Sweep(t.Context()); err != nil || b.content("T") != "id,a,b\n2,,only\n" {
		t.Errorf("swept: %v, %q", err, b.content("T"))
	}
}

// A table that changes while a file is read for it is not written over.
func TestImportStale(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "a")
	file := &meddler{text: strings.NewReader("a\nx\n"), then: func() {
		if _, err := b.Alter(t.Context(), "test", "T", table.Alteration{Add: b.columns("b")}); err != nil {
			t.Error(err)
		}
	}}
	_, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T"}, file)
	b.refused(err, fault.Stale, "columns")
	if got := b.content("T"); got != "a,b\n" {
		t.Errorf("the table is %q", got)
	}
}

// meddler is a file that does something when it is read for the second time.
type meddler struct {
	text  *strings.Reader
	seeks int
	then  func()
}

func (m *meddler) Read(b []byte) (int, error) { return m.text.Read(b) }

func (m *meddler) Seek(offset int64, whence int) (int64, error) {
	if m.seeks++; m.seeks == 3 { // once to see that it can, once for each reading
		m.then()
	}
	return m.text.Seek(offset, whence)
}

// Any text survives an export and an import, whatever stands beside it.
func FuzzRoundTrip(f *testing.F) {
	for _, text := range []string{"", "x", "=1+1", "'x", "''=x", "-5", "+49 30", "\r\n", "\n", "\r", "\t", "a,b;c\td", `"`, `""`, " x ", "＝1", "\xef\xbb\xbf", "@", "'", "007", "null", "\u2028", "💡", "'-"} {
		f.Add(text, "other")
		f.Add(text, text)
	}
	shared := tables(f)
	f.Fuzz(func(t *testing.T, x, y string) {
		b := bench{shared, t}
		defer b.dropAll()
		b.create("T", "a", "b", "n:number", "j:json")
		row, _, err := b.Insert(t.Context(), "test", "T", map[string]any{"a": x, "b": y, "j": x}, "")
		if err != nil {
			return // not UTF-8, or NUL
		}
		b.insert("T", map[string]any{"b": x, "n": "-5", "j": []any{y}})
		var first bytes.Buffer
		if err := b.Export(t.Context(), table.ExportOptions{Table: "T"}, &first); err != nil {
			t.Fatal(err)
		}
		b.create("U", "a", "b", "n:number", "j:json")
		if _, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "U"}, bytes.NewReader(first.Bytes())); err != nil {
			t.Fatalf("%q: %v", first.String(), err)
		}
		page, err := b.Query(t.Context(), "U", table.Query{})
		if err != nil || len(page.Rows) != 2 {
			t.Fatalf("%q: %d rows, %v", first.String(), len(page.Rows), err)
		}
		if diff := cmp.Diff(row.Values, page.Rows[0].Values); diff != "" {
			t.Errorf("%q (-before +after):\n%s", first.String(), diff)
		}
		var again bytes.Buffer
		if err := b.Export(t.Context(), table.ExportOptions{Table: "U"}, &again); err != nil || again.String() != first.String() {
			t.Errorf("exported once more: %q, %v", again.String(), err)
		}
		for line := range strings.Lines(first.String()) {
			if line = strings.TrimPrefix(line, `"`); strings.ContainsAny(line[:1], "=+@") && !strings.ContainsAny(x+y, "\r\n") {
				t.Errorf("a line begins with a formula: %q", line)
			}
		}
	})
}

func (b bench) dropAll() {
	b.t.Helper()
	list, err := b.List(b.t.Context())
	for _, one := range list {
		if err == nil {
			err = b.Drop(b.t.Context(), "test", one.Name)
		}
	}
	if err != nil {
		b.t.Error(err)
	}
}

// No text makes an import fail in any other way than by naming lines.
func FuzzImport(f *testing.F) {
	f.Add("a,b\n1,2\n")
	f.Add("a;b\r\"x\"\"\r\n\";2\r")
	f.Add("a\n\"")
	f.Add(",\n\"\"x")
	shared := tables(f)
	f.Fuzz(func(t *testing.T, text string) {
		b := bench{shared, t}
		defer b.dropAll()
		_, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T", SkipBad: true}, strings.NewReader(text))
		if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// A file that cannot be read twice is kept meanwhile, and gone then.
func TestImportStream(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T"}, io.MultiReader(strings.NewReader("a\n1"), strings.NewReader("2\n")))
	if err != nil || r.Inserted != 1 || b.content("T") != "a\n12\n" {
		t.Errorf("%+v, %v", r, err)
	}
	left, err := os.ReadDir(b.Scratch)
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// many is a file of n lines that is never in memory as a whole.
type many struct {
	n, at int
	rest  []byte
}

func (m *many) Read(b []byte) (int, error) {
	for len(m.rest) == 0 {
		switch {
		case m.at > m.n:
			return 0, io.EOF
		case m.at == 0:
			m.rest = []byte("id,name,mail,n\n")
		default:
			m.rest = fmt.Appendf(nil, "%07d,Somebody %d,p%d@example.com,%d\n", m.at, m.at, m.at, m.at%100)
		}
		m.at++
	}
	n := copy(b, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// LANYARD_TABLE_ROWS makes it longer: a million rows are a table too.
func TestLargeTable(t *testing.T) {
	t.Parallel()
	n := 3000
	if text := os.Getenv("LANYARD_TABLE_ROWS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	b := newBench(t)
	for _, mode := range []table.Mode{table.Append, table.Merge, table.Replace} {
		o := table.ImportOptions{Table: "T", Mode: mode}
		if mode == table.Append {
			o.Key = "id"
		}
		r, err := b.Import(t.Context(), "test", o, &many{n: n})
		if err != nil || r.Lines != int64(n) {
			t.Fatalf("%s: %+v, %v", mode, r, err)
		}
		if want := map[table.Mode]int64{table.Append: int64(n), table.Replace: int64(n)}[mode]; r.Inserted != want {
			t.Errorf("%s: %+v", mode, r.Counts)
		}
	}
	page, err := b.Query(t.Context(), "T", table.Query{Filter: `n eq 7`, Order: "name desc", Limit: 10})
	if err != nil || len(page.Rows) != 10 {
		t.Errorf("%d rows, %v", len(page.Rows), err)
	}
}
