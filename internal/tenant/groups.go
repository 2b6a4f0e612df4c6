package tenant

import (
	"context"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Group is a group of an enterprise connection. The directory keeps it; only the
// connection's provider writes it.
type Group struct {
	*directory.Group
	Connection string // id of the connection; that of the directory's group is its name
}

// Mark returns the group's place in the list.
func (g Group) Mark() Mark { return Mark{g.Created, g.ID} }

// GroupQuery selects groups. The zero value selects all.
type GroupQuery struct {
	Connection string // id
	Name       string // compared without case
	ExternalID string
	Search     string // in the name or the external id, without case
}

func (q GroupQuery) match(g *directory.Group) bool {
	external, _ := g.Resource["externalId"].(string)
	search := directory.Fold(q.Search)
	return (q.ExternalID == "" || external == q.ExternalID) &&
		(strings.Contains(directory.Fold(g.Name()), search) || strings.Contains(directory.Fold(external), search))
}

// Groups returns groups of connections, in the order of their ids. A connection
// that does not exist has none.
func (t *Tenant) Groups(ctx context.Context, q GroupQuery, w Window) (p Page[Group], err error) {
	query := directory.GroupQuery{Realm: t.Realm, Type: directory.ConnectionGroup, After: w.After.ID, Name: directory.Fold(q.Name)}
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if q.Connection != "" {
			c, err := directory.Get[Connection](r, t.Realm, q.Connection)
			if fault.Is(err, fault.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			query.Connection = c.Name
		}
		p, err = t.groups(r, query, w, q.match)
		return err
	})
	return p, err
}

// UserGroups returns the groups that a user is in.
func (t *Tenant) UserGroups(ctx context.Context, account string, w Window) (p Page[Group], err error) {
	query := directory.GroupQuery{Realm: t.Realm, Type: directory.ConnectionGroup, After: w.After.ID, Member: account}
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := r.Account(t.Realm, account); err != nil {
			return err
		}
		p, err = t.groups(r, query, w, func(*directory.Group) bool { return true })
		return err
	})
	return p, err
}

// groups reads the part of a list of groups that a window shows.
func (t *Tenant) groups(r directory.Reader, q directory.GroupQuery, w Window, match func(*directory.Group) bool) (p Page[Group], err error) {
	var found []*directory.Group
	seen := 0
	for g, err := range r.Groups(q) {
		if err != nil {
			return p, err
		}
		if !match(g) {
			continue
		}
		if seen++; seen <= w.Skip {
			continue
		}
		if w.Limit == 0 || len(found) < w.Limit {
			found = append(found, g)
			continue
		}
		if p.More = true; !w.Total {
			break
		}
	}
	if w.Total {
		p.Total = seen
	}
	ids := map[string]string{} // of connections by name
	for _, g := range found {
		one, err := t.group(r, g, ids)
		if err != nil {
			return p, err
		}
		p.Items = append(p.Items, one)
	}
	return p, nil
}

// group adds the id of its connection to a group.
func (t *Tenant) group(r directory.Reader, g *directory.Group, ids map[string]string) (Group, error) {
	id, ok := ids[g.Connection]
	if !ok {
		c, err := directory.GetByKey[Connection](r, t.Realm, g.Connection)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return Group{}, err
		}
		if c != nil {
			id = c.ID
		}
		ids[g.Connection] = id
	}
	return Group{g, id}, nil
}

// Group returns a group of a connection.
func (t *Tenant) Group(ctx context.Context, id string) (g Group, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		g, err = t.groupByID(r, id)
		return err
	})
	return g, err
}

func (t *Tenant) groupByID(r directory.Reader, id string) (Group, error) {
	g, err := r.Group(t.Realm, id)
	if err != nil {
		return Group{}, err
	}
	if g.Type != directory.ConnectionGroup {
		return Group{}, directory.NotFound(directory.GroupNoun, id)
	}
	return t.group(r, g, map[string]string{})
}

// GroupMembers returns a group with the ids of its members, in the order of these.
// Its cost grows with the page, not with the group.
func (t *Tenant) GroupMembers(ctx context.Context, id string, w Window) (g Group, p Page[string], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if g, err = t.groupByID(r, id); err != nil {
			return err
		}
		for member, err := range r.Members(t.Realm, id, w.After.ID) {
			if err != nil {
				return err
			}
			if w.Limit > 0 && len(p.Items) == w.Limit {
				p.More = true
				break
			}
			p.Items = append(p.Items, member.ID)
		}
		return nil
	})
	return g, p, err
}

// DeleteGroup removes a group of a connection with its memberships.
func (t *Tenant) DeleteGroup(ctx context.Context, actor directory.Actor, id string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		g, err := t.groupByID(tx, id)
		if err != nil {
			return err
		}
		return t.Directory.RemoveConnectedGroup(tx, actor, g.Group)
	})
}
