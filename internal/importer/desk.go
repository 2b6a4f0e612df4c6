package importer

import (
	"cmp"
	"context"
	"iter"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Desk carries out what administrators ask for: it is behind the commands, here
// and in a process that serves. It is safe for concurrent use.
type Desk struct {
	Importer *Importer
	Actor    directory.Actor
	// Read opens what a source is read from by its name in the settings, or from
	// what the command gives.
	Read func(ctx context.Context, source *Source, c Command) (Rows, error)
}

// Verb is what a Command asks for.
type Verb string

// The verbs.
const (
	ListSources  Verb = "sources"
	ShowSource   Verb = "source"
	SetSource    Verb = "set source"
	RemoveSource Verb = "remove source"
	RunImport    Verb = "run"
	MakePreview  Verb = "preview"
	ApplyPlan    Verb = "apply"
	ListSessions Verb = "sessions"
	ShowSession  Verb = "session"
	ShowReport   Verb = "report"
	ListEntities Verb = "entities"
	Download     Verb = "download"
	Approve      Verb = "approve"
	Reject       Verb = "reject"
	Cancel       Verb = "cancel"
	ListWaiting  Verb = "waiting"
	Confirm      Verb = "confirm"
	ExplainUser  Verb = "explain"
)

// Command is something to be done. Source is the id or label of an identity
// source; which other fields count depends on the verb.
type Command struct {
	Do      Verb   `json:"do"`
	Source  string `json:"source,omitempty"`
	Session string `json:"session,omitempty"`

	Label    string              `json:"label,omitempty"` // of SetSource: of the application
	Settings *reconcile.Settings `json:"settings,omitempty"`

	From     string         `json:"from,omitempty"`    // of RunImport, MakePreview, ExplainUser: instead of the source's own
	Sandbox  bool           `json:"sandbox,omitempty"` // of those: nothing leaves this machine
	Keep     int            `json:"keep,omitempty"`    // of SetSource: days that sessions are kept
	Run      RunOptions     `json:"run,omitzero"`
	Plan     *Plan          `json:"-"` // of ApplyPlan; whoever asks closes it
	Sessions *SessionQuery  `json:"sessions,omitempty"`
	Entities *EntityQuery   `json:"entities,omitempty"`
	Format   DownloadFormat `json:"format,omitempty"` // of Download
	Reason   string         `json:"reason,omitempty"` // of Approve, Reject and Cancel
	Person   string         `json:"person,omitempty"` // of Confirm: externalId; of ExplainUser: externalId, login or id
	Answer   Answer         `json:"answer,omitempty"` // of Confirm
	Bulk     *Bulk          `json:"bulk,omitempty"`   // of Confirm: instead of Person and Answer
	Account  string         `json:"account,omitempty"`

	Actor *directory.Actor `json:"-"` // who asks for it; nil: the Desk's
	// Draft is what MakePreview and ExplainUser look at instead of a stored source;
	// its label is Label.
	Draft *Source `json:"-"`
}

// DownloadFormat is the form of a report that is downloaded.
type DownloadFormat string

// The formats.
const (
	CSV  DownloadFormat = "csv"
	JSON DownloadFormat = "json"
)

// Answer says who somebody is who waits to be confirmed.
type Answer string

// The answers.
const (
	IsAccount Answer = "account" // the account that is named
	IsNew     Answer = "new"
	IsIgnored Answer = "ignore"
)

// Reply is what came of a Command: those members that its verb fills.
type Reply struct {
	Source *Source `json:"source,omitempty"`
	Label  string  `json:"label,omitempty"`

	Sources   []SourceView `json:"sources,omitempty"`
	Session   *Session     `json:"session,omitempty"`
	Sessions  []*Session   `json:"sessions,omitempty"`
	Report    *Report      `json:"report,omitempty"`
	Entities  []Entity     `json:"entities,omitempty"`
	Waiting   []Waiting    `json:"waiting,omitempty"`
	Confirmed *Confirmed   `json:"confirmed,omitempty"` // of Confirm with Bulk
	Trace     *Trace       `json:"trace,omitempty"`
	Count     int          `json:"count,omitempty"`

	// Of MakePreview, to be closed.
	Plan *Plan `json:"-"`
	// Of Download: the report, which is read from the store, or from the process
	// that serves, while it is ranged over, and once.
	Pieces iter.Seq2[[]byte, error] `json:"-"`
}

// SourceView is an identity source as lists show it.
type SourceView struct {
	*Source
	Label   string   `json:"label"`
	Active  bool     `json:"active"`
	People  int      `json:"people"`  // linked
	Waiting int      `json:"waiting"` // to be confirmed
	Last    *Session `json:"last,omitempty"`
}

// Waiting is somebody of a source who waits to be confirmed.
type Waiting struct {
	ExternalID string         `json:"externalId"`
	Name       string         `json:"name"`
	Profile    map[string]any `json:"profile"`
	Reason     string         `json:"reason"`
	Account    string         `json:"account,omitempty"` // whom the match found
	Login      string         `json:"login,omitempty"`
}

// Do carries a command out.
func (d *Desk) Do(ctx context.Context, c Command) (*Reply, error) {
	if c.Actor != nil {
		d = &Desk{Importer: d.Importer, Actor: *c.Actor, Read: d.Read}
	}
	r := &Reply{}
	do, ok := map[Verb]func(context.Context, Command, *Reply) error{
		ListSources: d.sources, SetSource: d.setSource,
		ListSessions: d.sessions, ShowSession: d.session, ShowReport: d.report, ListEntities: d.entities, Download: d.download,
		Approve: d.approve, Reject: d.reject, Cancel: d.cancel, ApplyPlan: d.apply,
	}[c.Do]
	if ok {
		return r, do(ctx, c, r)
	}
	do, ok = map[Verb]func(context.Context, Command, *Reply) error{
		ShowSource: d.show, RemoveSource: d.remove, RunImport: d.run, MakePreview: d.preview,
		ListWaiting: d.waiting, Confirm: d.confirm, ExplainUser: d.explain,
	}[c.Do]
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no command %q", string(c.Do))
	}
	if c.Draft != nil && (c.Do == MakePreview || c.Do == ExplainUser) {
		r.Source, r.Label = c.Draft, c.Label
		return r, do(ctx, c, r)
	}
	source, err := d.Importer.FindSource(ctx, c.Source)
	if err != nil {
		return nil, err
	}
	r.Source, r.Label = source, source.Label
	return r, do(ctx, c, r)
}

func (d *Desk) sources(ctx context.Context, _ Command, r *Reply) error {
	all, err := d.Importer.Sources(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		view, err := d.view(ctx, s)
		if err != nil {
			return err
		}
		r.Sources = append(r.Sources, *view)
	}
	return nil
}

func (d *Desk) view(ctx context.Context, s *Source) (*SourceView, error) {
	app, err := d.Importer.Directory.App(ctx, d.Importer.Realm, s.ID)
	if err != nil {
		return nil, err
	}
	v := &SourceView{Source: s, Label: app.Label, Active: app.Status == directory.On}
	err = d.Importer.Store.View(ctx, func(r Reader) error {
		links, err := r.CountImportLinks(s.ID)
		v.People, v.Waiting = links[reconcile.Linked], links[reconcile.Unconfirmed]
		return err
	})
	if err != nil {
		return nil, err
	}
	last, err := d.Importer.Sessions(ctx, SessionQuery{Source: s.ID, Limit: 1})
	if len(last) > 0 {
		v.Last = last[0]
	}
	return v, err
}

func (d *Desk) show(ctx context.Context, _ Command, r *Reply) error {
	v, err := d.view(ctx, r.Source)
	if err == nil {
		r.Sources = []SourceView{*v}
	}
	return err
}

// setSource stores settings: of the source that is named, or of a new one with
// that label.
func (d *Desk) setSource(ctx context.Context, c Command, r *Reply) error {
	next := &Source{Settings: reconcile.FileSettings()}
	known, err := d.Importer.FindSource(ctx, cmp.Or(c.Source, c.Label))
	switch {
	case err == nil:
		*next = *known
	case !fault.Is(err, fault.NotFound):
		return err
	case c.Settings == nil && c.Keep != 0: // a name that was mistyped makes no source
		return fault.New(fault.NotFound, "there is no identity source %q", cmp.Or(c.Source, c.Label)).Fix("name one that is there, or give the settings of a new one")
	}
	if c.Settings != nil {
		next.Settings = *c.Settings
	}
	if c.From != "" {
		next.From = c.From
	}
	if c.Keep != 0 {
		next.Keep = c.Keep
	}
	r.Source, err = d.Importer.PutSource(ctx, d.Actor, cmp.Or(c.Label, c.Source), next)
	if err == nil {
		r.Label = r.Source.Label
	}
	return err
}

func (d *Desk) remove(ctx context.Context, _ Command, r *Reply) error {
	return d.Importer.RemoveSource(ctx, d.Actor, r.Source.ID)
}

// rows opens what a source is read from.
func (d *Desk) rows(ctx context.Context, c Command, r *Reply) (Rows, error) {
	if d.Read == nil || c.From == "" && r.Source.From == "" {
		return nil, fault.New(fault.Usage, "the source %q is not read from anywhere", r.Label).Fix("name a file, or write imports: in lanyard.yaml")
	}
	return d.Read(ctx, r.Source, c)
}

func (d *Desk) run(ctx context.Context, c Command, r *Reply) error {
	rows, err := d.rows(ctx, c, r)
	if err != nil {
		return err
	}
	r.Session, err = d.Importer.Run(ctx, d.Actor, r.Source.ID, rows, c.Run)
	return err
}

func (d *Desk) preview(ctx context.Context, c Command, r *Reply) error {
	rows, err := d.rows(ctx, c, r)
	if err != nil {
		return err
	}
	o := PreviewOptions{Type: c.Run.Type}
	if c.Draft != nil {
		r.Plan, err = d.Importer.PreviewDraft(ctx, c.Label, c.Draft, rows, o)
		return err
	}
	r.Plan, err = d.Importer.Preview(ctx, r.Source.ID, rows, o)
	return err
}

func (d *Desk) apply(ctx context.Context, c Command, r *Reply) (err error) {
	if c.Plan == nil {
		return fault.New(fault.Usage, "there is no plan to apply")
	}
	r.Session, err = d.Importer.Apply(ctx, d.Actor, c.Plan)
	return err
}

func (d *Desk) sessions(ctx context.Context, c Command, r *Reply) (err error) {
	var q SessionQuery
	if c.Sessions != nil {
		q = *c.Sessions
	}
	if c.Source != "" {
		source, err := d.Importer.FindSource(ctx, c.Source)
		if err != nil {
			return err
		}
		q.Source = source.ID
	}
	r.Sessions, err = d.Importer.Sessions(ctx, q)
	return err
}

func (d *Desk) session(ctx context.Context, c Command, r *Reply) (err error) {
	r.Session, err = d.Importer.Session(ctx, "", c.Session)
	return err
}

func (d *Desk) report(ctx context.Context, c Command, r *Reply) (err error) {
	r.Report, err = d.Importer.Report(ctx, c.Session)
	return err
}

func (d *Desk) entities(ctx context.Context, c Command, r *Reply) (err error) {
	q := EntityQuery{}
	if c.Entities != nil {
		q = *c.Entities
	}
	q.Session = cmp.Or(c.Session, q.Session)
	if r.Entities, err = d.Importer.Entities(ctx, q); err != nil {
		return err
	}
	return d.Importer.Store.View(ctx, func(reader Reader) error {
		r.Count, err = reader.CountImportEntities(q)
		return err
	})
}

func (d *Desk) download(ctx context.Context, c Command, r *Reply) error {
	if c.Format != CSV && c.Format != JSON && c.Format != "" {
		return fault.New(fault.Usage, "there is no format %q: csv or json", string(c.Format))
	}
	if _, err := d.Importer.Session(ctx, "", c.Session); err != nil {
		return err
	}
	r.Pieces = d.Importer.Download(ctx, c.Session, c.Format)
	return nil
}

// approve also goes on with the session, so that it works where nothing serves.
func (d *Desk) approve(ctx context.Context, c Command, r *Reply) (err error) {
	s, err := d.Importer.Approve(ctx, d.Actor, c.Session, c.Reason)
	if err != nil {
		return err
	}
	r.Session, err = d.Importer.wait(ctx, s)
	return err
}

func (d *Desk) reject(ctx context.Context, c Command, r *Reply) (err error) {
	r.Session, err = d.Importer.Reject(ctx, d.Actor, c.Session, c.Reason)
	return err
}

// cancel also rejects what is held: people call both the same.
func (d *Desk) cancel(ctx context.Context, c Command, r *Reply) error {
	s, err := d.Importer.Session(ctx, "", c.Session)
	if err != nil {
		return err
	}
	switch s.Phase {
	case Held:
		return d.reject(ctx, c, r)
	case Sending:
		if err := d.Importer.stopSending(ctx, d.Actor, s.ID); err != nil {
			return err
		}
		return d.session(ctx, c, r)
	}
	if err := d.Importer.CancelSession(ctx, d.Actor, s.Source, s.ID); err != nil {
		return err
	}
	return d.session(ctx, c, r)
}

func (d *Desk) waiting(ctx context.Context, _ Command, r *Reply) (err error) {
	r.Waiting, err = d.Importer.Waiting(ctx, r.Source.ID, "", 0)
	return err
}

func (d *Desk) confirm(ctx context.Context, c Command, r *Reply) (err error) {
	if c.Bulk != nil {
		r.Confirmed, err = d.Importer.ConfirmAll(ctx, d.Actor, r.Source.ID, *c.Bulk)
		return err
	}
	return d.Importer.Confirm(ctx, d.Actor, r.Source.ID, c.Person, c.Answer, c.Account)
}

func (d *Desk) explain(ctx context.Context, c Command, r *Reply) error {
	var rows Rows
	if d.Read != nil && (c.From != "" || r.Source.From != "") {
		var err error
		if rows, err = d.rows(ctx, c, r); err != nil {
			return err
		}
	}
	im, id := d.Importer, r.Source.ID
	if c.Draft != nil {
		var err error
		if im, id, err = d.Importer.Drafted(ctx, c.Label, c.Draft); err != nil {
			return err
		}
	}
	var err error
	r.Trace, err = im.Explain(ctx, id, c.Person, rows)
	return err
}
