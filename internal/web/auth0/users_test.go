package auth0_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	tenants "github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

// update writes to the directory as a SCIM client's call would.
func (b *bench) update(f func(directory.Tx) error) {
	b.t.Helper()
	if err := b.dir.Store.Update(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

// connected adds a user of an enterprise connection.
func (b *bench) connected(connection, id, email string) string {
	b.t.Helper()
	a := &directory.Account{
		ID: "okta|" + connection + "|" + id, Realm: directory.Auth0Realm, Connection: connection, Status: directory.Active,
		Profile: map[string]any{
			"email": email, "firstName": "Ann", "preferred_username": id + "@corp", tenants.ProfileAttribute("name"): "Ann " + id,
		},
		AppMetadata: map[string]any{"department": "Sales", "external_id": id},
		Resource:    map[string]any{"userName": id + "@corp", "externalId": id},
		Provider:    directory.Provider{Type: "okta", Name: connection},
	}
	b.update(func(tx directory.Tx) error { return b.dir.CreateConnected(tx, directory.System("scim"), a) })
	return a.ID
}

func TestEnterpriseUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	con := b.made("/api/v2/connections", `{"name":"corp","strategy":"okta","options":{"domain":"corp.okta.com","client_id":"x"}}`)
	id := b.connected("corp", "00u1", "ann@corp.example")
	path := "/api/v2/users/" + url.PathEscape(id)
	a := b.ok(200, "GET", path, "")
	created := a.object(t)["created_at"]
	want := fmt.Sprintf(`{"created_at":%q,"email":"ann@corp.example","email_verified":false,"given_name":"Ann",`+
		`"identities":[{"connection":"corp","user_id":"corp|00u1","provider":"okta","isSocial":false}],"name":"Ann 00u1",`+
		`"preferred_username":"00u1@corp","updated_at":%q,"user_id":"okta|corp|00u1","app_metadata":{"department":"Sales","external_id":"00u1"}}`, created, created)
	if strings.TrimSpace(a.body) != want {
		t.Errorf("%s\nwant %s", a.body, want)
	}

	b.call("POST", "/api/v2/users", `{"connection":"corp","email":"bob@corp.example","password":"Sesame-4-you"}`).refuse(t, 400,
		"Connection does not support user creation through the API. It must either be a database or passwordless connection", "operation_not_supported")
	b.call("POST", "/api/v2/users", `{"connection":"none","email":"bob@corp.example","password":"Sesame-4-you"}`).refuse(t, 400,
		"The connection does not exist.", "inexistent_connection")

	refusal := func(names string) string {
		return "The following user attributes cannot be updated: " + names + ". The connection (corp) must either be a database connection " +
			"(using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'. " +
			"For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync"
	}
	b.call("PATCH", path, `{"name":"B","email":"b@corp.example"}`).refuse(t, 400, refusal("email, name"), "operation_not_supported")
	b.ok(200, "PATCH", path, `{"app_metadata":{"a":1},"blocked":true}`)
	b.ok(200, "PATCH", "/api/v2/connections/"+con, `{"options":{"domain":"corp.okta.com","client_id":"x","set_user_root_attributes":"never_on_login"}}`)
	b.call("PATCH", path, `{"name":"B","email":"b@corp.example"}`).refuse(t, 400, refusal("email"), "operation_not_supported")
	if got := b.ok(200, "PATCH", path, `{"name":"B"}`).object(t); got["name"] != "B" || got["blocked"] != true {
		t.Errorf("%v", got)
	}
}

// TestSearchUsers asks for users in every way that has an index, and in others.
func TestSearchUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.made("/api/v2/connections", `{"name":"corp","strategy":"okta","options":{"domain":"corp.okta.com","client_id":"x"}}`)
	b.made("/api/v2/connections", `{"name":"second","strategy":"auth0"}`)
	corp := b.connected("corp", "00u1", "zoe@corp.example")
	database := func(connection, email, more string) string {
		return b.made("/api/v2/users", `{"connection":"`+connection+`","email":"`+email+`","password":"Sesame-4-you"`+more+`}`)
	}
	kim := database(tenants.DefaultConnection, "kim@shop.example", `,"username":"kim","given_name":"Kim","user_metadata":{"city":"Ulm","sizes":[{"shoe":42}]},"app_metadata":{"plan":{"level":3,"paid":true},"tags":["a","b"]}`)
	max := database("second", "max@shop.example", `,"username":"kim","name":"Max Kim","app_metadata":{"plan":{"level":7}}`)
	var seeded []string
	for _, a := range mustAccounts(t, b) {
		if a != corp && a != kim && a != max {
			seeded = append(seeded, a)
		}
	}
	all := append([]string{}, seeded...)
	for _, c := range []struct {
		q    string
		want []string
	}{
		{`user_id:"` + kim + `"`, []string{kim}},
		{`user_id:"auth0|none"`, nil},
		{`user_id:"` + kim + `" AND email:"max@shop.example"`, nil},
		{`email:"KIM@shop.example"`, []string{kim}},
		{`email:"kim@shop.example" OR email:"max@shop.example"`, []string{kim, max}},
		{`email.domain:"shop.example"`, []string{kim, max}},
		{`email:*shop.example`, []string{kim, max}},
		{`email:kim*`, []string{kim}},
		{`username:"kim"`, []string{kim, max}},
		{`username:"kim" AND identities.connection:"second"`, []string{max}},
		{`username:"none"`, nil},
		{`identities.connection:"corp"`, []string{corp}},
		{`identities.connection:"none"`, nil},
		{`identities.provider:"okta"`, []string{corp}},
		{`identities.user_id:"corp|00u1"`, []string{corp}},
		{`preferred_username:"00u1@corp"`, []string{corp}},
		{`name:"max kim"`, []string{max}},
		{`given_name:KIM`, []string{kim}},
		{`user_metadata.city:"Ulm"`, []string{kim}},
		{`user_metadata.city:"ulm"`, nil}, // case counts in metadata
		{`user_metadata.sizes.shoe:42`, []string{kim}},
		{`app_metadata.plan.level:[3 TO 5]`, []string{kim}},
		{`app_metadata.plan.level:{3 TO *]`, []string{max}},
		{`app_metadata.plan.paid:true`, []string{kim}},
		{`app_metadata.tags:b`, []string{kim}},
		{`_exists_:app_metadata.plan AND _exists_:app_metadata.plan.paid`, nil},
		{`_exists_:app_metadata.plan.paid`, []string{kim}},
		{`app_metadata.department:"Sales"`, []string{corp}},
		{`logins_count:0 AND email.domain:"shop.example"`, []string{kim, max}},
		{`created_at:[2026 TO *] AND NOT email.domain:"shop.example"`, append(all, corp)},
		{`email.domain:"shop.example" AND NOT username:"kim"`, nil},
		{`email.domain:"shop.example" AND blocked:true`, nil},
		{`"kim"`, []string{kim, max}}, // the user name of both
		{`Sales`, []string{corp}},
	} {
		a := b.call("GET", "/api/v2/users?include_totals=true&per_page=100&search_engine=v3&q="+url.QueryEscape(c.q), "")
		if a.status != 200 {
			t.Errorf("%s: %d %s", c.q, a.status, a.body)
			continue
		}
		want := append([]string{}, c.want...)
		if diff := cmp.Diff(sorted(want), sorted(a.ids(t, "users", "user_id"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.q, diff)
		}
		if total := a.object(t)["total"]; total != float64(len(want)) {
			t.Errorf("%s: total %v, want %d", c.q, total, len(want))
		}
	}
	for _, q := range []string{
		`secret:"x"`, `email:`, `(email:a`, `email:a~`, `user_metadata.city:U*`, `user_metadata.n:[1 TO 2]`, `email:*om`, `identities.token:x`, `email:a email:b`,
	} {
		a := b.call("GET", "/api/v2/users?q="+url.QueryEscape(q), "")
		if a.status != 400 || a.object(t)["errorCode"] != "invalid_query_string" {
			t.Errorf("%s: %d %s, want 400", q, a.status, a.body)
		}
	}
	b.call("GET", "/api/v2/users?search_engine=v4", "").refuse(t, 400, "Query validation error: 'No enum match for: v4' on property search_engine (The version of the search engine).", "invalid_query_string")
	b.call("GET", "/api/v2/users?page=10&per_page=100", "").refuse(t, 400, "You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation", "invalid_paging")
	b.ok(200, "GET", "/api/v2/users?page=9&per_page=100", "")
}

func mustAccounts(t *testing.T, b *bench) (ids []string) {
	t.Helper()
	list, err := b.dir.Accounts(t.Context(), directory.AccountQuery{Realm: directory.Auth0Realm}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	return ids
}

func TestLinkedUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.made("/api/v2/connections", `{"name":"second","strategy":"auth0"}`)
	main := b.user("ann@example.com")
	other := b.made("/api/v2/users", `{"connection":"second","email":"bob@example.com","username":"bob","password":"Sesame-4-you","name":"Bob","user_metadata":{"a":1}}`)
	third := b.user("cat@example.com")
	path := "/api/v2/users/" + url.PathEscape(main) + "/identities"
	link := func(id string) string {
		return `{"provider":"auth0","user_id":"` + strings.TrimPrefix(id, "auth0|") + `"}`
	}
	role := b.made("/api/v2/roles", `{"name":"clerk"}`)
	b.ok(204, "POST", "/api/v2/users/"+url.PathEscape(other)+"/roles", `{"roles":["`+role+`"]}`)

	b.ok(201, "POST", path, link(other))
	user := b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(main), "").object(t)
	want := []any{
		map[string]any{"connection": database, "user_id": strings.TrimPrefix(main, "auth0|"), "provider": "auth0", "isSocial": false},
		map[string]any{
			"connection": "second", "user_id": strings.TrimPrefix(other, "auth0|"), "provider": "auth0", "isSocial": false,
			"profileData": map[string]any{
				"email": "bob@example.com", "username": "bob", "name": "Bob", "nickname": "bob", "email_verified": false,
				"picture": user["identities"].([]any)[1].(map[string]any)["profileData"].(map[string]any)["picture"],
			},
		},
	}
	if diff := cmp.Diff(want, user["identities"]); diff != "" {
		t.Errorf("identities (-want +got):\n%s", diff)
	}
	b.call("GET", "/api/v2/users/"+url.PathEscape(other), "").refuse(t, 404, "The user does not exist.", "inexistent_user")
	b.call("POST", path, link(other)).refuse(t, 409, "Specified identity already exists.", "")
	b.call("POST", path, link(main)).refuse(t, 400, "Main principal and secondary principal are the same", "invalid_body")
	b.call("POST", path, link("auth0|none")).refuse(t, 404, "The user does not exist.", "inexistent_user")
	b.call("POST", path, `{"provider":"auth0"}`).refuse(t, 400, "Payload validation error: 'Missing required property: user_id'.", "invalid_body")
	b.call("POST", path, `{"link_with":"abc"}`).refuse(t, 400, "Invalid token", "invalid_token")
	b.call("POST", "/api/v2/users", `{"connection":"second","email":"BOB@example.com","password":"Sesame-4-you"}`).refuse(t, 409, "The user already exists.", "auth0_idp_error")
	if got := b.ok(200, "GET", `/api/v2/users?include_totals=true&q=identities.connection:"second"`, "").ids(t, "users", "user_id"); !cmp.Equal(got, []string{main}) {
		t.Errorf("the search does not find linked identities: %v", got)
	}

	// A user with linked identities is linked to another, with all of them.
	b.ok(201, "POST", "/api/v2/users/"+url.PathEscape(third)+"/identities", link(main))
	thirds := "/api/v2/users/" + url.PathEscape(third) + "/identities/auth0/"
	if got := b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(third), "").object(t)["identities"].([]any); len(got) != 3 {
		t.Errorf("%d identities, want 3", len(got))
	}
	b.ok(200, "DELETE", thirds+strings.TrimPrefix(other, "auth0|"), "")
	back := b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(other), "").object(t)
	if back["email"] != "bob@example.com" || back["username"] != "bob" || back["user_metadata"] != nil {
		t.Errorf("after unlinking: %v", back)
	}
	if got := b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(other)+"/roles", "").body; strings.TrimSpace(got) != "[]" {
		t.Errorf("roles came back: %s", got)
	}
	b.call("DELETE", thirds+"none", "").refuse(t, 404, "The identity does not exist.", "inexistent_identity")
	b.call("DELETE", thirds+strings.TrimPrefix(third, "auth0|"), "").refuse(t, 400, "Main principal identity cannot be unlinked", "operation_not_supported")
	b.ok(200, "DELETE", thirds+strings.TrimPrefix(main, "auth0|"), "")
	b.ok(204, "DELETE", "/api/v2/users/"+url.PathEscape(third), "")
	b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(main), "")
}

func TestAuthenticationMethods(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := "/api/v2/users/" + url.PathEscape(b.user("ann@example.com"))
	path := user + "/authentication-methods"
	email := b.made(path, `{"type":"email","name":"Mail","email":"ann@example.com"}`)
	b.made(path, `{"type":"totp","name":"App","totp_secret":"5HCWXIP2MJNSUBGYVUZFLRB2HWIGXR4SYJQXNBQ"}`)
	phone := b.made(path, `{"type":"phone","name":"Mine","phone_number":"+44207183875044","preferred_authentication_method":"voice"}`)
	b.call("POST", path, `{"type":"email","email":"ann@example.com"}`).refuse(t, 409, "Authentication method already exists.", "")
	b.call("POST", path, `{"type":"fax"}`).refuse(t, 400, "Payload validation error: 'No enum match for: fax' on property type.", "invalid_body")
	b.call("PUT", path, `[{"type":"email"},{"type":"passkey"}]`).refuse(t, 400, "Payload validation error: 'No enum match for: passkey' on property 1.type.", "invalid_body")
	a := b.ok(200, "GET", path+"/"+url.PathEscape(phone), "")
	device := strings.TrimPrefix(phone, "phone|")
	if want := `{"id":"` + phone + `","type":"phone","confirmed":true,"name":"Mine","phone_number":"XXXXXXXXXXX5044","created_at":"2026-03-04T05:06:12.891Z",` +
		`"preferred_authentication_method":"voice","authentication_methods":[{"id":"voice|` + device + `","type":"voice"}]}`; strings.TrimSpace(a.body) != want {
		t.Errorf("%s\nwant %s", a.body, want)
	}
	if strings.Contains(b.ok(200, "GET", path, "").body, "5HCW") {
		t.Error("the secret of a one-time password is shown")
	}
	if got := b.ok(200, "GET", user+"/enrollments", ""); !strings.Contains(got.body, `"auth_method":"sms"`) || !strings.Contains(got.body, `"auth_method":"authenticator"`) || strings.Contains(got.body, email) {
		t.Errorf("enrollments: %s", got.body)
	}
	b.ok(204, "DELETE", user+"/multifactor/google-authenticator", "")
	b.ok(204, "DELETE", user+"/multifactor/duo", "")
	b.call("DELETE", user+"/multifactor/fax", "").refuse(t, 400, "Path validation error: 'No enum match for: fax' on property provider (The multi-factor provider. Supported values 'duo' or 'google-authenticator').", "invalid_uri")
	if got := b.ok(200, "GET", path+"?include_totals=true", "").ids(t, "authenticators", "id"); !cmp.Equal(got, []string{email, phone}) {
		t.Errorf("%v", got)
	}
	b.ok(204, "DELETE", user+"/authenticators", "")
	if got := b.ok(200, "GET", path+"?include_totals=true", "").ids(t, "authenticators", "id"); !cmp.Equal(got, []string{email}) {
		t.Errorf("%v", got)
	}
	other := "/api/v2/users/" + url.PathEscape(b.user("bob@example.com")) + "/authentication-methods/" + url.PathEscape(email)
	b.call("GET", other, "").refuse(t, 404, "The authentication method does not exist.", "")
	b.call("DELETE", other, "").refuse(t, 404, "The authentication method does not exist.", "")
}

// stay is a session or a refresh token as it is kept.
type stay struct {
	directory.Meta
	Expires time.Time `json:"expires"`
	noun    directory.Noun
	account string
	client  string
}

func (s *stay) Place() directory.Place {
	return directory.Place{Noun: s.noun, Parent: s.client, Subject: s.account}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user, other := b.user("ann@example.com"), b.user("bob@example.com")
	path := "/api/v2/users/" + url.PathEscape(user)
	begin := func(account string) {
		b.update(func(tx directory.Tx) error {
			for _, noun := range []directory.Noun{directory.SessionNoun, directory.RefreshTokenNoun} {
				for i := range 3 {
					s := &stay{
						Meta: directory.Meta{ID: fmt.Sprintf("%s-%d", account, i), Realm: directory.Auth0Realm}, noun: noun, account: account, client: "client",
						Expires: b.clock.Now().Add(time.Hour),
					}
					if err := b.dir.PutObject(tx, s); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	begin(user)
	begin(other)
	for list, key := range map[string]string{"/sessions": "sessions", "/refresh-tokens": "tokens"} {
		first := b.ok(200, "GET", path+list+"?take=2&include_totals=true", "")
		next, _ := first.object(t)["next"].(string)
		second := b.ok(200, "GET", path+list+"?take=2&from="+next, "")
		got := append(first.ids(t, key, "id"), second.ids(t, key, "id")...)
		if want := []string{user + "-0", user + "-1", user + "-2"}; !cmp.Equal(got, want) || first.object(t)["total"] != 3.0 {
			t.Errorf("%s: %v, want %v: %s", list, got, want, first.body)
		}
	}
	if a := b.ok(202, "POST", path+"/revoke-access", `{"session_id":"`+user+`-1"}`); strings.TrimSpace(a.body) != "{}" {
		t.Errorf("%s", a.body)
	}
	b.ok(202, "POST", path+"/revoke-access", `{"session_id":"`+other+`-1"}`) // not the user's
	count := func(account, list, key string) int {
		return len(b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(account)+list, "").ids(t, key, "id"))
	}
	if s, tokens, others := count(user, "/sessions", "sessions"), count(user, "/refresh-tokens", "tokens"), count(other, "/sessions", "sessions"); s != 2 || tokens != 3 || others != 3 {
		t.Errorf("%d sessions, %d tokens, %d of the other, want 2, 3 and 3", s, tokens, others)
	}
	b.ok(202, "POST", path+"/revoke-access", `{"preserve_refresh_tokens":true}`)
	if s, tokens := count(user, "/sessions", "sessions"), count(user, "/refresh-tokens", "tokens"); s != 0 || tokens != 3 {
		t.Errorf("%d sessions, %d tokens, want 0 and 3", s, tokens)
	}
	b.ok(202, "POST", path+"/revoke-access", "")
	if tokens := count(user, "/refresh-tokens", "tokens"); tokens != 0 {
		t.Errorf("%d tokens", tokens)
	}
	b.ok(202, "DELETE", "/api/v2/users/"+url.PathEscape(other)+"/sessions", "")
	b.ok(202, "DELETE", "/api/v2/users/"+url.PathEscape(other)+"/refresh-tokens", "")
	if s, tokens := count(other, "/sessions", "sessions"), count(other, "/refresh-tokens", "tokens"); s != 0 || tokens != 0 {
		t.Errorf("%d sessions, %d tokens", s, tokens)
	}
	for _, call := range [][2]string{{"GET", "/sessions"}, {"DELETE", "/sessions"}, {"GET", "/refresh-tokens"}, {"DELETE", "/refresh-tokens"}, {"POST", "/revoke-access"},
		{"GET", "/enrollments"}, {"GET", "/authentication-methods"}, {"GET", "/roles"}, {"GET", "/permissions"}, {"GET", "/organizations"}, {"GET", "/groups"},
		{"GET", "/connected-accounts"}, {"GET", "/federated-connections-tokensets"}, {"POST", "/recovery-code-regeneration"},
		{"POST", "/multifactor/actions/invalidate-remember-browser"}} {
		b.call(call[0], "/api/v2/users/auth0%7Cnone"+call[1], "").refuse(t, 404, "The user does not exist.", "inexistent_user")
	}
}

func TestUserBlocks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.made("/api/v2/users", `{"connection":"`+database+`","email":"ann@example.com","username":"ann","password":"Sesame-4-you"}`)
	fail := func() {
		b.update(func(tx directory.Tx) error {
			before, err := tx.Account(directory.Auth0Realm, id)
			if err != nil {
				return err
			}
			after := directory.CloneAccount(before)
			after.FailedSignIns, after.LastIP = 10, "192.0.2.1"
			return b.dir.SaveConnected(tx, directory.System("login"), before, after)
		})
	}
	const blocked = `{"blocked_for":[{"identifier":"ann@example.com","ip":"192.0.2.1"}]}`
	for _, path := range []string{"/api/v2/user-blocks/" + url.PathEscape(id), "/api/v2/user-blocks?identifier=ANN@example.com", "/api/v2/user-blocks?identifier=ann"} {
		fail()
		if a := b.ok(200, "GET", path, ""); strings.TrimSpace(a.body) != blocked {
			t.Errorf("GET %s = %s", path, a.body)
		}
		b.ok(204, "DELETE", path, "")
		if a := b.ok(200, "GET", path, ""); strings.TrimSpace(a.body) != `{"blocked_for":[]}` {
			t.Errorf("GET %s after DELETE = %s", path, a.body)
		}
	}
	b.call("GET", "/api/v2/user-blocks", "").refuse(t, 400, "Query validation error: 'Missing required property: identifier'.", "invalid_query_string")
	b.call("GET", "/api/v2/user-blocks/auth0%7Cnone", "").refuse(t, 404, "The user does not exist.", "inexistent_user")
	b.ok(200, "GET", "/api/v2/user-blocks?identifier=nobody", "")
}

func TestGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	con := b.made("/api/v2/connections", `{"name":"corp","strategy":"okta","options":{"domain":"corp.okta.com","client_id":"x"}}`)
	var users, groups []string
	for i := range 3 {
		users = append(users, b.connected("corp", fmt.Sprintf("u%d", i), fmt.Sprintf("u%d@corp.example", i)))
	}
	for i, name := range []string{"Sales", "Sales EMEA", "Support"} {
		g := &directory.Group{
			ID: "grp_" + strings.Repeat("1", 15) + fmt.Sprint(i+1), Realm: directory.Auth0Realm, Type: directory.ConnectionGroup, Connection: "corp",
			Profile: map[string]any{"name": name}, Resource: map[string]any{"displayName": name, "externalId": fmt.Sprintf("ext-%d", i)},
		}
		b.update(func(tx directory.Tx) error {
			if err := b.dir.CreateConnectedGroup(tx, directory.System("scim"), g); err != nil {
				return err
			}
			_, err := b.dir.Enlist(tx, directory.System("scim"), g, users[i:])
			return err
		})
		groups = append(groups, g.ID)
	}
	for query, want := range map[string][]string{
		"":                            groups,
		"&name=sales":                 groups[:1],
		"&search=SALES":               groups[:2],
		"&search=ext-2":               groups[2:],
		"&external_id=ext-1":          groups[1:2],
		"&connection_id=" + con:       groups,
		"&connection_id=con_none":     {},
		"&page=1&per_page=2":          groups[2:],
		"&name=Support&external_id=x": {},
	} {
		a := b.ok(200, "GET", "/api/v2/groups?include_totals=true"+query, "")
		if got := a.ids(t, "groups", "id"); !cmp.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	a := b.ok(200, "GET", "/api/v2/groups/"+groups[0], "")
	if want := `{"id":"` + groups[0] + `","name":"Sales","external_id":"ext-0","connection_id":"` + con + `","tenant_name":"example","created_at":"2026-03-04T05:06:09.891Z","updated_at":"2026-03-04T05:06:09.891Z"}`; strings.TrimSpace(a.body) != want {
		t.Errorf("%s\nwant %s", a.body, want)
	}
	if got := b.ok(200, "GET", "/api/v2/groups?fields=id,name&take=1", ""); !strings.HasPrefix(got.body, `{"groups":[{"id":"`+groups[0]+`","name":"Sales"}],"next":"`) {
		t.Errorf("%s", got.body)
	}
	if got := b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(users[1])+"/groups?include_totals=true", "").ids(t, "groups", "name"); !cmp.Equal(got, []string{"Sales", "Sales EMEA"}) {
		t.Errorf("groups of a user: %v", got)
	}
	first := b.ok(200, "GET", "/api/v2/groups/"+groups[0]+"/members?take=2", "")
	next, _ := first.object(t)["next"].(string)
	last := b.ok(200, "GET", "/api/v2/groups/"+groups[0]+"/members?take=2&from="+next, "")
	if got := append(first.ids(t, "members", "id"), last.ids(t, "members", "id")...); !cmp.Equal(got, users) || last.object(t)["next"] != nil {
		t.Errorf("members: %v, want %v", got, users)
	}
	if o := first.object(t)["members"].([]any)[0].(map[string]any); o["member_type"] != "user" || o["type"] != "connection" || o["connection_id"] != con {
		t.Errorf("%v", o)
	}
	b.call("POST", "/api/v2/groups", `{"name":"x"}`).refuse(t, 404, "Not Found", "") // only SCIM writes groups
	b.call("GET", "/api/v2/groups/nope", "").refuse(t, 400, "Path validation error: 'String is too short (4 chars), minimum 18' on property id (Unique identifier for the group (service-generated)).", "invalid_uri")
	none := "/api/v2/groups/grp_1111111111111119"
	b.call("GET", none, "").refuse(t, 404, "The group does not exist.", "")
	b.call("GET", none+"/members", "").refuse(t, 404, "The group does not exist.", "")
	b.ok(204, "DELETE", "/api/v2/groups/"+groups[0], "")
	b.call("DELETE", "/api/v2/groups/"+groups[0], "").refuse(t, 404, "The group does not exist.", "")
	for _, query := range []string{"name=", "search=", "fields=secret", "name=%C3%BC"} {
		if a := b.call("GET", "/api/v2/groups?"+query, ""); a.status != 400 {
			t.Errorf("GET /groups?%s = %d %s", query, a.status, a.body)
		}
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// TestScopesOfUsersThemselves makes sure that the scopes for one's own account
// reach no other, and that those for metadata change nothing else.
func TestScopesOfUsersThemselves(t *testing.T) {
	t.Parallel()
	who := auth0.Caller{}
	b := newBench(t, func(o *auth0.Options) { o.Authorizer = as{&who} })
	ann, bob := b.user("ann@example.com"), b.user("bob@example.com")
	path := func(id string) string { return "/api/v2/users/" + url.PathEscape(id) }
	who = auth0.Caller{ID: ann, Scopes: []string{"read:current_user", "update:current_user_metadata", "delete:current_user", "update:current_user_identities"}}
	b.ok(200, "GET", path(ann), "")
	b.ok(200, "GET", path(ann)+"/enrollments", "")
	b.ok(200, "PATCH", path(ann), `{"user_metadata":{"a":1}}`)
	const another, more = "User to be acted on does not match subject in bearer token.", "Insufficient scope, expected any of: update:users"
	for _, c := range []struct{ method, path, body, message string }{
		{"GET", path(bob), "", another},
		{"GET", path(bob) + "/enrollments", "", another},
		{"DELETE", path(bob), "", another},
		{"PATCH", path(bob), `{"user_metadata":{"a":1}}`, another},
		{"POST", path(bob) + "/identities", `{"provider":"auth0","user_id":"x"}`, another},
		{"DELETE", path(bob) + "/identities/auth0/x", "", another},
		{"PATCH", path(ann), `{"app_metadata":{"a":1}}`, more},
		{"PATCH", path(ann), `{"user_metadata":{"a":1},"blocked":true}`, more},
	} {
		b.call(c.method, c.path, c.body).refuse(t, 403, c.message, "insufficient_scope")
	}
	who = auth0.Caller{ID: "app@clients", Scopes: []string{"update:users_app_metadata"}}
	b.ok(200, "PATCH", path(bob), `{"app_metadata":{"a":1}}`)
	b.call("PATCH", path(bob), `{"name":"B"}`).refuse(t, 403, more, "insufficient_scope")
	b.call("PATCH", path(bob), `{"user_metadata":{"a":1}}`).refuse(t, 403, more, "insufficient_scope")
}

// as lets in whoever it names.
type as struct{ who *auth0.Caller }

func (as) Issue(context.Context, auth0.TokenRequest) (auth0.Token, error) {
	return auth0.Token{Access: "test"}, nil
}

func (a as) Authorize(context.Context, string, []string) (auth0.Caller, error) { return *a.who, nil }
