package reconcile

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Rules are Settings made ready for use. They do not change and are safe for
// concurrent use.
type Rules struct {
	settings   Settings
	schema     *directory.Shape
	shaper     *shaper
	attributes []string // of the identity source's profile, sorted
	mapping    []mapped // the login first
	exact      []criterion
	exactOn    string // what Match.On says of it
	digest     [8]byte
}

// baseAttributes are those of every Custom Identity Source (okta.md 3.1; seed 004).
var baseAttributes = []string{"userName", "email", "firstName", "lastName", "secondEmail", "mobilePhone", "homeAddress"}

// Compile makes settings ready, with everything that is wrong with them. A nil
// schema is that of an org that changed nothing.
func (s Settings) Compile(schema *directory.Shape) (*Rules, error) {
	var err error
	if schema == nil {
		if schema, err = directory.BaseShape(); err != nil {
			return nil, err
		}
	}
	r := &Rules{settings: s, schema: schema, attributes: s.attributes()}
	var reading, mapping, matching error
	r.shaper, reading = s.compileShaper()
	r.mapping, mapping = r.compileMapping()
	r.exact, r.exactOn, matching = r.compileCriteria()
	if err := fault.Join(s.check(), reading, mapping, matching); err != nil {
		return nil, err
	}
	return r, r.stamp()
}

// attributes are those of the identity source's profile: what is read of rows, or
// else the base attributes, and what was added.
func (s *Settings) attributes() []string {
	var names []string
	if s.Rows() {
		names = append(names, "userName")
		for name, t := range s.Profile {
			if !t.empty() {
				names = append(names, name)
			}
		}
	} else {
		names = append(names, baseAttributes...)
	}
	names = append(names, s.Attributes...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Rows reports whether the settings say how rows are read. Without that a source
// is only loaded with people.
func (s *Settings) Rows() bool { return !s.ID.empty() || len(s.Profile) > 0 }

// check returns what is wrong with the settings that are words and numbers.
func (s *Settings) check() error {
	var problems []error
	word := func(key, v string, allowed ...string) {
		if v != "" && !slices.Contains(allowed, v) {
			problems = append(problems, fault.New(fault.Invalid, "%q is not known here", v).At("%s", key).Fix("%s", "use one of "+strings.Join(allowed, ", ")))
		}
	}
	word("removal", string(s.Removal), string(RemovalDeactivates), string(RemovalSuspends), string(RemovalIsNothing))
	word("mode", string(s.Mode), string(Incremental), string(Full))
	if s.Sourcing.Priority < 0 {
		problems = append(problems, fault.New(fault.Invalid, "a priority is at least 1").At("sourcing"))
	}
	return fault.Join(append(problems, s.Guard.check(s.Mode)...)...)
}

// stamp computes what fingerprints have of the rules: everything that makes another
// decision about the same person.
func (r *Rules) stamp() error {
	type row struct {
		Attribute, Value string
		Create           bool
	}
	var rows []row
	for i := range r.mapping {
		m := &r.mapping[i]
		rows = append(rows, row{m.attribute.Name, m.text, m.create})
	}
	text, err := json.Marshal([]any{rows, r.settings.Sourcing, r.attributes})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the rules have no fingerprint")
	}
	sum := sha256.Sum256(text)
	copy(r.digest[:], sum[:])
	return nil
}

// Settings returns what the rules were made of.
func (r *Rules) Settings() Settings { return r.settings }

// Defines reports whether the identity source's profile has an attribute.
func (r *Rules) Defines(attribute string) bool {
	_, found := slices.BinarySearch(r.attributes, attribute)
	return found
}

// Attributes returns the names of the identity source's attributes, in order.
func (r *Rules) Attributes() []string { return slices.Clone(r.attributes) }
