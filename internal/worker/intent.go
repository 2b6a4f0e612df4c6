package worker

import (
	"encoding/json"
	"strings"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Intent is a call as it is recorded before it leaves: what will be asked, of
// whom, without secrets. The connector adds server and credential.
type Intent struct {
	ID       int            `json:"id"`
	Workflow string         `json:"workflow"`
	Step     string         `json:"step"`
	Visit    int            `json:"visit"` // which visit of the step, counted over the run
	Purpose  engine.Purpose `json:"purpose"`
	Attempt  int            `json:"attempt"`
	Source   string         `json:"source"`
	// Connection and Identity say in whose name the call is made, as far as that
	// is known before it leaves.
	Connection string              `json:"connection,omitempty"`
	Identity   string              `json:"identity,omitempty"`
	Method     string              `json:"method"`
	Target     string              `json:"target"` // path and query
	Header     map[string][]string `json:"header,omitempty"`
	JSON       json.RawMessage     `json:"json,omitempty"` // the body, when it is JSON
	Text       string              `json:"text,omitempty"` // the body otherwise
	Writes     bool                `json:"writes,omitempty"`
}

// maxIntentText bounds a body that is not JSON in the journal; it is there for
// people to read, not to be sent again.
const maxIntentText = 4096

func intent(c *engine.Call, by Caller, r *secret.Redactor) Intent {
	i := Intent{
		ID: c.ID, Workflow: c.Workflow, Step: c.Step, Visit: c.Visit, Purpose: c.Purpose, Attempt: c.Attempt,
		Source: c.Operation.Source, Method: c.Request.Method, Target: c.Request.Path, Writes: c.Writes(),
	}
	if a, ok := by.(Attributor); ok {
		i.Connection, i.Identity = a.Attribution(c)
	}
	if c.Request.Query != "" {
		i.Target += "?" + c.Request.Query
	}
	i.Target = r.URL(i.Target)
	if len(c.Request.Header) > 0 {
		i.Header = r.Headers(c.Request.Header)
	}
	body(&i, c.Request, r)
	return i
}

func body(i *Intent, req *openapi.Request, r *secret.Redactor) {
	if req.Body == nil {
		return
	}
	if json.Valid(req.Body) {
		i.JSON = req.Body // masked with the rest of the record
		return
	}
	// Masked before it is cut: half a secret would not be recognised.
	switch text := string(req.Body); {
	case isForm(req.ContentType):
		i.Text = r.Query(text)
	case isXML(text):
		i.Text = r.XML(text)
	default:
		i.Text = r.Text(text)
	}
	if len(i.Text) > maxIntentText {
		i.Text = strings.ToValidUTF8(i.Text[:maxIntentText], "") + "..."
	}
}

func isForm(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(contentType), "application/x-www-form-urlencoded")
}
