package okta_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

func TestBucketPaths(t *testing.T) {
	t.Parallel()
	for _, path := range okta.BucketPaths() {
		if _, err := web.ParsePattern(path); err != nil {
			t.Errorf("bucket %s: %v", path, err)
		}
	}
}

// Each row of the published table (okta.md 1.5), for each kind of org: the
// bucket without a caller, and half of it for a caller.
func TestBuckets(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method, path string
		want         [3]int // integrator, enterprise, workforce
	}{
		{"GET", "/api/v1/apps", [3]int{20, 100, 100}},
		{"POST", "/api/v1/apps/0oa1/users", [3]int{20, 100, 100}},
		{"PUT", "/api/v1/apps/0oa1", [3]int{100, 600, 500}},
		{"GET", "/api/v1/groups", [3]int{100, 600, 500}},
		{"PUT", "/api/v1/groups/00g1/users/00u1", [3]int{100, 600, 500}},
		{"DELETE", "/api/v1/groups/00g1", [3]int{100, 600, 1000}},
		{"GET", "/api/v1/users", [3]int{100, 600, 600}},
		{"POST", "/api/v1/users", [3]int{100, 600, 600}},
		{"PATCH", "/api/v1/users", [3]int{100, 600, 1200}},
		{"DELETE", "/api/v1/users/00u1", [3]int{100, 600, 600}},
		{"GET", "/api/v1/users/00u1", [3]int{100, 1000, 2000}},
		{"HEAD", "/api/v1/users/00u1", [3]int{100, 1000, 2000}},
		{"GET", "/api/v1/users/a%2Fb@example.com", [3]int{100, 1000, 2000}},
		{"POST", "/api/v1/users/00u1/lifecycle/suspend", [3]int{100, 600, 1200}},
		{"GET", "/api/v1/logs", [3]int{20, 50, 120}},
		{"POST", "/api/v1/identity-sources/0oa1/sessions", [3]int{30, 30, 30}},
		{"GET", "/api/v1/unicorns", [3]int{100, 600, 1200}},
		{"GET", "/", [3]int{100, 600, 1200}},
		{"POST", "/oauth2/v1/token", [3]int{300, 1200, 2000}},
		{"GET", "/oauth2/v1/clients/0oa1", [3]int{25, 100, 100}},
	} {
		for i, org := range []string{okta.Integrator, okta.Enterprise, okta.Workforce} {
			h := http.Header{}
			limits := okta.NewLimits(time.Now, okta.LimitPolicy{Org: org})
			for _, c := range []struct {
				caller string
				want   int
			}{{"", row.want[i]}, {"token", row.want[i] / 2}} {
				limits.Take(h, row.method, row.path, c.caller)
				if got := h.Get("X-Rate-Limit-Limit"); got != strconv.Itoa(c.want) {
					t.Errorf("%s %s in a %s org, caller %q: limit %s, want %d", row.method, row.path, org, c.caller, got, c.want)
				}
			}
		}
	}
}

// A caller is stopped at his share, and all together at the bucket; another
// bucket is not touched.
func TestShare(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 42, 0, time.UTC)
	const apps = "/api/v1/apps"
	for _, test := range []struct{ share, each, third int }{{0, 10, 0}, {40, 8, 4}, {100, 20, 0}} {
		limits := okta.NewLimits(func() time.Time { return now }, okta.LimitPolicy{Enforce: true, Org: okta.Integrator, Share: test.share})
		spend := func(caller string) int {
			for n := 0; ; n++ {
				h := http.Header{}
				if !limits.Take(h, "GET", apps, caller) {
					if h.Get("X-Rate-Limit-Remaining") != "0" || h.Get("X-Rate-Limit-Reset") != strconv.FormatInt(now.Add(time.Minute).Unix(), 10) {
						t.Errorf("share %d: the refusal has the headers %v", test.share, h)
					}
					return n
				}
			}
		}
		for _, c := range []struct {
			caller string
			want   int
		}{{"one", test.each}, {"one", 0}, {"two", min(test.each, 20-test.each)}, {"three", test.third}, {"", 0}} {
			if got := spend(c.caller); got != c.want {
				t.Errorf("share %d: %s made %d calls, want %d", test.share, c.caller, got, c.want)
			}
		}
		if !limits.Take(http.Header{}, "GET", "/api/v1/logs", "one") {
			t.Errorf("share %d: another bucket is closed, too", test.share)
		}
	}
}

// A window begins with its first call, wherever in a minute that is, and a clock
// that is put back begins another.
func TestWindow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 42, 0, time.UTC)
	limits := okta.NewLimits(func() time.Time { return now }, okta.LimitPolicy{Enforce: true, Org: okta.Integrator})
	exhaust := func() {
		for limits.Take(http.Header{}, "GET", "/api/v1/apps", "") {
		}
	}
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{59*time.Second + 999*time.Millisecond, false}, {time.Minute, true}, {-time.Hour, true}, {24 * time.Hour, true}} {
		exhaust()
		now = now.Add(step.after)
		if got := limits.Take(http.Header{}, "GET", "/api/v1/apps", ""); got != step.want {
			t.Errorf("%v later: %v, want %v", step.after, got, step.want)
		}
		now = now.Add(2 * time.Minute)
		limits.Take(http.Header{}, "GET", "/api/v1/apps", "")
	}
}

// Whoever stopped calling is forgotten, and made-up callers fill no memory.
func TestCallersAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limits := okta.NewLimits(func() time.Time { return now }, okta.LimitPolicy{Org: okta.Workforce})
	for i := range 3 * okta.MaxCounted {
		limits.Take(http.Header{}, "GET", "/api/v1/users/00u1", fmt.Sprint(i%2000))
		limits.TakeSignIn(http.Header{}, fmt.Sprint(i))
	}
	if got := limits.Held(); got != 2000 {
		t.Errorf("%d callers are held, want 2000", got)
	}
	now = now.Add(time.Minute)
	limits.Take(http.Header{}, "GET", "/api/v1/logs", "x")
	if got := limits.Held(); got != 1 {
		t.Errorf("%d callers are held after the window, want the one of the new window", got)
	}
}

// Too many at a time are told from too many a minute by limit and remaining,
// which are both 0.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	for org, want := range map[string]int{okta.Workforce: 75, okta.Enterprise: 75, okta.Integrator: 35} {
		limits := okta.NewLimits(time.Now, okta.LimitPolicy{Enforce: true, Org: org})
		var leaves []func()
		h := http.Header{}
		for {
			leave, ok := limits.Enter(h)
			if !ok {
				break
			}
			leaves = append(leaves, leave)
		}
		if len(leaves) != want || h.Get("X-Rate-Limit-Limit") != "0" || h.Get("X-Rate-Limit-Remaining") != "0" || h.Get("X-Rate-Limit-Reset") == "" {
			t.Errorf("%s: %d at a time, then %v; want %d and zeros", org, len(leaves), h, want)
		}
		leaves[0]()
		if _, ok := limits.Enter(h); !ok {
			t.Errorf("%s: nobody may enter although one left", org)
		}
	}
	free := okta.NewLimits(time.Now, okta.LimitPolicy{})
	for range 200 {
		if _, ok := free.Enter(http.Header{}); !ok {
			t.Fatal("the limit bites although it is not enforced")
		}
	}
}

func TestSignIns(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limits := okta.NewLimits(func() time.Time { return now }, okta.LimitPolicy{Enforce: true})
	h := http.Header{}
	for i := range 4 {
		if !limits.TakeSignIn(h, "ada") || len(h) != 0 {
			t.Fatalf("attempt %d is refused, or has headers: %v", i+1, h)
		}
	}
	if limits.TakeSignIn(h, "ada") || h.Get("X-Rate-Limit-Remaining") != "0" {
		t.Errorf("the fifth attempt in a second passes: %v", h)
	}
	if !limits.TakeSignIn(h, "grace") {
		t.Error("another username is refused, too")
	}
	now = now.Add(time.Second)
	if !limits.TakeSignIn(h, "ada") {
		t.Error("the next second is refused, too")
	}
}

func TestLimitsTogether(t *testing.T) {
	t.Parallel()
	limits := okta.NewLimits(time.Now, okta.LimitPolicy{Enforce: true, Org: okta.Enterprise})
	var passed [8]int
	var group sync.WaitGroup
	for i := range passed {
		group.Go(func() {
			for range 200 {
				if limits.Take(http.Header{}, "GET", "/api/v1/apps", fmt.Sprint(i)) {
					passed[i]++
				}
			}
		})
	}
	group.Wait()
	sum := 0
	for _, n := range passed {
		sum += n
	}
	if sum != 100 {
		t.Errorf("%d calls passed together (%v), want 100", sum, passed)
	}
}

// The API enforces what it is told at the moment of the call, and counts a call
// for who made it.
func TestLimitPolicy(t *testing.T) {
	t.Parallel()
	var policy okta.LimitPolicy
	b := newSeeded(t, func(o *okta.Options) { o.Limits = func() okta.LimitPolicy { return policy } })
	spend := func(headers ...string) answer {
		a := b.call("GET", "/api/v1/groups", "", headers...)
		b.clock.Step(-time.Second) // stay within the window
		return a
	}
	if a := spend("Authorization", "SSWS bad"); a.status != 401 || a.header.Get("X-Rate-Limit-Limit") != "500" {
		t.Errorf("a bad token: %d, limit %s; want 401 and that of the bucket", a.status, a.header.Get("X-Rate-Limit-Limit"))
	}
	for range 300 {
		if a := spend(); a.status != 200 || a.header.Get("X-Rate-Limit-Limit") != "250" || a.header.Get("X-Rate-Limit-Remaining") == "0" {
			t.Fatalf("not enforced: %d %v", a.status, a.header)
		}
	}
	policy.Enforce = true
	a := spend()
	wantProblem(t, a, 429, "E0000047", "API call exceeded rate limit due to too many requests.")
	if got := a.header.Get("X-Rate-Limit-Remaining"); got != "0" {
		t.Errorf("X-Rate-Limit-Remaining = %s, want 0", got)
	}
	b.ok(200, "GET", "/api/v1/users/me", "") // another bucket
	b.clock.Step(time.Minute)
	b.ok(200, "GET", "/api/v1/groups", "")
}

// Refuse answers like the API itself, whatever the status.
func TestRefuse(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	for status, code := range map[int]string{
		400: "E0000003", 401: "E0000011", 403: "E0000006", 404: "E0000008", 405: "E0000022", 409: "E0000112", 412: "E0000231",
		423: "E0000239", 429: "E0000047", 500: "E0000009", 501: "E0000060", 503: "E0000010", 502: "E0000009", 418: "E0000009",
	} {
		w := httptest.NewRecorder()
		b.api.Refuse(w, httptest.NewRequest("GET", "/api/v1/groups", nil), status, 7*time.Second)
		a := answer{w.Code, w.Header(), w.Body.String()}
		if got := a.object(t)["errorCode"]; a.status != status || got != code || a.header.Get("X-Okta-Request-Id") == "" {
			t.Errorf("%d is answered %d %v %v, want %s", status, a.status, got, a.header, code)
		}
		if status != 429 {
			continue
		}
		date, err := http.ParseTime(a.header.Get("Date"))
		if reset := strconv.FormatInt(date.Add(7*time.Second).Unix(), 10); err != nil || a.header.Get("X-Rate-Limit-Reset") != reset ||
			a.header.Get("X-Rate-Limit-Limit") != "250" || a.header.Get("X-Rate-Limit-Remaining") != "0" {
			t.Errorf("429: %v, want 0 of 250 left until %s", a.header, reset)
		}
	}
}
