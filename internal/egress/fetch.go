package egress

import (
	"context"
	"net/http"
	"net/url"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// maxRedirects is how many redirects Fetch follows.
const maxRedirects = 5

// Fetch reads a public document, such as an OpenAPI description, with GET and
// without any credential. It follows up to five redirects, each checked like the
// first address, and never from https to http. finalURL is where the document
// was found. A status other than 200 is an error: NotFound for 404 and 410,
// Unauthorized for 401 and 403, else Unavailable. maxBytes 0 means the policy's.
func (c *Client) Fetch(ctx context.Context, rawURL string, maxBytes int64) (data []byte, finalURL string, err error) {
	for range maxRedirects + 1 {
		res, err := c.Do(ctx, &Request{
			Method: http.MethodGet, URL: rawURL, Hosts: []string{rawURL}, MaxBody: maxBytes,
			Header: http.Header{"Accept": {"application/yaml, application/json, text/*;q=0.9, */*;q=0.1"}},
		})
		if err != nil {
			return nil, rawURL, err
		}
		switch res.Status {
		case http.StatusOK:
			return res.Body, rawURL, nil
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			if rawURL, err = redirect(rawURL, res.Header.Get("Location")); err != nil {
				return nil, rawURL, err
			}
		default:
			return nil, rawURL, statusError(rawURL, res.Status)
		}
	}
	return nil, rawURL, fault.New(fault.Unavailable, "it redirects more than %d times", maxRedirects)
}

// redirect returns where a Location leads.
func redirect(from, location string) (string, error) {
	base, err := url.Parse(from)
	if err != nil {
		return from, fault.Wrap(fault.Invalid, err, "a URL is not well-formed")
	}
	if location == "" {
		return from, fault.New(fault.Unavailable, "%s redirects and does not say where to", base.Host)
	}
	next, err := base.Parse(location)
	if err != nil {
		return from, fault.Wrap(fault.Unavailable, err, "%s redirects to what is not a URL", base.Host)
	}
	if base.Scheme == "https" && next.Scheme != "https" {
		return from, fault.New(fault.Refused, "%s redirects from https to %s", base.Host, next.Scheme).
			Fix("use the address it should lead to")
	}
	next.Fragment, next.RawFragment = "", ""
	return next.String(), nil
}

func statusError(rawURL string, status int) error {
	host := rawURL
	if u, err := url.Parse(rawURL); err == nil {
		host = u.Host
	}
	kind := fault.Unavailable
	switch status {
	case http.StatusNotFound, http.StatusGone:
		kind = fault.NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = fault.Unauthorized
	}
	return fault.New(kind, "%s answered %d %s", host, status, http.StatusText(status))
}
