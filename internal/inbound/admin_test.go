package inbound_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

func TestOperator(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open().mustCreate("User", user("ada", "1"))
	s, ctx := b.service, b.ctx

	made, err := s.Connect(ctx, operator, inbound.NewConnection{Name: "beta", Strategy: "samlp"})
	b.must(err)
	if made.Endpoint != "/scim/v2/connections/"+made.ID || made.UserIDAttribute != tenant.ByUserName || made.Policy.Profile != tenant.ProfileStrict {
		t.Errorf("made = %+v", made)
	}
	if _, err := s.Connect(ctx, operator, inbound.NewConnection{Name: "beta", Strategy: "samlp"}); !isKind(err, fault.Conflict) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := s.Connect(ctx, operator, inbound.NewConnection{Name: "db", Strategy: "auth0"}); !isKind(err, fault.Invalid) {
		t.Errorf("a database: %v", err)
	}
	all, err := s.Overviews(ctx)
	b.must(err)
	if len(all) != 2 || all[0].Name != "acme" && all[1].Name != "acme" {
		t.Fatalf("overviews = %+v", all)
	}

	o, err := s.Change(ctx, operator, "acme", inbound.Change{
		Set: []tenant.MappingRow{{SCIM: "roles", Auth0: "app_metadata.roles"}, {SCIM: "title", Auth0: "app_metadata.job"}}, Remove: []string{"nickName"},
		Policy: tenant.SCIMPolicy{UnknownMembers: tenant.DeferUnknown},
	})
	b.must(err)
	has := func(row tenant.MappingRow) bool { return slices.Contains(o.Mapping, row) }
	if len(o.Mapping) != 32 || !has(tenant.MappingRow{SCIM: "roles", Auth0: "app_metadata.roles"}) || !has(tenant.MappingRow{SCIM: "title", Auth0: "app_metadata.job"}) ||
		has(tenant.MappingRow{SCIM: "nickName", Auth0: "nickname"}) || o.Policy.UnknownMembers != tenant.DeferUnknown || o.Policy.Profile != tenant.ProfileGovernance || o.Users != 1 {
		t.Errorf("changed = %+v", o)
	}
	if _, err := s.Change(ctx, operator, "acme", inbound.Change{Remove: []string{"shoe"}}); !isKind(err, fault.NotFound) {
		t.Errorf("a row that is not there: %v", err)
	}
	_, err = s.Change(ctx, operator, "acme", inbound.Change{Policy: tenant.SCIMPolicy{Profile: "entry"}})
	if !isKind(err, fault.Invalid) || !strings.Contains(err.Error(), "entra") {
		t.Errorf("a misspelt profile: %v", err)
	}
	o, err = s.Change(ctx, operator, acme, inbound.Change{Reset: true})
	b.must(err)
	if !has(tenant.MappingRow{SCIM: "nickName", Auth0: "nickname"}) || o.Policy.UnknownMembers != tenant.DeferUnknown {
		t.Errorf("reset = %+v", o)
	}

	_, token, err := s.MakeToken(ctx, operator, "acme", tenant.NewSCIMToken{Life: 15 * 24 * time.Hour})
	b.must(err)
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, ""}, {2 * 24 * time.Hour, "expires soon"}, {13 * 24 * time.Hour, "expired"}} {
		b.clock.Step(step.after)
		o, err := s.Overview(ctx, "acme")
		b.must(err)
		if len(o.Tokens) != 1 || o.Tokens[0].ID != token.ID || o.Tokens[0].Warning != step.want {
			t.Errorf("tokens = %+v, want the warning %q", o.Tokens, step.want)
		}
	}
	if _, err := s.RevokeToken(ctx, operator, "acme", "tok_none"); !isKind(err, fault.NotFound) {
		t.Errorf("revoking none: %v", err)
	}
	_, err = s.RevokeToken(ctx, operator, "acme", token.ID)
	b.must(err)
}

func TestPreview(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	row := func(p inbound.Preview, auth0 string) inbound.PreviewRow {
		for _, r := range p.Rows {
			if r.Auth0 == auth0 {
				return r
			}
		}
		t.Errorf("no row of %s", auth0)
		return inbound.PreviewRow{}
	}
	preview := func(body string) inbound.Preview {
		t.Helper()
		p, err := b.service.Preview(b.ctx, "acme", object(t, body))
		b.must(err)
		return p
	}
	p := preview(`{"id":"00uADA","status":"ACTIVE","profile":{"login":"ada@example.com","email":"ada@example.com","firstName":"Ada","city":"Ames","managerId":"00uBOSS"}}`)
	if p.UserID != "okta|acme|00uADA" || p.Action != "create" || row(p, "email").After != "ada@example.com" || row(p, "app_metadata.manager").After != "00uBOSS" {
		t.Errorf("an Okta user = %+v", p)
	}
	// The trap of the default mapping: Okta sends primary addresses, the rows read
	// those for work (scim-auth0.md 1.4).
	if !slices.Contains(p.Unmapped, "addresses") && row(p, "app_metadata.city").After != nil {
		t.Errorf("the city arrives: %+v", row(p, "app_metadata.city"))
	}
	c := b.open()
	made := c.mustCreate("User", user("ada", "1", `"title":"x"`, `"active":false`))
	p = preview(user("ada", "1", `"title":"y"`, `"entitlements":[{"value":"e"}]`))
	want := inbound.PreviewRow{SCIM: "title", Auth0: "app_metadata.title", Before: "x", After: "y"}
	if diff := cmp.Diff(want, row(p, "app_metadata.title")); diff != "" || p.Action != "link" || p.UserID != id(made) || !slices.Contains(p.Unmapped, "entitlements") {
		t.Errorf("%+v\n%s", p, diff)
	}
	if p := preview(user("ADA", "2")); p.Action != "refuse" || !strings.Contains(p.Reason, "another externalId has this userName") || p.UserID != "okta|acme|2" {
		t.Errorf("a taken name = %+v", p)
	}
	c.mustCreate("User", user("bob", "3", `"title":"x"`))
	p = preview(user("bob", "3", `"title":"y"`))
	if row(p, "app_metadata.title") != want || p.Action != "refuse" || !strings.Contains(p.Reason, "has this externalId already") {
		t.Errorf("somebody active = %+v", p)
	}
	if _, err := b.service.Preview(b.ctx, "acme", object(t, `{"externalId":"5"}`)); status(err) != 400 {
		t.Errorf("no userName: %v", err)
	}
	if a := b.account(made); a.AppMetadata["title"] != "x" || !a.Blocked() || c.find("User", "") != "ada bob" {
		t.Error("a preview changed something")
	}
}

func TestCompareAssignments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must(b.dir.AddRealm(b.ctx, directory.Realm{ID: directory.OktaRealm, Kind: directory.Okta, Name: "example"}))
	var people []*directory.Account
	for _, login := range []string{"ada@example.com", "bob@example.com", "cyd@example.com"} {
		a, err := b.dir.CreateAccount(b.ctx, operator, directory.OktaRealm, directory.Draft{
			Profile: map[string]any{"login": login, "email": login, "firstName": "A", "lastName": "B"}, Activate: true,
		})
		b.must(err)
		people = append(people, a)
	}
	app := func(label string, d directory.AppDraft) string {
		t.Helper()
		d.Label, d.Activate = label, true
		made, _, err := b.dir.CreateApp(b.ctx, operator, directory.OktaRealm, d)
		b.must(err)
		return made.ID
	}
	broker := map[string]any{"settings": map[string]any{"implicitAssignment": true}}
	signOn := app("Login", directory.AppDraft{SignOnMode: directory.OpenIDConnect, Client: &directory.Client{ApplicationType: "web", GrantTypes: []string{"authorization_code"}, ResponseTypes: []string{"code"}, RedirectURIs: []string{"https://example.com/cb"}}, Document: broker})
	scim := app("SCIM", directory.AppDraft{Name: "bookmark", Document: map[string]any{}})
	assign := func(app string, who ...*directory.Account) {
		t.Helper()
		for _, a := range who {
			_, err := b.dir.AssignUser(b.ctx, operator, directory.OktaRealm, app, a.ID, directory.AppUserDraft{})
			b.must(err)
		}
	}
	assign(signOn, people[0], people[1])
	assign(scim, people[1], people[2])
	got, err := inbound.CompareAssignments(b.ctx, b.dir, directory.OktaRealm, "Login", scim)
	b.must(err)
	want := inbound.Assignments{
		SignOn: inbound.Application{ID: signOn, Label: "Login"}, Provisioner: inbound.Application{ID: scim, Label: "SCIM"}, Both: 1, BrokerMode: true,
		SignOnOnly:      []inbound.Assigned{{Kind: "user", ID: people[0].ID, Name: people[0].Login()}},
		ProvisionerOnly: []inbound.Assigned{{Kind: "user", ID: people[2].ID, Name: people[2].Login()}},
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Agree() {
		t.Errorf("- want + got\n%s", diff)
	}
	if _, err := inbound.CompareAssignments(b.ctx, b.dir, directory.OktaRealm, "SCIM", "Login"); !isKind(err, fault.Invalid) {
		t.Errorf("a sign-on application that is none: %v", err)
	}
	if _, err := inbound.CompareAssignments(b.ctx, b.dir, directory.OktaRealm, "nothing", "Login"); !isKind(err, fault.NotFound) {
		t.Errorf("no application: %v", err)
	}
}
