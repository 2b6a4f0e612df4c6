package okta

import "strings"

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
