package plan

import "errors"

// Schema is a JSON Schema for values that come from outside, such as the body of
// a request. It is safe for concurrent use.
type Schema struct{ inputs inputs }

// CompileSchema reads a schema, 2020-12 unless it says otherwise. References to
// other documents are refused.
func CompileSchema(raw map[string]any) (*Schema, error) {
	in, err := compileInputs(raw)
	if err != nil {
		return nil, err
	}
	return &Schema{in}, nil
}

// Check returns where a value does not fit, nothing when it does. What it says
// never shows a value.
func (s *Schema) Check(v any) []InputProblem {
	err := s.inputs.schema.Validate(v)
	if err == nil {
		return nil
	}
	var problems *InputError
	if errors.As(inputError("", err), &problems) {
		return problems.Problems
	}
	return []InputProblem{{Code: "invalid-input", Message: "the value cannot be checked"}}
}
