package provision

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Engine keeps targets equal to the directory: it reads the change log from a
// cursor, queues who has to be looked at, and carries the queue out, each target
// in a lane of its own. Its fields are set before first use and not changed
// after; it is safe for concurrent use.
//
// Nothing is remembered outside the Store: after a kill, the queue goes on, and
// what was about to be created is looked up first.
type Engine struct {
	Directory *directory.Directory
	Store     Store
	Client    *Client
	Mapper    Mapper
	Log       *slog.Logger
	Now       func() time.Time // the directory's clock
	Pace      Pace             // zero fields: the defaults

	mu     sync.Mutex
	claims map[claim]chan struct{}  // jobs under way; closed when they end
	lanes  map[string]chan struct{} // targets that are served; closed when that is over

	settled    sync.Mutex // one Settle at a time
	conditions sync.Mutex // whoever changes a Condition
}

// Pace are the times of an Engine.
type Pace struct {
	Poll       time.Duration // between looks at the change log; 0: 500 ms
	Backoff    time.Duration // after the first failure, then doubled; 0: 2 s
	MaxBackoff time.Duration // 0: 30 min
	Probe      time.Duration // of a target in quarantine, first, then doubled; 0: 5 s
	MaxProbe   time.Duration // 0: 30 min
	Limited    time.Duration // after a 429 without Retry-After, then doubled; 0: 5 min (scim-auth0.md 1.2)
}

// Limits of what is tried.
const (
	maxAttempts    = 10 // of a job, 429s included (scim-auth0.md 1.2)
	maxRefusals    = 3  // 409s, 403s: somebody may be about to give the name away
	maxFailures    = 15 // of a target in a row, before its quarantine
	defaultWorkers = 4
	batchOfJobs    = 200
)

func (p Pace) poll() time.Duration { return cmp.Or(p.Poll, 500*time.Millisecond) }

// backoff is how long a job waits after a failure: doubled each time, and
// somewhere between a half and the whole of it, so that those who failed
// together do not come back together.
func (p Pace) backoff(attempt int) time.Duration {
	whole := doubled(cmp.Or(p.Backoff, 2*time.Second), attempt-1, cmp.Or(p.MaxBackoff, 30*time.Minute))
	return whole/2 + rand.N(whole/2+1) //nolint:gosec // jitter
}

func (p Pace) probe(probes int) time.Duration {
	return doubled(cmp.Or(p.Probe, 5*time.Second), probes, cmp.Or(p.MaxProbe, 30*time.Minute))
}

// limited is how long a target is left alone after a 429, the attempt-th of one
// job: as long as it says, or five minutes, doubled each time.
func (p Pace) limited(asked time.Duration, attempt int) time.Duration {
	if asked < 0 {
		asked = cmp.Or(p.Limited, 5*time.Minute)
	}
	return doubled(asked, attempt-1, 24*time.Hour)
}

func doubled(d time.Duration, times int, most time.Duration) time.Duration {
	for range times {
		if d *= 2; d >= most {
			return most
		}
	}
	return min(d, most)
}

// claim is the right to work on a person or group of a target.
type claim struct {
	realm, app string
	kind       JobKind
	subject    string
}

// take waits until nobody works on a subject and returns what ends the claim.
func (e *Engine) take(ctx context.Context, c claim) (release func(), err error) {
	for {
		e.mu.Lock()
		busy := e.claims[c]
		if busy == nil {
			done := make(chan struct{})
			if e.claims == nil {
				e.claims = map[claim]chan struct{}{}
			}
			e.claims[c] = done
			e.mu.Unlock()
			return func() {
				e.mu.Lock()
				delete(e.claims, c)
				e.mu.Unlock()
				close(done)
			}, nil
		}
		e.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "provisioning was stopped")
		}
	}
}

// now is the time in the resolution of the store.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Microsecond) }

// Serve keeps all targets up to date until ctx ends. It owns every goroutine
// that it starts, and returns when they have ended.
func (e *Engine) Serve(ctx context.Context) {
	var lanes sync.WaitGroup
	defer lanes.Wait()
	ticker := time.NewTicker(e.Pace.poll())
	defer ticker.Stop()
	for {
		if err := e.round(ctx, &lanes); err != nil && ctx.Err() == nil {
			e.Log.Error("provisioning could not look at the directory", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round reads the change log and starts the lanes that have something to do.
func (e *Engine) round(ctx context.Context, lanes *sync.WaitGroup) error {
	if _, err := e.feed(ctx); err != nil {
		return err
	}
	targets, err := e.targets(ctx)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if !t.Enabled || e.enter(t) != nil {
			continue
		}
		lanes.Go(func() {
			defer e.leave(t)
			if _, err := e.lane(ctx, t); err != nil && ctx.Err() == nil {
				e.Log.Error("provisioning of a target stopped", "target", t.ID, "error", err)
			}
		})
	}
	return nil
}

// enter lets the caller serve a target, until it leaves. When another serves it,
// the channel is closed as soon as that one leaves; else it is nil.
func (e *Engine) enter(t *Target) (busy <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := t.Realm + "/" + t.ID
	if other := e.lanes[key]; other != nil {
		return other
	}
	if e.lanes == nil {
		e.lanes = map[string]chan struct{}{}
	}
	e.lanes[key] = make(chan struct{})
	return nil
}

// enterNext is enter, after whoever serves the target now.
func (e *Engine) enterNext(ctx context.Context, t *Target) error {
	for busy := e.enter(t); busy != nil; busy = e.enter(t) {
		select {
		case <-busy:
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, ctx.Err(), "provisioning was stopped")
		}
	}
	return nil
}

func (e *Engine) leave(t *Target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := t.Realm + "/" + t.ID
	close(e.lanes[key])
	delete(e.lanes, key)
}

// targets returns the targets of all Okta realms.
func (e *Engine) targets(ctx context.Context) (out []*Target, err error) {
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		out, err = allTargets(r, directory.OktaRealm)
		return err
	})
	return out, err
}

func allTargets(r directory.Reader, realm string) ([]*Target, error) {
	return directory.All[Target](r, directory.RecordQuery{Realm: realm}, 0, nil)
}

// Settle brings everything up to date once, without Serve. It returns when
// nothing is to be done now; with wait also what has to be tried again later was
// tried, but not what waits for a person or a target in quarantine.
func (e *Engine) Settle(ctx context.Context, wait bool) (Report, error) {
	e.settled.Lock()
	defer e.settled.Unlock()
	var report Report
	for {
		more, err := e.feed(ctx)
		if err != nil {
			return report, err
		}
		done, next, err := e.once(ctx, &report)
		switch {
		case err != nil:
			return report, err
		case more || done > 0:
			continue
		case !wait || next.IsZero():
			return report, e.summarize(ctx, &report)
		}
		if err := e.sleep(ctx, next); err != nil {
			return report, err
		}
	}
}

// sleep waits until a time of the engine's clock, which may be moved.
func (e *Engine) sleep(ctx context.Context, until time.Time) error {
	ticker := time.NewTicker(e.Pace.poll())
	defer ticker.Stop()
	for e.now().Before(until) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, ctx.Err(), "provisioning was stopped")
		}
	}
	return nil
}

// once serves every target until it has nothing to do now. next is when one of
// them has.
func (e *Engine) once(ctx context.Context, report *Report) (done int, next time.Time, err error) {
	targets, err := e.targets(ctx)
	if err != nil {
		return 0, next, err
	}
	for _, t := range targets {
		if !t.Enabled {
			continue
		}
		if err := e.enterNext(ctx, t); err != nil {
			return done, next, err
		}
		n, err := func() (int, error) {
			defer e.leave(t)
			return e.lane(ctx, t)
		}()
		report.Done += n
		done += n
		if err != nil {
			return done, next, err
		}
		at, err := e.next(ctx, t)
		if err != nil {
			return done, next, err
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return done, next, nil
}

// next is when a target has something to do again, zero: not by itself.
func (e *Engine) next(ctx context.Context, t *Target) (time.Time, error) {
	c, err := e.Store.Condition(ctx, t.Realm, t.ID)
	if err != nil || c.Quarantine != nil {
		return time.Time{}, err
	}
	_, due, err := e.Store.CountJobs(ctx, t.Realm, t.ID)
	if due.IsZero() || due.After(c.Paused) {
		return due, err
	}
	return c.Paused, err
}

// Report is what a Settle did and left.
type Report struct {
	Done        int `json:"done"`        // jobs that were carried out
	Waiting     int `json:"waiting"`     // for another attempt
	Held        int `json:"held"`        // for a person
	Dead        int `json:"dead"`        // failed for good
	Quarantined int `json:"quarantined"` // targets
}

func (e *Engine) summarize(ctx context.Context, report *Report) error {
	targets, err := e.targets(ctx)
	if err != nil {
		return err
	}
	for _, t := range targets {
		counts, _, err := e.Store.CountJobs(ctx, t.Realm, t.ID)
		if err != nil {
			return err
		}
		report.Waiting += counts[Waiting]
		report.Held += counts[Held]
		report.Dead += counts[Dead]
		c, err := e.Store.Condition(ctx, t.Realm, t.ID)
		if err != nil {
			return err
		}
		if c.Quarantine != nil {
			report.Quarantined++
		}
	}
	return nil
}
