package table

import "context"

// How many rows are merged into a table without holding everybody else up: on a
// sheet of their own, a thousand to a transaction, which takes the place of the
// table's in one step. Whenever the process ends, the table is the old one or the
// new one; a sheet that nobody shows is swept.

// AtOnce is how many rows an import changes in one transaction.
const AtOnce = 20_000

// attempts is how often a table is rebuilt that others change meanwhile.
const attempts = 3

func (s *Tables) atOnce() int64 {
	if s.AtOnce > 0 {
		return s.AtOnce
	}
	return AtOnce
}

// settle puts the staged rows in their place, and returns the sheet that nobody
// needs then.
func (im *importing) settle(ctx context.Context, stage *Table, first int64) (old string, err error) {
	if im.options.Mode != Merge || im.report.Created || im.report.Lines-im.bad <= im.tables.atOnce() {
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
		if !done { // what cannot be removed now is swept when the folder is opened again
			_ = im.tables.erase(context.WithoutCancel(ctx), next)
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
		if _, err := im.same(tx); err != nil || t.Version != seen {
			return Change{}, err
		}
		done, old = true, t.Sheet
		t.Columns, t.Slots, t.Sheet, t.Rows = built.Columns, built.Slots, next, built.Rows
		if err := tx.RemoveSheet(next); err != nil {
			return Change{}, err
		}
		return Change{What: "import", Detail: string(im.options.Mode) + " from " + im.options.File, Rows: im.report.changed()}, tx.AddSheet(old, im.tables.Now())
	})
	if err != nil {
		return "", false, err
	}
	return old, done, nil
}
