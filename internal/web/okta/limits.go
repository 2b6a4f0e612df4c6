package okta

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The kinds of org, which have limits of their own (okta.md 1.5).
const (
	Workforce  = "workforce"
	Enterprise = "enterprise" // also the plan One App
	Integrator = "integrator" // Integrator Free
)

// LimitPolicy says which limits an org has, and whether they bite.
type LimitPolicy struct {
	// Enforce answers 429 when a limit is used up. Otherwise limits are counted
	// and shown, and the count stops at one call left.
	Enforce bool
	Org     string // Workforce (the default), Enterprise or Integrator
	// Share is how many percent of a bucket one token or app may use; 0: 50, as
	// Okta has it unless an admin changes it.
	Share int
}

func (p LimitPolicy) share() int {
	if p.Share <= 0 {
		return 50
	}
	return min(p.Share, 100)
}

// concurrent is how many calls an org answers at the same time.
func (p LimitPolicy) concurrent() int {
	if p.Org == Integrator {
		return 35
	}
	return 75
}

// quota is what a bucket allows in a minute, by the kind of org.
type quota struct{ integrator, enterprise, workforce int }

func (q quota) of(org string) int {
	switch org {
	case Integrator:
		return q.integrator
	case Enterprise:
		return q.enterprise
	}
	return q.workforce
}

// bucket is a set of endpoints that share one limit.
type bucket struct {
	methods string // that it counts, blank-separated; empty: all
	path    string // as web.Pattern has it
	quota   quota
}

// buckets are the last that Okta published (okta.md 1.5; developer-docs,
// rl-global-mgmt). Identity sources never had a published one: 15 a minute were
// observed for a token, which is half of 30. Paths outside the published ones
// count as "other" here.
var buckets = []bucket{
	{"", "/api/v1/apps/**", quota{20, 100, 100}},
	{"", "/api/v1/apps/{id}", quota{100, 600, 500}},
	{"", "/api/v1/groups/**", quota{100, 600, 500}},
	{"", "/api/v1/groups/{id}", quota{100, 600, 1000}},
	{"GET POST", "/api/v1/users", quota{100, 600, 600}},
	{"POST PUT DELETE", "/api/v1/users/{id}", quota{100, 600, 600}},
	{"GET", "/api/v1/users/{id}", quota{100, 1000, 2000}},
	{"", "/api/v1/logs/**", quota{20, 50, 120}},
	{"", "/api/v1/identity-sources/**", quota{30, 30, 30}},
	{"", "/**", quota{100, 600, 1200}},
	{"", "/oauth2/v1/token", quota{300, 1200, 2000}},
	{"", "/oauth2/v1/clients/**", quota{25, 100, 100}},
}

const (
	// window is how long a count lasts. Windows start with their first call and
	// are not aligned to the clock.
	window = time.Minute
	// signInsPerSecond is how often one username may be tried (okta.md 1.5).
	signInsPerSecond = 4
	// maxCounted is how many callers or usernames are told apart in a window:
	// those beyond it count for the bucket only, so that made-up ones cannot fill
	// the memory.
	maxCounted = 10_000
)

// limits counts calls: by bucket and caller in windows, by username in seconds,
// and those under way. It holds what belongs to windows that run, and nothing
// of callers that went quiet.
type limits struct {
	clock  func() time.Time
	policy func() LimitPolicy
	rows   []row

	mu       sync.Mutex // guards what follows
	spent    map[int]*spending
	signIns  *spending
	underWay int
}

// row is a bucket made ready for matching.
type row struct {
	bucket
	methods []string
	pattern web.Pattern
}

// spending is what was used in one window.
type spending struct {
	since   time.Time
	length  time.Duration
	calls   int
	callers map[string]int
}

func newLimits(clock func() time.Time, policy func() LimitPolicy) *limits {
	l := &limits{clock: clock, policy: policy, spent: map[int]*spending{}}
	for _, b := range buckets {
		pattern, _ := web.ParsePattern(b.path) // a test holds the table to be right
		l.rows = append(l.rows, row{bucket: b, methods: strings.Fields(b.methods), pattern: pattern})
	}
	return l
}

// find returns the index of the bucket that counts a call: of those that match,
// one with the exact path and method, else with the exact path, else with the
// longest path above it.
func (l *limits) find(method, escapedPath string) int {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segments := web.Segments(escapedPath)
	best, rank := 0, -1
	for i, r := range l.rows {
		named := slices.Contains(r.methods, method)
		if !named && len(r.methods) > 0 || !r.pattern.Match(segments) {
			continue
		}
		now := 2 * r.pattern.Rank()
		if named {
			now++
		}
		if now > rank {
			best, rank = i, now
		}
	}
	return best
}

// enter counts a call as under way until leave is called. When too many are, it
// reports false and writes the headers that tell this case: limit and remaining
// are 0, and the reset is only an estimate (okta.md 1.5).
func (l *limits) enter(h http.Header) (leave func(), ok bool) {
	policy, now := l.policy(), l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if policy.Enforce && l.underWay >= policy.concurrent() {
		show(h, 0, 0, now.Add(window))
		return nil, false
	}
	l.underWay++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.underWay--
	}, true
}

// take counts a call, writes the three headers, and reports whether the call
// may go on. caller is who is counted within the bucket, a token or an app; ""
// counts for the bucket only. The headers speak of the caller's share.
func (l *limits) take(h http.Header, method, escapedPath, caller string) bool {
	policy, i := l.policy(), l.find(method, escapedPath)
	limit, left, until := l.count(i, caller, policy)
	allowed := left >= 0
	if !policy.Enforce {
		// A client that paces itself by the headers must not be stopped by a
		// limit that nobody enforces.
		left, allowed = max(left, 1), true
	}
	show(h, limit, max(left, 0), until)
	return allowed
}

// exhaust writes the headers of a call beyond the limit that ends after a time.
func (l *limits) exhaust(h http.Header, method, escapedPath string, wait time.Duration) {
	policy := l.policy()
	limit := l.rows[l.find(method, escapedPath)].quota.of(policy.Org)
	show(h, max(1, limit*policy.share()/100), 0, l.clock().Add(wait))
}

// takeSignIn counts an attempt to sign in with a username, at /authn and on the
// sign-in page, however it is written, and reports whether it may go on. Only
// one that may not gets headers.
func (l *limits) takeSignIn(h http.Header, username string) bool {
	policy, now := l.policy(), l.clock()
	username = directory.Fold(strings.TrimSpace(username))
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.signIns.running(now) {
		l.signIns = &spending{since: now, length: time.Second, callers: map[string]int{}}
	}
	if l.signIns.callers[username] < signInsPerSecond {
		l.signIns.add(username)
		return true
	}
	if policy.Enforce {
		show(h, signInsPerSecond, 0, l.signIns.until())
	}
	return !policy.Enforce
}

// count adds a call and returns the limit that binds the caller and how many
// calls are left after this one, -1 for one too many.
func (l *limits) count(i int, caller string, policy LimitPolicy) (limit, left int, until time.Time) {
	total := l.rows[i].quota.of(policy.Org)
	limit = total
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.renew(i, now)
	left = total - s.calls
	if caller != "" && s.counts(caller) {
		limit = max(1, total*policy.share()/100)
		left = min(left, limit-s.callers[caller])
	}
	if left <= 0 {
		return limit, -1, s.until()
	}
	s.calls++
	if caller != "" {
		s.add(caller)
	}
	return limit, left - 1, s.until()
}

// renew returns the running window of a bucket. One that has to begin first also
// ends those of other buckets that are over, and with them what they held.
func (l *limits) renew(i int, now time.Time) *spending {
	if s := l.spent[i]; s.running(now) {
		return s
	}
	for other, s := range l.spent {
		if !s.running(now) {
			delete(l.spent, other)
		}
	}
	s := &spending{since: now, length: window, callers: map[string]int{}}
	l.spent[i] = s
	return s
}

// running reports whether now lies in the window. A clock that was put back
// begins a new one.
func (s *spending) running(now time.Time) bool {
	return s != nil && !now.Before(s.since) && now.Before(s.until())
}

func (s *spending) until() time.Time { return s.since.Add(s.length) }

// counts reports whether a caller is told apart from others.
func (s *spending) counts(caller string) bool {
	_, known := s.callers[caller]
	return known || len(s.callers) < maxCounted
}

func (s *spending) add(caller string) {
	if s.counts(caller) {
		s.callers[caller]++
	}
}

func show(h http.Header, limit, left int, until time.Time) {
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(left))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(until.Unix(), 10))
}
