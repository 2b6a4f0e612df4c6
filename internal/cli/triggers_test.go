package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// triggerSession answers every command of the desk.
func triggerSession(t *testing.T) *fakeSession {
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	firing := trigger.Firing{ID: "trg-1-1", Trigger: "nightly", Kind: trigger.ScheduleKind, Key: "due/2026-03-04T05:00:00Z", State: trigger.Started, At: at, Due: at}
	views := []trigger.View{
		{
			Name: "nightly", Description: "people from HR", Kind: trigger.ScheduleKind, When: "0 5 * * * UTC", Starts: "hr.yaml#sync", Inputs: []string{"day", "kind"},
			CatchUp: trigger.CatchOne, Overlap: trigger.OverlapSkip, On: true, Next: at.Add(24 * time.Hour), Waiting: 2, Last: &firing, Place: "lanyard.yaml:2:3",
		},
		{Name: "push", Kind: trigger.EndpointKind, When: "POST /hooks/push (hmac)", Starts: "import hr", Why: "the trigger is switched off: an audit", Filter: "event.body.n < 3", Place: "lanyard.yaml:5:3"},
	}
	would := []trigger.Would{
		{ID: "trg-1-2", Key: "u1", Starts: "f.yaml", Inputs: map[string]any{"login": "ada\x1b[31m"}},
		{ID: "trg-1-3", Key: "u2", Starts: "f.yaml", Filtered: true},
		{ID: "trg-1-4", Key: "u3", Starts: "f.yaml", Before: trigger.Started},
	}
	s := play(t)
	s.outcomes = map[trigger.Verb]*trigger.Reply{
		trigger.List: {Triggers: views, Notes: []string{"the trigger x that was added by command is hidden by the one of lanyard.yaml"}},
		trigger.Show: {Triggers: views[:1]}, trigger.Add: {Triggers: views[1:]}, trigger.Remove: {},
		trigger.On: {Switch: &trigger.Switch{What: trigger.SwitchTrigger, Name: "push"}}, trigger.Off: {Switch: &trigger.Switch{What: trigger.SwitchFlow, Name: "hr.yaml", Off: true}},
		trigger.Test: {Would: would},
		trigger.Fire: {Would: []trigger.Would{
			{ID: "trg-1-5", Starts: "f.yaml", Run: "trg-1-5", Outcome: &trigger.Outcome{Status: run.Failed, Reason: "step x failed", Outputs: []byte(`{"a":1}`)}},
		}},
		trigger.History: {Firings: []trigger.Firing{
			firing, {ID: "trg-1-6", Trigger: "push", State: trigger.Refused, At: at, Key: "refused/x", Count: 12, Reason: "the signature is wrong"},
			{ID: "trg-1-7", Trigger: "push", State: trigger.Started, At: at, Key: "key/a", Duplicates: 3},
		}},
	}
	return s
}

func TestTriggers(t *testing.T) {
	session := triggerSession(t)
	p := newProduct(session)
	var out []string
	for _, args := range [][]string{
		{"list"},
		{"show", "nightly"},
		{"add", "push", "--file", "-"},
		{"remove", "push"},
		{"on", "push"},
		{"off", "--flow", "hr.yaml", "--why", "an audit"},
		{"fire", "nightly", "--wait", "--event", "-"},
		{"test", "nightly"},
		{"history", "push", "--state", "refused", "--limit", "3"},
		// what cannot be
		{"add", "push"},
		{"off"},
		{"on", "push", "--flow", "hr.yaml"},
		{"show"},
		{"test", "nightly", "--event", "no-such-file.json"},
	} {
		out = append(out, transcript(t.Context(), newTestIO("from stdin", nil), p.Product, append([]string{"triggers"}, args...)...))
	}
	session.fails["Triggers"] = fault.New(fault.NotFound, "there is no trigger %q", "x")
	out = append(out, transcript(t.Context(), newTestIO("", nil), p.Product, "triggers", "show", "x", "-o", "json"))
	text := strings.Join(out, "\n")
	golden(t, "triggers", text)
	if strings.Contains(text, "\x1b") {
		t.Error("an escape sequence is printed")
	}
	event := &trigger.Event{Body: "from stdin"}
	want := []trigger.Command{
		{Do: trigger.List}, {Do: trigger.Show, Name: "nightly"}, {Do: trigger.Add, Name: "push", Text: "from stdin", File: "-"}, {Do: trigger.Remove, Name: "push"},
		{Do: trigger.On, Name: "push"}, {Do: trigger.Off, Flow: "hr.yaml", Why: "an audit"}, {Do: trigger.Fire, Name: "nightly", Wait: true, Event: event},
		{Do: trigger.Test, Name: "nightly"}, {Do: trigger.History, Name: "push", State: trigger.Refused, Limit: 3}, {Do: trigger.Show, Name: "x"},
	}
	for i := range session.told {
		session.told[i].By = ""
	}
	if diff := cmp.Diff(want, session.told); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	for i, access := range p.access {
		if reads := session.told[i].Local(); (access == ReadOnly) != reads {
			t.Errorf("for %s the folder was opened %v", session.told[i].Do, access)
		}
	}
}
