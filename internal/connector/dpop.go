package connector

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Names of RFC 9449.
const (
	proofHeader = "DPoP"           // 4.1: of a request
	nonceHeader = "DPoP-Nonce"     // 8: of an answer
	proofType   = "dpop+jwt"       // 4.2
	useNonce    = "use_dpop_nonce" // 8: the refusal that asks for a nonce
)

// dpopField is the name in the vault of the key that tokens are bound to.
const dpopField = "dpop"

// prover makes proofs that we hold the key which access tokens are bound to
// (RFC 9449). It is safe for concurrent use.
type prover struct {
	key    *ecdsa.PrivateKey
	signer jose.Signer

	mu     sync.Mutex
	nonces map[string]string // the last one of each server, by its origin
}

// openProver takes the connection's key out of the vault, making it when it is
// missing. A refresh token is bound to it, so it must outlive the process; a
// connection without a vault has no refresh token.
func (c *Connector) openProver(ctx context.Context, conn *Connection) error {
	if conn.shared.proves() != nil && c.opts.Vault == nil {
		return nil
	}
	key, err := c.proofKey(ctx, VaultName(conn.Name, dpopField))
	if err != nil {
		return err
	}
	p, err := newProver(key)
	if err != nil {
		return err
	}
	conn.shared.mu.Lock()
	defer conn.shared.mu.Unlock()
	if old := conn.shared.prover; old == nil || !old.key.Equal(key) { // the connection was made anew
		conn.shared.prover = p
	}
	return nil
}

func (c *Connector) proofKey(ctx context.Context, name string) (*ecdsa.PrivateKey, error) {
	if c.opts.Vault == nil {
		return newProofKey()
	}
	stored, err := c.opts.Vault.Get(ctx, name)
	if fault.Is(err, fault.NotFound) {
		var release func()
		if release, err = c.opts.Vault.Exclusive(ctx); err != nil {
			return nil, err
		}
		defer release()
		if stored, err = c.opts.Vault.Get(ctx, name); fault.Is(err, fault.NotFound) {
			return c.makeProofKey(ctx, name)
		}
	}
	if err != nil {
		return nil, err
	}
	var jwk jose.JSONWebKey
	err = jwk.UnmarshalJSON([]byte(stored.Reveal()))
	key, ok := jwk.Key.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fault.New(fault.Invalid, "the vault's entry %q is not a key for proofs of possession", name).
			Fix("remove the connection and add it again")
	}
	return key, nil
}

func (c *Connector) makeProofKey(ctx context.Context, name string) (*ecdsa.PrivateKey, error) {
	key, err := newProofKey()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(jose.JSONWebKey{Key: key, Algorithm: string(jose.ES256)})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the key for proofs of possession cannot be written")
	}
	return key, c.opts.Vault.Put(ctx, name, secret.NewValue(string(text)))
}

func newProofKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "no key can be made")
	}
	return key, nil
}

// newProver signs with ES256, which every server that takes proofs knows.
func newProver(key *ecdsa.PrivateKey) (*prover, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType(proofType))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the key for proofs of possession cannot sign")
	}
	return &prover{key: key, signer: signer, nonces: map[string]string{}}, nil
}

// proofClaims are those of RFC 9449 4.2.
type proofClaims struct {
	ID     string           `json:"jti"`
	Method string           `json:"htm"`
	URL    string           `json:"htu"`
	At     *jwt.NumericDate `json:"iat"`
	Token  string           `json:"ath,omitempty"` // hash of the access token that goes with it
	Nonce  string           `json:"nonce,omitempty"`
}

// proof makes the proof for one request. access is empty for the token endpoint.
func (p *prover) proof(method, url string, access secret.Value, now time.Time) (string, error) {
	url = bareURL(url)
	c := proofClaims{ID: rand.Text(), Method: method, URL: url, At: jwt.NewNumericDate(now), Nonce: p.nonce(url)}
	if !access.Empty() {
		sum := sha256.Sum256([]byte(access.Reveal()))
		c.Token = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	text, err := jwt.Signed(p.signer).Claims(c).Serialize()
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the proof of possession cannot be signed")
	}
	return text, nil
}

// bareURL is a URL as a proof names it: without query and fragment.
func bareURL(url string) string {
	if end := strings.IndexAny(url, "?#"); end >= 0 {
		return url[:end]
	}
	return url
}

func (p *prover) nonce(url string) string {
	origin, err := egress.Origin(url)
	if err != nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nonces[origin]
}

// learn takes over the nonce that an answer brings for the next proofs, and
// reports whether there is one.
func (p *prover) learn(url string, header http.Header) bool {
	nonce := header.Get(nonceHeader)
	origin, err := egress.Origin(url)
	if nonce == "" || err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonces[origin] = nonce
	return true
}

// proves returns the connection's prover, nil without DPoP.
func (s *shared) proves() *prover {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prover
}

// proving adds a proof to the requests of a library.
type proving struct {
	base   http.RoundTripper
	prover *prover
	clock  Clock
}

// RoundTrip implements http.RoundTripper.
func (t proving) RoundTrip(req *http.Request) (*http.Response, error) {
	proof, err := t.prover.proof(req.Method, req.URL.String(), secret.Value{}, t.clock.Now())
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set(proofHeader, proof)
	res, err := t.base.RoundTrip(req)
	if err == nil {
		t.prover.learn(req.URL.String(), res.Header)
	}
	return res, err
}
