package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// DefaultConcurrency is how many runs move at the same time.
const DefaultConcurrency = 64

// Worker drives runs. Its fields are set before Serve and not changed after.
type Worker struct {
	Store       Store
	Executor    Executor
	Key         secret.Key
	Log         *slog.Logger
	Now         func() time.Time
	Concurrency int // runs that move at the same time; 0: DefaultConcurrency

	names  names
	writer *writer
	slots  chan struct{}
	base   context.Context // ends when Serve is told to stop
	tasks  sync.WaitGroup  // the goroutines that drive runs

	mu     sync.Mutex
	plans  map[string]*compiled
	active map[string]*active
	served bool
}

type compiled struct {
	plan    *plan.Plan
	machine *engine.Machine
}

// active is a run that has a goroutine.
type active struct {
	id       string
	caller   Caller
	workflow *plan.Workflow
	machine  *engine.Machine
	state    engine.State
	seq      int
	turn     engine.Turn
	due      time.Time // of the outstanding timer
	mask     *mask
	summary  run.Run
	signals  chan signal
	ended    chan struct{} // closed when the goroutine has left
	changed  chan struct{} // closed and replaced after every record
}

type signal struct {
	event engine.Event
	done  chan error
}

// Serve runs the writer and owns every goroutine of the worker until ctx ends.
// ready is called when runs can be started. After a stop, calls under way are
// interrupted and their runs go on at the next start.
func (w *Worker) Serve(ctx context.Context, ready func()) error {
	w.mu.Lock()
	if w.served {
		w.mu.Unlock()
		return fault.New(fault.Internal, "the worker serves already")
	}
	w.served = true
	if w.Concurrency == 0 {
		w.Concurrency = DefaultConcurrency
	}
	w.writer = newWriter(w.Store)
	w.slots = make(chan struct{}, w.Concurrency)
	w.plans, w.active, w.base = map[string]*compiled{}, map[string]*active{}, ctx
	w.mu.Unlock()

	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	var writing sync.WaitGroup
	writing.Go(func() { w.writer.run(stop) })
	ready()
	<-ctx.Done()   // from here on begin refuses new runs
	w.tasks.Wait() // the drivers still write their last records
	cancel()
	writing.Wait()
	return nil
}

// Start begins a run. spec.ID is the caller's: starting it twice changes nothing
// and reports existed. The inputs are as given; defaults and checks of the
// workflow's schema are applied here, before anything is recorded.
func (w *Worker) Start(ctx context.Context, spec run.Spec, p *plan.Plan, inputs map[string]any) (existed bool, err error) {
	workflow := p.Workflows[p.Main]
	prepared, err := workflow.Prepare(inputs)
	if err != nil {
		return false, err
	}
	known, err := w.keep(ctx, p)
	if err != nil {
		return false, err
	}
	caller, err := w.Executor.Bind(ctx, known.plan, spec.Bindings)
	if err != nil {
		return false, err
	}
	now := w.Now()
	spec.Plan, spec.Workflow = p.Digest, workflow.ID
	a := w.activate(spec, known, caller)
	a.mask.learn(prepared)
	a.mask.refresh(a.caller.Secrets())
	spec.Inputs = a.mask.inputs(prepared)
	a.summary = run.Run{Spec: spec, Title: p.Title, Status: run.Running, Created: now}
	event := engine.Event{Kind: engine.Started, At: now, Inputs: prepared}
	if err := w.apply(ctx, a, event, &a.summary); err != nil {
		if fault.Is(err, fault.Conflict) {
			return true, nil
		}
		return false, err
	}
	return false, w.begin(a)
}

// keep stores a plan once. Runs of equal plans share the first one.
func (w *Worker) keep(ctx context.Context, p *plan.Plan) (*compiled, error) {
	w.mu.Lock()
	known := w.plans[p.Digest]
	w.mu.Unlock()
	if known != nil {
		return known, nil
	}
	data, _, err := p.Bundle.Encode()
	if err != nil {
		return nil, err
	}
	if err := w.Store.SavePlan(ctx, p.Digest, data); err != nil {
		return nil, err
	}
	c := &compiled{plan: p, machine: engine.New(p)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plans[p.Digest] = c
	return c, nil
}

// compiledPlan returns the plan of a run that was started before.
func (w *Worker) compiledPlan(ctx context.Context, digest string) (*compiled, error) {
	w.mu.Lock()
	known := w.plans[digest]
	w.mu.Unlock()
	if known != nil {
		return known, nil
	}
	data, err := w.Store.Plan(ctx, digest)
	if err != nil {
		return nil, err
	}
	bundle, err := plan.DecodeBundle(data)
	if err != nil {
		return nil, err
	}
	p, diags := plan.Compile(bundle)
	if p == nil {
		return nil, fault.Wrap(fault.Internal, &plan.RefusedError{Diagnostics: diags}, "the stored plan of the run does not compile any more").
			Fix("use the version of lanyard that started the run")
	}
	c := &compiled{plan: p, machine: engine.New(p)}
	w.mu.Lock()
	w.plans[digest] = c
	w.mu.Unlock()
	return c, nil
}

func (w *Worker) activate(spec run.Spec, c *compiled, caller Caller) *active {
	workflow := c.plan.Workflows[c.plan.Main]
	return &active{
		id: spec.ID, caller: caller, workflow: workflow, machine: c.machine,
		mask: newMask(w.Key, &w.names, workflow), signals: make(chan signal),
		ended: make(chan struct{}), changed: make(chan struct{}),
	}
}

// begin gives a run its goroutine.
func (w *Worker) begin(a *active) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.base.Err(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the worker is stopping; the run goes on at the next start")
	}
	if _, ok := w.active[a.id]; ok {
		return fault.New(fault.Conflict, "run %s is under way already", a.id)
	}
	w.active[a.id] = a
	w.tasks.Go(func() { w.drive(w.base, a) })
	return nil
}

// apply folds one event into a run and writes the record. The state changes
// only when the record is on disk.
func (w *Worker) apply(ctx context.Context, a *active, e engine.Event, create *run.Run) error {
	state, turn, err := a.machine.Apply(a.state, e)
	if err != nil {
		return err
	}
	a.mask.refresh(a.caller.Secrets())
	entry := Entry{Create: create, Record: run.Record{Run: a.id, Seq: a.seq + 1, At: e.At}}
	r := &entry.Record
	if r.Event, r.Sealed, err = a.mask.event(e, sealAAD(r.Run, r.Seq)); err != nil {
		return err
	}
	a.mask.refresh(a.caller.Secrets()) // the answer may have brought secrets
	if r.Trace, err = a.masked(turn.Notes); err != nil {
		return err
	}
	if call := turn.Command.Call; call != nil {
		if r.Intents, err = a.masked([]Intent{intent(call, a.mask.redactor)}); err != nil {
			return err
		}
	}
	summary := a.summary
	if state.Status != a.summary.Status || turn.Command.Kind == engine.FinishCommand {
		if summary, err = a.summarise(state, e.At); err != nil {
			return err
		}
		entry.Update, entry.Wipe = &summary, state.Status.Final()
	}
	if err := w.writer.append(ctx, entry); err != nil {
		return err
	}
	a.state, a.turn, a.summary = state, turn, summary
	if timer := turn.Command.Timer; timer != nil {
		a.due = e.At.Add(timer.After)
	}
	w.mu.Lock() // Await reads these two
	defer w.mu.Unlock()
	a.seq++
	close(a.changed)
	a.changed = make(chan struct{})
	return nil
}

// Await waits until a run has a record behind the given number, or does not
// move: it has ended, waits for a person, or is not under way here.
func (w *Worker) Await(ctx context.Context, id string, after int) error {
	for {
		w.mu.Lock()
		a := w.active[id]
		if a == nil || a.seq > after {
			w.mu.Unlock()
			return nil
		}
		changed := a.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-a.ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *active) masked(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "a trace cannot be recorded")
	}
	if string(raw) == "null" {
		return nil, nil
	}
	return a.mask.bytes(raw)
}

// summarise brings the summary up to a new status.
func (a *active) summarise(s engine.State, at time.Time) (run.Run, error) {
	out := a.summary
	out.Status, out.Reason, out.Ended, out.Outputs = s.Status, a.mask.redactor.Text(s.Reason), time.Time{}, nil
	if s.Status.Final() {
		out.Ended = at
	}
	if s.Outputs == nil {
		return out, nil
	}
	outputs, err := a.masked(s.Outputs)
	out.Outputs = outputs
	return out, err
}

// drive moves a run until it ends, waits for a person, or the worker stops.
func (w *Worker) drive(ctx context.Context, a *active) {
	defer w.leave(a)
	if !w.acquire(ctx) {
		return
	}
	defer func() { <-w.slots }()
	for {
		event, err := w.perform(ctx, a)
		if err == nil && event == nil {
			return
		}
		if err == nil {
			err = w.apply(ctx, a, *event, nil)
		}
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Error("a run stopped moving", "run", a.id, "error", err)
			}
			return
		}
	}
}

func (w *Worker) acquire(ctx context.Context) bool {
	select {
	case w.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *Worker) leave(a *active) {
	w.mu.Lock()
	delete(w.active, a.id)
	w.mu.Unlock()
	close(a.ended)
}

// perform carries out the outstanding command and returns the event it leads
// to, nil when the run has nothing more to do for now.
func (w *Worker) perform(ctx context.Context, a *active) (*engine.Event, error) {
	switch c := a.turn.Command; c.Kind {
	case engine.CallCommand:
		return w.call(ctx, a, c.Call)
	case engine.TimerCommand:
		return w.wait(ctx, a, c.Timer)
	}
	return nil, nil
}

// call makes one exchange. A cancellation interrupts it; what was sent by then
// stays in the journal as an intent without an answer.
func (w *Worker) call(ctx context.Context, a *active, call *engine.Call) (*engine.Event, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	answers := make(chan *engine.Answer, 1)
	go func() { answers <- a.caller.Call(ctx, call) }()
	for {
		select {
		case answer := <-answers:
			if answer.Failure != nil && ctx.Err() != nil {
				return nil, ctx.Err() // the worker stops: the call is interrupted, not failed
			}
			return &engine.Event{Kind: engine.Answered, At: w.Now(), ID: call.ID, Answer: answer}, nil
		case s := <-a.signals:
			if s.event.Kind != engine.Cancelled {
				s.done <- fault.New(fault.Conflict, "run %s is moving: nothing waits for that decision", a.id)
				continue
			}
			stop()
			<-answers
			err := w.apply(context.WithoutCancel(ctx), a, s.event, nil)
			s.done <- err
			return nil, err
		}
	}
}

// wait waits for a timer without holding a place among the moving runs.
func (w *Worker) wait(ctx context.Context, a *active, timer *engine.Timer) (*engine.Event, error) {
	<-w.slots
	// drive gives a slot back when it leaves, so one has to be held again then,
	// even if the worker stops meanwhile.
	defer func() { w.slots <- struct{}{} }()
	clock := time.NewTimer(a.due.Sub(w.Now()))
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			return &engine.Event{Kind: engine.Fired, At: w.Now(), ID: timer.ID}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case s := <-a.signals:
			if s.event.Kind != engine.Cancelled {
				s.done <- fault.New(fault.Conflict, "run %s waits before a retry: nothing waits for that decision", a.id)
				continue
			}
			err := w.apply(ctx, a, s.event, nil)
			s.done <- err
			return nil, err
		}
	}
}

// Signal delivers a person's decision, or a cancellation, to a run; a run that
// is not moving is loaded first. inputs give a failed run its secret inputs
// back, which were wiped when it ended.
func (w *Worker) Signal(ctx context.Context, id string, e engine.Event, inputs map[string]any) error {
	e.At = w.Now()
	w.mu.Lock()
	a := w.active[id]
	w.mu.Unlock()
	if a != nil {
		s := signal{event: e, done: make(chan error, 1)}
		select {
		case a.signals <- s:
			return <-s.done
		case <-a.ended: // it stopped moving just now: go on as for one at rest
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a, err := w.load(ctx, id, inputs)
	if err != nil {
		return err
	}
	if e.Kind == engine.Resumed && a.state.Status == run.Running {
		return w.resume(ctx, a)
	}
	if err := w.apply(ctx, a, e, nil); err != nil {
		return err
	}
	if a.state.Status.Final() {
		return nil
	}
	return w.begin(a)
}

// Recover goes on with every run that was moving when the last process stopped
// and returns their ids.
func (w *Worker) Recover(ctx context.Context) ([]string, error) {
	runs, err := w.Store.Runs(ctx, Filter{Statuses: []run.Status{run.Running}})
	if err != nil {
		return nil, err
	}
	var ids []string
	var errs []error
	for _, r := range runs {
		a, err := w.load(ctx, r.ID, nil)
		if err == nil {
			err = w.resume(ctx, a)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ids = append(ids, r.ID)
	}
	return ids, errors.Join(errs...)
}

// resume goes on with a loaded run that was moving.
func (w *Worker) resume(ctx context.Context, a *active) error {
	if call := a.turn.Command.Call; call != nil {
		e := engine.Event{Kind: engine.Interrupted, At: w.Now(), ID: call.ID, Reason: "the process stopped before the answer was recorded"}
		if err := w.apply(ctx, a, e, nil); err != nil {
			return err
		}
	}
	return w.begin(a)
}

// load folds a run's records.
func (w *Worker) load(ctx context.Context, id string, inputs map[string]any) (*active, error) {
	summary, err := w.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := w.compiledPlan(ctx, summary.Plan)
	if err != nil {
		return nil, err
	}
	records, err := w.Store.Records(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	caller, err := w.Executor.Bind(ctx, c.plan, summary.Bindings)
	if err != nil {
		return nil, err
	}
	a := w.activate(summary.Spec, c, caller)
	a.summary = summary
	for _, r := range records {
		e, err := open(w.Key, r)
		if err != nil {
			return nil, err
		}
		if e.Kind == engine.Started {
			for name, v := range inputs {
				e.Inputs[name] = v
			}
			a.mask.learn(e.Inputs)
		}
		a.state, a.turn, err = a.machine.Apply(a.state, e)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the journal of run %s does not fold: record %d", id, r.Seq)
		}
		a.seq = r.Seq
		if timer := a.turn.Command.Timer; timer != nil {
			a.due = r.At.Add(timer.After)
		}
		if e.Answer != nil && w.names.any(r.Event) {
			if raw, err := json.Marshal(e); err == nil {
				a.mask.discover(raw)
			}
		}
	}
	if summary.Status.Final() {
		if err := lost(a.state, id); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// lost refuses to go on with a run of which something was wiped when it ended
// and not given again: it would send the mask instead of the value.
func lost(s engine.State, id string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the state of run %s cannot be checked", id)
	}
	if bytes.Contains(raw, []byte(secret.Mask)) {
		return fault.New(fault.Conflict, "the secrets of run %s were wiped when it ended", id).
			Fix("give its secret inputs again with --input, or start a new run")
	}
	return nil
}
