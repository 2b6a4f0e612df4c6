package storetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// collect reads a sequence to its end or its error.
func collect[T any](seq iter.Seq2[T, error]) (out []T, err error) {
	for v, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

const thing = directory.Noun("thing")

func record(id string) *directory.Record {
	return &directory.Record{Realm: realm, Noun: thing, ID: id, Version: 1, Body: []byte(`{"b":1,"a":[1.10]}`)}
}

func testRecords(t *testing.T, b bench) {
	b.withRealm()
	first := record("t1")
	first.Key, first.Parent, first.Subject = "key", "p", "s"
	b.update(func(tx directory.Tx) error { return tx.InsertRecord(first) })
	b.view(func(r directory.Reader) error {
		got, err := r.Record(realm, thing, "t1")
		if err == nil {
			equal(t, "record", got, first)
		}
		return err
	})
	b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.InsertRecord(record("t1")) })
	second := record("t2")
	second.Key = "key"
	takenField(t, b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.InsertRecord(second) }), string(thing))
	second.Key = ""
	otherNoun := record("t1")
	otherNoun.Noun, otherNoun.Key = "other", "key"
	b.update(func(tx directory.Tx) error {
		if err := tx.InsertRecord(otherNoun); err != nil { // ids and keys are unique within the noun only
			return err
		}
		return tx.InsertRecord(second)
	})

	changed := record("t1")
	changed.Version, changed.Body = 2, []byte(`{}`)
	b.update(func(tx directory.Tx) error { return tx.UpdateRecord(changed) })
	b.updateFails(fault.Stale, func(tx directory.Tx) error { return tx.UpdateRecord(changed) })
	second.Version, second.Key = 2, "key" // free since t1 has none
	b.update(func(tx directory.Tx) error { return tx.UpdateRecord(second) })
	changed.Version, changed.Key = 3, "key"
	takenField(t, b.updateFails(fault.Conflict, func(tx directory.Tx) error { return tx.UpdateRecord(changed) }), string(thing))

	b.update(func(tx directory.Tx) error { return tx.DeleteRecord(realm, thing, "t1") })
	gone := func(f func(directory.Tx) error) {
		t.Helper()
		missing(t, "record", b.updateFails(fault.NotFound, f), thing)
	}
	gone(func(tx directory.Tx) error { return tx.DeleteRecord(realm, thing, "t1") })
	gone(func(tx directory.Tx) error { return tx.UpdateRecord(changed) })
	gone(func(tx directory.Tx) error { _, err := tx.Record(realm, thing, "t1"); return err })
}

func testRecordQueries(t *testing.T, b bench) {
	b.withRealm()
	b.update(func(tx directory.Tx) error {
		for _, r := range []struct{ id, parent, subject, key string }{
			{"B", "p", "s", ""}, {"a", "p", "x", "k"}, {"c", "q", "s", ""}, {"d", "p", "s", "l"},
		} {
			one := record(r.id)
			one.Parent, one.Subject, one.Key = r.parent, r.subject, r.key
			if err := tx.InsertRecord(one); err != nil {
				return err
			}
		}
		return nil
	})
	ids := func(q directory.RecordQuery) (out []string) {
		q.Realm, q.Noun = realm, thing
		b.view(func(r directory.Reader) error {
			list, err := collect(r.Records(q))
			for _, one := range list {
				out = append(out, one.ID)
			}
			return err
		})
		return out
	}
	equal(t, "all, ordered by bytes", ids(directory.RecordQuery{}), []string{"B", "a", "c", "d"})
	equal(t, "of a parent", ids(directory.RecordQuery{Parent: "p"}), []string{"B", "a", "d"})
	equal(t, "about a subject", ids(directory.RecordQuery{Subject: "s"}), []string{"B", "c", "d"})
	equal(t, "both, behind one", ids(directory.RecordQuery{Parent: "p", Subject: "s", After: "B"}), []string{"d"})
	equal(t, "with a key", ids(directory.RecordQuery{Key: "k"}), []string{"a"})
	b.update(func(tx directory.Tx) error {
		n, err := tx.DeleteRecords(directory.RecordQuery{Realm: realm, Noun: thing, Parent: "p", Subject: "s"})
		equal(t, "removed", n, int64(2))
		return err
	})
	equal(t, "left", ids(directory.RecordQuery{}), []string{"a", "c"})
}

func testChangeQueries(t *testing.T, b bench) {
	actor := directory.Actor{ID: "u1", Type: directory.UserActor, Name: "Ann", Request: "r1", IP: "127.0.0.1"}
	b.update(func(tx directory.Tx) error {
		for i, c := range []directory.Change{
			{Kind: "a", Realm: realm, Target: "u1"}, {Kind: "b", Realm: realm, Target: "u2"},
			{Kind: "a", Realm: "other", Target: "u1"}, {Kind: "c", Realm: realm, Target: "u1"},
		} {
			c.At, c.Actor = at.Add(time.Duration(i)*time.Second), actor
			c.Targets = []directory.Target{{Type: "User", ID: c.Target}}
			c.Outcome = directory.Outcome{Result: "FAILURE", Reason: "x"}
			if err := tx.Append(c); err != nil {
				return err
			}
		}
		return nil
	})
	numbers := func(q directory.ChangeQuery) (out []int64) {
		b.view(func(r directory.Reader) error {
			list, err := collect(r.Changes(q))
			for _, c := range list {
				out = append(out, c.Seq)
				equal(t, "actor", c.Actor, actor)
				equal(t, "targets", c.Targets, []directory.Target{{Type: "User", ID: c.Target}})
				equal(t, "outcome", c.Outcome, directory.Outcome{Result: "FAILURE", Reason: "x"})
			}
			return err
		})
		return out
	}
	equal(t, "of a realm", numbers(directory.ChangeQuery{Realm: realm}), []int64{1, 2, 4})
	equal(t, "about a target", numbers(directory.ChangeQuery{Target: "u1"}), []int64{1, 3, 4})
	equal(t, "of a kind", numbers(directory.ChangeQuery{Kind: "a"}), []int64{1, 3})
	equal(t, "newest first", numbers(directory.ChangeQuery{Newest: true, MaxRows: 2}), []int64{4, 3})
	equal(t, "newest first, behind one", numbers(directory.ChangeQuery{Newest: true, After: 3}), []int64{2, 1})
	equal(t, "of a time", numbers(directory.ChangeQuery{Since: at.Add(time.Second), Until: at.Add(3 * time.Second)}), []int64{2, 3})
}

// testMixedFates lets many update at once, some of which fail or panic half
// way: updates may share a commit, but never each other's fate.
func testMixedFates(t *testing.T, b bench) {
	b.withRealm()
	const workers, rounds = 16, 12
	var wg sync.WaitGroup
	var mu sync.Mutex
	var want []string
	for w := range workers {
		wg.Go(func() {
			for n := range rounds {
				id := fmt.Sprintf("u%02d-%02d", w, n)
				if err := b.insertWithFate(id, (w+n)%4); err == nil {
					mu.Lock()
					want = append(want, id)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(want)
	equal(t, "accounts that were inserted", b.ids(directory.AccountQuery{}), want)
	b.view(func(r directory.Reader) error {
		changes, err := collect(r.Changes(directory.ChangeQuery{}))
		for i, c := range changes {
			equal(t, "number of a change", c.Seq, int64(i+1))
		}
		equal(t, "changes", len(changes), len(want))
		return err
	})
}

// insertWithFate inserts an account; fate 1 fails behind the insertion, 2 by a
// statement that the database refuses, 3 panics.
func (b bench) insertWithFate(id string, fate int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return b.store.Update(context.Background(), func(tx directory.Tx) error {
		if err := tx.InsertAccount(account(id, id+"@b.c"), []directory.Key{directory.LoginKey(id)}); err != nil {
			return err
		}
		if err := tx.Append(directory.Change{At: at, Kind: "k", Realm: realm, Target: id}); err != nil {
			return err
		}
		switch fate {
		case 1:
			return fault.New(fault.Invalid, "no")
		case 2:
			return tx.InsertAccount(account(id, "x"), nil)
		case 3:
			panic("no")
		}
		return nil
	})
}
