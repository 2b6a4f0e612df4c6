package importer

import (
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// decider says what becomes of records, some hundred at a time. The same one
// makes the delta of a session, a plan, and looks again at what somebody else
// has changed in between.
type decider struct {
	im     *Importer
	source *Source
	rules  *reconcile.Rules
	now    time.Time

	// claims is what earlier records of the session will have; nil: only what the
	// directory has counts.
	claims *claims
	// byExact finds accounts by an exact criterion that no table knows; made when
	// it is first needed.
	byExact map[string][]string
}

// claims are what the records of a session will have when it is applied. A session
// has millions of records and hardly ever two that want the same: of each claim
// there are two numbers, and who makes it is looked up when somebody asks.
type claims struct {
	keys     map[uint64]place  // by claimHash of keys
	accounts map[uint64]place  // by idHash of accounts
	wanted   map[uint64]place  // by accounts: who would have been it, were it not linked
	groups   map[string]string // external id: group that will be made
	people   map[string]string // external id: account that will be made or linked; nil: no groups ask

	record func(r Reader, block int) (*block, error)
	seq    int // of the block that was read last
	last   *block
}

// place is where a record of a session is kept: the number of its block, from 1, and
// behind 32 bits its number there. Zero is no place.
type place uint64

func (d *decided) place() place { return place(d.block)<<32 | place(d.n) }

func newClaims(record func(r Reader, block int) (*block, error)) *claims {
	return &claims{
		keys: map[uint64]place{}, accounts: map[uint64]place{}, wanted: map[uint64]place{}, groups: map[string]string{}, people: map[string]string{},
		record: record,
	}
}

// claimHash stands for a key, as idHash does for ids.
func claimHash(k directory.Key) uint64 { return idHash(k.Scope + "\x00" + k.Name + "\x00" + k.Value) }

// rival returns the external id of who has claimed something before; empty when it
// is nobody, or the one who asks.
func (c *claims) rival(r Reader, by map[uint64]place, hash uint64, asks *decided) (string, error) {
	p := by[hash]
	if p == 0 || p == asks.place() {
		return "", nil
	}
	if seq := int(p >> 32); c.last == nil || c.seq != seq {
		b, err := c.record(r, seq)
		if err != nil {
			return "", err
		}
		c.seq, c.last = seq, b
	}
	id := c.last.Items[p&(1<<32-1)].id()
	if id == asks.id() { // another record of the same person
		return "", nil
	}
	return id, nil
}

// decided is a record with what becomes of it.
type decided struct {
	item     *item // nil: absent, by its link
	block, n int
	link     *Link // nil: none
	keys     reconcile.Keys
	reconcile.Decision
	account *directory.Account // of the decision, as it is; nil: there is none
	fresh   bool               // the link says all of the record already

	doubled bool // the session has other records of the same person

	// Of what is carried out.
	entity   *Entity
	absentee string // external id of who is absent
}

// id is the external id that it is about.
func (d *decided) id() string {
	switch {
	case d.item != nil:
		return d.item.id()
	case d.link != nil:
		return d.link.ExternalID
	}
	return d.absentee
}

func (d *decided) person() *reconcile.Person {
	if d.item == nil || d.item.Absent {
		return nil
	}
	return d.item.Person
}

func (d *decided) link0() *reconcile.Link {
	if d.link == nil {
		return nil
	}
	return &d.link.Link
}

// name is what people call whom the record is about.
func (d *decided) name() string {
	for _, text := range []any{d.After["login"], personText(d.person(), "userName")} {
		if s, _ := text.(string); s != "" {
			return s
		}
	}
	if d.account != nil {
		return d.account.Login()
	}
	return personText(d.person(), "email")
}

func personText(p *reconcile.Person, attribute string) string {
	if p == nil {
		return ""
	}
	s, _ := p.Profile[attribute].(string)
	return s
}

// world is the directory as one transaction sees it.
type world struct {
	r        Reader
	sourcing *directory.Sourcing
	supers   map[string]bool
	sources  map[string]*Source // the others
}

func (im *Importer) world(r Reader, tx Tx, actor directory.Actor, source *Source) (*world, error) {
	w := &world{r: r, sources: map[string]*Source{}}
	var bulk directory.BulkTx
	if tx != nil {
		bulk = tx
	}
	var err error
	if w.sourcing, err = im.Directory.Sourcing(r, bulk, actor, im.Realm, source.ID); err != nil {
		return nil, err
	}
	if w.supers, err = directory.SuperAdmins(r, im.Realm); err != nil {
		return nil, err
	}
	all, err := directory.All[Source](r, directory.RecordQuery{Realm: im.Realm}, 0, nil)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		// What goes to a tenant is decided there, and what comes here, here: neither
		// takes people from the other.
		if s.ID != source.ID && (s.To == nil) == (source.To == nil) {
			w.sources[s.ID] = s
		}
	}
	return w, nil
}

// people decides about people. Whoever has a link has it filled in.
func (d *decider) people(w *world, batch []*decided) error {
	var open []*decided // who cannot be decided about without the directory
	for _, one := range batch {
		if p := one.person(); p != nil {
			if one.item.Error != "" {
				one.Decision = reconcile.Decision{Action: reconcile.Fail, Code: reconcile.BadValue, Reason: one.item.Error, Remedy: one.item.Remedy}
				continue
			}
			if one.doubled {
				one.Decision = d.rules.Doubled(p.ExternalID, one.link0())
				continue
			}
			one.fresh = one.link != nil && one.link.Fingerprint == d.rules.Fingerprint(p) && one.link.Due.Equal(p.Due)
			if decision, ok := d.rules.Quick(p, one.link0()); ok {
				one.Decision = decision
				continue
			}
		}
		open = append(open, one)
	}
	if len(open) == 0 {
		return nil
	}
	f, err := d.find(w, open)
	if err != nil {
		return err
	}
	for _, one := range open {
		if err := d.person(w, f, one); err != nil {
			return err
		}
	}
	return d.unique(w, open)
}

// found are the accounts that the people of a batch may be.
type found struct {
	accounts map[string]*directory.Account
	byLogin  map[string][]*directory.Account
	byExact  map[string][]*directory.Account
	byName   map[string][]*directory.Account
	links    map[string][]Link // by account, of all sources
}

// find looks all candidates of a batch up.
func (d *decider) find(w *world, batch []*decided) (*found, error) {
	f := &found{
		accounts: map[string]*directory.Account{}, byLogin: map[string][]*directory.Account{},
		byExact: map[string][]*directory.Account{}, byName: map[string][]*directory.Account{}, links: map[string][]Link{},
	}
	var ids, emails, names []string
	var logins []directory.Key
	for _, one := range batch {
		if one.link != nil && one.link.Account != "" {
			ids = append(ids, one.link.Account)
		}
		p := one.person()
		if p == nil || p.Presence != reconcile.Present {
			continue
		}
		keys, err := d.rules.Keys(p)
		if err != nil {
			continue // Decide says it again
		}
		one.keys = keys
		if keys.Login != "" {
			logins = append(logins, directory.LoginKey(keys.Login))
		}
		if one.link != nil && one.link.State == reconcile.Linked {
			continue
		}
		if email := d.exactPart(keys.Exact, "email"); email != "" {
			emails = append(emails, directory.Fold(email))
		}
		if keys.Partial != "" {
			names = append(names, directory.NameKey(personText(p, "firstName"), personText(p, "lastName")))
		}
		if keys.Exact != "" && d.scans() {
			more, err := d.scanned(w, keys.Exact)
			if err != nil {
				return nil, err
			}
			ids = append(ids, more...)
		}
	}
	byKey, err := w.r.AccountsByKeys(d.im.Realm, logins)
	if err != nil {
		return nil, err
	}
	for _, id := range byKey {
		ids = append(ids, id)
	}
	for _, look := range []struct {
		values []string
		find   func(string, []string) ([]*directory.Account, error)
	}{{ids, w.r.AccountsByID}, {emails, w.r.AccountsByEmail}, {names, w.r.AccountsByName}} {
		list, err := look.find(d.im.Realm, look.values)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			f.add(d.rules, a)
		}
	}
	return f, d.findLinks(w, f)
}

func (f *found) add(rules *reconcile.Rules, a *directory.Account) {
	if f.accounts[a.ID] != nil {
		return
	}
	f.accounts[a.ID] = a
	keys := rules.AccountKeys(a)
	for _, by := range []struct {
		index map[string][]*directory.Account
		key   string
	}{{f.byLogin, keys.Login}, {f.byExact, keys.Exact}, {f.byName, keys.Partial}} {
		if by.key != "" {
			by.index[by.key] = append(by.index[by.key], a)
		}
	}
}

func (d *decider) findLinks(w *world, f *found) error {
	ids := make([]string, 0, len(f.accounts))
	for id := range f.accounts {
		ids = append(ids, id)
	}
	links, err := w.r.ImportLinksTo(ids)
	if err != nil {
		return err
	}
	for _, l := range links {
		f.links[l.Account] = append(f.links[l.Account], l)
	}
	return nil
}

// exactPart returns the part of an exact key that is an attribute as it is
// mapped, "" when it is no part of it.
func (d *decider) exactPart(key, attribute string) string {
	criteria := d.rules.Settings().Match.Exact
	parts := strings.Split(key, "\x00")
	for i, c := range criteria {
		if c.Attribute == attribute && i < len(parts) {
			return parts[i]
		}
	}
	return ""
}

// scans reports whether accounts have to be gone through to find exact matches.
func (d *decider) scans() bool {
	criteria := d.rules.Settings().Match.Exact
	return len(criteria) > 0 && !slices.ContainsFunc(criteria, func(c reconcile.Criterion) bool {
		return c.Attribute == "email" || c.Value == "" && (c.Attribute == "login" || c.Attribute == "userName" || c.Attribute == "username")
	})
}

func (d *decider) scanned(w *world, key string) ([]string, error) {
	if d.byExact == nil {
		d.byExact = map[string][]string{}
		for a, err := range w.r.Accounts(directory.AccountQuery{Realm: d.im.Realm}) {
			if err != nil {
				return nil, err
			}
			if k := d.rules.AccountKeys(a).Exact; k != "" {
				d.byExact[k] = append(d.byExact[k], a.ID)
			}
		}
	}
	return d.byExact[key], nil
}

// person decides about one.
func (d *decider) person(w *world, f *found, one *decided) error {
	var c reconcile.Candidates
	p := one.person()
	if one.link != nil && one.link.Account != "" {
		if a := f.accounts[one.link.Account]; a != nil {
			linked, err := d.candidate(w, f, a, one, one.link.ExternalID)
			if err != nil {
				return err
			}
			c.Linked = &linked
		}
	}
	if p == nil && one.link == nil {
		one.Decision = reconcile.Decision{Action: reconcile.Unchanged}
		return nil
	}
	if p == nil {
		one.Decision = d.rules.Absent(one.link0(), c)
	} else {
		for _, list := range [][]*directory.Account{f.byLogin[one.keys.Login], f.byExact[one.keys.Exact], f.byName[one.keys.Partial]} {
			for _, a := range list {
				if c.Linked != nil && c.Linked.Account.ID == a.ID || slices.ContainsFunc(c.Found, func(o reconcile.Candidate) bool { return o.Account.ID == a.ID }) {
					continue
				}
				candidate, err := d.candidate(w, f, a, one, p.ExternalID)
				if err != nil {
					return err
				}
				c.Found = append(c.Found, candidate)
			}
		}
		if d.claims != nil && one.keys.Login != "" {
			var err error
			if c.Rival, err = d.claims.rival(w.r, d.claims.keys, claimHash(directory.LoginKey(one.keys.Login)), one); err != nil {
				return err
			}
		}
		one.Decision = d.rules.Decide(p, one.link0(), c)
	}
	if one.Account != "" {
		one.account = f.accounts[one.Account]
	}
	if one.Action == reconcile.Create && one.Account == "" {
		one.Account = w.sourcing.NewAccountID()
	}
	d.claim(one)
	return nil
}

// claim notes what a record will have.
func (d *decider) claim(one *decided) {
	p := one.person()
	if d.claims == nil || p == nil {
		return
	}
	if one.Code == reconcile.LinkedToElse && one.Account != "" {
		d.claims.wanted[idHash(one.Account)] = one.place()
	}
	if !one.Writes() {
		return
	}
	if _, renamed := one.After["login"]; renamed && one.keys.Login != "" {
		d.claims.keys[claimHash(directory.LoginKey(one.keys.Login))] = one.place()
	}
	switch one.Action {
	case reconcile.LinkTo, reconcile.Reactivate:
		d.claims.accounts[idHash(one.Account)] = one.place()
	case reconcile.Deactivate, reconcile.Suspend, reconcile.Unlink:
		d.claims.person(p.ExternalID, "")
		return
	}
	d.claims.person(p.ExternalID, one.Account)
}

// person notes which account somebody will have, where groups may ask.
func (c *claims) person(externalID, account string) {
	if c.people != nil {
		c.people[externalID] = account
	}
}

func (d *decider) candidate(w *world, f *found, a *directory.Account, one *decided, externalID string) (reconcile.Candidate, error) {
	c := reconcile.Candidate{Account: a, SuperAdmin: w.supers[a.ID]}
	for _, l := range f.links[a.ID] {
		if l.Source == d.source.ID {
			if l.ExternalID != externalID && l.State != reconcile.Ignored {
				c.Other, c.OtherLeft = l.ExternalID, l.State == reconcile.Removed
			}
			continue
		}
		other := w.sources[l.Source]
		if other == nil || l.State != reconcile.Linked || !other.Settings.Sourcing.Users {
			continue
		}
		owner := &reconcile.Owner{Name: other.Label, Priority: other.Settings.Sourcing.Priority}
		if c.Owner == nil || above(owner.Priority, c.Owner.Priority) {
			c.Owner = owner
		}
	}
	if d.claims == nil {
		return c, nil
	}
	other, err := d.claims.rival(w.r, d.claims.accounts, idHash(a.ID), one)
	if err != nil {
		return c, err
	}
	if other != "" {
		c.Other, c.OtherLeft = other, false
	}
	c.Wanted, err = d.claims.rival(w.r, d.claims.wanted, idHash(a.ID), one)
	return c, err
}

// above reports whether a priority is higher: 1 is the highest, 0 the lowest.
func above(a, b int) bool { return a != 0 && (b == 0 || a < b) }

// unique refuses values that the schema wants to be unique and that another
// account has, or another record of the session gets.
func (d *decider) unique(w *world, batch []*decided) error {
	type wish struct {
		one *decided
		key directory.Key
	}
	var wishes []wish
	var keys []directory.Key
	for _, one := range batch {
		if !one.Writes() || len(one.After) == 0 {
			continue
		}
		for _, k := range w.sourcing.KeysOf(one.After) {
			if k.Name == directory.KeyLogin && k.Scope == "" {
				continue // of which Decide knows
			}
			wishes, keys = append(wishes, wish{one, k}), append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	have, err := w.r.AccountsByKeys(d.im.Realm, keys)
	if err != nil {
		return err
	}
	for _, x := range wishes {
		taken := have[x.key] != "" && have[x.key] != x.one.Account
		if d.claims != nil {
			other, err := d.claims.rival(w.r, d.claims.keys, claimHash(x.key), x.one)
			if err != nil {
				return err
			}
			if other != "" {
				taken = true
			} else if !taken {
				d.claims.keys[claimHash(x.key)] = x.one.place()
			}
		}
		if taken && x.one.Action != reconcile.Fail {
			x.one.Decision = reconcile.Decision{
				Action: reconcile.Fail, Account: accountOf(x.one), Code: reconcile.BadValue,
				Reason: "Another user has the same " + x.key.Name + ", which has to be unique.",
				Remedy: "Correct it in the source, or there.",
			}
		}
	}
	return nil
}

func accountOf(one *decided) string {
	if one.account != nil {
		return one.account.ID
	}
	return ""
}

// links fills in the links of a batch, and whether their accounts have lost the
// application.
func (d *decider) links(w *world, batch []*decided) error {
	ids := make([]string, 0, len(batch))
	for _, one := range batch {
		if id := one.id(); id != "" {
			ids = append(ids, id)
		}
	}
	return d.linksOf(w, batch, ids)
}

func (d *decider) linksOf(w *world, batch []*decided, ids []string) error {
	links, err := w.r.ImportLinks(d.source.ID, UserKind, ids)
	if err != nil {
		return err
	}
	byID := make(map[string]*Link, len(links))
	var assignments []string
	for i := range links {
		byID[links[i].ExternalID] = &links[i]
		if links[i].State == reconcile.Linked && links[i].Account != "" {
			assignments = append(assignments, d.source.ID+"/"+links[i].Account)
		}
	}
	records, err := w.r.RecordsByID(d.im.Realm, directory.AppUserNoun, assignments)
	if err != nil {
		return err
	}
	assigned := make(map[string]*directory.Record, len(records))
	for _, r := range records {
		assigned[r.Subject] = r
	}
	for _, one := range batch {
		if one.link == nil {
			one.link = byID[one.id()]
		}
		if one.link == nil || one.link.State != reconcile.Linked {
			continue
		}
		r := assigned[one.link.Account]
		if r == nil {
			one.link.lose()
			continue
		}
		var u directory.AppUser
		if err := r.Decode(&u); err != nil {
			return err
		}
		one.link.Profile = u.Profile
	}
	return nil
}

// lose makes sure that a link is looked at although the source says nothing new:
// the account has lost the application by somebody else, or another source of it.
func (l *Link) lose() { l.Fingerprint = reconcile.Fingerprint{} }
