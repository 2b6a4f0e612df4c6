package app

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// newOAuth joins the authorization server of the sandbox's Okta org to the
// directory: its applications are the clients, its accounts sign in, and its
// roles say what they and the clients may do.
func newOAuth(d *directory.Directory, key secret.Key) *oauth.Server {
	const realm = directory.OktaRealm
	return &oauth.Server{
		Directory: d, Realm: realm, Key: key, Began: d.Clock(),
		Clients: oauth.Applications{Directory: d, Realm: realm},
		Roles: func(ctx context.Context, id string) ([]string, error) {
			types, err := d.RolesOf(ctx, realm, id)
			roles := make([]string, len(types))
			for i, t := range types {
				roles[i] = string(t)
			}
			return roles, err
		},
		SignIn: func(ctx context.Context, from directory.Actor, login, password string) (*directory.Account, error) {
			return d.SignInFrom(ctx, from, realm, login, password)
		},
	}
}

// commandActor is who the change log says did what was asked for on the
// command line.
var commandActor = directory.System("command line")

// CreateToken implements api.Service.
func (f *Folder) CreateToken(ctx context.Context, n oauth.NewAPIToken) (token string, kept oauth.APIToken, err error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return "", oauth.APIToken{}, err
	}
	return box.oauth.CreateAPIToken(ctx, commandActor, n)
}

// Tokens implements api.Service.
func (f *Folder) Tokens(ctx context.Context) ([]oauth.APIToken, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	return box.oauth.APITokens(ctx)
}

// RevokeToken implements api.Service.
func (f *Folder) RevokeToken(ctx context.Context, ref string) (oauth.APIToken, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return oauth.APIToken{}, err
	}
	kept, err := box.oauth.FindAPIToken(ctx, ref)
	if err != nil {
		return kept, err
	}
	return kept, box.oauth.RevokeAPIToken(ctx, commandActor, kept.ID)
}
