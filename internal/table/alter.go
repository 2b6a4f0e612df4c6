package table

import (
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Alteration is a change of a table's columns or name; what is empty stays.
// Columns are dropped first, then renamed, changed and added.
type Alteration struct {
	Name     string            `json:"name,omitempty"`
	Drop     []string          `json:"drop,omitempty"`
	Rename   map[string]string `json:"rename,omitempty"`
	Types    map[string]Type   `json:"types,omitempty"`
	Require  []string          `json:"require,omitempty"`  // no cell may be empty
	Optional []string          `json:"optional,omitempty"` // cells may be empty
	Key      *string           `json:"key,omitempty"`      // the key column; the empty one: none
	Add      []Column          `json:"add,omitempty"`
}

// maxBad is how many rows that do not fit are named.
const maxBad = 20

// Alter changes a table. When a row does not fit the new columns nothing is
// changed, and the first of those rows are named.
func (s *Tables) Alter(ctx context.Context, actor, name string, a Alteration) (*Table, error) {
	for range attempts {
		t, err := s.Table(ctx, name)
		if err != nil {
			return nil, err
		}
		next, rewrite, err := t.altered(a)
		if err != nil {
			return nil, err
		}
		if !rewrite || t.Rows <= s.atOnce() {
			break
		}
		if after, err := s.alterBeside(ctx, actor, t, next); after != nil || err != nil {
			return after, err
		}
	}
	return s.alterAtOnce(ctx, actor, name, a)
}

// alterAtOnce changes a table in one transaction.
func (s *Tables) alterAtOnce(ctx context.Context, actor, name string, a Alteration) (*Table, error) {
	var after *Table
	var old string
	err := s.update(ctx, actor, name, func(tx Tx, t *Table) (Change, error) {
		old = ""
		next, rewrite, err := t.altered(a)
		if err != nil {
			return Change{}, err
		}
		if rewrite && t.Rows > 0 {
			old = t.Sheet
			next.Sheet = newID()
			if err := rewriteRows(tx, t, next); err != nil {
				return Change{}, err
			}
			if err := tx.AddSheet(old, s.Now()); err != nil {
				return Change{}, err
			}
		}
		if err := nameFree(tx, t, next); err != nil {
			return Change{}, err
		}
		*t = *next
		after = t
		return Change{What: "alter"}, nil
	})
	if err != nil {
		return nil, err
	}
	if old != "" {
		s.discard(ctx, old)
	}
	return after, nil
}

// alterBeside writes the rows of a large table as another one has them on a sheet of
// their own, a thousand to a transaction, so that nobody else waits, and shows that
// instead. It returns nil when somebody has changed the table meanwhile: nothing has
// happened then.
func (s *Tables) alterBeside(ctx context.Context, actor string, t, next *Table) (after *Table, err error) {
	next.Sheet = newID()
	if err := s.Store.Update(ctx, func(tx Tx) error { return tx.AddSheet(next.Sheet, s.Now()) }); err != nil {
		return nil, err
	}
	useless := next.Sheet
	defer func() { s.discard(ctx, useless) }()
	var bad []error
	for last, more := int64(0), true; more && len(bad) < maxBad; {
		var portion rewritten
		err := s.Store.Update(ctx, func(tx Tx) (err error) {
			portion, err = rewritePortion(tx, t, next, last)
			return err
		})
		if err != nil {
			return nil, err
		}
		bad, last, more = append(bad, portion.bad...), portion.last, portion.more
	}
	if len(bad) > 0 {
		return nil, fault.Join(bad[:min(len(bad), maxBad)]...)
	}
	err = s.update(ctx, actor, t.Name, func(tx Tx, now *Table) (Change, error) {
		after = nil
		if now.ID != t.ID || now.Version != t.Version {
			return Change{}, nil
		}
		if err := nameFree(tx, now, next); err != nil {
			return Change{}, err
		}
		if err := tx.RemoveSheet(next.Sheet); err != nil {
			return Change{}, err
		}
		*now = *next
		after = now
		return Change{What: "alter"}, tx.AddSheet(t.Sheet, s.Now())
	})
	if err != nil {
		return nil, err
	}
	if after != nil {
		useless = t.Sheet
	}
	return after, nil
}

// nameFree refuses a new name that another table has.
func nameFree(r Reader, t, next *Table) error {
	if Fold(next.Name) == Fold(t.Name) {
		return nil
	}
	if _, err := r.Table(Fold(next.Name)); !fault.Is(err, fault.NotFound) {
		return fault.New(fault.Conflict, "there is a table %q already", next.Name).Fix("choose another name")
	}
	return nil
}

// altered returns the table as it will be, and whether its rows have to be looked
// at for that.
func (t *Table) altered(a Alteration) (next *Table, rewrite bool, err error) {
	next = t.clone()
	if a.Name != "" {
		if err := checkName(a.Name); err != nil {
			return nil, false, err
		}
		next.Name = a.Name
	}
	for _, name := range a.Drop {
		c, err := next.Column(name)
		if err != nil {
			return nil, false, err
		}
		rewrite = rewrite || c.Key
		slot := c.Slot
		next.Columns = slices.DeleteFunc(next.Columns, func(c Column) bool { return c.Slot == slot })
	}
	if err := next.rename(a.Rename); err != nil {
		return nil, false, err
	}
	changed, err := next.change(a)
	if err != nil {
		return nil, false, err
	}
	for _, c := range a.Add {
		if (c.Required || c.Key) && t.Rows > 0 {
			return nil, false, fault.New(fault.Conflict, "the new column %q would be empty in %d rows and may not be", c.Name, t.Rows).
				Fix("add it as optional, fill it, and require it then")
		}
		c.Slot = next.Slots
		next.Slots++
		next.Columns = append(next.Columns, c)
	}
	return next, rewrite || changed, checkColumns(next.Columns)
}

func (t *Table) rename(names map[string]string) error {
	found := map[*Column]string{}
	for _, name := range sortedKeys(names) {
		c, err := t.Column(name)
		if err != nil {
			return err
		}
		found[c] = names[name]
	}
	for c, name := range found {
		c.Name = name
	}
	return nil
}

// change changes types, requirements and the key.
func (t *Table) change(a Alteration) (changed bool, err error) {
	for _, name := range sortedKeys(a.Types) {
		c, err := t.Column(name)
		if err != nil {
			return false, err
		}
		changed = changed || c.Type != a.Types[name]
		c.Type = a.Types[name]
	}
	for _, name := range a.Require {
		c, err := t.Column(name)
		if err != nil {
			return false, err
		}
		changed = changed || !c.Required
		c.Required = true
	}
	for _, name := range a.Optional {
		c, err := t.Column(name)
		if err != nil {
			return false, err
		}
		if c.Key && (a.Key == nil || Fold(*a.Key) == Fold(name)) {
			return false, fault.New(fault.Conflict, "the column %q is the key and may not be empty", c.Name)
		}
		c.Required = false
	}
	if a.Key == nil {
		return changed, nil
	}
	for i := range t.Columns {
		t.Columns[i].Key = false
	}
	if *a.Key != "" {
		c, err := t.Column(*a.Key)
		if err != nil {
			return false, err
		}
		c.Key, c.Required = true, true
	}
	return true, nil
}

// rewriteRows writes the rows of a table as another one has them, on its sheet.
func rewriteRows(tx Tx, from, to *Table) error {
	var bad []error
	for after, more := int64(0), true; more && len(bad) < maxBad; {
		portion, err := rewritePortion(tx, from, to, after)
		if err != nil {
			return err
		}
		bad, after, more = append(bad, portion.bad...), portion.last, portion.more
	}
	return fault.Join(bad[:min(len(bad), maxBad)]...)
}

// rewritten is what came of a portion of rows.
type rewritten struct {
	bad  []error // rows that do not fit
	last int64   // number of the last one
	more bool    // there may be rows behind it
}

// rewritePortion writes the next rows behind one.
func rewritePortion(tx Tx, from, to *Table, after int64) (out rewritten, err error) {
	records, err := tx.Rows(from.Sheet, after, readAtOnce)
	out.more = len(records) == readAtOnce
	for _, old := range records {
		if err != nil || len(out.bad) >= maxBad {
			return out, err
		}
		out.last = old.Number
		record, wrong := convert(old, from, to)
		if wrong == nil {
			var ok bool
			if ok, err = tx.InsertRow(record); err == nil && !ok {
				wrong = to.taken(record.Key)
			}
		}
		switch {
		case wrong != nil && !misfits(wrong):
			return out, wrong
		case wrong != nil:
			out.bad = append(out.bad, placed(wrong, "row %d", old.Number))
		}
	}
	return out, err
}

// convert writes a row as another table has it.
func convert(old Record, from, to *Table) (Record, error) {
	list, err := decodeCells(old.Body)
	if err != nil {
		return Record{}, err
	}
	cells := map[string]any{}
	for i := range to.Columns {
		c := &to.Columns[i]
		cell := cellAt(list, c.Slot)
		before := slices.IndexFunc(from.Columns, func(o Column) bool { return o.Slot == c.Slot })
		if before >= 0 && from.Columns[before].Type != c.Type {
			if cell, err = c.Read(from.Columns[before].showIn(cell)); err != nil {
				return Record{}, err
			}
		}
		cells[c.Name] = cell
	}
	record, err := to.record(cells)
	record.Number, record.Once, record.Version = old.Number, old.Once, old.Version+1
	return record, err
}

// misfits reports whether an error is about the row, and others may be fine.
func misfits(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) || fault.Is(err, fault.TooLarge)
}
