package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
)

// TestProvision runs the contract of provision.Store. open returns an empty
// store, closed when the test ends.
func TestProvision(t *testing.T, open func(t *testing.T) provision.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, provision.Store)
	}{
		{"Links", testLinks},
		{"LongLinks", testLongLinks},
		{"GroupLinks", testGroupLinks},
		{"Enqueue", testEnqueue},
		{"Renewed", testRenewed},
		{"JobQueries", testJobQueries},
		{"Conditions", testConditions},
		{"Forget", testForget},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func testLinks(t *testing.T, s provision.Store) {
	ctx := t.Context()
	none := provision.Link{Realm: realm, App: "a1", Account: "u1"}
	same(t, "unknown", must(s.Link(ctx, realm, "a1", "u1"))(t), none)
	full := provision.Link{
		Realm: realm, App: "a1", Account: "u1", RemoteID: "r|1", UserName: "Ü", Active: true, Digest: "d", Doubt: "x", Kept: true,
		Suspended: true, Linked: at, Pushed: at, Deactivated: at,
	}
	ok(t, s.PutLink(ctx, full))
	same(t, "stored", must(s.Link(ctx, realm, "a1", "u1"))(t), full)
	found, there, err := s.LinkByRemote(ctx, realm, "a1", "r|1")
	ok(t, err)
	same(t, "by remote id", found, full)
	same(t, "there", there, true)
	if _, there, err := s.LinkByRemote(ctx, realm, "a2", "r|1"); there || err != nil {
		t.Errorf("LinkByRemote of another application = %v, %v", there, err)
	}
	if err := s.PutLink(ctx, provision.Link{Realm: realm, App: "a1", Account: "u2", RemoteID: "r|1"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second link of one remote id = %v, want Conflict", err)
	}
	group := provision.Job{Realm: realm, App: "a1", Kind: provision.GroupJob, Subject: "g1", Due: at, Queued: at}
	if err := s.Relink(ctx, provision.Link{Realm: realm, App: "a1", Account: "u2", RemoteID: "r|1"}, []provision.Job{group}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second link of one remote id, with jobs = %v, want Conflict", err)
	}
	same(t, "jobs of what was refused", len(must(s.Jobs(ctx, provision.JobQuery{Realm: realm, App: "a1"}))(t)), 0)
	ok(t, s.Relink(ctx, full, []provision.Job{group}))
	jobs := must(s.Jobs(ctx, provision.JobQuery{Realm: realm, App: "a1"}))(t)
	same(t, "jobs", len(jobs), 1)
	same(t, "of the group", jobs[0].Subject, "g1")
	for _, account := range []string{"u3", "u2"} { // without remote id: no conflict
		ok(t, s.PutLink(ctx, provision.Link{Realm: realm, App: "a1", Account: account}))
	}
	var order []string
	for _, l := range must(collect(s.Links(ctx, realm, "a1")))(t) {
		order = append(order, l.Account)
	}
	same(t, "order", order, []string{"u1", "u2", "u3"})
	active, deactivated, err := s.CountLinks(ctx, realm, "a1", at.Add(-time.Second))
	ok(t, err)
	same(t, "counts", []int{active, deactivated}, []int{1, 1})
	_, deactivated, err = s.CountLinks(ctx, realm, "a1", at)
	ok(t, err)
	same(t, "deactivated since then", deactivated, 0)
}

func testLongLinks(t *testing.T, s provision.Store) {
	ctx := t.Context()
	const n = 1201
	for i := range n {
		ok(t, s.PutLink(ctx, provision.Link{Realm: realm, App: "a1", Account: time.UnixMilli(int64(i)).UTC().Format("05.000")}))
	}
	list := must(collect(s.Links(ctx, realm, "a1")))(t)
	same(t, "links", len(list), n)
	if !slices.IsSortedFunc(list, func(a, b provision.Link) int { return cmpText(a.Account, b.Account) }) {
		t.Error("the links are not in order")
	}
	for range s.Links(ctx, realm, "a1") { // a reader may write while it reads, and stop
		ok(t, s.PutLink(ctx, provision.Link{Realm: realm, App: "a1", Account: "x"}))
		break
	}
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func testGroupLinks(t *testing.T, s provision.Store) {
	ctx := t.Context()
	l := provision.GroupLink{Realm: realm, App: "a1", Group: "g1"}
	same(t, "unknown", must(s.GroupLink(ctx, realm, "a1", "g1"))(t), l)
	l.Doubt = "Sales"
	ok(t, s.PutGroupLink(ctx, l))
	same(t, "in doubt", must(s.GroupLink(ctx, realm, "a1", "g1"))(t), l)
	l.Doubt, l.RemoteID, l.Name, l.Synced, l.Pushed = "", "r1", "Sales", true, at
	ok(t, s.PutMembers(ctx, l, []string{"m2", "m1", "m3"}))
	same(t, "members", must(s.Members(ctx, realm, "a1", "g1"))(t), []string{"m1", "m2", "m3"})
	ok(t, s.PutMembers(ctx, l, []string{"m3", "m4", "m3"}))
	same(t, "other members", must(s.Members(ctx, realm, "a1", "g1"))(t), []string{"m3", "m4"})
	same(t, "listed", must(collect(s.GroupLinks(ctx, realm, "a1")))(t), []provision.GroupLink{l})
	ok(t, s.PutGroupLink(ctx, provision.GroupLink{Realm: realm, App: "a1", Group: "g1"}))
	same(t, "let go", must(collect(s.GroupLinks(ctx, realm, "a1")))(t), []provision.GroupLink(nil))
	same(t, "without members", must(s.Members(ctx, realm, "a1", "g1"))(t), []string(nil))
}

func personJob(subject string, due time.Time) provision.Job {
	return provision.Job{Realm: realm, App: "a1", Kind: provision.PersonJob, Subject: subject, Due: due, Queued: due}
}

func jobsOf(t *testing.T, s provision.Store, q provision.JobQuery) []provision.Job {
	t.Helper()
	q.Realm, q.App = realm, "a1"
	return must(s.Jobs(t.Context(), q))(t)
}

func testEnqueue(t *testing.T, s provision.Store) {
	ctx := t.Context()
	same(t, "cursor of old", must(s.Cursor(ctx))(t), int64(0))
	ok(t, s.Enqueue(ctx, 7, []provision.Job{personJob("u1", at)}))
	same(t, "cursor", must(s.Cursor(ctx))(t), int64(7))
	ok(t, s.Enqueue(ctx, 0, nil))
	same(t, "cursor left alone", must(s.Cursor(ctx))(t), int64(7))
	want := personJob("u1", at)
	want.State, want.Renewed = provision.Waiting, 1
	same(t, "jobs", jobsOf(t, s, provision.JobQuery{}), []provision.Job{want})

	// One that failed keeps its back-off, and what it is for adds up.
	want.Attempts, want.Due, want.Error, want.Status, want.Weight = 3, at.Add(time.Hour), "no", 500, provision.Light
	ok(t, s.PutJobs(ctx, want))
	again := personJob("u1", at.Add(time.Minute))
	again.Assign = true
	ok(t, s.Enqueue(ctx, 8, []provision.Job{again}))
	ok(t, s.Enqueue(ctx, 9, []provision.Job{personJob("u1", at.Add(time.Minute))}))
	want.Assign, want.Weight, want.Renewed = true, "", 3
	same(t, "renewed", jobsOf(t, s, provision.JobQuery{}), []provision.Job{want})

	// One that was dead starts anew.
	want.State = provision.Dead
	ok(t, s.PutJobs(ctx, want))
	ok(t, s.Enqueue(ctx, 10, []provision.Job{personJob("u1", at.Add(time.Minute))}))
	got := jobsOf(t, s, provision.JobQuery{})[0]
	same(t, "revived", []any{got.State, got.Attempts, got.Due}, []any{provision.Waiting, 0, at.Add(time.Minute)})
}

func testRenewed(t *testing.T, s provision.Store) {
	ctx := t.Context()
	ok(t, s.Enqueue(ctx, 1, []provision.Job{personJob("u1", at)}))
	taken := jobsOf(t, s, provision.JobQuery{})[0]
	ok(t, s.Enqueue(ctx, 2, []provision.Job{personJob("u1", at)}))
	ok(t, s.Done(ctx, taken))
	same(t, "done, but renewed meanwhile", len(jobsOf(t, s, provision.JobQuery{State: provision.Waiting})), 1)
	taken.State, taken.Attempts = provision.Dead, 2
	ok(t, s.PutJobs(ctx, taken))
	got := jobsOf(t, s, provision.JobQuery{})[0]
	same(t, "failed, but renewed meanwhile", []any{got.State, got.Attempts}, []any{provision.Waiting, 2})
	ok(t, s.Done(ctx, got))
	same(t, "done", len(jobsOf(t, s, provision.JobQuery{})), 0)
}

func testJobQueries(t *testing.T, s provision.Store) {
	ctx := t.Context()
	group := personJob("g1", at)
	group.Kind, group.Delete = provision.GroupJob, true
	other := personJob("u9", at)
	other.App = "a2"
	ok(t, s.Enqueue(ctx, 1, []provision.Job{personJob("u2", at.Add(time.Hour)), personJob("u1", at.Add(time.Minute)), group, other}))
	names := func(q provision.JobQuery) (out []string) {
		for _, j := range jobsOf(t, s, q) {
			out = append(out, j.Subject)
		}
		return out
	}
	same(t, "by time", names(provision.JobQuery{}), []string{"g1", "u1", "u2"})
	same(t, "people", names(provision.JobQuery{Kind: provision.PersonJob}), []string{"u1", "u2"})
	same(t, "due", names(provision.JobQuery{Due: at.Add(time.Minute)}), []string{"g1", "u1"})
	same(t, "the first", names(provision.JobQuery{Limit: 1}), []string{"g1"})
	same(t, "one", names(provision.JobQuery{Subject: "u2"}), []string{"u2"})
	heavy := jobsOf(t, s, provision.JobQuery{Subject: "u2"})[0]
	heavy.Weight, heavy.State, heavy.Approved = provision.Heavy, provision.Held, true
	ok(t, s.PutJobs(ctx, heavy))
	same(t, "heavy", names(provision.JobQuery{Weight: provision.Heavy}), []string{"u2"})
	same(t, "unweighed", names(provision.JobQuery{Unweighed: true}), []string{"g1", "u1"})
	same(t, "approved", jobsOf(t, s, provision.JobQuery{State: provision.Held}), []provision.Job{heavy})
	counts, next, err := s.CountJobs(ctx, realm, "a1")
	ok(t, err)
	same(t, "counts", counts, map[provision.JobState]int{provision.Waiting: 2, provision.Held: 1})
	same(t, "next", next, at)
}

func testConditions(t *testing.T, s provision.Store) {
	ctx := t.Context()
	same(t, "unknown", must(s.Condition(ctx, realm, "a1"))(t), provision.Condition{})
	c := provision.Condition{
		Paused: at, Failures: 2, Approved: at,
		Quarantine: &provision.Quarantine{Since: at, Cause: "401", Status: 401, Probes: 3, Next: at, Lifts: "a probe"},
		Hold:       &provision.Hold{Since: at, People: 4, Linked: 9, Because: "many"},
	}
	ok(t, s.PutCondition(ctx, realm, "a1", provision.Condition{}))
	ok(t, s.PutCondition(ctx, realm, "a1", c))
	same(t, "stored", must(s.Condition(ctx, realm, "a1"))(t), c)
}

func testForget(t *testing.T, s provision.Store) {
	ctx := t.Context()
	for _, app := range []string{"a1", "a2"} {
		job := personJob("u1", at)
		job.App = app
		ok(t, s.Enqueue(ctx, 1, []provision.Job{job}))
		ok(t, s.PutLink(ctx, provision.Link{Realm: realm, App: app, Account: "u1", RemoteID: "r"}))
		ok(t, s.PutMembers(ctx, provision.GroupLink{Realm: realm, App: app, Group: "g1", RemoteID: "r"}, []string{"r"}))
		ok(t, s.PutCondition(ctx, realm, app, provision.Condition{Failures: 1}))
	}
	ok(t, s.Forget(ctx, realm, "a1"))
	for app, want := range map[string]int{"a1": 0, "a2": 1} {
		same(t, app+" links", len(must(collect(s.Links(ctx, realm, app)))(t)), want)
		same(t, app+" groups", len(must(collect(s.GroupLinks(ctx, realm, app)))(t)), want)
		same(t, app+" members", len(must(s.Members(ctx, realm, app, "g1"))(t)), want)
		same(t, app+" jobs", len(must(s.Jobs(ctx, provision.JobQuery{Realm: realm, App: app}))(t)), want)
		same(t, app+" condition", must(s.Condition(ctx, realm, app))(t).Failures, want)
	}
}
