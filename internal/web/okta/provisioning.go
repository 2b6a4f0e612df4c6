package okta

import (
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The schemes of provisioning connections.
const (
	tokenScheme  = "TOKEN"
	oauth2Scheme = "OAUTH2"
)

// provisioningRoutes lists the paths of how an application is provisioned.
func (a *API) provisioningRoutes() {
	app := appsPath + "/{id}"
	a.route(app+"/connections/default",
		method{"GET", readApps, a.getConnection},
		method{"POST", manageApps, a.setConnection})
	a.route(app+"/connections/default/lifecycle/activate", method{"POST", manageApps, a.enableConnection(true)})
	a.route(app+"/connections/default/lifecycle/deactivate", method{"POST", manageApps, a.enableConnection(false)})
	a.route(app+"/features", method{"GET", readApps, a.listFeatures})
	a.route(app+"/features/{feature}",
		method{"GET", readApps, a.getFeature},
		method{"PUT", manageApps, a.setFeature})
	a.route(app+"/group-push/mappings",
		method{"GET", readApps, a.listPushes},
		method{"POST", manageApps, a.createPush})
	a.route(app+"/group-push/mappings/{push}",
		method{"GET", readApps, a.getPush},
		method{"PATCH", manageApps, a.setPush},
		method{"DELETE", manageApps, a.deletePush})
}

// target returns an application with its target, nil when it has none.
func (a *API) target(r *http.Request) (*directory.App, *provision.Target, error) {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return nil, nil, err
	}
	t, err := a.provisioning.Target(r.Context(), app.ID)
	if fault.Is(err, fault.NotFound) {
		return app, nil, nil
	}
	return app, t, err
}

func (a *API) getConnection(w http.ResponseWriter, r *http.Request) error {
	app, t, err := a.target(r)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appConnection(a.base(r), app, t))
}

// setConnection is POST /apps/{id}/connections/default. With a base URL the
// application gets a target. Of others only the scheme is kept: their token would
// open nothing that is provisioned here.
func (a *API) setConnection(w http.ResponseWriter, r *http.Request) error {
	activate, err := flagParam(r, "activate", false)
	if err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	wish, err := body.connection()
	if err != nil {
		return err
	}
	app, t, err := a.target(r)
	if err != nil {
		return err
	}
	if wish.base == "" && t == nil {
		return a.editConnection(w, r, http.StatusOK, func(c *directory.AppConnection) {
			c.Scheme = wish.scheme
			c.Enabled = c.Enabled || activate
		})
	}
	t, _, err = a.provisioning.SetTarget(r.Context(), actor(r), app.ID, wish.token, func(t *provision.Target) error {
		if (wish.scheme == oauth2Scheme) != (t.Auth.Scheme == provision.OAuth) {
			if wish.scheme == oauth2Scheme {
				return fault.New(fault.Invalid, "the token endpoint of the application is not known").At("authScheme")
			}
			t.Auth = provision.Auth{Scheme: provision.Bearer, Token: t.Auth.Token}
		}
		if wish.base != "" {
			t.BaseURL = wish.base
		}
		t.Enabled = t.Enabled || activate
		return nil
	})
	if err != nil {
		return refusedSettings("profile", err)
	}
	return web.WriteJSON(w, http.StatusOK, appConnection(a.base(r), app, t))
}

// connectionWish is what POST /apps/{id}/connections/default asks for.
type connectionWish struct {
	scheme, base string
	token        secret.Value
}

func (o object) connection() (c connectionWish, err error) {
	if c.base, err = o.text("baseUrl"); err != nil {
		return c, err
	}
	profile, err := o.object("profile")
	if err != nil {
		return c, err
	}
	if c.scheme, err = profile.text("authScheme"); err != nil {
		return c, err
	}
	switch c.scheme {
	case "":
		return c, invalid("authScheme", "authScheme: The field cannot be left blank")
	case tokenScheme, oauth2Scheme:
	default:
		return c, invalid("authScheme", "authScheme: The field has an invalid value")
	}
	token, err := profile.text("token")
	if token != "" {
		c.token = secret.NewValue(token)
	}
	return c, err
}

// refusedSettings words what is wrong with settings: one cause for each problem.
func refusedSettings(object string, err error) error {
	if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Refused) {
		return err
	}
	return invalid(object, strings.Split(fault.Public(err), "\n")...).because(err)
}

func (a *API) enableConnection(on bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		app, t, err := a.target(r)
		if err != nil {
			return err
		}
		if t == nil {
			return a.editConnection(w, r, http.StatusNoContent, func(c *directory.AppConnection) { c.Enabled = on })
		}
		if t.Enabled != on {
			if err := a.setTarget(r, app, func(t *provision.Target) { t.Enabled = on }); err != nil {
				return err
			}
		}
		return noContent(w)
	}
}

func (a *API) setTarget(r *http.Request, app *directory.App, change func(*provision.Target)) error {
	_, _, err := a.provisioning.SetTarget(r.Context(), actor(r), app.ID, secret.Value{}, func(t *provision.Target) error {
		change(t)
		return nil
	})
	return refusedSettings("settings", err)
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
	return web.WriteJSON(w, status, appConnection(a.base(r), app, nil))
}

// appConnection is the wire form of a provisioning connection (Okta OpenAPI
// 2026.06.3, ProvisioningConnectionResponse). One that was never set up is a
// disabled one by token. The scheme stands outside the profile for TOKEN only.
func appConnection(base string, app *directory.App, t *provision.Target) web.Object {
	scheme, enabled, address := app.Connection.Scheme, app.Connection.Enabled, ""
	if t != nil {
		scheme, enabled, address = tokenScheme, t.Enabled, t.BaseURL
		if t.Auth.Scheme == provision.OAuth {
			scheme = oauth2Scheme
		}
	}
	if scheme == "" {
		scheme = tokenScheme
	}
	status, step := "DISABLED", "activate"
	if enabled {
		status, step = "ENABLED", "deactivate"
	}
	out := web.Object{{Key: "authScheme", Value: scheme}, {Key: "status", Value: status}}
	if address != "" {
		out = append(out, web.Field{Key: "baseUrl", Value: address})
	}
	self := appURL(base, app.ID) + "/connections/default"
	return append(out,
		web.Field{Key: "profile", Value: web.Object{{Key: "authScheme", Value: scheme}}},
		web.Field{Key: "_links", Value: web.Object{hintedLink("self", self, "GET", "POST"), hintedLink(step, self+"/lifecycle/"+step, "POST")}})
}

// userProvisioning is the feature of applications that people are provisioned to.
const userProvisioning = "USER_PROVISIONING"

// provisioned returns an application that has a target. Without one it has no
// features (Okta OpenAPI 2026.06.3: listFeaturesForApplication).
func (a *API) provisioned(r *http.Request) (*directory.App, *provision.Target, error) {
	app, t, err := a.target(r)
	if err == nil && t == nil {
		err = invalid("feature", "Provisioning is not enabled for the app instance.")
	}
	return app, t, err
}

func (a *API) listFeatures(w http.ResponseWriter, r *http.Request) error {
	s, app, err := a.sourceApp(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if s != nil {
		return web.WriteJSON(w, http.StatusOK, []web.Object{inboundFeature(a.base(r), s, app)})
	}
	app, t, err := a.provisioned(r)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, []web.Object{feature(a.base(r), app, t)})
}

func (a *API) getFeature(w http.ResponseWriter, r *http.Request) error {
	s, app, err := a.sourceApp(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if s != nil {
		return a.getInbound(w, r, s, app)
	}
	app, t, err := a.provisioned(r)
	if err != nil {
		return err
	}
	if name := r.PathValue("feature"); name != userProvisioning {
		return missing(name, "ApplicationFeature")
	}
	return web.WriteJSON(w, http.StatusOK, feature(a.base(r), app, t))
}

// setFeature is PUT /apps/{id}/features/{name}. What the body does not name
// stays (Okta OpenAPI: partial updates).
func (a *API) setFeature(w http.ResponseWriter, r *http.Request) error {
	s, app, err := a.sourceApp(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if s != nil {
		return a.setInbound(w, r, app)
	}
	app, _, err = a.provisioned(r)
	if err != nil {
		return err
	}
	if name := r.PathValue("feature"); name != userProvisioning {
		return missing(name, "ApplicationFeature")
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var set provision.Target
	switches := []struct {
		into func(*provision.Target) *bool
		path []string
	}{
		{func(t *provision.Target) *bool { return &t.CreateUsers }, []string{"create", "lifecycleCreate"}},
		{func(t *provision.Target) *bool { return &t.UpdateUsers }, []string{"update", "profile"}},
		{func(t *provision.Target) *bool { return &t.DeactivateUsers }, []string{"update", "lifecycleDeactivate"}},
		{func(t *provision.Target) *bool { return &t.SetPassword }, []string{"update", "password"}},
	}
	given := make([]bool, len(switches))
	for i, s := range switches {
		if given[i], err = body.enabled(s.into(&set), s.path...); err != nil {
			return err
		}
	}
	err = a.setTarget(r, app, func(t *provision.Target) {
		for i, s := range switches {
			if given[i] {
				*s.into(t) = *s.into(&set)
			}
		}
	})
	if err != nil {
		return err
	}
	return a.getFeature(w, r)
}

// enabled reads the status of a capability, and reports whether there is one.
func (o object) enabled(into *bool, path ...string) (bool, error) {
	capability, err := o.path(path...)
	if err != nil || capability == nil {
		return false, err
	}
	status, err := capability.text("status")
	switch {
	case err != nil || status == "":
		return false, err
	case status != "ENABLED" && status != "DISABLED":
		return false, invalid("status", "status: The field has an invalid value")
	}
	*into = status == "ENABLED"
	return true, nil
}

// feature is the wire form of a feature (Okta OpenAPI 2026.06.3,
// AppFeatureResponseEx).
func feature(base string, app *directory.App, t *provision.Target) web.Object {
	status := func(on bool) web.Field {
		if on {
			return web.Field{Key: "status", Value: "ENABLED"}
		}
		return web.Field{Key: "status", Value: "DISABLED"}
	}
	return web.Object{
		{Key: "name", Value: userProvisioning},
		status(t.Enabled),
		{Key: "description", Value: "User provisioning settings from Okta to a downstream application"},
		{Key: "capabilities", Value: web.Object{
			{Key: "create", Value: web.Object{{Key: "lifecycleCreate", Value: web.Object{status(t.CreateUsers)}}}},
			{Key: "update", Value: web.Object{
				{Key: "profile", Value: web.Object{status(t.UpdateUsers)}},
				{Key: "lifecycleDeactivate", Value: web.Object{status(t.DeactivateUsers)}},
				{Key: "password", Value: web.Object{status(t.SetPassword), {Key: "seed", Value: "RANDOM"}, {Key: "change", Value: "KEEP_EXISTING"}}},
			}},
		}},
		{Key: "_links", Value: web.Object{hintedLink("self", appURL(base, app.ID)+"/features/"+userProvisioning, "GET", "PUT")}},
	}
}
