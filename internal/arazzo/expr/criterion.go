package expr

import (
	"fmt"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Type is the type of a condition or selector: "", "simple", "regex",
// "jsonpath", "xpath" or "jsonpointer", with the version of an Expression Type
// Object.
type Type struct{ Name, Version string }

// typeNames are the types and the versions each may have; "" is the default.
var typeNames = map[string][]string{
	"":            {""},
	"simple":      {""},
	"regex":       {""},
	"jsonpath":    {"", "rfc9535", "draft-goessner-dispatch-jsonpath-00"},
	"xpath":       {"", "xpath-31", "xpath-30", "xpath-20", "xpath-10"},
	"jsonpointer": {"", "rfc6901"},
}

// check refuses types and versions that do not exist (N52).
func (t Type) check(allowed ...string) error {
	for _, name := range allowed {
		if name != t.Name {
			continue
		}
		for _, v := range typeNames[name] {
			if v == t.Version {
				return nil
			}
		}
		known := "no version"
		if versions := typeNames[name][1:]; len(versions) > 0 {
			known = "version " + orList(versions)
		}
		return &ConditionError{Kind: ErrType, Text: t.Version,
			Msg: fmt.Sprintf("there is no version %q of %s; it has %s", t.Version, name, known)}
	}
	if allowed[0] == "" {
		allowed = allowed[1:]
	}
	return &ConditionError{Kind: ErrType, Text: t.Name, Msg: fmt.Sprintf("there is no type %q here; it is %s", t.Name, orList(allowed))}
}

// Operand is one thing a criterion looked at.
type Operand struct {
	Expression string `json:"expression"`
	// Value is for people: long strings are cut and structures are described.
	// It may be secret when the expression is; this package cannot tell.
	Value   any  `json:"value"`
	Missing bool `json:"missing,omitempty"`
}

// Result is the outcome of a criterion. It never is an error: a condition that
// cannot be evaluated has failed, and Reason says so (N51).
type Result struct {
	Pass      bool      `json:"pass"`
	Condition string    `json:"condition"`
	Operands  []Operand `json:"operands,omitempty"`
	Reason    string    `json:"reason,omitempty"` // why it failed; holds no strings of the scope
}

// Criterion is a compiled Criterion Object. It may be used by several
// goroutines. The zero Criterion fails.
type Criterion struct {
	text   string // the condition as written
	simple condition
	typed  *query  // when not simple
	source operand // the context of typed
	exprs  []Expression
}

// CompileCriterion compiles a Criterion Object. Everything that does not depend
// on values is checked now; embedded expressions of typed conditions (N50) are
// filled in at Eval. The error is a *ConditionError.
func CompileCriterion(context, conditionText string, typ Type) (Criterion, error) {
	if err := typ.check("", "simple", "regex", "jsonpath", "xpath"); err != nil {
		return Criterion{}, err
	}
	if err := checkLength(conditionText); err != nil {
		return Criterion{}, err
	}
	c := Criterion{text: conditionText}
	if typ.Name == "" || typ.Name == "simple" {
		parsed, err := parseCondition(conditionText)
		if err != nil {
			return Criterion{}, err
		}
		c.simple = parsed
		parsed.operands(func(o *operand) { c.exprs = append(c.exprs, o.expr) })
		return c, nil
	}
	source, err := parseContext(context, typ)
	if err != nil {
		return Criterion{}, err
	}
	typed, err := compileQuery(conditionText, typ)
	if err != nil {
		return Criterion{}, err
	}
	c.source, c.typed = source, typed
	c.exprs = append([]Expression{source.expr}, typed.text.Expressions()...)
	return c, nil
}

func checkLength(s string) error {
	if len(s) > maxCondition {
		return &ConditionError{Kind: ErrLimit, Msg: fmt.Sprintf("the text has %d bytes; the limit is %d", len(s), maxCondition)}
	}
	return nil
}

// parseContext reads the context of a typed condition or a selector. Besides
// expressions of the grammar it takes property and index accesses, because the
// specification's own example has context: $response.body.status.
func parseContext(text string, typ Type) (operand, error) {
	if text == "" {
		return operand{}, &ConditionError{Kind: ErrContext, Msg: fmt.Sprintf("type %s needs a context, such as $response.body", typ.Name)}
	}
	e, err := Parse(text)
	if err == nil {
		return operand{isExpr: true, expr: e, text: text}, nil
	}
	if e, n, scanErr := scan(text, endsOperand); scanErr == nil && e.Part == "body" && !e.HasPointer {
		if path, end, pathErr := scanPath(text[n:]); pathErr == nil && n+end == len(text) {
			return operand{isExpr: true, expr: e, path: path, text: text}, nil
		}
	}
	return operand{}, &ConditionError{Kind: ErrExpression, Text: text, Msg: "the context " + err.Error()}
}

// String describes the criterion: the condition, with type and context when it
// is not simple.
func (c Criterion) String() string {
	if c.typed == nil {
		return c.text
	}
	return fmt.Sprintf("%s of %s: %s", c.typed.typ.Name, c.source.text, c.text)
}

// Expressions returns the expressions that Eval may look at, the context first.
func (c Criterion) Expressions() []Expression { return c.exprs }

// Eval evaluates the criterion in a scope.
func (c Criterion) Eval(s Scope) Result {
	r := Result{Condition: c.text}
	t := &trial{scope: s}
	if len(c.exprs) > 0 {
		t.seen = make([]Operand, 0, len(c.exprs))
	}
	switch {
	case c.simple != nil:
		r.Pass = c.simple.eval(t) == yes
		if !r.Pass {
			r.Reason = c.simple.explain(t)
		}
	case c.typed != nil:
		r.Pass, r.Reason = c.evalTyped(t)
	default:
		r.Reason = "there is no condition"
	}
	r.Operands = t.seen
	if r.Pass {
		r.Reason = ""
	}
	r.Reason = shorten(r.Reason)
	return r
}

func shorten(reason string) string {
	const most = 1000
	if len(reason) <= most {
		return reason
	}
	return reason[:most] + "..."
}

func (c Criterion) evalTyped(t *trial) (pass bool, reason string) {
	v, ok := c.source.value(t)
	if !ok {
		return false, c.source.missingReason(t)
	}
	if v == nil {
		return false, c.source.text + " is null"
	}
	for _, e := range c.exprs[1:] {
		got, err := Resolve(e, t.scope)
		t.note(e.Raw, got, err == nil)
	}
	engine, err := c.typed.program(t.scope)
	if err != nil {
		return false, fault.Public(err)
	}
	pass, reason, err = engine.test(subject{value: v, text: func() string { return c.source.asText(v, t.scope) }})
	if err != nil {
		return false, fault.Public(err)
	}
	return pass, reason
}

// asText returns the text of an operand's value: as received where the scope
// has kept it, else as value.Text writes it.
func (o *operand) asText(v any, s Scope) string {
	if x, ok := s.(Texter); ok && len(o.expr.Pointer) == 0 && len(o.path) == 0 {
		if text, ok := x.Text(o.expr); ok {
			return text
		}
	}
	return value.Text(v)
}
