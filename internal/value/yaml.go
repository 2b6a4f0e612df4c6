package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Limits of what is read as YAML. They bound time and memory on hostile input.
const (
	MaxYAML    = 16 << 20 // bytes of one document
	maxAliases = 10_000   // uses of aliases in one document, nested ones counted again
	maxAliased = 500_000  // values that aliases add
	maxMarks   = 2 << 20  // newlines, commas and colons: hardly a value comes without one
)

// ParseYAML reads one YAML (or JSON) document into a node tree with positions.
// file is the place named in errors. Duplicate keys, several documents, keys
// that are not strings and documents beyond the limits are errors.
func ParseYAML(data []byte, file string) (*yaml.Node, error) {
	if len(data) > MaxYAML {
		return nil, fault.New(fault.TooLarge, "the document has %d bytes, the limit is %d", len(data), MaxYAML).At("%s", file).
			Fix("split it, or name the part that is needed")
	}
	if marks(data) > maxMarks {
		// A node costs some two hundred bytes, a line with a dash two.
		return nil, fault.New(fault.TooLarge, "the document holds too many values").At("%s", file).
			Fix("split it, or name the part that is needed")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, "the document is empty").At("%s:1:1", file)
		}
		return nil, yamlError(err, file)
	}
	var more yaml.Node
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, fault.New(fault.Invalid, "a second document starts here; only one is allowed").
			At("%s:%d:%d", file, more.Line, more.Column)
	case !errors.Is(err, io.EOF):
		return nil, yamlError(err, file)
	}
	root := &doc
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		root = doc.Content[0]
	}
	c := treeCheck{file: file}
	if err := c.walk(root, 0); err != nil {
		return nil, err
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): `)

// yamlError gives the parser's message our form: the place first, no prefix.
func yamlError(err error, file string) error {
	msg, place := err.Error(), file
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		msg, place = msg[len(m[0]):], file+":"+m[1]+":1"
	}
	msg = strings.TrimPrefix(msg, "yaml: ")
	if strings.HasPrefix(msg, "exceeded max depth") {
		// The parser's own limit, which guards it against the nesting that the
		// tree is checked for later.
		return fault.New(fault.TooLarge, "nested deeper than %d levels", MaxDepth).At("%s", place)
	}
	return fault.New(fault.Invalid, "not well-formed YAML: %s", msg).At("%s", place)
}

// marks counts the bytes that separate values.
func marks(data []byte) int {
	n := 0
	for _, c := range data {
		if c == '\n' || c == ',' || c == ':' {
			n++
		}
	}
	return n
}

type treeCheck struct {
	file             string
	aliases, aliased int
	inAlias          bool
}

func (c *treeCheck) walk(n *yaml.Node, depth int) error {
	at := func(e *fault.Error) error { return e.At("%s:%d:%d", c.file, n.Line, n.Column) }
	if depth > MaxDepth {
		return at(fault.New(fault.TooLarge, "nested deeper than %d levels", MaxDepth))
	}
	if c.inAlias {
		if c.aliased++; c.aliased > maxAliased {
			return at(fault.New(fault.TooLarge, "aliases repeat more than %d values", maxAliased))
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		if c.aliases++; c.aliases > maxAliases {
			return at(fault.New(fault.TooLarge, "more than %d uses of aliases", maxAliases))
		}
		outer := c.inAlias
		c.inAlias = true
		err := c.walk(n.Alias, depth+1)
		c.inAlias = outer
		return err
	case yaml.MappingNode:
		return c.mapping(n, depth)
	}
	for _, child := range n.Content {
		if err := c.walk(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *treeCheck) mapping(n *yaml.Node, depth int) error {
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		at := func(e *fault.Error) error {
			return e.At("%s:%d:%d", c.file, n.Content[i].Line, n.Content[i].Column)
		}
		if key.Kind != yaml.ScalarNode {
			return at(fault.New(fault.Invalid, "a key must be a string"))
		}
		if key.Tag == "!!merge" {
			return at(fault.New(fault.Unsupported, "merge keys (<<) are not part of YAML's JSON schema").Fix("write the fields out"))
		}
		if seen[key.Value] {
			return at(fault.New(fault.Invalid, "the key %q stands twice", key.Value))
		}
		seen[key.Value] = true
		if err := c.walk(n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	return nil
}

var (
	yamlInt   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	yamlFloat = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?$`)
)

// FromYAML turns a node tree into a value by YAML's JSON schema (N2): plain
// scalars are null, true, false or a JSON number when they look exactly so,
// and strings otherwise. Dates, octals and yes/no stay the text they are.
func FromYAML(n *yaml.Node) any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return FromYAML(n.Alias)
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil
		}
		return FromYAML(n.Content[0])
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = FromYAML(item)
		}
		return out
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind == yaml.AliasNode {
				key = key.Alias
			}
			out[key.Value] = FromYAML(n.Content[i+1])
		}
		return out
	}
	return scalar(n)
}

func scalar(n *yaml.Node) any {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if n.Style&quoted != 0 || n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!str" {
		return n.Value
	}
	switch n.Value {
	case "", "null", "~", "Null", "NULL":
		return nil
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	if yamlInt.MatchString(n.Value) {
		return json.Number(n.Value)
	}
	if yamlFloat.MatchString(n.Value) && !strings.HasSuffix(n.Value, ".") {
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil || errors.Is(err, strconv.ErrRange) {
			// JSON wants a digit after the point: 1.e5 is 1.0e5.
			return json.Number(strings.NewReplacer(".e", ".0e", ".E", ".0E").Replace(n.Value))
		}
	}
	return n.Value
}
