package auth0

import (
	"context"
	"crypto/rsa"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// Client is a machine application that is not an object of the tenant, with a
// grant for the Management API.
type Client struct {
	ID, Secret string
	Scopes     []string // granted
}

// tokenLife is how long a Management API token lives (Auth0's default).
const tokenLife = 24 * time.Hour

// Clients is the Authorizer of a tenant: its clients get tokens for the APIs that
// they have grants for. Tokens are JSON Web Tokens signed with the tenant's keys,
// so that others can check them and nothing is stored.
type Clients struct {
	tenant *tenant.Tenant
	fixed  []Client

	mu      sync.Mutex // guards what follows
	private map[string]*rsa.PrivateKey
	public  map[string]*rsa.PublicKey
}

var _ Authorizer = (*Clients)(nil)

// NewClients returns the Authorizer of a tenant and of some clients beside its
// own.
func NewClients(t *tenant.Tenant, fixed ...Client) *Clients {
	return &Clients{tenant: t, fixed: fixed, private: map[string]*rsa.PrivateKey{}, public: map[string]*rsa.PublicKey{}}
}

// grant are the claims of a token beside the registered ones.
type grant struct {
	Scope        string `json:"scope,omitempty"`
	Type         string `json:"gty,omitempty"`
	Party        string `json:"azp"`
	Organization string `json:"org_id,omitempty"`
}

// managementPath ends the identifier of every tenant's Management API.
const managementPath = basePath + "/"

// granted is what a client may ask of an API.
type granted struct {
	scopes []string
	life   time.Duration
}

// Issue makes a token for a client.
func (c *Clients) Issue(ctx context.Context, r TokenRequest) (Token, error) {
	g, err := c.granted(ctx, r)
	if err != nil {
		return Token{}, err
	}
	scopes := g.scopes
	if r.Scope != "" {
		scopes = strings.Fields(r.Scope)
	}
	for _, s := range scopes {
		if !slices.Contains(g.scopes, s) {
			return Token{}, fault.New(fault.Forbidden, "Client has not been granted scopes: %s", s)
		}
	}
	now := c.tenant.Directory.Now()
	text, err := c.sign(ctx, jwt.Claims{
		Issuer: r.Issuer, Subject: r.ClientID + "@clients", Audience: jwt.Audience{r.Audience},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(g.life)),
	}, grant{Scope: strings.Join(scopes, " "), Type: "client-credentials", Party: r.ClientID})
	if err != nil {
		return Token{}, err
	}
	return Token{Access: text, Scope: strings.Join(scopes, " "), Expires: g.life}, nil
}

// granted finds what the client of a request may ask of the API. Every audience
// that ends in /api/v2/ is the Management API of this tenant, whatever host the
// client knows it by.
func (c *Clients) granted(ctx context.Context, r TokenRequest) (granted, error) {
	if fixed, ok := c.find(r.ClientID, r.ClientSecret); ok {
		if !isManagement(r.Audience) {
			return granted{}, fault.New(fault.Forbidden, "Service not enabled within domain: %s", r.Audience)
		}
		return granted{fixed.Scopes, tokenLife}, nil
	}
	client, err := c.tenant.CheckClient(ctx, r.ClientID, r.ClientSecret)
	if err != nil {
		return granted{}, err
	}
	if !client.Allows("client_credentials") {
		return granted{}, &oauthError{
			status: http.StatusForbidden, Code: "unauthorized_client", Description: "Grant type 'client_credentials' not allowed for the client.",
		}
	}
	life := tokenLife
	if !isManagement(r.Audience) {
		server, err := c.tenant.ResourceServer(ctx, r.Audience)
		if fault.Is(err, fault.NotFound) || err == nil && server.Identifier != r.Audience {
			return granted{}, fault.New(fault.Forbidden, "Service not enabled within domain: %s", r.Audience)
		}
		if err != nil {
			return granted{}, err
		}
		life = server.TokenLife(tokenLife)
	}
	g, err := c.tenant.GrantFor(ctx, client.ID, tenant.ForClient, r.Audience)
	if fault.Is(err, fault.NotFound) {
		return granted{}, fault.New(fault.Forbidden, "Client is not authorized to access %q. You need to create a \"client-grant\" associated to this API. "+
			"See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants", r.Audience)
	}
	if err != nil {
		return granted{}, err
	}
	return granted{g.Scope, life}, nil
}

// find compares with every fixed client, so that the time it takes says little.
func (c *Clients) find(id, secret string) (Client, bool) {
	var found Client
	ok := false
	for _, client := range c.fixed {
		same := subtle.ConstantTimeCompare([]byte(client.ID), []byte(id)) & subtle.ConstantTimeCompare([]byte(client.Secret), []byte(secret))
		if same == 1 {
			found, ok = client, true
		}
	}
	return found, ok
}

// Authorize checks signature, audience, time and scopes of a token, and that
// its client still exists.
func (c *Clients) Authorize(ctx context.Context, token string, anyOf []string) (Caller, error) {
	var claims jwt.Claims
	var g grant
	if err := c.read(ctx, token, &claims, &g); err != nil {
		return Caller{}, err
	}
	if len(claims.Audience) != 1 || !isManagement(claims.Audience[0]) || g.Type != "client-credentials" {
		return Caller{}, fault.New(fault.Unauthorized, "the token is not for this API")
	}
	if !slices.ContainsFunc(c.fixed, func(client Client) bool { return client.ID == g.Party }) {
		if _, err := c.tenant.Client(ctx, g.Party); err != nil {
			return Caller{}, fault.Wrap(fault.Unauthorized, err, "the client of the token is gone")
		}
	}
	held := strings.Fields(g.Scope)
	if slices.ContainsFunc(held, func(s string) bool { return slices.Contains(anyOf, s) }) {
		return Caller{claims.Subject, held}, nil
	}
	return Caller{}, fault.New(fault.Forbidden, "the token has none of the scopes %s", strings.Join(anyOf, ", "))
}

// read checks signature and time of a token and decodes its claims.
func (c *Clients) read(ctx context.Context, token string, claims *jwt.Claims, more any) error {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fault.Wrap(fault.Unauthorized, err, "the token cannot be read")
	}
	key, err := c.publicKey(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return err
	}
	if err := parsed.Claims(key, claims, more); err != nil {
		return fault.Wrap(fault.Unauthorized, err, "the token's signature is wrong")
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Time: c.tenant.Directory.Now()}, 0); err != nil {
		return fault.Wrap(fault.Unauthorized, err, "the token has expired")
	}
	return nil
}

// sign makes a token of claims.
func (c *Clients) sign(ctx context.Context, claims ...any) (string, error) {
	id, key, err := c.signingKey(ctx)
	if err != nil {
		return "", err
	}
	return signWith(id, key, claims...)
}

func signWith(id string, key *rsa.PrivateKey, claims ...any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the key that signs tokens cannot be used")
	}
	builder := jwt.Signed(signer)
	for _, one := range claims {
		builder = builder.Claims(one)
	}
	text, err := builder.Serialize()
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the token cannot be signed")
	}
	return text, nil
}

// signingKey returns the key that signs now.
func (c *Clients) signingKey(ctx context.Context) (string, *rsa.PrivateKey, error) {
	keys, err := c.tenant.Keys(ctx, tenant.TenantKeys, c.tenant.Realm)
	if err != nil {
		return "", nil, err
	}
	id := keys[0].ID
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.private[id] == nil {
		if c.private[id], err = c.tenant.PrivateKey(ctx, id); err != nil {
			return "", nil, err
		}
	}
	return id, c.private[id], nil
}

// publicKey returns a key that tokens are signed with. One that nobody knows is a
// fault.Unauthorized.
func (c *Clients) publicKey(ctx context.Context, id string) (*rsa.PublicKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key := c.public[id]; key != nil {
		return key, nil
	}
	keys, err := c.tenant.Keys(ctx, tenant.TenantKeys, c.tenant.Realm)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.ID != id {
			continue
		}
		if c.public[id], err = k.Public(); err != nil {
			return nil, err
		}
		return c.public[id], nil
	}
	return nil, fault.New(fault.Unauthorized, "the token was signed with a key that is not the tenant's")
}
