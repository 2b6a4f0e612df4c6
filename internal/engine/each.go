package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// each is how far a step has worked through its list (x-lanyard-forEach). What
// is done of it survives a retry of the step: no item that succeeded is done
// again.
type each struct {
	Items   []any `json:"items"`
	Results []any `json:"results,omitempty"` // of the items that are done, in order
	Failed  int   `json:"failed,omitempty"`
	Next    int   `json:"next,omitempty"` // the item that is being done, or is looked at next
}

// restartEach has a retry of the step look at every item once more.
func restartEach(f *frame) {
	if f.Visit.Each != nil {
		e := *f.Visit.Each
		e.Next = 0
		f.Visit.Each = &e
	}
}

// enterEach calls the step's workflow for the next item, or ends the step when
// there is none.
func (t *turn) enterEach(f *frame, step *plan.Step) {
	if f.Visit.Each == nil {
		items, err := t.items(f, step)
		if err != nil {
			t.judge(outcome{message: notStarted + message(err)})
			return
		}
		f.Visit.Each = &each{Items: items}
	}
	for e := t.ownEach(f); e.Next < len(e.Items); {
		if e.succeeded(e.Next) { // before this retry
			e.Next++
			continue
		}
		inputs, err := t.arguments(f, step.Params, t.scope(f, nil, nil))
		if err == nil {
			inputs[step.ForEach.As] = e.Items[e.Next]
			err = t.call(step, inputs)
		}
		if err == nil {
			return // the workflow is on top now
		}
		if !t.keepItem(f, step, nil, notStarted+message(err)) {
			return
		}
	}
	t.eachEnded(f, step)
}

// ownEach returns the frame's list as one that this turn may change. It is
// copied once in a turn, not for each item: many may be refused in one.
func (t *turn) ownEach(f *frame) *each {
	if f.Visit.Each != t.own {
		e := *f.Visit.Each
		e.Results = slices.Clone(e.Results)
		f.Visit.Each, t.own = &e, &e
	}
	return t.own
}

// succeeded reports whether an item was done before, and well.
func (e *each) succeeded(at int) bool {
	if at >= len(e.Results) {
		return false
	}
	result, _ := e.Results[at].(map[string]any)
	return result["succeeded"] == true
}

// items evaluates the list. What is made of an absent optional input is empty.
func (t *turn) items(f *frame, step *plan.Step) ([]any, error) {
	v, drop, err := step.ForEach.Items.Eval(t.scope(f, nil, nil), t.absent(f))
	if err != nil {
		return nil, at("items", err)
	}
	if drop {
		return []any{}, nil
	}
	list, ok := value.Clone(v).([]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "items is not a list")
	}
	return list, t.affordable(step, len(list))
}

// affordable refuses a list whose items have more steps than the run may still
// visit. Its limit cannot be raised once the run has begun: half of the list
// would be done, and the rest could not be.
func (t *turn) affordable(step *plan.Step, items int) error {
	each, left := t.m.plan.Visits(step.Workflow), t.m.plan.Profile.StepBudget()-t.s.Visits
	if items == 0 || each <= left/items {
		return nil
	}
	return fault.New(fault.Invalid, "the list has %d items of %d steps each, and the run may visit %d more steps", items, each, left).
		Fix("raise maxSteps, or give it a shorter list")
}

// itemEnded goes on after the workflow for one item has ended; failure says why
// it failed and is empty when it succeeded.
func (t *turn) itemEnded(f *frame, outputs map[string]any, failure string) {
	step := t.m.step(f)
	if t.keepItem(f, step, outputs, failure) {
		t.enterEach(f, step)
	}
}

// keepItem notes the result of an item, and reports whether the step goes on: a
// failure ends it, unless failures are collected.
func (t *turn) keepItem(f *frame, step *plan.Step, outputs map[string]any, failure string) bool {
	e := t.ownEach(f)
	if failure != "" && !step.ForEach.Collect {
		t.judge(outcome{message: t.itemName(f, step, e.Next) + ": " + failure})
		return false
	}
	result := map[string]any{"item": e.Items[e.Next], "succeeded": failure == ""}
	if outputs != nil {
		result["outputs"] = outputs
	}
	if failure != "" {
		result["error"] = failure
		e.Failed++
		t.frozen = nil
	}
	if e.Next < len(e.Results) { // it failed before this retry
		e.Results[e.Next] = result
		e.Failed--
	} else {
		e.Results = append(e.Results, result)
	}
	e.Next++
	return true
}

// itemName names an item to people: by its number, and by itself when it is a
// short text or a number that is no secret. A secret inside an object, or cut in
// two, could not be found again to be masked.
func (t *turn) itemName(f *frame, step *plan.Step, at int) string {
	items := f.Visit.Each.Items
	name := fmt.Sprintf("item %d of %d", at+1, len(items))
	w := t.m.workflow(f)
	if slices.ContainsFunc(step.ForEach.Items.Expressions(), func(e expr.Expression) bool { return t.m.secrets.Reads(w, step, e) }) {
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

// eachEnded judges a step that has worked through its list. Without criteria it
// succeeds when every item did.
func (t *turn) eachEnded(f *frame, step *plan.Step) {
	e := f.Visit.Each
	outputs := map[string]any{
		arazzo.ResultsOutput:   slices.Concat([]any{}, e.Results),
		arazzo.SucceededOutput: number(len(e.Results) - e.Failed),
		arazzo.FailedOutput:    number(e.Failed),
	}
	f.Outputs = with(f.Outputs, step.ID, outputs)
	data := t.scope(f, nil, nil)
	data.Outputs = outputs
	o := outcome{ok: true, data: data}
	switch {
	case len(step.Criteria) > 0:
		if o.criteria, o.ok = evaluate(step.Criteria, data); !o.ok {
			o.message = failedCriteria(o.criteria)
		}
	case e.Failed > 0:
		o.ok, o.message = false, fmt.Sprintf("%d of %d items failed; %s", e.Failed, len(e.Items), t.firstFailure(f, step))
	}
	if o.ok || e.Failed == 0 { // a retry is about the items that failed; when none did, about all
		f.Visit.Each = nil
	}
	t.judge(o)
}

// firstFailure words the first item that failed.
func (t *turn) firstFailure(f *frame, step *plan.Step) string {
	for at, r := range f.Visit.Each.Results {
		result, _ := r.(map[string]any)
		if why, failed := result["error"].(string); failed {
			return t.itemName(f, step, at) + ": " + why
		}
	}
	return ""
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }
