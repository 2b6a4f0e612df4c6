package inbound

import (
	"context"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
)

// group returns a group of the connection.
func (e *Endpoint) group(r directory.Reader, id string) (*directory.Group, error) {
	g, err := r.Group(e.realm(), id)
	if err != nil {
		return nil, err
	}
	if g.Type != directory.ConnectionGroup || g.Connection != e.connection.Name {
		return nil, directory.NotFound(directory.GroupNoun, id)
	}
	return g, nil
}

// groupVersion is the entity tag of a group: profile and membership change apart.
func groupVersion(g *directory.Group) string {
	return `W/"` + strconv.FormatInt(g.Version, 10) + "-" + strconv.FormatInt(g.MembershipUpdated.UnixMicro(), 36) + `"`
}

// groupResource is what a client is shown of a group, its members only when they
// are wanted: there may be very many.
func (e *Endpoint) groupResource(r directory.Reader, g *directory.Group, withMembers bool) (scim.Resource, error) {
	out := shallow(g.Resource)
	out["displayName"] = g.Name()
	out["schemas"] = schemas(e.groups, out)
	if withMembers {
		members, err := e.members(r, g.ID)
		if err != nil {
			return nil, err
		}
		put(out, "members", elements(members))
	}
	modified := g.Updated
	if g.MembershipUpdated.After(modified) {
		modified = g.MembershipUpdated
	}
	stamp(out, e.groups, g.ID, g.Created, modified, groupVersion(g))
	return out, nil
}

func (e *Endpoint) members(r directory.Reader, group string) ([]directory.Member, error) {
	var list []directory.Member
	for m, err := range r.Members(e.realm(), group, "") {
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// elements shows members. A name is one that a client gave: none is made up.
func elements(members []directory.Member) []any {
	out := make([]any, len(members))
	for i, m := range members {
		o := map[string]any{"value": m.ID, "type": "User"}
		if m.Display != "" {
			o["display"] = m.Display
		}
		out[i] = o
	}
	return out
}

// readMembers reads the members of a resource, each once. Groups in groups are
// refused: Auth0 takes users only (scim-auth0.md 1.4).
func readMembers(list any) ([]directory.Member, error) {
	given, _ := list.([]any)
	seen := make(map[string]bool, len(given))
	members := make([]directory.Member, 0, len(given))
	for _, m := range given {
		o, _ := m.(map[string]any)
		id, _ := o["value"].(string)
		display, _ := o["display"].(string)
		switch {
		case o["type"] == "Group":
			return nil, scim.Fail(scim.InvalidValue, "members of a group are users")
		case id == "":
			return nil, scim.Fail(scim.InvalidValue, "a member has no value")
		case !seen[id]:
			seen[id] = true
			members = append(members, directory.Member{ID: id, Display: display})
		}
	}
	return members, nil
}

// groupProfile is what the directory knows of a group beside its resource.
func groupProfile(r scim.Resource) map[string]any {
	return map[string]any{"name": r["displayName"]}
}

func (w *work) createGroup(ctx context.Context, given scim.Resource) (made scim.Resource, err error) {
	members, err := w.bodyMembers(given)
	if err != nil {
		return nil, err
	}
	g := &directory.Group{
		ID: w.directory().IDs.EnterpriseGroup(), Realm: w.realm(), Type: directory.ConnectionGroup, Connection: w.connection.Name,
		Resource: kept(given), Profile: groupProfile(given),
	}
	err = w.update(ctx, func(tx directory.Tx) error {
		n, err := tx.CountGroups(w.realm(), w.connection.Name)
		if err != nil {
			return err
		}
		if n >= w.limits.Groups {
			return failed(fault.TooLarge, 400, scim.TooMany, "the connection has "+strconv.Itoa(n)+" groups, which is the most")
		}
		if err := w.directory().CreateConnectedGroup(tx, w.actor(), g); err != nil {
			return nameTaken(err)
		}
		if err := w.enlist(tx, g, members); err != nil {
			return err
		}
		made, err = w.groupResource(tx, g, true)
		return err
	})
	return made, err
}

// bodyMembers reads the members of the body of a POST or PUT.
func (w *work) bodyMembers(given scim.Resource) ([]directory.Member, error) {
	members, err := readMembers(given["members"])
	if err == nil && len(members) > w.limits.MembersInBody {
		err = scim.Fail(scim.TooLarge, "a request holds at most %d members; add others by PATCH", w.limits.MembersInBody)
	}
	return members, err
}

func nameTaken(err error) error {
	if fault.Is(err, fault.Conflict) {
		return scim.Fail(scim.Uniqueness, "displayName is taken by another group")
	}
	return err
}

// replaceGroup is PUT: the members become those of the body.
func (w *work) replaceGroup(ctx context.Context, id, ifMatch string, change func(scim.Resource) (scim.Resource, error)) (out scim.Resource, err error) {
	err = w.changeGroup(ctx, id, ifMatch, func(tx directory.Tx, g *directory.Group) error {
		current, err := w.groupResource(tx, g, false)
		if err != nil {
			return err
		}
		next, err := change(current)
		if err != nil {
			return err
		}
		members, err := w.bodyMembers(next)
		if err != nil {
			return err
		}
		out, err = w.overwrite(tx, g, next, members)
		return err
	})
	return out, err
}

// overwrite saves a group and its members, and returns what became of it.
func (w *work) overwrite(tx directory.Tx, g *directory.Group, next scim.Resource, members []directory.Member) (scim.Resource, error) {
	g, err := w.storeGroup(tx, g, next)
	if err != nil {
		return nil, err
	}
	if err := w.setMembers(tx, g, members); err != nil {
		return nil, err
	}
	if g, err = w.group(tx, g.ID); err != nil {
		return nil, err
	}
	return w.groupResource(tx, g, true)
}

func (w *work) changeGroup(ctx context.Context, id, ifMatch string, f func(directory.Tx, *directory.Group) error) error {
	return w.update(ctx, func(tx directory.Tx) error {
		g, err := w.group(tx, id)
		if err == nil {
			err = w.match(ifMatch, groupVersion(g))
		}
		if err != nil {
			return err
		}
		return f(tx, g)
	})
}

// storeGroup saves a group's resource and name, unless they are the same.
func (w *work) storeGroup(tx directory.Tx, before *directory.Group, next scim.Resource) (*directory.Group, error) {
	after := directory.CloneGroup(before)
	after.Resource, after.Profile = kept(next), groupProfile(next)
	if value.Equal(before.Resource, after.Resource) && before.Name() == after.Name() {
		return before, nil
	}
	if err := w.directory().SaveConnectedGroup(tx, w.actor(), before, after); err != nil {
		return nil, nameTaken(err)
	}
	return after, nil
}

// patchGroup works out what operations do to the members without loading those
// that it does not touch, where that is possible.
func (w *work) patchGroup(ctx context.Context, id string, ops []scim.Operation, ifMatch string) (out scim.Resource, err error) {
	change, notes, ok := w.groups.Members(ops, w.leniency)
	if !ok {
		return w.patchWholeGroup(ctx, id, ops, ifMatch)
	}
	w.notes = append(w.notes, notes...)
	add, err := readMembers(anys(change.Add))
	if err != nil {
		return nil, err
	}
	if n := len(add) + len(change.Remove); n > w.limits.MembersInPatch {
		return nil, scim.Fail(scim.TooLarge, "a PATCH names at most %d members, not %d", w.limits.MembersInPatch, n)
	}
	return nil, w.changeGroup(ctx, id, ifMatch, func(tx directory.Tx, g *directory.Group) error {
		g, err := w.setAttributes(tx, g, change.Set)
		if err != nil {
			return err
		}
		if change.Clear {
			return w.setMembers(tx, g, add)
		}
		if err := w.discharge(tx, g, change.Remove); err != nil {
			return err
		}
		return w.enlist(tx, g, add)
	})
}

func anys(list []scim.Resource) []any {
	out := make([]any, len(list))
	for i, m := range list {
		out[i] = m
	}
	return out
}

func (w *work) setAttributes(tx directory.Tx, g *directory.Group, set map[string]any) (*directory.Group, error) {
	if len(set) == 0 {
		return g, nil
	}
	next := shallow(g.Resource)
	for name, v := range set {
		put(next, name, v)
	}
	if next["displayName"] == nil {
		return nil, scim.Fail(scim.InvalidValue, "displayName is required")
	}
	return w.storeGroup(tx, g, next)
}

// patchWholeGroup applies operations that only the whole group can answer.
func (w *work) patchWholeGroup(ctx context.Context, id string, ops []scim.Operation, ifMatch string) (out scim.Resource, err error) {
	err = w.changeGroup(ctx, id, ifMatch, func(tx directory.Tx, g *directory.Group) error {
		current, err := w.groupResource(tx, g, true)
		if err != nil {
			return err
		}
		next, notes, err := w.groups.Patch(current, ops, w.leniency)
		w.notes = append(w.notes, notes...)
		if err != nil {
			return err
		}
		members, err := readMembers(next["members"])
		if err != nil {
			return err
		}
		out, err = w.overwrite(tx, g, next, members)
		return err
	})
	return out, err
}

func (e *Endpoint) deleteGroup(tx directory.Tx, id, ifMatch string) error {
	g, err := e.group(tx, id)
	if err == nil {
		err = e.match(ifMatch, groupVersion(g))
	}
	if err != nil {
		return err
	}
	_, err = tx.DeleteRecords(directory.RecordQuery{Realm: e.realm(), Noun: directory.DeferredMemberNoun, Parent: id})
	if err != nil {
		return err
	}
	return e.directory().RemoveConnectedGroup(tx, e.actor(), g)
}
