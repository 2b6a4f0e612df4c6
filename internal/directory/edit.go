package directory

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Edit is a change to an account. Nil fields stay as they are.
type Edit struct {
	Profile map[string]any // attributes to set; null erases
	Replace bool           // attributes that Profile does not name are erased

	Password         *Password
	RecoveryQuestion *RecoveryQuestion

	EmailVerified *bool
	Blocked       *bool
	UserMetadata  map[string]any // merged at the first level; null erases a key, an empty map all
	AppMetadata   map[string]any // as UserMetadata

	// Check, when set, is called in the transaction with the account as it is
	// before the edit; its error stops the edit. It carries conditions of the
	// caller's protocol, such as If-Match.
	Check func(*Account) error
}

// EditAccount changes profile, credentials and metadata of an account that ref
// names as in FindAccount. The profile of a DEPROVISIONED account silently
// stays as it is (Okta OpenAPI: updates of deactivated users).
func (d *Directory) EditAccount(ctx context.Context, actor Actor, realm, ref string, e Edit) (*Account, error) {
	current, err := d.FindAccount(ctx, realm, ref)
	if err != nil {
		return nil, err
	}
	secret, err := d.secretForEdit(ctx, current, e)
	if err != nil {
		return nil, err
	}
	var edited *Account
	err = d.Store.Update(ctx, func(tx Tx) error {
		r, err := tx.Realm(realm)
		if err != nil {
			return err
		}
		before, err := tx.Account(realm, current.ID)
		if err != nil {
			return err
		}
		if e.Check != nil {
			if err := e.Check(before); err != nil {
				return err
			}
		}
		after := before.clone()
		after.apply(e, d.now())
		if err := after.check(r.Kind, e); err != nil {
			return err
		}
		edited = after
		if err := d.save(tx, actor, e.kind(), r, before, after, secret); err != nil {
			return err
		}
		if e.Profile == nil {
			return nil
		}
		return d.profileChanged(tx, actor, before, after, after.Updated)
	})
	if err != nil {
		return nil, err
	}
	return edited, nil
}

// secretForEdit checks and hashes new secrets before the transaction.
func (d *Directory) secretForEdit(ctx context.Context, a *Account, e Edit) (*Secret, error) {
	if e.Password == nil && e.RecoveryQuestion == nil {
		return nil, nil
	}
	if e.Check != nil { // fail before the costly hash; checked again in the transaction
		if err := e.Check(a); err != nil {
			return nil, err
		}
	}
	var old Secret
	var r *Realm
	err := d.Store.View(ctx, func(tx Reader) (err error) {
		if r, err = tx.Realm(a.Realm); err != nil {
			return err
		}
		old, err = tx.Secret(a.Realm, a.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	v := checkAuth0Password(e.Password)
	if r.Kind == Okta {
		v = append(checkPassword(e.Password, a.Login()), e.RecoveryQuestion.check()...)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	s, err := d.secretFor(e.Password, e.RecoveryQuestion)
	if err != nil {
		return nil, err
	}
	if s.Password == "" {
		s.Password = old.Password
	}
	if s.Answer == "" {
		s.Answer = old.Answer
	}
	return &s, nil
}

// apply changes the account as the edit says.
func (a *Account) apply(e Edit, now time.Time) {
	a.Updated = now
	if e.Profile != nil && a.Status != Deprovisioned {
		if e.Replace {
			a.Profile = compact(e.Profile)
		} else {
			a.Profile = merged(a.Profile, e.Profile)
		}
	}
	if e.Password != nil {
		a.HasPassword, a.PasswordChanged = true, now
		if e.Password.Import != "" {
			a.Provider = Provider{ProviderImport, ProviderImport}
		} else if a.Provider.Type == ProviderImport {
			a.Provider = Provider{ProviderOkta, ProviderOkta}
		}
		if slices.Contains(waitForPassword, a.Status) {
			a.Status, a.StatusChanged = Active, now
		}
	}
	if e.RecoveryQuestion != nil {
		a.RecoveryQuestion = e.RecoveryQuestion.Question
	}
	if e.EmailVerified != nil {
		a.EmailVerified = *e.EmailVerified
	}
	if e.Blocked != nil {
		a.Status, a.StatusChanged = Active, now
		if *e.Blocked {
			a.Status = Suspended
		}
	}
	a.UserMetadata = mergedMetadata(a.UserMetadata, e.UserMetadata)
	a.AppMetadata = mergedMetadata(a.AppMetadata, e.AppMetadata)
}

// mergedMetadata is merged, but an empty change clears (Auth0: metadata).
func mergedMetadata(base, change map[string]any) map[string]any {
	if change != nil && len(change) == 0 {
		return change
	}
	return merged(base, change)
}

// check applies the realm's schema to a profile that was edited.
func (a *Account) check(kind Kind, e Edit) error {
	if kind != Okta || e.Profile == nil || a.Status == Deprovisioned {
		return nil
	}
	return checkProfile(OktaProfile, a.Profile, true).err()
}

// kind names the change for the log by what matters most in it.
func (e Edit) kind() string {
	switch {
	case e.Blocked != nil && *e.Blocked:
		return lifecycle[Suspend].log
	case e.Blocked != nil:
		return lifecycle[Unsuspend].log
	case e.Password != nil && e.Profile == nil:
		return "user.account.update_password"
	}
	return "user.account.update_profile"
}

// save stores what became of an account and logs it. A nil secret leaves the
// credentials as they are.
func (d *Directory) save(tx Tx, actor Actor, kind string, r *Realm, before, after *Account, s *Secret) error {
	after.Version = before.Version + 1
	if err := tx.UpdateAccount(after, after.Keys(r.Kind)); err != nil {
		return err
	}
	if s != nil {
		if err := tx.PutSecret(after.Realm, after.ID, *s); err != nil {
			return err
		}
	}
	return d.log(tx, change{at: after.Updated, actor: actor, kind: kind, realm: after.Realm, target: after.ID, before: before, after: after, targets: []Target{after.target()}})
}

// merged returns base with the first level of change laid over it; a null
// value erases. base is not changed.
func merged(base, change map[string]any) map[string]any {
	if change == nil {
		return base
	}
	out := maps.Clone(base)
	if out == nil {
		out = make(map[string]any, len(change))
	}
	for k, v := range change {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}
