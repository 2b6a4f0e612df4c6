package provision

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Call is one request to a target, below its base URL.
type Call struct {
	Method string
	Path   string         // escaped, as on the wire: "/Users", "/Users/ID"
	Query  string         // encoded, without the question mark
	Body   map[string]any // nil: none
	Why    []Note         // what led to it
}

// Writes reports whether the call may change something.
func (c Call) Writes() bool { return c.Method != http.MethodGet }

// Answer is what a target said to a call.
type Answer struct {
	Status int
	Body   map[string]any // nil: empty
}

// Caller makes calls to one target. An answer of 2xx is an Answer, everything
// else a *CallError.
//
// The sequences are the same whoever carries them out: the client of the target,
// or a Rehearsal, which lets reads through and keeps writes to itself.
type Caller interface {
	// Call makes a call; its Why is logged with it.
	Call(ctx context.Context, c Call) (Answer, error)
	// Explain adds to the reasons of the last call what was concluded from its
	// answer.
	Explain(ctx context.Context, why ...Note)
}

// The endpoints.
const (
	usersPath  = "/Users"
	groupsPath = "/Groups"
)

// resourcePath is the path of one resource.
func resourcePath(endpoint, id string) string { return endpoint + "/" + url.PathEscape(id) }

// PageSize is how many resources Okta asks for at once.
const PageSize = 100

// ListCall reads a page of a list, from 1 on ("/Users", "/Groups").
func ListCall(endpoint string, start, count int) Call {
	return Call{Method: http.MethodGet, Path: endpoint, Query: page(start, count)}
}

func page(start, count int) string {
	return "startIndex=" + strconv.Itoa(start) + "&count=" + strconv.Itoa(count)
}

// TestCall is what "Test API Credentials" sends: one call, and no discovery
// (scim-auth0.md 1.2, captured).
func TestCall() Call { return ListCall(usersPath, 1, 2) }

// findCall looks for resources by an attribute that is unique.
func findCall(endpoint, attribute, text string) Call {
	literal, _ := value.Encode(text) // a string always encodes
	filter := attribute + " eq " + string(literal)
	return Call{Method: http.MethodGet, Path: endpoint, Query: "filter=" + escapeQuery(filter) + "&" + page(1, PageSize)}
}

// escapeQuery writes blanks as %20, as Okta does; url.QueryEscape writes plus.
func escapeQuery(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func getCall(endpoint, id string) Call {
	return Call{Method: http.MethodGet, Path: resourcePath(endpoint, id)}
}
