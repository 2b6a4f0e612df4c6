package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// resume goes on with a loaded run that was moving. A call whose intent is in
// the journal may have left; one without has not, and is issued anew when the
// run has a place.
func (w *Worker) resume(ctx context.Context, a *active) error {
	if err := a.complete(a.state); err != nil {
		return err
	}
	if err := w.bind(ctx, a); err != nil {
		return err
	}
	w.admit(a)
	if call := a.turn.Command.Call; call != nil && a.intended {
		e := engine.Event{Kind: engine.Interrupted, At: w.now(), ID: call.ID, Reason: interrupted}
		if err := w.apply(ctx, a, e, nil); err != nil {
			w.release(a)
			return err
		}
	}
	return w.begin(a)
}

// interrupted is what became of a call whose intent alone is in the journal.
const interrupted = "the process stopped before the answer was recorded"

// bind gives a loaded run the connections that its calls need. Cancelling a run
// does without.
func (w *Worker) bind(ctx context.Context, a *active) error {
	caller, err := w.Executor.Bind(ctx, a.plan, a.summary.Bindings)
	if err != nil {
		return err
	}
	a.caller = caller
	return nil
}

// load folds a run's records; bind makes it ready to move. again are secret inputs that a person gives once
// more, because they were wiped when the run ended.
func (w *Worker) load(ctx context.Context, id string, again map[string]any) (*active, error) {
	return w.loadWith(ctx, id, again, nil)
}

// loadWith is load for a run that knows some secrets from the run around it.
func (w *Worker) loadWith(ctx context.Context, id string, again map[string]any, known []string) (*active, error) {
	summary, err := w.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := w.compiledPlan(ctx, summary.Plan)
	if err != nil {
		return nil, err
	}
	records, err := w.Store.Records(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	a := w.activate(summary.Spec, c, nil)
	a.summary = summary
	a.mask.inherit(known)
	events, err := w.events(a, records, again)
	if err != nil {
		return nil, err
	}
	for i, e := range events {
		if err := a.fold(&records[i], e); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// events reads the records' events as they were before masking and puts the
// inputs that were given again, now or at an earlier decision, into the first.
func (w *Worker) events(a *active, records []run.Record, again map[string]any) ([]engine.Event, error) {
	events := make([]engine.Event, len(records))
	gone := gone(records)
	given := map[string]any{}
	for i, r := range records {
		if gone[i] {
			if a.blank == "" {
				a.blank = newBlank()
			}
			r.Event = bytes.ReplaceAll(r.Event, []byte(secret.Mask), []byte(a.blank))
		}
		e, err := open(w.Key, r)
		if err != nil {
			return nil, err
		}
		events[i] = e
		if e.Kind != engine.Started {
			maps.Copy(given, e.Inputs)
		}
	}
	maps.Copy(given, again)
	if len(given) == 0 || len(events) == 0 {
		return events, nil
	}
	inputs, err := a.restore(events[0].Inputs, given)
	events[0].Inputs = inputs
	return events, err
}

// restore returns a run's inputs with those that were wiped as given again. The
// others cannot be changed: what was done so far was done with them.
func (a *active) restore(inputs, given map[string]any) (map[string]any, error) {
	out := maps.Clone(inputs)
	for name, v := range given {
		old, ok := inputs[name]
		if ok && value.Equal(old, v) {
			continue // a file with all the inputs may be given as it was
		}
		if raw, err := json.Marshal(old); !ok || err != nil || !a.blanked(raw) {
			return nil, fault.New(fault.Conflict, "the input %s of run %s cannot be changed", name, a.id).
				Fix("give only its secret inputs again, which were wiped when it ended, or start a new run")
		}
		out[name] = v
	}
	return a.workflow.Prepare(out)
}

// fold takes in one record.
func (a *active) fold(r *run.Record, e engine.Event) error {
	if e.Kind == engine.Started {
		a.mask.learn(e.Inputs)
	}
	state, turn, err := a.machine.Apply(a.state, e)
	if err != nil {
		if a.blank != "" { // a mask decides otherwise than the value did
			return lost(a.id)
		}
		return fault.Wrap(fault.Internal, err, "the journal of run %s does not fold: record %d", a.id, r.Seq)
	}
	if a.blank != "" && !sameDecisions(r.Trace, turn.Notes) {
		return lost(a.id)
	}
	a.mask.computed(a.turn.Command.Compute, e)
	if e.Kind == engine.Looped && len(r.Sealed) > 0 {
		var shown engine.Event
		if json.Unmarshal(r.Event, &shown) == nil && shown.Items != nil {
			a.mask.hidden(e.Items, shown.Items)
		}
	}
	a.looped = a.looped || turn.Command.ForEach != nil
	a.state, a.turn, a.seq, a.intended = state, turn, r.Seq, len(r.Intents) > 0
	if timer := turn.Command.Timer; timer != nil {
		a.due = e.At.Add(timer.After)
	}
	a.mask.discover(e)
	return nil
}

// sameDecisions reports whether the machine decided as it did when the record
// was made. With a mask in place of a value it may not: then the state that
// results is another run's.
func sameDecisions(trace json.RawMessage, notes []engine.Note) bool {
	var recorded []engine.Note
	if len(trace) > 0 && json.Unmarshal(trace, &recorded) != nil {
		return false
	}
	return slices.EqualFunc(recorded, notes, func(a, b engine.Note) bool {
		if a.Kind != b.Kind || a.Step != b.Step || a.Status != b.Status || (a.Action == nil) != (b.Action == nil) {
			return false
		}
		return a.Action == nil || a.Action.Type == b.Action.Type && a.Action.Target == b.Action.Target && a.Action.Name == b.Action.Name
	})
}

// complete refuses to go on from a state that holds a mask where a value was
// wiped: it would be sent in place of the value.
func (a *active) complete(s engine.State) error {
	if a.blank == "" {
		return nil
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the state of run %s cannot be checked", a.id)
	}
	if a.blanked(raw) {
		return lost(a.id)
	}
	return nil
}

// blanked reports whether a JSON text holds a blank of the run.
func (a *active) blanked(raw []byte) bool {
	return a.blank != "" && bytes.Contains(raw, []byte(a.blank))
}

// newBlank makes a text that stands for wiped secrets while a run is in memory.
// Unlike the mask, no data can contain it. It is as long as the mask.
func newBlank() string {
	const first, count = 0xE000, 0x1900 // Unicode's private use area
	random := make([]byte, 2*len(secret.Mask))
	rand.Read(random) // never fails (Go 1.24)
	blank := make([]rune, len(secret.Mask))
	for i := range blank {
		blank[i] = first + (rune(random[2*i])<<8|rune(random[2*i+1]))%count
	}
	return string(blank)
}

// gone reports for each record whether masks in it stand where something was
// wiped: the store leaves an empty seal there. Stores of earlier versions left
// nothing, not even in the record with which a run ended; there every mask up to
// that record counts.
func gone(records []run.Record) []bool {
	unmarked := -1
	for i, r := range records {
		if r.Sealed == nil && ends(r) {
			unmarked = i
		}
	}
	out := make([]bool, len(records))
	for i, r := range records {
		wiped := r.Sealed != nil && len(r.Sealed) == 0 || r.Sealed == nil && i <= unmarked
		out[i] = wiped && bytes.Contains(r.Event, []byte(secret.Mask))
	}
	return out
}

// ends reports whether a record ended its run.
func ends(r run.Record) bool {
	var notes []engine.Note
	if !bytes.Contains(r.Trace, []byte(`"end"`)) || json.Unmarshal(r.Trace, &notes) != nil {
		return false
	}
	return slices.ContainsFunc(notes, func(n engine.Note) bool { return n.Kind == engine.NoteEnd })
}

func lost(id string) error {
	return fault.New(fault.Conflict, "the secrets of run %s were wiped when it ended", id).
		Fix("give its secret inputs again with --input, or start a new run")
}
