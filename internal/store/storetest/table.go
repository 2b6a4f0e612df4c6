package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/table"
)

// TestTables holds a table.Store to its promises. open returns an empty store,
// closed when the test ends.
func TestTables(t *testing.T, open func(t *testing.T) table.Store) {
	for name, run := range map[string]func(*testing.T, tableBench){
		"Tables": testTableTables, "Rows": testTableRows, "Keys": testTableKeys, "Sheets": testTableSheets, "Changes": testTableChanges,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, tableBench{t, open(t)})
		})
	}
}

// tableBench runs single transactions that must succeed.
type tableBench struct {
	t     *testing.T
	store table.Store
}

func (b tableBench) update(f func(table.Tx) error) {
	b.t.Helper()
	if err := b.store.Update(b.t.Context(), f); err != nil {
		b.t.Fatalf("Update: %v", err)
	}
}

func (b tableBench) fails(kind fault.Kind, f func(table.Tx) error) {
	b.t.Helper()
	if err := b.store.Update(b.t.Context(), f); !fault.Is(err, kind) {
		b.t.Errorf("Update = %v, want a fault of kind %v", err, kind)
	}
}

func (b tableBench) view(f func(table.Reader) error) {
	b.t.Helper()
	if err := b.store.View(b.t.Context(), f); err != nil {
		b.t.Fatalf("View: %v", err)
	}
}

func sampleTable(id, name string) *table.Table {
	return &table.Table{
		ID: id, Name: name, Sheet: "sheet " + id, Next: 7, Slots: 3, Rows: 2, Version: 1, Created: at, Updated: at.Add(time.Second),
		Columns: []table.Column{
			{Name: "id", Type: table.Text, Key: true, Required: true, Slot: 2},
			{Name: "größe", Type: table.Number, Slot: 0},
		},
	}
}

func testTableTables(t *testing.T, b tableBench) {
	first := sampleTable("t1", "People of ÄRA")
	b.update(func(tx table.Tx) error { return tx.InsertTable(first) })
	b.update(func(tx table.Tx) error { return tx.InsertTable(sampleTable("t2", "animals")) })
	b.fails(fault.Conflict, func(tx table.Tx) error { return tx.InsertTable(sampleTable("t3", "PEOPLE of ära")) })
	b.view(func(r table.Reader) error {
		got, err := r.Table("people of ära")
		equal(t, "Table", got, first)
		_, missing := r.Table("none")
		if !fault.Is(missing, fault.NotFound) {
			t.Errorf("Table(none) = %v, want NotFound", missing)
		}
		return err
	})
	changed := sampleTable("t1", "Renamed")
	changed.Version, changed.Rows = 2, 3
	b.update(func(tx table.Tx) error { return tx.UpdateTable(changed) })
	b.fails(fault.Stale, func(tx table.Tx) error { return tx.UpdateTable(changed) })
	b.view(func(r table.Reader) error {
		list, err := r.Tables()
		var names []string
		for _, one := range list {
			names = append(names, one.Name)
		}
		equal(t, "Tables", names, []string{"animals", "Renamed"})
		return err
	})
	b.update(func(tx table.Tx) error { return tx.DeleteTable("t1") })
	b.fails(fault.NotFound, func(tx table.Tx) error { return tx.DeleteTable("t1") })
}

func tableRow(sheet string, number int64, key string) table.Record {
	return table.Record{Sheet: sheet, Number: number, Key: key, Version: 1, Body: []byte(fmt.Sprintf(`[%d,"É <&> \u0001 'x"]`, number))}
}

func insertRows(b tableBench, records ...table.Record) {
	b.t.Helper()
	b.update(func(tx table.Tx) error {
		for _, r := range records {
			if ok, err := tx.InsertRow(r); err != nil || !ok {
				return errors.Join(err, fmt.Errorf("InsertRow(%v) = %t", r, ok))
			}
		}
		return nil
	})
}

func numbers(records []table.Record) (out []int64) {
	for _, r := range records {
		out = append(out, r.Number)
	}
	return out
}

func testTableRows(t *testing.T, b tableBench) {
	once := tableRow("a", 3, "")
	once.Once = "only"
	insertRows(b, tableRow("a", 10, ""), once, tableRow("a", 2, ""), tableRow("b", 2, ""))
	b.view(func(r table.Reader) error {
		got, err := r.Row("a", 3)
		equal(t, "Row", got, once)
		byOnce, err2 := r.RowByOnce("a", "only")
		equal(t, "RowByOnce", byOnce, once)
		list, err3 := r.Rows("a", 0, 2)
		equal(t, "Rows", numbers(list), []int64{2, 3})
		rest, err4 := r.Rows("a", 3, 10)
		equal(t, "Rows behind 3", numbers(rest), []int64{10})
		for _, err := range []error{second(r.Row("a", 4)), second(r.RowByOnce("b", "only"))} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("a row that is not there: %v, want NotFound", err)
			}
		}
		return errors.Join(err, err2, err3, err4)
	})
	b.fails(fault.Conflict, func(tx table.Tx) error { return second(tx.InsertRow(tableRow("a", 2, ""))) })
	next := once
	next.Version, next.Body = 2, []byte(`["x"]`)
	b.update(func(tx table.Tx) error { return tx.UpdateRow(next) })
	b.fails(fault.Stale, func(tx table.Tx) error { return tx.UpdateRow(next) })
	b.view(func(r table.Reader) error {
		got, err := r.RowByOnce("a", "only")
		equal(t, "the row that was updated", got, next)
		return err
	})
	b.update(func(tx table.Tx) error { return tx.DeleteRow("a", 3) })
	b.fails(fault.NotFound, func(tx table.Tx) error { return tx.DeleteRow("a", 3) })
}

func second[T any](_ T, err error) error { return err }

func testTableKeys(t *testing.T, b tableBench) {
	insertRows(b, tableRow("a", 1, "Ann"), tableRow("a", 2, "ann"), tableRow("b", 3, "Ann"), tableRow("b", 4, "Cy"))
	b.update(func(tx table.Tx) error {
		ok, err := tx.InsertRow(tableRow("a", 9, "Ann"))
		equal(t, "InsertRow of a key that is there", ok, false)
		return err
	})
	b.fails(fault.Conflict, func(tx table.Tx) error {
		r := tableRow("a", 2, "Ann")
		r.Version = 2
		return tx.UpdateRow(r)
	})
	var many []table.Record
	var keys []string
	for i := range 250 {
		key := fmt.Sprintf("k%03d", i)
		keys = append(keys, key)
		many = append(many, tableRow("c", int64(i+1), key))
	}
	insertRows(b, many...)
	b.update(func(tx table.Tx) error {
		got, err := tx.RowsByKey("c", append(keys, "none"))
		all := numbers(got)
		slices.Sort(all)
		equal(t, "RowsByKey", len(slices.Compact(all)), 250)
		one, err2 := tx.RowsByKey("a", []string{"ann"})
		equal(t, "one of them", numbers(one), []int64{2})
		none, err3 := tx.RowsByKey("a", nil)
		equal(t, "none", len(none), 0)
		clashes, err4 := tx.Clashes("b", "a", 10)
		equal(t, "Clashes", numbers(clashes), []int64{3})
		return errors.Join(err, err2, err3, err4)
	})
}

func testTableSheets(t *testing.T, b tableBench) {
	insertRows(b, tableRow("a", 1, "x"), tableRow("b", 2, "y"), tableRow("b", 3, "z"))
	b.update(func(tx table.Tx) error {
		n, err := tx.MoveRows("b", "a")
		equal(t, "MoveRows", n, 2)
		return errors.Join(err, tx.AddSheet("s2", at.Add(time.Hour)), tx.AddSheet("s1", at), tx.AddSheet("s1", at))
	})
	b.view(func(r table.Reader) error {
		rows, err := r.Rows("a", 0, 10)
		equal(t, "rows of a", numbers(rows), []int64{1, 2, 3})
		sheets, err2 := r.Sheets()
		equal(t, "Sheets", strings.Join(sheets, " "), "s1 s2")
		return errors.Join(err, err2)
	})
	b.update(func(tx table.Tx) error {
		n, err := tx.DeleteRows("a", 2)
		equal(t, "DeleteRows", n, 2)
		last, err2 := tx.DeleteRows("a", 2)
		equal(t, "DeleteRows of the rest", last, 1)
		return errors.Join(err, err2, tx.RemoveSheet("s1"))
	})
	// Nothing of an update that fails is kept.
	b.fails(fault.Refused, func(tx table.Tx) error {
		return errors.Join(second(tx.InsertRow(tableRow("a", 4, "q"))), tx.RemoveSheet("s2"), fault.New(fault.Refused, "not after all"))
	})
	b.view(func(r table.Reader) error {
		rows, err := r.Rows("a", 0, 10)
		sheets, err2 := r.Sheets()
		equal(t, "after a failure", fmt.Sprint(len(rows), sheets), "0 [s2]")
		return errors.Join(err, err2)
	})
}

func testTableChanges(t *testing.T, b tableBench) {
	b.update(func(tx table.Tx) error {
		for i := range table.MaxChanges + 5 {
			if err := tx.AddChange(table.Change{Table: "t1", At: at, Actor: "run 1", What: "insert", Rows: int64(i), Detail: "7"}); err != nil {
				return err
			}
		}
		return tx.AddChange(table.Change{Table: "t2", At: at, Actor: "x", What: "y"})
	})
	b.view(func(r table.Reader) error {
		all, err := r.Changes("t1", 10_000)
		if len(all) != table.MaxChanges {
			t.Errorf("%d changes are kept, want %d", len(all), table.MaxChanges)
		}
		few, err2 := r.Changes("t1", 1)
		equal(t, "the newest", few, []table.Change{{Table: "t1", At: at, Actor: "run 1", What: "insert", Rows: table.MaxChanges + 4, Detail: "7"}})
		return errors.Join(err, err2)
	})
}
