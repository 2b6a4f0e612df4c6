package oauth

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// assertionLife is how far in the future an assertion may expire (okta.md 4).
const assertionLife = time.Hour

// clientAlgorithms are those by which clients sign: assertions and proofs.
var clientAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// assertion is what a client says of itself (RFC 7523 3).
type assertion struct {
	issuer, subject, id string
	audience            []string
	expires, issued     time.Time // issued is zero when it is not said
}

// byAssertion checks a client's assertion: the client, then what is said, then
// the signature, so that each mistake has its own text.
func (s *Server) byAssertion(ctx context.Context, c Credentials) (*proven, error) {
	if c.AssertionType != assertionType {
		return nil, Refuse("client_assertion_type_invalid")
	}
	jws, err := parseSigned(c.Assertion)
	if err != nil {
		return nil, Refuse("client_assertion_invalid_jwt").because(err)
	}
	header := jws.Signatures[0].Protected
	if !slices.Contains(clientAlgorithms, jose.SignatureAlgorithm(header.Algorithm)) {
		return nil, Refuse("client_assertion_invalid_signature_algorithm")
	}
	a, err := readAssertion(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, err
	}
	client, err := s.client(ctx, a.issuer)
	switch {
	case missing(err):
		return nil, Refuse("client_assertion_invalid_issuer").because(err)
	case err != nil:
		return nil, err
	case a.subject != a.issuer, c.ID != "" && c.ID != a.subject:
		return nil, Refuse("client_assertion_invalid_subject")
	case !client.Active:
		return nil, Refuse("invalid_client")
	case client.AuthMethod != byKey:
		return nil, Refuse("invalid_token_endpoint_auth_method")
	}
	if err := s.checkAssertion(ctx, a, c); err != nil {
		return nil, err
	}
	if err := verifyAssertion(client, jws, header); err != nil {
		return nil, err
	}
	return &proven{Client: client, how: byKey, used: a}, nil
}

// parseSigned reads a signed JWT of any algorithm that go-jose knows.
func parseSigned(text string) (*jose.JSONWebSignature, error) {
	return jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512,
		jose.PS256, jose.PS384, jose.PS512, jose.HS256, jose.HS384, jose.HS512, jose.EdDSA,
	})
}

func readAssertion(payload []byte) (*assertion, error) {
	v, err := value.Decode(payload)
	claims, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, Refuse("client_assertion_invalid_jwt").because(err)
	}
	a := &assertion{audience: texts(claims["aud"])}
	a.issuer, _ = claims["iss"].(string)
	a.subject, _ = claims["sub"].(string)
	a.id, _ = claims["jti"].(string)
	if a.expires, ok = seconds(claims["exp"]); !ok {
		return nil, Refuse("client_assertion_expiration_required")
	}
	if a.issued, ok = seconds(claims["iat"]); !ok && claims["iat"] != nil {
		return nil, Refuse("client_assertion_invalid_jwt")
	}
	return a, nil
}

// checkAssertion checks what is said. Okta's text names the endpoint as the
// only audience; its documentation also allows the issuer.
func (s *Server) checkAssertion(ctx context.Context, a *assertion, c Credentials) error {
	now := s.now()
	switch {
	case !slices.Contains(a.audience, c.Endpoint) && !slices.Contains(a.audience, c.Issuer):
		return Refuse("client_assertion_invalid_audience")
	case !a.expires.After(now):
		return Refuse("client_assertion_expired_token")
	case a.expires.After(now.Add(assertionLife + clockSkew)):
		return Refuse("client_assertion_expires_too_far_in_future")
	case a.issued.After(now.Add(clockSkew)):
		return Refuse("client_assertion_issued_at_in_future")
	case a.id == "":
		return nil
	}
	err := s.Directory.Store.View(ctx, func(r directory.Reader) error {
		_, err := r.Record(s.realm(), usedNoun, a.mark())
		return err
	})
	switch {
	case missing(err):
		return nil
	case err != nil:
		return err
	}
	return Refuse("client_assertion_already_used")
}

// mark is the id under which the store remembers that the assertion was used.
func (a *assertion) mark() string { return digest(a.issuer + "\n" + a.id) }

// spend marks an assertion as used. Of two requests with it at once, one wins.
func (s *Server) spend(tx directory.Tx, a *assertion) error {
	if a == nil || a.id == "" {
		return nil
	}
	err := s.insert(tx, usedNoun, a.mark(), a.issuer, "", "", expiring{Expires: a.expires})
	if fault.Is(err, fault.Conflict) {
		return Refuse("client_assertion_already_used").because(err)
	}
	return err
}

// verifyAssertion checks the signature with the client's keys.
func verifyAssertion(client *Client, jws *jose.JSONWebSignature, header jose.Header) error {
	switch {
	case len(client.JWKS) == 0 && client.JWKSURI != "":
		return Refuse("jwks_uri_error")
	case len(client.JWKS) == 0:
		return Refuse("client_assertion_jwks_not_configured")
	}
	keys, err := publicKeys(client.JWKS)
	if err != nil {
		return Refuse("client_assertion_invalid_jwks").because(err)
	}
	if len(keys) == 0 {
		return Refuse("client_assertion_jwks_not_configured")
	}
	if header.KeyID != "" {
		keys = slices.DeleteFunc(keys, func(k jose.JSONWebKey) bool { return k.KeyID != header.KeyID })
		if len(keys) == 0 {
			return Refuse("client_assertion_invalid_kid")
		}
	}
	signing := slices.DeleteFunc(keys, func(k jose.JSONWebKey) bool { return k.Use != "" && k.Use != "sig" })
	if len(signing) == 0 {
		return Refuse("client_assertion_invalid_key_use", "sig")
	}
	for _, key := range signing {
		if _, err := jws.Verify(key.Key); err == nil {
			return nil
		}
	}
	return Refuse("client_assertion_invalid_signature")
}

// publicKeys reads a key set. Keys of a kind that cannot sign for a client are
// left out.
func publicKeys(set []byte) ([]jose.JSONWebKey, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &raw); err != nil {
		return nil, err
	}
	var out []jose.JSONWebKey
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		if key = key.Public(); key.Valid() {
			out = append(out, key)
		}
	}
	return out, nil
}

// texts reads a claim that is a string or a list of strings.
func texts(claim any) []string {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		var out []string
		for _, one := range c {
			if text, ok := one.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// seconds reads a claim that is a time in seconds since 1970, perhaps with a
// fraction (RFC 7519 2, NumericDate).
func seconds(claim any) (time.Time, bool) {
	number, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	whole, _, _ := strings.Cut(number.String(), ".")
	n, err := json.Number(whole).Int64()
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}
