package auth0

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Client is a machine application with a grant for the Management API.
type Client struct {
	ID, Secret string
	Scopes     []string // granted
}

// tokenLife is how long a Management API token lives (Auth0's default).
const tokenLife = 24 * time.Hour

// Clients is an Authorizer with a fixed set of clients. Its tokens are JSON Web
// Tokens signed with a key of its own (HMAC), so that they survive a restart
// and nothing is stored.
type Clients struct {
	list   []Client
	signer jose.Signer
	key    []byte
	clock  func() time.Time
}

var _ Authorizer = (*Clients)(nil)

// NewClients returns the Authorizer of some clients. The key has at least 32
// bytes and is the same for all processes that serve the tenant.
func NewClients(key []byte, clock func() time.Time, list ...Client) (*Clients, error) {
	if len(key) < 32 {
		return nil, fault.New(fault.Invalid, "the key that signs Auth0 tokens has %d bytes, it needs 32", len(key))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the key that signs Auth0 tokens cannot be used")
	}
	return &Clients{list: list, signer: signer, key: key, clock: clock}, nil
}

// grant are the claims of a token beside the registered ones.
type grant struct {
	Scope string `json:"scope"`
	Type  string `json:"gty"`
	Party string `json:"azp"`
}

// managementPath ends the identifier of every tenant's Management API.
const managementPath = "/api/v2/"

// Issue makes a token for a client. Every audience that ends in /api/v2/ is
// the Management API of this tenant, whatever host the client knows it by.
func (c *Clients) Issue(_ context.Context, r TokenRequest) (Token, error) {
	client, ok := c.find(r.ClientID, r.ClientSecret)
	if !ok {
		return Token{}, fault.New(fault.Unauthorized, "the client or its secret is wrong")
	}
	if !strings.HasSuffix(r.Audience, managementPath) {
		return Token{}, fault.New(fault.Forbidden, "Service not enabled within domain: %s", r.Audience)
	}
	scopes := client.Scopes
	if r.Scope != "" {
		scopes = strings.Fields(r.Scope)
	}
	for _, s := range scopes {
		if !slices.Contains(client.Scopes, s) {
			return Token{}, fault.New(fault.Forbidden, "Client has not been granted scopes: %s", s)
		}
	}
	now := c.clock()
	text, err := jwt.Signed(c.signer).Claims(jwt.Claims{
		Issuer: r.Issuer, Subject: client.ID + "@clients", Audience: jwt.Audience{r.Audience},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(tokenLife)),
	}).Claims(grant{Scope: strings.Join(scopes, " "), Type: "client-credentials", Party: client.ID}).Serialize()
	if err != nil {
		return Token{}, fault.Wrap(fault.Internal, err, "the token cannot be signed")
	}
	return Token{Access: text, Scope: strings.Join(scopes, " "), Expires: tokenLife}, nil
}

// find compares with every client, so that the time it takes says little.
func (c *Clients) find(id, secret string) (Client, bool) {
	var found Client
	ok := false
	for _, client := range c.list {
		same := subtle.ConstantTimeCompare([]byte(client.ID), []byte(id)) & subtle.ConstantTimeCompare([]byte(client.Secret), []byte(secret))
		if same == 1 {
			found, ok = client, true
		}
	}
	return found, ok
}

// Authorize checks signature, audience, time and scopes of a token, and that
// its client still exists.
func (c *Clients) Authorize(_ context.Context, token string, anyOf []string) (Caller, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return Caller{}, fault.Wrap(fault.Unauthorized, err, "the token cannot be read")
	}
	var claims jwt.Claims
	var g grant
	if err := parsed.Claims(c.key, &claims, &g); err != nil {
		return Caller{}, fault.Wrap(fault.Unauthorized, err, "the token's signature is wrong")
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Time: c.clock()}, 0); err != nil {
		return Caller{}, fault.Wrap(fault.Unauthorized, err, "the token has expired")
	}
	known := slices.ContainsFunc(c.list, func(client Client) bool { return client.ID == g.Party })
	if !known || len(claims.Audience) != 1 || !strings.HasSuffix(claims.Audience[0], managementPath) {
		return Caller{}, fault.New(fault.Unauthorized, "the token is not for this API")
	}
	held := strings.Fields(g.Scope)
	if slices.ContainsFunc(held, func(s string) bool { return slices.Contains(anyOf, s) }) {
		return Caller{claims.Subject, held}, nil
	}
	return Caller{}, fault.New(fault.Forbidden, "the token has none of the scopes %s", strings.Join(anyOf, ", "))
}
