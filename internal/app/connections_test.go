package app

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// accepting is a provider that takes one API token at a time.
func accepting(t *testing.T, token *atomic.Value) string {
	return provider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "SSWS "+token.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"id":"00u1","profile":{"login":"admin@example.com"}}`))
	})
}

func (b *bench) add(name string, c config.Connection, secrets cli.Credentials) (cli.KeyToRegister, error) {
	return connections{b.App}.Add(b.t.Context(), cli.AddConnection{Settings: b.settings(), Name: name, Connection: c, Credentials: secrets})
}

func (b *bench) reportOn(name string, probe bool) cli.ConnectionReport {
	b.t.Helper()
	reports, err := connections{b.App}.Report(b.t.Context(), b.settings(), []string{name}, probe)
	if err != nil || len(reports) != 1 {
		b.t.Fatalf("Report(%s) = %+v, %v", name, reports, err)
	}
	return reports[0]
}

// vaultNames lists what the vault holds.
func (b *bench) vaultNames() []string {
	b.t.Helper()
	list, err := (&secret.FileVault{Dir: b.path(".lanyard")}).List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

func token(text string) cli.Credentials { return cli.Credentials{Token: secret.NewValue(text)} }

func TestAddRotateRemove(t *testing.T) {
	var good atomic.Value
	good.Store("first-token")
	b := newBench(t)
	server := accepting(t, &good)
	okta := config.Connection{Provider: "okta", Server: server, AllowPrivate: true, Auth: config.Auth{Type: config.AuthSSWS}}
	if _, err := b.add("prod", okta, token("first-token")); err != nil {
		t.Fatal(err)
	}
	if r := b.reportOn("prod", false); r.State != "" || r.From != connector.ByCommand || r.Details.Added.IsZero() || r.Credential != "ssws" {
		t.Errorf("after adding: %+v", r)
	}
	if r := b.reportOn("prod", true); !r.OK || r.State != connector.Connected || r.Identity != "admin@example.com" {
		t.Errorf("tested: %+v", r)
	}
	if r := b.reportOn("prod", false); r.State != connector.Connected || r.Checked.IsZero() || r.Identity != "admin@example.com" {
		t.Errorf("the mark was not kept: %+v", r)
	}

	rotate := func(value string, now bool) cli.RotateReport {
		t.Helper()
		r, err := connections{b.App}.Rotate(t.Context(), cli.RotateConnection{Settings: b.settings(), Name: "prod", Now: now, Ask: func(kind string) (secret.Value, error) {
			if kind != config.AuthSSWS {
				t.Errorf("asked for a %s", kind)
			}
			return secret.NewValue(value), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := rotate("wrong-token", false); r.Switched || r.Test == nil || r.Test.OK {
		t.Errorf("a wrong token was taken: %+v", r)
	}
	if r := b.reportOn("prod", true); !r.OK || !slices.Equal(b.vaultNames(), []string{"connection/prod/token"}) {
		t.Errorf("after a wrong token: %+v, the vault has %v", r, b.vaultNames())
	}
	good.Store("second-token")
	if r := rotate("second-token", false); !r.Switched || !r.Test.OK {
		t.Errorf("a good token was not taken: %+v", r)
	}
	if r := b.reportOn("prod", true); !r.OK || r.Details.Rotated.IsZero() || !slices.Equal(b.vaultNames(), []string{"connection/prod/token-2"}) {
		t.Errorf("after a good token: %+v, the vault has %v", r, b.vaultNames())
	}
	if r := rotate("third-token", true); !r.Switched || r.Test != nil || !slices.Equal(b.vaultNames(), []string{"connection/prod/token-3"}) {
		t.Errorf("with --now: %+v, the vault has %v", r, b.vaultNames())
	}

	text, err := os.ReadFile(b.path(".lanyard/connections.json"))
	if err != nil || strings.Contains(string(text), "-token") && !strings.Contains(string(text), "vault:connection/prod/token-3") || strings.Contains(string(text), "third-token") {
		t.Errorf("the list holds %s, %v", text, err)
	}
	// What a killed command left is not taken over by the next one of that name.
	stray := &secret.FileVault{Dir: b.path(".lanyard")}
	if err := stray.Put(t.Context(), "connection/next/tokens", secret.NewValue("of somebody")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.add("next", okta, token("x")); err != nil || slices.Contains(b.vaultNames(), "connection/next/tokens") {
		t.Errorf("adding = %v, the vault has %v", err, b.vaultNames())
	}
	if n, err := (connections{b.App}).Remove(t.Context(), b.settings(), "next"); n != 1 || err != nil {
		t.Errorf("Remove = %d, %v", n, err)
	}
	n, err := connections{b.App}.Remove(t.Context(), b.settings(), "prod")
	if err != nil || n != 1 || len(b.vaultNames()) != 0 {
		t.Errorf("Remove = %d, %v, the vault has %v", n, err, b.vaultNames())
	}
	if _, err := (connections{b.App}).Remove(t.Context(), b.settings(), "prod"); !fault.Is(err, fault.NotFound) {
		t.Errorf("removing it again = %v", err)
	}
}

// TestRotateKeepsWhatIsInUse lets the vault fail once the connection has its new
// credential: that one must not be cleared away with the failed command.
func TestRotateKeepsWhatIsInUse(t *testing.T) {
	var good atomic.Value
	good.Store("first-token")
	b := newBench(t)
	rest, failing := b.Env, 0
	b.Env = func(name string) (string, bool) {
		if name != secret.KeyVariable {
			return rest(name)
		}
		list, _ := os.ReadFile(b.path(".lanyard/connections.json"))
		if failing < 2 && strings.Contains(string(list), "token-2") { // asked twice in one attempt
			failing++
			return "", false
		}
		return base64.StdEncoding.EncodeToString(make([]byte, 32)), true
	}
	okta := config.Connection{Provider: "okta", Server: accepting(t, &good), AllowPrivate: true, Auth: config.Auth{Type: config.AuthSSWS}}
	if _, err := b.add("prod", okta, token("first-token")); err != nil {
		t.Fatal(err)
	}
	good.Store("second-token")
	_, err := connections{b.App}.Rotate(t.Context(), cli.RotateConnection{
		Settings: b.settings(), Name: "prod", Ask: func(string) (secret.Value, error) { return secret.NewValue("second-token"), nil },
	})
	if err == nil || failing == 0 {
		t.Fatalf("Rotate = %v, want the vault's failure", err)
	}
	if r := b.reportOn("prod", true); !r.OK || r.State != connector.Connected {
		t.Errorf("after the failure: %+v", r)
	}
}

func TestAddRefuses(t *testing.T) {
	b := newBench(t)
	b.write("lanyard.yaml", "connections: {file: {server: https://x.okta.com}}\n")
	good := config.Connection{Server: "https://x.okta.com", Auth: config.Auth{Type: config.AuthSSWS}}
	with := func(change func(*config.Connection)) config.Connection { c := good; change(&c); return c }
	for _, tt := range []struct {
		name string
		conn config.Connection
		kind fault.Kind
		want string
	}{
		{"../x", good, fault.Usage, "called"},
		{"", good, fault.Usage, "called"},
		{"file", good, fault.Conflict, "lanyard.yaml"},
		{"a", with(func(c *config.Connection) { c.Provider = "octa" }), fault.Invalid, "octa"},
		{"a", with(func(c *config.Connection) { c.Server = "x.okta.com" }), fault.Invalid, "base URL"},
		{"a", with(func(c *config.Connection) { c.Auth.ClientID = "x" }), fault.Invalid, "no use for clientId"},
		{"a", with(func(c *config.Connection) { c.Auth = config.Auth{Type: config.AuthAuthorizationCode} }), fault.Invalid, "needs clientId"},
	} {
		_, err := b.add(tt.name, tt.conn, token("secret-token"))
		if !fault.Is(err, tt.kind) || !strings.Contains(fault.Public(err), tt.want) || strings.Contains(fault.Public(err), "secret-token") {
			t.Errorf("adding %q = %v, want %v with %q", tt.name, err, tt.kind, tt.want)
		}
	}
	if names := b.vaultNames(); len(names) != 0 {
		t.Errorf("refused connections left %v", names)
	}
	if _, err := (connections{b.App}).Rotate(t.Context(), cli.RotateConnection{Settings: b.settings(), Name: "file"}); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Public(err), "lanyard.yaml") {
		t.Errorf("rotating a connection of the file = %v", err)
	}
}

func TestRotateKey(t *testing.T) {
	var registered atomic.Value // key id
	registered.Store("")
	server := provider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/oauth2/v1/token" {
			_, _ = w.Write([]byte(`[{"id":"00u1"}]`))
			return
		}
		_ = r.ParseForm()
		if kid := keyIDOf(r.Form.Get("client_assertion")); kid != registered.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"an-access-token","token_type":"Bearer","expires_in":3600,"scope":"okta.users.read"}`))
	})
	b := newBench(t)
	key, err := b.add("okta", config.Connection{Server: server, AllowPrivate: true, Auth: config.Auth{Type: config.AuthPrivateKeyJWT, ClientID: "0oa1"}}, cli.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	public := func(k cli.KeyToRegister) map[string]any {
		t.Helper()
		var jwk map[string]any
		if err := json.Unmarshal(k.Public, &jwk); err != nil || jwk["kid"] != k.KeyID || jwk["n"] == nil || jwk["d"] != nil || jwk["p"] != nil {
			t.Fatalf("the public key is %s, %v", k.Public, err)
		}
		return jwk
	}
	public(key)
	if r := b.reportOn("okta", true); r.OK {
		t.Errorf("a key that is not registered works: %+v", r)
	}
	registered.Store(key.KeyID)
	if r := b.reportOn("okta", true); !r.OK || r.State != connector.Connected || r.Identity == "" {
		t.Errorf("a key that is registered: %+v", r)
	}

	rotate := func() cli.RotateReport {
		t.Helper()
		r, err := connections{b.App}.Rotate(t.Context(), cli.RotateConnection{Settings: b.settings(), Name: "okta", Ask: func(string) (secret.Value, error) { return secret.Value{}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := rotate()
	if first.Switched || first.Key == nil || first.Key.KeyID == key.KeyID {
		t.Fatalf("the first rotation: %+v", first)
	}
	public(*first.Key)
	if r := rotate(); r.Switched || r.Key == nil || r.Key.KeyID != first.Key.KeyID || r.Test == nil || r.Test.OK {
		t.Errorf("before the key is registered: %+v", r)
	}
	if r := b.reportOn("okta", true); !r.OK || r.Details.Next == nil {
		t.Errorf("meanwhile the old key must work: %+v", r)
	}
	registered.Store(first.Key.KeyID)
	if r := rotate(); !r.Switched {
		t.Errorf("after the key is registered: %+v", r)
	}
	if r := b.reportOn("okta", true); !r.OK || r.Details.Next != nil || !slices.Equal(b.vaultNames(), []string{"connection/okta/privateKey-2"}) {
		t.Errorf("at last: %+v, the vault has %v", r, b.vaultNames())
	}

	// A key that is given takes the place of one that still waits.
	rotate()
	given, made, err := newSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	registered.Store(made.KeyID)
	r, err := connections{b.App}.Rotate(t.Context(), cli.RotateConnection{Settings: b.settings(), Name: "okta", Ask: func(string) (secret.Value, error) { return given, nil }})
	if err != nil || !r.Switched {
		t.Errorf("a key that is given: %+v, %v", r, err)
	}
	if r := b.reportOn("okta", true); !r.OK || r.Details.Next != nil || !slices.Equal(b.vaultNames(), []string{"connection/okta/privateKey-4"}) {
		t.Errorf("with the given key: %+v, the vault has %v", r, b.vaultNames())
	}
}

func keyIDOf(assertion string) string {
	head, _, _ := strings.Cut(assertion, ".")
	var header struct{ Kid string }
	text, err := base64url(head)
	if err != nil || json.Unmarshal(text, &header) != nil {
		return "none"
	}
	return header.Kid
}

// TestAuthorize signs in over the port of this machine, for exactly what a
// workflow needs.
func TestAuthorize(t *testing.T) {
	var asked url.Values
	server := provider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/oauth2/v1/token":
			claims := fmt.Sprintf(`{"iss":"http://%s","aud":"0oa1","sub":"00u1","email":"ada@example.com","nonce":%q,"exp":%d}`, r.Host, asked.Get("nonce"), time.Now().Add(time.Hour).Unix())
			id := "eyJhbGciOiJSUzI1NiJ9." + encodeURL(claims) + ".c2ln"
			fmt.Fprintf(w, `{"access_token":"an-access-token","refresh_token":"a-refresh-token","id_token":%q,"token_type":"Bearer","expires_in":3600,"scope":%q}`, id, asked.Get("scope"))
		default:
			_, _ = w.Write([]byte(`{"id":"00u1","profile":{"login":"ada@example.com"}}`))
		}
	})
	b := newBench(t)
	b.write("people.yaml", strings.NewReplacer("security: [{token: []}, {}]", "security: [{oauth2: [okta.users.read]}]", "{token: {type: http, scheme: bearer}}", "{oauth2: {type: oauth2}}").Replace(people))
	b.write("flow.yaml", strings.ReplaceAll(flow, "name: people,", "name: okta,"))
	b.write("other.yaml", strings.ReplaceAll(flow, "name: people,", "name: unrelated,"))
	if _, err := b.add("okta", config.Connection{Server: server, AllowPrivate: true, Auth: config.Auth{Type: config.AuthAuthorizationCode, ClientID: "0oa1"}}, cli.Credentials{}); err != nil {
		t.Fatal(err)
	}
	req := cli.AuthorizeConnection{Settings: b.settings(), Name: "okta", For: []cli.PlanRequest{b.request("flow.yaml", run.Bindings{})}}
	req.Show = func(signIn, redirect string) {
		u, err := url.Parse(signIn)
		if err != nil {
			t.Error(err)
			return
		}
		asked = u.Query()
		if asked.Get("redirect_uri") != redirect || !strings.HasPrefix(redirect, "http://127.0.0.1:") {
			t.Errorf("sent back to %s, asked for %s", redirect, asked.Get("redirect_uri"))
		}
		go func() { // the browser; it may come before anybody waits
			for {
				res, err := http.Get(redirect + "?code=1&state=" + asked.Get("state"))
				if err != nil {
					return
				}
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					return
				}
			}
		}()
	}
	granted, err := connections{b.App}.Authorize(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if want := "openid okta.users.read offline_access"; asked.Get("scope") != want || granted.Identity != "ada@example.com" || !granted.Renewable {
		t.Errorf("asked for %q, want %q; granted %+v", asked.Get("scope"), want, granted)
	}
	if r := b.reportOn("okta", false); r.State != connector.Connected || r.Identity != "ada@example.com" || r.TokenEnds.Before(time.Now()) || !r.Expires.IsZero() || !slices.Contains(b.vaultNames(), "connection/okta/tokens") {
		t.Errorf("afterwards: %+v, the vault has %v", r, b.vaultNames())
	}

	// The same by hand.
	req.For, req.Scopes, req.Port = nil, []string{"okta.users.read"}, 8484
	req.Show = func(signIn, _ string) { u, _ := url.Parse(signIn); asked = u.Query() }
	req.Paste = func() (url.Values, error) { return url.Values{"code": {"1"}, "state": {asked.Get("state")}}, nil }
	if granted, err := (connections{b.App}).Authorize(t.Context(), req); err != nil || asked.Get("redirect_uri") != "http://127.0.0.1:8484/callback" || granted.Scopes[0] != "okta.users.read" {
		t.Errorf("by hand: %+v, %v, %v", granted, err, asked)
	}

	scopes := func(file string) (cli.ScopesReport, error) {
		return connections{b.App}.Scopes(t.Context(), cli.ScopesRequest{Settings: b.settings(), Name: "okta", For: []cli.PlanRequest{b.request(file, run.Bindings{})}})
	}
	r, err := scopes("flow.yaml")
	if err != nil || !r.Scoped || !slices.Equal(r.Needed, []string{"okta.users.read"}) || len(r.Missing) != 0 || !slices.Contains(r.Granted, "okta.users.read") {
		t.Errorf("Scopes = %+v, %v", r, err)
	}
	b.write("people.yaml", strings.ReplaceAll(string(mustRead(t, b.path("people.yaml"))), "okta.users.read", "okta.apps.manage"))
	r, err = scopes("flow.yaml")
	if err != nil || !slices.Equal(r.Missing, []string{"okta.apps.manage"}) || !strings.Contains(r.Remedy, "Okta API Scopes") {
		t.Errorf("Scopes with one missing = %+v, %v", r, err)
	}
	if _, err := scopes("other.yaml"); !fault.Is(err, fault.Usage) {
		t.Errorf("Scopes for a document of other sources = %v", err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAttribution adds a connection while the folder is open, and looks for it
// and for who started the run in the run's record.
func TestAttribution(t *testing.T) {
	var good atomic.Value
	good.Store("a-token")
	server := accepting(t, &good)
	b := newBench(t)
	b.write("people.yaml", strings.Replace(people, "/users:", "/api/v1/users/me:", 1))
	b.write("flow.yaml", flow)
	f := b.folder()
	if _, err := b.add("people", config.Connection{Provider: "okta", Server: server, AllowPrivate: true, Auth: config.Auth{Type: config.AuthSSWS}}, token("a-token")); err != nil {
		t.Fatal(err)
	}
	for i, who := range []string{"", "admin@example.com"} {
		id := fmt.Sprintf("run_%d", i)
		ctx := run.WithStarter(t.Context(), "grace")
		if err := f.Start(ctx, id, b.planOf(b.request("flow.yaml", run.Bindings{})), nil, run.Bindings{}); err != nil {
			t.Fatal(err)
		}
		summary := rest(t, f, id)
		records, err := f.Records(t.Context(), id, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := report.Build(summary, records)
		if err != nil {
			t.Fatal(err)
		}
		if summary.StartedBy != "grace" || rep.StartedBy != "grace" || rep.Status != run.Succeeded {
			t.Errorf("started by %q, in the report %q; %s %s", summary.StartedBy, rep.StartedBy, rep.Status, rep.Error)
		}
		if call := rep.Steps[0].Calls[0]; call.Connection != "people" || call.Identity != who {
			t.Errorf("the call is by %q as %q, want people as %q", call.Connection, call.Identity, who)
		}
		b.reportOn("people", true) // tells whose credential it is
	}
}

func TestExpiry(t *testing.T) {
	var good atomic.Value
	good.Store("a-token")
	server := accepting(t, &good)
	for days, want := range map[int]string{30: connector.Connected, 1: connector.Expiring, -1: connector.Broken} {
		b := newBench(t)
		_, err := connections{b.App}.Add(t.Context(), cli.AddConnection{
			Settings: b.settings(), Name: "okta", Credentials: token("a-token"), Expires: time.Now().AddDate(0, 0, days).UTC().Truncate(time.Second),
			Connection: config.Connection{Server: server, AllowPrivate: true, Auth: config.Auth{Type: config.AuthSSWS}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, probe := range []bool{true, false} {
			if r := b.reportOn("okta", probe); r.State != want || r.OK != (want != connector.Broken) {
				t.Errorf("%d days before its end, probe %t: %+v, want %s", days, probe, r, want)
			}
		}
	}
}

func base64url(text string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(text) }

func encodeURL(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
