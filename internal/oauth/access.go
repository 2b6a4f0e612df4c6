package oauth

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Principal is who calls the API, and what for. Exactly one of Account and
// Client acts: a Client beside an Account is what the account uses.
type Principal struct {
	Account    *directory.Account
	Client     *Client
	Scopes     []string // nil: not limited, as API tokens are
	Roles      []string // types of the admin roles
	Credential string   // id of the token, or of the client that it was given to
}

// Call is a call of the API with its credential.
type Call struct {
	Scheme, Token string   // of the Authorization header
	Proofs        []string // the DPoP headers
	Method        string
	URL           string // as the client addressed it
	Issuer        string // the org's address as the client knows it
}

// Authorize returns who makes a call. A credential that is missing or wrong is
// fault.Unauthorized; for access tokens it is an *Error with the reason.
func (s *Server) Authorize(ctx context.Context, c Call) (*Principal, error) {
	switch {
	case c.Token == "":
		return nil, fault.New(fault.Unauthorized, "there is no credential")
	case strings.EqualFold(c.Scheme, "SSWS"):
		return s.byAPIToken(ctx, c.Token)
	case strings.EqualFold(c.Scheme, "Bearer"), strings.EqualFold(c.Scheme, "DPoP"):
		return s.byAccessToken(ctx, c)
	}
	return nil, fault.New(fault.Unauthorized, "the scheme %q is not supported", c.Scheme)
}

func (s *Server) byAccessToken(ctx context.Context, c Call) (*Principal, error) {
	claims, err := s.accessToken(ctx, c.Token, c.Issuer)
	if err != nil {
		return nil, err
	}
	if err := s.checkBinding(ctx, claims, c); err != nil {
		return nil, err
	}
	p := &Principal{Credential: claims.Client}
	if p.Client, p.Account, err = s.parties(ctx, claims); err != nil {
		return nil, err
	}
	if p.Scopes, err = s.stillGranted(ctx, p.Client, claims.Scopes); err != nil {
		return nil, err
	}
	holder := p.Client.ID
	if p.Account != nil {
		holder = p.Account.ID
	}
	p.Roles, err = s.roles(ctx, holder)
	return p, err
}

// parties returns the client of an access token and the account that it acts
// for, nil for none, as long as they may act.
func (s *Server) parties(ctx context.Context, claims *accessClaims) (*Client, *directory.Account, error) {
	client, err := s.client(ctx, claims.Client)
	switch {
	case err != nil:
		return nil, nil, asRefusal(err, "access_token_invalid")
	case !client.Active:
		return nil, nil, Refuse("access_token_invalid")
	case claims.Account == "":
		return client, nil, nil
	}
	account, err := s.account(ctx, claims.Account)
	switch {
	case err != nil:
		return nil, nil, asRefusal(err, "access_token_invalid")
	case !usable(account):
		return nil, nil, Refuse("access_token_revoked")
	}
	assigned, err := s.Clients.Assigned(ctx, client, account.ID)
	if err == nil && !assigned {
		err = Refuse("access_token_revoked")
	}
	return client, account, err
}

// stillGranted returns the scopes of a token that an administrator has not
// taken from its client since. Those of OpenID Connect need no grant.
func (s *Server) stillGranted(ctx context.Context, client *Client, scopes []string) ([]string, error) {
	granted, err := s.Clients.Scopes(ctx, client)
	if err != nil {
		return nil, err
	}
	out := []string{} // not nil, which is no limit
	for _, scope := range scopes {
		if slices.Contains(openidScopes, scope) || Includes(granted, scope) {
			out = append(out, scope)
		}
	}
	return out, nil
}

// accessToken reads an access token that is good: made by this server for this
// org, not expired and not revoked.
func (s *Server) accessToken(ctx context.Context, token, issuer string) (*accessClaims, error) {
	var c accessClaims
	ok, err := s.read(ctx, token, accessType, &c)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, Refuse("access_token_invalid")
	case c.Issuer != issuer:
		return nil, Refuse("access_token_invalid_issuer")
	case c.Audience != issuer:
		return nil, Refuse("access_token_invalid_audience")
	case s.now().Unix() >= c.Expires:
		return nil, Refuse("token_expired")
	}
	revoked, err := s.revoked(ctx, &c)
	if err == nil && revoked {
		return nil, Refuse("access_token_revoked")
	}
	return &c, err
}

// grantOf returns the id of the grant that an access token belongs to: its jti
// ends with it. A client that acts for itself has a grant for each token, with
// the token's own id, because the jti of these says no more (recorded).
func grantOf(jti string) string {
	_, rest, _ := strings.Cut(jti, ".")
	if _, grant, ok := strings.Cut(rest, "."); ok {
		return grant
	}
	return digest(jti)
}

// revoked reports whether an access token was revoked, itself or with its family.
func (s *Server) revoked(ctx context.Context, c *accessClaims) (revoked bool, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		_, err := r.Record(s.realm(), revokedNoun, c.ID)
		if !missing(err) {
			revoked = err == nil
			return err
		}
		g, err := find[grantRecord](r, s.realm(), grantNoun, grantOf(c.ID))
		switch {
		case missing(err):
			revoked = true
			return nil
		case err != nil:
			return err
		}
		revoked = g.T.Ended
		return nil
	})
	return revoked, err
}

// checkBinding checks that who shows a bound token also has its key (RFC 9449 7).
func (s *Server) checkBinding(ctx context.Context, claims *accessClaims, c Call) error {
	byProof := strings.EqualFold(c.Scheme, "DPoP")
	switch bound := claims.thumbprint(); {
	case bound == "" && byProof:
		return Refuse("access_token_not_dpop_bound")
	case bound == "":
		return nil
	case !byProof:
		return Refuse("dpop_authentication_scheme_required")
	case len(c.Proofs) == 0:
		return Refuse("dpop_proof_required_for_token")
	}
	p, err := s.checkProof(ctx, proofCheck{proofs: c.Proofs, method: c.Method, url: c.URL, token: c.Token})
	if err != nil {
		return err
	}
	if p.thumbprint != claims.thumbprint() {
		return Refuse("invalid_access_token_dpop_binding")
	}
	return s.useProof(p)
}
