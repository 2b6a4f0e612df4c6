package importer

import (
	"context"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// AppName is the kind of application that an identity source is.
const AppName = directory.SourceApp

// Source is an identity source: an application of the realm, whose id it has,
// and what is done with the people that come from it.
type Source struct {
	directory.Meta
	Label    string             `json:"label"` // of the application when the settings were last stored
	Settings reconcile.Settings `json:"settings"`
	From     string             `json:"from,omitempty"` // name of what it is read from in lanyard.yaml; empty: it is only loaded
	To       *reconcile.Target  `json:"to,omitempty"`   // the tenant that its people go to; nil: none
	Keep     int                `json:"keep,omitempty"` // days that its sessions are kept; 0: 30, never less than 7
}

// Place implements directory.Object.
func (s *Source) Place() directory.Place {
	return directory.Place{Noun: SourceNoun, Parent: s.ID}
}

// settingsChanged is what Okta logs when the settings of an application change.
const settingsChanged = "application.lifecycle.update"

// The days that sessions are kept.
const (
	keepDays  = 30
	leastDays = 7 // as Okta's import monitoring (okta.md 3.5)
)

func (s *Source) kept() time.Duration {
	days := s.Keep
	if days == 0 {
		days = keepDays
	}
	return time.Duration(max(days, leastDays)) * 24 * time.Hour
}

// sourceState is what a source is compared with the next time. It changes with
// every session, so the change log does not have it.
type sourceState struct {
	directory.Meta
	Last  *reconcile.Sketch   `json:"last,omitempty"` // of the last accepted session that read the source
	Mode  reconcile.Mode      `json:"mode,omitempty"` // of that session
	At    time.Time           `json:"at,omitzero"`
	Rules *reconcile.Settings `json:"rules,omitempty"` // as completed then
	// Settings is the version of the source that was completed.
	Settings int64 `json:"settings,omitempty"`
}

func (s *sourceState) Place() directory.Place {
	return directory.Place{Noun: directory.ImportStateNoun, Parent: s.ID}
}

// stateOf returns the state of a source, an empty one with version 0 when there
// is none.
func stateOf(r directory.Reader, realm, id string) (*sourceState, error) {
	s, err := directory.Get[sourceState](r, realm, id)
	if fault.Is(err, fault.NotFound) {
		return &sourceState{Meta: directory.Meta{ID: id, Realm: realm}}, nil
	}
	return s, err
}

// completed are the settings of a source, as the headings have completed them when
// it was last read.
func (im *Importer) completed(r directory.Reader, s *Source) (*reconcile.Settings, error) {
	state, err := stateOf(r, im.Realm, s.ID)
	if err != nil || state.Rules == nil || state.Settings != s.Version {
		return &s.Settings, err
	}
	return state.Rules, nil
}

func (im *Importer) putState(tx Tx, s *sourceState) error {
	if s.Version == 0 {
		return im.Directory.PutObject(tx, s)
	}
	return im.Directory.ReplaceObject(tx, s)
}

// Source returns an identity source by its id. *directory.Missing with SourceNoun.
func (im *Importer) Source(ctx context.Context, id string) (s *Source, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		s, err = im.source(r, id)
		return err
	})
	return s, err
}

// source returns a source. An application of the right kind that nobody has made
// settings for has those of Okta.
func (im *Importer) source(r directory.Reader, id string) (*Source, error) {
	s, err := directory.Get[Source](r, im.Realm, id)
	if !fault.Is(err, fault.NotFound) {
		return s, err
	}
	app, err := directory.Get[directory.App](r, im.Realm, id)
	if fault.Is(err, fault.NotFound) || err == nil && app.Name != AppName {
		return nil, directory.NotFound(SourceNoun, id)
	}
	if err != nil {
		return nil, err
	}
	return &Source{Meta: directory.Meta{ID: app.ID, Realm: im.Realm, Created: app.Created, Updated: app.Created}, Label: app.Label, Settings: reconcile.OktaSettings()}, nil
}

// Sources returns all identity sources of the realm.
func (im *Importer) Sources(ctx context.Context) (out []*Source, err error) {
	apps, err := im.Directory.Apps(ctx, directory.AppQuery{Realm: im.Realm}, 0, nil)
	if err != nil {
		return nil, err
	}
	err = im.Store.View(ctx, func(r Reader) error {
		out = nil
		for _, app := range apps {
			s, err := im.source(r, app.ID)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			s.Label = app.Label
			out = append(out, s)
		}
		return nil
	})
	return out, err
}

// FindSource returns an identity source by its id or the label of its application.
// A label that several have is fault.Conflict.
func (im *Importer) FindSource(ctx context.Context, ref string) (*Source, error) {
	all, err := im.Sources(ctx)
	if err != nil {
		return nil, err
	}
	var labelled []*Source
	for _, s := range all {
		switch ref {
		case s.ID:
			return s, nil
		case s.Label:
			labelled = append(labelled, s)
		}
	}
	switch len(labelled) {
	case 0:
		return nil, directory.NotFound(SourceNoun, ref)
	case 1:
		return labelled[0], nil
	}
	return nil, Ambiguous(ref, labelled)
}

// Ambiguous refuses a label that several sources have: which of them is meant is
// not for us to guess.
func Ambiguous(label string, sources []*Source) error {
	ids := make([]string, len(sources))
	for i, s := range sources {
		ids[i] = s.ID
	}
	return fault.New(fault.Conflict, "%d identity sources have the label %q: %s", len(ids), label, strings.Join(ids, ", ")).
		Fix("name one by its id, or give one of them another label")
}

// PutSource stores the settings of an identity source. One with an empty id gets
// the application with the label, which is made when it is missing.
func (im *Importer) PutSource(ctx context.Context, actor directory.Actor, label string, s *Source) (*Source, error) {
	// Settings that cannot be used leave no application behind.
	err := im.Store.View(ctx, func(r Reader) error {
		_, err := im.compile(r, s.Settings)
		return err
	})
	if err != nil {
		return nil, err
	}
	app, err := im.application(ctx, actor, label, s.ID)
	if err == nil && app.SourcesProfiles() != s.Settings.Sourcing.Users { // whoever asks for the application is told
		app, _, err = im.Directory.EditApp(ctx, actor, im.Realm, app.ID, directory.AppEdit{Change: func(a *directory.App) error {
			a.SourceProfiles(s.Settings.Sourcing.Users)
			return nil
		}})
	}
	if err != nil {
		return nil, err
	}
	var out *Source
	err = im.Store.Update(ctx, func(tx Tx) error {
		now := directory.Event{At: im.Directory.Now(), Actor: actor, Kind: settingsChanged, Targets: []directory.Target{{Type: "AppInstance", ID: app.ID, AlternateID: app.Label, DisplayName: app.Label}}}
		next := &Source{Meta: directory.Meta{ID: app.ID, Realm: im.Realm}, Label: app.Label, Settings: s.Settings, From: s.From, To: s.To, Keep: s.Keep}
		out = next
		before, err := directory.Get[Source](tx, im.Realm, app.ID)
		if fault.Is(err, fault.NotFound) {
			return im.Directory.InsertObject(tx, next, now)
		}
		if err != nil {
			return err
		}
		next.Created = before.Created
		if before.Settings.Sourcing != next.Settings.Sourcing { // others may decide from now on, or not any more
			if err := tx.DoubtImportLinks(app.ID); err != nil {
				return err
			}
		}
		return im.Directory.UpdateObject(tx, before, next, now)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// application finds or makes the application of a source.
func (im *Importer) application(ctx context.Context, actor directory.Actor, label, id string) (*directory.App, error) {
	if id != "" {
		app, err := im.Directory.App(ctx, im.Realm, id)
		if fault.Is(err, fault.NotFound) {
			return nil, directory.NotFound(SourceNoun, id)
		}
		return app, err
	}
	apps, err := im.Directory.Apps(ctx, directory.AppQuery{Realm: im.Realm}, 0, func(a *directory.App) bool { return a.Label == label && a.Name == AppName })
	if err != nil {
		return nil, err
	}
	switch len(apps) {
	case 0:
	case 1:
		return apps[0], nil
	default:
		same := make([]*Source, len(apps))
		for i, a := range apps {
			same[i] = &Source{Meta: a.Meta}
		}
		return nil, Ambiguous(label, same)
	}
	app, _, err := im.Directory.CreateApp(ctx, actor, im.Realm, directory.AppDraft{
		Name: AppName, Label: label, SignOnMode: directory.AutoLogin, Activate: true,
		Document: map[string]any{"features": []any{"IMPORT_NEW_USERS", "PROFILE_MASTERING", "IMPORT_PROFILE_UPDATES"}},
	})
	return app, err
}

// RemoveSource forgets the settings and links of a source; its people and
// application stay.
func (im *Importer) RemoveSource(ctx context.Context, actor directory.Actor, id string) error {
	var open []*Session
	err := im.Store.Update(ctx, func(tx Tx) error {
		s, err := im.source(tx, id)
		if err != nil {
			return err
		}
		open, err = tx.ImportSessions(SessionQuery{Realm: im.Realm, Source: id, States: []State{Created, InProgress, Triggered}})
		if err != nil {
			return err
		}
		for _, one := range open {
			one.State, one.Phase, one.Ended = Closed, "", im.Directory.Now()
			if err := im.save(tx, one); err != nil {
				return err
			}
		}
		if err := fault.Join(tx.DoubtImportLinks(id), tx.ForgetImportSource(id)); err != nil {
			return err
		}
		if _, err := tx.DeleteRecords(directory.RecordQuery{Realm: im.Realm, Noun: directory.ImportStateNoun, Parent: id}); err != nil {
			return err
		}
		if s.Version == 0 {
			return nil
		}
		return im.Directory.DeleteObject(tx, s, directory.Event{At: im.Directory.Now(), Actor: actor, Kind: settingsChanged})
	})
	if err != nil {
		return err
	}
	for _, s := range open {
		im.sending.stop(s.ID)
	}
	return nil
}
