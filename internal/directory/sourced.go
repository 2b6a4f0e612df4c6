package directory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Accounts and groups that an identity source brings in: an application of an
// Okta realm is the source of their profiles and says who comes and goes. They
// change in batches, in a transaction of the caller's, and by the same rules and
// with the same consequences as if each were changed by itself.

// BulkReader reads many at once.
type BulkReader interface {
	Reader

	// AccountsByID returns those of some accounts that there are, in any order.
	AccountsByID(realm string, ids []string) ([]*Account, error)
	// AccountsByKeys returns the ids of the accounts that have some keys.
	AccountsByKeys(realm string, keys []Key) (map[Key]string, error)
	// AccountsByEmail returns the accounts with some e-mail addresses (folded), in
	// any order.
	AccountsByEmail(realm string, emails []string) ([]*Account, error)
	// AccountsByName returns the accounts with some names (NameKey), in any order.
	AccountsByName(realm string, names []string) ([]*Account, error)
	// RecordsByID returns those of some records that there are, in any order.
	RecordsByID(realm string, noun Noun, ids []string) ([]*Record, error)
}

// BulkTx writes many at once.
type BulkTx interface {
	Tx
	BulkReader

	// InsertAccounts is InsertAccount for many. keys are in the same order. None
	// of them, nor of the ids, may be taken: the caller has looked.
	InsertAccounts(accounts []*Account, keys [][]Key) error
	// AddMembers is AddMember for accounts that are not in the group.
	AddMembers(realm, group string, accounts []string, at time.Time) error
	// InsertRecords is InsertRecord for records whose ids and keys are not taken.
	InsertRecords(records []*Record) error
	// AppendAll is Append for many, in their order.
	AppendAll(changes []Change) error
	// NoteNames makes AccountsByName know accounts of before there was such a
	// thing, some of them at a time, and reports whether that was all.
	NoteNames() (done bool, err error)
}

// NameKey is what AccountsByName finds accounts by: first and last name, folded;
// "" unless there are both.
func NameKey(firstName, lastName string) string {
	first, last := Fold(strings.TrimSpace(firstName)), Fold(strings.TrimSpace(lastName))
	if first == "" || last == "" {
		return ""
	}
	return first + "\n" + last
}

// Sourcing changes accounts and groups in the name of an identity source, within
// one transaction. What it reads of the realm it reads once.
type Sourcing struct {
	d     *Directory
	r     BulkReader
	tx    BulkTx // nil when it only checks
	actor Actor
	at    time.Time

	realm     *Realm
	app       *App
	shape     *Shape
	everyone  string // id of the group
	settler   *settler
	groupApps bool // groups of the realm have applications

	changes []Change // to be appended by Flush
	swept   bool     // the rules have to be evaluated for everybody
}

// Sourcing returns what changes accounts in the name of an application. Without a
// tx, it only checks.
func (d *Directory) Sourcing(r BulkReader, tx BulkTx, actor Actor, realm, appID string) (*Sourcing, error) {
	s := &Sourcing{d: d, r: r, tx: tx, at: d.now()}
	var err error
	if s.realm, err = r.Realm(realm); err != nil {
		return nil, err
	}
	if s.app, err = get[App](r, realm, appID); err != nil {
		return nil, err
	}
	if s.shape, err = d.shapeFor(r, s.realm, ""); err != nil {
		return nil, err
	}
	if s.everyone, err = everyoneOf(r, s.realm); err != nil {
		return nil, err
	}
	if s.actor, err = named(r, realm, actor); err != nil {
		return nil, err
	}
	assigned, err := all[AssignedGroup](r, RecordQuery{Realm: realm}, 1, nil)
	if err != nil {
		return nil, err
	}
	s.groupApps = len(assigned) > 0
	if tx != nil {
		s.settler, err = d.newSettler(tx, realm, actor)
	}
	return s, err
}

// UserShape returns the schema of the default user type, within a transaction.
func (d *Directory) UserShape(r Reader, realm string) (*Shape, error) {
	return d.shape(r, realm, SchemaOf(DefaultUserType))
}

// shapeOf returns the schema of an account, which may be of another user type
// than the source makes.
func (s *Sourcing) shapeOf(a *Account) (*Shape, error) {
	if a.Type == "" {
		return s.shape, nil
	}
	return s.d.shapeFor(s.r, s.realm, a.Type)
}

// KeysOf returns what must be unique of an account with a profile.
func (s *Sourcing) KeysOf(profile map[string]any) []Key {
	return s.shape.keys(s.realm.Kind, &Account{Realm: s.realm.ID, Profile: profile})
}

// NewAccountID returns an id for an account that is to be created.
func (s *Sourcing) NewAccountID() string { return s.d.IDs.Okta("00u") }

// Newcomer is somebody who is to be created, with the assignment.
type Newcomer struct {
	Account    string // id
	Profile    map[string]any
	Activate   bool
	ExternalID string
	Sourced    map[string]any // the source's own profile of the person
}

// Create adds accounts with their assignments. No key of them may be taken: the
// caller has looked.
func (s *Sourcing) Create(people []Newcomer) error {
	accounts, keys, ids := make([]*Account, len(people)), make([][]Key, len(people)), make([]string, len(people))
	for i := range people {
		p := &people[i]
		a := newAccount(s.realm, Draft{ID: p.Account, Profile: s.shape.withDefaults(p.Profile), Activate: p.Activate}, s.at)
		accounts[i], keys[i], ids[i] = a, s.shape.keys(s.realm.Kind, a), a.ID
	}
	if err := s.tx.InsertAccounts(accounts, keys); err != nil {
		return err
	}
	if err := s.tx.AddMembers(s.realm.ID, s.everyone, ids, time.Time{}); err != nil {
		return err
	}
	for _, a := range accounts {
		if err := s.log(change{kind: "user.lifecycle.create", target: a.ID, after: a, targets: []Target{a.target()}}); err != nil {
			return err
		}
		if a.Activated.IsZero() {
			continue
		}
		if err := s.log(change{kind: lifecycle[Activate].log, target: a.ID, targets: []Target{a.target()}}); err != nil {
			return err
		}
	}
	assignments := make([]Assigned, len(people))
	for i := range people {
		assignments[i] = Assigned{accounts[i], people[i].ExternalID, people[i].Sourced}
	}
	if err := s.assign(assignments); err != nil {
		return err
	}
	for _, a := range accounts {
		if err := s.settle(nil, a); err != nil {
			return err
		}
	}
	return nil
}

// Assigned is an account that is to have the application.
type Assigned struct {
	Account    *Account
	ExternalID string
	Sourced    map[string]any // the source's own profile of the person
}

// Assign gives the application to an account that does not have it, or tells it
// what the source says now.
func (s *Sourcing) Assign(a Assigned) (*AppUser, error) {
	before, err := appUser(s.tx, s.app, a.Account)
	if fault.Is(err, fault.NotFound) {
		if err := s.assign([]Assigned{a}); err != nil {
			return nil, err
		}
		return appUser(s.tx, s.app, a.Account)
	}
	if err != nil {
		return nil, err
	}
	after := *before
	after.ExternalID, after.Profile = a.ExternalID, compact(a.Sourced)
	after.Scope, after.Group = UserScope, ""
	if before.ExternalID == after.ExternalID && value.Equal(before.Profile, after.Profile) && before.Scope == after.Scope {
		return before, nil
	}
	if err := replaceObject(s.tx, &after, s.at); err != nil {
		return nil, err
	}
	return &after, s.log(change{
		kind: "application.user_membership.update", target: a.Account.ID, before: before, after: &after, targets: after.targets(s.app, a.Account),
	})
}

// assign makes the assignments of accounts that have none.
func (s *Sourcing) assign(list []Assigned) error {
	records := make([]*Record, len(list))
	for i, a := range list {
		u := s.d.newAppUser(s.app, a.Account, UserScope)
		u.Status, u.StatusChanged, u.ExternalID, u.Profile = AppUserProvisioned, s.at, a.ExternalID, compact(a.Sourced)
		u.Version, u.Created, u.Updated = 1, s.at, s.at
		record, err := recordOf(u)
		if err != nil {
			return err
		}
		records[i] = record
		c := s.entry(change{kind: "application.user_membership.add", target: a.Account.ID, targets: u.targets(s.app, a.Account)})
		c.After = record.Body // what was just encoded
		s.changes = append(s.changes, c)
	}
	return s.tx.InsertRecords(records)
}

// Unassign takes the application from an account, if it has it, and with it the
// groups of the source: nobody else could take it out of these.
func (s *Sourcing) Unassign(a *Account) error {
	u, err := appUser(s.tx, s.app, a)
	switch {
	case fault.Is(err, fault.NotFound):
		return s.leaveAll(a)
	case err != nil:
		return err
	}
	if err := s.Flush(); err != nil {
		return err
	}
	if err := s.d.removeAppUser(s.tx, s.actor, s.app, a, u, s.at); err != nil {
		return err
	}
	return s.leaveAll(a)
}

// leaveAll takes an account out of all groups of the source.
func (s *Sourcing) leaveAll(a *Account) error {
	var in []string
	for m, err := range s.tx.Memberships(a.Realm, []string{a.ID}) {
		if err != nil {
			return err
		}
		in = append(in, m.Group)
	}
	for _, id := range in {
		g, err := s.tx.Group(a.Realm, id)
		if err != nil {
			return err
		}
		if g.Type != AppGroup || g.Connection != s.app.ID {
			continue
		}
		if _, err := s.Leave(g, a); err != nil {
			return err
		}
	}
	return nil
}

// Edit changes attributes of an account; nil values erase. A taken key is a
// fault.Conflict with Violations, to be found by the caller before it writes.
func (s *Sourcing) Edit(before *Account, changes map[string]any) (*Account, error) {
	after := before.clone()
	after.Profile, after.Updated, after.Version = merged(after.Profile, changes), s.at, before.Version+1
	shape, err := s.shapeOf(after)
	if err != nil {
		return nil, err
	}
	if err := s.tx.UpdateAccount(after, shape.keys(s.realm.Kind, after)); err != nil {
		return nil, err
	}
	err = s.log(change{kind: "user.account.update_profile", target: after.ID, before: before, after: after, targets: []Target{after.target()}})
	if err != nil {
		return nil, err
	}
	return after, s.settle(before, after)
}

// settle is profileChanged, but looks only where there is something.
func (s *Sourcing) settle(before, after *Account) error {
	apps := before != nil || s.groupApps
	if !apps && len(s.settler.rules) == 0 {
		return nil
	}
	if err := s.Flush(); err != nil { // what follows is logged behind it
		return err
	}
	switch {
	case before != nil:
		if err := s.d.renameAppUsers(s.tx, s.actor, before, after, s.at); err != nil {
			return err
		}
	case s.groupApps:
		if err := s.d.appsOfGroups(s.tx, s.actor, after, s.at); err != nil {
			return err
		}
	}
	return s.settler.settle(after)
}

// Step moves an account along its life cycle, with all that follows. A status
// that forbids the operation is a fault.Conflict with a *StateError.
func (s *Sourcing) Step(a *Account, op Operation) (*Account, error) {
	if err := s.Flush(); err != nil {
		return nil, err
	}
	return s.d.transition(s.tx, s.actor, a, Step{Operation: op})
}

// May reports whether the status of an account allows an operation.
func (d *Directory) May(a *Account, op Operation) bool {
	_, ok := d.next(a, op)
	return ok
}

// Note logs an event of the import about an account or group, without a change.
func (s *Sourcing) Note(kind string, outcome Outcome, targets ...Target) {
	c := s.entry(change{kind: kind, target: s.app.ID, targets: append(targets, s.app.target()), outcome: outcome})
	if len(targets) > 0 {
		c.Target = targets[0].ID
	}
	s.changes = append(s.changes, c)
}

// TargetOf is how the log names an account.
func TargetOf(a *Account) Target { return a.target() }

// TargetOfGroup is how the log names a group.
func TargetOfGroup(g *Group) Target { return g.target() }

func (s *Sourcing) log(c change) error {
	e := s.entry(c)
	var err error
	if e.Before, err = encodeState(c.before); err != nil {
		return err
	}
	if e.After, err = encodeState(c.after); err != nil {
		return err
	}
	s.changes = append(s.changes, e)
	return nil
}

func (s *Sourcing) entry(c change) Change {
	return Change{At: s.at, Actor: s.actor, Kind: c.kind, Realm: s.realm.ID, Target: c.target, Targets: c.targets, Outcome: c.outcome}
}

// Flush writes what is to be logged. It must be called before the transaction ends.
func (s *Sourcing) Flush() error {
	if len(s.changes) == 0 {
		return nil
	}
	err := s.tx.AppendAll(s.changes)
	s.changes = s.changes[:0]
	return err
}

// Swept reports whether FinishRules has to be called after the transaction,
// because what happened to a group can change what rules say of anybody.
func (s *Sourcing) Swept() bool { return s.swept }

// FinishRules evaluates the group rules for everybody whom an evaluation under
// way has not reached.
func (d *Directory) FinishRules(ctx context.Context, realm string) error { return d.sweep(ctx, realm) }

// NewGroupID returns an id for a group that is to be created.
func (s *Sourcing) NewGroupID() string { return s.d.IDs.Okta("00g") }

// CheckGroup returns what is wrong with the profile of a group of the source.
func (s *Sourcing) CheckGroup(profile map[string]any) error {
	shape, err := s.d.shape(s.r, s.realm.ID, GroupSchema)
	if err != nil {
		return err
	}
	return shape.checkProfile(profile).err()
}

// CreateGroup adds a group of the source.
func (s *Sourcing) CreateGroup(id string, profile map[string]any) (*Group, error) {
	g := &Group{
		ID: id, Realm: s.realm.ID, Type: AppGroup, Connection: s.app.ID, Profile: compact(profile),
		Created: s.at, Updated: s.at, MembershipUpdated: s.at, Version: 1,
	}
	if err := s.tx.InsertGroup(g); err != nil {
		return nil, err
	}
	return g, s.log(change{kind: "group.lifecycle.create", target: g.ID, after: g, targets: []Target{g.target()}})
}

// EditGroup replaces the profile of a group of the source.
func (s *Sourcing) EditGroup(before *Group, profile map[string]any) (*Group, error) {
	after := before.clone()
	after.Profile, after.Updated, after.Version = compact(profile), s.at, before.Version+1
	if err := s.tx.UpdateGroup(after); err != nil {
		return nil, err
	}
	if before.Name() != after.Name() {
		if err := s.sweep(after); err != nil {
			return nil, err
		}
	}
	return after, s.log(change{kind: "group.profile.update", target: after.ID, before: before, after: after, targets: []Target{after.target()}})
}

// sweep has the rules that ask for groups evaluated for everybody.
func (s *Sourcing) sweep(g *Group) error {
	affects, err := s.d.startSweepFor(s.tx, g)
	s.swept = s.swept || affects
	return err
}

// DeleteGroup removes a group of the source with its memberships.
func (s *Sourcing) DeleteGroup(g *Group) error {
	if err := s.Flush(); err != nil {
		return err
	}
	if err := s.d.groupEnding(s.tx, s.actor, g, s.at); err != nil {
		return err
	}
	if err := endRecords(s.tx, g.Realm, g.ID, aboutGroups); err != nil {
		return err
	}
	if err := s.tx.DeleteGroup(g.Realm, g.ID); err != nil {
		return err
	}
	if err := s.sweep(g); err != nil {
		return err
	}
	return s.log(change{kind: "group.lifecycle.delete", target: g.ID, before: g, targets: []Target{g.target()}})
}

// Join puts an account into a group of the source and reports whether it was not
// in it.
func (s *Sourcing) Join(g *Group, a *Account) (bool, error) {
	moved, err := s.tx.AddMember(g.Realm, g.ID, a.ID, s.at)
	if err != nil || !moved {
		return false, err
	}
	c := change{kind: "group.user_membership.add", target: a.ID, after: Membership{g.ID, a.ID}, targets: []Target{a.target(), g.target()}}
	if err := s.log(c); err != nil {
		return false, err
	}
	if !s.groupApps && len(s.settler.rules) == 0 {
		return true, nil
	}
	if err := s.Flush(); err != nil {
		return false, err
	}
	return true, s.d.joined(s.tx, s.actor, g, a, s.at)
}

// Leave takes an account out of a group of the source and reports whether it was
// in it.
func (s *Sourcing) Leave(g *Group, a *Account) (bool, error) {
	moved, err := s.tx.RemoveMember(g.Realm, g.ID, a.ID, s.at)
	if err != nil || !moved {
		return false, err
	}
	c := change{kind: "group.user_membership.remove", target: a.ID, before: Membership{g.ID, a.ID}, targets: []Target{a.target(), g.target()}}
	if err := s.log(c); err != nil {
		return false, err
	}
	if err := s.Flush(); err != nil {
		return false, err
	}
	return true, s.d.left(s.tx, s.actor, g, a, s.at)
}

// Administrators are those who have admin roles in a realm, each with the label of
// one of their roles.
type Administrators struct {
	Accounts map[string]string // by id: themselves, or by a group
	Groups   map[string]string // by id
}

// AdministratorsOf returns who has admin roles in a realm. It goes through all roles
// and through the members of the groups that have some.
func AdministratorsOf(r Reader, realm string) (*Administrators, error) {
	return administrators(r, realm, nil)
}

// SuperAdmins returns the ids of the accounts that are super administrators of a
// realm, by themselves or by a group.
func SuperAdmins(r Reader, realm string) (map[string]bool, error) {
	super, err := administrators(r, realm, func(role *Role) bool { return role.Type == SuperAdmin })
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(super.Accounts))
	for id := range super.Accounts {
		out[id] = true
	}
	return out, nil
}

func administrators(r Reader, realm string, match func(*Role) bool) (*Administrators, error) {
	roles, err := all(r, RecordQuery{Realm: realm}, 0, match)
	if err != nil {
		return nil, err
	}
	out := &Administrators{Accounts: map[string]string{}, Groups: map[string]string{}}
	for _, role := range roles {
		switch role.AssigneeType {
		case GroupAssignee:
			out.Groups[role.Assignee] = role.Label
		case UserAssignee:
			out.Accounts[role.Assignee] = role.Label
		}
	}
	for _, g := range slices.Sorted(maps.Keys(out.Groups)) {
		for m, err := range r.Members(realm, g, "") {
			if err != nil {
				return nil, err
			}
			out.Accounts[m.ID] = out.Groups[g]
		}
	}
	return out, nil
}
