// Package wirelog keeps what went over the wire between Lanyard and the clients
// and targets of provisioning: one Exchange for each call, in or out, with its
// bodies masked and with the reasons ("why") of what was decided.
//
// A Recorder masks (mask.go), queues and writes exchanges, and forgets old ones;
// a Query finds them again; Exchange.Replay gives back what has to be sent to
// make a call once more.
//
// The package leaves to its users who may read the log, which reasons there are,
// and how a call is sent again: the credentials of a replay are those of the
// present configuration, never those of the log.
package wirelog

import (
	"context"
	"strings"
	"time"
)

// Direction says who made a call.
type Direction string

// The directions.
const (
	In  Direction = "in"  // somebody called us
	Out Direction = "out" // we called a target
)

// Exchange is one call and its answer. Recorder.Record masks it; what is read
// from a Store is masked.
type Exchange struct {
	ID        string    `json:"id"` // given by Record when empty
	At        time.Time `json:"at"` // the beginning of the call, on the directory's clock
	Scope     string    `json:"scope"`
	Direction Direction `json:"direction"`

	Method string `json:"method"`
	Path   string `json:"path"`            // escaped as on the wire; of an outgoing call after the target's base URL
	Query  string `json:"query,omitempty"` // encoded, without the question mark
	Status int    `json:"status"`          // 0: there was no answer; Failure says why
	// Failure is why there was no answer: public text.
	Failure string        `json:"failure,omitempty"`
	Took    time.Duration `json:"took"`

	// Actor is who called: the id of the token, "" when it was rejected; of an
	// outgoing call, what made it ("run:…", "queue:…").
	Actor string `json:"actor,omitempty"`
	// Subject is what the call was about: the id of the account, group or SCIM
	// resource. Empty for lists and for calls that did not get as far.
	Subject string `json:"subject,omitempty"`

	RequestHeaders  map[string][]string `json:"requestHeaders,omitempty"`
	RequestBody     string              `json:"requestBody,omitempty"`
	ResponseHeaders map[string][]string `json:"responseHeaders,omitempty"`
	ResponseBody    string              `json:"responseBody,omitempty"`

	// Why holds a sentence for each decision: a relaxation that was used, a rule
	// that linked or refused, the reason of an error. No values of attributes.
	Why []string `json:"why,omitempty"`

	// Shortened says that the request body was too long to be kept as it was: it
	// was cut, or members were left out. Such a call cannot be replayed.
	Shortened bool `json:"shortened,omitempty"`
}

// ConnectionScope is the scope of the calls that reach the SCIM endpoint of a
// connection ("con_…").
func ConnectionScope(id string) string { return "connection:" + id }

// TargetScope is the scope of the calls that go to the SCIM target of an
// application ("0oa…").
func TargetScope(id string) string { return "target:" + id }

// Query selects exchanges, newest first. Fields that are empty restrict nothing.
type Query struct {
	Scope     string
	Direction Direction
	Status    int    // 404: exactly that; 1 to 5: the class 1xx to 5xx; NoAnswer: calls without one
	Method    string // in any case
	Subject   string // exactly
	Text      string // part of the path, query, bodies, failure or a why line, in any case
	Since     time.Time
	Until     time.Time // exclusive
	Cursor    string    // Page.Next of the page before
	Limit     int       // at most so many; 0: DefaultLimit
}

// NoAnswer is the Query.Status of calls that got none.
const NoAnswer = -1

// DefaultLimit is how long a page is unless the query says otherwise.
const DefaultLimit = 50

// Page is a part of what a query selects.
type Page struct {
	Exchanges []Exchange `json:"exchanges"`
	Next      string     `json:"next,omitempty"` // "" on the last page
}

// Store keeps exchanges in the order in which they were appended.
type Store interface {
	// Append adds exchanges, all or none.
	Append(ctx context.Context, exchanges []Exchange) error

	// Exchange returns one. fault.NotFound when there is none, or none any more.
	Exchange(ctx context.Context, id string) (Exchange, error)

	// Exchanges returns a page of what a query selects, newest first. A cursor
	// that is none is fault.Invalid.
	Exchanges(ctx context.Context, q Query) (Page, error)

	// Trim forgets what began before a time (zero: nothing for its age), and of
	// each scope all but the newest keep (0: all are kept). It returns how many
	// were forgotten.
	Trim(ctx context.Context, before time.Time, keep int) (int, error)
}

// Match reports whether an exchange satisfies a query. Cursor and Limit are left
// to the Store.
func (q *Query) Match(e *Exchange) bool {
	switch {
	case q.Scope != "" && q.Scope != e.Scope,
		q.Direction != "" && q.Direction != e.Direction,
		q.Method != "" && !strings.EqualFold(q.Method, e.Method),
		q.Subject != "" && q.Subject != e.Subject,
		!q.Since.IsZero() && e.At.Before(q.Since),
		!q.Until.IsZero() && !e.At.Before(q.Until):
		return false
	}
	return q.matchStatus(e.Status) && q.matchText(e)
}

func (q *Query) matchStatus(status int) bool {
	switch {
	case q.Status == 0:
		return true
	case q.Status == NoAnswer:
		return status == 0
	case q.Status < 10:
		return status/100 == q.Status
	}
	return status == q.Status
}

func (q *Query) matchText(e *Exchange) bool {
	if q.Text == "" {
		return true
	}
	part := strings.ToLower(q.Text)
	for _, text := range append([]string{e.Path, e.Query, e.RequestBody, e.ResponseBody, e.Failure}, e.Why...) {
		if strings.Contains(strings.ToLower(text), part) {
			return true
		}
	}
	return false
}
