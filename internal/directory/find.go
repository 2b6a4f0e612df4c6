package directory

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Account returns an account by its id.
func (d *Directory) Account(ctx context.Context, realm, id string) (a *Account, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		a, err = r.Account(realm, id)
		return err
	})
	return a, err
}

// FindAccount returns an account by its id, its login, or the part of its
// login before the @ when only one account of the realm has that.
func (d *Directory) FindAccount(ctx context.Context, realm, ref string) (a *Account, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		a, err = find(r, realm, ref)
		return err
	})
	return a, err
}

func find(r Reader, realm, ref string) (*Account, error) {
	a, err := r.Account(realm, ref)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return a, err
	}
	a, err = r.AccountByKey(realm, LoginKey(ref))
	if err == nil || !fault.Is(err, fault.NotFound) {
		return a, err
	}
	return findShort(r, realm, ref)
}

// findShort finds the one account whose login is ref and a domain.
func findShort(r Reader, realm, ref string) (*Account, error) {
	if ref == "" || strings.Contains(ref, "@") {
		return nil, NotFound(AccountNoun, ref)
	}
	prefix := LoginKey(ref + "@")
	var a *Account
	for candidate, err := range r.Accounts(AccountQuery{Realm: realm, KeyPrefix: &prefix}) {
		if err != nil {
			return nil, err
		}
		if a != nil {
			return nil, NotFound(AccountNoun, ref) // two accounts share the short login: neither is meant
		}
		a = candidate
	}
	if a == nil {
		return nil, NotFound(AccountNoun, ref)
	}
	return a, nil
}

// Accounts returns the accounts that a query selects and match accepts, at
// most limit of them (0: all), in the order of their ids. A nil match accepts all.
func (d *Directory) Accounts(ctx context.Context, q AccountQuery, limit int, match func(*Account) bool) (out []*Account, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		for a, err := range r.Accounts(q) {
			if err != nil {
				return err
			}
			if match != nil && !match(a) {
				continue
			}
			if out = append(out, a); len(out) == limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// CustomAttributes returns the names of the custom attributes of all user types
// of a realm.
func (d *Directory) CustomAttributes(ctx context.Context, realm string) (names []string, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		ids := []string{SchemaOf(DefaultUserType)}
		for t, err := range each[UserType](r, RecordQuery{Realm: realm}) {
			if err != nil {
				return err
			}
			ids = append(ids, SchemaOf(t.ID))
		}
		for _, id := range ids {
			s, err := d.shape(r, realm, id)
			if err != nil {
				return err
			}
			for _, a := range s.Custom() {
				names = append(names, a.Name)
			}
		}
		return nil
	})
	return names, err
}

// KnewAccount reports whether a realm has, or ever had, an account with an id.
func (d *Directory) KnewAccount(ctx context.Context, realm, id string) (bool, error) {
	return d.knew(ctx, realm, id, func(r Reader) error {
		_, err := r.Account(realm, id)
		return err
	})
}

// KnewGroup is KnewAccount for groups.
func (d *Directory) KnewGroup(ctx context.Context, realm, id string) (bool, error) {
	return d.knew(ctx, realm, id, func(r Reader) error {
		_, err := r.Group(realm, id)
		return err
	})
}

// knew asks the objects first, and the change log for those that are gone.
func (d *Directory) knew(ctx context.Context, realm, id string, lookUp func(Reader) error) (known bool, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		err := lookUp(r)
		if known = err == nil; known || !fault.Is(err, fault.NotFound) {
			return err
		}
		for _, err := range r.Changes(ChangeQuery{Realm: realm, Target: id, MaxRows: 1}) {
			known = err == nil
			return err
		}
		return nil
	})
	return known, err
}

// LastAccount returns an account as it is, or as it was before it was deleted.
func (d *Directory) LastAccount(ctx context.Context, realm, id string) (a *Account, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if a, err = r.Account(realm, id); fault.Is(err, fault.NotFound) {
			a, err = lastState[Account](r, realm, id, err)
		}
		return err
	})
	return a, err
}

// LastGroup is LastAccount for groups.
func (d *Directory) LastGroup(ctx context.Context, realm, id string) (g *Group, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if g, err = r.Group(realm, id); fault.Is(err, fault.NotFound) {
			g, err = lastState[Group](r, realm, id, err)
		}
		return err
	})
	return g, err
}

// lastState reads what the newest change about an object did away with; none is
// the error missing.
func lastState[T any](r Reader, realm, id string, missing error) (*T, error) {
	for c, err := range r.Changes(ChangeQuery{Realm: realm, Target: id, Newest: true, MaxRows: 1}) {
		if err != nil {
			return nil, err
		}
		if c.Before == nil {
			break
		}
		o := new(T)
		return o, decodeState(c.Before, o)
	}
	return nil, missing
}

// AsOf returns how the accounts of a realm that were written at or after a time
// were before it, by id; nil for those that did not exist. Accounts that are not
// in it are as they were. It reads the change log.
func (d *Directory) AsOf(ctx context.Context, realm string, at time.Time) (map[string]*Account, error) {
	then := map[string]*Account{}
	err := d.Store.View(ctx, func(r Reader) error {
		for c, err := range r.Changes(ChangeQuery{Realm: realm, Since: at}) {
			if err != nil {
				return err
			}
			if _, seen := then[c.Target]; seen || !c.writesAccount() {
				continue
			}
			var before *Account
			if c.Before != nil {
				before = &Account{}
				if err := decodeState(c.Before, before); err != nil {
					return err
				}
			}
			then[c.Target] = before
		}
		return nil
	})
	return then, err
}

// writesAccount reports whether a change wrote an account: it holds one, whose id is
// that of the target.
func (c *Change) writesAccount() bool {
	state := c.After
	if state == nil {
		state = c.Before
	}
	var head struct {
		ID      string          `json:"id"`
		Status  Status          `json:"status"`
		Profile json.RawMessage `json:"profile"`
	}
	return state != nil && json.Unmarshal(state, &head) == nil && head.ID == c.Target && head.Status != "" && head.Profile != nil
}
