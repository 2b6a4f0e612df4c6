package importer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// revived is another process on what this one has left.
func (b *bench) revived() *importer.Importer {
	b.Helper()
	b.store.dead.Store(false)
	b.store.failAt = 0
	im := &importer.Importer{Directory: b.Directory, Store: b.store, Realm: b.Realm}
	im.AtOnce(7)
	b.do(im.Recover(b.Context()))
	b.do(im.Settle(b.Context()))
	return im
}

// The process ends at every boundary of an import, before or after what it was
// about to write is on disk: nobody is there twice, nobody is lost, and the figures
// are those of a session that nobody disturbed.
func TestKilledAnywhere(t *testing.T) {
	second := func() rows {
		all := people(40)
		for i := range 10 {
			all[i]["department"] = "Legal"
		}
		all = append(all[:38], person("2000", "Bob", "New"), person("2001", "Eve", "New"))
		return all
	}
	shared := newBench(t, nil)
	_, each := thorough()
	for _, before := range []bool{true, false} {
		for n, done := 1, false; !done; n++ {
			if !each && (n%2 == 0) == before {
				continue
			}
			t.Run(fmt.Sprintf("update %d, before=%t", n, before), func(t *testing.T) {
				b := shared.realm(fmt.Sprintf("k%d%t", n, before))
				b.T = t
				b.AtOnce(7)
				source, err := b.PutSource(t.Context(), me, "HR", &importer.Source{Settings: reconcile.FileSettings()})
				b.do(err)
				b.source = source.ID
				b.run(people(40), importer.Full)
				b.store.failAt, b.store.before = n, before
				id := "iis" + b.Realm
				_, err = b.Importer.Run(t.Context(), me, b.source, second(), importer.RunOptions{Type: importer.Full, ID: id})
				if done = err == nil; !done && !errors.As(err, new(killed)) {
					t.Fatal(err)
				}
				im := b.revived()
				s, err := im.Session(t.Context(), b.source, id)
				if err != nil || s.State != importer.Completed {
					// It was cut off while the source was read: whoever reads it begins anew.
					if err == nil && !s.Unread() {
						t.Errorf("the session is %s: %s", s.State, s.Error)
					}
					s, err = im.Run(t.Context(), me, b.source, second(), importer.RunOptions{Type: importer.Full, ID: id})
					b.do(err)
				}
				b.done(s, map[string]int{"scanned": 40, "unchanged": 28, "updated": 10, "added": 2, "removed": 2})
				accounts := b.accounts()
				b.equal("accounts", len(accounts), 42)
				for _, status := range []struct{ login, want string }{
					{"Ann39.1039@example.com", "DEPROVISIONED"}, {"Bob.2000@example.com", "PROVISIONED"}, {"Ann0.1000@example.com", "PROVISIONED"},
				} {
					b.equal(status.login, accounts[status.login], status.want)
				}
				b.equal("created once", b.logged("user.lifecycle.create"), 42)
				b.equal("changed once", b.logged("user.account.update_profile"), 10)
				b.equal("deactivated once", b.logged("user.lifecycle.deactivate"), 2)
				entities, err := im.Entities(t.Context(), importer.EntityQuery{Session: s.ID})
				b.do(err)
				b.equal("entities", len(entities), 14)
				for _, e := range entities {
					if !e.Done {
						t.Errorf("%s was not done", e.ExternalID)
					}
				}
			})
			if n > 200 {
				t.Fatal("the import never ends")
			}
		}
	}
}

// A process that serves goes on with what another left, and with what is triggered.
func TestServe(t *testing.T) {
	b := newBench(t, nil)
	b.AtOnce(5)
	b.run(people(10), importer.Full)
	b.store.failAt, b.store.before = 8, true
	_, err := b.Importer.Run(t.Context(), me, b.source, people(40), importer.RunOptions{ID: "iis1"})
	if !errors.As(err, new(killed)) {
		t.Fatal(err)
	}
	b.store.dead.Store(false)
	b.store.wrote = make(chan struct{}, 1)
	im := &importer.Importer{Directory: b.Directory, Store: b.store, Realm: b.Realm}
	b.do(im.Recover(t.Context()))
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- im.Serve(ctx) }()
	over := func(id string) *importer.Session {
		for {
			s, err := im.Session(ctx, b.source, id)
			b.do(err)
			if s.State != importer.Triggered && s.State != importer.InProgress {
				return s
			}
			<-b.store.wrote
		}
	}
	first := over("iis1")
	all := people(41)
	s, err := im.Run(ctx, me, b.source, all, importer.RunOptions{NoWait: true, Type: importer.Full})
	b.do(err)
	s = over(s.ID)
	stop()
	b.do(<-served)
	if first.State != importer.Completed && first.State != importer.Failed || s.State != importer.Completed {
		t.Errorf("the sessions are %s and %s", first.State, s.State)
	}
	b.equal("accounts", len(b.accounts()), 41)
	b.equal("created once", b.logged("user.lifecycle.create"), 41)
}

// logged is how many entries of a kind the change log has.
func (b *bench) logged(kind string) int {
	b.Helper()
	list, err := b.Directory.Changes(b.Context(), directory.ChangeQuery{Realm: b.Realm, Kind: kind}, 0, nil)
	b.do(err)
	return len(list)
}
