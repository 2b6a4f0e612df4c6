package extract

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// csvScanner reads records. It follows RFC 4180, and takes a line feed alone
// for the end of a line, too. Empty lines are left out. What encoding/csv would
// drop or mend is kept or refused: line breaks in quoted fields stay as they
// are, and a carriage return elsewhere is an error.
type csvScanner struct {
	in        *bufio.Reader
	name      string
	delimiter byte

	line   int  // read so far
	start  int  // the one on which the record begins
	ended  bool // the last line had no line end
	fields []string
	long   []byte // a line that is longer than the buffer
	text   []byte // values of a record with quotes, one behind the other
	ends   []int  // where each of them ends in text
}

// badText is the error of a line that is not UTF-8.
type badText struct{ place string }

func (b *badText) Error() string { return b.place + ": not UTF-8" }

// place is that of the record.
func (s *csvScanner) place() string {
	b := make([]byte, 0, len(s.name)+12)
	b = append(append(b, s.name...), ':')
	return string(strconv.AppendInt(b, int64(s.start), 10))
}

// wrong is a mistake in a field, counted from 0.
func (s *csvScanner) wrong(field int, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...).At("%s:%d column %d", s.name, s.line, field+1)
}

// next reads a record, or returns io.EOF. The slice is good until the next
// call; its texts are for ever.
func (s *csvScanner) next() ([]string, error) {
	for {
		line, err := s.readLine()
		if err != nil {
			return nil, err
		}
		s.start = s.line
		line, end := cutLineEnd(line)
		if len(line) == 0 {
			continue
		}
		if bytes.IndexByte(line, '"') < 0 {
			return s.plain(line)
		}
		return s.quoted(line, end)
	}
}

// readLine reads up to a line feed, or to the end of the file.
func (s *csvScanner) readLine() ([]byte, error) {
	line, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		s.long = append(s.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = s.in.ReadSlice('\n')
			if s.long = append(s.long, line...); len(s.long) > maxRecord {
				return nil, s.tooLong(s.line + 1)
			}
		}
		line = s.long
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		s.ended, err = true, nil
		line = bytes.TrimSuffix(line, []byte("\r")) // half of the line end
	}
	if err != nil {
		return nil, err
	}
	s.line++
	return line, nil
}

func (s *csvScanner) tooLong(line int) error {
	return fault.New(fault.TooLarge, "a record is longer than %d MB", maxRecord>>20).At("%s:%d", s.name, line).
		Fix("look for a quote that is not closed, and check that this is a CSV file")
}

// cutLineEnd takes the line end off, which is LF, CR LF or nothing.
func cutLineEnd(line []byte) (text, end []byte) {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
		if n > 0 && line[n-1] == '\r' {
			n--
		}
	}
	return line[:n], line[n:]
}

// plain splits a line without quotes.
func (s *csvScanner) plain(line []byte) ([]string, error) {
	if err := s.checkText(line); err != nil {
		return nil, err
	}
	text := string(line) // all fields share it
	s.fields = s.fields[:0]
	for {
		i := strings.IndexByte(text, s.delimiter)
		if i < 0 {
			break
		}
		s.fields = append(s.fields, text[:i])
		text = text[i+1:]
	}
	s.fields = append(s.fields, text)
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, s.carriageReturn()
	}
	return s.fields, nil
}

func (s *csvScanner) carriageReturn() error {
	i := slices.IndexFunc(s.fields, func(f string) bool { return strings.Contains(f, "\r") })
	return s.wrong(i, "a carriage return stands in the middle of a line").
		Fix("put the value between quotes; if lines end with a carriage return alone, save the file with other line ends")
}

// quoted splits a record that begins with line, and reads on while a quoted
// field goes on behind it. end is the line's own end.
func (s *csvScanner) quoted(line, end []byte) ([]string, error) {
	if err := s.checkText(line); err != nil {
		return nil, err
	}
	s.text, s.ends = s.text[:0], s.ends[:0]
	for {
		if len(line) == 0 || line[0] != '"' {
			i := bytes.IndexByte(line, s.delimiter)
			value := line
			if i >= 0 {
				value = line[:i]
			}
			switch {
			case bytes.IndexByte(value, '"') >= 0:
				return nil, s.wrong(len(s.ends), "a quote stands in a field that does not begin with one").
					Fix("put the whole value between quotes, and write each quote in it twice")
			case bytes.IndexByte(value, '\r') >= 0:
				s.fields = append(s.fields[:0], string(value))
				return nil, s.wrong(len(s.ends), "a carriage return stands in the middle of a line").Fix("put the value between quotes")
			}
			s.text = append(s.text, value...)
			s.ends = append(s.ends, len(s.text))
			if i < 0 {
				return s.cut(), nil
			}
			line = line[i+1:]
			continue
		}
		rest, err := s.quotedField(line[1:], end)
		if err != nil {
			return nil, err
		}
		s.ends = append(s.ends, len(s.text))
		line, end = rest.line, rest.end
		if len(line) == 0 {
			return s.cut(), nil
		}
		if line[0] != s.delimiter {
			return nil, s.wrong(len(s.ends)-1, "text stands behind the closing quote").
				Fix("write each quote in a value twice, and put a %q behind the closing one", string(s.delimiter))
		}
		line = line[1:]
	}
}

// rest is what is left of a line, and its end.
type rest struct{ line, end []byte }

// quotedField adds the value of a field whose opening quote was read.
func (s *csvScanner) quotedField(line, end []byte) (rest, error) {
	begun, field := s.line, len(s.ends)
	for {
		i := bytes.IndexByte(line, '"')
		switch {
		case i >= 0 && i+1 < len(line) && line[i+1] == '"':
			s.text = append(s.text, line[:i+1]...)
			line = line[i+2:]
			continue
		case i >= 0:
			s.text = append(s.text, line[:i]...)
			return rest{line[i+1:], end}, nil
		}
		s.text = append(append(s.text, line...), end...)
		if len(s.text) > maxRecord {
			return rest{}, s.tooLong(begun)
		}
		next, err := s.readLine()
		if errors.Is(err, io.EOF) {
			return rest{}, fault.New(fault.Invalid, "the file ends inside of a quoted field").At("%s:%d column %d", s.name, begun, field+1).
				Fix("a quote is missing, or the file was cut off; get it again")
		}
		if err != nil {
			return rest{}, err
		}
		line, end = cutLineEnd(next)
		if err := s.checkText(line); err != nil {
			return rest{}, err
		}
	}
}

// cut returns the values as fields that share one text.
func (s *csvScanner) cut() []string {
	text, from := string(s.text), 0
	s.fields = s.fields[:0]
	for _, end := range s.ends {
		s.fields = append(s.fields, text[from:end])
		from = end
	}
	return s.fields
}

// checkText refuses what is not text: other encodings, and zeros, which UTF-16
// and broken disks have.
func (s *csvScanner) checkText(line []byte) error {
	if !utf8.Valid(line) {
		return &badText{s.where(line, func(part []byte) bool { return !utf8.Valid(part) })}
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return fault.New(fault.Invalid, "there is a zero byte in the text").
			At("%s", s.where(line, func(part []byte) bool { return bytes.IndexByte(part, 0) >= 0 })).
			Fix("the file is damaged, or is UTF-16: then set encoding: utf-16, utf-16le or utf-16be")
	}
	return nil
}

// where is the place of the first field of a line of which something is true.
// The columns of a line in the middle of a record are not known.
func (s *csvScanner) where(line []byte, is func([]byte) bool) string {
	place := s.name + ":" + strconv.Itoa(s.line)
	if s.line != s.start {
		return place
	}
	i := slices.IndexFunc(bytes.Split(line, []byte{s.delimiter}), is)
	return place + " column " + strconv.Itoa(i+1)
}
