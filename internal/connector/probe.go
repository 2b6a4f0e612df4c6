package connector

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The states of a connection, as a test finds them.
const (
	Connected     = "connected"
	Expiring      = "expiring"            // it works, and ends soon unless somebody does something
	MissingScopes = catalog.MissingScopes // the token may not do what the connection asks for
	RoleMissing   = "role missing"        // the scopes are there, the identity has no admin role
	Broken        = "broken"
)

// expiryWarning is how long before its end a connection counts as Expiring.
const expiryWarning = 72 * time.Hour

// Report is what a test of a connection found out.
type Report struct {
	OK       bool      `json:"ok"` // Connected or Expiring
	State    string    `json:"state"`
	Status   int       `json:"status,omitempty"`   // of the answer
	Identity string    `json:"identity,omitempty"` // whose credential it is, as far as known
	Scopes   []string  `json:"scopes,omitempty"`   // that an access token has
	Expires  time.Time `json:"expires,omitzero"`   // when the connection ends unless somebody does something, as far as known
	Token    time.Time `json:"token,omitzero"`     // when the access token ends; it may renew itself
	Message  string    `json:"message"`
	Remedy   string    `json:"remedy,omitempty"`
	Err      error     `json:"-"` // nil when OK
}

// Probe tests a connection with a call that changes nothing: does the server
// answer, is the credential accepted, whose is it.
func (c *Connector) Probe(ctx context.Context, conn *Connection) Report {
	if err := c.Open(ctx, conn); err != nil {
		return failed(0, err)
	}
	report, err := c.token(ctx, conn)
	if err != nil {
		f := failed(0, err)
		f.State = conn.refusedState(err)
		return f
	}
	probe := conn.probe()
	known := probe != nil
	if !known {
		probe = &catalog.Probe{Method: http.MethodGet, Path: "/"}
	}
	query := url.Values{}
	for name, v := range probe.Query {
		query.Set(name, v)
	}
	x := c.Do(ctx, conn, Call{
		Operation: &openapi.Operation{Method: probe.Method, Path: probe.Path},
		Request:   &openapi.Request{Method: probe.Method, Path: probe.Path, Query: query.Encode()},
	})
	if x.Err != nil {
		return failed(0, x.Err)
	}
	report.Status = x.Response.Status
	if who := identity(probe, x.Response.Body); who != "" {
		report.Identity = who
		conn.shared.identify(who)
	}
	report = conn.judge(report, probe, known, x.Denied)
	if report.State == Broken {
		report.State = conn.deniedState(report, probe, x.Response.Header)
	}
	return conn.rights(report, probe, x.Response.Body).soon(c.opts.Clock.Now())
}

// token reports what the connection's token tells by itself.
func (c *Connector) token(ctx context.Context, conn *Connection) (Report, error) {
	var r Report
	switch {
	case conn.auth.oauth():
		t, err := conn.shared.tokens.token(ctx)
		if err != nil {
			return r, err
		}
		r.Identity, r.Scopes = claims(t)
		r.Expires, r.Token = t.ends, t.until
		conn.shared.mu.Lock()
		r.Identity = cmp.Or(conn.shared.who, r.Identity)
		conn.shared.mu.Unlock()
	case conn.auth.kind == config.AuthBearer && conn.auth.fixed.Empty():
		t := token{value: conn.shared.value("token")}
		r.Identity, r.Scopes = claims(t)
		r.Expires = ending(t.value)
	}
	r.Identity = cmp.Or(r.Identity, plainText(conn.auth.config.ClientID), plainText(conn.auth.config.Username))
	return r, nil
}

// refusedState is the state of a connection that gets no token.
func (conn *Connection) refusedState(err error) string {
	var by refusedBy
	if !errors.As(err, &by) {
		return Broken
	}
	// An application that demands proof of possession says so with the status of
	// missing scopes.
	if by.code == "invalid_scope" || by.code == "" && conn.auth.answers[by.status].Mark == MissingScopes {
		return MissingScopes
	}
	return Broken
}

// deniedState says whether a refused probe lacks scopes or a role. The scopes
// of the token tell, where it has some; the credentials of people have none.
func (conn *Connection) deniedState(r Report, probe *catalog.Probe, header http.Header) string {
	if r.Status != http.StatusForbidden {
		return Broken
	}
	lacks := len(conn.Missing(r.Scopes, probe.Scopes)) > 0 || strings.Contains(header.Get("WWW-Authenticate"), "insufficient_scope") // RFC 6750 3.1
	switch {
	case conn.HasScopes() && lacks && probe.Answers[r.Status].Mark == MissingScopes:
		return MissingScopes
	case probe.Role != nil:
		return RoleMissing
	}
	return Broken
}

// rights looks behind an answer: whether the token has all scopes that the
// connection asks for, and whether its identity may see anything.
func (conn *Connection) rights(r Report, probe *catalog.Probe, body []byte) Report {
	if r.State == RoleMissing {
		r.Message, r.Remedy = fmt.Sprintf("%s (%d)", probe.Role.Meaning, r.Status), probe.Role.Remedy
		r.Err = fault.New(fault.Forbidden, "%s", r.Message).Fix("%s", r.Remedy)
		return r
	}
	if !r.OK {
		return r
	}
	if missing := conn.Missing(r.Scopes, conn.Scopes); len(missing) > 0 && len(r.Scopes) > 0 {
		r.OK, r.State, r.Message, r.Remedy = false, MissingScopes, "the access token lacks "+strings.Join(missing, " "), conn.GrantAdvice()
	} else if probe.Role != nil && emptyList(body) {
		r.OK, r.State, r.Message, r.Remedy = false, RoleMissing, probe.Role.Meaning, probe.Role.Remedy
	}
	if !r.OK {
		r.Err = fault.New(fault.Forbidden, "%s", r.Message).Fix("%s", r.Remedy)
	}
	return r
}

// soon marks a connection that works and ends soon.
func (r Report) soon(now time.Time) Report {
	if r.OK && Ends(r.Expires, now) {
		r.State = Expiring
		r.Message += ", until " + r.Expires.UTC().Format("2006-01-02 15:04 MST")
	}
	return r
}

// Ends reports whether a time of expiry, zero when none is known, is so near
// that somebody should act.
func Ends(expires, now time.Time) bool {
	return !expires.IsZero() && now.Add(expiryWarning).After(expires)
}

// ending reads when an access token that is a JWT ends; zero when it does not tell.
func ending(v secret.Value) time.Time {
	body := payload(v)
	n, ok := body["exp"].(json.Number)
	if !ok {
		return time.Time{}
	}
	seconds, err := n.Int64()
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// emptyList reports whether an answer is a list of nothing.
func emptyList(body []byte) bool {
	v, err := value.Decode(body)
	list, ok := v.([]any)
	return err == nil && ok && len(list) == 0
}

func failed(status int, err error) Report {
	r := Report{State: Broken, Status: status, Message: fault.Public(err), Err: err}
	var f *fault.Error
	if errors.As(err, &f) && f.Remedy != "" {
		withoutRemedy := *f
		withoutRemedy.Remedy = ""
		r.Message, r.Remedy = withoutRemedy.Public(), f.Remedy
	}
	return r
}

// probe is the call by which the connection's provider is tested.
func (conn *Connection) probe() *catalog.Probe {
	if conn.Entry == nil {
		return nil
	}
	if conn.BoundBy == BySandbox {
		return conn.Entry.Probe(conn.Entry.Auth[0].Type)
	}
	return conn.Entry.Probe(conn.auth.kind)
}

// judge says what the answer to a probe means.
func (conn *Connection) judge(r Report, probe *catalog.Probe, known bool, denied error) Report {
	host := conn.host()
	r.State = Broken
	answer, explained := probe.Answers[r.Status]
	kind := map[int]fault.Kind{http.StatusUnauthorized: fault.Unauthorized, http.StatusForbidden: fault.Forbidden, http.StatusNotFound: fault.NotFound, http.StatusTooManyRequests: fault.RateLimited}[r.Status]
	if kind == fault.Internal {
		kind = fault.Unavailable
	}
	switch {
	case r.Status < 300 && (known || conn.auth.kind == config.AuthNone):
		r.OK, r.State, r.Message = true, Connected, host+" answers"
		if conn.auth.kind != config.AuthNone {
			r.Message = host + " accepts the credential"
		}
		return r
	case explained:
		r.Message, r.Remedy = fmt.Sprintf("%s (%d)", answer.Meaning, r.Status), answer.Remedy
	case denied != nil:
		return failed(r.Status, denied)
	case !known && r.Status < 500:
		// No call is known that would show more; the server is there, and a
		// token was issued if one is used.
		r.OK, r.State, r.Message = true, Connected, fmt.Sprintf("%s answers (%d); whether it accepts the credential shows with the first call", host, r.Status)
		return r
	default:
		r.Message, r.Remedy = fmt.Sprintf("%s answered %d %s", host, r.Status, http.StatusText(r.Status)), "check that the server is the right one, or try again later"
	}
	r.Err = fault.New(kind, "%s", r.Message).Fix("%s", r.Remedy)
	return r
}

// identity reads whose credential it is from the answer to a probe.
func identity(probe *catalog.Probe, body []byte) string {
	if probe.Identity == "" {
		return ""
	}
	pointer, err := value.ParsePointer(probe.Identity)
	if err != nil {
		return ""
	}
	v, err := value.Decode(body)
	if err != nil {
		return ""
	}
	who, _ := pointer.Get(v)
	text, _ := who.(string)
	return text
}

// claims reads subject and scopes of an access token that is a JWT, and falls
// back on the scopes that the endpoint said it granted. Nothing is verified: it
// is only shown.
func claims(t token) (subject string, scopes []string) {
	scopes = strings.Fields(t.scope)
	body := payload(t.value)
	subject, _ = body["sub"].(string)
	if len(scopes) == 0 {
		switch s := body["scp"].(type) {
		case []any:
			for _, item := range s {
				if text, ok := item.(string); ok {
					scopes = append(scopes, text)
				}
			}
		}
		if text, ok := body["scope"].(string); ok {
			scopes = strings.Fields(text)
		}
	}
	slices.Sort(scopes)
	return subject, scopes
}

// payload is the body of a token that is a JWT, nil for others.
func payload(v secret.Value) map[string]any {
	parts := strings.Split(v.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	decoded, err := value.Decode(text)
	if err != nil {
		return nil
	}
	body, _ := decoded.(map[string]any)
	return body
}
