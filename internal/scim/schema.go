package scim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

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

// The mutabilities.
const (
	ReadOnly  Mutability = "readOnly"
	ReadWrite Mutability = "readWrite"
	Immutable Mutability = "immutable"
	WriteOnly Mutability = "writeOnly"
)

// Returned says when an attribute is part of an answer (RFC 7643 7).
type Returned string

// The ways of being returned.
const (
	Always    Returned = "always"
	Never     Returned = "never"
	OnDefault Returned = "default"
	OnRequest Returned = "request"
)

// Attribute describes one attribute (RFC 7643 7). It is data: nothing in it
// may be changed after it was given to a Types. A characteristic that is left
// empty has the default of RFC 7643 2.2.
type Attribute struct {
	Name        string      `json:"name"`
	Type        Type        `json:"type"`
	MultiValued bool        `json:"multiValued"`
	Description string      `json:"description"`
	Required    bool        `json:"required"`
	Canonical   []string    `json:"canonicalValues"` // suggestions only; other values are accepted
	CaseExact   bool        `json:"caseExact"`
	Mutability  Mutability  `json:"mutability"`
	Returned    Returned    `json:"returned"`
	Uniqueness  string      `json:"uniqueness"` // "none", "server" or "global"; checked by whoever keeps the resources
	References  []string    `json:"referenceTypes"`
	Sub         []Attribute `json:"subAttributes"` // of Complex only
}

// Schema is a set of attributes under a URN.
type Schema struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Attributes  []Attribute `json:"attributes"`
}

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

// ParseSchema reads a schema in the JSON form of RFC 7643 7. A wrong one is
// fault.Invalid.
func ParseSchema(body []byte) (Schema, error) {
	var s Schema
	if err := json.Unmarshal(body, &s); err != nil {
		return Schema{}, fault.Wrap(fault.Invalid, err, "the schema is not a JSON object of RFC 7643 7")
	}
	s, err := s.complete()
	if err != nil {
		return Schema{}, err
	}
	return s, nil
}

// attributeName is ATTRNAME of RFC 7643 2.1, with $ref as the one name that
// the RFCs themselves use outside of it.
var attributeName = regexp.MustCompile(`^([A-Za-z][-_A-Za-z0-9]*|\$ref)$`)

// complete returns the schema with the defaults filled in, or says what is
// wrong with it.
func (s Schema) complete() (Schema, error) {
	if len(s.ID) < len("urn:") || !strings.EqualFold(s.ID[:4], "urn:") {
		return s, fault.New(fault.Invalid, "the id of a schema must be a URN, not %q", s.ID)
	}
	attributes, err := complete(s.Attributes, s.ID+":", false)
	s.Attributes = attributes
	return s, err
}

func complete(in []Attribute, prefix string, inside bool) ([]Attribute, error) {
	out := make([]Attribute, len(in))
	seen := map[string]bool{}
	for i, a := range in {
		place := prefix + a.Name
		if !attributeName.MatchString(a.Name) {
			return nil, fault.New(fault.Invalid, "%q is not an attribute name", place)
		}
		if lower := strings.ToLower(a.Name); seen[lower] {
			return nil, fault.New(fault.Invalid, "the attribute %s is there twice", place)
		} else {
			seen[lower] = true
		}
		a.Type = orElse(a.Type, String)
		a.Mutability = orElse(a.Mutability, ReadWrite)
		a.Returned = orElse(a.Returned, OnDefault)
		a.Uniqueness = orElse(a.Uniqueness, "none")
		if err := a.check(inside); err != nil {
			return nil, fault.New(fault.Invalid, "the attribute %s %s", place, err)
		}
		sub, err := complete(a.Sub, place+".", true)
		if err != nil {
			return nil, err
		}
		a.Sub = sub
		out[i] = a
	}
	return out, nil
}

func orElse[T ~string](v, fallback T) T {
	if v == "" {
		return fallback
	}
	return v
}

// check says what is wrong with an attribute's characteristics.
func (a Attribute) check(inside bool) error {
	switch a.Type {
	case String, Boolean, Decimal, Integer, DateTime, Reference, Binary:
		if len(a.Sub) > 0 {
			return fmt.Errorf("has sub-attributes but is not complex")
		}
	case Complex:
		if inside {
			return fmt.Errorf("is complex inside a complex one, which RFC 7643 2.3.8 rules out")
		}
		if len(a.Sub) == 0 {
			return fmt.Errorf("is complex but has no sub-attributes")
		}
	default:
		return fmt.Errorf("has the unknown type %q", a.Type)
	}
	switch a.Mutability {
	case ReadOnly, ReadWrite, Immutable, WriteOnly:
	default:
		return fmt.Errorf("has the unknown mutability %q", a.Mutability)
	}
	switch a.Returned {
	case Always, Never, OnDefault, OnRequest:
	default:
		return fmt.Errorf("has the unknown returned %q", a.Returned)
	}
	switch a.Uniqueness {
	case "none", "server", "global":
	default:
		return fmt.Errorf("has the unknown uniqueness %q", a.Uniqueness)
	}
	return nil
}
