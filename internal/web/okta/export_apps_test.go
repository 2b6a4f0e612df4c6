package okta

import "github.com/lanyard-id/lanyard/internal/directory"

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
