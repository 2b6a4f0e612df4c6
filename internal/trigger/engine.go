package trigger

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Starter reads what triggers start.
type Starter interface {
	// Load reads and checks a flow or an import. What is wrong with a document is
	// an error with its places.
	Load(ctx context.Context, a Action) (Runnable, error)
}

// Runnable is a flow or an import, as it was when it was loaded.
type Runnable interface {
	// Check reports inputs that do not fit, as fault.Invalid.
	Check(inputs map[string]any) error
	// Start begins a run under an id; one that was started under it before is left
	// alone. The run is on disk when it returns. by is the trigger, for the record.
	Start(ctx context.Context, id, by string, inputs map[string]any, sandbox bool) error
	// Status says where a run stands, or that there is none (fault.NotFound).
	Status(ctx context.Context, id string) (Outcome, error)
	// Await is Status once the run is at rest, or when ctx ends.
	Await(ctx context.Context, id string) (Outcome, error)
}

// Outcome is where a run stands.
type Outcome struct {
	Status  run.Status      `json:"status"`
	Reason  string          `json:"reason,omitempty"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
}

// Engine takes notice of what happens and starts what triggers say. Its fields
// are set before Arm and not changed after. It is safe for concurrent use.
type Engine struct {
	Store     Store
	Directory directory.Store
	Starter   Starter
	Key       secret.Key       // seals inputs that wait
	Now       func() time.Time // the directory's clock: schedules
	Real      func() time.Time // the machine's clock: everything else
	Log       *slog.Logger

	long    sync.WaitGroup // imports that are being begun; Serve owns them
	looking sync.Mutex     // held while schedules, changes and the queue are worked on; guards trimmed and what armed says
	trimmed time.Time      // the last time that old firings were removed

	mu         sync.Mutex // guards what follows
	armed      map[string]*armed
	switches   map[Switched]map[string]Switch
	open       map[string]map[string]bool // runs under way, of triggers that bound them
	busy       map[string]bool            // firings that somebody starts or settles
	done       map[string]bool            // firings that were settled since the queue was read last
	calls      map[string]chan struct{}   // that are being accepted; closed when that is over
	settled    []Firing                   // to be stored at the next look
	tally      map[string]Firing
	duplicates map[string]int
	again      map[string]time.Time // when a firing that could not be started is tried again
	wake       chan struct{}
	idle       bool // nothing waits to be started
}

// armed is a trigger with what it starts and how far it has looked.
type armed struct {
	*Trigger
	run Runnable

	// Guarded by Engine.looking.
	cursor Cursor
	next   time.Time // of a schedule: nothing is due before; zero: not computed
	looked time.Time // when that was computed
}

// Bounds of what is kept and tried.
const (
	// retention is how long firings are kept. What is told again within it is known
	// to be a duplicate.
	retention = 30 * 24 * time.Hour
	// poll is how often clock and change log are looked at.
	poll           = 200 * time.Millisecond
	maxAttempts    = 10
	maxDepth       = 5 // flows whose changes start flows
	batchOfChanges = 1000
	batchOfWaiting = 1000
	startsAtOnce   = 16
)

// Arm loads what the triggers start and takes them over in place of those that
// were armed before. When anything is wrong with any of them, all of it is
// reported and nothing changes.
func (e *Engine) Arm(ctx context.Context, triggers []*Trigger) error {
	fresh, err := e.load(ctx, triggers)
	if err != nil {
		return err
	}
	e.looking.Lock()
	defer e.looking.Unlock()
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if err := e.begin(ctx, fresh[name]); err != nil {
			return err
		}
	}
	if err := e.readSwitches(ctx); err != nil {
		return err
	}
	open, err := e.underWay(ctx, fresh)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.armed, e.idle = fresh, false
	e.open = map[string]map[string]bool{}
	for _, f := range open {
		e.opened(f.Trigger, f.ID)
	}
	if e.wake == nil {
		e.wake = make(chan struct{}, 1)
		e.calls = map[string]chan struct{}{}
		e.busy, e.again = map[string]bool{}, map[string]time.Time{}
		e.tally, e.duplicates = map[string]Firing{}, map[string]int{}
	}
	return nil
}

// load reads what triggers start.
func (e *Engine) load(ctx context.Context, triggers []*Trigger) (map[string]*armed, error) {
	out := map[string]*armed{}
	var errs []error
	for _, t := range triggers {
		r, err := e.Starter.Load(ctx, t.Action)
		if err != nil {
			errs = append(errs, atTrigger(t, err))
			continue
		}
		out[t.Name] = &armed{Trigger: t, run: r}
	}
	return out, fault.Join(errs...)
}

// underWay lists the firings whose runs take a place of the triggers that bound
// theirs: also calls that were accepted and not noted as started.
func (e *Engine) underWay(ctx context.Context, triggers map[string]*armed) ([]Firing, error) {
	open, err := e.Store.Firings(ctx, Query{Open: true})
	if err != nil {
		return nil, err
	}
	for name, t := range triggers { // the order does not matter
		if t.Endpoint == nil {
			continue
		}
		waiting, err := e.Store.Firings(ctx, Query{Trigger: name, State: Waiting})
		if err != nil {
			return nil, err
		}
		open = append(open, slices.DeleteFunc(waiting, func(f Firing) bool { return f.Kind != EndpointKind })...)
	}
	return open, nil
}

// add arms one more trigger, or another one in place of that of its name.
func (e *Engine) add(ctx context.Context, t *Trigger, r Runnable) error {
	a := &armed{Trigger: t, run: r}
	e.looking.Lock()
	defer e.looking.Unlock()
	if err := e.begin(ctx, a); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.armed[t.Name] = a
	return nil
}

// remove forgets a trigger that was added by command. It does not fire again.
func (e *Engine) remove(ctx context.Context, name string) error {
	e.looking.Lock() // else a look under way would store its cursor again
	defer e.looking.Unlock()
	if err := e.Store.RemoveDefinition(ctx, name); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.armed, name)
	delete(e.switches[SwitchTrigger], name)
	return nil
}

// atTrigger says which trigger cannot be armed. The reader of a document knows
// the places in it.
func atTrigger(t *Trigger, err error) error {
	return fault.Wrap(fault.KindOf(err), err, "trigger %s cannot start %s: %s", t.Name, t.Action, fault.Public(err)).At("%s", t.Place)
}

// begin gives a trigger the place from which it looks. One that never looked
// begins now: what happened before is none of its business.
func (e *Engine) begin(ctx context.Context, t *armed) error {
	c, ok, err := e.Store.Cursor(ctx, t.Name)
	if err != nil {
		return err
	}
	// Another kind of trigger may have had the name: only a schedule's cursor has a
	// time.
	if ok && c.Seen.IsZero() == (t.Schedule == nil) {
		t.cursor = c
		return nil
	}
	c, ok, err = e.latest(ctx, t.Trigger)
	if err != nil || !ok {
		return err
	}
	t.cursor = c
	_, err = e.Store.Accept(ctx, []Cursor{c}, nil)
	return err
}

// latest is the cursor of a trigger that has seen all there is; ok is false for
// one that does not look, but is told.
func (e *Engine) latest(ctx context.Context, t *Trigger) (c Cursor, ok bool, err error) {
	c.Trigger = t.Name
	switch {
	case t.Schedule != nil:
		c.Seen = e.now()
	case t.Directory != nil:
		c.Seq, err = e.lastChange(ctx)
	default:
		return c, false, nil
	}
	return c, true, err
}

// fromNow makes triggers that are switched on count from now: nothing is caught
// up that happened while they were off.
func (e *Engine) fromNow(ctx context.Context, triggers []*Trigger) error {
	e.looking.Lock()
	defer e.looking.Unlock()
	var cursors []Cursor
	for _, t := range triggers {
		c, ok, err := e.latest(ctx, t)
		if err != nil {
			return err
		}
		if ok {
			cursors = append(cursors, c)
		}
	}
	if len(cursors) == 0 {
		return nil
	}
	if _, err := e.Store.Accept(ctx, cursors, nil); err != nil {
		return err
	}
	for _, c := range cursors {
		if t := e.find(c.Trigger); t != nil {
			t.cursor, t.next = c, time.Time{}
		}
	}
	return nil
}

func (e *Engine) lastChange(ctx context.Context) (seq int64, err error) {
	err = e.Directory.View(ctx, func(r directory.Reader) error {
		for c, err := range r.Changes(directory.ChangeQuery{Newest: true, MaxRows: 1}) {
			if err != nil {
				return err
			}
			seq = c.Seq
		}
		return nil
	})
	return seq, err
}

// now is the directory's time in the resolution of the store.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Microsecond) }

// real is the machine's time in the resolution of the store.
func (e *Engine) real() time.Time { return e.Real().UTC().Truncate(time.Microsecond) }

// Serve looks at the clock, the change log and what waits until ctx ends. What
// an earlier process accepted and did not start is started first.
func (e *Engine) Serve(ctx context.Context) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	// What was decided meanwhile is stored, whatever happens.
	defer func() {
		e.long.Wait()
		if err := e.flush(context.WithoutCancel(ctx)); err != nil {
			e.Log.Error("what triggers did cannot be stored", "error", err)
		}
	}()
	var said complaint
	for {
		err := e.Tick(ctx)
		if said.news(err, time.Now()) && ctx.Err() == nil {
			e.Log.Error("triggers could not be looked at", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-e.wake:
		}
	}
}

// complaint is the error that was logged last. What stays broken would be logged
// several times a second.
type complaint struct {
	text string
	at   time.Time
}

// sayAgain is how long an error that stays is not logged again.
const sayAgain = time.Minute

// news reports whether an error is to be logged.
func (c *complaint) news(err error, now time.Time) bool {
	if err == nil {
		*c = complaint{}
		return false
	}
	if text := err.Error(); text != c.text || now.Sub(c.at) >= sayAgain {
		*c = complaint{text, now}
		return true
	}
	return false
}

// Tick looks once at all that may fire, and starts what waits and is due. What
// cannot be looked at keeps nothing else from being started.
func (e *Engine) Tick(ctx context.Context) error {
	e.looking.Lock()
	defer e.looking.Unlock()
	if err := e.flush(ctx); err != nil {
		return err
	}
	return fault.Join(e.schedules(ctx), e.changes(ctx), e.drain(ctx), e.trim(ctx))
}

// all returns the armed triggers in the order of their names.
func (e *Engine) all() []*armed {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*armed, 0, len(e.armed))
	for _, name := range slices.Sorted(maps.Keys(e.armed)) {
		out = append(out, e.armed[name])
	}
	return out
}

// find returns an armed trigger, nil for none.
func (e *Engine) find(name string) *armed {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.armed[name]
}

// Find returns an armed trigger by its name.
func (e *Engine) Find(name string) (*Trigger, bool) {
	if t := e.find(name); t != nil {
		return t.Trigger, true
	}
	return nil, false
}

// trim forgets what is older than the retention, now and then.
func (e *Engine) trim(ctx context.Context) error {
	now := e.real()
	if now.Sub(e.trimmed) < time.Hour {
		return nil
	}
	e.trimmed = now
	_, err := e.Store.Trim(ctx, now.Add(-retention))
	return err
}

// Wake makes Serve look at once.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default: // it will look anyway
	}
}
