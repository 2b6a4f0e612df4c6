// Package inboundtest serves the SCIM endpoint of a connection with all that is
// behind it: web/scim, inbound, a tenant, a SQLite database. It is for tests and
// for other people's clients, which judge it.
//
// It leaves settings of the product to internal/app: no rehearsals, no rate
// limits, no request log.
package inboundtest

import (
	"cmp"
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/scim"
)

// Options say what sort of connection it is. What is empty is as the strategy has
// it.
type Options struct {
	Strategy string // "okta", "samlp", "waad" ...
	Settings tenant.SCIMSettings
	Policy   tenant.SCIMPolicy
}

// Server is a connection that is served.
type Server struct {
	URL    string // of its SCIM endpoint
	Token  string // one with all scopes
	Tenant *tenant.Tenant

	db   *store.DB
	http *httptest.Server
}

// connectionID is the id of the connection.
const connectionID = "con_acme000000000000"

// Start serves a new connection, whose database is in a folder. The caller closes
// it.
func Start(ctx context.Context, folder string, o Options) (*Server, error) {
	db, err := sqlite.Open(ctx, filepath.Join(folder, "lanyard.db"))
	if err != nil {
		return nil, err
	}
	s := &Server{db: db}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	d := directory.New(s.db.Directory())
	if err := d.AddRealm(ctx, directory.Realm{ID: directory.Auth0Realm, Kind: directory.Auth0, Name: "example"}); err != nil {
		return err
	}
	s.Tenant = tenant.New(d, directory.Auth0Realm)
	if err := s.connect(ctx, o); err != nil {
		return err
	}
	key, err := secret.NewKey(make([]byte, 32))
	if err != nil {
		return err
	}
	backend := Backend{inbound.New(s.Tenant, inbound.Auth0Limits())}
	s.http = httptest.NewServer(scim.New(scim.Options{Backend: backend, Sealer: key, Now: d.Clock}))
	s.URL = s.http.URL + scim.Prefix + connectionID
	return nil
}

// connect makes the connection and a token.
func (s *Server) connect(ctx context.Context, o Options) error {
	operator, d := directory.System("test"), s.Tenant.Directory
	err := d.Store.Update(ctx, func(tx directory.Tx) error {
		c := &tenant.Connection{Meta: directory.Meta{ID: connectionID, Realm: directory.Auth0Realm}, Name: "acme", Strategy: o.Strategy}
		return d.InsertObject(tx, c, directory.Event{At: d.Now(), Actor: operator, Kind: "auth0.connection.create"})
	})
	if err != nil {
		return err
	}
	config, _, err := s.Tenant.EnableSCIM(ctx, operator, connectionID, o.Settings)
	if err != nil {
		return err
	}
	policy := tenant.SCIMPolicy{
		Profile:        cmp.Or(o.Policy.Profile, config.Policy.Profile),
		UnknownMembers: cmp.Or(o.Policy.UnknownMembers, config.Policy.UnknownMembers),
		Rehire:         cmp.Or(o.Policy.Rehire, config.Policy.Rehire),
		Existing:       cmp.Or(o.Policy.Existing, config.Policy.Existing),
	}
	if _, _, err := s.Tenant.SetSCIMPolicy(ctx, operator, connectionID, policy); err != nil {
		return err
	}
	s.Token, _, err = s.Tenant.CreateSCIMToken(ctx, operator, connectionID, tenant.NewSCIMToken{Scopes: tenant.SCIMScopes()})
	return err
}

// Close ends the server.
func (s *Server) Close() error {
	s.http.Close()
	return s.db.Close()
}

// Backend is an inbound.Service as web/scim has it.
type Backend struct{ *inbound.Service }

// Open implements scim.Backend.
func (b Backend) Open(ctx context.Context, connection, token string) (scim.Endpoint, error) {
	e, err := b.Service.Open(ctx, connection, token)
	if err != nil {
		return nil, err
	}
	return endpoint{e}, nil
}

type endpoint struct{ *inbound.Endpoint }

// Config implements scim.Endpoint.
func (e endpoint) Config() scim.Config {
	return scim.Config{Features: e.Features(), Leniency: e.Leniency(), Actor: e.TokenID()}
}

// WithFlag implements scim.Flagged.
func (e endpoint) WithFlag() scim.Endpoint { return endpoint{e.Endpoint.WithFlag()} }
