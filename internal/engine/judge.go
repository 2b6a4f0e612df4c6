package engine

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// outcome is what came of an attempt.
type outcome struct {
	ok       bool
	message  string // why it failed
	status   int
	criteria []expr.Result
	data     *expr.Data // with the response, when there is one
	header   http.Header
	doubt    bool // it was sent, not answered, and may not be repeated
	items    *ItemCount
}

// judge ends an attempt: outputs, then the action that follows (N53-N63).
func (t *turn) judge(o outcome) {
	f := t.s.top()
	step := t.m.step(f)
	if o.data == nil {
		o.data = t.scope(f, nil, nil)
	}
	n := Note{
		Kind: NoteStep, Workflow: t.m.workflow(f).ID, Step: step.ID, Visit: f.Visit.Number, Attempt: f.Visit.Attempt,
		Depth: len(t.s.Frames) - 1, StatusCode: o.status, Criteria: o.criteria, Items: o.items,
	}
	if o.ok || o.data.Response != nil || step.ForEach != nil && o.data.Outputs != nil {
		n.Outputs, n.Unset = t.outputs(f, step, o.data)
	}
	if o.ok && step.Compute != nil && (step.Operation != nil || step.Workflow != plan.None) {
		o.message = t.computeMore(f, step, o.data, n.Outputs)
		o.ok = o.message == ""
	}
	n.Status, n.Message = StepSucceeded, o.message
	if !o.ok {
		n.Status = StepFailed
	}
	o.data.Steps = f.Outputs
	if o.ok {
		f.Passed = with(f.Passed, f.Step, true)
		t.follow(f, step.OnSuccess, o, n)
		return
	}
	if t.frozen == nil { // else a step of its sub-workflow failed, and that is where a retry goes on
		t.frozen = t.s.Frames
	}
	t.follow(f, step.OnFailure, o, n)
}

// outputs evaluates a step's outputs. One without a value is left unset: what
// reads it later fails there, and find-or-end flows never do.
func (t *turn) outputs(f *frame, step *plan.Step, data *expr.Data) (out map[string]any, unset []string) {
	out = map[string]any{}
	if step.Operation == nil {
		for name, v := range data.Outputs {
			out[name] = v // reachable by the step's name even without naming it (A6); or computed
		}
	}
	for _, o := range step.Outputs {
		v, err := o.Eval(data)
		if err != nil {
			unset = append(unset, o.Name)
			delete(out, o.Name)
			continue
		}
		out[o.Name] = v
	}
	f.Outputs = with(f.Outputs, step.ID, out)
	return out, unset
}

// evaluate judges a criteria list: all must pass (N40).
func evaluate(criteria []expr.Criterion, data *expr.Data) ([]expr.Result, bool) {
	results := make([]expr.Result, len(criteria))
	pass := true
	for i := range criteria {
		results[i] = criteria[i].Eval(data)
		pass = pass && results[i].Pass
	}
	return results, pass
}

// failedCriteria words the first criterion that did not pass, with what its
// operands were.
func failedCriteria(results []expr.Result) string {
	for _, r := range results {
		if r.Pass {
			continue
		}
		why := operands(r.Operands)
		// The reason of a comparison only repeats it; any other says what went wrong.
		if why == "" || r.Reason != "" && !strings.Contains(r.Reason, " is false") {
			why = r.Reason
		}
		msg := "the criterion " + r.Condition + " was not met"
		if why != "" {
			msg += ": " + why
		}
		return msg
	}
	return ""
}

// operands says what each operand was; nothing when one has no value, since the
// result's reason explains that better.
func operands(list []expr.Operand) string {
	seen := make([]string, len(list))
	for i, o := range list {
		if o.Missing {
			return ""
		}
		seen[i] = o.Expression + " is " + shorten(value.Text(o.Value))
	}
	return strings.Join(seen, ", ")
}

// shorten bounds a value quoted in a message.
func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// answered judges the answer to a call.
func (t *turn) answered(w waiting, a *Answer) {
	f := t.s.top()
	if w.Kind == waitLookup {
		t.lookedUp(f, w, a)
		return
	}
	step := t.m.step(f)
	if a.Failure != nil {
		t.broken(f, step, w, a.Failure)
		return
	}
	if t.nextPage(f, w, a) {
		return
	}
	r := response(a)
	if step.Pages != nil {
		r.Body = whole(step.Pages, f.Visit.Pages, r.Body)
	}
	if t.repeats(f, step, w, r) {
		return
	}
	o := t.assess(f, step, w, a, r)
	if !o.ok && (t.alreadyDone(f, step, w, a, o.message) || t.gatewayLost(f, step, w, a, o.message)) {
		return
	}
	if a.Status >= http.StatusInternalServerError {
		f.Visit.Doubt = true // it may have taken effect before it failed
	}
	t.judge(o)
}

// repeats ends a run that asks the same over and over without a pause and
// learns nothing new, and reports whether it did.
func (t *turn) repeats(f *frame, step *plan.Step, w waiting, r *expr.Response) bool {
	if f.Visit.Attempt > 1 {
		return false // retries have a limit of their own
	}
	if !t.m.loops[f.Workflow] {
		return false
	}
	// The body's value is compared, not its bytes: a journal keeps it in another
	// spelling, and folding must come to the same result.
	body, err := value.Encode(r.Body)
	if err != nil {
		return false
	}
	sum := fnv.New64a()
	for _, part := range [][]byte{[]byte(target(w.Request)), w.Request.Body, []byte(strconv.Itoa(r.Status)), body} {
		sum.Write(part)
		sum.Write([]byte{0})
	}
	last := f.Repeats[f.Step]
	if last.Sum != sum.Sum64() {
		last = repeats{Sum: sum.Sum64()}
	}
	last.Count++
	f.Repeats = with(f.Repeats, f.Step, last)
	limit := t.m.plan.Profile.RepeatBudget()
	if last.Count <= limit {
		return false
	}
	t.abort(fmt.Sprintf("step %s got the same answer to the same request %d times in a row without a pause: the document loops; poll with a retry that has retryAfter, or raise maxRepeats",
		step.ID, last.Count))
	return true
}

// assess holds a response against the step's criteria.
func (t *turn) assess(f *frame, step *plan.Step, w waiting, a *Answer, r *expr.Response) (o outcome) {
	data := t.scope(f, sent(step.Operation, w, a), r)
	o = outcome{status: a.Status, data: data, header: a.Header}
	defer func() {
		if !o.ok {
			o.message += explanation(a, data.Response.Body)
		}
	}()
	if len(step.Criteria) == 0 {
		o.ok = a.Status/100 == 2 || t.m.plan.Profile.SuccessWithoutCriteria == "any" // A1
		if !o.ok {
			o.message = fmt.Sprintf("the answer was %d, and without successCriteria only 2xx counts as success", a.Status)
		}
		return o
	}
	o.criteria, o.ok = evaluate(step.Criteria, data)
	if !o.ok {
		o.message = failedCriteria(o.criteria) + declaredHint(step.Operation, a.Status)
	}
	return o
}

// explanation adds what the other side, or the connector, has to say about a
// refusal.
func explanation(a *Answer, body any) string {
	var text string
	if words := spoken(body); words != "" && a.Status/100 != 2 {
		text = fmt.Sprintf("; the answer says %s%q", errorCode(body), shorten(words))
	}
	if a.Denied != "" {
		text += "; " + a.Denied
	}
	return text
}

// errorCode is the code that an error has at Okta and Auth0, with a blank
// behind it: people look errors up by it.
func errorCode(body any) string {
	object, _ := body.(map[string]any)
	if code, ok := object["errorCode"].(string); ok && len(code) < 64 {
		return code + " "
	}
	return ""
}

// spokenFields are where providers put the words of an error: Okta, Auth0, OAuth
// (RFC 6749 5.2), SCIM (RFC 7644 3.12), problem details (RFC 9457).
var spokenFields = []string{"errorSummary", "message", "error_description", "detail", "title", "error"}

func spoken(body any) string {
	object, _ := body.(map[string]any)
	for _, name := range spokenFields {
		words, ok := object[name].(string)
		if !ok || words == "" {
			continue
		}
		causes, _ := object["errorCauses"].([]any)
		if len(causes) > 0 {
			if cause := spoken(causes[0]); cause != "" {
				words += ": " + cause
			}
		}
		return words
	}
	return ""
}

// declaredHint helps when a criterion contradicts the API's description.
func declaredHint(op *plan.Operation, status int) string {
	if status/100 == 2 && op.Declares(status) {
		return fmt.Sprintf(" (the description of %s declares %d as success)", op.Name(), status)
	}
	return ""
}

// sent is the request as expressions see it: what was really sent of what the
// operation declares (N26, A23).
func sent(op *plan.Operation, w waiting, a *Answer) *expr.Request {
	r := &expr.Request{URL: a.URL, Method: op.Method}
	if w.Request == nil {
		return r
	}
	r.Method, r.Header, r.Path, r.Query = w.Request.Method, w.Request.Header, w.Request.PathValues, w.Request.QueryValues
	if w.Request.ContentType != "" {
		r.Header = with(r.Header, "Content-Type", []string{w.Request.ContentType})
	}
	if r.URL == "" {
		r.URL = target(w.Request)
	}
	r.Body, r.HasBody = w.Body, w.Request.Body != nil
	return r
}

// target is the request's path and query, for a driver that knows no server.
func target(r *openapi.Request) string {
	if r.Query == "" {
		return r.Path
	}
	return r.Path + "?" + r.Query
}

// response decodes an answer for expressions.
func response(a *Answer) *expr.Response {
	r := &expr.Response{Status: a.Status, Header: a.Header}
	switch {
	case a.JSON != nil:
		v, err := value.Decode(a.JSON)
		r.Body, r.HasBody = v, err == nil
		if s, ok := v.(string); ok {
			r.Text = s
		}
	case a.Text != nil:
		r.Body, r.HasBody, r.Text = *a.Text, true, *a.Text
	case len(a.Bytes) > 0:
		r.Body, r.HasBody = base64.StdEncoding.EncodeToString(a.Bytes), true
	}
	return r
}

// follow takes the first action whose criteria all pass (N54), or the default.
func (t *turn) follow(f *frame, actions []plan.Action, o outcome, n Note) {
	for i := range actions {
		a := &actions[i]
		results, pass := evaluate(a.Criteria, o.data)
		seen := Considered{Name: a.Name, Matched: pass, Criteria: results}
		if pass && a.Kind == plan.Retry && f.Visit.Retries[i] >= a.RetryLimit {
			seen.Why = fmt.Sprintf("its limit of %d retries is used up", a.RetryLimit)
			pass = false
		}
		n.Considered = append(n.Considered, seen)
		switch {
		case pass && o.doubt && !leadsAway(f, a):
			n.Action = &Taken{Name: a.Name, Type: "hold", Why: "the call may have taken effect, and the action does not settle that"}
			t.note(n)
			t.hold(f, o.message)
			return
		case pass:
			t.act(f, i, a, o, n)
			return
		}
	}
	switch {
	case o.ok:
		n.Action = &Taken{Type: "next"}
		t.note(n)
		t.next(f)
	case o.doubt:
		n.Action = &Taken{Type: "hold", Why: "the call may have taken effect"}
		t.note(n)
		t.hold(f, o.message)
	default:
		n.Action = &Taken{Type: "fail", Why: "no failure action applies"}
		t.note(n)
		t.end(false, fmt.Sprintf("step %s failed: %s", n.Step, o.message))
	}
}

// leadsAway reports whether an action hands a call in doubt over to other steps
// of the document, which may find out what came of it. Repeating the call or
// ending the run would not.
func leadsAway(f *frame, a *plan.Action) bool {
	return a.Kind == plan.Goto && a.Step != f.Step && a.Workflow != f.Workflow
}

// next goes on behind the current step, or ends a detour of one step.
func (t *turn) next(f *frame) {
	f.Visit = visit{}
	if f.Single {
		t.end(true, "")
		return
	}
	f.Step++
}

// act carries out one action.
func (t *turn) act(f *frame, index int, a *plan.Action, o outcome, n Note) {
	w := t.m.workflow(f)
	n.Action = &Taken{Name: a.Name, Type: string(a.Kind)}
	switch {
	case a.Step != plan.None:
		n.Action.Target = w.Steps[a.Step].ID
	case a.Workflow != plan.None:
		n.Action.Target = t.m.plan.Workflows[a.Workflow].ID
	}
	if a.Kind == plan.Retry {
		t.retry(f, index, a, o, n)
		return
	}
	t.note(n)
	switch {
	case a.Kind == plan.End && o.ok:
		f.Visit = visit{}
		t.end(true, "")
	case a.Kind == plan.End: // A3
		t.end(false, fmt.Sprintf("step %s failed and the run was ended by action %s: %s", n.Step, a.Name, o.message))
	case a.Workflow != plan.None:
		t.transfer(f, a, o.data)
	default:
		f.Step, f.Visit = a.Step, visit{}
		t.frozen = nil
	}
}

// transfer replaces the workflow by another for good (N58, A5).
func (t *turn) transfer(f *frame, a *plan.Action, data *expr.Data) {
	target := t.m.plan.Workflows[a.Workflow]
	inputs, err := t.passed(f, a, data)
	if err != nil {
		t.end(false, fmt.Sprintf("action %s could not start workflow %s: %s", a.Name, target.ID, message(err)))
		return
	}
	t.frozen = nil
	if t.s.Visits++; t.s.Visits > t.m.plan.Profile.StepBudget() { // a workflow may transfer to itself
		t.abort(fmt.Sprintf("workflow %s was entered once more after %d step visits, the limit: the document loops", target.ID, t.m.plan.Profile.StepBudget()))
		return
	}
	next := frame{Workflow: a.Workflow, Role: f.Role, Inputs: inputs, Deadline: f.Deadline}
	t.s.Frames[len(t.s.Frames)-1] = next
}

// retry repeats the step after a wait, and after whatever the action refers to
// (N59-N62, A13-A15).
func (t *turn) retry(f *frame, index int, a *plan.Action, o outcome, n Note) {
	t.frozen = nil
	f.Visit.Retries = with(f.Visit.Retries, index, f.Visit.Retries[index]+1)
	wait, why := t.delay(a, o)
	n.Kind, n.Action.Wait, n.Action.Why = NoteAttempt, wait.Seconds(), why
	t.note(n)
	// What the action passes on may come from the answer, which is gone after a wait.
	inputs, err := t.passed(f, a, o.data)
	if wait <= 0 {
		if !t.late() {
			t.detour(f, a, inputs, err)
		}
		return
	}
	t.s.NextID++
	t.s.Waiting = &waiting{Kind: waitTimer, ID: t.s.NextID, Action: index, After: wait, Inputs: inputs}
	if err != nil {
		t.s.Waiting.Reason = message(err)
	}
	t.out.Command = Command{Kind: TimerCommand, Timer: &Timer{ID: t.s.NextID, After: wait, Step: n.Step}}
}

// passed evaluates what an action hands to the workflow it names (N64).
func (t *turn) passed(f *frame, a *plan.Action, data *expr.Data) (map[string]any, error) {
	if a.Workflow == plan.None {
		return nil, nil
	}
	inputs, err := t.arguments(f, a.Params, data)
	if err != nil {
		return nil, err
	}
	return t.m.plan.Workflows[a.Workflow].Prepare(inputs)
}

// fired goes on with a retry that has waited.
func (t *turn) fired(w waiting) {
	if t.late() {
		return
	}
	f := t.s.top()
	for i := range t.s.Frames { // top made them ours
		t.s.Frames[i].Repeats = nil // there was a pause
	}
	var err error
	if w.Reason != "" {
		err = fault.New(fault.Invalid, "%s", w.Reason)
	}
	t.detour(f, &t.m.step(f).OnFailure[w.Action], w.Inputs, err)
}

// detour runs what a retry refers to before the step is tried again (N61). A
// workflow whose inputs could not be made is left out with a warning (A15).
func (t *turn) detour(f *frame, a *plan.Action, inputs map[string]any, err error) {
	switch {
	case a.Step != plan.None:
		d := *f
		d.Role, d.Single, d.Step, d.Visit, d.Deadline = roleDetour, true, a.Step, visit{}, time.Time{}
		t.push(d)
	case err != nil:
		t.note(Note{Kind: NoteWarning, Workflow: t.m.workflow(f).ID, Step: t.m.step(f).ID,
			Message: "workflow " + t.m.plan.Workflows[a.Workflow].ID + " was not run before the retry: " + message(err)})
		t.attempt(f)
	case a.Workflow != plan.None:
		t.push(frame{Workflow: a.Workflow, Role: roleDetour, Inputs: inputs})
	default:
		t.attempt(f)
	}
}

// delay is how long to wait before a retry: the response's Retry-After before
// the action's retryAfter (N60, A14), never longer than the cap.
func (t *turn) delay(a *plan.Action, o outcome) (wait time.Duration, why string) {
	wait, why = a.RetryAfter, "retryAfter"
	if t.m.plan.Profile.RetryAfter != "ignore" {
		if asked, ok := retryAfter(o.header, t.now); ok {
			wait, why = asked, "the Retry-After header"
		}
	}
	if most := t.m.plan.Profile.WaitCap(); wait > most {
		wait, why = most, why+", cut to the limit"
	}
	if wait <= 0 {
		return 0, ""
	}
	return wait, why
}

// retryAfter reads the header: seconds or an HTTP date (RFC 9110 10.2.3). It is not
// connector.RetryAfter, which paces calls by the machine's clock and believes no long
// waits: this one is part of what a run decides, comes out the same on replay, and has
// the plan's own limit (Profile.WaitCap).
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	for name, values := range h {
		if !strings.EqualFold(name, "Retry-After") || len(values) == 0 {
			continue
		}
		text := strings.TrimSpace(values[0])
		if n, err := strconv.ParseUint(text, 10, 31); err == nil {
			return time.Duration(n) * time.Second, true
		}
		if at, err := http.ParseTime(text); err == nil {
			return max(at.Sub(now), 0), true
		}
	}
	return 0, false
}
