package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

// lint holds the steps against the descriptions of their operations. It runs
// when a plan is built, not when a stored one is compiled again.
type lint struct {
	dialect arazzo.Dialect
	diags   []arazzo.Diagnostic
}

func (l *lint) plan(p *Plan) {
	for _, w := range p.Workflows {
		for _, s := range w.Steps {
			if s.Operation != nil {
				l.parameters(s)
				l.body(s)
				l.statuses(s)
			}
			if s.Workflow != None {
				l.subWorkflow(w, s, p.Workflows[s.Workflow])
			}
			if s.ForEach != nil {
				l.item(s, p.Workflows[s.Workflow])
			}
		}
	}
}

func (l *lint) report(sev arazzo.Severity, pos arazzo.Pos, code, format string, args ...any) {
	l.diags = append(l.diags, arazzo.Diagnostic{Pos: pos, Severity: sev, Code: code, Message: fmt.Sprintf(format, args...)})
}

// strict is the severity of what the specification forbids and people do.
func (l *lint) strict() arazzo.Severity {
	if l.dialect == arazzo.Compat {
		return arazzo.Warning
	}
	return arazzo.Error
}

// parameters reports required ones that are not given and given ones that the
// operation does not declare.
func (l *lint) parameters(s *Step) {
	for _, d := range s.Operation.Parameters {
		if !d.Required || given(s.Params, d) || d.In == "header" && managed(d.Name) {
			continue
		}
		sev := arazzo.Error
		if s.Operation.injectable(d) {
			sev = l.strict()
		}
		l.report(sev, s.Pos, "required-parameter", "step %s does not give the %s parameter %s, which %s requires", s.ID, d.In, d.Name, s.Operation.Name())
	}
	for _, p := range s.Params {
		if p.In != "" && !declared(s.Operation, p) && !managed(p.Name) {
			sev := arazzo.Warning
			if l.dialect == arazzo.Compat {
				sev = arazzo.Info
			}
			l.report(sev, p.Pos, "undeclared-parameter", "%s declares no %s parameter %s; it is sent all the same", s.Operation.Name(), p.In, p.Name)
		}
	}
}

// subWorkflow holds what a step passes against the inputs of a workflow of
// another document. Within one document, package arazzo has done so.
func (l *lint) subWorkflow(w *Workflow, s *Step, target *Workflow) {
	in := target.inputs
	if in.raw == nil || w.Document == target.Document {
		return
	}
	known := slices.Sorted(maps.Keys(in.declared))
	passed := map[string]any{}
	in.defaults(in.raw, passed, seen{})
	for _, p := range s.arguments() {
		passed[p.Name] = nil
		if in.declared[p.Name] || s.ForEach != nil && p.Name == s.ForEach.As { // item reports that
			continue
		}
		sev, fix := arazzo.Warning, "it has "+strings.Join(known, ", ")
		if in.raw["additionalProperties"] == false {
			sev = arazzo.Error
		}
		if near := spelling.Nearest(p.Name, known); near != "" {
			fix = "did you mean " + near + "?"
		}
		l.report(sev, p.Pos, "undeclared-parameter", "workflow %s has no input %s; %s", target.ID, p.Name, fix)
	}
	for _, name := range slices.Sorted(maps.Keys(in.required)) {
		if _, ok := passed[name]; !ok {
			l.report(arazzo.Error, s.Pos, "missing-input", "step %s calls workflow %s without its input %s; pass it as a parameter named %s", s.ID, target.ID, name, name)
		}
	}
}

func given(params []Param, d openapi.Parameter) bool {
	for _, p := range params {
		if p.In == d.In && sameName(p.In, p.Name, d.Name) || p.In == "querystring" && d.In == "query" {
			return true
		}
	}
	return false
}

func declared(op *Operation, p Param) bool {
	for _, d := range op.Parameters {
		if p.In == d.In && sameName(p.In, p.Name, d.Name) {
			return true
		}
	}
	return false
}

// sameName compares parameter names: those of headers without letter case.
func sameName(in, a, b string) bool {
	return a == b || in == "header" && strings.EqualFold(a, b)
}

// managed reports whether a header is not a parameter: OpenAPI ignores
// declarations of these (OpenAPI 3.1, Parameter Object "name").
func managed(name string) bool {
	switch strings.ToLower(name) {
	case "accept", "content-type", "authorization":
		return true
	}
	return false
}

// body reports a required body, or required properties, that are not given.
func (l *lint) body(s *Step) {
	op := s.Operation
	if op.Body == nil {
		return
	}
	if s.Body == nil {
		if op.Body.Required {
			l.report(arazzo.Warning, s.Pos, "required-body-property", "step %s sends no body, which %s requires", s.ID, op.Name())
		}
		return
	}
	_, media, err := op.MediaType(s.Body.Type)
	object, ok := s.Body.Value.Keys()
	if err != nil || media == nil || !ok || len(s.Body.Replacements) > 0 {
		return
	}
	for _, name := range media.Required {
		if !object[name] {
			l.report(arazzo.Warning, s.Body.Pos, "required-body-property", "the body lacks %s, which %s requires", name, op.Name())
		}
	}
}

// statuses reports a criterion that demands a status which the operation does
// not declare.
func (l *lint) statuses(s *Step) {
	if len(s.Operation.Responses) == 0 {
		return
	}
	for _, c := range s.Criteria {
		if want, ok := c.Status(); ok && !s.Operation.Declares(want) {
			l.report(arazzo.Warning, s.Pos, "undeclared-status", "step %s expects status %d, which the description of %s does not declare", s.ID, want, s.Operation.Name())
		}
	}
}
