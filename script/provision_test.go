package script_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	elimity "github.com/elimity-com/scim"
	elimityerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// How large the org of TestProvisioning is when nothing else is said;
// LANYARD_PROVISION_PEOPLE says otherwise, from 320.
const (
	provisionedPeople = 400
	provisionedGroups = 50
	provisionTime     = 8 * time.Minute // for each of the three acts
)

// TestProvisioning provisions hundreds of people and fifty groups from the
// directory to three servers at once, SCIMMY, elimity's and our own, each by
// another kind of application. Joiners, movers, leavers, renames and pushes come
// while the servers answer with 429 and 500, keep answers to themselves and time
// out, and while lanyard is killed. In the end each server has exactly who is
// assigned, and nobody twice.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	if testing.Short() && os.Getenv("CI") == "" {
		t.Skip("it takes minutes")
	}
	p := &provisioned{t: t, binary: buildBinary(t), data: t.TempDir()}
	p.port = freePort(t)
	p.found()

	p.act("joiners", 3, nil)
	p.act("movers, leavers, renames, pushes", 2, p.live)
	p.edit(func(d *directory.Directory, s *provision.Settings, _ *store.DB) {
		for _, target := range p.targets {
			pushes := must(s.Pushes(t.Context(), target.app))(t)
			check(t, s.RemovePush(t.Context(), operator, target.app, pushes[0].ID, true))
		}
		for _, id := range p.people[:20] { // back again
			check(t, d.AddMember(t.Context(), operator, directory.OktaRealm, p.staff, id))
		}
	})
	p.act("unlinked groups, people who come back", 1, nil)
}

var operator = directory.System("operator")

// provisioned is an org, the lanyard that serves it, and its targets.
type provisioned struct {
	t            *testing.T
	binary, data string
	port         int // of the Auth0 tenant, whose endpoint is one of the targets
	own          string
	targets      []*scimTarget
	staff        string // the group that the applications are assigned to
	people       []string
	groups       []string

	okta, token string // of the process that serves
}

// scimTarget is a server of SCIM behind a proxy that makes trouble.
type scimTarget struct {
	name, app, base, token string
	trouble                *trouble
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l := must(new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// edit changes the org while nobody serves it.
func (p *provisioned) edit(f func(*directory.Directory, *provision.Settings, *store.DB)) {
	p.t.Helper()
	db := must(sqlite.Open(p.t.Context(), filepath.Join(p.data, "lanyard.db")))(p.t)
	d := directory.New(db.Directory())
	d.Hash = directory.HashRehearsal
	f(d, &provision.Settings{Directory: d, Realm: directory.OktaRealm}, db)
	check(p.t, db.Close())
}

// found makes the org.
func (p *provisioned) found() {
	ctx, t := p.t.Context(), p.t
	var ownToken string
	p.edit(func(d *directory.Directory, s *provision.Settings, _ *store.DB) {
		check(t, directory.Seed(ctx, d))
		own := tenant.New(d, directory.Auth0Realm)
		connection := &tenant.Connection{Name: "okta-workforce", Strategy: "okta"}
		check(t, own.CreateConnection(ctx, operator, connection))
		_, _, err := own.EnableSCIM(ctx, operator, connection.ID, tenant.SCIMSettings{})
		check(t, err)
		ownToken, _, err = own.CreateSCIMToken(ctx, operator, connection.ID, tenant.NewSCIMToken{Scopes: tenant.SCIMScopes()})
		check(t, err)
		p.own = fmt.Sprintf("http://127.0.0.1:%d/scim/v2/connections/%s", p.port, connection.ID)

		p.addTarget(d, s, "elimity", provision.Template, newElimity(t), "any")
		p.addTarget(d, s, "own", provision.Governance, p.own, ownToken)
		if base := startSCIMMY(t); base != "" {
			p.addTarget(d, s, "scimmy", provision.Wizard, base, "any")
		}
		p.hire(d)
		for _, target := range p.targets {
			_, err := d.AssignGroup(ctx, operator, directory.OktaRealm, target.app, p.staff, directory.AppGroupDraft{})
			check(t, err)
			for _, g := range p.groups {
				_, err := s.AddPush(ctx, operator, target.app, g, false)
				check(t, err)
			}
		}
	})
}

// hire makes the people and the groups.
func (p *provisioned) hire(d *directory.Directory) {
	ctx, t := p.t.Context(), p.t
	group := func(name string) string {
		return must(d.CreateGroup(ctx, operator, directory.OktaRealm, map[string]any{"name": name}))(t).ID
	}
	p.staff = group("Staff")
	for i := range provisionedGroups {
		p.groups = append(p.groups, group(fmt.Sprintf("Team %02d", i)))
	}
	for i := range sizeOf(p.t, "LANYARD_PROVISION_PEOPLE", provisionedPeople) {
		name := fmt.Sprintf("person%04d", i)
		a := must(d.CreateAccount(ctx, operator, directory.OktaRealm, directory.Draft{
			Activate: true, Groups: []string{p.staff, p.groups[i%len(p.groups)]},
			Profile: map[string]any{"login": name + "@example.com", "email": name + "@example.com", "firstName": "Person", "lastName": strconv.Itoa(i)},
		}))(t)
		p.people = append(p.people, a.ID)
	}
}

// addTarget makes an application and the proxy before its server.
func (p *provisioned) addTarget(d *directory.Directory, s *provision.Settings, name string, kind provision.Kind, base, token string) {
	ctx, t := p.t.Context(), p.t
	target := &scimTarget{name: name, base: base, token: token}
	target.trouble = newTrouble(t, base, name == "elimity")
	app, _, err := d.CreateApp(ctx, operator, directory.OktaRealm, directory.AppDraft{Name: "scim2headerauth", Label: name, Activate: true})
	check(t, err)
	target.app = app.ID
	_, _, err = s.SetTarget(ctx, operator, app.ID, secret.Value{}, func(to *provision.Target) error {
		to.Kind, to.BaseURL, to.AllowPrivate = kind, target.trouble.server.URL, true
		to.Auth = provision.Auth{Scheme: provision.Bearer, Token: secret.Ref("env:SCIM_" + strings.ToUpper(name))}
		to.Enabled, to.CreateUsers, to.UpdateUsers, to.DeactivateUsers, to.PushGroups = true, true, true, true, true
		return nil
	})
	check(t, err)
	_, err = s.SetMapping(ctx, operator, app.ID, func(m provision.Mapping) (provision.Mapping, error) {
		for _, row := range []string{"emailType", "primaryPhoneType", "addressType"} {
			if m, err = m.Remove(row); err != nil {
				return nil, err
			}
		}
		return m, nil
	})
	check(t, err)
	p.targets = append(p.targets, target)
}

// act serves the org until everything is done, killing the process as often as
// said on the way, and compares. live is called while the org is served.
func (p *provisioned) act(name string, kills int, live func()) {
	t := p.t
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), provisionTime)
	defer cancel()
	for range kills {
		server, exited := p.serve(ctx)
		if live != nil {
			live()
			live = nil
		}
		p.afterRequests(ctx, 150+rand.IntN(300), exited)
		_ = server.Process.Kill()
		<-exited
	}
	server, exited := p.serve(ctx)
	p.settled(ctx, exited)
	check(t, server.Process.Signal(os.Interrupt))
	<-exited
	for _, target := range p.targets {
		p.compare(target)
		t.Logf("%s: %s: %s", name, target.name, target.trouble.summary())
	}
	t.Logf("%s: %v", name, time.Since(begin).Round(time.Second))
}

// serve starts lanyard and waits until it answers. exited is closed when it has
// ended.
func (p *provisioned) serve(ctx context.Context) (cmd *exec.Cmd, exited chan struct{}) {
	t := p.t
	t.Helper()
	cmd = exec.CommandContext(ctx, p.binary, "serve", "--data", p.data, "--api-port", "-1", "--okta-port", "-1", "--auth0-port", strconv.Itoa(p.port), "-o", "json")
	cmd.Env = os.Environ()
	for _, target := range p.targets {
		cmd.Env = append(cmd.Env, "SCIM_"+strings.ToUpper(target.name)+"="+target.token)
	}
	cmd.Stderr = os.Stderr
	out := must(cmd.StdoutPipe())(t)
	check(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadBytes('\n')
	check(t, err)
	exited = make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // it is killed, or told to end
	}()
	var addresses struct{ Okta string }
	check(t, json.Unmarshal(line, &addresses))
	var credentials struct{ OktaAPIToken string }
	check(t, json.Unmarshal(must(os.ReadFile(filepath.Join(p.data, "sandbox.json")))(t), &credentials))
	p.okta, p.token = addresses.Okta, credentials.OktaAPIToken
	return cmd, exited
}

// afterRequests waits until the targets have got so many more requests, or until
// none comes any more.
func (p *provisioned) afterRequests(ctx context.Context, n int, exited <-chan struct{}) {
	start := p.requests()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	quiet := 0
	for last := start; p.requests() < start+n && quiet < 500; quiet++ {
		if now := p.requests(); now != last {
			last, quiet = now, 0
		}
		select {
		case <-ticker.C:
		case <-exited:
			p.t.Fatal("lanyard serve ended")
		case <-ctx.Done():
			p.t.Fatal("not done in time")
		}
	}
}

func (p *provisioned) requests() (n int) {
	for _, target := range p.targets {
		n += target.trouble.count()
	}
	return n
}

// settled waits until the queue has nothing left.
func (p *provisioned) settled(ctx context.Context, exited <-chan struct{}) {
	t := p.t
	t.Helper()
	db := must(sqlite.Open(ctx, filepath.Join(p.data, "lanyard.db")))(t)
	defer db.Close()
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-exited:
			t.Fatal("lanyard serve ended")
		case <-ctx.Done():
			jobs, _ := db.Provision().Jobs(context.Background(), provision.JobQuery{Limit: 5})
			conditions := map[string]provision.Condition{}
			for _, target := range p.targets {
				conditions[target.name], _ = db.Provision().Condition(context.Background(), directory.OktaRealm, target.app)
			}
			t.Fatalf("not done in time; left: %+v; conditions: %+v", jobs, conditions)
		}
		if p.idle(ctx, db) {
			return
		}
	}
}

func (p *provisioned) idle(ctx context.Context, db *store.DB) bool {
	var last int64
	check(p.t, db.Directory().View(ctx, func(r directory.Reader) error {
		for c, err := range r.Changes(directory.ChangeQuery{Newest: true, MaxRows: 1}) {
			if err != nil {
				return err
			}
			last = c.Seq
		}
		return nil
	}))
	jobs := must(db.Provision().Jobs(ctx, provision.JobQuery{Limit: 1}))(p.t)
	return must(db.Provision().Cursor(ctx))(p.t) == last && len(jobs) == 0
}

// live changes the org over its API.
func (p *provisioned) live() {
	call := func(method, path string, body any) {
		p.t.Helper()
		text := must(json.Marshal(body))(p.t)
		req := must(http.NewRequestWithContext(p.t.Context(), method, p.okta+path, bytes.NewReader(text)))(p.t)
		req.Header.Set("Authorization", "SSWS "+p.token)
		req.Header.Set("Content-Type", "application/json")
		res := must(http.DefaultClient.Do(req))(p.t)
		defer res.Body.Close()
		if answer, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
			p.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, answer)
		}
	}
	for i, id := range p.people[:60] { // leavers: out of the group, or out of the org
		if i < 30 {
			call("DELETE", "/api/v1/groups/"+p.staff+"/users/"+id, nil)
		} else {
			call("POST", "/api/v1/users/"+id+"/lifecycle/deactivate", nil)
		}
	}
	for i, id := range p.people[100:160] { // movers
		call("PUT", "/api/v1/groups/"+p.groups[(i+7)%len(p.groups)]+"/users/"+id, nil)
		call("DELETE", "/api/v1/groups/"+p.groups[(i+100)%len(p.groups)]+"/users/"+id, nil)
	}
	for _, id := range p.people[200:260] { // renames
		call("POST", "/api/v1/users/"+id, map[string]any{"profile": map[string]any{"lastName": "Married", "title": "Lead"}})
	}
	for i, id := range p.people[300:310] { // of the name in the applications
		for _, target := range p.targets {
			name := fmt.Sprintf("renamed%04d@example.com", i)
			call("POST", "/api/v1/apps/"+target.app+"/users/"+id, map[string]any{"credentials": map[string]any{"userName": name}})
		}
	}
	for i, id := range p.groups[10:20] {
		call("PUT", "/api/v1/groups/"+id, map[string]any{"profile": map[string]any{"name": fmt.Sprintf("Crew %02d", i)}})
	}
	for i := range 60 { // joiners
		name := fmt.Sprintf("joiner%04d@example.com", i)
		call("POST", "/api/v1/users?activate=true", map[string]any{
			"profile":  map[string]any{"login": name, "email": name, "firstName": "Join", "lastName": "Er"},
			"groupIds": []string{p.staff, p.groups[i%len(p.groups)]},
		})
	}
}

// compare reads a target, past its proxy, and the directory.
func (p *provisioned) compare(target *scimTarget) {
	t := p.t
	t.Helper()
	wantUsers, wantGroups := p.wanted(target.app)
	base := target.base
	if target.name == "own" { // it is served no more: ask the process of another moment
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		server, exited := p.serve(ctx)
		defer func() {
			_ = server.Process.Kill()
			<-exited
		}()
	}
	ids := map[string]string{} // of users, to userName
	active := map[string]string{}
	seen := map[string]int{}
	for _, u := range readAll(t, base+"/Users", target.token) {
		name, _ := u["userName"].(string)
		ids[u["id"].(string)] = name
		seen["userName "+strings.ToLower(name)]++
		if external, ok := u["externalId"].(string); ok {
			seen["externalId "+external]++
		}
		if u["active"] == true {
			nameOf, _ := u["name"].(map[string]any)
			active[name] = fmt.Sprint(nameOf["familyName"])
		}
	}
	groups := map[string][]string{}
	for _, g := range readAll(t, base+"/Groups", target.token) {
		seen["displayName "+fmt.Sprint(g["displayName"])]++
		full := readOne(t, base+"/Groups/"+url.PathEscape(g["id"].(string)), target.token)
		members := []string{}
		list, _ := full["members"].([]any)
		for _, m := range list {
			members = append(members, ids[m.(map[string]any)["value"].(string)])
		}
		slices.Sort(members)
		groups[full["displayName"].(string)] = members
	}
	for what, n := range seen {
		if n > 1 {
			t.Errorf("%s: %s is there %d times", target.name, what, n)
		}
	}
	if !maps.Equal(active, wantUsers) {
		t.Errorf("%s: %d people are active, want the %d who are assigned: %v", target.name, len(active), len(wantUsers), differing(active, wantUsers))
	}
	if !maps.EqualFunc(groups, wantGroups, slices.Equal) {
		t.Errorf("%s: %d groups differ from the %d that are pushed", target.name, len(groups), len(wantGroups))
		for name, want := range wantGroups {
			if !slices.Equal(groups[name], want) {
				t.Errorf("%s: %s has %v, want %v", target.name, name, groups[name], want)
			}
		}
	}
	t.Logf("%s has %d active of %d people and %d groups", target.name, len(active), len(ids), len(groups))
}

func differing(got, want map[string]string) (out []string) {
	for name := range want {
		if got[name] != want[name] {
			out = append(out, fmt.Sprintf("%s: %q, want %q", name, got[name], want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			out = append(out, "not assigned: "+name)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), 10)]
}

// wanted is who has to be active in an application, with the last names, and
// which groups with whom.
func (p *provisioned) wanted(app string) (users map[string]string, groups map[string][]string) {
	users, groups = map[string]string{}, map[string][]string{}
	p.edit(func(d *directory.Directory, s *provision.Settings, _ *store.DB) {
		ctx, t := p.t.Context(), p.t
		names := map[string]string{}
		for _, a := range must(d.AppUsers(ctx, directory.OktaRealm, app, "", "", 0))(t) {
			names[a.Account] = a.UserName
			users[a.UserName] = a.Of.Text("lastName")
		}
		for _, push := range must(s.Pushes(ctx, app))(t) {
			g := must(d.Group(ctx, directory.OktaRealm, push.Group))(t)
			members := []string{}
			check(t, d.Store.View(ctx, func(r directory.Reader) error {
				for m, err := range r.Members(directory.OktaRealm, g.ID, "") {
					if err != nil {
						return err
					}
					if name := names[m.ID]; name != "" {
						members = append(members, name)
					}
				}
				return nil
			}))
			slices.Sort(members)
			groups[g.Name()] = members
		}
	})
	return users, groups
}

func readOne(t *testing.T, address, token string) map[string]any {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))(t)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/scim+json")
	res := must(http.DefaultClient.Do(req))(t)
	defer res.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v %v", address, res.StatusCode, body, err)
	}
	return body
}

func readAll(t *testing.T, address, token string) (out []map[string]any) {
	t.Helper()
	for {
		page := readOne(t, fmt.Sprintf("%s?startIndex=%d&count=100", address, len(out)+1), token)
		list, _ := page["Resources"].([]any)
		for _, r := range list {
			out = append(out, r.(map[string]any))
		}
		if len(list) == 0 || float64(len(out)) >= page["totalResults"].(float64) {
			return out
		}
	}
}

// trouble is a proxy that makes a server unreliable, always in the same way.
type trouble struct {
	server *httptest.Server
	hold   bool // one request until its client gives up

	mu     sync.Mutex
	random *rand.Rand
	seen   int
	counts map[string]int
}

func newTrouble(t *testing.T, base string, hold bool) *trouble {
	to := must(url.Parse(base))(t)
	x := &trouble{hold: hold, random: rand.New(rand.NewPCG(1, uint64(len(base)))), counts: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = to.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	x.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch what := x.next(); what {
		case "429":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case "500":
			w.WriteHeader(http.StatusInternalServerError)
		case "502 page":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "error code: 502")
		case "held":
			_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection is not noticed
			select {
			case <-r.Context().Done():
			case <-t.Context().Done():
			}
		case "lost":
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(x.server.Close)
	return x
}

// next says what happens to the next request.
func (x *trouble) next() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen++
	what := "ok"
	switch n := x.random.IntN(1000); {
	case x.hold && x.seen == 50:
		what = "held"
	case n < 4:
		what = "429"
	case n < 24:
		what = "500"
	case n < 30:
		what = "502 page"
	case n < 55:
		what = "lost"
	}
	x.counts[what]++
	return what
}

func (x *trouble) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen
}

func (x *trouble) summary() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return fmt.Sprintf("%d requests so far: %v", x.seen, x.counts)
}

// startSCIMMY starts SCIMMY, "" when it is not installed: it takes npm, which
// make test does without. LANYARD_SCIMMY demands it.
func startSCIMMY(t *testing.T) string {
	t.Helper()
	const folder = "../.ci/clients"
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "scimmy-routers")); err != nil {
		if os.Getenv("LANYARD_SCIMMY") != "" {
			t.Fatal("SCIMMY is missing: npm ci --prefix .ci/clients")
		}
		t.Log("without SCIMMY, which is not installed: npm ci --prefix .ci/clients")
		return ""
	}
	cmd := exec.CommandContext(t.Context(), "node", "scimmy-server.mjs")
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	out := must(cmd.StdoutPipe())(t)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	return strings.TrimSpace(line)
}

// newElimity starts elimity's server with resources in memory.
func newElimity(t *testing.T) string {
	t.Helper()
	enterprise := elimity.SchemaExtension{Schema: schema.ExtensionEnterpriseUser()}
	server := must(elimity.NewServer(&elimity.ServerArgs{
		ServiceProviderConfig: &elimity.ServiceProviderConfig{SupportPatch: true, SupportFiltering: true, MaxResults: 200},
		ResourceTypes: []elimity.ResourceType{
			{Name: "User", Endpoint: "/Users", Schema: schema.CoreUserSchema(), SchemaExtensions: []elimity.SchemaExtension{enterprise}, Handler: &elimityStore{unique: "userName"}},
			{Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroupSchema(), Handler: &elimityStore{unique: "displayName"}},
		},
	}))(t)
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	return s.URL
}

// elimityStore keeps resources for elimity's server.
type elimityStore struct {
	unique string

	mu   sync.Mutex
	all  map[string]elimity.ResourceAttributes
	last int
}

func (s *elimityStore) resource(id string) elimity.Resource {
	r := elimity.Resource{ID: id, Attributes: maps.Clone(s.all[id])}
	if external, ok := r.Attributes["externalId"].(string); ok {
		r.ExternalID = optional.NewString(external)
	}
	return r
}

// put stores attributes unless another resource has the name.
func (s *elimityStore) put(id string, attributes elimity.ResourceAttributes) (elimity.Resource, error) {
	name := strings.ToLower(fmt.Sprint(attributes[s.unique]))
	for other, a := range s.all {
		if other != id && strings.ToLower(fmt.Sprint(a[s.unique])) == name {
			return elimity.Resource{}, elimityerrors.ScimErrorUniqueness
		}
	}
	if s.all == nil {
		s.all = map[string]elimity.ResourceAttributes{}
	}
	s.all[id] = attributes
	return s.resource(id), nil
}

func (s *elimityStore) Create(_ *http.Request, attributes elimity.ResourceAttributes) (elimity.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return s.put(fmt.Sprintf("e%06d", s.last), attributes)
}

func (s *elimityStore) Get(_ *http.Request, id string) (elimity.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		return elimity.Resource{}, elimityerrors.ScimErrorResourceNotFound(id)
	}
	return s.resource(id), nil
}

func (s *elimityStore) GetAll(_ *http.Request, q elimity.ListRequestParams) (elimity.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := elimity.Page{Resources: []elimity.Resource{}}
	for _, id := range slices.Sorted(maps.Keys(s.all)) {
		if q.FilterValidator != nil && q.FilterValidator.PassesFilter(s.all[id]) != nil {
			continue
		}
		page.TotalResults++
		if page.TotalResults >= q.StartIndex && len(page.Resources) < q.Count {
			page.Resources = append(page.Resources, s.resource(id))
		}
	}
	return page, nil
}

func (s *elimityStore) Replace(_ *http.Request, id string, attributes elimity.ResourceAttributes) (elimity.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		return elimity.Resource{}, elimityerrors.ScimErrorResourceNotFound(id)
	}
	return s.put(id, attributes)
}

func (s *elimityStore) Delete(_ *http.Request, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		return elimityerrors.ScimErrorResourceNotFound(id)
	}
	delete(s.all, id)
	return nil
}

var memberFilter = regexp.MustCompile(`value eq "([^"]*)"`)

func (s *elimityStore) Patch(_ *http.Request, id string, operations []elimity.PatchOperation) (elimity.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		return elimity.Resource{}, elimityerrors.ScimErrorResourceNotFound(id)
	}
	next := maps.Clone(s.all[id])
	for _, op := range operations {
		path := ""
		if op.Path != nil {
			path = op.Path.String()
		}
		members, _ := next["members"].([]any)
		found := memberFilter.FindStringSubmatch(path)
		switch {
		case op.Path == nil:
			maps.Copy(next, op.Value.(map[string]any))
		case op.Op == "remove" && found != nil:
			next["members"] = slices.DeleteFunc(slices.Clone(members), func(m any) bool { return m.(map[string]any)["value"] == found[1] })
		case op.Op == "add":
			next["members"] = append(slices.Clone(members), list(op.Value)...)
		default:
			next["members"] = list(op.Value)
		}
	}
	delete(next, "id")
	return s.put(id, next)
}

// list is a value as the elements that it stands for.
func list(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []map[string]any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	}
	return []any{cmp.Or[any](v)}
}
