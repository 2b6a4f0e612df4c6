package directory

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Directory applies the rules of the domain over a Store. The fields may be
// replaced before first use; a Directory is safe for concurrent use after.
type Directory struct {
	Store Store
	Clock func() time.Time
	IDs   *IDs
	Hash  func(password string) (string, error)

	// SuspendPending also allows suspension from PROVISIONED and
	// PASSWORD_EXPIRED. Okta documents ACTIVE only, but publishes the link.
	SuspendPending bool
}

// New returns a Directory on the system's clock and randomness.
func New(store Store) *Directory {
	return &Directory{Store: store, Clock: time.Now, IDs: NewIDs(time.Now), Hash: HashPassword}
}

// now is the time of one transaction, in the resolution of the store.
func (d *Directory) now() time.Time { return d.Clock().UTC().Truncate(time.Microsecond) }

// AddRealm makes a realm, with the group Everyone when it is an Okta org. A
// realm that exists is left as it is.
func (d *Directory) AddRealm(ctx context.Context, r Realm) error {
	return d.Store.Update(ctx, func(tx Tx) error { return d.addRealm(tx, r, d.IDs.Okta("00g")) })
}

func (d *Directory) addRealm(tx Tx, r Realm, everyoneID string) error {
	if _, err := tx.Realm(r.ID); !fault.Is(err, fault.NotFound) {
		return err
	}
	r.Created = d.now()
	if err := tx.InsertRealm(&r); err != nil {
		return err
	}
	if r.Kind != Okta {
		return nil
	}
	return tx.InsertGroup(&Group{
		ID: everyoneID, Realm: r.ID, Type: BuiltIn,
		Profile: map[string]any{"name": Everyone, "description": "All users in your organization"},
		Created: r.Created, Updated: r.Created, MembershipUpdated: r.Created, Version: 1,
	})
}

// Changes returns at most limit entries of the change log behind the entry
// with the number after, in order.
func (d *Directory) Changes(ctx context.Context, after int64, limit int) (out []Change, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		out, err = r.Changes(after, limit)
		return err
	})
	return out, err
}

// change describes one write for the log.
type change struct {
	actor, kind   string
	realm, target string
	before, after any // nil when there is none
}

func (d *Directory) log(tx Tx, at time.Time, c change) error {
	before, err := encodeState(c.before)
	if err != nil {
		return err
	}
	after, err := encodeState(c.after)
	if err != nil {
		return err
	}
	return tx.Append(Change{
		At: at, Actor: c.actor, Kind: c.kind, Realm: c.realm, Target: c.target,
		Before: before, After: after,
	})
}

func encodeState(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the change cannot be written to the log")
	}
	return b, nil
}
