package scim

import "errors"

// Limits of a patch. Beyond them it is refused before any of it is applied.
const (
	MaxOperations = 1000
)

// Operation is one operation of a PATCH, its path parsed. ParsePatch makes it.
type Operation struct {
	Op    string // "add", "replace" or "remove"
	Path  string // as sent; "" when absent
	Value any    // nil when absent or null
}

// ParsePatch reads the body of a PATCH (RFC 7644 3.5.2). It knows no resource
// type: paths are parsed and not resolved.
func ParsePatch(body map[string]any, how Leniency) ([]Operation, []Note, error) {
	return nil, nil, errors.New("not yet")
}

// Patch applies the operations in their order, all or none, and returns the
// resource that comes out. A resource on which nothing changed is returned as
// it is: Same says so. meta is left for Stamp.
func (t *ResourceType) Patch(current Resource, ops []Operation, how Leniency) (Resource, []Note, error) {
	return nil, nil, errors.New("not yet")
}

// MemberChange is what a patch does to a group, with the operations' order
// already worked out. The members afterwards are: those of before, without any
// if Clear, without the ones in Remove, with the ones in Add. An id is never
// in Remove and Add. Add holds whole elements ({"value", "display", ...}) in the
// order of their arrival, an id once. An element of Add for a present member
// adds its sub-attributes to those of the member.
type MemberChange struct {
	Clear  bool
	Remove []string
	Add    []Resource
	// Set holds other attributes to set (displayName, externalId), nil to
	// unassign.
	Set map[string]any
}

// Members works out the change to a group's members without the group: when
// the operations only add members, remove members by id or replace them all, and
// set single-valued attributes beside. In every other case, errors included, ok
// is false and the caller loads the group and calls Patch.
func (t *ResourceType) Members(ops []Operation, how Leniency) (change MemberChange, notes []Note, ok bool) {
	return MemberChange{}, nil, false
}
