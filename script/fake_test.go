package script_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// fakeServer answers by rules and remembers what it was asked.
type fakeServer struct {
	mu    sync.Mutex
	rules []rule
	asked []string
}

// rule is one line of a rules file: METHOD PATH STATUS [BODY]. "*" stands for
// any method or path; a path with a query matches that query only. The first
// rule that matches decides; where several lines have the same method and path,
// each is used once in turn and the last one from then on. A BODY
// "@drop" breaks the connection instead of answering, "Name: value | BODY" adds
// a header.
type rule struct {
	method, path string
	status       int
	header       http.Header
	body         string
	used         bool
}

// parseRules reads a rules file. Empty lines and lines with # are skipped.
func parseRules(text string) ([]rule, error) {
	var rules []rule
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, " ", 4)
		if len(fields) < 3 {
			return nil, fmt.Errorf("%q is not METHOD PATH STATUS [BODY]", line)
		}
		status, err := strconv.Atoi(fields[2])
		if err != nil {
			return nil, err
		}
		r := rule{method: fields[0], path: fields[1], status: status, header: http.Header{}}
		if len(fields) == 4 {
			r.body = fields[3]
		}
		for {
			head, rest, found := strings.Cut(r.body, " | ")
			name, v, isHeader := strings.Cut(head, ": ")
			if !found || !isHeader || strings.HasPrefix(r.body, "{") {
				break
			}
			r.header.Set(name, v)
			r.body = rest
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func (r *rule) matches(req *http.Request) bool {
	path := req.URL.EscapedPath()
	if strings.Contains(r.path, "?") {
		path = req.URL.RequestURI()
	}
	return (r.method == "*" || r.method == req.Method) && (r.path == "*" || r.path == path)
}

// ServeHTTP implements http.Handler.
func (f *fakeServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r := f.take(req, body)
	if r == nil {
		http.Error(w, "no rule for "+req.Method+" "+req.URL.RequestURI(), http.StatusTeapot)
		return
	}
	if r.body == "@drop" {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body) // the client's problem
}

// take records a request and picks the rule for it.
func (f *fakeServer) take(req *http.Request, body []byte) *rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, requestLine(req, body))
	var last *rule
	for i := range f.rules {
		r := &f.rules[i]
		if !r.matches(req) || last != nil && (r.method != last.method || r.path != last.path) {
			continue
		}
		last = r
		if !r.used {
			break
		}
	}
	if last == nil {
		return nil
	}
	last.used = true
	out := *last
	return &out
}

// requestLine is a request as scripts compare it: METHOD URI [AUTHORIZATION] BODY.
func requestLine(req *http.Request, body []byte) string {
	line := req.Method + " " + req.URL.RequestURI()
	if auth := req.Header.Get("Authorization"); auth != "" {
		line += " [" + auth + "]"
	}
	if len(body) > 0 {
		line += " " + canonical(body)
	}
	return line
}

// canonical sorts the properties of a JSON text; other text stays as it is.
func canonical(body []byte) string {
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return strconv.Quote(string(body))
	}
	out, err := json.Marshal(v)
	if err != nil {
		return strconv.Quote(string(body))
	}
	return string(out)
}

// requests returns what was asked since the last time.
func (f *fakeServer) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.asked
	f.asked = nil
	return out
}

// scriptState keeps what a script has started, by name. Values of a script are
// kept in its environment otherwise.
var scriptState = struct {
	sync.Mutex
	fakes   map[string]*fakeServer
	daemons map[string]*daemon
}{fakes: map[string]*fakeServer{}, daemons: map[string]*daemon{}}

func stateKey(ts *testscript.TestScript, name string) string { return ts.Getenv("WORK") + " " + name }

// startFake implements fake NAME FILE.
func startFake(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: fake NAME FILE")
	}
	rules, err := parseRules(ts.ReadFile(args[1]))
	ts.Check(err)
	scriptState.Lock()
	defer scriptState.Unlock()
	key := stateKey(ts, args[0])
	if f := scriptState.fakes[key]; f != nil { // new rules for a server that runs
		f.mu.Lock()
		f.rules = rules
		f.mu.Unlock()
		return
	}
	f := &fakeServer{rules: rules}
	scriptState.fakes[key] = f
	server := httptest.NewServer(f)
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// takeRequests implements requests NAME FILE.
func takeRequests(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: requests NAME FILE")
	}
	scriptState.Lock()
	f := scriptState.fakes[stateKey(ts, args[0])]
	scriptState.Unlock()
	if f == nil {
		ts.Fatalf("there is no server %s", args[0])
	}
	var text strings.Builder
	for _, line := range f.requests() {
		text.WriteString(line + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text.String()), 0o600))
}

// daemon is a command that goes on while the script does.
type daemon struct {
	cmd   *exec.Cmd
	ended chan error
}

// startDaemon implements daemon NAME COMMAND [ARG...].
func startDaemon(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: daemon NAME COMMAND [ARG...]")
	}
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.CommandContext(context.Background(), path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	ts.Check(cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		ts.Fatalf("%s ended before it was ready: %s", args[1], stderr.String())
	}
	var fields map[string]any
	ts.Check(json.Unmarshal([]byte(line), &fields))
	for name, v := range fields {
		ts.Setenv(args[0]+"_"+name, fmt.Sprint(v))
	}
	d := &daemon{cmd: cmd, ended: make(chan error, 1)}
	go func() { d.ended <- cmd.Wait() }()
	scriptState.Lock()
	defer scriptState.Unlock()
	key := stateKey(ts, args[0])
	scriptState.daemons[key] = d
	ts.Defer(func() {
		_ = cmd.Process.Kill() // it has ended already, or it must now
	})
}

// stopDaemon implements stop NAME: it interrupts the daemon and waits for its
// orderly end.
func stopDaemon(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: stop NAME")
	}
	scriptState.Lock()
	d := scriptState.daemons[stateKey(ts, args[0])]
	scriptState.Unlock()
	if d == nil {
		ts.Fatalf("there is no daemon %s", args[0])
	}
	ts.Check(d.cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-d.ended:
		ts.Check(err)
	case <-time.After(20 * time.Second):
		ts.Fatalf("the daemon %s does not end", args[0])
	}
}

// capture implements capture VARIABLE PATTERN.
func capture(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: capture VARIABLE PATTERN")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("the last stdout has no %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// call implements call METHOD URL okta|none|CREDENTIAL [BODY].
func call(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 3 {
		ts.Fatalf("usage: call METHOD URL okta|none|CREDENTIAL [BODY]")
	}
	req, err := http.NewRequest(args[0], args[1], strings.NewReader(strings.Join(args[3:], " ")))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	switch args[2] {
	case "none":
	case "okta":
		var made struct{ OktaAPIToken string }
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(".lanyard/sandbox.json")), &made))
		req.Header.Set("Authorization", "SSWS "+made.OktaAPIToken)
	default:
		req.Header.Set("Authorization", args[2])
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	_, err = fmt.Fprintf(ts.Stdout(), "%d\n%s\n", resp.StatusCode, body)
	ts.Check(err)
}

// expand implements expand FILE: documents can name a fake server.
func expand(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := ts.ReadFile(args[0])
	prefix := stateKey(ts, "")
	scriptState.Lock()
	defer scriptState.Unlock()
	for key := range scriptState.fakes {
		if name, mine := strings.CutPrefix(key, prefix); mine {
			text = strings.ReplaceAll(text, "$"+name+"/", ts.Getenv(name)+"/")
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// TestRules holds the fake server to its rules: each rule once, the last for ever.
func TestRules(t *testing.T) {
	rules, err := parseRules("# first broken, then done\nPOST /a 500 X-Why: busy | {\"a\":1}\nPOST /a 201 {}\n* * 404 none\n")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{rules: rules}
	var got []string
	for _, target := range []string{"/a", "/a", "/b", "/a"} {
		rec := httptest.NewRecorder()
		f.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, target, strings.NewReader(`{"b":2,"a":1}`)))
		got = append(got, fmt.Sprint(rec.Code, rec.Header().Get("X-Why")))
	}
	if want := []string{"500busy", "201", "404", "201"}; !slices.Equal(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
	if asked := f.requests(); asked[0] != `POST /a {"a":1,"b":2}` {
		t.Errorf("recorded %q", asked)
	}
}
