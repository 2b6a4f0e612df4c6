package compute

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// kind is the sort of a token.
type kind uint8

const (
	end    kind = iota
	name        // user, String, AND
	number      // 1234, 3.141
	text        // "Hello", 'Hello'
	mark        // operators and punctuation
)

type token struct {
	kind kind
	text string // of a text literal: what it stands for
	at   int    // byte offset
}

// marks are the operators and the punctuation, longer ones first.
var marks = []string{
	"==", "!=", "<=", ">=", "&&", "||", "?.", "?:",
	"<", ">", "!", "?", ":", "(", ")", "{", "}", "[", "]", ",", ".", "+", "-", "*", "/", "%",
}

// lex splits an expression into tokens; the last one is the end.
func lex(source string) ([]token, error) {
	l := lexer{source: source}
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		l.tokens = append(l.tokens, t)
		if t.kind == end {
			return l.tokens, nil
		}
	}
}

type lexer struct {
	source string
	at     int
	tokens []token
}

func (l *lexer) next() (token, error) {
	l.skip(unicode.IsSpace)
	start := l.at
	if start == len(l.source) {
		return token{kind: end, at: start}, nil
	}
	r, _ := utf8.DecodeRuneInString(l.source[start:])
	switch {
	case r == '"' || r == '\'':
		return l.literal(byte(r))
	case isDigit(r):
		l.number()
		return token{number, l.source[start:l.at], start}, nil
	case unicode.IsLetter(r) || r == '_' || r == '$':
		l.skip(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '$' })
		return token{name, l.source[start:l.at], start}, nil
	}
	for _, m := range marks {
		if strings.HasPrefix(l.source[start:], m) {
			l.at += len(m)
			return token{mark, m, start}, nil
		}
	}
	if r == '=' {
		return token{}, failAt(fault.Invalid, l.source, start, "values are compared with ==, and nothing can be assigned")
	}
	return token{}, failAt(fault.Invalid, l.source, start, "unexpected %q", r)
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func (l *lexer) skip(in func(rune) bool) {
	for l.at < len(l.source) {
		r, size := utf8.DecodeRuneInString(l.source[l.at:])
		if !in(r) {
			return
		}
		l.at += size
	}
}

// number reads digits, and a fraction when digits follow the point.
func (l *lexer) number() {
	l.skip(isDigit)
	rest := l.source[l.at:]
	if len(rest) > 1 && rest[0] == '.' && isDigit(rune(rest[1])) {
		l.at++
		l.skip(isDigit)
	}
}

// literal reads a text in quotes. A quote that stands twice is one quote; there
// are no other escapes (SpEL).
func (l *lexer) literal(quote byte) (token, error) {
	start := l.at
	var b strings.Builder
	for i := start + 1; i < len(l.source); i++ {
		if l.source[i] != quote {
			b.WriteByte(l.source[i])
			continue
		}
		if i+1 < len(l.source) && l.source[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		l.at = i + 1
		return token{text, b.String(), start}, nil
	}
	return token{}, failAt(fault.Invalid, l.source, start, "the text is not closed")
}
