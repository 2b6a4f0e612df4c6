package worker

import (
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// notes returns a turn's notes with the outputs and operands masked whose
// expressions take a secret. Those are masked however short they are: nothing
// has to be looked for, and so nothing else can be hit.
func (m *mask) notes(notes []engine.Note) []engine.Note {
	out := slices.Clone(notes)
	for i := range out {
		n := &out[i]
		w := m.workflow(n.Workflow)
		if w == nil {
			continue
		}
		n.Outputs = m.outputs(w, n.Step, n.Outputs)
		n.Criteria = m.criteria(w, n.Step, n.Criteria)
		if len(n.Considered) > 0 {
			n.Considered = slices.Clone(n.Considered)
			for k := range n.Considered {
				n.Considered[k].Criteria = m.criteria(w, n.Step, n.Considered[k].Criteria)
			}
		}
	}
	return out
}

// workflow finds a workflow as notes name it; the one that the run begins with has no name in notes
// about the run as a whole.
func (m *mask) workflow(id string) *plan.Workflow {
	if m.plan == nil {
		return nil
	}
	if id == "" || id == m.home.ID {
		return m.home
	}
	if i := slices.IndexFunc(m.plan.Workflows, func(w *plan.Workflow) bool { return w.ID == id }); i >= 0 {
		return m.plan.Workflows[i]
	}
	return nil
}

// outputs returns the outputs of a step, or of the workflow when step is empty,
// as they may be shown.
func (m *mask) outputs(w *plan.Workflow, step string, given map[string]any) map[string]any {
	var shown map[string]any // the run's state shares what is given
	for name, v := range given {
		if !m.secrets.Output(w, step, name) {
			continue
		}
		if shown == nil {
			shown = maps.Clone(given)
		}
		shown[name] = secret.MaskAll(v)
	}
	if shown == nil {
		return given
	}
	return shown
}

func (m *mask) criteria(w *plan.Workflow, step string, results []expr.Result) []expr.Result {
	var out []expr.Result
	for i := range results {
		for k, o := range results[i].Operands {
			if !m.reads(w, step, o.Expression) {
				continue
			}
			if out == nil {
				out = slices.Clone(results)
			}
			if &out[i].Operands[0] == &results[i].Operands[0] {
				out[i].Operands = slices.Clone(out[i].Operands)
			}
			out[i].Operands[k].Value = secret.MaskAll(o.Value)
		}
	}
	if out == nil {
		return results
	}
	return out
}

// reads reports whether an operand, as it is written, takes a secret.
func (m *mask) reads(w *plan.Workflow, stepID, operand string) bool {
	var step *plan.Step
	if i := slices.IndexFunc(w.Steps, func(s *plan.Step) bool { return s.ID == stepID }); i >= 0 {
		step = w.Steps[i]
	}
	if e, err := expr.Parse(operand); err == nil && m.secrets.Reads(w, step, e) {
		return true
	}
	// Operands also have property and index accesses: $response.body.codes[0].otp
	names := strings.FieldsFunc(operand, func(r rune) bool { return strings.ContainsRune("./#[]'\"", r) })
	for _, name := range slices.Backward(names) {
		if strings.Trim(name, "0123456789") != "" {
			return m.names.secret([]byte(name))
		}
	}
	return false
}
