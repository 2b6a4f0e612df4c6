package connector_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// clock is a Clock that a test turns.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.forward(d)
	return ctx.Err()
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeOkta is an org: its authorization server and the users of its API. It
// checks what it is asked with code of its own. See okta.md 4.
type fakeOkta struct {
	t     *testing.T
	clock *clock

	// How the org is set up.
	demandsDPoP   bool
	demandsNonce  bool // of proofs at the token endpoint
	resourceNonce bool // and at the API
	secret        string
	noRefresh     bool
	grants        func(asked []string) []string // nil: as asked
	users         func(w http.ResponseWriter)
	idToken       func(claims map[string]any) // spoils an ID token
	tokenType     string                      // instead of the right one

	mu        sync.Mutex
	key       *ecdsa.PrivateKey
	signIns   map[string]url.Values // by code
	refresh   map[string]issued     // by refresh token, single use
	access    map[string]issued
	proofs    map[string]bool // jti of proofs
	refreshes int
	count     int
	nonce     string
}

type issued struct {
	client, thumbprint string
	scopes             []string
	expires            time.Time
}

const oktaClient = "0oaClient"

func newFakeOkta(t *testing.T) *fakeOkta {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeOkta{
		t: t, clock: newClock(), key: key, nonce: "nonce-1", signIns: map[string]url.Values{}, refresh: map[string]issued{},
		access: map[string]issued{}, proofs: map[string]bool{},
	}
}

// authorize is what a person and their browser do: it returns what they are sent
// back with.
func (f *fakeOkta) authorize(signIn string) url.Values {
	f.t.Helper()
	u, err := url.Parse(signIn)
	if err != nil || u.Scheme+"://"+u.Host+u.Path != oktaURL+"/oauth2/v1/authorize" {
		f.t.Fatalf("the sign-in is at %s, %v", signIn, err)
	}
	q := u.Query()
	for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge"} {
		if q.Get(name) == "" {
			f.t.Errorf("the sign-in has no %s: %s", name, signIn)
		}
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		f.t.Errorf("the sign-in is %s", signIn)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	code := fmt.Sprintf("code-%d", f.count)
	f.signIns[code] = q
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func (f *fakeOkta) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.URL.Path {
	case "/oauth2/v1/token":
		f.token(w, r)
	case "/api/v1/users/me", "/api/v1/users":
		f.api(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, code, text)
}

func (f *fakeOkta) token(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	form, err := url.ParseQuery(string(data))
	if err != nil || r.Method != http.MethodPost {
		refuse(w, 400, "invalid_request", "no form")
		return
	}
	thumbprint := ""
	if f.demandsDPoP {
		proof := r.Header.Get("DPoP")
		claims, print, why := f.proof(proof, "POST", oktaURL+"/oauth2/v1/token", "")
		if why != "" {
			refuse(w, 400, "invalid_dpop_proof", why)
			return
		}
		w.Header().Set("DPoP-Nonce", f.nonce)
		if f.demandsNonce && claims["nonce"] != f.nonce {
			refuse(w, 400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.")
			return
		}
		thumbprint = print
	}
	if f.secret != "" && form.Get("client_secret") != f.secret {
		refuse(w, 401, "invalid_client", "The client secret supplied for a confidential client is invalid.")
		return
	}
	var got issued
	switch form.Get("grant_type") {
	case "authorization_code":
		asked, ok := f.signIns[form.Get("code")]
		delete(f.signIns, form.Get("code"))
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("redirect_uri") != form.Get("redirect_uri") {
			refuse(w, 400, "invalid_grant", "PKCE verification failed.")
			return
		}
		got = issued{client: form.Get("client_id"), scopes: strings.Fields(asked.Get("scope"))}
		f.issue(w, got, thumbprint, asked.Get("nonce"))
	case "refresh_token":
		f.refreshes++
		got, ok := f.refresh[form.Get("refresh_token")]
		delete(f.refresh, form.Get("refresh_token"))
		if !ok || got.client != form.Get("client_id") || got.thumbprint != thumbprint {
			refuse(w, 400, "invalid_grant", "The refresh token is invalid or expired.")
			return
		}
		f.issue(w, got, thumbprint, "")
	case "client_credentials":
		if f.proofs[form.Get("client_assertion")] || form.Get("client_assertion") == "" {
			refuse(w, 401, "invalid_client", "The client_assertion has been used before.")
			return
		}
		f.proofs[form.Get("client_assertion")] = true
		got = issued{client: oktaClient, scopes: strings.Fields(form.Get("scope"))}
		if slices.Contains(got.scopes, "okta.ungranted.read") {
			refuse(w, 400, "invalid_scope", "One or more scopes are not configured for the authorization server resource.")
			return
		}
		f.issue(w, got, thumbprint, "")
	default:
		refuse(w, 400, "unsupported_grant_type", form.Get("grant_type"))
	}
}

// issue answers with tokens.
func (f *fakeOkta) issue(w http.ResponseWriter, got issued, thumbprint, nonce string) {
	f.count++
	now := f.clock.Now()
	scopes := got.scopes
	if f.grants != nil {
		scopes = f.grants(scopes)
	}
	got.thumbprint, got.expires = thumbprint, now.Add(time.Hour)
	access := f.sign(map[string]any{"sub": "ada@example.com", "scp": scopes, "jti": f.count, "exp": got.expires.Unix()})
	answer := map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": access, "scope": strings.Join(scopes, " ")}
	if thumbprint != "" {
		answer["token_type"] = "DPoP"
	}
	if f.tokenType != "" {
		answer["token_type"] = f.tokenType
	}
	f.access[access] = issued{client: got.client, thumbprint: thumbprint, scopes: scopes, expires: got.expires}
	if slices.Contains(got.scopes, "offline_access") && !f.noRefresh {
		refresh := fmt.Sprintf("refresh-token-%d", f.count)
		f.refresh[refresh] = got
		answer["refresh_token"] = refresh
	}
	if slices.Contains(got.scopes, "openid") && nonce != "" {
		claims := map[string]any{
			"iss": oktaURL, "aud": got.client, "sub": "00u1", "preferred_username": "ada@example.com", "nonce": nonce,
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}
		if f.idToken != nil {
			f.idToken(claims)
		}
		answer["id_token"] = f.sign(claims)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fakeOkta) sign(claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: f.key}, nil)
	if err != nil {
		f.t.Error(err)
		return ""
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		f.t.Error(err)
	}
	return text
}

func (f *fakeOkta) api(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, ok := f.access[token]
	deny := func(why string) {
		w.Header().Set("WWW-Authenticate", scheme+` error="invalid_token", error_description="`+why+`"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
	switch {
	case !ok || f.clock.Now().After(got.expires):
		deny("unknown or ended")
		return
	case got.thumbprint == "" && scheme != "Bearer", got.thumbprint != "" && scheme != "DPoP":
		deny("wrong scheme " + scheme)
		return
	case got.thumbprint != "":
		claims, print, why := f.proof(r.Header.Get("DPoP"), r.Method, oktaURL+r.URL.Path, token)
		if why != "" || print != got.thumbprint {
			f.t.Errorf("a proof at the API is wrong: %s, key %s of %s", why, print, got.thumbprint)
			deny("proof")
			return
		}
		if f.resourceNonce && claims["nonce"] != f.nonce {
			w.Header().Set("DPoP-Nonce", f.nonce)
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	if f.users != nil {
		f.users(w)
		return
	}
	io.WriteString(w, `{"id":"00u1","profile":{"login":"ada@example.com"}}`)
}

// proof verifies a proof of possession by RFC 9449 4.3, without a library.
func (f *fakeOkta) proof(text, method, target, access string) (claims map[string]any, thumbprint, why string) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, "", "The DPoP proof JWT header is missing."
	}
	var header struct {
		Typ, Alg string
		JWK      map[string]string
	}
	if !decodePart(parts[0], &header) || header.Typ != "dpop+jwt" || header.Alg != "ES256" {
		return nil, "", "its header is wrong"
	}
	if header.JWK["d"] != "" || header.JWK["kty"] != "EC" || header.JWK["crv"] != "P-256" {
		return nil, "", "its key is wrong"
	}
	x, _ := base64.RawURLEncoding.DecodeString(header.JWK["x"])
	y, _ := base64.RawURLEncoding.DecodeString(header.JWK["y"])
	sig, _ := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, "", "its key is no point"
	}
	if len(sig) != 64 || !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return nil, "", "its signature is wrong"
	}
	if !decodePart(parts[1], &claims) {
		return nil, "", "its claims do not read"
	}
	ath := ""
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		ath = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	jti, _ := claims["jti"].(string)
	iat, _ := claims["iat"].(float64)
	hash, _ := claims["ath"].(string)
	age := f.clock.Now().Sub(time.Unix(int64(iat), 0))
	switch {
	case claims["htm"] != method:
		why = "htm"
	case claims["htu"] != target:
		why = "htu"
	case jti == "" || f.proofs[jti]:
		why = "The DPoP proof JWT has already been used."
	case age < -2*time.Second || age > 5*time.Minute:
		why = "iat"
	case hash != ath:
		why = "ath"
	}
	f.proofs[jti] = true
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, header.JWK["x"], header.JWK["y"])) // RFC 7638
	return claims, base64.RawURLEncoding.EncodeToString(sum[:]), why
}

func decodePart(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

// org is a bench with a connection me to the fake org, and a vault.
type org struct {
	*bench
	okta  *fakeOkta
	vault *secret.FileVault
}

func newOrg(t *testing.T, auth config.Auth, setUp func(*fakeOkta)) *org {
	okta := newFakeOkta(t)
	if setUp != nil {
		setUp(okta)
	}
	o := &org{okta: okta, vault: &secret.FileVault{Dir: t.TempDir()}}
	o.bench = o.process(t, auth)
	return o
}

// process is one of several processes that share the vault.
func (o *org) process(t *testing.T, auth config.Auth) *bench {
	return newBench(t, map[string]config.Connection{"me": {Server: oktaURL, Auth: auth}}, map[string]http.Handler{oktaURL: o.okta}, func(c *connector.Options) {
		c.Vault, c.Clock, c.Secrets.Vault = o.vault, o.okta.clock, o.vault
	})
}

var person = config.Auth{Type: config.AuthAuthorizationCode, ClientID: oktaClient}

func dpop(a config.Auth) config.Auth { a.DPoP = true; return a }

// signIn signs in and fails the test when that fails.
func (o *org) signIn(scopes ...string) (*connector.Connection, connector.Granted) {
	o.t.Helper()
	conn := o.bind("me")
	s, err := o.SignIn(o.t.Context(), conn, "http://127.0.0.1:1/callback", scopes)
	if err != nil {
		o.t.Fatal(err)
	}
	granted, err := s.Finish(o.t.Context(), o.okta.authorize(s.URL))
	if err != nil {
		o.t.Fatal(err)
	}
	return conn, granted
}

func wantStatus(t *testing.T, x connector.Exchange, status int) {
	t.Helper()
	if x.Err != nil || x.Response.Status != status {
		t.Errorf("the call gave %d, %v, %v, want %d", x.Response.Status, x.Err, x.Denied, status)
	}
}

var usersMe = call("GET", "/api/v1/users/me")

func TestSignIn(t *testing.T) {
	usual := "openid okta.users.read okta.users.manage okta.groups.read okta.groups.manage offline_access"
	withSecret := person
	withSecret.ClientSecret = "env:SECRET"
	for _, tt := range []struct {
		name   string
		auth   config.Auth
		scopes []string
		setUp  func(*fakeOkta)
		want   string // scopes
	}{
		{"public client", person, nil, nil, usual},
		{"chosen scopes", person, []string{"openid", "okta.users.read"}, nil, "openid okta.users.read"},
		{"client secret", withSecret, nil, func(f *fakeOkta) { f.secret = environment["SECRET"] }, usual},
		{"no name in the ID token", person, nil, func(f *fakeOkta) {
			f.idToken = func(claims map[string]any) { delete(claims, "preferred_username") }
		}, usual},
		{"DPoP", dpop(person), nil, func(f *fakeOkta) { f.demandsDPoP = true }, usual},
		{"DPoP with nonces", dpop(person), nil, func(f *fakeOkta) { f.demandsDPoP, f.demandsNonce, f.resourceNonce = true, true, true }, usual},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrg(t, tt.auth, tt.setUp)
			conn, granted := o.signIn(tt.scopes...)
			want := strings.Fields(tt.want)
			slices.Sort(want)
			if granted.Identity != "ada@example.com" || !slices.Equal(granted.Scopes, want) || granted.Renewable != strings.Contains(tt.want, "offline") {
				t.Errorf("granted %+v, want %v", granted, want)
			}
			wantStatus(t, o.do(conn, usersMe), 200)
			wantStatus(t, o.do(conn, call("GET", "/api/v1/users")), 200)
			if conn.Identity() != "ada@example.com" {
				t.Errorf("the identity is %q", conn.Identity())
			}
			// Another process finds all it needs in the vault.
			again := o.process(t, tt.auth)
			wantStatus(t, again.do(again.bind("me"), usersMe), 200)
			if len(conn.Secrets()) == 0 || o.okta.refreshes != 0 {
				t.Errorf("%d secrets to mask, %d refreshes", len(conn.Secrets()), o.okta.refreshes)
			}
		})
	}
}

func TestSignInThatMustNotEnd(t *testing.T) {
	spoil := func(name string, v any) func(*fakeOkta) {
		return func(f *fakeOkta) { f.idToken = func(claims map[string]any) { claims[name] = v } }
	}
	for _, tt := range []struct {
		name  string
		back  func(url.Values)
		setUp func(*fakeOkta)
		kind  fault.Kind
		want  string
	}{
		{"other state", func(v url.Values) { v.Set("state", "x") }, nil, fault.Refused, "state"},
		{"no state", func(v url.Values) { v.Del("state") }, nil, fault.Refused, "state"},
		{"refused", func(v url.Values) {
			v.Set("error", "access_denied")
			v.Set("error_description", "User is not\nassigned")
		}, nil, fault.Unauthorized, "access_denied: User is not assigned"},
		{"no code", func(v url.Values) { v.Del("code") }, nil, fault.Invalid, "no code"},
		{"other server", func(v url.Values) { v.Set("iss", "https://evil.example.com") }, nil, fault.Refused, "another server"},
		{"other code", func(v url.Values) { v.Set("code", "x") }, nil, fault.Unauthorized, "invalid_grant"},
		{"nonce", nil, spoil("nonce", "x"), fault.Refused, "nonce"},
		{"audience", nil, spoil("aud", "x"), fault.Refused, "another application"},
		{"issuer", nil, spoil("iss", "https://evil.example.com"), fault.Refused, "another server"},
		{"old", nil, spoil("exp", 1), fault.Refused, "ended"},
		{"bearer", nil, func(f *fakeOkta) { f.tokenType = "DPoP" }, fault.Unsupported, "dpop: true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrg(t, person, tt.setUp)
			conn := o.bind("me")
			s, err := o.SignIn(t.Context(), conn, "http://127.0.0.1:1/callback", nil)
			if err != nil {
				t.Fatal(err)
			}
			back := o.okta.authorize(s.URL)
			if tt.back != nil {
				tt.back(back)
			}
			_, err = s.Finish(t.Context(), back)
			if !fault.Is(err, tt.kind) || !strings.Contains(fault.Public(err), tt.want) {
				t.Errorf("Finish = %v, want %v with %q", err, tt.kind, tt.want)
			}
			if x := o.do(conn, usersMe); x.Sent || !fault.Is(x.Err, fault.Unauthorized) || !strings.Contains(fault.Public(x.Err), "lanyard connections authorize me") {
				t.Errorf("afterwards a call gives %+v", x.Err)
			}
		})
	}
}

func TestNobodySignsIn(t *testing.T) {
	b := newBench(t, map[string]config.Connection{"okta": ssws}, nil, func(o *connector.Options) { o.Vault = &secret.FileVault{Dir: t.TempDir()} })
	if _, err := b.SignIn(t.Context(), b.bind("okta"), "x", nil); !fault.Is(err, fault.Usage) || !strings.Contains(fault.Public(err), "ssws") {
		t.Errorf("signing in to an API token = %v", err)
	}
	b = newBench(t, map[string]config.Connection{"me": {Server: oktaURL, Auth: person}}, nil)
	if _, err := b.SignIn(t.Context(), b.bind("me"), "x", nil); !fault.Is(err, fault.Usage) {
		t.Errorf("signing in without a vault = %v", err)
	}
	if x := b.do(b.bind("me"), usersMe); !fault.Is(x.Err, fault.Unauthorized) {
		t.Errorf("calling without a vault = %v", x.Err)
	}
}

func TestRefresh(t *testing.T) {
	for _, auth := range []config.Auth{person, dpop(person)} {
		t.Run(fmt.Sprintf("dpop=%t", auth.DPoP), func(t *testing.T) {
			o := newOrg(t, auth, func(f *fakeOkta) { f.demandsDPoP = auth.DPoP })
			conn, _ := o.signIn()
			for round := 1; round <= 3; round++ { // each refresh token works once
				o.okta.clock.forward(2 * time.Hour)
				wantStatus(t, o.do(conn, usersMe), 200)
				if o.okta.refreshes != round {
					t.Errorf("%d refreshes after %d hours", o.okta.refreshes, 2*round)
				}
			}
			// A process that starts anew goes on with the last one.
			o.okta.clock.forward(2 * time.Hour)
			again := o.process(t, auth)
			wantStatus(t, again.do(again.bind("me"), usersMe), 200)
		})
	}
}

// Processes that share a vault exchange a refresh token once between them.
func TestRefreshAtOnce(t *testing.T) {
	o := newOrg(t, person, nil)
	o.signIn()
	o.okta.clock.forward(2 * time.Hour)
	var wg sync.WaitGroup
	for range 6 {
		b := o.process(t, person)
		conn := b.bind("me")
		wg.Go(func() {
			if x := b.Do(t.Context(), conn, usersMe); x.Response.Status != 200 {
				t.Errorf("a call gave %d, %v", x.Response.Status, x.Err)
			}
		})
	}
	wg.Wait()
	if o.okta.refreshes != 1 {
		t.Errorf("%d refreshes by six processes, want one", o.okta.refreshes)
	}
}

// A process that runs on finds out that somebody signed in anew, and that the
// connection was made anew with another key.
func TestSignedInMeanwhile(t *testing.T) {
	auth := dpop(person)
	o := newOrg(t, auth, func(f *fakeOkta) { f.demandsDPoP = true })
	o.signIn()
	serving := o.process(t, auth)
	conn := serving.bind("me")
	wantStatus(t, serving.do(conn, usersMe), 200)
	for _, field := range []string{"tokens", "dpop"} {
		if err := o.vault.Delete(t.Context(), connector.VaultName("me", field)); err != nil {
			t.Fatal(err)
		}
	}
	if err := serving.Open(t.Context(), conn); !fault.Is(err, fault.Unauthorized) || !strings.Contains(fault.Public(err), "authorize me") {
		t.Errorf("opening a connection that nobody is signed in to = %v", err)
	}
	again := &org{bench: o.process(t, auth), okta: o.okta, vault: o.vault}
	clear(o.okta.access)
	again.signIn("openid", "okta.users.read", "offline_access")
	if err := serving.Open(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	x := serving.do(conn, usersMe)
	wantStatus(t, x, 200)
	if len(x.Attempts) != 1 || o.okta.refreshes != 0 {
		t.Errorf("%d attempts and %d refreshes, want the new token at once", len(x.Attempts), o.okta.refreshes)
	}
}

func TestTokenIsRefused(t *testing.T) {
	o := newOrg(t, person, nil)
	conn, _ := o.signIn()
	wantStatus(t, o.do(conn, usersMe), 200)
	clear(o.okta.access) // all access tokens are revoked
	x := o.do(conn, usersMe)
	wantStatus(t, x, 200)
	if len(x.Attempts) != 2 || o.okta.refreshes != 1 {
		t.Errorf("%d attempts, %d refreshes, want a new token and another attempt", len(x.Attempts), o.okta.refreshes)
	}
}

func TestRefreshTokenIsLost(t *testing.T) {
	o := newOrg(t, person, nil)
	conn, _ := o.signIn()
	clear(o.okta.refresh)
	o.okta.clock.forward(2 * time.Hour)
	x := o.do(conn, usersMe)
	want := "the refresh token of connection me is not accepted any more; sign in again: lanyard connections authorize me"
	if x.Sent || fault.Public(x.Err) != want || !fault.Is(x.Err, fault.Unauthorized) {
		t.Errorf("the call gave %q, want %q", fault.Public(x.Err), want)
	}
	if r := o.Probe(t.Context(), conn); r.State != connector.Broken || !strings.Contains(r.Remedy, "authorize me") {
		t.Errorf("Probe = %+v", r)
	}

	o = newOrg(t, person, func(f *fakeOkta) { f.noRefresh = true })
	conn, granted := o.signIn()
	if granted.Renewable {
		t.Error("without a refresh token the connection counts as renewable")
	}
	if r := o.Probe(t.Context(), conn); r.State != connector.Expiring || r.Expires.IsZero() || !r.OK {
		t.Errorf("Probe = %+v, want expiring", r)
	}
	o.okta.clock.forward(2 * time.Hour)
	if x := o.do(conn, usersMe); !strings.Contains(fault.Public(x.Err), "no refresh token") {
		t.Errorf("the call gave %v", x.Err)
	}
}

// A service app proves possession too, and takes no token that is not bound.
func TestServiceAppWithDPoP(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	service := config.Auth{Type: config.AuthPrivateKeyJWT, ClientID: oktaClient, PrivateKey: "vault:key", Scopes: []string{"okta.users.read"}, DPoP: true}
	start := func(setUp func(*fakeOkta)) *org {
		o := newOrg(t, service, setUp)
		if err := o.vault.Put(t.Context(), "key", secret.NewValue(string(text))); err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := start(func(f *fakeOkta) { f.demandsDPoP, f.demandsNonce, f.resourceNonce = true, true, true })
	conn := o.bind("me")
	for range 3 {
		wantStatus(t, o.do(conn, usersMe), 200)
	}
	if n := len(o.okta.access); n != 1 {
		t.Errorf("%d tokens were fetched for three calls", n)
	}
	o.okta.nonce = "nonce-2" // it changes every day
	x := o.do(conn, usersMe)
	wantStatus(t, x, 200)
	if len(x.Attempts) != 2 || len(o.okta.access) != 1 {
		t.Errorf("%d attempts, %d tokens for a new nonce, want two and the same token", len(x.Attempts), len(o.okta.access))
	}
	if shown := fmt.Sprintf("%+v", x.Request); strings.Contains(shown, "eyJ") || x.Request.Header.Get("Authorization") != "DPoP [masked]" {
		t.Errorf("the record has %s", shown)
	}

	o = start(func(f *fakeOkta) { f.demandsDPoP, f.tokenType = true, "Bearer" })
	if x := o.do(o.bind("me"), usersMe); x.Sent || !fault.Is(x.Err, fault.Unsupported) {
		t.Errorf("a token that is not bound = %v, want it refused", x.Err)
	}
	if err := o.vault.Put(t.Context(), connector.VaultName("me", "dpop"), secret.NewValue("{}")); err != nil {
		t.Fatal(err)
	}
	b := o.process(t, service)
	if x := b.do(b.bind("me"), usersMe); !fault.Is(x.Err, fault.Invalid) {
		t.Errorf("a damaged key = %v", x.Err)
	}
}

// TestStates holds the marks to what the org really says.
func TestStates(t *testing.T) {
	answer := func(status int, body string) func(*fakeOkta) {
		return func(f *fakeOkta) {
			f.users = func(w http.ResponseWriter) { w.WriteHeader(status); io.WriteString(w, body) }
		}
	}
	const denied = `{"errorCode":"E0000006","errorSummary":"You do not have permission to perform the requested action"}`
	without := func(scope string, then func(*fakeOkta)) func(*fakeOkta) {
		return func(f *fakeOkta) {
			f.grants = func(asked []string) []string {
				return slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return strings.HasPrefix(s, scope) })
			}
			if then != nil {
				then(f)
			}
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	service := func(scopes ...string) config.Auth {
		return config.Auth{Type: config.AuthPrivateKeyJWT, ClientID: oktaClient, PrivateKey: "vault:key", Scopes: scopes}
	}
	for _, tt := range []struct {
		name  string
		auth  config.Auth
		setUp func(*fakeOkta)
		state string
		text  string // in message or remedy
	}{
		{"person", person, nil, connector.Connected, "accepts"},
		{"person without role", person, answer(403, denied), connector.RoleMissing, "admin role"},
		{"person without the scope", person, without("okta.users", answer(403, denied)), connector.MissingScopes, "okta.users.read"},
		{"person with fewer scopes", person, without("okta.groups", nil), connector.Connected, "accepts"},
		{"service app", service("okta.users.read"), answer(200, `[{"id":"00u1"}]`), connector.Connected, "accepts"},
		{"service app, manage includes read", service("okta.users.manage"), answer(403, denied), connector.RoleMissing, "admin role"},
		{"service app without role", service("okta.users.read"), answer(200, `[]`), connector.RoleMissing, "sees nobody"},
		{"service app, forbidden", service("okta.users.read"), answer(403, denied), connector.RoleMissing, "admin role"},
		{"service app without the scope", service("okta.groups.read"), answer(403, denied), connector.MissingScopes, "okta.users.read"},
		{"service app, scope not granted", service("okta.ungranted.read"), nil, connector.MissingScopes, "invalid_scope"},
		{"service app with fewer scopes", service("okta.users.read", "okta.groups.manage"), without("okta.groups", nil), connector.MissingScopes, "okta.groups.manage"},
		{"token refused", service("okta.users.read"), answer(401, `{}`), connector.Broken, ""},
		{"not an org", service("okta.users.read"), answer(404, `{}`), connector.Broken, "does not answer as an Okta org"},
		{"proof demanded", service("okta.users.read"), func(f *fakeOkta) { f.demandsDPoP = true }, connector.Broken, "dpop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrg(t, tt.auth, tt.setUp)
			if err := o.vault.Put(t.Context(), "key", secret.NewValue(string(jwk))); err != nil {
				t.Fatal(err)
			}
			conn := o.bind("me")
			if tt.auth.Type == config.AuthAuthorizationCode {
				o.signIn()
			}
			r := o.Probe(t.Context(), conn)
			if r.State != tt.state || !strings.Contains(r.Message+r.Remedy, tt.text) {
				t.Errorf("Probe = %+v, want %s with %q", r, tt.state, tt.text)
			}
			if r.OK != (r.State == connector.Connected || r.State == connector.Expiring) || r.OK == (r.Err != nil) {
				t.Errorf("Probe contradicts itself: %+v", r)
			}
			if !r.OK && r.Remedy == "" {
				t.Errorf("there is no remedy: %+v", r)
			}
		})
	}
}

func TestBearerTokenTellsItsEnd(t *testing.T) {
	okta := newFakeOkta(t)
	for name, tt := range map[string]struct {
		life  time.Duration
		state string
	}{"soon": {time.Hour, connector.Expiring}, "late": {1000 * time.Hour, connector.Connected}} {
		token := okta.sign(map[string]any{"sub": "svc", "scp": []string{"okta.users.read"}, "exp": time.Now().Add(tt.life).Unix()})
		b := newBench(t, map[string]config.Connection{"okta": {Server: oktaURL, Auth: config.Auth{Type: "bearer", Token: "env:T"}}}, map[string]http.Handler{
			oktaURL: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"id":"00u1"}`) }),
		}, func(o *connector.Options) {
			o.Secrets = &secret.Resolver{Env: func(string) (string, bool) { return token, true }}
		})
		conn := b.bind("okta")
		if r := b.Probe(t.Context(), conn); r.State != tt.state || r.Identity != "svc" {
			t.Errorf("%s: Probe = %+v, want %s", name, r, tt.state)
		}
	}
}

func TestLoopback(t *testing.T) {
	l, err := connector.ListenLoopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	get := func(query string) int {
		res, err := http.Get(l.URI + query)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if code := get("?state=right"); code != http.StatusBadRequest {
		t.Errorf("before anybody waits: %d", code)
	}
	go func() {
		if code := get("?state=wrong&code=1"); code != http.StatusBadRequest {
			t.Errorf("another state: %d", code)
		}
		for get("?state=right&code=2") != http.StatusOK { // until somebody waits
		}
	}()
	back, err := l.Wait(t.Context(), func(v url.Values) bool { return v.Get("state") == "right" })
	if err != nil || back.Get("code") != "2" {
		t.Errorf("Wait = %v, %v", back, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Wait(ctx, func(url.Values) bool { return false }); err == nil {
		t.Error("Wait outlives its context")
	}
	u, _ := url.Parse(l.URI)
	if _, err := connector.ListenLoopback(t.Context(), atoi(u.Port())); !fault.Is(err, fault.Usage) {
		t.Errorf("a port that is taken = %v", err)
	}
}

func atoi(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

func TestBookOfConnections(t *testing.T) {
	added := func(c config.Connection) config.Added { return config.Added{Connection: c} }
	book := &config.Book{
		Connections: map[string]config.Added{
			"prod":  added(config.Connection{Provider: "okta", Server: "https://id.example.com", Auth: config.Auth{Type: "ssws", Token: "env:TOKEN"}}),
			"file":  added(config.Connection{Server: "https://hidden.okta.com"}),
			"wrong": added(config.Connection{Provider: "octa", Server: "https://id.example.com"}),
		},
		Marks: map[string]config.Mark{"prod": {Identity: "svc@example.com"}},
	}
	b := newBench(t, map[string]config.Connection{"file": ssws}, nil, func(o *connector.Options) { o.Book = book })
	for name, want := range map[string]string{"prod": connector.ByCommand, "file": connector.ByConfig, "none": ""} {
		if got := b.From(name); got != want {
			t.Errorf("From(%s) = %q, want %q", name, got, want)
		}
	}
	conn := b.bind("oktaApi") // the only connection of the provider
	if conn.Name != "prod" || conn.BoundBy != connector.ByCommand || conn.Entry == nil || conn.Identity() != "svc@example.com" {
		t.Errorf("bound to %s by %s as %q", conn.Name, conn.BoundBy, conn.Identity())
	}
	if conn := b.bind("file"); conn.Server != oktaURL || conn.BoundBy != connector.ByConfig {
		t.Errorf("the file does not win: %s", conn.Server)
	}
	if _, err := b.Bind(connector.Source{Name: "wrong"}, noChoices); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), "auth0, lanyard, okta") {
		t.Errorf("an unknown provider = %v", err)
	}
	book.Connections["test"] = book.Connections["prod"]
	b.Use(book)
	if conn, err := b.Bind(connector.Source{Name: "oktaApi"}, noChoices); err == nil {
		t.Errorf("one of two was chosen: %s", conn.Name)
	}
	b.Use(nil)
	if names := b.Names(); !slices.Equal(names, []string{"file"}) {
		t.Errorf("without a book there are %v", names)
	}
}

var noChoices run.Bindings
