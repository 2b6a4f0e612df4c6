package connector

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// tokensField is the name in the vault of a grant.
const tokensField = "tokens"

// grant is what the token endpoint gave. That of somebody who signed in is kept
// in the vault, in this form.
type grant struct {
	AccessToken  string    `json:"accessToken"`
	RefreshToken string    `json:"refreshToken,omitempty"`
	Scope        string    `json:"scope,omitempty"`
	Identity     string    `json:"identity,omitempty"` // who signed in
	Obtained     time.Time `json:"obtained"`
	Expires      time.Time `json:"expires"` // of the access token

	idToken string
}

// ends is when the connection ends unless somebody signs in again. A refresh
// token does not tell when it expires, so with one it is not known.
func (g grant) ends() time.Time {
	if g.RefreshToken != "" {
		return time.Time{}
	}
	return g.Expires
}

// granted returns the token of somebody who signed in. It uses the one in the
// vault while that is good, and else exchanges the refresh token. What the
// exchange gives is in the vault before it is used: most servers take a refresh
// token once. Of several processes one exchanges, the others find its result.
func (s *tokenSource) granted(ctx context.Context) (token, error) {
	vault := s.connector.opts.Vault
	if vault == nil {
		return token{}, fault.New(fault.Unauthorized, "connection %s needs the vault, and there is none here", s.conn.Name).Fix("run where the data folder is")
	}
	g, err := s.load(ctx)
	if err != nil {
		return token{}, err
	}
	if s.good(g) {
		return s.accept(g, g.ends()), nil
	}
	release, err := vault.Exclusive(ctx)
	if err != nil {
		return token{}, err
	}
	defer release()
	if g, err = s.load(ctx); err != nil {
		return token{}, err
	}
	if !s.good(g) {
		if g, err = s.refresh(ctx, g); err != nil {
			return token{}, err
		}
	}
	return s.accept(g, g.ends()), nil
}

// reload drops the access token when the vault has another one: somebody signed
// in again, perhaps as somebody else or for other scopes.
func (s *tokenSource) reload(ctx context.Context) error {
	if s.connector.opts.Vault == nil {
		return nil // said when a token is needed
	}
	g, err := s.load(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.current.value.Equal(secret.NewValue(g.AccessToken)) {
		s.current = token{}
	}
	return nil
}

// good reports whether an access token can be used for a while.
func (s *tokenSource) good(g grant) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.AccessToken != "" && !secret.NewValue(g.AccessToken).Equal(s.refused) && s.connector.opts.Clock.Now().Before(renewal(g))
}

// refresh exchanges the refresh token and keeps what comes of it.
func (s *tokenSource) refresh(ctx context.Context, old grant) (grant, error) {
	if old.RefreshToken == "" {
		return grant{}, s.again("the access token of connection %s has ended, and there is no refresh token", s.conn.Name)
	}
	s.shared.learn(&s.shared.fetched, secret.NewValue(old.RefreshToken))
	g, err := s.ask(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.RefreshToken}})
	if code := refusalCode(err); code == invalidGrant {
		return grant{}, s.again("the refresh token of connection %s is not accepted any more", s.conn.Name)
	}
	if err != nil {
		return grant{}, err
	}
	if g.RefreshToken == "" { // the server keeps the old one (RFC 6749 6)
		g.RefreshToken = old.RefreshToken
	}
	if g.Scope == "" {
		g.Scope = old.Scope
	}
	g.Identity = old.Identity
	return g, s.save(ctx, g)
}

// again is the fault of a connection that somebody has to sign in to.
func (s *tokenSource) again(format string, args ...any) error {
	return fault.New(fault.Unauthorized, format, args...).Fix("sign in again: lanyard connections authorize %s", s.conn.Name)
}

func (s *tokenSource) load(ctx context.Context) (grant, error) {
	stored, err := s.connector.opts.Vault.Get(ctx, VaultName(s.conn.Name, tokensField))
	if fault.Is(err, fault.NotFound) {
		return grant{}, fault.New(fault.Unauthorized, "nobody has signed in to connection %s yet", s.conn.Name).
			Fix("lanyard connections authorize %s", s.conn.Name)
	}
	if err != nil {
		return grant{}, err
	}
	var g grant
	if err := json.Unmarshal([]byte(stored.Reveal()), &g); err != nil {
		return grant{}, s.again("what the vault keeps for connection %s does not read", s.conn.Name)
	}
	return g, nil
}

func (s *tokenSource) save(ctx context.Context, g grant) error {
	text, err := json.Marshal(g)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the tokens of connection %s cannot be written", s.conn.Name)
	}
	// What was got must be kept even when whoever waits for it gives up now.
	return s.connector.opts.Vault.Put(context.WithoutCancel(ctx), VaultName(s.conn.Name, tokensField), secret.NewValue(string(text)))
}

// identify remembers whose token it is.
func (s *shared) identify(who string) {
	if who == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.who = who
}

// Identity says in whose name the connection calls, as far as is known: who
// signed in or whose token it is, what the last test found, else the name of the
// client or user.
func (conn *Connection) Identity() string {
	conn.shared.mu.Lock()
	who := conn.shared.who
	conn.shared.mu.Unlock()
	a := conn.auth.config
	switch {
	case who != "":
		return who
	case conn.identity != "":
		return conn.identity
	case conn.BoundBy == BySandbox:
		return "the sandbox's administrator"
	case a.Type == config.AuthBasic:
		return plainText(a.Username)
	}
	return plainText(a.ClientID)
}

// plainText is a field of a credential that is written out, empty when it is a
// reference.
func plainText(field string) string {
	if secret.IsRef(field) {
		return ""
	}
	return field
}

// invalidGrant is the refusal of a refresh token or code (RFC 6749 5.2).
const invalidGrant = "invalid_grant"

// refusalCode is the token endpoint's code behind an error that was explained.
func refusalCode(err error) string {
	var by refusedBy
	if errors.As(err, &by) {
		return by.code
	}
	return ""
}
