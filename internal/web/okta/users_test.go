package okta_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// attributes defines custom attributes of the default user type.
func (b *bench) attributes(properties string) answer {
	b.t.Helper()
	return b.ok(200, "POST", "/api/v1/meta/schemas/user/default", `{"definitions":{"custom":{"id":"#custom","type":"object","properties":{`+properties+`}}}}`)
}

// search returns the logins that a search finds.
func (b *bench) search(expression, more string) []string {
	b.t.Helper()
	return b.ok(200, "GET", "/api/v1/users?search="+url.QueryEscape(expression)+more, "").list(b.t, "profile", "login")
}

func TestCredentialErrors(t *testing.T) {
	t.Parallel()
	const policy = "Password requirements were not met. Password requirements: at least 8 characters, a lowercase letter, an uppercase letter, a number, no parts of your username."
	failed, question := "Update of credentials failed", "Change recovery question not allowed on specified user."
	b := newBench(t)
	user := "/api/v1/users/" + b.in("ACTIVE", "ann@example.com") + "/credentials/"
	tests := []struct {
		path, body    string
		status        int
		code, summary string
		causes        []string
	}{
		{"change_password", `{"oldPassword":{"value":"nope"},"newPassword":{"value":"Sesame4me"}}`, 403, "E0000014", failed, []string{"Old Password is not correct"}},
		{"change_password", `{"oldPassword":{"value":"Sesame4you"},"newPassword":{"value":"weak"}}`, 403, "E0000014", failed, []string{policy}},
		{"change_password", `{"oldPassword":{"value":"Sesame4you"},"newPassword":{"value":"` + strings.Repeat("Aa1", 25) + `"}}`, 403, "E0000014", failed, []string{policy}},
		{"change_password", `{"newPassword":{"value":"Sesame4me"}}`, 400, "E0000001", "Api validation failed: oldPassword", []string{"oldPassword: The field cannot be left blank"}},
		{"change_password", `{"oldPassword":"Sesame4you"}`, 400, "E0000003", "The request body was not well-formed.", nil},
		{"change_password", ``, 400, "E0000003", "The request body was not well-formed.", nil},
		{"change_password?strict=maybe", `{}`, 400, "E0000001", "Api validation failed: strict", []string{"strict: must be true or false"}},
		{"forgot_password_recovery_question", `{"password":{"value":"Sesame4me"},"recovery_question":{"answer":"no idea"}}`, 403, "E0000087", "The recovery question answer did not match our records.", nil},
		{"forgot_password_recovery_question", `{"password":{"value":"weak"},"recovery_question":{"answer":"because"}}`, 403, "E0000014", failed, []string{policy}},
		{"forgot_password_recovery_question", `{"password":{"value":"Sesame4me"}}`, 400, "E0000001", "Api validation failed: recovery_question", []string{"recovery_question: The field cannot be left blank"}},
		{"change_recovery_question", `{"password":{"value":"nope"},"recovery_question":{"question":"Q","answer":"A"}}`, 403, "E0000014", failed, []string{"Old Password is not correct"}},
		{"change_recovery_question", `{"password":{"value":"Sesame4you"}}`, 400, "E0000001", "Api validation failed: recovery_question", []string{"recovery_question: The field cannot be left blank", "recovery_answer: The field cannot be left blank"}},
	}
	for _, test := range tests {
		wantProblem(t, b.call("POST", user+test.path, test.body), test.status, test.code, test.summary, test.causes...)
	}
	pending := "/api/v1/users/" + b.in("PROVISIONED", "p@example.com") + "/credentials/"
	wantProblem(t, b.call("POST", pending+"change_recovery_question", `{"password":{"value":"x"},"recovery_question":{"question":"Q","answer":"A"}}`), 403, "E0000036", question)
	wantProblem(t, b.call("POST", "/api/v1/users/"+nobody+"/credentials/forgot_password", ""), 404, "E0000007", "Not found: Resource not found: "+nobody+" (User)")
}

// TestCredentialAnswers covers the forms of what works.
func TestCredentialAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.in("ACTIVE", "ann@example.com")
	user := "/api/v1/users/" + id
	a := b.ok(200, "POST", user+"/credentials/change_password", `{"oldPassword":{"value":"Sesame4you"},"newPassword":{"value":"Sesame4me"},"revokeSessions":true}`)
	if diff := cmp.Diff([]string{"password", "emails", "recovery_question", "provider"}, keys(t, a.body)); diff != "" || strings.Contains(a.body, "Sesame") {
		t.Errorf("change_password = %s: - want + got\n%s", a.body, diff)
	}
	forgot := b.ok(200, "POST", user+"/credentials/forgot_password?sendEmail=false", "").object(t)["resetPasswordUrl"].(string)
	token := strings.TrimPrefix(forgot, org+"/signin/reset-password/")
	if len(token) != 20 {
		t.Errorf("forgot_password = %s, want an address with a token of 20 characters", forgot)
	}
	if _, err := b.dir.Redeem(t.Context(), directory.OktaRealm, token, "Sesame4all"); err != nil {
		t.Errorf("the token of forgot_password: %v", err)
	}
	if got := b.ok(200, "POST", user+"/credentials/forgot_password", "").body; got != "{}" {
		t.Errorf("forgot_password with mail = %s, want {}", got)
	}
	reset := b.ok(200, "POST", user+"/lifecycle/reset_password?sendEmail=false", "").object(t)["resetPasswordUrl"].(string)
	if _, err := b.dir.Redeem(t.Context(), directory.OktaRealm, strings.TrimPrefix(reset, org+"/reset_password/"), "Sesame4you"); err != nil {
		t.Errorf("the token of reset_password: %v", err)
	}
	temp := b.ok(200, "POST", user+"/lifecycle/expire_password?tempPassword=true", "").object(t)["tempPassword"].(string)
	body := fmt.Sprintf(`{"oldPassword":{"value":%q},"newPassword":{"value":"Sesame4me"}}`, temp)
	b.ok(200, "POST", user+"/credentials/change_password", body)
	if got := b.ok(200, "POST", user+"/lifecycle/reset_password?provider=FEDERATION", "").body; got != "{}" {
		t.Errorf("to a federated user = %s, want {}", got)
	}
	federated := b.ok(200, "GET", user, "").object(t)
	want := map[string]any{"provider": map[string]any{"type": "FEDERATION", "name": "FEDERATION"}, "recovery_question": map[string]any{"question": "Why?"}}
	if diff := cmp.Diff(want, federated["credentials"]); diff != "" || federated["status"] != "ACTIVE" {
		t.Errorf("federated user = %v: - want + got\n%s", federated, diff)
	}
	staged := b.user(profileOf("staged@example.com")+`,"realmId":"guo1"}`, "?activate=false&provider=false")
	activation := b.ok(200, "POST", "/api/v1/users/"+staged+"/lifecycle/activate?sendEmail=false", "").object(t)["activationToken"].(string)
	if a, err := b.dir.Redeem(t.Context(), directory.OktaRealm, activation, "Sesame4you"); err != nil || a.Status != directory.Active {
		t.Errorf("the token of activate: %v, %v", a, err)
	}
}

// TestAuthn signs in by the API and makes a session of what it yields.
func TestAuthn(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	for _, status := range statuses {
		b.in(status, status+"@example.com")
	}
	signIn := func(login, password string) answer {
		return b.call("POST", "/api/v1/authn", fmt.Sprintf(`{"username":%q,"password":%q}`, login, password), "Authorization", "")
	}
	for _, status := range statuses {
		a := signIn(status+"@example.com", "Sesame4you")
		switch status {
		case "ACTIVE":
			o := a.object(t)
			if a.status != 200 || o["status"] != "SUCCESS" {
				t.Fatalf("ACTIVE: %d %s", a.status, a.body)
			}
			b.ok(200, "POST", "/api/v1/sessions", fmt.Sprintf(`{"sessionToken":%q}`, o["sessionToken"]))
		case "PASSWORD_EXPIRED":
			wantProblem(t, a, 401, "E0000064", "Password is expired and must be changed.")
		default:
			wantProblem(t, a, 401, "E0000004", "Authentication failed")
		}
	}
	wantProblem(t, signIn("nobody@example.com", "x"), 401, "E0000004", "Authentication failed")
	wantProblem(t, signIn("ACTIVE@example.com", ""), 401, "E0000004", "Authentication failed")
	wantProblem(t, b.call("GET", "/api/v1/authn", "", "Authorization", ""), 401, "E0000011", "Invalid token provided")
}

// TestPasswordChangedMoves is what SDKs tell changes of passwords by, without a
// pause between creation and change.
func TestPasswordChangedMoves(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	created := b.ok(200, "POST", "/api/v1/users", annWithPassword).object(t)
	user := "/api/v1/users/" + created["id"].(string)
	b.clock.Step(-time.Second)
	b.ok(200, "POST", user+"/credentials/change_password", `{"oldPassword":{"value":"Sesame4you"},"newPassword":{"value":"Sesame4me"}}`)
	if got := b.ok(200, "GET", user, "").object(t)["passwordChanged"]; got.(string) <= created["passwordChanged"].(string) {
		t.Errorf("passwordChanged = %v after %v, want it later", got, created["passwordChanged"])
	}
}

func TestCustomAttributesOnTheWire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.attributes(`
		"badge":{"title":"Badge","type":"string","unique":"UNIQUE_VALIDATED","minLength":2,"maxLength":8},
		"tags":{"title":"Tags","type":"array","items":{"type":"string"}},
		"years":{"title":"Years","type":"integer"},
		"score":{"title":"Score","type":"number","enum":[1,2.5],"oneOf":[{"const":1,"title":"one"},{"const":2.5,"title":"more"}]},
		"remote":{"title":"Remote","type":"boolean"}`)
	with := func(login, attributes string) string {
		return fmt.Sprintf(`{"profile":{"firstName":"A","lastName":"B","email":%q,"login":%[1]q,%s}}`, login, attributes)
	}
	id := b.user(with("a@example.com", `"badge":"B1","tags":["x","y"],"years":12,"score":2.50,"remote":true`), "")
	b.user(with("b@example.com", `"badge":"B2","tags":["z"],"years":3`), "")
	got := b.ok(200, "GET", "/api/v1/users/"+id, "").body
	for _, want := range []string{`"tags":["x","y"]`, `"years":12`, `"score":2.50`, `"remote":true`} {
		if !strings.Contains(got, want) {
			t.Errorf("user = %s, want %s", got, want)
		}
	}
	wantProblem(t, b.call("POST", "/api/v1/users", with("c@example.com", `"badge":"b1"`)), 400, "E0000001", "Api validation failed: badge",
		"badge: An object with this field already exists in the current organization")
	wantProblem(t, b.call("POST", "/api/v1/users", with("c@example.com", `"years":"12"`)), 400, "E0000001", "Api validation failed: years",
		"years: The field has an invalid value")
	wantProblem(t, b.call("POST", "/api/v1/users/"+id, `{"profile":{"score":2,"shoe":"44"}}`), 400, "E0000001", "Api validation failed: score",
		"score: The field has an invalid value", "Property name 'shoe' is not defined in profile")
	searches := []struct {
		expression, more string
		want             []string
	}{
		{`profile.badge eq "b1"`, "", []string{"a@example.com"}},
		{`profile.tags eq "Y"`, "", []string{"a@example.com"}},
		{`profile.tags eq "z" or profile.years eq 12`, "", []string{"a@example.com", "b@example.com"}},
		{`profile.years gt 3`, "", []string{"a@example.com"}},
		{`profile.years ge 3 and profile.years lt 12`, "", []string{"b@example.com"}},
		{`profile.score eq 2.5`, "", []string{"a@example.com"}},
		{`profile.remote pr`, "", []string{"a@example.com"}},
		{`profile.remote eq true`, "", []string{"a@example.com"}},
		{`profile.badge sw "B"`, "&sortBy=profile.years", []string{"b@example.com", "a@example.com"}},
		{`profile.badge sw "B"`, "&sortBy=profile.years&sortOrder=desc", []string{"a@example.com", "b@example.com"}},
		{`profile.badge sw "B"`, "&sortBy=profile.years&sortOrder=0", []string{"b@example.com", "a@example.com"}},
		{`profile.lastName ge "b" and profile.lastName le "B"`, "", []string{"a@example.com", "b@example.com"}},
		{`type.id eq "` + directory.DefaultUserType + `"`, "", []string{"a@example.com", "b@example.com"}},
		{`created ge "2026-03-04T00:00:00.000Z" and created le "2026-03-05T00:00:00.000Z"`, "", []string{"a@example.com", "b@example.com"}},
		{`id eq "` + id + `"`, "", []string{"a@example.com"}},
		{`id eq "a@example.com"`, "", []string{}},
		{`profile.login eq "A@Example.com" and profile.years gt 100`, "", []string{}},
	}
	for _, test := range searches {
		if diff := cmp.Diff(test.want, b.search(test.expression, test.more)); diff != "" {
			t.Errorf("search %s %s: - want + got\n%s", test.expression, test.more, diff)
		}
	}
	wantProblem(t, b.call("GET", "/api/v1/users?search=profile.shoe+pr", ""), 400, "E0000031", "Invalid search criteria.", "profile.shoe pr is not supported here")
	wantProblem(t, b.call("GET", "/api/v1/users?search=id+pr&sortBy=profile.shoe", ""), 400, "E0000031", "Invalid search criteria.", "sortBy: profile.shoe is not a property of users")
}

// TestSchemaRoundTrip sends a schema back as it was answered, with more, as SDKs do.
func TestSchemaRoundTrip(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, id string }{
		{"/api/v1/meta/schemas/user/default", "/meta/schemas/user/default"},
		{"/api/v1/meta/schemas/group/default", "/meta/schemas/group/default"},
	}
	for _, test := range tests {
		b := newBench(t)
		first := b.ok(200, "GET", test.path, "")
		whole := first.object(t)
		if whole["id"] != org+test.id {
			t.Errorf("id = %v, want %s", whole["id"], test.id)
		}
		custom := whole["definitions"].(map[string]any)["custom"].(map[string]any)
		properties, ok := custom["properties"].(map[string]any)
		if !ok || len(properties) != 0 {
			t.Fatalf("custom properties = %v, want {}", custom["properties"])
		}
		for name, text := range map[string]string{
			"SDK_TEST_a": `{"description":"testing","items":{"enum":["test","1","2"],"oneOf":[{"const":"test","title":"test"},{"const":"1","title":"one"},{"const":"2","title":"two"}],"type":"string"},"master":{"type":"OKTA"},"mutability":"READ_WRITE","permissions":[{"action":"READ_ONLY","principal":"SELF"}],"scope":"NONE","title":"Property Title","type":"array"}`,
			"SDK_TEST_b": `{"description":"User's username for twitter.com","externalName":"External Twitter username","master":{"type":"PROFILE_MASTER"},"maxLength":20,"minLength":1,"mutability":"READ_WRITE","permissions":[{"action":"READ_WRITE","principal":"SELF"}],"scope":"NONE","title":"Twitter username","type":"string","unique":"UNIQUE_VALIDATED"}`,
			"SDK_TEST_n": `{"items":{"enum":[1,2,3],"oneOf":[{"const":1,"title":"one"},{"const":2,"title":"two"},{"const":3,"title":"three"}],"type":"number"},"title":"Numbers","type":"array"}`,
		} {
			properties[name] = json.RawMessage(text)
		}
		text, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		a := b.ok(200, "POST", test.path, string(text))
		for _, want := range []string{
			`"SDK_TEST_a":{"title":"Property Title","description":"testing","type":"array","mutability":"READ_WRITE","scope":"NONE","items":{"type":"string","enum":["test","1","2"],"oneOf":[{"const":"test","title":"test"},{"const":"1","title":"one"},{"const":"2","title":"two"}]},"permissions":[{"principal":"SELF","action":"READ_ONLY"}],"master":{"type":"OKTA"}}`,
			`"unique":"UNIQUE_VALIDATED","mutability":"READ_WRITE","scope":"NONE","minLength":1,"maxLength":20,"externalName":"External Twitter username"`,
			`"enum":[1,2,3],"oneOf":[{"const":1,"title":"one"}`,
		} {
			if !strings.Contains(a.body, want) {
				t.Errorf("POST %s = %s, want %s", test.path, a.body, want)
			}
		}
		gone := b.ok(200, "POST", test.path, `{"definitions":{"custom":{"properties":{"SDK_TEST_a":null,"SDK_TEST_b":null,"SDK_TEST_n":null}}}}`)
		if diff := cmp.Diff(keys(t, first.body), keys(t, gone.body)); diff != "" || strings.Contains(gone.body, "SDK_TEST") {
			t.Errorf("after the removal the schema is %s: keys - want + got\n%s", gone.body, diff)
		}
	}
}

func TestSchemaErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/api/v1/meta/schemas/user/default"
	property := func(text string) string { return `{"definitions":{"custom":{"properties":{"x":` + text + `}}}}` }
	tests := []struct {
		body          string
		code, summary string
		causes        []string
	}{
		{property(`{"type":"string"}`), "E0000001", "Api validation failed: title", []string{"title: The field cannot be left blank"}},
		{property(`{"title":"X","type":"date"}`), "E0000001", "Api validation failed: x", []string{"x: The field has an invalid value"}},
		{property(`{"title":"X","type":"string","unique":"SOMETIMES"}`), "E0000001", "Api validation failed: x", []string{"x: unique has an invalid value"}},
		{property(`{"title":5}`), "E0000003", "The request body was not well-formed.", nil},
		{property(`[]`), "E0000003", "The request body was not well-formed.", nil},
		{`{"definitions":{"custom":{"properties":[]}}}`, "E0000003", "The request body was not well-formed.", nil},
		{`{"definitions":{"base":{"properties":{"title":{"required":true}}}}}`, "E0000001", "Api validation failed: title", []string{"title: The field has an invalid value"}},
	}
	for _, test := range tests {
		wantProblem(t, b.call("POST", path, test.body), 400, test.code, test.summary, test.causes...)
	}
	wantProblem(t, b.call("GET", "/api/v1/meta/schemas/user/oscX", ""), 404, "E0000007", "Not found: Resource not found: oscX (Schema)")
	base := b.ok(200, "POST", path, `{"definitions":{"base":{"properties":{"lastName":{"required":false,"permissions":[{"principal":"SELF","action":"READ_ONLY"}]}}}}}`).body
	want := `"lastName":{"title":"Last name","type":"string","mutability":"READ_WRITE","scope":"NONE","maxLength":50,"permissions":[{"principal":"SELF","action":"READ_ONLY"}]}`
	if !strings.Contains(base, want) || !strings.Contains(base, `"required":["login","firstName","email"]`) {
		t.Errorf("base = %s, want %s", base, want)
	}
	b.ok(200, "POST", "/api/v1/users", `{"profile":{"firstName":"Ann","email":"ann@example.com","login":"ann@example.com"}}`)
}

func TestUserTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/api/v1/meta/types/user"
	created := b.ok(200, "POST", path, `{"description":"My Custom User Type","displayName":"Display Name","name":"SDK_TEST_x"}`)
	want := []string{"id", "displayName", "name", "description", "createdBy", "lastUpdatedBy", "created", "lastUpdated", "default", "_links"}
	if diff := cmp.Diff(want, keys(t, created.body)); diff != "" {
		t.Errorf("POST: keys: - want + got\n%s", diff)
	}
	id := created.object(t)["id"].(string)
	if got := b.ok(200, "GET", path, "").list(t, "name"); !cmp.Equal(got, []string{"user", "SDK_TEST_x"}) {
		t.Errorf("GET = %v, want the default type and the new one", got)
	}
	for _, ref := range []string{"default", directory.DefaultUserType} {
		if got := b.ok(200, "GET", path+"/"+ref, "").object(t); got["default"] != true || got["createdBy"] == "" {
			t.Errorf("GET %s = %v, want the default type", ref, got)
		}
	}
	edited := b.ok(200, "POST", path+"/"+id, `{"displayName":"Other"}`).object(t)
	if edited["displayName"] != "Other" || edited["description"] != "My Custom User Type" {
		t.Errorf("POST = %v, want the description kept", edited)
	}
	replaced := b.ok(200, "PUT", path+"/"+id, `{"name":"SDK_TEST_x","displayName":"Third"}`).object(t)
	if replaced["displayName"] != "Third" || replaced["description"] != "" {
		t.Errorf("PUT = %v, want no description", replaced)
	}
	wantProblem(t, b.call("PUT", path+"/"+id, `{"name":"other","displayName":"Third"}`), 400, "E0000001", "Api validation failed: name", "name: The field has an invalid value")
	wantProblem(t, b.call("PUT", path+"/"+id, `{"displayName":"Third"}`), 400, "E0000001", "Api validation failed: name", "name: The field cannot be left blank")
	wantProblem(t, b.call("GET", path+"/otyX", ""), 404, "E0000007", "Not found: Resource not found: otyX (CVDType)")

	// A user of the type, found by it, who only PUT moves to another one.
	typed := fmt.Sprintf(`,"type":{"id":%q}}`, id)
	user := b.ok(200, "POST", "/api/v1/users", strings.TrimSuffix(ann, "}")+typed)
	schema := "osc" + id[3:]
	for _, want := range []string{`"type":{"id":"` + id + `"}`, "/api/v1/meta/schemas/user/" + schema, "/api/v1/meta/types/user/" + id} {
		if !strings.Contains(user.body, want) {
			t.Errorf("user = %s, want %s", user.body, want)
		}
	}
	if got := b.ok(200, "GET", "/api/v1/meta/schemas/user/"+schema, "").object(t)["title"]; got != "Third" {
		t.Errorf("title of the schema = %v, want the type's name", got)
	}
	if got := b.search(`type.id eq "`+id+`"`, ""); len(got) != 1 {
		t.Errorf("users of the type = %v, want one", got)
	}
	wantProblem(t, b.call("DELETE", path+"/"+id, ""), 403, "E0000142", "This User Type cannot be deleted.")
	wantProblem(t, b.call("DELETE", path+"/default", ""), 403, "E0000142", "This User Type cannot be deleted.")
	one := "/api/v1/users/" + user.object(t)["id"].(string)
	b.ok(200, "POST", one, `{"profile":{"title":"Boss"}`+typed)
	b.call("POST", one, `{"type":{"id":"`+directory.DefaultUserType+`"}}`).problem(t, 400, "E0000001", "type")
	wantProblem(t, b.call("PUT", one, strings.TrimSuffix(ann, "}")+`,"type":{"id":"otyX"}}`), 404, "E0000007", "Not found: Resource not found: otyX (CVDType)")
	moved := b.ok(200, "PUT", one, strings.TrimSuffix(ann, "}")+`,"type":{"id":"`+directory.DefaultUserType+`"}}`)
	if !strings.Contains(moved.body, `"type":{"id":"`+directory.DefaultUserType+`"}`) {
		t.Errorf("PUT = %s, want the default type", moved.body)
	}
	b.ok(204, "DELETE", path+"/"+id, "")
	b.ok(404, "GET", "/api/v1/meta/schemas/user/"+schema, "")
}

func TestFields(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	for fields, want := range map[string]string{
		"status":                           `{"id":"` + directory.Administrator + `","status":"ACTIVE"}`,
		"id,profile:(lastName, firstName)": `{"id":"` + directory.Administrator + `","profile":{"firstName":"Ada","lastName":"Min"}}`,
		"type:(id),nothing":                `{"id":"` + directory.Administrator + `","type":{"id":"` + directory.DefaultUserType + `"}}`,
	} {
		got := b.ok(200, "GET", "/api/v1/users?limit=1&fields="+url.QueryEscape(fields), "")
		if got.body != "["+want+"]" {
			t.Errorf("fields=%s: %s, want %s", fields, got.body, want)
		}
		if next := got.next(t); !strings.Contains(next, "fields=") {
			t.Errorf("fields=%s: the next page is %s, want fields in it", fields, next)
		}
	}
	for _, bad := range []string{",", "profile:(", "profile:()", "a)b", "a:(b:(c:(d:(e:(f)))))", strings.Repeat("x", 5000)} {
		b.call("GET", "/api/v1/users?fields="+url.QueryEscape(bad), "").problem(t, 400, "E0000001", "fields")
	}
}

// TestUserLists covers the lists that belong to a user and are empty here.
func TestUserLists(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.in("LOCKED_OUT", "ann@example.com")
	user := "/api/v1/users/" + id
	for path, want := range map[string]string{
		"/clients": "[]", "/idps": "[]", "/grants": "[]",
		"/blocks": `[{"type":"DEVICE_BASED","appliesTo":"ANY_DEVICES"}]`,
	} {
		if got := b.ok(200, "GET", user+path, "").body; got != want {
			t.Errorf("GET %s = %s, want %s", path, got, want)
		}
		wantProblem(t, b.call("GET", "/api/v1/users/"+nobody+path, ""), 404, "E0000007", "Not found: Resource not found: "+nobody+" (User)")
	}
	if got := b.ok(200, "GET", user+"/grants", "").header.Values("Link"); !cmp.Equal(got, []string{"<" + org + user + `/grants?limit=20>; rel="self"`}) {
		t.Errorf("Link of grants = %v", got)
	}
	b.ok(204, "DELETE", user+"/grants", "")
	if got := b.ok(200, "GET", user+"?expand=blocks", "").body; !strings.Contains(got, `"_embedded":{"blocks":[{"type":"DEVICE_BASED"`) {
		t.Errorf("expand=blocks: %s", got)
	}
	without := newBench(t, func(o *okta.Options) { o.WithoutBlocks = true })
	id = without.user(ann, "")
	wantProblem(t, without.call("GET", "/api/v1/users/"+id+"/blocks", ""), 401, "E0000015", "You do not have permission to access the feature you are requesting")
}

// TestCursors makes sure that a list takes its own cursors only.
func TestCursors(t *testing.T) {
	t.Parallel()
	b, other := newBench(t), newBench(t)
	other.clock.Step(time.Hour)
	mine, theirs := b.user(ann, ""), other.user(ann, "")
	gone := b.user(profileOf("gone@example.com")+"}", "")
	for range 2 {
		b.ok(204, "DELETE", "/api/v1/users/"+gone, "")
	}
	groups := b.ok(200, "GET", "/api/v1/groups", "").list(t, "id")
	members := "/api/v1/groups/" + groups[0] + "/users"
	tests := []struct {
		path string
		code string // "" when the cursor is good
	}{
		{"/api/v1/users?after=200" + mine, ""},
		{"/api/v1/users?after=200" + gone, ""},
		{"/api/v1/users?after=200" + theirs, "E0000029"},
		{"/api/v1/users?after=" + mine, "E0000029"}, // of a search
		{"/api/v1/users?search=id+pr&after=" + mine, ""},
		{"/api/v1/users?search=id+pr&after=200" + mine, "E0000031"}, // of the plain list
		{"/api/v1/users?search=id+pr&after=" + theirs, "E0000031"},
		{"/api/v1/users?filter=id+eq+%22x%22&after=" + theirs, "E0000031"},
		{members + "?after=" + mine, ""},
		{members + "?after=200" + mine, "E0000029"},
		{members + "?after=" + theirs, "E0000029"},
		{members + "?after=" + groups[0], "E0000029"},
		{"/api/v1/groups?after=" + groups[0], ""},
		{"/api/v1/groups?after=" + mine, "E0000029"},
		{"/api/v1/groups?after=00gnobody", "E0000029"},
	}
	for _, test := range tests {
		a := b.call("GET", test.path, "")
		if test.code == "" && a.status != 200 {
			t.Errorf("GET %s = %d %s, want 200", test.path, a.status, a.body)
		}
		if test.code != "" {
			a.problem(t, 400, test.code, "Invalid cursor.")
		}
	}
}

// TestIndexDelay makes sure that lists and searches show the past, and look-ups
// the present.
func TestIndexDelay(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *okta.Options) { o.IndexDelay = 30 * time.Second })
	id := b.user(profileOf("ann@example.com")+"}", "")
	count := func(query string) int {
		t.Helper()
		return len(b.ok(200, "GET", "/api/v1/users?"+query, "").list(t, "id"))
	}
	byTitle, byLogin := `search=profile.title+eq+%22Boss%22`, `search=profile.login+eq+%22ann@example.com%22`
	b.ok(200, "GET", "/api/v1/users/"+id, "")
	for _, query := range []string{"", "q=ann", byLogin, `filter=status+eq+%22PROVISIONED%22`} {
		if got := count(query); got != 0 {
			t.Errorf("%s finds %d at once, want none", query, got)
		}
	}
	b.clock.Step(30 * time.Second)
	if got := count(byLogin); got != 1 {
		t.Errorf("%s finds %d later, want 1", byLogin, got)
	}
	b.ok(200, "POST", "/api/v1/users/"+id, `{"profile":{"title":"Boss","login":"boss@example.com"}}`)
	if got := count(byTitle) + 10*count(byLogin); got != 10 {
		t.Errorf("after a change the searches find %02d, want what was", got)
	}
	b.clock.Step(30 * time.Second)
	if got := count(byTitle) + 10*count(byLogin); got != 1 {
		t.Errorf("later the searches find %02d, want what is", got)
	}
}

// FuzzFields makes sure that no selection crashes, and that those which are
// accepted keep the id.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{"id", "id,profile:(a,b)", "a:(b:(c)),d", "", ",", "(", "a:(", "a:()"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if kept, ok := okta.Select(text); ok && !kept {
			t.Errorf("fields=%q leaves out the id", text)
		}
	})
}
