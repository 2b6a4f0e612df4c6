package worker

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// maxGroup bounds how many turns share one commit, so that one of them is never
// kept waiting for long.
const maxGroup = 256

// writer commits the entries of all runs, as many together as have arrived
// while the previous group was written.
type writer struct {
	store  Store
	queue  chan write
	closed chan struct{} // nothing is written any more
}

type write struct {
	entry Entry
	done  chan error
}

func newWriter(store Store) *writer {
	return &writer{store: store, queue: make(chan write, maxGroup), closed: make(chan struct{})}
}

// run writes until ctx ends, then what is in the queue.
func (w *writer) run(ctx context.Context) {
	defer close(w.closed)
	group := make([]write, 0, maxGroup)
	entries := make([]Entry, 0, maxGroup)
	for {
		group, entries = group[:0], entries[:0]
		select {
		case first := <-w.queue:
			group = append(group, first)
		case <-ctx.Done():
			select {
			case first := <-w.queue:
				group = append(group, first)
			default:
				return
			}
		}
	gather:
		for len(group) < maxGroup {
			select {
			case next := <-w.queue:
				group = append(group, next)
			default:
				break gather
			}
		}
		for _, g := range group {
			entries = append(entries, g.entry)
		}
		w.commit(group, entries)
	}
}

// commit writes a group; if it is refused, each entry alone, so that one
// duplicate run does not fail its neighbours.
func (w *writer) commit(group []write, entries []Entry) {
	// A shutdown must not cut a commit short: the calls it covers may be under way.
	ctx := context.Background()
	err := w.store.Append(ctx, entries)
	if err == nil || len(group) == 1 {
		for _, g := range group {
			g.done <- err
		}
		return
	}
	for i, g := range group {
		g.done <- w.store.Append(ctx, entries[i:i+1])
	}
}

// append hands an entry to the writer and waits until it is on disk.
func (w *writer) append(ctx context.Context, e Entry) error {
	done := make(chan error, 1)
	select {
	case w.queue <- write{entry: e, done: done}:
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "the journal is closing")
	}
	select {
	case err := <-done:
		return err
	case <-w.closed:
	}
	select {
	case err := <-done: // written last of all
		return err
	default:
		return fault.New(fault.Unavailable, "the journal is closed")
	}
}
