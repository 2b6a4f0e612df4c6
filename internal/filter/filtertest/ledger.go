package filtertest

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/filter"
)

// Outcome is how somebody's parser differs from ours.
type Outcome string

// The outcomes.
const (
	Agrees         Outcome = "agrees"          // both refuse, or both read the same
	Accepts        Outcome = "accepts"         // what we refuse
	Refuses        Outcome = "refuses"         // what we accept
	ReadsOtherwise Outcome = "reads otherwise" // what both accept
	Differs        Outcome = "differs"         // of an entry: any of these three
)

// Difference is an entry of differences.yaml: something on which a parser and
// ours differ, and how the difference is taken away. It explains a filter when
// both parsers read the same after that, or when other entries explain what is
// left.
type Difference struct {
	Parser  string  // whose
	Outcome Outcome // what it does
	Clause  string  // of which RFC, that decides
	Reason  string  // what the clause says
	Example string  // a filter that shows it

	Relax  string // the one of our options that has to be on, or
	Where  string // a regular expression for what is replaced in the filter, where quoted texts are "0", "1" ..., or
	Quoted string // one for what is replaced in each quoted text
	With   string // the replacement

	// NoFilter explains a filter at once: what the parser makes of it has
	// comparisons without an operator or a value.
	NoFilter bool

	where, quoted *regexp.Regexp
}

// Parser is somebody's parser: nil says that it refuses.
type Parser func(text string) filter.Expr

// Ledger explains the differences of one parser, and counts.
type Ledger struct {
	parse   Parser
	same    func(a, b filter.Expr) bool
	entries []*Difference
	counts  map[*Difference]int
	agreed  map[bool]int // refused and accepted filters on which both agree
}

//go:embed differences.yaml
var listed []byte

// OpenLedger returns a ledger with the entries about a parser. Same says when two
// trees are no difference: Same, or Equivalent for a parser that has no trees.
func OpenLedger(name string, parse Parser, same func(a, b filter.Expr) bool) (*Ledger, error) {
	var all []*Difference
	dec := yaml.NewDecoder(bytes.NewReader(listed))
	dec.KnownFields(true)
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("differences.yaml: %w", err)
	}
	l := &Ledger{parse: parse, same: same, counts: map[*Difference]int{}, agreed: map[bool]int{}}
	for _, d := range all {
		if err := d.prepare(); err != nil {
			return nil, fmt.Errorf("differences.yaml: %q: %w", d.Example, err)
		}
		if d.Parser == name {
			l.entries = append(l.entries, d)
		}
	}
	return l, nil
}

func (d *Difference) prepare() error {
	if d.Parser == "" || d.Clause == "" || d.Reason == "" || d.Example == "" {
		return errors.New("parser, clause, reason and example have to be there")
	}
	if !slices.Contains([]Outcome{Accepts, Refuses, ReadsOtherwise, Differs}, d.Outcome) {
		return fmt.Errorf("there is no outcome %q", d.Outcome)
	}
	var err error
	switch {
	case d.Relax != "":
		err = relax(&filter.SCIMOptions{}, d.Relax)
	case d.Where != "":
		d.where, err = regexp.Compile(d.Where)
	case d.Quoted != "":
		d.quoted, err = regexp.Compile(d.Quoted)
	case d.NoFilter:
	default:
		err = errors.New("one of relax, where, quoted and nofilter has to be there")
	}
	return err
}

func relax(o *filter.SCIMOptions, name string) error {
	switch name {
	case "ValuePathSuffix":
		o.ValuePathSuffix = true
	case "Unquoted":
		o.Unquoted = true
	case "Blanks":
		o.Blanks = true
	default:
		return fmt.Errorf("there is no option %q", name)
	}
	return nil
}

// Check compares both parsers on a filter. The error shows a difference that
// the entries do not explain.
func (l *Ledger) Check(text string) error {
	s := l.ask(text, filter.SCIMOptions{})
	if s.outcome == Agrees {
		l.agreed[s.ours != nil]++
		return nil
	}
	used := l.shortest(s)
	if used == nil {
		return fmt.Errorf("%s: %s\n\tours:   %s\n\ttheirs: %s", s.outcome, text, shown(s.ours), shown(s.theirs))
	}
	for _, d := range used {
		l.counts[d]++
	}
	return nil
}

// state is what both parsers make of a text.
type state struct {
	text         string
	options      filter.SCIMOptions
	ours, theirs filter.Expr
	outcome      Outcome
}

func (l *Ledger) ask(text string, options filter.SCIMOptions) state {
	s := state{text: text, options: options, theirs: l.parse(text)}
	if ours, _, err := filter.ParseSCIM(text, options); err == nil {
		s.ours = ours
	}
	switch {
	case s.ours == nil && s.theirs == nil:
		s.outcome = Agrees
	case s.ours == nil:
		s.outcome = Accepts
	case s.theirs == nil:
		s.outcome = Refuses
	case l.same(s.ours, s.theirs):
		s.outcome = Agrees
	default:
		s.outcome = ReadsOtherwise
	}
	return s
}

// shortest returns the entries that lead from a difference to a filter that both
// read the same, as few as possible; nil when there is no such way.
func (l *Ledger) shortest(s state) []*Difference {
	const most = 5
	for n := 1; n <= most; n++ {
		if used := l.explain(s, nil, n); used != nil {
			return used
		}
	}
	return nil
}

// explain looks for a way of at most n more entries, each used once.
func (l *Ledger) explain(s state, used []*Difference, n int) []*Difference {
	if n == 0 {
		return nil
	}
	for _, d := range l.entries {
		if d.Outcome != s.outcome && d.Outcome != Differs || slices.Contains(used, d) {
			continue
		}
		chain := append(slices.Clip(used), d)
		if d.NoFilter && isNone(s.theirs) {
			return chain
		}
		text, options := d.apply(s.text, s.options)
		if text == s.text && options == s.options {
			continue
		}
		next := l.ask(text, options)
		if next.outcome == Agrees && next.ours != nil {
			return chain
		}
		if found := l.explain(next, chain, n-1); found != nil {
			return found
		}
	}
	return nil
}

// Nothing is the value of a comparison that has none.
const Nothing = "(nothing)"

// isNone reports whether an expression is none: something is missing in it.
func isNone(e filter.Expr) bool {
	if e == nil {
		return false
	}
	none := errors.New("none")
	return errors.Is(filter.Walk(e, func(c *filter.Compare) error {
		if c.Path == "" || strings.ContainsAny(c.Path, ` ()"`) || c.Value == Nothing || c.Op != filter.Present && !slices.Contains(compares, c.Op) || c.Op == filter.Present && c.Value != nil {
			return none
		}
		return nil
	}), none)
}

var (
	quotation   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	placeholder = regexp.MustCompile(`"\d+"`)
)

// apply takes the difference away from a filter, wherever it is.
func (d *Difference) apply(text string, options filter.SCIMOptions) (string, filter.SCIMOptions) {
	if d.Relax != "" {
		_ = relax(&options, d.Relax) // prepare has checked the name
		return text, options
	}
	var texts []string
	text = quotation.ReplaceAllStringFunc(text, func(quoted string) string {
		if d.quoted != nil {
			quoted = `"` + d.quoted.ReplaceAllString(quoted[1:len(quoted)-1], d.With) + `"`
		}
		texts = append(texts, quoted)
		return fmt.Sprintf(`"%d"`, len(texts)-1)
	})
	if d.where != nil {
		text = d.where.ReplaceAllString(text, d.With)
	}
	text = placeholder.ReplaceAllStringFunc(text, func(number string) string {
		i, err := strconv.Atoi(strings.Trim(number, `"`))
		if err != nil || i >= len(texts) {
			return number
		}
		return texts[i]
	})
	return text, options
}

func shown(e filter.Expr) string {
	if e == nil {
		return "refused"
	}
	return e.String()
}

// Unshown returns what is wrong with the entries themselves: those that
// explained nothing, and examples that do not show what they should.
func (l *Ledger) Unshown() error {
	var errs []error
	for _, d := range l.entries {
		if l.counts[d] == 0 {
			errs = append(errs, fmt.Errorf("the entry explains nothing: %s", d.Example))
		}
		s := l.ask(d.Example, filter.SCIMOptions{})
		if used := l.shortest(s); len(used) != 1 || used[0] != d {
			errs = append(errs, fmt.Errorf("the example does not show it: %s: %s", s.outcome, d.Example))
		}
	}
	return errors.Join(errs...)
}

// String is the table of what was explained how often.
func (l *Ledger) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6d are read the same, %d are refused by both\n", l.agreed[true], l.agreed[false])
	for _, d := range l.entries {
		fmt.Fprintf(&b, "%6d %s: %s (%s)\n", l.counts[d], d.Outcome, d.Example, d.Clause)
	}
	return b.String()
}
