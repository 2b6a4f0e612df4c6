package importer_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// watched is a source that does something when it begins to be read.
type watched struct {
	source importer.Rows
	begins func(ctx context.Context)
}

func (w watched) Rows(ctx context.Context) iter.Seq2[importer.Located, error] {
	w.begins(ctx)
	return w.source.Rows(ctx)
}

// queued starts an import that nobody carries out yet.
func (b *bench) queued(r importer.Rows, t importer.Type) *importer.Session {
	b.Helper()
	s, err := b.Importer.Run(b.Context(), me, b.source, r, importer.RunOptions{Type: t, NoWait: true})
	b.do(err)
	return s
}

// now is a session as it has become.
func (b *bench) now(s *importer.Session) *importer.Session {
	b.Helper()
	s, err := b.Session(b.Context(), b.source, s.ID)
	b.do(err)
	return s
}

// A session that waits for one that a person has to approve is compared with what
// came of that, though it was read before.
func TestBehindHeld(t *testing.T) {
	b := newBench(t, nil)
	all := people(20)
	b.run(all, importer.Full)
	held := b.run(all[:9], importer.Full)
	b.equal("phase", held.Phase, importer.Held)
	b.clock.Step(time.Hour)
	whole, other := b.run(all, importer.Full), b.run(all[:3], importer.Incremental)
	b.equal("phase", whole.Phase, importer.Queued)
	b.equal("of a session that waits", b.counts(whole), map[string]int{"scanned": 20})
	b.clock.Step(-2 * time.Hour) // the order is not that of the clock
	_, err := b.Approve(t.Context(), me, held.ID, "")
	b.do(err)
	b.do(b.Settle(t.Context()))
	b.done(b.now(held), map[string]int{"scanned": 9, "unchanged": 9, "removed": 11})
	b.done(b.held(b.now(whole), reconcile.Returns, "11 accounts"), map[string]int{"scanned": 20, "unchanged": 9, "reactivated": 11})
	b.done(b.now(other), map[string]int{"scanned": 3, "unchanged": 3})
}

// What was triggered of a source is carried out before the source is read again: by
// whoever reads it, if nobody else does.
func TestTurn(t *testing.T) {
	b := newBench(t, nil)
	all := people(12)
	b.run(all[:5], importer.Incremental)
	first := b.queued(all, importer.Incremental)
	b.equal("of a session that waits", b.counts(first), map[string]int{"scanned": 12, "unchanged": 5})
	second := b.queued(watched{all, func(context.Context) {
		b.done(b.now(first), map[string]int{"scanned": 12, "unchanged": 5, "added": 7})
	}}, importer.Incremental)
	b.equal("read when it was its turn", b.counts(second), map[string]int{"scanned": 12, "unchanged": 12})
	b.do(b.Settle(t.Context()))
	b.done(b.now(second), map[string]int{"scanned": 12, "unchanged": 12})
}

// While a source is read, nothing is carried out that came later: whoever is as the
// source has him is only counted.
func TestNothingBetween(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) {
		s.Confirm, s.Activate, s.Sourcing.Users = reconcile.Confirm{Exact: true, New: true}, true, true
	})
	all := people(12)
	b.run(all, importer.Full)
	plan, err := b.Preview(t.Context(), b.source, all[:3], importer.PreviewOptions{})
	b.do(err)
	loaded, applied := &importer.Session{}, make(chan error, 1)
	during := watched{all, func(context.Context) {
		loaded = b.create()
		b.load(loaded, importer.Batch{DeleteUsers: []string{"1007"}, Users: []importer.Record{record("9", "Eve", "Oak")}})
		b.do(b.Settle(t.Context())) // others have nothing to do
		go func() {
			_, err := b.Apply(t.Context(), me, plan)
			applied <- err
		}()
		b.clock.Step(-time.Hour)
		b.equal("state", b.imported(loaded).Phase, importer.Queued)
	}}
	whole, err := b.Importer.Run(t.Context(), me, b.source, during, importer.RunOptions{})
	b.do(err)
	b.done(whole, map[string]int{"scanned": 12, "unchanged": 12})
	b.do(b.Settle(t.Context()))
	b.done(b.now(loaded), map[string]int{"scanned": 2, "added": 1, "removed": 1})
	if err := <-applied; err != nil && !fault.Is(err, fault.Stale) {
		t.Errorf("the plan: %v", err)
	}
}

// Whoever waits for others can be called off.
func TestCalledOff(t *testing.T) {
	b := newBench(t, nil)
	reading, ended := make(chan struct{}), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		_, err := b.Importer.Run(ctx, me, b.source, watched{people(3), func(ctx context.Context) {
			close(reading)
			<-ctx.Done()
		}}, importer.RunOptions{})
		ended <- err
	}()
	<-reading
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Importer.Run(late, me, b.source, people(3), importer.RunOptions{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	next := make(chan *importer.Session, 1)
	go func() {
		s, err := b.Importer.Run(t.Context(), me, b.source, people(3), importer.RunOptions{})
		if err != nil {
			t.Error(err)
		}
		next <- s
	}()
	stop()
	if err := <-ended; err == nil {
		t.Error("the source that was called off was read to its end")
	}
	if s := <-next; s != nil {
		b.done(s, map[string]int{"scanned": 3, "added": 3})
	}
}
