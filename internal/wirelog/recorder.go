package wirelog

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Options are what a Recorder needs. Store must be set.
type Options struct {
	Store Store
	Now   func() time.Time // the directory's clock, for the age of exchanges; default time.Now
	Log   *slog.Logger     // told when exchanges could not be written; default: nobody

	// Days and Rows bound what is kept: by age, and by number in each scope.
	// 0 means DefaultDays and DefaultRows, less than 0 no bound.
	Days, Rows int

	// MaxBody is how many bytes of a body are kept, MaxMembers how many members a
	// group may have for them to be kept. 0 means DefaultMaxBody and
	// DefaultMaxMembers.
	MaxBody, MaxMembers int
}

// What is kept by default. Auth0 leaves members out of its logs beyond 1,000
// (scim-auth0.md 1.4).
const (
	DefaultDays       = 30
	DefaultRows       = 10_000
	DefaultMaxBody    = 256 << 10
	DefaultMaxMembers = 1000
)

const (
	queueLength = 1024
	maxBatch    = 256              // exchanges that are written together
	trimRows    = 1000             // exchanges written between two looks at what is too much
	trimTime    = time.Hour        // and the time between them
	writeTime   = 30 * time.Second // that the store has for a batch
)

// Recorder writes exchanges to a Store behind the back of those who make them.
// It is safe for concurrent use. The nil Recorder records nothing.
type Recorder struct {
	options Options
	queue   chan item
	closing chan struct{} // closed when nothing more is taken
	closed  sync.Once
	ended   chan struct{} // closed when everything is written
}

// item is an exchange to be written, or a question whether all before it are.
type item struct {
	exchange Exchange
	secrets  []string
	flushed  chan<- struct{} // nil for an exchange
}

// NewRecorder returns a Recorder that works until Close is called.
func NewRecorder(o Options) *Recorder {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value    *int
		standard int
	}{{&o.Days, DefaultDays}, {&o.Rows, DefaultRows}, {&o.MaxBody, DefaultMaxBody}, {&o.MaxMembers, DefaultMaxMembers}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	r := &Recorder{options: o, queue: make(chan item, queueLength), closing: make(chan struct{}), ended: make(chan struct{})}
	go r.write()
	return r
}

// Record masks an exchange and queues it. It waits when the queue is full, and
// gives up only when ctx ends first. secrets are texts to be masked wherever
// they stand in the exchange, beside what is secret by its name. It returns the
// exchange's id.
func (r *Recorder) Record(ctx context.Context, e Exchange, secrets ...string) string {
	if r == nil {
		return e.ID
	}
	if e.ID == "" {
		e.ID = strings.ToLower(rand.Text()[:20])
	}
	select {
	case r.queue <- item{exchange: e, secrets: secrets}:
	case <-r.closing:
	case <-ctx.Done():
	}
	return e.ID
}

// Flush waits until everything recorded before is in the store.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	flushed := make(chan struct{})
	select {
	case r.queue <- item{flushed: flushed}:
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Timeout, ctx.Err(), "the request log was not written in time")
	}
	select {
	case <-flushed:
	case <-r.ended:
	case <-ctx.Done():
		return fault.Wrap(fault.Timeout, ctx.Err(), "the request log was not written in time")
	}
	return nil
}

// Close writes what is queued and ends the Recorder. What is recorded afterwards
// is lost.
func (r *Recorder) Close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.closed.Do(func() { close(r.closing) })
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Timeout, ctx.Err(), "the request log was not written in time")
	}
}

// write is the goroutine of a Recorder.
func (r *Recorder) write() {
	defer close(r.ended)
	r.trim()
	ticker := time.NewTicker(trimTime)
	defer ticker.Stop()
	written := 0
	for {
		select {
		case first := <-r.queue:
			if written += r.append(first); written >= trimRows {
				r.trim()
				written = 0
			}
		case <-ticker.C:
			r.trim()
		case <-r.closing:
			for len(r.queue) > 0 {
				r.append(<-r.queue)
			}
			return
		}
	}
}

// append writes an item together with those that wait behind it, and returns how
// many exchanges they were.
func (r *Recorder) append(first item) int {
	var batch []Exchange
	var flushed []chan<- struct{}
	for next := first; ; next = <-r.queue {
		if next.flushed != nil {
			flushed = append(flushed, next.flushed)
		} else {
			batch = append(batch, r.mask(next.exchange, next.secrets))
		}
		// Nobody else takes items out, so one that is counted is there.
		if len(batch) >= maxBatch || len(r.queue) == 0 {
			break
		}
	}
	if len(batch) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), writeTime)
		defer cancel()
		if err := r.options.Store.Append(ctx, batch); err != nil {
			r.options.Log.Error("exchanges are missing in the request log", "number", len(batch), "error", err)
		}
	}
	for _, f := range flushed {
		close(f)
	}
	return len(batch)
}

// trim forgets what is too old or too much.
func (r *Recorder) trim() {
	var before time.Time
	if r.options.Days > 0 {
		before = r.options.Now().AddDate(0, 0, -r.options.Days)
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	if _, err := r.options.Store.Trim(ctx, before, max(0, r.options.Rows)); err != nil {
		r.options.Log.Error("the request log could not be trimmed", "error", err)
	}
}
