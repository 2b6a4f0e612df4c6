package table

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// maxLine bounds a line of a text file, in bytes: what a row may have, and its quotes.
const maxLine = 2*MaxRowBytes + 4096

// csvLine is one record of a text file.
type csvLine struct {
	number int // of its first line in the file, from 1
	cells  []string
	err    error // why it cannot be read; the next one may be fine
}

// csvReader reads the comma-separated values of RFC 4180, every byte of a cell as it
// is, and says of every mistake in which line it is. Rows end with LF, CRLF or CR; the
// delimiter is a comma, a semicolon or a tab; lines with nothing in them are skipped.
//
// It is not the reader of package extract, which ends at the first mistake because an
// import must not take people for gone who were not read. This one goes on behind it:
// rows stand alone, and whoever corrects a file wants all its mistakes.
type csvReader struct {
	in        *bufio.Reader
	delimiter byte
	line      int // of the next byte
	size      int // bytes of the current line
	stopped   bool
	buf       []byte
}

// newCSVReader begins to read. The delimiter is found out when it is 0.
func newCSVReader(r io.Reader, delimiter byte) (*csvReader, error) {
	c := &csvReader{in: bufio.NewReaderSize(r, 64<<10), delimiter: delimiter, line: 1}
	head, err := c.in.Peek(64 << 10)
	if err != nil && err != io.EOF {
		return nil, broken(err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return nil, fault.New(fault.Invalid, "the file is UTF-16").At("line 1").Fix("save it as CSV UTF-8")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, fault.New(fault.Invalid, "the file is a workbook or an archive, not text").At("line 1").Fix("save the sheet as CSV UTF-8")
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		head = head[3:]
		_, _ = c.in.Discard(3) // it was seen
	}
	if c.delimiter == 0 {
		c.delimiter = guessDelimiter(head)
	}
	return c, nil
}

func broken(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the file cannot be read to its end").Fix("try again")
}

// guessDelimiter takes the one that stands most often in the first line.
func guessDelimiter(head []byte) byte {
	counts, quoted := map[byte]int{}, false
	for _, b := range bytes.TrimLeft(head, "\r\n") {
		if b == '"' {
			quoted = !quoted
		}
		if !quoted {
			if b == '\n' || b == '\r' {
				break
			}
			counts[b]++
		}
	}
	best := byte(',')
	for _, b := range []byte(";\t") {
		if counts[b] > counts[best] {
			best = b
		}
	}
	return best
}

// next returns the next line; ok is false at the end of the file. An error means
// that nothing more can be read.
func (c *csvReader) next() (line csvLine, ok bool, err error) {
	for !c.stopped {
		line = csvLine{number: c.line}
		c.size = 0
		quoted, end, err := c.cells(&line)
		if err != nil {
			return line, false, err
		}
		c.stopped = c.stopped || end
		if line.err == nil && len(line.cells) == 1 && line.cells[0] == "" && !quoted {
			continue // nothing stands in it
		}
		return line, true, nil
	}
	return csvLine{}, false, nil
}

// cells reads to the end of a line, or of the file.
func (c *csvReader) cells(line *csvLine) (quoted, end bool, err error) {
	for {
		text, wasQuoted, stop, err := c.cell(line)
		if err != nil || line.err != nil {
			return quoted, stop == atEnd, err
		}
		quoted = quoted || wasQuoted
		line.cells = append(line.cells, text)
		if stop != atDelimiter {
			return quoted, stop == atEnd, nil
		}
	}
}

// ending is what a cell ends with.
type ending int

const (
	atDelimiter ending = iota
	atLine
	atEnd
)

// cell reads one cell and what ends it. A mistake goes into the line, and the rest
// of that is left out.
func (c *csvReader) cell(line *csvLine) (text string, quoted bool, stop ending, err error) {
	c.buf = c.buf[:0]
	b, ok, err := c.read(line)
	if err != nil || !ok {
		return "", false, atEnd, err
	}
	if b == '"' {
		return c.quoted(line)
	}
	for {
		stop, done, err := c.ends(b)
		if err != nil || done {
			return string(c.buf), false, stop, err
		}
		if b == '"' {
			line.err = fault.New(fault.Invalid, "a quote stands inside of a cell that does not begin with one").
				Fix(`put the cell in quotes and write the quote in it twice: "say ""no"""`)
			return c.skip(line)
		}
		c.buf = append(c.buf, b)
		if b, ok, err = c.read(line); err != nil || !ok {
			return string(c.buf), false, atEnd, err
		}
		if line.err != nil {
			return c.skip(line)
		}
	}
}

// quoted reads a cell behind its first quote.
func (c *csvReader) quoted(line *csvLine) (text string, quoted bool, stop ending, err error) {
	opened := c.line
	for {
		b, ok, err := c.read(line)
		if err != nil {
			return "", true, atEnd, err
		}
		if !ok || line.err != nil {
			c.unclosed(line, opened)
			return "", true, atEnd, err
		}
		if b != '"' {
			if b == '\n' || b == '\r' && !c.follows('\n') {
				c.line++
			}
			c.buf = append(c.buf, b)
			continue
		}
		if b, ok, err = c.read(line); err != nil || !ok {
			return string(c.buf), true, atEnd, err
		}
		if b == '"' {
			c.buf = append(c.buf, b)
			continue
		}
		stop, done, err := c.ends(b)
		if err != nil || done {
			return string(c.buf), true, stop, err
		}
		line.err = fault.New(fault.Invalid, "something stands behind the quote that closes a cell").Fix("a quote inside of a cell is written twice")
		return c.skip(line)
	}
}

// unclosed ends the file: whatever follows may be inside of the cell or outside.
func (c *csvReader) unclosed(line *csvLine, opened int) {
	line.err = fault.New(fault.Invalid, "the quote that opens a cell in line %d is not closed", opened).
		Fix("close it; a quote inside of a cell is written twice")
	c.stopped = true
}

// skip leaves out the rest of a line.
func (c *csvReader) skip(line *csvLine) (text string, quoted bool, stop ending, err error) {
	for {
		c.size = 0
		b, ok, err := c.read(line)
		if err != nil || !ok {
			return "", false, atEnd, err
		}
		if stop, done, err := c.ends(b); err != nil || done && stop == atLine {
			return "", false, stop, err
		}
	}
}

// read returns the next byte; ok is false at the end of the file.
func (c *csvReader) read(line *csvLine) (b byte, ok bool, err error) {
	b, err = c.in.ReadByte()
	if err == io.EOF {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, broken(err)
	}
	if c.size++; c.size > maxLine && line.err == nil {
		line.err = fault.New(fault.TooLarge, "the line has more than %d bytes", maxLine).Fix("look for a quote that is not closed")
	}
	return b, true, nil
}

// ends reports whether a byte outside of quotes ends a cell.
func (c *csvReader) ends(b byte) (stop ending, done bool, err error) {
	switch b {
	case c.delimiter:
		return atDelimiter, true, nil
	case '\r':
		if c.follows('\n') {
			_, _ = c.in.ReadByte() // it was seen
		}
		c.line++
		return atLine, true, nil
	case '\n':
		c.line++
		return atLine, true, nil
	}
	return 0, false, nil
}

func (c *csvReader) follows(b byte) bool {
	next, err := c.in.Peek(1)
	return err == nil && next[0] == b
}

// formulas begin what a spreadsheet may take for a formula when it opens a text
// file (OWASP, CSV injection), in both widths.
const formulas = "=+-@\t\r\n＝＋－＠"

// isFormula reports whether a text would be one.
func isFormula(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return text != "" && strings.ContainsRune(formulas, first)
}

// guard makes a text harmless for a spreadsheet: a quote in front makes it text.
// A text that begins with a quote gets another one, so that unguard is its inverse.
func guard(text string) string {
	if isFormula(text) || strings.HasPrefix(text, "'") {
		return "'" + text
	}
	return text
}

// guarded reports whether guard may have made a text.
func guarded(text string) bool {
	rest, ok := strings.CutPrefix(text, "'")
	return ok && (isFormula(rest) || strings.HasPrefix(rest, "'"))
}

// unguarded reports whether a text cannot have come from a file of ours: there,
// what looks like a formula is a number.
func unguarded(text string) bool {
	return isFormula(text) && !isNumber(text) || strings.HasPrefix(text, "'") && !guarded(text)
}

// writeCells writes a line.
func writeCells(w *bufio.Writer, cells []string) {
	for i, cell := range cells {
		if i > 0 {
			_ = w.WriteByte(',') // Flush tells
		}
		if cell != "" && !strings.ContainsAny(cell, "\",;\t\r\n") && cell[0] != ' ' && cell[len(cell)-1] != ' ' || cell == "" && len(cells) > 1 {
			_, _ = w.WriteString(cell)
			continue
		}
		_ = w.WriteByte('"')
		_, _ = w.WriteString(strings.ReplaceAll(cell, `"`, `""`))
		_ = w.WriteByte('"')
	}
	_, _ = w.WriteString("\r\n")
}
