package table

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Tables are the tables of a data folder. They are safe for concurrent use: what
// two change at once happens one after the other.
type Tables struct {
	Store Store
	Now   func() time.Time
	// MaxRows bounds the rows of one table; 0 is MaxRows.
	MaxRows int64
	// AtOnce is how many rows one transaction changes at most where that takes long
	// and everybody else waits; 0 is AtOnce.
	AtOnce int64
	// Scratch is the folder for files that are read twice; empty: the system's.
	Scratch string
}

// Row is one row of a table.
type Row struct {
	ID      string         `json:"id"` // never given again in its table
	Version int64          `json:"version"`
	Values  map[string]any `json:"values"` // by column; empty cells are null
}

// Outcome is what became of a row.
type Outcome string

// The outcomes.
const (
	Inserted  Outcome = "inserted"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged" // it was so already; nothing is written
)

// Counts are the outcomes of several rows.
type Counts struct {
	Inserted  int64 `json:"inserted"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
}

func (c *Counts) add(o Outcome) {
	switch o {
	case Inserted:
		c.Inserted++
	case Updated:
		c.Updated++
	default:
		c.Unchanged++
	}
}

func (c Counts) changed() int64 { return c.Inserted + c.Updated }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func newID() string {
	b := make([]byte, 10)
	rand.Read(b) // never fails (Go 1.24)
	return hex.EncodeToString(b)
}

func (s *Tables) maxRows() int64 {
	if s.MaxRows > 0 {
		return s.MaxRows
	}
	return MaxRows
}

// view runs f with a table.
func (s *Tables) view(ctx context.Context, name string, f func(Reader, *Table) error) error {
	return s.Store.View(ctx, func(r Reader) error {
		t, err := find(r, name)
		if err != nil {
			return err
		}
		return f(r, t)
	})
}

// find returns a table by its name.
func find(r Reader, name string) (*Table, error) {
	t, err := r.Table(Fold(name))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "there is no table %q", name).Fix("lanyard tables list shows them, lanyard tables create makes one")
	}
	return t, err
}

// update runs f with a table in a transaction. When f says what it did, the table
// gets a new version and the log a line.
func (s *Tables) update(ctx context.Context, actor, name string, f func(Tx, *Table) (Change, error)) error {
	return s.Store.Update(ctx, func(tx Tx) error {
		t, err := find(tx, name)
		if err != nil {
			return err
		}
		done, err := f(tx, t)
		if err != nil || done.What == "" {
			return err
		}
		now := s.Now()
		t.Version, t.Updated = t.Version+1, now
		if err := tx.UpdateTable(t); err != nil {
			return err
		}
		done.Table, done.At, done.Actor = t.ID, now, actor
		return tx.AddChange(done)
	})
}

// List returns all tables, ordered by name.
func (s *Tables) List(ctx context.Context) (list []*Table, err error) {
	err = s.Store.View(ctx, func(r Reader) error {
		list, err = r.Tables()
		return err
	})
	return list, err
}

// Table returns one table.
func (s *Tables) Table(ctx context.Context, name string) (t *Table, err error) {
	err = s.view(ctx, name, func(_ Reader, found *Table) error { t = found; return nil })
	return t, err
}

// Changes returns what was done to a table, the newest first.
func (s *Tables) Changes(ctx context.Context, name string, limit int) (list []Change, err error) {
	err = s.view(ctx, name, func(r Reader, t *Table) error {
		list, err = r.Changes(t.ID, limit)
		return err
	})
	return list, err
}

// Create makes a table. A name that is taken, in whatever case, is a Conflict.
func (s *Tables) Create(ctx context.Context, actor, name string, columns []Column) (*Table, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkColumns(columns); err != nil {
		return nil, err
	}
	now := s.Now()
	t := &Table{ID: newID(), Name: name, Columns: slices.Clone(columns), Version: 1, Created: now, Updated: now, Sheet: newID(), Next: 1, Slots: len(columns)}
	for i := range t.Columns {
		t.Columns[i].Slot = i
		t.Columns[i].Required = t.Columns[i].Required || t.Columns[i].Key
	}
	err := s.Store.Update(ctx, func(tx Tx) error {
		if err := insertTable(tx, t); fault.Is(err, fault.Conflict) {
			return fault.New(fault.Conflict, "there is a table %q already", name).Fix("choose another name, or drop it first")
		} else if err != nil {
			return err
		}
		return tx.AddChange(Change{Table: t.ID, At: now, Actor: actor, What: "create"})
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// insertTable adds a table where there is room for one.
func insertTable(tx Tx, t *Table) error {
	all, err := tx.Tables()
	if err != nil {
		return err
	}
	if len(all) >= MaxTables {
		return fault.New(fault.TooLarge, "there are %d tables already", MaxTables).Fix("drop one")
	}
	return tx.InsertTable(t)
}

// Drop removes a table with its rows.
func (s *Tables) Drop(ctx context.Context, actor, name string) error {
	var sheet string
	err := s.Store.Update(ctx, func(tx Tx) error {
		t, err := find(tx, name)
		if err != nil {
			return err
		}
		sheet = t.Sheet
		if err := tx.AddSheet(sheet, s.Now()); err != nil {
			return err
		}
		return tx.DeleteTable(t.ID)
	})
	if err == nil {
		s.discard(ctx, sheet)
	}
	return err
}

// Clear removes all rows of a table and returns how many there were.
func (s *Tables) Clear(ctx context.Context, actor, name string) (n int64, err error) {
	var old string
	err = s.update(ctx, actor, name, func(tx Tx, t *Table) (Change, error) {
		n, old = t.Rows, t.Sheet
		if n == 0 {
			return Change{}, nil
		}
		t.Sheet, t.Rows = newID(), 0
		return Change{What: "clear", Rows: n}, tx.AddSheet(old, s.Now())
	})
	if err == nil && n > 0 {
		s.discard(ctx, old)
	}
	return n, err
}

// eraseAtOnce is how many rows one transaction removes: others wait meanwhile.
const eraseAtOnce = 5000

// erase empties a sheet that is noted as nobody's. One that is not is left alone: a
// transaction whose end was not heard of may have given it to a table.
func (s *Tables) erase(ctx context.Context, sheet string) error {
	for {
		gone := int64(0)
		err := s.Store.Update(ctx, func(tx Tx) error {
			gone = 0
			noted, err := tx.Sheets()
			if err != nil || !slices.Contains(noted, sheet) {
				return err
			}
			gone, err = tx.DeleteRows(sheet, eraseAtOnce)
			if err == nil && gone < eraseAtOnce {
				err = tx.RemoveSheet(sheet)
			}
			return err
		})
		if err != nil || gone < eraseAtOnce {
			return err
		}
	}
}

// discard empties a sheet of which nobody has any use now, also when the caller does
// not wait any more. It is no failure of what was asked for when that does not work:
// what is left is swept when the folder is opened again.
func (s *Tables) discard(ctx context.Context, sheet string) {
	_ = s.erase(context.WithoutCancel(ctx), sheet)
}

// Sweep removes rows that an import or a removal left behind when its process was
// killed. It is called when the data folder has just been opened.
func (s *Tables) Sweep(ctx context.Context) error {
	var left []string
	if err := s.Store.View(ctx, func(r Reader) (err error) { left, err = r.Sheets(); return err }); err != nil {
		return err
	}
	for _, sheet := range left {
		if err := s.erase(ctx, sheet); err != nil {
			return err
		}
	}
	return nil
}

// rowOf is a stored row as others see it.
func (t *Table) rowOf(r Record) (Row, error) {
	cells, err := t.cells(r.Body)
	return Row{ID: strconv.FormatInt(r.Number, 10), Version: r.Version, Values: cells}, err
}

func noRow(t *Table, id string) error {
	return fault.New(fault.NotFound, "table %q has no row %q", t.Name, id).Fix("lanyard tables rows %q shows them", t.Name)
}

// rowRecord returns a row by its id.
func rowRecord(r Reader, t *Table, id string) (Record, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return Record{}, noRow(t, id)
	}
	record, err := r.Row(t.Sheet, number)
	if fault.Is(err, fault.NotFound) {
		return record, noRow(t, id)
	}
	return record, err
}

// keyed returns the row with a key; ok says whether there is one.
func keyed(r Reader, t *Table, key string) (record Record, ok bool, err error) {
	found, err := r.RowsByKey(t.Sheet, []string{key})
	if err != nil || len(found) == 0 {
		return Record{}, false, err
	}
	return found[0], true, nil
}

// Row returns a row by its id.
func (s *Tables) Row(ctx context.Context, name, id string) (row Row, err error) {
	err = s.view(ctx, name, func(r Reader, t *Table) error {
		record, err := rowRecord(r, t, id)
		if err != nil {
			return err
		}
		row, err = t.rowOf(record)
		return err
	})
	return row, err
}

// RowByKey returns the row whose key column has the value.
func (s *Tables) RowByKey(ctx context.Context, name string, key any) (row Row, err error) {
	err = s.view(ctx, name, func(r Reader, t *Table) error {
		text, err := t.keyText(key)
		if err != nil {
			return err
		}
		record, ok, err := keyed(r, t, text)
		if err == nil && !ok {
			err = fault.New(fault.NotFound, "table %q has no row with the key %s", t.Name, quote(text)).Fix("lanyard tables rows %q shows them", t.Name)
		}
		if err != nil {
			return err
		}
		row, err = t.rowOf(record)
		return err
	})
	return row, err
}

// keyText is how the value of a key column is stored.
func (t *Table) keyText(key any) (string, error) {
	c, err := t.needKey()
	if err != nil {
		return "", err
	}
	cell, err := c.Accept(key)
	return Show(cell), err
}

func (t *Table) needKey() (*Column, error) {
	if c := t.KeyColumn(); c != nil {
		return c, nil
	}
	return nil, fault.New(fault.Conflict, "table %q has no key column", t.Name).Fix("make one with: lanyard tables alter %q --key COLUMN", t.Name)
}

// taken says that a key is another row's.
func (t *Table) taken(key string) error {
	return fault.New(fault.Conflict, "table %q has a row with the key %s already", t.Name, quote(key)).At("column %s", t.KeyColumn().Name).
		Fix("change that row, or insert or update at once by the key (upsert)")
}

// Insert adds a row. With an idempotency key, a row that was added under it before
// is returned as it is now, and nothing is done.
func (s *Tables) Insert(ctx context.Context, actor, name string, values map[string]any, once string) (row Row, outcome Outcome, err error) {
	if len(once) > maxKey {
		return row, "", fault.New(fault.Invalid, "an idempotency key has at most %d bytes", maxKey)
	}
	err = s.update(ctx, actor, name, func(tx Tx, t *Table) (Change, error) {
		if once != "" {
			before, err := tx.RowByOnce(t.Sheet, once)
			if err == nil {
				outcome = Unchanged
				row, err = t.rowOf(before)
				return Change{}, err
			}
			if !fault.Is(err, fault.NotFound) {
				return Change{}, err
			}
		}
		cells, err := t.accept(values)
		if err != nil {
			return Change{}, err
		}
		outcome = Inserted
		row, err = s.insert(tx, t, cells, once)
		return Change{What: "insert", Rows: 1, Detail: row.ID}, err
	})
	return row, outcome, err
}

// insert adds a row of cells that were accepted.
func (s *Tables) insert(tx Tx, t *Table, cells map[string]any, once string) (Row, error) {
	record, err := t.record(cells)
	if err != nil {
		return Row{}, err
	}
	if t.Rows >= s.maxRows() {
		return Row{}, s.full(t)
	}
	record.Number, record.Once = t.Next, once
	ok, err := tx.InsertRow(record)
	if err != nil {
		return Row{}, err
	}
	if !ok {
		return Row{}, t.taken(record.Key)
	}
	t.Next++
	t.Rows++
	return t.rowOf(record)
}

func (s *Tables) full(t *Table) error {
	return fault.New(fault.TooLarge, "table %q has its %d rows", t.Name, s.maxRows()).Fix("delete rows, or begin another table")
}

// Update changes the cells of a row that are given; null empties one. With a
// version other than 0, a row that has another one is Stale.
func (s *Tables) Update(ctx context.Context, actor, name, id string, values map[string]any, version int64) (row Row, outcome Outcome, err error) {
	err = s.update(ctx, actor, name, func(tx Tx, t *Table) (Change, error) {
		cells, err := t.accept(values)
		if err != nil {
			return Change{}, err
		}
		record, err := rowRecord(tx, t, id)
		if err != nil {
			return Change{}, err
		}
		if version != 0 && version != record.Version {
			return Change{}, fault.New(fault.Stale, "row %s of table %q was changed meanwhile: its version is %d, not %d", id, t.Name, record.Version, version).
				Fix("read it again")
		}
		row, outcome, err = merge(tx, t, record, cells)
		if outcome == Unchanged {
			return Change{}, err
		}
		return Change{What: "update", Rows: 1, Detail: id}, err
	})
	return row, outcome, err
}

// merge writes cells over those of a row, unless they are so already.
func merge(tx Tx, t *Table, old Record, cells map[string]any) (Row, Outcome, error) {
	record, outcome, err := merged(t, old, cells)
	if err != nil {
		return Row{}, "", err
	}
	if outcome == Updated {
		if err := tx.UpdateRow(record); fault.Is(err, fault.Conflict) {
			return Row{}, "", t.taken(record.Key)
		} else if err != nil {
			return Row{}, "", err
		}
	}
	row, err := t.rowOf(record)
	return row, outcome, err
}

// merged is a row with cells written over its own.
func merged(t *Table, old Record, cells map[string]any) (Record, Outcome, error) {
	have, err := t.cells(old.Body)
	if err != nil {
		return Record{}, "", err
	}
	same := true
	for name, cell := range cells {
		same = same && sameCell(have[name], cell)
		have[name] = cell
	}
	if same {
		return old, Unchanged, nil
	}
	record, err := t.record(have)
	if err != nil {
		return Record{}, "", err
	}
	record.Number, record.Once, record.Version = old.Number, old.Once, old.Version+1
	return record, Updated, nil
}

// sameCell reports whether two cells are written alike: 1.0 is not 1.
func sameCell(a, b any) bool {
	if !value.Equal(a, b) {
		return false
	}
	x, _ := value.Encode(a)
	y, _ := value.Encode(b)
	return string(x) == string(y)
}

// maxUpsert is how many rows one Upsert may have.
const maxUpsert = 1000

// Upsert inserts rows, or changes those that have their keys: the cells that are
// given. All or none of them. It may be repeated: the second time changes nothing.
func (s *Tables) Upsert(ctx context.Context, actor, name string, rows []map[string]any) (list []Row, counts Counts, err error) {
	if len(rows) > maxUpsert {
		return nil, counts, fault.New(fault.TooLarge, "at most %d rows at once, not %d", maxUpsert, len(rows)).Fix("send them in parts, or import a file")
	}
	err = s.update(ctx, actor, name, func(tx Tx, t *Table) (Change, error) {
		list, counts = nil, Counts{}
		if _, err := t.needKey(); err != nil {
			return Change{}, err
		}
		for i, values := range rows {
			row, outcome, err := s.upsert(tx, t, values)
			if err != nil {
				return Change{}, placed(err, "row %d", i+1)
			}
			counts.add(outcome)
			list = append(list, row)
		}
		if counts.changed() == 0 {
			return Change{}, nil
		}
		return Change{What: "upsert", Rows: counts.changed()}, nil
	})
	if err != nil {
		return nil, Counts{}, err
	}
	return list, counts, nil
}

func (s *Tables) upsert(tx Tx, t *Table, values map[string]any) (Row, Outcome, error) {
	cells, err := t.accept(values)
	if err != nil {
		return Row{}, "", err
	}
	key := t.KeyColumn()
	if cells[key.Name] == nil {
		return Row{}, "", fault.New(fault.Invalid, "the column may not be empty").At("column %s", key.Name).Fix("it is the key: without it nobody knows which row is meant")
	}
	old, ok, err := keyed(tx, t, Show(cells[key.Name]))
	switch {
	case err != nil:
		return Row{}, "", err
	case ok:
		return merge(tx, t, old, cells)
	}
	row, err := s.insert(tx, t, cells, "")
	return row, Inserted, err
}

// Delete removes a row. One that is gone is NotFound.
func (s *Tables) Delete(ctx context.Context, actor, name, id string) error {
	return s.update(ctx, actor, name, func(tx Tx, t *Table) (Change, error) {
		record, err := rowRecord(tx, t, id)
		if err != nil {
			return Change{}, err
		}
		t.Rows--
		return Change{What: "delete", Rows: 1, Detail: id}, tx.DeleteRow(t.Sheet, record.Number)
	})
}

// readAtOnce is how many rows are read at once. No transaction is open while the
// caller has them.
const readAtOnce = 1000

// Rows yields the rows of a table in the order in which they were inserted: their
// cells by column, empty ones left out. It reads them as they are when it begins,
// unless they change meanwhile: a table that is replaced is read as it was until
// it finds that out, which is an error.
func (s *Tables) Rows(ctx context.Context, name string) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for row, err := range s.scan(ctx, name, nil) {
			if err != nil {
				yield(nil, err)
				return
			}
			maps.DeleteFunc(row.Values, func(_ string, cell any) bool { return cell == nil })
			if !yield(row.Values, nil) {
				return
			}
		}
	}
}

// scan yields all rows of a table, a chunk to a transaction. When the table's
// columns or sheet are others than those of known, or at the beginning when that is
// nil, it ends with Stale.
func (s *Tables) scan(ctx context.Context, name string, known *Table) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		first := known
		for after := int64(0); ; {
			var list []Row
			err := s.view(ctx, name, func(r Reader, t *Table) error {
				if first == nil {
					first = t
				}
				if t.Sheet != first.Sheet || t.ID != first.ID || !slices.Equal(t.Columns, first.Columns) {
					return fault.New(fault.Stale, "table %q was replaced while it was read", t.Name).Fix("read it again")
				}
				records, err := r.Rows(t.Sheet, after, readAtOnce)
				for _, record := range records {
					row, err := t.rowOf(record)
					if err != nil {
						return err
					}
					list, after = append(list, row), record.Number
				}
				return err
			})
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, row := range list {
				if !yield(row, nil) {
					return
				}
			}
			if len(list) < readAtOnce {
				return
			}
		}
	}
}
