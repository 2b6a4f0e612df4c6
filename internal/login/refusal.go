package login

import (
	"errors"
	"net/url"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Refusal is why somebody is not signed in, or a client gets no tokens (RFC 6749
// 4.1.2.1, 5.2). Code and Text may be shown to anybody; the cause may not.
type Refusal struct {
	Code, Text string

	// Back is where the browser is to take the refusal, "" when the client
	// cannot be told because it is not sure whose address that is.
	Back string

	err error // for the log; nil: none
}

// Codes of refusals.
const (
	InvalidRequest = "invalid_request"
	InvalidClient  = "invalid_client"
	InvalidGrant   = "invalid_grant"
	Unauthorized   = "unauthorized" // Auth0's word for people who may not sign in
	LoginRequired  = "login_required"
	AccessDenied   = "access_denied"
	ServerError    = "server_error"
)

func (r *Refusal) Error() string {
	if r.err == nil {
		return r.Code + ": " + r.Text
	}
	return r.Code + ": " + r.Text + ": " + r.err.Error()
}

func (r *Refusal) Unwrap() error { return r.err }

func refuse(code, text string) *Refusal { return &Refusal{Code: code, Text: text} }

// because keeps a cause for the log.
func (r *Refusal) because(err error) *Refusal {
	r.err = err
	return r
}

// backTo returns an error with the way on which the client learns of it. Errors
// that are no refusals say nothing of themselves.
func backTo(err error, r Request) *Refusal {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		refusal = refuse(ServerError, "The sign-in could not be completed.").because(err)
	}
	told := *refusal
	told.Back = answer(r, url.Values{"error": {told.Code}, "error_description": {told.Text}})
	return &told
}

// missing reports whether an object was looked for and is not there.
func missing(err error) bool { return fault.Is(err, fault.NotFound) }
