package importer

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Single people, groups and memberships, which change at once and without a
// session (okta.md 3.1). They are decided about and carried out as in one, in one
// transaction.

// singly decides about records, one by one, and carries them out. What fails is an
// error.
func (im *Importer) singly(tx Tx, actor directory.Actor, source, event string, items ...item) error {
	x, err := im.outsideSessions(tx, actor, source)
	if err != nil {
		return err
	}
	for i := range items {
		if err := x.single(&items[i]); err != nil {
			return err
		}
		x.sourcing.Note(event, directory.Outcome{})
	}
	return x.sourcing.Flush()
}

// outsideSessions is what changes the people and groups of a source without a session.
func (im *Importer) outsideSessions(tx Tx, actor directory.Actor, source string) (*hand, error) {
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
	return &hand{decider: d, world: w, tx: tx}, err
}

func (x *hand) single(it *item) error {
	one := &decided{item: it}
	if err := x.decide(one); err != nil {
		return err
	}
	if one.Action == reconcile.Fail || one.Action == reconcile.Hold && !waits(one) {
		return why(one)
	}
	if it.Kind == UserKind {
		return x.people([]*decided{one})
	}
	return x.group(one)
}

// waits reports whether somebody who is held waits to be confirmed with what was
// said of them. Of others nothing would be kept: whoever says it has to be told.
func waits(one *decided) bool {
	return one.person() != nil && (one.link0() == nil || one.link0().Account == "" || one.Account != one.link0().Account)
}

func (x *hand) decide(one *decided) error {
	batch := []*decided{one}
	if one.item.Kind != UserKind {
		return x.groupBatch(x.world, one.item.Kind, batch)
	}
	if err := x.decider.links(x.world, batch); err != nil {
		return err
	}
	return x.decider.people(x.world, batch)
}

// why is the error that says why a record cannot be carried out.
func why(one *decided) error {
	if one.Code == reconcile.NameTaken {
		return directory.Duplicate("login")
	}
	return fault.New(fault.Invalid, "%s", one.Reason).Fix("%s", one.Remedy)
}

// Users returns the people of a source behind an externalId, at most limit.
func (im *Importer) Users(ctx context.Context, source, after string, limit int) (out []*User, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		out = nil
		if _, err := im.source(r, source); err != nil {
			return err
		}
		var links []Link
		for l, err := range r.EachImportLink(LinkQuery{Source: source, Kind: UserKind, After: after, Limit: limit}) {
			if err != nil {
				return err
			}
			links = append(links, l)
		}
		for i := range links {
			u, err := im.user(r, &links[i])
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			out = append(out, u)
		}
		return nil
	})
	return out, err
}

// User returns somebody of a source by externalId. *directory.Missing with UserNoun.
func (im *Importer) User(ctx context.Context, source, externalID string) (u *User, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		u, err = im.findUser(r, source, externalID)
		return err
	})
	return u, err
}

func (im *Importer) findUser(r Reader, source, externalID string) (*User, error) {
	if _, err := im.source(r, source); err != nil {
		return nil, err
	}
	links, err := r.ImportLinks(source, UserKind, []string{externalID})
	if err != nil {
		return nil, err
	}
	if len(links) == 0 {
		return nil, directory.NotFound(UserNoun, externalID)
	}
	return im.user(r, &links[0])
}

// user is how a source has somebody: by the assignment, or by what is known of who
// waits to be confirmed.
func (im *Importer) user(r directory.Reader, l *Link) (*User, error) {
	if l.State == reconcile.Unconfirmed || l.State == reconcile.Ignored {
		return &User{ID: l.ExternalID, ExternalID: l.ExternalID, Profile: l.Profile}, nil
	}
	a, err := directory.Get[directory.AppUser](r, im.Realm, l.Source+"/"+l.Account)
	if fault.Is(err, fault.NotFound) {
		return nil, directory.NotFound(UserNoun, l.ExternalID)
	}
	if err != nil {
		return nil, err
	}
	return &User{ID: a.Assignment, Account: a.Account, ExternalID: l.ExternalID, Created: a.Created, Updated: a.Updated, Profile: a.Profile}, nil
}

// put brings one person in. change makes the record of what there is, nil for
// nobody.
func (im *Importer) put(ctx context.Context, actor directory.Actor, source, externalID, event string, change func(*User) (Record, error)) (u *User, err error) {
	err = im.Store.Update(ctx, func(tx Tx) error {
		before, err := im.findUser(tx, source, externalID)
		if err != nil && !isMissing(err, UserNoun) {
			return err
		}
		record, err := change(before)
		if err != nil {
			return err
		}
		p := &reconcile.Person{ExternalID: record.ExternalID, Profile: record.Profile, Presence: reconcile.Present}
		if err := im.singly(tx, actor, source, event, item{Kind: UserKind, Person: p}); err != nil {
			return err
		}
		u, err = im.findUser(tx, source, externalID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func isMissing(err error, noun directory.Noun) bool {
	var m *directory.Missing
	return errors.As(err, &m) && m.Noun == noun
}

// CreateUser brings one person in at once, as a session with nobody else would.
// directory.Violations; a taken externalId is a fault.Conflict.
func (im *Importer) CreateUser(ctx context.Context, actor directory.Actor, source string, r Record) (*User, error) {
	return im.put(ctx, actor, source, r.ExternalID, "system.identity_sources.user.create", func(before *User) (Record, error) {
		if before != nil {
			return r, directory.Duplicate("externalId")
		}
		return r, nil
	})
}

// PutUser replaces what the source says of somebody: attributes that are not
// named become unset.
func (im *Importer) PutUser(ctx context.Context, actor directory.Actor, source string, r Record) (*User, error) {
	return im.put(ctx, actor, source, r.ExternalID, "system.identity_sources.user.update", func(before *User) (Record, error) {
		if before == nil {
			return r, directory.NotFound(UserNoun, r.ExternalID)
		}
		profile := map[string]any{}
		for name := range before.Profile { // what is not said any more is unset
			profile[name] = nil
		}
		maps.Copy(profile, r.Profile)
		return Record{r.ExternalID, profile}, nil
	})
}

// PatchUser changes the attributes that are named; nil values unset.
func (im *Importer) PatchUser(ctx context.Context, actor directory.Actor, source string, r Record) (*User, error) {
	return im.put(ctx, actor, source, r.ExternalID, "system.identity_sources.user.update", func(before *User) (Record, error) {
		if before == nil {
			return r, directory.NotFound(UserNoun, r.ExternalID)
		}
		profile := maps.Clone(before.Profile)
		if profile == nil {
			profile = map[string]any{}
		}
		maps.Copy(profile, r.Profile)
		return Record{r.ExternalID, profile}, nil
	})
}

// DeleteUser removes somebody, as a session that deletes them would.
func (im *Importer) DeleteUser(ctx context.Context, actor directory.Actor, source, externalID string) error {
	return im.Store.Update(ctx, func(tx Tx) error {
		if _, err := im.findUser(tx, source, externalID); err != nil {
			return err
		}
		return im.singly(tx, actor, source, "system.identity_sources.user.delete", deletion(externalID))
	})
}

// Group returns a group of a source by its id or externalId. *directory.Missing with GroupNoun.
func (im *Importer) Group(ctx context.Context, source, ref string) (g *Group, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		g, err = im.findGroup(r, source, ref)
		return err
	})
	return g, err
}

func (im *Importer) findGroup(r Reader, source, ref string) (*Group, error) {
	if _, err := im.source(r, source); err != nil {
		return nil, err
	}
	links, err := r.ImportLinks(source, GroupKind, []string{ref})
	if err != nil {
		return nil, err
	}
	if len(links) == 0 {
		to, err := r.ImportLinksTo([]string{ref})
		if err != nil {
			return nil, err
		}
		links = slices.DeleteFunc(to, func(l Link) bool { return l.Kind != GroupKind || l.Source != source })
	}
	if len(links) == 0 {
		return nil, directory.NotFound(GroupNoun, ref)
	}
	g, err := r.Group(im.Realm, links[0].Account)
	if fault.Is(err, fault.NotFound) {
		return nil, directory.NotFound(GroupNoun, ref)
	}
	if err != nil {
		return nil, err
	}
	profile := map[string]any{"displayName": g.Name()}
	if d, ok := g.Profile["description"]; ok {
		profile["description"] = d
	}
	return &Group{ID: g.ID, ExternalID: links[0].ExternalID, Profile: profile}, nil
}

// putGroup makes or changes a group.
func (im *Importer) putGroup(ctx context.Context, actor directory.Actor, source, ref, event string, change func(*Group) (Record, error)) (g *Group, err error) {
	err = im.Store.Update(ctx, func(tx Tx) error {
		before, err := im.findGroup(tx, source, ref)
		if err != nil && !isMissing(err, GroupNoun) {
			return err
		}
		record, err := change(before)
		if err != nil {
			return err
		}
		if err := im.singly(tx, actor, source, event, item{Kind: GroupKind, Group: &record}); err != nil {
			return err
		}
		g, err = im.findGroup(tx, source, record.ExternalID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return g, im.Directory.FinishRules(ctx, im.Realm)
}

// CreateGroup makes a group. A taken externalId is a fault.Conflict.
func (im *Importer) CreateGroup(ctx context.Context, actor directory.Actor, source string, r Record) (*Group, error) {
	return im.putGroup(ctx, actor, source, r.ExternalID, "system.identity_sources.group.create", func(before *Group) (Record, error) {
		if before != nil {
			return r, directory.Duplicate("externalId")
		}
		return r, nil
	})
}

// PutGroup replaces the profile of a group by its id or externalId.
func (im *Importer) PutGroup(ctx context.Context, actor directory.Actor, source, ref string, profile map[string]any) (*Group, error) {
	return im.putGroup(ctx, actor, source, ref, "system.identity_sources.group.update", func(before *Group) (Record, error) {
		if before == nil {
			return Record{}, directory.NotFound(GroupNoun, ref)
		}
		return Record{before.ExternalID, profile}, nil
	})
}

// DeleteGroup removes a group with its memberships.
func (im *Importer) DeleteGroup(ctx context.Context, actor directory.Actor, source, ref string) error {
	err := im.Store.Update(ctx, func(tx Tx) error {
		g, err := im.findGroup(tx, source, ref)
		if err != nil {
			return err
		}
		return im.singly(tx, actor, source, "system.identity_sources.group.delete", item{Kind: GroupKind, Delete: true, Group: &Record{ExternalID: g.ExternalID}})
	})
	if err != nil {
		return err
	}
	return im.Directory.FinishRules(ctx, im.Realm)
}

// GroupMembers returns externalIds of members of a group behind one, at most limit.
func (im *Importer) GroupMembers(ctx context.Context, source, group, after string, limit int) (out []string, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		out = nil
		g, err := im.findGroup(r, source, group)
		if err != nil {
			return err
		}
		var accounts []string
		for m, err := range r.Members(im.Realm, g.ID, "") {
			if err != nil {
				return err
			}
			accounts = append(accounts, m.ID)
		}
		links, err := r.ImportLinksTo(accounts)
		if err != nil {
			return err
		}
		for _, l := range links {
			if l.Source == source && l.Kind == UserKind && l.State == reconcile.Linked && l.ExternalID > after {
				out = append(out, l.ExternalID)
			}
		}
		slices.Sort(out)
		if limit > 0 && len(out) > limit {
			out = out[:limit]
		}
		return nil
	})
	return out, err
}

// AddGroupMembers puts people into a group, by their externalIds.
func (im *Importer) AddGroupMembers(ctx context.Context, actor directory.Actor, source, group string, members []string) error {
	return im.moveMembers(ctx, actor, source, group, members, false)
}

// RemoveGroupMember takes somebody out of a group.
func (im *Importer) RemoveGroupMember(ctx context.Context, actor directory.Actor, source, group, member string) error {
	return im.moveMembers(ctx, actor, source, group, []string{member}, true)
}

func (im *Importer) moveMembers(ctx context.Context, actor directory.Actor, source, group string, members []string, remove bool) error {
	event := "system.identity_sources.group.user.assign"
	if remove {
		event = "system.identity_sources.group.user.revoke"
	}
	return im.Store.Update(ctx, func(tx Tx) error {
		g, err := im.findGroup(tx, source, group)
		if err != nil {
			return err
		}
		for _, member := range members {
			if _, err := im.findUser(tx, source, member); err != nil {
				return err
			}
		}
		moves := Membership{Group: g.ExternalID, Members: members}
		return im.singly(tx, actor, source, event, moves.items(remove)...)
	})
}
