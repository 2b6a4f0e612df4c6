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
		if Fold(next.Name) != Fold(t.Name) {
			if _, err := tx.Table(Fold(next.Name)); !fault.Is(err, fault.NotFound) {
				return Change{}, fault.New(fault.Conflict, "there is a table %q already", next.Name).Fix("choose another name")
			}
		}
		*t = *next
		after = t
		return Change{What: "alter"}, nil
	})
	if err != nil {
		return nil, err
	}
	if old != "" {
		err = s.erase(ctx, old)
	}
	return after, err
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
	for after := int64(0); ; {
		records, err := tx.Rows(from.Sheet, after, readAtOnce)
		if err != nil {
			return err
		}
		for _, old := range records {
			after = old.Number
			record, err := convert(old, from, to)
			if err == nil {
				var ok bool
				if ok, err = tx.InsertRow(record); err == nil && !ok {
					err = to.taken(record.Key)
				}
			}
			if err != nil && !misfits(err) {
				return err
			}
			if err != nil {
				bad = append(bad, placed(err, "row %d", old.Number))
			}
			if len(bad) >= maxBad {
				return fault.Join(bad...)
			}
		}
		if len(records) < readAtOnce {
			return fault.Join(bad...)
		}
	}
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
