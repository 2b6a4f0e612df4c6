package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadExpectations(t *testing.T) {
	got, err := readExpectations("# what is what\n\nin   TestA\nskip TestB  needs a second org\nout TestC event hooks\n")
	want := []expectation{{inScope, "TestA", ""}, {upstream, "TestB", "needs a second org"}, {outScope, "TestC", "event hooks"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(expectation{})); diff != "" || err != nil {
		t.Errorf("readExpectations: %v (-want +got)\n%s", err, diff)
	}
	for _, bad := range []string{"maybe TestA", "in", "in TestA because", "out TestA", "skip TestA", "in TestA\nout TestA twice"} {
		if got, err := readExpectations(bad); err == nil {
			t.Errorf("readExpectations(%q) = %v, want an error", bad, got)
		}
	}
}

// Every test of every suite is judged one way only.
func TestJudge(t *testing.T) {
	events := `{"Action":"start"}
{"Action":"output","Output":"2026 sweeping\n"}
{"Action":"output","Test":"TestA","Output":"=== RUN TestA\n"}
{"Action":"pass","Test":"TestA"}
{"Action":"output","Test":"TestB","Output":"expected 200\n"}
{"Action":"fail","Test":"TestB"}
{"Action":"skip","Test":"TestC"}
{"Action":"fail","Test":"TestD/one"}
{"Action":"output","Test":"TestD","Output":"panic: nil map\n"}
{"Action":"fail"}
`
	results, rest, err := readResults(strings.NewReader(events))
	if err != nil || rest != "2026 sweeping\n" {
		t.Fatalf("readResults: %v, rest %q", err, rest)
	}
	for _, test := range []struct {
		name, expected string
		want           []string // beginnings
	}{
		{"all as listed", "in TestA\nout TestB why\nskip TestC why\nout TestD why", nil},
		{
			"everything wrong", "out TestA why\nin TestB\nin TestC\nin TestD\nin TestE",
			[]string{
				"TestA: passes although it is listed as out of scope (why)", "TestB: failed, must pass\n    expected 200",
				"TestC: was skipped, must pass", "TestD: did not end, must pass\n    panic: nil map", "TestE: did not run",
			},
		},
		{
			"not listed", "skip TestA why\nskip TestB why",
			[]string{
				"TestA: passed, but is listed as skipped", "TestB: failed, but is listed as skipped",
				"TestC: was skipped, but is not listed", "TestD: did not end, but is not listed",
			},
		},
	} {
		expected, err := readExpectations(test.expected)
		if err != nil {
			t.Fatal(err)
		}
		got := judge(expected, results)
		if len(got) != len(test.want) {
			t.Errorf("%s: %d differences, want %d: %q", test.name, len(got), len(test.want), got)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], test.want[i]) {
				t.Errorf("%s: %q, want %q", test.name, got[i], test.want[i])
			}
		}
	}
}

// The lists that the repository holds can be read.
func TestExpectedFiles(t *testing.T) {
	for _, file := range []string{go2Expected, goAuth0Expected} {
		expected, err := readFile("../../" + file)
		if err != nil || len(expected) < 90 {
			t.Errorf("%s: %d tests, %v", file, len(expected), err)
		}
	}
}
