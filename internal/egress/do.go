package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Request is one exchange to be made.
type Request struct {
	Method string
	URL    string // absolute
	Header http.Header
	Body   []byte // nil: none
	// Hosts are the places that may be called: origins or base URLs
	// ("http://127.0.0.1:8481"), and plain host names ("example.okta.com",
	// "example.com:8443"), which mean https. None allows nothing.
	Hosts        []string
	AllowPrivate bool          // this request may go to private addresses
	Timeout      time.Duration // the whole exchange; 0: the policy's
	MaxBody      int64         // bytes of the response's body; 0: the policy's
}

// Response is an answer, read completely.
type Response struct {
	Status   int
	Header   http.Header
	Body     []byte
	Duration time.Duration
	Sent     bool // always true; a SendError may say otherwise
}

// SendError says that there is no complete answer, and whether the request may
// have reached the server. Err is a *fault.Error: Refused (policy, never sent),
// Invalid (never sent), Unavailable, Timeout or TooLarge.
type SendError struct {
	Sent   bool
	Status int // of an answer that broke off or was too large; else 0
	Err    error
}

// Error returns the text for logs.
func (e *SendError) Error() string { return e.Err.Error() }

// Unwrap returns the fault.
func (e *SendError) Unwrap() error { return e.Err }

// Sent reports whether the request behind an error of Do may have reached the
// server. An error of unknown origin counts as sent: doubt is the safe side.
func Sent(err error) bool {
	var e *SendError
	return err != nil && (!errors.As(err, &e) || e.Sent)
}

// Do makes one exchange. Any answer, whatever its status, is a Response; all
// errors are *SendError.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	u, err := parse(r.URL)
	if err == nil {
		err = allow(u, r.Hosts)
	}
	if err == nil {
		err = checkHeader(r.Header)
	}
	if err != nil {
		return nil, &SendError{Err: err}
	}
	start := time.Now()
	timeout := or(r.Timeout, c.policy.Timeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	x := exchange{client: c, request: r, url: u, maxBody: or(r.MaxBody, c.policy.MaxBody), timeout: timeout}
	var res *Response
	if h, ok := c.inProcess[origin(u)]; ok {
		res, err = x.inProcess(ctx, h)
	} else {
		res, err = x.network(ctx)
	}
	if err != nil {
		return nil, err
	}
	res.Duration = time.Since(start)
	res.Sent = true
	return res, nil
}

// Allowed reports whether a Request for the URL with these Hosts would pass.
func Allowed(rawURL string, hosts []string) bool {
	u, err := parse(rawURL)
	return err == nil && allow(u, hosts) == nil
}

// allow refuses a URL whose origin is not among hosts.
func allow(u *url.URL, hosts []string) error {
	at := origin(u)
	if slices.ContainsFunc(hosts, func(host string) bool {
		if !strings.Contains(host, "://") {
			host = "https://" + host
		}
		o, err := Origin(host)
		return err == nil && o == at
	}) {
		return nil
	}
	return fault.New(fault.Refused, "%s://%s is not among the hosts that may be called", u.Scheme, u.Host).
		Fix("bind it: the connection's server or hosts in lanyard.yaml, or --server name=URL")
}

// checkHeader refuses what net/http would refuse, with a message that does not
// quote the value.
func checkHeader(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return fault.New(fault.Invalid, "%q cannot be a header's name", name)
		}
		if !validValues(values) {
			return fault.New(fault.Invalid, "the value of header %s has characters that a header cannot carry", name).
				Fix("remove line breaks and control characters")
		}
	}
	return nil
}

func validValues(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) })
}

// exchange is one call of Do under way.
type exchange struct {
	client  *Client
	request *Request
	url     *url.URL
	maxBody int64
	timeout time.Duration
}

func (x *exchange) network(ctx context.Context) (*Response, error) {
	// A connection that was obtained carries the request from then on. When
	// net/http tries another one, it knows that nothing was written to the
	// first.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { sent.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	req, err := x.newRequest(ctx)
	if err != nil {
		return nil, &SendError{Err: err}
	}
	transport := x.client.guarded
	if x.request.AllowPrivate || x.client.policy.AllowPrivate {
		transport = x.client.open
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, &SendError{Sent: sent.Load(), Err: x.explain(ctx, err)}
	}
	defer res.Body.Close()
	body, err := x.read(ctx, res)
	if err != nil {
		return nil, &SendError{Sent: true, Status: res.StatusCode, Err: err}
	}
	return &Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// replayable are headers by which net/http takes a request for one that it may
// send again after a connection broke. Whether it may is our caller's decision,
// so they are spelled in a way that net/http does not recognise and servers do.
var replayable = []string{"Idempotency-Key", "X-Idempotency-Key"}

func (x *exchange) newRequest(ctx context.Context) (*http.Request, error) {
	var body io.Reader // sets GetBody, so that an untouched request can move to a fresh connection
	if x.request.Body != nil {
		body = bytes.NewReader(x.request.Body)
	}
	req, err := http.NewRequestWithContext(ctx, x.request.Method, "", body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%q cannot be a method", x.request.Method)
	}
	req.URL, req.Host = x.url, x.url.Host
	req.Header = make(http.Header, len(x.request.Header)+1)
	for name, values := range x.request.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	for _, name := range replayable {
		if values, ok := req.Header[name]; ok {
			delete(req.Header, name)
			req.Header[strings.ToLower(name)] = values
		}
	}
	if agent := x.client.policy.UserAgent; agent != "" && req.Header["User-Agent"] == nil {
		req.Header["User-Agent"] = []string{agent}
	}
	return req, nil
}

// read reads the body up to the limit and not a byte more.
func (x *exchange) read(ctx context.Context, res *http.Response) ([]byte, error) {
	if res.ContentLength > x.maxBody {
		return nil, x.tooLarge()
	}
	var b bytes.Buffer
	if res.ContentLength > 0 {
		b.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(res.Body, x.maxBody+1))
	switch {
	case n > x.maxBody:
		return nil, x.tooLarge()
	case err != nil:
		return nil, x.explain(ctx, err)
	}
	return b.Bytes(), nil
}

func (x *exchange) tooLarge() error {
	return fault.New(fault.TooLarge, "the answer of %s is larger than %d bytes", x.url.Host, x.maxBody).
		Fix("ask for less at a time")
}
