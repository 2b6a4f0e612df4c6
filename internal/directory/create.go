package directory

import (
	"context"
	"time"
)

// Draft is a new account as asked for.
type Draft struct {
	ID         string // empty: made by the directory
	Connection string
	Profile    map[string]any
	Provider   Provider // zero: OKTA

	Password         *Password
	ExpirePassword   bool // the password must be changed at first sign-in; needs Password and Activate
	RecoveryQuestion *RecoveryQuestion

	Activate bool
	Groups   []string // ids; every one must exist and accept members

	EmailVerified bool
	Blocked       *bool // nil: not said
	UserMetadata  map[string]any
	AppMetadata   map[string]any
}

// RecoveryQuestion is a question and its answer. The answer is kept hashed.
type RecoveryQuestion struct{ Question, Answer string }

// maxGroups is how many groups a new account may be put into (Okta: groupIds).
const maxGroups = 20

// CreateAccount adds an account to a realm. Everything wrong with the draft is
// reported at once as Violations; unknown groups as *Missing.
func (d *Directory) CreateAccount(ctx context.Context, actor Actor, realm string, draft Draft) (*Account, error) {
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
		return d.profileChanged(tx, actor, nil, a, now)
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
	question := Attribute{Name: "recovery_question", Type: TextType, Required: true, Max: 100}
	answer := Attribute{Name: "recovery_answer", Type: TextType, Required: true, Max: 100}
	return append(question.check(q.Question), answer.check(q.Answer)...)
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
func (d *Directory) insert(tx Tx, actor Actor, r *Realm, a *Account, s Secret) error {
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
	return d.log(tx, change{at: a.Created, actor: actor, kind: "user.lifecycle.create", realm: a.Realm, target: a.ID, after: a, targets: []Target{a.target()}})
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
