package extract

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The formats of JSON files.
const (
	jsonDocument = "document" // one value, with a list somewhere in it
	jsonLines    = "lines"    // one object a line: NDJSON
)

// jsonOrigin is a file of JSON objects.
type jsonOrigin struct {
	file
	format string        // empty: found out from the first character
	items  value.Pointer // where the list is in a document; empty: it is the list
}

// json reads json: a path, or a mapping.
func (s *section) json(n *yaml.Node) origin {
	o := &jsonOrigin{}
	if n.Kind == yaml.ScalarNode {
		s.path(&o.path)(n)
		return o
	}
	fields := o.fields(s)
	maps.Copy(fields, map[string]strict.Field{
		"format": s.Choice(&o.format, jsonDocument, jsonLines),
		"items":  s.pointer(&o.items),
	})
	written := s.Mapping(n, "json", fields)
	s.required(n, "json", written, "file")
	if o.format == jsonLines {
		s.only(written, "json with format: lines", []string{"items"})
	}
	return o
}

func (o *jsonOrigin) open(_ context.Context, env Env) (Reader, error) {
	if err := o.check(env); err != nil {
		return nil, err
	}
	return &jsonReader{jsonOrigin: o, env: env}, nil
}

// jsonReader reads a file of JSON objects.
type jsonReader struct {
	*jsonOrigin
	env      Env
	pass     pass
	identity string
}

// Describe implements Reader.
func (j *jsonReader) Describe() string { return j.describe() }

// Identity implements Reader.
func (j *jsonReader) Identity() string { return j.identity }

// Rows implements Reader.
func (j *jsonReader) Rows(ctx context.Context) iter.Seq2[Located, error] {
	return rows(func(yield func(Located) bool) error {
		j.identity = ""
		in, err := j.begin(ctx, j.env, &j.pass)
		if err != nil {
			return err
		}
		defer in.close()
		s := &jsonScanner{ctx: ctx, in: in, text: in.text, line: 1, yield: yield}
		if err := s.read(j.format, j.items); err != nil || s.stopped {
			return in.passed(err)
		}
		if err := j.counted(s.count); err != nil {
			return err
		}
		j.identity, err = in.end()
		return err
	})
}

// jsonScanner walks through a JSON text and holds one item of its list at a
// time. It finds where values end; whether they are right is left to package
// value.
type jsonScanner struct {
	ctx   context.Context
	in    *reading
	text  *bufio.Reader
	line  int // of what is read next
	value []byte

	yield   func(Located) bool
	count   int // items given
	stopped bool
}

func (s *jsonScanner) wrong(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...).At("%s:%d", s.in.name, s.line)
}

// cutOff is the error of a text that ends in the middle.
func (s *jsonScanner) cutOff() error {
	return s.wrong("the file ends in the middle of a JSON value").Fix("it was cut off; get it again")
}

func (s *jsonScanner) read(format string, items value.Pointer) error {
	c, err := s.peek()
	if errors.Is(err, io.EOF) {
		return s.wrong("the file is empty").Fix("get it again; a list of nobody is written []")
	}
	if err != nil {
		return err
	}
	if format == "" && c == '{' && len(items) == 0 {
		format = jsonLines
	}
	if format == jsonLines {
		return s.lines()
	}
	if err := s.find(items, 0); err != nil || s.stopped {
		return err
	}
	switch _, err := s.peek(); {
	case err == nil:
		return s.wrong("something follows the JSON document").Fix("if each line is a document, set format: lines")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// lines reads one object a line.
func (s *jsonScanner) lines() error {
	for {
		switch _, err := s.peek(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		start := s.line
		if err := s.collect(); err != nil {
			return err
		}
		if s.line != start {
			return s.wrong("the object that begins on line %d goes on over several lines", start).
				Fix("if the file is one document, say where the list in it is: items: /people; else write each object on one line")
		}
		if err := s.give(s.in.name + ":" + strconv.Itoa(start)); err != nil || s.stopped {
			return err
		}
		if err := s.lineEnd(); err != nil {
			return err
		}
	}
}

// lineEnd makes sure that nothing else stands on a line.
func (s *jsonScanner) lineEnd() error {
	before := s.line
	if _, err := s.peek(); err == nil && s.line == before {
		return s.wrong("something follows the object on its line").Fix("write each object on a line of its own")
	}
	return nil
}

// find goes to the list at a place, gives its items, and reads what stands
// behind it up to the end of the value.
func (s *jsonScanner) find(at value.Pointer, depth int) error {
	if depth > value.MaxDepth {
		return fault.New(fault.TooLarge, "nested deeper than %d levels", value.MaxDepth).At("%s:%d", s.in.name, s.line)
	}
	c, err := s.must()
	switch {
	case err != nil:
		return err
	case len(at) == 0 && c == '[':
		return s.elements(func(i int) error { return s.item(i) })
	case len(at) == 0:
		return s.wrong("there is no list here").Fix("say where it is: items: /people")
	case c == '{':
		found := false
		err = s.members(func(name string) error {
			if name != at[0] {
				return s.skip(depth + 1)
			}
			if found {
				return s.wrong("the name %q is there twice", name).Fix("which of the two counts cannot be known; correct the source")
			}
			found = true
			return s.find(at[1:], depth+1)
		})
		return s.missing(err, found, at[0])
	case c == '[':
		found := false
		err = s.elements(func(i int) error {
			if strconv.Itoa(i) != at[0] {
				return s.skip(depth + 1)
			}
			found = true
			return s.find(at[1:], depth+1)
		})
		return s.missing(err, found, at[0])
	}
	return s.missing(nil, false, at[0])
}

func (s *jsonScanner) missing(err error, found bool, name string) error {
	if err != nil || found || s.stopped {
		return err
	}
	return s.wrong("there is no %q in the document", name).Fix("correct items")
}

// item gives one item of the list.
func (s *jsonScanner) item(i int) error {
	place := s.in.name + ":" + strconv.Itoa(s.line) + " items[" + strconv.Itoa(i) + "]"
	if err := s.collect(); err != nil {
		return err
	}
	return s.give(place)
}

// give hands on the object that was collected.
func (s *jsonScanner) give(place string) error {
	if s.count%checkEvery == 0 && s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	v, err := s.decode(place)
	if err != nil {
		return err
	}
	row, ok := v.(map[string]any)
	if !ok {
		return fault.New(fault.Invalid, "this is not an object").At("%s", place).Fix("each item must be one: {\"id\": \"1\", ...}")
	}
	s.count++
	s.stopped = !s.yield(Located{Place: place, Row: reconcile.Row(row)})
	return nil
}

// decode reads the value that was collected.
func (s *jsonScanner) decode(place string) (any, error) {
	if !utf8.Valid(s.value) {
		return nil, s.in.notText(place)
	}
	v, err := value.DecodeExact(s.value)
	if err == nil {
		return v, nil
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return nil, err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fault.Wrap(fault.Invalid, err, "this is not JSON: a value is missing or broken off").At("%s", place).Fix("correct the source")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		begun := s.line - bytes.Count(s.value, []byte("\n"))
		before := s.value[:min(int(syntax.Offset), len(s.value))]
		return nil, fault.Wrap(fault.Invalid, err, "this is not JSON: %s", syntax.Error()).
			At("%s:%d", s.in.name, begun+bytes.Count(before, []byte("\n"))).Fix("correct the source")
	}
	return nil, f.At("%s", place).Fix("correct the source")
}

// peek returns the next character that is no blank, without taking it.
func (s *jsonScanner) peek() (byte, error) {
	for {
		c, err := s.text.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			s.line++
		case c != ' ' && c != '\t' && c != '\r':
			return c, s.text.UnreadByte()
		}
	}
}

// must is peek where the text may not end.
func (s *jsonScanner) must() (byte, error) {
	c, err := s.peek()
	if errors.Is(err, io.EOF) {
		return 0, s.cutOff()
	}
	return c, err
}

// take takes the next character that is no blank; it must be one of those.
func (s *jsonScanner) take(chars string) (byte, error) {
	c, err := s.must()
	if err != nil {
		return 0, err
	}
	for i := range len(chars) {
		if chars[i] == c {
			_, err := s.text.Discard(1)
			return c, err
		}
	}
	return 0, s.wrong("this is not JSON: %q stands where one of %q is expected", string(rune(c)), chars).Fix("correct the source")
}

// members reads an object whose value each is read by one.
func (s *jsonScanner) members(one func(name string) error) error {
	if _, err := s.take("{"); err != nil {
		return err
	}
	if c, err := s.must(); err != nil || c == '}' {
		_, _ = s.text.Discard(1) // it was seen
		return err
	}
	for {
		if c, err := s.must(); err != nil {
			return err
		} else if c != '"' {
			return s.wrong("this is not JSON: a name is expected").Fix("correct the source")
		}
		if err := s.collect(); err != nil {
			return err
		}
		name, err := s.decode(s.in.name + ":" + strconv.Itoa(s.line))
		if err != nil {
			return err
		}
		if _, err := s.take(":"); err != nil {
			return err
		}
		if err := one(name.(string)); err != nil || s.stopped {
			return err
		}
		if c, err := s.take(",}"); err != nil || c == '}' {
			return err
		}
	}
}

// elements reads a list whose elements are each read by one.
func (s *jsonScanner) elements(one func(i int) error) error {
	if _, err := s.take("["); err != nil {
		return err
	}
	if c, err := s.must(); err != nil || c == ']' {
		_, _ = s.text.Discard(1) // it was seen
		return err
	}
	for i := 0; ; i++ {
		if _, err := s.must(); err != nil {
			return err
		}
		if err := one(i); err != nil || s.stopped {
			return err
		}
		if c, err := s.take(",]"); err != nil || c == ']' {
			return err
		}
	}
}

// skip reads a value that nobody wants, however long it is.
func (s *jsonScanner) skip(depth int) error {
	if depth > value.MaxDepth {
		return fault.New(fault.TooLarge, "nested deeper than %d levels", value.MaxDepth).At("%s:%d", s.in.name, s.line)
	}
	c, err := s.must()
	switch {
	case err != nil:
		return err
	case c == '{':
		return s.members(func(string) error { return s.skip(depth + 1) })
	case c == '[':
		return s.elements(func(int) error { return s.skip(depth + 1) })
	}
	if err := s.collect(); err != nil {
		return err
	}
	_, err = s.decode(s.in.name + ":" + strconv.Itoa(s.line))
	return err
}

// collect takes the bytes of one value.
func (s *jsonScanner) collect() error {
	if _, err := s.must(); err != nil {
		return err
	}
	s.value = s.value[:0]
	var e extent
	for {
		if _, err := s.text.Peek(1); err != nil {
			if !errors.Is(err, io.EOF) {
				return err
			}
			if e.scalar && !e.text {
				return nil // a number, or half of one: that shows when it is decoded
			}
			return s.cutOff()
		}
		chunk, _ := s.text.Peek(s.text.Buffered()) // what is buffered is there
		n, done := e.scan(chunk)
		s.value = append(s.value, chunk[:n]...)
		s.line += bytes.Count(chunk[:n], []byte("\n"))
		if _, err := s.text.Discard(n); err != nil || done {
			return err
		}
		if len(s.value) > maxRecord {
			return fault.New(fault.TooLarge, "a value is longer than %d MB", maxRecord>>20).At("%s:%d", s.in.name, s.line).
				Fix("say where the list of people is: items: /people")
		}
	}
}

// extent finds the end of a value by its brackets and quotes.
type extent struct {
	begun, scalar, text bool // scalar: no brackets; text: a scalar between quotes
	quoted, escaped     bool
	depth               int
}

// scan returns how many bytes belong to the value, and whether it ends there.
func (e *extent) scan(p []byte) (n int, done bool) {
	if !e.begun {
		e.begun = true
		e.text = p[0] == '"'
		e.scalar = e.text || p[0] != '{' && p[0] != '['
	}
	for i, c := range p {
		switch {
		case e.escaped:
			e.escaped = false
		case e.quoted && c == '\\':
			e.escaped = true
		case c == '"':
			if e.scalar && !e.text {
				return i, true
			}
			e.quoted = !e.quoted
			if e.text && !e.quoted {
				return i + 1, true
			}
		case e.quoted:
		case e.scalar:
			switch c {
			case ',', ']', '}', ':', '{', '[', ' ', '\t', '\r', '\n':
				return i, true
			}
		case c == '{' || c == '[':
			e.depth++
		case c == '}' || c == ']':
			if e.depth--; e.depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(p), false
}
