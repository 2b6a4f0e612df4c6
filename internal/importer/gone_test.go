package importer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// deleted deletes the application of the source.
func (b *bench) deleted() {
	b.Helper()
	b.do(b.Directory.SetAppStatus(b.Context(), me, b.Realm, b.source, directory.Off))
	b.do(b.Directory.DeleteApp(b.Context(), me, b.Realm, b.source))
}

// byID is a session whose source may be gone.
func (b *bench) byID(id string) *importer.Session {
	b.Helper()
	s, err := b.Session(b.Context(), "", id)
	b.do(err)
	return s
}

// Sessions whose application was deleted end, and keep no other source waiting.
func TestApplicationGone(t *testing.T) {
	b := newBench(t, nil)
	ctx := t.Context()
	all := people(20)
	b.run(all, importer.Full)
	held := b.run(all[:9], importer.Full)
	queued := b.run(all[:3], importer.Incremental)
	created := b.create()
	b.equal("phase", held.Phase, importer.Held)
	b.deleted()
	_, err := b.Reject(ctx, me, held.ID, "the source is gone")
	b.do(err)
	b.do(b.Settle(ctx))
	b.equal("state", b.byID(held.ID).State, importer.Closed)
	gone := b.byID(queued.ID)
	b.equal("state", gone.State, importer.Failed)
	b.equal("people who failed", gone.Counts.Failed, 0)
	b.clock.Step(25 * time.Hour)
	other, err := b.PutSource(ctx, me, "Contractors", &importer.Source{Settings: reconcile.FileSettings()})
	b.do(err)
	b.source = other.ID
	b.done(b.run(rows{person("1", "Ann", "Ash")}, importer.Incremental), map[string]int{"scanned": 1, "added": 1})
	b.equal("state", b.byID(created.ID).State, importer.Expired)
	b.equal("expired", b.logged("system.import.session.expired"), 1)
}

// interrupted is a store in which something happens behind an update.
type interrupted struct {
	importer.Store
	left atomic.Int64 // updates until then
	then func()
}

func (i *interrupted) Update(ctx context.Context, work func(importer.Tx) error) error {
	err := i.Store.Update(ctx, work)
	if i.left.Add(-1) == 0 {
		i.then()
	}
	return err
}

// Whenever a source is removed, or its application, nothing of it is carried out any
// more.
func TestRemovedMeanwhile(t *testing.T) {
	for name, remove := range map[string]func(*bench){
		"source":      func(b *bench) { b.do(b.RemoveSource(b.Context(), me, b.source)) },
		"application": (*bench).deleted,
	} {
		t.Run(name, func(t *testing.T) {
			shared := newBench(t, nil)
			for n := int64(1); shared.realm(fmt.Sprint("m", n)).removedBehind(n, remove); n++ {
			}
		})
	}
}

// removedBehind removes the source behind an update of an import, and reports whether
// there were so many.
func (b *bench) removedBehind(n int64, remove func(*bench)) bool {
	b.AtOnce(3)
	source, err := b.PutSource(b.Context(), me, "HR", &importer.Source{Settings: reconcile.FileSettings()})
	b.do(err)
	b.source = source.ID
	id := fmt.Sprint("iis", n)
	accounts := 0
	store := &interrupted{Store: b.store}
	store.left.Store(n)
	store.then = func() {
		remove(b)
		accounts = len(b.accounts())
	}
	b.Store = store
	s, err := b.Importer.Run(b.Context(), me, b.source, people(9), importer.RunOptions{ID: id})
	if store.left.Load() > 0 {
		b.do(err)
		b.done(s, map[string]int{"scanned": 9, "added": 9})
		return false
	}
	b.do(b.Settle(b.Context()))
	s = b.byID(id)
	if s.State.Active() || s.Phase != "" || s.Counts.Failed > 0 {
		b.Errorf("removed behind update %d: the session is %s %s, %d failed", n, s.State, s.Phase, s.Counts.Failed)
	}
	b.equal("accounts", len(b.accounts()), accounts)
	if _, err := b.Source(b.Context(), b.source); err == nil {
		b.do(b.store.View(b.Context(), func(r importer.Reader) error {
			links, err := r.CountImportLinks(b.source)
			b.equal("links", len(links), 0)
			return err
		}))
	}
	return true
}
