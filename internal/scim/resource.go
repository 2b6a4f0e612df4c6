package scim

import (
	"errors"
	"time"
)

// Resource is a SCIM resource: lossless JSON (internal/value) with the schema's
// spelling of every attribute name, the attributes of extensions nested under
// their URN, and schemas, id, externalId and meta among the rest. Unassigned
// attributes are absent: never null, never an empty array or object.
type Resource = map[string]any

// Read makes a new resource from the body of a POST (RFC 7644 3.3): names are
// brought to the schema's spelling, types are checked, readOnly attributes
// (id, meta, groups) are dropped, schemas is recomputed, required attributes
// must be there. The password, being writeOnly, is kept: Project drops it. The
// result has no id and no meta; Stamp adds them.
func (t *ResourceType) Read(body map[string]any, how Leniency) (Resource, []Note, error) {
	return nil, nil, errors.New("not yet")
}

// Replace makes the resource that a PUT asks for (RFC 7644 3.5.1): the body as
// Read reads it, with the readOnly attributes of current, and those immutable
// and writeOnly ones that the body does not name. Another value for an immutable
// attribute is a Mutable error.
func (t *ResourceType) Replace(current Resource, body map[string]any, how Leniency) (Resource, []Note, error) {
	return nil, nil, errors.New("not yet")
}

// Meta is what a server says of a resource (RFC 7643 3.1).
type Meta struct {
	Created      time.Time
	LastModified time.Time
	Location     string // absolute URL
	Version      string // an entity tag, from Version
}

// Stamp returns a copy of r with its id and meta; zero fields are left out. The
// resource type's name and times to the millisecond in UTC are written.
func (t *ResourceType) Stamp(r Resource, id string, m Meta) Resource { return nil }

// Version returns a weak entity tag of a resource's content, id included and
// meta left out: equal content has equal tags.
func Version(r Resource) string { return "" }

// Matches reports whether the header If-Match or If-None-Match names a version
// ("*" names all, tags are compared weakly, RFC 9110 8.8.3.2).
func Matches(header, version string) bool { return false }
