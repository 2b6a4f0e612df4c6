// Package reconciletest has what tests of imports share: disasters as data, the
// rows of made-up sources, and a World, which is the smallest thing that carries
// decisions of package reconcile out. It keeps people in memory and forgets them;
// real sessions are package importer's.
package reconciletest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/value"
)

// World is a directory and what is known of one source.
type World struct {
	Accounts map[string]*directory.Account
	Links    map[string]*reconcile.Link // by external id
	Admins   map[string]bool            // ids of super administrators
	Owners   map[string]*reconcile.Owner
	Roles    map[string]string // administrator roles, by account
	Base     reconcile.Base

	made int
}

// NewWorld returns an empty one.
func NewWorld() *World {
	return &World{
		Accounts: map[string]*directory.Account{}, Links: map[string]*reconcile.Link{},
		Admins: map[string]bool{}, Owners: map[string]*reconcile.Owner{}, Roles: map[string]string{},
	}
}

// HandOver makes the source that the world knows another one, and those who are linked
// people of it. What is known now is a source without people.
func (w *World) HandOver(to *reconcile.Owner) {
	for _, l := range w.Links {
		if l.State == reconcile.Linked {
			w.Owners[l.Account] = to
		}
	}
	w.Links, w.Base = map[string]*reconcile.Link{}, reconcile.Base{}
}

// Session is one load of the source.
type Session struct {
	Rows    []reconcile.Row
	Now     time.Time
	Read    bool
	Allowed []reconcile.Allowance
	// Roles are given to people who get a department: the directory's rules are
	// not here.
	Roles map[string]string
}

// Outcome is what a session came to.
type Outcome struct {
	Tally     *reconcile.Tally
	Held      []reconcile.Reason
	Decisions map[string]reconcile.Decision // by external id
	Errors    []error                       // of rows
}

// Count is how many people an action became of.
func (o *Outcome) Count(a reconcile.Action) int { return o.Tally.Actions[a] }

// Run makes a session by rules. When it is held, nothing is changed.
func (w *World) Run(r *reconcile.Rules, s Session) *Outcome {
	run := &run{World: w, rules: r, session: s, out: &Outcome{
		Tally:     &reconcile.Tally{Now: s.Now, Read: s.Read, Mode: r.Settings().Mode},
		Decisions: map[string]reconcile.Decision{},
	}, people: map[string]*reconcile.Person{}, doubled: map[string]bool{}, logins: map[string]string{}, wanted: map[string]string{}, seen: map[string]bool{}}
	run.index()
	run.shape()
	run.decide()
	base := w.Base
	base.Linked = w.linked()
	run.out.Held = r.Guard(&base, run.out.Tally, s.Allowed...)
	if len(run.out.Held) == 0 {
		run.apply()
		w.Base.Last, w.Base.At = &run.out.Tally.Sketch, s.Now
	}
	return run.out
}

func (w *World) linked() (n int) {
	for _, l := range w.Links {
		if l.State == reconcile.Linked {
			n++
		}
	}
	return n
}

type run struct {
	*World
	rules   *reconcile.Rules
	session Session
	out     *Outcome
	people  map[string]*reconcile.Person
	order   []string
	doubled map[string]bool
	seen    map[string]bool   // ids in the source, of rows that cannot be read too
	logins  map[string]string // key of the user name -> id of who gets it
	byKey   map[string][]string
	linkers map[string][]string // account -> external ids, in order
	wanted  map[string]string   // account -> external id of who is held because it is linked
}

// index makes accounts and their links findable.
func (run *run) index() {
	run.byKey, run.linkers = map[string][]string{}, map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(run.Accounts)) {
		for _, key := range keysOf(run.rules.AccountKeys(run.Accounts[id])) {
			run.byKey[key] = append(run.byKey[key], id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(run.Links)) {
		account := run.Links[id].Account
		run.linkers[account] = append(run.linkers[account], id)
	}
}

// keysOf tells the keys apart by a letter.
func keysOf(k reconcile.Keys) (out []string) {
	for letter, key := range map[string]string{"l": k.Login, "e": k.Exact, "p": k.Partial} {
		if key != "" {
			out = append(out, letter+key)
		}
	}
	return out
}

func (run *run) shape() {
	for _, row := range run.session.Rows {
		if row.Blank() {
			continue
		}
		p, err := run.rules.Shape(row, run.session.Now)
		if err != nil {
			run.out.Errors = append(run.out.Errors, err)
			run.out.Tally.Unreadable(p.ExternalID)
			run.seen[p.ExternalID] = true
			continue
		}
		if first := run.people[p.ExternalID]; first != nil {
			same := run.rules.Fingerprint(first) == run.rules.Fingerprint(&p)
			run.out.Tally.Repeated(p.ExternalID, same)
			run.doubled[p.ExternalID] = run.doubled[p.ExternalID] || !same
			continue
		}
		run.people[p.ExternalID] = &p
		run.seen[p.ExternalID] = true
		run.order = append(run.order, p.ExternalID)
	}
}

func (run *run) decide() {
	leaving := func(id string) bool { return run.people[id].Presence == reconcile.Leaving }
	slices.SortStableFunc(run.order, func(a, b string) int {
		switch {
		case leaving(a) == leaving(b):
			return 0
		case leaving(a):
			return 1
		}
		return -1
	})
	for _, id := range run.order {
		p, link := run.people[id], run.Links[id]
		d, quick := run.rules.Quick(p, link)
		if !quick {
			d = run.rules.Decide(p, link, run.candidates(p, link))
		}
		if run.doubled[id] {
			d = run.rules.Doubled(id, link)
		}
		run.note(id, p, link, d)
		if role := run.session.Roles[fmt.Sprint(d.After["department"])]; role != "" {
			run.out.Tally.Grant(reconcile.Grant{ExternalID: id, Role: role, By: "a rule, by department"})
		}
	}
	if run.rules.Settings().Mode != reconcile.Full {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(run.Links)) {
		if !run.seen[id] {
			link := run.Links[id]
			run.note(id, nil, link, run.rules.Absent(link, run.linkedTo(link)))
		}
	}
}

func (run *run) note(id string, p *reconcile.Person, link *reconcile.Link, d reconcile.Decision) {
	run.out.Tally.Add(p, link, &d)
	if role := run.World.Roles[d.Account]; role != "" {
		run.out.Tally.Administrator(id, role, &d)
	}
	run.out.Decisions[id] = d
	if login, _ := d.After["login"].(string); login != "" && d.Writes() {
		run.logins[directory.Fold(login)] = id
	}
	if d.Code == reconcile.LinkedToElse && p != nil && p.Presence == reconcile.Present {
		run.wanted[d.Account] = id
	}
}

func (run *run) linkedTo(link *reconcile.Link) reconcile.Candidates {
	if link == nil || run.Accounts[link.Account] == nil {
		return reconcile.Candidates{}
	}
	c := run.candidate(run.Accounts[link.Account], link.ExternalID)
	return reconcile.Candidates{Linked: &c}
}

func (run *run) candidate(a *directory.Account, id string) reconcile.Candidate {
	c := reconcile.Candidate{Account: a, SuperAdmin: run.Admins[a.ID], Owner: run.Owners[a.ID], Wanted: run.wanted[a.ID]}
	for _, other := range run.linkers[a.ID] {
		if l := run.Links[other]; other != id && (c.Other == "" || c.OtherLeft) {
			c.Other, c.OtherLeft = other, l.State == reconcile.Removed
		}
	}
	return c
}

func (run *run) candidates(p *reconcile.Person, link *reconcile.Link) reconcile.Candidates {
	c := run.linkedTo(link)
	keys, err := run.rules.Keys(p)
	if err != nil {
		return c
	}
	var found []string
	for _, key := range keysOf(keys) {
		found = append(found, run.byKey[key]...)
	}
	slices.Sort(found)
	for _, id := range slices.Compact(found) {
		c.Found = append(c.Found, run.candidate(run.Accounts[id], p.ExternalID))
	}
	c.Rival = run.logins[keys.Login]
	return c
}

// apply carries decisions out, as far as there is something to them here.
func (run *run) apply() {
	for _, id := range slices.Sorted(maps.Keys(run.out.Decisions)) {
		d := run.out.Decisions[id]
		account := run.carryOut(&d)
		if link := run.rules.Relink(run.people[id], run.Links[id], &d, account); link != nil {
			run.Links[id] = link
		} else {
			delete(run.Links, id)
		}
	}
}

func (run *run) carryOut(d *reconcile.Decision) string {
	a := run.Accounts[d.Account]
	switch d.Action {
	case reconcile.Create:
		run.made++
		a = &directory.Account{ID: fmt.Sprintf("00u%06d", run.made), Status: directory.Staged, Profile: map[string]any{}}
		if d.Activate {
			a.Status = directory.Active
		}
		run.Accounts[a.ID] = a
	case reconcile.Deactivate:
		a.Status = directory.Deprovisioned
	case reconcile.Suspend:
		a.Status = directory.Suspended
	case reconcile.Reactivate:
		a.Status = directory.Active
	}
	if !d.Writes() || a == nil {
		return d.Account
	}
	for name, v := range d.After {
		if v == nil {
			delete(a.Profile, name)
		} else {
			a.Profile[name] = value.Clone(v)
		}
	}
	return a.ID
}
