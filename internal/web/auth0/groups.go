package auth0

import (
	"net/http"
	"net/url"
	"regexp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Groups come from enterprise connections: only SCIM writes them.
func (a *API) groupRoutes() []route {
	return []route{
		op("GET", "/groups", a.listGroups, "read:groups"),
		op("GET", "/groups/{id}", a.getGroup, "read:groups"),
		op("DELETE", "/groups/{id}", a.deleteGroup, "delete:groups"),
		op("GET", "/groups/{id}/members", a.listGroupMembers, "read:group_members"),
		op("GET", "/users/{id}/groups", a.listUserGroups, "read:groups"),
	}
}

var (
	groupFields       = []string{"id", "name", "external_id", "organization_id", "connection_id", "tenant_name", "description", "created_at", "updated_at"}
	userGroupFields   = append(groupFields[:len(groupFields):len(groupFields)], "membership_created_at")
	groupMemberFields = []string{"id", "member_type", "type", "connection_id", "created_at"}

	groupIDProperty = property{
		min: 18, max: 26, pattern: regexp.MustCompile(`^grp_[1-9a-km-zA-HJ-NP-Z]{14,22}$`),
		about: "Unique identifier for the group (service-generated).",
	}
	groupNameProperty     = property{min: 1, max: 128, pattern: regexp.MustCompile(`^[\x20-\x7E]+$`), about: "Filter groups by name."}
	groupExternalProperty = property{max: 256, about: "Filter groups by external ID."}
	groupSearchProperty   = property{min: 1, max: 256, about: "Search for groups by name or external ID."}
)

// group is the wire form of a group (Auth0's OpenAPI document: Group). connection
// is the id of its connection.
func group(g *directory.Group, connection, tenantName string) web.Object {
	o := web.Object{{Key: "id", Value: g.ID}, {Key: "name", Value: g.Name()}}
	if id, _ := g.Resource["externalId"].(string); id != "" {
		o = append(o, web.Field{Key: "external_id", Value: id})
	}
	return append(o,
		web.Field{Key: "connection_id", Value: connection},
		web.Field{Key: "tenant_name", Value: tenantName},
		web.Field{Key: "created_at", Value: date(g.Created)},
		web.Field{Key: "updated_at", Value: date(g.Updated)},
	)
}

// readGroupID refuses ids that no group has.
func readGroupID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if wrong := groupIDProperty.checkText(id); wrong != "" {
		return "", badPath(wrong, "id", groupIDProperty.about)
	}
	return id, nil
}

// listGroups is GET /groups.
func (a *API) listGroups(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true, unlimited: true}
	q := r.URL.Query()
	l, show, err := readList(q, s, groupFields...)
	if err != nil {
		return err
	}
	query, err := readGroupQuery(q)
	if err != nil {
		return err
	}
	p, err := a.tenant.Groups(r.Context(), query, l.window())
	if err != nil {
		return err
	}
	name := a.tenantName(r)
	rows := rowsOf(p, func(g tenant.Group) web.Object { return show(group(g.Group, g.Connection, name)) })
	return l.write(w, s, "groups", rows, restOf(p, tenant.Group.Mark))
}

func readGroupQuery(q url.Values) (out tenant.GroupQuery, err error) {
	out.Connection = q.Get("connection_id")
	if out.Name, err = queryText(q, "name", groupNameProperty); err != nil {
		return out, err
	}
	if out.ExternalID, err = queryText(q, "external_id", groupExternalProperty); err != nil {
		return out, err
	}
	out.Search, err = queryText(q, "search", groupSearchProperty)
	return out, err
}

func (a *API) getGroup(w http.ResponseWriter, r *http.Request) error {
	id, err := readGroupID(r)
	if err != nil {
		return err
	}
	g, err := a.tenant.Group(r.Context(), id)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, group(g.Group, g.Connection, a.tenantName(r)))
}

func (a *API) deleteGroup(w http.ResponseWriter, r *http.Request) error {
	id, err := readGroupID(r)
	if err != nil {
		return err
	}
	if err := a.tenant.DeleteGroup(r.Context(), actor(r), id); err != nil {
		return err
	}
	return noContent(w)
}

// listGroupMembers is a list by checkpoint, in the order of the members' ids.
// When somebody became a member is not kept: created_at is when the members last
// changed.
func (a *API) listGroupMembers(w http.ResponseWriter, r *http.Request) error {
	s := style{only: true}
	q := r.URL.Query()
	l, show, err := readList(q, s, groupMemberFields...)
	if err != nil {
		return err
	}
	id, err := readGroupID(r)
	if err != nil {
		return err
	}
	g, p, err := a.tenant.GroupMembers(r.Context(), id, l.window())
	if err != nil {
		return err
	}
	rows := rowsOf(p, func(member string) web.Object {
		return show(web.Object{
			{Key: "id", Value: member},
			{Key: "member_type", Value: "user"},
			{Key: "type", Value: "connection"},
			{Key: "connection_id", Value: g.Connection},
			{Key: "created_at", Value: date(g.MembershipUpdated)},
		})
	})
	mark := func(member string) tenant.Mark { return tenant.Mark{At: g.MembershipUpdated, ID: member} }
	return l.write(w, s, "members", rows, restOf(p, mark))
}

// listUserGroups is GET /users/{id}/groups.
func (a *API) listUserGroups(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true, unlimited: true}
	q := r.URL.Query()
	l, show, err := readList(q, s, userGroupFields...)
	if err != nil {
		return err
	}
	p, err := a.tenant.UserGroups(r.Context(), r.PathValue("id"), l.window())
	if err != nil {
		return err
	}
	name := a.tenantName(r)
	rows := rowsOf(p, func(g tenant.Group) web.Object {
		return show(append(group(g.Group, g.Connection, name), web.Field{Key: "membership_created_at", Value: date(g.MembershipUpdated)}))
	})
	return l.write(w, s, "groups", rows, restOf(p, tenant.Group.Mark))
}
