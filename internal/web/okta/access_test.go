package okta_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// journal is a log that tests look into.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// gate sends one kind of request to every operation, and checks what must be
// true of every refusal: Okta's form, nothing changed, nothing given away.
type gate struct {
	*authBench
	log     *journal
	secrets []string
	seen    int64             // the newest change, in changesOf
	real    map[string]string // first segment of a path to the id of something that is there
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{authBench: newAuth(t), log: &journal{}}
	ann := g.person()
	app := g.service("", "okta.users.read", "okta.eventHooks.read", "okta.users.manage")
	g.real = map[string]string{"users": ann, "groups": directory.EngineeringGroup, "apps": app}
	g.serve(func(o *okta.Options) {
		o.OAuth = g.oauth
		o.Authorizer = okta.Authorization(g.oauth, okta.Tokens(map[string]string{"good": directory.Administrator}))
		o.Log = slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	g.real["identity-sources"] = strings.TrimPrefix(g.source(), "/api/v1/identity-sources/")
	return g
}

var placeholder = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// path fills in a pattern: with ids of things that are there, where it is known
// how, or with made-up ones.
func (g *gate) path(pattern string, real bool) string {
	parts := strings.Split(strings.TrimPrefix(pattern, "/api/v1/"), "/")
	first := true
	return placeholder.ReplaceAllStringFunc(pattern, func(string) string {
		id, ok := g.real[parts[0]]
		if first && ok && real {
			first = false
			return id
		}
		return "nothing0000000001d7"
	})
}

// givenAway are signs of what must never leave: stacks, paths, statements.
var givenAway = regexp.MustCompile(`goroutine|\.go:\d|runtime error|panic|/tmp/|lanyard\.db|SELECT |INSERT |UPDATE directory|sql:|SQLITE|jose:|github\.com`)

// send sends one request and checks what must be true of every answer.
func (g *gate) send(name, method, path, body string, headers ...string) answer {
	g.t.Helper()
	before := g.changes()
	a := g.call(method, path, body, headers...)
	what := name + ": " + method + " " + path
	if a.status >= 500 && a.status != 501 {
		g.t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	if a.status >= 400 {
		g.checkError(what, a)
		if after := g.changes(); after != before {
			g.t.Errorf("%s: %d, and yet the log has %d entries more", what, a.status, after-before)
		}
	}
	log := g.log.take()
	if found := givenAway.FindString(a.body); found != "" {
		g.t.Errorf("%s: the answer gives away %q: %s", what, found, a.body)
	}
	for _, secret := range g.secrets {
		if strings.Contains(a.body, secret) || strings.Contains(log, secret) {
			g.t.Errorf("%s: a token is in the answer or the log:\n%s\n%s", what, a.body, log)
		}
	}
	if strings.Contains(log, "goroutine") {
		g.t.Errorf("%s: the handler panicked:\n%s", what, log)
	}
	return a
}

// checkError checks the form of an error.
func (g *gate) checkError(what string, a answer) {
	g.t.Helper()
	var e struct {
		ErrorCode, ErrorSummary, ErrorLink, ErrorID string
		ErrorCauses                                 []struct{ ErrorSummary string }
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		g.t.Errorf("%s: %d %q is no error: %v", what, a.status, a.body, err)
		return
	}
	want := []string{"errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"}
	if diff := cmp.Diff(want, keys(g.t, a.body)); diff != "" || e.ErrorLink != e.ErrorCode || e.ErrorSummary == "" || !strings.HasPrefix(e.ErrorID, "oae") {
		g.t.Errorf("%s: %d %s\n%s", what, a.status, a.body, diff)
	}
	if row, ok := okta.Catalogue()[e.ErrorCode]; !ok || row.Status != a.status {
		g.t.Errorf("%s: %d %s, the catalogue has %+v", what, a.status, e.ErrorCode, row)
	}
}

// TestEveryRoute walks all operations with everything that must be refused.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	client := g.real["apps"]

	expired := g.serviceToken(client, "okta.users.read")
	g.clock.Step(2 * time.Hour)
	revoked := g.serviceToken(client, "okta.users.read")
	revoke := serviceForm(g.assertionFor(client, org+"/oauth2/v1/revoke"), "")
	revoke.Set("token", revoked)
	if a := g.post("/oauth2/v1/revoke", revoke); a.status != 200 {
		t.Fatalf("revoke: %d %s", a.status, a.body)
	}
	dead, kept, err := g.oauth.CreateAPIToken(t.Context(), directory.System("test"), oauth.NewAPIToken{Name: "dead"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.oauth.RevokeAPIToken(t.Context(), directory.System("test"), kept.ID); err != nil {
		t.Fatal(err)
	}
	g.secrets = []string{expired, revoked, dead, "SSWS good"}

	routes := g.api.Routes()
	if len(routes) < 40 {
		t.Fatalf("there are only %d operations", len(routes))
	}
	t.Logf("%d operations", len(routes))
	for _, route := range routes {
		narrow := g.serviceToken(client, "okta.eventHooks.read") // anew: each request takes a second
		g.secrets[3] = narrow
		for _, real := range []bool{false, true} {
			path := g.path(route.Pattern, real)
			for name, credential := range map[string]string{
				"no token": "", "a scheme alone": "SSWS", "a bad API token": "SSWS nope", "a bad access token": "Bearer nope",
				"a made-up JWT": "Bearer " + jwtText("{}"), "another scheme": "Digest good",
				"an expired access token": "Bearer " + expired, "a revoked access token": "Bearer " + revoked, "a revoked API token": "SSWS " + dead,
			} {
				a := g.send(name, route.Method, path, "", "Authorization", credential)
				if a.status != 401 || a.object(t)["errorCode"] != "E0000011" {
					t.Errorf("%s: %s %s: %d %s", name, route.Method, path, a.status, a.body)
				}
			}
			if route.Scope == "" {
				continue
			}
			a := g.send("too small a scope", route.Method, path, "", "Authorization", "Bearer "+narrow)
			challenge := `scope="` + route.Scope + `", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="` + path + `"`
			if a.status != 403 || a.object(t)["errorCode"] != "E0000006" || !strings.HasSuffix(a.header.Get("WWW-Authenticate"), challenge) {
				t.Errorf("too small a scope: %s %s: %d %s %s", route.Method, path, a.status, a.body, a.header.Get("WWW-Authenticate"))
			}
		}
	}
}

// assertionFor is a good assertion for another endpoint.
func (b *authBench) assertionFor(client, endpoint string) string {
	return jwt(b.t, testKey(), "RS256", nil, b.claims(client, map[string]any{"aud": endpoint}))
}

// TestEveryRouteWithoutRole walks all operations with a token that has every
// scope, and whose holder has no admin role.
func TestEveryRouteWithoutRole(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var scopes []string
	for _, route := range g.api.Routes() {
		if route.Scope != "" && !slices.Contains(scopes, route.Scope) {
			scopes = append(scopes, route.Scope)
		}
	}
	token := g.serviceToken(g.service("", scopes...), strings.Join(scopes, " "))
	for _, route := range g.api.Routes() {
		if route.Scope == "" {
			continue
		}
		path := g.path(route.Pattern, true)
		a := g.send("no role", route.Method, path, "", "Authorization", "Bearer "+token)
		switch route.Method + " " + route.Pattern {
		case "GET /api/v1/users", "GET /api/v1/groups", "GET /api/v1/apps":
			if a.status != 200 || a.body != "[]" || a.header.Get("Link") != "<"+org+path+`>; rel="self"` {
				t.Errorf("no role: %s: %d %s %s", path, a.status, a.body, a.header.Get("Link"))
			}
			continue
		case "GET /api/v1/users/{id}", "GET /api/v1/groups/{id}", "GET /api/v1/apps/{id}":
			if a.status != 404 {
				t.Errorf("no role: %s: %d %s", path, a.status, a.body)
			}
			continue
		}
		if a.status != 403 || a.object(t)["errorCode"] != "E0000006" {
			t.Errorf("no role: %s %s: %d %s", route.Method, path, a.status, a.body)
		}
	}
}

// TestEveryRouteWithBadInput walks all operations that take input with what
// nobody should send. Operations that look at no body may succeed.
func TestEveryRouteWithBadInput(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"malformed":       `{"profile":`,
		"no object":       `[1,2]`,
		"text":            `"x"`,
		"two values":      `{} {}`,
		"invalid UTF-8":   "{\"profile\":{\"name\":\"\xff\xfe\"}}",
		"NUL":             `{"profile":{"name":"a\u0000b","login":"a\u0000b@example.com"}}`,
		"deep":            strings.Repeat(`{"profile":`, 20_000) + "1" + strings.Repeat("}", 20_000),
		"deep list":       strings.Repeat("[", 100_000),
		"oversize":        `{"x":"` + strings.Repeat("x", web.MaxBody) + `"}`,
		"wrong types":     `{"profile":7,"credentials":[],"type":true,"name":{},"settings":"x","actions":1,"conditions":[],"factorType":3,"groupIds":{}}`,
		"number too big":  `{"profile":{"name":1e999999999},"priority":1e999999999}`,
		"duplicate names": `{"profile":{"name":"a"},"profile":{"name":"b"}}`,
	}
	g := newGate(t)
	for _, route := range g.api.Routes() {
		if route.Method == "GET" || route.Method == "DELETE" {
			continue
		}
		for _, real := range []bool{false, true} {
			path := g.path(route.Pattern, real)
			for name, body := range bodies {
				g.send(name, route.Method, path, body)
			}
			g.send("wrong content type", route.Method, path, "a=b", "Content-Type", "application/x-www-form-urlencoded")
			g.send("no content type", route.Method, path, `{"profile":{}}`, "Content-Type", "")
		}
	}
}

// TestEveryListWithBadCursors walks all operations that read with parameters
// that nobody should send, among them cursors of another org.
func TestEveryListWithBadCursors(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	foreign := []string{"00u9zzzzzzzzzzzzzzzz", "200" + "00u9zzzzzzzzzzzzzzzz", "00g9zzzzzzzzzzzzzzzz", "0oa9zzzzzzzzzzzzzzzz", "../../x", "%00", "' OR 1=1 --"}
	for _, route := range g.api.Routes() {
		if route.Method != "GET" {
			continue
		}
		for _, cursor := range foreign {
			a := g.send("a cursor of another org", "GET", g.path(route.Pattern, true)+"?limit=2&after="+url.QueryEscape(cursor), "")
			if a.status == 400 {
				if code := a.object(t)["errorCode"]; code != "E0000029" && code != "E0000031" && code != "E0000001" {
					t.Errorf("cursor %q: GET %s: %s", cursor, route.Pattern, a.body)
				}
			}
		}
		for _, query := range []string{"limit=-1", "limit=x", "limit=99999999999999999999", "search=(((", "filter=" + url.QueryEscape(strings.Repeat("(", 5000)), "q=%ff%fe", "sortOrder=7", "a=%zz"} {
			g.send("a bad parameter", "GET", g.path(route.Pattern, true)+"?"+query, "")
		}
	}
}

// TestScopes checks the scope of every operation against Okta's description.
func TestScopes(t *testing.T) {
	t.Parallel()
	published := scopesOfOkta(t)
	// The path as Okta writes it, its names taken away.
	plain := func(path string) string { return placeholder.ReplaceAllString(path, "{}") }
	for _, route := range newAuth(t).api.Routes() {
		want, ok := published[route.Method+" "+plain(route.Pattern)]
		if !ok {
			t.Logf("%s %s is not in Okta's description", route.Method, route.Pattern)
			continue
		}
		if len(want) == 0 { // only API tokens, or a scope that the description forgot
			continue
		}
		if !slices.Contains(want, route.Scope) {
			t.Errorf("%s %s needs %q, Okta says %v", route.Method, route.Pattern, route.Scope, want)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ann := b.person()
	client := b.service("", "okta.users.manage", "okta.groups.manage", "okta.apps.manage", "okta.logs.read", "okta.roles.manage")
	const (
		list, reset, create = "GET /api/v1/users", "POST /api/v1/users/ANN/lifecycle/expire_password", "POST /api/v1/users"
		join, group, app    = "PUT /api/v1/groups/" + directory.EngineeringGroup + "/users/ANN", "POST /api/v1/groups", "POST /api/v1/apps"
	)
	all := []string{list, reset, create, join, group, app}
	for role, allowed := range map[string][]string{
		"SUPER_ADMIN":            all,
		"ORG_ADMIN":              {list, reset, create, join, group},
		"APP_ADMIN":              {list, app},
		"USER_ADMIN":             {list, reset, create, join},
		"HELP_DESK_ADMIN":        {list, reset},
		"GROUP_MEMBERSHIP_ADMIN": {list, join},
		"READ_ONLY_ADMIN":        {list},
		"REPORT_ADMIN":           {list},
		"WORKFLOWS_ADMIN":        nil,
		"made up":                nil,
	} {
		b.roles[client] = []string{role}
		token := b.serviceToken(client, "okta.users.manage okta.groups.manage okta.apps.manage")
		for _, operation := range all {
			method, path, _ := strings.Cut(strings.ReplaceAll(operation, "ANN", ann), " ")
			body := ""
			if method == "POST" {
				body = `{}` // wrong, but read only by those who may
			}
			a := b.call(method, path, body, "Authorization", "Bearer "+token)
			if got := a.status != 403; got != slices.Contains(allowed, operation) {
				t.Errorf("%s: %s: %d %s", role, operation, a.status, a.body)
			}
		}
	}
	// Only super administrators see who is an administrator.
	for role, status := range map[string]int{"ORG_ADMIN": 403, "READ_ONLY_ADMIN": 403, "SUPER_ADMIN": 200} {
		b.roles[client] = []string{role}
		b.ok(status, "GET", "/api/v1/users/"+ann+"/roles", "", "Authorization", "Bearer "+b.serviceToken(client, "okta.roles.manage"))
	}
	// Roles add up, and take effect at once.
	b.roles[client] = []string{"GROUP_MEMBERSHIP_ADMIN", "HELP_DESK_ADMIN"}
	token := b.serviceToken(client, "okta.users.manage okta.groups.manage")
	b.ok(204, "PUT", "/api/v1/groups/"+directory.EngineeringGroup+"/users/"+ann, "", "Authorization", "Bearer "+token)
	b.roles[client] = nil
	b.ok(403, "PUT", "/api/v1/groups/"+directory.EngineeringGroup+"/users/"+ann, "", "Authorization", "Bearer "+token)
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	ctx, tester := t.Context(), directory.System("test")
	token, kept, err := b.oauth.CreateAPIToken(ctx, tester, oauth.NewAPIToken{Name: "ci", Role: "READ_ONLY_ADMIN"})
	if err != nil {
		t.Fatal(err)
	}
	as := []string{"Authorization", "SSWS " + token}
	if got := b.ok(200, "GET", "/api/v1/users/me", "", as...).object(t)["id"]; got != directory.Administrator {
		t.Errorf("me is %v", got)
	}
	b.ok(403, "POST", "/api/v1/groups", `{"profile":{"name":"x"}}`, as...)
	b.ok(403, "DELETE", "/api/v1/api-tokens/"+kept.ID, "", as...)

	o := b.ok(200, "GET", "/api/v1/api-tokens/"+kept.ID, "").object(t)
	if o["name"] != "ci" || o["userId"] != directory.Administrator || o["tokenWindow"] != "P30D" {
		t.Errorf("token: %v", o)
	}
	if got := b.ok(200, "GET", "/api/v1/api-tokens", "").list(t, "id"); !cmp.Equal(got, []string{kept.ID}) {
		t.Errorf("tokens: %v", got)
	}
	// Use moves the end of the token on, at most once an hour.
	first, _ := b.oauth.APIToken(ctx, kept.ID)
	b.ok(200, "GET", "/api/v1/users/me", "", as...)
	if again, _ := b.oauth.APIToken(ctx, kept.ID); again != first {
		t.Errorf("a second use at once was kept: %+v", again)
	}
	b.clock.Step(29 * 24 * time.Hour)
	b.ok(200, "GET", "/api/v1/users/me", "", as...)
	b.start()
	b.clock.Step(29 * 24 * time.Hour)
	b.ok(200, "GET", "/api/v1/users/me", "", as...)
	b.clock.Step(30 * 24 * time.Hour)
	b.ok(401, "GET", "/api/v1/users/me", "", as...)
	if all, _ := b.oauth.APITokens(ctx); len(all) != 0 {
		t.Errorf("expired tokens are listed: %v", all)
	}

	ann := b.person()
	if _, _, err := b.oauth.CreateAPIToken(ctx, tester, oauth.NewAPIToken{Name: "x", As: annsLogin}); err == nil {
		t.Error("a token for somebody without a role was made")
	}
	b.roles[ann] = []string{"HELP_DESK_ADMIN"}
	if _, _, err := b.oauth.CreateAPIToken(ctx, tester, oauth.NewAPIToken{Name: "x", As: annsLogin, Role: "SUPER_ADMIN"}); err == nil {
		t.Error("a token with a role that its account does not hold was made")
	}
	token, _, err = b.oauth.CreateAPIToken(ctx, tester, oauth.NewAPIToken{Name: "ann", As: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	as[1] = "SSWS " + token
	b.ok(200, "GET", "/api/v1/users/me", "", as...)
	b.ok(200, "POST", "/api/v1/users/"+ann+"/lifecycle/suspend", "")
	b.ok(401, "GET", "/api/v1/users/me", "", as...)
	b.ok(200, "POST", "/api/v1/users/"+ann+"/lifecycle/unsuspend", "")
	b.ok(204, "DELETE", "/api/v1/api-tokens/current", "", as...)
	b.ok(401, "GET", "/api/v1/users/me", "", as...)
	b.ok(404, "GET", "/api/v1/api-tokens/"+kept.ID+"x", "")
}

// TestCatalogueCoversWhatIsServed holds the catalogue to the errors that Okta
// has for the endpoints that are served (okta.md 1.2): each is answered, or it
// is said why it cannot happen here.
func TestCatalogueCoversWhatIsServed(t *testing.T) {
	t.Parallel()
	cannotHappen := map[string]string{
		"E0000017": "a reset that the status forbids is E0000038 (recorded)",
		"E0000019": "a wrong media type is E0000021, with the same text",
		"E0000024": "requests are refused by what is wrong in them",
		"E0000040": "applications may share a label",
		"E0000046": "nothing outside the directory can fail when an application is taken away",
		"E0000055": "a group name that is taken is E0000001, as clients rely on",
		"E0000075": "nothing is pushed to applications",
		"E0000080": "the password policy is a cause of E0000001 and E0000014",
		"E0000093": "targets are not limited in number",
		"E0000094": "a filter that is not supported is E0000031",
		"E0000100": "search is always there",
		"E0000107": "transitions that are forbidden have errors of their own",
		"E0000179": "no source of truth requires attributes",
		"E0000249": "rules are in force when they are activated",
		"E0000263": "a role that is assigned already is E0000090",
		"E0000268": "assignments of roles are made one after the other",
	}
	catalogue := okta.Catalogue()
	for _, code := range strings.Fields(`
		E0000001 E0000003 E0000004 E0000006 E0000007 E0000008 E0000009 E0000011 E0000014 E0000015 E0000016 E0000017 E0000019 E0000022 E0000023
		E0000024 E0000029 E0000031 E0000032 E0000033 E0000034 E0000035 E0000036 E0000038 E0000040 E0000041 E0000046 E0000047 E0000055 E0000056
		E0000060 E0000062 E0000068 E0000075 E0000076 E0000080 E0000087 E0000090 E0000091 E0000093 E0000094 E0000100 E0000107 E0000112 E0000117
		E0000124 E0000125 E0000179 E0000192 E0000193 E0000194 E0000211 E0000231 E0000239 E0000242 E0000249 E0000263 E0000268`) {
		_, answered := catalogue[code]
		if _, excused := cannotHappen[code]; answered == excused {
			t.Errorf("%s is answered: %v, said not to happen: %v", code, answered, excused)
		}
	}
}
