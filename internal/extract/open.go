package extract

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"time"

	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Located is a row and where it stands in its source.
type Located = importer.Located

// Reader reads one source: it is an importer.Rows.
type Reader interface {
	// Rows reads the source from its beginning, and holds no more of it than it
	// has to. An error is the last thing it gives: the rows before it are not all
	// that there are. Errors are faults with place and remedy.
	Rows(ctx context.Context) iter.Seq2[Located, error]

	// Describe names the source for people: "people.csv", "GET
	// https://hr.example.com/v1/people".
	Describe() string

	// Identity stands for what was read, once Rows has come to the end: two
	// readings with the same one read the same. It is empty for a source that
	// tells nothing short of being compared row by row.
	Identity() string
}

var _ importer.Rows = Reader(nil)

// Env is what readers work with. What a kind of source does not need may be
// nil.
type Env struct {
	// Connections make the calls of HTTP APIs and SCIM; a *connector.Connector is
	// one. Bindings say whether they go to the sandbox.
	Connections Connections
	Bindings    run.Bindings

	Client  *egress.Client   // DynamoDB; nil: one with the strict policy
	Secrets *secret.Resolver // SQL, DynamoDB and LDAP; nil: credentials in files only
	Tables  Tables
	Stdin   io.Reader
	Clock   connector.Clock // waits before a request is made again; nil: the machine's
	Log     *slog.Logger    // told what is tried again; nil: nobody
}

// dialTimeout bounds how long a server may take to be connected to. egress has the
// same for the others.
const dialTimeout = 10 * time.Second

// unreached reports that an error came before there was a connection. What is not
// there when reading begins is told soon; what was there a moment ago may be back.
func unreached(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || errors.As(err, &certificate)
}

// again tells that something is tried again.
func (e Env) again(ctx context.Context, what string, pause time.Duration, why string) {
	if e.Log != nil {
		e.Log.WarnContext(ctx, "a source does not answer as it should; it is asked again", "source", what, "because", why, "in", pause)
	}
}

// Connections are the part of a connector that readers use.
type Connections interface {
	BindNamed(name string, choices run.Bindings) (*connector.Connection, error)
	Open(ctx context.Context, conn *connector.Connection) error
	Do(ctx context.Context, conn *connector.Connection, call connector.Call) connector.Exchange
}

// Tables gives the rows of a table of Lanyard, in an order that does not change
// by itself. A table that does not exist is fault.NotFound.
type Tables interface {
	Rows(ctx context.Context, name string) iter.Seq2[map[string]any, error]
}

// Open returns the reader of a source. It checks what can be known before the
// source is read: that the file is there, the connection is bound, credentials
// resolve.
func Open(ctx context.Context, from *From, env Env) (Reader, error) {
	if from == nil || from.origin == nil {
		return nil, fault.New(fault.Invalid, "it is not said where to read").Fix("add from: to the import")
	}
	return from.origin.open(ctx, env)
}

// resolve returns what a reference stands for; none for the empty one.
func (e Env) resolve(ctx context.Context, ref secret.Ref) (secret.Value, error) {
	if ref == "" {
		return secret.Value{}, nil
	}
	r := e.Secrets
	if r == nil {
		r = &secret.Resolver{}
	}
	return r.Resolve(ctx, ref)
}

func (e Env) now() time.Time {
	if e.Clock != nil {
		return e.Clock.Now()
	}
	return time.Now()
}

// wait returns after d, or with ctx's error when it ends before.
func (e Env) wait(ctx context.Context, d time.Duration) error {
	if e.Clock != nil {
		return e.Clock.Wait(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rows is Rows of most readers: read gives rows until it returns, with the
// error that ended it. It must end as soon as yield returns false.
func rows(read func(yield func(Located) bool) error) iter.Seq2[Located, error] {
	return func(yield func(Located, error) bool) {
		stopped := false
		err := read(func(l Located) bool {
			stopped = stopped || !yield(l, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(Located{}, err)
		}
	}
}

// broken says that a source ended in the middle because reading failed. The end
// of ctx is told as such.
func broken(ctx context.Context, err error, format string, args ...any) *fault.Error {
	what := fmt.Sprintf(format, args...)
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		return fault.Wrap(fault.Timeout, err, "%s was not read to its end in time", what)
	case ctx.Err() != nil:
		return fault.Wrap(fault.Unavailable, ctx.Err(), "reading %s was stopped", what)
	}
	return fault.Wrap(fault.Unavailable, err, "%s broke off while it was read", what).
		Fix("nothing was taken over; read it again")
}
