package auth0

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) resourceServerRoutes() []route {
	return []route{
		op("GET", "/resource-servers", a.listResourceServers, "read:resource_servers"),
		op("POST", "/resource-servers", a.createResourceServer, "create:resource_servers"),
		op("GET", "/resource-servers/{id}", a.getResourceServer, "read:resource_servers"),
		op("PATCH", "/resource-servers/{id}", a.updateResourceServer, "update:resource_servers"),
		op("DELETE", "/resource-servers/{id}", a.deleteResourceServer, "delete:resource_servers"),
	}
}

// resourceServerProperties are those that an API can be created and changed with.
var resourceServerProperties = map[string]property{
	"name": {typ: "string", max: 200, about: "Friendly name for this resource server. Can not contain `<` or `>` characters."},
	"scopes": {
		typ: "array", about: "List of permissions (scopes) that this API uses.",
		items: &property{typ: "object", required: []string{"value"}, members: map[string]property{
			"value":       {typ: "string", min: 1, max: 280, about: "Value of this scope."},
			"description": {typ: "string", max: 500, about: "User-friendly description of this scope."},
		}},
	},
	"signing_alg":            {typ: "string", enum: []string{"HS256", "RS256", "RS512", "PS256"}, about: "Algorithm used to sign JWTs. Can be `HS256` or `RS256`. `PS256` available via addon."},
	"signing_secret":         {typ: "string", min: 16, about: "Secret used to sign tokens when using symmetric algorithms (HS256)."},
	"allow_offline_access":   {typ: "boolean", about: "Whether refresh tokens can be issued for this API (true) or not (false)."},
	"allow_online_access":    {typ: "boolean", about: "Whether Online Refresh Tokens can be issued for this API (true) or not (false)."},
	"token_lifetime":         {typ: "integer", max: 2592000, about: "Expiration value (in seconds) for access tokens issued for this API from the token endpoint."},
	"token_lifetime_for_web": {typ: "integer", max: 2592000, about: "Expiration value (in seconds) for access tokens issued for this API via Implicit or Hybrid Flows."},
	"token_dialect": {
		typ: "string", enum: []string{"access_token", "access_token_authz", "rfc9068_profile", "rfc9068_profile_authz"},
		about: "Dialect of issued access token.",
	},
	"skip_consent_for_verifiable_first_party_clients": {typ: "boolean", about: "Whether to skip user consent for applications flagged as first party (true) or not (false)."},
	"enforce_policies":           {typ: "boolean", about: "Whether to enforce authorization policies (true) or to ignore them (false)."},
	"token_encryption":           object,
	"consent_policy":             {typ: "string", nullable: true, enum: []string{"transactional-authorization-with-mfa"}},
	"authorization_details":      {typ: "array", nullable: true},
	"proof_of_possession":        object,
	"subject_type_authorization": object,
	"verificationLocation":       {typ: "string", nullable: true},
	"verificationKey":            {typ: "string", nullable: true},
	"options":                    object,
	"authorization_policy":       object,
	"is_system":                  boolean,
}

func newResourceServerProperties() map[string]property {
	all := maps.Clone(resourceServerProperties)
	all["identifier"] = property{typ: "string", min: 1, max: 600, about: "Unique identifier for the API used as the audience parameter on authorization calls. Can not be changed once set."}
	return all
}

// resourceServerOrder is the recorded order of the settings behind the scopes.
var resourceServerOrder = []string{
	"signing_alg", "allow_offline_access", "token_lifetime", "token_lifetime_for_web", "skip_consent_for_verifiable_first_party_clients",
	"enforce_policies", "token_dialect",
}

// resourceServerDefaults are settings that a new API has (recorded).
func resourceServerDefaults() map[string]any {
	policy := func(name string) map[string]any { return map[string]any{"policy": name} }
	return map[string]any{
		"allow_offline_access": false, "skip_consent_for_verifiable_first_party_clients": false,
		"token_lifetime": json.Number("86400"), "token_lifetime_for_web": json.Number("7200"), "signing_alg": "RS256",
		"subject_type_authorization": map[string]any{"user": policy("allow_all"), "client": policy("require_client_grant")},
	}
}

func resourceServer(s *tenant.ResourceServer) web.Object {
	o := web.Object{{Key: "id", Value: s.ID}}
	if s.Name != "" {
		o = append(o, web.Field{Key: "name", Value: s.Name})
	}
	o = append(o, web.Field{Key: "identifier", Value: s.Identifier})
	if s.Scopes != nil {
		scopes := []web.Object{}
		for _, one := range s.Scopes {
			scope := web.Object{{Key: "value", Value: one.Value}}
			if one.Description != "" {
				scope = append(scope, web.Field{Key: "description", Value: one.Description})
			}
			scopes = append(scopes, scope)
		}
		o = append(o, web.Field{Key: "scopes", Value: scopes})
	}
	rank := func(name string) int {
		if i := slices.Index(resourceServerOrder, name); i >= 0 {
			return i
		}
		return len(resourceServerOrder)
	}
	names := slices.SortedFunc(maps.Keys(s.Settings), func(a, b string) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b)) })
	for _, name := range names {
		o = append(o, web.Field{Key: name, Value: s.Settings[name]})
	}
	return o
}

// expressAPI is the API by which Okta's integration network sets up connections.
// Every tenant that has it has the same (recorded).
const expressAPI = "urn:auth0:express-configure"

func expressServer(s *tenant.ResourceServer) {
	s.Name = "Okta OIN Express Configuration API"
	s.Scopes = []tenant.Scope{
		{Value: "express_configure:sso", Description: "Ability to create SSO configurations"},
		{Value: "express_configure:scim", Description: "Ability to create scim configurations"},
	}
	s.Settings = map[string]any{
		"enforce_policies": true, "is_system": true, "token_lifetime": json.Number("300"),
		"subject_type_authorization": map[string]any{
			"user": map[string]any{"policy": "allow_all"}, "client": map[string]any{"policy": "deny_all"},
		},
	}
}

// encryptionKey returns the key that tokens are encrypted with.
func encryptionKey(settings map[string]any) (map[string]any, bool) {
	encryption, _ := settings["token_encryption"].(map[string]any)
	key, ok := encryption["encryption_key"].(map[string]any)
	return key, ok
}

// readScopes returns the scopes of a body, nil when it has none.
func readScopes(p payload) []tenant.Scope {
	if !p.has("scopes") {
		return nil
	}
	scopes := []tenant.Scope{}
	for _, one := range p.objects("scopes") {
		scopes = append(scopes, tenant.Scope{Value: one.text("value"), Description: one.text("description")})
	}
	return scopes
}

// listResourceServers is GET /resource-servers, by identifiers.
func (a *API) listResourceServers(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true, numbered: true}
	q := r.URL.Query()
	l, show, err := readList(q, s)
	if err != nil {
		return err
	}
	identifiers := q["identifiers"]
	p, err := a.tenant.ResourceServers(r.Context(), l.window(), func(s *tenant.ResourceServer) bool {
		return len(identifiers) == 0 || slices.Contains(identifiers, s.Identifier)
	})
	if err != nil {
		return err
	}
	rows := rowsOf(p, func(s *tenant.ResourceServer) web.Object { return show(resourceServer(s)) })
	return l.write(w, s, "resource_servers", rows, restOf(p, func(s *tenant.ResourceServer) tenant.Mark { return markOf(s.Meta) }))
}

func (a *API) createResourceServer(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, newResourceServerProperties(), "identifier")
	if err != nil {
		return err
	}
	s := &tenant.ResourceServer{
		Name: p.text("name"), Identifier: p.text("identifier"), Scopes: readScopes(p), Settings: p.settings("name", "identifier", "scopes"),
	}
	if s.Identifier == expressAPI {
		expressServer(s)
	}
	if key, ok := encryptionKey(s.Settings); ok {
		delete(key, "pem") // never shown (recorded)
	}
	for name, v := range resourceServerDefaults() {
		if _, ok := s.Settings[name]; !ok {
			s.Settings[name] = v
		}
	}
	if err := a.tenant.CreateResourceServer(r.Context(), actor(r), s); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, resourceServer(s))
}

func (a *API) getResourceServer(w http.ResponseWriter, r *http.Request) error {
	s, err := a.tenant.ResourceServer(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, resourceServer(s))
}

func (a *API) updateResourceServer(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, resourceServerProperties)
	if err != nil {
		return err
	}
	before, err := a.tenant.ResourceServer(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if before.Settings["is_system"] == true {
		return &apiError{status: http.StatusBadRequest, code: "operation_not_supported", message: "System resource servers cannot be changed"} // the words: inferred
	}
	s, err := a.tenant.EditResourceServer(r.Context(), actor(r), r.PathValue("id"), tenant.ResourceServerEdit{
		Name: p.given("name"), Scopes: readScopes(p), Settings: p.settings("name", "scopes"),
	})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, resourceServer(s))
}

// deleteResourceServer is DELETE /resource-servers/{id}. One that is not there is
// deleted already.
func (a *API) deleteResourceServer(w http.ResponseWriter, r *http.Request) error {
	if err := present204(a.tenant.DeleteResourceServer(r.Context(), actor(r), r.PathValue("id"))); err != nil {
		return err
	}
	return noContent(w)
}
