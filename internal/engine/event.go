package engine

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// EventKind says what happened.
type EventKind string

// The kinds of event.
const (
	Started     EventKind = "started"     // the run begins
	Answered    EventKind = "answered"    // a call ended: a response, or a failure to get one
	Interrupted EventKind = "interrupted" // the driver stopped before the answer to a call was recorded
	Fired       EventKind = "fired"       // a timer is due
	Computed    EventKind = "computed"    // a step's outputs were computed
	Looped      EventKind = "looped"      // every item of a list is over
	Blocked     EventKind = "blocked"     // items of a list wait for a person, and no other moves
	Resumed     EventKind = "resumed"     // a person asks to try settling a held call again
	Retried     EventKind = "retried"     // a person lets the step be sent again, knowing that it may have been done
	Skipped     EventKind = "skipped"     // a person gives the step's outputs instead
	Cancelled   EventKind = "cancelled"   // a person or a limit ends the run
)

// Event is what happened, as it is kept in the journal.
type Event struct {
	Kind    EventKind      `json:"kind"`
	At      time.Time      `json:"at"`
	ID      int            `json:"id,omitempty"`      // of the Call or Timer it answers
	Inputs  map[string]any `json:"inputs,omitempty"`  // Started: prepared inputs
	Answer  *Answer        `json:"answer,omitempty"`  // Answered; Cancelled, for the record: what came of the call that was under way
	Unsent  bool           `json:"unsent,omitempty"`  // Interrupted: the call had certainly not left
	Outputs map[string]any `json:"outputs,omitempty"` // Skipped, Computed
	Reason  string         `json:"reason,omitempty"`  // Interrupted, Cancelled, Blocked; Computed: why there are no outputs
	By      string         `json:"by,omitempty"`      // who asked
	Step    string         `json:"step,omitempty"`    // Resumed, Retried, Skipped: the step that it is meant for; empty: wherever the run stands

	Items    *Items `json:"list,omitempty"`     // Looped
	Position int    `json:"position,omitempty"` // Blocked: the item that it is about
	Run      string `json:"run,omitempty"`      // a decision about an item: its run
	Seq      int    `json:"seq,omitempty"`      // a decision about an item: the last record of its run, as it was then

	// Of the run of an item, when it is started: its workflow, what it depends on
	// and has been completed, and when it has to be over.
	Workflow  int               `json:"workflow,omitempty"` // among those of the plan; 0: the main one
	Completed map[int]completed `json:"completed,omitempty"`
	Deadline  time.Time         `json:"deadline,omitzero"`
}

// Answer is the outcome of one call.
type Answer struct {
	Status   int                 `json:"status,omitempty"`
	Header   map[string][]string `json:"header,omitempty"`
	JSON     json.RawMessage     `json:"json,omitempty"`  // the body, when it is JSON
	Text     *string             `json:"text,omitempty"`  // the body, when it is other text
	Bytes    Binary              `json:"bytes,omitempty"` // the body otherwise
	URL      string              `json:"url,omitempty"`   // as sent
	Failure  *Failure            `json:"failure,omitempty"`
	Denied   string              `json:"denied,omitempty"`   // with status 401: whose credential was refused, and what to do
	Attempts int                 `json:"attempts,omitempty"` // exchanges made by the connector for pacing, when more than one
	Micros   int64               `json:"us,omitempty"`       // duration in microseconds
}

// Binary is bytes, base64 in JSON. A text that is no base64 reads as none: a
// record in which it was masked must stay readable.
type Binary []byte

// UnmarshalJSON implements json.Unmarshaler.
func (b *Binary) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*b = nil
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
		*b = plain
	}
	return nil
}

// SetBody keeps a response's body in the form that fits its media type, so that
// journals can be read and nothing is lost.
func (a *Answer) SetBody(data []byte) {
	contentType := ""
	for name, values := range a.Header {
		if strings.EqualFold(name, "Content-Type") && len(values) > 0 {
			contentType = values[0]
		}
	}
	switch {
	case len(data) == 0:
	case openapi.IsJSON(contentType) && json.Valid(data):
		a.JSON = data
	case utf8.Valid(data):
		text := string(data)
		a.Text = &text
	default:
		a.Bytes = data
	}
}

// Failure is why there is no response.
type Failure struct {
	Kind    string `json:"kind"` // a fault kind
	Message string `json:"message"`
	Sent    bool   `json:"sent"` // the request may have reached the server
}

// Turn is what the machine wants done after an event.
type Turn struct {
	Command Command // zero when the run is over or was over before
	Notes   []Note
}

// CommandKind says what is to be done.
type CommandKind string

// The kinds of command.
const (
	CallCommand    CommandKind = "call"
	TimerCommand   CommandKind = "timer"
	ComputeCommand CommandKind = "compute"
	ForEachCommand CommandKind = "forEach"
	HoldCommand    CommandKind = "hold"
	FinishCommand  CommandKind = "finish"
)

// Command is one thing to do. Exactly the field of its kind is set.
type Command struct {
	Kind    CommandKind
	Call    *Call
	Timer   *Timer
	Compute *Compute
	ForEach *ForEach
	Hold    *Hold
	Finish  *Finish
}

// Call asks for one HTTP exchange.
type Call struct {
	ID        int
	Workflow  string
	Step      string
	Visit     int // number of the step visit, counted over the run
	Attempt   int // 1 for the first
	Purpose   Purpose
	Operation *plan.Operation
	Request   *openapi.Request
	Timeout   time.Duration // of one exchange
	// Within bounds the call as a whole, the connector's waits and sendings
	// again included; zero: nothing does. When it is over, the last answer
	// stands.
	Within time.Duration
	// SelfPaced is set when the document itself retries this step: the
	// connector must hand back a 429 or 503 instead of sending again.
	SelfPaced bool
}

// Writes reports whether the call may change something, so that its intent has
// to be on disk before it leaves.
func (c *Call) Writes() bool { return c.Operation.Effect() != plan.Reads }

// Purpose says why a call is made.
type Purpose string

// The purposes.
const (
	ForStep   Purpose = "step"
	ForLookup Purpose = "look-up" // settling a call in doubt
)

// Timer asks for an event at a time.
type Timer struct {
	ID    int
	After time.Duration
	Step  string
}

// Hold says that the run waits for a person.
type Hold struct {
	Step   string
	Reason string
	Remedy string
}

// Finish ends the run.
type Finish struct {
	Status  run.Status
	Outputs map[string]any
	Reason  string // why it failed; public
}

// NoteKind says what a Note is about.
type NoteKind string

// The kinds of note.
const (
	NoteStep    NoteKind = "step"    // a step visit ended
	NoteAttempt NoteKind = "attempt" // an attempt was judged and another follows
	NoteDoubt   NoteKind = "doubt"   // a call is in doubt, and what is done about it
	NoteWarning NoteKind = "warning" // something a person should know
	NoteItems   NoteKind = "items"   // a list is begun, or gone through once more
	NoteEnd     NoteKind = "end"     // the run ended
)

// Note tells people what the machine decided and why. It may quote values of
// the run, so it is masked like everything else before it is kept.
type Note struct {
	Kind       NoteKind       `json:"kind"`
	Workflow   string         `json:"workflow,omitempty"`
	Step       string         `json:"step,omitempty"`
	Visit      int            `json:"visit,omitempty"`
	Attempt    int            `json:"attempt,omitempty"`
	Depth      int            `json:"depth,omitempty"` // of the call stack: 0 for the main workflow
	Status     string         `json:"status,omitempty"`
	StatusCode int            `json:"statusCode,omitempty"`
	Criteria   []expr.Result  `json:"criteria,omitempty"`
	Considered []Considered   `json:"considered,omitempty"`
	Action     *Taken         `json:"action,omitempty"`
	Outputs    map[string]any `json:"outputs,omitempty"`
	Unset      []string       `json:"unset,omitempty"` // outputs that have no value
	Message    string         `json:"message,omitempty"`
	Items      *ItemCount     `json:"items,omitempty"`
}

// ItemCount says how far a list is done.
type ItemCount struct {
	Loop      int `json:"loop"` // names the list among those of the run
	Total     int `json:"total"`
	Succeeded int `json:"succeeded,omitempty"`
	Failed    int `json:"failed,omitempty"`
}

// Considered is an action whose criteria were looked at.
type Considered struct {
	Name     string        `json:"name"`
	Matched  bool          `json:"matched"`
	Why      string        `json:"why,omitempty"` // why it was passed over although its criteria matched
	Criteria []expr.Result `json:"criteria,omitempty"`
}

// Taken is the action that was carried out.
type Taken struct {
	Name   string  `json:"name,omitempty"` // empty: the default
	Type   string  `json:"type"`           // next, end, goto, retry, fail
	Target string  `json:"target,omitempty"`
	Wait   float64 `json:"waitSeconds,omitempty"`
	Why    string  `json:"why,omitempty"`
}

// Step statuses in notes and reports.
const (
	StepSucceeded = "succeeded"
	StepFailed    = "failed"
	StepSkipped   = "skipped"
)
