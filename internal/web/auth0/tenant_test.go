package auth0_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

// post makes something and returns the answer as an object.
func (b *bench) post(path, body string) map[string]any {
	b.t.Helper()
	return b.ok(201, "POST", "/api/v2"+path, body).object(b.t)
}

// A client that was made through the API gets what its grant says, and nothing
// else.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	client := b.post("/clients", `{"name":"machine","app_type":"non_interactive"}`)
	id, secret := client["client_id"].(string), client["client_secret"].(string)
	b.post("/resource-servers", `{"identifier":"https://orders","scopes":[{"value":"read:orders"}],"token_lifetime":600}`)
	ask := func(status int, audience, scope string) answer {
		t.Helper()
		body, err := json.Marshal(map[string]string{
			"grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": audience, "scope": scope,
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.ok(status, "POST", "/oauth/token", string(body))
	}
	for _, test := range []struct{ audience, scope, want string }{
		{"https://nowhere", "", "Service not enabled within domain: https://nowhere"},
		{"https://orders", "", "Client is not authorized to access"},
	} {
		if a := ask(403, test.audience, test.scope); !strings.Contains(a.body, `"access_denied"`) || !strings.Contains(a.body, test.want) {
			t.Errorf("%s: %s, want %s", test.audience, a.body, test.want)
		}
	}
	grant := b.post("/client-grants", `{"client_id":"`+id+`","audience":"https://orders","scope":["read:orders"]}`)
	b.ok(409, "POST", "/api/v2/client-grants", `{"client_id":"`+id+`","audience":"https://orders","scope":[]}`)
	b.ok(404, "POST", "/api/v2/client-grants", `{"client_id":"`+id+`","audience":"https://nowhere","scope":[]}`)
	token := ask(200, "https://orders", "").object(t)
	if token["scope"] != "read:orders" || token["expires_in"] != float64(600) {
		t.Errorf("token = %v", token)
	}
	if a := ask(403, "https://orders", "write:orders"); !strings.Contains(a.body, "Client has not been granted scopes: write:orders") {
		t.Errorf("another scope: %s", a.body)
	}
	admin := b.token
	b.token = token["access_token"].(string)
	b.ok(401, "GET", "/api/v2/users", "") // it is for another API
	b.token = admin
	b.post("/client-grants", `{"client_id":"`+id+`","audience":"`+audience+`","scope":["read:clients"]}`)
	b.token = ask(200, audience, "").object(t)["access_token"].(string)
	b.ok(403, "GET", "/api/v2/users", "")
	if own := b.ok(200, "GET", "/api/v2/clients/"+id, "").object(t); own["client_secret"] != nil {
		t.Error("a client without read:client_keys sees secrets")
	}
	b.token, admin = admin, b.token
	b.ok(204, "DELETE", "/api/v2/clients/"+id, "")
	b.ok(404, "GET", "/api/v2/client-grants/"+grant["id"].(string), "")
	ask(401, "https://orders", "")
	b.token = admin
	b.ok(401, "GET", "/api/v2/clients/"+id, "") // its client is gone
}

func TestRotatedSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	client := b.post("/clients", `{"name":"machine"}`)
	id := client["client_id"].(string)
	rotated := b.ok(200, "POST", "/api/v2/clients/"+id+"/rotate-secret", "").object(t)
	if rotated["client_secret"] == client["client_secret"] {
		t.Error("the secret is as before")
	}
	if got := b.ok(200, "GET", "/api/v2/clients/"+id, "").object(t); got["client_secret"] != rotated["client_secret"] {
		t.Errorf("secret = %v, want %v", got["client_secret"], rotated["client_secret"])
	}
	for _, path := range []string{"/logs?per_page=100"} {
		if a := b.ok(200, "GET", "/api/v2"+path, ""); strings.Contains(a.body, rotated["client_secret"].(string)) {
			t.Errorf("%s shows the secret", path)
		}
	}
}

// Others can check tokens by what the tenant says of itself, also after a
// rotation of its keys.
func TestPublishedKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.token
	b.ok(201, "POST", "/api/v2/keys/signing/rotate", "")
	after := b.login("all", "open sesame")
	config := b.ok(200, "GET", "/.well-known/openid-configuration", "").object(t)
	if config["issuer"] != tenant+"/" {
		t.Errorf("issuer = %v", config["issuer"])
	}
	var set jose.JSONWebKeySet
	where := strings.TrimPrefix(config["jwks_uri"].(string), tenant)
	if err := json.Unmarshal([]byte(b.ok(200, "GET", where, "").body), &set); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"before": before, "after": after} {
		token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		keys := set.Key(token.Headers[0].KeyID)
		var claims jwt.Claims
		if len(keys) != 1 || token.Claims(keys[0].Key, &claims) != nil || claims.Subject != "all@clients" {
			t.Errorf("the token of %s the rotation cannot be checked: %d keys, %v", name, len(keys), claims)
		}
	}
}

// An export has what an import brought.
func TestImportAndExport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page := b.ok(200, "GET", "/api/v2/connections?name=Username-Password-Authentication", "")
	var found []struct{ ID string }
	if err := json.Unmarshal([]byte(page.body), &found); err != nil || len(found) != 1 {
		t.Fatalf("connections: %v %s", err, page.body)
	}
	upload := func(upsert, users string) map[string]any {
		t.Helper()
		var form strings.Builder
		for _, f := range [][2]string{{"connection_id", found[0].ID}, {"upsert", upsert}, {"users", users}} {
			form.WriteString("--x\r\nContent-Disposition: form-data; name=\"" + f[0] + "\"\r\n\r\n" + f[1] + "\r\n")
		}
		form.WriteString("--x--\r\n")
		made := b.ok(202, "POST", "/api/v2/jobs/users-imports", form.String(), "Content-Type", "multipart/form-data; boundary=x").object(t)
		return b.ok(200, "GET", "/api/v2/jobs/"+made["id"].(string), "").object(t)
	}
	const hash = `$2b$10$CZ6zmPq7wFNZjTTdOlYDzuYnyAQPyRaDCxEQeFyCR7dBpA9TzbEOG`
	const ann, wrong = `{"email":"ann@example.com","given_name":"Ann","password_hash":"` + hash + `"}`, `{"email":"nobody"}`
	summary := func(job map[string]any) string {
		text, err := json.Marshal(job["summary"])
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := upload("false", "["+ann+","+wrong+"]")
	if got := summary(first); got != `{"failed":1,"inserted":1,"total":2,"updated":0}` {
		t.Errorf("import: %s", got)
	}
	errs := b.ok(200, "GET", "/api/v2/jobs/"+first["id"].(string)+"/errors", "").body
	if !strings.Contains(errs, "INVALID_FORMAT") {
		t.Errorf("errors = %s", errs)
	}
	if got := summary(upload("true", `[{"email":"ann@example.com","nickname":"Annie"}]`)); got != `{"failed":0,"inserted":0,"total":1,"updated":1}` {
		t.Errorf("upsert: %s", got)
	}
	again := upload("false", "["+ann+"]")
	errs = b.ok(200, "GET", "/api/v2/jobs/"+again["id"].(string)+"/errors", "").body
	if !strings.Contains(errs, "DUPLICATED_USER") || strings.Contains(errs, hash) {
		t.Errorf("errors = %s", errs)
	}
	for format, want := range map[string]string{
		"json": `{"mail":"ann@example.com","nickname":"Annie","identities[0].provider":"auth0"}`,
		"csv":  "mail,nickname,identities[0].provider\nann@example.com,Annie,auth0",
	} {
		made := b.ok(200, "POST", "/api/v2/jobs/users-exports", `{"connection_id":"`+found[0].ID+`","format":"`+format+`",
			"fields":[{"name":"email","export_as":"mail"},{"name":"nickname"},{"name":"identities[0].provider"}]}`).object(t)
		done := b.ok(200, "GET", "/api/v2/jobs/"+made["id"].(string), "").object(t)
		where, err := url.Parse(done["location"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.unzip(where.RequestURI()); got != want {
			t.Errorf("%s = %s, want %s", format, got, want)
		}
		b.ok(404, "GET", where.Path+"?token=wrong", "")
	}
	b.ok(400, "POST", "/api/v2/jobs/users-imports", "{}")
}

func (b *bench) unzip(path string) string {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, httptest.NewRequest("GET", tenant+path, nil))
	zipped, err := gzip.NewReader(w.Body)
	if err != nil {
		b.t.Fatalf("%s: %d %v", path, w.Code, err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// The log can be read by page, searched, and followed from any place.
func TestLogs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"one", "two", "three"} {
		b.post("/clients", `{"name":"`+name+`"}`)
	}
	type entry struct {
		ID          string `json:"log_id"`
		Type        string
		Description string
		ClientID    string `json:"client_id"`
	}
	read := func(query string) (list []entry) {
		t.Helper()
		if err := json.Unmarshal([]byte(b.ok(200, "GET", "/api/v2/logs?"+query, "").body), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	newest := read("q=" + url.QueryEscape(`type:"sapi" AND client_id:"all"`))
	if len(newest) != 3 || newest[0].Description != "Create a client" || newest[0].ID <= newest[2].ID {
		t.Fatalf("logs = %+v", newest)
	}
	if got := read("take=1&from=" + newest[2].ID); len(got) != 1 || got[0].ID != newest[1].ID {
		t.Errorf("behind the oldest = %+v, want %s", got, newest[1].ID)
	}
	if got := read("take=5&from=" + newest[0].ID); len(got) != 0 {
		t.Errorf("behind the newest = %+v", got)
	}
	if got := read("page=1&per_page=2"); len(got) != 2 || got[0].ID != newest[2].ID {
		t.Errorf("second page = %+v", got)
	}
	if got := b.ok(200, "GET", "/api/v2/logs/"+newest[1].ID, "").object(t); got["log_id"] != newest[1].ID {
		t.Errorf("one = %v", got)
	}
	b.ok(404, "GET", "/api/v2/logs/nothing", "")
	b.ok(400, "GET", "/api/v2/logs?from=nothing", "")
}

// The table of routes names scopes, and all of them can be granted.
func TestRoutesHaveScopes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, r := range b.api.Routes() {
		if len(r.Scopes) == 0 {
			t.Errorf("%s %s needs no scope", r.Method, r.Pattern)
		}
	}
	if len(auth0.Scopes()) < 40 {
		t.Errorf("%d scopes", len(auth0.Scopes()))
	}
}

// An id of an entry that is read names one place in the log.
func FuzzLogID(f *testing.F) {
	f.Add("90020260304050607891000000000000000000000000000000007")
	f.Add("90020260304050607891000abcdefghij0123456789")
	f.Add("900")
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		at, seq, exchange, ok := auth0.ReadLogID(id)
		if ok && (at.Nanosecond()%1000 != 0 || seq < 0 || seq > 0 && exchange != "") {
			t.Errorf("%q: %v %d %q", id, at, seq, exchange)
		}
	})
}

func FuzzImport(f *testing.F) {
	f.Add("--x\r\nContent-Disposition: form-data; name=\"users\"\r\n\r\n[{}]\r\n--x--\r\n")
	f.Add("--x\r\nContent-Disposition: form-data; name=\"users\"\r\n\r\n{}\r\n--x--\r\n")
	f.Add("--x--")
	f.Add("")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/api/v2/jobs/users-imports", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		n, err := auth0.ReadImport(r)
		if err != nil && auth0.Translate(err) >= 500 {
			t.Errorf("%d users, %v", n, err)
		}
	})
}
