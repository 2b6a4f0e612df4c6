package okta_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// testKey is one RSA key for all tests: to make one takes longer than they do.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// authBench is a bench with an authorization server. Roles are by id of the
// account or the client.
type authBench struct {
	*bench
	oauth *oauth.Server
	roles map[string][]string
	jti   int
}

func newAuth(t *testing.T) *authBench {
	t.Helper()
	b := &authBench{bench: newDirectory(t), roles: map[string][]string{directory.Administrator: {"SUPER_ADMIN"}}}
	if err := directory.Seed(context.Background(), b.dir); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	b.start()
	return b
}

// start makes the servers anew over the same store, as a restart does.
func (b *authBench) start() {
	b.t.Helper()
	key, err := secret.NewKey(make([]byte, 32))
	if err != nil {
		b.t.Fatal(err)
	}
	b.oauth = &oauth.Server{
		Directory: b.dir, Realm: directory.OktaRealm, Key: key, Began: b.clock.Now(),
		Clients:     oauth.Applications{Directory: b.dir, Realm: directory.OktaRealm},
		Roles:       func(_ context.Context, id string) ([]string, error) { return b.roles[id], nil },
		SignIn:      b.signIn,
		GenerateKey: func() (*rsa.PrivateKey, error) { return testKey(), nil },
	}
	b.serve(func(o *okta.Options) {
		o.OAuth = b.oauth
		o.Authorizer = okta.Authorization(b.oauth, okta.Tokens(map[string]string{"good": directory.Administrator}))
	})
}

// signIn knows the passwords that the bench's directory hashes in the clear.
func (b *authBench) signIn(ctx context.Context, _ directory.Actor, login, password string) (a *directory.Account, err error) {
	err = b.dir.Store.View(ctx, func(r directory.Reader) error {
		if a, err = r.AccountByKey(directory.OktaRealm, directory.LoginKey(login)); err != nil {
			return err
		}
		s, err := r.Secret(directory.OktaRealm, a.ID)
		if err == nil && s.Password != "hashed:"+password {
			return fault.New(fault.Unauthorized, "wrong")
		}
		return err
	})
	if err != nil {
		return nil, fault.Wrap(fault.Unauthorized, err, "wrong")
	}
	return a, nil
}

// person makes a user who can sign in, and returns the id.
func (b *authBench) person() string {
	return b.user(annWithPassword, "?activate=true")
}

const annsLogin, annsPassword = "ann@example.com", "Sesame4you"

// app makes an application from its settings and credentials for OAuth, grants
// it scopes and returns its client id and secret.
func (b *authBench) app(settings, credentials string, scopes ...string) (id, secretText string) {
	b.t.Helper()
	a := b.ok(200, "POST", "/api/v1/apps", fmt.Sprintf(
		`{"name":"oidc_client","label":"App %d","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":%s},"settings":{"oauthClient":%s}}`,
		b.clock.Now().UnixNano(), credentials, settings))
	o := a.object(b.t)
	client := o["credentials"].(map[string]any)["oauthClient"].(map[string]any)
	for _, scope := range scopes {
		b.ok(201, "POST", "/api/v1/apps/"+o["id"].(string)+"/grants", `{"scopeId":"`+scope+`","issuer":"`+org+`"}`)
	}
	secretText, _ = client["client_secret"].(string)
	return client["client_id"].(string), secretText
}

// service makes a service app with the test's key.
func (b *authBench) service(extra string, scopes ...string) string {
	b.t.Helper()
	id, _ := b.app(`{"application_type":"service","grant_types":["client_credentials"],"jwks":{"keys":[`+publicJWK(testKey(), "k1", "")+`]}`+extra+`}`,
		`{"token_endpoint_auth_method":"private_key_jwt"}`, scopes...)
	return id
}

func publicJWK(key crypto.Signer, kid, use string) string {
	b, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: use})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// jwt signs claims. header may override what the header says.
func jwt(t *testing.T, key any, alg jose.SignatureAlgorithm, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	maps.Copy(options.ExtraHeaders, header)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claims are those of a good assertion of a client; change may spoil them. A
// nil value removes a claim.
func (b *authBench) claims(client string, change map[string]any) map[string]any {
	b.jti++
	now := b.clock.Now()
	out := map[string]any{
		"iss": client, "sub": client, "aud": org + "/oauth2/v1/token", "jti": fmt.Sprint("jti", b.jti),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for name, v := range change {
		if v == nil {
			delete(out, name)
			continue
		}
		out[name] = v
	}
	return out
}

// assertion is a good assertion of a client.
func (b *authBench) assertion(client string) string {
	return jwt(b.t, testKey(), jose.RS256, map[jose.HeaderKey]any{"kid": "k1"}, b.claims(client, nil))
}

// post sends a form to an endpoint of the authorization server.
func (b *authBench) post(path string, form url.Values, headers ...string) answer {
	b.t.Helper()
	headers = append([]string{"Authorization", "", "Content-Type", "application/x-www-form-urlencoded"}, headers...)
	return b.call("POST", path, form.Encode(), headers...)
}

const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func serviceForm(assertion, scope string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope}, "client_assertion_type": {jwtBearer}, "client_assertion": {assertion},
	}
}

// serviceToken gets an access token for a service app.
func (b *authBench) serviceToken(client, scope string) string {
	b.t.Helper()
	a := b.post("/oauth2/v1/token", serviceForm(b.assertion(client), scope))
	if a.status != 200 {
		b.t.Fatalf("token: %d %s", a.status, a.body)
	}
	return a.object(b.t)["access_token"].(string)
}

// proofKey is the key of a client that proves possession.
type proofKey struct{ key *ecdsa.PrivateKey }

func newProofKey(t *testing.T) proofKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return proofKey{key}
}

// proof is a good proof; change may spoil it as in claims.
func (b *authBench) proof(k proofKey, method, target, token, nonce string, change map[string]any) string {
	b.t.Helper()
	b.jti++
	claims := map[string]any{"htm": method, "htu": target, "jti": fmt.Sprint("proof", b.jti), "iat": b.clock.Now().Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for name, v := range change {
		if v == nil {
			delete(claims, name)
			continue
		}
		claims[name] = v
	}
	return jwt(b.t, k.key, jose.ES256, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: k.key.Public()}}, claims)
}

// browser is a browser without scripts: it keeps cookies and does not follow.
type browser struct {
	b       *authBench
	cookies map[string]string
}

func (b *authBench) browser() *browser { return &browser{b, map[string]string{}} }

func (w *browser) send(method, path, body string) answer {
	w.b.t.Helper()
	w.b.clock.Step(time.Second)
	r := httptest.NewRequest(method, org+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	w.b.api.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || !c.Secure {
			w.b.t.Errorf("the cookie %s is not HttpOnly, Secure and SameSite=Lax", c.Name)
		}
		if c.MaxAge < 0 {
			delete(w.cookies, c.Name)
			continue
		}
		w.cookies[c.Name] = c.Value
	}
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

func (w *browser) get(path string, q url.Values) answer {
	w.b.t.Helper()
	return w.send("GET", path+"?"+q.Encode(), "")
}

// form returns the sealed form of a page.
func (a answer) form(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, `name="form" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	if !ok || value == "" {
		t.Fatalf("the page has no form: %d %s", a.status, a.body)
	}
	return value
}

// location returns the query of where an answer sends the browser.
func (a answer) location(t *testing.T, prefix string) url.Values {
	t.Helper()
	to := a.header.Get("Location")
	if a.status != 303 || !strings.HasPrefix(to, prefix) {
		t.Fatalf("the browser is not sent to %s: %d %q %s", prefix, a.status, to, a.body)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	if u.Fragment != "" {
		q, _ := url.ParseQuery(u.Fragment)
		return q
	}
	return u.Query()
}

const callback = "http://127.0.0.1:9999/callback"

// verifier and its challenge (RFC 7636, appendix B).
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// authorizeQuery is a good authorization request.
func authorizeQuery(client, scope string, change ...string) url.Values {
	q := url.Values{
		"client_id": {client}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {scope}, "state": {"xyz"},
		"nonce": {"n-0S6"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		if q.Set(change[i], change[i+1]); change[i+1] == "" {
			q.Del(change[i])
		}
	}
	return q
}

// native makes a public client to which Ann is assigned.
func (b *authBench) native(extra string, person string, scopes ...string) string {
	b.t.Helper()
	id, _ := b.app(`{"application_type":"native","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"redirect_uris":["`+
		callback+`","com.example.app:/callback"],"post_logout_redirect_uris":["http://127.0.0.1:9999/bye"]`+extra+`}`,
		`{"token_endpoint_auth_method":"none"}`, scopes...)
	b.ok(200, "POST", "/api/v1/apps/"+id+"/users", `{"id":"`+person+`"}`)
	return id
}

// code signs Ann in and returns the code.
func (b *authBench) code(client, scope string) string {
	b.t.Helper()
	w := b.browser()
	page := w.get("/oauth2/v1/authorize", authorizeQuery(client, scope))
	a := w.send("POST", "/oauth2/v1/authorize/sign-in", url.Values{
		"form": {page.form(b.t)}, "login": {annsLogin}, "password": {annsPassword},
	}.Encode())
	return a.location(b.t, callback).Get("code")
}

func codeForm(client, code string, change ...string) url.Values {
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}
	for i := 0; i+1 < len(change); i += 2 {
		if form.Set(change[i], change[i+1]); change[i+1] == "" {
			form.Del(change[i])
		}
	}
	return form
}

// payload decodes a JWT without looking at its signature.
func payload(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is not a JWT", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// refusedWith checks that an answer is a refusal with Okta's text.
func (a answer) refusedWith(t *testing.T, name, refusal string, args ...any) {
	t.Helper()
	e := oauth.Refuse(refusal, args...)
	want := fmt.Sprintf(`{"error":%q,"error_description":%q}`, e.Code, e.Text)
	if a.status != e.Status || a.body != want {
		t.Errorf("%s: %d %s\nwant %d %s", name, a.status, a.body, e.Status, want)
	}
}

// refusalRow is a refusal as Okta words it.
func refusalRow(name string, args ...any) *oauth.Error { return oauth.Refuse(name, args...) }

// scopesOfOkta returns the scopes of every operation of Okta's description, by
// method and path without the names of its parameters.
func scopesOfOkta(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, file := range []string{"openapi-management-2026.06.3.yaml", "openapi-oauth-2026.06.3.yaml"} {
		text, err := os.ReadFile(filepath.Join(shared(t), file))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Paths map[string]map[string]yaml.Node
		}
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		for path, methods := range doc.Paths {
			for method, node := range methods {
				if node.Kind != yaml.MappingNode {
					continue
				}
				var operation struct {
					Security []map[string][]string
				}
				if err := node.Decode(&operation); err != nil {
					continue // what all methods of the path share
				}
				var scopes []string
				for _, way := range operation.Security {
					scopes = append(scopes, way["oauth2"]...)
				}
				out[strings.ToUpper(method)+" "+placeholder.ReplaceAllString(path, "{}")] = scopes
			}
		}
	}
	return out
}
