package okta_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/okta"
	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// problem is an error body.
type problem struct {
	Code    string `json:"errorCode"`
	Summary string `json:"errorSummary"`
	Link    string `json:"errorLink"`
	ID      string `json:"errorId"`
	Causes  []struct {
		Summary string `json:"errorSummary"`
	} `json:"errorCauses"`
}

// wantProblem checks an error body in full: keys in order, link and id.
func wantProblem(t *testing.T, a answer, status int, code, summary string, causes ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status = %d %s, want %d", a.status, a.body, status)
		return
	}
	want := []string{"errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"}
	if diff := cmp.Diff(want, keys(t, a.body)); diff != "" {
		t.Errorf("keys: - want + got\n%s", diff)
	}
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatal(err)
	}
	if p.Code != code || p.Summary != summary || p.Link != code {
		t.Errorf("error = %s, want %s %q", a.body, code, summary)
	}
	if len(p.ID) != 25 || !strings.HasPrefix(p.ID, "oae") {
		t.Errorf("errorId = %q, want oae and 22 characters", p.ID)
	}
	var got []string
	for _, c := range p.Causes {
		got = append(got, c.Summary)
	}
	if diff := cmp.Diff(causes, got); diff != "" {
		t.Errorf("causes: - want + got\n%s", diff)
	}
	if p.Causes == nil {
		t.Error("errorCauses is null, want an empty array")
	}
}

const (
	everyone = "00g0everyone000001d7"
	nobody   = "00uNOBODY0000000001d7"
)

const passwordPolicy = "password: Password requirements were not met. Password requirements: at least 8 characters, " +
	"a lowercase letter, an uppercase letter, a number, no parts of your username."

func TestErrors(t *testing.T) {
	t.Parallel()
	profile := func(extra string) string {
		return `{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann@example.com","login":"ann@example.com"` + extra + `}}`
	}
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code, summary            string
		causes                   []string
	}{
		{name: "no token", method: "GET", path: "/api/v1/users/me", headers: []string{"Authorization", ""},
			status: 401, code: "E0000011", summary: "Invalid token provided"},
		{name: "wrong token", method: "GET", path: "/api/v1/users/me", headers: []string{"Authorization", "SSWS bad"},
			status: 401, code: "E0000011", summary: "Invalid token provided"},
		{name: "wrong scheme", method: "GET", path: "/api/v1/users/me", headers: []string{"Authorization", "Basic good"},
			status: 401, code: "E0000011", summary: "Invalid token provided"},
		{name: "unknown path", method: "GET", path: "/api/v1/unicorns",
			status: 404, code: "E0000008", summary: "The requested path was not found"},
		{name: "path outside the API", method: "GET", path: "/favicon.ico",
			status: 404, code: "E0000008", summary: "The requested path was not found"},
		{name: "wrong method", method: "PATCH", path: "/api/v1/users/x",
			status: 405, code: "E0000022", summary: "The endpoint does not support the provided HTTP method"},

		{name: "unknown user", method: "GET", path: "/api/v1/users/" + nobody,
			status: 404, code: "E0000007", summary: "Not found: Resource not found: " + nobody + " (User)"},
		{name: "unknown login keeps its case", method: "GET", path: "/api/v1/users/No.Body%40Example.com",
			status: 404, code: "E0000007", summary: "Not found: Resource not found: No.Body@Example.com (User)"},
		{name: "unknown group", method: "GET", path: "/api/v1/groups/00gX",
			status: 404, code: "E0000007", summary: "Not found: Resource not found: 00gX (UserGroup)"},
		{name: "member of an unknown group", method: "PUT", path: "/api/v1/groups/00gX/users/" + directory.Administrator,
			status: 404, code: "E0000007", summary: "Not found: Resource not found: 00gX (UserGroup)"},
		{name: "unknown member", method: "PUT", path: "/api/v1/groups/" + directory.EngineeringGroup + "/users/" + nobody,
			status: 404, code: "E0000007", summary: "Not found: Resource not found: " + nobody + " (User)"},
		{name: "unknown user in life cycle", method: "POST", path: "/api/v1/users/" + nobody + "/lifecycle/suspend",
			status: 404, code: "E0000007", summary: "Not found: Resource not found: " + nobody + " (User)"},

		{name: "member of Everyone", method: "PUT", path: "/api/v1/groups/" + everyone + "/users/" + directory.Administrator,
			status: 501, code: "E0000060", summary: "Unsupported operation."},
		{name: "out of Everyone", method: "DELETE", path: "/api/v1/groups/" + everyone + "/users/" + directory.Administrator,
			status: 501, code: "E0000060", summary: "Unsupported operation."},
		{name: "new name for Everyone", method: "PUT", path: "/api/v1/groups/" + everyone, body: `{"profile":{"name":"All"}}`,
			status: 501, code: "E0000060", summary: "Unsupported operation."},
		{name: "delete Everyone", method: "DELETE", path: "/api/v1/groups/" + everyone,
			status: 501, code: "E0000060", summary: "Unsupported operation."},

		{name: "no body", method: "POST", path: "/api/v1/users",
			status: 400, code: "E0000003", summary: "The request body was not well-formed."},
		{name: "broken body", method: "POST", path: "/api/v1/users", body: `{"profile":`,
			status: 400, code: "E0000003", summary: "The request body was not well-formed."},
		{name: "body of another type", method: "POST", path: "/api/v1/users", body: `[]`,
			status: 400, code: "E0000003", summary: "The request body was not well-formed."},
		{name: "profile of another type", method: "POST", path: "/api/v1/users", body: `{"profile":"x"}`,
			status: 400, code: "E0000003", summary: "The request body was not well-formed."},
		{name: "body too large", method: "POST", path: "/api/v1/users", body: `{"x":"` + strings.Repeat("x", 1<<20) + `"}`,
			status: 400, code: "E0000003", summary: "The request body was not well-formed."},
		{name: "not JSON", method: "POST", path: "/api/v1/users", body: `a=b`, headers: []string{"Content-Type", "application/x-www-form-urlencoded"},
			status: 400, code: "E0000021", summary: "Bad request.  Accept and/or Content-Type headers likely do not match supported values."},

		{name: "empty profile", method: "POST", path: "/api/v1/users", body: `{"profile":{}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: login", causes: []string{
				"login: The field cannot be left blank", "firstName: The field cannot be left blank",
				"lastName: The field cannot be left blank", "email: The field cannot be left blank",
			}},
		{name: "not an address", method: "POST", path: "/api/v1/users",
			body:   `{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann at home","login":"annlee"}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: login", causes: []string{
				"login: Username must be in the form of an email address", "email: Does not match required pattern",
			}},
		{name: "name too long", method: "POST", path: "/api/v1/users",
			body:   `{"profile":{"firstName":"` + strings.Repeat("é", 51) + `","lastName":"Lee","email":"ann@example.com","login":"ann@example.com"}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: firstName", causes: []string{"firstName: The field is too long"}},
		{name: "wrong type", method: "POST", path: "/api/v1/users", body: profile(`,"title":5`),
			status: 400, code: "E0000001", summary: "Api validation failed: title", causes: []string{"title: The field has an invalid value"}},
		{name: "unknown attribute", method: "POST", path: "/api/v1/users", body: profile(`,"notValid":"x"`),
			status: 400, code: "E0000001", summary: "Api validation failed: newUser", causes: []string{"Property name 'notValid' is not defined in profile"}},
		{name: "duplicate login", method: "POST", path: "/api/v1/users",
			body:   `{"profile":{"firstName":"A","lastName":"B","email":"x@example.com","login":"ÁDA.Min@Example.com"}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: login",
			causes: []string{"login: An object with this field already exists in the current organization"}},
		{name: "weak password", method: "POST", path: "/api/v1/users",
			body:   strings.TrimSuffix(ann, "}") + `,"credentials":{"password":{"value":"short"}}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: password", causes: []string{passwordPolicy}},
		{name: "password with a part of the login", method: "POST", path: "/api/v1/users",
			body:   `{"profile":{"firstName":"A","lastName":"B","email":"x@example.com","login":"jane.doering@example.com"},"credentials":{"password":{"value":"Doering2026"}}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: password", causes: []string{passwordPolicy}},
		{name: "expire without password", method: "POST", path: "/api/v1/users?nextLogin=changePassword", body: ann, status: 400, code: "E0000124",
			summary: "Could not create user. To create a user and expire their password immediately, a password must be specified"},
		{name: "expire without activation", method: "POST", path: "/api/v1/users?nextLogin=changePassword&activate=false", body: annWithPassword, status: 400, code: "E0000125",
			summary: `Could not create user. To create a user and expire their password immediately, "activate" must be true`},
		{name: "unknown group at creation", method: "POST", path: "/api/v1/users", body: strings.TrimSuffix(ann, "}") + `,"groupIds":["00gX"]}`,
			status: 404, code: "E0000007", summary: "Not found: Resource not found: 00gX (UserGroup)"},
		{name: "unknown user type", method: "POST", path: "/api/v1/users", body: strings.TrimSuffix(ann, "}") + `,"type":{"id":"otyX"}}`,
			status: 404, code: "E0000007", summary: "Not found: Resource not found: otyX (CVDType)"},
		{name: "group without name", method: "POST", path: "/api/v1/groups", body: `{"profile":{}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: name", causes: []string{"name: The field cannot be left blank"}},
		{name: "duplicate group", method: "POST", path: "/api/v1/groups", body: `{"profile":{"name":"engineering"}}`,
			status: 400, code: "E0000001", summary: "Api validation failed: name",
			causes: []string{"name: An object with this field already exists in the current organization"}},

		{name: "search and filter", method: "GET", path: `/api/v1/users?search=id+pr&filter=status+eq+"ACTIVE"`,
			status: 400, code: "E0000033", summary: "Bad request. Can't specify a search query and filter in the same request."},
		{name: "cursor of another list", method: "GET", path: `/api/v1/users?after=00gX`,
			status: 400, code: "E0000029", summary: "Invalid paging request.", causes: []string{"Invalid cursor."}},
		{name: "cursor in a search", method: "GET", path: `/api/v1/users?after=nonsense&search=id+pr`,
			status: 400, code: "E0000031", summary: "Invalid search criteria.", causes: []string{"Invalid cursor."}},
		{name: "expression not closed", method: "GET", path: `/api/v1/users?search=(status+eq+"ACTIVE"`,
			status: 400, code: "E0000031", summary: "Invalid search criteria.", causes: []string{"search expression, character 20: a parenthesis is not closed"}},
		{name: "attribute that is not there", method: "GET", path: `/api/v1/users?search=profile.shoe+eq+"44"`,
			status: 400, code: "E0000031", summary: "Invalid search criteria.", causes: []string{"profile.shoe eq is not supported here"}},
		{name: "ne", method: "GET", path: `/api/v1/users?search=status+ne+"ACTIVE"`,
			status: 400, code: "E0000031", summary: "Invalid search criteria.", causes: []string{"status ne is not supported here"}},
		{name: "co beyond names", method: "GET", path: `/api/v1/users?search=profile.title+co+"x"`,
			status: 400, code: "E0000031", summary: "Invalid search criteria.", causes: []string{"profile.title co is not supported here"}},
		{name: "sw in a filter", method: "GET", path: `/api/v1/users?filter=profile.login+sw+"x"`,
			status: 400, code: "E0000031", summary: "Invalid search criteria.", causes: []string{"profile.login sw is not supported here"}},
		{name: "no date", method: "GET", path: `/api/v1/users?search=created+gt+"yesterday"`,
			status: 400, code: "E0000031", summary: "Invalid search criteria.",
			causes: []string{`created needs a date in double quotes, such as "2026-01-31T00:00:00.000Z"`}},

		{name: "activate the active", method: "POST", path: "/api/v1/users/me/lifecycle/activate",
			status: 403, code: "E0000016", summary: "Activation failed because the user is already active"},
		{name: "reactivate the active", method: "POST", path: "/api/v1/users/me/lifecycle/reactivate",
			status: 403, code: "E0000038", summary: "This operation is not allowed in the user's current status."},
		{name: "unlock the active", method: "POST", path: "/api/v1/users/me/lifecycle/unlock",
			status: 403, code: "E0000032", summary: "Unlock is not allowed for this user.", causes: []string{"The user is not locked out."}},
		{name: "unsuspend the active", method: "POST", path: "/api/v1/users/me/lifecycle/unsuspend",
			status: 400, code: "E0000001", summary: "Api validation failed: unsuspendUser", causes: []string{"Cannot unsuspend a user that is not suspended"}},
		{name: "suspend the provisioned", method: "POST", path: "/api/v1/users/ingrid.nilsen/lifecycle/suspend",
			status: 400, code: "E0000001", summary: "Api validation failed: suspendUser", causes: []string{"Cannot suspend a user that is not active"}},
		{name: "deactivate twice", method: "POST", path: "/api/v1/users/jonas.weber/lifecycle/deactivate",
			status: 403, code: "E0000038", summary: "This operation is not allowed in the user's current status."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newSeeded(t)
			path := strings.NewReplacer(`"`, "%22", "é", "%C3%A9").Replace(test.path)
			wantProblem(t, b.call(test.method, path, test.body, test.headers...), test.status, test.code, test.summary, test.causes...)
		})
	}
}

// TestRefusedChangesNothing makes sure that a request that fails leaves no trace.
func TestRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	before, err := b.dir.Changes(t.Context(), directory.ChangeQuery{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.ok(404, "POST", "/api/v1/users", strings.TrimSuffix(ann, "}")+`,"groupIds":["`+directory.EngineeringGroup+`","00gX"]}`)
	b.ok(401, "POST", "/api/v1/users", ann, "Authorization", "SSWS bad")
	b.ok(412, "POST", "/api/v1/users/me", `{"profile":{"title":"x"}}`, "If-Match", `"other"`)
	b.ok(404, "GET", "/api/v1/users/ann@example.com", "")
	after, err := b.dir.Changes(t.Context(), directory.ChangeQuery{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before) {
		t.Errorf("the log grew by %d entries: %+v", len(after)-len(before), after[len(before):])
	}
}

// TestCatalogue checks codes, statuses and texts against Okta's own catalogue.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(shared(t), "error-codes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var published struct {
		Errors []struct {
			Code    string `json:"errorCode"`
			Status  int    `json:"statusCode"`
			Summary string `json:"errorSummary"`
		}
	}
	if err := json.Unmarshal(text, &published); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Status  int
		Summary string
	}
	want := map[string]row{}
	for _, e := range published.Errors {
		want[e.Code] = row{e.Status, e.Summary}
	}
	// E0000007's summary goes on with a type, as in every recording.
	want["E0000007"] = row{404, "Not found: Resource not found: {0}"}
	for code, got := range okta.Catalogue() {
		if diff := cmp.Diff(want[code], row{got.Status, got.Summary}); diff != "" {
			t.Errorf("%s: - published + ours\n%s", code, diff)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	for _, a := range []answer{
		b.ok(200, "GET", "/api/v1/users/me", ""), b.ok(404, "GET", "/api/v1/groups/00gX", ""), b.ok(401, "GET", "/api/v1/users", "", "Authorization", ""),
		b.ok(204, "DELETE", "/api/v1/users/me/sessions", ""), b.ok(405, "PUT", "/api/v1/users", ""),
	} {
		for name, want := range map[string]string{
			"Cache-Control": "no-cache, no-store", "Pragma": "no-cache", "Expires": "0", "Date": b.dateOf(a),
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("status %d: %s = %q, want %q", a.status, name, got, want)
			}
		}
		if got := a.header.Get("X-Okta-Request-Id"); len(got) != 32 {
			t.Errorf("status %d: X-Okta-Request-Id = %q, want 32 digits", a.status, got)
		}
		if _, err := strconv.ParseInt(a.header.Get("X-Rate-Limit-Reset"), 10, 64); err != nil {
			t.Errorf("status %d: X-Rate-Limit-Reset: %v", a.status, err)
		}
		wantType := "application/json"
		if a.status == 204 {
			wantType = ""
		}
		if got := a.header.Get("Content-Type"); got != wantType {
			t.Errorf("status %d: Content-Type = %q, want %q", a.status, got, wantType)
		}
	}
}

// dateOf checks that an answer's Date can be read by clients and is the
// clock's, give or take the calls since.
func (b *bench) dateOf(a answer) string {
	b.t.Helper()
	at, err := http.ParseTime(a.header.Get("Date"))
	if err != nil || b.clock.Now().Sub(at) > time.Minute {
		b.t.Errorf("Date = %q: %v", a.header.Get("Date"), err)
	}
	return a.header.Get("Date")
}

func TestFindUser(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	b.user(`{"profile":{"firstName":"Ada","lastName":"Two","email":"a@example.org","login":"bruno.keller@example.org"}}`, "")
	b.user(`{"profile":{"firstName":"Zoë","lastName":"Q","email":"z@example.org","login":"zoë/q?@example.org"}}`, "")
	tests := []struct{ ref, login string }{
		{"me", "ada.min@example.com"},
		{directory.Administrator, "ada.min@example.com"},
		{"ada.min@example.com", "ada.min@example.com"},
		{"ADA.Min%40Example.com", "ada.min@example.com"},
		{"ada.min", "ada.min@example.com"},
		{"bruno.keller", ""}, // two logins start so
		{"bruno", ""},
		{"zoe%2Fq%3F@example.org", "zoë/q?@example.org"},
	}
	for _, test := range tests {
		a := b.call("GET", "/api/v1/users/"+test.ref, "")
		if test.login == "" {
			if a.status != 404 {
				t.Errorf("GET %s = %d, want 404", test.ref, a.status)
			}
			continue
		}
		if a.status != 200 || a.object(t)["profile"].(map[string]any)["login"] != test.login {
			t.Errorf("GET %s = %d %s, want %s", test.ref, a.status, a.body, test.login)
		}
	}
}

func TestMeWithoutAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wantProblem(t, b.call("GET", "/api/v1/users/me", ""), 404, "E0000007", "Not found: Resource not found: me (User)")
}

// TestCreate covers the table of statuses after creation.
func TestCreate(t *testing.T) {
	t.Parallel()
	const federated = `{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann@example.com","login":"ann@example.com"},` +
		`"credentials":{"provider":{"type":"FEDERATION","name":"FEDERATION"}}}`
	tests := []struct {
		body, query                string
		status                     string
		activated, passwordChanged bool
	}{
		{ann, "?activate=false", "STAGED", false, false},
		{ann, "", "PROVISIONED", true, false},
		{annWithPassword, "?activate=false", "STAGED", false, true},
		{annWithPassword, "?activate=true", "ACTIVE", true, true},
		{annWithPassword, "?nextLogin=changePassword", "PASSWORD_EXPIRED", true, true},
		{federated, "?provider=true", "ACTIVE", true, false},
		{federated, "?provider=true&activate=false", "STAGED", false, false},
	}
	for _, test := range tests {
		b := newBench(t)
		o := b.ok(200, "POST", "/api/v1/users"+test.query, test.body).object(t)
		if o["status"] != test.status || o["activated"] != nil != test.activated || o["passwordChanged"] != nil != test.passwordChanged {
			t.Errorf("POST %s %s = %v activated %v passwordChanged %v, want %s", test.query, test.body, o["status"], o["activated"], o["passwordChanged"], test.status)
		}
		if strings.Contains(fmt.Sprint(o), "Sesame") {
			t.Errorf("the answer shows the password: %v", o)
		}
	}
}

func TestPasswordNeverShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.user(annWithPassword, "")
	b.ok(200, "POST", "/api/v1/users/"+id, `{"credentials":{"password":{"value":"Sesame4me"},"recovery_question":{"question":"Why?","answer":"Because Sesame"}}}`)
	changes, err := b.dir.Changes(t.Context(), directory.ChangeQuery{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	all := string(text) + b.ok(200, "GET", "/api/v1/users/"+id, "").body + b.ok(200, "GET", "/api/v1/users", "").body
	for _, secret := range []string{"Sesame", "sesame", "hashed:"} {
		if strings.Contains(all, secret) {
			t.Errorf("answers or log contain %q", secret)
		}
	}
	if !strings.Contains(all, `"recovery_question":{"question":"Why?"}`) {
		t.Error("the recovery question is not shown")
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	profile := func(a answer) map[string]any { return a.object(t)["profile"].(map[string]any) }
	me := "/api/v1/users/me"

	got := profile(b.ok(200, "POST", me, `{"profile":{"nickName":"Ad","title":null}}`))
	if got["nickName"] != "Ad" || got["department"] != "IT" {
		t.Errorf("POST: profile = %v, want the nickname added and the department kept", got)
	}
	if _, ok := got["title"]; ok {
		t.Errorf("POST: profile = %v, want the title erased by null", got)
	}
	got = profile(b.ok(200, "PUT", me, `{"profile":{"firstName":"Ada","lastName":"Min","email":"ada.min@example.com","login":"ada.min@example.com","mobilePhone":null}}`))
	want := map[string]any{"firstName": "Ada", "lastName": "Min", "email": "ada.min@example.com", "login": "ada.min@example.com", "mobilePhone": nil, "secondEmail": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PUT: profile: - want + got\n%s", diff)
	}
	wantProblem(t, b.call("PUT", me, `{"profile":{"firstName":"Ada"}}`), 400, "E0000001", "Api validation failed: login",
		"login: The field cannot be left blank", "lastName: The field cannot be left blank", "email: The field cannot be left blank")
	wantProblem(t, b.call("POST", me, `{"profile":{"login":"bruno.keller@example.com"}}`), 400, "E0000001", "Api validation failed: login",
		"login: An object with this field already exists in the current organization")

	gone := b.ok(200, "POST", "/api/v1/users/jonas.weber", `{"profile":{"title":"Boss"}}`)
	if profile(gone)["title"] != "Contractor" {
		t.Errorf("the profile of a deprovisioned user was changed: %s", gone.body)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	me := "/api/v1/users/me"
	etag := b.ok(200, "GET", me, "").header.Get("Etag")
	if len(etag) != len(`W/""`)+64 || !strings.HasPrefix(etag, `W/"`) {
		t.Fatalf("Etag = %s, want a weak tag of 64 digits", etag)
	}
	tests := []struct {
		name, header, code string
		status             int
	}{
		{"same", etag, "", 200},
		{"same, not weak", strings.TrimPrefix(etag, "W/"), "", 200},
		{"one of several", `"x", ` + etag, "", 200},
		{"any", "*", "", 200},
		{"other", `W/"x"`, "E0000231", 412},
		{"no quotes", "x", "E0000242", 400},
		{"open quote", `W/"x`, "E0000242", 400},
	}
	for _, test := range tests {
		a := b.call("POST", me, `{"credentials":{"recovery_question":{"question":"Q","answer":"A"}}}`, "If-Match", test.header)
		if a.status != test.status || !strings.Contains(a.body, test.code) {
			t.Errorf("%s: If-Match %s = %d %s, want %d %s", test.name, test.header, a.status, a.body, test.status, test.code)
		}
	}
	if again := b.ok(200, "GET", me, "").header.Get("Etag"); again != etag {
		t.Errorf("Etag = %s after a change beside the profile, want %s as before", again, etag)
	}
	b.ok(200, "POST", me, `{"profile":{"title":"Boss"}}`, "If-Match", etag)
	b.ok(412, "PUT", me, `{"profile":{"title":"Boss"}}`, "If-Match", etag)
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	path := "/api/v1/users/00u0amara0okafor01d7"
	b.ok(204, "DELETE", path, "")
	if got := b.ok(200, "GET", path, "").object(t)["status"]; got != "DEPROVISIONED" {
		t.Errorf("after the first DELETE the user is %v, want DEPROVISIONED", got)
	}
	b.ok(204, "DELETE", path, "")
	b.ok(404, "GET", path, "")
	b.ok(404, "DELETE", path, "")

	old := newSeeded(t, func(o *okta.Options) { o.DeleteStatus = 202 })
	old.ok(202, "DELETE", path, "")
}

// TestLinks covers the links of each status that recordings do not reach.
func TestLinks(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	tests := []struct{ user, status, want string }{
		{"hugo.lefevre", "SUSPENDED", "schema unsuspend self resetFactors type deactivate"},
		{"jonas.weber", "DEPROVISIONED", "schema activate self resetFactors type delete"},
		{"me", "ACTIVE", "suspend schema resetPassword forgotPassword expirePassword changeRecoveryQuestion self resetFactors type changePassword deactivate"},
	}
	for _, test := range tests {
		a := b.ok(200, "GET", "/api/v1/users/"+test.user, "")
		var o struct {
			Status string
			Links  json.RawMessage `json:"_links"`
		}
		if err := json.Unmarshal([]byte(a.body), &o); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(keys(t, string(o.Links)), " "); o.Status != test.status || got != test.want {
			t.Errorf("%s is %s with links %s, want %s with %s", test.user, o.Status, got, test.status, test.want)
		}
	}
	a := b.ok(200, "GET", "/api/v1/users/me", "", "Content-Type", "application/json; okta-response=omitCredentials,omitCredentialsLinks")
	if strings.Contains(a.body, `"credentials"`) || strings.Contains(a.body, "changePassword") || !strings.Contains(a.body, "lifecycle/suspend") {
		t.Errorf("with okta-response the answer is %s, want neither credentials nor their links", a.body)
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.user(ann, "?activate=false")
	path := "/api/v1/users/" + id
	step := func(op, query, wantBody, wantStatus string) answer {
		t.Helper()
		a := b.ok(200, "POST", path+"/lifecycle/"+op+query, "")
		if wantBody != "" && a.body != wantBody {
			t.Errorf("%s = %s, want %s", op, a.body, wantBody)
		}
		if got := b.ok(200, "GET", path, "").object(t)["status"]; got != wantStatus {
			t.Errorf("after %s the user is %v, want %s", op, got, wantStatus)
		}
		return a
	}
	token := func(a answer, prefix string) {
		t.Helper()
		o := a.object(t)
		url, _ := o["activationUrl"].(string)
		if got, _ := o["activationToken"].(string); len(got) != 20 || url != org+"/tokens/"+got+"/verify" {
			t.Errorf("%s: %s, want a token of 20 characters and its address", prefix, a.body)
		}
	}
	token(step("activate", "?sendEmail=false", "", "PROVISIONED"), "activate")
	step("reactivate", "?sendEmail=true", "{}", "PROVISIONED")
	token(step("reactivate", "", "", "PROVISIONED"), "reactivate") // its default sends no mail
	b.ok(200, "POST", path, `{"credentials":{"password":{"value":"Sesame4you"}}}`)
	step("suspend", "", "{}", "SUSPENDED")
	step("unsuspend", "", "{}", "ACTIVE")
	step("reset_factors", "", "{}", "ACTIVE")
	a := step("reset_password", "?sendEmail=false", "", "RECOVERY")
	if url, _ := a.object(t)["resetPasswordUrl"].(string); !strings.HasPrefix(url, org+"/reset_password/") {
		t.Errorf("reset_password = %s, want the address", a.body)
	}
	step("reset_password", "", "{}", "RECOVERY")
	b.ok(200, "POST", path, `{"credentials":{"password":{"value":"Sesame4me"}}}`)
	a = step("expire_password", "", "", "PASSWORD_EXPIRED")
	if a.object(t)["status"] != "PASSWORD_EXPIRED" {
		t.Errorf("expire_password = %s, want the user", a.body)
	}
	step("deactivate", "", "{}", "DEPROVISIONED")
	if c := b.ok(200, "GET", path, "").object(t)["credentials"].(map[string]any); c["password"] != nil {
		t.Errorf("credentials = %v, want no password after deactivation", c)
	}
	step("activate", "", "{}", "PROVISIONED")
}

func TestMemberships(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	id := b.user(strings.TrimSuffix(ann, "}")+`,"groupIds":["`+directory.EngineeringGroup+`"]}`, "")
	names := func() []string {
		return b.ok(200, "GET", "/api/v1/users/"+id+"/groups", "").list(t, "profile", "name")
	}
	if diff := cmp.Diff([]string{"Engineering", "Everyone"}, names()); diff != "" {
		t.Errorf("groups after creation: - want + got\n%s", diff)
	}
	sales := "/api/v1/groups/00g0sales000000001d7"
	updated := func() any { return b.ok(200, "GET", sales, "").object(t)["lastMembershipUpdated"] }
	before := updated()
	for range 2 {
		b.ok(204, "PUT", sales+"/users/"+id, "")
	}
	b.ok(204, "PUT", sales+"/users/ann@example.com", "") // a login works as well
	if updated() == before {
		t.Error("lastMembershipUpdated did not move")
	}
	if diff := cmp.Diff([]string{"Engineering", "Everyone", "Sales"}, names()); diff != "" {
		t.Errorf("groups after PUT: - want + got\n%s", diff)
	}
	for range 2 {
		b.ok(204, "DELETE", sales+"/users/"+id, "")
	}
	if diff := cmp.Diff([]string{"Engineering", "Everyone"}, names()); diff != "" {
		t.Errorf("groups after DELETE: - want + got\n%s", diff)
	}
	if got := b.ok(200, "GET", "/api/v1/groups/"+everyone+"/users", "").list(t, "id"); len(got) != 12 {
		t.Errorf("Everyone has %d members, want 12", len(got))
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wantProblem(t, b.call("POST", "/api/v1/groups", `{"profile":{"name":"Ops","cost":5}}`), 400, "E0000001", "Api validation failed: newGroup",
		"Property name 'cost' is not defined in profile")
	b.ok(200, "POST", "/api/v1/meta/schemas/group/default", `{"definitions":{"custom":{"properties":{"cost":{"title":"Cost","type":"integer"}}}}}`)
	created := b.ok(200, "POST", "/api/v1/groups", `{"profile":{"name":"Ops","cost":5,"description":null}}`)
	id := created.object(t)["id"].(string)
	if !strings.Contains(created.body, `"profile":{"name":"Ops","description":null,"cost":5}`) {
		t.Errorf("POST = %s, want name, null description, custom attribute", created.body)
	}
	replaced := b.ok(200, "PUT", "/api/v1/groups/"+id, `{"profile":{"name":"Operations"}}`).object(t)
	if diff := cmp.Diff(map[string]any{"name": "Operations", "description": nil}, replaced["profile"]); diff != "" {
		t.Errorf("PUT: profile: - want + got\n%s", diff)
	}
	if replaced["lastUpdated"] == replaced["created"] || replaced["lastMembershipUpdated"] != replaced["created"] {
		t.Errorf("PUT = %v, want that lastUpdated moved and lastMembershipUpdated did not", replaced)
	}
	b.ok(204, "DELETE", "/api/v1/groups/"+id, "")
	b.ok(404, "GET", "/api/v1/groups/"+id, "")
	b.ok(404, "DELETE", "/api/v1/groups/"+id, "")
}

// TestMount makes sure that a real server speaks the same, with paths encoded
// and host taken from the request.
func TestMount(t *testing.T) {
	t.Parallel()
	b := newSeeded(t, func(o *okta.Options) { o.BaseURL = "" })
	mux := http.NewServeMux()
	b.api.Mount(mux)
	b.api = nil
	r, err := http.NewRequest("GET", "http://localhost:8481/api/v1/users/ada.min%40example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	w := httptest.NewRecorder()
	webtest.Okta(t).Handler(t, mux).ServeHTTP(w, r)
	if want := `"self":{"href":"http://localhost:8481/api/v1/users/` + directory.Administrator + `"}`; w.Code != 200 || !strings.Contains(w.Body.String(), want) {
		t.Errorf("answer = %d %s, want %s", w.Code, w.Body, want)
	}
}

// FuzzIfMatch makes sure that no header crashes, and that only tags that are
// written in full match.
func FuzzIfMatch(f *testing.F) {
	const tag = `W/"abc"`
	for _, seed := range []string{tag, `"abc"`, `"x", W/"abc"`, `*`, ``, `W/`, `"`, `""`, `,`, `W/"a"bc"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		ok, err := okta.Matches(header, tag)
		if ok && err == nil && strings.TrimSpace(header) != "*" && !strings.Contains(header, `"abc"`) {
			t.Errorf("%q matches %s", header, tag)
		}
	})
}
