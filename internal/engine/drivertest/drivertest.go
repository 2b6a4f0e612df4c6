package drivertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Process is a driver at work.
type Process interface {
	// Start begins a run; starting it twice changes nothing.
	Start(ctx context.Context, id string, p *plan.Plan, inputs map[string]any) (existed bool, err error)
	// Recover goes on with every run that was moving when the last process ended.
	Recover(ctx context.Context) error
	// Signal delivers a person's decision.
	Signal(ctx context.Context, id string, e engine.Event) error
	// Rest waits until a run does not move, or the process is dead, and returns it.
	Rest(ctx context.Context, id string) (run.Run, error)
	// Stop ends the process in good order. What is under way is interrupted.
	Stop()
}

// Open opens a process on the data that earlier ones of the same Data left.
type Open func(t testing.TB, l *Life) Process

// Options say how thorough Run is.
type Options struct {
	// Twice lets the process that resumes die as well, at many of its
	// boundaries. The number of lives grows with the square of the boundaries.
	Twice bool
}

// Run holds a driver against the contract. data makes a place for the journal,
// empty, and returns how processes are opened on it.
func Run(t *testing.T, data func(t testing.TB) Open, o Options) {
	c := contract{data: data, options: o}
	t.Run("Straight", c.straight)
	t.Run("Crash", c.crash)
	t.Run("List", c.list)
	t.Run("StartTwice", c.startTwice)
	t.Run("Cancel", c.cancel)
	t.Run("CancelHeld", c.cancelHeld)
	t.Run("StopDuringRead", func(t *testing.T) { c.stop(t, "find", true, run.Succeeded) })
	t.Run("StopDuringWrite", func(t *testing.T) { c.stop(t, "plain", true, run.Held) })
	t.Run("StopBeforeWrite", func(t *testing.T) { c.stop(t, "plain", false, run.Succeeded) })
}

type contract struct {
	data    func(t testing.TB) Open
	options Options
}

// pairs thins out the second deaths: each first one is followed by every third,
// the next first one by the others.
const pairs = 3

// patience bounds a wait for what should take milliseconds.
const patience = 30 * time.Second

// Everything is a document for Plan that has a step for each way of settling a
// call in doubt. It takes the input who.
const Everything = `
workflows:
  - workflowId: main
    inputs: {type: object, required: [who], properties: {who: {type: string}}}
    steps:
      - stepId: find
        operationId: findItems
        parameters: [{name: name, in: query, value: known}]
        outputs: {id: $response.body#/items/0/id}
      - stepId: lookup
        operationId: createItem
        requestBody: {payload: {name: "lookup-{$inputs.who}"}}
        x-lanyard-idempotency:
          lookup:
            operationId: findItems
            parameters: [{name: name, in: query, value: "lookup-{$inputs.who}"}]
            found: $response.body#/items/0 != null
            body: $response.body#/items/0
        outputs: {name: $response.body#/name}
      - stepId: key
        operationId: createItem
        requestBody: {payload: {name: "key-{$inputs.who}"}}
        x-lanyard-idempotency: {key: "k-{$inputs.who}", header: Idempotency-Key}
        outputs: {name: $response.body#/name}
      - stepId: done
        operationId: createUnique
        requestBody: {payload: {name: "done-{$inputs.who}"}}
        x-lanyard-idempotency: {done: [409]}
        outputs: {name: $response.body#/name}
      - stepId: put
        operationId: putItem
        parameters: [{name: id, in: path, value: put}]
        requestBody: {payload: {name: "put-{$inputs.who}"}}
        outputs: {name: $response.body#/name}
      - stepId: busy
        operationId: createBusy
        requestBody: {payload: {name: "busy-{$inputs.who}"}}
        onFailure: [{name: again, type: retry, retryAfter: 0.001, retryLimit: 2}]
        outputs: {name: $response.body#/name}
      - stepId: call
        workflowId: helper
        parameters: [{name: who, value: $inputs.who}]
        outputs: {name: $outputs.name}
      - stepId: each
        workflowId: item
        x-lanyard-forEach: {items: [first, second], as: name}
        outputs: {last: $outputs.results#/1/outputs/name}
      - stepId: delete
        operationId: deleteItem
        parameters: [{name: id, in: path, value: $steps.find.outputs.id}]
        x-lanyard-idempotency: {done: [404]}
    outputs:
      lookup: $steps.lookup.outputs.name
      key: $steps.key.outputs.name
      done: $steps.done.outputs.name
      put: $steps.put.outputs.name
      busy: $steps.busy.outputs.name
      plain: $steps.call.outputs.name
      last: $steps.each.outputs.last
  - workflowId: helper
    inputs: {type: object, properties: {who: {type: string}}}
    steps:
      - stepId: plain
        operationId: createItem
        requestBody: {payload: {name: "plain-{$inputs.who}"}}
        outputs: {name: $response.body#/name}
    outputs: {name: $steps.plain.outputs.name}
  - workflowId: item
    inputs: {type: object, properties: {name: {type: string}}}
    steps:
      - stepId: item
        operationId: createItem
        requestBody: {payload: {name: $inputs.name}}
        x-lanyard-idempotency:
          lookup:
            operationId: findItems
            parameters: [{name: name, in: query, value: $inputs.name}]
            found: $response.body#/items/0 != null
            body: $response.body#/items/0
        outputs: {name: $response.body#/name}
    outputs: {name: $steps.item.outputs.name}
`

// Steps by what a crash during their call may lead to.
var (
	writes    = []string{"lookup", "key", "done", "put", "busy", "plain", "item", "delete"}
	unsettled = map[string]bool{"busy": true, "plain": true} // no rule: held
)

// Steps that do not call, or change, once.
var (
	calls   = map[string]int{"busy": 2, "item": 2}
	changes = map[string]int{"item": 2}
)

// often is how often a step that nothing happens to does something.
func often(exceptions map[string]int, step string) int {
	if n, ok := exceptions[step]; ok {
		return n
	}
	return 1
}

// id is the run of every trial.
const id = "run-1"

// trial is one run through one or more processes, on one target.
type trial struct {
	*testing.T
	open   Open
	plan   *plan.Plan
	target *Target
}

func (c *contract) trial(t *testing.T) *trial {
	t.Helper()
	return &trial{T: t, open: c.data(t), plan: Plan(t, Everything, plan.Profile{}), target: newTarget()}
}

func (t *trial) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// inputs are the same for every start.
func inputs() map[string]any { return map[string]any{"who": "ada"} }

// live starts the run in a process that dies at a boundary, or does not, and
// returns it at rest with the process that brought it there, still open.
func (t *trial) live(dies int) (run.Run, Process, *Life) {
	t.Helper()
	l := newLife(t.target, dies)
	p := t.open(t, l)
	ctx := t.context()
	err := p.Recover(ctx)
	if err == nil {
		_, err = p.Start(ctx, id, t.plan, inputs())
	}
	var r run.Run
	if err == nil {
		r, err = p.Rest(ctx, id)
	}
	select {
	case <-l.Dead():
	default:
		if err != nil {
			t.Fatalf("the run does not come to rest: %s", fault.Public(err))
		}
	}
	return r, p, l
}

// straight is a run that nothing happens to.
func (c *contract) straight(t *testing.T) {
	tr := c.trial(t)
	r, p, _ := tr.live(0)
	defer p.Stop()
	tr.succeeded(r)
	asked, effects := tr.target.counts()
	want := map[string]int{"find": 1, "lookup": 1, "key": 1, "done": 1, "put": 1, "busy": 2, "plain": 1, "item": 2, "delete": 1}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("calls by step (-want +got):\n%s", diff)
	}
	for _, step := range writes {
		if want := often(changes, step); effects[step] != want {
			t.Errorf("step %s changed something %d times, want %d", step, effects[step], want)
		}
	}
}

// crash kills the process at each of its boundaries in turn.
func (c *contract) crash(t *testing.T) {
	for dies := 1; ; dies++ {
		over := false
		t.Run(fmt.Sprint(dies), func(t *testing.T) {
			tr := c.trial(t)
			_, p, l := tr.live(dies)
			p.Stop()
			if at, _, reached := l.end(); at == "" {
				over = true
				t.Logf("a run has %d boundaries", reached)
				return
			}
			boundaries := tr.resume(0, l)
			if !c.options.Twice {
				return
			}
			for again := 1 + dies%pairs; again <= boundaries; again += pairs {
				tr := c.trial(t)
				_, p, l := tr.live(dies)
				p.Stop()
				tr.resume(again, l)
			}
		})
		if over || t.Failed() {
			return
		}
	}
}

// resume brings a run whose process died to its end, in a process that dies at
// a boundary as well, or does not, and checks what came of it. It returns how
// many boundaries that process had, if it lived.
func (t *trial) resume(dies int, lives ...*Life) int {
	t.Helper()
	r, p, l := t.live(dies)
	var err error
	for r.Status == run.Held && err == nil {
		r, err = t.decide(p, r)
	}
	p.Stop()
	at, _, boundaries := l.end()
	if at != "" {
		t.resume(0, append(lives, l)...)
		return 0
	}
	flying := map[string]bool{} // steps whose call was under way when a process died
	where := ""
	for _, l := range lives {
		at, sent, _ := l.end()
		flying[sent] = true
		where += fmt.Sprintf(" [%s, last sent %s]", at, sent)
	}
	if err != nil {
		t.Fatalf("killed at%s: %s", where, fault.Public(err))
	}
	t.succeeded(r)
	asked, effects := t.target.counts()
	for _, step := range writes {
		if want := often(changes, step); effects[step] != want && (step != "put" || effects[step] < 1 || !flying[step]) {
			t.Errorf("killed at%s: step %s changed something %d times, want %d", where, step, effects[step], want)
		}
	}
	for step, n := range asked {
		want := often(calls, step)
		if n != want && (!flying[step] || n > want+len(lives)) {
			t.Errorf("killed at%s: step %s was called %d times, want %d", where, step, n, want)
		}
	}
	return boundaries
}

// decide does what a person does about a held run: look, then skip or retry.
func (t *trial) decide(p Process, r run.Run) (run.Run, error) {
	t.Helper()
	step := ""
	for _, w := range writes {
		if strings.Contains(r.Reason, "step "+w+" ") {
			step = w
		}
	}
	if !unsettled[step] {
		t.Fatalf("the run is held in step %q (%s), which has a rule", step, r.Reason)
	}
	e := engine.Event{Kind: engine.Retried, By: "the contract"}
	if item := t.target.made(step + "-ada"); item != nil {
		e.Kind, e.Outputs = engine.Skipped, map[string]any{"name": item["name"]}
	}
	ctx := t.context()
	if err := p.Signal(ctx, id, e); err != nil {
		return r, err
	}
	return p.Rest(ctx, id)
}

func (t *trial) succeeded(r run.Run) {
	t.Helper()
	if r.Status != run.Succeeded {
		t.Fatalf("the run is %s (%s), want succeeded", r.Status, r.Reason)
	}
	got, err := value.Decode(r.Outputs)
	if err != nil {
		t.Fatalf("outputs %s: %v", r.Outputs, err)
	}
	want := map[string]any{"lookup": "lookup-ada", "key": "key-ada", "done": "done-ada", "put": "put-ada", "busy": "busy-ada", "plain": "plain-ada", "last": "second"}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

// startTwice starts a run that is over, and one of another id.
func (c *contract) startTwice(t *testing.T) {
	tr := c.trial(t)
	_, p, _ := tr.live(0)
	defer p.Stop()
	before, _ := tr.target.counts()
	existed, err := p.Start(tr.context(), id, tr.plan, inputs())
	if err != nil || !existed {
		t.Errorf("Start of a run that exists = %v, %v, want true, nil", existed, err)
	}
	if _, err := p.Rest(tr.context(), id); err != nil {
		t.Errorf("Rest: %v", err)
	}
	after, _ := tr.target.counts()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("starting a run twice made calls (-before +after):\n%s", diff)
	}
}

// hang runs until the call of a step hangs.
func (t *trial) hang(step string, sent bool) Process {
	t.Helper()
	l := newLife(t.target, 0)
	l.gate[step], l.gateSends = make(chan struct{}), sent
	p := t.open(t, l)
	ctx := t.context()
	if _, err := p.Start(ctx, id, t.plan, inputs()); err != nil {
		t.Fatalf("Start: %s", fault.Public(err))
	}
	select {
	case <-l.gate[step]:
	case <-ctx.Done():
		t.Fatalf("step %s was not called", step)
	}
	return p
}

// cancel cancels a run during a call.
func (c *contract) cancel(t *testing.T) {
	tr := c.trial(t)
	p := tr.hang("plain", true)
	defer p.Stop()
	if err := p.Signal(tr.context(), id, engine.Event{Kind: engine.Cancelled, Reason: "enough"}); err != nil {
		t.Fatalf("Signal(cancelled): %s", fault.Public(err))
	}
	tr.cancelled(p)
	if asked, _ := tr.target.counts(); asked["delete"] > 0 {
		t.Error("a cancelled run went on")
	}
	err := p.Signal(tr.context(), id, engine.Event{Kind: engine.Cancelled})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("cancelling a run that has ended = %v, want a conflict", err)
	}
}

func (t *trial) cancelled(p Process) {
	t.Helper()
	r, err := p.Rest(t.context(), id)
	if err != nil || r.Status != run.Cancelled {
		t.Errorf("the run is %s (%v), want cancelled", r.Status, err)
	}
}

// cancelHeld cancels a run that waits for a person, in a later process.
func (c *contract) cancelHeld(t *testing.T) {
	tr := c.trial(t)
	tr.hang("plain", true).Stop()
	r, p, _ := tr.live(0)
	defer p.Stop()
	if r.Status != run.Held {
		t.Fatalf("the run is %s, want held", r.Status)
	}
	if err := p.Signal(tr.context(), id, engine.Event{Kind: engine.Cancelled, Reason: "enough"}); err != nil {
		t.Fatalf("Signal(cancelled): %s", fault.Public(err))
	}
	tr.cancelled(p)
}

// stop ends a process in good order while a step's call is under way, or about to be.
func (c *contract) stop(t *testing.T, step string, sent bool, want run.Status) {
	tr := c.trial(t)
	tr.hang(step, sent).Stop()
	r, p, _ := tr.live(0)
	defer p.Stop()
	if r.Status != want {
		t.Errorf("after a stop during the call of %s the run is %s (%s), want %s", step, r.Status, r.Reason, want)
	}
}
