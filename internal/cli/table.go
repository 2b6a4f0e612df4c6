package cli

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// style is one of the few ways in which text may stand out.
type style string

// The styles, as SGR parameters (ECMA-48 8.3.117).
const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// painter returns a function that applies a style, or none at all.
func painter(on bool) func(style, string) string {
	return func(as style, text string) string {
		if !on || as == plain || text == "" {
			return text
		}
		return "\x1b[" + string(as) + "m" + text + "\x1b[0m"
	}
}

// table lays out rows for people: a header, columns as wide as their widest
// cell, two spaces between them. Nothing is cut, so the output can be searched.
type table struct {
	out    io.Writer
	paint  func(style, string) string
	header []string
	rows   [][]string
	// look chooses the style of a cell by its column and text; nil is plain.
	look func(column, text string) style
}

// newTable starts a table on stdout.
func newTable(s IO, header ...string) *table {
	return &table{out: s.Out, paint: painter(s.colour(s.OutTerminal)), header: header}
}

// row adds a row; missing cells are empty.
func (t *table) row(cells ...string) {
	row := make([]string, len(t.header))
	for i := range min(len(cells), len(row)) {
		row[i] = printable(cells[i])
	}
	t.rows = append(t.rows, row)
}

// print writes the table.
func (t *table) print() error {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	t.line(&b, widths, t.header, func(string, string) style { return bold })
	for _, row := range t.rows {
		t.line(&b, widths, row, t.look)
	}
	if _, err := io.WriteString(t.out, b.String()); err != nil {
		return fault.Wrap(fault.Internal, err, "the result cannot be written")
	}
	return nil
}

// line writes one row. Cells are padded before they are painted, since escape
// sequences have no width.
func (t *table) line(b *strings.Builder, widths []int, row []string, look func(column, text string) style) {
	last := len(row) - 1
	for last > 0 && row[last] == "" {
		last-- // no blanks at the end of a line
	}
	for i := 0; i <= last; i++ {
		as := plain
		if look != nil {
			as = look(t.header[i], row[i])
		}
		b.WriteString(t.paint(as, row[i]))
		if i < last {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(row[i])+2))
		}
	}
	b.WriteByte('\n')
}
