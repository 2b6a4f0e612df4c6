package oauth

import (
	"context"
	"strings"
)

// Credentials are what a client shows to prove who it is (RFC 6749 2.3, RFC
// 7521 4.2).
type Credentials struct {
	Basic            bool // there is an Authorization header
	BasicBad         bool // it is not that of a client
	BasicID          string
	BasicSecret      string
	ID               string // client_id
	Secret           string // client_secret
	AssertionType    string // client_assertion_type
	Assertion        string // client_assertion
	Endpoint, Issuer string // what the assertion must be meant for
}

// assertionType is the only one (RFC 7523 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// The ways to prove who one is (OpenID Connect Core 9).
const (
	bySecret = "client_secret"
	byKey    = "private_key_jwt"
	byNobody = "none"
)

// proven is a client that has shown its credentials.
type proven struct {
	*Client
	how  string     // bySecret, byKey or byNobody
	used *assertion // to be marked as used when the request succeeds
}

// authenticate returns the client that shows credentials.
func (s *Server) authenticate(ctx context.Context, c Credentials) (*proven, error) {
	ways := 0
	for _, there := range []bool{c.Basic, c.Secret != "", c.Assertion != "" || c.AssertionType != ""} {
		if there {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, Refuse("multiple_client_credentials")
	case c.BasicBad:
		return nil, Refuse("invalid_basic_auth_creds")
	case c.Assertion != "" || c.AssertionType != "":
		return s.byAssertion(ctx, c)
	case c.Basic:
		return s.bySecret(ctx, c.BasicID, c.BasicSecret)
	case c.ID == "":
		return nil, Refuse("missing_client_credentials")
	}
	return s.bySecret(ctx, c.ID, c.Secret)
}

// bySecret checks a client's secret; one that has none may show none. Whether
// it comes in the header or in the body does not matter: Okta's console knows
// only "client secret".
func (s *Server) bySecret(ctx context.Context, id, secret string) (*proven, error) {
	client, err := s.client(ctx, id)
	switch {
	case missing(err):
		return nil, Refuse("invalid_client_id").because(err)
	case err != nil:
		return nil, err
	case !client.Active:
		return nil, Refuse("invalid_client")
	case client.public() && secret == "":
		return &proven{Client: client, how: byNobody}, nil
	case secret == "":
		return nil, Refuse("missing_client_credentials")
	case !strings.HasPrefix(client.AuthMethod, bySecret):
		return nil, Refuse("invalid_token_endpoint_auth_method")
	}
	good, err := s.Clients.CheckSecret(ctx, client, secret)
	if err != nil {
		return nil, err
	}
	if !good {
		return nil, Refuse("invalid_client_secret")
	}
	return &proven{Client: client, how: bySecret}, nil
}
