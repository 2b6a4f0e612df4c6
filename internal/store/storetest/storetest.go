// Package storetest holds what directory.Store, worker.Store and wirelog.Store promise, as tests: every
// database passes the same ones, given only a way to open an empty store.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// at is the time of all test data, in the resolution that stores keep.
var at = time.Date(2026, time.March, 4, 5, 6, 7, 891234000, time.UTC)

const realm = "r1"

// TestDirectory runs all of them. open returns an empty store, closed when
// the test ends.
func TestDirectory(t *testing.T, open func(t *testing.T) directory.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, bench)
	}{
		{"Realms", testRealms},
		{"AccountRoundTrip", testAccountRoundTrip},
		{"AccountMissing", testAccountMissing},
		{"Keys", testKeys},
		{"AccountVersions", testAccountVersions},
		{"AccountQueries", testAccountQueries},
		{"Secrets", testSecrets},
		{"Groups", testGroups},
		{"GroupNames", testGroupNames},
		{"Members", testMembers},
		{"DeleteAccount", testDeleteAccount},
		{"Connected", testConnected},
		{"ConnectedGroups", testConnectedGroups},
		{"LongMembership", testLongMembership},
		{"Changes", testChanges},
		{"ChangeQueries", testChangeQueries},
		{"Records", testRecords},
		{"RecordQueries", testRecordQueries},
		{"LongLists", testLongLists},
		{"MixedFates", testMixedFates},
		{"Rollback", testRollback},
		{"ViewIsSnapshot", testViewIsSnapshot},
		{"UpdatesQueue", testUpdatesQueue},
		{"Cancelled", testCancelled},
		{"Panic", testPanic},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, bench{t, open(t)})
		})
	}
}

// bench runs single transactions that must succeed.
type bench struct {
	t     *testing.T
	store directory.Store
}

func (b bench) update(f func(directory.Tx) error) {
	b.t.Helper()
	if err := b.store.Update(context.Background(), f); err != nil {
		b.t.Fatalf("Update: %v", err)
	}
}

func (b bench) updateFails(kind fault.Kind, f func(directory.Tx) error) error {
	b.t.Helper()
	err := b.store.Update(context.Background(), f)
	if !fault.Is(err, kind) {
		b.t.Fatalf("Update = %v, want a fault of kind %v", err, kind)
	}
	return err
}

func (b bench) view(f func(directory.Reader) error) {
	b.t.Helper()
	if err := b.store.View(context.Background(), f); err != nil {
		b.t.Fatalf("View: %v", err)
	}
}

// withRealm adds the realm that the other objects need.
func (b bench) withRealm() bench {
	b.update(func(tx directory.Tx) error {
		return tx.InsertRealm(&directory.Realm{ID: realm, Kind: directory.Okta, Name: "Org", Created: at})
	})
	return b
}

func (b bench) insert(accounts ...*directory.Account) {
	b.t.Helper()
	b.update(func(tx directory.Tx) error {
		for _, a := range accounts {
			if err := tx.InsertAccount(a, a.Keys(directory.Okta)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b bench) ids(q directory.AccountQuery) []string {
	b.t.Helper()
	var out []string
	b.view(func(r directory.Reader) error {
		for a, err := range r.Accounts(q) {
			if err != nil {
				return err
			}
			out = append(out, a.ID)
		}
		return nil
	})
	return out
}

func (b bench) groupIDs(q directory.GroupQuery) []string {
	b.t.Helper()
	var out []string
	b.view(func(r directory.Reader) error {
		for g, err := range r.Groups(q) {
			if err != nil {
				return err
			}
			out = append(out, g.ID)
		}
		return nil
	})
	return out
}

func account(id, login string) *directory.Account {
	return &directory.Account{
		ID: id, Realm: realm, Status: directory.Active,
		Profile:  map[string]any{"login": login, "email": login},
		Provider: directory.Provider{Type: "OKTA", Name: "OKTA"},
		Created:  at, Updated: at, Version: 1,
	}
}

func group(id, name string) *directory.Group {
	return &directory.Group{
		ID: id, Realm: realm, Type: directory.OktaGroup, Profile: map[string]any{"name": name},
		Created: at, Updated: at, MembershipUpdated: at, Version: 1,
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: got + want -\n%s", what, diff)
	}
}

// missing fails unless err says that an object of the noun does not exist.
func missing(t *testing.T, what string, err error, noun directory.Noun) {
	t.Helper()
	var m *directory.Missing
	if !fault.Is(err, fault.NotFound) || !errors.As(err, &m) || m.Noun != noun {
		t.Errorf("%s = %v, want NotFound of a %s", what, err, noun)
	}
}

func testRealms(t *testing.T, b bench) {
	want := &directory.Realm{ID: realm, Kind: directory.Auth0, Name: "Tenant", Created: at}
	b.update(func(tx directory.Tx) error { return tx.InsertRealm(want) })
	b.view(func(r directory.Reader) error {
		got, err := r.Realm(realm)
		equal(t, "Realm", got, want)
		_, unknown := r.Realm("none")
		missing(t, "Realm(none)", unknown, directory.RealmNoun)
		return err
	})
	b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.InsertRealm(want) })
}

func testAccountRoundTrip(t *testing.T, b bench) {
	b.withRealm()
	want := &directory.Account{
		ID: "u1", Realm: realm, Connection: "db", Status: directory.PasswordExpired,
		Profile: map[string]any{
			"login": "a@b.c", "email": "É <&>\u2028\"@b.c", "big": json.Number("9007199254740993"),
			"decimal": json.Number("1.10"), "flag": false, "list": []any{"x", json.Number("1")},
		},
		Provider:    directory.Provider{Type: "IMPORT", Name: "IMPORT"},
		HasPassword: true, RecoveryQuestion: "Why?", EmailVerified: true,
		UserMetadata: map[string]any{"k": map[string]any{"n": json.Number("1e3")}}, AppMetadata: map[string]any{},
		Created: at, Activated: at.Add(time.Microsecond), StatusChanged: at.Add(2 * time.Second),
		LastLogin: at.Add(time.Hour), Updated: at.Add(3 * time.Hour), PasswordChanged: at.Add(4 * time.Hour),
		Version: 7,
	}
	never := account("u2", "d@e.f")
	b.insert(want, never)
	b.view(func(r directory.Reader) error {
		got, err := r.Account(realm, "u1")
		if err != nil {
			return err
		}
		equal(t, "Account", got, want)
		got, err = r.Account(realm, "u2")
		equal(t, "Account with times that never were", got, never)
		return err
	})
}

func testAccountMissing(t *testing.T, b bench) {
	b.withRealm()
	b.view(func(r directory.Reader) error {
		_, err := r.Account(realm, "none")
		missing(t, "Account", err, directory.AccountNoun)
		_, err = r.AccountByKey(realm, directory.LoginKey("none"))
		missing(t, "AccountByKey", err, directory.AccountNoun)
		return nil
	})
	err := b.updateFails(fault.NotFound, func(tx directory.Tx) error {
		ghost := account("none", "x@y.z")
		ghost.Version = 2
		return tx.UpdateAccount(ghost, nil)
	})
	missing(t, "UpdateAccount", err, directory.AccountNoun)
	err = b.updateFails(fault.NotFound, func(tx directory.Tx) error { return tx.DeleteAccount(realm, "none") })
	missing(t, "DeleteAccount", err, directory.AccountNoun)
	b.updateFails(fault.NotFound, func(tx directory.Tx) error {
		orphan := account("u1", "x@y.z")
		orphan.Realm = "none"
		return tx.InsertAccount(orphan, nil)
	})
}

// takenField fails unless err is a Conflict over the given field.
func takenField(t *testing.T, err error, field string) {
	t.Helper()
	var v directory.Violations
	if !errors.As(err, &v) || len(v) != 1 || v[0].Rule != directory.Taken || v[0].Field != field {
		t.Errorf("error = %v, want that the %s is taken", err, field)
	}
}

func testKeys(t *testing.T, b bench) {
	b.withRealm()
	b.insert(account("u1", "Zoë@Example.com"), account("u2", "b@example.com"))
	b.view(func(r directory.Reader) error {
		got, err := r.AccountByKey(realm, directory.LoginKey("ZOE@example.COM"))
		if err != nil {
			return err
		}
		equal(t, "AccountByKey", got.ID, "u1")
		return nil
	})

	err := b.updateFails(fault.Conflict, func(tx directory.Tx) error {
		a := account("u3", "zoe@example.com")
		return tx.InsertAccount(a, a.Keys(directory.Okta))
	})
	takenField(t, err, directory.KeyLogin)

	err = b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.InsertAccount(account("u1", "new@example.com"), nil) })
	if v := (directory.Violations{}); errors.As(err, &v) {
		t.Errorf("an id that exists is reported as %v, want a plain conflict", v)
	}

	// An update moves the key: the old one is free, the new one is taken.
	renamed := account("u1", "new@example.com")
	renamed.Version = 2
	b.update(func(tx directory.Tx) error { return tx.UpdateAccount(renamed, renamed.Keys(directory.Okta)) })
	b.insert(account("u3", "zoe@example.com"))
	err = b.updateFails(fault.Conflict, func(tx directory.Tx) error {
		a := account("u2", "NEW@example.com")
		a.Version = 2
		return tx.UpdateAccount(a, a.Keys(directory.Okta))
	})
	takenField(t, err, directory.KeyLogin)

	// The same value in another scope or under another name is another key.
	b.update(func(tx directory.Tx) error {
		return tx.InsertAccount(account("u4", ""), []directory.Key{
			{Scope: "db", Name: directory.KeyLogin, Value: "new@example.com"},
			{Name: directory.KeyEmail, Value: "new@example.com"},
		})
	})
}

func testAccountVersions(t *testing.T, b bench) {
	b.withRealm()
	b.insert(account("u1", "a@b.c"))
	next := account("u1", "a@b.c")
	next.Version = 2
	b.update(func(tx directory.Tx) error { return tx.UpdateAccount(next, next.Keys(directory.Okta)) })
	b.updateFails(fault.Stale, func(tx directory.Tx) error { return tx.UpdateAccount(next, next.Keys(directory.Okta)) })
}

func testAccountQueries(t *testing.T, b bench) {
	b.withRealm()
	b.update(func(tx directory.Tx) error {
		return tx.InsertRealm(&directory.Realm{ID: "r2", Kind: directory.Okta, Created: at})
	})
	other := account("u0", "ann@x.org")
	other.Realm = "r2"
	// Upper and lower case: the order is that of bytes.
	b.insert(account("u2", "ann@x.org"), account("U3", "ann@y.org"), account("u1", "annette@x.org"), other)

	prefix := func(text string) *directory.Key {
		k := directory.LoginKey(text)
		return &k
	}
	tests := []struct {
		name string
		q    directory.AccountQuery
		want []string
	}{
		{"all", directory.AccountQuery{}, []string{"U3", "u1", "u2", "u0"}},
		{"realm", directory.AccountQuery{Realm: realm}, []string{"U3", "u1", "u2"}},
		{"after", directory.AccountQuery{Realm: realm, After: "U3"}, []string{"u1", "u2"}},
		{"after one that is gone", directory.AccountQuery{Realm: realm, After: "u1x"}, []string{"u2"}},
		{"after the last", directory.AccountQuery{Realm: realm, After: "u2"}, nil},
		{"email in all realms", directory.AccountQuery{Email: "ann@x.org"}, []string{"u2", "u0"}},
		{"key prefix", directory.AccountQuery{Realm: realm, KeyPrefix: prefix("ann@")}, []string{"U3", "u2"}},
		{"key prefix with wildcards of LIKE", directory.AccountQuery{Realm: realm, KeyPrefix: prefix("ann%")}, nil},
		{"unknown realm", directory.AccountQuery{Realm: "none"}, nil},
	}
	for _, test := range tests {
		equal(t, test.name, b.ids(test.q), test.want)
	}
}

func testSecrets(t *testing.T, b bench) {
	b.withRealm()
	b.insert(account("u1", "a@b.c"))
	read := func() (s directory.Secret) {
		b.view(func(r directory.Reader) (err error) {
			s, err = r.Secret(realm, "u1")
			return err
		})
		return s
	}
	put := func(s directory.Secret) {
		b.update(func(tx directory.Tx) error { return tx.PutSecret(realm, "u1", s) })
	}
	equal(t, "no secret", read(), directory.Secret{})
	put(directory.Secret{Password: "hash"})
	equal(t, "first secret", read(), directory.Secret{Password: "hash"})
	put(directory.Secret{Password: "hash2", Answer: "answer"})
	equal(t, "replaced secret", read(), directory.Secret{Password: "hash2", Answer: "answer"})
	put(directory.Secret{})
	equal(t, "removed secret", read(), directory.Secret{})
	err := b.updateFails(fault.NotFound, func(tx directory.Tx) error {
		return tx.PutSecret(realm, "none", directory.Secret{Password: "hash"})
	})
	missing(t, "PutSecret", err, directory.AccountNoun)
}

func testGroups(t *testing.T, b bench) {
	b.withRealm()
	want := group("g2", "Engineering")
	want.Profile["description"], want.Profile["custom"] = "builds", json.Number("12345678901234567890")
	builtIn := group("g1", "Everyone")
	builtIn.Type = directory.BuiltIn
	b.update(func(tx directory.Tx) error { return errors.Join(tx.InsertGroup(want), tx.InsertGroup(builtIn)) })
	b.view(func(r directory.Reader) error {
		got, err := r.Group(realm, "g2")
		equal(t, "Group", got, want)
		_, unknown := r.Group(realm, "none")
		missing(t, "Group(none)", unknown, directory.GroupNoun)
		return err
	})
	equal(t, "all", b.groupIDs(directory.GroupQuery{}), []string{"g1", "g2"})
	equal(t, "after", b.groupIDs(directory.GroupQuery{Realm: realm, After: "g1"}), []string{"g2"})
	equal(t, "by name", b.groupIDs(directory.GroupQuery{Realm: realm, Name: "engineering"}), []string{"g2"})
	equal(t, "by type", b.groupIDs(directory.GroupQuery{Realm: realm, Type: directory.BuiltIn}), []string{"g1"})

	want.Profile["name"], want.Version, want.Updated = "Builders", 2, at.Add(time.Minute)
	b.update(func(tx directory.Tx) error { return tx.UpdateGroup(want) })
	b.view(func(r directory.Reader) error {
		got, err := r.Group(realm, "g2")
		equal(t, "Group after UpdateGroup", got, want)
		return err
	})
	b.updateFails(fault.Stale, func(tx directory.Tx) error { return tx.UpdateGroup(want) })
	b.update(func(tx directory.Tx) error { return tx.DeleteGroup(realm, "g2") })
	err := b.updateFails(fault.NotFound, func(tx directory.Tx) error { return tx.DeleteGroup(realm, "g2") })
	missing(t, "DeleteGroup twice", err, directory.GroupNoun)
	want.Version = 3
	err = b.updateFails(fault.NotFound, func(tx directory.Tx) error { return tx.UpdateGroup(want) })
	missing(t, "UpdateGroup of none", err, directory.GroupNoun)
}

func testGroupNames(t *testing.T, b bench) {
	b.withRealm()
	b.update(func(tx directory.Tx) error {
		return errors.Join(tx.InsertGroup(group("g1", "Sales")), tx.InsertGroup(group("g2", "Support")))
	})
	err := b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.InsertGroup(group("g3", "SALES")) })
	takenField(t, err, "name")
	err = b.updateFails(fault.Conflict, func(tx directory.Tx) error {
		g := group("g2", "sales")
		g.Version = 2
		return tx.UpdateGroup(g)
	})
	takenField(t, err, "name")
	err = b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.InsertGroup(group("g1", "New")) })
	if v := (directory.Violations{}); errors.As(err, &v) {
		t.Errorf("an id that exists is reported as %v, want a plain conflict", v)
	}
	for _, id := range []string{"a1", "a2"} { // applications may repeat names
		imported := group(id, "Sales")
		imported.Type = directory.AppGroup
		b.update(func(tx directory.Tx) error { return tx.InsertGroup(imported) })
	}
}

func testMembers(t *testing.T, b bench) {
	b.withRealm()
	b.insert(account("u1", "a@b.c"), account("u2", "d@e.f"))
	b.update(func(tx directory.Tx) error {
		return errors.Join(tx.InsertGroup(group("g1", "One")), tx.InsertGroup(group("g2", "Two")))
	})
	add := func(g, u string, when time.Time, want bool) {
		t.Helper()
		b.update(func(tx directory.Tx) error {
			got, err := tx.AddMember(realm, g, u, when)
			equal(t, "AddMember "+g+" "+u, got, want)
			return err
		})
	}
	touched := func(want time.Time) {
		t.Helper()
		b.view(func(r directory.Reader) error {
			g, err := r.Group(realm, "g1")
			equal(t, "MembershipUpdated", g.MembershipUpdated, want)
			return err
		})
	}
	first, second := at.Add(time.Hour), at.Add(2*time.Hour)
	add("g1", "u2", time.Time{}, true)
	touched(at)
	add("g1", "u1", first, true)
	touched(first)
	add("g1", "u1", second, false)
	touched(first)
	add("g2", "u1", first, true)

	equal(t, "members", b.ids(directory.AccountQuery{Realm: realm, Group: "g1"}), []string{"u1", "u2"})
	equal(t, "members after", b.ids(directory.AccountQuery{Realm: realm, Group: "g1", After: "u1"}), []string{"u2"})
	equal(t, "groups", b.groupIDs(directory.GroupQuery{Realm: realm, Member: "u1"}), []string{"g1", "g2"})

	remove := func(want bool) {
		t.Helper()
		b.update(func(tx directory.Tx) error {
			got, err := tx.RemoveMember(realm, "g1", "u1", second)
			equal(t, "RemoveMember", got, want)
			return err
		})
	}
	remove(true)
	touched(second)
	remove(false)
	equal(t, "groups after RemoveMember", b.groupIDs(directory.GroupQuery{Realm: realm, Member: "u1"}), []string{"g2"})

	for _, ends := range [][2]string{{"none", "u1"}, {"g1", "none"}} {
		b.updateFails(fault.NotFound, func(tx directory.Tx) error {
			_, err := tx.AddMember(realm, ends[0], ends[1], at)
			return err
		})
	}
	b.update(func(tx directory.Tx) error { return tx.DeleteGroup(realm, "g2") })
	equal(t, "groups after DeleteGroup", b.groupIDs(directory.GroupQuery{Realm: realm, Member: "u1"}), nil)
}

func testDeleteAccount(t *testing.T, b bench) {
	b.withRealm()
	b.insert(account("u1", "a@b.c"))
	b.update(func(tx directory.Tx) error {
		if err := errors.Join(tx.InsertGroup(group("g1", "One")), tx.PutSecret(realm, "u1", directory.Secret{Password: "hash"})); err != nil {
			return err
		}
		_, err := tx.AddMember(realm, "g1", "u1", at)
		return err
	})
	b.update(func(tx directory.Tx) error { return tx.DeleteAccount(realm, "u1") })
	equal(t, "members", b.ids(directory.AccountQuery{Realm: realm, Group: "g1"}), nil)
	// Login and id are free, and the new account has no secret of the old one.
	b.insert(account("u1", "a@b.c"))
	b.view(func(r directory.Reader) error {
		s, err := r.Secret(realm, "u1")
		equal(t, "Secret of the new account", s, directory.Secret{})
		return err
	})
}

func testChanges(t *testing.T, b bench) {
	b.update(func(tx directory.Tx) error {
		for i := range 3 {
			c := directory.Change{
				At: at, Actor: directory.System("me"), Kind: fmt.Sprint("kind", i), Realm: realm, Target: "u1",
				After: json.RawMessage(`{"b":1,"a":[1.10]}`),
			}
			if err := tx.Append(c); err != nil {
				return err
			}
		}
		return tx.Append(directory.Change{At: at, Actor: directory.System("me"), Kind: "last", Realm: realm, Target: "u1", Before: json.RawMessage(`{}`)})
	})
	b.view(func(r directory.Reader) error {
		first, err := collect(r.Changes(directory.ChangeQuery{MaxRows: 2}))
		if err != nil {
			return err
		}
		if len(first) != 2 || first[0].Kind != "kind0" || first[1].Kind != "kind1" || first[0].Seq >= first[1].Seq {
			t.Errorf("the first two changes = %+v, want the first two in order", first)
		}
		equal(t, "After as written", string(first[0].After), `{"b":1,"a":[1.10]}`)
		rest, err := collect(r.Changes(directory.ChangeQuery{After: first[1].Seq}))
		if err != nil {
			return err
		}
		if len(rest) != 2 || rest[1].Kind != "last" || rest[1].After != nil || string(rest[1].Before) != "{}" || !rest[1].At.Equal(at) {
			t.Errorf("Changes behind the second = %+v, want the other two", rest)
		}
		return nil
	})
}

func testRollback(t *testing.T, b bench) {
	b.withRealm()
	stop := errors.New("stop")
	err := b.store.Update(context.Background(), func(tx directory.Tx) error {
		if err := tx.InsertAccount(account("u1", "a@b.c"), nil); err != nil {
			return err
		}
		if err := tx.Append(directory.Change{At: at, Kind: "lost"}); err != nil {
			return err
		}
		return fault.Wrap(fault.Held, stop, "stop")
	})
	if !errors.Is(err, stop) || !fault.Is(err, fault.Held) {
		t.Errorf("Update = %v, want the error of the function", err)
	}
	equal(t, "accounts", b.ids(directory.AccountQuery{}), nil)
	b.update(func(tx directory.Tx) error { return tx.Append(directory.Change{At: at, Kind: "kept"}) })
	b.view(func(r directory.Reader) error {
		changes, err := collect(r.Changes(directory.ChangeQuery{}))
		if len(changes) != 1 || changes[0].Kind != "kept" || changes[0].Seq != 1 {
			t.Errorf("Changes = %+v, want only the kept one with number 1", changes)
		}
		return err
	})
}

func testViewIsSnapshot(t *testing.T, b bench) {
	b.withRealm()
	b.view(func(r directory.Reader) error {
		if _, err := r.Realm(realm); err != nil { // the snapshot starts with the first read
			return err
		}
		b.insert(account("u1", "a@b.c"))
		_, err := r.Account(realm, "u1")
		missing(t, "Account in a view older than it", err, directory.AccountNoun)
		return nil
	})
	equal(t, "accounts in a new view", b.ids(directory.AccountQuery{}), []string{"u1"})
}

// testUpdatesQueue increments a counter from many goroutines: no increment is
// lost, and nobody is turned away.
func testUpdatesQueue(t *testing.T, b bench) {
	b.withRealm()
	b.insert(account("u1", "a@b.c"))
	const workers, rounds = 8, 5
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				err := b.store.Update(context.Background(), func(tx directory.Tx) error {
					a, err := tx.Account(realm, "u1")
					if err != nil {
						return err
					}
					a.Version++
					return tx.UpdateAccount(a, a.Keys(directory.Okta))
				})
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Errorf("Update: %v", err)
	}
	b.view(func(r directory.Reader) error {
		a, err := r.Account(realm, "u1")
		equal(t, "Version", a.Version, int64(1+workers*rounds))
		return err
	})
}

func testCancelled(t *testing.T, b bench) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := b.store.Update(ctx, func(directory.Tx) error { return nil })
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Update after cancellation = %v, want Unavailable", err)
	}
}

// testPanic makes sure that a panic rolls back and does not keep the lock.
func testPanic(t *testing.T, b bench) {
	b.withRealm()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not pass")
			}
		}()
		_ = b.store.Update(context.Background(), func(tx directory.Tx) error {
			if err := tx.InsertAccount(account("u1", "a@b.c"), nil); err != nil {
				return err
			}
			panic("boom")
		})
	}()
	b.insert(account("u2", "d@e.f"))
	equal(t, "accounts", b.ids(directory.AccountQuery{}), []string{"u2"})
}
