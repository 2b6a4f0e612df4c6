package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Times of proofs and nonces (okta.md 4).
const (
	proofLife  = 5 * time.Minute
	nonceLife  = 24 * time.Hour
	oldNonces  = 3 // days that a nonce stays good after the next one
	maxProof   = 8 << 10
	maxProofID = 512
)

// proofCheck is what a proof of possession must fit (RFC 9449 4.3).
type proofCheck struct {
	proofs []string // the DPoP headers of the request
	method string
	url    string // as the client addressed it
	token  string // the access token that comes with it; empty: none
	nonce  bool   // it must have a nonce of the server
}

// proof is a proof that fits.
type proof struct {
	thumbprint string // of the key that made it
	id         string
	issued     time.Time
}

// checkProof checks a proof, but not whether it was seen before.
func (s *Server) checkProof(ctx context.Context, c proofCheck) (*proof, error) {
	switch {
	case len(c.proofs) == 0:
		return nil, Refuse("invalid_dpop_proof_missing_header")
	case len(c.proofs) > 1:
		return nil, Refuse("invalid_dpop_proof_multiple_headers_not_allowed")
	case len(c.proofs[0]) > maxProof:
		return nil, Refuse("invalid_dpop_proof_invalid_jwt")
	}
	jws, err := parseSigned(c.proofs[0])
	if err != nil {
		return nil, Refuse("invalid_dpop_proof_invalid_jwt").because(err)
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); !strings.EqualFold(typ, "dpop+jwt") {
		return nil, Refuse("invalid_dpop_proof_invalid_type")
	}
	if !slices.Contains(clientAlgorithms, jose.SignatureAlgorithm(header.Algorithm)) {
		return nil, Refuse("invalid_dpop_proof_invalid_signature_algorithm")
	}
	key := header.JSONWebKey
	if key == nil || !key.Valid() || !key.IsPublic() { // a private key in the header is given away
		return nil, Refuse("invalid_dpop_proof")
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return nil, Refuse("invalid_dpop_proof_invalid_signature").because(err)
	}
	v, err := value.Decode(payload)
	claims, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, Refuse("invalid_dpop_proof_invalid_jwt").because(err)
	}
	p := &proof{thumbprint: thumbprint(key)}
	if err := s.checkClaims(ctx, p, c, claims); err != nil {
		return nil, err
	}
	return p, nil
}

// checkClaims checks what a proof says, and takes from it what is needed.
func (s *Server) checkClaims(ctx context.Context, p *proof, c proofCheck, claims map[string]any) error {
	method, _ := claims["htm"].(string)
	target, _ := claims["htu"].(string)
	p.id, _ = claims["jti"].(string)
	nonce, _ := claims["nonce"].(string)
	var ok bool
	if p.issued, ok = seconds(claims["iat"]); !ok {
		return Refuse("invalid_dpop_proof_invalid_iat")
	}
	expires, expiring := seconds(claims["exp"])
	now := s.now()
	switch {
	case method != c.method:
		return Refuse("invalid_dpop_proof_invalid_htm")
	case !sameTarget(target, c.url):
		return Refuse("invalid_dpop_proof_invalid_htu")
	case p.issued.After(now.Add(clockSkew)):
		return Refuse("invalid_dpop_proof_jwt_issued_in_future")
	case now.Sub(p.issued) > proofLife:
		return Refuse("invalid_dpop_proof_jwt_too_old")
	case expiring && !expires.After(now):
		return Refuse("invalid_dpop_proof_jwt_expired")
	case p.id == "" || len(p.id) > maxProofID:
		return Refuse("invalid_dpop_proof_invalid_jti")
	case c.token != "" && claims["ath"] != digest(c.token):
		return Refuse("dpop_proof_invalid_ath")
	case !c.nonce:
		return nil
	}
	good, err := s.goodNonce(ctx, nonce)
	if err == nil && !good {
		return Refuse("use_dpop_nonce")
	}
	return err
}

// sameTarget compares URLs as RFC 9449 4.3 asks for: without query and fragment,
// in the normal form of scheme and host.
func sameTarget(a, b string) bool {
	first, ok := normalTarget(a)
	second, fine := normalTarget(b)
	return ok && fine && first == second
}

func normalTarget(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path, true
}

// Nonce returns the nonce that proofs for the token endpoint should have now.
func (s *Server) Nonce(ctx context.Context) (string, error) { return s.nonceOf(ctx, s.day()) }

// day counts the periods of nonces.
func (s *Server) day() int64 { return s.now().Unix() / int64(nonceLife/time.Second) }

func (s *Server) nonceOf(ctx context.Context, day int64) (string, error) {
	key, err := s.nonceSecret(ctx)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	_ = binary.Write(mac, binary.BigEndian, day) // a hash takes everything
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:24]), nil
}

// goodNonce reports whether a nonce is this period's or one of the few before.
func (s *Server) goodNonce(ctx context.Context, nonce string) (bool, error) {
	for back := range int64(oldNonces + 1) {
		want, err := s.nonceOf(ctx, s.day()-back)
		if err != nil {
			return false, err
		}
		if hmac.Equal([]byte(nonce), []byte(want)) {
			return true, nil
		}
	}
	return false, nil
}

// proofMemory knows the proofs that were used and could be used again.
type proofMemory struct {
	mu    sync.Mutex // guards all
	until map[[sha256.Size]byte]time.Time
	swept time.Time
}

// useProof remembers a proof, and refuses one that was used before.
func (s *Server) useProof(p *proof) error {
	if p.issued.Before(s.Began.Truncate(time.Second)) {
		return Refuse("invalid_dpop_proof_jwt_too_old")
	}
	now := s.now()
	m := &s.proofs
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil || now.Sub(m.swept) > proofLife || now.Before(m.swept) {
		for id, until := range m.until {
			if now.After(until) {
				delete(m.until, id)
			}
		}
		if m.until == nil {
			m.until = map[[sha256.Size]byte]time.Time{}
		}
		m.swept = now
	}
	id := sha256.Sum256([]byte(p.thumbprint + "\n" + p.id))
	if _, used := m.until[id]; used {
		return Refuse("dpop_proof_already_used")
	}
	m.until[id] = p.issued.Add(proofLife + clockSkew)
	return nil
}
