package webtest

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/value"
)

// document is one OpenAPI 3.0 description. Its parts are read from the tree
// when they are asked for: the tests of one package use a small share.
type document struct {
	name       string // of the host in the URLs of its schemas
	root       *yaml.Node
	schemas    map[string]*yaml.Node
	values     map[string]map[string]any // of the schemas asked for
	operations []*operation
}

// operation is one method of a path.
type operation struct {
	doc      *document
	id       string
	method   string
	path     string
	segments []string
	node     *yaml.Node
}

func readDocument(name, file string) (*document, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseDocument(name, text)
}

func parseDocument(name string, text []byte) (*document, error) {
	root, err := value.ParseYAML(text, name)
	if err != nil {
		return nil, err
	}
	d := &document{name: name, root: root, schemas: map[string]*yaml.Node{}, values: map[string]map[string]any{}}
	for key, schema := range members(child(root, "components", "schemas")) {
		d.schemas[key] = schema
	}
	for path, item := range members(child(root, "paths")) {
		for method, node := range members(item) {
			switch method {
			case "get", "put", "post", "delete", "options", "head", "patch", "trace":
				d.operations = append(d.operations, &operation{
					doc: d, id: scalar(child(node, "operationId")), method: strings.ToUpper(method),
					path: path, segments: strings.Split(path, "/"), node: node,
				})
			}
		}
	}
	return d, nil
}

// members yields the members of an object in document order.
func members(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// child follows keys down; nil when there is nothing.
func child(n *yaml.Node, keys ...string) *yaml.Node {
	for _, want := range keys {
		var next *yaml.Node
		for key, member := range members(n) {
			if key == want {
				next = member
				break
			}
		}
		n = next
	}
	return n
}

func scalar(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

// resolve follows a reference within the document, if the node is one.
func (d *document) resolve(n *yaml.Node) (*yaml.Node, error) {
	for range 8 {
		ref := scalar(child(n, "$ref"))
		if ref == "" {
			return n, nil
		}
		keys := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		if n = child(d.root, keys...); n == nil {
			return nil, fmt.Errorf("%s refers to %s, which is not there", d.name, ref)
		}
	}
	return nil, fmt.Errorf("references in %s go round in a circle", d.name)
}

// schema returns a named schema as a JSON value, to be read only; nil when
// there is none.
func (d *document) schema(name string) map[string]any {
	if m, ok := d.values[name]; ok {
		return m
	}
	n, ok := d.schemas[name]
	if !ok {
		return nil
	}
	m, _ := value.FromYAML(n).(map[string]any)
	d.values[name] = m
	return m
}

// response is what an operation declares for one status: its media types, in
// document order, none without a body.
type response []media

type media struct {
	name   string
	schema any    // nil when there is none
	at     string // a name for the schema's URL
}

// String lists the media types.
func (r response) String() string {
	var names []string
	for _, m := range r {
		names = append(names, m.name)
	}
	return strings.Join(names, " or ")
}

// declared returns the statuses of an operation in document order.
func (o *operation) declared() []string {
	var out []string
	for status := range members(child(o.node, "responses")) {
		out = append(out, status)
	}
	return out
}

// answer returns what the operation declares for a status. A status of its
// own goes before a class such as 2XX, and that before default.
func (o *operation) answer(status int) (r response, ok bool, err error) {
	all := o.declared()
	for _, key := range []string{fmt.Sprint(status), fmt.Sprintf("%dXX", status/100), "default"} {
		if !slices.Contains(all, key) {
			continue
		}
		r, err = o.declaration(key)
		return r, true, err
	}
	return nil, false, nil
}

// declaration reads one of the declared responses.
func (o *operation) declaration(key string) (response, error) {
	n, err := o.doc.resolve(child(o.node, "responses", key))
	if err != nil {
		return nil, err
	}
	var r response
	for name, content := range members(child(n, "content")) {
		m := media{name: name, at: fmt.Sprintf("%s/%s/%d", o.id, key, len(r))}
		if s := child(content, "schema"); s != nil {
			m.schema = value.FromYAML(s)
		}
		r = append(r, m)
	}
	return r, nil
}

// match reports whether the operation serves a path, already split.
func (o *operation) match(method string, segments []string) bool {
	if o.method != method || len(o.segments) != len(segments) {
		return false
	}
	for i, want := range o.segments {
		if !isParameter(want) && want != segments[i] || isParameter(want) && segments[i] == "" {
			return false
		}
	}
	return true
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

// before reports whether o goes before other when both serve a path: the
// earlier literal segment wins, as OpenAPI 3.0 says of concrete paths.
func (o *operation) before(other *operation) bool {
	for i, s := range o.segments {
		if a, b := isParameter(s), isParameter(other.segments[i]); a != b {
			return b
		}
	}
	return false
}

// examples returns the examples of an answer that the description itself has,
// by name.
func (o *operation) examples(status string) (map[string]any, error) {
	answer, err := o.doc.resolve(child(o.node, "responses", status))
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, n := range members(child(answer, "content", "application/json", "examples")) {
		if n, err = o.doc.resolve(n); err != nil {
			return nil, err
		}
		if v := child(n, "value"); v != nil {
			out[name] = value.FromYAML(v)
		}
	}
	return out, nil
}
