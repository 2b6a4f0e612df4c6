package auth0

import (
	"net/http"
	"strings"
	"time"
)

// refusals are the errors that any operation may answer, by their status. Others
// say what the status is called.
var refusals = map[int]apiError{
	http.StatusUnauthorized:        {message: "Invalid token", code: "invalid_token"},
	http.StatusForbidden:           {message: "Insufficient scope", code: "insufficient_scope"},
	http.StatusConflict:            {message: "The user already exists.", code: "auth0_idp_error"},
	http.StatusInternalServerError: {message: "An internal server error occurred"},
}

// Refuse answers a request as the API does when it fails with a status, without
// looking at the request: for rehearsals. With 429 the headers ask to come back
// after wait.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, status int, wait time.Duration) {
	a.front.Handle(func(w http.ResponseWriter, r *http.Request) error {
		var err error
		e := refusals[status]
		if e.status = status; e.message == "" {
			e.message = http.StatusText(status)
		}
		err = &e
		if status == http.StatusTooManyRequests {
			a.limit.exhaust(w.Header())
			err = tooMany(w, wait)
		}
		if !strings.HasPrefix(r.URL.Path, managementPath) {
			return &oauthError{status: status, Code: oauthCode(status), Description: http.StatusText(status)}
		}
		return err
	}).ServeHTTP(w, r)
}

// oauthCode is the token endpoint's word for a status.
func oauthCode(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "too_many_requests"
	case status >= http.StatusInternalServerError:
		return "server_error"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "access_denied"
	}
	return "invalid_request"
}
