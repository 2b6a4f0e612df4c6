package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// TestImporter runs the contract of importer.Store. open returns an empty store,
// closed when the test ends.
func TestImporter(t *testing.T, open func(t *testing.T) importer.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, imports)
	}{
		{"Sessions", testImportSessions},
		{"Blocks", testImportBlocks},
		{"Links", testImportLinks},
		{"Index", testImportIndex},
		{"Due", testImportsDue},
		{"Entities", testImportEntities},
		{"BulkAccounts", testBulkAccounts},
		{"Names", testNames},
		{"OneTransaction", testOneTransaction},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i := imports{t, open(t)}
			i.update(func(tx importer.Tx) error {
				return tx.InsertRealm(&directory.Realm{ID: realm, Kind: directory.Okta, Name: "R", Created: at})
			})
			test.run(t, i)
		})
	}
}

// imports is a store under test.
type imports struct {
	*testing.T
	importer.Store
}

func (i imports) update(f func(importer.Tx) error) {
	i.Helper()
	ok(i.T, i.Update(i.Context(), f))
}

func (i imports) view(f func(importer.Reader) error) {
	i.Helper()
	ok(i.T, i.View(i.Context(), f))
}

func testImportSessions(t *testing.T, i imports) {
	session := func(id, source string, state importer.State) *importer.Session {
		return &importer.Session{ID: id, Realm: realm, Source: source, Type: importer.Full, State: state, Created: at, Version: 1, Counts: importer.Counts{Scanned: 3}}
	}
	i.update(func(tx importer.Tx) error {
		for _, s := range []*importer.Session{session("s1", "a", importer.Completed), session("s2", "a", importer.Triggered), session("b3", "b", importer.Created)} {
			if err := tx.InsertImportSession(s); err != nil {
				return err
			}
		}
		return nil
	})
	err := i.Update(t.Context(), func(tx importer.Tx) error { return tx.InsertImportSession(session("s1", "a", importer.Created)) })
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("a second session s1: %v, want a conflict", err)
	}
	i.view(func(r importer.Reader) error {
		s, err := r.ImportSession("s2")
		ok(t, err)
		same(t, "session", s, session("s2", "a", importer.Triggered))
		_, err = r.ImportSession("s9")
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("no session: %v", err)
		}
		for _, q := range []struct {
			importer.SessionQuery
			want []string
		}{
			{importer.SessionQuery{Realm: realm}, []string{"b3", "s2", "s1"}},
			{importer.SessionQuery{Realm: realm, Source: "a"}, []string{"s2", "s1"}},
			{importer.SessionQuery{Realm: realm, States: []importer.State{importer.Created, importer.Completed}}, []string{"b3", "s1"}},
			{importer.SessionQuery{Realm: realm, After: "b3", Limit: 1}, []string{"s2"}},
			{importer.SessionQuery{Realm: "other"}, nil},
		} {
			list, err := r.ImportSessions(q.SessionQuery)
			ok(t, err)
			var ids []string
			for _, s := range list {
				ids = append(ids, s.ID)
			}
			same(t, fmt.Sprintf("%+v", q.SessionQuery), ids, q.want)
		}
		return nil
	})
	i.update(func(tx importer.Tx) error {
		s, err := tx.ImportSession("s2")
		ok(t, err)
		s.Version++
		s.State = importer.Completed
		return tx.UpdateImportSession(s)
	})
	err = i.Update(t.Context(), func(tx importer.Tx) error { return tx.UpdateImportSession(session("s2", "a", importer.Failed)) })
	if !fault.Is(err, fault.Stale) {
		t.Errorf("an update of an old session: %v, want stale", err)
	}
}

func testImportBlocks(t *testing.T, i imports) {
	i.update(func(tx importer.Tx) error {
		ok(t, tx.PutImportBlock("s1", -1, []byte{0, 1, 255}))
		ok(t, tx.PutImportBlock("s1", 1, []byte("old")))
		ok(t, tx.PutImportBlock("s2", 1, []byte("other")))
		return tx.PutImportBlock("s1", 1, []byte("new"))
	})
	i.view(func(r importer.Reader) error {
		b, err := r.ImportBlock("s1", 1)
		ok(t, err)
		same(t, "block", string(b), "new")
		b, err = r.ImportBlock("s1", -1)
		ok(t, err)
		same(t, "bytes", b, []byte{0, 1, 255})
		if _, err := r.ImportBlock("s1", 2); !fault.Is(err, fault.NotFound) {
			t.Errorf("no block: %v", err)
		}
		return nil
	})
	i.update(func(tx importer.Tx) error { return tx.DeleteImportSession("s1") })
	i.view(func(r importer.Reader) error {
		if _, err := r.ImportBlock("s1", 1); !fault.Is(err, fault.NotFound) {
			t.Errorf("a block of a session that was removed: %v", err)
		}
		_, err := r.ImportBlock("s2", 1)
		return err
	})
}

func importLink(id, account string, state reconcile.LinkState) importer.Link {
	l := importer.Link{Source: "a", Kind: importer.UserKind}
	l.ExternalID, l.Account, l.State, l.Fingerprint = id, account, state, reconcile.Fingerprint{1, 2, byte(len(id))}
	return l
}

func testImportLinks(t *testing.T, i imports) {
	waits := importLink("w", "", reconcile.Unconfirmed)
	waits.Profile, waits.Note, waits.Candidate, waits.Place = map[string]any{"email": "w@example.com"}, "why", "acc9", "f:1"
	dated := importLink("d", "acc3", reconcile.Linked)
	dated.Due, dated.Ends = at.Add(time.Hour), at.Add(2*time.Hour)
	var many []importer.Link
	for n := range 320 {
		many = append(many, importLink(fmt.Sprintf("x%04d", n), fmt.Sprintf("acc-x%d", n), reconcile.Linked))
	}
	group := importLink("w", "group1", reconcile.Linked)
	group.Kind = importer.GroupKind
	i.update(func(tx importer.Tx) error {
		ok(t, tx.PutImportLinks(many))
		ok(t, tx.PutImportLinks([]importer.Link{waits, dated, group}))
		other := importLink("z", "acc3", reconcile.Removed)
		other.Source = "b"
		return tx.PutImportLinks([]importer.Link{other})
	})
	i.view(func(r importer.Reader) error {
		got, err := r.ImportLinks("a", importer.UserKind, []string{"w", "d", "nobody", "x0007"})
		ok(t, err)
		slices.SortFunc(got, func(a, b importer.Link) int { return len(a.ExternalID) - len(b.ExternalID) })
		slices.SortFunc(got[:2], func(a, b importer.Link) int { return int(a.ExternalID[0]) - int(b.ExternalID[0]) })
		same(t, "links", got, []importer.Link{dated, waits, many[7]})
		to, err := r.ImportLinksTo([]string{"acc3", "acc-x5"})
		ok(t, err)
		same(t, "links to accounts", len(to), 3)
		var ids []string
		for l, err := range r.EachImportLink(importer.LinkQuery{Source: "a", Kind: importer.UserKind, After: "x0300"}) {
			ok(t, err)
			ids = append(ids, l.ExternalID)
		}
		same(t, "behind", len(ids), 19)
		ids = nil
		for l, err := range r.EachImportLink(importer.LinkQuery{Source: "a", Kind: importer.UserKind, Limit: 3}) {
			ok(t, err)
			ids = append(ids, l.ExternalID)
		}
		same(t, "first", ids, []string{"d", "w", "x0000"})
		ids = nil
		for l, err := range r.EachImportLink(importer.LinkQuery{Source: "a", Kind: importer.UserKind, State: reconcile.Unconfirmed}) {
			ok(t, err)
			ids = append(ids, l.ExternalID)
		}
		same(t, "unconfirmed", ids, []string{"w"})
		counts, err := r.CountImportLinks("a")
		ok(t, err)
		same(t, "counts", counts, map[reconcile.LinkState]int{reconcile.Linked: 321, reconcile.Unconfirmed: 1})
		return nil
	})
	i.update(func(tx importer.Tx) error {
		shared := importLink("y", "acc-x5", reconcile.Linked)
		shared.Source = "b"
		ok(t, tx.PutImportLinks([]importer.Link{shared}))
		return tx.DoubtImportLinks("b")
	})
	i.view(func(r importer.Reader) error {
		got, err := r.ImportLinksTo([]string{"acc-x5", "acc-x6"})
		ok(t, err)
		slices.SortFunc(got, func(a, b importer.Link) int { return cmp.Compare(a.ExternalID, b.ExternalID) })
		doubted := many[5]
		doubted.Fingerprint = reconcile.Fingerprint{}
		same(t, "of two sources", got[:2], []importer.Link{doubted, many[6]})
		same(t, "its own", got[2].Fingerprint, importLink("y", "", "").Fingerprint)
		return nil
	})
	i.update(func(tx importer.Tx) error {
		ok(t, tx.DeleteImportLinks("a", importer.UserKind, []string{"w"}))
		waits.Source = "b"
		return tx.ForgetImportSource("b")
	})
	i.view(func(r importer.Reader) error {
		to, err := r.ImportLinks("b", importer.UserKind, []string{"z"})
		ok(t, err)
		same(t, "forgotten", len(to), 0)
		left, err := r.ImportLinks("a", importer.GroupKind, []string{"w"})
		ok(t, err)
		same(t, "the group stays", left, []importer.Link{group})
		return nil
	})
}

func testImportIndex(t *testing.T, i imports) {
	i.update(func(tx importer.Tx) error {
		ok(t, tx.PutImportLinks([]importer.Link{importLink("1", "acc1", reconcile.Linked), importLink("2", "acc2", reconcile.Linked)}))
		return tx.InsertRecords([]*directory.Record{{Realm: realm, Noun: directory.AppUserNoun, ID: "a/acc1", Parent: "a", Subject: "acc1", Version: 1, Body: []byte("{}")}})
	})
	i.view(func(r importer.Reader) error {
		var got []importer.Indexed
		for x, err := range r.ImportIndex("a") {
			ok(t, err)
			got = append(got, x)
		}
		want := reconcile.Fingerprint{1, 2, 1}
		same(t, "index", got, []importer.Indexed{
			{ExternalID: "1", Account: "acc1", State: reconcile.Linked, Fingerprint: want}, {ExternalID: "2", Account: "acc2", State: reconcile.Linked, Fingerprint: want},
		})
		var assigned []string
		for account, err := range r.ImportAssigned(realm, "a") {
			ok(t, err)
			assigned = append(assigned, account)
		}
		same(t, "assigned", assigned, []string{"acc1"})
		return nil
	})
}

func testImportsDue(t *testing.T, i imports) {
	for n, source := range []string{"a", "b"} {
		l := importLink("1", "acc", reconcile.Linked)
		l.Source, l.Due = source, at.Add(time.Duration(n)*time.Hour)
		i.update(func(tx importer.Tx) error { return tx.PutImportLinks([]importer.Link{l}) })
	}
	i.view(func(r importer.Reader) error {
		sources, err := r.ImportsDue(at.Add(-time.Second))
		ok(t, err)
		same(t, "before", sources, []string(nil))
		sources, err = r.ImportsDue(at)
		ok(t, err)
		same(t, "due", sources, []string{"a"})
		sources, err = r.ImportsDue(at.Add(time.Hour))
		ok(t, err)
		same(t, "both", sources, []string{"a", "b"})
		return nil
	})
}

func testImportEntities(t *testing.T, i imports) {
	var list []importer.Entity
	for n := int64(1); n <= 120; n++ {
		e := importer.Entity{Seq: n, Kind: importer.UserKind, ExternalID: fmt.Sprint("id", n), Name: fmt.Sprintf("Person%d@example.com", n)}
		e.Action, e.After = reconcile.Update, map[string]any{"title": "100%_sure", "old": nil}
		if n%40 == 0 {
			e.Action = reconcile.Fail
		}
		list = append(list, e)
	}
	i.update(func(tx importer.Tx) error { return tx.InsertImportEntities("s1", list) })
	i.view(func(r importer.Reader) error {
		for _, q := range []struct {
			importer.EntityQuery
			want int
		}{
			{importer.EntityQuery{}, 120},
			{importer.EntityQuery{Kind: importer.GroupKind}, 0},
			{importer.EntityQuery{Actions: []reconcile.Action{reconcile.Fail}}, 3},
			{importer.EntityQuery{Actions: []reconcile.Action{reconcile.Fail, reconcile.Update}}, 120},
			{importer.EntityQuery{Text: "PERSON12"}, 2},
			{importer.EntityQuery{Text: "id7"}, 11},
			{importer.EntityQuery{Text: "%"}, 0},
			{importer.EntityQuery{Text: "_"}, 0},
		} {
			q.Session = "s1"
			got, err := r.ImportEntities(q.EntityQuery)
			ok(t, err)
			same(t, fmt.Sprintf("%+v", q.EntityQuery), len(got), q.want)
			n, err := r.CountImportEntities(q.EntityQuery)
			ok(t, err)
			same(t, fmt.Sprintf("count of %+v", q.EntityQuery), n, q.want)
		}
		got, err := r.ImportEntities(importer.EntityQuery{Session: "s1", After: 10, Limit: 2})
		ok(t, err)
		same(t, "page", got, list[10:12])
		return nil
	})
	i.update(func(tx importer.Tx) error {
		e := list[4]
		e.Action, e.Reason = reconcile.Fail, "taken"
		return tx.UpdateImportEntity("s1", &e)
	})
	i.view(func(r importer.Reader) error {
		n, err := r.CountImportEntities(importer.EntityQuery{Session: "s1", Actions: []reconcile.Action{reconcile.Fail}})
		same(t, "failed", n, 4)
		return err
	})
	for _, left := range []int{70, 20, 0, 0} {
		more := false
		i.update(func(tx importer.Tx) (err error) {
			more, err = tx.DeleteImportEntities("s1", 50)
			return err
		})
		i.view(func(r importer.Reader) error {
			n, err := r.CountImportEntities(importer.EntityQuery{Session: "s1"})
			same(t, "left", n, left)
			return err
		})
		if left > 0 && !more {
			t.Errorf("of %d entities there are said to be no more", left)
		}
	}
}

func bulkAccount(n int) *directory.Account {
	return &directory.Account{
		ID: fmt.Sprintf("u%04d", n), Realm: realm, Status: directory.Active, Version: 1, Created: at, Updated: at,
		Profile: map[string]any{"login": fmt.Sprintf("p%d@example.com", n), "email": fmt.Sprintf("P%d@Example.com", n), "firstName": fmt.Sprint("Jo", n%3), "lastName": "Doe"},
	}
}

func testBulkAccounts(t *testing.T, i imports) {
	var accounts []*directory.Account
	var keys [][]directory.Key
	var ids []string
	var changes []directory.Change
	for n := range 230 {
		a := bulkAccount(n)
		accounts, keys, ids = append(accounts, a), append(keys, a.Keys(directory.Okta)), append(ids, a.ID)
		changes = append(changes, directory.Change{At: at, Kind: "user.lifecycle.create", Realm: realm, Target: a.ID, Actor: directory.System("test")})
	}
	i.update(func(tx importer.Tx) error {
		ok(t, tx.InsertGroup(&directory.Group{ID: "g", Realm: realm, Type: directory.BuiltIn, Profile: map[string]any{"name": "Everyone"}, Version: 1}))
		ok(t, tx.InsertAccounts(accounts, keys))
		ok(t, tx.AddMembers(realm, "g", ids, time.Time{}))
		return tx.AppendAll(changes)
	})
	i.view(func(r importer.Reader) error {
		got, err := r.AccountsByID(realm, []string{"u0003", "u0003", "nobody", "u0229"})
		ok(t, err)
		same(t, "accounts", len(got), 2)
		a, err := r.Account(realm, "u0100")
		ok(t, err)
		same(t, "account", a, accounts[100])
		found, err := r.AccountsByKeys(realm, []directory.Key{directory.LoginKey("p7@example.com"), directory.LoginKey("nobody@example.com")})
		ok(t, err)
		same(t, "by key", found, map[directory.Key]string{directory.LoginKey("p7@example.com"): "u0007"})
		byEmail, err := r.AccountsByEmail(realm, []string{"p9@example.com"})
		ok(t, err)
		same(t, "by e-mail", len(byEmail), 1)
		byName, err := r.AccountsByName(realm, []string{directory.NameKey("JO1", " doe ")})
		ok(t, err)
		same(t, "by name", len(byName), 77)
		n, err := r.CountMembers(realm, "g")
		ok(t, err)
		same(t, "members", n, 230)
		last, err := r.LastChange()
		ok(t, err)
		same(t, "last change", last, int64(230))
		var seq int64
		for c, err := range r.Changes(directory.ChangeQuery{Realm: realm}) {
			ok(t, err)
			if seq++; c.Seq != seq || c.Target != ids[seq-1] {
				t.Fatalf("change %d is number %d, about %s", seq, c.Seq, c.Target)
			}
		}
		return nil
	})
}

// Accounts of before the index of names are found once it is made.
func testNames(t *testing.T, i imports) {
	i.update(func(tx importer.Tx) error {
		a := bulkAccount(1)
		ok(t, tx.InsertAccount(a, a.Keys(directory.Okta)))
		done, err := tx.NoteNames()
		same(t, "done", done, true)
		return err
	})
	i.update(func(tx importer.Tx) error {
		a, err := tx.Account(realm, "u0001")
		ok(t, err)
		a.Version++
		a.Profile["lastName"] = "Roe"
		return tx.UpdateAccount(a, a.Keys(directory.Okta))
	})
	i.view(func(r importer.Reader) error {
		for name, want := range map[string]int{"Roe": 1, "Doe": 0} {
			got, err := r.AccountsByName(realm, []string{directory.NameKey("Jo1", name)})
			ok(t, err)
			same(t, name, len(got), want)
		}
		return nil
	})
}

// What the directory and the importer write in one transaction comes together, or
// not at all.
func testOneTransaction(t *testing.T, i imports) {
	stop := fault.New(fault.Invalid, "stop")
	err := i.Update(t.Context(), func(tx importer.Tx) error {
		a := bulkAccount(1)
		ok(t, tx.InsertAccounts([]*directory.Account{a}, [][]directory.Key{a.Keys(directory.Okta)}))
		ok(t, tx.PutImportLinks([]importer.Link{importLink("1", a.ID, reconcile.Linked)}))
		ok(t, tx.InsertImportSession(&importer.Session{ID: "s1", Realm: realm, State: importer.Created, Version: 1}))
		return stop
	})
	if !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
	i.view(func(r importer.Reader) error {
		accounts, err := r.AccountsByID(realm, []string{"u0001"})
		ok(t, err)
		links, err := r.ImportLinksTo([]string{"u0001"})
		ok(t, err)
		same(t, "accounts and links", len(accounts)+len(links), 0)
		if _, err := r.ImportSession("s1"); !fault.Is(err, fault.NotFound) {
			t.Errorf("session: %v", err)
		}
		return nil
	})
}
