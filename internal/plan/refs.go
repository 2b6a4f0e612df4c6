package plan

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

const sourcesRoot = "$sourceDescriptions."

// opRef is a reference to an operation: by operationId, or by path and method.
type opRef struct {
	pos    arazzo.Pos
	source string // empty: not qualified
	id     string // operationId
	path   string // with method, when the reference is an operationPath
	method string
	text   string // as written
}

// key names the operation within its source, for Source.Operations.
func (r opRef) key() string {
	if r.id != "" {
		return r.id
	}
	return r.method + " " + r.path
}

// operationIDRef reads a step's operationId. Only the first two dots separate
// (N12): an operationId may itself contain any character.
func operationIDRef(s arazzo.Str) opRef {
	ref := opRef{pos: s.Pos, id: s.Value, text: s.Value}
	if rest, ok := strings.CutPrefix(s.Value, sourcesRoot); ok {
		if source, id, ok := strings.Cut(rest, "."); ok {
			ref.source, ref.id = source, id
		}
	}
	return ref
}

// operationPathRef reads {$sourceDescriptions.<name>.url}#/paths/~1a~1b/get (N13).
// The part before # may also be the source's URL as the document writes it.
func operationPathRef(s arazzo.Str, doc *arazzo.Document) (opRef, error) {
	ref := opRef{pos: s.Pos, text: s.Value}
	base, fragment, ok := strings.Cut(s.Value, "#")
	if !ok {
		return ref, fault.New(fault.Invalid, "operationPath %q has no # with a JSON Pointer", s.Value).
			Fix(`write "{$sourceDescriptions.<name>.url}#/paths/~1<path>/<method>"`)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(base), "{"), "}")
	if rest, ok := strings.CutPrefix(name, sourcesRoot); ok {
		ref.source = strings.TrimSuffix(rest, ".url")
	} else {
		for _, src := range doc.Sources {
			if src.URL.Value == base {
				ref.source = src.Name.Value
			}
		}
	}
	if ref.source == "" {
		return ref, fault.New(fault.Invalid, "operationPath %q names no source", s.Value).
			Fix(`begin with "{$sourceDescriptions.<name>.url}#"`)
	}
	pointer, err := value.ParsePointer(fragment)
	if err != nil || len(pointer) != 3 || pointer[0] != "paths" {
		return ref, fault.New(fault.Invalid, "operationPath %q does not point at /paths/<path>/<method>", s.Value).
			Fix("write the path with ~1 for every /")
	}
	ref.path, ref.method = pointer[1], strings.ToUpper(pointer[2])
	return ref, nil
}

// workflowRef splits a reference to a workflow: source is empty for one of the
// same document (N16).
func workflowRef(s string) (source, id string) {
	if rest, ok := strings.CutPrefix(s, sourcesRoot); ok {
		if source, id, ok := strings.Cut(rest, "."); ok {
			return source, id
		}
	}
	return "", s
}

// onlyAPISource returns the single source that is not an Arazzo document, nil
// when there is none or more than one (N11).
func onlyAPISource(doc *arazzo.Document) *arazzo.Source {
	var only *arazzo.Source
	for i := range doc.Sources {
		if doc.Sources[i].Type.Value == "arazzo" {
			continue
		}
		if only != nil {
			return nil
		}
		only = &doc.Sources[i]
	}
	return only
}
