package provision

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Plan is what provisioning an application would do now, to everybody and every
// pushed group, with the calls that it would make.
type Plan struct {
	App    string        `json:"app"`
	Label  string        `json:"label"`
	At     time.Time     `json:"at"`
	People map[Op]int    `json:"people"` // how many; those with OpNone too
	Groups map[Op]int    `json:"groups"`
	Failed int           `json:"failed"` // whose attributes or look-ups failed
	Items  []PlannedItem `json:"items"`  // but those for whom nothing is to be done

	// Held says why the brake would hold the deactivations, "" when it would not.
	Held     string   `json:"held,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // about the target and its mapping
}

// PlannedItem is what would be done about one person or group.
type PlannedItem struct {
	Kind  JobKind       `json:"kind"`
	ID    string        `json:"id"`
	Name  string        `json:"name"` // login, or name of the group
	Op    Op            `json:"op"`
	Calls []PlannedCall `json:"calls,omitempty"`
	Error string        `json:"error,omitempty"`
}

// PlannedCall is a call of a plan. Reads were sent, writes were not.
type PlannedCall struct {
	Method string         `json:"method"`
	Path   string         `json:"path"`
	Query  string         `json:"query,omitempty"`
	Sent   bool           `json:"sent"`
	Body   map[string]any `json:"body,omitempty"`
	Why    []Note         `json:"why,omitempty"`
}

// maxSilent is how many people in a row may go without an answer before a plan
// is given up.
const maxSilent = 3

// Plan computes what would be done about everybody who is assigned to an
// application or linked in it, and about every group that is pushed, without
// writing anything: neither at the target, which is read, nor in the Store. Those
// who would be created count as members of their groups already.
func (e *Engine) Plan(ctx context.Context, t *Target) (*Plan, error) {
	p := &planner{
		engine: &Engine{Directory: e.Directory, Client: e.Client, Mapper: e.Mapper, Log: e.Log, Now: e.Now, Pace: e.Pace},
		target: t,
		plan:   &Plan{App: t.ID, At: e.now(), People: map[Op]int{}, Groups: map[Op]int{}},
	}
	var err error
	if p.overlay, err = newOverlay(ctx, e.Store, t); err != nil {
		return nil, err
	}
	p.engine.Store = p.overlay
	people, groups, err := p.subjects(ctx)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(people, t.workers()) {
		if err := p.people(ctx, some); err != nil {
			return nil, err
		}
	}
	for _, one := range groups {
		if err := p.group(ctx, one); err != nil {
			return nil, err
		}
	}
	if n := p.plan.People[OpDeactivate]; n > 0 {
		linked, _, err := e.Store.CountLinks(ctx, t.Realm, t.ID, p.plan.At)
		if err != nil {
			return nil, err
		}
		p.plan.Held = t.Brake.exceeded(n, linked)
	}
	return p.plan, nil
}

// planner is one dry run.
type planner struct {
	engine  *Engine // its Store is the overlay
	overlay *overlay
	target  *Target
	plan    *Plan
	silent  int // people in a row without an answer
}

// planned is a person or group of a plan.
type planned struct{ id, name string }

// subjects returns who is assigned or linked, by id, and the groups that are
// pushed. It also completes the plan by what is known of the application.
func (p *planner) subjects(ctx context.Context) (people, groups []planned, err error) {
	t := p.target
	ids := map[string]bool{}
	for id := range p.overlay.links {
		ids[id] = true
	}
	err = p.engine.Directory.Store.View(ctx, func(r directory.Reader) error {
		app, err := directory.Get[directory.App](r, t.Realm, t.ID)
		if err != nil {
			return err
		}
		p.plan.Label = app.Label
		mapping, err := mappingOf(r, t.Realm, t.ID)
		if err != nil {
			return err
		}
		p.plan.Warnings = append(t.warnings(), mapping.Rows.Warnings()...)
		users, err := directory.All[directory.AppUser](r, directory.RecordQuery{Realm: t.Realm, Parent: t.ID}, 0, nil)
		if err != nil {
			return err
		}
		for _, u := range users {
			ids[u.Account] = true
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			name := id // somebody who is gone
			a, err := r.Account(t.Realm, id)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if err == nil {
				name = a.Login()
			}
			people = append(people, planned{id, name})
		}
		pushes, err := directory.All[GroupPush](r, directory.RecordQuery{Realm: t.Realm, Parent: t.ID}, 0, nil)
		for _, push := range pushes {
			g, err := r.Group(t.Realm, push.Group)
			if err != nil {
				return err
			}
			groups = append(groups, planned{g.ID, g.Name()})
		}
		return err
	})
	slices.SortFunc(groups, func(a, b planned) int { return strings.Compare(a.id, b.id) })
	return people, groups, err
}

// warnings says what is switched off, and so will not happen.
func (t *Target) warnings() []string {
	var out []string
	for _, s := range []struct {
		on   bool
		text string
	}{
		{t.Enabled, "the API integration is switched off: nothing is sent before it is enabled"},
		{t.CreateUsers, "Create Users is switched off: nobody is created or linked"},
		{t.UpdateUsers, "Update User Attributes is switched off: changed profiles are not sent"},
		{t.DeactivateUsers, "Deactivate Users is switched off: nobody is deactivated"},
	} {
		if !s.on {
			out = append(out, s.text)
		}
	}
	return out
}

// rehearsed is what came of the rehearsal of a person.
type rehearsed struct {
	outcome Outcome
	after   Link
	err     error
}

// people rehearses some people at the same time, while nobody writes to the
// overlay, and then enters them one after the other.
func (p *planner) people(ctx context.Context, some []planned) error {
	results := make([]rehearsed, len(some))
	var group sync.WaitGroup
	for i, one := range some {
		group.Go(func() {
			r := &results[i]
			r.outcome, r.after, r.err = p.engine.rehearse(ctx, p.target, one.id)
		})
	}
	group.Wait()
	for i, one := range some {
		if err := p.person(ctx, one, results[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) person(ctx context.Context, one planned, r rehearsed) error {
	if r.err != nil {
		return r.err
	}
	o, after := r.outcome, r.after
	other, found, err := p.overlay.LinkByRemote(ctx, p.target.Realm, p.target.ID, after.RemoteID)
	if err != nil {
		return err
	}
	if found && other.Account != one.id { // somebody beside him took it over
		if o, after, err = p.engine.rehearse(ctx, p.target, one.id); err != nil {
			return err
		}
	}
	if strings.HasPrefix(after.RemoteID, VirtualID) {
		after.RemoteID = VirtualID + one.id // those of one rehearsal only are different
	}
	p.overlay.put(after)
	if err := p.give(o.Err); err != nil {
		return err
	}
	p.add(PersonJob, one, o, p.plan.People)
	return nil
}

func (p *planner) group(ctx context.Context, one planned) error {
	o, err := p.engine.RehearseGroup(ctx, p.target, one.id)
	if err != nil {
		return err
	}
	if err := p.give(o.Err); err != nil {
		return err
	}
	p.add(GroupJob, one, o, p.plan.Groups)
	return nil
}

// give returns an error that ends the plan: the credential is refused, or nobody
// can be reached.
func (p *planner) give(err error) error {
	var call *CallError
	if !errors.As(err, &call) {
		p.silent = 0
		return nil
	}
	if call.Class == Transient {
		p.silent++
	} else {
		p.silent = 0
	}
	if call.Class == Denied || call.Class == Limited || p.silent >= maxSilent {
		return Unreached(call)
	}
	return nil
}

// Unreached is the fault for a target that could not be spoken to.
func Unreached(err error) error {
	var call *CallError
	if !errors.As(err, &call) {
		return err
	}
	e := fault.Wrap(fault.Unavailable, err, "the target answers: %s", call.Error())
	if call.Class == Denied {
		return e.Fix("check the credential of the target and its base URL")
	}
	if call.Status < 300 || call.Status >= 400 && call.Status < 500 {
		return e.Fix("check the base URL of the target: it is what comes before /Users")
	}
	return e
}

// add enters an outcome into the plan.
func (p *planner) add(kind JobKind, one planned, o Outcome, counts map[Op]int) {
	item := PlannedItem{Kind: kind, ID: one.id, Name: one.name, Op: o.Op}
	if o.Err != nil {
		p.plan.Failed++
		item.Error = ErrorText(o.Err)
	} else {
		counts[o.Op]++
	}
	if o.Op == OpNone && o.Err == nil {
		return
	}
	item.Calls = plannedCalls(o.Calls)
	p.plan.Items = append(p.plan.Items, item)
}

func plannedCalls(made []Made) []PlannedCall {
	out := make([]PlannedCall, len(made))
	for i, m := range made {
		out[i] = PlannedCall{Method: m.Method, Path: m.Path, Query: m.Query, Sent: !m.Writes(), Body: m.Body, Why: m.Why}
	}
	return out
}

// Summary is a plan in one line.
func (p *Plan) Summary() string {
	count := func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	words := []string{}
	for _, op := range []Op{OpCreate, OpLink, OpUpdate, OpDeactivate, OpReactivate} {
		words = append(words, fmt.Sprintf("%d to %s", p.People[op], op))
	}
	groups := 0
	for op, n := range p.Groups {
		if op != OpNone {
			groups += n
		}
	}
	words = append(words, count(groups, "group to push", "groups to push"))
	if p.Failed > 0 {
		words = append(words, count(p.Failed, "failure", "failures"))
	}
	return strings.Join(words, ", ")
}

// overlay is a Store whose links can be changed without changing it, by put. A
// plan writes nothing else.
type overlay struct {
	Store
	links   map[string]Link   // by account
	remotes map[string]string // account by remote id
}

func newOverlay(ctx context.Context, s Store, t *Target) (*overlay, error) {
	o := &overlay{Store: s, links: map[string]Link{}, remotes: map[string]string{}}
	for l, err := range s.Links(ctx, t.Realm, t.ID) {
		if err != nil {
			return nil, err
		}
		o.put(l)
	}
	return o, nil
}

func (o *overlay) put(l Link) {
	if before := o.links[l.Account]; before.RemoteID != "" && before.RemoteID != l.RemoteID {
		delete(o.remotes, before.RemoteID)
	}
	o.links[l.Account] = l
	if l.RemoteID != "" {
		o.remotes[l.RemoteID] = l.Account
	}
}

// Link implements Links.
func (o *overlay) Link(_ context.Context, realm, app, account string) (Link, error) {
	l := o.links[account]
	l.Realm, l.App, l.Account = realm, app, account
	return l, nil
}

// LinkByRemote implements Links.
func (o *overlay) LinkByRemote(_ context.Context, _, _, remoteID string) (Link, bool, error) {
	account, ok := o.remotes[remoteID]
	return o.links[account], ok, nil
}

// Links implements Links.
func (o *overlay) Links(context.Context, string, string) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		for _, account := range slices.Sorted(maps.Keys(o.links)) {
			if !yield(o.links[account], nil) {
				return
			}
		}
	}
}
