package table

import "context"

// How staged rows change those of a table that have their keys: few of them in one
// transaction, many without holding everybody else up, on a sheet that takes the
// place of the table's in one step.

// rebuild makes the table anew with the staged rows. done is false when somebody
// else changed it meanwhile: nothing has happened then.
func (im *importing) rebuild(ctx context.Context, stage *Table) (old string, done bool, err error) {
	next := newID()
	var t *Table
	err = im.tables.Store.Update(ctx, func(tx Tx) (err error) {
		if t, err = im.same(tx); err != nil {
			return err
		}
		return tx.AddSheet(next, im.tables.Now())
	})
	if err != nil {
		return "", false, err
	}
	defer func() {
		if !done {
			im.tables.discard(ctx, next)
		}
	}()
	seen := t.Version
	if len(t.Columns) == 0 {
		t.Columns, t.Slots = stage.Columns, stage.Slots
	}
	im.report.Counts = Counts{}
	if err := im.carryOver(ctx, t, stage, next); err != nil {
		return "", false, err
	}
	if err := im.addNew(ctx, t, stage, next); err != nil {
		return "", false, err
	}
	return im.swap(ctx, t, seen, next)
}

// portions runs f with all rows of a sheet, a thousand at a time, each in a
// transaction of its own, which may run more than once.
func (im *importing) portions(ctx context.Context, t *Table, sheet string, f func(tx Tx, records []Record, keys []string) error) error {
	for after, more := int64(0), true; more; {
		counts, rows, last := im.report.Counts, t.Rows, after
		err := im.tables.Store.Update(ctx, func(tx Tx) error {
			im.report.Counts, t.Rows = counts, rows
			records, err := tx.Rows(sheet, after, readAtOnce)
			more = len(records) == readAtOnce
			if err != nil || len(records) == 0 {
				return err
			}
			var keys []string
			for _, record := range records {
				if record.Key != "" {
					keys = append(keys, record.Key)
				}
			}
			last = records[len(records)-1].Number
			return f(tx, records, keys)
		})
		if err != nil {
			return err
		}
		after = last
	}
	return nil
}

// byKey are those rows of a sheet that have one of the keys.
func byKey(r Reader, sheet string, keys []string) (map[string]Record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	list, err := r.RowsByKey(sheet, keys)
	out := make(map[string]Record, len(list))
	for _, record := range list {
		out[record.Key] = record
	}
	return out, err
}

// carryOver copies the rows of the table, with what the staged ones change.
func (im *importing) carryOver(ctx context.Context, t, stage *Table, next string) error {
	return im.portions(ctx, t, t.Sheet, func(tx Tx, records []Record, keys []string) error {
		changes, err := byKey(tx, stage.Sheet, keys)
		if err != nil {
			return err
		}
		for _, record := range records {
			change, ok := changes[record.Key]
			if ok && record.Key != "" {
				cells, err := im.given(stage, change)
				if err != nil {
					return err
				}
				var outcome Outcome
				if record, outcome, err = merged(t, record, cells); err != nil {
					return placed(err, "key %s", quote(change.Key))
				}
				im.report.add(outcome)
			}
			record.Sheet = next
			if _, err := tx.InsertRow(record); err != nil {
				return err
			}
		}
		return nil
	})
}

// addNew adds the staged rows whose keys the table does not have.
func (im *importing) addNew(ctx context.Context, t, stage *Table, next string) error {
	return im.portions(ctx, t, stage.Sheet, func(tx Tx, records []Record, keys []string) error {
		there, err := byKey(tx, t.Sheet, keys)
		if err != nil {
			return err
		}
		for _, record := range records {
			if _, old := there[record.Key]; old {
				continue
			}
			cells, err := im.given(stage, record)
			if err == nil {
				err = im.insert(tx, t, next, record, cells)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// swap shows the sheet in place of the table's, unless somebody else has changed
// the table since.
func (im *importing) swap(ctx context.Context, built *Table, seen int64, next string) (old string, done bool, err error) {
	err = im.tables.update(ctx, im.actor, im.options.Table, func(tx Tx, t *Table) (Change, error) {
		old, done = "", false
		if err := im.unaltered(t); err != nil || t.Version != seen {
			return Change{}, err
		}
		done, old = true, t.Sheet
		t.Columns, t.Slots, t.Sheet, t.Rows = built.Columns, built.Slots, next, built.Rows
		if err := tx.RemoveSheet(next); err != nil {
			return Change{}, err
		}
		return im.change(), tx.AddSheet(old, im.tables.Now())
	})
	if err != nil {
		return "", false, err
	}
	return old, done, nil
}

// merge changes the rows that have the keys of the sheet, and adds the others.
func (im *importing) merge(tx Tx, t, stage *Table) error {
	for after := int64(0); ; {
		records, err := tx.Rows(stage.Sheet, after, readAtOnce)
		if err != nil || len(records) == 0 {
			return err
		}
		keys := make([]string, len(records))
		for i, record := range records {
			keys[i], after = record.Key, record.Number
		}
		have, err := byKey(tx, t.Sheet, keys)
		if err != nil {
			return err
		}
		for _, record := range records {
			if err := im.mergeRow(tx, t, stage, record, have); err != nil {
				return err
			}
		}
	}
}

func (im *importing) mergeRow(tx Tx, t, stage *Table, record Record, have map[string]Record) error {
	cells, err := im.given(stage, record)
	if err != nil {
		return err
	}
	if old, ok := have[record.Key]; ok {
		_, outcome, err := merge(tx, t, old, cells)
		if err == nil {
			im.report.add(outcome)
		}
		return err
	}
	return im.insert(tx, t, t.Sheet, record, cells)
}

// given are the cells of a staged row that the file has.
func (im *importing) given(stage *Table, record Record) (map[string]any, error) {
	all, err := stage.cells(record.Body)
	if err != nil {
		return nil, err
	}
	cells := make(map[string]any, len(im.columns))
	for _, c := range im.columns {
		cells[c.Name] = all[c.Name]
	}
	return cells, nil
}

// insert adds a staged row whose key the table does not have.
func (im *importing) insert(tx Tx, t *Table, sheet string, record Record, cells map[string]any) error {
	if t.Rows >= im.tables.maxRows() {
		return im.tables.full(t)
	}
	added, err := t.record(cells)
	if err != nil {
		return placed(err, "key %s", quote(record.Key))
	}
	added.Number, added.Sheet = record.Number, sheet
	if _, err := tx.InsertRow(added); err != nil {
		return err
	}
	t.Rows++
	im.report.Inserted++
	return nil
}
