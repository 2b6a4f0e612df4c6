package expr

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The gate reads an expression by the grammar of XPath 1.0 before the library
// sees it: the library evaluates parts of later syntax (for, some, let, "1 to
// 3", "!") wrongly and without an error, and ignores what it does not expect
// after a complete expression.

// xpathGate checks one expression. It alternates between two states, "a value
// must follow" and "an operator may follow", which is how XPath 1.0 itself
// tells names from operators (3.7).
type xpathGate struct {
	text  string
	pos   int
	start int // of the current token
	open  []xpathOpen
	err   error
}

// xpathOpen is an open bracket.
type xpathOpen struct {
	kind     byte // '[' predicate, '(' group, 'f' arguments of a function
	function string
	args     int // arguments begun
	at       int
}

// xpathFunctions is the core library of XPath 1.0 (chapter 4) with its
// arities, less id() and lang(), which need a document type or are not in the
// library. -1 is any number.
var xpathFunctions = map[string][2]int{
	"last": {0, 0}, "position": {0, 0}, "count": {1, 1}, "local-name": {0, 1}, "namespace-uri": {0, 1}, "name": {0, 1},
	"string": {0, 1}, "concat": {2, -1}, "starts-with": {2, 2}, "contains": {2, 2}, "substring-before": {2, 2},
	"substring-after": {2, 2}, "substring": {2, 3}, "string-length": {0, 1}, "normalize-space": {0, 1},
	"translate": {3, 3}, "boolean": {1, 1}, "not": {1, 1}, "true": {0, 0}, "false": {0, 0}, "number": {0, 1},
	"sum": {1, 1}, "floor": {1, 1}, "ceiling": {1, 1}, "round": {1, 1},
}

var xpathAxes = map[string]bool{
	"ancestor": true, "ancestor-or-self": true, "attribute": true, "child": true, "descendant": true,
	"descendant-or-self": true, "following": true, "following-sibling": true, "parent": true, "preceding": true,
	"preceding-sibling": true, "self": true,
}

// maxXPathNesting is below the library's own limit.
const maxXPathNesting = 100

// checkXPath returns a *ConditionError when text is not XPath 1.0.
func checkXPath(text string) error {
	g := xpathGate{text: text}
	g.expression()
	return g.err
}

func (g *xpathGate) fail(format string, args ...any) {
	if g.err != nil {
		return
	}
	g.err = &ConditionError{Kind: ErrXPath, Offset: g.start, Text: g.text[g.start:g.pos],
		Msg: fmt.Sprintf("%s is not in the profile of XPath 1.0: at offset %d %s", abbreviate(g.text), g.start, fmt.Sprintf(format, args...))}
}

// wantsValue and wantsOperator are the two states.
func (g *xpathGate) expression() {
	value := true
	for g.err == nil {
		g.space()
		g.start = g.pos
		if g.pos == len(g.text) {
			g.end(value)
			return
		}
		if value {
			value = g.value()
		} else {
			value = g.operator()
		}
	}
}

func (g *xpathGate) end(value bool) {
	switch {
	case value:
		g.fail("it ends where a value is expected")
	case len(g.open) > 0:
		g.fail("a bracket opened at offset %d is not closed", g.open[len(g.open)-1].at)
	}
}

func (g *xpathGate) space() {
	for g.pos < len(g.text) && strings.IndexByte(" \t\r\n", g.text[g.pos]) >= 0 {
		g.pos++
	}
}

func (g *xpathGate) take(token string) bool {
	if !strings.HasPrefix(g.text[g.pos:], token) {
		return false
	}
	g.pos += len(token)
	return true
}

// value reads the beginning of a value: a unary minus, a literal, a number, a
// bracket, or one step of a path. It returns whether a value must still follow.
func (g *xpathGate) value() bool {
	c := g.text[g.pos]
	switch {
	case c == '-':
		g.pos++
		return true
	case c == '\'' || c == '"':
		g.literal(c)
		return false
	case isDigit(c) || c == '.' && g.pos+1 < len(g.text) && isDigit(g.text[g.pos+1]):
		g.number()
		return false
	case c == '(':
		g.push('(', "")
		return true
	case c == ')':
		return g.closeEmpty()
	case c == '$':
		g.pos++
		g.fail("there are no variables; embed an expression in braces: {$inputs.x}")
		return false
	case c == '/':
		return g.absolute()
	}
	return g.step(true)
}

func (g *xpathGate) literal(quote byte) {
	end := strings.IndexByte(g.text[g.pos+1:], quote)
	if end < 0 {
		g.pos = len(g.text)
		g.fail("the string does not end")
		return
	}
	g.pos += end + 2
}

func (g *xpathGate) number() {
	g.pos += digits(g.text[g.pos:])
	if g.take(".") {
		g.pos += digits(g.text[g.pos:])
	}
}

// absolute reads / or // at the start of a path. "/" may stand alone.
func (g *xpathGate) absolute() bool {
	if g.take("//") {
		return g.nextStep()
	}
	g.pos++
	after := g.pos
	g.space()
	if g.pos < len(g.text) && g.startsStep() {
		return g.nextStep()
	}
	g.pos = after
	return false
}

// startsStep reports whether a step begins here. A name after "/" is always a
// step, because "/" counts as an operator (3.7).
func (g *xpathGate) startsStep() bool {
	c := g.text[g.pos]
	return c == '.' || c == '@' || c == '*' || nameLen(g.text[g.pos:]) > 0
}

// nextStep reads the step after a slash: no function and no group may stand
// there in 1.0.
func (g *xpathGate) nextStep() bool {
	g.space()
	g.start = g.pos
	if g.pos == len(g.text) {
		g.fail("it ends where a step is expected")
		return false
	}
	return g.step(false)
}

// step reads . .. @name axis::test name * or, when calls are allowed, the
// beginning of a function call.
func (g *xpathGate) step(calls bool) bool {
	switch {
	case g.take(".."), g.take("."):
		return false
	case g.take("@"):
		g.space()
		g.nodeTest()
		return false
	}
	name := g.text[g.pos : g.pos+nameLen(g.text[g.pos:])]
	if name == "" {
		g.nodeTest()
		return false
	}
	rest := strings.TrimLeft(g.text[g.pos+len(name):], " \t\r\n")
	switch {
	case strings.HasPrefix(rest, "::"):
		g.pos = len(g.text) - len(rest) + len("::")
		if !xpathAxes[name] {
			g.fail("there is no axis %s", name)
		}
		g.space()
		g.nodeTest()
		return false
	case strings.HasPrefix(rest, "(") && !isXPathNodeType(name):
		return g.call(name, calls)
	case strings.HasPrefix(rest, "$"):
		g.pos += len(name)
		g.fail("%s-expressions are XPath 2.0 or later", name)
		return false
	}
	g.nodeTest()
	return false
}

func isXPathNodeType(name string) bool {
	return name == "node" || name == "text" || name == "comment" || name == "processing-instruction"
}

// call reads a function's name and opening parenthesis.
func (g *xpathGate) call(name string, allowed bool) bool {
	g.pos += len(name)
	_, known := xpathFunctions[name]
	switch {
	case name == "if":
		g.fail("if-then-else is XPath 2.0")
	case !known:
		g.fail("%s() is not one of its functions", name)
	case !allowed:
		g.fail("a function after / is XPath 2.0")
	}
	g.space()
	g.start = g.pos
	g.push('f', name)
	return true
}

// nodeTest reads * name prefix:name prefix:* or a node type.
func (g *xpathGate) nodeTest() {
	if g.take("*") {
		if g.pos < len(g.text) && g.text[g.pos] == ':' {
			g.fail("*:name is XPath 2.0; test local-name()")
		}
		return
	}
	n := nameLen(g.text[g.pos:])
	if n == 0 {
		_, size := utf8.DecodeRuneInString(g.text[g.pos:])
		g.pos += size
		g.fail("expected a value")
		return
	}
	name := g.text[g.pos : g.pos+n]
	g.pos += n
	if strings.HasPrefix(g.text[g.pos:], ":") && !strings.HasPrefix(g.text[g.pos:], "::") {
		g.pos++
		if !g.take("*") {
			n := nameLen(g.text[g.pos:])
			g.pos += n
			if n == 0 {
				g.fail("expected a name after the prefix")
			}
		}
		return
	}
	after := g.pos
	g.space()
	if !g.take("(") {
		g.pos = after
		return
	}
	if !isXPathNodeType(name) || name == "processing-instruction" {
		g.fail("%s() is not one of its node tests: node(), text() or comment()", name)
		return
	}
	g.space()
	if !g.take(")") {
		g.fail("expected )")
	}
}

// operator reads what may follow a value: an operator, a slash and the next
// step, a predicate, a comma or a closing bracket. It returns whether a value
// must follow.
func (g *xpathGate) operator() bool {
	switch c := g.text[g.pos]; {
	case c == '[':
		g.push('[', "")
		return true
	case c == ']' || c == ')':
		g.close(c)
		return false
	case c == ',':
		g.comma()
		return true
	case g.take("//"), g.take("/"):
		return g.nextStep()
	case g.take("!="), g.take("<="), g.take(">="), g.take("="):
		g.notFollowedBy("=>")
		return true
	case g.take("<"), g.take(">"):
		g.notFollowedBy("<>=")
		return true
	case g.take("|"):
		g.notFollowedBy("|")
		return true
	case g.take("+"), g.take("-"), g.take("*"):
		return true
	}
	return g.namedOperator()
}

func (g *xpathGate) notFollowedBy(bytes string) {
	if g.pos < len(g.text) && strings.IndexByte(bytes, g.text[g.pos]) >= 0 {
		g.pos++
		g.fail("there is no operator %s", g.text[g.start:g.pos])
	}
}

func (g *xpathGate) namedOperator() bool {
	n := nameLen(g.text[g.pos:])
	word := g.text[g.pos : g.pos+n]
	switch word {
	case "and", "or", "div", "mod":
		g.pos += n
		return true
	case "":
		_, n = utf8.DecodeRuneInString(g.text[g.pos:])
	}
	g.pos += n
	g.fail("expected an operator, found %s", abbreviate(g.text[g.start:g.pos]))
	return false
}

func (g *xpathGate) push(kind byte, function string) {
	g.pos++
	g.open = append(g.open, xpathOpen{kind: kind, function: function, args: 1, at: g.start})
	if len(g.open) > maxXPathNesting {
		g.fail("it is nested more than %d deep", maxXPathNesting)
	}
}

// closeEmpty reads the ) of a call without arguments, the only place where a
// bracket closes before a value.
func (g *xpathGate) closeEmpty() bool {
	g.pos++
	if n := len(g.open); n > 0 && g.open[n-1].kind == 'f' && g.open[n-1].args == 1 && g.emptyCall() {
		g.open[n-1].args = 0
		g.pop()
		return false
	}
	g.fail("expected a value")
	return false
}

// emptyCall reports whether nothing stands between the parenthesis and here.
func (g *xpathGate) emptyCall() bool {
	o := g.open[len(g.open)-1]
	return strings.TrimLeft(g.text[o.at+1:g.start], " \t\r\n") == ""
}

func (g *xpathGate) close(c byte) {
	g.pos++
	n := len(g.open)
	if n == 0 || (c == ']') != (g.open[n-1].kind == '[') {
		g.fail("there is no bracket for this %c", c)
		return
	}
	g.pop()
}

// pop closes the innermost bracket and checks the arguments of a function.
func (g *xpathGate) pop() {
	o := g.open[len(g.open)-1]
	g.open = g.open[:len(g.open)-1]
	if o.kind != 'f' {
		return
	}
	arity := xpathFunctions[o.function]
	if o.args < arity[0] || arity[1] >= 0 && o.args > arity[1] {
		g.fail("%s() does not take %d arguments", o.function, o.args)
	}
}

func (g *xpathGate) comma() {
	g.pos++
	n := len(g.open)
	if n == 0 || g.open[n-1].kind != 'f' {
		g.fail("sequences are XPath 2.0")
		return
	}
	g.open[n-1].args++
}

// nameLen returns the length of the NCName that s starts with.
func nameLen(s string) int {
	for i, r := range s {
		letter := r == '_' || unicode.IsLetter(r)
		if letter || i > 0 && (r == '-' || r == '.' || unicode.IsDigit(r) || unicode.Is(unicode.M, r)) {
			continue
		}
		return i
	}
	return len(s)
}
