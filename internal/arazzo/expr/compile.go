package expr

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Options say what a compiled value may hold.
type Options struct {
	// Selectors allows Selector Objects [1.1]: an object with exactly the keys
	// context, selector and type (and x- extensions), whose context starts like
	// a runtime expression.
	Selectors bool
}

// LeafError is an error at one place of a value.
type LeafError struct {
	Pointer value.Pointer // the leaf; empty for the value itself
	Err     error
}

// Error names the leaf, unless it is the whole value, and the error.
func (e *LeafError) Error() string {
	if len(e.Pointer) == 0 {
		return e.Err.Error()
	}
	return e.Pointer.String() + ": " + e.Err.Error()
}

// Unwrap gives access to the *SyntaxError, *ConditionError or *Unresolved.
func (e *LeafError) Unwrap() error { return e.Err }

// As lets the error be read as an Invalid fault whose place is the leaf.
func (e *LeafError) As(target any) bool {
	return asInvalid(target, e.Pointer.String(), fault.Public(e.Err))
}

// Value is a JSON value of a document, compiled: its strings are templates, and
// its Selector Objects are selectors. The zero Value is null.
type Value struct {
	root node
}

// node is one place of a compiled value.
type node interface {
	// eval returns the node's value, or drop when the member or item is to be
	// left out. The value is the caller's own.
	eval(in *evaluation) (v any, drop bool, err error)
	expressions(yield func(Expression))
	static() bool
}

type evaluation struct {
	scope  Scope
	absent func(Expression) bool
}

// Compile compiles v. All mistakes are reported, each a *LeafError.
func Compile(v any, opt Options) (Value, error) {
	c := compiler{opt: opt}
	root := c.compile(v, nil)
	if err := fault.Join(c.errs...); err != nil {
		return Value{}, err
	}
	return Value{root: root}, nil
}

type compiler struct {
	opt  Options
	errs []error
}

func (c *compiler) fail(at value.Pointer, err error) node {
	c.errs = append(c.errs, &LeafError{Pointer: slices.Clone(at), Err: err})
	return constant{}
}

func (c *compiler) compile(v any, at value.Pointer) node {
	switch v := v.(type) {
	case string:
		return c.text(v, at)
	case []any:
		out := make(array, len(v))
		for i, item := range v {
			out[i] = c.compile(item, append(at, strconv.Itoa(i)))
		}
		return fold(out, v)
	case map[string]any:
		if c.opt.Selectors && looksLikeSelector(v) {
			sel, err := selectorFrom(v)
			if err != nil {
				return c.fail(at, err)
			}
			return selectorNode{sel}
		}
		out := make(object, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, member{k, c.compile(v[k], append(at, k))})
		}
		return fold(out, v)
	}
	return constant{v}
}

func (c *compiler) text(s string, at value.Pointer) node {
	if !strings.Contains(s, "$") {
		return constant{s}
	}
	t, err := ParseTemplate(s)
	if err != nil {
		return c.fail(at, err)
	}
	if _, ok := t.Literal(); ok {
		return constant{s}
	}
	return templateNode{t}
}

// fold replaces a structure without expressions by its value.
func fold(n node, v any) node {
	if n.static() {
		return constant{value.Clone(v)}
	}
	return n
}

// Eval returns the value in a scope. A leaf that is one whole expression (or a
// selector whose context is one) without a value is left out of its object or
// array when absent reports true for the expression; drop is set when that leaf
// is the value itself. Any other expression without a value is an error: a
// *LeafError around an *Unresolved. The result shares nothing with the scope.
func (v Value) Eval(s Scope, absent func(Expression) bool) (result any, drop bool, err error) {
	if v.root == nil {
		return nil, false, nil
	}
	if absent == nil {
		absent = func(Expression) bool { return false }
	}
	result, drop, err = v.root.eval(&evaluation{scope: s, absent: absent})
	if err == nil {
		return result, drop, nil
	}
	var leaf *LeafError
	if errors.As(err, &leaf) {
		slices.Reverse(leaf.Pointer) // collected from the leaf upwards
		return nil, false, leaf
	}
	return nil, false, &LeafError{Err: err}
}

// Expressions returns all expressions, objects in the order of their keys.
func (v Value) Expressions() []Expression {
	var out []Expression
	if v.root != nil {
		v.root.expressions(func(e Expression) { out = append(out, e) })
	}
	return out
}

// Static returns the value when it holds no expressions.
func (v Value) Static() (any, bool) {
	if v.root == nil {
		return nil, true
	}
	c, ok := v.root.(constant)
	return value.Clone(c.v), ok
}

type constant struct{ v any }

func (n constant) eval(*evaluation) (any, bool, error) { return value.Clone(n.v), false, nil }
func (constant) expressions(func(Expression))          {}
func (constant) static() bool                          { return true }

type templateNode struct{ t Template }

func (n templateNode) eval(in *evaluation) (any, bool, error) {
	v, err := n.t.Eval(in.scope)
	if err == nil {
		return value.Clone(v), false, nil
	}
	if e, whole := n.t.Whole(); whole && in.absent(e) {
		return nil, true, nil
	}
	return nil, false, err
}

func (n templateNode) expressions(yield func(Expression)) {
	for _, e := range n.t.Expressions() {
		yield(e)
	}
}

func (templateNode) static() bool { return false }

type selectorNode struct{ sel Selector }

func (n selectorNode) eval(in *evaluation) (any, bool, error) {
	if _, err := n.sel.source(in.scope); err != nil && in.absent(n.sel.context.expr) {
		return nil, true, nil
	}
	v, err := n.sel.Eval(in.scope)
	if err != nil {
		return nil, false, err
	}
	return value.Clone(v), false, nil
}

func (n selectorNode) expressions(yield func(Expression)) {
	for _, e := range n.sel.Expressions() {
		yield(e)
	}
}

func (selectorNode) static() bool { return false }

type array []node

func (n array) eval(in *evaluation) (any, bool, error) {
	out := make([]any, 0, len(n))
	for i, item := range n {
		v, drop, err := item.eval(in)
		if err != nil {
			return nil, false, above(err, strconv.Itoa(i))
		}
		if !drop {
			out = append(out, v)
		}
	}
	return out, false, nil
}

func (n array) expressions(yield func(Expression)) {
	for _, item := range n {
		item.expressions(yield)
	}
}

func (n array) static() bool {
	return !slices.ContainsFunc(n, func(item node) bool { return !item.static() })
}

type member struct {
	key  string
	node node
}

// object keeps its members in the order of their keys: errors, and what absent
// is asked, must not depend on the order of a map.
type object []member

func (n object) eval(in *evaluation) (any, bool, error) {
	out := make(map[string]any, len(n))
	for _, m := range n {
		v, drop, err := m.node.eval(in)
		if err != nil {
			return nil, false, above(err, m.key)
		}
		if !drop {
			out[m.key] = v
		}
	}
	return out, false, nil
}

func (n object) expressions(yield func(Expression)) {
	for _, m := range n {
		m.node.expressions(yield)
	}
}

func (n object) static() bool {
	return !slices.ContainsFunc(n, func(m member) bool { return !m.node.static() })
}

// above records that err happened in the member or item named token. The
// pointer grows from the leaf upwards; Eval turns it around.
func above(err error, token string) error {
	var leaf *LeafError
	if errors.As(err, &leaf) {
		leaf.Pointer = append(leaf.Pointer, token)
		return leaf
	}
	return &LeafError{Pointer: value.Pointer{token}, Err: err}
}
