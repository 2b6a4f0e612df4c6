package table

import (
	"bufio"
	"context"
	"io"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Format is that of an exported file.
type Format string

// The formats.
const (
	CSV      Format = "csv"  // Import reads it back to the same cells
	JSONList Format = "json" // a list of objects, one row a line
)

// ExportOptions are the choices of an export.
type ExportOptions struct {
	Table  string `json:"table"`
	Format Format `json:"format,omitempty"` // empty: CSV
	Filter string `json:"filter,omitempty"` // as in Query
}

// Export writes the rows of a table, in the order of insertion, however many there
// are. Texts that a spreadsheet would take for formulas get a quote in front, which
// Import takes off again.
func (s *Tables) Export(ctx context.Context, o ExportOptions, w io.Writer) error {
	t, err := s.Table(ctx, o.Table)
	if err != nil {
		return err
	}
	sel, err := t.selection(Query{Filter: o.Filter})
	if err != nil {
		return err
	}
	var begin, end func(*bufio.Writer)
	var each func(*bufio.Writer, int, Row) error
	switch o.Format {
	case CSV, "":
		begin, each, end = t.csvHead, t.csvRow, func(*bufio.Writer) {}
	case JSONList:
		begin = func(out *bufio.Writer) { _ = out.WriteByte('[') }
		end = func(out *bufio.Writer) { _, _ = out.WriteString("\n]\n") }
		each = jsonRow
	default:
		return fault.New(fault.Invalid, "there is no format %q", o.Format).Fix("use csv or json")
	}
	out, n := bufio.NewWriterSize(w, 64<<10), 0
	begin(out)
	for row, err := range s.scan(ctx, o.Table, t) {
		if err != nil {
			return err
		}
		if sel.match != nil && !filter.Match(sel.match, t.subject(row.Values)) {
			continue
		}
		if err := each(out, n, row); err != nil {
			return err
		}
		n++
	}
	end(out)
	if err := out.Flush(); err != nil {
		return fault.Wrap(fault.Internal, err, "the export cannot be written")
	}
	return nil
}

func (t *Table) csvHead(out *bufio.Writer) { writeCells(out, columnNames(t.Columns)) }

func (t *Table) csvRow(out *bufio.Writer, _ int, row Row) error {
	cells := make([]string, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		cells[i] = c.showIn(row.Values[c.Name])
		if c.Type == Text {
			cells[i] = guard(cells[i])
		}
	}
	writeCells(out, cells)
	return nil
}

func jsonRow(out *bufio.Writer, n int, row Row) error {
	data, err := value.Encode(row.Values)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the row cannot be written")
	}
	if n > 0 {
		_ = out.WriteByte(',') // Flush tells
	}
	_ = out.WriteByte('\n')
	_, _ = out.Write(data)
	return nil
}
