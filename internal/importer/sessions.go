package importer

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

func (im *Importer) newSession(actor directory.Actor, source string, t Type, origin Origin) *Session {
	now := im.Directory.Now()
	return &Session{
		ID: im.Directory.IDs.Okta("aps"), Realm: im.Realm, Source: source, Type: t, State: Created, Origin: origin,
		Actor: actor, Created: now, Updated: now, Version: 1,
	}
}

// CreateSession makes a session. Refusals: TooSoon, OneCreated, InactiveSource.
func (im *Importer) CreateSession(ctx context.Context, actor directory.Actor, source string, t Type) (*Session, error) {
	var s *Session
	err := im.Store.Update(ctx, func(tx Tx) error {
		if err := im.open(tx, source); err != nil {
			return err
		}
		active, err := tx.ImportSessions(SessionQuery{Realm: im.Realm, Source: source, States: []State{Created, InProgress, Triggered}})
		if err != nil {
			return err
		}
		now := im.Directory.Now()
		for _, other := range active {
			switch {
			case other.Origin != FromAPI: // of ours, which are limited otherwise
			case other.lapsed(now):
				if err := im.expireOne(tx, other); err != nil {
					return err
				}
			case other.State == Created:
				return OneCreated.fault("the identity source has a session that nothing was loaded into: %s", other.ID)
			case now.Before(other.Created.Add(betweenTwo)):
				return TooSoon.fault("Only one active import session per identity source is allowed to be created every 5 minutes")
			}
		}
		s = im.newSession(actor, source, t, FromAPI)
		if err := tx.InsertImportSession(s); err != nil {
			return err
		}
		return im.event(tx, actor, s, "system.import.session.created", directory.Outcome{})
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open refuses a source that does not exist or is switched off.
func (im *Importer) open(r directory.Reader, source string) error {
	if _, err := im.source(r, source); err != nil {
		return err
	}
	app, err := directory.Get[directory.App](r, im.Realm, source)
	if err != nil {
		return err
	}
	if app.Status != directory.On {
		return InactiveSource.fault("the identity source %q is not active", app.Label)
	}
	return nil
}

// Sessions returns sessions, the newest first.
func (im *Importer) Sessions(ctx context.Context, q SessionQuery) (out []*Session, err error) {
	q.Realm = im.Realm
	now := im.Directory.Now()
	err = im.Store.View(ctx, func(r Reader) error {
		if q.Source != "" {
			if _, err := im.source(r, q.Source); err != nil {
				return err
			}
		}
		out, err = r.ImportSessions(q)
		return err
	})
	for _, s := range out {
		if s.lapsed(now) { // which is about to be stored
			s.lapse()
		}
	}
	if len(q.States) > 0 { // some may just have expired
		out = slices.DeleteFunc(out, func(s *Session) bool { return !slices.Contains(q.States, s.State) })
	}
	return out, err
}

// Session returns a session of a source. *directory.Missing with SourceNoun or SessionNoun.
func (im *Importer) Session(ctx context.Context, source, id string) (s *Session, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		s, err = im.session(r, source, id)
		return err
	})
	return s, err
}

// session returns a session; with a source, only one of that source.
func (im *Importer) session(r Reader, source, id string) (*Session, error) {
	if source != "" {
		if _, err := im.source(r, source); err != nil {
			return nil, err
		}
	}
	s, err := r.ImportSession(id)
	if err != nil {
		return nil, err
	}
	if s.Realm != im.Realm || source != "" && s.Source != source {
		return nil, directory.NotFound(SessionNoun, id)
	}
	if s.lapsed(im.Directory.Now()) {
		s.lapse()
	}
	return s, nil
}

// change changes a session in one transaction.
func (im *Importer) change(ctx context.Context, source, id string, f func(tx Tx, s *Session) error) (*Session, error) {
	var s *Session
	err := im.Store.Update(ctx, func(tx Tx) (err error) {
		if s, err = im.session(tx, source, id); err != nil {
			return err
		}
		if err := f(tx, s); err != nil {
			return err
		}
		return im.save(tx, s)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// CancelSession closes a session that was not triggered. Refusal: NotCancelable.
func (im *Importer) CancelSession(ctx context.Context, actor directory.Actor, source, id string) error {
	_, err := im.change(ctx, source, id, func(tx Tx, s *Session) error {
		if s.State != Created && s.State != InProgress {
			return NotCancelable.fault("a session that is %s cannot be cancelled", s.State).Fix("lanyard import show %s tells what it did", s.ID)
		}
		s.State, s.Ended = Closed, im.Directory.Now()
		return im.event(tx, actor, s, "system.import.session.cancelled", directory.Outcome{})
	})
	return err
}

// Load adds records to a session. Refusals: NotLoadable, TooManyLoads. A batch
// with nothing effective in it is accepted and leaves the session CREATED.
func (im *Importer) Load(ctx context.Context, actor directory.Actor, source, session string, b Batch) error {
	var s *Session
	return im.Store.Update(ctx, func(tx Tx) (err error) {
		if s, err = im.session(tx, source, session); err != nil {
			return err
		}
		if s.State != Created && s.State != InProgress {
			return NotLoadable.fault("nothing can be loaded into a session that is %s", s.State)
		}
		if s.Requests >= MaxRequests {
			return TooManyLoads.fault("a session takes %d requests", MaxRequests)
		}
		items, effective, err := im.items(tx, source, b)
		if err != nil {
			return err
		}
		s.Requests++
		s.Updated = im.Directory.Now()
		for part := range slices.Chunk(items, im.portion()) {
			body, err := (&block{Items: part}).encode()
			if err != nil {
				return err
			}
			s.Blocks++
			if err := tx.PutImportBlock(s.ID, s.Blocks, body); err != nil {
				return err
			}
		}
		// okta.md 3.2: accepted, and the session stays as it is. What is unknown now may
		// be known by the time that the session is carried out.
		if !effective {
			return im.save(tx, s)
		}
		s.State = InProgress
		for _, kind := range b.kinds() {
			if err := im.event(tx, actor, s, kind, directory.Outcome{}); err != nil {
				return err
			}
		}
		return im.save(tx, s)
	})
}

// kinds are the events that a load logs (event-types.csv).
func (b *Batch) kinds() (out []string) {
	for _, part := range []struct {
		n    int
		kind string
	}{
		{len(b.Users), "bulk_upsert"}, {len(b.DeleteUsers), "bulk_delete"},
		{len(b.Groups), "bulk_group_upsert"}, {len(b.DeleteGroups), "bulk_group_delete"},
		{len(b.Memberships), "bulk_group_membership_upsert"}, {len(b.DeleteMemberships), "bulk_group_membership_delete"},
	} {
		if part.n > 0 {
			out = append(out, "system.identity_sources."+part.kind)
		}
	}
	return out
}

// items are the records of a batch in the order in which they are carried out,
// and whether there is anything in them: who is deleted and was never there is
// nothing (okta.md 3.2).
func (im *Importer) items(r Reader, source string, b Batch) (out []item, effective bool, err error) {
	for _, u := range b.Users {
		out = append(out, item{Kind: UserKind, Person: &reconcile.Person{ExternalID: u.ExternalID, Profile: u.Profile, Presence: reconcile.Present}})
	}
	for _, g := range b.Groups {
		out = append(out, item{Kind: GroupKind, Group: &g})
	}
	for _, m := range b.Memberships {
		out = append(out, m.items(false)...)
	}
	effective = len(out) > 0
	for _, m := range b.DeleteMemberships {
		out = append(out, m.items(true)...)
	}
	for _, id := range b.DeleteGroups {
		out = append(out, item{Kind: GroupKind, Delete: true, Group: &Record{ExternalID: id}})
	}
	for _, id := range b.DeleteUsers {
		out = append(out, deletion(id))
	}
	if effective {
		return out, true, nil
	}
	for kind, ids := range map[Kind][]string{UserKind: b.DeleteUsers, GroupKind: append(groupsOf(b.DeleteMemberships), b.DeleteGroups...)} {
		links, err := r.ImportLinks(source, kind, ids)
		if err != nil {
			return nil, false, err
		}
		effective = effective || len(links) > 0
	}
	return out, effective, nil
}

func deletion(id string) item {
	return item{Kind: UserKind, Delete: true, Person: &reconcile.Person{ExternalID: id, Presence: reconcile.Leaving}}
}

func (m *Membership) items(remove bool) (out []item) {
	for _, member := range m.Members {
		out = append(out, item{Kind: MembershipKind, Delete: remove, Group: &Record{ExternalID: m.Group}, Member: member})
	}
	return out
}

func groupsOf(list []Membership) (out []string) {
	for _, m := range list {
		out = append(out, m.Group)
	}
	return out
}

// Trigger queues a session. Refusal: NotTriggerable.
func (im *Importer) Trigger(ctx context.Context, actor directory.Actor, source, session string) (*Session, error) {
	s, err := im.change(ctx, source, session, func(tx Tx, s *Session) error {
		if s.State != InProgress {
			return NotTriggerable.fault("a session that is %s cannot be triggered", s.State)
		}
		if err := im.open(tx, s.Source); err != nil {
			return err
		}
		s.queue(im.Directory.Now())
		return im.events(tx, actor, s, triggeredEvents)
	})
	if err == nil {
		im.ring()
	}
	return s, err
}

func (s *Session) queue(now time.Time) {
	s.State, s.Phase, s.Queued, s.Updated = Triggered, Queued, now, now
}

// Approve lets a session that is held go on, this once. Refusal: NotHeld.
func (im *Importer) Approve(ctx context.Context, actor directory.Actor, session, reason string) (*Session, error) {
	s, err := im.change(ctx, "", session, func(tx Tx, s *Session) error {
		if err := s.answer(actor, true, reason, im.Directory.Now()); err != nil {
			return err
		}
		last, err := tx.LastChange()
		if err != nil {
			return err
		}
		// A delta whose basis has changed is made again, and held again if it is worse.
		// So is one in which days count: some may have come since.
		if s.Phase, err = im.accepted(tx, s); err != nil {
			return err
		}
		if last != s.Basis || s.dated() {
			s.Phase, s.AsOf = Matching, im.Directory.Now()
		}
		return im.ownEvent(tx, actor, s, "system.import.roadblock.resume", directory.Outcome{Reason: reason})
	})
	if err == nil {
		im.ring()
	}
	return s, err
}

// dated reports whether days in the source decide about people.
func (s *Session) dated() bool {
	return s.Origin == FromDates || s.Rules != nil && (s.Rules.Starts.From != "" || s.Rules.Ends.From != "")
}

// Reject closes a session that is held; nothing of it is applied. Refusal: NotHeld.
func (im *Importer) Reject(ctx context.Context, actor directory.Actor, session, reason string) (*Session, error) {
	s, err := im.change(ctx, "", session, func(tx Tx, s *Session) error {
		now := im.Directory.Now()
		if err := s.answer(actor, false, reason, now); err != nil {
			return err
		}
		s.State, s.Phase, s.Ended = Closed, "", now
		return im.event(tx, actor, s, "system.import.roadblock.reschedule_and_resume", directory.Outcome{Reason: reason})
	})
	if err == nil {
		im.ring() // the next session of the source
	}
	return s, err
}

func (s *Session) answer(actor directory.Actor, approved bool, reason string, now time.Time) error {
	if s.State != Triggered || s.Phase != Held {
		return NotHeld.fault("the session is not held: it is %s", s.State).Fix("lanyard import show %s tells what it did", s.ID)
	}
	s.Approval = &Approval{Approved: approved, Actor: actor, At: now, Reason: reason}
	if approved {
		for _, r := range s.Holds {
			s.Approval.Allowed = append(s.Approval.Allowed, reconcile.Allowance{Code: r.Code, Count: r.Count})
		}
	}
	return nil
}

// Report returns what a session did.
func (im *Importer) Report(ctx context.Context, session string) (*Report, error) {
	out := &Report{}
	err := im.Store.View(ctx, func(r Reader) (err error) {
		if out.Session, err = im.session(r, "", session); err != nil {
			return err
		}
		if app, err := directory.Get[directory.App](r, im.Realm, out.Session.Source); err == nil {
			out.Label = app.Label
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
		links, err := r.CountImportLinks(out.Session.Source)
		out.Waiting = links[reconcile.Unconfirmed]
		return err
	})
	if err != nil {
		return nil, err
	}
	s := out.Session
	switch {
	case !s.Ended.IsZero() && !s.Started.IsZero():
		out.Duration = s.Ended.Sub(s.Started)
	case !s.Started.IsZero():
		out.Duration = im.Directory.Now().Sub(s.Started)
	}
	return out, nil
}

// Entities returns what a session did, or would do while it is held, to whom.
func (im *Importer) Entities(ctx context.Context, q EntityQuery) (out []Entity, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		s, err := im.session(r, "", q.Session)
		if err != nil {
			return err
		}
		out, err = r.ImportEntities(q)
		for i := range out {
			out[i].Done = out[i].Seq <= s.Position
		}
		return err
	})
	return out, err
}

// pruneEvery is how often old sessions are looked for.
const pruneEvery = time.Hour

// prune removes the sessions that are over for longer than their source keeps them.
func (im *Importer) prune(ctx context.Context) error {
	now := im.Directory.Now()
	if since := now.Sub(im.pruned); since >= 0 && since < pruneEvery {
		return nil
	}
	im.pruned = now
	var old []string
	err := im.Store.View(ctx, func(r Reader) error {
		list, err := r.ImportSessions(SessionQuery{Realm: im.Realm, States: []State{Completed, Closed, Expired, Failed}})
		if err != nil {
			return err
		}
		kept := map[string]*Source{}
		for _, s := range list {
			if kept[s.Source] == nil {
				if kept[s.Source], err = im.source(r, s.Source); fault.Is(err, fault.NotFound) {
					kept[s.Source], err = &Source{}, nil
				}
				if err != nil {
					return err
				}
			}
			if now.After(s.Ended.Add(kept[s.Source].kept())) {
				old = append(old, s.ID)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range old {
		if err := im.forgetEntities(ctx, id); err != nil {
			return err
		}
		if err := im.Store.Update(ctx, func(tx Tx) error { return tx.DeleteImportSession(id) }); err != nil {
			return err
		}
	}
	return nil
}
