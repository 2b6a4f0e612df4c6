package expr

import "github.com/lanyard-id/lanyard/internal/value"

// Root is the first name of a runtime expression.
type Root string

// The roots of the 1.0 and 1.1 grammars (N25-N34).
const (
	RootURL        Root = "$url"
	RootMethod     Root = "$method"
	RootStatusCode Root = "$statusCode"
	RootRequest    Root = "$request"
	RootResponse   Root = "$response"
	RootMessage    Root = "$message"
	RootInputs     Root = "$inputs"
	RootOutputs    Root = "$outputs"
	RootSteps      Root = "$steps"
	RootWorkflows  Root = "$workflows"
	RootSources    Root = "$sourceDescriptions"
	RootComponents Root = "$components"
	RootSelf       Root = "$self"
)

// Expression is one parsed runtime expression.
type Expression struct {
	Raw  string // as written, "$steps.create.outputs.id#/0"
	Root Root

	// Owner is the id between the root and the field: the step of $steps, the
	// workflow of $workflows, the source of $sourceDescriptions.
	Owner string
	// Part is "header", "query", "path", "body" or "payload" for $request,
	// $response and $message; "inputs" or "outputs" for $workflows and $steps;
	// "parameters", "successActions" or "failureActions" for $components.
	Part string
	// Name is the last name: the input, output, header, parameter, component,
	// or what follows the source's name. It may contain dots (A8, N12).
	Name string

	Pointer    value.Pointer // after "#"
	HasPointer bool
}

// String returns the expression as written.
func (e Expression) String() string { return e.Raw }

// Scope is what expressions can see at one moment of a run.
type Scope interface {
	// Lookup returns the value that e names before its pointer is applied, and
	// whether there is one.
	Lookup(e Expression) (any, bool)
}
