package auth0

import (
	"crypto/sha1" //nolint:gosec // x5t is defined by it (RFC 7517 4.8); nothing is protected by it
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// What a tenant says of itself to those who sign people in by it, or check its
// tokens: both without a token.

const (
	openIDPath = "/.well-known/openid-configuration"
	keysPath   = "/.well-known/jwks.json"
)

// openID is GET /.well-known/openid-configuration (OpenID Connect Discovery 1.0
// 4.2), with what is served here.
func (a *API) openID(w http.ResponseWriter, r *http.Request) error {
	base := a.issuer(r)
	w.Header().Set("Cache-Control", "public, max-age=15, stale-while-revalidate=15, stale-if-error=86400")
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "issuer", Value: base},
		{Key: "authorization_endpoint", Value: base + "authorize"},
		{Key: "token_endpoint", Value: base + "oauth/token"},
		{Key: "userinfo_endpoint", Value: base + "userinfo"},
		{Key: "jwks_uri", Value: base + strings.TrimPrefix(keysPath, "/")},
		{Key: "scopes_supported", Value: []string{"openid", "profile", "email", "phone", "offline_access"}},
		{Key: "response_types_supported", Value: []string{"code"}},
		{Key: "code_challenge_methods_supported", Value: []string{"S256", "plain"}},
		{Key: "response_modes_supported", Value: []string{"query"}},
		{Key: "subject_types_supported", Value: []string{"public"}},
		{Key: "id_token_signing_alg_values_supported", Value: []string{"RS256"}},
		{Key: "token_endpoint_auth_methods_supported", Value: []string{"client_secret_basic", "client_secret_post", "none"}},
		{Key: "claims_supported", Value: []string{
			"aud", "auth_time", "created_at", "email", "email_verified", "exp", "family_name", "given_name", "iat", "identities", "iss",
			"name", "nickname", "phone_number", "picture", "sub",
		}},
		{Key: "request_uri_parameter_supported", Value: false},
		{Key: "request_parameter_supported", Value: false},
	})
}

// jwks is GET /.well-known/jwks.json: the keys that sign now and next, so that
// nobody is surprised.
func (a *API) jwks(w http.ResponseWriter, r *http.Request) error {
	keys, err := a.tenant.Keys(r.Context(), tenant.TenantKeys, a.Realm)
	if err != nil {
		return err
	}
	out := []web.Object{}
	for _, k := range keys {
		if k.State == tenant.PreviousKey && a.now().Sub(k.Updated) > tokenLife {
			continue // nothing that it signed is good any more
		}
		one, err := jwk(k)
		if err != nil {
			return err
		}
		out = append(out, one)
	}
	w.Header().Set("Cache-Control", "public, max-age=15, stale-while-revalidate=15, stale-if-error=86400")
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "keys", Value: out}})
}

// jwk is the public half of a key (RFC 7517).
func jwk(k *tenant.SigningKey) (web.Object, error) {
	public, err := k.Public()
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(strings.ReplaceAll(k.Certificate, "\r\n", "\n")))
	sum := sha1.Sum(block.Bytes) //nolint:gosec // see the import
	return web.Object{
		{Key: "kty", Value: "RSA"}, {Key: "use", Value: "sig"},
		{Key: "n", Value: base64.RawURLEncoding.EncodeToString(public.N.Bytes())},
		{Key: "e", Value: "AQAB"}, // 65537, the exponent of every key that is made here
		{Key: "kid", Value: k.ID},
		{Key: "x5t", Value: base64.RawURLEncoding.EncodeToString(sum[:])},
		{Key: "x5c", Value: []string{base64.StdEncoding.EncodeToString(block.Bytes)}},
		{Key: "alg", Value: string(jose.RS256)},
	}, nil
}

func (a *API) keyRoutes() []route {
	return []route{
		op("GET", "/keys/signing", a.listSigningKeys, "read:signing_keys"),
		op("GET", "/keys/signing/{kid}", a.getSigningKey, "read:signing_keys"),
		op("POST", "/keys/signing/rotate", a.rotateSigningKeys, "create:signing_keys", "update:signing_keys"),
	}
}

// signingKey is the wire form of a key of the tenant.
func (a *API) signingKey(k tenant.ShownKey) web.Object {
	o := web.Object{
		{Key: "kid", Value: k.ID}, {Key: "cert", Value: k.Certificate}, {Key: "pkcs7", Value: k.PKCS7},
		{Key: "current", Value: k.State == tenant.CurrentKey}, {Key: "next", Value: k.State == tenant.NextKey},
		{Key: "previous", Value: k.State == tenant.PreviousKey},
	}
	if k.State == tenant.CurrentKey {
		o = append(o, web.Field{Key: "current_since", Value: date(k.Since)})
	}
	return append(o, web.Object{
		{Key: "fingerprint", Value: k.Fingerprint}, {Key: "thumbprint", Value: strings.ReplaceAll(k.Fingerprint, ":", "")},
		{Key: "revoked", Value: false},
	}...)
}

func (a *API) listSigningKeys(w http.ResponseWriter, r *http.Request) error {
	keys, err := a.tenant.ShownKeys(r.Context(), tenant.TenantKeys, a.Realm)
	if err != nil {
		return err
	}
	rows := []web.Object{}
	for _, k := range keys {
		rows = append(rows, a.signingKey(k))
	}
	return web.WriteJSON(w, http.StatusOK, rows)
}

func (a *API) getSigningKey(w http.ResponseWriter, r *http.Request) error {
	keys, err := a.tenant.ShownKeys(r.Context(), tenant.TenantKeys, a.Realm)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID == r.PathValue("kid") {
			return web.WriteJSON(w, http.StatusOK, a.signingKey(k))
		}
	}
	return notFound()
}

// rotateSigningKeys is POST /keys/signing/rotate. It answers the key that comes
// next, in short.
func (a *API) rotateSigningKeys(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.tenant.Keys(r.Context(), tenant.TenantKeys, a.Realm); err != nil {
		return err
	}
	next, err := a.tenant.RotateKeys(r.Context(), actor(r), tenant.TenantKeys, a.Realm)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, web.Object{{Key: "cert", Value: next.Certificate}, {Key: "kid", Value: next.ID}})
}
