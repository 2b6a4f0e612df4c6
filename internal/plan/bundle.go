package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// bundleFormat is raised when an older program could misread a newer Bundle.
const bundleFormat = 1

// Bundle is everything that a plan is computed from.
type Bundle struct {
	Format    int        `json:"format"`
	Workflow  string     `json:"workflow"`  // the workflow that a run starts with
	Documents []Document `json:"documents"` // the first is the one that was run
	Profile   Profile    `json:"profile,omitzero"`
}

// Document is one Arazzo document of a Bundle.
type Document struct {
	URI     string   `json:"uri"`
	Text    string   `json:"text"` // strict: a compat document is bundled as Fix rewrote it
	Sources []Source `json:"sources"`
}

// Source is what a document's source description turned out to be, cut down to
// the operations that are used.
type Source struct {
	Name       string                        `json:"name"`
	Type       string                        `json:"type"`
	URL        string                        `json:"url"`            // as written
	Location   string                        `json:"location"`       // where it was read
	Base       string                        `json:"base,omitempty"` // what relative servers are resolved against
	Digest     string                        `json:"digest,omitempty"`
	Title      string                        `json:"title,omitempty"`
	Document   int                           `json:"document,omitempty"`   // type arazzo: index in Bundle.Documents
	Operations map[string]*openapi.Operation `json:"operations,omitempty"` // by the reference's key, see opRef
	Schemes    map[string]openapi.Scheme     `json:"schemes,omitempty"`
}

// Encode returns the Bundle as stored, and its digest.
func (b *Bundle) Encode() (data []byte, digest string, err error) {
	data, err = json.Marshal(b)
	if err != nil {
		return nil, "", fault.Wrap(fault.Internal, err, "the plan cannot be stored")
	}
	sum := sha256.Sum256(data)
	return data, "sha256:" + hex.EncodeToString(sum[:]), nil
}

// DecodeBundle reads what Encode wrote. An error means that it was damaged, or
// written by another version.
func DecodeBundle(data []byte) (*Bundle, error) {
	var b Bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the stored plan cannot be read")
	}
	if b.Format != bundleFormat {
		return nil, fault.New(fault.Unsupported, "the stored plan has format %d, this program reads %d", b.Format, bundleFormat).
			Fix("use the version of lanyard that started the run")
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return &b, nil
}

// check reports what Compile could not stand: a stored plan may be damaged.
func (b *Bundle) check() error {
	if len(b.Documents) == 0 {
		return fault.New(fault.Internal, "the stored plan has no document")
	}
	for _, d := range b.Documents {
		for _, s := range d.Sources {
			if s.Document < 0 || s.Document >= len(b.Documents) {
				return fault.New(fault.Internal, "the stored plan lacks the document of source %s", s.Name)
			}
			for name, op := range s.Operations {
				if op == nil {
					return fault.New(fault.Internal, "the stored plan lacks the operation %s", name)
				}
			}
		}
	}
	return b.Profile.Check()
}

func (d *Document) source(name string) *Source {
	for i := range d.Sources {
		if d.Sources[i].Name == name {
			return &d.Sources[i]
		}
	}
	return nil
}
