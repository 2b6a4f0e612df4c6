package okta_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/oauth"
)

// held is all that a client, a browser and a program hold of Ann.
type held struct {
	*authBench
	ann, client     string
	access, refresh string
	code            string // not used yet
	browser         *browser
	api             string
}

func newHeld(t *testing.T) *held {
	t.Helper()
	h := &held{authBench: newAuth(t)}
	h.ann = h.person()
	h.roles[h.ann] = []string{"SUPER_ADMIN"}
	h.client = h.native("", h.ann)
	o := h.post("/oauth2/v1/token", codeForm(h.client, h.code1())).object(t)
	h.access, h.refresh = o["access_token"].(string), o["refresh_token"].(string)
	h.code = h.code1()
	token, _, err := h.oauth.CreateAPIToken(t.Context(), directory.System("test"), oauth.NewAPIToken{Name: "ann's", As: h.ann})
	if err != nil {
		t.Fatal(err)
	}
	h.api = token
	return h
}

// code1 signs Ann in, in a browser that stays.
func (h *held) code1() string {
	h.t.Helper()
	h.browser = h.authBench.browser()
	page := h.browser.get("/oauth2/v1/authorize", authorizeQuery(h.client, "openid offline_access"))
	return h.browser.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{
		"form": {page.form(h.t)}, "login": {annsLogin}, "password": {annsPassword},
	}.Encode()).location(h.t, callback).Get("code")
}

// good reports which of what is held is still good.
func (h *held) good() (access, refresh, code, signedIn, api bool) {
	h.t.Helper()
	access = h.call("GET", "/oauth2/v1/userinfo", "", "Authorization", "Bearer "+h.access).status == 200
	api = h.call("GET", "/api/v1/users/me", "", "Authorization", "SSWS "+h.api).status == 200
	signedIn = h.browser.get("/oauth2/v1/authorize", authorizeQuery(h.client, "openid", "prompt", "none")).location(h.t, callback).Get("code") != ""
	refresh = h.post("/oauth2/v1/token", codeForm(h.client, "", "grant_type", "refresh_token", "refresh_token", h.refresh, "code", "")).status == 200
	code = h.post("/oauth2/v1/token", codeForm(h.client, h.code)).status == 200
	return
}

// TestTokensEnd makes sure that what was held of an account or by a client ends
// when it must, and does not come back with it.
func TestTokensEnd(t *testing.T) {
	t.Parallel()
	type goods struct{ access, refresh, code, signedIn, api bool }
	users := func(h *held, path string) string { return "/api/v1/users/" + h.ann + path }
	for name, test := range map[string]struct {
		do   func(*held)
		want goods
	}{
		"nothing happened": {func(*held) {}, goods{true, true, true, true, true}},
		"deactivated and activated again": {func(h *held) {
			h.ok(200, "POST", users(h, "/lifecycle/deactivate"), "")
			h.ok(200, "POST", users(h, "/lifecycle/activate?sendEmail=false"), "")
			h.ok(200, "POST", users(h, ""), `{"credentials":{"password":{"value":"`+annsPassword+`"}}}`)
			h.ok(200, "POST", "/api/v1/apps/"+h.client+"/users", `{"id":"`+h.ann+`"}`)
		}, goods{}},
		"suspended and unsuspended": {func(h *held) {
			h.ok(200, "POST", users(h, "/lifecycle/suspend"), "")
			h.ok(200, "POST", users(h, "/lifecycle/unsuspend"), "")
		}, goods{true, true, true, false, true}},
		"deleted": {func(h *held) {
			h.ok(204, "DELETE", users(h, ""), "")
			h.ok(204, "DELETE", users(h, ""), "")
		}, goods{}},
		"password changed, sessions revoked": {func(h *held) {
			h.ok(200, "POST", users(h, "/credentials/change_password"),
				`{"oldPassword":{"value":"`+annsPassword+`"},"newPassword":{"value":"Another4you"},"revokeSessions":true}`)
		}, goods{true, true, true, false, true}},
		"sessions and tokens cleared": {func(h *held) {
			h.ok(204, "DELETE", users(h, "/sessions?oauthTokens=true"), "")
		}, goods{api: true}},
		"grants revoked": {func(h *held) { h.ok(204, "DELETE", users(h, "/grants"), "") }, goods{signedIn: true, api: true}},
		"client switched off and on": {func(h *held) {
			h.ok(200, "POST", "/api/v1/apps/"+h.client+"/lifecycle/deactivate", "")
			h.ok(200, "POST", "/api/v1/apps/"+h.client+"/lifecycle/activate", "")
		}, goods{signedIn: true, api: true}},
		"tokens of the client revoked": {func(h *held) { h.ok(204, "DELETE", "/api/v1/apps/"+h.client+"/tokens", "") }, goods{signedIn: true, api: true}},
		"taken from the client": {func(h *held) {
			h.ok(204, "DELETE", "/api/v1/apps/"+h.client+"/users/"+h.ann, "")
		}, goods{api: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeld(t)
			h.clock.Step(2 * time.Second)
			test.do(h)
			var got goods
			got.access, got.refresh, got.code, got.signedIn, got.api = h.good()
			if got != test.want {
				t.Errorf("good are %+v, want %+v", got, test.want)
			}
		})
	}
}

// A token that a client has for itself ends with the client, and is not good
// again when the client is.
func TestServiceTokensEnd(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service("", "okta.users.read")
	b.roles[client] = []string{"READ_ONLY_ADMIN"}
	as := []string{"Authorization", "Bearer " + b.serviceToken(client, "okta.users.read")}
	b.ok(200, "GET", "/api/v1/users", "", as...)
	b.ok(200, "POST", "/api/v1/apps/"+client+"/lifecycle/deactivate", "")
	b.ok(401, "GET", "/api/v1/users", "", as...)
	b.ok(200, "POST", "/api/v1/apps/"+client+"/lifecycle/activate", "")
	b.ok(401, "GET", "/api/v1/users", "", as...)
	again := []string{"Authorization", "Bearer " + b.serviceToken(client, "okta.users.read")}
	b.ok(200, "GET", "/api/v1/users", "", again...)

	// The scope goes, the token stays and is worth nothing.
	grants := b.ok(200, "GET", "/api/v1/apps/"+client+"/grants", "").list(t, "id")
	b.ok(204, "DELETE", "/api/v1/apps/"+client+"/grants/"+grants[0], "")
	b.ok(403, "GET", "/api/v1/users", "", again...)
}

// The keys of an application and those of the org are different things.
func TestKeysOfAppsAreNotOfTheOrg(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	app, _ := b.app(`{"application_type":"web","grant_types":["authorization_code"],"redirect_uris":["`+callback+`"]}`, `{}`)
	b.ok(201, "POST", "/api/v1/apps/"+app+"/credentials/keys/generate?validityYears=2", "")
	b.start()
	if got := b.ok(200, "GET", "/oauth2/v1/keys", "").object(t)["keys"].([]any); len(got) != 1 {
		t.Errorf("%d keys", len(got))
	}
}

// A proof that was used is not good again after a restart, which forgets what
// was used: at the API and at the token endpoint.
func TestProofsEndWithTheProcess(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	client := b.service(`,"dpop_bound_access_tokens":true`, "okta.users.read")
	b.roles[client] = []string{"READ_ONLY_ADMIN"}
	key := newProofKey(t)
	const endpoint = org + "/oauth2/v1/token"
	nonce := b.post("/oauth2/v1/token", serviceForm(b.assertion(client), "okta.users.read"), "DPoP", b.proof(key, "POST", endpoint, "", "", nil)).header.Get("Dpop-Nonce")
	ask := b.proof(key, "POST", endpoint, "", nonce, nil)
	token := b.post("/oauth2/v1/token", serviceForm(b.assertion(client), "okta.users.read"), "DPoP", ask).object(t)["access_token"].(string)
	call := b.proof(key, "GET", org+"/api/v1/users", token, "", nil)
	send := func(proof string) answer {
		return b.call("GET", "/api/v1/users", "", "Authorization", "DPoP "+token, "DPoP", proof)
	}
	if a := send(call); a.status != 200 {
		t.Fatalf("call: %d %s", a.status, a.body)
	}
	b.clock.Step(2 * time.Second)
	b.start()
	if a := send(call); a.status != 400 {
		t.Errorf("the same proof after a restart: %d %s", a.status, a.body)
	}
	b.post("/oauth2/v1/token", serviceForm(b.assertion(client), "okta.users.read"), "DPoP", ask).
		refusedWith(t, "the same proof after a restart", "invalid_dpop_proof_jwt_too_old")
	if a := send(b.proof(key, "GET", org+"/api/v1/users", token, "", nil)); a.status != 200 {
		t.Errorf("a new proof after a restart: %d %s", a.status, a.body)
	}
}

// What people may change of themselves are not the credentials that they must
// prove, nor the login.
func TestSelfServiceIsNoAdministration(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client := b.native("", ann, "okta.users.manage.self", "okta.users.read.self")
	as := func() []string {
		return []string{"Authorization", "Bearer " + b.post("/oauth2/v1/token", codeForm(client, b.code(client, "openid okta.users.manage.self"))).object(t)["access_token"].(string)}
	}
	mine := as()
	b.ok(200, "GET", "/api/v1/users/me", "", mine...)
	b.ok(200, "POST", "/api/v1/users/me", `{"profile":{"nickName":"Annie"}}`, mine...)
	for _, body := range []string{
		`{"credentials":{"password":{"value":"Another4you"}}}`, `{"credentials":{"recovery_question":{"question":"Which?","answer":"that one"}}}`,
		`{"profile":{"login":"root@example.com"}}`,
	} {
		before := b.changes()
		wantProblem(t, b.call("POST", "/api/v1/users/me", body, mine...), 403, "E0000006", "You do not have permission to perform the requested action")
		if b.changes() != before {
			t.Errorf("%s changed something", body)
		}
	}
	b.ok(403, "GET", "/api/v1/users/"+directory.Administrator, "", mine...)
	b.roles[ann] = []string{"USER_ADMIN"}
	b.ok(403, "GET", "/api/v1/users/"+directory.Administrator, "", mine...) // a scope of one's own stays one
}

// Browsers are sent to redirection URIs, so not everything can be one.
func TestRedirectURIsOfClients(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	for uri, status := range map[string]int{
		"https://a.example/cb": 201, "http://127.0.0.1:8080/cb": 201, "com.example.app:/cb": 201, "https://a.example/cb?x=1": 201,
		"javascript:alert(1)": 400, "JavaScript:alert(1)": 400, "data:text/html,x": 400, "https://a.example/cb#x": 400, "/cb": 400, "a.example": 400,
		"https:///cb": 400, "https://a.example/\\r\\nSet-Cookie: a=b": 400, "": 400,
	} {
		b.ok(status, "POST", "/oauth2/v1/clients", `{"client_name":"C","redirect_uris":["`+uri+`"]}`)
	}
}
