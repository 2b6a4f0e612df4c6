package table

import (
	"context"
	"io"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The lines of a text file are read twice: to survey them, and as cells.

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
