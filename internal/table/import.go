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

// survey is what the first reading of a file tells.
type survey struct {
	header   []string
	profiles []profile
	guarded  int64
	foreign  bool // a cell is as no file of ours has it
	lines    int64
	last     int
}

func (im *importing) survey(ctx context.Context) (*survey, error) {
	s := &survey{}
	err := im.lines(ctx, func(header []string) error {
		s.header, s.profiles = header, make([]profile, len(header))
		return nil
	}, func(line csvLine) error {
		s.see(line)
		return nil
	})
	return s, err
}

// see looks at a line. A bad one is reported when it is read again.
func (s *survey) see(line csvLine) {
	s.lines, s.last = s.lines+1, line.number
	if line.err != nil || len(line.cells) != len(s.header) {
		return
	}
	for i, cell := range line.cells {
		s.profiles[i].see(line.number, cell)
		s.foreign = s.foreign || unguarded(cell)
		if guarded(cell) {
			s.guarded++
		}
	}
}

// lines reads the file from its beginning.
func (im *importing) lines(ctx context.Context, head func(cells []string) error, body func(csvLine) error) error {
	if _, err := im.file.Seek(0, io.SeekStart); err != nil {
		return broken(err)
	}
	var delimiter byte
	if im.options.Delimiter != "" {
		delimiter = im.options.Delimiter[0]
	}
	r, err := newCSVReader(im.file, delimiter)
	if err != nil {
		return im.at(err, 0)
	}
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(fault.Unavailable, err, "the import was cancelled; nothing was written")
		}
		line, ok, err := r.next()
		switch {
		case err != nil:
			return err
		case !ok && first:
			return fault.New(fault.Invalid, "the file is empty").At("%s", im.options.File).Fix("its first line names the columns")
		case !ok:
			return nil
		case first && line.err != nil:
			return im.at(line.err, line.number)
		case first:
			err = head(line.cells)
		default:
			err = body(line)
		}
		if err != nil {
			return err
		}
	}
}

// at names the place of an error in the file.
func (im *importing) at(err error, line int) error {
	if line == 0 {
		return placed(err, "%s", im.options.File)
	}
	return placed(err, "%s:%d", im.options.File, line)
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
	for name, c := range given {
		_ = name
		return t.noColumn(c.Name).At("%s:1", im.options.File)
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

// read reads the lines once more, now as cells. Bad ones are noted and not given on.
func (im *importing) read(ctx context.Context, each func(line int, cells map[string]any) error) error {
	im.bad, im.refused, im.report.Bad = 0, nil, nil
	return im.lines(ctx, func([]string) error { return nil }, func(line csvLine) error {
		cells, err := im.cells(line)
		if err == nil {
			err = each(line.number, cells)
			if err == nil || !misfits(err) {
				return err
			}
		}
		im.note(im.at(err, line.number))
		return nil
	})
}

// note keeps what is wrong with a line.
func (im *importing) note(err error) {
	im.bad++
	if len(im.report.Bad) >= maxBadLines {
		return
	}
	im.refused = append(im.refused, err)
	for _, f := range faults(err) {
		if len(im.report.Bad) < maxBadLines {
			im.report.Bad = append(im.report.Bad, BadLine{f.Place, f.Msg, f.Remedy})
		}
	}
}

// cells are those of a line by the names of their columns.
func (im *importing) cells(line csvLine) (map[string]any, error) {
	if line.err != nil {
		return nil, line.err
	}
	if n := len(line.cells); n != len(im.columns) {
		return nil, fault.New(fault.Invalid, "the line has %d cells, the header %d", n, len(im.columns)).
			Fix("put a cell with a delimiter in it in quotes; an empty cell keeps its delimiter")
	}
	cells, bad := make(map[string]any, len(line.cells)), []error(nil)
	for i, text := range line.cells {
		c := im.columns[i]
		if im.ours && guarded(text) {
			text = text[1:]
		}
		cell, err := c.Read(text)
		switch {
		case err != nil:
			bad = append(bad, err)
		case cell == nil && c.Required:
			bad = append(bad, fault.New(fault.Invalid, "the cell is empty").At("column %s", c.Name).Fix("fill it, or make the column optional"))
		}
		cells[c.Name] = cell
	}
	return cells, fault.Join(bad...)
}

// sample keeps the first rows for a preview.
func (im *importing) sample(_ int, cells map[string]any) error {
	if len(im.report.Sample) < maxSample {
		im.report.Sample = append(im.report.Sample, cells)
	}
	return nil
}

// write writes the rows on a sheet of their own, and puts that in its place.
func (im *importing) write(ctx context.Context) error {
	stage := *im.table
	stage.Sheet = newID()
	first, err := im.reserve(ctx, stage.Sheet)
	if err != nil {
		return err
	}
	err = im.stage(ctx, &stage, first)
	if err == nil && im.bad > 0 && !im.options.SkipBad {
		err = im.refusal()
	}
	var old string
	if err == nil {
		im.report.Skipped = im.bad
		old, err = im.settle(ctx, &stage, first)
	}
	// What is left over is of no use, also when the caller does not wait any more.
	// What cannot be removed now is swept when the folder is opened again.
	ctx = context.WithoutCancel(ctx)
	if err == nil && old != "" {
		_ = im.tables.erase(ctx, old)
	}
	if !im.shown(err) {
		_ = im.tables.erase(ctx, stage.Sheet)
	}
	return err
}

// shown reports whether a table shows the sheet that the rows were written on.
func (im *importing) shown(err error) bool {
	return err == nil && (im.options.Mode == Replace || im.report.Created)
}

// refusal names the bad lines.
func (im *importing) refusal() error {
	errs := im.refused
	if more := im.bad - int64(len(errs)); more > 0 {
		errs = append(errs, fault.New(fault.Invalid, "%d more lines are bad", more).At("%s", im.options.File))
	}
	errs = append(errs, fault.New(fault.Invalid, "%d of %d lines are bad; nothing was imported", im.bad, im.report.Lines).At("%s", im.options.File).
		Fix("mend them, or say --skip-bad to leave them out"))
	return fault.Join(errs...)
}

// reserve notes the sheet, and keeps numbers for the rows: that of each is first and
// its line.
func (im *importing) reserve(ctx context.Context, sheet string) (first int64, err error) {
	first = 1
	err = im.tables.Store.Update(ctx, func(tx Tx) error {
		if err := tx.AddSheet(sheet, im.tables.Now()); err != nil || im.table.ID == "" {
			return err
		}
		t, err := im.same(tx)
		if err != nil {
			return err
		}
		first = t.Next
		t.Next += int64(im.last) + 1
		t.Version++
		return tx.UpdateTable(t)
	})
	return first, err
}

// same returns the table as it is now, unless its columns are not those of before.
func (im *importing) same(r Reader) (*Table, error) {
	t, err := find(r, im.options.Table)
	if err != nil {
		return nil, err
	}
	if t.ID != im.table.ID || len(t.Columns) > 0 && !slices.Equal(t.Columns, im.table.Columns) {
		return nil, fault.New(fault.Stale, "the columns of table %q changed while the file was read; nothing was imported", t.Name).Fix("import it again")
	}
	return t, nil
}

// stage writes the rows, a thousand to a transaction.
func (im *importing) stage(ctx context.Context, stage *Table, first int64) error {
	var batch []Record
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		var twice []Record
		err := im.tables.Store.Update(ctx, func(tx Tx) error {
			twice = nil
			for _, record := range batch {
				ok, err := tx.InsertRow(record)
				if err != nil {
					return err
				}
				if !ok {
					twice = append(twice, record)
				}
			}
			return nil
		})
		if err == nil {
			err = im.repeated(ctx, stage, twice, first)
		}
		batch = batch[:0]
		return err
	}
	err := im.read(ctx, func(line int, cells map[string]any) error {
		record, err := stage.staged(cells)
		if err != nil {
			return err
		}
		record.Number = first + int64(line)
		if batch = append(batch, record); len(batch) >= readAtOnce {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// staged is record for a row whose required cells may come from the row that it
// changes.
func (t *Table) staged(cells map[string]any) (Record, error) {
	loose := *t
	loose.Columns = slices.Clone(t.Columns)
	for i := range loose.Columns {
		c := &loose.Columns[i]
		if _, given := cells[c.Name]; !given {
			c.Required = false
		}
	}
	return loose.record(cells)
}

// repeated notes the lines whose keys stood in earlier ones.
func (im *importing) repeated(ctx context.Context, stage *Table, twice []Record, first int64) error {
	for _, record := range twice {
		err := im.tables.Store.View(ctx, func(r Reader) error {
			before, ok, err := keyed(r, stage, record.Key)
			if err == nil && ok {
				im.note(im.at(fault.New(fault.Invalid, "the key %s stands in line %d already", quote(record.Key), before.Number-first).
					At("column %s", stage.KeyColumn().Name).Fix("remove one of the lines"), int(record.Number-first)))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// commit puts the sheet in its place. It returns the sheet that nobody needs then.
func (im *importing) commit(ctx context.Context, stage *Table, first int64) (old string, err error) {
	change := Change{What: "import", Detail: string(im.options.Mode) + " from " + im.options.File}
	put := func(tx Tx, t *Table) (Change, error) {
		old, im.report.Counts, im.report.Removed = "", Counts{}, 0
		if len(t.Columns) == 0 {
			t.Columns, t.Slots = stage.Columns, stage.Slots
		}
		var err error
		switch {
		case im.options.Mode == Replace:
			old, err = im.replace(tx, t, stage)
		case im.options.Mode == Merge:
			err = im.merge(tx, t, stage)
		default:
			err = im.append(tx, t, stage, first)
		}
		change.Rows = im.report.changed()
		return change, err
	}
	if im.report.Created {
		return old, im.create(ctx, stage, first, change)
	}
	return old, im.tables.update(ctx, im.actor, im.options.Table, func(tx Tx, t *Table) (Change, error) {
		if _, err := im.same(tx); err != nil {
			return Change{}, err
		}
		return put(tx, t)
	})
}

// create makes the table that shows the sheet.
func (im *importing) create(ctx context.Context, stage *Table, first int64, change Change) error {
	now := im.tables.Now()
	t := stage.clone()
	t.ID, t.Version, t.Created, t.Updated = newID(), 1, now, now
	t.Rows, t.Next = im.report.Lines-im.bad, first+int64(im.last)+1
	err := im.tables.Store.Update(ctx, func(tx Tx) error {
		if err := tx.InsertTable(t); err != nil {
			return err
		}
		if err := tx.RemoveSheet(t.Sheet); err != nil {
			return err
		}
		change.Table, change.At, change.Actor, change.Rows = t.ID, now, im.actor, t.Rows
		return tx.AddChange(change)
	})
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Stale, "a table %q was made while the file was read; nothing was imported", t.Name).Fix("import it again")
	}
	im.report.Inserted = t.Rows
	return err
}

func (im *importing) replace(tx Tx, t, stage *Table) (old string, err error) {
	old = t.Sheet
	im.report.Removed, im.report.Inserted = t.Rows, im.report.Lines-im.bad
	t.Sheet, t.Rows = stage.Sheet, im.report.Inserted
	if err := tx.RemoveSheet(stage.Sheet); err != nil {
		return "", err
	}
	return old, tx.AddSheet(old, im.tables.Now())
}

func (im *importing) append(tx Tx, t, stage *Table, first int64) error {
	clashes, err := tx.Clashes(stage.Sheet, t.Sheet, maxBadLines)
	if err != nil {
		return err
	}
	var bad []error
	for _, record := range clashes {
		bad = append(bad, im.at(t.taken(record.Key), int(record.Number-first)))
	}
	if err := fault.Join(bad...); err != nil {
		return err
	}
	if t.Rows+im.report.Lines-im.bad > im.tables.maxRows() {
		return im.tables.full(t)
	}
	n, err := tx.MoveRows(stage.Sheet, t.Sheet)
	t.Rows += n
	im.report.Inserted = n
	return err
}

// merge changes the rows that have the keys of the sheet, and adds the others.
func (im *importing) merge(tx Tx, t, stage *Table) error {
	for after := int64(0); ; {
		records, err := tx.Rows(stage.Sheet, after, readAtOnce)
		if err != nil || len(records) == 0 {
			return err
		}
		keys := make([]string, len(records))
		for i, record := range records {
			keys[i], after = record.Key, record.Number
		}
		there, err := tx.RowsByKey(t.Sheet, keys)
		if err != nil {
			return err
		}
		have := make(map[string]Record, len(there))
		for _, record := range there {
			have[record.Key] = record
		}
		for _, record := range records {
			if err := im.mergeRow(tx, t, stage, record, have); err != nil {
				return err
			}
		}
	}
}

func (im *importing) mergeRow(tx Tx, t, stage *Table, record Record, have map[string]Record) error {
	cells, err := im.given(stage, record)
	if err != nil {
		return err
	}
	if old, ok := have[record.Key]; ok {
		_, outcome, err := merge(tx, t, old, cells)
		im.report.add(outcome)
		return err
	}
	return im.insert(tx, t, t.Sheet, record, cells)
}

// given are the cells of a staged row that the file has.
func (im *importing) given(stage *Table, record Record) (map[string]any, error) {
	all, err := stage.cells(record.Body)
	if err != nil {
		return nil, err
	}
	cells := make(map[string]any, len(im.columns))
	for _, c := range im.columns {
		cells[c.Name] = all[c.Name]
	}
	return cells, nil
}

// insert adds a staged row whose key the table does not have.
func (im *importing) insert(tx Tx, t *Table, sheet string, record Record, cells map[string]any) error {
	if t.Rows >= im.tables.maxRows() {
		return im.tables.full(t)
	}
	added, err := t.record(cells)
	if err != nil {
		return placed(err, "key %s", quote(record.Key))
	}
	added.Number, added.Sheet = record.Number, sheet
	if _, err := tx.InsertRow(added); err != nil {
		return err
	}
	t.Rows++
	im.report.Inserted++
	return nil
}
