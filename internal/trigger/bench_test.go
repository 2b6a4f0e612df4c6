package trigger_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/value"
)

// bench is a folder with triggers: a real store, and flows that are only noted.
type bench struct {
	t         *testing.T
	db        *store.DB
	directory *directory.Directory
	clock     *clock
	flows     *flows
	engine    *trigger.Engine
	desk      *trigger.Desk
	text      string // of triggers:
}

// clock is both clocks: the directory's, and the machine's.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) add(d time.Duration) { c.set(c.Now().Add(d)) }

// flows notes what is started.
type flows struct {
	mu     sync.Mutex
	order  []string                  // ids, as they were started first
	times  map[string]int            // how often Start was called
	inputs map[string]map[string]any // by id
	box    map[string]bool           // on the sandbox
	moving map[string]bool           // have not ended
	busy   bool                      // runs do not end by themselves
	fails  error                     // of Start
	hold   chan struct{}             // Start waits for it to be closed; nil: it does not
	begins func()                    // when Start is called; nil: nothing
	broken string                    // a file that cannot be loaded
	wrong  error                     // of Check
}

func newFlows() *flows {
	return &flows{times: map[string]int{}, inputs: map[string]map[string]any{}, box: map[string]bool{}, moving: map[string]bool{}}
}

func (f *flows) Load(_ context.Context, a trigger.Action) (trigger.Runnable, error) {
	if f.broken != "" && strings.HasSuffix(a.File, f.broken) {
		return nil, fault.New(fault.Invalid, "there is no step x").At("%s:7:3", f.broken)
	}
	return &flow{f, a}, nil
}

type flow struct {
	*flows
	action trigger.Action
}

// Check wants a login that is a text, when there is one.
func (f *flow) Check(inputs map[string]any) error {
	if f.wrong != nil {
		return f.wrong
	}
	if v, ok := inputs["login"]; ok {
		if _, ok := v.(string); !ok {
			return fault.New(fault.Invalid, "login: got number, want string")
		}
	}
	return nil
}

func (f *flow) Start(ctx context.Context, id, _ string, inputs map[string]any, sandbox bool) error {
	if f.begins != nil {
		f.begins()
	}
	if f.hold != nil {
		<-f.hold
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return f.fails
	}
	if f.times[id]++; f.times[id] == 1 {
		f.order = append(f.order, id)
		f.inputs[id], f.box[id], f.moving[id] = inputs, sandbox, f.busy
	}
	return nil
}

func (f *flow) Status(_ context.Context, id string) (trigger.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.times[id] == 0:
		return trigger.Outcome{}, fault.New(fault.NotFound, "there is no run %s", id)
	case f.moving[id]:
		return trigger.Outcome{Status: run.Running}, nil
	}
	return trigger.Outcome{Status: run.Succeeded, Outputs: []byte(`{"ok":true}`)}, nil
}

func (f *flow) Await(ctx context.Context, id string) (trigger.Outcome, error) {
	return f.Status(ctx, id)
}

// end lets every run end.
func (f *flows) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.moving)
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	db := sqlitetest.Open(t)
	b := &bench{t: t, db: db, clock: &clock{now: time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)}, flows: newFlows(), text: text}
	b.directory = directory.New(db.Directory())
	b.directory.Clock, b.directory.Hash = b.clock.Now, directory.HashRehearsal
	if err := b.directory.AddRealm(t.Context(), directory.Realm{ID: directory.OktaRealm, Kind: directory.Okta, Name: "Org"}); err != nil {
		t.Fatal(err)
	}
	b.restart()
	return b
}

// restart is a new process on the same folder.
func (b *bench) restart() {
	b.t.Helper()
	if err := b.reopen(); err != nil {
		b.t.Fatalf("Arm: %v", fault.Public(err))
	}
}

func (b *bench) reopen() error {
	key, err := secret.NewKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		b.t.Fatal(err)
	}
	b.engine = &trigger.Engine{
		Store: b.db.Trigger(), Directory: b.directory.Store, Starter: b.flows, Key: key, Now: b.clock.Now, Real: b.clock.Now, Log: slog.New(slog.DiscardHandler),
	}
	b.desk = &trigger.Desk{Engine: b.engine, Dir: "/etc/lanyard", Served: true}
	b.desk.Use(sections(b.t, b.text))
	return b.desk.Arm(b.t.Context())
}

// sections is what config makes of triggers:.
func sections(t *testing.T, text string) map[string]config.Section {
	t.Helper()
	c, err := config.Parse("lanyard.yaml", []byte("triggers:\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return c.Triggers
}

func (b *bench) tick() {
	b.t.Helper()
	if err := b.engine.Tick(b.t.Context()); err != nil {
		b.t.Fatalf("Tick: %v", err)
	}
}

// do asks the desk.
func (b *bench) do(c trigger.Command) *trigger.Reply {
	b.t.Helper()
	r, err := b.desk.Do(b.t.Context(), c)
	if err != nil {
		b.t.Fatalf("%s: %v", c.Do, err)
	}
	return r
}

// history is every firing, oldest first.
func (b *bench) history() []trigger.Firing {
	b.t.Helper()
	b.tick()
	r := b.do(trigger.Command{Do: trigger.History, Limit: 10_000})
	slices.Reverse(r.Firings)
	return r.Firings
}

// told is the history in short: state, key, and the reason's beginning.
func (b *bench) told() []string {
	b.t.Helper()
	var out []string
	for _, f := range b.history() {
		s := string(f.State) + " " + f.Key
		if f.Reason != "" {
			s += ": " + f.Reason
		}
		out = append(out, s)
	}
	return out
}

// started are the inputs of all runs in the order of their starts; every id was
// started once.
func (b *bench) started() []any {
	b.t.Helper()
	b.flows.mu.Lock()
	defer b.flows.mu.Unlock()
	var out []any
	for _, id := range b.flows.order {
		out = append(out, value.Clone(b.flows.inputs[id]))
	}
	return out
}
