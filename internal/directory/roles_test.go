package directory_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

func userOf(id string) directory.Assignee {
	return directory.Assignee{ID: id, Type: directory.UserAssignee}
}

func groupOf(id string) directory.Assignee {
	return directory.Assignee{ID: id, Type: directory.GroupAssignee}
}

// grant gives a role and returns the id that clients know.
func (b bench) grant(who directory.Assignee, typ directory.RoleType) string {
	b.t.Helper()
	r, err := b.AssignRole(b.t.Context(), me, org, who, directory.RoleDraft{Type: typ})
	b.do(err)
	return r.RoleID
}

func (b bench) wantRoles(account string, want ...directory.RoleType) {
	b.t.Helper()
	got, err := b.RolesOf(b.t.Context(), org, account)
	b.do(err)
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("roles: - want + got\n%s", diff)
	}
}

// TestRolesOf makes sure that roles come from the account and from its groups,
// each once, and go with whatever brought them.
func TestRolesOf(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, q := b.person("p", ""), b.person("q", "")
	g, h := b.group("G"), b.group("H")
	b.wantRoles(p)
	user := b.grant(userOf(p), directory.UserAdmin)
	b.grant(userOf("p"), directory.AppAdmin) // by the short login
	b.grant(groupOf(g), directory.UserAdmin)
	b.grant(groupOf(g), directory.ReadOnlyAdmin)
	b.grant(groupOf(h), directory.SuperAdmin)
	b.do(b.AddMember(t.Context(), me, org, g, p))
	b.do(b.AddMember(t.Context(), me, org, h, q))
	b.wantRoles(p, directory.AppAdmin, directory.ReadOnlyAdmin, directory.UserAdmin)
	b.wantRoles(q, directory.SuperAdmin)
	b.do(b.UnassignRole(t.Context(), me, org, userOf(p), user))
	b.wantRoles(p, directory.AppAdmin, directory.ReadOnlyAdmin, directory.UserAdmin)
	b.do(b.RemoveMember(t.Context(), me, org, g, p))
	b.wantRoles(p, directory.AppAdmin)
	b.do(b.DeleteGroup(t.Context(), me, org, h))
	b.wantRoles(q)
	b.do(b.Store.View(t.Context(), func(r directory.Reader) error {
		for record, err := range r.Records(directory.RecordQuery{Realm: org, Noun: directory.RoleNoun, Subject: h}) {
			t.Errorf("the role of a group that is gone: %v, %v", record, err)
		}
		return nil
	}))
	b.do(b.Remove(t.Context(), me, org, p))
	b.wantRoles(p)
	if ids, err := b.Administrators(t.Context(), org, "", 0); err != nil || len(ids) != 0 {
		t.Errorf("administrators that are gone: %v, %v", ids, err)
	}
}

// TestPrivilegeEvents makes sure that the log tells "others now" from "none left".
func TestPrivilegeEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, g := b.person("p", ""), b.group("G")
	for _, who := range []directory.Assignee{userOf(p), groupOf(g)} {
		first, second := b.grant(who, directory.UserAdmin), b.grant(who, directory.SuperAdmin)
		b.do(b.AddRoleGroup(t.Context(), me, org, who, first, g))
		b.do(b.UnassignRole(t.Context(), me, org, who, first))
		b.do(b.UnassignRole(t.Context(), me, org, who, second))
	}
	var got []string
	for _, kind := range []string{"user.account.privilege.grant", "user.account.privilege.revoke", "group.privilege.grant", "group.privilege.revoke"} {
		list, err := b.Changes(t.Context(), directory.ChangeQuery{Kind: kind}, 0, nil)
		b.do(err)
		got = append(got, fmt.Sprint(kind, " ", len(list)))
		for _, c := range list {
			if c.Actor.ID != me.ID || len(c.Targets) != 2 || c.Targets[0].ID != c.Target || c.Targets[1].Type != "ROLE" {
				t.Errorf("%s: by %+v about %s, %+v", kind, c.Actor, c.Target, c.Targets)
			}
		}
	}
	want := []string{"user.account.privilege.grant 4", "user.account.privilege.revoke 1", "group.privilege.grant 4", "group.privilege.revoke 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
}

// TestRolesOnManyMembers makes sure that a group is refused with one member too
// many, and not before.
func TestRolesOnManyMembers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	err := b.Store.Update(t.Context(), func(tx directory.Tx) error {
		for i := range 5001 {
			a := &directory.Account{ID: fmt.Sprintf("00u%05d", i), Realm: org, Status: directory.Active, Version: 1, Profile: map[string]any{"login": fmt.Sprint(i)}}
			if err := tx.InsertAccount(a, a.Keys(directory.Okta)); err != nil {
				return err
			}
			if _, err := tx.AddMember(org, g, a.ID, b.clock.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	b.do(err)
	_, err = b.AssignRole(t.Context(), me, org, groupOf(g), directory.RoleDraft{Type: directory.AppAdmin})
	var e *directory.RoleError
	if !errors.As(err, &e) || e.Problem != directory.RoleOnMany {
		t.Fatalf("AssignRole with 5001 members = %v", err)
	}
	b.do(b.RemoveMember(t.Context(), me, org, g, "00u00000"))
	b.grant(groupOf(g), directory.AppAdmin)
}

// TestDeletedTargetGroup makes sure that a group that goes is taken out of the
// targets of every role, and that this is logged.
func TestDeletedTargetGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, g, h := b.person("p", ""), b.group("G"), b.group("H")
	role := b.grant(userOf(p), directory.HelpDeskAdmin)
	b.do(b.AddRoleGroup(t.Context(), me, org, userOf(p), role, g))
	b.do(b.AddRoleGroup(t.Context(), me, org, userOf(p), role, h))
	grants := b.logged("user.account.privilege.grant")
	b.do(b.DeleteGroup(t.Context(), me, org, g))
	targets, err := b.RoleGroups(t.Context(), org, userOf(p), role)
	b.do(err)
	if len(targets) != 1 || targets[0].ID != h {
		t.Errorf("targets %v, want H alone", targets)
	}
	if got := b.logged("user.account.privilege.grant"); got != grants+1 {
		t.Errorf("%d grants logged, want %d", got, grants+1)
	}
}

// TestDeletedApp makes sure that an application that is gone is no target.
func TestDeletedApp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.person("p", "")
	b.do(b.Store.Update(t.Context(), func(tx directory.Tx) error {
		return tx.InsertRecord(&directory.Record{Realm: org, Noun: directory.AppNoun, ID: "0oa1", Version: 1, Body: []byte(`{"label":"One","status":"ACTIVE"}`)})
	}))
	role := b.grant(userOf(p), directory.AppAdmin)
	target := directory.AppTarget{Name: "bookmark", ID: "0oa1"}
	b.do(b.AddRoleApp(t.Context(), me, org, userOf(p), role, target))
	apps, err := b.RoleApps(t.Context(), org, userOf(p), role)
	b.do(err)
	if diff := cmp.Diff([]directory.RoleApp{{AppTarget: target, Label: "One", Status: "ACTIVE"}}, apps); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
	b.do(b.Store.Update(t.Context(), func(tx directory.Tx) error { return tx.DeleteRecord(org, directory.AppNoun, "0oa1") }))
	if apps, err := b.RoleApps(t.Context(), org, userOf(p), role); err != nil || len(apps) != 0 {
		t.Errorf("targets %v, %v", apps, err)
	}
}

// TestSeededAdministrator makes sure that the owner of the sandbox's tokens may
// do everything.
func TestSeededAdministrator(t *testing.T) {
	t.Parallel()
	b := newEmpty(t)
	b.do(directory.Seed(t.Context(), b.Directory))
	b.wantRoles(directory.Administrator, directory.SuperAdmin)
	roles, err := b.Roles(t.Context(), org, userOf(directory.Administrator))
	b.do(err)
	if len(roles) != 1 || len(roles[0].RoleID) != 20 {
		t.Errorf("roles %+v", roles)
	}
}

// TestCustomRoleEnds makes sure that its assignments go with it, and are logged.
func TestCustomRoleEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.person("p", "")
	custom, err := b.CreateCustomRole(t.Context(), me, org, "Creators", "Create users", []string{"okta.users.create"})
	b.do(err)
	_, err = b.AssignRole(t.Context(), me, org, userOf(p), directory.RoleDraft{Type: directory.CustomRoleType, CustomRole: "creators", ResourceSet: "WORKFLOWS_IAM_POLICY"})
	b.do(err)
	b.wantRoles(p, directory.CustomRoleType)
	b.do(b.DeleteCustomRole(t.Context(), me, org, custom.ID))
	b.wantRoles(p)
	if _, err := b.CustomRole(t.Context(), org, custom.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("CustomRole = %v", err)
	}
	for _, kind := range []string{"iam.role.create", "iam.role.delete", "user.account.privilege.grant", "user.account.privilege.revoke"} {
		if got := b.logged(kind); got != 1 {
			t.Errorf("%d events %s, want 1", got, kind)
		}
	}
}
