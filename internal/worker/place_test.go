package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// The calls of runs that wait for a place are not in doubt after a stop, in good
// order or not: they have no intent. Where there is a place, the first record
// has it.
func TestWaitingForAPlace(t *testing.T) {
	ctx := context.Background()
	m := newMemory()
	p := drivertest.Plan(t, one, plan.Profile{})
	started := make(chan struct{}, 10)
	w := serve(t, m, callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		started <- struct{}{}
		<-ctx.Done()
		return &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "the process ends"}}
	}), func(w *worker.Worker) { w.Concurrency = 1 })
	for i := range 10 {
		w.start(fmt.Sprint(i), p, nil)
	}
	<-started
	for i := range 10 {
		records, _ := m.Records(ctx, fmt.Sprint(i), 0)
		if has := len(records[0].Intents) > 0; len(records) != 1 || has != (i == 0) {
			t.Errorf("run %d has %d records, an intent: %v; want one record, and an intent in the first run's only", i, len(records), has)
		}
	}
	w.stop()

	again := serve(t, m, callFunc(ok), func(w *worker.Worker) { w.Concurrency = 1 })
	if err := again.Recover(ctx); err != nil {
		t.Fatalf("Recover: %s", fault.Public(err))
	}
	for i := range 10 {
		again.rest(fmt.Sprint(i), run.Succeeded)
	}
}

// No call leaves without an intent, also when the run had to wait for a place.
func TestIntentBeforeEveryCall(t *testing.T) {
	m := newMemory()
	p := drivertest.Plan(t, two, plan.Profile{})
	w := serve(t, m, callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer { return ok(ctx, c) }), func(w *worker.Worker) { w.Concurrency = 2 })
	for i := range 20 {
		w.start(fmt.Sprint(i), p, nil)
	}
	for i := range 20 {
		w.rest(fmt.Sprint(i), run.Succeeded)
		records, _ := m.Records(context.Background(), fmt.Sprint(i), 0)
		for seq, r := range records[1:] {
			if strings.Contains(string(r.Event), `"answered"`) && len(records[seq].Intents) == 0 {
				t.Errorf("run %d: record %d is an answer without an intent before it", i, r.Seq)
			}
		}
	}
}

// A decision about one step is not taken for another's.
func TestDecisionNamesItsStep(t *testing.T) {
	ctx := context.Background()
	w := serve(t, newMemory(), callFunc(unanswered), nil)
	w.start("r", drivertest.Plan(t, `
workflows:
  - workflowId: main
    steps:
      - {stepId: make, operationId: createItem, requestBody: {payload: {name: a}}}
      - {stepId: grant, operationId: createItem, requestBody: {payload: {name: b}}}
`, plan.Profile{}), nil)
	w.rest("r", run.Held)
	e := engine.Event{Kind: engine.Skipped, Step: "make", Outputs: map[string]any{"id": "of-make"}}
	if err := w.Signal(ctx, "r", e); err != nil {
		t.Fatalf("Signal(skipped) for the step that is held: %s", fault.Public(err))
	}
	w.rest("r", run.Held)
	for _, kind := range []engine.EventKind{engine.Skipped, engine.Retried, engine.Resumed} {
		e.Kind = kind
		err := w.Signal(ctx, "r", e)
		if want := "the run waits at step grant, not at make"; !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Public(err), want) {
			t.Errorf("Signal(%s) for another step = %s, want %s", kind, fault.Public(err), want)
		}
	}
	w.rest("r", run.Held)
}

// unbound is an executor whose credentials cannot be had.
type unbound struct{}

func (unbound) Bind(context.Context, *plan.Plan, run.Bindings) (worker.Caller, error) {
	return nil, errors.New("a variable is not set")
}

// To cancel a run takes no credentials; to go on with it does.
func TestCancelUnbound(t *testing.T) {
	ctx := context.Background()
	m := newMemory()
	w := serve(t, m, callFunc(unanswered), nil)
	w.start("r", drivertest.Plan(t, one, plan.Profile{}), nil)
	w.rest("r", run.Held)
	w.stop()
	again := serve(t, m, unbound{}, nil)
	if err := again.Signal(ctx, "r", engine.Event{Kind: engine.Retried}); err == nil {
		t.Error("Signal(retried) without credentials succeeded")
	}
	again.rest("r", run.Held)
	if err := again.Signal(ctx, "r", cancelled()); err != nil {
		t.Errorf("Signal(cancelled) without credentials = %s", fault.Public(err))
	}
	again.rest("r", run.Cancelled)
}

// Who resumes a failed run is told how to go on with it.
func TestResumeFailed(t *testing.T) {
	w := serve(t, newMemory(), callFunc(func(context.Context, *engine.Call) *engine.Answer { return answer(400, `{}`) }), nil)
	w.start("r", drivertest.Plan(t, one, plan.Profile{}), nil)
	w.rest("r", run.Failed)
	err := w.Signal(context.Background(), "r", engine.Event{Kind: engine.Resumed})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Public(err), "lanyard runs retry r") {
		t.Errorf("Signal(resumed) to a failed run = %s, want the command that goes on with it", fault.Public(err))
	}
}

// Data that looks like a mask is data: in a run that has not ended, and in one
// that has and is tried again.
func TestMaskAsData(t *testing.T) {
	const document = `
workflows:
  - workflowId: main
    inputs: {type: object, properties: {note: {type: string}}}
    steps:
      - stepId: make
        operationId: createItem
        requestBody: {payload: {name: $inputs.note}}
`
	stores := map[string]func(testing.TB) worker.Store{
		"memory": func(testing.TB) worker.Store { return newMemory() },
		"sqlite": func(t testing.TB) worker.Store { return openSQLite(t).Journal() },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			status := 400
			var sent string
			w := serve(t, s, callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
				if status == 0 {
					return unanswered(ctx, c)
				}
				sent = string(c.Request.Body)
				return answer(status, `{}`)
			}), nil)
			p := drivertest.Plan(t, document, plan.Profile{})
			inputs := map[string]any{"note": "a log with [masked] in it"}
			w.start("failed", p, inputs)
			w.rest("failed", run.Failed)
			status = 0
			w.start("held", p, inputs)
			w.rest("held", run.Held)
			status = 201
			for _, id := range []string{"failed", "held"} {
				if err := w.Signal(context.Background(), id, engine.Event{Kind: engine.Retried}); err != nil {
					t.Fatalf("Signal(retried) to the %s run: %s", id, fault.Public(err))
				}
				w.rest(id, run.Succeeded)
				if want := `{"name":"a log with [masked] in it"}`; sent != want {
					t.Errorf("the %s run sent %s, want %s", id, sent, want)
				}
			}
		})
	}
}

// Of a journal that was wiped without a mark, as earlier versions did, every mask
// counts.
func TestUnmarkedWipe(t *testing.T) {
	m := newMemory()
	w := serve(t, m, callFunc(func(context.Context, *engine.Call) *engine.Answer { return answer(400, `{}`) }), nil)
	w.start("r", drivertest.Plan(t, failing, plan.Profile{}), map[string]any{"user": "ada", "password": "correct-horse"})
	w.rest("r", run.Failed)
	m.mu.Lock()
	for i := range m.records["r"] {
		m.records["r"][i].Sealed = nil
	}
	m.mu.Unlock()
	err := w.Signal(context.Background(), "r", engine.Event{Kind: engine.Retried})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Public(err), "wiped") {
		t.Errorf("Signal(retried) without the secret = %s, want that it was wiped", fault.Public(err))
	}
}
