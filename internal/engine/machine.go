package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// Machine runs one plan. It holds nothing that changes and may be shared.
type Machine struct {
	plan    *plan.Plan
	loops   []bool        // by workflow: it has an action that goes to a step
	secrets *plan.Secrets // which items may not be shown
}

// New returns the machine of a plan.
func New(p *plan.Plan) *Machine {
	m := &Machine{plan: p, loops: make([]bool, len(p.Workflows)), secrets: p.AllSecrets()}
	for i, w := range p.Workflows {
		for _, s := range w.Steps {
			for _, a := range slices.Concat(s.OnSuccess, s.OnFailure) {
				m.loops[i] = m.loops[i] || a.Kind == plan.Goto && a.Step != plan.None
			}
		}
	}
	return m
}

// Start begins a run with prepared inputs (plan.Workflow.Prepare).
func (m *Machine) Start(inputs map[string]any, at time.Time) (State, Turn) {
	s, t, _ := m.Apply(State{}, Event{Kind: Started, At: at, Inputs: inputs})
	return s, t
}

// Apply folds one event into a state. An event that the state does not expect
// (an answer to another call, a signal to a run that cannot take it) is a
// Conflict error and changes nothing.
func (m *Machine) Apply(s State, e Event) (State, Turn, error) {
	t := &turn{m: m, s: s, now: e.At}
	if err := t.handle(e); err != nil {
		return s, Turn{}, err
	}
	t.advance()
	return t.s, t.out, nil
}

// turn is the work on one event.
type turn struct {
	m      *Machine
	s      State
	now    time.Time
	out    Turn
	frozen []frame // the stack where a step failed and nothing has handled it: a retry goes on there
	inside bool    // a person asks for a retry: failed items go on where they failed
}

func (t *turn) note(n Note) { t.out.Notes = append(t.out.Notes, n) }

func (t *turn) handle(e Event) error {
	if e.Kind == Started {
		return t.start(e)
	}
	if t.s.V != stateVersion {
		return conflict("the run has not begun, or was begun by another version (its state is %d, this program's %d)", t.s.V, stateVersion)
	}
	if e.Kind == Cancelled {
		return t.cancel(e)
	}
	if t.s.Status.Final() && e.Kind != Retried && e.Kind != Skipped {
		return conflict("the run has ended: it %s", t.s.Status)
	}
	if e.Kind == Retried || e.Kind == Skipped || e.Kind == Resumed {
		return t.decided(e)
	}
	w := t.s.Waiting
	if w == nil || e.ID != w.ID {
		return conflict("the run does not wait for number %d", e.ID)
	}
	switch e.Kind {
	case Answered:
		if w.Kind != waitCall && w.Kind != waitLookup || e.Answer == nil {
			return conflict("the run does not wait for an answer")
		}
		t.s.Waiting = nil
		t.answered(*w, e.Answer)
	case Interrupted:
		if w.Kind != waitCall && w.Kind != waitLookup {
			return conflict("no call was under way")
		}
		t.s.Waiting = nil
		t.interrupted(*w, e)
	case Fired:
		if w.Kind != waitTimer {
			return conflict("the run does not wait for a timer")
		}
		t.s.Waiting = nil
		t.fired(*w)
	case Looped, Blocked:
		if w.Kind != waitLoop || t.s.Status != run.Running || e.Kind == Looped && e.Items == nil {
			return conflict("the run does not wait for a list")
		}
		t.s.Waiting = nil
		if e.Kind == Blocked {
			t.blocked(*w, e)
			return nil
		}
		t.looped(e.Items)
	case Computed:
		if w.Kind != waitCompute {
			return conflict("the run does not wait for what is computed")
		}
		t.s.Waiting = nil
		t.computed(e)
	default:
		return conflict("unknown event %q", e.Kind)
	}
	return nil
}

func conflict(format string, args ...any) error { return fault.New(fault.Conflict, format, args...) }

func (t *turn) start(e Event) error {
	if t.s.V != 0 {
		return conflict("the run has begun before")
	}
	if e.Workflow < 0 || e.Workflow >= len(t.m.plan.Workflows) {
		return conflict("the plan has no workflow number %d", e.Workflow)
	}
	workflow := t.m.plan.Main
	if e.Workflow != 0 {
		workflow = e.Workflow
	}
	t.s = State{V: stateVersion, Status: run.Running, Started: e.At, Completed: e.Completed}
	t.push(frame{Workflow: workflow, Role: roleRoot, Inputs: e.Inputs, Deadline: e.Deadline})
	return nil
}

func (t *turn) cancel(e Event) error {
	if t.s.Status.Final() {
		return conflict("the run has ended: it %s", t.s.Status)
	}
	t.finish(run.Cancelled, nil, e.Reason)
	return nil
}

// advance goes on until something has to be done outside or the run is over.
func (t *turn) advance() {
	for t.out.Command.Kind == "" && t.s.Waiting == nil && !t.s.Status.Final() {
		if t.late() {
			continue
		}
		f := t.s.top()
		switch {
		case !f.Ready:
			t.dependencies(f)
		case f.Step >= len(t.m.workflow(f).Steps):
			t.end(true, "")
		case f.Visit.Preparing:
			t.enterEach(f, t.m.step(f))
		default:
			t.visit(f)
		}
	}
}

// dependencies starts the first workflow that must be completed before this one
// and has not been (A16), or lets the frame begin.
func (t *turn) dependencies(f *frame) {
	for _, w := range t.m.workflow(f).DependsOn {
		if _, done := t.s.Completed[w]; done {
			continue
		}
		target := t.m.plan.Workflows[w]
		inputs, err := target.Prepare(target.Accepts(f.Inputs))
		if err != nil {
			t.end(false, fmt.Sprintf("workflow %s must be completed first: %s", target.ID, fault.Public(err)))
			return
		}
		t.push(frame{Workflow: w, Role: roleDependency, Inputs: inputs})
		return
	}
	f.Ready = true
}

func (t *turn) push(f frame) {
	frames := make([]frame, len(t.s.Frames), len(t.s.Frames)+1)
	copy(frames, t.s.Frames)
	t.s.Frames = append(frames, f)
}

// visit begins a pass over the frame's current step.
func (t *turn) visit(f *frame) {
	step := t.m.step(f)
	if t.s.Visits >= t.m.plan.Profile.StepBudget() {
		t.frozen = t.s.Frames
		t.abort(fmt.Sprintf("step %s of workflow %s would be visit %d of a step, the limit is %d: the document loops; bound the loop, or raise maxSteps",
			step.ID, t.m.workflow(f).ID, t.s.Visits+1, t.m.plan.Profile.StepBudget()))
		return
	}
	t.s.Visits++
	f.Visit = visit{Number: t.s.Visits}
	for _, d := range step.DependsOn {
		if !f.Passed[d] {
			t.judge(outcome{message: fmt.Sprintf("it depends on step %s, which has not completed", t.m.workflow(f).Steps[d].ID)})
			return
		}
	}
	t.attempt(f)
}

// attempt makes the step's call, or enters its sub-workflow.
func (t *turn) attempt(f *frame) {
	f.Visit.Attempt++
	f.Visit.Pages = nil
	t.restartEach(f)
	step := t.m.step(f)
	if step.Workflow != plan.None {
		t.enter(f, step)
		return
	}
	if step.Operation == nil {
		t.compute(f, step)
		return
	}
	w, err := t.request(f, step)
	if err != nil {
		t.judge(outcome{message: "nothing was sent: " + message(err)})
		return
	}
	t.send(f, w)
}

// enter pushes the frame of a sub-workflow step (N71).
func (t *turn) enter(f *frame, step *plan.Step) {
	if step.ForEach != nil {
		t.enterEach(f, step)
		return
	}
	inputs, err := t.arguments(f, step.Params, t.scope(f, nil, nil))
	if err == nil {
		err = t.call(step, inputs)
	}
	if err != nil {
		t.judge(outcome{message: notStarted + fault.Public(err)})
	}
}

// notStarted begins the reason why a sub-workflow step failed before its
// workflow began.
const notStarted = "the sub-workflow was not started: "

// call pushes the frame of a step's workflow, unless it does not take the inputs.
func (t *turn) call(step *plan.Step, inputs map[string]any) error {
	inputs, err := t.m.plan.Workflows[step.Workflow].Prepare(inputs)
	if err != nil {
		return err
	}
	sub := frame{Workflow: step.Workflow, Role: roleStep, Inputs: inputs}
	if step.Timeout > 0 {
		sub.Deadline = t.now.Add(step.Timeout)
	}
	t.push(sub)
	return nil
}

// late ends what has run out of time, the run or a step's sub-workflow, and
// reports whether there was any.
func (t *turn) late() bool {
	if limit := t.m.plan.Profile.RunLimit(); limit > 0 && t.now.Sub(t.s.Started) >= limit {
		t.frozen = t.s.Frames
		t.abort(fmt.Sprintf("the run took longer than its limit of %s", limit))
		return true
	}
	return t.expired()
}

const lateWorkflow = "the sub-workflow took longer than the step's timeout"

// expired fails the step whose sub-workflow has run out of time (A25),
// outermost first, and reports whether there was one.
func (t *turn) expired() bool {
	for i := range t.s.Frames {
		deadline := t.s.Frames[i].Deadline
		if deadline.IsZero() || t.now.Before(deadline) {
			continue
		}
		if i == 0 { // of an item
			t.frozen = t.s.Frames
			t.abort(lateWorkflow)
			return true
		}
		t.s.Frames, t.frozen = t.s.Frames[:i:i], nil
		t.judge(outcome{message: lateWorkflow})
		return true
	}
	return false
}

// send issues the call that w describes and waits for its answer.
func (t *turn) send(f *frame, w waiting) {
	step := t.m.step(f)
	t.s.NextID++
	w.ID = t.s.NextID
	call := &Call{
		ID: w.ID, Workflow: t.m.workflow(f).ID, Step: step.ID, Visit: f.Visit.Number, Attempt: f.Visit.Attempt,
		Purpose: ForStep, Operation: step.Operation, Request: w.Request,
	}
	call.Timeout, call.Within = t.timeout(step)
	if w.Kind == waitLookup {
		call.Purpose, call.Operation = ForLookup, step.Idempotency.Lookup.Operation
	}
	for _, a := range step.OnFailure {
		call.SelfPaced = call.SelfPaced || a.Kind == plan.Retry
	}
	t.s.Waiting = &w
	t.out.Command = Command{Kind: CallCommand, Call: call}
}

// timeout is the time left for one exchange: the step's own limit (N66), bounded by
// those of the sub-workflows around it and of the run. A call that is made when
// those are over settles a doubt and has its own limit alone: cut short, it
// would only leave another doubt. within is the same for the call as a whole,
// zero when nothing but the limit of one exchange applies.
func (t *turn) timeout(step *plan.Step) (limit, within time.Duration) {
	limit = t.m.plan.Profile.CallLimit()
	if step.Timeout > 0 {
		limit, within = step.Timeout, step.Timeout
	}
	bound := func(left time.Duration) {
		if left <= 0 {
			return
		}
		limit = min(limit, left)
		if within == 0 || left < within {
			within = left
		}
	}
	for _, f := range t.s.Frames {
		if !f.Deadline.IsZero() {
			bound(f.Deadline.Sub(t.now))
		}
	}
	if whole := t.m.plan.Profile.RunLimit(); whole > 0 {
		bound(whole - t.now.Sub(t.s.Started))
	}
	return limit, within
}

// end ends the innermost workflow and hands its result to whoever waits for it.
func (t *turn) end(ok bool, reason string) {
	f := *t.s.top()
	w := t.m.workflow(&f)
	var outputs map[string]any
	if !f.Single {
		outputs = t.results(&f, w, ok)
	}
	t.s.Frames = t.s.Frames[: len(t.s.Frames)-1 : len(t.s.Frames)-1]
	switch f.Role {
	case roleRoot:
		status := run.Succeeded
		if !ok {
			status = run.Failed
		}
		t.finish(status, outputs, reason)
	case roleDependency:
		if !ok {
			why := fmt.Sprintf("workflow %s, which must be completed first, failed: %s", w.ID, reason)
			if caller := t.s.top(); caller.Visit.Preparing {
				caller.Visit.Preparing = false
				t.judge(outcome{message: why})
				return
			}
			t.end(false, why)
			return
		}
		t.s.Completed = with(t.s.Completed, f.Workflow, completed{Inputs: f.Inputs, Outputs: outputs})
	case roleStep:
		t.returned(f, w, outputs, ok, reason)
	case roleDetour:
		t.rejoin(f, w, outputs, ok, reason)
	}
}

// returned judges the step whose sub-workflow has ended.
func (t *turn) returned(sub frame, w *plan.Workflow, outputs map[string]any, ok bool, reason string) {
	f := t.s.top()
	failure := ""
	result := completed{Inputs: sub.Inputs, Outputs: outputs}
	if ok {
		t.s.Completed = with(t.s.Completed, w.Index, result) // a dependency on it is met (A16)
	} else {
		failure = fmt.Sprintf("workflow %s failed: %s", w.ID, reason)
	}
	if !ok {
		t.judge(outcome{message: failure})
		return
	}
	f.Called = with(f.Called, w.ID, result)
	if called := t.m.plan.Workflows[t.m.step(f).Workflow]; called.ID != w.ID {
		f.Called = with(f.Called, called.ID, result) // it transferred to another workflow (A5)
	}
	// $outputs and the step's own name see the sub-workflow's outputs (A6).
	f.Outputs = with(f.Outputs, t.m.step(f).ID, outputs)
	data := t.scope(f, nil, nil)
	data.Outputs = outputs
	o := outcome{ok: true, data: data}
	o.criteria, o.ok = evaluate(t.m.step(f).Criteria, data)
	if !o.ok {
		o.message = failedCriteria(o.criteria)
	}
	t.judge(o)
}

// rejoin goes on with the retry that a detour was made for (A15).
func (t *turn) rejoin(d frame, w *plan.Workflow, outputs map[string]any, ok bool, reason string) {
	f := t.s.top()
	if d.Single {
		f.Outputs, f.Called, f.Passed = d.Outputs, d.Called, d.Passed
	} else if ok {
		f.Called = with(f.Called, w.ID, completed{Inputs: d.Inputs, Outputs: outputs})
	}
	if !ok {
		t.frozen = nil
		t.note(Note{Kind: NoteWarning, Workflow: t.m.workflow(f).ID, Step: t.m.step(f).ID, Visit: f.Visit.Number,
			Message: "what was to be run before the retry failed: " + reason})
	}
	if !t.late() {
		t.attempt(f)
	}
}

// results evaluates a workflow's outputs (N69). One that has no value is null
// with a warning, since find-or-end flows leave some unset by design (A27).
func (t *turn) results(f *frame, w *plan.Workflow, ok bool) map[string]any {
	if len(w.Outputs) == 0 && w.Success == "" {
		return nil
	}
	data := t.scope(f, nil, nil)
	out := make(map[string]any, len(w.Outputs)+1)
	if w.Success != "" {
		out[w.Success] = ok
	}
	var unset []string
	for _, o := range w.Outputs {
		v, err := o.Eval(data)
		if err != nil {
			unset = append(unset, o.Name)
		}
		out[o.Name] = v
	}
	if len(unset) > 0 && ok {
		t.note(Note{Kind: NoteWarning, Workflow: w.ID, Unset: unset, Depth: len(t.s.Frames) - 1, Message: "these outputs have no value on the path that was taken"})
	}
	return out
}

// finish ends the run.
func (t *turn) finish(status run.Status, outputs map[string]any, reason string) {
	t.s.Status, t.s.Outputs, t.s.Reason, t.s.Waiting, t.s.Stopped = status, outputs, reason, nil, t.now
	t.s.Frames = nil
	if status == run.Failed {
		t.s.Frames = t.frozen
	}
	t.note(Note{Kind: NoteEnd, Status: string(status), Outputs: outputs, Message: reason})
	t.out.Command = Command{Kind: FinishCommand, Finish: &Finish{Status: status, Outputs: outputs, Reason: reason}}
}

// abort fails the run wherever it is.
func (t *turn) abort(reason string) {
	var outputs map[string]any
	if len(t.s.Frames) > 0 {
		root := t.s.Frames[0]
		outputs = t.results(&root, t.m.workflow(&root), false)
	}
	t.finish(run.Failed, outputs, reason)
}

// scope is what expressions see in a frame, with a request and response when
// there are any.
func (t *turn) scope(f *frame, request *expr.Request, response *expr.Response) *expr.Data {
	w := t.m.workflow(f)
	d := &expr.Data{Self: w.Self, Inputs: f.Inputs, Steps: f.Outputs, Sources: w.Sources, Request: request, Response: response}
	d.Workflows = map[string]expr.WorkflowData{w.ID: {Inputs: f.Inputs}}
	for _, i := range w.DependsOn {
		if c, ok := t.s.Completed[i]; ok {
			d.Workflows[t.m.plan.Workflows[i].ID] = expr.WorkflowData{Inputs: c.Inputs, Outputs: c.Outputs}
		}
	}
	for id, c := range f.Called {
		d.Workflows[id] = expr.WorkflowData{Inputs: c.Inputs, Outputs: c.Outputs}
	}
	return d
}
