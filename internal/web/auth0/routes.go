package auth0

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/web"
)

// route is one operation of the Management API. Each resource lists its own in
// a function xxxRoutes beside its handlers, and routes joins them.
type route struct {
	method string
	path   string // below basePath, as a pattern of net/http: /users/{id}
	scopes []string
	run    web.Handler
}

// op returns a route. A caller needs one of the scopes.
func op(method, path string, run web.Handler, scopes ...string) route {
	return route{method, path, scopes, run}
}

// basePath is in front of every path of the Management API.
const basePath = "/api/v2"

// routes is the table of the Management API.
func (a *API) routes() []route {
	return slices.Concat(
		a.userRoutes(),
		a.groupRoutes(),
		a.identityRoutes(),
		a.authMethodRoutes(),
		a.sessionRoutes(),
		a.blockRoutes(),
		a.connectionRoutes(),
		a.clientRoutes(),
		a.resourceServerRoutes(),
		a.grantRoutes(),
		a.keyRoutes(),
		a.jobRoutes(),
		a.logRoutes(),
		a.roleRoutes(),
		a.organizationRoutes(),
		a.orgConnectionRoutes(),
		a.invitationRoutes(),
		a.orgDomainRoutes(),
		a.orgGrantRoutes(),
		a.scimRoutes(),
	)
}

// Scopes returns every scope that an operation asks for, sorted.
func Scopes() []string {
	all := []string{clientKeys}
	for _, r := range (&API{}).routes() { // nothing runs: the handlers are only named
		all = append(all, r.scopes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Route is one operation that the API has.
type Route struct {
	Method, Pattern string
	Scopes          []string // of which a token needs one
}

// Routes returns the operations of the Management API.
func (a *API) Routes() []Route {
	var out []Route
	for _, r := range a.routes() {
		out = append(out, Route{r.method, basePath + r.path, r.scopes})
	}
	return out
}

// Serves reports whether the API has an operation, by the path of a request.
func (a *API) Serves(method, path string) bool {
	u, err := url.Parse(path)
	if err != nil {
		return false
	}
	_, pattern := a.muxOf(u.Path).Handler(&http.Request{Method: method, URL: u})
	return pattern != "" && pattern != "/"
}

// register puts the table on the muxes, with what is outside of it.
func (a *API) register() {
	a.mux.Handle("POST /oauth/token", a.front.Handle(a.token))
	a.registerLogin()
	a.mux.Handle("GET "+openIDPath, a.front.Handle(a.openID))
	a.mux.Handle("GET "+keysPath, a.front.Handle(a.jwks))
	a.mux.Handle("GET "+exportPath+"{id}/{file}", a.front.Handle(a.download))
	for _, r := range a.routes() {
		a.muxOf(basePath+r.path).Handle(r.method+" "+basePath+r.path, a.front.Handle(a.managed(r)))
	}
	// Auth0 knows no 405: a wrong method is a path that is not found.
	unknown := a.front.Handle(func(http.ResponseWriter, *http.Request) error { return notFound() })
	a.mux.Handle("/", unknown)
	a.names.Handle("/", unknown)
}

// namesPath cannot stand in one mux with the organizations: http.ServeMux sees
// a conflict between organizations/name/{name} and organizations/{id}/members.
const namesPath = basePath + "/organizations/name/"

// muxOf returns the mux that serves a path or pattern.
func (a *API) muxOf(path string) *http.ServeMux {
	if strings.HasPrefix(path, namesPath) {
		return a.names
	}
	return a.mux
}

// managed is an operation behind the rate limit and the check of the token.
func (a *API) managed(o route) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if wait := a.limit.take(w.Header()); wait > 0 {
			return tooMany(w, wait)
		}
		who, err := a.authorize(r, o.scopes)
		if err != nil {
			return err
		}
		// net/url leaves out what it cannot read, and a search without its condition
		// finds everybody.
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			return badQuery("'The query string cannot be read'.")
		}
		return o.run(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	}
}

// noContent is the answer without a body.
func noContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}
