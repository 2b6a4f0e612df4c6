package plan

import (
	"slices"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/shape"
)

// Compute is what a step computes (x-lanyard-compute).
type Compute struct {
	With     []Param // names that the formulas use
	Formulas []Formula
}

// Formula gives one output.
type Formula struct {
	Name       string
	Expression *shape.Expression
	Reads      []expr.Expression // inputs, and outputs of steps
	Inputs     bool              // it may read any input
	With       []string          // names of Compute.With that it reads
}

// Steps returns the ids of the steps whose outputs the formulas read.
func (c *Compute) Steps() []string {
	var out []string
	for _, f := range c.Formulas {
		for _, e := range f.Reads {
			if e.Root == expr.RootSteps && !slices.Contains(out, e.Owner) {
				out = append(out, e.Owner)
			}
		}
	}
	return out
}

// Eval computes the outputs. The error names the one that cannot be computed.
func (c *Compute) Eval(variables map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(c.Formulas))
	for _, f := range c.Formulas {
		v, err := f.Expression.Eval(variables)
		if err != nil {
			return nil, &FormulaError{Output: f.Name, Err: err}
		}
		out[f.Name] = v
	}
	return out, nil
}

// FormulaError says which output could not be computed, and why. The reason may
// quote a value.
type FormulaError struct {
	Output string
	Err    error
}

func (e *FormulaError) Error() string {
	return "the output " + e.Output + " cannot be computed: " + fault.Public(e.Err)
}

func (e *FormulaError) Unwrap() error { return e.Err }

// compute compiles x-lanyard-compute. What is wrong with it has been reported
// by package arazzo when the plan was built.
func (s *scope) compute(from *arazzo.Step, step *Step) {
	ext, ok := from.Extensions[arazzo.ComputeExtension]
	if !ok {
		return
	}
	c, err := from.Computed(s.docs[s.doc])
	if err != nil {
		s.report(ext.Pos, "schema", "%s %s", arazzo.ComputeExtension, fault.Public(err))
		return
	}
	step.Compute = &Compute{}
	for _, b := range c.With {
		v, err := expr.Compile(b.Value.Value(), expr.Options{Selectors: true})
		if err != nil {
			s.report(b.Pos, "bad-expression", "%s", fault.Public(err))
			continue
		}
		step.Compute.With = append(step.Compute.With, Param{Pos: b.Pos, Name: b.Name, Value: v})
	}
	for _, formula := range c.Formulas {
		e, at, err := c.Compile(formula)
		if err != nil {
			s.report(at, "bad-formula", "the expression of output %s: %s", formula.Name, fault.Public(err))
			continue
		}
		f := Formula{Name: formula.Name, Expression: e}
		for _, path := range e.Reads() {
			read, exact, named := c.Expression(path)
			switch {
			case exact:
				f.Reads = append(f.Reads, read)
			case named:
				f.Inputs = true
			default:
				f.With = append(f.With, path[0])
			}
		}
		step.Compute.Formulas = append(step.Compute.Formulas, f)
	}
}

// computed marks the outputs of a step that are computed from secrets.
func (s *Secrets) computed(w *Workflow, step *Step) (grew bool) {
	if step.Compute == nil {
		return false
	}
	for _, f := range step.Compute.Formulas {
		key := outputKey{w.Index, step.ID, f.Name}
		if !s.outputs[key] && s.formula(w, step, &f) {
			s.outputs[key], grew = true, true
		}
	}
	return grew
}

// formula reports whether a formula takes a secret: by what it reads, or by the
// name of a member that it takes of anything.
func (s *Secrets) formula(w *Workflow, step *Step, f *Formula) bool {
	if s.answers && slices.ContainsFunc(f.Expression.Names(), secret.SecretName) || f.Inputs && len(s.inputs[w.Index]) > 0 {
		return true
	}
	if s.any(w, step, f.Reads) {
		return true
	}
	return slices.ContainsFunc(step.Compute.With, func(p Param) bool {
		return slices.Contains(f.With, p.Name) && s.any(w, step, p.Value.Expressions())
	})
}
