package catalog

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/value"
)

// index returns the entry's built-in description.
func index(t testing.TB, e *Entry) *openapi.Index {
	t.Helper()
	x, err := openapi.Parse(e.Description(), e.Name+"/"+e.DescriptionFile)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// operation returns the operation with the given id.
func operation(t testing.TB, x *openapi.Index, id string) *openapi.Operation {
	t.Helper()
	op, err := x.ByID(id)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func TestDescriptionsAreComplete(t *testing.T) {
	for _, e := range all(t) {
		x := index(t, e)
		if got := Match("", x.Title, nil); got != e {
			t.Errorf("%s: its own title %q does not lead to it", e.Name, x.Title)
		}
		for _, s := range x.Servers {
			if url, err := openapi.ResolveServer(s, "", nil); err == nil {
				t.Errorf("%s: without a binding it calls %s", e.Name, url)
			}
			if !strings.HasSuffix(s.URL, e.BasePath) {
				t.Errorf("%s: the server %s lacks the base path %s", e.Name, s.URL, e.BasePath)
			}
		}
		ids := map[string]string{}
		for _, s := range x.Operations() {
			if other, twice := ids[s.ID]; s.ID == "" || twice {
				t.Errorf("%s %s %s: the operationId %q is missing or that of %s", e.Name, s.Method, s.Path, s.ID, other)
				continue
			}
			ids[s.ID] = s.Method + " " + s.Path
			complete(t, e, x, operation(t, x, s.ID))
		}
	}
}

// An unquoted comma or colon in a text makes a key of what follows it, which no
// reader of OpenAPI would miss.
func TestDescriptionsHaveNoStrayKeys(t *testing.T) {
	for _, e := range all(t) {
		root, err := value.ParseYAML(e.Description(), e.Name)
		if err != nil {
			t.Fatal(err)
		}
		var walk func(*yaml.Node)
		walk = func(n *yaml.Node) {
			for i, child := range n.Content {
				if n.Kind == yaml.MappingNode && i%2 == 0 && strings.ContainsAny(child.Value, " ,") {
					t.Errorf("%s:%d:%d: %q is no key", e.Name, child.Line, child.Column, child.Value)
				}
				walk(child)
			}
		}
		walk(root)
	}
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// mediaType is that of the bodies that a provider takes.
func mediaType(e *Entry) string {
	if e.Name == "scim" {
		return "application/scim+json"
	}
	return "application/json"
}

func complete(t *testing.T, e *Entry, x *openapi.Index, op *openapi.Operation) {
	t.Helper()
	wrong := func(format string, args ...any) { t.Helper(); t.Errorf(e.Name+" "+op.ID+": "+format, args...) }
	if len(op.Problems) > 0 {
		wrong("%v", op.Problems)
	}
	if len(op.SuccessStatuses()) == 0 || !op.Declares(404) {
		wrong("the responses lack a success or the errors")
	}
	var inPath []string
	for _, p := range op.Parameters {
		if p.In == "path" {
			inPath = append(inPath, p.Name)
		}
		if p.Type == "" {
			wrong("the parameter %s has no type", p.Name)
		}
	}
	var want []string
	for _, m := range pathParameter.FindAllStringSubmatch(op.Path, -1) {
		want = append(want, m[1])
	}
	if !slices.Equal(inPath, want) {
		wrong("declares the path parameters %v", inPath)
	}
	if op.Body != nil && (len(op.Body.Media) != 1 || op.Body.Media[0].Type != mediaType(e) && op.ID != "uploadApplicationLogo") { // a picture
		wrong("the body is %+v", op.Body.Media)
	}
	if _, ok := e.Forecast.Bucket(op.Method, op.Path); !ok {
		wrong("no bucket counts it")
	}
	scopes := false
	for _, alternative := range op.Security {
		for name, list := range alternative {
			scheme, known := x.Schemes[name]
			if !known {
				wrong("the security scheme %s is not there", name)
			}
			scopes = scopes || scheme.Type == "oauth2" && len(list) > 0
			for _, scope := range list {
				if scheme.Scopes[scope] == "" {
					wrong("the scope %s is not there", scope)
				}
			}
		}
	}
	if !scopes {
		wrong("it has no scopes")
	}
}

func TestSecuritySchemesAgreeWithProfiles(t *testing.T) {
	for _, e := range all(t) {
		for _, scheme := range index(t, e).Schemes {
			if scheme.Type == "apiKey" && (scheme.In != "header" || scheme.Param != e.Auth[0].Header) {
				t.Errorf("%s: %s is in %s %s", e.Name, scheme.Name, scheme.In, scheme.Param)
			}
			for _, a := range e.Auth {
				if scheme.Type == "oauth2" && a.OAuth() && a.TokenURL != "{origin}"+scheme.TokenURL {
					t.Errorf("%s: token URL %s in the profile, %s in the description", e.Name, a.TokenURL, scheme.TokenURL)
				}
			}
		}
	}
}

// A probe calls an operation of the description, with parameters it declares.
func TestProbesAreOperations(t *testing.T) {
	for _, e := range all(t) {
		x := index(t, e)
		for _, p := range e.Probes {
			i := slices.IndexFunc(x.Operations(), func(s openapi.Summary) bool {
				return s.Method == p.Method && slices.EqualFunc(segments(s.Path), segments(p.Path), func(template, segment string) bool {
					return template == segment || template == "{}"
				})
			})
			if i < 0 {
				t.Errorf("%s: the probe %s %s is no operation", e.Name, p.Method, p.Path)
				continue
			}
			op := operation(t, x, x.Operations()[i].ID)
			for name := range p.Query {
				if !slices.ContainsFunc(op.Parameters, func(d openapi.Parameter) bool { return d.In == "query" && d.Name == name }) {
					t.Errorf("%s: the probe's parameter %s is not declared by %s", e.Name, name, op.ID)
				}
			}
		}
	}
}

// endpoints are those that published workflows call, with the status they
// expect (facts on published workflows, 6.1), and the operationId of the
// description that they name.
const endpoints = `
okta PUT /api/v1/groups/{groupId}/users/{userId} 204 addUserToGroup
okta POST /api/v1/users 200 createUser
okta POST /api/v1/apps/{appId}/users 200 assignUserToApplication
okta POST /api/v1/users/{userId}/lifecycle/suspend 200 suspendUser
okta POST /api/v1/apps 200 createApplication
okta POST /api/v1/apps/{appId}/lifecycle/activate 200 activateApplication
okta POST /api/v1/groups/rules/{ruleId}/lifecycle/activate 204 activateGroupRule
okta GET /api/v1/users 200 listUsers
okta POST /api/v1/users/{userId}/factors 200 enrollFactor
okta POST /api/v1/users/{userId}/roles 201 assignRoleToUser
okta PUT /api/v1/apps/{appId}/groups/{groupId} 200 createApplicationGroupAssignment
okta POST /api/v1/authenticators 200 createAuthenticator
okta POST /api/v1/authenticators/{authenticatorId}/lifecycle/activate 200 activateAuthenticator
okta GET /api/v1/groups 200 listGroups
okta POST /api/v1/groups 200 createGroup
okta POST /api/v1/groups/rules 200 createGroupRule
okta PUT /api/v1/groups/rules/{ruleId} 200 updateGroupRule
okta POST /api/v1/groups/rules/{ruleId}/lifecycle/deactivate 204 deactivateGroupRule
okta POST /api/v1/groups/{groupId}/roles 200 assignRoleToGroup
okta GET /api/v1/groups/{groupId}/roles 200 listGroupAssignedRoles
okta POST /api/v1/policies 200 createPolicy
okta POST /api/v1/policies/{policyId}/lifecycle/activate 204 activatePolicy
okta POST /api/v1/policies/{policyId}/rules 200 createPolicyRule
okta POST /api/v1/sessions 200 createSession
okta POST /api/v1/sessions/{sessionId}/lifecycle/refresh 200 refreshSession
okta DELETE /api/v1/users/{userId} 202 deactivateOrDeleteUser
okta GET /api/v1/users/{userId} 200 getUser
okta POST /api/v1/users/{userId}/factors/{factorId}/lifecycle/activate 200 activateFactor
okta GET /api/v1/users/{userId}/groups 200 listUserGroups
okta POST /api/v1/users/{userId}/lifecycle/deactivate 200 deactivateUser
okta POST /api/v1/users/{userId}/lifecycle/reset_factors 200 resetFactors
okta POST /api/v1/users/{userId}/lifecycle/unsuspend 200 unsuspendUser
okta GET /api/v1/users/{userId}/roles 200 listAssignedRolesForUser
okta DELETE /api/v1/users/{userId}/sessions 204 clearUserSessions
auth0 POST /organizations 201 post_organizations
auth0 POST /organizations/{id}/members 204 post_members
auth0 POST /users 201 post_users
auth0 POST /clients 201 post_clients
auth0 POST /roles 200 post_roles
auth0 GET /users-by-email 200 get_users-by-email
auth0 POST /users/{id}/roles 204 post_user_roles
auth0 POST /client-grants 201 post_client-grants
auth0 POST /connections 201 post_connections
auth0 PATCH /connections/{id}/clients 204 patch_clients
auth0 POST /organizations/{id}/connections 201 post_organization_connection
auth0 POST /organizations/{id}/invitations 200 post_invitations
auth0 GET /organizations/{id}/members 200 get_organization_members
auth0 POST /organizations/{id}/members/{user_id}/roles 204 post_organization_member_roles
auth0 POST /resource-servers 201 post_resource-servers
auth0 POST /roles/{id}/permissions 201 post_role_permission_assignment
auth0 POST /roles/{id}/users 200 post_role_users
auth0 GET /client-grants/{id} 200 get_client-grant
auth0 GET /connections/{id}/clients 200 get_connection_clients
auth0 GET /grants 200 get_grants
auth0 DELETE /grants/{id} 204 delete_grants_by_id
auth0 GET /organizations/{id}/connections/{connection_id} 200 get_organization_connection
auth0 GET /organizations/{id}/invitations/{invitation_id} 200 get_invitations_by_invitation_id
auth0 GET /roles 200 get_roles
auth0 GET /roles/{id}/permissions 200 get_role_permission
auth0 GET /roles/{id}/users 200 get_role_user
auth0 GET /users/{id} 200 get_users_by_id
auth0 POST /users/{id}/permissions 201 post_permissions
auth0 GET /users/{id}/permissions 200 get_permissions
`

func TestEndpointsOfPublishedWorkflows(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(endpoints), "\n")
	if len(lines) != 34+29 {
		t.Fatalf("%d endpoints, want the 34 of Okta and the 29 of Auth0", len(lines))
	}
	for _, line := range lines {
		f := strings.Fields(line)
		op, err := index(t, Find(f[0])).ByPath(f[2], f[1])
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		status, err := strconv.Atoi(f[3])
		if err != nil {
			t.Fatal(err)
		}
		if op.ID != f[4] || !slices.Contains(op.SuccessStatuses(), status) {
			t.Errorf("%s: it is %s and answers %v", line, op.ID, op.SuccessStatuses())
		}
	}
}

// What is secret in a body must be known before the body is journalled.
func TestSecretsAreMarked(t *testing.T) {
	for _, tt := range []struct {
		entry, operation string
		request, answer  []string
	}{
		{
			"okta", "createUser",
			[]string{"/credentials/password/value", "/credentials/recovery_question/answer", "/credentials/password/hash/salt", "/credentials/password/hash/value"},
			[]string{"/credentials/password/value", "/credentials/recovery_question/answer", "/credentials/password/hash/salt", "/credentials/password/hash/value"},
		},
		{"okta", "changePassword", []string{"/newPassword/value", "/oldPassword/value", "/newPassword/hash/salt", "/newPassword/hash/value", "/oldPassword/hash/salt", "/oldPassword/hash/value"}, nil},
		{"okta", "activateUser", nil, []string{"/activationToken", "/activationUrl"}},
		{"okta", "resetPassword", nil, []string{"/resetPasswordUrl"}},
		{"okta", "expirePasswordWithTempPassword", nil, []string{"/tempPassword"}},
		{"okta", "activateFactor", []string{"/passCode"}, []string{"/_embedded/activation/sharedSecret"}},
		{"okta", "createSession", []string{"/sessionToken"}, nil},
		{"okta", "assignUserToApplication", []string{"/credentials/password/value"}, nil},
		{"auth0", "post_users", []string{"/password"}, nil},
		{"auth0", "patch_users_by_id", []string{"/password"}, nil},
		{"auth0", "post_clients", nil, []string{"/client_secret"}},
		{"auth0", "post_resource-servers", []string{"/signing_secret"}, []string{"/signing_secret"}},
	} {
		op := operation(t, index(t, Find(tt.entry)), tt.operation)
		var request []string
		if op.Body != nil {
			request = op.Body.Media[0].Secrets
		}
		if !slices.Equal(request, tt.request) {
			t.Errorf("%s: secrets of the body %v, want %v", op.ID, request, tt.request)
		}
		answer := op.Responses[strconv.Itoa(op.SuccessStatuses()[0])].Secrets
		if !slices.Equal(answer, tt.answer) {
			t.Errorf("%s: secrets of the answer %v, want %v", op.ID, answer, tt.answer)
		}
	}
}

func TestRequiredProperties(t *testing.T) {
	for _, tt := range []struct {
		entry, operation string
		want             []string
	}{
		{"okta", "createUser", []string{"profile"}},
		{"okta", "partialUpdateUser", nil},
		{"okta", "createGroup", []string{"profile"}},
		{"okta", "assignUserToApplication", []string{"id"}},
		{"okta", "assignRoleToUser", []string{"type"}},
		{"auth0", "post_users", []string{"connection"}},
		{"auth0", "post_connections", []string{"name", "strategy"}},
		{"auth0", "post_invitations", []string{"inviter", "invitee", "client_id"}},
		{"auth0", "post_members", []string{"members"}},
	} {
		op := operation(t, index(t, Find(tt.entry)), tt.operation)
		if got := op.Body.Media[0].Required; !op.Body.Required || !slices.Equal(got, tt.want) {
			t.Errorf("%s: required properties %v, want %v in a required body", op.ID, got, tt.want)
		}
	}
}

func TestAliases(t *testing.T) {
	okta, err := Find("okta").Aliases()
	if err != nil {
		t.Fatal(err)
	}
	x := index(t, Find("okta"))
	for alias, id := range okta {
		if !x.Has(id) || x.Has(alias) {
			t.Errorf("%s stands for %s, which must be an operation, and itself none", alias, id)
		}
	}
	for alias, want := range map[string]string{
		"assignUserToGroup": "addUserToGroup", "addGroup": "createGroup", "deleteUser": "deactivateOrDeleteUser",
		"updateUser": "", // PUT in one edition, POST in the other
	} {
		if okta[alias] != want {
			t.Errorf("%s stands for %q, want %q", alias, okta[alias], want)
		}
	}
}

// shared opens the folder of public material, and skips without it.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.FromSlash("../../../../shared/data"), filepath.FromSlash(name)))
	switch {
	case err == nil:
		return data
	case os.Getenv("CI") != "":
		t.Fatal(err)
	}
	t.Skipf("no published material: %v", err)
	return nil
}

// published are the descriptions that the providers publish, the one whose
// operationIds ours has first.
var published = map[string][]string{
	"okta":  {"openapi/okta-openapi-original.yml", "okta/openapi-management-2026.06.3.yaml"},
	"auth0": {"openapi/auth0-management-api-openapi.yml"},
}

// plain is a method and a path without the names of parameters, and without the
// query that says nothing and that one edition writes into a path.
func plain(method, path string) string {
	path = strings.TrimSuffix(path, "?tempPassword=false")
	return method + " /" + strings.Join(segments(path), "/")
}

// TestAgreesWithPublished holds our descriptions to the published ones, in which
// workflows are written: a name that means one call there and another one here
// would do the wrong thing to people's accounts.
func TestAgreesWithPublished(t *testing.T) {
	for _, e := range all(t) {
		for i, file := range published[e.Name] {
			t.Run(filepath.Base(file), func(t *testing.T) {
				theirs, err := openapi.Parse(shared(t, file), file)
				if err != nil {
					t.Fatal(err)
				}
				if got := Match("source", theirs.Title, nil); got != e {
					t.Errorf("its title %q is not recognised", theirs.Title)
				}
				agree(t, e, theirs, i == 0)
			})
		}
	}
}

func agree(t *testing.T, e *Entry, theirs *openapi.Index, named bool) {
	t.Helper()
	at := map[string]*openapi.Operation{} // by what is called
	means := map[string]string{}          // by operationId
	for _, s := range theirs.Operations() {
		op, err := theirs.ByPath(s.Path, s.Method)
		if err != nil {
			t.Fatal(err)
		}
		at[plain(s.Method, s.Path)] = op
		means[s.ID] = plain(s.Method, s.Path)
	}
	aliases, err := e.Aliases()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{}
	for alias, id := range aliases {
		names[id] = append(names[id], alias)
	}
	ours := index(t, e)
	for _, s := range ours.Operations() {
		op, call := operation(t, ours, s.ID), plain(s.Method, s.Path)
		for _, name := range append(names[s.ID], s.ID) {
			if other, known := means[name]; known && other != call {
				t.Errorf("%s is %s here and %s there", name, call, other)
			}
		}
		their := at[call]
		if their == nil {
			continue
		}
		sameName := their.ID == s.ID || slices.Contains(names[s.ID], their.ID)
		// updateUser and getRole have two meanings, forgotPassword had no name.
		twofold := []string{"replaceUser", "partialUpdateUser", "getCustomRole", "getGroupAssignedRole"}
		if exception := slices.Contains(twofold, s.ID) || their.ID == ""; !sameName && !exception {
			t.Errorf("%s: %s here, %s there", call, s.ID, their.ID)
		}
		if named {
			sameShape(t, op, their)
		}
		sameScopes(t, ours, op, theirs, their)
	}
}

// newer are properties of bodies that only the later edition has.
var newer = []string{"realmId", "revokeSessions", "role", "resource-set"}

// sameShape checks what a workflow relies on: parameters, body, success.
func sameShape(t *testing.T, ours, theirs *openapi.Operation) {
	t.Helper()
	for _, status := range theirs.SuccessStatuses() {
		if !slices.Contains(ours.SuccessStatuses(), status) {
			t.Errorf("%s: %d is published and not declared here", ours.ID, status)
		}
	}
	for _, p := range theirs.Parameters {
		i := slices.IndexFunc(ours.Parameters, func(o openapi.Parameter) bool { return o.Name == p.Name && o.In == p.In })
		switch {
		case i < 0 && (p.Required || p.In == "path"):
			t.Errorf("%s: the parameter %s is required and not declared here", ours.ID, p.Name)
		case i >= 0 && p.Type != "" && ours.Parameters[i].Type != p.Type:
			t.Errorf("%s: the parameter %s is of type %s here, %s there", ours.ID, p.Name, ours.Parameters[i].Type, p.Type)
		}
	}
	if (ours.Body == nil) != (theirs.Body == nil) {
		t.Errorf("%s: only one side has a body", ours.ID)
		return
	}
	if ours.Body == nil {
		return
	}
	mine, their := ours.Body.Media[0], theirs.Body.Media[0]
	if mine.Type != their.Type {
		t.Errorf("%s: the body is %s here, %s there", ours.ID, mine.Type, their.Type)
	}
	for _, name := range their.Required {
		if !slices.Contains(mine.Required, name) {
			t.Errorf("%s: the property %s is required and not so here", ours.ID, name)
		}
	}
	for _, name := range mine.Props {
		if their.Props != nil && !slices.Contains(their.Props, name) && !slices.Contains(newer, name) {
			t.Errorf("%s: the property %s is not published", ours.ID, name)
		}
	}
}

// sameScopes checks that a scope named here is one that is published.
func sameScopes(t *testing.T, x *openapi.Index, ours *openapi.Operation, y *openapi.Index, theirs *openapi.Operation) {
	t.Helper()
	there := scopes(y, theirs)
	if len(there) == 0 {
		return // the older edition knows no OAuth
	}
	for _, scope := range scopes(x, ours) {
		if !slices.Contains(there, scope) {
			t.Errorf("%s: the scope %s is not published, only %v", ours.ID, scope, there)
		}
	}
}

func scopes(x *openapi.Index, op *openapi.Operation) []string {
	var out []string
	for _, alternative := range op.Security {
		for name, list := range alternative {
			if x.Schemes[name].Type == "oauth2" {
				out = append(out, list...)
			}
		}
	}
	return out
}

// TestServesPublishedWorkflows checks that our descriptions have all that the
// published Okta workflows and the seed need.
func TestServesPublishedWorkflows(t *testing.T) {
	const dir = "../../../../shared/data/arazzo/"
	flows, err := filepath.Glob(filepath.FromSlash(dir + "okta/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"arazzo/seed.arazzo.yml"}
	for _, flow := range flows {
		names = append(names, "arazzo/okta/"+filepath.Base(flow))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			var document workflows
			if err := yaml.Unmarshal(shared(t, name), &document); err != nil {
				t.Fatal(err)
			}
			for _, w := range document.Workflows {
				for _, s := range w.Steps {
					serves(t, s)
				}
			}
		})
	}
}

// workflows is as much of an Arazzo document as the test looks at.
type workflows struct {
	Workflows []struct {
		Steps []step `yaml:"steps"`
	} `yaml:"workflows"`
}

type step struct {
	OperationID string `yaml:"operationId"`
	Parameters  []struct {
		Name string `yaml:"name"`
		In   string `yaml:"in"`
	} `yaml:"parameters"`
	RequestBody struct {
		Payload yaml.Node `yaml:"payload"`
	} `yaml:"requestBody"`
}

func serves(t *testing.T, s step) {
	t.Helper()
	entry, id := "okta", s.OperationID
	if rest, qualified := strings.CutPrefix(id, "$sourceDescriptions."); qualified {
		source, name, _ := strings.Cut(rest, ".")
		entry, id = Match(source, "", nil).Name, name
	}
	op, err := index(t, Find(entry)).ByID(id)
	if err != nil {
		t.Error(err)
		return
	}
	for _, p := range s.Parameters {
		if p.Name != "Authorization" && !slices.ContainsFunc(op.Parameters, func(o openapi.Parameter) bool { return o.Name == p.Name && o.In == p.In }) {
			t.Errorf("%s: the parameter %s in %s is not declared", id, p.Name, p.In)
		}
	}
	payload, _ := value.FromYAML(&s.RequestBody.Payload).(map[string]any)
	if payload == nil {
		return
	}
	body := op.Body.Media[0]
	for _, name := range body.Required {
		if _, given := payload[name]; !given {
			t.Errorf("%s: a body without %s is refused", id, name)
		}
	}
	for name := range payload {
		if body.Props != nil && !slices.Contains(body.Props, name) {
			t.Errorf("%s: the property %s is not declared", id, name)
		}
	}
}
