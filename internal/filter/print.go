package filter

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

// String writes the terms in the grammar of SCIM, joined by and.
func (e *And) String() string { return join(e.Terms, " and ") }

// String writes the terms in the grammar of SCIM, joined by or.
func (e *Or) String() string { return join(e.Terms, " or ") }

// String writes not and the term in parentheses.
func (e *Not) String() string { return "not (" + e.Term.String() + ")" }

// String writes the path and the term in brackets.
func (e *Has) String() string { return e.Path + "[" + e.Term.String() + "]" }

// String writes path, operator and literal. What only Lucene has is written
// alike, for people.
func (c *Compare) String() string {
	switch v := c.Value.(type) {
	case Range:
		return c.Path + " in " + v.String()
	case Pattern:
		return c.Path + " like " + quote(string(v))
	case string:
		return c.Path + " " + string(c.Op) + " " + quote(v)
	}
	if c.Op == Present {
		return c.Path + " pr"
	}
	return c.Path + " " + string(c.Op) + " " + value.Text(c.Value)
}

// String writes the range as Lucene does.
func (r Range) String() string {
	low, high := "[", "]"
	if r.Low.Open {
		low = "{"
	}
	if r.High.Open {
		high = "}"
	}
	return low + r.Low.String() + " TO " + r.High.String() + high
}

// String writes the bound's text in quotes, or *.
func (b Bound) String() string {
	if b.Unlimited {
		return "*"
	}
	return quote(b.Text)
}

// join puts terms that are lists themselves in parentheses: and in or does not
// need them, everything else would be read as another tree.
func join(terms []Expr, word string) string {
	texts := make([]string, len(terms))
	for i, t := range terms {
		texts[i] = t.String()
		_, isOr := t.(*Or)
		_, isAnd := t.(*And)
		if isOr || isAnd && word == " and " {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, word)
}

// quote writes a JSON string. A string cannot fail to be written.
func quote(text string) string {
	b, err := value.Encode(text)
	if err != nil {
		return `""`
	}
	return string(b)
}
