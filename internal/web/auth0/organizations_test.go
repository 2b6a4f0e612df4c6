package auth0_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	tenants "github.com/lanyard-id/lanyard/internal/tenant"
)

// made creates an object and returns its id.
func (b *bench) made(path, body string) string {
	b.t.Helper()
	a := b.call("POST", path, body)
	if a.status != 200 && a.status != 201 {
		b.t.Fatalf("POST %s = %d %s", path, a.status, a.body)
	}
	o := a.object(b.t)
	for _, key := range []string{"user_id", "id", "client_id"} {
		if id, ok := o[key].(string); ok {
			return id
		}
	}
	b.t.Fatalf("POST %s has no id: %s", path, a.body)
	return ""
}

func (b *bench) user(email string) string { return b.made("/api/v2/users", newUser(email)) }

// refuse makes sure that an answer is an error of the Management API.
func (a answer) refuse(t *testing.T, status int, message, code string) {
	t.Helper()
	got := a.object(t)
	if a.status != status || got["message"] != message || got["errorCode"] != orNil(code) || got["statusCode"] != float64(status) {
		t.Errorf("answer %d %s\nwant %d %q %q", a.status, a.body, status, message, code)
	}
}

func orNil(code string) any {
	if code == "" {
		return nil
	}
	return code
}

// ids returns a member of the objects of a list, which is the answer or in it.
func (a answer) ids(t *testing.T, list, member string) []string {
	t.Helper()
	out := []string{}
	rows, _ := a.object(t)[list].([]any)
	for _, row := range rows {
		id, _ := row.(map[string]any)[member].(string)
		out = append(out, id)
	}
	return out
}

// lists are the lists of the API with a path and what they call their rows.
func lists(user, org, role string) map[string]string {
	u, o := "/api/v2/users/"+url.PathEscape(user), "/api/v2/organizations/"+org
	return map[string]string{
		"/api/v2/users": "users", "/api/v2/roles": "roles", "/api/v2/organizations": "organizations", "/api/v2/groups": "groups",
		"/api/v2/roles/" + role + "/users": "users", "/api/v2/roles/" + role + "/permissions": "permissions",
		u + "/roles": "roles", u + "/permissions": "permissions", u + "/organizations": "organizations", u + "/groups": "groups",
		u + "/authentication-methods": "authenticators",
		o + "/members":                "members", o + "/members/" + url.PathEscape(user) + "/roles": "roles",
		o + "/enabled_connections": "enabled_connections", o + "/connections": "connections",
		o + "/invitations": "invitations", o + "/client-grants": "client_grants",
	}
}

// TestListsRefuseBadParameters sends every list what it cannot read.
func TestListsRefuseBadParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user, org, role := b.user("ann@example.com"), b.made("/api/v2/organizations", `{"name":"acme"}`), b.made("/api/v2/roles", `{"name":"admin"}`)
	b.ok(204, "POST", "/api/v2/organizations/"+org+"/members", `{"members":["`+user+`"]}`)
	for path := range lists(user, org, role) {
		for query, want := range map[string]string{
			"page=-1":            "Query validation error: 'Value -1 is less than minimum 0' on property page (Page index of the results to return. First page is 0).",
			"page=one":           "Query validation error: 'Expected type integer but found type string' on property page (Page index of the results to return. First page is 0).",
			"per_page=101":       "'Value 101 is greater than maximum 100' on property per_page (Number of results per page",
			"per_page=1e3":       "'Expected type integer but found type string' on property per_page",
			"include_totals=yes": "'Expected type boolean but found type string' on property include_totals (Return results inside an object that contains the total result count (true) or as a direct array of results (false, default)).",
		} {
			a := b.call("GET", path+"?"+query, "")
			if message, _ := a.object(t)["message"].(string); a.status != 400 || !strings.Contains(message, want) {
				t.Errorf("GET %s?%s = %d %s\nwant 400 with %s", path, query, a.status, a.body, want)
			}
		}
		if path == "/api/v2/users" {
			continue
		}
		if a := b.call("GET", path+"?per_page=0", ""); a.status != 400 || !strings.Contains(a.body, "Value 0 is less than minimum 1") {
			t.Errorf("GET %s?per_page=0 = %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{
		"/api/v2/organizations", "/api/v2/groups", "/api/v2/roles/" + role + "/users", "/api/v2/organizations/" + org + "/members",
		"/api/v2/organizations/" + org + "/discovery-domains", "/api/v2/users/" + url.PathEscape(user) + "/sessions",
		"/api/v2/users/" + url.PathEscape(user) + "/refresh-tokens", "/api/v2/users/" + url.PathEscape(user) + "/connected-accounts",
	} {
		for query, want := range map[string]string{
			"take=0":               "Query validation error: 'Value 0 is less than minimum 1' on property take",
			"take=101":             "Query validation error: 'Value 101 is greater than maximum 100' on property take",
			"take=2&from=nonsense": "Query validation error: 'Invalid checkpoint' on property from (Optional Id from which to start selection).",
		} {
			if a := b.call("GET", path+"?"+query, ""); a.status != 400 || !strings.Contains(a.body, want) {
				t.Errorf("GET %s?%s = %d %s\nwant 400 with %s", path, query, a.status, a.body, want)
			}
		}
	}
}

// TestListForms makes sure that every list is an array, and an object with totals
// when it is asked for.
func TestListForms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user, org, role := b.user("ann@example.com"), b.made("/api/v2/organizations", `{"name":"acme"}`), b.made("/api/v2/roles", `{"name":"admin"}`)
	b.ok(204, "POST", "/api/v2/organizations/"+org+"/members", `{"members":["`+user+`"]}`)
	for path, key := range lists(user, org, role) {
		if a := b.ok(200, "GET", path, ""); !strings.HasPrefix(a.body, "[") {
			t.Errorf("GET %s = %s, want an array", path, a.body)
		}
		o := b.ok(200, "GET", path+"?include_totals=true&page=0&per_page=7", "").object(t)
		if _, ok := o[key].([]any); !ok || o["start"] != 0.0 {
			t.Errorf("GET %s with totals = %v, want %s and start", path, o, key)
		}
	}
}

func TestOrganizations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/api/v2/organizations"
	id := b.made(path, `{"name":"acme","display_name":"Acme","metadata":{"tier":"gold"},"branding":{"colors":{"primary":"#fff","page_background":"#000000"}}}`)
	got := b.ok(200, "GET", path+"/"+id, "").body
	want := `{"id":"` + id + `","name":"acme","display_name":"Acme","branding":{"colors":{"page_background":"#000000","primary":"#fff"}},"metadata":{"tier":"gold"}}`
	if strings.TrimSpace(got) != want {
		t.Errorf("GET = %s\nwant %s", got, want)
	}
	if by := b.ok(200, "GET", path+"/name/acme", "").body; by != got {
		t.Errorf("by name: %s", by)
	}
	b.ok(200, "PATCH", path+"/"+id, `{"metadata":{},"display_name":"New"}`)
	if got := b.ok(200, "GET", path+"/"+id, "").object(t); got["metadata"] != nil || got["display_name"] != "New" {
		t.Errorf("after PATCH: %v", got)
	}
	b.call("POST", path, `{"name":"acme"}`).refuse(t, 409, "An organization with this name already exists.", "")
	other := b.made(path, `{"name":"beta"}`)
	b.call("PATCH", path+"/"+other, `{"name":"acme"}`).refuse(t, 409, "An organization with this name already exists.", "")
	b.call("GET", path+"/org_none", "").refuse(t, 404, "No organization found by that id or name", "")
	b.call("GET", path+"/name/none", "").refuse(t, 404, "No organization found by that id or name", "")
	if got := b.ok(200, "GET", path+"?include_totals=true&sort=name:-1", "").ids(t, "organizations", "name"); !cmp.Equal(got, []string{"beta", "acme"}) {
		t.Errorf("sorted: %v", got)
	}
	b.call("GET", path+"?sort=id:1", "").refuse(t, 400, `Query validation error: 'String does not match pattern ^((display_name)|(created_at)|(name))\:(1|-1)$: id:1' on property sort (Field to sort by. Use field:order where order is 1 for ascending and -1 for descending).`, "invalid_query_string")
	b.ok(204, "DELETE", path+"/"+id, "")
	b.call("DELETE", path+"/"+id, "").refuse(t, 404, "No organization found by that id or name", "")
}

// TestOrganizationPayloads reads bodies that break what Auth0 says of them.
func TestOrganizationPayloads(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for body, want := range map[string]string{
		`{}`:                              "'Missing required property: name'.",
		`[]`:                              "'Expected type object but found type array'.",
		`{"name":7}`:                      "'Expected type string but found type integer' on property name (The name of this organization).",
		`{"name":""}`:                     "'String is too short (0 chars), minimum 1' on property name (The name of this organization).",
		`{"name":"With Blank"}`:           "'Object didn't pass validation for format organization-name: With Blank' on property name (The name of this organization).",
		`{"name":"org_x"}`:                "'Object didn't pass validation for format organization-name: org_x' on property name (The name of this organization).",
		`{"name":"a","colour":"red"}`:     "'Additional properties not allowed: colour'.",
		`{"name":"a","branding":{"x":1}}`: "'Additional properties not allowed: x' on property branding (Theme defines how to style the login pages).",
		`{"name":"a","branding":{"colors":{"primary":"#fff"}}}`:                                                          "'Missing required property: page_background' on property branding.colors (Color scheme used to customize the login pages).",
		`{"name":"a","branding":{"logo_url":"http://a.example"}}`:                                                        "'Object didn't pass validation for format strict-https-uri-or-null: http://a.example' on property branding.logo_url (URL of logo to display on login page).",
		`{"name":"a","metadata":{"n":1}}`:                                                                                "'Expected type string but found type integer' on property metadata.n.",
		`{"name":"a","enabled_connections":[{"connection_id":"nope"}]}`:                                                  "'Object didn't pass validation for format connection-id: nope' on property enabled_connections.0.connection_id (Single connection ID to add to the organization).",
		`{"name":"a","token_quota":{"client_credentials":{"per_day":0}}}`:                                                "'Value 0 is less than minimum 1' on property token_quota.client_credentials.per_day (Maximum number of issued tokens per day).",
		`{"name":"a","enabled_connections":[` + strings.Repeat(`{"connection_id":"con_0000000000000000"},`, 10) + `{}]}`: "'Array is too long (11), maximum 10' on property enabled_connections (Connections that will be enabled for this organization. See POST enabled_connections endpoint for the object format. (Max of 10 connections allowed)).",
	} {
		b.call("POST", "/api/v2/organizations", body).refuse(t, 400, "Payload validation error: "+want, "invalid_body")
	}
	if got := b.ok(200, "GET", "/api/v2/organizations", "").body; strings.TrimSpace(got) != "[]" {
		t.Errorf("something was made: %s", got)
	}
}

func TestOrganizationMembers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	org, role := b.made("/api/v2/organizations", `{"name":"acme"}`), b.made("/api/v2/roles", `{"name":"admin","description":"All"}`)
	members := "/api/v2/organizations/" + org + "/members"
	var users []string
	for i := range 5 {
		users = append(users, b.user(fmt.Sprintf("u%d@example.com", i)))
		b.ok(204, "POST", members, `{"members":["`+users[i]+`"]}`)
	}
	b.ok(204, "POST", members, `{"members":["`+users[0]+`"]}`) // again

	t.Run("checkpoints", func(t *testing.T) {
		var got []string
		next, pages := "", 0
		for {
			a := b.ok(200, "GET", members+"?take=2&from="+next, "")
			got = append(got, a.ids(t, "members", "user_id")...)
			pages++
			o := a.object(t)
			if o["total"] != nil || o["start"] != nil {
				t.Errorf("a page by checkpoint has totals: %s", a.body)
			}
			if next, _ = o["next"].(string); next == "" {
				break
			}
		}
		if diff := cmp.Diff(users, got); diff != "" || pages != 4 { // the last one is empty (recorded)
			t.Errorf("%d pages, members (-want +got):\n%s", pages, diff)
		}
	})
	t.Run("offset", func(t *testing.T) {
		a := b.ok(200, "GET", members+"?page=1&per_page=2&include_totals=true", "")
		if diff := cmp.Diff(users[2:4], a.ids(t, "members", "user_id")); diff != "" || a.object(t)["total"] != 5.0 || a.object(t)["start"] != 2.0 {
			t.Errorf("%s\n%s", a.body, diff)
		}
		b.call("GET", members+"?page=10&per_page=100", "").refuse(t, 400, "Requesting page exceeds the allowed maximum of 1000 records", "invalid_paging")
	})
	t.Run("fields", func(t *testing.T) {
		a := b.ok(200, "GET", members+"?per_page=1&fields=email,user_id", "")
		if want := `[{"user_id":"` + users[0] + `","email":"u0@example.com"}]`; strings.TrimSpace(a.body) != want {
			t.Errorf("%s, want %s", a.body, want)
		}
		a = b.ok(200, "GET", members+"?per_page=1&fields=email,picture,name&include_fields=false", "")
		if want := `[{"user_id":"` + users[0] + `"}]`; strings.TrimSpace(a.body) != want {
			t.Errorf("%s, want %s", a.body, want)
		}
		if a := b.call("GET", members+"?fields=secret", ""); a.status != 400 || !strings.Contains(a.body, "String does not match pattern ^((user_id)|(email)") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("roles", func(t *testing.T) {
		of := members + "/" + url.PathEscape(users[1]) + "/roles"
		b.ok(204, "POST", of, `{"roles":["`+role+`"]}`)
		b.ok(204, "POST", of, `{"roles":["`+role+`"]}`)
		a := b.ok(200, "GET", members+"?fields=user_id,roles&page=1&per_page=1", "")
		if want := `[{"user_id":"` + users[1] + `","roles":[{"id":"` + role + `","name":"admin"}]}]`; strings.TrimSpace(a.body) != want {
			t.Errorf("%s, want %s", a.body, want)
		}
		if got := b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(users[1])+"/roles", ""); strings.TrimSpace(got.body) != "[]" {
			t.Errorf("a role in an organization is a role of the user: %s", got.body)
		}
		b.call("POST", of, `{"roles":["rol_0000000000000000"]}`).refuse(t, 404, "The role does not exist.", "")
		stranger := b.user("stranger@example.com")
		b.call("POST", members+"/"+url.PathEscape(stranger)+"/roles", `{"roles":["`+role+`"]}`).refuse(t, 404, "The user is not a member of the organization.", "")
		b.ok(204, "DELETE", members, `{"members":["`+users[1]+`","`+stranger+`"]}`)
		b.ok(204, "POST", members, `{"members":["`+users[1]+`"]}`)
		if got := b.ok(200, "GET", of, ""); strings.TrimSpace(got.body) != "[]" {
			t.Errorf("roles outlive the membership: %s", got.body)
		}
	})
	t.Run("ends", func(t *testing.T) {
		b.call("POST", members, `{"members":["auth0|none"]}`).refuse(t, 404, "The user does not exist.", "inexistent_user")
		b.call("POST", members, `{"members":[]}`).refuse(t, 400, "Payload validation error: 'Array is too short (0), minimum 1' on property members (List of user IDs to add to the organization as members).", "invalid_body")
		b.ok(204, "DELETE", "/api/v2/users/"+url.PathEscape(users[0]), "")
		if got := b.ok(200, "GET", members+"?include_totals=true", "").object(t)["total"]; got != 4.0 {
			t.Errorf("%v members after one was deleted", got)
		}
		mine := "/api/v2/users/" + url.PathEscape(users[2]) + "/organizations"
		if got := b.ok(200, "GET", mine+"?include_totals=true", "").ids(t, "organizations", "id"); !cmp.Equal(got, []string{org}) {
			t.Errorf("organizations of the user: %v", got)
		}
		b.ok(204, "DELETE", "/api/v2/organizations/"+org, "")
		if got := b.ok(200, "GET", mine, ""); strings.TrimSpace(got.body) != "[]" {
			t.Errorf("membership outlives the organization: %s", got.body)
		}
	})
}

func TestOrganizationConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	org := "/api/v2/organizations/" + b.made("/api/v2/organizations", `{"name":"acme"}`)
	users, err := tenants.New(b.dir, directory.Auth0Realm).ConnectionByName(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	okta := b.made("/api/v2/connections", `{"name":"corp","strategy":"okta","options":{"domain":"corp.okta.com","client_id":"x"}}`)
	body := func(id, more string) string { return `{"connection_id":"` + id + `"` + more + `}` }
	a := b.ok(201, "POST", org+"/enabled_connections", body(okta, ""))
	if want := `{"connection_id":"` + okta + `","assign_membership_on_login":false,"show_as_button":true,"connection":{"name":"corp","strategy":"okta"}}`; strings.TrimSpace(a.body) != want {
		t.Errorf("%s\nwant %s", a.body, want)
	}
	b.call("POST", org+"/enabled_connections", body(okta, "")).refuse(t, 409, "The organization connection already exists.", "")
	const signup = "Only database connections with assign_membership_on_login = true support is_signup_enabled = true."
	b.call("POST", org+"/enabled_connections", body(users.ID, `,"is_signup_enabled":true`)).refuse(t, 400, signup, "invalid_body")
	b.call("PATCH", org+"/enabled_connections/"+okta, `{"is_signup_enabled":true,"assign_membership_on_login":true}`).refuse(t, 400, signup, "invalid_body")
	a = b.ok(201, "POST", org+"/connections", body(users.ID, `,"organization_connection_name":"Staff","organization_access_level":"full","is_enabled":false`))
	if want := `{"connection_id":"` + users.ID + `","assign_membership_on_login":false,"is_signup_enabled":false,"show_as_button":true,` +
		`"connection":{"name":"` + database + `","strategy":"auth0"},"organization_connection_name":"Staff","organization_access_level":"full","is_enabled":false}`; strings.TrimSpace(a.body) != want {
		t.Errorf("%s\nwant %s", a.body, want)
	}
	for query, want := range map[string][]string{"": {okta, users.ID}, "&is_enabled=true": {okta}, "&is_enabled=false": {users.ID}} {
		if got := b.ok(200, "GET", org+"/connections?include_totals=true"+query, "").ids(t, "connections", "connection_id"); !cmp.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	list := b.ok(200, "GET", org+"/enabled_connections?include_totals=true&per_page=50", "")
	if o := list.object(t); o["limit"] != 1.0 || o["total"] != 1.0 { // recorded: the limit is the number of rows
		t.Errorf("%s", list.body)
	}
	b.call("POST", org+"/enabled_connections", body("con_0000000000000000", "")).refuse(t, 404, "The connection does not exist", "inexistent_connection")
	b.call("GET", org+"/enabled_connections/con_0000000000000000", "").refuse(t, 404, "No connection found by that id", "")
	b.ok(202, "DELETE", "/api/v2/connections/"+okta, "")
	b.call("GET", org+"/enabled_connections/"+okta, "").refuse(t, 404, "No connection found by that id", "")
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	org := b.made("/api/v2/organizations", `{"name":"acme"}`)
	path := "/api/v2/organizations/" + org + "/invitations"
	client := b.made("/api/v2/clients", `{"name":"App","initiate_login_uri":"https://app.example/login"}`)
	role := b.made("/api/v2/roles", `{"name":"admin"}`)
	body := func(more string) string {
		return `{"inviter":{"name":"Ann"},"invitee":{"email":"bob@example.com"},"client_id":"` + client + `"` + more + `}`
	}
	a := b.ok(201, "POST", path, body(`,"ttl_sec":3600,"roles":["`+role+`"],"app_metadata":{"a":1}`))
	o := a.object(t)
	if want := "https://app.example/login?invitation=" + o["ticket_id"].(string) + "&organization=" + org + "&organization_name=acme"; o["invitation_url"] != want {
		t.Errorf("invitation_url %v, want %s", o["invitation_url"], want)
	}
	if o["created_at"] != "2026-03-04T05:06:12.891Z" || o["expires_at"] != "2026-03-04T06:06:12.891Z" {
		t.Errorf("an hour's life: %s", a.body)
	}
	second := b.made(path, body(""))
	if got := b.ok(200, "GET", path+"?include_totals=true", ""); !cmp.Equal(got.ids(t, "invitations", "id"), []string{second, o["id"].(string)}) || got.object(t)["total"] != nil {
		t.Errorf("the newest first, without a total: %s", got.body)
	}
	if got := b.ok(200, "GET", path+"?fields=id&sort=created_at:1", ""); strings.TrimSpace(got.body) != `[{"id":"`+o["id"].(string)+`"},{"id":"`+second+`"}]` {
		t.Errorf("%s", got.body)
	}
	for more, want := range map[string]string{
		`,"ttl_sec":2592001`: "Payload validation error: 'Value 2592001 is greater than maximum 2592000' on property ttl_sec (Number of seconds for which the invitation is valid before expiration. If unspecified or set to 0, this value defaults to 604800 seconds (7 days). Max value: 2592000 seconds (30 days)).",
		`,"roles":["admin"]`: "Payload validation error: 'Object didn't pass validation for format role-id: admin' on property roles.0.",
	} {
		b.call("POST", path, body(more)).refuse(t, 400, want, "invalid_body")
	}
	b.call("POST", path, `{"inviter":{},"invitee":{"email":"b@example.com"},"client_id":"x"}`).refuse(t, 400, "Payload validation error: 'Missing required property: name' on property inviter.", "invalid_body")
	b.call("GET", "/api/v2/organizations/org_none/invitations/"+second, "").refuse(t, 404, "No organization found by that id or name", "")
	other := b.made("/api/v2/organizations", `{"name":"beta"}`)
	b.call("GET", "/api/v2/organizations/"+other+"/invitations/"+second, "").refuse(t, 404, "The invitation does not exist.", "inexistent_invitation")
	b.ok(204, "DELETE", path+"/"+second, "")
	b.call("GET", path+"/"+second, "").refuse(t, 404, "The invitation does not exist.", "inexistent_invitation")
}
