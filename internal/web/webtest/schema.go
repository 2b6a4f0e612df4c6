package webtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// OpenAPI 3.0 has a dialect of JSON Schema of its own. This file translates it
// into JSON Schema 2020-12, as it holds for answers:
//
//   - nullable adds null to the type beside it, and means nothing without one;
//     an enum must name null itself
//   - whatever stands beside $ref is ignored
//   - a writeOnly property must not be in an answer, and is not required
//   - the value of a discriminator names the schema that the object must fit;
//     with inheritance (a base with a discriminator, heirs with allOf of the
//     base) a reference to the base means one of the heirs
//   - int32 and int64 are ranges
//   - annotations and extensions are dropped

// Named schemas are resources of their own, so that only those in use are
// translated: the whole schema, and the bare one, without its discriminator,
// which heirs refer to.
const (
	whole = "whole"
	bare  = "bare"
)

const refPrefix = "#/components/schemas/"

func (d *document) url(variant, name string) string {
	return "openapi://" + d.name + "/" + variant + "/" + name
}

// translation turns schemas of one place in the document into JSON Schema.
type translation struct {
	doc  *document
	home string // the named schema being translated; "" in an operation
	bare bool   // leave out the discriminator of the outermost schema
}

// load translates a named schema, by the path of its URL: variant/name.
func (d *document) load(path string) (any, error) {
	variant, name, _ := strings.Cut(path, "/")
	schema := d.schema(name)
	if schema == nil {
		return nil, fmt.Errorf("%s has no schema %s", d.name, name)
	}
	t := translation{doc: d, home: name, bare: variant == bare}
	return t.object(schema), nil
}

// schema translates a schema; a boolean stays as it is.
func (t translation) schema(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if ref, ok := m["$ref"].(string); ok {
		return map[string]any{"$ref": t.doc.url(whole, strings.TrimPrefix(ref, refPrefix))}
	}
	t.bare = false
	return t.object(m)
}

// object translates a schema that is not a reference.
func (t translation) object(m map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range m {
		switch key {
		case "enum", "const", "pattern", "format", "minimum", "maximum", "multipleOf", "minLength", "maxLength",
			"minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties":
			out[key] = v
		case "type":
			out[key] = v
			if m["nullable"] == true {
				out[key] = []any{v, "null"}
			}
		case "items", "not", "additionalProperties":
			out[key] = t.schema(v)
		case "properties":
			out[key] = t.properties(v)
		case "required":
			out[key] = t.required(v, m["properties"])
		case "allOf":
			out[key] = t.parents(v)
		case "anyOf", "oneOf":
			if m["discriminator"] == nil {
				out[key] = t.list(v)
			}
		}
	}
	t.bounds(m, out)
	if d, ok := m["discriminator"].(map[string]any); ok && !t.bare {
		t.discriminate(m, d, out)
	}
	return out
}

func (t translation) list(v any) []any {
	var out []any
	for _, s := range asList(v) {
		out = append(out, t.schema(s))
	}
	return out
}

func (t translation) properties(v any) map[string]any {
	out := map[string]any{}
	for name, s := range asObject(v) {
		if t.writeOnly(s) {
			out[name] = false
			continue
		}
		out[name] = t.schema(s)
	}
	return out
}

func (t translation) required(v, properties any) []any {
	out := []any{}
	for _, name := range asList(v) {
		if key, ok := name.(string); ok && !t.writeOnly(asObject(properties)[key]) {
			out = append(out, name)
		}
	}
	return out
}

func (t translation) writeOnly(v any) bool {
	m := asObject(v)
	if ref, ok := m["$ref"].(string); ok {
		m = t.doc.schema(strings.TrimPrefix(ref, refPrefix))
	}
	return m["writeOnly"] == true
}

// parents translates allOf. A schema that inherits from a base with a
// discriminator fits the base without it, else the two would go in a circle.
func (t translation) parents(v any) []any {
	var out []any
	for _, s := range asList(v) {
		ref, _ := asObject(s)["$ref"].(string)
		name := strings.TrimPrefix(ref, refPrefix)
		if ref != "" && t.home != "" && t.doc.heirs(name)[t.home] {
			out = append(out, map[string]any{"$ref": t.doc.url(bare, name)})
			continue
		}
		out = append(out, t.schema(s))
	}
	return out
}

// bounds translates what 3.0 writes otherwise: exclusive limits as booleans,
// and the ranges of integers.
func (t translation) bounds(m, out map[string]any) {
	for limit, exclusive := range map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"} {
		if m[exclusive] == true && m[limit] != nil {
			out[exclusive] = m[limit]
			delete(out, limit)
		}
	}
	var low, high json.Number
	switch m["format"] {
	case "int32":
		low, high = "-2147483648", "2147483647"
	case "int64":
		low, high = "-9223372036854775808", "9223372036854775807"
	default:
		return
	}
	out["allOf"] = append(asList(out["allOf"]), map[string]any{"minimum": low, "maximum": high})
}

// discriminate demands the schema that the discriminator's value names. An
// object without the property fits any of the alternatives.
func (t translation) discriminate(m, d, out map[string]any) {
	property, _ := d["propertyName"].(string)
	targets := mapping(m, d)
	values := slices.Sorted(maps.Keys(targets))
	all := asList(out["allOf"])
	all = append(all, map[string]any{"properties": map[string]any{property: map[string]any{"enum": texts(values)}}})
	for _, v := range values {
		all = append(all, map[string]any{
			"if":   map[string]any{"required": []any{property}, "properties": map[string]any{property: map[string]any{"const": v}}},
			"then": map[string]any{"$ref": t.doc.url(whole, targets[v])},
		})
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if alternatives := t.list(m[key]); alternatives != nil {
			all = append(all, map[string]any{
				"if": map[string]any{"type": "object", "required": []any{property}}, "else": map[string]any{key: alternatives},
			})
		}
	}
	out["allOf"] = all
}

// mapping returns the schemas that the values of a discriminator name: by its
// mapping, and by the names of the alternatives that the mapping leaves out.
func mapping(m, d map[string]any) map[string]string {
	out := map[string]string{}
	for v, target := range asObject(d["mapping"]) {
		name, _ := target.(string)
		out[v] = strings.TrimPrefix(name, refPrefix)
	}
	for _, s := range append(asList(m["oneOf"]), asList(m["anyOf"])...) {
		ref, _ := asObject(s)["$ref"].(string)
		name := strings.TrimPrefix(ref, refPrefix)
		if ref != "" && !slices.Contains(slices.Collect(maps.Values(out)), name) {
			out[name] = name
		}
	}
	return out
}

// heirs returns the schemas that a base's discriminator leads to, and those
// between them and the base.
func (d *document) heirs(base string) map[string]bool {
	m := d.schema(base)
	discriminator := asObject(m["discriminator"])
	if discriminator == nil {
		return nil
	}
	out := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if name == base || out[name] {
			return
		}
		out[name] = true
		for _, s := range asList(d.schema(name)["allOf"]) {
			if ref, ok := asObject(s)["$ref"].(string); ok {
				visit(strings.TrimPrefix(ref, refPrefix))
			}
		}
	}
	for _, target := range mapping(m, discriminator) {
		visit(target)
	}
	return out
}

func asObject(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
