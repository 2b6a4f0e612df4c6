package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/table"
)

// Tables keeps the tables of the operator.
type Tables struct{ db *DB }

var _ table.Store = (*Tables)(nil)

// Tables returns the store of tables on this database.
func (d *DB) Tables() *Tables { return &Tables{db: d} }

// View implements table.Store.
func (s *Tables) View(ctx context.Context, f func(table.Reader) error) error {
	return s.db.View(ctx, func(tx *Tx) error { return f(&tableTx{tx}) })
}

// Update implements table.Store.
func (s *Tables) Update(ctx context.Context, f func(table.Tx) error) error {
	return s.db.Update(ctx, func(tx *Tx) error { return f(&tableTx{tx}) })
}

// tableTx is table.Tx.
type tableTx struct{ *Tx }

// tableBody is what is stored of a table beside what statements ask for.
type tableBody struct {
	Name    string        `json:"name"`
	Columns []tableColumn `json:"columns"`
	Slots   int           `json:"slots"`
	Created int64         `json:"created"`
	Updated int64         `json:"updated"`
}

type tableColumn struct {
	table.Column
	Slot int `json:"slot"`
}

func tableBodyOf(t *table.Table) (string, error) {
	b := tableBody{Name: t.Name, Slots: t.Slots, Created: Micros(t.Created), Updated: Micros(t.Updated)}
	for _, c := range t.Columns {
		b.Columns = append(b.Columns, tableColumn{c, c.Slot})
	}
	text, err := json.Marshal(b)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the table cannot be stored")
	}
	return string(text), nil
}

const tableColumns = "id, sheet, next, size, version, body"

func scanTable(row scanner) (*table.Table, error) {
	var t table.Table
	var text string
	if err := row.Scan(&t.ID, &t.Sheet, &t.Next, &t.Rows, &t.Version, &text); err != nil {
		return nil, err
	}
	var b tableBody
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "a stored table cannot be read")
	}
	t.Name, t.Slots, t.Created, t.Updated = b.Name, b.Slots, Time(b.Created), Time(b.Updated)
	for _, c := range b.Columns {
		c.Column.Slot = c.Slot
		t.Columns = append(t.Columns, c.Column)
	}
	return &t, nil
}

// Table implements table.Reader.
func (t *tableTx) Table(name string) (*table.Table, error) {
	found, err := scanTable(t.queryRow("SELECT "+tableColumns+" FROM table_tables WHERE name_key = $1", name))
	return found, t.db.Translate(err)
}

// Tables implements table.Reader.
func (t *tableTx) Tables() (list []*table.Table, err error) {
	err = scanAll(t.Tx, "SELECT "+tableColumns+" FROM table_tables ORDER BY name_key", nil, func(row scanner) error {
		one, err := scanTable(row)
		list = append(list, one)
		return err
	})
	return list, t.db.Translate(err)
}

// InsertTable implements table.Tx.
func (t *tableTx) InsertTable(n *table.Table) error {
	body, err := tableBodyOf(n)
	if err != nil {
		return err
	}
	done, err := t.exec("INSERT INTO table_tables (id, name_key, sheet, next, size, version, body) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
		n.ID, table.Fold(n.Name), n.Sheet, n.Next, n.Rows, n.Version, body)
	if err == nil && done == 0 {
		return fault.New(fault.Conflict, "there is a table %q already", n.Name)
	}
	return err
}

// UpdateTable implements table.Tx.
func (t *tableTx) UpdateTable(n *table.Table) error {
	body, err := tableBodyOf(n)
	if err != nil {
		return err
	}
	done, err := t.exec("UPDATE table_tables SET name_key = $1, sheet = $2, next = $3, size = $4, version = $5, body = $6 WHERE id = $7 AND version = $8",
		table.Fold(n.Name), n.Sheet, n.Next, n.Rows, n.Version, body, n.ID, n.Version-1)
	if err == nil && done == 0 {
		return fault.New(fault.Stale, "table %q was changed meanwhile", n.Name).Fix("read it again")
	}
	return err
}

// DeleteTable implements table.Tx.
func (t *tableTx) DeleteTable(id string) error {
	if _, err := t.exec("DELETE FROM table_changes WHERE tbl = $1", id); err != nil {
		return err
	}
	return t.one("DELETE FROM table_tables WHERE id = $1", id)
}

// one runs a statement that has to touch a row.
func (t *tableTx) one(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		return fault.New(fault.NotFound, "there is no such record")
	}
	return err
}

const rowColumns = "sheet, number, row_key, once, version, body"

func scanRow(row scanner) (r table.Record, err error) {
	var key, once sql.NullString
	var body string
	err = row.Scan(&r.Sheet, &r.Number, &key, &once, &r.Version, &body)
	r.Key, r.Once, r.Body = key.String, once.String, []byte(body)
	return r, err
}

func (t *tableTx) rows(query string, args ...any) (list []table.Record, err error) {
	err = scanAll(t.Tx, query, args, func(row scanner) error {
		r, err := scanRow(row)
		list = append(list, r)
		return err
	})
	return list, t.db.Translate(err)
}

// Row implements table.Reader.
func (t *tableTx) Row(sheet string, number int64) (table.Record, error) {
	r, err := scanRow(t.queryRow("SELECT "+rowColumns+" FROM table_rows WHERE sheet = $1 AND number = $2", sheet, number))
	return r, t.db.Translate(err)
}

// RowByOnce implements table.Reader.
func (t *tableTx) RowByOnce(sheet, once string) (table.Record, error) {
	r, err := scanRow(t.queryRow("SELECT "+rowColumns+" FROM table_rows WHERE sheet = $1 AND once = $2", sheet, once))
	return r, t.db.Translate(err)
}

// keysAtOnce is how many keys one statement asks for, so that there are few
// different statements.
const keysAtOnce = 100

// RowsByKey implements table.Reader.
func (t *tableTx) RowsByKey(sheet string, keys []string) (list []table.Record, err error) {
	if len(keys) == 1 {
		return t.rows("SELECT "+rowColumns+" FROM table_rows WHERE sheet = $1 AND row_key = $2", sheet, keys[0])
	}
	for len(keys) > 0 {
		some := keys[:min(len(keys), keysAtOnce)]
		keys = keys[len(some):]
		args, marks := []any{sheet}, make([]string, keysAtOnce)
		for i := range marks {
			args = append(args, some[min(i, len(some)-1)])
			marks[i] = "$" + strconv.Itoa(i+2)
		}
		found, err := t.rows("SELECT "+rowColumns+" FROM table_rows WHERE sheet = $1 AND row_key IN ("+strings.Join(marks, ", ")+")", args...)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// Rows implements table.Reader.
func (t *tableTx) Rows(sheet string, after int64, limit int) ([]table.Record, error) {
	return t.rows("SELECT "+rowColumns+" FROM table_rows WHERE sheet = $1 AND number > $2 ORDER BY number LIMIT $3", sheet, after, limit)
}

// InsertRow implements table.Tx.
func (t *tableTx) InsertRow(r table.Record) (bool, error) {
	const insert = "INSERT INTO table_rows (" + rowColumns + ") VALUES ($1, $2, $3, $4, $5, $6)"
	args := []any{r.Sheet, r.Number, nullable(r.Key), nullable(r.Once), r.Version, string(r.Body)}
	if r.Key == "" {
		_, err := t.exec(insert, args...)
		return err == nil, err
	}
	n, err := t.exec(insert+" ON CONFLICT (sheet, row_key) WHERE row_key IS NOT NULL DO NOTHING", args...)
	return n == 1, err
}

// UpdateRow implements table.Tx.
func (t *tableTx) UpdateRow(r table.Record) error {
	n, err := t.exec("UPDATE table_rows SET row_key = $1, version = $2, body = $3 WHERE sheet = $4 AND number = $5 AND version = $6",
		nullable(r.Key), r.Version, string(r.Body), r.Sheet, r.Number, r.Version-1)
	if err == nil && n == 0 {
		return fault.New(fault.Stale, "row %d was changed meanwhile", r.Number).Fix("read it again")
	}
	return err
}

// DeleteRow implements table.Tx.
func (t *tableTx) DeleteRow(sheet string, number int64) error {
	return t.one("DELETE FROM table_rows WHERE sheet = $1 AND number = $2", sheet, number)
}

// DeleteRows implements table.Tx.
func (t *tableTx) DeleteRows(sheet string, limit int) (int64, error) {
	return t.exec("DELETE FROM table_rows WHERE sheet = $1 AND number IN (SELECT number FROM table_rows WHERE sheet = $1 ORDER BY number LIMIT $2)", sheet, limit)
}

// MoveRows implements table.Tx.
func (t *tableTx) MoveRows(from, to string) (int64, error) {
	return t.exec("UPDATE table_rows SET sheet = $1 WHERE sheet = $2", to, from)
}

// Clashes implements table.Tx. Each key is looked up: IN would gather those of the
// other sheet, which may have many more rows.
func (t *tableTx) Clashes(sheet, other string, limit int) ([]table.Record, error) {
	return t.rows("SELECT "+rowColumns+" FROM table_rows AS r WHERE r.sheet = $1 AND r.row_key IS NOT NULL AND "+
		"EXISTS (SELECT 1 FROM table_rows AS o WHERE o.sheet = $2 AND o.row_key = r.row_key AND o.row_key IS NOT NULL) ORDER BY r.number LIMIT $3",
		sheet, other, limit)
}

// AddSheet implements table.Tx.
func (t *tableTx) AddSheet(sheet string, at time.Time) error {
	_, err := t.exec("INSERT INTO table_sheets (sheet, at) VALUES ($1, $2) ON CONFLICT (sheet) DO NOTHING", sheet, Micros(at))
	return err
}

// RemoveSheet implements table.Tx.
func (t *tableTx) RemoveSheet(sheet string) error {
	_, err := t.exec("DELETE FROM table_sheets WHERE sheet = $1", sheet)
	return err
}

// Sheets implements table.Reader.
func (t *tableTx) Sheets() (list []string, err error) {
	err = scanAll(t.Tx, "SELECT sheet FROM table_sheets ORDER BY at, sheet", nil, func(row scanner) error {
		var sheet string
		err := row.Scan(&sheet)
		list = append(list, sheet)
		return err
	})
	return list, t.db.Translate(err)
}

// AddChange implements table.Tx.
func (t *tableTx) AddChange(c table.Change) error {
	var last sql.NullInt64
	if err := t.queryRow("SELECT max(seq) FROM table_changes WHERE tbl = $1", c.Table).Scan(&last); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return t.db.Translate(err)
	}
	seq := last.Int64 + 1
	if _, err := t.exec("INSERT INTO table_changes (tbl, seq, at, actor, what, size, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		c.Table, seq, Micros(c.At), c.Actor, c.What, c.Rows, c.Detail); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM table_changes WHERE tbl = $1 AND seq <= $2", c.Table, seq-table.MaxChanges)
	return err
}

// Changes implements table.Reader.
func (t *tableTx) Changes(id string, limit int) (list []table.Change, err error) {
	err = scanAll(t.Tx, "SELECT at, actor, what, size, detail FROM table_changes WHERE tbl = $1 ORDER BY seq DESC LIMIT $2", []any{id, limit}, func(row scanner) error {
		c := table.Change{Table: id}
		var at int64
		err := row.Scan(&at, &c.Actor, &c.What, &c.Rows, &c.Detail)
		c.At = Time(at)
		list = append(list, c)
		return err
	})
	return list, t.db.Translate(err)
}
