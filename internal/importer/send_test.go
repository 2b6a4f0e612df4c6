package importer_test

import (
	"context"
	"iter"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// tenant notes what it is told.
type tenant struct {
	told  []string      // externalIds, of sessions that it carried out
	fails error         // its answer; nil: it does what it is told
	hold  chan struct{} // told that a session arrives whose answer never comes; nil: all are answered
}

func (n *tenant) Send(ctx context.Context, _ string, _ reconcile.Target, entities iter.Seq2[*importer.PlanEntity, error]) (*importer.Sent, error) {
	if n.hold != nil {
		n.hold <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if n.fails != nil {
		return nil, n.fails
	}
	sent := &importer.Sent{}
	for e, err := range entities {
		if err != nil {
			return nil, err
		}
		n.told, sent.Changes = append(n.told, e.ExternalID), sent.Changes+1
	}
	return sent, nil
}

// outside lets the people of the source go to a tenant.
func (b *bench) outside() *tenant {
	b.Helper()
	s, err := b.Source(b.Context(), b.source)
	b.do(err)
	s.To = &reconcile.Target{Connection: "okta", Source: "HR"}
	_, err = b.PutSource(b.Context(), me, s.Label, s)
	b.do(err)
	n := &tenant{}
	b.Outside = n
	return n
}

// A session that is being sent can be cancelled: nothing of it is done here, whoever
// waits is told, and the next one sends it all.
func TestCancelSending(t *testing.T) {
	b := newBench(t, nil)
	n := b.outside()
	n.hold = make(chan struct{})
	all := people(3)
	ended := make(chan *importer.Session, 1)
	go func() {
		s, err := b.Importer.Run(t.Context(), me, b.source, all, importer.RunOptions{ID: "iis1"})
		if err != nil {
			t.Error(err)
		}
		ended <- s
	}()
	<-n.hold
	desk := &importer.Desk{Importer: b.Importer, Actor: me}
	first := &importer.Session{ID: "iis1"}
	b.equal("phase", b.now(first).Phase, importer.Sending)
	behind := b.queued(all, importer.Incremental) // it is read, and waits
	b.equal("phase", b.now(behind).Phase, importer.Queued)
	n.hold = nil
	r, err := desk.Do(t.Context(), importer.Command{Do: importer.Cancel, Session: "iis1"})
	b.do(err)
	b.equal("state", r.Session.State, importer.Closed)
	b.equal("state", (<-ended).State, importer.Closed)
	b.equal("accounts", len(b.accounts()), 0)
	b.do(b.Settle(t.Context()))
	b.done(b.now(behind), map[string]int{"scanned": 3, "added": 3})
	b.equal("told", len(n.told), 3)
	b.equal("cancelled", b.logged("system.import.session.cancelled"), 1)
	_, err = desk.Do(t.Context(), importer.Command{Do: importer.Cancel, Session: behind.ID})
	b.refused(err, importer.NotCancelable)
}

// What a tenant refuses ends the session; what goes by itself is sent again, by
// whoever imports next.
func TestTenantFails(t *testing.T) {
	b := newBench(t, nil)
	n := b.outside()
	n.fails = fault.New(fault.Refused, "the tenant does not want them")
	s := b.run(people(3), importer.Incremental)
	b.state(s, importer.Failed)
	b.equal("said", s.Error, "the tenant does not want them")
	n.fails = fault.New(fault.Unavailable, "the tenant is away")
	if _, err := b.Importer.Run(t.Context(), me, b.source, people(3), importer.RunOptions{ID: "iis2"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want that the tenant is away", err)
	}
	b.equal("accounts", len(b.accounts()), 0)
	n.fails = nil
	s = b.run(people(4), importer.Incremental)
	b.done(b.now(&importer.Session{ID: "iis2"}), map[string]int{"scanned": 3, "added": 3})
	b.done(s, map[string]int{"scanned": 4, "unchanged": 3, "added": 1})
	b.equal("told", n.told, []string{"1000", "1001", "1002", "1003"})
	b.equal("accounts", len(b.accounts()), 4)
	b.equal("imported", b.logged("user.lifecycle.create"), 4)
}
