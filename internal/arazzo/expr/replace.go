package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/antchfx/xmlquery"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// CheckTarget compiles the target of a payload replacement of kind jsonpath or
// xpath, to find its mistakes before anything runs. The error is a
// *ConditionError.
func CheckTarget(kind, target string) error {
	_, err := compileTarget(kind, target)
	return err
}

// compileTarget compiles a target. Unlike conditions it holds no embedded
// expressions: the specification has them in the value only.
func compileTarget(kind, target string) (program, error) {
	typ := Type{Name: kind}
	if err := typ.check("jsonpath", "xpath"); err != nil {
		return nil, err
	}
	if err := checkLength(target); err != nil {
		return nil, err
	}
	if target == "" {
		return nil, &ConditionError{Kind: typ.errorKind(), Msg: fmt.Sprintf("the %s is empty", kind)}
	}
	return compileProgram(target, typ)
}

// Replace sets every place of root that target selects to v (N23). A target
// that selects nothing is an error: the author meant to change something.
// root is changed in place where it can be; for xpath it is XML text.
func Replace(kind, target string, root, v any) (any, error) {
	p, err := compileTarget(kind, target)
	if err != nil {
		return nil, err
	}
	switch p := p.(type) {
	case *jsonPath:
		return p.replace(root, v)
	case xpathProgram:
		text, ok := root.(string)
		if !ok {
			return nil, fault.New(fault.Invalid, "an XPath target needs a payload that is XML text")
		}
		return p.replace(text, value.Text(v))
	}
	return nil, fault.New(fault.Unsupported, "a replacement cannot have a target of type %s", kind)
}

func nothingSelected(target string) error {
	return fault.New(fault.Invalid, "%s selects nothing in the payload", target)
}

func (p *jsonPath) replace(root, v any) (any, error) {
	places, err := p.locate(root)
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, nothingSelected(p.text)
	}
	// Backwards, so that what lies inside another place is set before it is gone.
	for _, place := range slices.Backward(places) {
		if root, err = place.Set(root, value.Clone(v)); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func (p xpathProgram) replace(text, v string) (string, error) {
	root, err := parseXML(text)
	if err != nil {
		return "", err
	}
	result, err := p.evaluate(root)
	if err != nil {
		return "", err
	}
	nodes, ok := result.([]*xmlNavigator)
	if !ok {
		return "", fault.New(fault.Invalid, "%s computes a value; a target selects nodes", p.text)
	}
	if len(nodes) == 0 {
		return "", nothingSelected(p.text)
	}
	for _, n := range nodes {
		if err := n.set(v); err != nil {
			return "", err
		}
	}
	return writeXML(root, text), nil
}

// set gives an element, attribute or text new text.
func (n *xmlNavigator) set(text string) error {
	switch {
	case n.attr >= 0:
		n.node.Attr[n.attr].Value = text
	case n.node.Type == xmlquery.ElementNode:
		for n.node.FirstChild != nil {
			xmlquery.RemoveFromTree(n.node.FirstChild)
		}
		xmlquery.AddChild(n.node, &xmlquery.Node{Type: xmlquery.TextNode, Data: text})
	case n.node.Type == xmlquery.TextNode, n.node.Type == xmlquery.CharDataNode:
		n.node.Type, n.node.Data = xmlquery.TextNode, text // text in a CDATA section could end it
	default:
		return fault.New(fault.Invalid, "only elements, attributes and text can be replaced")
	}
	return nil
}

// writeXML writes the tree that was read from text.
func writeXML(root *xmlquery.Node, text string) string {
	var out strings.Builder
	for n := root.FirstChild; n != nil; n = n.NextSibling {
		// The parser makes up a declaration where there was none.
		if n.Type == xmlquery.DeclarationNode && !strings.HasPrefix(strings.TrimSpace(text), "<?xml") {
			continue
		}
		out.WriteString(n.OutputXML(true))
	}
	return out.String()
}
