package importer_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// account is the account that the source has linked somebody to.
func (b *bench) account(externalID string) *directory.Account {
	b.Helper()
	u, err := b.User(b.Context(), b.source, externalID)
	b.do(err)
	a, err := b.Directory.FindAccount(b.Context(), b.Realm, u.Account)
	b.do(err)
	return a
}

func (b *bench) assign(account string, role directory.RoleType) {
	b.Helper()
	_, err := b.Directory.AssignRole(b.Context(), me, b.Realm, directory.Assignee{ID: account, Type: directory.UserAssignee}, directory.RoleDraft{Type: role})
	b.do(err)
}

// held makes sure that a session is held for one reason, and lets it go on.
func (b *bench) held(s *importer.Session, code reconcile.Code, says string) *importer.Session {
	b.Helper()
	if s.Phase != importer.Held || len(s.Holds) != 1 || s.Holds[0].Code != code || !strings.Contains(s.Holds[0].Text, says) {
		b.Fatalf("the session is %s %s because of %+v, not of %s: %s", s.State, s.Phase, s.Holds, code, says)
	}
	_, err := b.Approve(b.Context(), me, s.ID, "it was looked at")
	b.do(err)
	b.do(b.Settle(b.Context()))
	s, err = b.Session(b.Context(), b.source, s.ID)
	b.do(err)
	return s
}

// Who gets the account of an administrator comes to his role.
func TestAdministratorsAccounts(t *testing.T) {
	b := newBench(t, nil)
	all := people(4)
	b.run(all, importer.Full)
	admin := b.account("1001")
	b.assign(admin.ID, directory.AppAdmin)
	all[1]["email"] = "other@example.com"
	all[2]["email"] = "another@example.com"
	b.done(b.held(b.run(all, importer.Full), reconcile.Privileges, "1001 gets Application Administrator by an account that gets another"),
		map[string]int{"scanned": 4, "updated": 2, "unchanged": 2})

	all[1]["department"] = "Legal" // which gives him nothing
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 4, "updated": 1, "unchanged": 3})
	b.done(b.run(slices.Delete(slices.Clone(all), 1, 2), importer.Full), map[string]int{"scanned": 3, "removed": 1, "unchanged": 3})
	b.done(b.held(b.run(all, importer.Full), reconcile.Privileges, "by an account that comes back"),
		map[string]int{"scanned": 4, "reactivated": 1, "unchanged": 3})
	b.equal("his account", b.accounts()[admin.Login()], "PROVISIONED")
}

// The directory keeps roles from the groups of sources. Where one has a role all the
// same, nobody comes to it unseen.
func TestAdministratorsGroup(t *testing.T) {
	b := newBench(t, api)
	ctx := t.Context()
	s := b.create()
	b.load(s, importer.Batch{
		Users:  []importer.Record{record("1", "Ann", "Ash"), record("2", "Bob", "Birch")},
		Groups: []importer.Record{{ExternalID: "g1", Profile: map[string]any{"displayName": "Team"}}, {ExternalID: "g2", Profile: map[string]any{"displayName": "Club"}}},
	})
	b.imported(s)
	g, err := b.Group(ctx, b.source, "g1")
	b.do(err)
	_, err = b.Directory.AssignRole(ctx, me, b.Realm, directory.Assignee{ID: g.ID, Type: directory.GroupAssignee}, directory.RoleDraft{Type: directory.OrgAdmin})
	if err == nil {
		t.Error("a group of a source can have roles")
	}
	b.do(b.store.Update(ctx, func(tx importer.Tx) error {
		return b.Directory.PutObject(tx, &directory.Role{
			Meta: directory.Meta{ID: "ra1x", Realm: b.Realm}, RoleID: "ra1x", Type: directory.OrgAdmin, Label: "Organization Administrator",
			Assignee: g.ID, AssigneeType: directory.GroupAssignee,
		})
	}))
	b.clock.Step(time.Hour)
	s = b.create()
	b.load(s, importer.Batch{Memberships: []importer.Membership{{Group: "g1", Members: []string{"1"}}, {Group: "g2", Members: []string{"1", "2"}}}})
	s = b.held(b.imported(s), reconcile.Privileges, "1 gets Organization Administrator by the group g1")
	b.equal("memberships", s.Counts.Memberships, importer.GroupCounts{Scanned: 3, Added: 3})
}

// Whatever a source says of a super administrator, his account stays as it is.
func TestSuperAdminsStay(t *testing.T) {
	for _, removal := range []reconcile.Removal{reconcile.RemovalDeactivates, reconcile.RemovalSuspends, reconcile.RemovalIsNothing} {
		t.Run(string(removal), func(t *testing.T) {
			b := newBench(t, func(s *reconcile.Settings) {
				api(s)
				s.Removal, s.Reactivate = removal, reconcile.Reactivation{Suspended: true, Deactivated: true}
			})
			ctx := t.Context()
			s := b.create()
			b.load(s, importer.Batch{
				Users:       []importer.Record{record("1", "Ann", "Ash"), record("2", "Bob", "Birch"), record("3", "Eve", "Oak")},
				Groups:      []importer.Record{{ExternalID: "g1", Profile: map[string]any{"displayName": "Team"}}},
				Memberships: []importer.Membership{{Group: "g1", Members: []string{"1", "2"}}},
			})
			b.imported(s)
			was := b.account("1")
			b.assign(was.ID, directory.SuperAdmin)
			session := func(batch importer.Batch) {
				t.Helper()
				b.clock.Step(10 * time.Minute)
				s := b.create()
				b.load(s, batch)
				if s = b.imported(s); s.State != importer.Completed {
					t.Errorf("the session is %s %s: %+v", s.State, s.Phase, s.Holds)
				}
				stays(b, was)
			}
			session(importer.Batch{Users: []importer.Record{record("1", "Anna", "Elm")}})
			session(importer.Batch{DeleteUsers: []string{"1"}})
			_, _ = b.PutUser(ctx, me, b.source, record("1", "Anna", "Elm")) // it may say that it does not
			stays(b, was)
			session(importer.Batch{DeleteMemberships: []importer.Membership{{Group: "g1", Members: []string{"1"}}}})
			session(importer.Batch{DeleteGroups: []string{"g1"}})
			_ = b.DeleteUser(ctx, me, b.source, "1")
			stays(b, was)

			// Who came to the role while he was away is not let back in.
			was, err := b.Directory.Transition(ctx, me, b.Realm, was.ID, directory.Deactivate)
			b.do(err)
			session(importer.Batch{Users: []importer.Record{record("1", "Ann", "Ash")}})
			_, _ = b.PutUser(ctx, me, b.source, record("1", "Ann", "Ash"))
			stays(b, was)
		})
	}
}

func stays(b *bench, was *directory.Account) {
	b.Helper()
	is, err := b.Directory.FindAccount(b.Context(), b.Realm, was.ID)
	b.do(err)
	b.equal("his status", is.Status, was.Status)
	b.equal("his profile", is.Profile, was.Profile)
}

// Who has left all of his sources has left.
func TestLeaverOfTwoSources(t *testing.T) {
	b := newBench(t, nil)
	all := people(3)
	b.run(all, importer.Full)
	first := b.source
	s, err := b.PutSource(t.Context(), me, "Payroll", &importer.Source{Settings: reconcile.FileSettings()})
	b.do(err)
	b.source = s.ID
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 3, "linked": 3}) // three are few
	b.done(b.run(all[1:], importer.Full), map[string]int{"scanned": 2, "unchanged": 2, "removed": 1})
	b.equal("he is still in the first", b.accounts()["Ann0.1000@example.com"], "PROVISIONED")
	entities, err := b.Entities(t.Context(), importer.EntityQuery{Session: b.last().ID})
	b.do(err)
	if e := entities[0]; e.Action != reconcile.Unlink || e.Code != reconcile.StillThere || !strings.Contains(e.Reason, "still in the source HR") {
		t.Errorf("it is said that %+v", e.Decision)
	}
	b.source = first
	b.done(b.run(all[1:], importer.Full), map[string]int{"scanned": 2, "unchanged": 2, "removed": 1})
	b.equal("he is nowhere", b.accounts()["Ann0.1000@example.com"], "DEPROVISIONED")
}

// last is the newest session of the source.
func (b *bench) last() *importer.Session {
	b.Helper()
	list, err := b.Sessions(b.Context(), importer.SessionQuery{Source: b.source, Limit: 1})
	b.do(err)
	return list[0]
}

// After a source was removed, its file meets the settings of Okta, by which everybody
// waits: they are confirmed together.
func TestConfirmAll(t *testing.T) {
	b := newBench(t, nil)
	b.AtOnce(5)
	ctx := t.Context()
	all := people(20)
	b.run(all, importer.Full)
	admin := b.account("1011")
	b.assign(admin.ID, directory.AppAdmin)
	b.assign(b.account("1012").ID, directory.SuperAdmin)
	b.do(b.RemoveSource(ctx, me, b.source))
	twin := map[string]any{"login": "twin@example.com", "email": "t@example.com", "firstName": "Ann 3", "lastName": "Smith"}
	for range 2 { // two accounts of one name
		_, err := b.Directory.CreateAccount(ctx, me, b.Realm, directory.Draft{Profile: twin})
		b.do(err)
		twin["login"] = "twin2@example.com"
	}
	settings := reconcile.OktaSettings()
	settings.Activate, settings.Sourcing.Users = true, true
	_, err := b.PutSource(ctx, me, "HR", &importer.Source{Settings: settings})
	b.do(err)
	all = append(all, person("2000", "New", "Comer"), person("2001", "New", "Other"), person("2002", "Ann 3", "Smith"))
	all[2]["userName"] = "moved@example.com" // found by name
	all[11]["email"] = "somebody.else@example.com"
	all[12]["department"] = "Legal"
	b.done(b.run(all, importer.Incremental), map[string]int{"scanned": 23, "held": 23})
	before := b.accounts()

	count := func(bulk importer.Bulk, want importer.Confirmed) {
		t.Helper()
		got, err := b.ConfirmAll(ctx, me, b.source, bulk)
		b.do(err)
		b.equal("confirmed", *got, want)
	}
	count(importer.Bulk{Exact: true, Partial: true, New: true, DryRun: true}, importer.Confirmed{Exact: 17, Partial: 1, New: 2, Left: 3, DryRun: true})
	b.equal("accounts", b.accounts(), before)
	count(importer.Bulk{Exact: true, DryRun: true}, importer.Confirmed{Exact: 17, Left: 6, DryRun: true})
	count(importer.Bulk{Exact: true}, importer.Confirmed{Exact: 17, Left: 6})
	b.equal("accounts", b.accounts(), before)
	count(importer.Bulk{New: true}, importer.Confirmed{New: 2, Left: 4})
	b.equal("accounts", len(b.accounts()), len(before)+2)
	count(importer.Bulk{Exact: true, Partial: true, New: true}, importer.Confirmed{Partial: 1, Left: 3})
	a, err := b.Directory.FindAccount(ctx, b.Realm, admin.ID)
	b.do(err)
	b.equal("the administrator", a.Profile, admin.Profile)
	waiting, err := b.Waiting(ctx, b.source, "", 0)
	b.do(err)
	b.equal("who waits", []string{waiting[0].ExternalID, waiting[1].ExternalID, waiting[2].ExternalID}, []string{"1011", "1012", "2002"})
	b.equal("in the log", b.logged("system.import.user_match.confirm"), 20)
	s := b.run(all, importer.Incremental)
	b.equal("counts", b.counts(s)["unchanged"], 20)
}

// A column that was guessed and is gone says nothing any more of who has left: they
// would all be back.
func TestStatesLost(t *testing.T) {
	b := newBench(t, nil)
	all := people(40)
	for i := range all {
		all[i]["status"] = "Active"
	}
	b.run(all, importer.Full)
	for i := range 7 {
		all[i]["status"] = "Inactive"
	}
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 40, "removed": 7, "unchanged": 33})
	for i := range all {
		delete(all[i], "status")
	}
	b.done(b.held(b.run(all, importer.Full), reconcile.Returns, "7 accounts would be reactivated"), map[string]int{"scanned": 40, "reactivated": 7, "unchanged": 33})
}

// What goes to a tenant is decided there: it takes nobody from the sources here.
func TestTenantTakesNobody(t *testing.T) {
	b := newBench(t, nil)
	all := people(10)
	b.run(all, importer.Full)
	for label, to := range map[string]*reconcile.Target{"Tenant": {Connection: "okta", Source: "HR"}, "Payroll": nil} {
		s, err := b.PutSource(t.Context(), me, label, &importer.Source{Settings: reconcile.FileSettings(), To: to})
		b.do(err)
		p, err := b.Preview(t.Context(), s.ID, all, importer.PreviewOptions{})
		b.do(err)
		var codes []reconcile.Code
		for _, r := range p.Holds {
			codes = append(codes, r.Code)
		}
		p.Close()
		if held := slices.Contains(codes, reconcile.TakeOver); held != (to == nil) {
			t.Errorf("%s is held because of %v", label, codes)
		}
	}
}
