package login

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/tenant"
)

// Request is what a client asks for at /authorize (OpenID Connect Core 3.1.2.1).
type Request struct {
	ClientID     string `json:"clientId"`
	RedirectURI  string `json:"redirectUri"`
	ResponseType string `json:"responseType"`
	Scope        string `json:"scope,omitempty"`
	Audience     string `json:"audience,omitempty"`
	State        string `json:"state,omitempty"`
	Nonce        string `json:"nonce,omitempty"`
	Connection   string `json:"connection,omitempty"`
	Prompt       string `json:"prompt,omitempty"`
	LoginHint    string `json:"loginHint,omitempty"`
	Challenge    string `json:"challenge,omitempty"`
	Method       string `json:"method,omitempty"`
}

// maxRequest bounds what of a request is carried in a cookie, in bytes.
const maxRequest = 2048

func (r Request) size() int {
	return len(r.ClientID) + len(r.RedirectURI) + len(r.Scope) + len(r.Audience) + len(r.State) + len(r.Nonce) +
		len(r.Connection) + len(r.LoginHint) + len(r.Challenge)
}

func (r Request) asks(scope string) bool { return slices.Contains(strings.Fields(r.Scope), scope) }

// answer is the client's address with the answer to a request.
func answer(r Request, values url.Values) string {
	if r.State != "" {
		values.Set("state", r.State)
	}
	mark := "?"
	if strings.Contains(r.RedirectURI, "?") {
		mark = "&"
	}
	return r.RedirectURI + mark + values.Encode()
}

// The ways of a code challenge (RFC 7636 4.3).
const (
	methodS256  = "S256"
	methodPlain = "plain"
)

// challengePattern is that of RFC 7636 4.2.
var challengePattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// check finds client and connection of a request. As long as the client's
// address is not sure, a refusal has no way back.
func (s *Service) check(ctx context.Context, r Request) (*tenant.Client, *tenant.Connection, error) {
	client, err := s.addressee(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	connection, err := s.permitted(ctx, client, r)
	if err != nil {
		return nil, nil, backTo(err, r)
	}
	return client, connection, nil
}

// addressee is the client of a request, with the certainty that the address is
// the client's.
func (s *Service) addressee(ctx context.Context, r Request) (*tenant.Client, error) {
	switch {
	case r.size() > maxRequest:
		return nil, refuse(InvalidRequest, "The request is too long.")
	case r.ClientID == "":
		return nil, refuse(InvalidRequest, "Missing required parameter: client_id")
	case r.RedirectURI == "":
		return nil, refuse(InvalidRequest, "Missing required parameter: redirect_uri")
	}
	client, err := s.Tenant.Client(ctx, r.ClientID)
	if missing(err) {
		return nil, refuse(InvalidRequest, "Unknown client: "+r.ClientID).because(err)
	}
	if err != nil {
		return nil, err
	}
	if !slices.Contains(client.List("callbacks"), r.RedirectURI) {
		return nil, refuse(InvalidRequest, "Callback URL mismatch. "+r.RedirectURI+" is not in the list of allowed callback URLs.")
	}
	return client, nil
}

// permitted checks the rest of a request and returns its connection.
func (s *Service) permitted(ctx context.Context, client *tenant.Client, r Request) (*tenant.Connection, error) {
	switch {
	case r.ResponseType != "code":
		return nil, refuse("unsupported_response_type", "The response type has to be code.")
	case !client.Allows(GrantCode):
		return nil, refuse("unauthorized_client", "Grant type 'authorization_code' not allowed for the client.")
	case !r.asks("openid"):
		return nil, refuse("invalid_scope", "The scope has to name openid.")
	case r.Challenge == "" && public(client):
		return nil, refuse(InvalidRequest, "A client without a secret has to send a code_challenge.")
	case r.Challenge != "" && !challengePattern.MatchString(r.Challenge):
		return nil, refuse(InvalidRequest, "The code_challenge has to be 43 to 128 unreserved characters.")
	case r.Method != "" && r.Method != methodS256 && r.Method != methodPlain:
		return nil, refuse(InvalidRequest, "The code_challenge_method has to be S256 or plain.")
	}
	if r.Audience != "" {
		if _, err := s.audience(ctx, r.Audience); err != nil {
			return nil, err
		}
	}
	return s.connection(ctx, client, r.Connection)
}

// audience is the API that a request wants a token for, by its identifier.
func (s *Service) audience(ctx context.Context, identifier string) (*tenant.ResourceServer, error) {
	api, err := s.Tenant.ResourceServer(ctx, identifier)
	if missing(err) || err == nil && api.Identifier != identifier {
		return nil, refuse(AccessDenied, "Service not found: "+identifier).because(err)
	}
	return api, err
}

// connection finds the connection of a request: the one it names, or the only
// one by which people sign in to the client.
func (s *Service) connection(ctx context.Context, client *tenant.Client, name string) (*tenant.Connection, error) {
	if name == "" {
		return s.onlyConnection(ctx, client)
	}
	c, err := s.Tenant.ConnectionByName(ctx, name)
	switch {
	case missing(err):
		return nil, refuse(InvalidRequest, "the connection was not found").because(err)
	case err != nil:
		return nil, err
	case !slices.Contains(c.EnabledClients, client.ID):
		return nil, refuse(InvalidRequest, "the connection is not enabled")
	case !serves(c):
		return nil, refuse(InvalidRequest, "people do not sign in by connections of the strategy "+c.Strategy+" here")
	}
	return c, nil
}

func (s *Service) onlyConnection(ctx context.Context, client *tenant.Client) (*tenant.Connection, error) {
	page, err := s.Tenant.Connections(ctx, tenant.Window{Limit: 2}, func(c *tenant.Connection) bool {
		return serves(c) && slices.Contains(c.EnabledClients, client.ID)
	})
	if err != nil {
		return nil, err
	}
	if len(page.Items) != 1 {
		return nil, refuse(InvalidRequest, "Missing required parameter: connection")
	}
	return page.Items[0], nil
}

// serves reports whether people can sign in by a connection here: by OpenID
// Connect.
func serves(c *tenant.Connection) bool { return c.Strategy == "okta" || c.Strategy == "oidc" }

// public reports whether a client has no secret that it could keep.
func public(c *tenant.Client) bool { return c.Settings["token_endpoint_auth_method"] == "none" }
