package auth0_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

// givenAway is what no answer may have in it.
var givenAway = regexp.MustCompile(`goroutine|\.go:\d|runtime error|panic|/tmp/|lanyard\.db|SELECT |INSERT |sql:|SQLITE|jose|jwt|strconv|json:|base64|multipart:|github\.com`)

// gate is a tenant with one object of each sort, which must not change.
type gate struct {
	*bench
	log  *strings.Builder
	ids  map[string]string // by the area of a path
	seen int
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{log: &strings.Builder{}}
	g.bench = newBench(t, func(o *auth0.Options) {
		o.Log = slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	made := func(status int, path, key, body string) string {
		id, _ := g.ok(status, "POST", "/api/v2"+path, body).object(t)[key].(string)
		return id
	}
	g.ids = map[string]string{
		"users":            made(201, "/users", "user_id", newUser("ann@example.com")),
		"user-blocks":      "auth0|nobody",
		"roles":            made(200, "/roles", "id", `{"name":"reader"}`),
		"organizations":    made(201, "/organizations", "id", `{"name":"acme"}`),
		"connections":      made(201, "/connections", "id", `{"name":"work","strategy":"okta","options":{"domain":"acme.okta.com","client_secret":"hush"}}`),
		"clients":          made(201, "/clients", "client_id", `{"name":"portal"}`),
		"resource-servers": made(201, "/resource-servers", "id", `{"identifier":"https://api.example.com"}`),
	}
	g.seen = g.changes()
	return g
}

// changes is how many entries the change log has.
func (g *gate) changes() int {
	g.t.Helper()
	list, err := g.dir.Changes(context.Background(), directory.ChangeQuery{Realm: directory.Auth0Realm}, 0, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return len(list)
}

// placeholder is a variable part of a pattern.
var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// path fills a pattern: the first variable part with an object that there is, or
// all with a text.
func (g *gate) path(pattern, text string) string {
	first := true
	return placeholder.ReplaceAllStringFunc(pattern, func(string) string {
		area := areaOf(pattern)
		if text == "" && first && g.ids[area] != "" {
			first = false
			return strings.ReplaceAll(g.ids[area], "|", "%7C")
		}
		if text == "" {
			return "x"
		}
		return text
	})
}

// refused sends a request that must be refused in the form of Auth0, without
// saying anything of the inside and without a change. Status 0 is any of a client's
// mistakes, and whatever succeeds without changing anything.
func (g *gate) refused(status int, method, path, body string, headers ...string) {
	g.t.Helper()
	a := g.call(method, path, body, headers...)
	what := method + " " + path
	if len(what) > 200 {
		what = what[:200]
	}
	log := g.log.String()
	g.log.Reset()
	switch {
	case status != 0 && a.status != status || a.status >= http.StatusInternalServerError:
		g.t.Errorf("%s with %.60q: %d %.300s, want %d", what, body, a.status, a.body, status)
		return
	case strings.Contains(log, "goroutine"):
		g.t.Errorf("%s with %.60q: the log: %.2000s", what, body, log)
	case a.status < http.StatusBadRequest:
		return
	}
	var form struct {
		StatusCode     int
		Error, Message string
	}
	if err := json.Unmarshal([]byte(a.body), &form); err != nil || form.StatusCode != a.status || form.Error != http.StatusText(a.status) || form.Message == "" {
		g.t.Errorf("%s with %.60q: %d %.300s", what, body, a.status, a.body)
	}
	if media := a.header.Get("Content-Type"); media != "application/json; charset=utf-8" {
		g.t.Errorf("%s with %.60q: Content-Type %q", what, body, media)
	}
	if found := givenAway.FindString(a.body); found != "" {
		g.t.Errorf("%s with %.60q: the answer gives away %q: %.300s", what, body, found, a.body)
	}
	if len(a.body) > 20_000 {
		g.t.Errorf("%s with %.60q: the answer has %d bytes", what, body, len(a.body))
	}
}

// unchanged checks that nothing was changed since it was last asked.
func (g *gate) unchanged(what string) {
	g.t.Helper()
	now := g.changes()
	if now != g.seen {
		g.t.Errorf("%s: the change log has %d entries more", what, now-g.seen)
	}
	g.seen = now
}

// TestEveryRouteWithoutRight sends to every operation credentials that give no
// right to it.
func TestEveryRouteWithoutRight(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	all := g.token
	parts := strings.Split(all, ".")
	signed := g.reader()
	for _, r := range g.api.Routes() {
		path := g.path(r.Pattern, "")
		for name, header := range map[string]string{
			"nothing": "", "Basic": "Basic YWxsOm9wZW4gc2VzYW1l", "no scheme": all, "SSWS": "SSWS " + all, "an empty token": "Bearer ",
			"a text": "Bearer abc", "three texts": "Bearer a.b.c", "no signature": "Bearer " + parts[0] + "." + parts[1] + ".",
			"other claims":    "Bearer " + parts[0] + "." + strings.Split(signed, ".")[1] + "." + parts[2],
			"no algorithm":    "Bearer eyJhbGciOiJub25lIn0." + parts[1] + ".",
			"a long one":      "Bearer " + strings.Repeat("x", 100_000),
			"of another type": "Bearer tok_abcdefghijklmnop." + strings.Repeat("0", 64),
		} {
			g.refused(401, r.Method, path, "{}", "Authorization", header)
			if t.Failed() {
				t.Fatalf("%s %s with %s", r.Method, path, name)
			}
		}
		if !strings.Contains(strings.Join(r.Scopes, " ")+" ", "read:users ") {
			g.refused(403, r.Method, path, "{}", "Authorization", "Bearer "+signed)
		}
		g.unchanged(r.Method + " " + path)
	}
	g.clock.Step(25 * 3600e9)
	for _, r := range g.api.Routes() {
		g.refused(401, r.Method, g.path(r.Pattern, ""), "{}")
	}
	g.unchanged("expired tokens")
}

// reader returns a token that may read users only.
func (g *gate) reader() string { return g.login("reader", "just look") }

// TestEveryRouteWithBadBodies sends to every operation that changes something
// bodies that it cannot take.
func TestEveryRouteWithBadBodies(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	huge := `{"name":"` + strings.Repeat("x", 10<<20) + `"}`
	for _, r := range g.api.Routes() {
		if !takesBody(r) {
			continue
		}
		path := g.path(r.Pattern, "")
		for _, body := range []string{
			"{", "[", "nonsense", `{"name":"x"} {}`, `"text"`, "12", "true", `{"no_such_property":1}`, "{\"name\":\"\xff\"}",
			strings.Repeat("[", 200_000), strings.Repeat(`{"a":`, 100_000), `{"name":1e99999}`, `[null]`, `[[]]`, `{"\u0000":1}`,
		} {
			g.refused(0, r.Method, path, body)
			g.unchanged(r.Method + " " + path + " with " + body[:min(len(body), 40)])
		}
		g.refused(0, r.Method, path, huge)
		g.unchanged(r.Method + " " + path + " with 10 MB")
	}
}

// takesBody reports whether an operation reads a body.
func takesBody(r auth0.Route) bool {
	ends := func(end string) bool { return strings.HasSuffix(r.Pattern, end) }
	switch r.Method {
	case "GET":
		return false
	case "DELETE":
		return slices.ContainsFunc([]string{"/roles", "/permissions", "/members"}, ends)
	}
	return !slices.ContainsFunc(bodyless, ends)
}

// bodyless are the ends of operations that read no body.
var bodyless = []string{"/recovery-code-regeneration", "/rotate", "/rotate-secret", "/revoke"}

// TestEveryRouteWithBadPaths names objects by what no object is named.
func TestEveryRouteWithBadPaths(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, r := range g.api.Routes() {
		if !strings.Contains(r.Pattern, "{") {
			continue
		}
		for _, id := range []string{
			strings.Repeat("x", 5000), "%00", "a%00b", "..%2F..%2Fetc", "%2F", "a%2Fb", "%F0%9F%98%80", "%FF%FE", "%27%20OR%201=1--", "%25", "*", "%7C", "+", "%0D%0AX-Evil:%201",
		} {
			g.refused(0, r.Method, g.path(r.Pattern, id), "")
			g.refused(0, r.Method, g.path(r.Pattern, id), "{}")
			g.unchanged(r.Method + " " + r.Pattern + " with " + id[:min(len(id), 40)])
		}
	}
}

// TestEveryListWithBadPaging asks for parts of lists that there cannot be.
func TestEveryListWithBadPaging(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, r := range g.api.Routes() {
		if r.Method != "GET" {
			continue
		}
		for _, query := range []string{
			"page=-1", "per_page=-1", "page=99999999999999999999", "per_page=101", "per_page=99999999999", "page=abc", "per_page=1.5", "page=0x1",
			"take=-1", "take=0", "take=101", "take=abc", "from=%00", "from=!!", "from=" + strings.Repeat("A", 5000), "from=Zm9v", "take=10&page=3",
			"include_totals=maybe", "q=" + strings.Repeat("(", 16_000), "q=%00", "sort=%00:1", "fields=%00", "include_fields=x", "page=2147483647&per_page=100", "%zz=1;x",
		} {
			g.refused(0, r.Method, g.path(r.Pattern, "")+"?"+query, "")
		}
	}
	g.unchanged("paging")
}

// A search whose query cannot be read must not become one without a condition.
func TestQueriesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, query := range []string{"q=email:%22a%22;per_page=5", "q=%zz", "search_engine=v3&q=email:100%"} {
		if a := b.call("GET", "/api/v2/users?"+query, ""); a.status != 400 || !strings.Contains(a.body, "invalid_query_string") {
			t.Errorf("%s: %d %s, want 400", query, a.status, a.body)
		}
	}
}
