package extract

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// csvOrigin is a file of records (RFC 4180).
type csvOrigin struct {
	file
	delimiter byte     // 0: found out from the first line
	header    bool     // the first record has the headings
	columns   []string // names without a header, headings that must be there with one
	trailer   string   // first field of the last record, which is none of the rows
}

// csv reads csv: a path, or a mapping.
func (s *section) csv(n *yaml.Node) origin {
	o := &csvOrigin{header: true}
	if n.Kind == yaml.ScalarNode {
		s.path(&o.path)(n)
		return o
	}
	fields := o.fields(s)
	maps.Copy(fields, map[string]strict.Field{
		"delimiter": s.delimiter(&o.delimiter),
		"header":    s.Flag(&o.header),
		"columns":   s.Texts(&o.columns),
		"trailer":   s.Text(&o.trailer),
	})
	written := s.Mapping(n, "csv", fields)
	s.required(n, "csv", written, "file")
	if at := written["columns"]; at != nil && written["header"] == nil {
		o.header = false
	}
	if written != nil && !o.header && len(o.columns) == 0 {
		s.Wrong(n, "name them: columns: [id, firstName]", "csv without a header needs the names of its columns")
	}
	if i, err := badHeading(o.columns); err != nil && written["columns"] != nil {
		s.Wrong(written["columns"], "", "column %d %s", i+1, fault.Public(err))
	}
	return o
}

// delimiters are tried in this order when none is configured.
const delimiters = ",;\t|"

func (s *section) delimiter(into *byte) strict.Field {
	return func(n *yaml.Node) {
		text := n.Value
		if text == `\t` || text == "tab" {
			text = "\t"
		}
		if n.Kind != yaml.ScalarNode || len(text) != 1 || text[0] >= utf8.RuneSelf || strings.Contains("\"\r\n\x00", text) {
			s.Wrong(n, `write ",", ";", "|" or tab`, "a delimiter must be one ASCII character")
			return
		}
		*into = text[0]
	}
}

func (o *csvOrigin) open(_ context.Context, env Env) (Reader, error) {
	if err := o.check(env); err != nil {
		return nil, err
	}
	return &csvReader{csvOrigin: o, env: env}, nil
}

// csvReader reads a file of records.
type csvReader struct {
	*csvOrigin
	env      Env
	pass     pass
	identity string
}

// Describe implements Reader.
func (c *csvReader) Describe() string { return c.describe() }

// Identity implements Reader.
func (c *csvReader) Identity() string { return c.identity }

// Rows implements Reader.
func (c *csvReader) Rows(ctx context.Context) iter.Seq2[Located, error] {
	return rows(func(yield func(Located) bool) error {
		c.identity = ""
		in, err := c.begin(ctx, c.env, &c.pass)
		if err != nil {
			return err
		}
		defer in.close()
		t := &csvTable{origin: c.csvOrigin, in: in, records: csvScanner{in: in.text, name: in.name, delimiter: c.delimiter}}
		done, err := t.read(ctx, yield)
		if err != nil || !done {
			return in.passed(err)
		}
		c.identity, err = in.end()
		return err
	})
}

// passed words an error of reading, and leaves nil.
func (r *reading) passed(err error) error {
	if err == nil {
		return nil
	}
	return r.failed(err)
}

// csvTable gives records the names of their columns.
type csvTable struct {
	origin   *csvOrigin
	in       *reading
	records  csvScanner
	headings []string
	last     []any // of each column: many have the same value again and again
	count    int
}

// checkEvery is after how many rows a reader looks whether it is to stop.
const checkEvery = 256

// read gives all rows. It returns false when it was told to stop.
func (t *csvTable) read(ctx context.Context, yield func(Located) bool) (done bool, err error) {
	if err := t.begin(); err != nil {
		return false, err
	}
	for {
		if t.count%checkEvery == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		fields, err := t.records.next()
		switch {
		case errors.Is(err, io.EOF) && t.origin.trailer != "":
			return false, fault.New(fault.Invalid, "the last line is not the trailer %q", t.origin.trailer).
				At("%s:%d", t.in.name, t.records.line).Fix("the file was cut off; get it again")
		case errors.Is(err, io.EOF) && t.records.line == 0:
			return false, t.empty()
		case errors.Is(err, io.EOF):
			return true, t.origin.counted(t.count)
		case err != nil:
			return false, t.explain(err)
		}
		if t.origin.trailer != "" && strings.TrimSpace(fields[0]) == t.origin.trailer {
			return true, t.end(fields)
		}
		if len(fields) != len(t.headings) {
			return false, t.uneven(fields)
		}
		if !slices.ContainsFunc(fields, func(f string) bool { return f != "" }) {
			continue // what spreadsheets write below the last row
		}
		t.count++
		if !yield(Located{Place: t.records.place(), Row: t.row(fields)}) {
			return false, nil
		}
	}
}

func (t *csvTable) row(fields []string) reconcile.Row {
	row := make(reconcile.Row, len(fields))
	for i, text := range fields {
		if last, ok := t.last[i].(string); !ok || last != text {
			t.last[i] = text
		}
		row[t.headings[i]] = t.last[i]
	}
	return row
}

// begin finds the delimiter and the headings.
func (t *csvTable) begin() error {
	if t.records.delimiter == 0 {
		head, err := t.in.text.Peek(readSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		t.records.delimiter = guessDelimiter(head)
	}
	t.headings = t.origin.columns
	if t.origin.header {
		if err := t.readHeadings(); err != nil {
			return err
		}
	}
	t.last = make([]any, len(t.headings))
	return nil
}

func (t *csvTable) readHeadings() error {
	fields, err := t.records.next()
	if errors.Is(err, io.EOF) {
		return t.empty()
	}
	if err != nil {
		return t.explain(err)
	}
	t.headings = make([]string, len(fields))
	for i, text := range fields {
		t.headings[i] = strings.TrimSpace(text)
	}
	if i, err := badHeading(t.headings); err != nil {
		return fault.New(fault.Invalid, "the heading %s", fault.Public(err)).At("%s column %d", t.records.place(), i+1).
			Fix("give each column one heading; if the first line is a row already, set header: false and columns")
	}
	for i, name := range t.headings {
		if looksLikeData(name) {
			return fault.New(fault.Invalid, "the first line looks like a row, not like headings").At("%s column %d", t.records.place(), i+1).
				Fix("set header: false, and name the columns: columns: [id, firstName]")
		}
	}
	for _, name := range t.origin.columns {
		if !slices.Contains(t.headings, name) {
			return fault.New(fault.Invalid, "there is no column %q", name).At("%s", t.records.place()).
				Fix("the columns are %s", strings.Join(t.headings, ", "))
		}
	}
	return nil
}

// empty is the error of a file without a line: not even of nobody is a list
// like that.
func (t *csvTable) empty() error {
	return fault.New(fault.Invalid, "the file is empty").At("%s:1", t.in.name).Fix("get it again")
}

// badHeading finds the first name that is empty or there twice.
func badHeading(names []string) (int, error) {
	seen := make(map[string]int, len(names))
	for i, name := range names {
		if name == "" {
			return i, fault.New(fault.Invalid, "is empty")
		}
		if first, twice := seen[name]; twice {
			return i, fault.New(fault.Invalid, "%q is that of column %d, too", name, first+1)
		}
		seen[name] = i
	}
	return 0, nil
}

// looksLikeData reports whether a heading is none: an address, or a date or
// number.
func looksLikeData(name string) bool {
	if at := strings.IndexByte(name, '@'); at > 0 && strings.Contains(name[at:], ".") {
		return true
	}
	return strings.Trim(name, "0123456789.-/:+ ") == ""
}

// end checks the trailer: that nothing follows, and the number of rows when it
// tells one.
func (t *csvTable) end(fields []string) error {
	place := t.records.place()
	if _, err := t.records.next(); !errors.Is(err, io.EOF) {
		if err != nil {
			return t.explain(err)
		}
		return fault.New(fault.Invalid, "there are rows below the trailer").At("%s", t.records.place()).Fix("get the file again")
	}
	if len(fields) > 1 {
		n, err := strconv.Atoi(strings.TrimSpace(fields[1]))
		if err == nil && n != t.count {
			return fault.New(fault.Invalid, "the trailer promises %s, and there are %d", several(n, "row"), t.count).At("%s", place).
				Fix("the file lost rows; get it again")
		}
	}
	return t.origin.counted(t.count)
}

func (t *csvTable) uneven(fields []string) error {
	e := fault.New(fault.Invalid, "the line has %s, and there are %s", several(len(fields), "field"), several(len(t.headings), "column")).At("%s", t.records.place())
	switch {
	case len(fields) > len(t.headings):
		return e.Fix("put values that hold %q between quotes", string(t.records.delimiter))
	case t.records.ended:
		return e.Fix("it is the last one: the file was cut off; get it again")
	}
	return e.Fix("check that line; a value over several lines has to stand between quotes")
}

// explain gives the error of a line in another encoding its remedy.
func (t *csvTable) explain(err error) error {
	var bad *badText
	if errors.As(err, &bad) {
		return t.in.notText(bad.place)
	}
	return err
}

// guessDelimiter takes the character that stands most often in the first line,
// outside of quotes.
func guessDelimiter(head []byte) byte {
	var counts [utf8.RuneSelf]int
	quoted := false
	for _, c := range bytes.TrimLeft(head, "\r\n") {
		if c == '"' {
			quoted = !quoted
		}
		if quoted || c >= utf8.RuneSelf {
			continue
		}
		if c == '\n' {
			break
		}
		if strings.IndexByte(delimiters, c) >= 0 {
			counts[c]++
		}
	}
	best := delimiters[0]
	for _, c := range []byte(delimiters) {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}
