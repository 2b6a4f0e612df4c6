package sources

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// MaxBytes is the largest description that is read.
const MaxBytes = value.MaxYAML

// Fetcher reads a public document over HTTP. finalURL is where it was found
// after redirects. A document that is not there is an error of kind NotFound.
type Fetcher interface {
	Fetch(ctx context.Context, url string, maxBytes int64) (data []byte, finalURL string, err error)
}

// read returns the bytes at a location and where they were in the end.
func (l *Loader) read(ctx context.Context, location string) (data []byte, at string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, location, fault.Wrap(fault.Unavailable, err, "reading was given up")
	}
	if !isWeb(location) {
		data, err = readFile(location)
		return data, location, err
	}
	if withheld(location) {
		return nil, location, fault.New(fault.Unavailable, "its address is not known in full, since such addresses are not kept").
			Fix("name it again with --source NAME=URL")
	}
	if l.Fetch == nil {
		return nil, location, fault.New(fault.Unavailable, "there is no network here")
	}
	data, at, err = l.Fetch.Fetch(ctx, location, MaxBytes)
	if err == nil && len(data) > MaxBytes {
		err = tooLarge(int64(len(data)))
	}
	if at == "" {
		at = location
	}
	return data, at, err
}

// readFile reads a regular file of bounded size. Anything else could block for
// ever or never end.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Wrap(fault.NotFound, err, "there is no such file")
	case err != nil:
		return nil, fault.Wrap(fault.Forbidden, err, "the file cannot be opened")
	case info.IsDir():
		return nil, fault.New(fault.Invalid, "it is a folder")
	case !info.Mode().IsRegular():
		return nil, fault.New(fault.Invalid, "it is not a regular file")
	case info.Size() > MaxBytes:
		return nil, tooLarge(info.Size())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Wrap(fault.Forbidden, err, "the file cannot be opened")
	}
	defer f.Close()
	var b bytes.Buffer
	b.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(f, MaxBytes+1)); err != nil { // it may grow meanwhile
		return nil, fault.Wrap(fault.Internal, err, "the file cannot be read")
	}
	if b.Len() > MaxBytes {
		return nil, tooLarge(int64(b.Len()))
	}
	return b.Bytes(), nil
}

func tooLarge(size int64) error {
	return fault.New(fault.TooLarge, "it has %d bytes, the limit is %d", size, MaxBytes)
}
