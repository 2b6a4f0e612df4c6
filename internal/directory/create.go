package directory

import (
	"cmp"
	"context"
	"maps"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Draft is a new account as asked for.
type Draft struct {
	ID         string // empty: made by the directory
	Connection string
	Type       string // id of the user type; empty: the default one
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
	prepared, err := d.prepare(ctx, realm, draft)
	if err != nil {
		return nil, err
	}
	var created *Account
	err = d.Store.Update(ctx, func(tx Tx) error {
		r, err := tx.Realm(realm)
		if err != nil {
			return err
		}
		if err := d.recheck(tx, r, &prepared); err != nil {
			return err
		}
		now := d.now()
		a := newAccount(r, prepared.draft, now)
		if a.ID == "" {
			a.ID = d.newID(r, a)
		}
		if err := d.insert(tx, actor, r, a, prepared); err != nil {
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

// prepared is a draft that was found good by a schema, with its secrets hashed.
type prepared struct {
	draft  Draft
	shape  *Shape // nil in realms without schemas
	secret Secret
}

// prepare does what needs no transaction: it checks the draft by the rules of
// the realm and hashes its secrets.
func (d *Directory) prepare(ctx context.Context, realm string, draft Draft) (prepared, error) {
	p := prepared{draft: draft}
	var r *Realm
	err := d.Store.View(ctx, func(tx Reader) (err error) {
		if r, err = tx.Realm(realm); err != nil {
			return err
		}
		p.shape, err = d.shapeFor(tx, r, draft.Type)
		return err
	})
	if err != nil {
		return p, err
	}
	p.draft.Type = canonicalType(draft.Type)
	if err := draft.check(p.shape).err(); err != nil {
		return p, err
	}
	p.secret, err = d.secretFor(draft.Password, draft.RecoveryQuestion)
	return p, err
}

// recheck makes sure that a draft is good by the schema as it is now.
func (d *Directory) recheck(tx Tx, r *Realm, p *prepared) error {
	now, err := d.shapeFor(tx, r, p.draft.Type)
	if err != nil {
		return err
	}
	if now != p.shape {
		p.shape = now
		if err := p.draft.check(now).err(); err != nil {
			return err
		}
	}
	if now != nil {
		p.draft.Profile = now.withDefaults(p.draft.Profile)
	}
	return nil
}

// shapeFor returns the schema of a user type, which must exist. Realms that are
// not Okta's have none.
func (d *Directory) shapeFor(r Reader, realm *Realm, userType string) (*Shape, error) {
	if realm.Kind != Okta {
		return nil, nil
	}
	id := cmp.Or(canonicalType(userType), DefaultUserType)
	s, err := d.shape(r, realm.ID, SchemaOf(id))
	if fault.Is(err, fault.NotFound) {
		return nil, NotFound(UserTypeNoun, userType)
	}
	return s, err
}

// canonicalType is how an account keeps its user type: the default one is "".
func canonicalType(id string) string {
	if id == "default" || id == DefaultUserType {
		return ""
	}
	return id
}

// withDefaults fills in the values that the schema gives to those who do not
// say. The profile given is not changed.
func (s *Shape) withDefaults(profile map[string]any) map[string]any {
	if s.defaults == nil {
		return profile
	}
	out := maps.Clone(s.defaults)
	maps.Copy(out, compact(profile))
	return out
}

// check returns everything wrong with a draft. A nil shape stands for the rules
// of Auth0.
func (draft Draft) check(shape *Shape) Violations {
	if shape == nil {
		return checkAuth0Password(draft.Password)
	}
	v := shape.checkProfile(shape.withDefaults(draft.Profile))
	login, _ := draft.Profile["login"].(string)
	v = append(v, checkPassword(draft.Password, login)...)
	v = append(v, checkImport(draft.Password)...)
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
	question := &Attribute{Name: "recovery_question", Type: TextType, Required: true, Max: 100}
	answer := &Attribute{Name: "recovery_answer", Type: TextType, Required: true, Max: 100}
	return append(question.check(q.Question), answer.check(q.Answer)...)
}

// newAccount is the account a draft asks for, as of now.
func newAccount(r *Realm, draft Draft, now time.Time) *Account {
	a := &Account{
		ID: draft.ID, Realm: r.ID, Connection: draft.Connection, Type: draft.Type, Profile: compact(draft.Profile),
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
func (d *Directory) insert(tx Tx, actor Actor, r *Realm, a *Account, p prepared) error {
	if err := tx.InsertAccount(a, p.shape.keys(r.Kind, a)); err != nil {
		return err
	}
	if p.secret != (Secret{}) {
		if err := tx.PutSecret(a.Realm, a.ID, p.secret); err != nil {
			return err
		}
	}
	if err := joinEveryone(tx, r, a); err != nil {
		return err
	}
	c := change{at: a.Created, actor: actor, kind: "user.lifecycle.create", realm: a.Realm, target: a.ID, after: a, targets: []Target{a.target()}}
	if err := d.log(tx, c); err != nil || r.Kind != Okta || a.Activated.IsZero() {
		return err
	}
	c.kind, c.after = lifecycle[Activate].log, nil // Okta's log has both events
	return d.log(tx, c)
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
