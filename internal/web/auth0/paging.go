package auth0

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

const (
	defaultPerPage = 50
	maxPerPage     = 100
	maxResults     = 1000 // that paging by number reaches
)

// What Auth0 says of the parameters of lists, which is part of its errors.
const (
	aboutPage    = "Page index of the results to return. First page is 0."
	aboutPerPage = "Number of results per page. Defaults to 50."
	aboutTotals  = "Return results inside an object that contains the total result count (true) or as a direct array of results (false, default)."
	aboutFrom    = "Optional Id from which to start selection."
	aboutInclude = "Whether specified fields are to be included (true) or excluded (false)."
	aboutFields  = "Comma-separated list of fields to include or exclude (based on value provided for include_fields) in the result. " +
		"Leave empty to retrieve all fields."
)

// listing is how a list is asked for: by page and number, or by checkpoint.
type listing struct {
	page, perPage int
	totals        bool

	byCheckpoint bool
	after        tenant.Mark
}

// style is which sorts of paging a list has, and what is odd about it.
type style struct {
	checkpoints bool // from and take are read
	only        bool // checkpoints are the only way
	unlimited   bool // pages beyond the first 1,000 records are served
	filled      bool // limit is how many there are on the page, not how many were asked for (recorded)
	untold      bool // there is no total (recorded)
	endless     bool // next is there until a page is empty (recorded)
	nextFirst   bool // next comes before the rows (recorded)
	numbered    bool // total, start and limit stand in front of the rows (recorded)
}

// readListing reads the parameters of a list.
func readListing(q url.Values, s style) (l listing, err error) {
	if s.checkpoints || s.only {
		if l.byCheckpoint = s.only || q.Has("take") || q.Has("from"); l.byCheckpoint {
			return l.readCheckpoint(q)
		}
	}
	if l.page, err = queryInt(q, "page", 0, 0, maxInt, aboutPage); err != nil {
		return l, err
	}
	if l.perPage, err = queryInt(q, "per_page", defaultPerPage, 1, maxPerPage, aboutPerPage); err != nil {
		return l, err
	}
	if l.totals, err = queryBool(q, "include_totals", false, aboutTotals); err != nil {
		return l, err
	}
	if !s.unlimited && l.page >= (maxResults+l.perPage-1)/l.perPage {
		return l, &apiError{
			status: http.StatusBadRequest, code: "invalid_paging",
			message: "Requesting page exceeds the allowed maximum of " + strconv.Itoa(maxResults) + " records",
		}
	}
	l.page = min(l.page, maxInt/maxPerPage)
	return l, nil
}

// maxInt bounds what numbers may be where Auth0 sets no bound.
const maxInt = 1<<31 - 1

func (l listing) readCheckpoint(q url.Values) (_ listing, err error) {
	if l.perPage, err = queryInt(q, "take", defaultPerPage, 1, maxPerPage, aboutPerPage); err != nil {
		return l, err
	}
	if from := q.Get("from"); from != "" {
		var ok bool
		if l.after, ok = readMark(from); !ok {
			return l, wrongQuery("Invalid checkpoint", "from", aboutFrom)
		}
	}
	return l, nil
}

// window is the part of the list that is wanted.
func (l listing) window() tenant.Window {
	return tenant.Window{After: l.after, Skip: l.page * l.perPage, Limit: l.perPage, Total: l.totals}
}

// write answers with a part of a list. Lists by page are an array, or an object
// with totals; lists by checkpoint have neither start nor total (recorded).
func (l listing) write(w http.ResponseWriter, s style, key string, rows []web.Object, p rest) error {
	if rows == nil {
		rows = []web.Object{}
	}
	switch {
	case l.byCheckpoint:
		o := web.Object{{Key: key, Value: rows}}
		if p.more || s.endless && len(rows) > 0 {
			o = append(o, web.Field{Key: "next", Value: writeMark(p.last)})
		}
		if s.nextFirst {
			slices.Reverse(o)
		}
		return web.WriteJSON(w, http.StatusOK, o)
	case !l.totals:
		return web.WriteJSON(w, http.StatusOK, rows)
	}
	limit := l.perPage
	if s.filled {
		limit = min(limit, len(rows))
	}
	if s.numbered {
		return web.WriteJSON(w, http.StatusOK, web.Object{
			{Key: "total", Value: p.total}, {Key: "start", Value: l.page * l.perPage}, {Key: "limit", Value: limit}, {Key: key, Value: rows},
		})
	}
	o := web.Object{{Key: key, Value: rows}, {Key: "start", Value: l.page * l.perPage}, {Key: "limit", Value: limit}}
	if !s.untold {
		o = append(o, web.Field{Key: "total", Value: p.total})
	}
	return web.WriteJSON(w, http.StatusOK, o)
}

// rest is what a list says beside its rows.
type rest struct {
	more  bool
	total int
	last  tenant.Mark // of the rows
}

// rowsOf makes the rows of a page.
func rowsOf[T any](p tenant.Page[T], row func(T) web.Object) []web.Object {
	out := make([]web.Object, len(p.Items))
	for i, item := range p.Items {
		out[i] = row(item)
	}
	return out
}

// restOf returns what a list says of a page beside its rows.
func restOf[T any](p tenant.Page[T], mark func(T) tenant.Mark) rest {
	r := rest{more: p.More, total: p.Total}
	if n := len(p.Items); n > 0 && mark != nil {
		r.last = mark(p.Items[n-1])
	}
	return r
}

// markLayout is how checkpoints write times (recorded).
const markLayout = "2006-01-02 15:04:05.000000"

// writeMark is the wire form of a place in a list: "time,id" in base64.
func writeMark(m tenant.Mark) string {
	return base64.RawURLEncoding.EncodeToString([]byte(m.At.UTC().Format(markLayout) + "UTC," + m.ID))
}

func readMark(text string) (tenant.Mark, bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return tenant.Mark{}, false
	}
	at, id, ok := strings.Cut(string(b), "UTC,")
	if !ok || id == "" {
		return tenant.Mark{}, false
	}
	when, err := time.Parse(markLayout, at)
	return tenant.Mark{At: when, ID: id}, err == nil
}

// wrongQuery is the error for a parameter that breaks what is said of it.
func wrongQuery(wrong, name, about string) *apiError {
	m := mistake{wrong, name, about}
	return badQuery(m.String())
}

// badPath is the error for a part of a path that breaks what is said of it.
func badPath(wrong, name, about string) *apiError {
	m := mistake{wrong, name, about}
	return &apiError{status: http.StatusBadRequest, message: "Path validation error: " + m.String(), code: "invalid_uri"}
}

// queryInt reads an integer parameter within bounds; absent is def.
func queryInt(q url.Values, name string, def, low, high int, about string) (int, error) {
	text := q.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, wrongQuery("Expected type integer but found type string", name, about).because(err)
	case n < low:
		return 0, wrongQuery("Value "+text+" is less than minimum "+strconv.Itoa(low), name, about)
	case n > high:
		return 0, wrongQuery("Value "+text+" is greater than maximum "+strconv.Itoa(high), name, about)
	}
	return n, nil
}

// queryBool reads a boolean parameter; absent is def.
func queryBool(q url.Values, name string, def bool, about string) (bool, error) {
	b, err := web.Bool(q, name, def)
	if err != nil {
		return false, wrongQuery("Expected type boolean but found type string", name, about).because(err)
	}
	return b, nil
}

// queryText checks a parameter by what is said of it; absent is "".
func queryText(q url.Values, name string, p property) (string, error) {
	text := q.Get(name)
	if !q.Has(name) {
		return "", nil
	}
	if wrong := p.checkText(text); wrong != "" {
		return "", wrongQuery(wrong, name, p.about)
	}
	return text, nil
}

// projection is which members an answer has.
type projection func(web.Object) web.Object

// readList reads what a list of objects is asked for: which part of it, and which
// members of each.
func readList(q url.Values, s style, names ...string) (listing, projection, error) {
	l, err := readListing(q, s)
	if err != nil {
		return l, nil, err
	}
	show, err := readProjection(q, names...)
	return l, show, err
}

// readProjection reads fields and include_fields. Fields that are not among
// names, when there are any, are refused.
func readProjection(q url.Values, names ...string) (projection, error) {
	include, err := queryBool(q, "include_fields", true, aboutInclude)
	if err != nil {
		return nil, err
	}
	fields := q.Get("fields")
	if fields == "" {
		return func(o web.Object) web.Object { return o }, nil
	}
	wanted := map[string]bool{}
	for _, name := range strings.Split(fields, ",") {
		wanted[name] = true
	}
	if len(names) > 0 {
		one := "((" + strings.Join(names, ")|(") + "))"
		pattern := property{pattern: regexp.MustCompile("^" + one + "(," + one + ")*$"), about: aboutFields}
		if _, err := queryText(q, "fields", pattern); err != nil {
			return nil, err
		}
	}
	return func(o web.Object) web.Object {
		out := make(web.Object, 0, len(o))
		for _, f := range o {
			if wanted[f.Key] == include {
				out = append(out, f)
			}
		}
		return out
	}, nil
}
