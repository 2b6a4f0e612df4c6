package reconcile

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Rules are Settings made ready for use. They do not change and are safe for
// concurrent use.
type Rules struct {
	settings Settings
}

// Compile makes settings ready, with everything that is wrong with them. A nil
// schema is that of an org that changed nothing.
func (s Settings) Compile(schema *directory.Shape) (*Rules, error) {
	return &Rules{settings: s}, nil
}

// Settings returns what the rules were made of.
func (r *Rules) Settings() Settings { return r.settings }

// Defines reports whether the identity source's profile has an attribute.
func (r *Rules) Defines(attribute string) bool { return true }

// Attributes returns the names of the identity source's attributes, in order.
func (r *Rules) Attributes() []string { return nil }

// Shape makes a person of a row. Errors are fault.Invalid and say which column is
// wrong and what would be right. The person comes with an error, too, with the
// ExternalID if that could be read: who cannot be read is not absent.
func (r *Rules) Shape(row Row, now time.Time) (Person, error) { return Person{}, nil }

// Fingerprint stands for what the source says of a person, and for the rules by
// which it is read: it differs when either does.
func (r *Rules) Fingerprint(p *Person) Fingerprint { return Fingerprint{} }

// Quick decides about a person without a look at the directory, if that is
// possible: nothing changed, out of scope, too early, ignored, or gone without
// having been linked. A nil link is none.
func (r *Rules) Quick(p *Person, link *Link) (Decision, bool) { return Decision{}, false }

// Keys are what accounts are found by. They are in a form to be compared; an
// empty one finds nothing.
type Keys struct {
	Login   string // directory.LoginKey(userName).Value
	Exact   string // the attributes of Settings.Match.Exact
	Partial string // first and last name
}

// Keys returns by which keys accounts have to be looked up for a person: who has
// the user name, who matches. Errors are those of expressions.
func (r *Rules) Keys(p *Person) (Keys, error) { return Keys{}, nil }

// AccountKeys returns the keys by which an account is found. An account is a
// candidate for a person when one of its keys is one of his.
func (r *Rules) AccountKeys(a *directory.Account) Keys { return Keys{} }

// Candidates are the accounts that may be a person, as they are now.
type Candidates struct {
	// Linked is the account of the link, nil when there is none or it is gone.
	Linked *Candidate
	// Found are the accounts that the keys find. For somebody whose account is
	// Linked they matter only if he gets another user name.
	Found []Candidate
	// Rival is the external id of somebody else in this session who gets the same
	// user name and came first; empty: nobody.
	Rival string
}

// Candidate is an account, with what decides whether it may be touched.
type Candidate struct {
	Account    *directory.Account
	SuperAdmin bool

	// Other is the external id by which this source has linked the account to
	// somebody else; empty: not. OtherLeft says that this link is Removed.
	Other     string
	OtherLeft bool

	// Owner is the source with the highest priority, among the others, that
	// sources the account; nil: none.
	Owner *Owner
}

// Owner is another source of an account.
type Owner struct {
	Name     string
	Priority int // as in Sourcing
}

// Decide says what becomes of a person. It is computed anew in every session, from
// its arguments alone.
func (r *Rules) Decide(p *Person, link *Link, c Candidates, now time.Time) Decision {
	return Decision{}
}

// Absent says what becomes of somebody who was linked and whom a full session did
// not have. c.Linked is all that counts.
func (r *Rules) Absent(link *Link, c Candidates) Decision { return Decision{} }

// Relink returns the link that a person has once a decision was carried out on
// account (the new one of a Create, else that of the decision); nil: none. p is
// nil for who is absent. What has been decided is decided again in the same way
// with this link, as Unchanged.
func (r *Rules) Relink(p *Person, link *Link, d *Decision, account string) *Link { return nil }
