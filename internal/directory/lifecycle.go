package directory

import (
	"context"
	"slices"
	"time"
)

// Status is where an account stands in Okta's life cycle.
type Status string

// The statuses.
const (
	Staged          Status = "STAGED"           // exists, cannot sign in, was never activated
	Provisioned     Status = "PROVISIONED"      // activated, has to set a password first
	Active          Status = "ACTIVE"           //
	Recovery        Status = "RECOVERY"         // a password reset is under way
	PasswordExpired Status = "PASSWORD_EXPIRED" // must choose a new password
	LockedOut       Status = "LOCKED_OUT"       // too many failed sign-ins
	Suspended       Status = "SUSPENDED"        // barred for now; Auth0 blocked
	Deprovisioned   Status = "DEPROVISIONED"    // gone but for the record; may be deleted
)

// Operation is a step in the life cycle.
type Operation string

// The operations, named as in Okta's API.
const (
	Activate       Operation = "activate"
	Reactivate     Operation = "reactivate"
	Deactivate     Operation = "deactivate"
	Suspend        Operation = "suspend"
	Unsuspend      Operation = "unsuspend"
	Unlock         Operation = "unlock"
	ResetPassword  Operation = "reset_password"
	ExpirePassword Operation = "expire_password"
)

// The operations on credentials. They do not lead along the life cycle by
// themselves, but a status may forbid them.
const (
	ChangePassword         Operation = "change_password"
	ForgotPassword         Operation = "forgot_password"
	ChangeRecoveryQuestion Operation = "change_recovery_question"
	ImportPassword         Operation = "import_password" // replace a password by a hash made elsewhere
	RedeemToken            Operation = "redeem_token"    // set a password with an activation or reset token
	SignInOperation        Operation = "sign_in"
)

// ready is the pseudo-status of an account that starts to live: ACTIVE when it
// can sign in (it has a password, or signs in elsewhere), else PROVISIONED.
// same leaves the status as it is.
const (
	ready Status = "(ready)"
	same  Status = "(same)"
)

// rule says from which statuses an operation is allowed and where it leads.
type rule struct {
	from []Status
	to   Status
	log  string // kind of change
}

// lifecycle is the state machine. Everything that is not in it is refused
// (Okta: users API, life-cycle operations; recorded traffic where they differ).
//
//	           activate               suspend
//	STAGED ──┬───────────► ACTIVE ◄──────────────► SUSPENDED
//	         │               ▲ ▲      unsuspend
//	         │  no password  │ └─ unlock ── LOCKED_OUT ◄── failed sign-ins
//	         └► PROVISIONED ─┤
//	                         │ password set by user or administrator
//	RECOVERY ────────────────┤      RECOVERY: reset_password from any
//	PASSWORD_EXPIRED ────────┘      of ACTIVE, PROVISIONED, LOCKED_OUT,
//	                                PASSWORD_EXPIRED, RECOVERY
//	every status but itself ── deactivate ──► DEPROVISIONED ── activate ──► as STAGED
//	                                               └── delete ──► gone
var lifecycle = map[Operation]rule{
	Activate:       {[]Status{Staged, Deprovisioned}, ready, "user.lifecycle.activate"},
	Reactivate:     {[]Status{Provisioned, Recovery}, same, "user.lifecycle.reactivate"},
	Deactivate:     {[]Status{Staged, Provisioned, Active, Recovery, PasswordExpired, LockedOut, Suspended}, Deprovisioned, "user.lifecycle.deactivate"},
	Suspend:        {[]Status{Active}, Suspended, "user.lifecycle.suspend"},
	Unsuspend:      {[]Status{Suspended}, Active, "user.lifecycle.unsuspend"},
	Unlock:         {[]Status{LockedOut}, Active, "user.account.unlock_by_admin"},
	ResetPassword:  {[]Status{Active, PasswordExpired, Provisioned, LockedOut, Recovery}, Recovery, "user.account.reset_password"},
	ExpirePassword: {[]Status{Active, PasswordExpired}, PasswordExpired, "user.account.expire_password"},
}

// pending are the statuses whose accounts publish a suspend link in recorded
// traffic although the documentation allows suspension of ACTIVE ones only.
var pending = []Status{Provisioned, PasswordExpired}

// waitForPassword are the statuses that end when the password is set, by the
// user or by an administrator: the account becomes ACTIVE.
var waitForPassword = []Status{Provisioned, Recovery, PasswordExpired}

// next returns the status an operation leads to, or false when the account's
// status forbids it.
func (d *Directory) next(a *Account, op Operation) (Status, bool) {
	r, ok := lifecycle[op]
	if !ok {
		return "", false
	}
	if !slices.Contains(r.from, a.Status) {
		lenient := op == Suspend && d.SuspendPending && slices.Contains(pending, a.Status)
		if !lenient {
			return "", false
		}
	}
	switch r.to {
	case same:
		return a.Status, true
	case ready:
		return readyStatus(a), true
	}
	return r.to, true
}

func readyStatus(a *Account) Status {
	if a.HasPassword || a.Provider.external() {
		return Active
	}
	return Provisioned
}

// Transition moves an account along its life cycle. A status that forbids the
// operation is a fault.Conflict with a *StateError.
func (d *Directory) Transition(ctx context.Context, actor Actor, realm, ref string, op Operation) (*Account, error) {
	a, _, err := d.Take(ctx, actor, realm, ref, Step{Operation: op})
	return a, err
}

// Step is an operation with what may be asked for beside it.
type Step struct {
	Operation
	RevokeSessions bool // end the account's sessions
	Federate       bool // ResetPassword: the account signs in elsewhere from now on and has no password
}

// Take is Transition with options. Activation, reactivation and reset of a
// password also make a token, with which the person can set a password
// (Redeem); tokens made before end.
func (d *Directory) Take(ctx context.Context, actor Actor, realm, ref string, s Step) (a *Account, token string, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if s.Operation == Deactivate && before.Status == Deprovisioned && d.DeactivateAgain {
			a = before
			return nil
		}
		if a, err = d.transition(tx, actor, before, s); err != nil {
			return err
		}
		token, err = d.tokenFor(tx, a, s)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return a, token, nil
}

func (d *Directory) tokenFor(tx Tx, a *Account, s Step) (string, error) {
	switch {
	case s.Operation == Activate, s.Operation == Reactivate:
		return d.issueToken(tx, a, Activation)
	case s.Operation == ResetPassword && !s.Federate:
		return d.issueToken(tx, a, Reset)
	}
	return "", nil
}

func (d *Directory) transition(tx Tx, actor Actor, before *Account, s Step) (*Account, error) {
	to, ok := d.next(before, s.Operation)
	if !ok {
		return nil, refused(before, s.Operation)
	}
	if s.Federate {
		to = Active
	}
	now := d.now()
	after := before.clone()
	after.Updated = now
	if s.Operation == Activate {
		after.Activated = now
	}
	if slices.Contains([]Operation{Unlock, ExpirePassword, ResetPassword}, s.Operation) {
		after.FailedSignIns = 0
	}
	if to != before.Status || s.Operation == ExpirePassword {
		after.Status, after.StatusChanged = to, now
	}
	if s.Operation == ResetPassword {
		after.federate(s.Federate)
	}
	var secret *Secret
	if s.Operation == Deactivate || s.Federate { // Okta help: the password of a deactivated user is deleted for good
		after.HasPassword = false
		secret = &Secret{}
	}
	if err := d.save(tx, actor, lifecycle[s.Operation].log, before, after, secret); err != nil {
		return nil, err
	}
	return after, d.consequences(tx, actor, after, s, now)
}

// federate sets who checks the credential: a reset without it brings a
// federated account back (Okta: convert a user to a federated user).
func (a *Account) federate(elsewhere bool) {
	switch {
	case elsewhere:
		a.Provider = Provider{ProviderFederation, ProviderFederation}
	case a.Provider.Type == ProviderFederation:
		a.Provider = Provider{ProviderOkta, ProviderOkta}
	}
}

// consequences are what follows from a step, beside the account itself.
func (d *Directory) consequences(tx Tx, actor Actor, a *Account, s Step, now time.Time) error {
	if s.RevokeSessions || s.Operation == Deactivate || s.Operation == Suspend {
		if err := d.sessionsEnding(tx, actor, a, now); err != nil {
			return err
		}
	}
	switch s.Operation {
	case Activate:
		return d.activated(tx, actor, a, now)
	case Deactivate:
		if err := endTokens(tx, a); err != nil {
			return err
		}
		return d.deactivated(tx, actor, a, now)
	}
	return nil
}

// Retire deletes an account as Okta does: the first call deactivates, a call
// on a DEPROVISIONED account removes it. It reports whether the account is gone.
func (d *Directory) Retire(ctx context.Context, actor Actor, realm, ref string) (gone bool, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if a.Status != Deprovisioned {
			_, err := d.transition(tx, actor, a, Step{Operation: Deactivate})
			return err
		}
		gone = true
		begun := change{at: d.now(), actor: actor, kind: "user.lifecycle.delete.initiated", realm: realm, target: a.ID, targets: []Target{a.target()}}
		if err := d.log(tx, begun); err != nil {
			return err
		}
		return d.remove(tx, actor, a)
	})
	return gone && err == nil, err
}

// Remove deletes an account at once, whatever its status.
func (d *Directory) Remove(ctx context.Context, actor Actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := tx.Account(realm, id)
		if err != nil {
			return err
		}
		return d.remove(tx, actor, a)
	})
}

func (d *Directory) remove(tx Tx, actor Actor, a *Account) error {
	if err := d.ending(tx, actor, a, d.now()); err != nil {
		return err
	}
	if err := endRecords(tx, a.Realm, a.ID, aboutAccounts); err != nil {
		return err
	}
	if err := tx.DeleteAccount(a.Realm, a.ID); err != nil {
		return err
	}
	return d.log(tx, change{at: d.now(), actor: actor, kind: "user.lifecycle.delete.completed", realm: a.Realm, target: a.ID, before: a, targets: []Target{a.target()}})
}

// Note logs something that happened to an account without changing it, such
// as the end of its sessions.
func (d *Directory) Note(ctx context.Context, actor Actor, realm, ref, kind string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		return d.log(tx, change{at: d.now(), actor: actor, kind: kind, realm: realm, target: a.ID, targets: []Target{a.target()}})
	})
}
