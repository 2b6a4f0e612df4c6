package trigger

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

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
