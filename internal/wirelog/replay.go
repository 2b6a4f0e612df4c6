package wirelog

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Request is what has to be sent to make a logged call once more.
type Request struct {
	Method string
	Path   string // as in Exchange
	Query  string
	// Header lacks what was masked and what belongs to one transmission:
	// Authorization, Content-Length, Host ... The sender adds its own.
	Header http.Header
	Body   any // JSON; nil for none
	// Masked are the places of secrets in Body. They hold secret.Mask and must be
	// filled from the present configuration, or removed, before it is sent.
	Masked []value.Pointer
}

// transmission are headers that belong to one transmission, whatever is sent.
var transmission = []string{
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Te", "Trailer", "Upgrade",
	"Accept-Encoding", "Traceparent", "Tracestate", "X-Request-Id",
}

// Replayed is what came of a request that was sent again.
type Replayed struct {
	Status   int    `json:"status"`
	Body     string `json:"body,omitempty"`
	LeftOut  bool   `json:"leftOut,omitempty"` // secrets, which the log does not have
	Exchange string `json:"exchange"`          // that was sent again
}

// Replay returns the request of an exchange. fault.Unsupported when not enough
// of it was kept.
func (e *Exchange) Replay() (Request, error) {
	switch {
	case e.Shortened:
		return Request{}, notReplayable("the request was longer than what is kept of one")
	case strings.Contains(e.Query, secret.Mask) || strings.Contains(e.Path, secret.Mask):
		return Request{}, notReplayable("a part of its address is masked")
	}
	r := Request{Method: e.Method, Path: e.Path, Query: e.Query, Header: http.Header{}}
	for name, values := range e.RequestHeaders {
		name = http.CanonicalHeaderKey(name)
		if !slices.Contains(transmission, name) && !slices.Contains(values, secret.Mask) {
			r.Header[name] = slices.Clone(values)
		}
	}
	if e.RequestBody == "" {
		return r, nil
	}
	var err error
	if r.Body, err = value.Decode([]byte(e.RequestBody)); err != nil {
		return Request{}, notReplayable("its body is no JSON")
	}
	r.Masked = masked(r.Body, nil)
	return r, nil
}

// Unmasked returns the body without what is masked: for a sender that has nothing
// to put there. An operation of a patch whose value would be missing goes as a
// whole. nil when nothing is left.
func (r *Request) Unmasked() any {
	if body, ok := unmasked(r.Body); ok {
		return body
	}
	return nil
}

// unmasked reports whether anything of a value is left.
func unmasked(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return v, v != secret.Mask
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			if item, ok := unmasked(item); ok {
				out = append(out, item)
			}
		}
		return out, len(out) > 0 || len(v) == 0
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			item, ok := unmasked(item)
			switch {
			case ok:
				out[name] = item
			case strings.EqualFold(name, "value"):
				return nil, false
			}
		}
		return out, len(out) > 0 || len(v) == 0
	}
	return v, true
}

func notReplayable(why string) error {
	return fault.New(fault.Unsupported, "this request cannot be sent again: %s", why)
}

// masked returns the places of masks in a value, in the order of a walk.
func masked(v any, at value.Pointer) (out []value.Pointer) {
	switch v := v.(type) {
	case string:
		if v == secret.Mask {
			out = append(out, slices.Clone(at))
		}
	case []any:
		for i, item := range v {
			out = append(out, masked(item, append(at, strconv.Itoa(i)))...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, masked(v[name], append(at, name))...)
		}
	}
	return out
}
