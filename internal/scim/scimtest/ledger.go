package scimtest

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Outcome is how somebody's patch differs from ours.
type Outcome string

// The outcomes.
const (
	Agrees  Outcome = "agrees"  // both refuse, or the same comes out
	Accepts Outcome = "accepts" // what we refuse
	Refuses Outcome = "refuses" // what we accept
	Differs Outcome = "differs" // both accept, and something else comes out
)

// Difference is an entry of differences.yaml. It explains an operation that
// has the outcome, and all that the entry says of op, form, target, value, traits
// and ours. Of an outcome that differs it explains what differs in the places it
// names; other entries may explain the rest.
type Difference struct {
	Program string // whose
	Outcome Outcome
	Clause  string // of which RFC, that decides
	Reason  string // what the clause says, and what they do

	Op, Form, Target, Value []string // one of these; any, when there are none
	Traits                  []string // all of these
	Ours                    []string // one of: "same", "changed" or our scimType
	Where                   []string // "schemas", "target", "other"

	count int
}

// Program applies one operation: somebody's outcome, nil when it refuses.
type Program func(typ string, r scim.Resource, op map[string]any) (scim.Resource, error)

// Ledger explains the differences of one program, and counts.
type Ledger struct {
	apply   Program
	types   *scim.Types
	entries []*Difference
	agreed  map[string]int
	total   int
}

//go:embed differences.yaml
var listed []byte

// OpenLedger returns a ledger with the entries about a program.
func OpenLedger(name string, apply Program) (*Ledger, error) {
	var all []*Difference
	d := yaml.NewDecoder(bytes.NewReader(listed))
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("differences.yaml: %w", err)
	}
	l := &Ledger{apply: apply, types: scim.Standard(), agreed: map[string]int{}}
	for i, e := range all {
		if e.Program == "" || e.Clause == "" || e.Reason == "" || !slices.Contains([]Outcome{Accepts, Refuses, Differs}, e.Outcome) {
			return nil, fmt.Errorf("differences.yaml: entry %d: program, outcome, clause and reason have to be there", i+1)
		}
		if e.Outcome == Differs && len(e.Where) == 0 {
			return nil, fmt.Errorf("differences.yaml: entry %d: where has to be there", i+1)
		}
		if e.Program == name {
			l.entries = append(l.entries, e)
		}
	}
	return l, nil
}

// Check compares the operations of a patch one by one, each on what ours made of
// those before. The errors show the differences that the entries do not
// explain; the last is a failure of the program.
func (l *Ledger) Check(p Patch) (unexplained []error, failure error) {
	current := p.Resource
	for _, op := range p.Operations {
		c, err := l.compare(p.Type, current, op)
		if err != nil {
			return unexplained, err
		}
		l.total++
		if c.outcome == Agrees {
			l.agreed[c.summary()]++
		} else if !l.explain(c) {
			unexplained = append(unexplained, errors.New(c.String()))
		}
		if c.ours != nil {
			current = c.ours
		}
	}
	return unexplained, nil
}

// comparison is one operation and what both made of it.
type comparison struct {
	op           Operation
	before       scim.Resource
	ours, theirs scim.Resource
	refusal      error // ours
	word         string
	outcome      Outcome
	where        []string
}

func (l *Ledger) compare(typ string, before scim.Resource, op Operation) (comparison, error) {
	if unsuggested(before) {
		op.Traits = append(slices.Clip(op.Traits), "other type")
	}
	c := comparison{op: op, before: before}
	c.ours, c.refusal = l.patch(typ, before, op.Body)
	theirs, err := l.apply(typ, before, op.Body)
	if err != nil {
		return c, err
	}
	c.theirs = theirs
	switch {
	case c.refusal != nil:
		c.word = string(scim.Describe(c.refusal).Type)
	case scim.Same(before, c.ours):
		c.word = "same"
	default:
		c.word = "changed"
	}
	c.outcome = c.judge()
	return c, nil
}

// unsuggested reports whether a resource has a value of a type that is not among
// the canonical ones.
func unsuggested(r scim.Resource) bool {
	for _, attribute := range []string{"emails", "phoneNumbers"} {
		list, _ := r[attribute].([]any)
		for _, e := range list {
			object, _ := e.(map[string]any)
			switch object["type"] {
			case nil, "work", "home", "other":
			default:
				return true
			}
		}
	}
	return false
}

func (l *Ledger) patch(typ string, before scim.Resource, op map[string]any) (scim.Resource, error) {
	t := l.types.Named(typ)
	body := map[string]any{"schemas": []any{scim.PatchMessage}, "Operations": []any{op}}
	ops, _, err := scim.ParsePatch(body, scim.Strict())
	if err != nil {
		return nil, err
	}
	out, _, err := t.Patch(before, ops, scim.Strict())
	return out, err
}

func (c *comparison) judge() Outcome {
	switch {
	case c.ours == nil && c.theirs == nil:
		return Agrees
	case c.ours == nil:
		return Accepts
	case c.theirs == nil:
		return Refuses
	}
	ours, theirs := plain(c.ours), plain(c.theirs)
	names := maps.Clone(ours)
	maps.Copy(names, theirs)
	places := map[string]bool{}
	for name := range names {
		if !value.Equal(ours[name], theirs[name]) {
			places[c.place(name)] = true
		}
	}
	c.where = slices.Sorted(maps.Keys(places))
	if len(c.where) > 0 {
		return Differs
	}
	return Agrees
}

// place says what an attribute is to the operation.
func (c *comparison) place(name string) string {
	if name == "schemas" {
		return name
	}
	path, _ := c.op.Body["path"].(string)
	path = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(path, scim.UserSchema+":"), scim.GroupSchema+":"))
	if path == "" || strings.HasPrefix(path, strings.ToLower(name)) {
		return "target"
	}
	return "other"
}

// plain brings a resource to the form in which it is compared: without what is
// unassigned (RFC 7643 2.5), and with the values of lists in one order, for
// theirs has no meaning (RFC 7643 2.4).
func plain(r scim.Resource) map[string]any {
	out, _ := plainValue(r).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	return out
}

func plainValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			if w := plainValue(e); w != nil {
				out[name] = w
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		var out []any
		for _, e := range v {
			if w := plainValue(e); w != nil {
				out = append(out, w)
			}
		}
		if out == nil {
			return nil
		}
		sort.Slice(out, func(i, j int) bool { return value.Text(out[i]) < value.Text(out[j]) })
		return out
	}
	return v
}

// explain finds entries that explain all that differs, and counts them.
func (l *Ledger) explain(c comparison) bool {
	left := map[string]bool{}
	for _, place := range c.where {
		left[place] = true
	}
	var used []*Difference
	for _, d := range l.entries {
		if !d.fits(c) {
			continue
		}
		if c.outcome != Differs {
			d.count++
			return true
		}
		before := len(left)
		for _, place := range d.Where {
			delete(left, place)
		}
		if len(left) < before {
			used = append(used, d)
		}
		if len(left) == 0 {
			break
		}
	}
	if c.outcome != Differs || len(left) > 0 {
		return false
	}
	for _, d := range used {
		d.count++
	}
	return true
}

func (d *Difference) fits(c comparison) bool {
	among := func(list []string, word string) bool { return len(list) == 0 || slices.Contains(list, word) }
	for _, trait := range d.Traits {
		if !slices.Contains(c.op.Traits, trait) {
			return false
		}
	}
	return d.Outcome == c.outcome && among(d.Op, c.op.Op) && among(d.Form, c.op.Form) && among(d.Target, c.op.Target) &&
		among(d.Value, c.op.Value) && among(d.Ours, c.word)
}

func (c comparison) summary() string {
	if c.ours == nil {
		return "refused by both"
	}
	return "the same by both"
}

// String shows a difference.
func (c comparison) String() string {
	return fmt.Sprintf("%s: %s\n\ton      %s\n\tours:   %s\n\ttheirs: %s\n\top %s, form %s, target %s, value %s, traits %q, ours %s, where %v",
		c.outcome, text(c.op.Body), text(c.before), c.shown(c.ours), c.shown(c.theirs),
		c.op.Op, c.op.Form, c.op.Target, c.op.Value, c.op.Traits, c.word, c.where)
}

func (c comparison) shown(r scim.Resource) string {
	if r != nil {
		return text(r)
	}
	if c.ours == nil && c.refusal != nil {
		return "refused (" + c.refusal.Error() + ")"
	}
	return "refused"
}

func text(v any) string {
	encoded, err := value.Encode(v)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

// Unused returns an error for the entries that explained nothing.
func (l *Ledger) Unused() error {
	var errs []error
	for _, d := range l.entries {
		if d.count == 0 {
			errs = append(errs, fmt.Errorf("the entry explains nothing: %s: %s", d.Outcome, d.Reason))
		}
	}
	return errors.Join(errs...)
}

// String is the table of what was explained how often.
func (l *Ledger) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6d operations: %d the same by both, %d refused by both\n", l.total, l.agreed["the same by both"], l.agreed["refused by both"])
	for _, d := range l.entries {
		fmt.Fprintf(&b, "%6d %s: %s (%s)\n", d.count, d.Outcome, d.Reason, d.Clause)
	}
	return strings.TrimRight(b.String(), "\n")
}
