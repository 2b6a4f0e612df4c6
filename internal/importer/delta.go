package importer

import (
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// What the records of a session come to, and its figures.

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

// loaded are the figures of a session when all of it is loaded: of those of whom
// nothing is new, who are not looked at again.
type loaded struct {
	Tally   *reconcile.Tally `json:"tally"`
	Scanned int              `json:"scanned"`
	Same    int              `json:"same"`
	Doubled []string         `json:"doubled,omitempty"` // ids that the source has more than once, with different records
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
