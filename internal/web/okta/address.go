package okta

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// ServeHTTP answers a request. Addresses are taken literally where net/http is
// more helpful: a path with empty or dotted segments is unknown instead of
// leading elsewhere, and a semicolon in a query is a character like others. A
// path that is no text names nothing either.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !cleanPath(r.URL.EscapedPath()) || !isText(r.URL.Path) {
		a.unknown.ServeHTTP(w, r)
		return
	}
	if strings.Contains(r.URL.RawQuery, ";") {
		r = r.Clone(r.Context())
		r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, ";", "%3B")
	}
	a.muxOf(r.URL.Path).ServeHTTP(w, r)
}

// cleanPath reports whether http.ServeMux serves an escaped path as it is. Other
// paths it would redirect, with a page that no client of an API can read.
func cleanPath(escaped string) bool {
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	last := len(segments) - 1
	return !slices.Contains(segments[:last], "") && !slices.ContainsFunc(segments, func(s string) bool {
		s, _ = url.PathUnescape(s) // the path has been read before
		return s == "." || s == ".."
	})
}

// checkQuery refuses a query string that cannot be read as a whole: net/url
// would leave out what it cannot read, and a search without its condition finds
// everything.
func checkQuery(u *url.URL) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("RequestParams", "The query string cannot be read").because(err)
	}
	for name, values := range q {
		for _, text := range append(values, name) {
			if !isText(text) {
				return invalid("RequestParams", "The query string is not text in UTF-8")
			}
		}
	}
	return nil
}

// isText reports whether a database can look for a text: PostgreSQL refuses NUL
// and what is not UTF-8.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
