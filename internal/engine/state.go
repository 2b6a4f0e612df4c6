package engine

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"

	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// stateVersion is raised when the meaning of a State changes.
const stateVersion = 1

// State is a run between two events: a small value that survives JSON. It is
// not changed by Apply, which returns another one; parts are shared between
// states and are copied before they are written.
type State struct {
	V         int               `json:"v"`
	Status    run.Status        `json:"status"`
	Reason    string            `json:"reason,omitempty"`
	Outputs   map[string]any    `json:"outputs,omitempty"`
	Frames    []frame           `json:"frames,omitempty"`    // the call stack, innermost last
	Completed map[int]completed `json:"completed,omitempty"` // workflows run as dependencies (A16)
	Visits    int               `json:"visits"`              // step visits so far, against the budget (A26)
	NextID    int               `json:"nextId"`
	Waiting   *waiting          `json:"waiting,omitempty"`
	Started   time.Time         `json:"started"`          // moved on by the time that the run stood still
	Stopped   time.Time         `json:"stopped,omitzero"` // when it was held or ended
}

// UnmarshalJSON keeps numbers as they were written: a decoder that does not
// would turn long identifiers into other ones.
func (s *State) UnmarshalJSON(data []byte) error {
	type plain State
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode((*plain)(s))
}

// Held reports whether the run waits for a person.
func (s State) Held() bool { return s.Status == run.Held }

// completed is a workflow that has ended well.
type completed struct {
	Inputs  map[string]any `json:"inputs,omitempty"`
	Outputs map[string]any `json:"outputs,omitempty"`
}

// role says what happens when a frame ends.
type role string

const (
	roleRoot       role = "root"       // the run ends
	roleStep       role = "step"       // the step below it is judged
	roleDependency role = "dependency" // the workflow below it may begin
	roleDetour     role = "detour"     // the retry below it goes on (A15)
)

// frame is one workflow being executed.
type frame struct {
	Workflow int                       `json:"workflow"`
	Role     role                      `json:"role"`
	Inputs   map[string]any            `json:"inputs,omitempty"`
	Outputs  map[string]map[string]any `json:"outputs,omitempty"` // by step id: of its last execution (N70)
	Called   map[string]completed      `json:"called,omitempty"`  // sub-workflows by workflowId (A6)
	Passed   map[int]bool              `json:"passed,omitempty"`  // steps that have completed
	Repeats  map[int]repeats           `json:"repeats,omitempty"` // by step: answers in a row that told nothing new
	Ready    bool                      `json:"ready,omitempty"`   // its dependencies are met
	Deadline time.Time                 `json:"deadline,omitzero"` // of a sub-workflow whose step has a timeout (A25)
	Single   bool                      `json:"single,omitempty"`  // a detour to one step: ends after it
	Step     int                       `json:"step"`
	Visit    visit                     `json:"visit,omitzero"`
}

// repeats counts visits of a step that were answered alike.
type repeats struct {
	Sum   uint64 `json:"sum"` // of request and answer
	Count int    `json:"count"`
}

// visit is one pass over a step, its retries included.
type visit struct {
	Number  int         `json:"number"`
	Attempt int         `json:"attempt"`           // exchanges of this visit
	Retries map[int]int `json:"retries,omitempty"` // used, by index of the failure action (A13)
	Again   bool        `json:"again,omitempty"`   // a lost answer was followed by another sending, by the step's rule
	Doubt   bool        `json:"doubt,omitempty"`   // an attempt may have taken effect without our knowing
	Each    *each       `json:"each,omitempty"`    // of a step that works through a list; never changed, only replaced
	// Preparing: a workflow that the items depend on is being completed.
	Preparing bool  `json:"preparing,omitempty"`
	Pages     []any `json:"pages,omitempty"` // items of the pages read so far
}

// waitKind says what the run waits for.
type waitKind string

const (
	waitCall    waitKind = "call"
	waitLookup  waitKind = "lookup"
	waitTimer   waitKind = "timer"
	waitLoop    waitKind = "loop"
	waitCompute waitKind = "compute"
	waitPerson  waitKind = "person"
)

// waiting is the outstanding command.
type waiting struct {
	Kind    waitKind         `json:"kind"`
	ID      int              `json:"id"`
	Request *openapi.Request `json:"request,omitempty"` // of a call: $request refers to it (A23)
	Body    any              `json:"body,omitempty"`    // its body as a value
	Action  int              `json:"action,omitempty"`  // of a timer: the retry it delays
	Inputs  map[string]any   `json:"inputs,omitempty"`  // of a timer: for the workflow that the retry names
	After   time.Duration    `json:"after,omitempty"`
	Settle  settleKind       `json:"settle,omitempty"` // of a look-up: what asked for it
	Failed  *Failure         `json:"failed,omitempty"` // of a look-up: how the call in doubt broke
	Reason  string           `json:"reason,omitempty"`
	Remedy  string           `json:"remedy,omitempty"`
}

// top returns the innermost frame for writing: the slice is copied, maps in it
// are not.
func (s *State) top() *frame {
	frames := make([]frame, len(s.Frames), len(s.Frames)+1)
	copy(frames, s.Frames)
	s.Frames = frames
	return &s.Frames[len(s.Frames)-1]
}

// with returns a copy of m that has one more entry.
func with[K comparable, V any](m map[K]V, key K, v V) map[K]V {
	out := make(map[K]V, len(m)+1)
	maps.Copy(out, m)
	out[key] = v
	return out
}

// workflow returns the plan's workflow that a frame executes.
func (m *Machine) workflow(f *frame) *plan.Workflow { return m.plan.Workflows[f.Workflow] }

func (m *Machine) step(f *frame) *plan.Step { return m.workflow(f).Steps[f.Step] }
