package arazzo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/value"
)

// scan looks at every part of the workflow once.
func (f *flow) scan() {
	own := scan{c: f.c, f: f, step: -1, spot: inRequest}
	f.workflowParameters(own)
	for i := range f.w.SuccessActions {
		f.listedAction(own, &f.w.SuccessActions[i], "successActions")
	}
	f.duplicateActions(f.w.SuccessActions)
	for i := range f.w.FailureActions {
		f.listedAction(own, &f.w.FailureActions[i], "failureActions")
	}
	f.duplicateActions(f.w.FailureActions)

	seen := map[string]bool{}
	for i, s := range f.w.Steps {
		f.c.id(s.ID, "stepId", seen)
		f.step(i, s)
	}

	own.spot = inWorkflowOutput
	f.outputs(own, f.w.Outputs)
}

func (f *flow) step(i int, s *Step) {
	sc := scan{c: f.c, f: f, step: i, spot: inRequest}
	ok := f.target(s)
	f.stepParameters(sc, s)
	f.body(sc, s)
	if items, _, ok := s.forEach(); ok {
		sc.value(items)
	}
	f.compute(sc, s)

	sc.spot = inCriteria
	for k := range s.SuccessCriteria {
		sc.criterion(&s.SuccessCriteria[k])
	}
	if ok && s.isOperation() && s.SuccessCriteria == nil {
		f.c.out.find(Warning, "missing-criteria", s.Pos).fix("say which answers are a success, such as condition: $statusCode == 200").
			say("the step %s has no successCriteria; any 2xx answer will do", s.ID.Value)
	}

	sc.spot = inStepOutput
	f.outputs(sc, s.Outputs)

	sc.spot = inAction
	for k := range s.OnSuccess {
		f.listedAction(sc, &s.OnSuccess[k], "successActions")
	}
	for k := range s.OnFailure {
		f.listedAction(sc, &s.OnFailure[k], "failureActions")
	}
	f.duplicateActions(s.OnSuccess)
	f.duplicateActions(s.OnFailure)
	f.neverReachedActions(s.OnSuccess)
	f.neverReachedActions(s.OnFailure)
	if s.CorrelationID.Set() {
		sc.spot = inRequest
		sc.value(s.CorrelationID)
	}
}

func (f *flow) outputs(sc scan, list []Output) {
	for i := range list {
		o := &list[i]
		if !namePattern.MatchString(o.Name) {
			f.c.out.find(Error, "output-name", o.Pos).fix("use letters, digits, . - and _ only").say("%q cannot be the name of an output", o.Name)
		}
		sc.output(o)
	}
}

// target checks that a step has exactly one target (N4), and that it resolves
// as far as the document goes. It reports whether there is one to speak of.
func (f *flow) target(s *Step) bool {
	c := f.c
	var have []Str
	for _, t := range []Str{s.OperationID, s.OperationPath, s.WorkflowID, s.ChannelPath} {
		if t.Node != nil {
			have = append(have, t)
		}
	}
	switch {
	case len(have) == 0 && s.computes():
		return false
	case len(have) == 0:
		c.out.find(Error, "step-target", s.Pos).fix("add operationId, operationPath or workflowId").say("the step %s does nothing", s.ID.Value)
		return false
	case len(have) > 1:
		c.out.find(Error, "step-target", have[1].Pos).fix("keep one of them").
			say("the step %s has more than one of operationId, operationPath, workflowId and channelPath", s.ID.Value)
		return false
	case s.isAsync():
		c.out.find(Error, "unsupported-step", have[0].Pos).fix("AsyncAPI steps are not supported; call an HTTP operation").
			say("the step %s speaks to a message broker", s.ID.Value)
	case s.WorkflowID.Node != nil:
		f.subWorkflow(s)
	case s.OperationPath.Node != nil:
		f.operationPath(s)
	default:
		f.operationID(s)
	}
	return true
}

// operationID checks N11 and N12: a bare id needs a single API source.
func (f *flow) operationID(s *Step) {
	c := f.c
	id := s.OperationID
	if strings.HasPrefix(id.Value, "$") {
		e, err := expr.Parse(id.Value)
		if err != nil || e.Root != expr.RootSources {
			c.out.find(Error, "bad-expression", id.Pos).fix("write $sourceDescriptions.<name>.<operationId>").say("%q does not name an operation", id.Value)
			return
		}
		f.operationSource(id.Pos, s, e.Owner)
		return
	}
	var apis []string
	for _, src := range c.doc.Sources {
		if src.Type.Value != "arazzo" {
			apis = append(apis, src.Name.Value)
		}
	}
	switch len(apis) {
	case 0:
		c.out.find(Error, "unqualified-operation", id.Pos).fix("add the API's description to sourceDescriptions").
			say("the operation %s is in no source: the document names no API", id.Value)
	case 1:
		f.operationSource(id.Pos, s, apis[0])
	default:
		f.unqualified(id, apis)
	}
}

// unqualified reports an operationId that several sources might have. The text
// demands a qualified one (N11). People leave it out, and in compat it runs when
// only one source has it; whoever reads the sources finds out (A20).
func (f *flow) unqualified(id Str, apis []string) {
	c := f.c
	severity := Error
	if c.dialect == Compat {
		severity = Warning
	}
	d := c.out.find(severity, "unqualified-operation", id.Pos).fix("write $sourceDescriptions.<name>.%s, where <name> is %s", id.Value, orList(apis))
	if c.find != nil {
		if sources := c.find(id.Value); len(sources) == 1 {
			qualified := "$sourceDescriptions." + sources[0] + "." + id.Value
			if e, err := expr.Parse(qualified); err == nil && e.Name == id.Value {
				d = d.fix("write %s", qualified)
				if edit, ok := c.rewrite(id.Node, qualified); ok {
					d = d.edit(edit)
				}
			}
		}
	}
	d.say("the document has %d sources, and the operation %s does not say which it is in", len(apis), id.Value)
}

// operationSource checks the source of an operation.
func (f *flow) operationSource(at Pos, s *Step, name string) {
	src := f.c.source(name)
	switch {
	case src == nil:
		f.c.unknownSource(at, name)
	case src.Type.Value == "arazzo":
		f.c.out.find(Error, "unknown-source", at).fix("name the source that describes the API").
			say("the source %s is an Arazzo document and has no operations", name)
	case src.Type.Value == "asyncapi":
		f.c.out.find(Error, "unsupported-step", at).fix("AsyncAPI steps are not supported; call an HTTP operation").
			say("the step %s speaks to a message broker", s.ID.Value)
	}
}

// operationPath checks N13: {$sourceDescriptions.<name>.url}#/paths/~1a/get.
func (f *flow) operationPath(s *Step) {
	c := f.c
	text := s.OperationPath
	source, pointer, found := strings.Cut(text.Value, "#")
	inner, ok := strings.CutPrefix(source, "{")
	if braced, closed := strings.CutSuffix(inner, "}"); ok && closed {
		inner = braced
	} else if ok = strings.HasPrefix(source, "$"); ok {
		inner = source
	}
	e, err := expr.Parse(inner)
	switch {
	case !ok || err != nil || e.Root != expr.RootSources:
		c.out.find(Error, "bad-expression", text.Pos).fix("write {$sourceDescriptions.<name>.url}#/paths/~1path/method").
			say("%q does not name an operation", text.Value)
		return
	case !found && e.Name != "url":
		c.out.find(Error, "bad-expression", text.Pos).fix("write operationId: %s", e.Raw).say("operationPath needs a JSON Pointer into the source")
		return
	case e.Name != "url":
		c.out.find(Error, "bad-expression", text.Pos).fix("write {$sourceDescriptions.%s.url}#%s", e.Owner, pointer).
			say("operationPath must begin with the url of a source")
		return
	}
	if !strings.HasPrefix(source, "{") {
		f.barePath(text, source, pointer)
	}
	f.operationSource(text.Pos, s, e.Owner)
	p, err := value.ParsePointer(pointer)
	if err != nil || !found || len(p) != 3 || p[0] != "paths" {
		c.out.find(Error, "bad-pointer", text.Pos).fix("write #/paths/~1path/method, with ~1 for each / of the path").
			say("%q is not a JSON Pointer to an operation", "#"+pointer)
	}
}

// barePath reports a source url without braces.
func (f *flow) barePath(text Str, source, pointer string) {
	edit, ok := f.c.rewrite(text.Node, "{"+source+"}#"+pointer)
	d := f.c.out.find(f.c.loose(ok), "bare-expression-in-text", text.Pos).fix(`write "{%s}#%s"`, source, pointer)
	if ok {
		d = d.edit(edit)
	}
	d.say("%s stands in operationPath without braces", source)
}

// subWorkflow checks the call of another workflow: it exists, takes what it is
// given, and is given what it must have (N71).
func (f *flow) subWorkflow(s *Step) {
	target := f.c.workflowRef(s.WorkflowID)
	if target == nil {
		return
	}
	given := map[string]bool{}
	for _, p := range f.c.doc.EffectiveParameters(f.w, s) {
		given[p.Name.Value] = true
	}
	if _, as, ok := s.forEach(); ok {
		given[as] = true
	}
	for _, p := range s.Parameters {
		if r, ok := f.c.doc.ResolveParameter(p); ok {
			f.undeclaredInput(target, r)
		}
	}
	f.missingInputs(Error, target, given, s.Pos, "the step "+s.ID.Value)
}

func (f *flow) undeclaredInput(target *flow, p Parameter) {
	if p.Name.Node == nil || target.inputs.has(p.Name.Value) {
		return
	}
	f.c.out.find(Warning, "undeclared-parameter", p.Pos).fix("%s", f.c.didYouMean(p.Name.Value, target.inputs.names)).
		say("the workflow %s declares no input %s", target.w.ID.Value, p.Name.Value)
}

func (f *flow) missingInputs(severity Severity, target *flow, given map[string]bool, at Pos, who string) {
	for _, in := range target.inputs.list {
		if in.required && !given[in.name] && !in.hasDefault {
			f.c.out.find(severity, "missing-input", at).fix("pass it as a parameter named %s", in.name).
				say("%s calls the workflow %s without its input %s", who, target.w.ID.Value, in.name)
		}
	}
}

func (f *flow) workflowParameters(sc scan) {
	operations := false
	for _, s := range f.w.Steps {
		operations = operations || s.isOperation()
	}
	f.parameterList(sc, f.w.Parameters, func(p Parameter) {
		if operations && p.In.Node == nil {
			f.c.out.find(Error, "parameter-in", p.Pos).fix("add in: path, query, header or cookie").
				say("the parameter %s does not say where it goes", p.Name.Value)
		}
	})
}

func (f *flow) stepParameters(sc scan, s *Step) {
	f.parameterList(sc, s.Parameters, func(p Parameter) {
		switch {
		case s.isOperation() && p.In.Node == nil: // N18
			f.c.out.find(Error, "parameter-in", p.Pos).fix("add in: path, query, header or cookie").
				say("the parameter %s does not say where it goes", p.Name.Value)
		case s.WorkflowID.Node != nil && p.In.Node != nil && p.Reference.Node == nil:
			f.c.out.find(Warning, "parameter-in", p.Pos).fix("leave out in").
				say("the parameter %s becomes an input of the workflow; in has no effect", p.Name.Value)
		}
	})
	f.querystring(s)
}

// querystring checks N21: the whole query as one text leaves no room for others.
func (f *flow) querystring(s *Step) {
	if f.c.doc.Minor == 0 || !s.isOperation() {
		return
	}
	var whole, part *Parameter
	all := f.c.doc.EffectiveParameters(f.w, s)
	for i := range all {
		switch all[i].In.Value {
		case "querystring":
			whole = &all[i]
		case "query":
			part = &all[i]
		}
	}
	if whole != nil && part != nil {
		f.c.out.find(Error, "parameter-in", part.Pos).fix("write it into the querystring").
			say("the step %s has a querystring and the query parameter %s", s.ID.Value, part.Name.Value)
	}
}

// parameterList checks a list of parameters: references, duplicates (N3) and
// values. each sees every parameter with its reference resolved.
func (f *flow) parameterList(sc scan, list []Parameter, each func(Parameter)) {
	seen := map[string]bool{}
	for i := range list {
		p := &list[i]
		if p.Reference.Node != nil && !f.c.reference(p.Reference, "parameters") {
			continue
		}
		r, ok := f.c.doc.ResolveParameter(*p)
		if !ok {
			continue
		}
		r.Reference = p.Reference
		name := r.Name.Value
		if r.In.Value == "header" {
			name = strings.ToLower(name)
		}
		if key := r.In.Value + " " + name; r.Name.Node != nil && seen[key] {
			f.c.out.find(Error, "duplicate-parameter", p.Pos).fix("keep one of them").
				say("the parameter %s stands twice in the list", strings.TrimSpace(r.In.Value+" "+r.Name.Value))
		} else {
			seen[key] = true
		}
		each(r)
		sc.parameterValue(p)
	}
}

// reference checks a Reusable Object's reference (N9): it names a component
// that exists, of the kind that belongs here.
func (c *checker) reference(ref Str, kind string) bool {
	e, err := expr.Parse(ref.Value)
	switch {
	case err != nil || e.Root != expr.RootComponents:
		c.out.find(Error, "bad-expression", ref.Pos).fix("write $components.%s.<name>", kind).say("%q does not name a component", ref.Value)
		return false
	case e.Part != kind:
		c.out.find(Error, "wrong-component-type", ref.Pos).fix("refer to $components.%s.<name>", kind).
			say("%s cannot stand in a list of %s", ref.Value, kind)
		return false
	}
	names := c.doc.Components.byName[kind]
	if _, ok := names[e.Name]; ok {
		return true
	}
	remedy := c.didYouMean(e.Name, func() []string { return slices.Sorted(maps.Keys(names)) })
	c.out.find(Error, "unknown-component", ref.Pos).fix("%s", remedy).say("components.%s has no %s", kind, e.Name)
	return false
}

// body checks the request body: expressions in it, and where replacements go.
func (f *flow) body(sc scan, s *Step) {
	if s.Body == nil {
		return
	}
	sc.value(s.Body.Payload)
	for i := range s.Body.Replacements {
		r := &s.Body.Replacements[i]
		sc.value(r.Value)
		if r.Target.Node != nil {
			f.replacementTarget(sc, s.Body, r)
		}
	}
}

// replacementTarget checks a target in the language it is written in (N23).
func (f *flow) replacementTarget(sc scan, b *Body, r *Replacement) {
	typ := expr.Type{Name: r.SelectorType.Type, Version: r.SelectorType.Version}
	if typ.Name == "" {
		if isXML(b.ContentType.Value) {
			typ.Name = "xpath"
		} else if strings.HasPrefix(r.Target.Value, "/") || r.Target.Value == "" {
			typ.Name = "jsonpointer"
		} else {
			f.c.out.find(Error, "bad-pointer", r.Target.Pos).fix("write /a/b").say("%q is not a JSON Pointer: it must start with /", r.Target.Value)
			return
		}
	}
	if _, err := expr.CompileSelector("$request.body", r.Target.Value, typ); err != nil {
		sc.conditionError(err, map[string]*yaml.Node{"type": r.SelectorType.Node, "": r.Target.Node}, "bad-selector")
	}
}

func isXML(contentType string) bool {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	return strings.HasSuffix(media, "/xml") || strings.HasSuffix(media, "+xml")
}

// listedAction checks an action in a list: its reference, its shape, what it
// reads and where it leads.
func (f *flow) listedAction(sc scan, a *Action, kind string) {
	sc.spot = inAction
	if a.Reference.Node == nil {
		f.c.actionShape(a)
		sc.actionCriteria(a)
		f.parameterList(sc, a.Parameters, func(Parameter) {})
		f.actionTarget(a, a.StepID.Pos, a.WorkflowID.Pos)
		return
	}
	if !f.c.reference(a.Reference, kind) {
		return
	}
	find := f.c.doc.Components.SuccessAction
	if kind == "failureActions" {
		find = f.c.doc.Components.FailureAction
	}
	target, ok := find(a.Reference.Value)
	if !ok {
		return
	}
	at := a.Reference.Pos
	sc.at, sc.quiet = &at, true
	sc.action(&target)
	f.actionTarget(&target, at, at)
}

// actionShape checks what an action needs by its type. It holds for components
// as well, so it looks at nothing outside the action.
func (c *checker) actionShape(a *Action) {
	targets := 0
	for _, t := range []Str{a.StepID, a.WorkflowID} {
		if t.Node != nil {
			targets++
		}
	}
	switch a.Type.Value {
	case "goto":
		if targets != 1 {
			c.out.find(Error, "action-target", a.Pos).fix("give it one of stepId and workflowId").say("the action %s must go to exactly one place", a.Name.Value)
		}
	case "end":
		if targets > 0 {
			c.out.find(Warning, "action-target", a.Pos).fix("leave out stepId and workflowId, or write type: goto").
				say("the action %s ends the workflow and goes nowhere", a.Name.Value)
		}
	case "retry":
		if targets > 1 {
			c.out.find(Error, "action-target", a.Pos).fix("keep one of stepId and workflowId").say("the action %s can run only one thing before it retries", a.Name.Value)
		}
	}
	if len(a.Parameters) > 0 && a.WorkflowID.Node == nil {
		c.out.find(Error, "action-target", a.Pos).fix("parameters are the inputs of a workflow; name it with workflowId").
			say("the action %s has parameters and no workflow to pass them to", a.Name.Value)
	}
	c.retry(a)
	for _, p := range a.Parameters {
		if p.In.Node != nil {
			c.out.find(Error, "parameter-in", p.Pos).fix("leave out in").say("the parameter %s of an action becomes an input; in must not be given", p.Name.Value)
		}
	}
}

// retry checks the numbers of a retry (N59).
func (c *checker) retry(a *Action) {
	for _, field := range []struct {
		name string
		Any
	}{{"retryAfter", a.RetryAfter}, {"retryLimit", a.RetryLimit}} {
		if !field.Set() {
			continue
		}
		if a.Type.Value != "retry" && a.Type.Node != nil {
			c.out.find(Warning, "bad-retry", field.Pos).fix("write type: retry, or leave it out").say("%s has no effect on an action of type %s", field.name, a.Type.Value)
		}
		if field.name == "retryAfter" {
			if n, ok := number(field.Node); !ok || n < 0 {
				c.out.find(Error, "bad-retry", field.Pos).fix("write a number, such as 1.5").say("retryAfter must be a number of seconds, zero or more")
			}
			continue
		}
		if n, ok := integer(field.Node); !ok || n < 0 {
			c.out.find(Error, "bad-retry", field.Pos).fix("write a whole number, such as 3").say("retryLimit must be a whole number, zero or more")
		}
	}
}

// actionTarget checks that the place an action leads to exists (N65).
func (f *flow) actionTarget(a *Action, stepAt, workflowAt Pos) {
	if id := a.StepID; id.Node != nil {
		if _, ok := f.steps[id.Value]; !ok {
			remedy := f.c.didYouMean(id.Value, f.stepNames)
			if e, err := expr.Parse(id.Value); err == nil && e.Root == expr.RootSteps {
				remedy = "write " + e.Owner
			} else if bare, found := strings.CutPrefix(id.Value, "$steps."); found {
				remedy = "write " + bare
			}
			f.c.out.find(Error, "unknown-step", stepAt).fix("%s", remedy).say("there is no step %s in the workflow %s", id.Value, f.w.ID.Value)
		}
	}
	if a.WorkflowID.Node == nil || a.Type.Value == "end" {
		return
	}
	ref := a.WorkflowID
	ref.Pos = workflowAt
	target := f.c.workflowRef(ref)
	if target == nil {
		return
	}
	given := map[string]bool{}
	for _, p := range a.Parameters {
		if r, ok := f.c.doc.ResolveParameter(p); ok {
			given[r.Name.Value] = true
			f.undeclaredInput(target, r)
		}
	}
	f.missingInputs(Warning, target, given, workflowAt, "the action "+a.Name.Value)
}

// duplicateActions reports a name that stands twice in one list (N3).
func (f *flow) duplicateActions(list []Action) {
	seen := map[string]bool{}
	for _, a := range list {
		r, ok := resolveAction(a, f.c.doc.Components.SuccessAction)
		if !ok {
			if r, ok = resolveAction(a, f.c.doc.Components.FailureAction); !ok {
				continue
			}
		}
		if name := r.Name.Value; name != "" && seen[name] {
			f.c.out.find(Error, "duplicate-action", a.Pos).fix("keep one of them, or rename it").say("two actions of the list have the name %s", name)
		}
		seen[r.Name.Value] = true
	}
}

// neverReachedActions reports actions behind one that always applies. A retry
// does not: when its attempts are used up the next action is considered (N62).
func (f *flow) neverReachedActions(list []Action) {
	for i, a := range list[:max(0, len(list)-1)] {
		if a.Reference.Node == nil && len(a.Criteria) == 0 && (a.Type.Value == "end" || a.Type.Value == "goto") {
			f.c.out.find(Warning, "dead-guard", list[i+1].Pos).fix("put it before, or give %s criteria", a.Name.Value).
				say("the action is never considered: %s above it has no criteria and always applies", a.Name.Value)
			return
		}
	}
}

// describeStep names a step in messages.
func (f *flow) describeStep(i int) string {
	if id := f.w.Steps[i].ID.Value; id != "" {
		return id
	}
	return fmt.Sprintf("number %d", i+1)
}
