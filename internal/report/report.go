// Package report turns a run's journal into what people and programs read: the
// visits of its steps with their calls, criteria and actions, as JSON, HAR and
// JUnit.
//
// It reads records and decides nothing: every judgement in a report was made by
// the machine and recorded with the event that led to it. How a report is laid
// out on a terminal or a page is left to cli and the console.
package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// Report is a run as it is shown. Programs depend on the JSON fields.
type Report struct {
	Run      string          `json:"run"`
	Workflow string          `json:"workflow"`
	Title    string          `json:"title,omitempty"`
	Status   run.Status      `json:"status"`
	Outputs  json.RawMessage `json:"outputs"`
	Steps    []*Step         `json:"steps"`
	Error    string          `json:"error,omitempty"`
	Remedy   string          `json:"remedy,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	// StartedBy is who started the run, as far as known.
	StartedBy string    `json:"startedBy,omitempty"`
	Created   time.Time `json:"created"`
	Ended     time.Time `json:"ended,omitzero"`

	Inputs map[string]any `json:"-"`
}

// Step is one visit of a step.
type Step struct {
	StepID     string            `json:"stepId"`
	Workflow   string            `json:"workflow,omitempty"` // when it is not the main one
	Status     string            `json:"status"`             // succeeded, failed, skipped; running or in doubt while it lasts
	StatusCode int               `json:"statusCode,omitempty"`
	Attempts   int               `json:"attempts"`
	Message    string            `json:"message,omitempty"`
	Action     *engine.Taken     `json:"action,omitempty"`
	Outputs    map[string]any    `json:"outputs,omitempty"`
	Unset      []string          `json:"unset,omitempty"`
	Micros     int64             `json:"us"` // from the first call to the judgement
	Tries      []*Try            `json:"tries,omitempty"`
	Calls      []*Call           `json:"calls,omitempty"`
	Items      *engine.ItemCount `json:"items,omitempty"`      // of a step that works through a list; each is a run of its own
	FailedItem *Report           `json:"failedItem,omitempty"` // the run of the first of Items that failed, see ReadFailedItem
	Doubts     []string          `json:"doubts,omitempty"`     // what was decided about calls in doubt
	Depth      int               `json:"-"`

	began time.Time
}

// Try is one judged attempt of a visit.
type Try struct {
	engine.Note
	At time.Time `json:"at"`
}

// Call is one recorded exchange.
type Call struct {
	worker.Intent
	Sent    time.Time      `json:"sent"`
	Micros  int64          `json:"us,omitempty"`
	Answer  *engine.Answer `json:"answer,omitempty"`
	InDoubt bool           `json:"inDoubt,omitempty"` // no answer was recorded
}

// Build reads a run and its records.
func Build(r run.Run, records []run.Record) (*Report, error) {
	b := &builder{
		report: &Report{Run: r.ID, Workflow: r.Workflow, Title: r.Title, Status: r.Status, Outputs: r.Outputs, Error: r.Reason, StartedBy: r.StartedBy, Created: r.Created, Ended: r.Ended, Inputs: r.Inputs, Steps: []*Step{}},
		calls:  map[int]*Call{}, open: map[int]*Step{},
	}
	if b.report.Outputs == nil {
		b.report.Outputs = json.RawMessage("{}")
	}
	for i := range records {
		if err := b.record(&records[i]); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "record %d of run %s cannot be read", records[i].Seq, r.ID)
		}
	}
	b.close()
	return b.report, nil
}

type builder struct {
	report *Report
	calls  map[int]*Call
	open   map[int]*Step // visits that have not ended, by their number: a called workflow may have steps of the same name
	order  []int         // of open
	doubt  string        // the step of the last call in doubt
}

func (b *builder) record(r *run.Record) error {
	var e engine.Event
	if err := decode(r.Event, &e); err != nil {
		return err
	}
	if call := b.calls[e.ID]; call != nil && e.Answer != nil {
		call.Answer, call.Micros = e.Answer, e.Answer.Micros
		call.InDoubt = e.Answer.Failure != nil && e.Answer.Failure.Sent && call.Writes
	}
	var notes []engine.Note
	if err := decode(r.Trace, &notes); err != nil {
		return err
	}
	for _, n := range notes {
		b.note(n, r.At)
	}
	var intents []worker.Intent
	if err := decode(r.Intents, &intents); err != nil {
		return err
	}
	for _, i := range intents {
		call := &Call{Intent: i, Sent: r.At}
		b.calls[i.ID] = call
		step := b.visit(i.Visit, i.Workflow, i.Step, r.At)
		step.Calls = append(step.Calls, call)
		step.Attempts = max(step.Attempts, i.Attempt)
	}
	return nil
}

// visit returns a visit that is going on.
func (b *builder) visit(number int, workflow, step string, at time.Time) *Step {
	if s, ok := b.open[number]; ok {
		return s
	}
	s := &Step{StepID: step, Status: string(run.Running), began: at}
	if workflow != b.report.Workflow {
		s.Workflow = workflow
	}
	b.open[number] = s
	b.order = append(b.order, number)
	return s
}

func (b *builder) note(n engine.Note, at time.Time) {
	switch n.Kind {
	case engine.NoteAttempt:
		s := b.visit(n.Visit, n.Workflow, n.Step, at)
		s.Tries = append(s.Tries, &Try{Note: n, At: at})
	case engine.NoteDoubt:
		s := b.visit(n.Visit, n.Workflow, n.Step, at)
		s.Doubts = append(s.Doubts, n.Message)
		b.doubt = n.Step
	case engine.NoteItems:
		b.visit(n.Visit, n.Workflow, n.Step, at).Items = n.Items
	case engine.NoteWarning:
		b.report.Warnings = append(b.report.Warnings, warning(n))
	case engine.NoteStep:
		b.ended(n, at)
	}
}

func warning(n engine.Note) string {
	text := n.Message
	for i, name := range n.Unset {
		if i == 0 {
			text += ": " + name
			continue
		}
		text += ", " + name
	}
	return text
}

// ended closes a visit, unless the run holds in it.
func (b *builder) ended(n engine.Note, at time.Time) {
	s := b.visit(n.Visit, n.Workflow, n.Step, at)
	s.Status, s.StatusCode, s.Message, s.Action, s.Outputs, s.Unset = n.Status, n.StatusCode, n.Message, n.Action, n.Outputs, n.Unset
	if n.Items != nil {
		s.Items = n.Items
	}
	s.Attempts, s.Depth = max(s.Attempts, n.Attempt), n.Depth
	s.Tries = append(s.Tries, &Try{Note: n, At: at})
	s.Micros = at.Sub(s.began).Microseconds()
	if n.Action != nil && n.Action.Type == "hold" {
		s.Status = "in doubt"
		return
	}
	delete(b.open, n.Visit)
	b.report.Steps = append(b.report.Steps, s)
}

// close adds the visits that have not ended.
func (b *builder) close() {
	for _, number := range b.order {
		s, ok := b.open[number]
		if !ok {
			continue
		}
		delete(b.open, number)
		for _, c := range s.Calls {
			if c.Answer == nil {
				c.InDoubt = c.Writes
			}
			if c.InDoubt && b.report.Status != run.Running {
				s.Status = "in doubt"
			}
		}
		b.report.Steps = append(b.report.Steps, s)
	}
	if b.report.Status == run.Held {
		at := ""
		if b.doubt != "" {
			at = " --step " + b.doubt // a run that has moved on meanwhile must not take the answer for another step's
		}
		b.report.Remedy = fmt.Sprintf("find out whether the call took effect, then: runs skip%s (it did), runs retry%s (it did not), runs cancel", at, at)
	}
}

func decode(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(into)
}

// Notes returns what the machine derived from the event of one record.
func Notes(r run.Record) ([]engine.Note, error) {
	var notes []engine.Note
	err := decode(r.Trace, &notes)
	return notes, err
}

// FailedStep is the step that a failed run stands at, empty when it failed
// between two steps. A step inside a workflow that other steps call is followed
// in the report by those that failed with it.
func (r *Report) FailedStep() string {
	if r.Status != run.Failed {
		return ""
	}
	at := ""
	for i, depth := len(r.Steps)-1, -1; i >= 0; i-- {
		s := r.Steps[i]
		if s.Status != engine.StepFailed || depth >= 0 && s.Depth != depth+1 {
			break
		}
		at, depth = s.StepID, s.Depth
	}
	return at
}

// Reader reads runs, their records and the items of their lists, as worker.Store
// has them.
type Reader interface {
	Run(ctx context.Context, id string) (run.Run, error)
	Records(ctx context.Context, id string, after int, wait bool) ([]run.Record, error)
	Items(ctx context.Context, f worker.ItemFilter) ([]run.Item, error)
}

// ReadFailedItem adds the run of the first failed item to the last step that
// failed over a list, since that run has the answers that explain the failure.
// Items may work through lists themselves. A run that is no longer kept, or that
// was never begun, is left out.
func (r *Report) ReadFailedItem(ctx context.Context, from Reader) error {
	for _, s := range slices.Backward(r.Steps) {
		if s.Status != engine.StepFailed || s.Items == nil || s.Items.Failed == 0 {
			continue
		}
		items, err := from.Items(ctx, worker.ItemFilter{Run: r.Run, Loop: s.Items.Loop, Statuses: []run.Status{run.Failed}, Limit: 1})
		if err != nil || len(items) == 0 || items[0].Child == "" {
			return err
		}
		s.FailedItem, err = read(ctx, from, items[0].Child)
		return err
	}
	return nil
}

// read returns the report of a run with its failed item, nil when there is no
// such run.
func read(ctx context.Context, from Reader, id string) (*Report, error) {
	summary, err := from.Run(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	records, err := from.Records(ctx, id, 0, false)
	if err != nil {
		return nil, err
	}
	r, err := Build(summary, records)
	if err != nil {
		return nil, err
	}
	return r, r.ReadFailedItem(ctx, from)
}

// AuthFailed reports whether the run, or its failed item, failed because a
// credential was refused or could not be had.
func (r *Report) AuthFailed() bool {
	for _, s := range r.Steps {
		if s.FailedItem != nil && s.FailedItem.AuthFailed() {
			return true
		}
		for _, c := range s.Calls {
			if c.Answer != nil && (c.Answer.Denied != "" || c.Answer.Failure != nil && c.Answer.Failure.Kind == fault.Unauthorized.String()) {
				return true
			}
		}
	}
	return false
}
