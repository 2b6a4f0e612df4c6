package okta_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/oauth"
)

// orgChart is an org with administrators of every kind and what they may and
// may not touch. Names in braces stand for ids in paths and bodies.
type orgChart struct {
	*authBench
	ids map[string]string
}

func newOrgChart(t *testing.T) *orgChart {
	t.Helper()
	c := &orgChart{authBench: newAuth(t), ids: map[string]string{}}
	c.oauth.Roles = func(ctx context.Context, id string) (roles []string, err error) {
		types, err := c.dir.RolesOf(ctx, directory.OktaRealm, id)
		for _, one := range types {
			roles = append(roles, string(one))
		}
		return roles, err
	}
	for _, name := range []string{"IN", "OUT", "ADMINS"} {
		c.ids[name] = c.group(name)
	}
	for name, groups := range map[string]string{"in": "IN", "out": "OUT", "super": "IN", "viewer": "IN", "byGroup": "ADMINS", "admin": "OUT"} {
		c.ids[name] = c.user(fmt.Sprintf(
			`{"profile":{"firstName":"A","lastName":"B","email":"%[1]s@example.com","login":"%[1]s@example.com"},"credentials":{"password":{"value":"Sesame4you"}},"groupIds":["%[2]s"]}`,
			name, c.ids[groups]), "?activate=true")
	}
	c.grant("users", "super", "SUPER_ADMIN")
	c.grant("users", "viewer", "READ_ONLY_ADMIN")
	c.grant("groups", "ADMINS", "SUPER_ADMIN")
	for _, name := range []string{"app", "other"} {
		c.ids[name] = c.ok(200, "POST", "/api/v1/apps", `{"name":"bookmark","label":"`+name+`","signOnMode":"BOOKMARK","settings":{"app":{"url":"https://a.example"}}}`).object(t)["id"].(string)
	}
	c.ids["service"] = c.service("")
	c.ok(201, "POST", "/oauth2/v1/clients/"+c.ids["service"]+"/roles", `{"type":"READ_ONLY_ADMIN"}`)
	return c
}

// grant gives a role to somebody and limits it to targets.
func (c *orgChart) grant(kind, who, role string, targets ...string) {
	c.t.Helper()
	path := "/api/v1/" + kind + "/" + c.ids[who] + "/roles"
	id := c.ok(201, "POST", path, `{"type":"`+role+`"}`).object(c.t)["id"].(string)
	for _, target := range targets {
		c.ok(204, "PUT", c.fill(path+"/"+id+"/targets/"+target), "")
	}
}

func (c *orgChart) fill(text string) string {
	for name, id := range c.ids {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

// tokenOf makes an API token of an account.
func (c *orgChart) tokenOf(who, role string) []string {
	c.t.Helper()
	token, _, err := c.oauth.CreateAPIToken(c.t.Context(), directory.System("test"), oauth.NewAPIToken{Name: who, As: c.ids[who], Role: role})
	if err != nil {
		c.t.Fatal(err)
	}
	return []string{"Authorization", "SSWS " + token}
}

// newUser is the body of a new user in some groups.
func newUser(groups string) string {
	return `{"profile":{"firstName":"N","lastName":"N","email":"n@example.com","login":"n@example.com"},"groupIds":[` + groups + `]}`
}

// TestRoleTargets makes sure that limited roles stay within their targets, and
// that nobody but super administrators gets at administrators.
func TestRoleTargets(t *testing.T) {
	t.Parallel()
	const change = `{"profile":{"nickName":"N"}}`
	tests := []struct {
		role    string
		targets []string
		may     []string // METHOD path body
		mayNot  []string
	}{
		{
			"USER_ADMIN", []string{"groups/{IN}"},
			[]string{
				"GET users/{in}", "POST users/{in} " + change, "POST users/in@example.com " + change, "POST users/{in}/lifecycle/suspend",
				"PUT groups/{IN}/users/{in}", "DELETE groups/{IN}/users/{in}", `POST users ` + newUser(`"{IN}"`), "GET groups/{IN}", "GET groups/{IN}/users",
				"POST users/{super}/lifecycle/suspend", "DELETE users/{super}/sessions", "GET users/me", "POST users/me " + change,
			},
			[]string{
				"GET users/{out}", "POST users/{out} " + change, "PUT users/{out} " + change, "POST users/out@example.com " + change,
				"DELETE users/{out}", "POST users/{out}/lifecycle/reset_password?sendEmail=false", "DELETE users/{out}/sessions", "GET users/{out}/groups",
				"PUT groups/{IN}/users/{out}", "PUT groups/{OUT}/users/{in}", "DELETE groups/{OUT}/users/{out}", "PUT groups/{ADMINS}/users/{in}",
				"PUT groups/{ADMINS}/users/me", "GET groups/{OUT}", "GET groups/{OUT}/users", "DELETE groups/{IN}",
				`POST groups {"profile":{"name":"New"}}`, `POST users ` + newUser(``), `POST users ` + newUser(`"{OUT}"`), `POST users ` + newUser(`"{IN}","{OUT}"`),
				`POST groups/rules {"type":"group_rule","name":"R","conditions":{"expression":{"value":"true","type":"urn:okta:expression:1.0"}},"actions":{"assignUserToGroups":{"groupIds":["{IN}"]}}}`,
				"GET groups/rules", "POST users/{super} " + change, "POST users/{super}/lifecycle/reset_password?sendEmail=false",
				"POST users/{super}/lifecycle/deactivate", "POST users/{viewer}/lifecycle/reset_password?sendEmail=false", "POST apps/{app}/lifecycle/deactivate",
				`POST users/me/roles {"type":"SUPER_ADMIN"}`, "GET api-tokens",
			},
		},
		{
			"USER_ADMIN", nil,
			[]string{"POST users/{out} " + change, "PUT groups/{OUT}/users/{in}", `POST users ` + newUser(`"{OUT}"`), `POST users ` + newUser(``), "GET groups/rules"},
			[]string{
				"PUT groups/{ADMINS}/users/{in}", "PUT groups/{ADMINS}/users/me", "DELETE groups/{ADMINS}/users/{byGroup}", `PUT groups/{ADMINS} {"profile":{"name":"Mine"}}`,
				`POST users ` + newUser(`"{ADMINS}"`), "POST users/{byGroup}/lifecycle/expire_password_with_temp_password", "POST users/{byGroup} " + change,
				"DELETE groups/{OUT}", `POST groups {"profile":{"name":"New"}}`,
			},
		},
		{
			"HELP_DESK_ADMIN", []string{"groups/{IN}"},
			[]string{"GET users/{in}", "POST users/{in}/lifecycle/reset_password?sendEmail=false", "DELETE users/{in}/sessions", "DELETE users/{super}/sessions"},
			[]string{
				"GET users/{out}", "POST users/{out}/lifecycle/reset_password?sendEmail=false", "POST users/{out}/lifecycle/unlock", "DELETE users/{out}/sessions",
				"POST users/{out}/credentials/forgot_password?sendEmail=false", "POST users/{super}/lifecycle/reset_password?sendEmail=false",
				"POST users/{in} " + change, "PUT groups/{IN}/users/{in}", `POST users ` + newUser(`"{IN}"`),
			},
		},
		{
			"HELP_DESK_ADMIN", nil,
			[]string{"POST users/{out}/lifecycle/reset_password?sendEmail=false"},
			[]string{"POST users/{super}/lifecycle/expire_password_with_temp_password", "POST users/{byGroup}/credentials/forgot_password?sendEmail=false"},
		},
		{
			"GROUP_MEMBERSHIP_ADMIN", []string{"groups/{IN}"},
			[]string{"PUT groups/{IN}/users/{out}", "DELETE groups/{IN}/users/{in}", "GET groups/{IN}/users", "GET users/{out}"},
			[]string{
				"PUT groups/{OUT}/users/{in}", "DELETE groups/{OUT}/users/{out}", "PUT groups/{ADMINS}/users/{in}", "GET groups/{OUT}/users",
				`PUT groups/{IN} {"profile":{"name":"Mine"}}`, "POST users/{in} " + change,
			},
		},
		{
			"GROUP_MEMBERSHIP_ADMIN", nil,
			[]string{"PUT groups/{OUT}/users/{in}"},
			[]string{"PUT groups/{ADMINS}/users/{in}", "PUT groups/{ADMINS}/users/{admin}"},
		},
		{
			"APP_ADMIN", []string{"catalog/apps/bookmark/{app}"},
			[]string{"GET apps/{app}", "POST apps/{app}/lifecycle/deactivate", `POST apps/{app}/users {"id":"{out}"}`, "GET users/{out}"},
			[]string{
				"GET apps/{other}", "POST apps/{other}/lifecycle/deactivate", "DELETE apps/{other}", `POST apps/{other}/users {"id":"{out}"}`, "GET apps/{other}/users",
				`POST apps {"name":"bookmark","label":"N","signOnMode":"BOOKMARK","settings":{"app":{"url":"https://a.example"}}}`,
				"GET /oauth2/v1/clients/{service}", "DELETE /oauth2/v1/clients/{service}", `POST /oauth2/v1/clients {"client_name":"N","redirect_uris":["https://a.example"]}`,
				"POST users/{out} " + change,
			},
		},
		{
			"APP_ADMIN", []string{"catalog/apps/bookmark"},
			[]string{
				"GET apps/{other}", "POST apps/{other}/lifecycle/deactivate",
				`POST apps {"name":"bookmark","label":"N","signOnMode":"BOOKMARK","settings":{"app":{"url":"https://a.example"}}}`,
			},
			[]string{"GET apps/{service}", `POST apps {"name":"oidc_client","label":"N","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{}},"settings":{"oauthClient":{"grant_types":["authorization_code"],"application_type":"web","redirect_uris":["https://a.example"]}}}`},
		},
		{
			"APP_ADMIN", nil,
			[]string{"POST apps/{other}/lifecycle/deactivate", "GET apps/{service}"},
			[]string{"POST apps/{service}/lifecycle/deactivate", "DELETE /oauth2/v1/clients/{service}", `POST apps/{service}/grants {"scopeId":"okta.users.manage","issuer":"` + org + `"}`, "PUT apps/{service} {}"},
		},
		{
			"ORG_ADMIN", nil,
			[]string{"POST users/{viewer} " + change, "POST users/{super}/lifecycle/suspend", `POST groups {"profile":{"name":"New"}}`, "DELETE groups/{OUT}"},
			[]string{
				"POST users/{super} " + change, "POST users/{super}/lifecycle/reset_password?sendEmail=false", "POST users/{super}/lifecycle/deactivate", "DELETE users/{super}",
				`POST users/{super} {"credentials":{"password":{"value":"Another4you"}}}`, "POST users/{byGroup}/lifecycle/reset_password?sendEmail=false",
				"PUT groups/{ADMINS}/users/me", "DELETE groups/{ADMINS}", `POST users ` + newUser(`"{ADMINS}"`), `POST users/me/roles {"type":"SUPER_ADMIN"}`, "GET users/{super}/roles", "GET api-tokens",
			},
		},
		{"READ_ONLY_ADMIN", nil, []string{"GET users/{super}", "GET groups/{ADMINS}"}, []string{"GET api-tokens", "GET users/{super}/roles", "POST users/{in}/lifecycle/suspend"}},
	}
	for _, test := range tests {
		t.Run(test.role+fmt.Sprint(len(test.targets))+fmt.Sprint(len(test.may)), func(t *testing.T) {
			t.Parallel()
			for _, step := range append(slices.Clone(test.mayNot), test.may...) { // each in an org of its own
				c := newOrgChart(t)
				c.grant("users", "admin", test.role, test.targets...)
				as := c.tokenOf("admin", "")
				parts := strings.SplitN(c.fill(step), " ", 3)
				path, body := parts[1], strings.Join(parts[2:], "")
				if !strings.HasPrefix(path, "/") {
					path = "/api/v1/" + path
				}
				before := c.changes()
				a := c.call(parts[0], path, body, as...)
				switch {
				case slices.Contains(test.may, step):
					if a.status >= 300 {
						t.Errorf("may: %s: %d %s", step, a.status, a.body)
					}
				case a.status != 403 || a.object(t)["errorCode"] != "E0000006" || c.changes() != before:
					t.Errorf("may not: %s: %d %s", step, a.status, a.body)
				}
			}
		})
	}
}

// TestListsWithinTargets makes sure that lists show what a limited role reaches.
func TestListsWithinTargets(t *testing.T) {
	t.Parallel()
	c := newOrgChart(t)
	c.grant("users", "admin", "USER_ADMIN", "groups/{IN}")
	as := c.tokenOf("admin", "")
	want := []string{c.ids["in"], c.ids["super"], c.ids["viewer"]}
	slices.Sort(want)
	for _, query := range []string{"", "?limit=200", "?search=status+eq+%22ACTIVE%22", "?filter=status+eq+%22ACTIVE%22"} {
		if diff := cmp.Diff(want, c.ok(200, "GET", "/api/v1/users"+query, "", as...).list(t, "id")); diff != "" {
			t.Errorf("users%s: - want + got\n%s", query, diff)
		}
	}
	if got := c.ok(200, "GET", "/api/v1/users?search=profile.login+eq+%22out@example.com%22", "", as...).body; got != "[]" {
		t.Errorf("one user by login: %s", got)
	}
	for _, query := range []string{"", "?q=", "?q=O"} {
		for _, id := range c.ok(200, "GET", "/api/v1/groups"+query, "", as...).list(t, "id") {
			if id != c.ids["IN"] {
				t.Errorf("groups%s: %s", query, id)
			}
		}
	}
	// A group that goes takes the reach with it: the role does not become good for all.
	c.ok(204, "DELETE", "/api/v1/groups/"+c.ids["IN"], "")
	if got := c.ok(200, "GET", "/api/v1/users", "", as...).body; got != "[]" {
		t.Errorf("without the group: %s", got)
	}
	if a := c.call("POST", "/api/v1/users/"+c.ids["in"]+"/lifecycle/suspend", "", as...); a.status != 403 {
		t.Errorf("without the group: %d", a.status)
	}
	// A token for one role does not reach further than the role.
	c.grant("users", "admin", "ORG_ADMIN")
	narrow := c.tokenOf("admin", "USER_ADMIN")
	if a := c.call("POST", "/api/v1/users/"+c.ids["out"]+"/lifecycle/suspend", "", narrow...); a.status != 403 {
		t.Errorf("with a token for the limited role: %d", a.status)
	}
}
