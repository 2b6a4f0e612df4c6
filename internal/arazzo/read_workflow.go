package arazzo

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

var (
	workflowFields = []field{{name: "workflowId", required: true}, {name: "summary"}, {name: "description"}, {name: "inputs"},
		{name: "dependsOn"}, {name: "parameters"}, {name: "steps", required: true}, {name: "successActions"}, {name: "failureActions"}, {name: "outputs"}}
	stepFields = []field{{name: "stepId", required: true}, {name: "description"}, {name: "operationId"}, {name: "operationPath"}, {name: "workflowId"},
		{name: "channelPath", since: 1}, {name: "action", since: 1}, {name: "correlationId", since: 1}, {name: "timeout", since: 1}, {name: "dependsOn", since: 1},
		{name: "parameters"}, {name: "requestBody"}, {name: "successCriteria"}, {name: "onSuccess"}, {name: "onFailure"}, {name: "outputs"}}
	parameterFields   = []field{{name: "name", required: true}, {name: "in"}, {name: "value", required: true}}
	reusableFields    = []field{{name: "reference", required: true}, {name: "value"}}
	bodyFields        = []field{{name: "contentType"}, {name: "payload"}, {name: "replacements"}}
	replacementFields = []field{{name: "target", required: true}, {name: "targetSelectorType", since: 1}, {name: "value", required: true}}
	criterionFields   = []field{{name: "context"}, {name: "condition", required: true}, {name: "type"}}
	exprTypeFields    = []field{{name: "type", required: true}, {name: "version", required: true}}
	actionFields      = []field{{name: "name", required: true}, {name: "type", required: true}, {name: "workflowId"}, {name: "stepId"},
		{name: "parameters", since: 1}, {name: "criteria"}}
	failureFields  = append(slices.Clone(actionFields), field{name: "retryAfter"}, field{name: "retryLimit"})
	selectorFields = []field{{name: "context", required: true, since: 1}, {name: "selector", required: true, since: 1}, {name: "type", required: true, since: 1}}
)

func (r *reader) workflow(n *yaml.Node) *Workflow {
	w := &Workflow{Pos: r.doc.At(n), Extensions: map[string]Any{}}
	ok := r.object(n, "a workflow", workflowFields, w.Extensions, func(key string, v *yaml.Node) {
		switch key {
		case "workflowId":
			w.ID = r.str(v, "workflowId")
		case "summary":
			w.Summary = r.text(v, "the summary of a workflow")
		case "description":
			w.Description = r.text(v, "the description of a workflow")
		case "inputs":
			r.schema(v, 0)
			w.Inputs = r.any(v)
		case "dependsOn":
			w.DependsOn = r.strs(v, "dependsOn", "a workflowId in dependsOn")
		case "parameters":
			w.Parameters = r.parameters(v)
		case "steps":
			r.filled(v, "steps", maxSteps, func(n *yaml.Node) {
				if s := r.step(n); s != nil {
					w.Steps = append(w.Steps, s)
				}
			})
		case "successActions":
			w.SuccessActions = r.actions(v, key, success)
		case "failureActions":
			w.FailureActions = r.actions(v, key, failure)
		case "outputs":
			w.Outputs = r.outputs(v)
		}
	})
	if !ok {
		return nil
	}
	return w
}

func (r *reader) step(n *yaml.Node) *Step {
	s := &Step{Pos: r.doc.At(n), Extensions: map[string]Any{}}
	ok := r.object(n, "a step", stepFields, s.Extensions, func(key string, v *yaml.Node) {
		switch key {
		case "stepId":
			s.ID = r.str(v, "stepId")
		case "description":
			s.Description = r.text(v, "the description of a step")
		case "operationId":
			s.OperationID = r.str(v, "operationId")
		case "operationPath":
			s.OperationPath = r.str(v, "operationPath")
		case "workflowId":
			s.WorkflowID = r.str(v, "workflowId")
		case "channelPath":
			s.ChannelPath = r.str(v, "channelPath")
		case "action":
			s.AsyncAction = r.oneOf(v, "the action of a step", "send", "receive")
		case "correlationId":
			s.CorrelationID = r.any(v)
		case "timeout":
			s.Timeout = r.any(v)
			r.timeout(s.Timeout)
		case "dependsOn":
			s.DependsOn = r.strs(v, "dependsOn", "a stepId in dependsOn")
			if len(s.DependsOn) == 0 {
				r.bad(r.doc.At(v), "dependsOn must name a step")
			}
		case "parameters":
			s.Parameters = r.parameters(v)
		case "requestBody":
			s.Body = r.body(v)
		case "successCriteria":
			s.SuccessCriteria = r.criteria(v, "successCriteria", true)
		case "onSuccess":
			s.OnSuccess, s.HasOnSuccess = r.actions(v, key, success), true
		case "onFailure":
			s.OnFailure, s.HasOnFailure = r.actions(v, key, failure), true
		case "outputs":
			s.Outputs = r.outputs(v)
		}
	})
	if !ok {
		return nil
	}
	r.asyncFields(s)
	return s
}

// timeout is an integer number of milliseconds; 5.0 is one to JSON Schema.
func (r *reader) timeout(a Any) {
	if n, ok := integer(a.Node); !ok || n < 0 {
		r.bad(a.Pos, "timeout must be a whole number of milliseconds, this is %s", kindName(a.Node))
	}
}

// asyncFields checks which fields of an AsyncAPI step go together.
func (r *reader) asyncFields(s *Step) {
	if s.CorrelationID.Set() && s.AsyncAction.Value != "receive" {
		r.bad(s.CorrelationID.Pos, "correlationId goes with action: receive only")
	}
	if s.ChannelPath.Node != nil && s.AsyncAction.Node == nil {
		r.bad(s.ChannelPath.Pos, "a step with channelPath needs the field action")
	}
	if s.AsyncAction.Node != nil && (s.WorkflowID.Node != nil || s.OperationPath.Node != nil) {
		r.bad(s.AsyncAction.Pos, "action goes with operationId or channelPath only")
	}
}

func (r *reader) parameters(n *yaml.Node) []Parameter {
	var out []Parameter
	r.list(n, "parameters", maxSteps, func(n *yaml.Node) { out = append(out, r.parameter(n, true)) })
	return out
}

// parameter reads a parameter, or a reference to one where that is allowed.
func (r *reader) parameter(n *yaml.Node, reusable bool) Parameter {
	p := Parameter{Pos: r.doc.At(n)}
	if reusable && mapValue(n, "reference") != nil {
		p.Reference, p.Value = r.reusable(n)
		return p
	}
	r.object(n, "a parameter", parameterFields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "name":
			p.Name = r.str(v, "the name of a parameter")
		case "in":
			if r.doc.Minor == 0 {
				p.In = r.oneOf(v, "in", "path", "query", "header", "cookie")
			} else {
				p.In = r.oneOf(v, "in", "path", "query", "querystring", "header", "cookie", "channel")
			}
		case "value":
			p.Value = r.any(v)
		}
	})
	return p
}

// reusable reads a Reusable Object. Its other fields are ignored (N7), which
// deserves a remark: whoever wrote them expected something.
func (r *reader) reusable(n *yaml.Node) (reference Str, override Any) {
	n = deref(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		switch name := deref(key).Value; name {
		case "reference":
			reference = r.str(v, "reference")
		case "value":
			override = r.any(v)
		default:
			r.out.find(Warning, "schema", r.doc.At(key)).fix("%s", suggestField(name, reusableFields)).
				say("next to reference the field %s is ignored", name)
		}
	}
	return reference, override
}

func (r *reader) body(n *yaml.Node) *Body {
	b := &Body{Pos: r.doc.At(n)}
	r.object(n, "requestBody", bodyFields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "contentType":
			b.ContentType = r.str(v, "contentType")
		case "payload":
			b.Payload = r.any(v)
		case "replacements":
			items := r.list(v, "replacements", maxSteps, func(n *yaml.Node) { b.Replacements = append(b.Replacements, r.replacement(n)) })
			r.unique(items, "replacement")
		}
	})
	return b
}

func (r *reader) replacement(n *yaml.Node) Replacement {
	p := Replacement{Pos: r.doc.At(n)}
	r.object(n, "a replacement", replacementFields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "target":
			p.Target = r.str(v, "the target of a replacement")
		case "targetSelectorType":
			p.SelectorType = r.exprType(v, key, "jsonpointer", "jsonpath", "xpath")
		case "value":
			p.Value = r.any(v)
		}
	})
	return p
}

func (r *reader) criteria(n *yaml.Node, what string, filled bool) []Criterion {
	var out []Criterion
	read := r.list
	if filled {
		read = r.filled
	}
	items := read(n, what, maxActions, func(n *yaml.Node) { out = append(out, r.criterion(n)) })
	r.unique(items, "criterion")
	return out
}

func (r *reader) criterion(n *yaml.Node) Criterion {
	c := Criterion{Pos: r.doc.At(n)}
	fields := criterionFields
	if r.doc.Minor == 0 {
		// The 1.0 schema puts version beside type, where the text has an object.
		fields = append(slices.Clone(fields), field{name: "version"})
	}
	version := ""
	r.object(n, "a criterion", fields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "context":
			c.Context = r.str(v, "the context of a criterion")
		case "condition":
			c.Condition = r.str(v, "condition")
		case "type":
			c.Type = r.exprType(v, "the type of a criterion", "simple", "regex", "jsonpath", "xpath")
		case "version":
			version = r.text(v, "version")
		}
	})
	if c.Type.Version == "" {
		c.Type.Version = version
	}
	return c
}

// exprType reads a type that is a word, or an Expression Type Object. Unknown
// versions are found when the condition is compiled (N52).
func (r *reader) exprType(n *yaml.Node, what string, words ...string) ExprType {
	t := ExprType{Pos: r.doc.At(n), Node: deref(n)}
	if t.Node.Kind != yaml.MappingNode {
		t.Type = r.oneOf(n, what, words...).Value
		return t
	}
	r.object(n, what, exprTypeFields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "type":
			if r.doc.Minor == 0 {
				t.Type = r.oneOf(v, "type", "jsonpath", "xpath").Value
			} else {
				t.Type = r.oneOf(v, "type", "jsonpath", "xpath", "jsonpointer").Value
			}
		case "version":
			t.Version = r.text(v, "version")
		}
	})
	return t
}

// outcome says which of the two action lists an action stands in.
type outcome int

const (
	success outcome = iota
	failure
)

func (r *reader) actions(n *yaml.Node, what string, o outcome) []Action {
	var out []Action
	r.list(n, what, maxActions, func(n *yaml.Node) { out = append(out, r.action(n, o, true)) })
	return out
}

// action reads an action, or a reference to one where that is allowed.
func (r *reader) action(n *yaml.Node, o outcome, reusable bool) Action {
	a := Action{Pos: r.doc.At(n)}
	if reusable && mapValue(n, "reference") != nil {
		a.Reference, _ = r.reusable(n)
		return a
	}
	what, fields, types := "a success action", actionFields, []string{"end", "goto"}
	if o == failure {
		what, fields, types = "a failure action", failureFields, []string{"end", "goto", "retry"}
	}
	r.object(n, what, fields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "name":
			a.Name = r.str(v, "the name of an action")
		case "type":
			a.Type = r.oneOf(v, "the type of "+what, types...)
		case "workflowId":
			a.WorkflowID = r.str(v, "workflowId")
		case "stepId":
			a.StepID = r.str(v, "stepId")
		case "retryAfter":
			a.RetryAfter = r.any(v)
		case "retryLimit":
			a.RetryLimit = r.any(v)
		case "parameters":
			a.Parameters = r.parameters(v)
		case "criteria":
			a.Criteria = r.criteria(v, "criteria", o == success)
		}
	})
	return a
}

func (r *reader) outputs(n *yaml.Node) []Output {
	var out []Output
	r.named(n, "outputs", func(key, v *yaml.Node) {
		o := Output{Pos: r.doc.At(key), Name: deref(key).Value, Value: r.any(v)}
		out = append(out, o)
		switch o.Value.Node.Kind {
		case yaml.MappingNode:
			r.selector(v)
		default:
			r.str(v, "an output")
		}
	})
	return out
}

// selector checks the shape of a Selector Object where nothing else may stand.
func (r *reader) selector(n *yaml.Node) {
	r.object(n, "a selector", selectorFields, map[string]Any{}, func(key string, v *yaml.Node) {
		if key == "type" {
			r.exprType(v, "the type of a selector", "jsonpath", "xpath", "jsonpointer")
			return
		}
		r.str(v, key)
	})
}
