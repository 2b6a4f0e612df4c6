package filter

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Pattern is a text in which * stands for any text, also none. A backslash
// takes the meaning from * and from itself.
type Pattern string

// Range is the values between two bounds: [1 TO 5], {1 TO *].
type Range struct{ Low, High Bound }

// Bound is one end of a range, as it was written: the type of the value that it
// is compared with says whether it is a number, a date or text.
type Bound struct {
	Text      string
	Unlimited bool // *: there is no such end; Text is empty
	Open      bool // { or }: the bound itself lies outside
}

// AnyField is the path of a comparison without a field: a bare word or phrase,
// which Auth0 looks for in every field outside user_metadata.
const AnyField = ""

// shortestSuffix is how many characters must follow a * at the beginning
// (scim-auth0.md 5.1).
const shortestSuffix = 3

var lucene = dialect{term: (*parser).luceneTerm, negation: (*parser).luceneNot, stray: (*parser).luceneStray, capitals: true}

// ParseLucene reads what Auth0 documents of Lucene's syntax for its user search
// v3 (scim-auth0.md 5.1):
//
//	name:"jane smith" AND NOT (email:*example* OR logins_count:{100 TO *])
//
// Values are phrases in quotes, words, and words with *, which become StartsWith,
// EndsWith, Contains or Like; [a TO b], {a TO b} and mixtures become Within;
// _exists_:field becomes Present; field:(a OR b) is taken apart; a word without
// a field has the path AnyField. AND, OR and NOT are in capitals, and NOT (or -)
// binds more tightly than AND, and that more tightly than OR: Auth0's examples
// need this reading, which is not that of Lucene's classic parser.
//
// What is legal in Lucene but not documented by Auth0 (fuzzy terms, boosts,
// regular expressions, ?, terms side by side) is fault.Unsupported; what Auth0
// says it does not do (ranges and wildcards in user_metadata, short suffixes) is
// fault.Invalid, as is everything that breaks the grammar. Which fields there
// are is left to the caller.
func ParseLucene(text string) (Expr, error) { return newParser(text, lucene).whole() }

// luceneNot takes NOT or a minus in front of a term.
func (p *parser) luceneNot() (bool, error) {
	start := p.at
	if p.run(isLetter) == "NOT" && p.at < len(p.text) && (isBlank(p.peek()) || p.peek() == '(') {
		p.space()
		return true, nil
	}
	if p.at = start; !p.take('-') {
		return false, nil
	}
	if p.at == len(p.text) || isBlank(p.peek()) {
		return false, p.fail("a term is expected directly after -")
	}
	return true, nil
}

// luceneStray says what is wrong with something that follows a term without a
// word between them.
func (p *parser) luceneStray() error {
	p.space()
	if p.at == len(p.text) || p.peek() == ')' {
		return nil
	}
	start := p.at
	word := p.run(isLetter)
	p.at = start
	if upper := strings.ToUpper(word); upper != word && (upper == "AND" || upper == "OR" || upper == "NOT") {
		return p.unsupported("%s has to be in capital letters: %s", word, upper)
	}
	if err := p.special(); err != nil {
		return err
	}
	return p.unsupported("terms stand side by side at %q; put AND or OR between them, or double quotes around a phrase", p.rest())
}

func (p *parser) unsupported(format string, args ...any) error {
	return p.fault(fault.Unsupported, format, args...)
}

// luceneTerm reads a value, mostly with a field in front.
func (p *parser) luceneTerm() (Expr, error) {
	start := p.at
	if sign := p.peek(); sign == '+' || sign == '-' {
		return nil, p.unsupported("%q is not understood; use AND, OR and NOT, or put the value in double quotes", sign)
	}
	if p.field != nil || p.peek() == '"' {
		return p.luceneValue(start, p.field)
	}
	word, err := p.word()
	if err != nil {
		return nil, err
	}
	if word.reserved() {
		p.at = start
		return nil, p.missing()
	}
	if !p.take(':') {
		if word.empty() {
			return nil, p.missing()
		}
		return word.compare(p, start, AnyField)
	}
	field, ok := word.literal()
	if !ok || field == "" {
		p.at = start
		return nil, p.unsupported("the name of a field is expected in front of the colon, not %q", p.rest())
	}
	p.space()
	if field == "_exists_" {
		return p.exists(start)
	}
	if !p.take('(') {
		return p.luceneValue(start, &field)
	}
	p.field = &field
	defer func() { p.field = nil }()
	return p.enclosed(')')
}

func (p *parser) exists(start int) (Expr, error) {
	word, err := p.word()
	if err != nil {
		return nil, err
	}
	field, ok := word.literal()
	if !ok || field == "" {
		return nil, p.fail("a field is expected after _exists_:")
	}
	return &Compare{Path: field, Op: Present, At: start}, p.ended()
}

// luceneValue reads what a field is compared with. No field is AnyField.
func (p *parser) luceneValue(start int, field *string) (Expr, error) {
	path := AnyField
	if field != nil {
		path = *field
	}
	switch p.peek() {
	case '"':
		text, err := p.phrase()
		if err != nil {
			return nil, err
		}
		return &Compare{Path: path, Op: Equal, Value: text, At: start}, p.ended()
	case '[', '{':
		return p.rangeOf(start, path)
	case '<', '>':
		return nil, p.unsupported("%q is not understood; write a range, for instance %s:[100 TO *]", p.peek(), path)
	}
	word, err := p.word()
	if err != nil {
		return nil, err
	}
	if word.empty() || word.reserved() {
		p.at -= len(word.parts[0])
		return nil, p.missing()
	}
	return word.compare(p, start, path)
}

// missing says that a term or value is expected.
func (p *parser) missing() error {
	if err := p.special(); err != nil {
		return err
	}
	return p.fail("a term such as field:value is expected, not %q", p.rest())
}

// ended makes sure that a term ends here.
func (p *parser) ended() error {
	if p.at == len(p.text) || isBlank(p.peek()) || p.peek() == ')' {
		return nil
	}
	if err := p.special(); err != nil {
		return err
	}
	return p.fail("unexpected %q", p.rest())
}

// special explains a character of Lucene that comes next and has no meaning
// here. Nil: it is none.
func (p *parser) special() error {
	switch p.peek() {
	case '~':
		return p.unsupported("Auth0 has no fuzzy terms and no distances (~)")
	case '^':
		return p.unsupported("Auth0 has no boosts (^)")
	case '?':
		return p.unsupported("Auth0 has no wildcard ?, only *")
	case '/':
		return p.unsupported("Auth0 has no regular expressions; a slash stands in double quotes or after a backslash")
	case '!', '&', '|':
		return p.unsupported("%q is not understood; use AND, OR and NOT, or put the value in double quotes", p.peek())
	case ':':
		return p.unsupported("only one field stands in front of a value; a colon in it stands in double quotes or after a backslash")
	case '[', '{':
		return p.unsupported("a range stands directly after field:")
	}
	return nil
}

// rangeOf reads [a TO b] with any mixture of brackets.
func (p *parser) rangeOf(start int, path string) (Expr, error) {
	if path == AnyField {
		return nil, p.special()
	}
	if inUserMetadata(path) {
		return nil, p.fail("Auth0 has no range searches in user_metadata")
	}
	var r Range
	var err error
	r.Low.Open = p.peek() == '{'
	p.at++
	if err = p.bound(&r.Low); err != nil {
		return nil, err
	}
	p.space()
	if p.run(isLetter) != "TO" || !isBlank(p.peek()) {
		return nil, p.fail("a range is written [a TO b]; TO is expected before %q", p.rest())
	}
	if err = p.bound(&r.High); err != nil {
		return nil, err
	}
	p.space()
	switch {
	case p.take('}'):
		r.High.Open = true
	case !p.take(']'):
		return nil, p.fail("a range is not closed with ] or }")
	}
	return &Compare{Path: path, Op: Within, Value: r, At: start}, p.ended()
}

// bound reads one end of a range.
func (p *parser) bound(b *Bound) error {
	p.space()
	var err error
	if p.peek() == '"' {
		b.Text, err = p.phrase()
		return err
	}
	word, err := p.word()
	if err != nil {
		return err
	}
	text, ok := word.literal()
	switch {
	case word.any():
		b.Unlimited = true
	case !ok || text == "":
		return p.fail("the bound of a range is a value or *")
	default:
		b.Text = text
	}
	return nil
}

// word is what stands between blanks and special characters, taken apart at
// its wildcards.
type word struct {
	parts   []string // without escapes; one more than there are wildcards
	escaped bool
}

// word reads the next word, which may be empty.
func (p *parser) word() (word, error) {
	w := word{}
	var part strings.Builder
	for p.at < len(p.text) && !p.stops() {
		switch c := p.text[p.at]; c {
		case '*':
			p.at++
			w.parts = append(w.parts, part.String())
			part.Reset()
		case '\\':
			w.escaped = true
			if err := p.escape(&part); err != nil {
				return w, err
			}
		default:
			part.WriteByte(c)
			p.at++
		}
	}
	w.parts = append(w.parts, part.String())
	return w, nil
}

// stops reports whether the next character belongs to no word.
func (p *parser) stops() bool {
	c := p.text[p.at]
	if c <= ' ' || c == 0x7f || strings.IndexByte(`()[]{}"^~:?!/`, c) >= 0 {
		return true
	}
	rest := p.text[p.at:]
	return strings.HasPrefix(rest, "&&") || strings.HasPrefix(rest, "||")
}

// escape reads a backslash and what follows it: a character that stands for
// itself, or u and four hexadecimal digits.
func (p *parser) escape(out *strings.Builder) error {
	p.at++
	if p.at == len(p.text) {
		return p.fail("nothing follows a backslash")
	}
	if p.peek() == 'u' {
		if p.at+5 > len(p.text) {
			return p.fail(`four hexadecimal digits are expected after \u`)
		}
		code, err := strconv.ParseUint(p.text[p.at+1:p.at+5], 16, 16)
		if err != nil {
			return p.fail(`four hexadecimal digits are expected after \u`)
		}
		out.WriteRune(rune(code))
		p.at += 5
		return nil
	}
	r, size := utf8.DecodeRuneInString(p.text[p.at:])
	out.WriteRune(r)
	p.at += size
	return nil
}

// phrase reads a text in double quotes.
func (p *parser) phrase() (string, error) {
	start := p.at
	p.at++
	var text strings.Builder
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return text.String(), nil
		case '\\':
			if err := p.escape(&text); err != nil {
				return "", err
			}
		default:
			text.WriteByte(c)
			p.at++
		}
	}
	p.at = start
	return "", p.fail("a text is not closed with a double quote")
}

func (w word) empty() bool { return len(w.parts) == 1 && w.parts[0] == "" && !w.escaped }

// reserved reports whether the word is an operator.
func (w word) reserved() bool {
	text, ok := w.literal()
	return ok && !w.escaped && (text == "AND" || text == "OR" || text == "NOT")
}

// any reports whether the word is nothing but wildcards.
func (w word) any() bool { return len(w.parts) > 1 && strings.Join(w.parts, "") == "" }

// literal returns a word without wildcards.
func (w word) literal() (string, bool) { return w.parts[0], len(w.parts) == 1 }

// compare makes a term of the word.
func (w word) compare(p *parser, start int, path string) (Expr, error) {
	c := &Compare{Path: path, Op: Equal, At: start}
	text, ok := w.literal()
	switch {
	case !ok:
		if err := w.wild(p, c); err != nil {
			return nil, err
		}
	case w.escaped:
		c.Value = text
	default:
		c.Value = plain(text)
	}
	return c, p.ended()
}

// wild makes the simplest comparison that has the meaning of the wildcards.
func (w word) wild(p *parser, c *Compare) error {
	last := len(w.parts) - 1
	literals := []string{w.parts[0]}
	for i, part := range w.parts[1:] {
		if part != "" || i+1 == last { // ** is *
			literals = append(literals, part)
		}
	}
	first, last := literals[0], len(literals)-1
	switch {
	case inUserMetadata(c.Path):
		return p.fail("Auth0 has no wildcard searches in user_metadata")
	case w.any():
		return p.unsupported("* alone is no value; write _exists_:%s to find who has the field", c.Path)
	case first == "" && utf8.RuneCountInString(literals[1]) < shortestSuffix:
		return p.fail("at least %d characters have to follow a * at the beginning", shortestSuffix)
	case last == 1 && literals[1] == "":
		c.Op, c.Value = StartsWith, first
	case last == 1 && first == "":
		c.Op, c.Value = EndsWith, literals[1]
	case last == 2 && first == "" && literals[2] == "":
		c.Op, c.Value = Contains, literals[1]
	default:
		c.Op, c.Value = Like, patternOf(literals)
	}
	return nil
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

func inUserMetadata(path string) bool {
	return path == "user_metadata" || strings.HasPrefix(path, "user_metadata.")
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// patternOf joins literals by wildcards.
func patternOf(literals []string) Pattern {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`)
	escaped := make([]string, len(literals))
	for i, literal := range literals {
		escaped[i] = escape.Replace(literal)
	}
	return Pattern(strings.Join(escaped, "*"))
}

// literals takes a pattern apart at its wildcards.
func (p Pattern) literals() []string {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(p); i++ {
		switch {
		case p[i] == '*':
			parts = append(parts, part.String())
			part.Reset()
		case p[i] == '\\' && i+1 < len(p):
			i++
			fallthrough
		default:
			part.WriteByte(p[i])
		}
	}
	return append(parts, part.String())
}

// match reports whether a text, folded already, fits. Each literal is looked for
// once, at the first place where it can stand: that suffices.
func (p Pattern) match(text string, fold func(string) string) bool {
	literals := p.literals()
	for i := range literals {
		literals[i] = fold(literals[i])
	}
	first, last := literals[0], literals[len(literals)-1]
	if len(literals) == 1 {
		return text == first
	}
	rest, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for _, literal := range literals[1 : len(literals)-1] {
		i := strings.Index(rest, literal)
		if i < 0 {
			return false
		}
		rest = rest[i+len(literal):]
	}
	return strings.HasSuffix(rest, last)
}
