package okta

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/web"
)

// Row is one error of the catalogue.
type Row struct {
	Status  int
	Summary string
}

// Catalogue returns the errors that the API answers with, in Okta's notation.
func Catalogue() map[string]Row {
	out := map[string]Row{}
	for code, e := range catalogue {
		out[code] = Row{e.status, strings.ReplaceAll(e.summary, "%s", "{0}")}
	}
	return out
}

// Matches is the check of an If-Match header.
var Matches = matches

// Select reports whether a text is a list of fields, and keeps the id.
func Select(text string) (kept, ok bool) {
	s, err := parseFields(text)
	o := s.project(web.Object{{Key: "id", Value: 1}})
	return len(o) == 1, err == nil
}
