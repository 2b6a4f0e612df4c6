package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Limits of one condition or selector. They keep hostile text from taking the
// stack or the clock; real conditions are some hundred bytes.
const (
	maxCondition = 64 << 10 // bytes
	maxNesting   = 256      // parentheses, brackets
)

// ConditionErrorKind sorts the mistakes in conditions and selectors, so that a
// linter can offer a repair without reading messages.
type ConditionErrorKind string

// The kinds of mistakes.
const (
	ErrSyntax       ConditionErrorKind = "syntax"
	ErrDoubleQuoted ConditionErrorKind = "double-quoted" // Text is the string with its quotes
	ErrBareWord     ConditionErrorKind = "bare-word"     // Text is the word
	ErrBraces       ConditionErrorKind = "braces"        // Text is {$expr} in a simple condition
	ErrExpression   ConditionErrorKind = "expression"    // an expression, or the context, does not parse
	ErrContext      ConditionErrorKind = "context"       // regex, jsonpath, xpath and selectors need one
	ErrType         ConditionErrorKind = "type"          // unknown type or version
	ErrRegex        ConditionErrorKind = "regex"
	ErrJSONPath     ConditionErrorKind = "jsonpath"
	ErrXPath        ConditionErrorKind = "xpath"
	ErrPointer      ConditionErrorKind = "jsonpointer"
	ErrLimit        ConditionErrorKind = "limit" // too long or too deeply nested
)

// ConditionError is a mistake in a condition or selector.
type ConditionError struct {
	Kind   ConditionErrorKind
	Offset int    // byte offset into the condition or selector; 0 when it concerns all of it
	Text   string // the bytes at Offset that are wrong, empty at the end
	Msg    string // what is wrong and what to write instead
}

// Error returns the message.
func (e *ConditionError) Error() string { return e.Msg }

// As lets the error be read as an Invalid fault, so that its text is public.
func (e *ConditionError) As(target any) bool { return asInvalid(target, "", e.Msg) }

// truth is a truth value of Kleene's logic. unknown is a comparison with a
// missing operand: it is neither true nor, under "!", false.
type truth int8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// condition is a part of a compiled simple condition.
type condition interface {
	eval(*trial) truth
	// explain says why the part is not true in the same scope.
	explain(*trial) string
	operands(yield func(*operand))
}

type (
	anyOf []condition // ||
	allOf []condition // &&
	not   struct{ condition }
	// test is an operand on its own: it holds when its value is truthy.
	test struct {
		operand operand
		text    string
	}
	comparison struct {
		op          string // == != < <= > >=
		left, right operand
		text        string
	}
)

// operand is a literal, or an expression and a way into its value.
type operand struct {
	isExpr  bool
	literal any // when not isExpr

	expr Expression
	path value.Pointer // property and index accesses after expr
	text string        // as written
	// other is another reading: names of query and path parameters may hold
	// dots and brackets, so $request.query.a.b is first the parameter "a.b" and
	// then b in the parameter a.
	other *operand
}

// conditionParser is a recursive descent over the grammar of the package
// comment. The first error sticks.
type conditionParser struct {
	text  string
	pos   int
	depth int
	err   *ConditionError
}

func parseCondition(text string) (condition, error) {
	p := conditionParser{text: text}
	p.space()
	if p.pos == len(text) {
		p.fail(ErrSyntax, 0, "the condition is empty")
		return nil, p.err
	}
	c := p.or()
	if p.err == nil && p.pos < len(text) {
		p.failTrailing()
	}
	if p.err != nil {
		return nil, p.err
	}
	return c, nil
}

// fail records that the n bytes at the current position are wrong.
func (p *conditionParser) fail(kind ConditionErrorKind, n int, format string, args ...any) {
	if p.err != nil {
		return
	}
	p.err = &ConditionError{Kind: kind, Offset: p.pos, Text: p.text[p.pos : p.pos+n],
		Msg: fmt.Sprintf("the condition %s is wrong at offset %d: ", abbreviate(p.text), p.pos) + fmt.Sprintf(format, args...)}
}

// abbreviate quotes s for a message.
func abbreviate(s string) string {
	const most = 120
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", s[:cut])
}

// failTrailing explains what follows a complete condition.
func (p *conditionParser) failTrailing() {
	rest := p.text[p.pos:]
	switch word := bareWord(rest); {
	case strings.HasPrefix(rest, ")"):
		p.fail(ErrSyntax, 1, "there is no ( for this )")
	case strings.EqualFold(word, "and"):
		p.fail(ErrSyntax, len(word), "write && for and")
	case strings.EqualFold(word, "or"):
		p.fail(ErrSyntax, len(word), "write || for or")
	case rest[0] == '&' || rest[0] == '|':
		p.fail(ErrSyntax, 1, "write %c%c", rest[0], rest[0])
	case strings.HasPrefix(rest, "==") || rest[0] == '<' || rest[0] == '>' || strings.HasPrefix(rest, "!="):
		p.fail(ErrSyntax, 1, "a comparison compares two values; join comparisons by && or ||, and write !(a == b) to negate one")
	case rest[0] == '=':
		p.fail(ErrSyntax, 1, "write == to compare")
	case rest[0] == '#':
		p.fail(ErrSyntax, 1, "a JSON Pointer stands right after the expression, before .name and [0]")
	default:
		p.fail(ErrSyntax, min(1, len(rest)), "expected an operator (== != < <= > >= && ||) or the end")
	}
}

func (p *conditionParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// take consumes token when it comes next, and the blanks after it.
func (p *conditionParser) take(token string) bool {
	if p.err != nil || !strings.HasPrefix(p.text[p.pos:], token) {
		return false
	}
	p.pos += len(token)
	p.space()
	return true
}

func (p *conditionParser) or() condition {
	kids := anyOf{p.and()}
	for p.take("||") {
		kids = append(kids, p.and())
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return kids
}

func (p *conditionParser) and() condition {
	kids := allOf{p.basic()}
	for p.take("&&") {
		kids = append(kids, p.basic())
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return kids
}

// basic reads [!](condition), [!]operand or a comparison.
func (p *conditionParser) basic() condition {
	if p.err != nil {
		return nil
	}
	start := p.pos
	negated := p.pos < len(p.text) && p.text[p.pos] == '!'
	if negated {
		p.pos++
		p.space()
	}
	var c condition
	if p.pos < len(p.text) && p.text[p.pos] == '(' {
		c = p.group()
	} else {
		c = p.testOrComparison(start, negated)
	}
	p.space()
	if negated {
		return not{c}
	}
	return c
}

func (p *conditionParser) group() condition {
	if p.depth++; p.depth > maxNesting {
		p.fail(ErrLimit, 1, "parentheses are nested more than %d deep", maxNesting)
		return nil
	}
	open := p.pos
	p.pos++
	p.space()
	c := p.or()
	if p.err == nil && (p.pos >= len(p.text) || p.text[p.pos] != ')') {
		if p.pos >= len(p.text) {
			p.pos = open
			p.fail(ErrSyntax, 1, "there is no ) for this (")
		} else {
			p.failTrailing()
		}
	}
	if p.err != nil {
		return nil
	}
	p.pos++
	p.depth--
	return c
}

func (p *conditionParser) testOrComparison(start int, negated bool) condition {
	left := p.operand()
	end := p.pos
	p.space()
	op := p.operator()
	if p.err != nil {
		return nil
	}
	if op == "" {
		p.pos = end
		return test{operand: left, text: p.text[start:end]}
	}
	if negated {
		p.fail(ErrSyntax, len(op), "! negates a value or a group: write !(a %s b)", op)
		return nil
	}
	p.pos += len(op)
	p.space()
	right := p.operand()
	if p.err != nil {
		return nil
	}
	return comparison{op: op, left: left, right: right, text: p.text[start:p.pos]}
}

// operator returns the comparison operator that comes next, "" for none.
func (p *conditionParser) operator() string {
	if p.err != nil {
		return ""
	}
	rest := p.text[p.pos:]
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if after := rest[len(op):]; after != "" && (after[0] == '=' || after[0] == '>') {
			p.fail(ErrSyntax, len(op)+1, "there is no operator %s%c: write %s", op, after[0], op)
		}
		return op
	}
	return ""
}

// operand reads a literal or an expression with its accesses.
func (p *conditionParser) operand() operand {
	if p.err != nil {
		return operand{}
	}
	if p.pos == len(p.text) {
		p.fail(ErrSyntax, 0, "expected a value: an expression, a number, a 'string', true, false or null")
		return operand{}
	}
	start := p.pos
	switch c := p.text[p.pos]; {
	case c == '$':
		return p.expression()
	case c == '\'':
		s, n := scanQuoted(p.text[p.pos:])
		if n == 0 {
			p.fail(ErrSyntax, len(p.text)-p.pos, "the string does not end: its quote is missing")
			return operand{}
		}
		p.pos += n
		return operand{literal: s, text: p.text[start:p.pos]}
	case c == '"':
		p.failDoubleQuoted()
	case c == '{':
		p.failBraces()
	case c == '!':
		p.fail(ErrSyntax, 1, "! stands once, before a value or a group")
	case c == '-' || isDigit(c):
		return p.number()
	default:
		return p.word()
	}
	return operand{}
}

func (p *conditionParser) failDoubleQuoted() {
	rest := p.text[p.pos:]
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			p.fail(ErrDoubleQuoted, i+1, "strings stand in single quotes: '...'")
			return
		}
	}
	p.fail(ErrSyntax, len(rest), "strings stand in single quotes, and this one does not end")
}

func (p *conditionParser) failBraces() {
	rest := p.text[p.pos:]
	if end := strings.IndexByte(rest, '}'); end > 0 {
		if _, err := Parse(rest[1:end]); err == nil {
			p.fail(ErrBraces, end+1, "a simple condition takes the expression without braces: %s", rest[1:end])
			return
		}
	}
	p.fail(ErrSyntax, 1, "expected a value")
}

// number reads a JSON number.
func (p *conditionParser) number() operand {
	rest := p.text[p.pos:]
	n := scanNumber(rest)
	if n == 0 || n < len(rest) && (isIdent(rest[n]) || rest[n] == '.') {
		end := max(n, 1)
		for end < len(rest) && (isIdent(rest[end]) || rest[end] == '.') {
			end++
		}
		p.fail(ErrSyntax, end, "%s is not a number as JSON writes it; a string stands in single quotes", rest[:end])
		return operand{}
	}
	p.pos += n
	return operand{literal: json.Number(rest[:n]), text: rest[:n]}
}

// word reads true, false or null.
func (p *conditionParser) word() operand {
	word := bareWord(p.text[p.pos:])
	var literal any
	switch word {
	case "true":
		literal = true
	case "false":
		literal = false
	case "null":
	case "":
		_, n := utf8.DecodeRuneInString(p.text[p.pos:])
		p.fail(ErrSyntax, n, "expected a value: an expression, a number, a 'string', true, false or null")
		return operand{}
	default:
		switch lower := strings.ToLower(word); lower {
		case "true", "false", "null":
			p.fail(ErrBareWord, len(word), "write %s in lower case", lower)
		default:
			p.fail(ErrBareWord, len(word), "strings stand in single quotes: '%s'", word)
		}
		return operand{}
	}
	p.pos += len(word)
	return operand{literal: literal, text: word}
}

// bareWord returns the word that s starts with.
func bareWord(s string) string {
	end := 0
	for end < len(s) && (isIdent(s[end]) || s[end] == '.' && end > 0 || s[end] >= utf8.RuneSelf) {
		end++
	}
	return strings.TrimRight(s[:end], ".")
}

// endsOperand reports the bytes that end the open-ended parts of an expression
// inside a condition: names of parameters and JSON Pointers.
func endsOperand(c byte) bool {
	return c <= ' ' || strings.IndexByte("!&()<=>{}|", c) >= 0
}

func (p *conditionParser) expression() operand {
	start := p.pos
	e, n, err := scan(p.text[start:], endsOperand)
	if err != nil {
		p.failExpression(err)
		return operand{}
	}
	p.pos += n
	after := p.pos
	o := operand{isExpr: true, expr: e, path: p.accesses()}
	switch e.Root {
	case RootURL, RootMethod, RootStatusCode, RootSelf:
		if len(o.path) > 0 {
			p.pos = after
			p.fail(ErrSyntax, 1, "%s has no parts", e.Raw)
		}
	}
	if p.err != nil {
		return operand{}
	}
	o.text = p.text[start:p.pos]
	if e.Root == RootRequest && (e.Part == "query" || e.Part == "path") {
		o.other = splitParameter(e)
	}
	return o
}

func (p *conditionParser) failExpression(err error) {
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		return
	}
	rest := p.text[p.pos:]
	if len(rest) > 1 && (rest[1] == '.' || rest[1] == '[') {
		p.fail(ErrExpression, 1, "this is a JSONPath; set type: jsonpath and a context, or write $response.body.name")
		return
	}
	p.pos += min(syntax.Offset, len(rest))
	p.fail(ErrExpression, 0, "%s", syntax.Msg)
}

// accesses reads the property and index accesses after an expression (N42).
func (p *conditionParser) accesses() value.Pointer {
	rest := p.text[p.pos:]
	path, n, err := scanPath(rest)
	p.pos += n
	switch {
	case err != nil:
		p.fail(ErrSyntax, min(1, len(rest)-n), "%s", err)
	case n < len(rest) && (isIdent(rest[n]) || rest[n] == '\'' || rest[n] == '"' || rest[n] >= utf8.RuneSelf):
		p.fail(ErrSyntax, 1, "expected an operator or the end; names with other characters than letters, digits, - and _ are written ['name']")
	}
	return path
}

// splitParameter reads the name of a parameter as a shorter name and accesses.
func splitParameter(e Expression) *operand {
	cut := strings.IndexAny(e.Name, ".[")
	if cut <= 0 {
		return nil
	}
	path, n, err := scanPath(e.Name[cut:])
	if err != nil || cut+n != len(e.Name) {
		return nil
	}
	e.Raw = strings.TrimSuffix(e.Raw, e.Name[cut:])
	e.Name = e.Name[:cut]
	return &operand{isExpr: true, expr: e, path: path}
}

// scanNumber returns the length of the JSON number that s starts with, 0 for none.
func scanNumber(s string) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	n := digits(s[i:])
	if n == 0 || n > 1 && s[i] == '0' {
		return 0
	}
	i += n
	if i < len(s) && s[i] == '.' {
		n := digits(s[i+1:])
		if n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		n := digits(s[j:])
		if n == 0 {
			return 0
		}
		i = j + n
	}
	return i
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}
