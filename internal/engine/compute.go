package engine

import (
	"errors"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/plan"
)

// Compute asks for the outputs of a step to be computed (x-lanyard-compute).
// That needs nothing from outside; what comes of it is journalled all the same,
// so that a run stays as it was whatever becomes of the language.
type Compute struct {
	ID   int
	Step string

	formulas  *plan.Compute
	variables map[string]any
	secret    func(output string) bool
}

// Run computes the outputs. reason says why that is not possible; it is public.
func (c *Compute) Run() (outputs map[string]any, reason string) {
	outputs, err := c.formulas.Eval(c.variables)
	var failed *plan.FormulaError
	switch {
	case err == nil:
		return outputs, ""
	case errors.As(err, &failed) && c.secret(failed.Output):
		return nil, "the output " + failed.Output + " cannot be computed; why would quote a secret"
	}
	return nil, err.Error()
}

// Secret reports whether an output is computed from a secret.
func (c *Compute) Secret(output string) bool { return c.secret(output) }

// formulas prepares what a step computes.
func (t *turn) formulas(f *frame, step *plan.Step, data *expr.Data) (*Compute, error) {
	w := t.m.workflow(f)
	steps := map[string]any{}
	for _, id := range step.Compute.Steps() {
		if outputs, ran := f.Outputs[id]; ran {
			steps[id] = map[string]any{"outputs": outputs}
		}
	}
	inputs := f.Inputs
	if inputs == nil {
		inputs = map[string]any{}
	}
	c := &Compute{
		Step: step.ID, formulas: step.Compute, variables: map[string]any{"inputs": inputs, "steps": steps},
		secret: func(output string) bool { return t.m.secrets.Output(w, step.ID, output) },
	}
	for i := range step.Compute.With {
		p := &step.Compute.With[i]
		v, _, err := p.Value.Eval(data, t.absent(f))
		if err != nil {
			return nil, at(p.Name, err)
		}
		c.variables[p.Name] = v
	}
	return c, nil
}

// compute asks for the outputs of a step that does nothing else.
func (t *turn) compute(f *frame, step *plan.Step) {
	c, err := t.formulas(f, step, t.scope(f, nil, nil))
	if err != nil {
		t.judge(outcome{message: "nothing was computed: " + message(err)})
		return
	}
	t.s.NextID++
	c.ID = t.s.NextID
	t.s.Waiting = &waiting{Kind: waitCompute, ID: c.ID}
	t.out.Command = Command{Kind: ComputeCommand, Compute: c}
}

// computed judges a step whose outputs have been computed.
func (t *turn) computed(e Event) {
	f := t.s.top()
	step := t.m.step(f)
	if e.Reason != "" {
		t.judge(outcome{message: e.Reason})
		return
	}
	outputs := e.Outputs
	if outputs == nil {
		outputs = map[string]any{}
	}
	f.Outputs = with(f.Outputs, step.ID, outputs)
	data := t.scope(f, nil, nil)
	data.Outputs = outputs
	o := outcome{ok: true, data: data}
	if o.criteria, o.ok = evaluate(step.Criteria, data); !o.ok {
		o.message = failedCriteria(o.criteria)
	}
	t.judge(o)
}

// computeMore adds what a step computes to the outputs of its call.
func (t *turn) computeMore(f *frame, step *plan.Step, data *expr.Data, outputs map[string]any) (reason string) {
	c, err := t.formulas(f, step, data)
	if err != nil {
		return message(err)
	}
	more, reason := c.Run()
	for name, v := range more {
		outputs[name] = v
	}
	return reason
}
