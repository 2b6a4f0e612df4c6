package plan

import (
	"maps"
	"slices"
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

// ForEach has a sub-workflow called once for each item of a list, one after the
// other (x-lanyard-forEach).
type ForEach struct {
	Items   expr.Value
	As      string // the input of the sub-workflow that is given the item
	Collect bool   // an item that fails does not keep the others from being done
}

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
	default:
		return fault.New(fault.Invalid, "is not known").Fix("use items, as and onError")
	}
	return nil
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
}
