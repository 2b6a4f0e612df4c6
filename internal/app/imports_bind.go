package app

import (
	"context"
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

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
		w := written[name]
		id, err := i.bind(ctx, known, w.label, w.wanted())
		if err != nil {
			errs = append(errs, at(w.locate(err), "import "+name))
			continue
		}
		i.bound[name] = id
	}
	return fault.Join(errs...)
}

// bind returns the id of the source with a label, which is stored as it is wanted
// unless it is so already.
func (i *imports) bind(ctx context.Context, known []*importer.Source, label string, want *importer.Source) (id string, err error) {
	if same, err := i.stored(known, label, want); err != nil || same {
		return want.ID, err
	}
	s, err := i.importer.PutSource(ctx, commandActor, label, want)
	if err != nil {
		return "", err
	}
	return s.ID, nil
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

// of is the import of lanyard.yaml that a source is of, also one on which it plays;
// nil for none.
func (i *imports) of(label string, s *importer.Source) *writtenImport {
	if w := i.written()[s.From]; w != nil {
		return w
	}
	return i.labels(label)
}

// mine refuses to change by command what stands in lanyard.yaml.
func (i *imports) mine(ctx context.Context, c importer.Command) error {
	names := []string{c.Source, c.Label}
	// A source that is not there has no other name.
	if s, err := i.importer.FindSource(ctx, c.Source); err == nil {
		names = append(names, s.Label)
	}
	for name, w := range i.written() {
		if slices.Contains(names, name) || slices.Contains(names, w.label) {
			return fault.New(fault.Refused, "the import %q stands in %s, which wins", name, i.folder.config.File).Fix("change it there")
		}
	}
	return nil
}

// rehearsed returns the identity source of the embedded org that an import plays on
// instead of its tenant: one of its own, so that it is not taken for what the
// tenant has. An import without a tenant plays on its own source.
func (i *imports) rehearsed(ctx context.Context, ref string) (string, error) {
	w := i.named(ref)
	if w == nil || w.to == nil {
		return ref, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	label, want := w.rehearsal()
	known, err := i.importer.Sources(ctx)
	if err != nil {
		return "", err
	}
	return i.bind(ctx, known, label, want)
}

// rehearse makes the source with a label, if it is one on which an import plays: a
// preview that looked at it has not.
func (i *imports) rehearse(ctx context.Context, label string) error {
	for name, w := range i.written() {
		if played, _ := w.rehearsal(); played == label && w.to != nil {
			_, err := i.rehearsed(ctx, name)
			return err
		}
	}
	return nil
}
