package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// mask knows the secrets of one run and keeps them out of its records.
type mask struct {
	key      secret.Key
	names    *names
	pointers []value.Pointer // of secret inputs
	known    []string        // secrets found in inputs and answers
	fetched  int             // how many the executor had given when the redactor was made
	redactor *secret.Redactor
}

func newMask(key secret.Key, n *names, w *plan.Workflow) *mask {
	m := &mask{key: key, names: n}
	for _, p := range w.Secrets {
		if pointer, err := value.ParsePointer(p); err == nil {
			m.pointers = append(m.pointers, pointer)
		}
	}
	return m
}

// learn adds the secrets among a run's inputs.
func (m *mask) learn(inputs map[string]any) {
	for _, p := range m.pointers {
		if v, ok := p.Get(inputs); ok {
			m.known = append(m.known, texts(v)...)
		}
	}
	m.redactor = nil
	m.fetched = -1
}

// refresh takes in what the executor knows by now: a token may have been fetched.
func (m *mask) refresh(fetched []string) {
	if len(fetched) == m.fetched {
		return
	}
	m.fetched = len(fetched)
	m.redactor = secret.NewRedactor(append(append([]string{}, m.known...), fetched...)...)
}

// inputs returns a run's inputs as they may be shown.
func (m *mask) inputs(given map[string]any) map[string]any {
	shown, _ := value.Clone(given).(map[string]any)
	for _, p := range m.pointers {
		if v, ok := p.Get(shown); ok && v != nil {
			// The pointer exists, so setting it cannot fail.
			if masked, err := p.Set(shown, secret.Mask); err == nil {
				shown, _ = masked.(map[string]any)
			}
		}
	}
	masked, _ := m.redactor.Display(shown).(map[string]any)
	return masked
}

// event returns an event as it is recorded, and sealed as it was when masking
// changed it.
func (m *mask) event(e engine.Event, aad []byte) (masked json.RawMessage, sealed []byte, err error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, err, "an event cannot be recorded")
	}
	if e.Answer != nil && m.names.any(raw) {
		m.discover(raw)
	}
	if e.Kind == engine.Started {
		shown := e
		shown.Inputs = m.inputs(e.Inputs)
		masked, err = json.Marshal(shown)
	} else {
		masked, err = m.bytes(raw)
	}
	if err != nil || bytes.Equal(masked, raw) {
		return masked, nil, err
	}
	sealed, err = m.key.Seal(raw, aad)
	return masked, sealed, err
}

// discover remembers the secrets that an answer brings under a name that
// speaks, such as a client_secret, so that they are masked wherever they turn
// up later: in outputs, in operands, in the next request.
func (m *mask) discover(raw []byte) {
	v, err := value.Decode(raw)
	if err != nil {
		return
	}
	before := len(m.known)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for name, item := range v {
				if s, ok := item.(string); ok && len(s) >= minDiscovered && m.names.secret(name) {
					m.known = append(m.known, s)
				}
				walk(item)
			}
		}
	}
	walk(v)
	if len(m.known) > before {
		m.fetched = -1
	}
}

// minDiscovered is the length from which a value found under a secret's name is
// looked for elsewhere; shorter ones would blank out common words.
const minDiscovered = 8

// bytes masks a JSON text: known secrets anywhere, and whatever stands under a
// name that speaks of a secret. Most records hold neither, and are not decoded.
func (m *mask) bytes(raw []byte) (json.RawMessage, error) {
	if len(raw) == 0 || !m.redactor.Has(string(raw)) && !m.names.any(raw) {
		return raw, nil
	}
	v, err := value.Decode(raw)
	if err != nil {
		return nil, err
	}
	return value.Encode(m.redactor.Display(v))
}

// texts returns the strings and numbers in a value.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, texts(item)...)
		}
		return out
	case map[string]any:
		var out []string
		for _, item := range v {
			out = append(out, texts(item)...)
		}
		return out
	}
	return nil
}

// names remembers which property names speak of secrets. The names in APIs'
// answers repeat, so each is judged once.
type names struct {
	judged sync.Map
	count  atomic.Int64
}

// maxNames bounds the memory that hostile answers with endless names can take.
const maxNames = 10_000

func (n *names) secret(name string) bool {
	if known, ok := n.judged.Load(name); ok {
		return known.(bool)
	}
	is := secret.SecretName(name)
	if n.count.Add(1) < maxNames {
		n.judged.Store(name, is)
	}
	return is
}

// any reports whether a compact JSON text has a property whose name speaks of a
// secret. It looks at what stands before each quote and colon, and may see a
// name in a string value; that costs time, not truth.
func (n *names) any(raw []byte) bool {
	for {
		end := bytes.Index(raw, []byte(`":`))
		if end < 0 {
			return false
		}
		begin := bytes.LastIndexByte(raw[max(0, end-maxName):end], '"')
		if begin >= 0 && n.secret(string(raw[max(0, end-maxName)+begin+1:end])) {
			return true
		}
		raw = raw[end+2:]
	}
}

// maxName bounds the names that are judged; no secret's name is longer.
const maxName = 128

// sealAAD binds a sealed event to its place, so that it cannot be moved.
func sealAAD(runID string, seq int) []byte { return fmt.Appendf(nil, "%s/%d", runID, seq) }

// open returns a record's event as it was before masking, and whether something
// of it is lost because it was wiped.
func open(key secret.Key, r run.Record) (engine.Event, error) {
	raw := []byte(r.Event)
	if len(r.Sealed) > 0 {
		var err error
		if raw, err = key.Open(r.Sealed, sealAAD(r.Run, r.Seq)); err != nil {
			return engine.Event{}, fault.Wrap(fault.Internal, err, "record %d of run %s cannot be unsealed", r.Seq, r.Run).
				Fix("the data folder's key must be the one that the run was started with")
		}
	}
	var e engine.Event
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&e); err != nil {
		return e, fault.Wrap(fault.Internal, err, "record %d of run %s cannot be read", r.Seq, r.Run)
	}
	return e, nil
}
