package worker

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// Store keeps plans, runs and their records.
type Store interface {
	// SavePlan keeps an encoded plan under its digest; saving it again changes nothing.
	SavePlan(ctx context.Context, digest string, data []byte) error
	// Plan returns a saved plan, or a NotFound error.
	Plan(ctx context.Context, digest string) ([]byte, error)
	// Append writes all entries in one transaction that is on disk when it
	// returns, or none of them. A Create of a run that exists is a Conflict
	// for the whole group.
	Append(ctx context.Context, entries []Entry) error
	// Run returns a run's summary, or a NotFound error.
	Run(ctx context.Context, id string) (run.Run, error)
	// Runs returns summaries, the newest first.
	Runs(ctx context.Context, f Filter) ([]run.Run, error)
	// Records returns a run's records with Seq greater than after, in order.
	Records(ctx context.Context, id string, after int) ([]run.Record, error)
	// Items returns what has come of the items of lists, by list and position.
	Items(ctx context.Context, f ItemFilter) ([]run.Item, error)
}

// Entry is what one turn writes.
type Entry struct {
	Create *run.Run   // the run begins with this record
	Record run.Record // always
	Update *run.Run   // the run's new summary: Status, Reason, Ended and Outputs are kept
	// Wipe is set when the run has ended: what is sealed in its records is
	// dropped. An empty Sealed that is not nil stays there, and in this record
	// whether it had one or not.
	Wipe bool
	// WipeItems does the same for the items of the run's lists.
	WipeItems bool
	// Item is what has come of an item, in place of what was known of it: the
	// record ended or held its run. When nothing but Item is set, the item's run
	// was not begun.
	Item *run.Item
}

// Filter selects runs. Zero fields select all, but for the runs of items.
type Filter struct {
	Statuses []run.Status
	Workflow string
	Limit    int
	Parent   string // the runs of the items of this run's lists; empty: runs that are no items
}

// ItemFilter selects items of a run's lists. Zero fields select all.
type ItemFilter struct {
	Run      string
	Loop     int
	Step     string
	From     int // the first position; of the first list
	Statuses []run.Status
	Limit    int
}

// Executor makes calls. It is written once, for every driver.
type Executor interface {
	// Bind chooses the connections of a run. An error means that some call of
	// the plan could not be made, and nothing has been sent.
	Bind(ctx context.Context, p *plan.Plan, b run.Bindings) (Caller, error)
}

// Attributor is a Caller that knows in whose name it calls.
type Attributor interface {
	// Attribution returns the name of the connection that a call is made on, and
	// whose credential it carries, as far as is known before it leaves.
	Attribution(call *engine.Call) (connection, identity string)
}

// Caller makes the calls of one run.
type Caller interface {
	// Call makes one exchange and reports how it went; it never fails otherwise.
	// It returns early when ctx ends.
	Call(ctx context.Context, call *engine.Call) *engine.Answer
	// Secrets returns what must not be written down of the run's connections, as
	// known by now. The list only grows.
	Secrets() []string
}
