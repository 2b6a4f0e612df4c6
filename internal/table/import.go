package table

import (
	"cmp"
	"context"
	"io"
	"os"
	"slices"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Mode says what an import does with the rows that are there.
type Mode string

// The modes.
const (
	Append  Mode = "append"  // they stay
	Replace Mode = "replace" // they go, in the moment in which the new ones are there
	Merge   Mode = "upsert"  // those with the key of a line are changed
)

// ImportOptions are the choices of one import.
type ImportOptions struct {
	Table string `json:"table"`
	Mode  Mode   `json:"mode,omitempty"` // empty: Append
	File  string `json:"file,omitempty"` // as messages call it; empty: "the file"
	// Columns name types, the key or what is required, of a table that the import
	// makes; those of other columns are guessed.
	Columns []Column `json:"columns,omitempty"`
	Key     string   `json:"key,omitempty"`     // the key column of a table that the import makes
	SkipBad bool     `json:"skipBad,omitempty"` // leave lines out that are bad, instead of importing none
	Preview bool     `json:"preview,omitempty"` // write nothing
	// Delimiter is one of , ; and tab; empty: the one that the first line has most of.
	Delimiter string `json:"delimiter,omitempty"`
	Actor     string `json:"-"` // who asks a Desk for it; empty: the Desk's
}

// ImportReport says what an import did, or would do.
type ImportReport struct {
	Table   string  `json:"table"`
	Mode    Mode    `json:"mode"`
	Created bool    `json:"created,omitempty"` // the table is new
	Preview bool    `json:"preview,omitempty"`
	Columns []Guess `json:"columns"` // of the file, in its order
	Lines   int64   `json:"lines"`   // with a row in them
	Counts
	Removed  int64            `json:"removed"`            // rows that were replaced
	Skipped  int64            `json:"skipped"`            // bad lines that were left out
	Bad      []BadLine        `json:"bad,omitempty"`      // the first of them
	Formulas int64            `json:"formulas,omitempty"` // cells from which the quote of an export was taken
	Sample   []map[string]any `json:"sample,omitempty"`   // first rows, in a preview
}

// BadLine is a line of a file that cannot be imported.
type BadLine struct {
	Place   string `json:"place"` // "people.csv:17, column age"
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// Bounds of reports.
const (
	maxBadLines = 100
	maxSample   = 5
)

// maxFile bounds a text file, in bytes.
const maxFile = 8 << 30

// Import makes rows of a text file. All of its lines are looked at before the first
// is written, and nobody sees a row before all are there. When a line is bad and bad
// ones are not to be skipped, nothing changes and the error names the lines.
//
// A table that does not exist, or has no columns, gets those of the file: their types are
// what all their cells have in common. In a file that Export wrote, the quotes that
// guard against formulas are taken off again.
func (s *Tables) Import(ctx context.Context, actor string, o ImportOptions, r io.Reader) (*ImportReport, error) {
	file, done, err := s.seekable(r)
	if err != nil {
		return nil, err
	}
	defer done()
	im := &importing{tables: s, actor: actor, options: o, file: file, report: &ImportReport{Preview: o.Preview}}
	if err := im.prepare(ctx); err != nil {
		return nil, err
	}
	if o.Preview {
		if err := im.read(ctx, im.sample); err != nil {
			return nil, err
		}
		im.report.Skipped = im.bad
		return im.report, nil
	}
	if err := im.write(ctx); err != nil {
		return nil, err
	}
	return im.report, nil
}

// seekable returns a file that can be read twice.
func (s *Tables) seekable(r io.Reader) (file io.ReadSeeker, done func(), err error) {
	if file, ok := r.(io.ReadSeeker); ok {
		if _, err := file.Seek(0, io.SeekStart); err == nil {
			return file, func() {}, nil
		}
	}
	f, err := os.CreateTemp(s.Scratch, "import-*.csv")
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, err, "the file cannot be kept while it is read")
	}
	done = func() {
		_ = f.Close() // it goes away
		_ = os.Remove(f.Name())
	}
	n, err := io.Copy(f, io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		err = broken(err)
	case n > maxFile:
		err = fault.New(fault.TooLarge, "the file has more than %d bytes", int64(maxFile))
	default:
		return f, done, nil
	}
	done()
	return nil, nil, err
}

// importing is one import.
type importing struct {
	tables  *Tables
	actor   string
	options ImportOptions
	file    io.ReadSeeker
	report  *ImportReport

	table   *Table // as it will be; new tables have no id
	columns []*Column
	ours    bool // Export wrote the file
	last    int  // number of the last line
	bad     int64
	refused []error
	rows    int64 // on the sheet of their own
	swapped bool  // a table shows that sheet
}

// prepare looks at every line, and finds out the columns.
func (im *importing) prepare(ctx context.Context) error {
	o := &im.options
	o.Mode, o.File = cmp.Or(o.Mode, Append), cmp.Or(o.File, "the file")
	if !slices.Contains([]Mode{Append, Replace, Merge}, o.Mode) {
		return fault.New(fault.Invalid, "there is no mode %q", o.Mode).Fix("use append, replace or upsert")
	}
	if !slices.Contains([]string{"", ",", ";", "\t"}, o.Delimiter) {
		return fault.New(fault.Invalid, "%q is no delimiter", o.Delimiter).Fix("use a comma, a semicolon or a tab")
	}
	im.report.Table, im.report.Mode = o.Table, o.Mode
	survey, err := im.survey(ctx)
	if err != nil {
		return err
	}
	im.report.Lines, im.last = survey.lines, survey.last
	im.ours = survey.guarded > 0 && !survey.foreign
	if im.ours {
		im.report.Formulas = survey.guarded
	}
	t, err := im.tables.Table(ctx, o.Table)
	switch {
	case fault.Is(err, fault.NotFound):
		if err := checkName(o.Table); err != nil {
			return err
		}
		t = &Table{Name: o.Table}
	case err != nil:
		return err
	}
	im.table = t
	if len(t.Columns) == 0 {
		err = im.invent(survey)
	} else {
		err = im.find(survey)
	}
	if err != nil {
		return err
	}
	if o.Mode == Merge {
		if key := im.table.KeyColumn(); key == nil || !slices.Contains(im.columns, key) {
			return fault.New(fault.Invalid, "an upsert needs a key column that the file has too").Fix("name one with --key, or import with another mode")
		}
	}
	if n := survey.lines; n > im.tables.maxRows() {
		return fault.New(fault.TooLarge, "%s has %d rows, a table at most %d", o.File, n, im.tables.maxRows())
	}
	return nil
}

// invent makes the columns of a table that has none.
func (im *importing) invent(s *survey) error {
	t := im.table.clone()
	im.report.Created = t.ID == ""
	t.Columns = nil
	given := map[string]Column{}
	for _, c := range im.options.Columns {
		given[Fold(c.Name)] = c
	}
	for i, header := range s.header {
		name := nameOf(header)
		if name == "" {
			return fault.New(fault.Invalid, "column %d has no name", i+1).At("%s:1", im.options.File).Fix("the first line names all columns")
		}
		c := Column{Name: name, Slot: i}
		g := im.guess(&s.profiles[i], header, name)
		if own, ok := given[Fold(name)]; ok {
			c.Type, c.Required, c.Key = own.Type, own.Required, own.Key
			g.Why = "it was said so"
			delete(given, Fold(name))
		} else {
			c.Type = g.Type
		}
		if im.options.Key != "" && (Fold(im.options.Key) == Fold(name) || Fold(im.options.Key) == Fold(header)) {
			c.Key = true
		}
		c.Required = c.Required || c.Key
		g.Type = c.Type
		im.report.Columns = append(im.report.Columns, g)
		t.Columns = append(t.Columns, c)
	}
	t.Slots = len(t.Columns)
	if err := checkColumns(t.Columns); err != nil {
		return placed(err, "%s:1", im.options.File)
	}
	for _, name := range sortedKeys(given) {
		return t.noColumn(given[name].Name).At("%s:1", im.options.File)
	}
	if key := im.options.Key; key != "" && t.KeyColumn() == nil {
		return t.noColumn(key).At("%s:1", im.options.File)
	}
	im.table = t
	for i := range t.Columns {
		im.columns = append(im.columns, &t.Columns[i])
	}
	return nil
}

func (im *importing) guess(p *profile, header, name string) Guess {
	g := Guess{Column: name, Filled: p.filled, Empty: p.empty}
	if header != name {
		g.Header = header
	}
	g.Type, g.Why = p.guess()
	return g
}

// find finds the columns of the file among those of the table.
func (im *importing) find(s *survey) error {
	if len(im.options.Columns) > 0 || im.options.Key != "" {
		return fault.New(fault.Conflict, "table %q has its columns already", im.table.Name).Fix("change them with lanyard tables alter, and import without naming any")
	}
	im.table = im.table.clone()
	for i, header := range s.header {
		c, err := im.table.Column(nameOf(header))
		if err != nil {
			return im.at(im.table.noColumn(header), 1)
		}
		if slices.Contains(im.columns, c) {
			return fault.New(fault.Invalid, "the column %q stands twice", header).At("%s:1", im.options.File).Fix("remove or rename one of them")
		}
		im.columns = append(im.columns, c)
		g := im.guess(&s.profiles[i], header, c.Name)
		g.Type, g.Why = c.Type, "the table has it so"
		im.report.Columns = append(im.report.Columns, g)
	}
	for i := range im.table.Columns {
		c := &im.table.Columns[i]
		if c.Required && !slices.Contains(im.columns, c) && im.options.Mode != Merge {
			return fault.New(fault.Invalid, "the file lacks the column %q, which may not be empty", c.Name).At("%s:1", im.options.File).
				Fix("add it, or make it optional with lanyard tables alter")
		}
	}
	return nil
}

// sample keeps the first rows for a preview.
func (im *importing) sample(_ int, cells map[string]any) error {
	if len(im.report.Sample) < maxSample {
		im.report.Sample = append(im.report.Sample, cells)
	}
	return nil
}
