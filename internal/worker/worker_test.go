package worker_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// memory is a worker.Store for tests that look at single commits.
type memory struct {
	mu      sync.Mutex
	plans   map[string][]byte
	runs    map[string]run.Run
	order   []string
	records map[string][]run.Record
	items   []run.Item
	groups  []int                              // entries of each commit
	before  func(entries []worker.Entry) error // called before a commit
}

func newMemory() *memory {
	return &memory{plans: map[string][]byte{}, runs: map[string]run.Run{}, records: map[string][]run.Record{}}
}

func (m *memory) SavePlan(_ context.Context, digest string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plans[digest] = data
	return nil
}

func (m *memory) Plan(_ context.Context, digest string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if data, ok := m.plans[digest]; ok {
		return data, nil
	}
	return nil, fault.New(fault.NotFound, "no plan %s", digest)
}

func (m *memory) Append(_ context.Context, entries []worker.Entry) error {
	if m.before != nil {
		if err := m.before(entries); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if e.Record.Run == "" {
			continue
		}
		_, exists := m.runs[e.Record.Run]
		if e.Create != nil && exists || e.Record.Seq != len(m.records[e.Record.Run])+1 {
			return fault.New(fault.Conflict, "record %d of run %s exists", e.Record.Seq, e.Record.Run)
		}
	}
	m.groups = append(m.groups, len(entries))
	for _, e := range entries {
		if i := e.Item; i != nil {
			m.items = slices.DeleteFunc(m.items, func(o run.Item) bool { return o.Run == i.Run && o.Loop == i.Loop && o.Position == i.Position })
			m.items = append(m.items, *i)
		}
		id := e.Record.Run
		if id == "" {
			continue
		}
		for i := range m.items {
			if e.WipeItems && m.items[i].Run == id && m.items[i].Sealed != nil {
				m.items[i].Sealed = []byte{}
			}
		}
		if e.Create != nil {
			m.runs[id] = *e.Create
			m.order = append(m.order, id)
		}
		if e.Update != nil {
			m.runs[id] = *e.Update
		}
		m.records[id] = append(m.records[id], e.Record)
		if e.Wipe {
			for i := range m.records[id] {
				if m.records[id][i].Sealed != nil || m.records[id][i].Seq == e.Record.Seq {
					m.records[id][i].Sealed = []byte{}
				}
			}
		}
	}
	return nil
}

func (m *memory) Run(_ context.Context, id string) (run.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.runs[id]; ok {
		return r, nil
	}
	return run.Run{}, fault.New(fault.NotFound, "no run %s", id)
}

func (m *memory) Runs(_ context.Context, f worker.Filter) ([]run.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []run.Run
	for _, id := range slices.Backward(m.order) {
		parent := ""
		if p := m.runs[id].Parent; p != nil {
			parent = p.Run
		}
		if r := m.runs[id]; parent == f.Parent && (len(f.Statuses) == 0 || slices.Contains(f.Statuses, r.Status)) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) Records(_ context.Context, id string, after int) ([]run.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records[id][min(after, len(m.records[id])):]), nil
}

func (m *memory) Items(_ context.Context, f worker.ItemFilter) ([]run.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []run.Item
	for _, i := range m.items {
		if i.Run == f.Run && (f.Loop == 0 || i.Loop == f.Loop) && i.Position >= f.From && (len(f.Statuses) == 0 || slices.Contains(f.Statuses, i.Status)) {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b run.Item) int { return cmp.Or(a.Loop-b.Loop, a.Position-b.Position) })
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[:f.Limit]
	}
	return out, nil
}

// callFunc is an executor and caller.
type callFunc func(ctx context.Context, c *engine.Call) *engine.Answer

func (f callFunc) Bind(context.Context, *plan.Plan, run.Bindings) (worker.Caller, error) {
	return f, nil
}

func (f callFunc) Call(ctx context.Context, c *engine.Call) *engine.Answer { return f(ctx, c) }

func (callFunc) Secrets() []string { return nil }

// answer makes a JSON answer.
func answer(status int, body string) *engine.Answer {
	a := &engine.Answer{Status: status, Header: map[string][]string{"Content-Type": {"application/json"}}}
	a.SetBody([]byte(body))
	return a
}

// ok answers every call alike.
func ok(context.Context, *engine.Call) *engine.Answer { return answer(200, `{"id":"1"}`) }

// process is a worker at work.
type process struct {
	*worker.Worker
	t    testing.TB
	life *drivertest.Life // nil outside the drivers' contract
	stop func()
}

func testKey(t testing.TB) secret.Key { return keyOf(t, "k") }

func otherKey(t testing.TB) secret.Key { return keyOf(t, "o") }

func keyOf(t testing.TB, letter string) secret.Key {
	t.Helper()
	key, err := secret.NewKey([]byte(strings.Repeat(letter, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// serve opens a worker and stops it when the test ends. change may be nil.
func serve(t testing.TB, s worker.Store, x worker.Executor, change func(*worker.Worker)) *process {
	t.Helper()
	w := &worker.Worker{Store: s, Executor: x, Key: testKey(t), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	if change != nil {
		change(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		if err := w.Serve(ctx, func() { close(ready) }); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	<-ready
	p := &process{Worker: w, t: t, stop: func() { cancel(); <-over }}
	t.Cleanup(p.stop)
	return p
}

// Start implements drivertest.Process.
func (p *process) Start(ctx context.Context, id string, pl *plan.Plan, inputs map[string]any) (bool, error) {
	return p.Worker.Start(ctx, run.Spec{ID: id, Trigger: "test"}, pl, inputs)
}

// Recover implements drivertest.Process.
func (p *process) Recover(ctx context.Context) error {
	_, err := p.Worker.Recover(ctx)
	return err
}

// Signal implements drivertest.Process.
func (p *process) Signal(ctx context.Context, id string, e engine.Event) error {
	return p.Worker.Signal(ctx, id, e, nil)
}

// Rest implements drivertest.Process.
func (p *process) Rest(ctx context.Context, id string) (run.Run, error) {
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.life != nil {
		go func() {
			select {
			case <-p.life.Dead():
				cancel()
			case <-wait.Done():
			}
		}()
	}
	if err := p.Await(wait, id, math.MaxInt); err != nil {
		return run.Run{}, err
	}
	return p.Store.Run(ctx, id)
}

// Stop implements drivertest.Process.
func (p *process) Stop() { p.stop() }

// start begins a run that must not exist.
func (p *process) start(id string, pl *plan.Plan, inputs map[string]any) {
	p.t.Helper()
	existed, err := p.Start(context.Background(), id, pl, inputs)
	if err != nil || existed {
		p.t.Fatalf("Start(%s) = %v, %s, want a new run", id, existed, fault.Public(err))
	}
}

// rest waits until a run has the status.
func (p *process) rest(id string, want run.Status) run.Run {
	p.t.Helper()
	r, err := p.Rest(context.Background(), id)
	if err != nil || r.Status != want {
		p.t.Fatalf("run %s is %s (%s), %v; want %s", id, r.Status, r.Reason, err, want)
	}
	return r
}

// watched dies at the boundaries that a life chooses.
type watched struct {
	worker.Store
	life *drivertest.Life
}

var errDead = errors.New("the process is dead")

func (s watched) Append(ctx context.Context, entries []worker.Entry) error {
	if s.life.Reach(drivertest.BeforeAppend) {
		return errDead
	}
	if err := s.Store.Append(ctx, entries); err != nil {
		return err
	}
	if s.life.Reach(drivertest.AfterAppend) {
		return errDead
	}
	return nil
}

// opener opens workers for the drivers' contract.
func opener(s worker.Store) drivertest.Open {
	return func(t testing.TB, l *drivertest.Life) drivertest.Process {
		p := serve(t, watched{s, l}, callFunc(l.Call), nil)
		p.life = l
		return p
	}
}

func TestDriver(t *testing.T) {
	drivertest.Run(t, func(testing.TB) drivertest.Open { return opener(newMemory()) }, drivertest.Options{Twice: true})
}

func TestDriverOnSQLite(t *testing.T) {
	drivertest.Run(t, func(t testing.TB) drivertest.Open { return opener(openSQLite(t).Journal()) }, drivertest.Options{})
}

func openSQLite(t testing.TB) *store.DB {
	t.Helper()
	db := sqlitetest.Open(t)
	return db
}

// two calls the API twice.
const two = `
workflows:
  - workflowId: main
    steps:
      - stepId: first
        operationId: putItem
        parameters: [{name: id, in: path, value: a}]
        requestBody: {payload: {name: a}}
      - stepId: second
        operationId: createItem
        requestBody: {payload: {name: b}}
`
