package expr

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// JSONPath (RFC 9535) is our own because the library we would use panics on
// match() of an absent member, compares numbers as float64 (A30), returns the
// members of objects in random order and has no bound on work or nesting. It
// is the oracle of the tests instead.

// jsonPath is one compiled JSONPath query.
type jsonPath struct {
	text  string
	query pathQuery
	// filtersRoot is set when the first segment filters the root's children:
	// over an object that is seldom what the author means (A11).
	filtersRoot bool
}

// pathQuery is a query from the root or, in filters, from the current node.
type pathQuery struct {
	relative bool
	segments []pathSegment
}

type pathSegment struct {
	descendant bool
	selectors  []pathSelector
}

// pathSelector is one of the selectors of RFC 9535 2.3.
type pathSelector interface {
	// children yields the children of v that are selected, and reports false
	// when yield did.
	children(run *pathRun, v any, yield func(child any, key string, index int) bool) bool
}

type (
	nameSelector     string
	wildcardSelector struct{}
	indexSelector    int64
	sliceSelector    struct{ start, end, step *int64 }
	filterSelector   struct{ test pathTest }
)

// pathTest is a logical expression of a filter.
type pathTest interface {
	holds(run *pathRun, current any) bool
}

// pathValue is a value in a filter, or nothing.
type pathValue interface {
	get(run *pathRun, current any) (any, bool)
}

type (
	orTest      []pathTest
	andTest     []pathTest
	notTest     struct{ pathTest }
	existsTest  struct{ query *pathQuery }
	compareTest struct {
		op          string
		left, right pathValue
	}
	matchTest struct { // match() and search()
		text, pattern pathValue
		whole         bool
		static        *pathRegexp // when the pattern is a literal
	}

	literalValue  struct{ v any }
	singularValue struct{ query *pathQuery }
	lengthValue   struct{ of pathValue }
	countValue    struct{ query *pathQuery }
	onlyValue     struct{ query *pathQuery } // value()
)

// singular reports whether q selects at most one node whatever the value is.
func (q *pathQuery) singular() bool {
	for _, seg := range q.segments {
		if seg.descendant || len(seg.selectors) != 1 {
			return false
		}
		switch seg.selectors[0].(type) {
		case nameSelector, indexSelector:
		default:
			return false
		}
	}
	return true
}

// pathParser is a recursive descent over the grammar of RFC 9535 appendix A.
type pathParser struct {
	text  string
	pos   int
	depth int
	err   error
}

func compileJSONPath(text string) (program, error) {
	p := pathParser{text: text}
	if !strings.HasPrefix(text, "$") {
		p.fail("a JSONPath starts with $")
		return nil, p.err
	}
	p.pos = 1
	path := &jsonPath{text: text, query: p.query(false)}
	if p.err == nil && p.pos < len(text) {
		p.failTrailing()
	}
	if p.err != nil {
		return nil, p.err
	}
	if segs := path.query.segments; len(segs) > 0 && !segs[0].descendant {
		for _, sel := range segs[0].selectors {
			if _, ok := sel.(filterSelector); ok {
				path.filtersRoot = true
			}
		}
	}
	return path, nil
}

func (p *pathParser) fail(format string, args ...any) {
	if p.err != nil {
		return
	}
	text := ""
	if p.pos < len(p.text) {
		_, n := utf8.DecodeRuneInString(p.text[p.pos:])
		text = p.text[p.pos : p.pos+n]
	}
	p.err = &ConditionError{Kind: ErrJSONPath, Offset: p.pos, Text: text,
		Msg: fmt.Sprintf("%s is no JSONPath (RFC 9535): at offset %d %s", abbreviate(p.text), p.pos, fmt.Sprintf(format, args...))}
}

// failTrailing explains what follows a query. Most often that is a comparison:
// a JSONPath selects, it does not compare.
func (p *pathParser) failTrailing() {
	rest := strings.TrimLeft(p.text[p.pos:], " \t\r\n")
	for _, op := range []string{"==", "!=", "<", ">", "=", "&&", "||"} {
		if strings.HasPrefix(rest, op) {
			p.fail("it compares instead of selecting; write a filter, such as $[?@.name == 'x'], or a simple condition, such as $response.body.name == 'x'")
			return
		}
	}
	p.fail("expected . [ or the end")
}

func (p *pathParser) next() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *pathParser) take(token string) bool {
	if p.err != nil || !strings.HasPrefix(p.text[p.pos:], token) {
		return false
	}
	p.pos += len(token)
	return true
}

func (p *pathParser) expect(token string) {
	if p.err == nil && !p.take(token) {
		p.fail("expected %s", token)
	}
}

func (p *pathParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// enter guards every recursion of the grammar.
func (p *pathParser) enter() bool {
	if p.depth++; p.depth > maxNesting {
		p.fail("it is nested more than %d deep", maxNesting)
	}
	return p.err == nil
}

func (p *pathParser) leave() { p.depth-- }

// query reads the segments after $ or @.
func (p *pathParser) query(relative bool) pathQuery {
	q := pathQuery{relative: relative}
	for p.err == nil {
		start := p.pos
		p.space()
		switch {
		case p.take(".."):
			q.segments = append(q.segments, pathSegment{descendant: true, selectors: p.afterDots()})
		case p.take("."):
			q.segments = append(q.segments, pathSegment{selectors: p.shorthand()})
		case p.next() == '[':
			q.segments = append(q.segments, pathSegment{selectors: p.bracket()})
		default:
			p.pos = start
			return q
		}
	}
	return q
}

func (p *pathParser) afterDots() []pathSelector {
	if p.next() == '[' {
		return p.bracket()
	}
	return p.shorthand()
}

// shorthand reads .name or .*
func (p *pathParser) shorthand() []pathSelector {
	if p.take("*") {
		return []pathSelector{wildcardSelector{}}
	}
	start := p.pos
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(p.text[p.pos:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			p.pos += n
			continue
		}
		if c == '-' || !isIdent(c) || p.pos == start && isDigit(c) {
			break
		}
		p.pos++
	}
	if p.pos == start {
		p.fail("expected a name or *; names with other characters than letters, digits and _ are written ['name']")
		return nil
	}
	return []pathSelector{nameSelector(p.text[start:p.pos])}
}

// bracket reads [selector, ...].
func (p *pathParser) bracket() []pathSelector {
	p.expect("[")
	var out []pathSelector
	for {
		p.space()
		out = append(out, p.selector())
		p.space()
		if !p.take(",") {
			break
		}
	}
	p.expect("]")
	return out
}

func (p *pathParser) selector() pathSelector {
	switch c := p.next(); {
	case c == '\'' || c == '"':
		return nameSelector(p.quoted())
	case c == '*':
		p.pos++
		return wildcardSelector{}
	case c == '?':
		p.pos++
		p.space()
		return filterSelector{p.or()}
	case c == ':' || c == '-' || isDigit(c):
		return p.indexOrSlice()
	}
	p.fail("expected a 'name', an index, a slice, * or a ?filter")
	return nil
}

func (p *pathParser) indexOrSlice() pathSelector {
	start := p.optionalInt()
	beforeColon := p.pos
	p.space()
	if !p.take(":") {
		p.pos = beforeColon
		if start == nil {
			p.fail("expected an index")
			return nil
		}
		return indexSelector(*start)
	}
	s := sliceSelector{start: start}
	p.space()
	s.end = p.optionalInt()
	beforeColon = p.pos
	p.space()
	if !p.take(":") {
		p.pos = beforeColon
		return s
	}
	beforeStep := p.pos
	p.space()
	if s.step = p.optionalInt(); s.step == nil {
		p.pos = beforeStep
	}
	return s
}

// maxIndex is the largest integer of I-JSON (RFC 9535 2.1).
const maxIndex = 1<<53 - 1

// optionalInt reads an integer when one comes next.
func (p *pathParser) optionalInt() *int64 {
	if p.err != nil || p.next() != '-' && !isDigit(p.next()) {
		return nil
	}
	rest := p.text[p.pos:]
	n := len(rest) - len(strings.TrimPrefix(rest, "-"))
	n += digits(rest[n:])
	word := rest[:n]
	i, err := strconv.ParseInt(word, 10, 64)
	if err != nil || strings.HasPrefix(word, "-0") || len(word) > 1 && word[0] == '0' || i > maxIndex || i < -maxIndex {
		p.fail("expected an integer without leading zeros, between -(2^53-1) and 2^53-1")
		return nil
	}
	p.pos += n
	return &i
}

// quoted reads a string literal.
func (p *pathParser) quoted() string {
	quote := p.next()
	p.pos++
	var b strings.Builder
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == quote:
			p.pos++
			return b.String()
		case c == '\\':
			if !p.escape(&b, quote) {
				return ""
			}
		case c < ' ':
			p.fail("control characters are written as escapes")
			return ""
		default:
			_, n := utf8.DecodeRuneInString(p.text[p.pos:])
			if n == 1 && c >= utf8.RuneSelf {
				p.fail("expected valid UTF-8")
				return ""
			}
			b.WriteString(p.text[p.pos : p.pos+n])
			p.pos += n
		}
	}
	p.fail("the string does not end")
	return ""
}

var simpleEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '/': '/', '\\': '\\'}

// escape reads one escape of a string literal.
func (p *pathParser) escape(b *strings.Builder, quote byte) bool {
	rest := p.text[p.pos:]
	if len(rest) < 2 {
		p.fail("the string does not end")
		return false
	}
	if c, ok := simpleEscapes[rest[1]]; ok || rest[1] == quote {
		if !ok {
			c = quote
		}
		b.WriteByte(c)
		p.pos += 2
		return true
	}
	r, n := unicodeEscape(rest)
	if n == 0 {
		p.fail("there is no escape %s", abbreviate(rest[:2]))
		return false
	}
	b.WriteRune(r)
	p.pos += n
	return true
}

// unicodeEscape reads \uXXXX, or two of them that are a surrogate pair.
func unicodeEscape(s string) (rune, int) {
	r, ok := hexEscape(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := hexEscape(s[6:])
	if !ok {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

func hexEscape(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

func (p *pathParser) or() pathTest {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	kids := orTest{p.and()}
	for p.spaceThen("||") {
		kids = append(kids, p.and())
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return kids
}

func (p *pathParser) and() pathTest {
	p.space()
	kids := andTest{p.basic()}
	for p.spaceThen("&&") {
		p.space()
		kids = append(kids, p.basic())
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return kids
}

// spaceThen takes blanks and a token, or nothing.
func (p *pathParser) spaceThen(token string) bool {
	start := p.pos
	p.space()
	if p.take(token) {
		return true
	}
	p.pos = start
	return false
}

// basic reads a group, a comparison or an existence test.
func (p *pathParser) basic() pathTest {
	if p.err != nil {
		return nil
	}
	negated := p.take("!")
	if negated {
		p.space()
	}
	var t pathTest
	if p.take("(") {
		p.space()
		t = p.or()
		p.space()
		p.expect(")")
	} else {
		t = p.testOrComparison(negated)
	}
	if negated {
		return notTest{t}
	}
	return t
}

// term is an operand before its use decides what it may be.
type term struct {
	query *pathQuery
	value pathValue // a literal, a function with a value, or a singular query
	test  pathTest  // a logical function
}

func (p *pathParser) testOrComparison(negated bool) pathTest {
	start := p.pos
	left := p.term()
	if p.err != nil {
		return nil
	}
	end := p.pos
	p.space()
	op := p.operator()
	if op == "" {
		p.pos = end
		switch {
		case left.test != nil:
			return left.test
		case left.query != nil:
			return existsTest{left.query}
		}
		p.pos = start
		p.fail("a value on its own is no test; compare it")
		return nil
	}
	if negated {
		p.fail("! negates a test or a group: write !(a %s b)", op)
		return nil
	}
	if left.value == nil {
		p.pos = start
		p.fail("only a literal, a single member or element, and a function with a value can be compared")
		return nil
	}
	p.pos += len(op)
	p.space()
	start = p.pos
	right := p.term()
	if p.err == nil && right.value == nil {
		p.pos = start
		p.fail("only a literal, a single member or element, and a function with a value can be compared")
	}
	return compareTest{op: op, left: left.value, right: right.value}
}

func (p *pathParser) operator() string {
	rest := p.text[p.pos:]
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if strings.HasPrefix(rest, op) {
			return op
		}
	}
	return ""
}

func (p *pathParser) term() term {
	switch c := p.next(); {
	case c == '@' || c == '$':
		if !p.enter() {
			return term{}
		}
		defer p.leave()
		p.pos++
		q := p.query(c == '@')
		t := term{query: &q}
		if q.singular() {
			t.value = singularValue{&q}
		}
		return t
	case c == '\'' || c == '"':
		return term{value: literalValue{p.quoted()}}
	case c == '-' || isDigit(c):
		return p.numberTerm()
	case c >= 'a' && c <= 'z':
		return p.wordTerm()
	}
	p.fail("expected @, $, a function or a literal")
	return term{}
}

func (p *pathParser) numberTerm() term {
	rest := p.text[p.pos:]
	n := scanNumber(rest)
	if n == 0 {
		p.fail("expected a number as JSON writes it")
		return term{}
	}
	p.pos += n
	return term{value: literalValue{json.Number(rest[:n])}}
}

func (p *pathParser) wordTerm() term {
	rest := p.text[p.pos:]
	n := 0
	for n < len(rest) && (rest[n] >= 'a' && rest[n] <= 'z' || n > 0 && (rest[n] == '_' || isDigit(rest[n]))) {
		n++
	}
	word := rest[:n]
	if strings.HasPrefix(rest[n:], "(") {
		return p.call(word)
	}
	switch word {
	case "true", "false":
		p.pos += n
		return term{value: literalValue{word == "true"}}
	case "null":
		p.pos += n
		return term{value: literalValue{nil}}
	}
	p.fail("expected @, $, a function or a literal; strings stand in quotes")
	return term{}
}

// call reads a function expression (RFC 9535 2.4).
func (p *pathParser) call(name string) term {
	if !p.enter() {
		return term{}
	}
	defer p.leave()
	start := p.pos
	want, known := map[string]int{"length": 1, "count": 1, "value": 1, "match": 2, "search": 2}[name]
	if !known {
		p.fail("there is no function %s; there are length, count, value, match and search", name)
		return term{}
	}
	p.pos += len(name) + 1
	args := p.arguments()
	if p.err != nil {
		return term{}
	}
	end := p.pos
	p.pos = start // where the errors below are
	if len(args) != want {
		p.fail("%s takes %d arguments", name, want)
		return term{}
	}
	t := p.function(name, args)
	p.pos = end
	return t
}

func (p *pathParser) arguments() []term {
	var args []term
	p.space()
	if p.take(")") {
		return nil
	}
	for p.err == nil {
		args = append(args, p.argument())
		p.space()
		if !p.take(",") {
			break
		}
		p.space()
	}
	p.expect(")")
	return args
}

// argument reads a term. No function takes a logical expression.
func (p *pathParser) argument() term {
	t := p.term()
	if p.err != nil {
		return term{}
	}
	end := p.pos
	p.space()
	if c := p.next(); c != ',' && c != ')' {
		p.fail("expected , or ); no function takes a comparison")
	}
	p.pos = end
	return t
}

func (p *pathParser) function(name string, args []term) term {
	switch name {
	case "count", "value":
		if args[0].query == nil {
			p.fail("%s takes a query, such as @.*", name)
			return term{}
		}
		if name == "count" {
			return term{value: countValue{args[0].query}}
		}
		return term{value: onlyValue{args[0].query}}
	}
	for _, a := range args {
		if a.value == nil {
			p.fail("%s takes literals, single members or elements, and functions with a value", name)
			return term{}
		}
	}
	if name == "length" {
		return term{value: lengthValue{args[0].value}}
	}
	m := matchTest{text: args[0].value, pattern: args[1].value, whole: name == "match"}
	if lit, ok := m.pattern.(literalValue); ok {
		pattern, _ := lit.v.(string)
		m.static = compilePathRegexp(pattern, m.whole)
	}
	return term{test: m}
}

// escapeJSONPath writes text for the inside of a string literal.
func escapeJSONPath(text string, quote byte) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' || c == quote:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
