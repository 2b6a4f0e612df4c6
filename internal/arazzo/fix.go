package arazzo

import (
	"slices"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// FixOptions say what Fix may know beyond the document.
type FixOptions struct {
	// FindOperation returns the names of the sources that have an operation of
	// that id, so that an id without its source can be qualified. It may be nil:
	// then such ids are left alone.
	FindOperation func(operationID string) (sources []string)
}

// maxRounds bounds how often Fix looks again at what it wrote. Forms inside
// forms take two rounds; a third finds nothing.
const maxRounds = 6

// Fix rewrites the loose forms of a compat document to what the specification
// says, and returns the new text with the diagnostics it acted on. Comments and
// layout stay: only the bytes of the forms change. A text without loose forms is
// returned as it is, so fixing twice changes nothing more.
//
// Forms that cannot be rewritten stay; Check reports them. The error is of kind
// Invalid when the document is nil, Internal when the rewritten text could not
// be read back, which would be a mistake of ours; the text is nil then.
func Fix(d *Document, opt FixOptions) (text []byte, applied []Diagnostic, err error) {
	if d == nil {
		return nil, nil, fault.New(fault.Invalid, "there is no document to rewrite")
	}
	fixed, applied, err := fix(d, opt)
	if err != nil {
		return nil, nil, err
	}
	return fixed.Text, applied, nil
}

// fix rewrites round by round and returns the last document, its moves leading
// back to d's text.
func fix(d *Document, opt FixOptions) (*Document, []Diagnostic, error) {
	var applied []Diagnostic
	var moves []move
	current := d
	for range maxRounds {
		text, made, found := fixOnce(current, opt, moves)
		if len(made) == 0 {
			break
		}
		applied = append(applied, found...)
		moves = append([]move{{before: current.source, edits: made}}, moves...)
		next, diags := Parse(d.File, text)
		if next == nil {
			return nil, nil, fault.New(fault.Internal, "the rewritten document cannot be read: %s", diags[0])
		}
		current = next
	}
	if len(moves) > 0 {
		current, _ = parse(d.File, current.Text, moves)
	}
	return current, applied, nil
}

// fixOnce makes the edits of all loose forms that can be rewritten now. The
// diagnostics are at places of the original text, to which moves lead back.
func fixOnce(d *Document, opt FixOptions, moves []move) (text []byte, made []Edit, found []Diagnostic) {
	c := newChecker(d, Compat)
	c.find, c.out.complete = opt.FindOperation, true
	c.components()
	for _, f := range c.flows {
		f.scan()
	}
	var edits []Edit
	for _, diag := range c.out.sorted(d.File) {
		if len(diag.Edits) == 0 {
			continue
		}
		edits = append(edits, diag.Edits...)
		if len(moves) > 0 {
			offset, _ := d.source.offset(diag.Line, diag.Col)
			for _, m := range moves {
				offset = m.back(offset)
			}
			diag.Line, diag.Col = moves[len(moves)-1].before.place(offset)
			diag.Edits = nil // they belong to a text that nobody else has
		}
		found = append(found, diag)
	}
	text, made = applyEdits(d.Text, edits)
	return text, made, found
}

// ReadCompat reads a document the way people write them: it is parsed, its
// loose forms are rewritten in memory as Fix does, and what is returned is the
// strict document, with the places of the original. The diagnostics are those
// of Parse, and a warning for each form that was rewritten. Forms that cannot
// be are left for Check to report.
func ReadCompat(file string, data []byte, opt FixOptions) (*Document, []Diagnostic) {
	d, diags := Parse(file, data)
	if d == nil {
		return nil, diags
	}
	fixed, applied, err := fix(d, opt)
	if err != nil {
		return d, append(diags, Diagnostic{Pos: d.Pos, Severity: Error, Code: "schema", Message: fault.Public(err)})
	}
	out := report{list: slices.Concat(diags, applied), complete: true}
	return fixed, out.sorted(file)
}
