package trigger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// drain starts what waits and is due.
func (e *Engine) drain(ctx context.Context) error {
	if !e.becomeIdle() {
		waiting, err := e.queue(ctx)
		if err != nil {
			return err
		}
		e.startDue(ctx, waiting)
	}
	return e.flush(ctx)
}

// queue reads what waits, in the order of the due times.
func (e *Engine) queue(ctx context.Context) ([]Firing, error) {
	waiting, err := e.Store.Firings(ctx, Query{State: Waiting, Limit: batchOfWaiting})
	if len(waiting) > 0 || err != nil {
		e.more()
	}
	if err != nil || len(waiting) < batchOfWaiting {
		return waiting, err
	}
	// No trigger keeps the others waiting. Firings of triggers that are gone are in
	// none of their queues.
	waiting = slices.DeleteFunc(waiting, func(f Firing) bool { return e.find(f.Trigger) != nil })
	for _, t := range e.all() {
		of, err := e.Store.Firings(ctx, Query{Trigger: t.Name, State: Waiting, Limit: batchOfWaiting})
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, of...)
	}
	return waiting, nil
}

// startDue starts those firings whose time has come and that find room.
func (e *Engine) startDue(ctx context.Context, waiting []Firing) {
	now, real := e.now(), e.real()
	full := map[string]bool{}
	var starting sync.WaitGroup
	defer starting.Wait()
	places := make(chan struct{}, startsAtOnce)
	for _, f := range waiting {
		if ctx.Err() != nil {
			return
		}
		t := e.find(f.Trigger)
		if t != nil && f.Due.After(now) || !e.claim(&f, real) || !e.admit(ctx, t, &f, full) {
			continue
		}
		switch {
		case t.Action.Import != "":
			e.startLong(ctx, t, f)
		case t.Concurrent > 0 || t.Schedule != nil: // one after the other, as they were due
			e.start(ctx, t, f)
		default:
			places <- struct{}{}
			starting.Go(func() {
				defer func() { <-places }()
				e.start(ctx, t, f)
			})
		}
	}
}

// more says that something may wait to be started: whoever accepts says so after
// it is stored.
func (e *Engine) more() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle = false
}

// becomeIdle reports whether nothing was accepted since the queue was found
// empty, and begins to count anew.
func (e *Engine) becomeIdle() (was bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	was, e.idle = e.idle, true
	e.done = map[string]bool{}
	return was
}

// claim keeps others from starting a firing; false when somebody does, or did
// since the queue was read, or when its time has not come again.
func (e *Engine) claim(f *Firing, real time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[f.ID] || e.done[f.ID] || real.Before(e.again[f.ID]) {
		return false
	}
	e.busy[f.ID] = true
	return true
}

// admit decides whether a claimed firing may start now. One that may not is
// settled, or let go of to wait.
func (e *Engine) admit(ctx context.Context, t *armed, f *Firing, full map[string]bool) bool {
	if t == nil {
		e.settle(*f, Failed, "there is no such trigger any more")
		return false
	}
	if why, _ := e.off(t.Trigger); why != "" {
		e.settle(*f, Refused, why)
		return false
	}
	if t.Concurrent == 0 {
		return true
	}
	if full[t.Name] || !e.room(ctx, t, f.ID) {
		full[t.Name] = true
		if t.Schedule != nil && t.Schedule.Overlap == OverlapSkip && f.Kind == ScheduleKind {
			e.settle(*f, Skipped, "the run before is still under way")
			return false
		}
		e.unclaim(f.ID)
		return false
	}
	return true
}

// unclaim lets go of a firing that was claimed, and may be claimed again.
func (e *Engine) unclaim(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.busy, id)
}

// finish lets go of a claimed firing whose new state is stored. Where the queue was
// read before that, it counts no more.
func (e *Engine) finish(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finished(id)
}

// finished is finish for a caller that holds mu.
func (e *Engine) finished(id string) {
	delete(e.busy, id)
	if e.done != nil { // nothing is served: there is no queue
		e.done[id] = true
	}
}

func (e *Engine) claimed(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.busy[id]
}

// room reports whether a trigger that bounds its runs may start the one with
// this id. Runs that have ended are found out about here.
func (e *Engine) room(ctx context.Context, t *armed, id string) bool {
	e.mu.Lock()
	others := maps.Clone(e.open[t.Name])
	e.mu.Unlock()
	delete(others, id)
	ids := slices.Sorted(maps.Keys(others))
	if len(ids) < t.Concurrent {
		return true
	}
	under := 0
	for _, id := range ids {
		o, err := t.run.Status(ctx, id)
		gone := fault.Is(err, fault.NotFound) && !e.claimed(id) // else it is about to start
		if !gone && (err != nil || !o.Status.Final()) {
			under++
			continue
		}
		e.closed(ctx, t.Name, id)
	}
	return under < t.Concurrent
}

// opened notes a run of a trigger that bounds them. The caller holds mu.
func (e *Engine) opened(trigger, id string) {
	if e.open[trigger] == nil {
		e.open[trigger] = map[string]bool{}
	}
	e.open[trigger][id] = true
}

// closed notes that a run has ended.
func (e *Engine) closed(ctx context.Context, trigger, id string) {
	e.mu.Lock()
	delete(e.open[trigger], id)
	for i := range e.settled { // it is about to be stored
		if e.settled[i].ID == id {
			e.settled[i].Open = false
		}
	}
	e.mu.Unlock()
	f, err := e.Store.Firing(ctx, id)
	if err == nil && f.Open {
		f.Open = false
		err = e.Store.Settle(ctx, f)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		e.Log.Error("the end of a run cannot be stored", "run", id, "error", err)
	}
}

// start begins the run of a claimed firing.
func (e *Engine) start(ctx context.Context, t *armed, f Firing) {
	inputs, err := e.unseal(&f)
	if err == nil {
		err = t.run.Start(ctx, f.ID, t.Name, inputs, f.Sandbox)
	}
	switch {
	case err == nil:
		e.started(t, f)
	case ctx.Err() != nil: // the next process starts it
		e.unclaim(f.ID)
		e.more()
	case temporary(err) && f.Attempts+1 < maxAttempts:
		f.Attempts++
		e.mu.Lock()
		e.again[f.ID] = e.real().Add(min(time.Second<<f.Attempts, 5*time.Minute))
		e.mu.Unlock()
		e.settle(f, Waiting, fault.Public(err))
	default:
		e.Log.Error("a trigger could not start", "trigger", t.Name, "firing", f.ID, "error", err)
		e.settle(f, Failed, fault.Public(err))
	}
}

// startLong begins what takes its time to begin, an import that reads its source
// first, without keeping the others waiting. Its place is taken meanwhile.
func (e *Engine) startLong(ctx context.Context, t *armed, f Firing) {
	if t.Concurrent > 0 {
		e.mu.Lock()
		e.opened(t.Name, f.ID)
		e.mu.Unlock()
	}
	e.long.Go(func() {
		e.start(ctx, t, f)
		e.Wake()
	})
}

// started notes that the run of a firing is on disk.
func (e *Engine) started(t *armed, f Firing) {
	if t.Concurrent > 0 {
		f.Open = true
		e.mu.Lock()
		e.opened(t.Name, f.ID)
		e.mu.Unlock()
	}
	e.settle(f, Started, "")
}

// temporary reports whether trying again may help.
func temporary(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout, fault.RateLimited, fault.Locked, fault.Internal:
		return true
	}
	return false
}

// settle notes what became of a claimed firing; flush stores it. Should the
// process stop in between, the firing waits still, and its run is known by its id.
func (e *Engine) settle(f Firing, s State, reason string) {
	f.State, f.Reason = s, reason
	if s.Over() {
		f.Sealed = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settled = append(e.settled, f)
}

// flush stores what was settled and counted.
func (e *Engine) flush(ctx context.Context) error {
	if err := e.storeSettled(ctx); err != nil {
		return err
	}
	return e.storeCounts(ctx)
}

func (e *Engine) storeSettled(ctx context.Context) error {
	e.mu.Lock()
	settled := e.settled
	e.settled = nil
	e.mu.Unlock()
	if len(settled) == 0 {
		return nil
	}
	err := e.Store.Settle(ctx, settled...)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil { // they are settled all the same: later
		e.settled = append(settled, e.settled...)
		return err
	}
	for _, f := range settled {
		e.finished(f.ID)
		if f.State.Over() {
			delete(e.again, f.ID)
		}
	}
	return nil
}

func (e *Engine) storeCounts(ctx context.Context) error {
	e.mu.Lock()
	many, duplicates := e.tally, e.duplicates
	e.tally, e.duplicates = map[string]Firing{}, map[string]int{}
	e.mu.Unlock()
	if len(many)+len(duplicates) == 0 {
		return nil
	}
	err := e.Store.Tally(ctx, slices.Collect(maps.Values(many)), duplicates)
	if err == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range many { // with what was counted meanwhile, the next time
		e.count(f)
	}
	for id, n := range duplicates {
		e.duplicates[id] += n
	}
	return err
}

// Refuse counts something that was not let in, for the history: one entry an
// hour for each reason.
func (e *Engine) Refuse(t *Trigger, reason string) {
	sum := sha256.Sum256([]byte(reason))
	f := e.row(t, "refused/"+e.real().Truncate(time.Hour).Format(time.RFC3339)+"/"+hex.EncodeToString(sum[:4]))
	f.State, f.Reason, f.Count = Refused, reason, 1
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count(f)
}

// count adds to a firing that stands for many. The caller holds mu.
func (e *Engine) count(f Firing) {
	f.Count += e.tally[f.ID].Count
	e.tally[f.ID] = f
}

// duplicate counts that something was told again.
func (e *Engine) duplicate(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.duplicates[id]++
}
