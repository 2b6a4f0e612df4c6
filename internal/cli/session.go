package cli

import (
	"context"
	"errors"
	"io/fs"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// Settings are the flags that say where configuration and data are.
type Settings struct {
	Config      string // the configuration file
	ConfigGiven bool   // it was named, so it must exist
	Data        string // the data folder
}

// PlanRequest asks for the plan of a document.
type PlanRequest struct {
	Settings
	File     string
	Dialect  arazzo.Dialect
	Workflow string
	Sources  map[string]string // --source: name to path or URL
	Bindings run.Bindings
}

// StartRequest asks for a run.
type StartRequest struct {
	ID       string
	Plan     *plan.Plan
	Inputs   map[string]any
	Bindings run.Bindings
}

// Session is an open data folder: in this process, or in the lanyard serve that
// holds it.
type Session interface {
	// Start begins a run; one that was started before under the ID is left alone.
	Start(ctx context.Context, req StartRequest) error
	// Run returns a run's summary, or a NotFound error.
	Run(ctx context.Context, id string) (run.Run, error)
	// Runs returns summaries, the newest first.
	Runs(ctx context.Context, f worker.Filter) ([]run.Run, error)
	// Records returns a run's records behind the given number. With wait it
	// first waits until there is one or the run is at rest.
	Records(ctx context.Context, id string, after int, wait bool) ([]run.Record, error)
	// Signal hands a person's decision to a run. inputs give an ended run its
	// secret inputs back.
	Signal(ctx context.Context, id string, e engine.Event, inputs map[string]any) error
	// People returns what the directory knows of whoever has this e-mail address.
	People(ctx context.Context, email string) ([]directory.Person, error)
	// Close lets the data folder go. Runs that are moving go on when it is
	// opened by serve or resumed.
	Close() error
}

// asOutcome reports whether err is an exit code and nothing else.
func asOutcome(err error, into *outcome) bool { return errors.As(err, into) }

// plainCause words a file error without repeating the path.
func plainCause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
