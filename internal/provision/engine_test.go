package provision_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

var update = flag.Bool("update", false, "write the golden traces")

// bench is an org with one application that is provisioned to a fake server.
type bench struct {
	t        *testing.T
	fake     *fakeSCIM
	engine   *provision.Engine
	settings *provision.Settings
	app      string
	ids      map[string]string // by login or name
	log      *exchanges

	mu  sync.Mutex
	now time.Time
}

// exchanges is a request log in memory.
type exchanges struct {
	mu   sync.Mutex
	list []wirelog.Exchange
}

func (e *exchanges) Record(_ context.Context, x wirelog.Exchange, _ ...string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, x)
	return ""
}

// why are the reasons of all exchanges since the last call.
func (e *exchanges) why() (out []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.list {
		out = append(out, x.Why...)
	}
	e.list = nil
	return out
}

func newBench(t *testing.T, kind provision.Kind, change func(*provision.Target)) *bench {
	t.Helper()
	b := &bench{t: t, fake: newFake(t), ids: map[string]string{}, log: &exchanges{}, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	db := sqlitetest.Open(t)
	d := directory.New(db.Directory())
	d.Clock, d.IDs, d.Hash = b.clock, directory.NewIDs(b.clock), directory.HashRehearsal
	b.do(d.AddRealm(t.Context(), directory.Realm{ID: org, Kind: directory.Okta}))
	sender := egress.New(egress.Policy{InProcess: map[string]http.Handler{"http://target.sandbox": b.fake}})
	secrets := &secret.Resolver{Env: func(string) (string, bool) { return "s3cret-token", true }}
	b.engine = &provision.Engine{
		Directory: d, Store: db.Provision(), Mapper: provision.NewMappings(), Now: b.clock, Log: slog.New(slog.DiscardHandler),
		Client: &provision.Client{Sender: sender, Secrets: secrets, Now: b.clock, Log: b.log},
	}
	b.settings = &provision.Settings{Directory: d, Realm: org}
	app, _, err := d.CreateApp(t.Context(), me, org, directory.AppDraft{Name: "scim2headerauth", Label: "Target", Activate: true})
	b.do(err)
	b.app = app.ID
	_, _, err = b.settings.SetTarget(t.Context(), me, b.app, secret.Value{}, func(target *provision.Target) error {
		target.Kind, target.BaseURL, target.Auth = kind, "http://target.sandbox/scim", provision.Auth{Scheme: provision.Bearer, Token: "env:TOKEN"}
		target.Enabled, target.CreateUsers, target.UpdateUsers, target.DeactivateUsers, target.PushGroups = true, true, true, true, true
		if change != nil {
			change(target)
		}
		return nil
	})
	b.do(err)
	return b
}

func (b *bench) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// join makes a person.
func (b *bench) join(login string) {
	b.t.Helper()
	first, _, _ := strings.Cut(login, "@")
	a, err := b.engine.Directory.CreateAccount(b.t.Context(), me, org, directory.Draft{Activate: true, Password: &directory.Password{Text: "Rehearsal-1234"}, Profile: map[string]any{
		"login": login, "email": login, "firstName": strings.ToUpper(first[:1]) + first[1:], "lastName": "Min",
	}})
	b.do(err)
	b.ids[login] = a.ID
}

func (b *bench) assign(login string) {
	b.t.Helper()
	if b.ids[login] == "" {
		b.join(login)
	}
	_, err := b.engine.Directory.AssignUser(b.t.Context(), me, org, b.app, b.ids[login], directory.AppUserDraft{})
	b.do(err)
}

func (b *bench) unassign(login string) {
	b.t.Helper()
	b.do(b.engine.Directory.UnassignUser(b.t.Context(), me, org, b.app, b.ids[login]))
}

func (b *bench) edit(login string, profile map[string]any) {
	b.t.Helper()
	_, err := b.engine.Directory.EditAccount(b.t.Context(), me, org, b.ids[login], directory.Edit{Profile: profile})
	b.do(err)
}

func (b *bench) group(name string, members ...string) {
	b.t.Helper()
	g, err := b.engine.Directory.CreateGroup(b.t.Context(), me, org, map[string]any{"name": name})
	b.do(err)
	b.ids[name] = g.ID
	for _, m := range members {
		b.do(b.engine.Directory.AddMember(b.t.Context(), me, org, g.ID, b.ids[m]))
	}
}

func (b *bench) push(name string) string {
	b.t.Helper()
	p, err := b.settings.AddPush(b.t.Context(), me, b.app, b.ids[name], false)
	b.do(err)
	return p.ID
}

// settle runs to quiescence, without waiting for what is to be tried again.
func (b *bench) settle() provision.Report {
	b.t.Helper()
	report, err := b.engine.Settle(b.t.Context(), false)
	b.do(err)
	return report
}

func (b *bench) jobs(state provision.JobState) []provision.Job {
	b.t.Helper()
	jobs, err := b.engine.Store.Jobs(b.t.Context(), provision.JobQuery{Realm: org, App: b.app, State: state})
	b.do(err)
	return jobs
}

func (b *bench) condition() provision.Condition {
	b.t.Helper()
	c, err := b.engine.Store.Condition(b.t.Context(), org, b.app)
	b.do(err)
	return c
}

func (b *bench) equal(what string, got, want any) {
	b.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var placeholder = regexp.MustCompile(`"password": "[A-Z2-7]{26}"`)

// legible replaces what differs from run to run.
func (b *bench) legible(s string) string {
	for name, id := range b.ids {
		s = strings.ReplaceAll(s, id, "{"+name+"}")
	}
	return placeholder.ReplaceAllString(s, `"password": "{random}"`)
}

// TestTraces compares what each kind of application sends, requests, headers and
// bodies, with the traces in testdata (scim-auth0.md 1.2).
func TestTraces(t *testing.T) {
	for _, kind := range []provision.Kind{provision.Wizard, provision.Template, provision.Governance} {
		t.Run(string(kind), func(t *testing.T) {
			b := newBench(t, kind, func(target *provision.Target) { target.Concurrency = 1 })
			var trace strings.Builder
			step := func(title string, act func()) {
				act()
				b.settle()
				fmt.Fprintf(&trace, "== %s\n\n%s\n", title, b.legible(strings.Join(b.fake.taken(), "\n")))
			}
			b.fake.users["r0001"] = map[string]any{"id": "r0001", "userName": "cid@example.com", "active": true}
			b.fake.last = 1
			target, err := b.settings.Target(t.Context(), b.app)
			b.do(err)
			step("Test API credentials", func() { b.do(b.engine.Test(t.Context(), target, "test")) })
			step("Assign, new", func() { b.assign("ada@example.com") })
			step("Assign, found", func() { b.assign("cid@example.com") })
			step("Update", func() { b.edit("ada@example.com", map[string]any{"title": "Account Executive"}) })
			step("Suspend", func() {
				_, err := b.engine.Directory.Transition(t.Context(), me, org, b.ids["ada@example.com"], directory.Suspend)
				b.do(err)
			})
			step("Unsuspend", func() {
				_, err := b.engine.Directory.Transition(t.Context(), me, org, b.ids["ada@example.com"], directory.Unsuspend)
				b.do(err)
			})
			step("Unassign", func() { b.unassign("ada@example.com") })
			step("Assign again", func() { b.assign("ada@example.com") })
			var pushed string
			step("Push a group", func() {
				b.group("Sales", "ada@example.com")
				pushed = b.push("Sales")
			})
			step("Membership", func() {
				b.do(b.engine.Directory.RemoveMember(t.Context(), me, org, b.ids["Sales"], b.ids["ada@example.com"]))
				b.do(b.engine.Directory.AddMember(t.Context(), me, org, b.ids["Sales"], b.ids["cid@example.com"]))
			})
			step("Rename the group", func() {
				_, err := b.engine.Directory.ReplaceGroup(t.Context(), me, org, b.ids["Sales"], map[string]any{"name": "Sellers"})
				b.do(err)
			})
			step("Unlink and delete the group", func() { b.do(b.settings.RemovePush(t.Context(), me, b.app, pushed, true)) })
			step("Push a group, found", func() {
				b.fake.groups["g1"] = map[string]any{"id": "g1", "displayName": "Known"}
				b.group("Known", "ada@example.com", "cid@example.com")
				b.push("Known")
			})
			file := filepath.Join("testdata", "traces", string(kind)+".txt")
			if *update {
				b.do(os.MkdirAll(filepath.Dir(file), 0o755))
				b.do(os.WriteFile(file, []byte(trace.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			b.do(err)
			b.equal("trace", trace.String(), string(want))
			b.equal("left over", len(b.jobs(""))+0, 0)
		})
	}
}

// noCredential leaves the credential of a target as it is.
var noCredential secret.Value
