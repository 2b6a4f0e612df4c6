package okta_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// problem checks an error answer: its status, its code and a text that it has.
func (a answer) problem(t *testing.T, status int, code, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, `"errorCode":"`+code+`"`) || !strings.Contains(a.body, text) {
		t.Errorf("answer = %d %s, want %d %s with %q", a.status, a.body, status, code, text)
	}
}

func TestQuestionFactor(t *testing.T) {
	b := newSeeded(t)
	b.dir.Hash = directory.HashRehearsal
	id := b.user(annWithPassword, "")
	factors := "/api/v1/users/" + id + "/factors"
	if got := b.ok(200, "GET", factors, "").body; got != "[]" {
		t.Errorf("factors of a new user = %s, want none", got)
	}
	a := b.ok(200, "POST", factors, `{"factorType":"question","provider":"OKTA","profile":{"answer":"meatball","question":"disliked_food"}}`)
	want := []string{"id", "factorType", "provider", "vendorName", "status", "created", "lastUpdated", "profile", "_links"}
	if diff := cmp.Diff(want, keys(t, a.body)); diff != "" {
		t.Errorf("keys (-recorded +ours):\n%s", diff)
	}
	if strings.Contains(a.body, "meatball") {
		t.Errorf("the answer shows the answer: %s", a.body)
	}
	f := a.object(t)
	if f["status"] != "ACTIVE" || f["profile"].(map[string]any)["questionText"] != "What is the food you least liked as a child?" {
		t.Errorf("factor = %v", f)
	}
	self := factors + "/" + f["id"].(string)
	b.ok(200, "POST", self+"/verify", `{"answer":" MeatBall "}`)
	b.call("POST", self+"/verify", `{"answer":"salad"}`).problem(t, 403, "E0000068", "Invalid Passcode/Answer")
	b.call("POST", factors, `{"factorType":"question","profile":{"answer":"x","question":"disliked_food"}}`).problem(t, 400, "E0000001", "already exists")
	b.call("POST", factors, `{"factorType":"question","profile":{"answer":"x","question":"none"}}`).problem(t, 400, "E0000001", "Invalid question key.")

	b.ok(200, "PUT", self, `{"profile":{"answer":"Bear","question":"name_of_first_plush_toy"}}`)
	b.ok(200, "POST", self+"/verify", `{"answer":"bear"}`)
	b.call("POST", self+"/verify", `{"answer":"meatball"}`).problem(t, 403, "E0000068", "")
	b.ok(204, "DELETE", self, "")
	b.call("GET", self, "").problem(t, 404, "E0000007", "(UserFactor)")
	if n := len(b.ok(200, "GET", factors+"/questions", "").list(t, "question")); n != 19 {
		t.Errorf("%d questions, want 19", n)
	}
}

func TestFactorActivation(t *testing.T) {
	b := newSeeded(t)
	id := b.user(ann, "?activate=false") // a staged user can enrol (SDK suite)
	factors := "/api/v1/users/" + id + "/factors"
	sms := b.ok(200, "POST", factors, `{"factorType":"sms","profile":{"phoneNumber":"16284001133"}}`).object(t)
	if sms["status"] != "PENDING_ACTIVATION" || sms["provider"] != "OKTA" {
		t.Errorf("factor = %v", sms)
	}
	activate := factors + "/" + sms["id"].(string) + "/lifecycle/activate"
	for _, wrong := range []string{"000000", "12345", "abcdef", ""} {
		b.call("POST", activate, `{"passCode":"`+wrong+`"}`).problem(t, 403, "E0000068", "match our records")
	}
	if got := b.ok(200, "POST", activate, `{"passCode":"482913"}`).object(t)["status"]; got != "ACTIVE" {
		t.Errorf("status = %v, want ACTIVE", got)
	}
	b.call("POST", activate, `{"passCode":"482913"}`).problem(t, 403, "E0000038", "")
	b.call("POST", factors, `{"factorType":"fingerprint"}`).problem(t, 400, "E0000001", "factorType")
	if got := b.ok(200, "GET", factors+"/catalog", "").list(t, "status"); got[1] != "ACTIVE" {
		t.Errorf("statuses of the catalogue = %v, want ACTIVE for sms", got)
	}
	b.ok(200, "POST", "/api/v1/users/"+id+"/lifecycle/reset_factors", "")
	if got := b.ok(200, "GET", factors, "").body; got != "[]" {
		t.Errorf("factors after the reset = %s", got)
	}
	other := "/api/v1/users/" + directory.Administrator + "/factors/"
	mine := b.ok(200, "POST", factors, `{"factorType":"email"}`).object(t)["id"].(string)
	b.call("GET", other+mine, "").problem(t, 404, "E0000007", mine+" (UserFactor)")
}

// oneTimeCode is what an authenticator app shows (RFC 6238), computed here anew.
func oneTimeCode(t *testing.T, seed string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix()/30))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[19] & 15
	code := (uint32(sum[offset]&127)<<24 | uint32(sum[offset+1])<<16 | uint32(sum[offset+2])<<8 | uint32(sum[offset+3])) % 1000000
	return fmt.Sprintf("%06d", code)
}

// Apps compute their codes from the seed and the time.
func TestTimedPasscode(t *testing.T) {
	b := newSeeded(t)
	id := b.user(ann, "")
	factors := "/api/v1/users/" + id + "/factors"
	a := b.ok(200, "POST", factors, `{"factorType":"token:software:totp","provider":"GOOGLE"}`).object(t)
	seed := a["_embedded"].(map[string]any)["activation"].(map[string]any)["sharedSecret"].(string)
	activate := factors + "/" + a["id"].(string) + "/lifecycle/activate"
	wrong := oneTimeCode(t, seed, b.clock.Now().Add(5*time.Minute))
	b.call("POST", activate, `{"passCode":"`+wrong+`"}`).problem(t, 403, "E0000068", "")
	right := oneTimeCode(t, seed, b.clock.Now())
	b.ok(200, "POST", activate, `{"passCode":"`+right+`"}`)
	if body := b.ok(200, "GET", factors, "").body; strings.Contains(body, seed) {
		t.Errorf("the list shows the seed: %s", body)
	}
}

func TestSessions(t *testing.T) {
	b := newSeeded(t)
	id := b.user(annWithPassword, "")
	token, _, err := b.dir.SessionToken(t.Context(), directory.OktaRealm, id)
	if err != nil {
		t.Fatal(err)
	}
	s := b.ok(200, "POST", "/api/v1/sessions", `{"sessionToken":"`+token+`"}`).object(t)
	if s["userId"] != id || s["login"] != "ann@example.com" || s["status"] != "ACTIVE" {
		t.Errorf("session = %v", s)
	}
	b.call("POST", "/api/v1/sessions", `{"sessionToken":"`+token+`"}`).problem(t, 401, "E0000004", "Authentication failed")
	self := "/api/v1/sessions/" + s["id"].(string)
	b.clock.Step(time.Hour)
	refreshed := b.ok(200, "POST", self+"/lifecycle/refresh", "").object(t)
	if refreshed["expiresAt"].(string) <= s["expiresAt"].(string) {
		t.Errorf("expiresAt = %v after the refresh, %v before", refreshed["expiresAt"], s["expiresAt"])
	}
	b.clock.Step(3 * time.Hour)
	b.call("GET", self, "").problem(t, 404, "E0000007", "")

	late, _, err := b.dir.SessionToken(t.Context(), directory.OktaRealm, id)
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Step(6 * time.Minute)
	b.call("POST", "/api/v1/sessions", `{"sessionToken":"`+late+`"}`).problem(t, 401, "E0000004", "")
	b.call("POST", "/api/v1/sessions", `{}`).problem(t, 400, "E0000001", "sessionToken")
}

// Clearing sessions, suspending nothing: and the end of an account ends them too.
func TestSessionsEnd(t *testing.T) {
	for _, end := range []struct{ method, path string }{
		{"DELETE", "/sessions"}, {"POST", "/lifecycle/deactivate"}, {"DELETE", ""},
	} {
		t.Run(end.method+end.path, func(t *testing.T) {
			b := newSeeded(t)
			id := b.user(annWithPassword, "")
			token, _, err := b.dir.SessionToken(t.Context(), directory.OktaRealm, id)
			if err != nil {
				t.Fatal(err)
			}
			self := "/api/v1/sessions/" + b.ok(200, "POST", "/api/v1/sessions", `{"sessionToken":"`+token+`"}`).object(t)["id"].(string)
			b.ok(200, "GET", self, "")
			if a := b.call(end.method, "/api/v1/users/"+id+end.path, ""); a.status/100 != 2 {
				t.Fatalf("%s = %d %s", end.path, a.status, a.body)
			}
			b.call("GET", self, "").problem(t, 404, "E0000007", "")
		})
	}
}

func TestPolicies(t *testing.T) {
	b := newSeeded(t)
	if got := b.ok(200, "GET", "/api/v1/policies?type=OKTA_SIGN_ON", "").list(t, "name"); len(got) != 1 || got[0] != "Default Policy" {
		t.Errorf("policies of a new org = %v", got)
	}
	b.call("GET", "/api/v1/policies", "").problem(t, 400, "E0000001", "type")
	p := b.ok(200, "POST", "/api/v1/policies?activate=false", `{"type":"PASSWORD","name":"Strict","conditions":{"people":{}},"settings":{"password":{"minLength":14}}}`).object(t)
	if p["status"] != "INACTIVE" || p["priority"] != 2.0 || p["system"] != false || p["settings"] == nil {
		t.Errorf("policy = %v", p)
	}
	self := "/api/v1/policies/" + p["id"].(string)
	b.call("POST", "/api/v1/policies", `{"type":"PASSWORD","name":"Strict"}`).problem(t, 400, "E0000001", "name: An object with this field already exists")
	b.call("POST", "/api/v1/policies", `{"type":"LUCK","name":"x"}`).problem(t, 400, "E0000001", "type")
	rule := b.ok(200, "POST", self+"/rules", `{"name":"Staff","actions":{"passwordChange":{"access":"ALLOW"}}}`).object(t)
	if rule["type"] != "PASSWORD" || rule["status"] != "ACTIVE" || rule["actions"] == nil {
		t.Errorf("rule = %v", rule)
	}
	b.ok(204, "POST", self+"/lifecycle/activate", "")
	if got := b.ok(200, "GET", self, "").object(t)["status"]; got != "ACTIVE" {
		t.Errorf("status = %v", got)
	}
	b.ok(204, "POST", self+"/rules/"+rule["id"].(string)+"/lifecycle/deactivate", "")
	if got := b.ok(200, "PUT", self+"/rules/"+rule["id"].(string), `{"name":"All staff"}`).object(t); got["name"] != "All staff" || got["status"] != "INACTIVE" {
		t.Errorf("rule = %v", got)
	}
	b.ok(200, "PUT", self, `{"name":"Stricter","type":"PASSWORD"}`)
	b.ok(204, "DELETE", self, "")
	b.call("GET", self+"/rules/"+rule["id"].(string), "").problem(t, 404, "E0000007", "(Policy)")

	system := "/api/v1/policies/" + b.ok(200, "GET", "/api/v1/policies?type=PASSWORD", "").list(t, "id")[0]
	b.call("DELETE", system, "").problem(t, 403, "E0000006", "")
	b.call("POST", system+"/lifecycle/deactivate", "").problem(t, 403, "E0000006", "")
}

func TestAuthenticators(t *testing.T) {
	b := newSeeded(t)
	keys := b.ok(200, "GET", "/api/v1/authenticators", "").list(t, "key")
	for _, want := range []string{"okta_email", "okta_password", "phone_number"} {
		if !strings.Contains(strings.Join(keys, " "), want) {
			t.Errorf("authenticators = %v, want %s among them", keys, want)
		}
	}
	a := b.ok(200, "POST", "/api/v1/authenticators?activate=false", `{"key":"webauthn","name":"Keys"}`).object(t)
	if a["status"] != "INACTIVE" || a["type"] != "security_key" {
		t.Errorf("authenticator = %v", a)
	}
	self := "/api/v1/authenticators/" + a["id"].(string)
	if got := b.ok(200, "POST", self+"/lifecycle/activate", "").object(t)["status"]; got != "ACTIVE" {
		t.Errorf("status = %v", got)
	}
	if got := b.ok(200, "PUT", self, `{"name":"Security keys","settings":{"x":1}}`).object(t); got["name"] != "Security keys" || got["key"] != "webauthn" || got["settings"] == nil {
		t.Errorf("authenticator = %v", got)
	}
	b.call("POST", "/api/v1/authenticators", `{"key":"webauthn","name":"Again"}`).problem(t, 400, "E0000001", "already exists")
	b.call("POST", "/api/v1/authenticators", `{"key":"palm","name":"Palm"}`).problem(t, 400, "E0000001", "key")
}

func TestLogs(t *testing.T) {
	b := newSeeded(t)
	id := b.user(ann, "")
	b.ok(200, "POST", "/api/v1/users/"+id+"/lifecycle/deactivate", "")
	a := b.ok(200, "GET", `/api/v1/logs?filter=target.id+eq+"`+id+`"`, "")
	if got := a.list(t, "eventType"); !cmp.Equal(got, []string{"user.lifecycle.create", "user.lifecycle.activate", "user.lifecycle.deactivate"}) {
		t.Errorf("events = %v", got)
	}
	if got := a.list(t, "actor", "id"); got[0] != directory.Administrator {
		t.Errorf("actor = %v, want the token's owner", got)
	}
	// The next link is there at the end too, and yields what comes later.
	next := a.header.Values("Link")[1]
	path := strings.TrimPrefix(next[1:strings.Index(next, ">")], org)
	if got := b.ok(200, "GET", path, "").body; got != "[]" {
		t.Errorf("events behind the last = %s", got)
	}
	b.ok(204, "DELETE", "/api/v1/users/"+id, "")
	if got := b.ok(200, "GET", path, "").list(t, "eventType"); !cmp.Equal(got, []string{"user.lifecycle.delete.initiated", "user.lifecycle.delete.completed"}) {
		t.Errorf("later events = %v", got)
	}
	newest := b.ok(200, "GET", "/api/v1/logs?sortOrder=DESCENDING&limit=1", "").list(t, "eventType")
	if len(newest) != 1 || newest[0] != "user.lifecycle.delete.completed" {
		t.Errorf("newest = %v", newest)
	}
	if got := b.ok(200, "GET", "/api/v1/logs?q=ann+lifecycle.create", "").list(t, "eventType"); len(got) != 1 {
		t.Errorf("events with q = %v", got)
	}
	b.call("GET", "/api/v1/logs?filter=colour+eq+1", "").problem(t, 400, "E0000031", "colour")
	b.call("GET", "/api/v1/logs?since=yesterday", "").problem(t, 400, "E0000001", "since")
	b.call("GET", "/api/v1/logs?after=x", "").problem(t, 400, "E0000031", "Invalid cursor.")
}

func TestOrg(t *testing.T) {
	b := newSeeded(t)
	o := b.ok(200, "GET", "/api/v1/org", "").object(t)
	if o["companyName"] != "Sandbox org" || o["status"] != "ACTIVE" {
		t.Errorf("org = %v", o)
	}
	known := b.ok(200, "GET", "/.well-known/okta-organization", "", "Authorization", "").object(t)
	if known["id"] != o["id"] || known["pipeline"] != "idx" {
		t.Errorf("well-known = %v", known)
	}
}

func TestSubscriptions(t *testing.T) {
	b := newSeeded(t)
	for _, owner := range []string{"/api/v1/users/me", "/api/v1/roles/SUPER_ADMIN"} {
		self := owner + "/subscriptions/OKTA_UPDATE"
		if got := b.ok(200, "GET", self, "").object(t)["status"]; got != "subscribed" {
			t.Errorf("%s: status = %v before anybody said anything", owner, got)
		}
		if got := b.ok(200, "POST", self+"/unsubscribe", "").body; got != "" {
			t.Errorf("%s: unsubscribe answers %q, nothing is recorded", owner, got)
		}
		b.ok(200, "POST", self+"/unsubscribe", "")
		if got := b.ok(200, "GET", self, "").object(t)["status"]; got != "unsubscribed" {
			t.Errorf("%s: status = %v", owner, got)
		}
		b.ok(200, "POST", self+"/subscribe", "")
		statuses := b.ok(200, "GET", owner+"/subscriptions", "").list(t, "status")
		if len(statuses) != len(directory.NotificationTypes) || strings.Contains(strings.Join(statuses, " "), "un") {
			t.Errorf("%s: statuses = %v", owner, statuses)
		}
		b.call("GET", owner+"/subscriptions/JOKES", "").problem(t, 404, "E0000007", "JOKES (NotificationType)")
	}
	b.call("POST", "/api/v1/users/none/subscriptions/OKTA_UPDATE/subscribe", "").problem(t, 404, "E0000007", "none (User)")
}

func TestRisk(t *testing.T) {
	b := newSeeded(t)
	self := "/api/v1/users/" + b.user(ann, "") + "/risk"
	if got := b.ok(200, "GET", self, "").object(t)["riskLevel"]; got != "NONE" {
		t.Errorf("risk of a new user = %v", got)
	}
	b.ok(201, "PUT", self, `{"riskLevel":"LOW"}`) // recorded: 201 the first time
	b.ok(200, "PUT", self, `{"riskLevel":"HIGH"}`)
	if got := b.ok(200, "GET", self, "").object(t); got["riskLevel"] != "HIGH" || got["reason"] != "Admin override risk" {
		t.Errorf("risk = %v", got)
	}
	b.call("PUT", self, `{"riskLevel":"HUGE"}`).problem(t, 400, "E0000001", "riskLevel")
}

func TestOrgSettings(t *testing.T) {
	b := newSeeded(t)
	b.ok(200, "POST", "/api/v1/org", `{"website":"https://example.com","city":"Bern"}`)
	if o := b.ok(200, "POST", "/api/v1/org", `{"city":"Basel"}`).object(t); o["website"] != "https://example.com" || o["city"] != "Basel" {
		t.Errorf("org = %v", o)
	}
	if o := b.ok(200, "PUT", "/api/v1/org", `{"city":"Basel"}`).object(t); o["website"] != nil {
		t.Errorf("website = %v after a replacement without it", o["website"])
	}
	if got := b.ok(200, "GET", "/api/v1/org/contacts", "").list(t, "contactType"); len(got) != 2 {
		t.Errorf("contacts = %v", got)
	}
	b.ok(200, "PUT", "/api/v1/org/contacts/BILLING", `{"userId":"00u0grace0kim00001d7"}`)
	if got := b.ok(200, "GET", "/api/v1/org/contacts/BILLING", "").object(t)["userId"]; got != "00u0grace0kim00001d7" {
		t.Errorf("contact = %v", got)
	}
	b.call("PUT", "/api/v1/org/contacts/BILLING", `{"userId":"none"}`).problem(t, 404, "E0000007", "none (User)")
	b.call("GET", "/api/v1/org/contacts/PARTY", "").problem(t, 404, "E0000007", "PARTY")

	links := func(path string) string {
		return strings.Join(keys(t, mustJSON(t, b.ok(200, "GET", path, "").object(t)["_links"])), " ")
	}
	for path, walk := range map[string][][2]string{
		"/api/v1/org/preferences":               {{"", "hideEndUserFooter"}, {"hideEndUserFooter", "showEndUserFooter"}},
		"/api/v1/org/privacy/oktaCommunication": {{"", "optOut"}, {"optOut", "optIn"}, {"optIn", "optOut"}},
		"/api/v1/org/privacy/oktaSupport":       {{"", "grant"}, {"grant", "extend revoke"}, {"extend", "extend revoke"}, {"revoke", "grant"}},
	} {
		for _, step := range walk {
			if step[0] != "" {
				b.ok(200, "POST", path+"/"+step[0], "")
			}
			if got := links(path); got != step[1] {
				t.Errorf("%s after %q: links = %s, want %s", path, step[0], got, step[1])
			}
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTrustedOrigins(t *testing.T) {
	b := newSeeded(t)
	o := b.ok(200, "POST", "/api/v1/trustedOrigins", `{"name":"Site","origin":"http://example.com","scopes":[{"type":"CORS"},{"type":"IFRAME_EMBED"}]}`).object(t)
	self := "/api/v1/trustedOrigins/" + o["id"].(string)
	if o["status"] != "ACTIVE" || o["createdBy"] != directory.Administrator {
		t.Errorf("origin = %v", o)
	}
	if got := b.ok(200, "POST", self+"/lifecycle/deactivate", "").object(t)["status"]; got != "INACTIVE" {
		t.Errorf("status = %v", got)
	}
	b.ok(200, "PUT", self, `{"name":"Shop","origin":"https://example.com","scopes":[]}`)
	if got := b.ok(200, "GET", "/api/v1/trustedOrigins", "").list(t, "name"); len(got) != 1 || got[0] != "Shop" {
		t.Errorf("origins = %v", got)
	}
	b.call("POST", "/api/v1/trustedOrigins", `{"name":"X","origin":"","scopes":[{"type":"ALL"}]}`).problem(t, 400, "E0000001", "scopes")
	b.ok(204, "DELETE", self, "")
	b.call("GET", self, "").problem(t, 404, "E0000007", "(TrustedOrigin)")
}
