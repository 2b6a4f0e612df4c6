package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// listed works through a list in two calls for each item. %s are further fields
// of the extension.
const listed = `
workflows:
  - workflowId: main
    inputs: {type: object, properties: {names: {type: array}, secrets: {type: array, items: {type: string, format: password}}, prefix: {type: string}}}
    steps:
      - stepId: each
        workflowId: item
        parameters: [{name: prefix, value: $inputs.prefix}]
        x-lanyard-forEach: {items: $inputs.names, as: name, %s}
    outputs: {n: $steps.each.outputs.succeeded, failed: $steps.each.outputs.failed}
  - workflowId: item
    inputs: {type: object, required: [name], properties: {name: {}, prefix: {type: string}}}
    steps:
      - stepId: first
        operationId: createItem
        requestBody: {payload: {name: $inputs.name}}
        outputs: {id: $response.body#/id}
      - stepId: second
        operationId: createItem
        requestBody: {payload: {name: $inputs.name}}
        outputs: {id: $response.body#/id}
    outputs: {id: $steps.second.outputs.id}
`

func listPlan(t *testing.T, fields string) *plan.Plan {
	t.Helper()
	return drivertest.Plan(t, fmt.Sprintf(listed, fields), plan.Profile{})
}

func names(n int) map[string]any {
	list := make([]any, n)
	for i := range list {
		list[i] = fmt.Sprintf("n%d", i+1)
	}
	return map[string]any{"names": list}
}

// nameOf is the item that a call is about.
func nameOf(c *engine.Call) string {
	var body struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(c.Request.Body, &body) // a body without a name has none
	return body.Name
}

// tally counts calls by item and step.
type tally struct {
	mu    sync.Mutex
	calls map[string]int
	most  int // at the same time
	now   int
}

func (c *tally) enter(call *engine.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[nameOf(call)+"/"+call.Step]++
	c.now++
	c.most = max(c.most, c.now)
}

func (c *tally) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
}

func (c *tally) count(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[key]
}

func itemsOf(t *testing.T, s worker.Store, f worker.ItemFilter) []run.Item {
	t.Helper()
	items, err := s.Items(context.Background(), f)
	if err != nil {
		t.Fatalf("Items: %v", err)
	}
	return items
}

func outputsOf(t *testing.T, r run.Run) map[string]any {
	t.Helper()
	v, err := value.Decode(r.Outputs)
	if err != nil {
		t.Fatalf("outputs %s: %v", r.Outputs, err)
	}
	return v.(map[string]any)
}

// As many items move at the same time as the document allows, and no more; each
// is a run of its own that no list of runs shows.
func TestItemsMoveTogether(t *testing.T) {
	s := openSQLite(t).Journal()
	var c tally
	together := make(chan struct{})
	var first sync.WaitGroup
	first.Add(4)
	go func() { first.Wait(); close(together) }()
	w := serve(t, s, callFunc(func(ctx context.Context, call *engine.Call) *engine.Answer {
		c.enter(call)
		defer c.leave()
		if name := nameOf(call); call.Step == "first" && slices.Contains([]string{"n1", "n2", "n3", "n4"}, name) {
			first.Done()
			<-together // all four are under way
		}
		return answer(201, `{"id": "i-`+nameOf(call)+`"}`)
	}), nil)
	w.start("r", listPlan(t, "maxParallel: 4"), names(20))
	r := w.rest("r", run.Succeeded)
	if c.most != 4 || len(c.calls) != 40 {
		t.Errorf("%d calls at the same time, %d different ones; want 4 and 40", c.most, len(c.calls))
	}
	if diff := cmp.Diff(map[string]any{"n": json.Number("20"), "failed": json.Number("0")}, outputsOf(t, r)); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	items := itemsOf(t, s, worker.ItemFilter{Run: "r", Step: "each", From: 10, Limit: 2})
	if len(items) != 2 || items[0].Child != "r.1.11" || string(items[0].Result) != `{"item":"n11","outputs":{"id":"i-n11"},"succeeded":true}` {
		t.Errorf("items from 10 are %+v", items)
	}
	runs, err := s.Runs(context.Background(), worker.Filter{})
	if err != nil || len(runs) != 1 {
		t.Errorf("Runs = %d runs, %v; want the one that was started", len(runs), err)
	}
	child, err := s.Run(context.Background(), "r.1.11")
	if err != nil || child.Parent == nil || child.Parent.Run != "r" || child.Parent.Position != 10 || child.Workflow != "item" {
		t.Errorf("the item's run is %+v, %v", child, err)
	}
}

// A list does not make its run's journal longer.
func TestListLeavesItsRunSmall(t *testing.T) {
	s := newMemory()
	w := serve(t, s, callFunc(ok), nil)
	w.start("r", listPlan(t, "batch: 7, onError: collect"), names(100))
	w.rest("r", run.Succeeded)
	if n := len(s.records["r"]); n != 2 {
		t.Errorf("the run has %d records, want 2", n)
	}
	if n := len(s.items); n != 15 {
		t.Errorf("there are %d batches, want 15", n)
	}
}

// An item in doubt holds the run when no other moves any more; a decision goes to
// the item that it names, or to the first.
func TestItemInDoubtHoldsTheRun(t *testing.T) {
	s := openSQLite(t).Journal()
	var c tally
	w := serve(t, s, callFunc(func(ctx context.Context, call *engine.Call) *engine.Answer {
		c.enter(call)
		defer c.leave()
		if name := nameOf(call); call.Step == "first" && (name == "n2" || name == "n4") && c.count(name+"/first") == 1 {
			return unanswered(ctx, call)
		}
		return answer(201, `{"id": "i"}`)
	}), nil)
	w.start("r", listPlan(t, "maxParallel: 2, onError: collect"), names(5))
	r := w.rest("r", run.Held)
	if !strings.HasPrefix(r.Reason, "item 2 of 5, n2: step first is in doubt") {
		t.Errorf("the run is held because %s", r.Reason)
	}
	if c.count("n5/second") != 1 || c.count("n2/second") != 0 {
		t.Error("the other items were not done")
	}
	ctx := context.Background()
	if err := w.Signal(ctx, "r.1.3", engine.Event{Kind: engine.Retried}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a decision about an item that is over = %v, want a conflict", err)
	}
	if err := w.Signal(ctx, "r.1.4", engine.Event{Kind: engine.Cancelled}); !fault.Is(err, fault.Conflict) {
		t.Errorf("cancelling an item = %v, want a conflict", err)
	}
	if err := w.Signal(ctx, "r", engine.Event{Kind: engine.Retried, Step: "second"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a decision about another step = %v, want a conflict", err)
	}
	if err := w.Signal(ctx, "r.1.4", engine.Event{Kind: engine.Skipped, Step: "first", Outputs: map[string]any{"id": "given"}}); err != nil {
		t.Fatalf("Signal(r.1.4): %s", fault.Public(err))
	}
	w.rest("r", run.Held) // the other one waits still
	w.stop()

	again := serve(t, s, callFunc(func(ctx context.Context, call *engine.Call) *engine.Answer {
		c.enter(call)
		defer c.leave()
		return answer(201, `{"id": "i"}`)
	}), nil)
	if err := again.Signal(ctx, "r", engine.Event{Kind: engine.Retried, Step: "each"}); err != nil {
		t.Fatalf("Signal(r): %s", fault.Public(err))
	}
	again.rest("r", run.Succeeded)
	for key, want := range map[string]int{"n2/first": 2, "n4/first": 1, "n2/second": 1, "n4/second": 1, "n1/first": 1} {
		if got := c.count(key); got != want {
			t.Errorf("%s was called %d times, want %d", key, got, want)
		}
	}
}

// An item that fails ends the list, after those that are under way; a person's
// retry goes on inside it, and does no other again.
func TestRetryGoesOnInsideTheItem(t *testing.T) {
	s := openSQLite(t).Journal()
	var c tally
	broken := true
	w := serve(t, s, callFunc(func(_ context.Context, call *engine.Call) *engine.Answer {
		c.enter(call)
		defer c.leave()
		if broken && nameOf(call) == "n3" && call.Step == "second" {
			return answer(403, `{}`)
		}
		return answer(201, `{"id": "i"}`)
	}), nil)
	w.start("r", listPlan(t, "onError: stop"), names(5))
	r := w.rest("r", run.Failed)
	if want := "step each failed: item 3 of 5, n3: workflow item failed: step second failed"; !strings.HasPrefix(r.Reason, want) {
		t.Errorf("it failed because %s; want %s", r.Reason, want)
	}
	if c.count("n4/first") != 0 {
		t.Error("an item was begun after one had failed")
	}
	broken = false
	if err := w.Signal(context.Background(), "r", engine.Event{Kind: engine.Retried}); err != nil {
		t.Fatalf("Signal: %s", fault.Public(err))
	}
	w.rest("r", run.Succeeded)
	for key, want := range map[string]int{"n1/first": 1, "n3/first": 1, "n3/second": 2, "n5/second": 1} {
		if got := c.count(key); got != want {
			t.Errorf("%s was called %d times, want %d", key, got, want)
		}
	}
}

// Cancelling a run cancels its items, those under way and those that wait.
func TestCancelReachesItems(t *testing.T) {
	s := openSQLite(t).Journal()
	arrived := make(chan struct{})
	w := serve(t, s, callFunc(func(ctx context.Context, call *engine.Call) *engine.Answer {
		if nameOf(call) == "n1" {
			return unanswered(ctx, call)
		}
		arrived <- struct{}{}
		<-ctx.Done()
		return unanswered(ctx, call)
	}), nil)
	w.start("r", listPlan(t, "maxParallel: 3, onError: collect"), names(9))
	for range 3 {
		<-arrived
	}
	ctx := context.Background()
	if err := w.Signal(ctx, "r", engine.Event{Kind: engine.Cancelled, Reason: "enough"}); err != nil {
		t.Fatalf("Signal: %s", fault.Public(err))
	}
	w.rest("r", run.Cancelled)
	children, err := s.Runs(ctx, worker.Filter{Parent: "r"})
	if err != nil || len(children) != 4 {
		t.Fatalf("%d items were begun (%v), want 4", len(children), err)
	}
	for _, r := range children {
		if r.Status != run.Cancelled {
			t.Errorf("item %s is %s", r.ID, r.Status)
		}
	}
}

// Stopping the worker in the middle of a list and going on does every item once.
func TestListGoesOnAfterAStop(t *testing.T) {
	s := openSQLite(t).Journal()
	var c tally
	p := listPlan(t, "maxParallel: 4")
	for life := 0; ; life++ {
		calls, full := 0, make(chan struct{})
		w := serve(t, s, callFunc(func(ctx context.Context, call *engine.Call) *engine.Answer {
			c.mu.Lock()
			calls++
			stop := calls == 23
			late := calls >= 23
			c.mu.Unlock()
			if stop {
				close(full)
			}
			if late {
				<-ctx.Done()
				return &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "it stops"}} // it has not left
			}
			c.enter(call)
			defer c.leave()
			return answer(201, `{"id": "i"}`)
		}), nil)
		if life == 0 {
			w.start("r", p, names(40))
		} else if err := w.Recover(context.Background()); err != nil {
			t.Fatalf("Recover: %s", fault.Public(err))
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			_, _ = w.Rest(context.Background(), "r") // looked at below
		}()
		select {
		case <-full:
			w.stop()
		case <-over:
		}
		if r, err := s.Run(context.Background(), "r"); err != nil || r.Status == run.Succeeded {
			break
		} else if r.Status != run.Running {
			t.Fatalf("the run is %s (%s)", r.Status, r.Reason)
		}
	}
	for i := range 40 {
		for _, step := range []string{"first", "second"} {
			if n := c.count(fmt.Sprintf("n%d/%s", i+1, step)); n != 1 {
				t.Errorf("item %d: step %s was called %d times", i+1, step, n)
			}
		}
	}
}

// secretList hands secrets to items and reads what comes back.
const secretList = `
workflows:
  - workflowId: main
    inputs: {type: object, properties: {phrases: {type: array, items: {type: string, format: password}}}}
    steps:
      - stepId: each
        workflowId: item
        x-lanyard-forEach: {items: $inputs.phrases, as: phrase, maxParallel: 2, collect: $outputs.made}
        outputs: {list: $outputs.results}
      - stepId: shape
        x-lanyard-compute:
          with: {phrases: $inputs.phrases}
          loud: phrases[0].upperAscii()
          n: size(steps.each.outputs.collected)
      - stepId: use
        operationId: createItem
        requestBody: {payload: {a: $steps.each.outputs.list, b: $steps.each.outputs.collected, c: $steps.shape.outputs.loud}}
    outputs: {list: $steps.each.outputs.list, loud: $steps.shape.outputs.loud}
  - workflowId: item
    inputs: {type: object, properties: {phrase: {}}}
    steps:
      - stepId: make
        operationId: createItem
        requestBody: {payload: {b: $inputs.phrase}}
        outputs: {made: $response.body#/client_secret}
    outputs: {made: $steps.make.outputs.made}
`

func TestSecretsOfItemsAreNotKept(t *testing.T) {
	s := openSQLite(t).Journal()
	var sent string
	hang := make(chan struct{})
	w := serve(t, s, callFunc(func(ctx context.Context, call *engine.Call) *engine.Answer {
		if call.Step == "use" {
			hang <- struct{}{}
			<-ctx.Done()
			return &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "it stops"}}
		}
		return answer(201, fmt.Sprintf(`{"client_secret": %q}`, "made-of-"+string(call.Request.Body[5:16])))
	}), nil)
	w.start("r", drivertest.Plan(t, secretList, plan.Profile{}), map[string]any{"phrases": []any{"Hunter2-one-two", "Swordfish-three"}})
	<-hang
	w.stop()
	look := func() {
		t.Helper()
		all := kept(t, s, "r") + kept(t, s, "r.1.1") + kept(t, s, "r.1.2")
		for _, i := range itemsOf(t, s, worker.ItemFilter{Run: "r"}) {
			all += string(i.Result)
		}
		for _, secret := range []string{"Hunter2", "HUNTER2", "Swordfish", "made-of-"} {
			if at := strings.Index(all, secret); at >= 0 {
				t.Errorf("%s is kept: %s", secret, all[max(0, at-200):min(len(all), at+60)])
			}
		}
	}
	look()
	again := serve(t, s, callFunc(func(_ context.Context, call *engine.Call) *engine.Answer {
		sent = string(call.Request.Body)
		return answer(201, `{}`)
	}), nil)
	if err := again.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	again.rest("r", run.Succeeded)
	for _, secret := range []string{"Hunter2-one-two", "Swordfish-three", "HUNTER2-ONE-TWO", `"b":["made-of-`} {
		if !strings.Contains(sent, secret) {
			t.Errorf("%s was not sent: %s", secret, sent)
		}
	}
	look()
	for _, i := range itemsOf(t, s, worker.ItemFilter{Run: "r"}) {
		if len(i.Sealed) > 0 {
			t.Error("what is sealed of an item was not wiped when the run ended")
		}
	}
}
