package sqlite_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/store/storetest"
	"github.com/lanyard-id/lanyard/internal/wirelog"
	"github.com/lanyard-id/lanyard/internal/worker"
)

func TestJournal(t *testing.T) {
	storetest.TestJournal(t, func(t *testing.T) worker.Store {
		return sqlitetest.Open(t).Journal()
	})
}

func TestWireLog(t *testing.T) {
	storetest.TestWireLog(t, func(t *testing.T) wirelog.Store { return sqlitetest.Open(t).WireLog() })
}

// A journal is there after the file was closed and opened again.
func TestJournalKeepsData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lanyard.db")
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	r := run.Run{Spec: run.Spec{ID: "a"}, Status: run.Running, Created: time.Now()}
	entry := worker.Entry{Create: &r, Record: run.Record{Run: "a", Seq: 1, At: time.Now(), Event: json.RawMessage("{}")}}
	if err := db.Journal().Append(ctx, []worker.Entry{entry}); err != nil {
		t.Fatalf("Append: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	again := open(t, path).Journal()
	if got, err := again.Records(ctx, "a", 0); err != nil || len(got) != 1 {
		t.Errorf("Records after reopening = %v, %v, want one", got, err)
	}
}
