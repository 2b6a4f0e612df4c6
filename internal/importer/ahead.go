package importer

import "context"

// What goes on beside the transaction of the moment: what comes next is read and
// decoded, and what was decided is written. Each of these has one thing under way
// at most, and belongs to one goroutine, which stops it.

// ahead reads the blocks of a session, and the one behind it meanwhile.
type ahead struct {
	im      *Importer
	session string
	last    int // blocks that there are

	seq  int // of the block that is under way, 0: none
	next chan readBlock
}

type readBlock struct {
	*block
	err error
}

func (a *ahead) block(ctx context.Context, seq int) (*block, error) {
	var b readBlock
	if pending := a.seq; pending != 0 {
		b = <-a.next
		a.seq = 0
		if pending != seq {
			b = readBlock{}
		}
	}
	if b.block == nil && b.err == nil {
		b.block, b.err = a.im.block(ctx, a.session, seq)
	}
	if b.err == nil && seq < a.last {
		a.seq, a.next = seq+1, make(chan readBlock, 1)
		go func(to chan<- readBlock) {
			next, err := a.im.block(ctx, a.session, seq+1)
			to <- readBlock{next, err}
		}(a.next)
	}
	return b.block, b.err
}

// stop waits for what is under way.
func (a *ahead) stop() {
	if a.seq != 0 {
		<-a.next
		a.seq = 0
	}
}

// keeper writes the entities of a delta while the next ones are decided.
type keeper struct {
	im      *Importer
	session string
	written chan error // of what is under way; nil: nothing is
}

func (k *keeper) keep(ctx context.Context, _ []*decided, entities []Entity) error {
	if err := k.wait(); err != nil || len(entities) == 0 {
		return err
	}
	k.written = make(chan error, 1)
	go func(to chan<- error) {
		to <- k.im.Store.Update(ctx, func(tx Tx) error { return tx.InsertImportEntities(k.session, entities) })
	}(k.written)
	return nil
}

// wait returns what became of the last entities.
func (k *keeper) wait() error {
	if k.written == nil {
		return nil
	}
	err := <-k.written
	k.written = nil
	return err
}

// gathered are entities with their records, ready to be carried out.
type gathered struct {
	after    int64 // seq of the entity in front of them
	limit    int
	entities []Entity
	decided  []*decided
	err      error
}

// gather reads the next entities with their records.
func (a *applier) gather(r Reader, after int64, limit int) (g gathered) {
	g.after, g.limit = after, limit
	if g.entities, g.err = r.ImportEntities(EntityQuery{Session: a.id, After: after, Limit: limit}); g.err != nil {
		return g
	}
	for i := range g.entities {
		var one *decided
		if one, g.err = a.read(r, &g.entities[i]); g.err != nil {
			return g
		}
		g.decided = append(g.decided, one)
	}
	return g
}

// next returns the entities behind one, within the transaction that is to carry
// them out, and has those behind them gathered meanwhile: nobody else writes them.
func (a *applier) next(ctx context.Context, tx Tx, after int64, limit int) (gathered, error) {
	g := a.stop()
	if g == nil || g.err != nil || g.after != after || g.limit != limit {
		now := a.gather(tx, after, limit)
		g = &now
	}
	if g.err != nil || len(g.entities) < limit || limit == 1 {
		return *g, g.err
	}
	a.ahead = make(chan gathered, 1)
	last := g.entities[limit-1].Seq
	go func(to chan<- gathered) {
		var g gathered
		err := a.im.Store.View(ctx, func(r Reader) error {
			g = a.gather(r, last, limit)
			return g.err
		})
		g.err = err
		to <- g
	}(a.ahead)
	return *g, nil
}

// stop waits for what is being gathered and returns it, nil for nothing.
func (a *applier) stop() *gathered {
	if a.ahead == nil {
		return nil
	}
	g := <-a.ahead
	a.ahead = nil
	return &g
}
