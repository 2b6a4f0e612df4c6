// Package store keeps every domain's data in one SQL database. Statements are
// written once, in the subset that SQLite and PostgreSQL share; what differs
// (opening, migrations, error codes) is in the package of each database.
//
// Tables carry the name of their domain: directory_accounts, journal_runs ...
// Times are integer microseconds UTC, 0 for never; identifiers are text,
// compared by bytes; structured parts are JSON in text columns.
//
// The package leaves rules to the domains: it only keeps what they hand over.
package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Dialect is what differs between the databases at run time.
type Dialect struct {
	Name string // "sqlite", "postgres"

	// Kind says which kind of failure a driver's error is, by its code.
	// fault.Internal means that the code says nothing of use.
	Kind func(error) fault.Kind

	// OneWriter is set when the database lets one transaction write at a time.
	// Writers then queue in the process, in order of arrival, instead of
	// polling for the lock.
	OneWriter bool
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	sql     *sql.DB
	dialect Dialect
	writer  chan struct{} // holds one token while nobody writes; nil when many may
}

// New wraps an open database. Packages of databases call it; others get a DB
// from their Open.
func New(db *sql.DB, dialect Dialect) *DB {
	d := &DB{sql: db, dialect: dialect}
	if dialect.OneWriter {
		d.writer = make(chan struct{}, 1)
		d.writer <- struct{}{}
	}
	return d
}

// SQL returns the pool, for statements outside Update and View.
func (d *DB) SQL() *sql.DB { return d.sql }

// Close closes the database. Closing twice is harmless.
func (d *DB) Close() error {
	if err := d.sql.Close(); err != nil {
		return fault.Wrap(fault.Internal, err, "the database cannot be closed")
	}
	return nil
}

// Update runs f in one transaction that may write. It commits when f returns
// nil, and the result is on disk when Update returns. Errors of f come back
// translated.
func (d *DB) Update(ctx context.Context, f func(*sql.Tx) error) error {
	if d.writer != nil {
		select {
		case <-d.writer:
			defer func() { d.writer <- struct{}{} }()
		case <-ctx.Done():
			return d.Translate(ctx.Err())
		}
	}
	return d.run(ctx, nil, f)
}

// View runs f in one transaction that only reads, on one snapshot.
func (d *DB) View(ctx context.Context, f func(*sql.Tx) error) error {
	return d.run(ctx, &sql.TxOptions{ReadOnly: true}, f)
}

func (d *DB) run(ctx context.Context, opts *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, opts)
	if err != nil {
		return d.Translate(err)
	}
	// After the commit this does nothing. It is deferred because a panic of f,
	// which a server survives, must not keep the write lock; its own error adds
	// nothing, for the transaction is over either way.
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
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
