// Package compute evaluates the expressions with which Okta describes groups
// and maps attributes, such as
//
//	user.department == "Sales" AND !isMemberOfGroup("00g1emaKYZTWRYYRRTSK")
//	String.toLowerCase(user.firstName + "." + user.lastName)
//	hasDirectoryUser() ? findDirectoryUser().managerUpn : appuser.manager
//
// Parse reads an expression once; Eval computes it against an Env as often as
// needed. The package owns the language: literals, operators, and the functions
// of the namespaces String, Arrays, Convert and Time, as far as they need no
// clock. What names and other functions mean is the business of the Env.
//
// # Rules
//
// The language is the part of Spring's SpEL that Okta documents (Okta
// Expression Language overview). Where the documentation says nothing, these
// rules hold:
//
//   - An attribute that does not exist has no value (null), and so have the
//     members of null.
//   - In a condition, null is false. Other values that are not Booleans are errors.
//   - == and != compare by value; values of different types are unequal.
//   - In <, <=, >, >= null is less than everything else (SpEL), numbers compare as
//     numbers and texts by code points; anything else is an error.
//   - + joins texts when either side is one; null counts as the empty text.
//   - String functions take numbers and Booleans as their text. A null gives
//     null, false or 0, whatever fits the function's result. Positions that lie
//     outside a text are moved to its nearest end.
//
// # Bounds
//
// Expressions come from outside. Size and nesting are bounded when they are
// parsed, and the text that one evaluation may produce is bounded as well: an
// evaluation takes time in proportion to these bounds and cannot loop.
//
// Values are any of nil, bool, json.Number, string, []any and map[string]any.
package compute

import (
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Env says what the names of an expression stand for.
type Env interface {
	// Variable returns the value of a name, such as the profile behind "user";
	// false when there is no such name.
	Variable(name string) (any, bool)
	// Call runs a function that is not of the language, such as
	// "isMemberOfGroup", or "user.getInternalProperty" of the variable user;
	// false when there is no such function.
	Call(name string, args []any) (result any, known bool, err error)
}

// Vars is an Env of variables only.
type Vars map[string]any

// Variable returns the value of a name.
func (v Vars) Variable(name string) (any, bool) {
	value, ok := v[name]
	return value, ok
}

// Call knows no function.
func (v Vars) Call(string, []any) (any, bool, error) { return nil, false, nil }

// Expression is a parsed expression. It does not change and is safe for
// concurrent use.
type Expression struct {
	text      string
	root      node
	variables []Ref
	calls     []Ref
}

// Ref is a name in an expression.
type Ref struct {
	Name string // dotted: "user.firstName", "String.len"
	At   int    // byte offset in the text
}

// String returns the text of the expression.
func (e *Expression) String() string { return e.text }

// Variables returns the variables that the expression reads, with their
// members, in the order of the text.
func (e *Expression) Variables() []Ref { return e.variables }

// Calls returns the functions that the expression calls, in the order of the text.
func (e *Expression) Calls() []Ref { return e.calls }

// Eval computes the expression. Errors are fault.Invalid, or fault.TooLarge
// when a bound is exceeded, and name the place. Errors of the Env are passed on,
// those that are fault.Invalid with the place of the call.
func (e *Expression) Eval(env Env) (any, error) {
	m := &machine{env: env, text: e.text, left: maxCost}
	return m.eval(e.root)
}

// Test computes an expression that is a condition.
func (e *Expression) Test(env Env) (bool, error) {
	m := &machine{env: env, text: e.text, left: maxCost}
	return m.test(e.root, 0)
}

// failAt returns a fault of the given kind that names an offset of the text.
func failAt(kind fault.Kind, text string, at int, format string, args ...any) error {
	return fault.New(kind, format, args...).At("expression, character %d", character(text, at))
}

// character turns an offset into what people count, from 1.
func character(text string, at int) int { return utf8.RuneCountInString(text[:at]) + 1 }
