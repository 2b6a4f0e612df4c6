package okta

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
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

// AppRoundTrip reads a body as a new application and returns its wire form.
func AppRoundTrip(body map[string]any) (any, error) {
	b, err := readApp(body)
	if err != nil {
		return nil, err
	}
	draft, err := b.draft(true)
	if err != nil {
		return nil, err
	}
	app := &directory.App{Name: draft.Name, Label: draft.Label, SignOnMode: draft.SignOnMode, Client: draft.Client, Document: draft.Document}
	return (&API{Options: Options{Engine: "oie"}}).application("https://org", app, draft.ClientSecret), nil
}
