package table

import (
	"context"
	"time"
)

// Store keeps tables. Its errors are faults; what is not there is NotFound.
type Store interface {
	// View runs f on one snapshot.
	View(ctx context.Context, f func(Reader) error) error
	// Update runs f in one transaction; nothing of it is kept when it fails.
	Update(ctx context.Context, f func(Tx) error) error
}

// Reader reads tables.
type Reader interface {
	// Table returns the table of a folded name.
	Table(name string) (*Table, error)
	// Tables returns all of them, ordered by their folded names.
	Tables() ([]*Table, error)
	// Row returns a row by its number.
	Row(sheet string, number int64) (Record, error)
	// RowsByKey returns the rows of a sheet with these keys, in any order.
	RowsByKey(sheet string, keys []string) ([]Record, error)
	// RowByOnce returns the row that was inserted with an idempotency key.
	RowByOnce(sheet, once string) (Record, error)
	// Rows returns up to limit rows with numbers greater than after, in their order.
	Rows(sheet string, after int64, limit int) ([]Record, error)
	// Changes returns what was done to a table, the newest first.
	Changes(table string, limit int) ([]Change, error)
	// Sheets returns those that are noted as being filled.
	Sheets() ([]string, error)
}

// Tx reads and writes tables.
type Tx interface {
	Reader
	// InsertTable adds a table; a folded name that is taken is a Conflict.
	InsertTable(t *Table) error
	// UpdateTable writes a table whose Version is one more than the stored one's;
	// anything else is Stale.
	UpdateTable(t *Table) error
	// DeleteTable removes a table and its changes. Its rows stay on their sheet.
	DeleteTable(id string) error
	// InsertRow adds a row, and reports false, having done nothing, when its sheet has
	// its key already.
	InsertRow(r Record) (bool, error)
	// UpdateRow writes a row whose Version is one more than the stored one's;
	// anything else is Stale. A key that is taken is a Conflict.
	UpdateRow(r Record) error
	// DeleteRow removes a row.
	DeleteRow(sheet string, number int64) error
	// DeleteRows removes up to limit rows of a sheet and returns how many.
	DeleteRows(sheet string, limit int) (int64, error)
	// MoveRows puts all rows of a sheet on another one and returns how many.
	MoveRows(from, to string) (int64, error)
	// Clashes returns up to limit rows of a sheet whose keys another one has.
	Clashes(sheet, other string, limit int) ([]Record, error)
	// AddSheet notes that a sheet is being filled, RemoveSheet that it is not: it
	// belongs to a table now, or is empty.
	AddSheet(sheet string, at time.Time) error
	RemoveSheet(sheet string) error
	// AddChange adds to the log of a table, which keeps the newest MaxChanges.
	AddChange(c Change) error
}

// Record is a row as it is stored.
type Record struct {
	Sheet   string
	Number  int64  // greater than that of every row before
	Key     string // cell of the key column as text, empty when the table has none
	Once    string // idempotency key of its insertion, empty for none
	Version int64  // from 1
	Body    []byte // JSON array of the cells, by slot
}

// Change is one thing that was done to a table.
type Change struct {
	Table  string    `json:"-"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"` // "operator", "run RUN" ...
	What   string    `json:"what"`  // "insert", "import" ...
	Rows   int64     `json:"rows,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// MaxChanges is how many changes of a table are kept.
const MaxChanges = 1000
