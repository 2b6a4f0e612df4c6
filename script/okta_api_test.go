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
	runDocument(t, "../docs/okta-api.md", `"login":"ada.min@example.com"`, `"scopeId":"okta.users.read"`, `"type":"READ_ONLY_ADMIN"`, `to continue to Console`)
}

// TestIdentitySourcesDocument runs the commands of docs/identity-sources.md.
func TestIdentitySourcesDocument(t *testing.T) {
	runDocument(t, "../docs/identity-sources.md", `"status":"COMPLETED"`, `"city":"New York"`, `{"memberExternalIds":["1001"]}`)
}

// runDocument runs the commands of a document as they stand, one after the other,
// against a lanyard serve, and looks for texts in what they write.
func runDocument(t *testing.T, file string, wanted ...string) {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "openssl", "basenc", "grep"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not there", tool)
			}
			t.Skipf("%s is not there", tool)
		}
	}
	text, err := os.ReadFile(file)
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
	var addresses struct{ Okta string }
	if err := json.NewDecoder(out).Decode(&addresses); err != nil {
		t.Fatal(err)
	}

	script := "set -euo pipefail\n" + strings.Join(blocks(string(text), "sh"), "\n")
	if strings.Count(script, "curl")+strings.Count(script, "api ") < 5 {
		t.Fatalf("the document has lost its commands:\n%s", script)
	}
	cmd := exec.Command("bash", "-c", strings.ReplaceAll(script, "http://127.0.0.1:8481", addresses.Okta))
	cmd.Dir, cmd.Env = dir, env
	answer, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	for _, want := range wanted {
		if !strings.Contains(string(answer), want) {
			t.Errorf("the output lacks %s:\n%s", want, answer)
		}
	}
}

// blocks returns the fenced blocks of a document that are in a language.
func blocks(text, language string) (out []string) {
	for _, part := range strings.Split(text, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		out = append(out, block)
	}
	return out
}
