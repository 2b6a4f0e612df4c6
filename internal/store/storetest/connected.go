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
	far := b.ids(directory.AccountQuery{Realm: realm, Connection: "west", Skip: 550})
	if !slices.Equal(far, ids[550:]) {
		t.Errorf("skipping 550 leaves %d accounts from %q, want 50", len(far), far[0])
	}
}
