package arazzo

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Value returns the field as a value (N2), nil when it is absent; Set tells an
// absent field from null.
func (a Any) Value() any { return value.FromYAML(a.Node) }

// Workflow returns the workflow with the given id, nil when there is none.
func (d *Document) Workflow(id string) *Workflow {
	for _, w := range d.Workflows {
		if w.ID.Value == id {
			return w
		}
	}
	return nil
}

// Source returns the source description with the given name, nil when there is none.
func (d *Document) Source(name string) *Source {
	for i := range d.Sources {
		if d.Sources[i].Name.Value == name {
			return &d.Sources[i]
		}
	}
	return nil
}

// Step returns the step with the given id, nil when there is none.
func (w *Workflow) Step(id string) *Step {
	for _, s := range w.Steps {
		if s.ID.Value == id {
			return s
		}
	}
	return nil
}

// index prepares the lookups by name.
func (c *Components) index() {
	c.byName = map[string]map[string]int{
		"parameters":     indexOf(c.Parameters),
		"successActions": indexOf(c.SuccessActions),
		"failureActions": indexOf(c.FailureActions),
	}
}

func indexOf[T any](list []Component[T]) map[string]int {
	out := make(map[string]int, len(list))
	for i, item := range list {
		out[item.Name] = i
	}
	return out
}

// Parameter returns the parameter component that a reference names (N9), and
// whether there is one.
func (c *Components) Parameter(reference string) (Parameter, bool) {
	return lookup(c, c.Parameters, "parameters", reference)
}

// SuccessAction is Parameter for success actions.
func (c *Components) SuccessAction(reference string) (Action, bool) {
	return lookup(c, c.SuccessActions, "successActions", reference)
}

// FailureAction is Parameter for failure actions.
func (c *Components) FailureAction(reference string) (Action, bool) {
	return lookup(c, c.FailureActions, "failureActions", reference)
}

func lookup[T any](c *Components, list []Component[T], kind, reference string) (T, bool) {
	var none T
	e, err := expr.Parse(reference)
	if err != nil || e.Root != expr.RootComponents || e.Part != kind {
		return none, false
	}
	i, ok := c.byName[kind][e.Name]
	if !ok {
		return none, false
	}
	return list[i].Item, true
}

// EffectiveParameters returns the parameters of a step: the workflow's, with
// the step's own in place of those of the same name and place, then the rest of
// the step's (N17). References are replaced by what they name, their value by
// the override (N9); unknown ones are left out.
func (d *Document) EffectiveParameters(w *Workflow, s *Step) []Parameter {
	out := d.resolveParameters(w.Parameters)
	inherited := len(out)
	for _, p := range d.resolveParameters(s.Parameters) {
		at := -1
		for i := range out[:inherited] {
			if sameParameter(out[i], p, s.WorkflowID.Node != nil) {
				at = i
				break
			}
		}
		if at >= 0 {
			out[at] = p
			continue
		}
		out = append(out, p)
	}
	return out
}

// sameParameter compares by name and place; the inputs of a workflow have no
// place, and header names no letter case.
func sameParameter(a, b Parameter, input bool) bool {
	if input {
		return a.Name.Value == b.Name.Value
	}
	if a.In.Value != b.In.Value {
		return false
	}
	if a.In.Value == "header" {
		return strings.EqualFold(a.Name.Value, b.Name.Value)
	}
	return a.Name.Value == b.Name.Value
}

func (d *Document) resolveParameters(list []Parameter) []Parameter {
	var out []Parameter
	for _, p := range list {
		if r, ok := d.ResolveParameter(p); ok {
			out = append(out, r)
		}
	}
	return out
}

// ResolveParameter follows the reference of a Reusable Object (N9, A29). A
// parameter without one is returned as it is. The result keeps the place where
// the reference stands.
func (d *Document) ResolveParameter(p Parameter) (Parameter, bool) {
	if p.Reference.Node == nil {
		return p, true
	}
	c, ok := d.Components.Parameter(p.Reference.Value)
	if !ok {
		return Parameter{}, false
	}
	c.Pos = p.Pos
	if p.Value.Set() {
		c.Value = p.Value
	}
	return c, true
}

// EffectiveActions returns what may follow a step: its own actions, then those
// of the workflow whose names it did not use (A2, N63). References are replaced
// by what they name and keep their place; unknown ones are left out.
func (d *Document) EffectiveActions(w *Workflow, s *Step) (onSuccess, onFailure []Action) {
	return merge(s.OnSuccess, w.SuccessActions, d.Components.SuccessAction),
		merge(s.OnFailure, w.FailureActions, d.Components.FailureAction)
}

func merge(own, inherited []Action, find func(reference string) (Action, bool)) []Action {
	var out []Action
	names := map[string]bool{}
	for _, a := range own {
		if r, ok := resolveAction(a, find); ok {
			names[r.Name.Value] = true
			out = append(out, r)
		}
	}
	for _, a := range inherited {
		if r, ok := resolveAction(a, find); ok && !names[r.Name.Value] {
			out = append(out, r)
		}
	}
	return out
}

func resolveAction(a Action, find func(reference string) (Action, bool)) (Action, bool) {
	if a.Reference.Node == nil {
		return a, true
	}
	c, ok := find(a.Reference.Value)
	if !ok {
		return Action{}, false
	}
	c.Pos = a.Pos
	return c, true
}
