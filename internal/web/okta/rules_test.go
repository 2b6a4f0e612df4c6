package okta_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
)

const rulesPath = "/api/v1/groups/rules"

// ruleBody is a rule as clients send it.
func ruleBody(name, expression string, groups ...string) string {
	return fmt.Sprintf(`{"actions":{"assignUserToGroups":{"groupIds":["%s"]}},"conditions":{"expression":{"type":"urn:okta:expression:1.0","value":%q}},"name":%q,"type":"group_rule"}`,
		strings.Join(groups, `","`), expression, name)
}

func (b *bench) rule(name, expression string, groups ...string) string {
	b.t.Helper()
	return b.ok(200, "POST", rulesPath, ruleBody(name, expression, groups...)).object(b.t)["id"].(string)
}

// TestRuleForm compares a rule with the recorded form, byte for byte.
func TestRuleForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g, u := b.group("G"), b.user(ann, "")
	a := b.ok(200, "POST", rulesPath, `{"actions":{"assignUserToGroups":{"groupIds":["`+g+`"]}},"conditions":{"expression":{"type":"urn:okta:expression:1.0","value":"String.startsWith(user.firstName,\"andy\")"},"people":{"users":{}}},"name":"R","type":"group_rule"}`)
	id := a.object(t)["id"].(string)
	want := `{"type":"group_rule","id":"` + id + `","status":"INACTIVE","name":"R","created":"2026-03-04T05:06:10.000Z","lastUpdated":"2026-03-04T05:06:10.000Z",` +
		`"conditions":{"people":{"users":{"exclude":[]},"groups":{"exclude":[]}},"expression":{"value":"String.startsWith(user.firstName,\"andy\")","type":"urn:okta:expression:1.0"}},` +
		`"actions":{"assignUserToGroups":{"groupIds":["` + g + `"]}},"allGroupsValid":true}`
	if diff := cmp.Diff(want, strings.TrimSpace(a.body)); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
	if !strings.HasPrefix(id, "0pr") || len(id) != 20 {
		t.Errorf("id %q", id)
	}

	// The whole answer can be sent back; what the server owns is ignored.
	changed := strings.NewReplacer(`"users":{"exclude":[]}`, `"users":{"exclude":["`+u+`"]}`, `"R"`, `"R2"`, `"INACTIVE"`, `"ACTIVE"`).Replace(a.body)
	got := b.ok(200, "PUT", rulesPath+"/"+id, changed).body
	want = strings.NewReplacer(`"users":{"exclude":[]}`, `"users":{"exclude":["`+u+`"]}`, `"R"`, `"R2"`, `"lastUpdated":"2026-03-04T05:06:10`, `"lastUpdated":"2026-03-04T05:06:11`).Replace(want)
	if diff := cmp.Diff(want, strings.TrimSpace(got)); diff != "" {
		t.Errorf("after PUT: - want + got\n%s", diff)
	}

	if a := b.ok(204, "POST", rulesPath+"/"+id+"/lifecycle/activate", ""); a.body != "" {
		t.Errorf("activate answers %q", a.body)
	}
	want = strings.NewReplacer(`"INACTIVE"`, `"ACTIVE"`, `"lastUpdated":"2026-03-04T05:06:11`, `"lastUpdated":"2026-03-04T05:06:12`).Replace(want)
	if diff := cmp.Diff(want, strings.TrimSpace(b.ok(200, "GET", rulesPath+"/"+id, "").body)); diff != "" {
		t.Errorf("after activation: - want + got\n%s", diff)
	}

	expanded := b.ok(200, "GET", rulesPath+"/"+id+"?expand=groupIdToGroupNameMap", "").body
	if !strings.HasSuffix(strings.TrimSpace(expanded), `"allGroupsValid":true,"_embedded":{"groupIdToGroupNameMap":{"`+g+`":"G"}}}`) {
		t.Errorf("expanded: %s", expanded)
	}
	b.ok(204, "DELETE", "/api/v1/groups/"+g, "")
	invalid := b.ok(200, "GET", rulesPath+"/"+id+"?expand=groupIdToGroupNameMap", "").body
	if !strings.Contains(invalid, `"status":"INVALID"`) || !strings.Contains(invalid, `"groupIds":["`+g+`"]`) ||
		!strings.Contains(invalid, `"allGroupsValid":false,"_embedded":{"groupIdToGroupNameMap":{}}`) {
		t.Errorf("after its group was deleted: %s", invalid)
	}
	if a := b.ok(202, "DELETE", rulesPath+"/"+id, ""); strings.TrimSpace(a.body) != "{}" {
		t.Errorf("DELETE answers %q", a.body)
	}
	wantProblem(t, b.call("GET", rulesPath+"/"+id, ""), 404, "E0000007", "Not found: Resource not found: "+id+" (PolicyRule)")
}

// TestRuleLife is the sequence of the Go SDK's test of group rules.
func TestRuleLife(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	u, g := b.user(annWithPassword, ""), b.group("G")
	members := func() []string { return b.ok(200, "GET", "/api/v1/groups/"+g+"/users", "").list(t, "id") }
	id := b.rule("R", `user.lastName=="Lee"`, g)
	b.ok(204, "POST", rulesPath+"/"+id+"/lifecycle/activate", "")
	if diff := cmp.Diff([]string{u}, members()); diff != "" {
		t.Errorf("activated: - want + got\n%s", diff)
	}
	wantProblem(t, b.call("PUT", rulesPath+"/"+id, ruleBody("R", `true`, g)), 400, "E0000001", "Api validation failed: updateRule",
		"only an INACTIVE rule can be changed, and this one is ACTIVE")
	wantProblem(t, b.call("DELETE", rulesPath+"/"+id, ""), 400, "E0000001", "Api validation failed: deleteRule",
		"an ACTIVE rule cannot be deleted; deactivate it first")
	b.ok(204, "POST", rulesPath+"/"+id+"/lifecycle/deactivate", "")
	b.ok(200, "PUT", rulesPath+"/"+id, ruleBody("R2", `user.lastName=="Incorrect"`, g))
	b.ok(204, "POST", rulesPath+"/"+id+"/lifecycle/activate", "")
	if diff := cmp.Diff([]string{}, members()); diff != "" {
		t.Errorf("activated again: - want + got\n%s", diff)
	}
	b.ok(204, "POST", rulesPath+"/"+id+"/lifecycle/deactivate", "")
	b.ok(204, "DELETE", "/api/v1/groups/"+g, "")
	b.ok(202, "DELETE", rulesPath+"/"+id, "")
}

func TestRemoveUsers(t *testing.T) {
	t.Parallel()
	for query, stay := range map[string]int{"": 1, "?removeUsers=false": 1, "?removeUsers=true": 0} {
		b := newBench(t)
		b.user(ann, "")
		g := b.group("G")
		id := b.rule("R", `user.lastName=="Lee"`, g)
		b.ok(204, "POST", rulesPath+"/"+id+"/lifecycle/activate", "")
		b.ok(204, "POST", rulesPath+"/"+id+"/lifecycle/deactivate", "")
		b.ok(202, "DELETE", rulesPath+"/"+id+query, "")
		if got := b.ok(200, "GET", "/api/v1/groups/"+g+"/users", "").list(t, "id"); len(got) != stay {
			t.Errorf("DELETE %s left %d members, want %d", query, len(got), stay)
		}
	}
}

func TestListRules(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	for _, name := range []string{"North one", "North two", "South"} {
		b.rule(name, "true", g)
	}
	tests := []struct {
		query, self string
		want        []string
	}{
		{"", "?limit=50", []string{"North one", "North two", "South"}},
		{"?limit=1&search=south", "?limit=1&search=south", []string{"South"}},
		{"?search=North+t", "?limit=50&search=North+t", []string{"North two"}},
		{"?q=North", "?limit=50&q=North", []string{"North one", "North two"}},
		{"?search=one", "?limit=50&search=one", []string{}},
	}
	for _, test := range tests {
		a := b.ok(200, "GET", rulesPath+test.query, "")
		if diff := cmp.Diff(test.want, a.list(t, "name")); diff != "" {
			t.Errorf("%s: - want + got\n%s", test.query, diff)
		}
		if diff := cmp.Diff([]string{"<" + org + rulesPath + test.self + `>; rel="self"`}, a.header.Values("Link")); diff != "" {
			t.Errorf("%s: Link: - want + got\n%s", test.query, diff)
		}
	}
	all, pages := b.pages(rulesPath+"?limit=2", "name")
	if diff := cmp.Diff([]string{"North one", "North two", "South"}, all); diff != "" || pages != 2 {
		t.Errorf("%d pages: - want + got\n%s", pages, diff)
	}
	if names := b.ok(200, "GET", rulesPath+"?expand=groupIdToGroupNameMap", "").list(t, "_embedded", "groupIdToGroupNameMap", g); names[0] != "G" {
		t.Errorf("expanded: %v", names)
	}
	wantProblem(t, b.call("GET", rulesPath+"?after=00gX", ""), 400, "E0000029", "Invalid paging request.", "Invalid cursor.")
	if link := b.ok(200, "GET", rulesPath+"?limit=201", "").header.Get("Link"); !strings.Contains(link, "?limit=200>") {
		t.Errorf("the greatest page: %s", link)
	}
}

func TestRuleProblems(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	g := directory.EngineeringGroup
	b.rule("Taken", "true", g)
	admins := b.group("Admins")
	b.ok(201, "POST", "/api/v1/groups/"+admins+"/roles", `{"type":"APP_ADMIN"}`)
	b.ok(204, "DELETE", "/api/v1/groups/"+func() string {
		doomed := b.group("Doomed")
		b.rule("Invalid", "true", doomed)
		return doomed
	}(), "")
	invalid := b.ok(200, "GET", rulesPath+"?search=Invalid", "").list(t, "id")[0]
	tests := []struct {
		name, method, path, body string
		status                   int
		code, summary            string
		causes                   []string
	}{
		{"unknown", "GET", "/0prX", "", 404, "E0000007", "Not found: Resource not found: 0prX (PolicyRule)", nil},
		{"unknown, activate", "POST", "/0prX/lifecycle/activate", "", 404, "E0000007", "Not found: Resource not found: 0prX (PolicyRule)", nil},
		{"unknown, delete", "DELETE", "/0prX", "", 404, "E0000007", "Not found: Resource not found: 0prX (PolicyRule)", nil},
		{"unknown, replace", "PUT", "/0prX", ruleBody("R", "true", g), 404, "E0000007", "Not found: Resource not found: 0prX (PolicyRule)", nil},
		{"no body", "POST", "", "", 400, "E0000003", "The request body was not well-formed.", nil},
		{"bad list", "POST", "", strings.Replace(ruleBody("R", "true", g), `["`+g+`"]`, `"x"`, 1), 400, "E0000003", "The request body was not well-formed.", nil},
		{"bad element", "POST", "", strings.Replace(ruleBody("R", "true", g), `["`+g+`"]`, `[5]`, 1), 400, "E0000003", "The request body was not well-formed.", nil},
		{"type", "POST", "", `{"type":"x"}`, 400, "E0000001", "Api validation failed: type", []string{"type: only group_rule is allowed"}},
		{"language", "POST", "", strings.Replace(ruleBody("R", "true", g), "urn:okta:expression:1.0", "cel", 1), 400, "E0000001", "Api validation failed: validateRule", []string{"type: only urn:okta:expression:1.0 is allowed"}},
		{"no name", "POST", "", ruleBody("", "true", g), 400, "E0000001", "Api validation failed: name", []string{"name: The field cannot be left blank"}},
		{"taken", "POST", "", ruleBody("Taken", "true", g), 400, "E0000001", "Api validation failed: name", []string{"name: Policy rule name already in use"}},
		{"no groups", "POST", "", strings.Replace(ruleBody("R", "true", g), `["`+g+`"]`, `[]`, 1), 400, "E0000001", "Api validation failed: groupIds", []string{"groupIds: The field cannot be left blank"}},
		{"unknown group", "POST", "", ruleBody("R", "true", "00gX"), 404, "E0000007", "Not found: Resource not found: 00gX (UserGroup)", nil},
		{"Everyone", "POST", "", ruleBody("R", "true", "00g0everyone000001d7"), 400, "E0000001", "Api validation failed: validateRule", []string{`group "Everyone" is a BUILT_IN group, which rules cannot fill`}},
		{"admins", "POST", "", ruleBody("R", "true", admins), 400, "E0000001", "Api validation failed: validateRule", []string{`group "Admins" has admin roles, so rules cannot fill it`}},
		{"expression", "POST", "", ruleBody("R", "user.a =", g), 400, "E0000001", "Api validation failed: validateRule", []string{"expression, character 8: values are compared with ==, and nothing can be assigned"}},
		{"activate the invalid", "POST", "/" + invalid + "/lifecycle/activate", "", 400, "E0000001", "Api validation failed: updateRuleStatus", []string{"the rule names a group that has been deleted"}},
		{"removeUsers", "DELETE", "/" + invalid + "?removeUsers=x", "", 400, "E0000001", "Api validation failed: removeUsers", []string{"removeUsers: must be true or false"}},
		{"method", "PATCH", "/" + invalid, "", 405, "E0000022", "The endpoint does not support the provided HTTP method", nil},
		{"path", "GET", "/" + invalid + "/x", "", 404, "E0000008", "The requested path was not found", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(t, b.call(test.method, rulesPath+test.path, test.body), test.status, test.code, test.summary, test.causes...)
		})
	}
}
