// Package filtertest compares the parser of SCIM filters with those of others:
// it makes filters, compares trees, and holds the list of the differences that
// RFC 7644 explains (differences.yaml). Who the others are and how they are
// called is left to the tests that use it.
package filtertest

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/filter"
)

// Tree makes an expression and a text of it: in any case, and with parentheses
// where they are needed and sometimes where they are not. Equal seeds give equal
// expressions.
func Tree(seed uint64) (filter.Expr, string) {
	g := newGenerator(seed)
	e := g.expr(3, topNames, true)
	g.write(e, 0)
	return e, g.text.String()
}

// Texts makes n texts. Every other one is a filter by the grammar; the rest are
// filters that a few small changes were made to, which may make them wrong.
func Texts(seed uint64, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		at := seed + uint64(i)
		_, texts[i] = Tree(at)
		if i%2 == 1 {
			texts[i] = newGenerator(at).mutate(texts[i])
		}
	}
	return texts
}

const (
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User:"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
)

// What the filters consist of.
var (
	topNames = []string{
		"userName", "name.familyName", "title", "active", "emails", "emails.value", "externalId", "meta.lastModified", "schemas",
		coreUser + "userName", coreUser + "name.givenName", enterprise + "employeeNumber", enterprise + "manager.$ref",
		"urn:example:Badge:x-1_b", "a", "and", "not", "eq", "x-ray_9",
	}
	lists    = []string{"emails", "phoneNumbers", "addresses", coreUser + "ims", "members"}
	subNames = []string{"type", "value", "primary", "$ref", "display"}
	strs     = []string{
		`""`, `"bjensen"`, `"ann@example.org"`, `"work"`, `"2011-05-13T04:42:34Z"`, `"O'Malley"`, `"a b  c"`, `"a and (b or [c]) pr"`,
		`"\"quoted\""`, `"back\\slash"`, `"\/"`, `"tab\tnew\nline"`, `"\u00E9"`, `"\u00e9"`, `"\ud83d\ude00"`, `"é😀"`, `"\\\""`, `"urn:x:y"`, `"-1"`,
	}
	numbers   = []string{"0", "1", "-7", "12.50", "1e3", "-2.5E-3", "1E+2", "9007199254740993"}
	constants = []string{"true", "false", "null"}
	compares  = []filter.Op{
		filter.Equal, filter.NotEqual, filter.Contains, filter.StartsWith, filter.EndsWith,
		filter.Greater, filter.GreaterOrEqual, filter.Less, filter.LessOrEqual,
	}
)

type generator struct {
	r    *rand.Rand
	text strings.Builder
}

func newGenerator(seed uint64) *generator {
	const stream = 7644
	return &generator{r: rand.New(rand.NewPCG(seed, stream))} //nolint:gosec // the filters must be the same each time
}

func pick[T any](g *generator, from []T) T { return from[g.r.IntN(len(from))] }

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.r.IntN(n) == 0 }

// expr makes an expression over attributes, with value paths where those may
// stand.
func (g *generator) expr(depth int, names []string, paths bool) filter.Expr {
	choice := g.r.IntN(10)
	switch {
	case depth == 0 || choice < 4:
		return g.compare(names)
	case choice < 5 && paths:
		return &filter.Has{Path: pick(g, lists), Term: g.expr(depth-1, subNames, false)}
	case choice < 6:
		return &filter.Not{Term: g.expr(depth-1, names, paths)}
	}
	terms := make([]filter.Expr, 2+g.r.IntN(2))
	for i := range terms {
		terms[i] = g.expr(depth-1, names, paths)
	}
	if g.chance(2) {
		return &filter.And{Terms: terms}
	}
	return &filter.Or{Terms: terms}
}

func (g *generator) compare(names []string) filter.Expr {
	c := &filter.Compare{Path: pick(g, names), Op: filter.Present}
	if g.chance(6) {
		return c
	}
	c.Op = pick(g, compares)
	switch g.r.IntN(5) {
	case 0:
		c.Value = json.Number(pick(g, numbers))
	case 1:
		c.Value = map[string]any{"true": true, "false": false, "null": nil}[pick(g, constants)]
	default:
		c.Value = literal(pick(g, strs))
	}
	return c
}

// literal marks a JSON text that has to be written as it is.
type literal string

// Level of an expression: what it may stand in without parentheses.
const (
	inOr = iota + 1
	inAnd
	alone
)

func (g *generator) write(e filter.Expr, level int) {
	needs := false
	switch e.(type) {
	case *filter.Or:
		needs = level >= inOr
	case *filter.And:
		needs = level >= inAnd
	}
	if needs || g.chance(12) {
		g.text.WriteByte('(')
		defer g.text.WriteByte(')')
	}
	switch e := e.(type) {
	case *filter.Or:
		g.list(e.Terms, " or ", inOr)
	case *filter.And:
		g.list(e.Terms, " and ", inAnd)
	case *filter.Not:
		g.text.WriteString(g.cased("not") + strings.Repeat(" ", g.r.IntN(2)) + "(")
		g.write(e.Term, 0)
		g.text.WriteByte(')')
	case *filter.Has:
		g.text.WriteString(e.Path + "[")
		g.write(e.Term, 0)
		g.text.WriteByte(']')
	case *filter.Compare:
		g.comparison(e)
	}
}

func (g *generator) list(terms []filter.Expr, word string, level int) {
	for i, t := range terms {
		if i > 0 {
			g.text.WriteString(g.cased(word))
		}
		g.write(t, level)
	}
}

// comparison writes a term, and puts the meaning of a text in the place of its
// literal.
func (g *generator) comparison(c *filter.Compare) {
	g.text.WriteString(c.Path + " " + g.cased(string(c.Op)))
	if c.Op == filter.Present {
		return
	}
	g.text.WriteByte(' ')
	switch v := c.Value.(type) {
	case literal:
		g.text.WriteString(string(v))
		var s string
		if err := json.Unmarshal([]byte(v), &s); err == nil {
			c.Value = s
		}
	case json.Number:
		g.text.WriteString(v.String())
	case bool:
		g.text.WriteString(strconv.FormatBool(v))
	default:
		g.text.WriteString("null")
	}
}

// cased writes a word in capitals, sometimes.
func (g *generator) cased(word string) string {
	switch g.r.IntN(8) {
	case 0:
		return strings.ToUpper(word)
	case 1:
		return strings.ToUpper(word[:2]) + word[2:]
	}
	return word
}

// mutate makes one to three small changes.
func (g *generator) mutate(text string) string {
	for range 1 + g.r.IntN(3) {
		text = g.change(text)
	}
	return text
}

func (g *generator) change(text string) string {
	runes := []rune(text)
	if len(runes) == 0 {
		return " "
	}
	i := g.r.IntN(len(runes))
	before, after := string(runes[:i]), string(runes[i+1:])
	switch g.r.IntN(10) {
	case 0: // a character is missing
		return before + after
	case 1: // one is there twice
		return before + string(runes[i]) + string(runes[i]) + after
	case 2: // one too many
		const alphabet = " \t()[]\".:\\-_$/'aeqn0"
		return before + string(alphabet[g.r.IntN(len(alphabet))]) + string(runes[i:])
	case 3: // the end is missing
		return before
	case 4: // more or fewer blanks
		return strings.Replace(text, " ", pick(g, []string{"", "  "}), 1+g.r.IntN(3))
	case 5: // a sub-attribute after a value path
		return strings.Replace(text, "]", "]."+pick(g, subNames)+" eq "+pick(g, strs), 1)
	}
	return g.changeToken(text)
}

// changeToken removes, repeats, exchanges or replaces one of the words between
// blanks.
func (g *generator) changeToken(text string) string {
	tokens := strings.Split(text, " ")
	i := g.r.IntN(len(tokens))
	switch g.r.IntN(5) {
	case 0:
		tokens = append(tokens[:i], tokens[i+1:]...)
	case 1:
		tokens = append(tokens[:i+1], tokens[i:]...)
	case 2:
		j := g.r.IntN(len(tokens))
		tokens[i], tokens[j] = tokens[j], tokens[i]
	case 3:
		tokens[i] = strings.ReplaceAll(tokens[i], `"`, "")
	default:
		tokens[i] = pick(g, []string{"and", "or", "not", "(", ")", "pr", "eq", "xx", "True", "01", "userName", `"x"`, "emails[type", "{}"})
	}
	return strings.Join(tokens, " ")
}
