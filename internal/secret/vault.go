package secret

import (
	"context"
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Vault keeps credentials by name. Get and Delete of a missing name are
// NotFound faults; Put replaces.
type Vault interface {
	Get(ctx context.Context, name string) (Value, error)
	Put(ctx context.Context, name string, v Value) error
	Delete(ctx context.Context, name string) error
	List(ctx context.Context) ([]Entry, error) // sorted by name
}

// Entry is what may be told about a credential in a Vault.
type Entry struct {
	Name    string    `json:"name"`
	Updated time.Time `json:"updated"`
}

// VaultFile is the vault's name in a data folder; see vaultfile.go for its form.
const VaultFile = "vault.json"

// Lock files beside the vault. The first is held while the file is changed, the
// second while a credential is exchanged for the one that replaces it.
const (
	vaultLock    = "vault.lock"
	exchangeLock = "vault.exchange.lock"
)

// FileVault is a Vault in one file of a data folder. Each entry is sealed with a
// data key of its own, and the data keys with the vault's key: changing that one
// (Rotate) leaves the entries as they are. Where the vault's key is stands in
// the file; see VaultKey.
//
// It reads the file anew for every call, so it sees what other processes did,
// and holds a lock while it changes it: any number of processes may share it.
type FileVault struct {
	Dir     string                           // the data folder
	Env     func(name string) (string, bool) // for a key in the environment; may be nil
	Keyring Keyring                          // for a key in the system's keyring; nil: SystemKeyring
	Now     func() time.Time                 // nil: time.Now
}

var _ Vault = (*FileVault)(nil)

// Get returns the value under name.
func (v *FileVault) Get(ctx context.Context, name string) (Value, error) {
	file, key, err := v.look(ctx)
	if err != nil {
		return Value{}, err
	}
	entry, ok := file.Entries[name]
	if !ok {
		return Value{}, v.missing(name)
	}
	plain, err := entry.open(file.Version, key.Key, name)
	if err != nil {
		return Value{}, fault.Wrap(fault.Invalid, err, "the vault's entry %q cannot be opened", name).
			Fix("put it again; the vault or the key of the data folder was changed")
	}
	return NewValue(string(plain)), nil
}

// Put stores a value under name, replacing the one before.
func (v *FileVault) Put(ctx context.Context, name string, value Value) error {
	if _, err := ParseRef(vaultKind + ":" + name); err != nil {
		return fault.New(fault.Usage, "%q cannot be an entry's name", name).Fix("use letters, digits, dashes and dots")
	}
	if value.Empty() {
		return fault.New(fault.Usage, "the credential for %q is empty", name)
	}
	return v.change(ctx, func(file *vaultFile, key *vaultKey) error {
		entry, err := newEntry([]byte(value.Reveal()), key.Key, name, v.now())
		if err == nil {
			file.Entries[name] = entry
		}
		return err
	})
}

// Delete removes the value under name.
func (v *FileVault) Delete(ctx context.Context, name string) error {
	return v.change(ctx, func(file *vaultFile, _ *vaultKey) error {
		if _, ok := file.Entries[name]; !ok {
			return v.missing(name)
		}
		delete(file.Entries, name)
		return nil
	})
}

// List returns the names in order.
func (v *FileVault) List(ctx context.Context) ([]Entry, error) {
	file, _, err := v.look(ctx)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, name := range slices.Sorted(maps.Keys(file.Entries)) {
		out = append(out, Entry{Name: name, Updated: file.Entries[name].Updated})
	}
	return out, nil
}

// Exclusive waits until no other process exchanges a credential of this vault,
// and keeps them from it until release. Whoever holds it reads the credential
// again before using it up: it may have been exchanged meanwhile.
func (v *FileVault) Exclusive(ctx context.Context) (release func(), err error) {
	return v.lock(ctx, exchangeLock)
}

// Key says where the vault's key is.
func (v *FileVault) Key(ctx context.Context) (VaultKey, error) {
	_, key, err := v.look(ctx)
	switch {
	case err != nil:
		return VaultKey{}, err
	case key == nil:
		return VaultKey{}, fault.New(fault.NotFound, "there is no vault in %s yet", v.Dir).Fix("it is made with the first credential: lanyard connections add")
	}
	return key.VaultKey, nil
}

// Rotate gives the vault a new key, at the place that to names: "folder" for a
// new file in the data folder, "file:PATH" for a file elsewhere, made when it is
// missing, "env:NAME" for a variable of the environment, "keyring" for the
// system's. The data keys are sealed anew and the file is replaced in one step:
// until then the old key opens it, from then on the new one, and a process that
// is killed meanwhile loses nothing. The old key is removed if it is ours.
func (v *FileVault) Rotate(ctx context.Context, to string) (VaultKey, error) {
	release, err := v.lock(ctx, vaultLock)
	if err != nil {
		return VaultKey{}, err
	}
	defer release()
	file, old, err := v.open(ctx)
	if err != nil {
		return VaultKey{}, err
	}
	next, err := v.makeKey(ctx, to)
	if err != nil {
		return VaultKey{}, err
	}
	if next.ID == old.ID {
		return VaultKey{}, fault.New(fault.Conflict, "the vault is sealed with this key already").At("%s", next.Ref).Fix("name another key")
	}
	if err := file.rewrap(old.Key, next.Key, v.now()); err != nil {
		return VaultKey{}, err
	}
	if err := v.write(file, next); err != nil {
		return VaultKey{}, err
	}
	v.dropKey(ctx, old.VaultKey)
	return next.VaultKey, nil
}

// look is open for those who change nothing: where there is no vault, none is
// made, and no key.
func (v *FileVault) look(ctx context.Context) (*vaultFile, *vaultKey, error) {
	file, err := v.read()
	if err != nil || file.Version == vaultVersion && file.Key.ID == "" {
		return file, nil, err
	}
	return v.unlock(ctx, file)
}

// open reads the file and finds its key, making that for a new one.
func (v *FileVault) open(ctx context.Context) (*vaultFile, *vaultKey, error) {
	file, err := v.read()
	if err != nil {
		return nil, nil, err
	}
	return v.unlock(ctx, file)
}

// unlock finds the key of a file that was read, and checks it. A rotation that
// came between is noticed, and the file read again.
func (v *FileVault) unlock(ctx context.Context, file *vaultFile) (*vaultFile, *vaultKey, error) {
	for {
		key, err := v.findKey(ctx, file)
		if err == nil {
			err = file.check(key)
		}
		if err == nil {
			return file, key, nil
		}
		again, e := v.read()
		if e != nil || again.Key == file.Key {
			return nil, nil, err
		}
		file = again
	}
}

func (v *FileVault) path() string { return filepath.Join(v.Dir, VaultFile) }

func (v *FileVault) read() (*vaultFile, error) {
	path := v.path()
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxVault {
		return nil, fault.New(fault.TooLarge, "the vault %s is larger than %d bytes", path, maxVault)
	}
	data, err := os.ReadFile(path)
	if notExist(err) {
		return &vaultFile{Version: vaultVersion, Entries: map[string]sealedEntry{}}, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the vault %s cannot be read", path).Fix("check its permissions")
	}
	file, bad := parseVault(data)
	if bad != nil {
		return nil, bad.At("%s", path)
	}
	return file, nil
}

// change does something to the file while nobody else can. A file of the first
// version becomes one of ours.
func (v *FileVault) change(ctx context.Context, do func(*vaultFile, *vaultKey) error) error {
	release, err := v.lock(ctx, vaultLock)
	if err != nil {
		return err
	}
	defer release()
	file, key, err := v.open(ctx)
	if err != nil {
		return err
	}
	if file.Version != vaultVersion {
		if err := file.rewrap(key.Key, key.Key, v.now()); err != nil {
			return err
		}
	}
	if err := do(file, key); err != nil {
		return err
	}
	return v.write(file, key)
}

func (v *FileVault) write(file *vaultFile, key *vaultKey) error {
	data, err := file.encode(key)
	if err == nil {
		err = durable.Write(v.path(), data)
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the vault in %s cannot be written", v.Dir).Fix("check that the folder can be written")
	}
	return nil
}

func (v *FileVault) lock(ctx context.Context, name string) (func(), error) {
	err := os.MkdirAll(v.Dir, 0o700)
	if err == nil {
		var release func()
		if release, err = durable.Lock(ctx, filepath.Join(v.Dir, name)); err == nil {
			return release, nil
		}
	}
	if ctx.Err() != nil {
		return nil, fault.Wrap(fault.Timeout, err, "another process holds the vault in %s", v.Dir).Fix("try again when it is done")
	}
	return nil, fault.Wrap(fault.Internal, err, "the vault in %s cannot be locked", v.Dir).Fix("check that the folder can be written")
}

func (v *FileVault) missing(name string) error {
	return fault.New(fault.NotFound, "the vault has no entry %q", name)
}

func (v *FileVault) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// newKeyBytes makes a key.
func newKeyBytes() []byte {
	raw := make([]byte, chacha20poly1305.KeySize)
	rand.Read(raw) // never fails (Go 1.24)
	return raw
}
