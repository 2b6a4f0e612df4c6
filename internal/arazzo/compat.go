package arazzo

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
)

// The loose forms of the compat dialect, and what each is rewritten to:
//
//  1. expressions in text without braces: SSWS $inputs.token -> SSWS {$inputs.token},
//     braces around the longest declared name; also inside the conditions of
//     regex, jsonpath and xpath criteria, and around the url of an operationPath
//  2. comparisons in place of JSONPath: $.ok == true -> $[?$.ok == true] (comparison.go)
//  3. strings of simple conditions in double quotes, or in none -> single quotes;
//     expressions in braces -> bare
//  4. $inputs as the context of a criterion -> one input, and a simple condition
//  5. operationId without its source where there are several -> qualified
//
// A text that is wholly one expression is strict already and is left alone.

// form is a criterion's three parts, as written or as rewritten.
type form struct {
	context, condition string
	typ                expr.Type
}

// looseForm is one loose form that was found.
type looseForm struct {
	code, message string
}

// rewriting is what became of a criterion.
type rewriting struct {
	form               // strict, when stuck is empty
	found  []looseForm // in the order found; empty when the criterion was strict
	remedy string      // what to write, shown with the first
	stuck  string      // why a loose form cannot be rewritten
}

// names knows what a document declares, as far as expressions can name it.
type names interface {
	// declares reports whether e names something declared, by its full name. For
	// names that the document leaves open it reports true.
	declares(e expr.Expression) bool
	// knows is declares for the name of an expression, and false for open names.
	knows(name string) bool
}

// rewriteCriterion makes a criterion strict.
func rewriteCriterion(c *Criterion, n names) rewriting {
	original := form{c.Context.Value, strings.TrimSpace(c.Condition.Value), expr.Type{Name: c.Type.Type, Version: c.Type.Version}}
	r := rewriting{form: original}
	if original.typ.Name == "" || original.typ.Name == "simple" {
		r.simple()
	} else {
		r.typed(n)
	}
	if r.context == "$inputs" && r.stuck == "" {
		r.wholeInputs()
	}
	r.remedy = describe(original, r.form)
	return r
}

// describe says what to write in place of what is there.
func describe(was, is form) string {
	var parts []string
	if is.context != was.context {
		parts = append(parts, "context: "+is.context)
	}
	if is.typ.Name != was.typ.Name {
		parts = append(parts, "type: "+is.typ.Name)
	}
	if is.condition != was.condition {
		if len(parts) == 0 {
			return "write " + is.condition
		}
		parts = append(parts, "condition: "+is.condition)
	}
	if len(parts) == 0 {
		return ""
	}
	return "write " + strings.Join(parts, ", ")
}

func (r *rewriting) note(code, format string, args ...any) {
	r.found = append(r.found, looseForm{code, fmt.Sprintf(format, args...)})
}

// simple quotes the strings of a simple condition one by one, as the compiler
// finds them.
func (r *rewriting) simple() {
	const most, maxLen = 50, 4096 // strings in a condition, bytes of one worth rewriting
	for i := 0; i < most && len(r.condition) <= maxLen; i++ {
		_, err := expr.CompileCriterion("", r.condition, expr.Type{})
		var wrong *expr.ConditionError
		if !errors.As(err, &wrong) {
			return
		}
		old := wrong.Text
		var text string
		switch wrong.Kind {
		case expr.ErrDoubleQuoted:
			content, n := unquote(old)
			if n != len(old) {
				return
			}
			text = "'" + strings.ReplaceAll(content, "'", "''") + "'"
			r.note("double-quoted-string", "the string %s stands in double quotes", old)
		case expr.ErrBareWord:
			if text = strings.ToLower(old); text != "true" && text != "false" && text != "null" {
				text = "'" + strings.ReplaceAll(old, "'", "''") + "'"
			}
			r.note("bare-word", "the word %s stands without quotes", old)
		case expr.ErrBraces:
			text = strings.TrimSuffix(strings.TrimPrefix(old, "{"), "}")
			r.note("bad-condition", "a simple condition takes %s without braces", text)
		default:
			return
		}
		end := wrong.Offset + len(old)
		if old == "" || end > len(r.condition) || r.condition[wrong.Offset:end] != old {
			return
		}
		r.condition = r.condition[:wrong.Offset] + text + r.condition[end:]
	}
}

// typed puts braces around expressions, and makes comparisons JSONPath.
func (r *rewriting) typed(n names) {
	edits, loose := bareExpressions(r.condition, n, r.typ.Name != "regex")
	if c, ok := parseComparison(r.condition); ok && r.typ.Name == "jsonpath" {
		r.comparison(c, n)
		return
	}
	if len(edits) > 0 {
		for _, s := range loose {
			r.note("bare-expression-in-text", "%s stands in the condition without braces and is not replaced by its value", s)
		}
		r.condition = applyTo(r.condition, edits)
	}
}

// comparison rewrites a comparison as a filter when one can say it, else as a
// simple condition.
func (r *rewriting) comparison(c comparison, n names) {
	r.note("bad-jsonpath", "%q is a comparison, not a JSONPath, and never holds", r.condition)
	c = c.withBraces(n)
	if !c.sensible() {
		r.stuck = "it compares what has no order or no length"
		return
	}
	if r.context == "$inputs" {
		r.inputsComparison(c)
		return
	}
	if !c.any(atom.needsSimple) {
		path := c.jsonPath()
		if _, err := expr.CompileCriterion(r.context, path, r.typ); err == nil {
			r.condition = path
			return
		}
	}
	context, err := expr.Parse(r.context)
	if err != nil {
		r.stuck = "its context is not an expression"
		return
	}
	r.toSimple(c.simple(context.Raw, below(context)))
}

// toSimple makes the criterion a simple one.
func (r *rewriting) toSimple(condition string) {
	if _, err := expr.CompileCriterion("", condition, expr.Type{}); condition == "" || err != nil {
		r.stuck = "neither a JSONPath filter nor a simple condition can say it"
		return
	}
	r.condition, r.typ = condition, expr.Type{Name: "simple"}
}

// withBraces puts the expressions inside quoted literals into braces.
func (c comparison) withBraces(n names) comparison {
	for i := range c.or {
		c.or[i] = c.or[i].withBraces(n)
	}
	for i := range c.and {
		c.and[i] = c.and[i].withBraces(n)
	}
	if c.lit.kind == litString {
		if e, err := expr.Parse(c.lit.text); err == nil && n.declares(e) {
			c.lit.text = "{" + c.lit.text + "}"
		} else if edits, _ := bareExpressions(c.lit.text, n, true); len(edits) > 0 {
			c.lit.text = applyTo(c.lit.text, edits)
		}
	}
	return c
}

// inputsComparison rewrites a comparison on the inputs as a whole: each path
// begins with the name of an input.
func (r *rewriting) inputsComparison(c comparison) {
	first := ""
	condition := c.simple("", func(path []pathStep) string {
		if len(path) == 0 || path[0].isIndex {
			return ""
		}
		e, err := expr.Parse("$inputs." + path[0].name)
		if err != nil || strings.Contains(path[0].name, ".") {
			return ""
		}
		if first == "" {
			first = e.Raw
		}
		return below(e)(path[1:])
	})
	r.toSimple(condition)
	if r.stuck == "" {
		r.note("bad-expression", "the context $inputs names no input")
		r.context = first
	}
}

var firstInput = regexp.MustCompile(`\$inputs\.[A-Za-z0-9_-]+`)

// wholeInputs gives a simple criterion, whose context has no effect, one that
// is an expression.
func (r *rewriting) wholeInputs() {
	if r.typ.Name != "" && r.typ.Name != "simple" {
		r.stuck = "only comparisons can be rewritten"
		r.note("bad-expression", "the context $inputs names no input")
		return
	}
	if input := firstInput.FindString(r.condition); input != "" {
		r.note("bad-expression", "the context $inputs names no input")
		r.context = input
	}
}

// bareExpressions finds the declared expressions that stand in a text without
// braces, and the edits that put them into braces. Where a bracket is an index,
// as it is everywhere but in a regular expression, one that goes on with a
// bracket is left out: braces would cut $inputs.list[0] in two.
func bareExpressions(s string, n names, bracketIsIndex bool) (edits []valueEdit, found []string) {
	if !strings.Contains(s, "$") {
		return nil, nil
	}
	for _, span := range expr.FindBare(s, n.knows) {
		if !embeddable(span.Expr) || !n.declares(span.Expr) {
			continue
		}
		if bracketIsIndex && strings.HasPrefix(s[span.End:], "[") {
			continue
		}
		found = append(found, span.Expr.Raw)
		edits = append(edits, valueEdit{span.Start, span.Start, "{"}, valueEdit{span.End, span.End, "}"})
	}
	return edits, found
}

// embeddable reports the roots that people embed without braces. A bare
// $response or $url in text is left as the text it is (N38).
func embeddable(e expr.Expression) bool {
	switch e.Root {
	case expr.RootInputs, expr.RootOutputs, expr.RootSteps, expr.RootWorkflows:
		return true
	}
	return false
}

// difference is the one edit that turns a value into another, as small as
// common beginnings and ends make it.
func difference(was, is string) (valueEdit, bool) {
	if was == is {
		return valueEdit{}, false
	}
	start := 0
	for start < len(was) && start < len(is) && was[start] == is[start] {
		start++
	}
	for start > 0 && start < len(was) && was[start]&0xC0 == 0x80 {
		start--
	}
	end := 0
	for end < len(was)-start && end < len(is)-start && was[len(was)-1-end] == is[len(is)-1-end] {
		end++
	}
	for end > 0 && was[len(was)-end]&0xC0 == 0x80 {
		end--
	}
	return valueEdit{start, len(was) - end, is[start : len(is)-end]}, true
}

// rewrite returns the edit that turns a scalar's value into another.
func (c *checker) rewrite(n *yaml.Node, is string) (Edit, bool) {
	was := n.Value
	// A block scalar ends with a line break that belongs to the layout.
	trimmed := strings.TrimSpace(was)
	offset := strings.Index(was, trimmed)
	e, differs := difference(trimmed, is)
	if !differs {
		return Edit{}, false
	}
	e.start += offset
	e.end += offset
	return c.editValue(n, []valueEdit{e})
}

// editValue is editScalar for the document being checked. It makes no edits in
// a text that ReadCompat rewrote: their places would be those of another text.
func (c *checker) editValue(n *yaml.Node, edits []valueEdit) (Edit, bool) {
	if len(c.doc.moves) > 0 || n == nil || n.Kind != yaml.ScalarNode {
		return Edit{}, false
	}
	if n.Style&(quoteStyles|blockStyles) == 0 && c.inFlow == nil {
		c.inFlow = map[*yaml.Node]bool{}
		markFlow(c.doc.Root, false, c.inFlow)
	}
	e, ok := c.doc.source.editScalar(n, c.inFlow[n], edits)
	e.From.File, e.To.File = c.doc.File, c.doc.File
	return e, ok
}

// markFlow notes the scalars that stand inside [] or {}.
func markFlow(n *yaml.Node, inside bool, out map[*yaml.Node]bool) {
	if n.Kind == yaml.ScalarNode && inside {
		out[n] = true
	}
	inside = inside || n.Style&yaml.FlowStyle != 0
	for _, child := range n.Content {
		markFlow(child, inside, out)
	}
}

// criterionEdits returns the edits that make a criterion its rewriting; none
// when not all of them can be made.
func (c *checker) criterionEdits(cr *Criterion, r rewriting) []Edit {
	var out []Edit
	change := func(n *yaml.Node, was, is string) bool {
		if was == is {
			return true
		}
		if n == nil || n.Kind != yaml.ScalarNode {
			return false
		}
		e, ok := c.rewrite(n, is)
		out = append(out, e)
		return ok
	}
	if !change(cr.Context.Node, cr.Context.Value, r.context) || !change(cr.Condition.Node, strings.TrimSpace(cr.Condition.Value), r.condition) ||
		!change(cr.Type.Node, cr.Type.Type, r.typ.Name) {
		return nil
	}
	return slices.Clip(out)
}
