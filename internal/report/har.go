package report

import (
	"encoding/json"
	"net/http"
	"sort"
	"strings"
	"time"
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
	PostData    *harText  `json:"postData,omitempty"`
	HeadersSize int       `json:"headersSize"`
	BodySize    int       `json:"bodySize"`
}

type harResponse struct {
	Status      int       `json:"status"`
	StatusText  string    `json:"statusText"`
	HTTPVersion string    `json:"httpVersion"`
	Cookies     []harPair `json:"cookies"`
	Headers     []harPair `json:"headers"`
	Content     harText   `json:"content"`
	RedirectURL string    `json:"redirectURL"`
	HeadersSize int       `json:"headersSize"`
	BodySize    int       `json:"bodySize"`
	Error       string    `json:"_error,omitempty"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harText struct {
	MimeType string `json:"mimeType"`
	Text     string `json:"text"`
	Size     int    `json:"size"`
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
		e.Request.PostData = &harText{MimeType: "application/json", Text: string(c.JSON), Size: len(c.JSON)}
	} else if c.Text != "" {
		e.Request.PostData = &harText{MimeType: "text/plain", Text: c.Text, Size: len(c.Text)}
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
	text := string(c.Answer.JSON)
	if c.Answer.Text != nil {
		text = *c.Answer.Text
	}
	e.Response.Status, e.Response.StatusText = c.Answer.Status, http.StatusText(c.Answer.Status)
	e.Response.Headers = pairs(c.Answer.Header)
	e.Response.Content = harText{MimeType: http.Header(c.Answer.Header).Get("Content-Type"), Text: text, Size: len(text)}
	return e
}

func pairs(h map[string][]string) []harPair {
	out := []harPair{}
	for name, values := range h {
		for _, v := range values {
			out = append(out, harPair{name, v})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
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
		out = append(out, harPair{name, v})
	}
	return out
}
