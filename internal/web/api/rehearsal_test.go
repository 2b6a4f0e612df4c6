package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// staged serves a stage and returns a client of it.
func staged(t *testing.T) (*Client, *httptest.Server, *time.Time) {
	t.Helper()
	machine := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	stage := &rehearsal.Stage{
		Clock:  rehearsal.NewClock(func() time.Time { return machine }),
		Faults: rehearsal.NewFaults(rehearsal.Scope{APIs: []string{"okta"}}, rehearsal.Limits{}, nil),
	}
	mux := http.NewServeMux()
	(&API{Service: &fakeService{}, Stage: stage, Token: token, Log: slog.New(slog.DiscardHandler)}).Mount(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &Client{Base: server.URL, Token: token, HTTP: server.Client()}, server, &machine
}

func TestFaults(t *testing.T) {
	c, server, _ := staged(t)
	ctx := t.Context()
	none := rehearsal.Report{Faults: rehearsal.Setting{Rules: []rehearsal.Rule{}}, Counts: []rehearsal.Count{}}
	shows := func(want rehearsal.Report) {
		t.Helper()
		got, err := c.Faults(ctx)
		if diff := cmp.Diff(want.Counts, got.Counts); diff != "" || err != nil || len(got.Faults.Rules) != len(want.Faults.Rules) {
			t.Errorf("Faults = %+v, %v (-want +got):\n%s", got, err, diff)
		}
	}
	shows(none)
	got, err := c.SetFaults(ctx, "f.yaml", []byte("limits: {share: 40%}\nrules:\n- {api: okta, first: 2, effect: slow, delay: 2s}"))
	if err != nil || len(got.Faults.Rules) != 1 || got.Faults.Rules[0].Delay != rehearsal.Duration(2*time.Second) || got.Faults.Limits.Share != 40 {
		t.Errorf("SetFaults = %+v, %v", got, err)
	}
	one := rehearsal.Report{Faults: rehearsal.Setting{Rules: make([]rehearsal.Rule, 1)}, Counts: []rehearsal.Count{{Rule: "rule 1"}}}
	shows(one)

	// What is shown can be sent back.
	_, body := ask(t, server, "GET", "/rehearsal/faults", token, "")
	text := body[strings.Index(body, `"faults":`)+len(`"faults":`) : strings.Index(body, `,"counts"`)]
	if status, answer := ask(t, server, "PUT", "/rehearsal/faults", token, text); status != 200 || answer != body {
		t.Errorf("PUT %s = %d %s, want what GET shows", text, status, answer)
	}

	// A wrong one names every mistake and leaves the one before.
	_, err = c.SetFaults(ctx, "my faults.yaml", []byte("rules:\n- {api: scim, effect: reset}\n- {effect: burn}"))
	for _, want := range []string{"my faults.yaml:2:9: ", "my faults.yaml:3:12: "} {
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), want) {
			t.Errorf("a wrong setting is %v, want %s", err, want)
		}
	}
	if status, answer := ask(t, server, "PUT", "/rehearsal/faults", token, "rules: 5"); status != 400 || !strings.Contains(answer, `"place":"body:1:8"`) {
		t.Errorf("a wrong body is answered %d %s", status, answer)
	}
	shows(one)
	if err := c.ClearFaults(ctx); err != nil {
		t.Error(err)
	}
	shows(none)
}

func TestClockCalls(t *testing.T) {
	c, server, machine := staged(t)
	ctx := t.Context()
	got, err := c.Clock(ctx)
	if diff := cmp.Diff(Clock{Now: *machine, Real: *machine, Offset: "0s"}, got); diff != "" || err != nil {
		t.Errorf("Clock: %v (-want +got):\n%s", err, diff)
	}
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		body, now string
		status    int
	}{
		{`{"at":"2027-01-01T01:00:00+01:00","frozen":true}`, "2027-01-01T00:00:00Z", 200},
		{`{"advance":"24h"}`, "2027-01-02T00:00:00Z", 200},
		{`{"offset":"0s"}`, "", 409},
		{`{"advance":"-1s"}`, "", 409},
		{`{"advance":"soon"}`, "", 400},
		{`{"advance":"1s","at":"2030-01-01T00:00:00Z"}`, "", 400},
		{`{"at":"tomorrow"}`, "", 400},
		{`{"speed":2}`, "", 400},
		{`{}`, "2027-01-02T00:00:00Z", 200},
		{`{"offset":"0s","frozen":false,"backwards":true}`, "2026-03-04T05:06:07Z", 200},
		{`{"offset":"720h"}`, "2026-04-03T05:06:07Z", 200},
	} {
		status, answer := ask(t, server, "PUT", "/rehearsal/clock", token, step.body)
		if status != step.status || !strings.Contains(answer, step.now) {
			t.Errorf("PUT %s = %d %s, want %d with %s", step.body, status, answer, step.status, step.now)
		}
	}
	if got, err := c.SetClock(ctx, ClockChange{At: &at}); err != nil || !got.Now.Equal(at) || got.Offset != at.Sub(*machine).String() {
		t.Errorf("SetClock = %+v, %v", got, err)
	}
}

// Without a stage the paths are not there, and nobody changes one without the
// token.
func TestStageIsGuarded(t *testing.T) {
	_, bare := serve(t, &fakeService{})
	_, server, _ := staged(t)
	for _, call := range [][2]string{{"GET", "/rehearsal/faults"}, {"PUT", "/rehearsal/faults"}, {"DELETE", "/rehearsal/faults"}, {"GET", "/rehearsal/clock"}, {"PUT", "/rehearsal/clock"}} {
		if status, _ := ask(t, bare, call[0], call[1], token, ""); status != 404 {
			t.Errorf("%v without a stage: %d, want 404", call, status)
		}
		if status, _ := ask(t, server, call[0], call[1], "guess", ""); status != 401 {
			t.Errorf("%v with a wrong token: %d, want 401", call, status)
		}
	}
}
