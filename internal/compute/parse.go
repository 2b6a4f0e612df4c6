package compute

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Bounds of an expression.
const (
	maxText  = 16 << 10 // bytes
	maxDepth = 200      // of parentheses, calls, ternaries and signs inside each other
)

// Parse reads an expression. Errors are fault.Invalid, or fault.TooLarge when a
// bound is exceeded, and name the place.
func Parse(source string) (*Expression, error) {
	if len(source) > maxText {
		return nil, fault.New(fault.TooLarge, "the expression has more than %d bytes", maxText)
	}
	if !utf8.ValidString(source) {
		return nil, fault.New(fault.Invalid, "the expression is not valid UTF-8")
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, result: &Expression{text: source}}
	if p.result.root, err = p.ternary(); err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != end {
		return nil, p.unexpected(t)
	}
	byPlace := func(a, b Ref) int { return a.At - b.At }
	slices.SortStableFunc(p.result.variables, byPlace)
	slices.SortStableFunc(p.result.calls, byPlace)
	return p.result, nil
}

type parser struct {
	tokens []token
	at     int
	depth  int
	result *Expression
}

func (p *parser) peek() token { return p.tokens[p.at] }

// take consumes the next token; the end stays.
func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// accept consumes the next token when it is one of the given marks.
func (p *parser) accept(these ...string) (token, bool) {
	t := p.peek()
	if t.kind != mark || !slices.Contains(these, t.text) {
		return t, false
	}
	return p.take(), true
}

func (p *parser) expect(m string) error {
	if t, ok := p.accept(m); !ok {
		return p.fail(t.at, "%s is missing", m)
	}
	return nil
}

func (p *parser) fail(at int, format string, args ...any) error {
	return failAt(fault.Invalid, p.result.text, at, format, args...)
}

func (p *parser) unexpected(t token) error {
	if t.kind == end {
		return p.fail(t.at, "the expression ends too early")
	}
	return p.fail(t.at, "unexpected %q", t.text)
}

// enter counts nesting, which is what the stack of the parser and of the
// evaluation grows with.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return failAt(fault.TooLarge, p.result.text, p.peek().at, "the expression is nested more than %d deep", maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// ternary reads a ? b : c, and a ?: b for the first that has a value.
func (p *parser) ternary() (node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	condition, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if _, ok := p.accept("?:"); ok {
		otherwise, err := p.ternary()
		return &elvis{condition, otherwise}, err
	}
	question, ok := p.accept("?")
	if !ok {
		return condition, nil
	}
	yes, err := p.ternary()
	if err != nil {
		return nil, err
	}
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	no, err := p.ternary()
	return &choice{condition, yes, no, question.at}, err
}

// levels are the binary operators, the loosest first. Words are read without
// case, as in SpEL.
var levels = []map[string]string{
	{"||": "||", "or": "||"},
	{"&&": "&&", "and": "&&"},
	{
		"==": "==", "eq": "==", "!=": "!=", "ne": "!=", "<": "<", "lt": "<",
		"<=": "<=", "le": "<=", ">": ">", "gt": ">", ">=": ">=", "ge": ">=",
	},
	{"+": "+", "-": "-"},
	{"*": "*", "/": "/", "div": "/", "%": "%", "mod": "%"},
}

// binary reads a chain of operators of one level, grouped from the left.
func (p *parser) binary(level int) (node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		t := p.peek()
		if t.kind != mark && t.kind != name {
			return left, nil
		}
		op, ok := levels[level][strings.ToLower(t.text)]
		if !ok {
			return left, nil
		}
		p.take()
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = &operation{op: op, left: left, right: right, at: t.at}
	}
}

// unary reads !, NOT and signs.
func (p *parser) unary() (node, error) {
	t := p.peek()
	sign, ok := p.accept("!", "-", "+")
	op := sign.text
	if !ok {
		if t.kind != name || !strings.EqualFold(t.text, "not") {
			return p.postfix()
		}
		p.take()
		op = "!"
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	operand, err := p.unary()
	return &prefix{op, operand, t.at}, err
}

// postfix reads a value and what is taken from it: members and elements.
func (p *parser) postfix() (node, error) {
	of, err := p.primary()
	if err != nil {
		return nil, err
	}
	for {
		if t, ok := p.accept(".", "?."); ok {
			n := p.take()
			if n.kind != name {
				return nil, p.fail(n.at, "a name is missing behind %s", t.text)
			}
			of = &member{of, n.text, n.at}
			continue
		}
		t, ok := p.accept("[")
		if !ok {
			return of, nil
		}
		key, err := p.ternary()
		if err != nil {
			return nil, err
		}
		if err := p.expect("]"); err != nil {
			return nil, err
		}
		of = &element{of, key, t.at}
	}
}

func (p *parser) primary() (node, error) {
	t := p.take()
	switch t.kind {
	case text:
		return literal{t.text}, nil
	case number:
		return literal{numeral(t.text)}, nil
	case name:
		return p.named(t)
	case mark:
		switch t.text {
		case "(":
			inner, err := p.ternary()
			if err != nil {
				return nil, err
			}
			return inner, p.expect(")")
		case "{":
			return p.braces()
		}
	}
	return nil, p.unexpected(t)
}

// numeral writes digits as JSON does: without zeros in front.
func numeral(digits string) json.Number {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" || digits[0] == '.' {
		digits = "0" + digits
	}
	return json.Number(digits)
}

// named reads a constant, a variable with its members, or a call.
func (p *parser) named(t token) (node, error) {
	switch strings.ToLower(t.text) {
	case "true":
		return literal{true}, nil
	case "false":
		return literal{false}, nil
	case "null":
		return literal{nil}, nil
	}
	path := []token{t}
	for p.peek().text == "." && p.peek().kind == mark && p.tokens[p.at+1].kind == name {
		p.take()
		path = append(path, p.take())
	}
	dotted := t.text
	for _, n := range path[1:] {
		dotted += "." + n.text
	}
	if _, ok := p.accept("("); ok {
		return p.call(dotted, t.at)
	}
	p.result.variables = append(p.result.variables, Ref{dotted, t.at})
	var of node = &variable{t.text, t.at}
	for _, n := range path[1:] {
		of = &member{of, n.text, n.at}
	}
	return of, nil
}

// call reads the arguments of a function whose parenthesis has been opened.
func (p *parser) call(function string, at int) (node, error) {
	args, err := p.list(")")
	if err != nil {
		return nil, err
	}
	p.result.calls = append(p.result.calls, Ref{function, at})
	c := &call{name: function, args: args, at: at}
	space, _, ok := strings.Cut(function, ".")
	if known, own := functions[function]; own {
		c.own = &known
		if len(args) < known.least || known.most >= 0 && len(args) > known.most {
			return nil, p.fail(at, "%s takes %s, not %d", function, known.arity(), len(args))
		}
	} else if ok && slices.Contains(namespaces, space) {
		return nil, p.fail(at, "there is no function %s", function)
	}
	return c, nil
}

// list reads what stands up to the closing mark, separated by commas.
func (p *parser) list(closing string) ([]node, error) {
	var items []node
	if _, ok := p.accept(closing); ok {
		return nil, nil
	}
	for {
		item, err := p.ternary()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if _, ok := p.accept(","); ok {
			continue
		}
		return items, p.expect(closing)
	}
}

// braces reads a list {1, 2} or an object {'key': value}.
func (p *parser) braces() (node, error) {
	t, colon := p.peek(), p.tokens[min(p.at+1, len(p.tokens)-1)]
	if (t.kind != name && t.kind != text) || colon.kind != mark || colon.text != ":" {
		items, err := p.list("}")
		return &list{items}, err
	}
	o := &object{}
	for {
		key := p.take()
		if key.kind != name && key.kind != text {
			return nil, p.unexpected(key)
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		v, err := p.ternary()
		if err != nil {
			return nil, err
		}
		o.keys, o.values = append(o.keys, key.text), append(o.values, v)
		if _, ok := p.accept(","); ok {
			continue
		}
		return o, p.expect("}")
	}
}
