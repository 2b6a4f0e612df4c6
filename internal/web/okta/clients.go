package okta

import (
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// clientsPath is Okta's Dynamic Client Registration (RFC 7591): the OAuth
// clients of the applications, without the rest of the applications.
const clientsPath = oauthPath + "/clients"

// The scopes of operations on clients.
const (
	readClients     = "okta.clients.read"
	registerClients = "okta.clients.register"
	manageClients   = "okta.clients.manage"
)

// clientsPage is the size of a page of clients.
const clientsPage = 200

func (a *API) clientRoutes() {
	a.route(clientsPath,
		method{"GET", readClients, a.listClients},
		method{"POST", registerClients, a.registerClient})
	a.route(clientsPath+"/{id}",
		method{"GET", readClients, a.getClient},
		method{"DELETE", manageClients, a.deleteClient})
}

// listClients is GET /oauth2/v1/clients.
func (a *API) listClients(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, clientsPage, clientsPage)
	if err != nil {
		return err
	}
	if err := p.cursor("0oa", "E0000029"); err != nil {
		return err
	}
	prefix := strings.ToLower(r.URL.Query().Get("q"))
	match := withinReach(r, func(app *directory.App) bool {
		return app.Client != nil && strings.HasPrefix(strings.ToLower(app.Label), prefix)
	}, (*reach).app)
	apps, err := a.Directory.Apps(r.Context(), directory.AppQuery{Realm: a.Realm, After: p.after}, p.limit+1, match)
	if err != nil {
		return err
	}
	apps, last := cut(apps, p.limit, func(app *directory.App) string { return app.ID })
	out := make([]web.Object, len(apps))
	for i, app := range apps {
		out[i] = oauthClient(app, "")
	}
	p.links(w, last)
	return web.WriteJSON(w, http.StatusOK, out)
}

// getClient is GET /oauth2/v1/clients/{clientId}.
func (a *API) getClient(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.Client(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, oauthClient(app, ""))
}

// registerClient is POST /oauth2/v1/clients: 201 with the secret, if the client
// has any. Clients that are made so ask their users for consent.
func (a *API) registerClient(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	f := &bodyFields{of: body}
	c := &directory.Client{}
	f.settings(c)
	c.AuthMethod = f.text("token_endpoint_auth_method", "")
	name := f.text("client_name", "")
	if f.err != nil {
		return f.err
	}
	if name == "" {
		return invalid("client_name", "client_name: The field cannot be left blank")
	}
	c.Settings = map[string]any{"consent_method": "REQUIRED"}
	for _, uri := range []string{"client_uri", "logo_uri", "policy_uri", "tos_uri", "initiate_login_uri"} {
		if text, ok := body[uri].(string); ok {
			c.Settings[uri] = text
		}
	}
	app, secret, err := a.Directory.CreateApp(r.Context(), actor(r), a.Realm, directory.AppDraft{
		Name: "oidc_client", Label: name, SignOnMode: directory.OpenIDConnect, Client: c, Document: map[string]any{}, Activate: true,
	})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, oauthClient(app, secret))
}

// deleteClient is DELETE /oauth2/v1/clients/{clientId}: the application goes,
// active or not.
func (a *API) deleteClient(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.Client(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	if app.Status == directory.On {
		if err := a.Directory.SetAppStatus(r.Context(), actor(r), a.Realm, app.ID, directory.Off); err != nil {
			return err
		}
	}
	if err := a.Directory.DeleteApp(r.Context(), actor(r), a.Realm, app.ID); err != nil {
		return err
	}
	return noContent(w)
}

// oauthClient is the wire form of a client (Okta OpenAPI 2026.06.3,
// ListClientsResponse). A new secret is shown once.
func oauthClient(app *directory.App, secret string) web.Object {
	c := app.Client
	o := web.Object{{Key: "client_id", Value: c.ID}}
	if secret != "" {
		o = append(o, web.Field{Key: "client_secret", Value: secret})
	}
	o = append(o, web.Field{Key: "client_id_issued_at", Value: app.Created.Unix()})
	if c.HasSecret() {
		o = append(o, web.Field{Key: "client_secret_expires_at", Value: 0})
	}
	o = append(o,
		web.Field{Key: "client_name", Value: app.Label},
		web.Field{Key: "client_uri", Value: c.Settings["client_uri"]},
		web.Field{Key: "logo_uri", Value: c.Settings["logo_uri"]},
		web.Field{Key: "redirect_uris", Value: listed(c.RedirectURIs)},
		web.Field{Key: "response_types", Value: listed(c.ResponseTypes)},
		web.Field{Key: "grant_types", Value: listed(c.GrantTypes)},
		web.Field{Key: "token_endpoint_auth_method", Value: c.AuthMethod},
		web.Field{Key: "application_type", Value: c.ApplicationType})
	if len(c.PostLogoutRedirectURIs) > 0 {
		o = append(o, web.Field{Key: "post_logout_redirect_uris", Value: c.PostLogoutRedirectURIs})
	}
	if len(c.JWKS) > 0 {
		o = append(o, web.Field{Key: "jwks", Value: web.Object{{Key: "keys", Value: c.JWKS}}})
	}
	if c.JWKSURI != "" {
		o = append(o, web.Field{Key: "jwks_uri", Value: c.JWKSURI})
	}
	return o
}

// listed is a list that is [] and not null when it is empty.
func listed(list []string) []string { return append([]string{}, list...) }
