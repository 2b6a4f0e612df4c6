package arazzo

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
)

// CheckOptions say how Check judges.
type CheckOptions struct {
	Dialect Dialect // zero: Strict

	// Schema also runs the official JSON Schema. Parse finds what it finds; this
	// is for those who want the official word.
	Schema bool
}

// Check finds what is wrong with a document's meaning, as far as that needs no
// API description: names that nothing declares, expressions and conditions
// that do not parse, values that are read before they exist, steps that are
// never reached, cycles. Loose forms of the compat dialect are errors in
// Strict, warnings in Compat where Fix can rewrite them.
//
// The diagnostics are in the order of the document.
func Check(d *Document, opt CheckOptions) []Diagnostic {
	c := newChecker(d, opt.Dialect)
	c.document()
	if opt.Schema {
		c.official()
	}
	return c.out.sorted(d.File)
}

// checker is one pass of Check over a document.
type checker struct {
	doc     *Document
	dialect Dialect
	find    func(operationID string) []string // FixOptions.FindOperation, may be nil
	out     report

	flows    []*flow
	byID     map[string]*flow   // the first of equals
	bySource map[string]*Source // the first of equals
	schemas  *schemaIndex
	criteria map[*Criterion]*criterionInfo
	bare     map[*yaml.Node]bool // texts whose expressions without braces were reported
	inFlow   map[*yaml.Node]bool // scalars inside [] or {}, nil until needed
}

// criterionInfo is what is known of a criterion once it was looked at.
type criterionInfo struct {
	rewriting
	exprs []expr.Expression // none when it does not compile
}

func newChecker(d *Document, dialect Dialect) *checker {
	if dialect == "" {
		dialect = Strict
	}
	c := &checker{
		doc: d, dialect: dialect, criteria: map[*Criterion]*criterionInfo{}, bare: map[*yaml.Node]bool{},
		byID: map[string]*flow{}, bySource: map[string]*Source{}, schemas: newSchemaIndex(d),
	}
	for i := range d.Sources {
		if s := &d.Sources[i]; c.bySource[s.Name.Value] == nil {
			c.bySource[s.Name.Value] = s
		}
	}
	for i, w := range d.Workflows {
		f := newFlow(c, i, w)
		c.flows = append(c.flows, f)
		if c.byID[w.ID.Value] == nil {
			c.byID[w.ID.Value] = f
		}
	}
	return c
}

// loose is the severity of a loose form that Fix can, or cannot, rewrite.
func (c *checker) loose(fixable bool) Severity {
	if c.dialect == Compat && fixable {
		return Warning
	}
	return Error
}

func (c *checker) document() {
	c.self()
	c.sources()
	c.components()
	c.workflowIDs()
	for _, f := range c.flows {
		f.scan()
	}
	for _, f := range c.flows {
		f.analyse()
	}
	c.workflowDependencies()
	c.workflowRecursion()
	for _, f := range c.flows {
		f.inputReferences()
		f.inputRemarks()
	}
}

// self checks $self: it is an identity, and a fragment cannot be part of one (N5).
func (c *checker) self() {
	if strings.Contains(c.doc.Self.Value, "#") {
		c.out.find(Error, "self-fragment", c.doc.Self.Pos).fix("leave out # and what follows").say("$self must not have a fragment")
	}
}

func (c *checker) sources() {
	seen := map[string]bool{}
	for _, s := range c.doc.Sources {
		if name := s.Name.Value; name != "" && seen[name] {
			c.out.find(Error, "duplicate-source", s.Name.Pos).fix("give each source its own name").say("two sources have the name %s", name)
		}
		seen[s.Name.Value] = true
	}
}

func (c *checker) workflowIDs() {
	seen := map[string]bool{}
	for _, w := range c.doc.Workflows {
		c.id(w.ID, "workflowId", seen)
	}
}

// id checks that an id is unique (N3) and can be named in expressions.
func (c *checker) id(id Str, what string, seen map[string]bool) {
	if id.Node == nil {
		return
	}
	if seen[id.Value] {
		c.out.find(Error, "duplicate-id", id.Pos).fix("give it a name of its own").say("the %s %s is taken", what, id.Value)
	}
	seen[id.Value] = true
	if !idPattern.MatchString(id.Value) {
		c.out.find(Warning, "dotted-name", id.Pos).fix("use letters, digits, - and _ only").
			say("expressions cannot name the %s %q", what, id.Value)
	}
}

// components checks components on their own, without the workflow that an
// expression in them belongs to.
func (c *checker) components() {
	list := &c.doc.Components
	for i := range list.Parameters {
		p := &list.Parameters[i].Item
		s := scan{c: c, spot: inRequest, step: -1}
		s.value(p.Value)
	}
	for _, group := range [][]Component[Action]{list.SuccessActions, list.FailureActions} {
		for i := range group {
			s := scan{c: c, spot: inAction, step: -1}
			s.action(&group[i].Item)
			c.actionShape(&group[i].Item)
		}
	}
}

// declares and knows make the checker names for components, whose expressions
// are resolved in whatever workflow refers to them.
func (c *checker) declares(e expr.Expression) bool {
	return slices.ContainsFunc(c.flows, func(f *flow) bool { return f.declares(e) })
}

func (c *checker) knows(name string) bool {
	return slices.ContainsFunc(c.flows, func(f *flow) bool { return f.knows(name) })
}

// flowOf returns the flow of a local workflow, nil when there is none.
func (c *checker) flowOf(id string) *flow { return c.byID[id] }

// source returns the source of that name, nil when there is none.
func (c *checker) source(name string) *Source { return c.bySource[name] }

// didYouMean is the remedy for an unknown name. candidates are only collected
// while there is room for the diagnostic.
func (c *checker) didYouMean(name string, candidates func() []string) string {
	if !c.out.room(Error) {
		return ""
	}
	return didYouMean(name, candidates())
}

func (c *checker) workflowNames() []string {
	out := make([]string, len(c.flows))
	for i, f := range c.flows {
		out[i] = f.w.ID.Value
	}
	return out
}

func (c *checker) sourceNames() []string {
	out := make([]string, len(c.doc.Sources))
	for i, s := range c.doc.Sources {
		out[i] = s.Name.Value
	}
	return out
}

// workflowRef resolves a reference to a workflow (N16). The flow is nil for a
// workflow of another document, and when nothing was found, which is reported.
func (c *checker) workflowRef(ref Str) *flow {
	if ref.Node == nil {
		return nil
	}
	if !strings.HasPrefix(ref.Value, "$") {
		f := c.flowOf(ref.Value)
		if f == nil {
			c.out.find(Error, "unknown-workflow", ref.Pos).fix("%s", c.workflowRemedy(ref.Value)).say("there is no workflow %s", ref.Value)
		}
		return f
	}
	e, err := expr.Parse(ref.Value)
	if err != nil || e.Root != expr.RootSources {
		c.out.find(Error, "bad-expression", ref.Pos).fix("write the workflowId, or $sourceDescriptions.<name>.<workflowId> for one of another document").
			say("%q does not name a workflow", ref.Value)
		return nil
	}
	src := c.source(e.Owner)
	switch {
	case src == nil:
		c.unknownSource(ref.Pos, e.Owner)
	case src.Type.Value != "arazzo" && src.Type.Node != nil:
		c.out.find(Error, "unknown-workflow", ref.Pos).fix("give the source type: arazzo if it is an Arazzo document").
			say("the source %s is of type %s and holds no workflows", e.Owner, src.Type.Value)
	}
	return nil
}

func (c *checker) workflowRemedy(id string) string {
	if source, rest, ok := strings.Cut(id, "."); ok && c.source(source) != nil {
		return "write $sourceDescriptions." + source + "." + rest
	}
	return c.didYouMean(id, c.workflowNames)
}

func (c *checker) unknownSource(at Pos, name string) {
	c.out.find(Error, "unknown-source", at).fix("%s", c.didYouMean(name, c.sourceNames)).say("there is no source description %s", name)
}
