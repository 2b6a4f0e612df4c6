package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/store/storetest"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

func open(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatalf("Open(%s): %v", path, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestDirectory(t *testing.T) {
	storetest.TestDirectory(t, func(t *testing.T) directory.Store {
		return sqlitetest.Open(t).Directory()
	})
}

func TestTrigger(t *testing.T) {
	storetest.TestTrigger(t, func(t *testing.T) trigger.Store {
		return sqlitetest.Open(t).Trigger()
	})
}

func TestImporter(t *testing.T) {
	storetest.TestImporter(t, func(t *testing.T) importer.Store {
		return sqlitetest.Open(t).Importer()
	})
}

func TestProvision(t *testing.T) {
	storetest.TestProvision(t, func(t *testing.T) provision.Store {
		return sqlitetest.Open(t).Provision()
	})
}

func TestTables(t *testing.T) {
	storetest.TestTables(t, func(t *testing.T) table.Store {
		return sqlitetest.Open(t).Tables()
	})
}

func TestOpenKeepsData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?#%20.db")
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := directory.Seed(ctx, directory.New(db.Directory())); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	again := open(t, path)
	if _, err := directory.New(again.Directory()).FindAccount(ctx, directory.OktaRealm, "ada.min"); err != nil {
		t.Errorf("FindAccount after reopening: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file's mode is %v, want that only the owner can read it", got)
	}
}

// pragma reads a setting through a connection of the pool.
func pragma(t *testing.T, db *sql.DB, name string) string {
	t.Helper()
	var got string
	if err := db.QueryRow("PRAGMA " + name).Scan(&got); err != nil {
		t.Fatalf("PRAGMA %s: %v", name, err)
	}
	return got
}

func TestDurability(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "lanyard.db")).SQL()
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000",
	} {
		if got := pragma(t, db, name); got != want {
			t.Errorf("PRAGMA %s = %s, want %s", name, got, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte("this is no database, however long it may be, and it says so"), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	db, err := sqlite.Open(context.Background(), newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec("PRAGMA user_version = 999999"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		want       fault.Kind
	}{
		{"folder missing", filepath.Join(dir, "none", "x.db"), fault.Internal},
		{"not a database", text, fault.Invalid},
		{"newer schema", newer, fault.Unsupported},
	}
	for _, test := range tests {
		db, err := sqlite.Open(context.Background(), test.path)
		if err == nil {
			db.Close()
		}
		if !fault.Is(err, test.want) {
			t.Errorf("%s: Open = %v, want kind %v", test.name, err, test.want)
		}
	}
}

func TestMigrationsDownAndUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lanyard.db")
	db := open(t, path)
	if err := sqlite.DownAndUp(context.Background(), db.SQL()); err != nil {
		t.Fatalf("down and up again: %v", err)
	}
	if err := directory.Seed(context.Background(), directory.New(db.Directory())); err != nil {
		t.Errorf("Seed after down and up: %v", err)
	}
}

// TestReopenSkipsMigrations guards the marker that keeps the migration library
// out of the way of a current database: its table, once dropped, stays away.
func TestReopenSkipsMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lanyard.db")
	first, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.SQL().Exec("DROP TABLE goose_db_version"); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	var count int
	err = open(t, path).SQL().QueryRow("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'goose_db_version'").Scan(&count)
	if err != nil || count != 0 {
		t.Errorf("the migrations were run again on a current schema (%d tables, %v)", count, err)
	}
}

// BenchmarkReopen must stay below 5 ms.
func BenchmarkReopen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "lanyard.db")
	open(b, path)
	for b.Loop() {
		db, err := sqlite.Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
