package store

import (
	"context"
	"database/sql"
	"sync"
)

// Tx is one transaction. It keeps the context because it lives no longer than
// the call that has it.
type Tx struct {
	ctx        context.Context
	tx         *sql.Tx
	db         *DB
	batch      *batch // nil in a View
	unprepared []string
}

// exec runs a statement and returns how many rows it touched. Errors are
// translated.
func (t *Tx) exec(query string, args ...any) (int64, error) {
	var result sql.Result
	var err error
	if stmt := t.prepared(query); stmt != nil { //nolint:sqlclosecheck // the transaction closes it
		result, err = stmt.ExecContext(t.ctx, args...)
	} else {
		result, err = t.tx.ExecContext(t.ctx, query, args...)
	}
	if err != nil {
		return 0, t.db.Translate(err)
	}
	n, err := result.RowsAffected()
	return n, t.db.Translate(err)
}

func (t *Tx) queryRow(query string, args ...any) *sql.Row {
	if stmt := t.prepared(query); stmt != nil { //nolint:sqlclosecheck // the transaction closes it
		return stmt.QueryRowContext(t.ctx, args...)
	}
	return t.tx.QueryRowContext(t.ctx, query, args...)
}

func (t *Tx) query(query string, args ...any) (*sql.Rows, error) {
	if stmt := t.prepared(query); stmt != nil { //nolint:sqlclosecheck // the transaction closes it
		return stmt.QueryContext(t.ctx, args...)
	}
	return t.tx.QueryContext(t.ctx, query, args...)
}

// prepared returns the compiled form of a statement, nil while there is none.
func (t *Tx) prepared(query string) *sql.Stmt {
	stmt := t.db.statements.get(query)
	if stmt == nil {
		t.unprepared = append(t.unprepared, query)
		return nil
	}
	return t.tx.StmtContext(t.ctx, stmt)
}

// statements are compiled once for the life of the pool: compiling one costs as
// much as running it.
type statements struct {
	mu      sync.RWMutex
	byQuery map[string]*sql.Stmt
}

// maxStatements bounds the texts that are kept. The store has fewer.
const maxStatements = 200

func (s *statements) get(query string) *sql.Stmt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byQuery[query]
}

// prepare compiles statements that a transaction had to run without. It is
// called when that is over: it takes a connection of the pool, and somebody who
// holds one must not wait for another. A failure is left to the next use.
func (s *statements) prepare(ctx context.Context, pool *sql.DB, queries []string) {
	for _, query := range queries {
		if s.get(query) != nil {
			continue
		}
		stmt, err := pool.PrepareContext(context.WithoutCancel(ctx), query)
		if err != nil {
			return
		}
		s.keep(query, stmt)
	}
}

// keep holds on to a statement unless another has come first.
func (s *statements) keep(query string, stmt *sql.Stmt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byQuery == nil {
		s.byQuery = map[string]*sql.Stmt{}
	}
	if s.byQuery[query] != nil || len(s.byQuery) >= maxStatements {
		_ = stmt.Close() // nothing was done with it
		return
	}
	s.byQuery[query] = stmt
}
