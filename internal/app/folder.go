package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/postgres"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// Folder is an open data folder: this process owns it until Close. It is what
// Lanyard's own API serves (api.Service), and a session of the command line.
type Folder struct {
	data     string
	config   *config.Config
	env      func(name string) (string, bool)
	log      *slog.Logger
	served   bool // by lanyard serve
	stage    *rehearsal.Stage
	readOnly bool // another process owns it after all: see openToRead

	lock     *flock.Flock
	key      secret.Key
	db       *store.DB
	own      http.Handler // the own API, for runs of this process
	executor *executor
	worker   *worker.Worker

	stop    context.CancelFunc // ends the worker
	stopped chan struct{}      // closed when it has ended
	closing sync.Once

	waits    context.Context // ends when nobody may wait for records any more
	endWaits context.CancelFunc

	oktaBase  atomic.Pointer[string] // the same of the Okta API
	auth0Base atomic.Pointer[string] // where serve offers the Auth0 API; nil: not yet, or not at all

	sandboxOnce sync.Once
	sandbox     *sandbox
	sandboxErr  error

	provisionOnce sync.Once
	provisioning  *provisioning

	importsOnce sync.Once
	imports     *imports
	importsErr  error

	meanwhileOnce sync.Once
	finishImports func() error // nil: no run of this process could import

	triggersOnce sync.Once
	triggers     *triggers
	plans        planner // reads the documents that triggers name
}

// databaseFile is the default store in a data folder.
const databaseFile = "lanyard.db"

// openFolder takes a data folder, making it when it is missing.
func (a *App) openFolder(ctx context.Context, s cli.Settings, command string, cfg *config.Config) (*Folder, error) {
	return a.openStaged(ctx, s, command, cfg, newStage(rehearsal.Limits{}, cmp.Or(s.Log, a.Log)))
}

// openStaged is openFolder with a stage for the folder's sandbox.
func (a *App) openStaged(ctx context.Context, s cli.Settings, command string, cfg *config.Config, stage *rehearsal.Stage) (*Folder, error) {
	data := s.Data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the data folder cannot be made").At("%s", data).Fix("choose another with --data")
	}
	l, err := lock(data, command)
	if err != nil {
		return nil, err
	}
	// A process that was killed may have left it: nobody answers there any more.
	_ = os.Remove(filepath.Join(data, serveFile))
	f := &Folder{data: data, config: cfg, env: a.Env, log: cmp.Or(s.Log, a.Log), served: command == serveCommand, stage: stage, lock: l, stopped: make(chan struct{})}
	f.plans = a.planner(s)
	f.waits, f.endWaits = context.WithCancel(context.WithoutCancel(ctx))
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(err, f.release())
	}
	return f, nil
}

// openToRead opens a data folder that another process holds, to look at it:
// nothing moves in it, and nothing can be started.
func (a *App) openToRead(ctx context.Context, s cli.Settings, cfg *config.Config) (*Folder, error) {
	f := &Folder{data: s.Data, config: cfg, env: a.Env, log: cmp.Or(s.Log, a.Log), readOnly: true, stopped: make(chan struct{})}
	f.plans = a.planner(s)
	close(f.stopped)
	var err error
	if f.db, err = f.openDatabase(ctx, postgres.OpenToRead); err != nil {
		return nil, err
	}
	f.worker = &worker.Worker{Store: f.db.Journal(), Log: f.log, Now: time.Now}
	f.stop = func() {}
	f.waits, f.endWaits = context.WithCancel(context.WithoutCancel(ctx))
	return f, nil
}

// open opens what is in the folder and starts the worker.
func (f *Folder) open(ctx context.Context) error {
	var err error
	if f.key, err = secret.OpenKey(f.data); err != nil {
		return err
	}
	if f.db, err = f.openDatabase(ctx, postgres.Open); err != nil {
		return err
	}
	if err := f.tables().Tables.Sweep(ctx); err != nil {
		return err
	}
	f.own = f.inside()
	f.executor = newExecutor(f)
	f.worker = &worker.Worker{
		Store: f.db.Journal(), Executor: f.executor, Key: f.key, Log: f.log, Now: time.Now,
		Concurrency: f.config.Run.Concurrency,
	}
	// The worker outlives the context that the folder was opened with: it ends
	// in Close, after its last records are written.
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	ready := make(chan struct{})
	go func() {
		defer close(f.stopped)
		if err := f.worker.Serve(base, func() { close(ready) }); err != nil {
			f.log.Error("the worker stopped", "error", err)
		}
	}()
	<-ready
	return nil
}

// openDatabase opens what the store setting names: a SQLite file, the one in the
// data folder by default, or a PostgreSQL server.
func (f *Folder) openDatabase(ctx context.Context, server func(context.Context, string) (*store.DB, error)) (*store.DB, error) {
	kind, rest, _ := strings.Cut(f.config.Store, ":")
	switch kind {
	case "":
		return sqlite.Open(ctx, filepath.Join(f.data, databaseFile))
	case "sqlite":
		return sqlite.Open(ctx, rest)
	case "env", "file":
		address, err := (&secret.Resolver{Env: f.env}).Resolve(ctx, secret.Ref(f.config.Store))
		if err != nil {
			return nil, err
		}
		return server(ctx, address.Reveal())
	}
	return server(ctx, f.config.Store)
}

// Close stops the worker and lets the folder go. Runs that are moving are
// interrupted between two records.
func (f *Folder) Close() error {
	var err error
	f.closing.Do(func() {
		f.letGo()
		f.stop()
		<-f.stopped
		if f.executor != nil {
			f.executor.close()
		}
		f.meanwhileOnce.Do(func() {})
		if f.finishImports != nil {
			err = f.finishImports()
		}
		err = errors.Join(err, f.closeWireLog(), f.release())
	})
	return err
}

// closeWireLog writes what the request log still has to write.
func (f *Folder) closeWireLog() error {
	f.sandboxOnce.Do(func() {}) // whoever opens it is done, and nobody will
	if f.sandbox == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return f.sandbox.wire.Close(ctx)
}

// letGo ends all that would hold up the end of this process: waits for records,
// and requests that a rehearsal holds.
func (f *Folder) letGo() {
	f.endWaits()
	if f.stage != nil {
		f.stage.Faults.Stop()
	}
}

func (f *Folder) release() error {
	var errs []error
	if f.db != nil {
		errs = append(errs, f.db.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Unlock())
	}
	return errors.Join(errs...)
}

// openSandbox opens the folder's directory once, when something first needs it.
func (f *Folder) openSandbox(ctx context.Context) (*sandbox, error) {
	f.sandboxOnce.Do(func() {
		if f.readOnly {
			d := directory.New(f.db.Directory())
			f.sandbox = &sandbox{directory: d, oauth: newOAuth(d, f.key), inbound: connectionService(d), imports: newImporter(d, f.db, f.log)}
			return
		}
		f.sandbox, f.sandboxErr = openSandbox(context.WithoutCancel(ctx), f.db, f.key, f.stage, f.config.Sandbox, f.served, f.log)
		if f.sandboxErr == nil {
			f.sandbox.imports.Outside = &tenants{folder: f}
		}
	})
	return f.sandbox, f.sandboxErr
}

// Start implements api.Service.
func (f *Folder) Start(ctx context.Context, id string, p *plan.Plan, inputs map[string]any, b run.Bindings) error {
	_, err := f.worker.Start(ctx, run.Spec{ID: id, Bindings: b, Trigger: "command", StartedBy: run.Starter(ctx)}, p, inputs)
	return err
}

// Run implements api.Service.
func (f *Folder) Run(ctx context.Context, id string) (run.Run, error) {
	return f.worker.Store.Run(ctx, id)
}

// Runs implements api.Service.
func (f *Folder) Runs(ctx context.Context, filter worker.Filter) ([]run.Run, error) {
	return f.worker.Store.Runs(ctx, filter)
}

// Records implements api.Service.
func (f *Folder) Records(ctx context.Context, id string, after int, wait bool) ([]run.Record, error) {
	if wait {
		if err := f.await(ctx, id, after); err != nil {
			return nil, err
		}
	}
	return f.worker.Store.Records(ctx, id, after)
}

// Items implements api.Service.
func (f *Folder) Items(ctx context.Context, filter worker.ItemFilter) ([]run.Item, error) {
	return f.worker.Store.Items(ctx, filter)
}

// await is worker.Await that ends when the folder is about to be let go.
func (f *Folder) await(ctx context.Context, id string, after int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.waits, cancel)()
	err := f.worker.Await(ctx, id, after)
	if err != nil && f.waits.Err() != nil {
		return fault.Wrap(fault.Unavailable, err, "the process that moves run %s is stopping", id).
			Fix("the run goes on when lanyard serve is started again")
	}
	return err
}

// Signal implements api.Service.
func (f *Folder) Signal(ctx context.Context, id string, e engine.Event, inputs map[string]any) error {
	return f.worker.Signal(ctx, id, e, inputs)
}

// People implements api.Service.
func (f *Folder) People(ctx context.Context, email string) ([]directory.Person, error) {
	s, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	return s.directory.People(ctx, email)
}
