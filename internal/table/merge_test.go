package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/table"
)

// cut is a store whose process is killed in front of a transaction: nothing works
// afterwards. between is done by somebody else after each one.
type cut struct {
	table.Store
	left    int // transactions; negative: it is not killed
	between func()
}

var errKilled = errors.New("killed")

func (c *cut) Update(ctx context.Context, f func(table.Tx) error) error {
	if c.left == 0 {
		return errKilled
	}
	c.left--
	err := c.Store.Update(ctx, f)
	if c.between != nil {
		c.between()
	}
	return err
}

func (c *cut) View(ctx context.Context, f func(table.Reader) error) error {
	if c.left == 0 {
		return errKilled
	}
	return c.Store.View(ctx, f)
}

// lines is a file of people with numbers.
func lines(from, to int, title string) string {
	var b strings.Builder
	b.WriteString("id,title\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "E%05d,%s\n", i, title)
	}
	return b.String()
}

// Many rows are merged in portions. Wherever the process ends, the table is as it
// was or as it is to be, nothing is left over, and the same again completes it.
func TestMergeInPortions(t *testing.T) {
	t.Parallel()
	const old, all = 1100, 1300 // two portions are carried over
	b := newBench(t)
	b.create("T", "id:text:key", "title:text", "note:text")
	if _, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T"}, strings.NewReader(lines(0, old, "old"))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Update(t.Context(), "test", "T", "3", map[string]any{"note": "stays"}, 0); err != nil {
		t.Fatal(err)
	}
	before := b.content("T")
	store := b.Store
	merge := func(left int) (*table.ImportReport, error) {
		tables := &table.Tables{Store: &cut{Store: store, left: left}, Now: b.Now, Scratch: b.Scratch, AtOnce: 100}
		return tables.Import(t.Context(), "test", table.ImportOptions{Table: "T", Mode: table.Merge}, strings.NewReader(lines(500, all, "new")))
	}
	var after string
	killed := 0
	for left := 1; after == ""; left++ {
		report, err := merge(left)
		if err == nil { // what is cut off now is only the tidying
			if want := (table.Counts{Inserted: all - old, Updated: old - 500}); report.Counts != want {
				t.Errorf("%+v, want %+v", report.Counts, want)
			}
			after = b.content("T")
		} else if killed++; !errors.Is(err, errKilled) {
			t.Fatal(err)
		} else if got := b.content("T"); got != before {
			t.Fatalf("killed in front of transaction %d, the table is another one", left+1)
		}
		if err := b.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.noSheets()
	}
	if killed < 6 {
		t.Errorf("there were %d places to be killed at", killed)
	}
	if n := strings.Count(after, ",new,"); n != all-500 || strings.Count(after, "\n") != all+1 || strings.Count(after, ",old,") != 500 || !strings.Contains(after, ",old,stays") {
		t.Errorf("%d rows are new", n)
	}
	if report, err := merge(-1); err != nil || report.Unchanged != all-500 || report.Inserted+report.Updated != 0 || b.content("T") != after {
		t.Errorf("once more: %+v, %v", report, err)
	}
	if row, err := b.RowByKey(t.Context(), "T", "E00600"); err != nil || row.Version != 2 || row.ID != "603" {
		t.Errorf("a row that was changed: %+v, %v", row, err)
	}
}

// noSheets makes sure that no sheet is noted that no table shows.
func (b bench) noSheets() {
	b.t.Helper()
	err := b.Store.View(b.t.Context(), func(r table.Reader) error {
		left, err := r.Sheets()
		if len(left) > 0 {
			b.t.Errorf("sheets are left over: %v", left)
		}
		return err
	})
	if err != nil {
		b.t.Error(err)
	}
}

// What others do to the table while many rows are merged is not lost, whether they
// do it once or all the time.
func TestMergeOvertaken(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int{"once": 1, "all the time": 1000} {
		b := newBench(t)
		b.create("T", "id:text:key", "title:text")
		if _, err := b.Import(t.Context(), "test", table.ImportOptions{Table: "T"}, strings.NewReader(lines(0, 200, "old"))); err != nil {
			t.Fatal(err)
		}
		others := 0
		tables := &table.Tables{Now: b.Now, Scratch: b.Scratch, AtOnce: 10, Store: &cut{Store: b.Store, left: -1, between: func() {
			if others == most {
				return
			}
			others++
			if _, _, err := b.Insert(t.Context(), "other", "T", map[string]any{"id": fmt.Sprint("X", others)}, ""); err != nil {
				t.Error(err)
			}
		}}}
		report, err := tables.Import(t.Context(), "test", table.ImportOptions{Table: "T", Mode: table.Merge}, strings.NewReader(lines(100, 300, "new")))
		if err != nil || report.Inserted != 100 || report.Updated != 100 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
		text := b.content("T")
		if n := strings.Count(text, "\nX"); n != others || strings.Count(text, ",new\n") != 200 || strings.Count(text, ",old\n") != 100 {
			t.Errorf("%s: %d of %d rows of somebody else", name, n, others)
		}
		if one, err := b.Table(t.Context(), "T"); err != nil || one.Rows != int64(300+others) {
			t.Errorf("%s: the table counts %d rows, %v", name, one.Rows, err)
		}
		b.noSheets()
	}
}
