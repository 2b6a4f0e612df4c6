package provision_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
)

// on fails requests of a method and a path that ends so, as many as there are
// failures.
func on(method, path string, failures ...failure) func(*http.Request) failure {
	return func(r *http.Request) failure {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, path) || len(failures) == 0 {
			return failure{}
		}
		f := failures[0]
		failures = failures[1:]
		return f
	}
}

func repeat(f failure, n int) []failure { return slices.Repeat([]failure{f}, n) }

// A create whose answer is lost is looked up before it is repeated, under the
// name that it was sent with.
func TestLostCreate(t *testing.T) {
	for _, test := range []struct {
		name    string
		between func(*bench)
		want    []string // active in the application
		calls   []string
	}{
		{"nothing else happened", func(*bench) {}, []string{"ada@example.com"}, []string{
			"GET /scim/Users?filter=userName%20eq%20%22ada%40example.com%22&startIndex=1&count=100",
			"PUT /scim/Users/r0001",
		}},
		{"unassigned meanwhile", func(b *bench) { b.unassign("ada@example.com") }, nil, []string{
			"GET /scim/Users?filter=userName%20eq%20%22ada%40example.com%22&startIndex=1&count=100",
			"GET /scim/Users/r0001",
			"PUT /scim/Users/r0001",
		}},
		{"renamed meanwhile", func(b *bench) {
			name := "eve@example.com"
			_, err := b.engine.Directory.EditAppUser(b.t.Context(), me, org, b.app, b.ids["ada@example.com"], directory.AppUserDraft{UserName: &name})
			b.do(err)
		}, []string{"eve@example.com"}, []string{
			"GET /scim/Users?filter=userName%20eq%20%22ada%40example.com%22&startIndex=1&count=100",
			"GET /scim/Users/r0001",
			"PUT /scim/Users/r0001",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, provision.Wizard, nil)
			b.fake.fail = on("POST", "/Users", failure{lost: true})
			b.assign("ada@example.com")
			b.settle()
			b.fake.taken()
			jobs := b.jobs(provision.Waiting)
			if len(jobs) != 1 || jobs[0].Attempts != 1 || !jobs[0].Due.After(b.clock()) {
				t.Fatalf("after a lost answer the queue holds %+v, want one job that waits", jobs)
			}
			test.between(b)
			b.pass(time.Minute)
			b.settle()
			b.equal("requests", lines(b.fake.taken()), test.calls)
			b.equal("active", b.fake.active(), test.want)
			b.equal("accounts", len(b.fake.users), 1)
			b.equal("jobs", len(b.jobs("")), 0)
		})
	}
}

// The process dies between the record and the call, or between the call and its
// record: another engine on the same store goes on.
func TestKilled(t *testing.T) {
	for _, arrived := range []bool{false, true} {
		t.Run(fmt.Sprint("arrived=", arrived), func(t *testing.T) {
			b := newBench(t, provision.Governance, nil)
			ctx, kill := context.WithCancel(t.Context())
			b.fake.fail = func(r *http.Request) failure {
				if r.Method != "POST" {
					return failure{}
				}
				kill()
				return failure{status: map[bool]int{true: 0, false: 599}[arrived], lost: arrived}
			}
			b.assign("ada@example.com")
			if _, err := b.engine.Settle(ctx, false); err == nil {
				t.Fatal("a Settle that was interrupted reported success")
			}
			link, err := b.engine.Store.Link(t.Context(), org, b.app, b.ids["ada@example.com"])
			b.do(err)
			b.equal("doubt", link.Doubt, "ada@example.com")
			b.fake.fail = nil
			again := &provision.Engine{
				Directory: b.engine.Directory, Store: b.engine.Store, Client: b.engine.Client, Mapper: provision.NewMappings(), Log: b.engine.Log, Now: b.clock,
			}
			_, err = again.Settle(t.Context(), false)
			b.do(err)
			b.equal("accounts", len(b.fake.users), 1)
			b.equal("active", b.fake.active(), []string{"ada@example.com"})
		})
	}
}

func TestLimited(t *testing.T) {
	b := newBench(t, provision.Wizard, func(t *provision.Target) { t.Concurrency = 1 })
	limited := failure{status: 429, header: map[string]string{"Retry-After": "30"}}
	dated := failure{status: 429, header: map[string]string{"Retry-After": "Sun, 22 Nov 2026 10:00:00 GMT"}}
	b.fake.fail = on("GET", "/Users", limited, limited, dated, limited)
	b.assign("ada@example.com")
	b.assign("bob@example.com")
	start := b.clock()
	var waits []string
	for range 4 {
		b.settle()
		c := b.condition()
		waits = append(waits, c.Paused.Sub(b.clock()).String())
		b.pass(c.Paused.Sub(b.clock()))
	}
	// The first attempt of each; a date counts as none, five minutes, doubled for
	// the second attempt; 30 s doubled.
	b.equal("waits", waits, []string{"30s", "30s", "10m0s", "1m0s"})
	if calls := len(b.fake.taken()); calls != 4 {
		t.Errorf("%d requests, want none while the target is left alone", calls)
	}
	b.settle()
	b.equal("active", b.fake.active(), []string{"ada@example.com", "bob@example.com"})
	if b.clock().Sub(start) < 12*time.Minute {
		t.Error("the clock did not move")
	}
}

// Ten times, then it is a task for a person, who can have it tried again.
func TestLimitedForEver(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.fake.fail = on("GET", "/Users", repeat(failure{status: 429, header: map[string]string{"Retry-After": "1"}}, 10)...)
	b.assign("ada@example.com")
	for range 12 {
		b.settle()
		b.pass(time.Hour)
	}
	b.equal("requests", len(b.fake.taken()), 10)
	dead := b.jobs(provision.Dead)
	if len(dead) != 1 || dead[0].Status != 429 || dead[0].Attempts != 10 {
		t.Fatalf("dead: %+v, want one after ten 429s", dead)
	}
	n, err := b.engine.Replay(t.Context(), org, b.app, "")
	b.do(err)
	b.equal("replayed", n, 1)
	b.settle()
	b.equal("active", b.fake.active(), []string{"ada@example.com"})
}

func TestFailures(t *testing.T) {
	page := "error code: 502"
	for _, test := range []struct {
		name  string
		fail  func(*http.Request) failure
		state provision.JobState // "" none is left
		error string
		calls int // until it is settled, an hour at a time
	}{
		{"500 and again", on("PUT", "/Users/r0001", failure{status: 500}), "", "", 4},
		{"a page of a gateway", on("POST", "/Users", repeat(failure{status: 502, body: page}, 20)...), provision.Dead, "Invalid JSON", 20},
		{"400 is for good", on("POST", "/Users", failure{status: 400, body: `{"detail":"title is too long"}`}), provision.Dead, "title is too long", 2},
		{"409 is shown", on("POST", "/Users", repeat(failure{status: 409, body: `{"detail":"taken"}`}, 20)...), provision.Dead, "409 Conflict: taken", 6},
		{"403 of one person", on("POST", "/Users", repeat(failure{status: 403, body: `{"detail":"no admins"}`}, 20)...), provision.Dead, "no admins", 6},
		{"empty answer to a create", on("POST", "/Users", failure{status: 201}), "", "", 4},
		{"404 to a look-up is no hit", on("GET", "/Users", failure{status: 404}), "", "", 2},
		{"an answer that is no list", on("GET", "/Users", failure{status: 200, body: `{}`}), "", "", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, provision.Wizard, nil)
			b.fake.fail = test.fail
			b.assign("ada@example.com")
			if strings.HasPrefix(test.name, "500") {
				b.fake.users["r0001"] = map[string]any{"id": "r0001", "userName": "ada@example.com"}
			}
			for range 15 {
				b.settle()
				b.pass(time.Hour)
			}
			b.equal("requests", len(b.fake.taken()), test.calls)
			if jobs := b.jobs(""); test.state == "" && len(jobs) > 0 || test.state != "" && (len(jobs) != 1 || jobs[0].State != test.state || !strings.Contains(jobs[0].Error, test.error)) {
				t.Errorf("left over: %+v, want %q with %q", jobs, test.state, test.error)
			}
			if test.state == "" {
				b.equal("active", b.fake.active(), []string{"ada@example.com"})
				b.equal("accounts", len(b.fake.users), 1)
			}
		})
	}
}

// A credential that is refused stops everything at once, and nobody loses an
// attempt; a probe finds out when it is right again.
func TestQuarantine(t *testing.T) {
	b := newBench(t, provision.Wizard, func(t *provision.Target) { t.Concurrency = 1 })
	refuse := true
	b.fake.fail = func(*http.Request) failure {
		if refuse {
			return failure{status: 401, body: `{"detail":"token expired"}`}
		}
		return failure{}
	}
	for _, login := range []string{"ada@example.com", "bob@example.com", "cid@example.com"} {
		b.assign(login)
	}
	report := b.settle()
	b.equal("quarantined", report.Quarantined, 1)
	b.equal("requests", len(b.fake.taken()), 1)
	q := b.condition().Quarantine
	if q == nil || !strings.Contains(q.Cause, "token expired") || !q.Since.Equal(b.clock()) || q.Lifts == "" {
		t.Fatalf("quarantine %+v, want cause, time and what lifts it", q)
	}
	b.settle()
	b.equal("requests before the probe is due", len(b.fake.taken()), 0)
	b.pass(10 * time.Second)
	b.settle()
	b.equal("probe", lines(b.fake.taken()), []string{"GET /scim/Users?startIndex=1&count=2"})
	refuse = false
	b.pass(time.Hour)
	b.settle()
	b.equal("active", b.fake.active(), []string{"ada@example.com", "bob@example.com", "cid@example.com"})
	if q := b.condition().Quarantine; q != nil {
		t.Errorf("still in quarantine: %+v", q)
	}
	for _, j := range b.jobs("") {
		t.Errorf("left over: %+v", j)
	}
}

// When nobody at all can be reached, the target is at fault, not the people.
func TestQuarantineOfDeadServer(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.fake.fail = func(*http.Request) failure { return failure{lost: true} }
	for i := range 40 {
		b.assign(fmt.Sprintf("p%02d@example.com", i))
	}
	b.settle()
	if q := b.condition().Quarantine; q == nil || !strings.Contains(q.Lifts, "probe") {
		t.Fatalf("quarantine %+v, want one that a probe lifts", q)
	}
	if n := len(b.fake.taken()); n > 25 {
		t.Errorf("%d people were tried, want few", n)
	}
	b.fake.fail = nil
	b.do(b.engine.Lift(t.Context(), org, b.app))
	b.pass(time.Hour)
	b.settle()
	b.equal("active", len(b.fake.active()), 40)
}

func TestBrake(t *testing.T) {
	setup := func(t *testing.T) (*bench, func(from, to int)) {
		b := newBench(t, provision.Governance, func(t *provision.Target) { t.Brake = provision.Brake{Count: 3} })
		for i := range 20 {
			b.assign(fmt.Sprintf("p%02d@example.com", i))
		}
		b.settle()
		return b, func(from, to int) {
			for i := from; i < to; i++ {
				b.unassign(fmt.Sprintf("p%02d@example.com", i))
			}
			b.settle()
		}
	}
	t.Run("approve", func(t *testing.T) {
		b, leave := setup(t)
		leave(0, 2)
		b.equal("two may leave", len(b.fake.active()), 18)
		leave(2, 6)
		b.equal("four more are held", len(b.fake.active()), 18)
		hold := b.condition().Hold
		if hold == nil || hold.People != 4 || !strings.Contains(hold.Because, "more than 3") {
			t.Fatalf("hold %+v, want four people and why", hold)
		}
		b.assign("new@example.com")
		b.settle()
		b.equal("others go on", len(b.fake.active()), 19)
		leave(6, 7)
		b.equal("one more is held too", len(b.fake.active()), 19)
		b.assign("p02@example.com")
		b.settle()
		n, err := b.engine.Approve(t.Context(), org, b.app)
		b.do(err)
		b.equal("approved: all but the one who is assigned again", n, 4)
		b.settle()
		b.equal("then they leave", len(b.fake.active()), 15)
		leave(7, 9)
		b.equal("the brake counts anew", len(b.fake.active()), 13)
	})
	t.Run("reject", func(t *testing.T) {
		b, leave := setup(t)
		leave(0, 6)
		n, err := b.engine.Reject(t.Context(), org, b.app)
		b.do(err)
		b.equal("rejected", n, 6)
		b.do(b.engine.Sync(t.Context(), org, b.app))
		b.settle()
		b.equal("they stay", len(b.fake.active()), 20)
		b.assign("p00@example.com")
		b.settle()
		leave(0, 1)
		b.equal("until they are assigned and leave again", len(b.fake.active()), 19)
		if _, err := b.engine.Approve(t.Context(), org, b.app); !fault.Is(err, fault.NotFound) {
			t.Errorf("Approve of nothing = %v, want NotFound", err)
		}
	})
	t.Run("percent", func(t *testing.T) {
		b, leave := setup(t)
		_, _, err := b.settings.SetTarget(t.Context(), me, b.app, noCredential, func(t *provision.Target) error {
			t.Brake = provision.Brake{Count: 100, Percent: 60}
			return nil
		})
		b.do(err)
		leave(0, 12)
		b.equal("60 %", len(b.fake.active()), 8)
		leave(12, 13)
		b.equal("more than 60 %", len(b.fake.active()), 8)
	})
}

// An account that is linked to one person is never given to another.
func TestNotTakenOver(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.assign("ada@example.com")
	b.settle()
	b.join("eve@example.com")
	name := "ada@example.com"
	_, err := b.engine.Directory.AssignUser(t.Context(), me, org, b.app, b.ids["eve@example.com"], directory.AppUserDraft{UserName: &name})
	b.do(err)
	b.settle()
	b.equal("linked to", text(b.fake.users["r0001"]["externalId"]), b.ids["ada@example.com"])
	jobs := b.jobs("")
	if len(jobs) != 1 || !strings.Contains(jobs[0].Error, "linked to user "+b.ids["ada@example.com"]) {
		t.Fatalf("jobs %+v, want one that says who has the account", jobs)
	}
	other := "ada.min@example.com" // the name becomes free
	_, err = b.engine.Directory.EditAppUser(t.Context(), me, org, b.app, b.ids["ada@example.com"], directory.AppUserDraft{UserName: &other})
	b.do(err)
	for range 2 { // the other may come first once more
		b.pass(time.Hour)
		b.settle()
	}
	b.equal("active", b.fake.active(), []string{"ada.min@example.com", "ada@example.com"})
}

// Somebody who comes back under another name keeps his account.
func TestBackUnderAnotherName(t *testing.T) {
	b := newBench(t, provision.Template, nil)
	b.assign("ada@example.com")
	b.settle()
	b.unassign("ada@example.com")
	b.settle()
	b.edit("ada@example.com", map[string]any{"login": "ada.lo@example.com"})
	b.assign("ada@example.com")
	b.settle()
	b.equal("active", b.fake.active(), []string{"ada.lo@example.com"})
	b.equal("accounts", len(b.fake.users), 1)
}

// What a switch forbids is not done.
func TestSwitches(t *testing.T) {
	b := newBench(t, provision.Wizard, func(t *provision.Target) { t.DeactivateUsers, t.UpdateUsers = false, false })
	b.assign("ada@example.com")
	b.settle()
	b.fake.taken()
	b.edit("ada@example.com", map[string]any{"title": "CEO"})
	b.unassign("ada@example.com")
	b.settle()
	b.equal("requests", len(b.fake.taken()), 0)
}

// A target that is switched off stops at the next batch.
func TestSwitchedOff(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	for i := range 250 {
		b.assign(fmt.Sprintf("p%03d@example.com", i))
	}
	once := true
	b.fake.fail = func(*http.Request) failure {
		if once {
			once = false
			_, _, err := b.settings.SetTarget(t.Context(), me, b.app, noCredential, func(t *provision.Target) error {
				t.Enabled = false
				return nil
			})
			b.do(err)
		}
		return failure{}
	}
	b.settle()
	b.equal("provisioned", len(b.fake.active()), 200)
}

// People who were assigned before provisioning was enabled are left alone until
// somebody says otherwise.
func TestAssignedBefore(t *testing.T) {
	b := newBench(t, provision.Wizard, func(t *provision.Target) { t.Enabled = false })
	b.assign("ada@example.com")
	b.settle()
	for _, j := range b.jobs("") {
		b.do(b.engine.Store.Done(t.Context(), j)) // as if it had been long ago
	}
	_, _, err := b.settings.SetTarget(t.Context(), me, b.app, noCredential, func(t *provision.Target) error {
		t.Enabled = true
		return nil
	})
	b.do(err)
	b.edit("ada@example.com", map[string]any{"title": "CEO"})
	b.settle()
	b.equal("requests", len(b.fake.taken()), 0)
	o, err := b.engine.Provision(t.Context(), org, b.app, b.ids["ada@example.com"])
	b.do(err)
	b.equal("done", o.Op, provision.OpCreate)
	b.equal("told", o.Mapped.UserName, "ada@example.com")
	b.equal("active", b.fake.active(), []string{"ada@example.com"})
	b.equal("left over", len(b.jobs("")), 0)
}

// The assignment says whether the application has the person.
func TestSyncState(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	_, _, err := b.engine.Directory.EditApp(t.Context(), me, org, b.app, directory.AppEdit{Change: func(a *directory.App) error {
		a.Document["features"] = []any{"PUSH_NEW_USERS"}
		return nil
	}})
	b.do(err)
	b.assign("ada@example.com")
	state := func() []any {
		u, err := b.engine.Directory.AppUser(t.Context(), org, b.app, b.ids["ada@example.com"])
		b.do(err)
		return []any{u.Status, u.SyncState}
	}
	b.equal("before", state(), []any{directory.AppUserStaged, "OUT_OF_SYNC"})
	b.settle()
	b.equal("after", state(), []any{directory.AppUserProvisioned, "SYNCHRONIZED"})
}

// A dry run reads, says what would be done, and writes nothing.
func TestRehearse(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.fake.users["r1"] = map[string]any{"id": "r1", "userName": "bob@example.com"}
	b.assign("ada@example.com")
	b.assign("bob@example.com")
	target, err := b.settings.Target(t.Context(), b.app)
	b.do(err)
	for login, want := range map[string]provision.Op{"ada@example.com": provision.OpCreate, "bob@example.com": provision.OpLink} {
		o, err := b.engine.Rehearse(t.Context(), target, b.ids[login])
		b.do(err)
		b.equal(login, o.Op, want)
		if n := len(o.Calls); n != 2 || !o.Calls[1].Writes() || o.Calls[1].Body["userName"] != login {
			t.Errorf("%s: calls %+v, want a look-up and a write with the profile", login, o.Calls)
		}
	}
	for _, r := range lines(b.fake.taken()) {
		if !strings.HasPrefix(r, "GET ") {
			t.Errorf("a dry run sent %s", r)
		}
	}
	b.group("Sales", "ada@example.com")
	b.push("Sales")
	o, err := b.engine.RehearseGroup(t.Context(), target, b.ids["Sales"])
	b.do(err)
	b.equal("group", o.Op, provision.OpPush)
	b.equal("groups there", len(b.fake.groups), 0)
}

// Every exchange says why it was made.
func TestWhy(t *testing.T) {
	b := newBench(t, provision.Wizard, func(t *provision.Target) { t.Concurrency = 1 })
	b.fake.users["r1"] = map[string]any{"id": "r1", "userName": "ada@example.com", "externalId": "x"}
	b.fake.users["r2"] = map[string]any{"id": "r2", "userName": "ADA@example.com"}
	b.assign("ada@example.com")
	b.settle()
	b.equal("linked", b.log.why()[:3], []string{"assigned", "2 hits by userName", "2 hits by userName: linked"})
	b.unassign("ada@example.com")
	b.settle()
	b.equal("deactivated", slices.Compact(b.log.why()), []string{"no assignment any more: deactivated"})
}

// A server that does not answer has sixty seconds.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, provision.Wizard, nil)
		first := true
		b.fake.fail = func(r *http.Request) failure {
			if first {
				first = false
				<-r.Context().Done()
			}
			return failure{}
		}
		b.assign("ada@example.com")
		begin := time.Now()
		b.settle()
		b.equal("given up after", time.Since(begin), time.Minute)
		if jobs := b.jobs(provision.Waiting); len(jobs) != 1 || !strings.Contains(jobs[0].Error, "did not answer in the time allowed") {
			t.Fatalf("jobs %+v, want one that says why it waits", jobs)
		}
		b.pass(time.Minute)
		b.settle()
		b.equal("active", b.fake.active(), []string{"ada@example.com"})
	})
}

func TestGroups(t *testing.T) {
	b := newBench(t, provision.Governance, nil)
	_, err := b.settings.AddPushRule(t.Context(), me, provision.PushRule{App: b.app, Name: "apps", GroupName: provision.TextMatch{StartsWith: "APP-"}})
	b.do(err)
	b.assign("ada@example.com")
	b.join("bob@example.com") // not assigned: no member there
	b.group("APP-Sales", "ada@example.com", "bob@example.com")
	b.group("Other", "ada@example.com")
	b.settle()
	b.equal("by rule", b.fake.members("APP-Sales"), []string{"ada@example.com"})
	b.equal("not matched", b.fake.members("Other"), []string(nil))
	b.assign("bob@example.com")
	b.settle()
	b.equal("once he is there", b.fake.members("APP-Sales"), []string{"ada@example.com", "bob@example.com"})

	// A PATCH whose answer is lost is followed by a full push.
	b.assign("cid@example.com")
	b.settle()
	b.fake.taken()
	patches := 0
	b.fake.fail = func(r *http.Request) failure {
		if r.Method == "PATCH" {
			patches++
		}
		return failure{lost: r.Method == "PATCH" && patches == 2} // that of the members, which has its effect
	}
	b.do(b.engine.Directory.AddMember(t.Context(), me, org, b.ids["APP-Sales"], b.ids["cid@example.com"]))
	b.do(b.engine.Directory.RemoveMember(t.Context(), me, org, b.ids["APP-Sales"], b.ids["ada@example.com"]))
	b.settle()
	b.pass(time.Hour)
	b.settle()
	b.equal("after a lost PATCH", b.fake.members("APP-Sales"), []string{"bob@example.com", "cid@example.com"})

	_, err = b.engine.Directory.ReplaceGroup(t.Context(), me, org, b.ids["Other"], map[string]any{"name": "APP-Other"})
	b.do(err)
	b.settle()
	b.equal("matched by its new name", b.fake.members("APP-Other"), []string{"ada@example.com"})
	b.do(b.engine.Directory.DeleteGroup(t.Context(), me, org, b.ids["APP-Sales"]))
	b.settle()
	b.equal("gone", b.fake.members("APP-Sales"), []string(nil))
	b.equal("jobs", len(b.jobs("")), 0)

	b.fake.groups = map[string]map[string]any{} // somebody deletes it there
	b.do(b.engine.Directory.AddMember(t.Context(), me, org, b.ids["Other"], b.ids["bob@example.com"]))
	b.settle()
	b.equal("pushed anew", b.fake.members("APP-Other"), []string{"ada@example.com", "bob@example.com"})
}

// More members than one request may carry.
func TestManyMembers(t *testing.T) {
	s := &provision.Sequence{
		Target: &provision.Target{Kind: provision.Template}, Now: time.Now, KeepGroup: func(context.Context, provision.GroupLink) error { return nil },
	}
	dry := &counting{}
	s.Caller = dry
	var members []provision.Member
	for i := range 2500 {
		members = append(members, provision.Member{RemoteID: fmt.Sprintf("r%05d", i)})
	}
	_, op, err := s.Group(t.Context(), provision.GroupLink{}, nil, provision.GroupWant{Pushed: true, Name: "All", Members: members})
	if err != nil || op != provision.OpPush {
		t.Fatalf("Group = %v, %v", op, err)
	}
	if want := []int{0, 1000, 1000, 500}; !slices.Equal(dry.sizes, want) {
		t.Errorf("members in each request: %v, want %v", dry.sizes, want)
	}
}

// counting answers calls and notes how many members each carries.
type counting struct{ sizes []int }

func (c *counting) Call(_ context.Context, call provision.Call) (provision.Answer, error) {
	n := 0
	if list, ok := call.Body["members"].([]any); ok {
		n = len(list)
	}
	ops, _ := call.Body["Operations"].([]any)
	for _, op := range ops {
		list, _ := op.(map[string]any)["value"].([]any)
		n += len(list)
	}
	c.sizes = append(c.sizes, n)
	return provision.Answer{Status: 200, Body: map[string]any{"id": "g1", "totalResults": 0}}, nil
}

func (c *counting) Explain(context.Context, ...provision.Note) {}

// Serve notices changes by itself, tries again when it is time, and ends.
func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, provision.Wizard, nil)
		b.engine.Now = time.Now
		b.engine.Client.Now = time.Now
		b.fake.fail = on("POST", "/Users", failure{status: 503})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			b.engine.Serve(ctx)
		}()
		b.assign("ada@example.com")
		time.Sleep(time.Second)
		synctest.Wait()
		b.equal("after a 503", b.fake.active(), []string(nil))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		b.equal("after the back-off", b.fake.active(), []string{"ada@example.com"})
		stop()
		<-ended
	})
}

// mortal is a store whose process ends right after it has stored the link of
// somebody who is active.
type mortal struct {
	provision.Store
	dead bool
}

var errDead = errors.New("killed")

func (m *mortal) Relink(ctx context.Context, l provision.Link, jobs []provision.Job) error {
	if err := m.Store.Relink(ctx, l, jobs); err != nil {
		return err
	}
	if l.Active && !m.dead {
		m.dead = true
		return errDead
	}
	return nil
}

// Who comes back is pushed with the group again, though the process that brought
// the person back was killed before it looked at the group.
func TestKilledBeforeTheGroup(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.assign("ada@example.com")
	b.group("Sales", "ada@example.com")
	b.push("Sales")
	b.settle()
	b.unassign("ada@example.com")
	b.settle()
	b.equal("without her", len(b.fake.members("Sales")), 0)
	b.assign("ada@example.com")
	lasting := b.engine.Store
	b.engine.Store = &mortal{Store: lasting}
	if _, err := b.engine.Settle(t.Context(), false); !errors.Is(err, errDead) {
		t.Fatalf("Settle = %v", err)
	}
	b.engine.Store = lasting
	b.settle()
	b.equal("with her", len(b.fake.members("Sales")), 1)
}
