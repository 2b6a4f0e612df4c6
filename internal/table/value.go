package table

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// jsonNumber is the number of RFC 8259, 6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// maxDigits bounds numbers, so that comparing two costs little.
const maxDigits = 1000

const dateForm = "2006-01-02"

// examples say how a cell of a type is written.
var examples = map[Type]string{
	Text: "in quotes", Number: "such as 12 or -1.50", Boolean: "true or false", Date: "as 2026-03-29", Time: "as 2026-03-29T01:30:00Z", JSON: `such as {"a": [1, 2]}`,
}

// Read returns what a text stands for in a column. The empty text is an empty
// cell, nil. A text that does not fit is fault.Invalid.
func (c *Column) Read(text string) (any, error) {
	if text == "" {
		return nil, nil
	}
	if err := c.plain(text); err != nil {
		return nil, err
	}
	switch c.Type {
	case Text:
		return text, nil
	case Number:
		if isNumber(text) {
			return json.Number(text), nil
		}
	case Boolean:
		switch {
		case strings.EqualFold(text, "true"):
			return true, nil
		case strings.EqualFold(text, "false"):
			return false, nil
		}
	case Date:
		if isDate(text) {
			return text, nil
		}
	case Time:
		if isTime(text) {
			return text, nil
		}
	case JSON:
		if v, err := value.DecodeExact([]byte(text)); err == nil {
			return v, c.plainJSON(v)
		}
	}
	return nil, c.misfit(text)
}

func isNumber(text string) bool { return len(text) <= maxDigits && jsonNumber.MatchString(text) }

func isDate(text string) bool {
	_, err := time.Parse(dateForm, text)
	return err == nil && len(text) == len(dateForm)
}

func isTime(text string) bool {
	t, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && t.Year() > 0 && strings.ContainsRune(text, 'T')
}

// misfit says that a text is no cell of the column. It shows no more of it than
// tells which one is meant.
func (c *Column) misfit(text string) error {
	return fault.New(fault.Invalid, "%s is no %s", quote(text), c.Type).At("column %s", c.Name).Fix("write it %s", examples[c.Type])
}

// quote shows a text in a message.
func quote(text string) string {
	const most = 40
	runes := []rune(text)
	if len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	b, _ := json.Marshal(text) // a string can be written
	return string(b)
}

// plain refuses text that not every database and reader keeps.
func (c *Column) plain(text string) error {
	if !utf8.ValidString(text) {
		return fault.New(fault.Invalid, "the text is not UTF-8").At("column %s", c.Name).Fix("save the file as UTF-8")
	}
	if strings.ContainsRune(text, 0) {
		return fault.New(fault.Invalid, "the text has a NUL character").At("column %s", c.Name).Fix("remove it")
	}
	return nil
}

func (c *Column) plainJSON(v any) error {
	switch v := v.(type) {
	case string:
		return c.plain(v)
	case []any:
		for _, one := range v {
			if err := c.plainJSON(one); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, one := range v {
			if err := c.plain(name); err != nil {
				return err
			}
			if err := c.plainJSON(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// Accept returns what a JSON value stands for in a column. Text and numbers that
// mean the same are taken for each other: flows often have one for the other. A
// value that does not fit is fault.Invalid.
func (c *Column) Accept(v any) (any, error) {
	if c.Type == JSON {
		return v, c.plainJSON(v)
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return c.Read(v)
	case bool:
		if c.Type == Boolean {
			return v, nil
		}
	case json.Number:
		if c.Type == Number || c.Type == Text {
			return c.Read(string(v))
		}
	}
	return nil, c.misfit(value.Text(v))
}

// Show writes a cell as Read reads it: an empty cell as the empty text.
func Show(cell any) string {
	if cell == nil {
		return ""
	}
	return value.Text(cell)
}

// showIn is Show for a column: in one of JSON a text has quotes.
func (c *Column) showIn(cell any) string {
	if c.Type != JSON || cell == nil {
		return Show(cell)
	}
	b, err := value.Encode(cell)
	if err != nil {
		return ""
	}
	return string(b)
}

// cells are the cells of a row by the names of their columns; empty ones are nil.
func (t *Table) cells(body []byte) (map[string]any, error) {
	list, err := decodeCells(body)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(t.Columns))
	for _, c := range t.Columns {
		out[c.Name] = cellAt(list, c.Slot)
	}
	return out, nil
}

func cellAt(list []any, slot int) any {
	if slot < len(list) {
		return list[slot]
	}
	return nil // the column is younger than the row
}

func decodeCells(body []byte) ([]any, error) {
	v, err := value.Decode(body)
	list, ok := v.([]any)
	if err != nil || !ok {
		return nil, fault.Wrap(fault.Internal, err, "a stored row cannot be read")
	}
	return list, nil
}

// record makes a stored row of cells, checking what the row as a whole promises.
func (t *Table) record(cells map[string]any) (Record, error) {
	list, r := make([]any, t.Slots), Record{Sheet: t.Sheet, Version: 1}
	for i := range t.Columns {
		c := &t.Columns[i]
		cell := cells[c.Name]
		if cell == nil && (c.Required || c.Key) {
			return r, fault.New(fault.Invalid, "the column may not be empty").At("column %s", c.Name).Fix("give it a value, or make the column optional")
		}
		if c.Key {
			if r.Key = Show(cell); len(r.Key) > maxKey {
				return r, fault.New(fault.TooLarge, "a key has at most %d bytes", maxKey).At("column %s", c.Name)
			}
		}
		list[c.Slot] = cell
	}
	body, err := value.Encode(list)
	if err != nil {
		return r, fault.Wrap(fault.Internal, err, "the row cannot be stored")
	}
	if len(body) > MaxRowBytes {
		return r, fault.New(fault.TooLarge, "a row has at most %d bytes, this one %d", MaxRowBytes, len(body)).Fix("keep long texts elsewhere")
	}
	r.Body = body
	return r, nil
}

// maxKey is how long a key may be, in bytes: PostgreSQL's index takes 2,700.
const maxKey = 1000

// accept checks values by the names of their columns, all mistakes at once, and
// returns the cells.
func (t *Table) accept(values map[string]any) (map[string]any, error) {
	cells := make(map[string]any, len(values))
	var bad []error
	for _, name := range sortedKeys(values) {
		c, err := t.Column(name)
		if err == nil {
			if _, twice := cells[c.Name]; twice {
				err = fault.New(fault.Invalid, "the column %q is given twice", c.Name)
			} else {
				cells[c.Name], err = c.Accept(values[name])
			}
		}
		if err != nil {
			bad = append(bad, err)
		}
	}
	return cells, fault.Join(bad...)
}
