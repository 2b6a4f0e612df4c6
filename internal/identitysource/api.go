package identitysource

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// API makes calls to a tenant. An error means that there is no answer; the call
// may have had its effect then, unless it is fault.Refused, fault.Invalid or
// fault.Unauthorized. Waiting for a rate limit is the API's own affair, as far as
// it can.
type API interface {
	Call(ctx context.Context, method, path string, body []byte) (Answer, error)
}

// Answer is what the tenant said.
type Answer struct {
	Status int
	Body   []byte
}

// ok reports success.
func (a Answer) ok() bool { return a.Status/100 == 2 }

// passing reports trouble that goes by itself (okta.md 1.2): the rate limit, and
// the tenant's own failures.
func (a Answer) passing() bool {
	return a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError
}

// problem is Okta's error body.
type problem struct {
	Code    string `json:"errorCode"`
	Summary string `json:"errorSummary"`
	Causes  []struct {
		Summary string `json:"errorSummary"`
	} `json:"errorCauses"`
}

func (a Answer) problem() problem {
	var p problem
	_ = json.Unmarshal(a.Body, &p) // an answer without one has none
	return p
}

// refused words an answer that is no success.
func (a Answer) refused(what string) error {
	p := a.problem()
	text := p.Summary
	for _, c := range p.Causes {
		text += ": " + c.Summary
	}
	kind := fault.Refused
	switch {
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		kind = fault.Unauthorized
	case a.Status == http.StatusNotFound:
		kind = fault.NotFound
	case a.passing():
		kind = fault.Unavailable
	}
	f := fault.New(kind, "the tenant answers %d %s to %s: %s", a.Status, p.Code, what, text)
	switch kind {
	case fault.Unauthorized:
		return f.Fix("the connection needs the scope okta.identitySources.manage and an admin role that covers applications")
	case fault.NotFound:
		return f.Fix("check the id of the identity source: it is that of the Custom Identity Source application")
	}
	return f
}

// remote is an import session as the tenant shows it.
type remote struct {
	ID      string    `json:"id"`
	Status  status    `json:"status"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"lastUpdated"` // of the last load
}

// touched is when somebody last did something about the session.
func (s remote) touched() time.Time {
	if s.Updated.After(s.Created) {
		return s.Updated
	}
	return s.Created
}

// status is the state of a session of the tenant (okta.md 3.2).
type status string

const (
	created    status = "CREATED"
	inProgress status = "IN_PROGRESS"
	triggered  status = "TRIGGERED"
	completed  status = "COMPLETED"
	closed     status = "CLOSED"
	expired    status = "EXPIRED"
	failed     status = "ERROR"
)

// open reports that the session can be loaded and cancelled.
func (s status) open() bool { return s == created || s == inProgress }

// sessionsPath is where the sessions of a source are.
func sessionsPath(source string) string {
	return "/api/v1/identity-sources/" + url.PathEscape(source) + "/sessions"
}

// Connections make calls on connections; *connector.Connector does.
type Connections interface {
	Do(ctx context.Context, conn *connector.Connection, call connector.Call) connector.Exchange
}

// Over returns the API of the tenant that a connection leads to. Its calls wait
// for the tenant's rate limits.
func Over(by Connections, conn *connector.Connection) (API, error) {
	if conn.Entry == nil || conn.Entry.Name != "okta" {
		return nil, fault.New(fault.Invalid, "the connection %s does not lead to an Okta org", conn.Name)
	}
	index, err := openapi.Parse(conn.Entry.Description(), "lanyard:catalog/okta/openapi")
	if err != nil {
		return nil, err
	}
	return &over{by: by, conn: conn, index: index}, nil
}

type over struct {
	by    Connections
	conn  *connector.Connection
	index *openapi.Index
}

// appsPath is where the applications of a tenant are.
const appsPath = "/api/v1/apps"

// pattern is the described path of a call.
func pattern(path string) string {
	if path == appsPath {
		return path
	}
	const base = "/api/v1/identity-sources/{identitySourceId}/sessions"
	parts := strings.Split(strings.TrimPrefix(path, "/api/v1/identity-sources/"), "/")
	switch len(parts) {
	case 2:
		return base
	case 3:
		return base + "/{sessionId}"
	}
	return base + "/{sessionId}/" + parts[3]
}

func (o *over) Call(ctx context.Context, method, path string, body []byte) (Answer, error) {
	path, query, _ := strings.Cut(path, "?")
	op, err := o.index.ByPath(pattern(path), method)
	if err != nil {
		return Answer{}, err
	}
	req := &openapi.Request{Method: method, Path: path, Query: query}
	if body != nil {
		req.ContentType, req.Body = "application/json", body
	}
	x := o.by.Do(ctx, o.conn, connector.Call{Operation: op, Request: req})
	switch {
	case x.Denied != nil:
		return Answer{}, x.Denied
	case x.Err != nil:
		return Answer{}, x.Err
	}
	return Answer{Status: x.Response.Status, Body: x.Response.Body}, nil
}
