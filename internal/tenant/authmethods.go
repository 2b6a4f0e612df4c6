package tenant

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// AuthMethod is a second factor of a user. The secret of a one-time password is
// not kept: nothing here checks one.
type AuthMethod struct {
	directory.Meta

	Account   string `json:"account"`
	Type      string `json:"type"` // email, phone, totp, webauthn-roaming, passkey
	Name      string `json:"name,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
	Preferred string `json:"preferred,omitempty"` // of a phone: sms, voice
	KeyID     string `json:"keyId,omitempty"`
	PublicKey string `json:"publicKey,omitempty"`
	Party     string `json:"party,omitempty"` // relying party of a key
}

// Place says where the method is found. A user has an address or a number once.
func (m *AuthMethod) Place() directory.Place {
	key := ""
	if to := m.Email + m.Phone; to != "" {
		key = m.Account + " " + m.Type + " " + to
	}
	return directory.Place{Noun: directory.AuthMethodNoun, Subject: m.Account, Key: key}
}

// Device is the part of the id that does not say the type.
func (m *AuthMethod) Device() string {
	_, device, _ := strings.Cut(m.ID, "|")
	return device
}

func (t *Tenant) insertAuthMethod(tx directory.Tx, actor directory.Actor, a *directory.Account, m *AuthMethod) error {
	m.Meta = directory.Meta{ID: m.Type + "|" + t.Directory.IDs.Auth0("dev"), Realm: t.Realm}
	m.Account = a.ID
	if key := m.Place().Key; key != "" {
		if err := free[AuthMethod](tx, t.Realm, key, "type", ""); err != nil {
			return err
		}
	}
	e := t.event(actor, "auth0.user.authentication_method.create", userTarget(a))
	e.Target = a.ID
	return t.Directory.InsertObject(tx, m, e)
}

// AddAuthMethod gives a method to a user and sets its id. One that the user has
// is a fault.Conflict with Violations.
func (t *Tenant) AddAuthMethod(ctx context.Context, actor directory.Actor, account string, m *AuthMethod) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		a, err := tx.Account(t.Realm, account)
		if err != nil {
			return err
		}
		return t.insertAuthMethod(tx, actor, a, m)
	})
}

// ReplaceAuthMethods puts methods in the place of all that a user has.
func (t *Tenant) ReplaceAuthMethods(ctx context.Context, actor directory.Actor, account string, list []*AuthMethod) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		a, err := tx.Account(t.Realm, account)
		if err != nil {
			return err
		}
		if err := t.removeAuthMethods(tx, actor, a, nil); err != nil {
			return err
		}
		for _, m := range list {
			if err := t.insertAuthMethod(tx, actor, a, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// AuthMethods returns the methods of a user, in the order of creation.
func (t *Tenant) AuthMethods(ctx context.Context, account string) (list []*AuthMethod, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := r.Account(t.Realm, account); err != nil {
			return err
		}
		list, err = directory.All[AuthMethod](r, directory.RecordQuery{Realm: t.Realm, Subject: account}, 0, nil)
		return err
	})
	slices.SortFunc(list, func(a, b *AuthMethod) int { return strings.Compare(a.Device(), b.Device()) })
	return list, err
}

// AuthMethod returns a method of a user.
func (t *Tenant) AuthMethod(ctx context.Context, account, id string) (m *AuthMethod, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		m, err = t.authMethod(r, account, id)
		return err
	})
	return m, err
}

func (t *Tenant) authMethod(r directory.Reader, account, id string) (*AuthMethod, error) {
	if _, err := r.Account(t.Realm, account); err != nil {
		return nil, err
	}
	m, err := directory.Get[AuthMethod](r, t.Realm, id)
	if err == nil && m.Account != account {
		return nil, directory.NotFound(directory.AuthMethodNoun, id)
	}
	return m, err
}

// EditAuthMethod changes the name of a method and how a phone is reached; nil
// leaves them.
func (t *Tenant) EditAuthMethod(ctx context.Context, actor directory.Actor, account, id string, name, preferred *string) (after *AuthMethod, err error) {
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := t.authMethod(tx, account, id)
		if err != nil {
			return err
		}
		if after, err = directory.CloneObject(before); err != nil {
			return err
		}
		set(&after.Name, name)
		set(&after.Preferred, preferred)
		e := t.event(actor, "auth0.user.authentication_method.update")
		e.Target = account
		return t.Directory.UpdateObject(tx, before, after, e)
	})
	return after, err
}

// DeleteAuthMethod takes a method from a user.
func (t *Tenant) DeleteAuthMethod(ctx context.Context, actor directory.Actor, account, id string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		m, err := t.authMethod(tx, account, id)
		if err != nil {
			return err
		}
		e := t.event(actor, "auth0.user.authentication_method.delete")
		e.Target = account
		return t.Directory.DeleteObject(tx, m, e)
	})
}

// DeleteAuthMethods takes all methods from a user that match accepts; nil
// accepts all.
func (t *Tenant) DeleteAuthMethods(ctx context.Context, actor directory.Actor, account string, match func(*AuthMethod) bool) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		a, err := tx.Account(t.Realm, account)
		if err != nil {
			return err
		}
		return t.removeAuthMethods(tx, actor, a, match)
	})
}

func (t *Tenant) removeAuthMethods(tx directory.Tx, actor directory.Actor, a *directory.Account, match func(*AuthMethod) bool) error {
	list, err := directory.All(tx, directory.RecordQuery{Realm: t.Realm, Subject: a.ID}, 0, match)
	if err != nil {
		return err
	}
	for _, m := range list {
		e := t.event(actor, "auth0.user.authentication_method.delete", userTarget(a))
		e.Target = a.ID
		if err := t.Directory.DeleteObject(tx, m, e); err != nil {
			return err
		}
	}
	return nil
}
