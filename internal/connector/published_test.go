package connector_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/run"
)

// published reads one of the published descriptions as a source.
func published(t *testing.T, name, file string, ids ...string) (connector.Source, map[string]*openapi.Operation) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "openapi", file)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatalf("the test data %s is absent", path)
		}
		t.Skipf("the test data %s is absent", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	index, err := openapi.Parse(data, path)
	if err != nil {
		t.Fatal(err)
	}
	src := connector.Source{Name: name, Title: index.Title, Location: path, Schemes: index.Schemes}
	ops := map[string]*openapi.Operation{}
	for _, id := range ids {
		op, err := index.ByID(id)
		if err != nil {
			t.Fatal(err)
		}
		src.Operations, ops[id] = append(src.Operations, op), op
	}
	return src, ops
}

// TestSeedCalls makes the three calls of the seed workflow, with the two
// published descriptions and both credentials from lanyard.yaml.
func TestSeedCalls(t *testing.T) {
	auth0Src, auth0Ops := published(t, "auth0Api", "auth0-management-api-openapi.yml", "post_users")
	oktaSrc, oktaOps := published(t, "oktaApi", "okta-openapi-original.yml", "createUser", "addUserToGroup")

	var seen []string
	record := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Method+" "+r.Host+r.RequestURI+" "+r.Header.Get("Authorization")+" "+string(body))
	}
	tenant := http.NewServeMux()
	tenant.Handle("POST /oauth/token", &tokenServer{expires: 60})
	tenant.HandleFunc("/api/v2/", record)
	b := newBench(t, map[string]config.Connection{
		"auth0Api": {Server: auth0URL + "/api/v2", Auth: clientCredentials}, "oktaApi": ssws,
	}, map[string]http.Handler{auth0URL: tenant, oktaURL: http.HandlerFunc(record)})

	auth0, okta := b.bindSource(auth0Src), b.bindSource(oktaSrc)
	body := func(v any) *openapi.Content { return &openapi.Content{Type: "application/json", Value: v} }
	for _, c := range []struct {
		conn   *connector.Connection
		op     *openapi.Operation
		params []openapi.Param
		body   *openapi.Content
	}{
		{auth0, auth0Ops["post_users"], nil, body(map[string]any{"connection": "db"})},
		{okta, oktaOps["createUser"], nil, body(map[string]any{"profile": map[string]any{"login": "a"}})},
		{okta, oktaOps["addUserToGroup"], []openapi.Param{{Name: "groupId", In: "path", Value: "00g1"}, {Name: "userId", In: "path", Value: "auth0|1"}}, nil},
	} {
		req, err := c.op.Render(c.params, c.body)
		if err != nil {
			t.Fatal(err)
		}
		if x := b.do(c.conn, connector.Call{Operation: c.op, Request: req}); x.Err != nil {
			t.Error(x.Err)
		}
		if in, name, ok := c.conn.Injects(c.op); !ok || in != "header" || name != "Authorization" {
			t.Errorf("Injects(%s) = %s, %s, %v", c.op.ID, in, name, ok)
		}
	}
	want := []string{
		`POST example.eu.auth0.com/api/v2/users Bearer access-token-1 {"connection":"db"}`,
		`POST example.okta.com/api/v1/users SSWS tok-0123456789 {"profile":{"login":"a"}}`,
		`PUT example.okta.com/api/v1/groups/00g1/users/auth0%7C1 SSWS tok-0123456789 `,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}

	// Without a binding nothing is sent anywhere: both name servers by default.
	for _, src := range []connector.Source{auth0Src, oktaSrc} {
		if conn, err := newBench(t, nil, nil).Bind(src, run.Bindings{}); err == nil {
			t.Errorf("%s is bound to %s by its description", src.Name, conn.Server)
		}
	}
}
