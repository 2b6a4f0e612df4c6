package okta

import (
	"net/http"
	"net/url"
	"slices"
)

// Serves reports whether the API has an operation, by the path of a request.
func (a *API) Serves(method, path string) bool {
	u, err := url.Parse(path)
	if err != nil {
		return false
	}
	_, pattern := a.muxOf(u.Path).Handler(&http.Request{Method: method, URL: u})
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return slices.Contains(a.served, method+" "+pattern)
}
