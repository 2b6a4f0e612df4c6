package script_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const xaasExample = "../examples/anything-as-a-source"

// TestAnythingAsASource plays the example from the CSV file to the report: the table
// sample_users, the items API, DynamoDB (dynalite), the flows, import sessions.
// Lanyard's own org is imported to directly, and as a tenant whose API a connection
// calls; by flows that pull when their schedules are due, and by a source that pushes.
func TestAnythingAsASource(t *testing.T) {
	t.Parallel()
	dynamo := startDynalite(t)
	binary := buildBinary(t)
	api := filepath.Join(t.TempDir(), "items-api")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", api, xaasExample+"/items-api")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as buildBinary
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, pushed := range []bool{false, true} {
		for _, connected := range []bool{false, true} {
			t.Run(fmt.Sprintf("pushed=%v,connected=%v", pushed, connected), func(t *testing.T) {
				x := newXaaS(t, binary, connected)
				x.items = startLine(t, "", api, "--listen", "127.0.0.1:0", "--dynamodb", dynamo, "--table", fmt.Sprintf("items-%v-%v", pushed, connected))
				x.play(pushed)
			})
		}
	}
}

// startDynalite starts a DynamoDB of npm's and returns its address.
func startDynalite(t *testing.T) string {
	t.Helper()
	const clients = "../.ci/clients"
	if _, err := os.Stat(clients + "/node_modules/dynalite"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("dynalite is missing: %v", err)
		}
		t.Skip("dynalite is missing: npm ci --prefix .ci/clients")
	}
	return startLine(t, "", "node", clients+"/dynalite-server.mjs")
}

// startLine starts a program that prints one line when it is ready, and returns the
// line. It ends with the test.
func startLine(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...) // killed at the end of the test
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "PEOPLE_TOKEN=token-of-the-source", "OKTA_TOKEN="+tokenOf(dir))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it was told to end
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not start: %v\n%s", program, err, stderr.String())
	}
	return strings.TrimSpace(line)
}

// tokenOf is that of the org beside a folder, empty when there is none yet.
func tokenOf(dir string) string {
	var c struct{ OktaAPIToken string }
	data, err := os.ReadFile(filepath.Join(dir, "..", "org", ".lanyard", "sandbox.json"))
	if err == nil {
		_ = json.Unmarshal(data, &c) // without it, calls are refused
	}
	return c.OktaAPIToken
}

// xaas is one way through the example.
type xaas struct {
	*testing.T
	binary    string
	connected bool
	items     string    // URL of the items API
	org       string    // folder of the org that is imported to
	flows     string    // folder of the flows; the same unless connected
	okta      string    // URL of the org's API
	api       string    // URL of lanyard serve's own API, where the flows are
	due       time.Time // a full hour to come, at which the first import is due
}

func newXaaS(t *testing.T, binary string, connected bool) *xaas {
	root := t.TempDir()
	x := &xaas{T: t, binary: binary, connected: connected, org: filepath.Join(root, "org"), flows: filepath.Join(root, "org")}
	if connected {
		x.flows = filepath.Join(root, "flows")
	}
	return x
}

// play imports a hundred people, changes one, and lets one leave.
func (x *xaas) play(pushed bool) {
	x.due = time.Now().UTC().Truncate(time.Hour).Add(2 * time.Hour)
	x.serve()
	x.clock()
	x.lanyard(x.flows, "tables", "import", "sample_users", "sampleUsers.csv")
	run := []string{"run", "flows.arazzo.yaml", "--workflow", "populate_dynamodb_table"}
	if !x.connected {
		run = append(run, "--sandbox")
	}
	x.lanyard(x.flows, run...)
	if n := len(x.all()); n != 100 {
		x.Fatalf("DynamoDB has %d items", n)
	}
	if pushed {
		x.lanyard(x.flows, "triggers", "off", "import-active-users")
		x.lanyard(x.flows, "triggers", "off", "import-deactive-users")
		x.push(nil) // which opens no session: one would be in the way of the next
	}
	goOn := func(after time.Duration) {
		x.clock("--at", x.due.Add(after).Format(time.RFC3339))
		if pushed {
			x.push(x.all())
		}
	}
	goOn(0)
	x.reports(1, map[string]int{"scanned": 100, "added": 100})

	x.change("00002", "city", "Bath")
	goOn(time.Hour)
	x.reports(2, map[string]int{"scanned": 100, "updated": 1, "unchanged": 99})

	x.change("00003", "active", false)
	goOn(90 * time.Minute) // the schedule of those who leave
	want := map[string]int{"scanned": 1, "removed": 1}
	if pushed { // the source sends everybody
		want = map[string]int{"scanned": 100, "removed": 1, "unchanged": 99}
	}
	x.reports(3, want)
	x.fired(pushed)

	var people []struct {
		Name, Action  string
		Before, After map[string]any
	}
	x.json(&people, x.org, "import", "people", "-o", "json")
	if len(people) != 1 || people[0].Action != "deactivate" {
		x.Errorf("the last session did %+v", people)
	}
	call, err := http.NewRequestWithContext(x.Context(), http.MethodGet, x.okta+"/api/v1/users?limit=200&filter=status+eq+%22DEPROVISIONED%22", nil)
	if err != nil {
		x.Fatal(err)
	}
	call.Header.Set("Authorization", "SSWS "+tokenOf(x.flows))
	var gone []struct{ Profile struct{ Login string } }
	x.do(call, &gone)
	found := false
	for _, one := range gone {
		found = found || one.Profile.Login == people[0].Name
	}
	if !found {
		x.Errorf("%s is not deactivated: %v", people[0].Name, gone)
	}
}

// clock makes the time of the flows' folder stand still, so that no schedule is due
// before it is moved to one.
func (x *xaas) clock(args ...string) {
	x.lanyard(x.flows, append([]string{"rehearsal", "clock", "--freeze"}, args...)...)
}

// fired compares what started the flows.
func (x *xaas) fired(pushed bool) {
	want := map[string]int{
		"import-active-users due/" + x.due.Format(time.RFC3339):                       1,
		"import-active-users due/" + x.due.Add(time.Hour).Format(time.RFC3339):        1,
		"import-deactive-users due/" + x.due.Add(90*time.Minute).Format(time.RFC3339): 1,
	}
	if pushed {
		want = map[string]int{"people call": 4}
	}
	var history struct {
		Firings []struct{ Trigger, State, Key string }
	}
	x.json(&history, x.flows, "triggers", "history", "--state", "started", "-o", "json")
	got := map[string]int{}
	for _, f := range history.Firings {
		if pushed {
			f.Key, _, _ = strings.Cut(f.Key, "/")
		}
		got[f.Trigger+" "+f.Key]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.Errorf("started by (-want +got):\n%s", diff)
	}
}

// serve starts the org, and beside it whatever starts the flows.
func (x *xaas) serve() {
	x.folder(x.org, "")
	if x.connected {
		x.withoutTriggers(x.org)
	}
	org := x.start(x.org)
	x.okta, x.api = org["okta"], org["api"]
	if !x.connected {
		return
	}
	x.folder(x.flows, x.okta)
	x.api = x.start(x.flows)["api"]
}

func (x *xaas) start(dir string) map[string]string {
	var at map[string]string
	line := startLine(x.T, dir, x.binary, "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		x.Fatalf("%v: %s", err, line)
	}
	return at
}

// folder copies the example. With a tenant, flows call it instead of the sandbox.
func (x *xaas) folder(dir, tenant string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		x.Fatal(err)
	}
	for _, name := range []string{"flows.arazzo.yaml", "items.openapi.yaml", "lanyard.yaml", "sampleUsers.csv"} {
		data, err := os.ReadFile(filepath.Join(xaasExample, name))
		if err != nil {
			x.Fatal(err)
		}
		text := string(data)
		if name == "lanyard.yaml" {
			text = strings.ReplaceAll(text, "http://127.0.0.1:8490", x.items)
			if tenant != "" {
				text = strings.ReplaceAll(text, "    sandbox: true\n", "")
				text = strings.Replace(text, "connections:\n", "connections:\n  okta:\n    server: "+tenant+"\n    allowPrivate: true\n    auth: {type: ssws, token: env:OKTA_TOKEN}\n", 1)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			x.Fatal(err)
		}
	}
}

// withoutTriggers makes a folder only be the org that is imported to.
func (x *xaas) withoutTriggers(dir string) {
	name := filepath.Join(dir, "lanyard.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		x.Fatal(err)
	}
	before, _, found := bytes.Cut(data, []byte("\ntriggers:\n"))
	if !found {
		x.Fatal("lanyard.yaml has no triggers")
	}
	if err := os.WriteFile(name, append(before, '\n'), 0o600); err != nil {
		x.Fatal(err)
	}
}

// lanyard runs a command in a folder and returns what it prints.
func (x *xaas) lanyard(dir string, args ...string) []byte {
	x.Helper()
	cmd := exec.CommandContext(x.Context(), x.binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+x.TempDir(), "PEOPLE_TOKEN=token-of-the-source", "OKTA_TOKEN="+tokenOf(dir))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		x.Fatalf("lanyard %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return out
}

func (x *xaas) json(into any, dir string, args ...string) {
	x.Helper()
	if out := x.lanyard(dir, args...); json.Unmarshal(out, into) != nil {
		x.Fatalf("lanyard %s: %s", strings.Join(args, " "), out)
	}
}

// reports waits for the end of the newest session and compares its figures. There
// have been so many by then.
func (x *xaas) reports(sessions int, want map[string]int) {
	x.Helper()
	type session struct {
		State  string
		Counts map[string]any
	}
	var all []session
	for deadline := time.Now().Add(20 * time.Second); ; {
		x.json(&all, x.org, "import", "sessions", "-o", "json")
		if len(all) == sessions && all[0].State == "COMPLETED" || time.Now().After(deadline) {
			break
		}
	}
	if len(all) != sessions || all[0].State != "COMPLETED" {
		x.Fatalf("there are %d sessions, want %d that are done: %+v", len(all), sessions, all)
	}
	got := map[string]int{}
	for name, n := range all[0].Counts {
		if n, ok := n.(float64); ok && n != 0 {
			got[name] = int(n)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.Errorf("session %d (-want +got):\n%s", sessions, diff)
	}
}

// all is everybody whom the source has.
func (x *xaas) all() []map[string]any {
	req, err := http.NewRequestWithContext(x.Context(), http.MethodGet, x.items+"/items", nil)
	if err != nil {
		x.Fatal(err)
	}
	var list struct{ Items []map[string]any }
	x.do(req, &list)
	return list.Items
}

// change gives an item of the source another attribute.
func (x *xaas) change(id, attribute string, to any) {
	for _, item := range x.all() {
		if item["id"] == id {
			item[attribute] = to
			x.send(http.MethodPut, x.items+"/items", item, nil)
			return
		}
	}
	x.Fatalf("there is no item %s", id)
}

// push is what the source does in the second architecture.
func (x *xaas) push(people []map[string]any) {
	if people == nil {
		people = []map[string]any{}
	}
	x.send(http.MethodPost, x.api+"/hooks/people", map[string]any{"users": people}, nil)
}

func (x *xaas) send(method, url string, body, into any) {
	x.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		x.Fatal(err)
	}
	req, err := http.NewRequestWithContext(x.Context(), method, url, bytes.NewReader(data))
	if err != nil {
		x.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Client-Token", "token-of-the-source")
	x.do(req, into)
}

func (x *xaas) do(req *http.Request, into any) {
	x.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		x.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		x.Fatalf("%s %s: %s %v\n%s", req.Method, req.URL, res.Status, err, data)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(data, into); err != nil {
		x.Fatalf("%s %s: %v\n%s", req.Method, req.URL, err, data)
	}
}
