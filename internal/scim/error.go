package scim

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// ErrorType is a scimType (RFC 7644 3.12, RFC 9865 2.1).
type ErrorType string

// The error types, with the status that each has.
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

	// TooLarge is no keyword of the RFCs: its errors have the status 413 and
	// no scimType (RFC 7644 3.7.4).
	TooLarge ErrorType = ""
)

// Error is a failure as SCIM words it. It is the cause of a fault.Error, whose
// message is Detail: use errors.As to find it, or Describe.
type Error struct {
	Status int
	Type   ErrorType // empty when the RFCs have no keyword for it
	Detail string    // public
}

// Error returns the status, the type and the detail.
func (e *Error) Error() string {
	if e.Type == "" {
		return fmt.Sprintf("%d: %s", e.Status, e.Detail)
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.Type, e.Detail)
}

// Body returns the message of RFC 7644 3.12; status is a string in it.
func (e *Error) Body() map[string]any {
	body := map[string]any{
		"schemas": []any{ErrorMessage},
		"status":  strconv.Itoa(e.Status),
	}
	if e.Type != "" {
		body["scimType"] = string(e.Type)
	}
	if e.Detail != "" {
		body["detail"] = e.Detail
	}
	return body
}

// Fail returns a fault of the kind that fits the type (Invalid, Conflict for
// Uniqueness, Forbidden for Sensitive, TooLarge), with an *Error as its cause.
// The text is public: it names attributes and never values.
func Fail(t ErrorType, format string, args ...any) error {
	e := &Error{Status: 400, Type: t, Detail: fmt.Sprintf(format, args...)}
	kind := fault.Invalid
	switch t {
	case Uniqueness:
		e.Status, kind = 409, fault.Conflict
	case Sensitive:
		e.Status, kind = 403, fault.Forbidden
	case TooLarge:
		e.Status, kind = 413, fault.TooLarge
	}
	return fault.Wrap(kind, e, "%s", e.Detail)
}

// Describe turns any error into an *Error: the one in its tree, or one made
// from its fault kind and public text. It is never nil for a non-nil err.
func Describe(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: statusOf(fault.KindOf(err)), Detail: fault.Public(err)}
}

func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid, fault.Usage:
		return 400
	case fault.Unauthorized:
		return 401
	case fault.Forbidden, fault.Refused:
		return 403
	case fault.NotFound:
		return 404
	case fault.Conflict:
		return 409
	case fault.Stale:
		return 412
	case fault.TooLarge:
		return 413
	case fault.RateLimited:
		return 429
	case fault.Unsupported:
		return 501
	case fault.Unavailable, fault.Locked:
		return 503
	}
	return 500
}
