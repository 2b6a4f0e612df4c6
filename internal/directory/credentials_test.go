package directory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// take moves an account and returns the token that was made.
func (b bench) take(id string, op directory.Operation) string {
	b.t.Helper()
	_, token, err := b.Take(b.t.Context(), me, org, id, directory.Step{Operation: op})
	if err != nil || token == "" {
		b.t.Fatalf("%s: token %q, %v", op, token, err)
	}
	return token
}

// TestRedeem covers one-time tokens: what they do, and when they end.
func TestRedeem(t *testing.T) {
	t.Parallel()
	redeem := func(b bench, token string) error {
		a, err := b.Redeem(t.Context(), org, token, "Sesame4me")
		if err == nil && a.Status != directory.Active {
			t.Errorf("after Redeem the account is %s, want ACTIVE", a.Status)
		}
		return err
	}
	staged := func(b bench) *directory.Account {
		d := draft("a@example.com")
		d.Activate = false
		return b.create(d)
	}
	tests := []struct {
		name string
		run  func(b bench) error
		kind fault.Kind // of the error; Internal: none is wanted
	}{
		{"activation", func(b bench) error {
			return redeem(b, b.take(staged(b).ID, directory.Activate))
		}, fault.Internal},
		{"reset", func(b bench) error {
			return redeem(b, b.take(b.in(directory.Active, "a@example.com").ID, directory.ResetPassword))
		}, fault.Internal},
		{"forgotten", func(b bench) error {
			token, err := b.ForgetPassword(t.Context(), me, org, b.in(directory.Active, "a@example.com").ID, nil)
			if err != nil {
				return err
			}
			return redeem(b, token)
		}, fault.Internal},
		{"unknown", func(b bench) error { return redeem(b, "nonsense") }, fault.Unauthorized},
		{"used twice", func(b bench) error {
			token := b.take(staged(b).ID, directory.Activate)
			if err := redeem(b, token); err != nil {
				t.Fatal(err)
			}
			return redeem(b, token)
		}, fault.Unauthorized},
		{"replaced by a newer one", func(b bench) error {
			a := staged(b)
			token := b.take(a.ID, directory.Activate)
			b.take(a.ID, directory.Reactivate)
			return redeem(b, token)
		}, fault.Unauthorized},
		{"last moment", func(b bench) error {
			token := b.take(staged(b).ID, directory.Activate)
			b.clock.Step(7*24*time.Hour - time.Second)
			return redeem(b, token)
		}, fault.Internal},
		{"too late", func(b bench) error {
			token := b.take(staged(b).ID, directory.Activate)
			b.clock.Step(7 * 24 * time.Hour)
			return redeem(b, token)
		}, fault.Unauthorized},
		{"after a password was set otherwise", func(b bench) error {
			a := staged(b)
			token := b.take(a.ID, directory.Activate)
			if _, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Password: &directory.Password{Text: "Sesame4you"}}); err != nil {
				t.Fatal(err)
			}
			return redeem(b, token)
		}, fault.Unauthorized},
		{"after deactivation", func(b bench) error {
			a := staged(b)
			token := b.take(a.ID, directory.Activate)
			if _, err := b.Transition(t.Context(), me, org, a.ID, directory.Deactivate); err != nil {
				t.Fatal(err)
			}
			return redeem(b, token)
		}, fault.Unauthorized},
		{"weak password", func(b bench) error {
			_, err := b.Redeem(t.Context(), org, b.take(staged(b).ID, directory.Activate), "weak")
			return err
		}, fault.Invalid},
		{"when suspended meanwhile", func(b bench) error {
			a := b.in(directory.Active, "a@example.com")
			token, err := b.ForgetPassword(t.Context(), me, org, a.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Transition(t.Context(), me, org, a.ID, directory.Suspend); err != nil {
				t.Fatal(err)
			}
			return redeem(b, token)
		}, fault.Conflict},
	}
	for _, test := range tests {
		err := test.run(newBench(t))
		if ok := test.kind == fault.Internal && err == nil || test.kind != fault.Internal && fault.Is(err, test.kind); !ok {
			t.Errorf("%s: %v, want %v", test.name, err, test.kind)
		}
	}
}

// TestTokensAreSecret makes sure that a token is neither in the log nor stored
// as it is.
func TestTokensAreSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.in(directory.Provisioned, "a@example.com")
	token := b.take(a.ID, directory.Reactivate)
	got, purpose, err := b.TokenAccount(t.Context(), org, token)
	if err != nil || got.ID != a.ID || purpose != directory.Activation {
		t.Errorf("TokenAccount = %v, %s, %v, want the account and activation", got, purpose, err)
	}
	err = b.Store.View(t.Context(), func(r directory.Reader) error {
		for record, err := range r.Records(directory.RecordQuery{Realm: org, Noun: "one-time token"}) {
			if err != nil {
				return err
			}
			if record.ID == token || string(record.Body) == token {
				t.Errorf("record %+v shows the token", record)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.create(withPassword(draft("a@example.com")))
	change := func(old, new string) (*directory.Account, error) {
		return b.ChangePassword(t.Context(), me, org, a.ID, directory.PasswordChange{Old: old, New: new})
	}
	var wrong *directory.WrongCredential
	if _, err := change("nope", "Sesame4me"); !errors.As(err, &wrong) || wrong.Answer {
		t.Errorf("with a wrong password: %v, want WrongCredential", err)
	}
	if _, err := change("Sesame4you", "weak"); !fault.Is(err, fault.Invalid) {
		t.Errorf("to a weak password: %v, want Invalid", err)
	}
	before := b.get(a.ID)
	b.clock.Step(-time.Minute) // the clock stands where it stood at creation
	after, err := change("Sesame4you", "Sesame4me")
	if err != nil || !after.PasswordChanged.After(before.PasswordChanged.Truncate(time.Second)) ||
		after.PasswordChanged.Truncate(time.Second).Equal(before.PasswordChanged.Truncate(time.Second)) {
		t.Errorf("PasswordChanged = %v after %v, %v, want a later second", after.PasswordChanged, before.PasswordChanged, err)
	}
	if _, err := b.SignIn(t.Context(), org, "a@example.com", "Sesame4me"); err != nil {
		t.Errorf("SignIn with the new password: %v", err)
	}
}

func TestRecoveryQuestion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.create(withPassword(draft("a@example.com")))
	var state *directory.StateError
	if _, err := b.AnswerRecovery(t.Context(), me, org, a.ID, "x", "Sesame4me"); !errors.As(err, &state) || state.Operation != directory.ForgotPassword {
		t.Errorf("without a question: %v, want it refused", err)
	}
	q := directory.RecoveryQuestion{Question: "Why?", Answer: "Because"}
	if _, err := b.ChangeQuestion(t.Context(), me, org, a.ID, "nope", q); !fault.Is(err, fault.Forbidden) {
		t.Errorf("with a wrong password: %v, want Forbidden", err)
	}
	if _, err := b.ChangeQuestion(t.Context(), me, org, a.ID, "Sesame4you", directory.RecoveryQuestion{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no question: %v, want Invalid", err)
	}
	changed, err := b.ChangeQuestion(t.Context(), me, org, a.ID, "Sesame4you", q)
	if err != nil || changed.RecoveryQuestion != "Why?" {
		t.Fatalf("ChangeQuestion = %v, %v", changed, err)
	}
	var wrong *directory.WrongCredential
	if _, err := b.AnswerRecovery(t.Context(), me, org, a.ID, "no idea", "Sesame4me"); !errors.As(err, &wrong) || !wrong.Answer {
		t.Errorf("with a wrong answer: %v, want WrongCredential", err)
	}
	if _, err := b.AnswerRecovery(t.Context(), me, org, a.ID, " bécause", "Sesame4me"); err != nil {
		t.Errorf("with the answer: %v", err)
	}
	if got := b.secret(org, a.ID).Password; got != "hashed:Sesame4me" {
		t.Errorf("secret = %s, want the new password", got)
	}
}

// TestCredentialsChangedAtOnce makes one change of credentials while another is
// being hashed: neither may undo the other.
func TestCredentialsChangedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.create(withPassword(draft("a@example.com")))
	plain := b.Hash
	b.Hash = func(text string) (string, error) {
		b.Hash = plain
		if _, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Password: &directory.Password{Text: "Sesame4me"}}); err != nil {
			t.Errorf("the change meanwhile: %v", err)
		}
		return plain(text)
	}
	q := directory.RecoveryQuestion{Question: "Why?", Answer: "Because"}
	if _, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{RecoveryQuestion: &q}); err != nil {
		t.Fatal(err)
	}
	if got := b.secret(org, a.ID); got.Password != "hashed:Sesame4me" || got.Answer == "" {
		t.Errorf("secret = %v, want the password of the one change and the answer of the other", got)
	}
}

func TestTemporaryPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.in(directory.Active, "a@example.com")
	_, password, err := b.ExpireWithTemporary(t.Context(), me, org, a.ID, true)
	if err != nil || len(password) < 8 {
		t.Fatalf("ExpireWithTemporary = %q, %v", password, err)
	}
	var state *directory.StateError
	got, err := b.SignIn(t.Context(), org, "a@example.com", password)
	if !errors.As(err, &state) || state.Status != directory.PasswordExpired || got == nil {
		t.Errorf("SignIn = %v, %v, want the account with PASSWORD_EXPIRED", got, err)
	}
	if got, err := b.SignIn(t.Context(), org, "a@example.com", "Sesame4you"); !fault.Is(err, fault.Unauthorized) || got != nil {
		t.Errorf("SignIn with the old password = %v, %v, want it refused", got, err)
	}
	after, err := b.ChangePassword(t.Context(), me, org, a.ID, directory.PasswordChange{Old: password, New: "Sesame4me"})
	if err != nil || after.Status != directory.Active {
		t.Errorf("ChangePassword = %v, %v, want ACTIVE", after, err)
	}
}

// TestFederate makes an account one that signs in elsewhere, and brings it back.
func TestFederate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.in(directory.Active, "a@example.com")
	after, token, err := b.Take(t.Context(), me, org, a.ID, directory.Step{Operation: directory.ResetPassword, Federate: true})
	if err != nil || token != "" || after.Status != directory.Active || after.HasPassword || after.Provider.Type != directory.ProviderFederation {
		t.Fatalf("federated: %+v, token %q, %v", after, token, err)
	}
	if got := b.secret(org, a.ID); got != (directory.Secret{}) {
		t.Errorf("secret = %v, want none", got)
	}
	after, token, err = b.Take(t.Context(), me, org, a.ID, directory.Step{Operation: directory.ResetPassword})
	if err != nil || token == "" || after.Status != directory.Recovery || after.Provider.Type != directory.ProviderOkta {
		t.Fatalf("back: %+v, token %q, %v", after, token, err)
	}
	if after, err := b.Redeem(t.Context(), org, token, "Sesame4me"); err != nil || after.Status != directory.Active || !after.HasPassword {
		t.Errorf("Redeem = %+v, %v", after, err)
	}
}

// TestSignIn covers the statuses, the count of failures and the log.
func TestSignIn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, status := range statuses {
		login := string(status) + "@example.com"
		a := b.in(status, login)
		got, err := b.SignIn(t.Context(), org, login, "Sesame4you")
		switch status {
		case directory.Active:
			if err != nil || !got.LastLogin.Equal(b.clock.Now()) || !b.get(a.ID).Updated.Equal(a.Updated) {
				t.Errorf("ACTIVE: %+v, %v, want LastLogin now and Updated as before", got, err)
			}
		case directory.PasswordExpired:
			if !fault.Is(err, fault.Conflict) || got == nil {
				t.Errorf("PASSWORD_EXPIRED: %v, %v, want the account and a conflict", got, err)
			}
		default:
			if !fault.Is(err, fault.Unauthorized) || got != nil {
				t.Errorf("%s: %v, %v, want it refused", status, got, err)
			}
		}
	}
	if _, err := b.SignIn(t.Context(), org, "nobody@example.com", "x"); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("unknown login: %v, want Unauthorized", err)
	}
}

func TestLockOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.in(directory.Active, "a@example.com")
	client := directory.Actor{IP: "203.0.113.9", UserAgent: "test"}
	try := func(password string) error {
		_, err := b.SignInFrom(t.Context(), client, org, "a@example.com", password)
		return err
	}
	for range 9 {
		if err := try("wrong"); !fault.Is(err, fault.Unauthorized) {
			t.Fatalf("a wrong password: %v", err)
		}
	}
	if err := try("Sesame4you"); err != nil { // resets the count
		t.Fatal(err)
	}
	for i := range 10 {
		if got := b.get(a.ID).Status; got != directory.Active {
			t.Fatalf("after %d failures the account is %s", i, got)
		}
		if err := try("wrong"); err == nil {
			t.Fatal("a wrong password signs in")
		}
	}
	if got := b.get(a.ID); got.Status != directory.LockedOut {
		t.Fatalf("after 10 failures the account is %s", got.Status)
	}
	if err := try("Sesame4you"); err == nil {
		t.Error("a locked account signs in")
	}
	if _, err := b.Transition(t.Context(), me, org, a.ID, directory.Unlock); err != nil {
		t.Fatal(err)
	}
	if err := try("wrong"); err == nil || b.get(a.ID).Status != directory.Active {
		t.Error("unlocking did not forget the failures")
	}
	counts := map[string]int{}
	changes, err := b.Changes(t.Context(), directory.ChangeQuery{Realm: org}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		counts[c.Kind+" "+c.Outcome.Result+" "+c.Outcome.Reason]++
		if c.Kind == "user.session.start" && (c.Actor.ID != a.ID || c.Actor.IP != client.IP || c.Actor.Login != "a@example.com") {
			t.Errorf("actor = %+v, want the person and the client's address", c.Actor)
		}
	}
	want := map[string]int{
		"user.lifecycle.create  ": 1, "user.lifecycle.activate  ": 1,
		"user.session.start  ": 1, "user.session.start FAILURE INVALID_CREDENTIALS": 20, "user.session.start FAILURE LOCKED_OUT": 1,
		"user.account.lock  ": 1, "user.account.unlock_by_admin  ": 1,
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("log: - want + got\n%s", diff)
	}
}

// An expired password cannot be guessed for ever, and whoever sets a new one
// forgets the failures.
func TestExpiredPasswordIsGuarded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.in(directory.PasswordExpired, "a@example.com")
	try := func(password string) error {
		_, err := b.SignIn(t.Context(), org, "a@example.com", password)
		return err
	}
	for range 10 {
		if err := try("wrong"); !fault.Is(err, fault.Unauthorized) {
			t.Fatalf("a wrong password: %v", err)
		}
	}
	if err := try("Sesame4you"); !fault.Is(err, fault.Unauthorized) || b.get(a.ID).Status != directory.PasswordExpired {
		t.Errorf("the right password after 10 wrong ones: %v, %s", err, b.get(a.ID).Status)
	}
	_, password, err := b.ExpireWithTemporary(t.Context(), me, org, a.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := try(password); !fault.Is(err, fault.Conflict) {
		t.Errorf("the temporary password: %v", err)
	}
}

// What strangers send as a login does not fill the log.
func TestLongLoginIsShortenedInTheLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.SignIn(t.Context(), org, strings.Repeat("é", 100_000), "x"); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("SignIn: %v", err)
	}
	changes, err := b.Changes(t.Context(), directory.ChangeQuery{Realm: org, Kind: "user.session.start"}, 1, nil)
	if err != nil || len(changes) != 1 || len(changes[0].Actor.Login) > 256 || !strings.HasPrefix(changes[0].Actor.Login, "éé") {
		t.Errorf("the log has %d entries, %v", len(changes), err)
	}
}
