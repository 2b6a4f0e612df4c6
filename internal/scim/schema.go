package scim

import "errors"

// URNs of the standard schemas (RFC 7643 10.3) and messages (RFC 7644 8.2).
const (
	UserSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

	ErrorMessage        = "urn:ietf:params:scim:api:messages:2.0:Error"
	ListMessage         = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	PatchMessage        = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	SearchMessage       = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	BulkRequestMessage  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	BulkResponseMessage = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// Type is the data type of an attribute (RFC 7643 2.3).
type Type string

// The data types.
const (
	String    Type = "string"
	Boolean   Type = "boolean"
	Decimal   Type = "decimal"
	Integer   Type = "integer"
	DateTime  Type = "dateTime"
	Reference Type = "reference"
	Binary    Type = "binary"
	Complex   Type = "complex"
)

// Mutability says when an attribute can be written (RFC 7643 7).
type Mutability string

// The mutabilities. The zero value means ReadWrite.
const (
	ReadOnly  Mutability = "readOnly"
	ReadWrite Mutability = "readWrite"
	Immutable Mutability = "immutable"
	WriteOnly Mutability = "writeOnly"
)

// Returned says when an attribute is part of an answer (RFC 7643 7).
type Returned string

// The ways of being returned. The zero value means OnDefault.
const (
	Always    Returned = "always"
	Never     Returned = "never"
	OnDefault Returned = "default"
	OnRequest Returned = "request"
)

// Attribute describes one attribute (RFC 7643 7). It is data: nothing in it
// may be changed after it was given to a Types.
type Attribute struct {
	Name        string
	Type        Type
	MultiValued bool
	Description string
	Required    bool
	Canonical   []string // suggestions only; other values are accepted
	CaseExact   bool
	Mutability  Mutability
	Returned    Returned
	Uniqueness  string // "none", "server" or "global"; checked by whoever keeps the resources
	References  []string
	Sub         []Attribute // of Complex only
}

// Schema is a set of attributes under a URN.
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []Attribute
}

// ParseSchema reads a schema in the JSON form of RFC 7643 7. Everything wrong
// with it is fault.Invalid.
func ParseSchema(body any) (Schema, error) { return Schema{}, errors.New("not yet") }

// Extension is a schema that adds attributes to a resource type, under its URN.
type Extension struct {
	Schema   Schema
	Required bool // every resource must have it
}

// Definition is what a resource type is made from.
type Definition struct {
	Name        string // "User"; also its id
	Endpoint    string // "/Users"
	Description string
	Schema      Schema
	Extensions  []Extension
}

// ResourceType is a resource type with its attributes resolved. It is safe for
// concurrent use.
type ResourceType struct {
	Definition
}

// Types is a registry of resource types. It never changes: With and Extend
// return another one.
type Types struct{}

// Standard returns User with the enterprise extension, and Group (RFC 7643 8.7).
func Standard() *Types { return &Types{} }

// With returns t with one more resource type. A name or endpoint that is there
// already, or a schema that contradicts itself, is fault.Invalid.
func (t *Types) With(d Definition) (*Types, error) { return nil, errors.New("not yet") }

// Extend returns t with an extension added to the resource type of that name.
func (t *Types) Extend(name string, e Extension) (*Types, error) { return nil, errors.New("not yet") }

// All returns the resource types in the order in which they were added.
func (t *Types) All() []*ResourceType { return nil }

// Named returns the resource type of a name ("User"), nil when there is none.
func (t *Types) Named(name string) *ResourceType { return nil }

// At returns the resource type of an endpoint ("/Users", exactly), nil when
// there is none.
func (t *Types) At(endpoint string) *ResourceType { return nil }
