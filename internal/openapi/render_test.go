package openapi

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// TestStyles runs the rows of testdata/styles.txt.
func TestStyles(t *testing.T) {
	data, err := os.ReadFile("testdata/styles.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		left, want, ok := strings.Cut(line, "=>")
		if !ok {
			t.Fatalf("styles.txt:%d: no =>", i+1)
		}
		want = strings.TrimSpace(want)
		p := Parameter{Name: "color"}
		p.In, left = word(left)
		p.Style, left = word(left)
		for {
			flag, rest := word(left)
			if flag != "explode" && flag != "reserved" {
				break
			}
			p.Explode, p.AllowReserved, left = p.Explode || flag == "explode", p.AllowReserved || flag == "reserved", rest
		}
		v, err := value.Decode([]byte(left))
		if err != nil {
			t.Fatalf("styles.txt:%d: %v", i+1, err)
		}
		if got := written(p, v); got != want && !(strings.HasPrefix(want, "error: ") && strings.HasPrefix(got, "error: ") && strings.Contains(got, want[7:])) {
			t.Errorf("styles.txt:%d: %s\n got %s\nwant %s", i+1, strings.TrimSpace(line), got, want)
		}
	}
}

func word(s string) (first, rest string) {
	s = strings.TrimLeft(s, " ")
	first, rest, _ = strings.Cut(s, " ")
	return first, rest
}

// written renders one parameter and returns what stands in its place.
func written(p Parameter, v any) string {
	op := &Operation{Method: "GET", Path: "/", Parameters: []Parameter{p}}
	if p.In == "path" {
		op.Path = "/{color}"
	}
	req, err := op.Render([]Param{{Name: "color", In: p.In, Value: v}}, nil)
	if err != nil {
		return "error: " + fault.Public(err)
	}
	switch p.In {
	case "path":
		return req.Path[1:]
	case "query":
		return req.Query
	case "header":
		return strings.Join(req.Header["Color"], "|")
	}
	return strings.Join(req.Header["Cookie"], "|")
}

func TestRender(t *testing.T) {
	op := &Operation{
		Method: "PUT",
		Path:   "/api/v1/groups/{groupId}/users/{userId}",
		Parameters: []Parameter{
			{Name: "groupId", In: "path", Required: true, Style: "simple"},
			{Name: "userId", In: "path", Required: true, Style: "simple"},
			{Name: "expand", In: "query", Style: "form", Explode: true},
			{Name: "filter", In: "query", ContentType: "application/json"},
			{Name: "X-Trace", In: "header", Style: "simple"},
		},
	}
	ids := []any{"a", "b"}
	got, err := op.Render([]Param{
		{"groupId", "path", "00g/1"},
		{"userId", "path", "auth0|1"},
		{"expand", "query", ids},
		{"filter", "query", map[string]any{"a": "b c"}},
		{"limit", "query", "1"},
		{"nothing", "query", nil},
		{"x-trace", "header", "t"},
		{"sid", "cookie", "1"},
		{"lang", "cookie", "en"},
		{"x-undeclared", "header", []any{"1", "2"}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Request{
		Method:      "PUT",
		Path:        "/api/v1/groups/00g%2F1/users/auth0%7C1",
		Query:       "expand=a&expand=b&filter=%7B%22a%22%3A%22b%20c%22%7D&limit=1",
		Header:      map[string][]string{"X-Trace": {"t"}, "Cookie": {"sid=1; lang=en"}, "X-Undeclared": {"1,2"}},
		PathValues:  map[string]any{"groupId": "00g/1", "userId": "auth0|1"},
		QueryValues: map[string]any{"expand": ids, "filter": map[string]any{"a": "b c"}, "limit": "1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Render (-want +got):\n%s", diff)
	}
}

func TestRenderPath(t *testing.T) {
	for _, tt := range []struct {
		path          string
		params        []Param
		want, problem string
	}{
		{path: "/", want: "/"},
		{path: "/files/{name}.json", params: []Param{{"name", "path", "a b"}}, want: "/files/a%20b.json"},
		{path: "/{a}/{a}", params: []Param{{"a", "path", "1"}}, want: "/1/1"},
		{path: "/a b/ü/{a}", params: []Param{{"a", "path", "1"}}, want: "/a%20b/%C3%BC/1"},
		{path: "/x%2Fy/(z)", want: "/x%2Fy/(z)"},
		{path: "/x?Action={a}&b=1", params: []Param{{"a", "path", "p q"}, {"c", "query", "2"}}, want: "/x?Action=p%20q&b=1&c=2"},
		{path: "/x#delete", want: "/x"},
		{path: "/{a}{b}", params: []Param{{"a", "path", "."}, {"b", "path", "."}}, problem: "relative path segment"},
		{path: "/.{a}", params: []Param{{"a", "path", "."}}, problem: "relative path segment"},
		{path: "/.{a}", params: []Param{{"a", "path", "x"}}, want: "/.x"},
		{path: "/x/{id}/{other}", problem: `not given: path parameter "id", path parameter "other"`},
		{path: "/x", params: []Param{{"id", "path", "1"}}, problem: `the path "/x" has no place for it`},
		{path: "/{id}", params: []Param{{"id", "path", Bound{}}}, problem: "a credential cannot be part of a path"},
	} {
		req, err := (&Operation{Method: "GET", Path: tt.path}).Render(tt.params, nil)
		switch {
		case tt.problem != "":
			if err == nil || !strings.Contains(fault.Public(err), tt.problem) {
				t.Errorf("Render(%s) = %v, want error with %q", tt.path, err, tt.problem)
			}
		case err != nil:
			t.Errorf("Render(%s): %v", tt.path, err)
		default:
			got := req.Path
			if req.Query != "" {
				got += "?" + req.Query
			}
			if got != tt.want {
				t.Errorf("Render(%s) = %s, want %s", tt.path, got, tt.want)
			}
		}
	}
}

func TestRenderQueryString(t *testing.T) {
	op := &Operation{Method: "GET", Path: "/search", Parameters: []Parameter{{Name: "q", In: "querystring", Style: "form"}}}
	for _, tt := range []struct {
		params        []Param
		want, problem string
	}{
		{params: []Param{{"q", "querystring", "a=b&c=d+e%20f"}}, want: "a=b&c=d+e%20f"},
		{params: []Param{{"q", "querystring", "?a=b c#d"}}, want: "a=b%20c%23d"},
		{params: []Param{{"q", "querystring", map[string]any{"a": "b"}}}, problem: "must be text"},
		{params: []Param{{"q", "querystring", "a=b"}, {"x", "query", "1"}}, problem: "excludes query parameters"},
		{params: []Param{{"q", "querystring", "a=b"}, {"r", "querystring", "1"}}, problem: "only one parameter"},
	} {
		req, err := op.Render(tt.params, nil)
		if tt.problem != "" {
			if err == nil || !strings.Contains(fault.Public(err), tt.problem) {
				t.Errorf("Render(%v) = %v, want error with %q", tt.params, err, tt.problem)
			}
		} else if err != nil || req.Query != tt.want {
			t.Errorf("Render(%v) = %v, %v, want query %q", tt.params, req, err, tt.want)
		}
	}
}

// Everything that is missing or wrong is reported at once, and values never are.
func TestRenderReportsAll(t *testing.T) {
	op := &Operation{
		Method: "POST", Path: "/x/{id}",
		Parameters: []Parameter{
			{Name: "id", In: "path", Required: true, Style: "simple"},
			{Name: "token", In: "header", Required: true, Style: "simple"},
			{Name: "page", In: "query", Required: true, Style: "form"},
			{Name: "Authorization", In: "header", Required: true, Style: "simple"},
			{Name: "accept", In: "header", Required: true, Style: "simple"},
		},
		Body: &Body{Required: true},
	}
	_, err := op.Render([]Param{
		{"page", "query", nil},
		{"Host", "header", "s3cret"},
		{"content-length", "header", "s3cret"},
		{"bad name", "header", "s3cret"},
		{"X", "header", "s3cret\r\n"},
		{"n", "body", "s3cret"},
		{"twice", "query", "s3cret"},
		{"twice", "query", "s3cret"},
		{"obj", "header", map[string]any{"s3cret": []any{"s3cret"}}},
	}, nil)
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("Render = %v, want an Invalid fault", err)
	}
	text := fault.Public(err)
	for _, want := range []string{
		`header parameter "Host": this header is written from the request itself`,
		`header parameter "content-length": this header`,
		`header parameter "bad name": this cannot be the name of a header`,
		`header parameter "X": the value has a line break`,
		`body parameter "n": "body" is not a place`,
		`query parameter "twice": it is given twice`,
		`header parameter "obj": style simple cannot carry list inside an object`,
		`not given: path parameter "id", header parameter "token", query parameter "page", request body`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the error lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error shows a value:\n%s", err)
	}
}

func TestMissing(t *testing.T) {
	op := &Operation{
		Path:       "/x/{id}",
		Parameters: []Parameter{{Name: "Token", In: "header", Required: true, Style: "simple"}},
	}
	given := []Param{{"id", "path", "1"}, {"token", "header", Bound{}}}
	if missing := op.Missing(given, nil); missing != nil {
		t.Errorf("Missing = %v, want none", missing)
	}
	req, err := op.Render(given, nil)
	if err != nil || len(req.Header) != 0 {
		t.Errorf("Render = %v, %v; want no header, no error", req, err)
	}
}

func TestRequestClone(t *testing.T) {
	a := &Request{Header: map[string][]string{"A": {"1"}}, PathValues: map[string]any{}}
	b := a.Clone()
	b.Header["A"][0], b.Header["B"], b.PathValues["x"] = "2", nil, 1
	if diff := cmp.Diff(&Request{Header: map[string][]string{"A": {"1"}}, PathValues: map[string]any{}}, a); diff != "" {
		t.Errorf("the original changed (-want +got):\n%s", diff)
	}
}
