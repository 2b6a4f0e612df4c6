package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Directory applies the rules of the domain over a Store. The fields may be
// replaced before first use; a Directory is safe for concurrent use after.
type Directory struct {
	Store Store
	Clock func() time.Time
	IDs   *IDs
	Hash  func(password string) (string, error)
	// Check reports whether a password is the one behind a hash that Hash made.
	Check func(hash, password string) (bool, error)

	// Sealer keeps the seeds of one-time passwords unreadable in the store; nil:
	// they are kept as they are.
	Sealer Sealer

	// SuspendPending also allows suspension from PROVISIONED and
	// PASSWORD_EXPIRED. Okta documents ACTIVE only, but publishes the link.
	SuspendPending bool
	// DeactivateAgain lets deactivation of a DEPROVISIONED account pass without
	// effect. Okta's documentation does not say; the default is to refuse.
	DeactivateAgain bool
	// EditDeprovisioned lets profiles of DEPROVISIONED accounts change, as an Okta
	// org may choose. The default is that such changes silently have no effect.
	EditDeprovisioned bool

	shapes *shapes
}

// Sealer encrypts, and binds what it encrypts to a name, under which alone it
// can be opened.
type Sealer interface {
	Seal(plain, name []byte) ([]byte, error)
	Open(sealed, name []byte) ([]byte, error)
}

// New returns a Directory on the system's clock and randomness.
func New(store Store) *Directory {
	return &Directory{Store: store, Clock: time.Now, IDs: NewIDs(time.Now), Hash: HashPassword, Check: CheckPassword, shapes: newShapes()}
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
	err := tx.InsertGroup(&Group{
		ID: everyoneID, Realm: r.ID, Type: BuiltIn,
		Profile: map[string]any{"name": Everyone, "description": "All users in your organization"},
		Created: r.Created, Updated: r.Created, MembershipUpdated: r.Created, Version: 1,
	})
	if err != nil {
		return err
	}
	if err := addDefaultPolicies(tx, r.ID, r.Created); err != nil {
		return err
	}
	return addDefaultAuthenticators(tx, r.ID, r.Created)
}

// Changes returns the entries of the change log that a query selects and match
// accepts, at most limit of them (0: all). A nil match accepts all.
func (d *Directory) Changes(ctx context.Context, q ChangeQuery, limit int, match func(*Change) bool) (out []Change, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		for c, err := range r.Changes(q) {
			if err != nil {
				return err
			}
			if match != nil && !match(&c) {
				continue
			}
			if out = append(out, c); len(out) == limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// change describes one write for the log.
type change struct {
	at            time.Time
	actor         Actor
	kind          string // Okta's event type
	realm, target string
	before, after any // nil when there is none
	targets       []Target
	outcome       Outcome
}

func (d *Directory) log(tx Tx, c change) error {
	before, err := encodeState(c.before)
	if err != nil {
		return err
	}
	after, err := encodeState(c.after)
	if err != nil {
		return err
	}
	who, err := named(tx, c.realm, c.actor)
	if err != nil {
		return err
	}
	return tx.Append(Change{
		At: c.at, Actor: who, Kind: c.kind, Realm: c.realm, Target: c.target,
		Before: before, After: after, Targets: c.targets, Outcome: c.outcome,
	})
}

func encodeState(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	// The profile is the most of it, and is written by value.Encode: it is quicker.
	var profile map[string]any
	switch o := v.(type) {
	case *Account:
		if profile = o.Profile; len(profile) > 0 {
			v = accountButProfile{(*plainAccount)(o), nil}
		}
	case *AppUser:
		if profile = o.Profile; len(profile) > 0 {
			v = appUserButProfile{(*plainAppUser)(o), nil}
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the object cannot be written as JSON")
	}
	if len(profile) == 0 {
		return b, nil
	}
	return value.WithMembers(b, value.Member{Name: "profile", Value: profile})
}

// Objects without their profile, which an outer field of the same name hides.
type (
	plainAccount      Account
	plainAppUser      AppUser
	accountButProfile struct {
		*plainAccount
		Profile map[string]any `json:"profile,omitempty"`
	}
	appUserButProfile struct {
		*plainAppUser
		Profile map[string]any `json:"profile,omitempty"`
	}
)

// decodeState reads what encodeState wrote, without losing digits.
func decodeState(body json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fault.Wrap(fault.Internal, err, "a stored object cannot be read")
	}
	return nil
}
