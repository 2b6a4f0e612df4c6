package scim

import "errors"

// ErrorType is a scimType (RFC 7644 3.12, RFC 9865 2.1). Some name no keyword
// of the RFCs and are not written into a body: they only choose the status.
type ErrorType string

// The error types.
const (
	InvalidFilter ErrorType = "invalidFilter" // 400
	TooMany       ErrorType = "tooMany"       // 400
	Uniqueness    ErrorType = "uniqueness"    // 409
	Mutable       ErrorType = "mutability"    // 400
	InvalidSyntax ErrorType = "invalidSyntax" // 400
	InvalidPath   ErrorType = "invalidPath"   // 400
	NoTarget      ErrorType = "noTarget"      // 400
	InvalidValue  ErrorType = "invalidValue"  // 400
	InvalidVers   ErrorType = "invalidVers"   // 400
	Sensitive     ErrorType = "sensitive"     // 403
	InvalidCursor ErrorType = "invalidCursor" // 400
	ExpiredCursor ErrorType = "expiredCursor" // 400
	InvalidCount  ErrorType = "invalidCount"  // 400

	// Not keywords of the RFCs.
	TooLarge ErrorType = "tooLarge" // 413
)

// Error is a failure as SCIM words it. It is the cause of a fault.Error, whose
// message is Detail: use errors.As to find it, or Describe.
type Error struct {
	Status int
	Type   ErrorType // empty when the RFCs have no keyword for it
	Detail string    // public
}

// Error returns the status, the type and the detail.
func (e *Error) Error() string { return e.Detail }

// Body returns the message of RFC 7644 3.12; status is a string in it.
func (e *Error) Body() map[string]any { return nil }

// Fail returns a fault of the kind that fits the type (Invalid, Conflict for
// Uniqueness, Forbidden for Sensitive, TooLarge), with an *Error as its cause.
func Fail(t ErrorType, format string, args ...any) error { return errors.New("not yet") }

// Describe turns any error into an *Error: the one in its tree, or one made
// from its fault kind and public text. It is never nil for a non-nil err.
func Describe(err error) *Error { return nil }
