package sources

import (
	"errors"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// Ref asks for one source of a document.
type Ref struct {
	Name     string
	URL      string // as the document writes it
	Type     string // "openapi" (or empty) or "arazzo"
	BaseFile string // path or URL of the document; relative URLs are resolved against it
	Pos      arazzo.Pos
	Needs    []string // operations that will be asked of it: operationIds, or "POST /users/{id}"
}

// Source is a source that was read.
type Source struct {
	Name     string
	Location string         // the path or URL it really came from
	Digest   string         // of its bytes
	Index    *openapi.Index // of type openapi; its URL is what relative servers are resolved against
	Data     []byte         // of type arazzo
	Notice   string         // what the user should be told, may be empty
}

// Operation returns one of the operations that Ref.Needs can name: by
// operationId, or by method and path.
func (s *Source) Operation(need string) (*openapi.Operation, error) { return find(s.Index, need) }

// The codes of Problems, as diagnostics show them.
const (
	CodeUnreadable = "source-unreadable" // not there, not allowed, or not a description
	CodeChanged    = "source-changed"    // not what the lock file pins
)

// Problem is why a source cannot be used. It wraps a fault.Error whose message
// names the source and whose place is the reference to it.
type Problem struct {
	Code string
	Err  *fault.Error

	location string // where it should have been
}

// Error returns the text for logs.
func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap gives access to the fault.
func (p *Problem) Unwrap() error { return p.Err }

// Code returns the code of the Problem in err's tree, CodeUnreadable when there
// is none.
func Code(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return CodeUnreadable
}
