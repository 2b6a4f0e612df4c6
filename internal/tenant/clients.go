package tenant

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Client is an application that asks the tenant for tokens. Its id is its
// client_id.
type Client struct {
	directory.Meta

	Name string `json:"name"`

	// Settings are as Auth0 spells them. The client's name, id and secret, and
	// what is in its credentials, are not among them.
	Settings    map[string]any `json:"settings,omitempty"`
	Credentials []Credential   `json:"credentials,omitempty"`
}

// Place says where the client is found.
func (*Client) Place() directory.Place { return directory.Place{Noun: directory.ClientNoun} }

func (c *Client) target() directory.Target {
	return directory.Target{Type: "Client", ID: c.ID, DisplayName: c.Name}
}

// List returns a setting that is a list of texts.
func (c *Client) List(setting string) []string {
	var out []string
	list, _ := c.Settings[setting].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Allows reports whether the client may use a grant type.
func (c *Client) Allows(grant string) bool { return slices.Contains(c.List("grant_types"), grant) }

// Express are the clients that Okta's integration network sets up by itself.
const Express = "express_configuration"

// Type is the client's app_type, "" for none.
func (c *Client) Type() string {
	s, _ := c.Settings["app_type"].(string)
	return s
}

//go:embed client_defaults.json
var clientDefaultsJSON []byte

// clientDefaults are the settings of a client that says nothing of them, by its
// app_type; "" are those of all (recorded).
func clientDefaults(appType string) map[string]any {
	v, err := value.Decode(clientDefaultsJSON)
	if err != nil {
		return nil // a test reads it
	}
	all, _ := v.(map[string]any)
	out, _ := all[appType].(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	base, _ := all[""].(map[string]any)
	for name, v := range base {
		if _, ok := out[name]; !ok {
			out[name] = v
		}
	}
	return out
}

const (
	clientID     = 32 // characters (recorded)
	clientSecret = 64 // the same
	secretPath   = "client_secret"
)

// CreateClient adds a client with the settings that are given and defaults for
// the others. A setting that is nil counts as not given. It returns the client
// and its secret.
func (t *Tenant) CreateClient(ctx context.Context, actor directory.Actor, name string, settings map[string]any) (*Client, string, error) {
	c := &Client{Meta: directory.Meta{ID: t.Directory.IDs.Alphanumeric(clientID), Realm: t.Realm}, Name: name, Settings: map[string]any{}}
	for k, v := range settings {
		if v != nil {
			c.Settings[k] = value.Clone(v)
		}
	}
	secret, _ := c.Settings[secretPath].(string)
	delete(c.Settings, secretPath)
	if secret == "" {
		secret = t.Directory.IDs.Token(clientSecret)
	}
	if err := t.readMethods(c); err != nil {
		return nil, "", err
	}
	c.settle()
	err := t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := t.hide(tx, c.ID, map[string]any{secretPath: secret}); err != nil {
			return err
		}
		return t.Directory.InsertObject(tx, c, t.event(actor, "auth0.client.create", c.target()))
	})
	if err != nil {
		return nil, "", err
	}
	return c, secret, nil
}

// settle completes the settings.
func (c *Client) settle() {
	if refresh, ok := c.Settings["refresh_token"].(map[string]any); ok && refresh["expiration_type"] == "expiring" {
		complete(refresh, map[string]any{"infinite_token_lifetime": false, "infinite_idle_token_lifetime": false})
	}
	if logout, ok := c.Settings["oidc_logout"].(map[string]any); ok && logout["backchannel_logout_urls"] != nil { // its older name
		c.Settings["oidc_backchannel_logout"] = map[string]any{"backchannel_logout_urls": value.Clone(logout["backchannel_logout_urls"])}
	}
	if jwt, ok := c.Settings["jwt_configuration"].(map[string]any); ok {
		complete(jwt, map[string]any{"secret_encoded": false})
	}
	for name, v := range clientDefaults(c.Type()) {
		if _, ok := c.Settings[name]; ok && name == "jwt_configuration" {
			continue // it is taken as it is said
		}
		switch have := c.Settings[name].(type) {
		case nil:
			c.Settings[name] = v
		case map[string]any:
			if more, ok := v.(map[string]any); ok {
				complete(have, more)
			}
		}
	}
}

// Client returns a client by its id.
func (t *Tenant) Client(ctx context.Context, id string) (*Client, error) {
	return get[Client](ctx, t, id)
}

// Clients returns a part of the clients that match accepts (nil: all).
func (t *Tenant) Clients(ctx context.Context, w Window, match func(*Client) bool) (p Page[*Client], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pageOf(r, directory.RecordQuery{Realm: t.Realm}, w, w.After.ID, match)
		return err
	})
	return p, err
}

// EditClient replaces settings of a client; nil takes one away. It returns the
// client and its secret.
func (t *Tenant) EditClient(ctx context.Context, actor directory.Actor, id, name string, settings map[string]any) (*Client, string, error) {
	var secret string
	after, err := amend(ctx, t, id, t.event(actor, "auth0.client.update"), func(tx directory.Tx, c *Client) (err error) {
		if name != "" {
			c.Name = name
		}
		if c.Settings == nil {
			c.Settings = map[string]any{}
		}
		for k, v := range settings {
			if v == nil {
				delete(c.Settings, k)
				continue
			}
			c.Settings[k] = value.Clone(v)
		}
		if err := t.readMethods(c); err != nil {
			return err
		}
		secret, err = t.replaceSecret(tx, c)
		c.settle()
		return err
	})
	return after, secret, err
}

// replaceSecret stores a secret that stands among the settings, and returns the
// one that counts now.
func (t *Tenant) replaceSecret(tx directory.Tx, c *Client) (string, error) {
	if chosen, ok := c.Settings[secretPath].(string); ok {
		delete(c.Settings, secretPath)
		return chosen, t.hide(tx, c.ID, map[string]any{secretPath: chosen})
	}
	secrets, err := t.reveal(tx, c.ID)
	secret, _ := secrets[secretPath].(string)
	return secret, err
}

// RotateSecret gives a client a new secret, and returns both.
func (t *Tenant) RotateSecret(ctx context.Context, actor directory.Actor, id string) (*Client, string, error) {
	secret := t.Directory.IDs.Token(clientSecret)
	c, err := amend(ctx, t, id, t.event(actor, "auth0.client.rotate_secret"), func(tx directory.Tx, c *Client) error {
		return t.hide(tx, c.ID, map[string]any{secretPath: secret})
	})
	return c, secret, err
}

// ClientSecret returns the secret of a client.
func (t *Tenant) ClientSecret(ctx context.Context, id string) (string, error) {
	secrets, err := t.Secrets(ctx, id)
	secret, _ := secrets[secretPath].(string)
	return secret, err
}

// CheckClient returns a client when a text is its secret. Who does not exist and
// a wrong secret are the same fault.Unauthorized.
func (t *Tenant) CheckClient(ctx context.Context, id, secret string) (*Client, error) {
	c, err := t.Client(ctx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	kept, secretErr := t.ClientSecret(ctx, id)
	if secretErr != nil {
		return nil, secretErr
	}
	if err != nil || kept == "" || subtle.ConstantTimeCompare([]byte(kept), []byte(secret)) != 1 {
		return nil, fault.New(fault.Unauthorized, "the client or its secret is wrong")
	}
	return c, nil
}

// DeleteClient removes a client with its grants, and what it holds of users. One that does not exist is a
// fault.NotFound.
func (t *Tenant) DeleteClient(ctx context.Context, actor directory.Actor, id string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		c, err := directory.Get[Client](tx, t.Realm, id)
		if err != nil {
			return err
		}
		if err := t.deleteClientGrants(tx, func(g *ClientGrant) bool { return g.Client == id }); err != nil {
			return err
		}
		if err := t.disconnect(tx, id); err != nil {
			return err
		}
		for _, noun := range append(directory.ClientTokens(), directory.UserGrantNoun) {
			if _, err := tx.DeleteRecords(directory.RecordQuery{Realm: t.Realm, Noun: noun, Parent: id}); err != nil {
				return err
			}
		}
		if err := t.forget(tx, id); err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, c, t.event(actor, "auth0.client.delete", c.target()))
	})
}

// disconnect takes a client out of the connections that it can use.
func (t *Tenant) disconnect(tx directory.Tx, client string) error {
	used, err := directory.All(tx, directory.RecordQuery{Realm: t.Realm}, 0, func(c *Connection) bool {
		return slices.Contains(c.EnabledClients, client)
	})
	if err != nil {
		return err
	}
	for _, c := range used {
		c.EnabledClients = slices.DeleteFunc(c.EnabledClients, func(id string) bool { return id == client })
		if err := t.Directory.ReplaceObject(tx, c); err != nil {
			return err
		}
	}
	return nil
}

// Credential is a public key or certificate by which a client proves itself.
type Credential struct {
	ID         string    `json:"id"`
	Name       string    `json:"name,omitempty"`
	Type       string    `json:"type"` // public_key, x509_cert or cert_subject_dn
	PEM        string    `json:"pem,omitempty"`
	KeyID      string    `json:"kid,omitempty"`        // of public_key: its thumbprint (RFC 7638) unless chosen
	Algorithm  string    `json:"alg,omitempty"`        // of public_key
	Thumbprint string    `json:"thumbprint,omitempty"` // of x509_cert: SHA-256
	SubjectDN  string    `json:"subjectDn,omitempty"`  // of cert_subject_dn
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	Expires    time.Time `json:"expires,omitzero"`
}

// CredentialDraft is what a new credential is made of.
type CredentialDraft struct {
	Name, Type, PEM, KeyID, Algorithm, SubjectDN string
	Expires                                      time.Time
	ParseExpiry                                  bool // take it from the certificate
}

// credential reads a draft. What is no key or certificate is a fault.Invalid.
func (t *Tenant) credential(d CredentialDraft) (Credential, error) {
	now := t.Directory.Now()
	c := Credential{
		ID: "cred_" + t.Directory.IDs.Alphanumeric(22), Name: d.Name, Type: d.Type, PEM: d.PEM,
		KeyID: d.KeyID, SubjectDN: d.SubjectDN, Created: now, Updated: now, Expires: d.Expires,
	}
	block, _ := pem.Decode([]byte(d.PEM))
	if block == nil && d.PEM != "" {
		return c, mistake("Invalid PEM")
	}
	switch d.Type {
	case "public_key":
		return c, c.readKey(block, d.Algorithm)
	case "x509_cert":
		cert, err := readCertificate(block)
		if err != nil {
			return c, err
		}
		sum := sha256.Sum256(cert.Raw)
		c.Thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
		c.Expires = cert.NotAfter.UTC()
	case "cert_subject_dn":
		if c.SubjectDN == "" {
			cert, err := readCertificate(block)
			if err != nil {
				return c, err
			}
			c.SubjectDN = distinguishedName(cert)
		}
	default:
		return c, mistake("credential_type %s is not supported", d.Type)
	}
	return c, nil
}

func (c *Credential) readKey(block *pem.Block, algorithm string) error {
	if block == nil {
		return mistake("Invalid PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return mistake("Invalid public key")
	}
	if _, ok := key.(*rsa.PublicKey); !ok {
		return mistake("Invalid public key")
	}
	if c.Algorithm = algorithm; algorithm == "" {
		c.Algorithm = string(jose.RS256)
	}
	if c.KeyID == "" {
		sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
		if err != nil {
			return mistake("Invalid public key")
		}
		c.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	}
	return nil
}

func readCertificate(block *pem.Block) (*x509.Certificate, error) {
	if block == nil {
		return nil, mistake("Invalid PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, mistake("Invalid certificate")
	}
	return cert, nil
}

// distinguishedName writes the subject of a certificate in its own order, one
// part a line (recorded).
func distinguishedName(cert *x509.Certificate) string {
	short := map[string]string{
		"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
		"1.2.840.113549.1.9.1": "emailAddress",
	}
	var parts []string
	for _, name := range cert.Subject.Names {
		if s, ok := name.Value.(string); ok {
			parts = append(parts, short[name.Type.String()]+"="+s)
		}
	}
	return strings.Join(parts, "\n")
}

// methodsSetting says by which credentials a client proves itself.
const methodsSetting = "client_authentication_methods"

// readMethods takes new credentials out of the client's settings, where their
// ids stay.
func (t *Tenant) readMethods(c *Client) error {
	methods, _ := c.Settings[methodsSetting].(map[string]any)
	for _, method := range methods {
		m, _ := method.(map[string]any)
		list, _ := m["credentials"].([]any)
		for i, v := range list {
			o, _ := v.(map[string]any)
			if _, known := o["id"]; known {
				list[i] = map[string]any{"id": o["id"]}
				continue
			}
			text := func(name string) string { s, _ := o[name].(string); return s }
			made, err := t.credential(CredentialDraft{
				Name: text("name"), Type: text("credential_type"), PEM: text("pem"), KeyID: text("kid"),
				Algorithm: text("alg"), SubjectDN: text("subject_dn"),
			})
			if err != nil {
				return err
			}
			c.Credentials = append(c.Credentials, made)
			list[i] = map[string]any{"id": made.ID}
		}
	}
	return nil
}

// credentialAt finds a credential of a client.
func (c *Client) credentialAt(id string) (int, error) {
	i := slices.IndexFunc(c.Credentials, func(one Credential) bool { return one.ID == id })
	if i < 0 {
		return 0, directory.NotFound(directory.CredentialNoun, id)
	}
	return i, nil
}

// Credential returns a credential of the client.
func (c *Client) Credential(id string) (Credential, error) {
	i, err := c.credentialAt(id)
	if err != nil {
		return Credential{}, err
	}
	return c.Credentials[i], nil
}

// AddCredential gives a client a credential.
func (t *Tenant) AddCredential(ctx context.Context, actor directory.Actor, client string, d CredentialDraft) (made Credential, err error) {
	_, err = amend(ctx, t, client, t.event(actor, "auth0.client.credential.create"), func(_ directory.Tx, c *Client) error {
		if made, err = t.credential(d); err != nil {
			return err
		}
		c.Credentials = append(c.Credentials, made)
		return nil
	})
	return made, err
}

// SetCredentialExpiry says until when a credential is good.
func (t *Tenant) SetCredentialExpiry(ctx context.Context, actor directory.Actor, client, id string, at time.Time) (changed Credential, err error) {
	_, err = amend(ctx, t, client, t.event(actor, "auth0.client.credential.update"), func(_ directory.Tx, c *Client) error {
		i, err := c.credentialAt(id)
		if err != nil {
			return err
		}
		c.Credentials[i].Expires, c.Credentials[i].Updated = at, t.Directory.Now()
		changed = c.Credentials[i]
		return nil
	})
	return changed, err
}

// DeleteCredential takes a credential from a client.
func (t *Tenant) DeleteCredential(ctx context.Context, actor directory.Actor, client, id string) error {
	_, err := amend(ctx, t, client, t.event(actor, "auth0.client.credential.delete"), func(_ directory.Tx, c *Client) error {
		i, err := c.credentialAt(id)
		if err != nil {
			return err
		}
		c.Credentials = slices.Delete(c.Credentials, i, i+1)
		return nil
	})
	return err
}
