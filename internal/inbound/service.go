package inbound

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// Limits are those of Auth0's public cloud (scim-auth0.md 1.4).
type Limits struct {
	Groups         int // of a connection
	Members        int // of a group
	MembersInBody  int // of a POST or PUT
	MembersInPatch int // that a PATCH adds or removes
	PageSize       int // resources in one page, at most
	DefaultPage    int // when the client does not say
	Sorted         int // resources that a request may have sorted
}

// Auth0Limits returns the limits that Auth0 states, and ours where it states none.
func Auth0Limits() Limits {
	return Limits{Groups: 10_000, Members: 200_000, MembersInBody: 10_000, MembersInPatch: 1_000, PageSize: 1_000, DefaultPage: 100, Sorted: 200_000}
}

// Service opens the SCIM endpoints of a tenant's connections. It is safe for
// concurrent use.
type Service struct {
	tenant   *tenant.Tenant
	standard *scim.Types
	limits   Limits

	mu       sync.Mutex // guards compiled
	compiled map[string]*setup
}

// New returns the service of a tenant.
func New(t *tenant.Tenant, limits Limits) *Service {
	return &Service{tenant: t, standard: scim.Standard(), limits: limits, compiled: map[string]*setup{}}
}

// setup is a connection with its configuration, compiled. It is immutable.
type setup struct {
	connection *tenant.Connection
	config     *tenant.SCIMConfig
	types      *scim.Types
	users      *scim.ResourceType
	groups     *scim.ResourceType
	mapping    *mapping
	leniency   scim.Leniency
	auth0      bool // only what Auth0 takes
}

// Open checks a token and returns the endpoint of a connection. A connection
// that does not exist, or has no SCIM, is fault.NotFound; a token that is
// unknown, revoked or over is fault.Unauthorized, one of another connection
// fault.Forbidden.
func (s *Service) Open(ctx context.Context, connection, secret string) (*Endpoint, error) {
	var token *tenant.SCIMToken
	var is *setup
	err := s.tenant.Directory.Store.View(ctx, func(r directory.Reader) (err error) {
		if is, err = s.setup(r, connection); err != nil {
			return err
		}
		token, err = s.token(r, connection, secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.tenant.NoteSCIMUse(ctx, token); err != nil {
		return nil, err
	}
	return &Endpoint{Service: s, setup: is, token: token}, nil
}

// Inside returns the endpoint of a connection for the operator, who needs no
// token and may do everything.
func (s *Service) Inside(ctx context.Context, connection string) (*Endpoint, error) {
	e := &Endpoint{Service: s}
	err := s.tenant.Directory.Store.View(ctx, func(r directory.Reader) (err error) {
		e.setup, err = s.setup(r, connection)
		return err
	})
	return e, err
}

func (s *Service) token(r directory.Reader, connection, secret string) (*tenant.SCIMToken, error) {
	if secret == "" {
		return nil, fault.New(fault.Unauthorized, "a bearer token is needed")
	}
	token, err := s.tenant.FindSCIMToken(r, secret)
	switch {
	case err != nil:
		return nil, err
	case token.Connection != connection:
		return nil, fault.New(fault.Forbidden, "the token is for another connection")
	case token.Expired(s.tenant.Directory.Now()):
		return nil, fault.New(fault.Unauthorized, "the token expired at %s", token.ValidUntil.UTC().Format(time.RFC3339))
	}
	return token, nil
}

// setup returns what a connection is compiled to. The records are read each
// time, for others may have changed them; only what is made of them is kept.
func (s *Service) setup(r directory.Reader, id string) (*setup, error) {
	connection, err := r.Record(s.tenant.Realm, directory.ConnectionNoun, id)
	if err != nil {
		return nil, err
	}
	config, err := r.Record(s.tenant.Realm, directory.SCIMConfigNoun, id)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Wrap(fault.NotFound, err, "the connection %q has no SCIM endpoint", id)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	have := s.compiled[id]
	s.mu.Unlock()
	if have != nil && have.connection.Version == connection.Version && have.config.Version == config.Version {
		return have, nil
	}
	made, err := s.compile(connection, config)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compiled[id] = made
	return made, nil
}

func (s *Service) compile(connection, config *directory.Record) (*setup, error) {
	is := &setup{connection: new(tenant.Connection), config: new(tenant.SCIMConfig)}
	if err := connection.Decode(is.connection); err != nil {
		return nil, err
	}
	if err := config.Decode(is.config); err != nil {
		return nil, err
	}
	is.types = extended(s.standard, is.config.Mapping)
	is.users, is.groups = is.types.Named("User"), is.types.Named("Group")
	is.mapping = compile(is.config.Mapping, is.users)
	is.leniency = Relax(is.config.Policy.Profile)
	is.auth0 = is.config.Policy.Profile == tenant.ProfileAuth0Strict
	return is, nil
}

// Relax returns what a client profile lets a client send beside the RFCs.
func Relax(p tenant.Profile) scim.Leniency {
	switch p {
	case tenant.ProfileGovernance, tenant.ProfileWizard:
		return scim.Okta()
	case tenant.ProfileEntra:
		return scim.Entra()
	case tenant.ProfileEntraFlag:
		return scim.EntraFlag()
	case tenant.ProfileAuth0Strict:
		return scim.Auth0()
	}
	return scim.Strict()
}

// Features returns what the endpoint of a connection announces of itself.
// fault.NotFound when there is none.
func (s *Service) Features(ctx context.Context, connection string) (scim.Features, error) {
	e, err := s.Inside(ctx, connection)
	if err != nil {
		return scim.Features{}, err
	}
	return e.Features(), nil
}

// Endpoint is the SCIM endpoint of one connection, for the holder of one token.
type Endpoint struct {
	*Service
	*setup
	token *tenant.SCIMToken // nil: the operator
}

// Types returns the resource types of the endpoint.
func (e *Endpoint) Types() *scim.Types { return e.types }

// Leniency returns what the client may send beside the RFCs.
func (e *Endpoint) Leniency() scim.Leniency { return e.leniency }

// Features returns what the endpoint announces of itself.
func (e *Endpoint) Features() scim.Features {
	return scim.Features{
		Patch: true, Filter: true, FilterResults: e.limits.PageSize, Sort: !e.auth0, ETag: true,
		Bulk: !e.auth0, BulkOperations: bulkOperations, BulkPayload: bulkPayload,
		Cursor: !e.auth0, DefaultMethod: "index", DefaultPageSize: e.limits.DefaultPage, MaxPageSize: e.limits.PageSize, CursorTimeout: cursorLife,
		Authentication: []scim.AuthenticationScheme{{
			Type: "oauthbearertoken", Name: "Bearer token", Primary: true, SpecURI: "https://www.rfc-editor.org/info/rfc6750",
			Description: "A token of the connection, in the header Authorization",
		}},
	}
}

// What a bulk request may hold, and how long a cursor is good: figures of ours.
const (
	bulkOperations = 1000
	bulkPayload    = 4 << 20
	cursorLife     = time.Hour
)

// WithFlag returns the endpoint as Entra's clients see it that set the flag
// aadOptscim062020: it sends what the RFC says (scim-auth0.md 1.3).
func (e *Endpoint) WithFlag() *Endpoint {
	if e.config.Policy.Profile != tenant.ProfileEntra {
		return e
	}
	is := *e.setup
	is.leniency = Relax(tenant.ProfileEntraFlag)
	return &Endpoint{Service: e.Service, setup: &is, token: e.token}
}

// Limits returns the limits of the endpoint.
func (e *Endpoint) Limits() Limits { return e.limits }

// Connection returns the connection.
func (e *Endpoint) Connection() *tenant.Connection { return e.connection }

// TokenID returns the id of the token by which the endpoint was opened, "" for
// the operator.
func (e *Endpoint) TokenID() string {
	if e.token == nil {
		return ""
	}
	return e.token.ID
}

// Allow reports whether the token has the scope for a method on a type:
// fault.Forbidden when it has not. Searches by POST count as GET; it is the
// caller who says so.
func (e *Endpoint) Allow(method string, typ *scim.ResourceType) error {
	scope := strings.ToLower(method) + ":" + strings.ToLower(strings.TrimPrefix(typ.Endpoint, "/"))
	if e.token == nil || e.token.May(scope) {
		return nil
	}
	return fault.New(fault.Forbidden, "the token lacks the scope %s", scope)
}

// actor is who the change log says did it.
func (e *Endpoint) actor() directory.Actor {
	if e.token == nil {
		return directory.System("command line")
	}
	return directory.Actor{ID: e.token.ID, Type: directory.ClientActor, Name: "SCIM " + e.connection.Name}
}

func (e *Endpoint) directory() *directory.Directory { return e.tenant.Directory }

func (e *Endpoint) realm() string { return e.tenant.Realm }

// view and update run one transaction.
func (e *Endpoint) view(ctx context.Context, f func(directory.Reader) error) error {
	return e.directory().Store.View(ctx, f)
}

func (e *Endpoint) update(ctx context.Context, f func(directory.Tx) error) error {
	return e.directory().Store.Update(ctx, f)
}

// kind says which of the two sorts of resources a type is.
func (e *Endpoint) isGroup(typ *scim.ResourceType) bool { return typ.Name == e.groups.Name }

// Get returns a resource by its id.
func (e *Endpoint) Get(ctx context.Context, typ *scim.ResourceType, id string, p scim.Projection) (r scim.Resource, err error) {
	err = e.view(ctx, func(tx directory.Reader) error {
		if e.isGroup(typ) {
			g, err := e.group(tx, id)
			if err == nil {
				r, err = e.groupResource(tx, g, p.Wants("members"))
			}
			return err
		}
		a, err := e.account(tx, id)
		if err == nil {
			r, err = e.userResource(tx, a, p.Wants("groups"))
		}
		return err
	})
	return r, err
}

// Create makes a resource of the body of a POST.
func (e *Endpoint) Create(ctx context.Context, typ *scim.ResourceType, body map[string]any) (scim.Resource, []scim.Note, error) {
	given, notes, err := typ.Read(body, e.leniency)
	if err != nil {
		return nil, notes, err
	}
	w := &work{Endpoint: e, notes: notes}
	var made scim.Resource
	if e.isGroup(typ) {
		made, err = w.createGroup(ctx, given)
	} else {
		made, err = w.createUser(ctx, given)
	}
	return made, w.notes, err
}

// Replace makes of a resource what the body of a PUT says.
func (e *Endpoint) Replace(ctx context.Context, typ *scim.ResourceType, id string, body map[string]any, ifMatch string) (scim.Resource, []scim.Note, error) {
	w := &work{Endpoint: e}
	change := func(current scim.Resource) (scim.Resource, error) {
		next, notes, err := typ.Replace(current, body, e.leniency)
		w.notes = append(w.notes, notes...)
		return next, err
	}
	var after scim.Resource
	var err error
	if e.isGroup(typ) {
		after, err = w.replaceGroup(ctx, id, ifMatch, change)
	} else {
		after, err = w.changeUser(ctx, id, ifMatch, change)
	}
	return after, w.notes, err
}

// Patch applies operations to a resource. The answer is nil when it would cost
// more than the change to show what became of it: of a group of which only
// members changed.
func (e *Endpoint) Patch(ctx context.Context, typ *scim.ResourceType, id string, ops []scim.Operation, ifMatch string) (scim.Resource, []scim.Note, error) {
	w := &work{Endpoint: e}
	if e.isGroup(typ) {
		after, err := w.patchGroup(ctx, id, ops, ifMatch)
		return after, w.notes, err
	}
	after, err := w.changeUser(ctx, id, ifMatch, func(current scim.Resource) (scim.Resource, error) {
		next, notes, err := typ.Patch(current, ops, e.leniency)
		w.notes = append(w.notes, notes...)
		return next, err
	})
	return after, w.notes, err
}

// Delete removes a resource.
func (e *Endpoint) Delete(ctx context.Context, typ *scim.ResourceType, id, ifMatch string) error {
	return e.update(ctx, func(tx directory.Tx) error {
		if e.isGroup(typ) {
			return e.deleteGroup(tx, id, ifMatch)
		}
		a, err := e.account(tx, id)
		if err == nil {
			err = e.match(ifMatch, userVersion(a))
		}
		if err != nil {
			return err
		}
		return e.directory().RemoveConnected(tx, e.actor(), a)
	})
}

// match checks a precondition (RFC 7644 3.14).
func (e *Endpoint) match(ifMatch, version string) error {
	if ifMatch == "" || scim.Matches(ifMatch, version) {
		return nil
	}
	return failed(fault.Stale, 412, "", "the resource has changed since the version in If-Match")
}

// work is one request that changes something, with what was decided on the way.
type work struct {
	*Endpoint
	notes []scim.Note
}

func (w *work) note(text string) { w.notes = append(w.notes, scim.Note(text)) }

// failed returns a SCIM error with a status that no error type stands for.
func failed(kind fault.Kind, status int, t scim.ErrorType, detail string) error {
	return fault.Wrap(kind, &scim.Error{Status: status, Type: t, Detail: detail}, "%s", detail)
}
