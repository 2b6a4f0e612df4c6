package wirelog

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Request is what has to be sent to make a logged call once more.
type Request struct {
	Method string
	Path   string // as in Exchange
	Query  string
	// Header lacks what was masked and what belongs to one transmission:
	// Authorization, Content-Length, Host ... The sender adds its own.
	Header http.Header
	Body   any // JSON; nil for none
	// Masked are the places of secrets in Body. They hold secret.Mask and must be
	// filled from the present configuration, or removed, before it is sent.
	Masked []value.Pointer
}

// Replay returns the request of an exchange. fault.Unsupported when not enough
// of it was kept.
func (e *Exchange) Replay() (Request, error) { return Request{}, nil }
