package identitysource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/directory/directorytest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/identitysource"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// The tenant of these tests is our own façade over a directory of its own, with
// everything that it refuses. The other directory decides.

var me = directory.Actor{ID: "00uAdmin", Type: directory.UserActor}

// place is a directory with an identity source.
type place struct {
	dir     *directory.Directory
	imports *importer.Importer
	source  string
}

func newPlace(t *testing.T, clock *directorytest.Clock, settings reconcile.Settings) *place {
	t.Helper()
	db := sqlitetest.Open(t)
	d := directory.New(db.Directory())
	d.Clock, d.IDs = clock.Now, directory.NewIDs(clock.Now)
	if err := d.AddRealm(t.Context(), directory.Realm{ID: directory.OktaRealm, Kind: directory.Okta, Name: "Okta"}); err != nil {
		t.Fatal(err)
	}
	p := &place{dir: d, imports: &importer.Importer{Directory: d, Store: db.Importer(), Realm: directory.OktaRealm}}
	s, err := p.imports.PutSource(t.Context(), me, "HR", &importer.Source{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	p.source = s.ID
	return p
}

// statuses counts the accounts of a place by status.
func (p *place) statuses(t *testing.T) map[directory.Status]int {
	t.Helper()
	out := map[directory.Status]int{}
	err := p.dir.Store.View(t.Context(), func(r directory.Reader) error {
		clear(out)
		for a, err := range r.Accounts(directory.AccountQuery{Realm: directory.OktaRealm}) {
			if err != nil {
				return err
			}
			out[a.Status]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// world is a place that decides, a tenant, and what goes wrong between them.
type world struct {
	t               *testing.T
	clock           *directorytest.Clock
	local, there    *place
	api             http.Handler
	keeper          *keeper
	random          *rand.Rand
	troubled        bool
	calls, troubles int
	kill            context.CancelFunc
	runs            int
}

// keeper keeps progress in memory, as a disk would.
type keeper struct {
	at map[string]identitysource.Progress
}

func (k *keeper) Progress(_ context.Context, source string) (identitysource.Progress, error) {
	return k.at[source], nil
}

func (k *keeper) Keep(ctx context.Context, source string, p identitysource.Progress) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	k.at[source] = p
	return nil
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, clock: directorytest.NewClock(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)),
		keeper: &keeper{map[string]identitysource.Progress{}}, random: rand.New(rand.NewPCG(seed, 1)),
	}
	settings := reconcile.FileSettings()
	settings.Guard.Off = []reconcile.Code{reconcile.Removals}
	w.local = newPlace(t, w.clock, settings)
	tenant := reconcile.OktaSettings()
	tenant.Confirm = reconcile.Confirm{Exact: true, New: true}
	tenant.Guard.Off = []reconcile.Code{reconcile.Removals}
	tenant.Activate, tenant.Sourcing.Users = true, true
	w.there = newPlace(t, w.clock, tenant)
	w.local.imports.Outside = w
	own, err := w.local.imports.Source(t.Context(), w.local.source)
	if err == nil {
		own.To = &reconcile.Target{Connection: "okta", Source: "HR"}
		_, err = w.local.imports.PutSource(t.Context(), me, "HR", own)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.api = okta.New(okta.Options{
		Directory: w.there.dir, Sources: w.there.imports, BaseURL: "https://tenant.okta.com",
		Authorizer: okta.Tokens(map[string]string{"good": directory.Administrator}),
		Limits:     func() okta.LimitPolicy { return okta.LimitPolicy{Enforce: true} },
	})
	return w
}

func (w *world) Now() time.Time { return w.clock.Now() }

// Wait moves the clock on; the tenant works in the meantime.
func (w *world) Wait(ctx context.Context, d time.Duration) error {
	w.clock.Step(d)
	if err := w.there.imports.Settle(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return ctx.Err()
}

// serve asks the tenant.
func (w *world) serve(method, path string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://tenant.okta.com"+path, strings.NewReader(string(body)))
	r.Header.Set("Authorization", "SSWS good")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec
}

// Call implements identitysource.API, with trouble in one call of six.
func (w *world) Call(ctx context.Context, method, path string, body []byte) (identitysource.Answer, error) {
	w.calls++
	if ctx.Err() != nil {
		return identitysource.Answer{}, ctx.Err()
	}
	trouble := -1
	if w.troubled && w.random.IntN(6) == 0 {
		trouble = w.random.IntN(4)
		w.troubles++
	}
	switch trouble {
	case 0: // it never arrives
		return identitysource.Answer{}, fault.New(fault.Unavailable, "no answer")
	case 1: // the tenant fails
		return identitysource.Answer{Status: http.StatusInternalServerError, Body: []byte(`{"errorCode":"E0000009"}`)}, nil
	}
	rec := w.serve(method, path, body)
	switch trouble {
	case 2: // its answer is lost
		return identitysource.Answer{}, fault.New(fault.Timeout, "no answer")
	case 3: // the process ends
		w.kill()
		return identitysource.Answer{}, ctx.Err()
	}
	return identitysource.Answer{Status: rec.Code, Body: rec.Body.Bytes()}, nil
}

// rows are people of a file.
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

func people(n int) rows {
	out := make(rows, n)
	for i := range out {
		name := fmt.Sprintf("p%d@example.com", i)
		out[i] = reconcile.Row{"id": fmt.Sprintf("E%05d", i), "userName": name, "email": name, "firstName": fmt.Sprintf("P%d", i), "lastName": fmt.Sprintf("Q%d", i), "active": "true"}
	}
	return out
}

// Send implements importer.Outside.
func (w *world) Send(ctx context.Context, session string, _ reconcile.Target, entities iter.Seq2[*importer.PlanEntity, error]) (*importer.Sent, error) {
	tenant := &identitysource.Tenant{API: w, Source: w.there.source, Clock: w, Poll: 10 * time.Second}
	return tenant.Send(ctx, session, entities, w.keeper)
}

// run imports until it is through, starting again whenever the process ended.
func (w *world) run(r rows) *importer.Session {
	w.t.Helper()
	w.runs++
	for range 200 {
		var ctx context.Context
		ctx, w.kill = context.WithCancel(w.t.Context())
		s, err := w.local.imports.Run(ctx, me, w.local.source, r, importer.RunOptions{ID: fmt.Sprintf("run%d", w.runs)})
		w.kill()
		switch {
		case err == nil:
			if s.Sent == nil {
				s.Sent = &importer.Sent{}
			}
			return s
		case errors.Is(err, context.Canceled), fault.Is(err, fault.Unavailable), fault.Is(err, fault.Timeout):
		default:
			w.t.Fatal(err)
		}
	}
	w.t.Fatal("it never came to an end")
	return nil
}

// The seed's numbers, in a tenant: 100 created; one changed, 99 unchanged; one
// deactivated. Nothing is sent for those who are unchanged.
func TestMirror(t *testing.T) {
	w := newWorld(t, 0)
	r := people(100)
	out := w.run(r)
	if got := w.there.statuses(t); got[directory.Provisioned] != 100 || out.Sent.Changes != 100 || out.Counts.Added != 100 {
		t.Fatalf("%v, %+v, %+v", got, out.Sent, out.Counts)
	}
	r[7]["lastName"] = "Changed"
	out = w.run(r)
	if c := out.Counts; out.Sent.Changes != 1 || c.Updated != 1 || c.Unchanged != 99 {
		t.Errorf("%+v, %+v", out.Sent, c)
	}
	rec := w.serve("GET", "/api/v1/users/p7@example.com", nil)
	if !strings.Contains(rec.Body.String(), `"lastName":"Changed"`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	r[8]["active"] = "false"
	out = w.run(r)
	if got := w.there.statuses(t); out.Sent.Changes != 1 || out.Counts.Removed != 1 || got[directory.Deprovisioned] != 1 {
		t.Errorf("%+v, %+v, %v", out.Sent, out.Counts, got)
	}
	calls := w.calls
	if out = w.run(r); out.Sent.Changes != 0 || w.calls != calls {
		t.Errorf("nothing changed, and %d calls were made", w.calls-calls)
	}
}

// troubles is how often a test with trouble is repeated: few times, or as often as
// LANYARD_TROUBLES says.
func troubles(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("LANYARD_TROUBLES")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("LANYARD_TROUBLES: %v", err)
	}
	return n
}

// With a lost answer, a failure or an end of the process in one call of six, and
// the tenant's rate limit, everybody is there once in the end.
func TestMirrorThroughTrouble(t *testing.T) {
	for seed := range uint64(troubles(t, 2)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			w.troubled = true
			const n = 420
			w.run(people(n))
			for name, p := range map[string]*place{"tenant": w.there, "here": w.local} {
				if got := p.statuses(t); got[directory.Provisioned] != n || len(got) != 1 {
					t.Errorf("%s: %v", name, got)
				}
			}
			created, err := w.there.dir.Changes(t.Context(), directory.ChangeQuery{Realm: directory.OktaRealm, Kind: "user.lifecycle.create"}, 0, nil)
			if err != nil || len(created) != n {
				t.Errorf("%d people were created, %v", len(created), err)
			}
			t.Logf("%d calls, %d in trouble", w.calls, w.troubles)
		})
	}
}

// An import that safeguards hold sends nothing, unless somebody has agreed.
func TestMirrorHolds(t *testing.T) {
	w := newWorld(t, 0)
	s, err := w.local.imports.Source(t.Context(), w.local.source)
	if err != nil {
		t.Fatal(err)
	}
	s.Settings.Guard = reconcile.Limits{}
	if _, err := w.local.imports.PutSource(t.Context(), me, "HR", s); err != nil {
		t.Fatal(err)
	}
	r := people(100)
	w.run(r)
	for _, row := range r[:60] {
		row["active"] = "false"
	}
	calls := w.calls
	held := w.run(r)
	if held.Phase != importer.Held || w.calls != calls {
		t.Errorf("%s after %d calls", held.Phase, w.calls-calls)
	}
	approved, err := w.local.imports.Approve(t.Context(), me, held.ID, "the office has closed")
	if err != nil || approved.Phase != importer.Sending {
		t.Fatalf("%+v, %v", approved, err)
	}
	if err := w.local.imports.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.there.statuses(t); got[directory.Deprovisioned] != 60 {
		t.Errorf("approved: %v", got)
	}
}

// What the tenant refuses ends the session, and nothing is carried out here; an
// import that is cancelled while it is sent lets the next one go.
func TestRefused(t *testing.T) {
	w := newWorld(t, 0)
	r := people(3)
	r[0]["costCenter"] = "7" // which the tenant's application does not have
	if s := w.run(r); s.State != importer.Failed || !strings.Contains(s.Error, "costCenter") || !strings.Contains(s.Remedy, "none") {
		t.Errorf("%s %q %q", s.State, s.Error, s.Remedy)
	}
	for name, p := range map[string]*place{"tenant": w.there, "here": w.local} {
		if got := p.statuses(t); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	delete(r[0], "costCenter")
	if s := w.run(r); s.State != importer.Completed || s.Sent.Changes != 3 {
		t.Errorf("%s %+v", s.State, s.Sent)
	}
}

// wire makes calls as a connection does.
type wire struct {
	w    *world
	seen map[string]bool
}

func (c *wire) Do(_ context.Context, _ *connector.Connection, call connector.Call) connector.Exchange {
	c.seen[call.Operation.ID] = true
	rec := c.w.serve(call.Request.Method, call.Request.Path, call.Request.Body)
	body, _ := io.ReadAll(rec.Body)
	return connector.Exchange{Response: connector.Response{Status: rec.Code, Header: rec.Header(), Body: body}}
}

// Calls on a connection are those that the catalogue describes, so that its rate
// limits and scopes count.
func TestOver(t *testing.T) {
	w := newWorld(t, 0)
	c := &wire{w, map[string]bool{}}
	api, err := identitysource.Over(c, &connector.Connection{Name: "okta", Entry: catalog.Find("okta")})
	if err != nil {
		t.Fatal(err)
	}
	tenant := &identitysource.Tenant{API: api, Source: w.there.source, Clock: w}
	changes := func(yield func(identitysource.Change, error) bool) {
		yield(identitysource.Change{ExternalID: "E", Profile: map[string]any{"userName": "e@example.com", "email": "e@example.com", "firstName": "E", "lastName": "F"}}, nil)
	}
	if _, err := tenant.Push(t.Context(), "w", changes, w.keeper); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"listIdentitySourceSessions", "createIdentitySourceSession", "uploadIdentitySourceDataForUpsert", "startImportFromIdentitySource", "getIdentitySourceSession"} {
		if !c.seen[id] {
			t.Errorf("%s was not called", id)
		}
	}
	if got := w.there.statuses(t); got[directory.Provisioned] != 1 {
		t.Errorf("%v", got)
	}
	if _, err := identitysource.Over(c, &connector.Connection{Name: "auth0", Entry: catalog.Find("auth0")}); err == nil {
		t.Error("a connection to Auth0 was taken")
	}
}
