package plan

import (
	"encoding/json"
	"maps"
	"slices"

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
	for _, name := range slices.Sorted(maps.Keys(rule)) {
		if err := s.idempotencyField(out, from, name, rule[name]); err != nil {
			s.report(ext.Pos, "schema", "%s.%s: %s", IdempotencyExtension, name, fault.Public(err))
		}
	}
	if len(rule) == 0 {
		s.report(ext.Pos, "schema", "%s says nothing: give key and header, done, repeat or lookup", IdempotencyExtension)
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
	case "repeat":
		if v != true {
			return fault.New(fault.Invalid, "must be true, or be left out")
		}
		out.Repeat = true
	case "lookup":
		return s.lookup(out, from, v)
	default:
		return fault.New(fault.Invalid, "is not known").Fix("use key, header, done, repeat or lookup")
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
	pos := from.Extensions[IdempotencyExtension].Pos
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := look.field(name, fields[name], pos); err != nil {
			return err
		}
	}
	out.Lookup = look
	return nil
}

// field compiles one field of a look-up. What it does not know is an error: a
// rule that is silently ignored would settle a call wrongly.
func (l *Lookup) field(name string, v any, pos arazzo.Pos) error {
	text, isText := v.(string)
	switch name {
	case "operationId", "operationPath": // read by lookupRef
		return nil
	case "parameters":
		return l.parameters(v, pos)
	case "found":
		if !isText {
			return fault.New(fault.Invalid, "found must be a condition")
		}
		found, err := expr.CompileCriterion("", text, expr.Type{})
		l.Found = &found
		return err
	case "body":
		if !isText {
			return fault.New(fault.Invalid, "body must be an expression")
		}
		e, err := expr.Parse(text)
		l.Body = &e
		return err
	}
	return fault.New(fault.Invalid, "%s is not known", name).
		Fix("use operationId or operationPath, parameters, found and body")
}

func (l *Lookup) parameters(v any, pos arazzo.Pos) error {
	list, ok := v.([]any)
	if !ok {
		return fault.New(fault.Invalid, "parameters must be a list")
	}
	for _, item := range list {
		p, _ := item.(map[string]any)
		name, _ := p["name"].(string)
		in, _ := p["in"].(string)
		compiled, err := expr.Compile(p["value"], expr.Options{})
		if err != nil || name == "" || in == "" {
			return fault.New(fault.Invalid, "parameters need name, in and a value that can be evaluated")
		}
		param := Param{Pos: pos, Name: name, In: in, Value: compiled}
		if text, ok := p["value"].(string); ok {
			if t, err := expr.ParseTemplate(text); err == nil {
				param.Quoted = t.QuotedExpressions()
			}
		}
		l.Params = append(l.Params, param)
	}
	return nil
}
