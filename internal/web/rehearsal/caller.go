package rehearsal

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/web"
)

// digestPrefix begins the name of a caller who is known by a token only.
const digestPrefix = "sha256:"

// credential names who sent a request, as rules do: the client id that an access
// token carries, and the digest of the token. Nothing is verified: what a
// request may do is the façade's business, here it only meets faults.
func credential(r *http.Request) (client, digest string) {
	_, token := web.Credential(r)
	if token == "" {
		return "", ""
	}
	sum := sha256.Sum256([]byte(token))
	return clientOf(token), digestPrefix + hex.EncodeToString(sum[:])
}

// clientOf reads the client id out of a JSON Web Token: Okta says cid, Auth0 azp,
// RFC 9068 client_id.
func clientOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Okta    string `json:"cid"`
		Auth0   string `json:"azp"`
		RFC9068 string `json:"client_id"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	for _, id := range []string{claims.Okta, claims.Auth0, claims.RFC9068} {
		if id != "" {
			return id
		}
	}
	return ""
}

// isCaller reports whether a rule's caller means the sender of a request.
func isCaller(want string, r *http.Request) bool {
	client, digest := credential(r)
	if strings.HasPrefix(want, digestPrefix) {
		return strings.HasPrefix(digest, want)
	}
	return client != "" && client == want
}
