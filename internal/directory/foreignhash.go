package directory

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what others hashed with is not our choice; the first sign-in replaces it
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // as MD5
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// foreignHash is a password that was hashed elsewhere, in the wire form of
// Okta's imports (Okta OpenAPI 2026.06.3, PasswordCredentialHash).
type foreignHash struct {
	Algorithm  string `json:"algorithm"`
	Value      string `json:"value"`      // base64; BCRYPT: radix 64
	Salt       string `json:"salt"`       // the same
	SaltOrder  string `json:"saltOrder"`  // PREFIX, POSTFIX
	WorkFactor int    `json:"workFactor"` // BCRYPT
	Digest     string `json:"digestAlgorithm"`
	Iterations int    `json:"iterationCount"`
	KeySize    int    `json:"keySize"` // bytes
}

// The limits of imports. Okta sets no greatest number of iterations; ours keeps
// one sign-in from occupying a processor for minutes.
const (
	maxWorkFactor   = 20
	minIterations   = 4096
	maxIterations   = 10_000_000
	maxKeySize      = 1024
	bcryptSaltSize  = 22 // characters
	bcryptValueSize = 31
)

// radix64 is the alphabet of bcrypt.
const radix64 = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// digests are the plain algorithms.
var digests = map[string]func() hash.Hash{
	"SHA-512": sha512.New, "SHA-256": sha256.New, "SHA-1": sha1.New, "MD5": md5.New,
}

// keyDigests are those of PBKDF2.
var keyDigests = map[string]func() hash.Hash{"SHA256_HMAC": sha256.New, "SHA512_HMAC": sha512.New}

func readForeignHash(text string) (*foreignHash, error) {
	var h foreignHash
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return nil, fmt.Errorf("imported hash: %w", err)
	}
	return &h, nil
}

// checkImport returns what is wrong with the hash of a password that has one.
func checkImport(p *Password) Violations {
	if p == nil || p.Import == "" {
		return nil
	}
	wrong := func(field string) Violations { return Violations{{Field: field, Rule: WrongValue}} }
	h, err := readForeignHash(p.Import)
	if err != nil {
		return wrong("hash")
	}
	if field := h.flaw(); field != "" {
		return wrong(field)
	}
	return nil
}

// flaw names the first member that is wrong, "" when none is.
func (h *foreignHash) flaw() string {
	switch {
	case h.Algorithm == "BCRYPT":
		return h.bcryptFlaw()
	case h.Algorithm == "PBKDF2":
		return h.pbkdf2Flaw()
	case digests[h.Algorithm] == nil:
		return "algorithm"
	}
	value, err := base64.StdEncoding.DecodeString(h.Value)
	_, saltErr := base64.StdEncoding.DecodeString(h.Salt)
	switch {
	case err != nil, len(value) != digests[h.Algorithm]().Size():
		return "value"
	case saltErr != nil:
		return "salt"
	case h.Salt != "" && h.SaltOrder != "PREFIX" && h.SaltOrder != "POSTFIX":
		return "saltOrder"
	}
	return ""
}

func (h *foreignHash) bcryptFlaw() string {
	switch {
	case h.WorkFactor < 1, h.WorkFactor > maxWorkFactor:
		return "workFactor"
	case len(h.Salt) != bcryptSaltSize, strings.Trim(h.Salt, radix64) != "":
		return "salt"
	case len(h.Value) != bcryptValueSize, strings.Trim(h.Value, radix64) != "":
		return "value"
	}
	return ""
}

func (h *foreignHash) pbkdf2Flaw() string {
	value, err := base64.StdEncoding.DecodeString(h.Value)
	salt, saltErr := base64.StdEncoding.DecodeString(h.Salt)
	switch {
	case keyDigests[h.Digest] == nil:
		return "digestAlgorithm"
	case h.Iterations < minIterations, h.Iterations > maxIterations:
		return "iterationCount"
	case h.KeySize < 1, h.KeySize > maxKeySize:
		return "keySize"
	case saltErr != nil, len(salt) == 0:
		return "salt"
	case err != nil, len(value) != h.KeySize:
		return "value"
	}
	return ""
}

// matches reports whether text is the password behind the hash.
func (h *foreignHash) matches(text string) bool {
	if h.flaw() != "" {
		return false
	}
	if h.Algorithm == "BCRYPT" {
		whole := fmt.Sprintf("$2a$%02d$%s%s", h.WorkFactor, h.Salt, h.Value)
		return len(text) <= MaxPassword && bcrypt.CompareHashAndPassword([]byte(whole), []byte(text)) == nil
	}
	// flaw has seen that both can be decoded.
	want, _ := base64.StdEncoding.DecodeString(h.Value)
	salt, _ := base64.StdEncoding.DecodeString(h.Salt)
	return subtle.ConstantTimeCompare(want, h.compute(text, salt)) == 1
}

func (h *foreignHash) compute(text string, salt []byte) []byte {
	if h.Algorithm == "PBKDF2" {
		key, err := pbkdf2.Key(keyDigests[h.Digest], text, salt, h.Iterations, h.KeySize)
		if err != nil {
			return nil
		}
		return key
	}
	parts := [][]byte{salt, []byte(text)}
	if h.SaltOrder == "POSTFIX" {
		parts[0], parts[1] = parts[1], parts[0]
	}
	sum := digests[h.Algorithm]()
	sum.Write(bytes.Join(parts, nil))
	return sum.Sum(nil)
}

// mayImport refuses a hash for an account that has begun to live: Okta takes
// one at creation and while the user is STAGED only.
func mayImport(a *Account, p *Password) error {
	if p == nil || p.Import == "" || a.Status == Staged {
		return nil
	}
	return refused(a, ImportPassword)
}
