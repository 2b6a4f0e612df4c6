package okta

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// matchingLate is matching over the accounts as they were IndexDelay ago, as an
// index that lags behind shows them: new ones are not there yet, changed ones
// are found by, and shown with, what they were. Those that are gone are gone.
func (a *API) matchingLate(ctx context.Context, s accountSelection, after string, limit int) ([]*directory.Account, error) {
	then, err := a.Directory.AsOf(ctx, a.Realm, a.now().Add(-a.IndexDelay))
	if err != nil {
		return nil, err
	}
	// An index of today's logins and addresses does not find those of then.
	query := directory.AccountQuery{Realm: a.Realm, After: after}
	list, err := a.Directory.Accounts(ctx, query, limit, func(x *directory.Account) bool {
		if old, changed := then[x.ID]; changed {
			x = old
		}
		return x != nil && s.match(x)
	})
	for i, x := range list {
		if old, changed := then[x.ID]; changed {
			list[i] = old
		}
	}
	return list, err
}
