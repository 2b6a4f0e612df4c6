package durable_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/durable"
)

func TestWriteReplacesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{"first, and rather long", "second"} {
		if err := durable.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("the file holds %q, want %q", got, text)
		}
	}
	alone(t, path)
	if err := durable.Write(filepath.Join(path, "below-a-file"), nil); err == nil {
		t.Error("writing below a file succeeded")
	}
}

// alone checks that path is private and that nothing else was left in its folder.
func alone(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want mode 0600", info, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("the folder holds %v, want the file alone", entries)
	}
}

func TestCreateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := durable.Create(path, []byte("mine")); err != nil {
		t.Fatal(err)
	}
	if err := durable.Create(path, []byte("yours")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of an existing file = %v, want fs.ErrExist", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "mine" {
		t.Errorf("the file holds %q, want what came first", got)
	}
	alone(t, path)
}

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var (
		wg            sync.WaitGroup
		inside, total atomic.Int32
	)
	for range 8 {
		wg.Go(func() {
			release, err := durable.Lock(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d hold the lock", n)
			}
			total.Add(1)
			inside.Add(-1)
		})
	}
	wg.Wait()
	if n := total.Load(); n != 8 {
		t.Errorf("%d of 8 came in", n)
	}

	release, err := durable.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := durable.Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second Lock = %v, want to run out of time", err)
	}
}
