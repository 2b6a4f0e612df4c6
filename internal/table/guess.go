package table

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Guess is what a column of a text file was taken for, and why.
type Guess struct {
	Column string `json:"column"`
	Header string `json:"header,omitempty"` // as the file has it, when that is another name
	Type   Type   `json:"type"`
	Why    string `json:"why"`
	Filled int64  `json:"filled"`
	Empty  int64  `json:"empty"`
}

// profile is what is known of the cells of a column. All of them are looked at, so
// that a guess is a proof: every cell reads as the type.
type profile struct {
	filled, empty int64
	against       map[Type]witness // the first cell that is none of the type
	remark        string           // what else keeps the column a text
	dates         int64            // that have no fixed order of day and month
}

type witness struct {
	line int
	text string
}

// guessed are the types that a column can be taken for, the strictest first.
var guessed = []Type{Boolean, Number, Date, Time, JSON}

// looseDate is a date whose day and month stand in the order of some country.
var looseDate = regexp.MustCompile(`^[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{2,4}$`)

var leadingZero = regexp.MustCompile(`^-?0[0-9]+(\.[0-9]+)?$`)

// maxAmount is how many digits an amount has: more make it a code.
const maxAmount = 15

func (p *profile) see(line int, text string) {
	if text == "" {
		p.empty++
		return
	}
	p.filled++
	if p.against == nil {
		p.against = map[Type]witness{}
	}
	for _, t := range guessed {
		if _, out := p.against[t]; !out && !p.like(t, line, text) {
			p.against[t] = witness{line, text}
		}
	}
	if looseDate.MatchString(text) && !isDate(text) {
		p.dates++
	}
}

// like reports whether a text reads as a type and is nothing else.
func (p *profile) like(t Type, line int, text string) bool {
	switch t {
	case Boolean:
		return strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
	case Number:
		return p.amount(line, text)
	case Date:
		return isDate(text)
	case Time:
		return isTime(text)
	}
	if text[0] != '{' && text[0] != '[' {
		return false
	}
	_, err := value.DecodeExact([]byte(text))
	return err == nil
}

// amount reports whether a text is a number that may be written as one: a leading
// zero, an exponent and a great many digits belong to codes.
func (p *profile) amount(line int, text string) bool {
	digits := strings.TrimPrefix(text, "-")
	switch {
	case leadingZero.MatchString(text):
		p.note("%s in line %d begins with a zero that would be lost", quote(text), line)
	case isNumber(text) && strings.ContainsAny(text, "eE"):
		p.note("%s in line %d may be a code as well as a number", quote(text), line)
	case isNumber(text) && len(digits) > maxAmount:
		p.note("%s in line %d has the digits of a code", quote(text), line)
	default:
		return isNumber(text)
	}
	return false
}

func (p *profile) note(format string, args ...any) {
	if p.remark == "" {
		p.remark = fmt.Sprintf(format, args...)
	}
}

// guess says what the column is.
func (p *profile) guess() (Type, string) {
	if p.filled == 0 {
		return Text, "no cell has anything in it"
	}
	for _, t := range guessed {
		if _, out := p.against[t]; !out {
			return t, fmt.Sprintf("all filled cells are %s (%d)", plural[t], p.filled)
		}
	}
	last, nearest := p.nearest()
	switch {
	case p.dates == p.filled:
		return Text, fmt.Sprintf("day and month of %s in line %d could be told apart in more than one way", quote(last.text), last.line)
	case p.remark != "":
		return Text, p.remark
	case nearest == Text:
		return Text, fmt.Sprintf("%s in line %d is nothing else", quote(last.text), last.line)
	}
	return Text, fmt.Sprintf("%s in line %d is no %s", quote(last.text), last.line, nearest)
}

// nearest returns the type that most cells could have had, and the first one that
// could not. When the first cell of all fits none, its form tells what was meant.
func (p *profile) nearest() (last witness, nearest Type) {
	first := witness{}
	for _, t := range guessed {
		w := p.against[t]
		if first.line == 0 || w.line < first.line {
			first = w
		}
		if w.line > last.line {
			last, nearest = w, t
		}
	}
	if last.line > first.line {
		return last, nearest
	}
	switch text := first.text; {
	case strings.ContainsRune("{[", rune(text[0])):
		return first, JSON
	case len(text) > len(dateForm) && isDate(text[:len(dateForm)]):
		return first, Time
	case looseDate.MatchString(text):
		return first, Date
	}
	return first, Text
}

var plural = map[Type]string{Boolean: "true or false", Number: "numbers", Date: "dates", Time: "times", JSON: "JSON"}

// notInName is what a column's name cannot have.
var notInName = regexp.MustCompile(`[^\p{L}\p{M}\p{N}_$-]+`)

// nameOf makes the name of a column of a file's header; empty when nothing of it
// can be one.
func nameOf(header string) string {
	if columnName.MatchString(strings.TrimSpace(header)) {
		return strings.TrimSpace(header)
	}
	name := strings.Trim(notInName.ReplaceAllString(strings.TrimSpace(header), "_"), "_-")
	if name == "" {
		return ""
	}
	if !columnName.MatchString(name) {
		name = "_" + name
	}
	if runes := []rune(name); len(runes) > MaxNameLength {
		name = string(runes[:MaxNameLength])
	}
	return name
}
