package okta_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

func TestServiceApp(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service("", "okta.users.read", "okta.groups.manage")
	b.roles[client] = []string{"READ_ONLY_ADMIN"}

	a := b.post("/oauth2/v1/token", serviceForm(b.assertion(client), "okta.users.read okta.groups.read"))
	if a.status != 200 {
		t.Fatalf("token: %d %s", a.status, a.body)
	}
	if diff := cmp.Diff([]string{"token_type", "expires_in", "access_token", "scope"}, keys(t, a.body)); diff != "" {
		t.Errorf("keys of the answer: - want + got\n%s", diff)
	}
	o := a.object(t)
	if o["token_type"] != "Bearer" || o["expires_in"] != 3600.0 || o["scope"] != "okta.users.read okta.groups.read" {
		t.Errorf("token: %s", a.body)
	}
	token := o["access_token"].(string)
	header, claims := payload(t, token)
	if header["typ"] != "application/okta-internal-at+jwt" || header["alg"] != "RS256" || header["kid"] == nil {
		t.Errorf("header = %v", header)
	}
	delete(claims, "jti")
	now := float64(b.clock.Now().Unix())
	want := map[string]any{
		"ver": 1.0, "iss": org, "aud": org, "sub": client, "cid": client, "iat": now, "exp": now + 3600,
		"scp": []any{"okta.users.read", "okta.groups.read"},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims: - want + got\n%s", diff)
	}

	b.token = "Bearer " + token
	b.ok(200, "GET", "/api/v1/users?limit=1", "")
	b.ok(200, "GET", "/api/v1/groups?limit=1", "")
	b.clock.Step(time.Hour)
	a = b.ok(401, "GET", "/api/v1/users?limit=1", "")
	if got := a.object(t)["errorCode"]; got != "E0000011" {
		t.Errorf("expired token: %v", got)
	}
	if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token", error_description="The token has expired."`) {
		t.Errorf("expired token: WWW-Authenticate = %s", got)
	}
}

// The Go SDK v2 sends everything in the URL, without a jti, the issuer as
// audience is allowed too, and every algorithm that Okta takes.
func TestServiceAppVariants(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service("", "okta.users.read")
	form := serviceForm(jwt(t, testKey(), jose.RS256, nil, b.claims(client, map[string]any{"jti": nil})), "okta.users.read")
	for range 2 {
		a := b.call("POST", "/oauth2/v1/token?"+form.Encode(), "", "Authorization", "", "Content-Type", "application/x-www-form-urlencoded")
		if a.status != 200 {
			t.Errorf("parameters in the URL: %d %s", a.status, a.body)
		}
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512} {
		assertion := jwt(t, testKey(), alg, map[jose.HeaderKey]any{"kid": "k1"}, b.claims(client, map[string]any{"aud": []string{"x", org}}))
		if a := b.post("/oauth2/v1/token", serviceForm(assertion, "okta.users.read")); a.status != 200 {
			t.Errorf("%s: %d %s", alg, a.status, a.body)
		}
	}
	for alg, curve := range map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		client, _ := b.app(`{"application_type":"service","grant_types":["client_credentials"],"jwks":{"keys":[`+publicJWK(testKey(), "a", "sig")+","+publicJWK(key, "b", "sig")+`]}}`,
			`{"token_endpoint_auth_method":"private_key_jwt"}`, "okta.users.read")
		assertion := jwt(t, key, alg, nil, b.claims(client, nil))
		if a := b.post("/oauth2/v1/token", serviceForm(assertion, "okta.users.read")); a.status != 200 {
			t.Errorf("%s: %d %s", alg, a.status, a.body)
		}
	}
}

func TestAssertionRefusals(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service("", "okta.users.read")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := b.clock.Now()
	k1 := map[jose.HeaderKey]any{"kid": "k1"}
	claims := func(change map[string]any) string { return jwt(t, testKey(), jose.RS256, k1, b.claims(client, change)) }
	tests := []struct {
		name, assertion, want string
		args                  []any
	}{
		{"not a JWT", "x.y", "client_assertion_invalid_jwt", nil},
		{"not JSON", jwtText("not json"), "client_assertion_invalid_jwt", nil},
		{"symmetric", jwt(t, make([]byte, 64), jose.HS256, k1, b.claims(client, nil)), "client_assertion_invalid_signature_algorithm", nil},
		{"PSS", jwt(t, testKey(), jose.PS256, k1, b.claims(client, nil)), "client_assertion_invalid_signature_algorithm", nil},
		{"unknown issuer", claims(map[string]any{"iss": "0oanobody"}), "client_assertion_invalid_issuer", nil},
		{"no issuer", claims(map[string]any{"iss": nil}), "client_assertion_invalid_issuer", nil},
		{"other subject", claims(map[string]any{"sub": "0oanobody"}), "client_assertion_invalid_subject", nil},
		{"other audience", claims(map[string]any{"aud": "https://other.okta.com/oauth2/v1/token"}), "client_assertion_invalid_audience", nil},
		{"no audience", claims(map[string]any{"aud": nil}), "client_assertion_invalid_audience", nil},
		{"no expiry", claims(map[string]any{"exp": nil}), "client_assertion_expiration_required", nil},
		{"expiry as text", claims(map[string]any{"exp": "2030-01-01"}), "client_assertion_expiration_required", nil},
		{"expired", claims(map[string]any{"exp": now.Unix()}), "client_assertion_expired_token", nil},
		{"two hours", claims(map[string]any{"exp": now.Add(2 * time.Hour).Unix()}), "client_assertion_expires_too_far_in_future", nil},
		{"from the future", claims(map[string]any{"iat": now.Add(10 * time.Minute).Unix()}), "client_assertion_issued_at_in_future", nil},
		{"unknown kid", jwt(t, testKey(), jose.RS256, map[jose.HeaderKey]any{"kid": "k9"}, b.claims(client, nil)), "client_assertion_invalid_kid", nil},
		{"other key", jwt(t, other, jose.RS256, k1, b.claims(client, nil)), "client_assertion_invalid_signature", nil},
	}
	for _, test := range tests {
		a := b.post("/oauth2/v1/token", serviceForm(test.assertion, "okta.users.read"))
		a.refusedWith(t, test.name, test.want, test.args...)
	}

	once := serviceForm(b.assertion(client), "okta.users.read")
	if a := b.post("/oauth2/v1/token", once); a.status != 200 {
		t.Fatalf("first use: %d %s", a.status, a.body)
	}
	b.post("/oauth2/v1/token", once).refusedWith(t, "second use", "client_assertion_already_used")
	b.start()
	b.post("/oauth2/v1/token", once).refusedWith(t, "second use after a restart", "client_assertion_already_used")

	keyed := func(jwks string) string {
		id, _ := b.app(`{"application_type":"service","grant_types":["client_credentials"]`+jwks+`}`, `{"token_endpoint_auth_method":"private_key_jwt"}`, "okta.users.read")
		return id
	}
	for name, test := range map[string]struct {
		jwks, want string
		args       []any
	}{
		"keys elsewhere": {`,"jwks_uri":"https://keys.example.com/jwks"`, "jwks_uri_error", nil},
		"encryption key": {`,"jwks":{"keys":[` + publicJWK(testKey(), "k1", "enc") + `]}`, "client_assertion_invalid_key_use", []any{"sig"}},
	} {
		b.post("/oauth2/v1/token", serviceForm(b.assertion(keyed(test.jwks)), "okta.users.read")).refusedWith(t, name, test.want, test.args...)
	}
}

func jwtText(payload string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(payload)) + "." + enc([]byte("x"))
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service("", "okta.users.read")
	web, secret := b.app(`{"application_type":"web","grant_types":["authorization_code"],"redirect_uris":["`+callback+`"]}`, `{"token_endpoint_auth_method":"client_secret_basic"}`)
	secretive, its := b.app(`{"application_type":"service","grant_types":["client_credentials"]}`, `{"token_endpoint_auth_method":"client_secret_basic"}`, "okta.users.read")
	ended := b.service("", "okta.users.read")
	b.ok(200, "POST", "/api/v1/apps/"+ended+"/lifecycle/deactivate", "")
	basic := func(id, secret string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
	}
	service := func(scope string) url.Values { return serviceForm(b.assertion(client), scope) }
	with := func(form url.Values, name, value string) url.Values {
		form = maps.Clone(form)
		form.Set(name, value)
		return form
	}
	none := url.Values{"grant_type": {"client_credentials"}, "scope": {"okta.users.read"}}
	twice := service("okta.users.read")
	twice.Add("scope", "okta.users.read")
	types := "authorization_code, client_credentials, refresh_token"
	tests := []struct {
		name    string
		form    url.Values
		headers []string
		want    string
		args    []any
	}{
		{"no grant type", url.Values{}, nil, "token_request_missing_grant_type", []any{types}},
		{"unknown grant type", url.Values{"grant_type": {"password"}}, nil, "unsupported_grant_type", []any{types}},
		{"twice", twice, nil, "duplicate_oauth_params", nil},
		{"no credentials", none, nil, "missing_client_credentials", nil},
		{"id only", with(none, "client_id", web), nil, "missing_client_credentials", nil},
		{"unknown id", with(none, "client_id", "0oanobody"), nil, "invalid_client_id", nil},
		{"wrong secret", none, basic(web, "wrong"), "invalid_client_secret", nil},
		{"bad header", none, []string{"Authorization", "Basic !!"}, "invalid_basic_auth_creds", nil},
		{"other header", none, []string{"Authorization", "SSWS good"}, "invalid_basic_auth_creds", nil},
		{"two ways", service("okta.users.read"), basic(web, secret), "multiple_client_credentials", nil},
		{"assertion type", with(service("okta.users.read"), "client_assertion_type", "x"), nil, "client_assertion_type_invalid", nil},
		{"secret for a service app", none, basic(secretive, its), "unsupported_auth_method_client_creds", nil},
		{"secret for a key", with(with(none, "client_id", client), "client_secret", "x"), nil, "invalid_token_endpoint_auth_method", nil},
		{"inactive", serviceForm(b.assertion(ended), "okta.users.read"), nil, "invalid_client", nil},
		{"no scope", service(""), nil, "missing_scopes", nil},
		{"openid", service("openid"), nil, "openid_not_allowed_client_creds", nil},
		{"self", service("okta.users.read.self"), nil, "client_credentials_self_scope_requested", nil},
		{"not granted", service("okta.users.read okta.groups.read"), nil, "no_matching_scope", nil},
		{"greater than granted", service("okta.users.manage"), nil, "no_matching_scope", nil},
		{"code without one", url.Values{"grant_type": {"authorization_code"}}, basic(web, secret), "missing_token_request_parameter", []any{"code"}},
		{"grant type of others", url.Values{"grant_type": {"refresh_token"}}, basic(web, secret), "unauthorized_client", []any{"authorization_code"}},
	}
	before := b.changes()
	for _, test := range tests {
		a := b.post("/oauth2/v1/token", test.form, test.headers...)
		a.refusedWith(t, test.name, test.want, test.args...)
	}
	if after := b.changes(); after != before {
		t.Errorf("refused calls left %d entries in the log", after-before)
	}
	a := b.call("POST", "/oauth2/v1/token?client_id=x&client_secret=y", "", "Authorization", "")
	a.refusedWith(t, "secret in the URL", "client_credentials_in_query")
	a = b.call("POST", "/oauth2/v1/token", `{"grant_type":"client_credentials"}`, "Authorization", "")
	a.refusedWith(t, "JSON", "invalid_request")
	a = b.post("/oauth2/v1/token", url.Values{"grant_type": {strings.Repeat("x", 100_000)}})
	a.refusedWith(t, "too large", "invalid_request")
	if a := b.call("GET", "/oauth2/v1/token", ""); a.status != 405 || a.object(t)["errorCode"] != "E0000022" {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
}

// changes is the number of the newest entry of the change log.
func (b *bench) changes() int64 {
	b.t.Helper()
	newest, err := b.dir.Changes(b.t.Context(), directory.ChangeQuery{Newest: true, MaxRows: 1}, 1, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(newest) == 0 {
		return 0
	}
	return newest[0].Seq
}

func TestDPoP(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service(`,"dpop_bound_access_tokens":true`, "okta.users.read")
	b.roles[client] = []string{"READ_ONLY_ADMIN"}
	key := newProofKey(t)
	const endpoint = org + "/oauth2/v1/token"

	a := b.post("/oauth2/v1/token", serviceForm(b.assertion(client), "okta.users.read"))
	a.refusedWith(t, "no proof", "invalid_dpop_proof_missing_header")
	form := serviceForm(b.assertion(client), "okta.users.read")
	a = b.post("/oauth2/v1/token", form, "DPoP", b.proof(key, "POST", endpoint, "", "", nil))
	a.refusedWith(t, "no nonce", "use_dpop_nonce")
	nonce := a.header.Get("dpop-nonce")
	if nonce == "" {
		t.Fatal("there is no dpop-nonce")
	}
	// The assertion was not used up by the refusal.
	a = b.post("/oauth2/v1/token", form, "DPoP", b.proof(key, "POST", endpoint, "", nonce, nil))
	if a.status != 200 || a.object(t)["token_type"] != "DPoP" || a.header.Get("dpop-nonce") != nonce {
		t.Fatalf("token: %d %s", a.status, a.body)
	}
	token := a.object(t)["access_token"].(string)
	if _, claims := payload(t, token); claims["cnf"] == nil {
		t.Errorf("the token is not bound: %v", claims)
	}

	const users = org + "/api/v1/users"
	send := func(scheme string, proofs ...string) answer {
		headers := []string{"Authorization", scheme + " " + token}
		if len(proofs) == 1 {
			headers = append(headers, "DPoP", proofs[0])
		}
		return b.call("GET", "/api/v1/users?limit=1", "", headers...)
	}
	good := b.proof(key, "GET", users, token, "", nil)
	if a := send("DPoP", good); a.status != 200 {
		t.Fatalf("call: %d %s", a.status, a.body)
	}
	// "nonce" is no duty of resource calls, the query no part of the target.
	if a := send("DPoP", b.proof(key, "GET", "HTTPS://TEST.okta.com:443/api/v1/users?x=1#y", token, "", nil)); a.status != 200 {
		t.Errorf("normal form of the target: %d %s", a.status, a.body)
	}
	now := b.clock.Now()
	for _, test := range []struct {
		name, scheme, proof, want string
	}{
		{"used", "DPoP", good, "dpop_proof_already_used"},
		{"as Bearer", "Bearer", "", "dpop_authentication_scheme_required"},
		{"no proof", "DPoP", "", "dpop_proof_required_for_token"},
		{"not a JWT", "DPoP", "x", "invalid_dpop_proof_invalid_jwt"},
		{"other key", "DPoP", b.proof(newProofKey(t), "GET", users, token, "", nil), "invalid_access_token_dpop_binding"},
		{"method", "DPoP", b.proof(key, "POST", users, token, "", nil), "invalid_dpop_proof_invalid_htm"},
		{"target", "DPoP", b.proof(key, "GET", org+"/api/v1/groups", token, "", nil), "invalid_dpop_proof_invalid_htu"},
		{"no target", "DPoP", b.proof(key, "GET", users, token, "", map[string]any{"htu": nil}), "invalid_dpop_proof_invalid_htu"},
		{"no iat", "DPoP", b.proof(key, "GET", users, token, "", map[string]any{"iat": nil}), "invalid_dpop_proof_invalid_iat"},
		{"future", "DPoP", b.proof(key, "GET", users, token, "", map[string]any{"iat": now.Add(10 * time.Minute).Unix()}), "invalid_dpop_proof_jwt_issued_in_future"},
		{"old", "DPoP", b.proof(key, "GET", users, token, "", map[string]any{"iat": now.Add(-6 * time.Minute).Unix()}), "invalid_dpop_proof_jwt_too_old"},
		{"expired", "DPoP", b.proof(key, "GET", users, token, "", map[string]any{"exp": now.Unix()}), "invalid_dpop_proof_jwt_expired"},
		{"no jti", "DPoP", b.proof(key, "GET", users, token, "", map[string]any{"jti": nil}), "invalid_dpop_proof_invalid_jti"},
		{"no ath", "DPoP", b.proof(key, "GET", users, token, "", map[string]any{"ath": nil}), "dpop_proof_invalid_ath"},
		{"other ath", "DPoP", b.proof(key, "GET", users, "other", "", nil), "dpop_proof_invalid_ath"},
		{"type", "DPoP", jwt(t, key.key, jose.ES256, map[jose.HeaderKey]any{"typ": "JWT", "jwk": jose.JSONWebKey{Key: key.key.Public()}}, nil), "invalid_dpop_proof_invalid_type"},
		{"symmetric", "DPoP", jwt(t, make([]byte, 64), jose.HS256, map[jose.HeaderKey]any{"typ": "dpop+jwt"}, nil), "invalid_dpop_proof_invalid_signature_algorithm"},
		{"no key", "DPoP", jwt(t, key.key, jose.ES256, map[jose.HeaderKey]any{"typ": "dpop+jwt"}, nil), "invalid_dpop_proof"},
		{"wrong key", "DPoP", jwt(t, key.key, jose.ES256, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: newProofKey(t).key.Public()}}, nil), "invalid_dpop_proof_invalid_signature"},
	} {
		var proofs []string
		if test.proof != "" {
			proofs = []string{test.proof}
		}
		b.refusedCall(test.name, send(test.scheme, proofs...), test.want)
	}

	// A token that is bound to nothing needs no proof and may not pretend; a
	// client that need not prove anything gets one whatever it sends.
	free := b.service("", "okta.users.read")
	a = b.post("/oauth2/v1/token", serviceForm(b.assertion(free), "okta.users.read"), "DPoP", b.proof(key, "POST", endpoint, "", "", nil))
	if a.status != 200 || a.object(t)["token_type"] != "Bearer" {
		t.Fatalf("a proof that nobody asked for: %d %s", a.status, a.body)
	}
	plain := a.object(t)["access_token"].(string)
	a = b.call("GET", "/api/v1/users", "", "Authorization", "DPoP "+plain, "DPoP", b.proof(key, "GET", users, plain, "", nil))
	b.refusedCall("not bound", a, "access_token_not_dpop_bound")
}

// refusedCall checks that a call of the API was refused for what is wrong with
// its access token.
func (b *authBench) refusedCall(name string, a answer, refusal string) {
	b.t.Helper()
	e := refusalRow(refusal)
	code, summary := "E0000011", "Invalid token provided"
	if e.Status == 400 {
		code, summary = e.Code, e.Text
	}
	o := a.object(b.t)
	if a.status != e.Status || o["errorCode"] != code || o["errorSummary"] != summary || o["errorLink"] != code {
		b.t.Errorf("%s: %d %s, want %d %s", name, a.status, a.body, e.Status, summary)
	}
	if got, want := a.header.Get("WWW-Authenticate"), `error="`+e.Code+`", error_description="`+e.Text+`", resource="/api/v1/users"`; !strings.HasSuffix(got, want) {
		b.t.Errorf("%s: WWW-Authenticate = %s, want %s at its end", name, got, want)
	}
}

func TestNonces(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service(`,"dpop_bound_access_tokens":true`, "okta.users.read")
	key := newProofKey(t)
	ask := func(nonce string) answer {
		return b.post("/oauth2/v1/token", serviceForm(b.assertion(client), "okta.users.read"), "DPoP", b.proof(key, "POST", org+"/oauth2/v1/token", "", nonce, nil))
	}
	first := ask("").header.Get("dpop-nonce")
	b.start() // nonces survive a restart
	if a := ask(first); a.status != 200 {
		t.Errorf("after a restart: %d %s", a.status, a.body)
	}
	b.clock.Step(24 * time.Hour)
	a := ask(first)
	if second := a.header.Get("dpop-nonce"); a.status != 200 || second == first || second == "" {
		t.Errorf("a day later: %d %s, nonce %q after %q", a.status, a.body, second, first)
	}
	b.clock.Step(48 * time.Hour)
	if a := ask(first); a.status != 200 {
		t.Errorf("three days later: %d %s", a.status, a.body)
	}
	b.clock.Step(24 * time.Hour)
	ask(first).refusedWith(t, "four days later", "use_dpop_nonce")
	ask("made up").refusedWith(t, "made up", "use_dpop_nonce")
}

func TestMetadataAndKeys(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		o := b.ok(200, "GET", path, "", "Authorization", "").object(t)
		if o["issuer"] != org || o["token_endpoint"] != org+"/oauth2/v1/token" || o["jwks_uri"] != org+"/oauth2/v1/keys" {
			t.Errorf("%s: %v", path, o)
		}
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(b.ok(200, "GET", "/oauth2/v1/keys", "", "Authorization", "").body), &set); err != nil {
		t.Fatal(err)
	}
	token := b.serviceToken(b.service("", "okta.users.read"), "okta.users.read")
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	found := set.Key(jws.Signatures[0].Protected.KeyID)
	if len(set.Keys) != 1 || len(found) != 1 || !found[0].IsPublic() {
		t.Fatalf("keys = %+v", set)
	}
	if _, err := jws.Verify(found[0]); err != nil {
		t.Errorf("the published key does not verify the token: %v", err)
	}
}

func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client := b.native("", ann, "okta.users.read.self", "okta.users.manage")
	w := b.browser()
	const scope = "openid profile email offline_access okta.users.read"

	page := w.get("/oauth2/v1/authorize", authorizeQuery(client, scope, "login_hint", `"><b>`))
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Fatalf("sign-in page: %d %s", page.status, page.body)
	}
	for _, want := range []string{`<label for="login">`, `<label for="password">`, `<html lang="en">`, `value="&#34;&gt;&lt;b&gt;"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %s:\n%s", want, page.body)
		}
	}
	if strings.Contains(page.body, "<script") {
		t.Error("the page has a script")
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self' http://127.0.0.1:9999", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}

	form := url.Values{"form": {page.form(t)}, "login": {annsLogin}, "password": {"wrong"}}
	again := w.send("POST", "/oauth2/v1/authorize/sign-in", form.Encode())
	if again.status != 200 || !strings.Contains(again.body, `role="alert"`) || strings.Contains(again.body, "wrong") {
		t.Fatalf("wrong password: %d %s", again.status, again.body)
	}
	form.Set("password", annsPassword)
	stranger := b.browser()
	if a := stranger.send("POST", "/oauth2/v1/authorize/sign-in", form.Encode()); a.status != 400 || len(stranger.cookies) > 0 {
		t.Errorf("the form of another browser: %d", a.status)
	}
	q := w.send("POST", "/oauth2/v1/authorize/sign-in", form.Encode()).location(t, callback)
	if q.Get("state") != "xyz" || q.Get("iss") != org || q.Get("code") == "" {
		t.Fatalf("redirect: %v", q)
	}

	a := b.post("/oauth2/v1/token", codeForm(client, q.Get("code")))
	if a.status != 200 {
		t.Fatalf("token: %d %s", a.status, a.body)
	}
	o := a.object(t)
	access, refresh, id := o["access_token"].(string), o["refresh_token"].(string), o["id_token"].(string)
	if o["scope"] != scope || refresh == "" {
		t.Errorf("token: %s", a.body)
	}
	_, claims := payload(t, id)
	for claim, want := range map[string]any{
		"sub": ann, "aud": client, "iss": org, "nonce": "n-0S6", "name": "Ann Lee", "email": annsLogin, "preferred_username": annsLogin, "ver": 1.0,
	} {
		if claims[claim] != want {
			t.Errorf("id_token: %s = %v, want %v", claim, claims[claim], want)
		}
	}
	if _, claims := payload(t, access); claims["uid"] != ann || claims["sub"] != annsLogin || claims["cid"] != client {
		t.Errorf("access_token: %v", claims)
	}

	o = b.ok(200, "GET", "/oauth2/v1/userinfo", "", "Authorization", "Bearer "+access).object(t)
	if o["sub"] != ann || o["given_name"] != "Ann" || o["email"] != annsLogin {
		t.Errorf("userinfo: %v", o)
	}
	// Ann has the scope, and may see herself.
	if got := b.ok(200, "GET", "/api/v1/users/me", "", "Authorization", "Bearer "+access).object(t)["id"]; got != ann {
		t.Errorf("me is %v", got)
	}
	if got := b.ok(200, "GET", "/api/v1/users", "", "Authorization", "Bearer "+access).body; got != "[]" {
		t.Errorf("without a role, users are %s", got)
	}
	b.ok(404, "GET", "/api/v1/users/"+directory.Administrator, "", "Authorization", "Bearer "+access)

	// Signed in, there is no need to ask again; unless the client wants it.
	w.get("/oauth2/v1/authorize", authorizeQuery(client, scope)).location(t, callback)
	w.get("/oauth2/v1/authorize", authorizeQuery(client, scope, "prompt", "none")).location(t, callback)
	w.get("/oauth2/v1/authorize", authorizeQuery(client, scope, "prompt", "login")).form(t)
	w.get("/oauth2/v1/authorize", authorizeQuery(client, scope, "max_age", "3600")).location(t, callback)
	w.get("/oauth2/v1/authorize", authorizeQuery(client, scope, "max_age", "0")).form(t)
	b.ok(204, "DELETE", "/api/v1/users/"+ann+"/sessions", "")
	w.get("/oauth2/v1/authorize", authorizeQuery(client, scope)).form(t)

	// Refresh: a new token each time, and the family ends when an old one comes back.
	ask := func(token string, more ...string) answer {
		return b.post("/oauth2/v1/token", codeForm(client, "", append([]string{"grant_type", "refresh_token", "refresh_token", token, "code", ""}, more...)...))
	}
	ask(refresh, "scope", "openid okta.groups.read").refusedWith(t, "more scopes", "refresh_scopes_denied", "okta.groups.read")
	a = ask(refresh, "scope", "openid okta.users.read")
	if a.status != 200 || a.object(t)["scope"] != "openid okta.users.read" {
		t.Fatalf("refresh: %d %s", a.status, a.body)
	}
	second := a.object(t)["refresh_token"].(string)
	newest := a.object(t)["access_token"].(string)
	b.start()
	b.ok(200, "GET", "/api/v1/users/me", "", "Authorization", "Bearer "+newest)
	ask(refresh).refusedWith(t, "reuse", "invalid_refresh_token")
	ask(second).refusedWith(t, "after reuse", "invalid_refresh_token")
	for name, token := range map[string]string{"first": access, "newest": newest} {
		a := b.ok(401, "GET", "/api/v1/users/me", "", "Authorization", "Bearer "+token)
		if !strings.Contains(a.header.Get("WWW-Authenticate"), "has been revoked") {
			t.Errorf("the %s token after reuse: %s", name, a.header.Get("WWW-Authenticate"))
		}
	}
}

func TestCodeRefusals(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client := b.native("", ann)
	other := b.native("", ann)
	ask := func(form url.Values) answer { return b.post("/oauth2/v1/token", form) }

	code := b.code(client, "openid")
	ask(codeForm(client, "made-up")).refusedWith(t, "made up", "invalid_authorization_code")
	ask(codeForm(other, code)).refusedWith(t, "other client", "mismatched_client")
	ask(codeForm(client, code, "redirect_uri", "com.example.app:/callback")).refusedWith(t, "other redirect", "mismatched_redirect_uri")
	ask(codeForm(client, code, "code_verifier", "")).refusedWith(t, "no verifier", "pkce_missing_verifier")
	ask(codeForm(client, code, "code_verifier", strings.Repeat("x", 43))).refusedWith(t, "other verifier", "pkce_verification_failed")
	a := ask(codeForm(client, code))
	if a.status != 200 {
		t.Fatalf("token: %d %s", a.status, a.body)
	}
	access := a.object(t)["access_token"].(string)
	b.ok(200, "GET", "/oauth2/v1/userinfo", "", "Authorization", "Bearer "+access)
	ask(codeForm(client, code)).refusedWith(t, "again", "invalid_authorization_code")
	if a := b.call("GET", "/oauth2/v1/userinfo", "", "Authorization", "Bearer "+access); a.status != 401 {
		t.Errorf("the token of a code that leaked: %d %s", a.status, a.body)
	}
	code = b.code(client, "openid")
	b.clock.Step(5 * time.Minute)
	ask(codeForm(client, code)).refusedWith(t, "too late", "invalid_authorization_code")

	code = b.code(client, "openid")
	b.ok(200, "POST", "/api/v1/users/"+ann+"/lifecycle/suspend", "")
	ask(codeForm(client, code)).refusedWith(t, "suspended", "invalid_authorization_code")
}

func TestConfidentialClient(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client, secret := b.app(`{"application_type":"web","grant_types":["authorization_code"],"redirect_uris":["`+callback+`"]}`, `{"token_endpoint_auth_method":"client_secret_basic"}`)
	b.ok(200, "POST", "/api/v1/apps/"+client+"/users", `{"id":"`+ann+`"}`)
	sign := func() string {
		w := b.browser()
		page := w.get("/oauth2/v1/authorize", authorizeQuery(client, "openid", "code_challenge", "", "code_challenge_method", "", "response_mode", "fragment"))
		a := w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {page.form(t)}, "login": {annsLogin}, "password": {annsPassword}}.Encode())
		return a.location(t, callback+"#").Get("code")
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(client+":"+secret))
	a := b.post("/oauth2/v1/token", codeForm(client, sign(), "client_id", "", "code_verifier", ""), "Authorization", basic)
	if a.status != 200 {
		t.Errorf("basic: %d %s", a.status, a.body)
	}
	a = b.post("/oauth2/v1/token", codeForm(client, sign(), "client_secret", secret, "code_verifier", ""))
	if a.status != 200 {
		t.Errorf("post: %d %s", a.status, a.body)
	}
	b.post("/oauth2/v1/token", codeForm(client, sign(), "client_secret", secret)).refusedWith(t, "verifier without a challenge", "pkce_missing_challenge_verifier_present")
	b.post("/oauth2/v1/token", codeForm(client, sign(), "code_verifier", "")).refusedWith(t, "no secret", "missing_client_credentials")
}

func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client := b.native("", ann, "okta.users.read")
	service := b.service("", "okta.users.read")
	w := b.browser()
	for _, test := range []struct {
		name string
		q    url.Values
		want string
		args []any
	}{
		{"unknown client", authorizeQuery("0oanobody", "openid"), "invalid_client_id", nil},
		{"no client", url.Values{}, "invalid_client_id", nil},
		{"service app", authorizeQuery(service, "openid"), "invalid_client_application_type", []any{"/authorize"}},
		{"other redirect", authorizeQuery(client, "openid", "redirect_uri", callback+"/x"), "illegal_redirect_uri", nil},
		{"no redirect", authorizeQuery(client, "openid", "redirect_uri", ""), "illegal_redirect_uri", nil},
		{"twice", url.Values{"client_id": {client, client}}, "illegal_duplicated_parameters", []any{"client_id"}},
	} {
		e := refusalRow(test.want, test.args...)
		a := w.get("/oauth2/v1/authorize", test.q)
		text := strings.ReplaceAll(e.Text, "'", "&#39;")
		if a.status != e.Status || !strings.Contains(a.body, text) || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %s, want %q", test.name, a.status, a.body, e.Text)
		}
	}
	for _, test := range []struct {
		name string
		q    url.Values
		want string
		args []any
	}{
		{"token", authorizeQuery(client, "openid", "response_type", "token"), "unsupported_response_type", []any{"code"}},
		{"response mode", authorizeQuery(client, "openid", "response_mode", "okta_post_message"), "unsupported_response_mode", nil},
		{"no state", authorizeQuery(client, "openid", "state", ""), "invalid_state", nil},
		{"prompt", authorizeQuery(client, "openid", "prompt", "often"), "invalid_prompt", []any{"none, login, consent"}},
		{"max_age", authorizeQuery(client, "openid", "max_age", "-1"), "invalid_max_age", nil},
		{"no challenge", authorizeQuery(client, "openid", "code_challenge", ""), "pkce_missing_challenge", nil},
		{"plain", authorizeQuery(client, "openid", "code_challenge_method", "plain"), "pkce_unsupported_code_challenge_method", []any{"S256"}},
		{"no method", authorizeQuery(client, "openid", "code_challenge_method", ""), "pkce_unsupported_code_challenge_method", []any{"S256"}},
		{"short challenge", authorizeQuery(client, "openid", "code_challenge", "short"), "pkce_invalid_challenge", nil},
		{"no scope", authorizeQuery(client, ""), "missing_scopes", nil},
		{"profile alone", authorizeQuery(client, "profile"), "openid_scope_required", nil},
		{"not granted", authorizeQuery(client, "openid okta.users.manage"), "no_matching_scope", nil},
		{"not signed in", authorizeQuery(client, "openid", "prompt", "none"), "login_required", nil},
	} {
		e := refusalRow(test.want, test.args...)
		q := w.get("/oauth2/v1/authorize", test.q).location(t, callback)
		if q.Get("error") != e.Code || q.Get("error_description") != e.Text || test.name != "no state" && q.Get("state") != "xyz" {
			t.Errorf("%s: %v, want %s %q", test.name, q, e.Code, e.Text)
		}
	}

	// Somebody else, whom nobody assigned to the application.
	b.ok(204, "DELETE", "/api/v1/apps/"+client+"/users/"+ann, "")
	page := w.get("/oauth2/v1/authorize", authorizeQuery(client, "openid"))
	q := w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {page.form(t)}, "login": {annsLogin}, "password": {annsPassword}}.Encode()).location(t, callback)
	if q.Get("error_description") != refusalRow("user_not_assigned").Text {
		t.Errorf("not assigned: %v", q)
	}
	// Forms do not last, cannot be made up and need the browser's cookie.
	form := page.form(t)
	b.clock.Step(2 * time.Hour)
	for _, test := range []struct{ form, want string }{{form, "request_expired"}, {"made-up", "invalid_request"}, {"", "invalid_request"}} {
		a := w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {test.form}, "login": {annsLogin}, "password": {annsPassword}}.Encode())
		if e := refusalRow(test.want); a.status != e.Status || !strings.Contains(a.body, e.Text) {
			t.Errorf("form %.10q: %d %s", test.form, a.status, a.body)
		}
	}
}

func TestConsent(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.native(`,"consent_method":"REQUIRED"`, b.person(), "okta.users.read")
	w := b.browser()
	query := authorizeQuery(client, "openid profile okta.users.read")
	page := w.get("/oauth2/v1/authorize", query)
	page = w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {page.form(t)}, "login": {annsLogin}, "password": {annsPassword}}.Encode())
	if !strings.Contains(page.body, "<code>okta.users.read</code>") || !strings.Contains(page.body, "Don&#39;t allow") && !strings.Contains(page.body, "Don't allow") {
		t.Fatalf("consent page: %d %s", page.status, page.body)
	}
	decide := func(decision string) answer {
		return w.send("POST", "/oauth2/v1/authorize/consent", url.Values{"form": {page.form(t)}, "decision": {decision}}.Encode())
	}
	if q := decide("deny").location(t, callback); q.Get("error") != "access_denied" {
		t.Errorf("deny: %v", q)
	}
	if q := w.get("/oauth2/v1/authorize", authorizeQuery(client, "openid profile", "prompt", "none")).location(t, callback); q.Get("error") != "consent_required" {
		t.Errorf("silently: %v", q)
	}
	if q := decide("allow").location(t, callback); q.Get("code") == "" {
		t.Errorf("allow: %v", q)
	}
	if q := w.get("/oauth2/v1/authorize", query).location(t, callback); q.Get("code") == "" {
		t.Errorf("the second time: %v", q)
	}
	page = w.get("/oauth2/v1/authorize", authorizeQuery(client, "openid", "prompt", "consent"))
	if q := decide("allow").location(t, callback); q.Get("code") == "" {
		t.Errorf("when asked again: %v", q)
	}
	if a := b.browser().send("POST", "/oauth2/v1/authorize/consent", url.Values{"form": {page.form(t)}, "decision": {"allow"}}.Encode()); a.status != 400 {
		t.Errorf("consent from another browser: %d %s", a.status, a.body)
	}
}

func TestIntrospectAndRevoke(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client := b.native("", ann, "okta.users.read")
	other := b.native("", ann)
	o := b.post("/oauth2/v1/token", codeForm(client, b.code(client, "openid offline_access"))).object(t)
	access, refresh := o["access_token"].(string), o["refresh_token"].(string)
	look := func(token string) map[string]any {
		a := b.post("/oauth2/v1/introspect", url.Values{"client_id": {client}, "token": {token}})
		if a.status != 200 {
			t.Fatalf("introspect: %d %s", a.status, a.body)
		}
		return a.object(t)
	}
	drop := func(client, token string) {
		if a := b.post("/oauth2/v1/revoke", url.Values{"client_id": {client}, "token": {token}}); a.status != 200 || a.body != "" {
			t.Errorf("revoke: %d %s", a.status, a.body)
		}
	}
	if o := look(access); o["active"] != true || o["username"] != annsLogin || o["uid"] != ann || o["client_id"] != client || o["scope"] != "openid offline_access" {
		t.Errorf("access token: %v", o)
	}
	if o := look(refresh); o["active"] != true || o["username"] != annsLogin || o["client_id"] != client {
		t.Errorf("refresh token: %v", o)
	}
	for _, token := range []string{"made-up", "a.b.c"} {
		if o := look(token); len(o) != 1 || o["active"] != false {
			t.Errorf("%s: %v", token, o)
		}
		drop(client, token)
	}
	drop(other, access)
	drop(other, refresh)
	if look(access)["active"] != true || look(refresh)["active"] != true {
		t.Error("a client revoked tokens of another")
	}
	drop(client, access)
	drop(client, access)
	if look(access)["active"] != false || look(refresh)["active"] != true {
		t.Error("revoking the access token")
	}
	a := b.post("/oauth2/v1/token", codeForm(client, "", "grant_type", "refresh_token", "refresh_token", refresh, "code", "")).object(t)
	access, refresh = a["access_token"].(string), a["refresh_token"].(string)
	drop(client, refresh)
	if look(access)["active"] != false || look(refresh)["active"] != false {
		t.Error("revoking the refresh token")
	}
	b.post("/oauth2/v1/introspect", url.Values{"client_id": {client}}).refusedWith(t, "no token", "request_missing_token")
	b.post("/oauth2/v1/introspect", url.Values{"token": {"x"}}).refusedWith(t, "no client", "missing_client_credentials")
	b.post("/oauth2/v1/revoke", url.Values{"client_id": {client}}).refusedWith(t, "no token", "request_missing_token")
}

// Ending the sessions of an account can end what clients hold of it.
func TestClearSessionsEndsTokens(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client := b.native("", ann)
	o := b.post("/oauth2/v1/token", codeForm(client, b.code(client, "openid offline_access"))).object(t)
	as := []string{"Authorization", "Bearer " + o["access_token"].(string)}
	b.ok(204, "DELETE", "/api/v1/users/"+ann+"/sessions", "")
	b.ok(200, "GET", "/oauth2/v1/userinfo", "", as...)
	b.ok(204, "DELETE", "/api/v1/users/"+ann+"/sessions?oauthTokens=true", "")
	b.ok(401, "GET", "/oauth2/v1/userinfo", "", as...)
	b.post("/oauth2/v1/token", codeForm(client, "", "grant_type", "refresh_token", "refresh_token", o["refresh_token"].(string), "code", "")).
		refusedWith(t, "refresh", "invalid_refresh_token")
}

func TestLogout(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.native("", b.person())
	w := b.browser()
	page := w.get("/oauth2/v1/authorize", authorizeQuery(client, "openid"))
	code := w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {page.form(t)}, "login": {annsLogin}, "password": {annsPassword}}.Encode()).location(t, callback).Get("code")
	id := b.post("/oauth2/v1/token", codeForm(client, code)).object(t)["id_token"].(string)
	q := url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"http://evil.example.com/"}}
	if a := w.get("/oauth2/v1/logout", q); a.status != 400 {
		t.Errorf("other address: %d %s", a.status, a.body)
	}
	if a := w.get("/oauth2/v1/logout", url.Values{"id_token_hint": {"x"}}); a.status != 400 {
		t.Errorf("made-up token: %d %s", a.status, a.body)
	}
	q.Set("post_logout_redirect_uri", "http://127.0.0.1:9999/bye")
	q.Set("state", "s")
	if got := w.get("/oauth2/v1/logout", q).location(t, "http://127.0.0.1:9999/bye").Get("state"); got != "s" {
		t.Errorf("state = %q", got)
	}
	w.get("/oauth2/v1/authorize", authorizeQuery(client, "openid")).form(t)
}

func TestRefreshIsBound(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.native(`,"dpop_bound_access_tokens":true`, b.person())
	key := newProofKey(t)
	const endpoint = org + "/oauth2/v1/token"
	nonce, err := b.oauth.Nonce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proof := func(k proofKey) string { return b.proof(k, "POST", endpoint, "", nonce, nil) }
	o := b.post("/oauth2/v1/token", codeForm(client, b.code(client, "openid offline_access")), "DPoP", proof(key)).object(t)
	if o["token_type"] != "DPoP" {
		t.Fatalf("token: %v", o)
	}
	form := codeForm(client, "", "grant_type", "refresh_token", "refresh_token", o["refresh_token"].(string), "code", "")
	b.post("/oauth2/v1/token", form, "DPoP", proof(newProofKey(t))).refusedWith(t, "other key", "invalid_dpop_proof_invalid_public_key_binding")
	if a := b.post("/oauth2/v1/token", form, "DPoP", proof(key)); a.status != 200 {
		t.Errorf("refresh: %d %s", a.status, a.body)
	}
}

// TestEveryEndpoint sends to every endpoint of the authorization server what
// nobody should send.
func TestEveryEndpoint(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	client := g.native("", g.real["users"])
	g.ok(200, "GET", "/oauth2/v1/keys", "") // makes the first key
	g.changesOf("setting up")
	long := strings.Repeat("x", 100_000)
	for path, methods := range map[string][]string{
		"/oauth2/v1/token": {"POST"}, "/oauth2/v1/introspect": {"POST"}, "/oauth2/v1/revoke": {"POST"},
		"/oauth2/v1/authorize": {"GET", "POST"}, "/oauth2/v1/authorize/sign-in": {"POST"}, "/oauth2/v1/authorize/consent": {"POST"},
		"/oauth2/v1/logout": {"GET", "POST"}, "/oauth2/v1/userinfo": {"GET"}, "/oauth2/v1/keys": {"GET"},
		"/.well-known/openid-configuration": {"GET"}, "/.well-known/oauth-authorization-server": {"GET"},
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} {
			known := slices.Contains(methods, method)
			for name, send := range map[string][]string{ // body, then headers
				"nothing":       {"", "Content-Type", ""},
				"JSON":          {`{"client_id":"` + client + `","grant_type":"client_credentials"}`},
				"deep JSON":     {strings.Repeat("[", 50_000)},
				"bad escapes":   {"client_id=%zz&token=%", "Content-Type", "application/x-www-form-urlencoded"},
				"invalid UTF-8": {"client_id=\xff&token=\xfe&login=\xff&form=\xff", "Content-Type", "application/x-www-form-urlencoded"},
				"oversize":      {"client_id=" + client + "&token=" + long, "Content-Type", "application/x-www-form-urlencoded"},
				"twice":         {"client_id=" + client + "&client_id=" + client, "Content-Type", "application/x-www-form-urlencoded"},
				"a bad Basic":   {"", "Authorization", "Basic !!!"},
				"a bad Bearer":  {"", "Authorization", "Bearer a.b.c"},
				"a bad proof":   {"client_id=" + client + "&grant_type=refresh_token", "Content-Type", "application/x-www-form-urlencoded", "DPoP", "a.b.c"},
				"many cookies":  {"form=x", "Content-Type", "application/x-www-form-urlencoded", "Cookie", strings.Repeat("lanyard_form=x; ", 500)},
			} {
				headers := append([]string{"Authorization", ""}, send[1:]...)
				a := g.call(method, path+"?x=%zz", send[0], headers...)
				what := name + ": " + method + " " + path
				switch {
				case a.status >= 500:
					t.Errorf("%s: %d %s", what, a.status, a.body)
				case !known && (a.status != 405 || a.object(t)["errorCode"] != "E0000022"):
					t.Errorf("%s: %d %s, want E0000022", what, a.status, a.body)
				}
				if found := givenAway.FindString(a.body); found != "" {
					t.Errorf("%s: the answer gives away %q: %s", what, found, a.body)
				}
				if log := g.log.take(); strings.Contains(log, "goroutine") || strings.Contains(log, long) {
					t.Errorf("%s: the log: %.500s", what, log)
				}
				g.changesOf(what)
			}
		}
	}
}

// changesOf checks that the change log is as it was when it was last asked.
func (g *gate) changesOf(what string) {
	g.t.Helper()
	now := g.changes()
	if g.seen != 0 && now != g.seen {
		g.t.Errorf("%s: the log has %d entries more", what, now-g.seen)
	}
	g.seen = now
}

// TestSignInPageIsLimited makes sure that passwords cannot be tried faster on
// the page than elsewhere, however the username is written.
func TestSignInPageIsLimited(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.native("", b.person())
	b.serve(func(o *okta.Options) {
		o.OAuth = b.oauth
		o.Limits = func() okta.LimitPolicy { return okta.LimitPolicy{Enforce: true} }
	})
	w := b.browser()
	page := w.get("/oauth2/v1/authorize", authorizeQuery(client, "openid"))
	form := page.form(t)
	for i, login := range []string{"ann@example.com", "ANN@example.com", " ann@example.com ", "Ann@Example.com", "aNN@example.com"} {
		want := 200
		if i == 4 {
			want = 429
		}
		b.clock.Step(-time.Second) // all in one second
		a := w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {form}, "login": {login}, "password": {"wrong"}}.Encode())
		if a.status != want {
			t.Errorf("try %d: %d, want %d", i, a.status, want)
		}
	}
	b.clock.Step(time.Second)
	b.ok(401, "POST", "/api/v1/authn", `{"username":"ann@example.com","password":"wrong"}`)
}

// A consent counts only for who saw the page.
func TestConsentIsOfWhoWasAsked(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.native(`,"consent_method":"REQUIRED"`, b.person(), "okta.users.read")
	bob := b.user(`{"profile":{"firstName":"B","lastName":"B","email":"bob@example.com","login":"bob@example.com"},"credentials":{"password":{"value":"Sesame4you"}}}`, "?activate=true")
	b.ok(200, "POST", "/api/v1/apps/"+client+"/users", `{"id":"`+bob+`"}`)
	w := b.browser()
	query := authorizeQuery(client, "openid okta.users.read")
	signIn := w.get("/oauth2/v1/authorize", query)
	as := func(login string) answer {
		return w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {signIn.form(t)}, "login": {login}, "password": {annsPassword}}.Encode())
	}
	asked := as(annsLogin)
	as("bob@example.com")
	allow := func(page answer) url.Values {
		return w.send("POST", "/oauth2/v1/authorize/consent", url.Values{"form": {page.form(t)}, "decision": {"allow"}}.Encode()).location(t, callback)
	}
	if q := allow(asked); q.Get("error") != "access_denied" {
		t.Errorf("what Ann was asked, answered as Bob: %v", q)
	}
	if q := allow(signIn); q.Get("error") != "access_denied" {
		t.Errorf("a sign-in page as a consent page: %v", q)
	}
}

// TestIntrospectionOfOthers: a client without a secret sees its own tokens only.
func TestIntrospectionOfOthers(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client, stranger := b.native("", ann), b.native("", ann)
	confidential, secretText := b.app(`{"application_type":"web","grant_types":["authorization_code"],"redirect_uris":["`+callback+`"]}`, `{}`)
	o := b.post("/oauth2/v1/token", codeForm(client, b.code(client, "openid offline_access"))).object(t)
	active := func(id, secretText, token string) bool {
		form := url.Values{"client_id": {id}, "token": {o[token].(string)}}
		if secretText != "" {
			form.Set("client_secret", secretText)
		}
		a := b.post("/oauth2/v1/introspect", form)
		return a.object(t)["active"].(bool)
	}
	for _, test := range []struct {
		id, secretText, token string
		want                  bool
	}{
		{client, "", "access_token", true}, {client, "", "refresh_token", true},
		{stranger, "", "access_token", false}, {stranger, "", "refresh_token", false},
		{confidential, secretText, "access_token", true}, {confidential, secretText, "refresh_token", false},
	} {
		if got := active(test.id, test.secretText, test.token); got != test.want {
			t.Errorf("%s: %v, want %v", test.token, got, test.want)
		}
	}
	b.ok(200, "POST", "/api/v1/users/"+ann+"/lifecycle/suspend", "")
	if active(client, "", "access_token") {
		t.Error("the token of a suspended user is active")
	}
}
