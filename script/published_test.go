package script_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// rehearsed is a served sandbox, in a project folder of its own.
type rehearsed struct {
	dir, base, token string
	made             int // things made so far: their names are numbered
}

// rehearse serves a sandbox whose Okta answers with the statuses of 2022, in
// which year the published workflows were described: Okta itself answers 204 to
// a DELETE of a user and 201 to a role for a group.
func rehearse(t *testing.T) *rehearsed {
	t.Helper()
	r := &rehearsed{dir: t.TempDir()}
	const config = "data: .lanyard\nsandbox: {okta: {statuses: 2022}}\n"
	if err := os.WriteFile(filepath.Join(r.dir, "lanyard.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "lanyard", "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	cmd.Dir, cmd.Stderr = r.dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // how a server ends is tested elsewhere
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("lanyard serve: %v", err)
	}
	var addresses struct{ Okta string }
	if err := json.Unmarshal(line, &addresses); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, ".lanyard", "sandbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	var credentials struct{ OktaAPIToken string }
	if err := json.Unmarshal(text, &credentials); err != nil {
		t.Fatal(err)
	}
	r.base, r.token = addresses.Okta, credentials.OktaAPIToken
	return r
}

// call asks the directory through Okta's API.
func (r *rehearsed) call(t *testing.T, method, path, body string) (int, any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.base+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS "+r.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return resp.StatusCode, nil
	}
	v, err := value.Decode(data)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, v
}

// make makes something, which must work, and returns a member of the answer.
func (r *rehearsed) make(t *testing.T, path, body, member string) string {
	t.Helper()
	status, v := r.call(t, http.MethodPost, path, body)
	text := at(t, v, "/"+member)
	if status/100 != 2 || text == "" {
		t.Fatalf("POST %s: %d %v", path, status, v)
	}
	return text
}

// at returns the text at a pointer, "" without one.
func at(t *testing.T, v any, pointer string) string {
	t.Helper()
	p, err := value.ParsePointer(pointer)
	if err != nil {
		t.Fatal(err)
	}
	found, ok := p.Get(v)
	if !ok {
		return ""
	}
	return value.Text(found)
}

func (r *rehearsed) name(prefix string) string {
	r.made++
	return prefix + strconv.Itoa(r.made)
}

// user makes somebody who is active and can sign in.
func (r *rehearsed) user(t *testing.T) (id, login string) {
	t.Helper()
	login = r.name("person") + "@example.com"
	return r.make(t, "/users", `{"profile":{"login":"`+login+`","email":"`+login+`","firstName":"Pat","lastName":"`+strings.TrimSuffix(login, "@example.com")+`"},"credentials":{"password":{"value":"Correct-Horse-7"}}}`, "id"), login
}

func (r *rehearsed) group(t *testing.T) (id, name string) {
	t.Helper()
	name = r.name("Group ")
	return r.make(t, "/groups", `{"profile":{"name":"`+name+`"}}`, "id"), name
}

func (r *rehearsed) app(t *testing.T) string {
	t.Helper()
	return r.make(t, "/apps", `{"name":"bookmark","label":"`+r.name("App ")+`","signOnMode":"BOOKMARK","settings":{"app":{"url":"https://example.com/"}}}`, "id")
}

// holds reports whether the object, or list, at a path has a text at a pointer.
func (r *rehearsed) holds(t *testing.T, path, pointer, want string) {
	t.Helper()
	status, v := r.call(t, http.MethodGet, path, "")
	if got := at(t, v, pointer); status != http.StatusOK || got != want {
		t.Errorf("GET %s: %d, %s is %q, want %q", path, status, pointer, got, want)
	}
}

// lists reports whether a list has something of an id.
func (r *rehearsed) lists(t *testing.T, path, id string, want bool) {
	t.Helper()
	status, v := r.call(t, http.MethodGet, path, "")
	list, ok := v.([]any)
	found := false
	for _, item := range list {
		found = found || at(t, item, "/id") == id
	}
	if status != http.StatusOK || !ok || found != want {
		t.Errorf("GET %s: %d, has %s: %t, want %t", path, status, id, found, want)
	}
}

// rehearsal is one way to run a published workflow: its inputs, how many steps
// it takes, and what is true of the directory afterwards.
type rehearsal struct {
	inputs map[string]any
	steps  int
	check  func(t *testing.T, outputs any)
}

// rehearsals say for each published workflow what its author meant.
var rehearsals = map[string][]func(t *testing.T, r *rehearsed) rehearsal{
	"okta-assign-admin-role-to-group": {func(t *testing.T, r *rehearsed) rehearsal {
		g, _ := r.group(t)
		return rehearsal{map[string]any{"groupId": g, "roleType": "HELP_DESK_ADMIN"}, 2, func(t *testing.T, out any) {
			r.holds(t, "/groups/"+g+"/roles", "/0/id", at(t, out, "/roleId"))
			r.holds(t, "/groups/"+g+"/roles", "/0/type", "HELP_DESK_ADMIN")
		}}
	}},
	"okta-assign-admin-role-to-user": {func(t *testing.T, r *rehearsed) rehearsal {
		u, _ := r.user(t)
		return rehearsal{map[string]any{"userId": u, "roleType": "APP_ADMIN"}, 2, func(t *testing.T, out any) {
			r.holds(t, "/users/"+u+"/roles", "/0/id", at(t, out, "/roleId"))
			r.holds(t, "/users/"+u+"/roles", "/0/type", "APP_ADMIN")
		}}
	}},
	"okta-assign-group-to-application": {
		func(t *testing.T, r *rehearsed) rehearsal {
			g, name := r.group(t)
			a := r.app(t)
			return rehearsal{map[string]any{"groupName": name, "appId": a, "priority": json.Number("3")}, 2, func(t *testing.T, out any) {
				r.holds(t, "/apps/"+a+"/groups", "/0/id", g)
				r.holds(t, "/apps/"+a+"/groups", "/0/priority", "3")
			}}
		},
		func(t *testing.T, r *rehearsed) rehearsal {
			a := r.app(t)
			return rehearsal{map[string]any{"groupName": "No group of this name", "appId": a}, 1, func(t *testing.T, out any) {
				r.lists(t, "/apps/"+a+"/groups", "any", false)
			}}
		},
	},
	"okta-create-and-activate-application": {func(t *testing.T, r *rehearsed) rehearsal {
		label := r.name("App ")
		return rehearsal{map[string]any{"label": label, "signOnMode": "BOOKMARK", "name": "bookmark"}, 2, func(t *testing.T, out any) {
			r.holds(t, "/apps/"+at(t, out, "/appId"), "/status", "ACTIVE")
			r.holds(t, "/apps/"+at(t, out, "/appId"), "/label", label)
		}}
	}},
	"okta-create-and-activate-authenticator": {func(t *testing.T, r *rehearsed) rehearsal {
		return rehearsal{map[string]any{"key": "webauthn", "name": "Security keys"}, 2, func(t *testing.T, out any) {
			r.holds(t, "/authenticators/"+at(t, out, "/authenticatorId"), "/status", "ACTIVE")
		}}
	}},
	"okta-create-and-activate-group-rule": {func(t *testing.T, r *rehearsed) rehearsal {
		u, login := r.user(t)
		g, _ := r.group(t)
		return rehearsal{map[string]any{"ruleName": r.name("Rule "), "expressionValue": `user.login == "` + login + `"`, "targetGroupId": g}, 2, func(t *testing.T, out any) {
			r.holds(t, "/groups/rules/"+at(t, out, "/ruleId"), "/status", "ACTIVE")
			r.lists(t, "/groups/"+g+"/users", u, true)
		}}
	}},
	"okta-create-and-refresh-session": {func(t *testing.T, r *rehearsed) rehearsal {
		u, login := r.user(t)
		token := r.make(t, "/authn", `{"username":"`+login+`","password":"Correct-Horse-7"}`, "sessionToken")
		return rehearsal{map[string]any{"sessionToken": token}, 2, func(t *testing.T, out any) {
			r.holds(t, "/sessions/"+at(t, out, "/sessionId"), "/userId", u)
		}}
	}},
	"okta-create-app-assign-user-and-activate": {func(t *testing.T, r *rehearsed) rehearsal {
		u, _ := r.user(t)
		return rehearsal{map[string]any{"label": r.name("App "), "signOnMode": "BOOKMARK", "name": "bookmark", "userId": u}, 3, func(t *testing.T, out any) {
			r.holds(t, "/apps/"+at(t, out, "/appId"), "/status", "ACTIVE")
			r.lists(t, "/apps/"+at(t, out, "/appId")+"/users", u, true)
		}}
	}},
	"okta-create-group-and-add-members": {func(t *testing.T, r *rehearsed) rehearsal {
		u, _ := r.user(t)
		v, _ := r.user(t)
		return rehearsal{map[string]any{"groupName": r.name("Group "), "primaryUserId": u, "secondaryUserId": v}, 3, func(t *testing.T, out any) {
			r.lists(t, "/groups/"+at(t, out, "/groupId")+"/users", u, true)
			r.lists(t, "/groups/"+at(t, out, "/groupId")+"/users", v, true)
		}}
	}},
	"okta-create-policy-with-rule": {func(t *testing.T, r *rehearsed) rehearsal {
		return rehearsal{map[string]any{"policyType": "OKTA_SIGN_ON", "policyName": r.name("Policy "), "policyDescription": "Made", "ruleName": "All"}, 3, func(t *testing.T, out any) {
			p := "/policies/" + at(t, out, "/policyId")
			r.holds(t, p, "/status", "ACTIVE")
			r.lists(t, p+"/rules", at(t, out, "/ruleId"), true)
		}}
	}},
	"okta-create-user-with-group-membership": {func(t *testing.T, r *rehearsed) rehearsal {
		g, _ := r.group(t)
		login := r.name("member") + "@example.com"
		return rehearsal{map[string]any{"login": login, "email": login, "firstName": "M", "lastName": "B", "groupIds": []any{g}}, 2, func(t *testing.T, out any) {
			r.lists(t, "/groups/"+g+"/users", at(t, out, "/userId"), true)
			r.holds(t, "/users/"+login, "/status", "PROVISIONED")
		}}
	}},
	"okta-deactivate-and-delete-user": {func(t *testing.T, r *rehearsed) rehearsal {
		u, _ := r.user(t)
		return rehearsal{map[string]any{"userId": u}, 2, func(t *testing.T, out any) {
			if status, _ := r.call(t, http.MethodGet, "/users/"+u, ""); status != http.StatusNotFound {
				t.Errorf("the user is still there: %d", status)
			}
		}}
	}},
	"okta-enroll-and-activate-factor": {func(t *testing.T, r *rehearsed) rehearsal {
		u, _ := r.user(t)
		return rehearsal{map[string]any{"userId": u, "factorType": "token:software:totp", "provider": "GOOGLE", "passCode": "123456"}, 2, func(t *testing.T, out any) {
			r.holds(t, "/users/"+u+"/factors/"+at(t, out, "/factorId"), "/status", "ACTIVE")
		}}
	}},
	"okta-find-user-and-assign-app": {
		func(t *testing.T, r *rehearsed) rehearsal {
			u, login := r.user(t)
			a := r.app(t)
			return rehearsal{map[string]any{"query": login, "appId": a}, 2, func(t *testing.T, out any) {
				r.lists(t, "/apps/"+a+"/users", u, true)
			}}
		},
		func(t *testing.T, r *rehearsed) rehearsal {
			a := r.app(t)
			return rehearsal{map[string]any{"query": "nobody-of-that-name", "appId": a}, 1, func(t *testing.T, out any) {
				r.lists(t, "/apps/"+a+"/users", "any", false)
			}}
		},
	},
	"okta-find-user-and-suspend": {
		func(t *testing.T, r *rehearsed) rehearsal {
			u, login := r.user(t)
			return rehearsal{map[string]any{"query": login}, 2, func(t *testing.T, out any) {
				r.holds(t, "/users/"+u, "/status", "SUSPENDED")
			}}
		},
		func(t *testing.T, r *rehearsed) rehearsal {
			u, _ := r.user(t)
			return rehearsal{map[string]any{"query": "nobody-of-that-name"}, 1, func(t *testing.T, out any) {
				r.holds(t, "/users/"+u, "/status", "ACTIVE")
			}}
		},
	},
	"okta-offboard-user-clear-sessions": {func(t *testing.T, r *rehearsed) rehearsal {
		u, login := r.user(t)
		token := r.make(t, "/authn", `{"username":"`+login+`","password":"Correct-Horse-7"}`, "sessionToken")
		session := r.make(t, "/sessions", `{"sessionToken":"`+token+`"}`, "id")
		return rehearsal{map[string]any{"userId": u, "oauthTokens": true}, 2, func(t *testing.T, out any) {
			r.holds(t, "/users/"+u, "/status", "SUSPENDED")
			if status, _ := r.call(t, http.MethodGet, "/sessions/"+session, ""); status != http.StatusNotFound {
				t.Errorf("the session is still there: %d", status)
			}
		}}
	}},
	"okta-onboard-user-to-group-and-app": {func(t *testing.T, r *rehearsed) rehearsal {
		g, _ := r.group(t)
		a := r.app(t)
		login := r.name("joiner") + "@example.com"
		return rehearsal{map[string]any{"login": login, "email": login, "firstName": "J", "lastName": "N", "password": "Battery-Staple-9", "groupId": g, "appId": a}, 3, func(t *testing.T, out any) {
			u := at(t, out, "/userId")
			r.holds(t, "/users/"+u, "/status", "ACTIVE")
			r.lists(t, "/groups/"+g+"/users", u, true)
			r.lists(t, "/apps/"+a+"/users", u, true)
		}}
	}},
	"okta-provision-admin-user": {func(t *testing.T, r *rehearsed) rehearsal {
		login := r.name("admin") + "@example.com"
		return rehearsal{map[string]any{"login": login, "email": login, "firstName": "A", "lastName": "D", "roleType": "READ_ONLY_ADMIN"}, 2, func(t *testing.T, out any) {
			r.holds(t, "/users/"+at(t, out, "/userId")+"/roles", "/0/type", "READ_ONLY_ADMIN")
		}}
	}},
	"okta-reactivate-suspended-user": {func(t *testing.T, r *rehearsed) rehearsal {
		u, _ := r.user(t)
		r.call(t, http.MethodPost, "/users/"+u+"/lifecycle/suspend", "")
		return rehearsal{map[string]any{"userId": u}, 2, func(t *testing.T, out any) {
			if got := at(t, out, "/status"); got != "ACTIVE" {
				t.Errorf("status %q, want ACTIVE", got)
			}
		}}
	}},
	"okta-reset-and-reenroll-factor": {func(t *testing.T, r *rehearsed) rehearsal {
		u, _ := r.user(t)
		old := r.make(t, "/users/"+u+"/factors", `{"factorType":"question","provider":"OKTA","profile":{"question":"disliked_food","answer":"mayonnaise"}}`, "id")
		return rehearsal{map[string]any{"userId": u, "factorType": "token:software:totp", "provider": "OKTA"}, 2, func(t *testing.T, out any) {
			r.lists(t, "/users/"+u+"/factors", old, false)
			r.lists(t, "/users/"+u+"/factors", at(t, out, "/factorId"), true)
		}}
	}},
	// The groups of a rule cannot be changed, so the target stays what it was.
	"okta-update-group-rule-expression": {func(t *testing.T, r *rehearsed) rehearsal {
		u, login := r.user(t)
		g, _ := r.group(t)
		rule := r.make(t, "/groups/rules", `{"type":"group_rule","name":"`+r.name("Rule ")+`","conditions":{"expression":{"type":"urn:okta:expression:1.0","value":"user.login == \"nobody\""}},"actions":{"assignUserToGroups":{"groupIds":["`+g+`"]}}}`, "id")
		r.call(t, http.MethodPost, "/groups/rules/"+rule+"/lifecycle/activate", "")
		return rehearsal{map[string]any{"ruleId": rule, "ruleName": r.name("Rule "), "expressionValue": `user.login == "` + login + `"`, "targetGroupId": g}, 3, func(t *testing.T, out any) {
			r.holds(t, "/groups/rules/"+rule, "/status", "ACTIVE")
			r.lists(t, "/groups/"+g+"/users", u, true)
		}}
	}},
}

// Each of the published workflows, as it was written, ends on the sandbox as its
// author meant: with all its steps, and with the effect in the directory; and
// those that look for something end well when there is nothing.
func TestPublishedOktaSandbox(t *testing.T) {
	workflows := publishedWorkflows(t)
	r := rehearse(t)
	runs := 0
	for _, w := range workflows {
		if len(rehearsals[w.name]) == 0 || w.search != (len(rehearsals[w.name]) == 2) {
			t.Errorf("%s has %d rehearsals; one that searches needs two, any other one", w.name, len(rehearsals[w.name]))
		}
		for i, prepare := range rehearsals[w.name] {
			runs++
			t.Run(w.name+"/"+[]string{"hit", "nothing"}[i], func(t *testing.T) {
				meant := prepare(t, r)
				meant.inputs["oktaApiToken"] = oktaToken
				w.inputs = meant.inputs
				res := lanyard(t, r.dir, "run", w.file, "--dialect", "compat", "--sandbox", "--inputs", w.writeInputs(t, t.TempDir()), "-o", "json")
				out := readRun(t, res)
				if res.code != 0 || out.Status != "succeeded" || len(out.Steps) != meant.steps {
					t.Fatalf("exit %d, %s after %d steps, want %d: %v\n%s", res.code, out.Status, len(out.Steps), meant.steps, out.Error, res.stderr)
				}
				outputs, err := value.Decode(out.Outputs)
				if err != nil {
					t.Fatal(err)
				}
				meant.check(t, outputs)
			})
		}
	}
	if len(workflows) != 21 || runs != 24 {
		t.Errorf("%d workflows in %d runs, want 21 in 24", len(workflows), runs)
	}
}
