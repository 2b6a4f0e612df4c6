package auth0_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	tenants "github.com/lanyard-id/lanyard/internal/tenant"
)

// connect adds a connection as it is, without asking the API.
func (b *bench) connect(id, name, strategy string) string {
	b.t.Helper()
	c := &tenants.Connection{Meta: directory.Meta{ID: id, Realm: directory.Auth0Realm}, Name: name, Strategy: strategy}
	err := b.dir.Store.Update(context.Background(), func(tx directory.Tx) error { return b.dir.PutObject(tx, c) })
	if err != nil {
		b.t.Fatal(err)
	}
	return "/api/v2/connections/" + id + "/scim-configuration"
}

// TestSCIMRecorded compares answers, byte for byte, with those recorded by
// go-auth0 v1.45.0 (TestConnectionManager_*SCIM*) but for ids and times.
func TestSCIMRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.connect("con_EEOhr6N6m4gF7KSn", "Test-Okta-Connection-1728906779", "okta")
	const chosen = `{"user_id_attribute":"userName","mapping":[{"auth0":"username","scim":"userName"},{"auth0":"email","scim":"email"}]}`
	config := func(mapping, updated, attribute string) string {
		return `{"tenant_name":"example","connection_id":"con_EEOhr6N6m4gF7KSn","connection_name":"Test-Okta-Connection-1728906779",` +
			`"strategy":"okta","mapping":` + mapping + `,"updated_on":"` + updated + `","created_at":"2026-03-04T05:06:09.891Z","user_id_attribute":"` + attribute + `"}`
	}
	check := func(what, want, got string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: - recorded + got\n%s", what, diff)
		}
	}
	const rows = `[{"scim":"userName","auth0":"username"},{"scim":"email","auth0":"email"}]`
	own := config(rows, "2026-03-04T05:06:09.891Z", "userName")
	check("POST", own, b.ok(201, "POST", path, chosen).body)
	check("GET", own, b.ok(200, "GET", path, "").body)
	check("DELETE", "", b.ok(204, "DELETE", path, "").body)
	check("GET of none", `{"statusCode":404,"error":"Not Found","message":"Not Found"}`, b.ok(404, "GET", path, "").body)
	b.ok(204, "DELETE", path, "")

	made := b.ok(201, "POST", path, "{}\n")
	if o := made.object(t); len(o["mapping"].([]any)) != 32 || o["user_id_attribute"] != "externalId" {
		t.Errorf("defaults = %s", made.body)
	}
	defaults := b.ok(200, "GET", path+"/default-mapping", "").body
	swapped := regexp.MustCompile(`\{("auth0":"[^"]*"),("scim":"(?:[^"\\]|\\.)*")\}`).ReplaceAllString(defaults, `{$2,$1}`)
	if !strings.HasPrefix(defaults, `{"mapping":[{"auth0":"preferred_username","scim":"userName"},`) ||
		!strings.Contains(made.body, strings.TrimSuffix(strings.TrimPrefix(swapped, "{"), "}")) {
		t.Errorf("default mapping %s, configuration %s", defaults, made.body)
	}
	patched := b.ok(200, "PATCH", path, chosen).object(t)
	if patched["updated_on"] == patched["created_at"] || patched["user_id_attribute"] != "userName" {
		t.Errorf("PATCH = %v", patched)
	}

	token := b.ok(201, "POST", path+"/tokens", `{"scopes":["get:users","post:users","put:users","patch:users"]}`)
	o := token.object(t)
	id, secret := o["token_id"].(string), o["token"].(string)
	if !regexp.MustCompile(`^tok_[A-Za-z0-9]{16}$`).MatchString(id) || !regexp.MustCompile(`^`+id+`\.[0-9a-f]{64}$`).MatchString(secret) {
		t.Errorf("token %q, secret %q", id, secret)
	}
	at := o["created_at"].(string)
	check("POST token", `{"token_id":"`+id+`","token":"`+secret+`","scopes":["get:users","post:users","put:users","patch:users"],"created_at":"`+at+`"}`, token.body)
	listed := `{"token_id":"` + id + `","created_at":"` + at + `","scopes":["get:users","post:users","put:users","patch:users"]}`
	check("GET tokens", "["+listed+"]", b.ok(200, "GET", path+"/tokens", "").body)
	check("DELETE token", "", b.ok(204, "DELETE", path+"/tokens/"+id, "").body)
	check("GET tokens", "[]", b.ok(200, "GET", path+"/tokens", "").body)
}

func TestSCIMTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.connect("con_A", "a", "okta")
	b.ok(201, "POST", path, "")
	first := b.ok(201, "POST", path+"/tokens", `{"token_lifetime":900}`).object(t)
	var scopes []string
	for _, s := range first["scopes"].([]any) {
		scopes = append(scopes, s.(string))
	}
	if strings.Join(scopes, " ") != "get:users post:users put:users" {
		t.Errorf("default scopes = %v", scopes)
	}
	made, err := time.Parse(time.RFC3339, first["created_at"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if want := made.Add(900 * time.Second).Format("2006-01-02T15:04:05.000Z"); first["valid_until"] != want {
		t.Errorf("valid_until = %v, want %s", first["valid_until"], want)
	}
	b.ok(201, "POST", path+"/tokens", "")
	a := b.ok(409, "POST", path+"/tokens", "")
	if want := `{"statusCode":409,"error":"Conflict","message":"Maximum of 2 tokens already issued for this connection"}`; a.body != want {
		t.Errorf("a third token = %s", a.body)
	}
	b.clock.Step(time.Hour)
	b.ok(201, "POST", path+"/tokens", "")
}

func TestSCIMErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	okta, sms := b.connect("con_A", "a", "okta"), b.connect("con_B", "b", "sms")
	none := "/api/v2/connections/con_none/scim-configuration"
	const lost = `{"statusCode":404,"error":"Not Found","message":"The connection does not exist","errorCode":"inexistent_connection"}`
	tests := []struct {
		method, path, body string
		status             int
		want               string // part of the answer
	}{
		{"POST", none, "", 404, lost},
		{"GET", none, "", 404, lost},
		{"DELETE", none, "", 404, lost},
		{"GET", none + "/tokens", "", 404, lost},
		{"GET", none + "/default-mapping", "", 404, lost},
		{"POST", sms, "", 404, "strategy sms have no SCIM endpoint"},
		{"GET", sms + "/default-mapping", "", 404, `"Not Found"`},
		{"POST", okta + "/tokens", "", 404, `"message":"Not Found"`},
		{"PATCH", okta, `{"user_id_attribute":"userName"}`, 400, "Missing required property: mapping"},
		{"PATCH", okta, `{"user_id_attribute":"userName","mapping":[]}`, 404, `"message":"Not Found"`},
		{"POST", okta, `{"user_id_attribute":"email"}`, 400, "externalId or userName"},
		{"POST", okta, `{"mapping":[{"scim":"title"}]}`, 400, "lacks its scim or auth0"},
		{"POST", okta, `{"mapping":[{"scim":"id","auth0":"name"}]}`, 400, "cannot be mapped"},
		{"POST", okta, `{"mapping":[{"scim":"a","auth0":"x"},{"scim":"a","auth0":"y"}]}`, 400, "mapped twice"},
		{"POST", okta, `{"mapping":5}`, 400, "on property mapping"},
		{"POST", okta, `{"policy":{}}`, 400, "Additional properties not allowed: policy"},
		{"POST", okta, `{`, 400, "Invalid JSON"},
		{"POST", okta, `null`, 201, ""},
		{"POST", okta, "", 400, "already exists"},
		{"POST", okta + "/tokens", `{"scopes":[]}`, 400, "scopes"},
		{"POST", okta + "/tokens", `{"scopes":["get:all"]}`, 400, `there is no SCIM scope`},
		{"POST", okta + "/tokens", `{"token_lifetime":899}`, 400, "at least 900 seconds"},
		{"POST", okta + "/tokens", `{"token_lifetime":0}`, 400, "at least 900 seconds"},
		{"POST", okta + "/tokens", `{"token_lifetime":null}`, 201, ""},
	}
	for _, test := range tests {
		if a := b.call(test.method, test.path, test.body); a.status != test.status || !strings.Contains(a.body, test.want) {
			t.Errorf("%s %s %s = %d %s, want %d with %s", test.method, test.path, test.body, a.status, a.body, test.status, test.want)
		}
	}
	b.token = b.login("reader", "just look")
	if a := b.call("GET", okta, ""); a.status != 403 || !strings.Contains(a.body, "read:scim_config") {
		t.Errorf("without the scope = %d %s", a.status, a.body)
	}
}

func TestSCIMConfigurations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 5 {
		b.ok(201, "POST", b.connect(fmt.Sprintf("con_%016d", i), fmt.Sprintf("c%d", i), "okta"), "")
	}
	var names []string
	from := ""
	for range 5 {
		a := b.ok(200, "GET", "/api/v2/connections-scim-configurations?take=2&from="+from, "")
		var page struct {
			Configs []struct {
				Name string `json:"connection_name"`
			} `json:"scim_configurations"`
			Next string `json:"next"`
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Configs {
			names = append(names, c.Name)
		}
		if from = page.Next; from == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "c0 c1 c2 c3 c4 workforce" {
		t.Errorf("by checkpoint = %q", got)
	}
	b.ok(400, "GET", "/api/v2/connections-scim-configurations?from=x", "")
}
