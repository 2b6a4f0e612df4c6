package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// planVersion is that of the form of plans.
const planVersion = 1

// Preview makes a plan and writes nothing.
func (im *Importer) Preview(ctx context.Context, source string, rows Rows, o PreviewOptions) (*Plan, error) {
	var kept [][]byte
	l, err := im.newLoader(ctx, source, func(_ context.Context, b *block) error {
		body, err := b.encode()
		kept = append(kept, body)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := l.load(ctx, rows); err != nil {
		return nil, err
	}
	s := im.newSession(systemActor(), source, o.Type.or(l.settings.Mode), FromReader)
	s.Blocks, s.Rules = len(kept), &l.settings
	return im.plan(ctx, s, l.loaded, func(_ context.Context, seq int) (*block, error) { return decodeBlock(kept[seq-1]) })
}

// plan makes the delta of a session that is not stored.
func (im *Importer) plan(ctx context.Context, s *Session, l *loaded, blocks func(context.Context, int) (*block, error)) (*Plan, error) {
	// The figures of those of whom nothing is new go into the plan as they are now.
	var before loaded
	if err := copyJSON(l, &before); err != nil {
		return nil, err
	}
	d, err := im.newDelta(ctx, s, l, blocks)
	if err != nil {
		return nil, err
	}
	if before.Tally == nil {
		before.Tally = &reconcile.Tally{}
	}
	p := &Plan{
		Version: planVersion, Realm: im.Realm, Source: s.Source, Label: d.source.Label, Type: s.Type, Made: d.now,
		Settings: d.source.Version, Rules: d.rules.Settings(), Loaded: before.Tally, Same: before.Same, Scanned: before.Scanned, Doubled: before.Doubled,
	}
	d.sink = func(_ context.Context, batch []*decided, entities []Entity) error {
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
			p.Entities = append(p.Entities, PlanEntity{Entity: e, Record: record})
		}
		return nil
	}
	if err := d.make(ctx); err != nil {
		return nil, err
	}
	p.Counts, p.To = d.counts, d.source.To
	p.Calls, p.Minutes = estimate(p)
	err = im.Store.View(ctx, func(r Reader) error {
		base, err := im.base(r, s, d.source.Label)
		if err == nil {
			p.First = base.Linked == 0
			p.Holds = d.rules.Guard(base, d.tally)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	p.Digest, err = p.digest()
	return p, err
}

// The limits of an Okta tenant that a plan's calls are reckoned by: entities in a
// request, requests in a session, requests a minute (okta.md 7), and minutes
// between two sessions.
const (
	inRequest      = 200
	requestsMinute = 15
)

// estimate says how many calls a plan takes when it goes to a tenant of Okta's,
// and how many minutes these take by its limits.
func estimate(p *Plan) (calls, minutes int) {
	upserts, deletes := 0, 0
	for i := range p.Entities {
		switch p.Entities[i].Action {
		case reconcile.Deactivate, reconcile.Suspend, reconcile.Unlink:
			deletes++
		case reconcile.Create, reconcile.LinkTo, reconcile.Update, reconcile.Reactivate:
			upserts++
		}
	}
	loads := ceil(upserts, inRequest) + ceil(deletes, inRequest)
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

// digest covers what the plan does, the rules by which it does so, and the figures
// that guards look at.
func (p *Plan) digest() (string, error) {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	parts := []any{
		p.Version, p.Realm, p.Source, p.Type, p.Settings, p.Rules, p.Counts, p.Loaded, p.Same, p.Scanned, append([]string{}, p.Doubled...), len(p.Entities),
	}
	for i := range p.Entities {
		parts = append(parts, &p.Entities[i])
	}
	for _, part := range parts {
		if err := enc.Encode(part); err != nil {
			return "", fault.Wrap(fault.Internal, err, "the plan cannot be written as JSON")
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Apply carries a plan out and waits. fault.Stale when what it was computed from
// has changed: nothing is applied then.
func (im *Importer) Apply(ctx context.Context, actor directory.Actor, p *Plan) (*Session, error) {
	if p.Version != planVersion || p.Realm != im.Realm {
		return nil, fault.New(fault.Unsupported, "the plan was made by another version, or for another org").Fix("make a new one")
	}
	if digest, err := p.digest(); err != nil || digest != p.Digest {
		return nil, fault.New(fault.Invalid, "the plan was changed after it was made").Fix("make a new one")
	}
	s, b, l := im.planned(actor, p)
	if err := im.stillSo(ctx, s, p, b); err != nil {
		return nil, err
	}
	figures, err := deflated(l)
	if err != nil {
		return nil, err
	}
	err = im.Store.Update(ctx, func(tx Tx) error {
		if err := im.open(tx, p.Source); err != nil {
			return err
		}
		for i := range b {
			body, err := b[i].encode()
			if err != nil {
				return err
			}
			if err := tx.PutImportBlock(s.ID, i+1, body); err != nil {
				return err
			}
		}
		if err := tx.PutImportBlock(s.ID, loadedTally, figures); err != nil {
			return err
		}
		s.queue(im.Directory.Now())
		if err := tx.InsertImportSession(s); err != nil {
			return err
		}
		return im.event(tx, actor, s, "system.import.session.triggered", directory.Outcome{})
	})
	if err != nil {
		return nil, err
	}
	s, err = im.wait(ctx, s)
	if err == nil && s.State == Failed && s.Stale {
		return nil, stalePlan()
	}
	return s, err
}

// planned is the session that carries a plan out, with its records.
func (im *Importer) planned(actor directory.Actor, p *Plan) (*Session, []*block, *loaded) {
	s := im.newSession(actor, p.Source, p.Type, FromPlan)
	s.Plan, s.Rules = p.Digest, &p.Rules
	l := &loaded{Tally: p.Loaded, Scanned: p.Scanned, Same: p.Same, Doubled: p.Doubled}
	var blocks []*block
	for part := range slices.Chunk(p.Entities, im.portion()) {
		b := &block{}
		for i := range part {
			b.Items = append(b.Items, *part[i].Record)
		}
		blocks = append(blocks, b)
	}
	s.Blocks = len(blocks)
	return s, blocks, l
}

// stillSo refuses a plan that would not come out the same.
func (im *Importer) stillSo(ctx context.Context, s *Session, p *Plan, blocks []*block) error {
	var l loaded
	if err := copyJSON(&loaded{Tally: p.Loaded, Scanned: p.Scanned, Same: p.Same, Doubled: p.Doubled}, &l); err != nil {
		return err
	}
	again, err := im.plan(ctx, s, &l, func(_ context.Context, seq int) (*block, error) { return blocks[seq-1], nil })
	if err != nil {
		return err
	}
	if again.Digest != p.Digest {
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
	p, err := im.plan(ctx, s, l, func(ctx context.Context, seq int) (*block, error) { return im.block(ctx, s.ID, seq) })
	if err == nil && p.Digest != s.Plan {
		err = stalePlan()
	}
	return err
}
