package scim

import (
	"maps"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Resource is a SCIM resource: lossless JSON (internal/value) with the schema's
// spelling of every attribute name, the attributes of extensions nested under
// their URN, and schemas, id, externalId and meta among the rest. Unassigned
// attributes are absent: never null, never an empty array or object.
type Resource = map[string]any

// Replace makes the resource that a PUT asks for (RFC 7644 3.5.1): the body as
// Read reads it, with the readOnly attributes of current, and those immutable
// and writeOnly ones that the body does not name. Another value for an immutable
// attribute is a Mutable error.
func (t *ResourceType) Replace(current Resource, body map[string]any, how Leniency) (Resource, []Note, error) {
	var n notes
	out, err := t.read(body, how, &n)
	if err != nil {
		return nil, n.list, err
	}
	if _, err := keep(t.root, current, out); err != nil {
		return nil, n.list, err
	}
	if err := t.finish(out); err != nil {
		return nil, n.list, err
	}
	return out, n.list, nil
}

// keep carries over what a PUT cannot change from the current attributes below
// n to the next ones, and returns those; next may be nil and is changed in
// place otherwise. Elements of multi-valued attributes are values as a whole
// and have nothing to carry over.
func keep(n *node, current, next map[string]any) (map[string]any, error) {
	for _, sub := range n.subs {
		old, ok := current[sub.Name]
		if !ok || sub.Name == "schemas" && n.path == "" {
			continue
		}
		given, named := next[sub.Name]
		switch sub.Mutability {
		case ReadOnly:
			named = false
		case Immutable:
			if named && !value.Equal(given, old) {
				return nil, immutable(sub)
			}
		case WriteOnly:
		default:
			kept, err := keepInside(sub, old, given)
			if err != nil {
				return nil, err
			}
			if kept == nil {
				continue
			}
			old, named = kept, false
		}
		if !named {
			if next == nil {
				next = map[string]any{}
			}
			next[sub.Name] = old
		}
	}
	return next, nil
}

// keepInside is keep for a single complex attribute that can be written. It
// returns nil when nothing has to be carried over.
func keepInside(n *node, old, given any) (map[string]any, error) {
	if n.Type != Complex || n.MultiValued || !n.guarded() {
		return nil, nil
	}
	before, _ := old.(map[string]any)
	after, named := given.(map[string]any)
	if !named {
		// The whole value was left out: nothing of it stays, but what the
		// client could not have sent.
		if !n.extension {
			return nil, nil
		}
		return keep(n, before, nil)
	}
	if n.revalued(before, after) {
		before = n.writable(before)
	}
	return keep(n, before, maps.Clone(after))
}

// revalued reports whether a complex value stands for something else than
// before. What the server said of the old one, such as a manager's
// displayName, does not hold for the new one.
func (n *node) revalued(before, after map[string]any) bool {
	return n.value != nil && !value.Equal(before[n.value.Name], after[n.value.Name])
}

// writable returns the sub-attributes that are not readOnly.
func (n *node) writable(object map[string]any) map[string]any {
	out := maps.Clone(object)
	for _, sub := range n.subs {
		if sub.Mutability == ReadOnly {
			delete(out, sub.Name)
		}
	}
	return out
}

// guarded reports whether something below the node is not simply readWrite.
func (n *node) guarded() bool {
	for _, sub := range n.subs {
		if sub.Mutability != ReadWrite || sub.guarded() {
			return true
		}
	}
	return false
}

func immutable(n *node) error {
	return Fail(Mutable, "%s is immutable and has a value already", n.path)
}

// Meta is what a server says of a resource (RFC 7643 3.1).
type Meta struct {
	Created      time.Time
	LastModified time.Time
	Location     string // absolute URL
	Version      string // an entity tag, from Version
}

// Stamp returns a copy of r with its id and meta; zero fields are left out. The
// resource type's name is written too, and times in UTC to the millisecond.
func (t *ResourceType) Stamp(r Resource, id string, m Meta) Resource {
	out := maps.Clone(r)
	if out == nil {
		out = Resource{}
	}
	if id != "" {
		out["id"] = id
	}
	meta := map[string]any{"resourceType": t.Name}
	for name, at := range map[string]time.Time{"created": m.Created, "lastModified": m.LastModified} {
		if !at.IsZero() {
			meta[name] = FormatTime(at)
		}
	}
	for name, text := range map[string]string{"location": m.Location, "version": m.Version} {
		if text != "" {
			meta[name] = text
		}
	}
	out["meta"] = meta
	return out
}

// FormatTime writes a time as the resources have it: UTC, to the millisecond.
func FormatTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// Matches reports whether the header If-Match or If-None-Match names a version
// ("*" names all). Tags are compared weakly (RFC 9110 8.8.3.2), as all of ours
// are weak.
func Matches(header, version string) bool {
	opaque := strings.TrimPrefix(version, "W/")
	for len(header) > 0 {
		header = strings.TrimLeft(header, " \t,")
		if strings.HasPrefix(header, "*") {
			return true
		}
		header = strings.TrimPrefix(header, "W/")
		end := strings.IndexByte(header, ',')
		if strings.HasPrefix(header, `"`) {
			if quote := strings.IndexByte(header[1:], '"'); quote >= 0 {
				end = quote + 2
			}
		}
		if end < 0 {
			end = len(header)
		}
		// Some clients send the tag without its quotes.
		if tag := strings.TrimSpace(header[:end]); tag != "" && (tag == opaque || `"`+tag+`"` == opaque) {
			return true
		}
		header = header[end:]
	}
	return false
}
