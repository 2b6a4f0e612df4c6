package hooks

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/web"
)

// authorize lets a request in or says why not. proof is what may be used only
// once: a signature.
func (h *Hooks) authorize(r *http.Request, a *trigger.Auth, body []byte) (proof string, err error) {
	switch {
	case a.HMAC != nil:
		key, err := h.secret(r.Context(), a.HMAC.Secret)
		if err != nil {
			return "", err
		}
		signature := r.Header.Get(a.HMAC.Signature)
		if err := a.HMAC.Verify(key, signature, r.Header.Get(a.HMAC.Timestamp), body, h.Now()); err != nil {
			return "", err
		}
		// Two spellings of a signature are one. It tells nothing of the key.
		sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimPrefix(signature, "sha256="))))
		return hex.EncodeToString(sum[:]), nil
	case a.Token != nil:
		key, err := h.secret(r.Context(), a.Token.Secret)
		if err != nil {
			return "", err
		}
		given := r.Header.Get(trigger.TokenHeader)
		if given == "" && a.Token.Query {
			given = r.URL.Query().Get(trigger.TokenQuery)
		}
		if !sameSecret(given, key) {
			return "", fault.New(fault.Unauthorized, "the request has no valid client token")
		}
	case a.OAuth != nil:
		return "", h.bearer(r, a.OAuth)
	case !a.Public: // cannot be: it was read so
		return "", fault.New(fault.Unauthorized, "nobody may call this endpoint")
	}
	return "", nil
}

// sameSecret compares in a time that tells nothing of the secret, not even how
// long it is.
func sameSecret(given string, key secret.Value) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(key.Reveal()))
	return key.Reveal() != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// secret resolves a reference. One that cannot be resolved is our fault, not the
// caller's.
func (h *Hooks) secret(ctx context.Context, ref secret.Ref) (secret.Value, error) {
	now := h.Now()
	h.mu.Lock()
	k, ok := h.known[ref]
	h.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.value, nil
	}
	v, err := h.Secrets.Resolve(ctx, ref)
	if err != nil {
		return v, fault.Wrap(fault.Internal, err, "the secret of the hook cannot be read")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known[ref] = knownSecret{v, now.Add(secretsKept)}
	return v, nil
}

// algorithms are those of signatures that only the issuer can make.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// issuer is who makes the access tokens of endpoints, as endpoints say it.
type issuer struct {
	url, keys, audience string
	private             bool
}

// verifier checks access tokens of one issuer. It is made when it is first needed
// and the issuer answers.
type verifier struct {
	mu       sync.Mutex
	tokens   *oidc.IDTokenVerifier
	failed   time.Time // the last time the issuer could not be asked
	failedBy error
}

// askAgain is how long an issuer that did not answer is left alone.
const askAgain = 10 * time.Second

// bearer checks the access token of a request.
func (h *Hooks) bearer(r *http.Request, o *trigger.OAuth) error {
	scheme, token := web.Credential(r)
	if !strings.EqualFold(scheme, "Bearer") || strings.Count(token, ".") != 2 {
		return fault.New(fault.Unauthorized, "the request has no access token")
	}
	tokens, err := h.tokens(r.Context(), o)
	if err != nil {
		return err
	}
	verified, err := tokens.Verify(r.Context(), token)
	if err != nil {
		return fault.Wrap(fault.Unauthorized, err, "the access token is not valid here")
	}
	var claims struct {
		Scp      any    `json:"scp"`   // Okta: a list
		Scope    any    `json:"scope"` // RFC 9068: a text
		CID      string `json:"cid"`   // Okta
		ClientID string `json:"client_id"`
		AZP      string `json:"azp"` // Auth0
	}
	if err := verified.Claims(&claims); err != nil {
		return fault.Wrap(fault.Unauthorized, err, "the access token is not valid here")
	}
	scopes := append(words(claims.Scp), words(claims.Scope)...)
	for _, needed := range o.Scopes {
		if !slices.Contains(scopes, needed) {
			return fault.New(fault.Forbidden, "the access token lacks the scope %s", needed)
		}
	}
	client := cmp.Or(claims.CID, claims.ClientID, claims.AZP)
	if len(o.Clients) > 0 && !slices.Contains(o.Clients, client) {
		return fault.New(fault.Forbidden, "the client of the access token may not call this endpoint")
	}
	return nil
}

// words reads a list of texts, or a text with blanks between.
func words(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// tokens returns what checks the tokens of an issuer.
func (h *Hooks) tokens(ctx context.Context, o *trigger.OAuth) (*oidc.IDTokenVerifier, error) {
	by := issuer{url: o.Issuer, keys: o.JWKS, audience: o.Audience, private: o.AllowPrivate}
	h.mu.Lock()
	v := h.verifiers[by]
	if v == nil {
		v = &verifier{}
		h.verifiers[by] = v
	}
	h.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tokens != nil {
		return v.tokens, nil
	}
	if v.failedBy != nil && h.Now().Sub(v.failed) < askAgain {
		return nil, v.failedBy
	}
	made, err := h.ask(ctx, o)
	if err != nil {
		v.failed, v.failedBy = h.Now(), fault.Wrap(fault.Unavailable, err, "the issuer of access tokens does not answer")
		return nil, v.failedBy
	}
	v.tokens = made
	return made, nil
}

// ask learns where an issuer's keys are. The keys themselves are fetched when a
// token needs them.
func (h *Hooks) ask(ctx context.Context, o *trigger.OAuth) (*oidc.IDTokenVerifier, error) {
	hosts := []string{o.Issuer}
	if o.JWKS != "" {
		hosts = append(hosts, o.JWKS)
	}
	// The set of keys outlives the request that was the first to need it.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), h.Client.HTTPClient(hosts, o.AllowPrivate))
	c := &oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: algorithms, Now: h.Now}
	if o.JWKS != "" {
		return oidc.NewVerifier(o.Issuer, oidc.NewRemoteKeySet(ctx, o.JWKS), c), nil
	}
	p, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return nil, err
	}
	return p.Verifier(c), nil
}
