// Package sqlitetest gives tests their databases. The schema is made once by
// every test's process and copied from then on: the migrations take longer than
// most tests, many times so under the race detector.
//
// Opening, migrating and all else about databases is internal/store/sqlite's.
package sqlitetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
)

// Open returns an empty database in a folder of its own. It is closed when the
// test ends.
func Open(t testing.TB) *store.DB {
	t.Helper()
	db, _ := OpenFile(t)
	return db
}

// OpenFile is Open for tests that look at the file, too.
func OpenFile(t testing.TB) (db *store.DB, path string) {
	t.Helper()
	content, err := empty()
	if err != nil {
		t.Fatalf("the schema of the tests' databases: %v", err)
	}
	path = filepath.Join(t.TempDir(), "lanyard.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err = sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db, path
}

// empty is the content of a database that has nothing but its schema. It is read
// after closing, when nothing is left in the files beside it.
var empty = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "lanyard-schema")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "lanyard.db")
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})
