package auth0

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) grantRoutes() []route {
	return []route{
		op("GET", "/client-grants", a.listClientGrants, "read:client_grants"),
		op("POST", "/client-grants", a.createClientGrant, "create:client_grants"),
		op("GET", "/client-grants/{id}", a.getClientGrant, "read:client_grants"),
		op("PATCH", "/client-grants/{id}", a.updateClientGrant, "update:client_grants"),
		op("DELETE", "/client-grants/{id}", a.deleteClientGrant, "delete:client_grants"),
		op("GET", "/grants", a.listGrants, "read:grants"),
		op("DELETE", "/grants", a.deleteGrants, "delete:grants"),
		op("DELETE", "/grants/{id}", a.deleteGrant, "delete:grants"),
	}
}

// present204 makes nothing of it that an object to delete is not there.
func present204(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

var clientGrantProperties = map[string]property{
	"scope": {typ: "array", nullable: true, items: &property{typ: "string", min: 1, max: 280}, about: "Scopes allowed for this client grant."},
	"organization_usage": {
		typ: "string", nullable: true, enum: []string{"deny", "allow", "require"},
		about: "Defines whether organizations can be used with client credentials exchanges for this grant.",
	},
	"allow_any_organization":      {typ: "boolean", nullable: true, about: "If enabled, any organization can be used with this grant."},
	"authorization_details_types": {typ: "array", nullable: true, items: texts, about: "Types of authorization_details allowed for this client grant."},
	"allow_all_scopes":            {typ: "boolean", nullable: true, about: "If enabled, all scopes configured on the resource server are allowed for this client grant."},
}

func newClientGrantProperties() map[string]property {
	all := maps.Clone(clientGrantProperties)
	all["client_id"] = property{typ: "string", about: "ID of the client."}
	all["audience"] = property{typ: "string", min: 1, about: "The audience (API identifier) of this client grant"}
	all["subject_type"] = property{typ: "string", enum: []string{tenant.ForClient, tenant.ForUser}, about: "The type of application access the client grant allows."}
	return all
}

// clientGrant is the wire form of a client grant, in the recorded order.
func clientGrant(g *tenant.ClientGrant) web.Object {
	o := web.Object{
		{Key: "id", Value: g.ID}, {Key: "client_id", Value: g.Client}, {Key: "audience", Value: g.Audience}, {Key: "scope", Value: orNone(g.Scope)},
	}
	for _, name := range []string{"organization_usage", "allow_any_organization"} {
		if v, ok := g.Settings[name]; ok {
			o = append(o, web.Field{Key: name, Value: v})
		}
	}
	o = append(o, web.Field{Key: "subject_type", Value: g.Subject})
	for _, name := range []string{"authorization_details_types", "allow_all_scopes"} {
		if v, ok := g.Settings[name]; ok {
			o = append(o, web.Field{Key: name, Value: v})
		}
	}
	return o
}

// listClientGrants is GET /client-grants, by client, audience and subject type.
func (a *API) listClientGrants(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true, numbered: true}
	q := r.URL.Query()
	l, err := readListing(q, s)
	if err != nil {
		return err
	}
	p, err := a.tenant.ClientGrants(r.Context(), q.Get("client_id"), l.window(), func(g *tenant.ClientGrant) bool {
		return (!q.Has("audience") || g.Audience == q.Get("audience")) && (!q.Has("subject_type") || g.Subject == q.Get("subject_type"))
	})
	if err != nil {
		return err
	}
	return l.write(w, s, "client_grants", rowsOf(p, clientGrant), restOf(p, func(g *tenant.ClientGrant) tenant.Mark { return markOf(g.Meta) }))
}

func (a *API) createClientGrant(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, newClientGrantProperties(), "client_id", "audience")
	if err != nil {
		return err
	}
	g := &tenant.ClientGrant{
		Client: p.text("client_id"), Audience: p.text("audience"), Scope: p.texts("scope"), Subject: p.text("subject_type"),
		Settings: p.settings("client_id", "audience", "scope", "subject_type"),
	}
	if g.Subject == "" {
		g.Subject = tenant.ForClient
	}
	if err := a.tenant.CreateClientGrant(r.Context(), actor(r), g, isManagement(g.Audience)); err != nil {
		return grantError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, clientGrant(g))
}

// grantError is connectionError with the code that grants have (recorded).
func grantError(err error) error {
	err = connectionError(err)
	if e, ok := err.(*apiError); ok { //nolint:errorlint // it comes from the line above
		e.code = "validation_error"
	}
	return err
}

// isManagement reports whether an audience is the Management API: every one that
// ends in /api/v2/ is that of this tenant, whatever host it is known by.
func isManagement(audience string) bool { return strings.HasSuffix(audience, managementPath) }

func (a *API) getClientGrant(w http.ResponseWriter, r *http.Request) error {
	g, err := a.tenant.ClientGrant(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, clientGrant(g))
}

func (a *API) updateClientGrant(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, clientGrantProperties)
	if err != nil {
		return err
	}
	g, err := a.tenant.EditClientGrant(r.Context(), actor(r), r.PathValue("id"), p.list("scope"), p.settings("scope"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, clientGrant(g))
}

// deleteClientGrant is DELETE /client-grants/{id}. One that is not there is
// deleted already (recorded).
func (a *API) deleteClientGrant(w http.ResponseWriter, r *http.Request) error {
	if err := present204(a.tenant.DeleteClientGrant(r.Context(), actor(r), r.PathValue("id"))); err != nil {
		return err
	}
	return noContent(w)
}

// userGrant is the wire form of what a user agreed to, in the recorded order.
func userGrant(g *tenant.UserGrant) web.Object {
	return web.Object{
		{Key: "user_id", Value: g.Account}, {Key: "audience", Value: g.Audience}, {Key: "scope", Value: orNone(g.Scope)},
		{Key: "clientID", Value: g.Client}, {Key: "id", Value: g.ID},
	}
}

// listGrants is GET /grants, by user, client and audience.
func (a *API) listGrants(w http.ResponseWriter, r *http.Request) error {
	s := style{numbered: true}
	q := r.URL.Query()
	l, err := readListing(q, s)
	if err != nil {
		return err
	}
	p, err := a.tenant.UserGrants(r.Context(), q.Get("user_id"), q.Get("client_id"), l.window(), func(g *tenant.UserGrant) bool {
		return !q.Has("audience") || slices.Contains(q["audience"], g.Audience)
	})
	if err != nil {
		return err
	}
	return l.write(w, s, "grants", rowsOf(p, userGrant), restOf(p, nil))
}

// deleteGrants is DELETE /grants?user_id=.
func (a *API) deleteGrants(w http.ResponseWriter, r *http.Request) error {
	user := r.URL.Query().Get("user_id")
	if user == "" {
		return badQuery("'Missing required property: user_id'.")
	}
	if err := a.tenant.DeleteUserGrants(r.Context(), actor(r), user); err != nil {
		return err
	}
	return noContent(w)
}

// deleteGrant is DELETE /grants/{id}. One that is not there is revoked already.
func (a *API) deleteGrant(w http.ResponseWriter, r *http.Request) error {
	if err := present204(a.tenant.DeleteUserGrant(r.Context(), actor(r), r.PathValue("id"))); err != nil {
		return err
	}
	return noContent(w)
}
