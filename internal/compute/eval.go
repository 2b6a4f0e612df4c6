package compute

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// maxCost bounds one evaluation: bytes of text and elements of lists that are
// produced.
const maxCost = 1 << 20

// machine is one evaluation.
type machine struct {
	env  Env
	text string
	left int // of maxCost
}

// node is a part of an expression.
type node interface {
	eval(m *machine) (any, error)
}

func (m *machine) eval(n node) (any, error) { return n.eval(m) }

func (m *machine) fail(at int, format string, args ...any) error {
	return failAt(fault.Invalid, m.text, at, format, args...)
}

// spend takes n from what the evaluation may still produce.
func (m *machine) spend(at, n int) error {
	if m.left -= n; m.left < 0 {
		return failAt(fault.TooLarge, m.text, at, "the expression produces more than %d bytes", maxCost)
	}
	return nil
}

// test computes a condition.
func (m *machine) test(n node, at int) (bool, error) {
	v, err := m.eval(n)
	if err != nil {
		return false, err
	}
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	}
	return false, m.fail(at, "a condition must be true or false, not %s", sort(v))
}

// sort names the type of a value, for messages.
func sort(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a Boolean"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	}
	return "an object"
}

type literal struct{ value any }

func (n literal) eval(*machine) (any, error) { return n.value, nil }

type variable struct {
	name string
	at   int
}

func (n *variable) eval(m *machine) (any, error) {
	v, ok := m.env.Variable(n.name)
	if !ok {
		return nil, m.fail(n.at, "there is no variable %s", n.name)
	}
	return v, nil
}

// member is of.name. What is not there is null, and so is everything of null.
type member struct {
	of   node
	name string
	at   int
}

func (n *member) eval(m *machine) (any, error) {
	of, err := m.eval(n.of)
	if err != nil || of == nil {
		return nil, err
	}
	o, ok := of.(map[string]any)
	if !ok {
		return nil, m.fail(n.at, "%s is asked of %s, which has no members", n.name, sort(of))
	}
	return o[n.name], nil
}

// element is of[key]: by position of a list, by name of an object.
type element struct {
	of, key node
	at      int
}

func (n *element) eval(m *machine) (any, error) {
	of, err := m.eval(n.of)
	if err != nil || of == nil {
		return nil, err
	}
	key, err := m.eval(n.key)
	if err != nil {
		return nil, err
	}
	switch of := of.(type) {
	case []any:
		i, ok := integer(key)
		if !ok || i < 0 || i >= len(of) {
			return nil, m.fail(n.at, "the list has no element %s", value.Text(key))
		}
		return of[i], nil
	case map[string]any:
		if name, ok := key.(string); ok {
			return of[name], nil
		}
	}
	return nil, m.fail(n.at, "%s has no element %s", sort(of), value.Text(key))
}

type choice struct {
	condition, yes, no node
	at                 int
}

func (n *choice) eval(m *machine) (any, error) {
	ok, err := m.test(n.condition, n.at)
	if err != nil {
		return nil, err
	}
	if ok {
		return m.eval(n.yes)
	}
	return m.eval(n.no)
}

type elvis struct{ value, otherwise node }

func (n *elvis) eval(m *machine) (any, error) {
	v, err := m.eval(n.value)
	if err != nil || v != nil && v != "" {
		return v, err
	}
	return m.eval(n.otherwise)
}

type list struct{ items []node }

func (n *list) eval(m *machine) (any, error) { return m.all(n.items) }

// all computes several nodes in order.
func (m *machine) all(nodes []node) ([]any, error) {
	out := make([]any, len(nodes))
	for i, item := range nodes {
		var err error
		if out[i], err = m.eval(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type object struct {
	keys   []string
	values []node
}

func (n *object) eval(m *machine) (any, error) {
	values, err := m.all(n.values)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(values))
	for i, v := range values {
		out[n.keys[i]] = v
	}
	return out, nil
}

// prefix is a sign or a negation in front of a value.
type prefix struct {
	op      string
	operand node
	at      int
}

func (n *prefix) eval(m *machine) (any, error) {
	if n.op == "!" {
		ok, err := m.test(n.operand, n.at)
		return !ok, err
	}
	v, err := m.eval(n.operand)
	if err != nil || v == nil {
		return nil, err
	}
	if n.op == "-" {
		return m.arithmetic("-", json.Number("0"), v, n.at)
	}
	return m.arithmetic("+", json.Number("0"), v, n.at)
}

// operation is a binary operator.
type operation struct {
	op          string
	left, right node
	at          int
}

func (n *operation) eval(m *machine) (any, error) {
	if n.op == "&&" || n.op == "||" {
		left, err := m.test(n.left, n.at)
		if err != nil || left == (n.op == "||") {
			return left, err
		}
		return m.test(n.right, n.at)
	}
	left, err := m.eval(n.left)
	if err != nil {
		return nil, err
	}
	right, err := m.eval(n.right)
	if err != nil {
		return nil, err
	}
	switch n.op {
	case "==":
		return value.Equal(left, right), nil
	case "!=":
		return !value.Equal(left, right), nil
	case "<", "<=", ">", ">=":
		return m.compare(n.op, left, right, n.at)
	case "+":
		_, leftText := left.(string)
		_, rightText := right.(string)
		if leftText || rightText {
			return m.join(left, right, n.at)
		}
	}
	return m.arithmetic(n.op, left, right, n.at)
}

// compare orders two values; nothing is less than everything.
func (m *machine) compare(op string, left, right any, at int) (any, error) {
	var order int
	switch {
	case left == nil || right == nil:
		order = rank(left) - rank(right)
	default:
		x, numbers := left.(json.Number)
		y, also := right.(json.Number)
		a, texts := left.(string)
		b, too := right.(string)
		switch {
		case numbers && also:
			order = value.CompareNumbers(x, y)
		case texts && too:
			order = strings.Compare(a, b)
		default:
			return nil, m.fail(at, "%s and %s have no order", sort(left), sort(right))
		}
	}
	switch op {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

func rank(v any) int {
	if v == nil {
		return 0
	}
	return 1
}

// join appends one text to another.
func (m *machine) join(left, right any, at int) (any, error) {
	a, err := m.words(left, at)
	if err != nil {
		return nil, err
	}
	b, err := m.words(right, at)
	if err != nil {
		return nil, err
	}
	return a + b, m.spend(at, len(a)+len(b))
}

// words is the text of a single value: the empty text for null.
func (m *machine) words(v any, at int) (string, error) {
	switch v.(type) {
	case nil:
		return "", nil
	case []any, map[string]any:
		return "", m.fail(at, "%s is not a text", sort(v))
	}
	return value.Text(v), nil
}

// call runs a function: one of the language, or one of the Env.
type call struct {
	name string
	own  *function // nil: of the Env
	args []node
	at   int
}

func (n *call) eval(m *machine) (any, error) {
	args, err := m.all(n.args)
	if err != nil {
		return nil, err
	}
	if n.own != nil {
		return n.own.run(&invocation{m, n, args})
	}
	v, known, err := m.env.Call(n.name, args)
	if err == nil && !known {
		return nil, m.fail(n.at, "there is no function %s", n.name)
	}
	var e *fault.Error
	if errors.As(err, &e) && e.Kind == fault.Invalid && e.Place == "" {
		return nil, e.At("expression, character %d", character(m.text, n.at))
	}
	return v, err
}
