package openapi

import (
	"slices"
	"strings"
)

// mediaTypes are Swagger's consumes and produces.
type mediaTypes struct{ consumes, produces []string }

// formField is a Swagger parameter in formData.
type formField struct{ readParameter }

// swaggerServers joins schemes, host and basePath. https comes first when it
// is offered; without schemes the scheme is that of the document's URL.
func swaggerServers(root node, schemes []string) []Server {
	host, base := root.get("host").text(), root.get("basePath").text()
	if base != "" && base[0] != '/' {
		base = "/" + base
	}
	if host == "" {
		if base == "" {
			return nil
		}
		return []Server{{URL: base}}
	}
	if len(schemes) == 0 {
		return []Server{{URL: "//" + host + base}}
	}
	slices.SortStableFunc(schemes, func(a, b string) int { return rank(a) - rank(b) })
	var out []Server
	for _, scheme := range schemes {
		out = append(out, Server{URL: strings.ToLower(scheme) + "://" + host + base})
	}
	return out
}

func rank(scheme string) int {
	if strings.EqualFold(scheme, "https") {
		return 0
	}
	return 1
}

func (o *operation) readSwaggerServers() {
	if schemes := o.node.get("schemes").texts(); len(schemes) > 0 {
		o.op.Servers = swaggerServers(o.root, schemes)
	}
}

func (o *operation) consumes() []string {
	if own := o.node.get("consumes"); own.isArray() {
		return own.texts()
	}
	return o.media.consumes
}

// swaggerBody makes a request body of a parameter "in: body".
func (o *operation) swaggerBody(p readParameter) {
	types := o.consumes()
	if len(types) == 0 {
		types = []string{"application/json"}
	}
	o.op.Body = &Body{Required: p.Required}
	for _, t := range types[:min(len(types), maxMedia)] {
		o.op.Body.Media = append(o.op.Body.Media, o.mediaOf(t, p.schema))
	}
}

// formBody makes a request body of the parameters "in: formData".
func (o *operation) formBody() {
	m := Media{Encoding: map[string]Encoding{}}
	file := false
	for _, f := range o.form {
		m.Props = append(m.Props, f.Name)
		if f.Required {
			m.Required = append(m.Required, f.Name)
		}
		if f.Secret {
			m.Secrets = append(m.Secrets, pointerTo(f.Name))
		}
		m.Encoding[f.Name] = Encoding{Style: f.Style, Explode: f.Explode}
		file = file || f.Type == "file"
	}
	const form, multipart = "application/x-www-form-urlencoded", "multipart/form-data"
	types := slices.DeleteFunc(slices.Clone(o.consumes()), func(t string) bool { return t != form && t != multipart })
	switch {
	case file: // only multipart can carry it
		types = []string{multipart}
	case len(types) == 0:
		types = []string{form}
	}
	o.op.Body = &Body{Required: len(m.Required) > 0}
	for _, t := range types[:min(len(types), maxMedia)] {
		m.Type = t
		o.op.Body.Media = append(o.op.Body.Media, m)
	}
}

func (o *operation) swaggerResponse(response *Response, n node) {
	schema := n.get("schema")
	if !schema.exists() {
		return
	}
	response.Media = o.media.produces
	if own := o.node.get("produces"); own.isArray() {
		response.Media = own.texts()
	}
	response.Media = response.Media[:min(len(response.Media), maxMedia)]
	response.Secrets = o.secrets.in(schema)
}
