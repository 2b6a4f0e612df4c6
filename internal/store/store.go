// Package store keeps every domain's data in one SQL database. Statements and
// migrations are written once, in the subset that SQLite and PostgreSQL share; what
// differs (opening, ownership, a few words of the schema, error codes) is in the
// package of each database.
//
// Updates share commits (batch.go); statements are compiled once (statement.go).
// Tables carry the name of their domain: directory_accounts, journal_runs ...
// Objects of the directory that are read and written whole share one table
// (records.go).
// Times are integer microseconds UTC, 0 for never; identifiers are text,
// compared by bytes; structured parts are JSON in text columns.
//
// The package leaves rules to the domains: it only keeps what they hand over.
package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Dialect is what differs between the databases at run time.
type Dialect struct {
	Name string // "sqlite", "postgres"

	// Kind says which kind of failure a driver's error is, by its code.
	// fault.Internal means that the code says nothing of use.
	Kind func(error) fault.Kind

	// BeginUpdate is run first in every transaction that writes; "" for nothing.
	// Where the database lets several write at once, it takes the one lock that
	// makes them queue.
	BeginUpdate string

	// Analyze is whether the database plans by statistics that it gathers now and
	// then, and must be told of tables that grow fast.
	Analyze bool

	// Snapshot is the isolation level at which a transaction that only reads
	// sees one state of the database.
	Snapshot sql.IsolationLevel
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	sql        *sql.DB
	dialect    Dialect
	writer     chan *batch // holds the one permission to write
	statements statements
	positions  positions
	growth     growth
	hold       io.Closer // what makes this process the owner; may be nil
}

// New wraps an open database. Packages of databases call it; others get a DB
// from their Open.
func New(db *sql.DB, dialect Dialect) *DB {
	d := &DB{sql: db, dialect: dialect, writer: make(chan *batch, 1)}
	d.writer <- nil
	return d
}

// SQL returns the pool, for statements outside Update and View.
func (d *DB) SQL() *sql.DB { return d.sql }

// Hold makes the DB close c with itself: what shows other processes that the
// database has an owner. Packages of databases call it, once.
func (d *DB) Hold(c io.Closer) { d.hold = c }

// Close closes the database. Closing twice is harmless.
func (d *DB) Close() error {
	if d.hold != nil {
		_ = d.hold.Close() // the server notices anyway
	}
	if err := d.sql.Close(); err != nil {
		return fault.Wrap(fault.Internal, err, "the database cannot be closed")
	}
	return nil
}

// View runs f in one transaction that only reads, on one snapshot.
func (d *DB) View(ctx context.Context, f func(*Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: d.dialect.Snapshot})
	if err != nil {
		return d.Translate(err)
	}
	t := &Tx{ctx: ctx, tx: tx, db: d}
	// After the commit the rollback does nothing. It is deferred because a panic
	// of f, which a server survives, must not keep the connection; its own error
	// adds nothing, for the transaction is over either way.
	defer func() {
		_ = tx.Rollback()
		d.statements.prepare(ctx, d.sql, t.unprepared)
	}()
	if err := f(t); err != nil {
		return d.Translate(err)
	}
	return d.Translate(tx.Commit())
}

// Translate turns an error of database/sql or its driver into a fault. Faults
// and nil pass unchanged.
func (d *DB) Translate(err error) error {
	var f *fault.Error
	switch {
	case err == nil, errors.As(err, &f):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Timeout, err, "the database did not answer in time")
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Unavailable, err, "the request was cancelled")
	case errors.Is(err, sql.ErrNoRows):
		return fault.Wrap(fault.NotFound, err, "there is no such record")
	case errors.Is(err, sql.ErrConnDone), errors.Is(err, sql.ErrTxDone):
		return fault.Wrap(fault.Unavailable, err, "the database was closed")
	}
	kind := d.dialect.Kind(err)
	return fault.Wrap(kind, err, "%s", publicText[kind])
}

// publicText says what a stranger may know of a driver's error.
var publicText = map[fault.Kind]string{
	fault.Internal:    "the database failed",
	fault.Conflict:    "a record with this key exists already",
	fault.Unavailable: "the database is busy or cannot be reached",
	fault.TooLarge:    "the disk is full or the record too large",
	fault.NotFound:    "a record that this one refers to does not exist",
	fault.Timeout:     "the database did not answer in time",
	fault.Refused:     "the database may not be written",
	fault.Locked:      "another process has taken the database over; this one must stop",
}

// Micros returns a time as it is stored: microseconds since 1970 UTC, 0 for
// the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the inverse of Micros.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
