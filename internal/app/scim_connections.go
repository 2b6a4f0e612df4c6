package app

import (
	"cmp"
	"context"
	"net"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// SCIMConnections implements api.Service.
func (f *Folder) SCIMConnections(ctx context.Context) ([]inbound.Overview, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	list, err := box.inbound.Overviews(ctx)
	for i := range list {
		list[i] = f.located(list[i])
	}
	return list, err
}

// SCIMConnection implements api.Service.
func (f *Folder) SCIMConnection(ctx context.Context, ref string) (inbound.Overview, error) {
	return f.overview(ctx, func(s *inbound.Service) (inbound.Overview, error) { return s.Overview(ctx, ref) })
}

// ConnectSCIM implements api.Service.
func (f *Folder) ConnectSCIM(ctx context.Context, n inbound.NewConnection) (inbound.Overview, error) {
	return f.overview(ctx, func(s *inbound.Service) (inbound.Overview, error) { return s.Connect(ctx, commandActor, n) })
}

// ChangeSCIM implements api.Service.
func (f *Folder) ChangeSCIM(ctx context.Context, ref string, c inbound.Change) (inbound.Overview, error) {
	return f.overview(ctx, func(s *inbound.Service) (inbound.Overview, error) { return s.Change(ctx, commandActor, ref, c) })
}

func (f *Folder) overview(ctx context.Context, do func(*inbound.Service) (inbound.Overview, error)) (inbound.Overview, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return inbound.Overview{}, err
	}
	o, err := do(box.inbound)
	return f.located(o), err
}

// CreateSCIMToken implements api.Service.
func (f *Folder) CreateSCIMToken(ctx context.Context, ref string, n tenant.NewSCIMToken) (secret string, t inbound.Token, err error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return "", t, err
	}
	return box.inbound.MakeToken(ctx, commandActor, ref, n)
}

// RevokeSCIMToken implements api.Service.
func (f *Folder) RevokeSCIMToken(ctx context.Context, ref, token string) (inbound.Token, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return inbound.Token{}, err
	}
	return box.inbound.RevokeToken(ctx, commandActor, ref, token)
}

// PreviewSCIM implements api.Service.
func (f *Folder) PreviewSCIM(ctx context.Context, ref string, person map[string]any) (inbound.Preview, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return inbound.Preview{}, err
	}
	return box.inbound.Preview(ctx, ref, person)
}

// CompareAssignments implements api.Service.
func (f *Folder) CompareAssignments(ctx context.Context, signOn, provisioner string) (inbound.Assignments, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return inbound.Assignments{}, err
	}
	return inbound.CompareAssignments(ctx, box.directory, directory.OktaRealm, signOn, provisioner)
}

// located completes the address of an endpoint: where serve listens, or will by
// the configuration.
func (f *Folder) located(o inbound.Overview) inbound.Overview {
	if o.Endpoint == "" {
		return o
	}
	if served := f.auth0Base.Load(); served != nil {
		o.Endpoint = *served + o.Endpoint
		return o
	}
	c := f.config.Serve
	scheme := "http://"
	if c.TLS {
		scheme = "https://"
	}
	address := net.JoinHostPort(cmp.Or(c.Listen, defaultListen), strconv.Itoa(cmp.Or(c.Auth0Port, defaultAuth0Port)))
	o.Endpoint = reachable(scheme+address) + o.Endpoint
	return o
}
