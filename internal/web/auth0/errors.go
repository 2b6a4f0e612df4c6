package auth0

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
)

// apiError is an error of the Management API.
type apiError struct {
	status  int
	message string
	code    string // errorCode; often missing in recorded answers
	err     error  // for the log
}

func (e *apiError) Error() string {
	if e.err == nil {
		return e.message
	}
	return e.message + ": " + e.err.Error()
}

func (e *apiError) Unwrap() error { return e.err }

// oauthError is an error of the token endpoint.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
	err         error
}

func (e *oauthError) Error() string {
	if e.err == nil {
		return e.Code + ": " + e.Description
	}
	return e.Code + ": " + e.err.Error()
}

func (e *oauthError) Unwrap() error { return e.err }

// errorBody is the wire form of apiError.
type errorBody struct {
	Status  int    `json:"statusCode"`
	Error   string `json:"error"`
	Message string `json:"message"`
	Code    string `json:"errorCode,omitempty"`
}

// fail answers an error. Encoding these structs cannot fail.
func fail(w http.ResponseWriter, _ *http.Request, err error) {
	var oauth *oauthError
	if errors.As(err, &oauth) {
		_ = web.WriteJSON(w, oauth.status, oauth)
		return
	}
	e := translate(err)
	_ = web.WriteJSON(w, e.status, errorBody{e.status, http.StatusText(e.status), e.message, e.code})
}

// translate turns any error into Auth0's terms.
func translate(err error) *apiError {
	var api *apiError
	var lost *directory.Missing
	var violations directory.Violations
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &lost):
		if e, ok := missing(lost, err); ok {
			return e
		}
	case errors.As(err, &violations) && len(violations) > 0:
		return validation(violations[0], err)
	}
	switch fault.KindOf(err) {
	case fault.Invalid:
		return &apiError{http.StatusBadRequest, "Payload validation error: 'Invalid JSON'.", "invalid_body", err}
	case fault.TooLarge:
		return &apiError{http.StatusRequestEntityTooLarge, "Payload content length greater than maximum allowed: " + strconv.Itoa(web.MaxBody), "", err}
	case fault.NotFound:
		return notFound().because(err)
	case fault.Conflict, fault.Stale:
		return &apiError{http.StatusConflict, "The user already exists.", "auth0_idp_error", err}
	}
	return &apiError{http.StatusInternalServerError, "An internal server error occurred", "", err}
}

func validation(v directory.Violation, err error) *apiError {
	switch {
	case v.Rule == directory.Taken:
		return conflict(v, err)
	case v.Rule == directory.Weak:
		return &apiError{http.StatusBadRequest, "PasswordStrengthError: Password is too weak", "", err}
	case v.Field == "password" && v.Rule == directory.TooLong:
		return &apiError{http.StatusBadRequest, "PasswordStrengthError: Password is too long", "", err}
	}
	return &apiError{http.StatusBadRequest, "Payload validation error: '" + v.Field + "'.", "invalid_body", err}
}

func badBody(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, message: "Payload validation error: " + message, code: "invalid_body"}
}

func badQuery(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, message: "Query validation error: " + message, code: "invalid_query_string"}
}

func notFound() *apiError { return &apiError{status: http.StatusNotFound, message: "Not Found"} }

// tooMany answers a request beyond the rate limit.
func tooMany(w http.ResponseWriter, wait time.Duration) error {
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	return &apiError{status: http.StatusTooManyRequests, message: "Global limit has been reached", code: "too_many_requests"}
}
