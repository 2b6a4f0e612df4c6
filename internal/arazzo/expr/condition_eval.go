package expr

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/value"
)

// trial is one evaluation of a criterion. It notes the operands that were
// looked at, for the report.
type trial struct {
	scope Scope
	seen  []Operand
}

// note records an operand once.
func (t *trial) note(text string, v any, ok bool) {
	for i := range t.seen {
		if t.seen[i].Expression == text {
			return
		}
	}
	t.seen = append(t.seen, Operand{Expression: text, Value: display(v), Missing: !ok})
}

// display shortens a value for a report: reports are kept for years, and a
// criterion on a response body must not keep the body.
func display(v any) any {
	switch v := v.(type) {
	case []any:
		return fmt.Sprintf("(an array of %d)", len(v))
	case map[string]any:
		return fmt.Sprintf("(an object of %d)", len(v))
	case string:
		const most = 200
		if len(v) <= most {
			return v
		}
		cut := most
		for cut > 0 && !utf8.RuneStart(v[cut]) {
			cut--
		}
		return v[:cut] + "..."
	}
	return v
}

// value returns the operand's value and whether there is one.
func (o *operand) value(t *trial) (any, bool) {
	if !o.isExpr {
		return o.literal, true
	}
	v, ok := o.resolve(t.scope)
	if !ok && o.other != nil {
		v, ok = o.other.resolve(t.scope)
	}
	t.note(o.text, v, ok)
	return v, ok
}

func (o *operand) resolve(s Scope) (any, bool) {
	v, ok := s.Lookup(o.expr)
	if !ok {
		return nil, false
	}
	if v, ok = o.expr.Pointer.Get(v); !ok {
		return nil, false
	}
	return o.path.Get(v)
}

// missingReason says why the operand has no value.
func (o *operand) missingReason(t *trial) string {
	v, err := Resolve(o.expr, t.scope)
	if err != nil {
		return err.Error()
	}
	return o.text + " has no value: " + explainPointer(o.path, v)
}

func (c anyOf) eval(t *trial) truth {
	best := no
	for _, kid := range c {
		if got := kid.eval(t); got == yes {
			return yes
		} else if got > best {
			best = got
		}
	}
	return best
}

func (c allOf) eval(t *trial) truth {
	worst := yes
	for _, kid := range c {
		if got := kid.eval(t); got == no {
			return no
		} else if got < worst {
			worst = got
		}
	}
	return worst
}

func (c not) eval(t *trial) truth { return yes - c.condition.eval(t) }

func (c test) eval(t *trial) truth {
	v, ok := c.operand.value(t)
	return truthOf(ok && truthy(v))
}

// truthy says whether a value on its own holds: false, null, "", 0 and empty
// arrays and objects do not (A9).
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case json.Number:
		return value.CompareNumbers(v, "0") != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

func (c comparison) eval(t *trial) truth {
	left, hasLeft := c.left.value(t)
	right, hasRight := c.right.value(t)
	if !hasLeft || !hasRight {
		return c.evalMissing(left, hasLeft, right, hasRight)
	}
	switch c.op {
	case "==":
		return truthOf(same(left, right))
	case "!=":
		return truthOf(!same(left, right)) // A10
	}
	order, ok := compare(left, right)
	if !ok {
		return no
	}
	switch c.op {
	case "<":
		return truthOf(order < 0)
	case "<=":
		return truthOf(order <= 0)
	case ">":
		return truthOf(order > 0)
	}
	return truthOf(order >= 0)
}

// evalMissing compares with a missing operand: it equals null, and nothing else
// is known about it.
func (c comparison) evalMissing(left any, hasLeft bool, right any, hasRight bool) truth {
	null := hasLeft && left == nil || hasRight && right == nil
	switch {
	case null && c.op == "==":
		return yes
	case null && c.op == "!=":
		return no
	}
	return unknown
}

// same is the == of simple conditions: strings are equal without case (N44), a
// numeric string equals the number it reads as (N45), null equals only null
// (N46), and structures are equal member by member.
func same(a, b any) bool {
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			return strings.EqualFold(s, t)
		}
	}
	if x, y, ok := numbers(a, b); ok {
		return value.CompareNumbers(x, y) == 0
	}
	return value.Equal(a, b)
}

// compare orders two numbers, a number and a numeric string, or two strings
// without case. Nothing else has an order.
func compare(a, b any) (int, bool) {
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			return compareFold(s, t), true
		}
	}
	if x, y, ok := numbers(a, b); ok {
		return value.CompareNumbers(x, y), true
	}
	return 0, false
}

// numbers reads both as numbers when one is a number and the other is one or a
// string that looks like one.
func numbers(a, b any) (json.Number, json.Number, bool) {
	x, xIsNumber := a.(json.Number)
	y, yIsNumber := b.(json.Number)
	switch {
	case xIsNumber && yIsNumber:
		return x, y, true
	case xIsNumber:
		s, _ := b.(string)
		y, ok := numeric(s)
		return x, y, ok
	case yIsNumber:
		s, _ := a.(string)
		x, ok := numeric(s)
		return x, y, ok
	}
	return "", "", false
}

// numeric reads a string as a decimal number; a plus sign and leading zeros
// are tolerated, blanks and other notations are not.
func numeric(s string) (json.Number, bool) {
	s = strings.TrimPrefix(s, "+")
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for len(s) > 1 && s[0] == '0' && isDigit(s[1]) {
		s = s[1:]
	}
	if s == "" || !isDigit(s[0]) || scanNumber(s) != len(s) {
		return "", false
	}
	return json.Number(sign + s), true
}

// compareFold orders strings by their folded runes, consistently with
// strings.EqualFold.
func compareFold(a, b string) int {
	for a != "" && b != "" {
		r, n := utf8.DecodeRuneInString(a)
		s, m := utf8.DecodeRuneInString(b)
		if r != s {
			if r, s = foldRune(r), foldRune(s); r != s {
				if r < s {
					return -1
				}
				return 1
			}
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

// foldRune picks one rune for all that are equal without case: the lower-case
// letter where there is one, so that letters sort after "_" as people expect.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf && !('A' <= r && r <= 'Z') && r != 'k' && r != 's' {
		return r
	}
	least := r
	for s := unicode.SimpleFold(r); s != r; s = unicode.SimpleFold(s) {
		least = min(least, s)
	}
	lower := unicode.ToLower(least)
	for s := unicode.SimpleFold(least); s != least; s = unicode.SimpleFold(s) {
		if s == lower {
			return lower
		}
	}
	return least
}

func (c anyOf) explain(t *trial) string {
	var reasons []string
	for _, kid := range c {
		reasons = append(reasons, kid.explain(t))
	}
	return strings.Join(reasons, ", and ")
}

func (c allOf) explain(t *trial) string {
	for _, kid := range c {
		if kid.eval(t) != yes {
			return kid.explain(t)
		}
	}
	return ""
}

func (c not) explain(t *trial) string {
	if c.condition.eval(t) == unknown {
		return c.condition.explain(t)
	}
	return "what ! negates is true"
}

func (c test) explain(t *trial) string {
	v, ok := c.operand.value(t)
	if !ok {
		return c.operand.missingReason(t)
	}
	return fmt.Sprintf("%s is %s", c.operand.text, describe(v))
}

func (c comparison) explain(t *trial) string {
	var facts []string
	for _, o := range []*operand{&c.left, &c.right} {
		if !o.isExpr {
			continue
		}
		v, ok := o.value(t)
		if !ok && c.eval(t) == unknown {
			return o.missingReason(t)
		}
		if ok {
			facts = append(facts, fmt.Sprintf("%s is %s", o.text, describe(v)))
		} else {
			facts = append(facts, o.text+" has no value")
		}
	}
	if len(facts) == 0 {
		return c.text + " is false"
	}
	return fmt.Sprintf("%s is false: %s", c.text, strings.Join(facts, " and "))
}

// describe writes a value for a Reason. Texts stay out of it: a reason is
// plain text, in which nothing can be hidden later (N77).
func describe(v any) string {
	switch v := v.(type) {
	case nil, bool:
		return value.Text(v)
	case json.Number:
		if len(v) <= 40 {
			return v.String()
		}
	case string:
		if v == "" {
			return "the empty string"
		}
	case []any:
		if len(v) == 0 {
			return "an empty array"
		}
	case map[string]any:
		if len(v) == 0 {
			return "an empty object"
		}
	}
	return kindOf(v)
}

func (c anyOf) operands(yield func(*operand)) {
	for _, kid := range c {
		kid.operands(yield)
	}
}

func (c allOf) operands(yield func(*operand)) {
	for _, kid := range c {
		kid.operands(yield)
	}
}

func (c test) operands(yield func(*operand)) {
	if c.operand.isExpr {
		yield(&c.operand)
	}
}

func (c comparison) operands(yield func(*operand)) {
	if c.left.isExpr {
		yield(&c.left)
	}
	if c.right.isExpr {
		yield(&c.right)
	}
}
