package arazzo

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

//go:embed schema/arazzo-1.0.yaml schema/arazzo-1.1.yaml
var schemaFiles embed.FS

// officialSchemas are the published schemas by minor version, compiled when
// they are first asked for.
var officialSchemas = [...]func() (*jsonschema.Schema, error){
	sync.OnceValues(func() (*jsonschema.Schema, error) { return compileOfficial("schema/arazzo-1.0.yaml", relax10) }),
	sync.OnceValues(func() (*jsonschema.Schema, error) { return compileOfficial("schema/arazzo-1.1.yaml", relax11) }),
}

// The published schemas contradict the text in places. relax10 and relax11
// replace those parts, named by JSON Pointer, before the schema is compiled.
var (
	relax10 = map[string]any{
		// The text has an object as type; the schema looks for version beside it.
		"/$defs/criterion-object/anyOf": []any{map[string]any{"properties": map[string]any{
			"version": map[string]any{"type": "string"},
			"type": map[string]any{"oneOf": []any{
				map[string]any{"enum": []any{"simple", "regex", "jsonpath", "xpath"}},
				map[string]any{"$ref": "#/$defs/criterion-expression-type-object"},
			}},
		}}},
		// The text's own example has value: 10.
		"/$defs/payload-replacement-object/properties/value": true,
		// Later schemas let a simple criterion say its type without a context.
		"/$defs/criterion-object/dependentRequired": map[string]any{},
		// The text has further fields of a reference ignored (N7).
		"/$defs/reusable-object/unevaluatedProperties": true,
	}
	relax11 = map[string]any{
		"/$defs/parameter-object/properties/value":           true, // a plain object
		"/$defs/payload-replacement-object/properties/value": true,
		"/$defs/criterion-object/dependentRequired":          map[string]any{},
		"/$defs/reusable-object/unevaluatedProperties":       true,
	}
)

// compileOfficial compiles one of the embedded schemas.
func compileOfficial(name string, relax map[string]any) (*jsonschema.Schema, error) {
	text, err := schemaFiles.ReadFile(name)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the schema %s is not embedded", name)
	}
	root, err := value.ParseYAML(text, name)
	if err != nil {
		return nil, err
	}
	schema := value.FromYAML(root)
	for pointer, v := range relax {
		p, err := value.ParsePointer(pointer)
		if err != nil {
			return nil, err
		}
		if schema, err = p.Set(schema, v); err != nil {
			return nil, err
		}
	}
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(ecmaRegexp)
	if err := c.AddResource(name, schema); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the schema %s is not valid", name)
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the schema %s does not compile", name)
	}
	return compiled, nil
}

// ecmaPattern is an ECMA-262 pattern: the 1.1 schema uses a look-ahead, which
// Go's own regexp does not know.
type ecmaPattern struct{ re *regexp2.Regexp }

func ecmaRegexp(pattern string) (jsonschema.Regexp, error) {
	re, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = time.Second
	return ecmaPattern{re}, nil
}

// MatchString reports false when the pattern takes too long.
func (p ecmaPattern) MatchString(s string) bool {
	ok, err := p.re.MatchString(s)
	return ok && err == nil
}

func (p ecmaPattern) String() string { return p.re.String() }

// official runs the official JSON Schema and reports what it says of places
// where nothing else was found: Parse and Check say the same in plainer words.
func (c *checker) official() {
	schema, err := officialSchemas[c.doc.Minor]()
	if err != nil {
		c.out.find(Error, "schema", c.doc.Pos).say("the official schema cannot be used: %s", fault.Public(err))
		return
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(value.FromYAML(c.doc.Root)); !errors.As(err, &invalid) {
		return
	}
	// What Parse found is found again here: its diagnostics are not at hand.
	r := reader{doc: &Document{Pos: c.doc.Pos, Root: c.doc.Root, Text: c.doc.Text, Original: c.doc.Original, source: c.doc.source, moves: c.doc.moves}}
	r.document()
	known := append(slices.Clone(r.out.list), c.out.list...)
	for _, cause := range leaves(invalid) {
		n := c.schemaNode(cause)
		if n == nil || c.covered(n, cause, known) || onlyComputes(n, cause) {
			continue
		}
		c.out.find(Error, "schema", c.doc.At(n)).say("%s", schemaMessage(cause))
	}
}

// onlyComputes reports whether what an error misses is the call of a step that
// makes none (x-lanyard-compute).
func onlyComputes(n *yaml.Node, e *jsonschema.ValidationError) bool {
	missing, ok := e.ErrorKind.(*kind.Required)
	return ok && mapValue(n, ComputeExtension) != nil && !slices.Contains(missing.Missing, "stepId")
}

// leaves returns the causes of a validation error. Of alternatives it follows
// the one that got furthest: its errors are those the author will understand.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	switch e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf:
		var best []*jsonschema.ValidationError
		for _, cause := range e.Causes {
			got := leaves(cause)
			if best == nil || depth(got) > depth(best) || depth(got) == depth(best) && len(got) < len(best) {
				best = got
			}
		}
		return best
	}
	var out []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		out = append(out, leaves(cause)...)
	}
	return out
}

func depth(list []*jsonschema.ValidationError) int {
	deepest := 0
	for _, e := range list {
		deepest = max(deepest, len(e.InstanceLocation))
	}
	return deepest
}

// schemaNode is the node that an error speaks of; for an unknown field, the
// field's name.
func (c *checker) schemaNode(e *jsonschema.ValidationError) *yaml.Node {
	n := c.schemas.nodeAt(c.doc.Root, e.InstanceLocation)
	extra, ok := e.ErrorKind.(*kind.AdditionalProperties)
	if !ok || n == nil || n.Kind != yaml.MappingNode {
		return n
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if slices.Contains(extra.Properties, deref(n.Content[i]).Value) {
			return n.Content[i]
		}
	}
	return n
}

// covered reports whether an error was found at the node, inside it, or at the
// object or list around it.
func (c *checker) covered(n *yaml.Node, e *jsonschema.ValidationError, known []Diagnostic) bool {
	around := n
	if len(e.InstanceLocation) > 0 {
		around = c.schemas.nodeAt(c.doc.Root, e.InstanceLocation[:len(e.InstanceLocation)-1])
	}
	if around == nil || around == deref(c.doc.Root) {
		around = n
	}
	places := map[Pos]bool{}
	collectPlaces(c.doc, around, places, 0)
	return slices.ContainsFunc(known, func(d Diagnostic) bool { return d.Severity == Error && places[d.Pos] })
}

func collectPlaces(d *Document, n *yaml.Node, out map[Pos]bool, depth int) {
	if depth > value.MaxDepth {
		return
	}
	out[d.At(n)] = true
	for _, child := range n.Content {
		collectPlaces(d, child, out, depth+1)
	}
}

// schemaMessage words an error of the validator.
func schemaMessage(e *jsonschema.ValidationError) string {
	where := "the document"
	if len(e.InstanceLocation) > 0 {
		where = strings.Join(e.InstanceLocation, ".")
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return fmt.Sprintf("%s needs the field %s", where, strings.Join(k.Missing, ", "))
	case *kind.AdditionalProperties:
		return fmt.Sprintf("%s has no field %s", where, strings.Join(k.Properties, ", "))
	case *kind.FalseSchema:
		return fmt.Sprintf("%s must not be there", where)
	}
	return where + ": " + e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
}
