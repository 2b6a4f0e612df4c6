package script_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// vaultKills is how often a change of the vault's key is killed.
const vaultKills = 25

// TestVaultRotateKilled kills changes of the vault's key at random moments: what
// is in the vault can be read after each, with the old key or the new one.
func TestVaultRotateKilled(t *testing.T) {
	t.Parallel()
	binary, dir := buildBinary(t), t.TempDir()
	run := func(ctx context.Context, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Dir, cmd.Env = dir, append(cmd.Environ(), "VAULT_TOKEN=00-marker")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, name := range []string{"one", "two", "three"} {
		if out, err := run(t.Context(), "connections", "add", name, "--server", "https://example.okta.com", "--token-from", "env:VAULT_TOKEN"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	begin := time.Now()
	if out, err := run(t.Context(), "vault", "rotate"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	usual := time.Since(begin)
	killed := 0
	for range vaultKills {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(usual)+1))) // kills it
		if _, err := run(ctx, "vault", "rotate"); errors.As(err, new(*exec.ExitError)) {
			killed++
		}
		cancel()
		out, err := run(t.Context(), "vault", "show")
		if err != nil || strings.Count(out, "/token ") != 3 {
			t.Fatalf("after %d kills: %v\n%s", killed, err, out)
		}
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
	t.Logf("%d of %d changes were killed", killed, vaultKills)
	// Showing the names checks the seal; using a value opens an entry.
	if out, err := run(t.Context(), "connections", "rotate", "one", "--now", "--token-from", "env:VAULT_TOKEN"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
