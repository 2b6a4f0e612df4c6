package table

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

// Limits. A table is data beside the directory, not a database of its own.
const (
	MaxTables     = 1000
	MaxColumns    = 200
	MaxRows       = 5_000_000 // of one table
	MaxRowBytes   = 256 << 10 // of one row, as it is stored
	MaxNameLength = 100       // characters
)

// Type is what the cells of a column hold.
type Type string

// The types. A cell of any type may be empty, unless the column is required.
const (
	Text    Type = "text"
	Number  Type = "number" // as it was written, to the last digit
	Boolean Type = "boolean"
	Date    Type = "date" // 2026-03-29
	Time    Type = "time" // a moment, RFC 3339: 2026-03-29T01:30:00+01:00
	JSON    Type = "json" // anything that JSON can say
)

// Types are all of them, in the order in which they are explained.
func Types() []Type { return []Type{Text, Number, Boolean, Date, Time, JSON} }

// Column is one column of a table.
type Column struct {
	Name     string `json:"name"`
	Type     Type   `json:"type"`
	Required bool   `json:"required,omitempty"` // no cell is empty
	// Key makes rows be known by this column: no two have the same cell in it, and
	// none is empty. A table has at most one; letter case counts.
	Key bool `json:"key,omitempty"`
	// Slot is where the cell stands in a stored row. It never changes and is never
	// given again, so that renaming and dropping a column touch no row.
	Slot int `json:"-"`
}

// Table is one table, without its rows.
type Table struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Columns []Column  `json:"columns"`
	Rows    int64     `json:"rows"`
	Version int64     `json:"version"` // grows with every change of columns or rows
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`

	Sheet string `json:"-"` // where its rows are
	Next  int64  `json:"-"` // number of the next row
	Slots int    `json:"-"` // that were ever given to columns
}

// KeyColumn returns the column that rows are known by, nil when there is none.
func (t *Table) KeyColumn() *Column {
	for i := range t.Columns {
		if t.Columns[i].Key {
			return &t.Columns[i]
		}
	}
	return nil
}

// Column returns the column of a name, in whatever case it is written.
func (t *Table) Column(name string) (*Column, error) {
	fold := Fold(name)
	for i := range t.Columns {
		if Fold(t.Columns[i].Name) == fold {
			return &t.Columns[i], nil
		}
	}
	return nil, t.noColumn(name)
}

func (t *Table) noColumn(name string) *fault.Error {
	names := columnNames(t.Columns)
	f := fault.New(fault.Invalid, "table %q has no column %q", t.Name, name)
	if near := spelling.Nearest(name, names); near != "" {
		return f.Fix("did you mean %s?", near)
	}
	return f.Fix("it has %s", strings.Join(names, ", "))
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// Fold brings a name to the form in which tables and columns are told apart.
func Fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// clone returns a copy that may be changed.
func (t *Table) clone() *Table {
	c := *t
	c.Columns = slices.Clone(t.Columns)
	return &c
}

// columnName is what can also be written in a filter, and as a field of an
// expression without quotes: letters, digits, underscores, hyphens.
var columnName = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{M}\p{N}_$-]*$`)

// checkName refuses what cannot be the name of a table.
func checkName(name string) error {
	bad := func(why string) error {
		return fault.New(fault.Invalid, "%q cannot be the name of a table: %s", name, why).
			Fix("use up to %d letters, digits, blanks, hyphens, underscores", MaxNameLength)
	}
	switch {
	case strings.TrimSpace(name) != name || name == "":
		return bad("it is empty, or begins or ends with a blank")
	case len([]rune(name)) > MaxNameLength:
		return bad("it is too long")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '/' || r == 0x7f || r == 0xfffd }):
		return bad("it has a slash or a control character")
	}
	return nil
}

// checkColumns refuses what cannot be the columns of a table. None is fine: the
// first import brings them.
func checkColumns(columns []Column) error {
	if len(columns) > MaxColumns {
		return fault.New(fault.TooLarge, "a table has at most %d columns, not %d", MaxColumns, len(columns))
	}
	seen, keys := map[string]bool{}, 0
	for _, c := range columns {
		if err := checkColumn(c); err != nil {
			return err
		}
		if seen[Fold(c.Name)] {
			return fault.New(fault.Invalid, "the column %q stands twice", c.Name).Fix("letter case makes no difference; rename one of them")
		}
		seen[Fold(c.Name)] = true
		if c.Key {
			keys++
		}
	}
	if keys > 1 {
		return fault.New(fault.Invalid, "a table has one key column, not %d", keys)
	}
	return nil
}

func checkColumn(c Column) error {
	if !columnName.MatchString(c.Name) || len([]rune(c.Name)) > MaxNameLength {
		return fault.New(fault.Invalid, "%s cannot be the name of a column", quote(c.Name)).
			Fix("begin with a letter; use up to %d letters, digits, underscores, hyphens", MaxNameLength)
	}
	if !slices.Contains(Types(), c.Type) {
		names := make([]string, len(Types()))
		for i, t := range Types() {
			names[i] = string(t)
		}
		return fault.New(fault.Invalid, "the column %q has no type %q", c.Name, c.Type).Fix("use one of %s", strings.Join(names, ", "))
	}
	if c.Key && c.Type == JSON {
		return fault.New(fault.Invalid, "the column %q of type json cannot be the key", c.Name).Fix("make the key a text or a number")
	}
	return nil
}

// ParseColumn reads a column as commands write it: NAME, NAME:TYPE, and "key" or
// "required" behind further colons.
func ParseColumn(text string) (Column, error) {
	parts := strings.Split(text, ":")
	c := Column{Name: strings.TrimSpace(parts[0]), Type: Text}
	for i, word := range parts[1:] {
		switch word = Fold(word); {
		case word == "key":
			c.Key, c.Required = true, true
		case word == "required":
			c.Required = true
		case i == 0:
			c.Type = Type(word)
		default:
			return Column{}, fault.New(fault.Invalid, "a column cannot be %q", word).Fix("write NAME:TYPE, and :key or :required behind it")
		}
	}
	return c, checkColumn(c)
}

// String writes the column as ParseColumn reads it.
func (c Column) String() string {
	text := c.Name + ":" + string(c.Type)
	switch {
	case c.Key:
		text += ":key"
	case c.Required:
		text += ":required"
	}
	return text
}
