package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web/api"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// fakeRehearsal remembers what it was asked.
type fakeRehearsal struct {
	asked  []any
	report rehearsal.Report
	clock  api.Clock
	err    error
	closed bool
}

func (f *fakeRehearsal) Faults(context.Context) (rehearsal.Report, error) {
	f.asked = append(f.asked, "faults")
	return f.report, f.err
}

func (f *fakeRehearsal) SetFaults(_ context.Context, file string, setting []byte) (rehearsal.Report, error) {
	f.asked = append(f.asked, file, string(setting))
	return f.report, f.err
}

func (f *fakeRehearsal) ClearFaults(context.Context) error {
	f.asked = append(f.asked, "clear")
	return f.err
}

func (f *fakeRehearsal) Clock(context.Context) (api.Clock, error) {
	f.asked = append(f.asked, "clock")
	return f.clock, f.err
}

func (f *fakeRehearsal) SetClock(_ context.Context, change api.ClockChange) (api.Clock, error) {
	f.asked = append(f.asked, change)
	return f.clock, f.err
}

func (f *fakeRehearsal) Close() error {
	f.closed = true
	return nil
}

func TestRehearsal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "faults.yaml")
	if err := os.WriteFile(file, []byte("rules: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	yes, no := true, false
	report := rehearsal.Report{
		Faults: rehearsal.Setting{Rules: []rehearsal.Rule{
			{Name: "busy", API: "okta", Methods: []string{"POST", "PUT"}, Path: "/api/v1/users", First: 2, Effect: "error", Status: 429, Wait: rehearsal.Duration(time.Second)},
			{Name: "b", Operation: "createUser", Times: []int{1, 3}, Effect: "slow", Delay: rehearsal.Duration(2 * time.Second)},
			{Name: "c", Caller: "0oa1", Probability: 0.25, Effect: "without", Fields: []string{"id", "x"}},
			{Name: "d", Every: 5, Effect: "reset"},
			{Name: "e", Effect: "html"},
		}},
		Counts: []rehearsal.Count{{Rule: "busy", Reached: 7, Fired: 2}, {}, {}, {}, {}},
	}
	clock := api.Clock{Now: at, Real: at.Add(-time.Hour), Offset: "1h0m0s", Frozen: true}
	const table = `RULE  FOR                          WHEN              EFFECT             REACHED  FIRED
busy  okta POST,PUT /api/v1/users  first 2           error 429 wait 1s  7        2
b     createUser                   times 1,3         slow 2s            0        0
c     by 0oa1                      probability 0.25  without id x       0        0
d     everything                   every 5           reset              0        0
e     everything                   always            html               0        0
`
	const moment = `TIME                  MACHINE               OFFSET  STATE
2026-01-02T03:04:05Z  2026-01-02T02:04:05Z  1h0m0s  stands still
`
	for _, test := range []struct {
		args  string
		asked []any
		out   string
	}{
		{"list", []any{"faults"}, table},
		{"set " + file, []any{file, "rules: []"}, table},
		{"set -", []any{"-", "rules: [x]"}, table},
		{"clear", []any{"clear"}, ""},
		{"clock", []any{"clock"}, moment},
		{"clock --backwards", []any{"clock"}, moment},
		{"clock --advance 5m", []any{api.ClockChange{Advance: "5m0s"}}, moment},
		{"clock --offset 0s --backwards --unfreeze", []any{api.ClockChange{Offset: "0s", Backwards: true, Frozen: &no}}, moment},
		{"clock --at 2026-01-02T03:04:05Z --freeze", []any{api.ClockChange{At: &at, Frozen: &yes}}, moment},
		{"clock -o json", []any{"clock"}, `{"now":"2026-01-02T03:04:05Z","real":"2026-01-02T02:04:05Z","offset":"1h0m0s","frozen":true}`},
	} {
		f := &fakeRehearsal{report: report, clock: clock}
		p := Product{Rehearsal: func(_ context.Context, s Settings) (Rehearsal, error) { return f, nil }}
		s := newTestIO("rules: [x]", nil)
		if code := Main(t.Context(), s.IO, p, append([]string{"rehearsal"}, strings.Fields(test.args)...)); code != exitOK {
			t.Errorf("%s: exit code %d: %s", test.args, code, s.err)
		}
		got := s.out.String()
		if strings.HasPrefix(test.out, "{") {
			got = strings.Join(strings.Fields(got), "")
		}
		if got != test.out || !f.closed {
			t.Errorf("%s prints, closed %v\n%s\nwant\n%s", test.args, f.closed, got, test.out)
		}
		if diff := cmp.Diff(test.asked, f.asked); diff != "" {
			t.Errorf("%s asked for (-want +got):\n%s", test.args, diff)
		}
	}

	// The JSON form is a contract.
	s := newTestIO("", nil)
	p := Product{Rehearsal: func(context.Context, Settings) (Rehearsal, error) { return &fakeRehearsal{report: report}, nil }}
	Main(t.Context(), s.IO, p, []string{"rehearsal", "list", "-o", "json"})
	var shown struct {
		Faults struct{ Rules []map[string]any }
		Counts []map[string]any
	}
	if err := json.Unmarshal(s.out.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"rule": "busy", "reached": 7.0, "fired": 2.0}, shown.Counts[0]); diff != "" {
		t.Errorf("a count (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"name": "b", "operation": "createUser", "times": []any{1.0, 3.0}, "effect": "slow", "delay": "2s"}, shown.Faults.Rules[1]); diff != "" {
		t.Errorf("a rule (-want +got):\n%s", diff)
	}
}

func TestRehearsalMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"set":              "needs FILE",
		"set nowhere.yaml": "nowhere.yaml: the file cannot be read",
		"clock --at noon":  "--at: ",
		"clock --at 2026-01-01T00:00:00Z --advance 5m": "at",
		"clock --freeze --unfreeze":                    "freeze",
		"list more":                                    "no place",
	} {
		f := &fakeRehearsal{}
		p := Product{Rehearsal: func(context.Context, Settings) (Rehearsal, error) { return f, nil }}
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, p, append([]string{"rehearsal"}, strings.Fields(args)...)); code != exitError || !strings.Contains(s.err.String(), want) || f.asked != nil {
			t.Errorf("%s: exit code %d, asked %v: %s", args, code, f.asked, s.err)
		}
	}
	p := Product{Rehearsal: func(context.Context, Settings) (Rehearsal, error) {
		return &fakeRehearsal{err: fault.New(fault.Conflict, "it goes back")}, nil
	}}
	for _, args := range []string{"list", "set -", "clear", "clock", "clock --advance 5m"} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, p, append([]string{"rehearsal"}, strings.Fields(args)...)); code == exitOK || !strings.Contains(s.err.String(), "it goes back") {
			t.Errorf("%s: exit code %d: %s", args, code, s.err)
		}
	}
}
