package connector

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

const (
	fetchTimeout     = 30 * time.Second // of one token request
	assertionLife    = 5 * time.Minute  // Okta allows an hour; less is safer
	unknownTokenLife = 10 * time.Minute // of a token that does not say when it expires
	maxTokenSkew     = time.Minute      // before its expiry a token is renewed
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenSource keeps the access token of a connection. However many calls need
// one at a time, one request fetches it.
type tokenSource struct {
	connector *Connector
	conn      *Connection // the first that was bound; those that share are alike
	shared    *shared

	mu      sync.Mutex // guards what follows
	current token
	refused secret.Value // the last token that the server refused
	flight  *flight      // the fetch under way
}

type token struct {
	value   secret.Value
	expires time.Time // when it is renewed, somewhat before its end
	until   time.Time // its end
	scope   string    // granted, as the endpoint says; may be empty
	ends    time.Time // when the connection ends unless somebody signs in again; zero: never, or not known
}

// flight is a fetch that others wait for. token and err are set when done is closed.
type flight struct {
	done  chan struct{}
	token token
	err   error
}

// get returns a token that is valid for a while, fetching one if need be.
func (s *tokenSource) get(ctx context.Context) (secret.Value, error) {
	t, err := s.token(ctx)
	return t.value, err
}

func (s *tokenSource) token(ctx context.Context) (token, error) {
	s.mu.Lock()
	if !s.current.value.Empty() && s.connector.opts.Clock.Now().Before(s.current.expires) {
		defer s.mu.Unlock()
		return s.current, nil
	}
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flight = f
		// The fetch serves all who wait, so it outlives the one who began it;
		// fetchTimeout ends it.
		fetchCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		go func() {
			defer cancel()
			f.token, f.err = s.fetch(fetchCtx)
			s.land(f)
		}()
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return token{}, waitError(ctx, "the access token")
	}
}

// land ends a flight. Its token is kept unless the credential changed meanwhile.
func (s *tokenSource) land(f *flight) {
	s.mu.Lock()
	if s.flight == f {
		s.flight = nil
		if f.err == nil {
			s.current = f.token
		}
	}
	s.mu.Unlock()
	close(f.done)
}

// invalidate drops a token that the server refused, unless it was renewed since.
func (s *tokenSource) invalidate(refused secret.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = refused
	if s.current.value.Equal(refused) {
		s.current = token{}
	}
}

// forget drops whatever was got with a credential that changed.
func (s *tokenSource) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.flight = token{}, nil
}

// fetch gets a token: from the token endpoint, or of somebody who signed in.
func (s *tokenSource) fetch(ctx context.Context) (token, error) {
	if s.conn.auth.kind == config.AuthAuthorizationCode {
		return s.granted(ctx)
	}
	g, err := s.ask(ctx, url.Values{})
	if err != nil {
		return token{}, err
	}
	return s.accept(g, time.Time{}), nil
}

// accept makes a grant the token that is used from now on.
func (s *tokenSource) accept(g grant, ends time.Time) token {
	access := secret.NewValue(g.AccessToken)
	s.shared.learn(&s.shared.fetched, access)
	s.shared.learn(&s.shared.fetched, secret.NewValue(g.RefreshToken))
	t := token{value: access, expires: renewal(g), until: g.Expires, scope: g.Scope, ends: ends}
	who, _ := claims(t)
	s.shared.identify(cmp.Or(g.Identity, who))
	return t
}

// renewal is when a token is renewed: somewhat before its end, so that it does
// not expire on its way.
func renewal(g grant) time.Time {
	life := g.Expires.Sub(g.Obtained)
	return g.Expires.Add(-min(life/10, maxTokenSkew))
}

// ask asks the token endpoint with the given parameters beside those of every
// request. It asks twice when the endpoint wants a nonce in the proof of
// possession; the assertion is made anew, since each can be used once.
func (s *tokenSource) ask(ctx context.Context, params url.Values) (grant, error) {
	g, err := s.askOnce(ctx, params)
	if refusal(err) == useNonce && s.shared.proves() != nil {
		g, err = s.askOnce(ctx, params)
	}
	if err != nil {
		var own *fault.Error
		if errors.As(err, &own) && !errors.As(err, new(*egress.SendError)) {
			return grant{}, err
		}
		return grant{}, s.explain(err)
	}
	return g, nil
}

// refusal is the error code of the token endpoint (RFC 6749 5.2), empty for
// other errors.
func refusal(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return refused.ErrorCode
	}
	return ""
}

func (s *tokenSource) askOnce(ctx context.Context, params url.Values) (grant, error) {
	conf, err := s.request(params)
	if err != nil {
		return grant{}, err
	}
	opts, proves := s.connector.opts, s.shared.proves()
	client := opts.Client.HTTPClient([]string{conf.TokenURL}, s.conn.AllowPrivate)
	if proves != nil {
		client.Transport = proving{client.Transport, proves, opts.Clock}
	}
	begin := time.Now()
	t, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return grant{}, err
	}
	switch kind := strings.ToLower(t.TokenType); {
	case proves != nil && kind != "dpop":
		return grant{}, fault.New(fault.Unsupported, "the token endpoint issues tokens without proof of possession").
			At("connections.%s.auth", s.conn.Name).Fix("let the application demand DPoP, or remove dpop")
	case proves == nil && kind != "bearer" && kind != "":
		return grant{}, fault.New(fault.Unsupported, "the token endpoint issues tokens that need proof of possession").
			At("connections.%s.auth", s.conn.Name).Fix("add dpop: true; or let the application use bearer tokens")
	}
	life := unknownTokenLife
	if !t.Expiry.IsZero() {
		life = t.Expiry.Sub(begin)
	}
	g := grant{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, Obtained: opts.Clock.Now()}
	g.Expires = g.Obtained.Add(life)
	g.Scope, _ = t.Extra("scope").(string)
	g.idToken, _ = t.Extra("id_token").(string)
	return g, nil
}

// request builds the token request; an assertion is used once.
func (s *tokenSource) request(params url.Values) (*clientcredentials.Config, error) {
	a := &s.conn.auth
	conf := &clientcredentials.Config{
		ClientID: s.shared.value("clientId").Reveal(), TokenURL: a.tokenURL,
		AuthStyle: oauth2.AuthStyleInParams, EndpointParams: maps.Clone(params),
	}
	if a.audience != "" {
		conf.EndpointParams.Set("audience", a.audience)
	}
	if a.kind != config.AuthAuthorizationCode {
		conf.Scopes = a.scopes
	}
	if a.kind != config.AuthPrivateKeyJWT {
		// Without a secret the client is a public one, which sends its id alone.
		conf.ClientSecret = s.shared.value("clientSecret").Reveal()
		if a.config.ClientAuth == "basic" {
			conf.AuthStyle = oauth2.AuthStyleInHeader
		}
		return conf, nil
	}
	assertion, err := s.assertion(conf.ClientID)
	if err != nil {
		return nil, err
	}
	conf.EndpointParams.Set("client_assertion_type", assertionType)
	conf.EndpointParams.Set("client_assertion", assertion)
	return conf, nil
}

// assertion signs who we are for the token endpoint (RFC 7523 3).
func (s *tokenSource) assertion(clientID string) (string, error) {
	key, err := signingKey(s.shared.value("privateKey"), s.conn.auth.config.KeyID)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "the private key cannot sign").At("connections.%s.auth.privateKey", s.conn.Name)
	}
	now := s.connector.opts.Clock.Now()
	signed, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: clientID, Subject: clientID, Audience: jwt.Audience{s.conn.auth.tokenURL},
		ID: rand.Text(), IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the client assertion cannot be signed")
	}
	return signed, nil
}

// signingKey reads a private key, PEM or JWK, and chooses its algorithm.
func signingKey(v secret.Value, keyID string) (jose.SigningKey, error) {
	text := strings.TrimSpace(v.Reveal())
	key := jose.JSONWebKey{KeyID: keyID}
	if strings.HasPrefix(text, "{") {
		if err := key.UnmarshalJSON([]byte(text)); err != nil {
			return jose.SigningKey{}, fault.New(fault.Invalid, "the private key is not a JWK that can be read")
		}
		if keyID != "" {
			key.KeyID = keyID
		}
	} else {
		parsed, err := parsePEM(text)
		if err != nil {
			return jose.SigningKey{}, err
		}
		key.Key = parsed
	}
	algorithm, err := algorithmOf(key.Key)
	if err != nil {
		return jose.SigningKey{}, err
	}
	key.Algorithm = string(algorithm)
	return jose.SigningKey{Algorithm: algorithm, Key: key}, nil
}

func parsePEM(text string) (crypto.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fault.New(fault.Invalid, "the private key is neither PEM nor a JWK")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, fault.New(fault.Invalid, "the PEM holds no private key that can be read").Fix("convert it to PKCS#8 without a passphrase")
}

func algorithmOf(key any) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return jose.RS256, nil
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return jose.ES256, nil
		case 384:
			return jose.ES384, nil
		case 521:
			return jose.ES512, nil
		}
	case ed25519.PrivateKey:
		return jose.EdDSA, nil
	}
	return "", fault.New(fault.Invalid, "the private key is of a kind that cannot sign").Fix("use RSA, or an elliptic curve key on P-256, P-384 or P-521")
}

// explain turns a failed token request into a fault. It keeps neither the
// request nor the answer, which may repeat the credential.
func (s *tokenSource) explain(err error) error {
	at := func(e *fault.Error) error { return e.At("connections.%s.auth", s.conn.Name) }
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		var sending *egress.SendError
		if errors.As(err, &sending) {
			return at(fault.Wrap(fault.KindOf(sending), sending, "no access token: %s", fault.Public(sending)))
		}
		return at(fault.New(fault.Unauthorized, "the token endpoint's answer holds no access token").Fix("check tokenUrl"))
	}
	status := refused.Response.StatusCode
	code := ""
	if refused.ErrorCode != "" {
		code = " (" + s.clean(refused.ErrorCode) + ")"
		if d := s.clean(refused.ErrorDescription); d != "" {
			code = " (" + s.clean(refused.ErrorCode) + ": " + d + ")"
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return at(fault.New(fault.RateLimited, "the token endpoint asks to slow down").Fix("try again later"))
	case status >= 500:
		return at(fault.New(fault.Unavailable, "the token endpoint answered %d %s", status, http.StatusText(status)).Fix("try again later"))
	}
	e := fault.Wrap(fault.Unauthorized, refusedBy{status, refused.ErrorCode}, "the token endpoint refuses the client with %d%s", status, code).
		Fix("check clientId, the secret or key, and that the application may use this API")
	if a, ok := s.conn.auth.answers[status]; ok {
		e = fault.Wrap(fault.Unauthorized, refusedBy{status, refused.ErrorCode}, "%s: %d%s", a.Meaning, status, code).Fix("%s", a.Remedy)
	}
	return at(e)
}

// refusedBy is how the token endpoint refused, without its text.
type refusedBy struct {
	status int
	code   string
}

// Error makes it a cause.
func (r refusedBy) Error() string { return fmt.Sprintf("the token endpoint answered %d", r.status) }

// maxQuoted bounds what is quoted of a provider's message.
const maxQuoted = 200

// clean makes a provider's text fit to be shown: short, one line, no secrets.
func (s *tokenSource) clean(text string) string {
	text = secret.NewRedactor(s.conn.Secrets()...).Text(text)
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxQuoted {
		text = strings.ToValidUTF8(text[:maxQuoted], "") + "..."
	}
	return strings.TrimSpace(text)
}

// waitError says that waiting ended before what was waited for.
func waitError(ctx context.Context, what string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.Timeout, ctx.Err(), "%s did not come in the time allowed", what).Fix("allow more time")
	}
	return fault.Wrap(fault.Unavailable, ctx.Err(), "waiting for %s was given up", what)
}
