package directory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// maxGroups is how many groups a new account may be put into (Okta: groupIds).
const maxGroups = 20

// CreateAccount adds an account to a realm. Everything wrong with the draft is
// reported at once as Violations; unknown groups as *Missing.
func (d *Directory) CreateAccount(ctx context.Context, actor, realm string, draft Draft) (*Account, error) {
	secret, violations, err := d.prepare(ctx, realm, draft)
	if err != nil {
		return nil, err
	}
	if err := violations.err(); err != nil {
		return nil, err
	}
	var created *Account
	err = d.Store.Update(ctx, func(tx Tx) error {
		r, err := tx.Realm(realm)
		if err != nil {
			return err
		}
		now := d.now()
		a := newAccount(r, draft, now)
		if a.ID == "" {
			a.ID = d.newID(r, a)
		}
		if err := d.insert(tx, actor, r, a, secret); err != nil {
			return err
		}
		created = a
		for _, id := range draft.Groups {
			g, err := tx.Group(realm, id)
			if err != nil {
				return err
			}
			if err := d.addMember(tx, actor, g, a, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return created, nil
}

// prepare does what needs no transaction: it checks the draft by the rules of
// the realm and hashes its secrets.
func (d *Directory) prepare(ctx context.Context, realm string, draft Draft) (s Secret, v Violations, err error) {
	var r *Realm
	err = d.Store.View(ctx, func(tx Reader) error {
		r, err = tx.Realm(realm)
		return err
	})
	if err != nil {
		return s, nil, err
	}
	if v = draft.check(r.Kind); len(v) > 0 {
		return s, v, nil
	}
	s, err = d.secretFor(draft.Password, draft.RecoveryQuestion)
	return s, nil, err
}

func (draft Draft) check(kind Kind) Violations {
	if kind == Auth0 {
		return checkAuth0Password(draft.Password)
	}
	v := checkProfile(OktaProfile, draft.Profile, true)
	login, _ := draft.Profile["login"].(string)
	v = append(v, checkPassword(draft.Password, login)...)
	v = append(v, draft.RecoveryQuestion.check()...)
	if len(draft.Groups) > maxGroups {
		v = append(v, Violation{Field: "groupIds", Rule: TooMany, Limit: maxGroups})
	}
	switch {
	case draft.ExpirePassword && draft.Password == nil:
		v = append(v, Violation{Field: "password", Rule: NeedPassword})
	case draft.ExpirePassword && !draft.Activate:
		v = append(v, Violation{Field: "password", Rule: NeedActivate})
	}
	return v
}

func (q *RecoveryQuestion) check() Violations {
	if q == nil {
		return nil
	}
	text := Attribute{Type: TextType, Required: true, Min: 1, Max: 100}
	question, answer := text, text
	question.Name, answer.Name = "recovery_question", "recovery_answer"
	answer.Max = MaxPassword // in characters; the bytes are cut by folding
	v := question.check(q.Question)
	v = append(v, answer.check(q.Answer)...)
	if len(Fold(q.Answer)) > MaxPassword {
		v = append(v, Violation{Field: answer.Name, Rule: TooLong, Limit: MaxPassword})
	}
	return v
}

// newAccount is the account a draft asks for, as of now.
func newAccount(r *Realm, draft Draft, now time.Time) *Account {
	a := &Account{
		ID: draft.ID, Realm: r.ID, Connection: draft.Connection, Profile: compact(draft.Profile),
		Provider: draft.Provider, HasPassword: draft.Password != nil,
		EmailVerified: draft.EmailVerified,
		UserMetadata:  draft.UserMetadata, AppMetadata: draft.AppMetadata,
		Created: now, Updated: now, Version: 1,
	}
	if a.Provider.Type == "" {
		a.Provider = Provider{ProviderOkta, ProviderOkta}
	}
	if q := draft.RecoveryQuestion; q != nil {
		a.RecoveryQuestion = q.Question
	}
	if a.HasPassword {
		a.PasswordChanged = now
		if draft.Password.Import != "" {
			a.Provider = Provider{ProviderImport, ProviderImport}
		}
	}
	if r.Kind == Auth0 {
		a.startAuth0(draft, now)
	} else {
		a.startOkta(draft, now)
	}
	return a
}

// startOkta sets the status after creation (facts: state after creation).
// Recorded traffic leaves statusChanged null for STAGED accounts without a
// password and sets it for those with one.
func (a *Account) startOkta(draft Draft, now time.Time) {
	if !draft.Activate {
		a.Status = Staged
		if a.HasPassword {
			a.StatusChanged = now
		}
		return
	}
	a.Status = readyStatus(a)
	if draft.ExpirePassword {
		a.Status = PasswordExpired
	}
	a.Activated, a.StatusChanged = now, now
}

// startAuth0 sets the status of a new Auth0 user. StatusChanged is set when
// the caller said something of "blocked": Auth0 shows the field only then.
func (a *Account) startAuth0(draft Draft, now time.Time) {
	a.Status, a.Activated = Active, now
	a.Provider = Provider{"auth0", draft.Connection}
	a.PasswordChanged = time.Time{} // Auth0 shows resets only, not the first password
	if draft.Blocked == nil {
		return
	}
	a.StatusChanged = now
	if *draft.Blocked {
		a.Status = Suspended
	}
}

func (d *Directory) newID(r *Realm, a *Account) string {
	if r.Kind == Auth0 {
		return Auth0Provider(a.Connection) + "|" + d.IDs.Object()
	}
	return d.IDs.Okta("00u")
}

// Auth0Provider returns the first part of the user ids of an Auth0 connection:
// "email" and "sms" for the passwordless connections of those names, "auth0"
// for databases, which all others are taken to be.
func Auth0Provider(connection string) string {
	if connection == "email" || connection == "sms" {
		return connection
	}
	return "auth0"
}

// insert stores a new account with its secret, puts it into Everyone and logs it.
func (d *Directory) insert(tx Tx, actor string, r *Realm, a *Account, s Secret) error {
	if err := tx.InsertAccount(a, a.Keys(r.Kind)); err != nil {
		return err
	}
	if s != (Secret{}) {
		if err := tx.PutSecret(a.Realm, a.ID, s); err != nil {
			return err
		}
	}
	if err := joinEveryone(tx, r, a); err != nil {
		return err
	}
	return d.log(tx, a.Created, change{actor: actor, kind: "user.lifecycle.create", realm: a.Realm, target: a.ID, after: a})
}

// joinEveryone puts an account into its realm's built-in group. The group's
// MembershipUpdated stays: recorded traffic shows it unmoved by new users.
func joinEveryone(tx Tx, r *Realm, a *Account) error {
	if r.Kind != Okta {
		return nil
	}
	everyone, err := everyoneOf(tx, r)
	if err != nil {
		return err
	}
	_, err = tx.AddMember(r.ID, everyone, a.ID, time.Time{})
	return err
}

// everyoneOf returns the id of a realm's built-in group.
func everyoneOf(r Reader, realm *Realm) (string, error) {
	for g, err := range r.Groups(GroupQuery{Realm: realm.ID, Type: BuiltIn}) {
		if err != nil {
			return "", err
		}
		if g.Name() == Everyone {
			return g.ID, nil
		}
	}
	return "", NotFound(GroupNoun, Everyone)
}

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

// EditAccount changes profile, credentials and metadata of an account that ref
// names as in FindAccount. The profile of a DEPROVISIONED account silently
// stays as it is (Okta OpenAPI: updates of deactivated users).
func (d *Directory) EditAccount(ctx context.Context, actor, realm, ref string, e Edit) (*Account, error) {
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
		return d.save(tx, actor, e.kind(), r, before, after, secret)
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
func (d *Directory) save(tx Tx, actor, kind string, r *Realm, before, after *Account, s *Secret) error {
	after.Version = before.Version + 1
	if err := tx.UpdateAccount(after, after.Keys(r.Kind)); err != nil {
		return err
	}
	if s != nil {
		if err := tx.PutSecret(after.Realm, after.ID, *s); err != nil {
			return err
		}
	}
	return d.log(tx, after.Updated, change{actor: actor, kind: kind, realm: after.Realm, target: after.ID, before: before, after: after})
}

// Transition moves an account along its life cycle. A status that forbids the
// operation is a fault.Conflict with a *StateError.
func (d *Directory) Transition(ctx context.Context, actor, realm, ref string, op Operation) (a *Account, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		a, err = d.transition(tx, actor, before, op)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (d *Directory) transition(tx Tx, actor string, before *Account, op Operation) (*Account, error) {
	to, ok := d.next(before, op)
	if !ok {
		return nil, refused(before, op)
	}
	r, err := tx.Realm(before.Realm)
	if err != nil {
		return nil, err
	}
	now := d.now()
	after := before.clone()
	after.Updated = now
	if op == Activate {
		after.Activated = now
	}
	if to != before.Status || op == ExpirePassword {
		after.Status, after.StatusChanged = to, now
	}
	var secret *Secret
	if op == Deactivate { // Okta help: the password of a deactivated user is deleted for good
		after.HasPassword = false
		secret = &Secret{}
	}
	if err := d.save(tx, actor, lifecycle[op].log, r, before, after, secret); err != nil {
		return nil, err
	}
	return after, nil
}

// Retire deletes an account as Okta does: the first call deactivates, a call
// on a DEPROVISIONED account removes it. It reports whether the account is gone.
func (d *Directory) Retire(ctx context.Context, actor, realm, ref string) (gone bool, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if a.Status != Deprovisioned {
			_, err := d.transition(tx, actor, a, Deactivate)
			return err
		}
		gone = true
		return d.remove(tx, actor, a)
	})
	return gone && err == nil, err
}

// Remove deletes an account at once, whatever its status.
func (d *Directory) Remove(ctx context.Context, actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := tx.Account(realm, id)
		if err != nil {
			return err
		}
		return d.remove(tx, actor, a)
	})
}

func (d *Directory) remove(tx Tx, actor string, a *Account) error {
	if err := tx.DeleteAccount(a.Realm, a.ID); err != nil {
		return err
	}
	return d.log(tx, d.now(), change{actor: actor, kind: "user.lifecycle.delete.completed", realm: a.Realm, target: a.ID, before: a})
}

// Note logs something that happened to an account without changing it, such
// as the end of its sessions.
func (d *Directory) Note(ctx context.Context, actor, realm, ref, kind string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		return d.log(tx, d.now(), change{actor: actor, kind: kind, realm: realm, target: a.ID})
	})
}
