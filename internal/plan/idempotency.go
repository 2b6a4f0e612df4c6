package plan

import (
	"encoding/json"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// IdempotencyExtension is the step's field that says how a call in doubt is
// settled (docs/dialect.md).
const IdempotencyExtension = "x-lanyard-idempotency"

// lookupRef returns the operation that a step's idempotency rule looks things
// up with, if it has one.
func lookupRef(from *arazzo.Step, doc *arazzo.Document) (opRef, bool, error) {
	ext, ok := from.Extensions[IdempotencyExtension]
	if !ok {
		return opRef{}, false, nil
	}
	rule, _ := ext.Value().(map[string]any)
	lookup, _ := rule["lookup"].(map[string]any)
	if id, ok := lookup["operationId"].(string); ok {
		return operationIDRef(arazzo.Str{Pos: ext.Pos, Value: id}), true, nil
	}
	if path, ok := lookup["operationPath"].(string); ok {
		ref, err := operationPathRef(arazzo.Str{Pos: ext.Pos, Value: path}, doc)
		return ref, err == nil, err
	}
	return opRef{}, false, nil
}

// idempotency compiles x-lanyard-idempotency.
func (s *scope) idempotency(from *arazzo.Step, step *Step) {
	ext, ok := from.Extensions[IdempotencyExtension]
	if !ok || step.Operation == nil {
		return
	}
	rule, ok := ext.Value().(map[string]any)
	if !ok {
		s.report(ext.Pos, "schema", "%s must be a mapping", IdempotencyExtension)
		return
	}
	out := &Idempotency{}
	for name, v := range rule {
		if err := s.idempotencyField(out, from, name, v); err != nil {
			s.report(ext.Pos, "schema", "%s.%s: %s", IdempotencyExtension, name, fault.Public(err))
		}
	}
	if (out.Key == nil) != (out.Header == "") {
		s.report(ext.Pos, "schema", "%s: key and header go together", IdempotencyExtension)
	}
	step.Idempotency = out
}

func (s *scope) idempotencyField(out *Idempotency, from *arazzo.Step, name string, v any) error {
	switch name {
	case "key":
		key, err := expr.Compile(v, expr.Options{})
		out.Key = &key
		return err
	case "header":
		header, ok := v.(string)
		if !ok || header == "" {
			return fault.New(fault.Invalid, "must be the name of a header")
		}
		out.Header = header
	case "done":
		return statuses(v, &out.Done)
	case "lookup":
		return s.lookup(out, from, v)
	default:
		return fault.New(fault.Invalid, "is not known").Fix("use key, header, done or lookup")
	}
	return nil
}

func statuses(v any, into *[]int) error {
	list, ok := v.([]any)
	if !ok {
		return fault.New(fault.Invalid, "must be a list of status codes")
	}
	for _, item := range list {
		n, ok := item.(json.Number)
		code, err := n.Int64()
		if !ok || err != nil || code < 100 || code > 599 {
			return fault.New(fault.Invalid, "must be a list of status codes")
		}
		*into = append(*into, int(code))
	}
	return nil
}

func (s *scope) lookup(out *Idempotency, from *arazzo.Step, v any) error {
	fields, ok := v.(map[string]any)
	if !ok {
		return fault.New(fault.Invalid, "must be a mapping")
	}
	ref, ok, err := lookupRef(from, s.docs[s.doc])
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Invalid, "names no operation").Fix("give operationId or operationPath")
	}
	look := &Lookup{Operation: s.lookUp(ref)}
	if look.Operation == nil {
		return nil // reported already
	}
	if look.Operation.Effect() != Reads {
		return fault.New(fault.Invalid, "%s changes something", ref.text).Fix("name an operation that only reads")
	}
	ext := from.Extensions[IdempotencyExtension]
	for _, item := range asList(fields["parameters"]) {
		p, _ := item.(map[string]any)
		name, _ := p["name"].(string)
		in, _ := p["in"].(string)
		compiled, err := expr.Compile(p["value"], expr.Options{})
		if err != nil || name == "" || in == "" {
			return fault.New(fault.Invalid, "parameters need name, in and a value that can be evaluated")
		}
		param := Param{Pos: ext.Pos, Name: name, In: in, Value: compiled}
		if text, ok := p["value"].(string); ok {
			if t, err := expr.ParseTemplate(text); err == nil {
				param.Quoted = t.QuotedExpressions()
			}
		}
		look.Params = append(look.Params, param)
	}
	if condition, ok := fields["found"].(string); ok {
		found, err := expr.CompileCriterion("", condition, expr.Type{})
		if err != nil {
			return err
		}
		look.Found = &found
	}
	if body, ok := fields["body"].(string); ok {
		e, err := expr.Parse(body)
		if err != nil {
			return err
		}
		look.Body = &e
	}
	out.Lookup = look
	return nil
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}
