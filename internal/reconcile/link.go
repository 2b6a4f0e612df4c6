package reconcile

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// What is known of people from one session to the next.

// known reports whether a link leads to an account.
func (l *Link) known() bool {
	return l != nil && l.Account != "" && (l.State == Linked || l.State == Removed)
}

// Again makes a person of what a link knows, for when it is Due and the source is
// silent: who was to come is there, who was to leave has left. False: there is
// nothing to decide.
func (r *Rules) Again(link *Link, now time.Time) (Person, bool) {
	if link.Due.IsZero() || now.Before(link.Due) || link.State == Ignored {
		return Person{}, false
	}
	p := Person{ExternalID: link.ExternalID, Profile: link.Profile}
	if link.State == Linked {
		p.Presence, p.Dated = Leaving, true
	} else {
		p.date(link.Due, link.Ends, now)
	}
	return p, true
}

// Relink returns the link that a person has once a decision was carried out on
// account (the new one of a Create, else that of the decision); nil: none. p is
// nil for who is absent. What has been decided is decided again in the same way
// with this link, as Unchanged where something was written.
func (r *Rules) Relink(p *Person, link *Link, d *Decision, account string) *Link {
	switch d.Action {
	case Create, LinkTo, Update, Reactivate:
		return r.fresh(p, account, Linked)
	case Unchanged:
		if p == nil || link.State == Removed {
			return link
		}
		return r.fresh(p, account, Linked)
	case Deactivate, Suspend, Unlink:
		return r.left(p, link)
	case Skip:
		return r.skipped(p, link)
	case Hold:
		if d.Code == DuplicateIDs {
			return link // of records that differ, none is kept: it might be the wrong one
		}
		if !link.known() || d.Account != link.Account {
			return r.fresh(p, "", Unconfirmed)
		}
	}
	return link
}

// fresh is a link with all that the source says now.
func (r *Rules) fresh(p *Person, account string, state LinkState) *Link {
	return &Link{
		ExternalID: p.ExternalID, Account: account, State: state, Fingerprint: r.Fingerprint(p),
		Profile: profileOf(p), Due: p.Due, Ends: p.Ends,
	}
}

func profileOf(p *Person) map[string]any {
	out, _ := value.Clone(p.Profile).(map[string]any)
	return out
}

// left is the link of who has left.
func (r *Rules) left(p *Person, link *Link) *Link {
	after := *link
	after.State, after.Fingerprint, after.Due, after.Ends = Removed, Fingerprint{}, time.Time{}, time.Time{}
	if p != nil && len(p.Profile) > 0 {
		after.Profile = profileOf(p)
	}
	return &after
}

// skipped is the link of somebody who is skipped. A changed one has no fingerprint,
// so that the person is looked at again.
func (r *Rules) skipped(p *Person, link *Link) *Link {
	switch {
	case link != nil && link.State == Ignored:
		return link
	case p == nil:
		return nil
	case p.Presence == Early && !link.known():
		return r.fresh(p, "", Awaited)
	case !link.known():
		return nil
	case p.Presence == Present:
		return link
	}
	after := *link
	after.Fingerprint, after.Due, after.Ends = Fingerprint{}, time.Time{}, time.Time{}
	switch {
	case p.Presence == Early && link.State == Linked:
		after.Due, after.Ends = p.Ends, p.Ends // the person is there already: the first day makes no difference
	case p.Presence == Early:
		after.Due, after.Ends, after.Profile = p.Due, p.Ends, profileOf(p)
	}
	return &after
}
