package auth0_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	tenants "github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

// held are the sorts of what a browser or client holds of a user.
var held = []directory.Noun{
	directory.SessionNoun, directory.BrowserNoun, directory.GrantNoun, directory.RefreshTokenNoun, directory.CodeNoun,
}

// hold gives a client and a browser one of each sort.
func (b *bench) hold(client, account string) {
	b.t.Helper()
	b.update(func(tx directory.Tx) error {
		for i, noun := range held {
			s := &stay{
				Meta: directory.Meta{ID: fmt.Sprintf("%s-%s-%d", account, client, i), Realm: directory.Auth0Realm}, noun: noun, client: client,
				account: account, Expires: b.clock.Now().Add(time.Hour),
			}
			if err := b.dir.PutObject(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// records counts what a query finds.
func (b *bench) records(q directory.RecordQuery) (n int) {
	b.t.Helper()
	q.Realm = directory.Auth0Realm
	err := b.dir.Store.View(b.t.Context(), func(r directory.Reader) error {
		for _, err := range r.Records(q) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// holdings is how much is held of a user.
func (b *bench) holdings(account string) (n int) {
	b.t.Helper()
	for _, noun := range held {
		n += b.records(directory.RecordQuery{Noun: noun, Subject: account})
	}
	return n
}

// Blocking ends sessions and tokens, and unblocking does not bring them back.
func TestBlockingEndsWhatIsHeld(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann, bob := b.user("ann@example.com"), b.user("bob@example.com")
	b.hold("portal", ann)
	b.hold("portal", bob)
	path := "/api/v2/users/" + url.PathEscape(ann)
	b.ok(200, "PATCH", path, `{"blocked":false}`)
	if n := b.holdings(ann); n != len(held) {
		t.Fatalf("%d held of somebody who is not blocked", n)
	}
	b.ok(200, "PATCH", path, `{"blocked":true}`)
	b.ok(200, "PATCH", path, `{"blocked":false}`)
	if n, others := b.holdings(ann), b.holdings(bob); n != 0 || others != len(held) {
		t.Errorf("%d held of who was blocked, %d of another, want 0 and %d", n, others, len(held))
	}
}

// What a client holds ends with it, and so do its grants.
func TestDeletedClient(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann := b.user("ann@example.com")
	client := b.ok(201, "POST", "/api/v2/clients", `{"name":"robot","app_type":"non_interactive","grant_types":["client_credentials"]}`).object(t)
	id, _ := client["client_id"].(string)
	secretText, _ := client["client_secret"].(string)
	b.ok(201, "POST", "/api/v2/client-grants", `{"client_id":"`+id+`","audience":"`+audience+`","scope":["read:users"]}`)
	b.hold(id, ann)
	b.hold("other", ann)
	all := b.token
	b.token = b.login(id, secretText)
	b.ok(200, "GET", "/api/v2/users", "")
	robot := b.token
	b.token = all
	b.ok(204, "DELETE", "/api/v2/clients/"+id, "")
	b.ok(401, "GET", "/api/v2/users", "", "Authorization", "Bearer "+robot)
	b.ok(401, "POST", "/oauth/token", `{"grant_type":"client_credentials","client_id":"`+id+`","client_secret":"`+secretText+`","audience":"`+audience+`"}`)
	for _, noun := range []directory.Noun{directory.ClientGrantNoun, directory.GrantNoun, directory.RefreshTokenNoun, directory.CodeNoun} {
		if n := b.records(directory.RecordQuery{Noun: noun, Parent: id}); n != 0 {
			t.Errorf("%d of %q are left", n, noun)
		}
	}
	if n := b.records(directory.RecordQuery{Noun: directory.RefreshTokenNoun, Parent: "other"}); n != 1 {
		t.Errorf("%d tokens of another client, want 1", n)
	}
}

// Nothing is left of a user that was deleted.
func TestDeletedUser(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann := b.user("ann@example.com")
	path := "/api/v2/users/" + url.PathEscape(ann)
	role, _ := b.ok(200, "POST", "/api/v2/roles", `{"name":"reader"}`).object(t)["id"].(string)
	org, _ := b.ok(201, "POST", "/api/v2/organizations", `{"name":"acme"}`).object(t)["id"].(string)
	b.ok(201, "POST", "/api/v2/resource-servers", `{"identifier":"https://api.example.com","scopes":[{"value":"read"}]}`)
	b.ok(204, "POST", path+"/roles", `{"roles":["`+role+`"]}`)
	b.ok(201, "POST", path+"/permissions", `{"permissions":[{"resource_server_identifier":"https://api.example.com","permission_name":"read"}]}`)
	b.ok(204, "POST", "/api/v2/organizations/"+org+"/members", `{"members":["`+ann+`"]}`)
	b.ok(204, "POST", "/api/v2/organizations/"+org+"/members/"+url.PathEscape(ann)+"/roles", `{"roles":["`+role+`"]}`)
	b.hold("portal", ann)
	b.ok(204, "DELETE", path, "")
	if n := b.holdings(ann); n != 0 {
		t.Errorf("%d sessions and tokens are left", n)
	}
	for _, noun := range []directory.Noun{directory.RoleMemberNoun, directory.UserPermissionNoun, directory.OrgMemberNoun, directory.OrgMemberRoleNoun} {
		if n := b.records(directory.RecordQuery{Noun: noun, Subject: ann}); n != 0 {
			t.Errorf("%d of %q are left", n, noun)
		}
	}
	for _, list := range []string{"/api/v2/roles/" + role + "/users", "/api/v2/organizations/" + org + "/members"} {
		if a := b.ok(200, "GET", list, ""); strings.TrimSpace(a.body) != "[]" {
			t.Errorf("%s: %s", list, a.body)
		}
	}
}

// together sends calls at the same time and counts the statuses. It does not move
// the clock.
func (b *bench) together(calls ...[3]string) map[int]int {
	b.t.Helper()
	counts := map[int]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, c := range calls {
		group.Go(func() {
			a := b.call(c[0], c[1], c[2])
			mu.Lock()
			defer mu.Unlock()
			counts[a.status]++
		})
	}
	group.Wait()
	return counts
}

// Of things with the same name that are made at the same time, there is one.
func TestSameNameAtTheSameTime(t *testing.T) {
	t.Parallel()
	const n = 50
	for path, test := range map[string]struct {
		body string
		made int
	}{
		"/users":            {newUser("ann@example.com"), 201},
		"/roles":            {`{"name":"reader"}`, 200},
		"/organizations":    {`{"name":"acme"}`, 201},
		"/connections":      {`{"name":"work","strategy":"okta","options":{"domain":"acme.okta.com"}}`, 201},
		"/resource-servers": {`{"identifier":"https://api.example.com"}`, 201},
	} {
		b := newBench(t)
		calls := make([][3]string, n)
		for i := range calls {
			calls[i] = [3]string{"POST", "/api/v2" + path, test.body}
		}
		if got := b.together(calls...); got[test.made] != 1 || got[http.StatusConflict] != n-1 {
			t.Errorf("%s: %v, want one %d and the rest 409", path, got, test.made)
		}
	}
}

// What somebody is given while it goes is given before it goes, or refused.
func TestGivenWhileItGoes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var users []string
	for i := range 10 {
		users = append(users, b.user(fmt.Sprintf("user%d@example.com", i)))
	}
	role, _ := b.ok(200, "POST", "/api/v2/roles", `{"name":"reader"}`).object(t)["id"].(string)
	org, _ := b.ok(201, "POST", "/api/v2/organizations", `{"name":"acme"}`).object(t)["id"].(string)
	var calls [][3]string
	for i, u := range users {
		calls = append(calls,
			[3]string{"POST", "/api/v2/users/" + url.PathEscape(u) + "/roles", `{"roles":["` + role + `"]}`},
			[3]string{"POST", "/api/v2/organizations/" + org + "/members", `{"members":["` + u + `"]}`})
		if i == 4 {
			calls = append(calls, [3]string{"DELETE", "/api/v2/roles/" + role, ""}, [3]string{"DELETE", "/api/v2/organizations/" + org, ""})
		}
	}
	for status, n := range b.together(calls...) {
		if status != 200 && status != 204 && status != 404 {
			t.Errorf("%d answers are %d", n, status)
		}
	}
	for noun, parent := range map[directory.Noun]string{directory.RoleMemberNoun: role, directory.OrgMemberNoun: org} {
		if n := b.records(directory.RecordQuery{Noun: noun, Parent: parent}); n != 0 {
			t.Errorf("%d of %q are left", n, noun)
		}
	}
}

// importUsers asks for an import into the database and returns the job.
func (b *bench) importUsers(users string) string {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("users", "users.json")
	if err != nil {
		b.t.Fatal(err)
	}
	fmt.Fprint(file, users)
	if err := errors.Join(form.WriteField("connection_id", b.connection(database)), form.Close()); err != nil {
		b.t.Fatal(err)
	}
	made := b.ok(202, "POST", "/api/v2/jobs/users-imports", body.String(), "Content-Type", form.FormDataContentType()).object(b.t)
	if made["status"] != "pending" || made["summary"] != nil {
		b.t.Errorf("the answer is %v, want it pending", made)
	}
	id, _ := made["id"].(string)
	return id
}

// What went wrong in an import says nothing of the secrets that it had.
func TestImportKeepsNoSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.importUsers(`[{"email":"a@example.com","password":"marker-1"},{"email":"b","password_hash":"marker-2"},` +
		`{"email":"c","custom_password_hash":{"hash":{"value":"marker-3"}}},{"email":"d","mfa_factors":[{"totp":{"secret":"marker-4"}}]}]`)
	a := b.ok(200, "GET", "/api/v2/jobs/"+id+"/errors", "")
	if strings.Count(a.body, `"email"`) < 4 || strings.Contains(a.body, "marker") {
		t.Errorf("the errors: %s", a.body)
	}
}

// An import goes on when its request is over. One that the process did not get to
// finish has failed.
func TestImportInBackground(t *testing.T) {
	t.Parallel()
	var work []func(context.Context)
	b := newBench(t, func(o *auth0.Options) { o.Background = func(do func(context.Context)) { work = append(work, do) } })
	var jobs []string
	for _, name := range []string{"a", "b", "c"} {
		jobs = append(jobs, b.importUsers(`[{"email":"`+name+`@example.com"}]`))
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	work[0](t.Context())
	work[1](over)
	states := func() (out []any) {
		for _, id := range jobs {
			o := b.ok(200, "GET", "/api/v2/jobs/"+id, "").object(t)
			inserted := any(nil)
			if sum, ok := o["summary"].(map[string]any); ok {
				inserted = fmt.Sprint(sum["inserted"], " of ", sum["total"])
			}
			out = append(out, o["status"], inserted)
		}
		return out
	}
	if diff := cmp.Diff([]any{"completed", "1 of 1", "failed", "0 of 1", "pending", nil}, states()); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	for name, there := range map[string]bool{"a": true, "b": false, "c": false} {
		if got := b.ok(200, "GET", "/api/v2/users-by-email?email="+name+"@example.com", "").body != "[]"; got != there {
			t.Errorf("%s is there: %t, want %t", name, got, there)
		}
	}
	if err := tenants.New(b.dir, directory.Auth0Realm).AbandonJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"completed", "1 of 1", "failed", "0 of 1", "failed", nil}, states()); diff != "" {
		t.Errorf("jobs after the process ended (-want +got):\n%s", diff)
	}
}

// connection returns the id of a connection by its name.
func (b *bench) connection(name string) string {
	b.t.Helper()
	ids := b.ok(200, "GET", "/api/v2/connections?include_totals=true&name="+name, "").ids(b.t, "connections", "id")
	if len(ids) != 1 {
		b.t.Fatalf("%d connections are called %s", len(ids), name)
	}
	return ids[0]
}

// A search that takes too long is refused, whatever it is of.
func TestSearchTakesTooLong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.user("ann@example.com")
	b.api.LimitSearch(time.Nanosecond)
	const text = "The query exceeded the timeout. Please try refining your search criteria. See https://auth0.com/docs/best-practices/search-best-practices."
	b.call("GET", "/api/v2/users?q=name:*ann*", "").refuse(t, 503, text, "query_timeout")
	b.call("GET", "/api/v2/logs?q=type:s*", "").refuse(t, 503, text, "query_timeout")
	b.api.LimitSearch(time.Hour)
	b.ok(200, "GET", "/api/v2/users?q=name:*ann*", "")
}

// A connection goes with all of its users at once, and with its SCIM tokens.
// TestDescribedConnection makes sure that a new connection keeps what its
// provider says, and comes to be where the provider says nothing.
func TestDescribedConnection(t *testing.T) {
	t.Parallel()
	var asked []string
	var said map[string]any
	b := newBench(t, func(o *auth0.Options) {
		o.Describe = func(_ context.Context, address string) (map[string]any, error) {
			asked = append(asked, address)
			if said == nil {
				return nil, errors.New("cut off")
			}
			return maps.Clone(said), nil
		}
	})
	create := func(name, strategy, options string) map[string]any {
		t.Helper()
		c := b.ok(201, "POST", "/api/v2/connections", `{"name":"`+name+`","strategy":"`+strategy+`","options":`+options+`}`).object(t)
		return c["options"].(map[string]any)
	}
	okta := create("cut-off", "okta", `{"domain":"acme.okta.com"}`)["oidc_metadata"].(map[string]any)
	if okta["token_endpoint"] != "https://acme.okta.com/oauth2/v1/token" {
		t.Errorf("metadata = %v, want what every org says", okta)
	}
	said = map[string]any{"issuer": "https://acme.example", "token_endpoint": "https://acme.example/t"}
	oidc := create("open", "oidc", `{"discovery_url":"https://acme.example/d","token_endpoint":null,"jwks_uri":"https://acme.example/k"}`)
	want := map[string]any{
		"issuer": "https://acme.example", "token_endpoint": "https://acme.example/t", "claims_parameter_supported": false,
		"request_parameter_supported": false, "request_uri_parameter_supported": false, "require_request_uri_registration": false,
	}
	if diff := cmp.Diff(want, oidc["oidc_metadata"]); diff != "" || oidc["token_endpoint"] != "https://acme.example/t" || oidc["jwks_uri"] != "https://acme.example/k" {
		t.Errorf("options = %v, metadata:\n%s", oidc, diff)
	}
	create("known", "oidc", `{"discovery_url":"https://acme.example/d","oidc_metadata":{"issuer":"https://acme.example"}}`)
	create("none", "oidc", `{"issuer":"https://acme.example"}`)
	create("database", "auth0", `{}`)
	said = map[string]any{"keys": []any{map[string]any{"x5t": strings.Repeat("_", 26) + "8"}, map[string]any{"kid": "bare"}, map[string]any{"x5t": "c2hvcnQ"}}}
	entra := create("entra", "waad", `{"tenant_domain":"acme.onmicrosoft.com"}`)
	if diff := cmp.Diff([]any{strings.Repeat("f", 40)}, entra["thumbprints"]); diff != "" || entra["app_domain"] != "example.eu.auth0.com" {
		t.Errorf("options = %v, thumbprints:\n%s", entra, diff)
	}
	if diff := cmp.Diff([]string{
		"https://acme.okta.com/.well-known/openid-configuration", "https://acme.example/d",
		"https://login.microsoftonline.com/acme.onmicrosoft.com/discovery/v2.0/keys",
	}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestDeletedConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, _ := b.ok(201, "POST", "/api/v2/connections", `{"name":"work","strategy":"okta","options":{"domain":"acme.okta.com","client_secret":"hush"}}`).object(t)["id"].(string)
	b.ok(201, "POST", "/api/v2/connections/"+id+"/scim-configuration", "")
	b.ok(201, "POST", "/api/v2/connections/"+id+"/scim-configuration/tokens", "")
	org, _ := b.ok(201, "POST", "/api/v2/organizations", `{"name":"acme"}`).object(t)["id"].(string)
	b.ok(201, "POST", "/api/v2/organizations/"+org+"/connections", `{"connection_id":"`+id+`"}`)
	const people = 300
	b.update(func(tx directory.Tx) error {
		for i := range people {
			a := &directory.Account{
				ID: fmt.Sprintf("okta|work|%d", i), Realm: directory.Auth0Realm, Connection: "work",
				Provider: directory.Provider{Type: "okta", Name: "work"}, Profile: map[string]any{"email": fmt.Sprintf("user%d@example.com", i)},
				Resource: map[string]any{"userName": fmt.Sprintf("user%d", i), "externalId": fmt.Sprint(i)},
			}
			if err := b.dir.CreateConnected(tx, directory.System("test"), a); err != nil {
				return err
			}
		}
		return nil
	})
	ann := b.user("ann@example.com")
	b.ok(202, "DELETE", "/api/v2/connections/"+id, "")
	for _, noun := range []directory.Noun{directory.SCIMConfigNoun, directory.SCIMTokenNoun, directory.TenantKeyNoun} {
		if n := b.records(directory.RecordQuery{Noun: noun, Parent: id}); n != 0 {
			t.Errorf("%d of %q are left", n, noun)
		}
	}
	if n := b.records(directory.RecordQuery{Noun: directory.OrgConnectionNoun, Parent: org}); n != 0 {
		t.Errorf("%d connections of the organization are left", n)
	}
	if a := b.ok(200, "GET", "/api/v2/users?include_totals=true", "").object(t); a["total"] != 1.0 {
		t.Errorf("%v users are left, want %s only", a["total"], ann)
	}
}
