package connector

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// SignIn is a person's sign-in that is under way: an authorization code request
// with PKCE (RFC 6749 4.1, RFC 7636), state and nonce.
type SignIn struct {
	URL    string   // to be opened in a browser
	Scopes []string // that are asked for

	connector *Connector
	conn      *Connection
	redirect  string
	state     string
	nonce     string
	verifier  string
}

// Granted is what a sign-in gave. The tokens are in the vault.
type Granted struct {
	Identity  string    `json:"identity,omitempty"` // who signed in
	Scopes    []string  `json:"scopes"`
	Expires   time.Time `json:"expires"`   // of the access token
	Renewable bool      `json:"renewable"` // there is a refresh token
}

// SignIn begins a sign-in. redirect is where the browser is sent back to; the
// provider must know it as one of the application's. Without scopes, those of
// the connection are asked for, else the usual ones of the provider.
func (c *Connector) SignIn(ctx context.Context, conn *Connection, redirect string, scopes []string) (*SignIn, error) {
	a := &conn.auth
	if a.kind != config.AuthAuthorizationCode {
		return nil, fault.New(fault.Usage, "nobody signs in to connection %s: its credential is of type %s", conn.Name, conn.Credential).
			Fix("lanyard connections add NAME --type %s makes one that people sign in to", config.AuthAuthorizationCode)
	}
	if c.opts.Vault == nil {
		return nil, fault.New(fault.Usage, "there is no vault to keep the tokens in").Fix("run where the data folder is")
	}
	if err := c.open(ctx, conn); err != nil {
		return nil, err
	}
	if len(scopes) == 0 {
		scopes = a.scopes
	}
	if len(scopes) == 0 {
		scopes = a.usual
	}
	s := &SignIn{
		connector: c, conn: conn, redirect: redirect, Scopes: scopes,
		state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier(),
	}
	u, err := url.Parse(a.authorizeURL)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "a bound endpoint is not a URL")
	}
	q := u.Query()
	for name, v := range map[string]string{
		"response_type": "code", "client_id": conn.shared.value("clientId").Reveal(), "redirect_uri": redirect,
		"scope": strings.Join(scopes, " "), "state": s.state, "nonce": s.nonce,
		"code_challenge": oauth2.S256ChallengeFromVerifier(s.verifier), "code_challenge_method": "S256", "audience": a.audience,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	u.RawQuery = q.Encode()
	s.URL = u.String()
	return s, nil
}

// Answers reports whether the browser was sent back for this sign-in.
func (s *SignIn) Answers(back url.Values) bool {
	return subtle.ConstantTimeCompare([]byte(back.Get("state")), []byte(s.state)) == 1
}

// Finish takes what the browser was sent back with and exchanges its code for
// tokens, which go to the vault.
func (s *SignIn) Finish(ctx context.Context, back url.Values) (Granted, error) {
	tokens := s.conn.shared.tokens
	again := "lanyard connections authorize " + s.conn.Name
	if !s.Answers(back) {
		return Granted{}, fault.New(fault.Refused, "the answer belongs to another sign-in: its state is not ours").Fix("begin anew: %s", again)
	}
	if iss := back.Get("iss"); iss != "" && !sameHost(iss, s.conn.auth.authorizeURL) { // RFC 9207 2.4
		return Granted{}, fault.New(fault.Refused, "the answer comes from another server than the one that was asked").Fix("check the server of the connection")
	}
	if code := back.Get("error"); code != "" {
		why := tokens.clean(code)
		if d := tokens.clean(back.Get("error_description")); d != "" {
			why += ": " + d
		}
		return Granted{}, fault.New(fault.Unauthorized, "the sign-in was refused (%s)", why).
			Fix("check that the application has these scopes and this redirect URI (%s), and begin anew: %s", s.redirect, again)
	}
	if back.Get("code") == "" {
		return Granted{}, fault.New(fault.Invalid, "the answer holds no code").Fix("begin anew: %s", again)
	}
	release, err := s.connector.opts.Vault.Exclusive(ctx)
	if err != nil {
		return Granted{}, err
	}
	defer release()
	g, err := tokens.ask(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {s.redirect}, "code_verifier": {s.verifier},
	})
	if err != nil {
		return Granted{}, err
	}
	if g.Scope == "" { // as asked for (RFC 6749 5.1)
		g.Scope = strings.Join(s.Scopes, " ")
	}
	var id idClaims
	if slices.Contains(s.Scopes, "openid") {
		if id, err = s.identity(g.idToken); err != nil {
			return Granted{}, err
		}
	}
	// Without the scopes profile and email the ID token tells an id alone, where
	// the access token may tell a login.
	who, scopes := claims(token{value: secret.NewValue(g.AccessToken), scope: g.Scope})
	g.Identity = cmp.Or(id.Username, id.Email, who, id.Subject)
	if err := tokens.save(ctx, g); err != nil {
		return Granted{}, err
	}
	tokens.forget()
	tokens.accept(g, g.ends())
	return Granted{Identity: g.Identity, Scopes: scopes, Expires: g.Expires, Renewable: g.RefreshToken != ""}, nil
}

// idClaims are those of an ID token that matter here.
type idClaims struct {
	jwt.Claims
	Nonce    string `json:"nonce"`
	Username string `json:"preferred_username"`
	Email    string `json:"email"`
}

// identity checks the ID token, which tells who signed in. It came straight from
// the token endpoint, so that TLS vouches for the issuer in place of the
// signature (OpenID Connect Core 3.1.3.7, 6).
func (s *SignIn) identity(idToken string) (idClaims, error) {
	wrong := func(what string) (idClaims, error) {
		return idClaims{}, fault.New(fault.Refused, "the ID token of the sign-in %s", what).At("connections.%s.auth", s.conn.Name).Fix("check clientId and tokenUrl, and begin anew")
	}
	parsed, err := jwt.ParseSigned(idToken, []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
	})
	if err != nil {
		return wrong("is missing or does not read")
	}
	var c idClaims
	if err := parsed.UnsafeClaimsWithoutVerification(&c); err != nil {
		return wrong("does not read")
	}
	now := s.connector.opts.Clock.Now()
	switch {
	case subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(s.nonce)) != 1:
		return wrong("belongs to another sign-in: its nonce is not ours")
	case !c.Audience.Contains(s.conn.shared.value("clientId").Reveal()):
		return wrong("was made for another application")
	case !sameHost(c.Issuer, s.conn.auth.tokenURL):
		return wrong("was made by another server")
	case c.Expiry == nil || now.After(c.Expiry.Time().Add(clockSkew)):
		return wrong("has ended already")
	}
	return c, nil
}

// clockSkew is by how much the provider's clock may differ from ours.
const clockSkew = 2 * time.Minute

func sameHost(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	return err == nil && err2 == nil && u.Host != "" && strings.EqualFold(u.Host, v.Host)
}
