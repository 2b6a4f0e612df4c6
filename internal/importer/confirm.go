package importer

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Bulk says which of those who wait are confirmed together: who the matching would
// take them for is who they are.
type Bulk struct {
	Exact   bool `json:"exact,omitempty"`   // one account matches exactly
	Partial bool `json:"partial,omitempty"` // one account has the same name
	New     bool `json:"new,omitempty"`     // no account matches
	DryRun  bool `json:"dryRun,omitempty"`  // it is only counted
}

// Confirmed is what a Bulk came to.
type Confirmed struct {
	Exact   int            `json:"exact"`
	Partial int            `json:"partial"`
	New     int            `json:"new"`
	Left    int            `json:"left"`           // who still wait
	Over    map[string]int `json:"over,omitempty"` // people of other sources, where no priority decides
	DryRun  bool           `json:"dryRun,omitempty"`
}

// ConfirmAll confirms those of a source who wait and of whom the matching of now says
// who they are. Others go on waiting: those whom several accounts match, what would
// change a super administrator, and what would give somebody the account of an
// administrator.
func (im *Importer) ConfirmAll(ctx context.Context, actor directory.Actor, source string, b Bulk) (*Confirmed, error) {
	out := &Confirmed{DryRun: b.DryRun}
	for after, more := "", true; more; {
		var ids []string
		err := im.Store.View(ctx, func(r Reader) error {
			ids = nil
			q := LinkQuery{Source: source, Kind: UserKind, State: reconcile.Unconfirmed, After: after, Limit: im.portion()}
			for l, err := range r.EachImportLink(q) {
				if err != nil {
					return err
				}
				ids = append(ids, l.ExternalID)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		more = len(ids) == im.portion()
		if len(ids) > 0 {
			after = ids[len(ids)-1]
		}
		if err := im.confirmSome(ctx, actor, source, b, ids, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// confirmSome confirms people in one transaction, or each in his own when one of them
// is in the way.
func (im *Importer) confirmSome(ctx context.Context, actor directory.Actor, source string, b Bulk, ids []string, sum *Confirmed) error {
	var some *Confirmed
	err := im.Store.Update(ctx, func(tx Tx) (err error) {
		some, err = im.confirmIn(tx, actor, source, b, ids)
		return err
	})
	switch {
	case err == nil:
		sum.add(some)
	case !alone(err):
		return err
	case len(ids) == 1:
		sum.Left++
	default:
		for _, id := range ids {
			if err := im.confirmSome(ctx, actor, source, b, []string{id}, sum); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Confirmed) add(some *Confirmed) {
	c.Exact, c.Partial, c.New, c.Left = c.Exact+some.Exact, c.Partial+some.Partial, c.New+some.New, c.Left+some.Left
	for name, n := range some.Over {
		if c.Over == nil {
			c.Over = map[string]int{}
		}
		c.Over[name] += n
	}
}

func (im *Importer) confirmIn(tx Tx, actor directory.Actor, source string, b Bulk, ids []string) (*Confirmed, error) {
	x, err := im.answering(tx, actor, source, func(s *reconcile.Settings) {
		s.Confirm = reconcile.Confirm{Exact: b.Exact, Partial: b.Partial, New: b.New}
	})
	if err != nil {
		return nil, err
	}
	links, err := tx.ImportLinks(source, UserKind, ids)
	if err != nil {
		return nil, err
	}
	var batch []*decided
	all := &block{} // as if they had come in one
	for i := range links {
		if l := &links[i]; l.State == reconcile.Unconfirmed {
			all.Items = append(all.Items, item{Kind: UserKind, Person: l.person(), Place: l.Place})
			batch = append(batch, &decided{link: l, block: 1, n: len(batch)})
		}
	}
	for i := range batch {
		batch[i].item = &all.Items[i]
	}
	x.decider.claims = newClaims(func(Reader, int) (*block, error) { return all, nil })
	if err := x.decider.people(x.world, batch); err != nil {
		return nil, err
	}
	out, sure, err := x.sure(batch)
	if err != nil || b.DryRun {
		return out, err
	}
	if err := x.people(sure); err != nil {
		return nil, err
	}
	for _, one := range sure {
		x.note("system.import.user_match.confirm", directory.Target{Type: "AppUser", ID: one.id(), AlternateID: one.name()})
	}
	return out, x.sourcing.Flush()
}

// sure are those of a batch of whom it is known who they are, counted.
func (x *hand) sure(batch []*decided) (*Confirmed, []*decided, error) {
	admins, err := directory.AdministratorsOf(x.tx, x.im.Realm)
	if err != nil {
		return nil, nil, err
	}
	out, sure := &Confirmed{}, []*decided(nil)
	for _, one := range batch {
		switch {
		case admins.Accounts[one.Account] != "" && (one.Renames() || one.Action == reconcile.Reactivate):
			out.Left++
			continue
		case one.Action == reconcile.Create:
			out.New++
		case one.Action != reconcile.LinkTo && one.Action != reconcile.Reactivate:
			out.Left++
			continue
		case one.Match != nil && one.Match.Kind == reconcile.Partial:
			out.Partial++
		default:
			out.Exact++
		}
		if one.Over != "" {
			out.add(&Confirmed{Over: map[string]int{one.Over: 1}})
		}
		sure = append(sure, one)
	}
	return out, sure, nil
}

// answering is what carries out what a person has said about people of a source, by
// settings in which he has answered.
func (im *Importer) answering(tx Tx, actor directory.Actor, source string, answer func(*reconcile.Settings)) (*hand, error) {
	if err := im.open(tx, source); err != nil {
		return nil, err
	}
	d, err := im.decider(tx, &Session{Source: source})
	if err != nil {
		return nil, err
	}
	if d.source.To != nil {
		return nil, onlyInSessions(d.source)
	}
	w, err := im.world(tx, tx, actor, d.source)
	if err != nil {
		return nil, err
	}
	settings := d.rules.Settings()
	answer(&settings)
	d.rules, err = im.compile(tx, settings)
	return &hand{decider: d, world: w, tx: tx}, err
}

// person is somebody as he was when he began to wait.
func (l *Link) person() *reconcile.Person {
	return &reconcile.Person{ExternalID: l.ExternalID, Profile: l.Profile, Presence: reconcile.Present, Due: l.Due, Ends: l.Ends}
}
