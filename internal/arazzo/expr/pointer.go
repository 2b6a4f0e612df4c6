package expr

import (
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
