package app

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/extract"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/table"
)

// imports bring people from sources of truth into the Okta org of a folder.
type imports struct {
	folder   *Folder
	importer *importer.Importer
	desk     *importer.Desk

	current atomic.Pointer[map[string]*writtenImport] // what lanyard.yaml says, by name; never changed

	mu    sync.Mutex // while sources are bound
	bound map[string]string
}

// written is what lanyard.yaml says, by name.
func (i *imports) written() map[string]*writtenImport { return *i.current.Load() }

// reload takes the imports of a configuration over, and returns how to go back. When
// anything is wrong with any of them, all stays as it was.
func (i *imports) reload(ctx context.Context, sections map[string]config.Section) (back func() error, err error) {
	next, err := readImports(sections)
	if err != nil {
		return nil, err
	}
	before := i.written()
	back = func() error {
		i.use(before)
		return i.bindAll(context.WithoutCancel(ctx))
	}
	i.use(next)
	if err := i.bindAll(ctx); err != nil {
		return nil, fault.Join(err, back())
	}
	return back, nil
}

// use makes imports those that are there. They are bound when they are needed.
func (i *imports) use(written map[string]*writtenImport) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current.Store(&written)
	i.bound = map[string]string{}
}

// openImports builds the imports of the folder once, when something first needs
// them. What another process was reading when it ended is over. Nothing moves until
// serveImports, or a command that waits.
func (f *Folder) openImports(ctx context.Context) (*imports, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	f.importsOnce.Do(func() {
		i := &imports{folder: f}
		written, err := readImports(f.config.Imports)
		if f.importsErr = err; err != nil {
			return
		}
		i.use(written)
		i.importer = box.imports
		if !f.readOnly {
			if f.importsErr = i.importer.Recover(context.WithoutCancel(ctx)); f.importsErr != nil {
				return
			}
		}
		i.desk = &importer.Desk{Importer: i.importer, Actor: commandActor, Read: i.read}
		f.imports = i
	})
	return f.imports, f.importsErr
}

// serveImports works on sessions until ctx ends or stop is called, which waits for
// what is under way.
func (f *Folder) serveImports(ctx context.Context) (stop func(), err error) {
	i, err := f.openImports(ctx)
	if err != nil {
		return nil, err
	}
	if err := i.bindAll(ctx); err != nil {
		return nil, err
	}
	return i.serve(ctx), nil
}

// serve works on sessions until ctx ends or stop is called.
func (i *imports) serve(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := i.importer.Serve(ctx); err != nil && ctx.Err() == nil {
			i.folder.log.Error("imports have stopped", "error", err)
		}
	})
	return func() {
		cancel()
		serving.Wait()
	}
}

// importMeanwhile lets a run of a folder that is not served import people: what the
// run triggers is worked on beside it, and what is left when the folder is closed is
// done then.
func (f *Folder) importMeanwhile(ctx context.Context) {
	if f.served || f.readOnly {
		return
	}
	f.meanwhileOnce.Do(func() {
		i, err := f.openImports(ctx)
		if err != nil {
			f.log.Error("imports cannot be read: nothing is imported", "error", err)
			return
		}
		stop := i.serve(context.WithoutCancel(ctx))
		f.finishImports = func() error {
			stop()
			ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
			defer cancel()
			err := i.importer.Settle(ctx)
			if ctx.Err() != nil { // it goes on the next time
				return nil
			}
			return err
		}
	})
}

// Imports implements api.Service.
func (f *Folder) Imports(ctx context.Context, c importer.Command) (*importer.Reply, error) {
	i, err := f.openImports(ctx)
	if err != nil {
		return nil, err
	}
	return i.do(ctx, c)
}

// do carries a command out. A source may be named as lanyard.yaml names it, and a
// file that is read without any settings makes a source of its own.
func (i *imports) do(ctx context.Context, c importer.Command) (*importer.Reply, error) {
	if c.Do == importer.SetSource || c.Do == importer.RemoveSource {
		if err := i.mine(ctx, c); err != nil {
			return nil, err
		}
		if c.Do == importer.SetSource {
			return i.desk.Do(ctx, c)
		}
	}
	switch c.Do {
	case importer.MakePreview, importer.ExplainUser:
		return i.look(ctx, c)
	case importer.ListSources:
		return i.list(ctx, c)
	}
	if err := i.bindAll(ctx); err != nil {
		return nil, err
	}
	var err error
	if c.Plan != nil && c.Plan.Draft != nil {
		if err := i.rehearse(ctx, c.Plan.Label); err != nil {
			return nil, err
		}
	}
	if c.Sandbox {
		if c.Source, err = i.rehearsed(ctx, c.Source); err != nil {
			return nil, err
		}
	}
	if c.Source == "" && c.From != "" && c.Label != "" {
		if c.Source, err = i.fileSource(ctx, c.Label); err != nil {
			return nil, err
		}
	}
	if c.Source, err = i.resolve(ctx, c.Source); err != nil {
		return nil, err
	}
	if q := c.Sessions; q != nil && q.Source != "" {
		if q.Source, err = i.resolve(ctx, q.Source); err != nil {
			return nil, err
		}
	}
	reply, err := i.desk.Do(ctx, c)
	return reply, i.placed(ctx, c.Source, err)
}

// placed is an error of reading a source, with the line of lanyard.yaml that is
// wrong.
func (i *imports) placed(ctx context.Context, id string, err error) error {
	if err == nil || id == "" {
		return err
	}
	s, missing := i.importer.Source(ctx, id)
	if missing != nil {
		return err
	}
	return i.of(s.Label, s).locate(err)
}

// look carries a command out that only looks. What it looks at need not be stored:
// it writes nothing, not even the application of a source that is new.
func (i *imports) look(ctx context.Context, c importer.Command) (*importer.Reply, error) {
	id, label, want, err := i.meant(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Source = id
	if want != nil {
		known, err := i.importer.Sources(ctx)
		if err != nil {
			return nil, err
		}
		stored, err := i.stored(known, label, want)
		if err != nil {
			return nil, err
		}
		if c.Source = want.ID; !stored {
			c.Draft, c.Label = want, label
		}
	}
	reply, err := i.desk.Do(ctx, c)
	if err == nil && c.Do == importer.MakePreview {
		if err = i.foresee(reply.Plan); err != nil {
			reply.Plan.Close()
		}
	}
	if want != nil {
		err = i.of(label, want).locate(err)
	}
	return reply, err
}

// list lists the sources, with the imports of lanyard.yaml that nothing was imported
// from yet: these have no id.
func (i *imports) list(ctx context.Context, c importer.Command) (*importer.Reply, error) {
	reply, err := i.desk.Do(ctx, c)
	if err != nil {
		return nil, err
	}
	written := i.written()
	for _, name := range slices.Sorted(maps.Keys(written)) {
		label := written[name].label
		if slices.ContainsFunc(reply.Sources, func(s importer.SourceView) bool { return s.Label == label }) {
			continue
		}
		reply.Sources = append(reply.Sources, importer.SourceView{Source: written[name].wanted(), Label: label, Active: true})
	}
	return reply, nil
}

// meant is the source that a command names: the id of a stored one, or the source
// as it is to be, with its label.
func (i *imports) meant(ctx context.Context, c importer.Command) (id, label string, want *importer.Source, err error) {
	ref, file := c.Source, c.Source == "" && c.From != "" && c.Label != ""
	w := i.named(ref)
	if file { // it is the source with its label, whatever imports are called
		ref = c.Label
		w = i.labels(ref)
	}
	if w == nil {
		s, err := i.importer.FindSource(ctx, ref)
		switch {
		case fault.Is(err, fault.NotFound) && file:
			return "", ref, &importer.Source{Settings: reconcile.FileSettings()}, nil
		case fault.Is(err, fault.NotFound):
			return "", "", nil, i.unknown(ctx, ref)
		case err != nil:
			return "", "", nil, err
		}
		if w = i.labels(s.Label); w == nil {
			return s.ID, "", nil, nil
		}
	}
	if c.Sandbox && w.to != nil {
		label, want = w.rehearsal()
		return "", label, want, nil
	}
	return "", w.label, w.wanted(), nil
}

// read opens what a source is read from: the file or table that a command names,
// else what lanyard.yaml says.
func (i *imports) read(ctx context.Context, s *importer.Source, c importer.Command) (importer.Rows, error) {
	where := extract.OfFile(c.From)
	if c.From == "" {
		w := i.written()[s.From]
		if w == nil || w.from == nil {
			return nil, fault.New(fault.Invalid, "it is not said where %q is read from", s.Label).
				Fix("add from: to the import in lanyard.yaml, or say --from FILE; a source can also be loaded through the identity source API")
		}
		where = w.from
	}
	f := i.folder
	if err := f.executor.refresh(); err != nil {
		return nil, err
	}
	return extract.Open(ctx, where, extract.Env{
		Connections: f.executor.connector, Client: f.executor.client, Tables: wholeRows{f.tables().Tables},
		Bindings: run.Bindings{Sandbox: c.Sandbox}, Log: f.log,
		Secrets: &secret.Resolver{Env: f.env, Vault: &secret.FileVault{Dir: f.data, Env: f.env}},
	})
}

// wholeRows are the rows of tables with their empty cells: a column that is empty
// everywhere is there all the same.
type wholeRows struct{ *table.Tables }

// Rows implements extract.Tables.
func (w wholeRows) Rows(ctx context.Context, name string) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		t, err := w.Table(ctx, name)
		if err != nil {
			yield(nil, err)
			return
		}
		for row, err := range w.Tables.Rows(ctx, name) {
			if err == nil {
				for _, c := range t.Columns {
					if _, filled := row[c.Name]; !filled {
						row[c.Name] = nil
					}
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
