// Package durable keeps small files whole: a file is replaced in one step, made
// only once, or held by one process at a time, whatever is killed meanwhile.
//
// Files are readable by their owner alone (mode 0600). What stands in them, and
// what an error means to a person, is left to those who keep them.
package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Write replaces the file at path, or makes it. Readers and crashes see the old
// file or the new one, and the new one is on disk when Write returns.
func Write(path string, data []byte) error {
	temp, err := temporary(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncFolder(filepath.Dir(path))
}

// Create makes the file at path with all of its content. When there is one
// already, of whatever age, it stays, and the error is fs.ErrExist.
func Create(path string, data []byte) error {
	temp, err := temporary(path, data)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp) }() // at worst a stray name of the same file stays
	// A link fails when the name exists; a rename would not.
	if err := os.Link(temp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// temporary writes data to a new file beside path, down to the disk.
func temporary(path string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncFolder makes a new name in a folder durable where the system can.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // nothing was written through it
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// lockPoll is how often a lock that another holds is tried again.
const lockPoll = 20 * time.Millisecond

// Lock waits until nobody else, in this process or another, holds the lock file
// at path, and holds it until release. The kernel releases it when the process
// dies, so no lock outlives its holder. The file itself stays, and is empty.
func Lock(ctx context.Context, path string) (release func(), err error) {
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err := l.TryLockContext(ctx, lockPoll)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("the lock %s is held", path)
	}
	return func() { _ = l.Unlock() }, nil // closing the file releases it in any case
}
