package trigger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

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
