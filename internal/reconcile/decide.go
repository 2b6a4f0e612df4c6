package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Candidates are the accounts that may be a person, as they are now.
type Candidates struct {
	// Linked is the account of the link, nil when there is none or it is gone.
	Linked *Candidate
	// Found are the accounts that the keys find. For somebody whose account is
	// Linked they matter only if the person gets another user name.
	Found []Candidate
	// Rival is the external id of somebody else in this session to whom a decision
	// (one that Writes, with a login in After) has given the same user name already;
	// empty: nobody.
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

	// Wanted is the external id of somebody present in this session who would have
	// been this account were it not linked (a Hold of LinkedToElse); empty: nobody.
	// It matters for who leaves: decide about those after all others.
	Wanted string

	// Owner is the source with the highest priority, among the others, that has
	// the person and sources the account; nil: none.
	Owner *Owner
}

// Owner is another source of an account.
type Owner struct {
	Name     string
	Priority int // as in Sourcing
}

// Quick decides about a person without a look at the directory, if that is
// possible: nothing changed, out of scope, too early, ignored, or gone without
// having been linked. A nil link is none.
func (r *Rules) Quick(p *Person, link *Link) (Decision, bool) {
	if d, settled := settle(p, link); settled {
		return d, true
	}
	if p.Presence == Present && link.known() && link.State == Linked && link.Fingerprint == r.Fingerprint(p) && !reused(p, link) {
		return Decision{Action: Unchanged, Account: link.Account}, true
	}
	return Decision{}, false
}

// settle decides about a person of whom presence and link say everything.
func settle(p *Person, link *Link) (Decision, bool) {
	switch {
	case link != nil && link.State == Ignored:
		return ignored(), true
	case p.Presence == Outside:
		return skip("the scope of the import leaves the person out"), true
	case reused(p, link):
		return Decision{}, false
	case p.Presence == Early:
		return skip("the first day has not come"), true
	case p.Presence == Leaving && !link.known():
		return skip("the source says that the person is gone, and no account was ever linked"), true
	case p.Presence == Leaving && link.State == Removed:
		return Decision{Action: Unchanged, Account: link.Account}, true
	}
	return Decision{}, false
}

// reused reports whether an id is that of another person than before.
func reused(p *Person, link *Link) bool { return link.known() && stranger(link.Profile, p.Profile) }

func ignored() Decision { return skip("somebody said that this is nobody of the directory") }

func skip(reason string) Decision { return Decision{Action: Skip, Reason: reason} }

// Decide says what becomes of a person. It is computed anew in every session, from
// its arguments alone; the time is in the person's Presence.
func (r *Rules) Decide(p *Person, link *Link, c Candidates) Decision {
	d := r.decide(p, link, c)
	if d.Action == Update || d.Action == LinkTo || d.Action == Reactivate {
		return r.protect(r.over(d, c), c)
	}
	return d
}

func (r *Rules) decide(p *Person, link *Link, c Candidates) Decision {
	if d, settled := settle(p, link); settled {
		return d
	}
	switch {
	case reused(p, link):
		return hold(ReusedID, link.Account,
			fmt.Sprintf("id %s was %s and is %s now: name, e-mail and user name are all of somebody else", p.ExternalID, called(link.Profile), called(p.Profile)),
			"if the id was given to a new person, unlink the old one and import again; else correct the source")
	case p.Presence == Leaving:
		return r.remove(link, c.Linked, "the source says that the person has left")
	case !link.known() || c.Linked == nil:
		return r.match(p, c)
	case link.State == Removed:
		return r.comeBack(p, c)
	}
	return r.update(p, c)
}

func hold(code Code, account, reason, remedy string) Decision {
	return Decision{Action: Hold, Code: code, Account: account, Reason: reason, Remedy: remedy}
}

func failed(account string, b *badValue) Decision {
	return Decision{Action: Fail, Code: BadValue, Account: account, Reason: b.reason, Remedy: b.remedy}
}

// stranger reports whether two profiles are of different people: first and last
// name, e-mail and user name are all others.
func stranger(before, now map[string]any) bool {
	if len(before) == 0 || len(now) == 0 {
		return false
	}
	for _, name := range []string{"firstName", "lastName", "email", "userName"} {
		a, b := text(before[name]), text(now[name])
		if a == "" || b == "" || a == b || fold(a) == fold(b) {
			return false
		}
	}
	return true
}

// called is a person in a message.
func called(profile map[string]any) string {
	name := strings.TrimSpace(text(profile["firstName"]) + " " + text(profile["lastName"]))
	if login := text(profile["userName"]); login != "" {
		return strings.TrimSpace(shorten(name) + " <" + shorten(login) + ">")
	}
	return shorten(name)
}

// named is an account in a message.
func named(a *directory.Account) string { return fmt.Sprintf("%s (%s)", shorten(a.Login()), a.ID) }

// differences fills Before and After of a decision about an account.
func differences(d *Decision, a *directory.Account, after map[string]any) {
	if len(after) == 0 {
		return
	}
	d.After, d.Before = after, map[string]any{}
	for name := range after {
		if old := a.Profile[name]; old != nil {
			d.Before[name] = old
		}
	}
}

// inferior returns why this source changes no attribute and no life of an account;
// empty: it may.
func (r *Rules) inferior(c *Candidate) string {
	if !r.settings.Sourcing.Users {
		return "this source does not source users"
	}
	if c.Owner != nil && rank(c.Owner.Priority) < rank(r.settings.Sourcing.Priority) {
		return "the source " + c.Owner.Name + " has priority over this one"
	}
	return ""
}

// shared reports whether another source has as much to say about an account as this
// one, so that priority does not decide.
func (r *Rules) shared(c *Candidate) bool {
	return r.settings.Sourcing.Users && c.Owner != nil && rank(c.Owner.Priority) == rank(r.settings.Sourcing.Priority)
}

// over notes whose account a decision is about to link as well.
func (r *Rules) over(d Decision, c Candidates) Decision {
	if d.Match == nil || d.Match.On == byID {
		return d
	}
	for i := range c.Found {
		if found := &c.Found[i]; found.Account.ID == d.Account && r.shared(found) {
			d.Over = found.Owner.Name
		}
	}
	return d
}

// rank orders priorities: 0 is below all.
func rank(priority int) int {
	if priority <= 0 {
		return int(^uint(0) >> 1)
	}
	return priority
}

// change computes the differences for an account, none when this source has
// nothing to say. why is the reason for that.
func (r *Rules) change(p *Person, c *Candidate) (after map[string]any, why string, bad *badValue) {
	if why = r.inferior(c); why != "" {
		return nil, why, nil
	}
	after, err := r.profile(p, notNil(c.Account.Profile))
	if err != nil {
		return nil, "", asBadValue(err)
	}
	return after, "", nil
}

func notNil(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// update decides about somebody who is linked and present.
func (r *Rules) update(p *Person, c Candidates) Decision {
	a := c.Linked.Account
	if d, taken := r.elsewhere(p, c.Linked); taken {
		return d
	}
	if a.Status == directory.Deprovisioned {
		d := skip("the account was deactivated here although the source has the person; it is not reactivated, because the source never let go")
		d.Account = a.ID
		return d
	}
	after, why, bad := r.change(p, c.Linked)
	if bad != nil {
		return failed(a.ID, bad)
	}
	if len(after) == 0 {
		return Decision{Action: Unchanged, Account: a.ID, Reason: why}
	}
	d := Decision{Action: Update, Account: a.ID}
	differences(&d, a, after)
	return r.free(p, d, c)
}

// elsewhere holds back from an account that is linked to another id of the source.
func (r *Rules) elsewhere(p *Person, c *Candidate) (Decision, bool) {
	if c.Other == "" || c.OtherLeft || c.Other == p.ExternalID {
		return Decision{}, false
	}
	return hold(LinkedToElse, c.Account.ID,
		fmt.Sprintf("the account %s is linked to id %s of this source already, so id %s is either a second id of the same person or somebody else", named(c.Account), c.Other, p.ExternalID),
		"if it is the same person, remove the old id from the source or unlink it; else correct what they share"), true
}

// comeBack decides about somebody whom the source had let go and has again.
func (r *Rules) comeBack(p *Person, c Candidates) Decision {
	if d, taken := r.elsewhere(p, c.Linked); taken {
		return d
	}
	return r.take(p, c, c.Linked, &Match{Kind: Exact, On: byID, Confirmed: true})
}

// match looks for the account of somebody who is not linked.
func (r *Rules) match(p *Person, c Candidates) Decision {
	keys, err := r.Keys(p)
	if err != nil {
		return Decision{Action: Fail, Code: BadValue, Reason: fault.Public(err), Remedy: "mend the expression, or the value that it is of"}
	}
	exact, partial := r.sort(keys, c.Found)
	for i := range exact {
		if d, taken := r.elsewhere(p, exact[i]); taken {
			return d
		}
	}
	switch {
	case len(exact) > 1:
		return ambiguous(exact, r.exactOn)
	case len(exact) == 1:
		return r.take(p, c, exact[0], &Match{Kind: Exact, On: r.exactOn, Confirmed: r.settings.Confirm.Exact})
	case len(partial) > 1:
		return ambiguous(partial, partialOn)
	case len(partial) == 1:
		return r.take(p, c, partial[0], &Match{Kind: Partial, On: partialOn, Confirmed: r.settings.Confirm.Partial})
	}
	return r.create(p, c)
}

// What people are found by other than the exact criteria: partial matches, and those
// whom the source had let go.
const (
	partialOn = "firstName and lastName"
	byID      = "externalId"
)

// sort tells exact from partial matches, in the order of the accounts' ids. People
// of the same name who are linked already are others.
func (r *Rules) sort(keys Keys, found []Candidate) (exact, partial []*Candidate) {
	for i := range found {
		c := &found[i]
		of := r.AccountKeys(c.Account)
		switch {
		case keys.Exact != "" && of.Exact == keys.Exact:
			exact = append(exact, c)
		case keys.Partial != "" && of.Partial == keys.Partial && (c.Other == "" || c.OtherLeft):
			partial = append(partial, c)
		}
	}
	byID := func(a, b *Candidate) int { return strings.Compare(a.Account.ID, b.Account.ID) }
	slices.SortFunc(exact, byID)
	slices.SortFunc(partial, byID)
	return exact, partial
}

func ambiguous(found []*Candidate, on string) Decision {
	var names, ids []string
	for _, c := range found {
		names = append(names, named(c.Account))
		ids = append(ids, c.Account.ID)
	}
	d := hold(Ambiguous, "", fmt.Sprintf("%d accounts match by %s: %s", len(found), on, strings.Join(names[:min(len(names), 5)], ", ")),
		"say which of them it is, or match by something that only one of them has")
	d.Others = ids
	return d
}

// take decides about an account that was found for a person, or that was theirs.
func (r *Rules) take(p *Person, c Candidates, found *Candidate, m *Match) Decision {
	a := found.Account
	back := m.On == byID || found.OtherLeft // the source had let go of the account
	d := Decision{Action: LinkTo, Account: a.ID, Match: m}
	if why := r.asleep(found, back, m.Kind); why != "" {
		d = hold(Inactive, a.ID, why, "reactivate the account by hand, or let the source do so (reactivate)")
		d.Match = m
		return d
	}
	after, why, bad := r.change(p, found)
	if bad != nil {
		d = failed(a.ID, bad)
		d.Match = m
		return d
	}
	if !m.Confirmed {
		d = hold(Unsure, a.ID, fmt.Sprintf("the person may be %s, by %s, and nobody has confirmed it", named(a), m.On), "confirm or reject the match")
		d.Match = m
		return d
	}
	d.Reason = why
	if a.Status == directory.Deprovisioned || a.Status == directory.Suspended && back && r.settings.Reactivate.Suspended && why == "" {
		d.Action = Reactivate
	}
	differences(&d, a, after)
	return r.free(p, d, c)
}

// asleep says why an account cannot be taken because of its status; empty: it can.
// Reactivation of somebody who was not linked needs an exact match (okta.md 3.3), and
// no other source that has priority.
func (r *Rules) asleep(c *Candidate, back bool, kind MatchKind) string {
	a, may := c.Account, r.settings.Reactivate
	sources := r.settings.Sourcing.Users && kind == Exact
	switch {
	case a.Status == directory.Deprovisioned && !(may.Deactivated && sources && r.inferior(c) == ""):
		return fmt.Sprintf("the account %s is deactivated, and this source may not reactivate it", named(a))
	case a.Status == directory.Suspended && back && !(may.Suspended && sources):
		return fmt.Sprintf("the account %s is suspended, and this source may not reactivate it", named(a))
	}
	return ""
}

// create decides about somebody whom the directory does not have.
func (r *Rules) create(p *Person, c Candidates) Decision {
	profile, err := r.profile(p, nil)
	if err != nil {
		return failed("", asBadValue(err))
	}
	d := Decision{Action: Create, After: profile, Activate: r.settings.Activate}
	if d = r.free(p, d, c); d.Action != Create {
		return d
	}
	if !r.settings.Confirm.New {
		return hold(Unsure, "", "no account matches, and nobody has confirmed that this is a new person", "confirm the new person, or say whose account it is")
	}
	return d
}

// free lets a decision pass when the user name that it gives is nobody else's.
func (r *Rules) free(p *Person, d Decision, c Candidates) Decision {
	login, changes := d.After[loginAttribute]
	if !changes {
		return d
	}
	taken := func(by string) Decision {
		f := Decision{Action: Fail, Code: NameTaken, Account: d.Account, Match: d.Match}
		f.Reason = fmt.Sprintf("the user name %q is taken by %s", shorten(text(login)), by)
		f.Remedy = "change one of the two user names, or the format of user names (username)"
		return f
	}
	if c.Rival != "" {
		return taken(fmt.Sprintf("id %s of the same source", c.Rival))
	}
	key := directory.Fold(text(login))
	for i := range c.Found {
		if other := c.Found[i].Account; other.ID != d.Account && directory.Fold(other.Login()) == key {
			f := taken("the account " + named(other))
			f.Others = []string{other.ID}
			return f
		}
	}
	return d
}

// protect holds what would change a super administrator.
func (r *Rules) protect(d Decision, c Candidates) Decision {
	touched := c.Linked
	for i := range c.Found {
		if c.Found[i].Account.ID == d.Account {
			touched = &c.Found[i]
		}
	}
	if touched == nil || !touched.SuperAdmin || d.Action != Reactivate && len(d.After) == 0 {
		return d
	}
	return superAdmin(touched.Account, fmt.Sprintf("would change %s", strings.Join(slices.Sorted(maps.Keys(d.After)), ", ")))
}

func superAdmin(a *directory.Account, what string) Decision {
	return hold(SuperAdmin, a.ID, fmt.Sprintf("%s is a super administrator, whom no import touches; it %s", named(a), what),
		"do it by hand, or take the role away first")
}

// remove decides about somebody who has left.
func (r *Rules) remove(link *Link, c *Candidate, reason string) Decision {
	d := Decision{Action: Unlink, Account: link.Account, Reason: reason}
	if c == nil {
		d.Reason += "; the account is gone"
		return d
	}
	if why := r.inferior(c); why != "" {
		d.Reason += "; the account stays as it is: " + why
		return d
	}
	if c.Other != "" && !c.OtherLeft && c.Other != link.ExternalID {
		d.Reason += fmt.Sprintf("; the account stays as it is: id %s of the source has it too", c.Other)
		return d
	}
	if r.shared(c) {
		d.Code = StillThere
		d.Reason += "; the account stays as it is: the person is still in the source " + c.Owner.Name + ", and neither source has priority"
		d.Remedy = "if the person has left, end it there too; if one source is to decide, say so by priority (sourcing)"
		return d
	}
	d = r.end(d, c)
	if c.Wanted != "" && (d.Action == Deactivate || d.Action == Suspend) {
		return hold(LinkedToElse, link.Account,
			fmt.Sprintf("%s, but id %s seems to be the same person under another id, and the account %s would end", reason, c.Wanted, named(c.Account)),
			"if it is the same person, unlink the old id; else correct what the two share")
	}
	return d
}

// end finds what the removal of an account that this source decides about does.
func (r *Rules) end(d Decision, c *Candidate) Decision {
	status := c.Account.Status
	suspend := r.settings.Removal == RemovalSuspends
	switch {
	case r.settings.Removal == RemovalIsNothing:
		d.Reason += "; the account stays as it is by the settings"
	case status == directory.Deprovisioned, suspend && status == directory.Suspended:
		d.Reason += "; the account is " + strings.ToLower(string(status)) + " already"
	case suspend && status == directory.Staged:
		d.Reason += "; the account was never activated, so nothing is to be suspended"
	case c.SuperAdmin:
		return superAdmin(c.Account, "would end the account, because "+d.Reason)
	case suspend && status == directory.Active:
		d.Action = Suspend
	case suspend:
		// Only ACTIVE accounts can be suspended; the others could be got into by a
		// mail that is under way.
		d.Action = Deactivate
		d.Reason += fmt.Sprintf("; an account that is %s cannot be suspended", status)
	default:
		d.Action = Deactivate
	}
	return d
}

// Absent says what becomes of somebody who was linked and whom a full session did
// not have. c.Linked is all that counts.
func (r *Rules) Absent(link *Link, c Candidates) Decision {
	switch {
	case link.known() && link.State == Removed:
		return Decision{Action: Unchanged, Account: link.Account}
	case link.known():
		return r.remove(link, c.Linked, "the source does not have the person any more")
	}
	return skip("the source does not have the person any more, and no account was ever linked")
}

// Doubled says what becomes of somebody about whom a session has two records that
// differ: nobody knows which of them is right. A nil link is none.
func (r *Rules) Doubled(id string, link *Link) Decision {
	if link != nil && link.State == Ignored {
		return ignored()
	}
	account := ""
	if link.known() {
		account = link.Account
	}
	return hold(DuplicateIDs, account, fmt.Sprintf("the source has id %s more than once, with different values", id), "leave one record of each person in the source")
}
