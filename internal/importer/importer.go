package importer

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Importer brings people into one realm. The fields are set before first use; it
// is safe for concurrent use after.
type Importer struct {
	Directory *directory.Directory
	Store     Store
	Realm     string
	Log       *slog.Logger // nil: nothing is logged

	Outside Outside // nil: there are no tenants to send to

	atOnce int // people in a block and in a transaction; 0: those of the constants

	gates    gates
	pruned   time.Time // when old sessions were last removed; guarded by the gate carrying
	sending  sendings
	wakeOnce sync.Once
	wake     chan struct{}
}

// Limits of the identity source API (okta.md 3.2).
const (
	MaxRequests = 50              // of bulk loads in a session
	idleLife    = 24 * time.Hour  // of a session that nobody loads
	betweenTwo  = 5 * time.Minute // sessions of a source
	pollEvery   = 500 * time.Millisecond
)

// systemActor is who acts where nobody asked for it.
func systemActor() directory.Actor { return directory.System("import") }

// portion is how many people are kept, decided about and carried out at once:
// others wait that long to write.
func (im *Importer) portion() int {
	if im.atOnce > 0 {
		return im.atOnce
	}
	return itemsInBlock
}

func (im *Importer) log() *slog.Logger {
	if im.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return im.Log
}

func (im *Importer) bell() chan struct{} {
	im.wakeOnce.Do(func() { im.wake = make(chan struct{}, 1) })
	return im.wake
}

// ring tells Serve that there is something to do.
func (im *Importer) ring() {
	select {
	case im.bell() <- struct{}{}:
	default:
	}
}

// Recover ends the sessions whose source was being read when an earlier process
// ended: what was not read is not known, and who reads it begins anew. It also makes
// sure that partial matches find everybody: previews, which write nothing, too. Whoever
// owns the store calls it once, before anything is imported.
func (im *Importer) Recover(ctx context.Context) error {
	if err := im.noteNames(ctx); err != nil {
		return err
	}
	return im.Store.Update(ctx, func(tx Tx) error {
		open, err := tx.ImportSessions(SessionQuery{Realm: im.Realm, States: []State{Created, InProgress}})
		if err != nil {
			return err
		}
		for _, s := range open {
			if !s.reads() {
				continue
			}
			s.Error = "The process ended while the source was being read; nothing was applied."
			s.Remedy = "Start the import again."
			if s.Origin == FromPlan {
				s.Error, s.Remedy = "The process ended while the plan was being read; nothing was applied.", "Apply the plan again."
			}
			if err := im.fail(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteNames has accounts found by name of before names were kept.
func (im *Importer) noteNames(ctx context.Context) error {
	for done := false; !done; {
		err := im.Store.Update(ctx, func(tx Tx) (err error) {
			done, err = tx.NoteNames()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Serve works on triggered sessions, expires those that nobody loads, and looks
// at people whose first or last day has come, until ctx ends. It first goes on
// with what another process left. The clock is the directory's, which may be
// moved, so Serve looks often rather than sleeping until something is due.
func (im *Importer) Serve(ctx context.Context) error {
	pause := pollEvery
	couriers := &couriers{im: im, again: map[string]time.Time{}}
	defer couriers.wait.Wait()
	for {
		stuck, err := im.settle(ctx)
		err = fault.Join(joined(stuck), err, couriers.dispatch(ctx)) // a source that is stuck keeps no tenant waiting
		if err != nil && ctx.Err() == nil {
			pause = min(2*pause, retryAfter) // trying costs as much as doing
			im.log().Error("an import cannot go on; it is tried again", "error", err)
		} else {
			pause = pollEvery
		}
		select {
		case <-ctx.Done():
			return nil
		case <-im.bell():
		case <-time.After(pause):
		}
	}
}

// Settle works until nothing is left to do now, neither here nor in a tenant. A
// session that cannot go on keeps only those of its own source waiting; its error
// is returned at the end.
func (im *Importer) Settle(ctx context.Context) error {
	for {
		stuck, err := im.settle(ctx)
		if err := fault.Join(joined(stuck), err); err != nil {
			return err
		}
		list, err := im.toSend(ctx)
		if err != nil || len(list) == 0 {
			return err
		}
		var errs []error
		for _, s := range list {
			errs = append(errs, im.send(ctx, s.ID))
		}
		if err := fault.Join(errs...); err != nil {
			return err
		}
	}
}

// settle works until nothing is left to do here. What is sent to a tenant takes
// minutes, and other sources do not wait for it. stuck says, by source, whose
// sessions cannot go on.
func (im *Importer) settle(ctx context.Context) (stuck map[string]error, err error) {
	leave, err := im.gates.enter(ctx, carrying)
	if err != nil {
		return nil, err
	}
	defer leave()
	stuck = map[string]error{}
	for {
		if err := im.expire(ctx); err != nil {
			return stuck, err
		}
		if err := im.enlistDue(ctx); err != nil {
			return stuck, err
		}
		s, err := im.next(ctx, stuck)
		if err != nil {
			return stuck, err
		}
		if s == nil {
			return stuck, im.prune(ctx)
		}
		if err := im.drive(ctx, s); err != nil {
			if ctx.Err() != nil {
				return stuck, err
			}
			stuck[s.Source] = err
		}
	}
}

// joined is what keeps sources from going on, as one error.
func joined(stuck map[string]error) error {
	return fault.Join(slices.Collect(maps.Values(stuck))...)
}

// next returns the session to be worked on: the one that was triggered first, of a
// source that nothing else is to be done for before.
func (im *Importer) next(ctx context.Context, stuck map[string]error) (first *Session, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		list, err := r.ImportSessions(SessionQuery{Realm: im.Realm, States: []State{InProgress, Triggered}})
		if err != nil {
			return err
		}
		barred := map[string]bool{} // sources
		firsts := map[string]string{}
		for _, s := range list {
			barred[s.Source] = barred[s.Source] || s.waits()
			if s.First && (s.State == Triggered || im.gates.busy(s.Source)) { // else its process has ended
				firsts[s.Source] = s.ID
			}
		}
		for _, s := range slices.Backward(list) { // the oldest first
			ahead := firsts[s.Source]
			if s.State != Triggered || barred[s.Source] || stuck[s.Source] != nil || ahead != "" && ahead != s.ID {
				continue
			}
			if first == nil || before(s, first) {
				first = s
			}
		}
		return nil
	})
	return first, err
}

// waits reports whether a session waits for a person, or for a tenant.
func (s *Session) waits() bool { return s.Phase == Held || s.Phase == Sending }

// before orders sessions: one that has begun first, then by the time of the trigger.
func before(a, b *Session) bool {
	if (a.Phase == Queued) != (b.Phase == Queued) {
		return a.Phase != Queued
	}
	return a.Queued.Before(b.Queued)
}

// expire ends the sessions that nobody has loaded or triggered for a day.
func (im *Importer) expire(ctx context.Context) error {
	now := im.Directory.Now()
	var lapsed []*Session
	err := im.Store.View(ctx, func(r Reader) error {
		open, err := r.ImportSessions(SessionQuery{Realm: im.Realm, States: []State{Created, InProgress}})
		for _, s := range open {
			if s.lapsed(now) {
				lapsed = append(lapsed, s)
			}
		}
		return err
	})
	if err != nil || len(lapsed) == 0 {
		return err
	}
	return im.Store.Update(ctx, func(tx Tx) error {
		for _, s := range lapsed {
			s, err := tx.ImportSession(s.ID)
			if fault.Is(err, fault.NotFound) { // it was begun anew meanwhile
				continue
			}
			if err != nil {
				return err
			}
			if !s.lapsed(now) { // it was loaded meanwhile
				continue
			}
			if err := im.expireOne(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

func (im *Importer) expireOne(tx Tx, s *Session) error {
	s.lapse()
	if err := im.save(tx, s); err != nil {
		return err
	}
	return im.event(tx, systemActor(), s, "system.import.session.expired", directory.Outcome{})
}

// lapsed reports whether nobody has asked for a session for too long.
func (s *Session) lapsed(now time.Time) bool {
	return (s.State == Created || s.State == InProgress) && !now.Before(s.Updated.Add(idleLife))
}

// lapse ends a session that has lapsed.
func (s *Session) lapse() { s.State, s.Ended = Expired, s.Updated.Add(idleLife) }

// save stores what became of a session that was read in the transaction.
func (im *Importer) save(tx Tx, s *Session) error {
	s.Version++
	return tx.UpdateImportSession(s)
}

// event logs what happened to a session. Its application may be gone: that must keep
// no session from ending.
func (im *Importer) event(tx Tx, actor directory.Actor, s *Session, kind string, outcome directory.Outcome) error {
	about := directory.Target{Type: "AppInstance", ID: s.Source}
	switch app, err := directory.Get[directory.App](tx, im.Realm, s.Source); {
	case err == nil:
		about.AlternateID, about.DisplayName = app.Label, app.Label
	case !fault.Is(err, fault.NotFound):
		return err
	}
	return im.Directory.Log(tx, im.Realm, directory.Event{
		At: im.Directory.Now(), Actor: actor, Kind: kind, Target: s.ID, Outcome: outcome,
		Targets: []directory.Target{{Type: "ImportSession", ID: s.ID}, about},
	}, nil, nil)
}

// The events of the phases of an import, in Okta's order (okta.md 3.3). What Okta
// downloads and makes objects of has come with the requests, or was read, before.
var (
	triggeredEvents = []string{"system.import.session.triggered", "system.import.schedule"}
	startEvents     = []string{
		"system.import.start", "system.import.download.start", "system.import.download.complete", "system.import.object_creation.start",
	}
	matchedEvents  = []string{"system.import.object_creation.complete", "system.import.user_matching.start", "system.import.user_matching.complete"}
	absentEvents   = []string{"system.import.implicit_deletion.start", "system.import.implicit_deletion.complete"}
	completeEvents = []string{
		"system.import.membership_processing.start", "system.import.membership_processing.complete",
		"system.import.user.complete", "system.import.group.complete", "system.import.group_membership.complete", "system.import.complete",
	}
)

// events logs what a session has done.
func (im *Importer) events(tx Tx, actor directory.Actor, s *Session, kinds []string) error {
	for _, kind := range kinds {
		if err := im.event(tx, actor, s, kind, directory.Outcome{}); err != nil {
			return err
		}
	}
	return nil
}

// ownEvent is event while a delta waits to be applied: what the session itself
// logs does not make its delta old.
func (im *Importer) ownEvent(tx Tx, actor directory.Actor, s *Session, kind string, outcome directory.Outcome) error {
	return im.own(tx, s, func() error { return im.event(tx, actor, s, kind, outcome) })
}

// own runs what logs for a session whose delta waits to be applied.
func (im *Importer) own(tx Tx, s *Session, logs func() error) error {
	last, err := tx.LastChange()
	if err != nil {
		return err
	}
	if err := logs(); err != nil || s.Basis != last {
		return err
	}
	s.Basis, err = tx.LastChange()
	return err
}

// compile makes settings ready with the schema of the realm as it is.
func (im *Importer) compile(r Reader, settings reconcile.Settings) (*reconcile.Rules, error) {
	schema, err := im.Directory.UserShape(r, im.Realm)
	if err != nil {
		return nil, err
	}
	return settings.Compile(schema)
}
