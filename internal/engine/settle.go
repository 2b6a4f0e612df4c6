package engine

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/value"
)

// settleKind says what asked for a look-up, and so what its finding leads to.
type settleKind string

const (
	settleCrash  settleKind = "crash"  // the driver stopped: not found means send it
	settleLive   settleKind = "live"   // the answer was lost: not found means that the step failed
	settleDone   settleKind = "done"   // a status said "already done": the look-up fetches what is there
	settlePerson settleKind = "person" // a person asked to try again: as after a crash
)

// interrupted decides about a call whose answer was not recorded when the
// driver stopped.
func (t *turn) interrupted(w waiting, e Event) {
	f := t.s.top()
	if e.Unsent {
		t.send(f, w)
		return
	}
	if w.Kind == waitLookup {
		t.doubtNote(f, "the look-up was interrupted and is made again")
		t.send(f, w)
		return
	}
	t.settle(f, w, settleCrash, e.Reason)
}

// settle finds out about a call in doubt by the step's rule: look it up, or send
// it again where that is harmless; else a person has to decide.
func (t *turn) settle(f *frame, w waiting, kind settleKind, reason string) {
	step := t.m.step(f)
	rule := step.Idempotency
	switch {
	case step.Operation.Effect() == plan.Reads:
		t.doubtNote(f, reason+"; it only reads, so it is sent again")
		t.send(f, waiting{Kind: waitCall, Request: w.Request, Body: w.Body})
	case rule != nil && rule.Lookup != nil:
		t.doubtNote(f, reason+"; it is looked up")
		t.lookUp(f, w, kind, nil)
	case again(rule):
		f.Visit.Doubt = true
		t.doubtNote(f, reason+"; by the step's idempotency rule it is sent again")
		t.send(f, waiting{Kind: waitCall, Request: w.Request, Body: w.Body})
	case step.Operation.Repeatable():
		f.Visit.Doubt = true
		t.doubtNote(f, reason+fmt.Sprintf("; %s may be repeated, so it is sent again", step.Operation.Method))
		t.send(f, waiting{Kind: waitCall, Request: w.Request, Body: w.Body})
	default:
		t.hold(f, reason)
	}
}

// again reports whether a rule lets a call in doubt be sent again.
func again(rule *plan.Idempotency) bool {
	return rule != nil && (rule.Key != nil || len(rule.Done) > 0 || rule.Repeat)
}

// attemptAgain sends the step's call once more within the same attempt.
func (t *turn) attemptAgain(f *frame) {
	if t.late() {
		return
	}
	w, err := t.request(f, t.m.step(f))
	if err != nil {
		t.judge(outcome{message: "nothing was sent: " + message(err)})
		return
	}
	t.send(f, w)
}

func (t *turn) doubtNote(f *frame, text string) {
	t.note(Note{Kind: NoteDoubt, Workflow: t.m.workflow(f).ID, Step: t.m.step(f).ID, Visit: f.Visit.Number, Attempt: f.Visit.Attempt, Message: text})
}

// hold stops the run until a person decides.
func (t *turn) hold(f *frame, reason string) {
	step := t.m.step(f)
	f.Visit.Doubt = true
	reason = fmt.Sprintf("step %s is in doubt: %s", step.ID, reason)
	remedy := "find out whether it took effect, then use runs skip (it did), runs retry (it did not) or runs cancel"
	t.s.Status, t.s.Reason, t.s.Stopped = run.Held, reason, t.now
	t.s.NextID++
	t.s.Waiting = &waiting{Kind: waitPerson, ID: t.s.NextID, Reason: reason, Remedy: remedy}
	t.doubtNote(f, reason)
	t.out.Command = Command{Kind: HoldCommand, Hold: &Hold{Step: step.ID, Reason: reason, Remedy: remedy}}
}

// broken judges a call that got no response. If the request never left, the
// step has simply failed (N67); if it may have arrived, it is in doubt.
func (t *turn) broken(f *frame, step *plan.Step, w waiting, failure *Failure) {
	o := outcome{message: failure.Message}
	rule := step.Idempotency
	if !failure.Sent || step.Operation.Effect() == plan.Reads {
		t.judge(o)
		return
	}
	f.Visit.Doubt = true
	if rule != nil && rule.Lookup != nil {
		t.doubtNote(f, failure.Message+"; whether it took effect is looked up")
		t.lookUp(f, w, settleLive, failure)
		return
	}
	if again(rule) && !f.Visit.Again {
		f.Visit.Again = true
		t.doubtNote(f, failure.Message+"; by the step's idempotency rule it is sent again")
		t.send(f, waiting{Kind: waitCall, Request: w.Request, Body: w.Body})
		return
	}
	o.doubt = !step.Operation.Repeatable() && (rule == nil || !rule.Repeat) && t.m.plan.Profile.OnDoubt != "fail"
	t.judge(o)
}

// gatewayLost looks up what became of a call that a gateway answered for the
// server: 502 and 504 say that the server's own answer was lost (RFC 9110
// 15.6.3, 15.6.5). It reports whether there is a rule to do so.
func (t *turn) gatewayLost(f *frame, step *plan.Step, w waiting, a *Answer, refusal string) bool {
	rule := step.Idempotency
	lost := a.Status == http.StatusBadGateway || a.Status == http.StatusGatewayTimeout
	if !lost || rule == nil || rule.Lookup == nil || step.Operation.Effect() == plan.Reads {
		return false
	}
	f.Visit.Doubt = true
	t.doubtNote(f, fmt.Sprintf("a gateway answered %d in place of the server; whether it took effect is looked up", a.Status))
	t.lookUp(f, w, settleLive, &Failure{Message: refusal})
	return true
}

// alreadyDone reports whether a refusal means that the effect is there, from an
// earlier attempt or an earlier run, and if so goes on as after a success. A
// look-up, if the rule has one, has the last word.
func (t *turn) alreadyDone(f *frame, step *plan.Step, w waiting, a *Answer, refusal string) bool {
	rule := step.Idempotency
	if rule == nil || !slices.Contains(rule.Done, a.Status) {
		return false
	}
	said := fmt.Sprintf("by the step's idempotency rule the answer %d means that it was done before", a.Status)
	if rule.Lookup != nil {
		t.doubtNote(f, said+"; it is looked up")
		t.lookUp(f, w, settleDone, &Failure{Message: refusal})
		return true
	}
	t.doubtNote(f, said)
	t.judge(outcome{ok: true, status: a.Status, header: a.Header, data: t.scope(f, sent(step.Operation, w, a), response(a))})
	return true
}

// lookUp sends the rule's look-up.
func (t *turn) lookUp(f *frame, w waiting, kind settleKind, failure *Failure) {
	look := t.m.step(f).Idempotency.Lookup
	params, err := t.params(f, look.Params, t.scope(f, nil, nil))
	var request *openapi.Request
	if err == nil {
		request, err = look.Operation.Render(params, nil)
	}
	if err != nil {
		t.hold(f, "it cannot be looked up: "+fault.Public(err))
		return
	}
	t.send(f, waiting{Kind: waitLookup, Request: request, Settle: kind, Failed: failure})
}

// lookedUp decides by what a look-up found.
func (t *turn) lookedUp(f *frame, w waiting, a *Answer) {
	step := t.m.step(f)
	look := step.Idempotency.Lookup
	if a.Failure != nil {
		t.hold(f, "the look-up failed: "+a.Failure.Message)
		return
	}
	if a.Status/100 != 2 && a.Status != http.StatusNotFound {
		t.hold(f, fmt.Sprintf("the look-up was answered with %d", a.Status))
		return
	}
	data := t.scope(f, sent(look.Operation, w, a), response(a))
	body, found, clear := t.found(look, data)
	if !clear {
		t.hold(f, "the look-up was answered with an object that may be an empty list; give the rule a found condition")
		return
	}
	if found {
		t.doubtNote(f, "the look-up found it: it is done")
		data.Response = &expr.Response{Status: t.presumed(step), Header: a.Header, Body: body, HasBody: true}
		t.judge(outcome{ok: true, status: data.Response.Status, data: data})
		return
	}
	switch w.Settle {
	case settleLive:
		t.doubtNote(f, "the look-up did not find it: the call took no effect")
		t.judge(outcome{message: w.Failed.Message})
	case settleDone:
		if !f.Visit.Doubt {
			t.judge(outcome{message: w.Failed.Message + "; and the look-up does not find it"})
			return
		}
		t.hold(f, "the answer said that it was done before, but the look-up does not find it")
	default:
		t.doubtNote(f, "the look-up did not find it: it is sent")
		f.Visit.Doubt = true
		t.attemptAgain(f)
	}
}

// found holds a look-up's response against the rule and returns what stands for
// the step's response body. It is not clear what an object without a found
// condition means.
func (t *turn) found(look *plan.Lookup, data *expr.Data) (body any, ok, clear bool) {
	if look.Found != nil && !look.Found.Eval(data).Pass {
		return nil, false, true
	}
	body = data.Response.Body
	if look.Body != nil {
		v, err := expr.Resolve(*look.Body, data)
		if err != nil {
			return nil, false, true
		}
		body = v
	}
	if look.Found != nil {
		return body, true, true // a rule may take 404 for a yes: what was to be deleted is gone
	}
	if data.Response.Status/100 != 2 {
		return nil, false, true
	}
	switch b := body.(type) {
	case nil:
		return nil, false, true
	case []any:
		return body, len(b) > 0, true
	case map[string]any:
		// What an id in the path names is the thing itself; what a search
		// answers may be an envelope around nothing.
		byID := look.Body != nil || strings.HasSuffix(look.Operation.Path, "}")
		return body, len(b) > 0, byID || len(b) == 0
	}
	return body, true, true
}

// presumed is the status that a call which took effect is taken to have had:
// the first success that its description declares.
func (t *turn) presumed(step *plan.Step) int {
	if declared := step.Operation.SuccessStatuses(); len(declared) > 0 {
		return declared[0]
	}
	return http.StatusOK
}

// decided carries out what a person decided about a held or failed run.
func (t *turn) decided(e Event) error {
	if _, items := t.s.Waits(); items {
		return t.unblock(e)
	}
	held := t.s.Status == run.Held && t.s.Waiting != nil && t.s.Waiting.Kind == waitPerson
	if !held && (t.s.Status != run.Failed || len(t.s.Frames) == 0 || e.Kind == Resumed) {
		return conflict("the run is %s: nothing waits for that decision", t.s.Status)
	}
	t.s.Status, t.s.Reason, t.s.Outputs, t.s.Waiting = run.Running, "", nil, nil
	f := t.s.top()
	if err := t.meant(f, e.Step); err != nil {
		return err
	}
	t.rested(held)
	if f.Visit.Number == 0 { // it ran out of time or steps before this one: there is nothing to skip
		if e.Kind == Skipped {
			return conflict("the run failed between two steps: there is none to skip")
		}
		return nil
	}
	step := t.m.step(f)
	switch e.Kind {
	case Resumed:
		w, err := t.request(f, step)
		if err != nil {
			return err
		}
		t.settle(f, w, settlePerson, "a person asked to settle it")
	case Retried:
		f.Visit = visit{Number: f.Visit.Number, Attempt: f.Visit.Attempt, Doubt: f.Visit.Doubt, Each: f.Visit.Each}
		t.note(Note{Kind: NoteWarning, Workflow: t.m.workflow(f).ID, Step: step.ID, Visit: f.Visit.Number, Message: by(e, "let it be sent again")})
		t.inside = true
		t.attempt(f)
	case Skipped:
		outputs, _ := value.Clone(e.Outputs).(map[string]any)
		if outputs == nil {
			outputs = map[string]any{}
		}
		f.Outputs = with(f.Outputs, step.ID, outputs)
		f.Passed = with(f.Passed, f.Step, true)
		n := Note{Kind: NoteStep, Workflow: t.m.workflow(f).ID, Step: step.ID, Visit: f.Visit.Number, Attempt: f.Visit.Attempt,
			Depth: len(t.s.Frames) - 1, Status: StepSkipped, Outputs: outputs, Message: by(e, "skipped it and gave its outputs")}
		t.follow(f, step.OnSuccess, outcome{ok: true, data: t.scope(f, nil, nil)}, n)
	}
	return nil
}

// meant refuses a decision about another step than the one that the run stands
// at: whoever made it has looked at the run before it moved on.
func (t *turn) meant(f *frame, step string) error {
	if step == "" {
		return nil
	}
	at := "its end"
	if steps := t.m.workflow(f).Steps; f.Step < len(steps) {
		at = "step " + steps[f.Step].ID
	}
	if at != "step "+step {
		return conflict("the run waits at %s, not at %s", at, step)
	}
	return nil
}

// rested keeps the time that the run stood still out of its limits: a person may
// take as long as it takes. A run that had failed has its whole time again.
func (t *turn) rested(held bool) {
	rest := t.now.Sub(t.s.Stopped)
	for i := range t.s.Frames { // a copy by now
		if d := &t.s.Frames[i].Deadline; !d.IsZero() {
			*d = d.Add(rest)
		}
	}
	t.s.Started, t.s.Stopped = t.s.Started.Add(rest), time.Time{}
	if !held {
		t.s.Started = t.now
	}
}

func by(e Event, what string) string {
	who := e.By
	if who == "" {
		who = "a person"
	}
	return who + " " + what
}
