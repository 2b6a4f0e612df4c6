package importer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// How a triggered session is carried out. Each phase ends with a transaction that
// says so; one that is cut off begins again, but for Applying, which goes on
// behind the last person that was applied.

// The numbers of the blocks that hold figures instead of records.
const (
	loadedTally = 0
	deltaTally  = -1
)

// drive carries a session through its phases, until it is over or held.
func (im *Importer) drive(ctx context.Context, s *Session) error {
	for s.State == Triggered && !s.waits() {
		next, err := im.advance(ctx, s)
		if err != nil {
			if !hopeless(err) || ctx.Err() != nil {
				return err
			}
			return im.giveUp(ctx, s.ID, err)
		}
		s = next
	}
	return nil
}

// hopeless reports whether an error will be the same the next time: settings that
// cannot be used, a source that is gone.
func hopeless(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Stale, fault.Conflict, fault.Unsupported:
		return true
	}
	return false
}

// giveUp ends a session with an error, unless it has ended otherwise meanwhile.
func (im *Importer) giveUp(ctx context.Context, id string, cause error) error {
	return im.Store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		s, err := im.session(tx, "", id)
		if err != nil || !s.State.Active() {
			return err
		}
		s.Error, s.Stale = fault.Public(cause), fault.Is(cause, fault.Stale)
		if f := (*fault.Error)(nil); errors.As(cause, &f) {
			s.Remedy = f.Remedy
		}
		return im.fail(tx, s)
	})
}

// fail ends a session that has an error.
func (im *Importer) fail(tx Tx, s *Session) error {
	s.State, s.Phase, s.Ended = Failed, "", im.Directory.Now()
	if err := im.event(tx, systemActor(), s, "system.import.complete", directory.Outcome{Result: "FAILURE", Reason: s.Error}); err != nil {
		return err
	}
	return im.save(tx, s)
}

// proceed is change for a session that is being carried out. One that has ended
// meanwhile, because its source was removed, stays as it is.
func (im *Importer) proceed(ctx context.Context, id string, f func(tx Tx, s *Session) error) (*Session, error) {
	return im.change(ctx, "", id, func(tx Tx, s *Session) error {
		if s.State != Triggered {
			return nil
		}
		return f(tx, s)
	})
}

// advance does what the phase of a session asks for.
func (im *Importer) advance(ctx context.Context, s *Session) (*Session, error) {
	switch s.Phase {
	case Matching:
		return im.match(ctx, s)
	case Guarding:
		return im.guard(ctx, s)
	case Applying:
		return im.apply(ctx, s)
	}
	return im.proceed(ctx, s.ID, func(tx Tx, s *Session) error {
		s.Phase, s.Started = Matching, im.Directory.Now()
		s.AsOf = s.Started
		return im.events(tx, systemActor(), s, startEvents)
	})
}

// match makes the delta of a session. That of a plan has to be the plan: this is
// looked at before, and again when somebody has changed something meanwhile.
func (im *Importer) match(ctx context.Context, s *Session) (*Session, error) {
	basis, err := im.lastChange(ctx)
	if err != nil {
		return s, err
	}
	if s.Origin != FromPlan {
		return im.makeDelta(ctx, s, basis)
	}
	if err := im.recheck(ctx, s); err != nil {
		return s, err
	}
	next, err := im.makeDelta(ctx, s, basis)
	if err != nil {
		return s, err
	}
	after, err := im.lastChange(ctx)
	if err != nil || after == next.Basis {
		return next, err
	}
	return next, im.recheck(ctx, next)
}

// lastChange is the number of the newest entry of the change log.
func (im *Importer) lastChange(ctx context.Context) (last int64, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		last, err = r.LastChange()
		return err
	})
	return last, err
}

// decider returns what decides about the records of a session.
func (im *Importer) decider(r Reader, s *Session) (*decider, error) {
	source, err := im.source(r, s.Source)
	if err != nil {
		return nil, err
	}
	settings := s.Rules
	if settings == nil {
		if settings, err = im.completed(r, source); err != nil {
			return nil, err
		}
	}
	rules, err := im.compile(r, *settings)
	if err != nil {
		return nil, err
	}
	now := s.AsOf
	if now.IsZero() {
		now = im.Directory.Now()
	}
	return &decider{im: im, source: source, rules: rules, now: now}, nil
}

// makeDelta makes and keeps the delta of a session. basis is the number of a change
// that was the newest not long before.
func (im *Importer) makeDelta(ctx context.Context, s *Session, basis int64) (*Session, error) {
	l, err := im.figures(ctx, s)
	if err != nil {
		return s, err
	}
	ahead := &ahead{im: im, session: s.ID, last: s.Blocks}
	defer ahead.stop()
	d, err := im.newDelta(ctx, s, l, ahead.block)
	if err != nil {
		return s, err
	}
	if err := im.forgetEntities(ctx, s.ID); err != nil {
		return s, err
	}
	keep := &keeper{im: im, session: s.ID}
	defer func() { _ = keep.wait() }() // the first error is the one to report
	d.sink = keep.keep
	if err := d.make(ctx); err != nil {
		return s, err
	}
	if err := keep.wait(); err != nil {
		return s, err
	}
	figures, err := deflated(d.tally)
	if err != nil {
		return s, err
	}
	return im.proceed(ctx, s.ID, func(tx Tx, s *Session) error {
		s.Phase, s.Counts, s.Total, s.Position, s.Basis = Guarding, d.counts, d.seq, 0, basis
		return tx.PutImportBlock(s.ID, deltaTally, figures)
	})
}

// deleteAtOnce is how many entities are removed in a transaction: others wait that
// long to write.
const deleteAtOnce = 10000

// forgetEntities removes what was decided in a session.
func (im *Importer) forgetEntities(ctx context.Context, session string) error {
	for more := true; more; {
		err := im.Store.Update(ctx, func(tx Tx) (err error) {
			more, err = tx.DeleteImportEntities(session, deleteAtOnce)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reads reports whether the session is of a source that was read to its end.
func (s *Session) reads() bool { return s.Origin == FromReader || s.Origin == FromPlan }

// figures returns what was counted while a session was loaded.
func (im *Importer) figures(ctx context.Context, s *Session) (*loaded, error) {
	l := &loaded{}
	err := im.Store.View(ctx, func(r Reader) error {
		body, err := r.ImportBlock(s.ID, loadedTally)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return inflate(body, l)
	})
	return l, err
}

func (im *Importer) block(ctx context.Context, session string, seq int) (*block, error) {
	var body []byte
	err := im.Store.View(ctx, func(r Reader) (err error) {
		body, err = r.ImportBlock(session, seq)
		return err
	})
	if err != nil {
		return nil, err
	}
	return decodeBlock(body)
}

// guard holds a session, or lets it be applied.
func (im *Importer) guard(ctx context.Context, s *Session) (*Session, error) {
	var tally *reconcile.Tally
	var holds []reconcile.Reason
	err := im.Store.View(ctx, func(r Reader) error {
		d, err := im.decider(r, s)
		if err != nil {
			return err
		}
		body, err := r.ImportBlock(s.ID, deltaTally)
		if err != nil {
			return err
		}
		tally = &reconcile.Tally{}
		if err := inflate(body, tally); err != nil {
			return err
		}
		base, err := im.base(r, s, d.source.Label)
		if err != nil {
			return err
		}
		var allowed []reconcile.Allowance
		if s.Approval != nil {
			allowed = s.Approval.Allowed
		}
		holds = d.rules.Guard(base, tally, allowed...)
		return nil
	})
	if err != nil {
		return s, err
	}
	return im.proceed(ctx, s.ID, func(tx Tx, s *Session) error {
		kinds := matchedEvents
		if s.Type == Full {
			kinds = slices.Concat(matchedEvents, absentEvents)
		}
		if err := im.own(tx, s, func() error { return im.events(tx, systemActor(), s, kinds) }); err != nil {
			return err
		}
		if len(holds) == 0 {
			s.Phase, err = im.accepted(tx, s)
			return err
		}
		s.Phase, s.Holds = Held, holds
		return im.ownEvent(tx, systemActor(), s, "system.import.roadblock", directory.Outcome{Result: "DENY", Reason: holds[0].Text})
	})
}

// base is what a session is compared with.
func (im *Importer) base(r Reader, s *Session, label string) (*reconcile.Base, error) {
	links, err := r.CountImportLinks(s.Source)
	if err != nil {
		return nil, err
	}
	state, err := stateOf(r, im.Realm, s.Source)
	if err != nil {
		return nil, err
	}
	b := &reconcile.Base{Name: label, Linked: links[reconcile.Linked]}
	if state.Last != nil && state.Mode == modeOf(s) {
		b.Last, b.At = state.Last, state.At
	}
	recent, err := r.ImportSessions(SessionQuery{Realm: im.Realm, Source: s.Source, States: []State{Completed}, Limit: 200})
	if err != nil {
		return nil, err
	}
	day := im.Directory.Now().Add(-24 * time.Hour)
	for _, one := range recent {
		if one.Approval == nil && one.Ended.After(day) {
			b.Recent += one.Counts.Removed + one.Counts.Suspended
		}
	}
	return b, nil
}

func modeOf(s *Session) reconcile.Mode {
	if s.Type == Full {
		return reconcile.Full
	}
	return reconcile.Incremental
}

// complete ends a session that was applied.
func (im *Importer) complete(tx Tx, s *Session) error {
	s.State, s.Phase, s.Ended = Completed, "", im.Directory.Now()
	if s.reads() {
		if err := im.remember(tx, s); err != nil {
			return err
		}
	}
	return im.events(tx, systemActor(), s, completeEvents)
}

// remember keeps what the next session that reads the source is compared with.
func (im *Importer) remember(tx Tx, s *Session) error {
	body, err := tx.ImportBlock(s.ID, deltaTally)
	if err != nil {
		return err
	}
	var tally reconcile.Tally
	if err := inflate(body, &tally); err != nil {
		return err
	}
	state, err := stateOf(tx, im.Realm, s.Source)
	if err != nil {
		return err
	}
	source, err := im.source(tx, s.Source)
	if err != nil {
		return err
	}
	state.Last, state.Mode, state.At, state.Rules, state.Settings = &tally.Sketch, modeOf(s), s.Started, s.Rules, source.Version
	return im.putState(tx, state)
}

// deflated is the stored form of figures.
func deflated(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the figures of a session cannot be kept")
	}
	return compress(text)
}
