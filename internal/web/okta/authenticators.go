package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

const (
	readAuthenticators   = "okta.authenticators.read"
	manageAuthenticators = "okta.authenticators.manage"
)

// authenticatorRoutes lists the paths of authenticators.
func (a *API) authenticatorRoutes() {
	a.route(basePath+"/authenticators",
		method{"GET", readAuthenticators, a.listAuthenticators},
		method{"POST", manageAuthenticators, a.createAuthenticator})
	a.route(basePath+"/authenticators/{id}",
		method{"GET", readAuthenticators, a.getAuthenticator},
		method{"PUT", manageAuthenticators, a.replaceAuthenticator})
	for name, state := range switches {
		a.route(basePath+"/authenticators/{id}/lifecycle/"+name, method{"POST", manageAuthenticators, a.switchAuthenticator(state)})
	}
}

func (a *API) listAuthenticators(w http.ResponseWriter, r *http.Request) error {
	list, err := a.Directory.Authenticators(r.Context(), a.Realm)
	if err != nil {
		return err
	}
	return writeList(w, r, list, a.authenticator)
}

func (a *API) createAuthenticator(w http.ResponseWriter, r *http.Request) error {
	status, err := initialState(r)
	if err != nil {
		return err
	}
	one, err := readAuthenticator(r)
	if err != nil {
		return err
	}
	one.Status = status
	created, err := a.Directory.CreateAuthenticator(r.Context(), actor(r), a.Realm, one)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.authenticator(r, created))
}

func (a *API) getAuthenticator(w http.ResponseWriter, r *http.Request) error {
	one, err := a.Directory.Authenticator(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.authenticator(r, one))
}

func (a *API) replaceAuthenticator(w http.ResponseWriter, r *http.Request) error {
	by, err := readAuthenticator(r)
	if err != nil {
		return err
	}
	after, err := a.Directory.ReplaceAuthenticator(r.Context(), actor(r), a.Realm, r.PathValue("id"), by)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.authenticator(r, after))
}

func (a *API) switchAuthenticator(to directory.State) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		after, err := a.Directory.SwitchAuthenticator(r.Context(), actor(r), a.Realm, r.PathValue("id"), to)
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, a.authenticator(r, after))
	}
}

func readAuthenticator(r *http.Request) (*directory.Authenticator, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	one := &directory.Authenticator{Rest: body.rest()}
	if one.Name, err = body.text("name"); err != nil {
		return nil, err
	}
	if one.Key, err = body.text("key"); err != nil {
		return nil, err
	}
	return one, withoutKeys(one.Rest)
}

// withoutKeys takes out of an authenticator by what it would prove itself to its
// provider: nothing here calls one, so that they need not be kept.
func withoutKeys(rest object) error {
	provider, err := rest.object("provider")
	if err != nil {
		return err
	}
	configuration, err := provider.object("configuration")
	for _, name := range []string{"secretKey", "sharedSecret"} {
		delete(configuration, name)
	}
	return err
}

// authenticator is the wire form (Okta OpenAPI 2026.06.3, AuthenticatorBase).
func (a *API) authenticator(r *http.Request, one *directory.Authenticator) web.Object {
	self := a.base(r) + "/api/v1/authenticators/" + one.ID
	o := web.Object{
		{Key: "type", Value: one.Type}, {Key: "id", Value: one.ID}, {Key: "key", Value: one.Key},
		{Key: "status", Value: one.Status}, {Key: "name", Value: one.Name},
		{Key: "created", Value: date(one.Created)}, {Key: "lastUpdated", Value: date(one.Updated)},
	}
	o = append(o, sortedFields(one.Rest)...)
	return append(o, web.Field{Key: "_links", Value: web.Object{
		allowing("self", self, "GET", "PUT"),
		switchLink(self, one.Status),
		allowing("methods", self+"/methods", "GET"),
	}})
}
