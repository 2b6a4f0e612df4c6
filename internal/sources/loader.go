package sources

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// Loader reads sources. Load may be called concurrently when Fetch may; Pin and
// Update change the lock and may not.
type Loader struct {
	Fetch     Fetcher           // nil: nothing is read from the web
	CacheDir  string            // empty: nothing is kept
	Folder    string            // the current folder; paths in Overrides are relative to it; empty: the process's
	Overrides map[string]string // where to read a source instead: its name to a path or URL
	Lock      *Lock             // nil: nothing is pinned

	// Builtin returns a description that the program itself carries, and how
	// it is called, for a source that has the given name, URL and operations.
	// It is asked only when AllowBuiltin is set and the source cannot be read.
	Builtin      func(name, url string, need []string) (data []byte, label string, ok bool)
	AllowBuiltin bool

	// Own returns a document that the program itself carries, by its own address
	// (OwnScheme). It changes with the program alone, so it is not pinned.
	Own func(url string) ([]byte, error)

	Now func() time.Time // nil: time.Now
}

// content is what a source was found to be.
type content struct {
	data     []byte
	digest   string
	location string // where it came from
	url      string // where the description says it lives, for relative servers
	notice   string
}

// Load reads one source. Its errors are Problems, except for a Type that is
// not supported. A missing operation is not an error here: asking the index for
// it is.
func (l *Loader) Load(ctx context.Context, ref Ref) (*Source, error) {
	switch ref.Type {
	case "", "openapi", "arazzo":
	default:
		return nil, fault.New(fault.Unsupported, "the source %s has the type %s, which is not supported", ref.Name, strconv.Quote(ref.Type)).
			At("%s", ref.Pos).Fix("use a source of type openapi or arazzo")
	}
	c, err := l.obtain(ctx, ref)
	if err == nil {
		var s *Source
		if s, err = l.open(ref, c); err == nil {
			return s, nil
		}
	}
	if s := l.builtin(ctx, ref, err); s != nil {
		return s, nil
	}
	if _, explicit := l.Overrides[ref.Name]; explicit {
		return nil, err
	}
	return nil, l.withNear(ctx, ref, err)
}

// obtain finds the bytes of a source.
func (l *Loader) obtain(ctx context.Context, ref Ref) (*content, error) {
	if override, ok := l.Overrides[ref.Name]; ok {
		return l.fromOverride(ctx, ref, override)
	}
	if isOwn(ref.URL) {
		return l.fromProgram(ref)
	}
	location, bad := locate(ref.BaseFile, l.Folder, ref.URL)
	if bad != nil {
		return nil, unreadable(ref, "", bad)
	}
	pin, pinned := l.Lock.Find(ref.BaseFile, ref.Name)
	if !pinned {
		return l.fromDocument(ctx, ref, location)
	}
	if !pin.names(ref) {
		c, err := l.fromDocument(ctx, ref, location)
		if err == nil {
			c.notice = "the source " + ref.Name + " is not pinned: the lock file has another URL for it"
		}
		return c, err
	}
	return l.fromPin(ctx, ref, location, pin)
}

// OwnScheme begins the addresses of what the program itself carries.
const OwnScheme = "lanyard:"

func isOwn(location string) bool { return strings.HasPrefix(location, OwnScheme) }

func (l *Loader) fromProgram(ref Ref) (*content, error) {
	if l.Own == nil {
		return nil, unreadable(ref, ref.URL, fault.New(fault.NotFound, "this program carries no documents"))
	}
	data, err := l.Own(ref.URL)
	if err != nil {
		return nil, unreadable(ref, ref.URL, err)
	}
	return &content{data: data, digest: openapi.Digest(data), location: ref.URL, url: ref.URL}, nil
}

func (l *Loader) fromOverride(ctx context.Context, ref Ref, override string) (*content, error) {
	location, bad := locate("", l.Folder, override)
	if bad != nil {
		return nil, unreadable(ref, "", bad)
	}
	data, at, err := l.read(ctx, location)
	if err != nil {
		return nil, unreadable(ref, Shown(location), err)
	}
	at = Shown(at)
	c := &content{data: data, digest: openapi.Digest(data), location: at, url: at}
	c.notice = "the source " + ref.Name + " is read from " + at + ", not from its URL"
	// The copy speaks for the original, so its relative servers are the original's.
	if original, bad := locate(ref.BaseFile, l.Folder, ref.URL); bad == nil && isWeb(original) {
		c.url = Shown(original)
	}
	return c, nil
}

func (l *Loader) fromDocument(ctx context.Context, ref Ref, location string) (*content, error) {
	data, at, err := l.read(ctx, location)
	if err != nil {
		return nil, unreadable(ref, Shown(location), err)
	}
	return &content{data: data, digest: openapi.Digest(data), location: Shown(at), url: Shown(at)}, nil
}

// fromPin returns the content that the lock file pins. A file is read where it
// is, because reading it shows at once that it changed; of a URL the kept copy
// is taken, and the network only without one.
func (l *Loader) fromPin(ctx context.Context, ref Ref, location string, pin Pin) (*content, error) {
	c := &content{digest: pin.Digest, location: Shown(location), url: Shown(location)}
	if pin.From != "" {
		location = l.Lock.place(pin.From)
		c.location = Shown(location)
	}
	if pin.Retrieved != "" {
		c.url = Shown(pin.Retrieved)
	}
	kept, ok := l.cache().copy(pin.Digest)
	if ok && isWeb(c.location) {
		c.data, c.notice = kept, "the source "+ref.Name+" is the copy pinned on "+pin.day()+" of "+c.location
		return c, nil
	}
	data, _, err := l.read(ctx, location)
	switch {
	case err == nil && openapi.Digest(data) == pin.Digest:
		c.data = data
		return c, nil
	case err == nil:
		return nil, changed(ref, c.location, pin, data)
	case ok:
		c.data = kept
		c.notice = "the source " + ref.Name + " is the copy pinned on " + pin.day() + ": " + c.location + " cannot be read (" + reason(err) + ")"
		return c, nil
	}
	return nil, unreadable(ref, c.location, err)
}

// changed says that a source is not what is pinned, and whether it still has
// the operations that are needed.
func changed(ref Ref, location string, pin Pin, data []byte) error {
	e := fault.New(fault.Stale, "the source %s changed since it was pinned on %s: %s is not what it was", ref.Name, pin.day(), location).
		Fix("look at the changes with lanyard sources diff and accept them with lanyard sources update")
	if ref.Type != "arazzo" {
		if x, err := openapi.Parse(data, location); err != nil {
			e.Msg += ", and it is no OpenAPI description any more"
		} else if gone := missing(x, ref.Needs); len(gone) > 0 {
			e.Msg += ", and it lacks " + strings.Join(gone, ", ")
		}
	}
	return &Problem{Code: CodeChanged, Err: at(e, ref.Pos), location: location}
}

// open makes a Source of content.
func (l *Loader) open(ref Ref, c *content) (*Source, error) {
	s := &Source{Name: ref.Name, Location: c.location, Digest: c.digest, Notice: c.notice}
	if ref.Type == "arazzo" {
		s.Data = c.data
		return s, nil
	}
	x, err := l.cache().index(c.data, c.digest, c.location)
	if err != nil {
		return nil, unreadable(ref, c.location, err)
	}
	x.URL = c.url // a cached index knows the place of an earlier reading
	s.Index = x
	return s, nil
}

// builtin answers for a source that cannot be read, nil when it should not.
func (l *Loader) builtin(ctx context.Context, ref Ref, cause error) *Source {
	_, explicit := l.Overrides[ref.Name] // a mistake in what the user typed is for the user to mend
	if !l.AllowBuiltin || l.Builtin == nil || explicit || ref.Type == "arazzo" || Code(cause) != CodeUnreadable || ctx.Err() != nil {
		return nil
	}
	data, label, ok := l.Builtin(ref.Name, ref.URL, ref.Needs)
	if !ok {
		return nil
	}
	c := &content{data: data, digest: openapi.Digest(data), location: "built-in:" + label, url: ref.shownURL()}
	if original, bad := locate(ref.BaseFile, l.Folder, ref.URL); bad == nil {
		c.url = Shown(original)
	}
	s, err := l.open(ref, c)
	if err != nil || len(missing(s.Index, ref.Needs)) > 0 {
		return nil
	}
	var f *fault.Error
	why := "it cannot be read"
	if errors.As(cause, &f) {
		why = f.Msg
	}
	s.Notice = why + "; the built-in description " + label + " is used instead"
	return s
}

func (l *Loader) cache() cache { return cache{l.CacheDir} }

func (l *Loader) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// find returns an operation by operationId, or by "METHOD /path".
func find(x *openapi.Index, need string) (*openapi.Operation, error) {
	if method, path, ok := strings.Cut(need, " "); ok && strings.HasPrefix(path, "/") && !x.Has(need) {
		return x.ByPath(path, method)
	}
	return x.ByID(need)
}

// missing returns what the index has not of the operations needed.
func missing(x *openapi.Index, needs []string) []string {
	var out []string
	for _, need := range needs {
		if _, err := find(x, need); err != nil {
			out = append(out, need)
		}
	}
	return out
}

// unreadable says that a source cannot be read, and why.
func unreadable(ref Ref, location string, cause error) error {
	e := fault.Wrap(fault.KindOf(cause), cause, "the source %s cannot be read", ref.Name)
	why := reason(cause)
	if location != "" && !strings.HasPrefix(why, location) { // a parser names the file itself
		e.Msg += " from " + location
	}
	e.Msg += ": " + why
	var f *fault.Error
	if errors.As(cause, &f) {
		e.Remedy = f.Remedy
	}
	return &Problem{Code: CodeUnreadable, Err: at(e, ref.Pos), location: location}
}

// reason is the public text of a cause without its remedy.
func reason(cause error) string {
	var f *fault.Error
	if !errors.As(cause, &f) {
		return fault.Public(cause)
	}
	if f.Place != "" {
		return f.Place + ": " + f.Msg
	}
	return f.Msg
}

func at(e *fault.Error, pos arazzo.Pos) *fault.Error {
	if pos == (arazzo.Pos{}) {
		return e
	}
	return e.At("%s", pos)
}
