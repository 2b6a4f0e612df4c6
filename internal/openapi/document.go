package openapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// reader turns a description into an Index. It lives for one Parse.
type reader struct {
	*resolver
	index      *Index
	swagger    bool                   // Swagger 2.0: servers, bodies and schemes are written differently
	media      mediaTypes             // Swagger: of the document
	parameters map[node]readParameter // each read once, however often it is referred to
	shapes     map[node]shape
	secrets    *secretFinder
}

func (r *reader) document() {
	r.parameters, r.shapes = map[node]readParameter{}, map[node]shape{}
	x, root := r.index, r.root
	if r.swagger {
		x.Servers = swaggerServers(root, root.get("schemes").texts())
		x.Schemes = r.schemes(root.get("securityDefinitions"))
		r.media = mediaTypes{root.get("consumes").texts(), root.get("produces").texts()}
	} else {
		x.Servers = servers(root.get("servers"))
		x.Schemes = r.schemes(root.get("components").get("securitySchemes"))
	}
	if len(x.Servers) == 0 {
		x.Servers = []Server{{URL: "/"}} // OpenAPI 3.1 4.8.1
	}
	x.security, x.hasSecurity = security(root.get("security"))
	for path, item := range root.get("paths").pairs() {
		if !strings.HasPrefix(path, "/") {
			continue // an extension, or not a path
		}
		r.pathItem(path, item)
		if r.exhausted() {
			return
		}
	}
}

// methods are the fields of a Path Item Object that hold operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}

// pathItem adds the operations of one path.
func (r *reader) pathItem(path string, item node) {
	layers, bad := r.layers(item)
	if bad != nil {
		r.index.broken = append(r.index.broken, brokenPath{Path: path, Kind: bad.Kind, Msg: bad.Msg, Remedy: bad.Remedy})
	}
	read := map[string]bool{} // methods: the path item itself comes before what it refers to
	add := func(method string, n node) {
		if !read[method] {
			read[method] = true
			r.operation(path, method, layers, n)
		}
	}
	for _, layer := range layers {
		for field, n := range layer.pairs() {
			switch {
			case slices.Contains(methods, field):
				add(strings.ToUpper(field), n)
			case field == "additionalOperations": // OpenAPI 3.2
				for method, n := range n.pairs() {
					if isToken(method) {
						add(method, n)
					}
				}
			}
		}
	}
}

// layers returns a path item and, behind it, what its $ref leads to. OpenAPI
// leaves fields beside a path item's $ref undefined; ours add to the target.
func (r *reader) layers(item node) ([]node, *fault.Error) {
	var out []node
	for range maxHops {
		out = append(out, item)
		ref := item.get("$ref")
		if !ref.exists() {
			return out, nil
		}
		t := r.follow(ref.text())
		if t.err != nil {
			return out, t.err
		}
		item = t.node
	}
	return nil, fault.New(fault.Invalid, "the path item's references go round in a circle")
}

func field(layers []node, name string) node {
	for _, layer := range layers {
		if n := layer.get(name); n.exists() {
			return n
		}
	}
	return node{}
}

// operation reads one operation and appends it to the index.
func (r *reader) operation(path, method string, layers []node, n node) {
	n, bad := r.deref(n)
	if bad != nil || !n.isObject() {
		return
	}
	o := &operation{reader: r, node: n, op: Operation{
		ID:         n.get("operationId").text(),
		Method:     method,
		Path:       path,
		Deprecated: n.get("deprecated").isTrue(),
	}}
	o.readParameters(field(layers, "parameters"))
	if r.swagger {
		o.readSwaggerServers()
	} else {
		o.readServers(layers)
	}
	o.readBody()
	o.readResponses()
	o.op.Security, o.op.HasSecurity = security(n.get("security"))
	r.append(&o.op)
}

// append stores an operation. What it has from the document stays with the
// document, to be filled in when the operation is asked for.
func (r *reader) append(op *Operation) {
	text, err := json.Marshal(op)
	if err != nil || !r.spend(len(text)) {
		return // cannot fail: every field is plain data
	}
	x := r.index
	x.entries = append(x.entries, entry{ID: op.ID, Method: op.Method, Path: op.Path, Size: len(text)})
	x.blob = append(x.blob, text...)
}

func servers(list node) []Server {
	var out []Server
	for n := range list.items() {
		s := Server{URL: n.get("url").text()}
		if s.URL == "" {
			continue
		}
		for name, v := range n.get("variables").pairs() {
			if s.Variables == nil {
				s.Variables = map[string]Variable{}
			}
			s.Variables[name] = Variable{Default: v.get("default").text(), Enum: v.get("enum").texts()}
		}
		out = append(out, s)
	}
	return out
}

func (o *operation) readServers(layers []node) {
	for _, list := range []node{o.node.get("servers"), field(layers, "servers")} {
		if own := servers(list); len(own) > 0 {
			o.op.Servers = own
			return
		}
	}
}

// security reads a list of alternatives, and whether one was written at all:
// an empty list means that no credential is needed.
func security(list node) (alternatives []map[string][]string, written bool) {
	for n := range list.items() {
		alternative := map[string][]string{}
		for name, scopes := range n.pairs() {
			alternative[name] = scopes.texts()
		}
		alternatives = append(alternatives, alternative)
	}
	return alternatives, list.isArray()
}

func (r *reader) schemes(list node) map[string]Scheme {
	out := map[string]Scheme{}
	for name, n := range list.pairs() {
		n, bad := r.deref(n)
		if bad != nil {
			continue // an operation that wants it names a scheme that is not there
		}
		s := Scheme{
			Name:         name,
			Type:         n.get("type").text(),
			In:           n.get("in").text(),
			HTTP:         strings.ToLower(n.get("scheme").text()),
			OpenIDConfig: n.get("openIdConnectUrl").text(),
		}
		switch s.Type {
		case "apiKey":
			s.Param = n.get("name").text()
		case "basic": // Swagger 2.0
			s.Type, s.HTTP = "http", "basic"
		case "oauth2":
			flow := n // Swagger 2.0 has one flow, written in the scheme itself
			if flows := n.get("flows"); flows.exists() {
				flow = preferredFlow(flows)
			}
			s.TokenURL, s.Scopes = flow.get("tokenUrl").text(), scopes(flow.get("scopes"))
		}
		out[name] = s
	}
	return out
}

// preferredFlow returns client credentials, the flow of a caller without a
// person, else the first flow that has a token endpoint.
func preferredFlow(flows node) node {
	if flow := flows.get("clientCredentials"); flow.exists() {
		return flow
	}
	var first node
	for _, flow := range flows.pairs() {
		if flow.get("tokenUrl").exists() {
			return flow
		}
		if !first.exists() {
			first = flow
		}
	}
	return first
}

func scopes(n node) map[string]string {
	var out map[string]string
	for name, meaning := range n.pairs() {
		if out == nil {
			out = map[string]string{}
		}
		out[name] = meaning.text()
	}
	return out
}

// sortedKeys returns a map's keys in order: whatever is made from a map here
// must come out the same every time.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
