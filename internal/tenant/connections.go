package tenant

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Connection is a way for users to sign in: a database, a passwordless channel,
// or an identity provider. Its name is unique in the tenant.
type Connection struct {
	directory.Meta

	Name              string            `json:"name"`
	DisplayName       string            `json:"displayName,omitempty"`
	Strategy          string            `json:"strategy"` // "auth0" for databases, "okta", "oidc", "samlp", "waad" ...
	Options           map[string]any    `json:"options,omitempty"`
	EnabledClients    []string          `json:"enabledClients,omitempty"`
	Realms            []string          `json:"realms,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
	DomainConnection  bool              `json:"domainConnection,omitempty"`
	ShowAsButton      *bool             `json:"showAsButton,omitempty"`
	Authentication    map[string]any    `json:"authentication,omitempty"`
	ConnectedAccounts map[string]any    `json:"connectedAccounts,omitempty"`
}

// Place says where the connection is found.
func (c *Connection) Place() directory.Place {
	return directory.Place{Noun: directory.ConnectionNoun, Key: c.Name}
}

// enterprise are the strategies whose users and groups a SCIM client can write
// (scim-auth0.md 1.4), with the first part of their user ids.
var enterprise = map[string]bool{"okta": true, "oidc": true, "samlp": true, "waad": true}

// SCIM reports whether connections of the strategy can have a SCIM endpoint.
func (c *Connection) SCIM() bool { return enterprise[c.Strategy] }

// Connection returns a connection by its id.
func (t *Tenant) Connection(ctx context.Context, id string) (*Connection, error) {
	return get[Connection](ctx, t, id)
}
