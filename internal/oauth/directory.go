package oauth

import (
	"context"
	"encoding/json"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Applications are the clients that the applications of a realm are.
type Applications struct {
	Directory *directory.Directory
	Realm     string
}

var _ Clients = Applications{}

// Client implements Clients.
func (a Applications) Client(ctx context.Context, id string) (*Client, error) {
	app, err := a.Directory.Client(ctx, a.Realm, id)
	if err != nil {
		return nil, err
	}
	o := app.Client
	c := &Client{
		ID: o.ID, App: app.ID, Name: app.Label, Active: app.Status == directory.On,
		Type: o.ApplicationType, AuthMethod: o.AuthMethod, JWKSURI: o.JWKSURI, GrantTypes: o.GrantTypes,
		RedirectURIs: o.RedirectURIs, LogoutURIs: o.PostLogoutRedirectURIs,
		RequirePKCE: o.PKCE, RequireDPoP: o.DPoPBound, RequireConsent: o.Settings["consent_method"] == "REQUIRED",
	}
	if len(o.JWKS) > 0 {
		if c.JWKS, err = json.Marshal(map[string]any{"keys": o.JWKS}); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the keys of the client cannot be read")
		}
	}
	return c, nil
}

// app returns the application of a client, as far as the directory asks for it.
func (a Applications) app(c *Client) *directory.App {
	return &directory.App{Meta: directory.Meta{ID: c.App, Realm: a.Realm}}
}

// CheckSecret implements Clients.
func (a Applications) CheckSecret(ctx context.Context, c *Client, secret string) (bool, error) {
	return a.Directory.CheckClientSecret(ctx, a.app(c), secret)
}

// Scopes implements Clients.
func (a Applications) Scopes(ctx context.Context, c *Client) ([]string, error) {
	return a.Directory.GrantedScopes(ctx, a.app(c))
}

// Assigned implements Clients.
func (a Applications) Assigned(ctx context.Context, c *Client, account string) (bool, error) {
	_, err := a.Directory.AppUser(ctx, a.Realm, c.App, account)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
