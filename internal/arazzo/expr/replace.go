package expr

import (
	"strings"

	"github.com/antchfx/xmlquery"
	"github.com/antchfx/xpath"
	"github.com/theory/jsonpath"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// CheckTarget compiles the target of a payload replacement of kind jsonpath or
// xpath, to find its mistakes before anything runs.
func CheckTarget(kind, target string) error {
	_, err := compileQuery(target, Type{Name: kind})
	return err
}

// Replace sets every place of root that target selects to v (N23). A target
// that selects nothing is an error: the author meant to change something.
// root is changed in place where it can be; for xpath it is XML text.
func Replace(kind, target string, root, v any) (any, error) {
	if kind == "xpath" {
		return replaceXML(target, root, v)
	}
	path, err := jsonpath.Parse(target)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s is no JSONPath", target)
	}
	located := path.SelectLocated(root)
	if len(located) == 0 {
		return nil, nothingSelected(target)
	}
	for _, node := range located {
		pointer, err := value.ParsePointer(node.Path.Pointer())
		if err == nil {
			root, err = pointer.Set(root, value.Clone(v))
		}
		if err != nil {
			return nil, err
		}
	}
	return root, nil
}

func nothingSelected(target string) error {
	return fault.New(fault.Invalid, "%s selects nothing in the payload", target)
}

func replaceXML(target string, root, v any) (any, error) {
	text, ok := root.(string)
	if !ok {
		return nil, fault.New(fault.Invalid, "an XPath target needs a payload that is XML text")
	}
	doc, err := xmlquery.Parse(strings.NewReader(text))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the payload is not well-formed XML")
	}
	compiled, err := xpath.Compile(target)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s is no XPath", target)
	}
	nodes := xmlquery.QuerySelectorAll(doc, compiled)
	if len(nodes) == 0 {
		return nil, nothingSelected(target)
	}
	for _, n := range nodes {
		setXML(n, value.Text(v))
	}
	var out strings.Builder
	for n := doc.FirstChild; n != nil; n = n.NextSibling {
		// The parser makes up a declaration where there was none.
		if n.Type == xmlquery.DeclarationNode && !strings.HasPrefix(strings.TrimSpace(text), "<?xml") {
			continue
		}
		out.WriteString(n.OutputXML(true))
	}
	return out.String(), nil
}

// setXML gives a node new text.
func setXML(n *xmlquery.Node, text string) {
	switch n.Type {
	case xmlquery.AttributeNode:
		n.Parent.SetAttr(n.Data, text)
	case xmlquery.TextNode, xmlquery.CharDataNode:
		n.Data = text
	default:
		for n.FirstChild != nil {
			xmlquery.RemoveFromTree(n.FirstChild)
		}
		xmlquery.AddChild(n, &xmlquery.Node{Type: xmlquery.TextNode, Data: text})
	}
}
