package connector

import (
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-id/lanyard/internal/secret"
)

// TestProofNamesTheURL holds proofs to RFC 9449 4.2: htu is without query and
// fragment, and each proof has an id of its own.
func TestProofNamesTheURL(t *testing.T) {
	t.Parallel()
	key, err := newProofKey()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProver(key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	ids := map[string]bool{}
	const want = "https://example.okta.com/api/v1/users"
	for _, url := range []string{want, want + "?limit=2&search=a%3Fb", want + "#top", want + "?a=b#top"} {
		text, err := p.proof(http.MethodGet, url, secret.NewValue("token"), now)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		var c proofClaims
		if err := parsed.Claims(&key.PublicKey, &c); err != nil {
			t.Fatal(err)
		}
		if c.URL != want || c.Method != http.MethodGet || !c.At.Time().Equal(now) || c.Token == "" || ids[c.ID] {
			t.Errorf("the proof for %s = %+v", url, c)
		}
		ids[c.ID] = true
	}
}
