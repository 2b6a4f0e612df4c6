package extract

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// sqliteFile is a database file of SQLite.
type sqliteFile struct{ path string }

func openSQLite(path string) (database, error) {
	if _, err := os.Stat(path); err != nil {
		kind := fault.Unavailable
		if errors.Is(err, fs.ErrNotExist) {
			kind = fault.NotFound
		}
		return nil, fault.Wrap(kind, err, "the database file cannot be read").At("%s", path).Fix("check the path, and its permissions")
	}
	return &sqliteFile{path}, nil
}

func (f *sqliteFile) String() string { return filepath.Base(f.path) }

// read implements database. The file is opened for reading, and the connection
// refuses to write.
func (f *sqliteFile) read(ctx context.Context, query string, parameters []any, columns func([]string) error, row func([]any) bool) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: f.path}).EscapedPath()+"?mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it was only read
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	found, err := tx.QueryContext(ctx, query, toDriver(parameters, func(n json.Number) any {
		if i, err := n.Int64(); err == nil {
			return i
		}
		if x, err := n.Float64(); err == nil {
			return x
		}
		return n.String()
	})...)
	if err != nil {
		return f.refused(ctx, err)
	}
	defer found.Close()
	if err := f.rows(found, columns, row); err != nil {
		return err
	}
	if err := found.Err(); err != nil {
		return f.refused(ctx, err)
	}
	return ctx.Err()
}

func (f *sqliteFile) rows(found *sql.Rows, columns func([]string) error, row func([]any) bool) error {
	types, err := found.ColumnTypes()
	if err != nil {
		return err
	}
	names := make([]string, len(types))
	values, into := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		names[i], into[i] = t.Name(), &values[i]
	}
	if err := columns(names); err != nil {
		return err
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			values[i] = fromDriver(v, types[i].DatabaseTypeName())
		}
		if !row(values) {
			break
		}
	}
	return nil
}

// refused words what SQLite has against a query.
func (f *sqliteFile) refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fault.Wrap(fault.Invalid, err, "SQLite refuses the query: %s", err.Error()).Fix("correct it; it may only read")
}
