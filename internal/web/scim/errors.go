package scim

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/web"
)

// contentType is that of every answer with a body (RFC 7644 8.1).
const contentType = "application/scim+json"

// fail answers an error.
func (c *call) fail(err error) {
	e := scim.Describe(err)
	h := c.w.Header()
	var wait *waitError
	switch {
	case e.Status == http.StatusUnauthorized && c.token == "":
		h.Set("WWW-Authenticate", `Bearer realm="SCIM"`)
	case e.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="SCIM", error="invalid_token"`)
	case errors.As(err, &wait):
		setRetryAfter(h, wait.wait)
	}
	if e.Type != "" {
		c.note(scim.Note("refused as " + string(e.Type) + ": " + e.Detail))
	} else {
		c.note(scim.Note("refused: " + e.Detail))
	}
	writeError(c.w, e)
}

// writeError answers an error. Its body can always be written.
func writeError(w http.ResponseWriter, e *scim.Error) {
	w.Header().Set("Content-Type", contentType)
	_ = web.WriteJSON(w, e.Status, e.Body())
}

// problem is an error with a status that no scimType stands for.
func problem(kind fault.Kind, status int, detail string) error {
	return fault.Wrap(kind, &scim.Error{Status: status, Detail: detail}, "%s", detail)
}

func unknownPath() error {
	return problem(fault.NotFound, http.StatusNotFound, "there is nothing at this path")
}

// methodNotAllowed says which methods there are (RFC 9110 15.5.6).
func (c *call) methodNotAllowed(m methods) error {
	c.w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(m)), ", "))
	return problem(fault.Unsupported, http.StatusMethodNotAllowed, "this path does not have the method "+c.r.Method+".")
}

// waitError is the cause of a 429.
type waitError struct {
	err  *scim.Error
	wait time.Duration
}

// Error implements error.
func (e *waitError) Error() string { return e.err.Error() }

// Unwrap gives scim.Describe the error.
func (e *waitError) Unwrap() error { return e.err }

func tooManyRequests(wait time.Duration) error {
	e := &scim.Error{Status: http.StatusTooManyRequests, Detail: "too many requests were sent to this connection"}
	return fault.Wrap(fault.RateLimited, &waitError{e, wait}, "%s", e.Detail)
}

// setRetryAfter asks for whole seconds: Okta understands nothing else
// (scim-auth0.md 1.2).
func setRetryAfter(h http.Header, wait time.Duration) {
	h.Set("Retry-After", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
}
