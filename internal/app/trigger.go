package app

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/web/hooks"
)

// triggers start flows and imports of a folder by themselves.
type triggers struct {
	engine *trigger.Engine
	desk   *trigger.Desk
}

// planner reads configuration and documents anew.
type planner struct {
	dir    string // of the configuration
	config func() (*config.Config, error)
	plan   func(ctx context.Context, a trigger.Action) (*plan.Plan, error)
}

// planner reads what triggers name as the commands do.
func (a *App) planner(s cli.Settings) planner {
	dir, err := filepath.Abs(filepath.Dir(s.Config))
	if err != nil { // there is no working folder any more
		dir = filepath.Dir(s.Config)
	}
	return planner{
		dir:    dir,
		config: func() (*config.Config, error) { return a.configuration(&s) },
		plan: func(ctx context.Context, action trigger.Action) (*plan.Plan, error) {
			result, err := a.plan(ctx, cli.PlanRequest{
				Settings: s, File: action.File, Workflow: action.Workflow, Dialect: dialectOf(action),
				Bindings: run.Bindings{Sandbox: action.Sandbox, AllowPrivate: action.AllowPrivate},
			})
			if err != nil {
				return nil, err
			}
			if !result.OK() {
				return nil, result.Err()
			}
			return result.Plan, nil
		},
	}
}

func dialectOf(a trigger.Action) arazzo.Dialect {
	if a.Dialect == "" {
		return arazzo.Strict
	}
	return a.Dialect
}

// openTriggers builds the triggers of the folder once, when something first
// needs them. Nothing fires until serveTriggers.
func (f *Folder) openTriggers(ctx context.Context) (*triggers, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	f.triggersOnce.Do(func() {
		engine := &trigger.Engine{
			Store: f.db.Trigger(), Directory: box.directory.Store, Starter: starter{f}, Key: f.key,
			Now: box.directory.Clock, Real: time.Now, Log: f.log,
		}
		desk := &trigger.Desk{Engine: engine, Dir: f.plans.dir, Served: f.served}
		desk.Use(f.config.Triggers)
		f.triggers = &triggers{engine, desk}
	})
	return f.triggers, nil
}

// Triggers implements api.Service.
func (f *Folder) Triggers(ctx context.Context, c trigger.Command) (*trigger.Reply, error) {
	t, err := f.openTriggers(ctx)
	if err != nil {
		return nil, err
	}
	return t.desk.Do(ctx, c)
}

// armTriggers loads everything that triggers start. A document that cannot run
// keeps lanyard serve from starting. reload does it again, from a configuration
// that may have changed, and takes its imports over.
func (f *Folder) armTriggers(ctx context.Context) (reload func(context.Context) error, err error) {
	t, err := f.openTriggers(ctx)
	if err != nil {
		return nil, err
	}
	reload = func(ctx context.Context) error {
		c, err := f.plans.config()
		if err != nil {
			return err
		}
		i, err := f.openImports(ctx)
		if err != nil {
			return err
		}
		back, err := i.reload(ctx, c.Imports)
		if err != nil {
			return err
		}
		if err := t.desk.Reload(ctx, c.Triggers); err != nil {
			return fault.Join(err, back())
		}
		f.log.Info("imports and triggers were read again")
		return nil
	}
	return reload, t.desk.Arm(ctx)
}

// serveTriggers lets triggers fire until ctx ends or stop is called, which waits
// for what is under way. SIGHUP reads lanyard.yaml and the documents again; when
// anything in them is wrong, all stays as it was.
func (f *Folder) serveTriggers(ctx context.Context, reload func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	var serving sync.WaitGroup
	serving.Go(func() { f.triggers.engine.Serve(ctx) })
	serving.Go(func() {
		defer signal.Stop(hangUps)
		for {
			select {
			case <-hangUps:
				if err := reload(ctx); err != nil {
					f.log.Error("imports and triggers stay as they were: what was read again is wrong", "error", err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		serving.Wait()
	}
}

// hooks is the HTTP side of the folder's triggers.
func (f *Folder) hooks() *hooks.Hooks {
	vault := &secret.FileVault{Dir: f.data, Env: f.env}
	return &hooks.Hooks{
		Triggers: f.triggers.engine, Secrets: &secret.Resolver{Env: f.env, Vault: vault}, Client: f.executor.client, Now: time.Now, Log: f.log,
	}
}

// starter starts what triggers name.
type starter struct{ folder *Folder }

// Load implements trigger.Starter.
func (s starter) Load(ctx context.Context, a trigger.Action) (trigger.Runnable, error) {
	if a.Import != "" {
		return s.folder.importable(ctx, a.Import)
	}
	p, err := s.folder.plans.plan(ctx, a)
	if err != nil {
		return nil, err
	}
	return &startable{folder: s.folder, plan: p, bindings: run.Bindings{Sandbox: a.Sandbox, AllowPrivate: a.AllowPrivate}}, nil
}

// startable is a workflow of a document as it was when it was read.
type startable struct {
	folder   *Folder
	plan     *plan.Plan
	bindings run.Bindings
}

// Check implements trigger.Runnable.
func (w *startable) Check(inputs map[string]any) error {
	_, err := w.plan.Workflows[w.plan.Main].Prepare(inputs)
	return err
}

// Start implements trigger.Runnable. The id is made of what happened: whatever
// was started under it before is the same, with the document as it was then.
func (w *startable) Start(ctx context.Context, id, by string, inputs map[string]any, sandbox bool) error {
	b := w.bindings
	b.Sandbox = b.Sandbox || sandbox
	existed, err := w.folder.worker.Start(ctx, run.Spec{ID: id, Bindings: b, Trigger: "trigger " + by, StartedBy: run.Starter(ctx)}, w.plan, inputs)
	if existed {
		return nil
	}
	return err
}

// Status implements trigger.Runnable.
func (w *startable) Status(ctx context.Context, id string) (trigger.Outcome, error) {
	r, err := w.folder.worker.Store.Run(ctx, id)
	return trigger.Outcome{Status: r.Status, Reason: r.Reason, Outputs: r.Outputs}, err
}

// Await implements trigger.Runnable.
func (w *startable) Await(ctx context.Context, id string) (trigger.Outcome, error) {
	after := 0
	for {
		if err := w.folder.await(ctx, id, after); err != nil {
			return trigger.Outcome{}, err
		}
		o, err := w.Status(ctx, id)
		if err != nil || o.Status != run.Running {
			return o, err
		}
		records, err := w.folder.worker.Store.Records(ctx, id, after)
		if err != nil || len(records) == 0 { // it does not move
			return o, err
		}
		after = records[len(records)-1].Seq
	}
}
