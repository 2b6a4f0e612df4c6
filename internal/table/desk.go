package table

import (
	"cmp"
	"context"
	"io"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Desk carries out what administrators ask for: it is behind the commands, here
// and in a process that serves. It is safe for concurrent use.
type Desk struct {
	Tables *Tables
	Actor  string // for the changes of a table
}

// Verb is what a Command asks for.
type Verb string

// The verbs.
const (
	ListTables  Verb = "list"
	ShowTable   Verb = "show"
	CreateTable Verb = "create"
	AlterTable  Verb = "alter"
	DropTable   Verb = "drop"
	ClearTable  Verb = "clear"
	ListRows    Verb = "rows"
	GetRow      Verb = "row"
	AddRow      Verb = "add"
	SetRow      Verb = "set"
	PutRows     Verb = "upsert"
	DeleteRow   Verb = "delete"
)

// Local reports whether a verb changes nothing.
func (v Verb) Local() bool {
	return v == ListTables || v == ShowTable || v == ListRows || v == GetRow
}

// Command is something to be done with a table; which other fields count depends
// on the verb.
type Command struct {
	Do    Verb   `json:"do"`
	Table string `json:"table,omitempty"`

	Columns []Column         `json:"columns,omitempty"`
	Alter   *Alteration      `json:"alter,omitempty"`
	Query   Query            `json:"query,omitzero"`
	Row     string           `json:"row,omitempty"` // id
	Key     any              `json:"key,omitempty"` // instead of it: the value of the key column
	Values  map[string]any   `json:"values,omitempty"`
	Rows    []map[string]any `json:"rows,omitempty"`
	Version int64            `json:"version,omitempty"` // that the row must have; 0: any
	Once    string           `json:"once,omitempty"`    // idempotency key of AddRow
	Actor   string           `json:"-"`                 // who asks for it; empty: the Desk's
}

// Reply is what came of a Command: those members that its verb fills.
type Reply struct {
	Tables  []*Table `json:"tables,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	Rows    []Row    `json:"rows,omitempty"`
	Next    string   `json:"next,omitempty"`
	Outcome Outcome  `json:"outcome,omitempty"`
	Counts  *Counts  `json:"counts,omitempty"`
	Removed int64    `json:"removed,omitempty"` // rows
}

// changesShown is how many changes ShowTable tells of.
const changesShown = 20

// Do carries a command out.
func (d *Desk) Do(ctx context.Context, c Command) (*Reply, error) {
	do, ok := map[Verb]func(context.Context, Command, *Reply) error{
		ListTables: d.list, ShowTable: d.show, CreateTable: d.create, AlterTable: d.alter, DropTable: d.drop, ClearTable: d.clear,
		ListRows: d.rows, GetRow: d.row, AddRow: d.add, SetRow: d.set, PutRows: d.put, DeleteRow: d.delete,
	}[c.Do]
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no command %q", string(c.Do))
	}
	r := &Reply{}
	if err := do(ctx, c, r); err != nil {
		return nil, err
	}
	return r, nil
}

func (d *Desk) actor(asks string) string { return cmp.Or(asks, d.Actor) }

// Import reads a file into a table.
func (d *Desk) Import(ctx context.Context, o ImportOptions, file io.Reader) (*ImportReport, error) {
	return d.Tables.Import(ctx, d.actor(o.Actor), o, file)
}

// Export writes a table's rows.
func (d *Desk) Export(ctx context.Context, o ExportOptions, w io.Writer) error {
	return d.Tables.Export(ctx, o, w)
}

func (d *Desk) list(ctx context.Context, _ Command, r *Reply) (err error) {
	r.Tables, err = d.Tables.List(ctx)
	return err
}

func (d *Desk) one(t *Table, err error, r *Reply) error {
	if err == nil {
		r.Tables = []*Table{t}
	}
	return err
}

func (d *Desk) show(ctx context.Context, c Command, r *Reply) error {
	t, err := d.Tables.Table(ctx, c.Table)
	if err := d.one(t, err, r); err != nil {
		return err
	}
	r.Changes, err = d.Tables.Changes(ctx, c.Table, changesShown)
	return err
}

func (d *Desk) create(ctx context.Context, c Command, r *Reply) error {
	t, err := d.Tables.Create(ctx, d.actor(c.Actor), c.Table, c.Columns)
	return d.one(t, err, r)
}

func (d *Desk) alter(ctx context.Context, c Command, r *Reply) error {
	if c.Alter == nil {
		return fault.New(fault.Invalid, "it is not said what is to change")
	}
	t, err := d.Tables.Alter(ctx, d.actor(c.Actor), c.Table, *c.Alter)
	return d.one(t, err, r)
}

func (d *Desk) drop(ctx context.Context, c Command, r *Reply) error {
	t, err := d.Tables.Table(ctx, c.Table)
	if err != nil {
		return err
	}
	r.Removed = t.Rows
	return d.Tables.Drop(ctx, d.actor(c.Actor), c.Table)
}

func (d *Desk) clear(ctx context.Context, c Command, r *Reply) (err error) {
	r.Removed, err = d.Tables.Clear(ctx, d.actor(c.Actor), c.Table)
	return err
}

func (d *Desk) rows(ctx context.Context, c Command, r *Reply) error {
	t, err := d.Tables.Table(ctx, c.Table)
	if err := d.one(t, err, r); err != nil {
		return err
	}
	page, err := d.Tables.Query(ctx, c.Table, c.Query)
	r.Rows, r.Next = page.Rows, page.Next
	return err
}

// find returns the row that a command means.
func (d *Desk) find(ctx context.Context, c Command) (Row, error) {
	if c.Row != "" {
		return d.Tables.Row(ctx, c.Table, c.Row)
	}
	if c.Key == nil {
		return Row{}, fault.New(fault.Invalid, "it is not said which row is meant").Fix("name its id, or the value of its key column")
	}
	return d.Tables.RowByKey(ctx, c.Table, c.Key)
}

func (d *Desk) row(ctx context.Context, c Command, r *Reply) error {
	row, err := d.find(ctx, c)
	r.Rows = []Row{row}
	return err
}

func (d *Desk) add(ctx context.Context, c Command, r *Reply) error {
	row, outcome, err := d.Tables.Insert(ctx, d.actor(c.Actor), c.Table, c.Values, c.Once)
	r.Rows, r.Outcome = []Row{row}, outcome
	return err
}

func (d *Desk) set(ctx context.Context, c Command, r *Reply) error {
	row, err := d.find(ctx, c)
	if err != nil {
		return err
	}
	row, outcome, err := d.Tables.Update(ctx, d.actor(c.Actor), c.Table, row.ID, c.Values, c.Version)
	r.Rows, r.Outcome = []Row{row}, outcome
	return err
}

func (d *Desk) put(ctx context.Context, c Command, r *Reply) error {
	rows, counts, err := d.Tables.Upsert(ctx, d.actor(c.Actor), c.Table, c.Rows)
	r.Rows, r.Counts = rows, &counts
	return err
}

func (d *Desk) delete(ctx context.Context, c Command, r *Reply) error {
	row, err := d.find(ctx, c)
	if err != nil {
		return err
	}
	r.Removed = 1
	return d.Tables.Delete(ctx, d.actor(c.Actor), c.Table, row.ID)
}
