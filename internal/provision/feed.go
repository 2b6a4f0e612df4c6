package provision

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// batchOfChanges is how many entries of the change log are read at once.
const batchOfChanges = 1000

// feed reads the change log to its end and queues who has to be looked at. It
// reports whether anything was queued.
func (e *Engine) feed(ctx context.Context) (queued bool, err error) {
	cursor, err := e.Store.Cursor(ctx)
	if err != nil {
		return false, err
	}
	for {
		b := batch{engine: e, jobs: map[claim]Job{}, cursor: cursor}
		if err := e.Directory.Store.View(ctx, b.read); err != nil {
			return queued, err
		}
		if b.cursor == cursor {
			return queued, nil
		}
		for _, m := range b.rules {
			if err := e.pushByRules(ctx, m.realm, m.group); err != nil {
				return queued, err
			}
			queued = true // it may have written to the log
		}
		for _, app := range b.gone {
			if err := e.Store.Forget(ctx, app.realm, app.id); err != nil {
				return queued, err
			}
		}
		jobs := make([]Job, 0, len(b.jobs))
		for _, j := range b.jobs {
			jobs = append(jobs, j)
		}
		for _, app := range b.all {
			linked, err := e.everybody(ctx, app.realm, app.id)
			if err != nil {
				return queued, err
			}
			jobs = append(jobs, linked...)
		}
		if err := e.Store.Enqueue(ctx, b.cursor, jobs); err != nil {
			return queued, err
		}
		queued = queued || len(jobs) > 0
		cursor = b.cursor
	}
}

// batch is a part of the change log and what follows from it.
type batch struct {
	engine  *Engine
	cursor  int64
	targets map[string]*Target
	pushed  map[string][]string // applications that a group is pushed to
	jobs    map[claim]Job
	rules   []ruleMark   // groups that push rules have to look at
	all     []targetMark // targets of which everybody has to be looked at
	gone    []targetMark // applications that were deleted
}

type (
	ruleMark   struct{ realm, group string } // group empty: all of the realm
	targetMark struct{ realm, id string }
)

func (b *batch) read(r directory.Reader) error {
	var changes []directory.Change
	for c, err := range r.Changes(directory.ChangeQuery{After: b.cursor, MaxRows: batchOfChanges}) {
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return nil
	}
	b.cursor = changes[len(changes)-1].Seq
	targets, err := allTargets(r, directory.OktaRealm)
	if err != nil {
		return err
	}
	b.targets = map[string]*Target{}
	for _, t := range targets {
		b.targets[t.ID] = t
	}
	pushes, err := directory.All[GroupPush](r, directory.RecordQuery{Realm: directory.OktaRealm}, 0, nil)
	if err != nil {
		return err
	}
	b.pushed = map[string][]string{}
	for _, p := range pushes {
		b.pushed[p.Group] = append(b.pushed[p.Group], p.App)
	}
	for i := range changes {
		if changes[i].Realm != directory.OktaRealm {
			continue
		}
		if err := b.route(r, &changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// state is what the routes read of the objects in a change.
type state struct {
	App          string `json:"app"`
	Group        string `json:"group"`
	Account      string `json:"account"`
	DeleteRemote bool   `json:"deleteRemote"`
}

// route queues what one change is about.
func (b *batch) route(r directory.Reader, c *directory.Change) error {
	if c.Before == nil && c.After == nil { // a sign-in, or what is told of provisioning itself
		return nil
	}
	if len(b.targets) == 0 && c.Kind != "application.lifecycle.delete" {
		return nil
	}
	var s state
	for _, body := range []json.RawMessage{c.Before, c.After} {
		// The later one wins. An entry of another shape is not about people.
		_ = json.Unmarshal(body, &s)
	}
	area, _, _ := strings.Cut(c.Kind, ".")
	switch {
	case strings.HasPrefix(c.Kind, "application.user_membership."):
		b.person(c.Realm, s.App, s.Account, c.After != nil)
	case strings.HasPrefix(c.Kind, "group.user_membership."):
		b.group(c.Realm, s.Group)
		return b.personEverywhere(r, c.Realm, s.Account, false)
	case c.Kind == "group.lifecycle.delete":
		for app := range b.targets {
			b.job(Job{Realm: c.Realm, App: app, Kind: GroupJob, Subject: c.Target, Delete: true})
		}
	case c.Kind == "group.lifecycle.create", c.Kind == "group.profile.update":
		b.group(c.Realm, c.Target)
		b.rules = append(b.rules, ruleMark{c.Realm, c.Target})
	case strings.HasPrefix(c.Kind, "application.provision.group_push.") && s.Group != "":
		b.job(Job{Realm: c.Realm, App: s.App, Kind: GroupJob, Subject: s.Group, Delete: c.After == nil && s.DeleteRemote})
	case strings.HasPrefix(c.Kind, "application.provision.group_push."): // of a rule
		b.rules = append(b.rules, ruleMark{realm: c.Realm})
	case c.Kind == "application.lifecycle.update", c.Kind == "directory.mapping.update":
		if b.targets[c.Target] != nil && !slices.Contains(b.all, targetMark{c.Realm, c.Target}) {
			b.all = append(b.all, targetMark{c.Realm, c.Target})
		}
	case c.Kind == "application.lifecycle.delete":
		b.gone = append(b.gone, targetMark{c.Realm, c.Target})
	case slices.Contains(comeBack, c.Kind):
		return b.personEverywhere(r, c.Realm, c.Target, true)
	case area == "user":
		return b.personEverywhere(r, c.Realm, c.Target, false)
	}
	return nil
}

func (b *batch) person(realm, app, account string, assign bool) {
	if b.targets[app] != nil && account != "" {
		b.job(Job{Realm: realm, App: app, Kind: PersonJob, Subject: account, Assign: assign})
	}
}

// comeBack are the entries after which somebody may be provisioned who could not
// be when he was assigned.
var comeBack = []string{"user.lifecycle.unsuspend", "user.lifecycle.activate", "user.lifecycle.reactivate"}

// personEverywhere queues somebody for every target that he is assigned to.
// Those who are not assigned any more were queued when that changed.
func (b *batch) personEverywhere(r directory.Reader, realm, account string, assign bool) error {
	if account == "" {
		return nil
	}
	users, err := directory.All[directory.AppUser](r, directory.RecordQuery{Realm: realm, Subject: account}, 0, nil)
	if err != nil {
		return err
	}
	for _, u := range users {
		b.person(realm, u.App, account, assign)
	}
	return nil
}

func (b *batch) group(realm, group string) {
	for _, app := range b.pushed[group] {
		b.job(Job{Realm: realm, App: app, Kind: GroupJob, Subject: group})
	}
}

// job adds a job, or what it brings to one that is there.
func (b *batch) job(j Job) {
	if b.targets[j.App] == nil || j.Subject == "" {
		return
	}
	key := claim{j.Realm, j.App, j.Kind, j.Subject}
	j.Due = b.engine.now()
	j.Queued = j.Due
	j.Assign = j.Assign || b.jobs[key].Assign
	b.jobs[key] = j
}

// everybody returns jobs for all who are linked, all groups that are pushed, and
// what has failed for good: the settings may have been its cause.
func (e *Engine) everybody(ctx context.Context, realm, app string) ([]Job, error) {
	var jobs []Job
	now := e.now()
	for l, err := range e.Store.Links(ctx, realm, app) {
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, Job{Realm: realm, App: app, Kind: PersonJob, Subject: l.Account, Due: now, Queued: now})
	}
	dead, err := e.Store.Jobs(ctx, JobQuery{Realm: realm, App: app, State: Dead})
	if err != nil {
		return nil, err
	}
	for _, j := range dead {
		j.Due, j.Queued, j.Assign = now, now, true
		jobs = append(jobs, j)
	}
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		pushes, err := directory.All[GroupPush](r, directory.RecordQuery{Realm: realm, Parent: app}, 0, nil)
		for _, p := range pushes {
			jobs = append(jobs, Job{Realm: realm, App: app, Kind: GroupJob, Subject: p.Group, Due: now, Queued: now})
		}
		return err
	})
	return jobs, err
}

// Sync queues everybody who is assigned to an application or linked in it, and
// every group that is pushed: those too who were assigned before provisioning
// was enabled (Okta: "Provision User").
func (e *Engine) Sync(ctx context.Context, realm, app string) error {
	jobs, err := e.everybody(ctx, realm, app)
	if err != nil {
		return err
	}
	now := e.now()
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		users, err := directory.All[directory.AppUser](r, directory.RecordQuery{Realm: realm, Parent: app}, 0, nil)
		for _, u := range users {
			jobs = append(jobs, Job{Realm: realm, App: app, Kind: PersonJob, Subject: u.Account, Due: now, Queued: now, Assign: true})
		}
		return err
	})
	if err != nil {
		return err
	}
	return e.Store.Enqueue(ctx, 0, jobs)
}
