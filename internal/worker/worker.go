package worker

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
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

	mu       sync.Mutex
	plans    map[string]*compiled
	active   map[string]*active
	claims   map[string]chan struct{} // runs about to be started, loaded or resumed; closed when that is over
	broken   map[string]error         // why runs stopped moving, until they move again
	served   bool
	stopping bool
}

type compiled struct {
	plan    *plan.Plan
	machine *engine.Machine
	secrets *plan.Secrets
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
	w.plans, w.active, w.claims, w.base = map[string]*compiled{}, map[string]*active{}, map[string]chan struct{}{}, ctx
	w.broken = map[string]error{}
	w.mu.Unlock()

	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	var writing sync.WaitGroup
	writing.Go(func() { w.writer.run(stop) })
	ready()
	<-ctx.Done()
	w.mu.Lock()
	w.stopping = true // from here on begin refuses runs, so that tasks only end
	w.mu.Unlock()
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
	release, err := w.claim(ctx, spec.ID)
	if err != nil {
		return false, err
	}
	defer release()
	known, err := w.keep(ctx, p)
	if err != nil {
		return false, err
	}
	caller, err := w.Executor.Bind(ctx, known.plan, spec.Bindings)
	if err != nil {
		return false, err
	}
	now := w.now()
	spec.Plan, spec.Workflow = p.Digest, workflow.ID
	a := w.activate(spec, known, caller)
	a.mask.learn(prepared)
	a.mask.refresh(a.caller.Secrets())
	spec.Inputs = a.mask.inputs(prepared)
	if w.moving(spec.ID) != nil {
		return true, w.sameRun(ctx, spec)
	}
	a.summary = run.Run{Spec: spec, Title: p.Title, Status: run.Running, Created: now}
	event := engine.Event{Kind: engine.Started, At: now, Inputs: prepared}
	w.admit(a)
	if err := w.apply(ctx, a, event, &a.summary); err != nil {
		w.release(a)
		if fault.Is(err, fault.Conflict) {
			return true, w.sameRun(ctx, spec)
		}
		return false, err
	}
	return false, w.begin(a)
}

// sameRun refuses to take a run for another that was started under its id: the
// caller would believe that its own was done.
func (w *Worker) sameRun(ctx context.Context, spec run.Spec) error {
	stored, err := w.Store.Run(ctx, spec.ID)
	if err != nil {
		return err
	}
	if stored.Plan != spec.Plan || !reflect.DeepEqual(stored.Bindings, spec.Bindings) ||
		!value.Equal(map[string]any(stored.Inputs), map[string]any(spec.Inputs)) {
		return fault.New(fault.Conflict, "the run %s was started before, with another document, other servers or other inputs", spec.ID).
			Fix("use an id of its own for every run")
	}
	return nil
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
	c := &compiled{plan: p, machine: engine.New(p), secrets: p.AllSecrets()}
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
	c := &compiled{plan: p, machine: engine.New(p), secrets: p.AllSecrets()}
	w.mu.Lock()
	w.plans[digest] = c
	w.mu.Unlock()
	return c, nil
}

// begin gives a run its goroutine. When the worker stops instead, the run keeps
// no intent of a call that will not leave.
func (w *Worker) begin(a *active) error {
	err := w.enlist(a)
	if err == nil {
		return nil
	}
	w.release(a)
	if lost := w.unsent(a, "the process stopped before the call left", true); lost != nil {
		w.Log.Error("a call that has not left is in doubt", "run", a.id, "error", lost)
	}
	return err
}

func (w *Worker) enlist(a *active) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping || w.base.Err() != nil {
		return fault.New(fault.Unavailable, "the worker is stopping; run %s goes on at the next start", a.id)
	}
	if _, ok := w.active[a.id]; ok {
		return fault.New(fault.Conflict, "run %s is under way already", a.id)
	}
	w.active[a.id] = a
	delete(w.broken, a.id)
	w.tasks.Go(func() { w.drive(w.base, a) })
	return nil
}

// claim makes whoever wants to start, load or resume a run wait for whoever does
// so already: a call must not be taken for interrupted while it is made. Serve
// does not end while there is a claim, so that its last record can be written.
func (w *Worker) claim(ctx context.Context, id string) (release func(), err error) {
	for {
		w.mu.Lock()
		if w.claims == nil {
			w.mu.Unlock()
			return nil, fault.New(fault.Unavailable, "the worker does not serve yet")
		}
		if w.stopping {
			w.mu.Unlock()
			return nil, fault.New(fault.Unavailable, "the worker is stopping").Fix("try again when it serves again")
		}
		busy, ok := w.claims[id]
		if !ok {
			over := make(chan struct{})
			w.claims[id] = over
			w.tasks.Add(1)
			w.mu.Unlock()
			return func() {
				defer w.tasks.Done()
				w.mu.Lock()
				delete(w.claims, id)
				w.mu.Unlock()
				close(over)
			}, nil
		}
		w.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// moving returns a run that has a goroutine, nil for others.
func (w *Worker) moving(id string) *active {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active[id]
}

// Signal delivers a person's decision, or a cancellation, to a run; a run that
// is not moving is loaded first. inputs give a run that has ended its secret
// inputs back, which were wiped then.
func (w *Worker) Signal(ctx context.Context, id string, e engine.Event, inputs map[string]any) error {
	e.At = w.now()
	if len(inputs) > 0 {
		e.Inputs = inputs
	}
	for {
		a := w.moving(id)
		if a == nil {
			break
		}
		s := signal{event: e, done: make(chan error, 1)}
		select {
		case a.signals <- s:
			return <-s.done
		case <-a.ended: // it stopped moving just now, or moves again
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	release, err := w.claim(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	if w.moving(id) != nil {
		return fault.New(fault.Conflict, "run %s has begun to move: look at it again", id)
	}
	return w.decide(ctx, id, e)
}

// decide carries out a signal to a run at rest.
func (w *Worker) decide(ctx context.Context, id string, e engine.Event) error {
	a, err := w.load(ctx, id, e.Inputs)
	if err != nil {
		return err
	}
	if p := a.summary.Parent; p != nil {
		return w.decideItem(ctx, p, id, e)
	}
	if _, items := a.state.Waits(); items && e.Kind != engine.Cancelled {
		if e, err = w.itemDecision(ctx, a, e); err != nil {
			return err
		}
	}
	if e.Kind == engine.Resumed && a.state.Status == run.Running {
		return w.resume(ctx, a)
	}
	if e.Kind == engine.Resumed && a.state.Status == run.Failed {
		return fault.New(fault.Conflict, "the run has ended: it failed").Fix("lanyard runs retry %s", id)
	}
	next, _, err := a.machine.Apply(a.state, e)
	if err != nil {
		return err
	}
	if !next.Status.Final() { // it goes on, and must not do so with masks
		if err := a.complete(next); err != nil {
			return err
		}
		if err := w.bind(ctx, a); err != nil {
			return err
		}
		w.admit(a)
	}
	if e.Kind == engine.Cancelled {
		if err := w.cancelItems(ctx, a, e); err != nil {
			return err
		}
	}
	if err := w.apply(ctx, a, e, nil); err != nil {
		w.release(a)
		return err
	}
	if a.state.Status.Final() {
		w.release(a)
		return nil
	}
	return w.begin(a)
}

// decideItem hands a decision about an item's run to the run around it, which
// alone moves its items.
func (w *Worker) decideItem(ctx context.Context, p *run.Parent, id string, e engine.Event) error {
	above, err := w.Store.Run(ctx, p.Run)
	switch {
	case err != nil:
		return err
	case above.Parent != nil:
		return fault.New(fault.Conflict, "run %s is an item of run %s, which is an item itself", id, p.Run).
			Fix("decide about the outermost run: what waits first is meant")
	case e.Kind == engine.Cancelled || above.Status != run.Held:
		return fault.New(fault.Conflict, "run %s is item %d of run %s, which is %s", id, p.Position+1, p.Run, above.Status).
			Fix("decide about run %s", p.Run)
	}
	e.Run = id
	return w.Signal(ctx, p.Run, e, e.Inputs)
}

// recoveries is how many runs are loaded at the same time by Recover, so that
// their records share commits.
const recoveries = 8

// Recover goes on with every run that was moving when the last process stopped
// and returns their ids. A run that cannot go on does not keep the others from it.
func (w *Worker) Recover(ctx context.Context) ([]string, error) {
	runs, err := w.Store.Runs(ctx, Filter{Statuses: []run.Status{run.Running}})
	if err != nil {
		return nil, err
	}
	resumed, errs := make([]bool, len(runs)), make([]error, len(runs))
	var loading sync.WaitGroup
	places := make(chan struct{}, recoveries)
	for i, r := range runs {
		places <- struct{}{}
		loading.Go(func() {
			defer func() { <-places }()
			resumed[i], errs[i] = w.recover(ctx, r.ID)
		})
	}
	loading.Wait()
	var ids []string
	for i, r := range runs {
		if resumed[i] {
			ids = append(ids, r.ID)
		}
	}
	return ids, errors.Join(errs...)
}

// recover goes on with one run, unless it moves already: it may have been
// started or resumed meanwhile.
func (w *Worker) recover(ctx context.Context, id string) (resumed bool, err error) {
	release, err := w.claim(ctx, id)
	if err != nil {
		return false, err
	}
	defer release()
	if w.moving(id) != nil {
		return false, nil
	}
	a, err := w.load(ctx, id, nil)
	if err != nil {
		return false, err
	}
	if a.state.Status != run.Running { // it ended meanwhile
		return false, nil
	}
	err = w.resume(ctx, a)
	return err == nil, err
}

// Await waits until a run has a record behind the given number, or does not
// move: it has ended, waits for a person, or is not under way here. The error of
// a run that stopped because it could not be recorded is returned.
func (w *Worker) Await(ctx context.Context, id string, after int) error {
	for {
		w.mu.Lock()
		a := w.active[id]
		if a == nil || a.seq > after {
			var err error
			if a == nil {
				err = w.broken[id]
			}
			w.mu.Unlock()
			return err
		}
		changed := a.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-a.ended:
			return a.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
