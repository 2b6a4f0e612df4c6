package provision

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// AnswerTime is how long a target may take for one answer (scim-auth0.md 1.2).
const AnswerTime = 60 * time.Second

// maxAnswer bounds the body of an answer in bytes, after decompression.
const maxAnswer = 64 << 20

// userAgent is what Okta calls itself (captured).
const userAgent = "Okta SCIM Client 1.0.0"

const mediaType = "application/scim+json"

// Sender sends what it is told to the hosts that are allowed; *egress.Client
// does.
type Sender interface {
	Do(ctx context.Context, r *egress.Request) (*egress.Response, error)
	HTTPClient(hosts []string, allowPrivate bool) *http.Client
}

// Resolver turns a reference into a credential; *secret.Resolver does.
type Resolver interface {
	Resolve(ctx context.Context, ref secret.Ref) (secret.Value, error)
}

// Recorder keeps exchanges; *wirelog.Recorder does.
type Recorder interface {
	Record(ctx context.Context, e wirelog.Exchange, secrets ...string) string
}

// Client speaks to targets as Okta's SCIM client does. It is safe for concurrent
// use.
type Client struct {
	Sender  Sender
	Secrets Resolver
	Log     Recorder // may be nil
	Now     func() time.Time

	mu     sync.Mutex
	tokens map[string]grant // of OAuth targets, by target
}

type grant struct {
	auth  string // what it was obtained with
	token *oauth2.Token
}

// Session makes the calls of one sequence to a target. It is not safe for
// concurrent use. Close has to be called, for the log.
type Session struct {
	client  *Client
	target  *Target
	subject string
	actor   string
	last    *wirelog.Exchange // not logged yet: what is concluded from it may follow
	secrets []string
	renewed bool // the access token, after it was refused
}

// Open returns a Session. subject is the id of the account or group that it is
// about, actor what makes the calls ("queue", "test", "import" ...); both are
// for the request log.
func (c *Client) Open(t *Target, subject, actor string) *Session {
	return &Session{client: c, target: t, subject: subject, actor: actor}
}

// Close logs the last call, also when ctx has ended.
func (s *Session) Close(ctx context.Context) {
	if s.last != nil && s.client.Log != nil {
		s.client.Log.Record(context.WithoutCancel(ctx), *s.last, s.secrets...)
	}
	s.last = nil
}

// Explain implements Caller.
func (s *Session) Explain(_ context.Context, why ...Note) {
	if s.last == nil {
		return
	}
	for _, n := range why {
		s.last.Why = append(s.last.Why, string(n))
	}
}

// Call implements Caller.
func (s *Session) Call(ctx context.Context, c Call) (Answer, error) {
	s.Close(ctx)
	request, err := s.request(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	x := &wirelog.Exchange{
		At: s.client.Now(), Scope: wirelog.TargetScope(s.target.ID), Direction: wirelog.Out,
		Method: c.Method, Path: c.Path, Query: c.Query, Actor: s.actor, Subject: s.subject,
		RequestHeaders: request.Header, RequestBody: string(request.Body),
	}
	s.last = x
	s.Explain(ctx, c.Why...)
	begin := time.Now()
	response, err := s.client.Sender.Do(ctx, request)
	x.Took = time.Since(begin)
	if err != nil {
		e := unanswered(c, err)
		x.Failure = e.Detail
		return Answer{}, e
	}
	body, err := decompressed(response)
	x.Status, x.ResponseHeaders, x.ResponseBody = response.Status, response.Header, string(body)
	if err != nil {
		return Answer{}, &CallError{Method: c.Method, Path: c.Path, Status: response.Status, Class: Transient, Sent: true, Detail: "the answer cannot be decompressed"}
	}
	if response.Status == http.StatusUnauthorized && s.target.Auth.Scheme == OAuth && !s.renewed {
		s.renewed = true // the token may have been revoked; nothing was done with it
		s.client.forget(s.target)
		s.Explain(ctx, "the access token was refused: once more with a new one")
		return s.Call(ctx, c)
	}
	answer, err := judge(c, response.Status, response.Header, body)
	return answer, s.quotable(err)
}

// maxDetail is how much is kept of what a target says of an error, in bytes.
const maxDetail = 1000

// quotable makes what a target said fit to be shown and stored: a server may
// repeat the credential that it was given, and at any length.
func (s *Session) quotable(err error) error {
	var e *CallError
	if !errors.As(err, &e) {
		return err
	}
	e.Detail = strings.ToValidUTF8(secret.NewRedactor(s.secrets...).Text(e.Detail), "?")
	if len(e.Detail) > maxDetail {
		e.Detail = strings.ToValidUTF8(e.Detail[:maxDetail], "") + " …"
	}
	return e
}

// request builds a request with exactly the headers that were captured.
func (s *Session) request(ctx context.Context, c Call) (*egress.Request, error) {
	authorization, err := s.authorization(ctx)
	if err != nil {
		return nil, &CallError{Method: c.Method, Path: c.Path, Class: Denied, Detail: fault.Public(err), cause: err}
	}
	r := &egress.Request{
		Method: c.Method, URL: strings.TrimSuffix(s.target.BaseURL, "/") + c.Path,
		Header: http.Header{
			"Accept":          {mediaType},
			"Accept-Charset":  {"utf-8"},
			"Accept-Encoding": {"gzip,deflate"},
			"User-Agent":      {userAgent},
			"Authorization":   {authorization},
		},
		Hosts: []string{s.target.BaseURL}, AllowPrivate: s.target.AllowPrivate,
		Timeout: AnswerTime, MaxBody: maxAnswer,
	}
	if c.Query != "" {
		r.URL += "?" + c.Query
	}
	if c.Body == nil {
		return r, nil
	}
	if r.Body, err = value.Encode(c.Body); err != nil {
		return nil, &CallError{Method: c.Method, Path: c.Path, Class: Permanent, Detail: "the body cannot be written as JSON", cause: err}
	}
	r.Header.Set("Content-Type", mediaType+"; charset=utf-8")
	return r, nil
}

// authorization is the value of the header by which a target knows us.
func (s *Session) authorization(ctx context.Context) (string, error) {
	auth := &s.target.Auth
	credential, err := s.client.Secrets.Resolve(ctx, auth.Token)
	if err != nil {
		return "", err
	}
	text := credential.Reveal()
	s.secrets = []string{text}
	switch auth.Scheme {
	case Header:
		return text, nil
	case Basic:
		encoded := base64.StdEncoding.EncodeToString([]byte(auth.ClientID + ":" + text))
		s.secrets = append(s.secrets, encoded)
		return "Basic " + encoded, nil
	case OAuth:
		if text, err = s.client.token(ctx, s.target, text); err != nil {
			return "", err
		}
		s.secrets = append(s.secrets, text)
	}
	return "Bearer " + text, nil
}

// renewBefore is how long before its end a token is not used any more.
const renewBefore = time.Minute

// token returns an access token of an OAuth target, obtaining one when there is
// none that lasts.
func (c *Client) token(ctx context.Context, t *Target, clientSecret string) (string, error) {
	used := t.Auth.TokenURL + " " + t.Auth.ClientID + " " + strings.Join(t.Auth.Scopes, " ") + " " + clientSecret
	c.mu.Lock()
	have := c.tokens[t.ID]
	c.mu.Unlock()
	if have.auth == used && (have.token.Expiry.IsZero() || time.Until(have.token.Expiry) > renewBefore) {
		return have.token.AccessToken, nil
	}
	conf := clientcredentials.Config{
		ClientID: t.Auth.ClientID, ClientSecret: clientSecret, TokenURL: t.Auth.TokenURL, Scopes: t.Auth.Scopes, AuthStyle: oauth2.AuthStyleInParams,
	}
	client := c.Sender.HTTPClient([]string{t.Auth.TokenURL}, t.AllowPrivate)
	token, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return "", fault.Wrap(fault.Unauthorized, err, "no access token was obtained").At("%s", t.Auth.TokenURL).
			Fix("check the client id and secret of the target, and its token endpoint")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		c.tokens = map[string]grant{}
	}
	c.tokens[t.ID] = grant{used, token}
	return token.AccessToken, nil
}

// forget drops a token that was refused.
func (c *Client) forget(t *Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tokens, t.ID)
}

// decompressed returns the body of an answer: because the request names the
// encodings itself, net/http leaves them alone.
func decompressed(r *egress.Response) ([]byte, error) {
	var from io.Reader
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
		return r.Body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(r.Body))
		if err != nil {
			return nil, err
		}
		from = z
	case "deflate": // some send the raw stream without the zlib wrapper
		z, err := zlib.NewReader(bytes.NewReader(r.Body))
		if err == nil {
			from = z
		} else {
			from = flate.NewReader(bytes.NewReader(r.Body))
		}
	default:
		return nil, errors.New("unknown encoding")
	}
	body, err := io.ReadAll(io.LimitReader(from, maxAnswer+1))
	if len(body) > maxAnswer {
		return nil, errors.New("too large")
	}
	return body, err
}

// Class says what is to be done about a call that did not succeed.
type Class string

// The classes.
const (
	Limited   Class = "limited"   // 429: wait as long as told, all of the target
	Transient Class = "transient" // 5xx, no answer, no JSON: try again
	Denied    Class = "denied"    // 401: nobody can be provisioned until the credential is right
	Forbidden Class = "forbidden" // 403: this one, or all of its kind, may not be written
	Permanent Class = "permanent" // 400 and the like: the same will fail again
	Conflict  Class = "conflict"  // 409: shown, not repeated
	Missing   Class = "missing"   // 404
	Taken     Class = "taken"     // the account found is linked to somebody else, who may be about to be renamed
)

// CallError is a call that did not succeed. Its text is public.
type CallError struct {
	Method, Path string
	Status       int           // 0: no answer
	Class        Class         //
	Detail       string        // what the target said, or why there was no answer
	Sent         bool          // it may have had an effect
	RetryAfter   time.Duration // of Limited; less than 0: none was given
	cause        error
}

func (e *CallError) Error() string {
	text := e.Method + " " + e.Path + ": "
	if e.Status != 0 {
		text += strconv.Itoa(e.Status) + " " + http.StatusText(e.Status) + ": "
	}
	return text + e.Detail
}

// Unwrap gives the cause, for logs.
func (e *CallError) Unwrap() error { return e.cause }

// unanswered words a call without answer.
func unanswered(c Call, err error) *CallError {
	class := Transient
	if fault.Is(err, fault.Refused) || fault.Is(err, fault.Invalid) { // our own policy: host, address, header
		class = Denied
	}
	return &CallError{Method: c.Method, Path: c.Path, Class: class, Detail: fault.Public(err), Sent: egress.Sent(err), cause: err}
}

// judge reads an answer (scim-auth0.md 1.2).
func judge(c Call, status int, header http.Header, body []byte) (Answer, error) {
	e := &CallError{Method: c.Method, Path: c.Path, Status: status, Sent: true}
	object, readable := decodeObject(body)
	if status >= 200 && status < 300 {
		if !readable {
			e.Class, e.Detail = Transient, "Invalid JSON: "+excerpt(body)
			return Answer{}, e
		}
		return Answer{Status: status, Body: object}, nil
	}
	switch {
	case status == http.StatusTooManyRequests:
		e.Class, e.RetryAfter = Limited, retryAfter(header)
	case status >= 500:
		e.Class = Transient
	case status == http.StatusRequestTimeout:
		e.Class = Transient
	case status == http.StatusUnauthorized:
		e.Class = Denied
	case status == http.StatusForbidden:
		e.Class = Forbidden
	case status == http.StatusNotFound:
		e.Class = Missing
	case status == http.StatusConflict:
		e.Class = Conflict
	default:
		e.Class = Permanent
	}
	detail, _ := object["detail"].(string)
	switch {
	case status >= 300 && status < 400:
		e.Detail = "it redirects, and redirects are not followed: the base URL has to be the final address"
	case detail != "":
		e.Detail = detail
	case !readable:
		e.Detail = "Invalid JSON: " + excerpt(body)
	default:
		e.Detail = "no detail was given"
	}
	return Answer{}, e
}

// decodeObject reads a JSON object; an empty body is nil. It reports whether the
// body is one of them.
func decodeObject(body []byte) (map[string]any, bool) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, true
	}
	v, err := value.Decode(body)
	object, ok := v.(map[string]any)
	return object, err == nil && ok
}

// excerpt is the beginning of a body that is none of ours, on one line.
func excerpt(body []byte) string {
	const most = 80
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), most)]), "?")), " ")
	return strconv.Quote(text)
}

// retryAfter reads Retry-After as Okta does: integer seconds only; everything
// else counts as none, -1 (scim-auth0.md 1.2).
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds < 0 || seconds > int((24*time.Hour).Seconds()) {
		return -1
	}
	return time.Duration(seconds) * time.Second
}
