package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web/api"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// Rules find the operations of what the sandbox plays, where its APIs have them.
func TestEndpointsOf(t *testing.T) {
	for id, want := range map[string][]rehearsal.Endpoint{
		"createUser": {
			{API: oktaFacade, Method: "POST", Path: "/api/v1/users"},
			{API: scimFacade, Method: "POST", Path: "/scim/v2/connections/{connection}/Users"},
		},
		"post_users": {{API: auth0Facade, Method: "POST", Path: "/api/v2/users"}},
		"unheardOf":  nil,
	} {
		if diff := cmp.Diff(want, endpointsOf(id)); diff != "" {
			t.Errorf("endpointsOf(%s) (-want +got):\n%s", id, diff)
		}
	}
	for server, want := range map[string]string{"https://{domain}/api/v2": "/api/v2", "https://x.example/": "", "https://x.example": "", "/api/v2/": "/api/v2", "%zz": ""} {
		if got := basePath(server); got != want {
			t.Errorf("basePath(%s) = %q, want %q", server, got, want)
		}
	}
}

func TestServeStage(t *testing.T) {
	dir := t.TempDir()
	right, wrong := filepath.Join(dir, "right.yaml"), filepath.Join(dir, "wrong.yaml")
	for file, text := range map[string]string{right: "limits: {org: integrator}\nrules: [{effect: reset}]", wrong: "rules: [{}]"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := serveStage(cli.ServeRequest{Faults: right, Clock: "2020-01-02T03:04:05Z"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Clock.Now(); got.Year() != 2020 || len(s.Faults.Report().Faults.Rules) != 1 {
		t.Errorf("the clock shows %v, the faults are %+v", got, s.Faults.Report())
	}
	if got := oktaLimits(s.Faults)(); got.Org != "integrator" || got.Enforce {
		t.Errorf("the limits are %+v, want those of the file", got)
	}
	if s, err = serveStage(cli.ServeRequest{EnforceLimits: true}, nil); err != nil || !oktaLimits(s.Faults)().Enforce || time.Since(s.Clock.Now()).Abs() > time.Minute {
		t.Errorf("a plain stage: %v, %+v at %v", err, oktaLimits(s.Faults)(), s.Clock.Now())
	}
	for place, req := range map[string]cli.ServeRequest{
		"--clock": {Clock: "noon"}, "--clock: the clock goes from": {Clock: "2200-01-01T00:00:00Z"}, wrong + ":1:9": {Faults: wrong}, "nowhere": {Faults: "nowhere"},
	} {
		if _, err := serveStage(req, nil); err == nil || fault.Is(err, fault.Internal) || !strings.HasPrefix(fault.Public(err), place) {
			t.Errorf("serveStage(%+v) = %v, want a mistake at %s", req, err, place)
		}
	}
}

func clockChange(at string, frozen *bool) api.ClockChange {
	to, _ := time.Parse(time.RFC3339, at) // a constant of the test's
	return api.ClockChange{At: &to, Frozen: frozen}
}

// What is changed over Lanyard's own API holds on the served ports at once:
// limits that bite, and a clock that ends their windows.
func TestRehearsal(t *testing.T) {
	b := newBench(t)
	s := b.served()
	cred, err := readCredentials(b.path(".lanyard"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.rehearsal(t.Context(), b.settings())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := r.SetFaults(t.Context(), "f", []byte("limits: {enforce: true, org: integrator, share: 20%}\nrules: []")); err != nil {
		t.Fatal(err)
	}
	frozen := true
	if _, err := r.SetClock(t.Context(), clockChange("2030-01-01T00:00:00Z", &frozen)); err != nil {
		t.Fatal(err)
	}
	spend := func() int { // until the first refusal
		for n := 0; n < 200; n++ {
			status, body := get(t, s.addresses["okta"]+"/api/v1/logs", "SSWS "+cred.OktaAPIToken)
			if status == http.StatusTooManyRequests {
				if !strings.Contains(body, "E0000047") {
					t.Errorf("the refusal is %s", body)
				}
				return n
			}
		}
		return -1
	}
	if first, again := spend(), spend(); first != 4 || again != 0 { // 20 % of 20
		t.Errorf("%d calls pass in the window, then %d; want 4 and none", first, again)
	}
	if _, err := r.SetClock(t.Context(), clockChange("2030-01-01T00:01:00Z", nil)); err != nil {
		t.Fatal(err)
	}
	if next := spend(); next != 4 {
		t.Errorf("%d calls pass in the next window, want 4", next)
	}
	if err := r.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if free := spend(); free != -1 {
		t.Errorf("without limits the call %d is refused", free+1)
	}
}

// firedFault is a log that gets a value for each fault.
type firedFault chan struct{}

func (firedFault) Enabled(context.Context, slog.Level) bool { return true }
func (f firedFault) WithAttrs([]slog.Attr) slog.Handler     { return f }
func (f firedFault) WithGroup(string) slog.Handler          { return f }
func (f firedFault) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "fault injected" {
		f <- struct{}{}
	}
	return nil
}

// A server ends although a rehearsal holds a request of somebody's.
func TestServeEndsWithHeldRequest(t *testing.T) {
	b := newBench(t)
	reached := make(firedFault, 1)
	b.Log = slog.New(reached)
	s := b.served()
	r, err := b.rehearsal(t.Context(), b.settings())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetFaults(t.Context(), "f", []byte("rules: [{effect: timeoutBefore}]")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	held := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.addresses["okta"]+"/api/v1/users", nil)
		if err != nil {
			held <- err
			return
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		held <- err
	}()
	select {
	case <-reached:
	case err := <-held:
		t.Fatalf("the request was not held: %v", err)
	}
	_ = r.Close()
	begin := time.Now()
	if err := s.stop(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if took := time.Since(begin); took > shutdownTime/2 {
		t.Errorf("the server took %v to end", took)
	}
	if err := <-held; err == nil {
		t.Error("the held request was answered")
	}
	if _, err := b.rehearsal(t.Context(), b.settings()); !fault.Is(err, fault.Usage) {
		t.Errorf("a rehearsal without a server = %v", err)
	}
}
