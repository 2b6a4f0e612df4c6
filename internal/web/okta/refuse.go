package okta

import (
	"net/http"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
)

// refusalCodes are the errors of the catalogue that stand for an HTTP status
// when nothing more is known: those that any endpoint may answer.
var refusalCodes = map[int]string{
	http.StatusBadRequest:          "E0000003",
	http.StatusUnauthorized:        "E0000011",
	http.StatusForbidden:           "E0000006",
	http.StatusNotFound:            "E0000008",
	http.StatusMethodNotAllowed:    "E0000022",
	http.StatusConflict:            "E0000112",
	http.StatusPreconditionFailed:  "E0000231",
	http.StatusLocked:              "E0000239",
	http.StatusTooManyRequests:     "E0000047",
	http.StatusInternalServerError: "E0000009",
	http.StatusNotImplemented:      "E0000060",
	http.StatusServiceUnavailable:  "E0000010",
}

// Refuse answers a request as the API does when it fails with a status, without
// looking at the request: for rehearsals. A status that the catalogue has no
// general error for gets the body of an internal error. With 429 the headers
// tell that the limit of the endpoint is used up for as long as wait.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, status int, wait time.Duration) {
	a.front.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if status == http.StatusTooManyRequests {
			a.limits.exhaust(w.Header(), r.Method, r.URL.EscapedPath(), wait)
		} else {
			a.limits.take(w.Header(), r.Method, r.URL.EscapedPath(), "")
		}
		if code, ok := refusalCodes[status]; ok {
			return problem(code)
		}
		return web.WriteJSON(w, status, a.errorBody(problem("E0000009")))
	}).ServeHTTP(w, r)
}
