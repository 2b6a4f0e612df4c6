package catalog

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// all returns the embedded entries.
func all(t testing.TB) []*Entry {
	t.Helper()
	list, err := All()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAll(t *testing.T) {
	var names []string
	for _, e := range all(t) {
		names = append(names, e.Name)
		if Find(e.Name) != e {
			t.Errorf("Find(%q) is another entry", e.Name)
		}
		if len(e.Description()) == 0 || len(e.Probes) == 0 || len(e.Forecast.Buckets) == 0 || e.RateLimit.Limit == "" && !e.RateLimit.RetryAfter {
			t.Errorf("%s: the entry is incomplete", e.Name)
		}
		for _, a := range e.Auth {
			if e.Probe(a.Type) == nil {
				t.Errorf("%s: no probe for %s", e.Name, a.Type)
			}
		}
	}
	if want := []string{"auth0", "lanyard", "okta", "scim"}; !slices.Equal(names, want) {
		t.Errorf("All = %v, want %v", names, want)
	}
	if Find("none") != nil {
		t.Error("Find(none) is an entry")
	}
	list := all(t)
	list[0] = nil
	if all(t)[0] == nil {
		t.Error("a caller can change the list of others")
	}
}

// What the providers' own documents say, spelled out once more: a slip in a
// profile would send a credential the wrong way or a call too early.
func TestProfiles(t *testing.T) {
	okta, auth0 := Find("okta"), Find("auth0")
	ssws, _ := okta.Credential("ssws")
	if diff := cmp.Diff(Auth{Type: "ssws", Header: "Authorization", Prefix: "SSWS "}, ssws); diff != "" {
		t.Errorf("okta ssws (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(RateLimit{
		Limit: "X-Rate-Limit-Limit", Remaining: "X-Rate-Limit-Remaining", Reset: "X-Rate-Limit-Reset",
		Margin: 1, ZeroIsConcurrency: true, Concurrency: 75,
	}, okta.RateLimit); diff != "" {
		t.Errorf("okta rate limit (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(RateLimit{
		Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining", Reset: "X-RateLimit-Reset", RetryAfter: true,
	}, auth0.RateLimit); diff != "" {
		t.Errorf("auth0 rate limit (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		entry               *Entry
		authType, server    string
		tokenURL, audience  string
		sendScopes          bool
		sandbox, base, path string
	}{
		{okta, "private_key_jwt", "https://example.okta.com/", "https://example.okta.com/oauth2/v1/token", "", true, "okta", "", "/api/v1/users"},
		{okta, "authorization_code", "https://example.okta.com", "https://example.okta.com/oauth2/v1/token", "", false, "okta", "", "/api/v1/users/me"},
		{okta, "ssws", "https://example.okta.com", "", "", false, "okta", "", "/api/v1/users/me"},
		{
			auth0, "client_credentials", "https://example.eu.auth0.com/api/v2",
			"https://example.eu.auth0.com/oauth/token", "https://example.eu.auth0.com/api/v2/", false, "auth0", "/api/v2", "/users",
		},
		{auth0, "private_key_jwt", "http://127.0.0.1:8482/api/v2", "http://127.0.0.1:8482/oauth/token", "http://127.0.0.1:8482/api/v2/", false, "auth0", "/api/v2", "/users"},
	} {
		a, ok := tt.entry.Credential(tt.authType)
		if !ok {
			t.Errorf("%s takes no %s", tt.entry.Name, tt.authType)
			continue
		}
		a, err := a.At(tt.server)
		if err != nil || a.TokenURL != tt.tokenURL || a.Audience != tt.audience || a.SendScopes != tt.sendScopes || a.OAuth() != (tt.tokenURL != "") {
			t.Errorf("%s %s at %s = %+v, %v; want token URL %q, audience %q, scopes %t", tt.entry.Name, tt.authType, tt.server, a, err, tt.tokenURL, tt.audience, tt.sendScopes)
		}
		if tt.entry.Sandbox != tt.sandbox || tt.entry.BasePath != tt.base || tt.entry.Probe(tt.authType).Path != tt.path {
			t.Errorf("%s: sandbox %q, base path %q, probe %q; want %q, %q, %q", tt.entry.Name,
				tt.entry.Sandbox, tt.entry.BasePath, tt.entry.Probe(tt.authType).Path, tt.sandbox, tt.base, tt.path)
		}
	}
	for _, e := range all(t) {
		if !slices.Equal(e.NotProcessed, []int{429}) {
			t.Errorf("%s: not processed %v, want 429 alone", e.Name, e.NotProcessed)
		}
	}
	if _, ok := okta.Credential("basic"); ok {
		t.Error("okta takes basic")
	}
	if auth0.Probe("ssws") == nil {
		t.Error("a probe without auth is not for every type")
	}
}

func TestAtRefusesWhatIsNoServer(t *testing.T) {
	a, _ := Find("auth0").Credential("client_credentials")
	for _, server := range []string{"", "example.auth0.com", "/api/v2", "ftp://example.auth0.com", "https://{tenant}/api/v2", "https://"} {
		if got, err := a.At(server); !fault.Is(err, fault.Invalid) {
			t.Errorf("At(%q) = %+v, %v; want an Invalid fault", server, got, err)
		}
	}
}

// The kinds of credential are those of lanyard.yaml.
func TestAuthTypesAreThoseOfTheConfiguration(t *testing.T) {
	want := []string{
		config.AuthSSWS, config.AuthAPIKey, config.AuthBearer, config.AuthBasic,
		config.AuthClientCredentials, config.AuthPrivateKeyJWT, config.AuthAuthorizationCode,
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(authTypes)); !slices.Equal(got, want) {
		t.Errorf("known types %v, the configuration has %v", got, want)
	}
}

func TestMatch(t *testing.T) {
	const oktaTitle, auth0Title = "Okta API", "Auth0 Management API"
	for _, tt := range []struct {
		name, title string
		servers     []string
		want        string
	}{
		// As the two documents of the seed workflow say, and Okta's own of 2026.
		{"oktaApi", oktaTitle, []string{"https://your-subdomain.okta.com/"}, "okta"},
		{"auth0Api", auth0Title, []string{"https://{tenantDomain}/api/v2"}, "auth0"},
		{"x", "Okta Admin Management API", []string{"https://{yourOktaDomain}"}, "okta"},
		// By host.
		{"x", "", []string{"https://dev-1.oktapreview.com"}, "okta"},
		{"x", "", []string{"https://dev-1.okta-emea.com"}, "okta"},
		{"x", "", []string{"https://dev-1.okta-gov.com"}, "okta"},
		{"x", "", []string{"https://DEV-1.Okta.COM:443/api/v1"}, "okta"},
		{"x", "", []string{"https://example.okta.com."}, "okta"},
		{"x", "", []string{"//example.okta.com"}, "okta"},
		{"x", "", []string{"https://user:word@example.okta.com"}, "okta"},
		{"x", "", []string{"https://{TENANT}.auth0.com/api/v2"}, "auth0"},
		{"x", "", []string{"https://demo.us.auth0.com"}, "auth0"},
		{"x", "", []string{"https://api.example.com", "https://demo.us.auth0.com"}, "auth0"},
		// What only looks like one.
		{"x", "", []string{"https://notokta.com"}, ""},
		{"x", "", []string{"https://okta.com"}, ""},
		{"x", "", []string{"https://example.okta.com.evil.test"}, ""},
		{"x", "", []string{"https://example.okta.com@evil.test"}, ""},
		{"x", "", []string{"https://example.okta.com:443@evil.test"}, ""},
		{"x", "", []string{`https://evil.test\.okta.com`}, ""},
		{"x", "", []string{"https://evil.test/example.okta.com"}, ""},
		{"x", "", []string{"https://evil.test?x.okta.com", "https://evil.test#x.okta.com"}, ""},
		{"x", "", []string{"example.okta.com", "", "/api/v2", "file:///x.okta.com"}, ""},
		{"x", "", []string{"http:evil//x.okta.com", "evil/http://x.okta.com", "://x.okta.com"}, ""},
		// By title.
		{"x", "okta api", nil, "okta"},
		{"x", "Okta OpenID Connect & OAuth 2.0", nil, ""},
		{"x", "The Okta API", nil, ""},
		{"x", "Auth0 Authentication API", nil, ""},
		// By name.
		{"okta", "", nil, "okta"},
		{"oktaApi", "", nil, "okta"},
		{"Okta-Prod", "", nil, "okta"},
		{"auth0", "Customers", []string{"https://login.example.com/api/v2"}, "auth0"},
		{"myOkta", "", nil, ""},
		{"", "", nil, ""},
		// Host before title before name.
		{"auth0Api", auth0Title, []string{"https://example.okta.com"}, "okta"},
		{"auth0Api", oktaTitle, []string{"http://127.0.0.1:8481"}, "okta"},
		{"okta", "", []string{"https://example.auth0.com"}, "auth0"},
		{"slackApi", "Slack Web API", []string{"https://slack.com/api"}, ""},
	} {
		got := ""
		if e := Match(tt.name, tt.title, tt.servers); e != nil {
			got = e.Name
		}
		if got != tt.want {
			t.Errorf("Match(%q, %q, %q) = %q, want %q", tt.name, tt.title, tt.servers, got, tt.want)
		}
	}
	if !Find("okta").Serves("https://example.okta.com") || Find("okta").Serves("http://127.0.0.1:8481") {
		t.Error("Serves does not tell the provider from the sandbox")
	}
}

// Where net/url finds a host, it is the one that we judge by.
func FuzzServes(f *testing.F) {
	for _, seed := range []string{
		"https://example.okta.com/", "//example.okta.com", "https://{TENANT}.auth0.com", "https://a@example.okta.com:443?x#y",
		`https://evil.test\.okta.com`, "http:a//x.okta.com", "a/b://x.okta.com", "https://x.okta.com.", "https://[::1]/", "https://%2e.okta.com",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, server string) {
		u, err := url.Parse(server)
		for _, e := range all(t) {
			if err == nil && e.Serves(server) && !likeAny(e.Match.Hosts, strings.TrimSuffix(u.Hostname(), ".")) {
				t.Errorf("%q is taken for %s, and its host is %q", server, e.Name, u.Hostname())
			}
		}
	})
}

func TestLike(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true},
		{"a", "A", true},
		{"a", "ab", false},
		{"a*", "a", true},
		{"a*", "ba", false},
		{"*b", "ab", true},
		{"*b", "ba", false},
		{"a*c", "abc", true},
		{"a*a", "a", false},
		{"ab*ba", "aba", false},
		{"a*b*c", "axxbyyc", true},
		{"a*b*b", "ab", false},
		{"a*b*c", "acb", false},
		{"a.c", "abc", false},
	} {
		if got := like(tt.pattern, tt.text); got != tt.want {
			t.Errorf("like(%q, %q) = %t, want %t", tt.pattern, tt.text, got, tt.want)
		}
	}
}

func TestBucket(t *testing.T) {
	for _, tt := range []struct {
		entry, method, path string
		want                Bucket
	}{
		{"okta", "GET", "/api/v1/users", Bucket{Methods: []string{"GET", "POST"}, Path: "/api/v1/users", PerMinute: 600}},
		{"okta", "GET", "/api/v1/users/{id}", Bucket{Methods: []string{"GET"}, Path: "/api/v1/users/{userId}", PerMinute: 2000}},
		{"okta", "PUT", "/api/v1/users/{userId}", Bucket{Methods: []string{"POST", "PUT", "DELETE"}, Path: "/api/v1/users/{userId}", PerMinute: 600}},
		{"okta", "POST", "/api/v1/users/{userId}/lifecycle/suspend", Bucket{Path: "/api/v1/**", PerMinute: 1200}},
		{"okta", "GET", "/api/v1/groups/{groupId}", Bucket{Path: "/api/v1/groups/{groupId}", PerMinute: 1000}},
		{"okta", "GET", "/api/v1/groups/rules", Bucket{Path: "/api/v1/groups/**", PerMinute: 500}},
		{"okta", "GET", "/api/v1/groups", Bucket{Path: "/api/v1/groups/**", PerMinute: 500}},
		{"okta", "PUT", "/api/v1/groups/{groupId}/users/{userId}", Bucket{Path: "/api/v1/groups/**", PerMinute: 500}},
		{"okta", "POST", "/api/v1/apps/{appId}/users", Bucket{Path: "/api/v1/apps/**", PerMinute: 100}},
		{"okta", "DELETE", "/api/v1/users", Bucket{Path: "/api/v1/**", PerMinute: 1200}},
		{"auth0", "POST", "/users", Bucket{Path: "/**", PerMinute: 960, Burst: 50}},
		{"auth0", "GET", "/", Bucket{Path: "/**", PerMinute: 960, Burst: 50}},
	} {
		got, ok := Find(tt.entry).Forecast.Bucket(tt.method, tt.path)
		if diff := cmp.Diff(tt.want, got); !ok || diff != "" {
			t.Errorf("%s: Bucket(%s %s) (-want +got):\n%s", tt.entry, tt.method, tt.path, diff)
		}
	}
	if b, ok := Find("okta").Forecast.Bucket("GET", "/elsewhere"); ok {
		t.Errorf("Bucket(GET /elsewhere) = %+v, want none", b)
	}
}

func TestBucketPrecedence(t *testing.T) {
	f := Forecast{Buckets: []Bucket{
		{Path: "/**", PerMinute: 1},
		{Path: "/a/**", PerMinute: 2},
		{Path: "/a/**", Methods: []string{"GET"}, PerMinute: 3},
		{Path: "/a", PerMinute: 4},
		{Path: "/a/{x}/b", PerMinute: 5},
		{Path: "/a/{x}/b", Methods: []string{"PUT"}, PerMinute: 6},
	}}
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/b", 1},
		{"PUT", "/a/{y}", 2},
		{"GET", "/a/{y}", 3},
		{"GET", "/a", 4}, // its own path says more than its method
		{"GET", "/a/{y}/b", 5},
		{"PUT", "/a/{y}/b", 6},
		{"GET", "/a/y/b", 3},
		{"GET", "/ab", 1},
	} {
		if got, ok := f.Bucket(tt.method, tt.path); !ok || got.PerMinute != tt.want {
			t.Errorf("Bucket(%s %s) allows %d a minute, want %d", tt.method, tt.path, got.PerMinute, tt.want)
		}
	}
}

// small is a profile with all that is needed, and no more.
const small = `
title: Small
match: {names: [small]}
auth: [{type: bearer, header: Authorization}]
description: openapi.yaml
`

func catalogue(profiles map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range profiles {
		fsys[name+"/profile.yaml"] = &fstest.MapFile{Data: []byte(text)}
		fsys[name+"/openapi.yaml"] = &fstest.MapFile{Data: []byte("openapi: 3.1.0")}
	}
	return fsys
}

// A new provider is a new folder.
func TestReadTakesEveryFolder(t *testing.T) {
	fsys := catalogue(map[string]string{"b": small, "a": strings.ReplaceAll(small, "mall", "maller")})
	fsys["notes.txt"], fsys["c/other.yaml"] = &fstest.MapFile{}, &fstest.MapFile{}
	list, err := read(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" || list[1].Title != "Small" || string(list[1].Description()) != "openapi: 3.1.0" {
		t.Errorf("read = %+v", list)
	}
	if e := match(list, "smaller", "", nil); e != list[0] {
		t.Errorf("match(smaller) = %+v", e)
	}
}

func TestReadRefuses(t *testing.T) {
	const auth = "[{type: bearer, header: Authorization}]"
	with := func(extra string) string { return small + extra }
	for _, tt := range []struct{ name, profile, want string }{
		{"nothing", "", "empty"},
		{"unknown key", with("limits: 3"), "limits"},
		{"unknown key inside", with("rateLimit: {limit: L, remaining: R, rest: S}"), "rest"},
		{"wrong kind", with("notProcessed: soon"), "soon"},
		{"key twice", with("title: Again"), "twice"},
		{"two documents", with("---\ntitle: Again"), "second document"},
		{"no title", strings.Replace(small, "title: Small", "", 1), "title is missing"},
		{"no match", strings.Replace(small, "match: {names: [small]}", "", 1), "match is missing"},
		{"no auth", strings.Replace(small, "auth: "+auth, "", 1), "auth is missing"},
		{"no description", strings.Replace(small, "openapi.yaml", `""`, 1), "description is missing"},
		{"absent description", strings.Replace(small, "openapi.yaml", "swagger.yaml", 1), `"swagger.yaml"`},
		{"matches all", strings.Replace(small, "[small]", `["*"]`, 1), "anything"},
		{"matches nothing said", strings.Replace(small, "[small]", `[""]`, 1), "anything"},
		{"host without its dot", strings.Replace(small, "names: [small]", `hosts: ["*small.com"]`, 1), "*.domain"},
		{"host open at its end", strings.Replace(small, "names: [small]", `hosts: ["small.*"]`, 1), "*.domain"},
		{"base path", with("basePath: api/"), "basePath"},
		{"sandbox", with("sandbox: a/b"), "façade"},
		{"unknown credential", strings.Replace(small, "bearer", "token", 1), `"token"`},
		{"credential twice", strings.Replace(small, auth, "[{type: bearer, header: A}, {type: bearer, header: B}]", 1), "twice"},
		{"no header", strings.Replace(small, ", header: Authorization", "", 1), "header is missing"},
		{"token URL of a token", strings.Replace(small, "header: A", "tokenUrl: '{origin}/t', header: A", 1), "OAuth"},
		{"audience of a token", strings.Replace(small, "header: A", "audience: '{origin}/', header: A", 1), "belong to OAuth"},
		{"OAuth without a token URL", strings.Replace(small, "bearer", "client_credentials", 1), "tokenUrl"},
		{"token URL elsewhere", strings.Replace(small, "type: bearer", "type: client_credentials, tokenUrl: 'https://x/t'", 1), "{origin}"},
		{"environment without credential", with("environment: {server: 'https://{X}', auth: bearer}"), "belong together"},
		{"environment of another kind", with("environment: {auth: ssws, credential: {token: X}}"), "stand in auth"},
		{"environment without TLS", with("environment: {server: 'http://{X}'}"), "https://"},
		{"environment beside the base path", with("basePath: /api\nenvironment: {server: 'https://{X}'}"), "basePath"},
		{"no such variable", with("environment: {server: 'https://{X}', defaults: {Y: z}}"), "Y has a default"},
		{"variable in lower case", with("environment: {server: 'https://{x}'}"), `"x"`},
		{"half the headers", with("rateLimit: {limit: L}"), "belong together"},
		{"margin without headers", with("rateLimit: {marginSeconds: 1}"), "need the headers"},
		{"less than no margin", with("rateLimit: {limit: L, remaining: R, reset: S, marginSeconds: -1}"), "less than none"},
		{"a success not processed", with("notProcessed: [200]"), "200"},
		{"a probe that writes", with("probes: [{method: POST, path: /x}]"), "POST"},
		{"a probe with a parameter", with("probes: [{method: GET, path: '/{id}'}]"), "/{id}"},
		{"a probe with its query inside", with("probes: [{method: GET, path: '/x?a=b'}]"), "/x?a=b"},
		{"a probe for others", with("probes: [{method: GET, path: /x, auth: [ssws]}]"), "ssws"},
		{"an identity that is no pointer", with("probes: [{method: GET, path: /x, identity: id}]"), "identity"},
		{"an answer without a remedy", with("probes: [{method: GET, path: /x, answers: {401: {meaning: no}}}]"), "remedy"},
		{"a success to explain", with("probes: [{method: GET, path: /x, answers: {200: {meaning: a, remedy: b}}}]"), "200"},
		{"an unknown mark", with("probes: [{method: GET, path: /x, answers: {401: {meaning: a, remedy: b, mark: odd}}}]"), `"odd"`},
		{"a role without a remedy", with("probes: [{method: GET, path: /x, role: {meaning: a}}]"), "role needs"},
		{"a role with a mark", with("probes: [{method: GET, path: /x, role: {meaning: a, remedy: b, mark: missing scopes}}]"), "role needs"},
		{"a sign-in nowhere", strings.Replace(small, "type: bearer", "type: authorization_code, tokenUrl: '{origin}/t'", 1), "authorizeUrl belongs"},
		{"a sign-in elsewhere", strings.Replace(small, "type: bearer", "type: authorization_code, tokenUrl: '{origin}/t', authorizeUrl: 'https://x/a'", 1), "{origin}"},
		{"a sign-in of a token", strings.Replace(small, "header: A", "authorizeUrl: '{origin}/a', header: A", 1), "authorizeUrl belongs"},
		{"scopes of a token", strings.Replace(small, "header: A", "scopes: [a], header: A", 1), "scopes belong"},
		{"a scope that includes itself", with("scopeIncludes: {.a: .a}"), "scopeIncludes"},
		{"an empty bucket", with("forecast: {buckets: [{path: /x}]}"), "allows nothing"},
		{"a bucket without a path", with("forecast: {buckets: [{path: x, perMinute: 1}]}"), "not a path"},
		{"a method in lower case", with("forecast: {buckets: [{path: /x, perMinute: 1, methods: [get]}]}"), "upper case"},
		{"more than the whole", with("forecast: {credentialShare: 101}"), "percentage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := read(catalogue(map[string]string{"good": small, "bad": tt.profile}))
			if err == nil {
				t.Fatalf("read = %+v, want an error about %q", list[0], tt.want)
			}
			if text := fault.Public(err); !strings.Contains(text, tt.want) || !strings.Contains(text, "bad/profile.yaml") {
				t.Errorf("read = %q, want %q and the file in it", text, tt.want)
			}
		})
	}
	if _, err := read(catalogue(map[string]string{"good": small})); err != nil {
		t.Errorf("read(good) = %v", err)
	}
}

func TestReadReportsEverything(t *testing.T) {
	_, err := read(catalogue(map[string]string{"x": strings.ReplaceAll(small, "Small", `""`) + "basePath: x", "y": "tilte: Y"}))
	for _, want := range []string{"title is missing", "basePath", "tilte"} {
		if err == nil || !strings.Contains(fault.Public(err), want) {
			t.Errorf("read = %v, want %q in it", err, want)
		}
	}
}

// Texts for admins are sentences, as errors are: no capital, no full stop.
func TestAnswersReadAsErrors(t *testing.T) {
	proper := regexp.MustCompile(`^(Okta|Auth0) `)
	for _, e := range all(t) {
		var answers []Answer
		for _, p := range e.Probes {
			answers = slices.AppendSeq(answers, maps.Values(p.Answers))
			if p.Role != nil {
				answers = append(answers, *p.Role)
			}
			for _, status := range []int{401, 403} {
				if p.Answers[status].Remedy == "" {
					t.Errorf("%s: the probe %s does not explain %d", e.Name, p.Path, status)
				}
			}
		}
		for _, a := range e.Auth {
			answers = slices.AppendSeq(answers, maps.Values(a.Answers))
		}
		for _, a := range answers {
			for _, text := range []string{a.Meaning, a.Remedy} {
				if strings.HasSuffix(text, ".") || strings.ToLower(text[:1]) != text[:1] && !proper.MatchString(text) {
					t.Errorf("%s: %q does not read as part of an error", e.Name, text)
				}
			}
		}
	}
}

func TestIncludes(t *testing.T) {
	okta, auth0 := Find("okta"), Find("auth0")
	for _, tt := range []struct {
		entry           *Entry
		granted, needed string
		want            bool
	}{
		{okta, "okta.users.read", "okta.users.read", true},
		{okta, "okta.users.manage", "okta.users.read", true},
		{okta, "okta.users.read", "okta.users.manage", false},
		{okta, "okta.users.manage", "okta.groups.read", false},
		{okta, "okta.users.manage.self", "okta.users.read", false},
		{auth0, "users.manage", "users.read", false},
	} {
		if got := tt.entry.Includes(tt.granted, tt.needed); got != tt.want {
			t.Errorf("%s: %s includes %s = %t, want %t", tt.entry.Name, tt.granted, tt.needed, got, tt.want)
		}
	}
	if names := Names(); !slices.Contains(names, "okta") || !slices.IsSorted(names) {
		t.Errorf("Names = %v", names)
	}
}
