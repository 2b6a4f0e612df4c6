package importer_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/directory/directorytest"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
)

var (
	start = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	me    = directory.Actor{ID: "00uAdmin", Type: directory.UserActor, Name: "Ada", Login: "ada@example.com"}
)

// bench is an importer over a database of its own.
type bench struct {
	*testing.T
	*importer.Importer
	clock  *directorytest.Clock
	source string
	store  *flaky
	path   string // of the database
}

func newBench(t *testing.T, change func(*reconcile.Settings)) *bench {
	t.Helper()
	db, path := sqlitetest.OpenFile(t)
	b := &bench{T: t, clock: directorytest.NewClock(start), store: &flaky{Store: db.Importer()}, path: path}
	d := directory.New(db.Directory())
	d.Hash = func(password string) (string, error) { return password, nil }
	d.Clock, d.IDs = b.clock.Now, directory.NewIDs(b.clock.Now)
	b.Importer = &importer.Importer{Directory: d, Store: b.store, Realm: directory.OktaRealm}
	b.do(d.AddRealm(t.Context(), directory.Realm{ID: directory.OktaRealm, Kind: directory.Okta, Name: "Okta"}))
	settings := reconcile.FileSettings()
	if change != nil {
		change(&settings)
	}
	s, err := b.PutSource(t.Context(), me, "HR", &importer.Source{Settings: settings})
	b.do(err)
	b.source = s.ID
	return b
}

func (b *bench) do(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) equal(what string, got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// flaky is a store that can be made to fail at a commit.
type flaky struct {
	importer.Store
	updates atomic.Int64
	// failAt ends the process, as it were, at the n-th update from now: with before,
	// nothing of it is written; else all is, and the caller never hears of it.
	failAt int
	before bool
	dead   atomic.Bool

	wrote chan struct{} // signals that something was written; nil: nobody waits
}

type killed struct{}

func (killed) Error() string { return "killed" }

func (f *flaky) Update(ctx context.Context, work func(importer.Tx) error) error {
	if f.dead.Load() {
		return killed{}
	}
	f.updates.Add(1)
	if f.failAt > 0 {
		if f.failAt--; f.failAt == 0 {
			f.dead.Store(true)
			if f.before {
				return killed{}
			}
			if err := f.Store.Update(ctx, work); err != nil {
				return err
			}
			return killed{}
		}
	}
	err := f.Store.Update(ctx, work)
	select {
	case f.wrote <- struct{}{}:
	default:
	}
	return err
}

func (f *flaky) View(ctx context.Context, work func(importer.Reader) error) error {
	if f.dead.Load() {
		return killed{}
	}
	return f.Store.View(ctx, work)
}

// rows is a source in memory.
type rows []reconcile.Row

func (r rows) Rows(context.Context) iter.Seq2[importer.Located, error] {
	return func(yield func(importer.Located, error) bool) {
		for i, row := range r {
			if !yield(importer.Located{Place: fmt.Sprintf("people.csv:%d", i+2), Row: row}, nil) {
				return
			}
		}
	}
}

// person is a row of a file of people.
func person(id, first, last string, more ...string) reconcile.Row {
	row := reconcile.Row{"id": id, "firstName": first, "lastName": last, "email": first + "." + id + "@example.com", "userName": first + "." + id + "@example.com", "department": "Sales"}
	for i := 0; i+1 < len(more); i += 2 {
		row[more[i]] = more[i+1]
	}
	return row
}

func people(n int) (out rows) {
	for i := range n {
		out = append(out, person(fmt.Sprint(1000+i), fmt.Sprint("Ann", i), "Smith"))
	}
	return out
}

func (b *bench) run(r rows, t importer.Type) *importer.Session {
	b.Helper()
	s, err := b.Importer.Run(b.Context(), me, b.source, r, importer.RunOptions{Type: t})
	b.do(err)
	return s
}

// accounts are the logins of the realm with their statuses.
func (b *bench) accounts() map[string]string {
	b.Helper()
	out := map[string]string{}
	b.do(b.Store.View(b.Context(), func(r importer.Reader) error {
		for a, err := range r.Accounts(directory.AccountQuery{Realm: b.Realm}) {
			if err != nil {
				return err
			}
			out[a.Login()] = string(a.Status)
		}
		return nil
	}))
	return out
}

func (b *bench) counts(s *importer.Session) map[string]int {
	c := s.Counts
	out := map[string]int{}
	for name, n := range map[string]int{
		"scanned": c.Scanned, "added": c.Added, "linked": c.Linked, "updated": c.Updated, "unchanged": c.Unchanged, "removed": c.Removed,
		"suspended": c.Suspended, "reactivated": c.Reactivated, "skipped": c.Skipped, "held": c.Held, "failed": c.Failed,
	} {
		if n != 0 {
			out[name] = n
		}
	}
	return out
}

func (b *bench) done(s *importer.Session, want map[string]int) {
	b.Helper()
	if s.State != importer.Completed {
		b.Fatalf("the session is %s %s: %s %+v", s.State, s.Phase, s.Error, s.Holds)
	}
	b.equal("counts", b.counts(s), want)
}
