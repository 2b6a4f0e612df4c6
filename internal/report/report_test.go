package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"flag"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/worker"
)

var update = flag.Bool("update", false, "write testdata anew")

// document has one of everything that a report shows.
const document = `
workflows:
  - workflowId: main
    inputs: {type: object, properties: {who: {type: string}, password: {type: string}}}
    steps:
      - stepId: find
        operationId: findItems
        parameters: [{name: name, in: query, value: "a b&c {$inputs.who}"}]
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {none: $response.body#/nothing}
      - stepId: make
        operationId: createBusy
        requestBody: {payload: {name: $inputs.who, password: $inputs.password}}
        onFailure: [{name: again, type: retry, retryAfter: 0.001, criteria: [{condition: $statusCode == 503}]}]
        outputs: {id: $response.body#/id}
      - stepId: call
        workflowId: helper
      - stepId: last
        operationId: createItem
        requestBody: {contentType: text/plain, payload: "hello {$inputs.who}"}
        successCriteria: [{condition: $statusCode == 201}]
    outputs: {id: $steps.make.outputs.id}
  - workflowId: helper
    steps:
      - stepId: find
        operationId: getItem
        parameters: [{name: id, in: path, value: x}]
        onFailure: [{name: on, type: goto, stepId: write}]
      - stepId: write
        operationId: putItem
        parameters: [{name: id, in: path, value: x}]
        requestBody: {payload: {name: x}}
`

type callFunc func(ctx context.Context, c *engine.Call) *engine.Answer

func (f callFunc) Bind(context.Context, *plan.Plan, run.Bindings) (worker.Caller, error) {
	return f, nil
}
func (f callFunc) Call(ctx context.Context, c *engine.Call) *engine.Answer { return f(ctx, c) }
func (callFunc) Secrets() []string                                         { return nil }

// record performs the document's run; last answers its last step.
func record(t testing.TB, last func() *engine.Answer) (run.Run, []run.Record) {
	t.Helper()
	db := sqlitetest.Open(t)
	key, err := secret.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	w := &worker.Worker{Store: db.Journal(), Executor: callFunc(func(_ context.Context, c *engine.Call) *engine.Answer {
		a := answer(c, last)
		a.URL, a.Micros = "https://items.test"+c.Request.Path, 1500
		if c.Request.Query != "" {
			a.URL += "?" + c.Request.Query
		}
		return a
	}), Key: key, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { // asked by one goroutine at a time
		clock = clock.Add(time.Millisecond)
		return clock
	}}
	ctx, cancel := context.WithCancel(context.Background())
	ready, over := make(chan struct{}), make(chan error)
	go func() { over <- w.Serve(ctx, func() { close(ready) }) }()
	<-ready
	p := drivertest.Plan(t, document, plan.Profile{})
	inputs := map[string]any{"who": "ada", "password": "correct-horse"}
	if _, err := w.Start(ctx, run.Spec{ID: "run-1", Trigger: "test"}, p, inputs); err != nil {
		t.Fatalf("Start: %s", fault.Public(err))
	}
	if err := w.Await(ctx, "run-1", math.MaxInt); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	r, err := w.Store.Run(context.Background(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	r.Plan = "" // a digest says nothing here
	records, err := w.Store.Records(context.Background(), "run-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	return r, records
}

func answer(c *engine.Call, last func() *engine.Answer) *engine.Answer {
	a := &engine.Answer{Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}, "Set-Cookie": {"session=4711"}}}
	switch {
	case c.Step == "last":
		return last()
	case c.Step == "make" && c.Attempt == 1:
		a.Status = 503
		a.SetBody([]byte(`{"error": "busy"}`))
	case c.Step == "make":
		a.Status = 201
		a.SetBody([]byte(`{"id": "i-1", "client_secret": "very-secret-value"}`))
	case c.Operation.ID == "getItem":
		a.Status, a.Header = 404, map[string][]string{"Content-Type": {"application/octet-stream"}, "X-A": {"1", "2"}}
		a.SetBody([]byte{0xff, 0xfe})
	default:
		a.SetBody([]byte(`{"items": []}`))
	}
	return a
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), run with -update to accept:\n%s", name, diff)
	}
}

// cases end the run in three ways.
var cases = []struct {
	name string
	last func() *engine.Answer
	want run.Status
}{
	{"succeeded", func() *engine.Answer {
		a := &engine.Answer{Status: 201, Header: map[string][]string{"Content-Type": {"text/plain"}}}
		a.SetBody([]byte("done"))
		return a
	}, run.Succeeded},
	{"failed", func() *engine.Answer {
		return &engine.Answer{Status: 409, Header: map[string][]string{}}
	}, run.Failed},
	{"held", func() *engine.Answer {
		return &engine.Answer{Failure: &engine.Failure{Kind: fault.Unauthorized.String(), Message: "the connection <broke> off", Sent: true}}
	}, run.Held},
}

func TestReports(t *testing.T) {
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			r, records := record(t, test.last)
			if r.Status != test.want {
				t.Fatalf("the run is %s (%s), want %s", r.Status, r.Reason, test.want)
			}
			rep, err := report.Build(r, records)
			if err != nil {
				t.Fatalf("Build: %s", fault.Public(err))
			}
			text, err := json.MarshalIndent(rep, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			har, err := rep.HAR("1.0")
			if err != nil {
				t.Fatalf("HAR: %v", err)
			}
			junit, err := rep.JUnit()
			if err != nil {
				t.Fatalf("JUnit: %v", err)
			}
			golden(t, test.name+".json", append(text, '\n'))
			golden(t, test.name+".har", append(har, '\n'))
			golden(t, test.name+".xml", junit)
			for _, secret := range []string{"correct-horse", "very-secret-value", "session=4711"} {
				if all := string(text) + string(har) + string(junit); strings.Contains(all, secret) {
					t.Errorf("a report shows %q", secret)
				}
			}
			if got := rep.AuthFailed(); got != (test.want == run.Held) {
				t.Errorf("AuthFailed = %v", got)
			}
		})
	}
}

// A journal that ends in the middle gives a report as well.
func TestReportOfEveryPrefix(t *testing.T) {
	r, records := record(t, cases[0].last)
	r.Status, r.Outputs = run.Running, nil
	calls := 0
	for n := range records {
		rep, err := report.Build(r, records[:n])
		if err != nil {
			t.Fatalf("Build of %d records: %s", n, fault.Public(err))
		}
		now := 0
		for _, s := range rep.Steps {
			now += len(s.Calls)
		}
		if now < calls {
			t.Errorf("%d records show %d calls, fewer than before", n, now)
		}
		calls = now
		if _, err := rep.HAR("1.0"); err != nil {
			t.Errorf("HAR: %v", err)
		}
	}
	if _, err := report.Build(r, []run.Record{{Seq: 3, Event: json.RawMessage(`{"kind":`)}}); !fault.Is(err, fault.Internal) {
		t.Errorf("Build of a damaged record = %v, want an internal error", err)
	}
	notes, err := report.Notes(records[1])
	if err != nil || len(notes) == 0 || notes[0].Step != "find" {
		t.Errorf("Notes = %+v, %v, want those of step find", notes, err)
	}
}

// FuzzBuild: a damaged journal gives an error or a report, never a panic.
func FuzzBuild(f *testing.F) {
	_, records := record(f, cases[2].last)
	for _, r := range records {
		f.Add([]byte(r.Event), []byte(r.Trace), []byte(r.Intents))
	}
	f.Add([]byte(`{"id":1,"answer":{"failure":{}}}`), []byte(`[{"kind":"step","visit":-1,"action":{"type":"hold"}}]`), []byte(`[{"id":1},{"id":1}]`))
	f.Fuzz(func(t *testing.T, event, trace, intents []byte) {
		r := run.Record{Run: "r", Seq: 1, Event: event, Trace: trace, Intents: intents}
		rep, err := report.Build(run.Run{Spec: run.Spec{ID: "r"}, Status: run.Held}, []run.Record{r, r})
		if err != nil {
			return
		}
		if _, err := json.Marshal(rep); err != nil {
			t.Errorf("the report does not encode: %v", err)
		}
		if _, err := rep.HAR("1"); err != nil {
			t.Errorf("HAR: %v", err)
		}
		out, err := rep.JUnit()
		if err != nil {
			t.Errorf("JUnit: %v", err)
		}
		if err := xml.NewDecoder(bytes.NewReader(out)).Decode(new(struct{})); err != nil {
			t.Errorf("JUnit is not XML: %v", err)
		}
		rep.AuthFailed()
	})
}
