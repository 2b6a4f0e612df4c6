package scim

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// answer keeps what is answered, for the request log.
type answer struct {
	http.ResponseWriter
	status int
	keeps  bool
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.keeps {
		a.body.Write(b)
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// record writes the call into the request log, rejected tokens included. Calls
// for connections that there are not belong to no log.
func (c *call) record(a *answer, begin time.Time, took time.Duration) {
	if c.Wire == nil || !c.known {
		return
	}
	path := strings.TrimPrefix(c.r.URL.EscapedPath(), Prefix)
	if _, below, ok := strings.Cut(path, "/"); ok {
		path = "/" + below
	} else {
		path = "/"
	}
	// What happened is recorded even when the client is gone.
	c.Wire.Record(context.WithoutCancel(c.r.Context()), wirelog.Exchange{
		At: begin, Scope: wirelog.ConnectionScope(c.connection), Direction: wirelog.In,
		Method: c.r.Method, Path: path, Query: c.r.URL.RawQuery, Status: a.status, Took: took,
		Actor: c.config.Actor, Subject: c.subject,
		RequestHeaders: c.r.Header.Clone(), RequestBody: string(c.body),
		ResponseHeaders: a.Header().Clone(), ResponseBody: a.body.String(), Why: c.why,
	})
}

// about names the resource that the call is about.
func (c *call) about(r scim.Resource) {
	if id, ok := r["id"].(string); ok {
		c.subject = id
	}
}
