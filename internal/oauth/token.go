package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// The grant types that the org authorization server has.
const (
	grantCode    = "authorization_code"
	grantClient  = "client_credentials"
	grantRefresh = "refresh_token"
)

var grantTypes = []string{grantCode, grantClient, grantRefresh}

// TokenRequest is a call of the token endpoint (RFC 6749 4.1.3, 4.4.2, 6).
type TokenRequest struct {
	Credentials
	GrantType string
	Scope     string

	Code, RedirectURI, Verifier string // authorization_code
	RefreshToken                string // refresh_token

	Proofs []string        // the DPoP headers
	From   directory.Actor // where the request comes from
}

// Token is the answer of the token endpoint (RFC 6749 5.1).
type Token struct {
	Type    string // Bearer or DPoP
	Expires time.Duration
	Access  string
	Scope   string
	Refresh string // empty: none
	ID      string // empty: none
}

// Token answers a call of the token endpoint. Refusals are *Error.
func (s *Server) Token(ctx context.Context, r TokenRequest) (Token, error) {
	switch {
	case r.GrantType == "":
		return Token{}, Refuse("token_request_missing_grant_type", strings.Join(grantTypes, ", "))
	case !slices.Contains(grantTypes, r.GrantType):
		return Token{}, Refuse("unsupported_grant_type", strings.Join(grantTypes, ", "))
	}
	client, err := s.authenticate(ctx, r.Credentials)
	if err != nil {
		return Token{}, err
	}
	if err := checkGrantType(client, r.GrantType); err != nil {
		return Token{}, err
	}
	bound, err := s.bind(ctx, client.Client, r)
	if err != nil {
		return Token{}, err
	}
	switch r.GrantType {
	case grantClient:
		return s.forClient(ctx, client, bound, r)
	case grantCode:
		return s.forCode(ctx, client, bound, r)
	}
	return s.forRefresh(ctx, client, bound, r)
}

// checkGrantType checks that a client may use a grant type in the way in which
// it has proven who it is.
func checkGrantType(client *proven, grantType string) error {
	if grantType == grantClient {
		switch {
		case client.how != byKey:
			return Refuse("unsupported_auth_method_client_creds")
		case client.Type != "service":
			return Refuse("invalid_application_type_client_credentials")
		}
	}
	if !client.allows(grantType) {
		return Refuse("unauthorized_client", strings.Join(client.GrantTypes, ", "))
	}
	return nil
}

// bind checks the proof of possession of a token request. It returns nil for
// clients that are not bound to prove it: okta-sdk-nodejs sends a proof with
// every request, and takes an answer without asking for a nonce to mean that
// its tokens are bearer tokens.
func (s *Server) bind(ctx context.Context, client *Client, r TokenRequest) (*proof, error) {
	if !client.RequireDPoP {
		return nil, nil
	}
	p, err := s.checkProof(ctx, proofCheck{proofs: r.Proofs, method: "POST", url: r.Endpoint, nonce: true})
	if err != nil {
		return nil, err
	}
	return p, s.useProof(p)
}

// forClient gives a service app a token for itself.
func (s *Server) forClient(ctx context.Context, client *proven, bound *proof, r TokenRequest) (Token, error) {
	scopes := splitScopes(r.Scope)
	if err := s.checkServiceScopes(ctx, client.Client, scopes); err != nil {
		return Token{}, err
	}
	claims := s.newClaims(client.Client, scopes, bound, r.Issuer)
	claims.ID, claims.Subject = "AT."+random(), client.ID
	access, err := s.sign(ctx, claims, accessType)
	if err != nil {
		return Token{}, err
	}
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := s.spend(tx, client.used); err != nil {
			return err
		}
		now := s.now()
		g := grantRecord{Client: client.ID, Scopes: scopes, Created: now, Expires: now.Add(accessLife)}
		if err := s.insert(tx, grantNoun, grantOf(claims.ID), client.ID, "", "", g); err != nil {
			return err
		}
		if err := s.sweep(tx); err != nil {
			return err
		}
		return s.logGrant(tx, client.actor(r.From), claims, client.target())
	})
	if err != nil {
		return Token{}, err
	}
	return answer(access, scopes, bound), nil
}

// newClaims begins an access token; its id and subject are missing.
func (s *Server) newClaims(client *Client, scopes []string, bound *proof, issuer string) *accessClaims {
	now := s.now()
	c := &accessClaims{
		Version: 1, Issuer: issuer, Audience: issuer, Client: client.ID, Scopes: scopes,
		Issued: now.Unix(), Expires: now.Add(accessLife).Unix(),
	}
	if bound != nil {
		c.Confirm = &confirmation{bound.thumbprint}
	}
	return c
}

func (s *Server) logGrant(tx directory.Tx, actor directory.Actor, claims *accessClaims, targets ...directory.Target) error {
	targets = append([]directory.Target{{Type: "access_token", ID: digest(claims.ID), DisplayName: "Access Token"}}, targets...)
	return s.log(tx, actor, "app.oauth2.token.grant.access_token", claims.Client, targets...)
}

func answer(access string, scopes []string, bound *proof) Token {
	t := Token{Type: "Bearer", Expires: accessLife, Access: access, Scope: strings.Join(scopes, " ")}
	if bound != nil {
		t.Type = "DPoP"
	}
	return t
}

// forCode gives the tokens that an authorization code stands for. A code that
// comes a second time has leaked: what it gave is taken back (RFC 6749 4.1.2).
func (s *Server) forCode(ctx context.Context, client *proven, bound *proof, r TokenRequest) (Token, error) {
	if r.Code == "" {
		return Token{}, Refuse("missing_token_request_parameter", "code")
	}
	if err := s.stillAssigned(ctx, client.Client, codeNoun, r.Code); err != nil {
		return Token{}, err
	}
	var code *stored[codeRecord]
	var t *tokens
	var refusal error // beside what the transaction must keep
	err := s.Directory.Store.Update(ctx, func(tx directory.Tx) (err error) {
		if err = s.spend(tx, client.used); err != nil {
			return err
		}
		if code, err = find[codeRecord](tx, s.realm(), codeNoun, digest(r.Code)); err != nil {
			return asRefusal(err, "invalid_authorization_code")
		}
		if code.T.Grant != "" {
			refusal = Refuse("invalid_authorization_code")
			return s.endGrant(tx, client.actor(r.From), code.T.Grant, "app.oauth2.token.detect_reuse")
		}
		if err = s.checkCode(client.Client, &code.T, r); err != nil {
			return err
		}
		if t, err = s.newGrant(tx, client.Client, &code.T, bound, r); err != nil {
			return err
		}
		code.T.Grant = t.grant
		if err = code.save(tx); err != nil {
			return err
		}
		return s.sweep(tx)
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return Token{}, err
	}
	return s.write(ctx, t, bound)
}

// asRefusal words that something is not there; other errors stay.
func asRefusal(err error, name string) error {
	if missing(err) {
		return Refuse(name).because(err)
	}
	return err
}

// checkCode checks that a code is used by whom and how it was meant.
func (s *Server) checkCode(client *Client, code *codeRecord, r TokenRequest) error {
	switch {
	case !s.now().Before(code.Expires):
		return Refuse("invalid_authorization_code")
	case code.Client != client.ID:
		return Refuse("mismatched_client")
	case code.RedirectURI != r.RedirectURI:
		return Refuse("mismatched_redirect_uri")
	case code.Challenge == "" && r.Verifier != "":
		return Refuse("pkce_missing_challenge_verifier_present")
	case code.Challenge != "" && r.Verifier == "":
		return Refuse("pkce_missing_verifier")
	case code.Challenge != "" && (!goodVerifier(r.Verifier) || digest(r.Verifier) != code.Challenge):
		return Refuse("pkce_verification_failed")
	}
	return nil
}

// tokens is what a grant gives at one time, before it is signed.
type tokens struct {
	grant   string
	access  *accessClaims
	id      *idClaims // nil: none
	refresh string    // empty: none
}

// write signs the tokens.
func (s *Server) write(ctx context.Context, t *tokens, bound *proof) (Token, error) {
	access, err := s.sign(ctx, t.access, accessType)
	if err != nil {
		return Token{}, err
	}
	out := answer(access, t.access.Scopes, bound)
	out.Refresh = t.refresh
	if t.id != nil {
		t.id.AtHash = halfHash(access)
		if out.ID, err = s.sign(ctx, t.id, jose.ContentType("")); err != nil {
			return Token{}, err
		}
	}
	return out, nil
}

// identityProvider is the id of the org's own user store in the claim idp.
const identityProvider = "00oa0okta00000001d7"

// claimsFor begins the tokens for an account under a grant.
func (s *Server) claimsFor(client *Client, a *directory.Account, id string, g *grantRecord, scopes []string, bound *proof, issuer string) *tokens {
	access := s.newClaims(client, scopes, bound, issuer)
	access.ID, access.Subject, access.Account, access.AuthTime = "AT."+random()+"."+id, a.Login(), a.ID, g.AuthTime.Unix()
	t := &tokens{grant: id, access: access}
	if !slices.Contains(scopes, "openid") {
		return t
	}
	t.id = &idClaims{
		Subject: a.ID, Version: 1, Issuer: issuer, Audience: client.ID, Issued: access.Issued, Expires: access.Expires,
		ID: "ID." + random(), Methods: []string{"pwd"}, Provider: identityProvider, Nonce: g.Nonce, AuthTime: g.AuthTime.Unix(),
	}
	if slices.Contains(scopes, "profile") {
		t.id.Name, t.id.Preferred = fullName(a), a.Login()
	}
	if slices.Contains(scopes, "email") {
		t.id.Email = a.Email()
	}
	return t
}

func fullName(a *directory.Account) string {
	return strings.TrimSpace(a.Text("firstName") + " " + a.Text("lastName"))
}
