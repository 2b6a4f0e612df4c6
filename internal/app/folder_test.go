package app

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

func TestLock(t *testing.T) {
	data := t.TempDir()
	owner := filepath.Join(data, holderFile)
	holder := func(want string) {
		t.Helper()
		got, err := LockHolder(t.Context(), data)
		if err != nil || got != want {
			t.Errorf("LockHolder = %q, %v; want %q", got, err, want)
		}
	}
	holder("")
	if left, _ := os.ReadDir(data); len(left) > 0 {
		t.Errorf("looking at the lock made %v", left)
	}
	// What a killed process left behind says nothing.
	for _, file := range []string{owner, filepath.Join(data, lockFile)} {
		if err := os.WriteFile(file, []byte(`{"pid":1,"command":"serve"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holder("")
	l, err := lock(data, "serve")
	if err != nil {
		t.Fatal(err)
	}
	me := fmt.Sprintf("process %d (lanyard serve)", os.Getpid())
	holder(me)
	_, err = lock(data, "run")
	want := data + ": the data folder is held by " + me + "; wait for it to end, stop it, or use another folder with --data"
	if !fault.Is(err, fault.Locked) || fault.Public(err) != want {
		t.Errorf("a second lock = %v, want %q", err, want)
	}
	holder(me) // still: the one that was refused has not written itself in
	if err := os.WriteFile(owner, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	holder("another process")
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	holder("")
	if _, err := lock(filepath.Join(data, "absent"), "run"); !fault.Is(err, fault.Internal) {
		t.Errorf("a lock in no folder = %v", err)
	}
}

func TestOpenFolder(t *testing.T) {
	b := newBench(t)
	f, err := b.openFolder(t.Context(), b.settings(), "run", &config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.openFolder(t.Context(), b.settings(), "run", &config.Config{}); !fault.Is(err, fault.Locked) {
		t.Errorf("opened twice: %v, want Locked", err)
	}
	for range 2 { // closing again changes nothing
		if err := f.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if runtime.GOOS != "windows" {
		err := filepath.WalkDir(b.path(".lanyard"), func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 && path == b.path(".lanyard") {
				t.Errorf("others may open %s: %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if f, err = b.openFolder(t.Context(), b.settings(), "run", &config.Config{}); err != nil {
		t.Fatalf("opened again: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	// A folder that cannot be opened is let go again.
	broken := b.settings()
	broken.Data = b.path("broken")
	b.write("broken/lanyard.db/file", "a folder is in the way")
	if _, err := b.openFolder(t.Context(), broken, "run", &config.Config{}); err == nil {
		t.Fatal("a broken database is opened")
	}
	if holder, err := LockHolder(t.Context(), broken.Data); holder != "" || err != nil {
		t.Errorf("the broken folder is held by %q, %v", holder, err)
	}
	broken.Data = b.write("plain", "a file")
	if _, err := b.openFolder(t.Context(), broken, "run", &config.Config{}); !fault.Is(err, fault.Usage) || !strings.Contains(fault.Public(err), "--data") {
		t.Errorf("a file as data folder = %v", err)
	}
}

// While a command holds the folder, others may look at it and nothing else.
func TestReadOnlyWhileHeld(t *testing.T) {
	b := newBench(t)
	b.write("people.yaml", people)
	b.write("flow.yaml", flow)
	bind := run.Bindings{Servers: map[string]string{"people": provider(t, func(http.ResponseWriter, *http.Request) {})}, AllowPrivate: true}
	p := b.planOf(b.request("flow.yaml", bind))
	// A killed lanyard serve left this: nobody answers there.
	b.write(".lanyard/"+serveFile, `{"pid":1,"url":"http://127.0.0.1:1","token":"t"}`)
	owner := b.session(cli.ReadWrite)
	if err := owner.Start(t.Context(), "run_1", p, nil, bind); err != nil {
		t.Fatal(err)
	}
	rest(t, owner, "run_1")
	if _, err := owner.People(t.Context(), ""); err != nil { // fills the directory
		t.Fatal(err)
	}

	reader := b.session(cli.ReadOnly)
	runs, err := reader.Runs(t.Context(), worker.Filter{})
	if err != nil || len(runs) != 1 || runs[0].ID != "run_1" {
		t.Errorf("the reader sees %v, %v", runs, err)
	}
	if records, err := reader.Records(t.Context(), "run_1", 0, true); err != nil || len(records) == 0 {
		t.Errorf("the reader sees %d records, %v", len(records), err)
	}
	if found, err := reader.People(t.Context(), ""); err != nil || len(found) == 0 {
		t.Errorf("the reader sees %d people, %v", len(found), err)
	}
	if err := reader.Start(t.Context(), "run_2", p, nil, bind); err == nil {
		t.Error("the reader started a run")
	}
	if err := reader.Signal(t.Context(), "run_1", engine.Event{Kind: engine.Retried}, nil); err == nil {
		t.Error("the reader decided about a run")
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.open(t.Context(), b.settings(), cli.ReadWrite); !fault.Is(err, fault.Locked) {
		t.Errorf("a second owner: %v, want Locked", err)
	}
	if err := owner.Start(t.Context(), "run_3", p, nil, bind); err != nil {
		t.Errorf("the owner was disturbed: %v", err)
	}
	rest(t, owner, "run_3")
}
