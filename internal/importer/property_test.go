package importer_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
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
		return 12, false
	}
	return n, true
}

// A plan is what happens, or it is refused as stale: for any settings, directory
// and source, beside another source, on any day, and with somebody else at work in
// between. Making it writes nothing.
func TestPlanIsOutcome(t *testing.T) {
	var shared *bench
	var commits func() int
	stale, held := 0, 0
	actions := map[reconcile.Action]int{}
	count, _ := thorough()
	for n := range count {
		if n%100 == 0 {
			shared = newBench(t, nil)
			commits = shared.commits()
		}
		g := &generator{Rand: rand.New(rand.NewPCG(uint64(n), 7)), bench: shared.realm(fmt.Sprint("r", n)), actions: actions, commits: commits}
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

// commits returns what tells by another number that anybody has written into the
// database.
func (b *bench) commits() func() int {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+b.path)
	b.do(err)
	b.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(b.Context()) // the number is of one connection
	b.do(err)
	return func() (n int) {
		b.do(conn.QueryRowContext(b.Context(), "PRAGMA data_version").Scan(&n))
		return n
	}
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
	commits func() int
	other   string // id of another source of the same people
	said    rows   // what the source had last
	gone    rows   // who has left since, and may come back
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
	if g.chance(25) {
		s.Starts.From, s.Ends.From, s.Zone = "start", "end", reconcile.Zone{From: "zone", Fixed: pick(g, "", "Asia/Tokyo")}
	}
	if g.chance(25) {
		s.UserName = reconcile.UserNameEmail
	}
	if g.chance(30) {
		s.Mapping = map[string]reconcile.Mapping{
			"displayName": {Value: `appuser.firstName + " " + appuser.lastName`, Create: g.chance(50)},
			"nickName":    {Value: `String.toUpperCase(appuser.title)`},
			"title":       {Value: string(reconcile.None)},
		}
	}
	s.Sourcing.Priority = g.IntN(4)
	s.Profile = map[string]reconcile.Term{}
	for _, name := range []string{"userName", "email", "firstName", "lastName", "department", "employeeNumber", "title"} {
		s.Profile[name] = reconcile.Term(name)
	}
	return s
}

func (g *generator) row() reconcile.Row {
	first, last := pick(g, "Ann", "Bob", "Eve", "Kim"), pick(g, "Ash", "Birch", "Oak")
	id := g.IntN(16)
	login := fmt.Sprintf("u%d@example.com", id)
	if g.chance(20) {
		login = fmt.Sprintf("u%d@example.com", g.IntN(16))
	}
	row := reconcile.Row{
		"id": fmt.Sprint(id), "firstName": first, "lastName": last, "email": pick(g, login, fmt.Sprintf("m%d@example.com", g.IntN(14))), "userName": login,
		"department": pick(g, "Sales", "Legal", ""), "employeeNumber": fmt.Sprint(g.IntN(14)), "title": pick(g, "", "Dr", "Head"),
	}
	if g.chance(5) {
		row["userName"] = pick(g, "", "x", "no mail")
	}
	day := func() string {
		if g.chance(50) {
			return ""
		}
		return g.clock.Now().AddDate(0, 0, g.IntN(9)-4).Format(time.DateOnly)
	}
	row["start"], row["end"], row["zone"] = day(), day(), pick(g, "", "America/Los_Angeles", "Pacific/Auckland")
	return row
}

// next are the rows of the source some time later: some have gone, some say
// something else, some are new.
func (g *generator) next() rows {
	if len(g.said) == 0 || g.chance(20) {
		g.said = g.rows()
		return g.said
	}
	var out rows
	for _, row := range g.said {
		switch {
		case g.chance(15):
			g.gone = append(g.gone, row)
			continue
		case g.chance(30):
			row = maps.Clone(row)
			fresh := g.row()
			for range 1 + g.IntN(2) {
				name := pick(g, "firstName", "email", "userName", "department", "title", "start", "end", "zone")
				row[name] = fresh[name]
			}
		}
		out = append(out, row)
	}
	for range g.IntN(3) {
		out = append(out, g.row())
	}
	if n := len(g.gone); n > 0 && g.chance(40) {
		out, g.gone = append(out, g.gone[n-1]), g.gone[:n-1]
	}
	g.said = out
	return out
}

func (g *generator) rows() (out rows) {
	ids := map[any]bool{}
	for range g.IntN(20) {
		row := g.row()
		if ids[row["id"]] && g.chance(95) {
			continue
		}
		ids[row["id"]] = true
		out = append(out, row)
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

// meddle does what somebody else may do while a plan waits.
func (g *generator) meddle() {
	ctx := g.Context()
	switch g.IntN(8) {
	case 0:
		g.clock.Step(time.Duration(g.IntN(72)) * time.Hour)
	case 1:
		s, err := g.Source(ctx, g.source)
		g.do(err)
		s.Settings = g.settings()
		_, err = g.PutSource(ctx, me, "HR", s)
		g.do(err)
	case 2:
		g.another()
	case 3:
		g.people()
	case 4:
		g.load(importer.Incremental)
	case 5:
		for id := range g.snapshot() {
			if g.chance(20) {
				_, err := g.Directory.EditAccount(ctx, me, g.Realm, id, directory.Edit{Profile: map[string]any{"department": "Elsewhere", "nickName": "Z"}})
				if !fault.Is(err, fault.Conflict) { // a source decides it
					g.do(err)
				}
			}
		}
	case 6:
		for id := range g.snapshot() {
			if g.chance(20) {
				err := g.Directory.UnassignUser(ctx, me, g.Realm, g.source, id)
				if !fault.Is(err, fault.NotFound) {
					g.do(err)
				}
			}
		}
	default:
		for id := range g.snapshot() {
			if g.chance(30) {
				g.stir(id)
			}
		}
	}
}

// another imports from the other source.
func (g *generator) another() {
	ctx := g.Context()
	if g.other == "" {
		settings := g.settings()
		settings.Guard.Off = reconcile.Codes()
		s, err := g.PutSource(ctx, me, "Contractors", &importer.Source{Settings: settings})
		g.do(err)
		g.other = s.ID
	}
	s, err := g.Importer.Run(ctx, me, g.other, g.rows(), importer.RunOptions{Type: importer.Incremental})
	if fault.Is(err, fault.Invalid) {
		return
	}
	g.do(err)
	if s.State != importer.Completed {
		g.Fatalf("the other source: %s %s: %s %+v", s.State, s.Phase, s.Error, s.Holds)
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

// load imports the next rows of the source; nobody approves what is held.
func (g *generator) load(t importer.Type) {
	_, err := g.Importer.Run(g.Context(), me, g.source, g.next(), importer.RunOptions{Type: t})
	if fault.Is(err, fault.Invalid) { // no rows and no headings
		return
	}
	g.do(err)
	g.do(g.Settle(g.Context()))
	g.reject()
}

// reject closes what is held of the source, one after the other.
func (g *generator) reject() {
	for {
		list, err := g.Sessions(g.Context(), importer.SessionQuery{Source: g.source, States: []importer.State{importer.Triggered}})
		g.do(err)
		i := slices.IndexFunc(list, func(s *importer.Session) bool { return s.Phase == importer.Held })
		if i < 0 {
			return
		}
		_, err = g.Reject(g.Context(), me, list[i].ID, "")
		g.do(err)
		g.do(g.Settle(g.Context()))
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
	if g.chance(40) {
		g.another()
	}
	for range g.IntN(5) {
		g.load(t())
		for id := range g.snapshot() {
			if g.chance(15) {
				g.stir(id)
			}
		}
		if g.chance(20) {
			g.clock.Step(time.Duration(g.IntN(48)) * time.Hour)
		}
	}
	source := g.next()
	before := g.commits()
	plan, err := g.Preview(ctx, g.source, source, importer.PreviewOptions{Type: t()})
	g.equal("commits while previewing", g.commits(), before)
	if fault.Is(err, fault.Invalid) { // no rows and no headings
		return ""
	}
	g.do(err)
	plan = g.throughJSON(plan)
	if g.chance(40) {
		g.meddle()
	}
	g.do(g.Settle(ctx)) // whose day has come meanwhile
	g.reject()
	was, had := g.snapshot(), g.assigned()
	session, err := g.Apply(ctx, me, plan)
	if fault.Is(err, fault.Stale) {
		g.equal("what a stale plan changed", g.snapshot(), was)
		g.equal("whom a stale plan assigned", g.assigned(), had)
		return "stale"
	}
	g.do(err)
	if session.Phase == importer.Held {
		g.equal("what a held plan changed", g.snapshot(), was)
		g.equal("whom a held plan assigned", g.assigned(), had)
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
	g.belongs(plan, session, had)
	return ""
}

func (g *generator) throughJSON(p *importer.Plan) *importer.Plan {
	defer p.Close()
	var text bytes.Buffer
	_, err := p.WriteTo(&text)
	g.do(err)
	if !json.Valid(text.Bytes()) {
		g.Fatalf("a plan is no JSON document:\n%s", text.String())
	}
	out, err := importer.ReadPlan(&text)
	g.do(err)
	g.Cleanup(out.Close)
	return out
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

// assigned is what the source says of the accounts that have its application, by
// their ids.
func (g *generator) assigned() map[string]map[string]any {
	out := map[string]map[string]any{}
	list, err := g.Directory.AppUsers(g.Context(), g.Realm, g.source, "", "", 0)
	g.do(err)
	for _, a := range list {
		out[a.Account] = a.Profile
	}
	return out
}

// belongs makes sure that those have the application of the source, with what it
// says of them, whom the plan says, and no others.
func (g *generator) belongs(p *importer.Plan, s *importer.Session, before map[string]map[string]any) {
	entities, err := g.Entities(g.Context(), importer.EntityQuery{Session: s.ID})
	g.do(err)
	after := g.assigned()
	for _, e := range entities {
		_, has := after[e.Account]
		switch e.Action {
		case reconcile.Create, reconcile.LinkTo, reconcile.Update, reconcile.Reactivate:
			if !has {
				g.Errorf("%s %s has no application", e.Action, e.Account)
			}
			before[e.Account] = after[e.Account]
		case reconcile.Unchanged: // what the source says may have changed
			before[e.Account] = after[e.Account]
		case reconcile.Deactivate, reconcile.Suspend, reconcile.Unlink:
			if has {
				g.Errorf("%s %s still has the application", e.Action, e.Account)
			}
			delete(before, e.Account)
		}
	}
	g.equal("who has the application", after, before)
}

// compare makes sure that the directory is what it was with what the plan says.
func (g *generator) compare(p *importer.Plan, s *importer.Session, before map[string]*directory.Account) {
	entities, err := g.Entities(g.Context(), importer.EntityQuery{Session: s.ID})
	g.do(err)
	var all []importer.Entity
	for e, err := range p.Entities() {
		g.do(err)
		all = append(all, e.Entity)
	}
	if len(entities) != len(all) || len(all) != p.Size {
		g.Fatalf("%d entities, %d planned", len(entities), len(all))
	}
	after := g.snapshot()
	want := map[string]*directory.Account{}
	for id, a := range before {
		want[id] = a
	}
	for i, planned := range all {
		did := entities[i]
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
