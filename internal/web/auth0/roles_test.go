package auth0_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/api/v2/roles"
	id := b.made(path, `{"name":"Admin","description":"All"}`)
	b.call("POST", path, `{"name":"admin"}`).refuse(t, 409, "The role already exists.", "")
	b.call("POST", path, `{"description":"x"}`).refuse(t, 400, "Payload validation error: 'Missing required property: name'.", "invalid_body")
	b.call("POST", path, `{"name":"x","colour":1}`).refuse(t, 400, "Payload validation error: 'Additional properties not allowed: colour'.", "invalid_body")
	other := b.made(path, `{"name":"Reader"}`)
	b.call("PATCH", path+"/"+other, `{"name":"ADMIN"}`).refuse(t, 409, "The role already exists.", "")
	b.ok(200, "PATCH", path+"/"+id, `{"name":"ADMIN"}`) // its own name
	for filter, want := range map[string][]string{"": {id, other}, "adm": {id}, "READ": {other}, "none": {}} {
		if got := b.ok(200, "GET", path+"?include_totals=true&name_filter="+filter, "").ids(t, "roles", "id"); !cmp.Equal(got, want) {
			t.Errorf("name_filter=%s: %v, want %v", filter, got, want)
		}
	}
	for _, call := range [][3]string{
		{"GET", "", ""}, {"PATCH", "", "{}"}, {"DELETE", "", ""}, {"GET", "/users", ""}, {"GET", "/permissions", ""},
		{"POST", "/permissions", `{"permissions":[]}`}, {"POST", "/users", `{"users":["auth0|x"]}`},
	} {
		a := b.call(call[0], path+"/rol_none"+call[1], call[2])
		if call[2] == `{"permissions":[]}` {
			a.refuse(t, 400, "Payload validation error: 'Array is too short (0), minimum 1' on property permissions (array of resource_server_identifier, permission_name pairs).", "invalid_body")
			continue
		}
		if call[1] == "/users" && call[0] == "POST" {
			a.refuse(t, 404, "The user does not exist.", "inexistent_user")
			continue
		}
		a.refuse(t, 404, "The role does not exist.", "")
	}
}

// TestRolePages reads more roles than fit on a page, one page after the other.
func TestRolePages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var want []string
	for i := range 7 {
		want = append(want, b.made("/api/v2/roles", fmt.Sprintf(`{"name":"role %d"}`, i)))
	}
	var got []string
	for page := range 4 {
		a := b.ok(200, "GET", fmt.Sprintf("/api/v2/roles?include_totals=true&per_page=2&page=%d", page), "")
		got = append(got, a.ids(t, "roles", "id")...)
		if o := a.object(t); o["total"] != 7.0 || o["limit"] != 2.0 || o["start"] != float64(2*page) {
			t.Errorf("page %d: %s", page, a.body)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b.ok(200, "GET", "/api/v2/roles?page=4000&per_page=100", "") // beyond the first 1,000
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user("ann@example.com")
	mine := "/api/v2/users/" + url.PathEscape(user)
	server := b.made("/api/v2/resource-servers", `{"name":"Shop","identifier":"https://shop.example/","scopes":[{"value":"read","description":"Reads"},{"value":"write"}]}`)
	role := b.made("/api/v2/roles", `{"name":"clerk"}`)
	pairs := func(names ...string) string {
		var out []string
		for _, name := range names {
			out = append(out, `{"resource_server_identifier":"https://shop.example/","permission_name":"`+name+`"}`)
		}
		return `{"permissions":[` + strings.Join(out, ",") + `]}`
	}
	b.ok(201, "POST", "/api/v2/roles/"+role+"/permissions", pairs("read", "write"))
	b.ok(201, "POST", "/api/v2/roles/"+role+"/permissions", pairs("read"))
	b.ok(204, "POST", mine+"/roles", `{"roles":["`+role+`"]}`)
	b.ok(201, "POST", mine+"/permissions", pairs("read"))
	b.ok(201, "POST", mine+"/permissions", pairs("read"))
	a := b.ok(200, "GET", mine+"/permissions", "")
	direct, byRole := `{"source_id":"","source_name":"","source_type":"DIRECT"}`, `{"source_id":"`+role+`","source_name":"clerk","source_type":"ROLE"}`
	row := func(name, about, sources string) string {
		return `{"permission_name":"` + name + `","description":"` + about + `","resource_server_name":"Shop","resource_server_identifier":"https://shop.example/","sources":[` + sources + `]}`
	}
	if want := "[" + row("read", "Reads", direct+","+byRole) + "," + row("write", "", byRole) + "]"; strings.TrimSpace(a.body) != want {
		t.Errorf("%s\nwant %s", a.body, want)
	}
	b.call("POST", mine+"/permissions", pairs("fly")).refuse(t, 400, "The permission does not exist: 'fly'", "")
	b.call("POST", mine+"/permissions", `{"permissions":[{"resource_server_identifier":"https://none","permission_name":"x"}]}`).refuse(t, 404, "The resource server does not exist: 'https://none'", "")
	b.call("POST", mine+"/permissions", `{"permissions":[{"permission_name":"x"}]}`).refuse(t, 400, "Payload validation error: 'Missing required property: resource_server_identifier' on property permissions.0.", "invalid_body")
	b.ok(204, "DELETE", mine+"/permissions", pairs("read", "fly"))
	if got := b.ok(200, "GET", mine+"/permissions?include_totals=true", "").ids(t, "permissions", "permission_name"); !cmp.Equal(got, []string{"read", "write"}) {
		t.Errorf("those of the role went: %v", got)
	}
	b.ok(204, "DELETE", mine+"/roles", `{"roles":["`+role+`","rol_none"]}`)
	if got := b.ok(200, "GET", mine+"/permissions", "").body; strings.TrimSpace(got) != "[]" {
		t.Errorf("%s", got)
	}
	b.ok(204, "DELETE", "/api/v2/roles/"+role+"/permissions", pairs("write"))
	if got := b.ok(200, "GET", "/api/v2/roles/"+role+"/permissions?include_totals=true", "").ids(t, "permissions", "permission_name"); !cmp.Equal(got, []string{"read"}) {
		t.Errorf("%v", got)
	}
	b.ok(204, "DELETE", "/api/v2/resource-servers/"+server, "")
	if got := b.ok(200, "GET", "/api/v2/roles/"+role+"/permissions", "").body; strings.TrimSpace(got) != "[]" {
		t.Errorf("a permission outlives its API: %s", got)
	}
}

func TestRoleUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	role := b.made("/api/v2/roles", `{"name":"clerk"}`)
	var users []string
	for i := range 5 {
		users = append(users, b.user(fmt.Sprintf("u%d@example.com", i)))
	}
	b.ok(200, "POST", "/api/v2/roles/"+role+"/users", `{"users":["`+strings.Join(users, `","`)+`"]}`)
	b.ok(200, "POST", "/api/v2/roles/"+role+"/users", `{"users":["`+users[0]+`"]}`)
	path := "/api/v2/roles/" + role + "/users"
	first := b.ok(200, "GET", path+"?take=3&include_totals=true&per_page=50", "")
	next, _ := first.object(t)["next"].(string)
	last := b.ok(200, "GET", path+"?take=3&from="+next, "")
	if got := append(first.ids(t, "users", "user_id"), last.ids(t, "users", "user_id")...); !cmp.Equal(got, users) {
		t.Errorf("%v, want %v", got, users)
	}
	if o := last.object(t); len(o) != 1 {
		t.Errorf("the last page has more than its rows: %s", last.body)
	}
	b.ok(204, "DELETE", "/api/v2/users/"+url.PathEscape(users[1]), "")
	if got := b.ok(200, "GET", path+"?include_totals=true", "").object(t)["total"]; got != 4.0 {
		t.Errorf("%v users after one was deleted", got)
	}
	b.ok(200, "DELETE", "/api/v2/roles/"+role, "")
	if got := b.ok(200, "GET", "/api/v2/users/"+url.PathEscape(users[0])+"/roles", "").body; strings.TrimSpace(got) != "[]" {
		t.Errorf("%s", got)
	}
}

// TestScopes makes sure that no operation answers a token without its scopes, and
// that every one says which it needs.
func TestScopes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.token = b.login("reader", "just look") // read:users only
	for _, r := range b.api.Routes() {
		if len(r.Scopes) == 0 {
			t.Errorf("%s %s needs no scope", r.Method, r.Pattern)
		}
		if strings.Contains(strings.Join(r.Scopes, " "), "read:users") || r.Method == "" {
			continue
		}
		path := strings.NewReplacer("{", "x", "}", "x").Replace(r.Pattern)
		a := b.call(r.Method, path, "{}")
		if a.status != 403 || !strings.Contains(a.body, "Insufficient scope, expected any of: "+strings.Join(r.Scopes, ",")) {
			t.Errorf("%s %s = %d %s", r.Method, path, a.status, a.body)
		}
	}
}
