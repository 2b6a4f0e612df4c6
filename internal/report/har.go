package report

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
)

// HAR returns the run's exchanges as an HTTP Archive 1.2, masked like the
// journal.
func (r *Report) HAR(version string) ([]byte, error) {
	log := harLog{Version: "1.2", Creator: harCreator{Name: "lanyard", Version: version}, Entries: []harEntry{}}
	for _, s := range r.Steps {
		for _, c := range s.Calls {
			log.Entries = append(log.Entries, entry(s, c))
		}
	}
	return json.MarshalIndent(map[string]any{"log": log}, "", "  ")
}

type harLog struct {
	Version string     `json:"version"`
	Creator harCreator `json:"creator"`
	Entries []harEntry `json:"entries"`
}

type harCreator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type harEntry struct {
	Started  time.Time   `json:"startedDateTime"`
	Time     float64     `json:"time"` // milliseconds
	Request  harRequest  `json:"request"`
	Response harResponse `json:"response"`
	Cache    struct{}    `json:"cache"`
	Timings  harTimings  `json:"timings"`
	Comment  string      `json:"comment"`
}

type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type harRequest struct {
	Method      string    `json:"method"`
	URL         string    `json:"url"`
	HTTPVersion string    `json:"httpVersion"`
	Cookies     []harPair `json:"cookies"`
	Headers     []harPair `json:"headers"`
	Query       []harPair `json:"queryString"`
	PostData    *harBody  `json:"postData,omitempty"`
	HeadersSize int       `json:"headersSize"`
	BodySize    int       `json:"bodySize"`
}

type harResponse struct {
	Status      int        `json:"status"`
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []harPair  `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Content     harContent `json:"content"`
	RedirectURL string     `json:"redirectURL"`
	HeadersSize int        `json:"headersSize"`
	BodySize    int        `json:"bodySize"`
	Error       string     `json:"_error,omitempty"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harBody struct {
	MimeType string `json:"mimeType"`
	Text     string `json:"text"`
}

type harContent struct {
	Size     int    `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text"`
	Encoding string `json:"encoding,omitempty"`
}

func entry(s *Step, c *Call) harEntry {
	e := harEntry{
		Started: c.Sent, Time: float64(c.Micros) / 1000, Timings: harTimings{Wait: float64(c.Micros) / 1000},
		Comment: s.StepID,
		Request: harRequest{
			Method: c.Method, URL: c.Target, HTTPVersion: "HTTP/1.1", Cookies: []harPair{}, Headers: pairs(c.Header),
			Query: query(c.Target), HeadersSize: -1, BodySize: -1,
		},
		Response: harResponse{HTTPVersion: "HTTP/1.1", Cookies: []harPair{}, Headers: []harPair{}, HeadersSize: -1, BodySize: -1},
	}
	if c.JSON != nil {
		e.Request.PostData = &harBody{MimeType: "application/json", Text: string(c.JSON)}
	} else if c.Text != "" {
		e.Request.PostData = &harBody{MimeType: "text/plain", Text: c.Text}
	}
	if c.Answer == nil {
		e.Response.Error = "no answer was recorded"
		return e
	}
	if c.Answer.URL != "" {
		e.Request.URL = c.Answer.URL
	}
	if c.Answer.Failure != nil {
		e.Response.Error = c.Answer.Failure.Message
		return e
	}
	e.Response.Status, e.Response.StatusText = c.Answer.Status, http.StatusText(c.Answer.Status)
	e.Response.Headers = pairs(c.Answer.Header)
	e.Response.Content = content(c.Answer)
	return e
}

func content(a *engine.Answer) harContent {
	c := harContent{MimeType: http.Header(a.Header).Get("Content-Type"), Text: string(a.JSON)}
	c.Size = len(c.Text)
	switch {
	case a.Text != nil:
		c.Text, c.Size = *a.Text, len(*a.Text)
	case len(a.Bytes) > 0:
		c.Text, c.Size, c.Encoding = base64.StdEncoding.EncodeToString(a.Bytes), len(a.Bytes), "base64"
	}
	return c
}

func pairs(h map[string][]string) []harPair {
	out := []harPair{}
	for name, values := range h {
		for _, v := range values {
			out = append(out, harPair{name, v})
		}
	}
	slices.SortStableFunc(out, func(a, b harPair) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func query(target string) []harPair {
	out := []harPair{}
	_, q, ok := strings.Cut(target, "?")
	if !ok {
		return out
	}
	for part := range strings.SplitSeq(q, "&") {
		name, v, _ := strings.Cut(part, "=")
		out = append(out, harPair{decoded(name), decoded(v)})
	}
	return out
}

// decoded reads a part of a query, which a mask may have left undecodable.
func decoded(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
