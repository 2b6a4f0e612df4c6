package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// fakeSCIM has one connection, and keeps what was asked of it.
type fakeSCIM struct {
	connections []inbound.Overview
	preview     inbound.Preview
	compared    inbound.Assignments
	asked       []any
}

func (f *fakeSCIM) SCIMConnections(context.Context) ([]inbound.Overview, error) {
	return f.connections, nil
}

func (f *fakeSCIM) SCIMConnection(_ context.Context, ref string) (inbound.Overview, error) {
	for _, c := range f.connections {
		if c.Name == ref || c.ID == ref {
			return c, nil
		}
	}
	return inbound.Overview{}, directory.NotFound(directory.ConnectionNoun, ref)
}

func (f *fakeSCIM) ConnectSCIM(ctx context.Context, n inbound.NewConnection) (inbound.Overview, error) {
	f.asked = append(f.asked, n)
	return f.SCIMConnection(ctx, n.Name)
}

func (f *fakeSCIM) ChangeSCIM(ctx context.Context, ref string, c inbound.Change) (inbound.Overview, error) {
	f.asked = append(f.asked, c)
	return f.SCIMConnection(ctx, ref)
}

func (f *fakeSCIM) CreateSCIMToken(_ context.Context, _ string, n tenant.NewSCIMToken) (string, inbound.Token, error) {
	f.asked = append(f.asked, n)
	return "tok_1.secret", f.connections[0].Tokens[0], nil
}

func (f *fakeSCIM) RevokeSCIMToken(_ context.Context, _, token string) (inbound.Token, error) {
	for _, t := range f.connections[0].Tokens {
		if t.ID == token {
			return t, nil
		}
	}
	return inbound.Token{}, directory.NotFound(directory.SCIMTokenNoun, token)
}

func (f *fakeSCIM) PreviewSCIM(_ context.Context, _ string, person map[string]any) (inbound.Preview, error) {
	f.asked = append(f.asked, person)
	return f.preview, nil
}

func (f *fakeSCIM) CompareAssignments(_ context.Context, signOn, provisioner string) (inbound.Assignments, error) {
	f.asked = append(f.asked, signOn, provisioner)
	return f.compared, nil
}

func scimSession(t *testing.T) *fakeSession {
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	s := play(t)
	s.connections = []inbound.Overview{{
		ID: "con_EEOhr6N6m4gF7KSn", Name: "acme", Strategy: "okta", Endpoint: "http://127.0.0.1:8482/scim/v2/connections/con_EEOhr6N6m4gF7KSn",
		UserIDAttribute: "externalId",
		Mapping:         []tenant.MappingRow{{SCIM: "userName", Auth0: "preferred_username"}, {SCIM: "active", Auth0: "blocked"}},
		Policy:          tenant.DefaultPolicy("okta"), Users: 3, Groups: 1,
		Tokens: []inbound.Token{
			{ID: "tok_1", Scopes: []string{"get:users", "post:users"}, Created: at, LastUsed: at.Add(time.Hour), ValidUntil: at.AddDate(0, 0, 9), Warning: "expires soon"},
			{ID: "tok_2", Scopes: []string{"get:groups"}, Created: at},
		},
	}}
	s.preview = inbound.Preview{
		UserID: "okta|acme|00u1", Action: "link",
		Rows: []inbound.PreviewRow{
			{SCIM: "userName", Auth0: "preferred_username", Before: "ada", After: "ada"}, {SCIM: "displayName", Auth0: "name", After: "Ada"},
			{SCIM: "title", Auth0: "app_metadata.title"}, {SCIM: "active", Auth0: "blocked", Before: true, After: false},
		},
		Unmapped: []string{"entitlements"}, Inert: []string{"scim_1 = a: no schema has its SCIM attribute"}, Notes: []string{"an account has this externalId"},
	}
	s.compared = inbound.Assignments{
		SignOn: inbound.Application{ID: "0oa1", Label: "Login"}, Provisioner: inbound.Application{ID: "0oa2", Label: "SCIM"}, Both: 2, BrokerMode: true,
		SignOnOnly:      []inbound.Assigned{{Kind: "user", ID: "00u1", Name: "ada@example.com"}},
		ProvisionerOnly: []inbound.Assigned{{Kind: "group", ID: "00g1", Name: "Staff"}},
	}
	return s
}

func TestSCIM(t *testing.T) {
	session := scimSession(t)
	p := newProduct(session)
	person := filepath.Join(t.TempDir(), "person.json")
	if err := os.WriteFile(person, []byte(`{"userName":"ada","n":1.50}`), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		text := transcript(t.Context(), newTestIO("", nil), p.Product, append([]string{"scim"}, args...)...)
		return strings.ReplaceAll(text, person, "person.json")
	}
	golden(t, "scim", strings.Join([]string{
		run("connections", "list"), run("connections", "show", "acme"), run("connections", "show", "nobody"),
		run("connections", "create", "acme"), run("connections", "set", "acme"),
		run("connections", "set", "acme", "--profile", "entra", "--unknown-members", "defer", "--rehire", "refuse", "--existing", "link"),
		run("tokens", "create", "acme", "--scope", "get:users", "--expires", "15m"), run("tokens", "list", "acme"),
		run("tokens", "revoke", "acme", "tok_2"), run("tokens", "revoke", "acme", "tok_9"),
		run("mapping", "show", "acme"), run("mapping", "set", "acme"), run("mapping", "set", "acme", "--row", "title"),
		run("mapping", "set", "acme", "--row", `emails[type eq "a=b"].value=email`, "--remove", "title", "--user-id", "userName"),
		run("mapping", "reset", "acme"), run("mapping", "test", "acme", person), run("mapping", "test", "acme", "none.json"),
		run("check"), run("check", "--sign-on", "Login", "--provisioner", "SCIM"),
	}, "\n"))
	want := []any{
		inbound.NewConnection{Name: "acme", Strategy: "okta"},
		inbound.Change{Policy: tenant.SCIMPolicy{Profile: "entra", UnknownMembers: "defer", Rehire: "refuse", Existing: "link"}},
		tenant.NewSCIMToken{Scopes: []string{"get:users"}, Life: 15 * time.Minute},
		inbound.Change{UserIDAttribute: "userName", Set: []tenant.MappingRow{{SCIM: `emails[type eq "a=b"].value`, Auth0: "email"}}, Remove: []string{"title"}},
		inbound.Change{Reset: true},
		map[string]any{"userName": "ada", "n": json.Number("1.50")},
		"Login", "SCIM",
	}
	if diff := cmp.Diff(want, session.asked); diff != "" {
		t.Errorf("- want + asked\n%s", diff)
	}
	if session.closed != len(p.access) || !slices.Contains(p.access, ReadOnly) {
		t.Errorf("%d of %d sessions were closed", session.closed, len(p.access))
	}
}

// TestSCIMForPrograms fixes the fields that programs read.
func TestSCIMForPrograms(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []string
		code int
	}{
		{[]string{"connections", "list"}, []string{`"connections": [`, `"endpoint": "http://127.0.0.1:8482/scim/v2/connections/con_`, `"unknownMembers": "strict"`}, exitOK},
		{[]string{"connections", "show", "acme"}, []string{`"userIdAttribute": "externalId"`, `"users": 3`}, exitOK},
		{[]string{"tokens", "create", "acme"}, []string{`"token": "tok_1.secret"`, `"id": "tok_1"`, `"validUntil": "2026-03-13T05:06:07Z"`}, exitOK},
		{[]string{"tokens", "list", "acme"}, []string{`"warning": "expires soon"`, `"lastUsed"`}, exitOK},
		{[]string{"mapping", "show", "acme"}, []string{`"scim": "userName"`, `"auth0": "preferred_username"`}, exitOK},
		{[]string{"check", "--sign-on", "a", "--provisioner", "b"}, []string{`"signOnOnly": [`, `"brokerMode": true`}, exitError},
	} {
		s := newTestIO("", nil)
		code := Main(t.Context(), s.IO, newProduct(scimSession(t)).Product, append(append([]string{"scim"}, test.args...), "-o", "json"))
		for _, want := range test.want {
			if !strings.Contains(s.out.String(), want) || code != test.code {
				t.Errorf("%v: code %d, want %d and %s in\n%s", test.args, code, test.code, want, s.out)
			}
		}
	}
}
