package scim

import (
	"encoding/json"
	"strconv"
)

// Query is what a list request asks for.
type Query struct {
	Filter     *Filter // nil for all
	SortBy     string  // empty for the server's order
	Descending bool
	StartIndex int // from 1
	Count      int // at most so many; 0 asks for the total only
	// Cursor asks for cursor paging (RFC 9865): "" for the first page. Nil
	// asks for index paging.
	Cursor     *string
	Projection Projection
}

// Page is what a list request finds.
type Page struct {
	Total      int
	Resources  []Resource
	StartIndex int    // 0 with cursor paging
	Next       string // cursors (RFC 9865); "" for none
	Previous   string
}

// Body returns the ListResponse message (RFC 7644 3.4.2, RFC 9865 2). The
// resources are in it as they are.
func (p Page) Body() map[string]any {
	// An array even when it is empty: clients loop over it.
	resources := make([]any, len(p.Resources))
	for i, r := range p.Resources {
		resources[i] = r
	}
	body := map[string]any{
		"schemas":      []any{ListMessage},
		"totalResults": number(p.Total),
		"itemsPerPage": number(len(p.Resources)),
		"Resources":    resources,
	}
	if p.StartIndex > 0 {
		body["startIndex"] = number(p.StartIndex)
	}
	if p.Next != "" {
		body["nextCursor"] = p.Next
	}
	if p.Previous != "" {
		body["previousCursor"] = p.Previous
	}
	return body
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }
