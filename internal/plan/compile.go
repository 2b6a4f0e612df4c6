package plan

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Compile turns a Bundle into a Plan without reading anything else. Findings
// with severity error mean that there is no Plan.
func Compile(b *Bundle) (*Plan, []arazzo.Diagnostic) {
	docs := make([]*arazzo.Document, len(b.Documents))
	for i, d := range b.Documents {
		doc, diags := arazzo.Parse(d.URI, []byte(d.Text))
		if failed(diags) {
			return nil, diags
		}
		docs[i] = doc
	}
	return compile(b, docs)
}

// compile is Compile for documents that are parsed already.
func compile(b *Bundle, docs []*arazzo.Document) (*Plan, []arazzo.Diagnostic) {
	c := &compiler{bundle: b, docs: docs, index: map[workflowKey]int{}}
	main := docs[0].Workflow(b.Workflow)
	if main == nil {
		c.report(docs[0].Pos, "unknown-workflow", "there is no workflow %q in the document", b.Workflow)
		return nil, c.diags
	}
	p := &Plan{Title: docs[0].Title, Bundle: b, Profile: b.Profile}
	p.Main = c.workflow(0, main)
	for len(c.queue) > 0 {
		next := c.queue[0]
		c.queue = c.queue[1:]
		c.fill(next)
	}
	c.refuseRecursion()
	if failed(c.diags) {
		return nil, c.diags
	}
	p.Workflows = c.workflows
	_, digest, err := b.Encode()
	if err != nil {
		c.report(docs[0].Pos, "internal", "%s", fault.Public(err))
		return nil, c.diags
	}
	p.Digest = digest
	return p, c.diags
}

type workflowKey struct {
	doc int
	id  string
}

type pending struct {
	doc   int
	from  *arazzo.Workflow
	index int
}

// compiler compiles the workflows reachable from the main one, each once.
type compiler struct {
	bundle    *Bundle
	docs      []*arazzo.Document
	workflows []*Workflow
	index     map[workflowKey]int
	queue     []pending
	diags     []arazzo.Diagnostic
}

func (c *compiler) report(pos arazzo.Pos, code, format string, args ...any) {
	c.diags = append(c.diags, arazzo.Diagnostic{Pos: pos, Severity: arazzo.Error, Code: code, Message: fmt.Sprintf(format, args...)})
}

// workflow returns the index of a workflow, putting it in the queue when it is new.
func (c *compiler) workflow(doc int, w *arazzo.Workflow) int {
	key := workflowKey{doc, w.ID.Value}
	if i, ok := c.index[key]; ok {
		return i
	}
	i := len(c.workflows)
	c.index[key] = i
	c.workflows = append(c.workflows, &Workflow{Index: i, ID: w.ID.Value, Document: c.bundle.Documents[doc].URI, Summary: w.Summary, Pos: w.ID.Pos})
	c.queue = append(c.queue, pending{doc: doc, from: w, index: i})
	return i
}

// target resolves a reference to a workflow, None when there is none.
func (c *compiler) target(doc int, ref arazzo.Str) int {
	source, id := workflowRef(ref.Value)
	if source == "" {
		if w := c.docs[doc].Workflow(id); w != nil {
			return c.workflow(doc, w)
		}
		c.report(ref.Pos, "unknown-workflow", "there is no workflow %q in this document", id)
		return None
	}
	src := c.bundle.Documents[doc].source(source)
	if src == nil || src.Type != "arazzo" {
		c.report(ref.Pos, "unknown-source", "there is no source %q of type arazzo", source)
		return None
	}
	w := c.docs[src.Document].Workflow(id)
	if w == nil {
		c.report(ref.Pos, "unknown-workflow", "the document of source %q has no workflow %q", source, id)
		return None
	}
	return c.workflow(src.Document, w)
}

// fill compiles one workflow into its reserved place.
func (c *compiler) fill(p pending) {
	doc, from, w := c.docs[p.doc], p.from, c.workflows[p.index]
	w.Self = doc.Self.Value
	w.Sources = map[string]expr.SourceData{}
	for _, s := range doc.Sources {
		w.Sources[s.Name.Value] = expr.SourceData{URL: s.URL.Value, Type: s.Type.Value}
	}
	c.inputs(doc, from, w)
	for _, ref := range from.DependsOn {
		if i := c.target(p.doc, ref); i != None {
			w.DependsOn = append(w.DependsOn, i)
		}
	}
	steps := c.order(doc, from)
	position := map[string]int{}
	for i, s := range steps {
		position[s.ID.Value] = i
	}
	sc := &scope{compiler: c, doc: p.doc, from: from, steps: position}
	for i, s := range steps {
		w.Steps = append(w.Steps, sc.step(i, s))
	}
	w.Outputs = sc.outputs(from.Outputs)
	for _, s := range w.Steps {
		if s.ForEach != nil {
			s.ForEach.Results = w.readsOutput(s, arazzo.ResultsOutput)
		}
	}
	sc.extensions(from.Extensions, workflowExtensions)
	sc.success(w)
}

func (c *compiler) inputs(doc *arazzo.Document, from *arazzo.Workflow, w *Workflow) {
	if !from.Inputs.Set() {
		return
	}
	schema, err := arazzo.InputsSchema(doc, from)
	if err == nil {
		w.inputs, err = compileInputs(schema)
	}
	if err != nil {
		c.report(from.Inputs.Pos, "schema", "%s", fault.Public(err))
		return
	}
	w.Secrets = arazzo.SecretInputs(doc, from)
}

// order returns the steps in the order of execution: as listed, or sorted by
// dependsOn and by what they read, stable by list position (N75, A24).
func (c *compiler) order(doc *arazzo.Document, w *arazzo.Workflow) []*arazzo.Step {
	explicit := false
	for _, s := range w.Steps {
		explicit = explicit || len(s.DependsOn) > 0
	}
	if !explicit || doc.Minor < 1 {
		return w.Steps
	}
	before := map[string]map[string]bool{}
	for _, s := range w.Steps {
		needs := map[string]bool{}
		for _, d := range s.DependsOn {
			if strings.HasPrefix(d.Value, "$") {
				c.report(d.Pos, "unsupported-step", "a dependency on a step of another workflow cannot be met by a runner that runs one workflow after the other")
				continue
			}
			needs[d.Value] = true
		}
		for _, id := range stepsRead(s) {
			needs[id] = id != s.ID.Value
		}
		before[s.ID.Value] = needs
	}
	var out []*arazzo.Step
	placed := map[string]bool{}
	for len(out) < len(w.Steps) {
		next := firstReady(w, before, placed)
		if next == nil {
			c.report(w.Pos, "dependency-cycle", "the steps of workflow %s wait for each other", w.ID.Value)
			return w.Steps
		}
		placed[next.ID.Value] = true
		out = append(out, next)
	}
	return out
}

var stepRead = regexp.MustCompile(`\$steps\.([A-Za-z0-9_-]+)\.`)

// stepsRead returns the steps whose outputs a step reads anywhere in its text.
func stepsRead(s *arazzo.Step) []string {
	var ids []string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n == nil {
			return
		}
		for _, m := range stepRead.FindAllStringSubmatch(n.Value, -1) {
			ids = append(ids, m[1])
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	for _, p := range s.Parameters {
		walk(p.Value.Node)
	}
	if s.Body != nil {
		walk(s.Body.Payload.Node)
		for _, r := range s.Body.Replacements {
			walk(r.Value.Node)
		}
	}
	for _, c := range s.SuccessCriteria {
		walk(c.Context.Node)
		walk(c.Condition.Node)
	}
	return append(ids, s.FormulaSteps()...)
}

func firstReady(w *arazzo.Workflow, before map[string]map[string]bool, placed map[string]bool) *arazzo.Step {
next:
	for _, s := range w.Steps {
		if placed[s.ID.Value] {
			continue
		}
		for id, needed := range before[s.ID.Value] {
			if needed && !placed[id] && w.Step(id) != nil {
				continue next
			}
		}
		return s
	}
	return nil
}

// scope compiles the parts of one workflow.
type scope struct {
	*compiler
	doc   int
	from  *arazzo.Workflow
	steps map[string]int // step id to index in execution order
}

func (s *scope) step(index int, from *arazzo.Step) *Step {
	step := &Step{Index: index, ID: from.ID.Value, Pos: from.ID.Pos, Description: from.Description, Workflow: None}
	for _, d := range from.DependsOn {
		if i, ok := s.steps[d.Value]; ok {
			step.DependsOn = append(step.DependsOn, i)
		}
	}
	switch {
	case from.ChannelPath.Node != nil || from.AsyncAction.Node != nil:
		s.report(from.Pos, "unsupported-step", "step %s is an AsyncAPI step, which this version cannot run", step.ID)
	case from.WorkflowID.Node != nil:
		step.Workflow = s.target(s.doc, from.WorkflowID)
	case !from.Calls(): // it computes
	default:
		step.Operation = s.operation(from)
	}
	step.Params = s.params(s.merged(from), step.Operation != nil)
	step.Body = s.body(from, step)
	step.Criteria = s.criteria(from.SuccessCriteria)
	step.OnSuccess = s.actions(from.OnSuccess, s.from.SuccessActions, from.HasOnSuccess)
	step.OnFailure = s.actions(from.OnFailure, s.from.FailureActions, from.HasOnFailure)
	step.Outputs = s.outputs(from.Outputs)
	if n, ok := from.Timeout.Value().(json.Number); ok {
		ms, _ := n.Int64()
		step.Timeout = time.Duration(ms) * time.Millisecond
	}
	s.extensions(from.Extensions, stepExtensions)
	s.idempotency(from, step)
	s.forEach(from, step)
	s.pages(from, step)
	s.compute(from, step)
	return step
}

func (s *scope) operation(from *arazzo.Step) *Operation {
	ref, err := stepOperation(from, s.docs[s.doc])
	if err != nil {
		s.report(ref.pos, "bad-expression", "%s", fault.Public(err))
		return nil
	}
	return s.lookUp(ref)
}

// stepOperation reads whichever of operationId and operationPath a step has.
func stepOperation(from *arazzo.Step, doc *arazzo.Document) (opRef, error) {
	if from.OperationPath.Node != nil {
		return operationPathRef(from.OperationPath, doc)
	}
	return operationIDRef(from.OperationID), nil
}

// lookUp finds an operation in the Bundle. Build has already reported those
// that are not there.
func (s *scope) lookUp(ref opRef) *Operation {
	doc := &s.bundle.Documents[s.doc]
	var found *Operation
	for i := range doc.Sources {
		src := &doc.Sources[i]
		op, ok := src.Operations[ref.key()]
		if !ok || ref.source != "" && src.Name != ref.source {
			continue
		}
		if found != nil {
			s.report(ref.pos, "ambiguous-operation", "the operation %s is in the sources %s and %s; write $sourceDescriptions.<name>.%s", ref.text, found.Source, src.Name, ref.text)
			return nil
		}
		found = &Operation{Operation: op, Source: src.Name, Document: doc.URI, SourceURL: src.Base, Title: src.Title, Schemes: src.Schemes}
	}
	if found == nil {
		s.report(ref.pos, "unknown-operation", "the operation %s is in none of the sources", ref.text)
	}
	return found
}

// merged returns workflow-level parameters under a step's own (N17); a
// Reusable Object is replaced by what it names (N9).
func (s *scope) merged(from *arazzo.Step) []arazzo.Parameter {
	var out []arazzo.Parameter
	at := map[[2]string]int{}
	add := func(p arazzo.Parameter) {
		p, ok := s.parameter(p)
		if !ok {
			return
		}
		key := [2]string{p.Name.Value, p.In.Value}
		if p.In.Value == "header" {
			key[0] = strings.ToLower(key[0]) // RFC 9110 5.1
		}
		if i, ok := at[key]; ok {
			out[i] = p
			return
		}
		at[key] = len(out)
		out = append(out, p)
	}
	for _, p := range s.from.Parameters {
		add(p)
	}
	for _, p := range from.Parameters {
		add(p)
	}
	return out
}

const (
	parameterRoot = "$components.parameters."
	successRoot   = "$components.successActions."
	failureRoot   = "$components.failureActions."
)

func (s *scope) parameter(p arazzo.Parameter) (arazzo.Parameter, bool) {
	if p.Reference.Node == nil {
		return p, true
	}
	found, ok := component(s.docs[s.doc].Components.Parameters, p.Reference, parameterRoot)
	if !ok {
		s.report(p.Reference.Pos, "unknown-component", "there is no component %s", p.Reference.Value)
		return p, false
	}
	if p.Value.Set() {
		found.Value = p.Value // A29: any value overrides
	}
	return found, true
}

func component[T any](all []arazzo.Component[T], ref arazzo.Str, root string) (T, bool) {
	if name, ok := strings.CutPrefix(ref.Value, root); ok {
		for _, c := range all {
			if c.Name == name {
				return c.Item, true
			}
		}
	}
	var none T
	return none, false
}

func (s *scope) params(from []arazzo.Parameter, operation bool) []Param {
	var out []Param
	for _, p := range from {
		v, err := expr.Compile(p.Value.Value(), expr.Options{Selectors: true})
		if err != nil {
			s.report(p.Value.Pos, "bad-expression", "%s", fault.Public(err))
			continue
		}
		param := Param{Pos: p.Value.Pos, Name: p.Name.Value, In: p.In.Value, Value: v}
		if !operation {
			param.In = ""
		}
		if text, ok := p.Value.Value().(string); ok && strings.HasPrefix(param.In, "query") {
			if t, err := expr.ParseTemplate(text); err == nil {
				param.Quoted = t.QuotedExpressions()
			}
		}
		out = append(out, param)
	}
	return out
}

func (s *scope) body(from *arazzo.Step, step *Step) *Body {
	if from.Body == nil || step.Operation == nil {
		return nil
	}
	media, _, err := step.Operation.MediaType(from.Body.ContentType.Value)
	if err != nil {
		s.report(from.Body.ContentType.Pos, "undeclared-parameter", "%s", fault.Public(err))
		return nil
	}
	body := &Body{Pos: from.Body.Payload.Pos, Type: media}
	payload := from.Body.Payload.Value()
	body.Value, err = expr.Compile(payload, expr.Options{Selectors: true})
	if err != nil {
		s.report(from.Body.Payload.Pos, "bad-expression", "%s", fault.Public(err))
	}
	if text, ok := payload.(string); ok && openapi.IsJSON(media) {
		t, err := expr.ParseTemplate(text)
		_, whole := t.Whole()
		if err == nil && !whole {
			body.JSONText = &t
		}
	}
	for _, r := range from.Body.Replacements {
		if rep, ok := s.replacement(r, media); ok {
			body.Replacements = append(body.Replacements, rep)
		}
	}
	return body
}

func (s *scope) replacement(from arazzo.Replacement, media string) (Replacement, bool) {
	rep := Replacement{Pos: from.Pos, Target: from.Target.Value, Kind: from.SelectorType.Type}
	if rep.Kind == "" {
		rep.Kind = "jsonpointer"
		if openapi.IsXML(media) {
			rep.Kind = "xpath"
		}
	}
	v, err := expr.Compile(from.Value.Value(), expr.Options{Selectors: true})
	if err != nil {
		s.report(from.Value.Pos, "bad-expression", "%s", fault.Public(err))
		return rep, false
	}
	rep.Value = v
	if rep.Kind == "jsonpointer" {
		rep.Pointer, err = value.ParsePointer(strings.TrimPrefix(from.Target.Value, "#"))
		if err != nil {
			s.report(from.Target.Pos, "bad-pointer", "%s", fault.Public(err))
			return rep, false
		}
		return rep, true
	}
	if err := expr.CheckTarget(rep.Kind, rep.Target); err != nil {
		s.report(from.Target.Pos, "bad-selector", "%s", fault.Public(err))
		return rep, false
	}
	return rep, true
}

func (s *scope) criteria(from []arazzo.Criterion) []expr.Criterion {
	var out []expr.Criterion
	for _, f := range from {
		c, err := expr.CompileCriterion(f.Context.Value, f.Condition.Value, expr.Type{Name: f.Type.Type, Version: f.Type.Version})
		if err != nil {
			s.report(f.Condition.Pos, "bad-condition", "%s", fault.Public(err))
			continue
		}
		out = append(out, c)
	}
	return out
}

func (s *scope) outputs(from []arazzo.Output) []Output {
	var out []Output
	for _, f := range from {
		o, err := expr.CompileOutput(f.Value.Value())
		if err != nil {
			s.report(f.Value.Pos, "bad-expression", "output %s: %s", f.Name, fault.Public(err))
			continue
		}
		out = append(out, Output{Pos: f.Value.Pos, Name: f.Name, Output: o})
	}
	return out
}

// actions returns a step's actions followed by those of the workflow that the
// step did not redefine by name: it can override but not remove (N63, A2).
func (s *scope) actions(own, shared []arazzo.Action, hasOwn bool) []Action {
	var out []Action
	named := map[string]bool{}
	for _, a := range own {
		if action, ok := s.action(a); ok {
			named[action.Name] = true
			out = append(out, action)
		}
	}
	if hasOwn && s.bundle.Profile.ActionLists == "replace" {
		return out
	}
	for _, a := range shared {
		if action, ok := s.action(a); ok && !named[action.Name] {
			out = append(out, action)
		}
	}
	return out
}

func (s *scope) action(from arazzo.Action) (Action, bool) {
	if from.Reference.Node != nil {
		components := s.docs[s.doc].Components
		found, ok := component(components.SuccessActions, from.Reference, successRoot)
		if !ok {
			found, ok = component(components.FailureActions, from.Reference, failureRoot)
		}
		if !ok {
			s.report(from.Reference.Pos, "unknown-component", "there is no component %s", from.Reference.Value)
			return Action{}, false
		}
		from = found
	}
	a := Action{
		Pos: from.Pos, Name: from.Name.Value, Kind: ActionKind(from.Type.Value), Step: None, Workflow: None,
		Params: s.params(s.resolveParameters(from.Parameters), false), Criteria: s.criteria(from.Criteria),
		RetryLimit: 1, // N59
	}
	if from.StepID.Node != nil {
		i, ok := s.steps[from.StepID.Value]
		if !ok {
			s.report(from.StepID.Pos, "unknown-step", "there is no step %q in workflow %s", from.StepID.Value, s.from.ID.Value)
			return a, false
		}
		a.Step = i
	}
	if from.WorkflowID.Node != nil {
		a.Workflow = s.target(s.doc, from.WorkflowID)
	}
	if n, ok := from.RetryAfter.Value().(json.Number); ok {
		a.RetryAfter = decimalSeconds(n)
	}
	if n, ok := from.RetryLimit.Value().(json.Number); ok {
		limit, _ := n.Int64()
		a.RetryLimit = int(limit)
	}
	a.RetryLimit = min(a.RetryLimit, s.bundle.Profile.RetryCap())
	return a, true
}

func (s *scope) resolveParameters(from []arazzo.Parameter) []arazzo.Parameter {
	var out []arazzo.Parameter
	for _, p := range from {
		if p, ok := s.parameter(p); ok {
			out = append(out, p)
		}
	}
	return out
}

// decimalSeconds reads a retryAfter without going through floats; what does not
// fit a Duration is the longest one.
func decimalSeconds(n json.Number) time.Duration {
	const longest = time.Duration(1<<63 - 1)
	if value.CompareNumbers(n, "9000000000") > 0 {
		return longest
	}
	r, ok := new(big.Rat).SetString(n.String())
	if !ok || r.Sign() < 0 {
		return 0
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(time.Second)))
	return time.Duration(new(big.Int).Quo(r.Num(), r.Denom()).Int64())
}

// refuseRecursion reports workflows that call themselves, directly or not, as
// steps, dependencies or what a retry runs first (N73). Transfers by goto are bounded at run time (A26).
func (c *compiler) refuseRecursion() {
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(c.workflows))
	var visit func(i int)
	visit = func(i int) {
		state[i] = open
		w := c.workflows[i]
		follow := func(to int, pos arazzo.Pos) {
			switch {
			case to == None:
			case state[to] == open:
				c.report(pos, "workflow-cycle", "workflow %s comes back to itself through %s", c.workflows[to].ID, w.ID)
			case state[to] == unseen:
				visit(to)
			}
		}
		for _, to := range w.DependsOn {
			follow(to, w.Pos)
		}
		for _, s := range w.Steps {
			follow(s.Workflow, s.Pos)
			for _, a := range s.OnFailure {
				if a.Kind == Retry { // it comes back, unlike a goto
					follow(a.Workflow, a.Pos)
				}
			}
		}
		state[i] = done
	}
	for i := range c.workflows {
		if state[i] == unseen {
			visit(i)
		}
	}
}

func failed(diags []arazzo.Diagnostic) bool {
	for _, d := range diags {
		if d.Severity == arazzo.Error {
			return true
		}
	}
	return false
}
