package connector

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Where a credential goes.
const (
	inHeader = "header"
	inQuery  = "query"
	inCookie = "cookie"
)

// authorization is the header of every kind of credential but API keys.
const authorization = "Authorization"

// auth is how a connection identifies itself: references, and where the result
// goes.
type auth struct {
	kind   string
	in     string // of an API key: empty when each operation's scheme says
	name   string
	prefix string
	config config.Auth
	fixed  secret.Value // the sandbox's token

	// OAuth 2.0
	tokenURL     string
	authorizeURL string // authorization_code
	audience     string
	scopes       []string
	usual        []string               // scopes of a sign-in that names none
	answers      map[int]catalog.Answer // what the token endpoint's refusals mean
}

// oauth reports whether the credential is exchanged for an access token.
func (a *auth) oauth() bool {
	switch a.kind {
	case config.AuthClientCredentials, config.AuthPrivateKeyJWT, config.AuthAuthorizationCode:
		return true
	}
	return false
}

// reference says where the credential is kept.
func (a *auth) reference() string {
	for _, ref := range []string{a.config.Token, a.config.Password, a.config.ClientSecret, a.config.PrivateKey} {
		if ref != "" {
			return ref
		}
	}
	return "the sandbox's own"
}

// place says where the credential of a call goes.
type place struct{ in, name, prefix string }

// bindAuth takes over the credential of lanyard.yaml, and checks that every
// operation can be given it.
func (conn *Connection) bindAuth(a config.Auth, src Source) error {
	conn.Credential = a.Type
	if !hasCredential(a) {
		conn.Credential, conn.auth = config.AuthNone, auth{kind: config.AuthNone}
		return nil
	}
	conn.auth = auth{kind: a.Type, in: inHeader, name: authorization, config: a}
	known, isKnown := conn.known(a.Type)
	switch a.Type {
	case config.AuthSSWS:
		conn.auth.prefix = "SSWS "
	case config.AuthBearer:
		conn.auth.prefix = "Bearer "
	case config.AuthBasic:
		conn.auth.prefix = "Basic "
	case config.AuthAPIKey:
		conn.auth.in, conn.auth.name = a.In, a.Name
		if a.Name != "" && a.In == "" {
			conn.auth.in = inHeader
		}
	default:
		conn.auth.prefix = "Bearer "
		if err := conn.bindOAuth(a, src); err != nil {
			return err
		}
	}
	if isKnown && a.Type != config.AuthBasic {
		conn.auth.prefix = known.Prefix
		if a.Name == "" {
			conn.auth.in, conn.auth.name = inHeader, known.Header
		}
	}
	if a.Prefix != "" {
		conn.auth.prefix = a.Prefix
	}
	if a.DPoP {
		conn.auth.prefix = "DPoP " // RFC 9449 7.1
	}
	for _, op := range src.Operations {
		if _, ok := conn.place(op); !ok && !isPublic(op) {
			return conn.wrong("auth.name", "source %s does not say where the API key goes in %s %s", src.Name, op.Method, op.Path).
				Fix("add name: (and in: header, query or cookie) to connections.%s.auth", conn.Name)
		}
	}
	return nil
}

// known is how the provider takes credentials of a kind, as the catalogue says.
func (conn *Connection) known(kind string) (catalog.Auth, bool) {
	if conn.Entry == nil {
		return catalog.Auth{}, false
	}
	return conn.Entry.Credential(kind)
}

// bindOAuth finds the token endpoint, audience and scopes.
func (conn *Connection) bindOAuth(a config.Auth, src Source) error {
	conn.auth.audience, conn.auth.scopes = a.Audience, a.Scopes
	tokenURL, err := conn.tokenURL(a.TokenURL, src)
	if err != nil {
		return err
	}
	if known, ok := conn.known(a.Type); ok {
		here, err := known.At(conn.Server)
		if err != nil {
			return err
		}
		if tokenURL == "" {
			tokenURL = here.TokenURL
		}
		if a.Audience == "" {
			conn.auth.audience = here.Audience
		}
		conn.auth.answers, conn.auth.authorizeURL, conn.auth.usual = known.Answers, here.AuthorizeURL, known.Scopes
		if known.SendScopes && len(a.Scopes) == 0 {
			if conn.auth.scopes, err = conn.scopesFor(src); err != nil {
				return err
			}
			if len(conn.auth.scopes) == 0 {
				return conn.wrong("auth.scopes", "%s issues no token without scopes, and the description does not say which are needed", conn.Entry.Title).
					Fix("list them in connections.%s.auth.scopes", conn.Name)
			}
		}
	}
	if tokenURL == "" && conn.Entry != nil {
		return conn.wrong("auth.type", "%s takes no %s", conn.Entry.Title, a.Type).Fix("use %s", conn.Entry.Auth[0].Type)
	}
	if tokenURL == "" {
		return conn.wrong("auth.tokenUrl", "it is not known where to get a token").
			Fix("add tokenUrl to connections.%s.auth", conn.Name)
	}
	conn.auth.tokenURL, conn.Scopes = tokenURL, conn.auth.scopes
	if a.AuthorizeURL != "" {
		if conn.auth.authorizeURL, err = conn.endpoint("authorizeUrl", a.AuthorizeURL); err != nil {
			return err
		}
	}
	if a.Type == config.AuthAuthorizationCode && conn.auth.authorizeURL == "" {
		return conn.wrong("auth.authorizeUrl", "it is not known where people sign in").
			Fix("add authorizeUrl to connections.%s.auth", conn.Name)
	}
	return nil
}

// endpoint resolves one of the operator's URLs against the bound server.
func (conn *Connection) endpoint(field, written string) (string, error) {
	server, err := url.Parse(conn.Server)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "a bound server is not a URL")
	}
	u, err := server.Parse(written)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return "", conn.wrong("auth."+field, "the endpoint is not a URL").Fix("write it as https://host/path, or /path on the server")
	}
	return u.String(), nil
}

// tokenURL resolves the token endpoint of lanyard.yaml, or of the description's
// scheme, against the bound server. The operator's is bound by being written
// there; the description's must be on a host that is bound.
func (conn *Connection) tokenURL(written string, src Source) (string, error) {
	if written != "" {
		return conn.endpoint("tokenUrl", written)
	}
	if conn.Entry != nil {
		return "", nil
	}
	for _, name := range schemeNames(src) {
		scheme := src.Schemes[name]
		if scheme.TokenURL == "" {
			continue
		}
		tokenURL, err := conn.endpoint("tokenUrl", scheme.TokenURL)
		if err != nil {
			return "", err
		}
		if !egress.Allowed(tokenURL, conn.Hosts) {
			return "", conn.wrong("auth.tokenUrl", "the description's token endpoint is on a host that is not bound").
				Fix("if it is the right one, write it to connections.%s.auth.tokenUrl: %s", conn.Name, tokenURL)
		}
		return tokenURL, nil
	}
	return "", nil
}

// schemeNames returns the names of the OAuth 2.0 schemes in order.
func schemeNames(src Source) []string {
	var names []string
	for name, s := range src.Schemes {
		if s.Type == "oauth2" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// scopesFor are the scopes to ask for when the connection names none: those that
// the source needs, or without a source those that a test needs.
func (conn *Connection) scopesFor(src Source) ([]string, error) {
	if len(src.Operations) > 0 {
		return conn.NeededScopes(src)
	}
	if probe := conn.probe(); probe != nil {
		return probe.Scopes, nil
	}
	return nil, nil
}

// neededScopes gathers the scopes that the operations ask for, so that a token
// can do what the workflow does and no more.
func neededScopes(src Source) []string {
	var scopes []string
	for _, op := range src.Operations {
		for _, alternative := range op.Security {
			for name, needed := range alternative {
				if src.Schemes[name].Type == "oauth2" {
					scopes = append(scopes, needed...)
				}
			}
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// wrong is a mistake in the connection of lanyard.yaml.
func (conn *Connection) wrong(field, format string, args ...any) *fault.Error {
	name := conn.Name
	if name == "" {
		name = conn.Source
	}
	return fault.New(fault.Invalid, format, args...).At("connections.%s.%s", name, field)
}

// isPublic reports whether the description says that an operation takes no
// credential. Saying nothing about security is something else: many
// descriptions forget it.
func isPublic(op *openapi.Operation) bool {
	if !op.HasSecurity {
		return false
	}
	return !slices.ContainsFunc(op.Security, func(all map[string][]string) bool { return len(all) > 0 })
}

// place returns where the credential goes in calls of an operation; false when
// it goes nowhere.
func (conn *Connection) place(op *openapi.Operation) (place, bool) {
	if conn.auth.kind == "" || conn.auth.kind == config.AuthNone || isPublic(op) {
		return place{}, false
	}
	if conn.auth.name != "" {
		return place{conn.auth.in, conn.auth.name, conn.auth.prefix}, true
	}
	scheme, ok := conn.apiKeyScheme(op)
	return place{scheme.In, scheme.Param, conn.auth.prefix}, ok
}

// apiKeyScheme finds the API key scheme of an operation, or the only one of the
// description when the operation names none.
func (conn *Connection) apiKeyScheme(op *openapi.Operation) (openapi.Scheme, bool) {
	for _, alternative := range op.Security {
		names := make([]string, 0, len(alternative))
		for name := range alternative {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if s := conn.schemes[name]; s.Type == "apiKey" && s.Param != "" {
				return s, true
			}
		}
	}
	var only openapi.Scheme
	count := 0
	for _, s := range conn.schemes {
		if s.Type == "apiKey" && s.Param != "" {
			only = s
			count++
		}
	}
	return only, count == 1
}

// Injects returns where the connection puts its credential in calls of an
// operation ("header", "Authorization"), so that a parameter of that name counts
// as given. It returns false when it puts none.
func (conn *Connection) Injects(op *openapi.Operation) (in, name string, ok bool) {
	p, ok := conn.place(op)
	return p.in, p.name, ok
}

// credential returns what is put after the prefix, fetching a token if need be.
func (c *Connector) credential(ctx context.Context, conn *Connection) (secret.Value, error) {
	switch a := &conn.auth; {
	case !a.fixed.Empty():
		return a.fixed, nil
	case a.oauth():
		return conn.shared.tokens.get(ctx)
	case a.kind == config.AuthBasic:
		user, pass := conn.shared.value("username"), conn.shared.value("password")
		return secret.NewValue(base64.StdEncoding.EncodeToString([]byte(user.Reveal() + ":" + pass.Reveal()))), nil
	}
	return conn.shared.value("token"), nil
}

// given reports whether the document supplies the credential itself. Its value
// wins, and is not doubled.
func given(p place, header http.Header, query string) bool {
	switch p.in {
	case inQuery:
		values, err := url.ParseQuery(query)
		return err == nil && values.Has(p.name)
	case inCookie:
		for _, line := range header["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				if name, _, _ := strings.Cut(strings.TrimSpace(pair), "="); name == p.name {
					return true
				}
			}
		}
		return false
	}
	return header.Get(p.name) != ""
}

// put writes a credential into the request, or its mask into headers.
func put(p place, value string, header http.Header, query string) string {
	switch p.in {
	case inQuery:
		pair := url.QueryEscape(p.name) + "=" + url.QueryEscape(p.prefix+value)
		if query != "" {
			return query + "&" + pair
		}
		return pair
	case inCookie:
		pair := p.name + "=" + p.prefix + value
		if before := header.Get("Cookie"); before != "" {
			pair = before + "; " + pair
		}
		header.Set("Cookie", pair)
	default:
		header.Set(p.name, p.prefix+value)
	}
	return query
}
