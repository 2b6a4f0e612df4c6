package arazzo

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// valueEdit replaces the bytes from start up to end of a scalar's value.
type valueEdit struct {
	start, end int
	text       string
}

// applyTo returns value with the edits made. They are sorted and apart.
func applyTo(value string, edits []valueEdit) string {
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(value[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.WriteString(value[at:])
	return b.String()
}

// editScalar turns edits of a scalar's value into one edit of the text. What
// the edits do not touch keeps its bytes, escapes and line folds included. A
// plain scalar that could no longer stand without quotes gets them. flow says
// that the scalar stands inside [] or {}.
func (s source) editScalar(n *yaml.Node, flow bool, edits []valueEdit) (Edit, bool) {
	sc, ok := s.scalar(n)
	if !ok {
		return Edit{}, false
	}
	var b strings.Builder
	copied := sc.at[0]
	for _, e := range edits {
		b.Write(s.text[copied:sc.at[e.start]])
		b.WriteString(encodeInto(sc.style, e.text))
		copied = sc.at[e.end]
	}
	last := sc.at[len(n.Value)]
	b.Write(s.text[copied:last])
	start, end, text := sc.at[0], last, b.String()
	if sc.style == 0 && !plainSafe(text, flow) {
		text = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return s.edit(start, end, text), true
}

// edit returns the replacement of a byte range with its lines and columns.
func (s source) edit(start, end int, text string) Edit {
	e := Edit{Start: start, End: end, Text: text}
	e.From.Line, e.From.Col = s.place(start)
	e.To.Line, e.To.Col = s.place(end)
	return e
}

// encodeInto writes text as it must stand inside a scalar of the given style.
func encodeInto(style yaml.Style, text string) string {
	switch style {
	case yaml.SingleQuotedStyle:
		return strings.ReplaceAll(text, "'", "''")
	case yaml.DoubleQuotedStyle:
		var b strings.Builder
		for _, r := range text {
			switch {
			case r == '"' || r == '\\':
				b.WriteByte('\\')
				b.WriteRune(r)
			case r < 0x20 || r == 0x7F || r == 0x85 || r == 0x2028 || r == 0x2029:
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				b.WriteRune(r)
			}
		}
		return b.String()
	}
	return text
}

// plainSafe reports whether text may stand in YAML without quotes. It asks for
// quotes more often than the language does, never less.
func plainSafe(text string, flow bool) bool {
	if text == "" || strings.ContainsRune("{}[],&*#?|<>=!%@`\"'-:", rune(text[0])) {
		return false
	}
	if strings.Contains(text, ": ") || strings.Contains(text, ":\t") || strings.Contains(text, " #") ||
		strings.Contains(text, "\t#") || strings.HasSuffix(text, ":") || strings.HasSuffix(text, " ") {
		return false
	}
	return !flow || !strings.ContainsAny(text, "{}[],:#?\"'")
}

// applyEdits makes the edits that do not overlap an earlier one and returns the
// new text with those made, in the order of the text. Equal edits, as several
// uses of one alias give, are made once.
func applyEdits(text []byte, edits []Edit) ([]byte, []Edit) {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End
	})
	var out []byte
	var made []Edit
	at := 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start || e.End > len(text) || len(made) > 0 && made[len(made)-1] == e {
			continue
		}
		out = append(out, text[at:e.Start]...)
		out = append(out, e.Text...)
		at = e.End
		made = append(made, e)
	}
	return append(out, text[at:]...), made
}

// move leads from a rewritten text back to the one it was made from.
type move struct {
	before source
	edits  []Edit // in the order of the text
}

// back returns the offset in the text before that corresponds to one after. A
// place inside a replaced range is the start of what it replaced.
func (m move) back(offset int) int {
	shift := 0 // how far the text after runs ahead of the text before
	for _, e := range m.edits {
		start := e.Start + shift
		if offset < start {
			break
		}
		if offset < start+len(e.Text) {
			return min(e.Start+offset-start, e.End)
		}
		shift += len(e.Text) - (e.End - e.Start)
	}
	return offset - shift
}

// At returns the place of a node of the document in the original file.
func (d *Document) At(n *yaml.Node) Pos {
	if n == nil {
		return Pos{File: d.File}
	}
	at := Pos{File: d.File, Line: n.Line, Col: n.Column}
	if len(d.moves) == 0 {
		return at
	}
	if offset, ok := d.source.offset(n.Line, n.Column); ok {
		return d.origin(offset)
	}
	return at
}

// inside returns the place of a byte of a scalar's value in the original file;
// false when the text does not show where it stands.
func (d *Document) inside(n *yaml.Node, offset int) (Pos, bool) {
	if d == nil {
		return Pos{}, false
	}
	sc, ok := d.source.scalar(n)
	if !ok || offset >= len(sc.at) {
		return Pos{}, false
	}
	return d.origin(sc.at[offset]), true
}

// origin returns the place of a byte of the text in the original file.
func (d *Document) origin(offset int) Pos {
	before := d.source
	for _, m := range d.moves {
		offset = m.back(offset)
		before = m.before
	}
	p := Pos{File: d.File}
	p.Line, p.Col = before.place(offset)
	return p
}
