//go:build unix

package script_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Ctrl-C ends a run in order: the exit code says so, the way to go on is shown,
// and the call that was under way is in doubt, not repeated.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "people.yaml"), crashDescription)
	writeText(t, filepath.Join(dir, "flow.yaml"), strings.Replace(crashDocument, "STEPS",
		strings.ReplaceAll(strings.ReplaceAll(crashSteps, "RULE", ""), "NAME", "a")+strings.ReplaceAll(strings.ReplaceAll(crashSteps, "RULE", ""), "NAME", "b"), 1))
	people := newPeopleServer(false)
	arrived := make(chan struct{}, 100)
	goOn := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		people.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer close(goOn)

	cmd := exec.CommandContext(t.Context(), "lanyard", "run", "flow.yaml", "--server", "people="+server.URL, "--allow-private", "--id", crashRun, "--input", "login=ada")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130\n%s", code, stderr.String())
	}
	if !strings.Contains(stderr.String(), "lanyard runs resume "+crashRun) {
		t.Errorf("how to go on is not said:\n%s", stderr.String())
	}
	res := lanyard(t, dir, "runs", "resume", crashRun)
	if res.code != 4 || !strings.Contains(res.stdout, "step create-a is in doubt") {
		t.Errorf("resume: exit %d, want the call held\n%s\n%s", res.code, res.stdout, res.stderr)
	}
	if len(arrived) != 0 {
		t.Error("the call was sent again")
	}
}

// A folder that a run holds is held, even when a server that was killed has left
// its address there: whoever listens there now is not called.
func TestStaleServer(t *testing.T) {
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "people.yaml"), crashDescription)
	writeText(t, filepath.Join(dir, "flow.yaml"), strings.Replace(crashDocument, "STEPS",
		strings.ReplaceAll(strings.ReplaceAll(crashSteps, "RULE", ""), "NAME", "a")+strings.ReplaceAll(strings.ReplaceAll(crashSteps, "RULE", ""), "NAME", "b"), 1))
	arrived := make(chan struct{}, 1)
	provider := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it seen that the client goes
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer provider.Close()
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger was asked for %s with the credential %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer stranger.Close()

	cmd := exec.CommandContext(t.Context(), "lanyard", "run", "flow.yaml", "--server", "people="+provider.URL, "--allow-private", "--input", "login=ada")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	writeText(t, filepath.Join(dir, ".lanyard", "serve.json"), `{"pid":1,"url":"`+stranger.URL+`","token":"secret"}`)
	res := lanyard(t, dir, "runs", "resume")
	if res.code != 1 || !strings.Contains(res.stderr, "held by process") || !strings.Contains(res.stderr, "(lanyard run)") {
		t.Errorf("exit %d: %s%s", res.code, res.stdout, res.stderr)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
}
