package auth0

import (
	"errors"
	"net/http"
	"regexp"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The connections of an organization have two sets of operations: the older
// /enabled_connections, and /connections, which know more of each.
func (a *API) orgConnectionRoutes() []route {
	const read, create, update, remove = "read:organization_connections", "create:organization_connections", "update:organization_connections", "delete:organization_connections"
	return []route{
		op("GET", "/organizations/{id}/enabled_connections", a.listEnabledConnections, read),
		op("POST", "/organizations/{id}/enabled_connections", a.addEnabledConnection, create),
		op("GET", "/organizations/{id}/enabled_connections/{connection}", a.getEnabledConnection, read),
		op("PATCH", "/organizations/{id}/enabled_connections/{connection}", a.updateEnabledConnection, update),
		op("DELETE", "/organizations/{id}/enabled_connections/{connection}", a.removeOrgConnection, remove),

		op("GET", "/organizations/{id}/connections", a.listOrgConnections, read),
		op("POST", "/organizations/{id}/connections", a.addOrgConnection, create),
		op("GET", "/organizations/{id}/connections/{connection}", a.getOrgConnection, read),
		op("PATCH", "/organizations/{id}/connections/{connection}", a.updateOrgConnection, update),
		op("DELETE", "/organizations/{id}/connections/{connection}", a.removeOrgConnection, remove),
	}
}

// enabledConnection is the wire form of a connection of an organization, in the
// recorded order of keys. Only databases have sign-up.
func enabledConnection(c tenant.EnabledConnection) web.Object {
	o := web.Object{
		{Key: "connection_id", Value: c.Connection},
		{Key: "assign_membership_on_login", Value: c.AssignMembership},
	}
	if c.Of.Strategy == "auth0" {
		o = append(o, web.Field{Key: "is_signup_enabled", Value: c.Signup})
	}
	return append(o,
		web.Field{Key: "show_as_button", Value: !c.HideButton},
		web.Field{Key: "connection", Value: web.Object{{Key: "name", Value: c.Of.Name}, {Key: "strategy", Value: c.Of.Strategy}}},
	)
}

// orgConnection is enabledConnection with what the newer operations know.
func orgConnection(c tenant.EnabledConnection) web.Object {
	o := enabledConnection(c)
	if c.DisplayName != "" {
		o = append(o, web.Field{Key: "organization_connection_name", Value: c.DisplayName})
	}
	if c.AccessLevel != "" {
		o = append(o, web.Field{Key: "organization_access_level", Value: c.AccessLevel})
	}
	return append(o, web.Field{Key: "is_enabled", Value: !c.Disabled})
}

const (
	aboutAssign = "When true, all users that log in with this connection will be automatically granted membership in the organization. " +
		"When false, users must be granted membership in the organization before logging in with this connection."
	aboutButton = "Determines whether a connection should be displayed on this organization’s login prompt. Only applicable for enterprise connections. Default: true."
	aboutSignup = "Determines whether organization signup should be enabled for this organization connection. Only applicable for database connections. Default: false."
)

// changedConnectionProperties are those of a change by the older operations.
var changedConnectionProperties = map[string]property{
	"assign_membership_on_login": {typ: "boolean", about: aboutAssign},
	"show_as_button":             {typ: "boolean", about: aboutButton},
	"is_signup_enabled":          {typ: "boolean", about: aboutSignup},
}

var enabledConnectionProperties = with(changedConnectionProperties, map[string]property{
	"connection_id": {typ: "string", format: "connection-id", about: "Single connection ID to add to the organization."},
})

// changedOrgConnectionProperties are those of a change by the newer operations.
var changedOrgConnectionProperties = with(changedConnectionProperties, map[string]property{
	"organization_connection_name": {typ: "string", nullable: true, min: 1, max: 50, pattern: regexp.MustCompile(`^[^\x00]*$`), about: "Name of the connection in the scope of this organization."},
	"organization_access_level":    {typ: "string", nullable: true, enum: []string{"none", "readonly", "limited", "full"}, about: `Access level for the organization (e.g., "none", "full").`},
	"is_enabled":                   {typ: "boolean", nullable: true, about: "Whether the connection is enabled for the organization."},
})

var orgConnectionProperties = with(changedOrgConnectionProperties, map[string]property{
	"connection_id": {typ: "string", format: "connection-id", about: "Connection identifier."},
})

// with returns the properties of both.
func with(base, more map[string]property) map[string]property {
	out := make(map[string]property, len(base)+len(more))
	for _, properties := range []map[string]property{base, more} {
		for name, p := range properties {
			out[name] = p
		}
	}
	return out
}

// negated turns a flag around, nil stays nil.
func negated(b *bool) *bool {
	if b == nil {
		return nil
	}
	no := !*b
	return &no
}

func (p payload) orgConnectionEdit() tenant.OrgConnectionEdit {
	return tenant.OrgConnectionEdit{
		AssignMembership: p.flag("assign_membership_on_login"), Signup: p.flag("is_signup_enabled"),
		HideButton: negated(p.flag("show_as_button")), Disabled: negated(p.flag("is_enabled")),
		DisplayName: p.given("organization_connection_name"), AccessLevel: p.given("organization_access_level"),
	}
}

func newOrgConnection(p payload) tenant.OrgConnection {
	yes := func(name string, def bool) bool {
		if b := p.flag(name); b != nil {
			return *b
		}
		return def
	}
	return tenant.OrgConnection{
		Connection: p.text("connection_id"), AssignMembership: yes("assign_membership_on_login", false), Signup: yes("is_signup_enabled", false),
		HideButton: !yes("show_as_button", true), Disabled: !yes("is_enabled", true),
		DisplayName: p.text("organization_connection_name"), AccessLevel: p.text("organization_access_level"),
	}
}

// mayEnable words the refusal of a sign-up (recorded).
func mayEnable(err error) error {
	if no := (*tenant.SignupNotPossible)(nil); errors.As(err, &no) {
		return &apiError{
			http.StatusBadRequest, "Only database connections with assign_membership_on_login = true support is_signup_enabled = true.", "invalid_body", err,
		}
	}
	return err
}

// listEnabledConnections answers with limit as the number of rows (recorded).
func (a *API) listEnabledConnections(w http.ResponseWriter, r *http.Request) error {
	s := style{filled: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.OrgConnections(r.Context(), r.PathValue("id"), l.window(), func(c *tenant.OrgConnection) bool { return !c.Disabled })
	if err != nil {
		return err
	}
	return l.write(w, s, "enabled_connections", rowsOf(p, enabledConnection), restOf(p, nil))
}

func (a *API) listOrgConnections(w http.ResponseWriter, r *http.Request) error {
	s := style{}
	q := r.URL.Query()
	l, err := readListing(q, s)
	if err != nil {
		return err
	}
	enabled, err := queryBool(q, "is_enabled", true, "Filter connections by enabled status.")
	if err != nil {
		return err
	}
	match := func(c *tenant.OrgConnection) bool { return q.Get("is_enabled") == "" || enabled == !c.Disabled }
	p, err := a.tenant.OrgConnections(r.Context(), r.PathValue("id"), l.window(), match)
	if err != nil {
		return err
	}
	return l.write(w, s, "connections", rowsOf(p, orgConnection), restOf(p, nil))
}

func (a *API) addEnabledConnection(w http.ResponseWriter, r *http.Request) error {
	return a.enableConnection(w, r, enabledConnectionProperties, enabledConnection)
}

func (a *API) addOrgConnection(w http.ResponseWriter, r *http.Request) error {
	return a.enableConnection(w, r, orgConnectionProperties, orgConnection)
}

func (a *API) enableConnection(w http.ResponseWriter, r *http.Request, properties map[string]property, show func(tenant.EnabledConnection) web.Object) error {
	p, err := readPayload(r, properties, "connection_id")
	if err != nil {
		return err
	}
	added, err := a.tenant.AddOrgConnection(r.Context(), actor(r), r.PathValue("id"), newOrgConnection(p))
	if err != nil {
		return mayEnable(err)
	}
	return web.WriteJSON(w, http.StatusCreated, show(added))
}

func (a *API) getEnabledConnection(w http.ResponseWriter, r *http.Request) error {
	c, err := a.tenant.OrgConnection(r.Context(), r.PathValue("id"), r.PathValue("connection"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, enabledConnection(c))
}

func (a *API) getOrgConnection(w http.ResponseWriter, r *http.Request) error {
	c, err := a.tenant.OrgConnection(r.Context(), r.PathValue("id"), r.PathValue("connection"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, orgConnection(c))
}

func (a *API) updateEnabledConnection(w http.ResponseWriter, r *http.Request) error {
	return a.changeConnection(w, r, changedConnectionProperties, enabledConnection)
}

func (a *API) updateOrgConnection(w http.ResponseWriter, r *http.Request) error {
	return a.changeConnection(w, r, changedOrgConnectionProperties, orgConnection)
}

func (a *API) changeConnection(w http.ResponseWriter, r *http.Request, properties map[string]property, show func(tenant.EnabledConnection) web.Object) error {
	p, err := readPayload(r, properties)
	if err != nil {
		return err
	}
	edited, err := a.tenant.EditOrgConnection(r.Context(), actor(r), r.PathValue("id"), r.PathValue("connection"), p.orgConnectionEdit())
	if err != nil {
		return mayEnable(err)
	}
	return web.WriteJSON(w, http.StatusOK, show(edited))
}

func (a *API) removeOrgConnection(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.RemoveOrgConnection(r.Context(), actor(r), r.PathValue("id"), r.PathValue("connection")); err != nil {
		return err
	}
	return noContent(w)
}
