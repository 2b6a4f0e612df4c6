package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/arazzo"
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
	for at := len(f.Visit.Each.Results); at < len(f.Visit.Each.Items); at++ {
		inputs, err := t.arguments(f, step.Params, t.scope(f, nil, nil))
		if err == nil {
			inputs[step.ForEach.As] = f.Visit.Each.Items[at]
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
	return list, nil
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
	e := *f.Visit.Each
	item := e.Items[len(e.Results)]
	if failure != "" && !step.ForEach.Collect {
		t.judge(outcome{message: fmt.Sprintf("item %d of %d, %s: %s", len(e.Results)+1, len(e.Items), shorten(value.Text(item)), failure)})
		return false
	}
	result := map[string]any{"item": item, "succeeded": failure == ""}
	if outputs != nil {
		result["outputs"] = outputs
	}
	if failure != "" {
		result["error"] = failure
		e.Failed++
		t.frozen = nil
	}
	e.Results = append(slices.Clip(e.Results), result)
	f.Visit.Each = &e
	return true
}

// eachEnded judges a step that has worked through its list. Without criteria it
// succeeds when every item did.
func (t *turn) eachEnded(f *frame, step *plan.Step) {
	e := f.Visit.Each
	outputs := map[string]any{
		arazzo.ResultsOutput:   slices.Concat([]any{}, e.Results),
		arazzo.SucceededOutput: number(len(e.Results) - e.Failed),
		arazzo.FailedOutput:    number(e.Failed),
	}
	f.Visit.Each = nil
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
		o.ok, o.message = false, fmt.Sprintf("%d of %d items failed; %s", e.Failed, len(e.Items), firstFailure(e))
	}
	t.judge(o)
}

// firstFailure words the first item that failed.
func firstFailure(e *each) string {
	for _, r := range e.Results {
		result, _ := r.(map[string]any)
		if why, failed := result["error"].(string); failed {
			return shorten(value.Text(result["item"])) + ": " + why
		}
	}
	return ""
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }
