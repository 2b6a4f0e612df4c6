package arazzo

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/value"
)

// A comparison is what people write in place of a JSONPath: paths compared with
// literals, joined by && and ||, such as "$.length > 0" or "$.ok == true". 305
// of 313 published jsonpath criteria are of this form. It means what it says in
// JavaScript, with two rules: a missing path equals null, and a comparison with
// the length of something that has none is false.
//
//	condition = and *( "||" and )
//	and       = basic *( "&&" basic )
//	basic     = "(" condition ")" | path op literal
//	path      = "$" *( "." name | "[" digits "]" | "['" text "']" ) [ ".length" ]
//	op        = "==" | "!=" | "<" | "<=" | ">" | ">="
//	literal   = 'text' | "text" | number | true | false | null | word | runtime expression
type comparison struct {
	or   []comparison // when not empty, one must hold
	and  []comparison // when not empty, all must hold
	atom              // otherwise
}

// atom compares one path, or its length, with a literal.
type atom struct {
	path   []pathStep
	length bool
	op     string
	lit    literal
}

// pathStep is a member name or an index.
type pathStep struct {
	name    string
	isIndex bool
}

// literal is what a path is compared with.
type literal struct {
	kind literalKind
	text string // string: decoded; number: as written; expression: as written
}

type literalKind int

const (
	litString literalKind = iota
	litNumber
	litTrue
	litFalse
	litNull
	litExpr
)

// parseComparison reads s as a comparison. It reports false for everything else,
// real JSONPath included.
func parseComparison(s string) (comparison, bool) {
	const maxLen = 4096
	if len(s) > maxLen {
		return comparison{}, false
	}
	p := comparisonParser{text: s}
	c := p.or(0)
	p.space()
	return c, !p.failed && p.pos == len(s)
}

type comparisonParser struct {
	text   string
	pos    int
	failed bool
}

func (p *comparisonParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *comparisonParser) take(token string) bool {
	p.space()
	if p.failed || !strings.HasPrefix(p.text[p.pos:], token) {
		return false
	}
	p.pos += len(token)
	return true
}

func (p *comparisonParser) or(depth int) comparison {
	list := []comparison{p.and(depth)}
	for p.take("||") {
		list = append(list, p.and(depth))
	}
	if len(list) == 1 {
		return list[0]
	}
	return comparison{or: list}
}

func (p *comparisonParser) and(depth int) comparison {
	list := []comparison{p.basic(depth)}
	for p.take("&&") {
		list = append(list, p.basic(depth))
	}
	if len(list) == 1 {
		return list[0]
	}
	return comparison{and: list}
}

func (p *comparisonParser) basic(depth int) comparison {
	const maxDepth = 32
	if depth > maxDepth || p.failed {
		p.failed = true
		return comparison{}
	}
	if p.take("(") {
		c := p.or(depth + 1)
		if !p.take(")") {
			p.failed = true
		}
		return c
	}
	var c comparison
	if !p.take("$") {
		p.failed = true
		return c
	}
	c.path = p.path()
	if n := len(c.path); n > 0 && c.path[n-1] == (pathStep{name: "length"}) {
		c.path, c.length = c.path[:n-1], true
	}
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if p.take(op) {
			c.op = op
			break
		}
	}
	if c.op == "" || p.pos < len(p.text) && p.text[p.pos] == '=' {
		p.failed = true
		return c
	}
	c.lit = p.literal()
	return c
}

var (
	memberName    = regexp.MustCompile(`^[\pL_][\pL\pN_-]*`)
	bracketIndex  = regexp.MustCompile(`^\[(0|[1-9][0-9]{0,8})\]`)
	bracketName   = regexp.MustCompile(`^\[(?:'([^'\\\]]*)'|"([^"\\\]]*)")\]`)
	jsonNumber    = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?`)
	runtimeExpr   = regexp.MustCompile(`^\$[a-zA-Z][^\s&|()]*`)
	wordCharacter = regexp.MustCompile(`^[\pL\pN_.\-'"$]`)
)

func (p *comparisonParser) path() []pathStep {
	var out []pathStep
	for !p.failed && p.pos < len(p.text) {
		rest := p.text[p.pos:]
		switch rest[0] {
		case '.':
			m := memberName.FindString(rest[1:])
			if m == "" {
				p.failed = true
				return nil
			}
			out = append(out, pathStep{name: m})
			p.pos += 1 + len(m)
		case '[':
			if m := bracketIndex.FindStringSubmatch(rest); m != nil {
				out = append(out, pathStep{name: m[1], isIndex: true})
				p.pos += len(m[0])
			} else if m := bracketName.FindStringSubmatch(rest); m != nil {
				out = append(out, pathStep{name: m[1] + m[2]})
				p.pos += len(m[0])
			} else {
				p.failed = true
			}
		default:
			return out
		}
	}
	return out
}

func (p *comparisonParser) literal() literal {
	p.space()
	rest := p.text[p.pos:]
	var lit literal
	n := 0
	switch {
	case rest == "":
	case rest[0] == '\'' || rest[0] == '"':
		lit.text, n = unquote(rest)
	case rest[0] == '$':
		m := runtimeExpr.FindString(rest)
		if _, err := expr.Parse(m); err == nil {
			lit, n = literal{litExpr, m}, len(m)
		}
	case rest[0] == '-' || rest[0] >= '0' && rest[0] <= '9':
		m := jsonNumber.FindString(rest)
		lit, n = literal{litNumber, m}, len(m)
	default:
		m := memberName.FindString(rest)
		n = len(m)
		switch m {
		case "true":
			lit.kind = litTrue
		case "false":
			lit.kind = litFalse
		case "null":
			lit.kind = litNull
		case "and", "or", "not", "in", "undefined":
			n = 0 // operators of other languages: not ours to guess
		default:
			lit.text = m
		}
	}
	if n == 0 || wordCharacter.MatchString(rest[n:]) {
		p.failed = true
		return lit
	}
	p.pos += n
	return lit
}

// unquote reads a quoted string with backslash escapes and returns its length
// in s, 0 when it does not end.
func unquote(s string) (string, int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), i + 1
		case s[i] == '\\' && i+1 < len(s):
			i++
			if strings.IndexByte(`'"\/`, s[i]) < 0 {
				b.WriteByte('\\') // \d of a pattern, or an escape we do not know: keep it
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0
}

// size is the literal as a whole number that a length can be compared with.
func (l literal) size() (int, bool) {
	const most = 1_000_000
	n, err := strconv.Atoi(l.text)
	return n, l.kind == litNumber && err == nil && n >= 0 && n <= most
}

// holdsOnEmpty reports whether the atom is true of an empty root, where a
// filter, which looks at the root's children, finds nothing to be true of.
func (a atom) holdsOnEmpty() bool {
	if a.length && len(a.path) == 0 {
		n, _ := a.lit.size()
		switch a.op {
		case "==", ">=":
			return n == 0
		case "!=", "<":
			return n > 0
		case "<=":
			return true
		}
		return false
	}
	if a.length {
		return false
	}
	return a.op == "==" && a.lit.kind == litNull || a.op == "!=" && a.lit.kind != litNull
}

// needsSimple reports whether the atom cannot be said by a filter.
func (a atom) needsSimple() bool {
	return a.holdsOnEmpty() || a.lit.kind == litExpr || !a.length && len(a.path) == 0
}

// sensible reports whether the comparison means anything: lengths are compared
// with whole numbers, and only numbers and strings have an order.
func (c comparison) sensible() bool {
	for _, list := range [][]comparison{c.or, c.and} {
		for _, kid := range list {
			if !kid.sensible() {
				return false
			}
		}
		if len(list) > 0 {
			return true
		}
	}
	if c.length {
		_, ok := c.lit.size()
		return ok
	}
	ordered := c.op != "==" && c.op != "!="
	return !ordered || c.lit.kind == litNumber || c.lit.kind == litString || c.lit.kind == litExpr
}

func (c comparison) any(test func(atom) bool) bool {
	for _, list := range [][]comparison{c.or, c.and} {
		for _, kid := range list {
			if kid.any(test) {
				return true
			}
		}
		if len(list) > 0 {
			return false
		}
	}
	return test(c.atom)
}

// Precedences of rewritten conditions, loosest first.
const (
	bindsOr = iota + 1
	bindsAnd
	bindsAtom
)

// phrase is part of a rewritten condition with how tightly it binds.
type phrase struct {
	text  string
	binds int
}

// join writes the phrases with an operator between, in parentheses where needed.
func join(op string, binds int, parts []phrase) phrase {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = p.text
		if p.binds < binds {
			out[i] = "(" + p.text + ")"
		}
	}
	return phrase{strings.Join(out, " "+op+" "), binds}
}

func all(parts ...phrase) phrase { return join("&&", bindsAnd, parts) }
func one(parts ...phrase) phrase { return join("||", bindsOr, parts) }

func say(format string, args ...any) phrase { return phrase{fmt.Sprintf(format, args...), bindsAtom} }

// write rewrites a comparison atom by atom.
func (c comparison) write(atomic func(atom) phrase) phrase {
	list, combine := c.or, one
	if len(c.and) > 0 {
		list, combine = c.and, all
	}
	if len(list) == 0 {
		return atomic(c.atom)
	}
	parts := make([]phrase, len(list))
	for i, kid := range list {
		parts[i] = kid.write(atomic)
	}
	return combine(parts...)
}

// jsonPath writes the comparison as an RFC 9535 query that selects something
// exactly when the comparison holds. The filter looks at absolute paths: it is
// the same for every child of the root.
func (c comparison) jsonPath() string {
	if len(c.or) == 0 && len(c.and) == 0 && c.length && len(c.path) == 0 {
		if p := filterAtom(c.atom); strings.HasPrefix(p.text, "$[") && p.binds == bindsAtom && !strings.Contains(p.text, " ") {
			return p.text
		}
	}
	return "$[?" + c.write(filterAtom).text + "]"
}

// filterAtom writes an atom inside a filter.
func filterAtom(a atom) phrase {
	path := "$"
	for _, s := range a.path {
		path += filterStep(s)
	}
	if a.length {
		n, _ := a.lit.size()
		if len(a.path) == 0 {
			return rootLength(a.op, n)
		}
		return filterLength(path, a.op, n)
	}
	if a.lit.kind == litNull && a.op == "!=" {
		return all(say("%s != null", path), say("%s", path))
	}
	return say("%s %s %s", path, a.op, filterLiteral(a.lit))
}

// rootLength compares the root's length: an array has n items when there is one
// at n-1 and none at n. Only the forms that are false on an empty root come here.
func rootLength(op string, n int) phrase {
	switch op {
	case ">":
		return say("$[%d]", n)
	case ">=":
		return say("$[%d]", n-1)
	case "!=": // 0
		return say("$[0]")
	case "==":
		return all(say("length($) == %d", n), say("$[%d]", n-1))
	}
	return say("$[0]")
}

// filterLength compares the length of a path. In RFC 9535 a missing length is
// unequal to every number, so != must be said by < and >.
func filterLength(path, op string, n int) phrase {
	if op != "!=" {
		return say("length(%s) %s %d", path, op, n)
	}
	if n == 0 {
		return say("length(%s) > 0", path)
	}
	return one(say("length(%s) < %d", path, n), say("length(%s) > %d", path, n))
}

var shorthandName = regexp.MustCompile(`^[\pL_][\pL\pN_]*$`)

func filterStep(s pathStep) string {
	switch {
	case s.isIndex:
		return "[" + s.name + "]"
	case shorthandName.MatchString(s.name):
		return "." + s.name
	}
	return "[" + filterString(s.name) + "]"
}

func filterLiteral(l literal) string {
	switch l.kind {
	case litString:
		return filterString(l.text)
	case litTrue:
		return "true"
	case litFalse:
		return "false"
	case litNull:
		return "null"
	}
	return l.text
}

// filterString quotes text as RFC 9535 does. Embedded expressions stay as they
// are: they are replaced before the path is read (N50).
func filterString(s string) string {
	text, err := value.Encode(s)
	if err != nil {
		return "''"
	}
	inner := strings.ReplaceAll(string(text[1:len(text)-1]), `\"`, `"`)
	return "'" + strings.ReplaceAll(inner, "'", `\'`) + "'"
}

// place writes the expression for a path, "" when a runtime expression cannot
// address it.
type place func(path []pathStep) string

// simple writes the comparison as a simple condition, "" when it cannot. root
// is the expression of the root, "" when there is no single one.
func (c comparison) simple(root string, at place) string {
	ok := true
	p := c.write(func(a atom) phrase {
		out, fine := simpleAtom(a, at)
		ok = ok && fine
		return out
	})
	if !ok {
		return ""
	}
	// A null context fails (N48): so must what would hold of a missing path.
	if root != "" && c.any(func(a atom) bool { return !a.length && a.holdsOnEmpty() }) {
		p = all(say("%s != null", root), p)
	}
	return p.text
}

func simpleAtom(a atom, at place) (phrase, bool) {
	operand := at(a.path)
	if operand == "" {
		return phrase{}, false
	}
	if a.length {
		n, _ := a.lit.size()
		return simpleLength(a.path, a.op, n, at)
	}
	lit, ok := simpleLiteral(a.lit)
	if !ok {
		return phrase{}, false
	}
	p := say("%s %s %s", operand, a.op, lit)
	if a.op == "!=" && a.lit.kind != litNull {
		p = one(say("%s == null", operand), p)
	}
	return p, true
}

// simpleLength compares a length by asking for items: a simple condition knows
// no functions. Items that are null count as absent.
func simpleLength(path []pathStep, op string, n int, at place) (phrase, bool) {
	item := func(i int) string {
		return at(append(append([]pathStep{}, path...), pathStep{name: strconv.Itoa(i), isIndex: true}))
	}
	has := func(i int) phrase { return say("%s != null", item(i)) }
	lacks := func(i int) phrase { return say("%s == null", item(i)) }
	exists := say("%s != null", at(path))
	if item(0) == "" {
		return phrase{}, false
	}
	switch {
	case op == ">":
		return has(n), true
	case op == ">=" && n > 0:
		return has(n - 1), true
	case op == ">=":
		return exists, true
	case op == "<" && n == 0:
		return phrase{}, false // never true: not what anybody means
	case op == "<":
		return all(exists, lacks(n-1)), true
	case op == "<=":
		return all(exists, lacks(n)), true
	case op == "==" && n == 0:
		return all(exists, lacks(0)), true
	case op == "==":
		return all(has(n-1), lacks(n)), true
	case n == 0: // !=
		return has(0), true
	}
	return all(exists, one(lacks(n-1), has(n))), true
}

func simpleLiteral(l literal) (string, bool) {
	switch l.kind {
	case litString:
		if t, err := expr.ParseTemplate(l.text); err != nil {
			return "", false
		} else if len(t.Expressions()) == 1 && "{"+t.Expressions()[0].Raw+"}" == l.text {
			return t.Expressions()[0].Raw, true
		} else if _, plain := t.Literal(); !plain {
			return "", false // text around an expression: simple conditions embed nothing
		}
		return "'" + strings.ReplaceAll(l.text, "'", "''") + "'", true
	case litNumber:
		return l.text, json.Valid([]byte(l.text))
	}
	return filterLiteral(l), true
}

// below returns the place function for paths inside the value of an expression.
func below(context expr.Expression) place {
	return func(path []pathStep) string {
		raw := context.Raw
		if len(path) == 0 {
			return raw
		}
		if !takesPointer(context) {
			return ""
		}
		if !context.HasPointer {
			raw += "#"
		}
		for _, s := range path {
			if s.name == "" || strings.ContainsAny(s.name, " \t\r\n!&()<=>{}|") {
				return "" // would end the operand in a condition
			}
			raw += value.Pointer{s.name}.String()
		}
		return raw
	}
}

// takesPointer reports whether an expression may be followed by "#" and a pointer.
func takesPointer(e expr.Expression) bool {
	switch e.Root {
	case expr.RootInputs, expr.RootOutputs, expr.RootSteps, expr.RootWorkflows:
		return true
	}
	return e.Part == "body" || e.Part == "payload"
}
