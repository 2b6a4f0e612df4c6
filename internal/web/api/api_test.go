package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/sources"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/wirelog"
	"github.com/lanyard-id/lanyard/internal/worker"
)

const token = "the-token-of-the-folder"

// fakeService is a Service of functions; those that a test leaves out are not
// to be called.
type fakeService struct {
	TableService
	AccountService
	start    func(ctx context.Context, id string, p *plan.Plan, inputs map[string]any, b run.Bindings) error
	run      func(ctx context.Context, id string) (run.Run, error)
	runs     func(ctx context.Context, f worker.Filter) ([]run.Run, error)
	records  func(ctx context.Context, id string, after int, wait bool) ([]run.Record, error)
	items    func(ctx context.Context, f worker.ItemFilter) ([]run.Item, error)
	signal   func(ctx context.Context, id string, e engine.Event, inputs map[string]any) error
	people   func(ctx context.Context, email string) ([]directory.Person, error)
	create   func(ctx context.Context, n oauth.NewAPIToken) (string, oauth.APIToken, error)
	tokens   func(ctx context.Context) ([]oauth.APIToken, error)
	revoke   func(ctx context.Context, ref string) (oauth.APIToken, error)
	SCIM     // scim_test.go has one
	desk     func(ctx context.Context, c provision.Command) (*provision.Reply, error)
	triggers func(ctx context.Context, c trigger.Command) (*trigger.Reply, error)
	flow     func(ctx context.Context, id string, f Flow) (run.Run, error)
	imports  func(ctx context.Context, c importer.Command) (*importer.Reply, error)
	log      func(ctx context.Context, q wirelog.Query) (wirelog.Page, error)
	replay   func(ctx context.Context, id string) (*wirelog.Replayed, error)
}

func (f *fakeService) Start(ctx context.Context, id string, p *plan.Plan, inputs map[string]any, b run.Bindings) error {
	return f.start(ctx, id, p, inputs, b)
}
func (f *fakeService) StartFlow(ctx context.Context, id string, flow Flow) (run.Run, error) {
	return f.flow(ctx, id, flow)
}
func (f *fakeService) Run(ctx context.Context, id string) (run.Run, error) { return f.run(ctx, id) }
func (f *fakeService) Runs(ctx context.Context, filter worker.Filter) ([]run.Run, error) {
	return f.runs(ctx, filter)
}
func (f *fakeService) Records(ctx context.Context, id string, after int, wait bool) ([]run.Record, error) {
	return f.records(ctx, id, after, wait)
}
func (f *fakeService) Items(ctx context.Context, filter worker.ItemFilter) ([]run.Item, error) {
	return f.items(ctx, filter)
}
func (f *fakeService) Signal(ctx context.Context, id string, e engine.Event, inputs map[string]any) error {
	return f.signal(ctx, id, e, inputs)
}
func (f *fakeService) People(ctx context.Context, email string) ([]directory.Person, error) {
	return f.people(ctx, email)
}

func (f *fakeService) CreateToken(ctx context.Context, n oauth.NewAPIToken) (string, oauth.APIToken, error) {
	return f.create(ctx, n)
}
func (f *fakeService) Tokens(ctx context.Context) ([]oauth.APIToken, error) { return f.tokens(ctx) }
func (f *fakeService) RevokeToken(ctx context.Context, ref string) (oauth.APIToken, error) {
	return f.revoke(ctx, ref)
}

func (f *fakeService) Imports(ctx context.Context, c importer.Command) (*importer.Reply, error) {
	return f.imports(ctx, c)
}

func (f *fakeService) Triggers(ctx context.Context, c trigger.Command) (*trigger.Reply, error) {
	return f.triggers(ctx, c)
}

func (f *fakeService) Provisioning(ctx context.Context, c provision.Command) (*provision.Reply, error) {
	return f.desk(ctx, c)
}

func (f *fakeService) ReplayExchange(ctx context.Context, id string) (*wirelog.Replayed, error) {
	return f.replay(ctx, id)
}

func (f *fakeService) Exchanges(ctx context.Context, q wirelog.Query) (wirelog.Page, error) {
	return f.log(ctx, q)
}

// serve serves a Service and returns a client of it.
func serve(t *testing.T, s Service) (*Client, *httptest.Server) {
	t.Helper()
	mux := http.NewServeMux()
	(&API{Service: s, Token: token, Log: slog.New(slog.DiscardHandler)}).Mount(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &Client{Base: server.URL, Token: token, HTTP: server.Client()}, server
}

// loader has one description for every source.
type loader struct{ text string }

func (l loader) Load(_ context.Context, ref sources.Ref) (*sources.Source, error) {
	index, err := openapi.Parse([]byte(l.text), ref.URL)
	if err != nil {
		return nil, err
	}
	return &sources.Source{Name: ref.Name, Location: ref.URL, Digest: "sha256:x", Index: index}, nil
}

// smallPlan is a plan of one step.
func smallPlan(t testing.TB) *plan.Plan {
	t.Helper()
	built, err := plan.Build(t.Context(), loader{`{"openapi":"3.0.0","info":{"title":"People"},"servers":[{"url":"https://people.example"}],` +
		`"paths":{"/users":{"get":{"operationId":"listUsers","responses":{"200":{"description":"ok"}}}}}}`}, plan.Request{
		File: "flow.yaml", Dialect: "strict", Data: []byte(`
arazzo: 1.0.1
info: {title: List, version: "1"}
sourceDescriptions: [{name: people, url: people.yaml, type: openapi}]
workflows:
  - workflowId: list
    steps: [{stepId: get, operationId: listUsers, successCriteria: [{condition: $statusCode == 200}]}]
`),
	})
	if err == nil {
		err = built.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return built.Plan
}

// Every call arrives at the Service as it was made, and its answer comes back
// as it was given, numbers to the last digit.
func TestCalls(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 1000, time.UTC)
	one := run.Run{
		Spec:  run.Spec{ID: "run/1 ?", Plan: "sha256:p", Workflow: "list", Inputs: map[string]any{"n": json.Number("12345678901234567890")}, Bindings: run.Bindings{Sandbox: true}},
		Title: "List", Status: run.Failed, Reason: "step get failed <&>", Created: at, Ended: at, Outputs: json.RawMessage(`{"big":1.10}`),
	}
	records := []run.Record{
		{Run: one.ID, Seq: 3, At: at, Event: json.RawMessage(`{"kind":"answered"}`), Trace: json.RawMessage(`[{"kind":"step"}]`)},
		{Run: one.ID, Seq: 4, At: at, Event: json.RawMessage(`{"kind":"resumed"}`), Intents: json.RawMessage(`[{"id":1}]`)},
	}
	person := directory.Person{Email: "ada+1@example.com", Accounts: []directory.PersonAccount{{
		Account: &directory.Account{ID: "00u1", Status: "ACTIVE", Profile: map[string]any{"n": json.Number("9007199254740993")}}, Kind: "okta", Groups: []*directory.Group{},
	}}}
	p := smallPlan(t)
	inputs := map[string]any{"n": json.Number("12345678901234567890"), "exact": json.Number("1.10"), "text": "<&>", "none": nil}
	bindings := run.Bindings{Servers: map[string]string{"people": "https://x.example"}, AllowPrivate: true}
	event := engine.Event{Kind: engine.Skipped, By: "ada", Reason: "done by hand", Outputs: map[string]any{"id": json.Number("9007199254740993")}}

	kept := oauth.APIToken{ID: "00T1", Name: "ci / a", Account: "00u1", Login: "ada@example.com", Role: "ORG_ADMIN", Created: at, Expires: at}
	wish := oauth.NewAPIToken{Name: "ci / a", As: "ada", Role: "ORG_ADMIN"}

	base := "https://scim.example.com"
	command := provision.Command{
		Do: provision.SetTarget, App: "0oa1 ?", Credential: "tok_<&>", Target: &provision.TargetChange{BaseURL: &base},
		Row: &provision.Row{Name: "n", Path: `emails[type eq "work"].value`, Expression: "user.a < 'b'"},
	}
	reply := provision.Reply{App: "0oa1", Notes: []provision.Note{"<&>"}, Import: &provision.ImportReport{Drift: []provision.Drift{{Here: json.Number("9007199254740993")}}}}
	told := trigger.Command{Do: trigger.Test, Name: "a b&c", Event: &trigger.Event{Body: "<&>"}, Run: true, By: "ada"}
	would := trigger.Reply{Would: []trigger.Would{{ID: "trg-1", Inputs: map[string]any{"n": json.Number("9007199254740993")}}}}
	query := wirelog.Query{Scope: "target:0oa1", Status: wirelog.NoAnswer, Since: at, Text: "a b&c"}
	page := wirelog.Page{Exchanges: []wirelog.Exchange{{ID: "1", At: at, ResponseBody: "<&>", Why: []string{"because"}}}, Next: "x"}

	var got []any
	seen := func(args ...any) { got = args }
	c, _ := serve(t, &fakeService{
		start: func(_ context.Context, id string, p *plan.Plan, in map[string]any, b run.Bindings) error {
			seen(id, p.Digest, in, b)
			return nil
		},
		run: func(_ context.Context, id string) (run.Run, error) { seen(id); return one, nil },
		runs: func(_ context.Context, f worker.Filter) ([]run.Run, error) {
			seen(f)
			return []run.Run{one, {Spec: run.Spec{ID: "b"}}}, nil
		},
		records: func(_ context.Context, id string, after int, wait bool) ([]run.Record, error) {
			seen(id, after, wait)
			return records, nil
		},
		items: func(_ context.Context, f worker.ItemFilter) ([]run.Item, error) {
			seen(f)
			return []run.Item{{Run: one.ID, Position: 3, Status: run.Failed, Result: json.RawMessage(`{}`)}}, nil
		},
		signal: func(_ context.Context, id string, e engine.Event, in map[string]any) error {
			seen(id, e, in)
			return nil
		},
		people: func(_ context.Context, email string) ([]directory.Person, error) {
			seen(email)
			return []directory.Person{person}, nil
		},
		create: func(_ context.Context, n oauth.NewAPIToken) (string, oauth.APIToken, error) {
			seen(n)
			return "00secret", kept, nil
		},
		tokens: func(context.Context) ([]oauth.APIToken, error) { seen(); return []oauth.APIToken{kept}, nil },
		revoke: func(_ context.Context, ref string) (oauth.APIToken, error) { seen(ref); return kept, nil },
		triggers: func(ctx context.Context, c trigger.Command) (*trigger.Reply, error) {
			seen(c, run.Starter(ctx))
			return &would, nil
		},
		desk: func(_ context.Context, c provision.Command) (*provision.Reply, error) { seen(c); return &reply, nil },
		log:  func(_ context.Context, q wirelog.Query) (wirelog.Page, error) { seen(q); return page, nil },
		replay: func(_ context.Context, id string) (*wirelog.Replayed, error) {
			seen(id)
			return &wirelog.Replayed{Status: 201, Body: "<&>", LeftOut: true, Exchange: id}, nil
		},
	})
	ctx := t.Context()
	items := worker.ItemFilter{Run: one.ID, Loop: 7, Step: "a b&c", From: 2, Statuses: []run.Status{run.Failed, run.Held}, Limit: 5}
	filter := worker.Filter{Workflow: "a b&c", Statuses: []run.Status{run.Failed, run.Held}, Limit: 7}
	for _, test := range []struct {
		name string
		call func() (any, error)
		sent []any
		want any
	}{
		{"start", func() (any, error) { return nil, c.Start(ctx, "run_1", p, inputs, bindings) }, []any{"run_1", p.Digest, inputs, bindings}, nil},
		{"run", func() (any, error) { return c.Run(ctx, one.ID) }, []any{one.ID}, one},
		{"runs", func() (any, error) { return c.Runs(ctx, filter) }, []any{filter}, []run.Run{one, {Spec: run.Spec{ID: "b"}}}},
		{"all runs", func() (any, error) { return c.Runs(ctx, worker.Filter{}) }, []any{worker.Filter{}}, []run.Run{one, {Spec: run.Spec{ID: "b"}}}},
		{"records", func() (any, error) { return c.Records(ctx, one.ID, 2, true) }, []any{one.ID, 2, true}, records},
		{"records at once", func() (any, error) { return c.Records(ctx, "x", 0, false) }, []any{"x", 0, false}, records},
		{"items", func() (any, error) { return c.Items(ctx, items) }, []any{items}, []run.Item{{Run: one.ID, Position: 3, Status: run.Failed, Result: json.RawMessage(`{}`)}}},
		{"signal", func() (any, error) { return nil, c.Signal(ctx, one.ID, event, inputs) }, []any{one.ID, event, inputs}, nil},
		{"people", func() (any, error) { return c.People(ctx, person.Email) }, []any{person.Email}, []directory.Person{person}},
		{"create token", func() (any, error) {
			token, kept, err := c.CreateToken(ctx, wish)
			return []any{token, kept}, err
		}, []any{wish}, []any{"00secret", kept}},
		{"tokens", func() (any, error) { return c.Tokens(ctx) }, nil, []oauth.APIToken{kept}},
		{"provisioning", func() (any, error) {
			r, err := c.Provisioning(ctx, command)
			return *r, err
		}, []any{command}, reply},
		{"triggers", func() (any, error) {
			r, err := c.Triggers(ctx, told)
			return *r, err
		}, []any{told, "ada"}, would},
		{"replay of an exchange", func() (any, error) {
			again, err := c.ReplayExchange(ctx, "1")
			return *again, err
		}, []any{"1"}, wirelog.Replayed{Status: 201, Body: "<&>", LeftOut: true, Exchange: "1"}},
		{"exchanges", func() (any, error) { return c.Exchanges(ctx, query) }, []any{query}, page},
		{"revoke token", func() (any, error) { return c.RevokeToken(ctx, kept.Name) }, []any{kept.Name}, kept},
	} {
		t.Run(test.name, func(t *testing.T) {
			got = nil
			answer, err := test.call()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.sent, got); diff != "" {
				t.Errorf("the Service was asked (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, answer); diff != "" {
				t.Errorf("the client was answered (-want +got):\n%s", diff)
			}
		})
	}
}

// Nothing is an empty list on the wire, never null.
func TestNothing(t *testing.T) {
	_, server := serve(t, &fakeService{
		runs:    func(context.Context, worker.Filter) ([]run.Run, error) { return nil, nil },
		records: func(context.Context, string, int, bool) ([]run.Record, error) { return nil, nil },
		people:  func(context.Context, string) ([]directory.Person, error) { return nil, nil },
		tokens:  func(context.Context) ([]oauth.APIToken, error) { return nil, nil },
	})
	for _, path := range []string{"/runs", "/runs/a/records", "/people", "/tokens"} {
		status, body := ask(t, server, http.MethodGet, path, token, "")
		if status != http.StatusOK || body != "[]" {
			t.Errorf("GET %s = %d %s, want an empty list", path, status, body)
		}
	}
}

// A long journal comes in pages; only the first one may wait.
func TestRecordsInPages(t *testing.T) {
	const total = 2*recordsPage + 1
	var asked []any
	c, _ := serve(t, &fakeService{records: func(_ context.Context, _ string, after int, wait bool) ([]run.Record, error) {
		asked = append(asked, after, wait)
		var out []run.Record
		for seq := after + 1; seq <= total; seq++ {
			out = append(out, run.Record{Seq: seq, Event: json.RawMessage("{}")})
		}
		return out, nil
	}})
	records, err := c.Records(t.Context(), "a", 0, true)
	if err != nil || len(records) != total || records[total-1].Seq != total {
		t.Errorf("got %d records, %v; want all %d", len(records), err, total)
	}
	if diff := cmp.Diff([]any{0, true, recordsPage, false, 2 * recordsPage, false}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// An error keeps its kind, place and remedy on the way through, and never takes
// its cause along.
func TestErrors(t *testing.T) {
	var all []error
	for kind := fault.Internal; kind <= fault.Held; kind++ {
		all = append(all, fault.Wrap(kind, errors.New("hunter2"), "it went wrong as %v", kind).At("flow.yaml:3:4").Fix("mend it"))
	}
	all = append(all,
		fault.New(fault.NotFound, "no place, no remedy"),
		fault.Join(fault.New(fault.Invalid, "one").At("a:1:1"), fault.New(fault.Unauthorized, "two").Fix("log in")),
	)
	var give error
	c, server := serve(t, &fakeService{run: func(context.Context, string) (run.Run, error) { return run.Run{}, give }})
	for _, give = range all {
		_, err := c.Run(t.Context(), "a")
		if fault.KindOf(err) != fault.KindOf(give) || fault.Public(err) != fault.Public(give) {
			t.Errorf("%v %q came back as %v %q", fault.KindOf(give), fault.Public(give), fault.KindOf(err), fault.Public(err))
		}
		if _, body := ask(t, server, http.MethodGet, "/runs/a", token, ""); strings.Contains(body, "hunter2") {
			t.Errorf("the answer %s shows the cause", body)
		}
	}
	give = errors.New("hunter2")
	status, body := ask(t, server, http.MethodGet, "/runs/a", token, "")
	if status != http.StatusInternalServerError || strings.Contains(body, "hunter2") || !strings.Contains(body, `"kind":"internal"`) {
		t.Errorf("an unclassified error is answered %d %s", status, body)
	}
}

// Statuses are for programs that are not our client.
func TestErrorStatuses(t *testing.T) {
	want := map[fault.Kind]int{
		fault.Internal: 500, fault.Usage: 400, fault.Invalid: 400, fault.NotFound: 404, fault.Conflict: 409, fault.Unauthorized: 401,
		fault.Forbidden: 403, fault.RateLimited: 429, fault.Unavailable: 503, fault.Timeout: 504, fault.TooLarge: 413, fault.Refused: 403,
		fault.Unsupported: 501, fault.Stale: 412, fault.Locked: 423, fault.Held: 409,
	}
	var give fault.Kind
	_, server := serve(t, &fakeService{run: func(context.Context, string) (run.Run, error) { return run.Run{}, fault.New(give, "no") }})
	for give = fault.Internal; give <= fault.Held; give++ {
		if status, _ := ask(t, server, http.MethodGet, "/runs/a", token, ""); status != want[give] {
			t.Errorf("%v is answered %d, want %d", give, status, want[give])
		}
	}
}

// ask makes a request of its own, path after the prefix.
func ask(t testing.TB, server *httptest.Server, method, path, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+prefix+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// Requests that never reach the Service.
func TestRefused(t *testing.T) {
	_, server := serve(t, &fakeService{}) // each call would be a nil function
	start := func(bundle []byte, more string) string {
		text, err := json.Marshal(bundle)
		if err != nil {
			t.Fatal(err)
		}
		return `{"id":"a","bundle":` + string(text) + more + `}`
	}
	right, _, err := smallPlan(t).Bundle.Encode()
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(right, []byte("listUsers, success"), []byte("absent, success"), 1)
	for _, test := range []struct {
		name, method, path, token, body string
		status                          int
		want                            string // in the answer
	}{
		{"no token", "GET", "/runs", "", "", 401, "serve.json"},
		{"wrong token", "GET", "/runs", "guess", "", 401, "no valid token"},
		{"a longer token", "GET", "/runs/a", token + "x", "", 401, "no valid token"},
		{"no token for what is not there", "GET", "/nothing", "", "", 401, "no valid token"},
		{"unknown path", "GET", "/nothing", token, "", 404, prefix + "/nothing"},
		{"unknown method", "DELETE", "/runs/a", token, "", 404, "DELETE"},
		{"empty body", "POST", "/runs", token, "", 400, "does not read"},
		{"not JSON", "POST", "/runs", token, "id=a", 400, "does not read"},
		{"unknown field", "POST", "/runs", token, `{"id":"a","bundel":""}`, 400, "bundel"},
		{"unknown field of a decision", "POST", "/runs/a/signal", token, `{"event":{"kind":"resumed","sudo":true}}`, 400, "sudo"},
		{"a list", "POST", "/runs", token, `[]`, 400, "the request body does not read: it may not be of the type array\""},
		{"a number for a text", "POST", "/runs", token, `{"id":5}`, 400, "id may not be of the type number\""},
		{"a name twice", "POST", "/runs/a/signal", token, `{"event":{"kind":"resumed","kind":"skipped"}}`, 400, "twice"},
		{"two values", "POST", "/runs/a/signal", token, `{"event":{"kind":"resumed"}}{}`, 400, "goes on behind"},
		{"no id", "POST", "/runs", token, `{"id":"","bundle":""}`, 400, "needs an id"},
		{"no plan", "POST", "/runs", token, `{"id":"a","bundle":""}`, 500, "plan"},
		{"a plan that does not compile", "POST", "/runs", token, start(wrong, ""), 400, "absent"},
		{"bindings of another version", "POST", "/runs", token, start(right, `,"bindings":{"moon":1}`), 400, "moon"},
		{"an event that is no decision", "POST", "/runs/a/signal", token, `{"event":{"kind":"answered","answer":{"status":200}}}`, 400, "no decision"},
		{"limit", "GET", "/runs?limit=-1", token, "", 400, "limit"},
		{"after", "GET", "/runs/a/records?after=x", token, "", 400, "after"},
		{"wait", "GET", "/runs/a/records?wait=perhaps", token, "", 400, "wait"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := ask(t, server, test.method, test.path, test.token, test.body)
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("answered %d %s, want %d with %q", status, body, test.status, test.want)
			}
			if strings.Contains(body, token) {
				t.Error("the answer shows the token")
			}
		})
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestTooLargeBody(t *testing.T) {
	for _, length := range []int64{maxBody + 1, -1} { // announced, and not
		r := httptest.NewRequest(http.MethodPost, prefix+"/runs", io.LimitReader(zeros{}, maxBody+1))
		r.ContentLength = length
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		mux := http.NewServeMux()
		(&API{Service: &fakeService{}, Token: token}).Mount(mux)
		mux.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("a body of length %d is answered %d", length, w.Code)
		}
	}
}

// A program that goes away does not leave its wait behind, and a stopped one is
// told that it was stopped.
func TestLongPollEndsWithTheClient(t *testing.T) {
	waiting, ended := make(chan struct{}), make(chan error, 1)
	c, _ := serve(t, &fakeService{records: func(ctx context.Context, _ string, _ int, wait bool) ([]run.Record, error) {
		close(waiting)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	if _, err := c.Records(ctx, "a", 0, true); !errors.Is(err, context.Canceled) {
		t.Errorf("Records = %v, want that it was cancelled", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the Service's wait ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the Service still waits")
	}
}

// What the client says of a process that does not answer as it should.
func TestClientErrors(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		kind    fault.Kind
		want    string
	}{
		{"another program", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "nginx", http.StatusBadGateway) }, fault.Internal, "answered 502"},
		{"an unknown kind", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, `{"kind":"brewing","message":"no coffee","remedy":"take tea"}`)
		}, fault.Internal, "no coffee; take tea"},
		{"another version", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `["not a run"]`) }, fault.Internal, "same version"},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{`)
		}, fault.Unavailable, "broke off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			c := &Client{Base: server.URL, Token: token, HTTP: server.Client()}
			_, err := c.Run(t.Context(), "a")
			if fault.KindOf(err) != test.kind || !strings.Contains(fault.Public(err), test.want) {
				t.Errorf("Run = %v, want %v with %q", err, test.kind, test.want)
			}
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c := &Client{Base: gone.URL, Token: token, HTTP: &http.Client{}}
	if _, err := c.Run(t.Context(), "a"); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Public(err), "does not answer") {
		t.Errorf("Run of a process that is gone = %v", err)
	}
	if _, err := (&Client{Base: "http://[", HTTP: &http.Client{}}).Run(t.Context(), "a"); !fault.Is(err, fault.Internal) {
		t.Errorf("Run at no address = %v", err)
	}
}

// What the reader of bodies accepts, it accepts again when it is written out.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":"a","bundle":"e30=","inputs":{"n":1e400},"bindings":{"sandbox":true}}`))
	f.Add([]byte(`{"id":"a"} {}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var body startBody
		err := read(httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(data)), &body)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("read = %v, want an Invalid fault", err)
			}
			return
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		var again startBody
		if err := read(httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(text)), &again); err != nil {
			t.Errorf("%s is read once and not again: %v", text, err)
		}
	})
}

// An API without a token lets nobody in, rather than everybody.
func TestNoTokenIsNoDoor(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	(&API{Service: &fakeService{}, Log: slog.New(slog.DiscardHandler)}).Mount(mux)
	for _, credential := range []string{"", "Bearer", "Bearer ", "Bearer x"} {
		r := httptest.NewRequest("GET", prefix+"/runs", nil)
		r.Header.Set("Authorization", credential)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", credential, w.Code)
		}
	}
}
