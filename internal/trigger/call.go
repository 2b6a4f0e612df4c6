package trigger

import (
	"context"
	"fmt"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
)

// Call is a request to an endpoint that was let in.
type Call struct {
	Key         string         // Idempotency-Key, "" for none
	Proof       string         // its signature, which is good once; "" for none
	Body        any            // nil: none
	Query       map[string]any // without the client token
	Fingerprint string         // of the body, to tell calls with one key apart
}

// Answer is what became of a call.
type Answer struct {
	Run       string
	Duplicate bool // an earlier call started it
	Ignored   bool // the filter left it out: there is no run
}

// Errors of Call that callers word in their own way.
type (
	// BodyError says where a body does not fit the endpoint's schema. It is the
	// cause of a fault.Invalid.
	BodyError struct{ Problems []plan.InputProblem }
	// KeyError says that a key was used with another body. It is the cause of a
	// fault.Conflict.
	KeyError struct{ Key string }
	// StartError says that a call was let in and accepted, and its run could not be
	// started: whatever kind of failure that is, it is none of the caller's.
	StartError struct{ Err error }
)

// Error lists the places.
func (e *BodyError) Error() string { return fmt.Sprintf("the body does not fit: %v", e.Problems) }

// Error names the key.
func (e *KeyError) Error() string { return "the key " + e.Key + " was used with another body" }

// Error is that of the start.
func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *StartError) Unwrap() error { return e.Err }

// Call starts the flow of an endpoint. When it returns without an error, the run
// is on disk. Errors are fault.Invalid for a body or inputs that do not fit,
// fault.Conflict for a key that another call has, fault.RateLimited when as many
// runs as allowed are under way, fault.Unavailable when it is switched off, and a
// StartError.
func (e *Engine) Call(ctx context.Context, name string, c Call) (Answer, error) {
	t := e.find(name)
	if t == nil || t.Endpoint == nil {
		return Answer{}, fault.New(fault.NotFound, "there is no endpoint %q", name)
	}
	if err := e.refusedOff(t.Trigger); err != nil {
		return Answer{}, err
	}
	if c.Key == "" && t.Endpoint.KeyRequired {
		return Answer{}, fault.New(fault.Invalid, "the header Idempotency-Key is missing").Fix("send one of your own for everything that is to run once")
	}
	if s := t.Endpoint.Schema; s != nil {
		if problems := s.Check(c.Body); len(problems) > 0 {
			return Answer{}, fault.Wrap(fault.Invalid, &BodyError{problems}, "the body does not fit the endpoint's schema")
		}
	}
	key := "call/" + randomKey()
	switch {
	case c.Key != "":
		key = "key/" + c.Key
	case c.Proof != "":
		key = "signature/" + c.Proof
	}
	event := map[string]any{"body": c.Body, "query": c.Query}
	ok, err := t.wants(event, nil)
	if err != nil || !ok {
		return Answer{Ignored: err == nil}, err
	}
	f := e.prepare(t, Occurrence{Key: key, Event: event})
	f.Fingerprint, f.Proof = c.Fingerprint, c.Proof
	if f.State == Refused {
		return Answer{}, fault.New(fault.Invalid, "%s", f.Reason)
	}
	return e.call(ctx, t, f)
}

func (e *Engine) refusedOff(t *Trigger) error {
	why, _ := e.off(t)
	if why == "" {
		return nil
	}
	e.Refuse(t, why)
	return fault.New(fault.Unavailable, "%s", why)
}

// call accepts and starts a firing, unless it was accepted before.
func (e *Engine) call(ctx context.Context, t *armed, f Firing) (Answer, error) {
	done, err := e.alone(ctx, f.ID)
	if err != nil {
		return Answer{}, err
	}
	defer done()
	if known, err := e.Store.Firing(ctx, f.ID); err == nil {
		return e.known(known, &f)
	} else if !fault.Is(err, fault.NotFound) {
		return Answer{}, err
	}
	if !e.claim(&f, e.real()) { // it was forgotten while it was settled
		return Answer{}, fault.New(fault.Conflict, "the same call is under way").Fix("try again")
	}
	if !e.reserve(ctx, t, f.ID) {
		e.unclaim(f.ID)
		e.Refuse(t.Trigger, "as many runs as allowed are under way")
		return Answer{}, fault.New(fault.RateLimited, "%d runs of the endpoint are under way", t.Concurrent).Fix("try again when one has ended")
	}
	accepted, err := e.Store.Accept(ctx, nil, []Firing{f})
	if err != nil || !accepted[0].New {
		e.unreserve(t, f.ID)
		e.unclaim(f.ID)
		if err != nil {
			return Answer{}, err
		}
		return e.known(accepted[0].Firing, &f)
	}
	// From here on it runs, or is on record as failed: whoever called may have
	// gone, but the call counts.
	ctx = context.WithoutCancel(ctx)
	inputs, err := e.unseal(&f)
	if err == nil {
		err = t.run.Start(ctx, f.ID, t.Name, inputs, false)
	}
	if err != nil {
		e.unreserve(t, f.ID)
		f.State, f.Reason, f.Sealed = Failed, fault.Public(err), nil
		if stored := e.Store.Settle(ctx, f); stored != nil {
			e.settle(f, Failed, f.Reason) // later, then
		} else {
			e.finish(f.ID)
		}
		return Answer{}, &StartError{err}
	}
	e.started(t, f)
	return Answer{Run: f.ID}, nil
}

// alone waits until nobody else makes the same call, and returns what ends this
// one.
func (e *Engine) alone(ctx context.Context, id string) (done func(), err error) {
	for {
		e.mu.Lock()
		other := e.calls[id]
		if other == nil {
			over := make(chan struct{})
			e.calls[id] = over
			e.mu.Unlock()
			return func() {
				e.mu.Lock()
				defer e.mu.Unlock()
				delete(e.calls, id)
				close(over)
			}, nil
		}
		e.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the same call is under way")
		}
	}
}

// known answers a call that was accepted before.
func (e *Engine) known(before Firing, f *Firing) (Answer, error) {
	if before.Fingerprint != f.Fingerprint {
		return Answer{}, fault.Wrap(fault.Conflict, &KeyError{f.Key}, "the Idempotency-Key was used before, with another body").
			Fix("use a key of its own for everything that is to run once")
	}
	e.duplicate(before.ID)
	if before.State == Failed || before.State == Refused {
		return Answer{}, fault.New(fault.Conflict, "this call was made before, and could not be carried out: %s", before.Reason).
			Fix("make it again with another key")
	}
	return Answer{Run: before.ID, Duplicate: true}, nil
}

// reserve takes a place among the runs of a trigger that bounds them.
func (e *Engine) reserve(ctx context.Context, t *armed, id string) bool {
	if t.Concurrent == 0 {
		return true
	}
	for range 2 {
		e.mu.Lock()
		if len(e.open[t.Name]) < t.Concurrent {
			e.opened(t.Name, id)
			e.mu.Unlock()
			return true
		}
		e.mu.Unlock()
		if !e.room(ctx, t, id) {
			return false
		}
	}
	return false
}

func (e *Engine) unreserve(t *armed, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.open[t.Name], id)
}

// Await waits until the run of a trigger is at rest, or ctx ends.
func (e *Engine) Await(ctx context.Context, name, id string) (Outcome, error) {
	t := e.find(name)
	if t == nil {
		return Outcome{}, fault.New(fault.NotFound, "there is no trigger %q", name)
	}
	return t.run.Await(ctx, id)
}

// Delivered is what became of a delivery of events.
type Delivered struct {
	Accepted   int // runs that it leads to
	Duplicates int
	Refused    int // inputs that do not fit, with the reason in the history
	Ignored    bool
}

// Deliver accepts a delivery of an event hook. When it returns, all of it is on
// disk; it is carried out afterwards.
func (e *Engine) Deliver(ctx context.Context, name string, body []byte) (Delivered, error) {
	t := e.find(name)
	if t == nil || t.Okta == nil && t.Auth0 == nil {
		return Delivered{}, fault.New(fault.NotFound, "there is no event hook %q", name)
	}
	if err := e.refusedOff(t.Trigger); err != nil {
		return Delivered{}, err
	}
	occurrences, err := t.occurrences(body)
	if err != nil {
		return Delivered{}, err
	}
	var firings []Firing
	for _, o := range occurrences {
		ok, err := t.wants(o.Event, nil)
		if err == nil && !ok {
			continue
		}
		f := e.prepare(t, o)
		if err != nil {
			f.State, f.Reason, f.Sealed = Refused, "the filter cannot be evaluated: "+fault.Public(err), nil
		}
		firings = append(firings, f)
	}
	if len(firings) == 0 {
		return Delivered{Ignored: true}, nil
	}
	accepted, err := e.Store.Accept(ctx, nil, firings)
	if err != nil {
		return Delivered{}, err
	}
	var d Delivered
	for _, a := range accepted {
		switch {
		case !a.New:
			d.Duplicates++
			e.duplicate(a.Firing.ID)
		case a.Firing.State == Refused:
			d.Refused++
		default:
			d.Accepted++
		}
	}
	e.more()
	e.Wake()
	return d, nil
}

// occurrences reads a delivery.
func (t *Trigger) occurrences(body []byte) ([]Occurrence, error) {
	if t.Okta != nil {
		return t.Okta.Occurrences(body)
	}
	return t.Auth0.Occurrences(body)
}
