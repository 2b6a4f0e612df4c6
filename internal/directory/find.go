package directory

import (
	"context"
	"strings"

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
