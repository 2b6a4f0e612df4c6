package trigger

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Changes selects what happens to people in the directory.
type Changes struct {
	On         Move
	Events     []string // of a joiner or leaver; empty: as usual for it
	Realm      string   // okta or auth0
	Attributes []string // of a mover: names in the profile, "*" for all
	Groups     []string // of a mover: ids or names
	Loops      bool     // what the trigger's own flow changes counts too
}

// Move is what happens to a person.
type Move string

// The moves.
const (
	Joiner Move = "joiner"
	Mover  Move = "mover"
	Leaver Move = "leaver"
)

// The events of moves.
const (
	created     = "created"
	activated   = "activated" // from STAGED or DEPROVISIONED, or created so
	deactivated = "deactivated"
	suspended   = "suspended"
	deleted     = "deleted"
	changed     = "changed"
	groupAdded  = "group added"
	groupGone   = "group removed"
)

// moveEvents are the events that can be named of each move.
var moveEvents = map[Move][]string{
	Joiner: {created, activated},
	Leaver: {deactivated, suspended, deleted},
}

// String says in words what is waited for.
func (c *Changes) String() string {
	what := append(slices.Clone(c.Attributes), c.Groups...)
	if len(what) == 0 {
		what = c.wanted()
	}
	return string(c.On) + " in " + c.Realm + ": " + strings.Join(what, ", ")
}

// wanted are the events that count.
func (c *Changes) wanted() []string {
	switch {
	case len(c.Events) > 0:
		return c.Events
	case c.On == Joiner:
		return []string{created}
	}
	return moveEvents[c.On]
}

// person is what a change log entry says of an account.
type person struct {
	ID      string           `json:"id"`
	Status  directory.Status `json:"status"`
	Profile map[string]any   `json:"profile"`
}

// asEvent is a person as flows get one.
func (p *person) asEvent() any {
	if p == nil {
		return nil
	}
	return map[string]any{"id": p.ID, "status": string(p.Status), "profile": value.Clone(p.Profile)}
}

// away reports whether somebody cannot work yet or any more.
func (p *person) away() bool {
	return p == nil || p.Status == directory.Staged || p.Status == directory.Deprovisioned
}

// occurrence says what an entry of the change log is for this trigger, nil for
// nothing. user is the profile of the person, for filters.
func (c *Changes) occurrence(r directory.Reader, e *directory.Change) (o *Occurrence, user map[string]any, err error) {
	if e.Realm != c.Realm || e.Before == nil && e.After == nil {
		return nil, nil, nil
	}
	if e.Kind == "group.user_membership.add" || e.Kind == "group.user_membership.remove" {
		return c.membership(r, e)
	}
	if area, _, _ := strings.Cut(e.Kind, "."); area != "user" {
		return nil, nil, nil
	}
	before, err := readPerson(e.Seq, e.Before)
	if err != nil {
		return nil, nil, err
	}
	after, err := readPerson(e.Seq, e.After)
	if err != nil || before == nil && after == nil {
		return nil, nil, err
	}
	event, attributes := c.event(before, after)
	if event == "" {
		return nil, nil, nil
	}
	who := after
	if who == nil {
		who = before
	}
	o = c.tell(e, event, who)
	o.Event["before"], o.Event["after"] = before.asEvent(), after.asEvent()
	o.Event["changed"] = asList(attributes)
	return o, who.Profile, nil
}

// event names what a change of somebody is, "" when it is nothing that counts.
func (c *Changes) event(before, after *person) (event string, attributes []string) {
	wanted := c.wanted()
	is := func(name string) bool { return slices.Contains(wanted, name) }
	switch {
	case c.On == Joiner && before == nil && is(created):
		return created, nil
	case c.On == Joiner && after != nil && before.away() && !after.away() && is(activated):
		return activated, nil
	case c.On == Leaver && after == nil && is(deleted):
		// Who was deactivated before has left already, unless only this was asked for.
		if before.Status == directory.Deprovisioned && len(c.Events) == 0 {
			return "", nil
		}
		return deleted, nil
	case before == nil || after == nil:
		return "", nil
	case c.On == Leaver && before.Status != after.Status && after.Status == directory.Deprovisioned && is(deactivated):
		return deactivated, nil
	case c.On == Leaver && before.Status != after.Status && after.Status == directory.Suspended && is(suspended):
		return suspended, nil
	case c.On == Mover:
		if attributes = c.moved(before.Profile, after.Profile); len(attributes) > 0 {
			return changed, attributes
		}
	}
	return "", nil
}

// moved names the attributes that count and differ, in order.
func (c *Changes) moved(before, after map[string]any) (out []string) {
	names := c.Attributes
	if slices.Contains(names, "*") {
		all := maps.Clone(before)
		if all == nil {
			all = map[string]any{}
		}
		maps.Copy(all, after)
		names = slices.Sorted(maps.Keys(all))
	}
	for _, name := range names {
		if !value.Equal(before[name], after[name]) {
			out = append(out, name)
		}
	}
	return out
}

// membership is occurrence for somebody who came into a group or left it.
func (c *Changes) membership(r directory.Reader, e *directory.Change) (*Occurrence, map[string]any, error) {
	if len(c.Groups) == 0 {
		return nil, nil, nil
	}
	event, body := groupAdded, e.After
	if e.After == nil {
		event, body = groupGone, e.Before
	}
	var m directory.Membership
	// An entry of another shape is not about people.
	_ = json.Unmarshal(body, &m)
	if m.Group == "" {
		return nil, nil, nil
	}
	var name string
	for _, t := range e.Targets {
		if t.Type == "UserGroup" && t.ID == m.Group {
			name = t.DisplayName
		}
	}
	if !slices.Contains(c.Groups, m.Group) && !slices.Contains(c.Groups, name) {
		return nil, nil, nil
	}
	a, err := r.Account(e.Realm, m.Account)
	if fault.Is(err, fault.NotFound) { // gone meanwhile: a leaver, no mover
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	o := c.tell(e, event, &person{ID: a.ID, Status: a.Status, Profile: a.Profile})
	o.Event["group"] = map[string]any{"id": m.Group, "name": name}
	return o, a.Profile, nil
}

// changeKey is the key of what an entry of the change log tells.
func changeKey(seq int64) string { return "change/" + strconv.FormatInt(seq, 10) }

// tell is what all occurrences of the change log have.
func (c *Changes) tell(e *directory.Change, event string, who *person) *Occurrence {
	return &Occurrence{Key: changeKey(e.Seq), Event: map[string]any{
		"move": string(c.On), "event": event, "realm": e.Realm, "at": e.At.UTC().Format(time.RFC3339Nano), "person": who.asEvent(),
		"actor": map[string]any{"id": e.Actor.ID, "name": e.Actor.Name, "login": e.Actor.Login},
	}}
}

// readPerson reads an account of the change log without losing digits; nil for
// what is no account. The cause of an error is a *directory.UnreadableChange.
func readPerson(seq int64, body json.RawMessage) (*person, error) {
	if body == nil {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var p person
	if err := dec.Decode(&p); err != nil {
		return nil, fault.Wrap(fault.Internal, &directory.UnreadableChange{Seq: seq, Err: err}, "an entry of the change log cannot be read")
	}
	if p.Profile == nil || p.Status == "" {
		return nil, nil
	}
	return &p, nil
}

func asList(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}
