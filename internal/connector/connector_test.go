package connector_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// The servers of the tests. They resolve nowhere: the client serves them in
// process, on fake time where a test runs in a bubble.
const (
	oktaURL  = "https://example.okta.com"
	auth0URL = "https://example.eu.auth0.com"
	otherURL = "https://api.example.com"
)

// environment is what env: references resolve to.
var environment = map[string]string{
	"TOKEN": "tok-0123456789", "PASS": "pass-0123456789", "ID": "client-1", "SECRET": "sec-0123456789", "EMPTY": "",
}

// bench is a Connector over handlers in this process.
type bench struct {
	*connector.Connector
	t *testing.T
}

func newBench(t *testing.T, connections map[string]config.Connection, handlers map[string]http.Handler, change ...func(*connector.Options)) *bench {
	t.Helper()
	env := environment
	o := connector.Options{
		Config:  &config.Config{Connections: connections},
		Secrets: &secret.Resolver{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }},
		Client:  egress.New(egress.Policy{InProcess: handlers}),
	}
	for _, f := range change {
		f(&o)
	}
	t.Cleanup(o.Client.Close)
	return &bench{connector.New(o), t}
}

func (b *bench) bind(source string, choices ...run.Bindings) *connector.Connection {
	b.t.Helper()
	return b.bindSource(connector.Source{Name: source}, choices...)
}

func (b *bench) bindSource(src connector.Source, choices ...run.Bindings) *connector.Connection {
	b.t.Helper()
	conn, err := b.Bind(src, append(choices, run.Bindings{})[0])
	if err != nil {
		b.t.Fatalf("Bind(%s): %v", src.Name, err)
	}
	return conn
}

// call makes a Call of an operation without parameters.
func call(method, path string) connector.Call {
	return connector.Call{
		Operation: &openapi.Operation{Method: method, Path: path},
		Request:   &openapi.Request{Method: method, Path: path},
	}
}

func (b *bench) do(conn *connector.Connection, c connector.Call) connector.Exchange {
	b.t.Helper()
	return b.Do(b.t.Context(), conn, c)
}

var ssws = config.Connection{Server: oktaURL, Auth: config.Auth{Type: "ssws", Token: "env:TOKEN"}}

func TestDo(t *testing.T) {
	var got *http.Request
	var body string
	b := newBench(t, map[string]config.Connection{"oktaApi": ssws}, map[string]http.Handler{
		oktaURL: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r
			data, _ := io.ReadAll(r.Body)
			body = string(data)
			w.Header().Set("X-Out", "1")
			w.WriteHeader(200)
			io.WriteString(w, `{"id":"00u1"}`)
		}),
	})
	conn := b.bind("oktaApi")
	x := b.do(conn, connector.Call{
		Operation: &openapi.Operation{Method: "POST", Path: "/api/v1/users/{id}"},
		Request: &openapi.Request{
			Method: "POST", Path: "/api/v1/users/a%2Fb%7C1", Query: "activate=true", ContentType: "application/json",
			Header: map[string][]string{"x-in": {"v"}}, Body: []byte(`{}`),
		},
	})
	if x.Err != nil || x.Response.Status != 200 || string(x.Response.Body) != `{"id":"00u1"}` || !x.Sent || len(x.Attempts) != 1 || x.Attempts[0].Reason != "" {
		t.Fatalf("Do = %+v", x)
	}
	if got.RequestURI != "/api/v1/users/a%2Fb%7C1?activate=true" || got.Header.Get("Authorization") != "SSWS tok-0123456789" ||
		got.Header.Get("X-In") != "v" || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Accept") == "" || body != "{}" {
		t.Errorf("the server saw %s %s %v %s", got.Method, got.RequestURI, got.Header, body)
	}
	if x.Request.URL != oktaURL+"/api/v1/users/a%2Fb%7C1?activate=true" || x.Request.Header.Get("Authorization") != "SSWS [masked]" {
		t.Errorf("the record has %s %v", x.Request.URL, x.Request.Header)
	}
	if shown := fmt.Sprintf("%+v %+v", conn, x); strings.Contains(shown, "tok-0123456789") {
		t.Errorf("the credential shows in %s", shown)
	}
	if diff := cmp.Diff([]string{"tok-0123456789"}, conn.Secrets()); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
}

func TestBind(t *testing.T) {
	open := &openapi.Operation{Method: "GET", Path: "/open", Servers: []openapi.Server{{URL: "https://open.example.com/v1/"}}}
	closed := &openapi.Operation{
		Method: "GET", Path: "/closed", Servers: open.Servers,
		HasSecurity: true, Security: []map[string][]string{{"key": nil}},
	}
	oktaOp := &openapi.Operation{Method: "GET", Path: "/api/v1/users", Servers: []openapi.Server{{URL: "https://your-subdomain.okta.com/"}}}
	templated := &openapi.Operation{Method: "GET", Path: "/x", Servers: []openapi.Server{{
		URL: "https://{host}/base", Variables: map[string]openapi.Variable{"host": {Default: "demo.example.com"}},
	}}}
	bearer := config.Auth{Type: "bearer", Token: "env:TOKEN"}
	type want struct{ server, by, name, credential, err string }
	tests := []struct {
		name        string
		connections map[string]config.Connection
		source      connector.Source
		choices     run.Bindings
		want        want
	}{
		{"by source name", map[string]config.Connection{"oktaApi": ssws, "okta": {Server: "https://wrong.okta.com"}}, connector.Source{Name: "oktaApi"}, run.Bindings{},
			want{oktaURL, "lanyard.yaml", "oktaApi", "ssws", ""}},
		{"by catalogue name", map[string]config.Connection{"okta": ssws}, connector.Source{Name: "workforce", Title: "Okta API"}, run.Bindings{},
			want{oktaURL, "lanyard.yaml", "okta", "ssws", ""}},
		{"a connection of another name", map[string]config.Connection{"okta": {Server: "https://wrong.okta.com"}, "second": ssws}, connector.Source{Name: "okta", Title: "Okta for Lanyard"}, run.Bindings{Connections: map[string]string{"okta": "second"}},
			want{oktaURL, "lanyard.yaml", "second", "ssws", ""}},
		{"a connection that is not there", map[string]config.Connection{"okta": ssws}, connector.Source{Name: "okta"}, run.Bindings{Connections: map[string]string{"okta": "secnd"}},
			want{err: `there is no connection "secnd"`}},
		{"flag over file", map[string]config.Connection{"okta": ssws}, connector.Source{Name: "oktaApi"}, run.Bindings{Servers: map[string]string{"oktaApi": "http://127.0.0.1:8481/"}},
			want{"http://127.0.0.1:8481", "--server", "okta", "ssws", ""}},
		{"flag over sandbox", nil, connector.Source{Name: "oktaApi"}, run.Bindings{Sandbox: true, Servers: map[string]string{"oktaApi": "http://127.0.0.1:8481"}},
			want{"http://127.0.0.1:8481", "--server", "", "none", ""}},
		{"sandbox over file", map[string]config.Connection{"okta": ssws}, connector.Source{Name: "oktaApi"}, run.Bindings{Sandbox: true},
			want{"http://okta.sandbox", "--sandbox", "", "sandbox", ""}},
		{"sandbox with a base path", nil, connector.Source{Name: "auth0Api"}, run.Bindings{Sandbox: true},
			want{"http://auth0.sandbox/api/v2", "--sandbox", "", "sandbox", ""}},
		{"sandbox does not know it", map[string]config.Connection{"x": {Server: otherURL, Auth: bearer}}, connector.Source{Name: "x"}, run.Bindings{Sandbox: true},
			want{otherURL, "lanyard.yaml", "x", "bearer", ""}},
		{"provider's base path added", map[string]config.Connection{"auth0": {Server: auth0URL + "/", Auth: bearer}}, connector.Source{Name: "auth0Api"}, run.Bindings{},
			want{auth0URL + "/api/v2", "lanyard.yaml", "auth0", "bearer", ""}},
		{"stand-in's base path not added", map[string]config.Connection{"auth0": {Server: "http://127.0.0.1:8482", Auth: bearer}}, connector.Source{Name: "auth0Api"}, run.Bindings{},
			want{"http://127.0.0.1:8482", "lanyard.yaml", "auth0", "bearer", ""}},
		{"variables", map[string]config.Connection{"x": {Variables: map[string]string{"host": "mine.example.com"}, Auth: bearer}}, connector.Source{Name: "x", Operations: []*openapi.Operation{templated}}, run.Bindings{},
			want{"https://mine.example.com/base", "lanyard.yaml", "x", "bearer", ""}},
		{"description, open", nil, connector.Source{Name: "x", Operations: []*openapi.Operation{open}}, run.Bindings{},
			want{"https://open.example.com/v1", "description", "", "none", ""}},
		{"description, credential bound", map[string]config.Connection{"x": {Auth: bearer}}, connector.Source{Name: "x", Operations: []*openapi.Operation{open}}, run.Bindings{},
			want{err: "never used with a credential"}},
		{"description, credential asked for", nil, connector.Source{Name: "x", Operations: []*openapi.Operation{open, closed}}, run.Bindings{},
			want{err: "connections.x.server in lanyard.yaml, or --server x=URL"}},
		{"description of a provider", nil, connector.Source{Name: "o", Operations: []*openapi.Operation{oktaOp}}, run.Bindings{},
			want{err: "the tenant of Okta must be named"}},
		{"relative server from a file", nil, connector.Source{Name: "x", Location: "api.yaml", Operations: []*openapi.Operation{{Method: "GET", Path: "/", Servers: []openapi.Server{{URL: "/v1"}}}}}, run.Bindings{},
			want{err: "--server x=URL"}},
		{"nothing", nil, connector.Source{Name: "x"}, run.Bindings{}, want{err: "source x has no server"}},
		{"flag is not a URL", nil, connector.Source{Name: "x"}, run.Bindings{Servers: map[string]string{"x": "example.com"}}, want{err: "--server x: the server is not a base URL"}},
		{"flag with a password", nil, connector.Source{Name: "x"}, run.Bindings{Servers: map[string]string{"x": "https://u:p@example.com"}}, want{err: "not a base URL"}},
		{"API key without a place", map[string]config.Connection{"x": {Server: otherURL, Auth: config.Auth{Type: "apiKey", Token: "env:TOKEN"}}}, connector.Source{Name: "x", Operations: []*openapi.Operation{open}}, run.Bindings{},
			want{err: "connections.x.auth.name"}},
		{"token endpoint unknown", map[string]config.Connection{"x": {Server: otherURL, Auth: config.Auth{Type: "client_credentials", ClientID: "i", ClientSecret: "env:SECRET"}}}, connector.Source{Name: "x"}, run.Bindings{},
			want{err: "connections.x.auth.tokenUrl"}},
		{"kind the provider lacks", map[string]config.Connection{"okta": {Server: oktaURL, Auth: config.Auth{Type: "client_credentials", ClientID: "i", ClientSecret: "env:SECRET"}}}, connector.Source{Name: "okta"}, run.Bindings{},
			want{err: "Okta takes no client_credentials"}},
		{"scopes unknown", map[string]config.Connection{"okta": {Server: oktaURL, Auth: config.Auth{Type: "private_key_jwt", ClientID: "i", PrivateKey: "env:KEY"}}}, connector.Source{Name: "okta", Operations: []*openapi.Operation{{Method: "GET", Path: "/api/v1/unheard/of"}}}, run.Bindings{},
			want{err: "connections.okta.auth.scopes"}},
		{"foreign token endpoint of the description", map[string]config.Connection{"x": {Server: otherURL, Auth: config.Auth{Type: "client_credentials", ClientID: "i", ClientSecret: "env:SECRET"}}},
			connector.Source{Name: "x", Schemes: map[string]openapi.Scheme{"o": {Type: "oauth2", TokenURL: "https://evil.test/token"}}}, run.Bindings{},
			want{err: "on a host that is not bound"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.connections, nil, func(o *connector.Options) {
				o.Sandbox = map[string]string{"okta": "http://okta.sandbox", "auth0": "http://auth0.sandbox"}
				o.SandboxToken = secret.NewValue("internal")
			})
			conn, err := b.Bind(tt.source, tt.choices)
			if tt.want.err != "" {
				if err == nil || !strings.Contains(fault.Public(err), tt.want.err) {
					t.Errorf("Bind = %+v, %v, want the error %q", conn, err, tt.want.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := want{conn.Server, conn.BoundBy, conn.Name, conn.Credential, ""}
			if got != tt.want {
				t.Errorf("Bind = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	full := map[string]string{
		"OKTA_ORG_NAME": "dev-1", "OKTA_BASE_URL": "oktapreview.com", "OKTA_API_TOKEN": "t",
		"AUTH0_DOMAIN": "https://x.eu.auth0.com/", "AUTH0_CLIENT_ID": "i", "AUTH0_CLIENT_SECRET": "s",
	}
	type want struct{ server, by, credential, err string }
	tests := []struct {
		name   string
		file   map[string]config.Connection
		env    map[string]string
		source string
		flag   string
		want   want
	}{
		{"okta", nil, full, "oktaApi", "", want{"https://dev-1.oktapreview.com", "environment", "ssws", ""}},
		{"auth0", nil, full, "auth0Api", "", want{"https://x.eu.auth0.com/api/v2", "environment", "client_credentials", ""}},
		{"default domain", nil, map[string]string{"OKTA_ORG_NAME": "dev-1", "OKTA_API_TOKEN": "t"}, "okta", "", want{"https://dev-1.okta.com", "environment", "ssws", ""}},
		{"token and flag", nil, map[string]string{"OKTA_API_TOKEN": "t"}, "okta", "http://127.0.0.1:1", want{"http://127.0.0.1:1", "--server", "ssws", ""}},
		{"token alone", nil, map[string]string{"OKTA_API_TOKEN": "t"}, "okta", "", want{err: "source okta has no server"}},
		{"half a credential", nil, map[string]string{"AUTH0_DOMAIN": "x.auth0.com", "AUTH0_CLIENT_ID": "i"}, "auth0", "", want{"https://x.auth0.com/api/v2", "environment", "none", ""}},
		{"the file wins", map[string]config.Connection{"okta": {Server: "https://mine.okta.com", Auth: config.Auth{Type: "bearer", Token: "env:T"}}}, full, "oktaApi", "", want{"https://mine.okta.com", "lanyard.yaml", "bearer", ""}},
		{"no token to another org", map[string]config.Connection{"okta": {Server: "https://mine.okta.com"}}, full, "oktaApi", "", want{"https://mine.okta.com", "lanyard.yaml", "none", ""}},
		{"limits of the file", map[string]config.Connection{"okta": {Limits: config.Limits{Share: 50}}}, full, "oktaApi", "", want{"https://dev-1.oktapreview.com", "environment", "ssws", ""}},
		{"braces", nil, map[string]string{"OKTA_ORG_NAME": "{OKTA_ORG_NAME}", "OKTA_API_TOKEN": "t"}, "oktaApi", "", want{err: "not a base URL"}},
		{"a trick", nil, map[string]string{"OKTA_ORG_NAME": "x@evil.test/", "OKTA_API_TOKEN": "t"}, "oktaApi", "", want{err: "not a base URL"}},
		{"not the provider's", nil, full, "slackApi", "", want{err: "source slackApi has no server"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.file, nil, func(o *connector.Options) {
				o.Secrets = &secret.Resolver{Env: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }}
			})
			choices := run.Bindings{}
			if tt.flag != "" {
				choices.Servers = map[string]string{tt.source: tt.flag}
			}
			conn, err := b.Bind(connector.Source{Name: tt.source}, choices)
			if tt.want.err != "" {
				if err == nil || !strings.Contains(fault.Public(err), tt.want.err) {
					t.Errorf("Bind = %+v, %v, want the error %q", conn, err, tt.want.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := (want{conn.Server, conn.BoundBy, conn.Credential, ""}); got != tt.want {
				t.Errorf("Bind = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	var paths []string
	b := newBench(t, nil, map[string]http.Handler{"http://127.0.0.1:8482": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths = append(paths, r.RequestURI) })})
	for _, server := range []string{"http://127.0.0.1:8482", "http://127.0.0.1:8482/", "http://127.0.0.1:8482/api/v2", "http://127.0.0.1:8482/api/v2/"} {
		conn := b.bind("x", run.Bindings{Servers: map[string]string{"x": server}})
		if x := b.do(conn, call("GET", "/users")); x.Err != nil {
			t.Error(x.Err)
		}
	}
	if diff := cmp.Diff([]string{"/users", "/users", "/api/v2/users", "/api/v2/users"}, paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestPathValues(t *testing.T) {
	b := newBench(t, nil, map[string]http.Handler{otherURL: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was sent", r.RequestURI) })})
	conn := b.bind("x", run.Bindings{Servers: map[string]string{"x": otherURL}})
	for _, path := range []string{"/users/..", "/users/%2E%2e", "/users/.", "/users/..%2Fgroups", "/users/a%2F..", "/users/..%5Cx", "/users/", "//1"} {
		x := b.do(conn, connector.Call{
			Operation: &openapi.Operation{Method: "DELETE", Path: "/users/{id}"},
			Request:   &openapi.Request{Method: "DELETE", Path: path},
		})
		if !fault.Is(x.Err, fault.Invalid) || x.Sent {
			t.Errorf("%s: %v, sent %v; want Invalid, never sent", path, x.Err, x.Sent)
		}
	}
}

func TestCredentialPlaces(t *testing.T) {
	security := func(name string) []map[string][]string { return []map[string][]string{{name: nil}} }
	schemes := map[string]openapi.Scheme{
		"key":    {Name: "key", Type: "apiKey", In: "header", Param: "X-Key"},
		"query":  {Name: "query", Type: "apiKey", In: "query", Param: "api key"},
		"cookie": {Name: "cookie", Type: "apiKey", In: "cookie", Param: "sid"},
		"http":   {Name: "http", Type: "http", HTTP: "bearer"},
	}
	key := config.Auth{Type: "apiKey", Token: "env:TOKEN"}
	tests := []struct {
		name string
		auth config.Auth
		op   openapi.Operation
		req  openapi.Request
		want string // URI, Authorization, X-Key, Cookie as the server sees them
	}{
		{"bearer", config.Auth{Type: "bearer", Token: "env:TOKEN"}, openapi.Operation{HasSecurity: true, Security: security("http")}, openapi.Request{}, "/p|Bearer tok-0123456789||"},
		{"bearer, own prefix", config.Auth{Type: "bearer", Token: "env:TOKEN", Prefix: "Token "}, openapi.Operation{}, openapi.Request{}, "/p|Token tok-0123456789||"},
		{"basic", config.Auth{Type: "basic", Username: "ann", Password: "env:PASS"}, openapi.Operation{}, openapi.Request{}, "/p|Basic YW5uOnBhc3MtMDEyMzQ1Njc4OQ==||"},
		{"key in a header", key, openapi.Operation{HasSecurity: true, Security: security("key")}, openapi.Request{}, "/p||tok-0123456789|"},
		{"key in the query", key, openapi.Operation{HasSecurity: true, Security: security("query")}, openapi.Request{Query: "a=1"}, "/p?a=1&api+key=tok-0123456789|||"},
		{"key in a cookie", key, openapi.Operation{HasSecurity: true, Security: security("cookie")}, openapi.Request{Header: map[string][]string{"Cookie": {"a=1"}}}, "/p|||a=1; sid=tok-0123456789"},
		{"key where lanyard.yaml says", config.Auth{Type: "apiKey", Token: "env:TOKEN", Name: "X-Key", Prefix: "k="}, openapi.Operation{}, openapi.Request{}, "/p||k=tok-0123456789|"},
		{"public operation", config.Auth{Type: "bearer", Token: "env:TOKEN"}, openapi.Operation{HasSecurity: true}, openapi.Request{}, "/p|||"},
		{"the document's header wins", config.Auth{Type: "bearer", Token: "env:TOKEN"}, openapi.Operation{}, openapi.Request{Header: map[string][]string{"authorization": {"SSWS theirs"}}}, "/p|SSWS theirs||"},
		{"the document's parameter wins", key, openapi.Operation{HasSecurity: true, Security: security("query")}, openapi.Request{Query: "api%20key=theirs"}, "/p?api%20key=theirs|||"},
		{"the document's cookie wins", key, openapi.Operation{HasSecurity: true, Security: security("cookie")}, openapi.Request{Header: map[string][]string{"Cookie": {"a=1; sid=theirs"}}}, "/p|||a=1; sid=theirs"},
		{"none", config.Auth{Type: "none"}, openapi.Operation{HasSecurity: true, Security: security("http")}, openapi.Request{}, "/p|||"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			b := newBench(t, map[string]config.Connection{"x": {Server: otherURL, Auth: tt.auth}}, map[string]http.Handler{
				otherURL: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					got = strings.Join([]string{r.RequestURI, strings.Join(r.Header["Authorization"], "+"), r.Header.Get("X-Key"), strings.Join(r.Header["Cookie"], "+")}, "|")
				}),
			})
			tt.op.Method, tt.op.Path, tt.req.Method, tt.req.Path = "GET", "/p", "GET", "/p"
			conn := b.bindSource(connector.Source{Name: "x", Operations: []*openapi.Operation{&tt.op}, Schemes: schemes})
			x := b.do(conn, connector.Call{Operation: &tt.op, Request: &tt.req})
			if x.Err != nil || got != tt.want {
				t.Errorf("the server saw %q, %v, want %q", got, x.Err, tt.want)
			}
			r := secret.NewRedactor(conn.Secrets()...)
			if shown := fmt.Sprintf("%+v", x.Request); r.Has(shown) {
				t.Errorf("the record shows the credential: %s", shown)
			}
			if want, ok := strings.CutSuffix(tt.want, "&api+key=tok-0123456789|||"); ok && x.Request.URL != otherURL+want {
				t.Errorf("the URL is %s, want it without the key's parameter", x.Request.URL)
			}
			_, name, ok := conn.Injects(&tt.op)
			if sends := strings.Contains(got, "0123456789") || strings.Contains(got, "YW5u"); sends && (!ok || name == "") {
				t.Errorf("Injects = %q, %v, though a credential was put", name, ok)
			}
		})
	}
}

func TestMissingCredentialIsNotSent(t *testing.T) {
	b := newBench(t, map[string]config.Connection{"okta": {Server: oktaURL, Auth: config.Auth{Type: "ssws", Token: "env:MISSING"}}}, map[string]http.Handler{
		oktaURL: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the server was reached") }),
	})
	conn := b.bind("okta")
	if err := b.Open(t.Context(), conn); !fault.Is(err, fault.Unauthorized) || !strings.Contains(fault.Public(err), "connections.okta.auth.token: the environment variable MISSING is not set") {
		t.Errorf("Open = %v, want Unauthorized, naming the variable", err)
	}
	if x := b.do(conn, call("GET", "/x")); !fault.Is(x.Err, fault.Unauthorized) || x.Sent {
		t.Errorf("Do = %v, sent %v, want Unauthorized, never sent", x.Err, x.Sent)
	}
}

// TestCredentialStaysHome checks that neither a redirect nor a second bound host
// is given the credential by Do.
func TestCredentialStaysHome(t *testing.T) {
	b := newBench(t, map[string]config.Connection{"okta": {Server: oktaURL, Hosts: []string{"evil.test"}, Auth: ssws.Auth}}, map[string]http.Handler{
		oktaURL:             http.RedirectHandler("https://evil.test/", http.StatusTemporaryRedirect),
		"https://evil.test": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }),
	})
	if x := b.do(b.bind("okta"), call("GET", "/x")); x.Err != nil || x.Response.Status != 307 {
		t.Errorf("Do = %+v, want the 307", x)
	}
}

// TestDefaultServerGetsNoCredential: what the document supplies is a secret of
// the operator's, too.
func TestDefaultServerGetsNoCredential(t *testing.T) {
	reached := 0
	b := newBench(t, nil, map[string]http.Handler{otherURL: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })})
	op := &openapi.Operation{Method: "GET", Path: "/x", Servers: []openapi.Server{{URL: otherURL}}}
	src := connector.Source{Name: "x", Operations: []*openapi.Operation{op}}
	for _, req := range []openapi.Request{
		{Method: "GET", Path: "/x", Header: map[string][]string{"authorization": {"Bearer theirs"}}},
		{Method: "GET", Path: "/x", Query: "a=1&api%5Fkey=theirs"},
	} {
		c := connector.Call{Operation: op, Request: &req}
		if x := b.do(b.bindSource(src), c); !fault.Is(x.Err, fault.Refused) || x.Sent || !strings.Contains(fault.Public(x.Err), "--server x=URL") {
			t.Errorf("Do = %+v, want Refused, never sent", x)
		}
		if x := b.do(b.bindSource(src, run.Bindings{Servers: map[string]string{"x": otherURL}}), c); x.Err != nil {
			t.Errorf("to a bound server: %v", x.Err)
		}
	}
	if x := b.do(b.bindSource(src), connector.Call{Operation: op, Request: &openapi.Request{Method: "GET", Path: "/x", Query: "page=1"}}); x.Err != nil {
		t.Errorf("without a credential: %v", x.Err)
	}
	if reached != 3 {
		t.Errorf("the server was reached %d times, want 3", reached)
	}
}

// tokenServer issues tokens t1, t2 ... and remembers the requests for them.
type tokenServer struct {
	mu      sync.Mutex
	forms   []url.Values
	basic   []string
	expires int
	hold    chan struct{} // when set, requests wait for it
	fail    func(w http.ResponseWriter)
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	s.mu.Lock()
	s.forms = append(s.forms, r.PostForm)
	user, pass, _ := r.BasicAuth()
	s.basic = append(s.basic, user+":"+pass)
	n := len(s.forms)
	s.mu.Unlock()
	if s.hold != nil {
		<-s.hold
	}
	if s.fail != nil {
		s.fail(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprintf("access-token-%d", n), "token_type": "Bearer", "expires_in": s.expires, "scope": "read:users"})
}

func (s *tokenServer) requests() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.forms) }

// auth0 is a bench with an Auth0 tenant whose API is the given handler.
func auth0(t *testing.T, tokens *tokenServer, auth config.Auth, api http.HandlerFunc) (*bench, *connector.Connection) {
	mux := http.NewServeMux()
	mux.Handle("POST /oauth/token", tokens)
	mux.HandleFunc("/api/v2/", api)
	b := newBench(t, map[string]config.Connection{"auth0": {Server: auth0URL + "/api/v2", Auth: auth}}, map[string]http.Handler{auth0URL: mux})
	return b, b.bind("auth0")
}

var clientCredentials = config.Auth{Type: "client_credentials", ClientID: "env:ID", ClientSecret: "env:SECRET"}

func TestClientCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokenServer{expires: 3600}
		var seen []string
		b, conn := auth0(t, tokens, clientCredentials, func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.Header.Get("Authorization")) })
		b.do(conn, call("GET", "/users"))
		time.Sleep(58 * time.Minute)
		b.do(conn, call("GET", "/users"))
		time.Sleep(70 * time.Second) // within a minute of its expiry a token is renewed
		b.do(conn, call("GET", "/users"))
		if diff := cmp.Diff([]string{"Bearer access-token-1", "Bearer access-token-1", "Bearer access-token-2"}, seen); diff != "" {
			t.Errorf("the API saw (-want +got):\n%s", diff)
		}
		want := url.Values{"grant_type": {"client_credentials"}, "client_id": {"client-1"}, "client_secret": {"sec-0123456789"}, "audience": {auth0URL + "/api/v2/"}}
		if diff := cmp.Diff(want, tokens.forms[0]); diff != "" {
			t.Errorf("the token endpoint saw (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"sec-0123456789", "access-token-1", "access-token-2"}, conn.Secrets()); diff != "" {
			t.Errorf("Secrets (-want +got):\n%s", diff)
		}
	})
}

func TestClientCredentialsOptions(t *testing.T) {
	tokens := &tokenServer{expires: 60}
	mux := http.NewServeMux()
	mux.Handle("POST /custom/token", tokens)
	b := newBench(t, map[string]config.Connection{"x": {Server: otherURL + "/v1", Auth: config.Auth{
		Type: "client_credentials", ClientID: "literal id", ClientSecret: "env:SECRET", ClientAuth: "basic",
		TokenURL: "/custom/token", Audience: "aud", Scopes: []string{"a", "b"},
	}}}, map[string]http.Handler{otherURL: mux})
	b.do(b.bind("x"), call("GET", "/y"))
	if len(tokens.forms) != 1 || tokens.basic[0] != "literal+id:sec-0123456789" {
		t.Fatalf("the token endpoint saw %v, %v", tokens.forms, tokens.basic)
	}
	if f := tokens.forms[0]; f.Get("scope") != "a b" || f.Get("audience") != "aud" || f.Has("client_secret") {
		t.Errorf("the form is %v", f)
	}
}

// TestTokenEndpointOfTheDescription is resolved against the bound server.
func TestTokenEndpointOfTheDescription(t *testing.T) {
	tokens := &tokenServer{expires: 60}
	mux := http.NewServeMux()
	mux.Handle("POST /oauth/token/", tokens)
	auth := clientCredentials
	b := newBench(t, map[string]config.Connection{"x": {Server: otherURL + "/v1", Auth: auth}}, map[string]http.Handler{otherURL: mux})
	conn := b.bindSource(connector.Source{Name: "x", Schemes: map[string]openapi.Scheme{
		"a": {Type: "apiKey", In: "header", Param: "X"}, "o": {Type: "oauth2", TokenURL: "/oauth/token/"},
	}})
	if x := b.do(conn, call("GET", "/y")); x.Err != nil || tokens.requests() != 1 {
		t.Errorf("Do = %+v, %d token requests, want 1", x, tokens.requests())
	}
}

func TestOneFetchForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokenServer{expires: 3600, hold: make(chan struct{})}
		var ok atomic.Int32
		b, conn := auth0(t, tokens, clientCredentials, func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer access-token-1" {
				ok.Add(1)
			}
		})
		// The first to ask gives up; the fetch goes on for the others.
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan connector.Exchange, 1)
		go func() { given <- b.Do(ctx, conn, call("GET", "/users")) }()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() { b.do(b.bind("auth0"), call("GET", "/users")) }) // each run binds anew
		}
		synctest.Wait()
		cancel()
		if x := <-given; !fault.Is(x.Err, fault.Unavailable) || x.Sent {
			t.Errorf("the call that gave up = %+v", x)
		}
		close(tokens.hold)
		wg.Wait()
		if n := tokens.requests(); n != 1 || ok.Load() != 64 {
			t.Errorf("%d token requests, %d calls with the token, want 1 and 64", n, ok.Load())
		}
	})
}

func TestRenewedOnceAfter401(t *testing.T) {
	tokens := &tokenServer{expires: 3600}
	var good atomic.Value
	good.Store("Bearer access-token-2")
	var calls atomic.Int32
	b, conn := auth0(t, tokens, clientCredentials, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.Header.Get("Authorization") != good.Load() {
			w.WriteHeader(401)
		}
	})
	// Many are refused at once; one renews.
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if x := b.do(conn, call("POST", "/users")); x.Err != nil || x.Denied != nil || x.Response.Status != 200 {
				t.Errorf("Do = %+v", x)
			}
		})
	}
	wg.Wait()
	if n := tokens.requests(); n != 2 {
		t.Errorf("%d token requests, want 2", n)
	}

	good.Store("none")
	calls.Store(0)
	x := b.do(conn, call("POST", "/users"))
	if x.Response.Status != 401 || x.Err != nil || !fault.Is(x.Denied, fault.Unauthorized) || len(x.Attempts) != 2 || calls.Load() != 2 || tokens.requests() != 3 {
		t.Errorf("Do = %+v, %d calls, %d token requests, want the 401, Denied, 2 calls", x, calls.Load(), tokens.requests())
	}
	if x.Attempts[0].Reason == "" || x.Attempts[1].Reason != "" {
		t.Errorf("reasons = %q, %q", x.Attempts[0].Reason, x.Attempts[1].Reason)
	}
}

// TestLateRefusal: a call that was refused with the old token does not end the
// new one.
func TestLateRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokenServer{expires: 3600}
		var calls atomic.Int32
		b, conn := auth0(t, tokens, clientCredentials, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer access-token-1" {
				time.Sleep(time.Duration(calls.Add(1)) * time.Second)
				w.WriteHeader(401)
			}
		})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if x := b.do(conn, call("POST", "/users")); x.Response.Status != 200 {
					t.Errorf("Do = %+v", x)
				}
			})
		}
		wg.Wait()
		if n := tokens.requests(); n != 2 {
			t.Errorf("%d token requests, want 2", n)
		}
	})
}

// TestChangedSecret: what was got with the old secret ends, a fetch under way
// included.
func TestChangedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokenServer{expires: 3600, hold: make(chan struct{})}
		environment := map[string]string{"ID": "client-1", "SECRET": "old-0123456789"}
		mux := http.NewServeMux()
		mux.Handle("POST /oauth/token", tokens)
		var seen []string
		mux.HandleFunc("/api/v2/", func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.Header.Get("Authorization")) })
		b := newBench(t, map[string]config.Connection{"auth0": {Server: auth0URL, Auth: clientCredentials}}, map[string]http.Handler{auth0URL: mux}, func(o *connector.Options) {
			o.Secrets = &secret.Resolver{Env: func(name string) (string, bool) { v, ok := environment[name]; return v, ok }}
		})
		conn := b.bind("auth0")
		change := func(secret string) {
			environment["SECRET"] = secret
			if err := b.Open(t.Context(), conn); err != nil {
				t.Error(err)
			}
		}
		done := make(chan struct{})
		go func() { b.do(conn, call("GET", "/users")); close(done) }()
		synctest.Wait()
		change("new-0123456789")
		close(tokens.hold)
		<-done
		b.do(conn, call("GET", "/users"))
		change("new-0123456789") // unchanged
		b.do(conn, call("GET", "/users"))
		change("newer-0123456789")
		b.do(conn, call("GET", "/users"))
		if diff := cmp.Diff([]string{"Bearer access-token-1", "Bearer access-token-2", "Bearer access-token-2", "Bearer access-token-3"}, seen); diff != "" {
			t.Errorf("the API saw (-want +got):\n%s", diff)
		}
	})
}

func TestDenied(t *testing.T) {
	deny := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) })
	b := newBench(t, map[string]config.Connection{"okta": ssws, "bare": {Server: otherURL}}, map[string]http.Handler{oktaURL: deny, otherURL: deny})
	own := call("GET", "/x")
	own.Request.Header = map[string][]string{"Authorization": {"SSWS theirs"}}
	for _, tt := range []struct {
		source string
		call   connector.Call
		text   string
	}{
		{"okta", call("GET", "/x"), "connections.okta.auth (env:TOKEN)"},
		{"okta", own, "that the workflow supplies"},
		{"bare", call("GET", "/x"), "none is bound"},
		{"bare", own, "that the workflow supplies"},
	} {
		x := b.do(b.bind(tt.source), tt.call)
		if x.Err != nil || x.Response.Status != 401 || !fault.Is(x.Denied, fault.Unauthorized) || !strings.Contains(fault.Public(x.Denied), tt.text) || len(x.Attempts) != 1 {
			t.Errorf("%s: %+v, want Denied with %q", tt.source, x, tt.text)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name string
		fail func(http.ResponseWriter)
		kind fault.Kind
		text string
	}{
		{"refused", answer(401, `{"error":"access_denied","error_description":"Unauthorized\nsec-0123456789 is wrong"}`), fault.Unauthorized, "401 (access_denied: Unauthorized [masked] is wrong)"},
		{"not JSON", answer(403, `<html>`), fault.Unauthorized, "403"},
		{"slow down", answer(429, `{}`), fault.RateLimited, "slow down"},
		{"down", answer(503, ``), fault.Unavailable, "503"},
		{"no token", answer(200, `{"scope":"x"}`), fault.Unauthorized, "no access token"},
		{"no JSON", answer(200, `tok`), fault.Unauthorized, "no access token"},
		{"proof of possession", answer(200, `{"access_token":"x","token_type":"DPoP"}`), fault.Unsupported, "proof of possession"},
		{"cut off", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, fault.Unavailable, "no access token: the connection to example.eu.auth0.com broke off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, conn := auth0(t, &tokenServer{fail: tt.fail}, clientCredentials, func(http.ResponseWriter, *http.Request) { t.Error("the API was called") })
			x := b.do(conn, call("GET", "/users"))
			if !fault.Is(x.Err, tt.kind) || !strings.Contains(fault.Public(x.Err), tt.text) || x.Sent || x.Response.Status != 0 {
				t.Errorf("Do = %+v (kind %v), want kind %v, %q, never sent", x, fault.KindOf(x.Err), tt.kind, tt.text)
			}
			if x.Err != nil && strings.Contains(x.Err.Error(), "sec-0123456789") {
				t.Errorf("the error shows the secret: %v", x.Err)
			}
		})
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(rsaKey)
	sec1, _ := x509.MarshalECPrivateKey(ecKey)
	inJWK, _ := (&jose.JSONWebKey{Key: ecKey, KeyID: "from-jwk"}).MarshalJSON()
	for _, tt := range []struct {
		name, key, keyID, kid string
		public                any
		alg                   jose.SignatureAlgorithm
	}{
		{"PKCS#8", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), "k1", "k1", rsaKey.Public(), jose.RS256},
		{"PKCS#1", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})), "", "", rsaKey.Public(), jose.RS256},
		{"SEC 1", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), "k1", "k1", ecKey.Public(), jose.ES256},
		{"JWK", string(inJWK), "", "from-jwk", ecKey.Public(), jose.ES256},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tokens := &tokenServer{expires: 3600}
			mux := http.NewServeMux()
			mux.Handle("POST /oauth2/v1/token", tokens)
			mux.HandleFunc("/api/", func(http.ResponseWriter, *http.Request) {})
			b := newBench(t, map[string]config.Connection{"okta": {Server: oktaURL, Auth: config.Auth{Type: "private_key_jwt", ClientID: "0oa1", PrivateKey: "env:KEY", KeyID: tt.keyID}}},
				map[string]http.Handler{oktaURL: mux}, func(o *connector.Options) {
					o.Secrets = &secret.Resolver{Env: func(string) (string, bool) { return tt.key, true }}
				})
			op := &openapi.Operation{Method: "GET", Path: "/api/v1/users", HasSecurity: true, Security: []map[string][]string{{"oauth2": {"okta.users.read"}}, {"apiToken": nil}}}
			conn := b.bindSource(connector.Source{Name: "okta", Operations: []*openapi.Operation{op}, Schemes: map[string]openapi.Scheme{"oauth2": {Type: "oauth2"}, "apiToken": {Type: "apiKey", In: "header", Param: "Authorization"}}})
			if x := b.do(conn, connector.Call{Operation: op, Request: &openapi.Request{Method: "GET", Path: "/api/v1/users"}}); x.Err != nil {
				t.Fatal(x.Err)
			}
			form := tokens.forms[0]
			if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Get("scope") != "okta.users.read" || form.Has("client_secret") {
				t.Errorf("the form is %v", form)
			}
			signed, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{tt.alg})
			if err != nil {
				t.Fatal(err)
			}
			var claims jwt.Claims
			if err := signed.Claims(tt.public, &claims); err != nil {
				t.Fatal(err)
			}
			if claims.Issuer != "0oa1" || claims.Subject != "0oa1" || !slices.Equal(claims.Audience, jwt.Audience{oktaURL + "/oauth2/v1/token"}) || claims.ID == "" {
				t.Errorf("claims = %+v", claims)
			}
			if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life <= 0 || life > 5*time.Minute {
				t.Errorf("the assertion lives %v, want at most 5 m", life)
			}
			if kid := signed.Headers[0].KeyID; kid != tt.kid {
				t.Errorf("kid = %q, want %q", kid, tt.kid)
			}
		})
	}
	t.Run("not a key", func(t *testing.T) {
		b := newBench(t, map[string]config.Connection{"okta": {Server: oktaURL, Auth: config.Auth{Type: "private_key_jwt", ClientID: "x", PrivateKey: "env:PASS", Scopes: []string{"a"}}}}, nil)
		if err := b.Open(t.Context(), b.bind("okta")); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), "connections.okta.auth.privateKey") || strings.Contains(err.Error(), "pass-") {
			t.Errorf("Open = %v, want Invalid at the key", err)
		}
	})
}

// limited answers as Okta does, from a window of its own clock, which is wrong
// by skew.
type limited struct {
	mu     sync.Mutex
	limit  int
	used   int
	until  time.Time
	skew   time.Duration
	refuse int
}

func (l *limited) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	defer time.Sleep(time.Duration(l.count(w)) * time.Millisecond)
}

// count answers, and returns how many milliseconds the answer takes: every
// other one is slow, so that answers overtake each other.
func (l *limited) count(w http.ResponseWriter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !now.Before(l.until) {
		l.until, l.used = now.Truncate(time.Second).Add(time.Minute), 0
	}
	w.Header().Set("Date", now.Add(l.skew).UTC().Format(http.TimeFormat))
	w.Header().Set("X-Rate-Limit-Limit", strconv.Itoa(l.limit))
	w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(l.until.Add(l.skew).Unix(), 10))
	w.Header().Set("X-Rate-Limit-Remaining", strconv.Itoa(max(0, l.limit-l.used-1)))
	if l.used >= l.limit {
		l.refuse++
		w.WriteHeader(429)
		return 0
	}
	l.used++
	return l.used % 2 * 300
}

func TestOktaLimitIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The server's clock is wrong by an hour: Reset means something only
		// beside Date.
		server := &limited{limit: 10, skew: time.Hour}
		b := newBench(t, map[string]config.Connection{"okta": ssws}, map[string]http.Handler{oktaURL: server})
		begin := time.Now()
		b.do(b.bind("okta"), call("GET", "/api/v1/users")) // the first learns the limit
		var wg sync.WaitGroup
		for range 24 {
			wg.Go(func() {
				if x := b.do(b.bind("okta"), call("GET", "/api/v1/users")); x.Err != nil || x.Response.Status != 200 {
					t.Errorf("Do = %+v", x)
				}
			})
		}
		wg.Wait()
		if server.refuse != 0 {
			t.Errorf("%d calls were refused, want none: the headers announce the limit", server.refuse)
		}
		if d := time.Since(begin); d < 2*time.Minute || d > 2*time.Minute+6*time.Second {
			t.Errorf("25 calls with 10 a minute took %v, want a little over two minutes", d)
		}
	})
}

func TestShareOfTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limited{limit: 10}
		half := ssws
		half.Limits.Share = 50
		b := newBench(t, map[string]config.Connection{"okta": half}, map[string]http.Handler{oktaURL: server})
		conn := b.bind("okta")
		for range 5 {
			if x := b.do(conn, call("GET", "/api/v1/users")); x.Waited != 0 {
				t.Errorf("waited %v within the share", x.Waited)
			}
		}
		x := b.do(conn, call("GET", "/api/v1/users"))
		if x.Waited < 59*time.Second || x.Response.Status != 200 || x.Attempts[0].Waited != x.Waited {
			t.Errorf("beyond the share: waited %v, %+v, want until the reset", x.Waited, x.Attempts)
		}
	})
}

// steps answers each call in turn; the last answer repeats.
type steps struct {
	mu      sync.Mutex
	answers []func(w http.ResponseWriter)
	at      []time.Time
}

func (s *steps) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	answer := s.answers[min(len(s.at), len(s.answers)-1)]
	s.at = append(s.at, time.Now())
	s.mu.Unlock()
	answer(w)
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func TestRefusals(t *testing.T) {
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble begins
	date := epoch.Add(time.Hour)
	at := func(d time.Duration) string { return strconv.FormatInt(date.Add(d).Unix(), 10) }
	okta := func(code int, limit, remaining string, reset time.Duration) func(http.ResponseWriter) {
		return status(code, "Date", date.Format(http.TimeFormat), "X-Rate-Limit-Limit", limit, "X-Rate-Limit-Remaining", remaining, "X-Rate-Limit-Reset", at(reset))
	}
	tests := []struct {
		name      string
		source    string
		method    string
		selfPaced bool
		deadline  time.Duration
		answers   []func(http.ResponseWriter)
		status    int
		waits     []time.Duration // between sendings
	}{
		{"Okta: Reset - Date + 1", "okta", "POST", false, 0, []func(http.ResponseWriter){okta(429, "10", "0", 20*time.Second), status(200)}, 200, []time.Duration{21 * time.Second}},
		{"Okta: too many at a time", "okta", "POST", false, 0, []func(http.ResponseWriter){okta(429, "0", "0", 50*time.Second), okta(429, "0", "0", 50*time.Second), status(200)}, 200, []time.Duration{time.Second, 2 * time.Second}},
		{"Auth0: Retry-After", "auth0", "POST", false, 0, []func(http.ResponseWriter){status(429, "Retry-After", "7", "X-RateLimit-Reset", at(50*time.Second)), status(201)}, 201, []time.Duration{7 * time.Second}},
		{"Retry-After as a date", "auth0", "POST", false, 0, []func(http.ResponseWriter){status(429, "Retry-After", date.Add(9*time.Second).Format(http.TimeFormat), "Date", date.Format(http.TimeFormat)), status(201)}, 201, []time.Duration{9 * time.Second}},
		{"without any header", "okta", "POST", false, 0, []func(http.ResponseWriter){status(429), status(429), status(429), status(200)}, 200, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
		{"for ever", "auth0", "POST", false, 0, []func(http.ResponseWriter){status(429, "Retry-After", "1")}, 429, []time.Duration{time.Second, time.Second, time.Second, time.Second, time.Second}},
		{"longer than is worth it", "auth0", "POST", false, 0, []func(http.ResponseWriter){status(429, "Retry-After", "3600")}, 429, nil},
		{"longer than the call may take", "auth0", "POST", false, 5 * time.Second, []func(http.ResponseWriter){status(429, "Retry-After", "10")}, 429, nil},
		{"the workflow has a plan", "auth0", "POST", true, 0, []func(http.ResponseWriter){status(429, "Retry-After", "1")}, 429, nil},
		{"503 with Retry-After, idempotent", "okta", "PUT", false, 0, []func(http.ResponseWriter){status(503, "Retry-After", "3"), status(204)}, 204, []time.Duration{3 * time.Second}},
		{"503 with Retry-After, not idempotent", "okta", "POST", false, 0, []func(http.ResponseWriter){status(503, "Retry-After", "3")}, 503, nil},
		{"503 without Retry-After", "okta", "GET", false, 0, []func(http.ResponseWriter){status(503)}, 503, nil},
		{"500", "okta", "GET", false, 0, []func(http.ResponseWriter){status(500, "Retry-After", "1")}, 500, nil},
		{"unknown server is not paced", "other", "POST", false, 0, []func(http.ResponseWriter){status(429, "Retry-After", "1")}, 429, nil},
		{"unknown server with limits is", "limited", "POST", false, 0, []func(http.ResponseWriter){status(429, "Retry-After", "1"), status(200)}, 200, []time.Duration{time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &steps{answers: tt.answers}
				auth := config.Auth{Type: "bearer", Token: "env:TOKEN"}
				b := newBench(t, map[string]config.Connection{
					"okta": {Server: oktaURL, Auth: auth}, "auth0": {Server: auth0URL, Auth: auth}, "other": {Server: otherURL, Auth: auth},
					"limited": {Server: otherURL, Auth: auth, Limits: config.Limits{Concurrency: 5}},
				}, map[string]http.Handler{oktaURL: server, auth0URL: server, otherURL: server})
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				c := call(tt.method, "/x")
				c.SelfPaced = tt.selfPaced
				x := b.Do(ctx, b.bind(tt.source), c)
				if x.Err != nil || x.Response.Status != tt.status || !x.Sent || len(x.Attempts) != len(server.at) {
					t.Fatalf("Do = %+v, %d sendings, want status %d", x, len(server.at), tt.status)
				}
				var waits []time.Duration
				var total time.Duration
				for i := 1; i < len(server.at); i++ {
					waits = append(waits, server.at[i].Sub(server.at[i-1]))
					total += waits[i-1]
				}
				if diff := cmp.Diff(tt.waits, waits); diff != "" || total != x.Waited {
					t.Errorf("waited %v (-want +got):\n%s", x.Waited, diff)
				}
				for i, a := range x.Attempts {
					if last := i == len(x.Attempts)-1; last != (a.Reason == "") {
						t.Errorf("attempt %d has the reason %q", i+1, a.Reason)
					}
				}
			})
		})
	}
}

// TestWithin checks that the bound of a call holds for its waits: the answer
// that asked for too long a wait stands, and waits that fit are kept to.
func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		within   time.Duration
		sendings int
		status   int
		took     time.Duration
	}{{0, 3, 201, 10 * time.Second}, {20 * time.Second, 3, 201, 10 * time.Second}, {8 * time.Second, 2, 429, 5 * time.Second}, {time.Second, 1, 429, 0}} {
		t.Run(tt.within.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &steps{answers: []func(http.ResponseWriter){status(429, "Retry-After", "5"), status(429, "Retry-After", "5"), status(201)}}
				b := newBench(t, map[string]config.Connection{"auth0": {Server: auth0URL, Auth: config.Auth{Type: "bearer", Token: "env:TOKEN"}}}, map[string]http.Handler{auth0URL: server})
				c := call("POST", "/x")
				c.Within = tt.within
				begin := time.Now()
				x := b.Do(t.Context(), b.bind("auth0"), c)
				if x.Err != nil || x.Response.Status != tt.status || len(server.at) != tt.sendings || time.Since(begin) != tt.took {
					t.Errorf("Do = %d, %v, %d sendings in %v; want %d, %d in %v", x.Response.Status, x.Err, len(server.at), time.Since(begin), tt.status, tt.sendings, tt.took)
				}
			})
		})
	}
}

// TestOthersWaitToo checks that a refusal of one run holds back the others on
// the same bucket and not those on another, and that after the wait one goes
// first.
func TestOthersWaitToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(http.ResponseWriter) { time.Sleep(time.Second) }
		users := &steps{answers: []func(http.ResponseWriter){status(429, "Retry-After", "10"), slow, status(200)}}
		groups := &steps{answers: []func(http.ResponseWriter){status(200)}}
		mux := http.NewServeMux()
		mux.Handle("/api/v1/users", users)
		mux.Handle("/api/v1/groups", groups)
		b := newBench(t, map[string]config.Connection{"okta": ssws}, map[string]http.Handler{oktaURL: mux})
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { b.do(b.bind("okta"), call("POST", "/api/v1/users")) })
		synctest.Wait()
		for range 5 {
			wg.Go(func() { b.do(b.bind("okta"), call("POST", "/api/v1/users")) })
		}
		if x := b.do(b.bind("okta"), call("GET", "/api/v1/groups")); x.Waited != 0 {
			t.Errorf("another bucket waited %v", x.Waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if x := b.Do(ctx, b.bind("okta"), call("POST", "/api/v1/users")); !fault.Is(x.Err, fault.RateLimited) || x.Sent || time.Since(begin) != 0 {
			t.Errorf("a call that cannot wait so long = %+v after %v, want RateLimited at once, never sent", x, time.Since(begin))
		}
		wg.Wait()
		if len(users.at) != 7 {
			t.Fatalf("%d sendings, want 7", len(users.at))
		}
		for i, at := range users.at[1:] {
			want := 11 * time.Second // when the one that went first had its answer
			if i == 0 {
				want = 10 * time.Second
			}
			if d := at.Sub(begin); d != want {
				t.Errorf("sending %d was after %v, want %v", i+2, d, want)
			}
		}
	})
}

func TestRateAndConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy, most, calls atomic.Int32
		api := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			calls.Add(1)
			now := busy.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			time.Sleep(100 * time.Millisecond)
			busy.Add(-1)
		})
		b := newBench(t, map[string]config.Connection{
			"slow":   {Server: otherURL, Limits: config.Limits{Rate: 10}},
			"narrow": {Server: auth0URL, Limits: config.Limits{Concurrency: 3}},
		}, map[string]http.Handler{otherURL: api, auth0URL: api})
		many := func(source string, n int) time.Duration {
			begin := time.Now()
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if x := b.do(b.bind(source), call("GET", "/x")); x.Err != nil {
						t.Error(x.Err)
					}
				})
			}
			wg.Wait()
			return time.Since(begin)
		}
		// A second's worth at once, then ten a second.
		if d := many("slow", 30); d < 2*time.Second || d > 2300*time.Millisecond {
			t.Errorf("30 calls at 10/s took %v, want about 2.1 s", d)
		}
		most.Store(0)
		if d := many("narrow", 30); most.Load() != 3 || d != time.Second {
			t.Errorf("30 calls, 3 at a time: %d at a time, %v; want 3 and 1 s", most.Load(), d)
		}
	})
}

func TestSandboxIsNotPacedByItsHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var auth string
		b := newBench(t, map[string]config.Connection{"okta": ssws}, map[string]http.Handler{"http://okta.sandbox": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			auth = r.Header.Get("Authorization")
			w.Header().Set("X-Rate-Limit-Limit", "600")
			w.Header().Set("X-Rate-Limit-Remaining", "0")
			w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))
		})}, func(o *connector.Options) {
			o.Sandbox = map[string]string{"okta": "http://okta.sandbox"}
			o.SandboxToken = secret.NewValue("internal-token")
		})
		conn := b.bind("oktaApi", run.Bindings{Sandbox: true})
		for range 3 {
			if x := b.do(conn, call("GET", "/api/v1/users")); x.Err != nil || x.Waited != 0 {
				t.Errorf("Do = %+v", x)
			}
		}
		if auth != "SSWS internal-token" {
			t.Errorf("the sandbox saw %q, want its own token", auth)
		}
	})
}

func TestNotSent(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Close()
	b := newBench(t, map[string]config.Connection{"x": {Server: s.URL}}, nil)
	x := b.do(b.bind("x", run.Bindings{AllowPrivate: true}), call("POST", "/x"))
	if !fault.Is(x.Err, fault.Unavailable) || x.Sent || len(x.Attempts) != 1 || x.Response.Status != 0 {
		t.Errorf("Do = %+v, want Unavailable, never sent", x)
	}
	x = b.do(b.bind("x"), call("POST", "/x"))
	if !fault.Is(x.Err, fault.Refused) || x.Sent {
		t.Errorf("Do = %+v, want Refused: the address is private", x)
	}
}

func TestOpenTakesOverChanges(t *testing.T) {
	token := "first-0123456789"
	var seen []string
	b := newBench(t, map[string]config.Connection{"okta": ssws}, map[string]http.Handler{
		oktaURL: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.Header.Get("Authorization")) }),
	}, func(o *connector.Options) {
		o.Secrets = &secret.Resolver{Env: func(string) (string, bool) { return token, true }}
	})
	conn := b.bind("okta")
	b.do(conn, call("GET", "/x"))
	token = "second-0123456789"
	b.do(conn, call("GET", "/x")) // not looked up for every call
	if err := b.Open(t.Context(), b.bind("okta")); err != nil {
		t.Fatal(err)
	}
	b.do(conn, call("GET", "/x"))
	if diff := cmp.Diff([]string{"SSWS first-0123456789", "SSWS first-0123456789", "SSWS second-0123456789"}, seen); diff != "" {
		t.Errorf("the server saw (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"first-0123456789", "second-0123456789"}, conn.Secrets()); diff != "" {
		t.Errorf("both stay secret (-want +got):\n%s", diff)
	}
}

func TestProbe(t *testing.T) {
	code := 200
	oktaAPI := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/users/me" {
			t.Errorf("the probe went to %s", r.URL)
		}
		w.WriteHeader(code)
		io.WriteString(w, `{"profile":{"login":"admin@example.com"}}`)
	})
	payload := `{"sub":"client-1@clients","scope":"read:users create:users"}`
	jwtToken := "h." + strings.TrimRight(encode(payload), "=") + ".s"
	auth0API := http.NewServeMux()
	auth0API.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":60}`, jwtToken)
	})
	auth0API.HandleFunc("GET /api/v2/users", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	other := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	b := newBench(t, map[string]config.Connection{
		"okta": ssws, "auth0": {Server: auth0URL, Auth: clientCredentials}, "other": {Server: otherURL, Auth: config.Auth{Type: "bearer", Token: "env:TOKEN"}},
		"broken": {Server: otherURL, Auth: config.Auth{Type: "bearer", Token: "env:MISSING"}},
	}, map[string]http.Handler{oktaURL: oktaAPI, auth0URL: auth0API, otherURL: other})
	probe := func(name string, answer int) connector.Report {
		code = answer
		conn, err := b.BindNamed(name, run.Bindings{})
		if err != nil {
			t.Fatal(err)
		}
		return b.Probe(t.Context(), conn)
	}
	if r := probe("okta", 200); !r.OK || r.Identity != "admin@example.com" || r.Status != 200 || r.Err != nil {
		t.Errorf("okta = %+v", r)
	}
	if r := probe("auth0", 200); !r.OK || r.Identity != "client-1@clients" || !slices.Equal(r.Scopes, []string{"create:users", "read:users"}) {
		t.Errorf("auth0 = %+v", r)
	}
	if r := probe("other", 0); !r.OK || !strings.Contains(r.Message, "first call") {
		t.Errorf("other = %+v", r)
	}
	for _, tt := range []struct {
		name string
		code int
		kind fault.Kind
	}{
		{"okta", 401, fault.Unauthorized}, {"okta", 403, fault.Forbidden}, {"okta", 404, fault.NotFound}, {"okta", 500, fault.Unavailable},
		{"auth0", 401, fault.Unauthorized}, {"auth0", 403, fault.Forbidden}, {"broken", 0, fault.Unauthorized},
	} {
		r := probe(tt.name, tt.code)
		if r.OK || !fault.Is(r.Err, tt.kind) || r.Message == "" || r.Remedy == "" || strings.Contains(r.Message, r.Remedy) {
			t.Errorf("%s, %d = %+v, want an error of kind %v with a remedy", tt.name, tt.code, r, tt.kind)
		}
	}
	if _, err := b.BindNamed("none", run.Bindings{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("BindNamed(none) = %v, want NotFound", err)
	}
	if diff := cmp.Diff([]string{"auth0", "broken", "okta", "other"}, b.Names()); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
}

func encode(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) }

func BenchmarkDo(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"id":"00u1"}`) }))
	defer s.Close()
	c := connector.New(connector.Options{
		Config:  &config.Config{Connections: map[string]config.Connection{"okta": {Server: s.URL, AllowPrivate: true, Auth: ssws.Auth}}},
		Secrets: &secret.Resolver{Env: func(string) (string, bool) { return "tok", true }},
		Client:  egress.New(egress.Policy{}),
	})
	conn, err := c.Bind(connector.Source{Name: "okta"}, run.Bindings{})
	if err != nil {
		b.Fatal(err)
	}
	create := call("POST", "/api/v1/users")
	create.Request.Body = []byte(`{"profile":{"login":"ann@example.com"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if x := c.Do(b.Context(), conn, create); x.Err != nil {
			b.Fatal(x.Err)
		}
	}
}
