package auth0

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) organizationRoutes() []route {
	return []route{
		op("GET", "/organizations", a.listOrganizations, "read:organizations", "read:organizations_summary"),
		op("POST", "/organizations", a.createOrganization, "create:organizations", "create:organization_connections"),
		op("GET", "/organizations/name/{name}", a.getOrganizationByName, "read:organizations"),
		op("GET", "/organizations/{id}", a.getOrganization, "read:organizations", "read:organizations_summary"),
		op("PATCH", "/organizations/{id}", a.updateOrganization, "update:organizations"),
		op("DELETE", "/organizations/{id}", a.deleteOrganization, "delete:organizations"),

		op("GET", "/organizations/{id}/members", a.listOrgMembers, "read:organization_members"),
		op("POST", "/organizations/{id}/members", a.addOrgMembers, "create:organization_members"),
		op("DELETE", "/organizations/{id}/members", a.removeOrgMembers, "delete:organization_members"),
		op("GET", "/organizations/{id}/members/{user_id}/roles", a.listOrgMemberRoles, "read:organization_member_roles"),
		op("POST", "/organizations/{id}/members/{user_id}/roles", a.assignOrgMemberRoles, "create:organization_member_roles"),
		op("DELETE", "/organizations/{id}/members/{user_id}/roles", a.removeOrgMemberRoles, "delete:organization_member_roles"),

		op("GET", "/users/{id}/organizations", a.listUserOrganizations, "read:organizations"),
	}
}

// organization is the wire form of an organization. Its keys have another order
// in each operation (recorded); order names those that come first.
func organization(o *tenant.Organization, order ...string) web.Object {
	out := web.Object{{Key: "id", Value: o.ID}, {Key: "name", Value: o.Name}}
	if o.DisplayName != "" {
		out = append(out, web.Field{Key: "display_name", Value: o.DisplayName})
	}
	for _, part := range []struct {
		key   string
		value map[string]any
	}{{"branding", o.Branding}, {"metadata", o.Metadata}, {"token_quota", o.TokenQuota}} {
		if len(part.value) > 0 {
			out = append(out, web.Field{Key: part.key, Value: part.value})
		}
	}
	rank := func(f web.Field) int {
		if i := slices.Index(order, f.Key); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(out, func(x, y web.Field) int { return cmp.Compare(rank(x), rank(y)) })
	return out
}

// The recorded orders of keys.
var (
	createdOrder = []string{"id", "display_name", "name", "branding"}
	updatedOrder = []string{"branding", "id", "display_name", "name"}
)

var brandingProperty = property{typ: "object", about: "Theme defines how to style the login pages.", members: map[string]property{
	"logo_url": {typ: "string", nullable: true, format: "strict-https-uri-or-null", about: "URL of logo to display on login page."},
	"colors": {
		typ: "object", about: "Color scheme used to customize the login pages.", required: []string{"primary", "page_background"},
		members: map[string]property{
			"primary":         {typ: "string", format: "html-color", about: "HEX Color for primary elements."},
			"page_background": {typ: "string", format: "html-color", about: "HEX Color for background."},
		},
	},
}}

var tokenQuotaProperty = property{typ: "object", nullable: true, required: []string{"client_credentials"}, members: map[string]property{
	"client_credentials": {typ: "object", about: "The token quota configuration", members: map[string]property{
		"enforce":  {typ: "boolean"},
		"per_day":  {typ: "integer", min: 1, max: maxInt, about: "Maximum number of issued tokens per day"},
		"per_hour": {typ: "integer", min: 1, max: maxInt, about: "Maximum number of issued tokens per hour"},
	}},
}}

// organizationProperties are those of a change to an organization.
var organizationProperties = map[string]property{
	"name":         {typ: "string", min: 1, max: 50, format: "organization-name", about: "The name of this organization."},
	"display_name": {typ: "string", min: 1, max: 255, about: "Friendly name of this organization."},
	"branding":     brandingProperty,
	"metadata": {
		typ: "object", max: 25, items: &property{typ: "string", nullable: true, max: 255},
		about: "Metadata associated with the organization, in the form of an object with string values (max 255 chars). Maximum of 25 metadata properties allowed.",
	},
	"token_quota": tokenQuotaProperty,
}

var createOrganizationProperties = with(organizationProperties, map[string]property{"enabled_connections": {
	typ: "array", max: 10, items: &property{typ: "object", required: []string{"connection_id"}, members: enabledConnectionProperties},
	about: "Connections that will be enabled for this organization. See POST enabled_connections endpoint for the object format. (Max of 10 connections allowed)",
}})

var organizationSort = property{
	max: 15, pattern: regexp.MustCompile(`^((display_name)|(created_at)|(name))\:(1|-1)$`),
	about: "Field to sort by. Use field:order where order is 1 for ascending and -1 for descending.",
}

// sortedOrganizations is how the values of sort order organizations; created_at
// is the order they are in.
var sortedOrganizations = map[string]func(x, y *tenant.Organization) int{
	"name":         func(x, y *tenant.Organization) int { return cmp.Compare(x.Name, y.Name) },
	"display_name": func(x, y *tenant.Organization) int { return cmp.Compare(x.DisplayName, y.DisplayName) },
	"created_at":   func(x, y *tenant.Organization) int { return x.Created.Compare(y.Created) },
}

func (a *API) listOrganizations(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true}
	q := r.URL.Query()
	l, err := readListing(q, s)
	if err != nil {
		return err
	}
	sort, err := queryText(q, "sort", organizationSort)
	if err != nil {
		return err
	}
	p, err := a.organizations(r, sort, l)
	if err != nil {
		return err
	}
	mark := func(o *tenant.Organization) tenant.Mark { return tenant.Mark{At: o.Created, ID: o.ID} }
	return l.write(w, s, "organizations", rowsOf(p, shownOrganization), restOf(p, mark))
}

func shownOrganization(o *tenant.Organization) web.Object { return organization(o) }

// organizations returns organizations in the order asked for. Checkpoints have
// one order only.
func (a *API) organizations(r *http.Request, sort string, l listing) (tenant.Page[*tenant.Organization], error) {
	by, direction, _ := strings.Cut(sort, ":")
	order := sortedOrganizations[by]
	if order == nil || l.byCheckpoint {
		return a.tenant.Organizations(r.Context(), l.window())
	}
	if direction == "-1" {
		ascending := order
		order = func(x, y *tenant.Organization) int { return -ascending(x, y) }
	}
	return a.tenant.SortedOrganizations(r.Context(), order, l.window())
}

func (a *API) createOrganization(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, createOrganizationProperties, "name")
	if err != nil {
		return err
	}
	o := &tenant.Organization{
		Name: p.text("name"), DisplayName: p.text("display_name"),
		Branding: p.object("branding"), Metadata: withoutNulls(p.object("metadata")), TokenQuota: p.object("token_quota"),
	}
	var connections []tenant.OrgConnection
	for _, one := range p.objects("enabled_connections") {
		connections = append(connections, newOrgConnection(one))
	}
	if err := a.tenant.CreateOrganization(r.Context(), actor(r), o, connections); err != nil {
		return err
	}
	if len(connections) == 0 {
		return web.WriteJSON(w, http.StatusCreated, organization(o, createdOrder...))
	}
	enabled, err := a.tenant.OrgConnections(r.Context(), o.ID, tenant.Window{}, nil)
	if err != nil {
		return err
	}
	out := append(organization(o, updatedOrder...), web.Field{Key: "enabled_connections", Value: rowsOf(enabled, enabledConnection)})
	return web.WriteJSON(w, http.StatusCreated, out)
}

// withoutNulls takes members that are null out of an object: they stand for none.
func withoutNulls(o map[string]any) map[string]any {
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

func (a *API) getOrganization(w http.ResponseWriter, r *http.Request) error {
	o, err := a.tenant.Organization(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, organization(o))
}

func (a *API) getOrganizationByName(w http.ResponseWriter, r *http.Request) error {
	o, err := a.tenant.OrganizationByName(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, organization(o))
}

func (a *API) updateOrganization(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, organizationProperties)
	if err != nil {
		return err
	}
	e := tenant.OrganizationEdit{
		Name: p.given("name"), DisplayName: p.given("display_name"),
		Branding: p.metadata("branding"), Metadata: withoutNulls(p.metadata("metadata")), TokenQuota: p.metadata("token_quota"),
	}
	o, err := a.tenant.EditOrganization(r.Context(), actor(r), r.PathValue("id"), e)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, organization(o, updatedOrder...))
}

func (a *API) deleteOrganization(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DeleteOrganization(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) listUserOrganizations(w http.ResponseWriter, r *http.Request) error {
	s := style{}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.UserOrganizations(r.Context(), r.PathValue("id"), l.window())
	if err != nil {
		return err
	}
	rows := rowsOf(p, func(o *tenant.Organization) web.Object { return organization(o, updatedOrder...) })
	return l.write(w, s, "organizations", rows, restOf(p, nil))
}

// memberFields are what fields may name of members.
var memberFields = []string{"user_id", "email", "picture", "name", "roles"}

// listOrgMembers is GET /organizations/{id}/members. Roles are shown when they
// are asked for; next is there until a page is empty (recorded).
func (a *API) listOrgMembers(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true, endless: true}
	q := r.URL.Query()
	l, show, err := readList(q, s, memberFields...)
	if err != nil {
		return err
	}
	roles := slices.Contains(strings.Split(q.Get("fields"), ","), "roles")
	p, err := a.tenant.OrgMembers(r.Context(), r.PathValue("id"), roles, l.window())
	if err != nil {
		return err
	}
	rows := rowsOf(p, func(m tenant.Member) web.Object {
		o := member(m)
		if roles {
			o = append(o, web.Field{Key: "roles", Value: memberRoles(m.Roles)})
		}
		return show(o)
	})
	return l.write(w, s, "members", rows, restOf(p, tenant.Member.Mark))
}

// memberRoles are the roles of a member in a list, without their descriptions
// (recorded).
func memberRoles(list []*tenant.Role) []web.Object {
	out := make([]web.Object, len(list))
	for i, r := range list {
		out[i] = web.Object{{Key: "id", Value: r.ID}, {Key: "name", Value: r.Name}}
	}
	return out
}

func membersProperties(about string) map[string]property {
	return map[string]property{"members": {typ: "array", min: 1, about: about, items: &property{typ: "string", min: 1, max: 300}}}
}

func (a *API) addOrgMembers(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, membersProperties("List of user IDs to add to the organization as members."), "members")
	if err != nil {
		return err
	}
	if err := a.tenant.AddOrgMembers(r.Context(), actor(r), r.PathValue("id"), p.texts("members")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) removeOrgMembers(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, membersProperties("List of user IDs to remove from the organization."), "members")
	if err != nil {
		return err
	}
	if err := a.tenant.RemoveOrgMembers(r.Context(), actor(r), r.PathValue("id"), p.texts("members")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) listOrgMemberRoles(w http.ResponseWriter, r *http.Request) error {
	s := style{}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.OrgMemberRoles(r.Context(), r.PathValue("id"), r.PathValue("user_id"), l.window())
	if err != nil {
		return err
	}
	return l.write(w, s, "roles", rowsOf(p, role), restOf(p, nil))
}

func orgRolesProperties(about string) map[string]property {
	return map[string]property{"roles": {typ: "array", min: 1, about: about, items: &property{typ: "string", format: "role-id"}}}
}

func (a *API) assignOrgMemberRoles(w http.ResponseWriter, r *http.Request) error {
	return a.changeOrgMemberRoles(w, r, "List of roles IDs to associated with the user.", a.tenant.AssignOrgRoles)
}

func (a *API) removeOrgMemberRoles(w http.ResponseWriter, r *http.Request) error {
	return a.changeOrgMemberRoles(w, r, "List of roles IDs associated with the organization member to remove.", a.tenant.UnassignOrgRoles)
}

// orgRolesChange gives roles to a member of an organization, or takes them.
type orgRolesChange func(ctx context.Context, actor directory.Actor, id, account string, roles []string) error

func (a *API) changeOrgMemberRoles(w http.ResponseWriter, r *http.Request, about string, change orgRolesChange) error {
	p, err := readPayload(r, orgRolesProperties(about), "roles")
	if err != nil {
		return err
	}
	if err := change(r.Context(), actor(r), r.PathValue("id"), r.PathValue("user_id"), p.texts("roles")); err != nil {
		return err
	}
	return noContent(w)
}
