package okta_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/oauth"
)

func TestClients(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	b.oauth.Roles = func(ctx context.Context, id string) (roles []string, err error) {
		types, err := b.dir.RolesOf(ctx, directory.OktaRealm, id)
		for _, one := range types {
			roles = append(roles, string(one))
		}
		return roles, err
	}
	a := b.ok(201, "POST", "/oauth2/v1/clients", `{"client_name":"Sync","application_type":"service","token_endpoint_auth_method":"private_key_jwt",`+
		`"grant_types":["client_credentials"],"jwks":{"keys":[`+publicJWK(testKey(), "k1", "")+`]}}`)
	o := a.object(t)
	client := o["client_id"].(string)
	if o["client_name"] != "Sync" || o["application_type"] != "service" || o["client_secret"] != nil || o["jwks"] == nil {
		t.Errorf("client: %s", a.body)
	}
	web := b.ok(201, "POST", "/oauth2/v1/clients", `{"client_name":"Web","redirect_uris":["`+callback+`"]}`).object(t)
	if web["client_secret"] == nil || web["token_endpoint_auth_method"] != "client_secret_basic" || web["application_type"] != "web" {
		t.Errorf("web client: %v", web)
	}
	if again := b.ok(200, "GET", "/oauth2/v1/clients/"+web["client_id"].(string), "").object(t); again["client_secret"] != nil {
		t.Error("the secret is shown again")
	}
	if got := b.ok(200, "GET", "/oauth2/v1/clients?q=sy", "").list(t, "client_id"); !cmp.Equal(got, []string{client}) {
		t.Errorf("clients: %v", got)
	}
	b.ok(400, "POST", "/oauth2/v1/clients", `{"application_type":"web"}`)
	b.ok(404, "GET", "/oauth2/v1/clients/0oanobody", "")
	b.ok(404, "GET", "/oauth2/v1/clients/0oanobody/roles", "")
	b.ok(401, "GET", "/oauth2/v1/clients", "", "Authorization", "")

	// A service app is an administrator once it has a role.
	b.ok(201, "POST", "/api/v1/apps/"+client+"/grants", `{"scopeId":"okta.users.manage","issuer":"`+org+`"}`)
	as := []string{"Authorization", "Bearer " + b.serviceToken(client, "okta.users.manage")}
	if got := b.ok(200, "GET", "/api/v1/users", "", as...).body; got != "[]" {
		t.Errorf("without a role: %s", got)
	}
	b.ok(403, "POST", "/api/v1/users", ann, as...)
	role := b.ok(201, "POST", "/oauth2/v1/clients/"+client+"/roles", `{"type":"HELP_DESK_ADMIN"}`).object(t)
	want := map[string]any{
		"id": "JBCUYUC7IRCVGS27IFCE2SKO", "label": "Help Desk Administrator", "type": "HELP_DESK_ADMIN", "status": "ACTIVE", "assignmentType": "CLIENT",
		"created": role["created"], "lastUpdated": role["lastUpdated"],
		"_links": map[string]any{"assignee": map[string]any{"href": org + "/oauth2/v1/clients/" + client + "/roles"}},
	}
	if diff := cmp.Diff(want, role); diff != "" {
		t.Errorf("role: - want + got\n%s", diff)
	}
	if got := b.ok(200, "GET", "/oauth2/v1/clients/"+client+"/roles", "").list(t, "type"); !cmp.Equal(got, []string{"HELP_DESK_ADMIN"}) {
		t.Errorf("roles: %v", got)
	}
	if got := b.ok(200, "GET", "/api/v1/users?limit=1", "", as...).list(t, "id"); len(got) != 1 {
		t.Errorf("with a role: %v", got)
	}
	b.ok(403, "POST", "/api/v1/users", ann, as...)
	b.ok(201, "POST", "/oauth2/v1/clients/"+client+"/roles", `{"type":"USER_ADMIN"}`)
	made := b.ok(200, "POST", "/api/v1/users", ann, as...).object(t)["id"].(string)
	changes, err := b.dir.Changes(t.Context(), directory.ChangeQuery{Target: made, Kind: "user.lifecycle.create"}, 1, nil)
	if err != nil || len(changes) != 1 || changes[0].Actor.ID != client || changes[0].Actor.Type != directory.ClientActor || changes[0].Actor.Name != "Sync" {
		t.Errorf("who made it: %+v, %v", changes, err)
	}
	b.ok(204, "DELETE", "/oauth2/v1/clients/"+client+"/roles/"+role["id"].(string), "")

	b.ok(204, "DELETE", "/oauth2/v1/clients/"+client, "")
	b.ok(404, "GET", "/oauth2/v1/clients/"+client, "")
	b.ok(401, "GET", "/api/v1/users", "", as...)
	if roles, err := b.dir.RolesOf(t.Context(), directory.OktaRealm, client); err != nil || len(roles) > 0 {
		t.Errorf("roles of a client that is gone: %v, %v", roles, err)
	}
}

// Everything that the package keeps must be readable as digests only: neither
// tokens nor codes nor cookies nor keys may be found in the store.
func TestNothingIsKeptInTheClear(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.native("", b.person())
	code := b.code(client, "openid offline_access")
	o := b.post("/oauth2/v1/token", codeForm(client, code)).object(t)
	token, _, err := b.oauth.CreateAPIToken(t.Context(), directory.System("test"), oauth.NewAPIToken{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{code, token, o["access_token"].(string), o["refresh_token"].(string), o["id_token"].(string), testKey().D.String()}
	var kept strings.Builder
	err = b.dir.Store.View(t.Context(), func(r directory.Reader) error {
		for _, noun := range []directory.Noun{
			directory.TokenNoun, "signing key", "dpop secret", "oauth grant", "refresh token", "authorization code", "revoked token", "used jti", "browser session", "consent",
		} {
			for record, err := range r.Records(directory.RecordQuery{Realm: directory.OktaRealm, Noun: noun}) {
				if err != nil {
					return err
				}
				kept.WriteString(record.ID + record.Parent + record.Subject + record.Key + string(record.Body))
			}
		}
		for c, err := range r.Changes(directory.ChangeQuery{}) {
			if err != nil {
				return err
			}
			kept.Write(c.After)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, secret := range secrets {
		if strings.Contains(kept.String(), secret) {
			t.Errorf("secret %d is kept in the clear", i)
		}
	}
	if kept.Len() < 1000 {
		t.Errorf("only %d bytes were looked at", kept.Len())
	}
}
