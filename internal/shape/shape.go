package shape

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The bounds of one expression.
const (
	maxText   = 16 << 10   // bytes of its text
	maxCost   = 20_000_000 // values looked at, and parts of eight bytes of text
	maxValues = 5_000_000  // in its result
	maxBytes  = 64 << 20   // of the texts in its result
)

// Error is an expression that cannot be used, with the place in its text.
type Error struct {
	Line   int // from 1
	Column int // from 1, in characters
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// As lets the error be taken for a fault.
func (e *Error) As(target any) bool {
	f, ok := target.(**fault.Error)
	if ok {
		*f = fault.New(fault.Invalid, "%s", e.Msg)
	}
	return ok
}

// Expression is a compiled expression. It does not change and is safe for
// concurrent use.
type Expression struct {
	text    string
	program cel.Program
	reads   []Path
	names   []string
	limit   int // of what it may cost
}

// Path is a variable and the members through which an expression goes from it,
// as far as they are known before it is computed. A path that ends early stands
// for everything below.
type Path []string

// String returns the path as it is written.
func (p Path) String() string { return strings.Join(p, ".") }

// Variable is a name that an expression may use. Levels says how many members
// below it are certain to be objects; what lies below those may be anything.
type Variable struct {
	Name   string
	Levels int
}

// Compile reads an expression. Its errors are of type *Error.
func Compile(text string, variables []Variable) (*Expression, error) {
	if len(text) > maxText {
		return nil, &Error{Line: 1, Column: 1, Msg: fmt.Sprintf("the expression is longer than %d bytes", maxText)}
	}
	base, err := environment()
	if err != nil {
		return nil, &Error{Line: 1, Column: 1, Msg: err.Error()}
	}
	options := make([]cel.EnvOption, len(variables))
	for i, v := range variables {
		typ := cel.DynType
		for range v.Levels {
			typ = cel.MapType(cel.StringType, typ)
		}
		options[i] = cel.Variable(v.Name, typ)
	}
	env, err := base.Extend(options...)
	if err != nil {
		return nil, &Error{Line: 1, Column: 1, Msg: err.Error()}
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, &Error{Line: max(first.Location.Line(), 1), Column: first.Location.Column() + 1, Msg: wording(first.Message)}
	}
	program, err := env.Program(ast, cel.CustomDecoratorV2(charge), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &Error{Line: 1, Column: 1, Msg: err.Error()}
	}
	e := &Expression{text: text, program: program, limit: maxCost}
	e.reads, e.names = inspect(ast.NativeRep().Expr())
	return e, nil
}

// wording turns what CEL says of an expression into what people understand.
func wording(msg string) string {
	if name, ok := strings.CutPrefix(msg, "undeclared reference to '"); ok {
		name, _, _ = strings.Cut(name, "'")
		return "there is no variable or function " + name
	}
	return strings.TrimSpace(strings.TrimSuffix(msg, "(in container '')"))
}

// environment is what all expressions have in common. It takes some time to
// make and never changes.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(slices.Concat([]cel.EnvOption{
		cel.CustomTypeAdapter(adapter{}),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxText),
		ext.Strings(), ext.Lists(), ext.Sets(), ext.Math(), ext.Encoders(), ext.Bindings(),
	}, functions())...)
})

// String returns the text of the expression.
func (e *Expression) String() string { return e.text }

// Reads returns the variables that the expression takes, with the members that
// it names below them.
func (e *Expression) Reads() []Path { return e.reads }

// Names returns the names of all members that the expression takes, also of
// values that it computes.
func (e *Expression) Names() []string { return e.names }

// Eval computes the expression. Errors are fault.Invalid, or fault.TooLarge when
// a bound is exceeded.
func (e *Expression) Eval(variables map[string]any) (any, error) {
	b := &budget{left: e.limit}
	given := map[string]any{budgetName: b}
	maps.Copy(given, variables)
	v, _, err := e.program.Eval(given)
	if b.left < 0 {
		return nil, fault.New(fault.TooLarge, "the expression takes more steps than the %d that are allowed", e.limit)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s", wording(err.Error()))
	}
	r := result{}
	return r.take(v)
}
