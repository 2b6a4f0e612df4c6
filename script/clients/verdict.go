package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// What is expected of a test.
const (
	inScope  = "in"   // passes
	upstream = "skip" // its authors skip it
	outScope = "out"  // does not pass: it needs what we do not offer
)

// expectation is a line of expected.txt.
type expectation struct{ verdict, test, reason string }

// readExpectations reads lines of verdict, test and, except for in, the reason.
// Empty lines and those that start with # are for people.
func readExpectations(text string) ([]expectation, error) {
	var all []expectation
	seen := map[string]bool{}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verdict, rest, _ := strings.Cut(line, " ")
		test, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
		e := expectation{verdict, test, strings.TrimSpace(reason)}
		switch {
		case verdict != inScope && verdict != upstream && verdict != outScope:
			return nil, fmt.Errorf("line %d: %q is none of %s, %s, %s", n+1, verdict, inScope, upstream, outScope)
		case test == "":
			return nil, fmt.Errorf("line %d: no test", n+1)
		case (e.reason == "") != (verdict == inScope):
			return nil, fmt.Errorf("line %d: what is %s or %s says why, what is %s does not", n+1, upstream, outScope, inScope)
		case seen[test]:
			return nil, fmt.Errorf("line %d: %s is listed twice", n+1, test)
		}
		seen[test] = true
		all = append(all, e)
	}
	return all, nil
}

// Results of a test as go test -json spells them.
const (
	passed  = "pass"
	failed  = "fail"
	skipped = "skip"
)

// result is how one test ended and what it wrote.
type result struct {
	action string // passed, failed or skipped; "" if the run ended before it did
	output string
}

// readResults reads the events of test2json. Subtests are part of the test
// they belong to. What no test wrote is returned too: a build that failed or a
// panic.
func readResults(r io.Reader) (results map[string]*result, rest string, err error) {
	results = map[string]*result{}
	var other strings.Builder
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var event struct{ Action, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, "", fmt.Errorf("not an event of a test: %q", lines.Text())
		}
		name, _, sub := strings.Cut(event.Test, "/")
		if name == "" {
			other.WriteString(event.Output)
			continue
		}
		one := results[name]
		if one == nil {
			one = &result{}
			results[name] = one
		}
		one.output += event.Output
		if !sub && (event.Action == passed || event.Action == failed || event.Action == skipped) {
			one.action = event.Action
		}
	}
	return results, other.String(), lines.Err()
}

// judge compares results with what is expected and returns every difference. A
// test that is listed nowhere is one: a new version of a suite is read before
// it is trusted.
func judge(expected []expectation, results map[string]*result) []string {
	var differences []string
	differ := func(test, format string, args ...any) {
		differences = append(differences, test+": "+fmt.Sprintf(format, args...))
	}
	listed := map[string]bool{}
	for _, e := range expected {
		listed[e.test] = true
		got := results[e.test]
		switch {
		case got == nil:
			differ(e.test, "did not run")
		case e.verdict == inScope && got.action != passed:
			differ(e.test, "%s, must pass\n%s", ended(got.action), indent(got.output))
		case e.verdict == upstream && got.action != skipped:
			differ(e.test, "%s, but is listed as skipped by its authors", ended(got.action))
		case e.verdict == outScope && got.action == passed:
			differ(e.test, "passes although it is listed as out of scope (%s): list it as in", e.reason)
		}
	}
	for _, test := range slices.Sorted(maps.Keys(results)) {
		if !listed[test] {
			differ(test, "%s, but is not listed", ended(results[test].action))
		}
	}
	return differences
}

func ended(action string) string {
	switch action {
	case passed:
		return "passed"
	case failed:
		return "failed"
	case skipped:
		return "was skipped"
	}
	return "did not end"
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
