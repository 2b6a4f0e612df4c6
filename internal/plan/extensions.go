package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

// The extensions of steps and of workflows that are ours.
var (
	stepExtensions     = []string{arazzo.ComputeExtension, arazzo.ForEachExtension, IdempotencyExtension, PagesExtension}
	workflowExtensions = []string{actionExtension, arazzo.SuccessExtension}
)

// actionExtension makes a workflow an action of the catalogue, which reads it.
const actionExtension = "x-lanyard-action"

// ours begins the names of our extensions.
const ours = "x-lanyard-"

// extensions refuses names that look like ours and are not known there: what is
// left out without a word may be what keeps a call from being made twice.
func (s *scope) extensions(given map[string]arazzo.Any, known []string) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !strings.HasPrefix(name, ours) || slices.Contains(known, name) {
			continue
		}
		fix := "here belong " + strings.Join(known, ", ")
		if near := spelling.Nearest(name, known); near != "" {
			fix = "did you mean " + near + "?"
		}
		s.report(given[name].Pos, "unknown-extension", "%s is not known here; %s", name, fix)
	}
}

// ForEach has a sub-workflow called once for each item of a list, or for each
// batch of items (x-lanyard-forEach).
type ForEach struct {
	Items    expr.Value
	As       string           // the input of the sub-workflow that is given the item
	Collect  bool             // an item that fails does not keep the others from being done
	Parallel int              // items that move at the same time; 0: one
	Batch    int              // items that are handed over together, as a list; 0: each alone
	Keep     *expr.Expression // on the sub-workflow's outputs: the value that is kept of each item
	Results  bool             // the document reads the output results
}

// The bounds of a list's fields.
const (
	maxParallel = 64
	maxBatch    = 10_000
)

// arguments are the inputs that a sub-workflow step passes, its item included.
func (s *Step) arguments() []Param {
	if s.ForEach == nil {
		return s.Params
	}
	return append(slices.Clip(s.Params), Param{Pos: s.Pos, Name: s.ForEach.As, Value: s.ForEach.Items})
}

// forEach compiles x-lanyard-forEach.
func (s *scope) forEach(from *arazzo.Step, step *Step) {
	ext, ok := from.Extensions[arazzo.ForEachExtension]
	if !ok {
		return
	}
	report := func(err error) { s.report(ext.Pos, "schema", "%s: %s", arazzo.ForEachExtension, fault.Public(err)) }
	fields, ok := ext.Value().(map[string]any)
	if !ok {
		report(fault.New(fault.Invalid, "must be a mapping").Fix("give items and as"))
		return
	}
	if step.Workflow == None {
		report(fault.New(fault.Invalid, "stands on a step that calls no workflow").Fix("put the operation into a workflow of its own and call that"))
		return
	}
	each := &ForEach{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := each.field(name, fields[name]); err != nil {
			report(fault.New(fault.Invalid, "%s %s", name, fault.Public(err)))
		}
	}
	if _, given := fields["items"]; !given || each.As == "" {
		report(fault.New(fault.Invalid, "needs items and as"))
	}
	if slices.ContainsFunc(step.Params, func(p Param) bool { return p.Name == each.As }) {
		report(fault.New(fault.Invalid, "the parameter %s is given the item, and a value as well", each.As).Fix("keep one of the two"))
	}
	step.ForEach = each
}

func (e *ForEach) field(name string, v any) error {
	text, isText := v.(string)
	switch name {
	case "items":
		if _, isList := v.([]any); !isList && !strings.HasPrefix(text, "$") {
			return fault.New(fault.Invalid, "must be a list, or one expression that gives a list")
		}
		items, err := expr.Compile(v, expr.Options{})
		e.Items = items
		return err
	case "as":
		if !isText || text == "" {
			return fault.New(fault.Invalid, "must be the name of an input of the workflow that is called")
		}
		e.As = text
	case "onError":
		if text != "stop" && text != "collect" {
			return fault.New(fault.Invalid, "must be stop or collect")
		}
		e.Collect = text == "collect"
	case "maxParallel":
		return bounded(v, maxParallel, &e.Parallel)
	case "batch":
		return bounded(v, maxBatch, &e.Batch)
	case "collect":
		keep, err := expr.Parse(text)
		if err != nil || keep.Root != expr.RootOutputs {
			return fault.New(fault.Invalid, "must be an expression on the outputs of the workflow that is called, such as $outputs.id")
		}
		e.Keep = &keep
	default:
		return fault.New(fault.Invalid, "is not known").Fix("use items, as, onError, maxParallel, batch and collect")
	}
	return nil
}

// bounded reads a whole number from 1.
func bounded(v any, most int, into *int) error {
	n, _ := v.(json.Number)
	i, err := strconv.Atoi(n.String())
	if err != nil || i < 1 || i > most {
		return fault.New(fault.Invalid, "must be a whole number from 1 to %d", most)
	}
	*into = i
	return nil
}

// readsOutput reports whether anything in the workflow reads an output of a
// step, its own fields included.
func (w *Workflow) readsOutput(step *Step, name string) bool {
	reads := func(own bool) func(expr.Expression) bool {
		return func(e expr.Expression) bool {
			named := e.Name == name || strings.HasPrefix(e.Name, name+".")
			return named && (own && e.Root == expr.RootOutputs || e.Root == expr.RootSteps && e.Owner == step.ID)
		}
	}
	for _, s := range w.Steps {
		if slices.ContainsFunc(s.expressions(), reads(s == step)) {
			return true
		}
	}
	return slices.ContainsFunc(w.Outputs, func(o Output) bool { return slices.ContainsFunc(o.Expressions(), reads(false)) })
}

// expressions returns all that a step reads.
func (s *Step) expressions() []expr.Expression {
	all := expressions(s.arguments())
	if b := s.Body; b != nil {
		all = append(all, b.Value.Expressions()...)
		for _, r := range b.Replacements {
			all = append(all, r.Value.Expressions()...)
		}
	}
	for _, o := range s.Outputs {
		all = append(all, o.Expressions()...)
	}
	criteria := slices.Clone(s.Criteria)
	for _, a := range slices.Concat(s.OnSuccess, s.OnFailure) {
		criteria = append(criteria, a.Criteria...)
		all = append(all, expressions(a.Params)...)
	}
	if i := s.Idempotency; i != nil {
		if i.Key != nil {
			all = append(all, i.Key.Expressions()...)
		}
		if i.Lookup != nil {
			all = append(all, expressions(i.Lookup.Params)...)
			if i.Lookup.Found != nil {
				criteria = append(criteria, *i.Lookup.Found)
			}
		}
	}
	if c := s.Compute; c != nil {
		all = append(all, expressions(c.With)...)
		for _, f := range c.Formulas {
			all = append(all, f.Reads...)
		}
	}
	for _, c := range criteria {
		all = append(all, c.Expressions()...)
	}
	return all
}

// success compiles x-lanyard-success.
func (s *scope) success(w *Workflow) {
	ext, ok := s.from.Extensions[arazzo.SuccessExtension]
	if !ok {
		return
	}
	name, ok := ext.Value().(string)
	if !ok || name == "" || slices.ContainsFunc(w.Outputs, func(o Output) bool { return o.Name == name }) {
		s.report(ext.Pos, "schema", "%s must be the name of an output that the workflow does not have otherwise", arazzo.SuccessExtension)
		return
	}
	w.Success = name
}

// item reports an item that goes to an input which the workflow does not have.
func (l *lint) item(s *Step, target *Workflow) {
	if target.inputs.raw != nil && !target.inputs.declared[s.ForEach.As] {
		l.report(arazzo.Error, s.Pos, "schema", "%s: workflow %s has no input %s for the item", arazzo.ForEachExtension, target.ID, s.ForEach.As)
	}
	if keep := s.ForEach.Keep; keep != nil && keep.Name != target.Success &&
		!slices.ContainsFunc(target.Outputs, func(o Output) bool { return o.Name == keep.Name }) {
		l.report(arazzo.Error, s.Pos, "unknown-output", "%s: workflow %s has no output %s to collect", arazzo.ForEachExtension, target.ID, keep.Name)
	}
}
