package okta_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

const apps = "/api/v1/apps"

// Bodies of new applications.
const (
	bookmarkApp = `{"name":"bookmark","signOnMode":"BOOKMARK","label":"Wiki","settings":{"app":{"requestIntegration":false,"url":"https://wiki.example.com"}}}`
	basicApp    = `{"name":"template_basic_auth","settings":{"app":{"authURL":"https://example.com/auth.html","url":"https://example.com/auth.html"}},"signOnMode":"BASIC_AUTH"}`
	formApp     = `{"name":"template_swa","label":"Form","signOnMode":"BROWSER_PLUGIN","credentials":{"userNameTemplate":{"template":"${source.login}","type":"BUILT_IN"},"userName":""},` +
		`"settings":{"app":{"buttonField":"b","passwordField":"p","url":"https://example.com/login.html","usernameField":"u"},"notes":{"admin":null,"enduser":null}}}`
	webApp = `{"name":"oidc_client","label":"Portal","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{"autoKeyRotation":true,"pkce_required":false,"token_endpoint_auth_method":"client_secret_basic"}},` +
		`"settings":{"oauthClient":{"application_type":"web","redirect_uris":["http://d.com/"],"response_types":["code"],"grant_types":["authorization_code"]}}}`
	robotApp = `{"name":"oidc_client","label":"Robot","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{"token_endpoint_auth_method":"private_key_jwt"}},` +
		`"settings":{"oauthClient":{"application_type":"service","grant_types":["client_credentials"],"response_types":["token"],"dpop_bound_access_tokens":true,` +
		`"jwks":{"keys":[{"kty":"RSA","kid":"one","e":"AQAB","n":"xyz","d":"private"}]}}}}`
	samlApp = `{"label":"Sample Okta Org2Org App","name":"okta_org2org","settings":{"app":{"acsUrl":"https://example.okta.com/sso","baseUrl":"https://example.okta.com"}}}`
)

// app creates an application and returns its id.
func (b *bench) app(body string) string {
	b.t.Helper()
	return b.ok(200, "POST", apps, body).object(b.t)["id"].(string)
}

// group creates a group and returns its id.
func (b *bench) group(name string, members ...string) string {
	b.t.Helper()
	id := b.ok(200, "POST", "/api/v1/groups", `{"profile":{"name":"`+name+`","description":""}}`).object(b.t)["id"].(string)
	for _, m := range members {
		b.ok(204, "PUT", "/api/v1/groups/"+id+"/users/"+m, "")
	}
	return id
}

// person creates an active user with a password and returns its id.
func (b *bench) person(name string) string {
	b.t.Helper()
	return b.user(fmt.Sprintf(`{"profile":{"firstName":%q,"lastName":"Lee","email":"%[2]s@example.com","login":"%[2]s@example.com"},"credentials":{"password":{"value":"Sesame4you"}}}`,
		strings.ToUpper(name[:1])+name[1:], name), "")
}

// skeleton rewrites a JSON text as its keys in order, with the types of values.
func skeleton(t *testing.T, text string) string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	var out strings.Builder
	var walk func()
	walk = func() {
		token, err := dec.Token()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		switch v := token.(type) {
		case json.Delim:
			out.WriteString(v.String())
			for dec.More() {
				if v == '{' {
					key, err := dec.Token()
					if err != nil {
						t.Fatal(err)
					}
					out.WriteString(key.(string) + ":")
				}
				walk()
				out.WriteString(" ")
			}
			end, err := dec.Token()
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(end.(json.Delim).String())
		case nil:
			out.WriteString("null")
		case bool:
			out.WriteString("bool")
		case float64:
			out.WriteString("number")
		default:
			out.WriteString("text")
		}
	}
	walk()
	return out.String()
}

// The forms are those of real answers (recorded: Terraform 2025 and 2026).
const (
	head       = "{id:text orn:text name:text label:text status:text lastUpdated:text created:text accessibility:{selfService:bool errorRedirectUrl:null loginRedirectUrl:null } visibility:{autoLaunch:bool autoSubmitToolbar:bool hide:{iOS:bool web:bool } appLinks:{%s:bool } } features:[] signOnMode:text "
	vpn        = "notifications:{vpn:{network:{connection:text } message:null helpUrl:null } } manualProvisioning:bool implicitAssignment:bool "
	notes      = "notes:{admin:null enduser:null } "
	upload     = "uploadLogo:{href:text hints:{allow:[text ] } } "
	start      = "appLinks:[{name:text href:text type:text } ] "
	policies   = "profileEnrollment:{href:text } policies:{href:text hints:{allow:[text ] } } "
	logos      = "groups:{href:text } logo:[{name:text href:text type:text } ] "
	formFields = "credentials:{scheme:text userNameTemplate:{template:text type:text } revealPassword:bool signing:{} } " +
		"settings:{app:{loginUrlRegex:null usernameField:text redirectUrl:null buttonField:text checkbox:null passwordField:text url:text } " + vpn + notes + "} "
	clientFields = "universalLogout:null settings:{app:{} " + vpn + "emOptInStatus:text " + notes +
		"oauthClient:{client_uri:null logo_uri:null redirect_uris:[text ] response_types:[text ] grant_types:[text ] application_type:text consent_method:text issuer_mode:text " +
		"idp_initiated_login:{mode:text default_scope:[] } wildcard_redirect:text dpop_bound_access_tokens:bool participate_slo:bool } } "
)

func TestAppForm(t *testing.T) {
	t.Parallel()
	userName := "credentials:{userNameTemplate:{template:text type:text } "
	secrets := "clientCredentials:[{name:text href:text } ] "
	tests := []struct {
		name, engine, body, want string
	}{
		{"form, classic", "classic", formApp, fmt.Sprintf(head, "login") + formFields +
			"_links:{" + upload + start + logos + "users:{href:text } deactivate:{href:text } } }"},
		{"form, identity engine", "oie", formApp, fmt.Sprintf(head, "login") + formFields +
			"_links:{" + upload + start + policies + logos + "accessPolicy:{href:text } users:{href:text } deactivate:{href:text } } }"},
		{"bookmark", "oie", bookmarkApp, fmt.Sprintf(head, "login") + userName + "signing:{} } universalLogout:null settings:{app:{requestIntegration:bool url:text } " + vpn + notes + "} " +
			"_links:{" + upload + start + policies + logos + "accessPolicy:{href:text } users:{href:text } deactivate:{href:text } } }"},
		{"client", "oie", webApp, fmt.Sprintf(head, "oidc_client_link") + userName + "signing:{kid:text } oauthClient:{autoKeyRotation:bool client_id:text client_secret:text token_endpoint_auth_method:text pkce_required:bool } } " +
			clientFields + "_links:{" + upload + start + policies + logos + secrets + "accessPolicy:{href:text } users:{href:text } deactivate:{href:text } } }"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(o *okta.Options) { o.Engine = test.engine })
			created := b.ok(200, "POST", apps+"?activate=true", test.body)
			if diff := cmp.Diff(test.want, skeleton(t, created.body)); diff != "" {
				t.Errorf("created: - want + got\n%s\n%s", diff, created.body)
			}
			read := b.ok(200, "GET", apps+"/"+created.object(t)["id"].(string), "")
			if diff := cmp.Diff(strings.ReplaceAll(test.want, "client_secret:text ", ""), skeleton(t, read.body)); diff != "" {
				t.Errorf("read: - want + got\n%s\n%s", diff, read.body)
			}
		})
	}
}

func TestAppLifecycle(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	created := b.ok(200, "POST", apps+"?activate=false", basicApp).object(t)
	id := created["id"].(string)
	if created["status"] != "INACTIVE" || created["label"] != "Template Basic Auth App" || !strings.HasPrefix(id, "0oa") || len(id) != 20 {
		t.Errorf("created = %v", created)
	}
	path := apps + "/" + id
	links := created["_links"].(map[string]any)
	if links["activate"] == nil || links["deactivate"] != nil {
		t.Errorf("links of an inactive application: %v", links)
	}
	if got := b.ok(200, "POST", path+"/lifecycle/activate", "").body; got != "{}" {
		t.Errorf("activate answers %s, want {}", got)
	}
	b.ok(200, "POST", path+"/lifecycle/activate", "")
	if got := b.ok(200, "GET", path, "").object(t)["status"]; got != "ACTIVE" {
		t.Errorf("status = %v, want ACTIVE", got)
	}
	wantProblem(t, b.call("DELETE", path, ""), 403, "E0000056", "Delete application forbidden.", "The application must be deactivated before deletion.")

	// A PUT replaces the settings; label, id and status stay, read-only members are ignored.
	put := b.ok(200, "PUT", path, strings.ReplaceAll(basicApp, "example.com", "example.org")).object(t)
	if got := put["settings"].(map[string]any)["app"].(map[string]any)["url"]; got != "https://example.org/auth.html" {
		t.Errorf("settings.app.url = %v", got)
	}
	if put["label"] != "Template Basic Auth App" || put["status"] != "ACTIVE" || put["id"] != id {
		t.Errorf("after PUT: %v", put)
	}
	whole := b.ok(200, "GET", path, "")
	again := b.ok(200, "PUT", path, whole.body)
	if diff := cmp.Diff(without(whole.object(t), "lastUpdated"), without(again.object(t), "lastUpdated")); diff != "" {
		t.Errorf("PUT of what was answered: - before + after\n%s", diff)
	}

	if got := b.ok(200, "POST", path+"/lifecycle/deactivate", "").body; got != "{}" {
		t.Errorf("deactivate answers %s, want {}", got)
	}
	if got := b.ok(204, "DELETE", path, "").body; got != "" {
		t.Errorf("DELETE answers %q", got)
	}
	wantProblem(t, b.call("GET", path, ""), 404, "E0000007", "Not found: Resource not found: "+id+" (AppInstance)")
}

func without(o map[string]any, key string) map[string]any {
	delete(o, key)
	return o
}

// TestAppUnknownSettings keeps what the directory does not know.
func TestAppUnknownSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	body := `{"name":"zoomus","label":"Zoom","signOnMode":"SAML_2_0","licensing":{"seatCount":5},"visibility":{"hide":{"web":true},"appLinks":{"a":true,"b":false}},` +
		`"settings":{"implicitAssignment":true,"app":{"subDomain":"acme","list":[1,2.50]},"signOn":{"defaultRelayState":"x","slo":{"enabled":true}},"slo":{"enabled":true}}}`
	got := b.ok(200, "POST", apps, body).body
	for _, want := range []string{
		`"licensing":{"seatCount":5}`, `"hide":{"iOS":false,"web":true}`, `"appLinks":{"a":true,"b":false}`, `"implicitAssignment":true`,
		`"app":{"list":[1,2.50],"subDomain":"acme"}`, `"defaultRelayState":"x"`, `"slo":{"enabled":true}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}

func TestAppErrors(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	wiki := apps + "/" + b.app(bookmarkApp)
	tests := []struct {
		name, method, path, body string
		status                   int
		code, summary            string
		causes                   []string
	}{
		{"no body", "POST", apps, "", 400, "E0000003", "The request body was not well-formed.", nil},
		{"settings of another type", "POST", apps, `{"name":"bookmark","settings":[]}`, 400, "E0000003", "The request body was not well-formed.", nil},
		{"redirect URIs of another type", "POST", apps, strings.Replace(webApp, `["http://d.com/"]`, `"http://d.com/"`, 1), 400, "E0000003", "The request body was not well-formed.", nil},
		{"unknown sign-on mode", "POST", apps, `{"name":"x","label":"X","signOnMode":"PIGEON"}`, 400, "E0000001", "Api validation failed: signOnMode", []string{"signOnMode: The field has an invalid value"}},
		{"client without a label", "POST", apps, strings.Replace(webApp, `"label":"Portal",`, "", 1), 400, "E0000001", "Api validation failed: label", []string{"label: The field cannot be left blank"}},
		{"client without a way back", "POST", apps, strings.Replace(webApp, `["http://d.com/"]`, `[]`, 1), 400, "E0000001", "Api validation failed: redirect_uris", []string{"redirect_uris: The field cannot be left blank"}},
		{"service without keys", "POST", apps, strings.Replace(robotApp, `"jwks"`, `"other"`, 1), 400, "E0000001", "Api validation failed: jwks", []string{"jwks: The field cannot be left blank"}},
		{"short client secret", "POST", apps, strings.Replace(webApp, `"autoKeyRotation":true`, `"client_secret":"short"`, 1), 400, "E0000001", "Api validation failed: client_secret",
			[]string{"client_secret: The field is too short, minimum length is 14"}},
		{"office 365 without consent", "POST", apps, `{"name":"office365","label":"O","signOnMode":"SAML_1_1","settings":{"app":{"requireAdminConsent":false,"wsFedConfigureType":"AUTO"}}}`,
			400, "E0000001", "Api validation failed: settings", []string{"In order to continue using WS-FED Auto for SSO, you must grant admin consent."}},
		{"activate is no flag", "POST", apps + "?activate=yes", bookmarkApp, 400, "E0000001", "Api validation failed: activate", []string{"activate: must be true or false"}},
		{"bad cursor", "GET", apps + "?after=xyz", "", 400, "E0000029", "Invalid paging request.", []string{"Invalid cursor."}},
		{"bad cursor of users", "GET", wiki + "/users?after=xyz", "", 400, "E0000029", "Invalid paging request.", []string{"Invalid cursor."}},
		{"bad cursor of groups", "GET", wiki + "/groups?after=xyz", "", 400, "E0000029", "Invalid paging request.", []string{"Invalid cursor."}},
		{"bad expansion", "GET", apps + "?expand=user/id,group/id", "", 400, "E0000001", "Api validation failed: RequestParams", []string{"Expand query is malformed."}},
		{"unknown filter", "GET", apps + "?filter=colour+eq+%22red%22", "", 400, "E0000031", "Invalid search criteria.", []string{"colour eq is not supported here"}},
		{"user or status", "GET", apps + "?filter=user.id+eq+%22a%22+or+status+eq+%22ACTIVE%22", "", 400, "E0000031", "Invalid search criteria.", []string{"user.id can only be combined by and"}},
		{"unknown app", "GET", apps + "/0oaX", "", 404, "E0000007", "Not found: Resource not found: 0oaX (AppInstance)", nil},
		{"users of an unknown app", "GET", apps + "/0oaX/users", "", 404, "E0000007", "Not found: Resource not found: 0oaX (AppInstance)", nil},
		{"groups of an unknown app", "GET", apps + "/0oaX/groups", "", 404, "E0000007", "Not found: Resource not found: 0oaX (AppInstance)", nil},
		{"activate an unknown app", "POST", apps + "/0oaX/lifecycle/activate", "", 404, "E0000007", "Not found: Resource not found: 0oaX (AppInstance)", nil},
		{"assign an unknown user", "POST", wiki + "/users", `{"id":"` + nobody + `"}`, 404, "E0000007", "Not found: Resource not found: " + nobody + " (User)", nil},
		{"assign nobody", "POST", wiki + "/users", `{}`, 400, "E0000001", "Api validation failed: id", []string{"id: The field cannot be left blank"}},
		{"not assigned", "GET", wiki + "/users/" + directory.Administrator, "", 404, "E0000007", "Not found: Resource not found: " + directory.Administrator + " (AppUser)", nil},
		{"unassign who is not", "DELETE", wiki + "/users/" + directory.Administrator, "", 404, "E0000007", "Not found: Resource not found: " + directory.Administrator + " (AppUser)", nil},
		{"assign a deactivated user", "POST", wiki + "/users", `{"id":"00u0jonas0weber001d7"}`, 403, "E0000117", "Cannot assign apps or update app profiles for an inactive user.", nil},
		{"password for a bookmark", "POST", wiki + "/users", `{"id":"` + directory.Administrator + `","credentials":{"password":{"value":"x"}}}`, 400, "E0000041", "Credentials should not be set on this resource based on the scheme.", nil},
		{"assign an unknown group", "PUT", wiki + "/groups/00gX", `{}`, 404, "E0000007", "Not found: Resource not found: 00gX (UserGroup)", nil},
		{"group that is not assigned", "GET", wiki + "/groups/" + directory.EngineeringGroup, "", 404, "E0000007", "Not found: Resource not found: " + directory.EngineeringGroup + " (AppGroup)", nil},
		{"patch a group that is not assigned", "PATCH", wiki + "/groups/" + directory.EngineeringGroup, `[]`, 404, "E0000007", "Not found: Resource not found: " + directory.EngineeringGroup + " (AppGroup)", nil},
		{"priority out of range", "PUT", wiki + "/groups/" + directory.EngineeringGroup, `{"priority":101}`, 400, "E0000001", "Api validation failed: priority", []string{"priority: The field has an invalid value"}},
		{"grant to no client", "POST", wiki + "/grants", `{"issuer":"` + org + `","scopeId":"okta.users.read"}`, 404, "E0000007", "Not found: Resource not found: okta.users.read (OAuth2Scope)", nil},
		{"grant of a foreign issuer", "POST", wiki + "/grants", `{"issuer":"https://else.example.com","scopeId":"okta.users.read"}`, 400, "E0000001", "Api validation failed: issuer", []string{"issuer: The field has an invalid value"}},
		{"unknown policy", "PUT", wiki + "/policies/rstX", "", 404, "E0000007", "Not found: Resource not found: rstX (Policy)", nil},
		{"unknown grant", "GET", wiki + "/grants/oagX", "", 404, "E0000007", "Not found: Resource not found: oagX (OAuth2Scope)", nil},
		{"unknown key", "GET", wiki + "/credentials/keys/x", "", 404, "E0000007", "Not found: Resource not found: x (Key)", nil},
		{"key for one year", "POST", wiki + "/credentials/keys/generate?validityYears=1", "", 400, "E0000001", "Api validation failed: validityYears", []string{"validityYears: The field has an invalid value"}},
		{"request without a name", "POST", wiki + "/credentials/csrs", `{"subject":{}}`, 400, "E0000001", "Api validation failed: commonName", []string{"commonName: The field cannot be left blank"}},
		{"wrong method", "PATCH", wiki, `{}`, 405, "E0000022", "The endpoint does not support the provided HTTP method", nil},
	}
	before := b.ok(200, "GET", apps, "").body
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(t, b.call(test.method, test.path, test.body), test.status, test.code, test.summary, test.causes...)
		})
	}
	if after := b.ok(200, "GET", apps, "").body; after != before {
		t.Errorf("refused requests changed something: %s", cmp.Diff(before, after))
	}
}

func TestAppScopes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		scope, method, path string
		allowed             bool
	}{
		{"okta.apps.read", "GET", apps, true},
		{"okta.apps.manage", "GET", apps, true},
		{"okta.apps.read", "POST", apps, false},
		{"okta.users.manage", "GET", apps, false},
		{"okta.apps.manage", "GET", apps + "/0oaX/grants", false},
		{"okta.appGrants.read", "GET", apps + "/0oaX/grants", true},
		{"okta.appGrants.read", "POST", apps + "/0oaX/grants", false},
		{"okta.apps.read", "GET", apps + "/0oaX/users", true},
		{"okta.apps.read", "POST", apps + "/0oaX/users", false},
	}
	for _, test := range tests {
		b := newSeeded(t, scoped(test.scope))
		a := b.call(test.method, test.path, "")
		if refused := a.status == 403; refused == test.allowed {
			t.Errorf("%s %s with %s = %d, want allowed %t", test.method, test.path, test.scope, a.status, test.allowed)
		}
	}
}

// scoped limits the caller to scopes.
func scoped(scopes ...string) func(*okta.Options) {
	return func(o *okta.Options) {
		o.Authorizer = func(context.Context, okta.Call) (okta.Caller, error) {
			who := okta.Owner(directory.Administrator)
			who.Scopes = scopes
			return who, nil
		}
	}
}

func TestListApps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wiki, form, portal := b.app(bookmarkApp), b.app(formApp), b.app(webApp)
	b.ok(200, "POST", apps+"/"+form+"/lifecycle/deactivate", "")
	ann := b.person("ann")
	crew := b.group("Crew")
	b.ok(200, "POST", apps+"/"+wiki+"/users", `{"id":"`+ann+`"}`)
	b.ok(200, "PUT", apps+"/"+portal+"/groups/"+crew, "")
	tests := []struct {
		query string
		want  []string
		links []string
	}{
		{"", []string{wiki, form, portal}, []string{`<` + org + apps + `?limit=20>; rel="self"`}},
		{"?useOptimization=true&includeNonDeleted=false&q=wi", []string{wiki}, []string{`<` + org + apps + `?limit=20&q=wi>; rel="self"`}},
		{"?q=TEMPLATE", []string{form}, nil},
		{"?q=nothing", []string{}, nil},
		{"?limit=2", []string{wiki, form}, []string{`<` + org + apps + `?limit=2>; rel="self"`, `<` + org + apps + `?after=` + form + `&limit=2>; rel="next"`}},
		{"?limit=2&after=" + form, []string{portal}, nil},
		{"?filter=status+eq+%22ACTIVE%22", []string{wiki, portal}, []string{`<` + org + apps + `?limit=20&filter=status+eq+%22ACTIVE%22>; rel="self"`}},
		{"?filter=status+eq+%22INACTIVE%22", []string{form}, nil},
		{"?filter=status+eq+%22ACTIVE%22&q=wi", []string{wiki}, []string{`<` + org + apps + `?limit=20&q=wi&filter=status+eq+%22ACTIVE%22>; rel="self"`}},
		{"?filter=name+eq+%22oidc_client%22", []string{portal}, nil},
		{"?filter=label+eq+%22Wiki%22", []string{wiki}, nil},
		{"?filter=user.id+eq+%22" + ann + "%22", []string{wiki}, nil},
		{"?filter=group.id+eq+%22" + crew + "%22", []string{portal}, nil},
		{"?filter=group.id+eq+%22" + crew + "%22+and+user.id+eq+%22" + ann + "%22", []string{}, nil},
		{"?filter=user.id+eq+%22" + ann + "%22+and+status+eq+%22INACTIVE%22", []string{}, nil},
		{"?filter=user.id+eq+%22nobody%22", []string{}, nil},
		{"?filter=user.id+eq+%22" + ann + "%22&after=" + wiki, []string{}, nil},
		{"?filter=settings.slo.enabled+eq+true", []string{}, nil},
	}
	for _, test := range tests {
		a := b.ok(200, "GET", apps+test.query, "")
		if diff := cmp.Diff(test.want, a.list(t, "id")); diff != "" {
			t.Errorf("%s: - want + got\n%s", test.query, diff)
		}
		if test.links == nil {
			continue
		}
		if diff := cmp.Diff(test.links, a.header.Values("Link")); diff != "" {
			t.Errorf("%s: links: - want + got\n%s", test.query, diff)
		}
	}
	kid := b.ok(200, "GET", apps+"/"+portal, "").object(t)["credentials"].(map[string]any)["signing"].(map[string]any)["kid"].(string)
	if got := b.ok(200, "GET", apps+"?filter=credentials.signing.kid+eq+%22"+kid+"%22", "").list(t, "id"); !slices.Equal(got, []string{portal}) {
		t.Errorf("by signing key: %v, want %s", got, portal)
	}
	embedded := b.ok(200, "GET", apps+"?filter=user.id+eq+%22"+ann+"%22&expand=user/"+ann, "")
	if got := embedded.list(t, "_embedded", "user", "id"); !slices.Equal(got, []string{ann}) {
		t.Errorf("expanded: %v, want %s", got, ann)
	}
	if got := b.ok(200, "GET", apps+"/"+form+"?expand=user/"+ann, "").object(t)["_embedded"]; got != nil {
		t.Errorf("who is not assigned is embedded: %v", got)
	}
}

func TestAppClients(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	oauth := func(o map[string]any) map[string]any {
		return o["credentials"].(map[string]any)["oauthClient"].(map[string]any)
	}
	check := func(id, secret string, want bool) {
		t.Helper()
		app, err := b.dir.Client(t.Context(), directory.OktaRealm, id)
		if err != nil {
			t.Fatalf("Client(%s): %v", id, err)
		}
		if got, err := b.dir.CheckClientSecret(t.Context(), app, secret); err != nil || got != want {
			t.Errorf("CheckClientSecret = %t, %v, want %t", got, err, want)
		}
	}

	portal := b.ok(200, "POST", apps, webApp).object(t)
	id, secret := oauth(portal)["client_id"].(string), oauth(portal)["client_secret"].(string)
	if id != portal["id"] || len(secret) != 64 {
		t.Errorf("client_id %q and client_secret %q, want that of the application and 64 characters", id, secret)
	}
	check(id, secret, true)
	check(id, secret+"x", false)
	check(id, "", false)

	// A PUT without a secret keeps it and does not show it; one with a secret replaces it.
	kept := b.ok(200, "PUT", apps+"/"+id, strings.Replace(webApp, "Portal", "Gate", 1)).object(t)
	if oauth(kept)["client_secret"] != nil || kept["label"] != "Gate" {
		t.Errorf("after PUT: %v", kept)
	}
	check(id, secret, true)
	b.ok(200, "PUT", apps+"/"+id, strings.Replace(webApp, `"autoKeyRotation":true`, `"client_secret":"a secret of ours"`, 1))
	check(id, secret, false)
	check(id, "a secret of ours", true)

	named := b.ok(200, "POST", apps, strings.Replace(webApp, `"autoKeyRotation":true`, `"client_id":"myclient"`, 1)).object(t)
	if oauth(named)["client_id"] != "myclient" {
		t.Errorf("client_id = %v, want myclient", oauth(named)["client_id"])
	}
	wantProblem(t, b.call("POST", apps, strings.Replace(webApp, `"autoKeyRotation":true`, `"client_id":"myclient"`, 1)), 400, "E0000001",
		"Api validation failed: client_id", "client_id: An object with this field already exists in the current organization")

	moved := b.ok(200, "PUT", apps+"/"+id, strings.Replace(webApp, `"autoKeyRotation":true`, `"client_id":"another"`, 1)).object(t)
	if oauth(moved)["client_id"] != id {
		t.Errorf("a PUT changed client_id to %v", oauth(moved)["client_id"])
	}
	// Without a secret only PKCE proves who asks, whatever was sent.
	public := b.ok(200, "POST", apps, strings.Replace(webApp, "client_secret_basic", "none", 1)).object(t)
	if oauth(public)["pkce_required"] != true || oauth(public)["client_secret"] != nil {
		t.Errorf("public client: %v", oauth(public))
	}
	native := b.ok(200, "POST", apps, `{"name":"oidc_client","label":"N","signOnMode":"OPENID_CONNECT","settings":{"oauthClient":{"application_type":"native","redirect_uris":["x:/y"]}}}`).object(t)
	if oauth(native)["pkce_required"] != true {
		t.Errorf("native client: %v", oauth(native))
	}

	robot := b.ok(200, "POST", apps, robotApp).object(t)
	if oauth(robot)["client_secret"] != nil {
		t.Error("a client with a key has a secret")
	}
	app, err := b.dir.Client(t.Context(), directory.OktaRealm, robot["id"].(string))
	if err != nil {
		t.Fatal(err)
	}
	want := &directory.Client{
		ID: robot["id"].(string), AuthMethod: "private_key_jwt", AutoKeyRotation: true, ApplicationType: "service",
		GrantTypes: []string{"client_credentials"}, ResponseTypes: []string{"token"}, RedirectURIs: []string{}, DPoPBound: true,
		JWKS: []any{map[string]any{"kty": "RSA", "kid": "one", "e": "AQAB", "n": "xyz", "use": "sig"}}, // without the private member
	}
	if diff := cmp.Diff(want, app.Client); diff != "" {
		t.Errorf("client: - want + got\n%s", diff)
	}
	if ok, err := b.dir.CheckClientSecret(t.Context(), app, ""); ok || err != nil {
		t.Errorf("CheckClientSecret of a client without one = %t, %v", ok, err)
	}
	if _, err := b.dir.Client(t.Context(), directory.OktaRealm, ""); err == nil {
		t.Error("the empty client id finds something")
	}

	shared := b.ok(200, "POST", apps, strings.Replace(basicApp, "{", `{"credentials":{"scheme":"SHARED_USERNAME_AND_PASSWORD","userName":"all","password":{"value":"open sesame"}},`, 1))
	if strings.Contains(shared.body, "open sesame") || !strings.Contains(shared.body, `"password":{}`) {
		t.Errorf("shared password: %s", shared.body)
	}

	// The log holds no secret.
	changes, err := b.dir.Changes(t.Context(), directory.ChangeQuery{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		for _, s := range []string{secret, "a secret of ours", "open sesame", `"d":`} {
			if strings.Contains(string(c.Before)+string(c.After), s) {
				t.Errorf("%s %d holds %q", c.Kind, c.Seq, s)
			}
		}
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	robot := b.app(robotApp)
	path := apps + "/" + robot + "/grants"
	body := `{"issuer":"` + org + `","scopeId":"okta.users.read"}`
	g := b.ok(201, "POST", path, body)
	want := "{id:text status:text created:text createdBy:{id:text type:text } lastUpdated:text issuer:text clientId:text scopeId:text source:text _embedded:{scope:{id:text } } " +
		"_links:{app:{href:text title:text } self:{href:text hints:{allow:[text text ] } } client:{href:text title:text } } }"
	if diff := cmp.Diff(want, skeleton(t, g.body)); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
	id := g.object(t)["id"].(string)
	if again := b.ok(201, "POST", path, body).object(t)["id"]; again != id {
		t.Errorf("granted twice: %v, want the same grant %s", again, id)
	}
	b.ok(201, "POST", path, strings.Replace(body, "users", "groups", 1))
	if got := b.ok(200, "GET", path, "").list(t, "scopeId"); !slices.Equal(got, []string{"okta.users.read", "okta.groups.read"}) {
		t.Errorf("grants = %v", got)
	}
	b.ok(200, "GET", path+"/"+id, "")
	elsewhere := apps + "/" + b.app(webApp) + "/grants/" + id
	wantProblem(t, b.call("DELETE", elsewhere, ""), 404, "E0000007", "Not found: Resource not found: "+id+" (OAuth2Scope)")
	b.ok(204, "DELETE", path+"/"+id, "")
	app, err := b.dir.App(t.Context(), directory.OktaRealm, robot)
	if err != nil {
		t.Fatal(err)
	}
	scopes, err := b.dir.GrantedScopes(t.Context(), app)
	if err != nil || !slices.Equal(scopes, []string{"okta.groups.read"}) {
		t.Errorf("GrantedScopes = %v, %v", scopes, err)
	}
}

func TestAppUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.app(basicApp)
	path := apps + "/" + id + "/users"
	if got := b.ok(200, "GET", path, ""); got.body != "[]" || got.header.Get("Link") != `<`+org+path+`?limit=50>; rel="self"` {
		t.Errorf("no users: %s %s", got.body, got.header.Get("Link"))
	}
	staged := b.user(ann, "?activate=false")
	a := b.ok(200, "POST", path, `{"id":"`+staged+`","credentials":{"userName":"appUser","password":{"value":"abcd1234"}},"profile":{"role":"Editor"}}`)
	created := a.object(t)["created"].(string)
	want := `{"id":"` + staged + `","externalId":null,"created":"` + created + `","lastUpdated":"` + created + `","scope":"USER","status":"ACTIVE","statusChanged":"` + created +
		`","passwordChanged":"` + created + `","syncState":"DISABLED","credentials":{"userName":"appUser","password":{}},"profile":{"role":"Editor"},"_links":{"app":{"href":"` + org + apps + "/" + id +
		`"},"user":{"href":"` + org + `/api/v1/users/` + staged + `"}}}`
	if diff := cmp.Diff(want, a.body); diff != "" {
		t.Errorf("assigned: - want + got\n%s", diff)
	}
	wantProblem(t, b.call("POST", path, `{"id":"`+staged+`"}`), 409, "E0000062", "The specified user is already assigned to the application.")

	bob := b.person("bob")
	got := b.ok(200, "POST", path, `{"id":"`+bob+`","scope":"USER"}`).object(t)
	if got["credentials"].(map[string]any)["userName"] != "bob@example.com" || got["passwordChanged"] != nil {
		t.Errorf("by template: %v", got)
	}
	got = b.ok(200, "POST", path+"/"+bob, `{"profile":{"role":"Reader","team":"A"},"credentials":{"userName":"robert"}}`).object(t)
	if diff := cmp.Diff(map[string]any{"role": "Reader", "team": "A"}, got["profile"]); diff != "" {
		t.Errorf("updated profile: - want + got\n%s", diff)
	}
	got = b.ok(200, "POST", path+"/"+bob, `{"profile":{"team":null}}`).object(t)
	if diff := cmp.Diff(map[string]any{"role": "Reader"}, got["profile"]); diff != "" {
		t.Errorf("updated profile: - want + got\n%s", diff)
	}

	for query, want := range map[string][]string{
		"":                                  {staged, bob},
		"?limit=1":                          {staged},
		"?after=" + staged:                  {bob},
		"?q=rob":                            {bob}, // the user name in the application
		"?q=ANN":                            {staged},
		"?q=lee&limit=1&after=" + staged:    {bob},
		"?q=nobody":                         {},
		"?limit=1&q=lee":                    {staged},
		"?limit=500&expand=user&q=bob%40ex": {bob},
	} {
		if diff := cmp.Diff(want, b.ok(200, "GET", path+query, "").list(t, "id")); diff != "" {
			t.Errorf("%s: - want + got\n%s", query, diff)
		}
	}
	if next := b.ok(200, "GET", path+"?limit=1", "").header.Values("Link"); len(next) != 2 || next[1] != `<`+org+path+`?after=`+staged+`&limit=1>; rel="next"` {
		t.Errorf("links = %v", next)
	}
	embedded := b.ok(200, "GET", path+"/"+bob+"?expand=user", "").object(t)["_embedded"].(map[string]any)["user"].(map[string]any)
	if embedded["id"] != bob || embedded["status"] != "ACTIVE" {
		t.Errorf("expanded user: %v", embedded)
	}
	links := b.ok(200, "GET", "/api/v1/users/"+bob+"/appLinks", "")
	if diff := cmp.Diff([]string{id}, links.list(t, "appInstanceId")); diff != "" {
		t.Errorf("app links: - want + got\n%s", diff)
	}
	if diff := cmp.Diff("[{id:text label:text linkUrl:text logoUrl:text appName:text appInstanceId:text appAssignmentId:text credentialsSetup:bool hidden:bool sortOrder:number } ]", skeleton(t, links.body)); diff != "" {
		t.Errorf("app links: - want + got\n%s", diff)
	}

	b.ok(204, "DELETE", path+"/"+bob+"?sendEmail=false", "")
	b.ok(200, "POST", "/api/v1/users/"+staged+"/lifecycle/deactivate", "")
	if got := b.ok(200, "GET", path, "").body; got != "[]" {
		t.Errorf("after the end of both: %s", got)
	}
	if got := b.ok(200, "GET", "/api/v1/users/"+bob+"/appLinks", "").body; got != "[]" {
		t.Errorf("app links after the end: %s", got)
	}
}

func TestMasteredAppUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bob := b.person("bob")
	path := apps + "/" + b.app(`{"name":"workday","label":"HR","features":["PROFILE_MASTERING","PUSH_NEW_USERS"]}`) + "/users"
	u := b.ok(200, "POST", path, `{"id":"`+bob+`"}`).object(t)
	if u["status"] != "STAGED" || u["syncState"] != "OUT_OF_SYNC" {
		t.Errorf("user of an application that is provisioned: %v", u)
	}
	wantProblem(t, b.call("POST", path+"/"+bob, `{"profile":{"x":"y"}}`), 405, "E0000076", "Cannot modify the app user because it is mastered by an external app.")
}

func TestAppGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bob := b.person("bob")
	one, two := b.group("One", bob), b.group("Two", bob)
	id := b.app(bookmarkApp)
	path := apps + "/" + id + "/groups"
	users := apps + "/" + id + "/users"
	first := b.ok(200, "PUT", path+"/"+one, "")
	want := `{"id":"` + one + `","lastUpdated":"` + first.object(t)["lastUpdated"].(string) + `","priority":0,"profile":{},"_links":{"app":{"href":"` + org + apps + "/" + id +
		`"},"self":{"href":"` + org + path + "/" + one + `"},"group":{"href":"` + org + `/api/v1/groups/` + one + `"}}}`
	if diff := cmp.Diff(want, first.body); diff != "" {
		t.Errorf("assigned: - want + got\n%s", diff)
	}
	priorities := func() string {
		var list []struct {
			ID       string
			Priority int
		}
		if err := json.Unmarshal([]byte(b.ok(200, "GET", path, "").body), &list); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, g := range list {
			out = append(out, fmt.Sprintf("%s=%d", map[string]string{one: "one", two: "two"}[g.ID], g.Priority))
		}
		return strings.Join(out, " ")
	}
	b.ok(200, "PUT", path+"/"+two, `{}`) // recorded: the new one comes first
	if got := priorities(); got != "two=0 one=1" {
		t.Errorf("priorities = %s", got)
	}
	b.ok(200, "PUT", path+"/"+one, `{"id":"`+one+`","priority":3,"profile":{"role":"A"}}`) // recorded: gaps stay
	if got := priorities(); got != "two=0 one=3" {
		t.Errorf("priorities = %s", got)
	}
	patched := b.ok(200, "PATCH", path+"/"+one, `[{"op":"replace","path":"/priority","value":0},{"op":"add","path":"/profile/team","value":"B"},{"op":"remove","path":"/profile/role"}]`).object(t)
	if diff := cmp.Diff(map[string]any{"team": "B"}, patched["profile"]); diff != "" {
		t.Errorf("patched profile: - want + got\n%s", diff)
	}
	if got := priorities(); got != "one=0 two=1" {
		t.Errorf("priorities = %s", got)
	}
	for query, want := range map[string][]string{
		"": {one, two}, "?limit=1": {one}, "?limit=1&after=" + one: {two}, "?q=tw": {two}, "?q=x": {},
	} {
		if diff := cmp.Diff(want, b.ok(200, "GET", path+query, "").list(t, "id")); diff != "" {
			t.Errorf("%s: - want + got\n%s", query, diff)
		}
	}
	if got := b.ok(200, "GET", path+"?expand=group", "").list(t, "_embedded", "group", "profile", "name"); !slices.Equal(got, []string{"One", "Two"}) {
		t.Errorf("expanded: %v", got)
	}
	if got := b.ok(200, "GET", path+"/"+one+"?expand=metadata", "").body; !strings.Contains(got, `"_embedded":{"metadata":{"credentials":{},"profile":{"team":{"source":{"type":"USER"`) {
		t.Errorf("metadata: %s", got)
	}
	if got := b.ok(200, "GET", "/api/v1/groups/"+two+"/apps", ""); !slices.Equal(got.list(t, "id"), []string{id}) ||
		got.header.Get("Link") != `<`+org+`/api/v1/groups/`+two+`/apps?limit=20>; rel="self"` {
		t.Errorf("apps of the group: %s %s", got.body, got.header.Get("Link"))
	}

	// The member has the application by the group, and keeps it as long as any group has it.
	u := b.ok(200, "GET", users+"/"+bob, "").object(t)
	if u["scope"] != "GROUP" || u["_links"].(map[string]any)["group"] == nil {
		t.Errorf("assigned by a group: %v", u)
	}
	b.ok(204, "DELETE", path+"/"+one, "")
	b.ok(200, "GET", users+"/"+bob, "")
	b.ok(204, "DELETE", path+"/"+two, "")
	if a := b.call("GET", users+"/"+bob, ""); a.status != 404 {
		t.Errorf("after the last group went: %d %s", a.status, a.body)
	}
}

func TestAppKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.app(strings.Replace(samlApp, "{", `{"credentials":{"signing":{"kid":"bogus"}},`, 1)) // a new one gets its own
	path := apps + "/" + id
	app := b.ok(200, "GET", path, "").object(t)
	if app["signOnMode"] != "SAML_2_0" {
		t.Errorf("signOnMode = %v, want SAML_2_0 by default", app["signOnMode"])
	}
	keys := b.ok(200, "GET", path+"/credentials/keys", "")
	kids := keys.list(t, "kid")
	if len(kids) != 1 || app["credentials"].(map[string]any)["signing"].(map[string]any)["kid"] != kids[0] {
		t.Errorf("keys %v, application %v", kids, app["credentials"])
	}
	if diff := cmp.Diff("[{created:text lastUpdated:text expiresAt:text x5c:[text ] e:text n:text kid:text kty:text use:text x5t#S256:text } ]", skeleton(t, keys.body)); diff != "" {
		t.Errorf("key: - want + got\n%s", diff)
	}
	made := b.ok(201, "POST", path+"/credentials/keys/generate?validityYears=2", "").object(t)
	der, err := base64.StdEncoding.DecodeString(made["x5c"].([]any)[0].(string))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil || cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		t.Errorf("the certificate does not hold: %v", err)
	}
	kid := made["kid"].(string)
	if got := b.ok(200, "GET", path, "").object(t)["credentials"].(map[string]any)["signing"].(map[string]any)["kid"]; got != kids[0] {
		t.Errorf("a new key signs at once: %v, want %s still", got, kids[0])
	}
	b.ok(200, "GET", path+"/credentials/keys/"+kid, "")
	other := b.app(bookmarkApp)
	b.ok(201, "POST", path+"/credentials/keys/"+kid+"/clone?targetAid="+other, "")
	if got := b.ok(200, "GET", apps+"/"+other+"/credentials/keys", "").list(t, "kid"); !slices.Equal(got, []string{kid}) {
		t.Errorf("cloned: %v", got)
	}
	// A PUT that names another of its keys makes it the one that signs.
	put := b.ok(200, "PUT", path, strings.Replace(samlApp, "{", `{"credentials":{"signing":{"kid":"`+kid+`"}},`, 1)).object(t)
	if got := put["credentials"].(map[string]any)["signing"].(map[string]any)["kid"]; got != kid {
		t.Errorf("signing.kid = %v, want %s", got, kid)
	}

	csr := b.ok(201, "POST", path+"/credentials/csrs", `{"subject":{"commonName":"SP Issuer","countryName":"US","organizationName":"Okta, Inc"},"subjectAltNames":{"dnsNames":["dev.okta.com"]}}`)
	if diff := cmp.Diff("{id:text created:text csr:text kty:text _links:{self:{href:text hints:{allow:[text text ] } } publish:{href:text hints:{allow:[text ] } } } }", skeleton(t, csr.body)); diff != "" {
		t.Errorf("request: - want + got\n%s", diff)
	}
	der, err = base64.StdEncoding.DecodeString(csr.object(t)["csr"].(string))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil || parsed.CheckSignature() != nil || parsed.Subject.CommonName != "SP Issuer" || parsed.DNSNames[0] != "dev.okta.com" {
		t.Errorf("request: %v %v", parsed, err)
	}
	one := path + "/credentials/csrs/" + csr.object(t)["id"].(string)
	b.ok(200, "GET", one, "")
	b.ok(204, "DELETE", one, "")
	if got := b.ok(200, "GET", path+"/credentials/csrs", "").body; got != "[]" {
		t.Errorf("requests left: %s", got)
	}
}

func TestAppParts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.app(samlApp)
	path := apps + "/" + id
	connection := path + "/connections/default"
	if got := b.ok(200, "GET", connection, "").object(t); got["authScheme"] != "TOKEN" || got["status"] != "DISABLED" {
		t.Errorf("connection = %v", got)
	}
	set := b.ok(200, "POST", connection+"?activate=false", `{"profile":{"authScheme":"TOKEN","token":"TEST"}}`)
	if strings.Contains(set.body, "TEST") || set.object(t)["status"] != "DISABLED" {
		t.Errorf("connection = %s", set.body)
	}
	b.ok(204, "POST", connection+"/lifecycle/activate", "")
	if got := b.ok(200, "GET", connection, "").object(t)["status"]; got != "ENABLED" {
		t.Errorf("status = %v, want ENABLED", got)
	}
	b.ok(204, "POST", connection+"/lifecycle/deactivate", "")

	if got := b.ok(201, "POST", path+"/logo", "--x\r\n...", "Content-Type", "multipart/form-data; boundary=x").body; got != "" {
		t.Errorf("logo answers %q", got)
	}
	for _, list := range []string{"/tokens", "/grants"} {
		if got := b.ok(200, "GET", path+list, "").body; got != "[]" {
			t.Errorf("%s = %s, want []", list, got)
		}
	}
	b.ok(204, "DELETE", path+"/tokens", "")

	policy := b.ok(200, "POST", "/api/v1/policies", `{"type":"ACCESS_POLICY","name":"Mine"}`).object(t)["id"].(string)
	b.ok(204, "PUT", path+"/policies/"+policy, "")
	links := b.ok(200, "GET", path, "").object(t)["_links"].(map[string]any)
	if got := links["accessPolicy"].(map[string]any)["href"]; got != org+"/api/v1/policies/"+policy {
		t.Errorf("accessPolicy = %v", got)
	}

	portal := b.app(webApp)
	token := "/api/v1/internal/apps/" + portal + "/settings/oauth/idToken"
	if got, want := b.ok(200, "GET", token, "").body, `{"issuer":"`+org+`","orgUrl":null,"customUrl":null,"audience":"`+portal+`","issuerMode":"ORG_URL"}`; got != want {
		t.Errorf("idToken = %s, want %s", got, want)
	}
	if got, want := b.ok(200, "POST", token, `{"issuerMode":"DYNAMIC"}`).body, `{"issuer":null,"orgUrl":null,"customUrl":null,"audience":null,"issuerMode":"DYNAMIC"}`; got != want {
		t.Errorf("idToken = %s, want %s", got, want)
	}
	if got := b.ok(200, "GET", apps+"/"+portal, "").body; !strings.Contains(got, `"issuer_mode":"DYNAMIC"`) {
		t.Errorf("issuer_mode is not there: %s", got)
	}
}

// FuzzApp reads any body as a new application and writes what it makes.
func FuzzApp(f *testing.F) {
	for _, body := range []string{
		bookmarkApp, basicApp, formApp, webApp, robotApp, `{"name":"bookmark","visibility":{"appLinks":"x","hide":[]}}`,
		`{"name":"bookmark","visibility":7}`, `{"settings":{"oauthClient":{"jwks":{"keys":[1]}}}}`, `{"credentials":{"password":{"value":"x"},"signing":{"kid":"k"}}}`,
		`{"name":"template_swa","settings":{"app":null,"notifications":{"vpn":[]}},"features":null}`,
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
		app, err := okta.AppRoundTrip(o)
		if !value.Equal(before, any(o)) {
			t.Errorf("the body was changed: %v", o)
		}
		if err != nil {
			return
		}
		text, err := json.Marshal(app)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if !json.Valid(text) {
			t.Errorf("%s is no JSON", text)
		}
	})
}
