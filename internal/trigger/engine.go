package trigger

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
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
	Poll      time.Duration // how often clock and change log are looked at; 0: 200 ms
	Retention time.Duration // how long firings are kept, and known again; 0: DefaultRetention

	long    sync.WaitGroup // imports that are being begun; Serve owns them
	looking sync.Mutex     // held while schedules, changes and the queue are worked on

	mu         sync.Mutex // guards what follows
	armed      map[string]*armed
	switches   map[Switched]map[string]Switch
	open       map[string]map[string]bool // runs under way, of triggers that bound them
	busy       map[string]bool            // firings that somebody starts or settles
	calls      map[string]chan struct{}   // that are being accepted; closed when that is over
	settled    []Firing                   // to be stored at the next look
	tally      map[string]Firing
	duplicates map[string]int
	again      map[string]time.Time // when a firing that could not be started is tried again
	wake       chan struct{}
	idle       bool // nothing waits to be started
	trimmed    time.Time
}

// armed is a trigger with what it starts and how far it has looked.
type armed struct {
	*Trigger
	run    Runnable
	cursor Cursor
	next   time.Time // of a schedule: nothing is due before; zero: not computed
	looked time.Time // when that was computed
}

// Bounds of what is kept and tried.
const (
	// DefaultRetention is how long firings are kept. What is told again within it
	// is known to be a duplicate.
	DefaultRetention = 30 * 24 * time.Hour
	maxAttempts      = 10
	maxDepth         = 5 // flows whose changes start flows
	batchOfChanges   = 1000
	batchOfWaiting   = 1000
	startsAtOnce     = 16
)

// Arm loads what the triggers start and takes them over in place of those that
// were armed before. When anything is wrong with any of them, all of it is
// reported and nothing changes.
func (e *Engine) Arm(ctx context.Context, triggers []*Trigger) error {
	fresh := map[string]*armed{}
	var errs []error
	for _, t := range triggers {
		r, err := e.Starter.Load(ctx, t.Action)
		if err != nil {
			errs = append(errs, atTrigger(t, err))
			continue
		}
		fresh[t.Name] = &armed{Trigger: t, run: r}
	}
	if err := fault.Join(errs...); err != nil {
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
	open, err := e.Store.Firings(ctx, Query{Open: true})
	if err != nil {
		return err
	}
	// Calls that were accepted and not noted as started may be under way.
	waiting, err := e.Store.Firings(ctx, Query{State: Waiting})
	if err != nil {
		return err
	}
	for _, f := range waiting {
		if f.Kind == EndpointKind {
			open = append(open, f)
		}
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
	t.cursor = c
	t.cursor.Trigger = t.Name
	switch {
	case t.Schedule != nil && (!ok || c.Seen.IsZero()):
		t.cursor.Seen = e.now()
	case t.Directory != nil && !ok:
		if t.cursor.Seq, err = e.lastChange(ctx); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = e.Store.Accept(ctx, []Cursor{t.cursor}, nil)
	return err
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

func (e *Engine) readSwitches(ctx context.Context) error {
	all, err := e.Store.Switches(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.switches = map[Switched]map[string]Switch{SwitchTrigger: {}, SwitchFlow: {}}
	for _, s := range all {
		if e.switches[s.What] != nil {
			e.switches[s.What][s.Name] = s
		}
	}
	return nil
}

// now is the directory's time in the resolution of the store.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Microsecond) }

// real is the machine's time in the resolution of the store.
func (e *Engine) real() time.Time { return e.Real().UTC().Truncate(time.Microsecond) }

// off says why a trigger does not fire, "" when it does. silent says that it was
// written so: then nobody need be told.
func (e *Engine) off(t *Trigger) (why string, silent bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switched, ok := e.switches[SwitchTrigger][t.Name]
	switch {
	case ok && switched.Off:
		return because("the trigger is switched off", switched), false
	case !ok && !t.Enabled:
		return "the trigger is not enabled", true
	}
	if name, s := e.flowOff(t); name != "" {
		return because("the flow "+name+" is switched off", s), false
	}
	return "", false
}

// flowOff returns the flow of a trigger that is switched off, under the name that
// was given to the switch; "" when none is. The caller holds mu.
func (e *Engine) flowOff(t *Trigger) (name string, s Switch) {
	file, _, _ := strings.Cut(t.Action.Flow, "#")
	for _, name := range []string{t.Action.Flow, file} {
		if s, ok := e.switches[SwitchFlow][name]; ok && s.Off && name != "" {
			return name, s
		}
	}
	return "", Switch{}
}

// turnOn is the command that lets a trigger fire that is off.
func (e *Engine) turnOn(t *Trigger) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	name, _ := e.flowOff(t)
	if s, ok := e.switches[SwitchTrigger][t.Name]; name == "" || ok && s.Off || !ok && !t.Enabled {
		return "lanyard triggers on " + t.Name
	}
	return "lanyard triggers on --flow " + name
}

func because(what string, s Switch) string {
	if s.Why != "" {
		return what + ": " + s.Why
	}
	return what
}

// Serve looks at the clock, the change log and what waits until ctx ends. What
// an earlier process accepted and did not start is started first.
func (e *Engine) Serve(ctx context.Context) {
	ticker := time.NewTicker(cmp.Or(e.Poll, 200*time.Millisecond))
	defer ticker.Stop()
	// What was decided meanwhile is stored, whatever happens.
	defer func() {
		e.long.Wait()
		if err := e.flush(context.WithoutCancel(ctx)); err != nil {
			e.Log.Error("what triggers did cannot be stored", "error", err)
		}
	}()
	for {
		if err := e.Tick(ctx); err != nil && ctx.Err() == nil {
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

// Tick looks once at all that may fire, and starts what waits and is due.
func (e *Engine) Tick(ctx context.Context) error {
	e.looking.Lock()
	defer e.looking.Unlock()
	if err := e.flush(ctx); err != nil {
		return err
	}
	if err := e.schedules(ctx); err != nil {
		return err
	}
	if err := e.changes(ctx); err != nil {
		return err
	}
	if err := e.drain(ctx); err != nil {
		return err
	}
	return e.trim(ctx)
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

// schedules accepts the due times of all schedules.
func (e *Engine) schedules(ctx context.Context) error {
	now := e.now()
	for _, t := range e.all() {
		if t.Schedule == nil || !t.next.IsZero() && now.Before(t.next) && !now.Before(t.looked) {
			continue
		}
		if now.After(t.cursor.Seen) {
			if err := e.look(ctx, t, now); err != nil {
				return err
			}
		}
		from := now
		if t.cursor.Seen.After(from) { // the clock was put back: nothing is decided twice
			from = t.cursor.Seen
		}
		t.next, t.looked = t.Schedule.Cron.Next(from), now
	}
	return nil
}

// look decides about the due times of one schedule up to now.
func (e *Engine) look(ctx context.Context, t *armed, now time.Time) error {
	look := t.Schedule.Look(t.cursor.Seen, now)
	if len(look.Run) == 0 && look.Missed == 0 {
		return nil
	}
	why, silent := e.off(t.Trigger)
	var firings []Firing
	for _, due := range look.Run {
		if silent {
			break
		}
		f := e.prepare(t, scheduled(due))
		f.Due = t.Schedule.Start(t.Name, due).UTC()
		if why != "" {
			f.State, f.Reason, f.Sealed = Refused, why, nil
		}
		firings = append(firings, f)
	}
	if look.Missed > 0 && !silent {
		f := e.row(t.Trigger, "missed/"+look.From.UTC().Format(time.RFC3339)+"/"+look.To.UTC().Format(time.RFC3339))
		f.State, f.Count, f.Due, f.Reason = Missed, look.Missed, look.To.UTC(), missedWords(look, t.Schedule)
		firings = append(firings, f)
	}
	c := Cursor{Trigger: t.Name, Seen: now}
	if _, err := e.Store.Accept(ctx, []Cursor{c}, firings); err != nil {
		return err
	}
	e.more()
	t.cursor = c
	return nil
}

func missedWords(look Look, s *Schedule) string {
	words := "due at " + look.From.UTC().Format(time.RFC3339)
	if !look.To.Equal(look.From) {
		words = "due from " + look.From.UTC().Format(time.RFC3339) + " to " + look.To.UTC().Format(time.RFC3339)
	}
	if look.More {
		words += ", and before"
	}
	return words + "; catchUp: " + string(s.CatchUp)
}

// scheduled is a due time as an event.
func scheduled(due time.Time) Occurrence {
	at := due.UTC().Format(time.RFC3339)
	return Occurrence{Key: "due/" + at, Event: map[string]any{"due": at, "local": due.Format(time.RFC3339), "date": due.Format(time.DateOnly)}}
}

// firingID is the id of a firing and of its run.
func firingID(trigger, key string) string {
	t, k := sha256.Sum256([]byte(trigger)), sha256.Sum256([]byte(trigger+"\x00"+key))
	return idPrefix + hex.EncodeToString(t[:4]) + "-" + hex.EncodeToString(k[:10])
}

const (
	idPrefix = "trg-"
	idLength = len(idPrefix) + 8 + 1 + 20
)

// sameTrigger reports whether two firings are of one trigger.
func sameTrigger(a, b string) bool {
	const upTo = len(idPrefix) + 8
	return len(a) >= upTo && len(b) >= upTo && a[:upTo] == b[:upTo]
}

// row is a firing of a trigger without anything to start.
func (e *Engine) row(t *Trigger, key string) Firing {
	at := e.real()
	return Firing{ID: firingID(t.Name, key), Trigger: t.Name, Kind: t.Kind(), Key: key, Action: t.Action.String(), At: at, Due: e.now()}
}

// prepare makes a firing of something that happened: waiting with its inputs, or
// refused when they do not fit.
func (e *Engine) prepare(t *armed, o Occurrence) Firing {
	f := e.row(t.Trigger, o.Key)
	inputs, err := t.inputs(o.Event)
	if err == nil {
		err = t.check(t.run, inputs)
	}
	if err == nil {
		f.Sealed, err = e.seal(f.ID, inputs)
	}
	if err != nil {
		f.State, f.Reason = Refused, fault.Public(err)
		return f
	}
	f.State = Waiting
	return f
}

// inputs makes the inputs for an event. Without a mapping, an endpoint's body is
// taken as it is, and the others have none.
func (t *Trigger) inputs(event map[string]any) (map[string]any, error) {
	if t.Inputs != nil {
		return t.Inputs.Inputs(event)
	}
	if t.Endpoint != nil {
		if body, ok := event["body"].(map[string]any); ok {
			return body, nil
		}
	}
	return map[string]any{}, nil
}

// check refuses inputs that what is started cannot take, and says where they come
// from.
func (t *Trigger) check(r Runnable, inputs map[string]any) error {
	err := r.Check(inputs)
	var wrong *plan.InputError
	if !errors.As(err, &wrong) {
		return err
	}
	e := fault.Wrap(fault.Invalid, err, "%s", fault.Public(err))
	switch {
	case t.Inputs == nil && t.Endpoint != nil:
		return e.Fix("send each input as a member of the body, or map them under inputs: of the trigger %s", t.Name)
	case t.Inputs == nil:
		return e.Fix("map them under inputs: of the trigger %s", t.Name)
	}
	return e.Fix("look at inputs: of the trigger %s, and at what it was told", t.Name)
}

// wants reports whether the filter lets an event through.
func (t *Trigger) wants(event, user map[string]any) (bool, error) {
	if t.Filter == nil {
		return true, nil
	}
	return t.Filter.Test(filterEnv{"event": event, "user": user})
}

func (e *Engine) seal(id string, inputs map[string]any) ([]byte, error) {
	plain, err := value.Encode(inputs)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the inputs cannot be stored")
	}
	return e.Key.Seal(plain, []byte(id))
}

func (e *Engine) unseal(f *Firing) (map[string]any, error) {
	plain, err := e.Key.Open(f.Sealed, []byte(f.ID))
	if err != nil {
		return nil, err
	}
	v, err := value.Decode(plain)
	inputs, _ := v.(map[string]any)
	return inputs, err
}

// changes accepts what the change log tells of people.
func (e *Engine) changes(ctx context.Context) error {
	var watching []*armed
	for _, t := range e.all() {
		if t.Directory != nil {
			watching = append(watching, t)
		}
	}
	for len(watching) > 0 {
		read, err := e.changesBatch(ctx, watching)
		if err != nil || read < batchOfChanges {
			return err
		}
	}
	return nil
}

// changesBatch reads a part of the change log, from where the hindmost trigger
// stands.
func (e *Engine) changesBatch(ctx context.Context, watching []*armed) (read int, err error) {
	after := watching[0].cursor.Seq
	for _, t := range watching {
		after = min(after, t.cursor.Seq)
	}
	var last int64
	var firings []Firing
	err = e.Directory.View(ctx, func(r directory.Reader) error {
		var batch []directory.Change
		var unreadable *directory.UnreadableChange
		for c, err := range r.Changes(directory.ChangeQuery{After: after, MaxRows: batchOfChanges}) {
			if errors.As(err, &unreadable) {
				break
			}
			if err != nil {
				return err
			}
			batch = append(batch, c)
		}
		read = len(batch)
		if unreadable != nil { // the next batch begins behind it
			read, last = batchOfChanges, unreadable.Seq
			firings = e.skipAll(watching, unreadable)
		}
		for i := range batch {
			last = max(last, batch[i].Seq)
			for _, t := range watching {
				if batch[i].Seq <= t.cursor.Seq {
					continue
				}
				f, err := e.change(ctx, r, t, &batch[i])
				if err != nil {
					return err
				}
				if f != nil {
					firings = append(firings, *f)
				}
			}
		}
		return nil
	})
	if err != nil || read == 0 {
		return read, err
	}
	cursors := make([]Cursor, len(watching))
	for i, t := range watching {
		cursors[i] = Cursor{Trigger: t.Name, Seq: max(last, t.cursor.Seq)}
	}
	if _, err := e.Store.Accept(ctx, cursors, firings); err != nil {
		return read, err
	}
	e.more()
	for i, t := range watching {
		t.cursor = cursors[i]
	}
	return read, nil
}

// change makes a firing of an entry of the change log, nil when it is none.
func (e *Engine) change(ctx context.Context, r directory.Reader, t *armed, c *directory.Change) (*Firing, error) {
	o, user, err := t.Directory.occurrence(r, c)
	var unreadable *directory.UnreadableChange
	if errors.As(err, &unreadable) {
		return e.skip(t, unreadable), nil
	}
	if err != nil || o == nil {
		return nil, err
	}
	why, silent := e.off(t.Trigger)
	if silent {
		return nil, nil
	}
	ok, err := t.wants(o.Event, user)
	if err == nil && !ok {
		return nil, nil
	}
	f := e.prepare(t, *o)
	if err != nil {
		f.State, f.Reason, f.Sealed = Refused, "the filter cannot be evaluated: "+fault.Public(err), nil
	}
	if why != "" {
		f.State, f.Reason, f.Sealed = Refused, why, nil
	}
	return e.guardLoop(ctx, t, &f, c)
}

// skip is what the history says of an entry of the change log that cannot be
// read, nil for a trigger that is off. One bad entry must not keep those behind
// it from being told.
func (e *Engine) skip(t *armed, u *directory.UnreadableChange) *Firing {
	e.Log.Error("an entry of the change log cannot be read; the trigger leaves it out", "trigger", t.Name, "entry", u.Seq, "error", u.Err)
	if why, _ := e.off(t.Trigger); why != "" {
		return nil
	}
	f := e.row(t.Trigger, changeKey(u.Seq))
	f.State, f.Reason = Failed, fmt.Sprintf("entry %d of the change log cannot be read; it was left out", u.Seq)
	return &f
}

// skipAll is skip for all triggers that have not looked so far.
func (e *Engine) skipAll(watching []*armed, u *directory.UnreadableChange) (out []Firing) {
	for _, t := range watching {
		if u.Seq <= t.cursor.Seq {
			continue
		}
		if f := e.skip(t, u); f != nil {
			out = append(out, *f)
		}
	}
	return out
}

// guardLoop refuses what a flow brought about itself, and chains of triggers
// that start each other.
func (e *Engine) guardLoop(ctx context.Context, t *armed, f *Firing, c *directory.Change) (*Firing, error) {
	f.Cause = causeOf(c.Actor)
	if f.Cause == "" {
		return f, nil
	}
	cause, err := e.Store.Firing(ctx, f.Cause)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	f.Depth = cause.Depth + 1
	switch {
	case sameTrigger(f.Cause, f.ID) && !t.Directory.Loops:
		f.State, f.Reason, f.Sealed = Refused, "the trigger's own flow made the change; say loops: true to let it", nil
	case f.Depth > maxDepth:
		f.State, f.Reason, f.Sealed = Refused, "more than five flows have started each other by their changes", nil
	}
	return f, nil
}

// AgentPrefix stands before the id of a run in the user agent by which the
// directory knows who makes a change.
const AgentPrefix = "lanyard run/"

// causeOf returns the firing whose run made a change, "" when none did.
func causeOf(a directory.Actor) string {
	id, ok := strings.CutPrefix(a.UserAgent, AgentPrefix)
	if !ok || !strings.HasPrefix(id, idPrefix) || len(id) < idLength {
		return ""
	}
	return id[:idLength] // the run of an item has an id that goes on
}

// drain starts what waits and is due.
func (e *Engine) drain(ctx context.Context) error {
	if e.becomeIdle() {
		return e.flush(ctx)
	}
	waiting, err := e.Store.Firings(ctx, Query{State: Waiting, Limit: batchOfWaiting})
	if len(waiting) > 0 || err != nil {
		e.more()
	}
	if err != nil {
		return err
	}
	if len(waiting) == batchOfWaiting { // no trigger keeps the others waiting
		waiting = nil
		for _, t := range e.all() {
			of, err := e.Store.Firings(ctx, Query{Trigger: t.Name, State: Waiting, Limit: batchOfWaiting})
			if err != nil {
				return err
			}
			waiting = append(waiting, of...)
		}
	}
	now, real := e.now(), e.real()
	full := map[string]bool{}
	var starting sync.WaitGroup
	places := make(chan struct{}, startsAtOnce)
	for i := range waiting {
		f := waiting[i]
		if ctx.Err() != nil {
			break
		}
		t := e.find(f.Trigger)
		if t != nil && f.Due.After(now) || !e.claim(&f, real) {
			continue
		}
		if !e.admit(ctx, t, &f, full) {
			continue
		}
		if t.Action.Import != "" {
			e.startLong(ctx, t, f)
			continue
		}
		if t.Concurrent > 0 || t.Schedule != nil { // one after the other, as they were due
			e.start(ctx, t, f)
			continue
		}
		places <- struct{}{}
		starting.Go(func() {
			defer func() { <-places }()
			e.start(ctx, t, f)
		})
	}
	starting.Wait()
	return e.flush(ctx)
}

// more says that something may wait to be started: whoever accepts says so after
// it is stored.
func (e *Engine) more() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle = false
}

// becomeIdle reports whether nothing was accepted since the queue was found
// empty, and begins to count anew.
func (e *Engine) becomeIdle() (was bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	was, e.idle = e.idle, true
	return was
}

// claim keeps others from starting a firing; false when somebody does, or when
// its time has not come again.
func (e *Engine) claim(f *Firing, real time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[f.ID] || real.Before(e.again[f.ID]) {
		return false
	}
	e.busy[f.ID] = true
	return true
}

// admit decides whether a claimed firing may start now. One that may not is
// settled, or let go of to wait.
func (e *Engine) admit(ctx context.Context, t *armed, f *Firing, full map[string]bool) bool {
	if t == nil {
		e.settle(*f, Failed, "there is no such trigger any more")
		return false
	}
	if why, _ := e.off(t.Trigger); why != "" {
		e.settle(*f, Refused, why)
		return false
	}
	if t.Concurrent == 0 {
		return true
	}
	if full[t.Name] || !e.room(ctx, t, f.ID) {
		full[t.Name] = true
		if t.Schedule != nil && t.Schedule.Overlap == OverlapSkip && f.Kind == ScheduleKind {
			e.settle(*f, Skipped, "the run before is still under way")
			return false
		}
		e.unclaim(f.ID)
		return false
	}
	return true
}

// unclaim lets go of a firing that was claimed.
func (e *Engine) unclaim(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.busy, id)
}

func (e *Engine) claimed(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.busy[id]
}

// room reports whether a trigger that bounds its runs may start the one with
// this id. Runs that have ended are found out about here.
func (e *Engine) room(ctx context.Context, t *armed, id string) bool {
	e.mu.Lock()
	others := maps.Clone(e.open[t.Name])
	e.mu.Unlock()
	delete(others, id)
	ids := slices.Sorted(maps.Keys(others))
	if len(ids) < t.Concurrent {
		return true
	}
	under := 0
	for _, id := range ids {
		o, err := t.run.Status(ctx, id)
		gone := fault.Is(err, fault.NotFound) && !e.claimed(id) // else it is about to start
		if !gone && (err != nil || !o.Status.Final()) {
			under++
			continue
		}
		e.closed(ctx, t.Name, id)
	}
	return under < t.Concurrent
}

// opened notes a run of a trigger that bounds them. The caller holds mu.
func (e *Engine) opened(trigger, id string) {
	if e.open[trigger] == nil {
		e.open[trigger] = map[string]bool{}
	}
	e.open[trigger][id] = true
}

// closed notes that a run has ended.
func (e *Engine) closed(ctx context.Context, trigger, id string) {
	e.mu.Lock()
	delete(e.open[trigger], id)
	for i := range e.settled { // it is about to be stored
		if e.settled[i].ID == id {
			e.settled[i].Open = false
		}
	}
	e.mu.Unlock()
	f, err := e.Store.Firing(ctx, id)
	if err == nil && f.Open {
		f.Open = false
		err = e.Store.Settle(ctx, f)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		e.Log.Error("the end of a run cannot be stored", "run", id, "error", err)
	}
}

// start begins the run of a claimed firing.
func (e *Engine) start(ctx context.Context, t *armed, f Firing) {
	inputs, err := e.unseal(&f)
	if err == nil {
		err = t.run.Start(ctx, f.ID, t.Name, inputs, f.Sandbox)
	}
	switch {
	case err == nil:
		e.started(t, f)
	case temporary(err) && f.Attempts+1 < maxAttempts:
		f.Attempts++
		e.mu.Lock()
		e.again[f.ID] = e.real().Add(min(time.Second<<f.Attempts, 5*time.Minute))
		e.mu.Unlock()
		e.settle(f, Waiting, fault.Public(err))
	default:
		e.Log.Error("a trigger could not start", "trigger", t.Name, "firing", f.ID, "error", err)
		e.settle(f, Failed, fault.Public(err))
	}
}

// startLong begins what takes its time to begin, an import that reads its source
// first, without keeping the others waiting. Its place is taken meanwhile.
func (e *Engine) startLong(ctx context.Context, t *armed, f Firing) {
	if t.Concurrent > 0 {
		e.mu.Lock()
		e.opened(t.Name, f.ID)
		e.mu.Unlock()
	}
	e.long.Go(func() {
		e.start(ctx, t, f)
		e.Wake()
	})
}

// started notes that the run of a firing is on disk.
func (e *Engine) started(t *armed, f Firing) {
	if t.Concurrent > 0 {
		f.Open = true
		e.mu.Lock()
		e.opened(t.Name, f.ID)
		e.mu.Unlock()
	}
	e.settle(f, Started, "")
}

// temporary reports whether trying again may help.
func temporary(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout, fault.RateLimited, fault.Locked, fault.Internal:
		return true
	}
	return false
}

// settle notes what became of a claimed firing; flush stores it. Should the
// process stop in between, the firing waits still, and its run is known by its id.
func (e *Engine) settle(f Firing, s State, reason string) {
	f.State, f.Reason = s, reason
	if s.Over() {
		f.Sealed = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settled = append(e.settled, f)
}

// flush stores what was settled and counted.
func (e *Engine) flush(ctx context.Context) error {
	e.mu.Lock()
	settled, tally, duplicates := e.settled, slices.Collect(maps.Values(e.tally)), e.duplicates
	e.settled, e.tally, e.duplicates = nil, map[string]Firing{}, map[string]int{}
	e.mu.Unlock()
	err := e.storeSettled(ctx, settled)
	if len(tally)+len(duplicates) > 0 && err == nil {
		err = e.Store.Tally(ctx, tally, duplicates)
	}
	return err
}

func (e *Engine) storeSettled(ctx context.Context, settled []Firing) error {
	if len(settled) == 0 {
		return nil
	}
	err := e.Store.Settle(ctx, settled...)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil { // they are settled all the same: later
		e.settled = append(settled, e.settled...)
		return err
	}
	for _, f := range settled {
		delete(e.busy, f.ID)
		if f.State.Over() {
			delete(e.again, f.ID)
		}
	}
	return nil
}

// Refuse counts something that was not let in, for the history: one entry an
// hour for each reason.
func (e *Engine) Refuse(t *Trigger, reason string) {
	sum := sha256.Sum256([]byte(reason))
	f := e.row(t, "refused/"+e.real().Truncate(time.Hour).Format(time.RFC3339)+"/"+hex.EncodeToString(sum[:4]))
	f.State, f.Reason, f.Count = Refused, reason, 1
	e.mu.Lock()
	defer e.mu.Unlock()
	if before, ok := e.tally[f.ID]; ok {
		f.Count += before.Count
	}
	e.tally[f.ID] = f
}

// duplicate counts that something was told again.
func (e *Engine) duplicate(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.duplicates[id]++
}

// trim forgets what is older than the retention, now and then.
func (e *Engine) trim(ctx context.Context) error {
	now := e.real()
	if now.Sub(e.trimmed) < time.Hour {
		return nil
	}
	e.trimmed = now
	_, err := e.Store.Trim(ctx, now.Add(-cmp.Or(e.Retention, DefaultRetention)))
	return err
}

// Wake makes Serve look at once.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// randomKey is the key of what has none.
func randomKey() string {
	b := make([]byte, 12)
	rand.Read(b) // never fails (Go 1.24)
	return hex.EncodeToString(b)
}

// filterEnv is what filters see.
type filterEnv map[string]map[string]any

// Variable implements compute.Env.
func (v filterEnv) Variable(name string) (any, bool) {
	m, ok := v[name]
	if m == nil {
		return nil, ok
	}
	return m, ok
}

// Call implements compute.Env: there are no further functions.
func (filterEnv) Call(string, []any) (any, bool, error) { return nil, false, nil }
