package storetest

import (
	"strconv"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// TestTrigger runs the contract of trigger.Store. open returns an empty store,
// closed when the test ends.
func TestTrigger(t *testing.T, open func(t *testing.T) trigger.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, trigger.Store)
	}{
		{"Definitions", testDefinitions},
		{"Switches", testSwitches},
		{"Accept", testAccept},
		{"Proofs", testProofs},
		{"Settle", testSettle},
		{"Tally", testTally},
		{"FiringQueries", testFiringQueries},
		{"Trim", testTrim},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func firing(id string, change func(*trigger.Firing)) trigger.Firing {
	f := trigger.Firing{ID: id, Trigger: "nightly", Kind: trigger.ScheduleKind, Key: "due/" + id, Action: "flow.yaml#x", State: trigger.Waiting, At: at, Due: at, Sealed: []byte("sealed " + id)}
	if change != nil {
		change(&f)
	}
	return f
}

func accept(t *testing.T, s trigger.Store, firings ...trigger.Firing) []trigger.Accepted {
	t.Helper()
	return must(s.Accept(t.Context(), nil, firings))(t)
}

func firingIDs(t *testing.T, s trigger.Store, q trigger.Query) []string {
	t.Helper()
	var out []string
	for _, f := range must(s.Firings(t.Context(), q))(t) {
		out = append(out, f.ID)
	}
	return out
}

func testDefinitions(t *testing.T, s trigger.Store) {
	ctx := t.Context()
	b := trigger.Definition{Name: "b", Text: "schedule: {cron: '@daily'}\nflow: x.yaml\n", Dir: "/etc/lanyard", By: "ada", At: at}
	a := trigger.Definition{Name: "a", Text: "flow: y.yaml", At: at}
	ok(t, s.PutDefinition(ctx, b))
	ok(t, s.PutDefinition(ctx, trigger.Definition{Name: "a"}))
	ok(t, s.PutDefinition(ctx, a))
	same(t, "definitions", must(s.Definitions(ctx))(t), []trigger.Definition{a, b})
	ok(t, s.PutSwitch(ctx, trigger.Switch{What: trigger.SwitchTrigger, Name: "a", Off: true}))
	if _, err := s.Accept(ctx, []trigger.Cursor{{Trigger: "a", Seq: 7}}, nil); err != nil {
		t.Fatal(err)
	}
	accept(t, s, firing("1", func(f *trigger.Firing) { f.Trigger = "a" }))
	ok(t, s.RemoveDefinition(ctx, "a"))
	if err := s.RemoveDefinition(ctx, "a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("removing it twice = %v, want NotFound", err)
	}
	same(t, "definitions after the removal", must(s.Definitions(ctx))(t), []trigger.Definition{b})
	same(t, "switches after the removal", must(s.Switches(ctx))(t), []trigger.Switch(nil))
	if _, there, err := s.Cursor(ctx, "a"); there || err != nil {
		t.Errorf("the cursor of a removed trigger: %v, %v", there, err)
	}
	same(t, "firings stay", firingIDs(t, s, trigger.Query{Trigger: "a"}), []string{"1"})
}

func testSwitches(t *testing.T, s trigger.Store) {
	ctx := t.Context()
	off := trigger.Switch{What: trigger.SwitchFlow, Name: "x.yaml#y", Off: true, By: "ada", Why: "an audit", At: at}
	ok(t, s.PutSwitch(ctx, off))
	ok(t, s.PutSwitch(ctx, trigger.Switch{What: trigger.SwitchTrigger, Name: "x.yaml#y", Off: true, At: at}))
	on := trigger.Switch{What: trigger.SwitchTrigger, Name: "x.yaml#y", At: at.Add(time.Second)}
	ok(t, s.PutSwitch(ctx, on))
	same(t, "switches", must(s.Switches(ctx))(t), []trigger.Switch{off, on})
}

func testAccept(t *testing.T, s trigger.Store) {
	ctx := t.Context()
	if c, there, err := s.Cursor(ctx, "nightly"); there || err != nil {
		t.Errorf("a cursor that never was = %v, %v, %v", c, there, err)
	}
	cursor := trigger.Cursor{Trigger: "nightly", Seen: at, Seq: 3}
	first := firing("1", func(f *trigger.Firing) { f.Cause, f.Depth, f.Fingerprint, f.Sandbox = "trg-x", 2, "f", true })
	got := must(s.Accept(ctx, []trigger.Cursor{cursor}, []trigger.Firing{first, firing("2", nil)}))(t)
	same(t, "accepted", got, []trigger.Accepted{{Firing: first, New: true}, {Firing: firing("2", nil), New: true}})
	stored, there, err := s.Cursor(ctx, "nightly")
	ok(t, err)
	same(t, "cursor", stored, cursor)
	same(t, "there", there, true)

	again := firing("1", func(f *trigger.Firing) { f.State, f.Fingerprint = trigger.Refused, "other" })
	moved := trigger.Cursor{Trigger: "nightly", Seen: at.Add(time.Hour), Seq: 4}
	got = must(s.Accept(ctx, []trigger.Cursor{moved}, []trigger.Firing{again, firing("3", nil)}))(t)
	same(t, "accepted again", got, []trigger.Accepted{{Firing: first}, {Firing: firing("3", nil), New: true}})
	stored, _, err = s.Cursor(ctx, "nightly")
	ok(t, err)
	same(t, "moved cursor", stored, moved)
	same(t, "stored", must(s.Firing(ctx, "1"))(t), first)
	if _, err := s.Firing(ctx, "9"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a firing that is not there = %v, want NotFound", err)
	}
}

func testProofs(t *testing.T, s trigger.Store) {
	signed := func(id, name string) trigger.Firing {
		return firing(id, func(f *trigger.Firing) { f.Trigger, f.Proof = name, "sig" })
	}
	accept(t, s, signed("1", "a"))
	got := accept(t, s, signed("2", "a"), signed("3", "b"))
	same(t, "the same proof", got, []trigger.Accepted{{Firing: signed("1", "a")}, {Firing: signed("3", "b"), New: true}})
	accept(t, s, firing("4", nil), firing("5", nil)) // none has no proof in common
	same(t, "firings", firingIDs(t, s, trigger.Query{}), []string{"1", "3", "4", "5"})
}

func testSettle(t *testing.T, s trigger.Store) {
	ctx := t.Context()
	accept(t, s, firing("1", nil))
	ok(t, s.Tally(ctx, nil, map[string]int{"1": 2, "9": 1}))
	done := firing("1", func(f *trigger.Firing) {
		f.State, f.Open, f.Attempts, f.Reason, f.Sealed, f.Due = trigger.Started, true, 3, "why", nil, at.Add(time.Hour)
	})
	ok(t, s.Settle(ctx, done, firing("9", nil)))
	done.Duplicates = 2
	same(t, "settled", must(s.Firing(ctx, "1"))(t), done)
	same(t, "open", firingIDs(t, s, trigger.Query{Open: true}), []string{"1"})
	same(t, "all", firingIDs(t, s, trigger.Query{}), []string{"1"})
}

func testTally(t *testing.T, s trigger.Store) {
	ctx := t.Context()
	many := firing("1", func(f *trigger.Firing) { f.State, f.Count, f.Sealed = trigger.Refused, 3, nil })
	ok(t, s.Tally(ctx, []trigger.Firing{many}, nil))
	many.Count = 4
	ok(t, s.Tally(ctx, []trigger.Firing{many}, nil))
	many.Count = 7
	same(t, "tally", must(s.Firing(ctx, "1"))(t), many)
}

func testFiringQueries(t *testing.T, s trigger.Store) {
	later := func(by time.Duration, name string, state trigger.State) func(*trigger.Firing) {
		return func(f *trigger.Firing) { f.At, f.Due, f.Trigger, f.State = at.Add(by), at.Add(-by), name, state }
	}
	accept(t, s, firing("1", later(1, "a", trigger.Waiting)), firing("2", later(time.Second, "a", trigger.Started)),
		firing("3", later(time.Minute, "b", trigger.Waiting)), firing("4", later(time.Hour, "b", trigger.Failed)))
	for _, test := range []struct {
		name string
		q    trigger.Query
		want []string
	}{
		{"all, newest first", trigger.Query{}, []string{"4", "3", "2", "1"}},
		{"some", trigger.Query{Limit: 2}, []string{"4", "3"}},
		{"of a trigger", trigger.Query{Trigger: "a"}, []string{"2", "1"}},
		{"waiting, in the order of their times", trigger.Query{State: trigger.Waiting}, []string{"3", "1"}},
		{"before", trigger.Query{Before: at.Add(time.Minute)}, []string{"2", "1"}},
		{"none", trigger.Query{Trigger: "c"}, nil},
	} {
		same(t, test.name, firingIDs(t, s, test.q), test.want)
	}
	same(t, "how many wait", must(s.Waiting(t.Context()))(t), map[string]int{"a": 1, "b": 1})
}

func testTrim(t *testing.T, s trigger.Store) {
	set := func(state trigger.State, open bool, by time.Duration) func(*trigger.Firing) {
		return func(f *trigger.Firing) { f.State, f.Open, f.At = state, open, at.Add(by) }
	}
	accept(t, s, firing("waits", set(trigger.Waiting, false, 0)), firing("open", set(trigger.Started, true, 0)),
		firing("old", set(trigger.Started, false, 0)), firing("young", set(trigger.Started, false, time.Second)))
	same(t, "removed", must(s.Trim(t.Context(), at.Add(time.Second)))(t), 1)
	same(t, "left", firingIDs(t, s, trigger.Query{}), []string{"young", "open", "waits"})
	const many = 2500 // more than are removed at once
	old := make([]trigger.Firing, many)
	for i := range old {
		old[i] = firing(strconv.Itoa(i), set(trigger.Started, false, 0))
	}
	accept(t, s, old...)
	same(t, "removed of many", must(s.Trim(t.Context(), at.Add(time.Second)))(t), many)
}
