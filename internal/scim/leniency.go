package scim

// Leniency says what a client may send beside the RFCs. The zero value is
// strict. It only relaxes what is read, and every use of it gives a Note.
type Leniency struct {
	// TextBooleans reads "True", "true", "False" and "false" as booleans (facts 1.3).
	TextBooleans bool
	// RemoveByValue lets a remove operation name what it removes in its value.
	// Without it such an operation is refused: by the RFC alone, a remove of
	// members with a value would empty the group.
	RemoveByValue bool
	// BareReference reads a string, where a complex attribute is wanted, as its
	// value: "manager": "26118915".
	BareReference bool
	// DottedExtension reads URN.attribute in paths as URN:attribute.
	DottedExtension bool
	// DottedKeys reads keys such as "name.givenName", "URN:department" and
	// emails[type eq "work"].value in an operation without path as paths.
	DottedKeys bool
	// CreateMissing lets a replace through a value filter that matches nothing
	// create the element from the filter's equality terms, as add does.
	CreateMissing bool
	// UnknownAttributes ignores attributes that no schema has. Without it they
	// are refused.
	UnknownAttributes bool
}

// Note is one sentence on a relaxation that was used or a decision that was
// taken: "the operation Replace was read as replace". It holds attribute names
// and keywords, never values, and goes to the request log.
type Note string

// Strict relaxes nothing.
func Strict() Leniency { return Leniency{} }

// Okta relaxes for Okta's provisioning clients, wizard apps and Governance apps alike.
func Okta() Leniency { return Leniency{} }

// Entra relaxes for Microsoft Entra ID without the aadOptscim062020 flag.
func Entra() Leniency { return Leniency{} }

// EntraFlag relaxes for Microsoft Entra ID with the aadOptscim062020 flag.
func EntraFlag() Leniency { return Leniency{} }

// Auth0 relaxes as Auth0's inbound endpoint does: attributes without mapping
// are ignored.
func Auth0() Leniency { return Leniency{} }
