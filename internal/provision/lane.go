package provision

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// lane carries out what is due for one target, and returns how many jobs it
// finished. There is one lane for a target at a time.
type lane struct {
	engine *Engine
	target *Target

	mu   sync.Mutex // guards cond and halt
	cond Condition
	halt bool // paused or in quarantine: nothing more is begun
}

func (e *Engine) lane(ctx context.Context, t *Target) (int, error) {
	l := &lane{engine: e, target: t}
	var err error
	if l.cond, err = e.Store.Condition(ctx, t.Realm, t.ID); err != nil {
		return 0, err
	}
	total := 0
	for {
		// It may have been changed or switched off since.
		switch l.target, err = e.Target(ctx, t.Realm, t.ID); {
		case fault.Is(err, fault.NotFound):
			return total, nil
		case err != nil || !l.target.Enabled:
			return total, err
		}
		if open, err := l.open(ctx); err != nil || !open {
			return total, err
		}
		if err := l.weigh(ctx); err != nil {
			return total, err
		}
		jobs, err := l.due(ctx)
		if err != nil || len(jobs) == 0 {
			return total, err
		}
		done, err := l.work(ctx, jobs)
		total += done
		if err != nil || l.halted() {
			return total, err
		}
	}
}

func (l *lane) halted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.halt
}

// open reports whether anything may be sent now. A target in quarantine is
// probed when it is time.
func (l *lane) open(ctx context.Context) (bool, error) {
	now := l.engine.now()
	if l.cond.Paused.After(now) {
		return false, nil
	}
	q := l.cond.Quarantine
	switch {
	case q == nil:
		return true, nil
	case q.Next.After(now):
		return false, nil
	}
	counts, _, err := l.engine.Store.CountJobs(ctx, l.target.Realm, l.target.ID)
	if err != nil || counts[Waiting] == 0 {
		return false, err // nothing to be gained
	}
	return l.engine.probe(ctx, l.target, &l.cond)
}

// probe tries whether a target in quarantine is well again.
func (e *Engine) probe(ctx context.Context, t *Target, cond *Condition) (well bool, err error) {
	err = e.Test(ctx, t, "probe of a target in quarantine")
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err == nil {
		cond.Quarantine, cond.Failures = nil, 0
		return true, e.recover(ctx, t)
	}
	q := *cond.Quarantine
	q.Probes++
	q.Cause, q.Next = ErrorText(err), e.now().Add(e.Pace.probe(q.Probes))
	cond.Quarantine = &q
	return false, e.Store.PutCondition(ctx, t.Realm, t.ID, *cond)
}

// recover ends the quarantine of a target that answers as it should.
func (e *Engine) recover(ctx context.Context, t *Target) error {
	return e.amend(ctx, t.Realm, t.ID, func(c *Condition) error {
		c.Quarantine, c.Failures = nil, 0
		return nil
	})
}

// Reprobe lets a target in quarantine be tried at the next occasion: its settings
// have changed, and the cause may be gone.
func (e *Engine) Reprobe(ctx context.Context, realm, app string) error {
	return e.amend(ctx, realm, app, func(c *Condition) error {
		if c.Quarantine != nil {
			q := *c.Quarantine
			q.Next = e.now()
			c.Quarantine = &q
		}
		return nil
	})
}

// TestCredentials is "Test API Credentials" for a person. When it succeeds it
// ends a quarantine.
func (e *Engine) TestCredentials(ctx context.Context, t *Target) error {
	if err := e.Test(ctx, t, "Test API Credentials"); err != nil {
		return err
	}
	return e.recover(ctx, t)
}

// Test sends what "Test API Credentials" sends.
func (e *Engine) Test(ctx context.Context, t *Target, why Note) error {
	s := e.Client.Open(t, "", "test")
	defer s.Close(ctx)
	c := TestCall()
	c.Why = []Note{why}
	answer, err := s.Call(ctx, c)
	if err == nil && answer.Body["totalResults"] == nil {
		err = &CallError{Method: c.Method, Path: c.Path, Status: answer.Status, Class: Transient, Sent: true, Detail: "the answer is no list of SCIM users"}
	}
	return err
}

// due returns what comes next: people, and groups when no more people are due,
// so that their members are there.
func (l *lane) due(ctx context.Context) ([]Job, error) {
	q := JobQuery{Realm: l.target.Realm, App: l.target.ID, Kind: PersonJob, State: Waiting, Due: l.engine.now(), Limit: batchOfJobs}
	jobs, err := l.engine.Store.Jobs(ctx, q)
	if err != nil || len(jobs) > 0 {
		return jobs, err
	}
	q.Kind = GroupJob
	return l.engine.Store.Jobs(ctx, q)
}

// work carries out jobs, some at a time: there is one for each subject, so that
// what concerns one person or group stays in order.
func (l *lane) work(ctx context.Context, jobs []Job) (int, error) {
	workers := l.target.workers()
	work := make(chan Job)
	failed := make(chan error, workers)
	var done atomic.Int64
	var group sync.WaitGroup
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	for range workers {
		group.Go(func() {
			for j := range work {
				if l.halted() { // since it was handed over
					continue
				}
				if err := l.carryOut(stop, j); err != nil {
					failed <- err
					cancel()
					return
				}
				done.Add(1)
			}
		})
	}
hand:
	for _, j := range jobs {
		if l.halted() {
			break
		}
		select {
		case work <- j:
		case <-stop.Done():
			break hand
		}
	}
	close(work)
	group.Wait()
	select {
	case err := <-failed:
		return int(done.Load()), err
	default:
		return int(done.Load()), ctx.Err()
	}
}

// carryOut does one job and stores what became of it. Errors are those of the
// store, and the end of ctx.
func (l *lane) carryOut(ctx context.Context, j Job) error {
	release, err := l.engine.take(ctx, claim{j.Realm, j.App, j.Kind, j.Subject})
	if err != nil {
		return err
	}
	defer release()
	var o Outcome
	if j.Kind == PersonJob {
		o, err = l.engine.person(ctx, l.target, j)
	} else {
		o, err = l.engine.group(ctx, l.target, j)
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil && o.Err != nil {
		return ctx.Err() // interrupted: it goes on another time
	}
	return l.settle(ctx, j, o)
}

// settle stores what became of a job.
func (l *lane) settle(ctx context.Context, j Job, o Outcome) error {
	switch {
	case o.Unweighed: // it changed since the brake looked
		j.Weight = ""
		return l.engine.Store.PutJobs(ctx, j)
	case o.Err == nil:
		if len(o.Calls) > 0 {
			if err := l.succeeded(ctx); err != nil {
				return err
			}
		}
		if err := l.engine.tell(ctx, j, o); err != nil {
			return err
		}
		return l.engine.Store.Done(ctx, j)
	}
	j.Error, j.Status = ErrorText(o.Err), 0
	if err := l.failed(ctx, &j, o.Err); err != nil {
		return err
	}
	if err := l.engine.tell(ctx, j, o); err != nil {
		return err
	}
	return l.engine.Store.PutJobs(ctx, j)
}

// failed decides when, or whether, a job is tried again, and what its failure
// says of the target. The error is that of the store, or cause when it is none of
// the job's own.
func (l *lane) failed(ctx context.Context, j *Job, cause error) error {
	var call *CallError
	if !errors.As(cause, &call) {
		if !fault.Is(cause, fault.Invalid) {
			return cause
		}
		j.State = Dead // a mapping that does not compute
		return l.succeeded(ctx)
	}
	j.Status = call.Status
	pace := l.engine.Pace
	switch call.Class {
	case Denied: // nobody loses an attempt
		return l.quarantine(ctx, call, "the right credential (lanyard provision targets set --token-from): a probe, or lanyard provision targets test, has to succeed")
	case Limited:
		l.again(j, pace.limited(call.RetryAfter, j.Attempts+1), maxAttempts)
		return l.pause(ctx, j.Due)
	case Transient:
		l.again(j, pace.backoff(j.Attempts+1), maxAttempts)
		return l.stumbled(ctx, call)
	case Forbidden: // when all are, the target is at fault
		l.again(j, pace.backoff(j.Attempts+1), maxRefusals)
		return l.stumbled(ctx, call)
	case Missing, Taken:
		l.again(j, pace.backoff(j.Attempts+1), maxAttempts)
	case Conflict:
		l.again(j, pace.backoff(j.Attempts+1), maxRefusals)
	default: // 400 and the like
		j.State = Dead
	}
	return l.succeeded(ctx) // it answers
}

// again lets a job wait. One that was tried often enough becomes a task for a
// person.
func (l *lane) again(j *Job, wait time.Duration, most int) {
	j.Attempts++
	j.Due = l.engine.now().Add(wait)
	if j.Attempts >= most {
		j.State = Dead
	}
}

// pause leaves the target alone until a time.
func (l *lane) pause(ctx context.Context, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halt = true
	if !until.After(l.cond.Paused) {
		return nil
	}
	l.cond.Paused = until
	return l.put(ctx)
}

// succeeded notes that the target answers.
func (l *lane) succeeded(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cond.Failures == 0 {
		return nil
	}
	l.cond.Failures = 0
	return l.put(ctx)
}

// stumbled notes that the target does not answer as it should. When nobody at
// all can be reached, the others are spared their attempts.
func (l *lane) stumbled(ctx context.Context, call *CallError) error {
	l.mu.Lock()
	l.cond.Failures++
	enough := l.cond.Failures >= maxFailures
	err := l.put(ctx)
	l.mu.Unlock()
	if err != nil || !enough {
		return err
	}
	return l.quarantine(ctx, call, "a probe, GET /Users?startIndex=1&count=2, that is answered with a list")
}

func (l *lane) quarantine(ctx context.Context, call *CallError, lifts string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halt = true
	if l.cond.Quarantine != nil {
		return nil
	}
	now := l.engine.now()
	l.cond.Quarantine = &Quarantine{
		Since: now, Cause: call.Error(), Status: call.Status, Next: now.Add(l.engine.Pace.probe(0)), Lifts: lifts,
	}
	l.engine.Log.Warn("a target is in quarantine", "target", l.target.ID, "cause", call.Error())
	return l.put(ctx)
}

// put stores the condition. Others may have approved or rejected meanwhile, so
// what they own is read again.
func (l *lane) put(ctx context.Context) error {
	l.engine.conditions.Lock()
	defer l.engine.conditions.Unlock()
	stored, err := l.engine.Store.Condition(ctx, l.target.Realm, l.target.ID)
	if err != nil {
		return err
	}
	l.cond.Hold, l.cond.Approved = stored.Hold, stored.Approved
	return l.engine.Store.PutCondition(ctx, l.target.Realm, l.target.ID, l.cond)
}

// Lift ends the quarantine and the pause of a target, without a probe.
func (e *Engine) Lift(ctx context.Context, realm, app string) error {
	return e.amend(ctx, realm, app, func(c *Condition) error {
		c.Quarantine, c.Paused, c.Failures = nil, time.Time{}, 0
		return nil
	})
}

// amend changes the condition of a target.
func (e *Engine) amend(ctx context.Context, realm, app string, f func(*Condition) error) error {
	e.conditions.Lock()
	defer e.conditions.Unlock()
	c, err := e.Store.Condition(ctx, realm, app)
	if err != nil {
		return err
	}
	if err := f(&c); err != nil {
		return err
	}
	return e.Store.PutCondition(ctx, realm, app, c)
}

// Replay lets dead jobs be tried again: one, or with an empty subject all of a
// target. It returns how many.
func (e *Engine) Replay(ctx context.Context, realm, app, subject string) (int, error) {
	jobs, err := e.Store.Jobs(ctx, JobQuery{Realm: realm, App: app, Subject: subject, State: Dead})
	if err != nil {
		return 0, err
	}
	if subject != "" && len(jobs) == 0 {
		return 0, fault.New(fault.NotFound, "nothing about %q has failed for good", subject)
	}
	for i := range jobs {
		jobs[i].Due, jobs[i].Assign = e.now(), true
	}
	return len(jobs), e.Store.Enqueue(ctx, 0, jobs)
}

// Target returns a target by the id of its application.
func (e *Engine) Target(ctx context.Context, realm, app string) (t *Target, err error) {
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		t, err = directory.Get[Target](r, realm, app)
		return err
	})
	return t, err
}

// workers is how many people are sent, or asked for, at a time.
func (t *Target) workers() int {
	if t.Concurrency > 0 {
		return t.Concurrency
	}
	return defaultWorkers
}
