package openapi

import (
	"encoding/json"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// delimiters between the items of a list that is written as one value. Those
// that are escaped themselves cannot occur inside an item: the other side
// could not tell them apart.
var delimiters = map[string]string{
	"form":           ",",
	"spaceDelimited": " ",
	"pipeDelimited":  "|",
	"tabDelimited":   "\t",
	"cookie":         ",",
}

// scalar returns the text of a string, number or boolean.
func scalar(v any) (string, bool) {
	switch v.(type) {
	case string, bool, json.Number:
		return value.Text(v), true
	}
	return "", false
}

// cannot says that a style has no form for a value. The value is not shown: it
// may be a secret.
func cannot(style, what string) error {
	return fault.New(fault.Invalid, "style %s cannot carry %s", style, what).
		Fix("pass text, a number, a boolean, or a flat list or object")
}

// flat returns the texts of a list, or of an object's keys and values in turn,
// keys sorted. pair, when not empty, joins each key with its value.
func flat(style string, v any, pair string, esc escaper) ([]string, error) {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			text, ok := scalar(item)
			if !ok {
				return nil, cannot(style, "a list of "+nameOf(item)+"s")
			}
			out = append(out, esc(text))
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			text, ok := scalar(v[key])
			if !ok {
				return nil, cannot(style, nameOf(v[key])+" inside an object")
			}
			if pair != "" {
				out = append(out, esc(key)+pair+esc(text))
			} else {
				out = append(out, esc(key), esc(text))
			}
		}
	}
	return out, nil
}

func nameOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return "value"
}

// joined writes a list or object as one value. escaped says that the delimiter
// itself is escaped.
func joined(style string, v any, esc escaper) (string, error) {
	delimiter, ok := delimiters[style]
	if !ok { // simple, label, matrix: as in RFC 6570
		delimiter = ","
	}
	plain, err := flat(style, v, "", asIs)
	if err != nil {
		return "", err
	}
	written := esc(delimiter)
	if delimiter == "," {
		written = ","
	}
	out := make([]string, len(plain))
	for i, text := range plain {
		out[i] = esc(text)
		// Escaping sets a comma in a text apart from the comma between texts;
		// where nothing is escaped, or the delimiter is too, nothing does.
		if strings.Contains(out[i], written) {
			return "", cannot(style, "an item that contains the delimiter")
		}
	}
	return strings.Join(out, written), nil
}

// inPath writes a value into a path segment: styles simple, label and matrix,
// and Swagger's delimited lists (OpenAPI 3.1 4.8.12.5; RFC 6570 3.2).
func inPath(p *Parameter, v any, esc escaper) (string, error) {
	name, assign, prefix, between := "", "", "", ","
	switch p.Style {
	case "label":
		prefix, between = ".", "."
	case "matrix":
		name, assign, prefix, between = esc(p.Name), "=", ";", ";"
	}
	if text, ok := scalar(v); ok {
		return prefix + name + assign + esc(text), nil
	}
	if v == nil {
		return "", cannot(p.Style, "null")
	}
	if !p.Explode {
		text, err := joined(p.Style, v, esc)
		return prefix + name + assign + text, err
	}
	items, err := flat(p.Style, v, "=", esc)
	if err != nil {
		return "", err
	}
	if _, object := v.(map[string]any); !object {
		for i := range items {
			items[i] = name + assign + items[i]
		}
	}
	return prefix + strings.Join(items, between), nil
}

// inHeader writes a value as a header's: style simple, nothing escaped.
func inHeader(p *Parameter, v any) (string, error) {
	simple := *p
	if simple.Style == "label" || simple.Style == "matrix" {
		simple.Style = "simple"
	}
	if _, object := v.(map[string]any); !object {
		simple.Explode = false // the same for a list, and it checks the delimiter
	}
	return inPath(&simple, v, asIs)
}

// inForm writes a value as name=value pieces: queries, cookies and form
// bodies. An empty list or object has none (RFC 6570 2.3).
func inForm(name, style string, explode bool, v any, esc escaper) ([]string, error) {
	if text, ok := scalar(v); ok {
		return []string{esc(name) + "=" + esc(text)}, nil
	}
	switch v := v.(type) {
	case []any:
		switch {
		case style == "deepObject":
			return nil, cannot(style, "a list")
		case len(v) == 0:
			return nil, nil
		case explode:
			items, err := flat(style, v, "", esc)
			for i := range items {
				items[i] = esc(name) + "=" + items[i]
			}
			return items, err
		}
	case map[string]any:
		switch {
		case len(v) == 0:
			return nil, nil
		case style == "deepObject":
			return deep(esc(name), v, esc)
		case explode:
			return flat(style, v, "=", esc)
		}
	default:
		return nil, cannot(style, "null")
	}
	text, err := joined(style, v, esc)
	return []string{esc(name) + "=" + text}, err
}

// deep writes name[key]=value. OpenAPI defines one level; further objects go
// on in the way everybody reads them, lists have no such way.
func deep(prefix string, v map[string]any, esc escaper) ([]string, error) {
	var out []string
	for _, key := range sortedKeys(v) {
		name := prefix + escape("[") + esc(key) + escape("]")
		if inner, ok := v[key].(map[string]any); ok {
			pieces, err := deep(name, inner, esc)
			if err != nil {
				return nil, err
			}
			out = append(out, pieces...)
			continue
		}
		text, ok := scalar(v[key])
		if !ok {
			return nil, cannot("deepObject", nameOf(v[key])+" inside an object")
		}
		out = append(out, name+"="+esc(text))
	}
	return out, nil
}
