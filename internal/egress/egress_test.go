package egress_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
)

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func client(t testing.TB, p egress.Policy) *egress.Client {
	t.Helper()
	c := egress.New(p)
	t.Cleanup(c.Close)
	return c
}

// wantError checks the kind of an error, what it says, and whether the request
// counts as sent.
func wantError(t *testing.T, err error, kind fault.Kind, sent bool, text string) {
	t.Helper()
	var e *egress.SendError
	if !errors.As(err, &e) || fault.KindOf(err) != kind || e.Sent != sent || egress.Sent(err) != sent || !strings.Contains(fault.Public(err), text) {
		t.Errorf("error = %v (kind %v, sent %v), want kind %v, sent %v, %q", err, fault.KindOf(err), egress.Sent(err), kind, sent, text)
	}
}

func TestDo(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Echo", fmt.Sprintf("%s %s %s %q %s %v", r.Method, r.RequestURI, r.Header.Get("X-In"), body, r.Header.Get("User-Agent"), r.ContentLength))
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "tea")
	})
	c := client(t, egress.Policy{AllowPrivate: true, UserAgent: "lanyard/test"})
	res, err := c.Do(t.Context(), &egress.Request{
		Method: "PUT", URL: s.URL + "/a%2Fb/auth0%7C1?q=%20", Hosts: []string{s.URL},
		Header: http.Header{"x-in": {"v"}}, Body: []byte("hi"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != 418 || string(res.Body) != "tea" || !res.Sent || res.Duration <= 0 {
		t.Errorf("response = %d %q, sent %v, %v", res.Status, res.Body, res.Sent, res.Duration)
	}
	if got, want := res.Header.Get("X-Echo"), `PUT /a%2Fb/auth0%7C1?q=%20 v "hi" lanyard/test 2`; got != want {
		t.Errorf("the server saw %s, want %s", got, want)
	}
}

func TestHosts(t *testing.T) {
	reached := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
	c := client(t, egress.Policy{AllowPrivate: true})
	u, _ := url.Parse(s.URL)
	for _, hosts := range [][]string{
		nil, {"example.com"}, {u.Hostname()}, {u.Host}, {"https://" + u.Host}, {"http://" + u.Hostname()}, {"http://" + u.Host + ".evil.test"}, {"::bad"},
	} {
		_, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: s.URL, Hosts: hosts})
		wantError(t, err, fault.Refused, false, "not among the hosts")
	}
	if reached {
		t.Error("the server was reached")
	}
	for _, hosts := range [][]string{{s.URL}, {"example.com", strings.ToUpper(s.URL) + "/base"}} {
		if _, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: s.URL, Hosts: hosts}); err != nil {
			t.Errorf("hosts %q: %v", hosts, err)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	c := client(t, egress.Policy{})
	for _, tt := range []struct {
		req  egress.Request
		text string
	}{
		{egress.Request{URL: "ftp://h/"}, "must begin with https://"},
		{egress.Request{URL: "/path"}, "must begin with https://"},
		{egress.Request{URL: "https://user:hunter2@h/"}, "must not carry"},
		{egress.Request{URL: "https://h/%zz?hunter2"}, "not well-formed"},
		{egress.Request{URL: "https://h", Hosts: []string{"h"}, Header: http.Header{"X": {"a\r\nhunter2: b"}}}, "header X"},
		{egress.Request{URL: "https://h", Hosts: []string{"h"}, Header: http.Header{"X Y": {"a"}}}, "cannot be a header's name"},
		{egress.Request{URL: "https://h", Hosts: []string{"h"}, Method: "A B"}, "cannot be a method"},
	} {
		_, err := c.Do(t.Context(), &tt.req)
		wantError(t, err, fault.Invalid, false, tt.text)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes what may be secret: %v", err)
		}
	}
}

func TestPrivateAddresses(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	strict, open := client(t, egress.Policy{}), client(t, egress.Policy{AllowPrivate: true})
	do := func(c *egress.Client, u string, allow bool) error {
		_, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: u, Hosts: []string{u}, AllowPrivate: allow, Timeout: 5 * time.Second})
		return err
	}
	// The name resolves; the address it resolves to is what is refused.
	named := "http://localhost:" + port
	wantError(t, do(strict, named, false), fault.Refused, false, "loopback address")
	for _, u := range []string{s.URL, named, "http://[::ffff:127.0.0.1]:" + port} {
		wantError(t, do(strict, u, false), fault.Refused, false, "--allow-private")
	}
	if err := do(strict, named, true); err != nil {
		t.Errorf("allowed for the request: %v", err)
	}
	if err := do(open, named, false); err != nil {
		t.Errorf("allowed by the policy: %v", err)
	}
	if err := do(strict.Private(), named, false); err != nil {
		t.Errorf("the private view: %v", err)
	}
	// A connection opened by an allowed request serves no strict one.
	wantError(t, do(strict, named, false), fault.Refused, false, "loopback address")
	for _, u := range []string{"http://169.254.169.254/latest", "http://0.0.0.0:" + port, "http://[fd00:ec2::254]/"} {
		wantError(t, do(open, u, true), fault.Refused, false, "never connected to")
	}
}

func TestProxyIsGuarded(t *testing.T) {
	var seen []string
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.String())
	})
	at, _ := url.Parse(proxy.URL)
	c := client(t, egress.Policy{Proxy: func(*http.Request) (*url.URL, error) { return at, nil }})
	if _, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: "http://api.test/x", Hosts: []string{"http://api.test"}}); err != nil {
		t.Fatal(err)
	}
	_, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: "http://10.0.0.1/x", Hosts: []string{"http://10.0.0.1"}})
	wantError(t, err, fault.Refused, false, "private address")
	_, err = c.Do(t.Context(), &egress.Request{Method: "GET", URL: "http://127.0.0.1:1/x", Hosts: []string{"http://127.0.0.1:1"}, AllowPrivate: true})
	wantError(t, err, fault.Unavailable, false, "refuses the connection")
	if diff := cmp.Diff([]string{"http://api.test/x"}, seen); diff != "" {
		t.Errorf("the proxy saw (-want +got):\n%s", diff)
	}
}

func TestRedirectIsTheAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Errorf("the redirect was followed to %s", r.URL)
		}
		http.Redirect(w, r, "/next", http.StatusFound)
	})
	c := client(t, egress.Policy{AllowPrivate: true})
	res, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: s.URL, Hosts: []string{s.URL}})
	if err != nil || res.Status != 302 || res.Header.Get("Location") != "/next" {
		t.Errorf("Do = %+v, %v, want the 302", res, err)
	}
}

// TestHugeResponse reads from a server that would send forever.
func TestHugeResponse(t *testing.T) {
	var stopped sync.WaitGroup
	stopped.Add(3)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer stopped.Done()
		if r.URL.Path == "/declared" {
			w.Header().Set("Content-Length", "1073741824")
		}
		w.WriteHeader(201)
		chunk := bytes.Repeat([]byte("x"), 64<<10)
		for sent := 0; sent < 1<<30; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		t.Errorf("%s: all of 1 GB was read", r.URL)
	})
	c := client(t, egress.Policy{AllowPrivate: true})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for path, max := range map[string]int64{"/declared": 0, "/chunked": 0, "/small": 1000} {
		_, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: s.URL + path, Hosts: []string{s.URL}, MaxBody: max})
		wantError(t, err, fault.TooLarge, true, "larger than")
		var e *egress.SendError
		if errors.As(err, &e) && e.Status != 201 {
			t.Errorf("%s: status %d, want that of the answer, 201", path, e.Status)
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 200<<20 {
		t.Errorf("%d MB were allocated, want less than 200", got>>20)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v, want less than 5 s", d)
	}
	stopped.Wait() // the connections were closed, or the handlers would still write
}

func TestExactlyTheLimit(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "12345") })
	c := client(t, egress.Policy{AllowPrivate: true, MaxBody: 5})
	if res, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: s.URL, Hosts: []string{s.URL}}); err != nil || string(res.Body) != "12345" {
		t.Errorf("a body of the limit = %v, %v", res, err)
	}
	_, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: s.URL, Hosts: []string{s.URL}, MaxBody: 4})
	wantError(t, err, fault.TooLarge, true, "4 bytes")
}

func TestHugeHeader(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Large", strings.Repeat("x", 300<<10))
	})
	c := client(t, egress.Policy{AllowPrivate: true})
	_, err := c.Do(t.Context(), &egress.Request{Method: "GET", URL: s.URL, Hosts: []string{s.URL}})
	wantError(t, err, fault.TooLarge, true, "header")
}

// raw serves each connection by a function on the bare connection.
func raw(t *testing.T, serve func(n int, conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer conn.Close(); serve(n, conn) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "http://" + l.Addr().String()
}

// readRequest reads up to the end of a header.
func readRequest(conn net.Conn) string {
	var got []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(got, []byte("\r\n\r\n")) {
		if _, err := conn.Read(b); err != nil {
			break
		}
		got = append(got, b...)
	}
	return string(got)
}

func TestSent(t *testing.T) {
	c := client(t, egress.Policy{AllowPrivate: true})
	do := func(ctx context.Context, method, u string, h http.Header) error {
		_, err := c.Do(ctx, &egress.Request{Method: method, URL: u, Hosts: []string{u}, Header: h, Timeout: 300 * time.Millisecond})
		return err
	}
	t.Run("refused", func(t *testing.T) {
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		l.Close()
		wantError(t, do(t.Context(), "POST", "http://"+l.Addr().String(), nil), fault.Unavailable, false, "refuses the connection")
	})
	t.Run("no such name", func(t *testing.T) {
		err := do(t.Context(), "POST", "http://nowhere.invalid", nil)
		// A machine without a resolver runs into the time limit instead.
		if kind := fault.KindOf(err); egress.Sent(err) || kind != fault.Unavailable && kind != fault.Timeout {
			t.Errorf("error = %v (kind %v, sent %v), want Unavailable, never sent", err, kind, egress.Sent(err))
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := do(ctx, "POST", "http://127.0.0.1:1", nil)
		wantError(t, err, fault.Unavailable, false, "given up")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not wrap context.Canceled", err)
		}
	})
	t.Run("closed without an answer", func(t *testing.T) {
		var requests atomic.Int32
		u := raw(t, func(_ int, conn net.Conn) { readRequest(conn); requests.Add(1) })
		wantError(t, do(t.Context(), "POST", u, nil), fault.Unavailable, true, "broke off")
		if n := requests.Load(); n != 1 {
			t.Errorf("the server saw %d requests, want 1", n)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		release := make(chan struct{})
		u := raw(t, func(_ int, conn net.Conn) { readRequest(conn); <-release })
		wantError(t, do(t.Context(), "POST", u, nil), fault.Timeout, true, "did not answer")
		close(release)
	})
	t.Run("answer cut off", func(t *testing.T) {
		u := raw(t, func(_ int, conn net.Conn) {
			readRequest(conn)
			io.WriteString(conn, "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf")
		})
		err := do(t.Context(), "POST", u, nil)
		wantError(t, err, fault.Unavailable, true, "broke off")
		var e *egress.SendError
		if !errors.As(err, &e) || e.Status != 201 {
			t.Errorf("status of the part answered = %v, want 201", err)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		u := raw(t, func(_ int, conn net.Conn) { readRequest(conn); io.WriteString(conn, "SSH-2.0-x\r\n") })
		wantError(t, do(t.Context(), "POST", u, nil), fault.Unavailable, true, "broke off")
	})
	// net/http would send a POST with this header again on its own.
	t.Run("idempotency key", func(t *testing.T) {
		var heads []string
		var mu sync.Mutex
		u := raw(t, func(n int, conn net.Conn) {
			for {
				head := readRequest(conn)
				mu.Lock()
				heads = append(heads, head)
				count := len(heads)
				mu.Unlock()
				if head == "" || count == 2 {
					return // without an answer, on a connection that was used before
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		h := http.Header{"Idempotency-Key": {"k1"}}
		if err := do(t.Context(), "POST", u, h); err != nil {
			t.Fatal(err)
		}
		wantError(t, do(t.Context(), "POST", u, h), fault.Unavailable, true, "broke off")
		mu.Lock()
		defer mu.Unlock()
		if len(heads) != 2 || !strings.Contains(strings.ToLower(heads[1]), "idempotency-key: k1") {
			t.Errorf("the server saw %q, want two requests with the key", heads)
		}
	})
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the failures below
	s.StartTLS()
	defer s.Close()
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	untrusting := client(t, egress.Policy{AllowPrivate: true})
	get := func(c *egress.Client, u string) (*egress.Response, error) {
		return c.Do(t.Context(), &egress.Request{Method: "GET", URL: u, Hosts: []string{u}})
	}
	_, err := get(untrusting, s.URL)
	wantError(t, err, fault.Unavailable, false, "authority that is not trusted")
	_, err = get(untrusting, strings.Replace(plain.URL, "http:", "https:", 1))
	wantError(t, err, fault.Unavailable, false, "does not speak TLS")

	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	trusting := client(t, egress.Policy{AllowPrivate: true, RootCAs: roots})
	if res, err := get(trusting, s.URL); err != nil || res.Status != 200 {
		t.Errorf("trusted: %v, %v", res, err)
	}
	_, err = get(trusting, strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
	wantError(t, err, fault.Unavailable, false, "for another name")

	old := httptest.NewUnstartedServer(s.Config.Handler)
	old.Config.ErrorLog = s.Config.ErrorLog
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	_, err = get(trusting, old.URL)
	wantError(t, err, fault.Unavailable, false, "no TLS connection")
}

func TestPooling(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := client(t, egress.Policy{AllowPrivate: true})
	for range 5 {
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if _, err := c.Do(t.Context(), &egress.Request{Method: "POST", URL: s.URL, Hosts: []string{s.URL}, Body: []byte("x")}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := conns.Load(); n > 80 {
		t.Errorf("320 calls, 64 at a time, took %d connections, want about 64", n)
	}
}

func TestInProcess(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Echo", fmt.Sprintf("%s %s %s %s %s", r.PathValue("id"), r.RequestURI, r.Host, r.Header.Get("X-In"), body))
		w.WriteHeader(201)
		w.Header().Set("X-Late", "1")
		io.WriteString(w, `{"a":1}`)
	})
	mux.HandleFunc("DELETE /users/{id}", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 100)) })
	c := client(t, egress.Policy{InProcess: map[string]http.Handler{"http://okta.sandbox": mux}, MaxBody: 50})
	do := func(method, u string) (*egress.Response, error) {
		return c.Do(t.Context(), &egress.Request{
			Method: method, URL: u, Hosts: []string{"http://okta.sandbox"}, Timeout: 20 * time.Millisecond,
			Header: http.Header{"X-In": {"v"}}, Body: []byte("hi"),
		})
	}
	res, err := do("PUT", "http://okta.sandbox:80/users/auth0%7C1?x=1")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := res.Header.Get("X-Echo"), "auth0|1 /users/auth0%7C1?x=1 okta.sandbox:80 v hi"; got != want {
		t.Errorf("the handler saw %q, want %q", got, want)
	}
	if res.Status != 201 || string(res.Body) != `{"a":1}` || !res.Sent || res.Header.Get("X-Late") != "" || res.Header.Get("Content-Length") != "7" || res.Header.Get("Date") == "" {
		t.Errorf("response = %+v", res)
	}
	if res, err := do("DELETE", "http://okta.sandbox/users/1"); err != nil || res.Status != 204 || res.Header.Get("Content-Length") != "" {
		t.Errorf("204 = %+v, %v", res, err)
	}
	_, err = do("GET", "http://okta.sandbox/abort")
	wantError(t, err, fault.Unavailable, true, "broke off")
	_, err = do("GET", "http://okta.sandbox/slow")
	wantError(t, err, fault.Timeout, true, "did not answer")
	_, err = do("GET", "http://okta.sandbox/large")
	wantError(t, err, fault.TooLarge, true, "50 bytes")
	_, err = do("GET", "http://other.sandbox/")
	wantError(t, err, fault.Refused, false, "not among the hosts")
}

func TestFetch(t *testing.T) {
	var auth []string
	s := serve(t, nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = append(auth, r.Header.Get("Authorization")+r.Header.Get("Cookie"))
		switch r.URL.Path {
		case "/doc":
			io.WriteString(w, "openapi: 3.1.0")
		case "/moved":
			http.Redirect(w, r, "/doc#part", http.StatusMovedPermanently)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/nowhere":
			w.WriteHeader(302)
		case "/secret":
			w.WriteHeader(403)
		case "/down":
			w.WriteHeader(503)
		default:
			w.WriteHeader(404)
		}
	})
	c := client(t, egress.Policy{AllowPrivate: true})
	for _, path := range []string{"/doc", "/moved"} {
		data, final, err := c.Fetch(t.Context(), s.URL+path, 0)
		if err != nil || string(data) != "openapi: 3.1.0" || final != s.URL+"/doc" {
			t.Errorf("Fetch(%s) = %q, %s, %v", path, data, final, err)
		}
	}
	for path, want := range map[string]struct {
		kind fault.Kind
		text string
	}{
		"/gone":     {fault.NotFound, "404"},
		"/secret":   {fault.Unauthorized, "403"},
		"/down":     {fault.Unavailable, "503"},
		"/loop":     {fault.Unavailable, "more than 5 times"},
		"/nowhere":  {fault.Unavailable, "does not say where"},
		"/metadata": {fault.Refused, "never connected to"},
		"/file":     {fault.Invalid, "must begin with"},
	} {
		if _, _, err := c.Fetch(t.Context(), s.URL+path, 0); !fault.Is(err, want.kind) || !strings.Contains(fault.Public(err), want.text) {
			t.Errorf("Fetch(%s) = %v, want %v, %q", path, err, want.kind, want.text)
		}
	}
	if _, _, err := c.Fetch(t.Context(), s.URL+"/doc", 5); !fault.Is(err, fault.TooLarge) {
		t.Errorf("Fetch beyond the limit = %v, want TooLarge", err)
	}
	if _, _, err := client(t, egress.Policy{}).Fetch(t.Context(), s.URL+"/doc", 0); !fault.Is(err, fault.Refused) {
		t.Errorf("Fetch from a private address = %v, want Refused", err)
	}
	if strings.Join(auth, "") != "" {
		t.Errorf("credentials were sent: %q", auth)
	}
}

func TestFetchKeepsHTTPS(t *testing.T) {
	plain := serve(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("the plain server was reached") })
	s := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer s.Close()
	c := client(t, egress.Policy{AllowPrivate: true, RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	if _, _, err := c.Fetch(t.Context(), s.URL, 0); !fault.Is(err, fault.Refused) {
		t.Errorf("a redirect from https to http = %v, want Refused", err)
	}
}

// The two benchmarks differ by what the package adds to net/http.
func BenchmarkDo(b *testing.B) {
	s := serve(b, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"id":"00u1"}`) })
	body := []byte(`{"profile":{"login":"ann@example.com"}}`)
	b.Run("net/http", func(b *testing.B) {
		tr := &http.Transport{MaxIdleConnsPerHost: 128}
		b.ReportAllocs()
		for b.Loop() {
			req, _ := http.NewRequest("POST", s.URL+"/api/v1/users?activate=true", bytes.NewReader(body))
			req.Header.Set("Authorization", "SSWS x")
			res, err := tr.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			io.ReadAll(res.Body)
			res.Body.Close()
		}
	})
	b.Run("egress", func(b *testing.B) {
		c := client(b, egress.Policy{AllowPrivate: true})
		hosts := []string{s.URL}
		b.ReportAllocs()
		for b.Loop() {
			_, err := c.Do(b.Context(), &egress.Request{
				Method: "POST", URL: s.URL + "/api/v1/users?activate=true", Hosts: hosts,
				Header: http.Header{"Authorization": {"SSWS x"}}, Body: body,
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestHTTPClient(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
	})
	c := client(t, egress.Policy{})
	res, err := c.HTTPClient([]string{s.URL}, true).Post(s.URL+"/token?x=1", "text/plain", strings.NewReader("hi"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 307 || string(body) != "POST /token?x=1 hi" {
		t.Errorf("answer = %d %q, want the redirect itself", res.StatusCode, body)
	}
	_, err = c.HTTPClient([]string{"https://other.test"}, true).Get(s.URL)
	wantError(t, err, fault.Refused, false, "not among the hosts")
}
