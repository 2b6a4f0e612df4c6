package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// What commands print, as people and programs see it.
func TestGolden(t *testing.T) {
	ada := directory.Person{Email: "ada.lovelace@example.com", Accounts: []directory.PersonAccount{
		{Account: &directory.Account{ID: "auth0|6b02", Status: "ACTIVE"}, Kind: "auth0"},
		{
			Account: &directory.Account{ID: "00u1", Status: "PROVISIONED"}, Kind: "okta",
			Groups: []*directory.Group{{Profile: map[string]any{"name": "Engineering"}}, {Profile: map[string]any{"name": "Every\x1bone"}}},
		},
	}}
	adas := []string{"--sandbox", "--input", "login=ADA.lovelace@example.com", "--input", "count:=1"}
	run := func(id string, more ...string) []string {
		return append([]string{"run", "flow.yaml", "--id", id}, append(adas, more...)...)
	}
	for _, test := range []struct {
		name string
		args []string
	}{
		{"run", run("succeeded")},
		{"run-settled", run("settled")},
		{"run-failed", run("failed")},
		{"run-held", run("held")},
		{"run-json", run("succeeded", "-o", "json")},
		{"run-failed-json", run("failed", "-o", "json")},
		{"run-held-ndjson", run("held", "-o", "ndjson")},
		{"runs-show", []string{"runs", "show", "succeeded"}},
		{"runs-show-settled", []string{"runs", "show", "settled"}},
		{"runs-show-failed", []string{"runs", "show", "failed"}},
		{"runs-show-held", []string{"runs", "show", "held"}},
		{"runs-show-ndjson", []string{"runs", "show", "held", "-o", "ndjson"}},
		{"runs-list", []string{"runs", "list"}},
		{"runs-list-json", []string{"runs", "list", "--status", "held", "-o", "json"}},
		{"runs-list-ndjson", []string{"runs", "list", "-o", "ndjson"}},
		{"runs-list-empty-json", []string{"runs", "list", "--status", "cancelled", "-o", "json"}},
		{"runs-resume", []string{"runs", "resume", "succeeded", "held"}},
		{"runs-resume-json", []string{"runs", "resume", "held", "-o", "json"}},
		{"plan", []string{"plan", "flow.yaml"}},
		{"plan-json", []string{"plan", "flow.yaml", "-o", "json"}},
		{"validate-offline", []string{"validate", "testdata/flows/wrong.yaml", "--offline"}},
		{"validate-json", []string{"validate", "testdata/flows/wrong.yaml", "-o", "json"}},
		{"validate-sarif", []string{"validate", "testdata/flows/wrong.yaml", "-o", "sarif"}},
		{"validate-right", []string{"validate", "flow.yaml"}},
		{"fix", []string{"fix", "testdata/flows/compat.yaml"}},
		{"sources-diff", []string{"sources", "diff", "flow.yaml"}},
		{"sources-lock-json", []string{"sources", "lock", "flow.yaml", "-o", "json"}},
		{"connections-show", strings.Fields("connections show oktaApi")},
		{"connections-show-json", strings.Fields("connections show oktaApi -o json")},
		{"connections-list", []string{"connections", "list"}},
		{"connections-test", []string{"connections", "test"}},
		{"connections-test-json", []string{"connections", "test", "oktaApi", "-o", "json"}},
		{"serve", []string{"serve"}},
		{"serve-json", []string{"serve", "-o", "json"}},
		{"conformance", []string{"conformance", "--only", "A1-01", "--only", "A1-02"}},
		{"conformance-json", []string{"conformance", "--only", "A1-01", "-o", "json"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := play(t, "succeeded", "settled", "failed", "held")
			s.people = []directory.Person{ada}
			p := newProduct(s)
			p.Sources = func(_ context.Context, verb SourcesVerb, _ PlanRequest) ([]SourceState, error) {
				if verb == SourcesLock {
					return []SourceState{{Name: "people", State: "new", Location: "people.yaml", Digest: "sha256:0123456789abcdef0123456789abcdef"}}, nil
				}
				return []SourceState{
					{Name: "people", State: "changed", Location: "people.yaml", Digest: "sha256:0123456789abcdef0123456789abcdef", Added: []string{"a", "b"}, Removed: []string{"c"}},
					{Name: "other", State: "unchanged", Location: "https://example.com/x.yaml"},
					{Name: "gone", State: "gone", Location: "gone.yaml", Message: "it cannot be read: no such file"},
				}, nil
			}
			p.Connections = fakeConnections{report: exampleConnections}
			p.Serve = func(_ context.Context, req ServeRequest) error {
				req.Ready(map[string]string{"api": "http://127.0.0.1:8480", "okta": "http://127.0.0.1:8481", "auth0": "http://127.0.0.1:8482"})
				return nil
			}
			golden(t, test.name, transcript(t.Context(), newTestIO("", nil), p.Product, test.args...))
		})
	}
}

// Colour goes to terminals only, and never changes what is said.
func TestTraceInColour(t *testing.T) {
	for _, name := range []string{"succeeded", "failed", "held"} {
		plainIO, colourIO := newTestIO("", nil), newTestIO("", nil)
		colourIO.OutTerminal = func() bool { return true }
		Main(t.Context(), plainIO.IO, newProduct(play(t, name)).Product, []string{"runs", "show", name})
		Main(t.Context(), colourIO.IO, newProduct(play(t, name)).Product, []string{"runs", "show", name})
		bare := colourIO.out.String()
		for _, code := range []style{"0", bold, dim, red, green, yellow} {
			bare = strings.ReplaceAll(bare, "\x1b["+string(code)+"m", "")
		}
		if bare != plainIO.out.String() || bare == colourIO.out.String() {
			t.Errorf("%s: colour changes the text, or there is none", name)
		}
	}
}

func TestLayoutJSON(t *testing.T) {
	long := strings.Repeat("x", layoutWidth)
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"scalar", `12345678901234567890`, []string{"12345678901234567890"}},
		{"on one line", `{"b":1.10,"a":[true,null,"<&>"],"e":{}}`, []string{`{"b": 1.10, "a": [true, null, "<&>"], "e": {}}`}},
		{"broken up", `{"a":"` + long + `","b":[1,2],"c":[]}`, []string{"{", `  "a": "` + long + `",`, `  "b": [1, 2],`, `  "c": []`, "}"}},
		{"nested", `[{"a":"` + long + `"},2]`, []string{"[", "  {", `    "a": "` + long + `"`, "  },", "  2", "]"}},
		{"what could be done next", `{"_links":{"self":{"href":"` + long + `"}},"id":1}`, []string{`{"_links": {...}, "id": 1}`}},
	} {
		got, ok := layoutJSON([]byte(test.text))
		if !ok || strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s: %t\n%s\nwant\n%s", test.name, ok, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
	for _, text := range []string{"", "{", `{"a"`, "[1,", `"` + strings.Repeat("x", maxLayoutBytes) + `"`} {
		if got, ok := layoutJSON([]byte(text)); ok {
			t.Errorf("%.20q is laid out as %q", text, got)
		}
	}
}

// Whatever is laid out is still the same JSON.
func FuzzLayoutJSON(f *testing.F) {
	f.Add([]byte(`{"b":1.10,"a":[true,null,"<&>"],"e":{}}`))
	f.Add([]byte(`[[[[]]]]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, ok := layoutJSON(data)
		if !ok || !json.Valid(data) || strings.Contains(string(data), "_links") {
			return
		}
		if got := strings.Join(lines, "\n"); !json.Valid([]byte(got)) {
			t.Errorf("%q became %q", data, got)
		}
	})
}

func TestBudgetText(t *testing.T) {
	for _, test := range []struct {
		budget map[string]string
		want   string
	}{
		{nil, ""},
		{map[string]string{"limit": "600", "remaining": "599", "reset": "1795311866"}, "rate limit: 599 of 600 left until 01:44:26Z"},
		{map[string]string{"remaining": "0"}, "rate limit: 0 of ? left"},
		{map[string]string{"limit": "5", "reset": "soon"}, "rate limit: ? of 5 left until soon"},
	} {
		if got := budgetText(test.budget); got != test.want {
			t.Errorf("%v: %q, want %q", test.budget, got, test.want)
		}
	}
}

// A build without a part says so instead of falling over.
func TestMissingParts(t *testing.T) {
	planning := newProduct(play(t)).Plan
	for args, product := range map[string]Product{
		"run x.yaml": {}, "plan x.yaml": {}, "runs list": {}, "runs resume": {}, "runs cancel a": {}, "sources lock x.yaml": {},
		"connections test": {}, "serve": {}, "rehearsal list": {}, "rehearsal clock": {}, "plan flow.yaml": {Plan: planning}, "run flow.yaml --input login=a": {Plan: planning},
	} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, product, strings.Fields(args)); code != exitError || !strings.Contains(s.err.String(), "this build has no") {
			t.Errorf("%s: exit %d, %s", args, code, s.err)
		}
	}
}

// Errors of the parts keep their exit code.
func TestPartsFail(t *testing.T) {
	denied := fault.New(fault.Unauthorized, "the token expired")
	p := newProduct(play(t))
	p.Sources = func(context.Context, SourcesVerb, PlanRequest) ([]SourceState, error) { return nil, denied }
	p.Connections = fakeConnections{report: func([]string, bool) ([]ConnectionReport, error) { return nil, denied }}
	p.Serve = func(context.Context, ServeRequest) error { return denied }
	p.Open = func(context.Context, Settings, Access) (Session, error) { return nil, denied }
	p.Bind = func(context.Context, PlanRequest) (func(*plan.Operation) Binding, error) { return nil, denied }
	for _, args := range []string{"sources diff x.yaml", "connections list", "serve", "runs list", "runs show a", "runs skip a", "plan flow.yaml", "run flow.yaml --input login=a"} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, p.Product, strings.Fields(args)); code != exitAuth || s.err.String() == "" || !strings.HasSuffix(s.err.String(), "error: the token expired\n") {
			t.Errorf("%s: exit %d, %s", args, code, s.err)
		}
	}
}

// exampleConnections are one that works and was added here, and one that does not.
func exampleConnections(names []string, probe bool) ([]ConnectionReport, error) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	good := ConnectionReport{
		Name: "oktaApi", Server: "https://example.okta.com", Credential: "private_key_jwt", From: "connections add", OK: true, State: "expiring",
		Checked: at, Status: 200, Identity: "admin@example.com", Scopes: []string{"okta.users.manage"}, Expires: at.AddDate(0, 0, 2), TokenEnds: at.Add(time.Hour),
		Details: &ConnectionDetails{
			Connection: config.Connection{Provider: "okta", Auth: config.Auth{Type: "private_key_jwt", ClientID: "0oa1", PrivateKey: "vault:connection/oktaApi/privateKey", KeyID: "k1", DPoP: true}},
			Added:      at.AddDate(0, -1, 0), Next: &config.Next{KeyID: "k2", Made: at}, Vault: []secret.Entry{{Name: "connection/oktaApi/privateKey", Updated: at}},
		},
	}
	if len(names) == 1 && !probe {
		return []ConnectionReport{good}, nil
	}
	return []ConnectionReport{good, {
		Name: "auth0Api", Server: "https://example.auth0.com/api/v2", Credential: "client_credentials", From: "lanyard.yaml", State: "broken", Status: 401,
		Message: "the credential was refused", Remedy: "make a new one", Denied: probe,
	}, {Name: "slack", Server: "https://slack.com/api", Credential: "bearer", From: "lanyard.yaml", OK: true}}, nil
}
