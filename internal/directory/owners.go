package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// GroupOwner says that an account or a group owns a group.
type GroupOwner struct {
	Meta
	Group     string       `json:"group"`
	Owner     string       `json:"owner"`
	OwnerType AssigneeType `json:"ownerType"`
	Name      string       `json:"name"` // of the owner when it was assigned
}

// OwnerNoun is what a missing owner of a group is called.
const OwnerNoun Noun = "group owner"

func (o *GroupOwner) Place() Place {
	return Place{Noun: OwnerNoun, Parent: o.Group, Subject: o.Owner, Key: ownerKey(o.Group, o.Owner)}
}

func ownerKey(group, owner string) string { return group + "/" + owner }

// OwnerError says why somebody cannot own a group. It is the cause of a
// fault.Conflict.
type OwnerError struct{}

func (*OwnerError) Error() string { return "assigned already" }

// AssignOwner makes an account or a group an owner of a group.
func (d *Directory) AssignOwner(ctx context.Context, actor Actor, realm, group string, who Assignee) (*GroupOwner, error) {
	var owner *GroupOwner
	err := d.Store.Update(ctx, func(tx Tx) error {
		g, err := tx.Group(realm, group)
		if err != nil {
			return err
		}
		who, target, err := findAssignee(tx, realm, who)
		if err != nil {
			return err
		}
		_, err = getByKey[GroupOwner](tx, realm, ownerKey(group, who.ID))
		if err == nil {
			return fault.Wrap(fault.Conflict, &OwnerError{}, "%s owns group %q already", who.ID, g.Name())
		}
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		owner = &GroupOwner{
			Meta:  Meta{ID: d.IDs.Okta("gow"), Realm: realm},
			Group: group, Owner: who.ID, OwnerType: who.Type, Name: target.DisplayName,
		}
		return d.insertObject(tx, owner, change{at: d.now(), actor: actor, kind: "group.profile.update", target: group, targets: []Target{g.target(), target}})
	})
	if err != nil {
		return nil, err
	}
	return owner, nil
}

// Owners returns the owners of a group, the newest first (recorded).
func (d *Directory) Owners(ctx context.Context, realm, group string) (owners []*GroupOwner, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if _, err := r.Group(realm, group); err != nil {
			return err
		}
		owners, err = all[GroupOwner](r, RecordQuery{Realm: realm, Parent: group}, 0, nil)
		return err
	})
	slices.SortStableFunc(owners, func(a, b *GroupOwner) int { return strings.Compare(b.ID, a.ID) })
	return owners, err
}

// RemoveOwner takes an owner away from a group.
func (d *Directory) RemoveOwner(ctx context.Context, actor Actor, realm, group, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		g, err := tx.Group(realm, group)
		if err != nil {
			return err
		}
		owner, err := getByKey[GroupOwner](tx, realm, ownerKey(group, id))
		if fault.Is(err, fault.NotFound) {
			return NotFound(OwnerNoun, id)
		}
		if err != nil {
			return err
		}
		return d.deleteObject(tx, owner, change{at: d.now(), actor: actor, kind: "group.profile.update", target: group, targets: []Target{g.target()}})
	})
}
