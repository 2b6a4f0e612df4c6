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

// delta is what the records of a session come to. It is made in one pass and
// handed to a sink, which keeps it or shows it.
type delta struct {
	*decider
	session *Session
	blocks  func(ctx context.Context, seq int) (*block, error)
	sink    func(ctx context.Context, batch []*decided, entities []Entity) error

	counts  Counts
	tally   *reconcile.Tally
	seq     int64
	leavers bool            // the records have people who leave
	seen    []uint64        // of FULL: everybody whom the source has
	last    map[string]int  // place of the last record of an id, where a later one counts
	doubled map[string]bool // ids of several records; true: it was told

	admins *directory.Administrators // nil: nobody asked yet
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

// newDelta begins the delta of a session, whose records blocks returns.
func (im *Importer) newDelta(ctx context.Context, s *Session, l *loaded, blocks func(context.Context, int) (*block, error)) (*delta, error) {
	d := &delta{session: s, tally: &reconcile.Tally{}, blocks: blocks}
	err := im.Store.View(ctx, func(r Reader) (err error) {
		d.decider, err = im.decider(r, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.claims = newClaims(func(r Reader, seq int) (*block, error) {
		body, err := r.ImportBlock(s.ID, seq)
		if fault.Is(err, fault.NotFound) { // of a plan, whose session is not stored
			return blocks(ctx, seq)
		}
		if err != nil {
			return nil, err
		}
		return decodeBlock(body)
	})
	if l.Tally != nil {
		d.tally = l.Tally
	}
	d.counts.Scanned, d.counts.Unchanged = l.Scanned, l.Same
	d.doubled = map[string]bool{}
	for _, id := range l.Doubled {
		d.doubled[id] = false
	}
	d.tally.Now, d.tally.Read, d.tally.Mode = d.now, s.reads(), modeOf(s)
	return d, nil
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

// loaded are the figures of a session when all of it is loaded: of those of whom
// nothing is new, who are not looked at again.
type loaded struct {
	Tally   *reconcile.Tally `json:"tally"`
	Scanned int              `json:"scanned"`
	Same    int              `json:"same"`
	Doubled []string         `json:"doubled,omitempty"` // ids that the source has more than once, with different records
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

// make goes through all records: people first, those who leave last, then groups,
// then who is in them (okta.md 3.3).
func (d *delta) make(ctx context.Context) error {
	later, err := d.survey(ctx)
	if err != nil {
		return err
	}
	for _, leaving := range []bool{false, true} {
		if leaving && !d.leavers {
			continue
		}
		if err := d.pass(ctx, UserKind, leaving); err != nil {
			return err
		}
	}
	if d.session.Type == Full && d.session.Origin != FromPlan { // a plan names them
		if err := d.absent(ctx); err != nil {
			return err
		}
	}
	for _, kind := range later {
		if err := d.pass(ctx, kind, false); err != nil {
			return err
		}
	}
	return nil
}

// survey reads all blocks once where it is needed: in sessions that came by
// requests the last record of somebody counts, and there are groups.
func (d *delta) survey(ctx context.Context) (later []Kind, err error) {
	if d.session.Origin != FromAPI {
		d.claims.people = nil // no groups
		return nil, nil
	}
	d.last = map[string]int{}
	kinds := map[Kind]bool{}
	for seq := 1; seq <= d.session.Blocks; seq++ {
		b, err := d.blocks(ctx, seq)
		if err != nil {
			return nil, err
		}
		for n := range b.Items {
			it := &b.Items[n]
			kinds[it.Kind] = true
			d.last[it.key()] = seq<<16 | n
		}
	}
	for _, kind := range []Kind{GroupKind, MembershipKind} {
		if kinds[kind] {
			later = append(later, kind)
		}
	}
	if len(later) == 0 {
		d.claims.people = nil
	}
	return later, nil
}

func (it *item) key() string { return string(it.Kind) + "\x00" + it.id() + "\x00" + it.Member }

// pass decides about all records of a kind: of people, about those who leave or
// about all others.
func (d *delta) pass(ctx context.Context, kind Kind, leaving bool) error {
	for seq := 1; seq <= d.session.Blocks; seq++ {
		b, err := d.blocks(ctx, seq)
		if err != nil {
			return err
		}
		if kind == UserKind && d.session.Type == Full && !leaving {
			if d.seen, err = unpackHashes(b.Same, d.seen); err != nil {
				return err
			}
		}
		var batch []*decided
		for n := range b.Items {
			it := &b.Items[n]
			if it.Kind != kind {
				continue
			}
			it.at(d.now)
			d.leavers = d.leavers || it.leaves()
			if kind == UserKind && d.session.Type == Full && !leaving && it.id() != "" {
				d.seen = append(d.seen, idHash(it.id()))
			}
			if it.leaves() != leaving {
				continue
			}
			if d.last != nil && d.last[it.key()] != seq<<16|n {
				continue // said again later
			}
			one := &decided{item: it, block: seq, n: n}
			if told, doubled := d.doubled[it.id()]; doubled && kind == UserKind {
				if it.Again {
					d.tally.Repeated(it.id(), false)
				}
				if told {
					continue
				}
				d.doubled[it.id()], one.doubled = true, true
			}
			batch = append(batch, one)
		}
		if err := d.decide(ctx, kind, batch); err != nil {
			return err
		}
	}
	return nil
}

// absent decides about everybody whom earlier sessions know and the source does
// not have: also who waits for a person or for a first day does not come then.
func (d *delta) absent(ctx context.Context) error {
	slices.Sort(d.seen)
	for _, state := range []reconcile.LinkState{reconcile.Linked, reconcile.Unconfirmed, reconcile.Awaited} {
		for after, more := "", true; more; {
			var batch []*decided
			err := d.im.Store.View(ctx, func(r Reader) error {
				more = false
				for l, err := range r.EachImportLink(LinkQuery{Source: d.source.ID, Kind: UserKind, State: state, After: after}) {
					if err != nil {
						return err
					}
					after = l.ExternalID
					if _, here := slices.BinarySearch(d.seen, idHash(l.ExternalID)); here {
						continue
					}
					batch = append(batch, &decided{link: &l})
					if more = len(batch) == d.im.portion(); more {
						return nil
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			if err := d.decide(ctx, UserKind, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// decide decides about a batch of one kind and hands it on.
func (d *delta) decide(ctx context.Context, kind Kind, batch []*decided) error {
	if len(batch) == 0 {
		return nil
	}
	err := d.im.Store.View(ctx, func(r Reader) error {
		w, err := d.im.world(r, nil, d.session.Actor, d.source)
		if err != nil {
			return err
		}
		if kind != UserKind {
			if err := d.groupBatch(w, kind, batch); err != nil {
				return err
			}
			return d.memberPowers(r, kind, batch)
		}
		if err := d.links(w, batch); err != nil {
			return err
		}
		if err := d.people(w, batch); err != nil {
			return err
		}
		return d.powers(r, batch)
	})
	if err != nil {
		return err
	}
	var entities []Entity
	for _, one := range batch {
		d.count(kind, one)
		if kind == UserKind {
			d.weigh(one)
		}
		if one.idle() {
			continue
		}
		d.seq++
		entities = append(entities, d.entity(kind, one))
	}
	return d.sink(ctx, batch, entities)
}

// idle reports whether nothing at all is to be done or told about a record.
func (d *decided) idle() bool {
	if d.Action != reconcile.Unchanged {
		return false
	}
	p := d.person()
	return p == nil || d.link == nil || d.fresh || d.link.State == reconcile.Removed
}

// powers counts for the guard who comes to an administrator role by getting an
// account that has one.
func (d *delta) powers(r Reader, batch []*decided) error {
	for _, one := range batch {
		if one.Action != reconcile.Reactivate && !one.Renames() {
			continue
		}
		if err := d.administrators(r); err != nil {
			return err
		}
		if role := d.admins.Accounts[one.Account]; role != "" {
			d.tally.Administrator(one.id(), role, &one.Decision)
		}
	}
	return nil
}

// memberPowers counts who comes to an administrator role by a group. The directory
// keeps roles from groups that applications or rules fill, as Okta does; this is for
// those that were written past it.
func (d *delta) memberPowers(r Reader, kind Kind, batch []*decided) error {
	if kind != MembershipKind {
		return nil
	}
	if err := d.administrators(r); err != nil {
		return err
	}
	for _, one := range batch {
		if role := d.admins.Groups[one.Account]; role != "" && one.Action == reconcile.Create {
			d.tally.Grant(reconcile.Grant{ExternalID: one.item.Member, Role: role, By: "the group " + one.id()})
		}
	}
	return nil
}

func (d *delta) administrators(r Reader) (err error) {
	if d.admins == nil {
		d.admins, err = directory.AdministratorsOf(r, d.im.Realm)
	}
	return err
}

// weigh counts somebody for the guard.
func (d *delta) weigh(one *decided) {
	p := one.person()
	switch {
	case one.item != nil && one.item.Error != "":
		d.tally.Unreadable(one.item.id())
	case one.doubled: // told already
	default:
		d.tally.Add(p, one.link0(), &one.Decision)
	}
}

// entity is the form in which a decision is kept.
func (d *delta) entity(kind Kind, one *decided) Entity {
	e := Entity{Seq: d.seq, Kind: kind, Decision: one.Decision, Block: one.block, Item: one.n, Name: one.name()}
	if one.item == nil {
		e.ExternalID = one.link.ExternalID
		return e
	}
	e.ExternalID, e.Member, e.Place = one.item.id(), one.item.Member, one.item.Place
	if one.item.Group != nil {
		e.Name, _ = one.item.Group.Profile["displayName"].(string)
	}
	return e
}

// count adds a decision to the figures of the session.
func (d *delta) count(kind Kind, one *decided) {
	c := &d.counts
	switch kind {
	case GroupKind:
		c.Groups.add(one.Action)
		return
	case MembershipKind:
		c.Memberships.add(one.Action)
		return
	}
	if one.item != nil && !d.session.reads() {
		c.Scanned++
	}
	*c.of(one.Action)++
}

// of returns the figure of an action.
func (c *Counts) of(a reconcile.Action) *int {
	switch a {
	case reconcile.Create:
		return &c.Added
	case reconcile.LinkTo:
		return &c.Linked
	case reconcile.Update:
		return &c.Updated
	case reconcile.Unchanged:
		return &c.Unchanged
	case reconcile.Deactivate, reconcile.Unlink:
		return &c.Removed
	case reconcile.Suspend:
		return &c.Suspended
	case reconcile.Reactivate:
		return &c.Reactivated
	case reconcile.Skip:
		return &c.Skipped
	case reconcile.Hold:
		return &c.Held
	}
	return &c.Failed
}

func (c *GroupCounts) of(a reconcile.Action) *int {
	switch a {
	case reconcile.Create:
		return &c.Added
	case reconcile.Update:
		return &c.Updated
	case reconcile.Unlink:
		return &c.Removed
	case reconcile.Fail:
		return &c.Failed
	}
	return &c.Unchanged
}

func (c *GroupCounts) add(a reconcile.Action) {
	c.Scanned++
	*c.of(a)++
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
