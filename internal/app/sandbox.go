package app

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
	"github.com/lanyard-id/lanyard/internal/web/okta"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
	"github.com/lanyard-id/lanyard/internal/web/scim"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// The sandbox's tenants as runs in this process see them. The names resolve
// nowhere: requests for them never leave the process.
const (
	oktaSandbox  = "http://okta.sandbox"
	auth0Sandbox = "http://auth0.sandbox"
	scimSandbox  = "http://scim.sandbox" // the SCIM endpoint of one connection of the Auth0 tenant
)

// sandboxActor is who the change log says made a change from a sandbox run.
const sandboxActor = "sandbox"

// sandbox is the directory of a data folder with its façades.
type sandbox struct {
	directory *directory.Directory
	oauth     *oauth.Server           // of the Okta org
	inbound   *inbound.Service        // of the Auth0 tenant's connections
	imports   *importer.Importer      // of the Okta org
	wire      *wirelog.Recorder       // nil in a folder that is only read
	scim      *scim.API               // of the connections, for the operator, who needs no token; likewise
	exchanges auth0.Exchanges         // what wire keeps
	handlers  map[string]http.Handler // by origin, for runs of this process
}

// openSandbox opens the directory on a stage and fills a new one with made data.
// key seals the keys of its authorization server. served says that other
// programs can reach it over the network.
func openSandbox(ctx context.Context, db *store.DB, key secret.Key, stage *rehearsal.Stage, c config.Sandbox, served bool, log *slog.Logger) (*sandbox, error) {
	d := directory.New(db.Directory())
	d.Clock, d.IDs, d.Sealer = stage.Clock.Now, directory.NewIDs(stage.Clock.Now), key
	setSwitches(c.Okta, d)
	if !served {
		d.Hash = directory.HashRehearsal
	}
	if err := directory.Seed(ctx, d); err != nil {
		return nil, err
	}
	if err := tenant.New(d, directory.Auth0Realm).SeedConnections(ctx); err != nil {
		return nil, err
	}
	if err := d.ResumeRules(ctx, directory.OktaRealm); err != nil {
		return nil, err
	}
	server := newOAuth(d, key)
	s := &sandbox{directory: d, oauth: server, inbound: connectionService(d), wire: newWireLog(db, stage.Clock, log)}
	s.imports = newImporter(d, db, log)
	s.exchanges = writtenFirst{db.WireLog(), s.wire}
	s.scim = scimAPI(anybody{s.inbound}, key, s.wire, stage, log)
	s.handlers = s.inProcess(stage, c, log)
	return s, nil
}

// inProcess serves runs of this process. Whoever can start a run here owns the
// data folder, so any credential, or none, will do: documents are rehearsed
// with made ones.
func (s *sandbox) inProcess(stage *rehearsal.Stage, c config.Sandbox, log *slog.Logger) map[string]http.Handler {
	faults := stage.Faults
	anyone := func(context.Context, okta.Call) (okta.Caller, error) { return okta.Owner(directory.Administrator), nil }
	endpoints := faults.Wrap(scimFacade, s.scim)
	return map[string]http.Handler{
		oktaSandbox: faults.Wrap(oktaFacade, okta.New(withSwitches(c.Okta, okta.Options{
			Directory: s.directory, Authorizer: anyone, OAuth: s.oauth, Log: log, BaseURL: "https://okta.sandbox", Limits: oktaLimits(faults),
			Sources: s.imports,
		}))),
		auth0Sandbox: beside(faults.Wrap(auth0Facade, auth0.New(auth0.Options{
			Directory: s.directory, Authorizer: open{}, Exchanges: s.exchanges, Log: log, EnforceLimits: func() bool { return faults.Limits().Enforce },
		})), endpoints),
		scimSandbox: below(scim.Prefix+tenant.SeededEndpoint, endpoints),
	}
}

func newImporter(d *directory.Directory, db *store.DB, log *slog.Logger) *importer.Importer {
	return &importer.Importer{Directory: d, Store: db.Importer(), Realm: directory.OktaRealm, Log: log}
}

// open lets everyone in.
type open struct{}

func (open) Issue(context.Context, auth0.TokenRequest) (auth0.Token, error) {
	return auth0.Token{Access: "sandbox", Expires: time.Hour}, nil
}

func (open) Authorize(context.Context, string, []string) (auth0.Caller, error) {
	return auth0.Caller{ID: sandboxActor}, nil
}
