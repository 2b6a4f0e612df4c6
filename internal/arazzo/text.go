package arazzo

import (
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// source is a text with the start of each line, counted the way the YAML
// scanner counts: CR, LF, CRLF, NEL, LS and PS end a line, and columns are
// characters.
type source struct {
	text   []byte
	starts []int // byte offset of each line
	// marks are byte offsets inside long lines, one every markEvery characters:
	// a document on one line must not make each place cost a walk over all of it.
	marks map[int][]int
}

const markEvery = 1024

func newSource(text []byte) source {
	s := source{text: text, starts: []int{0}}
	if strings.HasPrefix(string(text[:min(3, len(text))]), "\xef\xbb\xbf") {
		s.starts[0] = 3 // the scanner swallows the byte order mark
	}
	for i := s.starts[0]; i < len(text); {
		if n := breakLen(text[i:]); n > 0 {
			i += n
			s.starts = append(s.starts, i)
			continue
		}
		i++
	}
	for line, start := range s.starts {
		end := len(text)
		if line+1 < len(s.starts) {
			end = s.starts[line+1]
		}
		if end-start > markEvery {
			s.mark(line, start, end)
		}
	}
	return s
}

func (s *source) mark(line, start, end int) {
	if s.marks == nil {
		s.marks = map[int][]int{}
	}
	var marks []int
	for n := 0; start < end; n++ {
		if n%markEvery == 0 {
			marks = append(marks, start)
		}
		_, size := utf8.DecodeRune(s.text[start:])
		start += size
	}
	s.marks[line] = marks
}

// breakLen returns the length of the line break at the start of b, 0 for none.
func breakLen(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case b[0] == '\n':
		return 1
	case b[0] == '\r':
		if len(b) > 1 && b[1] == '\n' {
			return 2
		}
		return 1
	case b[0] == 0xC2 && len(b) > 1 && b[1] == 0x85:
		return 2
	case b[0] == 0xE2 && len(b) > 2 && b[1] == 0x80 && (b[2] == 0xA8 || b[2] == 0xA9):
		return 3
	}
	return 0
}

// offset returns the byte offset of a 1-based line and column, and whether the
// text has it.
func (s source) offset(line, col int) (int, bool) {
	if line < 1 || line > len(s.starts) {
		return 0, false
	}
	at, first := s.starts[line-1], 1
	if marks := s.marks[line-1]; col > markEvery && marks != nil {
		k := min((col-1)/markEvery, len(marks)-1)
		at, first = marks[k], 1+k*markEvery
	}
	for i := first; i < col; i++ {
		if at >= len(s.text) {
			return 0, false
		}
		_, n := utf8.DecodeRune(s.text[at:])
		at += n
	}
	return at, true
}

// place returns the 1-based line and column of a byte offset.
func (s source) place(offset int) (line, col int) {
	line = sort.SearchInts(s.starts, offset+1)
	if line == 0 {
		return 1, 1
	}
	start, before := s.starts[line-1], 0
	if marks := s.marks[line-1]; marks != nil {
		if k := sort.SearchInts(marks, offset+1) - 1; k > 0 {
			start, before = marks[k], k*markEvery
		}
	}
	return line, before + utf8.RuneCount(s.text[start:min(max(offset, start), len(s.text))]) + 1
}

// scalar says where the value of a scalar node stands in the text.
type scalar struct {
	start, end int   // the scalar with its quotes or block header
	at         []int // at[i] is the offset of byte i of the value, at[len(value)] that of its end
	style      yaml.Style
}

const (
	blockStyles = yaml.LiteralStyle | yaml.FoldedStyle
	quoteStyles = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
)

// scalar finds n's value in the text. It decodes the text again, byte for byte,
// and gives up when what comes out is not n.Value: then the scalar cannot be
// edited in place, and nothing gets damaged.
func (s source) scalar(n *yaml.Node) (scalar, bool) {
	start, ok := s.offset(n.Line, n.Column)
	if !ok || n.Kind != yaml.ScalarNode {
		return scalar{}, false
	}
	d := scalarDecoder{text: s.text, pos: start, want: n.Value}
	if !d.skipProperties() {
		return scalar{}, false
	}
	out := scalar{start: d.pos, style: n.Style & (blockStyles | quoteStyles)}
	switch out.style {
	case yaml.SingleQuotedStyle:
		ok = d.single()
	case yaml.DoubleQuotedStyle:
		ok = d.double()
	case yaml.LiteralStyle, yaml.FoldedStyle:
		ok = d.block(out.style == yaml.FoldedStyle)
	case 0:
		ok = d.plain()
	default:
		ok = false
	}
	if !ok || len(d.at) != len(n.Value)+1 {
		return scalar{}, false
	}
	out.end, out.at = d.pos, d.at
	return out, true
}

// scalarDecoder walks the text of one scalar, matching it with the value that
// the YAML parser made of it.
type scalarDecoder struct {
	text []byte
	pos  int
	want string
	at   []int
}

func (d *scalarDecoder) peek() byte {
	if d.pos < len(d.text) {
		return d.text[d.pos]
	}
	return 0
}

// skipProperties passes an anchor, a tag and the blanks after them. A property
// on a line of its own is not followed.
func (d *scalarDecoder) skipProperties() bool {
	for {
		switch d.peek() {
		case '&', '!':
			for d.pos < len(d.text) && d.text[d.pos] != ' ' && d.text[d.pos] != '\t' {
				if breakLen(d.text[d.pos:]) > 0 {
					return false
				}
				d.pos++
			}
			for d.peek() == ' ' || d.peek() == '\t' {
				d.pos++
			}
		default:
			return d.pos < len(d.text)
		}
	}
}

// emit records that s, standing at offset from, is the next part of the value.
func (d *scalarDecoder) emit(from int, s string) bool {
	i := len(d.at)
	if !strings.HasPrefix(d.want[min(i, len(d.want)):], s) {
		return false
	}
	for range len(s) {
		d.at = append(d.at, from)
	}
	return true
}

// literalRune copies the character at pos.
func (d *scalarDecoder) literalRune() bool {
	_, n := utf8.DecodeRune(d.text[d.pos:])
	i := len(d.at)
	if i+n > len(d.want) || d.want[i:i+n] != string(d.text[d.pos:d.pos+n]) {
		return false
	}
	for k := range n {
		d.at = append(d.at, d.pos+k)
	}
	d.pos += n
	return true
}

// fold passes blanks and line breaks: blanks alone are kept, one break is a
// space, more breaks are one newline less than there are.
func (d *scalarDecoder) fold() bool {
	from, end, breaks := d.pos, d.pos, 0
	for end < len(d.text) {
		if c := d.text[end]; c == ' ' || c == '\t' {
			end++
			continue
		}
		n := breakLen(d.text[end:])
		if n == 0 {
			break
		}
		breaks++
		end += n
	}
	d.pos = end
	switch breaks {
	case 0:
		for i := from; i < end; i++ {
			if !d.emit(i, string(d.text[i])) {
				return false
			}
		}
		return true
	case 1:
		return d.emit(from, " ")
	}
	return d.emit(from, strings.Repeat("\n", breaks-1))
}

func (d *scalarDecoder) blank() bool {
	return d.peek() == ' ' || d.peek() == '\t' || breakLen(d.text[min(d.pos, len(d.text)):]) > 0
}

func (d *scalarDecoder) plain() bool {
	for len(d.at) < len(d.want) {
		if d.pos >= len(d.text) {
			return false
		}
		if d.blank() {
			if !d.fold() {
				return false
			}
			continue
		}
		if !d.literalRune() {
			return false
		}
	}
	d.at = append(d.at, d.pos)
	return true
}

func (d *scalarDecoder) single() bool {
	if d.peek() != '\'' {
		return false
	}
	d.pos++
	for d.pos < len(d.text) {
		switch {
		case d.peek() == '\'' && d.pos+1 < len(d.text) && d.text[d.pos+1] == '\'':
			if !d.emit(d.pos, "'") {
				return false
			}
			d.pos += 2
		case d.peek() == '\'':
			d.at = append(d.at, d.pos)
			d.pos++
			return true
		case d.blank():
			if !d.fold() {
				return false
			}
		case !d.literalRune():
			return false
		}
	}
	return false
}

func (d *scalarDecoder) double() bool {
	if d.peek() != '"' {
		return false
	}
	d.pos++
	for d.pos < len(d.text) {
		switch {
		case d.peek() == '\\':
			if !d.escape() {
				return false
			}
		case d.peek() == '"':
			d.at = append(d.at, d.pos)
			d.pos++
			return true
		case d.blank():
			if !d.fold() {
				return false
			}
		case !d.literalRune():
			return false
		}
	}
	return false
}

// escape passes one escape sequence. What it stands for is taken from the
// value: only its length in the text matters here, and a wrong guess shows in
// the characters that follow.
func (d *scalarDecoder) escape() bool {
	from := d.pos
	if from+1 >= len(d.text) {
		return false
	}
	if n := breakLen(d.text[from+1:]); n > 0 { // an escaped line break stands for nothing
		d.pos += 1 + n
		for d.peek() == ' ' || d.peek() == '\t' {
			d.pos++
		}
		return true
	}
	size := 2
	switch d.text[from+1] {
	case 'x':
		size = 4
	case 'u':
		size = 6
	case 'U':
		size = 10
	}
	i := len(d.at)
	if from+size > len(d.text) || i >= len(d.want) {
		return false
	}
	_, n := utf8.DecodeRuneInString(d.want[i:])
	for range n {
		d.at = append(d.at, from)
	}
	d.pos += size
	return true
}

// block reads a literal or folded block scalar line by line.
func (d *scalarDecoder) block(folded bool) bool {
	for d.pos < len(d.text) && breakLen(d.text[d.pos:]) == 0 { // the header
		d.pos++
	}
	d.pos += breakLen(d.text[min(d.pos, len(d.text)):])
	end := d.pos
	for len(d.at) < len(d.want) {
		rest := d.want[len(d.at):]
		if rest[0] == '\n' {
			if !d.blockBreaks() {
				return false
			}
			continue
		}
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			rest = rest[:i]
		}
		if !d.blockLine(rest, folded) {
			return false
		}
		end = d.pos
	}
	d.at = append(d.at, end)
	d.pos = end
	return true
}

// blockBreaks matches newlines of the value with the line ends and empty lines
// of the text. Their numbers differ where lines are folded or the end is
// clipped, which does no harm: nothing is edited there.
func (d *scalarDecoder) blockBreaks() bool {
	for len(d.at) < len(d.want) && d.want[len(d.at)] == '\n' {
		d.at = append(d.at, d.pos)
	}
	for {
		line := d.pos
		for line < len(d.text) && d.text[line] == ' ' {
			line++
		}
		n := breakLen(d.text[min(line, len(d.text)):])
		if n == 0 {
			return true
		}
		d.pos = line + n
	}
}

// blockLine matches one line of the value with one line of the text, or with
// several when they are folded together.
func (d *scalarDecoder) blockLine(line string, folded bool) bool {
	lead := len(line) - len(strings.TrimLeft(line, " "))
	indent := d.pos
	for d.pos < len(d.text) && d.text[d.pos] == ' ' {
		d.pos++
	}
	if d.pos-indent < lead {
		return false
	}
	d.pos -= lead
	for stop := len(d.at) + len(line); len(d.at) < stop; {
		n := breakLen(d.text[min(d.pos, len(d.text)):])
		if n == 0 {
			if d.pos >= len(d.text) || !d.literalRune() {
				return false
			}
			continue
		}
		if !folded || !d.emit(d.pos, " ") {
			return false
		}
		d.pos += n
		for d.peek() == ' ' {
			d.pos++
		}
	}
	return true
}
