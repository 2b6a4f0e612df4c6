package importer

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Preview makes a plan and writes nothing. The plan is to be closed.
func (im *Importer) Preview(ctx context.Context, source string, rows Rows, o PreviewOptions) (*Plan, error) {
	var kept spool
	defer kept.close()
	l, err := im.newLoader(ctx, source, func(_ context.Context, b *block) error {
		body, err := b.encode()
		if err == nil {
			err = kept.put(body)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := l.load(ctx, rows); err != nil {
		return nil, err
	}
	l.index = nil // the delta is made without it
	s := im.newSession(systemActor(), source, o.Type.or(l.settings.Mode), FromReader)
	s.Blocks, s.Rules = len(kept.ends), &l.settings
	p := &Plan{}
	err = im.plan(ctx, p, s, l.loaded, func(_ context.Context, seq int) (*block, error) {
		body, err := kept.piece(seq - 1)
		if err != nil {
			return nil, err
		}
		return decodeBlock(body)
	})
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// plan makes the delta of a session that is not stored, into a plan that is empty.
func (im *Importer) plan(ctx context.Context, p *Plan, s *Session, l *loaded, blocks func(context.Context, int) (*block, error)) error {
	// The figures of those of whom nothing is new go into the plan as they are now.
	var before loaded
	if err := copyJSON(l, &before); err != nil {
		return err
	}
	d, err := im.newDelta(ctx, s, l, blocks)
	if err != nil {
		return err
	}
	if before.Tally == nil {
		before.Tally = &reconcile.Tally{}
	}
	p.Version, p.Realm, p.Source, p.Label, p.Type, p.Made = planVersion, im.Realm, s.Source, d.source.Label, s.Type, d.now
	p.Settings, p.Rules, p.Loaded, p.Same, p.Scanned, p.Doubled = d.source.Version, d.rules.Settings(), before.Tally, before.Same, before.Scanned, before.Doubled
	var calls calls
	d.sink = func(_ context.Context, batch []*decided, entities []Entity) error {
		for i := range entities {
			calls.count(entities[i].Action)
		}
		return p.take(batch, entities)
	}
	if err := d.make(ctx); err != nil {
		return err
	}
	p.Counts, p.To = d.counts, d.source.To
	p.Calls, p.Minutes = calls.estimate()
	err = im.Store.View(ctx, func(r Reader) error {
		base, err := im.base(r, s, d.source.Label)
		if err == nil {
			p.First = base.Linked == 0
			p.Holds = d.rules.Guard(base, d.tally)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.Seal()
}

// take adds what a batch comes to.
func (p *Plan) take(batch []*decided, entities []Entity) error {
	records := map[[2]int]*item{}
	for _, one := range batch {
		if (one.item == nil || one.item.Kind == UserKind) && one.idle() { // counted with those of whom nothing is new
			p.Same++
			p.Loaded.Add(one.person(), one.link0(), &one.Decision)
			continue
		}
		records[[2]int{one.block, one.n}] = one.item
	}
	for _, e := range entities {
		record := records[[2]int{e.Block, e.Item}]
		if e.Block == 0 {
			record = &item{Kind: e.Kind, Absent: true, Person: &reconcile.Person{ExternalID: e.ExternalID}}
		}
		e.Block, e.Item = 0, 0
		if e.Action == reconcile.Create {
			e.Account = "" // made when it is carried out
		}
		if err := p.Add(&PlanEntity{Entity: e, Record: record}); err != nil {
			return err
		}
	}
	return nil
}

// The limits of an Okta tenant that a plan's calls are reckoned by: entities in a
// request, requests in a session, requests a minute (okta.md 7), and minutes
// between two sessions.
const (
	inRequest      = 200
	requestsMinute = 15
)

// calls are the people of a plan by the calls that they are sent with.
type calls struct{ upserts, deletes int }

func (c *calls) count(a reconcile.Action) {
	switch a {
	case reconcile.Deactivate, reconcile.Suspend, reconcile.Unlink:
		c.deletes++
	case reconcile.Create, reconcile.LinkTo, reconcile.Update, reconcile.Reactivate:
		c.upserts++
	}
}

// estimate says how many calls a plan takes when it goes to a tenant of Okta's,
// and how many minutes these take by its limits.
func (c *calls) estimate() (calls, minutes int) {
	loads := ceil(c.upserts, inRequest) + ceil(c.deletes, inRequest)
	if loads == 0 {
		return 0, 0
	}
	sessions := ceil(loads, MaxRequests)
	calls = loads + 2*sessions // made and triggered
	return calls, max(ceil(calls, requestsMinute), int(betweenTwo.Minutes())*(sessions-1))
}

func ceil(n, by int) int { return (n + by - 1) / by }

func copyJSON(from, into any) error {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the figures of a plan cannot be kept")
	}
	return nil
}

// Apply carries a plan out and waits. fault.Stale when what it was computed from
// has changed: nothing is applied then.
func (im *Importer) Apply(ctx context.Context, actor directory.Actor, p *Plan) (*Session, error) {
	if p.Version != planVersion || p.Realm != im.Realm {
		return nil, fault.New(fault.Unsupported, "the plan was made by another version, or for another org").Fix("make a new one")
	}
	if err := p.intact(); err != nil {
		return nil, err
	}
	p, err := im.settled(ctx, actor, p)
	if err != nil {
		return nil, err
	}
	s := im.newSession(actor, p.Source, p.Type, FromPlan)
	s.Plan, s.Rules, s.Blocks = p.Digest, &p.Rules, p.entities.pieces()
	if err := im.stillSo(ctx, s, p); err != nil {
		return nil, err
	}
	s, err = im.enlist(ctx, s, p)
	if err != nil {
		return nil, err
	}
	s, err = im.wait(ctx, s)
	if err == nil && s.State == Failed && s.Stale {
		return nil, stalePlan()
	}
	return s, err
}

// enlist queues the session that carries a plan out, with its records. As of a
// source that is read, nothing of it counts before all of it is there.
func (im *Importer) enlist(ctx context.Context, s *Session, p *Plan) (*Session, error) {
	s.State = InProgress
	err := im.Store.Update(ctx, func(tx Tx) error {
		if err := im.open(tx, p.Source); err != nil {
			return err
		}
		return tx.InsertImportSession(s)
	})
	if err != nil {
		return nil, err
	}
	queued, err := im.enlisted(ctx, s, p)
	if err != nil {
		return nil, fault.Join(err, im.giveUp(ctx, s.ID, err))
	}
	return queued, nil
}

func (im *Importer) enlisted(ctx context.Context, s *Session, p *Plan) (*Session, error) {
	for seq := 1; seq <= s.Blocks; seq++ {
		b, err := p.records(seq)
		if err != nil {
			return nil, err
		}
		body, err := b.encode()
		if err != nil {
			return nil, err
		}
		if err := im.Store.Update(ctx, func(tx Tx) error { return tx.PutImportBlock(s.ID, seq, body) }); err != nil {
			return nil, err
		}
	}
	return im.enqueue(ctx, s, p.loaded())
}

// loaded are the figures of those whom a plan leaves out.
func (p *Plan) loaded() *loaded {
	return &loaded{Tally: p.Loaded, Scanned: p.Scanned, Same: p.Same, Doubled: p.Doubled}
}

// stillSo refuses a plan that would not come out the same.
func (im *Importer) stillSo(ctx context.Context, s *Session, p *Plan) error {
	var l loaded
	if err := copyJSON(p.loaded(), &l); err != nil {
		return err
	}
	again := &Plan{entities: planLines{blind: true}}
	err := im.plan(ctx, again, s, &l, func(_ context.Context, seq int) (*block, error) { return p.records(seq) })
	if err != nil {
		return err
	}
	if again.Digest != p.Digest || held(again) && !held(p) {
		return stalePlan()
	}
	// The limits are never those of a file that somebody may have written.
	return im.Store.View(ctx, func(r Reader) error {
		source, err := im.source(r, p.Source)
		if err == nil && !reflect.DeepEqual(source.Settings.Guard, p.Rules.Guard) {
			err = fault.New(fault.Invalid, "the plan has other guards than its source").Fix("make a new one")
		}
		return err
	})
}

func held(p *Plan) bool { return len(p.Holds) > 0 }

func stalePlan() error {
	return fault.New(fault.Stale, "what the plan was computed from has changed; nothing was applied").Fix("make a new plan")
}

// recheck makes sure, when the session of a plan begins, that nothing has changed
// since it was queued.
func (im *Importer) recheck(ctx context.Context, s *Session) error {
	l, err := im.figures(ctx, s)
	if err != nil {
		return err
	}
	p := &Plan{entities: planLines{blind: true}}
	err = im.plan(ctx, p, s, l, func(ctx context.Context, seq int) (*block, error) { return im.block(ctx, s.ID, seq) })
	if err == nil && p.Digest != s.Plan {
		err = stalePlan()
	}
	return err
}
