package expr

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/value"
)

// subject is what a program looks at: the value of a context and, on demand,
// its text.
type subject struct {
	value any
	text  func() string
}

// program is one compiled regex, JSONPath, XPath or JSON Pointer.
type program interface {
	// test reports whether the subject passes as a criterion; when it does not,
	// reason may say why.
	test(subject) (pass bool, reason string, err error)
	// find returns the selected value as a selector, or ok false for nothing.
	find(subject) (v any, ok bool, err error)
}

// query is the text of a program, in which expressions may be embedded (N50).
type query struct {
	typ    Type
	text   Template
	quotes []byte  // the quote around each part of text, 0 for none
	static program // when no expressions are embedded

	mu     sync.Mutex
	recent map[string]program // by text, when expressions are embedded
}

// maxRecent bounds the programs kept per query: a loop fills in new values for
// ever.
const maxRecent = 32

func compileQuery(text string, typ Type) (*query, error) {
	if text == "" {
		return nil, &ConditionError{Kind: typ.errorKind(), Msg: fmt.Sprintf("the %s is empty", typ.Name)}
	}
	t, err := parseEmbedded(text)
	if err != nil {
		return nil, &ConditionError{Kind: ErrExpression, Offset: offsetOf(err), Msg: err.Error()}
	}
	q := &query{typ: typ, text: t}
	if literal, ok := t.Literal(); ok {
		q.static, err = compileProgram(literal, typ)
		return q, err
	}
	if typ.Name == "jsonpath" || typ.Name == "xpath" {
		q.quotes = literalQuotes(t, typ.Name == "jsonpath")
	}
	q.recent = make(map[string]program)
	return q, nil
}

func offsetOf(err error) int {
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Offset
	}
	return 0
}

func (t Type) errorKind() ConditionErrorKind {
	switch t.Name {
	case "regex":
		return ErrRegex
	case "jsonpath":
		return ErrJSONPath
	case "xpath":
		return ErrXPath
	case "jsonpointer":
		return ErrPointer
	}
	return ErrSyntax
}

func compileProgram(text string, typ Type) (program, error) {
	switch typ.Name {
	case "regex":
		return compileRegex(text)
	case "jsonpath":
		return compileJSONPath(text)
	case "xpath":
		return compileXPath(text, typ.Version)
	}
	return compilePointer(text)
}

// literalQuotes returns the quote of the string literal that each part of t
// stands in.
func literalQuotes(t Template, backslash bool) []byte {
	quotes := make([]byte, len(t.parts))
	var open byte
	for i, p := range t.parts {
		quotes[i] = open
		if p.isExpr {
			continue
		}
		for j := 0; j < len(p.text); j++ {
			switch c := p.text[j]; {
			case open != 0 && c == '\\' && backslash:
				j++
			case open != 0 && c == open:
				open = 0
			case open == 0 && (c == '"' || c == '\''):
				open = c
			}
		}
	}
	return quotes
}

// program returns the program with its embedded expressions filled in.
func (q *query) program(s Scope) (program, error) {
	if q.static != nil {
		return q.static, nil
	}
	text, err := q.text.fill(s, q.escape)
	if err != nil {
		return nil, err
	}
	if err := checkLength(text); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if p, ok := q.recent[text]; ok {
		return p, nil
	}
	p, err := compileProgram(text, q.typ)
	if err != nil {
		// The message of the compiler quotes the text, which now holds values.
		return nil, &ConditionError{Kind: q.typ.errorKind(),
			Msg: fmt.Sprintf("with its values filled in, %s is no valid %s", abbreviate(q.text.text), q.typ.Name)}
	}
	if len(q.recent) >= maxRecent {
		clear(q.recent)
	}
	q.recent[text] = p
	return p, nil
}

// escape writes a value so that it stays inside the string literal that its
// expression stands in. Outside of literals, and in regular expressions, the
// specification wants plain substitution: the value is part of the program.
func (q *query) escape(i int, text string) (string, error) {
	if q.typ.Name == "jsonpointer" {
		return strings.TrimPrefix(value.Pointer{text}.String(), "/"), nil
	}
	if q.quotes == nil || q.quotes[i] == 0 {
		return text, nil
	}
	quote := q.quotes[i]
	if q.typ.Name == "jsonpath" {
		return escapeJSONPath(text, quote), nil
	}
	if strings.IndexByte(text, quote) >= 0 {
		return "", &ConditionError{Kind: ErrXPath,
			Msg: fmt.Sprintf("the value of %s holds the quote %c it stands in, and XPath cannot escape it", q.text.parts[i].expr.Raw, quote)}
	}
	return text, nil
}
