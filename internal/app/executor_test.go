package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// folder opens the bench's data folder as a command does.
func (b *bench) folder() *Folder {
	b.t.Helper()
	s := b.settings()
	c, err := b.configuration(&s)
	if err != nil {
		b.t.Fatal(err)
	}
	f, err := b.openFolder(b.t.Context(), s, "run", c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = f.Close() })
	return f
}

// twoDocuments writes flow.yaml, which calls a workflow of other.yaml. Both name
// a source people, and mean different ones.
func (b *bench) twoDocuments() {
	b.write("people.yaml", people)
	b.write("more.yaml", strings.NewReplacer("title: People", "title: More", "/users:", "/members:").Replace(people))
	b.write("other.yaml", strings.NewReplacer("people.yaml", "more.yaml", "workflowId: list", "workflowId: other").Replace(flow))
	b.write("flow.yaml", `
arazzo: 1.0.1
info: {title: Both, version: "1"}
sourceDescriptions:
  - {name: people, url: people.yaml, type: openapi}
  - {name: more, url: more.yaml, type: openapi}
  - {name: flows, url: other.yaml, type: arazzo}
workflows:
  - workflowId: both
    steps:
      - {stepId: one, operationId: $sourceDescriptions.people.listUsers, successCriteria: [{condition: $statusCode == 200}]}
      - {stepId: again, operationId: $sourceDescriptions.people.listUsers, successCriteria: [{condition: $statusCode == 200}]}
      - {stepId: two, operationId: $sourceDescriptions.more.listUsers, successCriteria: [{condition: $statusCode == 200}]}
      - {stepId: three, workflowId: $sourceDescriptions.flows.other}
`)
}

func TestPlanSources(t *testing.T) {
	b := newBench(t)
	b.twoDocuments()
	got := map[[2]string][]string{}
	for key, src := range planSources(b.planOf(b.request("flow.yaml", run.Bindings{}))) {
		if key.name != src.Name || len(src.Schemes) == 0 {
			t.Errorf("%v is %+v", key, src)
		}
		for _, op := range src.Operations {
			got[[2]string{key.document, key.name}] = append(got[[2]string{key.document, key.name}], src.Title+" "+src.Location+" "+op.Path)
		}
	}
	want := map[[2]string][]string{
		{b.path("flow.yaml"), "people"}:  {"People " + b.path("people.yaml") + " /users"},
		{b.path("flow.yaml"), "more"}:    {"More " + b.path("more.yaml") + " /members"},
		{b.path("other.yaml"), "people"}: {"More " + b.path("more.yaml") + " /members"},
	}
	// An operation that two steps use may be listed once or twice.
	for key := range got {
		got[key] = slices.Compact(got[key])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

// All that is missing is said at once, and nothing is sent.
func TestBindReportsEverythingMissing(t *testing.T) {
	b := newBench(t)
	b.twoDocuments()
	b.write("lanyard.yaml", `
connections:
  people: {server: https://a.example, auth: {type: basic, username: env:NO_USER, password: env:NO_PASSWORD}}
  more: {server: https://b.example, auth: {type: bearer, token: "file:no-token"}}
`)
	f := b.folder()
	p := b.planOf(b.request("flow.yaml", run.Bindings{}))
	for range 3 { // always in the same order
		_, err := f.executor.Bind(t.Context(), p, run.Bindings{})
		text := fault.Public(err)
		for _, want := range []string{"connections.people.auth.username", "NO_USER", "connections.people.auth.password", "NO_PASSWORD", "connections.more.auth.token", "no-token"} {
			if !strings.Contains(text, want) {
				t.Errorf("Bind does not name %s:\n%s", want, text)
			}
		}
		if strings.Index(text, "connections.more") > strings.Index(text, "connections.people") {
			t.Errorf("the order is not stable:\n%s", text)
		}
	}
	if err := f.Start(t.Context(), "run_1", p, nil, run.Bindings{}); err == nil {
		t.Error("a run without its credentials is started")
	}
	if _, err := f.Run(t.Context(), "run_1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the run that was refused is kept: %v", err)
	}
}

// first is a call of the first step of a plan.
func first(p *plan.Plan) *engine.Call {
	op := p.Workflows[p.Main].Steps[0].Operation
	return &engine.Call{
		ID: 1, Step: "get", Attempt: 1, Visit: 1, Purpose: engine.ForStep, Operation: op,
		Request: &openapi.Request{Method: op.Method, Path: op.Path}, Timeout: 10 * time.Second,
	}
}

func TestCall(t *testing.T) {
	var status int
	var header http.Header
	server := provider(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		w.Header().Set("X-Test", "yes")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"big":12345678901234567890}`))
	})
	b := newBench(t)
	b.env["PEOPLE_TOKEN"] = "tok-4711-abcdef"
	b.write("people.yaml", people)
	b.write("flow.yaml", flow)
	b.write("lanyard.yaml", "connections: {people: {server: '"+server+"', allowPrivate: true, auth: {type: bearer, token: env:PEOPLE_TOKEN}}}")
	p := b.planOf(b.request("flow.yaml", run.Bindings{}))
	caller, err := b.folder().executor.Bind(t.Context(), p, run.Bindings{})
	if err != nil {
		t.Fatal(err)
	}
	if got := caller.Secrets(); !slices.Contains(got, "tok-4711-abcdef") {
		t.Errorf("%d secrets are known, the token is not among them", len(got))
	}
	status = http.StatusOK
	a := caller.Call(t.Context(), first(p))
	if a.Failure != nil || a.Status != 200 || a.URL != server+"/users" || a.Attempts != 1 || a.Denied != "" || http.Header(a.Header).Get("X-Test") != "yes" {
		t.Errorf("answer %+v", a)
	}
	if string(a.JSON) != `{"big":12345678901234567890}` {
		t.Errorf("the body is %s", a.JSON)
	}
	if got := header.Get("Authorization"); got != "Bearer tok-4711-abcdef" {
		t.Errorf("the credential was sent as %q", got)
	}
	status = http.StatusUnauthorized
	a = caller.Call(t.Context(), first(p))
	if a.Status != 401 || !strings.Contains(a.Denied, "people") || strings.Contains(a.Denied, "tok-4711") {
		t.Errorf("a refused credential: %d, denied %q", a.Status, a.Denied)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := caller.Call(ctx, first(p)); a.Failure == nil || a.Status != 0 {
		t.Errorf("a call that was cancelled: %+v", a)
	}
}

func TestCallFails(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	slow := provider(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b := newBench(t)
	b.write("people.yaml", people)
	b.write("flow.yaml", flow)
	f := b.folder()
	p := b.planOf(b.request("flow.yaml", run.Bindings{}))
	for _, test := range []struct {
		name, server string
		private      bool
		timeout      time.Duration
		kind         fault.Kind
		sent         bool
	}{
		{"nobody listens", gone.URL, true, time.Minute, fault.Unavailable, false},
		{"loopback is closed", gone.URL, false, time.Minute, fault.Refused, false},
		{"no answer in time", slow, true, 50 * time.Millisecond, fault.Timeout, true},
	} {
		bind := run.Bindings{Servers: map[string]string{"people": test.server}, AllowPrivate: test.private}
		caller, err := f.executor.Bind(t.Context(), p, bind)
		if err != nil {
			t.Fatal(err)
		}
		call := first(p)
		call.Timeout = test.timeout
		a := caller.Call(t.Context(), call)
		if a.Failure == nil || a.Failure.Kind != test.kind.String() || a.Failure.Sent != test.sent {
			t.Errorf("%s: %+v, failure %+v", test.name, a, a.Failure)
		}
	}
}

// The sandbox plays the provider without any of its credentials, also when they
// are there.
func TestSandboxNeverSeesCredentials(t *testing.T) {
	real := provider(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the provider was called: %s", r.URL) })
	b := newBench(t)
	const token = "00real-token-4711" // made-up tokens have no hyphens
	b.env["OKTA_API_TOKEN"], b.env["OKTA_ORG_NAME"] = token, "real"
	b.write("flow.yaml", oktaFlow)
	b.write("lanyard.yaml", "connections: {oktaApi: {server: '"+real+"', allowPrivate: true, auth: {type: ssws, token: env:OKTA_API_TOKEN}}}")
	f := b.folder()
	var mu sync.Mutex
	var seen []string
	f.sandboxOnce.Do(func() {
		f.sandbox = &sandbox{handlers: map[string]http.Handler{oktaSandbox: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			for name, values := range r.Header {
				seen = append(seen, name+": "+strings.Join(values, ","))
			}
			seen = append(seen, r.URL.String())
			_ = json.NewEncoder(w).Encode(map[string]string{"id": "00u1"})
		})}}
	})
	bind := run.Bindings{Sandbox: true}
	p := b.planOf(b.request("flow.yaml", bind))
	if err := f.Start(t.Context(), "run_1", p, map[string]any{"login": "a@example.com"}, bind); err != nil {
		t.Fatal(err)
	}
	if r := rest(t, f, "run_1"); r.Status != run.Succeeded {
		t.Errorf("the run %s: %s", r.Status, r.Reason)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 || strings.Contains(strings.Join(seen, "\n"), token) {
		t.Errorf("the sandbox saw %q", seen)
	}
}

// Every catalogue entry with a stand-in has a server that never leaves the
// process.
func TestSandboxServers(t *testing.T) {
	servers := sandboxServers()
	entries, err := catalog.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if u, err := url.Parse(servers[e.Name]); e.Sandbox != "" && (err != nil || !strings.HasSuffix(u.Host, ".sandbox")) {
			t.Errorf("%s is played by %q", e.Name, servers[e.Name])
		}
	}
}

func TestLazySandboxThatCannotBeOpened(t *testing.T) {
	b := newBench(t)
	f := b.folder()
	f.sandboxOnce.Do(func() { f.sandboxErr = fault.New(fault.Internal, "the directory is broken") })
	w := httptest.NewRecorder()
	f.lazily(oktaSandbox).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/users", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "the directory is broken") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if _, err := f.People(t.Context(), ""); !fault.Is(err, fault.Internal) {
		t.Errorf("People = %v", err)
	}
}

// What a plan shows is what a run would do.
func TestBindForAPlan(t *testing.T) {
	b := newBench(t)
	b.write("people.yaml", strings.Replace(people, "{operationId: listUsers,", "{operationId: listUsers, security: [{token: [b, a]}],", 1))
	b.write("flow.yaml", flow)
	b.write("lanyard.yaml", "connections: {people: {server: 'https://a.example', auth: {type: bearer, token: env:ABSENT}}}")
	bindings := func(servers map[string]string) cli.Binding {
		t.Helper()
		req := b.request("flow.yaml", run.Bindings{Servers: servers})
		p := b.planOf(req)
		bind, err := b.bind(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return bind(p.Workflows[0].Steps[0].Operation)
	}
	want := cli.Binding{Server: "https://a.example", Connection: "people", Credential: "bearer", Scopes: []string{"a", "b"}}
	if diff := cmp.Diff(want, bindings(nil)); diff != "" {
		t.Errorf("by lanyard.yaml (-want +got):\n%s", diff)
	}
	want.Server, want.Connection = "https://b.example", "people (--server)"
	if diff := cmp.Diff(want, bindings(map[string]string{"people": "https://b.example"})); diff != "" {
		t.Errorf("by --server (-want +got):\n%s", diff)
	}
	b.write("lanyard.yaml", "run: {}")
	if got := bindings(nil); got.Server != "" || !strings.Contains(got.Problem, "--server people=URL") {
		t.Errorf("without a server: %+v", got)
	}
}

func TestConnections(t *testing.T) {
	server := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "SSWS good-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"id":"00u1","profile":{"login":"admin@example.com"}}`))
	})
	b := newBench(t)
	b.env["GOOD"], b.env["BAD"] = "good-token", "bad-token"
	connection := func(token string) string {
		return "{server: '" + server + "', allowPrivate: true, auth: {type: ssws, token: env:" + token + "}}"
	}
	b.write("lanyard.yaml", "connections:\n  okta: "+connection("GOOD")+"\n  oktaApi: "+connection("BAD")+"\n  oktaTest: "+connection("ABSENT")+"\n  none: {auth: {type: none}}\n")
	reports, err := (connections{b.App}).Report(t.Context(), b.settings(), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]cli.ConnectionReport{}
	for _, r := range reports {
		if strings.Contains(r.Message+r.Remedy+r.Identity, "-token") {
			t.Errorf("%s shows its token: %+v", r.Name, r)
		}
		got[r.Name] = r
	}
	if r := got["okta"]; !r.OK || r.Status != 200 || r.Credential != "ssws" || r.Server != server || r.Identity != "admin@example.com" {
		t.Errorf("a good credential: %+v", r)
	}
	if r := got["oktaApi"]; r.OK || !r.Denied || r.Status != 401 || r.Message == "" {
		t.Errorf("a bad credential: %+v", r)
	}
	if r := got["oktaTest"]; r.OK || !strings.Contains(r.Message+r.Remedy, "ABSENT") {
		t.Errorf("no credential: %+v", r)
	}
	if r := got["none"]; r.OK || r.Message == "" {
		t.Errorf("no server: %+v", r)
	}
	if _, err := (connections{b.App}).Report(t.Context(), b.settings(), []string{"absent"}, false); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown connection: %v", err)
	}
	if reports, err := (connections{b.App}).Report(t.Context(), b.settings(), []string{"oktaApi"}, false); err != nil || len(reports) != 1 || reports[0].OK || reports[0].State != "broken" || reports[0].Checked.IsZero() {
		t.Errorf("listed without a test: %+v, %v", reports, err)
	}
}

var _ worker.Caller = (*caller)(nil)

// A secret input goes only to a server that the operator bound, whatever the
// name is under which the workflow sends it.
func TestSecretInputsNeedABoundServer(t *testing.T) {
	b := newBench(t)
	b.write("people.yaml", strings.Replace(people, "/users: {get: {operationId: listUsers,",
		`/users: {get: {operationId: listUsers, parameters: [{name: q, in: query, schema: {type: string}}],`, 1))
	withSecret := strings.Replace(flow, "    steps:\n", "    inputs: {type: object, properties: {word: {type: string, format: password}, who: {type: string}}}\n    steps:\n", 1)
	sends := func(value string) string {
		return strings.Replace(withSecret, "operationId: listUsers\n", "operationId: listUsers\n        parameters: [{name: q, in: query, value: "+value+"}]\n", 1)
	}
	b.write("secret.yaml", sends(`"x{$inputs.word}"`))
	b.write("plain.yaml", sends("$inputs.who"))
	f := b.folder()
	bound := run.Bindings{Servers: map[string]string{"people": "https://mine.example"}}
	for _, tt := range []struct {
		file    string
		bind    run.Bindings
		refused bool
	}{{"secret.yaml", run.Bindings{}, true}, {"secret.yaml", bound, false}, {"plain.yaml", run.Bindings{}, false}} {
		_, err := f.executor.Bind(t.Context(), b.planOf(b.request(tt.file, tt.bind)), tt.bind)
		if fault.Is(err, fault.Refused) != tt.refused || !tt.refused && err != nil {
			t.Errorf("%s bound to %v: %v, want a refusal: %v", tt.file, tt.bind.Servers, err, tt.refused)
		}
		if text := fault.Public(err); tt.refused && (!strings.Contains(text, "step get of workflow list") || !strings.Contains(text, "--server people=URL")) {
			t.Errorf("the refusal is %q", text)
		}
	}
}

// A token in a source's URL is neither in what is stored of a plan nor in what
// is shown of it.
func TestPlanKeepsNoTokenOfASourceURL(t *testing.T) {
	const marker = "SRCSECRET99"
	asked := ""
	base := provider(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery
		_, _ = w.Write([]byte(people))
	})
	for name, document := range map[string]string{
		"single": strings.Replace(flow, "url: people.yaml", "url: '"+base+"/people.yaml?access_token="+marker+"'", 1),
		"quoted": strings.Replace(flow, "url: people.yaml", `url: "`+base+"/people.yaml?a=1&access_token="+marker+`"`, 1),
		"slashes": `{"arazzo":"1.0.1","info":{"title":"List","version":"1"},"sourceDescriptions":[{"name":"people","type":"openapi","url":"` +
			strings.ReplaceAll(base, "/", `\/`) + `\/people.yaml?access_token=` + marker + `"}],"workflows":[{"workflowId":"list","steps":[{"stepId":"get","operationId":"listUsers","successCriteria":[{"condition":"$statusCode == 200"}]}]}]}`,
	} {
		b := newBench(t)
		b.write("flow.yaml", document)
		result, err := b.plan(t.Context(), b.request("flow.yaml", run.Bindings{AllowPrivate: true}))
		if err == nil {
			err = result.Err()
		}
		if err != nil {
			t.Fatalf("%s: %s", name, fault.Public(err))
		}
		if !strings.Contains(asked, marker) {
			t.Errorf("%s: asked for %q", name, asked)
		}
		data, digest, err := result.Plan.Bundle.Encode()
		if err != nil || digest != result.Plan.Digest {
			t.Errorf("%s: digest %s, %v", name, digest, err)
		}
		shown, err := json.Marshal([]any{result.Notices, result.Sources, string(data)})
		if err != nil || strings.Contains(string(shown), marker) {
			t.Errorf("%s: the token is kept (%v): %s", name, err, shown)
		}
		again, err := plan.DecodeBundle(data)
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := plan.Compile(again); p == nil || p.Digest != digest {
			t.Errorf("%s: the stored plan is another", name)
		}
	}
}
