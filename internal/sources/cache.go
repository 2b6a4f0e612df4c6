package sources

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// cache keeps files by the digest of their content, or of what they were made
// from. The zero cache keeps nothing.
type cache struct{ dir string }

// copyFile is where a copy of pinned content is kept, "" when nothing is.
func (c cache) copyFile(digest string) string { return c.file("sources", digest, "") }

func (c cache) indexFile(digest string) string { return c.file("index", digest, ".idx") }

func (c cache) file(kind, digest, ending string) string {
	sum, ok := strings.CutPrefix(digest, "sha256:")
	if c.dir == "" || !ok || !isSum(sum) { // a digest comes from a file that people edit
		return ""
	}
	return filepath.Join(c.dir, kind, sum+ending)
}

func isSum(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}

// copy returns the kept copy of the content with a digest. One that was
// tampered with or cut short counts as missing.
func (c cache) copy(digest string) (data []byte, ok bool) {
	name := c.copyFile(digest)
	if name == "" {
		return nil, false
	}
	data, err := readFile(name)
	return data, err == nil && openapi.Digest(data) == digest
}

// keep stores a copy of content.
func (c cache) keep(digest string, data []byte) error {
	name := c.copyFile(digest)
	if name == "" {
		return nil
	}
	if _, ok := c.copy(digest); ok {
		return nil
	}
	return writeFile(name, data)
}

// index returns the operation index of a description: the stored one, or one
// made now and stored for the next time.
func (c cache) index(data []byte, digest, location string) (*openapi.Index, error) {
	name := c.indexFile(digest)
	if name != "" {
		if stored, err := readFile(name); err == nil {
			if x, err := openapi.Unmarshal(stored); err == nil {
				return x, nil
			}
		}
	}
	x, err := openapi.Parse(data, location)
	if err == nil && name != "" {
		_ = writeFile(name, x.Marshal()) // a cache that cannot be written costs time, nothing else
	}
	return x, err
}

// writeFile writes a file so that a reader, or a crash, sees all of it or none.
func writeFile(name string, data []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Internal, err, "the folder %s cannot be made", dir)
	}
	f, err := os.CreateTemp(dir, ".lanyard-*")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "%s cannot be written", name)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fault.Wrap(fault.Internal, err, "%s cannot be written", name), os.Remove(f.Name()))
	}
	return nil
}
