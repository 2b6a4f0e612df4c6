package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// grantRecord is what an account allowed a client to do for it, from one
// sign-in on. Its id is part of the access tokens that it gives, so that their
// family can be ended together.
type grantRecord struct {
	Client     string    `json:"client"`
	Account    string    `json:"account"`
	Scopes     []string  `json:"scopes"`
	AuthTime   time.Time `json:"authTime"`
	Nonce      string    `json:"nonce,omitempty"`
	Thumbprint string    `json:"thumbprint,omitempty"` // of the key that a public client's refresh tokens are bound to
	Ended      bool      `json:"ended,omitempty"`
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
}

// refreshRecord is one refresh token of a grant. Used ones are kept: to see one
// again means that it has leaked (RFC 9700 4.14.2).
type refreshRecord struct {
	Grant   string    `json:"grant"`
	Used    bool      `json:"used,omitempty"`
	Expires time.Time `json:"expires"`
}

// newGrant begins a grant with what a code stands for, and gives its first tokens.
func (s *Server) newGrant(tx directory.Tx, client *Client, code *codeRecord, bound *proof, r TokenRequest) (*tokens, error) {
	a, err := tx.Account(s.realm(), code.Account)
	if err != nil {
		return nil, asRefusal(err, "invalid_authorization_code")
	}
	if !usable(a) {
		return nil, Refuse("invalid_authorization_code")
	}
	now := s.now()
	g := &grantRecord{
		Client: client.ID, Account: a.ID, Scopes: code.Scopes, AuthTime: code.AuthTime, Nonce: code.Nonce,
		Created: now, Expires: now.Add(accessLife),
	}
	if slices.Contains(code.Scopes, "offline_access") {
		g.Expires = now.Add(refreshLife)
	}
	if bound != nil && client.public() {
		g.Thumbprint = bound.thumbprint
	}
	id := s.Directory.IDs.Okta("oar")
	if err := s.insert(tx, grantNoun, id, client.ID, a.ID, "", g); err != nil {
		return nil, err
	}
	t := s.claimsFor(client, a, id, g, code.Scopes, bound, r.Issuer)
	return t, s.give(tx, client, a, g, t, r)
}

// give adds the refresh token, when the grant has any, and logs what was given.
func (s *Server) give(tx directory.Tx, client *Client, a *directory.Account, g *grantRecord, t *tokens, r TokenRequest) error {
	actor := userActor(r.From, a)
	if slices.Contains(g.Scopes, "offline_access") {
		t.refresh = random()
		body := refreshRecord{Grant: t.grant, Expires: s.now().Add(refreshLife)}
		if err := s.insert(tx, refreshNoun, digest(t.refresh), t.grant, a.ID, "", body); err != nil {
			return err
		}
		if err := s.log(tx, actor, "app.oauth2.token.grant.refresh_token", client.ID, client.target()); err != nil {
			return err
		}
	}
	if t.id != nil {
		if err := s.log(tx, actor, "app.oauth2.token.grant.id_token", client.ID, client.target()); err != nil {
			return err
		}
	}
	return s.logGrant(tx, actor, t.access, client.target())
}

// userActor is an account that acts from where a request came.
func userActor(from directory.Actor, a *directory.Account) directory.Actor {
	from.ID, from.Type, from.Name, from.Login = a.ID, directory.UserActor, fullName(a), a.Login()
	return from
}

// forRefresh gives new tokens for a refresh token, which is used up. One that
// was used before ends the whole family.
func (s *Server) forRefresh(ctx context.Context, client *proven, bound *proof, r TokenRequest) (Token, error) {
	if r.RefreshToken == "" {
		return Token{}, Refuse("missing_token_request_parameter", "refresh_token")
	}
	if err := s.stillAssigned(ctx, client.Client, refreshNoun, r.RefreshToken); err != nil {
		return Token{}, err
	}
	var t *tokens
	var refusal error // beside what the transaction must keep
	err := s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := s.spend(tx, client.used); err != nil {
			return err
		}
		token, g, err := s.refreshable(tx, client.Client, r.RefreshToken)
		if err != nil {
			return err
		}
		if token.T.Used {
			refusal = Refuse("invalid_refresh_token")
			return s.endGrant(tx, client.actor(r.From), g.record.ID, "app.oauth2.token.detect_reuse")
		}
		t, err = s.refresh(tx, client.Client, token, g, bound, r)
		return err
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return Token{}, err
	}
	return s.write(ctx, t, bound)
}

// stillAssigned refuses a code or a refresh token of a client from which its
// account was taken. What is wrong otherwise is found later.
func (s *Server) stillAssigned(ctx context.Context, client *Client, noun directory.Noun, token string) error {
	var account, holder string
	err := s.Directory.Store.View(ctx, func(r directory.Reader) error {
		record, err := r.Record(s.realm(), noun, digest(token))
		if err != nil {
			return err
		}
		account, holder = record.Subject, record.Parent
		if noun == refreshNoun {
			g, err := r.Record(s.realm(), grantNoun, record.Parent)
			if err != nil {
				return err
			}
			holder = g.Parent
		}
		return nil
	})
	if missing(err) || err == nil && holder != client.ID {
		return nil
	}
	if err != nil {
		return err
	}
	assigned, err := s.Clients.Assigned(ctx, client, account)
	if err == nil && !assigned {
		return Refuse("user_not_assigned")
	}
	return err
}

// refreshable returns a refresh token of a client and its grant. Used tokens
// are returned too.
func (s *Server) refreshable(r directory.Reader, client *Client, text string) (*stored[refreshRecord], *stored[grantRecord], error) {
	token, err := find[refreshRecord](r, s.realm(), refreshNoun, digest(text))
	if err != nil {
		return nil, nil, asRefusal(err, "invalid_refresh_token")
	}
	g, err := find[grantRecord](r, s.realm(), grantNoun, token.T.Grant)
	switch {
	case err != nil:
		return nil, nil, asRefusal(err, "invalid_refresh_token")
	case g.T.Client != client.ID, g.T.Ended, !s.now().Before(token.T.Expires):
		return nil, nil, Refuse("invalid_refresh_token")
	}
	return token, g, nil
}

// refresh uses a refresh token up.
func (s *Server) refresh(tx directory.Tx, client *Client, token *stored[refreshRecord], g *stored[grantRecord], bound *proof, r TokenRequest) (*tokens, error) {
	if g.T.Thumbprint != "" && (bound == nil || bound.thumbprint != g.T.Thumbprint) {
		return nil, Refuse("invalid_dpop_proof_invalid_public_key_binding")
	}
	scopes := splitScopes(r.Scope)
	if len(scopes) == 0 {
		scopes = g.T.Scopes
	}
	var denied []string
	for _, scope := range scopes {
		if !slices.Contains(g.T.Scopes, scope) {
			denied = append(denied, scope)
		}
	}
	if len(denied) > 0 {
		return nil, Refuse("refresh_scopes_denied", strings.Join(denied, ", "))
	}
	a, err := tx.Account(s.realm(), g.T.Account)
	if err != nil {
		return nil, asRefusal(err, "invalid_refresh_token")
	}
	if !usable(a) {
		return nil, Refuse("invalid_refresh_token")
	}
	token.T.Used = true
	if err := token.save(tx); err != nil {
		return nil, err
	}
	g.T.Expires = s.now().Add(refreshLife)
	if err := g.save(tx); err != nil {
		return nil, err
	}
	t := s.claimsFor(client, a, g.record.ID, &g.T, scopes, bound, r.Issuer)
	if err := s.give(tx, client, a, &g.T, t, r); err != nil {
		return nil, err
	}
	return t, s.sweep(tx)
}

// endGrant ends a grant, and with it every token that it gave. One that is gone
// is left alone.
func (s *Server) endGrant(tx directory.Tx, actor directory.Actor, id, kind string) error {
	g, err := find[grantRecord](tx, s.realm(), grantNoun, id)
	switch {
	case missing(err):
		return nil
	case err != nil:
		return err
	case g.T.Ended:
		return nil
	}
	g.T.Ended = true
	if err := g.save(tx); err != nil {
		return err
	}
	return s.log(tx, actor, kind, g.T.Client,
		directory.Target{Type: "AppInstance", ID: g.T.Client}, directory.Target{Type: "User", ID: g.T.Account})
}

// TokenNouns are the sorts of records by which clients act for an account, which
// is their subject. To remove them ends all that clients hold of it: access
// tokens of a grant that is gone are refused.
func TokenNouns() []directory.Noun { return []directory.Noun{grantNoun, refreshNoun, codeNoun} }
