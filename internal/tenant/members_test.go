package tenant_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// person adds a user of the database.
func person(t *testing.T, tn *tenant.Tenant, email string) *directory.Account {
	t.Helper()
	a, err := tn.Directory.CreateAccount(t.Context(), admin, tn.Realm, directory.Draft{
		Connection: tenant.DefaultConnection, Profile: map[string]any{"email": email}, Password: &directory.Password{Text: "Sesame-4-you"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func organization(t *testing.T, tn *tenant.Tenant, name string) string {
	t.Helper()
	o := &tenant.Organization{Name: name}
	if err := tn.CreateOrganization(t.Context(), admin, o, nil); err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func role(t *testing.T, tn *tenant.Tenant, name string) string {
	t.Helper()
	r, err := tn.CreateRole(t.Context(), admin, name, "")
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func memberIDs(p tenant.Page[tenant.Member]) []string {
	ids := []string{}
	for _, m := range p.Items {
		ids = append(ids, m.Account.ID)
	}
	return ids
}

// TestMemberPages makes sure that going from page to page shows every member who
// stays, and nobody twice, while others come and go.
func TestMemberPages(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	org := organization(t, tn, "acme")
	var ids []string
	for i := range 9 {
		ids = append(ids, person(t, tn, fmt.Sprintf("u%d@example.com", i)).ID)
	}
	if err := tn.AddOrgMembers(t.Context(), admin, org, ids); err != nil {
		t.Fatal(err)
	}
	all, err := tn.OrgMembers(t.Context(), org, false, tenant.Window{Total: true})
	if err != nil || all.Total != 9 || all.More || !cmp.Equal(memberIDs(all), ids) {
		t.Fatalf("OrgMembers = %v, %d, %v, %v", memberIDs(all), all.Total, all.More, err)
	}
	for skip := range 11 {
		for limit := 1; limit < 11; limit++ {
			w := tenant.Window{Skip: skip, Limit: limit, Total: true}
			got, err := tn.OrgMembers(t.Context(), org, false, w)
			if err != nil {
				t.Fatal(err)
			}
			want := tenant.Cut(ids, w)
			if !cmp.Equal(memberIDs(got), append([]string{}, want.Items...)) || got.More != want.More || got.Total != want.Total {
				t.Errorf("window %+v: %v, %v, %d\nwant %v, %v, %d", w, memberIDs(got), got.More, got.Total, want.Items, want.More, want.Total)
			}
		}
	}
	first, err := tn.OrgMembers(t.Context(), org, false, tenant.Window{Limit: 3})
	if err != nil || !first.More {
		t.Fatalf("%v, more %v", err, first.More)
	}
	// The last of the page leaves, one of the next page is deleted, one comes.
	if err := tn.RemoveOrgMembers(t.Context(), admin, org, ids[2:3]); err != nil {
		t.Fatal(err)
	}
	if err := tn.Directory.Remove(t.Context(), admin, tn.Realm, ids[4]); err != nil {
		t.Fatal(err)
	}
	late := person(t, tn, "late@example.com").ID
	if err := tn.AddOrgMembers(t.Context(), admin, org, []string{late}); err != nil {
		t.Fatal(err)
	}
	rest, err := tn.OrgMembers(t.Context(), org, false, tenant.Window{After: first.Items[2].Mark(), Limit: 50})
	if want := []string{ids[3], ids[5], ids[6], ids[7], ids[8], late}; err != nil || !cmp.Equal(memberIDs(rest), want) || rest.More {
		t.Errorf("after the mark: %v, %v, want %v", memberIDs(rest), err, want)
	}
}

// TestMarksStayInTheirList makes sure that the place in one organization's list
// says nothing in that of another.
func TestMarksStayInTheirList(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	one, two := organization(t, tn, "one"), organization(t, tn, "two")
	ann, bob := person(t, tn, "ann@example.com").ID, person(t, tn, "bob@example.com").ID
	for _, org := range []string{one, two} {
		if err := tn.AddOrgMembers(t.Context(), admin, org, []string{ann, bob}); err != nil {
			t.Fatal(err)
		}
	}
	for _, org := range []string{one, two} {
		p, err := tn.OrgMembers(t.Context(), org, false, tenant.Window{Limit: 1})
		if err != nil || !cmp.Equal(memberIDs(p), []string{ann}) {
			t.Fatalf("%v, %v", memberIDs(p), err)
		}
		p, err = tn.OrgMembers(t.Context(), org, false, tenant.Window{After: p.Items[0].Mark(), Limit: 5})
		if err != nil || !cmp.Equal(memberIDs(p), []string{bob}) {
			t.Errorf("%v, %v, want the other", memberIDs(p), err)
		}
	}
}

// TestLinkKeepsPasswords links an account and takes the link away again.
func TestLinkKeepsPasswords(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	ann, bob := person(t, tn, "ann@example.com"), person(t, tn, "bob@example.com")
	secret := func(id string) (s directory.Secret) {
		t.Helper()
		err := tn.Directory.Store.View(t.Context(), func(r directory.Reader) (err error) {
			s, err = r.Secret(tn.Realm, id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := secret(bob.ID)
	profile := func(a *directory.Account) map[string]any { return map[string]any{"email": a.Email()} }
	linked, err := tn.Link(t.Context(), admin, ann.ID, bob.ID, profile)
	if err != nil || len(linked.Identities) != 1 || linked.Identities[0].Profile["email"] != "bob@example.com" {
		t.Fatalf("Link = %+v, %v", linked, err)
	}
	err = tn.Directory.Store.View(t.Context(), func(r directory.Reader) error { // who signs in as bob is ann now
		a, err := r.AccountByKey(tn.Realm, directory.Key{Scope: tenant.DefaultConnection, Name: directory.KeyEmail, Value: "bob@example.com"})
		if err == nil && a.ID != ann.ID {
			t.Errorf("bob's address is %s's", a.ID)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if after, err := tn.Unlink(t.Context(), admin, ann.ID, bob.ID); err != nil || len(after.Identities) != 0 {
		t.Fatalf("Unlink = %+v, %v", after, err)
	}
	if got := secret(bob.ID); got != before || got.Password == "" {
		t.Errorf("the password of the account is %q, was %q", got.Password, before.Password)
	}
	if got := secret(ann.ID); got.Password == "" {
		t.Error("the password of the other is gone")
	}
	var same *tenant.SameAccount
	if _, err := tn.Link(t.Context(), admin, ann.ID, ann.ID, profile); !errors.As(err, &same) || !fault.Is(err, fault.Invalid) {
		t.Errorf("Link to itself = %v", err)
	}
	if _, err := tn.Link(t.Context(), admin, "auth0|none", bob.ID, profile); !fault.Is(err, fault.NotFound) {
		t.Errorf("Link to nobody = %v", err)
	}
	if _, err := tn.Directory.Account(t.Context(), tn.Realm, bob.ID); err != nil {
		t.Errorf("a link that failed took the account: %v", err)
	}
	// What is linked ends with the account it is a part of.
	if _, err := tn.Link(t.Context(), admin, ann.ID, bob.ID, profile); err != nil {
		t.Fatal(err)
	}
	if err := tn.Directory.Remove(t.Context(), admin, tn.Realm, ann.ID); err != nil {
		t.Fatal(err)
	}
	person(t, tn, "bob@example.com")
}

// TestOneThatFailsChangesNothing makes sure that a list of changes is one change.
func TestOneThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	org, clerk := organization(t, tn, "acme"), role(t, tn, "clerk")
	ann := person(t, tn, "ann@example.com").ID
	for name, change := range map[string]func() error{
		"members":        func() error { return tn.AddOrgMembers(t.Context(), admin, org, []string{ann, "auth0|none"}) },
		"users of roles": func() error { return tn.AssignUsers(t.Context(), admin, clerk, []string{ann, "auth0|none"}) },
		"roles of users": func() error { return tn.AssignRoles(t.Context(), admin, ann, []string{clerk, "rol_none"}) },
		"an organization": func() error {
			return tn.CreateOrganization(t.Context(), admin, &tenant.Organization{Name: "beta"}, []tenant.OrgConnection{{Connection: "con_none"}})
		},
	} {
		if err := change(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want fault.NotFound", name, err)
		}
	}
	members, err := tn.OrgMembers(t.Context(), org, false, tenant.Window{})
	if err != nil || len(members.Items) != 0 {
		t.Errorf("members %v, %v", memberIDs(members), err)
	}
	users, err := tn.RoleUsers(t.Context(), clerk, tenant.Window{})
	if err != nil || len(users.Items) != 0 {
		t.Errorf("users %v, %v", memberIDs(users), err)
	}
	if _, err := tn.OrganizationByName(t.Context(), "beta"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the organization is there: %v", err)
	}
}

// TestDeletedRolesAreNowhere makes sure that a role that is gone is not shown
// where somebody had it.
func TestDeletedRolesAreNowhere(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	org, clerk, chief := organization(t, tn, "acme"), role(t, tn, "clerk"), role(t, tn, "chief")
	ann := person(t, tn, "ann@example.com").ID
	for _, err := range []error{
		tn.AddOrgMembers(t.Context(), admin, org, []string{ann}),
		tn.AssignOrgRoles(t.Context(), admin, org, ann, []string{clerk, chief}),
		tn.AssignRoles(t.Context(), admin, ann, []string{clerk, chief}),
		tn.DeleteRole(t.Context(), admin, clerk),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	inOrg, err := tn.OrgMemberRoles(t.Context(), org, ann, tenant.Window{})
	if err != nil || len(inOrg.Items) != 1 || inOrg.Items[0].ID != chief {
		t.Errorf("in the organization: %+v, %v", inOrg.Items, err)
	}
	own, err := tn.UserRoles(t.Context(), ann, tenant.Window{})
	if err != nil || len(own.Items) != 1 || own.Items[0].ID != chief {
		t.Errorf("of the user: %+v, %v", own.Items, err)
	}
}

// TestChangesAreLogged makes sure that every change of this package is in the
// change log, with whom it is about.
func TestChangesAreLogged(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	org, clerk := organization(t, tn, "acme"), role(t, tn, "clerk")
	ann := person(t, tn, "ann@example.com").ID
	for _, err := range []error{
		tn.AddOrgMembers(t.Context(), admin, org, []string{ann}),
		tn.AssignOrgRoles(t.Context(), admin, org, ann, []string{clerk}),
		tn.AssignRoles(t.Context(), admin, ann, []string{clerk}),
		tn.UnassignRoles(t.Context(), admin, ann, []string{clerk}),
		tn.UnassignOrgRoles(t.Context(), admin, org, ann, []string{clerk}),
		tn.RemoveOrgMembers(t.Context(), admin, org, []string{ann}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	changes, err := tn.Directory.Changes(t.Context(), directory.ChangeQuery{Realm: tn.Realm, Target: ann}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, c := range changes[1:] { // the first is the user itself
		kinds = append(kinds, c.Kind)
		if c.Actor.ID != admin.ID || len(c.Targets) < 2 {
			t.Errorf("%s: actor %s, targets %v", c.Kind, c.Actor.ID, c.Targets)
		}
	}
	want := []string{
		"auth0.organization.member.add", "auth0.organization.role.assign", "auth0.role.assign",
		"auth0.role.unassign", "auth0.organization.role.unassign", "auth0.organization.member.remove",
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}
