package expr

import (
	"fmt"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Unresolved is the error of an expression that has no value. It is never
// replaced by text (A7): the caller decides whether the step fails or an
// optional value is left out.
type Unresolved struct {
	Expression Expression
	Reason     string // "the step create has not run"
}

// Error names the expression and the reason. It never holds a value.
func (e *Unresolved) Error() string {
	return e.Expression.Raw + " has no value: " + e.Reason
}

// As lets the error be read as an Invalid fault, so that its text is public.
func (e *Unresolved) As(target any) bool { return asInvalid(target, "", e.Error()) }

// Explainer is a Scope that can say why an expression has no value in it.
type Explainer interface {
	// Explain completes the sentence "$steps.a.outputs.b has no value: ...".
	Explain(e Expression) string
}

// Texter is a Scope that keeps the text from which some values were read.
// Regular expressions and XPath work on that text: reading JSON and writing it
// again would change its blanks, and XML is never read into a value.
type Texter interface {
	// Text returns the text of what e names before its pointer is applied.
	Text(e Expression) (string, bool)
}

// Resolve returns the value of e, its pointer applied, or an *Unresolved error.
// The value belongs to the scope: it may be kept but not changed.
func Resolve(e Expression, s Scope) (any, error) {
	v, ok := s.Lookup(e)
	if !ok {
		return nil, &Unresolved{Expression: e, Reason: explain(e, s)}
	}
	if len(e.Pointer) == 0 {
		return v, nil
	}
	found, ok := e.Pointer.Get(v)
	if !ok {
		return nil, &Unresolved{Expression: e, Reason: explainPointer(e.Pointer, v)}
	}
	return found, nil
}

func explain(e Expression, s Scope) string {
	if x, ok := s.(Explainer); ok {
		if reason := x.Explain(e); reason != "" {
			return reason
		}
	}
	return "it is not known at this point of the run"
}

// explainPointer says at which part p leaves v. Member names of the value are
// not listed: they may be data.
func explainPointer(p value.Pointer, v any) string {
	for i, token := range p {
		next, ok := value.Pointer{token}.Get(v)
		if ok {
			v = next
			continue
		}
		where := "the value"
		if i > 0 {
			where = "the value at " + p[:i].String()
		}
		switch at := v.(type) {
		case map[string]any:
			return fmt.Sprintf("%s is an object without %q", where, token)
		case []any:
			return fmt.Sprintf("%s is an array of %d without index %q", where, len(at), token)
		default:
			return fmt.Sprintf("%s is %s, so there is no %q in it", where, kindOf(v), token)
		}
	}
	return "its pointer leads nowhere"
}

// kindOf names the JSON type of v with its article.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a number"
}
