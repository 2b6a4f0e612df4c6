package login

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// The grants of this package.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
)

// Lives of tokens where neither client nor API says another (Auth0's defaults).
const (
	idLife     = 10 * time.Hour
	accessLife = 24 * time.Hour
)

// TokenRequest is what a client asks for at /oauth/token.
type TokenRequest struct {
	Grant                  string // GrantCode or GrantRefresh
	ClientID, ClientSecret string
	Code, RedirectURI      string
	Verifier               string
	RefreshToken           string
	Issuer                 string // the tenant's address, with a slash at its end
}

// Tokens are what a client gets.
type Tokens struct {
	Access, ID, Refresh string // Refresh: "" for none
	Scope               string
	Expires             time.Duration // life of the access token
}

// grant is what tokens are made for.
type grant struct {
	account         *directory.Account
	session         string
	scope, audience string
	nonce           string
	authTime        time.Time
}

func (g *grant) asks(scope string) bool { return slices.Contains(strings.Fields(g.scope), scope) }

// Exchange gives a client tokens for a code or a refresh token. What the client
// may read of a failure is a *Refusal.
func (s *Service) Exchange(ctx context.Context, r TokenRequest) (Tokens, error) {
	client, err := s.authenticate(ctx, r)
	if err != nil {
		return Tokens{}, err
	}
	if !client.Allows(r.Grant) {
		return Tokens{}, refuse("unauthorized_client", "Grant type '"+r.Grant+"' not allowed for the client.")
	}
	redeem := s.redeemCode
	if r.Grant == GrantRefresh {
		redeem = s.redeemRefresh
	}
	var g *grant
	var refreshed string
	var refusal *Refusal // beside what the transaction must keep
	err = s.Tenant.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		g, refreshed, err = redeem(tx, client, r)
		if errors.As(err, &refusal) {
			return nil
		}
		return err
	})
	if err != nil {
		return Tokens{}, err
	}
	if refusal != nil {
		return Tokens{}, refusal
	}
	t, err := s.tokens(ctx, client, g, r.Issuer)
	t.Refresh = refreshed
	return t, err
}

// authenticate finds the client of a request. One without a secret only says who
// it is.
func (s *Service) authenticate(ctx context.Context, r TokenRequest) (*tenant.Client, error) {
	client, err := s.Tenant.Client(ctx, r.ClientID)
	if err == nil && public(client) {
		return client, nil
	}
	if err != nil && !missing(err) {
		return nil, err
	}
	client, err = s.Tenant.CheckClient(ctx, r.ClientID, r.ClientSecret)
	if fault.Is(err, fault.Unauthorized) {
		return nil, refuse(InvalidClient, "Unauthorized").because(err)
	}
	return client, err
}

// redeemCode uses a code up. One that was used before ends what it gave (RFC
// 6749 4.1.2).
func (s *Service) redeemCode(tx directory.Tx, client *tenant.Client, r TokenRequest) (*grant, string, error) {
	wrong := refuse(InvalidGrant, "Invalid authorization code")
	c, err := directory.Get[code](tx, s.Tenant.Realm, directory.Digest(r.Code))
	switch {
	case missing(err):
		return nil, "", wrong
	case err != nil:
		return nil, "", err
	case c.Client != client.ID || c.over(s.now()):
		return nil, "", wrong
	case c.Used:
		if err := s.endRefresh(tx, c.Refreshed); err != nil {
			return nil, "", err
		}
		return nil, "", wrong
	case c.Request.RedirectURI != r.RedirectURI:
		return nil, "", refuse(InvalidGrant, "The redirect URI is wrong.")
	case !c.Request.proves(r.Verifier):
		return nil, "", refuse(InvalidGrant, "Failed to verify code verifier")
	}
	account, err := s.entitled(tx, c.Account)
	if err != nil {
		return nil, "", err
	}
	g := &grant{
		account: account, session: c.Session, scope: c.Request.Scope, audience: c.Request.Audience, nonce: c.Request.Nonce, authTime: c.AuthTime,
	}
	text := ""
	if g.asks("offline_access") && client.Allows(GrantRefresh) {
		if text, c.Refreshed, err = s.newRefresh(tx, client, g); err != nil {
			return nil, "", err
		}
	}
	c.Used = true
	if err := s.Tenant.Directory.ReplaceObject(tx, c); err != nil {
		return nil, "", err
	}
	return g, text, s.log(tx, account, client, directory.Actor{}, ExchangedKind)
}

// entitled returns an account that may have tokens.
func (s *Service) entitled(r directory.Reader, id string) (*directory.Account, error) {
	a, err := r.Account(s.Tenant.Realm, id)
	switch {
	case missing(err):
		return nil, refuse(InvalidGrant, "The user is gone.").because(err)
	case err != nil:
		return nil, err
	case a.Blocked():
		return nil, refuse(InvalidGrant, "user is blocked")
	}
	return a, nil
}

// proves reports whether a verifier is the one of which the request had the
// challenge.
func (r Request) proves(verifier string) bool {
	if r.Challenge == "" {
		return verifier == "" // RFC 9700 2.1.1: no downgrade
	}
	if r.Method == methodS256 {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(verifier), []byte(r.Challenge)) == 1
}

// redeemRefresh takes a refresh token. A client that rotates them gets another
// one, and the old one ends.
func (s *Service) redeemRefresh(tx directory.Tx, client *tenant.Client, r TokenRequest) (*grant, string, error) {
	wrong := refuse(InvalidGrant, "Unknown or invalid refresh token.")
	t, err := directory.Get[refreshToken](tx, s.Tenant.Realm, directory.Digest(r.RefreshToken))
	switch {
	case missing(err):
		return nil, "", wrong
	case err != nil:
		return nil, "", err
	case t.Client != client.ID || t.over(s.now()):
		return nil, "", wrong
	}
	account, err := s.entitled(tx, t.Account)
	if err != nil {
		return nil, "", err
	}
	g := &grant{account: account, session: t.Session, scope: t.Scope, audience: t.Audience, authTime: t.AuthTime}
	if settings := refreshSettings(client); settings["rotation_type"] != "rotating" {
		return g, "", nil
	}
	if err := s.endRefresh(tx, t.ID); err != nil {
		return nil, "", err
	}
	text, _, err := s.newRefresh(tx, client, g)
	return g, text, err
}

func refreshSettings(client *tenant.Client) map[string]any {
	settings, _ := client.Settings["refresh_token"].(map[string]any)
	return settings
}

// newRefresh makes a refresh token and returns it with its id.
func (s *Service) newRefresh(tx directory.Tx, client *tenant.Client, g *grant) (text, id string, err error) {
	text = random()
	t := &refreshToken{
		Meta:   directory.Meta{ID: directory.Digest(text), Realm: s.Tenant.Realm},
		Client: client.ID, Account: g.account.ID, Session: g.session, Scope: g.scope, Audience: g.audience, AuthTime: g.authTime,
	}
	settings := refreshSettings(client)
	if seconds := seconds(settings["token_lifetime"]); settings["expiration_type"] == "expiring" && seconds > 0 {
		t.Expires = s.now().Add(seconds)
	}
	return text, t.ID, s.Tenant.Directory.PutObject(tx, t)
}

func (s *Service) endRefresh(tx directory.Tx, id string) error {
	err := tx.DeleteRecord(s.Tenant.Realm, directory.RefreshTokenNoun, id)
	if missing(err) {
		return nil
	}
	return err
}

// seconds reads a number of seconds, 0 for anything else.
func seconds(v any) time.Duration {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	if err != nil || i <= 0 || i > int64(10*365*24*time.Hour/time.Second) {
		return 0
	}
	return time.Duration(i) * time.Second
}

// tokens makes the tokens of a grant.
func (s *Service) tokens(ctx context.Context, client *tenant.Client, g *grant, issuer string) (t Tokens, err error) {
	now := s.now()
	t.Scope, t.Expires = g.scope, accessLife
	audience := []string{issuer + "userinfo"}
	if g.audience != "" {
		api, err := s.audience(ctx, g.audience)
		if err != nil {
			return t, err
		}
		t.Expires = api.TokenLife(accessLife)
		audience = []string{g.audience, issuer + "userinfo"}
	}
	t.Access, err = s.Signer.Sign(ctx, map[string]any{
		"iss": issuer, "sub": g.account.ID, "aud": audience, "azp": client.ID, "scope": g.scope, "sid": g.session,
		"iat": now.Unix(), "exp": now.Add(t.Expires).Unix(),
	})
	if err != nil {
		return t, err
	}
	life := idLife
	if jwt, ok := client.Settings["jwt_configuration"].(map[string]any); ok && seconds(jwt["lifetime_in_seconds"]) > 0 {
		life = seconds(jwt["lifetime_in_seconds"])
	}
	said := profile(g.account, g.asks)
	said["iss"], said["aud"], said["sid"] = issuer, client.ID, g.session
	said["iat"], said["exp"], said["auth_time"] = now.Unix(), now.Add(life).Unix(), g.authTime.Unix()
	if g.nonce != "" {
		said["nonce"] = g.nonce
	}
	t.ID, err = s.Signer.Sign(ctx, said)
	return t, err
}

// UserInfo returns what an access token tells of whoever it is for (OpenID
// Connect Core 5.3). A token that is not good is fault.Unauthorized.
func (s *Service) UserInfo(ctx context.Context, token, issuer string) (map[string]any, error) {
	var claims struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience audience `json:"aud"`
		Scope    string   `json:"scope"`
	}
	if err := s.Signer.Read(ctx, token, &claims); err != nil {
		return nil, err
	}
	if claims.Issuer != issuer || !slices.Contains(claims.Audience, issuer+"userinfo") {
		return nil, fault.New(fault.Unauthorized, "the token is not for the UserInfo endpoint")
	}
	var a *directory.Account
	err := s.Tenant.Directory.Store.View(ctx, func(r directory.Reader) (err error) {
		a, err = s.entitled(r, claims.Subject)
		return err
	})
	if err != nil {
		return nil, fault.Wrap(fault.Unauthorized, err, "the user may not sign in")
	}
	return profile(a, func(scope string) bool { return slices.Contains(strings.Fields(claims.Scope), scope) }), nil
}

// audience is a claim that may be one text or several.
type audience []string

// UnmarshalJSON reads either.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}
