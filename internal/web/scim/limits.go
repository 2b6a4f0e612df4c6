package scim

import (
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
)

// limits counts the calls of each connection in a bucket of its own, which holds
// what a second may have and fills up again within one.
type limits struct {
	now func() time.Time

	mu      sync.Mutex // guards buckets
	buckets map[string]*web.Bucket
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, buckets: map[string]*web.Bucket{}}
}

// take counts a call on a connection that there is, and returns how long it has
// to wait; 0 lets it through.
func (l *limits) take(connection string, perSecond int) time.Duration {
	now, rate := l.now(), float64(perSecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[connection]
	if b == nil {
		b = &web.Bucket{}
		l.buckets[connection] = b
	}
	_, wait := b.Take(now, rate, rate)
	return wait
}
