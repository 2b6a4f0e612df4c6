package importer

import (
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Groups of a source, and who is in them. There are few of them beside people, so
// each is looked at by itself.

// groupProfile is the directory's profile of a group of a source (okta.md 3.1).
func groupProfile(sourced map[string]any) map[string]any {
	out := map[string]any{}
	for from, to := range map[string]string{"displayName": "name", "description": "description"} {
		if v := sourced[from]; v != nil && v != "" {
			out[to] = v
		}
	}
	return out
}

// groupBatch decides about groups or memberships.
func (d *decider) groupBatch(w *world, kind Kind, batch []*decided) error {
	ids := make([]string, len(batch))
	for i, one := range batch {
		ids[i] = one.id()
	}
	links, err := w.r.ImportLinks(d.source.ID, GroupKind, ids)
	if err != nil {
		return err
	}
	groups := make(map[string]*Link, len(links))
	for i := range links {
		groups[links[i].ExternalID] = &links[i]
	}
	if kind == MembershipKind {
		return d.memberships(w, groups, batch)
	}
	for _, one := range batch {
		one.link = groups[one.id()]
		if one.Decision, err = d.groupDecision(w, one); err != nil {
			return err
		}
		if d.claims != nil && one.Writes() {
			d.claims.groups[one.id()] = one.Account
			if one.Action == reconcile.Unlink {
				d.claims.groups[one.id()] = ""
			}
		}
	}
	return nil
}

func (d *decider) groupDecision(w *world, one *decided) (reconcile.Decision, error) {
	var g *directory.Group
	if one.link != nil {
		var err error
		g, err = w.r.Group(d.im.Realm, one.link.Account)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return reconcile.Decision{}, err
		}
	}
	if one.item.Delete {
		if g == nil {
			return reconcile.Decision{Action: reconcile.Unchanged, Reason: "The source never told of this group."}, nil
		}
		return reconcile.Decision{Action: reconcile.Unlink, Account: g.ID, Before: g.Profile}, nil
	}
	after := groupProfile(one.item.Group.Profile)
	if err := w.sourcing.CheckGroup(after); err != nil {
		return reconcile.Decision{Action: reconcile.Fail, Code: reconcile.BadValue, Reason: fault.Public(err)}, nil
	}
	switch {
	case g == nil:
		return reconcile.Decision{Action: reconcile.Create, Account: w.sourcing.NewGroupID(), After: after}, nil
	case value.Equal(g.Profile, after):
		return reconcile.Decision{Action: reconcile.Unchanged, Account: g.ID}, nil
	}
	return reconcile.Decision{Action: reconcile.Update, Account: g.ID, Before: g.Profile, After: after}, nil
}

func (d *decider) memberships(w *world, groups map[string]*Link, batch []*decided) error {
	members := make([]string, len(batch))
	for i, one := range batch {
		members[i] = one.item.Member
	}
	links, err := w.r.ImportLinks(d.source.ID, UserKind, members)
	if err != nil {
		return err
	}
	people := make(map[string]string, len(links))
	for _, l := range links {
		if l.State == reconcile.Linked {
			people[l.ExternalID] = l.Account
		}
	}
	for _, one := range batch {
		group, account := "", people[one.item.Member]
		if l := groups[one.id()]; l != nil {
			group = l.Account
		}
		if d.claims != nil {
			if id, ok := d.claims.groups[one.id()]; ok {
				group = id
			}
			if id, ok := d.claims.people[one.item.Member]; ok {
				account = id
			}
		}
		one.Decision, err = d.membership(w, one, group, account)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *decider) membership(w *world, one *decided, group, account string) (reconcile.Decision, error) {
	if group == "" || account == "" {
		if one.item.Delete {
			return reconcile.Decision{Action: reconcile.Unchanged}, nil
		}
		what := "There is no such group in the source."
		if group != "" {
			what = "The source has no such person, or the person waits to be confirmed."
		}
		return reconcile.Decision{Action: reconcile.Fail, Code: reconcile.BadValue, Reason: what}, nil
	}
	in := false
	for m, err := range w.r.Memberships(d.im.Realm, []string{account}) {
		if err != nil {
			return reconcile.Decision{}, err
		}
		in = in || m.Group == group
	}
	out := reconcile.Decision{Action: reconcile.Unchanged, Account: group}
	switch {
	case in && one.item.Delete:
		out.Action = reconcile.Unlink
	case !in && !one.item.Delete:
		out.Action = reconcile.Create
	}
	return out, nil
}

// group carries out what was decided about a group or a membership.
func (x *hand) group(one *decided) error {
	if !one.Writes() {
		return nil
	}
	if one.item.Kind == MembershipKind {
		return x.member(one)
	}
	id := one.item.Group.ExternalID
	if one.Action == reconcile.Create {
		g, err := x.sourcing.CreateGroup(one.Account, one.After)
		if err != nil {
			return err
		}
		x.note("system.import.group.create", directory.TargetOfGroup(g))
		return x.tx.PutImportLinks([]Link{{Source: x.source.ID, Kind: GroupKind, Link: reconcile.Link{ExternalID: id, Account: g.ID, State: reconcile.Linked}}})
	}
	g, err := x.tx.Group(x.im.Realm, one.Account)
	if err != nil {
		return err
	}
	if one.Action == reconcile.Update {
		if _, err := x.sourcing.EditGroup(g, one.After); err != nil {
			return err
		}
		x.note("system.import.group.update", directory.TargetOfGroup(g))
		return nil
	}
	x.note("system.import.group.delete", directory.TargetOfGroup(g))
	if err := x.sourcing.DeleteGroup(g); err != nil {
		return err
	}
	return x.tx.DeleteImportLinks(x.source.ID, GroupKind, []string{id})
}

func (x *hand) member(one *decided) error {
	g, err := x.tx.Group(x.im.Realm, one.Account)
	if err != nil {
		return err
	}
	links, err := x.tx.ImportLinks(x.source.ID, UserKind, []string{one.item.Member})
	if err != nil {
		return err
	}
	if len(links) == 0 || links[0].Account == "" {
		return fault.New(fault.NotFound, "the source has no such person")
	}
	a, err := x.tx.Account(x.im.Realm, links[0].Account)
	if err != nil {
		return err
	}
	if one.Action == reconcile.Create {
		_, err = x.sourcing.Join(g, a)
	} else {
		_, err = x.sourcing.Leave(g, a)
	}
	return err
}
