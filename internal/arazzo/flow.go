package arazzo

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
)

// flow is a workflow under examination, with what its expressions can name.
type flow struct {
	c      *checker
	w      *Workflow
	index  int            // among the workflows
	steps  map[string]int // index by stepId, the first of equals
	inputs *inputSet

	ownOutputs  map[string]bool   // names of the workflow's outputs
	stepOutputs []map[string]bool // names by step

	onSuccess, onFailure [][]Action // effective, by step (A2)
	broken               bool       // an action names a step that does not exist

	order     []int // of the steps; set by analyse, nothing when they depend on each other
	uses      []use
	inputUsed map[string]bool // by this workflow, or by another through $workflows
}

func newFlow(c *checker, index int, w *Workflow) *flow {
	f := &flow{c: c, w: w, index: index, steps: make(map[string]int, len(w.Steps)), inputs: c.schemas.inputsOf(w),
		ownOutputs: w.outputNames(), inputUsed: map[string]bool{}}
	for i, s := range w.Steps {
		if _, taken := f.steps[s.ID.Value]; !taken && s.ID.Node != nil {
			f.steps[s.ID.Value] = i
		}
		onSuccess, onFailure := c.doc.EffectiveActions(w, s)
		f.onSuccess = append(f.onSuccess, onSuccess)
		f.onFailure = append(f.onFailure, onFailure)
		f.stepOutputs = append(f.stepOutputs, s.outputNames())
	}
	return f
}

func (f *flow) stepNames() []string {
	out := make([]string, len(f.w.Steps))
	for i, s := range f.w.Steps {
		out[i] = s.ID.Value
	}
	return out
}

// match says how a dotted name is found among others (A8).
type match int

const (
	absent match = iota
	exact
	through // the part before a dot is there, the rest leads into its value
)

// maxDotted bounds the names that are tried part by part.
const maxDotted = 500

func matchName(name string, has func(string) bool) match {
	if has(name) {
		return exact
	}
	if len(name) > maxDotted {
		return absent
	}
	for end := strings.LastIndexByte(name, '.'); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		if has(name[:end]) {
			return through
		}
	}
	return absent
}

// lookup finds what an expression names. known is false for what is declared
// in another document, or left open.
func (f *flow) lookup(e expr.Expression) (m match, known bool) {
	switch e.Root {
	case expr.RootInputs:
		if !f.inputs.declared || f.inputs.open && f.inputs.byName[e.Name] == nil {
			return exact, false
		}
		return matchName(e.Name, func(s string) bool { return f.inputs.byName[s] != nil }), true
	case expr.RootSteps:
		i, ok := f.steps[e.Owner]
		if !ok {
			return absent, true
		}
		return f.stepOutput(i, e.Name)
	case expr.RootOutputs:
		return matchName(e.Name, func(s string) bool { return f.ownOutputs[s] }), true
	case expr.RootWorkflows:
		target := f.c.flowOf(e.Owner)
		if target == nil {
			return absent, true
		}
		if e.Part == "inputs" {
			return target.lookup(expr.Expression{Root: expr.RootInputs, Name: e.Name})
		}
		return matchName(e.Name, func(s string) bool { return target.ownOutputs[s] }), true
	}
	return exact, false
}

// stepOutput finds an output of a step; a step that calls a workflow has that
// workflow's outputs as well (A6).
func (f *flow) stepOutput(step int, name string) (match, bool) {
	m := matchName(name, func(n string) bool { return f.stepOutputs[step][n] })
	ref := f.w.Steps[step].WorkflowID
	if m != absent || ref.Node == nil {
		return m, true
	}
	if _, _, each := f.w.Steps[step].forEach(); each {
		return absent, true // it has the outputs of many
	}
	target := f.c.flowOf(ref.Value)
	if target == nil {
		return exact, false
	}
	return matchName(name, func(n string) bool { return target.ownOutputs[n] }), true
}

func outputNames(list []Output) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, o := range list {
		out[o.Name] = true
	}
	return out
}

func (f *flow) declares(e expr.Expression) bool {
	m, _ := f.lookup(e)
	return m == exact
}

func (f *flow) knows(name string) bool {
	if len(name) > maxDotted {
		return false
	}
	e, err := expr.Parse(name)
	if err != nil {
		return false
	}
	m, known := f.lookup(e)
	return m == exact && known
}

// suggest offers what an unknown expression was meant to name.
func (f *flow) suggest(e expr.Expression) string {
	switch e.Root {
	case expr.RootInputs:
		return f.c.didYouMean(e.Name, f.inputs.names)
	case expr.RootOutputs:
		return f.c.didYouMean(e.Name, keys(f.ownOutputs))
	case expr.RootSteps:
		i, ok := f.steps[e.Owner]
		if !ok {
			return f.c.didYouMean(e.Owner, f.stepNames)
		}
		return f.c.didYouMean(e.Name, keys(f.stepOutputs[i]))
	case expr.RootWorkflows:
		target := f.c.flowOf(e.Owner)
		switch {
		case target == nil:
			return f.c.didYouMean(e.Owner, f.c.workflowNames)
		case e.Part == "inputs":
			return f.c.didYouMean(e.Name, target.inputs.names)
		}
		return f.c.didYouMean(e.Name, keys(target.ownOutputs))
	}
	return ""
}

// keys returns a function that lists the members of a set in order.
func keys(set map[string]bool) func() []string {
	return func() []string { return slices.Sorted(maps.Keys(set)) }
}

// expression checks an expression that stands in this workflow.
func (f *flow) expression(s *scan, n *yaml.Node, e expr.Expression) {
	at := s.place(n)
	switch e.Root {
	case expr.RootInputs, expr.RootOutputs, expr.RootSteps, expr.RootWorkflows:
		f.named(s, at, e)
	case expr.RootSources:
		f.source(at, e)
	case expr.RootComponents:
		f.c.out.find(Error, "bad-expression", at).fix("refer to a component with reference: %s", e.Raw).say("%s is not a value", e.Raw)
	case expr.RootSelf:
		if f.c.doc.Minor == 0 {
			f.c.out.find(Error, "bad-expression", at).fix(`write "arazzo: 1.1.0" at the top to use it`).say("$self came with Arazzo 1.1")
		}
	case expr.RootMessage:
		if s.step < 0 || !f.w.Steps[s.step].isAsync() {
			f.c.out.find(Error, "bad-expression", at).say("%s has no value here: only AsyncAPI steps have a message", e.Raw)
		}
	case expr.RootRequest, expr.RootResponse, expr.RootURL, expr.RootMethod, expr.RootStatusCode:
		if s.spot == inRequest {
			f.c.out.find(Error, "forward-reference", at).fix("read what an earlier step gave as an output: $steps.<stepId>.outputs.<name>").
				say("%s has no value before the call of its own step", e.Raw)
		}
	}
}

// named checks an expression that names something declared.
func (f *flow) named(s *scan, at Pos, e expr.Expression) {
	m, _ := f.lookup(e)
	if m == absent && e.Root == expr.RootOutputs && s.step >= 0 {
		// In a step that calls a workflow, $outputs may mean that workflow's (A6).
		if step := f.w.Steps[s.step]; step.WorkflowID.Node != nil {
			m, _ = f.stepOutput(s.step, e.Name)
		}
	}
	switch {
	case m == absent:
		f.unknown(at, e)
		return
	case m == through && f.c.dialect == Strict:
		f.c.out.find(Warning, "dotted-name", at).fix("write %s", pointerForm(e, f)).
			say("%s is one name by the grammar; it is read as a way into a value", e.Raw)
	}
	switch e.Root {
	case expr.RootInputs:
		f.useInput(s, at, e)
	case expr.RootWorkflows:
		if e.Part == "inputs" {
			f.c.flowOf(e.Owner).inputUsed[e.Name] = true
		}
	case expr.RootSteps:
		f.uses = append(f.uses, use{by: s.step, of: f.steps[e.Owner], spot: s.spot, at: at, raw: e.Raw})
	}
}

func (f *flow) unknown(at Pos, e expr.Expression) {
	code, what := "unknown-output", "there is no output"
	switch e.Root {
	case expr.RootInputs:
		code, what = "unknown-input", "the workflow declares no input"
	case expr.RootSteps:
		if _, ok := f.steps[e.Owner]; !ok {
			f.c.out.find(Error, "unknown-step", at).fix("%s", f.suggest(e)).say("there is no step %s", e.Owner)
			return
		}
		what = "the step " + e.Owner + " has no output"
	case expr.RootWorkflows:
		if f.c.flowOf(e.Owner) == nil {
			f.c.out.find(Error, "unknown-workflow", at).fix("%s", f.suggest(e)).say("there is no workflow %s", e.Owner)
			return
		}
		what = "the workflow " + e.Owner + " has no output"
		if e.Part == "inputs" {
			code, what = "unknown-input", "the workflow "+e.Owner+" declares no input"
		}
	}
	f.c.out.find(Error, code, at).fix("%s", f.suggest(e)).say("%s %s", what, e.Name)
}

// pointerForm writes $inputs.a.b as $inputs.a#/b.
func pointerForm(e expr.Expression, f *flow) string {
	for end := strings.LastIndexByte(e.Name, '.'); end > 0; end = strings.LastIndexByte(e.Name[:end], '.') {
		short := e
		short.Name = e.Name[:end]
		if m, _ := f.lookup(short); m == exact {
			base := strings.TrimSuffix(e.Raw, e.Name[end:])
			if e.HasPointer {
				break
			}
			return base + "#/" + strings.ReplaceAll(e.Name[end+1:], ".", "/")
		}
	}
	return "a name and a JSON Pointer: #/..."
}

func (f *flow) useInput(s *scan, at Pos, e expr.Expression) {
	name := e.Name
	for f.inputs.byName[name] == nil && len(name) <= maxDotted {
		end := strings.LastIndexByte(name, '.')
		if end < 0 {
			break
		}
		name = name[:end]
	}
	in := f.inputs.byName[name]
	if in == nil {
		return
	}
	f.inputUsed[name] = true
	if s.inPath && s.spot == inRequest && in.optional() {
		f.c.out.find(Warning, "missing-input", at).fix("make it required, or give it a default").
			say("the input %s may be absent, and a path cannot do without it", name)
	}
}

// source checks $sourceDescriptions.<name>.<x> used as a value: only the url
// and the type of a source are values (N32).
func (f *flow) source(at Pos, e expr.Expression) {
	switch {
	case f.c.source(e.Owner) == nil:
		f.c.unknownSource(at, e.Owner)
	case e.Name != "url" && e.Name != "type":
		f.c.out.find(Error, "bad-expression", at).fix("only url and type of a source are values").say("%s is not a value", e.Raw)
	}
}

// isAsync reports a step that speaks to a message broker.
func (s *Step) isAsync() bool { return s.ChannelPath.Node != nil || s.AsyncAction.Node != nil }

// isOperation reports a step that calls an HTTP operation.
func (s *Step) isOperation() bool {
	return !s.isAsync() && (s.OperationID.Node != nil || s.OperationPath.Node != nil)
}
