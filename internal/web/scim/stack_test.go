package scim_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/inbound/inboundtest"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// stack is a connection with all that is behind it: HTTP, the rules of the
// tenant, a database.
type stack struct {
	*testing.T
	url    string // of the connection's SCIM endpoint
	token  string
	tenant *tenant.Tenant
}

// newStack serves a new connection of a strategy, to clients of a profile.
func newStack(t *testing.T, strategy string, profile tenant.Profile) *stack {
	t.Helper()
	server, err := inboundtest.Start(t.Context(), t.TempDir(), inboundtest.Options{
		Strategy: strategy, Policy: tenant.SCIMPolicy{Profile: profile, UnknownMembers: tenant.DeferUnknown},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return &stack{T: t, url: server.URL, token: server.Token, tenant: server.Tenant}
}

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
