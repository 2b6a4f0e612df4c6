package app

import (
	"context"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// ReplayExchange implements api.Service: calls that came in are made at the
// endpoint of their connection, those that went out are sent to their target.
func (f *Folder) ReplayExchange(ctx context.Context, id string) (*wirelog.Replayed, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	if err := box.wire.Flush(ctx); err != nil {
		return nil, err
	}
	e, err := f.db.WireLog().Exchange(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.Direction == wirelog.Out {
		return f.resend(ctx, e)
	}
	again, err := box.scim.Replay(ctx, e)
	if err != nil {
		return nil, err
	}
	return &wirelog.Replayed{Status: again.Status, Body: again.Body, LeftOut: again.LeftOut, Exchange: e.ID}, nil
}

func (f *Folder) resend(ctx context.Context, e wirelog.Exchange) (*wirelog.Replayed, error) {
	p, err := f.openProvisioning(ctx)
	if err != nil {
		return nil, err
	}
	target, err := p.settings.Target(ctx, strings.TrimPrefix(e.Scope, wirelog.TargetScope("")))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "the target of the call %q is gone", e.ID).Fix("set it up again with lanyard provision targets set")
	}
	if err != nil {
		return nil, err
	}
	return p.engine.Client.Resend(ctx, target, e)
}
