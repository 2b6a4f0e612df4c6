package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

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
	plan     *plan.Plan      // nil: nothing is known of its expressions
	secrets  *plan.Secrets   // of plan
	home     *plan.Workflow  // the one that the run begins with
	pointers []value.Pointer // of secret inputs
	known    []string        // secrets found in inputs and answers
	fetched  []string        // those of the connections, as far as known
	redactor *secret.Redactor
	short    bool // one of the secrets is short
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

// learn adds the secrets among a run's inputs: those that its schema marks, and
// whatever stands under a name that speaks of a secret.
func (m *mask) learn(inputs map[string]any) {
	for _, p := range m.pointers {
		if v, ok := p.Get(inputs); ok {
			m.known = append(m.known, texts(v)...)
		}
	}
	m.gather(inputs, 1)
	m.rebuild()
}

// refresh takes in what the connections know by now: a token may have been fetched.
func (m *mask) refresh(fetched []string) {
	if len(fetched) != len(m.fetched) {
		m.fetched = fetched
		m.rebuild()
	}
}

func (m *mask) rebuild() {
	all := slices.Concat(m.known, m.fetched)
	m.redactor = secret.NewRedactor(all...)
	m.short = slices.ContainsFunc(all, func(s string) bool { return len(s) < shortSecret })
}

// shortSecret is the length below which a secret may be masked only where it is
// a whole string, so that looking for it in a JSON text is not enough.
const shortSecret = 8

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

// inherit adds the secrets of the run around an item's.
func (m *mask) inherit(known []string) {
	if len(known) > 0 {
		m.known = append(m.known, known...)
		m.rebuild()
	}
}

// hidden remembers what is masked in the results of a list: the items' runs knew
// of secrets that this one has not seen.
func (m *mask) hidden(items, shown *engine.Items) {
	before := len(m.known)
	for _, text := range append(hidden(items.Results, shown.Results), hidden(items.Kept, shown.Kept)...) {
		if len(text) >= minDiscovered && !slices.Contains(m.known, text) {
			m.known = append(m.known, text)
		}
	}
	if len(m.known) > before {
		m.rebuild()
	}
}

// event returns an event as it is recorded, and sealed as it was when masking
// changed it. shown is the event with those parts masked already of which more
// is known than what they hold.
func (m *mask) event(e, shown engine.Event, aad []byte) (masked json.RawMessage, sealed []byte, err error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, err, "an event cannot be recorded")
	}
	m.discover(e)
	if e.Inputs != nil {
		shown.Inputs = m.inputs(e.Inputs)
	} else if text := m.text(e.Answer); text != nil {
		answer := *e.Answer
		answer.Text, answer.Bytes = text, nil
		shown.Answer = &answer
	}
	plain := raw
	if shown.Inputs != nil || shown.Items != nil || shown.Outputs != nil || shown.Answer != e.Answer {
		if plain, err = json.Marshal(shown); err != nil {
			return nil, nil, fault.Wrap(fault.Internal, err, "an event cannot be recorded")
		}
	}
	masked, changed, err := m.bytes(plain)
	if err != nil || !changed && bytes.Equal(plain, raw) {
		return masked, nil, err
	}
	sealed, err = m.key.Seal(raw, aad)
	return masked, sealed, err
}

// computed returns what was computed with the outputs masked that are made of
// secrets, nil when none is, and remembers their texts: they may look nothing
// like what they were made of.
func (m *mask) computed(c *engine.Compute, e engine.Event) map[string]any {
	var shown map[string]any
	before := len(m.known)
	for name, v := range e.Outputs { // the order does not matter
		if c == nil || e.Kind != engine.Computed || !c.Secret(name) {
			continue
		}
		if shown == nil {
			shown = maps.Clone(e.Outputs)
		}
		shown[name] = secret.MaskAll(v)
		for _, text := range texts(v) {
			if len(text) >= minDiscovered && !slices.Contains(m.known, text) {
				m.known = append(m.known, text)
			}
		}
	}
	if len(m.known) > before {
		m.rebuild()
	}
	return shown
}

// text returns a body that came as text, but turns out to be a form, JSON or
// XML, masked by its structure. Bytes that hold a secret become a mask as a
// whole: masked in part, base64 could not be decoded. It returns nil when the
// body needs neither.
func (m *mask) text(a *engine.Answer) *string {
	switch {
	case a == nil:
		return nil
	case len(a.Bytes) > 0 && m.redactor.Has(string(a.Bytes)):
		text := secret.Mask
		return &text
	case a.Text == nil:
		return nil
	case isForm(http.Header(a.Header).Get("Content-Type")):
		form := m.redactor.Query(*a.Text)
		return &form
	case isXML(*a.Text):
		text := m.redactor.XML(*a.Text)
		return &text
	}
	v, ok := structured(*a.Text)
	if !ok {
		return nil
	}
	shown := m.redactor.Display(v)
	data, err := value.Encode(shown)
	if err != nil || value.Equal(shown, v) {
		return nil
	}
	text := string(data)
	return &text
}

// isXML reports whether a text may be XML or HTML, whatever its media type says.
func isXML(text string) bool { return strings.HasPrefix(strings.TrimLeft(text, "\ufeff \t\r\n"), "<") }

// structured reads a text that is a JSON object or array.
func structured(s string) (any, bool) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '{' && s[0] != '[' {
		return nil, false
	}
	v, err := value.Decode([]byte(s))
	return v, err == nil
}

// discover remembers the secrets that an event brings under a name that speaks,
// such as a client_secret in an answer, so that they are masked wherever they
// turn up later: in outputs, in operands, in the next request.
func (m *mask) discover(e engine.Event) {
	before := len(m.known)
	m.gather(e.Outputs, minDiscovered)
	if a := e.Answer; a != nil {
		for name, values := range a.Header {
			for _, v := range values {
				m.found(name, v, minDiscovered)
			}
		}
		if len(a.JSON) > 0 && m.names.any(a.JSON) {
			if v, err := value.Decode(a.JSON); err == nil {
				m.gather(v, minDiscovered)
			}
		}
		if a.Text != nil {
			if v, ok := structured(*a.Text); ok {
				m.gather(v, minDiscovered)
			} else if isXML(*a.Text) {
				m.add(secret.XMLValues(*a.Text))
			}
		}
	}
	if len(m.known) > before {
		m.rebuild()
	}
}

// gather remembers the texts and numbers of at least the given length that stand
// in v under a name that speaks, alone or in a list.
func (m *mask) gather(v any, shortest int) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			m.gather(item, shortest)
		}
	case map[string]any:
		for name, item := range v {
			if name == "_links" { // Okta's name operations (resetPassword), not secrets
				continue
			}
			list, ok := item.([]any)
			if !ok {
				list = []any{item}
			}
			for _, one := range list {
				switch one := one.(type) {
				case string:
					m.found(name, one, shortest)
				case json.Number:
					m.found(name, one.String(), shortest)
				}
			}
			m.gather(item, shortest)
		}
	}
}

func (m *mask) found(name, text string, shortest int) {
	if len(text) >= shortest && m.names.secret([]byte(name)) && !slices.Contains(m.known, text) {
		m.known = append(m.known, text)
	}
}

// add remembers texts that stand under a name that speaks.
func (m *mask) add(texts []string) {
	for _, text := range texts {
		if len(text) >= minDiscovered && !slices.Contains(m.known, text) {
			m.known = append(m.known, text)
		}
	}
}

// minDiscovered is the length from which a value found under a secret's name is
// looked for elsewhere; shorter ones would blank out common words.
const minDiscovered = 8

// bytes masks a JSON text: known secrets anywhere, and whatever stands under a
// name that speaks of a secret. It reports whether that changed a value; a text
// that only looked as if it held a secret is spelled anew and says the same.
// Most records do not even look so, and are not decoded.
func (m *mask) bytes(raw []byte) (masked json.RawMessage, changed bool, err error) {
	if len(raw) == 0 || !m.short && !m.redactor.Has(string(raw)) && !m.names.any(raw) {
		return raw, false, nil
	}
	v, err := value.Decode(raw)
	if err != nil {
		return nil, false, err
	}
	shown := m.redactor.Display(v)
	masked, err = value.Encode(shown)
	return masked, !value.Equal(shown, v), err
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
	mu     sync.RWMutex
	judged map[string]bool
}

// maxNames bounds the memory that hostile answers with endless names can take.
const maxNames = 10_000

// secret takes the name as bytes, so that looking it up costs no copy.
func (n *names) secret(name []byte) bool {
	n.mu.RLock()
	is, known := n.judged[string(name)]
	n.mu.RUnlock()
	if known {
		return is
	}
	is = secret.SecretName(string(name))
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.judged == nil {
		n.judged = map[string]bool{}
	}
	if len(n.judged) < maxNames {
		n.judged[string(name)] = is
	}
	return is
}

// any reports whether a JSON text may have a property whose name speaks of a
// secret. It looks at what stands before each colon, and may see a name in a
// string value, or take a name with escapes for a secret's; that costs time, not
// truth.
func (n *names) any(raw []byte) bool {
	for {
		colon := bytes.IndexByte(raw, ':')
		if colon < 0 {
			return false
		}
		name, ok := bytes.CutSuffix(bytes.TrimRight(raw[:colon], " \t\r\n"), []byte(`"`))
		if ok {
			name = name[max(0, len(name)-maxName):]
			name = name[bytes.LastIndexByte(name, '"')+1:]
			if bytes.IndexByte(name, '\\') >= 0 || n.secret(name) {
				return true
			}
		}
		raw = raw[colon+1:]
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
