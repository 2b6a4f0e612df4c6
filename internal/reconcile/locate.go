package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// Mistakes in settings that show only when they meet the schema of the directory
// (Compile) or the columns of a source (CheckColumns) know the key: "match email",
// "mapping title". Locate finds the line.

// Locate gives errors of Compile and CheckColumns the places that their keys have in
// the section that the settings were read from. Other errors come back as they are.
func Locate(section config.Section, err error) error {
	if err == nil || section.Node == nil {
		return err
	}
	switch e := err.(type) { //nolint:errorlint // only our own, unwrapped, can be placed
	case *fault.List:
		out := make([]error, len(e.Errors))
		for i, one := range e.Errors {
			out[i] = Locate(section, one)
		}
		return fault.Join(out...)
	case *fault.Error:
		key, name, _ := strings.Cut(e.Place, " ")
		n := nodeOf(section.Node, key, name)
		if n == nil {
			return err
		}
		placed := *e
		placed.Place = fmt.Sprintf("%s:%d:%d: %s", section.File, n.Line, n.Column, e.Place)
		return &placed
	}
	return err
}

// nodeOf finds a key of an import, and in it a name: a key of its own or of its
// mapping exact, or a value. The key stands for a name that is not there.
func nodeOf(n *yaml.Node, key, name string) *yaml.Node {
	of := member(n, key)
	if of == nil || name == "" {
		return of
	}
	for _, in := range []*yaml.Node{of, member(of, "exact")} {
		if in == nil {
			continue
		}
		if one := member(in, name); one != nil {
			return one
		}
		if in.Kind == yaml.ScalarNode && in.Value == name {
			return in
		}
		if in.Kind != yaml.SequenceNode {
			continue
		}
		if i := slices.IndexFunc(in.Content, func(one *yaml.Node) bool { return strict.Follow(one).Value == name }); i >= 0 {
			return in.Content[i]
		}
	}
	return of
}

// member is the value of a key of a mapping, nil when it is none or has none.
func member(n *yaml.Node, key string) *yaml.Node {
	n = strict.Follow(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return strict.Follow(n.Content[i+1])
		}
	}
	return nil
}

// namedColumn is a column with the key of the settings that names it.
type namedColumn struct{ key, column string }

// namedColumns are the columns that settings name, also in expressions.
func (s *Settings) namedColumns() (out []namedColumn) {
	add := func(key string, t Term) {
		if t.empty() {
			return
		}
		r, err := t.compile()
		switch {
		case err != nil: // Compile tells
		case r.rule != nil:
			out = append(out, inRow(key, r.rule)...)
		default:
			out = append(out, namedColumn{key, r.column})
		}
	}
	add("id", s.ID)
	add("active", s.Active.From)
	add("starts", s.Starts.From)
	add("ends", s.Ends.From)
	add("timezone", s.Zone.From)
	for name, t := range s.Profile {
		add("profile "+name, t)
	}
	if s.Where != "" {
		if e, err := expression(s.Where, rowVariable); err == nil {
			out = append(out, inRow("where", e)...)
		}
	}
	slices.SortFunc(out, func(a, b namedColumn) int { return strings.Compare(a.column+"\x00"+a.key, b.column+"\x00"+b.key) })
	return slices.Compact(out)
}

// inRow are the columns that an expression reads by name.
func inRow(key string, e *compute.Expression) (out []namedColumn) {
	for _, v := range e.Variables() {
		if _, column, _ := strings.Cut(v.Name, "."); column != "" {
			out = append(out, namedColumn{key, column})
		}
	}
	return out
}

// CheckColumns is fault.Invalid when settings name columns that a source, all of
// whose columns are known (a table, a text file with headings), does not have: a
// column that was renamed would look like one that is empty.
func (s *Settings) CheckColumns(columns []string) error {
	var problems []error
	for _, c := range s.namedColumns() {
		outer, _, _ := strings.Cut(c.column, ".") // a path begins with a column
		if slices.Contains(columns, c.column) || slices.Contains(columns, outer) {
			continue
		}
		e := fault.New(fault.Invalid, "the source has no column %q; it has %s", c.column, quoted(columns)).At("%s", c.key)
		if near := spelling.Nearest(c.column, columns); near != "" {
			e = e.Fix("did you mean %q?", near)
		}
		problems = append(problems, e)
	}
	return fault.Join(problems...)
}
