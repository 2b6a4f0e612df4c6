package arazzo

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/value"
)

// keywordShape is what the value of a JSON Schema keyword must look like.
type keywordShape int

const (
	shapeSchema    keywordShape = iota + 1
	shapeSchemas                // non-empty list of schemas
	shapeSchemaMap              // object of schemas
	shapeText
	shapeTexts // list of different texts
	shapeTextsMap
	shapeBool
	shapeNumber
	shapePositive // number above zero
	shapeCount    // whole number, not negative
	shapeList
	shapeTypes // the keyword type
	shapeAnchor
)

// keywordShapes is the JSON Schema 2020-12 meta-schema, as far as shapes go.
// Keywords that are not here may hold anything.
var keywordShapes = map[string]keywordShape{
	"$id": shapeText, "$schema": shapeText, "$ref": shapeText, "$dynamicRef": shapeText, "$comment": shapeText,
	"$anchor": shapeAnchor, "$dynamicAnchor": shapeAnchor, "$defs": shapeSchemaMap, "definitions": shapeSchemaMap,
	"prefixItems": shapeSchemas, "allOf": shapeSchemas, "anyOf": shapeSchemas, "oneOf": shapeSchemas,
	"items": shapeSchema, "contains": shapeSchema, "additionalProperties": shapeSchema, "propertyNames": shapeSchema,
	"if": shapeSchema, "then": shapeSchema, "else": shapeSchema, "not": shapeSchema,
	"unevaluatedItems": shapeSchema, "unevaluatedProperties": shapeSchema, "contentSchema": shapeSchema,
	"properties": shapeSchemaMap, "patternProperties": shapeSchemaMap, "dependentSchemas": shapeSchemaMap,
	"type": shapeTypes, "enum": shapeList, "examples": shapeList, "required": shapeTexts, "dependentRequired": shapeTextsMap,
	"multipleOf": shapePositive, "maximum": shapeNumber, "exclusiveMaximum": shapeNumber, "minimum": shapeNumber, "exclusiveMinimum": shapeNumber,
	"maxLength": shapeCount, "minLength": shapeCount, "maxItems": shapeCount, "minItems": shapeCount, "maxContains": shapeCount,
	"minContains": shapeCount, "maxProperties": shapeCount, "minProperties": shapeCount,
	"pattern": shapeText, "format": shapeText, "title": shapeText, "description": shapeText,
	"contentEncoding": shapeText, "contentMediaType": shapeText,
	"uniqueItems": shapeBool, "deprecated": shapeBool, "readOnly": shapeBool, "writeOnly": shapeBool,
}

var (
	schemaTypes   = []string{"string", "number", "integer", "boolean", "object", "array", "null"}
	anchorPattern = regexp.MustCompile(`^[A-Za-z_][-A-Za-z0-9._]*$`)
)

// schema checks the shape of a JSON Schema. Whether it compiles (patterns,
// references) is found when the inputs are prepared.
func (r *reader) schema(n *yaml.Node, depth int) {
	at := r.doc.At(n)
	n = deref(n)
	if depth > value.MaxDepth {
		return
	}
	if n.Kind != yaml.MappingNode {
		if _, ok := value.FromYAML(n).(bool); !ok || n.Kind != yaml.ScalarNode {
			r.bad(at, "a JSON Schema must be an object or a boolean, this is %s", kindName(n))
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyword := deref(n.Content[i]).Value
		if shape := keywordShapes[keyword]; shape != 0 {
			r.keyword(keyword, shape, n.Content[i+1], depth)
		}
	}
}

func (r *reader) keyword(keyword string, shape keywordShape, n *yaml.Node, depth int) {
	at := r.doc.At(n)
	want := ""
	switch v := deref(n); shape {
	case shapeSchema:
		r.schema(n, depth+1)
	case shapeSchemas:
		r.filled(n, keyword, 0, func(n *yaml.Node) { r.schema(n, depth+1) })
	case shapeSchemaMap:
		r.named(n, keyword, func(_, v *yaml.Node) { r.schema(v, depth+1) })
	case shapeText, shapeAnchor:
		s := r.str(n, keyword)
		if shape == shapeAnchor && s.Node != nil && !anchorPattern.MatchString(s.Value) {
			want = "a name of letters, digits, - . and _"
		}
	case shapeTexts:
		r.unique(r.list(n, keyword, 0, func(n *yaml.Node) { r.str(n, "an item of "+keyword) }), "name")
	case shapeTextsMap:
		r.named(n, keyword, func(_, v *yaml.Node) { r.keyword(keyword, shapeTexts, v, depth+1) })
	case shapeBool:
		if _, ok := value.FromYAML(v).(bool); !ok || v.Kind != yaml.ScalarNode {
			want = "true or false"
		}
	case shapeNumber, shapePositive:
		if f, ok := number(v); !ok || shape == shapePositive && f <= 0 {
			want = "a number"
			if shape == shapePositive {
				want = "a number above zero"
			}
		}
	case shapeCount:
		if i, ok := integer(v); !ok || i < 0 {
			want = "a whole number, zero or more"
		}
	case shapeList:
		r.list(n, keyword, 0, func(*yaml.Node) {})
	case shapeTypes:
		r.types(n)
	}
	if want != "" {
		r.bad(at, "%s must be %s, this is %s", keyword, want, kindName(deref(n)))
	}
}

// types checks the keyword type: one type, or a list of different ones.
func (r *reader) types(n *yaml.Node) {
	one := func(n *yaml.Node) {
		s := r.str(n, "type")
		if _, isText := value.FromYAML(s.Node).(string); isText && !slices.Contains(schemaTypes, s.Value) {
			r.out.find(Error, "schema", s.Pos).fix("%s", didYouMean(s.Value, schemaTypes)).
				say("the type in a JSON Schema must be %s, this is %q", orList(schemaTypes), s.Value)
		}
	}
	if deref(n).Kind != yaml.SequenceNode {
		one(n)
		return
	}
	r.unique(r.filled(n, "type", 0, one), "type")
}

// number reads a JSON number, for comparing only.
func number(n *yaml.Node) (float64, bool) {
	if n == nil || n.Kind != yaml.ScalarNode {
		return 0, false
	}
	v, ok := value.FromYAML(n).(json.Number)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.String(), 64)
	return f, err == nil
}

// integer reads a whole number, also one written 3.0.
func integer(n *yaml.Node) (int64, bool) {
	const exact = 1 << 53
	f, ok := number(n)
	if !ok || f != math.Trunc(f) || f > exact || f < -exact {
		return 0, false
	}
	return int64(f), true
}
