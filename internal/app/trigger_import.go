package app

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/spelling"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// importable is an import that a trigger starts.
type importable struct {
	imports *imports
	name    string
	source  string // id
}

// importable returns an import for a trigger to start.
func (f *Folder) importable(ctx context.Context, name string) (trigger.Runnable, error) {
	i, err := f.openImports(ctx)
	if err != nil {
		return nil, err
	}
	w := i.written()[name]
	if w == nil || w.from == nil {
		e := fault.New(fault.NotFound, "there is no import %q in lanyard.yaml that is read from somewhere", name)
		if like := spelling.Nearest(name, slices.Collect(maps.Keys(i.written()))); like != "" && like != name {
			return nil, e.Fix("did you mean %q?", like)
		}
		return nil, e.Fix("write it there under imports, with from:")
	}
	if err := i.bindAll(ctx); err != nil {
		return nil, err
	}
	id, err := i.resolve(ctx, name)
	return &importable{imports: i, name: name, source: id}, err
}

// Check implements trigger.Runnable: an import has no inputs, and what a trigger is
// told does not matter to it.
func (m *importable) Check(map[string]any) error { return nil }

// Start implements trigger.Runnable. The source is read before it returns; what is
// carried out then goes on by itself. An import that was cut off while the source
// was read is begun anew.
func (m *importable) Start(ctx context.Context, id, by string, _ map[string]any, sandbox bool) error {
	i, source := m.imports, m.source
	if w := i.written()[m.name]; sandbox && (w == nil || w.to == nil) {
		return fault.New(fault.Unsupported, "an import has no test run").Fix("lanyard import preview %s shows what it would do", m.name)
	}
	if sandbox {
		var err error
		if source, err = i.rehearsed(ctx, m.name); err != nil {
			return err
		}
	}
	if s, err := i.importer.Session(ctx, "", id); err == nil && !s.Unread() {
		return nil
	}
	s, err := i.importer.Source(ctx, source)
	if err != nil {
		return err
	}
	rows, err := i.read(ctx, s, importer.Command{Sandbox: sandbox})
	if err != nil {
		return err
	}
	_, err = i.importer.Run(ctx, directory.System("trigger "+by), source, rows, importer.RunOptions{ID: id, NoWait: true})
	return i.written()[m.name].locate(err)
}

// Status implements trigger.Runnable.
func (m *importable) Status(ctx context.Context, id string) (trigger.Outcome, error) {
	s, err := m.imports.importer.Session(ctx, "", id)
	if err != nil {
		return trigger.Outcome{}, err
	}
	counts, err := json.Marshal(s.Counts)
	if err != nil {
		return trigger.Outcome{}, fault.Wrap(fault.Internal, err, "the figures of the import cannot be written")
	}
	return trigger.Outcome{Status: statusOf(s), Reason: s.Error, Outputs: counts}, nil
}

// statusOf is where a session stands, as runs have it.
func statusOf(s *importer.Session) run.Status {
	switch {
	case s.Phase == importer.Held:
		return run.Held
	case s.State == importer.Completed:
		return run.Succeeded
	case s.State == importer.Closed:
		return run.Cancelled
	case s.State == importer.Failed, s.State == importer.Expired:
		return run.Failed
	}
	return run.Running
}

// lookAgain is how often the end of an import is looked for.
const lookAgain = 200 * time.Millisecond

// Await implements trigger.Runnable. Like those who wait for a run, who waits for an
// import is told when the process is about to end.
func (m *importable) Await(ctx context.Context, id string) (trigger.Outcome, error) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		if !m.imports.folder.served { // nobody else works on it
			if err := m.imports.importer.Settle(ctx); err != nil {
				return trigger.Outcome{}, err
			}
		}
		o, err := m.Status(ctx, id)
		if err != nil || o.Status != run.Running {
			return o, err
		}
		select {
		case <-ctx.Done():
			return o, ctx.Err()
		case <-m.imports.folder.waits.Done():
			return o, fault.New(fault.Unavailable, "the process that carries out import %s is stopping", id).
				Fix("the import goes on when lanyard serve is started again")
		case <-tick.C:
		}
	}
}
