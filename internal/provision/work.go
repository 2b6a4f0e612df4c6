package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Outcome is what was done, or would be, about one person or group.
type Outcome struct {
	Op        Op
	Mapped    *Mapped // what the application is told; nil when nothing was to be told
	Calls     []Made
	Err       error
	Unweighed bool // it would take somebody's access, and the brake does not know

	outOfSync bool // so the assignment says
}

// Made is a call of an Outcome.
type Made struct {
	Call
	Status int // 0: no answer, or not sent
}

// tracer keeps the calls that go through it.
type tracer struct {
	Caller
	calls []Made
}

func (t *tracer) Call(ctx context.Context, c Call) (Answer, error) {
	answer, err := t.Caller.Call(ctx, c)
	status := answer.Status
	var e *CallError
	if errors.As(err, &e) {
		status = e.Status
	}
	t.calls = append(t.calls, Made{c, status})
	return answer, err
}

// Explain adds what was concluded to the last call.
func (t *tracer) Explain(ctx context.Context, why ...Note) {
	t.Caller.Explain(ctx, why...)
	if n := len(t.calls); n > 0 {
		t.calls[n-1].Why = append(slices.Clip(t.calls[n-1].Why), why...)
	}
}

// personOf reads somebody. Account is nil when he is gone, AppUser when the
// application is not assigned to him.
func personOf(r directory.Reader, realm, app, account string) (p Person, err error) {
	p.Account, err = r.Account(realm, account)
	if fault.Is(err, fault.NotFound) {
		return Person{}, nil
	}
	if err != nil {
		return p, err
	}
	p.AppUser, err = directory.Get[directory.AppUser](r, realm, app+"/"+account)
	if fault.Is(err, fault.NotFound) {
		p.AppUser = nil
		return p, nil
	}
	return p, err
}

// active reports whether somebody is to be active in an application: assigned,
// and neither suspended nor deactivated (Okta SCIM 2.0 reference, Delete Users).
func active(p Person) bool {
	return p.Account != nil && p.AppUser != nil && p.Account.Status != directory.Suspended && p.Account.Status != directory.Deprovisioned
}

// want computes how somebody is to be in an application.
func (e *Engine) want(r directory.Reader, t *Target, p Person) (w Want, err error) {
	switch {
	case p.Account == nil:
		w.Why = "the user is gone"
	case p.AppUser == nil:
		w.Why = "no assignment any more"
	case p.Account.Status == directory.Suspended:
		w.Why, w.Suspended = "the user is suspended", true
	case p.Account.Status == directory.Deprovisioned:
		w.Why = "the user is deactivated"
	default:
		w.Active, w.Why = true, "assigned"
		if w.Create, err = e.Mapper.Map(r, t, p, Creating); err != nil {
			return w, err
		}
		w.Update, err = e.Mapper.Map(r, t, p, Updating)
	}
	return w, err
}

// sequence is how the calls of one subject are made.
func (e *Engine) sequence(t *Target, c Caller, account string) *Sequence {
	return &Sequence{
		Caller: c, Target: t, Now: e.now, Keep: e.Store.PutLink, KeepGroup: e.Store.PutGroupLink,
		Holder: func(ctx context.Context, id string) (string, error) {
			l, ok, err := e.Store.LinkByRemote(ctx, t.Realm, t.ID, id)
			if err != nil || !ok || l.Account == account {
				return "", err
			}
			return l.Account, nil
		},
	}
}

// person brings somebody up to date. The error is that of the store or of ctx;
// what went wrong with the person is in the outcome.
func (e *Engine) person(ctx context.Context, t *Target, j Job) (Outcome, error) {
	link, err := e.Store.Link(ctx, t.Realm, t.ID, j.Subject)
	if err != nil {
		return Outcome{}, err
	}
	want, o, err := e.wanted(ctx, t, j.Subject)
	if err != nil || o.Err != nil {
		return o, err
	}
	if !j.Assign && want.Active && link.RemoteID == "" && link.Doubt == "" {
		return o, nil // was assigned before provisioning was enabled
	}
	if Decide(t, link, want) == OpDeactivate && j.Weight != Heavy && link.Doubt == "" {
		return Outcome{Unweighed: true}, nil
	}
	session := e.Client.Open(t, j.Subject, "queue")
	defer session.Close(ctx)
	trace := &tracer{Caller: session}
	after, op, seqErr := e.sequence(t, trace, j.Subject).Person(ctx, link, want)
	o.Op, o.Calls, o.Err = op, trace.calls, seqErr
	// What is known now is kept even when ctx has ended meanwhile.
	kept := context.WithoutCancel(ctx)
	if after != link {
		var groups []Job
		if after.RemoteID != link.RemoteID || after.Active != link.Active || after.UserName != link.UserName {
			if groups, err = e.pushedWith(kept, t, j.Subject); err != nil {
				return o, err
			}
		}
		if err := e.Store.Relink(kept, after, groups); err != nil {
			if fault.Is(err, fault.Conflict) { // another job took the account over in the same moment
				o.Err = taken("that was linked just now")
				return o, nil
			}
			return o, err
		}
	}
	if o.outOfSync && o.Err == nil && after.RemoteID != "" {
		if err := e.synchronized(kept, t, j.Subject); err != nil {
			return o, err
		}
	}
	return o, nil
}

// What an assignment says of provisioning (Okta: syncState).
const (
	outOfSync = "OUT_OF_SYNC"
	inSync    = "SYNCHRONIZED"
)

// synchronized notes in the assignment that the application has the person. The
// change log does not get it: nobody did it, and the queue would come back to it.
func (e *Engine) synchronized(ctx context.Context, t *Target, account string) error {
	return e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		p, err := personOf(tx, t.Realm, t.ID, account)
		if err != nil || p.AppUser == nil || p.AppUser.SyncState != outOfSync {
			return err
		}
		p.AppUser.Status, p.AppUser.SyncState, p.AppUser.StatusChanged = directory.AppUserProvisioned, inSync, e.now()
		return e.Directory.ReplaceObject(tx, p.AppUser)
	})
}

// wanted reads somebody and computes what is wanted. A mapping that fails is in
// the outcome.
func (e *Engine) wanted(ctx context.Context, t *Target, account string) (w Want, o Outcome, err error) {
	var mapping error
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err := personOf(r, t.Realm, t.ID, account)
		if err != nil {
			return err
		}
		w, mapping = e.want(r, t, p)
		o.outOfSync = p.AppUser != nil && p.AppUser.SyncState == outOfSync
		return nil
	})
	switch {
	case err != nil:
		return w, o, err
	case mapping != nil && !fault.Is(mapping, fault.Invalid):
		return w, o, mapping
	case mapping != nil:
		o.Err = mapping
	case w.Active:
		o.Mapped = &w.Update
	}
	return w, o, nil
}

// pushedWith returns jobs for the pushed groups that somebody is in: whether the
// person is a member there depends on the account there.
func (e *Engine) pushedWith(ctx context.Context, t *Target, account string) (jobs []Job, err error) {
	now := e.now()
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		pushes, err := directory.All[GroupPush](r, directory.RecordQuery{Realm: t.Realm, Parent: t.ID}, 0, nil)
		if err != nil || len(pushes) == 0 {
			return err
		}
		pushed := map[string]bool{}
		for _, p := range pushes {
			pushed[p.Group] = true
		}
		for g, err := range r.Groups(directory.GroupQuery{Realm: t.Realm, Member: account}) {
			if err != nil {
				return err
			}
			if pushed[g.ID] {
				jobs = append(jobs, Job{Realm: t.Realm, App: t.ID, Kind: GroupJob, Subject: g.ID, Due: now, Queued: now})
			}
		}
		return nil
	})
	return jobs, err
}

// group brings a group up to date.
func (e *Engine) group(ctx context.Context, t *Target, j Job) (Outcome, error) {
	link, err := e.Store.GroupLink(ctx, t.Realm, t.ID, j.Subject)
	if err != nil {
		return Outcome{}, err
	}
	want, skip, err := e.groupWant(ctx, t, j)
	if err != nil || skip {
		return Outcome{Op: OpNone}, err
	}
	var known []string
	if link.Synced {
		if known, err = e.Store.Members(ctx, t.Realm, t.ID, j.Subject); err != nil {
			return Outcome{}, err
		}
	}
	session := e.Client.Open(t, j.Subject, "queue")
	defer session.Close(ctx)
	trace := &tracer{Caller: session}
	after, op, seqErr := e.sequence(t, trace, "").Group(ctx, link, known, want)
	o := Outcome{Op: op, Calls: trace.calls, Err: seqErr}
	kept := context.WithoutCancel(ctx)
	switch {
	case after == link && op == OpNone:
		return o, nil
	case after.Synced:
		ids := make([]string, len(want.Members))
		for i, m := range want.Members {
			ids[i] = m.RemoteID
		}
		return o, e.Store.PutMembers(kept, after, ids)
	}
	return o, e.Store.PutGroupLink(kept, after)
}

// groupWant computes how a group is to be. skip says that it is to be left as it
// is.
func (e *Engine) groupWant(ctx context.Context, t *Target, j Job) (w GroupWant, skip bool, err error) {
	var accounts []string
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		push, err := pushOfGroup(r, t.Realm, t.ID, j.Subject)
		if err != nil {
			return err
		}
		if push == nil {
			w.Delete, w.Why = j.Delete, "pushed no more: let go"
			if j.Delete {
				w.Why = "pushed no more: deleted"
			}
			return nil
		}
		if push.Paused || !t.PushGroups {
			skip = true
			return nil
		}
		g, err := r.Group(t.Realm, j.Subject)
		if err != nil {
			return err
		}
		w.Pushed, w.Name, w.Why = true, g.Name(), "pushed by name"
		if push.Rule != "" {
			w.Why = "pushed by a rule"
		}
		for m, err := range r.Members(t.Realm, j.Subject, "") {
			if err != nil {
				return err
			}
			accounts = append(accounts, m.ID)
		}
		return nil
	})
	if err != nil || skip || !w.Pushed {
		return w, skip, err
	}
	w.Members, err = e.membersOf(ctx, t, accounts)
	return w, false, err
}

// membersOf returns those of some accounts who are active in an application.
func (e *Engine) membersOf(ctx context.Context, t *Target, accounts []string) ([]Member, error) {
	links := map[string]Link{}
	if len(accounts) > linkByLink {
		for l, err := range e.Store.Links(ctx, t.Realm, t.ID) {
			if err != nil {
				return nil, err
			}
			links[l.Account] = l
		}
	} else {
		for _, id := range accounts {
			l, err := e.Store.Link(ctx, t.Realm, t.ID, id)
			if err != nil {
				return nil, err
			}
			links[id] = l
		}
	}
	out := []Member{}
	for _, id := range accounts {
		if l := links[id]; l.RemoteID != "" && l.Active {
			out = append(out, Member{RemoteID: l.RemoteID, Display: l.UserName})
		}
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.RemoteID, b.RemoteID) })
	return out, nil
}

// linkByLink is up to how many members are looked up one by one.
const linkByLink = 50

// Provision brings one person up to date at once, whether or not he was assigned
// before provisioning was enabled, and returns what was done. Deactivations pass
// by the brake. The error is that of the store; what went wrong at the target is
// in the outcome, and stays queued where that makes sense.
func (e *Engine) Provision(ctx context.Context, realm, app, account string) (Outcome, error) {
	t, err := e.Target(ctx, realm, app)
	if err != nil {
		return Outcome{}, err
	}
	if !t.Enabled {
		return Outcome{}, fault.New(fault.Conflict, "provisioning of this application is switched off").Fix("enable the API integration first")
	}
	now := e.now()
	job := Job{Realm: realm, App: app, Kind: PersonJob, Subject: account, Due: now, Queued: now, Assign: true}
	if err := e.Store.Enqueue(ctx, 0, []Job{job}); err != nil {
		return Outcome{}, err
	}
	release, err := e.take(ctx, claim{realm, app, PersonJob, account})
	if err != nil {
		return Outcome{}, err
	}
	defer release()
	jobs, err := e.Store.Jobs(ctx, JobQuery{Realm: realm, App: app, Kind: PersonJob, Subject: account})
	if err != nil {
		return Outcome{}, err
	}
	if len(jobs) == 1 { // else the queue was faster
		job = jobs[0]
	}
	job.Weight = Heavy // he was named
	o, err := e.person(ctx, t, job)
	if err != nil {
		return o, err
	}
	l := &lane{engine: e, target: t}
	if l.cond, err = e.Store.Condition(ctx, realm, app); err != nil {
		return o, err
	}
	return o, l.settle(ctx, job, o)
}

// Rehearse computes what is to be done about a person without doing it: reads
// are sent, writes are kept back and stand in the outcome.
func (e *Engine) Rehearse(ctx context.Context, t *Target, account string) (Outcome, error) {
	o, _, err := e.rehearse(ctx, t, account)
	return o, err
}

// rehearse is Rehearse, and returns what would be known of the person then.
func (e *Engine) rehearse(ctx context.Context, t *Target, account string) (o Outcome, after Link, err error) {
	link, err := e.Store.Link(ctx, t.Realm, t.ID, account)
	if err != nil {
		return o, link, err
	}
	want, o, err := e.wanted(ctx, t, account)
	if err != nil || o.Err != nil {
		return o, link, err
	}
	session := e.Client.Open(t, account, "dry run")
	defer session.Close(ctx)
	trace := &tracer{Caller: &Rehearsal{Caller: session}}
	s := e.sequence(t, trace, account)
	s.Keep = func(context.Context, Link) error { return nil }
	s.Password = func() string { return "(a random placeholder)" }
	after, o.Op, o.Err = s.Person(ctx, link, want)
	o.Calls = trace.calls
	return o, after, nil
}

// RehearseGroup is Rehearse for a group that is pushed.
func (e *Engine) RehearseGroup(ctx context.Context, t *Target, group string) (Outcome, error) {
	link, err := e.Store.GroupLink(ctx, t.Realm, t.ID, group)
	if err != nil {
		return Outcome{}, err
	}
	want, skip, err := e.groupWant(ctx, t, Job{Realm: t.Realm, App: t.ID, Kind: GroupJob, Subject: group})
	if err != nil || skip {
		return Outcome{Op: OpNone}, err
	}
	known, err := e.Store.Members(ctx, t.Realm, t.ID, group)
	if err != nil {
		return Outcome{}, err
	}
	session := e.Client.Open(t, group, "dry run")
	defer session.Close(ctx)
	trace := &tracer{Caller: &Rehearsal{Caller: session}}
	s := e.sequence(t, trace, "")
	s.KeepGroup = func(context.Context, GroupLink) error { return nil }
	_, op, err := s.Group(ctx, link, known, want)
	return Outcome{Op: op, Calls: trace.calls, Err: err}, nil
}

// Rehearsal is a Caller that sends reads only. Writes get an answer as if they
// had succeeded; what would be created has an id of its own, by which it can be
// read.
type Rehearsal struct {
	Caller  Caller
	created map[string]map[string]any // by path
}

// VirtualID begins the ids of resources that a rehearsal pretends to create.
const VirtualID = "virtual-"

// Call implements Caller.
func (r *Rehearsal) Call(ctx context.Context, c Call) (Answer, error) {
	if !c.Writes() {
		if body, ok := r.created[c.Path]; ok {
			return Answer{Status: http.StatusOK, Body: body}, nil
		}
		return r.Caller.Call(ctx, c)
	}
	if c.Method != http.MethodPost {
		return Answer{Status: http.StatusOK, Body: c.Body}, nil
	}
	body := withoutNil(c.Body)
	id := fmt.Sprintf("%s%d", VirtualID, len(r.created)+1)
	body["id"] = id
	if r.created == nil {
		r.created = map[string]map[string]any{}
	}
	r.created[strings.TrimSuffix(c.Path, "/")+"/"+url.PathEscape(id)] = body
	return Answer{Status: http.StatusCreated, Body: body}, nil
}

// Explain implements Caller.
func (r *Rehearsal) Explain(ctx context.Context, why ...Note) { r.Caller.Explain(ctx, why...) }
