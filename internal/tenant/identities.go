package tenant

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// linked keeps an account as it was when it became a part of another.
type linked struct {
	directory.Meta

	Primary string             `json:"primary"`
	Account *directory.Account `json:"account"`
	Secret  directory.Secret   `json:"secret"`
}

func (l *linked) Place() directory.Place {
	if l.Account == nil { // asked for the noun only
		return directory.Place{Noun: directory.LinkedNoun}
	}
	return directory.Place{Noun: directory.LinkedNoun, Parent: l.Account.Connection, Subject: l.Primary}
}

// SameAccount says that an account cannot be linked to itself. It is the cause of
// a fault.Invalid.
type SameAccount struct{}

func (*SameAccount) Error() string { return "same account" }

// LastIdentity says that the identity that an account was made with cannot be
// taken from it. It is the cause of a fault.Invalid.
type LastIdentity struct{}

func (*LastIdentity) Error() string { return "main identity" }

// Link makes the account secondary an identity of the account primary, as which
// its person signs in from now on. Metadata, roles and memberships of secondary
// end. profileOf makes what the identity keeps of an account's profile.
func (t *Tenant) Link(ctx context.Context, actor directory.Actor, primary, secondary string, profileOf func(*directory.Account) map[string]any) (after *directory.Account, err error) {
	if primary == secondary {
		return nil, fault.Wrap(fault.Invalid, &SameAccount{}, "an account cannot be linked to itself")
	}
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := tx.Account(t.Realm, primary)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(before.Identities, func(i directory.Identity) bool { return identityID(i) == secondary }) {
			return taken(directory.LinkedNoun, "user_id")
		}
		other, err := tx.Account(t.Realm, secondary)
		if err != nil {
			return err
		}
		secret, err := tx.Secret(t.Realm, secondary)
		if err != nil {
			return err
		}
		if err := t.moveLinked(tx, secondary, primary); err != nil {
			return err
		}
		if err := t.Directory.RemoveConnected(tx, actor, other); err != nil {
			return err
		}
		provider, id, _ := strings.Cut(secondary, "|")
		after = directory.CloneAccount(before)
		after.Identities = append(after.Identities, directory.Identity{
			Provider: provider, UserID: id, Connection: other.Connection, Profile: profileOf(other),
		})
		after.Identities = append(after.Identities, other.Identities...)
		if err := t.Directory.SaveConnected(tx, actor, before, after); err != nil {
			return err
		}
		other.Identities = nil
		kept := &linked{Meta: directory.Meta{ID: secondary, Realm: t.Realm}, Primary: primary, Account: other, Secret: secret}
		return t.Directory.PutObject(tx, kept)
	})
	return after, err
}

// moveLinked gives the accounts that are linked to one to another.
func (t *Tenant) moveLinked(tx directory.Tx, from, to string) error {
	list, err := directory.All[linked](tx, directory.RecordQuery{Realm: t.Realm, Subject: from}, 0, nil)
	if err != nil {
		return err
	}
	for _, l := range list {
		l.Primary = to
		if err := t.Directory.ReplaceObject(tx, l); err != nil {
			return err
		}
	}
	return nil
}

func identityID(i directory.Identity) string { return i.Provider + "|" + i.UserID }

// Unlink makes an identity of an account an account of its own again, with the
// profile and password that it had and without metadata. An identity that the
// account does not have is fault.NotFound.
func (t *Tenant) Unlink(ctx context.Context, actor directory.Actor, primary, identity string) (after *directory.Account, err error) {
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := tx.Account(t.Realm, primary)
		if err != nil {
			return err
		}
		if identity == primary {
			return fault.Wrap(fault.Invalid, &LastIdentity{}, "the main identity of an account cannot be unlinked")
		}
		after = directory.CloneAccount(before)
		after.Identities = slices.DeleteFunc(after.Identities, func(i directory.Identity) bool { return identityID(i) == identity })
		if len(after.Identities) == len(before.Identities) {
			return directory.NotFound(directory.LinkedNoun, identity)
		}
		if err := t.Directory.SaveConnected(tx, actor, before, after); err != nil {
			return err
		}
		return t.restore(tx, actor, identity)
	})
	return after, err
}

// restore makes an account again that was linked to another.
func (t *Tenant) restore(tx directory.Tx, actor directory.Actor, id string) error {
	kept, err := directory.Get[linked](tx, t.Realm, id)
	if err != nil {
		return err
	}
	if err := tx.DeleteRecord(t.Realm, directory.LinkedNoun, id); err != nil {
		return err
	}
	kept.Account.UserMetadata, kept.Account.AppMetadata = nil, nil
	if err := t.Directory.CreateConnected(tx, actor, kept.Account); err != nil {
		return err
	}
	if kept.Secret == (directory.Secret{}) {
		return nil
	}
	return tx.PutSecret(t.Realm, id, kept.Secret)
}

// LinkedFrom returns the ids of the users to which accounts of a connection were
// linked.
func LinkedFrom(r directory.Reader, realm, connection string) ([]string, error) {
	list, err := directory.All[linked](r, directory.RecordQuery{Realm: realm, Parent: connection}, 0, nil)
	var ids []string
	for _, l := range list {
		ids = append(ids, l.Primary)
	}
	return ids, err
}
