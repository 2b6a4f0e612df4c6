package expr

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/antchfx/xmlquery"
	"github.com/antchfx/xpath"
)

// Limits of XML and of the work done on it. A million moves take some tens of
// milliseconds.
const (
	maxXML        = 16 << 20 // bytes
	maxXMLTags    = 500_000  // "<" in the text
	maxXPathMoves = 5_000_000
)

// xpathProgram is an expression of the profile that we support: XPath 1.0
// without variables, id(), lang(), the namespace axis and
// processing-instructions. Expressions of that form mean the same in the later
// versions for the comparisons and paths that occur in criteria, so they are
// accepted for every version; later syntax is refused when it is compiled.
type xpathProgram struct{ text string }

func compileXPath(text, version string) (program, error) {
	if err := checkXPath(text); err != nil {
		var c *ConditionError
		if version != "xpath-10" && errors.As(err, &c) {
			c.Msg += "; later versions of XPath are accepted as far as they agree with 1.0"
		}
		return nil, err
	}
	if _, err := xpath.Compile(text); err != nil { // recovers by itself
		return nil, &ConditionError{Kind: ErrXPath, Msg: fmt.Sprintf("%s cannot be compiled: %s", abbreviate(text), err)}
	}
	return xpathProgram{text}, nil
}

// parseXML reads XML within the limits.
func parseXML(text string) (*xmlquery.Node, error) {
	if len(text) > maxXML || strings.Count(text, "<") > maxXMLTags {
		return nil, &ConditionError{Kind: ErrXPath, Msg: "the XML is too large for an XPath"}
	}
	root, err := xmlquery.Parse(strings.NewReader(text))
	if err != nil || root.FirstChild == nil {
		// The parser's message can quote the text.
		return nil, &ConditionError{Kind: ErrXPath, Msg: "the text is not well-formed XML"}
	}
	return root, nil
}

// evaluate returns a bool, a float64, a string, or nodes in document order.
func (p xpathProgram) evaluate(root *xmlquery.Node) (result any, err error) {
	// A compiled expression keeps state while it runs, so each run has its own.
	compiled, err := xpath.Compile(p.text)
	if err != nil {
		return nil, &ConditionError{Kind: ErrXPath, Msg: "the XPath cannot be compiled"}
	}
	budget := maxXPathMoves
	err = guard(func() error {
		result = compiled.Evaluate(&xmlNavigator{root: root, node: root, attr: -1, budget: &budget})
		if nodes, ok := result.(*xpath.NodeIterator); ok {
			result = inOrder(nodes)
		}
		return nil
	})
	switch {
	case budget <= 0:
		return nil, &ConditionError{Kind: ErrXPath, Msg: "the XPath visits too many nodes; make it more specific"}
	case err != nil:
		return nil, &ConditionError{Kind: ErrXPath, Msg: fmt.Sprintf("%s cannot be evaluated", abbreviate(p.text))}
	}
	return result, nil
}

// inOrder returns the nodes in document order. The library yields them in the
// order of the axis, which runs backwards for some.
func inOrder(nodes *xpath.NodeIterator) []*xmlNavigator {
	var found []*xmlNavigator
	for nodes.MoveNext() {
		if n, ok := nodes.Current().Copy().(*xmlNavigator); ok {
			found = append(found, n)
		}
	}
	if len(found) > 1 {
		order := documentOrder(found[0])
		slices.SortStableFunc(found, func(a, b *xmlNavigator) int {
			return cmp.Or(cmp.Compare(order[a.node], order[b.node]), cmp.Compare(a.attr, b.attr))
		})
	}
	return found
}

// documentOrder numbers all nodes of n's tree.
func documentOrder(n *xmlNavigator) map[*xmlquery.Node]int {
	all := *n
	all.MoveToRoot()
	order := map[*xmlquery.Node]int{}
	for at := all.node; at != nil; at = all.following(at) {
		order[at] = len(order)
	}
	return order
}

// test takes the effective boolean value (XPath 1.0 4.3 boolean()).
func (p xpathProgram) test(s subject) (bool, string, error) {
	root, err := parseXML(s.text())
	if err != nil {
		return false, "", err
	}
	result, err := p.evaluate(root)
	switch v := result.(type) {
	case bool:
		return v, "the XPath gives false", err
	case float64:
		return v != 0 && !math.IsNaN(v), "the XPath gives no number but 0", err
	case string:
		return v != "", "the XPath gives an empty string", err
	case []*xmlNavigator:
		return len(v) > 0, "the XPath selects nothing", err
	}
	return false, "the XPath gives no value", err
}

func (p xpathProgram) find(s subject) (any, bool, error) {
	root, err := parseXML(s.text())
	if err != nil {
		return nil, false, err
	}
	result, err := p.evaluate(root)
	switch v := result.(type) {
	case bool, string:
		return v, true, err
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false, err
		}
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64)), true, err
	case []*xmlNavigator:
		return textsOf(v)
	}
	return nil, false, err
}

// textsOf returns the text of one node, or the texts of several.
func textsOf(nodes []*xmlNavigator) (v any, ok bool, err error) {
	texts := make([]any, len(nodes))
	// Reading text spends what is left of the budget too.
	if err := guard(func() error {
		for i, n := range nodes {
			texts[i] = n.Value()
		}
		return nil
	}); err != nil {
		return nil, false, &ConditionError{Kind: ErrXPath, Msg: "the XPath selects too much text; make it more specific"}
	}
	switch len(texts) {
	case 0:
		return nil, false, nil
	case 1:
		return texts[0], true, nil
	}
	return texts, true, nil
}

// xmlNavigator walks an XML tree for the XPath library. Unlike the navigator of
// xmlquery it counts its moves, keeps blank text, hides declarations and
// processing instructions, and leaves an attribute when it moves to the root.
type xmlNavigator struct {
	root, node *xmlquery.Node
	attr       int  // of node, -1 for the node itself
	budget     *int // shared by all copies
}

// errBudget ends an evaluation from inside the library; guard catches it.
var errBudget = errors.New("too many moves")

func (n *xmlNavigator) spend(moves int) {
	if *n.budget -= moves; *n.budget <= 0 {
		panic(errBudget)
	}
}

// visible reports whether XPath sees a node of the tree.
func visible(n *xmlquery.Node) bool {
	switch n.Type {
	case xmlquery.ElementNode, xmlquery.TextNode, xmlquery.CharDataNode, xmlquery.CommentNode:
		return true
	}
	return false
}

func (n *xmlNavigator) NodeType() xpath.NodeType {
	switch n.node.Type {
	case xmlquery.ElementNode:
		if n.attr >= 0 {
			return xpath.AttributeNode
		}
		return xpath.ElementNode
	case xmlquery.TextNode, xmlquery.CharDataNode:
		return xpath.TextNode
	case xmlquery.CommentNode:
		return xpath.CommentNode
	}
	return xpath.RootNode
}

func (n *xmlNavigator) LocalName() string {
	switch {
	case n.attr >= 0:
		return n.node.Attr[n.attr].Name.Local
	case n.node.Type == xmlquery.ElementNode:
		return n.node.Data
	}
	return ""
}

func (n *xmlNavigator) Prefix() string {
	if n.attr >= 0 {
		return n.node.Attr[n.attr].Name.Space
	}
	return n.node.Prefix
}

// NamespaceURL is found by the library through an optional interface.
func (n *xmlNavigator) NamespaceURL() string {
	if n.attr >= 0 {
		return n.node.Attr[n.attr].NamespaceURI
	}
	return n.node.NamespaceURI
}

// Value returns the string-value (XPath 1.0 chapter 5).
func (n *xmlNavigator) Value() string {
	if n.attr >= 0 {
		return n.node.Attr[n.attr].Value
	}
	if n.node.Type != xmlquery.ElementNode && n.node.Type != xmlquery.DocumentNode {
		return n.node.Data
	}
	var b strings.Builder
	for at := n.node.FirstChild; at != nil; at = n.following(at) {
		if at.Type == xmlquery.TextNode || at.Type == xmlquery.CharDataNode {
			b.WriteString(at.Data)
			n.spend(len(at.Data) / 64)
		}
	}
	return b.String()
}

// following returns the node after at in document order, within n's node.
func (n *xmlNavigator) following(at *xmlquery.Node) *xmlquery.Node {
	n.spend(1)
	if at.FirstChild != nil {
		return at.FirstChild
	}
	for at != n.node {
		if at.NextSibling != nil {
			return at.NextSibling
		}
		at = at.Parent
	}
	return nil
}

func (n *xmlNavigator) Copy() xpath.NodeNavigator {
	n.spend(1)
	c := *n
	return &c
}

func (n *xmlNavigator) MoveToRoot() {
	n.spend(1)
	n.node, n.attr = n.root, -1
}

func (n *xmlNavigator) MoveToParent() bool {
	n.spend(1)
	if n.attr >= 0 {
		n.attr = -1
		return true
	}
	if n.node.Parent == nil {
		return false
	}
	n.node = n.node.Parent
	return true
}

func (n *xmlNavigator) MoveToNextAttribute() bool {
	n.spend(1)
	for i := n.attr + 1; i < len(n.node.Attr); i++ {
		// Declarations of namespaces are no attributes (XPath 1.0 5.3).
		if a := n.node.Attr[i].Name; a.Space != "xmlns" && (a.Space != "" || a.Local != "xmlns") {
			n.attr = i
			return true
		}
	}
	return false
}

func (n *xmlNavigator) MoveToChild() bool {
	if n.attr >= 0 {
		return false
	}
	return n.moveTo(n.node.FirstChild, (*xmlNavigator).next)
}

func (n *xmlNavigator) MoveToNext() bool {
	if n.attr >= 0 {
		return false
	}
	return n.moveTo(n.node.NextSibling, (*xmlNavigator).next)
}

func (n *xmlNavigator) MoveToPrevious() bool {
	if n.attr >= 0 {
		return false
	}
	return n.moveTo(n.node.PrevSibling, (*xmlNavigator).previous)
}

func (n *xmlNavigator) MoveToFirst() bool {
	moved := false
	for n.MoveToPrevious() {
		moved = true
	}
	return moved
}

func (*xmlNavigator) next(at *xmlquery.Node) *xmlquery.Node     { return at.NextSibling }
func (*xmlNavigator) previous(at *xmlquery.Node) *xmlquery.Node { return at.PrevSibling }

// moveTo moves to the first visible node from at on.
func (n *xmlNavigator) moveTo(at *xmlquery.Node, further func(*xmlNavigator, *xmlquery.Node) *xmlquery.Node) bool {
	n.spend(1)
	for ; at != nil; at = further(n, at) {
		if visible(at) {
			n.node = at
			return true
		}
		n.spend(1)
	}
	return false
}

func (n *xmlNavigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*xmlNavigator)
	if !ok || o.root != n.root {
		return false
	}
	n.node, n.attr = o.node, o.attr
	return true
}
