package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// inProcess serves the request by a handler on the caller's goroutine. The
// handler sees what it would see behind a server; one that ignores the
// request's context delays the caller.
func (x *exchange) inProcess(ctx context.Context, h http.Handler) (res *Response, err error) {
	req, err := x.serverRequest(ctx)
	if err != nil {
		return nil, &SendError{Err: err}
	}
	w := &recorder{header: http.Header{}, max: x.maxBody}
	defer func() {
		// A server would close the connection; http.ErrAbortHandler asks for just that.
		if p := recover(); p != nil {
			res, err = nil, &SendError{Sent: true, Err: x.explain(ctx, fmt.Errorf("handler: %v", p))}
		}
	}()
	h.ServeHTTP(w, req)
	switch {
	case ctx.Err() != nil:
		return nil, &SendError{Sent: true, Err: x.explain(ctx, ctx.Err())}
	case w.full:
		return nil, &SendError{Sent: true, Status: w.status, Err: x.tooLarge()}
	}
	return w.response(x.request.Method), nil
}

// serverRequest makes the request as a server would have read it.
func (x *exchange) serverRequest(ctx context.Context) (*http.Request, error) {
	target := x.url.RequestURI()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the request's path is not well-formed")
	}
	req, err := http.NewRequestWithContext(ctx, x.request.Method, "", nil)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%q cannot be a method", x.request.Method)
	}
	req.URL, req.RequestURI, req.Host, req.RemoteAddr = u, target, x.url.Host, "127.0.0.1:0"
	req.Body = io.NopCloser(bytes.NewReader(x.request.Body))
	req.ContentLength = int64(len(x.request.Body))
	if x.url.Scheme == "https" {
		req.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: x.url.Hostname()}
	}
	for name, values := range x.request.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if agent := x.client.policy.UserAgent; agent != "" && req.Header["User-Agent"] == nil {
		req.Header["User-Agent"] = []string{agent}
	}
	return req, nil
}

// recorder is an http.ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
	max    int64
	full   bool
}

// Header returns the header to be sent.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader ends the header; only the first final status counts.
func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

// Write keeps the body up to the limit.
func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if int64(w.body.Len()+len(p)) > w.max {
		w.full = true
		return 0, http.ErrContentLength
	}
	return w.body.Write(p)
}

// Flush ends the header, as a server's would.
func (w *recorder) Flush() { w.WriteHeader(http.StatusOK) }

// response adds the headers that net/http's server adds.
func (w *recorder) response(method string) *Response {
	w.WriteHeader(http.StatusOK)
	body := w.body.Bytes()
	if w.sent.Get("Date") == "" {
		w.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	bodiless := w.status == http.StatusNoContent || w.status == http.StatusNotModified
	if method == http.MethodHead || bodiless {
		body = nil
	}
	if len(body) > 0 && w.sent["Content-Type"] == nil {
		w.sent.Set("Content-Type", http.DetectContentType(body))
	}
	if w.sent["Content-Length"] == nil && !bodiless {
		w.sent.Set("Content-Length", strconv.Itoa(w.body.Len()))
	}
	return &Response{Status: w.status, Header: w.sent, Body: body}
}
