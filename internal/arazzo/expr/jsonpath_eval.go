package expr

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/value"
)

// maxPathSteps bounds the work of one evaluation: nodes visited and tests made.
// A query with several .. on a large value can ask for more than any machine
// has.
const maxPathSteps = 5_000_000

var errPathSteps = errors.New("the JSONPath visits too many values; make it more specific")

// pathRun is one evaluation of a query.
type pathRun struct {
	root  any
	steps int
}

// step counts one unit of work and reports whether there is some left.
func (r *pathRun) step() bool {
	r.steps++
	return r.steps <= maxPathSteps
}

func (r *pathRun) err() error {
	if r.steps > maxPathSteps {
		return errPathSteps
	}
	return nil
}

// place is a node's way from the root, kept only where places are asked for.
type place struct {
	above *place
	token string
}

func (p *place) pointer() value.Pointer {
	out := value.Pointer{}
	for ; p != nil; p = p.above {
		out = append(out, p.token)
	}
	slices.Reverse(out)
	return out
}

// walk yields the nodes that the segments select from v, in the order of RFC
// 9535 2.5; members of objects come in the order of their names, so that runs
// are repeatable. at is nil when places are not wanted. It reports false when
// yield did or the work is used up.
func (r *pathRun) walk(segments []pathSegment, v any, at *place, yield func(v any, at *place) bool) bool {
	if !r.step() {
		return false
	}
	if len(segments) == 0 {
		return yield(v, at)
	}
	seg, rest := &segments[0], segments[1:]
	for _, sel := range seg.selectors {
		ok := sel.children(r, v, func(child any, key string, index int) bool {
			return r.walk(rest, child, at.child(key, index), yield)
		})
		if !ok {
			return false
		}
	}
	if !seg.descendant {
		return true
	}
	return wildcardSelector{}.children(r, v, func(child any, key string, index int) bool {
		return r.walk(segments, child, at.child(key, index), yield)
	})
}

// child returns the place of a member, or of an element when index is not
// negative.
func (p *place) child(key string, index int) *place {
	if p == nil {
		return nil
	}
	if index >= 0 {
		key = strconv.Itoa(index)
	}
	return &place{above: p, token: key}
}

func (s nameSelector) children(_ *pathRun, v any, yield func(any, string, int) bool) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return true
	}
	child, ok := m[string(s)]
	return !ok || yield(child, string(s), -1)
}

func (wildcardSelector) children(_ *pathRun, v any, yield func(any, string, int) bool) bool {
	switch v := v.(type) {
	case []any:
		for i, child := range v {
			if !yield(child, "", i) {
				return false
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if !yield(v[k], k, -1) {
				return false
			}
		}
	}
	return true
}

func (s indexSelector) children(_ *pathRun, v any, yield func(any, string, int) bool) bool {
	list, ok := v.([]any)
	if !ok {
		return true
	}
	i := int64(s)
	if i < 0 {
		i += int64(len(list))
	}
	if i < 0 || i >= int64(len(list)) {
		return true
	}
	return yield(list[i], "", int(i))
}

func (s sliceSelector) children(_ *pathRun, v any, yield func(any, string, int) bool) bool {
	list, ok := v.([]any)
	if !ok {
		return true
	}
	n := int64(len(list))
	step := int64(1)
	if s.step != nil {
		step = *s.step
	}
	lower, upper := s.bounds(n, step)
	switch {
	case step > 0:
		for i := lower; i < upper; i += step {
			if !yield(list[i], "", int(i)) {
				return false
			}
		}
	case step < 0:
		for i := upper; i > lower; i += step {
			if !yield(list[i], "", int(i)) {
				return false
			}
		}
	}
	return true
}

// bounds is Bounds of RFC 9535 2.3.4.2.2.
func (s sliceSelector) bounds(n, step int64) (lower, upper int64) {
	start, end := int64(0), n
	if step < 0 {
		start, end = n-1, -n-1
	}
	if s.start != nil {
		start = *s.start
	}
	if s.end != nil {
		end = *s.end
	}
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	if step >= 0 {
		return min(max(start, 0), n), min(max(end, 0), n)
	}
	return min(max(end, -1), n-1), min(max(start, -1), n-1)
}

func (s filterSelector) children(run *pathRun, v any, yield func(any, string, int) bool) bool {
	return wildcardSelector{}.children(run, v, func(child any, key string, index int) bool {
		if !run.step() {
			return false
		}
		return !s.test.holds(run, child) || yield(child, key, index)
	})
}

func (t orTest) holds(run *pathRun, current any) bool {
	for _, kid := range t {
		if kid.holds(run, current) {
			return true
		}
	}
	return false
}

func (t andTest) holds(run *pathRun, current any) bool {
	for _, kid := range t {
		if !kid.holds(run, current) {
			return false
		}
	}
	return true
}

func (t notTest) holds(run *pathRun, current any) bool { return !t.pathTest.holds(run, current) }

func (t existsTest) holds(run *pathRun, current any) bool {
	_, ok := t.query.first(run, current)
	return ok
}

// first returns the first node that q selects.
func (q *pathQuery) first(run *pathRun, current any) (v any, ok bool) {
	q.each(run, current, func(found any) bool {
		v, ok = found, true
		return false
	})
	return v, ok
}

func (q *pathQuery) each(run *pathRun, current any, yield func(any) bool) {
	start := run.root
	if q.relative {
		start = current
	}
	run.walk(q.segments, start, nil, func(v any, _ *place) bool { return yield(v) })
}

// holds compares by RFC 9535 2.3.5.2.2: nothing equals only nothing, and only
// numbers and strings have an order.
func (t compareTest) holds(run *pathRun, current any) bool {
	left, hasLeft := t.left.get(run, current)
	right, hasRight := t.right.get(run, current)
	switch t.op {
	case "==":
		return pathEqual(left, hasLeft, right, hasRight)
	case "!=":
		return !pathEqual(left, hasLeft, right, hasRight)
	case "<":
		return pathLess(left, right)
	case ">":
		return pathLess(right, left)
	case "<=":
		return pathLess(left, right) || pathEqual(left, hasLeft, right, hasRight)
	}
	return pathLess(right, left) || pathEqual(left, hasLeft, right, hasRight)
}

func pathEqual(left any, hasLeft bool, right any, hasRight bool) bool {
	if !hasLeft || !hasRight {
		return hasLeft == hasRight
	}
	return value.Equal(left, right)
}

func pathLess(left, right any) bool {
	switch left := left.(type) {
	case json.Number:
		right, ok := right.(json.Number)
		return ok && value.CompareNumbers(left, right) < 0
	case string:
		right, ok := right.(string)
		return ok && left < right // bytes of UTF-8 order as code points do
	}
	return false
}

func (v literalValue) get(*pathRun, any) (any, bool) { return v.v, true }

func (v singularValue) get(run *pathRun, current any) (any, bool) {
	return v.query.first(run, current)
}

func (v lengthValue) get(run *pathRun, current any) (any, bool) {
	of, ok := v.of.get(run, current)
	if !ok {
		return nil, false
	}
	switch of := of.(type) {
	case string:
		return number(utf8.RuneCountInString(of)), true
	case []any:
		return number(len(of)), true
	case map[string]any:
		return number(len(of)), true
	}
	return nil, false
}

func (v countValue) get(run *pathRun, current any) (any, bool) {
	n := 0
	v.query.each(run, current, func(any) bool { n++; return true })
	return number(n), true
}

func (v onlyValue) get(run *pathRun, current any) (any, bool) {
	var only any
	n := 0
	v.query.each(run, current, func(found any) bool {
		only = found
		n++
		return n < 2
	})
	return only, n == 1
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// holds is false for anything but two strings, and for a pattern that is none
// (RFC 9535 2.4.6).
func (t matchTest) holds(run *pathRun, current any) bool {
	got, _ := t.text.get(run, current)
	text, ok := got.(string)
	if !ok {
		return false
	}
	re := t.static
	if re == nil {
		got, _ := t.pattern.get(run, current)
		pattern, ok := got.(string)
		if !ok {
			return false
		}
		run.steps += len(pattern)
		re = compilePathRegexp(pattern, t.whole)
	}
	run.steps += len(text) / 64
	return re.re != nil && re.re.MatchString(text)
}

// pathRegexp is an I-Regexp (RFC 9485), without re when it is not valid.
type pathRegexp struct{ re *regexp.Regexp }

func compilePathRegexp(pattern string, whole bool) *pathRegexp {
	pattern = dotsWithoutNewline(pattern)
	if whole {
		pattern = `\A(?:` + pattern + `)\z`
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return &pathRegexp{}
	}
	return &pathRegexp{re}
}

// dotsWithoutNewline makes "." match what RFC 9485 5.3 says: neither newline
// nor carriage return.
func dotsWithoutNewline(pattern string) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			b.WriteByte(c)
			i++
			c = pattern[i]
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		case c == '.' && !inClass:
			b.WriteString(`[^\n\r]`)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// test passes when at least one node is selected (N48).
func (p *jsonPath) test(s subject) (bool, string, error) {
	run := pathRun{root: s.value}
	_, ok := p.query.first(&run, s.value)
	if err := run.err(); err != nil {
		return false, "", &ConditionError{Kind: ErrJSONPath, Msg: err.Error()}
	}
	if ok {
		return true, "", nil
	}
	if _, isObject := s.value.(map[string]any); isObject && p.filtersRoot {
		return false, "the JSONPath selects nothing: the context is an object, and a filter right after $ tests the values" +
			" of its members, not the object itself; name the array it is meant for, such as $.items[?@.id]," +
			" or use a simple condition", nil
	}
	return false, "the JSONPath selects nothing", nil
}

// find returns the selected node, or an array of them when there are several.
func (p *jsonPath) find(s subject) (any, bool, error) {
	run := pathRun{root: s.value}
	var found []any
	p.query.each(&run, s.value, func(v any) bool {
		found = append(found, v)
		return true
	})
	if err := run.err(); err != nil {
		return nil, false, &ConditionError{Kind: ErrJSONPath, Msg: err.Error()}
	}
	switch len(found) {
	case 0:
		return nil, false, nil
	case 1:
		return found[0], true, nil
	}
	return found, true, nil
}

// locate returns the places of the selected nodes.
func (p *jsonPath) locate(root any) ([]value.Pointer, error) {
	run := pathRun{root: root}
	var out []value.Pointer
	top := &place{}
	run.walk(p.query.segments, root, top, func(_ any, at *place) bool {
		out = append(out, at.pointer()[1:]) // without the mark of the root
		return true
	})
	if err := run.err(); err != nil {
		return nil, &ConditionError{Kind: ErrJSONPath, Msg: err.Error()}
	}
	return out, nil
}
