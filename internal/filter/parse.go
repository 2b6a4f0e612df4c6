package filter

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Limits of an expression. They bound the time and stack that hostile input costs.
const (
	maxText  = 16 << 10 // bytes
	maxDepth = 64       // of parentheses
	maxTerms = 1000
)

// Parse reads an expression such as
//
//	profile.lastName eq "Jones" and (created gt "2021-01-01T00:00:00.000Z" or status eq "ACTIVE")
//
// And binds more tightly than or; operators and words are read without case.
// Errors are fault.Invalid and name the offset.
func Parse(text string) (Expr, error) {
	p := &parser{text: text}
	return p.whole(p.term)
}

// ParseLucene reads field:"phrase", field:word, field:true and field:number,
// joined by AND and OR (AND binds more tightly) and parentheses. Everything
// else of Lucene (wildcards, ranges, NOT, bare words) is fault.Unsupported:
// answering it wrongly would be worse.
func ParseLucene(text string) (Expr, error) {
	p := &parser{text: text, caseWords: true}
	return p.whole(p.luceneTerm)
}

type parser struct {
	text      string
	at        int
	depth     int
	terms     int
	caseWords bool // AND and OR in capitals only
}

func (p *parser) whole(term func() (Expr, error)) (Expr, error) {
	if len(p.text) > maxText {
		return nil, fault.New(fault.TooLarge, "the search expression has more than %d bytes", maxText)
	}
	if !utf8.ValidString(p.text) {
		return nil, fault.New(fault.Invalid, "the search expression is not valid UTF-8")
	}
	e, err := p.or(term)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.fail("unexpected %q", p.rest())
	}
	return e, nil
}

func (p *parser) fail(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...).At("search expression, character %d", p.at+1)
}

// rest is a short piece of what follows, for messages.
func (p *parser) rest() string {
	const most = 20
	rest := []rune(p.text[p.at:])
	if len(rest) > most {
		return string(rest[:most]) + "…"
	}
	return string(rest)
}

func (p *parser) or(term func() (Expr, error)) (Expr, error) {
	return p.list("or", func() (Expr, error) { return p.list("and", func() (Expr, error) { return p.group(term) }) })
}

// list reads operands joined by a word. One operand is returned as it is.
func (p *parser) list(word string, operand func() (Expr, error)) (Expr, error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	terms := []Expr{first}
	for p.word(word) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		terms = append(terms, next)
	}
	if len(terms) == 1 {
		return first, nil
	}
	if word == "or" {
		return &Or{terms}, nil
	}
	return &And{terms}, nil
}

func (p *parser) group(term func() (Expr, error)) (Expr, error) {
	if p.space(); !p.take('(') {
		if p.terms++; p.terms > maxTerms {
			return nil, fault.New(fault.TooLarge, "the search expression has more than %d terms", maxTerms)
		}
		return term()
	}
	if p.depth++; p.depth > maxDepth {
		return nil, fault.New(fault.TooLarge, "the search expression is nested deeper than %d", maxDepth)
	}
	e, err := p.or(term)
	if err != nil {
		return nil, err
	}
	p.depth--
	if p.space(); !p.take(')') {
		return nil, p.fail("a parenthesis is not closed")
	}
	return e, nil
}

var operators = map[string]Op{
	"eq": Equal, "ne": NotEqual, "co": Contains, "sw": StartsWith, "ew": EndsWith, "pr": Present,
	"gt": Greater, "ge": GreaterOrEqual, "lt": Less, "le": LessOrEqual,
}

func (p *parser) term() (Expr, error) {
	c := &Compare{At: p.at}
	if c.Path = p.path(); c.Path == "" {
		return nil, p.fail("an attribute is expected, not %q", p.rest())
	}
	p.space()
	word := p.run(isLetter)
	op, ok := operators[strings.ToLower(word)]
	if !ok {
		return nil, p.fail("%q is not an operator; use eq, sw, co, pr, gt, ge, lt or le", word)
	}
	c.Op = op
	if op == Present {
		return c, nil
	}
	p.space()
	literal, err := p.literal()
	if err != nil {
		return nil, err
	}
	c.Value = literal
	return c, nil
}

func (p *parser) luceneTerm() (Expr, error) {
	c := &Compare{At: p.at, Op: Equal}
	if c.Path = p.path(); c.Path == "" || !p.take(':') {
		return nil, p.unsupported("only field:value terms are supported, not %q", p.text[c.At:p.at]+p.rest())
	}
	if c.Path == "_exists_" {
		c.Path, c.Op = p.path(), Present
		if c.Path == "" {
			return nil, p.fail("a field is expected after _exists_:")
		}
		return c, nil
	}
	if p.peek() == '"' {
		literal, err := p.literal()
		c.Value = literal
		return c, err
	}
	word := p.run(isWord)
	if word == "" || p.at < len(p.text) && !strings.ContainsRune(" \t)", rune(p.text[p.at])) {
		return nil, p.unsupported("only a quoted phrase or a plain word may follow %s:, not %q", c.Path, word+p.rest())
	}
	c.Value = plain(word)
	return c, nil
}

func (p *parser) unsupported(format string, args ...any) error {
	return fault.New(fault.Unsupported, format, args...).At("search expression, character %d", p.at+1)
}

// plain reads an unquoted literal: true, false, a number or a word.
func plain(word string) any {
	if v, err := value.Decode([]byte(word)); err == nil {
		switch v.(type) {
		case bool, json.Number:
			return v
		}
	}
	return word
}

// literal reads a JSON string, number, true, false or null.
func (p *parser) literal() (any, error) {
	if p.peek() != '"' {
		word := p.run(isWord)
		v, err := value.Decode([]byte(word))
		if err != nil {
			return nil, p.fail("%q is not a value; texts and dates stand in double quotes", word+p.rest())
		}
		return v, nil
	}
	end := p.at + 1
	for end < len(p.text) && p.text[end] != '"' {
		if p.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.text) {
		return nil, p.fail("a text is not closed with a double quote")
	}
	v, err := value.Decode([]byte(p.text[p.at : end+1]))
	if err != nil {
		return nil, p.fail("the text %s has a wrong escape", p.text[p.at:end+1])
	}
	p.at = end + 1
	return v, nil
}

func (p *parser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

// run reads the longest run of characters that ok accepts.
func (p *parser) run(ok func(byte) bool) string {
	start := p.at
	for p.at < len(p.text) && ok(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

// path reads an attribute's path. It starts with a letter, _ or $: a minus in
// front would mean "not" in Lucene.
func (p *parser) path() string {
	if first := p.peek(); !isLetter(first) && first != '_' && first != '$' {
		return ""
	}
	return p.run(isPath)
}

// word reads "and" or "or" when it comes next as a word of its own.
func (p *parser) word(want string) bool {
	start := p.at
	p.space()
	got := p.run(isLetter)
	fits := strings.EqualFold(got, want)
	if p.caseWords {
		fits = got == strings.ToUpper(want)
	}
	if fits && (p.at == len(p.text) || !isPath(p.text[p.at])) {
		return true
	}
	p.at = start
	return false
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isPath accepts attribute paths, also those of SCIM with a URN in front.
func isPath(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '.' || c == '_' || c == '-' || c == '$'
}

func isWord(c byte) bool {
	return isPath(c) || c == '+' || c == '@' || c == '|'
}
