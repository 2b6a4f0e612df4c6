package okta_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// source makes a Custom Identity Source application whose people nobody has to
// confirm, and returns its path.
func (b *bench) source() string {
	b.t.Helper()
	app := b.sourceApp()
	b.ok(200, "PUT", "/api/v1/apps/"+app+"/features/INBOUND_PROVISIONING", `{"importRules":{"userCreateAndMatch":{
		"autoConfirmExactMatch":true,"autoConfirmNewUsers":true,"autoActivateNewUsers":true}}}`)
	return "/api/v1/identity-sources/" + app
}

func (b *bench) sourceApp() string {
	b.t.Helper()
	return b.ok(200, "POST", "/api/v1/apps", `{"name":"custom_identity_source","label":"HR"}`).object(b.t)["id"].(string)
}

const noSession = "apsnothing00000001d7"

// usersBody is a bulk request about n people.
func usersBody(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"externalId":"E%d","profile":{"userName":"p%d@example.com","email":"p%d@example.com","firstName":"P","lastName":"%d"}}`, i, i, i, i)
	}
	return `{"entityType":"USERS","profiles":[` + strings.Join(list, ",") + `]}`
}

func TestImportSessionLifeCycle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	status := func(path string) any {
		t.Helper()
		return b.ok(200, "GET", path, "").object(t)["status"]
	}
	session := b.ok(201, "POST", source+"/sessions", "").object(t)
	if session["status"] != "CREATED" || session["importType"] != "INCREMENTAL" || !strings.HasPrefix(session["id"].(string), "aps") {
		t.Fatalf("session %v", session)
	}
	path := source + "/sessions/" + session["id"].(string)
	wantProblem(t, b.call("POST", path+"/start-import", ""), 400, "E0000001", "Api validation failed: importSessionId", "Only a session that is in IN_PROGRESS status can be triggered.")
	wantProblem(t, b.call("POST", source+"/sessions", ""), 400, "E0000001", "Api validation failed: identitySourceId", "Only one active import session per identity source is allowed to be created every 5 minutes.")
	if a := b.ok(202, "POST", path+"/bulk-upsert", usersBody(2)); a.body != "" {
		t.Errorf("bulk-upsert answers %q", a.body)
	}
	if got := status(path); got != "IN_PROGRESS" {
		t.Errorf("after a load: %v", got)
	}
	wantProblem(t, b.call("POST", source+"/sessions", ""), 400, "E0000001", "Api validation failed: identitySourceId", "Only one active import session per identity source is allowed to be created every 5 minutes.")
	if got := b.ok(200, "POST", path+"/start-import", "").object(t)["status"]; got != "TRIGGERED" {
		t.Errorf("after start-import: %v", got)
	}
	wantProblem(t, b.call("DELETE", path, ""), 400, "E0000001", "Api validation failed: importSessionId", "Only a session that is in CREATED or IN_PROGRESS status can be canceled.")
	wantProblem(t, b.call("POST", path+"/bulk-upsert", usersBody(1)), 400, "E0000001", "Api validation failed: importSessionId", "Only a session that is in CREATED or IN_PROGRESS status can be loaded with data.")

	b.clock.Step(5 * time.Minute)
	second := b.ok(201, "POST", source+"/sessions", "").object(t)["id"].(string)
	if got := b.ok(200, "GET", source+"/sessions", "").list(t, "status"); !cmp.Equal(got, []string{"CREATED", "TRIGGERED"}) {
		t.Errorf("sessions: %v", got)
	}
	b.ok(204, "DELETE", source+"/sessions/"+second, "")
	if got := status(source + "/sessions/" + second); got != "CLOSED" {
		t.Errorf("cancelled: %v", got)
	}
	if got := b.ok(200, "GET", source+"/sessions", "").list(t, "status"); len(got) != 1 {
		t.Errorf("a closed session is listed: %v", got)
	}
}

// The statuses of the description come with a switch.
func TestSourceStatusesByDescription(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *okta.Options) { o.SourceStatuses = okta.SourceStatuses{CreateSession: 200, DeleteGroup: 204} })
	source := b.source()
	b.ok(200, "POST", source+"/sessions", "")
	b.ok(200, "POST", source+"/groups", `{"externalId":"G","profile":{"displayName":"G"}}`)
	b.ok(204, "DELETE", source+"/groups/G", "")
}

// An org without the feature says so as Okta does (okta.md 1.2).
func TestWithoutIdentitySources(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *okta.Options) { o.Sources = nil })
	app := b.sourceApp()
	wantProblem(t, b.call("GET", "/api/v1/identity-sources/"+app+"/sessions", ""), 401, "E0000015",
		"You do not have permission to access the feature you are requesting")
}

func TestBulkLoads(t *testing.T) {
	t.Parallel()
	const (
		user        = `{"externalId":"E1","profile":{"userName":"a@example.com"}}`
		blank       = ": The field cannot be left blank"
		notRead     = "The request body was not well-formed."
		long        = ": The field is too long"
		wrong       = ": The field has an invalid value"
		tooMany     = ": The field has too many items, the maximum is 200"
		failed      = "Api validation failed: "
		withoutText = ""
		unknown     = "taken, and of no effect" // okta.md 3.2: the session stays as it is
	)
	users := func(entries string) string { return `{"entityType":"USERS","profiles":[` + entries + `]}` }
	x := func(n int) string { return strings.Repeat("x", n) }
	ids := func(n int) string { return strings.TrimSuffix(strings.Repeat(`"g",`, n), ",") }
	tests := []struct {
		name, load, body string
		summary          string // of the refusal; empty: taken
		cause            string
	}{
		{"a user", "bulk-upsert", users(user), "", ""},
		{"200 users", "bulk-upsert", usersBody(200), "", ""},
		{"201 users", "bulk-upsert", usersBody(201), failed + "profiles", "profiles" + tooMany},
		{"200 KB", "bulk-upsert", users(user) + strings.Repeat(" ", 200*1024-len(users(user))), "", ""},
		{"a byte more than 200 KB", "bulk-upsert", users(user) + strings.Repeat(" ", 200*1024-len(users(user))+1), notRead, withoutText},
		{"no body", "bulk-upsert", "", notRead, withoutText},
		{"null", "bulk-upsert", "null", notRead, withoutText},
		{"no type", "bulk-upsert", `{"profiles":[` + user + `]}`, notRead, withoutText},
		{"another type", "bulk-upsert", `{"entityType":"GROUPS","profiles":[` + user + `]}`, notRead, withoutText},
		{"no profiles", "bulk-upsert", `{"entityType":"USERS"}`, failed + "profiles", "profiles" + blank},
		{"empty profiles", "bulk-upsert", users(""), failed + "profiles", "profiles" + blank},
		{"profiles that are no list", "bulk-upsert", `{"entityType":"USERS","profiles":{}}`, notRead, withoutText},
		{"an entry that is no object", "bulk-upsert", users(`"E1"`), notRead, withoutText},
		{"no external id", "bulk-upsert", users(`{"profile":{"userName":"a"}}`), failed + "externalId", "externalId" + blank},
		{"an external id of 512", "bulk-upsert", users(`{"externalId":"` + x(512) + `","profile":{}}`), "", ""},
		{"an external id of 513", "bulk-upsert", users(`{"externalId":"` + x(513) + `","profile":{}}`), failed + "externalId", "externalId" + long},
		{"no profile", "bulk-upsert", users(`{"externalId":"E1"}`), failed + "profile", "profile" + blank},
		{"an attribute that is not there", "bulk-upsert", users(`{"externalId":"E1","profile":{"shoe":"44"}}`), failed + "newUser", "Property name 'shoe' is not defined in profile"},
		{"an attribute that is no text", "bulk-upsert", users(`{"externalId":"E1","profile":{"firstName":7}}`), failed + "firstName", "firstName" + wrong},
		{"an attribute that is a list", "bulk-upsert", users(`{"externalId":"E1","profile":{"firstName":["A"]}}`), failed + "firstName", "firstName" + wrong},
		{"an attribute that is unset", "bulk-upsert", users(`{"externalId":"E1","profile":{"firstName":null}}`), "", ""},
		{"a name that is too long", "bulk-upsert", users(`{"externalId":"E1","profile":{"firstName":"` + x(51) + `"}}`), failed + "firstName", "firstName" + long},
		{"a user name that is too long", "bulk-upsert", users(`{"externalId":"E1","profile":{"userName":"` + x(101) + `"}}`), failed + "userName", "userName" + long},

		{"a user to delete", "bulk-delete", users(`{"externalId":"E1"}`), unknown, ""},
		{"201 to delete", "bulk-delete", usersBody(201), failed + "profiles", "profiles" + tooMany},
		{"nobody to delete", "bulk-delete", users(""), failed + "profiles", "profiles" + blank},
		{"without an id to delete", "bulk-delete", users(`{}`), failed + "externalId", "externalId" + blank},

		{"a group", "bulk-groups-upsert", `{"profiles":[{"externalId":"G","profile":{"displayName":"G","description":null}}]}`, "", ""},
		{"no group", "bulk-groups-upsert", `{"profiles":[]}`, failed + "profiles", "profiles" + blank},
		{"a group without a name", "bulk-groups-upsert", `{"profiles":[{"externalId":"G","profile":{}}]}`, failed + "displayName", "displayName" + blank},
		{"a group's id of 256", "bulk-groups-upsert", `{"profiles":[{"externalId":"` + x(256) + `","profile":{"displayName":"G"}}]}`, failed + "externalId", "externalId" + long},
		{"a name of 255", "bulk-groups-upsert", `{"profiles":[{"externalId":"G","profile":{"displayName":"` + x(255) + `"}}]}`, "", ""},
		{"a name of 256", "bulk-groups-upsert", `{"profiles":[{"externalId":"G","profile":{"displayName":"` + x(256) + `"}}]}`, failed + "displayName", "displayName" + long},
		{"a description of 1025", "bulk-groups-upsert", `{"profiles":[{"externalId":"G","profile":{"displayName":"G","description":"` + x(1025) + `"}}]}`, failed + "description", "description" + long},
		{"an attribute that groups lack", "bulk-groups-upsert", `{"profiles":[{"externalId":"G","profile":{"displayName":"G","x":"y"}}]}`, failed + "newGroup", "Property name 'x' is not defined in profile"},

		{"200 groups to delete", "bulk-groups-delete", `{"externalIds":[` + ids(200) + `]}`, unknown, ""},
		{"201 groups to delete", "bulk-groups-delete", `{"externalIds":[` + ids(201) + `]}`, failed + "externalIds", "externalIds" + tooMany},
		{"no groups to delete", "bulk-groups-delete", `{}`, failed + "externalIds", "externalIds" + blank},
		{"a group's id that is no text", "bulk-groups-delete", `{"externalIds":[7]}`, notRead, withoutText},

		{"memberships", "bulk-group-memberships-upsert", `{"memberships":[{"groupExternalId":"G","memberExternalIds":["E1","E2"]}]}`, "", ""},
		{"no memberships", "bulk-group-memberships-upsert", `{"memberships":[]}`, failed + "memberships", "memberships" + blank},
		{"memberships of nothing", "bulk-group-memberships-upsert", `{"memberships":[{"memberExternalIds":["E1"]}]}`, failed + "groupExternalId", "groupExternalId" + blank},
		{"members that are no list", "bulk-group-memberships-upsert", `{"memberships":[{"groupExternalId":"G","memberExternalIds":"E1"}]}`, notRead, withoutText},
		{"memberships that end", "bulk-group-memberships-delete", `{"memberships":[{"groupExternalId":"G","memberExternalIds":["E1"]}]}`, unknown, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			source := b.source()
			path := source + "/sessions/" + b.ok(201, "POST", source+"/sessions", "").object(t)["id"].(string)
			a := b.call("POST", path+"/"+tt.load, tt.body)
			state := "IN_PROGRESS"
			switch {
			case (tt.summary == "" || tt.summary == unknown) && (a.status != 202 || a.body != ""):
				t.Errorf("%d %s", a.status, a.body)
			case tt.summary == unknown:
				state = "CREATED"
			case tt.summary == notRead:
				wantProblem(t, a, 400, "E0000003", notRead)
				state = "CREATED"
			case tt.summary != "":
				wantProblem(t, a, 400, "E0000001", tt.summary, tt.cause)
				state = "CREATED"
			}
			if got := b.ok(200, "GET", path, "").object(t)["status"]; got != state {
				t.Errorf("the session is %v, want %s", got, state)
			}
		})
	}
}

func TestFiftyRequestsPerSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	path := source + "/sessions/" + b.ok(201, "POST", source+"/sessions", "").object(t)["id"].(string)
	for range 50 {
		b.ok(202, "POST", path+"/bulk-upsert", usersBody(1))
	}
	wantProblem(t, b.call("POST", path+"/bulk-upsert", usersBody(1)), 400, "E0000001", "Api validation failed: importSessionId", "Only 50 bulk requests are allowed in an import session.")
}

func TestSourceErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	bookmark := b.ok(200, "POST", "/api/v1/apps", `{"signOnMode":"BOOKMARK","label":"B","settings":{"app":{"url":"https://example.com/"}}}`).object(t)["id"].(string)
	const person = `{"externalId":"E1","profile":{"userName":"a@example.com","email":"a@example.com","firstName":"A","lastName":"B"}}`
	b.ok(200, "POST", source+"/users", person)
	b.ok(200, "POST", source+"/groups", `{"externalId":"G1","profile":{"displayName":"G"}}`)
	for _, tt := range []struct {
		method, path, body string
		status             int
		code, summary      string
		causes             []string
	}{
		{"GET", "/api/v1/identity-sources/0oanothing000001d7/sessions", "", 404, "E0000007", "Not found: Resource not found: 0oanothing000001d7 (AppInstance)", nil},
		{"POST", "/api/v1/identity-sources/" + bookmark + "/sessions", "", 404, "E0000007", "Not found: Resource not found: " + bookmark + " (AppInstance)", nil},
		{"GET", source + "/sessions/" + noSession, "", 400, "E0000001", "Api validation failed: importSessionId", []string{"The import session ID is invalid."}},
		{"DELETE", source + "/sessions/" + noSession, "", 400, "E0000001", "Api validation failed: importSessionId", []string{"The import session ID is invalid."}},
		{"POST", source + "/sessions/" + noSession + "/start-import", "", 400, "E0000001", "Api validation failed: importSessionId", []string{"The import session ID is invalid."}},
		{"POST", source + "/sessions/" + noSession + "/bulk-upsert", "", 400, "E0000001", "Api validation failed: importSessionId", []string{"The import session ID is invalid."}},
		{"GET", source + "/users/nobody", "", 404, "E0000007", "Not found: Resource not found: nobody (AppUser)", nil},
		{"DELETE", source + "/users/nobody", "", 404, "E0000007", "Not found: Resource not found: nobody (AppUser)", nil},
		{"PUT", source + "/users/nobody", `{"profile":{"userName":"a@example.com","email":"a@example.com"}}`, 404, "E0000007", "Not found: Resource not found: nobody (AppUser)", nil},
		{"POST", source + "/users", person, 400, "E0000001", "Api validation failed: externalId", []string{"externalId: An object with this field already exists in the current organization"}},
		{"POST", source + "/users", `{"externalId":"E2","profile":{}}`, 400, "E0000001", "Api validation failed: userName", []string{"userName: The field cannot be left blank", "email: The field cannot be left blank"}},
		{"PATCH", source + "/users/E1", `{"profile":{"firstName":"A"}}`, 400, "E0000001", "Api validation failed: userName", []string{"userName: The field cannot be left blank", "email: The field cannot be left blank"}},
		{"PUT", source + "/users/E1", `{"externalId":"E2","profile":{"userName":"a@example.com","email":"a@example.com"}}`, 403, "E0000078", "Cannot modify the externalId attribute because it is immutable.", nil},
		{"GET", source + "/groups/nothing", "", 404, "E0000007", "Not found: Resource not found: nothing (UserGroup)", nil},
		{"POST", source + "/groups", `{"externalId":"G1","profile":{"displayName":"G"}}`, 400, "E0000001", "Api validation failed: externalId", []string{"externalId: An object with this field already exists in the current organization"}},
		{"POST", source + "/groups/G1", `{"externalId":"G2","profile":{"displayName":"G"}}`, 403, "E0000078", "Cannot modify the externalId attribute because it is immutable.", nil},
		{"GET", source + "/groups/nothing/membership", "", 404, "E0000007", "Not found: Resource not found: nothing (UserGroup)", nil},
		{"POST", source + "/groups/G1/membership", `{}`, 400, "E0000001", "Api validation failed: memberExternalId", []string{"memberExternalId: The field cannot be left blank"}},
		{"GET", source + "/groups/G1/membership?after=***", "", 400, "E0000029", "Invalid paging request.", []string{"Invalid cursor."}},
		{"GET", source + "/groups/G1/membership?limit=-1", "", 400, "E0000001", "Api validation failed: limit", []string{"limit: The field has an invalid value"}},
		{"PUT", source + "/sessions", "", 405, "E0000022", "The endpoint does not support the provided HTTP method", nil},
		{"GET", source + "/devices", "", 404, "E0000008", "The requested path was not found", nil},
	} {
		t.Run(tt.method+" "+strings.TrimPrefix(tt.path, source), func(t *testing.T) {
			wantProblem(t, b.call(tt.method, tt.path, tt.body), tt.status, tt.code, tt.summary, tt.causes...)
		})
	}
}

func TestSourceUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	if a := b.ok(200, "POST", source+"/users", `{"externalId":"a/b c","profile":{"userName":"a@example.com","email":"a@example.com","firstName":"Ann","lastName":"Lee"}}`); a.body != "" {
		t.Errorf("POST /users answers %q, the description has no body", a.body)
	}
	path := source + "/users/a%2Fb%20c"
	person := b.ok(200, "GET", path, "")
	if diff := cmp.Diff([]string{"id", "externalId", "created", "lastUpdated", "profile"}, keys(t, person.body)); diff != "" {
		t.Error(diff)
	}
	profile := func(a answer) string {
		t.Helper()
		var o struct{ Profile json.RawMessage }
		if err := json.Unmarshal([]byte(a.body), &o); err != nil {
			t.Fatal(err)
		}
		return string(o.Profile)
	}
	want := `{"firstName":"Ann","lastName":"Lee","mobilePhone":null,"secondEmail":null,"userName":"a@example.com","email":"a@example.com"}`
	if got := profile(person); got != want {
		t.Errorf("profile %s, want %s", got, want)
	}
	want = strings.Replace(want, `"mobilePhone":null`, `"mobilePhone":"1-555"`, 1)
	if got := profile(b.ok(200, "PATCH", path, `{"profile":{"userName":"a@example.com","email":"a@example.com","mobilePhone":"1-555"}}`)); got != want {
		t.Errorf("PATCH: %s, want %s", got, want)
	}
	want = strings.NewReplacer(`"1-555"`, "null", "Lee", "Li").Replace(want)
	if got := profile(b.ok(200, "PUT", path, `{"externalId":"a/b c","profile":{"userName":"a@example.com","email":"a@example.com","firstName":"Ann","lastName":"Li"}}`)); got != want {
		t.Errorf("PUT: %s, want %s", got, want)
	}
	b.ok(204, "DELETE", path, "")
	b.ok(404, "GET", path, "")
}

// The Okta API changes nothing of a person whose profile a source decides, but for
// attributes that Okta decides itself.
func TestSourcedProfile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok(200, "POST", "/api/v1/meta/schemas/user/default", `{"definitions":{"custom":{"properties":{"badge":{"title":"Badge","type":"string","master":{"type":"OKTA"}}}}}}`)
	source := b.source()
	b.ok(200, "POST", source+"/users", `{"externalId":"1","profile":{"userName":"ann@example.com","email":"ann@example.com","firstName":"Ann","lastName":"Lee"}}`)
	const user = "/api/v1/users/ann@example.com"
	b.ok(200, "POST", user, `{"profile":{"title":"Dr"}}`) // the source does not source people yet
	app := "/api/v1/apps/" + strings.TrimPrefix(source, "/api/v1/identity-sources/")
	b.ok(200, "PUT", app, `{"name":"custom_identity_source","label":"HR","features":["PROFILE_MASTERING"]}`)
	for _, body := range []string{`{"profile":{"firstName":"Eve"}}`, `{"profile":{"title":null}}`} {
		wantProblem(t, b.call("POST", user, body), 403, "E0000023", "Operation failed because user profile is mastered under another system")
	}
	b.ok(200, "POST", user, `{"profile":{"firstName":"Ann","badge":"77"}}`)
	b.ok(200, "PUT", source+"/users/1", `{"profile":{"userName":"ann@example.com","email":"ann@example.com","firstName":"Eve","lastName":"Lee"}}`)
	b.ok(200, "POST", app+"/lifecycle/deactivate", "")
	b.ok(200, "POST", user, `{"profile":{"firstName":"Ann"}}`)
}

func TestSourceMembers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	group := b.ok(200, "POST", source+"/groups", `{"externalId":"G","profile":{"displayName":"G"}}`).object(t)["id"].(string)
	for i := range 5 {
		b.ok(200, "POST", source+"/users", fmt.Sprintf(`{"externalId":"E/%d","profile":{"userName":"p%d@example.com","email":"p%d@example.com","firstName":"P","lastName":"Q"}}`, i, i, i))
		b.ok(204, "POST", source+"/groups/G/membership", fmt.Sprintf(`{"memberExternalId":"E/%d"}`, i))
	}
	var got []any
	path, pages := source+"/groups/"+group+"/membership?limit=2", 0
	for path != "" {
		a := b.ok(200, "GET", path, "")
		got = append(got, a.object(t)["memberExternalIds"].([]any)...)
		path, pages = "", pages+1
		for _, link := range a.header.Values("Link") {
			if next, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
				path = strings.TrimPrefix(next, "<"+org)
			}
		}
	}
	if diff := cmp.Diff([]any{"E/0", "E/1", "E/2", "E/3", "E/4"}, got); diff != "" || pages != 3 {
		t.Errorf("%d pages: %s", pages, diff)
	}
	b.ok(204, "DELETE", source+"/groups/G/membership/E%2F0", "")
	if got := b.ok(200, "GET", source+"/groups/G/membership", "").object(t)["memberExternalIds"].([]any); len(got) != 4 {
		t.Errorf("members %v", got)
	}
}

// The eight attributes of the seed's first step can be loaded once the profile of
// the application has them.
func TestSourceSchema(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	app := strings.TrimPrefix(source, "/api/v1/identity-sources/")
	schema := "/api/v1/meta/schemas/apps/" + app + "/default"
	person := `{"externalId":"E1","profile":{"userName":"a@example.com","email":"a@example.com","firstName":"A","lastName":"B","title":"Boss"}}`
	wantProblem(t, b.call("POST", source+"/users", person), 400, "E0000001", "Api validation failed: newUser", "Property name 'title' is not defined in profile")
	var properties []string
	for _, name := range []string{"title", "displayName", "primaryPhone", "zipCode", "streetAddress", "city", "state", "countryCode"} {
		properties = append(properties, fmt.Sprintf(`%q:{"title":%q,"type":"string"}`, name, name))
	}
	got := b.ok(200, "POST", schema, `{"definitions":{"custom":{"properties":{`+strings.Join(properties, ",")+`}}}}`)
	if custom := custom(got.body); custom == nil || len(custom.keys) != 8 {
		t.Fatalf("the schema is %s", got.body)
	}
	b.ok(200, "POST", source+"/users", person)
	if profile := b.ok(200, "GET", source+"/users/E1", "").object(t)["profile"].(map[string]any); profile["title"] != "Boss" || len(profile) != 14 {
		t.Errorf("profile %v", profile)
	}
	wantProblem(t, b.call("POST", schema, `{"definitions":{"custom":{"properties":{"age":{"title":"Age","type":"integer"}}}}}`),
		400, "E0000001", "Api validation failed: age", "age: The field has an invalid value")
	b.ok(200, "POST", schema, `{"definitions":{"custom":{"properties":{"title":null}}}}`)
	b.ok(400, "POST", source+"/users", strings.Replace(person, "E1", "E2", 1))
	b.ok(404, "GET", "/api/v1/meta/schemas/apps/0oanothing000001d7/default", "")

	// What is mapped follows the profile; the mapping leads to the org's people.
	mapping := b.ok(200, "GET", "/api/v1/mappings?sourceId="+app, "").list(t, "id")
	if len(mapping) != 1 {
		t.Fatalf("mappings %v", mapping)
	}
	rows := b.ok(200, "GET", "/api/v1/mappings/"+mapping[0], "").object(t)["properties"].(map[string]any)
	if want := map[string]any{"expression": "appuser.zipCode", "pushStatus": "PUSH"}; !cmp.Equal(rows["zipCode"], any(want)) || rows["title"] != nil || rows["userName"] != nil {
		t.Errorf("mapping %v", rows)
	}
	change := `{"properties":{"department":{"expression":"appuser.city","pushStatus":"DONT_PUSH"},"zipCode":null}}`
	rows = b.ok(200, "POST", "/api/v1/mappings/"+mapping[0], change).object(t)["properties"].(map[string]any)
	if want := map[string]any{"expression": "appuser.city", "pushStatus": "DONT_PUSH"}; !cmp.Equal(rows["department"], any(want)) || rows["zipCode"] != nil {
		t.Errorf("mapping %v", rows)
	}
	b.ok(400, "POST", "/api/v1/mappings/"+mapping[0], `{"properties":{"shoe":{"expression":"appuser.city"}}}`)
	if got := b.ok(200, "GET", "/api/v1/mappings?targetId="+app, "").list(t, "id"); len(got) != 0 {
		t.Errorf("mappings to the source: %v", got)
	}
	b.ok(200, "POST", "/api/v1/apps/"+app+"/lifecycle/deactivate", "")
	b.ok(204, "DELETE", "/api/v1/apps/"+app, "")
	b.ok(404, "GET", schema, "")
}

// Attributes that stand in lanyard.yaml are there beside those of the schema, and
// answers have all of them in one order.
func TestAttributesOfSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	app := strings.TrimPrefix(source, "/api/v1/identity-sources/")
	b.settings(app, func(s *importer.Source) {
		s.Settings.Attributes = []string{"shoe", "badge"}
		s.Settings.Profile = map[string]reconcile.Term{"firstName": "First", "lastName": "Last", "email": "Mail", "badge": "Badge", "desk": "Desk", "hat": "Hat"}
	})
	b.ok(200, "POST", "/api/v1/meta/schemas/apps/"+app+"/default", `{"definitions":{"custom":{"properties":{"city":{"title":"City","type":"string"}}}}}`)
	b.ok(200, "POST", source+"/users", `{"externalId":"E1","profile":{"userName":"a@example.com","email":"a@example.com","firstName":"A","lastName":"B","city":"Oslo","badge":"7"}}`)
	if got := b.ok(200, "GET", source+"/users/E1", "").body; !strings.Contains(got, `"city":"Oslo","badge":"7","desk":null,"hat":null,"shoe":null}`) {
		t.Error(got)
	}
	wantProblem(t, b.call("POST", source+"/users", `{"externalId":"E2","profile":{"userName":"b@example.com","hat":7,"desk":8,"badge":9}}`), 400, "E0000001", "Api validation failed: badge",
		"badge: The field has an invalid value", "desk: The field has an invalid value", "hat: The field has an invalid value")
	b.ok(200, "POST", "/api/v1/meta/schemas/apps/"+app+"/default", `{"definitions":{"custom":{"properties":{"city":null}}}}`)
	b.ok(400, "POST", source+"/users", `{"externalId":"E2","profile":{"userName":"b@example.com","email":"b@example.com","city":"Oslo"}}`)
}

// What a source brings to a tenant is changed in sessions only.
func TestSourceOfATenant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source := b.source()
	b.settings(strings.TrimPrefix(source, "/api/v1/identity-sources/"), func(s *importer.Source) {
		s.To = &reconcile.Target{Connection: "okta", Source: "HR"}
	})
	for path, body := range map[string]string{
		"/users":  `{"externalId":"E1","profile":{"userName":"a@example.com","email":"a@example.com","firstName":"A","lastName":"B"}}`,
		"/groups": `{"externalId":"G1","profile":{"displayName":"G"}}`,
	} {
		if a := b.call("POST", source+path, body); a.status != 400 || !strings.Contains(a.body, "gets whole sessions only") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// settings changes an identity source as lanyard.yaml does.
func (b *bench) settings(source string, change func(*importer.Source)) {
	b.t.Helper()
	s, err := b.imports.Source(b.t.Context(), source)
	if err != nil {
		b.t.Fatal(err)
	}
	change(s)
	if _, err := b.imports.PutSource(b.t.Context(), directory.Actor{}, s.Label, s); err != nil {
		b.t.Fatal(err)
	}
}

func TestInboundProvisioning(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	app := b.sourceApp()
	path := "/api/v1/apps/" + app + "/features"
	rules := func(a answer) map[string]any {
		t.Helper()
		var o struct {
			Capabilities struct {
				ImportSettings map[string]any
				ImportRules    struct{ UserCreateAndMatch map[string]any }
			}
		}
		if err := json.Unmarshal([]byte(a.body), &o); err != nil {
			t.Fatal(err)
		}
		out := o.Capabilities.ImportRules.UserCreateAndMatch
		out["username"] = o.Capabilities.ImportSettings["username"]
		return out
	}
	if got := b.ok(200, "GET", path, "").list(t, "name"); !cmp.Equal(got, []string{"INBOUND_PROVISIONING"}) {
		t.Fatalf("features %v", got)
	}
	path += "/INBOUND_PROVISIONING"
	want := map[string]any{ // recorded defaults: okta.md 3.3
		"exactMatchCriteria": "USERNAME", "allowPartialMatch": true, "autoConfirmPartialMatch": false, "autoConfirmExactMatch": false,
		"autoConfirmNewUsers": false, "autoActivateNewUsers": false,
		"username": map[string]any{"userNameFormat": "CUSTOM", "userNameExpression": "appuser.userName"},
	}
	if diff := cmp.Diff(want, rules(b.ok(200, "GET", path, ""))); diff != "" {
		t.Error(diff)
	}
	got := rules(b.ok(200, "PUT", path, `{"importRules":{"userCreateAndMatch":{"exactMatchCriteria":"EMAIL","autoConfirmExactMatch":true,"autoConfirmNewUsers":true,"autoActivateNewUsers":true}},
		"importSettings":{"username":{"usernameFormat":"EMAIL"},"schedule":{"status":"DISABLED"}}}`))
	want["exactMatchCriteria"], want["autoConfirmExactMatch"], want["autoConfirmNewUsers"], want["autoActivateNewUsers"] = "EMAIL", true, true, true
	want["username"] = map[string]any{"userNameFormat": "EMAIL"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, body := range map[string]string{
		"a criterion":  `{"importRules":{"userCreateAndMatch":{"exactMatchCriteria":"SHOE"}}}`,
		"a format":     `{"importSettings":{"username":{"usernameFormat":"SHOE"}}}`,
		"no expressio": `{"importSettings":{"username":{"usernameFormat":"CUSTOM"}}}`,
		"a schedule":   `{"importSettings":{"schedule":{"status":"ENABLED","fullImport":{"expression":"0 0 * * *"}}}}`,
		"no flag":      `{"importRules":{"userCreateAndMatch":{"allowPartialMatch":"yes"}}}`,
	} {
		if a := b.call("PUT", path, body); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if diff := cmp.Diff(want, rules(b.ok(200, "GET", path, ""))); diff != "" {
		t.Errorf("what was refused has an effect: %s", diff)
	}
	b.ok(404, "GET", "/api/v1/apps/"+app+"/features/USER_PROVISIONING", "")
}

// What is loaded becomes people, groups and memberships, the system log tells of
// it (okta.md 3.3), and who is deleted is deactivated where the source may do so.
func TestImportThroughTheAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	app := b.ok(200, "POST", "/api/v1/apps", `{"name":"custom_identity_source","label":"HR","features":["IMPORT_NEW_USERS","PROFILE_MASTERING"]}`).object(t)["id"].(string)
	b.ok(200, "PUT", "/api/v1/apps/"+app+"/features/INBOUND_PROVISIONING", `{"importRules":{"userCreateAndMatch":{"autoConfirmExactMatch":true,"autoConfirmNewUsers":true,"autoActivateNewUsers":true}}}`)
	source := "/api/v1/identity-sources/" + app
	run := func(loads ...string) {
		t.Helper()
		path := source + "/sessions/" + b.ok(201, "POST", source+"/sessions", "").object(t)["id"].(string)
		for _, load := range loads {
			name, body, _ := strings.Cut(load, " ")
			b.ok(202, "POST", path+"/"+name, body)
		}
		b.ok(200, "POST", path+"/start-import", "")
		if err := b.imports.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.ok(200, "GET", path, "").object(t)["status"]; got != "COMPLETED" {
			t.Fatalf("the session is %v", got)
		}
	}
	run("bulk-upsert "+usersBody(12), `bulk-groups-upsert {"profiles":[{"externalId":"G","profile":{"displayName":"Sourced"}}]}`,
		`bulk-group-memberships-upsert {"memberships":[{"groupExternalId":"G","memberExternalIds":["E0","E1"]}]}`)
	user := b.ok(200, "GET", "/api/v1/users/p0@example.com", "").object(t)
	if user["status"] != "PROVISIONED" {
		t.Errorf("status %v", user["status"])
	}
	group := b.ok(200, "GET", source+"/groups/G", "").object(t)["id"].(string)
	if got := b.ok(200, "GET", "/api/v1/groups/"+group+"/users", "").list(t, "profile", "login"); len(got) != 2 {
		t.Errorf("members %v", got)
	}
	if got := b.ok(200, "GET", "/api/v1/groups/"+group, "").object(t)["type"]; got != "APP_GROUP" {
		t.Errorf("the group is a %v", got)
	}
	assigned := b.ok(200, "GET", "/api/v1/apps/"+app+"/users/"+user["id"].(string), "").object(t)
	if assigned["externalId"] != "E0" {
		t.Errorf("app user %v", assigned)
	}
	run(`bulk-delete {"entityType":"USERS","profiles":[{"externalId":"E0"}]}`)
	if got := b.ok(200, "GET", "/api/v1/users/"+user["id"].(string), "").object(t)["status"]; got != "DEPROVISIONED" {
		t.Errorf("after bulk-delete: %v", got)
	}
	seen := map[string]bool{}
	for _, kind := range b.ok(200, "GET", "/api/v1/logs?limit=1000", "").list(t, "eventType") {
		seen[kind] = true
	}
	for _, kind := range []string{
		"system.import.session.created", "system.import.session.triggered", "system.import.start", "system.import.complete",
		"system.identity_sources.bulk_upsert", "system.identity_sources.bulk_delete", "system.identity_sources.bulk_group_upsert",
		"system.identity_sources.bulk_group_membership_upsert", "system.import.user.create", "system.import.group.create",
	} {
		if !seen[kind] {
			t.Errorf("the log lacks %s", kind)
		}
	}

	// A session that nobody loads for a day is over (okta.md 3.2).
	path := source + "/sessions/" + b.ok(201, "POST", source+"/sessions", "").object(t)["id"].(string)
	b.clock.Step(24 * time.Hour)
	if got := b.ok(200, "GET", path, "").object(t)["status"]; got != "EXPIRED" {
		t.Errorf("after a day: %v", got)
	}
	if err := b.imports.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.ok(200, "GET", `/api/v1/logs?filter=eventType+eq+"system.import.session.expired"`, "").list(t, "eventType"); len(got) != 1 {
		t.Errorf("expired: %v", got)
	}
	b.ok(201, "POST", source+"/sessions", "")
}

// A token has 15 calls a minute on identity sources (okta.md 1.5, observed).
func TestSourceRateLimit(t *testing.T) {
	t.Parallel()
	enforce := false
	b := newBench(t, func(o *okta.Options) {
		o.Limits = func() okta.LimitPolicy { return okta.LimitPolicy{Enforce: enforce} }
	})
	source := b.source()
	enforce = true
	for n := range 15 {
		if a := b.ok(200, "GET", source+"/sessions", ""); a.header.Get("X-Rate-Limit-Limit") != "15" || a.header.Get("X-Rate-Limit-Remaining") != fmt.Sprint(14-n) {
			t.Fatalf("call %d: %v", n, a.header)
		}
	}
	wantProblem(t, b.call("POST", source+"/users", "{}"), 429, "E0000047", "API call exceeded rate limit due to too many requests.")
	b.clock.Step(time.Minute)
	b.ok(200, "GET", source+"/sessions", "")
}

// Who administers applications administers identity sources, within the
// applications that the role is for.
func TestSourceRoles(t *testing.T) {
	t.Parallel()
	b := newAuth(t)
	source, other := b.source(), b.source()
	client := b.service("", "okta.identitySources.manage")
	for role, want := range map[string][2]int{
		"SUPER_ADMIN": {200, 201}, "APP_ADMIN": {200, 201}, "ORG_ADMIN": {200, 403}, "READ_ONLY_ADMIN": {200, 403},
		"USER_ADMIN": {403, 403}, "HELP_DESK_ADMIN": {403, 403},
	} {
		b.roles[client] = []string{role}
		token := []string{"Authorization", "Bearer " + b.serviceToken(client, "okta.identitySources.manage")}
		if a := b.call("GET", source+"/sessions", "", token...); a.status != want[0] {
			t.Errorf("%s: GET %d %s", role, a.status, a.body)
		}
		a := b.call("POST", source+"/sessions", "", token...)
		if a.status != want[1] {
			t.Errorf("%s: POST %d %s", role, a.status, a.body)
		}
		if a.status == 201 {
			b.ok(204, "DELETE", source+"/sessions/"+a.object(t)["id"].(string), "")
		}
	}
	b.ok(200, "GET", other+"/sessions", "")
}

// FuzzBulkLoad reads any body as each of the loads: it is taken, or refused in
// Okta's words.
func FuzzBulkLoad(f *testing.F) {
	for _, body := range []string{
		usersBody(2), `{"entityType":"USERS","profiles":[{"externalId":"E","profile":{"firstName":null,"x":[]}}]}`,
		`{"profiles":[{"externalId":"G","profile":{"displayName":"G","description":7}}]}`, `{"externalIds":["G",null]}`,
		`{"memberships":[{"groupExternalId":"G","memberExternalIds":["E",{}]}]}`, `{"profiles":{}}`, `[]`, `{"entityType":["USERS"]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := value.Decode([]byte(body))
		o, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		before := value.Clone(o)
		for load, code := range okta.ReadLoads(o) {
			if code != "" && code != "E0000001" && code != "E0000003" {
				t.Errorf("%s: %s", load, code)
			}
		}
		if !value.Equal(before, any(o)) {
			t.Errorf("the body was changed: %v", o)
		}
	})
}
