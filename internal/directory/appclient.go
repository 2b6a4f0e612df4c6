package directory

import (
	"cmp"
	"context"
	"crypto/subtle"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Client is the OAuth client that an OPENID_CONNECT application is.
type Client struct {
	ID              string `json:"id"`         // client_id; that of the application unless it was asked for
	AuthMethod      string `json:"authMethod"` // token_endpoint_auth_method
	AutoKeyRotation bool   `json:"autoKeyRotation"`
	PKCE            bool   `json:"pkce"` // pkce_required

	ApplicationType        string   `json:"applicationType"` // web, native, browser, service
	GrantTypes             []string `json:"grantTypes"`
	ResponseTypes          []string `json:"responseTypes"`
	RedirectURIs           []string `json:"redirectUris"`
	PostLogoutRedirectURIs []string `json:"postLogoutRedirectUris,omitempty"`
	DPoPBound              bool     `json:"dpopBound,omitempty"` // dpop_bound_access_tokens

	JWKS    []any  `json:"jwks,omitempty"` // public keys, as JSON Web Keys
	JWKSURI string `json:"jwksUri,omitempty"`

	Settings map[string]any `json:"settings,omitempty"` // the rest of settings.oauthClient as sent
}

// The ways in which a client proves itself to the token endpoint.
const (
	NoClientAuth      = "none"
	ClientSecretBasic = "client_secret_basic"
	ClientSecretPost  = "client_secret_post"
	ClientSecretJWT   = "client_secret_jwt"
	PrivateKeyJWT     = "private_key_jwt"
)

var clientAuthMethods = []string{NoClientAuth, ClientSecretBasic, ClientSecretPost, ClientSecretJWT, PrivateKeyJWT}

var applicationTypes = []string{"web", "native", "browser", "service"}

// complete fills in Okta's defaults (Okta OpenAPI 2026.06.3,
// OpenIdConnectApplicationSettingsClient).
func (c *Client) complete(appID string) {
	c.ID = cmp.Or(c.ID, appID)
	c.ApplicationType = cmp.Or(c.ApplicationType, "web")
	c.AuthMethod = cmp.Or(c.AuthMethod, ClientSecretBasic)
	if c.AuthMethod == NoClientAuth {
		c.PKCE = true // nothing else proves that the code came back to who asked
	}
	service := c.ApplicationType == "service"
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{"authorization_code"}
		if service {
			c.GrantTypes = []string{"client_credentials"}
		}
	}
	if len(c.ResponseTypes) == 0 {
		c.ResponseTypes = []string{"code"}
		if service {
			c.ResponseTypes = []string{"token"}
		}
	}
	if c.RedirectURIs == nil {
		c.RedirectURIs = []string{}
	}
}

// The lengths of identifiers and secrets that may be chosen (Okta OpenAPI
// 2026.06.3, ApplicationCredentialsOAuthClient).
const (
	minClientID     = 6
	minClientSecret = 14
	maxClientText   = 100
)

func (c *Client) check(secret string) Violations {
	id := Attribute{Name: "client_id", Type: TextType, Required: true, Min: minClientID, Max: maxClientText}
	v := id.check(c.ID)
	if n := utf8.RuneCountInString(secret); secret != "" && n < minClientSecret {
		v = append(v, Violation{Field: "client_secret", Rule: TooShort, Limit: minClientSecret})
	} else if n > maxClientText {
		v = append(v, Violation{Field: "client_secret", Rule: TooLong, Limit: maxClientText})
	}
	if !slices.Contains(clientAuthMethods, c.AuthMethod) {
		v = append(v, Violation{Field: "token_endpoint_auth_method", Rule: WrongType})
	}
	if !slices.Contains(applicationTypes, c.ApplicationType) {
		v = append(v, Violation{Field: "application_type", Rule: WrongType})
	}
	if c.AuthMethod == PrivateKeyJWT && len(c.JWKS) == 0 && c.JWKSURI == "" {
		v = append(v, Violation{Field: "jwks", Rule: Blank})
	}
	if c.redirects() && len(c.RedirectURIs) == 0 {
		v = append(v, Violation{Field: "redirect_uris", Rule: Blank})
	}
	if slices.ContainsFunc(c.RedirectURIs, badRedirect) {
		v = append(v, Violation{Field: "redirect_uris", Rule: WrongType})
	}
	if slices.ContainsFunc(c.PostLogoutRedirectURIs, badRedirect) {
		v = append(v, Violation{Field: "post_logout_redirect_uris", Rule: WrongType})
	}
	return v
}

// badRedirect reports whether a browser must not be sent to a URI: it has to be
// absolute and without a fragment (RFC 6749 3.1.2), and no program or document
// by itself.
func badRedirect(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || strings.Contains(uri, "#") {
		return true
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Host == ""
	}
	return slices.Contains([]string{"javascript", "data", "vbscript", "blob", "file"}, u.Scheme)
}

// redirects reports whether people come back to the client through a browser.
func (c *Client) redirects() bool {
	return slices.Contains(c.GrantTypes, "authorization_code") || slices.Contains(c.GrantTypes, "implicit")
}

// HasSecret reports whether the client proves itself by a secret.
func (c *Client) HasSecret() bool {
	return c.AuthMethod == ClientSecretBasic || c.AuthMethod == ClientSecretPost || c.AuthMethod == ClientSecretJWT
}

// Client returns the application whose OAuth client has an id. Its status is
// for the caller to look at.
func (d *Directory) Client(ctx context.Context, realm, clientID string) (app *App, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		app, err = clientApp(r, realm, clientID)
		return err
	})
	return app, err
}

func clientApp(r Reader, realm, clientID string) (*App, error) {
	if clientID == "" {
		return nil, NotFound(AppNoun, clientID)
	}
	return getByKey[App](r, realm, clientID)
}

// freeClientID refuses an id that another client has.
func freeClientID(r Reader, realm, id string) error {
	switch _, err := clientApp(r, realm, id); {
	case err == nil:
		return Duplicate("client_id")
	case !fault.Is(err, fault.NotFound):
		return err
	}
	return nil
}

// A client secret is kept as its digest, in a record of its own that the
// change log never sees. One that is made here has 380 random bits and one
// that is chosen has at least 14 characters, as Okta demands, so the digest
// need not be slow. client_secret_jwt needs the secret itself and cannot be
// verified from a digest.

// madeSecret is how long made secrets are (recorded).
const madeSecret = 64

type appSecret struct {
	Meta          // the id is that of the application
	Digest string `json:"digest"`
}

func (s *appSecret) Place() Place { return Place{Noun: AppSecretNoun, Parent: s.ID} }

// settleSecret stores the secret of a new or edited application: the chosen
// one, or a made one when it needs a secret and has none. It returns what is
// new, or "".
func (d *Directory) settleSecret(tx Tx, app *App, chosen string, now time.Time) (string, error) {
	_, err := tx.Record(app.Realm, AppSecretNoun, app.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	has, needs := err == nil, app.Client != nil && app.Client.HasSecret()
	if has == needs && chosen == "" || !has && !needs {
		return "", nil
	}
	if has {
		if err := tx.DeleteRecord(app.Realm, AppSecretNoun, app.ID); err != nil {
			return "", err
		}
	}
	if !needs {
		return "", nil
	}
	secret := cmp.Or(chosen, d.IDs.Token(madeSecret))
	return secret, putObject(tx, &appSecret{Meta: Meta{ID: app.ID, Realm: app.Realm}, Digest: Digest(secret)}, now)
}

// CheckClientSecret reports whether text is the secret of an application's client.
func (d *Directory) CheckClientSecret(ctx context.Context, app *App, text string) (bool, error) {
	var kept *appSecret
	err := d.Store.View(ctx, func(r Reader) (err error) {
		kept, err = get[appSecret](r, app.Realm, app.ID)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare([]byte(kept.Digest), []byte(Digest(text))) == 1, nil
}
