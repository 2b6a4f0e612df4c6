package worker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// active is a run that is in memory. One goroutine at a time works on it.
type active struct {
	id       string
	caller   Caller // nil while a loaded run is not bound
	compiled *compiled
	plan     *plan.Plan
	workflow *plan.Workflow // the one that it begins with
	machine  *engine.Machine
	state    engine.State
	seq      int
	turn     engine.Turn
	intended bool      // the outstanding call is on disk and may leave
	due      time.Time // of the outstanding timer
	mask     *mask
	blank    string // stands in its state where a secret is gone; empty when none is
	summary  run.Run
	item     *itemOf       // of a list, when it is one
	looped   bool          // it has worked through a list
	shown    *engine.Items // what came of its last list, as it may be shown
	slot     bool          // it has a place among the runs that move
	err      error         // why it stopped moving before it could rest; set before ended is closed
	signals  chan signal
	ended    chan struct{} // closed when the goroutine has left
	changed  chan struct{} // closed and replaced after every record
}

type signal struct {
	event engine.Event
	done  chan error
}

func (w *Worker) activate(spec run.Spec, c *compiled, caller Caller) *active {
	workflow := c.plan.Workflows[c.plan.Main]
	if p := spec.Parent; p != nil && p.Workflow < len(c.plan.Workflows) {
		workflow = c.plan.Workflows[p.Workflow]
	}
	m := newMask(w.Key, &w.names, workflow)
	m.plan, m.secrets, m.home = c.plan, c.secrets, workflow
	if spec.Parent != nil {
		m.pointers = c.secrets.Inputs(workflow)
	}
	return &active{
		id: spec.ID, compiled: c, caller: caller, plan: c.plan, workflow: workflow, machine: c.machine,
		mask: m, signals: make(chan signal),
		ended: make(chan struct{}), changed: make(chan struct{}),
	}
}

// apply folds one event into a run and writes the record. The state changes
// only when the record is on disk.
func (w *Worker) apply(ctx context.Context, a *active, e engine.Event, create *run.Run) error {
	state, turn, err := a.machine.Apply(a.state, e)
	if err != nil {
		return err
	}
	entry := Entry{Create: create, Record: run.Record{Run: a.id, Seq: a.seq + 1, At: e.At}}
	intended, err := w.record(a, &entry.Record, e, turn)
	if err != nil {
		return err
	}
	summary := a.summary
	if state.Status != a.summary.Status || turn.Command.Kind == engine.FinishCommand {
		if summary, err = a.summarise(state, e.At); err != nil {
			return err
		}
		entry.Update, entry.Wipe = &summary, state.Status.Final()
		entry.WipeItems = entry.Wipe && a.looped
		if a.item != nil && state.Status != run.Running {
			if entry.Item, err = a.item.ended(a, state); err != nil {
				return err
			}
		}
	}
	if err := w.commit(ctx, entry, e.Kind == engine.Answered); err != nil {
		return err
	}
	a.state, a.turn, a.summary, a.intended = state, turn, summary, intended
	a.looped = a.looped || turn.Command.ForEach != nil
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

// How often, and at first after how long, an answer that could not be written is
// written again: half a minute in all.
const (
	commitRetries = 7
	commitPause   = 250 * time.Millisecond
)

// commit writes an entry. An answer exists nowhere else: when it cannot be
// written, it is tried again for a while, so that its call is not in doubt as
// soon as a disk is full for a moment.
func (w *Worker) commit(ctx context.Context, entry Entry, answer bool) error {
	err := w.writer.append(ctx, entry)
	pause := commitPause
	for n := 0; n < commitRetries && answer && err != nil && !fault.Is(err, fault.Conflict); n++ {
		w.Log.Warn("an answer could not be recorded and is written again", "run", entry.Record.Run, "error", err)
		select {
		case <-time.After(pause):
		case <-w.base.Done():
			return err
		}
		err = w.writer.append(ctx, entry)
		pause *= 2
	}
	return err
}

// record fills in what one turn leaves in the journal, masked, and reports
// whether that includes the intent of a call.
func (w *Worker) record(a *active, r *run.Record, e engine.Event, turn engine.Turn) (intended bool, err error) {
	if a.caller != nil {
		a.mask.refresh(a.caller.Secrets())
	}
	shown := e
	if e.Kind == engine.Looped {
		shown.Items = a.shown
		a.mask.hidden(e.Items, shown.Items)
	}
	if masked := a.mask.computed(a.turn.Command.Compute, e); masked != nil {
		shown.Outputs = masked
	}
	if r.Event, r.Sealed, err = a.mask.event(e, shown, sealAAD(r.Run, r.Seq)); err != nil {
		return false, err
	}
	if r.Trace, err = a.masked(a.mask.notes(turn.Notes)); err != nil {
		return false, err
	}
	// A call that waits for a place, or will not leave any more, has no intent: it
	// is not in doubt after a stop.
	call := turn.Command.Call
	if call != nil && a.slot && !w.stopped() {
		r.Intents, err = a.masked([]Intent{intent(call, a.caller, a.mask.redactor)})
		return true, err
	}
	return false, nil
}

// stopped reports whether the worker has been told to stop.
func (w *Worker) stopped() bool {
	select {
	case <-w.base.Done():
		return true
	default:
		return false
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
	shown, _, err := a.mask.bytes(raw)
	return shown, err
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
	outputs, err := a.masked(a.mask.outputs(a.workflow, "", s.Outputs))
	out.Outputs = outputs
	return out, err
}

// drive moves a run until it ends, waits for a person, or the worker stops.
func (w *Worker) drive(ctx context.Context, a *active) {
	defer w.leave(a)
	if !a.slot && !w.acquire(ctx, a) {
		return
	}
	if err := w.unsent(a, "the call waited for a place", false); err != nil {
		w.stuck(a, err)
		return
	}
	for {
		event := w.perform(ctx, a)
		if event == nil {
			return
		}
		// What has happened is recorded even when the worker stops.
		if err := w.apply(context.WithoutCancel(ctx), a, *event, nil); err != nil {
			w.stuck(a, err)
			return
		}
	}
}

// unsent tells the machine that the outstanding call has not left, if there is
// one and its intent is as given: it is issued anew, with its intent when it may
// leave now and without when the worker stops.
func (w *Worker) unsent(a *active, reason string, intended bool) error {
	call := a.turn.Command.Call
	if call == nil || a.intended != intended {
		return nil
	}
	e := engine.Event{Kind: engine.Interrupted, At: w.now(), ID: call.ID, Unsent: true, Reason: reason}
	return w.apply(context.WithoutCancel(w.base), a, e, nil)
}

// stuck keeps why a run stopped moving, for those who wait for it.
func (w *Worker) stuck(a *active, err error) {
	w.Log.Error("a run stopped moving", "run", a.id, "error", err)
	why := "an internal error"
	var f *fault.Error
	if errors.As(err, &f) {
		why = f.Msg
	}
	a.err = fault.Wrap(fault.KindOf(err), err, "run %s stopped moving, what happened could not be recorded: %s", a.id, why).
		Fix("remove the cause, then: lanyard runs resume %s", a.id)
}

// now is the time of an event, as a journal can keep it: without the monotonic
// reading, which would make limits come out differently when they are folded.
func (w *Worker) now() time.Time { return w.Now().Round(0).UTC() }

// admit takes a place among the runs that move if one is free, so that the
// first call's intent can be written with the run's next record.
func (w *Worker) admit(a *active) {
	select {
	case w.slots <- struct{}{}:
		a.slot = true
	default:
	}
}

// acquire takes a place among the runs that move. It reports false when the
// worker stops first, or the run is cancelled.
func (w *Worker) acquire(ctx context.Context, a *active) bool {
	for {
		select {
		case w.slots <- struct{}{}:
			a.slot = true
			return true
		case <-ctx.Done():
			return false
		case s := <-a.signals:
			if w.cancel(ctx, a, s) {
				return false
			}
		}
	}
}

// cancel takes a signal to a moving run, which can only be a cancellation, and
// reports whether the run is over here.
func (w *Worker) cancel(ctx context.Context, a *active, s signal) bool {
	if s.event.Kind != engine.Cancelled {
		s.done <- fault.New(fault.Conflict, "run %s is moving: nothing waits for that decision", a.id)
		return false
	}
	err := w.cancelItems(context.WithoutCancel(ctx), a, s.event)
	if err == nil {
		err = w.apply(context.WithoutCancel(ctx), a, s.event, nil)
	}
	if err != nil {
		w.stuck(a, err)
	}
	s.done <- err
	return true
}

func (w *Worker) release(a *active) {
	if a.slot {
		a.slot = false
		<-w.slots
	}
}

func (w *Worker) leave(a *active) {
	w.release(a)
	w.mu.Lock()
	delete(w.active, a.id)
	if a.err != nil {
		w.broken[a.id] = a.err
	}
	w.mu.Unlock()
	close(a.ended)
}

// perform carries out the outstanding command and returns the event it leads
// to, nil when there is nothing more to do for the run here and now.
func (w *Worker) perform(ctx context.Context, a *active) *engine.Event {
	switch c := a.turn.Command; {
	case c.Kind == engine.CallCommand && a.intended:
		return w.call(ctx, a, c.Call)
	case c.Kind == engine.TimerCommand:
		return w.wait(ctx, a, c.Timer)
	case c.Kind == engine.ForEachCommand:
		return w.loop(ctx, a, c.ForEach)
	case c.Kind == engine.ComputeCommand:
		outputs, reason := c.Compute.Run()
		return &engine.Event{Kind: engine.Computed, At: w.now(), ID: c.Compute.ID, Outputs: outputs, Reason: reason}
	}
	return nil
}

// call makes one exchange. A cancellation interrupts it; what came of it until
// then is kept with the cancellation.
func (w *Worker) call(ctx context.Context, a *active, call *engine.Call) *engine.Event {
	ctx, stop := context.WithCancel(run.WithID(ctx, a.id))
	defer stop()
	answers := make(chan *engine.Answer, 1)
	go func() { answers <- a.caller.Call(ctx, call) }()
	for {
		select {
		case answer := <-answers:
			return w.answered(ctx, call, answer)
		case s := <-a.signals:
			if s.event.Kind == engine.Cancelled {
				stop()
				s.event.ID, s.event.Answer = call.ID, <-answers
			}
			if w.cancel(ctx, a, s) {
				return nil
			}
		}
	}
}

// answered is the event of an answer. What fails because the worker stops has
// not failed: it was interrupted, and nothing is in doubt if it had not left.
func (w *Worker) answered(ctx context.Context, call *engine.Call, answer *engine.Answer) *engine.Event {
	// What is judged now must be what a later fold reads.
	for _, values := range answer.Header {
		for i, v := range values {
			values[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	e := &engine.Event{At: w.now(), ID: call.ID}
	switch {
	case answer.Failure == nil || ctx.Err() == nil:
		e.Kind, e.Answer = engine.Answered, answer
	case answer.Failure.Sent:
		return nil // the journal has the intent and no answer
	default:
		e.Kind, e.Unsent, e.Reason = engine.Interrupted, true, "the process stopped before the call left"
	}
	return e
}

// wait waits for a timer without holding a place among the moving runs.
func (w *Worker) wait(ctx context.Context, a *active, timer *engine.Timer) *engine.Event {
	w.release(a)
	clock := time.NewTimer(a.due.Sub(w.Now()))
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			if !w.acquire(ctx, a) {
				return nil
			}
			return &engine.Event{Kind: engine.Fired, At: w.now(), ID: timer.ID}
		case <-ctx.Done():
			return nil
		case s := <-a.signals:
			if w.cancel(ctx, a, s) {
				return nil
			}
		}
	}
}
