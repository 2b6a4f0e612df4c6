package script_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// How long a process that is started again may take, once it is ready, until what
// another left moves: where that is measured, and beside other tests.
const (
	maxResume = 2 * time.Second
	hardlyAny = 20 * time.Second
)

// TestImportsKilled kills lanyard at random moments: while people are loaded
// through the identity source API, while files are imported, and while a flow works
// through a list. Whatever was cut off goes on by itself or can be started again at
// once; nobody is there twice, nothing that was acknowledged is lost, and the figures
// are those of imports that nobody disturbed. LANYARD_KILLS says how often.
func TestImportsKilled(t *testing.T) {
	kills, limit := sizeOf(t, "LANYARD_KILLS", 6), hardlyAny
	if os.Getenv("LANYARD_KILLS") != "" {
		limit = maxResume
	}
	k := newKilled(t)
	k.write("lanyard.yaml", fmt.Sprintf(`imports:
  hr: {from: {csv: people.csv}, mode: incremental, guard: {off: [%s]}}
triggers:
  nightly: {schedule: {cron: "0 3 1 1 *"}, import: hr}
`, strings.Trim(fmt.Sprint(commaed(reconcile.Codes())), "[]")))
	k.write("people.csv", personnel(0, cohort{}))
	k.write("flow.yaml", listDocument)
	k.write("people.yaml", crashDescription)
	k.up()
	loads := k.loads(kills / 3)
	files := k.files(kills / 3)
	k.lists(kills - 2*(kills/3))
	k.down()
	k.compare(loads, files)
	slices.Sort(k.took)
	n := len(k.took)
	t.Logf("killed %d times: %v; went on after %v, 99 of a hundred after %v, all after %v",
		k.kills, k.tally, k.took[n/2].Round(time.Millisecond), k.took[n*99/100].Round(time.Millisecond), k.took[n-1].Round(time.Millisecond))
	if k.took[n-1] > limit {
		t.Errorf("what was cut off went on after %v only", k.took[n-1])
	}
}

// TestImportCutOff kills a command, and what serves, while a source is being read:
// the next import works at once, and what a trigger began is begun again by itself,
// whether somebody fired it or its time had come.
func TestImportCutOff(t *testing.T) {
	k := newKilled(t)
	c := cohort{"C", 10, 0}
	source := newStallingSource(t)
	k.write("lanyard.yaml", `connections: {hr: {server: "`+source.URL+`", allowPrivate: true, auth: {type: none}}}
imports: {hr: {from: {http: {connection: hr, path: /people}}}}
triggers: {nightly: {schedule: {cron: "0 3 1 1 *"}, import: hr}}
`)
	cmd := k.command("import", "run", "hr")
	source.stall(personnel(0, c), cmd.Start)
	_ = cmd.Process.Kill() // it reads
	_ = cmd.Wait()
	k.lanyard("import", "run", "hr")
	k.up()
	if sum := k.settled(); sum.Added != c.size || k.tally["sessions ERROR"] != 1 {
		t.Errorf("%+v, %v", sum, k.tally)
	}
	client, fired := k.client, make(chan error, 1)
	source.stall(personnel(0, cohort{"D", c.size, 0}), func() error {
		go func() { // it waits until the source is read
			_, err := client.Triggers(t.Context(), trigger.Command{Do: trigger.Fire, Name: "nightly"})
			fired <- err
		}()
		return nil
	})
	_ = k.server.Process.Kill() // it reads
	if err := <-fired; err == nil {
		t.Error("the source was read to its end")
	}
	k.revive()
	k.fired()
	if sum := k.settled(); sum.Added != c.size || k.tally["sessions ERROR"] != 1 {
		t.Errorf("fired: %+v, %v", sum, k.tally)
	}
	k.down()
	k.clock = "2027-01-01T02:59:59Z"
	source.stall(personnel(0, cohort{"E", c.size, 0}), func() error {
		k.up()
		return nil
	})
	_ = k.server.Process.Kill() // it reads
	k.clock = "2027-01-01T03:00:10Z"
	k.revive()
	k.fired()
	if sum := k.settled(); sum.Added != c.size || k.tally["sessions ERROR"] != 1 {
		t.Errorf("scheduled: %+v, %v", sum, k.tally)
	}
	if said := k.lanyard("triggers", "history", "nightly"); strings.Count(said, "started") != 2 {
		t.Errorf("one was fired and one was due:\n%s", said)
	}
	k.down()
}

// fired waits until whatever triggers have accepted is begun.
func (k *killed) fired() {
	k.Helper()
	k.poll(func() bool {
		r, err := k.client.Triggers(k.Context(), trigger.Command{Do: trigger.History, State: trigger.Waiting})
		if err != nil {
			k.Fatal(err)
		}
		return len(r.Firings) == 0
	})
}

// stallingSource is an API of people whose next answer may never come.
type stallingSource struct {
	*testing.T
	*httptest.Server
	people atomic.Pointer[[]byte] // JSON
	asked  chan struct{}          // for an answer that does not come
	stalls atomic.Bool            // the next one does not
}

func newStallingSource(t *testing.T) *stallingSource {
	s := &stallingSource{T: t, asked: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stalls.CompareAndSwap(true, false) {
			s.asked <- struct{}{}
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(*s.people.Load())
	}))
	t.Cleanup(s.Close)
	return s
}

// stall starts something that reads the people of a file, and returns while it
// waits for them. Who asks after that gets them.
func (s *stallingSource) stall(text string, start func() error) {
	s.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		s.Fatal(err)
	}
	people := []map[string]string{}
	for _, row := range rows[1:] {
		one := map[string]string{}
		for i, v := range row {
			one[rows[0][i]] = v
		}
		people = append(people, one)
	}
	body, err := json.Marshal(people)
	if err != nil {
		s.Fatal(err)
	}
	s.people.Store(&body)
	s.stalls.Store(true)
	if err := start(); err != nil {
		s.Fatal(err)
	}
	<-s.asked
}

func commaed[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = string(one)
	}
	return strings.Join(out, ", ")
}

// settled waits until no session has anything before it, looks at those that are
// new, and returns their sum. Nothing is in the figures that was not applied, and
// nothing is missing in them.
func (k *killed) settled() (sum importer.Counts) {
	k.Helper()
	k.poll(func() bool {
		return !slices.ContainsFunc(k.sessions(), func(s *importer.Session) bool { return s.State.Active() })
	})
	for _, s := range k.sessions() {
		k.seen[s.ID] = true
		c := s.Counts
		k.tally["sessions "+string(s.State)]++
		if s.State == importer.Failed {
			if !s.Unread() {
				k.Errorf("session %s has failed: %s", s.ID, s.Error)
			}
			if c.Added+c.Updated+c.Removed > 0 {
				k.Errorf("session %s has failed, and did something: %+v", s.ID, c)
			}
			continue
		}
		if s.State != importer.Completed || c.Failed+c.Held+c.Linked+c.Suspended+c.Reactivated > 0 {
			k.Errorf("session %s is %s %s: %+v", s.ID, s.State, s.Phase, c)
		}
		if c.Added+c.Updated+c.Unchanged+c.Removed+c.Skipped != c.Scanned {
			k.Errorf("the figures of session %s do not add up: %+v", s.ID, c)
		}
		k.entities(s)
		sum.Scanned, sum.Added, sum.Updated, sum.Removed = sum.Scanned+c.Scanned, sum.Added+c.Added, sum.Updated+c.Updated, sum.Removed+c.Removed
	}
	return sum
}

// entities holds the figures of a session against what it did to whom.
func (k *killed) entities(s *importer.Session) {
	k.Helper()
	did := map[reconcile.Action]int{}
	twice := map[string]bool{}
	q := &importer.EntityQuery{Limit: 1000}
	for {
		r, err := k.client.Imports(k.Context(), importer.Command{Do: importer.ListEntities, Session: s.ID, Entities: q})
		if err != nil {
			k.Fatal(err)
		}
		for _, e := range r.Entities {
			if !e.Done || twice[e.ExternalID] {
				k.Errorf("session %s: %s, done: %t, twice: %t", s.ID, e.ExternalID, e.Done, twice[e.ExternalID])
			}
			twice[e.ExternalID] = true
			did[e.Action]++
			q.After = e.Seq
		}
		if len(r.Entities) < q.Limit {
			break
		}
	}
	if did[reconcile.Create] != s.Counts.Added || did[reconcile.Update] != s.Counts.Updated || did[reconcile.Deactivate] != s.Counts.Removed {
		k.Errorf("session %s says %+v, its people %v", s.ID, s.Counts, did)
	}
}

// cohort says how many people come in every round. In the round after they are
// changed, and in the one after that some of them leave.
type cohort struct {
	name          string
	size, leavers int
}

// want is what a round comes to.
func (c cohort) want(round int) (added, updated, removed int) {
	added = c.size
	if round > 0 {
		updated = c.size
	}
	if round > 1 {
		removed = c.leavers
	}
	return added, updated, removed
}

func (c cohort) id(round, i int) string { return fmt.Sprintf("%s%d-%d", c.name, round, i) }

const killedDomain = "@killed.example"

// names are those that people come with, and are changed to.
var names = [2]string{"Ash", "Birch"}

// personnel is the file of a round.
func personnel(round int, c cohort) string {
	var b strings.Builder
	b.WriteString("employee_id,first_name,last_name,email,status\n")
	for back := range min(round, 2) + 1 {
		people, status := c.size, "active"
		if back == 2 {
			people, status = c.leavers, "terminated"
		}
		for i := range people {
			id := c.id(round-back, i)
			fmt.Fprintf(&b, "%s,%s,%s,%s%s,%s\n", id, id, names[min(back, 1)], strings.ToLower(id), killedDomain, status)
		}
	}
	return b.String()
}

// played is what a number of rounds leaves behind.
type played struct {
	cohort
	rounds int
}

// files imports a file in each round: through what serves, as a process of its own,
// or by a trigger, is killed, and imports it again.
func (k *killed) files(kills int) played {
	c := cohort{"F", 1000, 100}
	ways := []func(time.Duration){k.served, k.alone, k.aloneThenServed, k.triggered}
	first, usual, round := k.random.IntN(len(ways)), 400*time.Millisecond, 0
	for before := k.kills; k.kills-before < kills; round++ {
		k.write("people.csv", personnel(round, c))
		ways[(first+round)%len(ways)](time.Duration(k.random.Int64N(int64(usual))))
		begun, done := time.Now(), k.tally["sessions "+string(importer.Completed)]
		k.lanyard("import", "run", "hr")
		took := time.Since(begun)
		if k.server == nil {
			k.up()
		}
		sum := k.settled()
		added, updated, removed := c.want(round)
		if sum.Added != added || sum.Updated != updated || sum.Removed != removed {
			k.Errorf("round %d added %d, updated %d, removed %d; want %d, %d, %d", round, sum.Added, sum.Updated, sum.Removed, added, updated, removed)
		}
		if k.tally["sessions "+string(importer.Completed)] == done+1 { // the import after the kill did it all
			usual = (usual + took) / 2
		}
	}
	return played{c, round}
}

// served kills what serves while a command waits for it.
func (k *killed) served(after time.Duration) {
	k.up()
	cmd := k.command("import", "run", "hr")
	if err := cmd.Start(); err != nil {
		k.Fatal(err)
	}
	<-time.After(after)
	k.tally["import through serve"]++
	_ = k.server.Process.Kill() // which serves still
	_ = cmd.Wait()              // it may have been told of the end, or not
	k.revive()
}

// alone kills the command itself.
func (k *killed) alone(after time.Duration) {
	k.down()
	cmd := k.command("import", "run", "hr")
	if err := cmd.Start(); err != nil {
		k.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
	if cmd.Wait() == nil {
		k.tally["too late for the command"]++
	} else {
		k.tally["import by itself"]++
		k.kills++
	}
	kill.Stop()
}

// aloneThenServed lets a process that serves go on with what a command began.
func (k *killed) aloneThenServed(after time.Duration) {
	k.alone(after)
	ready := k.up()
	if list := k.sessions(); len(list) > 0 {
		k.poll(func() bool {
			s := k.sessions()[0]
			return s.State != importer.Triggered || s.Version != list[0].Version
		})
	}
	k.moved(ready)
}

// triggered kills what serves while it imports what a trigger began. What was
// accepted is imported, with nobody asking again.
func (k *killed) triggered(after time.Duration) {
	k.up()
	kill := time.AfterFunc(after, func() { _ = k.server.Process.Kill() })
	_, err := k.client.Triggers(k.Context(), trigger.Command{Do: trigger.Fire, Name: "nightly"})
	if !kill.Stop() {
		k.tally["trigger, before it was accepted"]++
	} else {
		if err != nil {
			k.Fatal(err)
		}
		<-time.After(after / 2)
		_ = k.server.Process.Kill()
	}
	k.tally["import by a trigger"]++
	k.revive()
	k.fired() // though nobody may have been told that it was accepted
	if err == nil {
		k.poll(func() bool {
			return slices.ContainsFunc(k.sessions(), func(s *importer.Session) bool {
				return strings.HasPrefix(s.ID, "trg-") && s.State == importer.Completed
			})
		})
	}
}

// loads loads a session in each round through the identity source API, whose server
// is killed up to four times meanwhile. The client says again what was not answered.
func (k *killed) loads(kills int) played {
	c := cohort{"L", 400, 100}
	var app, session struct{ ID, Status string }
	k.ask(&app, "POST", "/api/v1/apps", `{"name":"custom_identity_source","label":"Loaded","features":["IMPORT_NEW_USERS","PROFILE_MASTERING"]}`)
	k.ask(nil, "PUT", "/api/v1/apps/"+app.ID+"/features/INBOUND_PROVISIONING", `{"importRules":{"userCreateAndMatch":{
		"autoConfirmExactMatch":true,"autoConfirmNewUsers":true,"autoActivateNewUsers":true}}}`)
	k.unguarded(app.ID)
	sessions := "/api/v1/identity-sources/" + app.ID + "/sessions"
	round := 0
	for done := 0; done < kills; round++ {
		before := k.kills
		k.kill(min(4, kills-done))
		if !k.ask(&session, "POST", sessions, "") { // the answer was lost: it is there
			var list []struct{ ID, Status string }
			k.ask(&list, "GET", sessions, "")
			session = list[0]
		}
		path := sessions + "/" + session.ID
		for _, b := range bulks(round, c) {
			k.ask(nil, "POST", path+b.path, b.body)
		}
		k.ask(nil, "POST", path+"/start-import", "") // refused when the answer was lost
		k.poll(func() bool {
			k.ask(&session, "GET", path, "")
			return session.Status == string(importer.Completed)
		})
		k.spare()
		done += k.kills - before
		sum := k.settled()
		added, updated, removed := c.want(round)
		if sum.Added != added || sum.Updated != updated || sum.Removed != removed || sum.Scanned != added+updated+removed {
			k.Errorf("round %d: %+v; want %d, %d, %d", round, sum, added, updated, removed)
		}
	}
	return played{c, round}
}

// unguarded lets a source change everybody at once.
func (k *killed) unguarded(source string) {
	k.Helper()
	r, err := k.client.Imports(k.Context(), importer.Command{Do: importer.ShowSource, Source: source})
	if err == nil {
		settings := r.Source.Settings
		settings.Guard.Off = reconcile.Codes()
		_, err = k.client.Imports(k.Context(), importer.Command{Do: importer.SetSource, Source: source, Label: r.Label, Settings: &settings})
	}
	if err != nil {
		k.Fatal(err)
	}
}

type bulk struct{ path, body string }

// bulks are the requests of a round, of 200 people each.
func bulks(round int, c cohort) (out []bulk) {
	const most = 200
	var people []string
	for back := range min(round, 1) + 1 {
		for i := range c.size {
			id := c.id(round-back, i)
			login := strings.ToLower(id) + killedDomain
			people = append(people, fmt.Sprintf(`{"externalId":%q,"profile":{"userName":%q,"email":%q,"firstName":%q,"lastName":%q}}`, id, login, login, id, names[back]))
		}
	}
	for part := range slices.Chunk(people, most) {
		out = append(out, bulk{"/bulk-upsert", `{"entityType":"USERS","profiles":[` + strings.Join(part, ",") + `]}`})
	}
	if round > 1 {
		var gone []string
		for i := range c.leavers {
			gone = append(gone, fmt.Sprintf(`{"externalId":%q}`, c.id(round-2, i)))
		}
		out = append(out, bulk{"/bulk-delete", `{"entityType":"USERS","profiles":[` + strings.Join(gone, ",") + `]}`})
	}
	return out
}

// lists lets flows work through lists, and kills what serves, up to ten times in
// each.
func (k *killed) lists(kills int) {
	const items = 25 // for each kill
	for n := 0; kills > 0; n++ {
		times := min(kills, 10)
		kills -= times
		l := &killedList{killed: k, id: fmt.Sprintf("run_list%d", n), people: &manyPeople{made: map[string]int{}}}
		l.play(items*(times+1), times)
	}
}

// killedList is one run that works through a list.
type killedList struct {
	*killed
	id     string
	people *manyPeople
}

func (l *killedList) play(n, times int) {
	server := httptest.NewServer(l.people)
	defer server.Close()
	l.up()
	start := l.command("run", "flow.yaml", "--server", "people="+server.URL, "--allow-private", "--id", l.id, "--input", fmt.Sprintf("n:=%d", n))
	for kill := range times {
		l.killAt(1 + l.random.IntN(n/(times+1)))
		if kill == 0 {
			_ = start.Run() // it is told of the end of what serves
		}
		_ = l.server.Wait()
		l.server = nil
		l.kills++
		l.tally["list"]++
		moved := l.killAt(0)
		ready := l.up()
		l.poll(func() bool { return len(moved) > 0 || l.run().Status != run.Running })
		l.moved(ready)
	}
	for held := 0; ; held++ {
		l.poll(func() bool { return l.run().Status != run.Running })
		r := l.run()
		if r.Status == run.Succeeded {
			break
		}
		if r.Status != run.Held || held > 8*times {
			l.Fatalf("the run is %s: %s", r.Status, r.Reason)
		}
		l.decide(r)
	}
	l.people.mu.Lock()
	defer l.people.mu.Unlock()
	for i := range n {
		if login := fmt.Sprintf("p%d", i); l.people.made[login] != 1 {
			l.Errorf("%s was made %d times", login, l.people.made[login])
		}
	}
}

// killAt kills what serves when so many more people were made; 0: not. Whoever
// listens learns of the next one.
func (l *killedList) killAt(more int) (next chan struct{}) {
	next = make(chan struct{}, 1)
	l.people.mu.Lock()
	defer l.people.mu.Unlock()
	at := l.people.hits + more
	server := l.server
	l.people.hook = func(hits int) {
		select {
		case next <- struct{}{}:
		default:
		}
		if more > 0 && hits >= at {
			_ = server.Process.Kill() // it may be dead
		}
	}
	return next
}

func (l *killedList) run() run.Run {
	r, err := l.client.Run(l.Context(), l.id)
	if err != nil {
		l.Fatal(err)
	}
	return r
}

// decide says of an item that is in doubt what a person finds out.
func (l *killedList) decide(r run.Run) {
	_, rest, _ := strings.Cut(r.Reason, ", ")
	login, _, _ := strings.Cut(rest, ":")
	l.people.mu.Lock()
	decision := "retry"
	if l.people.made[login] > 0 {
		decision = "skip"
	}
	l.people.mu.Unlock()
	l.tally["list: "+decision+" by a person"]++
	out, err := l.command("runs", decision, l.id, "--step", "plain").CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		l.Fatalf("%v: %s", err, out)
	}
}

// compare holds the directory against what the sources had: everybody is there once,
// was made once, and is as the source said last.
func (k *killed) compare(all ...played) {
	ctx := k.Context()
	db, err := sqlite.Open(ctx, filepath.Join(k.dir, ".lanyard", "lanyard.db"))
	if err != nil {
		k.Fatal(err)
	}
	defer db.Close()
	d := directory.New(db.Directory())
	changes, err := d.Changes(ctx, directory.ChangeQuery{Realm: directory.OktaRealm, Kind: "user.lifecycle.create"}, 0, nil)
	if err != nil {
		k.Fatal(err)
	}
	made := map[string]int{} // by account
	for i := range changes {
		made[changes[i].Target]++
	}
	want := map[string]person{}
	for _, p := range all {
		maps.Insert(want, p.people())
	}
	accounts, err := d.Accounts(ctx, directory.AccountQuery{Realm: directory.OktaRealm}, 0, nil)
	if err != nil {
		k.Fatal(err)
	}
	byLogin := map[string]*directory.Account{}
	for _, a := range accounts {
		login := directory.Fold(a.Login())
		if !strings.HasSuffix(login, killedDomain) {
			continue
		}
		w, known := want[login]
		switch {
		case byLogin[login] != nil:
			k.Errorf("%s is there twice", login)
		case !known:
			k.Errorf("%s is not in the source", login)
		case made[a.ID] != 1:
			k.Errorf("%s was made %d times", login, made[a.ID])
		case a.Profile["lastName"] != w.name || (a.Status == directory.Deprovisioned) != w.gone:
			k.Errorf("%s is %s with %v; want %+v", login, a.Status, a.Profile["lastName"], w)
		}
		byLogin[login] = a
	}
	if len(byLogin) != len(want) {
		k.Errorf("%d people, want %d", len(byLogin), len(want))
	}
	k.links(ctx, db.Importer(), byLogin, want)
}

// links makes sure that everybody has one externalId, and each of them one account.
func (k *killed) links(ctx context.Context, store importer.Store, accounts map[string]*directory.Account, want map[string]person) {
	owner := map[string]string{}
	err := store.View(ctx, func(r importer.Reader) error {
		var sources []string
		list, err := r.ImportSessions(importer.SessionQuery{Realm: directory.OktaRealm})
		for _, s := range list {
			if !slices.Contains(sources, s.Source) {
				sources = append(sources, s.Source)
			}
		}
		for _, source := range sources {
			for l, err := range r.EachImportLink(importer.LinkQuery{Source: source, Kind: importer.UserKind}) {
				if err != nil {
					return err
				}
				if owner[l.Account] != "" {
					k.Errorf("%s is %s and %s", l.Account, owner[l.Account], l.ExternalID)
				}
				owner[l.Account] = l.ExternalID
			}
		}
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	for login, w := range want {
		if a := accounts[login]; a != nil && owner[a.ID] != w.id {
			k.Errorf("%s is %q, want %q", login, owner[a.ID], w.id)
		}
	}
}

// person is how somebody has to be in the end.
type person struct {
	id, name string
	gone     bool
}

// people are those of all rounds, by login.
func (p played) people() func(yield func(string, person) bool) {
	return func(yield func(string, person) bool) {
		for round := range p.rounds {
			for i := range p.size {
				id := p.id(round, i)
				w := person{id: id, name: names[1], gone: i < p.leavers && round+2 < p.rounds}
				if round == p.rounds-1 {
					w.name = names[0]
				}
				if !yield(strings.ToLower(id)+killedDomain, w) {
					return
				}
			}
		}
	}
}
