package scim

import (
	"net/http"
	"time"

	"github.com/lanyard-id/lanyard/internal/scim"
)

// refusals are the texts of errors that any request may be answered. Others say
// what the status is called.
var refusals = map[int]scim.Error{
	http.StatusUnauthorized:        {Detail: "the token is missing, wrong or expired"},
	http.StatusConflict:            {Detail: "a resource with this value exists already", Type: scim.Uniqueness},
	http.StatusTooManyRequests:     {Detail: "too many requests were sent to this connection"},
	http.StatusInternalServerError: {Detail: "an internal error happened"},
}

// Refuse answers a request as the API does when it fails with a status, without
// looking at the request: for rehearsals. wait is what a 429 or 503 asks for.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, status int, wait time.Duration) {
	a.front.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		e := refusals[status]
		if e.Status = status; e.Detail == "" {
			e.Detail = http.StatusText(status)
		}
		switch status {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Bearer realm="SCIM"`)
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			setRetryAfter(w.Header(), wait)
		}
		writeError(w, &e)
		return nil
	}).ServeHTTP(w, r)
}
