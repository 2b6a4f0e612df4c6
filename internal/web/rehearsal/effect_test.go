package rehearsal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// people answers like a façade that lists people.
func people(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Link", `<x>; rel="self"`)
	w.Header().Add("Link", `<y>; rel="next"`)
	switch r.URL.Path {
	case "/list":
		_, _ = io.WriteString(w, `[{"id":"1","z":12345678901234567890,"a":"<&>"},{"id":"2"}]`)
	case "/texts":
		_, _ = io.WriteString(w, `["a","b"]`)
	case "/page":
		_, _ = io.WriteString(w, `{"start":0,"total":2,"users":[{"id":"1"}]}`)
	case "/one":
		w.Header().Set("Content-Length", "38")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"z":1.10,"id":"1","a":{"id":"inner"}}`)
	case "/gone":
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"users":["kept"]}`)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// result is what a client sees.
type result struct {
	status int
	header http.Header
	body   string
	err    error
}

func fetch(client *http.Client, method, url string) result {
	req, err := http.NewRequest(method, url, strings.NewReader(map[string]string{"POST": "{}"}[method]))
	if err != nil {
		return result{err: err}
	}
	res, err := client.Do(req)
	if err != nil {
		return result{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return result{res.StatusCode, res.Header, string(body), err}
}

// Effects as a client sees them over a real connection, plain and encrypted.
func TestEffects(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule, method, path string
		handled            int
		status             int
		body               string // in it; "=" compares all
		cut                bool
	}{
		{"effect: error, status: 429", "POST", "/one", 0, 429, `={"errorCode":"429"}`, false},
		{"effect: html", "GET", "/list", 0, 502, "<h1>502 Bad Gateway</h1>", false},
		{"effect: html, status: 504", "GET", "/list", 0, 504, "<h1>504 Gateway Timeout</h1>", false},
		{"effect: slow, delay: 1ms", "POST", "/one", 1, 201, `={"z":1.10,"id":"1","a":{"id":"inner"}}`, false},
		{"effect: timeoutBefore, delay: 1ms", "POST", "/one", 0, 0, "", true},
		{"effect: timeoutAfter", "POST", "/one", 1, 0, "", true},
		{"effect: reset", "POST", "/one", 0, 0, "", true},
		{"effect: truncated", "GET", "/page", 1, 200, `={"start":0,"total":2,`, true},
		{"effect: truncated", "GET", "/nothing", 1, 0, "", true},
		{"effect: emptyList", "GET", "/list", 1, 200, "=[]", false},
		{"effect: emptyList", "GET", "/texts", 1, 200, "=[]", false},
		{"effect: emptyList", "GET", "/page", 1, 200, `={"start":0,"total":0,"users":[]}`, false},
		{"effect: emptyList", "GET", "/gone", 1, 404, `={"users":["kept"]}`, false},
		{"effect: otherStatus, status: 202", "POST", "/one", 1, 202, `"id":"1"`, false},
		{"effect: otherStatus, status: 204", "POST", "/one", 1, 204, "=", false},
		{"effect: without, fields: [id]", "GET", "/list", 1, 200, `=[{"z":12345678901234567890,"a":"<&>"},{}]`, false},
		{"effect: without, fields: [id, total]", "GET", "/one", 1, 201, `={"z":1.10,"a":{"id":"inner"}}`, false},
		{"effect: without, fields: [id]", "GET", "/texts", 1, 200, `=["a","b"]`, false},
	} {
		for name, start := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
			f := &facade{handle: people}
			server := start(loaded(t, "rules: [{"+test.rule+"}]").Wrap("okta", f))
			server.Config.ErrorLog = nil
			got := fetch(server.Client(), test.method, server.URL+test.path)
			server.Close()
			want, all := strings.CutPrefix(test.body, "=")
			right := got.status == test.status && (got.err != nil) == test.cut && strings.Contains(got.body, want) && (!all || got.body == want)
			// A client repeats a GET by itself when a used connection breaks; this one is new.
			if !right || f.count() != test.handled {
				t.Errorf("%s %s %s by %s: %d %q %v, handled %d times; want %d %q, cut %v, handled %d times",
					test.rule, test.method, test.path, name, got.status, got.body, got.err, f.count(), test.status, test.body, test.cut, test.handled)
			}
		}
	}
}

// A reset is one, not an orderly end.
func TestReset(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(loaded(t, "rules: [{effect: reset}]").Wrap("okta", &facade{}))
	defer server.Close()
	got := fetch(server.Client(), "POST", server.URL)
	if !errors.Is(got.err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want a reset connection", got.err)
	}
}

// Where a list is said to be empty there is no next page.
func TestEmptyListEnds(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	loaded(t, "rules: [{effect: emptyList}]").Wrap("okta", &facade{handle: people}).ServeHTTP(w, httptest.NewRequest("GET", "/list", nil))
	if got := w.Header()["Link"]; len(got) != 1 || !strings.Contains(got[0], "self") {
		t.Errorf("Link = %q, want the page itself only", got)
	}
}

// A lost request holds the client until it gives up; the server notices, and
// nothing is left behind.
func TestLostRequest(t *testing.T) {
	t.Parallel()
	reached, left := make(chan struct{}), make(chan struct{})
	f := &facade{handle: people}
	h := loaded(t, "rules: [{effect: timeoutBefore}]").Wrap("okta", f)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(reached)
		defer close(left)
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	ctx, giveUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", server.URL, bytes.NewReader(make([]byte, 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-reached
		giveUp()
	}()
	if _, err := server.Client().Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("the client sees %v, want its own end", err)
	}
	<-left
	if f.count() != 0 {
		t.Error("the request was handled")
	}
}

// direct serves a request on this goroutine and reports whether it was cut.
func direct(h http.Handler, r *http.Request) (w *httptest.ResponseRecorder, cut bool) {
	w = httptest.NewRecorder()
	defer func() { cut = recover() == http.ErrAbortHandler }()
	h.ServeHTTP(w, r)
	return w, false
}

// Times are kept on the machine's clock.
func TestDelays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule    string
		giveUp  time.Duration // of the client; 0: never
		took    time.Duration
		handled int
		cut     bool
	}{
		{"effect: slow, delay: 7s", 0, 7 * time.Second, 1, false},
		{"effect: slow, delay: 7s", 2 * time.Second, 2 * time.Second, 1, true},
		{"effect: timeoutBefore, delay: 7s", 0, 7 * time.Second, 0, true},
		{"effect: timeoutBefore", 20 * time.Second, 20 * time.Second, 0, true},
		{"effect: timeoutBefore", 0, 10 * time.Minute, 0, true},
		{"effect: timeoutAfter", 0, 0, 1, true},
		{"effect: timeoutAfter, delay: 3s", 0, 3 * time.Second, 1, true},
		{"effect: timeoutAfter, delay: 3s", time.Second, time.Second, 1, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if test.giveUp > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.giveUp)
				defer cancel()
			}
			f := &facade{handle: people}
			faults := rehearsal.NewFaults(scope, rehearsal.Limits{}, nil)
			if err := faults.Load("f", []byte("rules: [{"+test.rule+"}]")); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, cut := direct(faults.Wrap("okta", f), httptest.NewRequest("POST", "/one", nil).WithContext(ctx))
			if took := time.Since(start); took != test.took || cut != test.cut || f.count() != test.handled {
				t.Errorf("%s, giving up after %v: took %v, cut %v, handled %d times; want %v, %v, %d",
					test.rule, test.giveUp, took, cut, f.count(), test.took, test.cut, test.handled)
			}
		})
	}
}

// A write whose answer is lost happens although the client is gone.
func TestLostAnswerIsHandled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var ended error
	f := &facade{handle: func(_ http.ResponseWriter, r *http.Request) { ended = r.Context().Err() }}
	h := loaded(t, "rules: [{effect: timeoutAfter}]").Wrap("okta", f)
	if _, cut := direct(h, httptest.NewRequest("POST", "/", nil).WithContext(ctx)); !cut || f.count() != 1 || ended != nil {
		t.Errorf("cut %v, handled %d times, its context ended with %v", cut, f.count(), ended)
	}
}

// A server that ends does not wait for requests that are held.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		faults := rehearsal.NewFaults(scope, rehearsal.Limits{}, nil)
		if err := faults.Load("f", []byte("rules: [{effect: timeoutBefore}]")); err != nil {
			t.Fatal(err)
		}
		done := make(chan bool)
		go func() {
			_, cut := direct(faults.Wrap("okta", &facade{}), httptest.NewRequest("POST", "/", nil))
			done <- cut
		}()
		synctest.Wait()
		faults.Stop()
		faults.Stop()
		if start := time.Now(); !<-done || time.Since(start) != 0 {
			t.Error("the request is held on")
		}
	})
}
