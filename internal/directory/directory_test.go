package directory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/directory/directorytest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
)

// bench is a fresh directory with both realms of a sandbox, empty.
type bench struct {
	*directory.Directory
	t     *testing.T
	clock *directorytest.Clock
}

const org, tenant = directory.OktaRealm, directory.Auth0Realm

var me = directory.System("me")

func newBench(t *testing.T) bench {
	t.Helper()
	b := newEmpty(t)
	for _, r := range []directory.Realm{{ID: org, Kind: directory.Okta}, {ID: tenant, Kind: directory.Auth0}} {
		if err := b.AddRealm(t.Context(), r); err != nil {
			t.Fatalf("AddRealm: %v", err)
		}
	}
	return b
}

func newEmpty(t *testing.T) bench {
	t.Helper()
	db := sqlitetest.Open(t)
	c := directorytest.NewClock(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC))
	d := directory.New(db.Directory())
	d.Clock = c.Now
	d.IDs = &directory.IDs{Clock: c.Now, Random: rand.NewChaCha8([32]byte{})}
	d.Hash = func(text string) (string, error) { return "hashed:" + text, nil }
	d.Check = func(hash, text string) (bool, error) { return hash == "hashed:"+text, nil }
	return bench{d, t, c}
}

func draft(login string) directory.Draft {
	return directory.Draft{Activate: true, Profile: map[string]any{
		"login": login, "email": login, "firstName": "First", "lastName": "Last",
	}}
}

func withPassword(d directory.Draft) directory.Draft {
	d.Password = &directory.Password{Text: "Sesame4you"}
	return d
}

func (b bench) create(d directory.Draft) *directory.Account {
	b.t.Helper()
	a, err := b.CreateAccount(b.t.Context(), me, org, d)
	if err != nil {
		b.t.Fatalf("CreateAccount(%v): %v", d.Profile["login"], err)
	}
	b.clock.Step(time.Minute)
	return a
}

// in brings a new account into a status by operations alone.
func (b bench) in(status directory.Status, login string) *directory.Account {
	b.t.Helper()
	d := withPassword(draft(login))
	var then []directory.Operation
	switch status {
	case directory.Staged:
		d.Activate = false
	case directory.Provisioned:
		d.Password = nil
	case directory.Active:
	case directory.Recovery:
		then = []directory.Operation{directory.ResetPassword}
	case directory.PasswordExpired:
		d.ExpirePassword = true
	case directory.Suspended:
		then = []directory.Operation{directory.Suspend}
	case directory.Deprovisioned:
		then = []directory.Operation{directory.Deactivate}
	case directory.LockedOut:
		a := b.create(d)
		b.lock(a)
		return b.get(a.ID)
	}
	a := b.create(d)
	for _, op := range then {
		if _, err := b.Transition(b.t.Context(), me, org, a.ID, op); err != nil {
			b.t.Fatalf("%s: %v", op, err)
		}
	}
	return b.get(a.ID)
}

// lock sets LOCKED_OUT, which no operation leads to: failed sign-ins do.
func (b bench) lock(a *directory.Account) {
	b.t.Helper()
	err := b.Store.Update(b.t.Context(), func(tx directory.Tx) error {
		locked := *a
		locked.Status, locked.Version = directory.LockedOut, a.Version+1
		return tx.UpdateAccount(&locked, locked.Keys(directory.Okta))
	})
	if err != nil {
		b.t.Fatalf("lock: %v", err)
	}
}

func (b bench) get(id string) *directory.Account {
	b.t.Helper()
	a, err := b.Account(b.t.Context(), org, id)
	if err != nil {
		b.t.Fatalf("Account(%s): %v", id, err)
	}
	return a
}

var statuses = []directory.Status{
	directory.Staged, directory.Provisioned, directory.Active, directory.Recovery,
	directory.PasswordExpired, directory.LockedOut, directory.Suspended, directory.Deprovisioned,
}

// TestLifecycle is the whole state machine: every operation from every status,
// "-" where it is refused.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	const no = "-"
	table := []struct {
		op   directory.Operation
		want [8]string // in the order of statuses
	}{
		{directory.Activate, [8]string{"ACTIVE", no, no, no, no, no, no, "PROVISIONED"}},
		{directory.Reactivate, [8]string{no, "PROVISIONED", no, "RECOVERY", no, no, no, no}},
		{directory.Deactivate, [8]string{"DEPROVISIONED", "DEPROVISIONED", "DEPROVISIONED", "DEPROVISIONED", "DEPROVISIONED", "DEPROVISIONED", "DEPROVISIONED", no}},
		{directory.Suspend, [8]string{no, no, "SUSPENDED", no, no, no, no, no}},
		{directory.Unsuspend, [8]string{no, no, no, no, no, no, "ACTIVE", no}},
		{directory.Unlock, [8]string{no, no, no, no, no, "ACTIVE", no, no}},
		{directory.ResetPassword, [8]string{no, "RECOVERY", "RECOVERY", "RECOVERY", "RECOVERY", "RECOVERY", no, no}},
		{directory.ExpirePassword, [8]string{no, no, "PASSWORD_EXPIRED", no, "PASSWORD_EXPIRED", no, no, no}},
		{"unheard_of", [8]string{no, no, no, no, no, no, no, no}},
	}
	b := newBench(t)
	for _, row := range table {
		for i, status := range statuses {
			before := b.in(status, fmt.Sprintf("%s.%s@example.com", row.op, status))
			if before.Status != status {
				t.Fatalf("the account to start with is %s, want %s", before.Status, status)
			}
			after, err := b.Transition(t.Context(), me, org, before.ID, row.op)
			if row.want[i] != no {
				if err != nil || string(after.Status) != row.want[i] || after.Version != before.Version+1 {
					t.Errorf("%s from %s = %+v, %v, want %s", row.op, status, after, err, row.want[i])
				}
				continue
			}
			var state *directory.StateError
			if !fault.Is(err, fault.Conflict) || !errors.As(err, &state) || state.Operation != row.op || state.Status != status {
				t.Errorf("%s from %s = %v, want a conflict with the status", row.op, status, err)
			}
			if diff := cmp.Diff(before, b.get(before.ID)); diff != "" {
				t.Errorf("%s from %s was refused and changed the account:\n%s", row.op, status, diff)
			}
		}
	}
}

func TestSuspendPending(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.SuspendPending = true
	for _, status := range statuses {
		a := b.in(status, string(status)+"@example.com")
		_, err := b.Transition(t.Context(), me, org, a.ID, directory.Suspend)
		allowed := slices.Contains([]directory.Status{directory.Active, directory.Provisioned, directory.PasswordExpired}, status)
		if (err == nil) != allowed {
			t.Errorf("suspend from %s = %v, want allowed: %v", status, err, allowed)
		}
	}
}

func TestTransitionTimes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	created := b.clock.Now()
	a := b.create(withPassword(directory.Draft{Profile: draft("a@example.com").Profile}))
	if !a.Activated.IsZero() || a.StatusChanged != created || a.PasswordChanged != created {
		t.Errorf("new account %+v, want no activation, status and password set now", a)
	}
	activated := b.clock.Now()
	a, err := b.Transition(t.Context(), me, org, a.ID, directory.Activate)
	if err != nil {
		t.Fatal(err)
	}
	if a.Activated != activated || a.StatusChanged != activated || a.Updated != activated || a.Created != created || a.PasswordChanged != created {
		t.Errorf("activated account %+v, want times of the activation", a)
	}
	b.clock.Step(time.Minute)
	a, err = b.Transition(t.Context(), me, org, a.ID, directory.Deactivate)
	if err != nil {
		t.Fatal(err)
	}
	if a.HasPassword || a.Activated != activated {
		t.Errorf("deactivated account %+v, want no password and the time of activation kept", a)
	}
	var secret directory.Secret
	err = b.Store.View(t.Context(), func(r directory.Reader) error {
		secret, err = r.Secret(org, a.ID)
		return err
	})
	if err != nil || secret != (directory.Secret{}) {
		t.Errorf("Secret = %v, %v, want none after deactivation", secret, err)
	}
}

func TestCreateChecks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	long := draft("a@example.com")
	long.Groups = make([]string, 21)
	question := draft("a@example.com")
	question.RecoveryQuestion = &directory.RecoveryQuestion{Question: "", Answer: strings.Repeat("x", 101)}
	tests := []struct {
		name  string
		draft directory.Draft
		want  directory.Violations
	}{
		{"all at once", directory.Draft{Profile: map[string]any{"login": "a@b", "firstName": true, "shoe": "44", "wing": nil}, Password: &directory.Password{Text: "weak"}}, directory.Violations{
			{Field: "login", Rule: directory.TooShort, Limit: 5},
			{Field: "firstName", Rule: directory.WrongType}, {Field: "lastName", Rule: directory.Blank},
			{Field: "email", Rule: directory.Blank}, {Field: "shoe", Rule: directory.Undefined},
			{Field: "password", Rule: directory.Weak},
		}},
		{"too many groups", long, directory.Violations{{Field: "groupIds", Rule: directory.TooMany, Limit: 20}}},
		{"question", question, directory.Violations{
			{Field: "recovery_question", Rule: directory.Blank}, {Field: "recovery_answer", Rule: directory.TooLong, Limit: 100},
		}},
	}
	for _, test := range tests {
		_, err := b.CreateAccount(t.Context(), me, org, test.draft)
		var got directory.Violations
		errors.As(err, &got)
		if diff := cmp.Diff(test.want, got); diff != "" || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v: - want + got\n%s", test.name, err, diff)
		}
	}
	if _, err := b.CreateAccount(t.Context(), me, "none", draft("a@example.com")); !fault.Is(err, fault.NotFound) {
		t.Errorf("CreateAccount in an unknown realm = %v, want NotFound", err)
	}
}

func TestPasswordPolicies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		password    string
		okta, auth0 bool
	}{
		{"Sesame4you", true, true},
		{"Sésame4ü", true, true}, // 8 characters
		{"Sesame4", false, false},
		{"sesame4you", false, false},
		{"SESAME4YOU", false, false},
		{"Sesame-for-you", false, true}, // no digit
		{"sesame-4-you", false, true},   // no upper case
		{"Doering2026", false, true},    // part of the login
		{"Jan.Doe2026", true, true},     // parts of up to 3 characters do not count
		{strings.Repeat("Aa1", 24), true, true},
		{strings.Repeat("Aa1", 24) + "x", false, false}, // 73 bytes
		{strings.Repeat("Äa1", 24), false, false},       // 96 bytes
	}
	b := newBench(t)
	for i, test := range tests {
		d := draft(fmt.Sprintf("jan.doering.%d@example.com", i))
		d.Password = &directory.Password{Text: test.password}
		_, err := b.CreateAccount(t.Context(), me, org, d)
		if (err == nil) != test.okta || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("Okta password %q: %v, want accepted: %v", test.password, err, test.okta)
		}
		d.Connection = "db"
		_, err = b.CreateAccount(t.Context(), me, tenant, d)
		if (err == nil) != test.auth0 || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("Auth0 password %q: %v, want accepted: %v", test.password, err, test.auth0)
		}
	}
}

func TestHashPassword(t *testing.T) {
	t.Parallel()
	hash, err := directory.HashPassword("Sesame4you")
	if err != nil || !strings.HasPrefix(hash, "$2a$") {
		t.Fatalf("HashPassword = %q, %v, want bcrypt", hash, err)
	}
	for text, want := range map[string]bool{"Sesame4you": true, "sesame4you": false, "": false} {
		if got, err := directory.CheckPassword(hash, text); got != want || err != nil {
			t.Errorf("CheckPassword(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, other := range []string{"", "import:{}"} {
		if got, err := directory.CheckPassword(other, ""); got || err != nil {
			t.Errorf("CheckPassword with the hash %q = %v, %v, want false", other, got, err)
		}
	}
	if _, err := directory.CheckPassword("garbage", "x"); !fault.Is(err, fault.Internal) {
		t.Errorf("CheckPassword with a broken hash = %v, want Internal", err)
	}
}

func BenchmarkHashPassword(b *testing.B) {
	for b.Loop() {
		if _, err := directory.HashPassword("Sesame4you"); err != nil {
			b.Fatal(err)
		}
	}
}

func (b bench) secret(realm, id string) directory.Secret {
	b.t.Helper()
	var s directory.Secret
	err := b.Store.View(b.t.Context(), func(r directory.Reader) (err error) {
		s, err = r.Secret(realm, id)
		return err
	})
	if err != nil {
		b.t.Fatalf("Secret: %v", err)
	}
	return s
}

func TestEditSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.create(withPassword(draft("a@example.com")))
	edit := func(e directory.Edit) *directory.Account {
		t.Helper()
		edited, err := b.EditAccount(t.Context(), me, org, a.ID, e)
		if err != nil {
			t.Fatalf("EditAccount: %v", err)
		}
		return edited
	}
	ask := func(answer string) directory.Secret {
		edit(directory.Edit{RecoveryQuestion: &directory.RecoveryQuestion{Question: "Why?", Answer: answer}})
		return b.secret(org, a.ID)
	}
	first := ask(" Bécause " + strings.Repeat("of it ", 15))
	if first.Password != "hashed:Sesame4you" || first.Answer == "" || strings.Contains(first.Answer, "cause") {
		t.Errorf("Secret = %v, want the password kept and the answer digested", first)
	}
	if again := ask("because " + strings.Repeat("OF IT ", 15)); again != first {
		t.Errorf("Secret = %v, want %v: case and accents do not count", again, first)
	}
	edit(directory.Edit{Password: &directory.Password{Text: "Sesame4me"}})
	if got, want := b.secret(org, a.ID), (directory.Secret{Password: "hashed:Sesame4me", Answer: first.Answer}); got != want {
		t.Errorf("Secret = %v, want %v: the answer kept", got, want)
	}
}

// TestEditImport makes sure that hashes of others are taken only before an
// account begins to live.
func TestEditImport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const md5 = `{"algorithm":"MD5","value":"XUFAKrxLKna5cZ2REBfFkg=="}`
	importing := directory.Edit{Password: &directory.Password{Import: md5}}
	a := b.in(directory.Staged, "a@example.com")
	a, err := b.EditAccount(t.Context(), me, org, a.ID, importing)
	if err != nil || a.Provider.Type != directory.ProviderImport || b.secret(org, a.ID).Password != "import:"+md5 {
		t.Errorf("imported: %v, account %+v, secret %v", err, a, b.secret(org, a.ID))
	}
	a, err = b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Password: &directory.Password{Text: "Sesame4me"}})
	if err != nil || a.Provider.Type != directory.ProviderOkta {
		t.Errorf("provider = %v, %v after a password of our own, want OKTA", a.Provider, err)
	}
	active := b.in(directory.Active, "b@example.com")
	var state *directory.StateError
	if _, err := b.EditAccount(t.Context(), me, org, active.ID, importing); !errors.As(err, &state) || state.Operation != directory.ImportPassword {
		t.Errorf("import for an active account = %v, want it refused", err)
	}
}

func TestEditCheck(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.create(draft("a@example.com"))
	stop := fault.New(fault.Stale, "stop")
	calls := 0
	_, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{
		Profile: map[string]any{"title": "x"},
		Check: func(current *directory.Account) error {
			calls++
			if current.Version != 1 {
				t.Errorf("Check sees version %d, want the one before the edit", current.Version)
			}
			return stop
		},
	})
	if !errors.Is(err, stop) || calls == 0 {
		t.Errorf("EditAccount = %v after %d checks, want the check's error", err, calls)
	}
	if got := b.get(a.ID); got.Version != 1 || got.Text("title") != "" {
		t.Errorf("the account changed: %+v", got)
	}
}

// TestConcurrentEdits adds attributes from many goroutines: none may be lost.
func TestConcurrentEdits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.create(draft("a@example.com"))
	attributes := []string{"title", "city", "state", "nickName", "division", "manager", "locale", "userType"}
	var wg sync.WaitGroup
	for _, name := range attributes {
		wg.Go(func() {
			if _, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Profile: map[string]any{name: "x"}}); err != nil {
				t.Errorf("EditAccount: %v", err)
			}
		})
	}
	wg.Wait()
	got := b.get(a.ID)
	for _, name := range attributes {
		if got.Text(name) != "x" {
			t.Errorf("the edit of %s is lost", name)
		}
	}
	if got.Version != int64(1+len(attributes)) {
		t.Errorf("Version = %d, want %d", got.Version, 1+len(attributes))
	}
}

// TestConcurrentLogins creates one login from many goroutines: one wins.
func TestConcurrentLogins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := b.CreateAccount(t.Context(), me, org, draft("a@example.com"))
			mu.Lock()
			defer mu.Unlock()
			var v directory.Violations
			switch {
			case err == nil:
				won++
			case !fault.Is(err, fault.Conflict) || !errors.As(err, &v):
				t.Errorf("CreateAccount = %v, want a conflict over the login", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 8 created the login, want 1", won)
	}
}

func TestChangeLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := withPassword(draft("a@example.com"))
	a := b.create(d)
	g, err := b.CreateGroup(t.Context(), me, org, map[string]any{"name": "G"})
	if err != nil {
		t.Fatal(err)
	}
	steps := []func() error{
		func() error { return b.AddMember(t.Context(), me, org, g.ID, a.ID) },
		func() error { return b.AddMember(t.Context(), me, org, g.ID, a.ID) }, // nothing to log
		func() error {
			_, err := b.EditAccount(t.Context(), me, org, a.ID, directory.Edit{Profile: map[string]any{"title": "Boss"}})
			return err
		},
		func() error { return b.RemoveMember(t.Context(), me, org, g.ID, a.ID) },
		func() error { return b.RemoveMember(t.Context(), me, org, g.ID, a.ID) }, // nothing to log
		func() error { return b.Note(t.Context(), me, org, a.ID, "user.session.clear") },
		func() error { _, err := b.Retire(t.Context(), me, org, a.ID); return err },
		func() error { _, err := b.Retire(t.Context(), me, org, a.ID); return err },
		func() error { return b.DeleteGroup(t.Context(), me, org, g.ID) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	changes, err := b.Changes(t.Context(), directory.ChangeQuery{}, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ Kind, Target, Before, After string }
	state := func(text json.RawMessage) string { // what matters of it
		var v struct {
			Status  string
			Group   string
			Profile struct{ Title, Name string }
		}
		if text == nil {
			return ""
		}
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return strings.TrimSpace(v.Status + " " + v.Profile.Title + v.Profile.Name + v.Group)
	}
	var got []row
	for i, c := range changes {
		if c.Seq != int64(i+1) || c.Actor != me || c.Realm != org || c.At.IsZero() {
			t.Errorf("entry %d = %+v, want number, actor, realm and time", i, c)
		}
		if text := string(c.Before) + string(c.After); strings.Contains(text, "Sesame") || strings.Contains(text, "hashed:") {
			t.Errorf("entry %d shows a credential: %s", i, text)
		}
		got = append(got, row{c.Kind, c.Target, state(c.Before), state(c.After)})
	}
	want := []row{
		{"user.lifecycle.create", a.ID, "", "ACTIVE"},
		{"user.lifecycle.activate", a.ID, "", ""},
		{"group.lifecycle.create", g.ID, "", "G"},
		{"group.user_membership.add", a.ID, "", g.ID},
		{"user.account.update_profile", a.ID, "ACTIVE", "ACTIVE Boss"},
		{"group.user_membership.remove", a.ID, g.ID, ""},
		{"user.session.clear", a.ID, "", ""},
		{"user.lifecycle.deactivate", a.ID, "ACTIVE Boss", "DEPROVISIONED Boss"},
		{"user.lifecycle.delete.initiated", a.ID, "", ""},
		{"user.lifecycle.delete.completed", a.ID, "DEPROVISIONED Boss", ""},
		{"group.lifecycle.delete", g.ID, "G", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log: - want + got\n%s", diff)
	}
	tail, err := b.Changes(t.Context(), directory.ChangeQuery{After: 7}, 1, nil)
	if err != nil || len(tail) != 1 || tail[0].Seq != 8 {
		t.Errorf("Changes(7, 1) = %+v, %v, want entry 8", tail, err)
	}
}

// TestActorIsNamed makes sure that the log names people who are known by id only.
func TestActorIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	admin := b.create(draft("admin@example.com"))
	for _, test := range []struct{ actor, want directory.Actor }{
		{directory.Actor{ID: admin.ID, Type: directory.UserActor, IP: "::1"}, directory.Actor{ID: admin.ID, Type: directory.UserActor, IP: "::1", Name: "First Last", Login: "admin@example.com"}},
		{directory.Actor{ID: "00unobody", Type: directory.UserActor}, directory.Actor{ID: "00unobody", Type: directory.UserActor}},
		{me, me},
	} {
		if err := b.Note(t.Context(), test.actor, org, admin.ID, "user.session.clear"); err != nil {
			t.Fatal(err)
		}
		changes, err := b.Changes(t.Context(), directory.ChangeQuery{Newest: true}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, changes[0].Actor); diff != "" {
			t.Errorf("actor: - want + got\n%s", diff)
		}
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	okta := b.create(draft("Ann@Example.com"))
	b.create(draft("bob@example.com"))
	g, err := b.CreateGroup(t.Context(), me, org, map[string]any{"name": "Alpha"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.AddMember(t.Context(), me, org, g.ID, okta.ID); err != nil {
		t.Fatal(err)
	}
	auth0, err := b.CreateAccount(t.Context(), me, tenant, directory.Draft{Connection: "db", Profile: map[string]any{"email": "ann@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(auth0.ID, "auth0|") || len(auth0.ID) != 30 || !strings.HasPrefix(okta.ID, "00u") || len(okta.ID) != 20 || !strings.HasSuffix(okta.ID, "1d7") {
		t.Errorf("ids = %s and %s, want those of Auth0 and Okta", auth0.ID, okta.ID)
	}
	describe := func(email string) (out []string) {
		people, err := b.People(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			line := p.Email + ":"
			for _, a := range p.Accounts {
				line += " " + string(a.Kind) + "("
				for _, g := range a.Groups {
					line += g.Name() + " "
				}
				line = strings.TrimSuffix(line, " ") + ")"
			}
			out = append(out, line)
		}
		return out
	}
	for range 2 { // by telephone only: two people
		if _, err := b.CreateAccount(t.Context(), me, tenant, directory.Draft{Connection: "sms", Profile: map[string]any{"mobilePhone": "+4912"}}); err != nil {
			t.Fatal(err)
		}
	}
	ann, bob := "ann@example.com: auth0() okta(Alpha Everyone)", "bob@example.com: okta(Everyone)"
	for email, want := range map[string][]string{"ANN@example.COM": {ann}, "nobody@example.com": nil, "": {ann, bob, ": auth0()", ": auth0()"}} {
		if diff := cmp.Diff(want, describe(email)); diff != "" {
			t.Errorf("People(%q): - want + got\n%s", email, diff)
		}
	}
}

// TestSeed makes sure that two sandboxes are equal, that seeding twice does
// nothing, and that ids in examples are what they say.
func TestSeed(t *testing.T) {
	t.Parallel()
	describe := func(b bench) (string, int) {
		people, err := b.People(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(people)
		if err != nil {
			t.Fatal(err)
		}
		return string(text), len(people)
	}
	one, other := newEmpty(t), newEmpty(t)
	other.clock.Step(time.Hour)
	for _, b := range []bench{one, other, one} {
		if err := directory.Seed(t.Context(), b.Directory); err != nil {
			t.Fatalf("Seed: %v", err)
		}
	}
	first, count := describe(one)
	second, _ := describe(other)
	if diff := cmp.Diff(first, second); diff != "" || count != 11 {
		t.Errorf("%d people, two sandboxes differ:\n%s", count, diff)
	}
	if g, err := one.Group(t.Context(), org, directory.EngineeringGroup); err != nil || g.Name() != "Engineering" {
		t.Errorf("EngineeringGroup is %v, %v", g, err)
	}
	all, err := one.Accounts(t.Context(), directory.AccountQuery{Realm: org}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if len(a.ID) != 20 {
			t.Errorf("id %s has %d characters, want 20", a.ID, len(a.ID))
		}
		if fits, err := directory.CheckPassword(one.secret(org, a.ID).Password, "password"); fits || err != nil {
			t.Errorf("%s: the seeded password is known or not a hash: %v", a.ID, err)
		}
		if a.HasPassword != (one.secret(org, a.ID).Password != "") {
			t.Errorf("%s: HasPassword = %v does not fit the secret", a.ID, a.HasPassword)
		}
	}
	used := newBench(t)
	if err := directory.Seed(t.Context(), used.Directory); err != nil {
		t.Fatal(err)
	}
	if text, _ := describe(used); text != "[]" {
		t.Errorf("Seed filled a directory that was in use: %s", text)
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "ann": "ann", "ANN@Example.COM": "ann@example.com", "Zoë": "zoe", "ÅNGSTRÖM": "angstrom", "straße": "straße", "日本": "日本",
	} {
		if got := directory.Fold(text); got != want {
			t.Errorf("Fold(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestLooksLikeEmail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"a@b.c": true, "a+b@c-d.example": true, "ä@b.c": true, "a@localhost": true,
		"": false, "a": false, "@b.c": false, "a@": false, "a@b@c": false, "a b@c.d": false, "a@.c": false, "a@b..c": false, "a@b.": false, "a\n@b.c": false,
	} {
		if got := directory.LooksLikeEmail(text); got != want {
			t.Errorf("LooksLikeEmail(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	c := directorytest.NewClock(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	newIDs := func() *directory.IDs { return &directory.IDs{Clock: c.Now, Random: rand.NewChaCha8([32]byte{})} }
	ids, same := newIDs(), newIDs()
	var okta, object []string
	for i := range 1000 {
		if i%10 == 0 {
			c.Step(time.Duration(i) * time.Second) // the clock stands still for ten at a time
		}
		okta = append(okta, ids.Okta("00u"))
		object = append(object, ids.Object())
		if a, b := same.Okta("00u"), same.Object(); a != okta[i] || b != object[i] {
			t.Fatalf("ids = %s %s, want %s %s as from an equal generator", a, b, okta[i], object[i])
		}
	}
	for name, list := range map[string][]string{"Okta": okta, "Object": object} {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%s ids do not grow: %v", name, list[:20])
		}
	}
	if got := ids.Token(20); len(got) != 20 || strings.ContainsAny(got, "+/=%") {
		t.Errorf("Token(20) = %q, want 20 characters safe in a URL", got)
	}
	if got := ids.Hex(31); len(got) != 31 {
		t.Errorf("Hex(31) = %q, want 31 digits", got)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.create(draft("a@example.com"))
	ctx := t.Context()
	tests := []struct {
		name string
		noun directory.Noun
		run  func() error
	}{
		{"Account", directory.AccountNoun, func() error { _, err := b.Account(ctx, org, "none"); return err }},
		{"Account of another realm", directory.AccountNoun, func() error { _, err := b.Account(ctx, tenant, a.ID); return err }},
		{"FindAccount", directory.AccountNoun, func() error { _, err := b.FindAccount(ctx, org, "none"); return err }},
		{"FindAccount of nothing", directory.AccountNoun, func() error { _, err := b.FindAccount(ctx, org, ""); return err }},
		{"EditAccount", directory.AccountNoun, func() error { _, err := b.EditAccount(ctx, me, org, "none", directory.Edit{}); return err }},
		{"Transition", directory.AccountNoun, func() error { _, err := b.Transition(ctx, me, org, "none", directory.Suspend); return err }},
		{"Retire", directory.AccountNoun, func() error { _, err := b.Retire(ctx, me, org, "none"); return err }},
		{"Remove", directory.AccountNoun, func() error { return b.Remove(ctx, me, org, "none") }},
		{"Note", directory.AccountNoun, func() error { return b.Note(ctx, me, org, "none", "x") }},
		{"Group", directory.GroupNoun, func() error { _, err := b.Group(ctx, org, "none"); return err }},
		{"ReplaceGroup", directory.GroupNoun, func() error {
			_, err := b.ReplaceGroup(ctx, me, org, "none", map[string]any{"name": "x"})
			return err
		}},
		{"DeleteGroup", directory.GroupNoun, func() error { return b.DeleteGroup(ctx, me, org, "none") }},
		{"AddMember", directory.GroupNoun, func() error { return b.AddMember(ctx, me, org, "none", a.ID) }},
		{"CreateGroup", directory.RealmNoun, func() error {
			_, err := b.CreateGroup(ctx, me, "none", map[string]any{"name": "x"})
			return err
		}},
	}
	for _, test := range tests {
		err := test.run()
		var m *directory.Missing
		if !fault.Is(err, fault.NotFound) || !errors.As(err, &m) || m.Noun != test.noun {
			t.Errorf("%s = %v, want NotFound of a %s", test.name, err, test.noun)
		}
	}
}
