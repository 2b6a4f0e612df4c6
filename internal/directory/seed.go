package directory

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// EngineeringGroup is the id of the group Engineering in a seeded directory,
// for documentation and examples.
const EngineeringGroup = "00g0engineering001d7"

// Administrator is the id of the seeded Okta account that owns the sandbox's tokens.
const Administrator = "00u0administrat001d7"

// seedGroups are the groups of a new sandbox, with fixed ids so that examples
// can name them.
var seedGroups = []struct{ id, name, description string }{
	{"00g0administrat001d7", "Administrators", "People who look after the org"},
	{EngineeringGroup, "Engineering", "Everybody who builds the product"},
	{"00g0finance0000001d7", "Finance", "Accounting and controlling"},
	{"00g0people00000001d7", "People Operations", "Human resources"},
	{"00g0sales000000001d7", "Sales", "Account executives and sales engineers"},
	{"00g0support0000001d7", "Support", "First and second line"},
}

// seedEpoch is when the people of the sandbox were hired: fixed, so that two
// new sandboxes are equal.
var seedEpoch = time.Date(2026, time.January, 12, 9, 0, 0, 0, time.UTC)

type seedPerson struct {
	id, first, last, title, department string
	status                             Status
	groups                             []string // names
}

var seedPeople = []seedPerson{
	{Administrator, "Ada", "Min", "Identity Administrator", "IT", Active, []string{"Administrators"}},
	{"00u0amara0okafor01d7", "Amara", "Okafor", "Staff Engineer", "Engineering", Active, []string{"Engineering"}},
	{"00u0bruno0keller01d7", "Bruno", "Keller", "Engineer", "Engineering", Active, []string{"Engineering"}},
	{"00u0chiara0ricci01d7", "Chiara", "Ricci", "Engineering Manager", "Engineering", Active, []string{"Engineering", "Administrators"}},
	{"00u0dmitri0volkov1d7", "Dmitri", "Volkov", "Account Executive", "Sales", Active, []string{"Sales"}},
	{"00u0elena0santos01d7", "Elena", "Santos", "Sales Engineer", "Sales", Active, []string{"Sales", "Engineering"}},
	{"00u0farid0haddad01d7", "Farid", "Haddad", "Controller", "Finance", Active, []string{"Finance"}},
	{"00u0grace0kim00001d7", "Grace", "Kim", "Recruiter", "People", Active, []string{"People Operations"}},
	{"00u0hugo0lefevre01d7", "Hugo", "Lefevre", "Support Engineer", "Support", Suspended, []string{"Support"}},
	{"00u0ingrid0nilsen1d7", "Ingrid", "Nilsen", "Engineer", "Engineering", Provisioned, nil},
	{"00u0jonas0weber001d7", "Jonas", "Weber", "Contractor", "Support", Deprovisioned, nil},
}

// seedSecret is the hash of a password that nobody knows: seeded accounts
// count as having one, and cannot be signed in to.
var seedSecret = Secret{Password: "$2a$09$pevUElFfxQb2JuE7RpVVNOQeTU8AcID7yu1/CFfp9ucSStgka8DrK"}

// Seed fills an empty directory with the realms okta and auth0, the group
// Everyone, a handful of groups and people. A directory that has either realm is
// left as it is. Equal directories result wherever it runs.
func Seed(ctx context.Context, d *Directory) error {
	seeder := *d // same store, a clock that stands at the epoch
	seeder.Clock = func() time.Time { return seedEpoch }
	return d.Store.Update(ctx, func(tx Tx) error {
		for _, id := range []string{OktaRealm, Auth0Realm} {
			if _, err := tx.Realm(id); !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		return seeder.seed(tx)
	})
}

func (d *Directory) seed(tx Tx) error {
	okta := Realm{ID: OktaRealm, Kind: Okta, Name: "Sandbox org"}
	if err := d.addRealm(tx, okta, "00g0everyone000001d7"); err != nil {
		return err
	}
	if err := d.addRealm(tx, Realm{ID: Auth0Realm, Kind: Auth0, Name: "Sandbox tenant"}, ""); err != nil {
		return err
	}
	groups := map[string]*Group{}
	for _, s := range seedGroups {
		g := &Group{
			ID: s.id, Realm: OktaRealm, Type: OktaGroup,
			Profile: map[string]any{"name": s.name, "description": s.description},
			Created: seedEpoch, Updated: seedEpoch, MembershipUpdated: seedEpoch, Version: 1,
		}
		if err := d.insertGroup(tx, System("seed"), g); err != nil {
			return err
		}
		groups[s.name] = g
	}
	for _, p := range seedPeople {
		if err := d.seedPerson(tx, &okta, p, groups); err != nil {
			return err
		}
	}
	owner := &Role{
		Meta: Meta{ID: "ra10administrat001d7", Realm: OktaRealm}, RoleID: "ra10administrat001d7",
		Type: SuperAdmin, Label: roleInfos[SuperAdmin].label, Assignee: Administrator, AssigneeType: UserAssignee,
	}
	return d.insertObject(tx, owner, privilege(owner, System("seed"), seedEpoch, true))
}

func (d *Directory) seedPerson(tx Tx, r *Realm, p seedPerson, groups map[string]*Group) error {
	a := p.account()
	credentials := prepared{}
	if a.HasPassword {
		credentials.secret = seedSecret
	}
	if err := d.insert(tx, System("seed"), r, a, credentials); err != nil {
		return err
	}
	for _, name := range p.groups {
		if err := d.addMember(tx, System("seed"), groups[name], a, seedEpoch); err != nil {
			return err
		}
	}
	return nil
}

func (p seedPerson) account() *Account {
	login := Fold(p.first + "." + p.last + "@example.com")
	a := &Account{
		ID: p.id, Realm: OktaRealm, Status: p.status,
		Profile: map[string]any{
			"login": login, "email": login, "firstName": p.first, "lastName": p.last,
			"displayName": p.first + " " + p.last, "title": p.title, "department": p.department,
		},
		Provider: Provider{ProviderOkta, ProviderOkta},
		Created:  seedEpoch, Activated: seedEpoch, StatusChanged: seedEpoch, Updated: seedEpoch, Version: 1,
	}
	if slices.Contains([]Status{Active, Suspended}, p.status) {
		a.HasPassword, a.PasswordChanged = true, seedEpoch
	}
	return a
}
