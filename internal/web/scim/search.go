package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/scim"
)

// search is what a list request asks for, in the query or in a SearchRequest
// (RFC 7644 3.4.2 and 3.4.3, RFC 9865 2).
type search struct {
	filter     *string // nil: all
	sortBy     string
	descending bool
	startIndex *int
	count      *int
	cursor     *string // nil: paging by index
	projection scim.Projection
}

// readQuery reads the parameters of a list. Unknown ones are ignored.
func readQuery(q url.Values) (s search, err error) {
	text := func(name string) *string {
		if !q.Has(name) {
			return nil
		}
		v := q.Get(name)
		return &v
	}
	number := func(name string) *int {
		v := text(name)
		if v == nil || err != nil {
			return nil
		}
		n, bad := strconv.Atoi(*v)
		if bad != nil {
			err = notInteger(name)
		}
		return &n
	}
	s.filter, s.cursor = text("filter"), text("cursor")
	s.sortBy = q.Get("sortBy")
	s.startIndex, s.count = number("startIndex"), number("count")
	if err == nil {
		s.descending, err = isDescending(q.Get("sortOrder"))
	}
	if err == nil {
		s.projection, err = projection(q)
	}
	return s, err
}

// readSearchRequest reads the body of a search.
func readSearchRequest(body map[string]any) (s search, err error) {
	if err := checkMessage(body, scim.SearchMessage); err != nil {
		return s, err
	}
	m := message{body: body}
	s.filter, s.cursor = m.text("filter"), m.text("cursor")
	if by := m.text("sortBy"); by != nil {
		s.sortBy = *by
	}
	s.startIndex, s.count = m.number("startIndex"), m.number("count")
	attributes, excluded := m.texts("attributes"), m.texts("excludedAttributes")
	order := m.text("sortOrder")
	if m.err != nil {
		return s, m.err
	}
	if order != nil {
		if s.descending, err = isDescending(*order); err != nil {
			return s, err
		}
	}
	s.projection, err = scim.ParseProjection(attributes, excluded)
	return s, err
}

// message reads the members of a message until one is wrong.
type message struct {
	body map[string]any
	err  error
}

func (m *message) text(name string) *string {
	v, ok := member(m.body, name)
	if !ok || m.err != nil {
		return nil
	}
	text, isText := v.(string)
	if !isText {
		m.err = scim.Fail(scim.InvalidValue, "%s must be text", name)
	}
	return &text
}

func (m *message) number(name string) *int {
	v, ok := member(m.body, name)
	if !ok || m.err != nil {
		return nil
	}
	number, _ := v.(json.Number)
	n, err := strconv.Atoi(number.String())
	if err != nil {
		m.err = notInteger(name)
	}
	return &n
}

// texts reads a list of texts, or one text with commas between.
func (m *message) texts(name string) (out []string) {
	v, ok := member(m.body, name)
	if !ok || m.err != nil {
		return nil
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, item := range list {
		text, isText := item.(string)
		if !isText {
			m.err = scim.Fail(scim.InvalidValue, "%s must be a list of texts", name)
			return nil
		}
		out = append(out, text)
	}
	return out
}

func notInteger(name string) error {
	return scim.Fail(scim.InvalidValue, "%s must be an integer", name)
}

func isDescending(order string) (bool, error) {
	switch strings.ToLower(order) {
	case "", "ascending":
		return false, nil
	case "descending":
		return true, nil
	}
	return false, scim.Fail(scim.InvalidValue, "sortOrder must be ascending or descending")
}

func (c *call) list(typ *scim.ResourceType) error {
	s, err := readQuery(c.values)
	if err != nil {
		return err
	}
	return c.findIn(typ, s)
}

func (c *call) searchType(typ *scim.ResourceType) error {
	s, err := c.searchBody()
	if err != nil {
		return err
	}
	return c.findIn(typ, s)
}

func (c *call) listAll() error {
	s, err := readQuery(c.values)
	if err != nil {
		return err
	}
	return c.findAll(s)
}

func (c *call) searchAll() error {
	s, err := c.searchBody()
	if err != nil {
		return err
	}
	return c.findAll(s)
}

func (c *call) searchBody() (search, error) {
	body, err := c.readBody()
	if err != nil {
		return search{}, err
	}
	return readSearchRequest(body)
}

// findIn answers what a search finds among the resources of one type.
func (c *call) findIn(typ *scim.ResourceType, s search) error {
	if err := c.endpoint.Allow(http.MethodGet, typ); err != nil {
		return err
	}
	q, err := c.query(s)
	if err != nil {
		return err
	}
	e, err := c.parseFilter(s.filter)
	if err != nil {
		return err
	}
	if e != nil {
		if q.Filter, err = typ.Compile(e); err != nil {
			return err
		}
	}
	if s.sortBy != "" {
		if err := typ.Sortable(s.sortBy); err != nil {
			return err
		}
	}
	p, err := c.paging(s, typ.Name)
	if err != nil {
		return err
	}
	q.Count = p.count
	if p.cursor != nil {
		q.Cursor, q.StartIndex = &p.inner, 0
	}
	page, err := c.endpoint.List(c.r.Context(), typ, q)
	if err != nil {
		return err
	}
	if page.Next, err = p.seal(page.Next); err != nil {
		return err
	}
	if page.Previous, err = p.seal(page.Previous); err != nil {
		return err
	}
	for i, r := range page.Resources {
		c.locate(typ, r)
		page.Resources[i] = typ.Project(r, s.projection)
	}
	if p.cursor == nil {
		page.StartIndex = q.StartIndex
	}
	return c.answer(http.StatusOK, page.Body())
}

// query is what every type is asked. A startIndex below 1 means 1 (RFC 7644
// 3.4.2.4).
func (c *call) query(s search) (scim.Query, error) {
	q := scim.Query{SortBy: s.sortBy, Descending: s.descending, StartIndex: 1, Projection: s.projection}
	if s.startIndex != nil {
		if s.cursor != nil && c.config.Features.Cursor {
			return q, scim.Fail(scim.InvalidValue, "startIndex and cursor exclude each other")
		}
		q.StartIndex = max(1, *s.startIndex)
	}
	return q, nil
}

// parseFilter reads a filter, nil for none. One that is empty is refused like any
// other that is wrong: without it the whole directory would be answered.
func (c *call) parseFilter(text *string) (filter.Expr, error) {
	if text == nil {
		return nil, nil
	}
	e, notes, err := scim.ParseFilter(*text, c.config.Leniency)
	for _, n := range notes {
		c.note(n)
	}
	return e, err
}

// part is one of the types that a search over all of them asks.
type part struct {
	typ    *scim.ResourceType
	match  *scim.Filter
	sorted bool // the type has what is sorted by
}

// findAll answers what a search finds among all resources, type by type: first
// all users, then all groups. Sorting orders within a type.
func (c *call) findAll(s search) error {
	q, err := c.query(s)
	if err != nil {
		return err
	}
	e, err := c.parseFilter(s.filter)
	if err != nil {
		return err
	}
	parts, err := c.parts(e, s.sortBy)
	if err != nil {
		return err
	}
	p, err := c.paging(s, "")
	if err != nil {
		return err
	}
	if p.cursor != nil {
		if q.StartIndex, err = p.offset(); err != nil {
			return err
		}
	}
	if s.sortBy != "" && len(parts) > 1 {
		c.note("resources of different types were sorted within their type")
	}
	page := scim.Page{StartIndex: q.StartIndex}
	skip := q.StartIndex - 1
	for _, part := range parts {
		q.Filter, q.StartIndex, q.Count = part.match, skip+1, p.count-len(page.Resources)
		if q.SortBy = ""; part.sorted {
			q.SortBy = s.sortBy
		}
		found, err := c.endpoint.List(c.r.Context(), part.typ, q)
		if err != nil {
			return err
		}
		page.Total += found.Total
		skip = max(0, skip-found.Total)
		for _, r := range found.Resources {
			c.locate(part.typ, r)
			page.Resources = append(page.Resources, part.typ.Project(r, s.projection))
		}
	}
	if p.cursor != nil {
		if err := p.sealOffsets(&page); err != nil {
			return err
		}
	}
	return c.answer(http.StatusOK, page.Body())
}

// parts returns the types that can have a match and that the token may read. A
// filter on an attribute that a type does not have matches nothing there; one
// that no type can evaluate is refused.
func (c *call) parts(e filter.Expr, sortBy string) ([]part, error) {
	var parts []part
	var refused, denied error
	sortable := 0
	for _, typ := range c.endpoint.Types().All() {
		if err := c.endpoint.Allow(http.MethodGet, typ); err != nil {
			denied = err
			continue
		}
		p := part{typ: typ}
		if e != nil {
			var err error
			if p.match, err = typ.Compile(e); err != nil {
				refused = err
				continue
			}
		}
		if p.sorted = sortBy != "" && typ.Sortable(sortBy) == nil; p.sorted {
			sortable++
		}
		parts = append(parts, p)
	}
	switch {
	case len(parts) == 0 && refused != nil:
		return nil, refused
	case len(parts) == 0 && denied != nil:
		return nil, denied
	case sortBy != "" && len(parts) > 0 && sortable == 0:
		return nil, parts[0].typ.Sortable(sortBy)
	}
	return parts, nil
}
