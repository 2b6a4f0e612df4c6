package script_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOktaAPIDocument runs the commands of docs/okta-api.md.
func TestOktaAPIDocument(t *testing.T) {
	answer := runDocument(t, "okta-api.md", 5, nil, "bash", "curl", "openssl", "basenc", "grep")
	for _, want := range []string{`"login":"ada.min@example.com"`, `"scopeId":"okta.users.read"`, `"type":"READ_ONLY_ADMIN"`, `to continue to Console`} {
		if !strings.Contains(answer, want) {
			t.Errorf("the output lacks %s:\n%s", want, answer)
		}
	}
}

// TestIdentitySourcesDocument runs the commands of docs/identity-sources.md.
func TestIdentitySourcesDocument(t *testing.T) {
	answer := runDocument(t, "identity-sources.md", 0, nil, "bash", "curl", "grep")
	for _, want := range []string{`"status":"COMPLETED"`, `"city":"New York"`, `{"memberExternalIds":["1001"]}`} {
		if !strings.Contains(answer, want) {
			t.Errorf("the output lacks %s:\n%s", want, answer)
		}
	}
}

// TestTablesDocument runs the commands of docs/tables.md.
func TestTablesDocument(t *testing.T) {
	answer := runDocument(t, "tables.md", 2, func(dir, text string) {
		examples, err := filepath.Abs("../examples")
		if err == nil {
			err = os.Symlink(examples, filepath.Join(dir, "examples"))
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "badge.arazzo.yaml"), []byte(blocks(text, "yaml")[0]), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}, "bash", "curl")
	for _, want := range []string{"100 good lines", "0 inserted, 100 unchanged", "row 1 updated", `"person":"00042"`} {
		if !strings.Contains(answer, want) {
			t.Errorf("the output lacks %s:\n%s", want, answer)
		}
	}
}

// runDocument runs the commands of a document as they stand, one after the other,
// against a lanyard serve, and returns what they print. With fewer than calls calls
// of curl, the document has lost its commands. prepare puts what they need into the
// folder that they run in.
func runDocument(t *testing.T, file string, calls int, prepare func(dir, text string), tools ...string) string {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not there", tool)
			}
			t.Skipf("%s is not there", tool)
		}
	}
	text, err := os.ReadFile("../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "lanyard")); err != nil { // testscript runs it by this name
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(dir, string(text))
	}
	env := append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))

	serve := exec.Command(filepath.Join(dir, "lanyard"), "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	serve.Dir, serve.Env = dir, env
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Signal(os.Interrupt)
		_ = serve.Wait()
	}()
	var addresses struct{ API, Okta string }
	if err := json.NewDecoder(out).Decode(&addresses); err != nil {
		t.Fatal(err)
	}

	script := "set -euo pipefail\n" + strings.Join(blocks(string(text), "sh"), "\n")
	if strings.Count(script, "curl") < calls {
		t.Fatalf("the document has lost its commands:\n%s", script)
	}
	script = strings.NewReplacer("http://127.0.0.1:8480", addresses.API, "http://127.0.0.1:8481", addresses.Okta).Replace(script)
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	answer, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	return string(answer)
}

// blocks returns the fenced blocks of a document that are in a language.
func blocks(text, language string) (out []string) {
	for _, part := range strings.Split(text, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		out = append(out, block)
	}
	return out
}
