package webtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
)

// Reporter is told what is wrong. Every testing.TB is one.
type Reporter interface {
	Errorf(format string, args ...any)
}

// Handler passes requests on and reports every answer that differs from the
// description. Answers are held back until they are complete.
func (c *Checker) Handler(t Reporter, next http.Handler) http.Handler {
	if c == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path := r.Method, r.URL.EscapedPath()
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		answer := recorder.Result()
		_ = answer.Body.Close() // a recorder's body has nothing to fail
		c.report(t, Answer{method, path, answer.StatusCode, answer.Header, recorder.Body.Bytes()})
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(recorder.Body.Bytes()) // fails when the client is gone
	})
}

// Transport passes requests on and reports every answer that differs from the
// description.
func (c *Checker) Transport(t Reporter, next http.RoundTripper) http.RoundTripper {
	if c == nil {
		return next
	}
	return transport{c, t, next}
}

// Proxy passes requests on to a server elsewhere and reports every answer that
// differs from the description. The server sees the proxy's host, so that the
// links in its answers lead through the proxy too.
func (c *Checker) Proxy(t Reporter, server *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			r.Out.Host = r.In.Host
		},
		Transport: c.Transport(t, http.DefaultTransport),
	}
}

type transport struct {
	checker *Checker
	t       Reporter
	next    http.RoundTripper
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if closed := answer.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	t.checker.report(t.t, Answer{r.Method, r.URL.EscapedPath(), answer.StatusCode, answer.Header, body})
	return answer, nil
}

func (c *Checker) report(t Reporter, a Answer) {
	for _, v := range c.Check(a) {
		t.Errorf("%s %s: the answer differs from the description: %s\n%.600s", a.Method, a.Path, v, a.Body)
	}
}
