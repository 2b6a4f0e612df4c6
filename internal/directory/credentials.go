package directory

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Purpose is what a one-time token was made for.
type Purpose string

// The purposes.
const (
	Activation Purpose = "activation" // the first password of a PROVISIONED account
	Reset      Purpose = "reset"      // a new password, as an administrator asked
	Forgotten  Purpose = "forgotten"  // a new password, as the person asked
)

// tokenLives is how long a one-time token can be used: Okta's defaults for
// activation links and for the recovery token of a password policy (10,080
// minutes).
const tokenLives = 7 * 24 * time.Hour

// tokenLength is the length of recorded tokens in characters.
const tokenLength = 20

// oneTimeNoun is the sort of record that a one-time token is.
const oneTimeNoun Noun = "one-time token"

// oneTime lets whoever knows a token set the password of an account. Its id is
// the digest of the token, which itself is nowhere stored, and nothing of it
// reaches the change log.
type oneTime struct {
	Meta
	Account string    `json:"account"`
	Purpose Purpose   `json:"purpose"`
	Expires time.Time `json:"expires"`
}

func (t *oneTime) Place() Place { return Place{Noun: oneTimeNoun, Subject: t.Account} }

// issueToken makes a token; the ones that the account had end.
func (d *Directory) issueToken(tx Tx, a *Account, p Purpose) (string, error) {
	if err := endTokens(tx, a); err != nil {
		return "", err
	}
	token, now := d.IDs.Token(tokenLength), d.now()
	t := &oneTime{Meta: Meta{ID: Digest(token), Realm: a.Realm}, Account: a.ID, Purpose: p, Expires: now.Add(tokenLives)}
	return token, putObject(tx, t, now)
}

func endTokens(tx Tx, a *Account) error { return endRecords(tx, a.Realm, a.ID, []Noun{oneTimeNoun}) }

// badToken is the same for a token that is unknown, used and expired.
func badToken() error { return fault.New(fault.Unauthorized, "the token is invalid or has expired") }

// TokenAccount returns the account whose password a one-time token may set, and
// what the token was made for. A token that cannot be used is fault.Unauthorized.
func (d *Directory) TokenAccount(ctx context.Context, realm, token string) (a *Account, p Purpose, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		t, err := get[oneTime](r, realm, Digest(token))
		if fault.Is(err, fault.NotFound) || err == nil && !d.now().Before(t.Expires) {
			return badToken()
		}
		if err != nil {
			return err
		}
		p = t.Purpose
		a, err = r.Account(realm, t.Account)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return a, p, nil
}

// Redeem uses up a one-time token: the account gets a password and, when it
// waited for one, becomes ACTIVE. A token that cannot be used is
// fault.Unauthorized, a weak password Violations.
func (d *Directory) Redeem(ctx context.Context, realm, token, password string) (*Account, error) {
	a, purpose, err := d.TokenAccount(ctx, realm, token)
	if err != nil {
		return nil, err
	}
	self := Actor{ID: a.ID, Type: UserActor, Name: a.target().DisplayName, Login: a.Login()}
	may := func(now *Account) error {
		forgotten := purpose == Forgotten && (now.Status == Active || now.Status == LockedOut)
		if !forgotten && !slices.Contains(waitForPassword, now.Status) {
			return refused(now, RedeemToken)
		}
		return nil
	}
	return d.setPassword(ctx, newPassword{actor: self, account: a, text: password, may: may, token: Digest(token)})
}

// WrongCredential says that an old password or a recovery answer, given to
// change a credential, was wrong. It is the cause of a fault.Forbidden.
type WrongCredential struct {
	Operation Operation
	Answer    bool // the recovery answer, else the password
}

func (e *WrongCredential) Error() string { return "wrong credential for " + string(e.Operation) }

func wrongCredential(op Operation, answer bool) error {
	what := "password"
	if answer {
		what = "recovery answer"
	}
	return fault.Wrap(fault.Forbidden, &WrongCredential{op, answer}, "the %s is wrong", what)
}

// PasswordChange is a change of the password by somebody who knows the old one.
type PasswordChange struct {
	Old, New       string
	RevokeSessions bool
}

// changers are the statuses in which a password may be changed, and its
// recovery question (Okta: credential operations).
var (
	changers         = []Status{Staged, Active, PasswordExpired, Recovery}
	questionChangers = []Status{Staged, Active, Recovery}
)

// ChangePassword replaces the password of an account, which becomes ACTIVE when
// it waited for that. A wrong old password is a fault.Forbidden with a
// *WrongCredential, a weak new one Violations, a status that forbids it a
// *StateError.
func (d *Directory) ChangePassword(ctx context.Context, actor Actor, realm, ref string, c PasswordChange) (*Account, error) {
	a, secret, err := d.credentials(ctx, realm, ref)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(changers, a.Status) || !a.HasPassword {
		return nil, refused(a, ChangePassword)
	}
	if err := d.prove(secret, c.Old, ChangePassword); err != nil {
		return nil, err
	}
	return d.setPassword(ctx, newPassword{actor: actor, account: a, text: c.New, may: unchanged(a), revoke: c.RevokeSessions})
}

// prove checks the password that a person gives to change a credential.
func (d *Directory) prove(s Secret, password string, op Operation) error {
	ok, err := d.checkSecret(s, password)
	if err == nil && !ok {
		return wrongCredential(op, false)
	}
	return err
}

// credentials returns an account with its secret.
func (d *Directory) credentials(ctx context.Context, realm, ref string) (a *Account, s Secret, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if a, err = find(r, realm, ref); err != nil {
			return err
		}
		s, err = r.Secret(realm, a.ID)
		return err
	})
	return a, s, err
}

// newPassword is a password that an account is to get.
type newPassword struct {
	actor   Actor
	account *Account
	text    string
	may     func(*Account) error // asked in the transaction whether it still may
	token   string               // digest of the one-time token that allows it; empty: none is needed
	revoke  bool                 // end the sessions
}

func (d *Directory) setPassword(ctx context.Context, n newPassword) (after *Account, err error) {
	p := Password{Text: n.text}
	if err := checkPassword(&p, n.account.Login()).err(); err != nil {
		return nil, err
	}
	hash, err := d.Hash(p.Text)
	if err != nil {
		return nil, err
	}
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := tx.Account(n.account.Realm, n.account.ID)
		if err != nil {
			return err
		}
		if err := n.allowed(tx, before); err != nil {
			return err
		}
		secret, err := tx.Secret(before.Realm, before.ID)
		if err != nil {
			return err
		}
		secret.Password = hash
		after = before.clone()
		after.Updated = d.now()
		after.passwordSet(p, after.Updated)
		after.FailedSignIns = 0
		if after.Status == LockedOut {
			after.Status, after.StatusChanged = Active, after.Updated
		}
		if err := d.save(tx, n.actor, "user.account.update_password", before, after, &secret); err != nil {
			return err
		}
		if n.revoke {
			if err := d.sessionsEnding(tx, n.actor, after, after.Updated); err != nil {
				return err
			}
		}
		return endTokens(tx, after)
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

func (n newPassword) allowed(tx Tx, before *Account) error {
	if err := n.may(before); err != nil || n.token == "" {
		return err
	}
	_, err := tx.Record(before.Realm, oneTimeNoun, n.token)
	if fault.Is(err, fault.NotFound) {
		return badToken() // used by another request meanwhile
	}
	return err
}

// ForgetPassword makes a token with which a person who forgot the password can
// set a new one. The status stays. allow, when not nil, may refuse the account.
func (d *Directory) ForgetPassword(ctx context.Context, actor Actor, realm, ref string, allow func(*Account) bool) (token string, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if a.Status != Active || a.Provider.external() || allow != nil && !allow(a) {
			return refused(a, ForgotPassword)
		}
		if token, err = d.issueToken(tx, a, Forgotten); err != nil {
			return err
		}
		return d.log(tx, change{at: d.now(), actor: actor, kind: "user.account.reset_password", realm: realm, target: a.ID, targets: []Target{a.target()}})
	})
	return token, err
}

// AnswerRecovery sets a new password for somebody who knows the answer to the
// recovery question. A wrong answer is a fault.Forbidden with a *WrongCredential.
func (d *Directory) AnswerRecovery(ctx context.Context, actor Actor, realm, ref, answer, password string) (*Account, error) {
	a, secret, err := d.credentials(ctx, realm, ref)
	if err != nil {
		return nil, err
	}
	if a.Status != Active || a.RecoveryQuestion == "" || secret.Answer == "" {
		return nil, refused(a, ForgotPassword)
	}
	ok, err := d.Check(secret.Answer, answerDigest(answer))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, wrongCredential(ForgotPassword, true)
	}
	return d.setPassword(ctx, newPassword{actor: actor, account: a, text: password, may: unchanged(a)})
}

// unchanged refuses an account whose status or credentials changed since they
// were checked.
func unchanged(a *Account) func(*Account) error {
	return func(now *Account) error {
		if now.Status != a.Status || !now.PasswordChanged.Equal(a.PasswordChanged) || now.RecoveryQuestion != a.RecoveryQuestion {
			return fault.New(fault.Stale, "the user %q has changed meanwhile", a.ID)
		}
		return nil
	}
}

// ChangeQuestion replaces the recovery question of an account, for somebody who
// knows the password. Errors are those of ChangePassword.
func (d *Directory) ChangeQuestion(ctx context.Context, actor Actor, realm, ref, password string, q RecoveryQuestion) (*Account, error) {
	a, secret, err := d.credentials(ctx, realm, ref)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(questionChangers, a.Status) || !a.HasPassword {
		return nil, refused(a, ChangeRecoveryQuestion)
	}
	if err := q.check().err(); err != nil {
		return nil, err
	}
	if err := d.prove(secret, password, ChangeRecoveryQuestion); err != nil {
		return nil, err
	}
	return d.EditAccount(ctx, actor, realm, a.ID, Edit{RecoveryQuestion: &q, Check: unchanged(a)})
}

// ExpireWithTemporary expires the password of an account and gives it a
// temporary one, which it returns.
func (d *Directory) ExpireWithTemporary(ctx context.Context, actor Actor, realm, ref string, revokeSessions bool) (*Account, string, error) {
	password := d.temporaryPassword()
	hash, err := d.Hash(password)
	if err != nil {
		return nil, "", err
	}
	var after *Account
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		secret, err := tx.Secret(realm, before.ID)
		if err != nil {
			return err
		}
		step := Step{Operation: ExpirePassword, RevokeSessions: revokeSessions}
		if after, err = d.transition(tx, actor, before, step); err != nil {
			return err
		}
		secret.Password = hash
		return tx.PutSecret(realm, after.ID, secret)
	})
	if err != nil {
		return nil, "", err
	}
	return after, password, nil
}

// temporaryPassword is a random password that meets the default policy.
func (d *Directory) temporaryPassword() string { return "Aa1" + d.IDs.Hex(12) }
