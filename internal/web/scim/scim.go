// Package scim is SCIM 2.0 over HTTP as an enterprise connection of an Auth0
// tenant offers it, at /scim/v2/connections/{connection}: RFC 7644 with the
// cursors of RFC 9865. It owns paths, headers, status codes, bodies and their
// limits, paging, preconditions and bulk, and writes every call into the request
// log with the reasons of what was done.
//
// A request passes call.serve (token, rate limit, what the path names), then a
// handler: discovery.go, resources.go, search.go or bulk.go. Every error is
// answered in call.fail. cursor.go seals cursors, limits.go counts calls,
// refuse.go fails on demand for rehearsals, record.go writes the log.
//
// The package leaves the protocol's rules on resources to internal/scim, and what
// a request does to people and groups to the Backend, which is internal/inbound.
package scim

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// Prefix begins the paths of all connections. The id of a connection follows.
const Prefix = "/scim/v2/connections/"

// Backend opens the SCIM endpoints of connections.
type Backend interface {
	// Open checks a token and returns what its holder may reach. A token that is
	// empty, wrong, expired, revoked or of another connection is
	// fault.Unauthorized; a connection without a SCIM endpoint fault.NotFound.
	Open(ctx context.Context, connection, token string) (Endpoint, error)

	// Features are what the endpoint of a connection announces of itself to
	// anybody. fault.NotFound when there is none.
	Features(ctx context.Context, connection string) (scim.Features, error)
}

// Endpoint is the SCIM endpoint of one connection as the holder of a token sees
// it. Resources have their id and meta, but for meta.location, which this package
// adds. ifMatch is the header If-Match, "" without one: when it does not name the
// resource's version, the error is fault.Stale. A resource that does not exist is
// fault.NotFound.
type Endpoint interface {
	Types() *scim.Types
	Config() Config

	// Allow says whether the token permits a method ("GET", "POST" ...) on a
	// resource type: fault.Forbidden when it does not.
	Allow(method string, typ *scim.ResourceType) error

	Get(ctx context.Context, typ *scim.ResourceType, id string, p scim.Projection) (scim.Resource, error)

	// List finds resources. They belong to the caller, who writes into them.
	List(ctx context.Context, typ *scim.ResourceType, q scim.Query) (scim.Page, error)

	Create(ctx context.Context, typ *scim.ResourceType, body map[string]any) (scim.Resource, []scim.Note, error)
	Replace(ctx context.Context, typ *scim.ResourceType, id string, body map[string]any, ifMatch string) (scim.Resource, []scim.Note, error)

	// Patch may return no resource where that would cost more than the change.
	Patch(ctx context.Context, typ *scim.ResourceType, id string, ops []scim.Operation, ifMatch string) (scim.Resource, []scim.Note, error)
	Delete(ctx context.Context, typ *scim.ResourceType, id, ifMatch string) error
}

// Flagged is an Endpoint that treats Entra's clients otherwise when they set the
// flag aadOptscim062020 (scim-auth0.md 1.3).
type Flagged interface {
	// WithFlag returns the endpoint as a client with the flag sees it.
	WithFlag() Endpoint
}

// Personal is an Endpoint whose callers are resources themselves.
type Personal interface {
	// Me returns who calls, for /Me. "" when the caller is no resource.
	Me(ctx context.Context) (typ *scim.ResourceType, id string, err error)
}

// Config is what an endpoint says of itself and of the call.
type Config struct {
	Features scim.Features
	Leniency scim.Leniency // towards filters and patches; the Endpoint applies it to bodies
	Actor    string        // the id of the token, for the request log

	MaxBody   int64 // bytes of a request body; 0: DefaultMaxBody
	PerSecond int   // requests; 0: DefaultPerSecond
}

// Limits where an endpoint says nothing. 25 requests a second are what Auth0's
// public cloud lets a connection have (scim-auth0.md 1.4). A group of 10,000
// members, the most that a body may have, takes about 2 MB.
const (
	DefaultMaxBody   = 4 << 20
	DefaultPerSecond = 25
	defaultPage      = 100
	maxPage          = 1000
	cursorLife       = time.Hour
)

// Sealer encrypts cursors and proves that they are ours. secret.Key is one.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// Options are what the API needs. Backend and Sealer must be set.
type Options struct {
	Backend Backend
	Sealer  Sealer
	Now     func() time.Time  // the directory's clock; default time.Now
	Wire    *wirelog.Recorder // default: nothing is recorded
	Log     *slog.Logger      // default: no log

	// BaseURL is the tenant's address in locations, such as
	// https://example.eu.auth0.com; default: the address the client used.
	BaseURL string

	// EnforceLimits says whether a call beyond the rate limit is answered 429. It
	// is asked with every call. Default: never.
	EnforceLimits func() bool
}

// API is the HTTP API. It is safe for concurrent use.
type API struct {
	Options
	front web.Front
	limit *limits
}

// New returns the API.
func New(o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.EnforceLimits == nil {
		o.EnforceLimits = func() bool { return false }
	}
	a := &API{Options: o, limit: newLimits(o.Now)}
	a.front = web.Front{Log: o.Log, NewID: newID, Open: a.open, Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
		writeError(w, scim.Describe(err))
	}}
	return a
}

func newID() string { return strings.ToLower(rand.Text()) }

// Mount puts the API on a mux, beside others.
func (a *API) Mount(mux *http.ServeMux) { mux.Handle(Prefix, a) }

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{API: a, r: r}
	answer := &answer{Recorder: web.Recorder{ResponseWriter: w}, keeps: a.Wire != nil}
	begin, start := a.Now(), time.Now()
	a.front.Handle(c.serve).ServeHTTP(answer, r)
	c.record(answer, begin, time.Since(start))
}

// open sets the headers that every answer has.
func (a *API) open(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Date", a.Now().UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// call is one request on its way.
type call struct {
	*API
	w    http.ResponseWriter
	r    *http.Request
	path []string // below the connection, unescaped
	base string   // of locations, once root was asked

	values url.Values // the query

	connection string
	known      bool // there is such a connection
	token      string
	endpoint   Endpoint // nil before the token was accepted
	config     Config

	body    []byte
	subject string
	why     []string
	brief   string // the answer as the log keeps it, when that is less than the whole
}

// serve answers the request. What it returns has been answered already.
func (c *call) serve(w http.ResponseWriter, r *http.Request) error {
	c.w, c.r = w, r
	err := c.route()
	if err != nil {
		c.fail(err)
	}
	return err
}

// route finds out what the request is about.
func (c *call) route() error {
	if err := c.readPath(); err != nil {
		return err
	}
	broken := c.readValues()
	if isDiscovery(c.path) && broken == nil {
		return c.discovery()
	}
	if err := c.authorize(); err != nil {
		return err
	}
	if broken != nil { // said only now, for the log is of calls to a connection
		return broken
	}
	return c.dispatch()
}

// readPath takes the path apart. Ids may hold any character, escaped (Auth0's
// have "|", which arrives as %7C). A slash at the end is of no meaning: Microsoft's
// collection of tests sends one. What is no text, or holds NUL, is no id.
func (c *call) readPath() error {
	rest, ok := strings.CutPrefix(c.r.URL.EscapedPath(), Prefix)
	if !ok {
		return unknownPath()
	}
	for i, segment := range strings.Split(strings.TrimSuffix(rest, "/"), "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" || !isText(plain) {
			return unknownPath()
		}
		if i == 0 {
			c.connection = plain
		} else {
			c.path = append(c.path, plain)
		}
	}
	return nil
}

// readValues takes the query apart. One that cannot be is refused: url.URL.Query
// leaves such a parameter out, and without its filter a list is everybody. A
// semicolon is a character like others.
func (c *call) readValues() (err error) {
	c.values, err = url.ParseQuery(strings.ReplaceAll(c.r.URL.RawQuery, ";", "%3B"))
	if err != nil {
		return scim.Fail(scim.InvalidSyntax, "the query cannot be read: a percent sign begins no escape")
	}
	return nil
}

// isText reports whether an id can be one: every database keeps it as it is.
func isText(id string) bool { return utf8.ValidString(id) && !strings.Contains(id, "\x00") }

// authorize opens the endpoint, and counts the call.
func (c *call) authorize() error {
	scheme, token := web.Credential(c.r)
	if strings.EqualFold(scheme, "Bearer") {
		c.token = token
	}
	endpoint, err := c.Backend.Open(c.r.Context(), c.connection, c.token)
	c.known = err == nil || !fault.Is(err, fault.NotFound)
	if err != nil {
		return err
	}
	if f, ok := endpoint.(Flagged); ok && c.values.Has("aadOptscim062020") {
		endpoint = f.WithFlag()
	}
	c.endpoint, c.config = endpoint, endpoint.Config()
	if wait := c.limit.take(c.connection, cmp.Or(c.config.PerSecond, DefaultPerSecond)); wait > 0 && c.EnforceLimits() {
		return tooManyRequests(wait)
	}
	return nil
}

// The names that a type's endpoint cannot have.
const (
	bulkPath   = "Bulk"
	mePath     = "Me"
	searchPath = ".search"
)

// dispatch finds the handler.
func (c *call) dispatch() error {
	if len(c.path) == 0 {
		return c.only(methods{http.MethodGet: c.listAll})
	}
	switch first, one := c.path[0], len(c.path) == 1; {
	case first == searchPath && one:
		return c.only(methods{http.MethodPost: c.searchAll})
	case first == bulkPath && one:
		return c.only(methods{http.MethodPost: c.bulk})
	case first == mePath && one:
		return c.me()
	}
	typ := c.typeAt(c.path[0])
	if typ == nil || len(c.path) > 2 {
		return unknownPath()
	}
	if len(c.path) == 1 {
		return c.only(methods{
			http.MethodGet:  func() error { return c.list(typ) },
			http.MethodPost: func() error { return c.post(typ) },
		})
	}
	if c.path[1] == searchPath {
		return c.only(methods{http.MethodPost: func() error { return c.searchType(typ) }})
	}
	return c.resource(typ, c.path[1])
}

// typeAt finds the resource type of an endpoint. Microsoft's collection of tests
// has one in lower case.
func (c *call) typeAt(name string) *scim.ResourceType {
	types := c.endpoint.Types()
	if typ := types.At("/" + name); typ != nil {
		return typ
	}
	all := types.All()
	i := slices.IndexFunc(all, func(t *scim.ResourceType) bool { return strings.EqualFold(t.Endpoint, "/"+name) })
	if i < 0 {
		return nil
	}
	c.note(scim.Note("the path was read as " + all[i].Endpoint))
	return all[i]
}

// methods are the operations of a path.
type methods map[string]func() error

// only runs the operation that the request's method names: 405 when there is
// none. HEAD is GET without a body, which net/http leaves out.
func (c *call) only(m methods) error {
	name := c.r.Method
	if name == http.MethodHead {
		name = http.MethodGet
	}
	if run := m[name]; run != nil {
		return run()
	}
	return c.methodNotAllowed(m)
}

// root is the absolute URL of the connection's SCIM endpoint.
func (c *call) root() string {
	if c.base == "" {
		c.base = strings.TrimSuffix(c.BaseURL, "/")
		if c.base == "" {
			c.base = web.BaseURL(c.r)
		}
		c.base += Prefix + url.PathEscape(c.connection)
	}
	return c.base
}

// maxWhy bounds what one call can write into the log.
const maxWhy = 100

// note adds sentences to the reasons of the call.
func (c *call) note(notes ...scim.Note) {
	for _, n := range notes {
		if len(c.why) < maxWhy {
			c.why = append(c.why, string(n))
		}
	}
}
