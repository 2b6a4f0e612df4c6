package extract

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// clock counts waits instead of waiting.
type clock struct{ waits []time.Duration }

func (c *clock) Now() time.Time { return time.Unix(1_800_000_000, 0) }

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	if d > 0 {
		c.waits = append(c.waits, d)
	}
	return ctx.Err()
}

// api serves a handler behind the connection hr, which has a token.
func api(t testing.TB, handler http.HandlerFunc) (Env, *clock, string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer open sesame" || r.Method != http.MethodGet {
			http.Error(w, "who is that?", http.StatusUnauthorized)
			return
		}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	client := egress.New(egress.Policy{})
	t.Cleanup(client.Close)
	c := &clock{}
	return Env{Clock: c, Connections: connector.New(connector.Options{
		Client: client, Clock: c,
		Secrets: &secret.Resolver{Env: func(name string) (string, bool) { return "open sesame", name == "TOKEN" }},
		Config: &config.Config{Connections: map[string]config.Connection{
			"hr":     {Server: server.URL + "/api", AllowPrivate: true, Auth: config.Auth{Type: config.AuthBearer, Token: "env:TOKEN"}},
			"guards": {Server: server.URL + "/api", Auth: config.Auth{Type: config.AuthBearer, Token: "env:TOKEN"}},
		}},
	})}, c, server.URL + "/api"
}

// list is people that a page is cut out of.
func list(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%d"}`, i)
	}
	return "[" + b.String() + "]"
}

func number(r *http.Request, name string) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil {
		return -1
	}
	return n
}

func TestAPI(t *testing.T) {
	t.Parallel()
	// Five people, two on a page.
	const people = 5
	cut := func(from int) string { return list(min(from, people), min(from+2, people)) }
	tests := []struct {
		name, from string
		answer     http.HandlerFunc
	}{
		{"one page", `items: /data`, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"data":`+list(0, people)+`}`)
		}},
		{"with a byte order mark", `items: /data`, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "\ufeff"+`{"data":`+list(0, people)+`,"error":null,"errors":[]}`)
		}},
		{"compressed, asked for or not", ``, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			fmt.Fprint(packed, list(0, people))
			_ = packed.Close()
		}},
		{"link with an empty page", `pages: link`, func(w http.ResponseWriter, r *http.Request) {
			from := max(number(r, "from"), 0)
			if from < 2*people {
				w.Header().Set("Link", fmt.Sprintf(`<%s?from=%d&active=true>; rel="self", <%s?from=%d&active=true>; rel="next"`, r.URL.Path, from, r.URL.Path, from+people))
			}
			fmt.Fprint(w, map[int]string{0: list(0, 3), people: "[]", 2 * people: list(3, people)}[from])
		}},
		{"link", `pages: link`, func(w http.ResponseWriter, r *http.Request) {
			from := max(number(r, "from"), 0)
			if from+2 < people {
				w.Header().Set("Link", fmt.Sprintf(`<http://other.example%s?from=%d&active=true>; rel="next"`, r.URL.Path, from+2))
			}
			fmt.Fprint(w, cut(from))
		}},
		{"url", `items: "$.value[*]", pages: {by: url, at: /next, total: /count}`, func(w http.ResponseWriter, r *http.Request) {
			from := max(number(r, "from"), 0)
			next := "null"
			if from+2 < people {
				next = fmt.Sprintf(`"?from=%d&active=true"`, from+2)
			}
			fmt.Fprintf(w, `{"value":%s,"next":%s,"count":%d}`, cut(from), next, people)
		}},
		{"cursor", `items: /data, pages: {by: cursor, at: /meta/next, parameter: after}`, func(w http.ResponseWriter, r *http.Request) {
			from := max(number(r, "after"), 0)
			next := `""`
			if from+2 < people {
				next = strconv.Itoa(from + 2)
			}
			fmt.Fprintf(w, `{"data":%s,"meta":{"next":%s}}`, cut(from), next)
		}},
		{"cursor with more", `items: /data, pages: {by: cursor, at: /next, parameter: after, more: /has_more}`, func(w http.ResponseWriter, r *http.Request) {
			from := max(number(r, "after"), 0)
			fmt.Fprintf(w, `{"data":%s,"next":%d,"has_more":%v}`, cut(from), from+2, from+2 < people)
		}},
		{"cursor in a header", `pages: {by: cursor, header: X-Next, parameter: after, totalHeader: X-Total}`, func(w http.ResponseWriter, r *http.Request) {
			from := max(number(r, "after"), 0)
			if from+2 < people {
				w.Header().Set("X-Next", strconv.Itoa(from+2))
			}
			w.Header().Set("X-Total", strconv.Itoa(people))
			fmt.Fprint(w, cut(from))
		}},
		{"number", `pages: {by: number, parameter: page, size: 2, sizeParameter: limit}`, func(w http.ResponseWriter, r *http.Request) {
			if number(r, "limit") != 2 {
				t.Error("the size is not asked for")
			}
			fmt.Fprint(w, cut((number(r, "page")-1)*2))
		}},
		{"number from zero with a total", `items: /data, pages: {by: number, parameter: page, first: 0, total: /total}`, func(w http.ResponseWriter, r *http.Request) {
			if number(r, "page") > 2 {
				t.Error("more is asked for than there is")
			}
			fmt.Fprintf(w, `{"data":%s,"total":%d}`, cut(number(r, "page")*2), people)
		}},
		{"offset, ends short", `pages: {by: offset, parameter: skip, size: 2, ends: short}`, func(w http.ResponseWriter, r *http.Request) {
			if number(r, "skip") > 4 {
				t.Error("more is asked for than there is")
			}
			fmt.Fprint(w, cut(number(r, "skip")))
		}},
		{"offset with more", `items: /data, pages: {by: offset, parameter: skip, first: 1, more: /more}`, func(w http.ResponseWriter, r *http.Request) {
			from := number(r, "skip") - 1
			fmt.Fprintf(w, `{"data":%s,"more":%v}`, cut(from), from+2 < people)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env, _, base := api(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/people" || r.URL.Query().Get("active") != "true" {
					http.Error(w, r.URL.String(), http.StatusNotFound)
					return
				}
				test.answer(w, r)
			})
			r := open(t, env, "", `http: {connection: hr, path: /people, query: {active: "true"}, `+test.from+"}")
			got, _, err := all(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			want(t, got, list(0, people))
			if r.Describe() != "GET "+base+"/people" || r.Identity() != "" {
				t.Errorf("Describe = %s, Identity = %s", r.Describe(), r.Identity())
			}
		})
	}
}

// TestAPIRefuses has lists that must not pass for whole ones.
func TestAPIRefuses(t *testing.T) {
	t.Parallel()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
	}
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
	}
	const nothing = "nothing was taken over; see what the server answers, and read it again"
	for _, test := range []struct {
		name, from string
		answer     http.HandlerFunc
		want       string
	}{
		{"empty", "", text(" \n"), " page 1: the server answered 200 with nothing in it; a list of nobody is written []; " + nothing},
		{"web page", "", text("<!doctype html>"), " page 1: the server answered with a web page instead of JSON; it may be a page to sign in or to say that it is down; check the connection's server, path and credential"},
		{"web page by its type", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "[]")
		}, " page 1: the server answered with a web page instead of JSON; it may be a page to sign in or to say that it is down; check the connection's server, path and credential"},
		{"half a page", "", text(`[{"id":1},`), " page 1: the answer is not JSON: not well-formed JSON; it may have been cut off; read it again"},
		{"no list", "items: /data", text(`{"error":"x"}`), ` page 1: there is no list at "/data" in the answer; correct items`},
		{"an error and nobody", "items: /data", text(`{"data":[],"error":{"code":17}}`), ` page 1: the server answered 200 with no items, and an error at "/error"; ` + nothing},
		{"an error in the middle", "items: /d, pages: {by: number, parameter: n}", func(w http.ResponseWriter, r *http.Request) {
			if number(r, "n") == 3 {
				fmt.Fprint(w, `{"d":[],"errors":["time is up"]}`)
				return
			}
			fmt.Fprintf(w, `{"d":[{"id":%d}]}`, number(r, "n"))
		}, ` page 3: the server answered 200 with no items, and an error at "/errors"; ` + nothing},
		{"pages in a circle", "items: /d, pages: {by: cursor, at: /c, parameter: c}", func(w http.ResponseWriter, r *http.Request) {
			next := (max(number(r, "c"), 0) + 1) % 3
			fmt.Fprintf(w, `{"d":[{"id":%d}],"c":%d}`, max(number(r, "c"), 0), next)
		}, " page 4: the page is the same as page 1; the server does not go on as pages says; correct it"},
		{"an object", "", text(`{"data":[]}`), " page 1: the answer is not a list; say where the list is: items: /data"},
		{"null", "items: /data", text(`{"data":null}`), ` page 1: there is no list at "/data" in the answer; correct items`},
		{"no objects", "", text(`[1]`), "items[0] of page 1: this is not an object; check items: each of them must be a person"},
		{"no answer", "", status(http.StatusNoContent), " page 1: the server answered 204 No Content; only 200 is a page of a list"},
		{"redirect", "", status(http.StatusFound), " page 1: the server answered 302 Found; redirects are not followed: name the address that it leads to"},
		{"forbidden", "", status(http.StatusForbidden), " page 1: the server answered 403 Forbidden; check what the connection's credential may do"},
		{"not found", "", status(http.StatusNotFound), " page 1: the server answered 404 Not Found; check path, and the connection's server"},
		{"wrong query", "", status(http.StatusBadRequest), " page 1: the server answered 400 Bad Request; check path, query and pages"},
		{"down", "", status(http.StatusBadGateway), " page 1: the server answered 502 Bad Gateway; nothing was taken over; read it again"},
		{"too fast", "", status(http.StatusTooManyRequests), " page 1: the server answered 429 Too Many Requests; set limits in the connection, or read it later"},
		{"fewer than promised", "items: /data, pages: {by: offset, parameter: o, total: /total}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"data":%s,"total":4}`, list(min(number(r, "o"), 3), min(number(r, "o")+2, 3)))
		}, " page 3: the server promised 4 items and gave 3; " + nothing},
		{"fewer than promised on one page", "items: /data, pages: {by: url, at: /next, total: /total}", text(`{"data":[{}],"total":2}`), " page 1: the server promised 2 items and gave 1; " + nothing},
		{"fewer while it is read", "items: /data, pages: {by: offset, parameter: o, total: /total}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"data":%s,"total":%d}`, list(number(r, "o"), number(r, "o")+2), 6-number(r, "o")/2)
		}, " page 2: the list lost items while it was read: there were 6, then 5; nothing was taken over; read it again, when nobody changes it, or by link or cursor"},
		{"no total", "items: /data, pages: {by: offset, parameter: o, total: /total}", text(`{"data":[]}`), " page 1: the answer does not say how many items there are; correct total"},
		{"the same page again", "pages: {by: number, parameter: page}", text(`[{"id":1}]`), " page 2: the page is the same as page 1; the server does not go on as pages says; correct it"},
		{"the same cursor again", "items: /d, pages: {by: cursor, at: /c, parameter: c}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"d":[{"id":%q}],"c":"x"}`, r.URL.RawQuery)
		}, " page 2: the next page is asked for like this one; the server does not go on as pages says; correct it"},
		{"another path", "pages: link", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `</api/secrets?x=1>; rel=next`)
			fmt.Fprint(w, `[]`)
		}, " page 1: the next page is at another path, which is not followed; it has to differ from /people in its query only"},
		{"no way on", "items: /d, pages: {by: url, at: /n}", text(`{"d":[],"n":{"a":1}}`), ` page 1: what is at "/n" does not lead to another page; correct at`},
		{"more without a cursor", "items: /d, pages: {by: cursor, at: /n, parameter: n, more: /m}", text(`{"d":[],"m":true}`), " page 1: the server says that there is more, and not how to ask for it; " + nothing},
		{"more and nothing", "items: /d, pages: {by: number, parameter: n, more: /m}", text(`{"d":[],"m":true}`), " page 1: the server says that there is more, and gives an empty page; " + nothing},
		{"no more", "items: /d, pages: {by: number, parameter: n, more: /m}", text(`{"d":[],"m":1}`), ` page 1: there is neither true nor false at "/m" in the answer; correct more`},
		{"no end", "pages: {by: number, parameter: n, most: 3}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, list(number(r, "n"), number(r, "n")+1))
		}, ": the list has more than 3 pages; raise most under pages, if the list is really that long; it may be one that has no end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env, _, base := api(t, test.answer)
			from := "http: {connection: hr, path: /people"
			if test.from != "" {
				from += ", " + test.from
			}
			_, _, err := all(t.Context(), open(t, env, "", from+"}"))
			expected := test.want
			if expected[0] == ' ' || expected[0] == ':' {
				expected = "GET " + base + "/people" + expected
			}
			wantFault(t, err, expected)
		})
	}
}

// TestAPIMends has failures that pass: the list is read as if there had been
// none.
func TestAPIMends(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			failures := map[int]int{}
			env, c, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
				page := number(r, "page")
				if failures[page]++; failures[page] < 3 {
					if status == 0 { // the connection breaks in the middle of the page
						w.Header().Set("Content-Length", "100")
						fmt.Fprint(w, `[{"id":`)
						panic(http.ErrAbortHandler)
					}
					if status == http.StatusTooManyRequests {
						w.Header().Set("Retry-After", "7")
					}
					w.WriteHeader(status)
					return
				}
				fmt.Fprint(w, list(min(page, 2), min(page+1, 2)))
			})
			got, _, err := all(t.Context(), open(t, env, "", "http: {connection: hr, path: /people, pages: {by: number, parameter: page, first: 0}}"))
			if err != nil {
				t.Fatal(err)
			}
			want(t, got, list(0, 2))
			pauses := []time.Duration{time.Second, 4 * time.Second}
			if status == http.StatusTooManyRequests {
				pauses = []time.Duration{7 * time.Second, 7 * time.Second}
			}
			if len(c.waits) < 2 || !cmp.Equal(pauses, c.waits[:2]) {
				t.Errorf("it waited %v", c.waits)
			}
		})
	}
}

// A server that is not there is told soon, with its address and its connection; one
// that goes away in the middle of a list is waited for.
func TestAPIUnreached(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c := &clock{}
	env := Env{Clock: c, Log: slog.New(slog.NewTextHandler(&log, nil))}
	gone := httptest.NewServer(nil)
	gone.Close()
	client := egress.New(egress.Policy{})
	t.Cleanup(client.Close)
	reads := func(server string) Reader {
		env.Connections = connector.New(connector.Options{Client: client, Clock: c, Config: &config.Config{Connections: map[string]config.Connection{
			"hr": {Server: server, AllowPrivate: true, Auth: config.Auth{Type: config.AuthNone}},
		}}})
		return open(t, env, "", "http: {connection: hr, path: /people, pages: {by: number, parameter: page}}")
	}
	_, _, err := all(t.Context(), reads(gone.URL))
	host := strings.TrimPrefix(gone.URL, "http://")
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), host+" refuses the connection") || !strings.Contains(err.Error(), "the connection hr") {
		t.Errorf("%v", err)
	}
	if !cmp.Equal(c.waits, []time.Duration{time.Second}) || !strings.Contains(log.String(), host) {
		t.Errorf("it waited %v, and told %q", c.waits, log.String())
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, list(0, 1)) }))
	t.Cleanup(server.Close)
	c.waits = nil
	n := 0
	for _, err = range reads(server.URL).Rows(t.Context()) {
		if n++; n == 1 {
			server.CloseClientConnections()
			server.Close()
		}
	}
	if !fault.Is(err, fault.Unavailable) || !cmp.Equal(c.waits, []time.Duration{time.Second, 4 * time.Second, 16 * time.Second}) {
		t.Errorf("in the middle: %v after %v", err, c.waits)
	}
}

func TestAPIStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	env, _, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
		if number(r, "page") == 2 {
			cancel()
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, list(0, 1))
	})
	r := open(t, env, "", "http: {connection: hr, path: /people, pages: {by: number, parameter: page}}")
	got, _, err := all(ctx, r)
	if len(got) != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%v after %d rows", err, len(got))
	}
	for range r.Rows(t.Context()) {
		break // and asks for no second page
	}
}

func TestAPIConnections(t *testing.T) {
	t.Parallel()
	env, _, _ := api(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") })
	_, err := tryOpen(t, env, "", "http: {connection: nobody, path: /people}")
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("a connection that is not there: %v", err)
	}
	// The guard of addresses is that of every connection.
	_, _, err = all(t.Context(), open(t, env, "", "http: {connection: guards, path: /people}"))
	if !fault.Is(err, fault.Refused) {
		t.Errorf("a private address: %v", err)
	}
	if _, err := tryOpen(t, Env{}, "", "http: {connection: hr, path: /people}"); err == nil {
		t.Error("without connections an API can be read")
	}
	from, err := parse("", "http: {connection: hr, path: /people}")
	if err != nil || from.Connection() != "hr" || from.Kind() != KindHTTP || from.Table() != "" {
		t.Errorf("%+v, %v", from, err)
	}
}

// TestAPIMemory reads many pages.
func TestAPIMemory(t *testing.T) {
	const onPage = 500
	rows := size(t, 20_000)
	env, _, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
		from := number(r, "skip")
		var b strings.Builder
		for i := from; i < min(from+onPage, rows); i++ {
			if i > from {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":"%d","name":{"givenName":"Ada","familyName":"Byron %d"},"department":"Engineering and more"}`, i, i)
		}
		fmt.Fprintf(w, `{"data":[%s],"total":%d}`, b.String(), rows)
	})
	r := open(t, env, "", "http: {connection: hr, path: /people, items: /data, pages: {by: offset, parameter: skip, total: /total}}")
	n, grown := heapWhile(t, r, max(rows/16, 1))
	if n != rows || grown > 6<<20 {
		t.Errorf("%d of %d rows, the heap grew by %d KB", n, rows, grown>>10)
	}
}

func TestSCIM(t *testing.T) {
	t.Parallel()
	const users = 5
	for _, test := range []struct {
		name, from string
		answer     http.HandlerFunc
	}{
		{"index", "", func(w http.ResponseWriter, r *http.Request) {
			from := number(r, "startIndex") - 1
			if number(r, "count") != 100 {
				t.Errorf("asked for %s", r.URL)
			}
			fmt.Fprintf(w, `{"totalResults":%d,"Resources":%s}`, users, list(from, min(from+2, users)))
		}},
		{"cursor", ", paging: cursor, size: 2", func(w http.ResponseWriter, r *http.Request) {
			if !r.URL.Query().Has("cursor") || number(r, "count") != 2 {
				t.Errorf("asked for %s", r.URL)
			}
			from := max(number(r, "cursor"), 0)
			next := ""
			if from+2 < users {
				next = fmt.Sprintf(`,"nextCursor":"%d"`, from+2)
			}
			fmt.Fprintf(w, `{"Resources":%s%s}`, list(from, min(from+2, users)), next)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env, _, base := api(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/Users" || r.URL.Query().Get("filter") != `active eq true` || r.URL.Query().Get("attributes") != "id,userName" {
					t.Errorf("asked for %s", r.URL)
				}
				w.Header().Set("Content-Type", "application/scim+json")
				test.answer(w, r)
			})
			r := open(t, env, "", "scim: {connection: hr, filter: active eq true, attributes: [id, userName]"+test.from+"}")
			got, _, err := all(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			want(t, got, list(0, users))
			if r.Describe() != "GET "+base+"/Users" {
				t.Errorf("Describe = %s", r.Describe())
			}
		})
	}
}

func TestSCIMTotals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ answer, from, want string }{
		{`{"totalResults":0}`, "", ""},
		{`{"totalResults":0}`, ", paging: cursor", ""},
		{`{}`, ", paging: cursor", ""},
		{`{"totalResults":3}`, "", `there is no list at "/Resources" in the answer`},
		{`{"totalResults":3,"Resources":[]}`, "", "the server promised 3 items and gave 0"},
		{`{"totalResults":3,"Resources":[{"id":"1"}]}`, ", paging: cursor", "the server promised 3 items and gave 1"},
		{`{"Resources":[]}`, "", "the answer does not say how many items there are"},
	} {
		env, _, _ := api(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, test.answer) })
		_, _, err := all(t.Context(), open(t, env, "", "scim: {connection: hr"+test.from+"}"))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s ends with %v, want %s", test.answer, err, test.want)
		}
	}
}

func TestFlattenSCIM(t *testing.T) {
	t.Parallel()
	user := decode(t, `{
		"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
		"id": "2819c223", "externalId": "701984", "userName": "ada", "active": true,
		"name": {"givenName": "Ada", "familyName": "Byron"},
		"emails": [{"value": "ada@home.example", "type": "home"}, {"value": "ada@work.example", "type": "work", "primary": true}, {"value": "b@work.example", "type": "work"}],
		"phoneNumbers": [{"value": "1", "type": "mobile"}, {"value": "2", "type": "work"}],
		"addresses": [{"type": "work", "locality": "London", "primary": true}],
		"groups": [{"value": "g1", "display": "A"}, {"value": "g2", "display": "B"}],
		"tags": ["x", "y"], "entitlements": [],
		"meta": {"lastModified": "2026-01-01T00:00:00Z"},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D", "manager": {"value": "26118915"}},
		"urn:example:2.0:User": {"badge": 7}
	}`).(map[string]any)
	want := decode(t, `{
		"id": "2819c223", "externalId": "701984", "userName": "ada", "active": true, "name.givenName": "Ada", "name.familyName": "Byron",
		"emails": "ada@work.example", "emails.home": "ada@home.example", "emails.work": "ada@work.example",
		"phoneNumbers": "1", "phoneNumbers.mobile": "1", "phoneNumbers.work": "2", "addresses.work.locality": "London",
		"groups": ["g1", "g2"], "tags": ["x", "y"], "meta.lastModified": "2026-01-01T00:00:00Z",
		"enterprise.department": "R&D", "enterprise.manager.value": "26118915", "urn:example:2.0:User.badge": 7
	}`)
	if diff := cmp.Diff(want, any(flattenSCIM(user))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	bare := map[string]any{"emails": []any{map[string]any{"value": "a@x"}, map[string]any{"value": "b@x"}}, "phoneNumbers": []any{map[string]any{"value": "1"}}}
	if diff := cmp.Diff(map[string]any{"emails": "a@x", "phoneNumbers": "1"}, flattenSCIM(bare)); diff != "" {
		t.Errorf("without types (-want +got):\n%s", diff)
	}
}
