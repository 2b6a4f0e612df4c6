package script_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestImportIntoTenant imports the people of a file into an Okta tenant, which a
// second lanyard serve plays: a hundred are created, one is changed, one leaves, as
// both of them report. Before each answer that matters the importing process is
// killed once, and goes on.
func TestImportIntoTenant(t *testing.T) {
	w := newTenantWorld(t)

	plan := w.lanyard(w.here, 0, "import", "preview", "hr")
	for _, want := range []string{"100 created", "to the identity source HR of the connection okta: 1 session, 6 calls, about 1 minute", "the matching that its application has"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the preview lacks %q:\n%s", want, plan)
		}
	}
	if n := w.calls.Load(); n != 0 {
		t.Errorf("a preview made %d calls", n)
	}
	for _, at := range []string{"POST sessions", "POST bulk-upsert", "POST start-import"} {
		w.killed(at, "import", "run", "hr")
	}
	w.lanyard(w.here, 0, "import", "run", "hr")
	w.reports("the first import", 100, map[string]int{"scanned": 100, "added": 100}, map[string]int{"scanned": 100, "added": 100})

	w.people[7].title = "Admiral"
	w.write()
	w.killed("POST bulk-upsert", "import", "run", "hr")
	w.lanyard(w.here, 0, "import", "run", "hr")
	w.reports("one was changed", 1, map[string]int{"scanned": 100, "updated": 1, "unchanged": 99}, map[string]int{"scanned": 1, "updated": 1})

	w.people[8].status = "terminated"
	w.write()
	w.killed("POST start-import", "import", "run", "hr")
	startLine(t, w.here, w.binary, "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	w.settled() // by the process that serves, from where the other one was killed
	w.reports("one has left", 1, map[string]int{"scanned": 100, "removed": 1, "unchanged": 99}, map[string]int{"scanned": 1, "removed": 1})

	before := w.calls.Load()
	if out := w.lanyard(w.here, 0, "import", "run", "hr"); !strings.Contains(out, "100 unchanged") || w.calls.Load() != before {
		t.Errorf("nothing changed, and %d calls were made:\n%s", w.calls.Load()-before, out)
	}

	// Guards hold before anything is sent; approved, it goes.
	for i := range 60 {
		w.people[i+20].status = "terminated"
	}
	w.write()
	if out := w.lanyard(w.here, 5, "import", "run", "hr"); !strings.Contains(out, "held") || w.calls.Load() != before {
		t.Errorf("held, and %d calls were made:\n%s", w.calls.Load()-before, out)
	}
	if out := w.lanyard(w.here, 0, "import", "approve", "hr", "--reason", "the office has closed"); !strings.Contains(out, "sent to the identity source HR of the connection okta: 60 changes in 1 session") {
		t.Errorf("approved:\n%s", out)
	}
}

// TestTenantByTrigger imports into a tenant what a trigger starts, and cancels it while
// the tenant is being told: nothing of it is done here, and the next one does it all.
func TestTenantByTrigger(t *testing.T) {
	w := newTenantWorld(t)
	file := filepath.Join(w.here, "lanyard.yaml")
	w.file(w.here, "lanyard.yaml", string(must(os.ReadFile(file))(t))+"triggers:\n  nightly: {schedule: {cron: '0 3 1 1 *'}, import: hr}\n")
	startLine(t, w.here, w.binary, "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	held := &killing{at: "POST bulk-upsert", done: make(chan struct{})}
	w.kill.Store(held)
	w.lanyard(w.here, 0, "triggers", "fire", "nightly")
	<-held.done
	if out := w.lanyard(w.here, 0, "import", "show", "hr"); !strings.Contains(out, "being sent to the tenant") {
		t.Errorf("while it is sent:\n%s", out)
	}
	w.lanyard(w.here, 0, "import", "cancel", "hr")
	if out := w.lanyard(w.here, 0, "import", "show", "hr"); !strings.Contains(out, "cancelled") {
		t.Errorf("cancelled:\n%s", out)
	}
	if out := w.lanyard(w.here, 0, "triggers", "fire", "nightly", "--wait"); !strings.Contains(out, "succeeded") {
		t.Errorf("fired again:\n%s", out)
	}
	w.reports("by a trigger", 100, map[string]int{"scanned": 100, "added": 100}, map[string]int{"scanned": 100, "added": 100})
	if out := w.lanyard(w.here, 0, "import", "run", "hr"); !strings.Contains(out, "100 unchanged") {
		t.Errorf("with nothing new:\n%s", out)
	}
	if out := w.lanyard(w.here, 0, "import", "show", "hr"); !strings.Contains(out, "100 unchanged") || strings.Contains(out, "trg-") {
		t.Errorf("the newest is the one that was run:\n%s", out)
	}
}

// tenantWorld is a tenant, and a folder that imports into it.
type tenantWorld struct {
	*testing.T
	binary      string
	here, there string // folders
	token       string
	people      []tenantPerson
	calls       atomic.Int64 // on identity sources

	kill atomic.Pointer[killing]
}

type tenantPerson struct{ title, status string }

// killing is what ends a process while one of its calls is answered, or only keeps
// the answer back.
type killing struct {
	at   string
	cmd  *exec.Cmd // nil: the process lives
	done chan struct{}
}

func newTenantWorld(t *testing.T) *tenantWorld {
	root := t.TempDir()
	w := &tenantWorld{T: t, binary: buildBinary(t), here: filepath.Join(root, "here"), there: filepath.Join(root, "org"), people: make([]tenantPerson, 100)}
	for i := range w.people {
		w.people[i] = tenantPerson{"Captain", "active"}
	}
	w.file(w.there, "lanyard.yaml", "imports:\n  hr: {label: HR, attributes: [title, employeeNumber], guard: {off: [removals]}}\n")
	var at map[string]string
	line := startLine(t, w.there, w.binary, "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	check(t, json.Unmarshal([]byte(line), &at))
	w.token = tokenOf(w.here)

	target := must(url.Parse(at["okta"]))(t)
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/identity-sources/") {
			proxy.ServeHTTP(rw, r)
			return
		}
		w.calls.Add(1)
		rec := httptest.NewRecorder()
		proxy.ServeHTTP(rec, r) // it has happened
		k := w.kill.Load()
		if k != nil && r.Method+" "+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] == k.at && w.kill.CompareAndSwap(k, nil) {
			if k.cmd != nil {
				_ = k.cmd.Process.Kill()
			}
			close(k.done)
			<-r.Context().Done()
			return
		}
		for name, values := range rec.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
	}))
	t.Cleanup(front.Close)
	w.file(w.here, "lanyard.yaml", fmt.Sprintf(`
connections:
  okta:
    server: %s
    allowPrivate: true
    auth: {type: ssws, token: env:OKTA_TOKEN}
imports:
  hr:
    from: {csv: people.csv}
    to: {connection: okta, source: HR}
`, front.URL))
	w.write()
	return w
}

func (w *tenantWorld) file(dir, name, text string) {
	check(w.T, os.MkdirAll(dir, 0o755))
	check(w.T, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

// write writes the source.
func (w *tenantWorld) write() {
	var b strings.Builder
	b.WriteString("employee_id,first_name,last_name,email,title,status\n")
	for i, p := range w.people {
		fmt.Fprintf(&b, "E%d,First%d,Last%d,p%d@tenant.example,%s,%s\n", i, i, i, i, p.title, p.status)
	}
	w.file(w.here, "people.csv", b.String())
}

func (w *tenantWorld) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.Context(), w.binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+w.TempDir(), "OKTA_TOKEN="+w.token)
	return cmd
}

// lanyard runs a command that ends with an exit code.
func (w *tenantWorld) lanyard(dir string, code int, args ...string) string {
	w.Helper()
	cmd := w.command(dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		w.Fatalf("lanyard %s: %v, want %d\n%s%s", strings.Join(args, " "), err, code, out, stderr.String())
	}
	return string(out)
}

// killed runs a command whose process is killed once the tenant has carried a call
// out, before it is answered.
func (w *tenantWorld) killed(at string, args ...string) {
	w.Helper()
	k := &killing{at: at, cmd: w.command(w.here, args...), done: make(chan struct{})}
	var out bytes.Buffer
	k.cmd.Stdout, k.cmd.Stderr = &out, &out
	check(w.T, k.cmd.Start())
	w.kill.Store(k)
	err := k.cmd.Wait()
	select {
	case <-k.done:
	case <-time.After(10 * time.Second):
		w.Fatalf("nothing was killed at %s: %v\n%s", at, err, out.String())
	}
}

// settled waits until nothing is under way here.
func (w *tenantWorld) settled() {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		var sessions []any
		check(w.T, json.Unmarshal([]byte(w.lanyard(w.here, 0, "import", "sessions", "hr", "--state", "TRIGGERED", "-o", "json")), &sessions))
		if len(sessions) == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("still under way: %v", sessions)
		}
	}
}

// reports compares the figures of the newest session here and in the tenant, and
// what was sent.
func (w *tenantWorld) reports(what string, changes int, here, there map[string]int) {
	w.Helper()
	for dir, want := range map[string]map[string]int{w.here: here, w.there: there} {
		var report struct {
			Session struct {
				State  string
				Counts map[string]any
				Sent   *struct {
					Changes  int
					Sessions []string
				}
			}
		}
		// The newest that did something: to run again also does what was left.
		var sessions []struct {
			ID     string
			Counts map[string]any
		}
		check(w.T, json.Unmarshal([]byte(w.lanyard(dir, 0, "import", "sessions", "hr", "-o", "json")), &sessions))
		for len(sessions) > 1 && sessions[0].Counts["unchanged"] == 100.0 {
			sessions = sessions[1:]
		}
		check(w.T, json.Unmarshal([]byte(w.lanyard(dir, 0, "import", "report", sessions[0].ID, "-o", "json")), &report))
		got := map[string]int{}
		for name, n := range report.Session.Counts {
			if n, ok := n.(float64); ok && n != 0 {
				got[name] = int(n)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || report.Session.State != "COMPLETED" {
			w.Errorf("%s, %s: %s (-want +got):\n%s", what, filepath.Base(dir), report.Session.State, diff)
		}
		if sent := report.Session.Sent; dir == w.here && (sent == nil || sent.Changes != changes || len(sent.Sessions) != 1) {
			w.Errorf("%s: sent %+v", what, sent)
		}
	}
}

// TestImportFrom reads a file, and standard input, with and without a process that
// serves the folder, which has another working folder; and an import with a tenant
// plays on the embedded org.
func TestImportFrom(t *testing.T) {
	w := newTenantWorld(t)
	sub := filepath.Join(w.here, "sub")
	const others = "employee_id,first_name,last_name,email\nX1,Grace,Hopper,grace@tenant.example\n"
	w.file(sub, "others.csv", others)
	from := func(file string, want string, args ...string) {
		t.Helper()
		cmd := w.command(sub, append(args, "--config", "../lanyard.yaml", "--data", "../.lanyard", "--from", file)...)
		cmd.Stdin = strings.NewReader(others)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s --from %s: %v, and not %q:\n%s", strings.Join(args, " "), file, err, want, out)
		}
	}
	const tenant = "the identity source HR of the connection okta"
	from("others.csv", tenant, "import", "preview", "hr")
	from("-", "1 created", "import", "run", "hr", "--sandbox")
	startLine(t, w.here, w.binary, "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	from("-", tenant, "explain", "--source", "hr", "--user", "X1")
	from("others.csv", "1 unchanged", "import", "run", "hr", "--sandbox")
	out := w.lanyard(w.here, 0, "import", "run", "hr", "--sandbox")
	if !strings.Contains(out, "100 created") || w.calls.Load() != 0 {
		t.Errorf("%d calls to the tenant:\n%s", w.calls.Load(), out)
	}
	if out := w.lanyard(w.here, 0, "import", "preview", "hr"); !strings.Contains(out, "100 linked") || !strings.Contains(out, "1 session, 6 calls") {
		t.Errorf("the tenant has nobody yet:\n%s", out)
	}
}
