package scim_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
	webscim "github.com/lanyard-id/lanyard/internal/web/scim"
)

// stack is a connection with all that is behind it: HTTP, the rules of the
// tenant, a database.
type stack struct {
	*testing.T
	url   string // of the connection's SCIM endpoint
	token string
}

// newStack serves a new connection of a strategy, to clients of a profile.
func newStack(t *testing.T, strategy string, profile tenant.Profile) *stack {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "lanyard.db"))
	must(err)
	t.Cleanup(func() { _ = db.Close() })
	d := directory.New(db.Directory())
	must(d.AddRealm(ctx, directory.Realm{ID: directory.Auth0Realm, Kind: directory.Auth0, Name: "example"}))
	tn, operator := tenant.New(d, directory.Auth0Realm), directory.System("test")
	must(d.Store.Update(ctx, func(tx directory.Tx) error {
		c := &tenant.Connection{Meta: directory.Meta{ID: "con_1", Realm: directory.Auth0Realm}, Name: "acme", Strategy: strategy}
		return d.InsertObject(tx, c, directory.Event{At: d.Now(), Actor: operator, Kind: "auth0.connection.create"})
	}))
	config, _, err := tn.EnableSCIM(ctx, operator, "con_1", tenant.SCIMSettings{})
	must(err)
	policy := config.Policy
	policy.Profile, policy.UnknownMembers = profile, tenant.DeferUnknown
	_, _, err = tn.SetSCIMPolicy(ctx, operator, "con_1", policy)
	must(err)
	bearer, _, err := tn.CreateSCIMToken(ctx, operator, "con_1", tenant.NewSCIMToken{Scopes: tenant.SCIMScopes()})
	must(err)
	key, err := secret.NewKey(make([]byte, 32))
	must(err)
	api := webscim.New(webscim.Options{Backend: opened{inbound.New(tn, inbound.Auth0Limits())}, Sealer: key, Now: d.Clock})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return &stack{T: t, url: server.URL + webscim.Prefix + "con_1", token: bearer}
}

// opened is inbound.Service as a Backend.
type opened struct{ *inbound.Service }

func (o opened) Open(ctx context.Context, connection, token string) (webscim.Endpoint, error) {
	e, err := o.Service.Open(ctx, connection, token)
	if err != nil {
		return nil, err
	}
	return endpoint{e}, nil
}

type endpoint struct{ *inbound.Endpoint }

func (e endpoint) Config() webscim.Config {
	return webscim.Config{Features: e.Features(), Leniency: e.Leniency(), Actor: e.TokenID()}
}

func (e endpoint) WithFlag() webscim.Endpoint { return endpoint{e.Endpoint.WithFlag()} }

// send sends a request to a URL below the endpoint.
func (s *stack) send(method, path, body string, header http.Header) reply {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if v, err := value.Decode(text); err == nil {
		out.body, _ = v.(map[string]any)
	}
	return out
}

// sharedFile reads test data that lies beside the repository. Where everything has
// to be tested it has to be there.
func sharedFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "scim", name))
	if err == nil {
		return data
	}
	missing(t, "%v", err)
	return nil
}

// missing skips a test that lacks data, where nobody says that all is there.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
