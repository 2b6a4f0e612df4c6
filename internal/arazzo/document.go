package arazzo

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Pos is a place in a document: 1-based line and column, zero when unknown.
type Pos struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// String writes file:line:col.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Str is a string field with its place. Node is nil when the field is absent.
type Str struct {
	Pos
	Value string
	Node  *yaml.Node
}

// Any is a field of any shape with its place: payloads, parameter values,
// schemas. Node is nil when the field is absent.
type Any struct {
	Pos
	Node *yaml.Node // aliases at the top are followed
}

// Set reports whether the field was written.
func (a Any) Set() bool { return a.Node != nil }

// Document is one Arazzo description as written: every field keeps its place,
// nothing is resolved.
//
// A document read by ReadCompat is the rewritten one, Text and nodes included,
// but every Pos names the place in the original file. Take places from Pos
// fields and Document.At, not from nodes.
type Document struct {
	Pos
	Arazzo     Str // "1.0.1"
	Minor      int // 0 or 1, from Arazzo
	Self       Str // $self [1.1]
	Title      string
	Sources    []Source
	Workflows  []*Workflow
	Components Components
	Extensions map[string]Any // x-...
	Root       *yaml.Node
	Text       []byte // what Root was read from
	Original   []byte // the file's own text; differs from Text after ReadCompat

	source source // Text with its lines
	moves  []move // from Text back to Original, last rewriting first
}

// Source is a Source Description Object.
type Source struct {
	Pos
	Name, URL, Type Str // Type is "openapi" when absent
}

// Workflow is a Workflow Object.
type Workflow struct {
	Pos
	ID                             Str
	Summary, Description           string
	Inputs                         Any // JSON Schema 2020-12
	DependsOn                      []Str
	Parameters                     []Parameter
	Steps                          []*Step
	SuccessActions, FailureActions []Action
	Outputs                        []Output
	Extensions                     map[string]Any // x-...
}

// Step is a Step Object; exactly one of OperationID, OperationPath, WorkflowID
// and ChannelPath is set in a valid document (N4).
type Step struct {
	Pos
	ID                                     Str
	Description                            string
	OperationID, OperationPath, WorkflowID Str
	ChannelPath, AsyncAction               Str // AsyncAPI [1.1], modelled and refused by plan (N82)
	CorrelationID                          Any
	Timeout                                Any // integer milliseconds [1.1]
	DependsOn                              []Str
	Parameters                             []Parameter
	Body                                   *Body
	SuccessCriteria                        []Criterion
	OnSuccess, OnFailure                   []Action
	HasOnSuccess, HasOnFailure             bool // written, even if empty
	Outputs                                []Output
	Extensions                             map[string]Any
}

// Parameter is a Parameter Object, or a Reusable Object when Reference is set.
type Parameter struct {
	Pos
	Reference Str // $components.parameters.x
	Name, In  Str
	Value     Any // with Reference: the override, when set
}

// Body is a Request Body Object.
type Body struct {
	Pos
	ContentType  Str
	Payload      Any
	Replacements []Replacement
}

// Replacement is a Payload Replacement Object.
type Replacement struct {
	Pos
	Target       Str
	SelectorType ExprType // zero: JSON Pointer for JSON, XPath for XML
	Value        Any
}

// Criterion is a Criterion Object.
type Criterion struct {
	Pos
	Context, Condition Str
	Type               ExprType // zero: simple
}

// ExprType is "regex", or an Expression Type Object with its version.
type ExprType struct {
	Pos
	Type, Version string
	Node          *yaml.Node // the scalar or mapping, nil when absent
}

// Action is a Success or Failure Action Object, or a Reusable Object when
// Reference is set.
type Action struct {
	Pos
	Reference              Str // $components.successActions.x or .failureActions.x
	Name, Type             Str
	StepID, WorkflowID     Str
	RetryAfter, RetryLimit Any
	Parameters             []Parameter // [1.1]
	Criteria               []Criterion
}

// Output is one named output: an expression, or a Selector Object [1.1].
type Output struct {
	Pos
	Name  string
	Value Any
}

// Components is the Components Object; maps keep document order.
type Components struct {
	Inputs                         []Component[Any]
	Parameters                     []Component[Parameter]
	SuccessActions, FailureActions []Component[Action]

	byName map[string]map[string]int // kind, name: index in the list
}

// Component is one named entry of a component map.
type Component[T any] struct {
	Pos  // of the key
	Name string
	Item T
}

// Severity ranks a Diagnostic.
type Severity string

// The severities. Only an error stops a document from running.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Diagnostic is one finding about a document.
type Diagnostic struct {
	Pos
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // stable, kebab-case: "unknown-step"
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"` // what to write instead
	Edits    []Edit   `json:"-"`                // the remedy as text edits, when it can be made mechanically
}

// String writes "file:line:col: message [code]".
func (d Diagnostic) String() string {
	s := d.Pos.String() + ": "
	if d.Severity != Error {
		s += string(d.Severity) + ": "
	}
	s += d.Message
	if d.Remedy != "" {
		s += "; " + d.Remedy
	}
	return s + " [" + d.Code + "]"
}

// Edit replaces the bytes from Start up to End of a document's text.
type Edit struct {
	Start, End int
	Text       string
	From, To   Pos // the same range as 1-based lines and columns; To is exclusive
}

// Dialect says how a document is read.
type Dialect string

// The dialects: Strict is the specification; Compat is what people write, read
// as the document that Fix would make of it.
const (
	Strict Dialect = "strict"
	Compat Dialect = "compat"
)
