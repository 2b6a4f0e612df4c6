package scim

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// Replayed is the answer to a call that was made once more.
type Replayed struct {
	Status int
	Header http.Header
	Body   string

	LeftOut bool // secrets, which the log does not have
}

// Replay makes a call of the request log once more. It has no token, so the
// Backend must be one that needs none. Secrets of the call, which the log does not
// have, are left out: a connection keeps no passwords. fault.Unsupported when not
// enough of the call was kept, or it is not one that reached a connection.
func (a *API) Replay(ctx context.Context, e wirelog.Exchange) (*Replayed, error) {
	connection, ok := strings.CutPrefix(e.Scope, wirelog.ConnectionScope(""))
	if !ok || e.Direction != wirelog.In {
		return nil, fault.New(fault.Unsupported, "the exchange %q is no call of a connection's endpoint", e.ID)
	}
	again, err := e.Replay()
	if err != nil {
		return nil, err
	}
	var body []byte
	if sent := again.Unmasked(); sent != nil {
		if body, err = value.Encode(sent); err != nil {
			return nil, err
		}
	}
	target := Prefix + url.PathEscape(connection) + again.Path
	if again.Query != "" {
		target += "?" + again.Query
	}
	r, err := http.NewRequestWithContext(ctx, again.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(fault.Unsupported, err, "the exchange %q cannot be sent again", e.ID)
	}
	r.Header = again.Header
	c := &call{API: a, r: r}
	c.note(scim.Note("the call " + e.ID + " was made once more"))
	if len(again.Masked) > 0 {
		c.note("its secrets were left out")
	}
	out := &held{header: http.Header{}}
	kept := &answer{Recorder: web.Recorder{ResponseWriter: out}, keeps: true}
	begin, start := a.Now(), time.Now()
	a.front.Handle(c.serve).ServeHTTP(kept, r)
	c.record(kept, begin, time.Since(start))
	return &Replayed{Status: kept.Status, Header: out.header, Body: kept.body.String(), LeftOut: len(again.Masked) > 0}, nil
}

// held is an http.ResponseWriter that nobody reads from: answer keeps what is
// written.
type held struct{ header http.Header }

// Header implements http.ResponseWriter.
func (h *held) Header() http.Header { return h.header }

// WriteHeader implements http.ResponseWriter.
func (*held) WriteHeader(int) {}

// Write implements http.ResponseWriter.
func (*held) Write(b []byte) (int, error) { return len(b), nil }
