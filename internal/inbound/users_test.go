package inbound_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// full is a person as Okta sends one, with every attribute of the default mapping.
const full = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	"userName":"Ada@Example.com","externalId":"00uADA","active":true,"displayName":"Ada Min","nickName":"ada","password":"secret",
	"name":{"givenName":"Ada","familyName":"Min","middleName":"K","honorificPrefix":"Dr.","honorificSuffix":"II"},
	"emails":[{"primary":true,"value":"ada@example.com","type":"work"},{"value":"ada@home.example","type":"home"}],
	"phoneNumbers":[{"primary":true,"value":"+1 1"},{"type":"mobile","value":"+1 2"}],
	"photos":[{"type":"photo","value":"https://example.com/ada.png"}],
	"addresses":[{"type":"work","streetAddress":"1 Main","locality":"Ames","region":"IA","postalCode":"50010","formatted":"1 Main, Ames","country":"US"}],
	"profileUrl":"https://example.com/ada","userType":"Employee","title":"Engineer","preferredLanguage":"en","locale":"en-US","timezone":"America/Chicago",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"7","costCenter":"c","organization":"o","division":"d","department":"e",
		"manager":{"value":"00uBOSS"}}}`

func TestCreateByDefaultMapping(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made, notes, err := b.open().create("User", full)
	b.must(err)
	if id(made) != "okta|acme|00uADA" {
		t.Errorf("id = %q, want strategy|connection|externalId", id(made))
	}
	if !strings.Contains(notes, "password was not kept") {
		t.Errorf("notes = %q, want a word on the password", notes)
	}
	a := b.account(made)
	want := map[string]any{
		"email": "ada@example.com", "preferred_username": "Ada@Example.com", "displayName": "Ada Min", "nickName": "ada",
		"firstName": "Ada", "lastName": "Min", "picture": "https://example.com/ada.png",
	}
	if diff := cmp.Diff(want, a.Profile); diff != "" {
		t.Errorf("profile: - want + got\n%s", diff)
	}
	metadata := map[string]any{
		"external_id": "00uADA", "middle_name": "K", "honorific_prefix": "Dr.", "honorific_suffix": "II",
		"primary_phone_number": "+1 1", "mobile_phone_number": "+1 2",
		"street_address": "1 Main", "city": "Ames", "state": "IA", "postal_code": "50010", "postal_address": "1 Main, Ames", "country": "US",
		"profile_url": "https://example.com/ada", "user_type": "Employee", "title": "Engineer", "language": "en", "locale": "en-US", "timezone": "America/Chicago",
		"employee_id": "7", "cost_center": "c", "organization": "o", "division": "d", "department": "e", "manager": "00uBOSS",
	}
	if diff := cmp.Diff(metadata, a.AppMetadata); diff != "" {
		t.Errorf("app_metadata: - want + got\n%s", diff)
	}
	if a.Blocked() || a.Provider != (directory.Provider{Type: "okta", Name: "acme"}) || a.Connection != "acme" {
		t.Errorf("account = %+v, want an active one of acme", a)
	}
	// What the client sent comes back, but the password.
	sent := object(t, full)
	delete(sent, "password")
	got := b.open().get("User", id(made))
	meta := got["meta"].(map[string]any)
	if meta["resourceType"] != "User" || meta["version"] != `W/"1"` || meta["created"] != "2026-03-04T05:06:08.000Z" {
		t.Errorf("meta = %v", meta)
	}
	delete(got, "meta")
	delete(got, "id")
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("GET: - sent + got\n%s", diff)
	}
}

// TestManagementChangesAreSeen changes an account as the management API does.
func TestManagementChangesAreSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	made := c.mustCreate("User", full)
	blocked := true
	_, err := b.dir.EditAccount(b.ctx, operator, directory.Auth0Realm, id(made), directory.Edit{
		Blocked:     &blocked,
		Profile:     map[string]any{"email": "new@example.com", "nickName": nil},
		AppMetadata: map[string]any{"city": "Boone", "manager": "00uNEW", "title": nil, "own": true},
	})
	b.must(err)
	got := c.get("User", id(made))
	emails := got["emails"].([]any)
	enterprise := got[scim.EnterpriseSchema].(map[string]any)
	if got["active"] != false || emails[0].(map[string]any)["value"] != "new@example.com" || len(emails) != 2 ||
		got["nickName"] != nil || got["title"] != nil ||
		got["addresses"].([]any)[0].(map[string]any)["locality"] != "Boone" || enterprise["manager"].(map[string]any)["value"] != "00uNEW" {
		t.Errorf("the resource does not show the changes: %v", got)
	}
	if got := c.find("User", `emails.value eq "new@example.com"`); got != "Ada@Example.com" {
		t.Errorf("the new address finds %q", got)
	}
	// A PATCH builds on what is there now.
	after, _, err := c.patch("User", made, `[{"op":"replace","path":"displayName","value":"A. Min"}]`)
	b.must(err)
	a := b.account(made)
	if after["active"] != false || !a.Blocked() || a.Email() != "new@example.com" || a.AppMetadata["own"] != true || a.Text("displayName") != "A. Min" {
		t.Errorf("the PATCH undid the changes: %v %+v", after, a)
	}
}

func TestActive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	made := c.mustCreate("User", user("ada", "1", `"active":true`))
	token := &directory.Record{Realm: directory.Auth0Realm, Noun: directory.RefreshTokenNoun, ID: "r", Subject: id(made), Version: 1, Body: []byte("{}")}
	b.must(b.dir.Store.Update(b.ctx, func(tx directory.Tx) error { return tx.InsertRecord(token) }))

	off, notes, err := c.patch("User", made, `[{"op":"replace","value":{"active":false}}]`)
	b.must(err)
	if off["active"] != false || !b.account(made).Blocked() || !strings.Contains(notes, "refresh tokens ended") {
		t.Errorf("after active:false: %v, notes %q", off, notes)
	}
	err = b.dir.Store.View(b.ctx, func(r directory.Reader) error {
		_, err := r.Record(directory.Auth0Realm, directory.RefreshTokenNoun, "r")
		return err
	})
	if !isKind(err, fault.NotFound) {
		t.Errorf("the refresh token of a blocked user: %v, want not found", err)
	}

	silent, notes, err := c.replace("User", made, user("ada", "1", `"displayName":"A"`))
	b.must(err)
	if silent["active"] != false || !strings.Contains(notes, "active was not given") {
		t.Errorf("a PUT without active: %v, notes %q; want the user blocked as before", silent, notes)
	}
	on, notes, err := c.replace("User", made, user("ada", "1", `"active":true`))
	b.must(err)
	if on["active"] != true || b.account(made).Blocked() || !strings.Contains(notes, "unblocked") {
		t.Errorf("after active:true: %v, notes %q", on, notes)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	made := c.mustCreate("User", full)
	for range 2 {
		same, notes, err := c.replace("User", made, full)
		b.must(err)
		if v := same["meta"].(map[string]any)["version"]; v != `W/"1"` || !strings.Contains(notes, "nothing changed") {
			t.Errorf("version %v, notes %q after a PUT of the same", v, notes)
		}
	}
}

func TestUserIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	made, notes, err := c.create("User", user("ada", ""))
	b.must(err)
	if !strings.HasPrefix(id(made), "okta|acme|") || len(id(made)) != len("okta|acme|")+24 || !strings.Contains(notes, "made up") {
		t.Errorf("without externalId: id %q, notes %q", id(made), notes)
	}
	moved, notes, err := c.patch("User", made, `[{"op":"add","path":"externalId","value":"later"}]`)
	b.must(err)
	if id(moved) != id(made) || !strings.Contains(notes, "signing in will give another") {
		t.Errorf("after a new externalId: id %q, notes %q", id(moved), notes)
	}
	if _, _, err := c.create("User", user("long", strings.Repeat("x", 256))); status(err) != 400 {
		t.Errorf("a long externalId: %v, want 400", err)
	}

	b.connect("con_saml", "saml", "samlp")
	b.enable("con_saml", tenant.SCIMSettings{})
	e, err := b.service.Inside(b.ctx, "con_saml")
	b.must(err)
	saml := (&client{b: b, Endpoint: e}).mustCreate("User", user("ada@example.com", "x"))
	if id(saml) != "samlp|saml|ada@example.com" || b.account(saml).Login() != "ada@example.com" {
		t.Errorf("SAML: id %q, account %+v", id(saml), b.account(saml))
	}
	// Connections do not see one another's people.
	if _, err := c.Get(b.ctx, c.typ("User"), id(saml), scim.Projection{}); status(err) != 404 {
		t.Errorf("another connection's user: %v, want 404", err)
	}
}

func TestUniqueness(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	first := c.mustCreate("User", user("ada", "1"))
	second := c.mustCreate("User", user("bob", "2"))
	_, _, err := c.create("User", user("ADA", "3"))
	if d := scim.Describe(err); status(err) != 409 || d.Type != scim.Uniqueness {
		t.Errorf("a taken userName: %v", err)
	}
	if _, _, err := c.replace("User", second, user("ada", "2")); status(err) != 409 {
		t.Errorf("a PUT with a taken userName: %v", err)
	}
	if _, _, err := c.patch("User", second, `[{"op":"replace","path":"externalId","value":"1"}]`); status(err) != 409 {
		t.Errorf("a PATCH with a taken externalId: %v", err)
	}
	if got := c.find("User", ""); got != "ada bob" {
		t.Errorf("users = %q after refused changes", got)
	}
	b.must(c.Delete(b.ctx, c.typ("User"), id(first), ""))
	if err := c.Delete(b.ctx, c.typ("User"), id(first), ""); status(err) != 404 {
		t.Errorf("deleting twice: %v", err)
	}
	c.mustCreate("User", user("ADA", "1"))
}

func TestLinking(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		rehire, existing tenant.Linking
		before, body     string
		status           int
		linked           bool
		note             string
	}{
		{"rehire", tenant.Link, tenant.Refuse, user("ada", "1", `"active":false`), user("ada2", "1"), 0, true, "a blocked account has this externalId; it was linked, updated and unblocked (policy rehire: link)"},
		{"rehire by userName", tenant.Link, tenant.Refuse, user("ada", "1", `"active":false`), user("Ada", ""), 0, true, "a blocked account has this userName"},
		{"rehire of who had no externalId", tenant.Link, tenant.Refuse, user("ada", "", `"active":false`), user("ada", "1"), 0, true, "policy rehire: link"},
		{"rehire of another", tenant.Link, tenant.Refuse, user("ada", "2", `"active":false`), user("ada", "1"), 409, false, ""},
		{"no rehire", tenant.Refuse, tenant.Refuse, user("ada", "1", `"active":false`), user("ada2", "1"), 409, false, "policy rehire: refuse"},
		{"nobody returns", tenant.Link, tenant.Refuse, user("ada", "1", `"active":false`), user("ada", "1", `"active":false`), 409, false, "leaves it blocked"},
		{"active by externalId", tenant.Link, tenant.Refuse, user("ada", "1"), user("ada2", "1"), 409, false, "an active account has this externalId: only blocked ones are linked"},
		{"active by externalId, existing are linked", tenant.Link, tenant.Link, user("ada", "1"), user("ada2", "1"), 409, false, "an active account has this externalId"},
		{"active by userName", tenant.Link, tenant.Refuse, user("ada", "1"), user("ada", "1"), 409, false, "an active account"},
		{"no existing", tenant.Link, tenant.Refuse, user("ada", ""), user("ada", "1"), 409, false, "an active account has this userName"},
		{"existing by userName", tenant.Link, tenant.Link, user("ada", ""), user("Ada", "1"), 0, true, "this userName"},
		{"existing of another", tenant.Link, tenant.Link, user("ada", "2"), user("Ada", "1"), 409, false, ""},
		{"existing by address", tenant.Link, tenant.Link, user("ada", "", `"emails":[{"value":"A@x.co","primary":true}]`),
			user("ada2", "1", `"emails":[{"value":"a@x.co","primary":true}]`), 0, true, "this e-mail address"},
		{"address alone is no obstacle", tenant.Link, tenant.Refuse, user("ada", "", `"emails":[{"value":"a@x.co","primary":true}]`),
			user("ada2", "1", `"emails":[{"value":"a@x.co","primary":true}]`), 0, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.policy(func(p *tenant.SCIMPolicy) { p.Rehire, p.Existing = test.rehire, test.existing })
			c := b.open()
			before := c.mustCreate("User", test.before)
			got, notes, err := c.create("User", test.body)
			if status(err) != test.status || !strings.Contains(notes, test.note) {
				t.Fatalf("status %d (%v), notes %q; want %d and %q", status(err), err, notes, test.status, test.note)
			}
			if err == nil && (id(got) == id(before)) != test.linked {
				t.Errorf("id %q beside %q, linked should be %t", id(got), id(before), test.linked)
			}
			if test.linked && b.account(got).Blocked() {
				t.Error("the linked account is blocked")
			}
			if now := c.get("User", id(before)); err != nil && !cmp.Equal(now, before) {
				t.Errorf("the refused POST changed the account:\n%s", cmp.Diff(before, now))
			}
		})
	}
}

func TestPreconditions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	made := c.mustCreate("User", user("ada", "1"))
	typ := c.typ("User")
	if _, _, err := c.Replace(b.ctx, typ, id(made), object(t, user("ada", "1", `"title":"x"`)), `W/"9"`); status(err) != 412 {
		t.Errorf("PUT with another version: %v", err)
	}
	if _, _, err := c.Replace(b.ctx, typ, id(made), object(t, user("ada", "1", `"title":"x"`)), `W/"1"`); err != nil {
		t.Errorf("PUT with the version: %v", err)
	}
	if err := c.Delete(b.ctx, typ, id(made), `W/"1"`); status(err) != 412 {
		t.Errorf("DELETE with an old version: %v", err)
	}
}

func TestAuth0Strict(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.policy(func(p *tenant.SCIMPolicy) { p.Profile = tenant.ProfileAuth0Strict })
	c := b.open()
	made, notes, err := c.create("User", full)
	b.must(err)
	if emails := made["emails"].([]any); len(emails) != 1 || emails[0].(map[string]any)["type"] != nil {
		t.Errorf("emails = %v, want what the mapping names and no more", emails)
	}
	if !strings.Contains(notes, "mapping does not name") {
		t.Errorf("notes = %q", notes)
	}
	if _, _, err := c.create("User", user("bob", "")); status(err) != 400 {
		t.Errorf("without externalId: %v, want 400", err)
	}
	for text, want := range map[string]int{
		`userName eq "ada@example.com" or userName eq "x"`: 0,
		`emails[primary eq true].value eq "x"`:             -1,
		`userName sw "a"`:                                  400,
		`not (userName eq "a")`:                            400,
		`title pr`:                                         400,
	} {
		if want < 0 {
			continue
		}
		if _, err := c.List(b.ctx, c.typ("User"), c.query("User", text)); status(err) != want {
			t.Errorf("%s: %v, want %d", text, err, want)
		}
	}
	if _, err := c.List(b.ctx, c.typ("Group"), c.query("Group", `displayName eq "a" or displayName eq "b"`)); status(err) != 400 {
		t.Errorf("or on groups: %v, want 400", err)
	}
}

// TestRevokedAtOnce makes sure that a token in use is refused from its revocation
// on, and by every endpoint opened later.
func TestRevokedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, kept, err := b.tenant.CreateSCIMToken(b.ctx, operator, acme, tenant.NewSCIMToken{})
	b.must(err)
	for range 3 {
		_, err = b.service.Open(b.ctx, acme, secret)
		b.must(err)
	}
	_, err = b.tenant.RevokeSCIMToken(b.ctx, operator, acme, kept.ID)
	b.must(err)
	for range 2 {
		if _, err := b.service.Open(b.ctx, acme, secret); status(err) != 401 {
			t.Errorf("a revoked token: %v, want 401", err)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect("con_other", "other", "oidc")
	b.enable("con_other", tenant.SCIMSettings{})
	secret, kept, err := b.tenant.CreateSCIMToken(b.ctx, operator, acme, tenant.NewSCIMToken{Life: 900 * time.Second})
	b.must(err)
	revoked, gone, err := b.tenant.CreateSCIMToken(b.ctx, operator, acme, tenant.NewSCIMToken{Scopes: []string{"get:groups"}})
	b.must(err)
	if _, _, err := b.tenant.CreateSCIMToken(b.ctx, operator, acme, tenant.NewSCIMToken{}); !isKind(err, fault.Conflict) {
		t.Errorf("a third token: %v, want a conflict", err)
	}
	_, err = b.tenant.RevokeSCIMToken(b.ctx, operator, acme, gone.ID)
	b.must(err)

	e, err := b.service.Open(b.ctx, acme, secret)
	b.must(err)
	users, groups := e.Types().Named("User"), e.Types().Named("Group")
	for method, want := range map[string]int{"GET": 0, "POST": 0, "PUT": 0, "PATCH": 403, "DELETE": 403} {
		if got := status(e.Allow(method, users)); got != want {
			t.Errorf("%s of users with the default scopes = %d, want %d", method, got, want)
		}
	}
	if got := status(e.Allow("GET", groups)); got != 403 {
		t.Errorf("GET of groups with the default scopes = %d, want 403", got)
	}
	for name, test := range map[string]struct {
		connection, token string
		want              int
	}{
		"none":         {acme, "", 401},
		"unknown":      {acme, "tok_x.y", 401},
		"wrong secret": {acme, kept.ID + "." + strings.Repeat("0", 64), 401},
		"revoked":      {acme, revoked, 401},
		"another's":    {"con_other", secret, 403},
		"no such":      {"con_none", secret, 404},
	} {
		if _, err := b.service.Open(b.ctx, test.connection, test.token); status(err) != test.want {
			t.Errorf("%s: %v, want %d", name, err, test.want)
		}
	}
	list, err := b.tenant.SCIMTokens(b.ctx, acme)
	b.must(err)
	if len(list) != 1 || !list[0].LastUsed.Equal(b.clock.Now()) || strings.Contains(secret, list[0].Digest) {
		t.Errorf("tokens = %+v, want one that was used now", list)
	}
	used := list[0].Version
	b.clock.Step(time.Second)
	_, err = b.service.Open(b.ctx, acme, secret)
	b.must(err)
	if list, err = b.tenant.SCIMTokens(b.ctx, acme); err != nil || list[0].Version != used {
		t.Errorf("a second use was written at once: %v", err)
	}
	b.clock.Step(15 * time.Minute)
	if _, err := b.service.Open(b.ctx, acme, secret); status(err) != 401 || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: %v, want 401", err)
	}
	// A token that is over makes room.
	for range 2 {
		_, _, err := b.tenant.CreateSCIMToken(b.ctx, operator, acme, tenant.NewSCIMToken{})
		b.must(err)
	}
	b.must(b.tenant.DisableSCIM(b.ctx, operator, acme))
	if _, err := b.service.Open(b.ctx, acme, secret); status(err) != 404 {
		t.Errorf("without configuration: %v, want 404", err)
	}
}

// TestMappingChangesAtOnce makes sure that nothing old is kept compiled.
func TestMappingChangesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open().mustCreate("User", user("ada", "1", `"title":"x"`))
	_, _, err := b.tenant.SetSCIM(b.ctx, operator, acme, tenant.SCIMSettings{
		UserIDAttribute: tenant.ByUserName,
		Mapping: []tenant.MappingRow{
			{SCIM: "title", Auth0: "app_metadata.deep.title"}, {SCIM: "scim_1", Auth0: "attr_auth0_1"},
			{SCIM: "roles", Auth0: "app_metadata.roles"}, {SCIM: "emails", Auth0: "user_metadata.all"},
		},
	})
	b.must(err)
	c := b.open()
	made := c.mustCreate("User", user("bob", "2", `"title":"y"`, `"roles":[{"value":"admin"},{"value":"dev"}]`))
	a := b.account(made)
	want := map[string]any{"deep": map[string]any{"title": "y"}, "roles": []any{map[string]any{"value": "admin"}, map[string]any{"value": "dev"}}}
	if diff := cmp.Diff(want, a.AppMetadata); diff != "" || id(made) != "okta|acme|bob" || a.UserMetadata != nil {
		t.Errorf("id %q, metadata: - want + got\n%s", id(made), diff)
	}
	if got := c.get("User", id(made)); got["title"] != "y" || len(got["roles"].([]any)) != 2 {
		t.Errorf("GET = %v", got)
	}
}

// TestCustomSchemas maps attributes of schemas that no RFC has.
func TestCustomSchemas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const urn, other = "urn:ietf:params:scim:schemas:extension:acme:2.0:User", "urn:okta:acme:1.0:user:custom"
	_, _, err := b.tenant.SetSCIM(b.ctx, operator, acme, tenant.SCIMSettings{
		UserIDAttribute: tenant.ByExternalID,
		Mapping: []tenant.MappingRow{
			{SCIM: urn + ".badge", Auth0: "app_metadata.badge"}, {SCIM: urn + ":floor", Auth0: "app_metadata.floor"},
			{SCIM: other + ":team", Auth0: "app_metadata.team"}, {SCIM: "urn:x", Auth0: "a"}, {SCIM: "urn:a:b:c.d", Auth0: "b"}, {SCIM: "urn:a:b:", Auth0: "c"},
		},
	})
	b.must(err)
	c := b.open()
	made := c.mustCreate("User", user("ada", "1", `"`+urn+`":{"badge":"7","floor":"2"}`, `"`+other+`":{"team":"red"}`))
	if diff := cmp.Diff(map[string]any{"badge": "7", "floor": "2", "team": "red"}, b.account(made).AppMetadata); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
	got := c.get("User", id(made))
	if !cmp.Equal(got[urn], map[string]any{"badge": "7", "floor": "2"}) || len(got["schemas"].([]any)) != 3 {
		t.Errorf("GET = %v", got)
	}
	if got := c.find("User", urn+`:badge eq "7"`); got != "ada" {
		t.Errorf("by badge: %q", got)
	}
}
