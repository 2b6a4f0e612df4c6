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
