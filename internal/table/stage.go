package table

import (
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// How rows get from a file into a table: onto a sheet of their own, which then takes
// the place of the table's or is put into it. Whenever the process ends, the table is
// the old one or the new one; a sheet that nobody shows is swept.

// AtOnce is how many rows one transaction changes at most where that takes long.
const AtOnce = 20_000

// attempts is how often a table is made anew that others change meanwhile.
const attempts = 3

func (s *Tables) atOnce() int64 {
	if s.AtOnce > 0 {
		return s.AtOnce
	}
	return AtOnce
}

// write writes the rows on a sheet of their own, and puts that in its place.
func (im *importing) write(ctx context.Context) error {
	stage := *im.table
	stage.Sheet = newID()
	first, err := im.reserve(ctx, stage.Sheet)
	if err != nil {
		return err
	}
	old, err := im.carry(ctx, &stage, first)
	if err == nil && old != "" {
		im.tables.discard(ctx, old)
	}
	if err != nil || !im.swapped {
		im.tables.discard(ctx, stage.Sheet)
	}
	return err
}

// carry takes the rows by way of their sheet into the table. It returns the sheet that
// nobody needs then.
func (im *importing) carry(ctx context.Context, stage *Table, first int64) (old string, err error) {
	if err := im.stage(ctx, stage, first); err != nil {
		return "", err
	}
	if im.bad > 0 && !im.options.SkipBad {
		return "", im.refusal()
	}
	if im.options.SkipBad && im.options.Mode == Append && !im.report.Created {
		if err := im.leaveOut(ctx, stage, first); err != nil {
			return "", err
		}
	}
	im.report.Skipped = im.bad
	return im.settle(ctx, stage, first)
}

// refusal names the bad lines.
func (im *importing) refusal() error {
	errs := im.refused
	if more := im.bad - int64(len(errs)); more > 0 {
		errs = append(errs, fault.New(fault.Invalid, "%d more lines are bad", more).At("%s", im.options.File))
	}
	errs = append(errs, fault.New(fault.Invalid, "%d of %d lines are bad; nothing was imported", im.bad, im.report.Lines).At("%s", im.options.File).
		Fix("mend them, or say --skip-bad to leave them out"))
	return fault.Join(errs...)
}

// reserve notes the sheet, and keeps numbers for the rows: that of each is first and
// its line.
func (im *importing) reserve(ctx context.Context, sheet string) (first int64, err error) {
	first = 1
	err = im.tables.Store.Update(ctx, func(tx Tx) error {
		if err := tx.AddSheet(sheet, im.tables.Now()); err != nil || im.table.ID == "" {
			return err
		}
		t, err := im.same(tx)
		if err != nil {
			return err
		}
		first = t.Next
		t.Next += int64(im.last) + 1
		t.Version++
		return tx.UpdateTable(t)
	})
	return first, err
}

// same returns the table as it is now, unless its columns are not those of before.
func (im *importing) same(r Reader) (*Table, error) {
	t, err := find(r, im.options.Table)
	if err == nil {
		err = im.unaltered(t)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (im *importing) unaltered(t *Table) error {
	if t.ID != im.table.ID || len(t.Columns) > 0 && !slices.Equal(t.Columns, im.table.Columns) {
		return fault.New(fault.Stale, "the columns of table %q changed while the file was read; nothing was imported", t.Name).Fix("import it again")
	}
	return nil
}

// stage writes the rows on their sheet, a thousand to a transaction.
func (im *importing) stage(ctx context.Context, stage *Table, first int64) error {
	var batch []Record
	err := im.read(ctx, func(line int, cells map[string]any) error {
		if line > im.last { // there is no number for its row
			return fault.New(fault.Stale, "%s grew while it was read; nothing was imported", im.options.File).Fix("import it when it is complete")
		}
		record, err := stage.staged(cells)
		if err != nil {
			return err
		}
		record.Number = first + int64(line)
		if batch = append(batch, record); len(batch) < readAtOnce {
			return nil
		}
		err = im.put(ctx, stage, first, batch)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return im.put(ctx, stage, first, batch)
}

// staged is record for a row whose required cells may come from the row that it
// changes.
func (t *Table) staged(cells map[string]any) (Record, error) {
	loose := *t
	loose.Columns = slices.Clone(t.Columns)
	for i := range loose.Columns {
		c := &loose.Columns[i]
		if _, given := cells[c.Name]; !given {
			c.Required = false
		}
	}
	return loose.record(cells)
}

// put writes rows on the sheet. Lines whose keys stood in earlier ones are bad.
func (im *importing) put(ctx context.Context, stage *Table, first int64, batch []Record) error {
	if len(batch) == 0 {
		return nil
	}
	var twice []Record
	err := im.tables.Store.Update(ctx, func(tx Tx) error {
		twice = nil
		for _, record := range batch {
			ok, err := tx.InsertRow(record)
			if err != nil {
				return err
			}
			if !ok {
				twice = append(twice, record)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	im.rows += int64(len(batch) - len(twice))
	if len(twice) == 0 {
		return nil
	}
	return im.tables.Store.View(ctx, func(r Reader) error { return im.repeated(r, stage, twice, first) })
}

// repeated notes the lines whose keys stood in earlier ones.
func (im *importing) repeated(r Reader, stage *Table, twice []Record, first int64) error {
	for _, record := range twice {
		before, ok, err := keyed(r, stage, record.Key)
		if err != nil {
			return err
		}
		if ok {
			im.note(im.at(fault.New(fault.Invalid, "the key %s stands in line %d already", quote(record.Key), before.Number-first).
				At("column %s", stage.KeyColumn().Name).Fix("remove one of the lines"), int(record.Number-first)))
		}
	}
	return nil
}

// leaveOut takes those rows off the sheet whose keys the table has.
func (im *importing) leaveOut(ctx context.Context, stage *Table, first int64) error {
	for {
		var clashes []Record
		err := im.tables.Store.Update(ctx, func(tx Tx) error {
			t, err := im.same(tx)
			if err != nil {
				return err
			}
			if clashes, err = tx.Clashes(stage.Sheet, t.Sheet, readAtOnce); err != nil {
				return err
			}
			for _, record := range clashes {
				if err := tx.DeleteRow(stage.Sheet, record.Number); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(clashes) == 0 {
			return err
		}
		for _, record := range clashes {
			im.note(im.at(stage.taken(record.Key), int(record.Number-first)))
		}
		im.rows -= int64(len(clashes))
	}
}

// settle puts the staged rows in their place, and returns the sheet that nobody
// needs then.
func (im *importing) settle(ctx context.Context, stage *Table, first int64) (old string, err error) {
	if im.options.Mode != Merge || im.report.Created || im.rows <= im.tables.atOnce() {
		return im.commit(ctx, stage, first)
	}
	for range attempts {
		old, done, err := im.rebuild(ctx, stage)
		if done || err != nil {
			return old, err
		}
	}
	// Somebody changes the table all the time: now they wait.
	return im.commit(ctx, stage, first)
}

// commit puts the staged rows in their place in one transaction.
func (im *importing) commit(ctx context.Context, stage *Table, first int64) (old string, err error) {
	if im.report.Created {
		return "", im.create(ctx, stage, first)
	}
	err = im.tables.update(ctx, im.actor, im.options.Table, func(tx Tx, t *Table) (Change, error) {
		old, im.swapped, im.report.Counts, im.report.Removed = "", false, Counts{}, 0
		if err := im.unaltered(t); err != nil {
			return Change{}, err
		}
		if len(t.Columns) == 0 {
			t.Columns, t.Slots = stage.Columns, stage.Slots
		}
		var err error
		switch {
		case im.options.Mode == Replace, im.options.Mode == Append && t.Rows == 0:
			old, err = im.replace(tx, t, stage)
		case im.options.Mode == Merge:
			err = im.merge(tx, t, stage)
		default:
			err = im.append(tx, t, stage, first)
		}
		return im.change(), err
	})
	return old, err
}

// change is what the log of the table says of the import.
func (im *importing) change() Change {
	return Change{What: "import", Detail: string(im.options.Mode) + " from " + im.options.File, Rows: im.report.changed()}
}

// create makes the table that shows the sheet.
func (im *importing) create(ctx context.Context, stage *Table, first int64) error {
	now := im.tables.Now()
	t := stage.clone()
	t.ID, t.Version, t.Created, t.Updated = newID(), 1, now, now
	t.Rows, t.Next = im.rows, first+int64(im.last)+1
	im.report.Inserted = t.Rows
	err := im.tables.Store.Update(ctx, func(tx Tx) error {
		if err := insertTable(tx, t); err != nil {
			return err
		}
		if err := tx.RemoveSheet(t.Sheet); err != nil {
			return err
		}
		change := im.change()
		change.Table, change.At, change.Actor = t.ID, now, im.actor
		return tx.AddChange(change)
	})
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Stale, "a table %q was made while the file was read; nothing was imported", t.Name).Fix("import it again")
	}
	im.swapped = true
	return err
}

// replace shows the sheet instead of the table's.
func (im *importing) replace(tx Tx, t, stage *Table) (old string, err error) {
	old = t.Sheet
	im.swapped, im.report.Removed, im.report.Inserted = true, t.Rows, im.rows
	t.Sheet, t.Rows = stage.Sheet, im.rows
	if err := tx.RemoveSheet(stage.Sheet); err != nil {
		return "", err
	}
	return old, tx.AddSheet(old, im.tables.Now())
}

// append puts the rows of the sheet behind those of the table.
func (im *importing) append(tx Tx, t, stage *Table, first int64) error {
	clashes, err := tx.Clashes(stage.Sheet, t.Sheet, maxBadLines)
	if err != nil {
		return err
	}
	var bad []error
	for _, record := range clashes {
		bad = append(bad, im.at(t.taken(record.Key), int(record.Number-first)))
	}
	if err := fault.Join(bad...); err != nil {
		return err
	}
	if t.Rows+im.rows > im.tables.maxRows() {
		return im.tables.full(t)
	}
	n, err := tx.MoveRows(stage.Sheet, t.Sheet)
	t.Rows += n
	im.report.Inserted = n
	return err
}
