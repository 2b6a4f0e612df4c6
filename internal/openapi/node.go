package openapi

import (
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/value"
)

// node is one value of the description being read, from a YAML tree or from
// JSON text. The zero node is an absent value; every method accepts it. Two
// nodes are equal when they are the same place of the document.
type node struct {
	yaml *yaml.Node
	json *tape
	at   int32 // index in json.spans
}

// yamlNode follows aliases, so that a node is never one.
func yamlNode(y *yaml.Node) node {
	for y != nil && y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	return node{yaml: y}
}

func (n node) exists() bool { return n.yaml != nil || n.json != nil }

func (n node) isObject() bool {
	if n.json != nil {
		return n.json.raw(n.at)[0] == '{'
	}
	return n.yaml != nil && n.yaml.Kind == yaml.MappingNode
}

func (n node) isArray() bool {
	if n.json != nil {
		return n.json.raw(n.at)[0] == '['
	}
	return n.yaml != nil && n.yaml.Kind == yaml.SequenceNode
}

// pairs yields an object's members in document order, nothing for other values.
func (n node) pairs() iter.Seq2[string, node] {
	return func(yield func(string, node) bool) {
		switch {
		case !n.isObject():
		case n.json != nil:
			spans := n.json.spans
			for i := n.at + 1; i < spans[n.at].next; i = spans[i+1].next {
				if !yield(n.json.text(i), node{json: n.json, at: i + 1}) {
					return
				}
			}
		default:
			for i := 0; i+1 < len(n.yaml.Content); i += 2 {
				if !yield(yamlNode(n.yaml.Content[i]).yaml.Value, yamlNode(n.yaml.Content[i+1])) {
					return
				}
			}
		}
	}
}

// items yields an array's items, nothing for other values.
func (n node) items() iter.Seq[node] {
	return func(yield func(node) bool) {
		switch {
		case !n.isArray():
		case n.json != nil:
			spans := n.json.spans
			for i := n.at + 1; i < spans[n.at].next; i = spans[i].next {
				if !yield(node{json: n.json, at: i}) {
					return
				}
			}
		default:
			for _, item := range n.yaml.Content {
				if !yield(yamlNode(item)) {
					return
				}
			}
		}
	}
}

// get returns the named member of an object, the zero node when there is none.
// Of a key that JSON text repeats the first counts.
func (n node) get(key string) node {
	for k, v := range n.pairs() {
		if k == key {
			return v
		}
	}
	return node{}
}

// text returns a scalar as text, "" for null, structures and absent values.
func (n node) text() string {
	switch {
	case n.isObject() || n.isArray() || !n.exists():
		return ""
	case n.json != nil:
		return n.json.text(n.at)
	}
	if len(n.yaml.Value) <= len("null") && n.yaml.Style == 0 && value.FromYAML(n.yaml) == nil {
		return ""
	}
	return n.yaml.Value
}

// texts returns the scalars of an array as texts.
func (n node) texts() []string {
	var out []string
	for item := range n.items() {
		out = append(out, item.text())
	}
	return out
}

// isTrue accepts "true" in quotes too: it is a common slip and has one meaning.
func (n node) isTrue() bool { return strings.EqualFold(n.text(), "true") }

// value returns the node as a JSON value.
func (n node) value() any {
	switch {
	case n.json != nil:
		v, err := value.Decode(n.json.raw(n.at))
		if err != nil { // cannot be: the text was checked as a whole
			return nil
		}
		return v
	case n.yaml != nil:
		return value.FromYAML(n.yaml)
	}
	return nil
}
