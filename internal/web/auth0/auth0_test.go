package auth0_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/directory/directorytest"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	tenants "github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

// bench is one tenant with a fresh directory, a fake clock and fixed ids.
type bench struct {
	t     *testing.T
	dir   *directory.Directory
	api   *auth0.API
	clock *directorytest.Clock
	token string
}

const (
	tenant   = "https://example.eu.auth0.com"
	audience = tenant + "/api/v2/"
)

func newBench(t *testing.T, change ...func(*auth0.Options)) *bench {
	t.Helper()
	db := sqlitetest.Open(t)
	c := directorytest.NewClock(time.Date(2026, time.March, 4, 5, 6, 7, 891e6, time.UTC))
	d := directory.New(db.Directory())
	d.Clock = c.Now
	d.IDs = &directory.IDs{Clock: c.Now, Random: rand.NewChaCha8([32]byte{})}
	d.Hash = func(password string) (string, error) { return "hashed:" + password, nil }
	if err := directory.Seed(context.Background(), d); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	if err := tenants.New(d, directory.Auth0Realm).SeedConnections(context.Background()); err != nil {
		t.Fatalf("SeedConnections: %v", err)
	}
	tn := tenants.New(d, directory.Auth0Realm)
	tn.NewKey = keysFrom(0)
	clients := auth0.NewClients(tn,
		auth0.Client{ID: "all", Secret: "open sesame", Scopes: auth0.Scopes()},
		auth0.Client{ID: "reader", Secret: "just look", Scopes: []string{"read:users"}})
	o := auth0.Options{Directory: d, Authorizer: clients, BaseURL: tenant}
	for _, f := range change {
		f(&o)
	}
	b := &bench{t: t, dir: d, api: auth0.New(o), clock: c}
	b.token = b.login("all", "open sesame")
	return b
}

// testKeys are made once: it takes long.
var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	out := make([]*rsa.PrivateKey, 4)
	for i := range out {
		key, err := rsa.GenerateKey(crand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = key
	}
	return out
})

// keysFrom hands out the test's keys, beginning with one of them.
func keysFrom(next int) func() (*rsa.PrivateKey, error) {
	return func() (*rsa.PrivateKey, error) {
		next++
		return testKeys()[(next-1)%len(testKeys())], nil
	}
}

// login gets an access token for a client.
func (b *bench) login(id, secret string) string {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{
		"grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": audience,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	a := b.ok(200, "POST", "/oauth/token", string(body))
	return a.object(b.t)["access_token"].(string)
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bench) call(method, path, body string, headers ...string) answer {
	b.t.Helper()
	b.clock.Step(time.Second)
	r := httptest.NewRequest(method, tenant+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func (b *bench) ok(status int, method, path, body string, headers ...string) answer {
	b.t.Helper()
	a := b.call(method, path, body, headers...)
	if a.status != status {
		b.t.Fatalf("%s %s = %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("the answer %q is not a JSON object: %v", a.body, err)
	}
	return v
}

// emails reads the addresses of the answer's list.
func (a answer) emails(t *testing.T) string {
	t.Helper()
	var v []struct{ Email string }
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("the answer %q is not a JSON array: %v", a.body, err)
	}
	var out []string
	for _, u := range v {
		out = append(out, u.Email)
	}
	return strings.Join(out, " ")
}

const database = "Username-Password-Authentication"

func newUser(email string) string {
	return `{"connection":"` + database + `","email":"` + email + `","password":"Sesame-4-you","email_verified":false}`
}

// TestRecordedShapes compares answers, byte for byte, with those recorded by
// go-auth0 v1.45.0 (TestUserManager_Create, _Update, _Search) but for ids and
// times.
func TestRecordedShapes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	plain := b.ok(201, "POST", "/api/v2/users",
		`{"connection":"Username-Password-Authentication","email":"chuck@example.com","username":"chuck","password":"I have a password and its a secret"}`)
	id := plain.object(t)["user_id"].(string)
	hex := strings.TrimPrefix(id, "auth0|")
	if len(hex) != 24 || strings.Trim(hex, "0123456789abcdef") != "" {
		t.Fatalf("user_id = %q, want auth0| and 24 hexadecimal digits", id)
	}
	want := `{"created_at":"2026-03-04T05:06:09.891Z","email":"chuck@example.com","email_verified":false,` +
		`"identities":[{"connection":"Username-Password-Authentication","user_id":"` + hex + `","provider":"auth0","isSocial":false}],` +
		`"name":"chuck@example.com","nickname":"chuck",` +
		`"picture":"https://s.gravatar.com/avatar/0b79e7da7bc7877560620cf8f2cc93ae?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2Fch.png",` +
		`"updated_at":"2026-03-04T05:06:09.891Z","user_id":"` + id + `","username":"chuck"}`
	if diff := cmp.Diff(want, plain.body); diff != "" {
		t.Errorf("POST: - recorded + got\n%s", diff)
	}

	full := b.ok(201, "POST", "/api/v2/users", `{"connection":"Username-Password-Authentication","email":"chuck407@example.com","given_name":"Chuck",`+
		`"family_name":"Sanchez","username":"test-user983","nickname":"Chucky","password":"Passwords hide their chuck",`+
		`"user_metadata":{"favourite_attack":"roundhouse_kick"},"verify_email":false,"app_metadata":{"facts":["count_to_infinity_twice"]},`+
		`"picture":"https://example-picture-url.jpg","blocked":false,"email_verified":true}`)
	id = full.object(t)["user_id"].(string)
	hex = strings.TrimPrefix(id, "auth0|")
	record := func(updated, reset, metadata string) string {
		return `{"blocked":false,"created_at":"2026-03-04T05:06:10.891Z","email":"chuck407@example.com","email_verified":true,"family_name":"Sanchez","given_name":"Chuck",` +
			`"identities":[{"connection":"Username-Password-Authentication","user_id":"` + hex + `","provider":"auth0","isSocial":false}],` +
			`"name":"chuck407@example.com","nickname":"Chucky","picture":"https://example-picture-url.jpg","updated_at":"` + updated + `","user_id":"` + id + `",` +
			`"user_metadata":{"favourite_attack":"roundhouse_kick"},"username":"test-user983",` + reset + `"app_metadata":` + metadata + `}`
	}
	if diff := cmp.Diff(record("2026-03-04T05:06:10.891Z", "", `{"facts":["count_to_infinity_twice"]}`), full.body); diff != "" {
		t.Errorf("POST with everything: - recorded + got\n%s", diff)
	}
	patched := b.ok(200, "PATCH", "/api/v2/users/"+url.PathEscape(id),
		`{"connection":"Username-Password-Authentication","password":"I don't need one","app_metadata":{"foo":"bar"}}`)
	after := record("2026-03-04T05:06:11.891Z", `"last_password_reset":"2026-03-04T05:06:11.891Z",`, `{"facts":["count_to_infinity_twice"],"foo":"bar"}`)
	if diff := cmp.Diff(after, patched.body); diff != "" {
		t.Errorf("PATCH: - recorded + got\n%s", diff)
	}
	found := b.ok(200, "GET", "/api/v2/users?include_totals=true&per_page=50&q=username%3A%22test-user983%22&search_engine=v3", "")
	if diff := cmp.Diff(`{"start":0,"limit":50,"length":1,"users":[`+after+`],"total":1}`, found.body); diff != "" {
		t.Errorf("search: - recorded + got\n%s", diff)
	}
	for _, path := range []string{"auth0|" + hex, "auth0%7C" + hex, "auth0%7c" + hex} {
		if got := b.ok(200, "GET", "/api/v2/users/"+path, ""); got.body != after {
			t.Errorf("GET %s = %s, want %s", path, got.body, after)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path, body string
		token                    string // instead of a good one; "none" for no header
		status                   int
		want                     string
	}{
		{name: "no token", method: "GET", path: "/api/v2/users", token: "none", status: 401,
			want: `{"statusCode":401,"error":"Unauthorized","message":"Missing authentication"}`},
		{name: "bad token", method: "GET", path: "/api/v2/users", token: "bad", status: 401,
			want: `{"statusCode":401,"error":"Unauthorized","message":"Invalid token","errorCode":"invalid_token"}`},
		{name: "too small a scope", method: "POST", path: "/api/v2/users", token: "reader", body: newUser("a@b.co"), status: 403,
			want: `{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: create:users","errorCode":"insufficient_scope"}`},
		{name: "too small for PATCH", method: "PATCH", path: "/api/v2/users/auth0|x", token: "reader", body: `{}`, status: 403,
			want: `{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: update:users,update:users_app_metadata,update:current_user_metadata","errorCode":"insufficient_scope"}`},
		{name: "too small for DELETE", method: "DELETE", path: "/api/v2/users/auth0|x", token: "reader", status: 403,
			want: `{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: delete:users,delete:current_user","errorCode":"insufficient_scope"}`},
		{name: "unknown path", method: "GET", path: "/api/v2/unicorns", status: 404,
			want: `{"statusCode":404,"error":"Not Found","message":"Not Found"}`},
		{name: "wrong method", method: "PUT", path: "/api/v2/users", status: 404,
			want: `{"statusCode":404,"error":"Not Found","message":"Not Found"}`},
		{name: "unknown user", method: "GET", path: "/api/v2/users/auth0%7Cnone", status: 404,
			want: `{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}`},
		{name: "PATCH of an unknown user", method: "PATCH", path: "/api/v2/users/auth0%7Cnone", body: `{"blocked":true}`, status: 404,
			want: `{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}`},
		{name: "an Okta user is of another realm", method: "GET", path: "/api/v2/users/" + directory.Administrator, status: 404,
			want: `{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}`},

		{name: "no JSON", method: "POST", path: "/api/v2/users", body: `{`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Invalid JSON'.","errorCode":"invalid_body"}`},
		{name: "no object", method: "POST", path: "/api/v2/users", body: `[]`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Expected type object but found type array'.","errorCode":"invalid_body"}`},
		{name: "no connection", method: "POST", path: "/api/v2/users", body: `{"email":"a@b.co"}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Missing required property: connection'.","errorCode":"invalid_body"}`},
		{name: "no address", method: "POST", path: "/api/v2/users", body: `{"connection":"Username-Password-Authentication","password":"Sesame-4-you"}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Missing required property: email'.","errorCode":"invalid_body"}`},
		{name: "no password", method: "POST", path: "/api/v2/users", body: `{"connection":"Username-Password-Authentication","email":"a@b.co"}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Missing required property: password'.","errorCode":"invalid_body"}`},
		{name: "unknown property", method: "POST", path: "/api/v2/users", body: `{"connection":"Username-Password-Authentication","emial":"a@b.co"}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Additional properties not allowed: emial'.","errorCode":"invalid_body"}`},
		{name: "wrong type", method: "POST", path: "/api/v2/users", body: `{"connection":"Username-Password-Authentication","email":5}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Expected type string but found type integer' on property email (The user's email).","errorCode":"invalid_body"}`},
		{name: "no address at all", method: "POST", path: "/api/v2/users", body: `{"connection":"Username-Password-Authentication","email":"somebody"}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Payload validation error: 'Object didn't pass validation for format email: somebody' on property email (The user's email).","errorCode":"invalid_body"}`},
		{name: "weak password", method: "POST", path: "/api/v2/users", body: `{"connection":"Username-Password-Authentication","email":"a@b.co","password":"password"}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"PasswordStrengthError: Password is too weak"}`},
		{name: "too large", method: "POST", path: "/api/v2/users", body: `"` + strings.Repeat("x", 1<<20) + `"`, status: 413,
			want: `{"statusCode":413,"error":"Request Entity Too Large","message":"Payload content length greater than maximum allowed: 1048576"}`},
		{name: "pair", method: "PATCH", path: "/api/v2/users/auth0%7Cnone", body: `{"email":"a@b.co","password":"Sesame-4-you"}`, status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Cannot update email and password simultaneously","errorCode":"operation_not_supported"}`},

		{name: "page too large", method: "GET", path: "/api/v2/users?per_page=101", status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Query validation error: 'Value 101 is greater than maximum 100' on property per_page (Number of results per page).","errorCode":"invalid_query_string"}`},
		{name: "page too far", method: "GET", path: "/api/v2/users?per_page=100&page=10", status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation","errorCode":"invalid_paging"}`},
		{name: "no address to look up", method: "GET", path: "/api/v2/users-by-email", status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"Query validation error: 'Missing required property: email'.","errorCode":"invalid_query_string"}`},
		{name: "short suffix", method: "GET", path: "/api/v2/users?q=name:*jo", status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"search expression, character 9: at least 3 characters have to follow a * at the beginning","errorCode":"invalid_query_string"}`},
		{name: "unknown field", method: "GET", path: "/api/v2/users?q=shoe:44", status: 400,
			want: `{"statusCode":400,"error":"Bad Request","message":"the field shoe cannot be searched","errorCode":"invalid_query_string"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			switch test.token {
			case "":
			case "none":
				b.token = ""
			case "reader":
				b.token = b.login("reader", "just look")
			default:
				b.token = test.token
			}
			a := b.ok(test.status, test.method, test.path, test.body)
			if diff := cmp.Diff(test.want, a.body); diff != "" {
				t.Errorf("- want + got\n%s", diff)
			}
		})
	}
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.made("/api/v2/connections", `{"name":"other","strategy":"auth0"}`)
	b.ok(201, "POST", "/api/v2/users", newUser("Ann@Example.com"))
	const conflict = `{"statusCode":409,"error":"Conflict","message":"The user already exists.","errorCode":"auth0_idp_error"}`
	if a := b.ok(409, "POST", "/api/v2/users", newUser("ann@example.com")); a.body != conflict {
		t.Errorf("the same address again = %s, want %s", a.body, conflict)
	}
	// Another connection is another user store.
	b.ok(201, "POST", "/api/v2/users", strings.Replace(newUser("ann@example.com"), database, "other", 1))
	// The id may be the caller's, once.
	named := strings.Replace(newUser("bob@example.com"), "{", `{"user_id":"bob",`, 1)
	if got := b.ok(201, "POST", "/api/v2/users", named).object(t)["user_id"]; got != "auth0|bob" {
		t.Errorf("user_id = %v, want auth0|bob", got)
	}
	b.ok(409, "POST", "/api/v2/users", strings.Replace(named, "bob@", "eve@", 1))
	if got := b.ok(200, "GET", "/api/v2/users-by-email?email=eve@example.com", ""); got.body != "[]" {
		t.Errorf("a refused user is there: %s", got.body)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	created := b.ok(201, "POST", "/api/v2/users", strings.Replace(newUser("ann@example.com"), "{",
		`{"given_name":"Ann","user_metadata":{"a":1,"b":{"c":2}},"app_metadata":{"plan":"free"},`, 1)).object(t)
	path := "/api/v2/users/" + created["user_id"].(string)
	tests := []struct {
		name, body string
		want       map[string]any // members that differ from before; nil: absent
	}{
		{"first level of metadata", `{"user_metadata":{"b":{"d":3},"a":null}}`, map[string]any{"user_metadata": map[string]any{"b": map[string]any{"d": 3.0}}}},
		{"clear metadata", `{"user_metadata":{}}`, map[string]any{"user_metadata": map[string]any{}}},
		{"block", `{"blocked":true}`, map[string]any{"blocked": true}},
		{"unblock", `{"blocked":false}`, map[string]any{"blocked": false}},
		{"verify", `{"email_verified":true}`, map[string]any{"email_verified": true}},
		{"erase", `{"given_name":null}`, map[string]any{"given_name": nil}},
		{"a new address is not verified", `{"email":"ANN@example.org"}`, map[string]any{"email": "ann@example.org", "email_verified": false}},
		{"nothing", `{}`, nil},
	}
	state := created
	for _, test := range tests {
		for k, v := range test.want {
			if state[k] = v; v == nil {
				delete(state, k)
			}
		}
		got := b.ok(200, "PATCH", path, test.body).object(t)
		state["updated_at"] = got["updated_at"]
		if diff := cmp.Diff(state, got); diff != "" {
			t.Errorf("%s: - want + got\n%s", test.name, diff)
		}
	}
	b.ok(201, "POST", "/api/v2/users", newUser("taken@example.com"))
	b.ok(409, "PATCH", path, `{"email":"taken@example.com"}`)
	b.ok(400, "PATCH", path, `{"connection":"other","blocked":true}`)
	b.ok(400, "PATCH", path, `{"nick":"x"}`)
	b.ok(400, "PATCH", path, `{"password":"weak"}`)

	scoped := newBench(t)
	scoped.token = scoped.login("reader", "just look")
	scoped.ok(403, "PATCH", path, `{}`)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.ok(201, "POST", "/api/v2/users", newUser("ann@example.com")).object(t)["user_id"].(string)
	b.ok(204, "DELETE", "/api/v2/users/"+url.PathEscape(id), "")
	b.ok(404, "GET", "/api/v2/users/"+id, "")
	b.ok(204, "DELETE", "/api/v2/users/"+id, "") // absent is deleted
	b.ok(201, "POST", "/api/v2/users", newUser("ann@example.com"))
}

func TestByEmail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.made("/api/v2/connections", `{"name":"other","strategy":"auth0"}`)
	b.ok(201, "POST", "/api/v2/users", newUser("Ann@Example.com"))
	b.ok(201, "POST", "/api/v2/users", strings.Replace(newUser("ann@example.com"), database, "other", 1))
	for query, want := range map[string]string{
		"ann@example.com":     "ann@example.com ann@example.com",
		"Ann@Example.com":     "", // case counts, and databases keep lower case
		"ada.min@example.com": "", // an Okta user
	} {
		if got := b.ok(200, "GET", "/api/v2/users-by-email?email="+url.QueryEscape(query), "").emails(t); got != want {
			t.Errorf("users-by-email %s = %q, want %q", query, got, want)
		}
	}
	a := b.ok(200, "GET", "/api/v2/users-by-email?fields=email,user_id&email=ann@example.com", "")
	if strings.Contains(a.body, "created_at") || !strings.HasPrefix(a.body, `[{"email":"ann@example.com","user_id":`) {
		t.Errorf("fields = %s, want only the two", a.body)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.made("/api/v2/connections", `{"name":"other","strategy":"auth0"}`)
	for _, body := range []string{
		`{"connection":"Username-Password-Authentication","email":"ann@example.com","username":"Annie","password":"Sesame-4-you","given_name":"Ann","app_metadata":{"plan":{"name":"gold","seats":5},"tags":[{"k":"x"},{"k":"y"}]}}`,
		`{"connection":"Username-Password-Authentication","email":"bob@example.com","password":"Sesame-4-you","name":"Bob Ann","email_verified":true}`,
		`{"connection":"other","email":"cyd@example.com","password":"Sesame-4-you","blocked":true,"nickname":"C"}`,
	} {
		b.ok(201, "POST", "/api/v2/users", body)
	}
	tests := []struct{ query, want string }{
		{`email:"ann@example.com"`, "ann@example.com"},
		{`email:"ANN@Example.com"`, "ann@example.com"},
		{`email:ann@example.com`, "ann@example.com"},
		{`username:"annie"`, "ann@example.com"},
		{`username:"Annie"`, ""},
		{`name:"bob ann"`, "bob@example.com"},
		{`name:"Bob"`, ""}, // the whole value, not a word of it
		{`email:"ann@example.com" OR email:"bob@example.com"`, "ann@example.com bob@example.com"},
		{`email:"ann@example.com" AND email:"bob@example.com"`, ""},
		{`blocked:true`, "cyd@example.com"},
		{`email_verified:true OR blocked:true AND nickname:c`, "bob@example.com cyd@example.com"},
		{`(email_verified:true OR blocked:true) AND nickname:c`, "cyd@example.com"},
		{`identities.connection:"Username-Password-Authentication"`, "ann@example.com bob@example.com"},
		{`app_metadata.plan.name:"gold"`, "ann@example.com"},
		{`app_metadata.plan.seats:5`, "ann@example.com"},
		{`app_metadata.tags.k:"y"`, "ann@example.com"},
		{`_exists_:app_metadata.plan.name`, "ann@example.com"},
		{`_exists_:username`, "ann@example.com"},
		{``, "ann@example.com bob@example.com cyd@example.com"},
	}
	for _, test := range tests {
		if got := b.ok(200, "GET", "/api/v2/users?q="+url.QueryEscape(test.query), "").emails(t); got != test.want {
			t.Errorf("q=%s finds %q, want %q", test.query, got, test.want)
		}
	}
	id := b.ok(200, "GET", "/api/v2/users-by-email?email=bob@example.com&fields=user_id", "").body
	id = strings.TrimSuffix(strings.TrimPrefix(id, `[{"user_id":`), `}]`)
	if got := b.ok(200, "GET", "/api/v2/users?q="+url.QueryEscape("user_id:"+id), "").emails(t); got != "bob@example.com" {
		t.Errorf("q=user_id:%s finds %q, want bob@example.com", id, got)
	}

	for query, want := range map[string]string{
		"per_page=2":                        "ann@example.com bob@example.com",
		"per_page=2&page=1":                 "cyd@example.com",
		"per_page=2&page=2":                 "",
		"sort=email:-1":                     "cyd@example.com bob@example.com ann@example.com",
		"sort=email_verified:-1&per_page=1": "bob@example.com",
		"connection=other":                  "cyd@example.com",
	} {
		if got := b.ok(200, "GET", "/api/v2/users?"+query, "").emails(t); got != want {
			t.Errorf("%s = %q, want %q", query, got, want)
		}
	}
	b.ok(400, "GET", "/api/v2/users?sort=email", "")
	a := b.ok(200, "GET", "/api/v2/users?per_page=2&page=1&include_totals=true&fields=email", "")
	if want := `{"start":2,"limit":2,"length":1,"users":[{"email":"cyd@example.com"}],"total":3}`; a.body != want {
		t.Errorf("totals = %s, want %s", a.body, want)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.token = ""
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"reader"}, "client_secret": {"just look"}, "audience": {audience}}
	isForm := []string{"Content-Type", "application/x-www-form-urlencoded"}

	a := b.ok(200, "POST", "/oauth/token", form.Encode(), isForm...)
	o := a.object(t)
	if o["token_type"] != "Bearer" || o["expires_in"] != 86400.0 || o["scope"] != "read:users" || strings.Count(o["access_token"].(string), ".") != 2 {
		t.Errorf("token = %s, want a bearer token of a day with the granted scope", a.body)
	}
	b.token = o["access_token"].(string)
	b.ok(200, "GET", "/api/v2/users", "")
	b.clock.Step(24 * time.Hour)
	b.ok(401, "GET", "/api/v2/users", "")
	b.token = ""

	tests := []struct {
		name   string
		change map[string]string
		header []string
		status int
		want   string
	}{
		{"wrong secret", map[string]string{"client_secret": "x"}, nil, 401, `{"error":"access_denied","error_description":"Unauthorized"}`},
		{"unknown client", map[string]string{"client_id": "x"}, nil, 401, `{"error":"access_denied","error_description":"Unauthorized"}`},
		{"no secret", map[string]string{"client_secret": ""}, nil, 401, `{"error":"access_denied","error_description":"Unauthorized"}`},
		{"other audience", map[string]string{"audience": "https://api.example.com"}, nil, 403,
			`{"error":"access_denied","error_description":"Service not enabled within domain: https://api.example.com"}`},
		{"scope not granted", map[string]string{"scope": "read:users delete:users"}, nil, 403,
			`{"error":"access_denied","error_description":"Client has not been granted scopes: delete:users"}`},
		{"no audience", map[string]string{"audience": ""}, nil, 400, `{"error":"invalid_request","error_description":"Missing required parameter: audience"}`},
		{"no client", map[string]string{"client_id": ""}, nil, 400, `{"error":"invalid_request","error_description":"Missing required parameter: client_id"}`},
		{"no grant type", map[string]string{"grant_type": ""}, nil, 400, `{"error":"invalid_request","error_description":"Missing required parameter: grant_type"}`},
		{"other grant type", map[string]string{"grant_type": "password"}, nil, 403, `{"error":"unsupported_grant_type","error_description":"Unsupported grant type: password"}`},
	}
	for _, test := range tests {
		changed := url.Values{}
		for k, v := range form {
			changed[k] = v
		}
		for k, v := range test.change {
			changed.Set(k, v)
		}
		a := b.call("POST", "/oauth/token", changed.Encode(), isForm...)
		if a.status != test.status || a.body != test.want {
			t.Errorf("%s: %d %s, want %d %s", test.name, a.status, a.body, test.status, test.want)
		}
	}
	b.ok(400, "POST", "/oauth/token", `{"grant_type":`)
	changed := url.Values{"grant_type": {"client_credentials"}, "audience": {"http://localhost:8482/api/v2/"}}
	r := httptest.NewRequest("POST", tenant+"/oauth/token", strings.NewReader(changed.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("reader", "just look")
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("Basic authentication = %d %s, want 200", w.Code, w.Body)
	}
}

// TestForgedTokens makes sure that only our own signature counts.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	parts := strings.Split(b.token, ".")
	elsewhere := newBench(t)
	tn := tenants.New(elsewhere.dir, directory.Auth0Realm)
	tn.NewKey = keysFrom(2)
	for range 2 { // the first of them signs now
		if _, err := tn.RotateKeys(context.Background(), directory.System("test"), tenants.TenantKeys, tn.Realm); err != nil {
			t.Fatal(err)
		}
	}
	other := auth0.NewClients(tn, auth0.Client{ID: "all", Secret: "s", Scopes: auth0.Scopes()})
	forged, err := other.Issue(context.Background(), auth0.TokenRequest{ClientID: "all", ClientSecret: "s", Audience: audience, Issuer: tenant + "/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"another key":   forged.Access,
		"no algorithm":  "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"other payload": parts[0] + "." + strings.Split(forged.Access, ".")[1] + "x." + parts[2],
		"no signature":  parts[0] + "." + parts[1] + ".",
	} {
		b.token = token
		if a := b.call("GET", "/api/v2/users", ""); a.status != 401 {
			t.Errorf("%s: %d %s, want 401", name, a.status, a.body)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *auth0.Options) { o.EnforceLimits = func() bool { return true } })
	spend := func() answer {
		a := b.call("GET", "/api/v2/users", "")
		b.clock.Step(-time.Second)
		return a
	}
	for i := range 50 {
		a := spend()
		if want := strconv.Itoa(49 - i); a.status != 200 || a.header.Get("X-RateLimit-Remaining") != want {
			t.Fatalf("call %d: %d, Remaining %s, want 200 and %s", i, a.status, a.header.Get("X-RateLimit-Remaining"), want)
		}
	}
	a := spend()
	const want = `{"statusCode":429,"error":"Too Many Requests","message":"Global limit has been reached","errorCode":"too_many_requests"}`
	if a.status != 429 || a.body != want || a.header.Get("Retry-After") != "1" || a.header.Get("X-RateLimit-Limit") != "50" {
		t.Errorf("beyond the limit: %d %s Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
	b.clock.Step(time.Second)
	if a := spend(); a.status != 200 {
		t.Errorf("after a second: %d, want 200", a.status)
	}

	free := newBench(t)
	for range 60 {
		a = free.call("GET", "/api/v2/users", "")
		free.clock.Step(-time.Second)
	}
	if a.status != 200 || a.header.Get("X-RateLimit-Remaining") != "1" {
		t.Errorf("not enforced: %d, Remaining %s, want 200 and 1", a.status, a.header.Get("X-RateLimit-Remaining"))
	}
}

// TestRefuse makes sure that made-up failures look like real ones.
func TestRefuse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, test := range []struct {
		path   string
		status int
		body   string
	}{
		{"/api/v2/users", 429, `{"statusCode":429,"error":"Too Many Requests","message":"Global limit has been reached","errorCode":"too_many_requests"}`},
		{"/api/v2/users", 500, `{"statusCode":500,"error":"Internal Server Error","message":"An internal server error occurred"}`},
		{"/api/v2/users", 503, `{"statusCode":503,"error":"Service Unavailable","message":"Service Unavailable"}`},
		{"/api/v2/users", 401, `{"statusCode":401,"error":"Unauthorized","message":"Invalid token","errorCode":"invalid_token"}`},
		{"/api/v2/users", 404, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`},
		{"/oauth/token", 429, `{"error":"too_many_requests","error_description":"Too Many Requests"}`},
		{"/oauth/token", 401, `{"error":"access_denied","error_description":"Unauthorized"}`},
		{"/oauth/token", 500, `{"error":"server_error","error_description":"Internal Server Error"}`},
	} {
		w := httptest.NewRecorder()
		b.api.Refuse(w, httptest.NewRequest("POST", test.path, nil), test.status, 7*time.Second)
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("%s: %d %s, want %d %s", test.path, w.Code, w.Body, test.status, test.body)
		}
		if test.status == 429 && (w.Header().Get("Retry-After") != "7" || w.Header().Get("X-RateLimit-Remaining") != "0") {
			t.Errorf("%s: %v, want Retry-After 7 and nothing left", test.path, w.Header())
		}
	}
}

// TestOnePerson makes sure that both APIs work on one directory.
func TestOnePerson(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok(201, "POST", "/api/v2/users", newUser("Ada.Min@Example.com"))
	people, err := b.dir.People(t.Context(), "ADA.min@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if len(people) != 1 || len(people[0].Accounts) != 2 {
		t.Fatalf("People = %+v, want one person with two accounts", people)
	}
	for i, want := range []directory.Kind{directory.Auth0, directory.Okta} {
		if got := people[0].Accounts[i].Kind; got != want {
			t.Errorf("account %d is of kind %s, want %s", i, got, want)
		}
	}
	text, err := json.Marshal(people)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("Sesame")) || !bytes.Contains(text, []byte(`"Administrators"`)) {
		t.Errorf("People = %s, want groups and no secrets", text)
	}
}

// FuzzPayload makes sure that no body crashes the check, and that what is
// wrong with one is the caller's fault.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{newUser("a@b.co"), `{"connection":"sms","phone_number":"+49"}`, `{"connection":null}`, `[]`, `{`, `{"connection":"x","email":1e400}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		profile, err := auth0.CheckPayload(httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if err != nil {
			if status := auth0.Translate(err); status < 400 || status > 499 {
				t.Errorf("%q is answered with %d: %v", body, status, err)
			}
			return
		}
		for name, v := range profile {
			switch v.(type) {
			case string, bool:
			default:
				t.Errorf("%q: %s = %v, want text or boolean", body, name, v)
			}
		}
	})
}
