package provision

import (
	"context"
	"net/url"
)

// Call is one request to a target, below its base URL.
type Call struct {
	Method string
	Path   string // "/Users", "/Users/ID": segments are escaped when it is sent
	Query  url.Values
	Body   map[string]any // nil: none
	Why    []Note         // what led to it
}

// Writes reports whether the call may change something.
func (c Call) Writes() bool { return c.Method != "GET" }

// Answer is what a target said to a Call and what was made of it.
type Answer struct {
	Status int
	Body   map[string]any // nil: empty
}

// Caller makes calls to one target. Errors are a *CallError.
//
// The sequences are the same whoever carries them out: the client of the target,
// or a Rehearsal, which lets reads through and keeps writes for itself.
type Caller interface {
	Call(ctx context.Context, c Call) (Answer, error)
}
