package plan

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// PagesExtension on a step that calls an operation reads a list to its end
// (docs/dialect.md).
const PagesExtension = "x-lanyard-pages"

// Pages says how a list goes on behind its first page (x-lanyard-pages).
type Pages struct {
	// Link: the Link header names the next page, and the body is the list, or has it
	// at Items. The other fields are empty then.
	Link bool

	Items     value.Pointer // to the list in the body
	Parameter string        // of the query, by which the next page is asked for

	// Either the body has the parameter's next value, until there is none ...
	Next value.Pointer
	// ... or it has the number of all items, and the parameter counts items or
	// pages from First.
	Total   value.Pointer
	ByItems bool
	First   int
}

// pages compiles x-lanyard-pages.
func (s *scope) pages(from *arazzo.Step, step *Step) {
	ext, ok := from.Extensions[PagesExtension]
	if !ok {
		return
	}
	p, err := readPages(ext.Value())
	switch {
	case err != nil:
		s.report(ext.Pos, "schema", "%s %s", PagesExtension, fault.Public(err))
	case step.Operation == nil || step.Operation.Effect() != Reads:
		s.report(ext.Pos, "schema", "%s belongs on a step that reads a list", PagesExtension)
	default:
		step.Pages = p
	}
}

func readPages(v any) (*Pages, error) {
	if v == "link" {
		return &Pages{Link: true}, nil
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "must be link: the next page is where the Link header says; or a mapping with items and parameter")
	}
	if fields["next"] == "link" {
		return linked(fields)
	}
	p := &Pages{ByItems: true}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := p.field(name, fields[name]); err != nil {
			return nil, fault.New(fault.Invalid, "%s %s", name, fault.Public(err))
		}
	}
	_, next := fields["next"]
	_, total := fields["total"]
	if fields["items"] == nil || p.Parameter == "" || next == total {
		return nil, fault.New(fault.Invalid, "needs items, parameter, and next or total")
	}
	return p, nil
}

// linked are pages whose bodies are objects and whose next page is in the header.
func linked(fields map[string]any) (*Pages, error) {
	p := &Pages{Link: true}
	if len(fields) != 2 || fields["items"] == nil {
		return nil, fault.New(fault.Invalid, "with next: link needs items and nothing else")
	}
	if err := p.field("items", fields["items"]); err != nil {
		return nil, fault.New(fault.Invalid, "items %s", fault.Public(err))
	}
	return p, nil
}

func (p *Pages) field(name string, v any) (err error) {
	text, isText := v.(string)
	switch name {
	case "items":
		p.Items, err = value.ParsePointer(text)
	case "next":
		p.Next, err = value.ParsePointer(text)
	case "total":
		p.Total, err = value.ParsePointer(text)
	case "parameter":
		p.Parameter = text
	case "counts":
		if text != "items" && text != "pages" {
			return fault.New(fault.Invalid, "must be items or pages")
		}
		p.ByItems = text == "items"
	case "first":
		n, ok := v.(json.Number)
		if !ok || n != "0" && n != "1" {
			return fault.New(fault.Invalid, "must be 0 or 1")
		}
		p.First = int(n[0] - '0')
		return nil
	default:
		return fault.New(fault.Invalid, "is not known; there are items, parameter, next, total, counts and first")
	}
	if !isText || err != nil || text == "" {
		return fault.New(fault.Invalid, "must be a text; items, next and total are JSON Pointers into the body")
	}
	return nil
}
