// Package okta is Okta's management API over the directory: users with their
// life cycle, groups and memberships, so faithful in status codes, key order,
// links, headers and error texts that Okta's own clients cannot tell the
// difference where it covers the API. Sources of behaviour are Okta's OpenAPI
// document 2026.06.3 and recorded traffic; recordings win.
//
// A request passes ServeHTTP (headers, rate limit, authorization, route), then
// a handler in users.go, lifecycle.go or groups.go, which turns the wire form
// into the directory's, calls it, and writes the answer with user.go or
// group.go. Errors of the directory become Okta's in errors.go, from a table.
//
// The package leaves the rules of the life cycle to the directory, and the
// question who may call to the Authorizer.
package okta

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Authorizer decides whether a credential may make a call; scheme and token are
// empty when the request has none. It returns who the caller is: the id or
// login of an account, which /users/me answers with, or a name for the change
// log. fault.Unauthorized means that the credential is missing or wrong,
// fault.Forbidden that it has not the right.
type Authorizer func(ctx context.Context, scheme, token, method, path string) (actor string, err error)

// Options are what the API needs. Directory and Authorizer must be set.
type Options struct {
	Directory  *directory.Directory
	Authorizer Authorizer
	Realm      string       // of the directory; default directory.OktaRealm
	Log        *slog.Logger // default: no log

	// BaseURL is the org's address in links, such as https://example.okta.com;
	// default: the address the client used.
	BaseURL string

	// EnforceLimits answers 429 when a rate limit is used up. Otherwise limits
	// are counted and shown, and the count stops at one call left.
	EnforceLimits bool

	// DeleteStatus is the status of a successful DELETE of a user: 204 as
	// recorded (the default), or 202 as the OpenAPI edition of 2024 said.
	DeleteStatus int
}

// API is the HTTP API. It is safe for concurrent use.
type API struct {
	Options
	front  web.Front
	mux    *http.ServeMux
	limits *limits
}

// New returns the API.
func New(o Options) *API {
	if o.Realm == "" {
		o.Realm = directory.OktaRealm
	}
	if o.DeleteStatus == 0 {
		o.DeleteStatus = http.StatusNoContent
	}
	a := &API{Options: o, mux: http.NewServeMux(), limits: newLimits(o.Directory.Clock, o.EnforceLimits)}
	a.front = web.Front{Log: o.Log, NewID: a.requestID, Open: a.open, Fail: a.fail}
	a.routes()
	return a
}

// Mount puts the whole API on a mux of its own port: paths that it does not
// know are answered as Okta does.
func (a *API) Mount(mux *http.ServeMux) { mux.Handle("/", a) }

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// method is one operation of a path.
type method struct {
	name   string // GET ...
	bucket bucket
	run    web.Handler
}

// routes is the table of the API.
func (a *API) routes() {
	const base = "/api/v1"
	a.route(base+"/users",
		method{"GET", usersBucket, a.listUsers},
		method{"POST", usersBucket, a.createUser})
	a.route(base+"/users/{id}",
		method{"GET", userGetBucket, a.getUser},
		method{"POST", userWriteBucket, a.updateUser},
		method{"PUT", userWriteBucket, a.replaceUser},
		method{"DELETE", userWriteBucket, a.deleteUser})
	a.route(base+"/users/{id}/groups", method{"GET", otherBucket, a.listUserGroups})
	a.route(base+"/users/{id}/sessions", method{"DELETE", otherBucket, a.clearSessions})
	for op, run := range a.lifecycleHandlers() {
		a.route(base+"/users/{id}/lifecycle/"+op, method{"POST", otherBucket, run})
	}
	a.route(base+"/groups",
		method{"GET", groupsBucket, a.listGroups},
		method{"POST", groupsBucket, a.createGroup})
	a.route(base+"/groups/{id}",
		method{"GET", groupBucket, a.getGroup},
		method{"PUT", groupBucket, a.replaceGroup},
		method{"DELETE", groupBucket, a.deleteGroup})
	a.route(base+"/groups/{id}/users", method{"GET", groupsBucket, a.listMembers})
	a.route(base+"/groups/{id}/users/{user}",
		method{"PUT", groupsBucket, a.addMember},
		method{"DELETE", groupsBucket, a.removeMember})
	a.route("/")
}

// route registers a path. A method that it does not have is E0000022; no
// methods at all make it the path of everything unknown, E0000008.
func (a *API) route(pattern string, methods ...method) {
	a.mux.Handle(pattern, a.front.Handle(func(w http.ResponseWriter, r *http.Request) error {
		name := r.Method
		if name == http.MethodHead {
			name = http.MethodGet
		}
		i := slices.IndexFunc(methods, func(m method) bool { return m.name == name })
		bucket := otherBucket
		if i >= 0 {
			bucket = methods[i].bucket
		}
		if !a.limits.take(w.Header(), bucket) {
			return problem("E0000047")
		}
		if !strings.HasPrefix(r.URL.Path, "/api/") {
			return problem("E0000008")
		}
		actor, err := a.authorize(r)
		if err != nil {
			return err
		}
		switch {
		case len(methods) == 0:
			return problem("E0000008")
		case i < 0:
			return problem("E0000022")
		}
		return methods[i].run(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, actor)))
	}))
}

type actorKey struct{}

// actor returns who makes the call.
func actor(r *http.Request) string {
	s, _ := r.Context().Value(actorKey{}).(string)
	return s
}

func (a *API) authorize(r *http.Request) (string, error) {
	scheme, token := web.Credential(r)
	who, err := a.Authorizer(r.Context(), scheme, token, r.Method, r.URL.Path)
	switch {
	case fault.Is(err, fault.Unauthorized):
		return "", problem("E0000011").because(err)
	case fault.Is(err, fault.Forbidden):
		return "", problem("E0000006").because(err)
	}
	return who, err
}

// userRef returns the account that a path names: "me" is the caller.
func userRef(r *http.Request, segment string) string {
	ref := r.PathValue(segment)
	if ref == "me" {
		return actor(r)
	}
	return ref
}

// open sets the headers that every answer has.
func (a *API) open(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Okta-Request-Id", web.RequestID(r.Context()))
	h.Set("Date", a.now().Format(http.TimeFormat)) // clients compute waits from it
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "0")
	h.Set("X-Content-Type-Options", "nosniff")
}

func (a *API) now() time.Time { return a.Directory.Clock().UTC() }

func (a *API) requestID() string { return a.Directory.IDs.Hex(32) }

// base returns the org's address for links.
func (a *API) base(r *http.Request) string {
	if a.BaseURL != "" {
		return strings.TrimSuffix(a.BaseURL, "/")
	}
	return web.BaseURL(r)
}

// empty is the answer {} of operations that say nothing but that they worked.
func empty(w http.ResponseWriter) error { return web.WriteJSON(w, http.StatusOK, struct{}{}) }

func noContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}
