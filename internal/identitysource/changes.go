package identitysource

import (
	"iter"

	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Change is one entry of a bulk request.
type Change struct {
	Kind       Kind
	ExternalID string         // of the person or group
	Profile    map[string]any // of PutUser and PutGroup
	Members    []string       // of memberships: external ids of people
}

// Kind says what a Change does. The kinds are in the order in which they are to
// be sent: people are there before they are members.
type Kind int

// The kinds.
const (
	PutUser Kind = iota
	DropUser
	PutGroup
	PutMembers
	DropMembers
	DropGroup
)

// Changes yields what the entities of a plan do, in the order of kinds and of the
// entities; an error ends it. People who are not touched are not in it; whom the
// source lets go is dropped, and what that does to the account is a setting of the
// tenant's application. It goes through the entities once for each kind that they
// have, rather than keeping them.
func Changes(entities iter.Seq2[*importer.PlanEntity, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		var there [DropGroup + 1]bool
		for kind := PutUser; kind <= DropGroup; kind++ {
			if kind > PutUser && !there[kind] { // as the first round found
				continue
			}
			for e, err := range entities {
				if err != nil {
					yield(Change{}, err)
					return
				}
				c, ok := changeOf(e)
				if !ok {
					continue
				}
				there[c.Kind] = true
				if c.Kind == kind && !yield(c, nil) {
					return
				}
			}
		}
	}
}

// changeOf returns what an entity of a plan means to a tenant, false for nothing.
func changeOf(e *importer.PlanEntity) (Change, bool) {
	if !e.Writes() {
		return Change{}, false
	}
	gone := e.Action == reconcile.Deactivate || e.Action == reconcile.Suspend || e.Action == reconcile.Unlink
	c := Change{ExternalID: e.ExternalID}
	switch {
	case e.Kind == importer.MembershipKind:
		c.Kind, c.Members = PutMembers, []string{e.Member}
		if gone {
			c.Kind = DropMembers
		}
		return c, true
	case e.Kind == importer.GroupKind && gone:
		c.Kind = DropGroup
		return c, true
	case gone:
		c.Kind = DropUser
		return c, true
	}
	switch record := e.Record; {
	case record == nil:
		return Change{}, false
	case e.Kind == importer.GroupKind && record.Group != nil:
		c.Kind, c.Profile = PutGroup, record.Group.Profile
	case record.Person != nil:
		c.Profile = record.Person.Profile
	default:
		return Change{}, false
	}
	return c, true
}
