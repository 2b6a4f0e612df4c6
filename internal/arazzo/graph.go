package arazzo

import (
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
)

// graph is the order in which the steps of a workflow can be visited: a node
// for each step, and the end.
type graph struct {
	order []int    // steps in the order they follow each other without actions
	out   [][]edge // by step
	end   int      // the node behind the last step
}

// edge is one way on from a step.
type edge struct {
	to      int
	action  *Action // nil when it is the default
	failing bool    // taken when the step failed
	detour  bool    // a retry runs that step and comes back (N61)
	// proves are steps whose outputs must be there for the edge to be taken,
	// because its criteria read them.
	proves []int
}

// analyse looks at the order of the steps.
func (f *flow) analyse() {
	f.order = f.sort()
	if len(f.order) == 0 {
		return // no steps, or they depend on each other, which is reported
	}
	g := f.graph()
	reached := g.reachable(g.order[0])
	f.unreachable(g, reached)
	trapped := f.endless(g, reached)
	f.selfLoops(g, trapped)
	f.deadGuards(g)
	f.availability(g, reached)
}

// StepOrder returns the steps of a workflow in the order they follow each
// other: that of the list, or with dependsOn of steps [1.1] the topological
// order that is closest to it and honours both dependsOn and what steps read of
// each other (N75, A24). It reports false when they depend on each other in a
// circle.
func StepOrder(d *Document, w *Workflow) ([]*Step, bool) {
	c := newChecker(d, Strict)
	f := c.flowOf(w.ID.Value)
	if f == nil || f.w != w {
		return w.Steps, true
	}
	f.scan()
	order := f.sort()
	if len(order) < len(w.Steps) {
		return w.Steps, false
	}
	out := make([]*Step, len(order))
	for i, step := range order {
		out[i] = w.Steps[step]
	}
	return out, true
}

// ordered reports whether the workflow has dependsOn on a step.
func (f *flow) ordered() bool {
	return slices.ContainsFunc(f.w.Steps, func(s *Step) bool { return len(s.DependsOn) > 0 })
}

// sort orders the steps, stably, behind what they depend on; it returns nothing
// when they depend on each other. It checks the names in dependsOn on the way.
func (f *flow) sort() []int {
	n := len(f.w.Steps)
	order := make([]int, 0, n)
	if !f.ordered() {
		for i := range n {
			order = append(order, i)
		}
		return order
	}
	needs := make([][]int, n)
	for i, s := range f.w.Steps {
		needs[i] = f.stepDependencies(i, s)
	}
	for _, u := range f.uses {
		if u.by >= 0 && u.by != u.of && u.spot != inAction {
			needs[u.by] = append(needs[u.by], u.of)
		}
	}
	placed := make([]bool, n)
	for len(order) < n {
		next := -1
		for i := range n {
			if !placed[i] && !slices.ContainsFunc(needs[i], func(k int) bool { return !placed[k] }) {
				next = i
				break
			}
		}
		if next < 0 {
			f.dependencyCircle(needs, placed)
			return nil
		}
		placed[next] = true
		order = append(order, next)
	}
	return order
}

// dependencyCircle reports steps that wait for each other.
func (f *flow) dependencyCircle(needs [][]int, placed []bool) {
	at := slices.Index(placed, false)
	var trail []int
	for !slices.Contains(trail, at) {
		trail = append(trail, at)
		k := slices.IndexFunc(needs[at], func(k int) bool { return !placed[k] })
		at = needs[at][k]
	}
	trail = trail[slices.Index(trail, at):]
	names := make([]string, 0, len(trail)+1)
	for _, i := range append(trail, at) {
		names = append(names, f.describeStep(i))
	}
	f.c.out.find(Error, "dependency-cycle", f.w.Steps[trail[0]].Pos).fix("remove one of the dependencies").
		say("steps wait for each other: %s", strings.Join(names, " -> "))
}

// stepDependencies resolves the dependsOn of a step [1.1].
func (f *flow) stepDependencies(i int, s *Step) []int {
	var out []int
	seen := map[string]bool{}
	for _, dep := range s.DependsOn {
		if seen[dep.Value] {
			f.c.out.find(Error, "duplicate-id", dep.Pos).fix("keep one of them").say("dependsOn names %s twice", dep.Value)
			continue
		}
		seen[dep.Value] = true
		if strings.HasPrefix(dep.Value, "$") {
			f.foreignStep(dep)
			continue
		}
		k, ok := f.steps[dep.Value]
		switch {
		case !ok:
			f.c.out.find(Error, "unknown-step", dep.Pos).fix("%s", f.c.didYouMean(dep.Value, f.stepNames)).say("there is no step %s in the workflow %s", dep.Value, f.w.ID.Value)
		default:
			out = append(out, k)
		}
	}
	return out
}

// foreignStep checks $workflows.<id>.steps.<id> and
// $sourceDescriptions.<name>.<id>.steps.<id> in dependsOn.
func (f *flow) foreignStep(dep Str) {
	parts := strings.Split(dep.Value, ".")
	switch {
	case len(parts) == 4 && parts[0] == "$workflows" && parts[2] == "steps":
		target := f.c.flowOf(parts[1])
		if target == nil {
			f.c.out.find(Error, "unknown-workflow", dep.Pos).fix("%s", f.c.didYouMean(parts[1], f.c.workflowNames)).say("there is no workflow %s", parts[1])
		} else if _, ok := target.steps[parts[3]]; !ok {
			f.c.out.find(Error, "unknown-step", dep.Pos).fix("%s", f.c.didYouMean(parts[3], target.stepNames)).
				say("there is no step %s in the workflow %s", parts[3], parts[1])
		}
	case len(parts) == 5 && parts[0] == "$sourceDescriptions" && parts[3] == "steps":
		if f.c.source(parts[1]) == nil {
			f.c.unknownSource(dep.Pos, parts[1])
		}
	default:
		f.c.out.find(Error, "bad-expression", dep.Pos).fix("write a stepId, or $workflows.<workflowId>.steps.<stepId>").
			say("%q does not name a step", dep.Value)
	}
}

// graph draws the ways between the steps, which are in order.
func (f *flow) graph() *graph {
	n := len(f.w.Steps)
	g := &graph{order: f.order, out: make([][]edge, n+1), end: n}
	next := make([]int, n)
	for k, i := range f.order {
		next[i] = n
		if k+1 < n {
			next[i] = f.order[k+1]
		}
	}
	for i, s := range f.w.Steps {
		g.out[i] = append(f.successEdges(s, i, next[i], n), f.failureEdges(i, n)...)
	}
	return g
}

// successEdges are the ways on after a success: actions in order until one
// that always applies, else the next step (N54, N55).
func (f *flow) successEdges(s *Step, i, next, end int) []edge {
	var out []edge
	own := f.proved(s.SuccessCriteria)
	for k := range f.onSuccess[i] {
		a := &f.onSuccess[i][k]
		e := edge{action: a, to: f.destination(a, end), proves: append(f.proved(a.Criteria), own...)}
		out = append(out, e)
		if f.alwaysAfter(s, a) {
			return out
		}
	}
	return append(out, edge{to: next, proves: own})
}

// failureEdges are the ways on after a failure that the document names. The
// default is to break off (N55), which leads nowhere.
func (f *flow) failureEdges(i, end int) []edge {
	var out []edge
	for k := range f.onFailure[i] {
		a := &f.onFailure[i][k]
		retries := a.Type.Value == "retry"
		if retries && a.StepID.Node == nil {
			continue // the same step again: it changes nothing about the order
		}
		out = append(out, edge{action: a, to: f.destination(a, end), failing: true, detour: retries, proves: f.proved(a.Criteria)})
		if !retries && len(a.Criteria) == 0 {
			break
		}
	}
	return out
}

// destination is the node an action leads to; another workflow is an end, and
// so is a step that does not exist.
func (f *flow) destination(a *Action, end int) int {
	if a.StepID.Node == nil || a.Type.Value == "end" {
		return end
	}
	if i, ok := f.steps[a.StepID.Value]; ok {
		return i
	}
	f.broken = true
	return end
}

// alwaysAfter reports whether a success action applies to every success: it has
// no criteria, or only such as the step's own successCriteria contain.
func (f *flow) alwaysAfter(s *Step, a *Action) bool {
	for i := range a.Criteria {
		if !slices.ContainsFunc(s.SuccessCriteria, func(own Criterion) bool { return sameCriterion(own, a.Criteria[i]) }) {
			return false
		}
	}
	return true
}

func sameCriterion(a, b Criterion) bool {
	return strings.TrimSpace(a.Condition.Value) == strings.TrimSpace(b.Condition.Value) && a.Context.Value == b.Context.Value &&
		a.Type.Type == b.Type.Type && a.Type.Version == b.Type.Version
}

// proved returns the steps whose outputs criteria need to hold: they are read
// by a criterion that does not ask whether they are absent.
func (f *flow) proved(criteria []Criterion) []int {
	var out []int
	for i := range criteria {
		info := f.c.criteria[&criteria[i]]
		if info == nil || asksForAbsence(info.condition) {
			continue
		}
		for _, e := range info.exprs {
			if k, ok := f.steps[e.Owner]; ok && e.Root == expr.RootSteps {
				out = append(out, k)
			}
		}
	}
	return out
}

// asksForAbsence reports conditions that may hold without a value: those that
// compare with null, negate, or have alternatives. What is left of the rest
// holds only when every expression in it has a value.
func asksForAbsence(condition string) bool {
	rest := strings.ReplaceAll(strings.ReplaceAll(condition, "!= null", ""), "!=", "")
	return strings.Contains(rest, "null") || strings.ContainsAny(rest, "|!")
}

// reachable marks the nodes that can be visited from the given ones on, detours
// aside.
func (g *graph) reachable(from ...int) []bool {
	seen := make([]bool, len(g.out))
	todo := slices.Clone(from)
	for _, i := range from {
		seen[i] = true
	}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range g.out[i] {
			if !e.detour && !seen[e.to] {
				seen[e.to] = true
				todo = append(todo, e.to)
			}
		}
	}
	return seen
}

// detours marks the steps that are visited on a detour from reached ones only.
func (g *graph) detours(reached []bool) []bool {
	out := make([]bool, len(g.out))
	for i, edges := range g.out {
		for _, e := range edges {
			if e.detour && reached[i] && !reached[e.to] {
				out[e.to] = true
			}
		}
	}
	return out
}

func (f *flow) unreachable(g *graph, reached []bool) {
	if f.broken {
		return // an action leads to a step that does not exist: who knows which was meant
	}
	detours := g.detours(reached)
	for i, s := range f.w.Steps {
		if !reached[i] && !detours[i] {
			f.c.out.find(Warning, "unreachable-step", s.Pos).fix("remove it, or add a goto that leads to it").
				say("the step %s is never run", f.describeStep(i))
		}
	}
}

// endless reports cycles that nothing leaves: no way to the end leads out of
// them, except that a call fails and the workflow with it. It marks their steps.
func (f *flow) endless(g *graph, reached []bool) []bool {
	leaves := g.reaching(g.end)
	trapped := make([]bool, len(g.out))
	for _, i := range g.order {
		if !reached[i] || leaves[i] || trapped[i] {
			continue
		}
		circle := g.reachable(i)
		for k := range circle {
			trapped[k] = trapped[k] || circle[k]
		}
		if a := g.backward(circle); a != nil {
			f.c.out.find(Error, "goto-cycle", a.Pos).fix("give the action criteria that can fail, or add an action that leaves").
				say("the action %s closes a circle of steps that is never left", a.Name.Value)
		}
	}
	return trapped
}

// reaching marks the nodes from which a node can be reached.
func (g *graph) reaching(node int) []bool {
	in := make([][]int, len(g.out))
	for i, edges := range g.out {
		for _, e := range edges {
			if !e.detour {
				in[e.to] = append(in[e.to], i)
			}
		}
	}
	seen := make([]bool, len(g.out))
	seen[node] = true
	todo := []int{node}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, k := range in[i] {
			if !seen[k] {
				seen[k] = true
				todo = append(todo, k)
			}
		}
	}
	return seen
}

// backward finds an action among the nodes that leads back in the order.
func (g *graph) backward(among []bool) *Action {
	position := make([]int, len(g.out))
	for k, i := range g.order {
		position[i] = k
	}
	for _, i := range g.order {
		if !among[i] {
			continue
		}
		for _, e := range g.out[i] {
			if e.action != nil && !e.detour && e.to != g.end && position[e.to] <= position[i] {
				return e.action
			}
		}
	}
	return nil
}

// selfLoops reports a step whose own action goes to itself: polling without a
// pause, since only a retry can wait.
func (f *flow) selfLoops(g *graph, trapped []bool) {
	for i, s := range f.w.Steps {
		for _, e := range g.out[i] {
			if e.action == nil || e.to != i || trapped[i] || e.action.Type.Value != "goto" || !owns(s, e.action) {
				continue
			}
			f.c.out.find(Warning, "loop-without-delay", e.action.Pos).fix("let the step fail while it must wait, and use a failure action of type retry with retryAfter and retryLimit").
				say("the action %s repeats the step %s without a pause or a bound", e.action.Name.Value, f.describeStep(i))
		}
	}
}

// owns reports whether an action stands in the step's own lists.
func owns(s *Step, a *Action) bool {
	same := func(own Action) bool { return own.Pos == a.Pos }
	return slices.ContainsFunc(s.OnSuccess, same) || slices.ContainsFunc(s.OnFailure, same)
}

// deadGuards reports steps whose conditional gotos all lead to where they lead
// anyway: whatever the criteria say, the next step runs.
func (f *flow) deadGuards(g *graph) {
	for i := range f.w.Steps {
		var guards []edge
		next := -1
		for _, e := range g.out[i] {
			switch {
			case e.failing:
			case e.action == nil:
				next = e.to
			default:
				guards = append(guards, e)
			}
		}
		if next < 0 || next == g.end || len(guards) == 0 || slices.ContainsFunc(guards, func(e edge) bool { return e.to != next }) {
			continue
		}
		f.c.out.find(Warning, "dead-guard", guards[0].action.Pos).fix("add an action of type end for the other case").
			say("the action %s guards nothing: the step %s runs whether its criteria hold or not", guards[0].action.Name.Value, f.describeStep(next))
	}
}

// availability reports outputs that are read where the step that gives them has
// not run, or need not have run. avail(step) is the set of steps that have run
// on every way to it: the intersection over all ways in of what was there
// before, the step before, and what the criteria of the way prove.
func (f *flow) availability(g *graph, reached []bool) {
	avail := g.alwaysBefore(reached)
	detours := g.detours(reached)
	ever := make(map[int][]bool)
	topological := f.ordered()
	for _, u := range f.uses {
		if u.by >= 0 && !reached[u.by] && !detours[u.by] {
			continue // never run: reported
		}
		switch {
		case u.by < 0 && u.spot == inWorkflowOutput:
			if !avail[g.end].has(u.of) {
				f.c.out.find(Info, "maybe-skipped-output", u.at).say("%s is absent when the workflow ends before the step %s", u.raw, f.describeStep(u.of))
			}
			continue
		case u.by < 0:
			continue // workflow parameters and actions: evaluated at many steps
		case u.by == u.of && u.spot != inRequest:
			continue // a step reads its own outputs when it has them
		case avail[u.by].has(u.of):
			continue
		}
		if ever[u.of] == nil {
			ever[u.of] = g.after(u.of)
		}
		f.unavailable(u, ever[u.of][u.by], topological)
	}
}

// after marks the nodes that can be visited after a step, detours included.
func (g *graph) after(step int) []bool {
	var next []int
	for _, e := range g.out[step] {
		next = append(next, e.to)
	}
	seen := g.reachable(next...)
	for i, edges := range g.out {
		for _, e := range edges {
			if e.detour && (seen[i] || i == step) {
				seen[e.to] = true
			}
		}
	}
	return seen
}

// unavailable reports one reading of an output that may not be there.
func (f *flow) unavailable(u use, sometimes, topological bool) {
	by, of := f.describeStep(u.by), f.describeStep(u.of)
	switch {
	case u.spot == inCriteria || u.spot == inAction:
		// A criterion without a value fails (N51), and may be there to ask.
		if !sometimes {
			f.c.out.find(Warning, "forward-reference", u.at).fix("read it in a step that runs after %s", of).
				say("the step %s has never run when the step %s is judged", of, by)
		}
	case u.spot == inStepOutput:
		f.c.out.find(Info, "maybe-skipped-output", u.at).say("%s is absent when the step %s has not run", u.raw, of)
	case sometimes:
		f.c.out.find(Error, "maybe-skipped-output", u.at).fix("let every way to %s pass %s, or give the value as an input", by, of).
			say("the step %s reads %s, but can be reached without running the step %s", by, u.raw, of)
	case !topological || u.by == u.of:
		f.c.out.find(Error, "forward-reference", u.at).fix("move the step %s before %s", of, by).
			say("the step %s reads an output of %s, which has not run by then", by, of)
	}
}

// alwaysBefore computes, for each node, the steps that have run on every way to
// it; everything for nodes that are never visited.
func (g *graph) alwaysBefore(reached []bool) []bitset {
	n := len(g.out)
	avail := make([]bitset, n)
	for i := range avail {
		avail[i] = newBitset(n)
		if i != g.order[0] {
			avail[i].fill()
		}
	}
	for changed := true; changed; {
		changed = false
		for _, i := range g.order {
			if !reached[i] {
				continue
			}
			for _, e := range g.out[i] {
				if avail[e.to].intersect(avail[i], i, e.proves) {
					changed = true
				}
			}
		}
	}
	return avail
}

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) fill() {
	for i := range b {
		b[i] = ^uint64(0)
	}
}

// intersect keeps of b what is in other, or is step, or is in proved. It
// reports whether b changed.
func (b bitset) intersect(other bitset, step int, proved []int) bool {
	changed := false
	for w := range b {
		kept := other[w]
		if step/64 == w {
			kept |= 1 << (step % 64)
		}
		for _, i := range proved {
			if i/64 == w {
				kept |= 1 << (i % 64)
			}
		}
		if kept &= b[w]; kept != b[w] {
			b[w], changed = kept, true
		}
	}
	return changed
}
