package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// app creates a bookmark and returns its id.
func (b bench) app(label string) string {
	b.t.Helper()
	app, _, err := b.CreateApp(b.t.Context(), me, org, directory.AppDraft{Name: "bookmark", Label: label, Activate: true})
	if err != nil {
		b.t.Fatalf("CreateApp: %v", err)
	}
	return app.ID
}

// group makes a group and returns its id.
func (b bench) group(name string, members ...string) string {
	b.t.Helper()
	g, err := b.CreateGroup(b.t.Context(), me, org, map[string]any{"name": name})
	if err != nil {
		b.t.Fatalf("CreateGroup: %v", err)
	}
	for _, m := range members {
		b.do(b.AddMember(b.t.Context(), me, org, g.ID, m))
	}
	return g.ID
}

// staff creates an active account and returns its id.
func (b bench) staff(name string) string {
	b.t.Helper()
	login := name + "@example.com"
	a, err := b.CreateAccount(b.t.Context(), me, org, directory.Draft{
		Profile:  map[string]any{"login": login, "email": login, "firstName": name, "lastName": "Lee"},
		Password: &directory.Password{Text: "Sesame4you"}, Activate: true,
	})
	if err != nil {
		b.t.Fatalf("CreateAccount: %v", err)
	}
	return a.ID
}

func (b bench) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) everyone() string {
	b.t.Helper()
	groups, err := b.Groups(b.t.Context(), directory.GroupQuery{Realm: org, Type: directory.BuiltIn}, 0, nil)
	if err != nil || len(groups) != 1 {
		b.t.Fatalf("the group Everyone: %v, %v", groups, err)
	}
	return groups[0].ID
}

// has says how an account has an application: "USER", "GROUP one" ..., or "".
func (b bench) has(app, account string) string {
	b.t.Helper()
	u, err := b.AppUser(b.t.Context(), org, app, account)
	var lost *directory.Missing
	switch {
	case errors.As(err, &lost) && lost.Noun == directory.AppUserNoun:
		return ""
	case err != nil:
		b.t.Fatalf("AppUser: %v", err)
	case u.Scope == directory.UserScope:
		return "USER"
	}
	g, err := b.Group(b.t.Context(), org, u.Group)
	b.do(err)
	return "GROUP " + g.Name()
}

// TestAppsFollowGroups is the table of what gives an application to a person
// and what takes it.
func TestAppsFollowGroups(t *testing.T) {
	t.Parallel()
	type world struct {
		bench
		app, ann, one, two string
	}
	ctx := t.Context()
	assign := func(w world, group string) {
		t.Helper()
		_, err := w.AssignGroup(ctx, me, org, w.app, group, directory.AppGroupDraft{})
		w.do(err)
	}
	tests := []struct {
		name string
		do   func(w world)
		want string
	}{
		{"nothing", func(world) {}, ""},
		{"group that has the person", func(w world) { assign(w, w.one) }, "GROUP one"},
		{"person who joins", func(w world) {
			w.do(w.RemoveMember(ctx, me, org, w.one, w.ann))
			assign(w, w.one)
			w.do(w.AddMember(ctx, me, org, w.one, w.ann))
		}, "GROUP one"},
		{"person who leaves", func(w world) {
			assign(w, w.one)
			w.do(w.RemoveMember(ctx, me, org, w.one, w.ann))
		}, ""},
		{"person who leaves one of two", func(w world) {
			assign(w, w.one)
			assign(w, w.two)
			w.do(w.RemoveMember(ctx, me, org, w.one, w.ann))
		}, "GROUP two"},
		{"person who leaves the group that did not bring it", func(w world) {
			assign(w, w.one)
			assign(w, w.two)
			w.do(w.RemoveMember(ctx, me, org, w.two, w.ann))
		}, "GROUP one"},
		{"group that goes", func(w world) {
			assign(w, w.one)
			w.do(w.UnassignGroup(ctx, me, org, w.app, w.one))
		}, ""},
		{"group that is deleted", func(w world) {
			assign(w, w.one)
			w.do(w.DeleteGroup(ctx, me, org, w.one))
		}, ""},
		{"group that is deleted beside another", func(w world) {
			assign(w, w.one)
			assign(w, w.two)
			w.do(w.DeleteGroup(ctx, me, org, w.one))
		}, "GROUP two"},
		{"personal assignment outlives the group", func(w world) {
			w.assign(w.app, w.ann)
			assign(w, w.one)
			w.do(w.UnassignGroup(ctx, me, org, w.app, w.one))
		}, "USER"},
		{"assignment becomes personal", func(w world) {
			assign(w, w.one)
			w.assign(w.app, w.ann)
		}, "USER"},
		{"what the group gives comes back", func(w world) {
			assign(w, w.one)
			w.do(w.UnassignUser(ctx, me, org, w.app, w.ann))
		}, "GROUP one"},
		{"after a personal one too", func(w world) {
			assign(w, w.one)
			w.assign(w.app, w.ann)
			w.do(w.UnassignUser(ctx, me, org, w.app, w.ann))
		}, "GROUP one"},
		{"personal assignment that ends", func(w world) {
			w.assign(w.app, w.ann)
			w.do(w.UnassignUser(ctx, me, org, w.app, w.ann))
		}, ""},
		{"deactivation takes all", func(w world) {
			w.assign(w.app, w.ann)
			assign(w, w.one)
			w.transition(w.ann, directory.Deactivate)
		}, ""},
		{"nothing for the deactivated", func(w world) {
			w.transition(w.ann, directory.Deactivate)
			assign(w, w.one)
		}, ""},
		{"activation brings what groups give", func(w world) {
			assign(w, w.one)
			w.transition(w.ann, directory.Deactivate)
			w.transition(w.ann, directory.Activate)
		}, "GROUP one"},
		{"Everyone", func(w world) { assign(w, w.everyone()) }, "GROUP Everyone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := world{bench: b, app: b.app("App"), ann: b.staff("ann")}
			w.one, w.two = b.group("one", w.ann), b.group("two", w.ann)
			test.do(w)
			if got := w.has(w.app, w.ann); got != test.want {
				t.Errorf("the person has it by %q, want %q", got, test.want)
			}
		})
	}

	t.Run("new account in Everyone", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		app := b.app("App")
		_, err := b.AssignGroup(t.Context(), me, org, app, b.everyone(), directory.AppGroupDraft{})
		b.do(err)
		if got := b.has(app, b.staff("bob")); got != "GROUP Everyone" {
			t.Errorf("a new account has it by %q", got)
		}
	})
}

func (b bench) assign(app, account string) {
	b.t.Helper()
	_, err := b.AssignUser(b.t.Context(), me, org, app, account, directory.AppUserDraft{})
	b.do(err)
}

func (b bench) transition(account string, op directory.Operation) {
	b.t.Helper()
	_, err := b.Transition(b.t.Context(), me, org, account, op)
	b.do(err)
}

// TestAppLog is the system log of applications: kinds and targets in order.
func TestAppLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	ann := b.staff("ann")
	crew := b.group("crew", ann)
	start := b.seq()
	app := b.app("Wiki")
	_, err := b.AssignGroup(ctx, me, org, app, crew, directory.AppGroupDraft{})
	b.do(err)
	_, err = b.AssignGroup(ctx, me, org, app, crew, directory.AppGroupDraft{Profile: map[string]any{"a": "b"}})
	b.do(err)
	_, err = b.EditAppUser(ctx, me, org, app, ann, directory.AppUserDraft{Profile: map[string]any{"a": "b"}})
	b.do(err)
	b.do(b.UnassignGroup(ctx, me, org, app, crew))
	_, _, err = b.EditApp(ctx, me, org, app, directory.AppEdit{Change: func(a *directory.App) error { a.Label = "Web"; return nil }})
	b.do(err)
	g, err := b.GrantScope(ctx, me, org, app, "https://org", "okta.users.read")
	b.do(err)
	b.do(b.RevokeGrant(ctx, me, org, app, g.ID))
	b.do(b.SetAppStatus(ctx, me, org, app, directory.On)) // as it is: nothing happens
	b.do(b.SetAppStatus(ctx, me, org, app, directory.Off))
	b.do(b.SetAppStatus(ctx, me, org, app, directory.On))
	b.do(b.SetAppStatus(ctx, me, org, app, directory.Off))
	b.do(b.DeleteApp(ctx, me, org, app))

	const member = "AppUser:ann@example.com AppInstance:Wiki User:ann@example.com"
	want := []string{
		"application.lifecycle.create AppInstance:Wiki",
		"group.application_assignment.add UserGroup:crew AppInstance:Wiki",
		"application.user_membership.add " + member,
		"group.application_assignment.update UserGroup:crew AppInstance:Wiki",
		"application.user_membership.update " + member,
		"group.application_assignment.remove UserGroup:crew AppInstance:Wiki",
		"application.user_membership.remove " + member,
		"application.lifecycle.update AppInstance:Web",
		"app.oauth2.admin.consent.grant AppInstance:Web Scope:okta.users.read",
		"app.oauth2.admin.consent.revoke AppInstance:Web Scope:okta.users.read",
		"application.lifecycle.deactivate AppInstance:Web",
		"application.lifecycle.activate AppInstance:Web",
		"application.lifecycle.deactivate AppInstance:Web",
		"application.lifecycle.delete AppInstance:Web",
	}
	var got []string
	changes, err := b.Changes(ctx, directory.ChangeQuery{After: start}, 0, nil)
	b.do(err)
	for _, c := range changes {
		text := c.Kind
		for _, target := range c.Targets {
			name := target.AlternateID
			if name == "" {
				name = target.DisplayName
			}
			text += " " + target.Type + ":" + name
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log: - want + got\n%s", diff)
	}
}

func (b bench) seq() int64 {
	b.t.Helper()
	last, err := b.Changes(b.t.Context(), directory.ChangeQuery{Newest: true}, 1, nil)
	if err != nil || len(last) == 0 {
		b.t.Fatalf("the change log: %v, %v", last, err)
	}
	return last[0].Seq
}

// crowd fills a group with new accounts in one transaction.
func (b bench) crowd(group string, people int) {
	b.t.Helper()
	b.do(b.Store.Update(b.t.Context(), func(tx directory.Tx) error {
		for i := range people {
			login := fmt.Sprintf("p%04d@example.com", i)
			a := &directory.Account{
				ID: b.IDs.Okta("00u"), Realm: org, Status: directory.Active, Version: 1,
				Profile: map[string]any{"login": login, "email": login, "firstName": "P", "lastName": "Lee"},
			}
			if err := tx.InsertAccount(a, a.Keys(directory.Okta)); err != nil {
				return err
			}
			if _, err := tx.AddMember(org, group, a.ID, b.clock.Now()); err != nil {
				return err
			}
		}
		return nil
	}))
}

// TestLargeAppGroups goes through groups of several pages.
func TestLargeAppGroups(t *testing.T) {
	t.Parallel()
	const people = 1203
	b := newBench(t)
	ctx := t.Context()
	big := b.group("big")
	b.crowd(big, people)
	app := b.app("App")
	_, err := b.AssignGroup(ctx, me, org, app, big, directory.AppGroupDraft{})
	b.do(err)
	users, err := b.AppUsers(ctx, org, app, "", "", 0)
	b.do(err)
	if len(users) != people || !slices.IsSortedFunc(users, func(x, y directory.Assignment) int { return strings.Compare(x.Account, y.Account) }) {
		t.Fatalf("%d users or out of order, want %d by id", len(users), people)
	}
	page, err := b.AppUsers(ctx, org, app, users[599].Account, "P", 600)
	b.do(err)
	if len(page) != 600 || page[0].Account != users[600].Account {
		t.Errorf("page of %d from %s", len(page), page[0].Account)
	}
	one, err := b.AppUsers(ctx, org, app, "", "p1202@", 10)
	b.do(err)
	if len(one) != 1 || one[0].UserName != "p1202@example.com" {
		t.Errorf("found %v", one)
	}
	b.do(b.UnassignGroup(ctx, me, org, app, big))
	if users, err = b.AppUsers(ctx, org, app, "", "", 0); err != nil || len(users) != 0 {
		t.Errorf("%d users are left, %v", len(users), err)
	}
}

// TestDeleteApp leaves nothing behind.
func TestDeleteApp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	ann := b.staff("ann")
	crew := b.group("crew", ann)
	app, secret, err := b.CreateApp(ctx, me, org, directory.AppDraft{Label: "Portal", SignOnMode: directory.OpenIDConnect, Activate: true,
		Client: &directory.Client{RedirectURIs: []string{"https://x"}}})
	b.do(err)
	if app.Name != "oidc_client" || secret == "" {
		t.Errorf("made %s with secret %q", app.Name, secret)
	}
	_, err = b.AssignGroup(ctx, me, org, app.ID, crew, directory.AppGroupDraft{})
	b.do(err)
	_, err = b.GrantScope(ctx, me, org, app.ID, "https://org", "okta.users.read")
	b.do(err)
	if err := b.DeleteApp(ctx, me, org, app.ID); !errors.Is(err, directory.AppStillActive) || !fault.Is(err, fault.Conflict) {
		t.Errorf("DeleteApp of an active one: %v", err)
	}
	b.do(b.SetAppStatus(ctx, me, org, app.ID, directory.Off))
	b.do(b.DeleteApp(ctx, me, org, app.ID))
	err = b.Store.View(ctx, func(r directory.Reader) error {
		for _, noun := range []directory.Noun{directory.AppNoun, directory.AppUserNoun, directory.AppGroupNoun, directory.AppGrantNoun, directory.AppSecretNoun} {
			for record, err := range r.Records(directory.RecordQuery{Realm: org, Noun: noun}) {
				if err != nil {
					return err
				}
				t.Errorf("%s %s is left", noun, record.ID)
			}
		}
		return nil
	})
	b.do(err)
	if links, err := b.AppLinks(ctx, &directory.Account{ID: ann, Realm: org}); err != nil || len(links) != 0 {
		t.Errorf("AppLinks = %v, %v", links, err)
	}
	// The groups and people live on without it.
	b.do(b.RemoveMember(ctx, me, org, crew, ann))
	b.transition(ann, directory.Deactivate)
}

func TestAppNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		draft directory.AppDraft
		want  string // name, mode, label
	}{
		{directory.AppDraft{Name: "bookmark"}, "bookmark BOOKMARK Bookmark App"},
		{directory.AppDraft{SignOnMode: directory.Bookmark, Label: "X"}, "bookmark BOOKMARK X"},
		{directory.AppDraft{SignOnMode: directory.BasicAuth}, "template_basic_auth BASIC_AUTH Template Basic Auth App"},
		{directory.AppDraft{SignOnMode: directory.SecurePasswordStore, Label: "X"}, "template_sps SECURE_PASSWORD_STORE X"},
		{directory.AppDraft{Name: "zoomus", Label: "Zoom"}, "zoomus BROWSER_PLUGIN Zoom"},
		{directory.AppDraft{SignOnMode: directory.AutoLogin, Label: "My App!"}, "okta_myapp_1 AUTO_LOGIN My App!"},
		{directory.AppDraft{SignOnMode: directory.AutoLogin, Label: "My App"}, "okta_myapp_2 AUTO_LOGIN My App"},
	}
	b := newBench(t)
	for _, test := range tests {
		app, _, err := b.CreateApp(t.Context(), me, org, test.draft)
		if err != nil {
			t.Errorf("%v: %v", test.draft, err)
			continue
		}
		if got := fmt.Sprintf("%s %s %s", app.Name, app.SignOnMode, app.Label); got != test.want {
			t.Errorf("%v = %s, want %s", test.draft, got, test.want)
		}
	}
}

// TestAppUserNames is what people are called in an application.
func TestAppUserNames(t *testing.T) {
	t.Parallel()
	template := func(text, kind string) map[string]any {
		return map[string]any{"credentials": map[string]any{"userNameTemplate": map[string]any{"template": text, "type": kind}}}
	}
	tests := []struct {
		name     string
		mode     directory.SignOnMode
		document map[string]any
		want     string
	}{
		{"default", directory.Bookmark, nil, "ann@example.com"},
		{"built in", directory.Bookmark, template("${source.email}", "BUILT_IN"), "ann@example.com"},
		{"composed", directory.Bookmark, template("${user.firstName}.${source.lastName}", "CUSTOM"), "ann.Lee"},
		{"function", directory.Bookmark, template(`${fn:substringBefore(source.login, "@")}`, "CUSTOM"), "ann@example.com"},
		{"none", directory.Bookmark, template("${source.firstName}", "NONE"), "ann@example.com"},
		{"shared", directory.BasicAuth, map[string]any{"credentials": map[string]any{"scheme": "SHARED_USERNAME_AND_PASSWORD", "userName": "all"}}, "all"},
	}
	b := newBench(t)
	ann := b.staff("ann")
	for _, test := range tests {
		app, _, err := b.CreateApp(t.Context(), me, org, directory.AppDraft{SignOnMode: test.mode, Label: test.name, Document: test.document})
		b.do(err)
		u, err := b.AssignUser(t.Context(), me, org, app.ID, ann, directory.AppUserDraft{})
		b.do(err)
		if u.UserName != test.want {
			t.Errorf("%s: %q, want %q", test.name, u.UserName, test.want)
		}
	}
	_, err := b.AssignUser(t.Context(), me, org, b.app("other"), "nobody", directory.AppUserDraft{})
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("AssignUser of nobody: %v", err)
	}
}

// TestAppUsersAreRenamed is what happens to the names of somebody in
// applications when the login changes.
func TestAppUsersAreRenamed(t *testing.T) {
	t.Parallel()
	template := func(text, push string) map[string]any {
		return map[string]any{"credentials": map[string]any{"userNameTemplate": map[string]any{"template": text, "type": "CUSTOM", "pushStatus": push}}}
	}
	byHand := "boss"
	tests := []struct {
		name     string
		document map[string]any
		draft    directory.AppUserDraft
		want     string
		logged   int
	}{
		{"default", nil, directory.AppUserDraft{}, "bea@example.com", 1},
		{"by hand", nil, directory.AppUserDraft{UserName: &byHand}, "boss", 0},
		{"composed", template("${source.firstName}-${source.login}", "PUSH"), directory.AppUserDraft{}, "ann-bea@example.com", 1},
		{"of what stays", template("${source.email}", "PUSH"), directory.AppUserDraft{}, "ann@example.com", 0},
		{"create only", template("${source.login}", "DONT_PUSH"), directory.AppUserDraft{}, "ann@example.com", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, b := t.Context(), newBench(t)
			ann := b.staff("ann")
			app, _, err := b.CreateApp(ctx, me, org, directory.AppDraft{SignOnMode: directory.Bookmark, Label: test.name, Document: test.document})
			b.do(err)
			_, err = b.AssignUser(ctx, me, org, app.ID, ann, test.draft)
			b.do(err)
			_, err = b.EditAccount(ctx, me, org, ann, directory.Edit{Profile: map[string]any{"login": "bea@example.com"}})
			b.do(err)
			u, err := b.AppUser(ctx, org, app.ID, ann)
			b.do(err)
			if u.UserName != test.want {
				t.Errorf("the name is %q, want %q", u.UserName, test.want)
			}
			if n := b.logged("application.user_membership.change_username"); n != test.logged {
				t.Errorf("%d entries in the log, want %d", n, test.logged)
			}
		})
	}
}

// TestNothingOutlivesAnAccount gives an account one of everything that is kept
// about accounts, and deletes it.
func TestNothingOutlivesAnAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, g := b.staff("ada"), b.group("Analysts")
	b.assign(b.app("Mail"), id)
	b.rule("All", "true", g)
	user := directory.Assignee{ID: id, Type: directory.UserAssignee}
	b.grant(user, directory.ReportAdmin)
	_, err := b.AssignOwner(t.Context(), me, org, g, user)
	b.do(err)
	for _, draft := range []directory.FactorDraft{
		{Type: "token:software:totp"},
		{Type: "question", Profile: map[string]any{"question": "disliked_food"}, Answer: "meatball"},
	} {
		_, _, err = b.EnrollFactor(t.Context(), me, org, id, draft)
		b.do(err)
	}
	token, _, err := b.SessionToken(t.Context(), org, id)
	b.do(err)
	_, err = b.StartSession(t.Context(), me, org, token)
	b.do(err)
	_, _, err = b.SessionToken(t.Context(), org, id)
	b.do(err)
	_, _, err = b.SetRisk(t.Context(), me, org, id, "HIGH")
	b.do(err)
	b.do(b.SubscribeAccount(t.Context(), me, org, id, directory.NotificationTypes[0], false))

	kept := func() map[directory.Noun]int {
		n := map[directory.Noun]int{}
		b.do(b.Store.View(t.Context(), func(r directory.Reader) error {
			for _, noun := range []directory.Noun{
				directory.AppUserNoun, "rule claim", directory.RoleNoun, directory.OwnerNoun, directory.FactorNoun, "factor secret",
				directory.SessionNoun, "session token", "user risk", "unsubscribed",
			} {
				n[noun] = 0
				for _, err := range r.Records(directory.RecordQuery{Realm: org, Noun: noun}) {
					if err != nil {
						return err
					}
					n[noun]++
				}
			}
			return nil
		}))
		return n
	}
	for noun, n := range kept() {
		if n == 0 {
			t.Errorf("the test makes no %s", noun)
		}
	}
	b.transition(id, directory.Deactivate)
	b.do(b.Remove(t.Context(), me, org, id))
	for noun, n := range kept() {
		if n != 0 {
			t.Errorf("the account left %d %s", n, noun)
		}
	}
}
