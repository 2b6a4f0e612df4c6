//go:build postgres

package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/store/storetest"
)

// TestPostgres runs the example twice with everything kept on a server: runs,
// journal and directory are there for the next command, and the address with its
// password is nowhere to be seen.
func TestPostgres(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LANYARD_TEST_DATABASE", storetest.Postgres(t))
	if err := os.WriteFile(filepath.Join(dir, "lanyard.yaml"), []byte("store: env:LANYARD_TEST_DATABASE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	run := []string{"run", filepath.Join(examples, "auth0-user-to-okta-group.arazzo.yaml"), "--sandbox", "--inputs", filepath.Join(examples, "inputs.json")}
	for range 2 {
		if res := lanyard(t, dir, run...); res.code != 0 {
			t.Fatalf("run = %d\n%s%s", res.code, res.stdout, res.stderr)
		}
	}
	list := lanyard(t, dir, "runs", "list")
	if got := strings.Count(list.stdout, "run_"); list.code != 0 || got != 2 {
		t.Errorf("runs list = %d with %d runs\n%s%s", list.code, got, list.stdout, list.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, ".lanyard", "lanyard.db")); err == nil {
		t.Error("there is a SQLite file beside the server")
	}
	t.Setenv("LANYARD_TEST_DATABASE", "postgres://u:s3cr3t@127.0.0.1:1/x")
	broken := lanyard(t, dir, "runs", "list")
	if broken.code == 0 || strings.Contains(broken.stdout+broken.stderr, "s3cr3t") || !strings.Contains(broken.stderr, "127.0.0.1:1") {
		t.Errorf("a server that is not there = %d\n%s%s", broken.code, broken.stdout, broken.stderr)
	}
}
