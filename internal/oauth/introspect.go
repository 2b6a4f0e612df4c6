package oauth

import (
	"context"
	"errors"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Introspection is what is said of a token (RFC 7662 2.2). Only Active counts
// when it is false.
type Introspection struct {
	Active          bool
	Type            string // Bearer or DPoP
	Scope           string
	Client          string
	Username        string
	Expires, Issued int64 // seconds since 1970; Issued 0: not said
	Subject         string
	Audience        string
	Issuer          string
	ID              string
	Account         string
	Thumbprint      string
}

// Introspect says of a token to a client what it is worth. Access tokens of
// others are nothing to a client that cannot keep a secret, refresh tokens of
// others to no client (developer.okta.com, /introspect).
func (s *Server) Introspect(ctx context.Context, c Credentials, token string) (Introspection, error) {
	client, err := s.prove(ctx, c, token)
	if err != nil {
		return Introspection{}, err
	}
	if strings.Count(token, ".") != 2 {
		return s.introspectRefresh(ctx, client, token)
	}
	claims, err := s.accessToken(ctx, token, c.Issuer)
	if err == nil {
		_, _, err = s.parties(ctx, claims)
	}
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return Introspection{}, nil
	case err != nil:
		return Introspection{}, err
	case client.public() && claims.Client != client.ID:
		return Introspection{}, nil
	}
	out := Introspection{
		Active: true, Type: "Bearer", Scope: strings.Join(claims.Scopes, " "), Client: claims.Client,
		Expires: claims.Expires, Issued: claims.Issued, Subject: claims.Subject, Audience: claims.Audience, Issuer: claims.Issuer,
		ID: claims.ID, Account: claims.Account, Thumbprint: claims.thumbprint(),
	}
	if claims.Account != "" {
		out.Username = claims.Subject
	}
	if out.Thumbprint != "" {
		out.Type = "DPoP"
	}
	return out, nil
}

// prove authenticates the client of a call about a token.
func (s *Server) prove(ctx context.Context, c Credentials, token string) (*proven, error) {
	client, err := s.authenticate(ctx, c)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, Refuse("request_missing_token")
	}
	if client.used == nil {
		return client, nil
	}
	return client, s.Directory.Store.Update(ctx, func(tx directory.Tx) error { return s.spend(tx, client.used) })
}

func (s *Server) introspectRefresh(ctx context.Context, client *proven, token string) (out Introspection, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		one, err := find[refreshRecord](r, s.realm(), refreshNoun, digest(token))
		if err != nil {
			return err
		}
		g, err := find[grantRecord](r, s.realm(), grantNoun, one.T.Grant)
		if err != nil || g.T.Client != client.ID {
			return err
		}
		a, err := r.Account(s.realm(), g.T.Account)
		if err != nil {
			return err
		}
		if one.T.Used || g.T.Ended || !s.now().Before(one.T.Expires) || !usable(a) {
			return nil
		}
		out = Introspection{
			Active: true, Type: "Bearer", Scope: strings.Join(g.T.Scopes, " "), Client: g.T.Client,
			Username: a.Login(), Expires: one.T.Expires.Unix(), Subject: a.Login(),
		}
		return nil
	})
	if missing(err) {
		return Introspection{}, nil
	}
	return out, err
}

// Revoke ends a token of the client that asks (RFC 7009). A refresh token ends
// with everything that it gave. A token that is not the client's, or not good
// any more, is left alone without a word.
func (s *Server) Revoke(ctx context.Context, c Credentials, token string, from directory.Actor) error {
	client, err := s.prove(ctx, c, token)
	if err != nil {
		return err
	}
	if strings.Count(token, ".") != 2 {
		return s.revokeRefresh(ctx, client, token, from)
	}
	claims, err := s.accessToken(ctx, token, c.Issuer)
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return nil
	case err != nil:
		return err
	case claims.Client != client.ID:
		return nil
	}
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := s.insert(tx, revokedNoun, claims.ID, claims.Client, claims.Account, "", expiring{Expires: s.now().Add(accessLife)}); err != nil {
			return err
		}
		if err := s.log(tx, client.actor(from), "app.oauth2.token.revoke", client.ID, client.target()); err != nil {
			return err
		}
		return s.sweep(tx)
	})
	if fault.Is(err, fault.Conflict) {
		return nil // another request was faster
	}
	return err
}

func (s *Server) revokeRefresh(ctx context.Context, client *proven, token string, from directory.Actor) error {
	err := s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		one, err := find[refreshRecord](tx, s.realm(), refreshNoun, digest(token))
		if err != nil {
			return err
		}
		g, err := find[grantRecord](tx, s.realm(), grantNoun, one.T.Grant)
		if err != nil || g.T.Client != client.ID {
			return err
		}
		return s.endGrant(tx, client.actor(from), one.T.Grant, "app.oauth2.token.revoke")
	})
	if missing(err) {
		return nil
	}
	return err
}

// UserInfo returns the account that an access token acts for, and what the
// token may see of it.
func (s *Server) UserInfo(ctx context.Context, c Call) (*directory.Account, []string, error) {
	if c.Token == "" {
		return nil, nil, Refuse("access_token_missing")
	}
	p, err := s.byAccessToken(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if p.Account == nil || !Includes(p.Scopes, "openid") {
		return nil, nil, Refuse("access_token_insufficient_scopes")
	}
	return p.Account, p.Scopes, nil
}

// HintedClient returns the client that an ID token was made for, expired or
// not: what logout needs to know (OpenID Connect RP-Initiated Logout 2). nil
// when the server did not make it.
func (s *Server) HintedClient(ctx context.Context, idToken, issuer string) (*Client, error) {
	var c idClaims
	ok, err := s.read(ctx, idToken, "", &c)
	if err != nil || !ok || c.Issuer != issuer {
		return nil, err
	}
	client, err := s.client(ctx, c.Audience)
	if missing(err) {
		return nil, nil
	}
	return client, err
}
