package connector

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Report is what a test of a connection found out.
type Report struct {
	OK       bool     `json:"ok"`
	Status   int      `json:"status,omitempty"`   // of the answer
	Identity string   `json:"identity,omitempty"` // whose credential it is, as far as known
	Scopes   []string `json:"scopes,omitempty"`   // that an access token has
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"`
	Err      error    `json:"-"` // nil when OK
}

// Probe tests a connection with a call that changes nothing: does the server
// answer, is the credential accepted, whose is it.
func (c *Connector) Probe(ctx context.Context, conn *Connection) Report {
	if err := c.Open(ctx, conn); err != nil {
		return failed(0, err)
	}
	var report Report
	if conn.auth.oauth() {
		t, err := conn.shared.tokens.token(ctx)
		if err != nil {
			return failed(0, err)
		}
		report.Identity, report.Scopes = claims(t)
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
	}
	return conn.judge(report, probe, known, x.Denied)
}

func failed(status int, err error) Report {
	r := Report{Status: status, Message: fault.Public(err), Err: err}
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
	answer, explained := probe.Answers[r.Status]
	kind := map[int]fault.Kind{http.StatusUnauthorized: fault.Unauthorized, http.StatusForbidden: fault.Forbidden, http.StatusNotFound: fault.NotFound, http.StatusTooManyRequests: fault.RateLimited}[r.Status]
	if kind == fault.Internal {
		kind = fault.Unavailable
	}
	switch {
	case r.Status < 300 && (known || conn.auth.kind == config.AuthNone):
		r.OK, r.Message = true, host+" answers"
		if conn.auth.kind != config.AuthNone {
			r.Message = host + " accepts the credential"
		}
		return r
	case explained:
		r.Message, r.Remedy = fmt.Sprintf("%s (%d)", answer.Meaning, r.Status), answer.Remedy
	case denied != nil:
		return Report{Status: r.Status, Message: failed(0, denied).Message, Remedy: failed(0, denied).Remedy, Err: denied}
	case !known && r.Status < 500:
		// No call is known that would show more; the server is there, and a
		// token was issued if one is used.
		r.OK, r.Message = true, fmt.Sprintf("%s answers (%d); whether it accepts the credential shows with the first call", host, r.Status)
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
	parts := strings.Split(t.value.Reveal(), ".")
	if len(parts) != 3 {
		return "", scopes
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", scopes
	}
	v, err := value.Decode(payload)
	if err != nil {
		return "", scopes
	}
	body, _ := v.(map[string]any)
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
