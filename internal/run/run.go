// Package run owns the nouns of execution: what a run was asked to do (Spec),
// what happened to it (Record, Event) and what that adds up to (Run).
//
// A journal is a list of Records; state is a fold over it and is never stored
// as truth. The package knows neither how steps are decided (engine) nor where
// records are kept (worker's Store).
package run

import (
	"encoding/json"
	"time"
)

// Status is where a run stands.
type Status string

// The statuses. Succeeded, Failed and Cancelled are final.
const (
	Running   Status = "running"
	Held      Status = "held" // waits for a person: a call in doubt
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Final reports whether nothing can happen to a run any more.
func (s Status) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Spec is what a run was asked to do. It never holds a secret: secret inputs
// are masked here and travel sealed beside it (Record.Sealed).
type Spec struct {
	ID       string         `json:"id"`
	Plan     string         `json:"plan"` // digest
	Workflow string         `json:"workflow"`
	Inputs   map[string]any `json:"inputs,omitempty"`
	Bindings Bindings       `json:"bindings,omitzero"`
	Trigger  string         `json:"trigger,omitempty"` // "command", later schedule, endpoint ...
	// StartedBy is who started it, as far as known: for a command, the person
	// whom the operating system knows.
	StartedBy string `json:"startedBy,omitempty"`
	// Parent is set when the run is one item of a list that another run works
	// through.
	Parent *Parent `json:"parent,omitempty"`
}

// Parent is the place of an item's run in the run that works through the list.
type Parent struct {
	Run      string `json:"run"`
	Step     string `json:"step"`
	Loop     int    `json:"loop"`     // names the list among those of the run
	Position int    `json:"position"` // in the list, from 0
	Workflow int    `json:"workflow"` // the item's workflow, among those of the plan
}

// Item is what has come of one item of a list. It is kept beside the journal of
// the run that works through the list, one for each position: Try is the last
// pass over the list in which the item was done.
type Item struct {
	Run      string          `json:"run"`
	Loop     int             `json:"loop"`
	Position int             `json:"position"`
	Step     string          `json:"step"`
	Status   Status          `json:"status"` // Succeeded, Failed or Held
	Try      int             `json:"try"`
	Child    string          `json:"child,omitempty"` // its own run; empty when that was not begun
	Result   json.RawMessage `json:"result"`          // what the document sees of it, secrets masked
	Sealed   []byte          `json:"-"`               // the unmasked result, encrypted, when masking changed it; empty and not nil when it was wiped
}

// Bindings are the choices of one run about where its sources are served, kept
// so that a resumed run talks to the same places.
type Bindings struct {
	Sandbox      bool              `json:"sandbox,omitempty"`
	Servers      map[string]string `json:"servers,omitempty"` // source name to base URL
	AllowPrivate bool              `json:"allowPrivate,omitempty"`
	Connections  map[string]string `json:"connections,omitempty"` // source name to the connection that serves it, when it is not the usual one
}

// Record is one durable line of a journal: one event, what the machine derived
// from it, and the intentions it led to, all on disk before the next call
// leaves. Seq counts from 1.
type Record struct {
	Run     string          `json:"run"`
	Seq     int             `json:"seq"`
	At      time.Time       `json:"at"`
	Event   json.RawMessage `json:"event"`             // engine.Event, secrets masked
	Trace   json.RawMessage `json:"trace,omitempty"`   // []engine.Note: for people
	Intents json.RawMessage `json:"intents,omitempty"` // []engine.Intent: calls about to leave
	Sealed  []byte          `json:"-"`                 // the unmasked event, encrypted, when masking changed it; empty and not nil when it was wiped, as the run ended
}

// Run is the summary of a run, for lists.
type Run struct {
	Spec
	Title   string          `json:"title,omitempty"` // the workflow's document
	Status  Status          `json:"status"`
	Reason  string          `json:"reason,omitempty"` // why it failed, is held or was cancelled; public
	Created time.Time       `json:"created"`
	Ended   time.Time       `json:"ended,omitzero"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
}
