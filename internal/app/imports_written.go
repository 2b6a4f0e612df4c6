package app

import (
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/extract"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

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

// wanted is the source of an import of lanyard.yaml as the file wants it.
func (w *writtenImport) wanted() *importer.Source {
	s := &importer.Source{Settings: w.settings, To: w.to}
	if w.from != nil {
		s.From = w.name
	}
	return s
}

// locate gives mistakes in the settings of an import the line of lanyard.yaml.
func (w *writtenImport) locate(err error) error {
	if w == nil {
		return err
	}
	return reconcile.Locate(w.section, err)
}

// rehearsal is the source on which an import plays, with its label: one of its own,
// so that it is not taken for what the tenant has.
func (w *writtenImport) rehearsal() (label string, want *importer.Source) {
	want = w.wanted()
	want.To = nil
	want.Settings.Sourcing.Priority = 0 // below the import itself
	return w.label + " (sandbox)", want
}
