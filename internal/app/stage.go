package app

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/web/okta"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
	"github.com/lanyard-id/lanyard/internal/web/scim"
)

// The façades' names in rules of a rehearsal.
const (
	oktaFacade  = "okta"
	auth0Facade = "auth0"
	scimFacade  = "scim"
)

// newStage is a stage on the machine's time, on which nothing goes wrong.
func newStage(limits rehearsal.Limits, log *slog.Logger) *rehearsal.Stage {
	scope := rehearsal.Scope{APIs: []string{oktaFacade, auth0Facade, scimFacade}, Endpoints: endpointsOf}
	return &rehearsal.Stage{Clock: rehearsal.NewClock(time.Now), Faults: rehearsal.NewFaults(scope, limits, log)}
}

// serveStage sets the stage as lanyard serve was told to.
func serveStage(req cli.ServeRequest, log *slog.Logger) (*rehearsal.Stage, error) {
	stage := newStage(rehearsal.Limits{Enforce: req.EnforceLimits}, log)
	if req.Clock != "" {
		at, err := time.Parse(time.RFC3339, req.Clock)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "%q is not a time", req.Clock).At("--clock").Fix("write it as 2026-01-01T00:00:00Z")
		}
		if _, err := stage.Clock.Change(rehearsal.ClockChange{At: &at, Backwards: true}); err != nil {
			return nil, fault.Wrap(fault.Usage, err, "%s", fault.Public(err)).At("--clock")
		}
	}
	if req.Faults != "" {
		data, err := os.ReadFile(req.Faults)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "the file cannot be read").At("%s", req.Faults).Fix("check the path")
		}
		if err := stage.Faults.Load(req.Faults, data); err != nil {
			return nil, err
		}
	}
	return stage, nil
}

// oktaLimits is what a stage says of the limits of the Okta façade.
func oktaLimits(f *rehearsal.Faults) func() okta.LimitPolicy {
	return func() okta.LimitPolicy {
		l := f.Limits()
		return okta.LimitPolicy{Enforce: l.Enforce, Org: l.Org, Share: int(l.Share)}
	}
}

// endpointsOf finds an operation in the catalogue's descriptions of what the
// sandbox plays.
func endpointsOf(operationID string) []rehearsal.Endpoint {
	var out []rehearsal.Endpoint
	entries, _ := catalog.All() // a test holds the embedded profiles to be right
	for _, e := range entries {
		if e.Sandbox == "" {
			continue
		}
		index, err := openapi.Parse(e.Description(), e.Name)
		if err != nil {
			continue // likewise
		}
		at := slices.IndexFunc(index.Operations(), func(s openapi.Summary) bool { return s.ID == operationID })
		if at < 0 {
			continue
		}
		op := index.Operations()[at]
		base := basePath(index.Servers[0].URL)
		if e.Sandbox == scimFacade { // each connection has an endpoint of its own
			base = scim.Prefix + "{connection}"
		}
		out = append(out, rehearsal.Endpoint{API: e.Sandbox, Method: strings.ToUpper(op.Method), Path: base + op.Path})
	}
	return out
}

// basePath is the path of a server's URL, which may be a template.
func basePath(server string) string {
	if _, rest, ok := strings.Cut(server, "://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		return strings.TrimSuffix("/"+path, "/")
	}
	if u, err := url.Parse(server); err == nil {
		return strings.TrimSuffix(u.Path, "/")
	}
	return ""
}

// rehearsal reaches the stage of the process that serves a data folder.
func (a *App) rehearsal(_ context.Context, s cli.Settings) (cli.Rehearsal, error) {
	if _, err := a.configuration(&s); err != nil {
		return nil, err
	}
	e, ok := readEndpoint(s.Data)
	if !ok {
		return nil, fault.New(fault.Usage, "no lanyard serve runs on this data folder").At("%s", s.Data).Fix("start one, or name its folder with --data")
	}
	r, err := connect(e)
	if err != nil {
		return nil, err
	}
	return r, nil
}
