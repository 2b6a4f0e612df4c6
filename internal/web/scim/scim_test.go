package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
	webscim "github.com/lanyard-id/lanyard/internal/web/scim"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// bench is an API over a memory, and what a client sees of it.
type bench struct {
	*testing.T
	*memory
	api      *webscim.API
	log      *exchanges
	recorder *wirelog.Recorder
	token    string
	clock    time.Time
	limits   bool
}

// exchanges is a request log in memory.
type exchanges struct {
	wirelog.Store

	mu   sync.Mutex
	kept []wirelog.Exchange
}

func (e *exchanges) Append(_ context.Context, list []wirelog.Exchange) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kept = append(e.kept, list...)
	return nil
}

func (e *exchanges) Trim(context.Context, time.Time, int) (int, error) { return 0, nil }

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := secret.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, memory: newMemory(), log: &exchanges{}, token: token, clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	b.recorder = wirelog.NewRecorder(wirelog.Options{Store: b.log})
	t.Cleanup(func() { _ = b.recorder.Close(context.Background()) })
	b.api = webscim.New(webscim.Options{
		Backend: b.memory, Sealer: key, Now: func() time.Time { return b.clock }, Wire: b.recorder,
		BaseURL: "https://t.example", EnforceLimits: func() bool { return b.limits },
	})
	return b
}

const root = "https://t.example/scim/v2/connections/con_1"

// reply is an answer.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// call sends a request below the connection. body is JSON text; headers are name
// and value in turn.
func (b *bench) call(method, path, body string, headers ...string) reply {
	b.Helper()
	return b.at(method, webscim.Prefix+"con_1"+path, body, headers...)
}

func (b *bench) at(method, path, body string, headers ...string) reply {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), text: w.Body.String()}
	if out.text == "" {
		return out
	}
	if got := out.header.Get("Content-Type"); got != "application/scim+json" {
		b.Errorf("%s %s: Content-Type %q", method, path, got)
	}
	v, err := value.Decode([]byte(out.text))
	if err != nil {
		b.Fatalf("%s %s: %v in %q", method, path, err, out.text)
	}
	out.body, _ = v.(map[string]any)
	return out
}

// want checks the status and, of an error, its body.
func (b *bench) want(r reply, status int, scimType string) {
	b.Helper()
	if r.status != status {
		b.Errorf("status %d, want %d: %s", r.status, status, r.text)
		return
	}
	if status < 400 {
		return
	}
	got, _ := r.body["scimType"].(string)
	detail, _ := r.body["detail"].(string)
	if !cmp.Equal(r.body["schemas"], any([]any{scim.ErrorMessage})) || r.body["status"] != fmt.Sprint(status) || got != scimType || detail == "" {
		b.Errorf("the error %s, want the status %d and the scimType %q", r.text, status, scimType)
	}
}

// at returns what stands at a JSON Pointer.
func (r reply) get(pointer string) any {
	p, err := value.ParsePointer(pointer)
	if err != nil {
		return err
	}
	v, _ := p.Get(r.body)
	return v
}

// userNames lists the users on a page.
func (r reply) userNames() []string {
	out := []string{}
	list, _ := r.body["Resources"].([]any)
	for _, item := range list {
		o, _ := item.(map[string]any)
		name, ok := o["userName"].(string)
		if !ok {
			name, _ = o["displayName"].(string)
		}
		out = append(out, name)
	}
	return out
}

func user(name, more string) string {
	return `{"schemas":["` + scim.UserSchema + `"],"userName":"` + name + `"` + more + `}`
}

func TestLifeOfAUser(t *testing.T) {
	b := newBench(t)
	made := b.call("POST", "/Users", user("bjensen", `,"id":"mine","password":"secret1","name":{"familyName":"Jensen"},"emails":[{"value":"b@x.example","type":"work","primary":true}]`))
	b.want(made, 201, "")
	location := root + "/Users/u%7C1"
	if made.header.Get("Location") != location || made.get("/meta/location") != location || made.get("/id") != "u|1" || made.get("/meta/resourceType") != "User" {
		t.Errorf("created as %s at %s", made.text, made.header.Get("Location"))
	}
	if made.header.Get("ETag") == "" || made.header.Get("ETag") != made.get("/meta/version") || !strings.HasPrefix(made.header.Get("ETag"), `W/"`) {
		t.Errorf("ETag %q in %s", made.header.Get("ETag"), made.text)
	}
	if strings.Contains(made.text, "secret1") {
		t.Errorf("the password is answered: %s", made.text)
	}
	got := b.call("GET", "/Users/u%7C1", "")
	b.want(got, 200, "")
	if got.text != made.text {
		t.Errorf("read %s, created %s", got.text, made.text)
	}
	b.want(b.call("POST", "/Users", user("BJENSEN", "")), 409, "uniqueness")
	put := b.call("PUT", "/Users/u%7C1", user("bjensen2", ""))
	b.want(put, 200, "")
	if put.get("/userName") != "bjensen2" || put.get("/name") != nil {
		t.Errorf("replaced by %s", put.text)
	}
	patched := b.call("PATCH", "/Users/u%7C1", `{"schemas":["`+scim.PatchMessage+`"],"Operations":[{"op":"replace","value":{"active":false}}]}`)
	b.want(patched, 204, "")
	if patched.text != "" {
		t.Errorf("204 with %q", patched.text)
	}
	if got := b.call("GET", "/Users/u%7C1", ""); got.get("/active") != false {
		t.Errorf("after the patch: %s", got.text)
	}
	if r := b.call("HEAD", "/Users/u%7C1", ""); r.status != 200 {
		t.Errorf("HEAD: %d", r.status)
	}
	gone := b.call("DELETE", "/Users/u%7C1", "")
	b.want(gone, 204, "")
	if gone.text != "" {
		t.Errorf("204 with %q", gone.text)
	}
	for _, r := range []reply{
		b.call("GET", "/Users/u%7C1", ""), b.call("DELETE", "/Users/u%7C1", ""), b.call("PUT", "/Users/u%7C1", user("x", "")),
		b.call("PATCH", "/Users/u%7C1", `{"schemas":["`+scim.PatchMessage+`"],"Operations":[{"op":"replace","value":{"active":false}}]}`),
	} {
		b.want(r, 404, "")
	}
	if names := b.names("User"); len(names) > 0 {
		t.Errorf("a PUT to what there is not made %v", names)
	}
}

// A patch whose answer is asked for has one.
func TestPatchAnswers(t *testing.T) {
	b := newBench(t)
	b.fill(t, 1)
	patch := `{"schemas":["` + scim.PatchMessage + `"],"Operations":[{"op":"add","path":"title","value":"T"}]}`
	r := b.call("PATCH", "/Users/u%7C1?attributes=title", patch)
	b.want(r, 200, "")
	if r.get("/title") != "T" || r.get("/userName") != nil {
		t.Errorf("asked for title: %s", r.text)
	}
	b.bodies = true
	r = b.call("PATCH", "/Users/u%7C1?excludedAttributes=name", patch)
	b.want(r, 200, "")
	if r.get("/title") != "T" || r.get("/userName") == nil || r.header.Get("ETag") == "" {
		t.Errorf("the answer: %s", r.text)
	}
	r = b.call("PATCH", "/Users/u%7C1", patch)
	b.want(r, 204, "")
	if r.header.Get("ETag") != b.call("GET", "/Users/u%7C1", "").header.Get("ETag") {
		t.Errorf("ETag %q", r.header.Get("ETag"))
	}
	b.want(b.call("PATCH", "/Users/u%7C1?attributes=title&excludedAttributes=name", strings.ReplaceAll(patch, `"T"`, `"U"`)), 400, "invalidValue")
	if r := b.call("GET", "/Users/u%7C1", ""); r.get("/title") != "T" {
		t.Errorf("a request that was refused changed the title to %v", r.get("/title"))
	}
}

func TestPreconditions(t *testing.T) {
	b := newBench(t)
	b.fill(t, 1)
	version := b.call("GET", "/Users/u%7C1", "").header.Get("ETag")
	unchanged := b.call("GET", "/Users/u%7C1", "", "If-None-Match", version)
	b.want(unchanged, 304, "")
	if unchanged.text != "" || unchanged.header.Get("ETag") != version {
		t.Errorf("304 with %q, ETag %s", unchanged.text, unchanged.header.Get("ETag"))
	}
	b.want(b.call("GET", "/Users/u%7C1", "", "If-None-Match", `W/"other"`), 200, "")
	b.want(b.call("PUT", "/Users/u%7C1", user("a", ""), "If-Match", `W/"other"`), 412, "")
	b.want(b.call("DELETE", "/Users/u%7C1", "", "If-Match", `W/"other"`), 412, "")
	b.want(b.call("PUT", "/Users/u%7C1", user("a", ""), "If-Match", version), 200, "")
	b.want(b.call("DELETE", "/Users/u%7C1", "", "If-Match", version), 412, "")
	b.want(b.call("DELETE", "/Users/u%7C1", "", "If-Match", "*"), 204, "")
}

func TestRefusals(t *testing.T) {
	b := newBench(t)
	b.fill(t, 1)
	b.config.MaxBody = 1000
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		scimType                 string
	}{
		{name: "unknown type", method: "GET", path: "/Robots", status: 404},
		{name: "unknown id", method: "GET", path: "/Users/x", status: 404},
		{name: "too deep", method: "GET", path: "/Users/x/y", status: 404},
		{name: "empty segment", method: "GET", path: "/Users//x", status: 404},
		{name: "bad escape", method: "GET", path: "/Users/%2F%2F", status: 404},
		{name: "method of a list", method: "DELETE", path: "/Users", status: 405},
		{name: "method of a resource", method: "POST", path: "/Users/u%7C1", body: "{}", status: 405},
		{name: "method of a search", method: "GET", path: "/.search", status: 405},
		{name: "method of bulk", method: "GET", path: "/Bulk", status: 405},
		{name: "no body", method: "POST", path: "/Users", status: 400, scimType: "invalidSyntax"},
		{name: "no JSON", method: "POST", path: "/Users", body: `{"userName":`, status: 400, scimType: "invalidSyntax"},
		{name: "no object", method: "POST", path: "/Users", body: `["x"]`, status: 400, scimType: "invalidSyntax"},
		{name: "no text", method: "POST", path: "/Users", body: "{\"userName\":\"\xff\"}", status: 400, scimType: "invalidSyntax"},
		{name: "too deep a body", method: "POST", path: "/Users", body: strings.Repeat("[", 600), status: 413},
		{name: "no userName", method: "POST", path: "/Users", body: `{"schemas":["` + scim.UserSchema + `"]}`, status: 400, scimType: "invalidValue"},
		{name: "wrong type of body", method: "POST", path: "/Users", body: user("a", ""), headers: []string{"Content-Type", "text/plain"}, status: 415},
		{name: "too large", method: "POST", path: "/Users", body: user("a", `,"title":"`+strings.Repeat("x", 1000)+`"`), status: 413},
		{name: "wrong filter", method: "GET", path: "/Users?filter=userName+eq", status: 400, scimType: "invalidFilter"},
		{name: "empty filter", method: "GET", path: "/Users?filter=", status: 400, scimType: "invalidFilter"},
		{name: "filter on nothing", method: "GET", path: "/Users?filter=shoeSize+eq+%221%22", status: 400, scimType: "invalidFilter"},
		{name: "filter on nothing, everywhere", method: "GET", path: "?filter=shoeSize+eq+%221%22", status: 400, scimType: "invalidFilter"},
		{name: "endless filter", method: "GET", path: "/Users?filter=" + strings.Repeat("title+pr+and+", 5000) + "title+pr", status: 400, scimType: "tooMany"},
		{name: "unquoted filter", method: "GET", path: "/Users?filter=userName+sw+O", status: 400, scimType: "invalidFilter"},
		{name: "wrong count", method: "GET", path: "/Users?count=many", status: 400, scimType: "invalidValue"},
		{name: "wrong startIndex", method: "GET", path: "/Users?startIndex=1.5", status: 400, scimType: "invalidValue"},
		{name: "wrong order", method: "GET", path: "/Users?sortBy=userName&sortOrder=up", status: 400, scimType: "invalidValue"},
		{name: "wrong sortBy", method: "GET", path: "/Users?sortBy=shoeSize", status: 400, scimType: "invalidPath"},
		{name: "both projections", method: "GET", path: "/Users?attributes=a&excludedAttributes=b", status: 400, scimType: "invalidValue"},
		{name: "two ways of paging", method: "GET", path: "/Users?cursor&startIndex=1", status: 400, scimType: "invalidValue"},
		{name: "no search request", method: "POST", path: "/.search", body: `{"filter":"title pr"}`, status: 400, scimType: "invalidSyntax"},
		{name: "wrong search request", method: "POST", path: "/Users/.search", body: `{"schemas":["` + scim.SearchMessage + `"],"count":"1"}`, status: 400, scimType: "invalidValue"},
		{name: "no patch", method: "PATCH", path: "/Users/u%7C1", body: `{"Operations":[]}`, status: 400, scimType: "invalidSyntax"},
		{name: "unknown operation", method: "PATCH", path: "/Users/u%7C1", body: `{"schemas":["` + scim.PatchMessage + `"],"Operations":[{"op":"move"}]}`, status: 400, scimType: "invalidSyntax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := *b
			b.T = t
			r := b.call(test.method, test.path, test.body, test.headers...)
			b.want(r, test.status, test.scimType)
			if test.status == 405 && r.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
	if names := b.names("User"); !cmp.Equal(names, []string{"user01"}) {
		t.Errorf("what was refused has changed the users to %v", names)
	}
	b.want(b.at("GET", "/scim/v2/connections/con_2/Users", ""), 404, "")
	b.want(b.at("GET", "/scim/v2/connections/", ""), 404, "")
	b.want(b.at("GET", "/elsewhere", ""), 404, "")
}

func TestBodies(t *testing.T) {
	b := newBench(t)
	for i, contentType := range []string{"application/scim+json", "application/json", "application/json; charset=UTF-8", "", "APPLICATION/JSON;charset"} {
		b.want(b.call("POST", "/Users/", user(fmt.Sprint("u", i), ""), "Content-Type", contentType, "Accept-Charset", "utf-8", "Accept", "text/html"), 201, "")
	}
	b.want(b.call("POST", "/Users", user("big", `,"title":"`+strings.Repeat("x", 10<<20)+`"`)), 413, "")
}

func TestTokens(t *testing.T) {
	b := newBench(t)
	b.fill(t, 1)
	for _, test := range []struct {
		token     string
		status    int
		challenge string
	}{
		{"", 401, `Bearer realm="SCIM"`},
		{"tok_9.wrong", 401, `Bearer realm="SCIM", error="invalid_token"`},
	} {
		b.token = test.token
		r := b.call("POST", "/Users", user("x", `,"password":"secret1"`))
		b.want(r, test.status, "")
		if got := r.header.Get("WWW-Authenticate"); got != test.challenge {
			t.Errorf("WWW-Authenticate %q, want %q", got, test.challenge)
		}
	}
	b.token = ""
	b.want(b.call("GET", "/Users", "", "Authorization", "Basic "+token), 401, "")
	b.token = "tok_3.reader"
	b.tokens[b.token] = readOnly
	b.want(b.call("GET", "/Users/u%7C1", ""), 200, "")
	b.want(b.call("GET", "/Users", ""), 200, "")
	b.want(b.call("POST", "/Users/.search", `{"schemas":["`+scim.SearchMessage+`"]}`), 200, "")
	for method, body := range map[string]string{"PUT": user("x", ""), "PATCH": "{}", "DELETE": ""} {
		b.want(b.call(method, "/Users/u%7C1", body), 403, "")
	}
	b.want(b.call("POST", "/Users", user("x", "")), 403, "")
	b.tokens[b.token] = []string{"POST"}
	for _, path := range []string{"/Users/u%7C1", "/Users", ""} {
		b.want(b.call("GET", path, ""), 403, "")
	}
	if names := b.names("User"); !cmp.Equal(names, []string{"user01"}) {
		t.Errorf("what was refused has changed the users to %v", names)
	}
}

func TestDiscovery(t *testing.T) {
	b := newBench(t)
	b.token = ""
	r := b.call("GET", "/ServiceProviderConfig", "")
	b.want(r, 200, "")
	if r.get("/patch/supported") != true || r.get("/pagination/cursor") != true || r.get("/meta/location") != root+"/ServiceProviderConfig" {
		t.Errorf("ServiceProviderConfig %s", r.text)
	}
	b.want(b.call("GET", "/ResourceTypes", ""), 401, "")
	b.want(b.call("GET", "/Schemas", ""), 401, "")
	b.token = token
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/ServiceProviderConfig/x", 404},
		{"GET", "/ServiceProviderConfig?filter=a+pr", 403},
		{"POST", "/ServiceProviderConfig", 405},
		{"GET", "/ResourceTypes?filter=name+pr", 403},
		{"PUT", "/ResourceTypes/User", 405},
		{"GET", "/ResourceTypes/User", 200},
		{"GET", "/ResourceTypes/Robot", 404},
		{"GET", "/ResourceTypes/User/x", 404},
		{"GET", "/Schemas?filter=name+pr", 403},
		{"DELETE", "/Schemas", 405},
		{"GET", "/Schemas/" + scim.EnterpriseSchema, 200},
		{"GET", "/Schemas/" + url.PathEscape("urn:example:Device"), 200},
		{"GET", "/Schemas/urn:none", 404},
	} {
		if r := b.call(test.method, test.path, ""); r.status != test.status {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, r.status, test.status)
		}
	}
	for path, n := range map[string]string{"/ResourceTypes": "3", "/Schemas": "4"} {
		r := b.call("GET", path, "")
		if r.get("/totalResults") != json.Number(n) || !cmp.Equal(r.body["schemas"], any([]any{scim.ListMessage})) {
			t.Errorf("%s: %s", path, r.text)
		}
	}
}

func TestLists(t *testing.T) {
	b := newBench(t)
	b.fill(t, 12)
	for _, test := range []struct {
		query      string
		want       []string
		startIndex string
	}{
		{"", []string{"user12", "user11", "user10", "user09", "user08"}, "1"},
		{"?startIndex=11", []string{"user02", "user01"}, "11"},
		{"?startIndex=-3&count=1", []string{"user12"}, "1"},
		{"?startIndex=99", []string{}, "99"},
		{"?count=0", []string{}, "1"},
		{"?count=-1", []string{}, "1"},
		{"?count=1000&startIndex=10", []string{"user03", "user02", "user01"}, "10"},
		{"?sortBy=userName&count=2", []string{"user01", "user02"}, "1"},
		{"?sortBy=username&sortOrder=DESCENDING&count=2", []string{"user12", "user11"}, "1"},
		{"?unheardOf=x&count=1", []string{"user12"}, "1"},
	} {
		r := b.call("GET", "/Users"+test.query, "")
		b.want(r, 200, "")
		if got := r.userNames(); !cmp.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.query, got, test.want)
		}
		want := map[string]any{"totalResults": json.Number("12"), "startIndex": json.Number(test.startIndex), "itemsPerPage": json.Number(fmt.Sprint(len(test.want)))}
		for name, v := range want {
			if r.body[name] != v {
				t.Errorf("%s: %s is %v, want %v", test.query, name, r.body[name], v)
			}
		}
		if !strings.Contains(r.text, `"Resources":[`) {
			t.Errorf("%s: Resources is no array in %s", test.query, r.text)
		}
	}
	r := b.call("GET", "/Users?count=1000", "")
	if n := len(r.userNames()); n != 10 {
		t.Errorf("a page of %d", n)
	}
	r = b.call("GET", `/Users?filter=userName+eq+%22USER03%22&attributes=userName`, "")
	if r.get("/totalResults") != json.Number("1") || r.get("/Resources/0/userName") != "user03" || r.get("/Resources/0/meta") != nil || r.get("/Resources/0/id") == nil {
		t.Errorf("filtered and projected: %s", r.text)
	}
	if r := b.call("GET", `/Users?filter=userName+eq+%22nobody%22`, ""); r.status != 200 || !strings.Contains(r.text, `"Resources":[]`) {
		t.Errorf("nothing found: %d %s", r.status, r.text)
	}
	if r := b.call("GET", "/Users?excludedAttributes=userName,meta&count=1", ""); r.get("/Resources/0/meta") != nil {
		t.Errorf("excluded: %s", r.text)
	}
	if b.lastList.Projection.Wants("meta") {
		t.Error("the backend is not told what is not wanted")
	}
}

func TestSearch(t *testing.T) {
	b := newBench(t)
	b.fill(t, 3)
	r := b.call("POST", "/Users/.search", `{"schemas":["`+scim.SearchMessage+`"],"filter":"userName gt \"user01\"","sortBy":"userName","sortOrder":"descending","count":1,"startIndex":2,"attributes":["userName"]}`)
	b.want(r, 200, "")
	if !cmp.Equal(r.userNames(), []string{"user02"}) || r.get("/totalResults") != json.Number("2") || r.get("/startIndex") != json.Number("2") || r.get("/Resources/0/meta") != nil {
		t.Errorf("found %s", r.text)
	}
	r = b.call("POST", "/Users/.search", `{"schemas":["`+scim.SearchMessage+`"],"cursor":"","count":2}`)
	next, _ := r.get("/nextCursor").(string)
	r = b.call("POST", "/Users/.search", `{"schemas":["`+scim.SearchMessage+`"],"cursor":"`+next+`","count":2}`)
	if !cmp.Equal(r.userNames(), []string{"user01"}) || r.get("/nextCursor") != nil || r.get("/previousCursor") == nil {
		t.Errorf("the second page: %s", r.text)
	}
}

func TestRoot(t *testing.T) {
	b := newBench(t)
	b.fill(t, 3)
	for i := range 3 {
		b.want(b.call("POST", "/Groups", `{"schemas":["`+scim.GroupSchema+`"],"displayName":"group`+fmt.Sprint(i)+`"}`), 201, "")
		b.want(b.call("POST", "/Devices", `{"schemas":["urn:example:Device"],"displayName":"device`+fmt.Sprint(i)+`"}`), 201, "")
	}
	for _, test := range []struct {
		query string
		want  []string
		total string
	}{
		{"?count=10", []string{"user03", "user02", "user01", "group0", "group1", "group2", "device0", "device1", "device2"}, "9"},
		{"?startIndex=3&count=3", []string{"user01", "group0", "group1"}, "9"},
		{"?startIndex=7&count=3", []string{"device0", "device1", "device2"}, "9"},
		{"?filter=displayName+ew+%221%22", []string{"group1", "device1"}, "2"},
		{"?filter=userName+pr+or+displayName+ew+%221%22&count=2", []string{"user03", "user02"}, "3"},
		{"?filter=serial+pr", []string{}, "0"},
		{"?filter=meta.resourceType+eq+%22Group%22&sortBy=displayName&sortOrder=descending", []string{"group2", "group1", "group0"}, "3"},
		{"/?count=1", []string{"user03"}, "9"},
	} {
		r := b.call("GET", test.query, "")
		b.want(r, 200, "")
		if !cmp.Equal(r.userNames(), test.want) || r.get("/totalResults") != json.Number(test.total) {
			t.Errorf("%s: %v of %v, want %v of %s", test.query, r.userNames(), r.get("/totalResults"), test.want, test.total)
		}
	}
	var all []string
	path := "?count=4&cursor="
	for range 4 {
		r := b.call("GET", path, "")
		all = append(all, r.userNames()...)
		next, _ := r.get("/nextCursor").(string)
		if next == "" {
			break
		}
		path = "?count=4&cursor=" + next
	}
	if want := []string{"user03", "user02", "user01", "group0", "group1", "group2", "device0", "device1", "device2"}; !cmp.Equal(all, want) {
		t.Errorf("by cursor: %v", all)
	}
	r := b.call("POST", "/.search", `{"schemas":["`+scim.SearchMessage+`"],"filter":"displayName eq \"group1\""}`)
	if !cmp.Equal(r.userNames(), []string{"group1"}) || r.get("/Resources/0/meta/location") != root+"/Groups/"+url.PathEscape(r.get("/Resources/0/id").(string)) {
		t.Errorf("searched: %s", r.text)
	}
}

func TestCursors(t *testing.T) {
	b := newBench(t)
	b.fill(t, 5)
	first := b.call("GET", "/Users?cursor&count=2&sortBy=userName", "")
	b.want(first, 200, "")
	next, _ := first.get("/nextCursor").(string)
	if strings.Trim(next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != "" || next == "" {
		t.Fatalf("the cursor %q", next)
	}
	if first.get("/previousCursor") != nil || first.get("/startIndex") != nil || first.get("/totalResults") != json.Number("5") {
		t.Errorf("the first page %s", first.text)
	}
	second := b.call("GET", "/Users?count=2&sortBy=userName&cursor="+next, "")
	if !cmp.Equal(second.userNames(), []string{"user03", "user04"}) || second.get("/previousCursor") == nil {
		t.Errorf("the second page %s", second.text)
	}
	if r := b.call("GET", "/Users?sortBy=userName&cursor="+next, ""); !cmp.Equal(r.userNames(), second.userNames()) {
		t.Errorf("the second page, without count: %s", r.text)
	}
	previous, _ := second.get("/previousCursor").(string)
	if r := b.call("GET", "/Users?count=2&sortBy=userName&cursor="+previous, ""); !cmp.Equal(r.userNames(), []string{"user01", "user02"}) {
		t.Errorf("back again: %s", r.text)
	}
	last, _ := second.get("/nextCursor").(string)
	if r := b.call("GET", "/Users?sortBy=userName&cursor="+last, ""); !cmp.Equal(r.userNames(), []string{"user05"}) || r.get("/nextCursor") != nil {
		t.Errorf("the last page, without count: %s", r.text)
	}
	for _, test := range []struct{ path, scimType string }{
		{"/Users?count=3&sortBy=userName&cursor=" + next, "invalidCount"},
		{"/Users?count=2&cursor=" + next, "invalidCursor"},
		{"/Users?count=2&sortBy=userName&filter=title+pr&cursor=" + next, "invalidCursor"},
		{"/Groups?count=2&sortBy=displayName&cursor=" + next, "invalidCursor"},
		{"/Users?count=2&sortBy=userName&cursor=" + next + "A", "invalidCursor"},
		{"/Users?count=2&sortBy=userName&cursor=!", "invalidCursor"},
	} {
		b.want(b.call("GET", test.path, ""), 400, test.scimType)
	}
	b.token = otherToken
	b.want(b.call("GET", "/Users?count=2&sortBy=userName&cursor="+next, ""), 400, "invalidCursor")
	b.token = token
	b.clock = b.clock.Add(time.Hour)
	b.want(b.call("GET", "/Users?count=2&sortBy=userName&cursor="+next, ""), 400, "expiredCursor")
	b.config.Features.Cursor = false
	if r := b.call("GET", "/Users?cursor=x&startIndex=5", ""); r.get("/startIndex") != json.Number("5") {
		t.Errorf("where there are no cursors: %s", r.text)
	}
}

func TestMe(t *testing.T) {
	b := newBench(t)
	b.fill(t, 2)
	b.want(b.call("GET", "/Me", ""), 501, "")
	b.me = "u|2"
	r := b.call("GET", "/Me", "")
	b.want(r, 200, "")
	if r.get("/id") != "u|2" || r.header.Get("Content-Location") != root+"/Users/u%7C2" {
		t.Errorf("me: %s at %s", r.text, r.header.Get("Content-Location"))
	}
	b.want(b.call("POST", "/Me", user("x", "")), 405, "")
	b.want(b.call("DELETE", "/Me", ""), 204, "")
	b.want(b.call("GET", "/Users/u%7C2", ""), 404, "")
}

// Custom types are resources like any other.
func TestCustomType(t *testing.T) {
	b := newBench(t)
	r := b.call("POST", "/Devices", `{"schemas":["urn:example:Device"],"displayName":"d","serial":"1"}`)
	b.want(r, 201, "")
	if r.get("/meta/location") != root+"/Devices/d%7C1" {
		t.Errorf("a device: %s", r.text)
	}
	b.want(b.call("PUT", "/Devices/d%7C1", `{"schemas":["urn:example:Device"],"displayName":"d","serial":"2"}`), 400, "mutability")
}

func TestRateLimit(t *testing.T) {
	b := newBench(t)
	b.config.PerSecond = 3
	for range 5 {
		b.want(b.call("GET", "/Users", ""), 200, "")
	}
	b.limits = true
	b.clock = b.clock.Add(time.Second)
	for range 3 {
		b.want(b.call("GET", "/Users", ""), 200, "")
	}
	r := b.call("GET", "/Users", "")
	b.want(r, 429, "")
	if r.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	b.clock = b.clock.Add(334 * time.Millisecond)
	b.want(b.call("GET", "/Users", ""), 200, "")
	b.want(b.call("GET", "/Users", ""), 429, "")
	b.clock = b.clock.Add(-time.Hour)
	b.want(b.call("GET", "/Users", ""), 429, "")
	b.clock = b.clock.Add(time.Second)
	b.want(b.call("GET", "/Users", ""), 200, "")
}

func TestRefuse(t *testing.T) {
	b := newBench(t)
	for status, retryAfter := range map[int]string{400: "", 401: "", 403: "", 404: "", 429: "2", 500: "", 503: "2"} {
		w := httptest.NewRecorder()
		b.api.Refuse(w, httptest.NewRequestWithContext(t.Context(), "GET", "/scim/v2/connections/con_1/Users", nil), status, 1500*time.Millisecond)
		v, err := value.Decode(w.Body.Bytes())
		body, _ := v.(map[string]any)
		if err != nil || w.Code != status || body["status"] != fmt.Sprint(status) || body["detail"] == "" || w.Header().Get("Retry-After") != retryAfter {
			t.Errorf("%d: %d %q %s", status, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
		if (status == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%d: WWW-Authenticate %q", status, w.Header().Get("WWW-Authenticate"))
		}
	}
}

// Entra's clients say by a flag what they send.
func TestFlag(t *testing.T) {
	b := newBench(t)
	b.fill(t, 1)
	b.config.Leniency, b.flagged = scim.Entra(), scim.Strict()
	patch := `{"schemas":["` + scim.PatchMessage + `"],"Operations":[{"op":"Replace","value":{"name.givenName":"Ada"}}]}`
	b.want(b.call("PATCH", "/Users/u%7C1?aadOptscim062020", patch), 400, "invalidPath")
	b.want(b.call("PATCH", "/Users/u%7C1", patch), 204, "")
	if r := b.call("GET", "/Users?filter=userName+sw+user", ""); r.status != 200 || r.get("/totalResults") != json.Number("1") {
		t.Errorf("an unquoted filter: %s", r.text)
	}
	b.want(b.call("GET", "/Users?aadOptscim062020&filter=userName+sw+user", ""), 400, "invalidFilter")
}

// TestRequestLogOfLists makes sure that the log keeps the beginning of a long
// list, as JSON, and says how much it left out, while the client gets
// all.
func TestRequestLogOfLists(t *testing.T) {
	b := newBench(t)
	b.config.Features.DefaultPageSize = 10
	var members []string
	for i := range 150 {
		if i < 8 {
			b.call("POST", "/Users", user(fmt.Sprint("u", i), ""))
		}
		members = append(members, fmt.Sprintf(`{"value":"m%d"}`, i))
	}
	group := b.call("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g","members":[`+strings.Join(members, ",")+`]}`)
	if n := len(group.body["members"].([]any)); n != 150 {
		t.Fatalf("the client is shown %d members, want 150", n)
	}
	page := b.call("GET", "/Users", "")
	if n := len(page.body["Resources"].([]any)); n != 8 {
		t.Fatalf("the client is shown %d users, want 8", n)
	}
	b.call("GET", "/Groups", "")
	b.call("GET", "/Users?count=5", "")
	if err := b.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := b.log.kept[len(b.log.kept)-4:]
	logged := func(e wirelog.Exchange, steps ...any) any {
		t.Helper()
		v, err := value.Decode([]byte(e.ResponseBody))
		if err != nil {
			t.Fatalf("%v in %q", err, e.ResponseBody)
		}
		for _, s := range steps {
			if name, ok := s.(string); ok {
				v = v.(map[string]any)[name]
			} else {
				v = v.([]any)[s.(int)]
			}
		}
		return v
	}
	for _, c := range []struct {
		of   int
		at   []any
		want int
		why  []string
	}{
		{0, []any{"members"}, 100, []string{`In the log, 50 of 150 elements of "members" were left out of the answer.`}},
		{1, []any{"Resources"}, 5, []string{`In the log, 3 of 8 elements of "Resources" were left out of the answer.`}},
		{2, []any{"Resources", 0, "members"}, 100, []string{`In the log, 50 of 150 elements of "members" were left out of the answer.`}},
		{3, []any{"Resources"}, 5, []string{}},
	} {
		e := kept[c.of]
		if n := len(logged(e, c.at...).([]any)); n != c.want {
			t.Errorf("%s %s: %d elements are logged, want %d", e.Method, e.Path, n, c.want)
		}
		if diff := cmp.Diff(c.why, e.Why); diff != "" {
			t.Errorf("%s %s: why (-want +got):\n%s", e.Method, e.Path, diff)
		}
	}
	if diff := cmp.Diff(page.body["Resources"].([]any)[:5], logged(kept[1], "Resources")); diff != "" {
		t.Errorf("the beginning (-answered +logged):\n%s", diff)
	}
	if total := logged(kept[1], "totalResults"); total != json.Number("8") {
		t.Errorf("totalResults %v, want 8", total)
	}
}

func TestRequestLog(t *testing.T) {
	b := newBench(t)
	b.config.Leniency = scim.Leniency{Syntax: filter.SCIMOptions{Unquoted: true}}
	b.call("POST", "/Users", user("a", `,"password":"secret1"`))
	b.call("GET", "/Users/u%7C1?x=y", "")
	b.call("GET", "/Users?filter=userName+eq+a", "")
	b.token = "tok_9.wrong"
	b.call("DELETE", "/Users/u%7C1", "")
	b.at("GET", "/scim/v2/connections/con_2/Users", "")
	b.token = token
	b.call("POST", "/Users", user("a", ""))
	b.call("GET", "/ServiceProviderConfig", "")
	if err := b.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	type line struct {
		Method, Path, Query, Actor, Subject string
		Status                              int
		Why                                 bool
	}
	var got []line
	for _, e := range b.log.kept {
		if e.Scope != "connection:con_1" || e.Direction != wirelog.In || !e.At.Equal(b.clock) {
			t.Errorf("%+v", e)
		}
		if strings.Contains(fmt.Sprint(e), "secret") {
			t.Errorf("a secret was kept: %+v", e)
		}
		got = append(got, line{e.Method, e.Path, e.Query, e.Actor, e.Subject, e.Status, len(e.Why) > 0})
	}
	want := []line{
		{Method: "POST", Path: "/Users", Actor: "tok_1", Subject: "u|1", Status: 201},
		{Method: "GET", Path: "/Users/u%7C1", Query: "x=y", Actor: "tok_1", Subject: "u|1", Status: 200},
		{Method: "GET", Path: "/Users", Query: "filter=userName+eq+a", Actor: "tok_1", Status: 200, Why: true},
		{Method: "DELETE", Path: "/Users/u%7C1", Status: 401, Why: true},
		{Method: "POST", Path: "/Users", Actor: "tok_1", Status: 409, Why: true},
		{Method: "GET", Path: "/ServiceProviderConfig", Status: 200},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	if e := b.log.kept[0]; !strings.Contains(e.RequestBody, `"userName":"a"`) || !strings.Contains(e.ResponseBody, `"u|1"`) {
		t.Errorf("bodies %q, %q", e.RequestBody, e.ResponseBody)
	}
}

func TestReplay(t *testing.T) {
	b := newBench(t)
	b.call("POST", "/Users?attributes=userName", user("a", `,"password":"secret1"`))
	b.call("GET", "/Users", "")
	if err := b.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, listed := b.log.kept[0], b.log.kept[1]
	b.tokens[""] = nil // a backend that needs no token
	again, err := b.api.Replay(t.Context(), made)
	if err != nil || again.Status != 409 || !strings.Contains(again.Body, "uniqueness") {
		t.Errorf("made once more: %+v, %v", again, err)
	}
	b.want(b.call("DELETE", "/Users/u%7C1", ""), 204, "")
	if again, err = b.api.Replay(t.Context(), made); err != nil || again.Status != 201 || again.Header.Get("ETag") == "" || strings.Contains(again.Body, "meta") {
		t.Errorf("made once more, now that there is room: %+v, %v", again, err)
	}
	if again, err = b.api.Replay(t.Context(), listed); err != nil || again.Status != 200 || !strings.Contains(again.Body, `"totalResults":1`) {
		t.Errorf("listed once more: %+v, %v", again, err)
	}
	if err := b.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := b.log.kept[len(b.log.kept)-2]
	if last.Status != 201 || !strings.Contains(strings.Join(last.Why, " "), made.ID) || !strings.Contains(strings.Join(last.Why, " "), "secrets") {
		t.Errorf("the log has %+v", last)
	}
	for _, e := range []wirelog.Exchange{{Scope: "target:0oa1", Direction: wirelog.Out}, {Scope: made.Scope, Direction: wirelog.In, Shortened: true}, {Scope: made.Scope, Direction: wirelog.In, Method: "B A D", Path: "/"}} {
		if _, err := b.api.Replay(t.Context(), e); !fault.Is(err, fault.Unsupported) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}
