package login

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// provider is the identity provider of a connection, as it describes itself.
type provider struct {
	oauth    oauth2.Config
	oidc     *oidc.Provider
	verifier *oidc.IDTokenVerifier
	http     *http.Client // reaches the provider and nobody else
	pkce     bool
	read     time.Time // when it was asked
	version  int64     // of the connection
}

// providerLife is how long what a provider said of itself is believed.
const providerLife = 10 * time.Minute

// signatures are the algorithms that ID tokens may be signed with: by keys of
// which we have the public half.
var signatures = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// provider returns the identity provider of a connection. callback is where it
// is to send browsers back to.
func (s *Service) provider(ctx context.Context, c *tenant.Connection, callback string) (*provider, error) {
	s.mu.Lock()
	known := s.providers[c.ID]
	s.mu.Unlock()
	if known == nil || known.version != c.Version || s.now().Sub(known.read) > providerLife || known.read.After(s.now()) {
		whole, err := s.Tenant.WithSecrets(ctx, c)
		if err != nil {
			return nil, err
		}
		if known, err = s.discover(ctx, whole); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.providers[c.ID] = known
		s.mu.Unlock()
	}
	p := *known
	p.oauth.RedirectURL = callback
	return &p, nil
}

// discover asks an identity provider for its description (OpenID Connect
// Discovery 1.0 4).
func (s *Service) discover(ctx context.Context, c *tenant.Connection) (*provider, error) {
	issuer := issuerOf(c)
	home, err := egress.Origin(issuer)
	if err != nil {
		return nil, refuse(InvalidRequest, "The connection does not say who its identity provider is.").because(err)
	}
	private := slices.Contains(s.own(), home)
	silent := func(err error) error {
		return refuse(ServerError, "The identity provider of the connection cannot be asked.").because(err)
	}
	asked, err := oidc.NewProvider(oidc.ClientContext(ctx, s.Client.HTTPClient([]string{home}, private)), issuer)
	if err != nil {
		return nil, silent(err)
	}
	var said struct {
		oidc.ProviderConfig
		Challenges []string `json:"code_challenge_methods_supported"`
	}
	if err := asked.Claims(&said); err != nil {
		return nil, silent(err)
	}
	var hosts []string
	for _, address := range []string{said.TokenURL, said.JWKSURL, said.UserInfoURL} {
		if address == "" {
			continue
		}
		host, err := egress.Origin(address)
		if err != nil || private && host != home || !private && !strings.HasPrefix(host, "https://") {
			return nil, silent(fault.New(fault.Refused, "its description names %s", address))
		}
		hosts = append(hosts, host)
	}
	p := &provider{http: s.Client.HTTPClient(hosts, private), read: s.now(), version: c.Version}
	said.Algorithms = slices.DeleteFunc(said.Algorithms, func(alg string) bool { return !slices.Contains(signatures, alg) })
	if len(said.Algorithms) == 0 {
		said.Algorithms = []string{oidc.RS256}
	}
	// The keys are fetched long after this request is over.
	p.oidc = said.NewProvider(p.context(context.WithoutCancel(ctx)))
	p.oauth = oauth2.Config{
		ClientID: option(c, "client_id"), ClientSecret: option(c, "client_secret"), Endpoint: p.oidc.Endpoint(), Scopes: scopes(c),
	}
	p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	if option(c, "token_endpoint_auth_method") == "client_secret_basic" {
		p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	settings, _ := c.Options["connection_settings"].(map[string]any)
	p.pkce = settings["pkce"] != "disabled"
	p.verifier = p.oidc.Verifier(&oidc.Config{ClientID: p.oauth.ClientID, Now: s.now, SupportedSigningAlgs: said.Algorithms})
	return p, nil
}

// What a provider may take to describe itself to whoever creates a connection,
// which keeps all that it says.
const (
	describeTime = 3 * time.Second
	describeSize = 256 << 10 // bytes
)

// Describe reads how an identity provider describes itself at an address (OpenID
// Connect Discovery 1.0 4), all of it.
func (s *Service) Describe(ctx context.Context, address string) (map[string]any, error) {
	home, err := egress.Origin(address)
	if err != nil {
		return nil, err
	}
	answer, err := s.Client.Do(ctx, &egress.Request{
		Method: http.MethodGet, URL: address, Hosts: []string{home},
		AllowPrivate: slices.Contains(s.own(), home), Timeout: describeTime, MaxBody: describeSize,
	})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fault.New(fault.Refused, "%s answers %d", address, answer.Status)
	}
	v, err := value.Decode(answer.Body)
	said, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, fault.Wrap(fault.Refused, err, "%s is no description", address)
	}
	return said, nil
}

// context lets go-oidc and oauth2 reach the provider, in ctx.
func (p *provider) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.http)
}

// issuerOf is the identity provider of a connection: its issuer, or the Okta org
// at its domain.
func issuerOf(c *tenant.Connection) string {
	if issuer := option(c, "issuer"); issuer != "" {
		return issuer
	}
	if at, ok := strings.CutSuffix(option(c, "discovery_url"), "/.well-known/openid-configuration"); ok {
		return at
	}
	if domain := option(c, "domain"); domain != "" {
		return "https://" + domain
	}
	return ""
}

func option(c *tenant.Connection, name string) string {
	s, _ := c.Options[name].(string)
	return s
}

// scopes are what a connection asks its provider for.
func scopes(c *tenant.Connection) []string {
	var out []string
	switch v := c.Options["scope"].(type) {
	case string:
		out = strings.Fields(v)
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
	}
	if len(out) == 0 {
		return []string{oidc.ScopeOpenID, "profile", "email"}
	}
	if !slices.Contains(out, oidc.ScopeOpenID) {
		out = append([]string{oidc.ScopeOpenID}, out...)
	}
	return out
}

// claims are what a provider says of a person.
type claims map[string]any

func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// person exchanges the provider's code and returns what it says of who signed
// in: the claims of the ID token, and those of the UserInfo endpoint when it has
// one.
func (p *provider) person(ctx context.Context, code string, f *flow) (claims, error) {
	ctx = p.context(ctx)
	doubtful := func(err error) error {
		return refuse(ServerError, "What the identity provider said could not be verified.").because(err)
	}
	var more []oauth2.AuthCodeOption
	if f.Verifier != "" {
		more = append(more, oauth2.VerifierOption(f.Verifier))
	}
	token, err := p.oauth.Exchange(ctx, code, more...)
	if err != nil {
		return nil, refuse(ServerError, "The identity provider did not accept the sign-in.").because(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, doubtful(err)
	}
	var said claims
	if err := id.Claims(&said); err != nil {
		return nil, doubtful(err)
	}
	if id.Nonce != f.Nonce {
		return nil, doubtful(fault.New(fault.Refused, "the ID token has another nonce"))
	}
	if azp := said.text("azp"); azp != "" && azp != p.oauth.ClientID || azp == "" && len(id.Audience) > 1 {
		return nil, doubtful(fault.New(fault.Refused, "the ID token is for another party"))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, doubtful(err)
		}
	}
	if p.oidc.UserInfoEndpoint() == "" {
		return said, nil
	}
	info, err := p.oidc.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, doubtful(err)
	}
	if info.Subject != id.Subject {
		return nil, doubtful(fault.New(fault.Refused, "the UserInfo endpoint speaks of somebody else"))
	}
	if err := info.Claims(&said); err != nil { // over those of the ID token
		return nil, doubtful(err)
	}
	return said, nil
}
