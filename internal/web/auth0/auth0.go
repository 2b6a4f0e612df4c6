// Package auth0 is Auth0's Management API over a tenant, with the endpoints of
// the tenant itself: /oauth/token, /authorize with its pages, /.well-known.
// Status codes, key order, error bodies and headers are those of recorded
// traffic (go-auth0 v1.45.0); where nothing was recorded, of Auth0's OpenAPI
// document.
//
// An Auth0 user is an account of a realm of kind directory.Auth0; wire.go writes
// it. Each kind of object has a file of its own with its routes, which routes.go
// joins. payload.go checks bodies against properties, paging.go reads what a
// list is asked for, errors.go words every error.
//
// The package leaves rules on users and passwords to the directory, those of all
// other objects to package tenant, signing in to package login, SCIM endpoints
// to internal/web/scim, and who may call to the Authorizer.
package auth0

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Authorizer issues access tokens for the Management API and checks them.
// Clients is one.
type Authorizer interface {
	// Issue exchanges a client's secret for a token. A client or secret that
	// is wrong is fault.Unauthorized; an audience that the client has no grant
	// for, or a scope outside its grant, fault.Forbidden.
	Issue(ctx context.Context, r TokenRequest) (Token, error)

	// Authorize returns who holds a token that has at least one of the scopes.
	// A token that is empty (the request has none), wrong or expired is
	// fault.Unauthorized, one without the scopes fault.Forbidden.
	Authorize(ctx context.Context, token string, anyOf []string) (Caller, error)
}

// Caller is who makes a call, and what it may do.
type Caller struct {
	ID     string
	Scopes []string // nil: all
}

// TokenRequest is what a client asks for at /oauth/token.
type TokenRequest struct {
	ClientID, ClientSecret string
	Audience               string
	Scope                  string // space-separated; empty: all that the client is granted
	Issuer                 string // the tenant's address, with a slash at its end
}

// Token is an access token.
type Token struct {
	Access  string
	Scope   string
	Expires time.Duration // its life
}

// Options are what the API needs. Directory and Authorizer must be set.
type Options struct {
	Directory  *directory.Directory
	Authorizer Authorizer
	Realm      string       // of the directory; default directory.Auth0Realm
	Log        *slog.Logger // default: no log
	Login      Login        // signs people in; nil: nobody can

	// Exchanges are the calls that reached the SCIM endpoints of the tenant's
	// connections, for the logs; nil: the logs do not show them.
	Exchanges Exchanges

	// Describe reads how an identity provider describes itself at an address
	// (OpenID Connect Discovery 1.0 4), which new connections keep; nil: nothing is
	// fetched.
	Describe func(ctx context.Context, address string) (map[string]any, error)

	// Background does work that goes on after the request that asked for it is
	// answered, and gives it a context that ends with the process; nil: requests
	// wait for it.
	Background func(work func(context.Context))

	// BaseURL is the tenant's address in tokens; default: the address the
	// client used.
	BaseURL string

	// EnforceLimits says whether a call beyond the rate limit is answered 429. It
	// is asked with every call. Otherwise, and by default, calls are counted and
	// shown, and the count stops at one call left.
	EnforceLimits func() bool
}

// API is the HTTP API. It is safe for concurrent use.
type API struct {
	Options
	tenant *tenant.Tenant
	front  web.Front
	mux    *http.ServeMux
	names  *http.ServeMux // the paths below namesPath
	limit  *limit

	searchTime time.Duration
}

// New returns the API.
func New(o Options) *API {
	if o.Realm == "" {
		o.Realm = directory.Auth0Realm
	}
	if o.EnforceLimits == nil {
		o.EnforceLimits = func() bool { return false }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{
		Options: o, tenant: tenant.New(o.Directory, o.Realm),
		mux: http.NewServeMux(), names: http.NewServeMux(), limit: newLimit(o.Directory.Clock, o.EnforceLimits),
		searchTime: searchTime,
	}
	a.front = web.Front{Log: o.Log, NewID: func() string { return o.Directory.IDs.Hex(16) }, Open: a.open, Fail: fail}
	a.register()
	return a
}

// Mount puts the whole API on a mux of its own port.
func (a *API) Mount(mux *http.ServeMux) { mux.Handle("/", a) }

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.muxOf(r.URL.Path).ServeHTTP(w, r) }

type callerKey struct{}

func caller(r *http.Request) Caller {
	c, _ := r.Context().Value(callerKey{}).(Caller)
	return c
}

// holds reports whether the caller has a scope.
func holds(r *http.Request, scope string) bool {
	c := caller(r)
	return c.Scopes == nil || slices.Contains(c.Scopes, scope)
}

// actor returns who makes the call, for the change log.
func actor(r *http.Request) directory.Actor {
	client := caller(r).ID
	return directory.Actor{
		ID: client, Type: directory.ClientActor, Name: client,
		Request: web.RequestID(r.Context()), UserAgent: r.UserAgent(),
	}
}

func (a *API) authorize(r *http.Request, scopes []string) (Caller, error) {
	scheme, token := web.Credential(r)
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	who, err := a.Authorizer.Authorize(r.Context(), token, scopes)
	switch {
	case fault.Is(err, fault.Unauthorized) && token == "":
		return Caller{}, &apiError{status: http.StatusUnauthorized, message: "Missing authentication", err: err}
	case fault.Is(err, fault.Unauthorized):
		return Caller{}, &apiError{status: http.StatusUnauthorized, message: "Invalid token", code: "invalid_token", err: err}
	case fault.Is(err, fault.Forbidden):
		return Caller{}, &apiError{
			status: http.StatusForbidden, code: "insufficient_scope", err: err,
			message: "Insufficient scope, expected any of: " + strings.Join(scopes, ","),
		}
	}
	return who, err
}

// open sets the headers that every answer has.
func (a *API) open(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "private, no-store, no-cache, must-revalidate, post-check=0, pre-check=0")
	h.Set("Date", a.now().Format(http.TimeFormat))
	h.Set("X-Content-Type-Options", "nosniff")
}

func (a *API) now() time.Time { return a.Directory.Clock().UTC() }
