package identitysource

import (
	"context"
	"iter"

	"github.com/lanyard-id/lanyard/internal/importer"
)

// Send brings what an import session does into the tenant, and says what that took
// in all, also before an interruption. The session was decided about with the
// settings, safeguards and people of an identity source of this directory, which
// has what the tenant was told so far; it is carried out here afterwards.
func (t *Tenant) Send(ctx context.Context, session string, entities iter.Seq2[*importer.PlanEntity, error], keeper Keeper) (*importer.Sent, error) {
	if _, err := t.Push(ctx, session, Changes(entities), keeper); err != nil {
		return nil, err
	}
	at, err := keeper.Progress(ctx, t.Source)
	if err != nil {
		return nil, err
	}
	return &importer.Sent{Source: t.Source, Sessions: at.Complete, Changes: at.Done, Calls: at.Calls}, nil
}
