// Package okta is Okta's management API over the directory, so faithful in status
// codes, key order, links, headers and error texts that Okta's own clients cannot
// tell the difference where it covers the API: users with their life cycle, groups
// and their rules, applications and assignments, admin roles, factors, sessions,
// policies, identity sources, the system log and the org's settings. Where its
// behaviour comes from are Okta's OpenAPI document 2026.06.3 and recorded traffic;
// recordings win.
//
// A request passes route (headers, authorization, rate limit, scope), then a
// handler, which turns the wire form into the directory's, calls it, and writes
// the answer. Each resource has a file with its paths, its handlers and its wire
// form (factors.go, rules.go, policies.go ...); those of users, groups and
// applications are spread: users.go with user.go and list.go, groups.go with
// group.go, apps.go with app_*.go. Errors of the directory become Okta's in
// errors.go, from a table. limits.go counts calls, refuse.go fails on demand for
// rehearsals, serves.go says what there is.
//
// The package leaves all rules to the directory, and the question whose a
// credential is to the Authorizer. What a caller may do it checks by scopes.
package okta

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Call is what an Authorizer has to judge: the credential of a request and
// where it was sent. Scheme and Token are empty when there is none.
type Call struct {
	Scheme, Token string   // of the Authorization header
	Proofs        []string // the DPoP headers
	Method        string
	URL           string // as the client addressed it, without query
	Issuer        string // the org's address, which tokens must be meant for
}

// Caller is who makes a call, and what it may do.
type Caller struct {
	Actor  directory.Actor // "me" is the account with its id
	Scopes []string        // nil: not limited by scopes, as API tokens are
	Roles  []string        // types of the admin roles it holds: "SUPER_ADMIN" ...
	Token  string          // id of the credential, for rate limits; never the credential itself

	reach *reach // of limited roles, in this call; nil: everywhere
	self  bool   // no role permits this call: it is about the caller's own account
}

// Authorizer tells who makes a call. fault.Unauthorized means that the
// credential is missing or wrong. What the caller may do is checked by the API.
type Authorizer func(ctx context.Context, c Call) (Caller, error)

// Options are what the API needs. Directory and Authorizer must be set.
type Options struct {
	Directory  *directory.Directory
	Authorizer Authorizer
	OAuth      *oauth.Server // the org's authorization server; nil: there is none
	Realm      string        // of the directory; default directory.OktaRealm
	Log        *slog.Logger  // default: no log

	// BaseURL is the org's address in links, such as https://example.okta.com;
	// default: the address the client used.
	BaseURL string

	// Limits says which rate limits hold. It is asked with every call, so that
	// they can change; default: those of a workforce org, not enforced.
	Limits func() LimitPolicy

	// Engine is the generation of the org: "oie" (Identity Engine, the default) or
	// "classic". They differ in activation links, in some links of users, and in
	// defaults.
	Engine string

	// WithoutBlocks is for an org that cannot list what blocks a user, which
	// answers 401 E0000015 then, as all recorded ones do.
	WithoutBlocks bool

	// Vault keeps the tokens of provisioning connections; nil: none can be set.
	Vault provision.Vault

	// Sources are the org's identity sources; nil: the org lacks the feature.
	Sources Sources

	// SourceStatuses are the statuses of identity sources that are in doubt.
	SourceStatuses SourceStatuses

	// Pushed tells what became of pushed groups in the application; nil: nobody knows.
	Pushed Pushed

	// IndexDelay is how long lists and searches of users lag behind changes; 0, the
	// default, is not at all. Okta's index is said to need less than a second.
	IndexDelay time.Duration

	// TokenNouns are the records that hold what applications may do in a user's
	// name: clearing a user's sessions with oauthTokens removes them.
	TokenNouns []directory.Noun

	// DeleteStatus is the status of a successful DELETE of a user: 204 as
	// recorded (the default), or 202 as the OpenAPI edition of 2024 said.
	DeleteStatus int

	// GroupRoleStatus is the status of a role given to a group: 201 as recorded
	// (the default), or 200 as the OpenAPI edition of 2022 said.
	GroupRoleStatus int
}

// API is the HTTP API. It is safe for concurrent use.
type API struct {
	Options
	served []string // operations, as METHOD pattern

	provisioning *provision.Settings

	front   web.Front
	unknown http.Handler // of paths that there are not
	mux     *http.ServeMux
	rules   *http.ServeMux // the paths below rulesPath
	limits  *limits
	server  web.Front // of the endpoints of the authorization server
	pages   web.Front // of its pages
	table   []Route
}

// New returns the API.
func New(o Options) *API {
	if o.Realm == "" {
		o.Realm = directory.OktaRealm
	}
	if o.Engine == "" {
		o.Engine = "oie"
	}
	if o.GroupRoleStatus == 0 {
		o.GroupRoleStatus = http.StatusCreated
	}
	if o.DeleteStatus == 0 {
		o.DeleteStatus = http.StatusNoContent
	}
	o.SourceStatuses.CreateSession = cmp.Or(o.SourceStatuses.CreateSession, http.StatusCreated)
	o.SourceStatuses.DeleteGroup = cmp.Or(o.SourceStatuses.DeleteGroup, http.StatusOK)
	if o.Limits == nil {
		o.Limits = func() LimitPolicy { return LimitPolicy{} }
	}
	a := &API{Options: o, mux: http.NewServeMux(), rules: http.NewServeMux(), limits: newLimits(o.Directory.Clock, o.Limits)}
	a.provisioning = &provision.Settings{Directory: o.Directory, Realm: o.Realm, Vault: o.Vault}
	a.front = web.Front{Log: o.Log, NewID: a.requestID, Open: a.open, Fail: a.fail}
	if o.OAuth != nil && o.TokenNouns == nil {
		a.TokenNouns = oauth.TokenNouns()
	}
	a.server = web.Front{Log: o.Log, NewID: a.requestID, Open: a.open, Fail: a.failOAuth}
	a.pages = web.Front{Log: o.Log, NewID: a.requestID, Open: a.open, Fail: a.failPage}
	a.routes()
	return a
}

// Mount puts the whole API on a mux of its own port: paths that it does not
// know are answered as Okta does.
func (a *API) Mount(mux *http.ServeMux) { mux.Handle("/", a) }

// method is one operation of a path.
type method struct {
	name  string // GET ...
	scope string // okta.users.read ...; empty: any caller
	run   web.Handler
}

// The scopes of operations. A manage scope includes its read scope.
const (
	readUsers    = "okta.users.read"
	manageUsers  = "okta.users.manage"
	readGroups   = "okta.groups.read"
	manageGroups = "okta.groups.manage"
)

// base is in front of every path of the management API.
const basePath = "/api/v1"

// routes is the table of the API. Each resource lists its own paths beside its
// handlers.
func (a *API) routes() {
	a.userRoutes()
	a.credentialRoutes()
	a.lifecycleRoutes()
	a.schemaRoutes()
	a.groupRoutes()
	a.ruleRoutes()
	a.roleRoutes()
	a.appRoutes()
	a.mappingRoutes()
	a.sourceRoutes()
	a.factorRoutes()
	a.sessionRoutes()
	a.policyRoutes()
	a.authenticatorRoutes()
	a.logRoutes()
	a.orgRoutes()
	a.tokenRoutes()
	a.oauthRoutes()
	a.clientRoutes()
	a.route("/")
}

// rulesPath cannot stand in one mux with the groups: http.ServeMux sees a
// conflict between groups/rules/{id} and groups/{id}/users.
const rulesPath = basePath + "/groups/rules"

// muxOf returns the mux that serves a path or pattern.
func (a *API) muxOf(path string) *http.ServeMux {
	if path == rulesPath || strings.HasPrefix(path, rulesPath+"/") {
		return a.rules
	}
	return a.mux
}

// Route is one operation that the API has.
type Route struct {
	Method, Pattern string
	Scope           string // that a token needs; empty: none
}

// Routes returns the operations of the management API.
func (a *API) Routes() []Route { return slices.Clone(a.table) }

// route registers a path. A method that it does not have is E0000022; no
// methods at all make it the path of everything unknown, E0000008.
func (a *API) route(pattern string, methods ...method) {
	for _, m := range methods {
		a.table = append(a.table, Route{m.name, pattern, m.scope})
	}
	handler := a.front.Handle(func(w http.ResponseWriter, r *http.Request) error {
		name := r.Method
		if name == http.MethodHead {
			name = http.MethodGet
		}
		i := slices.IndexFunc(methods, func(m method) bool { return m.name == name })
		leave, ok := a.limits.enter(w.Header())
		if !ok {
			return problem("E0000047")
		}
		defer leave()
		var who Caller
		var err error = problem("E0000008")
		if len(methods) > 0 || strings.HasPrefix(r.URL.Path, "/api/") {
			who, err = a.authorize(r)
		}
		if err == nil {
			err = checkQuery(r.URL)
		}
		// Whose share a call counts for is known after it is authorized; one that
		// is not counts for the bucket.
		if !a.limits.take(w.Header(), name, r.URL.EscapedPath(), who.Token) {
			return problem("E0000047")
		}
		switch {
		case err != nil:
			return err
		case len(methods) == 0:
			return problem("E0000008")
		case i < 0:
			return problem("E0000022")
		}
		if on, err := a.enforce(w, r, &who, operation{pattern, methods[i]}); !on {
			return err
		}
		return methods[i].run(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	})
	if pattern == "/" {
		a.unknown = handler
		a.mux.Handle("/", handler)
		a.rules.Handle("/", handler)
		return
	}
	for _, m := range methods {
		a.served = append(a.served, m.name+" "+pattern)
	}
	a.muxOf(pattern).Handle(pattern, handler)
}

type callerKey struct{}

// caller returns who makes the call.
func caller(r *http.Request) Caller {
	c, _ := r.Context().Value(callerKey{}).(Caller)
	return c
}

// actor returns who makes the call, for the change log.
func actor(r *http.Request) directory.Actor { return caller(r).Actor }

func (a *API) authorize(r *http.Request) (Caller, error) {
	scheme, token := web.Credential(r)
	who, err := a.Authorizer(r.Context(), Call{
		Scheme: scheme, Token: token, Proofs: r.Header.Values("DPoP"),
		Method: r.Method, URL: a.base(r) + r.URL.EscapedPath(), Issuer: a.base(r),
	})
	if err != nil {
		return Caller{}, a.unauthorized(r, scheme, err)
	}
	from := client(r)
	who.Actor.Request, who.Actor.IP, who.Actor.UserAgent = from.Request, from.IP, from.UserAgent
	return who, nil
}

// userRef returns the account that a path names: "me" is the caller.
func userRef(r *http.Request, segment string) string {
	ref := r.PathValue(segment)
	if ref == "me" {
		return actor(r).ID
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
