// Package sqlite opens the product's database as a SQLite file: pragmas,
// schema migrations and error codes. Statements live in internal/store.
//
// The database runs in WAL mode with full sync: what is committed survives a
// power cut. Opening a database whose schema is current costs two small reads;
// the migrations are run only when the number in PRAGMA user_version says that
// the schema is older than this program.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store"
)

// pragmas are set on every connection. _txlock makes transactions that write
// take the lock at their start, so that what they read stays true; read-only
// ones take none. An import writes 5 MB in a transaction: a page cache of SQLite's
// own 2 MB would write pages early and read them again, and its own checkpoint
// after 4 MB would copy the same pages of the indexes for each transaction.
const pragmas = "_txlock=immediate&_busy_timeout=10000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_dqs=0&_pragma=cache_size(-8000)&_pragma=wal_autocheckpoint(4000)"

// connections bounds the pool: one writer and some readers.
const connections = 8

// Open opens the database file at path, makes it when it is missing (its
// folder must exist), and brings its schema up to date. Only the owner of the
// file may read it: it holds hashed credentials.
func Open(ctx context.Context, path string) (*store.DB, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the database cannot be opened").At("%s", path)
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	db := store.New(pool, store.Dialect{Name: "sqlite", Kind: kindOf})
	if err := migrate(ctx, pool, path); err != nil {
		_ = db.Close() // the first error is the one to report
		return nil, err
	}
	return db, nil
}

// create makes the file with narrow permissions; SQLite gives its side files
// the same ones.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		kind := fault.Internal
		if errors.Is(err, fs.ErrPermission) {
			kind = fault.Refused
		}
		return fault.Wrap(kind, err, "the database file cannot be opened or made").At("%s", path).
			Fix("check that its folder exists and may be written")
	}
	return f.Close()
}

// migrate brings the schema up to date. user_version holds the number of the
// last migration, as a marker that is cheaper to check than goose's own table.
func migrate(ctx context.Context, pool *sql.DB, file string) error {
	files, want, err := store.Migrations(nil)
	if err != nil {
		return err
	}
	var have int
	if err := pool.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return openError(err, file)
	}
	if have == want {
		return nil
	}
	if have > want {
		return fault.New(fault.Unsupported, "the database was written by a newer version (schema %d, this program knows %d)", have, want).
			At("%s", file).Fix("use the newer program, or another data folder")
	}
	p, err := provider(pool, files)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fault.Wrap(kindOf(err), err, "the database schema cannot be brought up to date").At("%s", file)
	}
	if _, err := pool.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", want)); err != nil {
		return openError(err, file)
	}
	return nil
}

func provider(pool *sql.DB, files fs.FS) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, files)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the embedded migrations cannot be read")
	}
	return p, nil
}

func openError(err error, file string) error {
	kind := kindOf(err)
	if code(err) == sqlite3.SQLITE_NOTADB {
		return fault.Wrap(fault.Invalid, err, "the file is not a SQLite database").At("%s", file).
			Fix("move it away, or name another data folder")
	}
	return fault.Wrap(kind, err, "the database cannot be opened").At("%s", file)
}

// kindOf translates SQLite's result codes.
func kindOf(err error) fault.Kind {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fault.Internal
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fault.Conflict
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fault.NotFound
	}
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN:
		return fault.Unavailable
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG:
		return fault.TooLarge
	case sqlite3.SQLITE_INTERRUPT:
		return fault.Timeout
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return fault.Refused
	}
	return fault.Internal
}

// code returns the primary result code of a driver's error, 0 for others.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
