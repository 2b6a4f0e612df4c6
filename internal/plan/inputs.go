package plan

import (
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// inputs is a workflow's compiled input schema (N76).
type inputs struct {
	schema   *jsonschema.Schema // nil: anything goes
	raw      map[string]any     // the schema, for defaults; nil without one
	declared map[string]bool
	required map[string]bool
}

// patternTimeout bounds one match of a schema's pattern.
const patternTimeout = 250 * time.Millisecond

// ecmaPattern lets schemas use ECMA-262 patterns, look-ahead included, which
// Go's own regexp cannot compile.
type ecmaPattern regexp2.Regexp

func (p *ecmaPattern) MatchString(s string) bool {
	ok, err := (*regexp2.Regexp)(p).MatchString(s)
	return err == nil && ok
}

func (p *ecmaPattern) String() string { return (*regexp2.Regexp)(p).String() }

func compilePattern(s string) (jsonschema.Regexp, error) {
	re, err := regexp2.Compile(s, regexp2.ECMAScript|regexp2.Unicode)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = patternTimeout
	return (*ecmaPattern)(re), nil
}

// compileInputs prepares a workflow's inputs schema; raw is nil without one.
func compileInputs(raw any) (inputs, error) {
	in := inputs{declared: map[string]bool{}, required: map[string]bool{}}
	object, ok := raw.(map[string]any)
	if !ok {
		return in, nil
	}
	in.raw = object
	in.collect(object, seen{})
	const at = "lanyard:inputs"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseRegexpEngine(compilePattern)
	c.UseLoader(noLoader{})
	if err := c.AddResource(at, raw); err != nil {
		return in, fault.Wrap(fault.Invalid, err, "the inputs schema cannot be read: %v", err)
	}
	schema, err := c.Compile(at)
	if err != nil {
		return in, fault.Wrap(fault.Invalid, err, "the inputs schema is not a valid JSON Schema: %s", firstLine(err))
	}
	in.schema = schema
	return in, nil
}

// seen keeps the walks over a schema, which may refer to itself and to its parts
// any number of times, from visiting anything twice.
type seen map[[2]uintptr]bool

// maxSeen bounds a walk: defaults that hold each other would go on for ever.
const maxSeen = 10_000

// before reports whether a schema, or a schema for an object, needs no visit
// any more, and marks it as visited.
func (s seen) before(schema, object map[string]any) bool {
	key := [2]uintptr{reflect.ValueOf(schema).Pointer(), reflect.ValueOf(object).Pointer()}
	was := s[key] || len(s) == maxSeen
	s[key] = true
	return was
}

// collect notes which inputs a schema declares and which of them it requires,
// behind references and in every part of allOf.
func (in *inputs) collect(schema map[string]any, visited seen) {
	if visited.before(schema, nil) {
		return
	}
	for _, part := range in.parts(schema) {
		in.collect(part, visited)
	}
	props, _ := schema["properties"].(map[string]any)
	for name := range props {
		in.declared[name] = true
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if name, ok := name.(string); ok {
			in.required[name] = true
		}
	}
}

// parts returns the schemas that hold together with this one: what its $ref
// names, and its allOf.
func (in *inputs) parts(schema map[string]any) []map[string]any {
	var out []map[string]any
	if ref, ok := schema["$ref"].(string); ok {
		if p, err := value.ParsePointer(strings.TrimPrefix(ref, "#")); err == nil && strings.HasPrefix(ref, "#") {
			target, _ := p.Get(in.raw)
			if object, ok := target.(map[string]any); ok {
				out = append(out, object)
			}
		}
	}
	all, _ := schema["allOf"].([]any)
	for _, part := range all {
		if object, ok := part.(map[string]any); ok {
			out = append(out, object)
		}
	}
	return out
}

// defaults fills in what a schema gives for properties that are absent.
func (in *inputs) defaults(schema, object map[string]any, visited seen) {
	if visited.before(schema, object) {
		return
	}
	props, _ := schema["properties"].(map[string]any)
	for name, p := range props {
		prop, ok := p.(map[string]any)
		if !ok {
			continue
		}
		if _, given := object[name]; !given {
			if def, ok := in.defaultOf(prop, seen{}); ok {
				object[name] = value.Clone(def)
			}
		}
		if child, ok := object[name].(map[string]any); ok {
			in.defaults(prop, child, visited)
		}
	}
	for _, part := range in.parts(schema) {
		in.defaults(part, object, visited)
	}
}

func (in *inputs) defaultOf(schema map[string]any, visited seen) (any, bool) {
	if visited.before(schema, nil) {
		return nil, false
	}
	if def, ok := schema["default"]; ok {
		return def, true
	}
	for _, part := range in.parts(schema) {
		if def, ok := in.defaultOf(part, visited); ok {
			return def, true
		}
	}
	return nil, false
}

// noLoader refuses references to other documents: a schema must not make the
// planner fetch anything.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside the document", url)
}

// Prepare returns a copy of the inputs given with the schema's defaults filled
// in, or an error that names every input that does not fit (A17).
func (w *Workflow) Prepare(given map[string]any) (map[string]any, error) {
	out, _ := value.Clone(given).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	if w.inputs.raw == nil {
		return out, nil
	}
	w.inputs.defaults(w.inputs.raw, out, seen{})
	if err := w.inputs.schema.Validate(out); err != nil {
		return nil, inputError(w.ID, err)
	}
	if problems := w.unfillable(out); len(problems) > 0 {
		return nil, &InputError{Workflow: w.ID, Problems: problems}
	}
	return out, nil
}

// unfillable finds optional inputs that were not given although a path cannot
// do without them, in the steps that run whatever happens. Finding it now keeps
// a run from stopping half-way.
func (w *Workflow) unfillable(given map[string]any) []InputProblem {
	var out []InputProblem
	for _, s := range w.Steps {
		for _, p := range s.Params {
			exprs := p.Value.Expressions()
			if p.In != "path" || len(exprs) != 1 || exprs[0].Root != expr.RootInputs {
				continue
			}
			name := exprs[0].Name
			if _, ok := given[name]; !ok && w.Optional(name) {
				out = append(out, InputProblem{Code: "missing-input", Message: fmt.Sprintf("%s: step %s needs it for the path of %s", name, s.ID, s.call())})
			}
		}
		if len(s.OnSuccess) > 0 {
			break // what follows may not run
		}
	}
	return out
}

// call names what a step calls.
func (s *Step) call() string {
	if s.Operation == nil {
		return "its workflow"
	}
	return s.Operation.Method + " " + s.Operation.Path
}

// Optional reports whether name is an input that may be absent: then what is
// made of it alone is left out of a request instead of being an error.
func (w *Workflow) Optional(name string) bool {
	return w.inputs.declared[name] && !w.inputs.required[name]
}

// Accepts filters values to those that the workflow's schema names, for a
// workflow that is started by dependsOn with its caller's inputs (A16).
func (w *Workflow) Accepts(given map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range given {
		if w.inputs.declared[name] {
			out[name] = v
		}
	}
	return out
}

// InputSchema returns the workflow's schema, nil without one.
func (w *Workflow) InputSchema() map[string]any { return w.inputs.raw }

// InputError says which inputs do not fit a workflow's schema. It never holds
// an input's value.
type InputError struct {
	Workflow string
	Problems []InputProblem
}

// InputProblem is one input that is missing or wrong.
type InputProblem struct {
	Code    string // missing-input or invalid-input
	Message string
}

// Error lists the problems.
func (e *InputError) Error() string { return e.fault().Error() }

// Unwrap gives the error its kind. How the inputs are given right depends on where
// they come from: a command, a request, a trigger. Their owner says it.
func (e *InputError) Unwrap() error { return e.fault() }

func (e *InputError) fault() *fault.Error {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Message
	}
	return fault.New(fault.Invalid, "the inputs of workflow %s do not fit: %s", e.Workflow, strings.Join(lines, "; "))
}

// inputError flattens a validation error into one problem for each violation.
func inputError(workflow string, err error) error {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fault.Wrap(fault.Invalid, err, "the inputs of workflow %s cannot be checked", workflow)
	}
	printer := message.NewPrinter(language.English)
	seen := map[InputProblem]bool{}
	out := &InputError{Workflow: workflow}
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if problem := describe(e, printer); len(e.Causes) == 0 && !seen[problem] {
			seen[problem] = true
			out.Problems = append(out.Problems, problem)
		}
	}
	walk(invalid)
	sort.Slice(out.Problems, func(i, j int) bool { return out.Problems[i].Message < out.Problems[j].Message })
	return out
}

// describe words one violation. The library's own words for some keywords show
// the offending value, which may be a secret; those get words without it.
func describe(e *jsonschema.ValidationError, printer *message.Printer) InputProblem {
	place := strings.Join(e.InstanceLocation, "/")
	keyword := strings.Join(e.ErrorKind.KeywordPath(), "/")
	problem := InputProblem{Code: "invalid-input", Message: e.ErrorKind.LocalizedString(printer)}
	switch keyword {
	case "required":
		problem.Code = "missing-input"
	case "type", "enum", "const", "additionalProperties", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "dependentRequired":
	default:
		problem.Message = "does not satisfy " + keyword
	}
	if place != "" {
		problem.Message = place + ": " + problem.Message
	}
	return problem
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
