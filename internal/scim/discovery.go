package scim

import "time"

// Features is what a server announces of itself (RFC 7643 5, RFC 9865 4).
type Features struct {
	DocumentationURI string
	Patch            bool
	Bulk             bool
	BulkOperations   int
	BulkPayload      int // bytes
	Filter           bool
	FilterResults    int
	ChangePassword   bool
	Sort             bool
	ETag             bool
	Cursor           bool // cursor paging beside index paging
	DefaultMethod    string
	DefaultPageSize  int
	MaxPageSize      int
	CursorTimeout    time.Duration
	Authentication   []AuthenticationScheme
}

// AuthenticationScheme is one way to authenticate.
type AuthenticationScheme struct {
	Type             string // "oauthbearertoken", "oauth2", "httpbasic"
	Name             string
	Description      string
	SpecURI          string
	DocumentationURI string
	Primary          bool
}

// ServiceProviderConfig returns the document of a server whose SCIM root is base.
func (f Features) ServiceProviderConfig(base string) Resource { return nil }

// ResourceTypes returns the documents of all resource types.
func (t *Types) ResourceTypes(base string) []Resource { return nil }

// ResourceType returns the document of one resource type, nil when there is none.
func (t *Types) ResourceType(base, name string) Resource { return nil }

// Schemas returns the documents of all schemas in use, each once.
func (t *Types) Schemas(base string) []Resource { return nil }

// Schema returns the document of one schema by its URN without regard to case,
// nil when there is none.
func (t *Types) Schema(base, urn string) Resource { return nil }
