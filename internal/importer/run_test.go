package importer_test

import (
	"testing"

	"github.com/lanyard-id/lanyard/internal/importer"
)

func TestFullSync(t *testing.T) {
	b := newBench(t, nil)
	all := people(100)
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 100, "added": 100})
	if n := len(b.accounts()); n != 100 {
		t.Fatalf("%d accounts, want 100", n)
	}
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 100, "unchanged": 100})
	all[3]["department"] = "Legal"
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 100, "unchanged": 99, "updated": 1})
	b.done(b.run(all[:99], importer.Full), map[string]int{"scanned": 99, "unchanged": 99, "removed": 1})
	b.equal("status", b.accounts()["Ann99.1099@example.com"], "DEPROVISIONED")
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 100, "unchanged": 99, "reactivated": 1})
	s := b.run(all[:50], importer.Full)
	if s.Phase != importer.Held {
		t.Fatalf("the loss of half of all people was not held: %s %s", s.State, s.Phase)
	}
	_, err := b.Approve(t.Context(), me, s.ID, "they left")
	b.do(err)
	b.do(b.Settle(t.Context()))
	s, err = b.Session(t.Context(), b.source, s.ID)
	b.do(err)
	b.done(s, map[string]int{"scanned": 50, "unchanged": 50, "removed": 50})
}
