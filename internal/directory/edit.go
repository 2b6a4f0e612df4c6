package directory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Edit is a change to an account. Nil fields stay as they are.
type Edit struct {
	Profile map[string]any // attributes to set; null erases
	Replace bool           // attributes that Profile does not name are erased
	Type    string         // id of the new user type; empty: as it is

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
// names as in FindAccount. A DEPROVISIONED account silently stays as it is
// (Okta OpenAPI: updates of deactivated users), but for EditDeprovisioned.
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
		e, secret := e, secret
		if !d.editable(before) { // logged and counted all the same
			e, secret = Edit{}, nil
		}
		if secret != nil { // read here, so that another edit at the same time is not undone
			old, err := tx.Secret(realm, before.ID)
			if err != nil {
				return err
			}
			secret = secret.over(old)
		}
		after := before.clone()
		d.apply(after, e)
		shape, err := d.shapeFor(tx, r, after.Type)
		if err != nil {
			return err
		}
		if err := d.checkEdit(shape, before, after, e); err != nil {
			return err
		}
		if err := d.changesSourced(tx, shape, before, after); err != nil {
			return err
		}
		edited = after
		if err := d.saveKeyed(tx, actor, e.kind(before, after), shape.keys(r.Kind, after), before, after, secret); err != nil {
			return err
		}
		if e.Password != nil {
			if err := endTokens(tx, after); err != nil {
				return err
			}
		}
		if err := d.blocked(tx, actor, before, after); err != nil {
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

// secretForEdit checks and hashes new secrets before the transaction. What it
// returns are these only, nil when there are none.
func (d *Directory) secretForEdit(ctx context.Context, a *Account, e Edit) (*Secret, error) {
	if e.Password == nil && e.RecoveryQuestion == nil {
		return nil, nil
	}
	if e.Check != nil { // fail before the costly hash; checked again in the transaction
		if err := e.Check(a); err != nil {
			return nil, err
		}
	}
	var r *Realm
	err := d.Store.View(ctx, func(tx Reader) (err error) {
		r, err = tx.Realm(a.Realm)
		return err
	})
	if err != nil {
		return nil, err
	}
	v := checkAuth0Password(e.Password)
	if r.Kind == Okta {
		if err := mayImport(a, e.Password); err != nil {
			return nil, err
		}
		v = append(checkPassword(e.Password, a.Login()), e.RecoveryQuestion.check()...)
		v = append(v, checkImport(e.Password)...)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	s, err := d.secretFor(e.Password, e.RecoveryQuestion)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// over returns the credentials that an account has after an edit: what the new
// ones do not say stays as it is in old.
func (s Secret) over(old Secret) *Secret {
	s.Password, s.Answer = cmp.Or(s.Password, old.Password), cmp.Or(s.Answer, old.Answer)
	return &s
}

// apply changes an account as an edit says.
func (d *Directory) apply(a *Account, e Edit) {
	now := d.now()
	a.Updated = now
	if e.Type != "" {
		a.Type = canonicalType(e.Type)
	}
	if e.Profile != nil {
		if e.Replace {
			a.Profile = compact(e.Profile)
		} else {
			a.Profile = merged(a.Profile, e.Profile)
		}
	}
	if e.Password != nil {
		a.passwordSet(*e.Password, now)
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

// passwordSet notes that an account has a new password. Clients tell changes of
// passwords by a date of whole seconds, so it always moves by one at least.
func (a *Account) passwordSet(p Password, now time.Time) {
	if next := a.PasswordChanged.Truncate(time.Second).Add(time.Second); a.HasPassword && next.After(now) {
		now = next
	}
	a.HasPassword, a.PasswordChanged, a.FailedSignIns = true, now, 0
	if p.Import != "" {
		a.Provider = Provider{ProviderImport, ProviderImport}
	} else if a.Provider.Type == ProviderImport {
		a.Provider = Provider{ProviderOkta, ProviderOkta}
	}
	if slices.Contains(waitForPassword, a.Status) {
		a.Status, a.StatusChanged = Active, a.Updated
	}
}

// editable reports whether edits take effect.
func (d *Directory) editable(a *Account) bool {
	return a.Status != Deprovisioned || d.EditDeprovisioned
}

// checkEdit applies the schema to a profile that was edited. A nil shape allows
// everything.
func (d *Directory) checkEdit(shape *Shape, before, after *Account, e Edit) error {
	if shape == nil {
		return nil
	}
	if err := mayImport(before, e.Password); err != nil {
		return err
	}
	if e.Profile == nil && after.Type == before.Type {
		return nil
	}
	if e.Replace {
		after.Profile = shape.withDefaults(after.Profile)
	}
	v := shape.checkProfile(after.Profile)
	return append(v, shape.checkMutability(before.Profile, after.Profile)...).err()
}

// changesSourced refuses to change attributes of somebody whose profile an identity
// source decides, but for those whose master is another (error-codes.json E0000023).
// A nil shape has no such sources.
func (d *Directory) changesSourced(r Reader, shape *Shape, before, after *Account) error {
	if shape == nil || !shape.changesSourced(before.Profile, after.Profile) {
		return nil
	}
	users, err := all[AppUser](r, RecordQuery{Realm: after.Realm, Subject: after.ID}, 0, nil)
	if err != nil {
		return err
	}
	for _, u := range users {
		app, err := get[App](r, after.Realm, u.App)
		if err != nil {
			return err
		}
		if app.Name == SourceApp && app.Status == On && app.SourcesProfiles() {
			return MasteredProfile.fault("the application %q is the source of the user's profile", app.Label)
		}
	}
	return nil
}

// changesSourced reports whether an attribute differs that sources of profiles
// decide.
func (s *Shape) changesSourced(before, after map[string]any) bool {
	return slices.ContainsFunc(s.attributes, func(a Attribute) bool {
		return a.Sourced() && !value.Equal(before[a.Name], after[a.Name])
	})
}

// checkMutability returns the attributes that changed although they may not.
func (s *Shape) checkMutability(before, after map[string]any) Violations {
	var v Violations
	for _, a := range s.Custom() {
		if value.Equal(before[a.Name], after[a.Name]) {
			continue
		}
		switch {
		case a.Mutability == "READ_ONLY":
			v = append(v, Violation{Field: a.Name, Rule: ReadOnly})
		case a.Mutability == "IMMUTABLE" && before[a.Name] != nil:
			v = append(v, Violation{Field: a.Name, Rule: Immutable})
		}
	}
	return v
}

// kind names the change for the log by what matters most in it.
func (e Edit) kind(before, after *Account) string {
	switch {
	case e.Blocked != nil && *e.Blocked:
		return lifecycle[Suspend].log
	case e.Blocked != nil:
		return lifecycle[Unsuspend].log
	case before.Type != after.Type:
		return "user.account.update_user_type"
	case e.Password != nil && e.Profile == nil:
		return "user.account.update_password"
	}
	return "user.account.update_profile"
}

// save stores what became of an account and logs it. A nil secret leaves the
// credentials as they are.
func (d *Directory) save(tx Tx, actor Actor, kind string, before, after *Account, s *Secret) error {
	keys, err := d.keysOf(tx, after)
	if err != nil {
		return err
	}
	return d.saveKeyed(tx, actor, kind, keys, before, after, s)
}

// keysOf returns what must be unique of an account.
func (d *Directory) keysOf(r Reader, a *Account) ([]Key, error) {
	realm, err := r.Realm(a.Realm)
	if err != nil {
		return nil, err
	}
	shape, err := d.shapeFor(r, realm, a.Type)
	if err != nil {
		return nil, err
	}
	return shape.keys(realm.Kind, a), nil
}

func (d *Directory) saveKeyed(tx Tx, actor Actor, kind string, keys []Key, before, after *Account, s *Secret) error {
	after.Version = before.Version + 1
	if err := tx.UpdateAccount(after, keys); err != nil {
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
