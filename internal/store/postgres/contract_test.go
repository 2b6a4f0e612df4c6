//go:build postgres

package postgres_test

import (
	"fmt"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/postgres"
	"github.com/lanyard-id/lanyard/internal/store/storetest"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/wirelog"
	"github.com/lanyard-id/lanyard/internal/worker"
)

func open(t *testing.T, address string) *store.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestDirectory(t *testing.T) {
	storetest.TestDirectory(t, func(t *testing.T) directory.Store { return open(t, storetest.Postgres(t)).Directory() })
}

func TestJournal(t *testing.T) {
	storetest.TestJournal(t, func(t *testing.T) worker.Store { return open(t, storetest.Postgres(t)).Journal() })
}

func TestWireLog(t *testing.T) {
	storetest.TestWireLog(t, func(t *testing.T) wirelog.Store { return open(t, storetest.Postgres(t)).WireLog() })
}

func TestImporter(t *testing.T) {
	storetest.TestImporter(t, func(t *testing.T) importer.Store { return open(t, storetest.Postgres(t)).Importer() })
}

func TestProvision(t *testing.T) {
	storetest.TestProvision(t, func(t *testing.T) provision.Store { return open(t, storetest.Postgres(t)).Provision() })
}

func TestTables(t *testing.T) {
	storetest.TestTables(t, func(t *testing.T) table.Store { return open(t, storetest.Postgres(t)).Tables() })
}

func TestTrigger(t *testing.T) {
	storetest.TestTrigger(t, func(t *testing.T) trigger.Store { return open(t, storetest.Postgres(t)).Trigger() })
}

// A second process is turned away until the first has closed the database; one
// that only reads is not.
func TestOwner(t *testing.T) {
	ctx, address := t.Context(), storetest.Postgres(t)
	first, err := postgres.Open(ctx, address)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := directory.Seed(ctx, directory.New(first.Directory())); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	if _, err := postgres.Open(ctx, address); !fault.Is(err, fault.Locked) {
		t.Errorf("a second Open = %v, want Locked", err)
	}
	reader, err := postgres.OpenToRead(ctx, address)
	if err != nil {
		t.Fatalf("OpenToRead: %v", err)
	}
	defer reader.Close()
	if _, err := directory.New(reader.Directory()).FindAccount(ctx, directory.OktaRealm, "ada.min"); err != nil {
		t.Errorf("FindAccount by a reader: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	open(t, address)
}

// The connection that makes a process the owner is cut, and another takes over:
// the first can write nothing any more.
func TestOwnerIsFenced(t *testing.T) {
	ctx, address := t.Context(), storetest.Postgres(t)
	first := open(t, address)
	if err := directory.Seed(ctx, directory.New(first.Directory())); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	_, err := first.SQL().ExecContext(ctx, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	if err != nil {
		t.Fatal(err)
	}
	var second *store.DB
	for second == nil { // the server lets go of the lock in its own time
		if second, err = postgres.Open(ctx, address); err != nil && !fault.Is(err, fault.Locked) {
			t.Fatalf("Open: %v", err)
		}
	}
	defer second.Close()
	realm := directory.Realm{ID: "late", Kind: directory.Auth0}
	if err := directory.New(first.Directory()).AddRealm(ctx, realm); !fault.Is(err, fault.Locked) {
		t.Errorf("an update of the former owner = %v, want Locked", err)
	}
	if err := directory.New(second.Directory()).AddRealm(ctx, realm); err != nil {
		t.Errorf("an update of the new owner: %v", err)
	}
}

// A table that was empty a moment ago is known to be large when it is.
func TestStatisticsFollowGrowth(t *testing.T) {
	db := open(t, storetest.Postgres(t))
	insert := func(from, n int) {
		t.Helper()
		var links []importer.Link
		for i := range n {
			links = append(links, importer.Link{Source: "hr", Kind: importer.UserKind, Link: reconcile.Link{ExternalID: fmt.Sprint(from + i), State: reconcile.Linked}})
		}
		if err := db.Importer().Update(t.Context(), func(tx importer.Tx) error { return tx.PutImportLinks(links) }); err != nil {
			t.Fatal(err)
		}
	}
	known := func() (rows float64) {
		t.Helper()
		if err := db.SQL().QueryRowContext(t.Context(), "SELECT reltuples FROM pg_class WHERE relname = 'import_links'").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	insert(0, 1000)
	if rows := known(); rows > 0 {
		t.Errorf("after 1,000 rows %v are known: nobody asked", rows)
	}
	insert(1000, 4000)
	if rows := known(); rows != 5000 {
		t.Errorf("after 5,000 rows %v are known", rows)
	}
	insert(5000, 15000)
	if rows := known(); rows != 20000 {
		t.Errorf("after 20,000 rows %v are known", rows)
	}
}

func TestMigrationsGoDownAndUp(t *testing.T) {
	address := storetest.Postgres(t)
	db := open(t, address)
	if err := postgres.DownAndUp(t.Context(), db.SQL()); err != nil {
		t.Fatalf("down and up: %v", err)
	}
}
