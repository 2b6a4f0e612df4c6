package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) originRoutes() {
	a.route(basePath+"/trustedOrigins",
		method{"GET", readOrigins, a.listOrigins},
		method{"POST", manageOrigins, a.createOrigin})
	a.route(basePath+"/trustedOrigins/{id}",
		method{"GET", readOrigins, a.getOrigin},
		method{"PUT", manageOrigins, a.replaceOrigin},
		method{"DELETE", manageOrigins, a.deleteOrigin})
	for name, state := range switches {
		a.route(basePath+"/trustedOrigins/{id}/lifecycle/"+name, method{"POST", manageOrigins, a.switchOrigin(name, state)})
	}
}

func (a *API) listOrigins(w http.ResponseWriter, r *http.Request) error {
	list, err := a.Directory.TrustedOrigins(r.Context(), a.Realm)
	if err != nil {
		return err
	}
	return writeList(w, r, list, a.origin)
}

func (a *API) createOrigin(w http.ResponseWriter, r *http.Request) error {
	o, err := readOrigin(r)
	if err != nil {
		return err
	}
	created, err := a.Directory.CreateTrustedOrigin(r.Context(), actor(r), a.Realm, o)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.origin(r, created))
}

func (a *API) getOrigin(w http.ResponseWriter, r *http.Request) error {
	o, err := a.Directory.TrustedOrigin(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.origin(r, o))
}

func (a *API) replaceOrigin(w http.ResponseWriter, r *http.Request) error {
	by, err := readOrigin(r)
	if err != nil {
		return err
	}
	after, err := a.Directory.ChangeTrustedOrigin(r.Context(), actor(r), a.Realm, r.PathValue("id"), "update", func(o *directory.TrustedOrigin) {
		o.Name, o.Origin, o.Scopes = by.Name, by.Origin, by.Scopes
	})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.origin(r, after))
}

func (a *API) switchOrigin(name string, to directory.State) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		after, err := a.Directory.ChangeTrustedOrigin(r.Context(), actor(r), a.Realm, r.PathValue("id"), name, func(o *directory.TrustedOrigin) { o.Status = to })
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, a.origin(r, after))
	}
}

func (a *API) deleteOrigin(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeleteTrustedOrigin(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

func readOrigin(r *http.Request) (*directory.TrustedOrigin, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	o := &directory.TrustedOrigin{}
	if o.Name, err = body.text("name"); err != nil {
		return nil, err
	}
	if o.Origin, err = body.text("origin"); err != nil {
		return nil, err
	}
	list, _ := body["scopes"].([]any)
	for _, v := range list {
		scope, ok := v.(map[string]any)
		if !ok {
			return nil, problem("E0000003")
		}
		typ, err := object(scope).text("type")
		if err != nil {
			return nil, err
		}
		o.Scopes = append(o.Scopes, typ)
	}
	return o, nil
}

// origin is the wire form (Okta OpenAPI 2026.06.3, TrustedOrigin).
func (a *API) origin(r *http.Request, o *directory.TrustedOrigin) web.Object {
	self := a.base(r) + "/api/v1/trustedOrigins/" + o.ID
	scopes := make([]web.Object, len(o.Scopes))
	for i, s := range o.Scopes {
		scopes[i] = web.Object{{Key: "type", Value: s}}
	}
	return web.Object{
		{Key: "id", Value: o.ID}, {Key: "name", Value: o.Name}, {Key: "origin", Value: o.Origin},
		{Key: "scopes", Value: scopes}, {Key: "status", Value: string(o.Status)},
		{Key: "created", Value: date(o.Created)}, {Key: "createdBy", Value: o.CreatedBy},
		{Key: "lastUpdated", Value: date(o.Updated)}, {Key: "lastUpdatedBy", Value: o.UpdatedBy},
		{Key: "_links", Value: web.Object{allowing("self", self, "GET", "PUT", "DELETE"), switchLink(self, o.Status)}},
	}
}
