package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// many is more than a store reads at once.
const many = 2500

// testLongLists makes sure that lists which a store reads in parts are whole and
// in order, whatever they are selected by, and wherever they begin.
func testLongLists(t *testing.T, b bench) {
	b.withRealm()
	id := func(i int) string { return fmt.Sprintf("x%05d", i) }
	var all []string
	b.update(func(tx directory.Tx) error {
		if err := tx.InsertRealm(&directory.Realm{ID: "r2", Kind: directory.Okta, Name: "Two", Created: at}); err != nil {
			return err
		}
		if err := tx.InsertGroup(group("many", "Many")); err != nil {
			return err
		}
		for i := range many {
			all = append(all, id(i))
			for _, r := range []string{realm, "r2"} {
				a := account(id(i), id(i)+"@example.com")
				a.Realm, a.Profile["email"] = r, "same@example.com"
				if err := tx.InsertAccount(a, a.Keys(directory.Okta)); err != nil {
					return err
				}
			}
			if _, err := tx.AddMember(realm, "many", id(i), at); err != nil {
				return err
			}
			if err := tx.InsertGroup(group("g"+id(i), id(i))); err != nil {
				return err
			}
			if _, err := tx.AddMember(realm, "g"+id(i), id(0), at); err != nil {
				return err
			}
			if err := tx.InsertRecord(&directory.Record{Realm: realm, Noun: "thing", ID: id(i), Parent: "p", Version: 1, Body: []byte("{}")}); err != nil {
				return err
			}
			err := tx.Append(directory.Change{At: at.Add(time.Duration(i) * time.Second), Kind: id(i), Realm: realm, Target: "x"})
			if err != nil {
				return err
			}
		}
		return nil
	})
	prefix := directory.LoginKey("x")
	equal(t, "accounts of a realm", b.ids(directory.AccountQuery{Realm: realm}), all)
	equal(t, "accounts of all realms", b.ids(directory.AccountQuery{}), slices.Concat(all, all))
	equal(t, "accounts behind one", b.ids(directory.AccountQuery{Realm: realm, After: id(999)}), all[1000:])
	equal(t, "accounts by address", b.ids(directory.AccountQuery{Realm: realm, Email: "same@example.com"}), all)
	equal(t, "accounts by key", b.ids(directory.AccountQuery{Realm: realm, KeyPrefix: &prefix}), all)
	equal(t, "members", b.ids(directory.AccountQuery{Realm: realm, Group: "many"}), all)
	equal(t, "members behind one", b.ids(directory.AccountQuery{Realm: realm, Group: "many", After: id(2)}), all[3:])
	equal(t, "accounts holding a text", b.ids(directory.AccountQuery{Realm: realm, Holding: "X02000@Example"}), all[2000:2001])
	equal(t, "groups of an account", len(b.groupIDs(directory.GroupQuery{Realm: realm, Member: id(0)})), many+1)
	equal(t, "groups of an account behind one", b.groupIDs(directory.GroupQuery{Realm: realm, Member: id(0), After: "g" + id(many-2)}), []string{"g" + id(many-1), "many"})
	equal(t, "groups", len(b.groupIDs(directory.GroupQuery{})), many+1)
	b.view(func(r directory.Reader) error {
		n, err := r.CountMembers(realm, "many")
		equal(t, "members counted", n, many)
		if err != nil {
			return err
		}
		n, err = r.CountMembers(realm, "none")
		equal(t, "members of no group", n, 0)
		if err != nil {
			return err
		}
		records, err := collect(r.Records(directory.RecordQuery{Realm: realm, Noun: "thing", Parent: "p", After: id(9)}))
		equal(t, "records behind one", len(records), many-10)
		if err != nil {
			return err
		}
		return longLogs(t, r, all)
	})
}

// longLogs reads a long change log by time, where the store may walk it or sort.
func longLogs(t *testing.T, r directory.Reader, all []string) error {
	start := at.Add(2 * time.Second)
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	for _, test := range []struct {
		name string
		q    directory.ChangeQuery
		want []string
	}{
		{"all", directory.ChangeQuery{}, all},
		{"newest first", directory.ChangeQuery{Newest: true}, reversed},
		{"since long ago", directory.ChangeQuery{Realm: realm, Since: start}, all[2:]},
		{"since long ago, newest first", directory.ChangeQuery{Realm: realm, Since: start, Newest: true}, reversed[:many-2]},
		{"since long ago, some", directory.ChangeQuery{Realm: realm, Since: start, MaxRows: 300}, all[2:302]},
		{"since long ago, until soon", directory.ChangeQuery{Realm: realm, Since: start, Until: start.Add(time.Second)}, all[2:3]},
		{"since a minute", directory.ChangeQuery{Realm: realm, Since: at.Add((many - 60) * time.Second)}, all[many-60:]},
		{"since a minute, newest first, some", directory.ChangeQuery{Realm: realm, Since: at.Add((many - 60) * time.Second), Newest: true, MaxRows: 2}, reversed[:2]},
		{"of another realm", directory.ChangeQuery{Realm: "r2", Since: start}, nil},
		{"holding a kind", directory.ChangeQuery{Realm: realm, Holding: "X02000"}, all[2000:2001]},
		{"holding a kind, by time", directory.ChangeQuery{Realm: realm, Since: at.Add((many - 60) * time.Second), Holding: all[many-1]}, all[many-1:]},
		{"of a kind", directory.ChangeQuery{Realm: realm, Kind: all[2000]}, all[2000:2001]},
	} {
		list, err := collect(r.Changes(test.q))
		if err != nil {
			return err
		}
		var got []string
		for _, c := range list {
			got = append(got, c.Kind)
		}
		equal(t, "changes "+test.name, got, test.want)
	}
	return nil
}
