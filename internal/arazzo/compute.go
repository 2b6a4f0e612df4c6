package arazzo

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/shape"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Computed is what a step computes (x-lanyard-compute): values for its
// expressions, and an expression for each output.
type Computed struct {
	With     []Bound
	Formulas []Formula
}

// Bound is a name that a step's formulas use for a value.
type Bound struct {
	Pos
	Name  string
	Value Any
}

// Formula is an expression of package shape that gives an output.
type Formula struct {
	Pos  // of the text
	Name string
	Text string
	node *yaml.Node
	doc  *Document // nil when nothing has a place
}

// withField is the field of the extension that is no output.
const withField = "with"

// The variables of formulas beside those of with.
const (
	inputsVariable = "inputs" // inputs.NAME
	stepsVariable  = "steps"  // steps.ID.outputs.NAME
)

// variablePattern is what a formula can name.
var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// computes reports whether the step computes something.
func (s *Step) computes() bool { return s.Extensions[ComputeExtension].Set() }

// Calls reports whether the step calls something, and does not only compute.
func (s *Step) Calls() bool {
	return s.isOperation() || s.isAsync() || s.WorkflowID.Node != nil || !s.computes()
}

// FormulaSteps returns the ids of the steps whose outputs the step's formulas
// read, values of with included.
func (s *Step) FormulaSteps() []string {
	c, err := s.Computed(nil)
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range c.Formulas {
		e, _, err := c.Compile(f)
		if err != nil {
			continue
		}
		for _, path := range e.Reads() {
			if read, _, _ := c.Expression(path); read.Root == expr.RootSteps {
				out = append(out, read.Owner)
			}
		}
	}
	for _, b := range c.With {
		if v, err := expr.Compile(b.Value.Value(), expr.Options{Selectors: true}); err == nil {
			for _, e := range v.Expressions() {
				if e.Root == expr.RootSteps {
					out = append(out, e.Owner)
				}
			}
		}
	}
	return out
}

// Computed reads x-lanyard-compute as far as its shape goes; the error names
// what is wrong with it. Without the step's document nothing has a place.
func (s *Step) Computed(d *Document) (Computed, error) {
	var c Computed
	ext, ok := s.Extensions[ComputeExtension]
	if !ok {
		return c, nil
	}
	n := deref(ext.Node)
	if n == nil || n.Kind != yaml.MappingNode {
		return c, fault.New(fault.Invalid, "must be a mapping of outputs to expressions")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := deref(n.Content[i]).Value, deref(n.Content[i+1])
		if key == withField {
			if v.Kind != yaml.MappingNode {
				return c, fault.New(fault.Invalid, "with must be a mapping of names to values")
			}
			for k := 0; k+1 < len(v.Content); k += 2 {
				at := d.beside(v.Content[k+1])
				c.With = append(c.With, Bound{Pos: at, Name: deref(v.Content[k]).Value, Value: Any{Pos: at, Node: deref(v.Content[k+1])}})
			}
			continue
		}
		text, ok := value.FromYAML(v).(string)
		if !ok {
			return c, fault.New(fault.Invalid, "the output %s must be an expression, written as text", key)
		}
		c.Formulas = append(c.Formulas, Formula{Pos: d.beside(v), Name: key, Text: text, node: v, doc: d})
	}
	if len(c.Formulas) == 0 {
		return c, fault.New(fault.Invalid, "gives no output")
	}
	for _, b := range c.With {
		if !variablePattern.MatchString(b.Name) || b.Name == inputsVariable || b.Name == stepsVariable {
			return c, fault.New(fault.Invalid, "%q cannot be a name in with", b.Name).Fix("use letters, digits and _, and neither inputs nor steps")
		}
	}
	return c, nil
}

// beside is At, also without a document.
func (d *Document) beside(n *yaml.Node) Pos {
	if d == nil {
		return Pos{}
	}
	return d.At(n)
}

// Variables are the names that the formulas may use.
func (c *Computed) Variables() []shape.Variable {
	out := []shape.Variable{{Name: inputsVariable, Levels: 1}, {Name: stepsVariable, Levels: 3}}
	for _, b := range c.With {
		out = append(out, shape.Variable{Name: b.Name})
	}
	return out
}

// Compile compiles a formula. Its place is where in the document the mistake is.
func (c *Computed) Compile(f Formula) (*shape.Expression, Pos, error) {
	e, err := shape.Compile(f.Text, c.Variables())
	at := f.Pos
	var bad *shape.Error
	if errors.As(err, &bad) {
		at = f.place(bad.Line, bad.Column)
	}
	return e, at, err
}

// place turns a place in the text into one in the document: of the text as a
// whole when that cannot be told.
func (f Formula) place(line, column int) Pos {
	offset := 0
	for n, text := range slices.Collect(strings.Lines(f.Text)) {
		if n+1 < line {
			offset += len(text)
			continue
		}
		for range column - 1 {
			_, size := utf8.DecodeRuneInString(f.Text[offset:])
			offset += size
		}
		break
	}
	if at, ok := f.doc.inside(f.node, offset); ok {
		return at
	}
	return f.Pos
}

// Expression turns what a formula reads into an expression of Arazzo; none for
// what with names. exact is false when it is not known which one it is.
func (c *Computed) Expression(p shape.Path) (e expr.Expression, exact, named bool) {
	switch {
	case p[0] == inputsVariable && len(p) > 1:
		return expr.Expression{Raw: p.String(), Root: expr.RootInputs, Name: p[1], Pointer: value.Pointer(p[2:])}, true, true
	case p[0] == stepsVariable && len(p) > 3:
		return expr.Expression{Raw: p.String(), Root: expr.RootSteps, Owner: p[1], Part: p[2], Name: p[3], Pointer: value.Pointer(p[4:])}, true, true
	case p[0] == inputsVariable || p[0] == stepsVariable:
		return expr.Expression{Raw: p.String()}, false, true
	}
	return expr.Expression{}, false, false
}

// compute checks x-lanyard-compute.
func (f *flow) compute(sc scan, s *Step) {
	ext, ok := s.Extensions[ComputeExtension]
	if !ok {
		return
	}
	c, err := s.Computed(f.c.doc)
	if err != nil {
		f.c.out.find(Error, "schema", ext.Pos).say("%s %s", ComputeExtension, fault.Public(err))
		return
	}
	if s.isOperation() || s.WorkflowID.Node != nil {
		sc.spot = inStepOutput
	}
	for _, b := range c.With {
		sc.value(b.Value)
	}
	own := outputNames(s.Outputs)
	for _, formula := range c.Formulas {
		if own[formula.Name] || !namePattern.MatchString(formula.Name) {
			f.c.out.find(Error, "output-name", formula.Pos).say("%q cannot be the name of an output that is computed: it is taken, or has other characters than letters, digits, . - and _", formula.Name)
		}
		e, at, err := c.Compile(formula)
		if err != nil {
			f.c.out.find(Error, "bad-formula", at).say("the expression of output %s: %s", formula.Name, fault.Public(err))
			continue
		}
		f.formulaReads(&sc, &c, formula, e)
	}
}

// formulaReads checks the names that a formula takes from the document.
func (f *flow) formulaReads(sc *scan, c *Computed, formula Formula, e *shape.Expression) {
	at := *sc
	at.at = &formula.Pos
	for _, path := range e.Reads() {
		read, exact, named := c.Expression(path)
		switch {
		case !named:
		case !exact && path[0] == inputsVariable:
			for _, name := range slices.Sorted(maps.Keys(f.inputs.byName)) {
				f.inputUsed[name] = true
			}
		case !exact:
			f.c.out.find(Error, "bad-formula", formula.Pos).fix("write steps.ID.outputs.NAME").say("%s names no output of a step", path)
		case read.Root == expr.RootSteps && read.Part != "outputs":
			f.c.out.find(Error, "bad-formula", formula.Pos).fix("write steps.%s.outputs.NAME", read.Owner).say("a step has nothing called %s", read.Part)
		default:
			f.expression(&at, formula.node, read)
		}
	}
}
