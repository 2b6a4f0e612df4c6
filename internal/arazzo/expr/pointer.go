package expr

import (
	"fmt"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// pointerProgram is a JSON Pointer as a selector.
type pointerProgram value.Pointer

func compilePointer(text string) (program, error) {
	p, err := value.ParsePointer(text)
	if err != nil {
		return nil, &ConditionError{Kind: ErrPointer, Text: text, Msg: fault.Public(err)}
	}
	return pointerProgram(p), nil
}

func (p pointerProgram) test(s subject) (bool, string, error) {
	_, ok := value.Pointer(p).Get(s.value)
	return ok, explainPointer(value.Pointer(p), s.value), nil
}

func (p pointerProgram) find(s subject) (any, bool, error) {
	v, ok := value.Pointer(p).Get(s.value)
	return v, ok, nil
}

// Target is the target of a Payload Replacement Object: a JSON Pointer or a
// JSONPath into a JSON payload [1.1].
type Target struct{ query *query }

// CompileTarget compiles a target; typ is jsonpointer when its name is empty.
// XPath targets are left to whoever holds the XML. The error is a
// *ConditionError.
func CompileTarget(target string, typ Type) (Target, error) {
	if typ.Name == "" {
		typ.Name = "jsonpointer"
	}
	if err := typ.check("jsonpointer", "jsonpath"); err != nil {
		return Target{}, err
	}
	if err := checkLength(target); err != nil {
		return Target{}, err
	}
	if target == "" { // the whole payload
		return Target{}, nil
	}
	q, err := compileQuery(target, typ)
	return Target{query: q}, err
}

// Expressions returns the expressions embedded in the target.
func (t Target) Expressions() []Expression {
	if t.query == nil {
		return nil
	}
	return t.query.text.Expressions()
}

// Locate returns the places in root that the target names. A JSON Pointer is
// returned whether or not it leads to a value (A28); a JSONPath names what it
// selects, possibly nothing.
func (t Target) Locate(root any, s Scope) ([]value.Pointer, error) {
	if t.query == nil {
		return []value.Pointer{{}}, nil
	}
	p, err := t.query.program(s)
	if err != nil {
		return nil, err
	}
	switch p := p.(type) {
	case pointerProgram:
		return []value.Pointer{value.Pointer(p)}, nil
	case *jsonPath:
		return p.locate(root)
	}
	return nil, fmt.Errorf("a target cannot be %T", p)
}
