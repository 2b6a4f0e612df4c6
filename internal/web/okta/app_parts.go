package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// appPartRoutes lists the paths of what belongs to an application and has
// little or no effect here: provisioning, tokens, the logo.
func (a *API) appPartRoutes() {
	app := appsPath + "/{id}"
	a.route(app+"/connections/default",
		method{"GET", readApps, a.getConnection},
		method{"POST", manageApps, a.setConnection})
	a.route(app+"/connections/default/lifecycle/activate", method{"POST", manageApps, a.enableConnection(true)})
	a.route(app+"/connections/default/lifecycle/deactivate", method{"POST", manageApps, a.enableConnection(false)})
	a.route(app+"/features", method{"GET", readApps, a.nothingOf})
	a.route(app+"/tokens",
		method{"GET", readApps, a.nothingOf},
		method{"DELETE", manageApps, a.revokeAppTokens})
	a.route(app+"/logo", method{"POST", manageApps, a.setLogo})
	a.route(basePath+"/internal/apps/{id}/settings/oauth/idToken",
		method{"GET", readApps, a.getIDToken},
		method{"POST", manageApps, a.setIDToken})
}

// nothingOf answers the empty list of what an application has none of.
func (a *API) nothingOf(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, []any{})
}

func (a *API) revokeAppTokens(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.RevokeAppTokens(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) getConnection(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appConnection(a.base(r), app))
}

// setConnection is POST /apps/{id}/connections/default. Only the scheme is
// kept of the profile: its token opens another system.
func (a *API) setConnection(w http.ResponseWriter, r *http.Request) error {
	activate, err := flagParam(r, "activate", false)
	if err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	profile, err := body.object("profile")
	if err != nil {
		return err
	}
	scheme, err := profile.text("authScheme")
	if err != nil {
		return err
	}
	if scheme == "" {
		return invalid("authScheme", "authScheme: The field cannot be left blank")
	}
	return a.editConnection(w, r, http.StatusOK, func(c *directory.AppConnection) {
		c.Scheme = scheme
		c.Enabled = c.Enabled || activate
	})
}

func (a *API) enableConnection(on bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return a.editConnection(w, r, http.StatusNoContent, func(c *directory.AppConnection) { c.Enabled = on })
	}
}

func (a *API) editConnection(w http.ResponseWriter, r *http.Request, status int, change func(*directory.AppConnection)) error {
	edit := directory.AppEdit{Change: func(app *directory.App) error {
		change(&app.Connection)
		return nil
	}}
	app, _, err := a.Directory.EditApp(r.Context(), actor(r), a.Realm, r.PathValue("id"), edit)
	if err != nil {
		return err
	}
	if status == http.StatusNoContent {
		return noContent(w)
	}
	return web.WriteJSON(w, status, appConnection(a.base(r), app))
}

// appConnection is the wire form of a provisioning connection (Okta OpenAPI
// 2026.06.3, ProvisioningConnectionResponse). One that was never set up is a
// disabled one by token.
func appConnection(base string, app *directory.App) web.Object {
	scheme, status, step := app.Connection.Scheme, "DISABLED", "activate"
	if scheme == "" {
		scheme = "TOKEN"
	}
	if app.Connection.Enabled {
		status, step = "ENABLED", "deactivate"
	}
	self := appURL(base, app.ID) + "/connections/default"
	return web.Object{
		{Key: "authScheme", Value: scheme},
		{Key: "status", Value: status},
		{Key: "profile", Value: web.Object{{Key: "authScheme", Value: scheme}}},
		{Key: "_links", Value: web.Object{hintedLink("self", self, "GET", "POST"), hintedLink(step, self+"/lifecycle/"+step, "POST")}},
	}
}

// setLogo is POST /apps/{id}/logo. The picture is not kept: nobody sees it.
func (a *API) setLogo(w http.ResponseWriter, r *http.Request) error {
	if _, err := web.ReadBody(r, web.MaxBody); err != nil {
		return err
	}
	edit := directory.AppEdit{Kind: "application.configuration.update_logo", Change: func(*directory.App) error { return nil }}
	if _, _, err := a.Directory.EditApp(r.Context(), actor(r), a.Realm, r.PathValue("id"), edit); err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// issuerModeKey is the member of a client's settings that says under which name
// its tokens are issued.
const issuerModeKey = "issuer_mode"

// getIDToken is GET /internal/apps/{id}/settings/oauth/idToken, which
// Terraform calls (recorded).
func (a *API) getIDToken(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	if app.Client == nil {
		return missing(app.ID, "AppInstance")
	}
	return web.WriteJSON(w, http.StatusOK, idTokenSettings(a.base(r), app.Client.ID, valueOr(app.Client.Settings[issuerModeKey], "ORG_URL")))
}

// setIDToken is POST of the same path; it answers the mode alone (recorded).
func (a *API) setIDToken(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	mode, err := body.text("issuerMode")
	if err != nil {
		return err
	}
	edit := directory.AppEdit{Change: func(app *directory.App) error {
		if app.Client == nil {
			return missing(app.ID, "AppInstance")
		}
		if app.Client.Settings == nil {
			app.Client.Settings = map[string]any{}
		}
		app.Client.Settings[issuerModeKey] = mode
		return nil
	}}
	if _, _, err := a.Directory.EditApp(r.Context(), actor(r), a.Realm, r.PathValue("id"), edit); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, idTokenSettings(nil, nil, mode))
}

func idTokenSettings(issuer, audience, mode any) web.Object {
	return web.Object{
		{Key: "issuer", Value: issuer}, {Key: "orgUrl"}, {Key: "customUrl"},
		{Key: "audience", Value: audience}, {Key: "issuerMode", Value: mode},
	}
}
