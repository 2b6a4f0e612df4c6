//go:build postgres

package postgres_test

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/postgres"
	"github.com/lanyard-id/lanyard/internal/store/storetest"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// database makes an empty database on the server that LANYARD_TEST_POSTGRES
// names (make test-pg starts one) and returns its address.
func database(t *testing.T) string {
	t.Helper()
	server := os.Getenv("LANYARD_TEST_POSTGRES")
	if server == "" {
		t.Fatal("no PostgreSQL server: run make test-pg, which starts one")
	}
	address, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(rand.Text())
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("CREATE DATABASE: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("DROP DATABASE: %v", err)
		}
		_ = admin.Close()
	})
	address.Path = "/" + name
	return address.String()
}

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
	storetest.TestDirectory(t, func(t *testing.T) directory.Store { return open(t, database(t)).Directory() })
}

func TestJournal(t *testing.T) {
	storetest.TestJournal(t, func(t *testing.T) worker.Store { return open(t, database(t)).Journal() })
}

// A second process is turned away until the first has closed the database; one
// that only reads is not.
func TestOwner(t *testing.T) {
	ctx, address := t.Context(), database(t)
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

func TestMigrationsGoDownAndUp(t *testing.T) {
	address := database(t)
	db := open(t, address)
	if err := postgres.DownAndUp(t.Context(), db.SQL()); err != nil {
		t.Fatalf("down and up: %v", err)
	}
}
