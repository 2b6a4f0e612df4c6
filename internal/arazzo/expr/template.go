package expr

import (
	"errors"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Template is a text of a document: one bare expression, text with expressions
// embedded in braces, or just text. The zero Template is the empty text.
type Template struct {
	text  string
	whole bool // text is one bare expression, the only part
	parts []part
}

// part is literal text, or an expression when isExpr is set.
type part struct {
	text   string
	expr   Expression
	isExpr bool
	offset int // of the part in the template's text
}

// ParseTemplate reads s. If all of s is an expression, its value keeps its type
// (N36). Otherwise only "{$", a valid expression and "}" is one; other braces,
// and a "$" that starts no expression, are text (A18, N38), so "{$inputs.n}"
// gives a string (A19). "{$" with a known root that is not a valid expression
// is an error, a *SyntaxError: it can only be a mistake.
func ParseTemplate(s string) (Template, error) {
	if strings.HasPrefix(s, "$") {
		if e, err := Parse(s); err == nil {
			return Template{text: s, whole: true, parts: []part{{text: s, expr: e, isExpr: true}}}, nil
		}
	}
	return parseEmbedded(s)
}

// parseEmbedded reads s as text in which only braces mark expressions.
func parseEmbedded(s string) (Template, error) {
	t := Template{text: s}
	from := 0 // start of the literal text not yet added
	for at := 0; ; {
		i := strings.Index(s[at:], "{$")
		if i < 0 {
			break
		}
		open := at + i
		e, end, err := embedded(s, open)
		if err != nil {
			return Template{}, err
		}
		if end == 0 {
			at = open + 2
			continue
		}
		if open > from {
			t.parts = append(t.parts, part{text: s[from:open], offset: from})
		}
		t.parts = append(t.parts, part{text: s[open:end], expr: e, isExpr: true, offset: open})
		at, from = end, end
	}
	if from < len(s) {
		t.parts = append(t.parts, part{text: s[from:], offset: from})
	}
	return t, nil
}

// embedded reads the expression in the braces that open at the given offset
// and returns where they end; 0 when it is plain text. The grammar keeps braces
// out of expressions, so the next brace ends it.
func embedded(s string, open int) (Expression, int, error) {
	inner, closed := s[open+1:], false
	if brace := strings.IndexAny(inner, "{}"); brace >= 0 {
		closed = inner[brace] == '}'
		inner = inner[:brace]
	}
	if !closed {
		if !LooksLikeExpression(inner) {
			return Expression{}, 0, nil
		}
		return Expression{}, 0, &SyntaxError{Text: s, Offset: open + 1 + len(inner), Msg: "expected } after the embedded expression"}
	}
	e, err := Parse(inner)
	if err == nil {
		return e, open + 1 + len(inner) + 1, nil
	}
	if !LooksLikeExpression(inner) {
		return Expression{}, 0, nil
	}
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		err = &SyntaxError{Text: s, Offset: open + 1 + syntax.Offset, Msg: syntax.Msg}
	}
	return Expression{}, 0, err
}

// String returns the template as written.
func (t Template) String() string { return t.text }

// Whole returns the expression that is all of the template.
func (t Template) Whole() (Expression, bool) {
	if !t.whole {
		return Expression{}, false
	}
	return t.parts[0].expr, true
}

// Literal returns the text of a template without expressions.
func (t Template) Literal() (string, bool) {
	for _, p := range t.parts {
		if p.isExpr {
			return "", false
		}
	}
	return t.text, true
}

// Expressions returns the expressions in the order they are written.
func (t Template) Expressions() []Expression {
	var out []Expression
	for _, p := range t.parts {
		if p.isExpr {
			out = append(out, p.expr)
		}
	}
	return out
}

// Eval returns the value of a whole expression with its type (N36), or the text
// with each embedded value written by value.Text (N37). A structure belongs to
// the scope and must not be changed. The error is an *Unresolved.
func (t Template) Eval(s Scope) (any, error) {
	if t.whole {
		return Resolve(t.parts[0].expr, s)
	}
	return t.fill(s, nil)
}

// EvalJSON is Eval for a template that is JSON text (A18): a value that stands
// inside a JSON string is escaped, so that it stays inside and cannot add
// members to what is around it. Elsewhere values are written as they are (A19).
func (t Template) EvalJSON(s Scope) (string, error) {
	quotes := literalQuotes(t, true)
	return t.fill(s, func(i int, text string) (string, error) {
		if quotes[i] != '"' {
			return text, nil
		}
		escaped, err := value.Encode(text)
		if err != nil {
			return "", err
		}
		return string(escaped[1 : len(escaped)-1]), nil
	})
}

// fill writes the template with its expressions replaced. escape, when given,
// says how part i's text is written.
func (t Template) fill(s Scope, escape func(i int, text string) (string, error)) (string, error) {
	if len(t.parts) == 1 && !t.parts[0].isExpr {
		return t.text, nil
	}
	var b strings.Builder
	for i := range t.parts {
		p := &t.parts[i]
		if !p.isExpr {
			b.WriteString(p.text)
			continue
		}
		v, err := Resolve(p.expr, s)
		if err != nil {
			return "", err
		}
		text := value.Text(v)
		if escape != nil {
			if text, err = escape(i, text); err != nil {
				return "", err
			}
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// Quoted is an expression that stands inside quotes in the text around it.
type Quoted struct {
	Expression Expression
	Quote      byte // ' or "
}

// QuotedExpressions returns the embedded expressions that stand between
// matching quotes: userName eq "{$inputs.user}". A value with that quote would
// end the text early and change what it says (filter injection), so the caller
// refuses it. Other text may stand between quote and expression; an apostrophe
// after a letter, as in "it's", opens nothing.
func (t Template) QuotedExpressions() []Quoted {
	if t.whole {
		return nil
	}
	around := t.quotesAround()
	var out []Quoted
	for i, p := range t.parts {
		if p.isExpr && around[i] != 0 {
			out = append(out, Quoted{Expression: p.expr, Quote: around[i]})
		}
	}
	return out
}

// quotesAround returns for each part the quote it stands in, 0 for none.
func (t Template) quotesAround() []byte {
	around := make([]byte, len(t.parts))
	var open byte     // the quote we are in
	var waiting []int // expressions since it opened: inside only once it closes
	var last byte     // the byte before
	for i, p := range t.parts {
		if p.isExpr {
			// Quotes right at the braces count even where an odd quote before
			// them, as in 5" pipe, has put the count out of step.
			if q := t.adjacentQuote(p); q != 0 {
				around[i] = q
			} else if open != 0 {
				waiting = append(waiting, i)
			}
			last = '}'
			continue
		}
		for j := 0; j < len(p.text); j++ {
			c := p.text[j]
			switch {
			case open != 0 && c == '\\':
				j++
			case open != 0 && c == open:
				for _, w := range waiting {
					around[w] = open
				}
				open, waiting = 0, nil
			case open == 0 && (c == '"' || c == '\'' && !isIdent(last)):
				open = c
			}
			last = c
		}
	}
	return around
}

func (t Template) adjacentQuote(p part) byte {
	before, after := p.offset-1, p.offset+len(p.text)
	if before < 0 || after >= len(t.text) || t.text[before] != t.text[after] {
		return 0
	}
	if q := t.text[before]; q == '"' || q == '\'' {
		return q
	}
	return 0
}
