package secret

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

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

// VaultFile is the vault's name in a data folder. It holds
//
//	{"version": 1, "entries": {"NAME": {"updated": "...", "sealed": "base64"}}}
//
// with every value sealed by the folder's key and bound to its name.
const VaultFile = "vault.json"

// maxVault bounds the file that is read.
const maxVault = 16 << 20

// FileVault is a Vault in one file. It reads the file anew for every call, so
// it sees what other processes did; the last writer wins, and a data folder has
// one writer at a time.
type FileVault struct {
	Dir string
	Key Key
	Now func() time.Time

	mu sync.Mutex
}

var _ Vault = (*FileVault)(nil)

type vaultFile struct {
	Version int                    `json:"version"`
	Entries map[string]sealedEntry `json:"entries"`
}

type sealedEntry struct {
	Updated time.Time `json:"updated"`
	Sealed  []byte    `json:"sealed"`
}

// Get returns the value under name.
func (v *FileVault) Get(_ context.Context, name string) (Value, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	file, err := v.read()
	if err != nil {
		return Value{}, err
	}
	entry, ok := file.Entries[name]
	if !ok {
		return Value{}, v.missing(name)
	}
	plain, err := v.Key.Open(entry.Sealed, vaultAAD(name))
	if err != nil {
		return Value{}, fault.Wrap(fault.Invalid, err, "the vault's entry %q cannot be opened", name).
			Fix("put it again; the file or the key of the data folder was changed")
	}
	return NewValue(string(plain)), nil
}

// Put stores a value under name, replacing the one before.
func (v *FileVault) Put(_ context.Context, name string, value Value) error {
	if _, err := ParseRef(vaultKind + ":" + name); err != nil {
		return fault.New(fault.Usage, "%q cannot be an entry's name", name).Fix("use letters, digits, dashes and dots")
	}
	if value.Empty() {
		return fault.New(fault.Usage, "the credential for %q is empty", name)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	file, err := v.read()
	if err != nil {
		return err
	}
	sealed, err := v.Key.Seal([]byte(value.Reveal()), vaultAAD(name))
	if err != nil {
		return err
	}
	file.Entries[name] = sealedEntry{Updated: v.now().UTC().Truncate(time.Second), Sealed: sealed}
	return v.write(file)
}

// Delete removes the value under name.
func (v *FileVault) Delete(_ context.Context, name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	file, err := v.read()
	if err != nil {
		return err
	}
	if _, ok := file.Entries[name]; !ok {
		return v.missing(name)
	}
	delete(file.Entries, name)
	return v.write(file)
}

// List returns the names in order.
func (v *FileVault) List(context.Context) ([]Entry, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	file, err := v.read()
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, name := range slices.Sorted(maps.Keys(file.Entries)) {
		out = append(out, Entry{Name: name, Updated: file.Entries[name].Updated})
	}
	return out, nil
}

func (v *FileVault) read() (*vaultFile, error) {
	path := filepath.Join(v.Dir, VaultFile)
	file := &vaultFile{Version: 1}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxVault {
		return nil, fault.New(fault.TooLarge, "the vault %s is larger than %d bytes", path, maxVault)
	}
	data, err := os.ReadFile(path)
	if err != nil && !notExist(err) {
		return nil, fault.Wrap(fault.Internal, err, "the vault %s cannot be read", path).Fix("check its permissions")
	}
	if err == nil {
		if err := json.Unmarshal(data, file); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the vault %s is damaged", path).Fix("restore it from a backup")
		}
		if file.Version != 1 {
			return nil, fault.New(fault.Unsupported, "the vault %s has version %d, this program reads 1", path, file.Version).
				Fix("use a newer lanyard")
		}
	}
	if file.Entries == nil {
		file.Entries = map[string]sealedEntry{}
	}
	return file, nil
}

// write replaces the file in one step: readers see the old or the new one.
func (v *FileVault) write(file *vaultFile) error {
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the vault cannot be written")
	}
	temp, err := writeTemp(v.Dir, VaultFile, append(data, '\n'))
	if err == nil {
		if err = os.Rename(temp, filepath.Join(v.Dir, VaultFile)); err != nil {
			os.Remove(temp)
		}
	}
	if err == nil {
		err = syncDir(v.Dir)
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the vault in %s cannot be written", v.Dir)
	}
	return nil
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

func vaultAAD(name string) []byte { return []byte("vault:" + name) }
