package table_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/table"
)

// tables are empty ones on a new database.
func tables(t testing.TB) *table.Tables {
	t.Helper()
	db := sqlitetest.Open(t)
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	return &table.Tables{Store: db.Tables(), Now: func() time.Time { return now }, Scratch: t.TempDir()}
}

// bench is tables with calls that must succeed.
type bench struct {
	*table.Tables
	t *testing.T
}

func newBench(t *testing.T) bench { return bench{tables(t), t} }

func (b bench) columns(texts ...string) (out []table.Column) {
	b.t.Helper()
	for _, text := range texts {
		c, err := table.ParseColumn(text)
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func (b bench) create(name string, columns ...string) {
	b.t.Helper()
	if _, err := b.Create(b.t.Context(), "test", name, b.columns(columns...)); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) insert(name string, values map[string]any) table.Row {
	b.t.Helper()
	row, _, err := b.Insert(b.t.Context(), "test", name, values, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return row
}

func (b bench) load(o table.ImportOptions, text string) *table.ImportReport {
	b.t.Helper()
	report, err := b.Import(b.t.Context(), "test", o, strings.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	return report
}

// content is the whole table, a row a line, as CSV.
func (b bench) content(name string) string {
	b.t.Helper()
	var out bytes.Buffer
	if err := b.Export(b.t.Context(), table.ExportOptions{Table: name}, &out); err != nil {
		b.t.Fatal(err)
	}
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}

func (b bench) refused(err error, kind fault.Kind, part string) {
	b.t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(public(err), part) {
		b.t.Errorf("error %v, want %v with %q", err, kind, part)
	}
}

func public(err error) string {
	var list *fault.List
	if errors.As(err, &list) {
		return list.Public()
	}
	return fault.Public(err)
}

func number(s string) json.Number { return json.Number(s) }

func TestRows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.create("Sample Users", "id:text:key", "age:number", "active:boolean", "born:date", "seen:time", "more:json")
	row := b.insert("sample users", map[string]any{"ID": "00017", "age": number("1.50"), "active": true, "born": "2026-02-28", "seen": "2026-03-29T01:30:00+01:00", "more": map[string]any{"a": []any{number("1")}}})
	want := table.Row{ID: "1", Version: 1, Values: map[string]any{"id": "00017", "age": number("1.50"), "active": true, "born": "2026-02-28", "seen": "2026-03-29T01:30:00+01:00", "more": map[string]any{"a": []any{number("1")}}}}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Errorf("inserted (-want +got):\n%s", diff)
	}
	got, err := b.RowByKey(ctx, "Sample Users", "00017")
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("RowByKey = %v, %v", got, err)
	}

	for _, test := range []struct {
		values map[string]any
		kind   fault.Kind
		part   string
	}{
		{map[string]any{"id": "00017"}, fault.Conflict, "already"},
		{map[string]any{"age": "5"}, fault.Invalid, "column id"},
		{map[string]any{"id": ""}, fault.Invalid, "may not be empty"},
		{map[string]any{"id": "1", "age": "01"}, fault.Invalid, "such as 12"},
		{map[string]any{"id": "1", "born": "2026-02-30"}, fault.Invalid, "column born"},
		{map[string]any{"id": "1", "active": "yes"}, fault.Invalid, "true or false"},
		{map[string]any{"id": "1", "seen": "2026-03-29"}, fault.Invalid, "column seen"},
		{map[string]any{"id": "1", "seen": map[string]any{}}, fault.Invalid, "column seen"},
		{map[string]any{"id": "1\x00"}, fault.Invalid, "NUL"},
		{map[string]any{"id": "1", "more": map[string]any{"x": []any{"\xff"}}}, fault.Invalid, "UTF-8"},
		{map[string]any{"id": "1", "agee": 1}, fault.Invalid, "did you mean age?"},
		{map[string]any{"id": "1", "ID": "2"}, fault.Invalid, "twice"},
		{map[string]any{"id": strings.Repeat("x", 1001)}, fault.TooLarge, "key"},
		{map[string]any{"id": "1", "more": strings.Repeat("x", table.MaxRowBytes)}, fault.TooLarge, "bytes"},
	} {
		_, _, err := b.Insert(ctx, "test", "Sample Users", test.values, "")
		b.refused(err, test.kind, test.part)
	}

	row, outcome, err := b.Update(ctx, "test", "Sample Users", "1", map[string]any{"age": number("1.5"), "born": nil}, 1)
	if err != nil || outcome != table.Updated || row.Version != 2 || row.Values["age"] != number("1.5") || row.Values["born"] != nil {
		t.Errorf("Update = %v, %s, %v", row, outcome, err)
	}
	if _, outcome, err = b.Update(ctx, "test", "Sample Users", "1", map[string]any{"age": number("1.5")}, 2); err != nil || outcome != table.Unchanged {
		t.Errorf("the same Update = %s, %v", outcome, err)
	}
	_, _, err = b.Update(ctx, "test", "Sample Users", "1", map[string]any{"age": nil}, 1)
	b.refused(err, fault.Stale, "version is 2, not 1")
	_, _, err = b.Update(ctx, "test", "Sample Users", "7", nil, 0)
	b.refused(err, fault.NotFound, "no row")
	b.insert("Sample Users", map[string]any{"id": "2"})
	_, _, err = b.Update(ctx, "test", "Sample Users", "1", map[string]any{"id": "2"}, 0)
	b.refused(err, fault.Conflict, "already")

	if err := b.Delete(ctx, "test", "Sample Users", "1"); err != nil {
		t.Error(err)
	}
	b.refused(b.Delete(ctx, "test", "Sample Users", "1"), fault.NotFound, "no row")
	found, err := b.Table(ctx, "Sample Users")
	if err != nil || found.Rows != 1 {
		t.Errorf("%v rows are left, %v", found, err)
	}
	changes, err := b.Changes(ctx, "Sample Users", 2)
	if err != nil || len(changes) != 2 || changes[0].What != "delete" || changes[0].Actor != "test" {
		t.Errorf("Changes = %v, %v", changes, err)
	}
	if n, err := b.Clear(ctx, "test", "Sample Users"); err != nil || n != 1 {
		t.Errorf("Clear = %d, %v", n, err)
	}
	if b.insert("Sample Users", map[string]any{"id": "2"}).ID != "3" {
		t.Error("the id of a row was given again")
	}
	if err := b.Drop(ctx, "test", "SAMPLE users"); err != nil {
		t.Error(err)
	}
	_, err = b.Table(ctx, "Sample Users")
	b.refused(err, fault.NotFound, "no table")
}

// An insertion that is repeated under its idempotency key adds nothing.
func TestInsertOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "a")
	for i, want := range []table.Outcome{table.Inserted, table.Unchanged} {
		row, outcome, err := b.Insert(t.Context(), "test", "T", map[string]any{"a": "x"}, "run/1 step")
		if err != nil || row.ID != "1" || outcome != want {
			t.Errorf("insertion %d: %v, %s, %v", i, row, outcome, err)
		}
	}
	if got := b.content("T"); got != "a\n\"x\"\n" && got != "a\nx\n" {
		t.Errorf("the table is %q", got)
	}
}

func TestUpsert(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "k:number:key", "a", "b")
	rows := []map[string]any{{"k": "1", "a": "x"}, {"k": "2", "a": "y", "b": "z"}}
	for _, want := range []table.Counts{{Inserted: 2}, {Unchanged: 2}} {
		list, counts, err := b.Upsert(t.Context(), "test", "T", rows)
		if err != nil || counts != want || len(list) != 2 {
			t.Errorf("Upsert = %v, %v, want %v", counts, err, want)
		}
	}
	_, counts, err := b.Upsert(t.Context(), "test", "T", []map[string]any{{"k": "2", "a": "new"}, {"k": "3"}})
	if err != nil || counts != (table.Counts{Inserted: 1, Updated: 1}) {
		t.Errorf("Upsert = %v, %v", counts, err)
	}
	if got := b.content("T"); got != "k,a,b\n1,x,\n2,new,z\n3,,\n" {
		t.Errorf("the table is %q", got)
	}
	_, _, err = b.Upsert(t.Context(), "test", "T", []map[string]any{{"k": "4"}, {"a": "no key"}})
	b.refused(err, fault.Invalid, "row 2, column k")
	if found, _ := b.Table(t.Context(), "T"); found.Rows != 3 {
		t.Error("half of an upsert was kept")
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "name:text:key", "n:number", "on:boolean", "day:date", "at:time", "j:json")
	for i := range 25 {
		values := map[string]any{"name": fmt.Sprintf("p%02d", i), "n": number(fmt.Sprint(i % 7)), "on": i%2 == 0, "day": fmt.Sprintf("2026-01-%02d", i+1), "at": fmt.Sprintf("2026-01-01T%02d:00:00+02:00", i%24)}
		if i%5 == 0 {
			values["n"], values["j"] = nil, map[string]any{"tag": []any{"five", number(fmt.Sprint(i))}}
		}
		b.insert("T", values)
	}
	for _, test := range []struct {
		filter, order string
		want          string // names, without p
	}{
		{"", "", "00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24"},
		{`n eq 6`, "", "06 13"},
		{`n gt 4 and on eq true`, "", "06 12"},
		{`name sw "p0" and not (n pr)`, "", "00 05"},
		{`name eq "p17"`, "", "17"},
		{`name eq "P17"`, "", ""},
		{`day ge "2026-01-24"`, "", "23 24"},
		{`at gt "2026-01-01T20:30:00Z"`, "", "23"},
		{`j.tag eq "five" and j.tag eq 20`, "", "20"},
		{`NAME co "7"`, "name desc", "17 07"},
		{`n le 1`, "n", "07 14 21 01 08 22"},
		{`n le 1`, "n desc", "01 08 22 07 14 21"},
		{`name sw "p2"`, "n asc", "21 22 23 24 20"},
	} {
		var got []string
		q := table.Query{Filter: test.filter, Order: test.order, Limit: 3}
		for pages := 0; ; pages++ {
			page, err := b.Query(t.Context(), "T", q)
			if err != nil || pages > 20 {
				t.Fatalf("%s %s: %v", test.filter, test.order, err)
			}
			for _, row := range page.Rows {
				got = append(got, strings.TrimPrefix(fmt.Sprint(row.Values["name"]), "p"))
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s %s: %s, want %s", test.filter, test.order, strings.Join(got, " "), test.want)
		}
	}
	for _, test := range []struct {
		q    table.Query
		part string
	}{
		{table.Query{Filter: `n eq "6"`}, "without quotes"},
		{table.Query{Filter: `nn eq 6`}, "did you mean n?"},
		{table.Query{Filter: `day gt "yesterday"`}, "2026-03-29"},
		{table.Query{Filter: `on gt true`}, "eq true"},
		{table.Query{Filter: `name.x eq "a"`}, "nothing inside"},
		{table.Query{Filter: `name eq`}, "filter"},
		{table.Query{Order: "j"}, "json"},
		{table.Query{Order: "n up"}, "no order"},
		{table.Query{After: "x"}, "does not continue"},
		{table.Query{Limit: -1}, "-1 rows"},
	} {
		_, err := b.Query(t.Context(), "T", test.q)
		b.refused(err, fault.Invalid, test.part)
	}
}

func TestAlter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "a", "b", "gone")
	b.insert("T", map[string]any{"a": "1", "b": "x", "gone": "y"})
	b.insert("T", map[string]any{"a": "2", "b": "x"})
	key := func(name string) *string { return &name }
	alter := func(a table.Alteration, want string) {
		t.Helper()
		if _, err := b.Alter(t.Context(), "test", "T", a); err != nil {
			t.Fatal(err)
		}
		if got := b.content("T"); got != want {
			t.Errorf("the table is %q, want %q", got, want)
		}
	}
	alter(table.Alteration{Drop: []string{"gone"}, Add: b.columns("gone:number"), Rename: map[string]string{"b": "c"}}, "a,c,gone\n1,x,\n2,x,\n")
	alter(table.Alteration{Types: map[string]table.Type{"a": table.Number}, Key: key("a")}, "a,c,gone\n1,x,\n2,x,\n")
	_, err := b.Alter(t.Context(), "test", "T", table.Alteration{Key: key("c")})
	b.refused(err, fault.Conflict, "row 2, column c")
	_, err = b.Alter(t.Context(), "test", "T", table.Alteration{Require: []string{"gone"}})
	b.refused(err, fault.Invalid, "row 1, column gone")
	_, err = b.Alter(t.Context(), "test", "T", table.Alteration{Types: map[string]table.Type{"c": table.Date}})
	b.refused(err, fault.Invalid, "2026-03-29")
	_, err = b.Alter(t.Context(), "test", "T", table.Alteration{Optional: []string{"a"}})
	b.refused(err, fault.Conflict, "is the key")
	_, err = b.Alter(t.Context(), "test", "T", table.Alteration{Add: b.columns("new:text:required")})
	b.refused(err, fault.Conflict, "2 rows")
	b.create("Other", "a")
	_, err = b.Alter(t.Context(), "test", "T", table.Alteration{Name: "OTHER"})
	b.refused(err, fault.Conflict, "already")
	if _, err := b.RowByKey(t.Context(), "T", number("2")); err != nil {
		t.Error(err)
	}
}

// The rows of a large table are written beside it.
func TestAlterLargeTable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.AtOnce = 2
	b.create("T", "a", "b")
	var lines strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&lines, "%d,x\n", i)
	}
	b.load(table.ImportOptions{Table: "T"}, "a,b\n"+lines.String())
	after, err := b.Alter(t.Context(), "test", "T", table.Alteration{Types: map[string]table.Type{"a": table.Number}, Name: "U"})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := b.Table(t.Context(), "U"); err != nil || after.Version != now.Version || now.Columns[0].Type != table.Number || now.Rows != 1200 {
		t.Errorf("the table is %+v, %v, and was said to be %+v", now, err, after)
	}
	if got := b.content("U"); got != "a,b\n"+lines.String() {
		t.Errorf("the table is %.40q of %d bytes", got, len(got))
	}
	column := "b"
	_, err = b.Alter(t.Context(), "test", "U", table.Alteration{Key: &column})
	b.refused(err, fault.Conflict, "row 4, column b")
	b.noSheets()
}

func TestRowsBeingReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "a")
	var lines strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&lines, "%d\n", i)
	}
	b.load(table.ImportOptions{Table: "T"}, "a\n"+lines.String())
	n := 0
	var last error
	for values, err := range b.Rows(t.Context(), "T") {
		if last = err; err == nil && values["a"] == nil {
			t.Errorf("row %d is %v", n, values)
		}
		if n++; n == 10 {
			b.load(table.ImportOptions{Table: "T", Mode: table.Replace}, "a\nnew\n")
		}
	}
	b.refused(last, fault.Stale, "replaced")
	for _, err := range b.Rows(t.Context(), "none") {
		b.refused(err, fault.NotFound, "no table")
	}
}

// Whoever changes the same table at once waits; nothing is lost.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create("T", "k:text:key", "n:number")
	const workers, each = 8, 20
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range each {
				_, _, err := b.Upsert(t.Context(), "test", "T", []map[string]any{{"k": fmt.Sprint(i), "n": number(fmt.Sprint(w))}, {"k": fmt.Sprint(w, "/", i)}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	found, err := b.Table(t.Context(), "T")
	if err != nil || found.Rows != each+workers*each {
		t.Errorf("%v, %v; want %d rows", found, err, each+workers*each)
	}
}

func sampleUsers(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("../../examples/anything-as-a-source/sampleUsers.csv")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
