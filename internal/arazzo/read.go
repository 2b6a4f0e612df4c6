package arazzo

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Limits of one document, far above anything written by hand. They keep the
// analysis of hostile documents cheap.
const (
	maxWorkflows = 1000
	maxSteps     = 1000 // of one workflow
	maxActions   = 100  // of one list
)

// Parse reads an Arazzo document, YAML or JSON, and checks its structure: what
// the official JSON Schema of its version says, code "schema", and the version
// itself, "unsupported-version". file is the name used in places.
//
// The document is nil when the text is not well-formed or not an object;
// otherwise it holds what could be read, even next to errors.
//
// The checks are written out rather than run by a JSON Schema validator. The
// official schema takes 5-7 ms to compile, 30 times what reading a document
// takes, and its answers ("'oneOf' failed, none matched") name neither the
// field nor the remedy. CheckOptions.Schema runs it in addition, and a test
// holds the two against each other (schema_test.go).
func Parse(file string, data []byte) (*Document, []Diagnostic) {
	return parse(file, plainSlashes(data), nil)
}

// plainSlashes undoes the escape \/ of JSON, which YAML parsers do not know and
// some generators write for every slash. Text that is not JSON stays as it is.
func plainSlashes(data []byte) []byte {
	if !bytes.Contains(data, []byte(`\/`)) || !json.Valid(data) {
		return data
	}
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		if data[i] == '\\' {
			i++ // valid JSON: something follows
			if data[i] != '/' {
				out = append(out, '\\')
			}
		}
		out = append(out, data[i])
	}
	return out
}

// parse reads data, which moves lead back from to the file's own text.
func parse(file string, data []byte, moves []move) (*Document, []Diagnostic) {
	root, err := value.ParseYAML(data, file)
	if err != nil {
		return nil, []Diagnostic{unreadable(file, err)}
	}
	d := &Document{Pos: Pos{File: file}, Root: root, Text: data, Original: data, moves: moves}
	d.source = newSource(data)
	if len(moves) > 0 {
		d.Original = moves[len(moves)-1].before.text
	}
	r := reader{doc: d}
	r.document()
	return r.result()
}

// result is the document with all findings, no document when there is none.
func (r *reader) result() (*Document, []Diagnostic) {
	diags := r.out.sorted(r.doc.File)
	if r.doc.Root.Kind != yaml.MappingNode {
		return nil, diags
	}
	return r.doc, diags
}

// unreadable turns a failure of the YAML reader into a diagnostic at its place.
func unreadable(file string, err error) Diagnostic {
	d := Diagnostic{Pos: Pos{File: file}, Severity: Error, Code: "schema", Message: fault.Public(err)}
	var f *fault.Error
	if !errors.As(err, &f) {
		return d
	}
	d.Message, d.Remedy = f.Msg, f.Remedy
	line, col, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(f.Place, file), ":"), ":")
	d.Line, _ = strconv.Atoi(line)
	d.Col, _ = strconv.Atoi(col)
	return d
}

// reader fills a Document and notes what is wrong with its structure.
type reader struct {
	doc *Document
	out report
}

// field is one field an object may have.
type field struct {
	name     string
	required bool
	since    int // minor version that brought it
}

func (r *reader) bad(at Pos, format string, args ...any) {
	r.out.find(Error, "schema", at).say(format, args...)
}

// deref follows aliases at the top of n.
func deref(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// object hands every known field of a mapping to set. It reports a node that
// is no mapping, unknown fields, fields of a later version and missing ones.
// what names the object in messages, "a step". Extensions go to ext, and are
// unknown fields when ext is nil.
func (r *reader) object(n *yaml.Node, what string, fields []field, ext map[string]Any, set func(key string, v *yaml.Node)) bool {
	at := r.doc.At(n)
	n = deref(n)
	if n == nil || n.Kind != yaml.MappingNode {
		r.bad(at, "%s must be an object, this is %s", what, kindName(n))
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		name := deref(key).Value
		if strings.HasPrefix(name, "x-") && ext != nil {
			ext[name] = r.any(v)
			continue
		}
		k := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		switch {
		case k < 0:
			r.out.find(Error, "schema", r.doc.At(key)).fix("%s", suggestField(name, fields)).say("%s has no field %s", what, name)
		case fields[k].since > r.doc.Minor:
			r.out.find(Error, "schema", r.doc.At(key)).fix(`write "arazzo: 1.%d.0" at the top to use it`, fields[k].since).
				say("the field %s came with Arazzo 1.%d, and this document says %s", name, fields[k].since, r.doc.Arazzo.Value)
			set(name, v)
		default:
			set(name, v)
		}
	}
	for _, f := range fields {
		if f.required && mapValue(n, f.name) == nil {
			r.bad(at, "%s needs the field %s", what, f.name)
		}
	}
	return true
}

func suggestField(name string, fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return didYouMean(name, names)
}

// mapValue returns the value of a mapping's key, nil when it has none.
func mapValue(n *yaml.Node, key string) *yaml.Node {
	n = deref(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if deref(n.Content[i]).Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// kindName says in words what a node is.
func kindName(n *yaml.Node) string {
	if n == nil {
		return "nothing"
	}
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	}
	switch value.FromYAML(n).(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "text"
	}
	return "a number"
}

// any takes a field of any shape.
func (r *reader) any(n *yaml.Node) Any { return Any{Pos: r.doc.At(n), Node: deref(n)} }

// str takes a field that must be text.
func (r *reader) str(n *yaml.Node, what string) Str {
	at := r.doc.At(n)
	n = deref(n)
	if n.Kind != yaml.ScalarNode {
		r.bad(at, "%s must be text, this is %s", what, kindName(n))
		return Str{Pos: at}
	}
	s, ok := value.FromYAML(n).(string)
	if !ok {
		r.out.find(Error, "schema", at).fix("put it in quotes").say("%s must be text, this is %s", what, kindName(n))
		s = n.Value
	}
	return Str{Pos: at, Value: s, Node: n}
}

// text is str for fields whose place nobody needs.
func (r *reader) text(n *yaml.Node, what string) string { return r.str(n, what).Value }

// oneOf takes a text field with fixed values.
func (r *reader) oneOf(n *yaml.Node, what string, values ...string) Str {
	s := r.str(n, what)
	if _, isText := value.FromYAML(s.Node).(string); isText && !slices.Contains(values, s.Value) {
		r.out.find(Error, "schema", s.Pos).fix("%s", didYouMean(s.Value, values)).
			say("%s must be %s, this is %q", what, orList(values), s.Value)
	}
	return s
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// list hands each item of a list to item.
func (r *reader) list(n *yaml.Node, what string, limit int, item func(n *yaml.Node)) []*yaml.Node {
	at := r.doc.At(n)
	n = deref(n)
	if n.Kind != yaml.SequenceNode {
		r.bad(at, "%s must be a list, this is %s", what, kindName(n))
		return nil
	}
	items := n.Content
	if limit > 0 && len(items) > limit {
		r.bad(at, "%s has %d items, more than %d are not read", what, len(items), limit)
		items = items[:limit]
	}
	for _, child := range items {
		item(child)
	}
	return items
}

// filled is list for lists that must not be empty.
func (r *reader) filled(n *yaml.Node, what string, limit int, item func(n *yaml.Node)) []*yaml.Node {
	items := r.list(n, what, limit, item)
	if len(items) == 0 && deref(n).Kind == yaml.SequenceNode {
		r.bad(r.doc.At(n), "%s must not be empty", what)
	}
	return items
}

// unique reports items that stand twice in a list.
func (r *reader) unique(items []*yaml.Node, what string) {
	if len(items) < 2 {
		return
	}
	seen := make(map[string]bool, len(items))
	for _, n := range items {
		text, err := value.Encode(value.FromYAML(n))
		if err != nil {
			continue
		}
		if seen[string(text)] {
			r.bad(r.doc.At(n), "the same %s stands twice", what)
		}
		seen[string(text)] = true
	}
}

// strs takes a list of texts.
func (r *reader) strs(n *yaml.Node, what, each string) []Str {
	var out []Str
	r.list(n, what, maxSteps, func(n *yaml.Node) { out = append(out, r.str(n, each)) })
	return out
}

// named hands the entries of a map with free names to entry.
func (r *reader) named(n *yaml.Node, what string, entry func(key, v *yaml.Node)) {
	at := r.doc.At(n)
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		r.bad(at, "%s must be an object, this is %s", what, kindName(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		entry(n.Content[i], n.Content[i+1])
	}
}

var (
	versionPattern = regexp.MustCompile(`^1\.([01])\.[0-9]+(-.+)?$`)
	namePattern    = regexp.MustCompile(`^[a-zA-Z0-9.\-_]+$`) // outputs, components (N68)
	idPattern      = regexp.MustCompile(`^[A-Za-z0-9_\-]+$`)  // steps, workflows, sources
)

var (
	documentFields = []field{{name: "arazzo", required: true}, {name: "$self", since: 1}, {name: "info", required: true},
		{name: "sourceDescriptions", required: true}, {name: "workflows", required: true}, {name: "components"}}
	infoFields      = []field{{name: "title", required: true}, {name: "summary"}, {name: "description"}, {name: "version", required: true}}
	sourceFields    = []field{{name: "name", required: true}, {name: "url", required: true}, {name: "type"}}
	componentFields = []field{{name: "inputs"}, {name: "parameters"}, {name: "successActions"}, {name: "failureActions"}}
)

func (r *reader) document() {
	d := r.doc
	d.Pos = d.At(d.Root)
	if d.Root.Kind != yaml.MappingNode {
		r.bad(d.Pos, "an Arazzo document must be an object, this is %s", kindName(d.Root))
		return
	}
	if !r.version() {
		return
	}
	d.Extensions = map[string]Any{}
	r.object(d.Root, "an Arazzo document", documentFields, d.Extensions, func(key string, v *yaml.Node) {
		switch key {
		case "$self":
			d.Self = r.str(v, "$self")
		case "info":
			r.info(v)
		case "sourceDescriptions":
			r.filled(v, "sourceDescriptions", maxWorkflows, func(n *yaml.Node) { d.Sources = append(d.Sources, r.sourceDescription(n)) })
		case "workflows":
			r.filled(v, "workflows", maxWorkflows, func(n *yaml.Node) {
				if w := r.workflow(n); w != nil {
					d.Workflows = append(d.Workflows, w)
				}
			})
		case "components":
			r.components(v)
		}
	})
	d.Components.index()
}

// version reads the field arazzo and reports whether the rest can be read (N1).
func (r *reader) version() bool {
	d := r.doc
	n := mapValue(d.Root, "arazzo")
	if n == nil {
		f := r.out.find(Error, "schema", d.Pos)
		for _, other := range []string{"openapi", "swagger", "asyncapi"} {
			if mapValue(d.Root, other) != nil {
				f = f.fix("name it as a source of an Arazzo document")
				f.say("this is an %s document, not an Arazzo document", other)
				return false
			}
		}
		f.fix(`begin it with "arazzo: 1.0.1"`).say("the document does not say which version of Arazzo it is written in")
		return false
	}
	d.Arazzo = Str{Pos: d.At(n), Value: textOf(n), Node: deref(n)}
	m := versionPattern.FindStringSubmatch(d.Arazzo.Value)
	if m == nil {
		r.out.find(Error, "unsupported-version", d.Arazzo.Pos).fix("Arazzo 1.0 and 1.1 are supported: write 1.0.1 or 1.1.0").
			say("version %q of Arazzo is not supported", d.Arazzo.Value)
		return false
	}
	d.Minor = int(m[1][0] - '0')
	return true
}

func (r *reader) info(n *yaml.Node) {
	r.object(n, "info", infoFields, map[string]Any{}, func(key string, v *yaml.Node) {
		if s := r.text(v, "info."+key); key == "title" {
			r.doc.Title = s
		}
	})
}

func (r *reader) sourceDescription(n *yaml.Node) Source {
	s := Source{Pos: r.doc.At(n)}
	r.object(n, "a source description", sourceFields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "name":
			s.Name = r.str(v, "the name of a source")
			if s.Name.Node != nil && !idPattern.MatchString(s.Name.Value) {
				r.out.find(Error, "schema", s.Name.Pos).fix("use letters, digits, - and _ only").
					say("%q cannot be the name of a source", s.Name.Value)
			}
		case "url":
			s.URL = r.str(v, "the url of a source")
		case "type":
			if r.doc.Minor == 0 {
				s.Type = r.oneOf(v, "the type of a source", "openapi", "arazzo")
			} else {
				s.Type = r.oneOf(v, "the type of a source", "openapi", "arazzo", "asyncapi")
			}
		}
	})
	if s.Type.Value == "" {
		s.Type.Value = "openapi"
	}
	return s
}

func (r *reader) components(n *yaml.Node) {
	c := &r.doc.Components
	r.object(n, "components", componentFields, map[string]Any{}, func(key string, v *yaml.Node) {
		switch key {
		case "inputs":
			component(r, v, key, &c.Inputs, func(n *yaml.Node) Any {
				r.schema(n, 0)
				return r.any(n)
			})
		case "parameters":
			component(r, v, key, &c.Parameters, func(n *yaml.Node) Parameter { return r.parameter(n, false) })
		case "successActions":
			component(r, v, key, &c.SuccessActions, func(n *yaml.Node) Action { return r.action(n, success, false) })
		case "failureActions":
			component(r, v, key, &c.FailureActions, func(n *yaml.Node) Action { return r.action(n, failure, false) })
		}
	})
}

// component reads one map of components into out.
func component[T any](r *reader, n *yaml.Node, what string, out *[]Component[T], item func(*yaml.Node) T) {
	r.named(n, "components."+what, func(key, v *yaml.Node) {
		name := deref(key).Value
		if !namePattern.MatchString(name) {
			r.out.find(Error, "schema", r.doc.At(key)).fix("use letters, digits, . - and _ only").say("%q cannot be the name of a component", name)
		}
		*out = append(*out, Component[T]{Pos: r.doc.At(key), Name: name, Item: item(v)})
	})
}
