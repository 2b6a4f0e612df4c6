package scim

import (
	"errors"

	"github.com/lanyard-id/lanyard/internal/filter"
)

// Filter is a filter resolved against a resource type. It is safe for
// concurrent use.
type Filter struct{}

// Compile resolves a filter. An attribute that the type does not have, a literal
// that does not fit it and an operator that its type does not allow are
// InvalidFilter errors (RFC 7644 3.4.2.2): nothing is ever left out.
func (t *ResourceType) Compile(e filter.Expr) (*Filter, error) { return nil, errors.New("not yet") }

// Match reports whether a resource satisfies the filter. A nil Filter matches all.
func (f *Filter) Match(r Resource) bool { return false }

// Lookup returns an equality that every match must satisfy, for an index. The
// attribute is written as in the schema ("userName", "emails.value"), the value
// as in the filter; whether case counts is the attribute's matter. Of several, id
// is preferred, then userName, externalId, displayName, emails.value, others.
func (f *Filter) Lookup() (attribute, value string, ok bool) { return "", "", false }

// Needs reports whether Match reads an attribute of the top level ("members"),
// so that it has to be loaded.
func (f *Filter) Needs(attribute string) bool { return true }

// Projection says which attributes an answer holds (RFC 7644 3.9). The zero
// value holds what is returned by default.
type Projection struct{}

// ParseProjection reads the parameters attributes and excludedAttributes, each
// item being a name or a list of names with commas between. Both together are
// an InvalidValue error. Names that no schema has are kept and select nothing.
func ParseProjection(attributes, excluded []string) (Projection, error) {
	return Projection{}, errors.New("not yet")
}

// Wants reports whether an answer can hold an attribute of the top level (its
// schema name, or the URN of an extension) that is returned by default: false
// means that it need not be loaded.
func (p Projection) Wants(attribute string) bool { return true }

// Project returns the part of a resource that an answer holds. Attributes
// returned always stay, those returned never go.
func (t *ResourceType) Project(r Resource, p Projection) Resource { return nil }

// Query is what a list request asks for.
type Query struct {
	Filter     *Filter // nil for all
	SortBy     string  // empty for the server's order
	Descending bool
	StartIndex int // from 1
	Count      int // at most so many; 0 asks for the total only
	// Cursor asks for cursor paging (RFC 9865): "" for the first page. Nil
	// asks for index paging.
	Cursor     *string
	Projection Projection
}

// Page is what a list request finds.
type Page struct {
	Total      int
	Resources  []Resource // not yet projected
	StartIndex int        // 0 with cursor paging
	Next       string     // cursors; "" for none
	Previous   string
}

// Body returns the ListResponse message (RFC 7644 3.4.2, RFC 9865 2).
func (p Page) Body() map[string]any { return nil }

// Sort orders resources in place (RFC 7644 3.4.2.3), stably: missing values
// last, first when descending; multi-valued attributes by their primary or first
// value; texts by caseExact. A path that cannot be sorted by is an InvalidPath
// error.
func (t *ResourceType) Sort(resources []Resource, by string, descending bool) error {
	return errors.New("not yet")
}

// Sortable reports, without sorting, whether Sort accepts a path.
func (t *ResourceType) Sortable(by string) error { return errors.New("not yet") }
