package drivertest

import (
	"fmt"
	"testing"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// items are those of List, by what a crash during their call leads to.
var items = []string{"lookup-1", "plain-2", "lookup-3", "plain-4", "lookup-5", "lookup-6"}

// List is a document for Plan that works through a list, some items at a time:
// those whose call can be looked up, and those that need a person.
const List = `
workflows:
  - workflowId: main
    steps:
      - stepId: each
        workflowId: item
        x-lanyard-forEach: {items: [lookup-1, plain-2, lookup-3, plain-4, lookup-5, lookup-6], as: name, maxParallel: 3, onError: collect}
        outputs: {list: $outputs.results}
    outputs: {list: $steps.each.outputs.list, n: $steps.each.outputs.succeeded}
  - workflowId: item
    inputs: {type: object, required: [name], properties: {name: {type: string}}}
    steps:
      - stepId: which
        operationId: findItems
        parameters: [{name: name, in: query, value: "{$inputs.name}-none"}]
        onSuccess:
          - {name: plain, type: goto, stepId: plain, criteria: [{context: $inputs.name, condition: ^plain, type: regex}]}
      - stepId: lookup
        operationId: createItem
        requestBody: {payload: {name: $inputs.name}}
        x-lanyard-idempotency:
          lookup:
            operationId: findItems
            parameters: [{name: name, in: query, value: $inputs.name}]
            found: $response.body#/items/0 != null
            body: $response.body#/items/0
        onSuccess: [{name: over, type: end}]
      - stepId: plain
        operationId: createItem
        requestBody: {payload: {name: $inputs.name}}
`

// list kills the process at each boundary of a run that works through a list.
func (c *contract) list(t *testing.T) {
	for dies := 1; ; dies++ {
		over := false
		t.Run(fmt.Sprint(dies), func(t *testing.T) {
			tr := &trial{T: t, open: c.data(t), plan: Plan(t, List, plan.Profile{}), target: newTarget()}
			_, p, l := tr.live(dies)
			p.Stop()
			at, _, _ := l.end()
			over = at == ""
			r, p, _ := tr.live(0)
			for held := 0; r.Status == run.Held && held <= len(items); held++ {
				r = tr.decideItem(p, r)
			}
			p.Stop()
			if r.Status != run.Succeeded {
				t.Fatalf("killed at %s: the run is %s (%s), want succeeded", at, r.Status, r.Reason)
			}
			for _, name := range items {
				if n := tr.target.countNamed(name); n != 1 {
					t.Errorf("killed at %s: item %s was made %d times", at, name, n)
				}
			}
		})
		if over || t.Failed() {
			return
		}
	}
}

// decideItem looks whether the item that holds the run took effect, and says so.
func (t *trial) decideItem(p Process, r run.Run) run.Run {
	t.Helper()
	e := engine.Event{Kind: engine.Retried, By: "the contract", Step: "plain"}
	var at, of int
	var name string
	if _, err := fmt.Sscanf(r.Reason, "item %d of %d, %s", &at, &of, &name); err != nil {
		t.Fatalf("the run is held, and does not say which item waits: %s", r.Reason)
	}
	if t.target.countNamed(name[:len(name)-1]) > 0 { // without the colon
		e.Kind, e.Outputs = engine.Skipped, map[string]any{}
	}
	ctx := t.context()
	err := p.Signal(ctx, id, e)
	if err == nil {
		r, err = p.Rest(ctx, id)
	}
	if err != nil {
		t.Fatalf("%s: %s", e.Kind, fault.Public(err))
	}
	return r
}

// countNamed returns how many items of a name were made.
func (t *Target) countNamed(name string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, item := range t.items {
		if item["name"] == name {
			n++
		}
	}
	return n
}
