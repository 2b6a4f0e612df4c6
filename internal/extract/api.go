package extract

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// apiOrigin is a list behind an HTTP API.
type apiOrigin struct {
	connection string
	path       string // escaped, below the connection's server
	query      map[string]string
	headers    map[string]string
	items      value.Pointer
	pages      pages

	// noneIsEmpty lets the list be absent where the total is zero, as SCIM does.
	noneIsEmpty bool
	shape       func(item map[string]any) map[string]any // nil: as it is
}

// http reads http.
func (s *section) http(n *yaml.Node) origin {
	o := &apiOrigin{pages: pages{most: defaultMostPages}}
	written := s.Mapping(n, "http", map[string]strict.Field{
		"connection": s.Text(&o.connection),
		"path":       s.urlPath(&o.path),
		"query":      s.scalars(&o.query),
		"headers":    s.headers(&o.headers),
		"items":      s.pointer(&o.items),
		"pages":      func(n *yaml.Node) { s.pages(n, &o.pages) },
	})
	s.required(n, "http", written, "connection", "path")
	return o
}

// urlPath reads a path below a connection's server.
func (s *section) urlPath(into *string) strict.Field {
	return func(n *yaml.Node) {
		u, err := url.Parse(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || !strings.HasPrefix(n.Value, "/") || strings.HasPrefix(n.Value, "//") || u.RawQuery != "" || u.Fragment != "" {
			s.Wrong(n, "write it as /v1/people, below the connection's server; parameters go under query", "this is not the path of a URL")
			return
		}
		*into = u.EscapedPath()
	}
}

// headers reads header fields. Credentials belong to the connection.
func (s *section) headers(into *map[string]string) strict.Field {
	return func(n *yaml.Node) {
		s.scalars(into)(n)
		for name := range *into {
			switch http.CanonicalHeaderKey(name) {
			case "Authorization", "Cookie", "Proxy-Authorization":
				s.Wrong(n, "put the credential in the connection", "the header %s must not stand in a source", name)
			}
		}
	}
}

func (o *apiOrigin) open(ctx context.Context, env Env) (Reader, error) {
	if env.Connections == nil {
		return nil, fault.New(fault.Internal, "there are no connections here")
	}
	conn, err := env.Connections.BindNamed(o.connection, env.Bindings)
	if err != nil {
		return nil, err
	}
	if err := env.Connections.Open(ctx, conn); err != nil {
		return nil, err
	}
	return &apiReader{apiOrigin: o, env: env, conn: conn}, nil
}

// apiReader reads a list page by page.
type apiReader struct {
	*apiOrigin
	env  Env
	conn *connector.Connection
}

// Describe implements Reader.
func (a *apiReader) Describe() string { return "GET " + a.conn.Server + a.path }

// Identity implements Reader: an API tells nothing.
func (a *apiReader) Identity() string { return "" }

// Rows implements Reader.
func (a *apiReader) Rows(ctx context.Context) iter.Seq2[Located, error] {
	return rows(func(yield func(Located) bool) error {
		w := &walk{apiReader: a, query: a.firstQuery(), seen: map[[sha256.Size]byte]int{}}
		for {
			more, err := w.page(ctx, yield)
			if err != nil || !more {
				return err
			}
		}
	})
}

// firstQuery is the query of the first page.
func (a *apiReader) firstQuery() string {
	values := url.Values{}
	for name, v := range a.query {
		values.Set(name, v)
	}
	if a.pages.sizeParameter != "" {
		values.Set(a.pages.sizeParameter, strconv.Itoa(a.pages.size))
	}
	if a.pages.counts() {
		values.Set(a.pages.parameter, strconv.Itoa(a.pages.first))
	}
	return values.Encode()
}

// walk is a list that is being read.
type walk struct {
	*apiReader
	query  string
	number int // of the page, from 1
	read   int // items up to now
	// promised is what the page before said of the number of items.
	promised int
	seen     map[[sha256.Size]byte]int
}

// answer is a page.
type answer struct {
	header http.Header
	body   any
	items  []any
}

func (w *walk) place() string { return w.Describe() + " page " + strconv.Itoa(w.number) }

func (w *walk) wrong(format string, args ...any) *fault.Error {
	return fault.New(fault.Unavailable, format, args...).At("%s", w.place()).Fix("nothing was taken over; see what the server answers, and read it again")
}

// page reads a page and gives its items. It reports whether there is another
// one to be read.
func (w *walk) page(ctx context.Context, yield func(Located) bool) (more bool, err error) {
	w.number++
	if w.number > w.pages.most {
		return false, fault.New(fault.TooLarge, "the list has more than %d pages", w.pages.most).At("%s", w.Describe()).
			Fix("raise most under pages, if the list is really that long; it may be one that has no end")
	}
	a, err := w.fetch(ctx)
	if err != nil {
		return false, err
	}
	if err := w.repeated(a.items); err != nil {
		return false, err
	}
	for i, item := range a.items {
		place := "items[" + strconv.Itoa(i) + "] of page " + strconv.Itoa(w.number)
		row, ok := item.(map[string]any)
		if !ok {
			return false, fault.New(fault.Invalid, "this is not an object").At("%s", place).Fix("check items: each of them must be a person")
		}
		if w.shape != nil {
			row = w.shape(row)
		}
		if !yield(Located{Place: place, Row: reconcile.Row(row)}) {
			return false, nil
		}
	}
	w.read += len(a.items)
	return w.next(a)
}

// repeated refuses a page with the same people as an earlier one: the server
// does not understand how it is asked for the next.
func (w *walk) repeated(items []any) error {
	if len(items) == 0 {
		return nil
	}
	text, err := value.Encode(items)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	if first, twice := w.seen[sum]; twice {
		return w.wrong("the page is the same as page %d", first).Fix("the server does not go on as pages says; correct it")
	}
	w.seen[sum] = w.number
	return nil
}

// fetch gets a page. It asks again for one that fails in a way that may pass.
func (w *walk) fetch(ctx context.Context) (*answer, error) {
	const tries = 4
	for try := 1; ; try++ {
		x := w.env.Connections.Do(ctx, w.conn, w.call())
		if ctx.Err() != nil {
			return nil, broken(ctx, x.Err, "the list").At("%s", w.place())
		}
		pause, passes := w.mayPass(x, try)
		if !passes || try == tries || try == 2 && w.number == 1 && unreached(x.Err) {
			return w.judge(x)
		}
		w.env.again(ctx, w.place(), pause, why(x))
		if err := w.env.wait(ctx, pause); err != nil {
			return nil, broken(ctx, err, "the list").At("%s", w.place())
		}
	}
}

// why says in short why a request is made again.
func why(x connector.Exchange) string {
	if x.Err != nil {
		return fault.Public(x.Err)
	}
	return "it answered " + strconv.Itoa(x.Response.Status)
}

func (w *walk) call() connector.Call {
	header := http.Header{}
	for name, v := range w.headers {
		header.Set(name, v)
	}
	return connector.Call{
		Operation: &openapi.Operation{Method: http.MethodGet, Path: w.path},
		Request:   &openapi.Request{Method: http.MethodGet, Path: w.path, Query: w.query, Header: header},
	}
}

// mayPass reports whether a failure may be gone after a while: the one that the
// server asks for, else one that grows. What a connection with limits has waited
// for already is waited for again, a few times.
func (w *walk) mayPass(x connector.Exchange, try int) (pause time.Duration, passes bool) {
	const first, longest, patience = time.Second, 30 * time.Second, 2 * time.Minute
	pause = min(first<<(2*(try-1)), longest) // 1 s, 4 s, 16 s
	if x.Err != nil {
		return pause, fault.Is(x.Err, fault.Unavailable) || fault.Is(x.Err, fault.Timeout)
	}
	switch x.Response.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if asked, ok := connector.RetryAfter(x.Response.Header, w.env.now()); ok {
			return asked, asked <= patience
		}
		return pause, true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return pause, true
	}
	return 0, false
}

// judge turns an exchange into a page, or says what is wrong with it.
func (w *walk) judge(x connector.Exchange) (*answer, error) {
	if x.Err != nil {
		return nil, w.unanswered(x.Err)
	}
	res := x.Response
	if res.Status != http.StatusOK {
		return nil, w.refused(x)
	}
	body := bytes.TrimSpace(bytes.TrimPrefix(res.Body, []byte(byteOrderMark)))
	switch {
	case len(body) == 0:
		return nil, w.wrong("the server answered 200 with nothing in it; a list of nobody is written []")
	case body[0] == '<' || strings.Contains(strings.ToLower(res.Header.Get("Content-Type")), "html"):
		return nil, w.wrong("the server answered with a web page instead of JSON").Fix("it may be a page to sign in or to say that it is down; check the connection's server, path and credential")
	}
	v, err := value.DecodeExact(body)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the answer is not JSON: %s", fault.Public(err)).At("%s", w.place()).
			Fix("it may have been cut off; read it again")
	}
	return w.list(res.Header, v)
}

// unanswered words why there is no answer.
func (w *walk) unanswered(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		f = fault.Wrap(fault.Unavailable, err, "the server did not answer").Fix("nothing was taken over; read it again")
	}
	if unreached(err) {
		f = f.Fix("%s; it is the server of the connection %s", cmp.Or(f.Remedy, "check the network"), w.connection)
	}
	return f.At("%s", w.place())
}

// refused words an answer that is no page.
func (w *walk) refused(x connector.Exchange) error {
	var f *fault.Error
	if errors.As(x.Denied, &f) {
		return f.At("%s", w.place())
	}
	status := x.Response.Status
	kind, remedy := fault.Unavailable, "nothing was taken over; read it again"
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		kind, remedy = fault.Forbidden, "check what the connection's credential may do"
	case status == http.StatusNotFound:
		kind, remedy = fault.NotFound, "check path, and the connection's server"
	case status == http.StatusTooManyRequests:
		kind, remedy = fault.RateLimited, "set limits in the connection, or read it later"
	case status/100 == 3:
		kind, remedy = fault.Invalid, "redirects are not followed: name the address that it leads to"
	case status/100 == 4:
		kind, remedy = fault.Invalid, "check path, query and pages"
	case status/100 == 2:
		remedy = "only 200 is a page of a list"
	}
	return fault.New(kind, "the server answered %d %s", status, http.StatusText(status)).At("%s", w.place()).Fix("%s", remedy)
}

// list finds the items of a page.
func (w *walk) list(header http.Header, body any) (*answer, error) {
	a := &answer{header: header, body: body}
	v, found := w.items.Get(body)
	list, ok := v.([]any)
	if !ok {
		total, known := w.total(a)
		if !found && w.noneIsEmpty && (known && total == w.read || !known && w.pages.totalOptional) {
			return a, nil
		}
		if len(w.items) == 0 {
			return nil, w.wrong("the answer is not a list").Fix("say where the list is: items: /data")
		}
		return nil, w.wrong("there is no list at %q in the answer", w.items.String()).Fix("correct items")
	}
	if name := saysError(body); len(list) == 0 && name != "" {
		return nil, w.wrong("the server answered 200 with no items, and an error at %q", name)
	}
	a.items = list
	return a, nil
}

// byteOrderMark is what some servers write in front of JSON, and readers may pass
// over (RFC 8259 8.1).
const byteOrderMark = "\ufeff"

// saysError returns the member of a body that tells of an error, where there is one:
// a page without items beside it is no end of a list.
func saysError(body any) string {
	object, _ := body.(map[string]any)
	for _, name := range []string{"error", "errors"} {
		said := false
		switch v := object[name].(type) {
		case bool:
			said = v
		case string:
			said = v != ""
		case []any:
			said = len(v) > 0
		case map[string]any:
			said = len(v) > 0
		}
		if said {
			return "/" + name
		}
	}
	return ""
}
