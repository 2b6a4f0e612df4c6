package importer

import (
	"context"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// People whose first or last day comes while nobody imports.

// untilAgain is when somebody is looked at again whose day has come, and about whom
// that decided nothing: the session failed or was rejected, or they are held.
const untilAgain = 24 * time.Hour

// enlistDue makes a session of the people whose first or last day has come.
func (im *Importer) enlistDue(ctx context.Context) error {
	now := im.Directory.Now()
	var sources []string
	err := im.Store.View(ctx, func(r Reader) (err error) {
		sources, err = r.ImportsDue(now)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range sources {
		err := im.enlistDueOf(ctx, id, now)
		if hopeless(err) { // the other sources go on
			im.log().Error("people whose day has come wait: their source cannot be used", "source", id, "error", err)
			err = im.putOff(ctx, id, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putOff lets all people of a source wait whose day has come.
func (im *Importer) putOff(ctx context.Context, id string, now time.Time) error {
	for more := true; more; {
		err := im.Store.Update(ctx, func(tx Tx) error {
			var links []Link
			for l, err := range tx.EachImportLink(LinkQuery{Source: id, Kind: UserKind, Due: now, Limit: im.portion()}) {
				if err != nil {
					return err
				}
				l.Due = now.Add(untilAgain)
				links = append(links, l)
			}
			more = len(links) == im.portion()
			return tx.PutImportLinks(links)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// enlistDueOf makes a session of the people of a source who are due, once nothing of it
// is under way: they are looked at behind that.
func (im *Importer) enlistDueOf(ctx context.Context, id string, now time.Time) error {
	return im.Store.Update(ctx, func(tx Tx) error {
		source, err := directory.Get[Source](tx, im.Realm, id)
		if fault.Is(err, fault.NotFound) { // of another realm
			return nil
		}
		if err != nil {
			return err
		}
		active, err := tx.ImportSessions(SessionQuery{Realm: im.Realm, Source: id, States: []State{Triggered}})
		if err != nil || len(active) > 0 {
			return err
		}
		settings, err := im.completed(tx, source)
		if err != nil {
			return err
		}
		rules, err := im.compile(tx, *settings)
		if err != nil {
			return err
		}
		d := &decider{im: im, source: source, rules: rules, now: now}
		due, err := d.due(tx)
		if err != nil {
			return err
		}
		b, links := d.lookAgain(due)
		if err := tx.PutImportLinks(links); err != nil || len(b.Items) == 0 {
			return err
		}
		s := im.newSession(systemActor(), id, Incremental, FromDates)
		s.Rules, s.Blocks = settings, 1
		s.queue(s.Created)
		body, err := b.encode()
		if err != nil {
			return err
		}
		if err := tx.PutImportBlock(s.ID, 1, body); err != nil {
			return err
		}
		return tx.InsertImportSession(s)
	})
}

// due are people whose day has come, with what is known of them.
func (d *decider) due(tx Tx) (due []*decided, err error) {
	for l, err := range tx.EachImportLink(LinkQuery{Source: d.source.ID, Kind: UserKind, Due: d.now, Limit: d.im.portion()}) {
		if err != nil {
			return nil, err
		}
		due = append(due, &decided{link: &l})
	}
	return due, d.links(&world{r: tx}, due)
}

// lookAgain are the records of people who are due, as the source said them last, and
// their links until they are decided about.
func (d *decider) lookAgain(due []*decided) (*block, []Link) {
	b := &block{}
	links := make([]Link, 0, len(due))
	for _, one := range due {
		l := *one.link
		l.Due = time.Time{} // there is nothing to decide
		if p, ok := d.rules.Again(one.link0(), d.now); ok {
			b.Items = append(b.Items, item{Kind: UserKind, Place: l.Place, Person: &p})
			l.Due = d.now.Add(untilAgain)
		}
		if l.State == reconcile.Linked {
			l.Profile = nil // the assignment has it
		}
		links = append(links, l)
	}
	return b, links
}
