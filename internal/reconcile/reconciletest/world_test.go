package reconciletest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/reconcile/reconciletest"
)

// TestRandomWorlds makes sessions from random sources and settings: the same session
// twice writes nothing the second time, and equal worlds come to equal outcomes,
// whatever the order of rows.
func TestRandomWorlds(t *testing.T) {
	t.Parallel()
	for seed := range worlds(t) {
		random := rand.New(rand.NewPCG(seed, 5))
		one, two := reconciletest.NewWorld(), reconciletest.NewWorld()
		for _, w := range []*reconciletest.World{one, two} {
			populate(w, rand.New(rand.NewPCG(seed, 6)))
		}
		settings := randomSettings(random)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for round := range 4 {
			now = now.AddDate(0, 0, random.IntN(60))
			rows := randomRows(random)
			r := rules(t, settings, reconciletest.People(1))
			session := reconciletest.Session{Rows: rows, Now: now, Read: true, Allowed: everything()}
			first := one.Run(r, session)
			session.Rows = append([]reconcile.Row{}, rows...)
			if unique(rows) {
				random.Shuffle(len(rows), func(i, j int) { session.Rows[i], session.Rows[j] = session.Rows[j], session.Rows[i] })
			}
			if diff := cmp.Diff(first.Decisions, two.Run(r, session).Decisions); diff != "" {
				t.Fatalf("seed %d, round %d: equal worlds come to (-one +two):\n%s", seed, round, diff)
			}
			again(t, fmt.Sprintf("seed %d, round %d", seed, round), one, r, session, first)
			again(t, fmt.Sprintf("seed %d, round %d", seed, round), two, r, session, first)
			admins(t, one)
		}
		if diff := cmp.Diff(one.Accounts, two.Accounts); diff != "" {
			t.Fatalf("seed %d: the worlds differ:\n%s", seed, diff)
		}
	}
}

// worlds is how many worlds are made: LANYARD_WORLDS, or few.
func worlds(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("LANYARD_WORLDS")
	if text == "" {
		return 40
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// again runs the session until nothing is written any more. Who was settled stays so
// from the first time on; who was held or failed may have waited for an account or a
// user name that somebody else let go of.
func again(t *testing.T, where string, w *reconciletest.World, r *reconcile.Rules, s reconciletest.Session, first *reconciletest.Outcome) {
	t.Helper()
	for range 5 {
		next, writes := w.Run(r, s), false
		for id, d := range next.Decisions {
			before := first.Decisions[id]
			writes = writes || d.Writes()
			if d.Writes() && before.Action != reconcile.Hold && before.Action != reconcile.Fail {
				t.Fatalf("%s: id %s is %s %v at first and %s %v again: %s", where, id, before.Action, before.After, d.Action, d.After, d.Reason)
			}
		}
		if !writes {
			return
		}
		first = next
	}
	t.Fatalf("%s: it never comes to rest", where)
}

// admins holds that nobody touched the super administrators.
func admins(t *testing.T, w *reconciletest.World) {
	t.Helper()
	for id := range w.Admins {
		if a := w.Accounts[id]; a.Status != directory.Active || a.Profile["city"] != "Rome" {
			t.Fatalf("the super administrator %s is %s in %v", id, a.Status, a.Profile["city"])
		}
	}
}

func everything() (out []reconcile.Allowance) {
	for _, code := range reconcile.Codes() {
		out = append(out, reconcile.Allowance{Code: code, Count: 1 << 30})
	}
	return out
}

const population = 12

func populate(w *reconciletest.World, random *rand.Rand) {
	for i, row := range reconciletest.People(population) {
		if random.IntN(2) == 0 {
			continue
		}
		a := &directory.Account{ID: fmt.Sprintf("00x%03d", i), Status: pick(random, directory.Active, directory.Suspended, directory.Deprovisioned, directory.Staged, directory.Provisioned)}
		a.Profile = map[string]any{"login": row["E-Mail"], "email": row["E-Mail"], "firstName": row["First Name"], "lastName": row["Last Name"], "city": "Rome"}
		switch random.IntN(6) {
		case 0:
			w.Admins[a.ID], a.Status = true, directory.Active
		case 1:
			w.Owners[a.ID] = &reconcile.Owner{Name: "other", Priority: 1 + random.IntN(3)}
		case 2:
			a.Profile["login"] = fmt.Sprintf("other%d@example.com", i)
		}
		w.Accounts[a.ID] = a
	}
}

func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

func randomSettings(random *rand.Rand) reconcile.Settings {
	s := reconcile.FileSettings()
	coin := func() bool { return random.IntN(4) > 0 }
	s.Confirm = reconcile.Confirm{Exact: coin(), Partial: coin(), New: coin()}
	s.Match = pick(random, reconcile.Matching{Partial: true}, reconcile.Matching{Exact: []reconcile.Criterion{{Attribute: "email"}}, Partial: coin()}, reconcile.Matching{})
	s.Sourcing = reconcile.Sourcing{Users: coin(), Priority: 1 + random.IntN(3)}
	s.Reactivate = reconcile.Reactivation{Suspended: coin(), Deactivated: coin()}
	s.Removal = pick(random, reconcile.RemovalDeactivates, reconcile.RemovalSuspends, reconcile.RemovalIsNothing)
	s.Mode = pick(random, reconcile.Incremental, reconcile.Full)
	s.UserName = pick(random, "", reconcile.UserNameEmail, `String.toLowerCase(appuser.email)`)
	s.Where = pick(random, "", `row["Title"] != "Manager"`)
	s.Zone.Fixed = pick(random, "", "Asia/Tokyo")
	return s
}

func randomRows(random *rand.Rand) []reconcile.Row {
	var rows []reconcile.Row
	for _, row := range reconciletest.People(population) {
		row = maps.Clone(row)
		switch random.IntN(12) {
		case 0:
			continue
		case 1:
			row["Status"] = pick(random, "Inactive", "", "unheard of")
		case 2:
			row["Hire Date"] = pick(random, "2026-02-20", "2026-04-01", "02/03/2026")
		case 3:
			row["Last Day"] = pick(random, "2026-01-15", "2026-03-01", "2026-05-31")
		case 4:
			row["Title"] = pick(random, "Manager", "", "Clerk")
		case 5:
			row["E-Mail"] = pick(random, "new@example.com", "p1003@example.com", "", "nonsense")
		case 6:
			row["Last Name"] = pick(random, "New", "", "Smith")
		case 7:
			row["Employee ID"] = pick(random, "E1001", "E9000", "")
		case 8:
			row["First Name"], row["Last Name"], row["E-Mail"] = "Somebody", "Else", "else@example.com"
		}
		rows = append(rows, row)
	}
	return rows
}

// unique reports whether no two rows contend for an id or an address, in which
// case the first of them counts.
func unique(rows []reconcile.Row) bool {
	seen := map[any]bool{}
	for _, row := range rows {
		for _, key := range []any{"id " + row["Employee ID"].(string), "mail " + row["E-Mail"].(string)} {
			if seen[key] {
				return false
			}
			seen[key] = true
		}
	}
	return true
}
