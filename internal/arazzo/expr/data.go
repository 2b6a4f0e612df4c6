package expr

import (
	"encoding/json"
	"fmt"
	"net/textproto"
	"sort"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Data is a Scope over plain maps: what one workflow sees while a step is
// prepared or judged. A nil map or pointer is a part that does not exist yet.
type Data struct {
	Self            string // $self of the document
	Inputs, Outputs map[string]any
	Steps           map[string]map[string]any // outputs by stepId, of steps that have run
	Workflows       map[string]WorkflowData   // by workflowId
	Sources         map[string]SourceData     // by source name
	Request         *Request                  // as sent (A23)
	Response        *Response
}

// WorkflowData is what $workflows.<id> sees.
type WorkflowData struct{ Inputs, Outputs map[string]any }

// SourceData is what $sourceDescriptions.<name> sees. Its operationIds and
// workflowIds are no values; package plan resolves them.
type SourceData struct{ URL, Type string }

// Request is the request of the current step.
type Request struct {
	URL, Method string
	Header      map[string][]string
	Query, Path map[string]any
	Body        any
	HasBody     bool // tells a null body from none
}

// Response is the answer of the current step.
type Response struct {
	Status  int
	Header  map[string][]string
	Body    any
	HasBody bool
	Text    string // the body as received: what XPath and regular expressions read
}

var (
	_ Scope     = Data{}
	_ Explainer = Data{}
	_ Texter    = Data{}
)

// Lookup returns the value that e names before its pointer is applied. Names
// with dots are tried as they are and then as a way through objects and arrays
// (A8). Header names are compared without case; several values of one header
// are joined by ", " (RFC 9110 5.3).
func (d Data) Lookup(e Expression) (any, bool) {
	switch e.Root {
	case RootInputs:
		return named(d.Inputs, e.Name)
	case RootOutputs:
		return named(d.Outputs, e.Name)
	case RootSteps:
		return named(d.Steps[e.Owner], e.Name)
	case RootWorkflows:
		if e.Part == "inputs" {
			return named(d.Workflows[e.Owner].Inputs, e.Name)
		}
		return named(d.Workflows[e.Owner].Outputs, e.Name)
	case RootRequest:
		return d.Request.lookup(e)
	case RootResponse:
		return d.Response.lookup(e)
	case RootURL:
		return present(d.Request != nil, func() any { return d.Request.URL })
	case RootMethod:
		return present(d.Request != nil, func() any { return d.Request.Method })
	case RootStatusCode:
		return present(d.Response != nil, func() any { return json.Number(strconv.Itoa(d.Response.Status)) })
	case RootSelf:
		return d.Self, d.Self != ""
	case RootSources:
		return d.source(e)
	}
	return nil, false
}

func present(ok bool, get func() any) (any, bool) {
	if !ok {
		return nil, false
	}
	return get(), true
}

func (d Data) source(e Expression) (any, bool) {
	src, ok := d.Sources[e.Owner]
	switch {
	case ok && e.Name == "url":
		return src.URL, true
	case ok && e.Name == "type":
		return src.Type, true
	}
	return nil, false
}

func (r *Request) lookup(e Expression) (any, bool) {
	if r == nil {
		return nil, false
	}
	switch e.Part {
	case "header":
		return header(r.Header, e.Name)
	case "query":
		v, ok := r.Query[e.Name]
		return v, ok
	case "path":
		v, ok := r.Path[e.Name]
		return v, ok
	}
	return r.Body, r.HasBody
}

func (r *Response) lookup(e Expression) (any, bool) {
	if r == nil {
		return nil, false
	}
	if e.Part == "header" {
		return header(r.Header, e.Name)
	}
	return r.Body, r.HasBody
}

// Text returns the response body as received.
func (d Data) Text(e Expression) (string, bool) {
	if e.Root != RootResponse || e.Part != "body" || d.Response == nil {
		return "", false
	}
	return d.Response.Text, d.Response.Text != ""
}

// header finds a header without regard to case.
func header(h map[string][]string, name string) (any, bool) {
	values, ok := h[textproto.CanonicalMIMEHeaderKey(name)]
	if !ok {
		// The map need not have canonical keys; sorting keeps the result stable
		// when it holds one name in two spellings.
		var keys []string
		for k := range h {
			if strings.EqualFold(k, name) {
				keys = append(keys, k)
			}
		}
		sort.Strings(keys)
		for _, k := range keys {
			values = append(values, h[k]...)
		}
	}
	switch len(values) {
	case 0:
		return nil, false
	case 1:
		return values[0], true
	}
	return strings.Join(values, ", "), true
}

// maxParts bounds the dots (and dashes) at which a name is tried to be cut:
// each try costs the length of the name.
const maxParts = 64

// named returns m's value for a name, or for its longest part before a dot
// from which the rest leads to a value (A8).
func named(m map[string]any, name string) (any, bool) {
	if v, ok := m[name]; ok {
		return v, true
	}
	if strings.Count(name, ".") > maxParts {
		return nil, false
	}
	for end := strings.LastIndexByte(name, '.'); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		v, ok := m[name[:end]]
		if !ok {
			continue
		}
		if found, ok := value.Pointer(strings.Split(name[end+1:], ".")).Get(v); ok {
			return found, true
		}
	}
	return nil, false
}

// Explain says which part of the way to e's value is missing.
func (d Data) Explain(e Expression) string {
	switch e.Root {
	case RootInputs:
		return fmt.Sprintf("the input %s was not given", e.Name)
	case RootOutputs:
		return fmt.Sprintf("the workflow has no output %s yet", e.Name)
	case RootSteps:
		if _, ran := d.Steps[e.Owner]; !ran {
			return fmt.Sprintf("the step %s has not run", e.Owner)
		}
		return fmt.Sprintf("the step %s gave no output %s", e.Owner, e.Name)
	case RootWorkflows:
		if _, ran := d.Workflows[e.Owner]; !ran {
			return fmt.Sprintf("the workflow %s has not run", e.Owner)
		}
		return fmt.Sprintf("the workflow %s has no %s %s", e.Owner, strings.TrimSuffix(e.Part, "s"), e.Name)
	case RootRequest, RootURL, RootMethod:
		return explainMessage("request", d.Request != nil, e)
	case RootResponse, RootStatusCode:
		return explainMessage("response", d.Response != nil, e)
	case RootSelf:
		return "the document has no $self"
	case RootSources:
		if _, ok := d.Sources[e.Owner]; !ok {
			return fmt.Sprintf("there is no source %s", e.Owner)
		}
		return fmt.Sprintf("%s is an identifier, not a value", e.Name)
	}
	return ""
}

func explainMessage(message string, exists bool, e Expression) string {
	switch {
	case !exists:
		return fmt.Sprintf("there is no %s at this point", message)
	case e.Part == "body":
		return fmt.Sprintf("the %s has no body", message)
	case e.Part == "header":
		return fmt.Sprintf("the %s has no header %s", message, e.Name)
	}
	return fmt.Sprintf("the %s has no %s parameter %s", message, e.Part, e.Name)
}
