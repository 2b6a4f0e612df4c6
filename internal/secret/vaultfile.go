package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The vault's file holds
//
//	{
//	  "version": 2,
//	  "key": {"ref": "file:key", "id": "..."},
//	  "entries": {"NAME": {"updated": "...", "key": "base64", "sealed": "base64"}},
//	  "seal": "base64"
//	}
//
// An entry's value is sealed with its data key, and that with the vault's key;
// both are bound to the name. seal is made with the vault's key over everything
// else: an entry that was taken out or put back from an older file shows.
//
// Version 1 had neither key nor seal: its values were sealed with the key of the
// data folder. It is still read, and becomes version 2 when it is next changed.
const vaultVersion = 2

// maxVault bounds the file that is read, in bytes.
const maxVault = 16 << 20

type vaultFile struct {
	Version int                    `json:"version"`
	Key     VaultKey               `json:"key,omitzero"`
	Entries map[string]sealedEntry `json:"entries"`
	Seal    []byte                 `json:"seal,omitempty"`
}

type sealedEntry struct {
	Updated time.Time `json:"updated"`
	Key     []byte    `json:"key,omitempty"` // the data key, sealed with the vault's
	Sealed  []byte    `json:"sealed"`
}

// parseVault reads the text of a vault's file. Nothing is opened.
func parseVault(data []byte) (*vaultFile, *fault.Error) {
	damaged := func(err error) *fault.Error {
		return fault.Wrap(fault.Invalid, err, "the vault is damaged").Fix("restore it from a backup")
	}
	var version struct{ Version int }
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, damaged(err)
	}
	if version.Version != 1 && version.Version != vaultVersion {
		return nil, fault.New(fault.Unsupported, "the vault has version %d, this program reads 1 and %d", version.Version, vaultVersion).
			Fix("use a newer lanyard")
	}
	file := &vaultFile{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(file); err != nil {
		return nil, damaged(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, damaged(err)
	}
	if file.Version == 1 && (file.Key != VaultKey{} || file.Seal != nil) || file.Version == vaultVersion && file.Key.ID == "" {
		return nil, damaged(nil)
	}
	if file.Entries == nil {
		file.Entries = map[string]sealedEntry{}
	}
	return file, nil
}

// encode returns the text of the file, sealed with the vault's key.
func (f *vaultFile) encode(key *vaultKey) ([]byte, error) {
	f.Version, f.Key = vaultVersion, key.VaultKey
	digest, err := f.digest()
	if err != nil {
		return nil, err
	}
	if f.Seal, err = key.Seal(nil, digest); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(f, "", "  ")
	return append(data, '\n'), err
}

// digest is what the seal is made over.
func (f *vaultFile) digest() ([]byte, error) {
	bare := *f
	bare.Seal = nil
	data, err := json.Marshal(bare) // maps are written in the order of their keys
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return append([]byte("vault-seal:"), sum[:]...), nil
}

// check compares the file with its seal.
func (f *vaultFile) check(key *vaultKey) error {
	if f.Version == 1 || f.Key == (VaultKey{}) { // it has none, or is not written yet
		return nil
	}
	digest, err := f.digest()
	if err != nil {
		return err
	}
	if _, err := key.Open(f.Seal, digest); err != nil {
		return fault.Wrap(fault.Invalid, err, "the vault was changed by something other than lanyard").
			Fix("restore vault.json from a backup, and find out who changed it; or remove it and add the connections again")
	}
	return nil
}

// rewrap seals every data key for another vault key. Entries of the first
// version get a data key on the way.
func (f *vaultFile) rewrap(from, to Key, now time.Time) error {
	for name, entry := range f.Entries {
		var err error
		if f.Version == 1 {
			var plain []byte
			if plain, err = entry.open(1, from, name); err == nil {
				updated := entry.Updated
				entry, err = newEntry(plain, to, name, now)
				entry.Updated = updated
			}
		} else {
			var raw []byte
			if raw, err = from.Open(entry.Key, dataKeyAAD(name)); err == nil {
				entry.Key, err = to.Seal(raw, dataKeyAAD(name))
			}
		}
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "the vault's entry %q cannot be opened", name).
				Fix("put it again, or remove its connection; nothing was changed")
		}
		f.Entries[name] = entry
	}
	f.Version = vaultVersion
	return nil
}

// newEntry seals a value with a new data key.
func newEntry(plain []byte, key Key, name string, now time.Time) (sealedEntry, error) {
	raw := newKeyBytes()
	data, err := NewKey(raw)
	if err != nil {
		return sealedEntry{}, err
	}
	entry := sealedEntry{Updated: now.UTC().Truncate(time.Second)}
	if entry.Key, err = key.Seal(raw, dataKeyAAD(name)); err != nil {
		return sealedEntry{}, err
	}
	entry.Sealed, err = data.Seal(plain, vaultAAD(name))
	return entry, err
}

// open returns the value of an entry.
func (e sealedEntry) open(version int, key Key, name string) ([]byte, error) {
	if version == 1 {
		return key.Open(e.Sealed, vaultAAD(name))
	}
	raw, err := key.Open(e.Key, dataKeyAAD(name))
	if err != nil {
		return nil, err
	}
	data, err := NewKey(raw)
	if err != nil {
		return nil, err
	}
	return data.Open(e.Sealed, vaultAAD(name))
}

func vaultAAD(name string) []byte { return []byte("vault:" + name) }

func dataKeyAAD(name string) []byte { return []byte("vault-key:" + name) }
