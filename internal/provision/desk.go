package provision

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Desk carries out what administrators ask for: it is behind the commands, here
// and in a process that serves. It is safe for concurrent use.
type Desk struct {
	Settings *Settings
	Engine   *Engine
	Mappings *Mappings
	Actor    directory.Actor // for the change log
}

// Verb is what a Command asks for.
type Verb string

// The verbs.
const (
	ListTargets   Verb = "targets"
	ShowTarget    Verb = "target"
	SetTarget     Verb = "set target"
	RemoveTarget  Verb = "remove target"
	TestTarget    Verb = "test target"
	ShowMapping   Verb = "mapping"
	SetMapping    Verb = "set mapping"
	DeleteMapping Verb = "delete mapping"
	ResetMapping  Verb = "reset mapping"
	ListPushes    Verb = "pushes"
	AddPush       Verb = "add push"
	RemovePush    Verb = "remove push"
	MakePlan      Verb = "plan"
	ProvisionNow  Verb = "now"
	RunQueue      Verb = "run"
	RunImport     Verb = "import"
	ShowStatus    Verb = "status"
	ListDead      Verb = "dead letters"
	ListHeld      Verb = "held"
	ReplayDead    Verb = "replay"
	Lift          Verb = "lift"
	Approve       Verb = "approve"
	Reject        Verb = "reject"
)

// Local reports whether a verb only reads what is kept here: it speaks to no
// target and changes nothing.
func (v Verb) Local() bool {
	switch v {
	case ListTargets, ShowTarget, ShowMapping, ListPushes, ShowStatus, ListDead, ListHeld:
		return true
	}
	return false
}

// Command is something to be done. App is the id or label of an application;
// which other fields count depends on the verb.
type Command struct {
	Do  Verb   `json:"do"`
	App string `json:"app,omitempty"`

	Target     *TargetChange  `json:"target,omitempty"`
	Credential string         `json:"credential,omitempty"` // goes to the vault
	Row        *Row           `json:"row,omitempty"`
	Attribute  string         `json:"attribute,omitempty"` // of a mapping, by name or path
	Group      string         `json:"group,omitempty"`     // id or name; of RemovePush also the name of a rule
	Rule       *PushRule      `json:"rule,omitempty"`
	Remote     bool           `json:"remote,omitempty"` // the group of the application goes too
	Person     string         `json:"person,omitempty"` // login or id
	Subject    string         `json:"subject,omitempty"`
	Wait       bool           `json:"wait,omitempty"`
	Import     *ImportOptions `json:"import,omitempty"`
}

// TargetChange is a change of a target; what is nil stays.
type TargetChange struct {
	Kind            *Kind       `json:"kind,omitempty"`
	BaseURL         *string     `json:"baseUrl,omitempty"`
	Scheme          *Scheme     `json:"scheme,omitempty"`
	Token           *secret.Ref `json:"token,omitempty"`
	ClientID        *string     `json:"clientId,omitempty"`
	TokenURL        *string     `json:"tokenUrl,omitempty"`
	Scopes          *[]string   `json:"scopes,omitempty"`
	AllowPrivate    *bool       `json:"allowPrivate,omitempty"`
	Enabled         *bool       `json:"enabled,omitempty"`
	CreateUsers     *bool       `json:"createUsers,omitempty"`
	UpdateUsers     *bool       `json:"updateUsers,omitempty"`
	DeactivateUsers *bool       `json:"deactivateUsers,omitempty"`
	SetPassword     *bool       `json:"setPassword,omitempty"`
	PushGroups      *bool       `json:"pushGroups,omitempty"`
	UserUpdate      *Method     `json:"userUpdate,omitempty"`
	UserDeactivate  *Method     `json:"userDeactivate,omitempty"`
	GroupUpdate     *Method     `json:"groupUpdate,omitempty"`
	BrakeOff        *bool       `json:"brakeOff,omitempty"`
	BrakeCount      *int        `json:"brakeCount,omitempty"`
	BrakePercent    *int        `json:"brakePercent,omitempty"`
	Concurrency     *int        `json:"concurrency,omitempty"`
}

// apply carries the change out.
func (c *TargetChange) apply(t *Target) {
	if c == nil {
		return
	}
	put(&t.Kind, c.Kind)
	put(&t.BaseURL, c.BaseURL)
	put(&t.Auth.Scheme, c.Scheme)
	put(&t.Auth.Token, c.Token)
	put(&t.Auth.ClientID, c.ClientID)
	put(&t.Auth.TokenURL, c.TokenURL)
	put(&t.Auth.Scopes, c.Scopes)
	put(&t.AllowPrivate, c.AllowPrivate)
	put(&t.Enabled, c.Enabled)
	put(&t.CreateUsers, c.CreateUsers)
	put(&t.UpdateUsers, c.UpdateUsers)
	put(&t.DeactivateUsers, c.DeactivateUsers)
	put(&t.SetPassword, c.SetPassword)
	put(&t.PushGroups, c.PushGroups)
	put(&t.Methods.UserUpdate, c.UserUpdate)
	put(&t.Methods.UserDeactivate, c.UserDeactivate)
	put(&t.Methods.GroupUpdate, c.GroupUpdate)
	put(&t.Brake.Off, c.BrakeOff)
	put(&t.Brake.Count, c.BrakeCount)
	put(&t.Brake.Percent, c.BrakePercent)
	put(&t.Concurrency, c.Concurrency)
}

func put[T any](into, v *T) {
	if v != nil {
		*into = *v
	}
}

// Reply is what came of a Command: those members that its verb fills.
type Reply struct {
	App   string `json:"app,omitempty"`
	Label string `json:"label,omitempty"`

	Targets []TargetView  `json:"targets,omitempty"`
	Notes   []Note        `json:"notes,omitempty"`
	Mapping *MappingView  `json:"mapping,omitempty"`
	Pushes  []PushView    `json:"pushes,omitempty"`
	Rules   []PushRule    `json:"rules,omitempty"`
	Plan    *Plan         `json:"plan,omitempty"`
	Now     *NowReport    `json:"now,omitempty"`
	Run     *Report       `json:"run,omitempty"`
	Import  *ImportReport `json:"import,omitempty"`
	Status  []Status      `json:"status,omitempty"`
	Jobs    []JobView     `json:"jobs,omitempty"`
	Count   int           `json:"count,omitempty"`
}

// TargetView is a target with the label of its application.
type TargetView struct {
	App    string  `json:"app"`
	Label  string  `json:"label"`
	Target *Target `json:"target"`
	Writes Methods `json:"writes"` // with those of its kind
}

// MappingView is a mapping with what is doubtful about it.
type MappingView struct {
	ID       string   `json:"id"`
	Changed  bool     `json:"changed"` // it is not the default one any more
	Rows     Mapping  `json:"rows"`
	Warnings []string `json:"warnings,omitempty"`
}

// PushView is a pushed group with its name.
type PushView struct {
	ID     string    `json:"id"`
	Group  string    `json:"group"`
	Name   string    `json:"name"`
	Rule   string    `json:"rule,omitempty"` // name of the rule that brought it
	Paused bool      `json:"paused,omitempty"`
	Remote string    `json:"remote,omitempty"` // its id in the application
	Pushed time.Time `json:"pushed,omitzero"`
}

// NowReport is what *Provision now* did about a person, with every attribute.
type NowReport struct {
	Person     string        `json:"person"`
	Account    string        `json:"account"`
	Op         Op            `json:"op"`
	Attributes []Resolved    `json:"attributes,omitempty"`
	Calls      []PlannedCall `json:"calls,omitempty"`
	Statuses   []int         `json:"statuses,omitempty"` // of the calls
	Error      string        `json:"error,omitempty"`
}

// Status is how a target is.
type Status struct {
	App       string           `json:"app"`
	Label     string           `json:"label"`
	Enabled   bool             `json:"enabled"`
	Active    int              `json:"active"` // people in the application
	Jobs      map[JobState]int `json:"jobs"`
	Due       time.Time        `json:"due,omitzero"` // of the next job that waits
	Condition Condition        `json:"condition"`
}

// JobView is a job with the name of its subject.
type JobView struct {
	Job
	Name string `json:"name"`
}

// Do carries a command out.
func (d *Desk) Do(ctx context.Context, c Command) (*Reply, error) {
	switch c.Do {
	case ListTargets:
		return d.targets(ctx)
	case ShowStatus:
		return d.status(ctx, c.App)
	}
	do, ok := map[Verb]func(context.Context, Command, *Reply) error{
		ShowTarget: d.showTarget, SetTarget: d.setTarget, RemoveTarget: d.removeTarget, TestTarget: d.testTarget,
		ShowMapping: d.showMapping, SetMapping: d.setMapping, DeleteMapping: d.deleteMapping, ResetMapping: d.resetMapping,
		ListPushes: d.listPushes, AddPush: d.addPush, RemovePush: d.removePush,
		MakePlan: d.plan, ProvisionNow: d.now, RunQueue: d.run, RunImport: d.runImport,
		ListDead: d.listDead, ListHeld: d.listHeld, ReplayDead: d.replay, Lift: d.lift, Approve: d.approve, Reject: d.reject,
	}[c.Do]
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no command %q", string(c.Do))
	}
	app, err := d.Settings.FindApp(ctx, c.App)
	if err != nil {
		return nil, err
	}
	r := &Reply{App: app.ID, Label: app.Label}
	if err := do(ctx, c, r); err != nil {
		return nil, err
	}
	return r, nil
}

// target returns the target of a reply's application.
func (d *Desk) target(ctx context.Context, r *Reply) (*Target, error) {
	t, err := d.Settings.Target(ctx, r.App)
	if fault.Is(err, fault.NotFound) {
		return nil, noTarget(r.App, r.Label)
	}
	return t, err
}

func noTarget(app, label string) error {
	return fault.New(fault.NotFound, "application %q has no target", label).Fix("lanyard provision targets set %s --base-url …", app)
}

func view(t *Target, label string) TargetView { return TargetView{t.ID, label, t, t.Writes()} }

func (d *Desk) targets(ctx context.Context) (*Reply, error) {
	targets, err := d.Settings.Targets(ctx)
	if err != nil {
		return nil, err
	}
	r := &Reply{}
	for _, t := range targets {
		app, err := d.Settings.Directory.App(ctx, t.Realm, t.ID)
		if err != nil {
			return nil, err
		}
		r.Targets = append(r.Targets, view(t, app.Label))
	}
	return r, nil
}

func (d *Desk) showTarget(ctx context.Context, _ Command, r *Reply) error {
	t, err := d.target(ctx, r)
	if err == nil {
		r.Targets = []TargetView{view(t, r.Label)}
	}
	return err
}

func (d *Desk) setTarget(ctx context.Context, c Command, r *Reply) error {
	var credential secret.Value
	if c.Credential != "" {
		credential = secret.NewValue(c.Credential)
	}
	t, notes, err := d.Settings.SetTarget(ctx, d.Actor, r.App, credential, func(t *Target) error {
		c.Target.apply(t)
		return nil
	})
	if err != nil {
		return err
	}
	r.Targets, r.Notes = []TargetView{view(t, r.Label)}, notes
	return d.Engine.Reprobe(ctx, t.Realm, t.ID)
}

func (d *Desk) removeTarget(ctx context.Context, _ Command, r *Reply) error {
	if _, err := d.target(ctx, r); err != nil {
		return err
	}
	return d.Settings.DeleteTarget(ctx, d.Actor, r.App)
}

// testTarget is "Test API Credentials".
func (d *Desk) testTarget(ctx context.Context, _ Command, r *Reply) error {
	t, err := d.target(ctx, r)
	if err != nil {
		return err
	}
	r.Targets = []TargetView{view(t, r.Label)}
	return Unreached(d.Engine.TestCredentials(ctx, t))
}

func (d *Desk) mapping(m *MappingRecord, r *Reply) {
	r.Mapping = &MappingView{ID: m.ID, Changed: m.Version > 0, Rows: m.Rows, Warnings: m.Rows.Warnings()}
}

func (d *Desk) showMapping(ctx context.Context, _ Command, r *Reply) error {
	m, err := d.Settings.Mapping(ctx, r.App)
	if err == nil {
		d.mapping(m, r)
	}
	return err
}

func (d *Desk) changeMapping(ctx context.Context, r *Reply, change func(Mapping) (Mapping, error)) error {
	m, err := d.Settings.SetMapping(ctx, d.Actor, r.App, change)
	if err == nil {
		d.mapping(m, r)
	}
	return err
}

// setMapping changes a row or adds one. What the command leaves open of a row
// that is there stays.
func (d *Desk) setMapping(ctx context.Context, c Command, r *Reply) error {
	if c.Row == nil {
		return fault.New(fault.Invalid, "no row is given")
	}
	return d.changeMapping(ctx, r, func(m Mapping) (Mapping, error) { return m.Put(m.completed(*c.Row)), nil })
}

// completed fills what is left open of a row: from the row that is there, from
// the default one, or, of a new one, by what it is called.
func (m Mapping) completed(r Row) Row {
	ref := r.Name
	if ref == "" {
		ref = r.Path
	}
	known := m.Find(ref)
	var old Row
	if known >= 0 {
		old = m[known]
	} else if first, err := DefaultMapping(); err == nil && first.Find(ref) >= 0 {
		old = first[first.Find(ref)]
	}
	if r.Path != "" && strings.EqualFold(r.Path, old.Attribute()) {
		r.Path, r.Namespace = old.Path, old.Namespace
	}
	if i := strings.LastIndexByte(r.Path, ':'); i > 0 && r.Namespace == "" { // as PATCH paths name extensions
		r.Namespace, r.Path = r.Path[:i], r.Path[i+1:]
	}
	for _, f := range []struct {
		into *string
		from string
	}{{&r.Name, old.Name}, {&r.Label, old.Label}, {&r.Path, old.Path}, {&r.Namespace, old.Namespace}, {&r.Expression, old.Expression}, {&r.Name, r.Path}, {&r.Path, r.Name}} {
		if *f.into == "" {
			*f.into = f.from
		}
	}
	if r.Apply == "" {
		r.Apply = old.Apply
	}
	if r.Apply == "" {
		r.Apply = ApplyAlways
	}
	return r
}

func (d *Desk) deleteMapping(ctx context.Context, c Command, r *Reply) error {
	return d.changeMapping(ctx, r, func(m Mapping) (Mapping, error) { return m.Remove(c.Attribute) })
}

func (d *Desk) resetMapping(ctx context.Context, _ Command, r *Reply) error {
	return d.changeMapping(ctx, r, func(Mapping) (Mapping, error) { return DefaultMapping() })
}

func (d *Desk) listPushes(ctx context.Context, _ Command, r *Reply) error {
	pushes, err := d.Settings.Pushes(ctx, r.App)
	if err != nil {
		return err
	}
	rules, err := d.Settings.PushRules(ctx, r.App)
	if err != nil {
		return err
	}
	byID := map[string]string{}
	for _, rule := range rules {
		byID[rule.ID] = rule.Name
		r.Rules = append(r.Rules, *rule)
	}
	ids := make([]string, len(pushes))
	for i, p := range pushes {
		ids[i] = p.Group
	}
	names, err := d.Settings.Directory.GroupNames(ctx, d.Settings.Realm, ids)
	if err != nil {
		return err
	}
	links := map[string]GroupLink{}
	for l, err := range d.Engine.Store.GroupLinks(ctx, d.Settings.Realm, r.App) {
		if err != nil {
			return err
		}
		links[l.Group] = l
	}
	for _, p := range pushes {
		l := links[p.Group]
		r.Pushes = append(r.Pushes, PushView{p.ID, p.Group, names[p.Group], byID[p.Rule], p.Paused, l.RemoteID, l.Pushed})
	}
	return nil
}

// group returns the group that a reference means: an id, or a name.
func (d *Desk) group(ctx context.Context, ref string) (*directory.Group, error) {
	g, err := d.Settings.Directory.Group(ctx, d.Settings.Realm, ref)
	if !fault.Is(err, fault.NotFound) {
		return g, err
	}
	found, err := d.Settings.Directory.Groups(ctx, directory.GroupQuery{Realm: d.Settings.Realm, Name: directory.Fold(ref)}, 1, nil)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, directory.NotFound(directory.GroupNoun, ref)
	}
	return found[0], nil
}

func (d *Desk) addPush(ctx context.Context, c Command, r *Reply) error {
	t, err := d.target(ctx, r)
	if err != nil {
		return err
	}
	if !t.PushGroups {
		r.Notes = append(r.Notes, "Push Groups is switched off for this target: nothing is pushed before it is on")
	}
	if c.Rule != nil {
		rule := *c.Rule
		rule.App = r.App
		if _, err := d.Settings.AddPushRule(ctx, d.Actor, rule); err != nil {
			return err
		}
		return d.listPushes(ctx, c, r)
	}
	g, err := d.group(ctx, c.Group)
	if err != nil {
		return err
	}
	if _, err := d.Settings.AddPush(ctx, d.Actor, r.App, g.ID, false); err != nil {
		return err
	}
	return d.listPushes(ctx, c, r)
}

func (d *Desk) removePush(ctx context.Context, c Command, r *Reply) error {
	pushes, err := d.Settings.Pushes(ctx, r.App)
	if err != nil {
		return err
	}
	g, err := d.group(ctx, c.Group)
	if fault.Is(err, fault.NotFound) {
		return d.Settings.RemovePushRule(ctx, d.Actor, r.App, c.Group, c.Remote)
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(pushes, func(p *GroupPush) bool { return p.Group == g.ID })
	if i < 0 {
		return fault.New(fault.NotFound, "group %q is not pushed to application %q", g.Name(), r.Label)
	}
	return d.Settings.RemovePush(ctx, d.Actor, r.App, pushes[i].ID, c.Remote)
}

func (d *Desk) plan(ctx context.Context, _ Command, r *Reply) error {
	t, err := d.target(ctx, r)
	if err == nil {
		r.Plan, err = d.Engine.Plan(ctx, t)
	}
	return err
}

// now brings one person up to date and shows what he is to the application.
func (d *Desk) now(ctx context.Context, c Command, r *Reply) error {
	t, err := d.target(ctx, r)
	if err != nil {
		return err
	}
	account, err := d.Settings.Directory.FindAccount(ctx, t.Realm, c.Person)
	if err != nil {
		return err
	}
	r.Now = &NowReport{Person: account.Login(), Account: account.ID}
	if err := d.resolve(ctx, t, account.ID, r.Now); err != nil {
		return err
	}
	o, err := d.Engine.Provision(ctx, t.Realm, t.ID, account.ID)
	if err != nil {
		return err
	}
	r.Now.Op, r.Now.Calls = o.Op, plannedCalls(o.Calls)
	for i, made := range o.Calls {
		r.Now.Calls[i].Sent = true
		r.Now.Statuses = append(r.Now.Statuses, made.Status)
	}
	if o.Err != nil {
		r.Now.Error = ErrorText(o.Err)
	}
	return nil
}

// resolve shows the attributes of somebody to whom the application is assigned. A
// mapping that fails is told by the outcome.
func (d *Desk) resolve(ctx context.Context, t *Target, account string, into *NowReport) error {
	link, err := d.Engine.Store.Link(ctx, t.Realm, t.ID, account)
	if err != nil {
		return err
	}
	when := Creating
	if link.RemoteID != "" {
		when = Updating
	}
	return d.Settings.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err := personOf(r, t.Realm, t.ID, account)
		if err != nil || !active(p) {
			return err
		}
		resolution, err := d.Mappings.Resolve(r, t, p, when)
		if fault.Is(err, fault.Invalid) {
			return nil
		}
		if err == nil {
			into.Attributes = resolution.Attributes
		}
		return err
	})
}

func (d *Desk) run(ctx context.Context, c Command, r *Reply) error {
	if _, err := d.target(ctx, r); err != nil {
		return err
	}
	if err := d.Engine.Sync(ctx, d.Settings.Realm, r.App); err != nil {
		return err
	}
	report, err := d.Engine.Settle(ctx, c.Wait)
	if err == nil {
		r.Run = &report
	}
	return err
}

func (d *Desk) runImport(ctx context.Context, c Command, r *Reply) error {
	t, err := d.target(ctx, r)
	if err != nil {
		return err
	}
	var o ImportOptions
	if c.Import != nil {
		o = *c.Import
	}
	r.Import, err = d.Engine.Import(ctx, d.Actor, t, o)
	return err
}

// status is that of one application, or of all.
func (d *Desk) status(ctx context.Context, ref string) (*Reply, error) {
	r, err := d.targets(ctx)
	if err != nil {
		return nil, err
	}
	if ref != "" {
		app, err := d.Settings.FindApp(ctx, ref)
		if err != nil {
			return nil, err
		}
		r.Targets = slices.DeleteFunc(r.Targets, func(t TargetView) bool { return t.App != app.ID })
		if len(r.Targets) == 0 {
			return nil, noTarget(app.ID, app.Label)
		}
	}
	for _, t := range r.Targets {
		s := Status{App: t.App, Label: t.Label, Enabled: t.Target.Enabled}
		store, realm := d.Engine.Store, t.Target.Realm
		if s.Jobs, s.Due, err = store.CountJobs(ctx, realm, t.App); err != nil {
			return nil, err
		}
		if s.Active, _, err = store.CountLinks(ctx, realm, t.App, time.Time{}); err != nil {
			return nil, err
		}
		if s.Condition, err = store.Condition(ctx, realm, t.App); err != nil {
			return nil, err
		}
		r.Status = append(r.Status, s)
	}
	r.Targets = nil
	return r, nil
}

func (d *Desk) listDead(ctx context.Context, _ Command, r *Reply) error {
	return d.listJobs(ctx, r, Dead)
}

// listHeld says whose deactivation the brake holds, and why.
func (d *Desk) listHeld(ctx context.Context, _ Command, r *Reply) error {
	c, err := d.Engine.Store.Condition(ctx, d.Settings.Realm, r.App)
	if err != nil {
		return err
	}
	if c.Hold != nil {
		r.Notes = append(r.Notes, Note(c.Hold.Because))
	}
	return d.listJobs(ctx, r, Held)
}

func (d *Desk) listJobs(ctx context.Context, r *Reply, state JobState) error {
	jobs, err := d.Engine.Store.Jobs(ctx, JobQuery{Realm: d.Settings.Realm, App: r.App, State: state})
	if err != nil {
		return err
	}
	names, err := d.names(ctx, jobs)
	for _, j := range jobs {
		r.Jobs = append(r.Jobs, JobView{j, names[j.Subject]})
	}
	return err
}

// names are the logins and group names of the subjects of jobs.
func (d *Desk) names(ctx context.Context, jobs []Job) (map[string]string, error) {
	out := map[string]string{}
	for _, j := range jobs {
		out[j.Subject] = j.Subject // those that are gone
	}
	err := d.Settings.Directory.Store.View(ctx, func(r directory.Reader) error {
		for _, id := range slices.Sorted(maps.Keys(out)) {
			a, err := r.Account(d.Settings.Realm, id)
			if err == nil {
				out[id] = a.Login()
				continue
			}
			g, err := r.Group(d.Settings.Realm, id)
			if err == nil {
				out[id] = g.Name()
				continue
			}
			if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (d *Desk) replay(ctx context.Context, c Command, r *Reply) (err error) {
	subject := c.Subject
	if subject != "" {
		account, err := d.Settings.Directory.FindAccount(ctx, d.Settings.Realm, subject)
		switch {
		case err == nil:
			subject = account.ID
		case !fault.Is(err, fault.NotFound):
			return err
		default:
			if g, err := d.group(ctx, subject); err == nil {
				subject = g.ID
			}
		}
	}
	r.Count, err = d.Engine.Replay(ctx, d.Settings.Realm, r.App, subject)
	return err
}

func (d *Desk) lift(ctx context.Context, _ Command, r *Reply) error {
	if _, err := d.target(ctx, r); err != nil {
		return err
	}
	return d.Engine.Lift(ctx, d.Settings.Realm, r.App)
}

func (d *Desk) approve(ctx context.Context, _ Command, r *Reply) (err error) {
	r.Count, err = d.Engine.Approve(ctx, d.Settings.Realm, r.App)
	return err
}

func (d *Desk) reject(ctx context.Context, _ Command, r *Reply) (err error) {
	r.Count, err = d.Engine.Reject(ctx, d.Settings.Realm, r.App)
	return err
}
