package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// appPartRoutes lists the paths of what belongs to an application and has
// little or no effect here: tokens, the logo.
func (a *API) appPartRoutes() {
	app := appsPath + "/{id}"
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
