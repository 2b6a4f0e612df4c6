package plan

import (
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Secrets knows which inputs and outputs of a plan's workflows hold secrets: by
// the inputs' schemas, and by the expressions through which they are handed on
// to outputs and called workflows. It is immutable.
type Secrets struct {
	plan    *Plan
	answers bool
	inputs  map[int][]value.Pointer // by workflow
	outputs map[outputKey]bool
}

// outputKey is an output of a step, or of a workflow when step is empty.
type outputKey struct {
	workflow   int
	step, name string
}

// InputSecrets follows the secret inputs of the plan.
func (p *Plan) InputSecrets() *Secrets { return p.follow(false) }

// AllSecrets follows in addition what expressions take from a place with a
// secret's name, such as $response.body#/otp.
func (p *Plan) AllSecrets() *Secrets { return p.follow(true) }

func (p *Plan) follow(answers bool) *Secrets {
	s := &Secrets{plan: p, answers: answers, inputs: map[int][]value.Pointer{}, outputs: map[outputKey]bool{}}
	for _, w := range p.Workflows {
		for _, text := range w.Secrets {
			if pointer, err := value.ParsePointer(text); err == nil {
				s.inputs[w.Index] = append(s.inputs[w.Index], pointer)
			}
		}
	}
	for s.spread() { // ends, since every round marks one more of finitely many names
	}
	return s
}

// spread hands secrets on by one step and reports whether it found a new place.
func (s *Secrets) spread() (grew bool) {
	for _, w := range s.plan.Workflows {
		for _, step := range w.Steps {
			if step.Workflow != None {
				grew = s.pass(w, step, step.arguments(), step.Workflow) || grew
				grew = s.implied(w, step) || grew
			}
			for _, a := range slices.Concat(step.OnSuccess, step.OnFailure) {
				if a.Workflow != None {
					grew = s.pass(w, step, a.Params, a.Workflow) || grew
				}
			}
			grew = s.mark(w, step, step.ID, step.Outputs) || grew
			grew = s.computed(w, step) || grew
		}
		grew = s.mark(w, nil, "", w.Outputs) || grew
	}
	return grew
}

// pass marks the inputs of a called workflow that are given secrets.
func (s *Secrets) pass(w *Workflow, step *Step, params []Param, to int) (grew bool) {
	for _, p := range params {
		if p.In == "" && s.any(w, step, p.Value.Expressions()) && !s.input(to, value.Pointer{p.Name}) {
			s.inputs[to] = append(s.inputs[to], value.Pointer{p.Name})
			grew = true
		}
	}
	return grew
}

// implied marks the outputs that a step has because its workflow has them.
func (s *Secrets) implied(w *Workflow, step *Step) (grew bool) {
	for _, o := range s.plan.Workflows[step.Workflow].Outputs {
		name := o.Name
		if step.ForEach != nil {
			name = arazzo.ResultsOutput
		}
		key := outputKey{w.Index, step.ID, name}
		if s.outputs[outputKey{step.Workflow, "", o.Name}] && !s.outputs[key] {
			s.outputs[key], grew = true, true
		}
	}
	if each := step.ForEach; each != nil && each.Keep != nil {
		key := outputKey{w.Index, step.ID, arazzo.CollectedOutput}
		if !s.outputs[key] && (s.outputs[outputKey{step.Workflow, "", each.Keep.Name}] || s.answers && endsSecret(*each.Keep)) {
			s.outputs[key], grew = true, true
		}
	}
	if each := step.ForEach; each != nil && s.any(w, step, each.Items.Expressions()) {
		key := outputKey{w.Index, step.ID, arazzo.ResultsOutput}
		grew = grew || !s.outputs[key]
		s.outputs[key] = true
	}
	return grew
}

func (s *Secrets) mark(w *Workflow, step *Step, id string, outputs []Output) (grew bool) {
	for _, o := range outputs {
		key := outputKey{w.Index, id, o.Name}
		if !s.outputs[key] && s.any(w, step, o.Expressions()) {
			s.outputs[key], grew = true, true
		}
	}
	return grew
}

func (s *Secrets) any(w *Workflow, step *Step, all []expr.Expression) bool {
	return slices.ContainsFunc(all, func(e expr.Expression) bool { return s.Reads(w, step, e) })
}

// input reports whether a place of a workflow's inputs is, holds or belongs to
// a secret.
func (s *Secrets) input(workflow int, place value.Pointer) bool {
	return slices.ContainsFunc(s.inputs[workflow], func(p value.Pointer) bool {
		n := min(len(p), len(place))
		return slices.Equal(p[:n], place[:n])
	})
}

// Reads reports whether an expression in a step of a workflow takes a secret.
// step is nil for the workflow's own outputs.
func (s *Secrets) Reads(w *Workflow, step *Step, e expr.Expression) bool {
	named := endsSecret(e)
	if s.answers && named {
		return true
	}
	switch e.Root {
	case expr.RootInputs:
		return s.input(w.Index, append(value.Pointer{e.Name}, e.Pointer...))
	case expr.RootSteps:
		return e.Part == "outputs" && s.outputs[outputKey{w.Index, e.Owner, e.Name}]
	case expr.RootOutputs:
		return step != nil && step.Workflow != None && s.called(w, step, e.Name) ||
			s.outputs[outputKey{w.Index, "", e.Name}]
	case expr.RootWorkflows:
		return s.ofWorkflow(e)
	case expr.RootRequest:
		whole := e.Part == "body" && len(e.Pointer) == 0
		return step != nil && step.Operation != nil && (named || whole) && s.Receives(w, step)
	}
	return false
}

// called reports whether what a sub-workflow step has under a name of $outputs
// holds a secret.
func (s *Secrets) called(w *Workflow, step *Step, name string) bool {
	if step.ForEach != nil {
		return s.outputs[outputKey{w.Index, step.ID, name}]
	}
	return s.outputs[outputKey{step.Workflow, "", name}]
}

func (s *Secrets) ofWorkflow(e expr.Expression) bool {
	return slices.ContainsFunc(s.plan.Workflows, func(w *Workflow) bool {
		if w.ID != e.Owner {
			return false
		}
		if e.Part == "inputs" {
			return s.input(w.Index, append(value.Pointer{e.Name}, e.Pointer...))
		}
		return s.outputs[outputKey{w.Index, "", e.Name}]
	})
}

// Inputs returns the places of a workflow's inputs that hold secrets, by its
// schema or because a caller hands them on.
func (s *Secrets) Inputs(w *Workflow) []value.Pointer { return s.inputs[w.Index] }

// Output reports whether an output of a step, or of the workflow itself when
// step is empty, holds a secret.
func (s *Secrets) Output(w *Workflow, step, name string) bool {
	return s.outputs[outputKey{w.Index, step, name}]
}

// Receives reports whether a secret goes into the request of a step's
// operation.
func (s *Secrets) Receives(w *Workflow, step *Step) bool {
	all := expressions(step.Params)
	if b := step.Body; b != nil {
		all = append(all, b.Value.Expressions()...)
		for _, r := range b.Replacements {
			all = append(all, r.Value.Expressions()...)
		}
	}
	if i := step.Idempotency; i != nil && i.Key != nil {
		all = append(all, i.Key.Expressions()...)
	}
	return s.any(w, step, all)
}

// LookupReceives is Receives for the operation that a step's rule looks things
// up with.
func (s *Secrets) LookupReceives(w *Workflow, step *Step) bool {
	return step.Idempotency != nil && step.Idempotency.Lookup != nil && s.any(w, step, expressions(step.Idempotency.Lookup.Params))
}

func expressions(params []Param) []expr.Expression {
	var out []expr.Expression
	for _, p := range params {
		out = append(out, p.Value.Expressions()...)
	}
	return out
}

// endsSecret reports whether the last name of an expression speaks of a secret.
func endsSecret(e expr.Expression) bool {
	for i := len(e.Pointer) - 1; i >= 0; i-- {
		if strings.Trim(e.Pointer[i], "0123456789") != "" { // an index says nothing
			return secret.SecretName(e.Pointer[i])
		}
	}
	return secret.SecretName(e.Name)
}
