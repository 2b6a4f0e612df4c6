package scim

import (
	"fmt"

	"github.com/lanyard-id/lanyard/internal/filter"
)

// Leniency says what a client may send beside the RFCs. The zero value is
// strict. It only relaxes what is read, and every use of it gives a Note.
type Leniency struct {
	// Syntax relaxes the grammar of filters and paths.
	Syntax filter.SCIMOptions

	// Schemas accepts bodies whose schemas are missing or name something else
	// than what the request is about. RFC 7643 3 and RFC 7644 3.5.2 want them.
	Schemas bool

	// TextBooleans reads the texts "true" and "false", in any case, as booleans
	// (scim-auth0.md 1.3). Every preset has it, the strict one too: such a text
	// says one thing only, so that no value is lost or guessed.
	TextBooleans bool

	// EmptyText lets an operation of a PATCH unassign an attribute by an empty
	// text. RFC 7643 2.5 has null and empty arrays for that, and "" is a text.
	EmptyText bool

	// LoneValues reads a single value, where an array is wanted, as an array of
	// it. An add operation may have one without this (RFC 7644 3.5.2.1).
	LoneValues bool

	// BareReference reads a string, where a complex value is wanted, as its
	// value, and an empty string as none: "manager": "26118915", "members": "x".
	BareReference bool

	// ElementDisplayName reads displayName as display inside the elements of
	// multi-valued attributes, as Microsoft's collection of tests sends members.
	ElementDisplayName bool

	// RemoveByValue lets a remove operation name what it removes in its value.
	// Without it such an operation is refused: RFC 7644 3.5.2.2 has no value
	// there, and going by the path alone would empty a group.
	RemoveByValue bool

	// DottedExtension reads URN.attribute in paths as URN:attribute.
	DottedExtension bool

	// DottedKeys reads keys such as name.givenName or emails[type eq "work"].value
	// in the value of an operation without path as paths.
	DottedKeys bool

	// CreateMissing lets a replace through a value filter that matches nothing
	// create the element from the filter's equalities, as add does. RFC 7644
	// 3.5.2.3 wants noTarget.
	CreateMissing bool

	// UnknownPaths ignores operations whose path no schema has. Without it they
	// are InvalidPath errors. Unknown attributes in bodies and values are always
	// ignored.
	UnknownPaths bool
}

// The presets for known clients (scim-auth0.md 1.2 to 1.4).

// Strict relaxes nothing but the spelling of booleans.
func Strict() Leniency { return Leniency{TextBooleans: true} }

// Okta relaxes for Okta's provisioning clients, wizard and Governance apps
// alike: they keep to the RFCs, but for schemas and empty texts.
func Okta() Leniency { return Leniency{Schemas: true, TextBooleans: true, EmptyText: true} }

// Entra relaxes for Microsoft Entra ID without the aadOptscim062020 flag.
func Entra() Leniency {
	return Leniency{
		Syntax:             filter.SCIMOptions{ValuePathSuffix: true, Unquoted: true, Blanks: true},
		Schemas:            true,
		TextBooleans:       true,
		EmptyText:          true,
		LoneValues:         true,
		BareReference:      true,
		ElementDisplayName: true,
		RemoveByValue:      true,
		DottedExtension:    true,
		DottedKeys:         true,
		CreateMissing:      true,
		UnknownPaths:       true,
	}
}

// EntraFlag relaxes for Microsoft Entra ID with the aadOptscim062020 flag, which
// keeps its patches to the RFC but not its default mappings.
func EntraFlag() Leniency {
	return Leniency{
		Syntax:        filter.SCIMOptions{ValuePathSuffix: true},
		Schemas:       true,
		TextBooleans:  true,
		EmptyText:     true,
		CreateMissing: true,
		UnknownPaths:  true,
	}
}

// Auth0 relaxes as Auth0's inbound endpoint does: attributes without a mapping
// are ignored wherever they appear (scim-auth0.md 1.4).
func Auth0() Leniency {
	return Leniency{Schemas: true, TextBooleans: true, EmptyText: true, UnknownPaths: true}
}

// Note is one sentence on a relaxation that was used or a decision that was
// taken: "the operation Replace was read as replace". It holds names, never
// values, and goes to the request log.
type Note string

// maxNotes bounds what one request can write into the log.
const maxNotes = 50

// notes collects each sentence once.
type notes struct {
	list []Note
	seen map[Note]bool
}

func (n *notes) add(format string, args ...any) {
	if len(n.list) >= maxNotes {
		return
	}
	note := Note(fmt.Sprintf(format, args...))
	if n.seen[note] {
		return
	}
	if n.seen == nil {
		n.seen = map[Note]bool{}
	}
	n.seen[note] = true
	n.list = append(n.list, note)
}

func asNotes(texts []string) []Note {
	var list []Note
	for _, text := range texts {
		list = append(list, Note(text))
	}
	return list
}
