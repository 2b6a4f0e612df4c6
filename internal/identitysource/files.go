package identitysource

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Files keeps progress in a folder, a small file for each source of a connection.
type Files struct {
	Dir        string // made when it is missing
	Connection string // to the tenant
}

// sourceID is the form of ids of applications; nothing else becomes part of a path.
var sourceID = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

func (f Files) path(source string) (string, error) {
	if !sourceID.MatchString(source) {
		return "", fault.New(fault.Invalid, "%q is no id of an identity source", source)
	}
	return filepath.Join(f.Dir, filepath.Base(f.Connection)+"."+source+".json"), nil
}

// Progress implements Keeper.
func (f Files) Progress(_ context.Context, source string) (p Progress, err error) {
	path, err := f.path(source)
	if err != nil {
		return p, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fault.Wrap(fault.Internal, err, "how far an import into a tenant has come cannot be read").At("%s", path)
	}
	return p, nil
}

// Keep implements Keeper.
func (f Files) Keep(_ context.Context, source string, p Progress) error {
	path, err := f.path(source)
	if err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err == nil {
		err = os.MkdirAll(f.Dir, 0o700)
	}
	if err == nil {
		err = durable.Write(path, text)
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "how far an import into a tenant has come cannot be kept").At("%s", path)
	}
	return nil
}

// Hold waits until no other process pushes to the source, and keeps others from it
// until release.
func (f Files) Hold(ctx context.Context, source string) (release func(), err error) {
	path, err := f.path(source)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the folder cannot be made").At("%s", f.Dir)
	}
	return durable.Lock(ctx, path+".lock")
}
