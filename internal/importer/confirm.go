package importer

import (
	"cmp"
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Who somebody is of whom the matching is not sure: a person says it, of one or of
// many.

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

// confirmSome confirms people in one transaction, or one by one when one of them is in
// the way.
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
// settings that have the answer.
func (im *Importer) answering(tx Tx, actor directory.Actor, source string, answer func(*reconcile.Settings)) (*hand, error) {
	x, err := im.outsideSessions(tx, actor, source)
	if err != nil {
		return nil, err
	}
	settings := x.rules.Settings()
	answer(&settings)
	x.rules, err = im.compile(tx, settings)
	return x, err
}

// person is somebody as the source had them when they began to wait.
func (l *Link) person() *reconcile.Person {
	return &reconcile.Person{ExternalID: l.ExternalID, Profile: l.Profile, Presence: reconcile.Present, Due: l.Due, Ends: l.Ends}
}

// Waiting returns those who wait to be confirmed, behind an externalId.
func (im *Importer) Waiting(ctx context.Context, source, after string, limit int) (out []Waiting, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		out = nil
		if _, err := im.source(r, source); err != nil {
			return err
		}
		var ids []string
		for l, err := range r.EachImportLink(LinkQuery{Source: source, Kind: UserKind, State: reconcile.Unconfirmed, After: after, Limit: limit}) {
			if err != nil {
				return err
			}
			out = append(out, Waiting{
				ExternalID: l.ExternalID, Name: text(l.Profile["userName"]), Profile: l.Profile, Reason: l.Note, Account: l.Candidate,
			})
			ids = append(ids, l.Candidate)
		}
		accounts, err := r.AccountsByID(im.Realm, ids)
		if err != nil {
			return err
		}
		logins := map[string]string{}
		for _, a := range accounts {
			logins[a.ID] = a.Login()
		}
		for i := range out {
			out[i].Login = logins[out[i].Account]
		}
		return nil
	})
	return out, err
}

// Confirm says who somebody is who waits to be confirmed. account is an id or
// login, with IsAccount. Refusal: NotConfirmable.
func (im *Importer) Confirm(ctx context.Context, actor directory.Actor, source, externalID string, answer Answer, account string) error {
	return im.Store.Update(ctx, func(tx Tx) error {
		if err := im.open(tx, source); err != nil {
			return err
		}
		links, err := tx.ImportLinks(source, UserKind, []string{externalID})
		if err != nil {
			return err
		}
		if len(links) == 0 {
			return directory.NotFound(UserNoun, externalID)
		}
		l := &links[0]
		if l.State != reconcile.Unconfirmed && l.State != reconcile.Ignored {
			return NotConfirmable.fault("%q does not wait to be confirmed", externalID).Fix("lanyard import waiting lists who does, by the ids of the source")
		}
		c := &confirmation{im: im, tx: tx, actor: actor, source: source, link: l}
		switch answer {
		case IsAccount:
			return c.isAccount(account)
		case IsNew:
			return c.isNew()
		case IsIgnored:
			return c.isIgnored()
		}
		return fault.New(fault.Usage, "there is no answer %q: account, new or ignore", string(answer))
	})
}

// confirmation is the answer for one person.
type confirmation struct {
	im     *Importer
	tx     Tx
	actor  directory.Actor
	source string
	link   *Link
}

// isAccount links to an account, and tells it what the source says.
func (c *confirmation) isAccount(ref string) error {
	a, err := c.im.findAccount(c.tx, cmp.Or(ref, c.link.Candidate))
	if err != nil {
		return err
	}
	linked := *c.link
	linked.State, linked.Account, linked.Fingerprint = reconcile.Linked, a.ID, reconcile.Fingerprint{}
	return c.carryOut(&linked, func(*reconcile.Settings) {})
}

// isNew makes an account.
func (c *confirmation) isNew() error {
	return c.carryOut(nil, func(settings *reconcile.Settings) {
		settings.Confirm.New = true
		settings.Match = reconcile.Matching{}
	})
}

// isIgnored leaves the person alone, in all sessions to come.
func (c *confirmation) isIgnored() error {
	ignored := *c.link
	ignored.State, ignored.Note, ignored.Candidate = reconcile.Ignored, "", ""
	if err := c.tx.PutImportLinks([]Link{ignored}); err != nil {
		return err
	}
	sourcing, err := c.im.Directory.Sourcing(c.tx, c.tx, c.actor, c.im.Realm, c.source)
	if err != nil {
		return err
	}
	sourcing.Note("system.import.user_match.update", directory.Outcome{}, c.target())
	return sourcing.Flush()
}

// target is how the log names the person.
func (c *confirmation) target() directory.Target {
	return directory.Target{Type: "AppUser", ID: c.link.ExternalID, AlternateID: text(c.link.Profile["userName"])}
}

// carryOut decides again with the link that the answer makes, if any, and by settings
// that have the answer.
func (c *confirmation) carryOut(link *Link, answer func(*reconcile.Settings)) error {
	x, err := c.im.answering(c.tx, c.actor, c.source, answer)
	if err != nil {
		return err
	}
	one := &decided{item: &item{Kind: UserKind, Person: c.link.person(), Place: c.link.Place}, link: link}
	if err := x.decider.people(x.world, []*decided{one}); err != nil {
		return err
	}
	switch one.Action {
	case reconcile.Update, reconcile.Unchanged:
		one.Action = reconcile.LinkTo
	case reconcile.Fail, reconcile.Hold, reconcile.Skip:
		return fault.New(fault.Conflict, "%s", one.Reason).Fix("%s", one.Remedy)
	}
	if err := x.people([]*decided{one}); err != nil {
		return err
	}
	x.note("system.import.user_match.confirm", c.target())
	return x.sourcing.Flush()
}

// findAccount returns an account by its id or login.
func (im *Importer) findAccount(r Reader, ref string) (*directory.Account, error) {
	a, err := r.Account(im.Realm, ref)
	if fault.Is(err, fault.NotFound) {
		a, err = r.AccountByKey(im.Realm, directory.LoginKey(ref))
	}
	return a, err
}
