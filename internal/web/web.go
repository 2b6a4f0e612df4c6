// Package web owns what every HTTP API of the product does alike: handlers
// that return errors, request ids, bounded and lossless JSON bodies,
// credentials of the Authorization header, paging parameters and Link headers,
// and JSON objects whose keys keep their order.
//
// It leaves to each façade what its provider's API is: paths, wire forms,
// error bodies and limits.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Handler is an HTTP handler that returns what went wrong instead of answering it.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Front is the one wrapper around the handlers of a façade: it gives each
// request an id, answers errors and logs.
type Front struct {
	Log   *slog.Logger // nil: nothing is logged
	NewID func() string

	// Open is called before the handler, to set headers that every answer has.
	// May be nil.
	Open func(w http.ResponseWriter, r *http.Request)

	// Fail answers an error in the façade's own form. Nothing has been written
	// when it is called.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Handle wraps a handler. A handler that returns an error after it has begun
// to answer is logged and its answer cut off.
func (f *Front) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := f.NewID()
		r = r.WithContext(context.WithValue(r.Context(), requestID{}, id))
		rec := &Recorder{ResponseWriter: w}
		if f.Open != nil {
			f.Open(rec, r)
		}
		err := call(h, rec, r)
		if err != nil && rec.Status == 0 {
			f.Fail(rec, r, err)
		}
		f.log(r, rec, id, time.Since(start), err)
	})
}

// call turns a panic of the handler into an error, so that the client gets an
// answer in the façade's form and the log gets the stack.
func call(h Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler: // asks to cut the connection
			panic(p)
		default:
			err = fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "the request could not be handled")
		}
	}()
	return h(w, r)
}

func (f *Front) log(r *http.Request, rec *Recorder, id string, took time.Duration, err error) {
	if f.Log == nil {
		return
	}
	level, args := slog.LevelDebug, []any{
		"method", r.Method, "path", r.URL.Path, "status", rec.Status, "request", id, "took", took,
	}
	if err != nil {
		args = append(args, "error", err)
	}
	if rec.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	f.Log.Log(r.Context(), level, "request", args...)
}

type requestID struct{}

// RequestID returns the id that Front gave the request, "" outside one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestID{}).(string)
	return id
}

// Recorder remembers the status that is answered, 0 until there is one.
type Recorder struct {
	http.ResponseWriter
	Status int
}

// WriteHeader implements http.ResponseWriter.
func (r *Recorder) WriteHeader(status int) {
	if r.Status == 0 {
		r.Status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *Recorder) Write(b []byte) (int, error) {
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *Recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
