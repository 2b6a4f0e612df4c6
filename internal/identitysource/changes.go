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
// be sent: somebody is there before he is a member.
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

// Changes yields what a plan does, in the order of kinds and of its entities.
// People who are not touched are not in it; whom the source lets go is dropped,
// and what that does to the account is a setting of the tenant's application.
func Changes(p *importer.Plan) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for kind := PutUser; kind <= DropGroup; kind++ {
			for i := range p.Entities {
				c, ok := changeOf(&p.Entities[i])
				if ok && c.Kind == kind && !yield(c) {
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
