package arazzo

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// InputsSchema returns the JSON Schema of a workflow's inputs as one value that
// stands on its own, nil when the workflow declares none. References into the
// document (#/components/inputs/x, any other pointer, and anchors) are turned
// into references to copies under $defs (N10). A pointer that leads nowhere
// from the document's root is tried from the schema's own root, because many
// authors write #/$defs/x.
//
// The error is an Invalid fault for a reference that leads nowhere, Unsupported
// for one to another document; its place is that of the reference.
func InputsSchema(d *Document, w *Workflow) (any, error) {
	return newSchemaIndex(d).inputsSchema(w)
}

func (x *schemaIndex) inputsSchema(w *Workflow) (any, error) {
	if !w.Inputs.Set() {
		return nil, nil
	}
	b := bundle{schemas: x.of(w.Inputs.Node), names: map[*yaml.Node]string{}, defs: map[string]any{}}
	b.ownDefs = deref(mapValue(w.Inputs.Node, "$defs"))
	schema := b.schema(w.Inputs.Node, false, 0)
	if b.err != nil {
		return nil, b.err
	}
	out, isObject := schema.(map[string]any)
	if !isObject || len(b.defs) == 0 {
		return schema, nil
	}
	own, _ := out["$defs"].(map[string]any)
	if own == nil {
		own = map[string]any{}
	}
	maps.Copy(own, b.defs)
	out["$defs"] = own
	return out, nil
}

// schemaIndex finds what references in the schemas of a document lead to.
type schemaIndex struct {
	doc     *Document
	anchors map[string][]anchor                  // nil until needed
	wide    map[*yaml.Node]map[string]*yaml.Node // of objects with many members
}

// anchor is an $anchor in the schema of some inputs.
type anchor struct {
	root, node *yaml.Node
}

func newSchemaIndex(d *Document) *schemaIndex {
	return &schemaIndex{doc: d, wide: map[*yaml.Node]map[string]*yaml.Node{}}
}

// schemas resolves the references of one workflow's inputs.
type schemas struct {
	*schemaIndex
	root *yaml.Node // of the inputs
}

func (x *schemaIndex) of(root *yaml.Node) schemas { return schemas{x, root} }

// resolve returns what a $ref names. own says that it can stay as it is in a
// schema made of root alone. The node is nil when there is none, or when it is
// in another document: then remote is set.
func (s schemas) resolve(ref string) (target *yaml.Node, own, remote bool) {
	fragment, isLocal := strings.CutPrefix(ref, "#")
	if !isLocal {
		return nil, false, true
	}
	if text, err := url.PathUnescape(fragment); err == nil {
		fragment = text
	}
	if fragment == "" {
		return s.root, true, false
	}
	if !strings.HasPrefix(fragment, "/") {
		return s.anchored(fragment)
	}
	p, err := value.ParsePointer(fragment)
	if err != nil {
		return nil, false, false
	}
	if n := s.nodeAt(s.doc.Root, p); n != nil {
		return n, false, false
	}
	return s.nodeAt(s.root, p), true, false
}

// anchored finds a schema by its $anchor: in the own schema, else anywhere in
// the document.
func (s schemas) anchored(name string) (target *yaml.Node, own, remote bool) {
	if s.anchors == nil {
		s.anchors = map[string][]anchor{}
		for _, c := range s.doc.Components.Inputs {
			s.collectAnchors(c.Item.Node, c.Item.Node, 0)
		}
		for _, w := range s.doc.Workflows {
			s.collectAnchors(w.Inputs.Node, w.Inputs.Node, 0)
		}
	}
	for _, a := range s.anchors[name] {
		if a.root == s.root {
			return a.node, true, false
		}
		if target == nil {
			target = a.node
		}
	}
	return target, false, false
}

func (x *schemaIndex) collectAnchors(root, n *yaml.Node, depth int) {
	if n == nil || depth > value.MaxDepth {
		return
	}
	if a := deref(mapValue(n, "$anchor")); a != nil && a.Kind == yaml.ScalarNode {
		x.anchors[a.Value] = append(x.anchors[a.Value], anchor{root, n})
	}
	for _, child := range n.Content {
		x.collectAnchors(root, child, depth+1) // aliases have no content: what they stand for is found where it is written
	}
}

// nodeAt follows a pointer through a node tree.
func (x *schemaIndex) nodeAt(n *yaml.Node, p value.Pointer) *yaml.Node {
	for _, token := range p {
		n = deref(n)
		switch {
		case n == nil:
			return nil
		case n.Kind == yaml.MappingNode:
			n = x.member(n, token)
		case n.Kind == yaml.SequenceNode:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(n.Content) || strconv.Itoa(i) != token {
				return nil
			}
			n = n.Content[i]
		default:
			return nil
		}
	}
	return deref(n)
}

// member is mapValue, fast for objects with many members.
func (x *schemaIndex) member(n *yaml.Node, key string) *yaml.Node {
	const few = 64
	if len(n.Content) <= few {
		return mapValue(n, key)
	}
	index := x.wide[n]
	if index == nil {
		index = make(map[string]*yaml.Node, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			index[deref(n.Content[i]).Value] = n.Content[i+1]
		}
		x.wide[n] = index
	}
	return index[key]
}

// bundle copies a schema and everything it refers to into one value.
type bundle struct {
	schemas
	ownDefs *yaml.Node            // the schema's own $defs, nil for none
	names   map[*yaml.Node]string // of the copies under $defs
	defs    map[string]any
	err     *fault.Error // the first
}

// schema copies a schema, its references rewritten. copied says that it is one
// of the copies under $defs: their anchors go, since the same anchor must not
// stand twice in one schema.
func (b *bundle) schema(n *yaml.Node, copied bool, depth int) any {
	n = deref(n)
	if n.Kind != yaml.MappingNode || depth > value.MaxDepth {
		return value.FromYAML(n)
	}
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := deref(n.Content[i]).Value, deref(n.Content[i+1])
		switch keywordShapes[key] {
		case shapeSchema:
			out[key] = b.schema(v, copied, depth+1)
			continue
		case shapeSchemaMap:
			out[key] = b.schemaMap(v, copied, depth+1)
			continue
		case shapeSchemas:
			if v.Kind == yaml.SequenceNode {
				list := make([]any, len(v.Content))
				for i, child := range v.Content {
					list[i] = b.schema(child, copied, depth+1)
				}
				out[key] = list
				continue
			}
		case shapeAnchor:
			if copied {
				continue
			}
		}
		out[key] = value.FromYAML(v)
		if key == "$ref" && v.Kind == yaml.ScalarNode {
			out[key] = b.reference(v)
		}
	}
	return out
}

func (b *bundle) schemaMap(n *yaml.Node, copied bool, depth int) any {
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		return value.FromYAML(n)
	}
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[deref(n.Content[i]).Value] = b.schema(n.Content[i+1], copied, depth+1)
	}
	return out
}

// reference returns what a $ref must say in the bundle, copying its target.
func (b *bundle) reference(n *yaml.Node) string {
	ref := n.Value
	target, own, remote := b.resolve(ref)
	switch {
	case remote:
		b.fail(n, fault.New(fault.Unsupported, "the schema of the inputs refers to %q in another document", ref).
			Fix("copy it to components.inputs and refer to #/components/inputs/<name>"))
		return ref
	case target == nil:
		b.fail(n, fault.New(fault.Invalid, "the schema of the inputs refers to %q, which is not there", ref))
		return ref
	case own:
		return ref
	}
	name, ok := b.names[target]
	if !ok {
		name = b.name(ref)
		b.names[target] = name
		b.defs[name] = true // taken, before the copy refers to it
		b.defs[name] = b.schema(target, true, 0)
	}
	return "#/$defs/" + name
}

func (b *bundle) fail(n *yaml.Node, err *fault.Error) {
	if b.err == nil {
		b.err = err.At("%s", b.doc.At(n))
	}
}

// name makes a key for $defs that needs no escapes out of a reference.
func (b *bundle) name(ref string) string {
	base := strings.Map(func(r rune) rune {
		if idPattern.MatchString(string(r)) || r == '.' {
			return r
		}
		return '_'
	}, ref[strings.LastIndexAny(ref, "/#")+1:])
	name := base
	for i := 2; ; i++ {
		if _, taken := b.defs[name]; !taken && mapValue(b.ownDefs, name) == nil {
			return name
		}
		name = base + "_" + strconv.Itoa(i)
	}
}

// input is one declared input of a workflow.
type input struct {
	name       string
	key        *yaml.Node // where it is declared
	schema     *yaml.Node
	required   bool
	hasDefault bool
}

// optional reports that the input may be absent in a run.
func (in *input) optional() bool { return !in.required && !in.hasDefault }

// inputSet is what a workflow's inputs are known to be.
type inputSet struct {
	declared bool // at least one property is declared, or none may be given
	open     bool // others may be given, by the author's word or by what we cannot see
	byName   map[string]*input
	list     []*input
}

// has reports whether an input of that name may exist.
func (s *inputSet) has(name string) bool {
	return !s.declared || s.open || s.byName[name] != nil
}

func (s *inputSet) names() []string { return slices.Sorted(maps.Keys(s.byName)) }

// inputsOf collects the declared inputs through references and combinations.
func (x *schemaIndex) inputsOf(w *Workflow) *inputSet {
	set := &inputSet{byName: map[string]*input{}}
	if !w.Inputs.Set() {
		return set
	}
	c := inputCollector{schemas: x.of(w.Inputs.Node), set: set, seen: map[*yaml.Node]bool{}}
	c.collect(w.Inputs.Node, true)
	for _, in := range set.list {
		in.hasDefault = c.hasDefault(in.schema, 0)
	}
	return set
}

type inputCollector struct {
	schemas
	set  *inputSet
	seen map[*yaml.Node]bool
}

// collect adds the properties of one schema. always says that the schema holds
// for every value, so that what it requires is required.
func (c *inputCollector) collect(n *yaml.Node, always bool) {
	n = deref(n)
	if n == nil || n.Kind != yaml.MappingNode || c.seen[n] {
		return
	}
	c.seen[n] = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := deref(n.Content[i]).Value, deref(n.Content[i+1])
		switch key {
		case "$ref":
			if target, _, _ := c.resolve(v.Value); target != nil {
				c.collect(target, always)
			} else {
				c.set.open = true
			}
		case "$dynamicRef":
			c.set.open = true
		case "properties":
			c.properties(v)
		case "patternProperties":
			c.set.open = c.set.open || len(v.Content) > 0
		case "additionalProperties", "unevaluatedProperties":
			if value.FromYAML(v) == false {
				c.set.declared = true
			} else {
				c.set.open = true
			}
		case "allOf", "anyOf", "oneOf":
			for _, child := range v.Content {
				c.collect(child, always && key == "allOf")
			}
		case "then", "else":
			c.collect(v, false)
		case "dependentSchemas":
			for k := 1; k < len(v.Content); k += 2 {
				c.collect(v.Content[k], false)
			}
		}
	}
	if !always {
		return
	}
	if required := deref(mapValue(n, "required")); required != nil {
		for _, name := range required.Content {
			if in := c.set.byName[deref(name).Value]; in != nil {
				in.required = true
			}
		}
	}
}

func (c *inputCollector) properties(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		c.set.declared = true
		name := deref(n.Content[i]).Value
		if c.set.byName[name] == nil {
			in := &input{name: name, key: n.Content[i], schema: deref(n.Content[i+1])}
			c.set.byName[name] = in
			c.set.list = append(c.set.list, in)
		}
	}
}

// hasDefault reports whether a schema, or one it refers to, has a default.
func (s schemas) hasDefault(n *yaml.Node, depth int) bool {
	const hops = 20
	if n == nil || depth > hops {
		return false
	}
	if mapValue(n, "default") != nil {
		return true
	}
	if ref := deref(mapValue(n, "$ref")); ref != nil {
		target, _, _ := s.resolve(ref.Value)
		return s.hasDefault(target, depth+1)
	}
	return false
}
