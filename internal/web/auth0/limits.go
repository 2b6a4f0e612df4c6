package auth0

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
)

// The limit of the Management API of a production tenant on an enterprise
// plan: a bucket of 50 calls that fills up with 16 a second (scim-auth0.md 5.1).
const (
	burst     = 50
	perSecond = 16
)

// limit counts the calls of a tenant.
type limit struct {
	clock   func() time.Time
	enforce func() bool

	mu     sync.Mutex // guards bucket
	bucket web.Bucket
}

func newLimit(clock func() time.Time, enforce func() bool) *limit {
	return &limit{clock: clock, enforce: enforce}
}

// take counts a call, writes the three headers, and returns how long the call
// has to wait; 0 lets it through.
func (l *limit) take(h http.Header) time.Duration {
	now := l.clock()
	l.mu.Lock()
	left, wait := l.bucket.Take(now, burst, perSecond)
	l.mu.Unlock()
	if !l.enforce() {
		// A client that paces itself by the headers must not be stopped by a
		// limit that nobody enforces.
		left, wait = max(left, 1), 0
	}
	show(h, left, now.Add(seconds((burst-left)/perSecond)))
	return wait
}

// exhaust writes the headers of a call beyond the limit.
func (l *limit) exhaust(h http.Header) { show(h, 0, l.clock().Add(seconds(burst/perSecond))) }

func show(h http.Header, left float64, full time.Time) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(burst))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(int(left)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(full.Unix(), 10))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
