package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// keyA and keyB are keys as they stand in an environment.
var (
	keyA = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	keyB = base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))
)

func put(t *testing.T, v *secret.FileVault, name, text string) {
	t.Helper()
	if err := v.Put(t.Context(), name, secret.NewValue(text)); err != nil {
		t.Fatal(err)
	}
}

func wantEntry(t *testing.T, v *secret.FileVault, name, want string) {
	t.Helper()
	got, err := v.Get(t.Context(), name)
	if err != nil || got.Reveal() != want {
		t.Errorf("Get(%s) = %q, %v, want %q", name, got.Reveal(), err, want)
	}
}

// firstVersion writes a vault as the first version did.
func firstVersion(t *testing.T, dir string, entries map[string]string) {
	t.Helper()
	key, err := secret.OpenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed := map[string]any{}
	for name, text := range entries {
		data, err := key.Seal([]byte(text), []byte("vault:"+name))
		if err != nil {
			t.Fatal(err)
		}
		sealed[name] = map[string]any{"updated": "2026-01-02T03:04:05Z", "sealed": data}
	}
	data, err := json.Marshal(map[string]any{"version": 1, "entries": sealed})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, secret.VaultFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVaultOfTheFirstVersion(t *testing.T) {
	v := newVault(t)
	v.Env = environment(map[string]string{secret.KeyVariable: keyA}) // of a later day: it was not sealed with it
	firstVersion(t, v.Dir, map[string]string{"okta": "tok-old", "auth0": "tok-auth0"})
	wantEntry(t, v, "okta", "tok-old")
	put(t, v, "slack", "tok-slack")
	for name, want := range map[string]string{"okta": "tok-old", "auth0": "tok-auth0", "slack": "tok-slack"} {
		wantEntry(t, v, name, want)
	}
	list, err := v.List(t.Context())
	old := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := []secret.Entry{{Name: "auth0", Updated: old}, {Name: "okta", Updated: old}, {Name: "slack", Updated: noon}}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("List = %v (-want +got):\n%s", err, diff)
	}
	if text := readVault(t, v); !strings.Contains(text, `"version": 2`) || !strings.Contains(text, `"ref": "file:key"`) {
		t.Errorf("the file was not brought up to date: %s", text)
	}
}

func readVault(t *testing.T, v *secret.FileVault) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(v.Dir, secret.VaultFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeVault(t *testing.T, v *secret.FileVault, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(v.Dir, secret.VaultFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { text, ok := vars[name]; return text, ok }
}

// ring is a keyring in memory.
type ring map[string]string

func (r ring) Get(_ context.Context, name string) (secret.Value, error) {
	if r[name] == "" {
		return secret.Value{}, fault.New(fault.Unauthorized, "no key %s", name)
	}
	return secret.NewValue(r[name]), nil
}

func (r ring) Put(_ context.Context, name string, v secret.Value) error {
	r[name] = v.Reveal()
	return nil
}

func (r ring) Delete(_ context.Context, name string) error {
	delete(r, name)
	return nil
}

// TestRotate moves a vault from place to place. After each move the same entries
// open, sealed as before, and no key of ours is left that nothing needs.
func TestRotate(t *testing.T) {
	v := newVault(t)
	outside := filepath.Join(t.TempDir(), "kek")
	vars := map[string]string{"NEW_KEY": keyA}
	keys := ring{}
	v.Env, v.Keyring = environment(vars), keys
	put(t, v, "okta", "tok-okta")
	sealed := sealedValue(t, v, "okta")
	for _, step := range []struct {
		to, ref string
		files   int // vault-*.key
		ring    int
	}{
		{"folder", "file:vault-", 1, 0},
		{"folder", "file:vault-", 1, 0},
		{"env:NEW_KEY", "env:NEW_KEY", 0, 0},
		{"keyring", "keyring:", 0, 1},
		{"keyring", "keyring:", 0, 1},
		{"file:" + outside, "file:" + outside, 0, 0},
		{"folder", "file:vault-", 1, 0},
	} {
		key, err := v.Rotate(t.Context(), step.to)
		if err != nil || !strings.HasPrefix(key.Ref, step.ref) {
			t.Fatalf("Rotate(%s) = %v, %v, want %s", step.to, key, err, step.ref)
		}
		if now, err := v.Key(t.Context()); err != nil || now != key {
			t.Errorf("after Rotate(%s) the key is %v, %v, want %v", step.to, now, err, key)
		}
		wantEntry(t, v, "okta", "tok-okta")
		if got := sealedValue(t, v, "okta"); got != sealed {
			t.Errorf("Rotate(%s) sealed the entry itself anew", step.to)
		}
		files, _ := filepath.Glob(filepath.Join(v.Dir, "vault-*.key"))
		if len(files) != step.files || len(keys) != step.ring {
			t.Errorf("after Rotate(%s) there are %v and %d keys in the ring, want %d and %d", step.to, files, len(keys), step.files, step.ring)
		}
	}
	for _, path := range []string{outside, filepath.Join(v.Dir, "key")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("a key that is not the vault's alone is gone: %v", err)
		}
	}
	if info, _ := os.Stat(outside); info.Mode().Perm() != 0o600 {
		t.Errorf("the key outside has mode %v", info.Mode())
	}
	for to, kind := range map[string]fault.Kind{"env:NONE": fault.Usage, "drawer": fault.Usage, "file:/no/such/folder/k": fault.Usage, "env:": fault.Usage} {
		if _, err := v.Rotate(t.Context(), to); !fault.Is(err, kind) {
			t.Errorf("Rotate(%s) = %v, want %v", to, err, kind)
		}
	}
	wantEntry(t, v, "okta", "tok-okta")
}

func sealedValue(t *testing.T, v *secret.FileVault, name string) string {
	t.Helper()
	var file struct {
		Entries map[string]struct{ Sealed string }
	}
	if err := json.Unmarshal([]byte(readVault(t, v)), &file); err != nil {
		t.Fatal(err)
	}
	return file.Entries[name].Sealed
}

func TestRotateToTheSameKey(t *testing.T) {
	v := newVault(t)
	vars := map[string]string{secret.KeyVariable: keyA, "SAME": keyA, "OTHER": keyB}
	v.Env = environment(vars)
	put(t, v, "okta", "tok-okta")
	if key, err := v.Key(t.Context()); err != nil || key.Ref != "env:LANYARD_KEY" {
		t.Errorf("a new vault's key = %v, %v, want the environment's", key, err)
	}
	if _, err := os.Stat(filepath.Join(v.Dir, "key")); err == nil {
		t.Error("a key was made in the folder although the environment has one")
	}
	if _, err := v.Rotate(t.Context(), "env:SAME"); !fault.Is(err, fault.Conflict) {
		t.Errorf("rotating to the same key = %v, want Conflict", err)
	}
	if _, err := v.Rotate(t.Context(), "env:OTHER"); err != nil {
		t.Fatal(err)
	}
	// The new key takes over the usual name, as after a deployment.
	delete(vars, "OTHER")
	vars[secret.KeyVariable] = keyB
	wantEntry(t, v, "okta", "tok-okta")
	vars[secret.KeyVariable] = keyA
	if _, err := v.Get(t.Context(), "okta"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "another key") {
		t.Errorf("the wrong key = %v, want it named", err)
	}
	vars[secret.KeyVariable] = "too short"
	if _, err := v.Get(t.Context(), "okta"); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "too short") {
		t.Errorf("no key = %v, want Invalid without its text", err)
	}
	delete(vars, secret.KeyVariable)
	if _, err := v.Get(t.Context(), "okta"); !fault.Is(err, fault.Unauthorized) || !strings.Contains(err.Error(), "OTHER") {
		t.Errorf("a missing key = %v, want the variable named", err)
	}
}

// TestRotateKilled stands at the two places where a rotation can be killed: the
// new key is there and the old file, and the new file is there and the old key.
func TestRotateKilled(t *testing.T) {
	v := newVault(t)
	put(t, v, "okta", "tok-okta")
	if _, err := v.Rotate(t.Context(), "folder"); err != nil {
		t.Fatal(err)
	}
	before, old := readVault(t, v), vaultKeys(t, v)
	if _, err := v.Rotate(t.Context(), "folder"); err != nil {
		t.Fatal(err)
	}
	after, next := readVault(t, v), vaultKeys(t, v)
	for name, raw := range old { // both keys are there
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{before, after} {
		writeVault(t, v, text)
		wantEntry(t, v, "okta", "tok-okta")
	}
	if _, err := v.Rotate(t.Context(), "folder"); err != nil {
		t.Fatal(err)
	}
	wantEntry(t, v, "okta", "tok-okta")
	if left := vaultKeys(t, v); len(left) != 1 || len(next) != 1 {
		t.Errorf("%d keys are left, want those of the killed rotation gone", len(left))
	}
}

func vaultKeys(t *testing.T, v *secret.FileVault) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(v.Dir, "vault-*.key"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		if out[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestTamperedVault(t *testing.T) {
	v := newVault(t)
	put(t, v, "okta", "tok-1")
	put(t, v, "auth0", "tok-2")
	older := readVault(t, v)
	put(t, v, "okta", "tok-3")
	now := readVault(t, v)
	change := func(text string, do func(file map[string]any)) string {
		var file map[string]any
		if err := json.Unmarshal([]byte(text), &file); err != nil {
			t.Fatal(err)
		}
		do(file)
		out, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	entries := func(file map[string]any) map[string]any { return file["entries"].(map[string]any) }
	var oldFile map[string]any
	if err := json.Unmarshal([]byte(older), &oldFile); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"entry taken out":      change(now, func(f map[string]any) { delete(entries(f), "auth0") }),
		"older entry put back": change(now, func(f map[string]any) { entries(f)["okta"] = entries(oldFile)["okta"] }),
		"entries swapped": change(now, func(f map[string]any) {
			e := entries(f)
			e["okta"], e["auth0"] = e["auth0"], e["okta"]
		}),
		"date changed":     change(now, func(f map[string]any) { entries(f)["okta"].(map[string]any)["updated"] = "2031-01-01T00:00:00Z" }),
		"seal gone":        change(now, func(f map[string]any) { delete(f, "seal") }),
		"key gone":         change(now, func(f map[string]any) { delete(f, "key") }),
		"called version 1": change(now, func(f map[string]any) { f["version"] = 1 }),
		"something added":  change(now, func(f map[string]any) { f["more"] = 1 }),
		"key in a device":  strings.Replace(now, `"file:key"`, `"file:/dev/zero"`, 1),
		"key in a folder":  strings.Replace(now, `"file:key"`, `"file:."`, 1),
		"key in a command": strings.Replace(now, `"file:key"`, `"keyring:--help"`, 1),
		"two values":       now + "{}",
	} {
		writeVault(t, v, text)
		if _, err := v.Get(t.Context(), "okta"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "vault") {
			t.Errorf("%s: Get = %v, want Invalid", name, err)
		}
		if _, err := v.List(t.Context()); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: List = %v, want Invalid", name, err)
		}
	}
	writeVault(t, v, now)
	wantEntry(t, v, "okta", "tok-3")
}

// TestRotatedMeanwhile gives the vault another key between the moment when its
// file is read and the moment when its key is looked for.
func TestRotatedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	rotating := &secret.FileVault{Dir: dir, Env: environment(map[string]string{secret.KeyVariable: keyA})}
	put(t, rotating, "okta", "tok-okta")
	asked := 0
	reading := &secret.FileVault{Dir: dir, Env: func(string) (string, bool) {
		if asked++; asked == 1 {
			if _, err := rotating.Rotate(t.Context(), "folder"); err != nil {
				t.Fatal(err)
			}
		}
		return "", false // the variable went with the key
	}}
	wantEntry(t, reading, "okta", "tok-okta")
	if asked == 0 {
		t.Error("nobody looked for the key")
	}
}

// TestExposedKey makes sure that a key which everyone can read is not used.
func TestExposedKey(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	v := newVault(t)
	put(t, v, "okta", "tok-okta")
	path := filepath.Join(t.TempDir(), "kek")
	if _, err := v.Rotate(t.Context(), "file:"+path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get(t.Context(), "okta"); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("Get = %v, want it refused with the remedy", err)
	}
	if err := os.Chmod(path, 0o640); err != nil { // a volume of Kubernetes
		t.Fatal(err)
	}
	wantEntry(t, v, "okta", "tok-okta")
}

func TestVaultIsShared(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			v := &secret.FileVault{Dir: dir} // each as a process of its own
			if err := v.Put(t.Context(), fmt.Sprintf("entry-%d", i), secret.NewValue("x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	v := &secret.FileVault{Dir: dir}
	if list, err := v.List(t.Context()); err != nil || len(list) != 12 {
		t.Errorf("%d of 12 entries are there, %v", len(list), err)
	}
	release, err := v.Exclusive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	put(t, v, "while-exchanging", "y") // the other lock
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := (&secret.FileVault{Dir: dir}).Exclusive(ctx); !fault.Is(err, fault.Timeout) {
		t.Errorf("a second Exclusive = %v, want Timeout", err)
	}
}

func TestNoVault(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	v := &secret.FileVault{Dir: dir}
	if _, err := v.Get(t.Context(), "okta"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Get = %v, want NotFound", err)
	}
	if _, err := v.Key(t.Context()); !fault.Is(err, fault.NotFound) {
		t.Errorf("Key = %v, want NotFound", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking made the folder")
	}
}

// TestSystemKeyring plays secret-tool with a script.
func TestSystemKeyring(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no shell to play the keyring's command")
	}
	dir := t.TempDir()
	script := "#!/bin/sh\nverb=$1; for last; do :; done; f=" + dir + "/$last.entry\n" +
		"case $verb in store) cat >$f;; lookup) [ -f $f ] && read -r x <$f || [ -n \"$x\" ] && echo \"$x\";; clear) rm -f $f;; esac\nexit 0\n"
	if err := os.WriteFile(filepath.Join(dir, "secret-tool"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	v := newVault(t)
	put(t, v, "okta", "tok-okta")
	key, err := v.Rotate(t.Context(), "keyring")
	if err != nil {
		t.Fatal(err)
	}
	if stored, _ := filepath.Glob(filepath.Join(dir, "*.entry")); len(stored) != 1 || !strings.Contains(stored[0], key.ID) {
		t.Errorf("the keyring holds %v, want the key %s", stored, key.ID)
	}
	wantEntry(t, v, "okta", "tok-okta")

	t.Setenv("PATH", t.TempDir())
	if _, err := v.Get(t.Context(), "okta"); !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "secret-tool") {
		t.Errorf("without a keyring = %v, want what is missing", err)
	}
}

func FuzzVault(f *testing.F) {
	dir := f.TempDir()
	v := &secret.FileVault{Dir: dir, Now: func() time.Time { return noon }}
	if err := v.Put(context.Background(), "okta", secret.NewValue("tok-okta")); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, secret.VaultFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"version":1,"entries":{"okta":{"updated":"2026-01-02T03:04:05Z","sealed":"AQ=="}}}`))
	f.Add([]byte(`{"version":2,"key":{"ref":"env:X","id":"1"},"entries":null}`))
	f.Add([]byte(`{"version":2,"key":{"ref":"file:../x","id":"1"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("keyring")) {
			return // runs a command of the system
		}
		v := &secret.FileVault{Dir: t.TempDir()}
		key, err := os.ReadFile(filepath.Join(dir, secret.KeyFile))
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{secret.KeyFile: key, secret.VaultFile: data} {
			if err := os.WriteFile(filepath.Join(v.Dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// Whatever stands in the file, the entry is what was put there or none.
		if got, err := v.Get(t.Context(), "okta"); err == nil && got.Reveal() != "tok-okta" {
			t.Errorf("Get = %q", got.Reveal())
		}
		if _, err := v.List(t.Context()); err == nil {
			if err := v.Put(t.Context(), "more", secret.NewValue("x")); err == nil {
				wantEntry(t, v, "more", "x")
			}
		}
	})
}
