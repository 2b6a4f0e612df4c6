package arazzo

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/value"
)

// spot says where an expression stands, as far as that decides what it can read.
type spot int

const (
	inRequest        spot = iota // parameters and body: before the call
	inCriteria                   // successCriteria: after it
	inAction                     // criteria and parameters of actions: after the outputs
	inStepOutput                 // outputs of a step
	inWorkflowOutput             // outputs of the workflow
)

// use is one reading of another step's output.
type use struct {
	by, of int // indexes of steps; by is -1 for the workflow's own fields
	spot   spot
	at     Pos
	raw    string
}

// scan looks at the expressions of one part of a document.
type scan struct {
	c *checker
	f *flow // nil for a component on its own
	// step is the index of the step the part belongs to, -1 for none.
	step int
	spot spot
	// inPath says that the value goes into a path, where it must not be absent.
	inPath bool
	// at, when set, is the place to report: of the reference to a component.
	at *Pos
	// quiet leaves out what was said about the component itself.
	quiet bool
}

func (s *scan) place(n *yaml.Node) Pos {
	if s.at != nil {
		return *s.at
	}
	return s.c.doc.At(n)
}

// syntax is report.find for mistakes in the text itself, which a quiet scan keeps to
// itself.
func (s *scan) syntax(severity Severity, code string, n *yaml.Node) finding {
	if s.quiet {
		return (&report{}).find(severity, code, Pos{})
	}
	return s.c.out.find(severity, code, s.place(n))
}

func (s *scan) names() names {
	if s.f == nil {
		return s.c
	}
	return s.f
}

// value looks through a value of any shape.
func (s *scan) value(a Any) {
	if a.Set() {
		s.node(a.Node)
	}
}

func (s *scan) node(n *yaml.Node) {
	switch v := deref(n); v.Kind {
	case yaml.SequenceNode:
		for _, child := range v.Content {
			s.node(child)
		}
	case yaml.MappingNode:
		if s.c.doc.Minor > 0 && isSelector(v) {
			s.selector(v)
			return
		}
		for i := 1; i < len(v.Content); i += 2 {
			s.node(v.Content[i])
		}
	case yaml.ScalarNode:
		if strings.Contains(v.Value, "$") {
			s.text(n, v)
		}
	}
}

// isSelector tells a Selector Object from data with the same keys: its context
// starts like an expression.
func isSelector(n *yaml.Node) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := deref(n.Content[i]).Value; {
		case key == "context", key == "selector", key == "type", strings.HasPrefix(key, "x-"):
		default:
			return false
		}
	}
	context, selector := deref(mapValue(n, "context")), deref(mapValue(n, "selector"))
	return context != nil && selector != nil && selector.Kind == yaml.ScalarNode && mapValue(n, "type") != nil &&
		expr.LooksLikeExpression(context.Value)
}

// text looks at a string that may hold expressions. place is where it is used,
// n where it is written.
func (s *scan) text(place, n *yaml.Node) {
	text, ok := value.FromYAML(n).(string)
	if !ok {
		return
	}
	t, err := expr.ParseTemplate(text)
	if err != nil {
		s.badExpression(place, text, err)
		return
	}
	if e, whole := t.Whole(); whole {
		s.expression(place, e)
		return
	}
	for _, e := range t.Expressions() {
		s.expression(place, e)
	}
	s.bare(place, n, text)
}

// badExpression reports a text that was meant as an expression.
func (s *scan) badExpression(n *yaml.Node, text string, err error) {
	code, msg := "bad-expression", err.Error()
	var syntax *expr.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 && syntax.Offset <= len(syntax.Text) && syntax.Text[syntax.Offset-1] == '#' {
		code = "bad-pointer"
	}
	if text == "$inputs" {
		s.syntax(Error, code, n).fix("write $inputs.<name>").say("$inputs alone names no input")
		return
	}
	s.syntax(Error, code, n).say("%s", msg)
}

// bare looks for expressions without braces in a text that is not one expression.
func (s *scan) bare(place, n *yaml.Node, text string) {
	spans := expr.FindBare(text, s.names().knows)
	if expr.LooksLikeExpression(text) && (len(spans) == 0 || spans[0].Start > 0 || !s.textFollows(text, spans[0])) {
		_, err := expr.Parse(text)
		s.badExpression(place, text, err)
		return
	}
	if mistyped := mistypedRoot(text); mistyped != "" {
		s.syntax(Error, "bad-expression", place).fix("did you mean %s?", mistyped).say("%q is text, not an expression", text)
		return
	}
	var edits []valueEdit
	var found []string
	for _, span := range spans {
		if !embeddable(span.Expr) {
			continue
		}
		if !s.names().declares(span.Expr) {
			s.undeclaredInText(place, span.Expr)
			continue
		}
		if strings.HasPrefix(text[span.End:], "[") {
			s.syntax(Error, "bad-expression", place).fix("use a JSON Pointer: {%s#/0}", span.Expr.Raw).
				say("%s[...] is not an expression; there is no index access in text", span.Expr.Raw)
			continue
		}
		s.expression(place, span.Expr)
		found = append(found, span.Expr.Raw)
		edits = append(edits, valueEdit{span.Start, span.Start, "{"}, valueEdit{span.End, span.End, "}"})
	}
	if len(edits) > 0 {
		s.reportBare(place, n, text, found, edits)
	}
}

// textFollows reports whether what follows a bare expression at the start of a
// text is text, and not more of a path the grammar does not have.
func (s *scan) textFollows(text string, first expr.Span) bool {
	rest := text[first.End:]
	return embeddable(first.Expr) && rest != "" && strings.IndexByte("[.#", rest[0]) < 0 ||
		embeddable(first.Expr) && strings.HasPrefix(rest, ".") && s.names().knows(text[first.Start:first.End])
}

func (s *scan) reportBare(place, n *yaml.Node, text string, found []string, edits []valueEdit) {
	// A text behind several aliases is written, and rewritten, once.
	if s.quiet || s.c.bare[n] {
		return
	}
	s.c.bare[n] = true
	if !s.c.out.room(s.c.loose(true)) {
		s.c.out.dropped++
		return
	}
	edit, ok := s.c.editValue(n, edits)
	f := s.syntax(s.c.loose(ok), "bare-expression-in-text", place).fix("write %s", brief(applyTo(text, edits), found))
	if ok {
		f = f.edit(edit)
	}
	f.say("%s without braces stays text and is not replaced by a value", strings.Join(slices.Compact(found), " and "))
}

// brief quotes a text, or of a long one only the expressions in braces.
func brief(text string, found []string) string {
	const most = 120
	switch {
	case len(text) > most || strings.Contains(text, "\n"):
	case strings.Contains(text, `"`):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	default:
		return `"` + text + `"`
	}
	return "{" + strings.Join(slices.Compact(found), "} and {") + "}"
}

// undeclaredInText reports an expression that is bare and names nothing: most
// likely both are mistakes, and sending the text would hide them.
func (s *scan) undeclaredInText(n *yaml.Node, e expr.Expression) {
	remedy := ""
	if s.f != nil {
		remedy = s.f.suggest(e)
	}
	s.syntax(Error, "bare-expression-in-text", n).fix("%s", remedy).say("%s stands in text without braces, and nothing of that name is declared", e.Raw)
}

// mistypedRoot returns a root that the first word of a text was meant to be:
// $input.x is sent as it is by everybody who takes it for text.
func mistypedRoot(text string) string {
	const longest = len("$workflows")
	word, rest, ok := strings.Cut(text, ".")
	if !ok || len(word) > longest || !strings.HasPrefix(word, "$") {
		return ""
	}
	for _, root := range []expr.Root{expr.RootInputs, expr.RootOutputs, expr.RootSteps, expr.RootWorkflows} {
		plural, lower := string(root), strings.ToLower(word)
		if word != plural && (lower == plural || lower+"s" == plural) {
			return plural + "." + rest
		}
	}
	return ""
}

// selector checks a Selector Object [1.1].
func (s *scan) selector(n *yaml.Node) {
	context, selector, t := mapValue(n, "context"), mapValue(n, "selector"), mapValue(n, "type")
	if context == nil || selector == nil || t == nil {
		return // reported by Parse
	}
	typ := expr.Type{Name: textOf(t)}
	if deref(t).Kind == yaml.MappingNode {
		typ = expr.Type{Name: textOf(mapValue(t, "type")), Version: textOf(mapValue(t, "version"))}
	}
	compiled, err := expr.CompileSelector(textOf(context), textOf(selector), typ)
	if err != nil {
		s.conditionError(err, map[string]*yaml.Node{"context": context, "type": t, "": selector}, "bad-selector")
		return
	}
	for _, e := range compiled.Expressions() {
		s.expression(n, e)
	}
}

// textOf is the text of a scalar, "" for anything else.
func textOf(n *yaml.Node) string {
	if n = deref(n); n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// conditionCodes are the codes of mistakes in conditions and selectors.
var conditionCodes = map[expr.ConditionErrorKind]string{
	expr.ErrDoubleQuoted: "double-quoted-string",
	expr.ErrBareWord:     "bare-word",
	expr.ErrExpression:   "bad-expression",
	expr.ErrContext:      "context-missing",
	expr.ErrType:         "schema",
	expr.ErrRegex:        "bad-regex",
	expr.ErrJSONPath:     "bad-jsonpath",
	expr.ErrXPath:        "bad-xpath",
	expr.ErrPointer:      "bad-pointer",
}

// conditionError reports why a condition or selector does not compile, at the
// part that is wrong: nodes by "context", "type" and "".
func (s *scan) conditionError(err error, nodes map[string]*yaml.Node, other string) {
	var wrong *expr.ConditionError
	code, at := other, nodes[""]
	if errors.As(err, &wrong) {
		if known, ok := conditionCodes[wrong.Kind]; ok {
			code = known
		}
		switch {
		case wrong.Kind == expr.ErrType && nodes["type"] != nil:
			at = nodes["type"]
		case wrong.Kind == expr.ErrExpression && wrong.Text != "" && nodes["context"] != nil && deref(nodes["context"]).Value == wrong.Text:
			at = nodes["context"]
		}
	}
	s.syntax(Error, code, at).say("%s", err.Error())
}

// criterion checks one criterion and returns what is known of it.
func (s *scan) criterion(c *Criterion) *criterionInfo {
	info := s.c.criteria[c]
	if info == nil {
		info = s.compile(c)
		s.c.criteria[c] = info
	}
	for _, e := range info.exprs {
		s.expression(c.conditionNode(), e)
	}
	return info
}

// conditionNode is where a criterion's condition is written.
func (c *Criterion) conditionNode() *yaml.Node {
	if c.Condition.Node != nil {
		return c.Condition.Node
	}
	return c.Context.Node
}

// compile judges a criterion's text, once.
func (s *scan) compile(c *Criterion) *criterionInfo {
	info := &criterionInfo{rewriting: rewriting{form: form{c.Context.Value, c.Condition.Value, expr.Type{Name: c.Type.Type, Version: c.Type.Version}}}}
	if c.Condition.Node == nil || !slices.Contains([]string{"", "simple", "regex", "jsonpath", "xpath"}, c.Type.Type) {
		return info // reported by Parse
	}
	if c.Context.Node == nil && c.Type.Node != nil {
		if c.Type.Type != "simple" {
			s.syntax(Error, "context-missing", c.Type.Node).fix("add a context, such as context: $response.body").
				say("a criterion of type %s needs a context", c.Type.Type)
			return info
		}
		s.syntax(Warning, "context-missing", c.Type.Node).fix("leave out type: simple, which is the default").say("a criterion with a type should have a context")
	}
	info.rewriting = rewriteCriterion(c, s.names())
	s.reportLoose(c, info.rewriting)
	if info.stuck != "" {
		return info
	}
	compiled, err := expr.CompileCriterion(info.context, info.condition, info.typ)
	if err != nil {
		s.conditionError(err, map[string]*yaml.Node{"context": c.Context.Node, "type": c.Type.Node, "": c.Condition.Node}, "bad-condition")
		return info
	}
	info.exprs = compiled.Expressions()
	return info
}

// reportLoose reports the loose forms of a criterion. All edits go with the
// first: they are made together or not at all.
func (s *scan) reportLoose(c *Criterion, r rewriting) {
	if len(r.found) == 0 || s.quiet {
		return
	}
	var edits []Edit
	if r.stuck == "" {
		edits = s.c.criterionEdits(c, r)
	}
	for i, l := range r.found {
		f := s.syntax(s.c.loose(len(edits) > 0), l.code, c.conditionNode()).fix("%s", r.remedy)
		if r.stuck != "" {
			f = f.fix("")
			l.message += "; " + r.stuck
		}
		if i == 0 {
			f = f.edit(edits...)
		}
		f.say("%s", l.message)
	}
}

// action looks through the criteria and parameter values of an action.
func (s *scan) action(a *Action) {
	s.actionCriteria(a)
	for i := range a.Parameters {
		s.parameterValue(&a.Parameters[i])
	}
}

func (s *scan) actionCriteria(a *Action) {
	for i := range a.Criteria {
		s.criterion(&a.Criteria[i])
	}
}

// parameterValue looks through a parameter's value, or that of the component it
// refers to.
func (s *scan) parameterValue(p *Parameter) {
	inner := *s
	resolved := *p
	if p.Reference.Node != nil {
		var ok bool
		if resolved, ok = s.c.doc.ResolveParameter(*p); !ok {
			return // reported with the reference
		}
		if !p.Value.Set() {
			at := s.place(p.Reference.Node)
			inner.at, inner.quiet = &at, true
		}
	}
	inner.inPath = resolved.In.Value == "path"
	inner.value(resolved.Value)
}

// output looks at an output, which is an expression or a selector.
func (s *scan) output(o *Output) {
	n := o.Value.Node
	if n == nil {
		return
	}
	if n.Kind == yaml.MappingNode {
		s.selector(n)
		return
	}
	text, ok := value.FromYAML(n).(string)
	if !ok {
		return // reported by Parse
	}
	if _, err := expr.Parse(text); err != nil && strings.HasPrefix(text, "$") && len(expr.FindBare(text, s.names().knows)) == 0 {
		s.badExpression(n, text, err)
		return
	}
	s.text(n, n)
}

// expression checks one expression: what it names must exist, and must exist
// by the time it is read.
func (s *scan) expression(n *yaml.Node, e expr.Expression) {
	if s.f == nil {
		return // a component: its names belong to the workflow that refers to it
	}
	if !s.pointer(n, e) {
		return
	}
	s.f.expression(s, n, e)
}

// pathInPointer finds what belongs to JSONPath in a token of a JSON Pointer.
var pathInPointer = regexp.MustCompile(`\[(\?|[0-9]+\])`)

// pointer looks for what a JSON Pointer cannot say, and its grammar takes for
// the name of a member. It reports whether the expression can mean anything.
func (s *scan) pointer(n *yaml.Node, e expr.Expression) bool {
	for _, token := range e.Pointer {
		if strings.Contains(token, "$inputs.") || strings.Contains(token, "$steps.") {
			s.c.out.find(Error, "bad-pointer", s.place(n)).fix("a JSON Pointer is fixed text; choose the member in a jsonpath selector, or in a criterion").
				say("%s stands inside the JSON Pointer of %s and is not replaced", token, e.Raw)
			return false
		}
		switch m := pathInPointer.FindStringSubmatch(token); {
		case m == nil:
		case m[1] == "?":
			s.c.out.find(Error, "bad-pointer", s.place(n)).fix("a JSON Pointer has no filters").say("%q is taken for the name of a member", token)
			return false
		default:
			s.c.out.find(Warning, "bad-pointer", s.place(n)).fix("write /0 for an item").say("%q is taken for the name of a member", token)
		}
	}
	return true
}
