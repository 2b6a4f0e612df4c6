package app

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/extract"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/spelling"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/trigger"
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

// writtenImport is an import of lanyard.yaml.
type writtenImport struct {
	name     string
	label    string
	settings reconcile.Settings
	from     *extract.From     // nil: the source is only loaded through the API
	to       *reconcile.Target // nil: the embedded org
	toPlace  string
	section  config.Section // that it was read from
}

// readImports reads the imports of a configuration. Everything that is wrong with
// any of them is told at once.
func readImports(sections map[string]config.Section) (map[string]*writtenImport, error) {
	out := map[string]*writtenImport{}
	labels, targets := map[string]string{}, map[reconcile.Target]string{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		w, err := readImport(name, sections[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other := labels[w.label]; other != "" {
			errs = append(errs, fault.New(fault.Invalid, "the imports %s and %s are bound to the same application %q", other, name, w.label).
				At("%s", sections[name].File).Fix("give one of them another label"))
		}
		labels[w.label] = name
		if w.to != nil {
			if other := targets[*w.to]; other != "" {
				errs = append(errs, fault.New(fault.Invalid, "the imports %s and %s go to the same identity source of a tenant", other, name).
					At("%s", w.toPlace).Fix("give each an application of its own there"))
			}
			targets[*w.to] = name
		}
		out[name] = w
	}
	return out, fault.Join(errs...)
}

func readImport(name string, section config.Section) (*writtenImport, error) {
	read, err := reconcile.ReadSettings(section)
	w := &writtenImport{name: name, label: name, section: section}
	if read == nil { // what is wrong with where it is read from is told too
		return nil, fault.Join(err, fromMistakes(section))
	}
	w.settings, w.to, w.toPlace = read.Settings, read.To, read.ToPlace
	if read.Label != "" {
		w.label = read.Label
	}
	if read.From != nil {
		part := section
		part.Node = read.From
		if w.from, err = extract.Parse(part); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// fromMistakes are those of the section from of an import whose other settings are
// wrong.
func fromMistakes(section config.Section) error {
	for i := 0; i+1 < len(section.Node.Content); i += 2 {
		if section.Node.Content[i].Value == "from" {
			part := section
			part.Node = section.Node.Content[i+1]
			_, err := extract.Parse(part)
			return err
		}
	}
	return nil
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

// of is the import of lanyard.yaml that a source is of, also one on which it plays;
// nil for none.
func (i *imports) of(label string, s *importer.Source) *writtenImport {
	if w := i.written()[s.From]; w != nil {
		return w
	}
	return i.labels(label)
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

// named returns the import of lanyard.yaml with a name or label, nil for none.
func (i *imports) named(ref string) *writtenImport {
	if w := i.written()[ref]; w != nil {
		return w
	}
	return i.labels(ref)
}

// labels returns the import of lanyard.yaml with a label, nil for none.
func (i *imports) labels(label string) *writtenImport {
	for _, w := range i.written() {
		if w.label == label {
			return w
		}
	}
	return nil
}

// wanted is the source of an import of lanyard.yaml as the file wants it.
func (w *writtenImport) wanted() *importer.Source {
	s := &importer.Source{Settings: w.settings, To: w.to}
	if w.from != nil {
		s.From = w.name
	}
	return s
}

// stored gives a source as it is wanted the id of the stored one with the label, if
// there is one, and reports whether that is the same.
func (i *imports) stored(known []*importer.Source, label string, want *importer.Source) (bool, error) {
	s, err := labelled(known, label, want.From)
	if s == nil || err != nil {
		return false, err
	}
	want.Meta = directory.Meta{ID: s.ID}
	same, err := importer.Alike(&s.Settings, &want.Settings)
	return same && s.From == want.From && sameTarget(s.To, want.To) && s.Version > 0, err
}

// mine refuses to change by command what stands in lanyard.yaml.
func (i *imports) mine(ctx context.Context, c importer.Command) error {
	names := []string{c.Source, c.Label}
	for name, w := range i.written() {
		if !slices.Contains(names, name) && !slices.Contains(names, w.label) {
			s, err := i.importer.FindSource(ctx, c.Source)
			if err != nil || s.Label != w.label {
				continue
			}
		}
		return fault.New(fault.Refused, "the import %q stands in %s, which wins", name, i.folder.config.File).Fix("change it there")
	}
	return nil
}

// resolve turns the name of an import, a label or an id into the id of a source.
func (i *imports) resolve(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	i.mu.Lock()
	id := i.bound[ref]
	i.mu.Unlock()
	if id != "" {
		return id, nil
	}
	s, err := i.importer.FindSource(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return "", i.unknown(ctx, ref)
	}
	if err != nil {
		return "", err
	}
	return s.ID, nil
}

// unknown says which sources there are instead.
func (i *imports) unknown(ctx context.Context, ref string) error {
	names := slices.Collect(maps.Keys(i.written()))
	if all, err := i.importer.Sources(ctx); err == nil {
		for _, s := range all {
			names = append(names, s.Label)
		}
	}
	e := fault.New(fault.NotFound, "there is no import or identity source %q", ref)
	if like := spelling.Nearest(ref, names); like != "" {
		return e.Fix("did you mean %q?", like)
	}
	return e.Fix("lanyard import sources list shows them; lanyard import run FILE.csv makes one of a file")
}

// bindAll gives every import of lanyard.yaml its application, and the settings
// that the file has. What is so already is not written again.
func (i *imports) bindAll(ctx context.Context) error {
	if len(i.written()) == 0 || i.folder.readOnly {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.bound) == len(i.written()) {
		return nil
	}
	known, err := i.importer.Sources(ctx)
	if err != nil {
		return err
	}
	var errs []error
	written := i.written()
	for _, name := range slices.Sorted(maps.Keys(written)) {
		id, err := i.bind(ctx, written[name], known)
		if err != nil {
			errs = append(errs, at(written[name].locate(err), "import "+name))
			continue
		}
		i.bound[name] = id
	}
	return fault.Join(errs...)
}

// locate gives mistakes in the settings of an import the line of lanyard.yaml.
func (w *writtenImport) locate(err error) error {
	if w == nil {
		return err
	}
	return reconcile.Locate(w.section, err)
}

// at gives an error the place that it lacks.
func at(err error, place string) error {
	f, ok := err.(*fault.Error) //nolint:errorlint // only our own, unwrapped, can be placed
	if !ok || f.Place != "" {
		return err
	}
	placed := *f
	placed.Place = place
	return &placed
}

func (i *imports) bind(ctx context.Context, w *writtenImport, known []*importer.Source) (id string, err error) {
	want := w.wanted()
	if same, err := i.stored(known, w.label, want); err != nil || same {
		return want.ID, err
	}
	s, err := i.importer.PutSource(ctx, commandActor, w.label, want)
	if err != nil {
		return "", err
	}
	return s.ID, nil
}

// labelled returns the source with a label, nil for none. Of several it is the one
// that the import is bound to already: somebody may have given another application
// that label since.
func labelled(known []*importer.Source, label, from string) (*importer.Source, error) {
	var all, bound []*importer.Source
	for _, s := range known {
		if s.Label != label {
			continue
		}
		all = append(all, s)
		if s.From == from && s.Version > 0 {
			bound = append(bound, s)
		}
	}
	switch {
	case len(all) == 0:
		return nil, nil
	case len(all) == 1:
		return all[0], nil
	case len(bound) == 1:
		return bound[0], nil
	}
	return nil, importer.Ambiguous(label, all)
}

func sameTarget(a, b *reconcile.Target) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// fileSource returns the source of a file that lanyard.yaml says nothing of, and
// makes it the first time.
func (i *imports) fileSource(ctx context.Context, label string) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, err := i.importer.FindSource(ctx, label)
	if fault.Is(err, fault.NotFound) {
		s, err = i.importer.PutSource(ctx, commandActor, label, &importer.Source{Settings: reconcile.FileSettings()})
	}
	if err != nil {
		return "", err
	}
	return s.ID, nil
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

// Await implements trigger.Runnable.
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
		case <-tick.C:
		}
	}
}
