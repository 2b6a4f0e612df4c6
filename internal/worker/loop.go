package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The items of a list are runs of their own (x-lanyard-forEach). The goroutine
// of the run that works through the list begins them, as many at a time as the
// document allows, and waits for them without a place among the runs that move.
// What has come of an item is written with the record that ends its run, so that
// both are there or none is: after a crash the list is gone through again, past
// the items that are over, and those that were under way go on where they were.
// Of each item that is not under way one byte is kept in memory.

// mark says how an item of a list stands.
type mark byte

const (
	isOpen   mark = iota
	isQueued      // to be gone on with
	isDone
	isFailed
	isHeld
)

// loop is a list that is worked through.
type loop struct {
	w      *Worker
	parent *active
	c      *engine.ForEach
	secret []string // what the parent's mask knows; fixed while the loop lasts

	marks    []mark
	children map[int]string // runs that were begun and have not succeeded
	begun    []int          // positions to be gone on with, before others are begun
	next     int            // the first position that has not been looked at
	failed   int
	held     int
	err      error // why an item stopped moving before it could rest
}

// mover is the goroutine of an item, as far as others know it.
type mover struct {
	id        string // of its run, when that was begun before
	mu        sync.Mutex
	child     *active
	cancelled bool
	stop      context.CancelFunc // ends waiting for a place
}

// over is what an item's goroutine leaves.
type over struct {
	at   int
	mark mark // isOpen: the worker stops
	err  error
}

// loop works through a list, and returns the event that it leads to, nil when
// there is nothing more to do for the run here and now.
func (w *Worker) loop(ctx context.Context, a *active, c *engine.ForEach) *engine.Event {
	w.release(a)
	l := &loop{w: w, parent: a, c: c, secret: slices.Clone(a.mask.known), marks: make([]mark, c.Len()), children: map[int]string{}}
	err := l.recall(ctx)
	var ended bool
	if err == nil {
		ended, err = l.work(ctx)
	}
	var e *engine.Event
	if err == nil && ended {
		e, err = l.event(ctx)
	}
	if err != nil {
		if ctx.Err() == nil {
			w.stuck(a, err)
		}
		return nil
	}
	if e == nil || !w.acquire(ctx, a) {
		return nil
	}
	e.At = w.now()
	return e
}

// pageOfItems is how many items are read at once.
const pageOfItems = 500

// each reads what has come of the items so far.
func (l *loop) each(ctx context.Context, statuses []run.Status, use func(run.Item) error) error {
	f := ItemFilter{Run: l.parent.id, Loop: l.c.Loop, Statuses: statuses, Limit: pageOfItems}
	for {
		page, err := l.w.Store.Items(ctx, f)
		if err != nil {
			return err
		}
		for _, i := range page {
			if err := use(i); err != nil {
				return err
			}
		}
		if len(page) < f.Limit {
			return nil
		}
		f.From = page[len(page)-1].Position + 1
	}
}

// recall finds out how the items stand.
func (l *loop) recall(ctx context.Context) error {
	err := l.each(ctx, nil, func(i run.Item) error {
		switch {
		case i.Position >= len(l.marks):
			return l.beyond(i.Position)
		case i.Status == run.Succeeded:
			l.marks[i.Position] = isDone
		case i.Status == run.Held:
			l.marks[i.Position], l.children[i.Position] = isHeld, i.Child
		case i.Try == l.c.Try:
			l.marks[i.Position] = isFailed
		case l.c.Inside && i.Child != "":
			l.children[i.Position] = i.Child
		}
		return nil
	})
	if err != nil {
		return err
	}
	moving, err := l.w.Store.Runs(ctx, Filter{Parent: l.parent.id, Statuses: []run.Status{run.Running}})
	if err != nil {
		return err
	}
	for _, r := range moving {
		if p := r.Parent; p.Loop == l.c.Loop {
			if p.Position >= len(l.marks) {
				return l.beyond(p.Position)
			}
			l.marks[p.Position], l.children[p.Position] = isQueued, r.ID
			l.begun = append(l.begun, p.Position)
		}
	}
	slices.Sort(l.begun)
	for at, m := range l.marks {
		switch {
		case m == isFailed:
			l.failed++
		case m == isHeld && l.c.Decision != nil && l.children[at] == l.c.Decision.Run:
			l.marks[at] = isQueued
			l.begun = append(l.begun, at)
		case m == isHeld:
			l.held++
		}
	}
	return nil
}

// beyond says that what is stored does not fit the list.
func (l *loop) beyond(at int) error {
	return fault.New(fault.Internal, "run %s has something of item %d of a list of %d", l.parent.id, at+1, len(l.marks))
}

// work moves items until none moves any more. It reports false when the worker
// stops, or the run was cancelled, before that.
func (l *loop) work(ctx context.Context) (ended bool, err error) {
	moving := map[int]*mover{}
	ends := make(chan over)
	var cancel *signal
	for {
		for len(moving) < l.c.Parallel && cancel == nil {
			at, ok := l.take()
			if !ok {
				break
			}
			waits, stop := context.WithCancel(ctx)
			m := &mover{id: l.children[at], stop: stop}
			moving[at] = m
			go func() {
				mark, err := l.item(ctx, waits, m, at)
				stop()
				ends <- over{at, mark, err}
			}()
		}
		if len(moving) == 0 {
			break
		}
		select {
		case o := <-ends:
			delete(moving, o.at)
			l.settle(o)
		case s := <-l.parent.signals:
			if s.event.Kind != engine.Cancelled || cancel != nil {
				s.done <- fault.New(fault.Conflict, "run %s is moving: nothing waits for that decision", l.parent.id)
				continue
			}
			cancel = &s
			for _, m := range moving {
				go m.cancel(s.event)
			}
		}
	}
	if cancel != nil {
		l.w.cancel(ctx, l.parent, *cancel)
		return false, nil
	}
	return l.err == nil && ctx.Err() == nil, l.err
}

// take returns the next position to be done.
func (l *loop) take() (at int, ok bool) {
	if l.err != nil || l.w.stopped() {
		return 0, false
	}
	if len(l.begun) > 0 {
		at, l.begun = l.begun[0], l.begun[1:]
		return at, true
	}
	if l.c.Stop && l.failed+l.held > 0 {
		return 0, false
	}
	for l.next < len(l.marks) {
		l.next++
		if l.marks[l.next-1] == isOpen {
			return l.next - 1, true
		}
	}
	return 0, false
}

// settle takes in what an item's goroutine left.
func (l *loop) settle(o over) {
	l.marks[o.at] = o.mark
	delete(l.children, o.at)
	switch {
	case o.err != nil && l.err == nil:
		l.err = o.err
	case o.mark == isFailed:
		l.failed++
	case o.mark == isHeld:
		l.held++
	}
}

// cancel ends an item's run, wherever it is.
func (m *mover) cancel(e engine.Event) {
	m.mu.Lock()
	m.cancelled = true
	child := m.child
	m.mu.Unlock()
	m.stop()
	if child == nil {
		return
	}
	s := signal{event: engine.Event{Kind: engine.Cancelled, At: e.At, Reason: e.Reason, By: e.By}, done: make(chan error, 1)}
	select {
	case child.signals <- s:
		<-s.done
	case <-child.ended:
	}
}

// publish makes an item's run known to cancel, and reports whether it may go on.
func (m *mover) publish(child *active) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.child = child
	return !m.cancelled
}

// item brings the run of an item to its end, or to where it waits for a person.
// waits ends when it must not be begun any more.
func (l *loop) item(ctx, waits context.Context, m *mover, at int) (mark, error) {
	child, refused, err := l.enter(ctx, waits, m, at)
	if refused {
		return isFailed, err
	}
	if err != nil || child == nil {
		return isOpen, err
	}
	if !m.publish(child) {
		l.w.release(child)
		return isOpen, nil // what it is doing is cancelled with the run
	}
	l.w.drive(ctx, child)
	switch status := child.state.Status; {
	case child.err != nil:
		return isOpen, child.err
	case status == run.Succeeded:
		return isDone, nil
	case status == run.Held:
		return isHeld, nil
	case status.Final():
		return isFailed, nil
	}
	return isOpen, nil
}

// enter begins the run of an item, or goes on with it. There is none when the
// item's workflow refuses it, or nothing may begin any more.
func (l *loop) enter(ctx, waits context.Context, m *mover, at int) (child *active, refused bool, err error) {
	if m.id != "" {
		child, err = l.goOn(ctx, waits, at, m.id)
		return child, false, err
	}
	w := l.w
	spec := run.Spec{
		ID: l.childID(at), Plan: l.parent.plan.Digest, Workflow: l.c.Calls, Bindings: l.parent.summary.Bindings,
		Trigger: "item", StartedBy: l.parent.summary.StartedBy,
		Parent: &run.Parent{Run: l.parent.id, Step: l.c.Step, Loop: l.c.Loop, Position: at, Workflow: l.c.Index()},
	}
	child = w.activate(spec, l.parent.compiled, l.parent.caller)
	child.item = &itemOf{l, at}
	child.mask.inherit(l.secret)
	if !w.acquire(waits, child) {
		return nil, false, nil
	}
	e, err := l.c.Start(at, w.now())
	if err != nil {
		w.release(child)
		i, err := child.item.row(child, run.Failed, nil, fault.Public(err))
		if err != nil {
			return nil, true, err
		}
		i.Child = ""
		return nil, true, w.commit(context.WithoutCancel(ctx), Entry{Item: i}, false)
	}
	child.mask.learn(e.Inputs)
	child.mask.refresh(child.caller.Secrets())
	spec.Inputs = child.mask.inputs(e.Inputs)
	child.summary = run.Run{Spec: spec, Title: l.parent.plan.Title, Status: run.Running, Created: e.At}
	if err := w.apply(context.WithoutCancel(ctx), child, e, &child.summary); err != nil {
		w.release(child)
		return nil, false, err
	}
	return child, false, nil
}

// childID is the id of an item's run: the same whenever the list is gone
// through, but for tries that do the item anew.
func (l *loop) childID(at int) string {
	id := fmt.Sprintf("%s.%d.%d", l.parent.id, l.c.Loop, at+1)
	if l.c.Try > 1 {
		id += fmt.Sprintf(".%d", l.c.Try)
	}
	return id
}

// goOn takes up the run of an item that was begun before: it was under way when
// the process stopped, a person has decided about it, or it failed and goes on.
func (l *loop) goOn(ctx, waits context.Context, at int, id string) (*active, error) {
	child, err := l.w.loadItem(ctx, l.parent, id, l.given(at))
	if err != nil {
		return nil, err
	}
	child.item = &itemOf{l, at}
	child.caller = l.parent.caller
	if err := child.complete(child.state); err != nil {
		return nil, err
	}
	if !l.w.acquire(waits, child) {
		return nil, nil
	}
	e, ok, err := l.taken(ctx, child)
	if err == nil && ok {
		err = l.w.apply(context.WithoutCancel(ctx), child, e, nil)
	}
	if err != nil {
		l.w.release(child)
		return nil, err
	}
	return child, nil
}

// given are the inputs of an item that failed and goes on: its secrets were
// wiped when it ended.
func (l *loop) given(at int) map[string]any {
	if !l.c.Inside {
		return nil
	}
	e, err := l.c.Start(at, l.w.now())
	if err != nil {
		return nil
	}
	return e.Inputs
}

// taken returns the event with which a loaded item goes on, if there is one.
func (l *loop) taken(ctx context.Context, child *active) (e engine.Event, ok bool, err error) {
	now := l.w.now()
	call := child.turn.Command.Call
	switch d := l.c.Decision; {
	case child.state.Status == run.Failed || child.state.Status == run.Cancelled:
		return engine.Event{Kind: engine.Retried, At: now}, true, nil
	case child.state.Status == run.Held && d != nil && d.Run == child.id && d.Seq == child.seq:
		e := engine.Event{Kind: d.Kind, At: now, Outputs: d.Outputs, By: d.By, Step: d.Step}
		if d.Step == l.c.Step {
			e.Step = ""
		}
		if _, deeper := child.state.Waits(); deeper {
			e, err = l.w.itemDecision(ctx, child, e)
		}
		return e, err == nil, err
	case child.state.Status == run.Running && call != nil && child.intended:
		return engine.Event{Kind: engine.Interrupted, At: now, ID: call.ID, Reason: interrupted}, true, nil
	}
	return e, false, nil
}

// loadItem loads the run of an item, with what the run around it knows.
func (w *Worker) loadItem(ctx context.Context, parent *active, id string, again map[string]any) (*active, error) {
	return w.loadWith(ctx, id, again, parent.mask.known)
}

// itemDecision finds the item that a decision about the run around it is meant
// for, and refuses one that the item cannot take.
func (w *Worker) itemDecision(ctx context.Context, a *active, e engine.Event) (engine.Event, error) {
	list, _ := a.state.Waits()
	items, err := w.Store.Items(ctx, ItemFilter{Run: a.id, Loop: list, Statuses: []run.Status{run.Held}})
	if err != nil {
		return e, err
	}
	at := 0
	if e.Run != "" {
		at = slices.IndexFunc(items, func(i run.Item) bool { return i.Child == e.Run })
	}
	if at < 0 || len(items) == 0 {
		return e, fault.New(fault.Conflict, "no item of run %s waits for that decision", a.id)
	}
	child, err := w.loadItem(ctx, a, items[at].Child, nil)
	if err != nil {
		return e, err
	}
	e.Run, e.Seq = child.id, child.seq
	tried := engine.Event{Kind: e.Kind, At: e.At, Outputs: e.Outputs, By: e.By, Step: e.Step}
	if e.Step == items[at].Step {
		tried.Step = ""
	}
	if _, deeper := child.state.Waits(); deeper {
		_, err = w.itemDecision(ctx, child, tried)
		return e, err
	}
	_, _, err = child.machine.Apply(child.state, tried)
	return e, err
}

// cancelItems cancels the items of a run that wait for a person, or were under
// way when the process stopped.
func (w *Worker) cancelItems(ctx context.Context, a *active, e engine.Event) error {
	if !a.looped {
		return nil
	}
	runs, err := w.Store.Runs(ctx, Filter{Parent: a.id, Statuses: []run.Status{run.Running, run.Held}})
	if err != nil {
		return err
	}
	for _, r := range runs {
		child, err := w.loadItem(ctx, a, r.ID, nil)
		if err != nil {
			return err
		}
		if err := w.cancelItems(ctx, child, e); err != nil {
			return err
		}
		if err := w.apply(ctx, child, engine.Event{Kind: engine.Cancelled, At: w.now(), Reason: e.Reason, By: e.By}, nil); err != nil {
			return err
		}
	}
	return nil
}

// itemOf is the place of an active run in a list.
type itemOf struct {
	loop *loop
	at   int
}

// ended is what is kept of an item whose run is over, or held.
func (i *itemOf) ended(a *active, s engine.State) (*run.Item, error) {
	if s.Status == run.Held {
		return i.row(a, run.Held, nil, "")
	}
	failure := i.loop.c.Failure(s)
	status := run.Succeeded
	if failure != "" {
		status = run.Failed
	}
	return i.row(a, status, s.Outputs, failure)
}

// row makes what is kept of an item.
func (i *itemOf) row(a *active, status run.Status, outputs map[string]any, failure string) (*run.Item, error) {
	c := i.loop.c
	result := c.Result(i.at, outputs, failure)
	raw, err := value.Encode(result)
	if err != nil {
		return nil, err
	}
	shown := c.Result(i.at, a.mask.outputs(a.workflow, "", outputs), a.mask.redactor.Text(failure))
	shown["item"] = a.mask.inputs(map[string]any{c.As(): c.Item(i.at)})[c.As()]
	masked, err := value.Encode(shown)
	if err != nil {
		return nil, err
	}
	if masked, _, err = a.mask.bytes(masked); err != nil {
		return nil, err
	}
	row := &run.Item{
		Run: i.loop.parent.id, Loop: c.Loop, Position: i.at, Step: c.Step, Status: status, Try: c.Try, Child: a.id, Result: masked,
	}
	if string(masked) != string(raw) {
		row.Sealed, err = i.loop.w.Key.Seal(raw, itemAAD(row))
	}
	return row, err
}

// itemAAD binds a sealed result to its place.
func itemAAD(i *run.Item) []byte {
	return fmt.Appendf(nil, "%s/%d/%d/%d", i.Run, i.Loop, i.Position, i.Try)
}

// event is what working through the list has led to.
func (l *loop) event(ctx context.Context) (*engine.Event, error) {
	if l.held > 0 {
		return l.blocked(ctx)
	}
	done := &engine.Items{Succeeded: len(l.marks) - l.failed, Failed: l.failed}
	if l.c.Stop && l.failed > 0 {
		done.Succeeded = 0
		for _, m := range l.marks {
			if m == isDone {
				done.Succeeded++
			}
		}
	}
	if l.failed > 0 {
		first, err := l.one(ctx, ItemFilter{Statuses: []run.Status{run.Failed}})
		if err != nil {
			return nil, err
		}
		result, err := decodeItem(first.Result)
		if err != nil {
			return nil, err
		}
		text, _ := result["error"].(string)
		done.First = &engine.FailedItem{At: first.Position, Message: text}
	}
	shown := *done
	if (l.c.Results || l.c.Keeps) && !(l.c.Stop && l.failed > 0) {
		if err := l.results(ctx, done, &shown); err != nil {
			return nil, err
		}
	}
	l.parent.shown = &shown
	return &engine.Event{Kind: engine.Looped, ID: l.c.ID, Items: done}, nil
}

// one reads the first item that a filter selects. There is one, since its mark was
// set when it was written: a run that did without would never move again.
func (l *loop) one(ctx context.Context, f ItemFilter) (run.Item, error) {
	f.Run, f.Loop, f.Limit = l.parent.id, l.c.Loop, 1
	items, err := l.w.Store.Items(ctx, f)
	if err != nil {
		return run.Item{}, err
	}
	if len(items) == 0 {
		return run.Item{}, fault.New(fault.Internal, "what came of the items of run %s is not there", l.parent.id)
	}
	return items[0], nil
}

// blocked is the event of a list that waits for a person.
func (l *loop) blocked(ctx context.Context) (*engine.Event, error) {
	at := slices.Index(l.marks, isHeld)
	item, err := l.one(ctx, ItemFilter{From: at})
	if err != nil {
		return nil, err
	}
	child, err := l.w.Store.Run(ctx, item.Child)
	if err != nil {
		return nil, err
	}
	return &engine.Event{Kind: engine.Blocked, ID: l.c.ID, Position: at, Reason: child.Reason}, nil
}

// maxResults bounds what a document can read of a list's results: they are part
// of its run from then on.
const maxResults = 16 << 20

// results reads what the document wants to know of the items, as it is and as
// it may be shown.
func (l *loop) results(ctx context.Context, done, shown *engine.Items) error {
	size := 0
	err := l.each(ctx, nil, func(i run.Item) error {
		masked, err := decodeItem(i.Result)
		if err != nil {
			return err
		}
		result, err := l.unsealed(&i, masked)
		if err != nil {
			return err
		}
		if l.c.Results {
			size += len(i.Result)
			done.Results, shown.Results = append(done.Results, result), append(shown.Results, masked)
		}
		if l.c.Keeps {
			kept := l.c.Keep(result)
			data, err := value.Encode(kept)
			if err != nil {
				return err
			}
			size += len(data)
			done.Kept, shown.Kept = append(done.Kept, kept), append(shown.Kept, l.c.Keep(masked))
		}
		if size > maxResults {
			return errLarge
		}
		return nil
	})
	if errors.Is(err, errLarge) {
		done.Large, done.Results, done.Kept = true, nil, nil
		shown.Large, shown.Results, shown.Kept = true, nil, nil
		return nil
	}
	return err
}

// errLarge ends the reading of results of which there are too many.
var errLarge = errors.New("too many results")

// unsealed returns what came of an item as it is.
func (l *loop) unsealed(i *run.Item, masked map[string]any) (map[string]any, error) {
	switch {
	case i.Sealed == nil: // nothing was masked
		return masked, nil
	case len(i.Sealed) == 0:
		return nil, lost(l.parent.id)
	}
	raw, err := l.w.Key.Open(i.Sealed, itemAAD(i))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "item %d of run %s cannot be unsealed", i.Position+1, i.Run)
	}
	return decodeItem(raw)
}

func decodeItem(data json.RawMessage) (map[string]any, error) {
	v, err := value.Decode(data)
	if err != nil {
		return nil, err
	}
	result, _ := v.(map[string]any)
	return result, nil
}

// hidden returns the texts and numbers of a value that are shown otherwise.
func hidden(v, shown any) []string {
	switch v := v.(type) {
	case []any:
		if masked, ok := shown.([]any); ok && len(masked) == len(v) {
			var out []string
			for i := range v {
				out = append(out, hidden(v[i], masked[i])...)
			}
			return out
		}
	case map[string]any:
		if masked, ok := shown.(map[string]any); ok {
			var out []string
			for name, item := range v {
				out = append(out, hidden(item, masked[name])...)
			}
			return out
		}
	}
	if value.Equal(v, shown) {
		return nil
	}
	if text, ok := shown.(string); ok && text != secret.Mask {
		return nil // only a part of it, which is known, is hidden
	}
	return texts(v)
}
