package scim

import (
	"sync"
	"time"
)

// limits counts the calls of each connection in a bucket of its own, which holds
// what a second may have and fills up again within one.
type limits struct {
	now func() time.Time

	mu      sync.Mutex // guards buckets
	buckets map[string]*bucket
}

// bucket is how many calls are left at a time.
type bucket struct {
	left float64
	at   time.Time
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, buckets: map[string]*bucket{}}
}

// take counts a call on a connection that there is, and returns how long it has
// to wait; 0 lets it through.
func (l *limits) take(connection string, perSecond int) time.Duration {
	now, rate := l.now(), float64(perSecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[connection]
	if b == nil {
		b = &bucket{left: rate, at: now}
		l.buckets[connection] = b
	}
	since := max(0, now.Sub(b.at)) // the clock may have been put back
	b.left, b.at = min(rate, b.left+since.Seconds()*rate), now
	if b.left < 1 {
		return time.Duration((1 - b.left) / rate * float64(time.Second))
	}
	b.left--
	return 0
}
