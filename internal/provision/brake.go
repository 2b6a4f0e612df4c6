package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// The defaults of a Brake, and what it looks back on.
const (
	brakeCount   = 500
	brakePercent = 20 // as Okta's import safeguard
	brakeFrom    = 10 // people, before a share counts
	brakeWindow  = 24 * time.Hour
)

// exceeded says why so many deactivations of so many people are too many, ""
// when they are not.
func (b Brake) exceeded(n, linked int) string {
	count, percent := b.Count, b.Percent
	if count == 0 {
		count = brakeCount
	}
	if percent == 0 {
		percent = brakePercent
	}
	switch {
	case b.Off || n == 0:
		return ""
	case n > count:
		return fmt.Sprintf("%d deactivations within a day are more than %d", n, count)
	case n >= brakeFrom && n*100 > percent*linked:
		return fmt.Sprintf("%d deactivations within a day are more than %d %% of %d people", n, percent, linked)
	}
	return ""
}

// weigh looks at the jobs that came since, and holds the deactivations when they
// are too many.
func (l *lane) weigh(ctx context.Context) error {
	e, t := l.engine, l.target
	jobs, err := e.Store.Jobs(ctx, JobQuery{Realm: t.Realm, App: t.ID, Kind: PersonJob, State: Waiting, Unweighed: true})
	if err != nil || len(jobs) == 0 {
		return err
	}
	heavy := false
	for i := range jobs {
		j := &jobs[i]
		if j.Weight, err = e.weight(ctx, t, j); err != nil {
			return err
		}
		heavy = heavy || j.Weight == Heavy
	}
	if err := e.Store.PutJobs(ctx, jobs...); err != nil {
		return err
	}
	if !heavy {
		return nil
	}
	return e.brake(ctx, t)
}

// weight says whether a job would take somebody's access.
func (e *Engine) weight(ctx context.Context, t *Target, j *Job) (Weight, error) {
	link, err := e.Store.Link(ctx, j.Realm, j.App, j.Subject)
	if err != nil {
		return "", err
	}
	if link.RemoteID == "" || !link.Active || link.Kept || !t.DeactivateUsers {
		return Light, nil
	}
	var p Person
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = personOf(r, j.Realm, j.App, j.Subject)
		return err
	})
	if err != nil || active(p) {
		return Light, err
	}
	return Heavy, nil
}

// brake holds the deactivations that wait, when they are too many or others are
// held already.
func (e *Engine) brake(ctx context.Context, t *Target) error {
	heavy, err := e.Store.Jobs(ctx, JobQuery{Realm: t.Realm, App: t.ID, Kind: PersonJob, State: Waiting, Weight: Heavy})
	if err != nil {
		return err
	}
	waiting := heavy[:0]
	for _, j := range heavy {
		if !j.Approved {
			waiting = append(waiting, j)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return e.amend(ctx, t.Realm, t.ID, func(c *Condition) error {
		since := e.now().Add(-brakeWindow)
		if c.Approved.After(since) {
			since = c.Approved
		}
		linked, deactivated, err := e.Store.CountLinks(ctx, t.Realm, t.ID, since)
		if err != nil {
			return err
		}
		because := t.Brake.exceeded(len(waiting)+deactivated, linked+deactivated)
		switch {
		case t.Brake.Off || c.Hold == nil && because == "":
			return nil
		case c.Hold == nil:
			c.Hold = &Hold{Since: e.now(), Linked: linked, Because: because}
			e.Log.Warn("deactivations are held", "target", t.ID, "because", because)
		}
		c.Hold.People += len(waiting)
		for i := range waiting {
			waiting[i].State = Held
		}
		return e.Store.PutJobs(ctx, waiting...)
	})
}

// Approve lets the deactivations that are held go ahead, and returns how many.
func (e *Engine) Approve(ctx context.Context, realm, app string) (int, error) {
	return e.answer(ctx, realm, app, func(j Job) error {
		j.State, j.Approved, j.Due = Waiting, true, e.now()
		return e.Store.PutJobs(ctx, j)
	})
}

// Reject keeps the people whose deactivation is held active in the application,
// until they are assigned again, and returns how many.
func (e *Engine) Reject(ctx context.Context, realm, app string) (int, error) {
	return e.answer(ctx, realm, app, func(j Job) error {
		link, err := e.Store.Link(ctx, realm, app, j.Subject)
		if err != nil {
			return err
		}
		link.Kept = true
		if err := e.Store.PutLink(ctx, link); err != nil {
			return err
		}
		return e.Store.Done(ctx, j)
	})
}

// answer ends a hold.
func (e *Engine) answer(ctx context.Context, realm, app string, f func(Job) error) (n int, err error) {
	err = e.amend(ctx, realm, app, func(c *Condition) error {
		jobs, err := e.Store.Jobs(ctx, JobQuery{Realm: realm, App: app, State: Held})
		if err != nil {
			return err
		}
		if c.Hold == nil && len(jobs) == 0 {
			return fault.New(fault.NotFound, "no deactivations of this application are held").Fix("lanyard provision status shows where some are")
		}
		for _, j := range jobs {
			if err := f(j); err != nil {
				return err
			}
		}
		n, c.Hold, c.Approved = len(jobs), nil, e.now()
		return nil
	})
	return n, err
}
