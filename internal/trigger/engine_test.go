package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/value"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

// call calls the endpoint e with a body.
func (b *bench) call(c trigger.Call, body string) (trigger.Answer, error) {
	b.t.Helper()
	c.Body, c.Fingerprint = object(b.t, body), body
	return b.engine.Call(b.t.Context(), "e", c)
}

// called is call that must succeed.
func (b *bench) called(c trigger.Call, body string) trigger.Answer {
	b.t.Helper()
	a, err := b.call(c, body)
	if err != nil {
		b.t.Fatalf("Call: %v", err)
	}
	return a
}

// refusedCall is call that must fail with a kind and words.
func (b *bench) refusedCall(c trigger.Call, body string, kind fault.Kind, words string) error {
	b.t.Helper()
	a, err := b.call(c, body)
	if !fault.Is(err, kind) || !strings.Contains(fault.Public(err), words) {
		b.t.Errorf("Call = %+v, %v; want %v with %q", a, err, kind, words)
	}
	return err
}

const endpoint = "  e:\n    endpoint: {auth: {public: true}}\n    flow: f.yaml\n"

func TestCall(t *testing.T) {
	b := newBench(t, endpoint)
	first := b.called(trigger.Call{}, `{"login":"ada"}`)
	second := b.called(trigger.Call{}, `{"login":"ada"}`)
	if first.Duplicate || second.Duplicate || first.Run == second.Run {
		t.Errorf("two calls without a key = %+v, %+v", first, second)
	}
	keyed := b.called(trigger.Call{Key: "k"}, `{"login":"bob"}`)
	again := b.called(trigger.Call{Key: "k"}, `{"login":"bob"}`)
	if keyed.Duplicate || !again.Duplicate || keyed.Run != again.Run {
		t.Errorf("two calls with one key = %+v, %+v", keyed, again)
	}
	err := b.refusedCall(trigger.Call{Key: "k"}, `{"login":"eve"}`, fault.Conflict, "another body")
	var key *trigger.KeyError
	if !errors.As(err, &key) {
		t.Errorf("the cause of %v is no KeyError", err)
	}
	b.tick()
	b.restart() // a key is known for as long as the history is
	if again := b.called(trigger.Call{Key: "k"}, `{"login":"bob"}`); !again.Duplicate || again.Run != keyed.Run {
		t.Errorf("the same call after a restart = %+v", again)
	}
	want := []any{map[string]any{"login": "ada"}, map[string]any{"login": "ada"}, map[string]any{"login": "bob"}}
	if diff := cmp.Diff(want, b.started()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	b.refusedCall(trigger.Call{}, `{"login":1}`, fault.Invalid, "want string")
	for _, f := range b.history() {
		if f.Key == "key/k" && f.Duplicates != 2 {
			t.Errorf("%d duplicates, want 2", f.Duplicates)
		}
	}
}

// A signature is good once, whatever key stands beside it.
func TestReplay(t *testing.T) {
	b := newBench(t, endpoint)
	first := b.called(trigger.Call{Key: "a", Proof: "sig"}, `{}`)
	replayed := b.called(trigger.Call{Key: "b", Proof: "sig"}, `{}`)
	bare := b.called(trigger.Call{Proof: "sig"}, `{}`)
	if replayed.Run != first.Run || !replayed.Duplicate || bare.Run != first.Run || len(b.started()) != 1 {
		t.Errorf("replays = %+v, %+v of %+v; %d runs", replayed, bare, first, len(b.started()))
	}
	if other := b.called(trigger.Call{Proof: "sig 2"}, `{}`); other.Duplicate {
		t.Errorf("another signature = %+v", other)
	}
}

func TestCallLimits(t *testing.T) {
	b := newBench(t, "  e:\n    endpoint: {auth: {public: true}, idempotencyKey: required, schema: {type: object, required: [n], properties: {n: {type: integer}, s: {type: string}}}}\n    flow: f.yaml\n    concurrent: 2\n    filter: event.body.n < 100\n    inputs: {login: 'n-{$event#/body/n}', q: $event#/query/q, none: $event#/body/none}\n")
	b.flows.busy = true
	b.refusedCall(trigger.Call{}, `{"n":1}`, fault.Invalid, "Idempotency-Key is missing")
	err := b.refusedCall(trigger.Call{Key: "x"}, `{"s":2}`, fault.Invalid, "schema")
	var body *trigger.BodyError
	if !errors.As(err, &body) || len(body.Problems) != 2 {
		t.Errorf("the cause of %v lists %+v, want two problems", err, body)
	}
	b.called(trigger.Call{Key: "1", Query: map[string]any{"q": "z"}}, `{"n":1}`)
	b.called(trigger.Call{Key: "2"}, `{"n":2}`)
	b.refusedCall(trigger.Call{Key: "3"}, `{"n":3}`, fault.RateLimited, "2 runs")
	if a := b.called(trigger.Call{Key: "2"}, `{"n":2}`); !a.Duplicate {
		t.Errorf("a duplicate when all places are taken = %+v", a)
	}
	b.restart()
	b.refusedCall(trigger.Call{Key: "3"}, `{"n":3}`, fault.RateLimited, "2 runs")
	b.flows.end()
	b.called(trigger.Call{Key: "3"}, `{"n":3}`)
	if a := b.called(trigger.Call{Key: "4"}, `{"n":100}`); !a.Ignored {
		t.Errorf("what the filter leaves out = %+v", a)
	}
	want := []any{map[string]any{"login": "n-1", "q": "z"}, map[string]any{"login": "n-2"}, map[string]any{"login": "n-3"}}
	if diff := cmp.Diff(want, b.started()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

// What was accepted and not started, because the process was killed in between,
// is started by the next one; what was started and not noted is not started again.
func TestCrash(t *testing.T) {
	b := newBench(t, endpoint+"  h:\n    okta: {secret: env:S}\n    flow: f.yaml\n")
	b.flows.fails = fault.New(fault.Unavailable, "the worker is stopping")
	if _, err := b.engine.Deliver(t.Context(), "h", []byte(delivery("d1", "user.lifecycle.create", "u1", "u2"))); err != nil {
		t.Fatal(err)
	}
	b.tick()
	if len(b.started()) != 0 {
		t.Fatal("something was started")
	}
	b.restart()
	b.flows.fails = nil
	b.tick()
	if n := len(b.started()); n != 2 {
		t.Fatalf("%d runs after the restart, want 2", n)
	}
	// The process is killed behind a call's start: nothing was noted of it.
	a := b.called(trigger.Call{Key: "k"}, `{"login":"ada"}`)
	b.restart()
	b.tick()
	b.tick()
	if n := b.flows.times[a.Run]; n != 2 { // started under its id, which the worker knows
		t.Errorf("the run was asked for %d times, want 2", n)
	}
	if n := len(b.started()); n != 3 {
		t.Errorf("%d runs, want 3", n)
	}
	for _, f := range b.history() {
		if f.State != trigger.Started {
			t.Errorf("a firing is %s: %+v", f.State, f)
		}
	}
}

func TestStartFails(t *testing.T) {
	b := newBench(t, endpoint+"  h:\n    okta: {secret: env:S}\n    flow: f.yaml\n")
	b.flows.fails = fault.New(fault.Unauthorized, "env:TOKEN is not set")
	b.refusedCall(trigger.Call{Key: "k"}, `{}`, fault.Unauthorized, "TOKEN")
	b.flows.fails = nil
	b.refusedCall(trigger.Call{Key: "k"}, `{}`, fault.Conflict, "could not be carried out")
	b.flows.fails = fault.New(fault.Unavailable, "busy")
	b.clock.add(time.Second)
	if _, err := b.engine.Deliver(t.Context(), "h", []byte(delivery("d1", "x", "u1"))); err != nil {
		t.Fatal(err)
	}
	for range 60 { // the pauses grow
		b.tick()
		b.clock.add(time.Minute)
	}
	want := []string{"failed key/k: env:TOKEN is not set", "failed u1: busy"}
	if diff := cmp.Diff(want, b.told()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// delivery is one of an Okta event hook.
func delivery(id, kind string, uuids ...string) string {
	var events []string
	for _, u := range uuids {
		events = append(events, `{"uuid":"`+u+`","eventType":"`+kind+`","target":[{"alternateId":"`+u+`@example.com"}]}`)
	}
	return `{"eventType":"com.okta.event_hook","eventId":"` + id + `","source":"https://x.okta.com","data":{"events":[` + strings.Join(events, ",") + `]}}`
}

func TestDeliver(t *testing.T) {
	b := newBench(t, `  h:
    okta: {secret: env:S, eventTypes: [user.lifecycle.*, group.create]}
    flow: f.yaml
    inputs: {login: $event#/event/target/0/alternateId, from: $event#/hook/source}
  all:
    okta: {secret: env:S, runs: perDelivery}
    flow: f.yaml
    inputs: {login: "{$event#/hook/eventId}", who: [$event#/events/0/uuid]}
  a:
    auth0: {secret: env:S, eventTypes: [ss, user.created]}
    flow: f.yaml
    inputs: {login: $event#/log/log_id}
`)
	deliver := func(name, body string, want trigger.Delivered) {
		t.Helper()
		got, err := b.engine.Deliver(t.Context(), name, []byte(body))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Deliver(%s) = %v (-want +got):\n%s", name, err, diff)
		}
		b.tick()
	}
	deliver("h", delivery("d1", "user.lifecycle.create", "u1", "u2"), trigger.Delivered{Accepted: 2})
	deliver("h", delivery("d1", "user.lifecycle.create", "u1", "u2"), trigger.Delivered{Duplicates: 2})
	deliver("h", delivery("d2", "user.lifecycle.create", "u2", "u3"), trigger.Delivered{Accepted: 1, Duplicates: 1})
	deliver("h", delivery("d3", "user.session.start", "u4"), trigger.Delivered{Ignored: true})
	deliver("all", delivery("d1", "x", "u1", "u2"), trigger.Delivered{Accepted: 1})
	deliver("all", delivery("d1", "x", "u1", "u2"), trigger.Delivered{Duplicates: 1})
	deliver("a", `[{"log_id":"1","data":{"type":"ss"}},{"log_id":"2","data":{"type":"f"}}]`, trigger.Delivered{Accepted: 1})
	deliver("a", `{"log_id":"1","data":{"type":"ss"}}`+"\n"+`{"log_id":"3","data":{"type":"ss"}}`, trigger.Delivered{Accepted: 1, Duplicates: 1})
	deliver("a", `{"id":"evt_1","type":"user.created","data":{"object":{"user_id":"auth0|1"}}}`, trigger.Delivered{Accepted: 1})
	deliver("a", `{"id":"evt_1","type":"user.created","log_id":7,"data":{}}`, trigger.Delivered{Duplicates: 1})

	seen := map[string]int{}
	for _, in := range b.started() {
		s, err := value.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(s)]++
	}
	want := map[string]int{
		`{"from":"https://x.okta.com","login":"u1@example.com"}`: 1, `{"from":"https://x.okta.com","login":"u2@example.com"}`: 1,
		`{"from":"https://x.okta.com","login":"u3@example.com"}`: 1, `{"login":"d1","who":["u1"]}`: 1,
		`{"login":"1"}`: 1, `{"login":"3"}`: 1, `{}`: 1,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	for _, wrong := range []string{``, `[]`, `{"eventId":"x"}`, `{"eventId":"x","data":{"events":[1]}}`, `{"data":{"events":[]}}`} {
		if _, err := b.engine.Deliver(t.Context(), "h", []byte(wrong)); !fault.Is(err, fault.Invalid) {
			t.Errorf("Deliver(%q) = %v, want Invalid", wrong, err)
		}
	}
	for _, wrong := range []string{`x`, `[1]`, `{"data":{}}`} {
		if _, err := b.engine.Deliver(t.Context(), "a", []byte(wrong)); !fault.Is(err, fault.Invalid) {
			t.Errorf("Deliver to Auth0's (%q) = %v, want Invalid", wrong, err)
		}
	}
}

// somebody makes a person of the Okta org.
func (b *bench) somebody(login, department string, activate bool) *directory.Account {
	b.t.Helper()
	a, err := b.directory.CreateAccount(b.t.Context(), directory.System("test"), directory.OktaRealm, directory.Draft{Activate: activate, Password: &directory.Password{Text: "Analytical-1843"}, Profile: map[string]any{
		"login": login, "email": login, "firstName": "A", "lastName": "B", "department": department,
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func TestChanges(t *testing.T) {
	b := newBench(t, `  joined: {directory: {on: joiner}, flow: f.yaml, inputs: {login: $event#/after/profile/login}}
  active: {directory: {on: joiner, events: [activated]}, flow: f.yaml, inputs: {login: $event#/person/profile/login}}
  sales: {directory: {on: joiner}, flow: f.yaml, filter: 'user.department == "Sales"', inputs: {of: $event#/person/profile/department}}
  moved: {directory: {on: mover, attributes: [department, title]}, flow: f.yaml, inputs: {was: $event#/before/profile/department, is: $event#/after/profile/department, what: $event#/changed}}
  grouped: {directory: {on: mover, groups: [Admins]}, flow: f.yaml, inputs: {event: $event#/event, group: $event#/group/name, login: $event#/person/profile/login}}
  left: {directory: {on: leaver}, flow: f.yaml, inputs: {event: $event#/event, login: $event#/person/profile/login}}
  gone: {directory: {on: leaver, events: [deleted]}, flow: f.yaml, inputs: {login: $event#/before/profile/login}}
`)
	ctx, who := t.Context(), directory.System("test")
	step := func(what string, do func() error, want ...string) {
		t.Helper()
		before := len(b.flows.order)
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		b.tick()
		got := map[string]int{}
		for _, in := range b.started()[before:] {
			s, err := value.Encode(in)
			if err != nil {
				t.Fatal(err)
			}
			got[string(s)]++
		}
		all := map[string]int{}
		for _, w := range want {
			all[w]++
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("%s starts (-want +got):\n%s", what, diff)
		}
	}
	var ada, bob *directory.Account
	step("staged", func() error { ada = b.somebody("ada@example.com", "IT", false); return nil }, `{"login":"ada@example.com"}`)
	step("created active", func() error { bob = b.somebody("bob@example.com", "Sales", true); return nil },
		`{"login":"bob@example.com"}`, `{"login":"bob@example.com"}`, `{"of":"Sales"}`)
	b.restart() // nothing is told again
	step("restart", func() error { return nil })
	step("activated", func() error {
		_, err := b.directory.Transition(ctx, who, directory.OktaRealm, ada.ID, directory.Activate)
		return err
	}, `{"login":"ada@example.com"}`)
	step("department", func() error {
		_, err := b.directory.EditAccount(ctx, who, directory.OktaRealm, ada.ID, directory.Edit{Profile: map[string]any{"department": "HR"}})
		return err
	}, `{"is":"HR","was":"IT","what":["department"]}`)
	step("another attribute", func() error {
		_, err := b.directory.EditAccount(ctx, who, directory.OktaRealm, ada.ID, directory.Edit{Profile: map[string]any{"city": "Rome"}})
		return err
	})
	var group *directory.Group
	step("group", func() (err error) {
		if group, err = b.directory.CreateGroup(ctx, who, directory.OktaRealm, map[string]any{"name": "Admins"}); err == nil {
			err = b.directory.AddMember(ctx, who, directory.OktaRealm, group.ID, ada.ID)
		}
		return err
	}, `{"event":"group added","group":"Admins","login":"ada@example.com"}`)
	step("suspended", func() error {
		_, err := b.directory.Transition(ctx, who, directory.OktaRealm, ada.ID, directory.Suspend)
		return err
	}, `{"event":"suspended","login":"ada@example.com"}`)
	step("deactivated", func() error {
		_, err := b.directory.Transition(ctx, who, directory.OktaRealm, bob.ID, directory.Deactivate)
		return err
	}, `{"event":"deactivated","login":"bob@example.com"}`)
	step("deleted", func() error { return b.directory.Remove(ctx, who, directory.OktaRealm, bob.ID) }, `{"login":"bob@example.com"}`)
}

// An entry of the change log that cannot be read is left out, on record, and those
// behind it are told.
func TestUnreadableChange(t *testing.T) {
	for _, broken := range []string{"after", "detail"} {
		b := newBench(t, "  joined: {directory: {on: joiner}, flow: f.yaml, inputs: {login: $event#/after/profile/login}}\n")
		b.somebody("ada@example.com", "IT", false)
		b.tick()
		bad := b.somebody("bob@example.com", "IT", false)
		if _, err := b.db.SQL().ExecContext(t.Context(), "UPDATE directory_changes SET "+broken+" = '{' WHERE target = '"+bad.ID+"'"); err != nil {
			t.Fatal(err)
		}
		b.somebody("eve@example.com", "IT", false)
		b.tick()
		want := []any{map[string]any{"login": "ada@example.com"}, map[string]any{"login": "eve@example.com"}}
		if diff := cmp.Diff(want, b.started()); diff != "" {
			t.Errorf("%s: runs (-want +got):\n%s", broken, diff)
		}
		failed := 0
		for _, f := range b.history() {
			if f.State == trigger.Failed && strings.Contains(f.Reason, "cannot be read") {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%s: the history has %v, want one entry that was left out", broken, b.told())
		}
	}
}

// What does not fit names where inputs come from, which is no flag of a command.
func TestWrongInputsNamePlace(t *testing.T) {
	b := newBench(t, endpoint+`  m:
    endpoint: {auth: {public: true}}
    flow: f.yaml
    inputs: {login: $event#/body/n}
`)
	b.flows.wrong = &plan.InputError{Workflow: "w", Problems: []plan.InputProblem{{Message: "login: got number, want string"}}}
	for name, words := range map[string]string{"e": "as a member of the body", "m": "inputs: of the trigger m"} {
		_, err := b.engine.Call(t.Context(), name, trigger.Call{Body: map[string]any{"n": json.Number("1")}})
		if said := fault.Public(err); !fault.Is(err, fault.Invalid) || !strings.Contains(said, words) || strings.Contains(said, "--") {
			t.Errorf("%s: %q, want %q", name, said, words)
		}
	}
	_, err := b.desk.Do(t.Context(), trigger.Command{Do: trigger.Test, Name: "e", Event: &trigger.Event{Body: `{"n":1,"n":2}`, From: "event"}})
	if said := fault.Public(err); !strings.HasPrefix(said, "event: ") || !strings.Contains(said, "a name twice") {
		t.Errorf("an event of a request: %q", said)
	}
	if _, err := b.engine.Deliver(t.Context(), "e", nil); err == nil {
		t.Error("an endpoint took a delivery")
	}
}

// Names that stand twice in what a provider sends are refused: others may read the
// first.
func TestDeliveriesAreExact(t *testing.T) {
	b := newBench(t, "  o: {okta: {secret: env:S}, flow: f.yaml}\n  a: {auth0: {secret: env:S}, flow: f.yaml}\n")
	for name, body := range map[string]string{
		"o": `{"eventId":"1","eventId":"2","data":{"events":[{"uuid":"u"}]}}`,
		"a": `[{"log_id":"1","log_id":"2"}]`,
	} {
		if _, err := b.engine.Deliver(t.Context(), name, []byte(body)); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), "a name twice") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a trigger's own flow changes does not start it again, and flows that start
// each other come to an end.
func TestLoops(t *testing.T) {
	b := newBench(t, `  own: {directory: {on: mover, attributes: [title]}, flow: f.yaml}
  said: {directory: {on: mover, attributes: [title], loops: true}, flow: f.yaml}
`)
	ada := b.somebody("ada@example.com", "IT", true)
	b.tick()
	title := 0
	change := func(run string) {
		t.Helper()
		title++
		b.clock.add(time.Second)
		who := directory.System("test")
		if run != "" {
			who.UserAgent = trigger.AgentPrefix + run
		}
		if _, err := b.directory.EditAccount(t.Context(), who, directory.OktaRealm, ada.ID, directory.Edit{Profile: map[string]any{"title": strings.Repeat("x", title)}}); err != nil {
			t.Fatal(err)
		}
		b.tick()
	}
	change("")
	if len(b.started()) != 2 {
		t.Fatalf("%d runs, want 2", len(b.started()))
	}
	ids := map[string]string{} // by trigger
	for _, f := range b.history() {
		ids[f.Trigger] = f.ID
	}
	change(ids["own"]) // own is refused, said is started
	if len(b.started()) != 3 {
		t.Errorf("%d runs after a change of own's flow, want 3", len(b.started()))
	}
	for range 20 { // each time the newest run of said changes her again
		history := b.history()
		last := ""
		for _, f := range history {
			if f.Trigger == "said" && f.State == trigger.Started {
				last = f.ID
			}
		}
		change(last + "/item-1")
	}
	deepest, refused := 0, map[string]int{}
	for _, f := range b.history() {
		if f.State == trigger.Started {
			deepest = max(deepest, f.Depth)
		} else {
			refused[f.Reason]++
		}
	}
	if deepest != 5 || refused["more than five flows have started each other by their changes"] == 0 ||
		refused["the trigger's own flow made the change; say loops: true to let it"] == 0 {
		t.Errorf("the deepest chain has %d, refused: %v", deepest, refused)
	}
}

// Switches survive a restart, and what they keep back is in the history.
func TestSwitches(t *testing.T) {
	b := newBench(t, endpoint+`  h: {okta: {secret: env:S}, flow: "f.yaml#other"}
  d: {directory: {on: joiner}, flow: g.yaml}
`)
	b.do(trigger.Command{Do: trigger.Off, Flow: "f.yaml", Why: "an audit"})
	b.do(trigger.Command{Do: trigger.Off, Name: "d"})
	b.restart()
	for range 2 {
		b.refusedCall(trigger.Call{}, `{}`, fault.Unavailable, "the flow f.yaml is switched off: an audit")
	}
	if _, err := b.engine.Deliver(t.Context(), "h", []byte(delivery("d1", "x", "u1"))); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Deliver = %v, want Unavailable", err)
	}
	for name, remedy := range map[string]string{"h": "lanyard triggers on --flow f.yaml", "d": "lanyard triggers on d"} {
		var why *fault.Error
		_, err := b.desk.Do(t.Context(), trigger.Command{Do: trigger.Fire, Name: name})
		if !errors.As(err, &why) || why.Remedy != remedy {
			t.Errorf("firing %s = %v, want the remedy %q", name, err, remedy)
		}
	}
	b.somebody("ada@example.com", "IT", true)
	b.tick()
	b.do(trigger.Command{Do: trigger.On, Flow: "f.yaml"})
	b.do(trigger.Command{Do: trigger.On, Name: "d"})
	b.called(trigger.Call{Key: "k"}, `{}`)
	b.somebody("bob@example.com", "IT", true)
	b.tick()
	if n := len(b.started()); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
	reasons := map[string]int{}
	for _, f := range b.history() {
		if f.State == trigger.Refused {
			reasons[f.Trigger+": "+f.Reason] += max(f.Count, 1)
		}
	}
	want := map[string]int{
		"e: the flow f.yaml is switched off: an audit": 2, "h: the flow f.yaml is switched off: an audit": 1, "d: the trigger is switched off": 1,
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

// The history is forgotten in the end, and with it what is a duplicate.
func TestRetention(t *testing.T) {
	b := newBench(t, endpoint)
	b.called(trigger.Call{Key: "k"}, `{}`)
	b.tick()
	b.clock.add(29 * 24 * time.Hour)
	b.tick()
	if a := b.called(trigger.Call{Key: "k"}, `{}`); !a.Duplicate {
		t.Errorf("after 29 days = %+v, want a duplicate", a)
	}
	b.clock.add(2 * 24 * time.Hour)
	b.tick()
	if got := b.told(); len(got) != 0 {
		t.Errorf("after 31 days there are %v", got)
	}
}

// An import that takes its time to begin keeps nobody waiting, and its place is
// taken meanwhile.
func TestLongStart(t *testing.T) {
	b := newBench(t, "  i:\n    schedule: {cron: '* * * * *'}\n    import: hr\n")
	b.flows.hold = make(chan struct{})
	for range 3 {
		b.clock.add(time.Minute)
		b.tick()
	}
	if got := b.told(); len(got) != 3 || !strings.HasPrefix(got[0], "waiting ") || !strings.HasPrefix(got[1], "skipped ") || !strings.HasPrefix(got[2], "skipped ") {
		t.Errorf("while the first is being begun: %q", got)
	}
	close(b.flows.hold)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	b.engine.Serve(ctx) // waits for what is being begun
	if got := b.do(trigger.Command{Do: trigger.History, State: trigger.Started}).Firings; len(got) != 1 {
		t.Errorf("%d runs, want 1", len(got))
	}
}

// What somebody fires is on disk before it begins. When the process ends while an
// import reads its source, the next one that serves begins it again, once.
func TestFireInterrupted(t *testing.T) {
	b := newBench(t, "  i:\n    schedule: {cron: '0 3 1 1 *'}\n    import: hr\n")
	ctx, end := context.WithCancel(t.Context())
	begun := 0
	b.flows.begins = func() {
		if begun++; begun > 1 {
			return
		}
		if got := b.told(); len(got) != 1 || !strings.HasPrefix(got[0], "waiting manual/") { // which looks at what waits, too
			t.Errorf("while it is being begun: %q", got)
		}
		end()
	}
	if _, err := b.desk.Do(ctx, trigger.Command{Do: trigger.Fire, Name: "i"}); !errors.Is(err, context.Canceled) {
		t.Errorf("the one who fired it is told %v", err)
	}
	if begun != 1 || len(b.started()) != 0 {
		t.Fatalf("it was begun %d times", begun)
	}
	b.restart()
	serve := func() {
		ctx, stop := context.WithCancel(t.Context())
		b.tick()
		stop()
		b.engine.Serve(ctx) // waits for what is being begun
	}
	serve()
	serve()
	if got := b.told(); begun != 2 || len(got) != 1 || !strings.HasPrefix(got[0], "started manual/") {
		t.Errorf("begun %d times: %q", begun, got)
	}
	// Where nothing serves, nobody would expect it to begin again by itself.
	b.desk.Served = false
	b.clock.add(time.Second)
	ctx, b.flows.begins = context.WithCancel(t.Context())
	r, err := b.desk.Do(ctx, trigger.Command{Do: trigger.Fire, Name: "i"})
	if err != nil || !strings.Contains(r.Would[0].Problem, "interrupted before it had begun; fire it again") {
		t.Errorf("%+v, %v", r, err)
	}
	b.flows.begins = nil
	serve()
	if got := b.told(); len(got) != 2 || !strings.HasPrefix(got[1], "failed manual/") {
		t.Errorf("it was called off: %q", got)
	}
}
