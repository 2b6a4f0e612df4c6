package identitysource

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
)

// Decider decides what an import does to whom; *importer.Importer is one. Its
// directory holds what the tenant was told so far.
type Decider interface {
	Preview(ctx context.Context, source string, rows importer.Rows, o importer.PreviewOptions) (*importer.Plan, error)
	Apply(ctx context.Context, actor directory.Actor, p *importer.Plan) (*importer.Session, error)
}

// Mirror imports a source into a tenant: what is to be done is worked out here,
// with the settings, safeguards and people of an identity source of this
// directory; the tenant gets the differences, and once it has carried them out
// they are carried out here.
type Mirror struct {
	Decider Decider
	Tenant  *Tenant
	Keeper  Keeper
}

// Outcome is what an import into a tenant did.
type Outcome struct {
	Plan    *importer.Plan
	Pushed  Result
	Session *importer.Session // here
}

// Run imports rows. When safeguards would hold the import, nothing is sent and the
// error is fault.Conflict, unless approved says that somebody has agreed. Run
// again after it was interrupted, it goes on, as long as the rows give the same
// plan; with another plan it cancels its open session and begins anew.
func (m *Mirror) Run(ctx context.Context, actor directory.Actor, source string, rows importer.Rows, o importer.PreviewOptions, approved bool) (*Outcome, error) {
	plan, err := m.Decider.Preview(ctx, source, rows, o)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Plan: plan}
	if len(plan.Holds) > 0 && !approved {
		return out, fault.New(fault.Conflict, "the import is held: %s", plan.Holds[0].Text).
			Fix("look at the plan, and approve it if it is right")
	}
	if out.Pushed, err = m.Tenant.Push(ctx, plan.Digest, Changes(plan), m.Keeper); err != nil {
		return out, err
	}
	out.Session, err = m.Decider.Apply(ctx, actor, plan)
	return out, err
}
