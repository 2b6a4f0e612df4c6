package directory

import "slices"

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
