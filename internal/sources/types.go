package sources

import (
	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// Ref asks for one source of a document.
type Ref struct {
	Name     string
	URL      string // as the document writes it
	Type     string // "openapi" (or empty) or "arazzo"
	BaseFile string // path or URL of the document; relative URLs are resolved against it
	Pos      arazzo.Pos
	Needs    []string // operationIds that will be asked of it
}

// Source is a source that was read.
type Source struct {
	Name     string
	Location string         // the path or URL it really came from
	Digest   string         // of its bytes
	Index    *openapi.Index // of type openapi
	Data     []byte         // of type arazzo
	Notice   string         // what the user should be told, may be empty
}
