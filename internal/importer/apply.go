package importer

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/value"
)

// apply carries the delta of a session out, from where it stands. People, links,
// change log and the session's position are written together, so that nobody is
// done twice or left out wherever the process ends.
func (im *Importer) apply(ctx context.Context, s *Session) (*Session, error) {
	a := &applier{im: im, id: s.ID, asOf: s.AsOf}
	defer a.stop()
	for {
		next, err := a.some(ctx, im.portion())
		if alone(err) { // one of them is in the way: find out who
			next, err = a.oneByOne(ctx)
		}
		if err != nil || next.State != Triggered {
			return next, err
		}
	}
}

// alone reports whether an error is about what one person is to become, rather
// than about the database.
func alone(err error) bool {
	switch fault.KindOf(err) {
	case fault.Conflict, fault.Invalid, fault.NotFound, fault.Stale, fault.Unsupported, fault.TooLarge:
		return true
	}
	return false
}

// applier carries a session out.
type applier struct {
	im   *Importer
	id   string
	asOf time.Time // that the session was decided for

	// byExact is the decider's, which costs a look at all accounts: it is good until
	// somebody else changes something.
	byExact map[string][]string

	// Of gather, of which one is under way at most.
	seq   int // of the block in mind
	block *block
	ahead chan gathered // what is under way; nil: nothing is
}

// some carries the next entities out, in one transaction.
func (a *applier) some(ctx context.Context, limit int) (s *Session, err error) {
	swept := false
	err = a.im.Store.Update(ctx, func(tx Tx) error {
		swept = false
		if s, err = a.im.session(tx, "", a.id); err != nil || s.State != Triggered { // its source was removed
			return err
		}
		next, err := a.next(ctx, tx, s.Position, limit)
		if err != nil {
			return err
		}
		entities := next.entities
		if len(entities) == 0 {
			if err := a.im.complete(tx, s); err != nil {
				return err
			}
			return a.im.save(tx, s)
		}
		swept, err = a.carryOut(tx, s, next.decided)
		if err != nil {
			return err
		}
		s.Position = entities[len(entities)-1].Seq
		if s.Position == s.Total { // the last ones end the session with them
			if err := a.im.complete(tx, s); err != nil {
				return err
			}
		}
		return a.im.save(tx, s)
	})
	if err == nil && swept {
		err = a.im.Directory.FinishRules(ctx, a.im.Realm)
	}
	return s, err
}

// oneByOne carries the entities of a batch out that failed together. Those that
// cannot be carried out fail with their reason, and the others go on.
func (a *applier) oneByOne(ctx context.Context) (s *Session, err error) {
	for range a.im.portion() {
		s, err = a.some(ctx, 1)
		if alone(err) {
			s, err = a.fail(ctx, err)
		}
		if err != nil || s.State != Triggered {
			return s, err
		}
	}
	return s, nil
}

// fail passes over the next entity, with the reason.
func (a *applier) fail(ctx context.Context, cause error) (*Session, error) {
	return a.im.proceed(ctx, a.id, func(tx Tx, s *Session) error {
		list, err := tx.ImportEntities(EntityQuery{Session: s.ID, After: s.Position, Limit: 1})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return cause // of the session itself
		}
		if _, err := a.im.decider(tx, s); err != nil {
			return err // of the source, and so of everybody
		}
		e := &list[0]
		s.Position = e.Seq
		return e.refuse(tx, s, reconcile.BadValue, fault.Public(cause), "")
	})
}

// refuse makes an entity one that failed.
func (e *Entity) refuse(tx Tx, s *Session, code reconcile.Code, reason, remedy string) error {
	switch e.Kind {
	case GroupKind:
		*s.Counts.Groups.of(e.Action)--
		s.Counts.Groups.Failed++
	case MembershipKind:
		*s.Counts.Memberships.of(e.Action)--
		s.Counts.Memberships.Failed++
	default:
		*s.Counts.of(e.Action)--
		s.Counts.Failed++
	}
	account := e.Account
	if e.Action == reconcile.Create {
		account = "" // there will be none
	}
	e.Decision = reconcile.Decision{Action: reconcile.Fail, Account: account, Code: code, Reason: reason, Remedy: remedy}
	return tx.UpdateImportEntity(s.ID, e)
}

// carryOut carries entities out within a transaction.
func (a *applier) carryOut(tx Tx, s *Session, all []*decided) (swept bool, err error) {
	d, err := a.im.decider(tx, s)
	if err != nil {
		return false, err
	}
	w, err := a.im.world(tx, tx, s.Actor, d.source)
	if err != nil {
		return false, err
	}
	last, err := tx.LastChange()
	if err != nil {
		return false, err
	}
	s.Doubt = s.Doubt || last != s.Basis
	x := &hand{decider: d, world: w, tx: tx}
	var people, groups []*decided
	for _, one := range all {
		if one.entity.Kind == UserKind {
			people = append(people, one)
		} else {
			groups = append(groups, one)
		}
	}
	if err := x.load(people); err != nil {
		return false, err
	}
	if s.Doubt {
		if last == s.Basis {
			d.byExact = a.byExact
		}
		if err := a.again(x, s, people); err != nil {
			return false, err
		}
		a.byExact = d.byExact
	}
	if err := x.people(people); err != nil {
		return false, err
	}
	for _, one := range groups {
		if err := x.group(one); err != nil {
			return false, err
		}
	}
	if err := w.sourcing.Flush(); err != nil {
		return false, err
	}
	s.Basis, err = tx.LastChange()
	return w.sourcing.Swept(), err
}

// read returns an entity with its record.
func (a *applier) read(r Reader, e *Entity) (*decided, error) {
	one := &decided{Decision: e.Decision, entity: e}
	if e.Block == 0 {
		one.absentee = e.ExternalID
		return one, nil
	}
	if a.seq != e.Block {
		body, err := r.ImportBlock(a.id, e.Block)
		if err != nil {
			return nil, err
		}
		if a.block, err = decodeBlock(body); err != nil {
			return nil, err
		}
		a.seq = e.Block
	}
	if e.Item >= len(a.block.Items) {
		return nil, fault.New(fault.Internal, "a record of session %s is missing", a.id)
	}
	one.item = &a.block.Items[e.Item]
	one.item.at(a.asOf)
	return one, nil
}

// again decides about people once more, because somebody else has changed
// something since the delta was made. What comes out otherwise is left to the
// next session: nobody has seen or approved it.
func (a *applier) again(x *hand, s *Session, people []*decided) error {
	fresh := make([]*decided, len(people))
	for i, one := range people {
		fresh[i] = &decided{item: one.item, link: one.link, absentee: one.absentee}
	}
	if err := x.decider.people(x.world, fresh); err != nil {
		return err
	}
	for i, one := range people {
		was, is := one.Decision, fresh[i].Decision
		if was.Action == reconcile.Create && is.Action == reconcile.Create {
			is.Account = was.Account
		}
		one.account = fresh[i].account
		if alike(&was, &is) {
			one.Decision = is
			continue
		}
		if !was.Writes() { // nothing was to be done
			continue
		}
		err := one.entity.refuse(x.tx, s, "changed", "The directory was changed by somebody else after this was decided.", "The next session looks at it again.")
		if err != nil {
			return err
		}
		one.Decision = one.entity.Decision
	}
	return nil
}

// alike reports whether two decisions do the same to the same account.
func alike(a, b *reconcile.Decision) bool {
	return a.Action == b.Action && a.Account == b.Account && a.Activate == b.Activate && value.Equal(orEmpty(a.After), orEmpty(b.After))
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// hand carries decisions out within one transaction.
type hand struct {
	*decider
	*world
	tx Tx

	links []Link   // to be stored
	drop  []string // externalIds of links to be removed
}

// load reads the links and accounts of people who were decided about.
func (x *hand) load(people []*decided) error {
	ids := make([]string, 0, len(people))
	var accounts []string
	for _, one := range people {
		ids = append(ids, one.id())
		if one.Account != "" && one.Action != reconcile.Create {
			accounts = append(accounts, one.Account)
		}
	}
	if err := x.decider.linksOf(x.world, people, ids); err != nil {
		return err
	}
	list, err := x.tx.AccountsByID(x.im.Realm, accounts)
	if err != nil {
		return err
	}
	byID := make(map[string]*directory.Account, len(list))
	for _, a := range list {
		byID[a.ID] = a
	}
	for _, one := range people {
		one.account = byID[one.Account]
	}
	return nil
}

// people carries out what was decided about people: all who are new at once.
func (x *hand) people(people []*decided) error {
	var newcomers []directory.Newcomer
	var created []*decided
	for _, one := range people {
		if one.Action != reconcile.Create {
			continue
		}
		p := one.person()
		newcomers = append(newcomers, directory.Newcomer{
			Account: one.Account, Profile: one.After, Activate: one.Activate, ExternalID: p.ExternalID, Sourced: p.Profile,
		})
		created = append(created, one)
	}
	if len(newcomers) > 0 {
		if err := x.sourcing.Create(newcomers); err != nil {
			return err
		}
	}
	for _, one := range created {
		x.note("system.import.user.create", directory.Target{Type: "User", ID: one.Account, AlternateID: text(one.After["login"])})
		x.relink(one, one.Account)
	}
	for _, one := range people {
		if one.Action == reconcile.Create {
			continue
		}
		if err := x.one(one); err != nil {
			return err
		}
		x.relink(one, one.Account)
	}
	if err := x.tx.DeleteImportLinks(x.source.ID, UserKind, x.drop); err != nil {
		return err
	}
	err := x.tx.PutImportLinks(x.links)
	x.links, x.drop = nil, nil
	if err != nil {
		return err
	}
	return x.handOver(people)
}

// handOver has other sources look again at the people whom this one lets go of:
// it may have had priority over them, so that what they say counts from now on.
func (x *hand) handOver(people []*decided) error {
	var accounts []string
	for _, one := range people {
		switch one.Action {
		case reconcile.Deactivate, reconcile.Suspend, reconcile.Unlink:
			accounts = append(accounts, one.Account)
		}
	}
	if len(accounts) == 0 || len(x.sources) == 0 {
		return nil
	}
	links, err := x.tx.ImportLinksTo(accounts)
	if err != nil {
		return err
	}
	links = slices.DeleteFunc(links, func(l Link) bool {
		return l.Kind != UserKind || l.Source == x.source.ID || l.State != reconcile.Linked
	})
	for i := range links {
		links[i].lose()
	}
	return x.tx.PutImportLinks(links)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func (x *hand) note(kind string, about directory.Target) {
	x.sourcing.Note(kind, directory.Outcome{}, about)
}

// one carries out what was decided about somebody who is there.
func (x *hand) one(one *decided) error {
	a := one.account
	if a == nil {
		if one.Writes() && one.Action != reconcile.Unlink {
			return fault.New(fault.NotFound, "the user is gone")
		}
		return nil
	}
	switch one.Action {
	case reconcile.LinkTo, reconcile.Update, reconcile.Unchanged, reconcile.Reactivate:
		return x.keep(one, a)
	case reconcile.Deactivate:
		return x.remove(a, directory.Deactivate, "system.import.user.delete")
	case reconcile.Suspend:
		return x.remove(a, directory.Suspend, "system.import.user.suspend")
	case reconcile.Unlink:
		return x.sourcing.Unassign(a)
	}
	return nil
}

// keep makes an account what the source says of it.
func (x *hand) keep(one *decided, a *directory.Account) (err error) {
	p := one.person()
	if p == nil {
		return nil
	}
	if one.Action == reconcile.Reactivate {
		if a, err = x.reactivate(a); err != nil {
			return err
		}
	}
	if len(one.After) > 0 {
		if a, err = x.sourcing.Edit(a, one.After); err != nil {
			return err
		}
		x.note("system.import.user.update", directory.TargetOf(a))
	}
	if one.Action == reconcile.LinkTo {
		x.note("system.import.user.match", directory.TargetOf(a))
	}
	if one.Action == reconcile.Unchanged && p.Presence != reconcile.Present {
		return nil
	}
	_, err = x.sourcing.Assign(directory.Assigned{Account: a, ExternalID: p.ExternalID, Sourced: p.Profile})
	return err
}

func (x *hand) reactivate(a *directory.Account) (*directory.Account, error) {
	op, kind := directory.Activate, "system.import.user.update_user_lifecycle_from_master"
	if a.Status == directory.Suspended {
		op, kind = directory.Unsuspend, "system.import.user.unsuspend"
	}
	after, err := x.sourcing.Step(a, op)
	if err == nil {
		x.note(kind, directory.TargetOf(after))
	}
	return after, err
}

// remove takes the application from an account and moves it along its life
// cycle, as far as its status allows.
func (x *hand) remove(a *directory.Account, op directory.Operation, kind string) error {
	x.note(kind, directory.TargetOf(a))
	if err := x.sourcing.Unassign(a); err != nil {
		return err
	}
	if !x.im.Directory.May(a, op) {
		return nil
	}
	_, err := x.sourcing.Step(a, op)
	return err
}

// relink notes what is known of somebody now.
func (x *hand) relink(one *decided, account string) {
	if one.Action == reconcile.Fail {
		return
	}
	p := one.person()
	if p == nil && one.link == nil {
		return
	}
	next := x.rules.Relink(p, one.link0(), &one.Decision, account)
	if next == nil {
		if one.link != nil {
			x.drop = append(x.drop, one.link.ExternalID)
		}
		return
	}
	l := Link{Link: *next, Source: x.source.ID, Kind: UserKind}
	if next.State == reconcile.Linked {
		l.Profile = nil // the assignment has it
	}
	if next.State == reconcile.Unconfirmed {
		l.Note, l.Candidate = one.Reason, one.Account
	}
	if one.item != nil && !next.Due.IsZero() {
		l.Place = one.item.Place
	}
	x.links = append(x.links, l)
}
