package arazzo

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// workflowDependencies checks dependsOn of workflows: what it names exists,
// stands once, and leads into no circle (N3, N72, N73).
func (c *checker) workflowDependencies() {
	needs := make([][]int, len(c.flows))
	for i, f := range c.flows {
		seen := map[string]bool{}
		for _, dep := range f.w.DependsOn {
			if seen[dep.Value] {
				c.out.find(Error, "duplicate-id", dep.Pos).fix("keep one of them").say("dependsOn names %s twice", dep.Value)
				continue
			}
			seen[dep.Value] = true
			if target := c.workflowRef(dep); target != nil {
				needs[i] = append(needs[i], target.index)
			}
		}
	}
	for _, circle := range circles(needs) {
		first := c.flows[circle[0]]
		c.out.find(Error, "dependency-cycle", first.w.DependsOn[0].Pos).fix("remove one of the dependencies").
			say("workflows wait for each other: %s", c.trail(circle))
	}
}

// workflowRecursion checks workflows that call themselves through their steps.
// A call that can be avoided is a way to go through a list, bounded by the run
// (N74); one that cannot never comes back.
func (c *checker) workflowRecursion() {
	calls := make([][]int, len(c.flows))
	for i, f := range c.flows {
		for _, s := range f.w.Steps {
			if target := c.flowOf(s.WorkflowID.Value); target != nil && s.WorkflowID.Node != nil {
				calls[i] = append(calls[i], target.index)
			}
		}
	}
	for _, circle := range circles(calls) {
		group := map[int]bool{}
		for _, i := range circle {
			group[i] = true
		}
		avoidable := slices.ContainsFunc(circle, func(i int) bool { return c.flows[i].avoids(group) })
		f := c.flows[circle[0]]
		at := f.w.Pos
		for _, s := range f.w.Steps {
			if target := c.flowOf(s.WorkflowID.Value); target != nil && group[target.index] {
				at = s.WorkflowID.Pos
				break
			}
		}
		if avoidable {
			c.out.find(Warning, "workflow-cycle", at).fix("make sure that the calls come to an end").say("workflows call each other: %s", c.trail(circle))
			continue
		}
		c.out.find(Error, "workflow-cycle", at).fix("give one of them a way to its end without the call").
			say("workflows call each other without end: %s", c.trail(circle))
	}
}

// avoids reports whether the workflow can come to its end without a step that
// calls one of a group.
func (f *flow) avoids(group map[int]bool) bool {
	if len(f.order) == 0 {
		return true // its steps are in no order, which is reported
	}
	g := f.graph()
	for i, s := range f.w.Steps {
		if target := f.c.flowOf(s.WorkflowID.Value); s.WorkflowID.Node != nil && target != nil && group[target.index] {
			g.out[i] = nil
		}
	}
	return g.reachable(f.order[0])[g.end]
}

func (c *checker) trail(circle []int) string {
	names := make([]string, 0, len(circle)+1)
	for _, i := range append(slices.Clone(circle), circle[0]) {
		names = append(names, c.flows[i].w.ID.Value)
	}
	return strings.Join(names, " -> ")
}

// circles walks a graph depth first and returns the circles that edges back to
// an open node close, one at most for each node: enough to have one of every
// group of nodes that lead to each other.
func circles(out [][]int) [][]int {
	const (
		fresh = iota
		open
		done
	)
	var found [][]int
	var trail []int
	state := make([]int, len(out))
	var visit func(i int)
	visit = func(i int) {
		state[i] = open
		trail = append(trail, i)
		closed := false
		for _, k := range out[i] {
			if state[k] == fresh {
				visit(k)
			} else if state[k] == open && !closed {
				found = append(found, slices.Clone(trail[slices.Index(trail, k):]))
				closed = true
			}
		}
		trail = trail[:len(trail)-1]
		state[i] = done
	}
	for i := range out {
		if state[i] == fresh {
			visit(i)
		}
	}
	return found
}

// inputReferences reports a $ref in the inputs that leads nowhere (N10).
func (f *flow) inputReferences() {
	if _, err := f.c.schemas.inputsSchema(f.w); err != nil {
		f.c.out.add(unreadable(f.c.doc.File, err))
	}
}

// inputRemarks reports inputs that nothing reads, and secrets without a mark.
func (f *flow) inputRemarks() {
	if len(f.inputs.list) == 0 {
		return
	}
	mentioned := f.mentioned()
	secrets := map[string]bool{}
	for _, pointer := range f.c.schemas.secretInputs(f.w) {
		secrets[strings.TrimPrefix(pointer, "/")] = true
	}
	for _, in := range f.inputs.list {
		at := f.c.doc.At(in.key)
		if !f.inputUsed[in.name] && !mentioned[in.name] {
			f.c.out.find(Info, "unused-input", at).say("nothing reads the input %s", in.name)
		}
		if secrets[in.name] && !f.c.schemas.of(f.w.Inputs.Node).marked(in.schema, 0) {
			f.c.out.find(Info, "unmarked-secret", at).fix("add format: password").
				say("the input %s looks like a secret and is not marked as one; its value is hidden all the same", in.name)
		}
	}
}

// marked reports whether a schema, or one it refers to, marks a secret.
func (s schemas) marked(n *yaml.Node, depth int) bool {
	const hops = 20
	n = deref(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > hops {
		return false
	}
	if markedSecret(n) {
		return true
	}
	if ref := deref(mapValue(n, "$ref")); ref != nil {
		target, _, _ := s.resolve(ref.Value)
		return s.marked(target, depth+1)
	}
	return false
}

// mentioned collects the names after "inputs." in the texts of extensions,
// which read inputs in ways of their own.
func (f *flow) mentioned() map[string]bool {
	out := map[string]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n == nil {
			return
		}
		if n.Kind == yaml.ScalarNode {
			mentions(n.Value, out)
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	for _, s := range f.w.Steps {
		for _, x := range s.Extensions {
			walk(x.Node)
		}
	}
	for _, x := range f.w.Extensions {
		walk(x.Node)
	}
	return out
}

func mentions(text string, out map[string]bool) {
	for {
		_, rest, ok := strings.Cut(text, "inputs.")
		if !ok {
			return
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return !idPattern.MatchString(string(r)) })
		if end < 0 {
			end = len(rest)
		}
		out[rest[:end]] = true
		text = rest
	}
}
