package login_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/login"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

const (
	issuer   = "https://example.eu.auth0.com/"
	callback = issuer + "login/callback"
	app      = "https://app.example.com/callback"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	answer   = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var operator = directory.System("test")

var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	out := make([]*rsa.PrivateKey, 2)
	for i := range out {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = key
	}
	return out
})

// upstream is an identity provider. What it answers can be changed.
type upstream struct {
	*httptest.Server
	t         *testing.T
	at        time.Time
	nonce     string
	challenge string
	key       *rsa.PrivateKey
	alg       jose.SignatureAlgorithm
	claims    map[string]any // over the usual ones
	info      map[string]any
	metadata  map[string]any // over the usual one
	calls     int
}

func newUpstream(t *testing.T, at time.Time) *upstream {
	t.Helper()
	u := &upstream{t: t, at: at, key: testKeys()[0], alg: jose.RS256}
	mux := http.NewServeMux()
	u.Server = httptest.NewServer(mux)
	t.Cleanup(u.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		o := map[string]any{
			"issuer": u.URL, "authorization_endpoint": u.URL + "/authorize", "token_endpoint": u.URL + "/token", "jwks_uri": u.URL + "/keys",
			"userinfo_endpoint": u.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		}
		maps.Copy(o, u.metadata)
		u.write(w, o)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		u.write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &testKeys()[0].PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", u.token)
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) {
		o := map[string]any{"sub": "00u1", "name": "Ada Byron", "email": "ada@acme.example", "preferred_username": "ada@acme.example", "email_verified": true}
		maps.Copy(o, u.info)
		u.write(w, o)
	})
	return u
}

func (u *upstream) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		u.t.Error(err)
	}
}

func (u *upstream) token(w http.ResponseWriter, r *http.Request) {
	u.calls++
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if r.FormValue("client_secret") != "upstream secret" || r.FormValue("code") != "up" ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != u.challenge || r.FormValue("redirect_uri") != callback {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	claims := map[string]any{
		"iss": u.URL, "aud": "up-client", "sub": "00u1", "nonce": u.nonce, "iat": u.at.Unix(), "exp": u.at.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, u.claims)
	var key any = jose.JSONWebKey{Key: u.key, KeyID: "k"}
	if u.alg == jose.HS256 {
		key = []byte(strings.Repeat("upstream secret", 3))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: u.alg, Key: key}, nil)
	if err != nil {
		u.t.Error(err)
		return
	}
	id, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		u.t.Error(err)
		return
	}
	u.write(w, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": id})
}

// bench is a tenant with a connection to the upstream and a client.
type bench struct {
	t        *testing.T
	up       *upstream
	dir      *directory.Directory
	tenant   *tenant.Tenant
	service  *login.Service
	now      time.Time
	client   string
	secret   string
	conn     string
	settings map[string]any // of the connection
}

func newBench(t *testing.T, client map[string]any) *bench {
	t.Helper()
	ctx := t.Context()
	db := sqlitetest.Open(t)
	b := &bench{t: t, now: time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)}
	b.up = newUpstream(t, b.now)
	b.dir = directory.New(db.Directory())
	b.dir.Clock = func() time.Time { return b.now }
	b.must(b.dir.AddRealm(ctx, directory.Realm{ID: directory.Auth0Realm, Kind: directory.Auth0, Name: "example"}))
	b.tenant = tenant.New(b.dir, directory.Auth0Realm)
	made := 0
	b.tenant.NewKey = func() (*rsa.PrivateKey, error) {
		made++
		return testKeys()[made%2], nil
	}
	settings := map[string]any{"callbacks": []any{app}, "app_type": "regular_web"}
	maps.Copy(settings, client)
	portal, text, err := b.tenant.CreateClient(ctx, operator, "Portal", settings)
	b.must(err)
	b.client, b.secret = portal.ID, text
	b.settings = map[string]any{"domain": "acme.okta.com", "issuer": b.up.URL, "client_id": "up-client", "client_secret": "upstream secret"}
	c := &tenant.Connection{Name: "acme", Strategy: "okta", Options: maps.Clone(b.settings), EnabledClients: []string{b.client}}
	b.must(b.tenant.CreateConnection(ctx, operator, c))
	b.conn = c.ID
	key, err := secret.NewKey(make([]byte, 32))
	b.must(err)
	b.service = login.New(login.Options{
		Tenant: b.tenant, Client: egress.New(egress.Policy{}), Signer: auth0.NewClients(b.tenant), Sealer: key,
		Own: func() []string { return []string{b.up.URL} },
	})
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) request(change func(*login.Request)) login.Request {
	r := login.Request{
		ClientID: b.client, RedirectURI: app, ResponseType: "code", Scope: "openid profile email offline_access", State: "s",
		Nonce: "n", Connection: "acme", Challenge: answer, Method: "S256",
	}
	if change != nil {
		change(&r)
	}
	return r
}

// begin sends a browser to the upstream.
func (b *bench) begin(change func(*login.Request)) login.Step {
	b.t.Helper()
	step, err := b.service.Begin(b.t.Context(), b.request(change), "", callback)
	b.must(err)
	to, err := url.Parse(step.To)
	b.must(err)
	q := to.Query()
	if !strings.HasPrefix(step.To, b.up.URL+"/authorize?") || q.Get("client_id") != "up-client" || q.Get("redirect_uri") != callback ||
		q.Get("state") != step.State || q.Get("code_challenge_method") != "S256" {
		b.t.Fatalf("sent to %s", step.To)
	}
	b.up.nonce, b.up.challenge = q.Get("nonce"), q.Get("code_challenge")
	return step
}

func (b *bench) finish(step login.Step) (login.Done, error) {
	back := url.Values{"state": {step.State}, "code": {"up"}}
	return b.service.Finish(b.t.Context(), back, step.Flow, callback, directory.Actor{IP: "192.0.2.1"})
}

// signIn goes the whole way and returns the code and the session.
func (b *bench) signIn() (code, session string) {
	b.t.Helper()
	done, err := b.finish(b.begin(nil))
	b.must(err)
	to, err := url.Parse(done.To)
	b.must(err)
	if !strings.HasPrefix(done.To, app+"?") || to.Query().Get("state") != "s" {
		b.t.Fatalf("sent to %s", done.To)
	}
	return to.Query().Get("code"), done.Session
}

func (b *bench) exchange(code string, change func(*login.TokenRequest)) (login.Tokens, error) {
	r := login.TokenRequest{
		Grant: login.GrantCode, ClientID: b.client, ClientSecret: b.secret, Code: code, RedirectURI: app, Verifier: verifier, Issuer: issuer,
	}
	if change != nil {
		change(&r)
	}
	return b.service.Exchange(b.t.Context(), r)
}

func (b *bench) account() *directory.Account {
	b.t.Helper()
	a, err := b.dir.Account(b.t.Context(), directory.Auth0Realm, "okta|acme|00u1")
	b.must(err)
	return a
}

func (b *bench) sync(when tenant.Sync) {
	b.t.Helper()
	options := maps.Clone(b.settings)
	options["set_user_root_attributes"] = string(when)
	_, err := b.tenant.EditConnection(b.t.Context(), operator, b.conn, tenant.ConnectionEdit{Options: options})
	b.must(err)
}

// change does something to the account as SCIM would.
func (b *bench) change(f func(*directory.Account)) {
	b.t.Helper()
	before := b.account()
	after := directory.CloneAccount(before)
	f(after)
	b.must(b.dir.Store.Update(b.t.Context(), func(tx directory.Tx) error { return b.dir.SaveConnected(tx, operator, before, after) }))
}

func refusal(t *testing.T, err error) *login.Refusal {
	t.Helper()
	var r *login.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("no refusal: %v", err)
	}
	return r
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	code, session := b.signIn()
	tokens, err := b.exchange(code, nil)
	b.must(err)
	var id map[string]any
	b.must(auth0.NewClients(b.tenant).Read(t.Context(), tokens.ID, &id))
	for name, want := range map[string]any{
		"sub": "okta|acme|00u1", "aud": b.client, "iss": issuer, "nonce": "n", "name": "Ada Byron", "email": "ada@acme.example", "email_verified": true,
	} {
		if id[name] != want {
			t.Errorf("%s = %v, want %v", name, id[name], want)
		}
	}
	said, err := b.service.UserInfo(t.Context(), tokens.Access, issuer)
	b.must(err)
	if said["sub"] != "okta|acme|00u1" || said["name"] != "Ada Byron" {
		t.Errorf("userinfo: %v", said)
	}
	if _, err := b.service.UserInfo(t.Context(), tokens.ID, issuer); err == nil {
		t.Error("an ID token passes as an access token")
	}
	a := b.account()
	if a.SignIns != 1 || a.LastIP != "192.0.2.1" || a.ExternalText("externalId") != "00u1" || a.ExternalText("userName") != "ada@acme.example" {
		t.Errorf("account %+v", a)
	}

	// Who is signed in gets another code without the provider, unless the client insists.
	step, err := b.service.Begin(t.Context(), b.request(nil), session, callback)
	b.must(err)
	if !strings.HasPrefix(step.To, app+"?code=") || b.up.calls != 1 {
		t.Errorf("second sign-in: %s, %d calls", step.To, b.up.calls)
	}
	step, err = b.service.Begin(t.Context(), b.request(func(r *login.Request) { r.Prompt = "login" }), session, callback)
	b.must(err)
	if !strings.HasPrefix(step.To, b.up.URL) {
		t.Errorf("prompt=login: %s", step.To)
	}
	b.must(b.service.SignOut(t.Context(), session))
	b.must(b.service.SignOut(t.Context(), session))
	_, err = b.service.Begin(t.Context(), b.request(func(r *login.Request) { r.Prompt = "none" }), session, callback)
	if r := refusal(t, err); r.Code != login.LoginRequired {
		t.Errorf("prompt=none: %v", r)
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	for when, want := range map[tenant.Sync][2]string{ // at the first login of somebody provisioned, and at the second
		tenant.OnEachLogin:  {"Ada Byron", "Ada Byron"},
		tenant.OnFirstLogin: {"Ada Byron", "by SCIM"},
		tenant.NeverOnLogin: {"by SCIM", "by SCIM"},
	} {
		t.Run(string(when), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.sync(when)
			b.must(b.dir.Store.Update(t.Context(), func(tx directory.Tx) error {
				return b.dir.CreateConnected(tx, operator, &directory.Account{
					ID: "okta|acme|00u1", Realm: directory.Auth0Realm, Connection: "acme", Profile: map[string]any{"displayName": "by SCIM"},
					Provider: directory.Provider{Type: "okta", Name: "acme"}, Resource: map[string]any{"userName": "ada", "externalId": "00u1"},
				})
			}))
			for _, name := range want {
				b.signIn()
				if got := b.account().Text("displayName"); got != name {
					t.Errorf("name %q, want %q", got, name)
				}
				b.change(func(a *directory.Account) { a.Profile["displayName"] = "by SCIM" })
			}
			if a := b.account(); a.SignIns != 2 || a.ExternalText("userName") != "ada" {
				t.Errorf("account %+v", a)
			}
		})
	}
}

// TestBlocked makes sure that who is deactivated loses everything, and cannot
// come back in.
func TestBlocked(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	code, session := b.signIn()
	tokens, err := b.exchange(code, nil)
	b.must(err)
	unused, _ := b.signIn()
	late := b.begin(nil)
	b.change(func(a *directory.Account) { a.Status = directory.Suspended })

	if _, err := b.service.UserInfo(t.Context(), tokens.Access, issuer); err == nil {
		t.Error("the access token is still good")
	}
	if r := refusal(t, second(b.finish(late))); r.Code != login.Unauthorized || !strings.HasPrefix(r.Back, app+"?error=unauthorized") {
		t.Errorf("signing in: %v, back %s", r, r.Back)
	}
	check := func(when string) {
		t.Helper()
		if r := refusal(t, second(b.exchange(unused, nil))); r.Code != login.InvalidGrant {
			t.Errorf("%s: code: %v", when, r)
		}
		_, err := b.exchange("", func(r *login.TokenRequest) { r.Grant, r.RefreshToken = login.GrantRefresh, tokens.Refresh })
		if r := refusal(t, err); r.Code != login.InvalidGrant {
			t.Errorf("%s: refresh token: %v", when, r)
		}
		_, err = b.service.Begin(t.Context(), b.request(func(r *login.Request) { r.Prompt = "none" }), session, callback)
		if r := refusal(t, err); r.Code != login.LoginRequired {
			t.Errorf("%s: session: %v", when, r)
		}
	}
	check("blocked")
	b.change(func(a *directory.Account) { a.Status = directory.Active })
	check("unblocked")
}

func second[T any](_ T, err error) error { return err }

// TestUpstreamLies is what a provider, or somebody between, may not get through.
func TestUpstreamLies(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*upstream){
		"another nonce":          func(u *upstream) { u.nonce = "x" },
		"no nonce":               func(u *upstream) { u.claims = map[string]any{"nonce": nil} },
		"another key":            func(u *upstream) { u.key = testKeys()[1] },
		"signed with the secret": func(u *upstream) { u.alg = jose.HS256 },
		"another issuer":         func(u *upstream) { u.claims = map[string]any{"iss": "https://evil.example"} },
		"another audience":       func(u *upstream) { u.claims = map[string]any{"aud": "other"} },
		"many audiences":         func(u *upstream) { u.claims = map[string]any{"aud": []string{"up-client", "other"}} },
		"another party":          func(u *upstream) { u.claims = map[string]any{"azp": "other"} },
		"expired":                func(u *upstream) { u.claims = map[string]any{"exp": u.at.Add(-time.Second).Unix()} },
		"another token's hash":   func(u *upstream) { u.claims = map[string]any{"at_hash": "AAAA"} },
		"userinfo of another":    func(u *upstream) { u.info = map[string]any{"sub": "00u2"} },
		"nobody":                 func(u *upstream) { u.claims, u.info = map[string]any{"sub": ""}, map[string]any{"sub": ""} },
		"another challenge":      func(u *upstream) { u.challenge = "x" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			step := b.begin(nil)
			change(b.up)
			r := refusal(t, second(b.finish(step)))
			if r.Code != login.ServerError || strings.Contains(r.Back, "nonce") || strings.Contains(r.Back, b.up.URL) {
				t.Errorf("%v, back %s", r, r.Back)
			}
			if _, err := b.dir.Account(t.Context(), directory.Auth0Realm, "okta|acme|00u1"); err == nil {
				t.Error("an account was made")
			}
		})
	}
}

// TestWhereToAsk makes sure that only bound providers are at private addresses,
// and that none sends us elsewhere.
func TestWhereToAsk(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bench){
		"a private address":   func(b *bench) { b.service.Own = nil },
		"another's token URL": func(b *bench) { b.up.metadata = map[string]any{"token_endpoint": "http://127.0.0.1:1/token"} },
		"another issuer":      func(b *bench) { b.up.metadata = map[string]any{"issuer": "https://evil.example"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			change(b)
			_, err := b.service.Begin(t.Context(), b.request(nil), "", callback)
			if r := refusal(t, err); r.Code != login.ServerError {
				t.Errorf("%v", r)
			}
		})
	}
}

// TestDescribe reads what a provider says of itself, all of it.
func TestDescribe(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.metadata = map[string]any{"max_age": 7, "claims_supported": []string{"sub"}}
	said, err := b.service.Describe(t.Context(), b.up.URL+"/.well-known/openid-configuration")
	b.must(err)
	want := map[string]any{"issuer": b.up.URL, "max_age": json.Number("7"), "claims_supported": []any{"sub"}}
	for name, v := range want {
		if diff := cmp.Diff(v, said[name]); diff != "" {
			t.Errorf("%s differs:\n%s", name, diff)
		}
	}
	b.up.metadata = map[string]any{"service_documentation": strings.Repeat("x", 300<<10)}
	for name, at := range map[string]string{
		"no address": "provider", "nobody's page": b.up.URL + "/nothing", "too long": b.up.URL + "/.well-known/openid-configuration",
	} {
		if said, err := b.service.Describe(t.Context(), at); err == nil {
			t.Errorf("%s: %v, want an error", name, said)
		}
	}
	b.up.metadata = nil
	b.service.Own = nil
	if _, err := b.service.Describe(t.Context(), b.up.URL+"/.well-known/openid-configuration"); !fault.Is(err, fault.Refused) {
		t.Errorf("a private address: %v, want it refused", err)
	}
}

// TestFlow makes sure that a sign-in ends where it began.
func TestFlow(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	mine, other := b.begin(nil), b.begin(nil)
	for name, step := range map[string]login.Step{
		"no cookie":        {State: mine.State},
		"another's state":  {State: other.State, Flow: mine.Flow},
		"a changed cookie": {State: mine.State, Flow: strings.ToLower(mine.Flow)},
		"no state":         {Flow: mine.Flow},
	} {
		r := refusal(t, second(b.finish(step)))
		if r.Code != login.InvalidRequest || r.Back != "" {
			t.Errorf("%s: %v, back %q", name, r, r.Back)
		}
	}
	b.now = b.now.Add(login.FlowLife)
	if r := refusal(t, second(b.finish(other))); r.Back != "" {
		t.Errorf("too late: %v", r)
	}
	if b.up.calls != 0 {
		t.Errorf("the provider was asked %d times", b.up.calls)
	}
	if _, err := b.service.Finish(t.Context(), url.Values{"state": {mine.State}, "error": {"access_denied"}}, mine.Flow, callback, directory.Actor{}); err == nil {
		t.Error("an expired refusal passes")
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, map[string]any{"token_endpoint_auth_method": "none"})
	for name, test := range map[string]struct {
		change func(*login.Request)
		code   string
		back   bool
	}{
		"no such client":      {func(r *login.Request) { r.ClientID = "x" }, login.InvalidRequest, false},
		"no client":           {func(r *login.Request) { r.ClientID = "" }, login.InvalidRequest, false},
		"no address":          {func(r *login.Request) { r.RedirectURI = "" }, login.InvalidRequest, false},
		"another address":     {func(r *login.Request) { r.RedirectURI = app + "/x" }, login.InvalidRequest, false},
		"too long":            {func(r *login.Request) { r.State = strings.Repeat("s", 3000) }, login.InvalidRequest, false},
		"implicit":            {func(r *login.Request) { r.ResponseType = "token" }, "unsupported_response_type", true},
		"not openid":          {func(r *login.Request) { r.Scope = "profile" }, "invalid_scope", true},
		"no challenge":        {func(r *login.Request) { r.Challenge = "" }, login.InvalidRequest, true},
		"a short challenge":   {func(r *login.Request) { r.Challenge = "x" }, login.InvalidRequest, true},
		"another method":      {func(r *login.Request) { r.Method = "S512" }, login.InvalidRequest, true},
		"no such API":         {func(r *login.Request) { r.Audience = "urn:x" }, login.AccessDenied, true},
		"no such connection":  {func(r *login.Request) { r.Connection = "x" }, login.InvalidRequest, true},
		"nobody is signed in": {func(r *login.Request) { r.Prompt = "none" }, login.LoginRequired, true},
	} {
		_, err := b.service.Begin(t.Context(), b.request(test.change), "", callback)
		if r := refusal(t, err); r.Code != test.code || (r.Back != "") != test.back {
			t.Errorf("%s: %v, back %q", name, r, r.Back)
		}
	}
	b.must(b.tenant.EnableClients(t.Context(), operator, b.conn, map[string]bool{b.client: false}))
	_, err := b.service.Begin(t.Context(), b.request(nil), "", callback)
	if r := refusal(t, err); r.Text != "the connection is not enabled" {
		t.Errorf("not enabled: %v", r)
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	b := newBench(t, map[string]any{"refresh_token": map[string]any{"rotation_type": "rotating"}})
	for name, test := range map[string]struct {
		change func(*login.TokenRequest)
		code   string
	}{
		"another verifier": {func(r *login.TokenRequest) { r.Verifier = "x" }, login.InvalidGrant},
		"no verifier":      {func(r *login.TokenRequest) { r.Verifier = "" }, login.InvalidGrant},
		"another address":  {func(r *login.TokenRequest) { r.RedirectURI = "x" }, login.InvalidGrant},
		"another secret":   {func(r *login.TokenRequest) { r.ClientSecret = "x" }, login.InvalidClient},
		"no such client":   {func(r *login.TokenRequest) { r.ClientID = "x" }, login.InvalidClient},
		"no such code":     {func(r *login.TokenRequest) { r.Code = "x" }, login.InvalidGrant},
	} {
		code, _ := b.signIn()
		_, err := b.exchange(code, test.change)
		if r := refusal(t, err); r.Code != test.code {
			t.Errorf("%s: %v", name, r)
		}
	}
	late, _ := b.signIn()
	b.now = b.now.Add(time.Minute)
	if r := refusal(t, second(b.exchange(late, nil))); r.Code != login.InvalidGrant {
		t.Errorf("too late: %v", r)
	}

	code, _ := b.signIn()
	first, err := b.exchange(code, nil)
	b.must(err)
	refresh := func(token string) (login.Tokens, error) {
		return b.exchange("", func(r *login.TokenRequest) { r.Grant, r.RefreshToken = login.GrantRefresh, token })
	}
	next, err := refresh(first.Refresh)
	b.must(err)
	if next.Refresh == "" || next.Refresh == first.Refresh || next.Access == "" {
		t.Errorf("refreshed: %+v", next)
	}
	if r := refusal(t, second(refresh(first.Refresh))); r.Code != login.InvalidGrant {
		t.Errorf("used refresh token: %v", r)
	}

	// A code that comes twice has leaked: what it gave ends.
	code, _ = b.signIn()
	given, err := b.exchange(code, nil)
	b.must(err)
	if r := refusal(t, second(b.exchange(code, nil))); r.Code != login.InvalidGrant {
		t.Errorf("used code: %v", r)
	}
	if r := refusal(t, second(refresh(given.Refresh))); r.Code != login.InvalidGrant {
		t.Errorf("refresh token of a code that leaked: %v", r)
	}
}
