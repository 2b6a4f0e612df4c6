package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
)

func TestFront(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		run        web.Handler
		status     int
		body       string
		level, log string
	}{
		{"answer", func(w http.ResponseWriter, r *http.Request) error {
			return web.WriteJSON(w, 201, web.RequestID(r.Context()))
		}, 201, `"id-1"`, "DEBUG", "status=201"},
		{"answer without a status", func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.Write([]byte("x"))
			return err
		}, 200, "x", "DEBUG", "status=200"},
		{"error", func(http.ResponseWriter, *http.Request) error {
			return fault.Wrap(fault.NotFound, errors.New("the cause"), "no such thing")
		}, 404, "no such thing", "DEBUG", "the cause"},
		{"internal error", func(http.ResponseWriter, *http.Request) error {
			return fault.Wrap(fault.Internal, errors.New("the cause"), "sorry")
		}, 500, "sorry", "ERROR", "the cause"},
		{"panic", func(http.ResponseWriter, *http.Request) error { panic("boom") }, 500, "the request could not be handled", "ERROR", "boom"},
		{"error after the answer", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(204)
			return errors.New("too late")
		}, 204, "", "DEBUG", "too late"},
	}
	for _, test := range tests {
		var log bytes.Buffer
		f := web.Front{
			Log:   slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			NewID: func() string { return "id-1" },
			Open: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Id", web.RequestID(r.Context()))
			},
			Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
				status := 500
				if fault.Is(err, fault.NotFound) {
					status = 404
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(fault.Public(err)))
			},
		}
		w := httptest.NewRecorder()
		f.Handle(test.run).ServeHTTP(w, httptest.NewRequest("GET", "/x?secret=1", nil))
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("%s: %d %q, want %d %q", test.name, w.Code, w.Body, test.status, test.body)
		}
		if got := w.Header().Get("X-Id"); got != "id-1" {
			t.Errorf("%s: X-Id = %q, want the request's id", test.name, got)
		}
		for _, want := range []string{"level=" + test.level, test.log, "request=id-1", "path=/x"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s: log %q lacks %q", test.name, log.String(), want)
			}
		}
		if strings.Contains(log.String(), "secret") {
			t.Errorf("%s: the log has the query: %q", test.name, log.String())
		}
	}
}

func TestFrontAbort(t *testing.T) {
	t.Parallel()
	f := web.Front{NewID: func() string { return "" }, Fail: func(http.ResponseWriter, *http.Request, error) { t.Error("Fail was called") }}
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the wish to cut the connection did not pass")
		}
	}()
	f.Handle(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body string
		want any
		kind fault.Kind
	}{
		{`{"n":9007199254740993,"d":1.10}`, map[string]any{"n": json.Number("9007199254740993"), "d": json.Number("1.10")}, 0},
		{``, nil, fault.Invalid},
		{" \n", nil, fault.Invalid},
		{`{`, nil, fault.Invalid},
		{`{} {}`, nil, fault.Invalid},
		{`"` + strings.Repeat("x", 100) + `"`, nil, fault.TooLarge},
		{strings.Repeat("[", 90), nil, fault.Invalid},
		{"\"\xff\"", nil, fault.Invalid},
	}
	for _, test := range tests {
		for _, chunked := range []bool{false, true} {
			r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
			if chunked {
				r.ContentLength = -1
			}
			got, err := web.ReadJSON(r, 100)
			if test.kind != 0 {
				if !fault.Is(err, test.kind) {
					t.Errorf("ReadJSON(%.20q) = %v, want kind %v", test.body, err, test.kind)
				}
				if empty := strings.TrimSpace(test.body) == ""; errors.Is(err, web.ErrNoBody) != empty {
					t.Errorf("ReadJSON(%.20q) = %v, want ErrNoBody: %v", test.body, err, empty)
				}
				continue
			}
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("ReadJSON(%q): %v - want + got\n%s", test.body, err, diff)
			}
		}
	}
}

func TestIsJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"application/json": true, "Application/JSON; charset=utf-8": true, "application/scim+json": true,
		"application/json; okta-response=omitCredentials,omitCredentialsLinks": true,
		"text/plain": false, "application/x-www-form-urlencoded": false, "": false, "application/jsonx": false,
	} {
		if got := web.IsJSON(text); got != want {
			t.Errorf("IsJSON(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][2]string{
		"SSWS abc": {"SSWS", "abc"}, " Bearer  a b ": {"Bearer", "a b"}, "Bearer": {"Bearer", ""}, "": {"", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		if scheme, token := web.Credential(r); scheme != want[0] || token != want[1] {
			t.Errorf("Credential(%q) = %q, %q, want %q", header, scheme, token, want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ target, want string }{
		{"/x", "http://example.com"},
		{"https://example.com/x", "https://example.com"},
		{"http://localhost:8481/x", "http://localhost:8481"},
	}
	for _, test := range tests {
		if got := web.BaseURL(httptest.NewRequest("GET", test.target, nil)); got != test.want {
			t.Errorf("BaseURL(%s) = %s, want %s", test.target, got, test.want)
		}
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	q := url.Values{"n": {"7"}, "big": {"7000"}, "minus": {"-1"}, "word": {"x"}, "t": {"TRUE"}, "f": {"false"}}
	ints := []struct {
		name string
		want int
		ok   bool
	}{{"n", 7, true}, {"big", 100, true}, {"absent", 50, true}, {"minus", 0, false}, {"word", 0, false}}
	for _, test := range ints {
		got, err := web.Int(q, test.name, 50, 0, 100)
		if got != test.want || (err == nil) != test.ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("Int(%s) = %d, %v, want %d", test.name, got, err, test.want)
		}
	}
	bools := []struct {
		name     string
		want, ok bool
	}{{"t", true, true}, {"f", false, true}, {"absent", true, true}, {"word", false, false}}
	for _, test := range bools {
		got, err := web.Bool(q, test.name, true)
		if got != test.want || (err == nil) != test.ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("Bool(%s) = %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o := web.Object{
		{Key: "z", Value: web.Object{{Key: "b", Value: 1}, {Key: "a", Value: nil}}},
		{Key: `"<&>`, Value: "<&>"},
		{Key: "list", Value: []web.Object{{}, nil}},
		{Key: "n", Value: json.Number("1.10")},
	}
	w := httptest.NewRecorder()
	if err := web.WriteJSON(w, 200, o); err != nil {
		t.Fatal(err)
	}
	if want := `{"z":{"b":1,"a":null},"\"<&>":"<&>","list":[{},{}],"n":1.10}`; w.Body.String() != want {
		t.Errorf("WriteJSON = %s, want %s", w.Body, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q", got)
	}
	if err := web.WriteJSON(httptest.NewRecorder(), 200, web.Object{{Key: "x", Value: func() {}}}); !fault.Is(err, fault.Internal) {
		t.Errorf("WriteJSON of a function = %v, want Internal", err)
	}
}

func TestAddLink(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	web.AddLink(w, "self", "https://a/b?limit=1")
	web.AddLink(w, "next", "https://a/b?x=>")
	want := []string{`<https://a/b?limit=1>; rel="self"`, `<https://a/b?x=%3E>; rel="next"`}
	if diff := cmp.Diff(want, w.Header().Values("Link")); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
}

// What is written by hand must be what encoding/json writes.
func TestObjectLikeEncodingJSON(t *testing.T) {
	for _, v := range []any{
		nil, true, false, 0, -17, "", "plain", `quo"te\`, "line\nfeed\x00", "Zoë <&> \u2028", "\xff broken", "emoji 😀",
		json.Number("1.10"), []any{}, []any(nil), []any{"a", nil, 1}, []web.Object{}, []web.Object(nil),
		[]web.Object{{}, {{Key: "k\"", Value: []string{"x"}}}}, map[string]any{"b": 1, "a": []any{}}, struct{}{},
	} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		got, err := web.Object{{Key: "v", Value: v}}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if w := `{"v":` + strings.TrimSuffix(want.String(), "\n") + "}"; string(got) != w {
			t.Errorf("%#v: got %s, want %s", v, got, w)
		}
	}
	if _, err := (web.Object{{Key: "f", Value: func() {}}}).MarshalJSON(); err == nil {
		t.Error("a function is written as JSON")
	}
}
