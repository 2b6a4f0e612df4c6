package webtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pets(t *testing.T, list ...*known) *Checker {
	t.Helper()
	text, err := os.ReadFile("testdata/pets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDocument("pets", text)
	if err != nil {
		t.Fatal(err)
	}
	return newChecker([]*document{d}, list)
}

func TestCheck(t *testing.T) {
	c := pets(t)
	for _, test := range []struct {
		name   string
		call   string
		status int
		body   string
		want   []string
	}{
		{"right", "GET /pets/1", 200, `{"kind":"cat","lives":7,"name":null,"other":1}`, nil},
		{"a list", "GET /pets", 200, `[{"kind":"cat","lives":7},{"kind":"cat"}]`,
			[]string{`listPets 200 at "/1": missing property 'lives'`}},
		{"HEAD is GET without a body", "HEAD /pets", 200, "", nil},
		{"no body", "GET /pets/1", 200, "", []string{`getPet 200 at "": there is no body, application/json is declared`}},
		{"a body too much", "DELETE /pets/1", 204, "{}", []string{`deletePet 204 at "": there is a body, none is declared`}},
		{"not JSON", "GET /pets/1", 200, "<p>", []string{`getPet 200 at "": the body is not JSON: not well-formed JSON: invalid character '<' looking for beginning of value`}},

		{"a class of statuses", "GET /pets", 404, `{"errorCode":1}`, []string{`listPets 404 at "/errorCode": got number, want string`}},
		{"an error that is not declared", "GET /pets/1", 404, `{"errorCode":1}`, []string{
			`getPet 404 at "": the status is not declared, only 200`, `getPet 404 at "/errorCode": got number, want string`,
		}},
		{"a success that is not declared", "POST /pets", 201, `{"kind":"cat"}`, []string{
			`createPet 201 at "": the status is not declared, only 200`, `createPet 201 at "": missing property 'lives'`,
		}},
		{"an unknown path", "GET /cars", 404, `{"errorCode":"E0000008"}`, nil},
		{"an unknown method", "PUT /pets", 405, `{"errorCode":2}`, []string{`PUT /pets 405 at "/errorCode": got number, want string`}},
		{"an unknown path that works", "GET /cars", 200, `[]`, []string{`GET /cars 200 at "": the operation is not described`}},
		{"literal segments go first", "GET /pets/oldest", 200, `{"kind":"Plain"}`, nil},

		{"nullable is not for references", "GET /pets/1", 200, `null`, []string{`getPet 200 at "": got null, want object`}},
		{"nullable without a type means nothing", "GET /pets/1", 200, `{"kind":"cat","lives":7,"extra":null}`,
			[]string{`getPet 200 at "/extra": got null, want object`}},
		{"an enum names null itself", "GET /pets/1", 200, `{"kind":"cat","lives":7,"mood":null}`,
			[]string{`getPet 200 at "/mood": value must be one of 'good', 'bad'`}},
		{"writeOnly", "GET /pets/1", 200, `{"kind":"cat","lives":7,"secret":"s"}`,
			[]string{`getPet 200 at "/secret": a writeOnly property must not be in an answer`}},
		{"formats", "GET /pets/1", 200, `{"kind":"cat","lives":7,"born":"today","age":2147483648,"extra":{"a":9223372036854775808}}`, []string{
			`getPet 200 at "/age": maximum: got 2.147483648×10⁰⁹, want 2.147483647×10⁰⁹`,
			`getPet 200 at "/born": 'today' is not valid date-time: less than 20 characters long`,
			`getPet 200 at "/extra/a": maximum: got 9.223372036854776×10¹⁸, want 9.223372036854776×10¹⁸`,
		}},
		{"exclusive limits", "GET /pets/1", 200, `{"kind":"cat","lives":7,"age":0}`,
			[]string{`getPet 200 at "/age": exclusiveMinimum: got 0, want 0`}},
		{"ECMA patterns", "GET /pets/1", 200, `{"kind":"cat","lives":7,"name":"xy"}`,
			[]string{`getPet 200 at "/name": 'xy' does not match pattern '^(?!x)'`}},

		{"an heir", "GET /pets/1", 200, `{"kind":"lion","lives":1,"mane":1}`, []string{`getPet 200 at "/mane": got number, want boolean`}},
		{"an heir's own base", "GET /pets/1", 200, `{"kind":"lion","lives":"1"}`, []string{`getPet 200 at "/lives": got string, want integer`}},
		{"no such heir", "GET /pets/1", 200, `{"kind":"dog"}`, []string{`getPet 200 at "/kind": value must be one of 'cat', 'lion'`}},
		{"no discriminator", "GET /pets/1", 200, `{}`, []string{`getPet 200 at "": missing property 'kind'`}},
		{"an alternative by discriminator", "GET /pets/oldest", 200, `{"kind":"cat"}`,
			[]string{`oldestPet 200 at "": missing property 'lives'`}},
		{"an alternative by name", "GET /pets/oldest", 200, `{"kind":"Plain","a":1}`,
			[]string{`oldestPet 200 at "": additional properties 'a' not allowed`}},
		{"the nearest alternative", "GET /pets/1", 200, `{"kind":"cat","lives":7,"owner":{"id":1}}`,
			[]string{`getPet 200 at "/owner": got object, want string`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			method, path, _ := strings.Cut(test.call, " ")
			header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
			var got []string
			for _, v := range c.Check(Answer{method, path, test.status, header, []byte(test.body)}) {
				got = append(got, v.String())
			}
			if diff := cmp.Diff(test.want, got, sorted); diff != "" {
				t.Errorf("- want + got\n%s", diff)
			}
		})
	}
}

// sorted makes lists of texts comparable whatever their order: that of the
// causes is random.
var sorted = cmp.Transformer("sorted", func(list []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
})

func TestContentType(t *testing.T) {
	c := pets(t)
	got := c.Check(Answer{"GET", "/pets", 200, http.Header{"Content-Type": {"text/html"}}, []byte(`[]`)})
	if len(got) != 1 || got[0].Problem != `the content type is "text/html", application/json is declared` {
		t.Errorf("violations = %v", got)
	}
}

func TestKnownErrors(t *testing.T) {
	list, err := parseKnown([]byte(`
- {operations: ['get*'], status: 200, path: '/**/lives', problem: want integer, reason: r, recording: a#1}
- {operations: [getPet], path: /age, problem: minimum, reason: r, source: s}
- {path: /name, problem: want string, reason: r, recording: b#1}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := pets(t, list...)
	header := http.Header{"Content-Type": {"application/json"}}
	got := c.Check(Answer{"GET", "/pets/1", 200, header, []byte(`{"kind":"cat","lives":"7","age":2147483648}`)})
	if len(got) != 1 || got[0].Path != "/age" {
		t.Errorf("violations = %v, want only that of /age: its limit is the maximum", got)
	}
	if got := c.Check(Answer{"POST", "/pets", 200, header, []byte(`{"kind":"cat","lives":"7"}`)}); len(got) != 1 {
		t.Errorf("violations = %v, want one: the known error is of other operations", got)
	}
	want := []string{`getPet 0 at "/age": minimum (r)`, ` 0 at "/name": want string (r)`}
	if diff := cmp.Diff(want, c.stale(func(*known) bool { return true })); diff != "" {
		t.Errorf("stale: - want + got\n%s", diff)
	}
	if _, err := parseKnown([]byte(`[{problem: p, reason: r}]`)); err == nil {
		t.Error("a known error without a source is accepted")
	}
}

func TestAt(t *testing.T) {
	for _, test := range []struct {
		pattern, pointer string
		want             bool
	}{
		{"", "", true},
		{"", "/a", false},
		{"/a", "/a", true},
		{"/*/a", "/0/a", true},
		{"/*/a", "/a", false},
		{"/**/a", "/a", true},
		{"/**/a/*", "/0/x/a/1", true},
		{"/**/a", "/ba", false},
		{"/**/a/b", "/b", false},
	} {
		if got := at(test.pattern, test.pointer); got != test.want {
			t.Errorf("at(%q, %q) = %v, want %v", test.pattern, test.pointer, got, test.want)
		}
	}
}

// failures collects what a test is failed with.
type failures struct {
	testing.TB
	got []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.got = append(f.got, fmt.Sprintf(format, args...))
}

func TestHandlerAndTransport(t *testing.T) {
	c := pets(t)
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Link"] = []string{"one", "two"}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, `[{"kind":"cat"}]`)
	})
	inside, outside := &failures{}, &failures{}
	server := httptest.NewServer(c.Handler(inside, api))
	defer server.Close()
	client := http.Client{Transport: c.Transport(outside, http.DefaultTransport)}
	answer, err := client.Get(server.URL + "/pets?q=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != `[{"kind":"cat"}]` || len(answer.Header.Values("Link")) != 2 {
		t.Errorf("the answer is %q %v %v, want it unchanged", body, answer.Header, err)
	}
	for name, f := range map[string]*failures{"Handler": inside, "Transport": outside} {
		if len(f.got) != 1 || !strings.Contains(f.got[0], `listPets 200 at "/0": missing property 'lives'`) {
			t.Errorf("%s failed the test with %q", name, f.got)
		}
	}
	var none *Checker
	if none.Handler(t, api) == nil || none.Transport(t, http.DefaultTransport) != http.DefaultTransport || none.Check(Answer{}) != nil {
		t.Error("a checker that is nil does something")
	}
}

func TestProxy(t *testing.T) {
	var host string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var got failures
	proxy := httptest.NewServer(pets(t).Proxy(&got, target))
	defer proxy.Close()
	answer, err := http.Get(proxy.URL + "/pets/1")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusTeapot || "http://"+host != proxy.URL || len(got.got) == 0 {
		t.Errorf("status = %d, host = %s, reported %q; want 418, that of the proxy, and the violation", answer.StatusCode, host, got.got)
	}
}
