package openapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

const (
	maxDefault = 4 << 10 // bytes of a parameter's default worth keeping
	maxMedia   = 64      // media types of one body or response
)

// operation is an operation being read.
type operation struct {
	*reader
	node node
	op   Operation
	form []formField // Swagger: parameters that are parts of a form body
}

// doubt records a part that cannot be read.
func (o *operation) doubt(what string, bad *fault.Error) {
	const most = 20
	if len(o.op.Problems) < most {
		o.op.Problems = append(o.op.Problems, what+": "+bad.Msg)
	}
}

// readParameter is a Parameter Object as read, with what Swagger keeps there.
type readParameter struct {
	Parameter
	schema node
	bad    *fault.Error
}

// readParameters merges the path item's parameters with the operation's own,
// which win by name and place.
func (o *operation) readParameters(inherited node) {
	type key struct{ in, name string }
	at := map[key]int{}
	for _, list := range []node{inherited, o.node.get("parameters")} {
		i := 0
		for n := range list.items() {
			i++
			if !o.spend(1) {
				return
			}
			p := o.parameter(n)
			switch {
			case p.bad != nil:
				o.doubt("parameter "+strconv.Itoa(i), p.bad)
				continue
			case p.In == "body":
				o.swaggerBody(p)
				continue
			case p.In == "formData":
				o.form = append(o.form, formField{p})
				continue
			}
			k := key{p.In, p.Name}
			if p.In == "header" {
				k.name = strings.ToLower(p.Name)
			}
			if have, ok := at[k]; ok {
				o.op.Parameters[have] = p.Parameter
				continue
			}
			at[k] = len(o.op.Parameters)
			o.op.Parameters = append(o.op.Parameters, p.Parameter)
		}
	}
}

func (r *reader) parameter(n node) readParameter {
	n, bad := r.deref(n)
	if bad != nil {
		return readParameter{bad: bad}
	}
	p, ok := r.parameters[n]
	if !ok {
		p = r.newParameter(n)
		r.parameters[n] = p
	}
	return p
}

func (r *reader) newParameter(n node) readParameter {
	p := readParameter{Parameter: Parameter{
		Name:          n.get("name").text(),
		In:            n.get("in").text(),
		Required:      n.get("required").isTrue(),
		AllowReserved: n.get("allowReserved").isTrue(),
	}}
	if p.Name == "" {
		p.bad = fault.New(fault.Invalid, "it has no name")
		return p
	}
	p.schema = n.get("schema")
	switch {
	case p.schema.exists():
	case n.get("content").isObject():
		for contentType, media := range n.get("content").pairs() {
			p.ContentType, p.schema = contentType, media.get("schema")
			break
		}
	default:
		p.schema = n // Swagger 2.0 writes type, items and format into the parameter
	}
	switch p.In {
	case "path":
		p.Required = true
	case "query", "querystring", "header", "cookie", "body", "formData":
	default:
		p.bad = fault.New(fault.Invalid, "%q is in %q, which is not a place", clip(p.Name), clip(p.In))
		return p
	}
	p.Style, p.Explode = r.style(n, p.In)
	if schema, bad := r.deref(p.schema); bad == nil {
		p.schema = schema
		p.Type = r.jsonType(schema, nil)
		p.Secret = marked(schema)
		if d := schema.get("default"); d.exists() {
			if text, err := value.Encode(d.value()); err == nil && len(text) <= maxDefault {
				p.Default = json.RawMessage(text)
			}
		}
	}
	return p
}

// stylesIn lists the styles that make sense in each place, the default first
// (OpenAPI 3.2 4.12.6). The delimited ones are accepted everywhere, because
// Swagger's collectionFormat allows them everywhere.
var stylesIn = map[string][]string{
	"path":        {"simple", "label", "matrix", "spaceDelimited", "pipeDelimited", "tabDelimited"},
	"query":       {"form", "spaceDelimited", "pipeDelimited", "deepObject", "tabDelimited"},
	"querystring": {"form"},
	"header":      {"simple", "spaceDelimited", "pipeDelimited", "tabDelimited"},
	"cookie":      {"form", "cookie"},
	"body":        {"form"},
	"formData":    {"form", "spaceDelimited", "pipeDelimited", "deepObject", "tabDelimited"},
}

// style returns the serialisation of a Parameter Object in the given place. A
// style that does not belong there counts as not written.
func (r *reader) style(n node, in string) (style string, explode bool) {
	style = n.get("style").text()
	switch n.get("collectionFormat").text() {
	case "multi":
		return "form", true
	case "ssv":
		style = "spaceDelimited"
	case "tsv":
		style = "tabDelimited"
	case "pipes":
		style = "pipeDelimited"
	}
	if !slices.Contains(stylesIn[in], style) {
		style = stylesIn[in][0]
	}
	switch e := n.get("explode"); {
	case e.exists():
		explode = e.isTrue()
	case r.swagger: // csv unless said otherwise
	default:
		explode = style == "form" || style == "cookie"
	}
	return style, explode
}

func (o *operation) readBody() {
	switch {
	case len(o.form) > 0:
		o.formBody()
		return
	case o.op.Body != nil: // Swagger: was a parameter
		return
	}
	n := o.node.get("requestBody")
	if !n.exists() {
		return
	}
	n, bad := o.deref(n)
	if bad != nil {
		o.doubt("request body", bad)
		return
	}
	o.op.Body = &Body{Required: n.get("required").isTrue()}
	for mediaType, n := range n.get("content").pairs() {
		if len(o.op.Body.Media) == maxMedia {
			break
		}
		if n, bad = o.deref(n); bad != nil { // OpenAPI 3.2 has components.mediaTypes
			o.doubt("request body "+clip(mediaType), bad)
		}
		m := o.mediaOf(mediaType, n.get("schema"))
		m.Encoding = encodings(n.get("encoding"))
		o.op.Body.Media = append(o.op.Body.Media, m)
	}
}

// mediaOf describes a body of one media type with the given schema.
func (r *reader) mediaOf(mediaType string, schema node) Media {
	s := r.shape(schema)
	m := Media{Type: mediaType, Required: s.required, Secrets: r.secrets.in(schema)}
	if !s.open {
		m.Props = s.props
	}
	for _, list := range [][]string{m.Props, m.Required, m.Secrets} {
		for _, name := range list {
			r.spend(len(name))
		}
	}
	return m
}

func encodings(list node) map[string]Encoding {
	var out map[string]Encoding
	for name, n := range list.pairs() {
		e := Encoding{ContentType: n.get("contentType").text(), Style: n.get("style").text(), Explode: n.get("explode").isTrue()}
		if !n.get("explode").exists() {
			e.Explode = e.Style == "" || e.Style == "form"
		}
		if out == nil {
			out = map[string]Encoding{}
		}
		out[name] = e
	}
	return out
}

func (o *operation) readResponses() {
	for status, n := range o.node.get("responses").pairs() {
		if status = statusKey(status); status == "" {
			continue
		}
		if o.op.Responses == nil {
			o.op.Responses = map[string]*Response{}
		}
		response := &Response{}
		o.op.Responses[status] = response
		n, bad := o.deref(n)
		if bad != nil || !o.spend(1) {
			continue // it may come, that is all we know
		}
		if o.swagger {
			o.swaggerResponse(response, n)
			continue
		}
		secrets := false
		for mediaType, n := range n.get("content").pairs() {
			if len(response.Media) == maxMedia {
				break
			}
			response.Media = append(response.Media, mediaType)
			if n, bad := o.deref(n); bad == nil && !secrets && IsJSON(mediaType) {
				response.Secrets, secrets = o.secrets.in(n.get("schema")), true
			}
		}
	}
}

// statusKey returns "200", "2XX" or "default", or "" for what is no status.
func statusKey(s string) string {
	s = strings.ToUpper(s)
	switch {
	case s == "DEFAULT":
		return "default"
	case len(s) != 3 || s[0] < '1' || s[0] > '5':
		return ""
	case s[1:] == "XX" || s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9':
		return s
	}
	return ""
}

// SuccessStatuses returns the 2xx statuses that the operation declares one by
// one, in ascending order; a range "2XX" lists none.
func (op *Operation) SuccessStatuses() []int {
	var out []int
	for key := range op.Responses {
		if n, err := strconv.Atoi(key); err == nil && n/100 == 2 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// Declares reports whether the description says that the operation may answer
// with the status: by itself, in a range, or through "default". A default
// beside declared successes describes the errors, so it does not vouch for
// another success: a service that declares 201 and default does not declare 200.
func (op *Operation) Declares(status int) bool {
	if op.Responses[strconv.Itoa(status)] != nil || op.Responses[fmt.Sprintf("%dXX", status/100)] != nil {
		return true
	}
	return op.Responses["default"] != nil && (status/100 != 2 || len(op.SuccessStatuses()) == 0)
}
