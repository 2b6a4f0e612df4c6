package trigger

import (
	"context"
	"time"
)

// Store keeps triggers that were added by command, switches, cursors and
// firings. What it promises is tested by internal/store/storetest. Every method
// is on disk when it returns.
type Store interface {
	// Definitions returns the triggers that were added by command, by name.
	Definitions(ctx context.Context) ([]Definition, error)
	// PutDefinition adds a trigger, or replaces the one of its name.
	PutDefinition(ctx context.Context, d Definition) error
	// RemoveDefinition removes a trigger with its cursor and switch; fault.NotFound
	// when there is none. Its firings stay.
	RemoveDefinition(ctx context.Context, name string) error

	// Switches returns what was switched by command.
	Switches(ctx context.Context) ([]Switch, error)
	PutSwitch(ctx context.Context, s Switch) error

	// Cursor returns how far a trigger has looked; ok is false when it never has.
	Cursor(ctx context.Context, trigger string) (c Cursor, ok bool, err error)
	// Accept moves cursors and adds firings, all together. A firing whose id is
	// there, or whose proof another firing of the trigger has, is not added: what
	// is returned says so, and has the stored one.
	Accept(ctx context.Context, cursors []Cursor, firings []Firing) ([]Accepted, error)
	// Settle stores what became of firings that are there.
	Settle(ctx context.Context, firings ...Firing) error
	// Tally adds firings that stand for many, adding up the Count of those that
	// are there, and counts duplicates of others by their ids.
	Tally(ctx context.Context, many []Firing, duplicates map[string]int) error

	// Firing returns a firing; fault.NotFound when there is none.
	Firing(ctx context.Context, id string) (Firing, error)
	// Firings returns firings, newest first; those that wait in the order of
	// their due times.
	Firings(ctx context.Context, q Query) ([]Firing, error)
	// Waiting returns how many firings of each trigger wait.
	Waiting(ctx context.Context) (map[string]int, error)
	// Trim removes firings that were accepted before a time, but none that waits
	// or is open, and returns how many. Others write in between when there are many.
	Trim(ctx context.Context, before time.Time) (int, error)
}

// Definition is a trigger as it was added by command.
type Definition struct {
	Name string    `json:"name"`
	Text string    `json:"text"` // YAML, as under its name in lanyard.yaml
	Dir  string    `json:"dir"`  // where relative paths start
	By   string    `json:"by,omitempty"`
	At   time.Time `json:"at"`
}

// Switch is what was decided about a trigger or a flow. The last one counts.
type Switch struct {
	What Switched  `json:"what"`
	Name string    `json:"name"` // of the trigger; FILE or FILE#WORKFLOW of a flow
	Off  bool      `json:"off"`
	By   string    `json:"by,omitempty"`
	Why  string    `json:"why,omitempty"`
	At   time.Time `json:"at"`
}

// Switched is what a switch is of.
type Switched string

// What can be switched.
const (
	SwitchTrigger Switched = "trigger"
	SwitchFlow    Switched = "flow"
)

// Cursor is how far a trigger has looked.
type Cursor struct {
	Trigger string
	Seen    time.Time // of a schedule: due times up to here were decided
	Seq     int64     // of a directory change: entries of the change log
}

// Firing is one happening that a trigger took notice of. Its ID is also that of
// the run.
type Firing struct {
	ID      string `json:"id"`
	Trigger string `json:"trigger"`
	Kind    Kind   `json:"kind"`
	Key     string `json:"key,omitempty"` // what makes it the same: due time, event id ...
	Action  string `json:"action,omitempty"`

	State  State     `json:"state"`
	At     time.Time `json:"at"`             // when it was taken notice of, by the machine's clock
	Due    time.Time `json:"due"`            // when it is to start, by the directory's clock
	Open   bool      `json:"open,omitempty"` // the run was started and is not known to have ended
	Reason string    `json:"reason,omitempty"`

	Cause string `json:"cause,omitempty"` // the run that changed the directory
	Depth int    `json:"depth,omitempty"` // how many firings led to it

	Count      int `json:"count,omitempty"`      // how many it stands for, when more than one
	Duplicates int `json:"duplicates,omitempty"` // how often it was told again
	Attempts   int `json:"attempts,omitempty"`   // to start it

	Sandbox bool `json:"sandbox,omitempty"` // a test run

	Fingerprint string `json:"fingerprint,omitempty"` // of what was sent
	Proof       string `json:"-"`                     // a signature, which is good once
	Sealed      []byte `json:"-"`                     // the inputs, encrypted, while it waits
}

// State is what became of a firing.
type State string

// The states.
const (
	Waiting State = "waiting" // on disk, and not started yet
	Started State = "started"
	Skipped State = "skipped" // another run of the trigger was under way
	Missed  State = "missed"  // it was due when nothing was served
	Refused State = "refused"
	Failed  State = "failed" // it could not be started
)

// Over reports whether nothing more is done about a firing.
func (s State) Over() bool { return s != Waiting }

// Accepted is what became of a firing in Accept.
type Accepted struct {
	Firing Firing
	New    bool
}

// Query selects firings. Zero fields restrict nothing.
type Query struct {
	Trigger string
	State   State
	Open    bool      // those that are
	Before  time.Time // accepted before
	Limit   int
}

// Manual is the kind of firings that somebody asked for.
const Manual Kind = "manual"
