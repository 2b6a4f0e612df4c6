package okta

import (
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
)

// appBody is the body of POST /apps and PUT /apps/{id}.
type appBody struct {
	name, label string
	mode        directory.SignOnMode
	document    map[string]any
	signingKey  string // credentials.signing.kid

	oauthCredentials object // credentials.oauthClient
	oauthSettings    object // settings.oauthClient
}

// readOnlyApp are the members of an application that are answered and that a
// body may repeat without effect, and those that are read one by one.
var readOnlyApp = []string{
	"id", "orn", "name", "label", "status", "created", "lastUpdated", "signOnMode", "universalLogout",
	"expressConfiguration", "_links", "_embedded",
}

func readApp(body object) (appBody, error) {
	b := appBody{document: value.Clone(map[string]any(body)).(map[string]any)}
	for _, name := range readOnlyApp {
		delete(b.document, name)
	}
	maps.DeleteFunc(b.document, func(_ string, v any) bool { return v == nil })
	var err error
	if b.name, err = body.text("name"); err != nil {
		return b, err
	}
	if b.label, err = body.text("label"); err != nil {
		return b, err
	}
	mode, err := body.text("signOnMode")
	if err != nil {
		return b, err
	}
	b.mode = directory.SignOnMode(mode)
	doc := object(b.document)
	for _, name := range []string{"accessibility", "visibility"} {
		if _, err := doc.object(name); err != nil {
			return b, err
		}
	}
	if err := b.readCredentials(doc); err != nil {
		return b, err
	}
	return b, b.readSettings(doc)
}

// readCredentials takes out of the document what is kept elsewhere or not at
// all: of a password remains that there is one.
func (b *appBody) readCredentials(doc object) error {
	c, err := doc.object("credentials")
	if err != nil || c == nil {
		return err
	}
	if b.oauthCredentials, err = c.object("oauthClient"); err != nil {
		return err
	}
	signing, err := c.object("signing")
	if err != nil {
		return err
	}
	if b.signingKey, err = signing.text("kid"); err != nil {
		return err
	}
	password, err := c.object("password")
	if err != nil {
		return err
	}
	if len(password) > 0 {
		c["password"] = map[string]any{}
	}
	if c["userName"] == "" { // recorded: sent, and not answered
		delete(c, "userName")
	}
	delete(c, "oauthClient")
	delete(c, "signing")
	return nil
}

func (b *appBody) readSettings(doc object) error {
	s, err := doc.object("settings")
	if err != nil || s == nil {
		return err
	}
	for _, name := range []string{"app", "notes", "notifications"} {
		if _, err := s.object(name); err != nil {
			return err
		}
	}
	if b.oauthSettings, err = s.object("oauthClient"); err != nil {
		return err
	}
	delete(s, "oauthClient")
	return b.checkOffice365(s)
}

// checkOffice365 refuses what Okta refuses before it would call Microsoft
// (recorded).
func (b *appBody) checkOffice365(settings object) error {
	app, _ := settings.object("app")
	if b.name == "office365" && app["wsFedConfigureType"] == "AUTO" && app["requireAdminConsent"] == false {
		return invalid("settings", "In order to continue using WS-FED Auto for SSO, you must grant admin consent.")
	}
	return nil
}

// client returns what the body makes of a client, nil for none. It also
// returns the secret that was chosen for it.
func (b *appBody) client(current *directory.Client) (*directory.Client, string, error) {
	if current == nil && b.oauthCredentials == nil && b.oauthSettings == nil {
		return nil, "", nil
	}
	c := directory.Client{AutoKeyRotation: true}
	if current != nil {
		c = *current
	}
	f := bodyFields{of: b.oauthSettings}
	if b.oauthSettings != nil {
		f.settings(&c)
	}
	f.of = b.oauthCredentials
	secret := f.credentials(&c, current == nil)
	return &c, secret, f.err
}

// bodyFields reads members of an object and remembers the first that has the wrong
// type.
type bodyFields struct {
	of  object
	err error
}

func (f *bodyFields) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *bodyFields) text(name, def string) string {
	s, err := f.of.text(name)
	f.keep(err)
	if s == "" {
		return def
	}
	return s
}

func (f *bodyFields) flag(name string, def bool) bool {
	switch v := f.of[name].(type) {
	case nil:
		return def
	case bool:
		return v
	}
	f.keep(problem("E0000003"))
	return def
}

func (f *bodyFields) texts(name string) []string {
	list, ok := f.of[name].([]any)
	if !ok && f.of[name] != nil {
		f.keep(problem("E0000003"))
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			f.keep(problem("E0000003"))
		}
		out = append(out, s)
	}
	return out
}

// clientFields are the members of settings.oauthClient that the directory
// knows; it keeps the others as they were sent.
var clientFields = []string{
	"application_type", "grant_types", "response_types", "redirect_uris", "post_logout_redirect_uris",
	"dpop_bound_access_tokens", "jwks", "jwks_uri",
}

func (f *bodyFields) settings(c *directory.Client) {
	c.ApplicationType = f.text("application_type", "")
	c.GrantTypes, c.ResponseTypes = f.texts("grant_types"), f.texts("response_types")
	c.RedirectURIs, c.PostLogoutRedirectURIs = f.texts("redirect_uris"), f.texts("post_logout_redirect_uris")
	c.DPoPBound = f.flag("dpop_bound_access_tokens", false)
	c.JWKSURI = f.text("jwks_uri", "")
	c.JWKS = f.keys()
	c.Settings = maps.Clone(map[string]any(f.of))
	maps.DeleteFunc(c.Settings, func(name string, v any) bool { return v == nil || slices.Contains(clientFields, name) })
}

// privateKeyMembers must never be sent to a server; if they are, they are not
// kept (RFC 7518 6.2.2, 6.3.2, 6.4).
var privateKeyMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

func (f *bodyFields) keys() []any {
	jwks, err := f.of.object("jwks")
	f.keep(err)
	list, ok := jwks["keys"].([]any)
	if jwks == nil {
		return nil
	}
	if !ok {
		f.keep(problem("E0000003"))
	}
	out := make([]any, 0, len(list))
	for _, v := range list {
		key, ok := v.(map[string]any)
		if !ok {
			f.keep(problem("E0000003"))
			continue
		}
		key = maps.Clone(key)
		maps.DeleteFunc(key, func(name string, _ any) bool { return slices.Contains(privateKeyMembers, name) })
		if key["use"] == nil {
			key["use"] = "sig" // what a key is for that does not say so
		}
		out = append(out, key)
	}
	return out
}

// credentials reads credentials.oauthClient and returns the chosen secret. The
// id of a client is settled when it is made.
func (f *bodyFields) credentials(c *directory.Client, isNew bool) (secret string) {
	if isNew {
		c.ID = f.text("client_id", "")
		c.PKCE = c.ApplicationType == "native" || c.ApplicationType == "browser"
	}
	c.AuthMethod = f.text("token_endpoint_auth_method", c.AuthMethod)
	c.AutoKeyRotation = f.flag("autoKeyRotation", c.AutoKeyRotation)
	c.PKCE = f.flag("pkce_required", c.PKCE)
	return f.text("client_secret", "")
}

// draft is the application that the body of POST /apps asks for.
func (b *appBody) draft(activate bool) (directory.AppDraft, error) {
	client, secret, err := b.client(nil)
	return directory.AppDraft{
		Name: b.name, Label: b.label, SignOnMode: b.mode, Client: client, ClientSecret: secret,
		Document: b.document, Activate: activate,
	}, err
}

// apply makes of an application what the body of PUT /apps/{id} asks for. Its
// name, and credentials that the body does not speak of, stay.
func (b *appBody) apply(app *directory.App, client *directory.Client) error {
	if b.label != "" {
		app.Label = b.label
	}
	if b.mode != "" {
		app.SignOnMode = b.mode
	}
	if old := app.Document["credentials"]; old != nil && b.document["credentials"] == nil {
		b.document["credentials"] = old
	}
	app.Document, app.Client = b.document, client
	if b.signingKey == "" || app.SignsWith() == "" {
		return nil
	}
	key, err := app.Key(b.signingKey)
	if err != nil {
		return err
	}
	app.Keys = slices.DeleteFunc(app.Keys, func(k directory.SigningKey) bool { return k.ID == key.ID })
	app.Keys = append(app.Keys, key)
	return nil
}
