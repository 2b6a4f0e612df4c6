package trigger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Deliveries is what event hooks of all providers have.
type Deliveries struct {
	Secret      secret.Ref // the text that the provider sends
	Header      string     // in which header; default Authorization
	Types       []string   // of events; "user.lifecycle.*" is a beginning; none: all
	PerDelivery bool       // one run for a delivery, else one for each event
	Limits      Limits
}

// OktaEvents is an event hook of an Okta org (product.md 4 and 5).
type OktaEvents struct{ Deliveries }

// Auth0Events is a log stream or an event stream of an Auth0 tenant to a webhook.
type Auth0Events struct{ Deliveries }

// Occurrence is something that happened: an event with the key that makes it
// the same when it is told again.
type Occurrence struct {
	Key   string
	Event map[string]any // $event of the inputs
}

// maxEvents bounds how many events one delivery may hold.
const maxEvents = 1000

// wants reports whether events of a type are taken.
func (d *Deliveries) wants(eventType string) bool {
	if len(d.Types) == 0 {
		return true
	}
	for _, t := range d.Types {
		if beginning, ok := strings.CutSuffix(t, "*"); t == eventType || ok && strings.HasPrefix(eventType, beginning) {
			return true
		}
	}
	return false
}

// pick makes occurrences of the events of a delivery that are wanted. member
// names the events in what a flow gets.
func (d *Deliveries) pick(events []told, hook map[string]any, delivery, one, many string) []Occurrence {
	var wanted []told
	for _, e := range events {
		if d.wants(e.kind) {
			wanted = append(wanted, e)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if d.PerDelivery {
		all := make([]any, len(wanted))
		for i, e := range wanted {
			all[i] = e.body
		}
		return []Occurrence{{Key: delivery, Event: map[string]any{many: all, "hook": hook}}}
	}
	out := make([]Occurrence, len(wanted))
	for i, e := range wanted {
		out[i] = Occurrence{Key: e.id, Event: map[string]any{one: e.body, "hook": hook}}
	}
	return out
}

// told is one event of a delivery.
type told struct {
	id, kind string
	body     map[string]any
}

// Occurrences reads a delivery of an Okta event hook. Of each system log event
// the uuid is its key, which stays the same when Okta tells it in another
// delivery; of a delivery its eventId.
func (o *OktaEvents) Occurrences(body []byte) ([]Occurrence, error) {
	v, err := value.DecodeExact(body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the body does not read: %s", fault.Public(err))
	}
	delivery, _ := v.(map[string]any)
	data, _ := delivery["data"].(map[string]any)
	listed, ok := data["events"].([]any)
	id, _ := delivery["eventId"].(string)
	switch {
	case !ok || id == "":
		return nil, fault.New(fault.Invalid, "this is no delivery of an Okta event hook: eventId or data.events is missing")
	case len(listed) > maxEvents:
		return nil, fault.New(fault.TooLarge, "the delivery has more than %d events", maxEvents)
	}
	events := make([]told, 0, len(listed))
	for i, item := range listed {
		event, ok := item.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Invalid, "data.events[%d] is not an object", i)
		}
		e := told{id: id + "#" + strconv.Itoa(i), body: event}
		e.kind, _ = event["eventType"].(string)
		if uuid, _ := event["uuid"].(string); uuid != "" {
			e.id = uuid
		}
		events = append(events, e)
	}
	hook := map[string]any{}
	for _, name := range []string{"eventId", "eventTime", "source", "eventType", "eventTypeVersion"} {
		if v, ok := delivery[name]; ok {
			hook[name] = v
		}
	}
	return o.pick(events, hook, id, "event", "events"), nil
}

// Occurrences reads what an Auth0 tenant sends to a webhook: an object, a list
// of them, or one on each line, as its stream is set. An entry of the log has
// its log_id as key, an event of an event stream its id.
func (a *Auth0Events) Occurrences(body []byte) ([]Occurrence, error) {
	listed, err := auth0Entries(body)
	if err != nil {
		return nil, err
	}
	if len(listed) > maxEvents {
		return nil, fault.New(fault.TooLarge, "the delivery has more than %d events", maxEvents)
	}
	events := make([]told, 0, len(listed))
	for i, item := range listed {
		entry, ok := item.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Invalid, "entry %d is not an object", i)
		}
		inner, _ := entry["data"].(map[string]any)
		e := told{id: firstText(entry["log_id"], inner["log_id"], entry["_id"], inner["_id"], entry["id"]), body: entry}
		if e.id == "" {
			return nil, fault.New(fault.Invalid, "entry %d has no log_id and no id", i)
		}
		// An event stream names its types outside, the log inside its data.
		e.kind = firstText(inner["type"], entry["type"])
		events = append(events, e)
	}
	// A delivery has no id of its own: what is in it makes one.
	h := sha256.New()
	for _, e := range events {
		_, _ = h.Write([]byte(e.id + "\n")) // never fails
	}
	return a.pick(events, map[string]any{}, hex.EncodeToString(h.Sum(nil)[:16]), "log", "logs"), nil
}

func auth0Entries(body []byte) ([]any, error) {
	v, err := value.DecodeExact(body)
	if err == nil {
		if listed, ok := v.([]any); ok {
			return listed, nil
		}
		return []any{v}, nil
	}
	var out []any
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		v, err := value.DecodeExact(line)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the body reads neither as JSON nor as lines of JSON: %s", fault.Public(err))
		}
		out = append(out, v)
	}
	return out, nil
}

// firstText returns the first of some values that is a text.
func firstText(values ...any) string {
	for _, v := range values {
		if s, _ := v.(string); s != "" {
			return s
		}
	}
	return ""
}
