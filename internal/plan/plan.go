package plan

import (
	"iter"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Plan is a document and everything it refers to, resolved and compiled. It is
// immutable and may be shared by any number of runs.
type Plan struct {
	Digest    string // of the Bundle; the plan's identity
	Title     string
	Bundle    *Bundle
	Profile   Profile
	Workflows []*Workflow // of all documents; steps refer to them by index
	Main      int         // the workflow that a run starts with
}

// Operations yields every operation that a run may call, look-ups included. An
// operation used twice is yielded twice.
func (p *Plan) Operations() iter.Seq[*Operation] {
	return func(yield func(*Operation) bool) {
		for _, w := range p.Workflows {
			for _, s := range w.Steps {
				if s.Operation != nil && !yield(s.Operation) {
					return
				}
				if s.Idempotency != nil && s.Idempotency.Lookup != nil && !yield(s.Idempotency.Lookup.Operation) {
					return
				}
			}
		}
	}
}

// Workflow is one compiled workflow.
type Workflow struct {
	Index     int
	ID        string
	Document  string // URI of its document
	Summary   string
	Pos       arazzo.Pos
	Self      string                     // $self
	Sources   map[string]expr.SourceData // $sourceDescriptions
	Steps     []*Step                    // in execution order (A24)
	Outputs   []Output
	DependsOn []int    // workflows that must be completed first (A16)
	Secrets   []string // JSON Pointers of inputs that hold secrets
	Success   string   // the output that says whether the workflow succeeded (x-lanyard-success); empty: none does

	inputs inputs
}

// Step is one compiled step: an operation, a sub-workflow, or one that only
// computes.
type Step struct {
	Index       int
	ID          string
	Pos         arazzo.Pos
	Description string
	Operation   *Operation // nil for another step
	Workflow    int        // index of the sub-workflow, None for another step
	Params      []Param
	Body        *Body
	Criteria    []expr.Criterion
	OnSuccess   []Action // the workflow's merged in (A2)
	OnFailure   []Action
	Outputs     []Output
	DependsOn   []int         // steps that must have completed (N75)
	Timeout     time.Duration // zero: none given
	Idempotency *Idempotency
	ForEach     *ForEach // of a sub-workflow; nil: it is called once
	Compute     *Compute // outputs that are computed (x-lanyard-compute)
	Pages       *Pages   // the list is read to its last page (x-lanyard-pages); nil: as the operation answers
}

// None is the index that names no workflow or step.
const None = -1

// Operation is an OpenAPI operation together with the source it comes from.
type Operation struct {
	*openapi.Operation
	Source    string                    // the name in the document
	Document  string                    // URI of the Arazzo document that names the source
	SourceURL string                    // where the description says it lives; relative servers are resolved against it
	Title     string                    // of the description, to recognise its catalogue entry
	Schemes   map[string]openapi.Scheme // those its security names
}

// Effect says what a call does to the other side.
type Effect string

// The effects, by HTTP method.
const (
	Reads    Effect = "reads"
	Writes   Effect = "writes"
	Destroys Effect = "destroys"
)

// Effect returns what the operation does, judged by its method (RFC 9110 9.2.1).
func (o *Operation) Effect() Effect {
	switch o.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "QUERY":
		return Reads
	case "DELETE":
		return Destroys
	}
	return Writes
}

// Name names the operation for people: its operationId, or method and path.
func (o *Operation) Name() string {
	if o.ID != "" {
		return o.ID
	}
	return o.Method + " " + o.Path
}

// Repeatable reports whether sending the call twice has the effect of sending
// it once: reads and PUT (RFC 9110 9.2.2). DELETE is left out although the RFC
// calls it idempotent, since providers do not keep to that: Okta's first DELETE
// of a user deactivates, the second erases (okta.md 2.1).
func (o *Operation) Repeatable() bool {
	return o.Effect() == Reads || o.Method == "PUT"
}

// Param is one parameter of an operation, an input of a sub-workflow (In is
// empty), or an input of an action's target workflow.
type Param struct {
	Pos   arazzo.Pos
	Name  string
	In    string
	Value expr.Value
	// Quoted are expressions that stand between quotes inside the text, as in
	// userName eq "{$inputs.user}". A value holding that quote would change the
	// meaning of the text.
	Quoted []expr.Quoted
}

// Body is a compiled request body.
type Body struct {
	Pos          arazzo.Pos
	Type         string // media type
	Value        expr.Value
	JSONText     *expr.Template // the payload, when it was written as text for a JSON media type (A18)
	Replacements []Replacement
}

// Replacement changes one place of an evaluated payload (N23).
type Replacement struct {
	Pos     arazzo.Pos
	Target  string
	Kind    string        // jsonpointer, jsonpath or xpath
	Pointer value.Pointer // Kind jsonpointer
	Value   expr.Value
}

// Output is one named output.
type Output struct {
	Pos  arazzo.Pos
	Name string
	expr.Output
}

// ActionKind is what an action does.
type ActionKind string

// The kinds of action (N56-N61).
const (
	End   ActionKind = "end"
	Goto  ActionKind = "goto"
	Retry ActionKind = "retry"
)

// Action is a compiled success or failure action.
type Action struct {
	Pos        arazzo.Pos
	Name       string
	Kind       ActionKind
	Step       int // index of the target step, or None
	Workflow   int // index of the target workflow, or None
	Params     []Param
	Criteria   []expr.Criterion
	RetryAfter time.Duration
	RetryLimit int
}

// Idempotency is the step's rule for calls that were sent and not answered
// (x-lanyard-idempotency, docs/dialect.md).
type Idempotency struct {
	Key    *expr.Value // the value sent in Header
	Header string
	Done   []int // statuses that mean the effect is there already
	Repeat bool  // sending it twice has the effect of sending it once
	Lookup *Lookup
}

// Lookup finds out whether a call in doubt took effect.
type Lookup struct {
	Operation *Operation
	Params    []Param
	Found     *expr.Criterion  // evaluated on the look-up's response; nil: any 2xx with a body that is neither null nor empty
	Body      *expr.Expression // the part of the response that stands for the step's response body
}

// Supplied returns the required parameters that a step leaves to the
// connection's credential.
func (s *Step) Supplied() []openapi.Param {
	var out []openapi.Param
	for _, d := range s.Operation.Parameters {
		if d.Required && !given(s.Params, d) && s.Operation.injectable(d) {
			out = append(out, openapi.Param{Name: d.Name, In: d.In, Value: openapi.Bound{}})
		}
	}
	return out
}

// injectable reports whether a credential may supply a parameter: a security
// scheme of the operation has its place, or it is named like a token.
func (o *Operation) injectable(d openapi.Parameter) bool {
	for _, s := range o.Schemes {
		if s.Type == "apiKey" && s.In == d.In && sameName(d.In, s.Param, d.Name) {
			return true
		}
	}
	return d.In != "path" && (d.Secret || strings.Contains(strings.ToLower(d.Name), "token"))
}
