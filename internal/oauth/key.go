package oauth

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// keyBits is the size of the keys that sign tokens.
const keyBits = 2048

// currentKey is the unique key of the record of the key that signs now.
const currentKey = "current"

// keptKey is how long the public half of a key is shown after another took over:
// longer than anything lives that it signed.
const keptKey = 24 * time.Hour

// keyRecord is a stored key. Its private half is sealed with the data folder's key.
type keyRecord struct {
	Sealed  []byte    `json:"sealed"` // PKCS 8
	Created time.Time `json:"created"`
	Retired time.Time `json:"retired,omitzero"` // when another took over
}

// keyring keeps the keys that were read. The store is asked again for a key
// that it does not know: another process may have made it.
type keyring struct {
	mu      sync.Mutex // guards all
	current string
	byID    map[string]*rsa.PrivateKey
	nonces  []byte // what nonces of proofs are made from
}

// signer returns the key that signs, making the first one.
func (s *Server) signer(ctx context.Context) (id string, key *rsa.PrivateKey, err error) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if s.keys.current == "" {
		if err := s.readKeys(ctx); err != nil {
			return "", nil, err
		}
	}
	if s.keys.current == "" {
		if err := s.addKey(ctx, directory.System("oauth")); err != nil {
			return "", nil, err
		}
	}
	return s.keys.current, s.keys.byID[s.keys.current], nil
}

// verifier returns a key by its id, nil when there is none.
func (s *Server) verifier(ctx context.Context, id string) (*rsa.PublicKey, error) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if s.keys.byID[id] == nil {
		if err := s.readKeys(ctx); err != nil {
			return nil, err
		}
	}
	if key := s.keys.byID[id]; key != nil {
		return &key.PublicKey, nil
	}
	return nil, nil
}

// RotateKey makes a new key that signs from now on. Tokens that the one before
// signed stay good.
func (s *Server) RotateKey(ctx context.Context, actor directory.Actor) error {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	return s.addKey(ctx, actor)
}

// Keys returns the public keys that tokens are signed with, the newest first.
func (s *Server) Keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	if _, _, err := s.signer(ctx); err != nil {
		return nil, err
	}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if err := s.readKeys(ctx); err != nil {
		return nil, err
	}
	var out []jose.JSONWebKey
	for id, key := range s.keys.byID {
		out = append(out, jose.JSONWebKey{Key: &key.PublicKey, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"})
	}
	slices.SortFunc(out, func(a, b jose.JSONWebKey) int {
		switch s.keys.current {
		case a.KeyID:
			return -1
		case b.KeyID:
			return 1
		}
		return 0
	})
	return out, nil
}

// readKeys reads the keys of the store that still count. The caller holds keys.mu.
func (s *Server) readKeys(ctx context.Context) error {
	var records []*stored[keyRecord]
	err := s.Directory.Store.View(ctx, func(r directory.Reader) (err error) {
		records, err = list[keyRecord](r, directory.RecordQuery{Realm: s.realm(), Noun: keyNoun})
		return err
	})
	if err != nil {
		return err
	}
	byID := map[string]*rsa.PrivateKey{}
	s.keys.current = ""
	for _, one := range records {
		if !one.T.Retired.IsZero() && s.now().Sub(one.T.Retired) > keptKey {
			continue
		}
		id := one.record.ID
		if byID[id] = s.keys.byID[id]; byID[id] == nil {
			if byID[id], err = s.openKey(id, one.T.Sealed); err != nil {
				return err
			}
		}
		if one.record.Key == currentKey {
			s.keys.current = id
		}
	}
	s.keys.byID = byID
	return nil
}

// addKey makes a key, which takes some 100 ms, stores it and retires the one
// before. The caller holds keys.mu.
func (s *Server) addKey(ctx context.Context, actor directory.Actor) error {
	generate := s.GenerateKey
	if generate == nil {
		generate = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }
	}
	key, err := generate()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "no key to sign with could be made")
	}
	id := keyID(&key.PublicKey)
	sealed, err := s.sealKey(id, key)
	if err != nil {
		return err
	}
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := findByKey[keyRecord](tx, s.realm(), keyNoun, currentKey)
		switch {
		case err == nil && s.keys.current == "":
			return nil // another process was faster: take its key
		case err == nil:
			before.T.Retired, before.record.Key = s.now(), ""
			if err := before.save(tx); err != nil {
				return err
			}
		case !missing(err):
			return err
		}
		if err := s.insert(tx, keyNoun, id, "", "", currentKey, keyRecord{Sealed: sealed, Created: s.now()}); err != nil {
			return err
		}
		return s.log(tx, actor, "app.oauth2.key.rollover", id)
	})
	if err != nil {
		return err
	}
	return s.readKeys(ctx)
}

// keyID is the thumbprint of a key (RFC 7638).
func keyID(key *rsa.PublicKey) string {
	return thumbprint(&jose.JSONWebKey{Key: key})
}

// thumbprint is the SHA-256 thumbprint of a public key (RFC 7638), "" for none.
func thumbprint(key *jose.JSONWebKey) string {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func (s *Server) sealKey(id string, key *rsa.PrivateKey) ([]byte, error) {
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the key cannot be written")
	}
	return s.Key.Seal(plain, s.sealName(keyNoun, id))
}

func (s *Server) openKey(id string, sealed []byte) (*rsa.PrivateKey, error) {
	plain, err := s.Key.Open(sealed, s.sealName(keyNoun, id))
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the key that signs tokens cannot be read")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fault.New(fault.Internal, "the key that signs tokens is not an RSA key")
	}
	return private, nil
}

// sealName says what sealed bytes are for, so that they open nowhere else.
func (s *Server) sealName(noun directory.Noun, id string) []byte {
	return []byte("oauth/" + s.realm() + "/" + string(noun) + "/" + id)
}

// nonceSecret returns what nonces are made from. It is kept, so that nonces that
// clients hold survive a restart.
func (s *Server) nonceSecret(ctx context.Context) ([]byte, error) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if s.keys.nonces != nil {
		return s.keys.nonces, nil
	}
	const id = "dpop"
	fresh := sha256.Sum256([]byte(random()))
	sealed, err := s.Key.Seal(fresh[:], s.sealName(secretNoun, id))
	if err != nil {
		return nil, err
	}
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		kept, err := find[keyRecord](tx, s.realm(), secretNoun, id)
		if missing(err) {
			return s.insert(tx, secretNoun, id, "", "", "", keyRecord{Sealed: sealed, Created: s.now()})
		}
		if err == nil {
			sealed = kept.T.Sealed
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	plain, err := s.Key.Open(sealed, s.sealName(secretNoun, id))
	if err != nil {
		return nil, err
	}
	s.keys.nonces = plain
	return plain, nil
}
