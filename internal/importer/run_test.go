package importer_test

import (
	"context"
	"database/sql"
	"iter"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
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

// down is a source that cannot be read to its end.
type down struct{ rows }

func (d down) Rows(ctx context.Context) iter.Seq2[importer.Located, error] {
	return func(yield func(importer.Located, error) bool) {
		for l, err := range d.rows.Rows(ctx) {
			if !yield(l, err) {
				return
			}
		}
		yield(importer.Located{}, fault.New(fault.Unavailable, "the source broke off"))
	}
}

// A session that was idle for too long while its source was read has expired, however
// the source ends.
func TestExpiresWhileRead(t *testing.T) {
	for name, source := range map[string]importer.Rows{"whole": people(3), "broken": down{people(3)}} {
		b := newBench(t, nil)
		_, err := b.Importer.Run(t.Context(), me, b.source, watched{source, func(context.Context) { b.clock.Step(25 * time.Hour) }}, importer.RunOptions{ID: "iis1"})
		if err == nil {
			t.Errorf("%s: there is no error", name)
		}
		s := b.now(&importer.Session{ID: "iis1"})
		b.equal(name+": ended", s.Ended, start.Add(24*time.Hour))
		b.do(b.Settle(t.Context()))
		b.state(s, importer.Expired)
		b.equal(name+": expired", b.logged("system.import.session.expired"), 1)
	}
}

// Accounts of before names were kept are found by name, by previews too.
func TestNamesOfBefore(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) { s.Confirm.Partial = true })
	_, err := b.Directory.CreateAccount(t.Context(), me, b.Realm, directory.Draft{Profile: map[string]any{
		"login": "somebody@example.com", "email": "somebody@example.com", "firstName": "Ann0", "lastName": "Smith",
	}})
	b.do(err)
	db, err := sql.Open("sqlite", "file:"+b.path)
	b.do(err)
	_, err = db.ExecContext(t.Context(), "UPDATE directory_accounts SET name_key = NULL")
	b.do(err)
	b.do(db.Close())
	b.do(b.Recover(t.Context()))
	p, err := b.Preview(t.Context(), b.source, people(1), importer.PreviewOptions{})
	b.do(err)
	b.Cleanup(p.Close)
	b.equal("linked", p.Counts.Linked, 1)
}

// Whoever starts an import again under its id gets it: read once more when the
// source could not be read, else the session that there is.
func TestRunAgain(t *testing.T) {
	b := newBench(t, nil)
	again := importer.RunOptions{ID: "iis1"}
	if _, err := b.Importer.Run(t.Context(), me, b.source, down{people(3)}, again); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("got %v, want that the source broke off", err)
	}
	b.state(&importer.Session{ID: "iis1"}, importer.Failed)
	b.equal("accounts", len(b.accounts()), 0)
	for range 2 {
		s, err := b.Importer.Run(t.Context(), me, b.source, people(3), again)
		b.do(err)
		b.done(s, map[string]int{"scanned": 3, "added": 3})
	}
	other, err := b.PutSource(t.Context(), me, "Contractors", &importer.Source{Settings: reconcile.FileSettings()})
	b.do(err)
	if _, err := b.Importer.Run(t.Context(), me, other.ID, people(3), again); !fault.Is(err, fault.Conflict) {
		t.Errorf("the id of another source's session: got %v, want a conflict", err)
	}
}

// A source whose settings cannot be used any more keeps no other one waiting, though
// the day of its people has come.
func TestSourceInTheWay(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) { s.Starts.From = "start" })
	desk := directory.SchemaChange{Set: []directory.Attribute{{Name: "desk", Title: "Desk", Type: directory.TextType}}}
	b.do(b.Directory.EditSchema(t.Context(), me, b.Realm, "default", desk))
	settings := reconcile.FileSettings()
	settings.Starts.From, settings.Mapping = "start", map[string]reconcile.Mapping{"desk": {Value: "appuser.lastName"}}
	bad, err := b.PutSource(t.Context(), me, "Desks", &importer.Source{Settings: settings})
	b.do(err)
	_, err = b.Importer.Run(t.Context(), me, bad.ID, rows{person("1", "Ann", "Ash", "start", "2026-03-10")}, importer.RunOptions{})
	b.do(err)
	b.run(rows{person("2", "Bob", "Birch", "start", "2026-03-10")}, importer.Incremental)
	b.do(b.Directory.EditSchema(t.Context(), me, b.Realm, "default", directory.SchemaChange{Remove: []string{"desk"}}))
	for range 2 {
		b.clock.Step(14 * 24 * time.Hour)
		b.do(b.Settle(t.Context()))
	}
	b.equal("accounts", b.accounts(), map[string]string{"Bob.2@example.com": "PROVISIONED"})
}
