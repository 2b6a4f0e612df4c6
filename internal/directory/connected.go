package directory

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Accounts and groups of an enterprise connection: an identity provider outside
// owns them and says what they are, by SCIM or by signing people in. Callers
// hold the transaction, because what the outside asks for in one request is one
// change here.

// Connected reports whether an enterprise connection owns the account.
func (a *Account) Connected() bool { return a.Resource != nil }

// ExternalText returns an attribute of what the connection says of the account
// that is a string, "" when it is absent.
func (a *Account) ExternalText(attribute string) string {
	s, _ := a.Resource[attribute].(string)
	return s
}

// CreateConnected adds an account whose ID, Realm, Connection, Provider,
// Resource, Profile and Status the caller has set. A taken user name or external
// id is a fault.Conflict with Violations.
func (d *Directory) CreateConnected(tx Tx, actor Actor, a *Account) error {
	now := d.now()
	a.Created, a.Updated, a.Activated, a.Version = now, now, now, 1
	if a.Status == "" {
		a.Status = Active
	}
	if err := tx.InsertAccount(a, a.Keys(Auth0)); err != nil {
		return err
	}
	return d.log(tx, change{at: now, actor: actor, kind: "user.lifecycle.create", realm: a.Realm, target: a.ID, after: a, targets: []Target{a.target()}})
}

// CloneAccount copies an account deeply, for a caller that will change the copy.
func CloneAccount(a *Account) *Account { return a.clone() }

// SaveConnected stores what became of an account. One that became blocked loses
// its sessions and tokens.
func (d *Directory) SaveConnected(tx Tx, actor Actor, before, after *Account) error {
	now := d.now()
	after.Updated = now
	kind := "user.account.update_profile"
	if before.Blocked() != after.Blocked() {
		kind = lifecycle[Unsuspend].log
		if after.Blocked() {
			kind = lifecycle[Suspend].log
		}
		after.StatusChanged = now
	}
	if err := d.saveKeyed(tx, actor, kind, after.Keys(Auth0), before, after, nil); err != nil {
		return err
	}
	return d.blocked(tx, actor, before, after)
}

// blocked ends the sessions and tokens of an account that became blocked
// (scim-auth0.md 1.4): they are not good again when it is unblocked.
func (d *Directory) blocked(tx Tx, actor Actor, before, after *Account) error {
	if before.Blocked() || !after.Blocked() {
		return nil
	}
	if err := d.sessionsEnding(tx, actor, after, after.StatusChanged); err != nil {
		return err
	}
	return endRecords(tx, after.Realm, after.ID, clientTokens)
}

// RemoveConnected deletes an account with everything about it.
func (d *Directory) RemoveConnected(tx Tx, actor Actor, a *Account) error {
	return d.remove(tx, actor, a)
}

// CreateConnectedGroup adds a group whose ID, Realm, Connection, Profile and
// Resource the caller has set. A name that the connection has already is a
// fault.Conflict with Violations.
func (d *Directory) CreateConnectedGroup(tx Tx, actor Actor, g *Group) error {
	now := d.now()
	g.Type, g.Created, g.Updated, g.MembershipUpdated, g.Version = ConnectionGroup, now, now, now, 1
	if err := tx.InsertGroup(g); err != nil {
		return err
	}
	return d.log(tx, change{at: now, actor: actor, kind: "group.lifecycle.create", realm: g.Realm, target: g.ID, after: g, targets: []Target{g.target()}})
}

// SaveConnectedGroup stores what became of a group's profile and resource.
func (d *Directory) SaveConnectedGroup(tx Tx, actor Actor, before, after *Group) error {
	now := d.now()
	after.Updated, after.Version = now, before.Version+1
	if err := tx.UpdateGroup(after); err != nil {
		return err
	}
	return d.log(tx, change{at: now, actor: actor, kind: "group.profile.update", realm: after.Realm, target: after.ID, before: before, after: after, targets: []Target{after.target()}})
}

// RemoveConnectedGroup deletes a group with its memberships.
func (d *Directory) RemoveConnectedGroup(tx Tx, actor Actor, g *Group) error {
	if err := endRecords(tx, g.Realm, g.ID, aboutGroups); err != nil {
		return err
	}
	if err := tx.DeleteGroup(g.Realm, g.ID); err != nil {
		return err
	}
	return d.log(tx, change{at: d.now(), actor: actor, kind: "group.lifecycle.delete", realm: g.Realm, target: g.ID, before: g, targets: []Target{g.target()}})
}

// Enlist puts accounts into a group of a connection and returns how many were
// not in it. Its cost grows with the accounts named, not with the group. One
// that does not exist is a fault.NotFound that names it.
func (d *Directory) Enlist(tx Tx, actor Actor, g *Group, accounts []string) (int, error) {
	return d.members(tx, actor, g, accounts, true)
}

// Discharge takes accounts out of a group of a connection and returns how many
// were in it.
func (d *Directory) Discharge(tx Tx, actor Actor, g *Group, accounts []string) (int, error) {
	return d.members(tx, actor, g, accounts, false)
}

// NameMembers gives members of a group the names by which it shows them. Those
// who are not in it are passed over. The change log says who comes and goes, and
// nothing of this.
func (d *Directory) NameMembers(tx Tx, g *Group, members []Member) error {
	now := d.now()
	for _, m := range members {
		if _, err := tx.NameMember(g.Realm, g.ID, m.ID, m.Display, now); err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) members(tx Tx, actor Actor, g *Group, accounts []string, add bool) (int, error) {
	now, changed := d.now(), 0
	for _, id := range accounts {
		moved, err := d.member(tx, actor, g, id, now, add)
		if err != nil {
			return changed, err
		}
		if moved {
			changed++
		}
	}
	return changed, nil
}

func (d *Directory) member(tx Tx, actor Actor, g *Group, id string, now time.Time, add bool) (bool, error) {
	m := Membership{Group: g.ID, Account: id}
	c := change{at: now, actor: actor, realm: g.Realm, target: id, targets: []Target{{Type: "User", ID: id}, g.target()}}
	move := tx.RemoveMember
	if add {
		move, c.kind, c.after = tx.AddMember, "group.user_membership.add", m
	} else {
		c.kind, c.before = "group.user_membership.remove", m
	}
	moved, err := move(g.Realm, g.ID, id, now)
	if add && fault.Is(err, fault.NotFound) {
		return false, NotFound(AccountNoun, id)
	}
	if err != nil || !moved {
		return false, err
	}
	return true, d.log(tx, c)
}

// CloneGroup copies a group deeply, for a caller that will change the copy.
func CloneGroup(g *Group) *Group {
	c := g.clone()
	if g.Resource != nil {
		c.Resource = value.Clone(g.Resource).(map[string]any)
	}
	return c
}
