package importer_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// thorough is how many states of source and directory are generated, by the
// environment; without that, few are, and other tests leave some out, because the
// database is slow under the race detector.
func thorough() (states int, all bool) {
	n, err := strconv.Atoi(os.Getenv("LANYARD_STATES"))
	if err != nil {
		return 20, false
	}
	return n, true
}

// A plan is what happens, or it is refused as stale: for any settings, directory
// and source, and with somebody else at work in between. Making it writes nothing.
func TestPlanIsOutcome(t *testing.T) {
	var shared *bench
	stale, held := 0, 0
	actions := map[reconcile.Action]int{}
	count, _ := thorough()
	for n := range count {
		if n%100 == 0 {
			shared = newBench(t, nil)
		}
		g := &generator{Rand: rand.New(rand.NewPCG(uint64(n), 7)), bench: shared.realm(fmt.Sprint("r", n)), actions: actions}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			g.T = t
			switch g.check() {
			case "stale":
				stale++
			case "held":
				held++
			}
		})
	}
	t.Logf("%d plans were refused as stale, %d held; actions: %v", stale, held, actions)
}

// realm is a bench of another realm in the same database.
func (b *bench) realm(id string) *bench {
	b.Helper()
	c := *b
	c.Importer = &importer.Importer{Directory: b.Directory, Store: b.store, Realm: id}
	c.AtOnce(5)
	b.do(b.Directory.AddRealm(b.Context(), directory.Realm{ID: id, Kind: directory.Okta, Name: id}))
	return &c
}

// generator makes states.
type generator struct {
	*rand.Rand
	*bench
	actions map[reconcile.Action]int // that were seen
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) settings() reconcile.Settings {
	s := reconcile.FileSettings()
	s.ID = "id"
	s.Match.Partial = g.chance(50)
	if g.chance(30) {
		s.Match.Exact = []reconcile.Criterion{{Attribute: pick(g, "email", "userName", "employeeNumber")}}
	}
	s.Confirm = reconcile.Confirm{Exact: g.chance(80), Partial: g.chance(50), New: g.chance(85)}
	s.Activate, s.Sourcing.Users = g.chance(70), g.chance(85)
	s.Reactivate = reconcile.Reactivation{Suspended: g.chance(50), Deactivated: g.chance(50)}
	s.Removal = pick(g, reconcile.RemovalDeactivates, reconcile.RemovalSuspends, reconcile.RemovalIsNothing)
	if g.chance(20) {
		s.Where = `row.department != "Legal"`
	}
	if g.chance(80) {
		s.Guard.Off = reconcile.Codes()
	}
	s.Profile = map[string]reconcile.Term{}
	for _, name := range []string{"userName", "email", "firstName", "lastName", "department", "employeeNumber", "title"} {
		s.Profile[name] = reconcile.Term(name)
	}
	return s
}

func (g *generator) row() reconcile.Row {
	first, last := pick(g, "Ann", "Bob", "Eve", "Kim"), pick(g, "Ash", "Birch", "Oak")
	login := fmt.Sprintf("u%d@example.com", g.IntN(14))
	row := reconcile.Row{
		"id": fmt.Sprint(g.IntN(16)), "firstName": first, "lastName": last, "email": pick(g, login, fmt.Sprintf("m%d@example.com", g.IntN(14))), "userName": login,
		"department": pick(g, "Sales", "Legal", ""), "employeeNumber": fmt.Sprint(g.IntN(14)), "title": pick(g, "", "Dr", "Head"),
	}
	if g.chance(5) {
		row["userName"] = pick(g, "", "x", "no mail")
	}
	return row
}

func (g *generator) rows() (out rows) {
	for range g.IntN(14) {
		out = append(out, g.row())
	}
	return out
}

// people makes accounts that the source does not know of.
func (g *generator) people() {
	for range g.IntN(8) {
		row := g.row()
		profile := map[string]any{}
		for _, name := range []string{"firstName", "lastName", "email", "employeeNumber"} {
			profile[name] = row[name]
		}
		profile["login"] = row["userName"]
		a, err := g.Directory.CreateAccount(g.Context(), me, g.Realm, directory.Draft{Profile: profile, Activate: g.chance(80), Password: &directory.Password{Text: "Abcd1234!x"}})
		if fault.Is(err, fault.Conflict) || fault.Is(err, fault.Invalid) {
			continue
		}
		g.do(err)
		g.stir(a.ID)
	}
}

// stir moves an account somewhere along its life cycle.
func (g *generator) stir(id string) {
	op := pick(g, directory.Suspend, directory.Deactivate, "", "", "", directory.Unsuspend, directory.Activate)
	if op != "" {
		_, err := g.Directory.Transition(g.Context(), me, g.Realm, id, op)
		if !fault.Is(err, fault.Conflict) {
			g.do(err)
		}
	}
	if g.chance(5) {
		_, err := g.Directory.AssignRole(g.Context(), me, g.Realm, directory.Assignee{ID: id, Type: directory.UserAssignee}, directory.RoleDraft{Type: directory.SuperAdmin})
		if !fault.Is(err, fault.Conflict) {
			g.do(err)
		}
	}
}

func (g *generator) check() string {
	ctx := g.Context()
	g.clock.Step(time.Hour)
	s, err := g.PutSource(ctx, me, "HR", &importer.Source{Settings: g.settings()})
	g.do(err)
	g.source = s.ID
	g.people()
	t := func() importer.Type { return pick(g, importer.Full, importer.Incremental) }
	for range g.IntN(3) {
		session, err := g.Importer.Run(ctx, me, g.source, g.rows(), importer.RunOptions{Type: t()})
		if err != nil && !fault.Is(err, fault.Invalid) {
			g.Fatal(err)
		}
		if err == nil && session.Phase == importer.Held {
			_, err := g.Reject(ctx, me, session.ID, "")
			g.do(err)
		}
		for id := range g.snapshot() {
			if g.chance(15) {
				g.stir(id)
			}
		}
	}
	source := g.rows()
	before := g.store.updates.Load()
	plan, err := g.Preview(ctx, g.source, source, importer.PreviewOptions{Type: t()})
	g.equal("writes while previewing", g.store.updates.Load()-before, int64(0))
	if fault.Is(err, fault.Invalid) { // no rows and no headings
		return ""
	}
	g.do(err)
	plan = g.throughJSON(plan)
	if g.chance(30) {
		for id := range g.snapshot() {
			if g.chance(30) {
				g.stir(id)
			}
		}
	}
	was := g.snapshot()
	session, err := g.Apply(ctx, me, plan)
	if fault.Is(err, fault.Stale) {
		g.equal("what a stale plan changed", g.snapshot(), was)
		return "stale"
	}
	g.do(err)
	if session.Phase == importer.Held {
		g.equal("what a held plan changed", g.snapshot(), was)
		if len(plan.Holds) == 0 {
			g.Errorf("held without a word in the plan: %+v", session.Holds)
		}
		return "held"
	}
	if session.State != importer.Completed {
		g.Fatalf("the session is %s %s: %s", session.State, session.Phase, session.Error)
	}
	g.equal("counts", session.Counts, plan.Counts)
	g.compare(plan, session, was)
	return ""
}

func (g *generator) throughJSON(p *importer.Plan) *importer.Plan {
	text, err := json.Marshal(p)
	g.do(err)
	var out importer.Plan
	g.do(json.Unmarshal(text, &out))
	return &out
}

// snapshot is all accounts of the realm, by id.
func (g *generator) snapshot() map[string]*directory.Account {
	out := map[string]*directory.Account{}
	g.do(g.Store.View(g.Context(), func(r importer.Reader) error {
		for a, err := range r.Accounts(directory.AccountQuery{Realm: g.Realm}) {
			if err != nil {
				return err
			}
			out[a.ID] = a
		}
		return nil
	}))
	return out
}

// compare makes sure that the directory is what it was with what the plan says.
func (g *generator) compare(p *importer.Plan, s *importer.Session, before map[string]*directory.Account) {
	entities, err := g.Entities(g.Context(), importer.EntityQuery{Session: s.ID})
	g.do(err)
	if len(entities) != len(p.Entities) {
		g.Fatalf("%d entities, %d planned", len(entities), len(p.Entities))
	}
	after := g.snapshot()
	want := map[string]*directory.Account{}
	for id, a := range before {
		want[id] = a
	}
	for i := range p.Entities {
		planned, did := p.Entities[i].Entity, entities[i]
		g.actions[did.Action]++
		if planned.Action != did.Action || planned.ExternalID != did.ExternalID || cmp.Diff(planned.After, did.After) != "" {
			g.Errorf("planned %+v\ndid %+v", planned, did)
		}
		var a directory.Account
		if old := want[did.Account]; old != nil {
			a = *old
		}
		switch did.Action {
		case reconcile.Create:
			a.Profile, a.Status = did.After, directory.Staged
			if did.Activate {
				a.Status = directory.Provisioned
			}
		case reconcile.LinkTo, reconcile.Update, reconcile.Reactivate:
			profile := map[string]any{}
			for name, v := range a.Profile {
				profile[name] = v
			}
			for name, v := range did.After {
				profile[name] = v
				if v == nil {
					delete(profile, name)
				}
			}
			a.Profile = profile
			if did.Action == reconcile.Reactivate {
				a.Status = after[did.Account].Status // by whether there is a password
				if a.Status == directory.Deprovisioned || a.Status == directory.Suspended {
					g.Errorf("%s is %s after it was reactivated", did.Account, a.Status)
				}
			}
		case reconcile.Deactivate:
			a.Status = directory.Deprovisioned
		case reconcile.Suspend:
			a.Status = directory.Suspended
		default:
			continue
		}
		want[did.Account] = &a
	}
	if len(after) != len(want) {
		g.Errorf("%d accounts, want %d", len(after), len(want))
	}
	for id, a := range want {
		is := after[id]
		if is == nil || is.Status != a.Status || cmp.Diff(a.Profile, is.Profile) != "" {
			g.Errorf("account %s: %+v, want %s %v", id, is, a.Status, a.Profile)
		}
	}
}
