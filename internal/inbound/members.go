package inbound

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// deferred is somebody whom a client wants in a group and who does not exist
// yet. It is found by whom it awaits: an id, externalId or userName.
type deferred struct {
	directory.Meta
	Group   string `json:"group"`
	Awaits  string `json:"awaits"`
	Display string `json:"display,omitempty"` // by which the group is to show the member
}

// Place says where it is found.
func (d *deferred) Place() directory.Place {
	return directory.Place{Noun: directory.DeferredMemberNoun, Parent: d.Group, Subject: d.Awaits}
}

func deferredID(group, awaits string) string { return group + " " + awaits }

// enlist adds members to a group; unknown ones fare as the policy says.
func (w *work) enlist(tx directory.Tx, g *directory.Group, members []directory.Member) error {
	known, unknown, err := w.sort(tx, members)
	if err != nil {
		return err
	}
	if err := w.unknown(tx, g, unknown); err != nil {
		return err
	}
	if len(known) == 0 {
		return nil
	}
	if err := w.join(tx, g, known); err != nil {
		return err
	}
	n, err := tx.CountMembers(w.realm(), g.ID)
	if err == nil && n > w.limits.Members {
		err = failed(fault.TooLarge, 400, scim.TooMany, "a group has at most "+strconv.Itoa(w.limits.Members)+" members")
	}
	return err
}

// join puts users into a group, with the names that the client gave them.
func (w *work) join(tx directory.Tx, g *directory.Group, members []directory.Member) error {
	ids := make([]string, len(members))
	var named []directory.Member
	for i, m := range members {
		ids[i] = m.ID
		if m.Display != "" {
			named = append(named, m)
		}
	}
	if _, err := w.directory().Enlist(tx, w.actor(), g, ids); err != nil {
		return err
	}
	return w.directory().NameMembers(tx, g, named)
}

// sort tells the connection's users from others.
func (w *work) sort(tx directory.Tx, members []directory.Member) (known, unknown []directory.Member, err error) {
	for _, m := range members {
		_, err := w.account(tx, m.ID)
		switch {
		case err == nil:
			known = append(known, m)
		case fault.Is(err, fault.NotFound):
			unknown = append(unknown, m)
		default:
			return nil, nil, err
		}
	}
	return known, unknown, nil
}

func (w *work) unknown(tx directory.Tx, g *directory.Group, members []directory.Member) error {
	if len(members) == 0 {
		return nil
	}
	what := fmt.Sprintf("%d of the members are not users of the connection", len(members))
	switch w.config.Policy.UnknownMembers {
	case tenant.DropUnknown:
		w.note(what + "; they were left out (policy unknown members: drop)")
		return nil
	case tenant.DeferUnknown:
		w.note(what + "; they join when they appear (policy unknown members: defer)")
		return w.await(tx, g, members)
	}
	w.note(what + " (policy unknown members: strict)")
	return scim.Fail(scim.InvalidValue, "%s", what)
}

func (w *work) await(tx directory.Tx, g *directory.Group, members []directory.Member) error {
	for _, m := range members {
		d := &deferred{Meta: directory.Meta{ID: deferredID(g.ID, m.ID), Realm: w.realm()}, Group: g.ID, Awaits: m.ID, Display: m.Display}
		_, err := tx.Record(w.realm(), directory.DeferredMemberNoun, d.ID)
		if fault.Is(err, fault.NotFound) {
			err = w.directory().PutObject(tx, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// discharge takes members out of a group, and out of those who are awaited.
func (w *work) discharge(tx directory.Tx, g *directory.Group, ids []string) error {
	if _, err := w.directory().Discharge(tx, w.actor(), g, ids); err != nil {
		return err
	}
	if w.config.Policy.UnknownMembers != tenant.DeferUnknown {
		return nil
	}
	for _, id := range ids {
		if err := w.forget(tx, deferredID(g.ID, id)); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) forget(tx directory.Tx, id string) error {
	err := tx.DeleteRecord(w.realm(), directory.DeferredMemberNoun, id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// setMembers makes the members of a group those named, touching only those who
// come, go or get another name.
func (w *work) setMembers(tx directory.Tx, g *directory.Group, members []directory.Member) error {
	have, err := w.members(tx, g.ID)
	if err != nil {
		return err
	}
	_, err = tx.DeleteRecords(directory.RecordQuery{Realm: w.realm(), Noun: directory.DeferredMemberNoun, Parent: g.ID})
	if err != nil {
		return err
	}
	wanted := make(map[string]directory.Member, len(members))
	for _, m := range members {
		wanted[m.ID] = m
	}
	var gone []string
	var renamed []directory.Member
	for _, old := range have {
		m, stays := wanted[old.ID]
		delete(wanted, old.ID)
		switch {
		case !stays:
			gone = append(gone, old.ID)
		case m != old:
			renamed = append(renamed, m)
		}
	}
	come := slices.DeleteFunc(slices.Clone(members), func(m directory.Member) bool { return wanted[m.ID] != m })
	if _, err := w.directory().Discharge(tx, w.actor(), g, gone); err != nil {
		return err
	}
	if err := w.directory().NameMembers(tx, g, renamed); err != nil {
		return err
	}
	return w.enlist(tx, g, come)
}

// appeared puts a new person into the groups that await them.
func (w *work) appeared(tx directory.Tx, a *directory.Account) error {
	if w.config.Policy.UnknownMembers != tenant.DeferUnknown {
		return nil
	}
	for _, as := range []string{a.ID, a.ExternalText("externalId"), a.ExternalText("userName")} {
		if as == "" {
			continue
		}
		awaited, err := directory.All[deferred](tx, directory.RecordQuery{Realm: w.realm(), Subject: as}, 0, nil)
		if err != nil {
			return err
		}
		for _, d := range awaited {
			if err := w.arrive(tx, d, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// arrive puts a new person into a group that was waiting.
func (w *work) arrive(tx directory.Tx, d *deferred, a *directory.Account) error {
	g, err := w.group(tx, d.Group)
	if fault.Is(err, fault.NotFound) {
		return nil // of another connection
	}
	if err != nil {
		return err
	}
	if err := w.join(tx, g, []directory.Member{{ID: a.ID, Display: d.Display}}); err != nil {
		return err
	}
	w.note("a group was waiting for this user, who joined it")
	return w.forget(tx, d.ID)
}
