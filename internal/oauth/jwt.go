package oauth

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// accessType is the typ of the header of access tokens for Okta's own API
// (recorded).
const accessType = "application/okta-internal-at+jwt"

// accessClaims are the claims of an access token, in the recorded order.
type accessClaims struct {
	Version  int           `json:"ver"`
	ID       string        `json:"jti"` // AT.random, or AT.random.grant when it belongs to one
	Issuer   string        `json:"iss"`
	Audience string        `json:"aud"`
	Subject  string        `json:"sub"` // login of the user, or id of the client
	Issued   int64         `json:"iat"`
	Expires  int64         `json:"exp"`
	Client   string        `json:"cid"`
	Account  string        `json:"uid,omitempty"`
	Scopes   []string      `json:"scp"`
	AuthTime int64         `json:"auth_time,omitempty"`
	Confirm  *confirmation `json:"cnf,omitempty"`
}

// confirmation binds a token to the key of a client (RFC 9449 6).
type confirmation struct {
	Thumbprint string `json:"jkt"`
}

// thumbprint of the key that the token is bound to, "" for none.
func (c *accessClaims) thumbprint() string {
	if c.Confirm == nil {
		return ""
	}
	return c.Confirm.Thumbprint
}

// idClaims are the claims of an ID token that comes beside an access token.
type idClaims struct {
	Subject   string   `json:"sub"`
	Name      string   `json:"name,omitempty"`
	Email     string   `json:"email,omitempty"`
	Version   int      `json:"ver"`
	Issuer    string   `json:"iss"`
	Audience  string   `json:"aud"`
	Issued    int64    `json:"iat"`
	Expires   int64    `json:"exp"`
	ID        string   `json:"jti"`
	Methods   []string `json:"amr"`
	Provider  string   `json:"idp"`
	Nonce     string   `json:"nonce,omitempty"`
	Preferred string   `json:"preferred_username,omitempty"`
	AuthTime  int64    `json:"auth_time"`
	AtHash    string   `json:"at_hash"`
}

// sign writes claims as a JWT. An empty typ writes none, as Okta's ID tokens.
func (s *Server) sign(ctx context.Context, claims any, typ jose.ContentType) (string, error) {
	id, key, err := s.signer(ctx)
	if err != nil {
		return "", err
	}
	options := &jose.SignerOptions{}
	if typ != "" {
		options = options.WithType(typ)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, options)
	if err != nil {
		return "", unsigned(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", unsigned(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", unsigned(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		return "", unsigned(err)
	}
	return text, nil
}

func unsigned(err error) error { return fault.Wrap(fault.Internal, err, "the token cannot be signed") }

// read checks the signature of a JWT that the server made and decodes it. What
// it did not make is false without an error.
func (s *Server) read(ctx context.Context, token, typ string, into any) (bool, error) {
	jws := parseOwn(token)
	if jws == nil {
		return false, nil
	}
	header := jws.Signatures[0].Protected
	if got, _ := header.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return false, nil
	}
	key, err := s.verifier(ctx, header.KeyID)
	if key == nil || err != nil {
		return false, err
	}
	return decodeVerified(jws, key, into), nil
}

// parseOwn reads a JWT of the form that the server makes, nil for others.
func parseOwn(token string) *jose.JSONWebSignature {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil
	}
	return jws
}

// decodeVerified decodes what a JWT says when its signature is good.
func decodeVerified(jws *jose.JSONWebSignature, key *rsa.PublicKey, into any) bool {
	payload, err := jws.Verify(key)
	return err == nil && json.Unmarshal(payload, into) == nil
}

// halfHash is the left half of a token's digest: at_hash (OpenID Connect Core 3.1.3.6).
func halfHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
