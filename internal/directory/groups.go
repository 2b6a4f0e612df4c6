package directory

import (
	"context"
	"time"
)

// CreateGroup adds an OKTA_GROUP. Violations as for accounts; a name that is
// taken is a fault.Conflict.
func (d *Directory) CreateGroup(ctx context.Context, actor Actor, realm string, profile map[string]any) (*Group, error) {
	var g *Group
	err := d.Store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Realm(realm); err != nil {
			return err
		}
		if err := d.checkGroup(tx, realm, "", profile); err != nil {
			return err
		}
		now := d.now()
		g = &Group{
			ID: d.IDs.Okta("00g"), Realm: realm, Type: OktaGroup, Profile: compact(profile),
			Created: now, Updated: now, MembershipUpdated: now, Version: 1,
		}
		return d.insertGroup(tx, actor, g)
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (d *Directory) insertGroup(tx Tx, actor Actor, g *Group) error {
	if err := tx.InsertGroup(g); err != nil {
		return err
	}
	return d.log(tx, change{at: g.Created, actor: actor, kind: "group.lifecycle.create", realm: g.Realm, target: g.ID, after: g, targets: []Target{g.target()}})
}

// Group returns a group by its id.
func (d *Directory) Group(ctx context.Context, realm, id string) (g *Group, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		g, err = r.Group(realm, id)
		return err
	})
	return g, err
}

// Groups returns the groups that a query selects and match accepts, at most
// limit of them (0: all), in the order of their ids. A nil match accepts all.
func (d *Directory) Groups(ctx context.Context, q GroupQuery, limit int, match func(*Group) bool) (out []*Group, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		for g, err := range r.Groups(q) {
			if err != nil {
				return err
			}
			if match != nil && !match(g) {
				continue
			}
			if out = append(out, g); len(out) == limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// ReplaceGroup replaces the profile of an OKTA_GROUP.
func (d *Directory) ReplaceGroup(ctx context.Context, actor Actor, realm, id string, profile map[string]any) (*Group, error) {
	var after *Group
	affects := false // the rules
	err := d.Store.Update(ctx, func(tx Tx) error {
		before, err := tx.Group(realm, id)
		if err != nil {
			return err
		}
		if before.Type != OktaGroup {
			return readOnly(before)
		}
		if err := d.checkGroup(tx, realm, id, profile); err != nil {
			return err
		}
		after = before.clone()
		after.Profile, after.Updated, after.Version = compact(profile), d.now(), before.Version+1
		if err := tx.UpdateGroup(after); err != nil {
			return err
		}
		if before.Name() != after.Name() {
			if affects, err = d.startSweepFor(tx, after); err != nil {
				return err
			}
		}
		return d.log(tx, change{at: after.Updated, actor: actor, kind: "group.profile.update", realm: realm, target: id, before: before, after: after, targets: []Target{after.target()}})
	})
	if err == nil && affects {
		err = d.sweep(ctx, realm)
	}
	if err != nil {
		return nil, err
	}
	return after, nil
}

// DeleteGroup removes a group and its memberships. Built-in groups stay.
func (d *Directory) DeleteGroup(ctx context.Context, actor Actor, realm, id string) error {
	affects := false // the rules
	err := d.Store.Update(ctx, func(tx Tx) error {
		g, err := tx.Group(realm, id)
		if err != nil {
			return err
		}
		if g.Type == BuiltIn {
			return readOnly(g)
		}
		now := d.now()
		if err := d.groupEnding(tx, actor, g, now); err != nil {
			return err
		}
		if err := endRecords(tx, realm, id, aboutGroups); err != nil {
			return err
		}
		if err := tx.DeleteGroup(realm, id); err != nil {
			return err
		}
		if affects, err = d.startSweepFor(tx, g); err != nil {
			return err
		}
		return d.log(tx, change{at: now, actor: actor, kind: "group.lifecycle.delete", realm: realm, target: id, before: g, targets: []Target{g.target()}})
	})
	if err != nil || !affects {
		return err
	}
	return d.sweep(ctx, realm)
}

// AddMember puts an account into an OKTA_GROUP; one that is in it already
// stays, and nothing is logged.
func (d *Directory) AddMember(ctx context.Context, actor Actor, realm, group, ref string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		g, a, err := membership(tx, realm, group, ref)
		if err != nil {
			return err
		}
		return d.addMember(tx, actor, g, a, d.now())
	})
}

// RemoveMember takes an account out of an OKTA_GROUP; one that is not in it is
// no error, and nothing is logged.
func (d *Directory) RemoveMember(ctx context.Context, actor Actor, realm, group, ref string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		g, a, err := membership(tx, realm, group, ref)
		if err != nil {
			return err
		}
		return d.removeMember(tx, actor, g, a, d.now())
	})
}

func (d *Directory) removeMember(tx Tx, actor Actor, g *Group, a *Account, now time.Time) error {
	removed, err := tx.RemoveMember(g.Realm, g.ID, a.ID, now)
	if err != nil || !removed {
		return err
	}
	err = d.log(tx, change{
		at: now, actor: actor, kind: "group.user_membership.remove", realm: g.Realm, target: a.ID,
		before: Membership{Group: g.ID, Account: a.ID}, targets: []Target{a.target(), g.target()},
	})
	if err != nil {
		return err
	}
	return d.left(tx, actor, g, a, now)
}

// membership finds both ends and makes sure that the group takes members by hand.
func membership(tx Tx, realm, group, ref string) (*Group, *Account, error) {
	g, err := tx.Group(realm, group)
	if err != nil {
		return nil, nil, err
	}
	a, err := find(tx, realm, ref)
	if err != nil {
		return nil, nil, err
	}
	if g.Type != OktaGroup {
		return nil, nil, readOnly(g)
	}
	return g, a, nil
}

func (d *Directory) addMember(tx Tx, actor Actor, g *Group, a *Account, now time.Time) error {
	if g.Type != OktaGroup {
		return readOnly(g)
	}
	added, err := tx.AddMember(g.Realm, g.ID, a.ID, now)
	if err != nil || !added {
		return err
	}
	err = d.log(tx, change{
		at: now, actor: actor, kind: "group.user_membership.add", realm: g.Realm, target: a.ID,
		after: Membership{Group: g.ID, Account: a.ID}, targets: []Target{a.target(), g.target()},
	})
	if err != nil {
		return err
	}
	return d.joined(tx, actor, g, a, now)
}

// GroupStats are figures about a group.
type GroupStats struct {
	Users    int  // members
	Apps     int  // applications that it is assigned to
	HasRoles bool // admin roles of its own
}

// GroupStats returns the figures of groups of a realm, in their order.
func (d *Directory) GroupStats(ctx context.Context, realm string, groups []*Group) (out []GroupStats, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		for _, g := range groups {
			s, err := statsOf(r, realm, g.ID)
			if err != nil {
				return err
			}
			out = append(out, s)
		}
		return nil
	})
	return out, err
}

func statsOf(r Reader, realm, group string) (s GroupStats, err error) {
	if s.Users, err = r.CountMembers(realm, group); err != nil {
		return s, err
	}
	for _, err := range r.Records(RecordQuery{Realm: realm, Noun: AppGroupNoun, Subject: group}) {
		if err != nil {
			return s, err
		}
		s.Apps++
	}
	roles, err := rolesAssigned(r, realm, group)
	s.HasRoles = len(roles) > 0
	return s, err
}
