package okta_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// vault is a vault in memory.
type vault map[string]string

func (v vault) Put(_ context.Context, name string, value secret.Value) error {
	v[name] = value.Reveal()
	return nil
}

func (v vault) Delete(_ context.Context, name string) error {
	delete(v, name)
	return nil
}

const (
	scimApp   = `{"name":"scim2headerauth","label":"SCIM","signOnMode":"AUTO_LOGIN"}`
	scimToken = "tok_0000000000000001.value"
	connected = `{"baseUrl":"https://scim.example.com/v2/","profile":{"authScheme":"TOKEN","token":"` + scimToken + `"}}`
)

// provisioned returns an org with an application that has a target, and its vault.
func provisioned(t *testing.T) (b *bench, path string, kept vault) {
	t.Helper()
	kept = vault{}
	b = newBench(t).serve(func(o *okta.Options) { o.Vault = kept })
	path = apps + "/" + b.app(scimApp)
	b.ok(200, "POST", path+"/connections/default?activate=true", connected)
	return b, path, kept
}

func TestProvisioningConnection(t *testing.T) {
	t.Parallel()
	b, path, kept := provisioned(t)
	id := strings.TrimPrefix(path, apps+"/")
	self := org + path + "/connections/default"
	want := `{"authScheme":"TOKEN","status":"ENABLED","baseUrl":"https://scim.example.com/v2","profile":{"authScheme":"TOKEN"},` +
		`"_links":{"self":{"href":"` + self + `","hints":{"allow":["GET","POST"]}},"deactivate":{"href":"` + self + `/lifecycle/deactivate","hints":{"allow":["POST"]}}}}`
	if got := b.ok(200, "GET", path+"/connections/default", "").body; got != want {
		t.Errorf("connection = %s\nwant %s", got, want)
	}
	if kept["provision/"+id] != scimToken {
		t.Errorf("the vault has %v", kept)
	}
	b.ok(200, "POST", path+"/connections/default", `{"profile":{"authScheme":"TOKEN","token":"next"}}`)
	if kept["provision/"+id] != "next" {
		t.Errorf("the token was not replaced: %v", kept)
	}
	for _, step := range []string{"deactivate", "deactivate", "activate"} {
		b.ok(204, "POST", path+"/connections/default/lifecycle/"+step, "")
	}
	if got := b.ok(200, "GET", path+"/connections/default", "").object(t)["status"]; got != "ENABLED" {
		t.Errorf("status = %v", got)
	}
	for body, cause := range map[string]string{
		`{"baseUrl":"http://scim.example.com","profile":{"authScheme":"TOKEN"}}`: "baseUrl: the credential would be sent unencrypted; use https; http is for this machine and the sandbox",
		`{"baseUrl":"http://127.0.0.1:1","profile":{"authScheme":"TOKEN"}}`:      "baseUrl: the address is of this machine or of a private network; allow private addresses for this target, if it is yours: --allow-private",
		`{"profile":{"authScheme":"OAUTH2"}}`:                                    "authScheme: the token endpoint of the application is not known",
	} {
		wantProblem(t, b.call("POST", path+"/connections/default", body), 400, "E0000001", "Api validation failed: profile", cause)
	}
	wantProblem(t, b.call("POST", path+"/connections/default", `{"profile":{"authScheme":"MAGIC"}}`), 400, "E0000001", "Api validation failed: authScheme", "authScheme: The field has an invalid value")
	wantProblem(t, b.call("POST", path+"/connections/default", `{}`), 400, "E0000001", "Api validation failed: authScheme", "authScheme: The field cannot be left blank")
	if log := b.ok(200, "GET", "/api/v1/logs?limit=1000", "").body; strings.Contains(log, scimToken) {
		t.Error("the log holds the token")
	}
}

// Where there is no vault, a token cannot be kept, and is not.
func TestProvisioningWithoutVault(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := apps + "/" + b.app(scimApp)
	wantProblem(t, b.call("POST", path+"/connections/default", connected), 400, "E0000001", "Api validation failed: profile",
		"there is no vault to keep the credential in; give a reference instead: env:NAME")
	wantProblem(t, b.call("GET", path+"/features", ""), 400, "E0000001", "Api validation failed: feature", "Provisioning is not enabled for the app instance.")
}

func TestProvisioningFeatures(t *testing.T) {
	t.Parallel()
	b, path, _ := provisioned(t)
	self := org + path + "/features/USER_PROVISIONING"
	wire := func(create, profile, deactivate, password string) string {
		return `{"name":"USER_PROVISIONING","status":"ENABLED","description":"User provisioning settings from Okta to a downstream application",` +
			`"capabilities":{"create":{"lifecycleCreate":{"status":"` + create + `"}},"update":{"profile":{"status":"` + profile + `"},"lifecycleDeactivate":{"status":"` + deactivate + `"},` +
			`"password":{"status":"` + password + `","seed":"RANDOM","change":"KEEP_EXISTING"}}},"_links":{"self":{"href":"` + self + `","hints":{"allow":["GET","PUT"]}}}}`
	}
	const on, off = "ENABLED", "DISABLED"
	if got, want := b.ok(200, "GET", path+"/features", "").body, "["+wire(off, off, off, off)+"]"; got != want {
		t.Errorf("features = %s\nwant %s", got, want)
	}
	for _, step := range []struct{ body, want string }{
		{`{"create":{"lifecycleCreate":{"status":"ENABLED"}},"update":{"profile":{"status":"ENABLED"},"lifecycleDeactivate":{"status":"ENABLED"}}}`, wire(on, on, on, off)},
		{`{"update":{"password":{"status":"ENABLED"}}}`, wire(on, on, on, on)},
		{`{"update":{"password":{"status":"DISABLED"},"profile":{"status":"DISABLED"}}}`, wire(on, off, on, off)},
		{`{}`, wire(on, off, on, off)},
	} {
		if got := b.ok(200, "PUT", path+"/features/USER_PROVISIONING", step.body).body; got != step.want {
			t.Errorf("%s: %s\nwant %s", step.body, got, step.want)
		}
	}
	if got := b.ok(200, "GET", path+"/features/USER_PROVISIONING", "").body; got != wire(on, off, on, off) {
		t.Errorf("feature = %s", got)
	}
	wantProblem(t, b.call("PUT", path+"/features/USER_PROVISIONING", `{"create":{"lifecycleCreate":{"status":"YES"}}}`), 400, "E0000001", "Api validation failed: status", "status: The field has an invalid value")
	for _, method := range []string{"GET", "PUT"} {
		wantProblem(t, b.call(method, path+"/features/INBOUND_PROVISIONING", ""), 404, "E0000007", "Not found: Resource not found: INBOUND_PROVISIONING (ApplicationFeature)")
	}
	wantProblem(t, b.call("GET", apps+"/0oanone/features", ""), 404, "E0000007", "Not found: Resource not found: 0oanone (AppInstance)")
}

func TestProfileMappings(t *testing.T) {
	t.Parallel()
	b, path, _ := provisioned(t)
	app := strings.TrimPrefix(path, apps+"/")
	b.app(bookmarkApp) // has no mapping
	other := b.app(scimApp)
	b.ok(200, "POST", apps+"/"+other+"/connections/default", connected)

	list := b.ok(200, "GET", "/api/v1/mappings", "").list(t, "id")
	if len(list) != 2 {
		t.Fatalf("mappings = %v", list)
	}
	first := b.ok(200, "GET", "/api/v1/mappings?limit=1", "")
	if got := first.list(t, "id"); len(got) != 1 || got[0] != list[0] || !strings.Contains(strings.Join(first.header.Values("Link"), " "), `rel="next"`) {
		t.Errorf("a page of one is %v, %v", got, first.header.Values("Link"))
	}
	if got := b.ok(200, "GET", "/api/v1/mappings?limit=1&after="+list[0], "").list(t, "id"); len(got) != 1 || got[0] != list[1] {
		t.Errorf("the second page is %v", got)
	}
	for query, want := range map[string]int{"targetId=" + app: 1, "targetId=none": 0, "sourceId=oty0default0000001d7": 2, "sourceId=" + app: 0} {
		if got := b.ok(200, "GET", "/api/v1/mappings?"+query, "").list(t, "id"); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	mapping := "/api/v1/mappings/prm" + app[3:]
	got := b.ok(200, "GET", mapping, "").object(t)
	properties := got["properties"].(map[string]any)
	if len(properties) != 31 || properties["emailType"].(map[string]any)["expression"] != "(user.email != null && user.email != '') ? 'work' : ''" {
		t.Errorf("properties = %v", properties)
	}
	if got["source"].(map[string]any)["name"] != "user" || got["target"].(map[string]any)["id"] != app {
		t.Errorf("mapping = %v", got)
	}
	changed := b.ok(200, "POST", mapping, `{"properties":{"emailType":{"expression":null,"pushStatus":null},"primaryPhoneType":null,"title":{"expression":"user.title + '!'","pushStatus":"DONT_PUSH"}}}`).object(t)["properties"].(map[string]any)
	if _, kept := changed["emailType"]; kept || len(changed) != 29 {
		t.Errorf("properties = %v", changed)
	}
	if title := changed["title"].(map[string]any); title["expression"] != "user.title + '!'" || title["pushStatus"] != "DONT_PUSH" {
		t.Errorf("title = %v", title)
	}
	back := b.ok(200, "POST", mapping, `{"properties":{"emailType":{"expression":"'home'","pushStatus":"PUSH"}}}`).object(t)["properties"].(map[string]any)
	if len(back) != 30 {
		t.Errorf("properties = %v", back)
	}
	for body, cause := range map[string]string{
		`{"properties":{"shoeSize":{"expression":"1","pushStatus":"PUSH"}}}`:      "Property name 'shoeSize' is not defined in profile",
		`{"properties":{"primaryPhoneType":{"expression":null}}}`:                 "Property name 'primaryPhoneType' is not defined in profile",
		`{"properties":{"title":{"expression":"user.(","pushStatus":"PUSH"}}}`:    "attribute title: expression, character 6: a name is missing behind .",
		`{"properties":{"title":{"expression":"idpuser.x","pushStatus":"PUSH"}}}`: "attribute title: there is no variable idpuser",
	} {
		a := b.call("POST", mapping, body)
		if a.status != 400 || !strings.Contains(a.body, "Api validation failed: properties") || !strings.Contains(a.body, cause) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	wantProblem(t, b.call("POST", mapping, `{"properties":{"title":{"expression":"1","pushStatus":"SOME"}}}`), 400, "E0000001", "Api validation failed: pushStatus", "pushStatus: The field has an invalid value")
	for _, id := range []string{"prmnone", app, "x"} {
		wantProblem(t, b.call("GET", "/api/v1/mappings/"+id, ""), 404, "E0000007", "Not found: Resource not found: "+id+" (ProfileMapping)")
	}
}

// pushedTo knows of groups that were pushed, and when.
type pushedTo map[string]time.Time

func (p pushedTo) GroupLink(_ context.Context, _, _, group string) (l provision.GroupLink, err error) {
	if at, ok := p[group]; ok {
		l.RemoteID, l.Pushed = "there-"+group, at
	}
	return l, nil
}

func TestGroupPush(t *testing.T) {
	t.Parallel()
	b, path, _ := provisioned(t)
	app := strings.TrimPrefix(path, apps+"/")
	group, second := b.group("Sales"), b.group("Support")
	pushes := path + "/group-push/mappings"
	made := b.ok(201, "POST", pushes, `{"sourceGroupId":"`+group+`","targetGroupName":"Sales"}`)
	id := made.object(t)["id"].(string)
	at := made.object(t)["created"].(string)
	want := `{"id":"` + id + `","sourceGroupId":"` + group + `","status":"ACTIVE","created":"` + at + `","lastUpdated":"` + at + `","errorSummary":"",` +
		`"_links":{"app":{"href":"` + org + path + `"},"sourceGroup":{"href":"` + org + "/api/v1/groups/" + group + `"}}}`
	if made.body != want || !strings.HasPrefix(id, "gPm") {
		t.Errorf("group push = %s\nwant %s", made.body, want)
	}
	b.ok(201, "POST", pushes, `{"sourceGroupId":"`+second+`","targetGroupName":"Support","status":"INACTIVE"}`)
	if got := b.ok(200, "GET", pushes+"/"+id, "").body; got != want {
		t.Errorf("group push = %s", got)
	}
	for query, want := range map[string]int{"": 2, "?limit=1": 1, "?sourceGroupId=" + group: 1, "?status=INACTIVE": 1, "?status=ERROR": 0, "?lastUpdated=2030-01-01T00:00:00Z": 0, "?lastUpdated=2020-01-01T00:00:00Z": 2} {
		if got := b.ok(200, "GET", pushes+query, "").list(t, "id"); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	for body, cause := range map[string]string{
		`{"targetGroupName":"x"}`:                                                      "sourceGroupId: The field cannot be left blank",
		`{"sourceGroupId":"` + group + `"}`:                                            "Either targetGroupId or targetGroupName must be provided, but not both.",
		`{"sourceGroupId":"` + group + `","targetGroupId":"x"}`:                        "targetGroupId: groups of the application are found by their name; give targetGroupName",
		`{"sourceGroupId":"` + group + `","targetGroupName":"Other"}`:                  "targetGroupName: the group is pushed under its own name, Sales",
		`{"sourceGroupId":"` + group + `","targetGroupName":"Sales"}`:                  `is pushed to application`,
		`{"sourceGroupId":"` + group + `","targetGroupName":"Sales","status":"ERROR"}`: "status: The field has an invalid value",
	} {
		if a := b.call("POST", pushes, body); a.status != 400 || !strings.Contains(a.body, cause) {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.body, cause)
		}
	}
	wantProblem(t, b.call("DELETE", pushes+"/"+id+"?deleteTargetGroup=true", ""), 400, "E0000001", "Api validation failed: groupPushMapping", "The group push mapping must be in an INACTIVE state.")
	if got := b.ok(200, "PATCH", pushes+"/"+id, `{"status":"INACTIVE"}`).object(t)["status"]; got != "INACTIVE" {
		t.Errorf("status = %v", got)
	}
	wantProblem(t, b.call("PATCH", pushes+"/"+id, `{}`), 400, "E0000001", "Api validation failed: status", "status: The field cannot be left blank")
	b.ok(204, "DELETE", pushes+"/"+id+"?deleteTargetGroup=true", "")
	wantProblem(t, b.call("GET", pushes+"/"+id, ""), 404, "E0000007", "Not found: Resource not found: "+id+" (GroupPushMapping)")

	// What became of a group there is told by whoever pushes.
	again := b.ok(201, "POST", pushes, `{"sourceGroupId":"`+group+`","targetGroupName":"Sales"}`).object(t)["id"].(string)
	c := *b
	c.serve(func(o *okta.Options) { o.Pushed = pushedTo{group: b.clock.Now()} })
	if got := c.ok(200, "GET", pushes+"/"+again, "").object(t); got["targetGroupId"] != "there-"+group || got["lastPush"] == nil {
		t.Errorf("group push = %v", got)
	}

	// A token needs the scopes of applications and of groups.
	for scopes, want := range map[string]int{"okta.apps.read": 403, "okta.groups.read": 403, "okta.apps.read okta.groups.read": 200, "okta.apps.manage okta.groups.manage": 200} {
		if a := b.serveWith(strings.Fields(scopes)...).call("GET", apps+"/"+app+"/group-push/mappings", ""); a.status != want {
			t.Errorf("%s: %d, want %d", scopes, a.status, want)
		}
	}
}

// An administrator of some applications reaches the mappings of those only.
func TestMappingsWithinReach(t *testing.T) {
	t.Parallel()
	c := newOrgChart(t)
	c.serve(func(o *okta.Options) {
		o.Vault, o.OAuth, o.Authorizer = vault{}, c.oauth, okta.Authorization(c.oauth, okta.Tokens(map[string]string{"good": directory.Administrator}))
	})
	own, other := c.bench.app(scimApp), c.bench.app(scimApp)
	for _, id := range []string{own, other} {
		c.ok(200, "POST", apps+"/"+id+"/connections/default", connected)
	}
	c.ids["own"] = own
	c.grant("users", "in", "APP_ADMIN", "catalog/apps/scim2headerauth/{own}")
	token := c.tokenOf("in", "")
	if got := c.ok(200, "GET", "/api/v1/mappings", "", token...).list(t, "target", "id"); len(got) != 1 || got[0] != own {
		t.Errorf("sees %v, want %s only", got, own)
	}
	c.ok(200, "POST", "/api/v1/mappings/prm"+own[3:], `{"properties":{}}`, token...)
	if a := c.call("POST", "/api/v1/mappings/prm"+other[3:], `{"properties":{}}`, token...); a.status != 403 {
		t.Errorf("changes the mapping of another application: %d", a.status)
	}
}
