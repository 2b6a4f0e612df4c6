package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Defaults of a Policy.
const (
	DefaultMaxBody     = 16 << 20
	DefaultMaxHeader   = 256 << 10
	DefaultDialTimeout = 10 * time.Second
	DefaultTLSTimeout  = 10 * time.Second
	DefaultTimeout     = 60 * time.Second
)

// maxIdlePerHost keeps as many connections to one host open as calls are made
// to it at a time by default, so that a busy worker does not dial for each call.
const maxIdlePerHost = 128

// Policy is what a Client allows. The zero Policy is strict and has the default
// limits.
type Policy struct {
	// AllowPrivate opens loopback and private addresses for every request.
	// Link-local, metadata, multicast and reserved addresses stay closed.
	AllowPrivate bool
	// InProcess serves origins ("http://okta.sandbox") by a handler in this
	// process instead of the network.
	InProcess map[string]http.Handler
	// Proxy names the proxy for a public host, as http.ProxyFromEnvironment
	// does; nil means none. Requests that may go to private addresses never
	// use one. The proxy resolves names, so behind it the operator answers for
	// which addresses can be reached.
	Proxy func(*http.Request) (*url.URL, error)
	// RootCAs are trusted instead of the system's when set.
	RootCAs *x509.CertPool

	UserAgent     string
	MaxBody       int64         // bytes of a response's body, after decompression
	MaxHeader     int64         // bytes of a response's header
	DialTimeout   time.Duration // resolving and connecting
	TLSTimeout    time.Duration // the handshake
	HeaderTimeout time.Duration // from the request's last byte to the response's header; 0: Timeout alone
	Timeout       time.Duration // the whole exchange, unless the Request says otherwise
}

// Client sends requests under a Policy. It is safe for concurrent use.
type Client struct {
	policy    Policy
	inProcess map[string]http.Handler // by origin
	guarded   *http.Transport
	open      *http.Transport // may connect to private addresses

	proxies *sync.Map // addresses of proxies in use: "host:port" to true
}

// New returns a Client for a Policy.
func New(p Policy) *Client {
	p.MaxBody = or(p.MaxBody, DefaultMaxBody)
	p.MaxHeader = or(p.MaxHeader, DefaultMaxHeader)
	p.DialTimeout = or(p.DialTimeout, DefaultDialTimeout)
	p.TLSTimeout = or(p.TLSTimeout, DefaultTLSTimeout)
	p.Timeout = or(p.Timeout, DefaultTimeout)
	c := &Client{policy: p, inProcess: make(map[string]http.Handler, len(p.InProcess)), proxies: new(sync.Map)}
	for base, h := range p.InProcess {
		if u, err := url.Parse(base); err == nil {
			c.inProcess[origin(u)] = h
		}
	}
	c.guarded = c.transport(public)
	if p.Proxy != nil {
		c.guarded.Proxy = c.proxy
	}
	c.open = c.transport(private)
	return c
}

// Private returns a Client that may go to private addresses and shares the rest
// with c.
func (c *Client) Private() *Client {
	p := *c
	p.policy.AllowPrivate = true
	return &p
}

// Close closes connections that are not in use.
func (c *Client) Close() {
	c.guarded.CloseIdleConnections()
	c.open.CloseIdleConnections()
}

// transport returns a transport that connects to addresses up to a class. The
// two transports do not share connections: one that was opened to a private
// address must not carry a request that may not go there.
//
// HTTP/1.1 only: one connection carries one exchange, which makes it certain
// whether a request was sent, and one lost connection puts one call in doubt.
func (c *Client) transport(most class) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	guard := &net.Dialer{Timeout: c.policy.DialTimeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return check(address, most)
	}}
	direct := &net.Dialer{Timeout: c.policy.DialTimeout}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if _, ok := c.proxies.Load(address); ok && most == public {
				return direct.DialContext(ctx, network, address)
			}
			return guard.DialContext(ctx, network, address)
		},
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.policy.RootCAs},
		TLSHandshakeTimeout:    c.policy.TLSTimeout,
		ResponseHeaderTimeout:  c.policy.HeaderTimeout,
		MaxResponseHeaderBytes: c.policy.MaxHeader,
		MaxIdleConns:           4 * maxIdlePerHost,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        60 * time.Second,
	}
}

// proxy asks the policy's Proxy and remembers the answer's address, which may
// be dialled whatever its class: the operator named it. An address in the URL
// is checked here, because the dial will see the proxy's.
func (c *Client) proxy(req *http.Request) (*url.URL, error) {
	u, err := c.policy.Proxy(req)
	if u == nil || err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(req.URL.Hostname()); err == nil {
		if err := check(hostPort(req.URL), public); err != nil {
			return nil, err
		}
	}
	c.proxies.Store(hostPort(u), true)
	return u, nil
}

// check refuses an address, "ip:port", beyond a class.
func check(address string, most class) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.Wrap(fault.Refused, err, "an address that cannot be read")
	}
	class, name := classify(ap.Addr())
	switch {
	case class <= most:
		return nil
	case class == private:
		return fault.New(fault.Refused, "it has the %s address %s", name, ap.Addr()).
			Fix("if that is meant, allow private addresses: --allow-private, or allowPrivate: true in the connection")
	}
	return fault.New(fault.Refused, "it has the %s address %s, which is never connected to", name, ap.Addr())
}

// origin is scheme, host and port of a URL in one spelling.
func origin(u *url.URL) string { return u.Scheme + "://" + hostPort(u) }

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Origin returns the origin of a base URL ("https://h:443" for "https://H/v1"),
// by which hosts are allowed and served in process. It refuses what is not an
// absolute http or https URL, and user information.
func Origin(base string) (string, error) {
	u, err := parse(base)
	if err != nil {
		return "", err
	}
	return origin(u), nil
}

func parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		var inner *url.Error // quotes the whole URL, which may hold a secret
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fault.Wrap(fault.Invalid, err, "a URL is not well-formed")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return nil, fault.New(fault.Invalid, "a URL must begin with https:// or http:// and a host")
	case u.User != nil:
		return nil, fault.New(fault.Invalid, "a URL must not carry a user or password").Fix("bind the credential in lanyard.yaml")
	}
	return u, nil
}

func or[T int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}
