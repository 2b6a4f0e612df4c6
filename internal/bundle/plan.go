package bundle

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Target is where a bundle is unpacked.
type Target struct {
	Dir      string    // it need not exist
	Config   string    // path of lanyard.yaml; it need not exist
	Triggers []Trigger // added by command
	Tables   Tables    // nil: there is no data folder yet
}

// State says how something in a bundle relates to what is there.
type State string

// The states.
const (
	New     State = "new"
	Same    State = "same"
	Differs State = "differs"
)

// Change is what becomes of one thing.
type Change struct {
	What  string `json:"what"` // file, table, rows, or the section of lanyard.yaml
	Name  string `json:"name"`
	State State  `json:"state"`
	// Fixed says that it differs and cannot be replaced.
	Fixed  bool   `json:"fixed,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// What things are, besides the sections.
const (
	fileThing  = "file"
	tableThing = "table"
	rowsThing  = "rows"
	triggers   = "triggers"
)

// Plan is what unpacking a bundle writes.
type Plan struct {
	Changes []Change

	bundle   *Bundle
	target   Target
	settings []setting // to be put into lanyard.yaml
	before   []byte    // lanyard.yaml; nil: there is none
	after    []byte
}

// Compare finds out what unpacking a bundle would write. It writes nothing.
func Compare(ctx context.Context, b *Bundle, t Target) (*Plan, error) {
	p := &Plan{bundle: b, target: t}
	for _, step := range []func(context.Context) error{p.compareTables, p.compareFiles, p.compareSettings} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Conflicts refuses what would overwrite something, unless it may be replaced.
func (p *Plan) Conflicts(replace bool) error {
	var errs []error
	for _, c := range p.Changes {
		if c.State != Differs || replace && !c.Fixed {
			continue
		}
		e := fault.New(fault.Conflict, "%s", c.Detail).At("%s %s", c.What, c.Name)
		switch {
		case c.What == tableThing:
			e = e.Fix("change or remove the table first: lanyard tables alter, lanyard tables drop")
		case !c.Fixed:
			e = e.Fix("say --replace to overwrite it, or unpack elsewhere with --to")
		}
		errs = append(errs, e)
	}
	return fault.Join(errs...)
}

// Triggers are the names of the triggers that Apply writes.
func (p *Plan) Triggers() []string {
	var out []string
	for _, c := range p.Changes {
		if c.What == triggers && c.State != Same {
			out = append(out, c.Name)
		}
	}
	return out
}

func (p *Plan) note(what, name string, state State, detail string) {
	p.Changes = append(p.Changes, Change{What: what, Name: name, State: state, Detail: detail})
}

func (p *Plan) compareTables(ctx context.Context) error {
	known := map[string]*table.Table{}
	if p.target.Tables != nil && len(p.bundle.Manifest.Tables) > 0 {
		reply, err := p.target.Tables.Tables(ctx, table.Command{Do: table.ListTables})
		if err != nil {
			return err
		}
		for _, t := range reply.Tables {
			known[table.Fold(t.Name)] = t
		}
	}
	for _, t := range p.bundle.Manifest.Tables {
		there := known[table.Fold(t.Name)]
		switch {
		case there == nil:
			p.note(tableThing, t.Name, New, "")
		case !sameColumns(there.Columns, t.Columns):
			p.Changes = append(p.Changes, Change{What: tableThing, Name: t.Name, State: Differs, Fixed: true, Detail: "the table has other columns"})
			continue
		default:
			p.note(tableThing, t.Name, Same, "")
		}
		if err := p.compareRows(ctx, t, there); err != nil {
			return err
		}
	}
	return nil
}

func sameColumns(a, b []table.Column) bool {
	return slices.EqualFunc(a, b, func(x, y table.Column) bool {
		x.Slot, y.Slot = 0, 0
		return x == y
	})
}

func (p *Plan) compareRows(ctx context.Context, t Table, there *table.Table) error {
	if t.Rows == "" {
		return nil
	}
	if there == nil || there.Rows == 0 {
		state := New
		if bytes.Count(p.bundle.Rows[t.Name], []byte("\n")) < 2 {
			state = Same // a header alone
		}
		p.note(rowsThing, t.Name, state, "")
		return nil
	}
	text, err := rowsOf(ctx, p.target.Tables, there.Name)
	if err != nil {
		return err
	}
	if bytes.Equal(text, p.bundle.Rows[t.Name]) {
		p.note(rowsThing, t.Name, Same, "")
		return nil
	}
	p.note(rowsThing, t.Name, Differs, "the table has other rows")
	return nil
}

func (p *Plan) compareFiles(context.Context) error {
	root, err := os.OpenRoot(p.target.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		for _, name := range slices.Sorted(maps.Keys(p.bundle.Files)) {
			p.note(fileThing, name, New, "")
		}
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the folder cannot be read").At("%s", p.target.Dir)
	}
	defer func() { _ = root.Close() }() // nothing is written through it
	for _, name := range slices.Sorted(maps.Keys(p.bundle.Files)) {
		if err := checkWay(root, name); err != nil {
			return err
		}
		data, err := readPlain(root, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			p.note(fileThing, name, New, "")
		case err != nil:
			return fault.Wrap(fault.Refused, err, "something other than a plain file is in the way").At("%s", filepath.Join(p.target.Dir, name)).Fix("move it away")
		case bytes.Equal(data, p.bundle.Files[name]):
			p.note(fileThing, name, Same, "")
		default:
			p.note(fileThing, name, Differs, "the file is another one")
		}
	}
	return nil
}

// checkWay refuses a path that leads through something other than folders, such
// as a link to elsewhere.
func checkWay(root *os.Root, name string) error {
	parts := strings.Split(name, "/")
	for i := 1; i < len(parts); i++ {
		dir := strings.Join(parts[:i], "/")
		info, err := root.Lstat(filepath.FromSlash(dir))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !info.IsDir() {
			return fault.New(fault.Refused, "%q is no folder, and %q would lie in it", dir, name).Fix("move it away")
		}
	}
	return nil
}

func (p *Plan) compareSettings(context.Context) error {
	text, err := os.ReadFile(p.target.Config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Usage, err, "the configuration cannot be read").At("%s", p.target.Config)
	}
	p.before, p.after = text, text
	if p.bundle.Settings == nil {
		return nil
	}
	root, err := readRoot(p.target.Config, text)
	if err != nil {
		return err
	}
	packed, err := value.ParseYAML(p.bundle.Settings, settingsName)
	if err != nil {
		return err
	}
	for _, s := range settingsOf(packed) {
		there := member(member(root, s.section), s.name)
		if there == nil && s.section == triggers {
			if there, err = p.added(s.name); err != nil {
				return err
			}
		}
		switch {
		case there == nil:
			p.note(s.section, s.name, New, "")
		case same(there, s.node):
			p.note(s.section, s.name, Same, "")
			continue
		default:
			p.note(s.section, s.name, Differs, "it is written otherwise here")
		}
		p.settings = append(p.settings, s)
	}
	p.after, err = merge(p.target.Config, text, p.settings)
	return err
}

// added returns a trigger that was added by command; nil when there is none.
func (p *Plan) added(name string) (*yaml.Node, error) {
	for _, t := range p.target.Triggers {
		if t.Name == name {
			return value.ParseYAML([]byte(t.Text), "trigger "+name)
		}
	}
	return nil, nil
}

// Apply writes what differs. Triggers are switched off by off before anything
// of them is there; files come after tables, and lanyard.yaml, which makes all of
// it known, comes last. Running it again completes what a crash interrupted.
func (p *Plan) Apply(ctx context.Context, tables Tables, off func(ctx context.Context, trigger string) error) error {
	for _, name := range p.Triggers() {
		if err := off(ctx, name); err != nil {
			return err
		}
	}
	for _, c := range p.Changes {
		if c.State == Same {
			continue
		}
		var err error
		switch c.What {
		case tableThing:
			_, err = tables.Tables(ctx, table.Command{Do: table.CreateTable, Table: c.Name, Columns: p.table(c.Name).Columns})
		case rowsThing:
			_, err = tables.ImportTable(ctx, table.ImportOptions{Table: c.Name, Mode: table.Replace, File: "rows of " + c.Name, Delimiter: ","}, bytes.NewReader(p.bundle.Rows[c.Name]))
		case fileThing:
			err = p.write(filepath.Join(p.target.Dir, filepath.FromSlash(c.Name)), p.bundle.Files[c.Name])
		}
		if err != nil {
			return err
		}
	}
	if bytes.Equal(p.before, p.after) {
		return nil
	}
	now, err := os.ReadFile(p.target.Config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || !bytes.Equal(now, p.before) {
		return fault.New(fault.Stale, "the configuration was changed meanwhile").At("%s", p.target.Config).Fix("run the command again")
	}
	return p.write(p.target.Config, p.after)
}

func (p *Plan) table(name string) Table {
	for _, t := range p.bundle.Manifest.Tables {
		if t.Name == name {
			return t
		}
	}
	return Table{}
}

// write replaces a file as a whole, and makes its folder.
func (p *Plan) write(path string, data []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = durable.Write(path, data)
	}
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the file cannot be written").At("%s", path).Fix("check the folder, and run the command again")
	}
	return nil
}
