package engine

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/value"
)

// each is how a step works through its list (x-lanyard-forEach). What came of
// the items is not in it: they are runs of their own, and the driver knows.
type each struct {
	Loop   int    `json:"loop"`             // names the list among those of the run
	Count  int    `json:"count"`            // items, or batches of them
	Sum    uint64 `json:"sum"`              // of the list
	Try    int    `json:"try"`              // passes over it, this one included
	Inside bool   `json:"inside,omitempty"` // what failed goes on where it failed
}

// ForEach asks for a workflow to be run for each item of a list, or each batch
// of them. Every item is a run of its own, made with Start, and has succeeded,
// failed or is held. The driver answers with Looped when all are over, or with
// Blocked when nothing moves any more and some wait for a person.
//
// Loop stays the same when the step is tried again. An item that succeeded in an
// earlier try is not done again; one that failed is, as a new run, or by letting
// its run go on where Inside is set.
type ForEach struct {
	ID       int
	Loop     int
	Try      int
	Inside   bool
	Workflow string // of the step
	Step     string
	Visit    int
	Calls    string // the id of the workflow that is called
	Parallel int    // items that may move at the same time
	Stop     bool   // no item is begun once one has failed
	Results  bool   // the document reads what came of each item
	Keeps    bool   // a value of each item is kept
	Decision *Event // what a person decided about an item that is held

	m         *Machine
	step      *plan.Step
	items     []any
	inputs    map[string]any
	completed map[int]completed
	deadline  time.Time
}

// Len returns how many items there are.
func (c *ForEach) Len() int { return len(c.items) }

// Item returns what a position of the list holds.
func (c *ForEach) Item(at int) any { return c.items[at] }

// As names the input that is given the item.
func (c *ForEach) As() string { return c.step.ForEach.As }

// Index is the workflow that is called, among those of the plan.
func (c *ForEach) Index() int { return c.step.Workflow }

// Start returns the event that begins the run of an item. The error says why the
// item's workflow does not take it.
func (c *ForEach) Start(at int, now time.Time) (Event, error) {
	inputs := maps.Clone(c.inputs)
	inputs[c.As()] = c.items[at]
	prepared, err := c.m.plan.Workflows[c.step.Workflow].Prepare(inputs)
	if err != nil {
		return Event{}, fault.New(fault.Invalid, "%s", notStarted+message(err))
	}
	e := Event{Kind: Started, At: now, Inputs: prepared, Workflow: c.step.Workflow, Completed: c.completed, Deadline: c.deadline}
	if limit := c.step.Timeout; limit > 0 && (e.Deadline.IsZero() || now.Add(limit).Before(e.Deadline)) {
		e.Deadline = now.Add(limit)
	}
	return e, nil
}

// Failure words why the run of an item has failed; it is empty when it did not.
func (c *ForEach) Failure(s State) string {
	switch {
	case s.Status == run.Succeeded:
		return ""
	case s.Reason == lateWorkflow:
		return s.Reason
	case s.Status == run.Cancelled:
		return fmt.Sprintf("workflow %s was cancelled", c.Calls)
	}
	return fmt.Sprintf("workflow %s failed: %s", c.Calls, s.Reason)
}

// Result is what the document sees of an item that is over.
func (c *ForEach) Result(at int, outputs map[string]any, failure string) map[string]any {
	out := map[string]any{"item": c.items[at], "succeeded": failure == ""}
	if outputs != nil {
		out["outputs"] = outputs
	}
	if failure != "" {
		out["error"] = failure
	}
	return out
}

// Keep takes the value that is kept from a Result, null where there is none.
func (c *ForEach) Keep(result map[string]any) any {
	outputs, _ := result["outputs"].(map[string]any)
	if c.step.ForEach.Keep == nil || result["succeeded"] != true {
		return nil
	}
	v, err := expr.Resolve(*c.step.ForEach.Keep, &expr.Data{Outputs: outputs})
	if err != nil {
		return nil
	}
	return v
}

// Items is what came of a list.
type Items struct {
	Succeeded int         `json:"succeeded"`
	Failed    int         `json:"failed"`
	First     *FailedItem `json:"first,omitempty"`   // of those that failed
	Results   []any       `json:"results,omitempty"` // ForEach.Result of each, when the document reads them
	Kept      []any       `json:"kept,omitempty"`    // ForEach.Keep of each
	Large     bool        `json:"large,omitempty"`   // Results or Kept are left out: they would be too large
}

// FailedItem is an item that failed.
type FailedItem struct {
	At      int    `json:"at"`
	Message string `json:"message"`
}

// restartEach begins another pass over the step's list.
func (t *turn) restartEach(f *frame) {
	if f.Visit.Each != nil {
		e := *f.Visit.Each
		e.Try++
		e.Inside = t.inside
		f.Visit.Each = &e
	}
}

// enterEach has the step's workflow run for each item.
func (t *turn) enterEach(f *frame, step *plan.Step) {
	items, err := t.items(f, step)
	var inputs map[string]any
	if err == nil {
		inputs, err = t.arguments(f, step.Params, t.scope(f, nil, nil))
	}
	if err != nil {
		t.judge(outcome{message: notStarted + message(err)})
		return
	}
	sum, err := sumOf(items)
	if err != nil {
		t.judge(outcome{message: notStarted + message(err)})
		return
	}
	if e := f.Visit.Each; e != nil && e.Sum != sum {
		t.judge(outcome{message: "the list is another one than when its first items were done, so that it is not known which those are"})
		return
	}
	if len(items) > 0 && t.prepareEach(f, step, inputs, items[0]) {
		return
	}
	if f.Visit.Each == nil {
		f.Visit.Each = &each{Loop: t.s.NextID + 1, Count: len(items), Sum: sum, Try: 1}
	}
	t.s.NextID++
	t.s.Waiting = &waiting{Kind: waitLoop, ID: t.s.NextID}
	t.note(Note{Kind: NoteItems, Workflow: t.m.workflow(f).ID, Step: step.ID, Visit: f.Visit.Number, Items: &ItemCount{Loop: f.Visit.Each.Loop, Total: len(items)}})
	t.loop(f, step, items, inputs)
}

// loop issues the command.
func (t *turn) loop(f *frame, step *plan.Step, items []any, inputs map[string]any) {
	e := f.Visit.Each
	c := &ForEach{
		ID: t.s.Waiting.ID, Loop: e.Loop, Try: e.Try, Inside: e.Inside,
		Workflow: t.m.workflow(f).ID, Step: step.ID, Visit: f.Visit.Number, Calls: t.m.plan.Workflows[step.Workflow].ID,
		Parallel: max(step.ForEach.Parallel, 1), Stop: !step.ForEach.Collect, Results: step.ForEach.Results, Keeps: step.ForEach.Keep != nil,
		m: t.m, step: step, items: items, inputs: inputs, deadline: t.deadline(),
	}
	for _, w := range t.m.plan.Workflows[step.Workflow].DependsOn {
		c.completed = with(c.completed, w, t.s.Completed[w])
	}
	t.out.Command = Command{Kind: ForEachCommand, ForEach: c}
}

// prepareEach completes the workflows that the called one depends on, once for
// all items, with the first one's inputs (A16). It reports whether there is one
// to be completed.
func (t *turn) prepareEach(f *frame, step *plan.Step, inputs map[string]any, first any) bool {
	for _, w := range t.m.plan.Workflows[step.Workflow].DependsOn {
		if _, done := t.s.Completed[w]; done {
			continue
		}
		target := t.m.plan.Workflows[w]
		prepared, err := target.Prepare(target.Accepts(with(inputs, step.ForEach.As, first)))
		if err != nil {
			t.judge(outcome{message: fmt.Sprintf("workflow %s must be completed first: %s", target.ID, fault.Public(err))})
			return true
		}
		f.Visit.Preparing = true
		t.push(frame{Workflow: w, Role: roleDependency, Inputs: prepared})
		return true
	}
	f.Visit.Preparing = false
	return false
}

// items evaluates the list and cuts it into batches. What is made of an absent
// optional input is empty.
func (t *turn) items(f *frame, step *plan.Step) ([]any, error) {
	v, drop, err := step.ForEach.Items.Eval(t.scope(f, nil, nil), t.absent(f))
	if err != nil {
		return nil, at("items", err)
	}
	if drop {
		return []any{}, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "items is not a list")
	}
	if step.ForEach.Batch == 0 {
		return list, nil
	}
	batches := make([]any, 0, len(list)/step.ForEach.Batch+1)
	for batch := range slices.Chunk(list, step.ForEach.Batch) {
		batches = append(batches, batch)
	}
	return batches, nil
}

// sumOf tells lists apart.
func sumOf(items []any) (uint64, error) {
	sum := fnv.New64a()
	for _, item := range items {
		data, err := value.Encode(item)
		if err != nil {
			return 0, fault.Wrap(fault.Invalid, err, "an item of the list is no JSON")
		}
		sum.Write(data)
		sum.Write([]byte{'\n'})
	}
	return sum.Sum64(), nil
}

// deadline is when the workflows around the step have to be over, zero when
// they may take as long as they like.
func (t *turn) deadline() time.Time {
	var first time.Time
	earlier := func(d time.Time) {
		if !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	for _, f := range t.s.Frames {
		earlier(f.Deadline)
	}
	if limit := t.m.plan.Profile.RunLimit(); limit > 0 {
		earlier(t.s.Started.Add(limit))
	}
	return first
}

// blocked holds the run while nothing moves but for a person's decision about
// one of its items.
func (t *turn) blocked(w waiting, e Event) {
	f := t.s.top()
	step := t.m.step(f)
	reason := t.itemName(f, step, e.Position) + ": " + e.Reason
	remedy := "find out whether it took effect, then use runs skip (it did), runs retry (it did not) or runs cancel"
	w.Reason, w.Remedy = reason, remedy
	t.s.Status, t.s.Reason, t.s.Stopped, t.s.Waiting = run.Held, reason, t.now, &w
	t.doubtNote(f, reason)
	t.out.Command = Command{Kind: HoldCommand, Hold: &Hold{Step: step.ID, Reason: reason, Remedy: remedy}}
}

// unblock hands a person's decision on to the item that it is about.
func (t *turn) unblock(e Event) error {
	t.s.Status, t.s.Reason = run.Running, ""
	f := t.s.top()
	t.rested(true)
	step := t.m.step(f)
	items, err := t.items(f, step)
	if err != nil {
		return err
	}
	inputs, err := t.arguments(f, step.Params, t.scope(f, nil, nil))
	if err != nil {
		return err
	}
	w := *t.s.Waiting
	w.Reason, w.Remedy = "", ""
	t.s.Waiting = &w
	t.loop(f, step, items, inputs)
	t.out.Command.ForEach.Decision = &e
	return nil
}

// Waits returns the list that a held run waits for, and false when it waits for
// something else.
func (s *State) Waits() (loop int, ok bool) {
	if s.Status != run.Held || s.Waiting == nil || s.Waiting.Kind != waitLoop {
		return 0, false
	}
	return s.Frames[len(s.Frames)-1].Visit.Each.Loop, true
}

// looped judges a step that has worked through its list. Without criteria it
// succeeds when every item did.
func (t *turn) looped(done *Items) {
	f := t.s.top()
	step := t.m.step(f)
	count := &ItemCount{Loop: f.Visit.Each.Loop, Total: f.Visit.Each.Count, Succeeded: done.Succeeded, Failed: done.Failed}
	if done.Failed > 0 && !step.ForEach.Collect && done.First != nil {
		t.judge(outcome{message: t.itemName(f, step, done.First.At) + ": " + done.First.Message, items: count})
		return
	}
	outputs := map[string]any{
		arazzo.SucceededOutput: number(done.Succeeded),
		arazzo.FailedOutput:    number(done.Failed),
	}
	if step.ForEach.Results {
		outputs[arazzo.ResultsOutput] = slices.Concat([]any{}, done.Results)
	}
	if step.ForEach.Keep != nil {
		outputs[arazzo.CollectedOutput] = slices.Concat([]any{}, done.Kept)
	}
	if done.Large {
		t.judge(outcome{items: count, message: fmt.Sprintf("what came of %d items is too large for the document to read; keep one value of each with collect, or read them with runs items", count.Total)})
		return
	}
	f.Outputs = with(f.Outputs, step.ID, outputs)
	data := t.scope(f, nil, nil)
	data.Outputs = outputs
	o := outcome{ok: true, data: data, items: count}
	switch {
	case len(step.Criteria) > 0:
		if o.criteria, o.ok = evaluate(step.Criteria, data); !o.ok {
			o.message = failedCriteria(o.criteria)
		}
	case done.Failed > 0:
		o.ok, o.message = false, fmt.Sprintf("%d of %d items failed", done.Failed, count.Total)
		if done.First != nil {
			o.message += "; " + t.itemName(f, step, done.First.At) + ": " + done.First.Message
		}
	}
	if done.Failed > 0 {
		t.frozen = nil
	}
	if o.ok || done.Failed == 0 { // a retry is about the items that failed; when none did, about all
		f.Visit.Each = nil
	}
	t.judge(o)
}

// itemName names an item to people: by its number, and by itself when it is a
// short text or a number that is no secret. A secret inside an object, or cut in
// two, could not be found again to be masked.
func (t *turn) itemName(f *frame, step *plan.Step, at int) string {
	name := fmt.Sprintf("item %d of %d", at+1, f.Visit.Each.Count)
	if step.ForEach.Batch > 0 {
		return "batch" + name[len("item"):]
	}
	w := t.m.workflow(f)
	if slices.ContainsFunc(step.ForEach.Items.Expressions(), func(e expr.Expression) bool { return t.m.secrets.Reads(w, step, e) }) {
		return name
	}
	items, err := t.items(f, step)
	if err != nil || at >= len(items) {
		return name
	}
	switch item := items[at].(type) {
	case string:
		if len(item) <= maxItemName {
			return name + ", " + item
		}
	case json.Number:
		return name + ", " + shorten(item.String())
	}
	return name
}

// maxItemName bounds the items that are shown in messages, in bytes.
const maxItemName = 100

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }
