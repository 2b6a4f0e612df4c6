package connector

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// loopbackPath is where the browser is sent back to.
const loopbackPath = "/callback"

// LoopbackURI is the redirect URI of a Loopback on a port (RFC 8252 7.3).
func LoopbackURI(port int) string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + loopbackPath
}

// Loopback waits on this machine for the browser to come back from a sign-in.
// Nobody else can reach it.
type Loopback struct {
	URI string // that the browser is to be sent back to

	server *http.Server
	serve  sync.WaitGroup

	mu      sync.Mutex
	accepts func(url.Values) bool // nil: nothing yet
	back    chan url.Values       // has room for the one answer
}

// ListenLoopback listens on a port, 0: any free one, until Close.
func ListenLoopback(ctx context.Context, port int) (*Loopback, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the port %d cannot be listened on", port).Fix("choose another with --port, or use --no-listen")
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fault.New(fault.Internal, "the listener has no port"), listener.Close())
	}
	l := &Loopback{URI: LoopbackURI(address.Port), back: make(chan url.Values, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+loopbackPath, l.callback)
	l.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	l.serve.Go(func() { _ = l.server.Serve(listener) }) // ends by Close
	return l, nil
}

// Wait returns what the browser is sent back with. Requests that accepts does
// not know are turned away: any page may send the browser here.
func (l *Loopback) Wait(ctx context.Context, accepts func(url.Values) bool) (url.Values, error) {
	l.mu.Lock()
	l.accepts = accepts
	l.mu.Unlock()
	select {
	case back := <-l.back:
		return back, nil
	case <-ctx.Done():
		return nil, waitError(ctx, "the end of the sign-in")
	}
}

// Close ends listening. The last answer still goes out.
func (l *Loopback) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		_ = l.server.Close() // it had its time
	}
	l.serve.Wait()
}

func (l *Loopback) callback(w http.ResponseWriter, r *http.Request) {
	back := r.URL.Query()
	l.mu.Lock()
	accepted := l.accepts != nil && l.accepts(back)
	if accepted {
		l.accepts = nil // one answer is enough
	}
	l.mu.Unlock()
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer") // the code stands in the address
	if !accepted {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "This is not the sign-in that Lanyard waits for.\n")
		return
	}
	_, _ = io.WriteString(w, "Lanyard has the answer. Look at the terminal; this page can be closed.\n")
	l.back <- back
}
