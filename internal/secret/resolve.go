package secret

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// maxFile bounds a credential file: a key or token, not an archive.
const maxFile = 64 << 10

// Resolver turns references into values. The zero Resolver resolves files only.
type Resolver struct {
	Env   func(name string) (string, bool) // os.LookupEnv, or a test's map
	Vault Vault                            // entries of vault:NAME; may be nil
	Warn  func(message string)             // told of things that a person should mend; may be nil
}

// Resolve returns the value that ref names. A missing or empty one is an
// Unauthorized fault that names the reference: there is no credential.
func (r *Resolver) Resolve(ctx context.Context, ref Ref) (Value, error) {
	ref, err := ParseRef(string(ref))
	if err != nil {
		return Value{}, err
	}
	var v Value
	switch ref.Kind() {
	case envKind:
		v, err = r.env(ref)
	case fileKind:
		v, err = r.file(ref)
	case vaultKind:
		v, err = r.vault(ctx, ref)
	}
	if err != nil {
		return Value{}, err
	}
	if v.Empty() {
		return Value{}, fault.New(fault.Unauthorized, "the credential %s is empty", ref).Fix("give it a value")
	}
	return v, nil
}

func (r *Resolver) env(ref Ref) (Value, error) {
	if r.Env != nil {
		if text, ok := r.Env(ref.Name()); ok {
			return NewValue(text), nil
		}
	}
	return Value{}, fault.New(fault.Unauthorized, "the environment variable %s is not set", ref.Name()).
		Fix("export it, or refer to another place in lanyard.yaml")
}

func (r *Resolver) file(ref Ref) (Value, error) {
	f, err := os.Open(ref.Name())
	if err != nil {
		return Value{}, fault.Wrap(fault.Unauthorized, err, "the credential file %s cannot be read", ref.Name()).
			Fix("check the path and its permissions")
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && exposed(info.Mode(), 0o077) && r.Warn != nil {
		r.Warn("the credential file " + ref.Name() + " can be read by others; chmod 600 it")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Value{}, fault.Wrap(fault.Unauthorized, err, "the credential file %s cannot be read", ref.Name())
	}
	if len(data) > maxFile {
		return Value{}, fault.New(fault.TooLarge, "the credential file %s is larger than %d bytes", ref.Name(), maxFile).
			Fix("name the file that holds the credential alone")
	}
	// Editors and echo end a file with a newline that is no part of the secret.
	return NewValue(strings.TrimRight(string(data), "\r\n")), nil
}

func (r *Resolver) vault(ctx context.Context, ref Ref) (Value, error) {
	if r.Vault == nil {
		return Value{}, fault.New(fault.Unauthorized, "%s names the vault, and there is none here", ref).
			Fix("use env:NAME or file:PATH, or run where the data folder is")
	}
	v, err := r.Vault.Get(ctx, ref.Name())
	if fault.Is(err, fault.NotFound) {
		return Value{}, fault.Wrap(fault.Unauthorized, err, "the vault has no entry %q", ref.Name()).Fix("put it there first")
	}
	return v, err
}

// exposed reports whether any of the permission bits is set. Windows has no
// such bits; Go invents them there.
func exposed(mode fs.FileMode, bits fs.FileMode) bool {
	return runtime.GOOS != "windows" && mode.IsRegular() && mode.Perm()&bits != 0
}

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
