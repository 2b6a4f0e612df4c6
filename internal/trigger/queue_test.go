package trigger_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// slyStore lets something happen at the worst moments.
type slyStore struct {
	trigger.Store
	listed func()       // after firings were read; nil: nothing
	tally  func() error // in place of Tally; nil: nothing
}

func (s *slyStore) Firings(ctx context.Context, q trigger.Query) ([]trigger.Firing, error) {
	out, err := s.Store.Firings(ctx, q)
	if s.listed != nil {
		s.listed()
	}
	return out, err
}

func (s *slyStore) Tally(ctx context.Context, many []trigger.Firing, duplicates map[string]int) error {
	if s.tally != nil {
		return s.tally()
	}
	return s.Store.Tally(ctx, many, duplicates)
}

// What somebody fires and what fails is over, also where the queue was read while
// it was being begun.
func TestQueueReadTooEarly(t *testing.T) {
	b := newBench(t, endpoint)
	s := &slyStore{Store: b.engine.Store}
	b.engine.Store = s
	b.flows.fails = fault.New(fault.Invalid, "it does not fit")
	begun, begins, goOn, over := 0, make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.flows.begins = func() {
		if begun++; begun == 1 {
			close(begins)
			<-goOn
		}
	}
	go func() {
		defer close(over)
		if _, err := b.desk.Do(t.Context(), trigger.Command{Do: trigger.Fire, Name: "e"}); err != nil {
			t.Errorf("fire: %v", err)
		}
	}()
	<-begins
	s.listed = func() {
		s.listed = nil
		close(goOn)
		<-over
	}
	b.tick()
	if begun != 1 {
		t.Errorf("it was begun %d times", begun)
	}
	if got := b.told(); len(got) != 1 || !strings.HasPrefix(got[0], "failed manual/") {
		t.Errorf("history: %q", got)
	}
}

// Firings of a trigger that is gone are over, however many there are.
func TestQueueOfTriggerThatIsGone(t *testing.T) {
	b := newBench(t, "  h: {okta: {secret: env:S}, flow: f.yaml, concurrent: 1}\n"+endpoint)
	b.flows.fails = fault.New(fault.Unavailable, "busy")
	for _, d := range []string{"d1", "d2"} { // more than one look at the queue reads
		uuids := make([]string, 600)
		for i := range uuids {
			uuids[i] = d + "-" + time.Duration(i).String()
		}
		if _, err := b.engine.Deliver(t.Context(), "h", []byte(delivery(d, "x", uuids...))); err != nil {
			t.Fatal(err)
		}
	}
	b.flows.fails = nil
	b.text = endpoint
	b.restart()
	b.tick()
	b.tick()
	b.tick()
	if got := b.do(trigger.Command{Do: trigger.History, State: trigger.Failed, Limit: 10_000}).Firings; len(got) != 1200 {
		t.Errorf("%d firings are over, want 1200", len(got))
	}
}

// What was counted and could not be stored is stored the next time.
func TestCountsThatCannotBeStored(t *testing.T) {
	b := newBench(t, endpoint)
	s := &slyStore{Store: b.engine.Store, tally: func() error { return fault.New(fault.Unavailable, "the disk is full") }}
	b.engine.Store = s
	b.called(trigger.Call{Key: "k"}, `{}`)
	b.called(trigger.Call{Key: "k"}, `{}`)
	of, _ := b.engine.Find("e")
	b.engine.Refuse(of, "a bad signature")
	if err := b.engine.Tick(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Tick = %v", err)
	}
	s.tally = nil
	b.called(trigger.Call{Key: "k"}, `{}`)
	b.engine.Refuse(of, "a bad signature")
	got := map[string]int{}
	for _, f := range b.history() {
		got[string(f.State)] = f.Count + f.Duplicates
	}
	if diff := cmp.Diff(map[string]int{"started": 2, "refused": 2}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// A name that another kind of trigger had begins anew.
func TestKindChanges(t *testing.T) {
	b := newBench(t, "  x: {schedule: {cron: '@daily'}, flow: f.yaml}\n")
	b.somebody("ada@example.com", "IT", true)
	b.text = "  x: {directory: {on: joiner}, flow: f.yaml}\n"
	b.restart()
	b.tick()
	if got := b.told(); len(got) != 0 {
		t.Errorf("who joined before is told: %q", got)
	}
	b.somebody("bob@example.com", "IT", true)
	b.tick()
	if n := len(b.started()); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
	b.clock.add(48 * time.Hour)
	b.text = "  x: {schedule: {cron: '@daily'}, flow: f.yaml}\n"
	b.restart()
	b.tick()
	if n := len(b.started()); n != 1 {
		t.Errorf("%d runs: due times before there was the schedule count", n)
	}
}

// A trigger can be switched, added and removed while the flow of another cannot be
// read any more.
func TestOthersAreBroken(t *testing.T) {
	b := newBench(t, endpoint+"  d: {directory: {on: joiner}, flow: g.yaml}\n")
	b.flows.broken = "g.yaml"
	b.do(trigger.Command{Do: trigger.Off, Name: "e"})
	b.refusedCall(trigger.Call{}, `{}`, fault.Unavailable, "switched off")
	b.do(trigger.Command{Do: trigger.On, Name: "e"})
	b.called(trigger.Call{}, `{}`)
	b.do(trigger.Command{Do: trigger.Add, Name: "more", Text: "endpoint: {auth: {public: true}}\nflow: f.yaml\n"})
	if _, err := b.engine.Call(t.Context(), "more", trigger.Call{}); err != nil {
		t.Errorf("calling what was added: %v", err)
	}
	b.do(trigger.Command{Do: trigger.Remove, Name: "more"})
	if _, err := b.engine.Call(t.Context(), "more", trigger.Call{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("calling what was removed: %v", err)
	}
	b.do(trigger.Command{Do: trigger.Off, Name: "d"})
	b.somebody("ada@example.com", "IT", true)
	b.do(trigger.Command{Do: trigger.On, Name: "d"}) // before anybody looked
	b.tick()
	if n := len(b.started()); n != 2 {
		t.Errorf("%d runs, want 2: what happened while it was off is caught up", n)
	}
}
