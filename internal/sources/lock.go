package sources

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// LockFile is the usual name of a lock file.
const LockFile = "lanyard.lock"

const (
	lockVersion = 1
	lockHeader  = "# Which bytes each source is. Written by lanyard sources lock and update; keep it with the documents.\n"
)

// Lock is the content of a lock file: which bytes the sources of documents
// are. A nil Lock pins nothing.
type Lock struct {
	folder string // of the lock file; documents and files are named relative to it
	pins   []Pin
}

// Pin is one source of one document, pinned.
type Pin struct {
	Document  string    `yaml:"document"`            // path relative to the lock file, with slashes, or URL
	Name      string    `yaml:"name"`                // of the source description
	URL       string    `yaml:"url"`                 // as the document writes it
	From      string    `yaml:"from,omitempty"`      // where it was read instead, when not from URL
	Retrieved string    `yaml:"retrieved,omitempty"` // where redirects led to, when elsewhere
	Digest    string    `yaml:"digest"`              // "sha256:" and 64 hexadecimal digits
	Size      int64     `yaml:"size"`                // bytes
	Fetched   time.Time `yaml:"fetched"`             // in UTC, to the second
}

// day is when the source was read, for messages.
func (p Pin) day() string { return p.Fetched.Format(time.DateOnly) }

// NewLock returns an empty lock for a lock file at the path.
func NewLock(path string) *Lock { return &Lock{folder: filepath.Dir(path)} }

// ReadLock reads a lock file. One that does not exist is an empty lock. All
// mistakes are reported at once, with their lines.
func ReadLock(path string) (*Lock, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return NewLock(path), nil
	}
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return nil, f.At("%s", path)
		}
		return nil, err
	}
	return parseLock(data, path)
}

func parseLock(data []byte, path string) (*Lock, error) {
	tree, err := value.ParseYAML(data, path)
	if err != nil {
		return nil, err
	}
	r := &lockReader{path: path, lock: NewLock(path)}
	r.document(tree)
	if err := fault.Join(r.errs...); err != nil {
		return nil, err
	}
	r.lock.sort()
	return r.lock, nil
}

// Write writes the lock file, sorted, so that it changes only where the
// sources do.
func (l *Lock) Write(path string) error {
	var b bytes.Buffer
	b.WriteString(lockHeader)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(struct {
		Version int   `yaml:"version"`
		Sources []Pin `yaml:"sources"`
	}{lockVersion, l.Pins()})
	if err = errors.Join(err, enc.Close()); err != nil {
		return fault.Wrap(fault.Internal, err, "the lock cannot be written").At("%s", path)
	}
	if err := writeFile(path, b.Bytes()); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // unlike the cache, it is kept with the documents and read by others
		return fault.Wrap(fault.Internal, err, "the lock cannot be written").At("%s", path)
	}
	return nil
}

// Pins returns all pins, sorted by document and name.
func (l *Lock) Pins() []Pin {
	if l == nil {
		return nil
	}
	return slices.Clone(l.pins)
}

// Find returns the pin of a document's source. document is a path, relative to
// the current folder, or a URL.
func (l *Lock) Find(document, name string) (Pin, bool) {
	if l == nil {
		return Pin{}, false
	}
	document = l.relative(document)
	for _, p := range l.pins {
		if p.Document == document && p.Name == name {
			return p, true
		}
	}
	return Pin{}, false
}

// set adds a pin, or replaces that of the same source.
func (l *Lock) set(p Pin) {
	l.remove(p.Document, p.Name)
	l.pins = append(l.pins, p)
	l.sort()
}

// remove drops a pin. document is as in the lock file.
func (l *Lock) remove(document, name string) {
	l.pins = slices.DeleteFunc(l.pins, func(p Pin) bool { return p.Document == document && p.Name == name })
}

func (l *Lock) sort() {
	slices.SortFunc(l.pins, func(a, b Pin) int {
		return cmp.Or(strings.Compare(a.Document, b.Document), strings.Compare(a.Name, b.Name))
	})
}

// relative names a path as the lock file does, so that the file means the same
// on every machine.
func (l *Lock) relative(path string) string {
	if isWeb(path) || path == "" {
		return path
	}
	folder, err := filepath.Abs(l.folder)
	if err != nil {
		return filepath.ToSlash(path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	rel, err := filepath.Rel(folder, abs)
	if err != nil { // another drive
		return filepath.ToSlash(abs)
	}
	return filepath.ToSlash(rel)
}

// place is the reverse of relative.
func (l *Lock) place(name string) string {
	if isWeb(name) || filepath.IsAbs(filepath.FromSlash(name)) {
		return name
	}
	return filepath.Join(l.folder, filepath.FromSlash(name))
}

// lockReader checks a lock file. It is strict: people edit and merge it, and a
// slip must not quietly unpin a source.
type lockReader struct {
	path string
	lock *Lock
	errs []error
}

func (r *lockReader) fail(n *yaml.Node, kind fault.Kind, format string, args ...any) {
	r.errs = append(r.errs, fault.New(kind, format, args...).At("%s:%d:%d", r.path, n.Line, n.Column))
}

func (r *lockReader) document(n *yaml.Node) {
	fields := r.fields(n, "version", "sources")
	version, sources := fields["version"], fields["sources"]
	if version == nil || version.Value != strconv.Itoa(lockVersion) {
		if version == nil {
			version = n
		}
		r.fail(version, fault.Unsupported, "this is not a lock file of version %d, the one that is known here", lockVersion)
		return
	}
	if sources == nil || value.FromYAML(sources) == nil {
		return
	}
	if sources.Kind != yaml.SequenceNode {
		r.fail(sources, fault.Invalid, "sources must be a list")
		return
	}
	type key struct{ document, name string }
	seen := map[key]bool{}
	for _, item := range sources.Content {
		p, ok := r.pin(item)
		k := key{p.Document, p.Name}
		switch {
		case !ok:
		case seen[k]:
			r.fail(item, fault.Invalid, "the source %s of %s stands twice", strconv.Quote(p.Name), strconv.Quote(p.Document))
		default:
			seen[k] = true
			r.lock.pins = append(r.lock.pins, p)
		}
	}
}

// fields returns the fields of a mapping and reports those that are unknown.
func (r *lockReader) fields(n *yaml.Node, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.fail(n, fault.Invalid, "fields are expected here: %s", strings.Join(known, ", "))
		return nil
	}
	out := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if !slices.Contains(known, name) {
			r.fail(n.Content[i], fault.Invalid, "the field %s is not known; there are %s", strconv.Quote(name), strings.Join(known, ", "))
			continue
		}
		out[name] = n.Content[i+1]
	}
	return out
}

func (r *lockReader) pin(n *yaml.Node) (p Pin, ok bool) {
	before := len(r.errs)
	fields := r.fields(n, "document", "name", "url", "from", "retrieved", "digest", "size", "fetched")
	text := func(name string, required bool) string {
		f := fields[name]
		if f == nil {
			if required && fields != nil {
				r.fail(n, fault.Invalid, "%s is missing", name)
			}
			return ""
		}
		if f.Kind != yaml.ScalarNode || f.Value == "" {
			r.fail(f, fault.Invalid, "%s must be text", name)
			return ""
		}
		return f.Value
	}
	p = Pin{
		Document: text("document", true), Name: text("name", true), URL: text("url", true),
		From: text("from", false), Retrieved: text("retrieved", false), Digest: text("digest", true),
	}
	if sum, prefix := strings.CutPrefix(p.Digest, "sha256:"); p.Digest != "" && (!prefix || !isSum(sum)) {
		r.fail(fields["digest"], fault.Invalid, "digest must be sha256: and 64 hexadecimal digits")
	}
	var err error
	if size := text("size", true); size != "" {
		if p.Size, err = strconv.ParseInt(size, 10, 64); err != nil || p.Size < 0 {
			r.fail(fields["size"], fault.Invalid, "size must be a number of bytes")
		}
	}
	if fetched := text("fetched", true); fetched != "" {
		if p.Fetched, err = time.Parse(time.RFC3339, fetched); err != nil {
			r.fail(fields["fetched"], fault.Invalid, "fetched must be a time like 2026-11-22T12:00:00Z")
		}
		p.Fetched = p.Fetched.UTC()
	}
	return p, len(r.errs) == before
}
