package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// maxFailedSignIns is after how many wrong passwords in a row an account is
// LOCKED_OUT (Okta: default password policy).
const maxFailedSignIns = 10

// SignIn is SignInFrom for a place that does not know who asks.
func (d *Directory) SignIn(ctx context.Context, realm, login, password string) (*Account, error) {
	return d.SignInFrom(ctx, Actor{}, realm, login, password)
}

// SignInFrom checks a person's login and password; client says where the request
// comes from. Success is logged, sets LastLogin and hashes an imported password
// anew. Every failure is logged; wrong passwords are counted, and the account is
// LOCKED_OUT after ten in a row.
//
// The error is a fault.Unauthorized that does not tell why, so that nobody
// learns which logins exist. One case is told apart, when the password was right:
// PASSWORD_EXPIRED is a fault.Conflict with a *StateError, and the account is
// returned with it, so that the person can be asked for a new password.
func (d *Directory) SignInFrom(ctx context.Context, client Actor, realm, login, password string) (*Account, error) {
	a, secret, err := d.credentials(ctx, realm, login)
	if fault.Is(err, fault.NotFound) {
		return nil, d.unknownSignIn(ctx, client, realm, login, password)
	}
	if err != nil {
		return nil, err
	}
	good, err := d.checkSecret(secret, password)
	if err != nil {
		return nil, err
	}
	if !good {
		return nil, d.failedSignIn(ctx, client, a)
	}
	// An account whose password has expired is not LOCKED_OUT, or to unlock it
	// would renew the password. It cannot be guessed for ever nevertheless.
	if !slices.Contains([]Status{Active, PasswordExpired}, a.Status) || a.FailedSignIns >= maxFailedSignIns {
		return nil, d.refusedSignIn(ctx, client, a)
	}
	rehashed := ""
	if strings.HasPrefix(secret.Password, importPrefix) && len(password) <= MaxPassword {
		if rehashed, err = d.Hash(password); err != nil {
			return nil, err
		}
	}
	return d.goodSignIn(ctx, client, a, secret, rehashed)
}

// maxLoggedLogin is how much the log keeps of a login that nobody has, in bytes:
// strangers may send long ones.
const maxLoggedLogin = 256

func shortened(login string) string {
	if len(login) <= maxLoggedLogin {
		return login
	}
	return strings.ToValidUTF8(login[:maxLoggedLogin], "")
}

func notSignedIn() error { return fault.New(fault.Unauthorized, "the login or the password is wrong") }

// signInActor is the person who signs in, as the log names them.
func signInActor(client Actor, a *Account) Actor {
	client.ID, client.Type, client.Name, client.Login = a.ID, UserActor, a.target().DisplayName, a.Login()
	return client
}

// unknownSignIn takes as long as a wrong password does.
func (d *Directory) unknownSignIn(ctx context.Context, client Actor, realm, login, password string) error {
	_, _ = d.Check(seedSecret.Password, password)
	client.ID, client.Type, client.Name, client.Login = "unknown", UserActor, "unknown", shortened(login)
	err := d.Store.Update(ctx, func(tx Tx) error {
		return d.log(tx, change{
			at: d.now(), actor: client, kind: "user.session.start", realm: realm,
			outcome: Outcome{Result: "FAILURE", Reason: "VERIFICATION_ERROR"},
		})
	})
	if err != nil {
		return err
	}
	return notSignedIn()
}

// failedSignIn counts a wrong password.
func (d *Directory) failedSignIn(ctx context.Context, client Actor, known *Account) error {
	err := d.Store.Update(ctx, func(tx Tx) error {
		before, err := tx.Account(known.Realm, known.ID)
		if err != nil {
			return err
		}
		if err := d.logSignIn(tx, client, before, "INVALID_CREDENTIALS"); err != nil || before.Status != Active && before.Status != PasswordExpired {
			return err
		}
		after := before.clone()
		after.FailedSignIns++
		if after.FailedSignIns < maxFailedSignIns || before.Status == PasswordExpired {
			return d.touch(tx, after)
		}
		after.Updated = d.now()
		after.Status, after.StatusChanged = LockedOut, after.Updated
		return d.save(tx, signInActor(client, after), "user.account.lock", before, after, nil)
	})
	if err != nil {
		return err
	}
	return notSignedIn()
}

// refusedSignIn is a right password in a status that does not allow to sign in.
func (d *Directory) refusedSignIn(ctx context.Context, client Actor, a *Account) error {
	reason := "INVALID_CREDENTIALS"
	if a.Status == LockedOut {
		reason = "LOCKED_OUT"
	}
	err := d.Store.Update(ctx, func(tx Tx) error { return d.logSignIn(tx, client, a, reason) })
	if err != nil {
		return err
	}
	return notSignedIn()
}

func (d *Directory) goodSignIn(ctx context.Context, client Actor, known *Account, checked Secret, rehashed string) (after *Account, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := tx.Account(known.Realm, known.ID)
		if err != nil {
			return err
		}
		secret, err := tx.Secret(known.Realm, known.ID)
		if err != nil {
			return err
		}
		if before.Status != known.Status || secret.Password != checked.Password {
			return notSignedIn() // it changed while the password was checked
		}
		if rehashed != "" {
			secret.Password = rehashed
			if err := tx.PutSecret(known.Realm, known.ID, secret); err != nil {
				return err
			}
		}
		after = before.clone()
		after.FailedSignIns = 0
		if after.Status == PasswordExpired {
			return d.touch(tx, after)
		}
		after.LastLogin = d.now()
		if err := d.touch(tx, after); err != nil {
			return err
		}
		return d.logSignIn(tx, client, after, "")
	})
	if err != nil {
		return nil, err
	}
	if after.Status == PasswordExpired {
		return after, refused(after, SignInOperation)
	}
	return after, nil
}

// touch stores what changes without being a change of the account: nothing of
// it is logged, and Updated stays.
func (d *Directory) touch(tx Tx, a *Account) error {
	keys, err := d.keysOf(tx, a)
	if err != nil {
		return err
	}
	a.Version++
	return tx.UpdateAccount(a, keys)
}

// logSignIn logs an attempt to sign in; an empty reason is a success.
func (d *Directory) logSignIn(tx Tx, client Actor, a *Account, reason string) error {
	c := change{
		at: d.now(), actor: signInActor(client, a), kind: "user.session.start", realm: a.Realm, target: a.ID,
		targets: []Target{a.target()},
	}
	if reason != "" {
		c.outcome = Outcome{Result: "FAILURE", Reason: reason}
	}
	return d.log(tx, c)
}
