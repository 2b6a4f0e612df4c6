package scim

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// answer keeps what is answered, for the request log.
type answer struct {
	web.Recorder
	keeps bool
	body  bytes.Buffer
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.keeps {
		a.body.Write(b)
	}
	return a.Recorder.Write(b)
}

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
	shown := c.brief
	if shown == "" {
		shown = a.body.String()
	}
	// What happened is recorded even when the client is gone.
	c.Wire.Record(context.WithoutCancel(c.r.Context()), wirelog.Exchange{
		At: begin, Scope: wirelog.ConnectionScope(c.connection), Direction: wirelog.In,
		Method: c.r.Method, Path: path, Query: c.r.URL.RawQuery, Status: a.Status, Took: took,
		Actor: c.config.Actor, Subject: c.subject,
		RequestHeaders: c.r.Header.Clone(), RequestBody: string(c.body),
		ResponseHeaders: a.Header().Clone(), ResponseBody: shown, Why: c.why,
	})
}

// How much of a list the log keeps: reading a whole page again to mask it would
// take longer than answering it did.
const (
	loggedResources = 5   // of a page
	loggedMembers   = 100 // of a group
)

// abridge has the log keep only the beginning of the long lists of an answer.
func (c *call) abridge(body any) error {
	whole, ok := body.(map[string]any)
	if !ok || c.Wire == nil {
		return nil
	}
	short, cut := c.beginning(whole, "Resources", loggedResources)
	list, _ := short["Resources"].([]any)
	for i, r := range list[:min(len(list), loggedResources)] {
		o, _ := r.(map[string]any)
		if o, fewer := c.beginning(o, "members", loggedMembers); fewer {
			if !cut {
				short, list = maps.Clone(short), slices.Clone(list)
				short["Resources"], cut = list, true
			}
			list[i] = o
		}
	}
	short, fewer := c.beginning(short, "members", loggedMembers)
	if !cut && !fewer {
		return nil
	}
	text, err := value.Encode(short)
	c.brief = string(text)
	return err
}

// beginning returns an object with only the first elements of a list in it, and
// whether it had more. The log says so.
func (c *call) beginning(o map[string]any, name string, keep int) (map[string]any, bool) {
	list, _ := o[name].([]any)
	if len(list) <= keep {
		return o, false
	}
	c.note(scim.Note(fmt.Sprintf("In the log, %d of %d elements of %q were left out of the answer.", len(list)-keep, len(list), name)))
	o = maps.Clone(o)
	o[name] = slices.Clone(list[:keep])
	return o, true
}

// about names the resource that the call is about.
func (c *call) about(r scim.Resource) {
	if id, ok := r["id"].(string); ok {
		c.subject = id
	}
}
