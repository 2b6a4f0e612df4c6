package connector

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// budget is what the calls of a connection may use, whichever run they belong
// to: calls at a time, calls a second, and what the provider's headers leave.
//
// A bucket is what the provider counts together. After a 429 a bucket is closed
// until the time the provider named, and then opened for one call only: if all
// who waited went at once, most would be refused again.
//
// A server that is neither of the catalogue nor has limits in lanyard.yaml is
// not paced: what its 429 means is for the workflow to say (N60).
type budget struct {
	clock    Clock
	limits   catalog.RateLimit
	forecast catalog.Forecast
	paces    bool // the provider's wishes are followed at all
	heed     bool // also those that its headers announce beforehand
	share    int  // percent of what is announced
	slots    int  // calls at a time; 0: any number
	interval time.Duration
	burst    time.Duration

	mu      sync.Mutex // guards what follows
	busy    int
	next    time.Time // by the rate: when a call may leave that has no credit
	buckets map[string]*bucket
	keys    map[operation]string
	changed chan struct{} // closed when a call ends and somebody waits
}

// operation is what the catalogue finds a bucket by.
type operation struct{ method, path string }

// bucket is what is known of one limit of the provider.
type bucket struct {
	busy      int
	closed    time.Time // no call leaves before
	probing   bool      // one call at a time, until one succeeds
	known     bool      // the provider announced the fields below
	limit     int
	remaining int
	reset     time.Time // by our clock
}

func newBudget(clock Clock, conn *Connection, l config.Limits) *budget {
	b := &budget{clock: clock, share: l.Share, slots: l.Concurrency, buckets: map[string]*bucket{}, keys: map[operation]string{}, changed: make(chan struct{})}
	b.paces = conn.Entry != nil || l != (config.Limits{})
	if e := conn.Entry; e != nil {
		b.limits, b.forecast, b.heed = e.RateLimit, e.Forecast, !conn.selfMade
		if b.slots == 0 && ownHost(e, conn.Server) {
			b.slots = e.RateLimit.Concurrency
		}
	}
	if l.Rate > 0 {
		b.interval = time.Duration(float64(time.Second) / l.Rate)
		b.burst = max(0, time.Second-b.interval) // one second's worth may go at once
	}
	return b
}

// key names the bucket of an operation: as the catalogue knows it, else each
// operation is one.
func (b *budget) key(op *openapi.Operation) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := operation{op.Method, op.Path}
	key, ok := b.keys[o]
	if !ok {
		key = op.Method + " " + op.Path
		if known, ok := b.forecast.Bucket(op.Method, op.Path); ok {
			key = strings.Join(known.Methods, ",") + " " + known.Path
		}
		b.keys[o] = key
	}
	return key
}

// acquire waits for a place and returns how long that took. Every place is to
// be released. When the wait is certain to outlast ctx, it fails at once.
func (b *budget) acquire(ctx context.Context, key string) (time.Duration, error) {
	begin := b.clock.Now()
	for {
		wait, changed := b.try(key)
		switch {
		case wait == 0 && changed == nil:
			return b.clock.Now().Sub(begin), nil
		case changed != nil:
			select {
			case <-changed:
			case <-ctx.Done():
				return b.clock.Now().Sub(begin), waitError(ctx, "a place among the calls at a time")
			}
		default:
			if !fits(ctx, wait) {
				return b.clock.Now().Sub(begin), fault.New(fault.RateLimited, "the provider's limit is used up for %v more, which is longer than the call may take", wait.Round(time.Second)).
					Fix("allow more time, or run less at once")
			}
			if err := b.clock.Wait(ctx, wait); err != nil {
				return b.clock.Now().Sub(begin), waitError(ctx, "the provider's limit")
			}
		}
	}
}

// fits reports whether a wait can end before ctx does.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || wait < time.Until(deadline)
}

// try takes a place, or says how long to wait, or for a call to end.
func (b *budget) try(key string) (wait time.Duration, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	k := b.buckets[key]
	if k == nil {
		k = &bucket{}
		b.buckets[key] = k
	}
	if k.known && !now.Before(k.reset) {
		// A new window, of which nothing is announced yet. All who waited are
		// here, so it is taken to be as large as the last. Of a bucket that
		// refills, one call is back for certain; its answer tells of more.
		k.remaining = k.limit
		if b.limits.RetryAfter {
			k.remaining = b.reserve(k.limit) + 1
		}
	}
	switch {
	case b.slots > 0 && b.busy >= b.slots:
		return 0, b.changed
	case now.Before(k.closed):
		return k.closed.Sub(now), nil
	case k.probing && k.busy > 0:
		return 0, b.changed
	case k.known && k.remaining <= b.reserve(k.limit):
		return k.reset.Sub(now), nil
	case k.known && k.remaining-k.busy <= b.reserve(k.limit):
		return 0, b.changed // those under way may use up the rest
	}
	if b.interval > 0 {
		if ahead := b.next.Sub(now); ahead > b.burst {
			return ahead - b.burst, nil
		}
		if b.next.Before(now) {
			b.next = now
		}
		b.next = b.next.Add(b.interval)
	}
	b.busy++
	k.busy++
	return 0, nil
}

// reserve is how much of a limit is left to others.
func (b *budget) reserve(limit int) int {
	if b.share <= 0 || b.share >= 100 {
		return 0
	}
	return limit - max(1, limit*b.share/100)
}

// release ends a call. status is 0 when there was no answer. It returns how long
// the provider asked to wait, for a 429 or 503.
func (b *budget) release(key string, status int, header http.Header, attempt int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.buckets[key]
	b.busy--
	k.busy--
	now := b.clock.Now()
	var wait time.Duration
	switch {
	case !b.paces:
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		wait = b.wait(header, attempt, now)
		if until := now.Add(wait); until.After(k.closed) {
			k.closed = until
		}
		k.probing, k.known = true, false
	case status != 0:
		k.probing = false
		if b.heed {
			b.learn(k, header, now)
		}
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return wait
}

// learn takes over what the headers of an answer announce.
func (b *budget) learn(k *bucket, header http.Header, now time.Time) {
	limit, err1 := strconv.Atoi(header.Get(b.limits.Limit))
	remaining, err2 := strconv.Atoi(header.Get(b.limits.Remaining))
	left, ok := b.untilReset(header, now)
	if b.limits.Remaining == "" || err1 != nil || err2 != nil || !ok || limit <= 0 {
		k.known = false
		return
	}
	reset := now.Add(left)
	sameWindow := k.known && reset.Sub(k.reset).Abs() < 2*time.Second
	if sameWindow && !b.limits.RetryAfter {
		// Answers overtake each other; in a window the count only falls. A
		// bucket that refills all the time (Retry-After) is as the last one says.
		remaining = min(remaining, k.remaining)
	}
	if b.limits.RetryAfter {
		// The reset is when the bucket is full again. One call is back sooner.
		reset = now.Add(max(time.Second, left/time.Duration(max(1, limit-remaining))))
	}
	k.known, k.limit, k.remaining, k.reset = true, limit, remaining, reset
}

// untilReset is how long a window still runs: Reset - Date and a margin, both by
// the server's clock, which need not agree with ours.
func (b *budget) untilReset(header http.Header, now time.Time) (time.Duration, bool) {
	if b.limits.Reset == "" {
		return 0, false
	}
	reset, err := strconv.ParseInt(header.Get(b.limits.Reset), 10, 64)
	if err != nil || reset <= 0 || reset > 1<<40 {
		return 0, false
	}
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		date = now
	}
	left := time.Unix(reset, 0).Sub(date) + time.Duration(b.limits.Margin)*time.Second
	return max(0, left), left <= maxBelieved
}

// Waits when the provider names none, and the most that is believed of one that
// does.
const (
	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
	maxBelieved  = 24 * time.Hour
)

// wait is how long the provider asks a refused caller to wait: Retry-After (RFC
// 9110 10.2.3), else until the reset its headers name, else ever longer.
func (b *budget) wait(header http.Header, attempt int, now time.Time) time.Duration {
	backoff := min(maxBackoff, firstBackoff<<min(attempt-1, 10))
	if after, ok := RetryAfter(header, now); ok {
		return min(after, maxBelieved)
	}
	if b.limits.ZeroIsConcurrency && header.Get(b.limits.Limit) == "0" && header.Get(b.limits.Remaining) == "0" {
		return backoff // too many at a time: the reset is only an estimate
	}
	if left, ok := b.untilReset(header, now); ok {
		return min(max(left, firstBackoff), maxBelieved)
	}
	return backoff
}

// RetryAfter reads a Retry-After header, in seconds or as a date.
func RetryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds <= maxBelieved.Seconds() {
		return time.Duration(seconds * float64(time.Second)), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(0, at.Sub(now)), true
}
