package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// connected is an account that a connection owns.
func connected(id, connection, userName, externalID string) *directory.Account {
	a := account(id, userName+"@example.com")
	a.Connection = connection
	a.Resource = map[string]any{"userName": userName, "externalId": externalID}
	return a
}

func connectedGroup(id, connection, name string) *directory.Group {
	g := group(id, name)
	g.Type, g.Connection, g.Resource = directory.ConnectionGroup, connection, map[string]any{"externalId": "x-" + id}
	return g
}

// testConnected makes sure that the accounts and groups of a connection are
// found, paged and counted apart from all others.
func testConnected(t *testing.T, b bench) {
	b.withRealm()
	plain := account("u0", "plain@example.com")
	plain.Connection = "west" // a database user: listed under no connection
	b.insert(plain, connected("u3", "west", "Cy", "X3"), connected("u1", "west", "Ann", "X1"), connected("u2", "east", "Ann", "X1"), connected("u4", "west", "Di", "x1"))
	count := func(connection string, want int) {
		t.Helper()
		b.view(func(r directory.Reader) error {
			n, err := r.CountAccounts(realm, connection)
			equal(t, "accounts of "+connection, n, want)
			return err
		})
	}
	count("west", 3)
	count("east", 1)
	count("north", 0)
	west := directory.AccountQuery{Realm: realm, Connection: "west"}
	equal(t, "accounts of west", b.ids(west), []string{"u1", "u3", "u4"})
	west.Skip = 2
	equal(t, "the last of west", b.ids(west), []string{"u4"})
	west.Skip, west.After = 0, "u1"
	equal(t, "west after u1", b.ids(west), []string{"u3", "u4"})

	b.view(func(r directory.Reader) error {
		a, err := r.AccountByKey(realm, directory.Key{Scope: "west", Name: directory.KeyExternalID, Value: "X1"})
		if err == nil {
			equal(t, "X1 of west", a.ID, "u1")
			equal(t, "its resource", a.Resource, map[string]any{"userName": "Ann", "externalId": "X1"})
		}
		return err
	})
	err := b.updateFails(fault.Conflict, func(tx directory.Tx) error {
		a := connected("u5", "west", "ANN", "X5")
		return tx.InsertAccount(a, a.Keys(directory.Auth0))
	})
	takenField(t, err, directory.KeyUserName)
	b.update(func(tx directory.Tx) error { return tx.DeleteAccount(realm, "u3") })
	count("west", 2)
}

func testConnectedGroups(t *testing.T, b bench) {
	b.withRealm()
	b.insert(connected("u1", "west", "ann", "1"), connected("u2", "west", "bob", "2"))
	b.update(func(tx directory.Tx) error {
		return errors.Join(tx.InsertGroup(connectedGroup("g1", "west", "Sales")), tx.InsertGroup(connectedGroup("g2", "east", "Sales")), tx.InsertGroup(group("g3", "Sales")))
	})
	b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.InsertGroup(connectedGroup("g4", "west", "SALES")) })
	equal(t, "groups of west", b.groupIDs(directory.GroupQuery{Realm: realm, Connection: "west"}), []string{"g1"})
	equal(t, "Sales of east", b.groupIDs(directory.GroupQuery{Realm: realm, Connection: "east", Name: "sales"}), []string{"g2"})
	equal(t, "after one", b.groupIDs(directory.GroupQuery{Realm: realm, Skip: 1}), []string{"g2", "g3"})

	figures := func(members int, ids ...string) {
		t.Helper()
		b.view(func(r directory.Reader) error {
			n, err := r.CountMembers(realm, "g1")
			equal(t, "CountMembers", n, members)
			var got []string
			for m, err := range r.Members(realm, "g1", "") {
				if err != nil {
					return err
				}
				got = append(got, strings.TrimSuffix(m.ID+" "+m.Display, " "))
			}
			equal(t, "Members", got, ids)
			groups, failed := r.CountGroups(realm, "west")
			equal(t, "CountGroups", groups, 1)
			return errors.Join(err, failed)
		})
	}
	move := func(f func(tx directory.Tx) (bool, error)) {
		t.Helper()
		b.update(func(tx directory.Tx) error { _, err := f(tx); return err })
	}
	figures(0)
	for range 2 { // the second time changes nothing
		move(func(tx directory.Tx) (bool, error) { return tx.AddMember(realm, "g1", "u1", at) })
		move(func(tx directory.Tx) (bool, error) { return tx.AddMember(realm, "g1", "u2", at) })
	}
	figures(2, "u1", "u2")
	name := func(account, display string, at time.Time, want bool) {
		t.Helper()
		b.update(func(tx directory.Tx) error {
			got, err := tx.NameMember(realm, "g1", account, display, at)
			equal(t, "NameMember "+account+" "+display, got, want)
			return err
		})
	}
	later := at.Add(time.Hour)
	name("u2", "Bob", later, true)
	name("u2", "Bob", later.Add(time.Hour), false)
	name("u3", "nobody", later.Add(time.Hour), false)
	figures(2, "u1", "u2 Bob")
	b.view(func(r directory.Reader) error {
		g, err := r.Group(realm, "g1")
		if err == nil {
			equal(t, "MembershipUpdated", g.MembershipUpdated, later)
		}
		return err
	})
	name("u1", "Ann", later, true)
	name("u2", "", later, true)
	name("u1", "Ann", time.Time{}, false)
	figures(2, "u1 Ann", "u2")
	for range 2 {
		move(func(tx directory.Tx) (bool, error) { return tx.RemoveMember(realm, "g1", "u1", at) })
	}
	figures(1, "u2")
	b.update(func(tx directory.Tx) error { return tx.DeleteAccount(realm, "u2") })
	figures(0)
	b.view(func(r directory.Reader) error {
		g, err := r.Group(realm, "g1")
		if err == nil {
			equal(t, "resource of the group", g.Resource, map[string]any{"externalId": "x-g1"})
		}
		return err
	})
}

// testLongMembership reads a membership of several chunks from its middle.
func testLongMembership(t *testing.T, b bench) {
	b.withRealm()
	const n = 600
	var ids []string
	b.update(func(tx directory.Tx) error {
		if err := tx.InsertGroup(connectedGroup("g1", "west", "All")); err != nil {
			return err
		}
		for i := range n {
			a := connected(fmt.Sprintf("u%04d", i), "west", fmt.Sprint("n", i), fmt.Sprint("x", i))
			ids = append(ids, a.ID)
			if err := tx.InsertAccount(a, a.Keys(directory.Auth0)); err != nil {
				return err
			}
			if _, err := tx.AddMember(realm, "g1", a.ID, at); err != nil {
				return err
			}
		}
		return nil
	})
	b.view(func(r directory.Reader) error {
		var got []string
		for m, err := range r.Members(realm, "g1", "u0099") {
			if err != nil {
				return err
			}
			got = append(got, m.ID)
		}
		equal(t, "members behind u0099", got, ids[100:])
		return nil
	})
	b.membershipsOfMany(ids)
	b.farDown(ids)
}

// membershipsOfMany asks for the groups of more accounts than one statement takes.
func (b bench) membershipsOfMany(ids []string) {
	b.t.Helper()
	b.update(func(tx directory.Tx) error {
		if err := tx.InsertGroup(connectedGroup("g0", "west", "Few")); err != nil {
			return err
		}
		_, err := tx.AddMember(realm, "g0", ids[250], at)
		return errors.Join(err, tx.InsertAccount(connected("u9999", "west", "alone", "alone"), nil))
	})
	of := func(realm string, accounts ...string) (got []directory.Membership) {
		b.t.Helper()
		b.view(func(r directory.Reader) error {
			for m, err := range r.Memberships(realm, accounts) {
				if err != nil {
					return err
				}
				got = append(got, m)
			}
			return nil
		})
		return got
	}
	var want []directory.Membership
	for i, id := range ids {
		if i == 250 {
			want = append(want, directory.Membership{Group: "g0", Account: id})
		}
		want = append(want, directory.Membership{Group: "g1", Account: id})
	}
	backwards := append(slices.Clone(ids), "u9999", "nobody", ids[3])
	slices.Reverse(backwards)
	equal(b.t, "memberships of all", of(realm, backwards...), want)
	equal(b.t, "memberships of one", of(realm, ids[250]), want[250:252])
	equal(b.t, "memberships of nobody", of(realm), nil)
	equal(b.t, "memberships in another realm", of("other", ids[0]), nil)
	b.update(func(tx directory.Tx) error { return tx.DeleteAccount(realm, "u9999") })
}

// farDown reads the list of a connection from far down, again and again while
// people come, go, and do not come after all.
func (b bench) farDown(ids []string) {
	b.t.Helper()
	check := func() {
		b.t.Helper()
		for _, skip := range []int{550, 550, 300, 450, 599, 600, 700} {
			far := b.ids(directory.AccountQuery{Realm: realm, Connection: "west", Skip: skip})
			if want := ids[min(skip, len(ids)):]; !slices.Equal(far, want) {
				b.t.Errorf("skipping %d of %d leaves %d accounts, want %d; they are %.20q", skip, len(ids), len(far), len(want), far)
			}
		}
	}
	come := func(tx directory.Tx, id string) error {
		a := connected(id, "west", "new"+id, "new"+id)
		return tx.InsertAccount(a, a.Keys(directory.Auth0))
	}
	check()
	b.updateFails(fault.Refused, func(tx directory.Tx) error {
		if err := come(tx, "u0000b"); err != nil {
			return err
		}
		n := 0
		for range tx.Accounts(directory.AccountQuery{Realm: realm, Connection: "west", Skip: 450}) {
			n++
		}
		equal(b.t, "accounts behind the 450th", n, len(ids)+1-450)
		return fault.New(fault.Refused, "not after all")
	})
	check()
	b.update(func(tx directory.Tx) error { return come(tx, "u0650") })
	ids = append(slices.Clone(ids), "u0650")
	check()
	b.update(func(tx directory.Tx) error { return come(tx, "u0010b") })
	ids = slices.Insert(ids, 11, "u0010b")
	check()
	// As many as before, but others.
	b.update(func(tx directory.Tx) error { return errors.Join(tx.DeleteAccount(realm, ids[0]), come(tx, "u0700")) })
	ids = append(ids[1:], "u0700")
	check()
}
