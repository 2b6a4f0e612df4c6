package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// send sends JSON with a bearer token and decodes the answer.
func send(t *testing.T, method, address, bearer, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil && len(text) > 0 {
		t.Fatalf("%s %s: %d %q", method, address, res.StatusCode, text)
	}
	return res.StatusCode, out
}

// A connection made by the management API has its SCIM endpoint on the same
// address, faults and a request log of its own.
func TestServeSCIM(t *testing.T) {
	b := newBench(t)
	s := b.served()
	cred, err := readCredentials(b.path(".lanyard"))
	if err != nil {
		t.Fatal(err)
	}
	base := s.addresses["auth0"]
	manage := auth0Token(t, base, cred)
	_, answer := send(t, "POST", base+"/api/v2/connections", manage, `{"name":"acme","strategy":"okta","options":{"client_id":"c","domain":"acme.okta.com"}}`)
	connection, _ := answer["id"].(string)
	if status, answer := send(t, "POST", base+"/api/v2/connections/"+connection+"/scim-configuration", manage, ""); status != 201 {
		t.Fatalf("the configuration: %d %v", status, answer)
	}
	_, answer = send(t, "POST", base+"/api/v2/connections/"+connection+"/scim-configuration/tokens", manage, `{"scopes":["get:users","post:users"]}`)
	token, _ := answer["token"].(string)
	endpoint := base + "/scim/v2/connections/" + connection
	status, answer := send(t, "POST", endpoint+"/Users", token, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen","externalId":"00u1","password":"secret1"}`)
	meta, _ := answer["meta"].(map[string]any)
	if status != 201 || answer["id"] != "okta|acme|00u1" || meta["location"] != endpoint+"/Users/okta%7Cacme%7C00u1" {
		t.Fatalf("a user: %d %v", status, answer)
	}
	if status, _ := send(t, "GET", endpoint+"/Users", "wrong", ""); status != 401 {
		t.Errorf("a wrong token: %d", status)
	}
	if status, answer := send(t, "GET", base+"/api/v2/users/okta%7Cacme%7C00u1", manage, ""); status != 200 || answer["user_id"] != "okta|acme|00u1" {
		t.Errorf("the user in the management API: %d %v", status, answer)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, e := range b.exchanges(wirelog.ConnectionScope(connection)) {
		got = append(got, e.Status)
		if strings.Contains(e.RequestBody, "secret1") {
			t.Errorf("a password was kept: %s", e.RequestBody)
		}
	}
	if diff := cmp.Diff([]int{401, 201}, got); diff != "" {
		t.Errorf("the request log, newest first (-want +got):\n%s", diff)
	}
}

// The tenant's logs show each call that reached a SCIM endpoint: what worked as
// sscim, what did not, rejected tokens too, as fscim.
func TestSCIMInTheTenantsLogs(t *testing.T) {
	b := newBench(t)
	s := b.served()
	cred, err := readCredentials(b.path(".lanyard"))
	if err != nil {
		t.Fatal(err)
	}
	base := s.addresses["auth0"]
	manage := auth0Token(t, base, cred)
	connection := base + "/api/v2/connections/" + tenant.SeededEndpoint
	_, answer := send(t, "POST", connection+"/scim-configuration/tokens", manage, `{"scopes":["get:users","post:users"]}`)
	token, _ := answer["token"].(string)
	id, _, _ := strings.Cut(token, ".")
	people := base + "/scim/v2/connections/" + tenant.SeededEndpoint + "/Users"
	user := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen","externalId":"00u1","password":"hush-hush-7"}`
	for _, call := range []struct {
		method, bearer, body string
		status               int
	}{
		{"POST", token, user, 201},
		{"POST", token, `{"userName":7}`, 400},
		{"PUT", token, user, 405},
		{"GET", "tok_wrong0000000000." + strings.Repeat("0", 64), "", 401},
	} {
		if status, answer := send(t, call.method, people, call.bearer, call.body); status != call.status {
			t.Fatalf("%s: %d %v, want %d", call.method, status, answer, call.status)
		}
	}
	read := func(q string) []map[string]any {
		t.Helper()
		_, answer := send(t, "GET", base+"/api/v2/logs?include_totals=true&q="+url.QueryEscape(q), manage, "")
		var out []map[string]any
		list, _ := answer["logs"].([]any)
		for _, row := range list {
			o, _ := row.(map[string]any)
			out = append(out, o)
		}
		return out
	}
	worked, failed := read("type:sscim"), read("type:fscim")
	if len(worked) != 1 || len(failed) != 3 || len(read("type:sscim OR type:fscim")) != 4 {
		t.Fatalf("%d worked, %d failed, want 1 and 3: %v %v", len(worked), len(failed), worked, failed)
	}
	if worked[0]["user_id"] != "okta|workforce|00u1" || worked[0]["client_id"] != id || failed[0]["client_id"] == id {
		t.Errorf("worked %v, rejected %v", worked[0], failed[0])
	}
	for _, entry := range append(worked, failed...) {
		logID, _ := entry["log_id"].(string)
		status, one := send(t, "GET", base+"/api/v2/logs/"+logID, manage, "")
		if diff := cmp.Diff(entry, one); status != 200 || diff != "" {
			t.Errorf("the entry by its id: %d (-listed +got):\n%s", status, diff)
		}
		text, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{token, "hush-hush-7", strings.Repeat("0", 64)} {
			if strings.Contains(string(text), secret) {
				t.Errorf("the entry has a secret: %s", text)
			}
		}
	}
	if got := read(`user_id:"okta|workforce|00u1"`); len(got) == 0 {
		t.Error("the entry is not found by its user")
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}

// exchanges reads the request log of a folder that nobody serves any more.
func (b *bench) exchanges(scope string) []wirelog.Exchange {
	b.t.Helper()
	db, err := sqlite.Open(b.t.Context(), b.path(".lanyard/"+databaseFile))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	page, err := db.WireLog().Exchanges(b.t.Context(), wirelog.Query{Scope: scope})
	if err != nil {
		b.t.Fatal(err)
	}
	return page.Exchanges
}

// Rules of a rehearsal reach the endpoints under their own name.
func TestSCIMFaults(t *testing.T) {
	b := newBench(t)
	f := b.folder()
	box, err := f.openSandbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.stage.Faults.Load("faults", []byte(`{"rules":[{"name":"busy","api":"scim","effect":"error","status":429,"wait":"7s"}]}`)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/scim/v2/connections/con_1/Users": 429, "/api/v2/users": 200} {
		w := httptest.NewRecorder()
		box.handlers[auth0Sandbox].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", auth0Sandbox+path, nil))
		if w.Code != want || want == 429 && (w.Header().Get("Retry-After") != "7" || !strings.Contains(w.Body.String(), `"status":"429"`)) {
			t.Errorf("%s: %d, Retry-After %q, %s", path, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
}
