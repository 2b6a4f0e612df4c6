package connector_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

func TestNeededScopes(t *testing.T) {
	oauth := map[string]openapi.Scheme{"oauth2": {Name: "oauth2", Type: "oauth2"}, "api_token": {Name: "api_token", Type: "apiKey", In: "header", Param: "Authorization"}}
	operation := func(method, path string, security ...map[string][]string) *openapi.Operation {
		return &openapi.Operation{Method: method, Path: path, Security: security, HasSecurity: security != nil}
	}
	token := map[string][]string{"api_token": nil}
	for _, tt := range []struct {
		name string
		ops  []*openapi.Operation
		want string
	}{
		{"as the description says", []*openapi.Operation{
			operation("POST", "/api/v1/users", token, map[string][]string{"oauth2": {"okta.users.manage"}}),
			operation("GET", "/api/v1/groups", map[string][]string{"oauth2": {"okta.groups.read"}}),
			operation("GET", "/api/v1/more", map[string][]string{"oauth2": {"okta.groups.read"}}),
		}, "okta.groups.read okta.users.manage"},
		{"as the catalogue says", []*openapi.Operation{operation("GET", "/api/v1/users/{anything}", token)}, "okta.users.read"},
		{"both", []*openapi.Operation{operation("GET", "/api/v1/users/{id}", token), operation("GET", "/x", map[string][]string{"oauth2": {"a"}})}, "a okta.users.read"},
		{"the description says nothing", []*openapi.Operation{operation("GET", "/api/v1/users")}, "okta.users.read"},
		{"said to be public", []*openapi.Operation{{Method: "GET", Path: "/api/v1/users", HasSecurity: true}}, ""},
		{"nobody knows", []*openapi.Operation{operation("GET", "/api/v1/unheard/of", token)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, map[string]config.Connection{"okta": ssws}, nil)
			src := connector.Source{Name: "okta", Operations: tt.ops, Schemes: oauth}
			conn := b.bindSource(src)
			got, err := conn.NeededScopes(src)
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("NeededScopes = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestMissingScopes(t *testing.T) {
	b := newBench(t, map[string]config.Connection{"okta": ssws, "other": {Server: otherURL, Auth: config.Auth{Type: "bearer", Token: "env:TOKEN"}}}, nil)
	for _, tt := range []struct{ conn, granted, needed, want string }{
		{"okta", "okta.users.manage", "okta.users.read okta.users.manage", ""},
		{"okta", "okta.users.read", "okta.users.manage", "okta.users.manage"},
		{"okta", "okta.users.manage", "okta.groups.read", "okta.groups.read"},
		{"okta", "okta.users.read", "openid offline_access okta.users.read", ""},
		{"okta", "", "a b", "a b"},
		{"other", "users.manage", "users.read", "users.read"}, // only the catalogue knows that one includes another
	} {
		got := b.bind(tt.conn).Missing(strings.Fields(tt.granted), strings.Fields(tt.needed))
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s with %q lacks %q of %q, want %q", tt.conn, tt.granted, got, tt.needed, tt.want)
		}
	}
	if got := connector.ForSignIn([]string{"a"}); !slices.Equal(got, []string{"openid", "a", "offline_access"}) {
		t.Errorf("ForSignIn = %v", got)
	}
}

func TestServes(t *testing.T) {
	b := newBench(t, map[string]config.Connection{"okta": ssws, "people": {Server: otherURL}}, nil)
	okta := b.bind("okta")
	for name, want := range map[string]bool{"okta": true, "oktaApi": true, "people": false, "else": false} {
		if got := b.Serves(okta, connector.Source{Name: name}); got != want {
			t.Errorf("Serves(%s) = %t, want %t", name, got, want)
		}
	}
}
