package okta_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// parameter is a path's parameter, whatever it is called.
var parameter = regexp.MustCompile(`\{[^}]*\}`)

// undescribed are operations that Okta does not document either: old clients
// call them.
var undescribed = []string{
	"PUT /api/v1/users/{id}/factors/{factor}",
	"GET /api/v1/internal/apps/{id}/settings/oauth/idToken", "POST /api/v1/internal/apps/{id}/settings/oauth/idToken",
}

// The catalogue describes the API: every operation, with its scope, and nothing
// else.
func TestDescribed(t *testing.T) {
	entry := catalog.Find("okta")
	index, err := openapi.Parse(entry.Description(), "openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]string{} // scope by operation
	for _, s := range index.Operations() {
		op, err := index.ByPath(s.Path, s.Method)
		if err != nil {
			t.Fatal(err)
		}
		described[s.Method+" "+parameter.ReplaceAllString(s.Path, "{}")] = scopeOf(op)
	}
	b := newBench(t)
	routes := b.api.Routes()
	for _, name := range undescribed {
		if !slices.ContainsFunc(routes, func(r okta.Route) bool { return r.Method+" "+r.Pattern == name }) {
			t.Errorf("%s is not there any more", name)
		}
	}
	for _, r := range routes {
		key := r.Method + " " + parameter.ReplaceAllString(r.Pattern, "{}")
		scope, ok := described[key]
		switch {
		case slices.Contains(undescribed, r.Method+" "+r.Pattern):
		case !ok:
			t.Errorf("the description lacks %s %s (%s)", r.Method, r.Pattern, r.Scope)
		case scope != r.Scope:
			t.Errorf("%s needs the scope %q, the description says %q", key, r.Scope, scope)
		}
		delete(described, key)
	}
	for key := range described {
		t.Errorf("the description has %s, which the API does not", key)
	}
}

// scopeOf returns the one scope that an operation names, or all of them.
func scopeOf(op *openapi.Operation) string {
	var scopes []string
	for _, alternative := range op.Security {
		for _, s := range alternative {
			scopes = append(scopes, s...)
		}
	}
	slices.Sort(scopes)
	return strings.Join(slices.Compact(scopes), " ")
}

// The description is served, with the server that serves it, and without a token.
func TestDescriptionIsServed(t *testing.T) {
	b := newBench(t)
	r := httptest.NewRequest(http.MethodGet, org+"/.well-known/lanyard/openapi.yaml", nil)
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	index, err := openapi.Parse(w.Body.Bytes(), "openapi.yaml")
	if w.Code != http.StatusOK || err != nil {
		t.Fatalf("%d, %v", w.Code, err)
	}
	if len(index.Servers) != 1 || index.Servers[0].URL != org {
		t.Errorf("servers %+v, want %s", index.Servers, org)
	}
	if _, err := index.ByID("getUser"); err != nil {
		t.Error(err)
	}
}
