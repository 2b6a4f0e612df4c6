package secret

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// KeyFile is the data folder's key: 32 random bytes, created once, never
// changed. Without it nothing that was sealed can be opened again.
const KeyFile = "key"

// sealVersion is the first byte of everything sealed, so that the cipher can
// change without guessing.
const sealVersion = 1

// Key seals and opens bytes with XChaCha20-Poly1305. Its nonces are random and
// long enough that one key can seal any number of messages. The zero Key
// refuses both. A Key does not print its bytes.
type Key struct{ aead cipher.AEAD }

// NewKey makes a Key of 32 bytes.
func NewKey(raw []byte) (Key, error) {
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		return Key{}, fault.Wrap(fault.Internal, err, "a key has %d bytes, not %d", len(raw), chacha20poly1305.KeySize)
	}
	return Key{aead}, nil
}

// OpenKey reads the key of a data folder, and creates folder and key when they
// are missing. Of several processes that create it at once, one wins and all
// get its key.
func OpenKey(dir string) (Key, error) {
	path := filepath.Join(dir, KeyFile)
	raw, err := readKey(path)
	if notExist(err) {
		if err := createKey(dir, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return Key{}, fault.Wrap(fault.Internal, err, "the key of the data folder %s cannot be created", dir).
				Fix("check that the folder can be written, or name another with --data")
		}
		raw, err = readKey(path)
	}
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return Key{}, f
		}
		return Key{}, fault.Wrap(fault.Internal, err, "the key %s cannot be read", path).Fix("check its permissions")
	}
	return NewKey(raw)
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	// The group may read: Kubernetes gives a volume's files to the pod's group.
	if exposed(info.Mode(), 0o007) {
		return nil, fault.New(fault.Refused, "the key %s can be read by everyone", path).
			Fix("chmod 600 %s, and change the credentials that were stored with it", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(raw) != chacha20poly1305.KeySize {
		return nil, fault.New(fault.Internal, "the key %s has %d bytes, not %d", path, len(raw), chacha20poly1305.KeySize).
			Fix("restore it from a backup; without it, sealed inputs and the vault cannot be opened")
	}
	return raw, nil
}

// createKey makes folder and key. A crash leaves no half key, a race no second one.
func createKey(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.Create(path, newKeyBytes())
}

// Seal encrypts plain and binds it to aad, which says what it is for: sealed
// bytes cannot be opened under another name.
func (k Key) Seal(plain, aad []byte) ([]byte, error) {
	if k.aead == nil {
		return nil, fault.New(fault.Internal, "there is no key to seal with")
	}
	n := k.aead.NonceSize()
	out := make([]byte, 1+n, 1+n+len(plain)+k.aead.Overhead())
	out[0] = sealVersion
	rand.Read(out[1:])
	return k.aead.Seal(out, out[1:], plain, aad), nil
}

// Open decrypts what Seal made with the same aad.
func (k Key) Open(sealed, aad []byte) ([]byte, error) {
	if k.aead == nil {
		return nil, fault.New(fault.Internal, "there is no key to open with")
	}
	n := k.aead.NonceSize()
	if len(sealed) < 1+n || sealed[0] != sealVersion {
		return nil, fault.New(fault.Invalid, "sealed data of an unknown form")
	}
	plain, err := k.aead.Open(nil, sealed[1:1+n], sealed[1+n:], aad)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "sealed data cannot be opened").
			Fix("it was changed, or sealed with another data folder's key")
	}
	return plain, nil
}
