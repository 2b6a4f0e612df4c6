// Package fault holds the kinds of failure the whole product distinguishes,
// and keeps apart what a stranger may read from what we log.
//
// An Error names the place (a file position, a step, a flag), says what is
// wrong and what to do about it. Those three strings are public: they reach
// the terminal, an API client or a report, so nothing secret may be put in
// them. The wrapped error is private and reaches logs only.
//
// The package leaves the wire to its users: each façade translates kinds into
// its own error bodies, and the command line into exit codes.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of failure happened, as far as callers act differently on it.
type Kind uint8

// The kinds. The zero value is Internal, so that an unclassified error is
// never mistaken for the user's mistake.
const (
	Internal     Kind = iota // our own defect or the machine's: disk full, broken invariant
	Usage                    // the command was called wrongly
	Invalid                  // a document, input or request body is wrong
	NotFound                 // the thing named does not exist
	Conflict                 // it exists already, or its state forbids the request
	Unauthorized             // no credential, or a wrong one
	Forbidden                // a good credential without the right
	RateLimited              // the other side asks to slow down
	Unavailable              // the other side cannot be reached or broke off
	Timeout                  // it took longer than allowed
	TooLarge                 // a size, depth or count limit was exceeded
	Refused                  // our own policy forbids it: host not bound, private address
	Unsupported              // legal, but not something this version does
	Stale                    // what this was computed from has changed since
	Locked                   // another process owns the data folder
	Held                     // it waits for a person
)

var names = [...]string{
	Internal: "internal", Usage: "usage", Invalid: "invalid", NotFound: "not found", Conflict: "conflict",
	Unauthorized: "unauthorized", Forbidden: "forbidden", RateLimited: "rate limited", Unavailable: "unavailable",
	Timeout: "timeout", TooLarge: "too large", Refused: "refused", Unsupported: "unsupported", Stale: "stale",
	Locked: "locked", Held: "held",
}

// String returns the kind's name as it appears in logs and JSON.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is a failure with a kind, a place and a remedy.
type Error struct {
	Kind   Kind
	Place  string // where: "flow.yaml:12:3", "step create-user", "--input"; may be empty
	Msg    string // what is wrong; public
	Remedy string // what to do about it; public, may be empty
	Err    error  // the cause; private, for logs
}

// New returns an Error of the given kind with a formatted public message.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// Wrap is New with a private cause.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), Err: cause}
}

// At returns a copy of e that names the place.
func (e *Error) At(format string, args ...any) *Error {
	c := *e
	c.Place = fmt.Sprintf(format, args...)
	return &c
}

// Fix returns a copy of e that names the remedy.
func (e *Error) Fix(format string, args ...any) *Error {
	c := *e
	c.Remedy = fmt.Sprintf(format, args...)
	return &c
}

// Public returns the text a stranger may read: place, message and remedy,
// without the cause.
func (e *Error) Public() string {
	var b strings.Builder
	if e.Place != "" {
		b.WriteString(e.Place)
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// Error returns the text for logs: the public text and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Public()
	}
	return e.Public() + ": " + e.Err.Error()
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's tree, Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err carries an Error of the given kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// Public returns what a stranger may read of any error: the public text of the
// first Error in its tree, or a plain sentence that gives nothing away.
func Public(err error) string {
	if err == nil {
		return ""
	}
	var list *List
	if errors.As(err, &list) {
		return list.Public()
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Public()
	}
	return "an internal error happened; the log has the details"
}

// List is several failures reported at once, as validation does.
type List struct{ Errors []error }

// Join returns nil for no errors, the error itself for one, and a List for more.
func Join(errs ...error) error {
	var kept []error
	for _, err := range errs {
		if err != nil {
			kept = append(kept, err)
		}
	}
	switch len(kept) {
	case 0:
		return nil
	case 1:
		return kept[0]
	}
	return &List{Errors: kept}
}

// Public returns one public line per failure.
func (l *List) Public() string { return l.lines(Public) }

// Error returns one line per failure, causes included.
func (l *List) Error() string { return l.lines(error.Error) }

// Unwrap gives errors.Is and errors.As access to every failure.
func (l *List) Unwrap() []error { return l.Errors }

func (l *List) lines(text func(error) string) string {
	out := make([]string, len(l.Errors))
	for i, err := range l.Errors {
		out[i] = text(err)
	}
	return strings.Join(out, "\n")
}
