package okta_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// assignees are a user and a group with the address of their roles.
func (b *bench) assignees() (user, group string) {
	b.t.Helper()
	return "/api/v1/users/" + b.user(ann, "") + "/roles", "/api/v1/groups/" + b.group("G") + "/roles"
}

// TestRoleForms compares roles with their recorded forms, byte for byte.
func TestRoleForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		typ, user, group, label string // ids; one that ends in a star is a prefix
	}{
		{"SUPER_ADMIN", "ra1*", "gra*", "Super Administrator"},
		{"ORG_ADMIN", "ra1*", "gra*", "Organization Administrator"},
		{"APP_ADMIN", "IFIFAX2BIRGUSTQ", "IFIFAX2BIRGUSTQ", "Application Administrator"},
		{"USER_ADMIN", "KVJUKUS7IFCE2SKO", "KVJUKUS7IFCE2SKO", "Group Administrator"},
		{"HELP_DESK_ADMIN", "JBCUYUC7IRCVGS27IFCE2SKO", "JBCUYUC7IRCVGS27IFCE2SKO", "Help Desk Administrator"},
		{"READ_ONLY_ADMIN", "ra1*", "gra*", "Read-only Administrator"},
		{"GROUP_MEMBERSHIP_ADMIN", "I5JE6VKQL5GUKTKCIVJFGSCJKBPUCRCNJFHA", "I5JE6VKQL5GUKTKCIVJFGSCJKBPUCRCNJFHA", "Group Membership Administrator"},
		{"REPORT_ADMIN", "ra1*", "gra*", "Report Administrator"},
		{"API_ACCESS_MANAGEMENT_ADMIN", "ra1*", "gra*", "API Access Management Administrator"},
		{"MOBILE_ADMIN", "ra1*", "gra*", "Mobile Administrator"},
	}
	for _, test := range tests {
		t.Run(test.typ, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			user, group := b.assignees()
			for path, id := range map[string]string{user: test.user, group: test.group} {
				a := b.ok(201, "POST", path+"?disableNotifications=false", `{"type":"`+test.typ+`"}`)
				got, _ := a.object(t)["id"].(string)
				if prefix, ok := strings.CutSuffix(id, "*"); ok && strings.HasPrefix(got, prefix) && len(got) == 20 {
					id = got
				}
				kind := "USER"
				if path == group {
					kind = "GROUP"
				}
				at := b.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z")[:20] + "000Z"
				want := `{"id":"` + id + `","label":"` + test.label + `","type":"` + test.typ + `","status":"ACTIVE","created":"` + at + `","lastUpdated":"` + at +
					`","assignmentType":"` + kind + `","_links":{"assignee":{"href":"` + org + strings.TrimSuffix(path, "/roles") + `"}}}`
				if diff := cmp.Diff(want, strings.TrimSpace(a.body)); diff != "" {
					t.Errorf("POST: - want + got\n%s", diff)
				}
				if diff := cmp.Diff(want, strings.TrimSpace(b.ok(200, "GET", path+"/"+id, "").body)); diff != "" {
					t.Errorf("GET: - want + got\n%s", diff)
				}
				list := b.ok(200, "GET", path, "")
				if diff := cmp.Diff("["+want+"]", strings.TrimSpace(list.body)); diff != "" || list.header["Link"] != nil {
					t.Errorf("list with links %v: - want + got\n%s", list.header["Link"], diff)
				}
				wantProblem(t, b.call("POST", path, `{"type":"`+test.typ+`"}`), 409, "E0000090", "The role specified is already assigned to the user.")
				b.ok(204, "DELETE", path+"/"+id, "")
				wantProblem(t, b.call("DELETE", path+"/"+id, ""), 404, "E0000007", "Not found: Resource not found: "+id+" (RoleAssignment)")
				if got := strings.TrimSpace(b.ok(200, "GET", path, "").body); got != "[]" {
					t.Errorf("the list after the removal is %s", got)
				}
			}
		})
	}
}

// TestRolesInOrder makes sure that lists are in the order of assignment.
func TestRolesInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user, _ := b.assignees()
	want := []string{"USER_ADMIN", "SUPER_ADMIN", "APP_ADMIN"}
	for _, typ := range want {
		b.ok(201, "POST", user, `{"type":"`+typ+`"}`)
	}
	if diff := cmp.Diff(want, b.ok(200, "GET", user, "").list(t, "type")); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
	me := b.ok(200, "GET", "/api/v1/users/ann@example.com/roles", "")
	if diff := cmp.Diff(want, me.list(t, "type")); diff != "" {
		t.Errorf("by login: - want + got\n%s", diff)
	}
}

func TestRoleGroupTargets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, two := b.group("One"), b.group("Two")
	user, group := b.assignees()
	for _, path := range []string{user, group} {
		id := b.ok(201, "POST", path, `{"type":"USER_ADMIN"}`).object(t)["id"].(string)
		targets := path + "/" + id + "/targets/groups"
		if got := strings.TrimSpace(b.ok(200, "GET", targets+"?limit=200", "").body); got != "[]" {
			t.Errorf("targets at first: %s", got)
		}
		for _, g := range []string{two, one, one} {
			if a := b.ok(204, "PUT", targets+"/"+g, ""); a.body != "" {
				t.Errorf("PUT answers %q", a.body)
			}
		}
		a := b.ok(200, "GET", targets+"?limit=200", "")
		if diff := cmp.Diff([]string{one, two}, a.list(t, "id")); diff != "" {
			t.Errorf("targets: - want + got\n%s", diff)
		}
		if keys(t, strings.Trim(a.body, "[]\n"))[0] != "id" {
			t.Errorf("a target is %s", a.body)
		}
		link := a.header.Values("Link")
		if len(link) != 1 || !strings.HasPrefix(link[0], "<"+org+targets+"?after=PGE") || !strings.HasSuffix(link[0], `1&limit=20>; rel="self"`) ||
			len(link[0]) != len("<"+org+targets+`?after=&limit=20>; rel="self"`)+26 {
			t.Errorf("Link: %v", link)
		}
		moved := b.ok(200, "GET", path+"/"+id, "").object(t)
		if moved["lastUpdated"] == moved["created"] {
			t.Error("a target does not move lastUpdated")
		}
		b.ok(204, "DELETE", targets+"/"+two, "")
		wantProblem(t, b.call("DELETE", targets+"/"+two, ""), 404, "E0000007", "Not found: Resource not found: "+two+" (UserGroup)")
		wantProblem(t, b.call("DELETE", targets+"/"+one, ""), 400, "E0000001", "Api validation failed: targets", "The last target of a role cannot be removed. Remove the role instead.")
		wantProblem(t, b.call("PUT", targets+"/00gX", ""), 404, "E0000007", "Not found: Resource not found: 00gX (UserGroup)")

		// Assigned again, the role has no targets.
		b.ok(204, "DELETE", path+"/"+id, "")
		wantProblem(t, b.call("GET", targets, ""), 404, "E0000007", "Not found: Resource not found: "+id+" (RoleAssignment)")
		b.ok(201, "POST", path, `{"type":"USER_ADMIN"}`)
		if got := strings.TrimSpace(b.ok(200, "GET", targets, "").body); got != "[]" {
			t.Errorf("targets after a new assignment: %s", got)
		}
		b.ok(204, "PUT", targets+"/"+one, "")
	}
	b.ok(204, "DELETE", "/api/v1/groups/"+one, "")
	for _, path := range []string{user, group} {
		if got := strings.TrimSpace(b.ok(200, "GET", path+"/KVJUKUS7IFCE2SKO/targets/groups", "").body); got != "[]" {
			t.Errorf("targets after the group was deleted: %s", got)
		}
	}
	wantProblem(t, b.call("PUT", user+"/KVJUKUS7IFCE2SKO/targets/catalog/apps/facebook", ""), 400, "E0000091", "The provided role type was not the same as required role type.")
}

func TestRoleAppTargets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	addApp(t, b, "0oaOne", `{"label":"One","status":"ACTIVE"}`)
	user, group := b.assignees()
	for _, path := range []string{user, group} {
		id := b.ok(201, "POST", path, `{"type":"APP_ADMIN"}`).object(t)["id"].(string)
		targets := path + "/" + id + "/targets/catalog/apps"
		b.ok(204, "PUT", targets+"/template_swa/0oaOne", "")
		a := b.ok(200, "GET", targets+"?limit=200&status=ACTIVE", "")
		want := `[{"name":"One","status":"ACTIVE","id":"0oaOne","_links":{"self":{"href":"` + org + `/api/v1/apps/0oaOne"}}}]`
		if diff := cmp.Diff(want, strings.TrimSpace(a.body)); diff != "" {
			t.Errorf("- want + got\n%s", diff)
		}
		b.ok(204, "PUT", targets+"/facebook", "")
		b.ok(204, "PUT", targets+"/oidc_client", "")
		b.ok(204, "PUT", targets+"/oidc_client", "")
		b.ok(204, "DELETE", targets+"/template_swa/0oaOne", "")
		a = b.ok(200, "GET", targets, "")
		if diff := cmp.Diff([]string{"oidc_client", "facebook"}, a.list(t, "name")); diff != "" {
			t.Errorf("- want + got\n%s", diff)
		}
		first := strings.TrimPrefix(a.body, "[")
		first = first[:strings.Index(first, `,{"name":"facebook"`)]
		wantKeys := []string{"name", "displayName", "description", "status", "lastUpdated", "category", "verificationStatus", "website", "signOnModes", "features", "_links"}
		if diff := cmp.Diff(wantKeys, keys(t, first)); diff != "" {
			t.Errorf("keys: - want + got\n%s", diff)
		}
		b.ok(204, "DELETE", targets+"/facebook", "")
		wantProblem(t, b.call("DELETE", targets+"/facebook", ""), 404, "E0000007", "Not found: Resource not found: facebook (AppInstance)")
		wantProblem(t, b.call("DELETE", targets+"/oidc_client", ""), 400, "E0000001", "Api validation failed: targets", "The last target of a role cannot be removed. Remove the role instead.")
		wantProblem(t, b.call("PUT", targets+"/template_swa/0oaX", ""), 404, "E0000007", "Not found: Resource not found: 0oaX (AppInstance)")
		// The application as such takes the place of its instances.
		b.ok(204, "PUT", targets+"/template_swa/0oaOne", "")
		b.ok(204, "PUT", targets+"/template_swa", "")
		if diff := cmp.Diff([]string{"template_swa", "oidc_client"}, b.ok(200, "GET", targets, "").list(t, "name")); diff != "" {
			t.Errorf("- want + got\n%s", diff)
		}
		wantProblem(t, b.call("PUT", path+"/IFIFAX2BIRGUSTQ/targets/groups/"+b.group("T"+path), ""), 400, "E0000091", "The provided role type was not the same as required role type.")
	}
}

// addApp stores the record of an application.
func addApp(t *testing.T, b *bench, id, body string) {
	t.Helper()
	err := b.dir.Store.Update(t.Context(), func(tx directory.Tx) error {
		return tx.InsertRecord(&directory.Record{Realm: directory.OktaRealm, Noun: directory.AppNoun, ID: id, Version: 1, Body: []byte(body)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRoleProblems(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	ruled := b.group("Ruled")
	b.rule("R", "true", ruled)
	imported := &directory.Group{
		ID: "00gImported", Realm: directory.OktaRealm, Type: directory.AppGroup, Profile: map[string]any{"name": "Imported"}, Version: 1,
		Created: b.clock.Now(), Updated: b.clock.Now(), MembershipUpdated: b.clock.Now(),
	}
	if err := b.dir.Store.Update(t.Context(), func(tx directory.Tx) error { return tx.InsertGroup(imported) }); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, method, path, body string
		status                   int
		code, summary            string
		causes                   []string
	}{
		{"unknown user", "GET", "users/00uX/roles", "", 404, "E0000007", "Not found: Resource not found: 00uX (User)", nil},
		{"unknown group", "POST", "groups/00gX/roles", `{"type":"APP_ADMIN"}`, 404, "E0000007", "Not found: Resource not found: 00gX (UserGroup)", nil},
		{"unknown type", "POST", "users/me/roles", `{"type":"KING"}`, 400, "E0000001", "Api validation failed: type", []string{"type: 'KING' is not the type of a role"}},
		{"no type", "POST", "users/me/roles", `{}`, 400, "E0000001", "Api validation failed: type", []string{"type: '' is not the type of a role"}},
		{"no body", "POST", "users/me/roles", "", 400, "E0000003", "The request body was not well-formed.", nil},
		{"type is no text", "POST", "users/me/roles", `{"type":5}`, 400, "E0000003", "The request body was not well-formed.", nil},
		{"notifications", "POST", "users/me/roles?disableNotifications=x", `{"type":"APP_ADMIN"}`, 400, "E0000001", "Api validation failed: disableNotifications", []string{"disableNotifications: must be true or false"}},
		{"unknown role", "GET", "users/me/roles/x", "", 404, "E0000007", "Not found: Resource not found: x (RoleAssignment)", nil},
		{"targets of an unknown role", "PUT", "users/me/roles/x/targets/groups/" + directory.EngineeringGroup, "", 404, "E0000007", "Not found: Resource not found: x (RoleAssignment)", nil},
		{"Everyone", "POST", "groups/00g0everyone000001d7/roles", `{"type":"APP_ADMIN"}`, 400, "E0000211", "Roles cannot be granted to built-in groups: Everyone", nil},
		{"with rules", "POST", "groups/" + ruled + "/roles", `{"type":"APP_ADMIN"}`, 400, "E0000192", "Roles cannot be granted to groups with group membership rules. Ruled", nil},
		{"of an application", "POST", "groups/00gImported/roles", `{"type":"APP_ADMIN"}`, 400, "E0000194", "Roles can only be granted to Okta groups, AD groups and LDAP groups. Imported", nil},
		{"custom, unknown role", "POST", "users/me/roles", `{"type":"CUSTOM","role":"cr0X","resource-set":"WORKFLOWS_IAM_POLICY"}`, 404, "E0000007", "Not found: Resource not found: cr0X (CustomRole)", nil},
		{"unknown custom role", "GET", "iam/roles/cr0X", "", 404, "E0000007", "Not found: Resource not found: cr0X (CustomRole)", nil},
		{"custom role without label", "POST", "iam/roles", `{"description":"d","permissions":[]}`, 400, "E0000001", "Api validation failed: label", []string{"label: The field cannot be left blank"}},
		{"cursor", "GET", "iam/assignees/users?after=00gX", "", 400, "E0000029", "Invalid paging request.", []string{"Invalid cursor."}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(t, b.call(test.method, "/api/v1/"+test.path, test.body), test.status, test.code, test.summary, test.causes...)
		})
	}
}

func TestCustomRoles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if got := strings.TrimSpace(b.ok(200, "GET", "/api/v1/iam/roles", "").body); got != `{"roles":[],"_links":{}}` {
		t.Errorf("no roles: %s", got)
	}
	a := b.ok(200, "POST", "/api/v1/iam/roles", `{"label":"UserCreator","description":"Create users","permissions":["okta.users.create"]}`)
	id := a.object(t)["id"].(string)
	want := `{"id":"` + id + `","label":"UserCreator","description":"Create users","created":"2026-03-04T05:06:09.000Z","lastUpdated":"2026-03-04T05:06:09.000Z",` +
		`"_links":{"permissions":{"href":"` + org + `/api/v1/iam/roles/` + id + `/permissions"},"self":{"href":"` + org + `/api/v1/iam/roles/` + id + `"}}}`
	for _, path := range []string{id, "UserCreator"} {
		if diff := cmp.Diff(want, strings.TrimSpace(b.ok(200, "GET", "/api/v1/iam/roles/"+path, "").body)); diff != "" {
			t.Errorf("%s: - want + got\n%s", path, diff)
		}
	}
	permissions := `{"permissions":[{"label":"okta.users.create","created":"2026-03-04T05:06:09.000Z","lastUpdated":"2026-03-04T05:06:09.000Z",` +
		`"_links":{"role":{"href":"` + org + `/api/v1/iam/roles/` + id + `"},"self":{"href":"` + org + `/api/v1/iam/roles/` + id + `/permissions/okta.users.create"}}}]}`
	if diff := cmp.Diff(permissions, strings.TrimSpace(b.ok(200, "GET", "/api/v1/iam/roles/UserCreator/permissions", "").body)); diff != "" {
		t.Errorf("permissions: - want + got\n%s", diff)
	}
	wantProblem(t, b.call("POST", "/api/v1/iam/roles", `{"label":"usercreator","description":"x","permissions":[]}`), 400, "E0000001", "Api validation failed: label",
		"label: There is already an admin role with this name.")
	if got := strings.TrimSpace(b.ok(200, "GET", "/api/v1/iam/resource-sets", "").body); got != `{"resource-sets":[],"_links":{}}` {
		t.Errorf("resource sets: %s", got)
	}

	user, _ := b.assignees()
	custom := `{"type":"CUSTOM","role":"` + id + `","resource-set":"WORKFLOWS_IAM_POLICY"}`
	wantProblem(t, b.call("POST", user, strings.Replace(custom, "WORKFLOWS_IAM_POLICY", "iamX", 1)), 404, "E0000007", "Not found: Resource not found: iamX (IAMPolicy)")
	assigned := b.ok(201, "POST", user, custom)
	wantKeys := []string{"id", "role", "label", "type", "status", "created", "lastUpdated", "assignmentType", "resource-set", "_links"}
	if diff := cmp.Diff(wantKeys, keys(t, assigned.body)); diff != "" {
		t.Errorf("keys: - want + got\n%s", diff)
	}
	wantProblem(t, b.call("POST", user, custom), 409, "E0000090", "The role specified is already assigned to the user.")
	b.ok(201, "POST", user, `{"type":"WORKFLOWS_ADMIN"}`)
	b.ok(204, "DELETE", "/api/v1/iam/roles/UserCreator", "")
	if diff := cmp.Diff([]string{"WORKFLOWS_ADMIN"}, b.ok(200, "GET", user, "").list(t, "type")); diff != "" {
		t.Errorf("after the role was deleted: - want + got\n%s", diff)
	}

	for i := range 3 {
		b.ok(200, "POST", "/api/v1/iam/roles", fmt.Sprintf(`{"label":"R%d","description":"d","permissions":[]}`, i))
	}
	page := b.ok(200, "GET", "/api/v1/iam/roles?limit=2", "").object(t)
	next := page["_links"].(map[string]any)["next"].(map[string]any)["href"].(string)
	rest := b.ok(200, "GET", strings.TrimPrefix(next, org), "").object(t)
	if n := len(page["roles"].([]any)); n != 2 || len(rest["roles"].([]any)) != 1 || len(rest["_links"].(map[string]any)) != 0 {
		t.Errorf("%d roles, then %v", n, rest)
	}
}

func TestAssignees(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	user, group := b.assignees()
	b.ok(201, "POST", user, `{"type":"APP_ADMIN"}`)
	b.ok(201, "POST", user, `{"type":"USER_ADMIN"}`)
	b.ok(201, "POST", group, `{"type":"USER_ADMIN"}`)
	first := b.ok(200, "GET", "/api/v1/iam/assignees/users?limit=1", "").object(t)
	self := org + "/api/v1/users/" + directory.Administrator
	value := first["value"].([]any)[0].(map[string]any)
	links := map[string]any{"self": map[string]any{"href": self}, "roles": map[string]any{"href": self + "/roles"}}
	if diff := cmp.Diff(links, value["_links"]); diff != "" || value["id"] != directory.Administrator {
		t.Errorf("%v: - want + got\n%s", value, diff)
	}
	next := first["_links"].(map[string]any)["next"].(map[string]any)["href"].(string)
	second := b.ok(200, "GET", strings.TrimPrefix(next, org), "").object(t)
	if id := second["value"].([]any)[0].(map[string]any)["id"].(string); !strings.Contains(user, id) || len(second["_links"].(map[string]any)) != 0 {
		t.Errorf("the second page is %v", second)
	}
}

// TestRoleScopes makes sure that roles have scopes of their own.
func TestRoleScopes(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	limited := b.serveWith("okta.users.manage", "okta.groups.manage")
	for _, path := range []string{"users/me/roles", "groups/" + directory.EngineeringGroup + "/roles", "iam/roles", "iam/assignees/users"} {
		wantProblem(t, limited.call("GET", "/api/v1/"+path, ""), 403, "E0000006", "You do not have permission to perform the requested action")
	}
	reader := b.serveWith("okta.roles.read")
	reader.ok(200, "GET", "/api/v1/users/me/roles", "")
	wantProblem(t, reader.call("POST", "/api/v1/users/me/roles", `{"type":"APP_ADMIN"}`), 403, "E0000006", "You do not have permission to perform the requested action")
	wantProblem(t, reader.call("GET", rulesPath, ""), 403, "E0000006", "You do not have permission to perform the requested action")
}

// serveWith is the same org for a caller with some scopes only.
func (b *bench) serveWith(scopes ...string) *bench {
	c := *b
	return c.serve(scoped(scopes...))
}
