package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// SyntaxError says where a text stops being the expression it looks like.
type SyntaxError struct {
	Text   string // the whole text
	Offset int    // byte offset into Text
	Msg    string // what was expected there
}

// Error names the text, the offset and what was expected.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%q is not a runtime expression: at offset %d %s", e.Text, e.Offset, e.Msg)
}

// As lets the error be read as an Invalid fault, so that its text is public.
func (e *SyntaxError) As(target any) bool { return asInvalid(target, "", e.Error()) }

// asInvalid fills target when it asks for a *fault.Error.
func asInvalid(target any, place, msg string) bool {
	f, ok := target.(**fault.Error)
	if ok {
		*f = fault.New(fault.Invalid, "%s", msg)
		(*f).Place = place
	}
	return ok
}

// Parse reads s as exactly one runtime expression of the Arazzo 1.1 grammar,
// which is the 1.0 grammar without its ambiguities (N25-N35). Two rules are
// stricter than the ABNF: names are not empty, and each message has only the
// parts that it can have, so $response.query.x is refused here and not when a
// run looks for it. The error is a *SyntaxError.
func Parse(s string) (Expression, error) {
	e, end, err := scan(s, nil)
	if err != nil {
		return Expression{}, err
	}
	if end < len(s) {
		return Expression{}, &SyntaxError{Text: s, Offset: end, Msg: leftover(e, s[end:])}
	}
	return e, nil
}

// LooksLikeExpression reports whether s starts like a runtime expression: with
// a known root, followed by ".", "#" or the end. It tells "$5" and "$ref",
// which are text (N38), from a mistyped expression such as "$inputs" or
// "$response.body.id".
func LooksLikeExpression(s string) bool {
	root, rest := splitRoot(s)
	if !knownRoot(root) {
		return false
	}
	return rest == "" || rest[0] == '.' || rest[0] == '#'
}

// splitRoot cuts "$" and the letters after it off s.
func splitRoot(s string) (root, rest string) {
	if s == "" || s[0] != '$' {
		return "", s
	}
	end := 1
	for end < len(s) && isIdent(s[end]) && s[end] != '-' {
		end++
	}
	return s[:end], s[end:]
}

func knownRoot(s string) bool {
	switch Root(s) {
	case RootURL, RootMethod, RootStatusCode, RootRequest, RootResponse, RootMessage, RootInputs, RootOutputs,
		RootSteps, RootWorkflows, RootSources, RootComponents, RootSelf:
		return true
	}
	return false
}

// scan reads the longest expression that s starts with and returns its length.
// Names and pointers that the grammar leaves open also end before a byte for
// which stop reports true; a nil stop never does.
func scan(s string, stop func(byte) bool) (Expression, int, error) {
	if stop == nil {
		stop = func(byte) bool { return false }
	}
	c := scanner{text: s, stop: stop}
	c.e.Root = Root(c.root())
	if c.err == nil {
		c.reference()
	}
	if c.err != nil {
		return Expression{}, c.pos, c.err
	}
	c.e.Raw = s[:c.pos]
	return c.e, c.pos, nil
}

// scanner is a recursive descent over the grammar. The first error sticks and
// makes the remaining calls do nothing.
type scanner struct {
	text string
	pos  int
	stop func(byte) bool
	e    Expression
	err  error
}

func (c *scanner) fail(format string, args ...any) {
	if c.err == nil {
		c.err = &SyntaxError{Text: c.text, Offset: c.pos, Msg: fmt.Sprintf(format, args...)}
	}
}

const roots = "$url, $method, $statusCode, $request, $response, $message, $inputs, $outputs, $steps, $workflows, $sourceDescriptions, $components or $self"

func (c *scanner) root() string {
	root, _ := splitRoot(c.text)
	if !knownRoot(root) {
		c.fail("expected %s", roots)
		return ""
	}
	c.pos = len(root)
	return root
}

// reference reads what follows the root.
func (c *scanner) reference() {
	e := &c.e
	switch e.Root {
	case RootURL, RootMethod, RootStatusCode, RootSelf:
	case RootRequest:
		c.dot("header.<name>, query.<name>, path.<name> or body")
		c.message("header", "query", "path", "body")
	case RootResponse:
		c.dot("header.<name> or body")
		c.message("header", "body")
	case RootMessage:
		c.dot("header.<name> or payload")
		c.message("header", "payload")
	case RootInputs:
		c.dot("the name of an input")
		e.Name = c.identifier("the name of an input")
		c.pointer()
	case RootOutputs:
		c.dot("the name of an output")
		e.Name = c.identifier("the name of an output")
		c.pointer()
	case RootSteps:
		c.dot("a stepId")
		e.Owner = c.strict("a stepId")
		c.dot("outputs.<name>")
		e.Part = c.word("outputs")
		c.dot("the name of an output")
		e.Name = c.identifier("the name of an output")
		c.pointer()
	case RootWorkflows:
		c.dot("a workflowId")
		e.Owner = c.strict("a workflowId")
		c.dot("inputs.<name> or outputs.<name>")
		e.Part = c.word("inputs", "outputs")
		c.dot("a name")
		e.Name = c.identifier("a name")
		c.pointer()
	case RootSources:
		c.dot("the name of a source")
		e.Owner = c.strict("the name of a source")
		c.dot("url, an operationId or a workflowId")
		e.Name = c.free("url, an operationId or a workflowId")
	case RootComponents:
		c.dot("parameters, successActions or failureActions")
		e.Part = c.word("parameters", "successActions", "failureActions")
		c.dot("the name of a component")
		e.Name = c.identifier("the name of a component")
	}
}

// message reads a part of a request, response or message.
func (c *scanner) message(parts ...string) {
	c.e.Part = c.word(parts...)
	switch c.e.Part {
	case "header":
		c.dot("a header name")
		c.e.Name = c.run("a header name", isToken)
	case "query", "path":
		c.dot("the name of a parameter")
		c.e.Name = c.free("the name of a parameter")
	case "body", "payload":
		c.pointer()
	}
}

func (c *scanner) dot(before string) {
	if c.err != nil {
		return
	}
	if c.pos >= len(c.text) || c.text[c.pos] != '.' {
		c.fail("expected \".\" and %s", before)
		return
	}
	c.pos++
}

// word reads one of the given words.
func (c *scanner) word(words ...string) string {
	if c.err != nil {
		return ""
	}
	rest := c.text[c.pos:]
	end := 0
	for end < len(rest) && isIdent(rest[end]) {
		end++
	}
	for _, w := range words {
		if rest[:end] == w {
			c.pos += end
			return w
		}
	}
	c.fail("expected %s", orList(words))
	return ""
}

func orList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// strict reads identifier-strict: the ids of steps, workflows and sources.
func (c *scanner) strict(what string) string { return c.run(what, isIdent) }

// identifier reads a name that may contain dots.
func (c *scanner) identifier(what string) string {
	return c.run(what, func(b byte) bool { return isIdent(b) || b == '.' })
}

// run reads one or more bytes of a class.
func (c *scanner) run(what string, class func(byte) bool) string {
	if c.err != nil {
		return ""
	}
	start := c.pos
	for c.pos < len(c.text) && class(c.text[c.pos]) && !c.stop(c.text[c.pos]) {
		c.pos++
	}
	if c.pos == start {
		c.fail("expected %s", what)
	}
	return c.text[start:c.pos]
}

// free reads 1*CHAR: any character but controls, braces, quotation marks and
// lone backslashes; backslash escapes are those of JSON.
func (c *scanner) free(what string) string {
	if c.err != nil {
		return ""
	}
	start, escaped := c.pos, false
	for c.pos < len(c.text) {
		b := c.text[c.pos]
		if b == '\\' {
			n := escapeLen(c.text[c.pos:])
			if n == 0 {
				c.fail("expected a JSON escape after \\")
				return ""
			}
			escaped = true
			c.pos += n
			continue
		}
		if b < 0x20 || b == '"' || b == '{' || b == '}' || c.stop(b) {
			break
		}
		_, size := utf8.DecodeRuneInString(c.text[c.pos:])
		if size == 1 && b >= utf8.RuneSelf {
			c.fail("expected valid UTF-8")
			return ""
		}
		c.pos += size
	}
	name := c.text[start:c.pos]
	if name == "" {
		c.fail("expected %s", what)
	}
	if !escaped {
		return name
	}
	var plain string
	if err := json.Unmarshal([]byte(`"`+name+`"`), &plain); err != nil {
		c.fail("expected JSON escapes only")
	}
	return plain
}

// escapeLen returns the length of the JSON escape that s starts with, 0 for none.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	if s[1] != 'u' {
		if strings.IndexByte(`"\/bfnrt`, s[1]) < 0 {
			return 0
		}
		return 2
	}
	if len(s) < 6 {
		return 0
	}
	for i := 2; i < 6; i++ {
		if !isHex(s[i]) {
			return 0
		}
	}
	return 6
}

// pointer reads "#" and a JSON Pointer, when there is one.
func (c *scanner) pointer() {
	if c.err != nil || c.pos >= len(c.text) || c.text[c.pos] != '#' {
		return
	}
	start := c.pos + 1
	end := start
	for end < len(c.text) && c.text[end] != '{' && c.text[end] != '}' && !c.stop(c.text[end]) {
		end++
	}
	p, err := value.ParsePointer(c.text[start:end])
	if err != nil {
		c.pos = start
		var f *fault.Error
		if errors.As(err, &f) {
			c.fail("expected a JSON Pointer after #: %s", f.Msg)
		}
		return
	}
	c.e.Pointer, c.e.HasPointer = p, true
	c.pos = end
}

// leftover explains text that follows a complete expression.
func leftover(e Expression, rest string) string {
	expected := "expected the end"
	hasPointer := e.Part == "body" || e.Part == "payload" || e.Root == RootInputs || e.Root == RootOutputs ||
		e.Root == RootSteps || e.Root == RootWorkflows
	if hasPointer && !e.HasPointer {
		expected = "expected \"#\" and a JSON Pointer, or the end"
		if p := pointerFor(rest); p != "" {
			expected += fmt.Sprintf("; perhaps %s#%s is meant", e.Raw, p)
		}
	}
	return expected
}

// pointerFor turns ".a[0].b" into "/a/0/b", "" when it is not such a path.
func pointerFor(path string) string {
	p, end, err := scanPath(path)
	if err != nil || end != len(path) {
		return ""
	}
	return p.String()
}

func isIdent(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_'
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isHex(b byte) bool {
	return isDigit(b) || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// isToken is tchar of RFC 9110 5.6.2: the characters of header names.
func isToken(b byte) bool {
	return b != '-' && b != '_' && isIdent(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

// scanPath reads property and index accesses: .name, [0] and ['any ”name”].
// It returns them as a pointer, because a dot before digits reaches into an
// array as well, and the length read.
func scanPath(s string) (value.Pointer, int, error) {
	var p value.Pointer
	pos := 0
	for pos < len(s) {
		var token string
		var n int
		var err error
		switch s[pos] {
		case '.':
			token, n, err = scanMember(s[pos:])
		case '[':
			token, n, err = scanIndex(s[pos:])
		default:
			return p, pos, nil
		}
		if err != nil {
			return nil, pos, err
		}
		p = append(p, token)
		pos += n
	}
	return p, pos, nil
}

var (
	errMember = errors.New("expected a property name after the dot")
	errIndex  = errors.New("expected [0] or ['name']")
)

func scanMember(s string) (string, int, error) {
	end := 1
	for end < len(s) && isIdent(s[end]) {
		end++
	}
	if end == 1 {
		return "", 0, errMember
	}
	return s[1:end], end, nil
}

func scanIndex(s string) (string, int, error) {
	if len(s) < 3 {
		return "", 0, errIndex
	}
	var token string
	end := 1
	if s[1] == '\'' {
		text, n := scanQuoted(s[1:])
		if n == 0 {
			return "", 0, errIndex
		}
		token, end = text, 1+n
	} else {
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		token = s[1:end]
		if token == "" || len(token) > 1 && token[0] == '0' {
			return "", 0, errIndex
		}
	}
	if end >= len(s) || s[end] != ']' {
		return "", 0, errIndex
	}
	return token, end + 1, nil
}

// scanQuoted reads a single-quoted text whose quotes are doubled inside (N43)
// and returns its value and length, 0 when it does not end.
func scanQuoted(s string) (string, int) {
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		return strings.ReplaceAll(s[1:i], "''", "'"), i + 1
	}
	return "", 0
}
