package connector

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Call is one call to be made.
type Call struct {
	Operation *openapi.Operation
	Request   *openapi.Request
	Timeout   time.Duration // of one sending; 0: the connection's, else the client's
	Within    time.Duration // of the whole call, waits included; 0: only ctx bounds it
	// SelfPaced: the caller has its own plan for a 429 or 503 and wants it back.
	SelfPaced bool
}

// Exchange is what became of a call.
type Exchange struct {
	Request  Request
	Response Response // Status 0: there is none
	Attempts []Attempt
	Waited   time.Duration // for a place, over all attempts
	// Sent reports that the request may have reached the server and had an
	// effect there. It is false when no sending left the machine.
	Sent bool
	// Err is why there is no response, as a fault: Refused, Invalid and
	// Unauthorized (no credential or token) were never sent.
	Err error
	// Denied stands beside a response of status 401: an Unauthorized fault that
	// says whose credential was refused and what to do.
	Denied error
}

// Request is the request as it was sent, with the connection's credential
// masked, or left out of the URL: workflows may use that as a value. A credential that the document supplied is as it gave it.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
}

// Response is the answer as it came.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Attempt is one sending of a call.
type Attempt struct {
	At       time.Time
	Waited   time.Duration // before it, for a place
	Duration time.Duration
	Status   int    // 0: no answer
	Reason   string // why it was followed by another; empty for the last
}

// Do makes a call on a connection. It sends it again only when an answer proves
// that nothing was done; see the package comment.
func (c *Connector) Do(ctx context.Context, conn *Connection, call Call) Exchange {
	if call.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, call.Within)
		defer cancel()
	}
	s := sending{connector: c, conn: conn, call: call, budget: conn.shared.budget}
	s.key = s.budget.key(call.Operation)
	if err := s.prepare(ctx); err != nil {
		s.exchange.Err = err
		return s.exchange
	}
	for s.once(ctx) {
	}
	return s.exchange
}

// sending is a call under way.
type sending struct {
	connector *Connector
	conn      *Connection
	call      Call
	budget    *budget
	key       string // of the bucket

	url    string // without the query
	query  string
	header http.Header
	place  place
	inject bool // the connection's credential goes to place

	renewed  bool // the token was renewed after a 401
	nonced   bool // the server's nonce was taken over after a 401
	resends  int
	exchange Exchange
}

// prepare builds the request but for the credential.
func (s *sending) prepare(ctx context.Context) error {
	req := s.call.Request
	if err := checkPath(s.call.Operation.Path, req.Path); err != nil {
		return err
	}
	s.url = s.conn.base(s.call.Operation) + req.Path
	s.query, s.header = req.Query, make(http.Header, len(req.Header)+3)
	for name, values := range req.Header {
		s.header[http.CanonicalHeaderKey(name)] = values
	}
	if req.ContentType != "" {
		s.header.Set("Content-Type", req.ContentType)
	}
	if s.header.Get("Accept") == "" {
		s.header.Set("Accept", "application/json, */*;q=0.9")
	}
	if s.conn.BoundBy == ByDescription {
		if name, ok := credentialIn(s.header, s.query); ok {
			return fault.New(fault.Refused, "%s is not sent to %s: only its description names that server", name, s.conn.host()).
				Fix("bind the server: connections.%s.server in lanyard.yaml, or --server %s=URL", s.conn.Source, s.conn.Source)
		}
	}
	s.place, s.inject = s.conn.place(s.call.Operation)
	s.inject = s.inject && !given(s.place, s.header, s.query)
	if s.inject {
		if err := s.connector.opened(ctx, s.conn); err != nil {
			return err
		}
	}
	s.exchange.Request = s.shown()
	return nil
}

// credentialIn finds a header or query parameter that carries a credential by
// its name.
func credentialIn(header http.Header, query string) (name string, ok bool) {
	for name := range header {
		if secret.SecretName(name) {
			return "the header " + name, true
		}
	}
	for pair := range strings.SplitSeq(query, "&") {
		escaped, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(escaped); err == nil && secret.SecretName(name) {
			return "the parameter " + name, true
		}
	}
	return "", false
}

// checkPath refuses values that would make the path mean something else. With
// an id of ".." DELETE /users/{id} would be DELETE /, and with an empty one
// DELETE /users/.
func checkPath(template, path string) error {
	if !strings.HasPrefix(path, "/") {
		return fault.New(fault.Internal, "a request's path does not begin with /")
	}
	segments, declared := strings.Split(path, "/"), strings.Split(template, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "a request's path is not well escaped")
		}
		// Servers that decode before they split see slashes in values, too.
		for _, part := range strings.FieldsFunc(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
			if part == "." || part == ".." {
				return fault.New(fault.Invalid, "a value in the path holds %q, which would lead to another resource", part).
					Fix("check where the value comes from")
			}
		}
		if plain == "" && len(segments) == len(declared) && declared[i] != "" {
			return fault.New(fault.Invalid, "the path parameter in %s is empty", declared[i]).Fix("check where the value comes from")
		}
	}
	return nil
}

// shown is the request for the record, the connection's credential masked.
func (s *sending) shown() Request {
	header := s.header
	if s.inject && s.place.in != inQuery {
		header = header.Clone()
		put(s.place, secret.Mask, header, "")
	}
	return Request{Method: s.call.Request.Method, URL: withQuery(s.url, s.query), Header: header, Body: s.call.Request.Body}
}

func withQuery(u, query string) string {
	if query == "" {
		return u
	}
	return u + "?" + query
}

// once makes one attempt and reports whether another is to follow.
func (s *sending) once(ctx context.Context) bool {
	x := &s.exchange
	waited, err := s.budget.acquire(ctx, s.key)
	x.Waited += waited
	if err != nil {
		s.fail(err)
		return false
	}
	var credential secret.Value
	if s.inject {
		if credential, err = s.connector.credential(ctx, s.conn); err != nil {
			s.budget.release(s.key, 0, nil, 0)
			s.fail(err)
			return false
		}
	}
	req, err := s.request(credential)
	if err != nil {
		s.budget.release(s.key, 0, nil, 0)
		s.fail(err)
		return false
	}
	clock := s.connector.opts.Clock
	attempt := Attempt{At: clock.Now(), Waited: waited}
	res, err := s.connector.opts.Client.Do(ctx, req)
	attempt.Duration = clock.Now().Sub(attempt.At)
	if err != nil {
		s.budget.release(s.key, 0, nil, 0)
		x.Attempts = append(x.Attempts, attempt)
		x.Sent, x.Response, x.Err = egress.Sent(err), Response{}, err
		return false
	}
	asked := s.budget.release(s.key, res.Status, res.Header, s.resends+1)
	x.Sent, x.Response = true, Response{Status: res.Status, Header: res.Header, Body: res.Body}
	attempt.Status, attempt.Reason = res.Status, s.again(ctx, asked, credential)
	x.Attempts = append(x.Attempts, attempt)
	return attempt.Reason != ""
}

// fail ends a call that cannot be sent, or not again: then the answer that
// asked for it stays.
func (s *sending) fail(err error) {
	if x := &s.exchange; x.Response.Status == 0 {
		x.Err = err
	} else if x.Response.Status == http.StatusUnauthorized {
		x.Denied = err
	}
}

// request is the request with the credential.
func (s *sending) request(credential secret.Value) (*egress.Request, error) {
	header, query := s.header, s.query
	if s.inject {
		header = header.Clone()
		query = put(s.place, credential.Reveal(), header, query)
	}
	if p := s.conn.shared.proves(); p != nil && s.inject {
		proof, err := p.proof(s.call.Request.Method, s.url, credential, s.connector.opts.Clock.Now())
		if err != nil {
			return nil, err
		}
		header.Set(proofHeader, proof)
	}
	timeout := s.call.Timeout
	if timeout == 0 {
		timeout = s.conn.Timeout
	}
	return &egress.Request{
		Method: s.call.Request.Method, URL: withQuery(s.url, query), Header: header, Body: s.call.Request.Body,
		Hosts: s.conn.Hosts, AllowPrivate: s.conn.AllowPrivate, Timeout: timeout,
	}, nil
}

// again decides whether the answer proves that nothing was done and asks for
// another sending. It returns the reason, or "" when the answer stands.
func (s *sending) again(ctx context.Context, asked time.Duration, credential secret.Value) string {
	switch status := s.exchange.Response.Status; {
	case status == http.StatusUnauthorized:
		if s.wantsNonce() {
			s.nonced = true
			return "the server asks for a nonce in the proof of possession"
		}
		if s.inject && s.conn.auth.oauth() && !s.renewed {
			s.renewed = true
			s.conn.shared.tokens.invalidate(credential)
			return "the access token was refused and is renewed"
		}
		s.exchange.Denied = s.denied()
		return ""
	case !s.mayResend(status):
		return ""
	case s.resends >= s.connector.opts.Resends || asked > s.connector.opts.MaxWait || !fits(ctx, asked):
		return ""
	}
	s.resends++
	return fmt.Sprintf("the provider asked to wait %v", asked.Round(time.Millisecond))
}

// wantsNonce reports whether a 401 only asks for another nonce (RFC 9449 9), and
// takes it over.
func (s *sending) wantsNonce() bool {
	p := s.conn.shared.proves()
	if p == nil || !s.inject {
		return false
	}
	header := s.exchange.Response.Header
	return p.learn(s.url, header) && !s.nonced && strings.Contains(header.Get("WWW-Authenticate"), useNonce)
}

// mayResend reports whether a status proves that the call had no effect. A 503
// proves nothing by itself; with Retry-After an idempotent method may be
// repeated (RFC 9110 9.2.2, 15.6.4).
func (s *sending) mayResend(status int) bool {
	if s.call.SelfPaced || !s.budget.paces {
		return false
	}
	switch {
	case status == http.StatusServiceUnavailable:
		return s.exchange.Response.Header.Get("Retry-After") != "" && idempotent(s.call.Request.Method)
	case s.conn.Entry != nil:
		return slices.Contains(s.conn.Entry.NotProcessed, status)
	}
	return status == http.StatusTooManyRequests
}

func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// denied explains a 401.
func (s *sending) denied() error {
	host := s.conn.host()
	name := s.conn.Name
	if name == "" {
		name = s.conn.Source
	}
	switch {
	case !s.inject && s.place.name != "" || s.header.Get(authorization) != "":
		return fault.New(fault.Unauthorized, "%s refuses the credential that the workflow supplies", host).
			Fix("check the input it comes from; or leave it out of the workflow and bind it as connections.%s.auth", name)
	case !s.inject:
		return fault.New(fault.Unauthorized, "%s asks for a credential, and none is bound", host).
			Fix("add connections.%s.auth to lanyard.yaml", name)
	case s.conn.auth.kind == config.AuthAuthorizationCode:
		return fault.New(fault.Unauthorized, "%s refuses the access token of connection %s, a new one too", host, name).
			Fix("sign in again: lanyard connections authorize %s", name)
	case s.conn.auth.oauth():
		return fault.New(fault.Unauthorized, "%s refuses the access token, a new one too", host).
			Fix("check audience and scopes of connections.%s.auth", name)
	}
	return fault.New(fault.Unauthorized, "%s refuses the credential of connections.%s.auth (%s)", host, name, s.conn.auth.reference()).
		Fix("check that it is the right one and has not expired: lanyard connections test %s", name)
}
