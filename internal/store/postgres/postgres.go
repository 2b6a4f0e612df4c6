// Package postgres opens the product's database on a PostgreSQL server:
// connection pool, ownership, schema migrations and error codes. Statements live
// in internal/store.
//
// Identifiers are compared by bytes on SQLite, so every text column has the
// collation "C" here. Writers queue on one advisory lock: what an update has
// read stays true until it commits, also when another program writes; updates of
// one process share commits, so the queue costs little.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store"
)

// connections bounds the pool: one writer and some readers.
const connections = 8

// ownLock is held by the owner of a database for as long as its connection
// lives. The numbers of advisory locks are unlikely to be anybody else's.
const ownLock = "SELECT pg_try_advisory_lock(5716021743191)"

// takeOver counts the owners that a database has had.
const takeOver = `INSERT INTO directory_counters (name, value) VALUES ('owner', 1)
	ON CONFLICT (name) DO UPDATE SET value = directory_counters.value + 1 RETURNING value`

// beginUpdate takes the lock that writers queue on, and makes sure that nobody
// has taken the database over: the connection that holds ownLock may have been
// cut without this process noticing, and then another one may be the owner. A
// worker that goes on would do everything twice.
const beginUpdate = `DO $$ BEGIN
	PERFORM pg_advisory_xact_lock(5716021743190);
	IF (SELECT value FROM directory_counters WHERE name = 'owner') <> %d THEN
		RAISE EXCEPTION 'another process has taken the database over' USING ERRCODE = '55000';
	END IF;
END $$`

// Open opens the database at a postgres:// URL, takes ownership of it and brings
// its schema up to date. A database that another process owns is fault.Locked:
// two workers on one journal would do everything twice.
func Open(ctx context.Context, address string) (*store.DB, error) {
	pool, err := connect(ctx, address)
	if err != nil {
		return nil, err
	}
	conn, err := own(ctx, pool, address)
	if err == nil {
		err = migrate(ctx, pool, address)
	}
	var term int64
	if err == nil {
		err = pool.QueryRowContext(ctx, takeOver).Scan(&term)
	}
	if err != nil {
		_ = pool.Close() // the first error is the one to report
		return nil, openError(err, address)
	}
	db := newDB(pool, fmt.Sprintf(beginUpdate, term))
	db.Hold(conn)
	return db, nil
}

// OpenToRead opens a database that another process may own, to look at it.
func OpenToRead(ctx context.Context, address string) (*store.DB, error) {
	pool, err := connect(ctx, address)
	if err != nil {
		return nil, err
	}
	return newDB(pool, "SET TRANSACTION READ ONLY"), nil
}

func newDB(pool *sql.DB, begin string) *store.DB {
	return store.New(pool, store.Dialect{
		Name: "postgres", Kind: kindOf, BeginUpdate: begin, Analyze: true, Snapshot: sql.LevelRepeatableRead,
	})
}

func connect(ctx context.Context, address string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The driver's error quotes the address.
		return nil, fault.New(fault.Usage, "the database's address cannot be read").At("%s", Place(address)).
			Fix("write postgres://USER@HOST/DATABASE")
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close() // it never opened
		return nil, openError(err, address)
	}
	return pool, nil
}

// own takes the lock of the database's owner, which lasts as long as the
// connection that it returns.
func own(ctx context.Context, pool *sql.DB, address string) (*sql.Conn, error) {
	conn, err := pool.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return nil, openError(err, address)
	}
	var free bool
	if err := conn.QueryRowContext(ctx, ownLock).Scan(&free); err != nil {
		_ = conn.Close() // the first error is the one to report
		return nil, openError(err, address)
	}
	if !free {
		_ = conn.Close()
		return nil, fault.New(fault.Locked, "another process uses this database").At("%s", Place(address)).
			Fix("stop it, or give this one a database of its own")
	}
	return conn, nil
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, pool *sql.DB, address string) error {
	p, latest, err := provider(pool)
	if err != nil {
		return err
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return openError(err, address)
	}
	if have > int64(latest) {
		return fault.New(fault.Unsupported, "the database was written by a newer version (schema %d, this program knows %d)", have, latest).
			At("%s", Place(address)).Fix("use the newer program, or another database")
	}
	if _, err := p.Up(ctx); err != nil {
		return fault.Wrap(kindOf(err), err, "the database schema cannot be brought up to date").At("%s", Place(address))
	}
	return nil
}

func provider(pool *sql.DB) (*goose.Provider, int, error) {
	files, latest, err := store.Migrations(respell)
	if err != nil {
		return nil, 0, err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, pool, files)
	if err != nil {
		return nil, 0, fault.Wrap(fault.Internal, err, "the embedded migrations cannot be read")
	}
	return p, latest, nil
}

var (
	textType = regexp.MustCompile(`\bTEXT\b`)
	intType  = regexp.MustCompile(`\bINTEGER\b`)
	blobType = regexp.MustCompile(`\bBLOB\b`)
)

// respell turns SQLite's words into PostgreSQL's.
func respell(sql string) string {
	sql = strings.ReplaceAll(sql, " WITHOUT ROWID", "")
	sql = textType.ReplaceAllString(sql, `TEXT COLLATE "C"`)
	sql = intType.ReplaceAllString(sql, "BIGINT")
	return blobType.ReplaceAllString(sql, "BYTEA")
}

// Place is a database's address as errors show it: host and name, nothing that
// is secret.
func Place(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "postgres"
	}
	return "postgres://" + u.Host + u.Path
}

func openError(err error, address string) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	remedy := "check that the server runs and the address is right"
	if kindOf(err) == fault.Refused {
		remedy = "check the user, its password, and that it may use the database"
	}
	return fault.Wrap(kindOf(err), err, "the database cannot be opened").At("%s", Place(address)).Fix("%s", remedy)
}

// kinds are the failures that SQLSTATE codes stand for: a whole code, or a class.
var kinds = map[string]fault.Kind{
	"23505": fault.Conflict,    // unique_violation
	"23503": fault.NotFound,    // foreign_key_violation
	"22":    fault.Invalid,     // data exception: a text with NUL
	"08":    fault.Unavailable, // connection
	"40":    fault.Unavailable, // transaction rollback: deadlock, serialization
	"53":    fault.Unavailable, // insufficient resources
	"53100": fault.TooLarge,    // disk_full
	"54":    fault.TooLarge,    // program limit exceeded
	"55000": fault.Locked,      // object_not_in_prerequisite_state: beginUpdate
	"55P03": fault.Unavailable, // lock_not_available
	"57":    fault.Unavailable, // operator intervention: shutdown
	"57014": fault.Timeout,     // query_canceled
	"25006": fault.Refused,     // read_only_sql_transaction
	"28":    fault.Refused,     // invalid authorization
	"42501": fault.Refused,     // insufficient_privilege
	"3D000": fault.Refused,     // no such database
}

// kindOf translates PostgreSQL's error codes.
func kindOf(err error) fault.Kind {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		for _, code := range []string{e.Code, e.Code[:min(2, len(e.Code))]} {
			if kind, ok := kinds[code]; ok {
				return kind
			}
		}
		return fault.Internal
	}
	var c *pgconn.ConnectError
	if errors.As(err, &c) || pgconn.SafeToRetry(err) {
		return fault.Unavailable
	}
	return fault.Internal
}
