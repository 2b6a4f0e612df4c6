package app

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
	"github.com/lanyard-id/lanyard/internal/web/scim"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// connectionService is what opens the SCIM endpoints of the Auth0 tenant's connections.
func connectionService(d *directory.Directory) *inbound.Service {
	return inbound.New(tenant.New(d, directory.Auth0Realm), inbound.Auth0Limits())
}

// newWireLog is the request log of provisioning. It works until it is closed.
func newWireLog(db *store.DB, clock *rehearsal.Clock, log *slog.Logger) *wirelog.Recorder {
	return wirelog.NewRecorder(wirelog.Options{Store: db.WireLog(), Now: clock.Now, Log: log})
}

// writtenFirst is a request log that is read with what was just recorded.
type writtenFirst struct {
	wirelog.Store
	wire *wirelog.Recorder
}

// Exchanges implements auth0.Exchanges.
func (w writtenFirst) Exchanges(ctx context.Context, q wirelog.Query) (wirelog.Page, error) {
	if err := w.wire.Flush(ctx); err != nil {
		return wirelog.Page{}, err
	}
	return w.Store.Exchanges(ctx, q)
}

// scimAPI serves a backend on the stage's time and limits.
func scimAPI(b scim.Backend, key secret.Key, wire *wirelog.Recorder, stage *rehearsal.Stage, log *slog.Logger) *scim.API {
	return scim.New(scim.Options{
		Backend: b, Sealer: key, Now: stage.Clock.Now, Wire: wire, Log: log,
		EnforceLimits: func() bool { return stage.Faults.Limits().Enforce },
	})
}

// beside puts the SCIM endpoints of the connections beside the management API, as
// an Auth0 tenant has them.
func beside(management, endpoints http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, scim.Prefix) {
			endpoints.ServeHTTP(w, r)
			return
		}
		management.ServeHTTP(w, r)
	})
}

// below serves a handler that knows its paths below a base as if there were none.
func below(base string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner := r.Clone(r.Context())
		inner.URL.Path = base + r.URL.Path
		if r.URL.RawPath != "" {
			inner.URL.RawPath = base + r.URL.RawPath
		}
		h.ServeHTTP(w, inner)
	})
}

// byToken lets those in who hold a token of the connection.
type byToken struct{ *inbound.Service }

// Open implements scim.Backend.
func (b byToken) Open(ctx context.Context, connection, token string) (scim.Endpoint, error) {
	e, err := b.Service.Open(ctx, connection, token)
	if err != nil {
		return nil, err
	}
	return scimEndpoint{e}, nil
}

// anybody lets everybody in: the caller owns the data folder.
type anybody struct{ *inbound.Service }

// Open implements scim.Backend.
func (b anybody) Open(ctx context.Context, connection, _ string) (scim.Endpoint, error) {
	e, err := b.Inside(ctx, connection)
	if err != nil {
		return nil, err
	}
	return scimEndpoint{e}, nil
}

// scimEndpoint is an inbound.Endpoint as web/scim has it.
type scimEndpoint struct{ *inbound.Endpoint }

// Config implements scim.Endpoint.
func (e scimEndpoint) Config() scim.Config {
	return scim.Config{Features: e.Features(), Leniency: e.Leniency(), Actor: e.TokenID()}
}

// WithFlag implements scim.Flagged.
func (e scimEndpoint) WithFlag() scim.Endpoint { return scimEndpoint{e.Endpoint.WithFlag()} }
