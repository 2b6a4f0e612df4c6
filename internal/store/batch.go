package store

import (
	"context"
	"database/sql"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// maxBatch is how many updates share one commit at most, so that the first of
// them does not wait for ever.
const maxBatch = 128

// batch is a transaction that several updates share. A commit waits for the
// disk, which takes longer than most updates: those that come meanwhile go
// along with the next one. Each is a unit of its own all the same, behind a
// savepoint, and returns only when what it wrote is on disk.
//
// The permission to write is a token in DB.writer. Who has it runs its update,
// and puts it back with the open batch in it. Those who wait for a turn stand
// first in the channel's queue, those who wait for the commit behind them; so
// when one of the latter gets the token, nobody else is waiting, and it commits.
type batch struct {
	tx   *sql.Tx
	size int           // updates that succeeded
	done chan struct{} // closed when the transaction is over
	err  error         // of the commit, after done
}

// Update runs f in one transaction that may write. It commits when f returns
// nil, and the result is on disk when Update returns. Errors of f come back
// translated. Updates run one after the other, in order of arrival. A context
// that ends while f runs does not stop it: others share the transaction.
func (d *DB) Update(ctx context.Context, f func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return d.Translate(err)
	}
	var b *batch
	select {
	case b = <-d.writer:
	case <-ctx.Done():
		return d.Translate(ctx.Err())
	}
	t, err := d.join(ctx, b, f)
	if err != nil {
		return d.Translate(err)
	}
	defer d.statements.prepare(ctx, d.sql, t.unprepared)
	b = t.batch
	if b.size >= maxBatch {
		d.commit(b)
		return d.Translate(b.err)
	}
	d.writer <- b
	select {
	case <-b.done:
	case mine := <-d.writer:
		if mine == b {
			d.commit(b)
			break
		}
		// The batch is over and another has begun, or none: not ours to commit.
		d.writer <- mine
		<-b.done
	}
	return d.Translate(b.err)
}

// commit ends a batch. The caller has the token, and gives it back.
func (d *DB) commit(b *batch) {
	b.err = b.tx.Commit()
	close(b.done)
	d.writer <- nil
}

// join runs f in an open batch, or in a new one when b is nil. When f fails or
// panics, only what it wrote is undone, and the token is given back.
func (d *DB) join(ctx context.Context, b *batch, f func(*Tx) error) (t *Tx, err error) {
	// The transaction outlives the contexts of those who share it.
	ctx = context.WithoutCancel(ctx)
	if b == nil {
		if b, err = d.begin(ctx); err != nil {
			d.writer <- nil
			return nil, err
		}
	}
	joined := false
	defer func() {
		if !joined {
			d.writer <- d.undo(ctx, b)
		}
	}()
	if b.size > 0 {
		if _, err := b.tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
			return nil, err
		}
	}
	t = &Tx{ctx: ctx, tx: b.tx, db: d, batch: b}
	if err := f(t); err != nil {
		return nil, err
	}
	if b.size > 0 {
		if _, err := b.tx.ExecContext(ctx, "RELEASE SAVEPOINT one"); err != nil {
			return nil, err
		}
	}
	b.size++
	joined = true
	return t, nil
}

func (d *DB) begin(ctx context.Context) (*batch, error) {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	if d.dialect.BeginUpdate != "" {
		if _, err := tx.ExecContext(ctx, d.dialect.BeginUpdate); err != nil {
			_ = tx.Rollback() // the first error is the one to report
			return nil, err
		}
	}
	return &batch{tx: tx, done: make(chan struct{})}, nil
}

// undo takes back the update that failed and returns the batch that goes on,
// nil when there is none: the update was alone, or the database has given up the
// whole transaction.
func (d *DB) undo(ctx context.Context, b *batch) *batch {
	if b.size > 0 {
		if _, err := b.tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT one"); err == nil {
			return b
		}
		b.err = fault.New(fault.Unavailable, "the database gave up a transaction; nothing of it was written")
	}
	_ = b.tx.Rollback() // it is over either way
	close(b.done)
	return nil
}
