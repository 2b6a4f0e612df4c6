package okta

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bucket is a set of endpoints that share one rate limit.
type bucket struct {
	name  string
	limit int // calls a minute
}

// The buckets, with the last limits Okta published for workforce orgs
// (developer-docs, rl-global-mgmt).
var (
	usersBucket     = bucket{"/api/v1/users", 600}
	userGetBucket   = bucket{"GET /api/v1/users/{idOrLogin}", 2000}
	userWriteBucket = bucket{"/api/v1/users/{id}", 600}
	groupsBucket    = bucket{"/api/v1/groups", 500}
	groupBucket     = bucket{"/api/v1/groups/{id}", 1000}
	otherBucket     = bucket{"/api/v1", 1200}
)

// bucketOf returns the bucket that a call counts in.
func bucketOf(method, path string) bucket {
	rest, ok := strings.CutPrefix(path, basePath)
	if !ok {
		return otherBucket
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	switch {
	case parts[0] == "users" && len(parts) == 1:
		return usersBucket
	case parts[0] == "users" && len(parts) == 2 && method == http.MethodGet:
		return userGetBucket
	case parts[0] == "users" && len(parts) == 2:
		return userWriteBucket
	case parts[0] == "groups" && len(parts) == 2:
		return groupBucket
	case parts[0] == "groups":
		return groupsBucket
	}
	return otherBucket
}

// window is how long a count lasts. Windows start with their first call and
// are not aligned to the clock.
const window = time.Minute

// limits counts calls by bucket.
type limits struct {
	clock   func() time.Time
	enforce bool

	mu    sync.Mutex // guards spent
	spent map[string]*spending
}

type spending struct {
	until time.Time
	calls int
}

func newLimits(clock func() time.Time, enforce bool) *limits {
	return &limits{clock: clock, enforce: enforce, spent: map[string]*spending{}}
}

// take counts a call, writes the three headers, and reports whether the call
// may go on.
func (l *limits) take(h http.Header, b bucket) bool {
	left, until := l.count(b)
	allowed := left >= 0
	if !l.enforce {
		// A client that paces itself by the headers must not be stopped by a
		// limit that nobody enforces.
		left, allowed = max(left, 1), true
	}
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(b.limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(max(left, 0)))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(until.Unix(), 10))
	return allowed
}

// count adds a call and returns how many are left after it, -1 for one too many.
func (l *limits) count(b bucket) (left int, until time.Time) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.spent[b.name]
	if s == nil || !now.Before(s.until) {
		s = &spending{until: now.Add(window)}
		l.spent[b.name] = s
	}
	if s.calls < b.limit {
		s.calls++
		return b.limit - s.calls, s.until
	}
	return -1, s.until
}
