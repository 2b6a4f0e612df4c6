package secret

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// KeyVariable is the variable of the environment that a new vault takes its key
// from when it is set, and that is looked at beside the one that a vault names.
// It holds 32 bytes in base64 or hexadecimal.
const KeyVariable = "LANYARD_KEY"

// VaultKey says where the key of a vault is, and which one it is.
type VaultKey struct {
	// Ref is "file:PATH", a relative one starting at the data folder, "env:NAME"
	// or "keyring:NAME".
	Ref string `json:"ref"`
	ID  string `json:"id"` // a fingerprint: the same for the same key, and of no use otherwise
}

// Where a Ref of a VaultKey may point besides file and environment.
const keyringKind = "keyring"

// Places of a vault's key that are ours to make, as Rotate takes them.
const (
	KeyInFolder  = "folder"
	KeyInKeyring = "keyring"
)

// keyringName is what our keys are called there: by their fingerprints. The name
// stands in a file that others may have changed, and goes to a command.
var keyringName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// vaultKey is a VaultKey that was found.
type vaultKey struct {
	VaultKey
	Key
}

func newVaultKey(ref string, raw []byte) (*vaultKey, error) {
	key, err := NewKey(raw)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte("lanyard vault key\x00"), raw...))
	return &vaultKey{VaultKey{Ref: ref, ID: hex.EncodeToString(sum[:8])}, key}, nil
}

// findKey returns the key of the vault in a file, or of one that is about to be
// made.
func (v *FileVault) findKey(ctx context.Context, file *vaultFile) (*vaultKey, error) {
	ref := file.Key.Ref
	if ref == "" {
		ref = fileKind + ":" + KeyFile
		if _, ok := v.env(KeyVariable); ok && file.Version == vaultVersion {
			ref = envKind + ":" + KeyVariable
		}
		if ref == fileKind+":"+KeyFile {
			if _, err := OpenKey(v.Dir); err != nil { // makes it when it is missing
				return nil, err
			}
		}
	}
	raw, err := v.keyBytes(ctx, ref)
	if err != nil {
		return nil, err
	}
	key, err := newVaultKey(ref, raw)
	if err != nil {
		return nil, err
	}
	if file.Key.ID == "" || key.ID == file.Key.ID {
		return key, nil
	}
	// After a rotation the new key may have been moved to the usual variable.
	if raw, err := v.keyBytes(ctx, envKind+":"+KeyVariable); err == nil && strings.HasPrefix(ref, envKind+":") {
		if other, err := newVaultKey(ref, raw); err == nil && other.ID == file.Key.ID {
			return other, nil
		}
	}
	return nil, fault.New(fault.Invalid, "the vault was sealed with another key: it needs the one with the fingerprint %s, and %s has %s", file.Key.ID, ref, key.ID).
		Fix("give it the right key; without that nothing in the vault can be opened")
}

// keyBytes reads the key that ref names.
func (v *FileVault) keyBytes(ctx context.Context, ref string) ([]byte, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch kind {
	case fileKind:
		return v.keyFromFile(name)
	case envKind:
		text, ok := v.env(name)
		if !ok {
			text, ok = v.env(KeyVariable)
		}
		if !ok {
			return nil, fault.New(fault.Unauthorized, "the vault's key is in the environment variable %s, which is not set", name).
				Fix("set it to the key, 32 bytes in base64")
		}
		return keyText(text, ref)
	case keyringKind:
		if !keyringName.MatchString(name) {
			break
		}
		secret, err := v.keyring().Get(ctx, name)
		if err != nil {
			return nil, err
		}
		return keyText(secret.Reveal(), ref)
	}
	return nil, fault.New(fault.Invalid, "the vault's key is at %q, a place that this version does not know", ref).Fix("use a newer lanyard")
}

func (v *FileVault) env(name string) (string, bool) {
	if v.Env == nil {
		return "", false
	}
	text, ok := v.Env(name)
	return text, ok && text != ""
}

func (v *FileVault) keyring() Keyring {
	if v.Keyring == nil {
		return SystemKeyring{}
	}
	return v.Keyring
}

// maxKeyFile bounds a file with a key, in bytes.
const maxKeyFile = 4 << 10

// keyFromFile reads a file of 32 bytes, as they are or as text.
func (v *FileVault) keyFromFile(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(v.Dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unauthorized, err, "the vault's key %s cannot be read", path).
			Fix("restore it; without it nothing in the vault can be opened")
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, fault.New(fault.Invalid, "%s is not a file with a key", path).Fix("restore the vault from a backup, or give it the right key")
	}
	// The group may read: Kubernetes gives a volume's files to the pod's group.
	if exposed(info.Mode(), 0o007) {
		return nil, fault.New(fault.Refused, "the key %s can be read by everyone", path).
			Fix("chmod 600 %s, and give the vault another key: lanyard vault rotate", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unauthorized, err, "the vault's key %s cannot be read", path).Fix("check its permissions")
	}
	if len(data) == chacha20poly1305.KeySize {
		return data, nil
	}
	return keyText(string(data), fileKind+":"+path)
}

// keyText reads a key written in hexadecimal or base64.
func keyText(text, ref string) ([]byte, error) {
	text = strings.TrimSpace(text)
	decoders := []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	}
	for _, decode := range decoders {
		if raw, err := decode(text); err == nil && len(raw) == chacha20poly1305.KeySize {
			return raw, nil
		}
	}
	return nil, fault.New(fault.Invalid, "%s does not hold a key: 32 bytes in base64 or hexadecimal", ref).
		Fix("make one: head -c 32 /dev/urandom | base64")
}

// makeKey finds the key for a rotation, making it where it is ours to make.
func (v *FileVault) makeKey(ctx context.Context, to string) (*vaultKey, error) {
	kind, name, _ := strings.Cut(to, ":")
	switch {
	case to == KeyInFolder:
		return v.makeFolderKey()
	case to == KeyInKeyring:
		return v.makeKeyringKey(ctx)
	case kind == fileKind && name != "":
		return v.makeFileKey(name)
	case kind == envKind && name != "":
		if _, ok := v.env(name); !ok {
			return nil, fault.New(fault.Usage, "the environment variable %s is not set", name).
				Fix("set it to a new key: head -c 32 /dev/urandom | base64")
		}
		raw, err := v.keyBytes(ctx, to)
		if err != nil {
			return nil, err
		}
		return newVaultKey(to, raw)
	}
	return nil, fault.New(fault.Usage, "%q is no place for the vault's key", to).Fix("use folder, keyring, file:PATH or env:NAME")
}

// Names of vault keys in the data folder. The folder's own key seals more than
// the vault, so it is never one that is replaced.
const (
	vaultKeyPrefix = "vault-"
	vaultKeySuffix = ".key"
)

func (v *FileVault) makeFolderKey() (*vaultKey, error) {
	raw := newKeyBytes()
	key, err := newVaultKey("", raw)
	if err != nil {
		return nil, err
	}
	name := vaultKeyPrefix + key.ID + vaultKeySuffix
	if err := durable.Create(filepath.Join(v.Dir, name), raw); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the new key cannot be written to %s", v.Dir)
	}
	key.Ref = fileKind + ":" + name
	return key, nil
}

func (v *FileVault) makeFileKey(path string) (*vaultKey, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the path of the key cannot be resolved")
	}
	err = durable.Create(path, []byte(base64.StdEncoding.EncodeToString(newKeyBytes())+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fault.Wrap(fault.Usage, err, "the new key cannot be written").At("%s", path).Fix("make the folder first, and check its permissions")
	}
	raw, err := v.keyFromFile(path)
	if err != nil {
		return nil, err
	}
	return newVaultKey(fileKind+":"+path, raw)
}

func (v *FileVault) makeKeyringKey(ctx context.Context) (*vaultKey, error) {
	raw := newKeyBytes()
	key, err := newVaultKey("", raw)
	if err != nil {
		return nil, err
	}
	if err := v.keyring().Put(ctx, key.ID, NewValue(base64.StdEncoding.EncodeToString(raw))); err != nil {
		return nil, err
	}
	key.Ref = keyringKind + ":" + key.ID
	return key, nil
}

// dropKey removes a key that we made and nothing needs any more, and those that
// an earlier rotation was killed before removing. The folder's own key and keys
// of other people's stay. Failing leaves a useless key, which harms nobody.
func (v *FileVault) dropKey(ctx context.Context, old VaultKey) {
	kind, name, _ := strings.Cut(old.Ref, ":")
	if kind == keyringKind {
		_ = v.keyring().Delete(ctx, name)
	}
	file, err := v.read()
	if err != nil {
		return
	}
	strays, err := filepath.Glob(filepath.Join(v.Dir, vaultKeyPrefix+"*"+vaultKeySuffix))
	if err != nil {
		return
	}
	for _, path := range strays {
		if fileKind+":"+filepath.Base(path) != file.Key.Ref {
			_ = os.Remove(path)
		}
	}
}
