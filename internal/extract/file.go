package extract

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// stdin is the path of the standard input.
const stdin = "-"

// Sizes of buffers and of the largest record that is held.
const (
	readSize  = 256 << 10
	maxRecord = 16 << 20
)

// file is what readers of files have in common: where it is, and how its bytes
// become text.
type file struct {
	path     string
	encoding string // one of the encodings; empty: by its byte order mark, else UTF-8
	rows     *int   // how many rows there have to be; nil: any number
}

// fields are the keys that all files have.
func (f *file) fields(s *section) map[string]strict.Field {
	return map[string]strict.Field{
		"file":     s.path(&f.path),
		"encoding": s.Choice(&f.encoding, encodings()...),
		"rows": func(n *yaml.Node) {
			f.rows = new(int)
			s.AtLeast(f.rows, 0)(n)
		},
	}
}

// name is how places call the file.
func (f *file) name() string {
	if f.path == stdin {
		return "standard input"
	}
	return filepath.Base(f.path)
}

// check finds out early that a file cannot be read.
func (f *file) check(env Env) error {
	if f.path == stdin {
		if env.Stdin == nil {
			return fault.New(fault.Usage, "there is no standard input here").Fix("name a file")
		}
		return nil
	}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err, "there is no such file").At("%s", f.path).Fix("check the path; relative ones start at the folder of lanyard.yaml")
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "the file cannot be read").At("%s", f.path).Fix("check its permissions")
	case info.IsDir():
		return fault.New(fault.Invalid, "this is a folder").At("%s", f.path).Fix("name a file in it")
	case !info.Mode().IsRegular():
		// Opening a pipe waits for its other side, and nothing ends that.
		return fault.New(fault.Invalid, "this is a pipe or a device, not a file").At("%s", f.path).Fix("write what it gives into a file, or hand it over on the standard input: -")
	}
	return nil
}

// counted checks the number of rows against what the configuration promises.
func (f *file) counted(n int) error {
	if f.rows == nil || *f.rows == n {
		return nil
	}
	return fault.New(fault.Invalid, "the file has %s, and %d were expected", several(n, "row"), *f.rows).At("%s", f.name()).
		Fix("it may have been cut off; get it again, or correct rows")
}

// several is a number of things.
func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// pass remembers that a file was read.
type pass struct{ begun bool }

// reading is a file that is being read.
type reading struct {
	ctx    context.Context
	name   string
	file   *os.File // nil for the standard input
	before fs.FileInfo
	raw    *bufio.Reader // bytes as they are in the file
	packed *gzip.Reader  // nil when the file is not compressed
	digest hash.Hash     // of raw
	stop   func() bool   // ends the closing of the input with ctx

	text *bufio.Reader // UTF-8, or what claims to be
}

// begin opens a file once: its digest is computed from the bytes that are read.
func (f *file) begin(ctx context.Context, env Env, p *pass) (*reading, error) {
	if p.begun && f.path == stdin {
		return nil, fault.New(fault.Conflict, "the standard input was read already").Fix("name a file")
	}
	p.begun = true
	r := &reading{ctx: ctx, name: f.name(), digest: sha256.New(), stop: func() bool { return true }}
	var in io.Reader = env.Stdin
	if f.path != stdin {
		opened, err := os.Open(f.path)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the file cannot be read").At("%s", f.path).Fix("check that it is there, and its permissions")
		}
		if r.before, err = opened.Stat(); err != nil {
			opened.Close()
			return nil, fault.Wrap(fault.Unavailable, err, "the file cannot be read").At("%s", f.path)
		}
		r.file, in = opened, opened
	}
	// A read that waits for a pipe ends when its other side is closed here.
	if c, ok := in.(io.Closer); ok {
		r.stop = context.AfterFunc(ctx, func() { c.Close() })
	}
	r.raw = bufio.NewReaderSize(io.TeeReader(in, r.digest), readSize)
	if err := r.open(f.encoding); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// open puts what unpacks and decodes on the file's bytes.
func (r *reading) open(encoding string) error {
	r.text = r.raw
	if magic, _ := r.raw.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952 2.3.1
		r.packed = new(gzip.Reader)
		if err := r.packed.Reset(r.raw); err != nil {
			return r.failed(err)
		}
		r.text = bufio.NewReaderSize(r.packed, readSize)
	}
	head, err := r.text.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return r.failed(err)
	}
	mark := markOf(head)
	decode, err := decoder(encoding, mark)
	if err != nil {
		return fault.New(fault.Invalid, "%s", fault.Public(err)).At("%s:1", r.name).Fix("correct encoding, or leave it out")
	}
	if _, err := r.text.Discard(len(mark.bytes)); err != nil {
		return r.failed(err)
	}
	if decode != nil {
		r.text = bufio.NewReaderSize(decode(r.text), readSize)
	}
	return nil
}

// end reads what is left of the file's bytes, such as the checksum of a
// compressed one, and returns its digest.
func (r *reading) end() (identity string, err error) {
	if _, err := io.Copy(io.Discard, r.text); err != nil {
		return "", r.failed(err)
	}
	if r.file != nil {
		after, err := r.file.Stat()
		if err != nil {
			return "", r.failed(err)
		}
		if after.Size() != r.before.Size() || !after.ModTime().Equal(r.before.ModTime()) {
			return "", fault.New(fault.Stale, "the file was changed while it was read").At("%s", r.name).
				Fix("read it again when it is complete; whoever writes it should write another file and rename it")
		}
	}
	return "sha256:" + hex.EncodeToString(r.digest.Sum(nil)), nil
}

func (r *reading) close() {
	r.stop()
	if r.file != nil {
		r.file.Close()
	}
}

// failed words an error of reading. Other errors stay.
func (r *reading) failed(err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case r.ctx.Err() == nil && r.packed != nil && isDamage(err):
		return fault.Wrap(fault.Invalid, err, "the compressed file is damaged or cut off").At("%s", r.name).Fix("get it again")
	}
	return broken(r.ctx, err, "the file").At("%s", r.name)
}

// isDamage reports whether an error is about what was packed, and not about
// reading it.
func isDamage(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt)
}

// notText says that a line is not in the encoding that it is read by.
func (r *reading) notText(place string) error {
	e := fault.New(fault.Invalid, "this is not UTF-8").At("%s", place)
	return e.Fix("say how the file is written: encoding: windows-1252 (what Excel writes), latin1 or utf-16; or save it as UTF-8")
}

// describe is the file's name for people.
func (f *file) describe() string {
	if f.path == stdin {
		return "the standard input"
	}
	return strings.TrimPrefix(f.path, "./")
}
