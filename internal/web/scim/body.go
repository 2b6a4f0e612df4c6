package scim

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

// readBody reads the request's body, a JSON object.
func (c *call) readBody() (map[string]any, error) {
	if err := checkType(c.r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	limit := c.config.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}
	body, err := web.ReadBody(c.r, limit)
	if err != nil {
		return nil, asSyntax(err)
	}
	c.body = body
	if !utf8.Valid(body) { // what is not would be changed silently
		return nil, scim.Fail(scim.InvalidSyntax, "the request body is not UTF-8")
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil, scim.Fail(scim.InvalidSyntax, "the request has no body")
	}
	v, err := value.DecodeExact(body)
	if err != nil {
		return nil, asSyntax(err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, scim.Fail(scim.InvalidSyntax, "the request body is not a JSON object")
	}
	return object, nil
}

// asSyntax words an error of reading a body: too long, or not JSON.
func asSyntax(err error) error {
	if fault.Is(err, fault.TooLarge) {
		return scim.Fail(scim.TooLarge, "the request is too large: %s", fault.Public(err))
	}
	return scim.Fail(scim.InvalidSyntax, "the request body cannot be read: %s", fault.Public(err))
}

// checkType refuses bodies that are announced as something else than JSON. A body
// that is not announced is taken for what it ought to be.
func checkType(contentType string) error {
	if contentType == "" || web.IsJSON(contentType) {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = "what the header Content-Type says"
	}
	return problem(fault.Invalid, http.StatusUnsupportedMediaType, fmt.Sprintf("bodies are application/scim+json or application/json, not %s", media))
}

// member returns a member of a message, whose names are case-insensitive as
// those of attributes are (RFC 7643 2.1). An exact name is preferred.
func member(object map[string]any, name string) (any, bool) {
	if v, ok := object[name]; ok {
		return v, v != nil
	}
	for key, v := range object {
		if strings.EqualFold(key, name) {
			return v, v != nil
		}
	}
	return nil, false
}

// checkMessage checks that a message is what it is sent for.
func checkMessage(object map[string]any, urn string) error {
	v, _ := member(object, "schemas")
	list, _ := v.([]any)
	for _, item := range list {
		if text, ok := item.(string); ok && strings.EqualFold(text, urn) {
			return nil
		}
	}
	return scim.Fail(scim.InvalidSyntax, "schemas must hold %s", urn)
}
