package tenant

import (
	"context"
	"crypto/rsa"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Tenant is one Auth0 tenant. It is safe for concurrent use.
type Tenant struct {
	Directory *directory.Directory
	Realm     string

	// NewKey makes keys that sign; nil: with RSA, which takes some 100 ms.
	NewKey func() (*rsa.PrivateKey, error)
}

// New returns the tenant that a realm of a directory is.
func New(d *directory.Directory, realm string) *Tenant { return &Tenant{Directory: d, Realm: realm} }

// event is what the change log keeps of an operation.
func (t *Tenant) event(actor directory.Actor, kind string, targets ...directory.Target) directory.Event {
	return directory.Event{At: t.Directory.Now(), Actor: actor, Kind: kind, Targets: targets}
}

// get reads one object.
func get[T any, P directory.Kept[T]](ctx context.Context, t *Tenant, id string) (o P, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		o, err = directory.Get[T, P](r, t.Realm, id)
		return err
	})
	return o, err
}

// list reads the objects that a query selects and match accepts (nil: all),
// ordered by id.
func list[T any, P directory.Kept[T]](ctx context.Context, t *Tenant, q directory.RecordQuery, match func(P) bool) (out []P, err error) {
	q.Realm = t.Realm
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		out, err = directory.All[T, P](r, q, 0, match)
		return err
	})
	return out, err
}

// amend stores what f makes of a copy of an object, and returns it.
func amend[T any, P directory.Kept[T]](ctx context.Context, t *Tenant, id string, e directory.Event, f func(tx directory.Tx, after P) error) (after P, err error) {
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := directory.Get[T, P](tx, t.Realm, id)
		if err != nil {
			return err
		}
		if after, err = directory.CloneObject[T, P](before); err != nil {
			return err
		}
		if err := f(tx, after); err != nil {
			return err
		}
		return t.Directory.UpdateObject(tx, before, after, e)
	})
	return after, err
}
