package filter

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Limits of an expression. They bound the time and stack that hostile input costs.
const (
	maxText  = 16 << 10 // bytes
	maxDepth = 64       // of parentheses and brackets
	maxTerms = 1000
)

// Parse reads an expression of Okta's APIs such as
//
//	profile.lastName eq "Jones" and (created gt "2021-01-01T00:00:00.000Z" or status eq "ACTIVE")
//
// And binds more tightly than or; operators and words are read without case.
// It is SCIM without not, value paths and URNs, and with any number of blanks.
// Errors are fault.Invalid and name the offset.
func Parse(text string) (Expr, error) {
	return newParser(text, okta).whole()
}

// dialect is what the languages of search expressions do not share. All have
// terms joined by and, or and parentheses.
type dialect struct {
	// term reads what stands between the words: a comparison, say.
	term func(*parser) (Expr, error)

	// negation takes "not" when it comes next. Nil: the language has none.
	negation func(*parser) (bool, error)

	// stray says what is wrong with something behind an operand that is not a
	// word. Nil: the language has nothing to say about it.
	stray func(*parser) error

	capitals bool // AND and OR in capitals only
	strict   bool // blanks only where and as many as the grammar has
}

var okta = dialect{term: (*parser).oktaTerm}

// parser reads one text from left to right. It never goes back further than a
// word, so it takes time in proportion to the text.
type parser struct {
	dialect
	relax SCIMOptions

	field *string // Lucene's field:( ... ): what the values inside belong to

	text  string
	at    int
	depth int
	terms int
	notes []string // in which way the text was read, for people
}

func newParser(text string, d dialect) *parser { return &parser{text: text, dialect: d} }

// whole reads all of the text as one expression.
func (p *parser) whole() (Expr, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := p.blanks(0, 0); err != nil {
		return nil, err
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	return e, p.end()
}

// check is what can be said before reading.
func (p *parser) check() error {
	if len(p.text) > maxText {
		return fault.New(fault.TooLarge, "the search expression has more than %d bytes", maxText)
	}
	if !utf8.ValidString(p.text) {
		return fault.New(fault.Invalid, "the search expression is not valid UTF-8")
	}
	return nil
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	start := p.at
	if p.space(); p.at < len(p.text) {
		return p.fail("unexpected %q", p.rest())
	}
	p.at = start
	return p.blanks(0, 0)
}

func (p *parser) fail(format string, args ...any) error {
	return p.fault(fault.Invalid, format, args...)
}

func (p *parser) fault(kind fault.Kind, format string, args ...any) *fault.Error {
	return fault.New(kind, format, args...).At("search expression, character %d", p.at+1)
}

// note keeps a sentence, once.
func (p *parser) note(sentence string) {
	if !slices.Contains(p.notes, sentence) {
		p.notes = append(p.notes, sentence)
	}
}

// rest is a short piece of what follows, for messages.
func (p *parser) rest() string {
	const most = 20
	rest := []rune(p.text[p.at:min(len(p.text), p.at+utf8.UTFMax*(most+1))])
	if len(rest) > most {
		return string(rest[:most]) + "…"
	}
	return string(rest)
}

func (p *parser) or() (Expr, error) { return p.list("or", p.and) }

func (p *parser) and() (Expr, error) { return p.list("and", p.operand) }

// list reads operands joined by a word. One operand is returned as it is.
func (p *parser) list(word string, operand func() (Expr, error)) (Expr, error) {
	var terms []Expr
	for {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		terms = append(terms, next)
		more, err := p.joined(word)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	switch {
	case len(terms) == 1:
		return terms[0], nil
	case word == "or":
		return &Or{terms}, nil
	}
	return &And{terms}, nil
}

// operand reads a term or a group, perhaps with not in front.
func (p *parser) operand() (Expr, error) {
	if p.negation != nil {
		negated, err := p.negation(p)
		if err != nil {
			return nil, err
		}
		if negated {
			e, err := p.plainOperand()
			if err != nil {
				return nil, err
			}
			return &Not{e}, nil
		}
	}
	return p.plainOperand()
}

func (p *parser) plainOperand() (Expr, error) {
	if p.take('(') {
		return p.enclosed(')')
	}
	if p.terms++; p.terms > maxTerms {
		return nil, fault.New(fault.TooLarge, "the search expression has more than %d terms", maxTerms)
	}
	return p.term(p)
}

// enclosed reads an expression up to the parenthesis or bracket that closes it.
func (p *parser) enclosed(closing byte) (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fault.New(fault.TooLarge, "the search expression is nested deeper than %d", maxDepth)
	}
	if err := p.blanks(0, 0); err != nil {
		return nil, err
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.depth--
	return e, p.close(closing)
}

// close takes the parenthesis or bracket that has to come next.
func (p *parser) close(closing byte) error {
	start := p.at
	p.space()
	switch {
	case p.at == len(p.text) && closing == ')':
		return p.fail("a parenthesis is not closed")
	case p.at == len(p.text):
		return p.fail("a bracket is not closed")
	case p.peek() != closing:
		return p.fail("unexpected %q; a %q is missing", p.rest(), closing)
	}
	p.at = start
	if err := p.blanks(0, 0); err != nil {
		return err
	}
	p.take(closing)
	return nil
}

// joined takes "and" or "or" with the blanks around it when it comes next as a
// word of its own.
func (p *parser) joined(want string) (bool, error) {
	start := p.at
	p.space()
	got := p.run(isLetter)
	fits := strings.EqualFold(got, want)
	if p.capitals {
		fits = got == strings.ToUpper(want)
	}
	end := p.at
	p.at = start
	if !fits || end < len(p.text) && isPath(p.text[end]) {
		if want == "or" && p.stray != nil {
			return false, p.stray(p)
		}
		return false, nil
	}
	if err := p.blanks(1, 1); err != nil {
		return false, err
	}
	p.at = end
	return true, p.blanks(1, 1)
}

var operators = map[string]Op{
	"eq": Equal, "ne": NotEqual, "co": Contains, "sw": StartsWith, "ew": EndsWith, "pr": Present,
	"gt": Greater, "ge": GreaterOrEqual, "lt": Less, "le": LessOrEqual,
}

func (p *parser) oktaTerm() (Expr, error) {
	c := &Compare{At: p.at}
	if c.Path = p.path(); c.Path == "" {
		return nil, p.fail("an attribute is expected, not %q", p.rest())
	}
	return c, p.comparison(c)
}

// comparison reads what follows an attribute: an operator and, but for pr, a
// literal.
func (p *parser) comparison(c *Compare) error {
	if err := p.blanks(1, 1); err != nil {
		return err
	}
	start := p.at
	word := p.run(isLetter)
	op, ok := operators[strings.ToLower(word)]
	if !ok {
		p.at = start
		return p.fail("%q is not an operator; use eq, ne, co, sw, ew, pr, gt, ge, lt or le", word)
	}
	if c.Op = op; op == Present {
		return nil
	}
	if err := p.blanks(1, 1); err != nil {
		return err
	}
	var err error
	c.Value, err = p.literal()
	return err
}

// literal reads a JSON string, number, true, false or null.
func (p *parser) literal() (any, error) {
	if p.peek() == '"' {
		return p.quoted()
	}
	start := p.at
	word := p.run(isBare)
	v, err := value.Decode([]byte(word))
	if err == nil {
		switch v.(type) {
		case nil, bool, json.Number:
			return v, nil
		}
	}
	if p.relax.Unquoted && word != "" && word[0] != '\'' {
		return p.unquoted(word), nil
	}
	p.at = start
	return nil, p.fail("%q is not a value; texts and dates stand in double quotes", p.rest())
}

// unquoted is what a word stands for where a JSON value belongs.
func (p *parser) unquoted(word string) any {
	switch strings.ToLower(word) {
	case "true", "false":
		p.note("A boolean in capital letters was accepted in the filter.")
		return strings.EqualFold(word, "true")
	}
	p.note("A value without quotes was read as text in the filter.")
	return word
}

// quoted reads a JSON string.
func (p *parser) quoted() (any, error) {
	end := p.closing()
	if end < 0 {
		return nil, p.fail("a text is not closed with a double quote")
	}
	v, err := value.Decode([]byte(p.text[p.at : end+1]))
	if err != nil {
		return nil, p.fail("the text %s has a wrong escape", p.text[p.at:end+1])
	}
	p.at = end + 1
	return v, nil
}

// closing returns where the quote closes that comes next, or -1.
func (p *parser) closing() int {
	for i := p.at + 1; i < len(p.text); i++ {
		switch p.text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// blanks takes the blanks that come next. A strict language has between least
// and most of them here.
func (p *parser) blanks(least, most int) error {
	start := p.at
	p.space()
	if !p.strict {
		return nil
	}
	taken := p.text[start:p.at]
	if len(taken) >= least && len(taken) <= most && !strings.Contains(taken, "\t") {
		return nil
	}
	if p.relax.Blanks {
		p.note("Blanks were accepted in the filter where RFC 7644 has none, or were missing where it has one.")
		return nil
	}
	p.at = start
	switch {
	case most == 0:
		return p.fail("no blank may stand here")
	case p.at == len(p.text):
		return p.fail("the expression breaks off")
	}
	return p.fail("exactly one blank is expected here, not %q", p.rest())
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
	if p.at == len(p.text) || p.text[p.at] != c {
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

// path reads an attribute's path. It starts with a letter, _ or $.
func (p *parser) path() string {
	if first := p.peek(); !isLetter(first) && first != '_' && first != '$' {
		return ""
	}
	return p.run(isPath)
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isPath(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '.' || c == '_' || c == '-' || c == '$'
}

// isBare accepts what a word may consist of: all but blanks and what has a
// meaning of its own.
func isBare(c byte) bool {
	return c > ' ' && c != 0x7f && !strings.ContainsRune(`()[]"`, rune(c))
}
