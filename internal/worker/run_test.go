package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// one makes a single call that is not repeatable and has no rule.
const one = `
workflows:
  - workflowId: main
    steps:
      - stepId: make
        operationId: createItem
        requestBody: {payload: {name: a}}
        outputs: {id: $response.body#/id}
    outputs: {id: $steps.make.outputs.id}
`

// retrying waits an hour before it tries again.
const retrying = `
workflows:
  - workflowId: main
    steps:
      - stepId: read
        operationId: getItem
        parameters: [{name: id, in: path, value: a}]
        onFailure: [{name: again, type: retry, retryAfter: 3600, retryLimit: 3}]
`

// unanswered sends and gets no answer.
func unanswered(context.Context, *engine.Call) *engine.Answer {
	return &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "the connection broke off", Sent: true}}
}

func cancelled() engine.Event { return engine.Event{Kind: engine.Cancelled, Reason: "enough"} }

// Turns that arrive while a commit is under way share the next one.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = 20
		m := newMemory()
		gate := make(chan struct{})
		m.before = func([]worker.Entry) error {
			<-gate
			return nil
		}
		p := drivertest.Plan(t, one, plan.Profile{})
		w := serve(t, m, callFunc(ok), nil)
		var starting sync.WaitGroup
		for i := range runs {
			starting.Go(func() { w.start(fmt.Sprint(i), p, nil) })
		}
		synctest.Wait() // the writer stands before the first commit, all others behind it
		close(gate)
		starting.Wait()
		for i := range runs {
			w.rest(fmt.Sprint(i), run.Succeeded)
		}
		w.stop()
		if first := m.groups[0] + m.groups[1]; first < runs {
			t.Errorf("the first commits had %d and %d entries, want at least %d together", m.groups[0], m.groups[1], runs)
		}
	})
}

// A duplicate in a group fails alone.
func TestGroupWithDuplicate(t *testing.T) {
	m := newMemory()
	p := drivertest.Plan(t, one, plan.Profile{})
	serve(t, m, callFunc(ok), nil).start("there", p, nil)
	again := serve(t, m, callFunc(ok), nil)
	var starting sync.WaitGroup
	var existed atomic.Int32
	for _, id := range []string{"there", "new-1", "new-2"} {
		starting.Go(func() {
			was, err := again.Start(context.Background(), id, p, nil)
			if err != nil {
				t.Errorf("Start(%s): %v", id, err)
			}
			if was {
				existed.Add(1)
			}
		})
	}
	starting.Wait()
	if got := existed.Load(); got != 1 {
		t.Errorf("%d of three runs existed, want 1", got)
	}
	again.rest("new-1", run.Succeeded)
	again.rest("new-2", run.Succeeded)
}

// No more runs move at the same time than allowed; those that wait for a timer
// do not count.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
			n := now.Add(1)
			defer now.Add(-1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
			time.Sleep(time.Second)
			if c.Attempt == 1 {
				return answer(503, `{}`)
			}
			return ok(ctx, c)
		})
		w := serve(t, newMemory(), x, func(w *worker.Worker) { w.Concurrency = 3 })
		p := drivertest.Plan(t, retrying, plan.Profile{})
		began := time.Now()
		for i := range 12 {
			w.start(fmt.Sprint(i), p, nil)
		}
		for i := range 12 {
			if err := w.Await(context.Background(), fmt.Sprint(i), 1<<30); err != nil {
				t.Error(err)
			}
			if r, _ := w.Store.Run(context.Background(), fmt.Sprint(i)); r.Status != run.Succeeded {
				t.Errorf("run %d is %s, want succeeded", i, r.Status)
			}
		}
		if most.Load() != 3 {
			t.Errorf("%d runs moved at the same time, want 3", most.Load())
		}
		// 12 calls by threes take 4 s; each then waits an hour; 3 at a time again.
		if took := time.Since(began); took > time.Hour+10*time.Second {
			t.Errorf("it took %v: runs that wait for a timer kept their places", took)
		}
		w.stop()
	})
}

func TestTimerAndRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var times []time.Duration
		x := callFunc(func(_ context.Context, c *engine.Call) *engine.Answer {
			times = append(times, time.Since(began))
			a := answer(429, `{}`)
			switch c.Attempt {
			case 1:
				a.Header["Retry-After"] = []string{"7"}
			case 2:
				a.Header["Retry-After"] = []string{time.Now().Add(30 * time.Second).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
			default:
				a = answer(200, `{}`)
			}
			return a
		})
		w := serve(t, newMemory(), x, nil)
		w.start("r", drivertest.Plan(t, retrying, plan.Profile{}), nil)
		w.rest("r", run.Succeeded)
		want := []time.Duration{0, 7 * time.Second, 37 * time.Second}
		if fmt.Sprint(times) != fmt.Sprint(want) {
			t.Errorf("calls at %v, want %v", times, want)
		}
		w.stop()
	})
}

// A run that waits for a timer goes on in the next process at the same time.
func TestTimerSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		began := time.Now()
		var second time.Duration
		x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
			if c.Attempt == 1 {
				return answer(503, `{}`)
			}
			second = time.Since(began)
			return ok(ctx, c)
		})
		w := serve(t, m, x, nil)
		w.start("r", drivertest.Plan(t, retrying, plan.Profile{}), nil)
		time.Sleep(10 * time.Minute)
		w.stop()
		time.Sleep(10 * time.Minute)
		again := serve(t, m, x, nil)
		ids, err := again.Worker.Recover(context.Background())
		if err != nil || fmt.Sprint(ids) != "[r]" {
			t.Fatalf("Recover = %v, %v, want [r]", ids, err)
		}
		again.rest("r", run.Succeeded)
		if second != time.Hour {
			t.Errorf("the second attempt was made after %v, want 1h", second)
		}
		again.stop()
	})
}

func TestCancel(t *testing.T) {
	hang := make(chan struct{}, 1)
	tests := []struct {
		name, document string
		call           callFunc
		inDoubt        bool
	}{
		{"during a call", one, func(ctx context.Context, _ *engine.Call) *engine.Answer {
			hang <- struct{}{}
			<-ctx.Done()
			return unanswered(ctx, nil)
		}, true},
		{"during a call that ends well", one, func(ctx context.Context, c *engine.Call) *engine.Answer {
			hang <- struct{}{}
			<-ctx.Done()
			return ok(ctx, c)
		}, false},
		{"during a timer", retrying, func(context.Context, *engine.Call) *engine.Answer {
			hang <- struct{}{}
			return answer(503, `{}`)
		}, false},
		{"while held", one, func(context.Context, *engine.Call) *engine.Answer {
			hang <- struct{}{}
			return unanswered(context.Background(), nil)
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			w := serve(t, m, test.call, nil)
			w.start("r", drivertest.Plan(t, test.document, plan.Profile{}), nil)
			<-hang
			if err := w.Signal(context.Background(), "r", cancelled()); err != nil {
				t.Fatalf("Signal: %s", fault.Public(err))
			}
			r := w.rest("r", run.Cancelled)
			if r.Reason != "enough" || r.Ended.IsZero() {
				t.Errorf("the run's end is %q at %v", r.Reason, r.Ended)
			}
			records, _ := m.Records(context.Background(), "r", 0)
			answered := strings.Contains(string(records[len(records)-1].Event), `"status":200`)
			if strings.Contains(test.name, "ends well") && !answered {
				t.Errorf("the answer is lost: %s", records[len(records)-1].Event)
			}
			if err := w.Signal(context.Background(), "r", cancelled()); !fault.Is(err, fault.Conflict) {
				t.Errorf("Signal to a run that has ended = %v, want a conflict", err)
			}
		})
	}
}

// A run that waits for its turn can be cancelled without having it.
func TestCancelQueued(t *testing.T) {
	hang, free := make(chan struct{}, 2), make(chan struct{})
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		hang <- struct{}{}
		select {
		case <-free:
		case <-ctx.Done():
		}
		return ok(ctx, c)
	})
	w := serve(t, newMemory(), x, func(w *worker.Worker) { w.Concurrency = 1 })
	p := drivertest.Plan(t, one, plan.Profile{})
	w.start("first", p, nil)
	<-hang
	w.start("second", p, nil)
	if err := w.Signal(context.Background(), "second", cancelled()); err != nil {
		t.Fatalf("Signal: %v", err)
	}
	w.rest("second", run.Cancelled)
	close(free)
	w.rest("first", run.Succeeded)
	if len(hang) != 0 {
		t.Error("the cancelled run made its call")
	}
}

func TestDecisions(t *testing.T) {
	var calls atomic.Int32
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		if calls.Add(1) == 1 {
			return unanswered(ctx, c)
		}
		return answer(201, `{"id":"made"}`)
	})
	ctx := context.Background()
	tests := []struct {
		event  engine.Event
		status run.Status
		calls  int32
		output string
	}{
		{engine.Event{Kind: engine.Resumed}, run.Held, 1, ""},
		{engine.Event{Kind: engine.Retried}, run.Succeeded, 2, "made"},
		{engine.Event{Kind: engine.Skipped, Outputs: map[string]any{"id": "seen"}}, run.Succeeded, 1, "seen"},
	}
	for _, test := range tests {
		t.Run(string(test.event.Kind), func(t *testing.T) {
			calls.Store(0)
			w := serve(t, newMemory(), x, nil)
			w.start("r", drivertest.Plan(t, one, plan.Profile{}), nil)
			held := w.rest("r", run.Held)
			if !strings.Contains(held.Reason, "step make is in doubt") {
				t.Errorf("the reason is %q", held.Reason)
			}
			if err := w.Signal(ctx, "r", test.event); err != nil {
				t.Fatalf("Signal: %s", fault.Public(err))
			}
			r := w.rest("r", test.status)
			if got := calls.Load(); got != test.calls {
				t.Errorf("%d calls, want %d", got, test.calls)
			}
			if test.output != "" && string(r.Outputs) != fmt.Sprintf(`{"id":%q}`, test.output) {
				t.Errorf("outputs %s, want id %s", r.Outputs, test.output)
			}
			if err := w.Signal(ctx, "nobody", test.event); !fault.Is(err, fault.NotFound) {
				t.Errorf("Signal to an unknown run = %v, want not found", err)
			}
		})
	}
}

// Decisions about one run at the same time: one of them counts.
func TestDecisionsAtOnce(t *testing.T) {
	var calls atomic.Int32
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		if calls.Add(1) == 1 {
			return unanswered(ctx, c)
		}
		return ok(ctx, c)
	})
	w := serve(t, newMemory(), x, nil)
	w.start("r", drivertest.Plan(t, one, plan.Profile{}), nil)
	w.rest("r", run.Held)
	var deciding sync.WaitGroup
	var taken atomic.Int32
	for range 8 {
		deciding.Go(func() {
			err := w.Signal(context.Background(), "r", engine.Event{Kind: engine.Retried})
			switch {
			case err == nil:
				taken.Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("Signal: %v, want a conflict", err)
			}
		})
	}
	deciding.Wait()
	w.rest("r", run.Succeeded)
	if taken.Load() != 1 || calls.Load() != 2 {
		t.Errorf("%d decisions were taken and %d calls made, want 1 and 2", taken.Load(), calls.Load())
	}
}

func TestSignalToMovingRun(t *testing.T) {
	hang := make(chan struct{})
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		hang <- struct{}{}
		<-hang
		return ok(ctx, c)
	})
	w := serve(t, newMemory(), x, nil)
	w.start("r", drivertest.Plan(t, one, plan.Profile{}), nil)
	<-hang
	if err := w.Signal(context.Background(), "r", engine.Event{Kind: engine.Retried}); !fault.Is(err, fault.Conflict) {
		t.Errorf("Signal(retried) = %v, want a conflict", err)
	}
	hang <- struct{}{}
	w.rest("r", run.Succeeded)
}

// Recover leaves alone what this process itself has under way.
func TestRecoverBesideMovingRuns(t *testing.T) {
	hang := make(chan struct{})
	var calls atomic.Int32
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		calls.Add(1)
		hang <- struct{}{}
		<-hang
		return ok(ctx, c)
	})
	w := serve(t, newMemory(), x, nil)
	w.start("r", drivertest.Plan(t, one, plan.Profile{}), nil)
	<-hang
	ids, err := w.Worker.Recover(context.Background())
	if err != nil || len(ids) != 0 {
		t.Errorf("Recover = %v, %v, want nothing", ids, err)
	}
	hang <- struct{}{}
	w.rest("r", run.Succeeded)
	if calls.Load() != 1 {
		t.Errorf("%d calls, want 1", calls.Load())
	}
}

func TestAwait(t *testing.T) {
	hang := make(chan struct{})
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		<-hang
		return ok(ctx, c)
	})
	w := serve(t, newMemory(), x, nil)
	ctx := context.Background()
	if err := w.Await(ctx, "nobody", 0); err != nil {
		t.Errorf("Await of an unknown run = %v, want nil", err)
	}
	w.start("r", drivertest.Plan(t, two, plan.Profile{}), nil)
	if err := w.Await(ctx, "r", 0); err != nil {
		t.Errorf("Await of a record that is there = %v", err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.Await(short, "r", 1); err != context.Canceled {
		t.Errorf("Await with an ended context = %v", err)
	}
	hang <- struct{}{}
	if err := w.Await(ctx, "r", 1); err != nil {
		t.Errorf("Await of the second record = %v", err)
	}
	if records, _ := w.Store.Records(ctx, "r", 1); len(records) == 0 {
		t.Error("Await came back before the second record")
	}
	hang <- struct{}{}
	w.rest("r", run.Succeeded)
}

// A journal that cannot be written stops the run before its next call leaves. The
// answer that it has is written again for a while; those who wait learn why it
// does not move.
func TestNoRecordNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var calls, writes atomic.Int32
		var room atomic.Bool
		m.before = func(entries []worker.Entry) error {
			if entries[0].Record.Seq == 2 && !room.Load() {
				writes.Add(1)
				return fault.New(fault.TooLarge, "the disk is full")
			}
			return nil
		}
		w := serve(t, m, callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
			calls.Add(1)
			return ok(ctx, c)
		}), nil)
		w.start("r", drivertest.Plan(t, two, plan.Profile{}), nil)
		for range 2 { // one who has waited, and one who comes later
			_, err := w.Rest(context.Background(), "r")
			if text := fault.Public(err); !fault.Is(err, fault.TooLarge) || !strings.Contains(text, "the disk is full") || !strings.Contains(text, "lanyard runs resume r") {
				t.Errorf("waiting for the run = %s, want that the disk is full and what to do", text)
			}
		}
		if calls.Load() != 1 || writes.Load() < 3 {
			t.Errorf("%d calls were made and the answer was written %d times, want one call and several tries", calls.Load(), writes.Load())
		}
		room.Store(true)
		if err := w.Signal(context.Background(), "r", engine.Event{Kind: engine.Resumed}); err != nil {
			t.Fatalf("Signal(resumed) to a run that stopped moving: %v", err)
		}
		w.rest("r", run.Succeeded)
		w.stop()
	})
}

// An answer is kept in mind while the disk is full for a moment.
func TestAnswerWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var failed, calls atomic.Int32
		m.before = func(entries []worker.Entry) error {
			if entries[0].Record.Seq == 2 && failed.Add(1) < 4 {
				return fault.New(fault.TooLarge, "the disk is full")
			}
			return nil
		}
		w := serve(t, m, callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
			calls.Add(1)
			return ok(ctx, c)
		}), nil)
		w.start("r", drivertest.Plan(t, one, plan.Profile{}), nil)
		w.rest("r", run.Succeeded)
		if calls.Load() != 1 {
			t.Errorf("%d calls were made, want 1", calls.Load())
		}
		w.stop()
	})
}

// A process that has stopped says so instead of waiting for ever.
func TestAfterStop(t *testing.T) {
	w := serve(t, newMemory(), callFunc(ok), nil)
	p := drivertest.Plan(t, one, plan.Profile{})
	w.stop()
	if _, err := w.Start(context.Background(), "r", p, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Start after the stop = %v, want unavailable", err)
	}
	unserved := &worker.Worker{}
	if _, err := unserved.Start(context.Background(), run.Spec{ID: "r"}, p, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Start before Serve = %v, want unavailable", err)
	}
}

// Intents hold what is about to be sent.
func TestIntent(t *testing.T) {
	m := newMemory()
	w := serve(t, m, callFunc(ok), nil)
	w.start("r", drivertest.Plan(t, two, plan.Profile{}), nil)
	w.rest("r", run.Succeeded)
	records, _ := m.Records(context.Background(), "r", 0)
	var got []worker.Intent
	if err := json.Unmarshal(records[0].Intents, &got); err != nil || len(got) != 1 {
		t.Fatalf("intents %s: %v", records[0].Intents, err)
	}
	i := got[0]
	if i.Step != "first" || i.Visit != 1 || i.Method != "PUT" || i.Target != "/items/a" || string(i.JSON) != `{"name":"a"}` || !i.Writes || i.Workflow != "main" {
		t.Errorf("the intent is %+v", i)
	}
}
