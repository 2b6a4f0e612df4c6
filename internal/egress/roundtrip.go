package egress

import (
	"bytes"
	"io"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// RoundTripper lends the client to libraries that want an http.RoundTripper,
// such as golang.org/x/oauth2, for the given hosts. What they build from it
// must not follow redirects; see HTTPClient.
func (c *Client) RoundTripper(hosts []string, allowPrivate bool) http.RoundTripper {
	return roundTripper{c, hosts, allowPrivate}
}

// HTTPClient is RoundTripper as an http.Client that follows no redirects.
func (c *Client) HTTPClient(hosts []string, allowPrivate bool) *http.Client {
	return &http.Client{
		Transport:     c.RoundTripper(hosts, allowPrivate),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type roundTripper struct {
	client       *Client
	hosts        []string
	allowPrivate bool
}

// RoundTrip makes one exchange and returns the answer with its body read.
func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	r := &Request{Method: req.Method, URL: req.URL.String(), Header: req.Header, Hosts: t.hosts, AllowPrivate: t.allowPrivate}
	if req.Body != nil {
		defer req.Body.Close()
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, &SendError{Err: fault.Wrap(fault.Internal, err, "a request's body cannot be read")}
		}
		r.Body = body
	}
	res, err := t.client.Do(req.Context(), r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(res.Status), StatusCode: res.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: res.Header, Body: io.NopCloser(bytes.NewReader(res.Body)), ContentLength: int64(len(res.Body)), Request: req,
	}, nil
}
