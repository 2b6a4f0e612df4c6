package importer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// A draft is a source that is not stored, or not with these settings. Previews and
// explanations look at it as if it were, so that they write nothing.

// draftID is the id of a draft that has no application yet.
const draftID = "draft"

// Drafted returns an importer that sees a draft among the stored sources, and its
// id. One with an empty id has no application yet: it gets the label. The importer
// is good for Preview and Explain only.
func (im *Importer) Drafted(ctx context.Context, label string, draft *Source) (with *Importer, id string, err error) {
	source := *draft
	source.Label, source.Realm = label, im.Realm
	app := &directory.App{Meta: directory.Meta{ID: draftID, Realm: im.Realm, Version: 1}, Name: AppName, Label: label, Status: directory.On, SignOnMode: directory.AutoLogin}
	err = im.Store.View(ctx, func(r Reader) error {
		if _, err := im.compile(r, source.Settings); err != nil || source.ID == "" {
			return err
		}
		if app, err = directory.Get[directory.App](r, im.Realm, source.ID); err != nil {
			return err
		}
		stored, err := im.source(r, source.ID)
		if err == nil {
			source.Version = stored.Version
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	source.ID = cmp.Or(source.ID, draftID)
	source.Version++ // as it will be when it is stored
	store := drafts{Store: im.Store, records: map[directory.Noun]directory.Record{}}
	for noun, object := range map[directory.Noun]any{directory.AppNoun: app, SourceNoun: &source} {
		body, err := json.Marshal(object)
		if err != nil {
			return nil, "", fault.Wrap(fault.Internal, err, "the settings cannot be written")
		}
		store.records[noun] = directory.Record{Realm: im.Realm, Noun: noun, ID: source.ID, Version: source.Version, Body: body}
	}
	return &Importer{Directory: im.Directory, Store: store, Realm: im.Realm, Log: im.Log, Outside: im.Outside, atOnce: im.atOnce}, source.ID, nil
}

// drafts is a Store that has a few records more, or others, than are stored.
type drafts struct {
	Store
	records map[directory.Noun]directory.Record
}

func (d drafts) View(ctx context.Context, f func(Reader) error) error {
	return d.Store.View(ctx, func(r Reader) error { return f(draftReader{r, d.records}) })
}

// Update refuses: a draft is only looked at.
func (d drafts) Update(context.Context, func(Tx) error) error {
	return fault.New(fault.Internal, "a source that is not stored cannot be imported")
}

type draftReader struct {
	Reader
	records map[directory.Noun]directory.Record
}

func (d draftReader) Record(realm string, noun directory.Noun, id string) (*directory.Record, error) {
	if r, ok := d.records[noun]; ok && r.ID == id && r.Realm == realm {
		return &r, nil
	}
	return d.Reader.Record(realm, noun, id)
}

// PreviewDraft is Preview of a draft: nothing is stored, neither the source nor its
// application. The plan says so, and Apply stores what it needs.
func (im *Importer) PreviewDraft(ctx context.Context, label string, draft *Source, rows Rows, o PreviewOptions) (*Plan, error) {
	with, id, err := im.Drafted(ctx, label, draft)
	if err != nil {
		return nil, err
	}
	p, err := with.Preview(ctx, id, rows, o)
	if err != nil {
		return nil, err
	}
	p.Source, p.Label, p.Settings, p.Draft = draft.ID, label, 0, &draft.Settings
	if p.Digest, err = p.digest(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// settled is the plan of a draft for the source that it has become since. A plan is
// not trusted with settings: the source has those of lanyard.yaml by now, or those
// that every file has; with others the plan is stale.
func (im *Importer) settled(ctx context.Context, actor directory.Actor, p *Plan) (*Plan, error) {
	if p.Draft == nil {
		return p, nil
	}
	source, err := im.FindSource(ctx, cmp.Or(p.Source, p.Label))
	settings := reconcile.FileSettings()
	switch {
	case err == nil:
		settings = source.Settings
	case p.Source != "" || !fault.Is(err, fault.NotFound):
		return nil, err
	}
	same, err := Alike(&settings, p.Draft)
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, stalePlan()
	}
	if source == nil {
		if source, err = im.PutSource(ctx, actor, p.Label, &Source{Settings: settings}); err != nil {
			return nil, err
		}
	}
	q := *p
	q.Source, q.Label, q.Settings, q.Draft = source.ID, source.Label, source.Version, nil
	q.Digest, err = q.digest()
	return &q, err
}

// Alike compares settings as they are stored.
func Alike(a, b *reconcile.Settings) (bool, error) {
	one, err := json.Marshal(a)
	if err != nil {
		return false, fault.Wrap(fault.Internal, err, "the settings cannot be written")
	}
	other, err := json.Marshal(b)
	if err != nil {
		return false, fault.Wrap(fault.Internal, err, "the settings cannot be written")
	}
	return bytes.Equal(one, other), nil
}
