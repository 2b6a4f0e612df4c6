package filter_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
)

func compare(path string, op filter.Op, v any) *filter.Compare {
	return &filter.Compare{Path: path, Op: op, Value: v}
}

func and(terms ...filter.Expr) filter.Expr { return &filter.And{Terms: terms} }
func or(terms ...filter.Expr) filter.Expr  { return &filter.Or{Terms: terms} }

var a, b, c = compare("a", "eq", "1"), compare("b", "eq", "2"), compare("c", "pr", nil)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want filter.Expr
	}{
		{`status eq "ACTIVE"`, compare("status", "eq", "ACTIVE")},
		{`  status   EQ	"ACTIVE"  `, compare("status", "eq", "ACTIVE")},
		{`profile.login sw "a\"b\u00e9\\"`, compare("profile.login", "sw", `a"bé\`)},
		{`a eq "and or (x) pr"`, compare("a", "eq", "and or (x) pr")},
		{`n ge 12345678901234567890`, compare("n", "ge", json.Number("12345678901234567890"))},
		{`n lt -1.50`, compare("n", "lt", json.Number("-1.50"))},
		{`flag eq true`, compare("flag", "eq", true)},
		{`flag eq null`, compare("flag", "eq", nil)},
		{`a eq ""`, compare("a", "eq", "")},
		{`c pr`, c},
		{`a eq "1" and b eq "2"`, and(a, b)},
		{`a eq "1" AND b eq "2" and c pr`, and(a, b, c)},
		{`a eq "1" or b eq "2" and c pr`, or(a, and(b, c))},
		{`a eq "1" and b eq "2" or c pr`, or(and(a, b), c)},
		{`(a eq "1" or b eq "2") and c pr`, and(or(a, b), c)},
		{`((a eq "1"))`, a},
		{`(a eq "1")and(b eq "2")`, and(a, b)},
		{`orange eq "1" or android eq "2"`, or(compare("orange", "eq", "1"), compare("android", "eq", "2"))},
	}
	for _, test := range tests {
		got, err := filter.Parse(test.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.text, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(filter.Compare{}, "At")); diff != "" {
			t.Errorf("Parse(%q): - want + got\n%s", test.text, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, want string
		kind       fault.Kind
	}{
		{``, "character 1: an attribute is expected", fault.Invalid},
		{`status`, "is not an operator", fault.Invalid},
		{`status is "x"`, `"is" is not an operator`, fault.Invalid},
		{`status eq`, "is not a value", fault.Invalid},
		{`status eq ACTIVE`, `"ACTIVE" is not a value; texts and dates stand in double quotes`, fault.Invalid},
		{`status eq 'ACTIVE'`, "is not a value", fault.Invalid},
		{`status eq "ACTIVE`, "not closed", fault.Invalid},
		{`status eq "ACTIVE\"`, "not closed", fault.Invalid},
		{`status eq "\q"`, "wrong escape", fault.Invalid},
		{`status eq "A" "B"`, `unexpected "\"B\""`, fault.Invalid},
		{`status eq "A" and`, "an attribute is expected", fault.Invalid},
		{`status eq "A" xor status eq "B"`, `unexpected "xor`, fault.Invalid},
		{`(status eq "A"`, "character 15: a parenthesis is not closed", fault.Invalid},
		{`status eq "A")`, `unexpected ")"`, fault.Invalid},
		{`not (status eq "A")`, `"" is not an operator`, fault.Invalid},
		{"status eq \"\xff\"", "not valid UTF-8", fault.Invalid},
		{strings.Repeat("(", 65), "nested deeper", fault.TooLarge},
		{strings.Repeat("a pr or ", 1000) + "a pr", "more than 1000 terms", fault.TooLarge},
		{strings.Repeat(" ", 16<<10+1), "more than 16384 bytes", fault.TooLarge},
	}
	for _, test := range tests {
		_, err := filter.Parse(test.text)
		if !fault.Is(err, test.kind) || !strings.Contains(fault.Public(err), test.want) {
			t.Errorf("Parse(%.40q) = %v, want %v: %s", test.text, err, test.kind, test.want)
		}
	}
}

// person is what the expressions of TestMatch are about.
func person(path string) []any {
	switch path {
	case "name":
		return []any{"Ann Lee"}
	case "age":
		return []any{json.Number("42.0")}
	case "admin":
		return []any{true}
	case "tags":
		return []any{"Red", "blue"}
	case "since":
		return []any{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	}
	return nil
}

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text          string
		exact, folded bool
	}{
		{`name eq "Ann Lee"`, true, true},
		{`name eq "ann lee"`, false, true},
		{`name sw "ann"`, false, true},
		{`name ew "Lee"`, true, true},
		{`name co "n L"`, true, true},
		{`name gt "Ann"`, true, true},
		{`name le "Ann"`, false, false},
		{`name pr`, true, true},
		{`nick pr`, false, false},
		{`nick eq null`, true, true},
		{`name eq null`, false, false},
		{`nick eq ""`, false, false},
		{`name ne "Bob"`, true, true},
		{`name ne "Ann Lee"`, false, false},
		{`nick ne "x"`, true, true},
		{`tags eq "blue"`, true, true},
		{`tags eq "red"`, false, true},
		{`tags eq "green"`, false, false},
		{`age eq 42`, true, true},
		{`age gt 41.9`, true, true},
		{`age lt 42`, false, false},
		{`age eq "42"`, false, false},
		{`admin eq true`, true, true},
		{`admin eq "true"`, false, false},
		{`admin gt false`, false, false},
		{`since eq "2026-01-02T03:04:05.000Z"`, true, true},
		{`since eq "2026-01-02T05:04:05.000+02:00"`, true, true},
		{`since ge "2026-01-02T05:04:05+0200"`, true, true},
		{`since gt "2026-01-02T03:04:05.000Z"`, false, false},
		{`since lt "tomorrow"`, false, false},
		{`name pr and age pr and nick pr`, false, false},
		{`nick pr or age pr`, true, true},
		{`nick pr or age lt 1`, false, false},
	}
	exact := filter.Subject{Get: person}
	folded := filter.Subject{Get: person, Fold: func(_, text string) string { return strings.ToLower(text) }}
	for _, test := range tests {
		e, err := filter.Parse(test.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.text, err)
			continue
		}
		if got := filter.Match(e, exact); got != test.exact {
			t.Errorf("%s = %v, want %v", test.text, got, test.exact)
		}
		if got := filter.Match(e, folded); got != test.folded {
			t.Errorf("%s without case = %v, want %v", test.text, got, test.folded)
		}
	}
}

func TestPinned(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, want string
		ok         bool
	}{
		{`login eq "x"`, "x", true},
		{`a pr and login eq "x"`, "x", true},
		{`a pr and (b pr and login eq "x")`, "x", true},
		{`login eq "x" or a pr`, "", false},
		{`login sw "x"`, "", false},
		{`login eq 5`, "", false},
		{`Login eq "x"`, "", false},
	}
	for _, test := range tests {
		e, err := filter.Parse(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := filter.Pinned(e, "login"); got != test.want || ok != test.ok {
			t.Errorf("Pinned(%s) = %q, %v, want %q, %v", test.text, got, ok, test.want, test.ok)
		}
	}
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`name eq "Ann"`:                                      "Ann",
		`name sw "Ann" and name co "a longer"`:               "a longer",
		`name eq "Ann" and other eq "longest"`:               "Ann",
		`name eq "Ann" or name eq "Bob"`:                     "",
		`name eq "Ann" and (name eq "Bob, long" or name pr)`: "Ann",
		`name gt "Ann"`:                                      "",
		`name ne "Ann"`:                                      "",
		`name eq 12`:                                         "",
		`name pr`:                                            "",
	} {
		e, err := filter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Needed(e, func(path string) bool { return path == "name" }); got != want {
			t.Errorf("Needed(%s) = %q, want %q", text, got, want)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	one := func(v any) []any { return []any{v} }
	ascending := [][]any{
		one(false), one(true), one(json.Number("-1")), one(json.Number("10")), one(time.Unix(1, 0)), one(time.Unix(2, 0)), one("a"), one("B"), nil,
	}
	for i, x := range ascending {
		for j, y := range ascending {
			got := filter.Order(x, y)
			if i < j && got >= 0 || i > j && got <= 0 || i == j && got != 0 {
				t.Errorf("Order(%v, %v) = %d", x, y, got)
			}
		}
	}
}
