package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/plan"
	protocol "github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web/api"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
	"github.com/lanyard-id/lanyard/internal/web/okta"
	"github.com/lanyard-id/lanyard/internal/web/scim"
)

// actionCases are the cases of one action in testdata/actions/PROVIDER.yaml.
type actionCases struct {
	Success    actionCase            `yaml:"success"`
	WrongState actionCase            `yaml:"wrongState"`
	NotFound   actionCase            `yaml:"notFound"`
	Others     map[string]actionCase `yaml:"others"`
}

type actionCase struct {
	None     string               `yaml:"none"` // why there is no such case
	Before   []string             `yaml:"before"`
	Inputs   yaml.Node            `yaml:"inputs"`
	Outputs  yaml.Node            `yaml:"outputs"` // a part of them
	After    map[string]yaml.Node `yaml:"after"`
	Succeeds bool                 `yaml:"succeeds"`
	Refused  bool                 `yaml:"refused"`  // before anything is sent
	Code     string               `yaml:"code"`     // of the error
	Message  string               `yaml:"message"`  // a part of the error
	Remedy   string               `yaml:"remedy"`   // a part of it
	Roleless bool                 `yaml:"roleless"` // by a service app without an admin role
}

// TestActions runs every action in every case on SQLite.
func TestActions(t *testing.T) { testActions(t, "") }

// testActions runs every action in every case on a store, as lanyard.yaml names
// it; empty: the usual one.
func testActions(t *testing.T, store string) {
	org := newOrg(t, store)
	cases := readActionCases(t)
	all, err := catalog.Actions()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		c, ok := cases[a.Name]
		if !ok {
			t.Errorf("%s has no cases in testdata/actions", a.Name)
			continue
		}
		delete(cases, a.Name)
		t.Run(a.Name, func(t *testing.T) {
			c.Success.Succeeds = true
			named := map[string]actionCase{"success": c.Success, "wrong state": c.WrongState, "not found": c.NotFound}
			maps.Copy(named, c.Others)
			for _, name := range slices.Sorted(maps.Keys(named)) {
				t.Run(name, func(t *testing.T) { org.play(t, a, named[name]) })
			}
			t.Run("missing scope", func(t *testing.T) { org.playWithoutScope(t, a, c.Success) })
		})
	}
	for name := range cases {
		t.Errorf("there is no action %s", name)
	}
}

func readActionCases(t *testing.T) map[string]actionCases {
	t.Helper()
	files, err := filepath.Glob("testdata/actions/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	cases := map[string]actionCases{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(data))
		dec.KnownFields(true)
		if err := dec.Decode(&cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return cases
}

// org is a sandbox whose caller a test can limit.
type org struct {
	product  cli.Product
	data     string
	config   string
	stands   map[string]stand // by provider
	scopes   []string         // of the caller of actions; nil: all
	roleless bool             // it is a service app without an admin role
	worlds   int
}

// stand is a provider as a case finds it.
type stand struct {
	owner http.Handler // the API, for its owner
	world []string     // makes the people and things of a case, line by line as ask reads them

	readOnly, blind []string // scopes of callers who may change nothing, and who may not read either
	refusal         string   // the code by which they are refused
	grants          string   // a part of the remedy
}

// kept is a session that outlives the commands that use it.
type kept struct{ cli.Session }

func (kept) Close() error { return nil }

func newOrg(t *testing.T, store string) *org {
	b := newBench(t)
	if store != "" {
		b.env["TEST_STORE"] = store
		b.write("lanyard.yaml", "store: env:TEST_STORE\n")
	}
	session := b.session(cli.ReadWrite)
	box, err := session.(*Folder).openSandbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := &org{product: b.Product(), data: b.path(".lanyard"), config: b.path("lanyard.yaml")}
	if store == "" {
		b.write("lanyard.yaml", "{}\n")
	}
	o.product.Open = func(context.Context, cli.Settings, cli.Access) (cli.Session, error) { return kept{session}, nil }
	o.stands = map[string]stand{
		"okta": {
			owner: box.handlers[oktaSandbox], world: oktaWorld, refusal: "E0000006", grants: "okta.",
			readOnly: []string{"okta.users.read", "okta.groups.read", "okta.apps.read", "okta.roles.read", "okta.identitySources.read"}, blind: []string{"okta.logs.read"},
		},
		"auth0": {
			owner: box.handlers[auth0Sandbox], world: auth0World, refusal: "403", grants: "of the Auth0 Management API",
			readOnly: []string{
				"read:users", "read:roles", "read:role_members", "read:organizations", "read:organization_members", "read:organization_member_roles",
				"read:groups", "read:group_members",
			},
			blind: []string{"read:logs"},
		},
	}
	o.stands["scim"] = stand{
		owner: box.handlers[scimSandbox], world: scimWorld, refusal: "403", grants: "scope",
		readOnly: []string{"get:users", "get:groups"}, blind: []string{"post:bulk"},
	}
	folder := session.(*Folder)
	o.stands["lanyard"] = stand{
		owner: ownAPIFor(folder, func() []string { return nil }), world: lanyardWorld, refusal: "403", grants: "lanyard.",
		readOnly: []string{api.ReadTables, api.ReadPeople, api.ReadRuns, api.ReadImports}, blind: []string{},
	}
	folder.own = ownAPIFor(folder, func() []string { return o.scopes })
	box.handlers[scimSandbox] = below(scim.Prefix+tenant.SeededEndpoint, scim.New(scim.Options{Backend: limitedBackend{box.inbound, o}}))
	box.handlers[auth0Sandbox] = auth0.New(auth0.Options{Directory: box.directory, Authorizer: limited{o}})
	box.handlers[oktaSandbox] = okta.New(okta.Options{
		Directory: box.directory, Sources: settling{box.imports}, Log: slog.New(slog.DiscardHandler), BaseURL: "https://okta.sandbox",
		Authorizer: func(context.Context, okta.Call) (okta.Caller, error) {
			who := okta.Owner(directory.Administrator)
			who.Scopes = o.scopes
			if o.roleless {
				who.Roles, who.Scopes = nil, []string{"okta.users.read", "okta.users.manage"}
				who.Actor.ID, who.Actor.Type = "0oaroleless000001d7", directory.ClientActor
			}
			return who, nil
		},
	})
	first, err := catalog.FindAction("lanyard.list_tables") // so that there is a run
	if err != nil {
		t.Fatal(err)
	}
	o.act(t, first, map[string]any{})
	return o
}

// settling imports what is triggered before it is answered.
type settling struct{ *importer.Importer }

func (s settling) Trigger(ctx context.Context, actor directory.Actor, source, session string) (*importer.Session, error) {
	triggered, err := s.Importer.Trigger(ctx, actor, source, session)
	if err != nil {
		return nil, err
	}
	return triggered, s.Settle(ctx)
}

// ownAPIFor is the own API for a caller with these scopes.
func ownAPIFor(f *Folder, scopes func() []string) http.Handler {
	mux := http.NewServeMux()
	(&api.API{Service: f, Callers: func(context.Context, string, string) (api.Caller, error) { return api.Caller{Scopes: scopes()}, nil }}).Mount(mux)
	return mux
}

// limited lets a caller do what the test says.
type limited struct{ o *org }

func (limited) Issue(context.Context, auth0.TokenRequest) (auth0.Token, error) {
	return auth0.Token{Access: "test"}, nil
}

func (l limited) Authorize(_ context.Context, _ string, anyOf []string) (auth0.Caller, error) {
	if l.o.scopes == nil || slices.ContainsFunc(anyOf, func(s string) bool { return slices.Contains(l.o.scopes, s) }) {
		return auth0.Caller{ID: "test", Scopes: l.o.scopes}, nil
	}
	return auth0.Caller{}, fault.New(fault.Forbidden, "the scope is missing")
}

// limitedBackend lets the callers of SCIM do what the test says.
type limitedBackend struct {
	*inbound.Service
	o *org
}

func (b limitedBackend) Open(ctx context.Context, connection, _ string) (scim.Endpoint, error) {
	e, err := b.Inside(ctx, connection)
	if err != nil {
		return nil, err
	}
	return limitedEndpoint{scimEndpoint{e}, b.o}, nil
}

type limitedEndpoint struct {
	scimEndpoint
	o *org
}

func (e limitedEndpoint) Allow(method string, typ *protocol.ResourceType) error {
	if e.o.scopes == nil || slices.Contains(e.o.scopes, strings.ToLower(method+":"+strings.TrimPrefix(typ.Endpoint, "/"))) {
		return nil
	}
	return fault.New(fault.Forbidden, "the scope is missing")
}

// world holds the names that a case can use.
type world map[string]string

var worldName = regexp.MustCompile(`\{([a-z]+)\}`)

func (w world) fill(text string) string {
	return worldName.ReplaceAllStringFunc(text, func(m string) string {
		if v, ok := w[m[1:len(m)-1]]; ok {
			return v
		}
		return m
	})
}

// values fills the names in to a value of the data.
func (w world) values(t *testing.T, node yaml.Node) any {
	t.Helper()
	if node.Kind == 0 {
		return nil
	}
	text, err := value.Encode(value.FromYAML(&node))
	if err != nil {
		t.Fatal(err)
	}
	v, err := value.Decode([]byte(w.fill(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var oktaWorld = []string{
	`u = POST /api/v1/users {"profile":{"login":"{login}","email":"{login}","firstName":"Wil","lastName":"Must"},"credentials":{"password":{"value":"Correct-Horse-7"}}}`,
	`s = POST /api/v1/users?activate=false {"profile":{"login":"s{n}@example.com","email":"s{n}@example.com","firstName":"Sta","lastName":"Ged"}}`,
	`g = POST /api/v1/groups {"profile":{"name":"{gname}"}}`,
	`h = POST /api/v1/groups {"profile":{"name":"Half {n}"}}`,
	`a = POST /api/v1/apps {"name":"bookmark","label":"App{n}","signOnMode":"BOOKMARK","settings":{"app":{"requestIntegration":false,"url":"https://example.com/"}}}`,
	`everyone = GET /api/v1/groups?q=Everyone`,
}

// sourceWorld is what actions on identity sources find beside oktaWorld.
var sourceWorld = []string{
	`i = POST /api/v1/apps {"name":"custom_identity_source","label":"HR{n}"}`,
	`PUT /api/v1/apps/{i}/features/INBOUND_PROVISIONING {"importRules":{"userCreateAndMatch":{"autoConfirmExactMatch":true,"autoConfirmNewUsers":true,"autoActivateNewUsers":true}}}`,
	`POST /api/v1/identity-sources/{i}/users {"externalId":"E{n}","profile":{"userName":"e{n}@example.com","email":"e{n}@example.com","firstName":"Ext","lastName":"Ern{n}"}}`,
	`j = POST /api/v1/identity-sources/{i}/groups {"externalId":"G{n}","profile":{"displayName":"Sourced {n}"}}`,
}

var auth0World = []string{
	`u = POST /api/v2/users {"connection":"Username-Password-Authentication","email":"{login}","password":"Correct-Horse-7","given_name":"Wil","family_name":"Must"}`,
	`v = POST /api/v2/users {"connection":"Username-Password-Authentication","email":"v{n}@example.com","password":"Correct-Horse-7"}`,
	`r = POST /api/v2/roles {"name":"Role {n}","description":"Reads"}`,
	`o = POST /api/v2/organizations {"name":"org{n}","display_name":"Org {n}"}`,
	`api = POST /api/v2/resource-servers {"identifier":"https://api{n}.example.com/","name":"API {n}","scopes":[{"value":"read:it"},{"value":"write:it"}]}`,
	`w = POST /scim/v2/connections/con_000000000000scim/Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"{login}","externalId":"a{n}","emails":[{"primary":true,"value":"{login}"}],"active":true}`,
	`g = POST /scim/v2/connections/con_000000000000scim/Groups {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Enterprise {n}","members":[{"value":"{w}"}]}`,
}

var scimWorld = []string{
	`u = POST /Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"{login}","externalId":"x{n}","name":{"givenName":"Wil","familyName":"Must"},"active":true}`,
	`v = POST /Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"v{n}@example.com","externalId":"v{n}","active":true}`,
	`g = POST /Groups {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"{gname}"}`,
}

var lanyardWorld = []string{
	`t = POST /api/v1/tables {"name":"T{n}","columns":[{"name":"name","type":"text","key":true},{"name":"n","type":"number"}]}`,
	`r = POST /api/v1/tables/T{n}/rows {"values":{"name":"Ann","n":1}}`,
	`s = POST /api/v1/tables/T{n}/rows {"values":{"name":"Bob","n":2}}`,
	`x = GET /api/v1/runs?limit=1`,
}

// newWorld makes the people and things of a case.
func (o *org) newWorld(t *testing.T, provider string) world {
	t.Helper()
	o.worlds++
	n := strconv.Itoa(o.worlds)
	w := world{"n": n, "short": "w" + n, "login": "w" + n + "@example.com", "gname": "Group " + n}
	for _, line := range o.stands[provider].world {
		o.ask(t, provider, w, line)
	}
	return w
}

var askLine = regexp.MustCompile(`^(?:([a-z]+) = )?(?:(\d+)x )?(?:(\d{3}) )?([A-Z]+) (\S+) ?(.*)$`)

// ask makes a request as the org's owner: "[name = ][10x ][404 ]GET /path [body]".
func (o *org) ask(t *testing.T, provider string, w world, line string) any {
	t.Helper()
	m := askLine.FindStringSubmatch(w.fill(line))
	if m == nil {
		t.Fatalf("%q is no request", line)
	}
	times := 1
	if m[2] != "" {
		times, _ = strconv.Atoi(m[2])
	}
	var answer any
	for range times {
		req := httptest.NewRequestWithContext(t.Context(), m[4], "https://"+provider+".sandbox"+m[5], strings.NewReader(m[6]))
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		o.stands[provider].owner.ServeHTTP(rec, req)
		if want := m[3]; want == "" && rec.Code/100 != 2 || want != "" && strconv.Itoa(rec.Code) != want {
			t.Fatalf("%s %s: %d %s", m[4], m[5], rec.Code, rec.Body)
		}
		answer, _ = value.Decode(rec.Body.Bytes())
	}
	if m[1] != "" {
		one := answer
		if list, ok := answer.([]any); ok && len(list) > 0 {
			one = list[0]
		}
		object, _ := one.(map[string]any)
		id, ok := object["id"].(string)
		if !ok {
			id, _ = object["user_id"].(string) // of Auth0
		}
		w[m[1]] = id
	}
	return answer
}

// actionResult is what a program reads of an action.
type actionResult struct {
	code   int
	stderr string

	Status  string         `json:"status"`
	Outputs map[string]any `json:"outputs"`
	Error   any            `json:"error"` // text of a run, an object of a command
	Remedy  string         `json:"remedy"`
	Steps   []actionStep   `json:"steps"`
}

// actionStep is a step of an action, FailedItem the run of an item of its list.
type actionStep struct {
	StatusCode int           `json:"statusCode"`
	FailedItem *actionResult `json:"failedItem"`
}

// answeredWith reports whether a step, also of a failed item, was given a status.
func (r actionResult) answeredWith(status int) bool {
	return slices.ContainsFunc(r.Steps, func(s actionStep) bool {
		return s.StatusCode == status || s.FailedItem != nil && s.FailedItem.answeredWith(status)
	})
}

// text is the error of a run.
func (r actionResult) text() string { return fmt.Sprint(r.Error) }

// act runs an action through the command line.
func (o *org) act(t *testing.T, a *catalog.Action, inputs any) actionResult {
	t.Helper()
	text, err := value.Encode(inputs)
	if err != nil {
		t.Fatal(err)
	}
	never := func() bool { return false }
	var out, errs bytes.Buffer
	streams := cli.IO{
		In: bytes.NewReader(text), Out: &out, Err: &errs, InTerminal: never, OutTerminal: never, ErrTerminal: never,
		Env: func(string) (string, bool) { return "", false },
	}
	r := actionResult{}
	r.code = cli.Main(t.Context(), streams, o.product, []string{
		"actions", "run", a.Name, "--sandbox", "--yes", "--inputs", "-", "-o", "json", "--data", o.data, "--config", o.config,
	})
	r.stderr = errs.String()
	dec := json.NewDecoder(&out)
	dec.UseNumber()
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("exit %d, not JSON: %v\n%s", r.code, err, r.stderr)
	}
	return r
}

// worldOf makes the world of a case of an action.
func (o *org) worldOf(t *testing.T, a *catalog.Action) world {
	t.Helper()
	w := o.newWorld(t, a.Provider)
	if a.Provider == "okta" && a.Group == "sources" {
		for _, line := range sourceWorld {
			o.ask(t, a.Provider, w, line)
		}
	}
	return w
}

func (o *org) play(t *testing.T, a *catalog.Action, c actionCase) {
	if c.None != "" {
		return
	}
	w := o.worldOf(t, a)
	for _, line := range c.Before {
		o.ask(t, a.Provider, w, line)
	}
	o.scopes, o.roleless = nil, c.Roleless
	r := o.act(t, a, w.values(t, c.Inputs))
	o.roleless = false
	switch {
	case c.Refused:
		if r.code != 2 && r.code != 1 || len(r.Steps) > 0 {
			t.Errorf("exit %d after %d steps, want it refused before any", r.code, len(r.Steps))
		}
		return
	case c.Succeeds && (r.code != 0 || r.Status != "succeeded"):
		t.Errorf("exit %d, %s: %s", r.code, r.Status, r.Error)
	case !c.Succeeds && (r.code != 3 || r.Status != "failed"):
		t.Errorf("exit %d, %s (%s), want 3 and failed", r.code, r.Status, r.Error)
	case !c.Succeeds && (!strings.Contains(r.text(), c.Code) || !strings.Contains(r.text(), c.Message)):
		t.Errorf("the error %q lacks %q", r.Error, c.Code+c.Message)
	case !c.Succeeds && c.Message == "" && (r.Remedy == "" || !strings.Contains(r.Remedy, c.Remedy)):
		t.Errorf("the remedy of %q is %q, want %q in it", r.Error, r.Remedy, c.Remedy)
	}
	if want := w.values(t, c.Outputs); want != nil {
		if diff := part(want, r.Outputs); diff != "" {
			t.Errorf("outputs %v: %s", r.Outputs, diff)
		}
	}
	for line, want := range c.After {
		if diff := part(w.values(t, want), o.ask(t, a.Provider, w, line)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

// playWithoutScope runs the success case by a caller who may only read, or, when
// the action only reads, nothing of what it reads.
func (o *org) playWithoutScope(t *testing.T, a *catalog.Action, c actionCase) {
	w := o.worldOf(t, a)
	for _, line := range c.Before {
		o.ask(t, a.Provider, w, line)
	}
	s := o.stands[a.Provider]
	o.scopes = s.readOnly
	inputs := w.values(t, c.Inputs)
	r := o.act(t, a, inputs)
	if r.code == 0 || c.None != "" { // or it needs what is not there
		o.scopes = s.blind
		r = o.act(t, a, inputs)
	}
	o.scopes = nil
	if r.code != 3 || !strings.Contains(r.text(), s.refusal) || !strings.Contains(r.Remedy, s.grants) {
		t.Errorf("exit %d, %q, remedy %q; want 3, %s and the scopes", r.code, r.Error, r.Remedy, s.refusal)
	}
	if !r.answeredWith(http.StatusForbidden) {
		t.Errorf("no step was answered with 403: %+v", r.Steps)
	}
}

// part says where have lacks something of want: every member of an object, and
// lists of equal length in any order of the things in them.
func part(want, have any) string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := have.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v is no object", have)
		}
		for name, v := range want {
			if diff := part(v, object[name]); diff != "" {
				return name + ": " + diff
			}
		}
		return ""
	case []any:
		list, ok := have.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf("%v is no list of %d", have, len(want))
		}
		for _, v := range want {
			if !slices.ContainsFunc(list, func(h any) bool { return part(v, h) == "" }) {
				return fmt.Sprintf("%v is not in %v", v, list)
			}
		}
		return ""
	}
	if fmt.Sprint(want) != fmt.Sprint(have) {
		return fmt.Sprintf("%v, want %v", have, want)
	}
	return ""
}

// Lists are read to their end: the groups of an application come in pages of 20
// (okta.md 1.3).
func TestActionsReadWholeLists(t *testing.T) {
	o := newOrg(t, "")
	w := o.newWorld(t, "okta")
	const many = 45
	for i := range many {
		o.ask(t, "okta", w, fmt.Sprintf(`x = POST /api/v1/groups {"profile":{"name":"One of many %d"}}`, i))
		o.ask(t, "okta", w, "PUT /api/v1/apps/{a}/groups/{x} {}")
	}
	a, err := catalog.FindAction("okta.list_application_groups")
	if err != nil {
		t.Fatal(err)
	}
	r := o.act(t, a, map[string]any{"appId": w["a"]})
	groups, _ := r.Outputs["groups"].([]any)
	ids := map[string]bool{}
	for _, g := range groups {
		object, _ := g.(map[string]any)
		ids[fmt.Sprint(object["id"])] = true
	}
	if r.code != 0 || len(groups) != many || len(ids) != many {
		t.Errorf("exit %d (%s): %d groups, %d different ones, want %d", r.code, r.text(), len(groups), len(ids), many)
	}
}

// asked are the actions that a provider of this kind must have.
var asked = []string{
	"get_user", "get_user_by_login", "get_user_by_shortname", "lookup_user", "create_user", "create_user_with_password", "update_user",
	"activate_user", "reactivate_user", "deactivate_user", "unlock_user", "reset_password", "suspend_user", "unsuspend_user", "delete_user",
	"reset_factors", "clear_user_sessions", "expire_password", "change_password", "forgot_password", "set_recovery_question",
	"change_recovery_question", "add_user_to_groups", "list_user_groups",
	"create_group", "get_group", "get_group_by_name", "lookup_group", "update_group", "add_user_to_group", "add_users_to_group",
	"remove_user_from_group", "delete_group", "list_group_members",
	"assign_role", "list_user_roles", "unassign_role",
	"get_application", "activate_application", "deactivate_application", "get_application_user", "list_application_users",
	"get_application_group", "list_application_groups", "assign_user_to_application", "remove_user_from_application", "delete_application",
	"list_import_sessions", "create_import_session", "get_import_session", "delete_import_session", "trigger_import_session",
	"bulk_user_import", "bulk_delete_users", "bulk_group_import", "bulk_delete_groups",
	"bulk_group_membership_import", "bulk_delete_group_memberships",
	"create_source_user", "get_source_user", "replace_source_user", "update_source_user", "delete_source_user",
	"create_source_group", "get_source_group", "update_source_group", "delete_source_group",
	"list_source_group_members", "add_source_group_member", "remove_source_group_member",
}

// Every action can be planned without a network and without a finding, says what
// its inputs and outputs are, settles calls in doubt without a person, and has
// its remedies where they are looked for.
func TestActionsAreWellMade(t *testing.T) {
	b := newBench(t)
	for _, name := range asked {
		if _, err := catalog.FindAction("okta." + name); err != nil {
			t.Error(err)
		}
	}
	all, err := catalog.Actions()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		result, err := b.plan(t.Context(), cli.PlanRequest{Settings: b.settings(), File: a.Document, Dialect: arazzo.Strict, Workflow: a.Workflow})
		if err == nil {
			err = result.Err()
		}
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		for _, d := range result.Diagnostics {
			t.Errorf("%s: %s", a.Name, d)
		}
		if a.Title == "" || a.Description == "" || len(a.Outputs) == 0 || !regexp.MustCompile(`^(auth0|lanyard|okta|scim)\.[a-z_]+$`).MatchString(a.Name) {
			t.Errorf("%s: it needs a title, a description and outputs", a.Name)
		}
		for _, in := range a.Inputs {
			if in.Title == "" || !strings.HasSuffix(in.Description, ".") || in.Type == "" {
				t.Errorf("%s: the input %s needs a type, a title and a sentence", a.Name, in.Name)
			}
		}
		checkSteps(t, a, result.Plan)
	}
}

func checkSteps(t *testing.T, a *catalog.Action, p *plan.Plan) {
	t.Helper()
	steps, destroys := map[string]bool{}, false
	for _, w := range p.Workflows {
		for _, s := range w.Steps {
			steps[s.ID] = true
			if s.Operation == nil {
				continue
			}
			if !s.Operation.Repeatable() && s.Idempotency == nil {
				t.Errorf("%s: a lost answer of %s leaves it to a person", a.Name, s.ID)
			}
			// What ends an assignment, a membership or a session is easily made again.
			path := strings.TrimPrefix(s.Operation.Path, "/api/v1")
			destroys = destroys || s.Operation.Method == http.MethodDelete && strings.Count(path, "/") == 2 && strings.HasSuffix(path, "}") &&
				!strings.HasPrefix(path, "/user-blocks/") || s.Operation.ID == "deleteIdentitySourceGroup" ||
				s.Operation.Method == http.MethodDelete && strings.HasSuffix(path, "/rows")
		}
	}
	if destroys != (a.Confirm != "") {
		t.Errorf("%s: it destroys something: %t, it asks: %t", a.Name, destroys, a.Confirm != "")
	}
	for step := range a.Steps {
		if !steps[step] {
			t.Errorf("%s: there is a remedy for the step %s, which it has not", a.Name, step)
		}
	}
}
