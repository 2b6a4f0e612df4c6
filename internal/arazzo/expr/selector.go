package expr

import (
	"fmt"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Selector is a compiled Selector Object [1.1]. It may be used by several
// goroutines.
type Selector struct {
	context operand
	query   *query
	exprs   []Expression
}

// CompileSelector compiles a Selector Object of type jsonpath, xpath or
// jsonpointer. Expressions may be embedded in the selector as in typed
// conditions (N50). The error is a *ConditionError.
func CompileSelector(context, selector string, typ Type) (Selector, error) {
	if err := typ.check("jsonpath", "xpath", "jsonpointer"); err != nil {
		return Selector{}, err
	}
	if err := checkLength(selector); err != nil {
		return Selector{}, err
	}
	source, err := parseContext(context, typ)
	if err != nil {
		return Selector{}, err
	}
	s := Selector{context: source, exprs: []Expression{source.expr}}
	if selector == "" && typ.Name == "jsonpointer" { // RFC 6901 5: the whole value
		return s, nil
	}
	if s.query, err = compileQuery(selector, typ); err != nil {
		return Selector{}, err
	}
	s.exprs = append(s.exprs, s.query.text.Expressions()...)
	return s, nil
}

// looksLikeSelector reports whether an object of a payload is a Selector Object
// and not data that happens to have the same keys.
func looksLikeSelector(m map[string]any) bool {
	context, _ := m["context"].(string)
	_, hasSelector := m["selector"].(string)
	_, hasType := m["type"]
	if !hasSelector || !hasType || !LooksLikeExpression(context) {
		return false
	}
	for k := range m {
		if k != "context" && k != "selector" && k != "type" && !strings.HasPrefix(k, "x-") {
			return false
		}
	}
	return true
}

// selectorFrom compiles the mapping form of a Selector Object.
func selectorFrom(m map[string]any) (Selector, error) {
	typ, err := typeFrom(m["type"])
	if err != nil {
		return Selector{}, err
	}
	context, _ := m["context"].(string)
	selector, ok := m["selector"].(string)
	if !ok {
		return Selector{}, &ConditionError{Kind: ErrSyntax, Msg: "a selector object needs a selector, which is a string"}
	}
	return CompileSelector(context, selector, typ)
}

// typeFrom reads a type: its name, or an Expression Type Object.
func typeFrom(v any) (Type, error) {
	switch v := v.(type) {
	case string:
		return Type{Name: v}, nil
	case map[string]any:
		name, okName := v["type"].(string)
		version, okVersion := v["version"].(string)
		if okName && okVersion {
			return Type{Name: name, Version: version}, nil
		}
	}
	return Type{}, &ConditionError{Kind: ErrType, Msg: "a selector's type is a name, or an object with type and version"}
}

// Expressions returns the context and the expressions embedded in the selector.
func (s Selector) Expressions() []Expression { return s.exprs }

// source returns the value that the selector looks into.
func (s Selector) source(scope Scope) (any, error) {
	v, err := Resolve(s.context.expr, scope)
	if err != nil {
		return nil, err
	}
	found, ok := s.context.path.Get(v)
	if !ok {
		return nil, &Unresolved{Expression: s.context.expr, Reason: explainPointer(s.context.path, v)}
	}
	return found, nil
}

// Eval returns the selected value: the node that a JSONPath or JSON Pointer
// selects, an array when a JSONPath selects several; the text of the node that
// an XPath selects, an array of texts for several, or the number, boolean or
// string that it computes. Nothing selected is an *Unresolved error. A
// structure belongs to the scope and must not be changed.
func (s Selector) Eval(scope Scope) (any, error) {
	v, err := s.source(scope)
	if err != nil || s.query == nil {
		return v, err
	}
	p, err := s.query.program(scope)
	if err != nil {
		return nil, err
	}
	found, ok, err := p.find(subject{value: v, text: func() string { return s.context.asText(v, scope) }})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Unresolved{Expression: s.context.expr,
			Reason: fmt.Sprintf("the %s %s selects nothing in it", s.query.typ.Name, abbreviate(s.query.text.text))}
	}
	return found, nil
}

// Output is a compiled output: an expression, a text, or a Selector Object.
type Output struct {
	text     Template
	selector *Selector
}

// CompileOutput compiles the value of an output: a string, which may be one
// expression, a template or plain text, or the mapping of a Selector Object.
func CompileOutput(v any) (Output, error) {
	switch v := v.(type) {
	case string:
		t, err := ParseTemplate(v)
		return Output{text: t}, err
	case map[string]any:
		sel, err := selectorFrom(v)
		if err != nil {
			return Output{}, err
		}
		return Output{selector: &sel}, nil
	}
	return Output{}, &ConditionError{Kind: ErrSyntax,
		Msg: fmt.Sprintf("an output is a runtime expression or a selector object, not %s", kindOf(v))}
}

// Expressions returns the expressions that Eval looks at.
func (o Output) Expressions() []Expression {
	if o.selector != nil {
		return o.selector.Expressions()
	}
	return o.text.Expressions()
}

// Eval returns the output's own value: it shares nothing with the scope. The
// error is an *Unresolved when an expression has no value.
func (o Output) Eval(s Scope) (any, error) {
	v, err := o.eval(s)
	return value.Clone(v), err
}

func (o Output) eval(s Scope) (any, error) {
	if o.selector != nil {
		return o.selector.Eval(s)
	}
	return o.text.Eval(s)
}
