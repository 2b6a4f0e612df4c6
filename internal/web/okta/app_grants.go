package okta

import (
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) appGrantRoutes() {
	a.route(appsPath+"/{id}/grants",
		method{"GET", readGrants, a.listAppGrants},
		method{"POST", manageGrants, a.grantScope})
	a.route(appsPath+"/{id}/grants/{grant}",
		method{"GET", readGrants, a.getAppGrant},
		method{"DELETE", manageGrants, a.revokeAppGrant})
}

// listAppGrants is GET /apps/{id}/grants. It is not paged.
func (a *API) listAppGrants(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	grants, err := a.Directory.Grants(r.Context(), a.Realm, app.ID)
	if err != nil {
		return err
	}
	out := make([]web.Object, len(grants))
	for i, g := range grants {
		out[i] = appGrant(a.base(r), app, g)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// grantScope is POST /apps/{id}/grants: 201 with the grant. The issuer must be
// the org, whose authorization server alone gives okta.* scopes.
func (a *API) grantScope(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	scope, err := body.text("scopeId")
	if err != nil {
		return err
	}
	issuer, err := body.text("issuer")
	if err != nil {
		return err
	}
	switch {
	case scope == "":
		return invalid("scopeId", "scopeId: The field cannot be left blank")
	case issuer == "":
		return invalid("issuer", "issuer: The field cannot be left blank")
	case strings.TrimSuffix(issuer, "/") != a.base(r):
		return invalid("issuer", "issuer: The field has an invalid value")
	}
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	if app.Client == nil {
		return missing(scope, "OAuth2Scope")
	}
	g, err := a.Directory.GrantScope(r.Context(), actor(r), a.Realm, app.ID, issuer, scope)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, appGrant(a.base(r), app, g))
}

func (a *API) getAppGrant(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	g, err := a.Directory.Grant(r.Context(), a.Realm, app.ID, r.PathValue("grant"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appGrant(a.base(r), app, g))
}

func (a *API) revokeAppGrant(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.RevokeGrant(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("grant")); err != nil {
		return err
	}
	return noContent(w)
}

// appGrant is the wire form of a granted scope (Okta OpenAPI 2026.06.3, example
// of POST /apps/{id}/grants).
func appGrant(base string, app *directory.App, g *directory.AppGrant) web.Object {
	self := appURL(base, app.ID)
	client := ""
	if app.Client != nil {
		client = app.Client.ID
	}
	return web.Object{
		{Key: "id", Value: g.ID},
		{Key: "status", Value: "ACTIVE"},
		{Key: "created", Value: date(g.Created)},
		{Key: "createdBy", Value: web.Object{{Key: "id", Value: g.By.ID}, {Key: "type", Value: g.By.Type}}},
		{Key: "lastUpdated", Value: date(g.Updated)},
		{Key: "issuer", Value: g.Issuer},
		{Key: "clientId", Value: client},
		{Key: "scopeId", Value: g.Scope},
		{Key: "source", Value: "ADMIN"},
		{Key: "_embedded", Value: web.Object{{Key: "scope", Value: web.Object{{Key: "id", Value: g.Scope}}}}},
		{Key: "_links", Value: web.Object{
			titledLink("app", self, app.Label),
			hintedLink("self", self+"/grants/"+g.ID, "GET", "DELETE"),
			titledLink("client", base+"/oauth2/v1/clients/"+client, app.Label),
		}},
	}
}

func titledLink(rel, href, title string) web.Field {
	return web.Field{Key: rel, Value: web.Object{{Key: "href", Value: href}, {Key: "title", Value: title}}}
}
