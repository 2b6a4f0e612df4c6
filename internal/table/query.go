package table

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Query selects rows.
type Query struct {
	// Filter is one in the grammar of SCIM (RFC 7644 3.4.2.2) over the columns:
	// active eq true and city sw "L". Letter case counts. In a column of type json,
	// column.member reaches inside. Empty selects all rows.
	Filter string `json:"filter,omitempty"`
	// Order is the column to order by, with " desc" behind it for the other way
	// round; empty cells come last, or first. Empty is the order of insertion.
	Order string `json:"order,omitempty"`
	Limit int    `json:"limit,omitempty"` // rows of a page; 0: DefaultLimit; at most MaxLimit
	After string `json:"after,omitempty"` // Next of the page before
}

// Sizes of pages.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Page is a part of what a Query selects.
type Page struct {
	Rows []Row  `json:"rows"`
	Next string `json:"next,omitempty"` // for After; empty: this was the last page
}

// Query returns a page of rows. Between two pages rows may come and go; those that
// stay are neither missed nor shown twice, unless what they are ordered by changes.
func (s *Tables) Query(ctx context.Context, name string, q Query) (page Page, err error) {
	switch {
	case q.Limit < 0:
		return page, fault.New(fault.Invalid, "a page cannot have %d rows", q.Limit)
	case q.Limit == 0:
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, MaxLimit)
	err = s.view(ctx, name, func(r Reader, t *Table) error {
		sel, err := t.selection(q)
		if err != nil {
			return err
		}
		page, err = sel.page(ctx, r, q)
		return err
	})
	return page, err
}

// selection is a Query that was checked against the columns of a table.
type selection struct {
	table *Table
	match filter.Expr // nil: all
	plain []byte      // stands in the body of every row that matches
	key   string      // of the only row that can match, when pinned
	only  bool
	order *Column // nil: by number
	desc  bool
	after cursor
}

// cursor is the last row of a page: where the next one begins.
type cursor struct {
	Number int64           `json:"n"`
	Cell   json.RawMessage `json:"c,omitempty"` // that it was ordered by
	Order  string          `json:"o,omitempty"`
	cell   any
}

func (t *Table) selection(q Query) (*selection, error) {
	s := &selection{table: t}
	if err := s.parseFilter(q.Filter); err != nil {
		return nil, err
	}
	if err := s.parseOrder(q.Order); err != nil {
		return nil, err
	}
	return s, s.parseAfter(q.After, q.Order)
}

func (s *selection) parseFilter(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	match, _, err := filter.ParseSCIM(text, filter.SCIMOptions{Blanks: true})
	if err == nil {
		err = filter.Walk(match, s.table.checkTerm)
	}
	if err != nil {
		return placed(err, "filter")
	}
	s.match = match
	s.plain = []byte(web.PlainRun(filter.Needed(match, func(path string) bool {
		c, err := s.table.Column(path)
		return err == nil && c.Type == Text
	})))
	if key := s.table.KeyColumn(); key != nil && key.Type == Text {
		s.key, s.only = filter.Pinned(match, key.Name)
	}
	return nil
}

// checkTerm refuses a comparison that could never be meant.
func (t *Table) checkTerm(c *filter.Compare) error {
	name, _, inside := strings.Cut(c.Path, ".")
	column, err := t.Column(name)
	if err != nil {
		return err
	}
	if inside && column.Type != JSON {
		return fault.New(fault.Invalid, "the column %q of type %s has nothing inside", column.Name, column.Type)
	}
	if c.Op == filter.Present || c.Value == nil || column.Type == JSON {
		return nil
	}
	mismatch := func(how string) error {
		return fault.New(fault.Invalid, "the column %q is of type %s", column.Name, column.Type).Fix("%s", how)
	}
	text, isText := c.Value.(string)
	_, number := c.Value.(json.Number)
	_, truth := c.Value.(bool)
	switch {
	case column.Type == Number && !number:
		return mismatch("compare it with a number, without quotes")
	case column.Type == Boolean && (!truth || c.Op != filter.Equal && c.Op != filter.NotEqual):
		return mismatch("write eq true or eq false")
	case (column.Type == Text || column.Type == Date || column.Type == Time) && !isText:
		return mismatch("compare it with a text, in quotes")
	case column.Type == Date && !isDate(text) && !isPart(c.Op):
		return mismatch("write the date " + examples[Date])
	case column.Type == Time && (!isTime(text) || isPart(c.Op)):
		return mismatch("write the time " + examples[Time] + ", and eq, ne, gt, ge, lt or le in front")
	}
	return nil
}

func isPart(op filter.Op) bool {
	return op == filter.Contains || op == filter.StartsWith || op == filter.EndsWith
}

func (s *selection) parseOrder(text string) error {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil
	}
	column, err := s.table.Column(words[0])
	if err != nil {
		return placed(err, "order")
	}
	if column.Type == JSON {
		return fault.New(fault.Invalid, "rows cannot be ordered by the column %q of type json", column.Name).At("order")
	}
	s.order = column
	switch {
	case len(words) == 1, len(words) == 2 && strings.EqualFold(words[1], "asc"):
	case len(words) == 2 && strings.EqualFold(words[1], "desc"):
		s.desc = true
	default:
		return fault.New(fault.Invalid, "%q is no order", text).At("order").Fix("write the name of a column, and desc behind it for the other way round")
	}
	return nil
}

func (s *selection) parseAfter(text, order string) error {
	if text == "" {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &s.after)
	}
	if err == nil && len(s.after.Cell) > 0 {
		s.after.cell, err = value.Decode(s.after.Cell)
	}
	if err != nil || s.after.Order != order {
		return fault.New(fault.Invalid, "this does not continue the query").At("after").Fix("use next of its page before, with the same order")
	}
	return nil
}

// next is the text that continues behind a row.
func (s *selection) next(row located, order string) (string, error) {
	c := cursor{Number: row.number, Order: order}
	if s.order != nil {
		var err error
		if c.Cell, err = value.Encode(row.Values[s.order.Name]); err != nil {
			return "", fault.Wrap(fault.Internal, err, "the place in the list cannot be written")
		}
	}
	data, err := json.Marshal(c)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the place in the list cannot be written")
	}
	return base64.RawURLEncoding.EncodeToString(data), nil
}

type located struct {
	Row
	number int64
}

// page reads rows until the page is full, or all of them when they have to be
// ordered: no more than two pages are in memory.
func (s *selection) page(ctx context.Context, r Reader, q Query) (Page, error) {
	var found []located
	take := func(records []Record) (full bool, err error) {
		for _, record := range records {
			row, ok, err := s.fits(record)
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
			found = append(found, row)
			if s.order == nil && len(found) > q.Limit {
				return true, nil
			}
			if len(found) > 2*q.Limit+2 {
				found = s.first(found, q.Limit+1)
			}
		}
		return false, nil
	}
	if err := s.read(ctx, r, take); err != nil {
		return Page{}, err
	}
	found = s.first(found, q.Limit+1)
	page := Page{Rows: []Row{}}
	for _, row := range found[:min(len(found), q.Limit)] {
		page.Rows = append(page.Rows, row.Row)
	}
	var err error
	if len(found) > q.Limit {
		page.Next, err = s.next(found[q.Limit-1], q.Order)
	}
	return page, err
}

// read gives every row that may match to take, until that says that it is enough.
func (s *selection) read(ctx context.Context, r Reader, take func([]Record) (full bool, err error)) error {
	if s.only {
		records, err := r.RowsByKey(s.table.Sheet, []string{s.key})
		if err == nil {
			_, err = take(records)
		}
		return err
	}
	after := int64(0)
	if s.order == nil {
		after = s.after.Number
	}
	for {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(fault.Unavailable, err, "the request was cancelled")
		}
		records, err := r.Rows(s.table.Sheet, after, readAtOnce)
		if err != nil {
			return err
		}
		full, err := take(records)
		if err != nil || full || len(records) < readAtOnce {
			return err
		}
		after = records[len(records)-1].Number
	}
}

// fits reports whether a stored row is one of those behind the cursor that match.
func (s *selection) fits(record Record) (located, bool, error) {
	if len(s.plain) > 0 && !bytes.Contains(record.Body, s.plain) {
		return located{}, false, nil
	}
	row, err := s.table.rowOf(record)
	at := located{row, record.Number}
	if err != nil || s.match != nil && !filter.Match(s.match, s.table.subject(row.Values)) {
		return at, false, err
	}
	last := located{Row{Values: map[string]any{}}, s.after.Number}
	if s.order != nil {
		last.Values[s.order.Name] = s.after.cell
	}
	return at, s.after.Number == 0 || s.compare(last, at) < 0, nil
}

// first orders rows and returns the first of them.
func (s *selection) first(rows []located, n int) []located {
	slices.SortFunc(rows, s.compare)
	return rows[:min(len(rows), n)]
}

func (s *selection) compare(a, b located) int {
	if s.order != nil {
		c := filter.Order(s.table.values(a.Values, s.order), s.table.values(b.Values, s.order))
		if s.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(a.number, b.number)
}

// subject is a row as a filter sees it.
func (t *Table) subject(cells map[string]any) filter.Subject {
	return filter.Subject{Get: func(path string) []any {
		name, inside, nested := strings.Cut(path, ".")
		column, err := t.Column(name)
		if err != nil {
			return nil
		}
		if !nested {
			return t.values(cells, column)
		}
		object, _ := cells[column.Name].(map[string]any)
		return flat(object[inside])
	}}
}

// values are those of a cell that a filter compares.
func (t *Table) values(cells map[string]any, c *Column) []any {
	cell := cells[c.Name]
	if text, ok := cell.(string); ok && c.Type == Time {
		if at, ok := filter.ParseTime(text); ok {
			return []any{at}
		}
	}
	return flat(cell)
}

func flat(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}
